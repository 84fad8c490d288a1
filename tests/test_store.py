"""Records in a real file: what is read and written, and what becomes of many at once, of failures and of crashes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_setup import NOW, POST, USER, FakeRun, open_store, repeated, tables_of, where

from engine.errors import Fault, SetupError
from engine.security.passwords import TEST_COST, Passwords
from engine.store import writer as writing
from engine.store.sqlite import SqliteStore
from engine.values import INT, TEXT, Record, Secret, reveal
from tests.storages import on_sqlite, settled

EVERYTHING = """
table: thing
columns:
  id: uuid
  i?: int
  d?: decimal
  t?: text
  b?: bool
  when?: timestamp
  day?: date
  u?: uuid
  e?: {type: enum, values: [a, b]}
  j?: json
  o?: {type: object, properties: {x: int, y?: text}}
  l?: int[]
  s?: {type: json, sensitive: true}
"""
DEFAULTS = """
table: note
columns:
  id: int
  made: {type: timestamp, default: now}
  day: {type: date, default: now}
  key: {type: uuid, default: uuid}
  level: {type: int, default: 3}
  tags: {type: "text[]", default: [new]}
  open: {type: bool, default: true}
  title: {type: text, default: untitled, nullable: true}
  text?: text
"""
PAIR = """
table: pair
columns: {id: int, a: int, b?: int, parent?: {table: pair}}
indexes: [{columns: [a, b], unique: true}]
"""

Test = Callable[[Any, FakeRun], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords(TEST_COST, threads=1)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path, storage: str) -> Iterator[Any]:
    opened = open_store(tmp_path, USER, POST, EVERYTHING, DEFAULTS, PAIR)
    yield opened
    asyncio.run(opened.close())


def add(store: Any, run: FakeRun, table: str, **values: object) -> Awaitable[dict[str, Any]]:
    return prepared(store, table, tuple(values))(run, *values.values())


@functools.cache
def prepared(store: Any, table: str, columns: tuple[str, ...]) -> Callable[..., Awaitable[dict[str, Any]]]:
    return store.add(store.tables[table], columns)


def run_of(store: Any, passwords: Passwords) -> FakeRun:
    return FakeRun(store.session(), passwords)


async def added(store: Any, passwords: Passwords, table: str, **values: object) -> dict[str, Any]:
    """A record that is added and committed by a run of its own."""
    run = run_of(store, passwords)
    try:
        record = await add(store, run, table, **values)
    except BaseException:
        run.db.rollback()
        raise
    await run.db.commit()
    return record


ADA = {"name": "Ada", "email": " Ada@Example.com ", "password": Secret("correct horse")}
SEEN = {"id": 1, "created_at": NOW, "name": "Ada", "email": "ada@example.com", "role": "member"}


def test_a_record_is_added_read_changed_and_deleted(store: Any, passwords: Passwords) -> None:
    user = store.tables["user"]
    by_email = where(store, "user", "email == $x", x=TEXT)
    get, has = store.get(user, by_email), store.has(user, by_email)
    edit, delete = store.edit(user, by_email, ("name", "role")), store.delete(user, by_email)

    async def test() -> None:
        run = run_of(store, passwords)
        assert await add(store, run, "user", **ADA) == SEEN
        assert await settled(get(run, "ada@example.com")) == SEEN
        assert await settled(has(run, "ada@example.com"))
        assert not await settled(has(run, "eve@example.com"))
        assert await edit(run, "ada@example.com", "Countess", "admin") == {**SEEN, "name": "Countess", "role": "admin"}
        assert await edit(run, "eve@example.com", "Eve", "admin") is None
        assert await delete(run, "ada@example.com")
        assert not await delete(run, "ada@example.com")
        assert await settled(get(run, "ada@example.com")) is None
        await run.db.commit()
        assert (await added(store, passwords, "user", **ADA))["id"] == 2  # an id is never used again

    asyncio.run(test())


def test_secret_columns_lie_beside_a_record_and_only_those_asked_for(store: Any, passwords: Passwords) -> None:
    user, by_id = store.tables["user"], where(store, "user", "id == $x", x=INT)

    async def test() -> None:
        run = run_of(store, passwords)
        await add(store, run, "user", **ADA)
        await add(store, run, "user", name="Bob", email="bob@example.com")
        plain = await settled(store.get(user, by_id)(run, 1))
        assert type(plain) is dict and plain == SEEN
        record = await settled(store.get(user, by_id, ("password",))(run, 1))
        assert isinstance(record, Record) and record == SEEN
        assert await passwords.verify(str(reveal(record.secrets["password"])), "correct horse")
        assert (await settled(store.get(user, by_id, ("password",))(run, 2))).secrets == {"password": None}
        assert await settled(store.get(user, by_id, (), ("name", "password"))(run, 1)) == {"name": "Ada"}
        run.db.rollback()

    asyncio.run(test())


VALUES: list[tuple[str, object, object]] = [
    ("i", 2**63 - 1, 2**63 - 1),
    ("i", -(2**63), -(2**63)),
    ("d", 1, 1.0),
    ("d", 0.1, 0.1),
    ("t", "Zoë 🎈\n", "Zoë 🎈\n"),
    ("t", "", ""),
    ("b", False, False),
    ("when", "2024-01-31T12:00:00+01:00", 1706698800000),
    ("day", "2024-02-29", "2024-02-29"),
    ("u", "ABCDEF00-0000-4000-8000-000000000000", "abcdef00-0000-4000-8000-000000000000"),
    ("e", "b", "b"),
    ("j", {"a": [1, None, {"b": "x\\u0000"}]}, {"a": [1, None, {"b": "x\\u0000"}]}),
    ("j", "text", "text"),
    ("j", False, False),
    ("j", 2**63 - 1, 2**63 - 1),
    ("o", {"x": 1}, {"x": 1, "y": None}),
    ("o", {"x": 1, "y": None}, {"x": 1, "y": None}),
    ("l", [1, 2.0], [1, 2]),
    ("l", [], []),
    ("s", {"token": "t"}, {"token": "t"}),
    ("s", Secret("s"), "s"),
    *((name, None, None) for name in ("i", "d", "t", "b", "when", "day", "u", "e", "j", "o", "l", "s")),
]


@pytest.mark.parametrize(("column", "value", "kept"), VALUES)
def test_values_come_back_as_they_are(
    store: Any, passwords: Passwords, column: str, value: object, kept: object
) -> None:
    table = store.tables["thing"]
    by_id = where(store, "thing", "id == $x", x=TEXT)

    async def test() -> None:
        run = run_of(store, passwords)
        record = await add(store, run, "thing", **{column: value})
        found = await settled(store.get(table, by_id, table.secrets)(run, record["id"]))
        both = [{**found, **found.secrets}[column]] if column == "s" else [record[column], found[column]]
        assert [(reveal(each), type(reveal(each))) for each in both] == [(kept, type(kept))] * len(both)
        run.db.rollback()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("i", 2**63),
        ("i", True),
        ("i", "1"),
        ("d", float("nan")),
        ("d", float("inf")),
        ("d", 10**400),
        ("t", "a\0b"),
        ("t", "\ud800"),
        ("t", 5),
        ("b", 1),
        ("when", "2024-01-31T12:00:00"),
        ("day", "2024-02-30"),
        ("u", "x"),
        ("e", "c"),
        ("j", {"a": ["\ud800"]}),
        ("j", {"a": ["\0"]}),
        ("j", {"\0": 1}),
        ("j", [2**64]),
        ("j", [float("nan")]),
        ("j", [Secret("x")]),
        ("o", {"x": "1"}),
        ("l", [None]),
        ("s", float("inf")),
    ],
)
def test_what_a_column_cant_hold_is_refused_by_its_name(
    store: Any, passwords: Passwords, column: str, value: object
) -> None:
    with pytest.raises(Fault) as caught:
        asyncio.run(added(store, passwords, "thing", **{column: value}))
    assert caught.value.name == "input_error"
    assert str(caught.value.payload["param"]).startswith(column)  # type: ignore[index]
    assert asyncio.run(store.counts())["thing"] == 0


def test_a_condition_takes_no_int_past_64_bits(store: Any, passwords: Passwords) -> None:
    get = store.get(store.tables["user"], where(store, "user", "id == $x", x=INT))
    name = store.has(store.tables["user"], where(store, "user", "name == $x", x=TEXT))
    with pytest.raises(Fault, match="past 64 bits") as caught:
        asyncio.run(settled(get(run_of(store, passwords), 2**63)))
    assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "id")  # type: ignore[index]
    with pytest.raises(Fault, match="surrogate"):
        asyncio.run(settled(name(run_of(store, passwords), "\ud800")))


def test_a_secret_isnt_stored_where_it_would_show(store: Any, passwords: Passwords) -> None:
    with pytest.raises(Fault) as caught:
        asyncio.run(added(store, passwords, "thing", t=Secret("hash")))
    assert caught.value.reason == "kind"
    assert "hash" not in caught.value.message


def test_what_is_left_out_gets_its_default(store: Any, passwords: Passwords) -> None:
    made = {
        "id": 1, "made": NOW, "day": "2023-11-14", "key": "00000000-0000-4000-8000-000000000001", "level": 3,
        "tags": ["new"], "open": True, "title": "untitled", "text": None,
    }  # fmt: skip
    names = [name for name in made if name not in ("id", "text", "title")]

    async def test() -> None:
        assert await added(store, passwords, "note") == made
        # Null is what an optional input is that wasn't sent; where a column may be null it is meant.
        assert await added(store, passwords, "note", **dict.fromkeys(names)) == {**made, "id": 2}
        assert (await added(store, passwords, "note", title=None))["title"] is None
        edit = store.edit(store.tables["note"], where(store, "note", "id == $x", x=INT), ("level",))
        run = run_of(store, passwords)
        with pytest.raises(Fault, match="null"):
            await edit(run, 1, None)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("values", "params", "message"),
    [
        ({"email": "a@b.c"}, ["name"], "Missing param: name"),
        ({"email": "a"}, ["name", "email"], "Missing param: name"),
        ({"name": "", "email": "a@b.c"}, ["name"], "Input must not be empty."),
        ({"name": None, "email": "a@b.c"}, ["name"], "Input must be a text, not null."),
        ({"name": "A", "email": "a@b.c", "role": "king"}, ["role"], 'Input "king" is not one of the allowable values.'),
        ({"name": "A", "email": "a@b.c", "password": Secret("short")}, ["password"],
         "Input does not meet minimum length requirement of 8 characters"),
    ],
)  # fmt: skip
def test_a_broken_rule_names_every_column(
    store: Any, passwords: Passwords, values: dict[str, object], params: list[str], message: str
) -> None:
    with pytest.raises(Fault) as caught:
        asyncio.run(added(store, passwords, "user", **values))
    payload: Any = caught.value.payload
    assert (caught.value.name, caught.value.message) == ("input_error", message)
    assert [entry["param"] for entry in payload["errors"]] == params


def test_a_broken_constraint_is_a_fault_in_the_columns_names(store: Any, passwords: Passwords) -> None:
    async def test() -> None:
        await added(store, passwords, "user", **ADA)
        await added(store, passwords, "post", user_id=1)
        await added(store, passwords, "pair", a=1, b=1)
        run = run_of(store, passwords)
        for operation, name, reason, message in (
            (add(store, run, "user", **ADA), "conflict", "unique:email", "'email' must be unique."),
            (add(store, run, "pair", a=1, b=1), "conflict", "unique:a,b", "'a' and 'b' must be unique together."),
            (add(store, run, "post", user_id=9), "input_error", "", "Input names no record of 'user'."),
            (add(store, run, "post", id=1, user_id=1), "conflict", "unique:id", "'id' must be unique."),
            (store.delete(store.tables["user"], where(store, "user", "id == 1"))(run, 1), "conflict", "reference",
             "This user is still in use."),
        ):  # fmt: skip
            with pytest.raises(Fault) as caught:
                await operation
            assert (caught.value.name, caught.value.reason, caught.value.message) == (name, reason, message)
        edit = store.edit(store.tables["post"], where(store, "post", "user_id == $x", x=INT), ("user_id", "title"))
        with pytest.raises(Fault) as caught:
            await edit(run, 1, 9, "t")
        assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "user_id")  # type: ignore[index]
        # The run can go on after each of them.
        assert (await add(store, run, "pair", a=1, b=None))["a"] == 1
        await run.db.commit()
        assert await store.counts() == {"user": 1, "post": 1, "thing": 0, "note": 0, "pair": 2}

    asyncio.run(test())


def test_a_hash_is_replaced_only_while_it_is_the_one_seen(store: Any, passwords: Passwords) -> None:
    user = store.tables["user"]
    set_secret = store.set_secret(user, "password")
    get = store.get(user, where(store, "user", "id == 1"), ("password",))

    async def test() -> None:
        await added(store, passwords, "user", **ADA)
        old = str(reveal((await settled(get(run_of(store, passwords), 1))).secrets["password"]))
        runs = [run_of(store, passwords) for _ in range(3)]

        async def replace(run: FakeRun, new: str) -> bool:
            done: bool = await set_secret(run, 1, old, new)
            await run.db.commit()
            return done

        works = (repeated(run, replace, f"new {n}") for n, run in enumerate(runs))
        assert sorted(await asyncio.gather(*works)) == [
            False,
            False,
            True,
        ]

    asyncio.run(test())


def test_a_run_reads_its_own_writes_and_others_only_what_is_committed(store: Any, passwords: Passwords) -> None:
    has = store.has(store.tables["user"], where(store, "user", "email == 'ada@example.com'"))

    async def test() -> None:
        mine, other = run_of(store, passwords), run_of(store, passwords)
        assert not mine.db.is_writing
        await add(store, mine, "user", **ADA)
        assert mine.db.is_writing
        assert await settled(has(mine, "ada@example.com"))
        assert not await settled(has(other, "ada@example.com"))
        await mine.db.commit()
        assert not mine.db.is_writing
        assert await settled(has(other, "ada@example.com"))
        await add(store, mine, "user", name="Eve", email="eve@example.com")
        mine.db.rollback()
        mine.db.rollback()
        await other.db.commit()

    asyncio.run(test())
    assert asyncio.run(store.counts())["user"] == 1


@on_sqlite
def test_many_runs_share_commits_and_fail_alone(store: Any, passwords: Passwords) -> None:
    commits: list[str] = []
    store.writer.connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    async def write(n: int) -> dict[str, Any]:
        run = run_of(store, passwords)
        try:
            record = await add(store, run, "user", name=str(n), email=f"{n % 100}@example.com")
            await asyncio.sleep(0)
            if n % 10 == 0:
                raise ValueError(n)
        except BaseException:
            run.db.rollback()
            raise
        await run.db.commit()
        return record

    async def test() -> list[Any]:
        return list(await asyncio.gather(*(write(n) for n in range(200)), return_exceptions=True))

    results = asyncio.run(test())
    kept = [each for each in results if isinstance(each, dict)]
    assert len(kept) == 90
    assert {type(each) for each in results} == {dict, ValueError, Fault}
    assert sorted(asyncio.run(store.dump("user")), key=str) == sorted(kept, key=str)
    assert len(commits) < 45


def test_cancelling_at_any_moment_leaves_the_others_alone(store: Any, passwords: Passwords) -> None:
    async def both(run: FakeRun, n: int) -> None:
        await add(store, run, "user", name=str(n), email=f"{n}@example.com")
        await asyncio.sleep(0)
        await add(store, run, "post", user_id=1)
        await run.db.commit()

    async def write(n: int, done: set[int]) -> None:
        run = run_of(store, passwords)
        try:
            await repeated(run, both, n)
        except BaseException:
            run.db.rollback()
            raise
        done.add(n)

    async def test(pauses: int) -> None:
        done: set[int] = set()
        tasks = [asyncio.create_task(write(n, done)) for n in range(12)]
        for _ in range(pauses):
            await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        names = {int(str(each["name"])) for each in await store.dump("user")} - {-1}
        assert {n for n in range(12) if n % 3} <= done <= names
        assert (await store.counts())["post"] == len(names)
        await store.clear()
        await added(store, passwords, "user", name="-1", email="first@example.com")

    asyncio.run(added(store, passwords, "user", name="-1", email="first@example.com"))
    for pauses in range(40):
        asyncio.run(test(pauses))


@on_sqlite
def test_a_run_that_holds_the_turn_makes_others_wait_not_forever(
    store: Any, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(writing, "QUEUE_LIMIT", 3)

    async def test() -> None:
        holder = run_of(store, passwords)
        await add(store, holder, "user", **ADA)
        waiting = [asyncio.create_task(added(store, passwords, "pair", a=n)) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Fault) as caught:
            await added(store, passwords, "pair", a=4)
        faults = [caught.value, *await asyncio.gather(*waiting, return_exceptions=True)]
        assert [(each.name, each.headers) for each in faults if isinstance(each, Fault)] == [
            ("unavailable", (("Retry-After", "1"),))
        ] * 4
        await holder.db.commit()
        await added(store, passwords, "pair", a=5)

    asyncio.run(test())
    assert asyncio.run(store.counts())["pair"] == 1


@on_sqlite
def test_another_process_that_writes_is_waited_for_not_forever(
    store: Any, passwords: Passwords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(tmp_path / "data.db", isolation_level=None)

    async def test() -> None:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(added(store, passwords, "pair", a=1))
        await asyncio.sleep(0.03)
        assert not waiting.done()
        other.execute("COMMIT")
        assert (await waiting)["a"] == 1
        monkeypatch.setattr(writing, "BUSY_SECONDS", 0.03)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Fault, match="busy"):
            await added(store, passwords, "pair", a=2)
        other.execute("ROLLBACK")
        await added(store, passwords, "pair", a=3)

    with contextlib.closing(other):
        asyncio.run(test())


@on_sqlite
def test_a_commit_that_fails_fails_its_whole_batch_and_nothing_else(store: Any, passwords: Passwords) -> None:
    connection = store.writer.connection

    async def test() -> None:
        await added(store, passwords, "pair", a=0)
        run = run_of(store, passwords)
        await add(store, run, "pair", a=1)
        # A broken reference that is looked at last makes the commit itself fail.
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO pair (a, parent) VALUES (2, 99)")
        other = asyncio.create_task(added(store, passwords, "pair", a=3))
        await asyncio.sleep(0)
        results = await asyncio.gather(run.db.commit(), other, return_exceptions=True)
        assert [getattr(each, "name", None) for each in results] == ["unavailable"] * 2
        await added(store, passwords, "pair", a=4)

    asyncio.run(test())
    assert [each["a"] for each in asyncio.run(store.dump("pair"))] == [0, 4]


@on_sqlite
def test_a_batch_that_the_database_takes_back_is_lost_to_all_of_it(
    store: Any, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BATCH_SECONDS", 60.0)  # a slow machine would close the batch early

    async def test() -> None:
        first, second = run_of(store, passwords), run_of(store, passwords)
        await add(store, first, "pair", a=1)
        entering = asyncio.create_task(second.db.begin())
        await asyncio.sleep(0)
        leaving = asyncio.create_task(first.db.commit())
        await entering
        await add(store, second, "pair", a=2)
        store.writer.connection.execute("ROLLBACK")  # as a full disk makes SQLite do
        results = await asyncio.gather(second.db.commit(), leaving, return_exceptions=True)
        assert [getattr(each, "name", None) for each in results] == ["unavailable"] * 2
        await added(store, passwords, "pair", a=3)

    asyncio.run(test())
    assert [each["a"] for each in asyncio.run(store.dump("pair"))] == [3]


@on_sqlite
def test_a_run_whose_writes_were_taken_back_can_write_no_more(store: Any, passwords: Passwords) -> None:
    async def test() -> None:
        run = run_of(store, passwords)
        await add(store, run, "pair", a=1)
        store.writer.connection.execute("ROLLBACK")  # as a full disk makes SQLite do
        with pytest.raises(Fault) as caught:
            await add(store, run, "pair", a=2)
        assert caught.value.name == "unavailable"
        with pytest.raises(Fault):
            async with run.db.savepoint():
                pass
        with pytest.raises(Fault):
            await run.db.commit()
        await added(store, passwords, "pair", a=3)

    asyncio.run(test())
    assert [each["a"] for each in asyncio.run(store.dump("pair"))] == [3]


def test_event_loops_may_end_at_any_moment(store: Any, passwords: Passwords) -> None:
    async def abandon(commit: bool, rounds: int) -> None:
        run = run_of(store, passwords)
        await add(store, run, "pair", a=rounds + 100 * commit)
        if commit:
            asyncio.ensure_future(run.db.commit())  # noqa: RUF006
        for _ in range(rounds):
            await asyncio.sleep(0)

    for rounds in range(4):
        for commit in (True, False):
            asyncio.run(abandon(commit, rounds))
            assert asyncio.run(added(store, passwords, "pair", a=1000 + rounds, b=commit + 0))
    names = [each["a"] for each in asyncio.run(store.dump("pair"))]
    assert not [name for name in names if 0 <= int(str(name)) < 100]
    assert len([name for name in names if int(str(name)) >= 1000]) == 8


@pytest.mark.usefixtures("storage")
def test_closing_finishes_what_runs_and_refuses_what_comes(tmp_path: Path, passwords: Passwords) -> None:
    async def test() -> None:
        store = open_store(tmp_path, PAIR)
        tasks = [asyncio.create_task(added(store, passwords, "pair", a=n)) for n in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        with pytest.raises(Fault, match="shutting down"):
            await added(store, passwords, "pair", a=9)
        await asyncio.gather(closing, *tasks)

    asyncio.run(test())
    again = open_store(tmp_path, PAIR)
    assert asyncio.run(again.counts()) == {"pair": 5}
    asyncio.run(again.close())


def test_fixtures_are_loaded_compared_and_cleared(store: Any, passwords: Passwords) -> None:
    async def test() -> None:
        run = run_of(store, passwords)
        rows: list[dict[str, object]] = [{"id": 7, **ADA}, {"name": "Bob", "email": "bob@example.com", "role": "admin"}]
        loaded = await store.load(run, "user", rows)
        assert [each["id"] for each in loaded] == [7, 8]
        await store.load(run, "pair", [{"a": 1, "parent": 1}])
        await run.db.commit()
        before = await store.snapshot()
        assert before["user"][1] == {**loaded[1], "password": None}
        assert str(before["user"][0]["password"]).startswith("sha256:")
        edit = store.edit(store.tables["user"], where(store, "user", "id == 7"), ("password",))
        await edit(run, 7, Secret("another horse"))
        await run.db.commit()
        after = await store.snapshot()
        assert before["user"][0].keys() == after["user"][0].keys()
        assert {name for name in after["user"][0] if after["user"][0][name] != before["user"][0][name]} == {"password"}
        with pytest.raises(Fault, match="Unknown param: nope"):
            await store.load(run, "user", [{"nope": 1}])
        await store.clear()
        assert sum((await store.counts()).values()) == 0
        assert (await added(store, passwords, "user", **ADA))["id"] == 1

    asyncio.run(test())


LONE = "indexes: [{columns: [k], unique: true, where: a_id == null}]"
REFERRING = {
    "one that is cleared before": [
        ("a", "{id: int}", "", [{"id": 1}]),
        ("o", "{id: int, a_id?: {table: a, on_delete: set_null}, k: text}", LONE, [{"k": "x", "a_id": 1}, {"k": "x"}]),
    ],
    "itself": [
        ("o", "{id: int, a_id?: {table: o, on_delete: set_null}, k: text}", LONE, [{"k": "y"}, {"k": "x", "a_id": 1}, {"k": "x"}]),
    ],
    "by way of one that goes with it": [
        ("b", "{id: int}", "", [{"id": 1}]),
        ("a", "{id: int, b_id: {table: b, on_delete: cascade}}", "", [{"id": 1, "b_id": 1}]),
        ("o", "{id: int, a_id?: {table: a, on_delete: set_null}, k: text}", LONE, [{"k": "x"}, {"k": "x", "a_id": 1}]),
    ],
    "a uuid": [
        ("a", "{id: uuid}", "", [{"id": "00000000-0000-4000-8000-000000000001"}]),
        ("o", "{id: int, a_id?: {table: a, on_delete: set_null}, k: text}", LONE, [{"k": "x"}, {"k": "x", "a_id": "00000000-0000-4000-8000-000000000001"}]),
    ],
    "each other": [
        ("a", "{id: int, a_id?: {table: o, on_delete: set_null}, k: text}", LONE, [{"k": "x"}]),
        ("o", "{id: int, a_id?: {table: a, on_delete: set_null}, k: text}", LONE, [{"k": "x"}, {"k": "x", "a_id": 1}]),
        ("a", "", "", [{"k": "x", "a_id": 1}, {"k": "x", "a_id": 2}]),
    ],
}  # fmt: skip


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("of", REFERRING)
def test_records_are_cleared_whatever_they_refer_to(tmp_path: Path, passwords: Passwords, of: str) -> None:
    texts = (f"table: {name}\ncolumns: {columns}\n{more}\n" for name, columns, more, _ in REFERRING[of] if columns)
    store = open_store(tmp_path, *texts)

    async def test() -> None:
        for _ in range(2):
            run = run_of(store, passwords)
            for table, _, _, loaded in REFERRING[of]:
                await store.load(run, table, loaded)
            await run.db.commit()
            await store.clear()
            assert set((await store.counts()).values()) == {0}
        await store.close()

    asyncio.run(test())


@on_sqlite
def test_the_file_is_for_its_user_alone(store: Any, tmp_path: Path) -> None:
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in tmp_path.glob("data.db*")] == [0o600] * 3


@on_sqlite
def test_what_cant_be_opened_is_said_at_start(tmp_path: Path, storage: str) -> None:
    (tmp_path / "data.db").write_text("no database at all, and longer than its header would be" * 9)
    with pytest.raises(SetupError, match=r"data\.db' failed, nothing was changed"):
        open_store(tmp_path, PAIR)


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:5]
from store_setup import FakeRun, tables_of
from engine.store.sqlite import SqliteStore
from engine.errors import Fault
from engine.workspace_reader import read_workspace

async def main(who, count):
    tables = read_workspace(Path(sys.argv[1]) / "stacks")[0].tables
    store = SqliteStore.open(Path(sys.argv[1]) / "data.db", tables, "FULL")
    add = store.add(tables["user"], ("name", "email"))
    async def write(n):
        run = FakeRun(store.session(), None)
        try:
            record = await add(run, who, f"{n if n % 10 == 0 else who + str(n)}@example.com")
            await run.db.commit()
        except Fault as fault:
            run.db.rollback()
            print(fault.reason, flush=True)
        else:
            print(record["id"], flush=True)
    for start in range(0, count, 8):
        await asyncio.gather(*(write(n) for n in range(start, start + 8)))
    await store.close()

asyncio.run(main(sys.argv[2], int(sys.argv[5])))
"""


def start_writer(folder: Path, who: str, count: int) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    command = [sys.executable, "-c", WRITER, str(folder), who, str(here), str(here.parent), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_write_to_one_file_at_once(tmp_path: Path) -> None:
    tables_of(tmp_path / "stacks", USER)
    writers = [start_writer(tmp_path, who, 80) for who in "ab"]
    printed = [line for each in writers for line in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in writers] == [0, 0]
    ids = [int(line) for line in printed if line.isdigit()]
    assert len(printed) == 160
    assert printed.count("unique:email") == 8  # one of the two wins each time
    with contextlib.closing(sqlite3.connect(tmp_path / "data.db")) as connection:
        assert sorted(row[0] for row in connection.execute("SELECT id FROM user")) == sorted(ids)


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    tables_of(tmp_path / "stacks", USER)
    killed = start_writer(tmp_path, "a", 100_000)
    assert killed.stdout is not None
    with killed.stdout as lines:  # one reader: another would miss what this one has buffered
        printed = [lines.readline() for _ in range(150)]
        killed.send_signal(signal.SIGKILL)
        printed += lines.readlines()
    killed.wait(timeout=60)
    ids = {int(line) for line in printed if line.endswith("\n")}
    store = SqliteStore.open(tmp_path / "data.db", tables_of(tmp_path / "stacks", USER))
    assert store.reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert ids <= {each["id"] for each in asyncio.run(store.dump("user"))}
    asyncio.run(store.close())
