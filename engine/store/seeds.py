"""The first records of a table, which are there when it is."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from engine.errors import Fault, SetupError
from engine.security.passwords import Passwords
from engine.store.base import quoted
from engine.store.rows import Draft
from engine.store.rules import Rules
from engine.workspace import Table

T = TypeVar("T")
Insert = Callable[[str, Sequence[object]], Awaitable[Any]]


class Planting:
    """The run in which records are planted: it goes on alone, nothing in it waits."""

    db: Any = None
    _hasher = Passwords(threads=1)

    @property
    def passwords(self) -> Planting:
        return self

    async def hash(self, password: str) -> str:
        return self._hasher.hash_now(password)

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def charged(self, value: Any) -> Any:
        return value

    def is_due(self) -> bool:
        return False

    async def breathe(self) -> None: ...


def plant(connection: sqlite3.Connection, table: Table) -> None:
    """Add a table's first records. Raises SetupError where one breaks the rules of the columns or the table."""

    async def insert(sql: str, values: Sequence[object]) -> Any:
        return connection.execute(sql, values).fetchone()

    _finished(planted(table, insert, "?{}", sqlite3.IntegrityError))


async def planted(table: Table, insert: Insert, parameter: str, refusal: type[Exception]) -> None:
    """Add a table's first records through `insert`, which answers a statement's row. Raises SetupError as `plant`."""
    for place, row in enumerate(table.seed, 1):
        try:
            await _plant(table, row, insert, parameter)
        except (Fault, refusal) as error:
            said = error.message if isinstance(error, Fault) else str(error)
            raise SetupError(
                f"{table.span}: the seed record {place} of '{table.name}' can't be added: {said}"
            ) from None


async def _plant(table: Table, row: Any, insert: Insert, parameter: str) -> None:
    run, draft, rules = Planting(), Draft(table, tuple(row), new=True), Rules(table) if table.rules else None
    values = await draft.values(run, list(row.values()))
    names = ", ".join(map(quoted, draft.columns))
    marks = ", ".join(map(parameter.format, range(1, len(draft.columns) + 1)))
    asked = ", ".join(quoted(column.name) for column in (rules.columns if rules else (table.id,)))
    sql = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks}) RETURNING {asked}"
    stored = await insert(sql, values)
    if rules is not None:
        rules.check(run, stored)


def _finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that never waits comes to."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("planting a record never waits")


def check_references(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Raises SetupError where a record of one of these tables names one that isn't there."""
    for table in tables:
        broken = connection.execute(f"PRAGMA foreign_key_check({quoted(table.name)})").fetchone()
        if broken is not None:
            raise SetupError(f"{table.span}: a seed record of '{table.name}' names no record of '{broken[2]}'")
