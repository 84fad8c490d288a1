"""Records in a PostgreSQL database, which any number of servers may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg
import orjson

from engine.clauses import Query
from engine.errors import SetupError
from engine.fields import Field
from engine.shapes import input_fault, unknown_param
from engine.sql import Sql
from engine.store import find, migrate, pg_direct
from engine.store.asked import Ask, Values, lookup
from engine.store.base import (
    BUSY_SECONDS,
    Computed,
    Condition,
    Equal,
    Kinds,
    Prepared,
    Read,
    ReadingRun,
    Run,
    Write,
    quoted,
)
from engine.store.computing import compile_computed
from engine.store.direct import ROW_LIMIT, direct
from engine.store.pg_blocking import REFUSALS, Blocking
from engine.store.pg_catalog import PostgresCatalog, make_schema, said
from engine.store.pg_dialect import DIALECT
from engine.store.pg_schema import sequence_sql
from engine.store.pg_session import PostgresSession
from engine.store.pg_statement import Statement
from engine.store.pg_target import PostgresTarget
from engine.store.pool import FAILURES, Pool
from engine.store.rows import Row, digester, masked_of, names_of, plain_of, row_maker, unmasked_of
from engine.store.select import Selector
from engine.store.sql import compile_where
from engine.store.url import DatabaseUrl
from engine.store.writes import Writes
from engine.syntax import Node
from engine.values import Stored
from engine.workspace import TIME_LIMIT, Table

T = TypeVar("T")
OLDEST = 13  # version whose functions we use
STATEMENT_SECONDS = 60.0  # that a run waits for an answer, which never comes over a broken network


class Inserted(Statement):
    """An insert of a record whose id was given: those that the database gives go on after it."""

    async def write(self, session: PostgresSession, values: Sequence[object]) -> list[Any]:
        await session.begin()  # it is two statements
        rows = await super().write(session, values)
        await session.write(sequence_sql(self.table, "$1"), (values[len(self.asked) + self.written.index("id")],))
        return rows


class PostgresReads:
    """See `asked.Reads`."""

    dialect = DIALECT

    def prepared(self, table: Table, sql: str, names: tuple[str, ...], equal: Equal = ()) -> Ask:
        rows = Statement(table, sql, names).rows

        async def ask(run: ReadingRun, values: Values, finish: Callable[[list[Row]], T]) -> T:
            return finish(await rows(run.db, values, run.time_limit))

        return ask


class PostgresSpelling:
    """See `returned.Spelling`."""

    def statement(
        self,
        table: Table,
        sql: str,
        asked: tuple[str, ...],
        written: tuple[str, ...],
        computed: Iterable[str] = (),
        *,
        scans: bool = False,
    ) -> Statement:
        has_id = sql.startswith("INSERT") and "id" in written and table.id.type == "int"
        return (Inserted if has_id else Statement)(table, sql, asked, written)

    def parameter(self, number: int) -> str:
        return f"${number}"

    def returned(self, column: Field) -> str:
        return quoted(column.name)

    def restart(self, table: Table) -> str:
        return f"ALTER TABLE {quoted(table.name)} ALTER COLUMN id RESTART" if table.id.type == "int" else "SELECT 1"


class PostgresStore(Writes):
    """The storage at a URL; made by `open`. See `base.Store`."""

    is_embedded = False

    def __init__(self, tables: Mapping[str, Table], url: DatabaseUrl) -> None:
        super().__init__(PostgresSpelling())
        self.tables = tables
        self.url = url
        self.reads = PostgresReads()
        self.pool = Pool(lambda: connect(url, STATEMENT_SECONDS), url.connections)
        self._loads: dict[tuple[str, tuple[str, ...]], Write] = {}

    @classmethod
    def open(
        cls, url: DatabaseUrl, tables: Mapping[str, Table], *, change: bool = True, command: str = migrate.COMMAND
    ) -> PostgresStore:
        """The storage at a URL, brought up to date first unless `change` is False.

        Raises SetupError where the server can't be used, or where bringing it up to date could lose something.
        """
        if change:
            cls.update(url, tables, command)
        return cls(tables, url)

    @classmethod
    def unopened(cls, url: DatabaseUrl, tables: Mapping[str, Table]) -> PostgresStore:
        """A storage to prepare operations with where none will run."""
        return cls(tables, url)

    @staticmethod
    def update(url: DatabaseUrl, tables: Mapping[str, Table], command: str = migrate.COMMAND) -> None:
        """Makes whatever of `tables` the database lacks. Raises SetupError, and changes nothing, as `open` says.

        It may be called where an event loop runs, and blocks it.
        """

        def work() -> None:
            with PostgresStore.catalog(url) as catalog:
                migrate.apply(catalog, tables, command=command)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(work).result()

    @staticmethod
    @contextmanager
    def catalog(url: DatabaseUrl, *, change: bool = True) -> Iterator[PostgresCatalog]:
        """The database at a URL; without `change` nothing can be. No event loop may run in this thread.

        Raises SetupError where it can't be used or fails.
        """
        try:
            connection = Blocking(lambda: connect(url))
        except (*FAILURES, ValueError) as error:
            raise SetupError(_unopened(url, error)) from error
        try:
            if url.schema and change:
                make_schema(connection, url.schema)
            _check(url, connection, change)
            if not change:
                connection.script("SET default_transaction_read_only = on")
            yield PostgresCatalog(connection)
        except REFUSALS as error:
            raise SetupError(_unopened(url, error)) from error
        finally:
            connection.close(BUSY_SECONDS)

    @staticmethod
    @contextmanager
    def target(url: DatabaseUrl, ready: sqlite3.Connection) -> Iterator[PostgresTarget]:
        """The database at a URL for records that lie `ready`; see `catalog`."""
        with PostgresStore.catalog(url) as catalog:
            yield PostgresTarget(catalog.connection, ready)

    def session(self, seconds: float = TIME_LIMIT) -> PostgresSession:
        return PostgresSession(self.pool)

    def holds(self, database: object) -> bool:
        return isinstance(database, DatabaseUrl) and database.place == self.url.place

    async def close(self) -> None:
        await self.pool.close()

    def where(self, node: Node, table: Table, kinds: Kinds) -> Condition:
        return compile_where(node, table, kinds, DIALECT)

    def computed(self, node: Node, table: Table, column: Field, kinds: Kinds) -> Computed:
        return compile_computed(node, table, column, kinds, DIALECT)

    def get(
        self, table: Table, condition: Condition, secrets: tuple[str, ...] = (), columns: Iterable[str] | None = None
    ) -> Read:
        named = table.columns if columns is None else tuple(columns)
        plain = [column for column in plain_of(table) if column.name in named]
        hidden = [table.columns[name] for name in secrets]
        make = row_maker(plain, hidden, table.name)
        names = names_of([*plain, *hidden])
        head = f"SELECT {names} FROM {quoted(table.name)} WHERE"
        if not condition.is_single:
            pick: Callable[[list[Row]], Any] = lambda rows: make(rows[0]) if rows else None  # noqa: E731
            return lookup(self.reads, table, condition, f'{head} {{}} ORDER BY "id" LIMIT 1', pick)
        first = Statement(table, f"{head} {condition.sql}", condition.names).first
        bound = condition.bound if any(condition.converts) else None

        async def get(run: Run, *values: Any) -> dict[str, object] | None:
            row = await first(run.db, values if bound is None else bound(values))
            return None if row is None else make(row)

        return get

    def has(self, table: Table, condition: Condition) -> Read:
        sql = f"SELECT 1 FROM {quoted(table.name)} WHERE {{}} LIMIT 1"
        return lookup(self.reads, table, condition, sql, bool)

    def query(self, query: Query, kinds: Kinds, secrets: Callable[[Table], tuple[str, ...]]) -> Prepared:
        return find.prepare(self.reads, query, Selector(self.tables, kinds, DIALECT, secrets))

    def direct(self, sql: Sql, *, single: bool) -> Write:
        return direct(sql, pg_direct.prepare(sql, 1 if single else ROW_LIMIT + 1), single=single)

    async def replace_secret(self, run: Run, secret: Stored, value: str) -> bool:
        """See `base.Store`."""
        operation = self.set_secret(self.tables[secret.table], secret.column)
        replaced: bool = await operation(run, secret.id, secret.reveal(), value)
        return replaced

    async def load(self, run: Run, table: str, rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
        """See `base.Store`. Raises Fault input_error for a column that isn't there."""
        loaded = []
        for row in rows:
            names = tuple(row)
            for name in names:
                if name not in self.tables[table].columns:
                    raise input_fault([unknown_param(name)])
            if (table, names) not in self._loads:
                self._loads[table, names] = self.add(self.tables[table], names)
            loaded.append(await self._loads[table, names](run, *row.values()))
        return loaded

    async def dump(self, table: str) -> list[dict[str, object]]:
        plain = unmasked_of(self.tables[table])
        sql = f'SELECT {names_of(plain)} FROM {quoted(table)} ORDER BY "id"'
        return list(map(row_maker(plain), await self.session().rows(sql, ())))

    async def snapshot(self) -> dict[str, list[dict[str, object]]]:
        return {name: await self._digested(table) for name, table in self.tables.items()}

    async def _digested(self, table: Table) -> list[dict[str, object]]:
        names = names_of([*unmasked_of(table), *masked_of(table)])
        rows = await self.session().rows(f'SELECT {names} FROM {quoted(table.name)} ORDER BY "id"', ())
        return list(map(digester(table), map(tuple, rows)))

    async def counts(self) -> dict[str, int]:
        count = "SELECT count(*) FROM {}"
        return {name: (await self.session().first(count.format(quoted(name)), ()))[0] for name in self.tables}

    async def clear(self) -> None:
        session = self.session()
        try:
            # All at once, for tables may refer to each other in a ring.
            names = ", ".join(map(quoted, self.tables))
            await session.write(f"TRUNCATE {names} RESTART IDENTITY", ())
        except BaseException:
            session.rollback()
            raise
        await session.commit()


async def connect(url: DatabaseUrl, seconds: float | None = None) -> asyncpg.Connection:
    """A new connection, whose statements wait for another transaction no longer than a write may for its turn.

    A statement that takes longer than `seconds` is ended, and the connection with it; a little later by the server
    too, which otherwise goes on with it for nobody.
    """
    settings = {"application_name": "stackwright", "jit": "off", "lock_timeout": f"{BUSY_SECONDS * 1000:.0f}"}
    settings |= {"statement_timeout": f"{(seconds + BUSY_SECONDS) * 1000:.0f}"} if seconds else {}
    ours = {name: value for name, value in settings.items() if name not in url.options}
    made = await asyncpg.connect(url.reveal(), timeout=BUSY_SECONDS, command_timeout=seconds, server_settings=ours)
    try:
        # Values of a kind that only shows when it runs are compared as this; columns are of `json`, whose text is ours.
        await made.set_type_codec("jsonb", schema="pg_catalog", encoder=_json, decoder=str)
        if "application_name" not in url.options:  # who restores a backup asks who else uses the schema
            await made.execute("SELECT set_config('application_name', 'stackwright ' || current_schema(), false)")
    except BaseException:
        made.terminate()
        raise
    return made


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _check(url: DatabaseUrl, connection: Blocking, change: bool) -> None:
    """Raises SetupError for a server that is too old, one that can't hold all texts, or where we see no schema."""
    if connection.raw.get_server_version().major < OLDEST:
        raise SetupError(f"the database '{url}' is of PostgreSQL before {OLDEST}: use a newer one")
    [(encoding, schema)] = connection.execute("SELECT current_setting('server_encoding'), current_schema()")
    if encoding != "UTF8":
        raise SetupError(f"the database '{url}' keeps {encoding}: make one with ENCODING 'UTF8'")
    if schema is None and url.schema and not change:
        return  # it would be made
    if schema is None:
        raise SetupError(f"the database '{url}' has no schema by its search_path: make it with CREATE SCHEMA")
    if url.schema and schema != url.schema:
        # Nothing of one data source must ever get into another.
        raise SetupError(f"the database '{url}' shows the schema '{schema}': does a pooler drop the search_path?")


def _unopened(url: DatabaseUrl, error: Exception) -> str:
    """Why the server can't be used, and what to do; the password is in no part of it."""
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"the database '{url}' refuses its user or password: check STACKWRIGHT_DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            return f"the database '{url}' isn't there: make it with CREATE DATABASE, or name another"
        case asyncpg.InsufficientPrivilegeError():
            return f"the database '{url}' doesn't let its user do this: {error}"
        case TimeoutError() | OSError():
            reason = "it doesn't answer" if isinstance(error, TimeoutError) else "nothing listens there"
            return f"the database '{url}' can't be reached, {reason}: is the server running, and its address right?"
    return f"the database '{url}' failed, nothing was changed: {url.redacted(said(error))}"
