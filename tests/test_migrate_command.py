"""`stackwright migrate`: what it prints, how it ends, and that a refused start names the command that mends it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.commands import called, contents, stackwright
from tests.support import write

NOTE = "table: note\ncolumns:\n  id: int\n  text: text\n"
SHORT = "table: note\ncolumns: {id: int}\n"
RENAMED = "table: note\ncolumns:\n  id: int\n  title: {type: text, was: text}\n"
UNREADABLE = "table: note\ncolumns:\n  id: int\n  text: password\n"
FIRST = 'CREATE TABLE "note" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, "text" TEXT NOT NULL)'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path / "stacks", {"note": NOTE})
    return tmp_path


def test_the_plan_is_printed_and_nothing_is_written(shop: Path) -> None:
    ended = stackwright(shop, "migrate")
    assert (ended.status, ended.err) == (3, "")
    assert ended.out == (
        f"- create the table 'note'\n    {FIRST};\n1 change to make: run 'stackwright migrate --apply'\n"
    )
    assert not (shop / "data").exists()


def test_it_is_applied_once(shop: Path) -> None:
    made = stackwright(shop, "migrate", "--apply")
    assert (made.status, made.out) == (0, f"- create the table 'note'\n    {FIRST};\nmade 1 change\n")
    assert (shop / "data" / "database.sqlite3").stat().st_mode & 0o777 == 0o600
    for flags in ([], ["--apply"]):
        again = called(shop, "migrate", *flags)
        assert (again.status, again.out) == (0, "nothing to change\n")
    history = called(shop, "migrate", "--history").out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  \S+@\S+  create the table 'note'", history[0])
    assert history[1:] == [f"    {FIRST};"]


MARKED = [
    (RENAMED, 3, "- rename the column 'text' of the table 'note' to 'title'", "--apply'"),
    (
        SHORT,
        3,
        "! drop the column 'text' of the table 'note', where 0 records hold a value",
        "--apply --allow-destructive'",
    ),
    (UNREADABLE, 1, "x turn the text 'text' of the table 'note' into password", ""),
]


@pytest.mark.parametrize(("text", "status", "line", "end"), MARKED)
def test_what_a_change_takes_is_marked(shop: Path, text: str, status: int, line: str, end: str) -> None:
    assert called(shop, "migrate", "--apply").status == 0
    write(shop / "stacks", {"note": text})
    ended = called(shop, "migrate")
    assert ended.status == status
    assert line in ended.out
    assert ended.out.endswith(end + "\n") or ended.err == "nothing can be changed before what is marked 'x' is mended\n"


def test_less_than_it_takes_changes_nothing(shop: Path) -> None:
    assert called(shop, "migrate", "--apply").status == 0
    write(shop / "stacks", {"note": SHORT})
    before = contents(shop)
    ended = called(shop, "migrate", "--apply")
    assert (ended.status, ended.out) == (1, "")
    assert "run `stackwright migrate --apply --allow-destructive` to change it" in ended.err
    assert contents(shop) == before


def test_a_table_in_no_file_is_named_and_left_alone(shop: Path) -> None:
    assert called(shop, "migrate", "--apply").status == 0
    write(shop / "stacks", {"note": "table: other\ncolumns: {id: int}\n"})
    assert called(shop, "migrate", "--apply").status == 0
    ended = called(shop, "migrate")
    assert ended.status == 0
    assert "! drop the table 'note', which is in no file, with 0 records" in ended.out
    assert called(shop, "migrate", "--apply", "--allow-destructive").status == 0
    assert called(shop, "migrate").out == "nothing to change\n"


ELSEWHERE = [
    ((), {}),
    (("my stacks", "--data", "my data"), {}),
    ((), {"STACKWRIGHT_DATA": "elsewhere"}),
    ((), {"STACKWRIGHT_DATABASE_URL": "sqlite:///my.db"}),
]


@pytest.mark.parametrize(("words", "settings"), ELSEWHERE)
def test_a_refused_start_names_the_command_that_mends_it(
    shop: Path, words: tuple[str, ...], settings: dict[str, str]
) -> None:
    folder = shop / (words[0] if words else "stacks")
    write(folder, {"note": NOTE})
    assert stackwright(shop, "migrate", *words, "--apply", **settings).status == 0
    write(folder, {"note": RENAMED})
    refused = stackwright(shop, "serve", *words, **{"PORT": "0", **settings})
    assert refused.status == 1
    assert "- rename the column 'text' of the table 'note' to 'title'" in refused.err
    [command, _] = re.findall("`(.+?)`", refused.err)
    *given, name = command.partition("stackwright ")[::2]
    environment = dict(setting.split("=", 1) for setting in shlex.split(given[0]))
    mended = stackwright(shop, *shlex.split(name), **environment)
    assert (mended.status, mended.out.splitlines()[-1]) == (0, "made 1 change")
    assert stackwright(shop, "migrate", *words, **settings).out == "nothing to change\n"
