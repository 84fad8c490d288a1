"""Databases that are brought up to their files: what is done, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_setup import POST, USER, FakeRun, open_store, tables_of, where

from engine.errors import Fault, SetupError
from engine.store import migrate, pg_conversions, sqlite_conversions
from engine.store.changes import Risk
from engine.store.plan import HISTORY, leftovers, plan
from engine.values import INT
from engine.workspace_reader import read_workspace
from tests.storages import on_sqlite, rows, storage
from tests.support import opened, write

pytestmark = pytest.mark.usefixtures("storage")

APPLY, DESTROY, MEND = " --apply", " --apply --allow-destructive", ""
RISKS = {APPLY: Risk.DELIBERATE, DESTROY: Risk.DESTRUCTIVE, MEND: Risk.BLOCKED}

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
def store_of(folder: Path, *texts: str) -> Iterator[Any]:
    store = open_store(folder, *texts)
    try:
        yield store
    finally:
        asyncio.run(store.close())


async def load(store: Any, **tables: list[dict[str, object]]) -> FakeRun:
    run = FakeRun(store.session())
    for table, records in tables.items():
        await store.load(run, table, records)
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


async def _delete(store: Any, id: int) -> None:
    run = FakeRun(store.session())
    assert await store.delete(store.tables["thing"], where(store, "thing", "id == $x", x=INT))(run, id)
    await run.db.commit()


def edited(old: str, new: str) -> str:
    assert old in BEFORE
    return BEFORE.replace(old, new)


@on_sqlite
def test_a_new_database_is_what_the_files_say(tmp_path: Path) -> None:
    indexes = "indexes: [{columns: [name, created_at]}]"
    with store_of(tmp_path, USER + indexes, POST) as store:
        sql = dict(store.reader.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))
    assert sql.pop("sqlite_sequence")
    assert sql.pop(HISTORY)
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
    with storage().catalog(folder) as catalog:
        assert plan(catalog, tables_of(folder / "stacks", BEFORE, OWNER)) == []
        catalog.execute("CREATE TABLE elsewhere (x int)")
        catalog.execute("CREATE INDEX by_hand ON thing (count)")
        assert migrate.apply(catalog, tables_of(folder / "stacks", OWNER)) == []
    assert {"elsewhere", "thing"} <= _names(folder, storage().tables)
    assert "by_hand" in _names(folder, storage().indexes)


def test_what_is_up_to_date_is_found_so_without_reading_records(folder: Path) -> None:
    tables = tables_of(folder / "stacks", BEFORE, OWNER)
    asked: list[str] = []
    with storage().catalog(folder) as catalog, storage().watched(catalog, asked.append):
        assert plan(catalog, tables) == []
    assert asked
    assert [sql for sql in asked if re.search('FROM "?(thing|owner)', sql)] == []


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
        assert [(each["name"], each["extra"]) for each in asyncio.run(store.dump("thing"))] == [
            ("a", value),
            ("b", value),
        ]
        run = asyncio.run(load(store, thing=[{"name": "new", "count": 0, "flag": True}]))
        assert run.db.is_writing is False
        assert (asyncio.run(store.dump("thing"))[2]["id"], asyncio.run(store.dump("thing"))[2]["extra"]) == (4, value)


def test_columns_are_filled_with_the_time_and_with_uuids(folder: Path) -> None:
    made = (
        "  made: {type: timestamp, default: now}\n"
        "  day: {type: date, default: now}\n"
        "  key: {type: uuid, default: uuid, unique: true}\n"
    )
    with store_of(folder, BEFORE + made, OWNER) as store:
        rows: list[dict[str, Any]] = list(asyncio.run(store.dump("thing")))
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
        assert asyncio.run(store.counts()) == {"thing": 1, "owner": 1}


def test_a_column_may_become_optional(folder: Path) -> None:
    storage().rows(folder, "CREATE INDEX by_hand ON thing (count)")
    with store_of(folder, edited("  count: int", "  count?: int"), OWNER) as store:
        assert [each["count"] for each in asyncio.run(store.dump("thing"))] == [1, 1]
        assert [each["owner"] is None for each in asyncio.run(store.dump("thing"))] == [True, False]
        asyncio.run(load(store, thing=[{"name": "d", "flag": True}]))
        assert (asyncio.run(store.dump("thing"))[2]["id"], asyncio.run(store.dump("thing"))[2]["count"]) == (
            4,
            None,
        )  # 3 is never used again
        assert "by_hand" in _names(folder, storage().indexes)
    with storage().catalog(folder) as catalog:
        assert plan(catalog, tables_of(folder / "stacks", edited("  count: int", "  count?: int"), OWNER)) == []


def test_a_table_that_others_refer_to_may_be_made_anew(folder: Path) -> None:
    with store_of(folder, BEFORE, OWNER.replace("name: text", '"name?": text')) as store:
        assert asyncio.run(store.counts()) == {"thing": 2, "owner": 1}
        assert _references(folder) == {("thing", "owner", "owner")}


def test_indexes_come_and_go(folder: Path) -> None:
    unique = BEFORE + "indexes: [{columns: [name, count], unique: true}]\n"
    with store_of(folder, unique, OWNER):
        assert "thing.name.count.unique" in _names(folder, storage().indexes)
    with store_of(folder, BEFORE, OWNER):
        assert _names(folder, storage().indexes) == {"thing.owner.index"}


def _names(folder: Path, sql: str) -> set[str]:
    return {name for (name,) in storage().rows(folder, sql)}


def _references(folder: Path) -> set[tuple[str, str, str]]:
    """Which table's column refers to which table."""
    return {(table, column, other) for table, column, other, _ in storage().rows(folder, storage().references)}


def test_records_of_a_text_may_be_called_an_enum(folder: Path) -> None:
    with store_of(folder, edited("  name: text", "  name: {type: enum, values: [a, b]}"), OWNER) as store:
        assert len(asyncio.run(store.dump("thing"))) == 2


# What is changed in the file, what is said of it, and what the command needs to make the change.
REFUSED = [
    ("  note?: text\n", "", ["drop the column 'note' of the table 'thing', where 0 records hold a value"], DESTROY),
    ("  note?: text\n", "  remark?: text\n", ["'note'", "if 'remark' is its new name", "'was: note'"], DESTROY),
    ("  note?: text\n", "  remark?: {type: text, was: note}\n", ["rename the column 'note' of the table 'thing' to 'remark'"], APPLY),
    ("  name: text", "  name?: int", ["turn the text 'name' of the table 'thing' into int, where 2 records hold what can't be kept"], DESTROY),
    ("  name: text", "  name: {type: int, default: 7}", ["can't be kept", "give 2 records the default of 'name'"], DESTROY),
    ("  name: text", "  name: int", ["require 'name' of the table 'thing', where 2 records would have none: fill them first"], MEND),
    ("  count: int", "  count: text", ["turn the int 'count' of the table 'thing' into text"], APPLY),
    ("  flag: bool", "  flag: int", ["turn the bool 'flag'", "into int"], APPLY),
    ("  name: text", "  name: password", ["turn the text 'name' of the table 'thing' into password: add a column"], MEND),
    ("  name: text", "  name: json", ["turn the text 'name'"], APPLY),
    ("  note?: text", "  note: text", ["require 'note' of the table 'thing', where 2 records would have none: fill them"], MEND),
    ("  note?: text", "  note: {type: text, default: x}", ["give 2 records the default of 'note'"], DESTROY),
    ("  count: int", "  count: {type: int, unique: true}", ["make 'count' of the table 'thing' unique, where 2 records have what others have: change"], MEND),
    ("  flag: bool", "  flag: bool\n  more: int", ["add the column 'more'", "where 2 records have none: give it a default"], MEND),
    ("  flag: bool", "  flag: bool\n  more: {table: owner}", ["add the column 'more'"], MEND),
    ("  flag: bool", "  flag: bool\n  more: {type: int, default: 1, unique: true}", ["make 'more'", "unique"], MEND),
    ("  owner?: {table: owner}", "  owner?: {table: thing}", ["turn the uuid 'owner' of the table 'thing' into int"], MEND),
    ("  count: int", "  count: {table: thing}", ["let 'count' of the table 'thing' refer to 'thing'"], APPLY),
    ("  id: int", "  id: uuid", ["turn the int 'id' of the table 'thing' into uuid: add"], MEND),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said", "takes"), REFUSED)
def test_what_is_only_changed_on_demand_is_refused_at_start(
    folder: Path, old: str, new: str, said: list[str], takes: str
) -> None:
    before = storage().dump(folder)
    safe = "  added?: decimal\n"
    with pytest.raises(SetupError) as caught:
        open_store(folder, edited(old, new) + safe, OWNER)
    message = str(caught.value)
    assert [part for part in [*said, "nothing was changed; "] if part not in message] == []
    assert (f"run `stackwright migrate{takes}` to" in message) is (takes != MEND)
    assert storage().dump(folder) == before  # not even what is safe was done
    migrated(folder, takes)


def migrated(folder: Path, takes: str, table: str = "thing") -> None:
    """Does what the refusal said: it is right that less isn't enough, and that this is."""
    with storage().catalog(folder) as catalog:
        tables = read_workspace(folder / "stacks")[0].tables
        for allowed in (risk for risk in Risk if risk < RISKS[takes]):
            with pytest.raises(SetupError):
                migrate.apply(catalog, tables, allowed)
        if takes != MEND:
            assert migrate.apply(catalog, tables, RISKS[takes])
            assert migrate.apply(catalog, tables) == []
            assert migrate.apply(catalog, tables, RISKS[takes]) == []
            assert storage().rows(folder, storage().next_id, table) == [(4,)]


def test_all_that_is_refused_is_said_at_once(folder: Path) -> None:
    with pytest.raises(SetupError) as caught:
        open_store(folder, edited("  note?: text\n", "").replace("count: int", "count: text"), OWNER)
    assert str(caught.value).count("\n- ") == 2


@on_sqlite
@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["table: a\ncolumns: {id: int}\n", "table: A\ncolumns: {id: int}\n"], "table 'A' and 'a' differ in case only"),
        (["table: a\ncolumns: {id: int, b: int, B: int}\n"], "table 'a': column 'B' and 'b'"),
        (["table: sqlite_a\ncolumns: {id: int}\n"], "SQLite keeps 'sqlite_…' for itself"),
    ],
)
def test_tables_that_no_file_holds_are_refused(tmp_path: Path, texts: list[str], said: str) -> None:
    with pytest.raises(SetupError) as caught:
        opened(open_store(tmp_path, *texts))
    assert said in str(caught.value)


def test_a_default_that_breaks_its_rules_is_refused(tmp_path: Path) -> None:
    store = opened(open_store(tmp_path, "table: a\ncolumns: {id: int, f: {type: int, default: x}}\n"))
    with pytest.raises(SetupError, match="the default of 'f' breaks its own rules"):
        store.add(store.tables["a"], ())


STARTER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:3]
from engine.http.serve import database_of
from engine.store.storage import open_store
from engine.workspace_reader import read_workspace

folder = Path(sys.argv[1])
store = open_store(database_of(sys.argv[3]), read_workspace(folder / "stacks")[0].tables)
print(asyncio.run(store.counts()))
asyncio.run(store.close())
"""


def test_processes_may_start_at_once(tmp_path: Path) -> None:
    tables_of(tmp_path / "stacks", USER, POST, BEFORE, OWNER)
    command = [sys.executable, "-c", STARTER, str(tmp_path), str(Path(__file__).parent.parent), storage().url(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [each.communicate(timeout=60)[0] for each in started]
    assert printed == ["{'user': 0, 'post': 0, 'thing': 0, 'owner': 0}\n"] * 4


# Names that change


RENAMED = """
table: item
was: thing
columns:
  id: int
  title: {type: text, was: name, unique: true}
  count?: {type: decimal, was: amount}
  note?: text
  flag: bool
  holder?: {table: owner, was: owner}
"""
PART = """
table: part
columns: {id: int, of: {table: %s}}
"""


def test_renames_keep_every_record_reference_and_rule(folder: Path) -> None:
    with store_of(folder, BEFORE, OWNER, PART % "thing") as store:
        asyncio.run(load(store, part=[{"of": 1}, {"of": 2}]))
        before = asyncio.run(store.dump("thing"))
    storage().rows(folder, "CREATE INDEX by_hand ON thing (name, count)")
    tables_of(folder / "stacks", RENAMED, OWNER, PART % "item")
    migrated(folder, APPLY, "item")
    with store_of(folder, RENAMED, OWNER, PART % "item") as store:
        names = {"title": "name", "holder": "owner"}
        assert asyncio.run(store.dump("item")) == [
            {name: each[names.get(name, name)] for name in store.tables["item"].columns} for each in before
        ]
        assert _names(folder, storage().indexes) == {
            "by_hand",
            "item.title.unique",
            "item.holder.index",
            "part.of.index",
        }
        assert _references(folder) == {("part", "of", "item"), ("item", "holder", "owner")}
        with pytest.raises(Fault) as caught:
            asyncio.run(load(store, item=[{"title": "a", "flag": True}]))
        assert caught.value.reason == "unique:title"
    with storage().catalog(folder) as catalog:
        assert plan(catalog, tables_of(folder / "stacks", RENAMED, OWNER, PART % "item")) == []


def test_a_reference_may_come_with_the_name_of_its_table(folder: Path) -> None:
    holder = OWNER.replace("table: owner", "table: holder\nwas: owner")
    tables_of(
        folder / "stacks",
        edited("  owner?: {table: owner}", "  owner?: {table: holder}\n  self?: {table: thing, was: note}").replace(
            "  note?: text\n", ""
        ),
        holder,
    )
    storage().rows(folder, "UPDATE thing SET note = '1' WHERE id = 1")
    migrated(folder, APPLY)
    assert _references(folder) == {("thing", "owner", "holder"), ("thing", "self", "thing")}
    assert storage().rows(folder, "SELECT self FROM thing ORDER BY id") == [(1,), (None,)]


def test_a_server_of_older_files_begins_no_empty_table(folder: Path) -> None:
    tables_of(folder / "stacks", RENAMED, OWNER)
    migrated(folder, APPLY, "item")
    with pytest.raises(SetupError) as caught:
        open_store(folder, BEFORE, OWNER)
    assert "create the table 'thing', whose records have a newer name" in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["table: a\ncolumns: {id: int, b: {type: int, was: c}, c: int}\n"], "'c' can't be what 'b' was"),
        (
            ["table: a\ncolumns: {id: int, b: {type: int, was: d}, c: {type: int, was: d}}\n"],
            "'d' can't be what 'c' was",
        ),
        (["table: a\nwas: b\ncolumns: {id: int}\n", "table: b\ncolumns: {id: int}\n"], "'b' can't be what 'a' was"),
    ],
)
def test_a_name_that_is_in_use_is_no_former_name(tmp_path: Path, texts: list[str], said: str) -> None:
    write(tmp_path, {str(place): text for place, text in enumerate(texts)})
    _, problems = read_workspace(tmp_path)
    assert [said in problem.message for problem in problems] == [True]


# What becomes of values


TURNED: list[tuple[str, str, list[object], list[object]]] = [
    ("int", "text", [5, -1, None], ["5", "-1", None]),
    ("int", "decimal", [5, 2**53, None], [5.0, 2.0**53, None]),
    ("decimal", "int", [5.0, -2.0, 1.5, 1e300], [5, -2, None, None]),
    ("decimal", "text", [0.1, 5, -2.5, None], ["0.1", "5.0", "-2.5", None]),
    ("decimal", "json", [0.1, 1 / 3, 5, 1e300, None], [0.1, 1 / 3, 5.0, 1e300, None]),
    ("bool", "json", [True, None], [True, None]),
    ("bool", "int", [True, False], [1, 0]),
    ("int", "decimal", [2**53 + 1, 2**63 - 1, -(2**63)], [2.0**53, 2.0**63, -(2.0**63)]),
    ("int", "bool", [0, 1, 2], [False, True, None]),
    ("bool", "text", [True, False, None], ["true", "false", None]),
    ("text", "int", ["5", "05", "x", "9223372036854775808", "-7", "-0", ""], [5, None, None, None, -7, None, None]),
    ("text", "int", ["9223372036854775807", "-9223372036854775808", "1" * 30], [2**63 - 1, -(2**63), None]),
    ("text", "decimal", ["5", "-0.5", "1e3", "1e999", "nan", "{"], [5.0, -0.5, 1000.0, None, None, None]),
    (
        "text",
        "decimal",
        ["1.7976931348623157e308", "-0", "0.0", "01", "5.", "9" * 500],
        [1.7976931348623157e308, 0.0, 0.0, None, None, None],
    ),
    ("text", "bool", ["true", "false", "1"], [True, False, None]),
    (
        "text",
        "date",
        ["2024-02-29", "2024-02-30", "now", "2023-02-29", "2024-12-31"],
        ["2024-02-29", None, None, None, "2024-12-31"],
    ),
    ("text", "uuid", ["AAAAAAAA-0000-4000-8000-000000000001", "x"], ["aaaaaaaa-0000-4000-8000-000000000001", None]),
    ("text", "json", ['say "a"', None], ['say "a"', None]),
    ("date", "timestamp", ["1970-01-02", "1969-12-31"], [86_400_000, -86_400_000]),
    ("timestamp", "date", [86_400_000, -1], ["1970-01-02", "1969-12-31"]),
    ("email", "enum, values: [a]", ["a@b.io"], ["a@b.io"]),
]


@pytest.mark.parametrize(("was", "now", "given", "kept"), TURNED)
def test_a_type_may_change(tmp_path: Path, was: str, now: str, given: list[object], kept: list[object]) -> None:
    text = "table: a\ncolumns:\n  id: int\n  value?: {type: %s}\n"
    with store_of(tmp_path, text % was) as store:
        asyncio.run(load(store, a=[{"value": value} for value in given]))
    with storage().catalog(tmp_path) as catalog:
        migrate.apply(catalog, tables_of(tmp_path / "stacks", text % now), Risk.DESTRUCTIVE)
    with store_of(tmp_path, text % now) as store:
        assert [each["value"] for each in asyncio.run(store.dump("a"))] == kept


def test_what_is_in_no_file_is_dropped_only_on_demand(folder: Path) -> None:
    with storage().catalog(folder) as catalog:
        catalog.execute("CREATE TABLE elsewhere (x int)")
        tables = tables_of(folder / "stacks", OWNER)
        assert migrate.apply(catalog, tables, Risk.DELIBERATE) == []
        [dropped] = leftovers(catalog, tables)
        assert dropped.description == "drop the table 'thing', which is in no file, with 2 records"
        assert migrate.apply(catalog, tables, Risk.DESTRUCTIVE) == [dropped]
    assert _names(folder, storage().tables) >= {"elsewhere", "owner"}


def test_tables_in_no_file_that_refer_to_each_other_go_together(tmp_path: Path) -> None:
    ring = [
        "table: a\ncolumns: {id: int, b?: {table: b}}\n",
        "table: b\ncolumns: {id: uuid, a?: {table: a}, b?: {table: b}}\n",
    ]
    with store_of(tmp_path, OWNER, *ring):
        pass
    with storage().catalog(tmp_path) as catalog:
        assert len(migrate.apply(catalog, tables_of(tmp_path / "stacks", OWNER), Risk.DESTRUCTIVE)) == 2
    assert _names(tmp_path, storage().tables) >= {"owner", HISTORY}
    assert not _names(tmp_path, storage().tables) & {"a", "b"}


def test_a_column_may_change_its_type_with_what_it_refers_to(tmp_path: Path) -> None:
    text = "table: a\ncolumns: {id: int, of?: %s}\n"
    for change, kept in (("text", None), ("{table: a}", 1), ("{type: text, unique: true}", "1"), ("int", 1)):
        with storage().catalog(tmp_path) as catalog:
            migrate.apply(catalog, tables_of(tmp_path / "stacks", text % change), Risk.DESTRUCTIVE)
            assert plan(catalog, tables_of(tmp_path / "stacks", text % change)) == []
        if kept is None:
            storage().rows(tmp_path, "INSERT INTO a (of) VALUES ('1')")
        else:
            assert storage().rows(tmp_path, "SELECT of FROM a") == [(kept,)]
        assert _references(tmp_path) == ({("a", "of", "a")} if "table" in change else set())


def test_both_storages_convert_the_same() -> None:
    assert pg_conversions.CONVERSIONS.keys() == sqlite_conversions.CONVERSIONS.keys()


def test_a_table_that_others_refer_to_stays(folder: Path) -> None:
    with storage().catalog(folder) as catalog:
        changed = BEFORE.replace("  owner?: {table: owner}\n", "").replace("table: thing", "table: other")
        catalog.execute(f'DELETE FROM "{HISTORY}" WHERE "table" = \'thing\'')  # not ours to drop
        before = storage().dump(folder)
        with pytest.raises(SetupError, match=r"nothing was changed: .*thing.*owner"):
            migrate.apply(catalog, tables_of(folder / "stacks", changed), Risk.DESTRUCTIVE)
    assert storage().dump(folder) == before


def test_every_change_is_remembered(folder: Path) -> None:
    tables = tables_of(folder / "stacks", edited("  note?: text", "  remark?: {type: text, was: note}"), OWNER)
    with storage().catalog(folder) as catalog:
        before = migrate.history(catalog)
        migrate.apply(catalog, tables, Risk.DELIBERATE)
        *same, last = migrate.history(catalog)
    assert same == before
    assert [entry.change for entry in before][:2] == ["create the table 'thing'", "create the table 'owner'"]
    assert before[-1].change == "add an index over 'owner' to the table 'thing'"
    assert (last.table, last.change) == ("thing", "rename the column 'note' of the table 'thing' to 'remark'")
    assert last.sql == 'ALTER TABLE "thing" RENAME COLUMN "note" TO "remark";\n'
    assert re.fullmatch(r".+@.+", last.by)
    assert last.at >= before[0].at > 1_700_000_000_000


# Processes


MIGRATOR = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:3]
from engine.store import migrate, pg_conversions, sqlite_conversions
from engine.store.changes import Risk
from engine.http.serve import database_of
from engine.store.storage import open_catalog
from engine.workspace_reader import read_workspace

folder = Path(sys.argv[1])
with open_catalog(database_of(sys.argv[3])) as catalog:
    print("ready", flush=True)
    sys.stdin.readline()
    print(len(migrate.apply(catalog, read_workspace(folder / "stacks")[0].tables, Risk.DESTRUCTIVE)), flush=True)
"""


def migrators(folder: Path, count: int) -> list[subprocess.Popen[str]]:
    """Processes that are about to migrate, all told to begin."""
    command = [sys.executable, "-c", MIGRATOR, str(folder), str(Path(__file__).parent.parent), storage().url(folder)]
    made = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for each in made:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in made:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    return made


def many(folder: Path, count: int) -> None:
    """Gives the database many things."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    storage().rows(folder, f"{numbers}INSERT INTO thing (id, name, count, flag) SELECT i, 'n' || i, i, TRUE FROM n")


CHANGED = edited("  note?: text\n", "  more?: text\n").replace(
    "  name: text", "  title: {type: text, was: name, unique: true}"
)


@pytest.mark.parametrize(("text", "name"), [(CHANGED, "thing"), (RENAMED, "item")])
def test_one_process_migrates_and_the_others_wait(folder: Path, text: str, name: str) -> None:
    many(folder, 50_000)
    tables_of(folder / "stacks", text, OWNER)
    made = migrators(folder, 4)
    *others, one = sorted(int(each.communicate(timeout=60)[0]) for each in made)
    assert (others, one > 0) == ([0, 0, 0], True)
    with store_of(folder, text, OWNER) as store:
        assert asyncio.run(store.counts()) == {name: 49_993, "owner": 1}


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_a_killed_migration_left_everything_as_it_was(folder: Path, seconds: float) -> None:
    many(folder, 200_000)
    tables_of(folder / "stacks", CHANGED, OWNER)
    before = storage().dump(folder)
    [process] = migrators(folder, 1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    told = process.communicate()[0]
    if storage().dump(folder) != before:  # all of it was made, though the end may have come before it could be told
        [again] = migrators(folder, 1)
        assert again.communicate()[0] == "0\n"
    else:
        assert told == ""
    assert storage().is_sound(folder)


@pytest.mark.parametrize(("option", "left"), [("on_delete: cascade", [1]), ("on_delete: set_null", [1, 2])])
def test_what_becomes_of_a_reference_can_change(folder: Path, option: str, left: list[int]) -> None:
    changed = edited("owner?: {table: owner}", f"owner?: {{table: owner, {option}}}")
    with store_of(folder, changed, OWNER) as store:
        with storage().catalog(folder) as catalog:
            assert plan(catalog, store.tables) == []

        async def remove() -> None:
            run = FakeRun(store.session())
            await store.delete_all(store.tables["owner"], None)(run, None)
            await run.db.commit()

        asyncio.run(remove())
        assert [thing["id"] for thing in asyncio.run(store.dump("thing"))] == left
    with store_of(folder, BEFORE, OWNER):
        assert storage().rows(folder, storage().references) == [("thing", "owner", "owner", "NO ACTION")]


INDEXED = BEFORE + "indexes: [{columns: [%s], unique: true%s}]\n"


def test_a_partial_index_counts_its_own_records_only(folder: Path) -> None:
    with pytest.raises(SetupError, match="make 'count' of the table 'thing' unique"):
        open_store(folder, INDEXED % ("count", ", where: id < 9"), OWNER)
    for where_ in ("name == 'a'", "flag", "(name == 'a' or name == \"it's\") and count > -1.5", "owner == null"):
        with store_of(folder, INDEXED % ("count", f", where: {json.dumps(where_)}"), OWNER):
            assert len([name for name in _names(folder, storage().indexes) if ".where-" in name]) == 1
    with store_of(folder, INDEXED % ("{count: desc}, name", ""), OWNER):
        assert _names(folder, storage().indexes) == {"thing.count-desc.name.unique", "thing.owner.index"}


def test_a_table_that_is_there_gets_no_first_records(folder: Path) -> None:
    seeded = OWNER + "seed: [{name: first}]\n"
    with store_of(folder, BEFORE, seeded) as store:
        assert [owner["name"] for owner in asyncio.run(store.dump("owner"))] == ["o"]
    (folder / "other").mkdir()
    with store_of(folder / "other", BEFORE, seeded) as store:
        assert [owner["name"] for owner in asyncio.run(store.dump("owner"))] == ["first"]
    (folder / "third").mkdir()
    with storage().catalog(folder / "third") as catalog:
        changes = plan(catalog, tables_of(folder / "stacks", BEFORE, seeded))
    assert [change.description for change in changes if change.seeded] == ["add 1 record to the table 'owner'"]


SEARCHED = """
table: page
columns:
  id: int
  title: text
  body?: text
indexes:
  - {columns: [COLUMNS], type: search}
"""


def found(store: Any, text: str, table: str = "page") -> list[int]:
    condition = where(store, table, text)
    sql = f'SELECT "id" FROM "{table}" WHERE {condition.sql} ORDER BY "id"'
    values = condition.bound(tuple(getattr(node, "value", None) for node in condition.parameters))
    return [row[0] for row in rows(store, sql, values)]


def is_planned(folder: Path, store: Any) -> bool:
    with storage().catalog(folder) as catalog:
        return bool(plan(catalog, store.tables))


def test_a_search_index_follows_its_table_and_its_file(tmp_path: Path) -> None:
    plain, *_ = SEARCHED.partition("indexes:")
    with store_of(tmp_path, plain) as store:
        asyncio.run(load(store, page=[{"title": "Ada"}, {"title": "Bob", "body": "for Ada"}]))
    with store_of(tmp_path, SEARCHED.replace("COLUMNS", "title")) as store:
        assert found(store, "title | search('ada')") == [1]
        asyncio.run(changed(store))
        assert found(store, "title | search('ada')") == [3]
    with store_of(tmp_path, SEARCHED.replace("COLUMNS", "title, body")) as store:
        assert found(store, "[title, body] | search('ada')") == [2, 3]
        assert not is_planned(tmp_path, store)
    with store_of(tmp_path, plain):
        names = _names(tmp_path, storage().tables) | _names(tmp_path, storage().indexes)
        assert not [name for name in names if name.startswith("page.")]


def test_a_search_index_outlives_a_table_made_anew(tmp_path: Path) -> None:
    """A column that may be null from now on, one that is new, and another search after them."""
    before = SEARCHED.replace("COLUMNS", "title")
    after = before.replace(
        "title: text", "title?: text\n  more: {type: text, default: x}\n  key: {type: uuid, default: uuid}"
    )
    with store_of(tmp_path, before) as store:
        asyncio.run(load(store, page=[{"title": "Ada"}, {"title": "Bob"}]))
    with store_of(tmp_path, after) as store:
        assert found(store, "title | search('ada')") == [1]
        asyncio.run(changed(store))
        assert found(store, "title | search('ada')") == [3]
        assert found(store, "title | search('bob')") == [2]
        assert not is_planned(tmp_path, store)


OTHER = "table: other\ncolumns: {id: int, t: text}\nindexes: [{columns: [t], type: search}]\n"
TITLED = SEARCHED.replace("COLUMNS", "title")


@pytest.mark.parametrize(
    ("before", "after", "table", "column"),
    [
        ("table: page", "table: item\nwas: page", "item", "title"),
        ("title: text", "head: {type: text, was: title}", "page", "head"),
        ("body?: text", "text?: {type: text, was: body}", "page", "title"),
        ("  body?: text\n", "", "page", "title"),
        ("title: text", "title?: {type: enum, values: [Ada, Ada L., Eve]}", "page", "title"),
    ],
)
def test_a_search_index_follows_new_names_and_tables_made_anew(
    tmp_path: Path, before: str, after: str, table: str, column: str
) -> None:
    new = TITLED.replace(before, after).replace("[title]", f"[{column}]")
    with store_of(tmp_path, TITLED, OTHER) as store:
        asyncio.run(load(store, page=[{"title": "Ada"}, {"title": "Bob"}], other=[{"t": "ada"}]))
    with storage().catalog(tmp_path) as catalog:
        migrate.apply(catalog, tables_of(tmp_path / "stacks", new, OTHER), Risk.DESTRUCTIVE)
    with store_of(tmp_path, new, OTHER) as store:
        assert found(store, f"{column} | search('ada')", table) == [1]
        assert found(store, "t | search('ada')", "other") == [1]
        asyncio.run(changed(store, table, column))
        assert found(store, f"{column} | search('ada')", table) == [3]
        assert not is_planned(tmp_path, store)


def test_a_table_that_goes_takes_its_search_index_along(tmp_path: Path) -> None:
    with store_of(tmp_path, TITLED, OTHER):
        pass
    with storage().catalog(tmp_path) as catalog:
        migrate.apply(catalog, tables_of(tmp_path / "stacks", OTHER), Risk.DESTRUCTIVE)
    names = _names(tmp_path, storage().tables) | _names(tmp_path, storage().indexes)
    assert [name for name in names if name.startswith("other.") and name.endswith(".search")]
    assert not [name for name in names if name.startswith("page")]


def test_the_first_records_of_a_table_are_searched(tmp_path: Path) -> None:
    with store_of(tmp_path, TITLED + "seed: [{title: Ada}, {title: Bob}]\n") as store:
        assert found(store, "title | search('bob')") == [2]


async def changed(store: Any, name: str = "page", column: str = "title") -> None:
    run = await load(store, **{name: [{column: "Ada L."}]})
    table = store.tables[name]
    await store.edit(table, where(store, name, "id == 1"), (column,))(run, 1, "Eve")
    await store.delete(table, where(store, name, "id == 1"))(run, 1)
    await run.db.commit()


@pytest.mark.parametrize(
    ("columns", "indexes", "message"),
    [
        ("id: int, n: int", "[{columns: [n], type: search}]", "'n' can't be searched"),
        ("id: int, n: password", "[{columns: [n], type: search}]", "'n' can't be searched"),
        ("id: uuid, n: text", "[{columns: [n], type: search}]", "needs a table whose id is an int"),
        ("id: int, n: text", "[{columns: [n], type: search}, {columns: [n], type: search}]", "a second search index"),
    ],
)
def test_what_cant_be_searched_is_a_problem(tmp_path: Path, columns: str, indexes: str, message: str) -> None:
    (tmp_path / "page.yaml").write_text(f"table: page\ncolumns: {{{columns}}}\nindexes: {indexes}\n")
    _, problems = read_workspace(tmp_path)
    assert [message in problem.message for problem in problems] == [True]
