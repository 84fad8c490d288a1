"""The README and the pages of the documentation tell the truth: what their terminals show is what happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT, environment, serve
from tests.storages import on_postgres, storage

PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
TERMINALS = [
    (name, terminal)
    for name, text in PAGES.items()
    for terminal in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
]
TOLD = re.compile(r"eyJ[\w.-]+…?|(?<=\"created_at\":)\d+|[\d.]+ ms|\d+ bytes")  # what is another one each time
LACKING = [name for name in ("bash", "curl", "sed", "cut") if shutil.which(name) is None]
LACKS = pytest.mark.skipif(bool(LACKING), reason=f"missing: {', '.join(LACKING)}")
ON_POSTGRES = "postgresql.md"


def commands(terminal: str) -> Iterator[tuple[str, str]]:
    """Each command of a terminal with what it printed."""
    for part in re.split(r"^\$ ", terminal, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


@contextmanager
def terminal_in(folder: Path, is_served: bool) -> Iterator[str]:
    """The address of a server on the folder's stacks, where one is needed."""
    if is_served:
        with serve(folder) as server:
            yield server.url.removeprefix("http://")
    else:
        yield ""


def pages(*names: str) -> Any:
    """The parameters of a test: the terminals on these pages, or on all others."""
    chosen = [each for each in TERMINALS if (each[0] in names) or (not names and each[0] != ON_POSTGRES)]
    ids = [f"{page} {next(commands(each))[0][:40]}" for page, each in chosen]
    return pytest.mark.parametrize(("page", "terminal"), chosen, ids=ids)


@LACKS
@pages()
def test_a_terminal_shows_what_happens(tmp_path: Path, page: str, terminal: str) -> None:
    assert_shown(tmp_path, page, terminal)


@LACKS
@on_postgres
@pages(ON_POSTGRES)
def test_a_terminal_shows_what_happens_on_postgresql(tmp_path: Path, page: str, terminal: str) -> None:
    assert_shown(tmp_path, page, terminal)


def assert_shown(tmp_path: Path, page: str, terminal: str) -> None:
    """Run what a terminal shows, with the shipped stacks."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    with terminal_in(tmp_path, "localhost:8000" in terminal) as address:
        lines = [
            f"{command.replace('localhost:8000', address)}\necho; printf '\\0'" for command, _ in commands(terminal)
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)],
            cwd=tmp_path,
            env=environment(**storage().settings(tmp_path), PATH=path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
    printed = [each.rstrip("\n") for each in done.stdout.split("\0")[:-1]]
    assert [TOLD.sub("…", each) for each in printed] == [
        TOLD.sub("…", each.rstrip("\n")) for _, each in commands(terminal)
    ], page


def test_the_login_is_the_shipped_one() -> None:
    [shown] = re.findall(r"```yaml\n# stacks/auth/login.yaml\n(.*?)```", PAGES["README.md"], re.DOTALL)
    shipped = (ROOT / "stacks" / "auth" / "login.yaml").read_text("utf-8")
    assert shown == shipped.partition("\n")[2]
