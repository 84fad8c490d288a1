"""The storages that tests run on: a SQLite file in a folder, and a schema of its own on a PostgreSQL server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from engine.store.catalog import Catalog
from engine.store.postgres import PostgresStore, connect
from engine.store.sqlite import SqliteStore
from engine.store.storage import Database, open_catalog
from engine.store.url import DatabaseUrl
from engine.workspace import Table

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
POSTGRES = os.environ.get("STACKWRIGHT_TEST_POSTGRES", "")


class Sqlite:
    """The file `data.db` of a folder."""

    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''"
    references = (
        'SELECT t.name, f."from", f."table", f.on_delete FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f'
    )
    next_id = "SELECT seq + 1 FROM sqlite_sequence WHERE name = ?"

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'data.db'}"

    def database(self, folder: Path) -> Database:
        return folder / "data.db"

    def settings(self, folder: Path) -> dict[str, str]:
        """What the environment of a command says that is called in a folder: its data folder is as good."""
        return {}

    def open(self, folder: Path, tables: Mapping[str, Table]) -> SqliteStore:
        return SqliteStore.open(folder / "data.db", tables, "OFF")

    def rows(self, folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement yields, its parameters written `?`, on a connection of its own."""
        with closing(sqlite3.connect(self._file(folder), isolation_level=None)) as connection:
            return connection.execute(sql, values).fetchall()

    def structure(self, folder: Path) -> list[tuple[Any, ...]]:
        """All tables and their columns."""
        return self.rows(folder, "SELECT name, sql FROM sqlite_master ORDER BY name")

    def dump(self, folder: Path) -> list[Any]:
        """Everything that there is."""
        with closing(sqlite3.connect(self._file(folder))) as connection:
            return list(connection.iterdump())

    def drop(self, folder: Path) -> None:
        """Takes everything away."""
        self._file(folder).unlink()

    def _file(self, folder: Path) -> Path:
        """A command that is called in the folder has it where it always is."""
        usual = folder / "data" / "database.sqlite3"
        return usual if usual.exists() else folder / "data.db"

    def is_sound(self, folder: Path) -> bool:
        return self.rows(folder, "PRAGMA integrity_check") == [("ok",)]

    def catalog(self, folder: Path) -> AbstractContextManager[Catalog]:
        return open_catalog(self.database(folder))

    @contextmanager
    def watched(self, catalog: Any, told: Callable[[str], None]) -> Iterator[None]:
        """`told` hears of every statement."""
        catalog.connection.set_trace_callback(told)
        yield


_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1"
_STRUCTURE = """
    SELECT c.relname, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) ORDER BY 1, 2
"""


class Postgres:
    """A folder's schema is made when it is first asked for, and dropped by `clean`."""

    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    indexes = f"SELECT indexname FROM ({_INDEXES}) i WHERE indexname NOT LIKE '%\\_pkey%'"
    references = """
        SELECT t.relname, a.attname, o.relname, CASE confdeltype WHEN 'c' THEN 'CASCADE' ELSE 'NO ACTION' END
        FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class o ON o.oid = f.confrelid
        JOIN pg_attribute a ON a.attrelid = t.oid AND f.conkey = ARRAY[a.attnum]
        WHERE f.contype = 'f' AND t.relnamespace = current_schema()::regnamespace
    """
    next_id = "SELECT pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass) + 1"

    def __init__(self) -> None:
        self.schemas: set[str] = set()

    def url(self, folder: Path) -> str:
        schema = _schema(folder)
        if schema not in self.schemas:
            self.schemas.add(schema)
            self._drop(schema)
            self._execute(f"CREATE SCHEMA {schema}")
        return f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}search_path={schema}&connections=5"

    def database(self, folder: Path) -> Database:
        return DatabaseUrl.parse(self.url(folder))

    def settings(self, folder: Path) -> dict[str, str]:
        """What the environment of a command says that is called in a folder."""
        return {"STACKWRIGHT_DATABASE_URL": self.url(folder)}

    def open(self, folder: Path, tables: Mapping[str, Table]) -> PostgresStore:
        return PostgresStore.open(DatabaseUrl.parse(self.url(folder)), tables)

    def rows(self, folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement yields, its parameters written `?`, on a connection of its own."""
        numbers = count(1)
        numbered = re.sub(r"\?", lambda _: f"${next(numbers)}", sql)

        async def ask() -> list[tuple[Any, ...]]:
            connection = await connect(DatabaseUrl.parse(self.url(folder)))
            found = [tuple(row) for row in await connection.fetch(numbered, *values)]
            await connection.close()
            return found

        return _apart(ask())

    def structure(self, folder: Path) -> list[tuple[Any, ...]]:
        """All tables and their columns."""
        return self.rows(folder, _STRUCTURE) + self.rows(folder, _INDEXES)

    def dump(self, folder: Path) -> list[Any]:
        """Everything that there is."""
        names = sorted(name for (name,) in self.rows(folder, self.tables))
        return [*self.structure(folder), *(self.rows(folder, f'SELECT * FROM "{name}" ORDER BY 1') for name in names)]

    def drop(self, folder: Path) -> None:
        """Takes everything away."""
        self.url(folder)
        schema = _schema(folder)
        self._drop(schema)
        self._execute(f"CREATE SCHEMA {schema}")

    def is_sound(self, folder: Path) -> bool:
        """The server itself sees to that."""
        return True

    def catalog(self, folder: Path) -> AbstractContextManager[Catalog]:
        return open_catalog(self.database(folder))

    @contextmanager
    def watched(self, catalog: Any, told: Callable[[str], None]) -> Iterator[None]:
        """`told` hears of every statement."""
        with catalog.connection.raw.query_logger(lambda record: told(record.query)):
            yield

    def clean(self) -> None:
        for schema in self.schemas:
            self._drop(schema)

    def _drop(self, schema: str) -> None:
        """Drop a schema, and those of the data sources beside it."""
        theirs = f"SELECT nspname FROM pg_namespace WHERE split_part(nspname, '.', 1) = '{schema}'"
        for (name,) in self._execute(theirs):  # one by one: a transaction holds a lock for each of the tables
            self._execute(f'DROP SCHEMA "{name}" CASCADE')

    def _execute(self, sql: str) -> list[Any]:
        async def run() -> list[Any]:
            connection = await asyncpg.connect(POSTGRES)
            found: list[Any] = await connection.fetch(sql)
            await connection.close()
            return found

        return _apart(run())


def _schema(folder: Path) -> str:
    return "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine yields in a thread: an event loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


STORAGES: dict[str, Sqlite | Postgres] = {"sqlite": Sqlite(), **({"postgres": Postgres()} if POSTGRES else {})}
_current = STORAGES["sqlite"]


def storage() -> Sqlite | Postgres:
    """The storage that this test runs on."""
    return _current


@contextmanager
def using(name: str) -> Iterator[None]:
    """Has everything opened meanwhile kept in a storage."""
    global _current
    before, _current = _current, STORAGES[name]
    try:
        yield
    finally:
        _current = before


def on_sqlite(test: F) -> F:
    """A test that is about SQLite's file."""
    return _on("sqlite", test)


def on_postgres(test: F) -> F:
    """A test that is about PostgreSQL's server."""
    return _on("postgres", test)


def _on(name: str, test: F) -> F:
    names = [name] if name in STORAGES else []
    only = pytest.mark.parametrize("storage", names, indirect=True, scope="module")
    marked: F = only(pytest.mark.usefixtures("storage")(test))
    return marked


async def settled(value: Any) -> Any:
    """What a read yields, be it at once or awaited."""
    return await value if asyncio.iscoroutine(value) else value


def rows(store: Any, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """What a statement yields in a store that no event loop uses."""
    if isinstance(store, SqliteStore):
        return store.reader.execute(sql, values).fetchall()
    return [tuple(row) for row in asyncio.run(store.session().rows(sql, values))]
