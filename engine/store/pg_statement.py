"""A prepared statement of PostgreSQL, and the faults of one that fails: in the columns' names, never in SQL's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from engine.bounds import out_of_range
from engine.errors import Fault
from engine.operators import division_fault
from engine.store.base import quoted
from engine.store.constraints import dangling, failed, in_use, is_missing, not_unique, refused, unbindable
from engine.store.pg_session import PostgresSession
from engine.store.pool import FAILURES
from engine.workspace import Table

# The values don't fit their types: asyncpg finds out, or the server does for a NUL in a text.
_UNBINDABLE = (asyncpg.DataError, asyncpg.InterfaceError)
_COLUMNS = re.compile(r"\((.*?)\)=\(")  # of a detail: `Key (a, "B")=(1, 2) already exists.`


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL about a table; the values to bind are for the columns `asked`, then for those `written`."""

    table: Table
    sql: str
    asked: tuple[str, ...]
    written: tuple[str, ...] = ()

    async def first(self, session: PostgresSession, values: Sequence[object]) -> Any:
        """The first row."""
        try:
            return await session.first(self.sql, values)
        except FAILURES as error:
            raise self._fault(error, values) from None  # its text may have values in it, which no log is for

    async def rows(self, session: PostgresSession, values: Sequence[object], seconds: float) -> list[Any]:
        """All rows. Raises Fault budget where they take longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await session.rows(self.sql, values)
        except FAILURES as error:
            if isinstance(error, TimeoutError):
                raise Fault("fatal", f"a query took longer than {seconds:g} seconds", reason="budget") from None
            raise self._fault(error, values) from None

    async def write(self, session: PostgresSession, values: Sequence[object]) -> list[Any]:
        """All rows of a statement that is part of what a session writes."""
        try:
            return await session.write(self.sql, values)
        except asyncpg.IntegrityConstraintViolationError as error:
            written = zip(self.written, values[len(self.asked) :], strict=True)
            raise await self._broken(session, error, written) from None
        except FAILURES as error:
            raise self._fault(error, values) from None

    def _fault(self, error: Exception, values: Sequence[object]) -> Fault:
        """What the client is told; what the log is told besides is the sort of failure."""
        if isinstance(error, _UNBINDABLE):
            fault = unbindable(self.asked + self.written, values)
            if fault is not None:
                return fault
        if isinstance(error, asyncpg.DivisionByZeroError):
            return division_fault()
        if isinstance(error, asyncpg.NumericValueOutOfRangeError):
            # What a server says of it may be in any language.
            return out_of_range(is_int="float" not in str(error.server_source_function))
        if isinstance(error, asyncpg.DiskFullError):
            return refused()
        return failed(self.table, type(error).__name__)

    async def _broken(
        self,
        session: PostgresSession,
        error: asyncpg.IntegrityConstraintViolationError,
        written: Iterable[tuple[str, object]],
    ) -> Fault:
        """The fault of a broken constraint."""
        if isinstance(error, asyncpg.UniqueViolationError):
            session.doubt(error)
        if (fault := violated(error)) is not None:
            return fault
        if not isinstance(error, asyncpg.ForeignKeyViolationError):
            return failed(self.table, f"{type(error).__name__} of '{error.constraint_name}'")
        missing = [name for name, value in written if await self._dangles(session, name, value)]
        return dangling(self.table, missing) if missing else in_use(self.table)

    async def _dangles(self, session: PostgresSession, name: str, value: object) -> bool:
        column = self.table.columns[name]
        if not column.table or column.is_list or value is None:
            return False
        return await session.first(f'SELECT 1 FROM {quoted(column.table)} WHERE "id" = $1', (value,)) is None


def violated(error: asyncpg.IntegrityConstraintViolationError) -> Fault | None:
    """The fault of a constraint that a record breaks by itself; None where it isn't one."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return not_unique(key_of(error) or ["id"])
    return is_missing(error.column_name) if isinstance(error, asyncpg.NotNullViolationError) else None


def key_of(error: asyncpg.IntegrityConstraintViolationError) -> list[str]:
    """The columns that a constraint is about."""
    named = _COLUMNS.search(error.detail or "")
    return [name.strip('"') for name in named[1].split(", ")] if named else []
