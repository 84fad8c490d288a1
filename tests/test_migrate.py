"""Databases that are brought up to their files: what is done, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_setup import POST, USER, FakeRun, open_store, tables_of, where

from engine.errors import SetupError
from engine.store import migrate
from engine.store.sqlite import SqliteStore, connect
from engine.values import INT
from tests.support import opened

BEFORE = """
table: thing
columns:
  id: int
  name: text
  count: int
  note?: text
  flag: bool
  owner?: {table: owner}
"""
OWNER = """
table: owner
columns: {id: uuid, name: text}
"""


@contextlib.contextmanager
def store_of(folder: Path, *texts: str) -> Iterator[SqliteStore]:
    store = open_store(folder, *texts)
    try:
        yield store
    finally:
        asyncio.run(store.close())


async def load(store: SqliteStore, **tables: list[dict[str, object]]) -> FakeRun:
    run = FakeRun(store.session())
    for table, rows in tables.items():
        await store.load(run, table, rows)
    await run.db.commit()
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database with two things, the second of an owner."""
    with store_of(tmp_path, BEFORE, OWNER) as store:
        rows: list[dict[str, object]] = [
            {"name": "a", "count": 1, "flag": True},
            {"name": "b", "count": 1, "flag": False, "owner": "00000000-0000-4000-8000-000000000001"},
            {"name": "c", "count": 3, "flag": False},
        ]
        asyncio.run(load(store, owner=[{"name": "o"}], thing=rows))
        asyncio.run(_delete(store, 3))
    return tmp_path


async def _delete(store: SqliteStore, id: int) -> None:
    run = FakeRun(store.session())
    assert await store.delete(store.tables["thing"], where(store, "thing", "id == $x", x=INT))(run, id)
    await run.db.commit()


def edited(old: str, new: str) -> str:
    assert old in BEFORE
    return BEFORE.replace(old, new)


def test_a_new_database_is_what_the_files_say(tmp_path: Path) -> None:
    indexes = "indexes: [{columns: [name, created_at]}]"
    with store_of(tmp_path, USER + indexes, POST) as store:
        sql = dict(store.reader.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))
    assert sql.pop("sqlite_sequence")
    assert sql == {
        "user": (
            'CREATE TABLE "user" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, '
            '"created_at" INTEGER TIMESTAMP NOT NULL, "name" TEXT NOT NULL, "email" TEXT EMAIL NOT NULL, '
            '"password" TEXT PASSWORD, "role" TEXT ENUM NOT NULL)'
        ),
        "post": (
            'CREATE TABLE "post" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, '
            '"user_id" INTEGER NOT NULL REFERENCES "user" ("id"), "title" TEXT)'
        ),
        "user.email.unique": 'CREATE UNIQUE INDEX "user.email.unique" ON "user" ("email")',
        "user.name.created_at.index": 'CREATE INDEX "user.name.created_at.index" ON "user" ("name", "created_at")',
        "post.user_id.index": 'CREATE INDEX "post.user_id.index" ON "post" ("user_id")',
    }


def test_what_is_up_to_date_is_left_alone(folder: Path) -> None:
    with contextlib.closing(connect(folder / "data.db")) as connection:
        assert migrate.plan(connection, tables_of(folder / "stacks", BEFORE, OWNER)) == []
        connection.execute("CREATE TABLE elsewhere (x)")
        connection.execute("CREATE INDEX by_hand ON thing (count)")
        assert migrate.apply(connection, tables_of(folder / "stacks", OWNER)) == []
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    assert {"elsewhere", "by_hand", "thing"} <= set(names)


ADDED: list[tuple[str, Any]] = [
    ("extra?: text", None),
    ('extra: {type: text, default: "it\'s"}', "it's"),
    ("extra: {type: int, default: -5}", -5),
    ("extra: {type: decimal, default: 1.5}", 1.5),
    ("extra: {type: bool, default: true}", True),
    ("extra: {type: json, default: {a: [1]}}", {"a": [1]}),
    ('extra: {type: "text[]", default: []}', []),
    ("extra: {type: enum, values: [x, y], default: y}", "y"),
    ("extra?: {table: owner}", None),
    ("extra?: {type: text, unique: true}", None),
]


@pytest.mark.parametrize(("column", "value"), ADDED)
def test_columns_are_added_and_filled(folder: Path, column: str, value: Any) -> None:
    with store_of(folder, BEFORE + f"  {column}\n", OWNER) as store:
        assert [(each["name"], each["extra"]) for each in store.dump("thing")] == [("a", value), ("b", value)]
        run = asyncio.run(load(store, thing=[{"name": "new", "count": 0, "flag": True}]))
        assert run.db.wrote is False
        assert (store.dump("thing")[2]["id"], store.dump("thing")[2]["extra"]) == (4, value)


def test_columns_are_filled_with_the_time_and_with_uuids(folder: Path) -> None:
    made = (
        "  made: {type: timestamp, default: now}\n"
        "  day: {type: date, default: now}\n"
        "  key: {type: uuid, default: uuid, unique: true}\n"
    )
    with store_of(folder, BEFORE + made, OWNER) as store:
        rows: list[dict[str, Any]] = list(store.dump("thing"))
    assert all(each["made"] > 1_700_000_000_000 for each in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", each["day"]) for each in rows)
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each["key"])
        for each in rows
    )
    assert len({each["key"] for each in rows}) == 2


def test_a_table_without_records_takes_any_column(tmp_path: Path) -> None:
    with store_of(tmp_path, BEFORE, OWNER):
        pass
    more = "  by: {table: owner}\n  extra: {type: text, unique: true}\n  size: int\n"
    with store_of(tmp_path, BEFORE + more, OWNER) as store:
        row = {"name": "a", "count": 1, "flag": True, "by": "00000000-0000-4000-8000-000000000001"}
        asyncio.run(load(store, owner=[{"name": "o"}], thing=[{**row, "extra": "x", "size": 1}]))
        assert store.counts() == {"thing": 1, "owner": 1}


def test_a_column_may_become_optional(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "data.db")) as connection:
        connection.execute("CREATE INDEX by_hand ON thing (count)")
    with store_of(folder, edited("  count: int", "  count?: int"), OWNER) as store:
        assert [each["count"] for each in store.dump("thing")] == [1, 1]
        assert [each["owner"] is None for each in store.dump("thing")] == [True, False]
        asyncio.run(load(store, thing=[{"name": "d", "flag": True}]))
        assert (store.dump("thing")[2]["id"], store.dump("thing")[2]["count"]) == (4, None)  # 3 is never used again
        assert [row[0] for row in store.reader.execute("SELECT name FROM sqlite_master WHERE name = 'by_hand'")]
    with contextlib.closing(connect(folder / "data.db")) as connection:
        assert (
            migrate.plan(connection, tables_of(folder / "stacks", edited("  count: int", "  count?: int"), OWNER)) == []
        )


def test_a_table_that_others_refer_to_may_be_made_anew(folder: Path) -> None:
    with store_of(folder, BEFORE, OWNER.replace("name: text", '"name?": text')) as store:
        assert store.counts() == {"thing": 2, "owner": 1}
        assert store.reader.execute("PRAGMA foreign_key_check").fetchall() == []
        assert [row[2] for row in store.reader.execute("PRAGMA foreign_key_list(thing)")] == ["owner"]


def test_indexes_come_and_go(folder: Path) -> None:
    unique = BEFORE + "indexes: [{columns: [name, count], unique: true}]\n"
    with store_of(folder, unique, OWNER) as store:
        assert "thing.name.count.unique" in _indexes(store)
    with store_of(folder, BEFORE, OWNER) as store:
        assert _indexes(store) == {"thing.owner.index"}


def _indexes(store: SqliteStore) -> set[str]:
    return {row[0] for row in store.reader.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''")}


def test_records_of_a_text_may_be_called_an_enum(folder: Path) -> None:
    with store_of(folder, edited("  name: text", "  name: {type: enum, values: [a, b]}"), OWNER) as store:
        assert len(store.dump("thing")) == 2


REFUSED = [
    ("  note?: text\n", "", ["the column 'note' of the table 'thing' is in the database but in no file"]),
    ("  note?: text\n", "  remark?: text\n", ['RENAME COLUMN "note" TO "remark"']),
    ("  name: text", "  name: int", ["the column 'name' of the table 'thing' holds text, its file says int"]),
    ("  flag: bool", "  flag: int", ["'flag'", "holds bool, its file says int"]),
    ("  name: text", "  name: password", ["holds text, its file says password"]),
    ("  name: text", "  name: json", ["holds text, its file says json"]),
    ("  note?: text", "  note: text", ["the column 'note'", "may hold null, by its file it is required"]),
    ("  count: int", "  count: {type: int, unique: true}", ["'count' of the table 'thing' must be unique"]),
    ("  flag: bool", "  flag: bool\n  more: int", ["the new column 'more' of the table 'thing' is required"]),
    ("  flag: bool", "  flag: bool\n  more: {table: owner}", ["the new column 'more'"]),
    ("  flag: bool", "  flag: bool\n  more: {type: int, default: 1, unique: true}", ["'more'", "must be unique"]),
    ("  owner?: {table: owner}", "  owner?: {table: thing}", ["'owner'", "holds uuid, its file says int"]),
    (
        "  owner?: {table: owner}",
        "  owner?: uuid",
        ["the column 'owner'", "refers to another table than its file says"],
    ),
    ("  count: int", "  count: {table: thing}", ["the column 'count'", "refers to another table"]),
    ("  id: int", "  id: uuid", ["the column 'id'", "holds int, its file says uuid"]),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED)
def test_what_could_lose_something_is_refused_in_words(folder: Path, old: str, new: str, said: list[str]) -> None:
    before = _dumped(folder)
    safe = "  added?: decimal\n"
    with pytest.raises(SetupError) as caught:
        open_store(folder, edited(old, new) + safe, OWNER)
    assert [part for part in [*said, "stackwright migrate"] if part not in str(caught.value)] == []
    assert _dumped(folder) == before  # not even what is safe was done


def _dumped(folder: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(folder / "data.db")) as connection:
        return list(connection.iterdump())


def test_all_that_is_refused_is_said_at_once(folder: Path) -> None:
    with pytest.raises(SetupError) as caught:
        open_store(folder, edited("  note?: text\n", "").replace("name: text", "name: int"), OWNER)
    assert str(caught.value).count("\n- ") == 2


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["table: a\ncolumns: {id: int}\n", "table: A\ncolumns: {id: int}\n"], "table 'A' and 'a' differ in case only"),
        (["table: a\ncolumns: {id: int, b: int, B: int}\n"], "table 'a': column 'B' and 'b'"),
        (["table: sqlite_a\ncolumns: {id: int}\n"], "SQLite keeps 'sqlite_…' for itself"),
        (["table: a\ncolumns: {id: int, f: {type: int, default: x}}\n"], "the default of 'f' breaks its own rules"),
    ],
)
def test_tables_that_no_database_holds_are_refused(tmp_path: Path, texts: list[str], said: str) -> None:
    with pytest.raises(SetupError) as caught:
        store = opened(open_store(tmp_path, *texts))
        store.add(store.tables["a"], ())
    assert said in str(caught.value)


STARTER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:3]
from engine.store.sqlite import SqliteStore
from engine.workspace_reader import read_workspace

folder = Path(sys.argv[1])
store = SqliteStore.open(folder / "data.db", read_workspace(folder / "stacks")[0].tables)
print(store.counts())
asyncio.run(store.close())
"""


def test_processes_may_start_at_once(tmp_path: Path) -> None:
    tables_of(tmp_path / "stacks", USER, POST, BEFORE, OWNER)
    command = [sys.executable, "-c", STARTER, str(tmp_path), str(Path(__file__).parent.parent)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [each.communicate(timeout=60)[0] for each in started]
    assert printed == ["{'user': 0, 'post': 0, 'thing': 0, 'owner': 0}\n"] * 4


@pytest.mark.parametrize(("option", "left"), [("on_delete: cascade", [1]), ("on_delete: set_null", [1, 2])])
def test_what_becomes_of_a_reference_can_change(folder: Path, option: str, left: list[int]) -> None:
    changed = edited("owner?: {table: owner}", f"owner?: {{table: owner, {option}}}")
    with store_of(folder, changed, OWNER) as store:
        assert [change.description for change in migrate.plan(store.writer.connection, store.tables)] == []

        async def remove() -> None:
            run = FakeRun(store.session())
            await store.delete_all(store.tables["owner"], None)(run, None)
            await run.db.commit()

        asyncio.run(remove())
        assert [thing["id"] for thing in store.dump("thing")] == left
    with store_of(folder, BEFORE, OWNER) as store, contextlib.closing(connect(folder / "data.db")) as connection:
        assert connection.execute("PRAGMA foreign_key_list(thing)").fetchone()[6] == "NO ACTION"


INDEXED = BEFORE + "indexes: [{columns: [%s], unique: true%s}]\n"


def test_a_partial_index_counts_its_own_records_only(folder: Path) -> None:
    with pytest.raises(SetupError, match="'count' of the table 'thing' must be unique"):
        open_store(folder, INDEXED % ("count", ", where: id < 9"), OWNER)
    for where_ in ("name == 'a'", "flag", "(name == 'a' or name == \"it's\") and count > -1.5", "owner == null"):
        with store_of(folder, INDEXED % ("count", f", where: {json.dumps(where_)}"), OWNER) as store:
            sql = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
            assert store.reader.execute(sql).fetchone() == (1,)
    with store_of(folder, INDEXED % ("{count: desc}, name", ""), OWNER) as store:
        assert sorted(index[1] for index in store.reader.execute("PRAGMA index_list(thing)")) == [
            "thing.count-desc.name.unique", "thing.owner.index"
        ]  # fmt: skip


def test_a_table_that_is_there_gets_no_first_records(folder: Path) -> None:
    seeded = OWNER + "seed: [{name: first}]\n"
    with store_of(folder, BEFORE, seeded) as store:
        assert [owner["name"] for owner in store.dump("owner")] == ["o"]
    (folder / "other").mkdir()
    with store_of(folder / "other", BEFORE, seeded) as store:
        assert [owner["name"] for owner in store.dump("owner")] == ["first"]
    changes = migrate.plan(sqlite3.connect(":memory:"), tables_of(folder / "stacks", BEFORE, seeded))
    assert [change.description for change in changes if change.seeded] == ["add 1 record to the table 'owner'"]
