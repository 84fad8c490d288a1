"""What tests of commands share: `python -m engine` as a process of its own, in a folder, to its end or while it serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import httpx

from engine.__main__ import main
from tests.storages import storage

ENGINE = (sys.executable, "-m", "engine")
PATIENCE = 30  # seconds that anything may take here
ROOT = Path(__file__).parent.parent
SIGNUP, LOGIN, ME = "/api:main/auth/signup", "/api:main/auth/login", "/api:main/auth/me"
ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of ours, with the modules of the checkout."""
    ours = ("HOST", "PORT", "PYTEST_CURRENT_TEST")
    kept = {name: value for name, value in os.environ.items() if name not in ours and "STACKWRIGHT" not in name}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def stackwright(folder: Path, *words: str, program: Sequence[str] = ENGINE, **settings: str) -> Ended:
    """A command run to its end with `folder` as its place."""
    command = [*program, *words]
    chosen = environment(**storage().settings(folder) | settings)
    done = subprocess.run(command, cwd=folder, env=chosen, capture_output=True, text=True, timeout=PATIENCE)
    return Ended(done.returncode, done.stdout, done.stderr)


def called(folder: Path, *words: str) -> Ended:
    """A command that ends by itself, run in this process: a tenth of the time, for tables of cases."""
    chosen = patch.dict(os.environ, storage().settings(folder))
    with chosen, chdir(folder), redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            status = main(words)
        except SystemExit as end:  # how argparse ends
            status = int(end.code or 0)
    return Ended(status, out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder with its mode and its bytes: what 'nothing changed' means."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class Process:
    """A server that runs: its address, and what it said so far."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path, port: int) -> None:
        self.process, self._said = process, said
        self.url = f"http://127.0.0.1:{port}"

    @property
    def said(self) -> str:
        """All of its output and its messages."""
        return self._said.read_text(encoding="utf-8")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def wait_for(self, text: str, after: int = 0) -> None:
        """Returns once it has said `text` past the first `after` characters."""
        end = time.monotonic() + PATIENCE
        while text not in self.said[after:]:
            assert time.monotonic() < end, f"it never said {text!r} but: {self.said}"
            time.sleep(0.02)

    def wait_until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, f"it ended: {self.said}"
            assert time.monotonic() < end, f"it never answered: {self.said}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def started(folder: Path, *command: str, port: int, **settings: str) -> Iterator[Process]:
    """A server started by a command in `folder`, ready to answer on `port`; ended afterwards if it still runs."""
    said = folder / "said.txt"
    with said.open("wb") as out:
        chosen = environment(**storage().settings(folder) | settings)
        process = subprocess.Popen(command, cwd=folder, env=chosen, stdout=out, stderr=out)
    try:
        server = Process(process, said, port)
        server.wait_until_ready()
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def serve(folder: Path, *flags: str, **settings: str) -> Iterator[Process]:
    """`stackwright serve` in `folder`, on a free port."""
    port = free_port()
    with started(folder, *ENGINE, "serve", "--port", str(port), *flags, port=port, **settings) as server:
        yield server
