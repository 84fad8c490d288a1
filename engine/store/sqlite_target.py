"""A SQLite database that records are imported into; see `importing.Target`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from engine.errors import Fault
from engine.store import search
from engine.store.base import quoted
from engine.store.importing import STAGED
from engine.store.schema import literal
from engine.store.statement import broken
from engine.workspace import Table


class SqliteTarget:
    """See `importing.Target`. The connection that the records lie ready on has the database too."""

    staged = f"temp.{quoted(STAGED)}"
    refusals = (sqlite3.IntegrityError,)

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        connection.execute("ATTACH ? AS data", (path,))

    @contextmanager
    def filling(self, table: Table, keep: Callable[[], bool]) -> Iterator[None]:
        search.let_write(self._connection, [table])
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute("PRAGMA defer_foreign_keys = ON")
            yield
            self._connection.execute("COMMIT" if keep() else "ROLLBACK")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def literal(self, value: object) -> str:
        return literal(value)

    def id_of(self, table: Table) -> str:
        return quoted("id")  # null becomes the next one

    def copy(self, sql: str) -> None:
        self._connection.execute(sql)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return self._connection.execute(sql)

    def fault(self, table: Table, refusal: sqlite3.IntegrityError, written: Iterable[tuple[str, object]]) -> Fault:
        return broken(self._connection, table, refusal, written)
