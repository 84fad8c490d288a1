"""The records of a SQLite file, copied into a PostgreSQL database that has none: all of them, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import asyncpg

from engine.errors import SetupError
from engine.store.base import quoted
from engine.store.pg_schema import as_bools, sequence_of
from engine.store.plan import plan
from engine.store.postgres import PostgresStore, connect
from engine.store.rows import names_of
from engine.store.sqlite import connect as connect_file
from engine.store.sqlite_catalog import SqliteCatalog
from engine.store.url import DatabaseUrl
from engine.workspace import Table

Told = Callable[[str, int], None]


def copy(path: Path, url: DatabaseUrl, tables: Mapping[str, Table], told: Told) -> None:
    """Makes the tables at `url` and copies all records with their ids; `told` hears of each table and its count.

    Raises SetupError, and copies nothing, where the file isn't what the tables' files say, or where the database
    holds records already. Nobody can write to the file meanwhile.
    """
    if not path.is_file():
        raise SetupError(f"there is no database '{path}'")
    PostgresStore.update(url, tables)
    try:
        with closing(connect_file(path)) as source:
            source.execute("BEGIN IMMEDIATE")
            if plan(SqliteCatalog(source), tables):
                raise SetupError(f"the database '{path}' isn't what the tables' files say: serve it once, then copy it")
            asyncio.run(_copy(source, url, tables, told))
    except sqlite3.Error as error:
        raise SetupError(f"the database '{path}' can't be read: {error}") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # What it says may have values in it.
        raise SetupError(f"the database '{url}' takes not all that '{path}' holds: {type(error).__name__}") from None


async def _copy(source: sqlite3.Connection, url: DatabaseUrl, tables: Mapping[str, Table], told: Told) -> None:
    target = await connect(url)
    try:
        async with target.transaction():
            await _claim(target, url, tables)
            for table in tables.values():
                told(table.name, await _copy_table(source, target, table))
    finally:
        await target.close()


async def _claim(target: asyncpg.Connection, url: DatabaseUrl, tables: Mapping[str, Table]) -> None:
    """Has everybody else wait, and makes sure that there is nothing that a copy would be mixed with."""
    for name in tables:
        await target.execute(f"LOCK TABLE {quoted(name)} IN EXCLUSIVE MODE")
        if await target.fetchval(f"SELECT 1 FROM {quoted(name)} LIMIT 1") is not None:
            raise SetupError(
                f"the table '{name}' of the database '{url}' holds records already: copy into an empty one"
            )
    # Records may refer to what comes after them.
    await target.execute("SET CONSTRAINTS ALL DEFERRED")


async def _copy_table(source: sqlite3.Connection, target: asyncpg.Connection, table: Table) -> int:
    columns = list(table.columns.values())
    rows = source.execute(f'SELECT {names_of(columns)} FROM {quoted(table.name)} ORDER BY "id"')
    names = [column.name for column in columns]
    await target.copy_records_to_table(table.name, records=as_bools(rows, columns), columns=names)
    copied: int = await target.fetchval(f"SELECT count(*) FROM {quoted(table.name)}")
    (there,) = source.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()
    if copied != there:
        raise SetupError(f"of the {there} records of the table '{table.name}' {copied} arrived")
    await _go_on(source, target, table)
    return copied


async def _go_on(source: sqlite3.Connection, target: asyncpg.Connection, table: Table) -> None:
    """Lets the ids go on where the file's would: one of a record that was deleted is not used again."""
    if table.id.type != "int":
        return
    row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
    if row is not None and row[0] > 0:
        await target.execute(f"SELECT setval({sequence_of(table)}, $1)", row[0])
