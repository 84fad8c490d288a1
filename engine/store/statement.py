"""A prepared statement of SQLite, and the faults of one that fails: in the columns' names, never in SQL's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import Fault
from engine.fields import Field
from engine.store.base import quoted
from engine.store.constraints import busy, dangling, failed, in_use, is_missing, not_unique, refused, unbindable
from engine.store.effects import Effect
from engine.store.reader import is_interrupted
from engine.store.sqlite_dialect import raised_fault
from engine.store.writer import is_busy, is_full
from engine.workspace import Table

Row = tuple[Any, ...]

# What binding a value raises: an int past 64 bits, half a surrogate pair, a kind SQLite can't hold.
_UNBINDABLE = (OverflowError, UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
_FAILURES = (sqlite3.Error, *_UNBINDABLE)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL about a table; the values to bind are for the columns `asked`, then for those `written`.

    `effect` is what it writes; it may take long where it `scans`.
    """

    table: Table
    sql: str
    asked: tuple[str, ...]
    written: tuple[str, ...] = ()
    effect: Effect | None = None
    scans: bool = False

    def first(self, connection: sqlite3.Connection, values: Sequence[object]) -> Row | None:
        """The first row."""
        try:
            row: Row | None = connection.execute(self.sql, values).fetchone()
        except _FAILURES as error:
            raise self._fault(error, values) from error
        return row

    def rows(self, connection: sqlite3.Connection, values: Sequence[object]) -> list[Row]:
        """All rows. Raises sqlite3.OperationalError where it was interrupted."""
        try:
            return connection.execute(self.sql, values).fetchall()
        except _FAILURES as error:
            if is_interrupted(error):
                raise
            raise self._fault(error, values) from error

    async def write(self, session: Any, values: Sequence[object]) -> list[Row]:
        """All rows of a statement that is part of what a session writes."""
        assert self.effect is not None, "it was made to write"
        await session.begin()
        if self.scans:
            rows: list[Row] = await session.scan(lambda connection: self._written(connection, values))
        else:
            rows = self._written(session.connection, values)
        session.has_written = True
        return self.effect.noted(session.writes, session.watched, rows)

    def _written(self, connection: sqlite3.Connection, values: Sequence[object]) -> list[Row]:
        try:
            return connection.execute(self.sql, values).fetchall()
        except sqlite3.IntegrityError as error:
            written = zip(self.written, values[len(self.asked) :], strict=True)
            raise broken(connection, self.table, error, written) from None
        except _FAILURES as error:
            if is_interrupted(error):
                raise
            raise self._fault(error, values) from error

    def _fault(self, error: Exception, values: Sequence[object]) -> Fault:
        """What the client is told; what the database says is for the log alone."""
        if isinstance(error, _UNBINDABLE):
            fault = unbindable(self.asked + self.written, values)
            if fault is not None:
                return fault
        if not isinstance(error, sqlite3.OperationalError):
            return failed(self.table)
        if is_full(error):
            return refused()
        return raised_fault(error) or (busy() if is_busy(error) else failed(self.table))


def broken(
    connection: sqlite3.Connection, table: Table, error: sqlite3.IntegrityError, written: Iterable[tuple[str, object]]
) -> Fault:
    """The fault of a broken constraint."""
    kind, _, columns = str(error).partition(" constraint failed: ")
    names = [column.removeprefix(f"{table.name}.") for column in columns.split(", ")]
    if kind == "UNIQUE":
        return not_unique(names)
    if kind == "NOT NULL":
        return is_missing(names[0])
    missing = [name for name, value in written if _dangles(connection, table.columns[name], value)]
    return dangling(table, missing) if missing else in_use(table)


def _dangles(connection: sqlite3.Connection, column: Field, value: object) -> bool:
    if not column.table or column.is_list or value is None:
        return False
    sql = f'SELECT 1 FROM {quoted(column.table)} WHERE "id" = ?'
    return connection.execute(sql, (value,)).fetchone() is None
