"""Which storage a database is kept in."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from engine.store.base import Store
from engine.store.catalog import Catalog
from engine.store.drivers import postgres
from engine.store.importing import Target
from engine.store.migrate import COMMAND
from engine.store.sqlite import SqliteStore
from engine.store.url import DatabaseUrl
from engine.workspace import Table

Database = Path | DatabaseUrl  # the file of SQLite, or the URL of PostgreSQL


def open_store(
    database: Database, tables: Mapping[str, Table], *, change: bool = True, command: str = COMMAND
) -> Store:
    """The storage of a database, brought up to date first unless `change` is False.

    Raises SetupError, also where bringing it up to date takes a `command`.
    """
    return _storage(database).open(database, tables, change=change, command=command)  # type: ignore[no-any-return]


def update(database: Database, tables: Mapping[str, Table], command: str = COMMAND) -> None:
    """Makes whatever of `tables` a database lacks. Raises SetupError, and changes nothing, as `open_store` says."""
    _storage(database).update(database, tables, command)


def open_catalog(database: Database, *, change: bool = True) -> AbstractContextManager[Catalog]:
    """A database for whoever changes its tables; without `change` nothing can be.

    Raises SetupError where it can't be used or fails.
    """
    return _storage(database).catalog(database, change=change)  # type: ignore[no-any-return]


def open_target(database: Database, ready: sqlite3.Connection) -> AbstractContextManager[Target]:
    """A database for records that lie `ready`. Raises SetupError where it can't be used or fails."""
    return _storage(database).target(database, ready)  # type: ignore[no-any-return]


def unopened(database: Database, tables: Mapping[str, Table]) -> Store:
    """A storage to prepare operations with where none will run."""
    return _storage(database).unopened(database, tables)  # type: ignore[no-any-return]


def _storage(database: Database) -> Any:
    return SqliteStore if isinstance(database, Path) else postgres("postgres").PostgresStore
