"""A PostgreSQL database as whoever changes its tables sees it; see `catalog.Catalog`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import asyncpg

from engine.errors import SetupError
from engine.store.base import quoted
from engine.store.found import NO_REFERENCE, FoundColumn, FoundIndex, FoundTable, Renaming
from engine.store.pg_blocking import REFUSALS, Blocking
from engine.store.pg_ddl import DDL
from engine.store.pg_schema import noted, sequence_sql
from engine.store.rows import Row
from engine.workspace import Table

LOCK = 0x57ACC_0001  # the advisory lock of whoever changes tables: a number of ours
TURN_SECONDS = 600  # for another process that changes tables
WAIT_SECONDS = 30  # for runs that use a table

_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
TABLES = f"SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = {_SCHEMA}"
_COLUMNS = f"""
    SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(t.oid, a.attnum),
           f.conname, other.relname, f.confdeltype::text
    FROM ({TABLES}) t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN LATERAL (
        SELECT conname, confrelid, confdeltype FROM pg_constraint
        WHERE contype = 'f' AND conrelid = t.oid AND conkey = ARRAY[a.attnum] ORDER BY conname LIMIT 1
    ) f ON TRUE
    LEFT JOIN pg_class other ON other.oid = f.confrelid
    ORDER BY t.relname, a.attnum
"""
_INDEXES = f"""
    SELECT t.relname, c.relname FROM ({TABLES}) t
    JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
"""
_ON_DELETE = {"c": "cascade", "n": "set_null", "d": "set_default"}


class PostgresCatalog:
    """See `catalog.Catalog`."""

    ddl = DDL
    refusals = REFUSALS

    def __init__(self, connection: Blocking) -> None:
        self.connection = connection

    def said(self, error: Exception) -> str:
        return said(error)

    def execute(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        return self.connection.execute(sql, values)

    def rows(self, sql: str) -> Iterator[Row]:
        with self.connection.transaction("repeatable_read", readonly=True):
            yield from self.connection.rows(sql)

    def tables(self) -> set[str]:
        return {name for _, name in self.connection.execute(TABLES)}

    def columns(self, table: str) -> list[str]:
        return [name for of, name, *_ in self.connection.execute(_COLUMNS) if of == table]

    def is_as_made(self, tables: Mapping[str, Table]) -> bool:
        return False  # PostgreSQL keeps no statements

    def structure(self, renaming: Renaming) -> Mapping[str, FoundTable]:
        names = {old: new for new, old in renaming.tables.items()}
        tables: dict[str, FoundTable] = {}
        for table, *column in self.connection.execute(_COLUMNS):
            if table not in names:
                continue
            name = names[table]
            found = _column(column, names, {old: new for new, old in renaming.columns.get(name, {}).items()})
            tables.setdefault(name, FoundTable()).columns[found.name] = found
        for table, index in self.connection.execute(_INDEXES):
            if table in names:
                # Another process may have made the table since; who is alone will see its columns.
                tables.setdefault(names[table], FoundTable()).indexes[index] = FoundIndex(index)
        return tables

    @contextmanager
    def alone(self, tables: Callable[[], Iterable[str]]) -> Iterator[None]:
        with self.connection.transaction():
            try:
                self.connection.script(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'")
                self.connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                self.connection.script(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
                if names := ", ".join(map(quoted, tables())):
                    self.connection.script(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            except asyncpg.LockNotAvailableError:
                raise SetupError("another process keeps the tables for itself: stop it, then try again") from None
            yield

    def plant(self, table: Table, sql: str, values: Sequence[object]) -> Row:
        self.connection.script("SET CONSTRAINTS ALL DEFERRED")
        [stored] = self.connection.execute(sql, values)
        if table.id.type == "int":  # one may have been given an id, and the next one goes on after it
            self.connection.execute(sequence_sql(table, f"(SELECT max(id) FROM {quoted(table.name)})"))
        return stored

    def check_planted(self, tables: Sequence[Table]) -> None:
        try:
            self.connection.script("SET CONSTRAINTS ALL IMMEDIATE")
        except asyncpg.ForeignKeyViolationError as error:
            [table] = [table for table in tables if table.name == error.table_name]
            raise SetupError(
                f"{table.span}: a seed record of '{table.name}' names no record of {_named(error, table)}"
            ) from None

    def check_references(self) -> None:
        """The database itself does that."""


def make_schema(connection: Blocking, name: str) -> None:
    """Make a schema where there is none. Several processes may do this at the same time."""
    if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (name,)):
        with connection.transaction():
            connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            connection.script(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")


def _column(row: Sequence[str], tables: Mapping[str, str], columns: Mapping[str, str]) -> FoundColumn:
    """A column by the names that it and the tables get."""
    stored, type_, required, comment, constraint, other, on_delete = row
    reference = (tables.get(other, other), on_delete_of(on_delete)) if other else NO_REFERENCE
    name, author_type = columns.get(stored, stored), noted(comment, type_)
    return FoundColumn(name, stored, author_type, bool(required), reference, constraint or "")


def on_delete_of(action: str) -> str:
    """What becomes of a record whose reference goes, as in a table's file."""
    return _ON_DELETE.get(action, "restrict")


def _named(error: asyncpg.ForeignKeyViolationError, table: Table) -> str:
    column = (error.detail or "").partition("(")[2].partition(")")[0].strip('"')
    return f"'{table.columns[column].table}'" if column in table.columns else "another table"


def said(error: Exception) -> str:
    """What a failure says, without the values that may be in it."""
    if isinstance(error, asyncpg.DataError):
        return type(error).__name__
    if isinstance(error, asyncpg.DependentObjectsStillExistError):
        return f"{error.message}: {error.detail}"
    return str(error.message if isinstance(error, asyncpg.PostgresError) and error.message else error)
