"""A prepared statement of SQLite, and the faults of one that fails: in the columns' names, never in SQL's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import Fault
from engine.fields import Field
from engine.shapes import input_fault
from engine.store.base import quoted, unavailable
from engine.store.reader import is_interrupted
from engine.store.writer import is_busy
from engine.values import INT_MAX, INT_MIN
from engine.workspace import Table

Row = tuple[Any, ...]

# What binding a value raises: an int past 64 bits, half a surrogate pair, a kind SQLite can't hold.
_UNBINDABLE = (OverflowError, UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
_FAILURES = (sqlite3.Error, *_UNBINDABLE)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL about a table; the values to bind are for the columns `asked`, then for those `written`."""

    table: Table
    sql: str
    asked: tuple[str, ...]
    written: tuple[str, ...] = ()

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
        await session.begin()
        connection: sqlite3.Connection = session.connection
        try:
            return connection.execute(self.sql, values).fetchall()
        except sqlite3.IntegrityError as error:
            written = zip(self.written, values[len(self.asked) :], strict=True)
            raise broken(connection, self.table, error, written) from None
        except _FAILURES as error:
            raise self._fault(error, values) from error

    def _fault(self, error: Exception, values: Sequence[object]) -> Fault:
        """What the client is told; what the database says is for the log alone."""
        if isinstance(error, _UNBINDABLE):
            for name, value in zip(self.asked + self.written, values, strict=True):
                if message := _unbindable(value):
                    return input_fault([{"param": name, "message": message}])
        if isinstance(error, sqlite3.OperationalError) and is_busy(error):
            return unavailable("The database is busy. Try again in a second.", "busy")
        return Fault("fatal", f"the database failed on the table '{self.table.name}'", reason="database")


def broken(
    connection: sqlite3.Connection, table: Table, error: sqlite3.IntegrityError, written: Iterable[tuple[str, object]]
) -> Fault:
    """The fault of a broken constraint, in the columns' names."""
    kind, _, columns = str(error).partition(" constraint failed: ")
    names = [column.removeprefix(f"{table.name}.") for column in columns.split(", ")]
    if kind == "UNIQUE":
        return _not_unique(names)
    if kind == "NOT NULL":
        return input_fault([{"param": names[0], "message": f"Missing param: {names[0]}"}])
    missing = [name for name, value in written if _dangles(connection, table.columns[name], value)]
    if missing:
        return input_fault([{"param": name, "message": _no_record(table.columns[name])} for name in missing])
    return Fault("conflict", f"This {table.name} is still in use.", reason="reference")


def _not_unique(names: Sequence[str]) -> Fault:
    said = " and ".join(f"'{name}'" for name in names)
    payload: object = {"param": names[0]} if len(names) == 1 else {"params": list(names)}
    together = " together" if len(names) > 1 else ""
    return Fault("conflict", f"{said} must be unique{together}.", payload, reason="unique:" + ",".join(names))


def _no_record(column: Field) -> str:
    return f"Input names no record of '{column.table}'."


def _dangles(connection: sqlite3.Connection, column: Field, value: object) -> bool:
    if not column.table or column.is_list or value is None:
        return False
    sql = f'SELECT 1 FROM {quoted(column.table)} WHERE "id" = ?'
    return connection.execute(sql, (value,)).fetchone() is None


def _unbindable(value: object) -> str:
    match value:
        case int() if not INT_MIN <= value <= INT_MAX:
            return "Input is an int past 64 bits."
        case str() if any("\ud800" <= character <= "\udfff" for character in value):
            return "Input holds half a surrogate pair."
        case list() | dict():
            return "Input is a list or an object, which can't be compared here."
    return ""
