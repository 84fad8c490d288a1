"""What a run does that others overtake: it begins again, does nothing twice that lasts, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from support import checked, opened, program, services
from test_anomalies import ROW, endpoint

from engine.errors import Fault
from engine.program import Program, build
from engine.run import perform
from engine.security.passwords import TEST_COST, Cost, Passwords
from engine.store import history, moments
from engine.store.pg_session import PostgresSession
from engine.store.sqlite import SqliteStore
from engine.testing.trace import Recorder

USER = """
    table: user
    columns: {id: int, row_id: {table: row}, password: {type: password, min: 1}}
"""
SET_UP = endpoint("set_up", "  - bulk_add_records: row\n    items: [{k: a, n: 0}, {k: b, n: 0}]")
HOLD = endpoint("hold", "  - add_record: row\n    data: {n: 1}\n  - sleep: 0.01")
ADD = endpoint("add", "  - add_record: row\n    data: {k: $input.k}", head="input: {k: text}\n")
READ = "  - get_record: row\n    where: {id: 1}\n    as: row\n  - precondition: $row != null\n"
AGAIN = READ.replace("as: row", "as: again").replace("$row", "$again")
BUMP = "  - edit_record: row\n    where: {id: 1}\n    data: {n: $row.n + 1}\n"


def made_of(folder: Path, stack: str, workspace: str = "workspace: it\n", **more: Any) -> Program:
    """A program with a stack `it` beside one that sets up two rows, which it has done."""
    files = {"row": ROW, "user": USER, "set_up": SET_UP, "hold": HOLD, "add": ADD, "workspace": workspace}
    made = program(folder, {**files, "it": endpoint("it", stack.rstrip("\n"))}, **more)
    asyncio.run(call(made, "set_up"))
    return made


async def call(made: Program, name: str = "it", **given: Any) -> Any:
    compiled = next(each for each in made.endpoints if each.endpoint.path[1:] == name)
    return await perform(compiled.plan, made.services.run(), compiled.shape.bind(given), None)


async def names_of(ways: list[Coroutine[Any, Any, Any]]) -> list[str]:
    """How each of the runs at once ends: '' or the name of its fault."""
    ended = await asyncio.gather(*ways, return_exceptions=True)
    assert all(isinstance(each, Fault) or each is None for each in ended), ended
    return [each.name if isinstance(each, Fault) else "" for each in ended]


async def number(made: Program) -> int:
    rows = await made.services.store.dump("row")
    return int(rows[0]["n"])


# Passwords


class Watching(Passwords):
    """Hashes, and remembers what of, and whether anybody held the turn to write meanwhile."""

    def __init__(self) -> None:
        super().__init__(TEST_COST)
        self.hashed: list[str] = []
        self.verified = 0
        self.held: list[bool] = []
        self.store: Any = None

    async def hash(self, password: str) -> str:
        self.hashed.append(password)
        await self._look()
        return await super().hash(password)

    async def verify(self, stored: str | None, password: str) -> bool:
        self.verified += 1
        await self._look()
        return await super().verify(stored, password)

    async def _look(self) -> None:
        if isinstance(self.store, SqliteStore):
            self.held.append(self.store.writer._taken)
        elif self.store is not None:
            await asyncio.gather(*self.store.pool._ending)
            self.held.append(bool(self.store.pool._taken))


USERS = """
  - add_record: row
    data: {n: 7}
    as: made
  - bulk_add_records: user
    items:
      - {row_id: $made.id, password: one}
      - {row_id: $made.id, password: two}
"""


def test_no_password_is_hashed_while_others_wait_and_none_twice(tmp_path: Path) -> None:
    passwords = Watching()
    made = made_of(tmp_path, USERS)
    made.services.passwords, passwords.store = passwords, made.services.store
    asyncio.run(call(made))
    assert passwords.hashed == ["one", "two"]
    assert passwords.held == [False, False]
    assert asyncio.run(made.services.store.counts()) == {"row": 3, "user": 2}


class Full(Passwords):
    """Has too much to do to hash anything."""

    async def hash(self, password: str) -> str:
        raise Fault("unavailable", "Too many passwords are being checked.", reason="passwords")


async def keys_of(made: Program) -> set[str]:
    return {row["k"] for row in await made.services.store.dump("row")}


async def add_user(made: Program, password: str, cost: Cost) -> str:
    """Adds the user 1, whose password was hashed at a cost; answers what shows that it changes."""
    usual, made.services.passwords = made.services.passwords, Passwords(cost)
    run = made.services.run()
    await made.services.store.load(run, "user", [{"row_id": 1, "password": password}])
    await run.db.commit()
    made.services.passwords = usual
    return await digest_of(made)


async def digest_of(made: Program) -> str:
    user: dict[str, str] = (await made.services.store.snapshot())["user"][0]
    return user["password"]


CHECK = """
  - get_record: user
    where: {id: 1}
    as: user
  - precondition: $user != null
  - validate_password: one
    against: $user.password
    as: right
  - precondition: $right
"""


@pytest.mark.usefixtures("storage")
def test_no_password_is_checked_while_others_wait_and_none_twice(tmp_path: Path) -> None:
    passwords = Watching()
    made = made_of(tmp_path, CHECK + READ + BUMP)
    made.services.passwords, passwords.store = passwords, made.services.store

    async def run() -> None:
        await add_user(made, "one", TEST_COST)
        assert await names_of([call(made)]) == [""]
        assert passwords.verified == 1
        assert passwords.held == [False]
        assert await names_of([call(made) for _ in range(10)]) == [""] * 10
        assert passwords.verified == 11
        assert await number(made) == 11

    asyncio.run(run())


@pytest.mark.usefixtures("storage")
def test_what_was_written_before_a_password_is_kept_where_that_fails(tmp_path: Path) -> None:
    user = "      - add_record: user\n        data: {row_id: 1, password: one}\n"
    made = made_of(tmp_path, f"  - add_record: row\n    data: {{k: kept}}\n  - try:\n{user}    catch: []\n")
    made.services.passwords = Full(TEST_COST)

    async def run() -> None:
        assert await names_of([call(made)]) == [""]
        assert await keys_of(made) == {"a", "b", "kept"}

    asyncio.run(run())


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("before", ["  - add_record: row\n    data: {k: kept}\n", ""])
def test_what_was_written_before_an_outdated_hash_is_kept_with_the_new_one(tmp_path: Path, before: str) -> None:
    made = made_of(tmp_path, before + CHECK + BUMP.replace("$row.n + 1", "1"))

    async def run() -> None:
        old = await add_user(made, "one", Cost(16, 1))
        assert await names_of([call(made)]) == [""]
        assert await keys_of(made) == {"a", "b", *(["kept"] if before else [])}
        assert await digest_of(made) != old
        assert await number(made) == 1

    asyncio.run(run())


@pytest.mark.usefixtures("storage")
def test_the_same_password_of_two_has_two_salts(tmp_path: Path) -> None:
    made = made_of(tmp_path, USERS.replace("two", "one"))

    async def run() -> None:
        await call(made)
        one, two = (await made.services.store.snapshot())["user"]
        assert one["password"] != two["password"]

    asyncio.run(run())


# What fails


@pytest.mark.usefixtures("storage")
def test_what_a_transaction_wrote_goes_with_whatever_ends_it(tmp_path: Path) -> None:
    steps = "      - transaction:\n          - add_record: row\n            data: {k: gone}\n          - throw: unavailable\n"
    made = made_of(tmp_path, f"  - add_record: row\n    data: {{k: kept}}\n  - try:\n{steps}    catch: []\n")

    async def run() -> None:
        assert await names_of([call(made)]) == [""]
        assert await keys_of(made) == {"a", "b", "kept"}

    asyncio.run(run())


UNIQUE = {
    "a step": "  - add_record: row\n    data: {k: new}\n",
    "SQL": "  - direct_database_query: INSERT INTO row (k, name, n) VALUES ('new', 'x', 0)\n",
}


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("add", UNIQUE.values(), ids=UNIQUE.keys())
def test_nobody_is_refused_for_a_record_that_it_did_not_see(tmp_path: Path, add: str) -> None:
    look = "  - has_record: row\n    where: {k: new}\n    as: there\n  - sleep: 0.05\n"
    made = made_of(tmp_path, look + "  - precondition: not $there\n    error: access_denied\n" + add)

    async def run() -> None:
        going = asyncio.create_task(names_of([call(made)]))
        await asyncio.sleep(0.02)
        await call(made, "add", k="new")
        assert await going == ["access_denied"]

    asyncio.run(run())


@pytest.mark.usefixtures("storage")
def test_who_is_refused_for_a_record_that_it_could_see_is_told_so(tmp_path: Path) -> None:
    made = made_of(tmp_path, READ + "  - add_record: row\n    data: {k: b}\n")
    assert asyncio.run(names_of([call(made), call(made)])) == ["conflict"] * 2


# What lasts outside


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sold (n)")
    return path


def sold(shop: Path) -> int:
    with closing(sqlite3.connect(shop)) as connection:
        count: int = connection.execute("SELECT count(*) FROM sold").fetchone()[0]
    return count


ENV = "workspace: it\nenv: {SHOP: text}\n"
SELL = "  - external_database_query: INSERT INTO sold VALUES (1)\n    connection: $env.SHOP\n    timeout: 30\n"


@pytest.mark.parametrize("stack", [READ + SELL + BUMP, SELL + READ + BUMP])
def test_what_is_done_outside_is_done_once(
    tmp_path: Path, shop: Path, stack: str, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    monkeypatch.setenv("SHOP", f"sqlite:///{shop}")
    made = made_of(tmp_path, stack, workspace=ENV)

    async def run() -> None:
        ended = await names_of([call(made) for _ in range(12)])
        assert sold(shop) <= 12 and set(ended) <= {"", "unavailable"}
        assert await number(made) == ended.count("")
        if storage == "sqlite":  # the turn is taken before, so that nobody is in the way
            assert ended == [""] * 12 and sold(shop) == 12

    asyncio.run(run())


def test_a_run_that_is_cancelled_outside_waits_for_no_turn(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP", f"sqlite:///{shop}")
    made = made_of(tmp_path, SELL + READ + BUMP, workspace=ENV)
    writer = made.services.store.writer

    async def run() -> None:
        with closing(sqlite3.connect(shop)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # so that the step lasts
            going = asyncio.create_task(call(made))
            await asyncio.sleep(0.1)
            await writer.enter()
            going.cancel()
            (ended,) = await asyncio.gather(going, return_exceptions=True)
            writer.undo()
        assert isinstance(ended, asyncio.CancelledError)

    asyncio.run(run())


LAST = (
    "  - try:\n"
    + "".join(f"    {line}\n" for line in (READ + BUMP).splitlines())
    + "    finally:\n      - debug_log: done\n"
)


@pytest.mark.usefixtures("storage")
def test_a_finally_runs_when_the_run_ends_and_not_when_it_begins_again(tmp_path: Path) -> None:
    entries: list[Any] = []
    made = made_of(tmp_path, LAST, log=entries.append)

    async def run() -> None:
        assert await names_of([call(made) for _ in range(20)]) == [""] * 20
        assert await number(made) == 20
        assert len(entries) == 20

    asyncio.run(run())


# Others


@pytest.mark.parametrize("reads", [READ, READ + AGAIN])
def test_what_another_process_writes_is_seen(tmp_path: Path, reads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "IDLE", 0)
    made = made_of(tmp_path, reads + "  - sleep: 0.1\n" + BUMP)

    def elsewhere() -> None:
        with closing(sqlite3.connect(tmp_path / "data.db", timeout=5)) as connection:
            connection.execute("UPDATE row SET n = n + 100 WHERE id = 1")
            connection.commit()

    async def run() -> None:
        for count in range(1, 4):
            going = asyncio.create_task(call(made))
            await asyncio.sleep(0.05)
            elsewhere()
            await going
            assert await number(made) == 101 * count

    asyncio.run(run())


class Interrupting:
    """The writer's thread, where another process writes right behind each commit."""

    def __init__(self, writer: Any, path: Path) -> None:
        self._thread, self._path = writer.thread, path

    def submit(self, work: Any, *given: Any) -> Future[Any]:
        return self._thread.submit(self._work, work, *given)  # type: ignore[no-any-return]

    def _work(self, work: Any, *given: Any) -> Any:
        made = work(*given)
        if given == ("COMMIT",):
            with closing(sqlite3.connect(self._path)) as connection:
                connection.execute("UPDATE row SET n = n + 100 WHERE id = 1")
                connection.commit()
        return made

    def shutdown(self) -> None:
        self._thread.shutdown()


def test_another_process_between_a_batch_and_a_long_write_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.writer.BATCH_SECONDS", 5)  # so that both share a batch
    bulk = BUMP.replace("edit_record", "bulk_edit_records")
    made = made_of(tmp_path, READ + bulk)
    writer = made.services.store.writer

    async def run() -> None:
        writer.thread = Interrupting(writer, tmp_path / "data.db")
        assert await names_of([call(made, "hold"), call(made)]) == ["", ""]
        assert await number(made) % 100 == 1
        assert await number(made) >= 201  # behind each of two commits

    asyncio.run(run())


class Failing:
    """The writer's thread, of which the first commit fails: everything in it is taken back."""

    def __init__(self, writer: Any) -> None:
        self._writer, self._thread, self._left = writer, writer.thread, 1

    def submit(self, work: Any, *given: Any) -> Future[Any]:
        if given != ("COMMIT",) or not self._left:
            made: Future[Any] = self._thread.submit(work, *given)
            return made
        self._left -= 1
        self._writer.connection.execute("ROLLBACK")
        failed: Future[Any] = Future()
        failed.set_exception(sqlite3.OperationalError("disk I/O error"))
        return failed

    def shutdown(self) -> None:
        self._thread.shutdown()


def test_nobody_is_told_of_what_was_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.writer.BATCH_SECONDS", 5)  # so that all of them share a batch
    stack = READ + "  - precondition: $row.n == 0\n    error: conflict\n" + BUMP
    made = made_of(tmp_path, stack)
    writer = made.services.store.writer

    async def run() -> None:
        writer.thread = Failing(writer)
        # The last sees what the second has written, and refuses for it; that was never kept.
        assert await names_of([call(made, "hold"), call(made), call(made)]) == ["unavailable"] * 3
        assert await number(made) == 0
        assert await names_of([call(made), call(made)]) == ["", "conflict"]

    asyncio.run(run())


def test_a_long_write_that_is_ended_takes_nobody_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.writer.BATCH_SECONDS", 5)
    endless = (
        "  - direct_database_query: |\n      WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000000000)\n"
        "      UPDATE row SET n = (SELECT count(*) FROM c) WHERE id = 2\n"
    )
    made = made_of(tmp_path, endless, workspace="workspace: it\ntime_limit: 0.3\n")

    async def run() -> None:
        before = [call(made, "add", k=f"x{place}") for place in range(5)]
        after = [call(made, "add", k=f"y{place}") for place in range(5)]
        held = call(made, "hold")
        assert await names_of([held, *before, call(made), *after]) == [""] * 6 + ["fatal"] + [""] * 5
        assert (await made.services.store.counts())["row"] == 13

    asyncio.run(run())


def test_a_trace_is_of_the_last_time_alone(tmp_path: Path) -> None:
    traces: list[Recorder] = []

    def recorder() -> Recorder:
        traces.append(Recorder())
        return traces[-1]

    stack = endpoint("it", (READ + "  - sleep: 0.001\n" + BUMP).rstrip("\n"))
    found = checked(tmp_path, {"row": ROW, "set_up": SET_UP, "it": stack})
    made = build(found, services(tmp_path, found.workspace.tables, trace=recorder), traced=True)

    async def run() -> None:
        await call(made, "set_up")
        traces.clear()
        assert await names_of([call(made) for _ in range(5)]) == [""] * 5

    asyncio.run(run())
    assert [(trace.count, trace.decided) for trace in traces] == [(4, None)] * 5


# Bounds


@pytest.mark.usefixtures("storage")
def test_what_was_computed_for_nothing_is_not_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.budget.ITEMS", 1500)
    loop = "  - sleep: 0.002\n  - repeat: 1000\n    do:\n      - set: {x: 1}\n"
    made = made_of(tmp_path, READ + loop + BUMP)

    async def run() -> None:
        assert await names_of([call(made) for _ in range(5)]) == [""] * 5
        assert await number(made) == 5

    asyncio.run(run())


TWICE = READ + "  - sleep: 0.01\n" + AGAIN


def test_more_runs_than_connections_wait_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "LIMIT", 3)
    made = made_of(tmp_path, TWICE)

    async def run() -> None:
        assert await names_of([call(made) for _ in range(30)]) == [""] * 30
        assert made.services.store.moments._count <= 3

    asyncio.run(run())


def test_a_run_that_is_cancelled_gives_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "LIMIT", 2)
    made = made_of(tmp_path, TWICE + BUMP)

    async def run() -> None:
        for delay in (0, 0.002, 0.005, 0.012, 0.02):
            going = [asyncio.create_task(call(made)) for _ in range(6)]
            await asyncio.sleep(delay)
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)
        before = await number(made)
        assert await names_of([call(made) for _ in range(6)]) == [""] * 6
        assert await number(made) == before + 6
        found = made.services.store.moments
        assert len(found._idle) == found._count <= 2

    asyncio.run(run())


def test_a_connection_that_comes_together_with_the_end_of_the_waiting_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "LIMIT", 1)
    monkeypatch.setattr(moments, "BUSY_SECONDS", 0.02)
    found = made_of(tmp_path, TWICE).services.store.moments

    async def run() -> None:
        held = await found.take()
        waiting = asyncio.create_task(found.take())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(found.give, held)  # in one turn of the loop with the timer, before it
        time.sleep(0.03)
        with pytest.raises(Fault):
            await waiting
        found.give(await found.take())

    asyncio.run(run())


def test_who_goes_while_a_long_write_ends_leaves_nothing_behind(tmp_path: Path) -> None:
    made = made_of(tmp_path, BUMP.replace("edit_record", "bulk_edit_records").replace("$row.n + 1", "1"))
    many = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 10000) SELECT count(*) FROM c"

    async def run() -> None:
        going = asyncio.create_task(call(made))
        await asyncio.sleep(0)
        time.sleep(0.05)  # the thread is done, and nobody was told
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        assert made.services.store.writer.connection.execute(many).fetchone() == (10_000,)
        assert await names_of([call(made)]) == [""]

    asyncio.run(run())


def test_what_was_written_is_remembered_in_little_room(tmp_path: Path) -> None:
    made = made_of(tmp_path, READ)

    async def run() -> None:
        before = sizes(made)
        await call(made, "add", k="x" * 100_000)
        assert sizes(made) - before < 10_000

    asyncio.run(run())


def sizes(made: Program) -> int:
    keys = made.services.store.writer.history._keys
    return sum(sys.getsizeof(part) for key in keys for part in key)


def test_what_is_forgotten_counts_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WRITTEN", 3)
    monkeypatch.setattr(history, "MOST_KEYS", 2)
    made = made_of(tmp_path, READ + "  - sleep: 0.001\n" + BUMP)

    async def run() -> None:
        assert await names_of([call(made) for _ in range(40)]) == [""] * 40
        assert await number(made) == 40

    asyncio.run(run())


# What needs no transaction of its own

ADD_ROW = "  - add_record: row\n    data: {k: $input.k}\n    as: row\n"
ALONE = [
    (ADD_ROW, "null", True),
    (ADD_ROW, "$row", True),
    (ADD_ROW, "{id: $row.id, done: true}", True),
    ("  - set: {n: 1}\n" + ADD_ROW, "$row.n", True),
    ("  - edit_record: row\n    where: {id: 1}\n    data: {n: 5}\n    as: row\n", "$row.id", True),
    ("  - delete_record: row\n    where: {id: 1}\n", "null", True),
    # What is computed behind it may fail, and then nothing is kept.
    (ADD_ROW, "{n: $row.n + 1}", False),
    (ADD_ROW + "  - precondition: $row.n == 0\n", "null", False),
    # An answer may be too large.
    ("  - edit_record: row\n    where: {id: 1}\n    data: {n: 5}\n    as: row\n", "$row", False),
    (ADD_ROW.replace("$input.k", "$input.k ~ $input.k"), "$row", False),
    # It is more than one statement, or reads before.
    (ADD_ROW + ADD_ROW.replace("$input.k", "b"), "null", False),
    (READ + BUMP, "null", False),
    ("  - repeat: 2\n    do:\n      - delete_record: row\n        where: {id: 1}\n", "null", False),
    ("  - bulk_delete_records: row\n    all: true\n", "null", False),
    ("  - transaction:\n" + "".join(f"    {line}\n" for line in ADD_ROW.splitlines()), "null", False),
]


@pytest.mark.parametrize(("stack", "response", "is_alone"), ALONE)
def test_one_statement_behind_which_nothing_can_fail_needs_no_transaction(
    tmp_path: Path, stack: str, response: str, is_alone: bool, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    it = endpoint("it", stack.rstrip("\n"), response, head="input: {k: {type: text, default: new}}\n")
    made = program(tmp_path, {"row": ROW, "set_up": SET_UP, "it": it})
    asyncio.run(call(made, "set_up"))
    if storage == "postgres":
        began: list[str] = []
        begin = PostgresSession._begun

        async def begun(self: Any, how: str, **more: Any) -> Any:
            began.append(how)
            return await begin(self, how, **more)

        monkeypatch.setattr(PostgresSession, "_begun", begun)
        with suppress(Fault):
            asyncio.run(call(made, "it", k="new"))
        assert bool(began) is not is_alone
    compiled = next(each for each in made.endpoints if each.endpoint.path == "/it")
    assert compiled.plan.is_alone is is_alone


def test_each_data_source_knows_what_is_written_in_it(tmp_path: Path) -> None:
    files = {
        "row": ROW,
        "set_up": SET_UP,
        "workspace": "workspace: it\ndata_sources: [test]\n",
        "it": endpoint("it", (READ + "  - sleep: 0.001\n" + BUMP).rstrip("\n")),
    }
    made = program(tmp_path, files)
    (tmp_path / "test").mkdir()
    made.services.stores["test"] = opened(SqliteStore.open(tmp_path / "test" / "data.db", made.services.store.tables))
    other = made.at("test")

    async def run() -> None:
        for each in (made, other):
            await call(each, "set_up")
        for each in (other, made, other):
            before = await number(each)
            assert await names_of([call(each) for _ in range(20)]) == [""] * 20
            assert await number(each) == before + 20

    asyncio.run(run())
