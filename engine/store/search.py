"""The search index of a table in SQLite: FTS5 over some columns, kept by triggers (sqlite.org/fts5.html §4.4.3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from engine.store.base import quoted
from engine.workspace import Table

_TOKENS = "unicode61 remove_diacritics 2"  # words without case and accents, as the filter `search` takes them
_EVENTS = ("INSERT", "DELETE", "UPDATE")


def name_of(table: str) -> str:
    """The name of what holds a table's search index."""
    return f"{table}.search"


def triggers_of(table: str) -> tuple[str, ...]:
    """The names of the triggers that keep a table's search index."""
    return tuple(f"{name_of(table)}.{event.lower()}" for event in _EVENTS)


def definition(table: Table) -> str:
    """What makes the search index of a table, as SQL; empty where it has none."""
    if table.search is None:
        return ""
    columns = ", ".join(map(quoted, table.search.columns))
    options = f"content={quoted(table.name)}, content_rowid=\"id\", tokenize='{_TOKENS}'"
    return f"CREATE VIRTUAL TABLE {quoted(name_of(table.name))} USING fts5({columns}, {options})"


def found(connection: sqlite3.Connection, table: str) -> str:
    """The definition of the search index that is there, empty where there is none."""
    sql = "SELECT sql FROM sqlite_master WHERE name = ?"
    row = connection.execute(sql, [name_of(table)]).fetchone()
    return str(row[0]) if row else ""


def let_write(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Let a connection write to `tables`: their triggers write to FTS5, which SQLite takes for unsafe in a schema."""
    if any(table.search for table in tables):
        connection.execute("PRAGMA trusted_schema = ON")


def made(table: Table) -> Iterator[str]:
    """The statements that make the search index of a table, of the records that are there."""
    assert table.search is not None
    index, columns = quoted(name_of(table.name)), table.search.columns
    names = ", ".join(map(quoted, columns))
    old, new = (", ".join(f"{row}.{quoted(each)}" for each in ("id", *columns)) for row in ("old", "new"))
    add = f"INSERT INTO {index} (rowid, {names}) VALUES ({new});"
    drop = f"INSERT INTO {index} ({index}, rowid, {names}) VALUES ('delete', {old});"
    bodies = (("INSERT", add), ("DELETE", drop), (f"UPDATE OF {names}", f"{drop} {add}"))
    yield definition(table)
    for trigger, (event, body) in zip(triggers_of(table.name), bodies, strict=True):
        yield f"CREATE TRIGGER {quoted(trigger)} AFTER {event} ON {quoted(table.name)} BEGIN {body} END"
    yield f"INSERT INTO {index} ({index}) VALUES ('rebuild')"


def dropped(table: str) -> Iterator[str]:
    """The statements that drop the search index of a table."""
    for trigger in triggers_of(table):
        yield f"DROP TRIGGER IF EXISTS {quoted(trigger)}"
    yield f"DROP TABLE {quoted(name_of(table))}"
