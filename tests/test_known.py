"""A workspace that was checked before: a start with a note of it serves the same, and what the note isn't of is checked."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine import known
from engine.check import Checked, Later
from engine.openapi.document import Documents
from engine.program import build, check_folder
from tests.live import copied, serving
from tests.support import USER, answer, services, write

# A function hands out a record, and who calls it reads its password.
FILES = {
    "tables/user": USER,
    "find": "function: find\ninput: {email: email}\nstack:\n- get_record: user\n  where: {email: $input.email}\n  as: it\n- return: $it\n",
    "add": """
        endpoint: POST /add
        input: {email: email, password: {type: password, min: 8}}
        stack:
          - add_record: user
            data: {name: Ada, email: $input.email, password: $input.password}
            as: it
        response: $it.id
    """,
    "login": """
        endpoint: POST /login
        input: {email: email, password: password}
        stack:
          - run_function: find
            with: {email: $input.email}
            as: user
          - validate_password: $input.password
            against: $user?.password
            as: is_right
        response: $is_right
    """,
}  # fmt: skip
ADA = {"email": "ada@example.com", "password": "correct horse"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workspaces as small as these are worth a note."""
    monkeypatch.setattr(known, "WORTHWHILE", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace and a data folder with a note of it."""
    write(tmp_path / "stacks", FILES)
    (tmp_path / "data").mkdir(mode=0o700)
    assert not found(tmp_path).problems
    assert is_noted(found(tmp_path))
    return tmp_path


def found(folder: Path) -> Checked:
    return known.check(folder / "stacks", folder / "data")


def is_noted(checked: Checked) -> bool:
    """Whether a check relied on a note."""
    return isinstance(checked.endpoints, Later)


def compiled(checked: Checked, folder: Path) -> dict[str, str]:
    program = build(checked, services(folder, checked.workspace.tables))
    plans = {each.endpoint.name: each.plan.source() for each in program.endpoints}
    return plans | {name: program.function(name).source() for name in checked.workspace.functions}


def test_what_was_checked_before_is_compiled_described_and_answered_alike(folder: Path) -> None:
    noted, anew = found(folder), check_folder(folder / "stacks", tests=False)
    assert is_noted(noted)
    assert not is_noted(anew)
    assert compiled(noted, folder / "a") == compiled(anew, folder / "b")
    assert noted.secret_reads == anew.secret_reads == {("user", "password")}
    described = [Documents(each, ()).whole(["main"], "/") for each in (noted, anew)]
    assert described[0] == described[1]
    for checked, name in ((noted, "c"), (anew, "d")):
        program = build(checked, services(folder / name, checked.workspace.tables))
        answer(program, "POST /add", ADA)
        assert answer(program, "POST /login", ADA) is True
        assert answer(program, "POST /login", {**ADA, "password": "wrong horse"}) is False


@pytest.mark.parametrize(
    "change",
    [
        lambda stacks: (stacks / "login.yaml").write_text((stacks / "login.yaml").read_text() + "# one more line\n"),
        lambda stacks: (stacks / "tables" / "user.yaml").write_text(USER.replace("min: 8", "min: 9").replace("\n    ", "\n")),
        lambda stacks: write(stacks, {"more": "endpoint: GET /more\nstack: []\nresponse: null\n"}),
        lambda stacks: (stacks / "add.yaml").unlink(),
        lambda stacks: (stacks / "add.yaml").rename(stacks / "added.yaml"),
        lambda stacks: write(stacks, {"workspace": "workspace: shop\n"}),
    ],
    ids=["a stack", "a table", "a file more", "a file less", "a file's name", "the workspace's own file"],
)  # fmt: skip
def test_whatever_changes_in_the_files_everything_is_checked(folder: Path, change: Callable[[Path], Any]) -> None:
    change(folder / "stacks")
    assert not is_noted(found(folder))
    assert is_noted(found(folder))  # by a note of its own


def test_a_mistake_is_found_whatever_was_noted(folder: Path) -> None:
    write(folder / "stacks", {"add": "endpoint: POST /add\nstack: []\nresponse: $nothing\n"})
    assert [each.code for each in found(folder).problems] == ["SW201"]
    assert [each.code for each in found(folder).problems] == ["SW201"]


def test_a_warning_is_told_at_every_start(tmp_path: Path) -> None:
    write(tmp_path / "stacks", {"it": "endpoint: GET /it\nstack:\n- set: {unused: 1}\nresponse: null\n"})
    (tmp_path / "data").mkdir()
    for _ in range(2):
        assert [each.code for each in found(tmp_path).problems] == ["SW240"]


def test_other_code_of_ours_checks_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(known.ENGINE, folder / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(known, "ENGINE", folder / "engine")
    assert not is_noted(found(folder))
    assert is_noted(found(folder))
    with (folder / "engine" / "infer.py").open("a") as file:
        file.write("# a change\n")
    assert not is_noted(found(folder))


@pytest.mark.parametrize("what", ["sqlite", "python"])
def test_other_versions_of_what_is_asked_check_anew(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    module, name = {"sqlite": (sqlite3, "sqlite_version"), "python": (known.sys, "version")}[what]
    monkeypatch.setattr(module, name, "9.9.9")
    assert not is_noted(found(folder))


def test_a_note_that_is_not_whole_is_never_trusted(folder: Path) -> None:
    note = folder / "data" / known.NOTE
    whole = note.read_bytes()
    state = known.state_of(folder / "stacks", known.Session(folder / "stacks", tests=False).files)
    assert known.read(note, state) == {("user", "password")}
    for length in range(len(whole)):
        note.write_bytes(whole[:length])
        assert known.read(note, state) is None, length
    for place in range(len(whole)):
        note.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert known.read(note, state) is None, place
    others = [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff", whole.replace(b'[["user", "password"]]', b"[]")]
    for other in (*others, whole.replace(state.encode(), state.encode()[::-1])):
        note.write_bytes(other)
        assert known.read(note, state) is None, other[:40]
    note.write_bytes(whole)
    assert known.read(note, state[::-1]) is None
    assert known.read(note, state) is not None


def test_a_note_that_can_t_be_read_or_written_stops_nothing(folder: Path) -> None:
    (folder / "data" / known.NOTE).unlink()
    (folder / "data" / known.NOTE).mkdir()
    for _ in range(2):
        checked = found(folder)
        assert not checked.problems
        assert not is_noted(checked)
    assert [each.name for each in (folder / "data").iterdir()] == [known.NOTE]  # and no half of one is left behind


def test_without_a_data_folder_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path / "stacks", FILES)
    for _ in range(2):
        assert not is_noted(found(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["stacks"]


def test_a_small_workspace_is_checked_sooner_than_looked_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "WORTHWHILE", 100)
    assert not is_noted(found(folder))


def test_many_threads_ask_at_once(tmp_path: Path) -> None:
    functions = {
        f"f{n}": f"function: f{n}\nstack:\n- run_function: f{n + 1}\n  as: it\n- return: $it\n" for n in range(20)
    }
    functions["f20"] = "function: f20\nstack:\n- return: 7\n"
    write(tmp_path / "stacks", functions)
    (tmp_path / "data").mkdir()
    assert not found(tmp_path).problems
    for _ in range(5):
        checked = found(tmp_path)
        assert is_noted(checked)
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda name: str(checked.functions[name].result), [*checked.functions] * 4))  # noqa: B023
        assert set(results) == {"an int"}


def test_a_server_with_many_stacks_starts_with_a_note_and_serves_them(tmp_path: Path) -> None:
    made = {f"made/{n}": f"endpoint: GET /made/{n}\nstack: []\nresponse: {n}\n" for n in range(120)}
    copied(tmp_path, made)
    for _ in range(3):
        with serving(tmp_path) as server, server.client() as client:
            assert client.get("/api:main/made/119").json() == 119
            assert client.get("/api:main/auth/me").status_code == 401
            assert len(client.get("/openapi.json").json()["paths"]) > 120
    note = tmp_path / "data" / known.NOTE
    assert note.stat().st_mode & 0o777 == 0o600
