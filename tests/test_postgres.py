"""What is PostgreSQL's own: the pool, lost connections, runs that begin again, start-up, and servers that share it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from store_setup import POST, USER, FakeRun, repeated, tables_of, where

from engine.errors import Fault, SetupError
from engine.run import perform
from engine.security.passwords import TEST_COST, Passwords
from engine.store import pool as pooling
from engine.store import postgres
from engine.store.pg_copy import copy
from engine.store.postgres import PostgresStore
from engine.store.sqlite import SqliteStore
from engine.store.url import DatabaseUrl
from engine.values import INT, Secret
from tests.commands import stackwright
from tests.live import LOGIN, ME, SIGNUP, serving
from tests.storages import POSTGRES, rows, storage
from tests.support import program

pytestmark = [
    pytest.mark.usefixtures("storage"),
    pytest.mark.parametrize("storage", ["postgres"], indirect=True, scope="module"),
]

COUNTER = "table: counter\ncolumns: {id: int, n: int}\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PostgresStore]:
    opened = storage().open(tmp_path, tables_of(tmp_path / "stacks", COUNTER, USER, POST))
    assert isinstance(opened, PostgresStore)
    yield opened
    asyncio.run(opened.close())


def run_of(store: PostgresStore) -> FakeRun:
    return FakeRun(store.session(), Passwords(TEST_COST, threads=1))


async def added(store: PostgresStore, n: int) -> None:
    run = run_of(store)
    await store.load(run, "counter", [{"n": n}])
    await run.db.commit()


async def terminated(store: PostgresStore) -> None:
    """Has the server end all connections of the store, as a restart does."""
    made = await asyncpg.connect(store.url.reveal())
    mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stackwright%'"
    await made.execute(f"{mine} AND backend_start < now() AND pid <> pg_backend_pid()")
    await made.close()
    await asyncio.sleep(0.05)


# The pool


def test_connections_are_few_and_waited_for_not_forever(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(pooling, "QUEUE_LIMIT", 2)

    async def test() -> None:
        taken = [await store.pool.take() for _ in range(store.url.connections)]
        waiting = [asyncio.create_task(store.counts()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Fault) as caught:
            await store.counts()
        faults = [caught.value, *await asyncio.gather(*waiting, return_exceptions=True)]
        assert [(each.name, each.reason, each.headers) for each in faults if isinstance(each, Fault)] == [
            ("unavailable", "busy", (("Retry-After", "1"),))
        ] * 3
        waiter = asyncio.create_task(store.counts())
        await asyncio.sleep(0)
        store.pool.give(taken.pop())
        assert (await waiter)["counter"] == 0
        waiter = asyncio.create_task(store.counts())
        await asyncio.sleep(0)
        store.pool.drop(taken.pop())  # its place is for another
        assert (await waiter)["counter"] == 0
        for each in taken:
            store.pool.give(each)
        assert await store.pool.take() is taken[-1]
        store.pool.give(taken[-1])

    asyncio.run(test())


def test_one_who_waits_no_longer_leaves_the_connection_to_others(store: PostgresStore) -> None:
    async def test() -> None:
        taken = [await store.pool.take() for _ in range(store.url.connections)]
        waiting = [asyncio.create_task(store.pool.take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        store.pool.give(taken[0])
        waiting[1].cancel()  # together with the connection
        got = await waiting[2]
        assert got is taken[0]
        for each in taken:
            store.pool.give(each)
        assert sum(await asyncio.gather(*(_one(store) for _ in range(20)))) == 20

    asyncio.run(test())


async def _one(store: PostgresStore) -> int:
    found: int = (await store.session().first("SELECT 1", ()))[0]
    return found


def test_a_lost_connection_is_opened_again(store: PostgresStore) -> None:
    async def test() -> None:
        await added(store, 1)
        await asyncio.gather(*(_one(store) for _ in range(3)))
        await terminated(store)
        assert (await store.counts())["counter"] == 1
        await terminated(store)
        await added(store, 2)
        assert (await store.counts())["counter"] == 2

    asyncio.run(test())


def test_a_connection_in_a_state_that_nobody_knows_is_given_up(store: PostgresStore) -> None:
    class Broken:
        async def fetchrow(self) -> None:
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")

    async def test() -> None:
        assert await _one(store) == 1
        connection = store.pool.ready()
        assert connection is not None
        connection.known["SELECT 1"] = Broken()
        store.pool.give(connection)
        assert await _one(store) == 1
        assert store.pool.ready() is not connection

    asyncio.run(test())


def test_what_is_lost_in_the_middle_is_undone_and_may_begin_again(store: PostgresStore) -> None:
    async def test() -> None:
        run = run_of(store)
        await store.load(run, "counter", [{"n": 1}])
        await terminated(store)
        with pytest.raises(Fault) as caught:
            await store.load(run, "counter", [{"n": 2}])
        assert (caught.value.name, caught.value.reason) == ("unavailable", "repeatable")
        run.db.rollback()
        await store.load(run, "counter", [{"n": 3}])
        await terminated(store)
        with pytest.raises(Fault) as caught:
            await run.db.commit()  # nobody knows whether it was
        assert (caught.value.name, caught.value.reason) == ("unavailable", "commit")
        assert (await store.counts())["counter"] == 0

    asyncio.run(test())


def test_an_answer_that_doesnt_come_is_waited_for_not_forever(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.2)

    async def test() -> None:
        with pytest.raises(Fault) as caught:
            await store.session().first("SELECT pg_sleep(60)", ())
        assert (caught.value.name, caught.value.reason) == ("unavailable", "connect")
        assert await _one(store) == 1

    asyncio.run(asyncio.wait_for(test(), 10))


def test_what_the_server_says_of_a_failure_is_told_to_nobody(store: PostgresStore) -> None:
    """It may have values in it, be they secret."""

    async def test() -> None:
        run = run_of(store)
        await run.db.write("ALTER TABLE counter ADD CONSTRAINT small CHECK (n < 5)", ())
        with pytest.raises(Fault) as caught:
            await store.load(run, "counter", [{"n": 77}])
        run.db.rollback()
        fault = caught.value
        assert (fault.name, fault.reason, fault.__suppress_context__) == ("fatal", "database", True)
        assert fault.message == "the database failed on the table 'counter': CheckViolationError of 'small'"

    asyncio.run(test())


def test_statements_are_prepared_anew_when_a_column_becomes_of_another_type(store: PostgresStore) -> None:
    get = store.get(store.tables["counter"], where(store, "counter", "id == $x", x=INT))
    edit = store.edit(store.tables["counter"], where(store, "counter", "id == $x", x=INT), ("n",))

    async def test() -> None:
        await added(store, 1)
        runs = [run_of(store) for _ in range(3)]
        assert await asyncio.gather(*(get(run, 1) for run in runs)) == [{"id": 1, "n": 1}] * 3
        assert await edit(runs[0], 1, 2) == {"id": 1, "n": 2}
        await runs[0].db.commit()
        other = await asyncpg.connect(store.url.reveal())
        await other.execute("ALTER TABLE counter ALTER n TYPE integer")
        assert await asyncio.gather(*(get(run, 1) for run in runs)) == [{"id": 1, "n": 2}] * 3
        await other.execute("ALTER TABLE counter ALTER n TYPE bigint")
        await other.close()
        assert await repeated(runs[0], edit, 1, 3) == {"id": 1, "n": 3}
        await runs[0].db.commit()

    asyncio.run(test())


# Runs in each other's way


def test_one_of_two_that_change_a_record_may_begin_again(store: PostgresStore) -> None:
    edit = store.edit(store.tables["counter"], where(store, "counter", "id == $x", x=INT), ("n",))

    async def test() -> None:
        await added(store, 0)
        first, second = run_of(store), run_of(store)
        await edit(first, 1, 1)
        other = asyncio.create_task(edit(second, 1, 2))
        await asyncio.sleep(0.05)
        await first.db.commit()
        with pytest.raises(Fault) as caught:
            await other
        assert (caught.value.name, caught.value.reason) == ("unavailable", "repeatable")
        second.db.rollback()
        assert await edit(second, 1, 2) == {"id": 1, "n": 2}
        await second.db.commit()

    asyncio.run(test())


def test_a_run_that_has_kept_something_must_not_begin_again(store: PostgresStore) -> None:
    edit = store.edit(store.tables["counter"], where(store, "counter", "id == $x", x=INT), ("n",))

    async def test() -> None:
        await added(store, 0)
        first, second = run_of(store), run_of(store)
        await edit(second, 1, 1)
        await second.db.commit()
        await edit(first, 1, 1)
        other = asyncio.create_task(edit(second, 1, 2))
        await asyncio.sleep(0.05)
        await first.db.commit()
        with pytest.raises(Fault) as caught:
            await other
        assert (caught.value.name, caught.value.reason) == ("unavailable", "busy")
        second.db.rollback()

    asyncio.run(test())


def test_a_deadlock_ends_one_of_both(store: PostgresStore) -> None:
    edit = store.edit(store.tables["counter"], where(store, "counter", "id == $x", x=INT), ("n",))

    async def change(first: int, second: int) -> str:
        run = run_of(store)
        try:
            await edit(run, first, 1)
            await asyncio.sleep(0.05)
            await edit(run, second, 1)
            await run.db.commit()
        except Fault as fault:
            run.db.rollback()
            return fault.reason
        return "done"

    async def test() -> list[str]:
        await added(store, 0)
        await added(store, 0)
        return sorted(await asyncio.gather(change(1, 2), change(2, 1)))

    assert asyncio.run(test()) == ["done", "repeatable"]


def test_a_record_that_another_holds_is_waited_for_not_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.2)
    store = storage().open(tmp_path, tables_of(tmp_path / "stacks", COUNTER))
    edit = store.edit(store.tables["counter"], where(store, "counter", "id == $x", x=INT), ("n",))

    async def test() -> None:
        await added(store, 0)
        holder, other = run_of(store), run_of(store)
        await edit(holder, 1, 1)
        with pytest.raises(Fault) as caught:
            await edit(other, 1, 2)
        assert (caught.value.name, caught.value.reason) == ("unavailable", "busy")
        other.db.rollback()
        await holder.db.commit()
        await store.close()

    asyncio.run(test())


def incrementing(tmp_path: Path) -> Any:
    files = {"counter": COUNTER, "log": "table: log\ncolumns: {id: int, n: int}\n"}
    stack = (
        "endpoint: POST /it\nstack:\n  - add_record: log\n    data: {n: 1}\n"
        "  - get_record: counter\n    where: {id: 1}\n    as: counter\n  - precondition: $counter != null\n"
        "  - edit_record: counter\n    where: {id: 1}\n    data: {n: $counter.n + 1}\n"
    )
    made = program(tmp_path, {**files, "it": stack})
    asyncio.run(added(made.services.store, 0))
    return made


def test_runs_that_write_are_as_if_one_came_after_the_other(tmp_path: Path) -> None:
    made = incrementing(tmp_path)

    async def test() -> None:
        plan = made.endpoints[0].plan
        await asyncio.gather(*(perform(plan, made.services.run(), {}, None) for _ in range(30)))
        assert await made.services.store.dump("counter") == [{"id": 1, "n": 30}]
        assert (await made.services.store.counts())["log"] == 30

    asyncio.run(test())


def test_a_run_with_effects_outside_is_not_repeated(tmp_path: Path) -> None:
    made = incrementing(tmp_path)

    async def once() -> str:
        run = made.services.run()
        async with run.acting():
            pass
        try:
            await perform(made.endpoints[0].plan, run, {}, None)
        except Fault as fault:
            return fault.reason
        return "done"

    async def test() -> None:
        ended = await asyncio.gather(*(once() for _ in range(10)))
        done = ended.count("done")
        assert set(ended) == {"done", "busy"}
        assert await made.services.store.dump("counter") == [{"id": 1, "n": done}]

    asyncio.run(test())


# Start-up


def test_tables_may_refer_to_each_other_in_a_ring(tmp_path: Path) -> None:
    ring = [
        "table: a\ncolumns: {id: int, b?: {table: b}}\n",
        "table: b\ncolumns: {id: uuid, a: {table: a}, self?: {table: b}}\n",
    ]
    tables = tables_of(tmp_path / "stacks", *ring)
    for _ in range(2):
        store = storage().open(tmp_path, tables)

        async def test(store: PostgresStore = store) -> None:
            run = FakeRun(store.session())
            await store.load(run, "a", [{"id": 1}])
            await store.load(run, "b", [{"a": 1}])
            await run.db.commit()
            await store.clear()
            assert await store.counts() == {"a": 0, "b": 0}
            await store.close()

        asyncio.run(test())


def test_names_that_are_long_stay_apart(tmp_path: Path) -> None:
    one, two = "x" * 40 + "1", "x" * 40 + "2"
    text = (
        f"table: {'t' * 60}\ncolumns: {{id: int, {one}: int, {two}: int}}\n"
        f"indexes: [{{columns: [{one}, {two}], unique: true}}, {{columns: [{two}, {one}], unique: true}}]\n"
    )
    tables = tables_of(tmp_path / "stacks", text)
    for _ in range(2):
        store = storage().open(tmp_path, tables)
        assert len(rows(store, storage().indexes)) == 2
        asyncio.run(store.close())
    store = storage().open(tmp_path, tables_of(tmp_path / "stacks", text.partition("indexes")[0]))
    assert rows(store, storage().indexes) == []
    asyncio.run(store.close())
    with pytest.raises(SetupError, match="needs a shorter name"):
        storage().open(tmp_path, tables_of(tmp_path / "stacks", f"table: t\ncolumns: {{id: int, {'c' * 64}: int}}\n"))


def test_text_is_ordered_by_code_point_and_indexes_know(store: PostgresStore) -> None:
    async def test() -> list[object]:
        run = run_of(store)
        names = ["b", "B", "ä", "a", "Z", "🎈"]
        await store.load(run, "user", [{"name": name, "email": f"{n}@x.io"} for n, name in enumerate(names)])
        await run.db.commit()
        return [row[0] for row in await store.session().rows('SELECT name FROM "user" ORDER BY name', ())]

    assert asyncio.run(test()) == sorted(["b", "B", "ä", "a", "Z", "🎈"])


def test_ids_go_on_after_one_that_was_given(store: PostgresStore) -> None:
    async def test() -> list[object]:
        run = run_of(store)
        ids = [{"n": 1}, {"id": 7, "n": 1}, {"n": 1}, {"id": 3, "n": 1}, {"n": 1}]
        return [each["id"] for each in await store.load(run, "counter", ids)]

    assert asyncio.run(test()) == [1, 7, 8, 3, 9]


def url_with(**parts: str) -> str:
    """The server's URL, with another host, port, user or name, and a password that must never show."""
    found = urlsplit(POSTGRES)
    user, host = parts.get("user", found.username or "postgres"), parts.get("host", found.hostname or "")
    name, port = parts.get("name", "postgres"), parts.get("port", str(found.port or 5432))
    return f"postgresql://{user}:s3cr%65t@{host}:{port}/{name}{'&' if '?' in name else '?'}{found.query}"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"port": "1"}, "can't be reached, nothing listens there: is the server running"),
        ({"user": "nobody_at_all"}, "refuses its user or password: check STACKWRIGHT_DATABASE_URL"),
        ({"name": "no_such_database"}, "isn't there: make it with CREATE DATABASE"),
        ({"name": "postgres?search_path=no_such_schema"}, "has no schema by its search_path"),
    ],
)
def test_a_server_that_cant_be_used_is_refused_in_words(parts: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError) as caught:
        PostgresStore.open(DatabaseUrl.parse(url_with(**parts)), {})
    told = f"{caught.value!r} {caught.value}"
    assert said in told
    assert "s3cr" not in told


# Data sources


def source_of(folder: Path, name: str) -> DatabaseUrl:
    """Where a data source is, beside the folder's schema."""
    live = storage().database(folder)
    assert isinstance(live, DatabaseUrl)
    return live.at(name)


def test_a_data_source_is_a_schema_that_many_make_at_once(tmp_path: Path) -> None:
    tables, url = tables_of(tmp_path / "stacks", COUNTER, USER, POST), source_of(tmp_path, "test")
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: PostgresStore.update(url, tables), range(6)))
    live, test = storage().open(tmp_path, tables), PostgresStore(tables, url)

    async def ask() -> None:
        await added(test, 1)
        assert [(await each.counts())["counter"] for each in (live, test)] == [0, 1]
        schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE split_part(schemaname, '.', 1) = $1"
        (own,) = await test.session().first("SELECT split_part(current_schema(), '.', 1)", ())
        assert {name for (name,) in await test.session().rows(schemas, (own,))} == {own, f"{own}.test"}
        for each in (live, test):
            await each.close()

    asyncio.run(ask())


def test_a_table_that_a_source_lacks_is_not_that_of_another(tmp_path: Path) -> None:
    tables = tables_of(tmp_path / "stacks", COUNTER)
    live, test = storage().open(tmp_path, tables), PostgresStore.open(source_of(tmp_path, "test"), {})

    async def ask() -> None:
        await added(live, 1)
        with pytest.raises(asyncpg.UndefinedTableError):
            await test.session().first("SELECT count(*) FROM counter", ())
        for each in (live, test):
            await each.close()

    asyncio.run(ask())


def test_a_pooler_that_drops_the_search_path_is_refused(tmp_path: Path) -> None:
    url = source_of(tmp_path, "test")
    dropped = replace(DatabaseUrl.parse(storage().url(tmp_path)), schema=url.schema)
    with pytest.raises(SetupError, match=r"shows the schema 'test_\w+': does a pooler drop the search_path\?$"):
        PostgresStore.open(dropped, tables_of(tmp_path / "stacks", COUNTER))


def test_a_user_who_may_not_make_the_schema_is_told(tmp_path: Path) -> None:
    asyncio.run(executed("DROP ROLE IF EXISTS test_nobody; CREATE ROLE test_nobody LOGIN"))
    try:
        url = DatabaseUrl.parse(url_with(user="test_nobody")).at("test")
        with pytest.raises(SetupError, match="doesn't let its user do this: permission denied for database"):
            PostgresStore.open(url, tables_of(tmp_path / "stacks", COUNTER))
    finally:
        asyncio.run(executed("DROP ROLE test_nobody"))


async def executed(sql: str) -> None:
    connection = await asyncpg.connect(POSTGRES)
    await connection.execute(sql)
    await connection.close()


# Copies

THING = """
table: thing
columns:
  id: uuid
  next?: {table: thing}
  i?: int
  d?: decimal
  t?: text
  b?: bool
  day?: date
  j?: json
  l?: int[]
  s?: {type: json, sensitive: true}
"""
THINGS: list[dict[str, object]] = [
    {
        "i": 2**63 - 1,
        "d": 1,
        "t": "Zoë 🎈\n",
        "b": False,
        "day": "2024-02-29",
        "j": {"b": 1, "a": [None, "x"]},
        "l": [],
    },
    {"b": True, "d": 0.1, "s": {"token": "t"}, "l": [1, 2]},
    {},
]


@contextlib.contextmanager
def filed(folder: Path) -> Iterator[SqliteStore]:
    """A file with records, one of which refers to a later one, and the last user was deleted."""
    store = SqliteStore.open(folder / "old.db", tables_of(folder / "stacks", USER, POST, THING), "OFF")

    async def fill() -> None:
        run = FakeRun(store.session(), Passwords(TEST_COST, threads=1))
        users = [{"name": "Ada", "email": f"{n}@x.io", "password": Secret("correct horse")} for n in range(3)]
        await store.load(run, "user", users)
        await store.load(run, "post", [{"user_id": 2, "title": "t"}])
        *_, last = await store.load(run, "thing", THINGS)
        await store.edit(store.tables["thing"], where(store, "thing", "b == true"), ("next",))(run, True, last["id"])
        await store.delete(store.tables["user"], where(store, "user", "id == 3"))(run, 3)
        await run.db.commit()

    asyncio.run(fill())
    yield store
    asyncio.run(store.close())


def test_a_copy_has_everything_and_goes_on(tmp_path: Path) -> None:
    url, told = storage().database(tmp_path), list[tuple[str, int]]()
    assert isinstance(url, DatabaseUrl)
    with filed(tmp_path) as old:
        copy(tmp_path / "old.db", url, old.tables, lambda *each: told.append(each))
        assert told == [("user", 2), ("post", 1), ("thing", 3)]
        new = PostgresStore(old.tables, url)

        async def test() -> None:
            assert await new.snapshot() == await old.snapshot()
            run = FakeRun(new.session())
            added = await new.load(run, "user", [{"name": "Eve", "email": "eve@x.io"}])
            assert added[0]["id"] == 4
            await run.db.commit()
            await new.close()

        asyncio.run(test())
        with pytest.raises(SetupError, match="holds records already: copy into an empty one"):
            copy(tmp_path / "old.db", url, old.tables, lambda *each: None)
        with pytest.raises(SetupError, match="isn't what the tables' files say"):
            copy(tmp_path / "old.db", url, tables_of(tmp_path / "more", USER, POST, THING + "  z?: int\n"), print)


def test_a_copy_is_of_all_or_of_nothing(tmp_path: Path) -> None:
    url = storage().database(tmp_path)
    assert isinstance(url, DatabaseUrl)
    with filed(tmp_path) as old:
        with contextlib.closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
            connection.execute("UPDATE post SET user_id = 99")
        with pytest.raises(SetupError, match=r"takes not all that .* holds: ForeignKeyViolationError"):
            copy(tmp_path / "old.db", url, old.tables, lambda *each: None)
        store = PostgresStore(old.tables, url)
        assert asyncio.run(store.counts()) == {"user": 0, "post": 0, "thing": 0}


def test_the_command_that_copies(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    with filed(tmp_path):
        ended = stackwright(tmp_path, "copy", "sqlite:///old.db", STACKWRIGHT_DATABASE_URL=storage().url(tmp_path))
    assert (ended.status, ended.out, ended.err) == (0, "user: 2\npost: 1\nthing: 3\n", "")


def test_the_command_copies_one_data_source(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    with filed(tmp_path) as old:
        tables = old.tables
    (tmp_path / "old.db").rename(tmp_path / "old.test.db")
    (tmp_path / "stacks" / "workspace.yaml").write_text("workspace: it\ndata_sources: [test]\n")
    words = ("copy", "sqlite:///old.db", "--data-source", "test")
    ended = stackwright(tmp_path, *words, STACKWRIGHT_DATABASE_URL=storage().url(tmp_path))
    assert (ended.status, ended.out, ended.err) == (0, "user: 2\npost: 1\nthing: 3\n", "")
    stores = storage().open(tmp_path, tables), PostgresStore(tables, source_of(tmp_path, "test"))
    assert [asyncio.run(each.counts())["user"] for each in stores] == [0, 2]


# Servers that share a database


def test_servers_that_share_a_database_are_as_one(tmp_path: Path) -> None:
    ada = {"name": "Ada", "email": "ada@x.io", "password": "correct horse"}
    with serving(tmp_path) as one, serving(tmp_path) as two:
        clients = [one.client(), two.client()]
        token = clients[0].post(SIGNUP, json=ada).json()["authToken"]
        mine = {"Authorization": f"Bearer {token}"}
        assert clients[1].get(ME, headers=mine).json()["email"] == "ada@x.io"
        assert clients[1].post(SIGNUP, json=ada).status_code == 403
        assert clients[1].post(LOGIN, json={"email": "ada@x.io", "password": "correct horse"}).status_code == 200
        for client in clients:
            client.close()

        async def together() -> list[int]:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                urls = [each.url + SIGNUP for each in (one, two)] * 5
                asked = [client.post(url, json={**ada, "email": f"{n % 2}@x.io"}) for n, url in enumerate(urls)]
                return [answer.status_code for answer in await asyncio.gather(*asked)]

        assert sorted(asyncio.run(together())) == [200] * 2 + [403] * 8
        assert sorted(one.rows('SELECT email FROM "user"')) == [("0@x.io",), ("1@x.io",), ("ada@x.io",)]


def test_a_statement_that_nobody_waits_for_ends_on_the_server(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.2)
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.8)
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS never FROM n"
    running = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{forever}'"

    async def test() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.session().rows(forever, ())
        while (await store.session().first(running, ()))[0]:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(test(), 20))
