"""A SQLite database brought up to its tables' files: all of the changes that may be made, or none; and their history.

A server makes what is safe when it starts. What loses nothing but breaks servers of the older files that still run,
as a new name does, is made by a command only, and what loses something by a command that says so.
"""

from __future__ import annotations

import getpass
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.errors import SetupError
from engine.store.base import quoted
from engine.store.changes import Change, Risk
from engine.store.plan import HISTORY, leftovers, plan
from engine.store.seeds import check_references, plant
from engine.workspace import Table

COMMAND = "stackwright migrate"
WAIT_SECONDS = 600.0  # for another process that migrates
_PAUSE = 0.01  # seconds between two tries

_FLAGS = {Risk.DELIBERATE: " --apply", Risk.DESTRUCTIVE: " --apply --allow-destructive"}


def apply(
    connection: sqlite3.Connection,
    tables: Mapping[str, Table],
    allowed: Risk = Risk.SAFE,
    command: str = COMMAND,
) -> list[Change]:
    """Make every change, in one transaction; answers them.

    Raises SetupError, and changes nothing, where one takes more than is `allowed`. Several processes may do this at
    the same time: one makes the changes, the others wait and find none left. Tables that are in no file any more are
    dropped only where something destructive is allowed, else they are left alone.
    """
    _waiting(lambda: connection.execute("PRAGMA journal_mode = WAL"))
    if not _planned(connection, tables, allowed):
        return []
    connection.execute("PRAGMA foreign_keys = OFF")  # SQLite adds no required reference otherwise
    _waiting(lambda: connection.execute("BEGIN EXCLUSIVE"))
    try:
        changes = _planned(connection, tables, allowed)
        refuse(changes, allowed, command)
        for change in changes:
            _make(connection, change)
        check_references(connection, [change.seeded for change in changes if change.seeded is not None])
        if any(change.risk > Risk.SAFE for change in changes):
            _check_references(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys = ON")
    return changes


def _planned(connection: sqlite3.Connection, tables: Mapping[str, Table], allowed: Risk) -> list[Change]:
    return plan(connection, tables) + (leftovers(connection, tables) if allowed >= Risk.DESTRUCTIVE else [])


def flags(changes: Iterable[Change]) -> str:
    """What to add to the command so that it makes the changes."""
    return _FLAGS.get(max((change.risk for change in changes), default=Risk.SAFE), " --apply")


def refuse(changes: Iterable[Change], allowed: Risk, command: str = COMMAND) -> None:
    """Raise SetupError with every change that takes more than is `allowed`, and what to do."""
    refused = [change for change in changes if change.risk > allowed]
    if not refused:
        return
    listed = "\n".join(f"- {change.said}" for change in refused)
    if any(change.risk is Risk.BLOCKED for change in refused):
        head, end = "the database can't be made what the tables' files say:", f"`{command}` shows all differences"
    else:
        head = "the database isn't what the tables' files say, and some of it is only changed on demand:"
        end = f"run `{command}{flags(refused)}` to change it; `{command}` shows what that does"
    raise SetupError(f"{head}\n{listed}\nnothing was changed; {end}")


def _waiting(work: Callable[[], object]) -> None:
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


def _make(connection: sqlite3.Connection, change: Change) -> None:
    try:
        for statement in change.statements:
            connection.execute(statement)
        if change.seeded is not None:
            plant(connection, change.seeded)
    except sqlite3.Error as error:
        raise SetupError(f"can't {change.description}, nothing was changed: {error}") from error
    _remember(connection, change)


def _check_references(connection: sqlite3.Connection) -> None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        raise SetupError(
            f"nothing was changed: records of '{broken[0]}' would refer to what is no longer in '{broken[2]}'"
        )


# History.


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that was made: when (milliseconds since the epoch), by whom, what, and its SQL."""

    at: int
    by: str
    table: str
    change: str
    sql: str


def history(connection: sqlite3.Connection) -> list[Entry]:
    """All changes that were made, the first one first."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (HISTORY,)).fetchone()
    if not known:
        return []
    rows = connection.execute(f'SELECT at, "by", "table", change, sql FROM {quoted(HISTORY)} ORDER BY id')
    return [Entry(*row) for row in rows]


def _remember(connection: sqlite3.Connection, change: Change) -> None:
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {quoted(HISTORY)} (id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
        ' "by" TEXT NOT NULL, "table" TEXT NOT NULL, change TEXT NOT NULL, sql TEXT NOT NULL)'
    )
    sql = "".join(f"{statement};\n" for statement in change.statements)
    connection.execute(
        f'INSERT INTO {quoted(HISTORY)} (at, "by", "table", change, sql) VALUES (?, ?, ?, ?, ?)',
        (time.time_ns() // 1_000_000, _user(), change.table, change.description, sql),
    )


def _user() -> str:
    """`ada@host`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may know no name for its user
        name = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{name}@{platform.node()}"
