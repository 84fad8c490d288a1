"""A PostgreSQL database that records are imported into; see `importing.Target`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from engine.errors import Fault
from engine.store.base import quoted
from engine.store.constraints import dangling, failed
from engine.store.importing import LINE, PLACE, SET, STAGED
from engine.store.pg_blocking import Blocking
from engine.store.pg_catalog import WAIT_SECONDS
from engine.store.pg_ddl import DDL
from engine.store.pg_schema import as_bools, sequence_of, sequence_sql
from engine.store.pg_statement import key_of, violated
from engine.store.rows import names_of
from engine.workspace import Table

_MARKS = {PLACE: "bigint", LINE: "bigint", SET: "bigint"}


class PostgresTarget:
    """See `importing.Target`. Records that lie ready in SQLite's memory are sent to a table that nobody else sees."""

    staged = f"pg_temp.{quoted(STAGED)}"
    # The latter where a record of the file changes what another one added or changed: each is asked for by itself then.
    refusals = (asyncpg.IntegrityConstraintViolationError, asyncpg.CardinalityViolationError)

    def __init__(self, connection: Blocking, ready: sqlite3.Connection) -> None:
        self._connection, self._ready = connection, ready

    @contextmanager
    def filling(self, table: Table, keep: Callable[[], bool]) -> Iterator[None]:
        with self._connection.transaction(keep=keep):
            self._send(table)
            self._connection.script(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            self._connection.script(f"LOCK TABLE {quoted(table.name)} IN SHARE ROW EXCLUSIVE MODE")
            self._connection.script("SET CONSTRAINTS ALL DEFERRED")
            if table.id.type == "int":
                self._connection.execute(sequence_sql(table, f"(SELECT max(id) FROM {self.staged})"))
            yield

    def _send(self, table: Table) -> None:
        """Put what lies ready into a table that looks like `table` but takes everything."""
        marks = ", ".join(f"0::{type_} AS {quoted(name)}" for name, type_ in _MARKS.items())
        columns = list(table.columns.values())
        like = f"SELECT {marks}, {names_of(columns)} FROM {quoted(table.name)}"
        self._connection.script(f"CREATE TEMPORARY TABLE {quoted(STAGED)} ON COMMIT DROP AS {like} WITH NO DATA")
        names = [*_MARKS, *table.columns]
        rows = self._ready.execute(f"SELECT {', '.join(map(quoted, names))} FROM temp.{quoted(STAGED)}")
        self._connection.fill(STAGED, None, names, as_bools(rows, columns, len(_MARKS)))
        self._connection.script(f"CREATE UNIQUE INDEX ON {self.staged} ({quoted(PLACE)}); ANALYZE {self.staged}")

    def literal(self, value: object) -> str:
        return DDL.literal(value)

    def id_of(self, table: Table) -> str:
        """Those that are given are all below the next one."""
        return f"coalesce(id, nextval({sequence_of(table)}))" if table.id.type == "int" else "id"

    def copy(self, sql: str) -> None:
        try:
            self._connection.script(f"SAVEPOINT part; {sql}; RELEASE SAVEPOINT part")
        except self.refusals:
            self._connection.script("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
            raise

    def rows(self, sql: str) -> Iterator[Sequence[Any]]:
        return self._connection.rows(sql)

    def fault(
        self,
        table: Table,
        refusal: asyncpg.IntegrityConstraintViolationError,
        written: Iterable[tuple[str, object]],
    ) -> Fault:
        if isinstance(refusal, asyncpg.ForeignKeyViolationError):
            return dangling(table, [name for name in key_of(refusal) if name in table.columns])
        return violated(refusal) or failed(table, type(refusal).__name__)
