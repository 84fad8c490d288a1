"""A SQLite database as whoever changes its tables sees it; see `catalog.Catalog`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from engine.errors import SetupError
from engine.late import Late
from engine.store import search
from engine.store.base import quoted
from engine.store.found import NO_REFERENCE, FoundColumn, FoundIndex, FoundTable, Renaming
from engine.store.rows import Row
from engine.store.schema import noted
from engine.store.sqlite_ddl import DDL
from engine.workspace import Table

sqlite_utils = Late("sqlite_utils")  # what looks at tables that are to be changed
WAIT_SECONDS = 600.0  # for another process that migrates
_PAUSE = 0.01  # seconds between two tries

_ON_DELETE = {"CASCADE": "cascade", "SET NULL": "set_null", "SET DEFAULT": "set_default"}


class SqliteCatalog:
    """See `catalog.Catalog`."""

    ddl = DDL
    refusals = (sqlite3.Error,)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def said(self, error: Exception) -> str:
        return str(error)

    def execute(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        return self.connection.execute(sql, values).fetchall()

    def rows(self, sql: str) -> Iterator[Row]:
        return self.connection.execute(sql)

    def tables(self) -> set[str]:
        return {name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.connection.execute(f"PRAGMA table_info({quoted(table)})")]

    def is_as_made(self, tables: Mapping[str, Table]) -> bool:
        wanted = {sql for table in tables.values() for sql in _made(table)}
        ours = {*tables, *map(search.name_of, tables)}
        schema = self.connection.execute("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {sql for name, sql in schema if name in ours} == wanted

    def structure(self, renaming: Renaming) -> Mapping[str, FoundTable]:
        renamed = _after(self.connection, renaming.statements) if renaming.statements else None
        with closing(renamed) if renamed else nullcontext():
            found = _structure(renamed or self.connection, renaming)
        # An index of words is told by its definition as yet, which knows names.
        return {
            name: replace(table, search=search.found(self.connection, renaming.tables[name]))
            for name, table in found.items()
        }

    @contextmanager
    def alone(self, tables: Callable[[], Iterable[str]]) -> Iterator[None]:
        self.connection.execute("PRAGMA foreign_keys = OFF")  # SQLite adds no required reference otherwise
        waiting(lambda: self.connection.execute("BEGIN EXCLUSIVE"))
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.connection.execute("PRAGMA foreign_keys = ON")

    def plant(self, table: Table, sql: str, values: Sequence[object]) -> Row:
        row: Row = self.connection.execute(sql, values).fetchone()
        return row

    def check_planted(self, tables: Sequence[Table]) -> None:
        for table in tables:
            broken = self.connection.execute(f"PRAGMA foreign_key_check({quoted(table.name)})").fetchone()
            if broken is not None:
                raise SetupError(f"{table.span}: a seed record of '{table.name}' names no record of '{broken[2]}'")

    def check_references(self) -> None:
        broken = self.connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise SetupError(
                f"nothing was changed: records of '{broken[0]}' would refer to what is no longer in '{broken[2]}'"
            )


def waiting(work: Callable[[], object]) -> None:
    """Do what another process may be in the way of; SQLite doesn't wait by itself for a change of its journal."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > end:
                raise SetupError("another process has kept the database for itself: stop it, then try again") from None
            time.sleep(_PAUSE)
        else:
            return


def _after(connection: sqlite3.Connection, renames: Iterable[str]) -> sqlite3.Connection:
    """The tables without their records and search indexes, with everything renamed: SQLite rewrites what names one."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    schema = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    found = connection.execute(f"{schema} AND type <> 'view' ORDER BY type <> 'table'").fetchall()
    kept_by_triggers = {trigger for name, _ in found for trigger in search.triggers_of(name)}
    for name, sql in found:
        if not sql.upper().startswith("CREATE VIRTUAL") and name not in kept_by_triggers:
            made.execute(sql)
    for statement in renames:
        made.execute(statement)
    return made


def _made(table: Table) -> Iterator[str]:
    """The statements that make a table where there is none, as SQLite keeps them."""
    yield from DDL.create_table(table)
    yield from (DDL.index_sql(table, name) for name in DDL.indexes_of(table))
    if table.search is not None:
        yield from (sql for sql in DDL.add_search(table) if sql.startswith("CREATE"))


def _structure(connection: sqlite3.Connection, renaming: Renaming) -> Mapping[str, FoundTable]:
    there = sorted(SqliteCatalog(connection).tables() & renaming.tables.keys())
    database = sqlite_utils.Database(connection, execute_plugins=False) if there else {}
    return {name: _table(connection, database[name], renaming.columns.get(name, {})) for name in there}


def _table(connection: sqlite3.Connection, table: Any, stored: Mapping[str, str]) -> FoundTable:
    """A table; `stored` has what columns are called as yet that get another name."""
    references = {each.column: (each.other_table, _on_delete(each.on_delete)) for each in table.foreign_keys}
    columns = {
        each.name: FoundColumn(
            each.name,
            stored.get(each.name, each.name),
            noted(each.type),
            bool(each.notnull),
            references.get(each.name, NO_REFERENCE),
        )
        for each in table.columns
    }
    sql = "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL"
    made = dict(connection.execute(sql, (table.name, "index")).fetchall())
    indexes = {each.name: FoundIndex(each.name, tuple(each.columns), made.get(each.name, "")) for each in table.indexes}
    triggers = dict(connection.execute(sql, (table.name, "trigger")).fetchall())
    kept = (made for name, made in triggers.items() if name not in search.triggers_of(table.name))
    return FoundTable(columns, indexes, tuple(kept))


def _on_delete(action: str) -> str:
    return _ON_DELETE.get(action, "restrict")
