"""The first records of a table, which are there when it is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Coroutine
from typing import Any, TypeVar

from engine.errors import Fault, SetupError
from engine.security.passwords import Passwords
from engine.store.base import quoted
from engine.store.catalog import Catalog
from engine.store.rows import Draft
from engine.store.rules import Rules
from engine.workspace import Table

T = TypeVar("T")


class Planting:
    """The run in which records are planted: it goes on alone, nothing in it waits."""

    db: Any = None
    _hasher = Passwords(threads=1)

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


def plant(catalog: Catalog, table: Table) -> None:
    """Add a table's first records. Raises SetupError where one breaks the rules of the columns or the table."""
    for place, row in enumerate(table.seed, 1):
        try:
            _plant(catalog, table, row)
        except Fault as fault:
            raise _refused(table, place, fault.message) from None
        except catalog.refusals as error:
            raise _refused(table, place, catalog.said(error)) from None


def _refused(table: Table, place: int, said: str) -> SetupError:
    return SetupError(f"{table.span}: the seed record {place} of '{table.name}' can't be added: {said}")


def _plant(catalog: Catalog, table: Table, row: Any) -> None:
    run, draft, rules = Planting(), Draft(table, tuple(row), new=True), Rules(table) if table.rules else None
    values = _finished(draft.values(run, list(row.values())))
    names = ", ".join(map(quoted, draft.columns))
    marks = ", ".join(map(catalog.ddl.parameter, range(1, len(draft.columns) + 1)))
    asked = ", ".join(quoted(column.name) for column in (rules.columns if rules else (table.id,)))
    sql = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks}) RETURNING {asked}"
    stored = catalog.plant(table, sql, values)
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
