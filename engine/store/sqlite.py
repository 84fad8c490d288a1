"""Records in a SQLite file: reads run inline on one connection, writes on another with a group commit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from engine.clauses import Query
from engine.errors import SetupError
from engine.fields import Field
from engine.shapes import input_fault, unknown_param
from engine.sql import Sql
from engine.store import find, migrate, search, sqlite_direct
from engine.store.asked import Ask, Values, lookup
from engine.store.base import (
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
from engine.store.effects import Effects
from engine.store.moments import Moments
from engine.store.reader import Pace, Reader, Watched
from engine.store.rows import digester, masked_of, names_of, plain_of, row_maker, unmasked_of
from engine.store.schema import refers
from engine.store.select import Selector
from engine.store.sql import compile_where
from engine.store.sqlite_catalog import SqliteCatalog, waiting
from engine.store.sqlite_dialect import DIALECT, add_functions
from engine.store.sqlite_session import SqliteSession
from engine.store.sqlite_target import SqliteTarget
from engine.store.statement import Row, Statement
from engine.store.writer import Writer
from engine.store.writes import Writes
from engine.syntax import Node
from engine.values import Stored
from engine.workspace import TIME_LIMIT, Table

T = TypeVar("T")
_STATEMENTS = 2048  # prepared statements kept a connection
_BUSY_SECONDS = 30  # a connection waits while another process changes tables
_READ_BUSY_MS = 1000  # a reader waits only while another process recovers the file


class SqliteReads:
    """See `asked.Reads`."""

    dialect = DIALECT

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    def prepared(self, table: Table, sql: str, names: tuple[str, ...], equal: Equal = ()) -> Ask:
        rows, pace, reading = Statement(table, sql, names).rows, Pace(), self._effects.reading(table, sql, equal)

        async def ask(run: ReadingRun, values: Values, finish: Callable[[list[Row]], T]) -> T:
            run.db.saw(reading, values)
            found: T = await run.db.read(lambda connection: finish(rows(connection, values)), pace, run.time_limit)
            return found

        return ask


class SqliteSpelling:
    """See `returned.Spelling`."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

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
        sql, effect = self._effects.writing(table, sql, (*written, *computed))
        return Statement(table, sql, asked, written, effect, scans)

    def parameter(self, number: int) -> str:
        return f"?{number}"

    def returned(self, column: Field) -> str:
        # SQLite keeps 1.0 as the int 1 in the file, and lets RETURNING show it.
        is_decimal = column.type == "decimal" and not column.is_list
        return f"CAST({quoted(column.name)} AS REAL)" if is_decimal else quoted(column.name)

    def restart(self, table: Table) -> str:
        return f"DELETE FROM sqlite_sequence WHERE name = '{table.name}'"


class SqliteStore(Writes):
    """The storage in a file; made by `open`. See `base.Store`."""

    is_embedded = True  # reads don't wait

    def __init__(
        self,
        tables: Mapping[str, Table],
        reader: sqlite3.Connection,
        writer: sqlite3.Connection,
        connect: Callable[[], sqlite3.Connection],
    ) -> None:
        self.effects = Effects(lambda: self.tables)
        super().__init__(SqliteSpelling(self.effects))
        self.tables = tables
        self.reader = reader
        self.reading = Reader(reader, connect)
        self.reads = SqliteReads(self.effects)
        self.moments = Moments(connect)
        self.writer = Writer(writer)
        self.written = Watched(writer, self.writer.thread)
        self._loads: dict[tuple[str, tuple[str, ...]], Write] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        tables: Mapping[str, Table],
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
        *,
        change: bool = True,
        command: str = migrate.COMMAND,
    ) -> SqliteStore:
        """The storage in the file at `path`, made and brought up to date first unless `change` is False.

        Raises SetupError where the file can't be opened, or where bringing it up to date takes a `command`.
        """
        if change:
            cls.update(path, tables, command)
        try:
            return cls._opened(path, tables, synchronous)
        except (OSError, sqlite3.Error) as error:
            raise SetupError(f"the database '{path}' can't be opened: {error}") from error

    @classmethod
    def unopened(cls, path: Path, tables: Mapping[str, Table]) -> SqliteStore:
        """A storage with nothing in it, to prepare operations with where none will run."""
        memory = partial(sqlite3.connect, ":memory:")
        return cls(tables, memory(), memory(), memory)

    @staticmethod
    def update(path: Path, tables: Mapping[str, Table], command: str = migrate.COMMAND) -> None:
        """Makes the file and whatever of `tables` it lacks. Raises SetupError, and changes nothing, as `open` says."""
        with SqliteStore.catalog(path) as catalog:
            migrate.apply(catalog, tables, command=command)

    @staticmethod
    @contextmanager
    def catalog(path: Path, *, change: bool = True) -> Iterator[SqliteCatalog]:
        """The file at `path`, made where there is none; without `change` nothing can be, and nothing is made.

        Raises SetupError where it can't be opened or fails.
        """
        try:
            if change:
                _made(path)
            with closing(connect(path) if path.is_file() else sqlite3.connect(":memory:")) as connection:
                if change:
                    waiting(lambda: connection.execute("PRAGMA journal_mode = WAL"))
                else:
                    connection.execute("PRAGMA query_only = ON")
                yield SqliteCatalog(connection)
        except sqlite3.Error as error:
            raise failure(path, error) from error

    @staticmethod
    @contextmanager
    def target(path: Path, ready: sqlite3.Connection) -> Iterator[SqliteTarget]:
        """The file at `path` for records that lie `ready`. Raises SetupError where it fails."""
        try:
            yield SqliteTarget(ready, str(path))
        except sqlite3.Error as error:
            raise failure(path, error) from error

    @classmethod
    def _opened(cls, path: Path, tables: Mapping[str, Table], synchronous: str) -> SqliteStore:
        with ExitStack() as opened:
            reader = opened.enter_context(closing(_reader(path)))
            writer = opened.enter_context(closing(connect(path)))
            writer.execute(f"PRAGMA synchronous = {synchronous}")
            search.let_write(writer, tables.values())
            # From its first read on, a connection keeps whoever wants the file for himself away from it.
            reader.execute("PRAGMA schema_version")
            # Only now: another process that starts or stops may hold the file for a moment.
            writer.execute("PRAGMA busy_timeout = 0")
            opened.pop_all()
        return cls(tables, reader, writer, partial(_reader, path))

    def session(self, seconds: float = TIME_LIMIT) -> SqliteSession:
        return SqliteSession(self, seconds)

    def holds(self, database: object) -> bool:
        own = self.reader.execute("PRAGMA database_list").fetchone()[2]  # empty where it is in memory
        return isinstance(database, Path) and bool(own) and database.exists() and database.samefile(own)

    async def close(self) -> None:
        await self.writer.close()
        self.moments.close()
        self.reading.close()

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
        head = f"SELECT {names_of([*plain, *hidden])} FROM {quoted(table.name)} WHERE"
        if not condition.is_single:
            pick: Callable[[list[Row]], Any] = lambda rows: make(rows[0]) if rows else None  # noqa: E731
            return lookup(self.reads, table, condition, f'{head} {{}} ORDER BY "id" LIMIT 1', pick)
        first = Statement(table, f'{head} {condition.sql} ORDER BY "id" LIMIT 1', condition.names).first
        reading = self.effects.reading(table, condition.sql, condition.equal)
        bound = condition.bound if any(condition.converts) else None

        def get(run: Run, *values: Any) -> dict[str, object] | None:
            if bound is not None:
                values = bound(values)
            session = run.db
            if session.seen is not None:
                session.saw(reading, values)
            row = first(session.connection, values)
            return None if row is None else make(row)

        return get

    def has(self, table: Table, condition: Condition) -> Read:
        head = f"SELECT 1 FROM {quoted(table.name)} WHERE"
        if not condition.is_single:
            return lookup(self.reads, table, condition, f"{head} {{}} LIMIT 1", bool)
        first = Statement(table, f"{head} {condition.sql} LIMIT 1", condition.names).first
        reading = self.effects.reading(table, condition.sql, condition.equal)

        def has(run: Run, *values: Any) -> bool:
            bound = condition.bound(values)
            run.db.saw(reading, bound)
            return first(run.db.connection, bound) is not None

        return has

    def direct(self, sql: Sql, *, single: bool) -> Write:
        prepared = sqlite_direct.prepare(sql, 1 if single else ROW_LIMIT + 1, self.effects)
        return direct(sql, prepared, single=single)

    def query(self, query: Query, kinds: Kinds, secrets: Callable[[Table], tuple[str, ...]]) -> Prepared:
        return find.prepare(self.reads, query, Selector(self.tables, kinds, DIALECT, secrets))

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
        return list(map(row_maker(plain), self._rows(table, plain)))

    async def snapshot(self) -> dict[str, list[dict[str, object]]]:
        return {name: self._digested(table) for name, table in self.tables.items()}

    def _digested(self, table: Table) -> list[dict[str, object]]:
        digest = digester(table)
        return [digest(row) for row in self._rows(table.name, [*unmasked_of(table), *masked_of(table)])]

    def _rows(self, table: str, columns: Sequence[Field]) -> list[tuple[Any, ...]]:
        return self.reader.execute(f'SELECT {names_of(columns)} FROM {quoted(table)} ORDER BY "id"').fetchall()

    async def counts(self) -> dict[str, int]:
        count = "SELECT count(*) FROM {}"
        return {name: self.reader.execute(count.format(quoted(name))).fetchone()[0] for name in self.tables}

    async def clear(self) -> None:
        session = self.session()
        await session.begin()
        try:
            # Tables may refer to each other in a ring; in the end there is nothing left to refer to.
            session.connection.execute("PRAGMA defer_foreign_keys = ON")
            for sql in filter(None, map(_detaching, self.tables.values())):
                session.connection.execute(sql)
            for name in self.tables:
                session.connection.execute(f"DELETE FROM {quoted(name)}")
                session.connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            session.connection.execute("PRAGMA defer_foreign_keys = OFF")
        except BaseException:
            session.rollback()
            raise
        await session.commit()


def _detaching(table: Table) -> str:
    """Has a table's records refer to nothing that there is; empty where none would become null when that goes.

    Null could break an index before the record goes as well. A text with a dot is the id of no record.
    """
    columns = [quoted(each.name) for each in table.columns.values() if refers(each) and each.on_delete == "set_null"]
    given = (f"{column} = CASE WHEN {column} IS NOT NULL THEN '.' || \"id\" END" for column in columns)
    return f"UPDATE {quoted(table.name)} SET {', '.join(given)}" if columns else ""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode that checks references and waits for other processes."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS, timeout=_BUSY_SECONDS
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    add_functions(connection)
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute(f"PRAGMA busy_timeout = {_READ_BUSY_MS}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def failure(path: Path, error: sqlite3.Error) -> SetupError:
    return SetupError(f"the database '{path}' failed, nothing was changed: {error}")


def _made(path: Path) -> None:
    """Make the file where there is none. Raises SetupError."""
    try:
        create_file(path)
    except OSError as error:
        raise SetupError(f"the database '{path}' can't be made: {error.strerror}") from None


def create_file(path: Path) -> None:
    """Make the file where there is none, for our user alone: it will hold password hashes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
