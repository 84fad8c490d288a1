"""Damage to a file of SQLite: pages that a failing disk or another program has spoilt, found before they are needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from engine.store.reader import is_interrupted
from engine.store.sqlite import connect
from engine.store.writer import is_busy

_FINDINGS = 3  # that are told of


def ignored(connection: sqlite3.Connection) -> None:
    """For whoever never ends the look at a file."""


def damage(path: Path, opened: Callable[[sqlite3.Connection], object] = ignored) -> str:
    """What is damaged in the database at `path`; empty where nothing is, and where it couldn't be looked at.

    Every page is read, on a connection of its own, which `opened` is handed and may interrupt.
    """
    found: list[str] = []
    try:
        with closing(connect(path)) as connection:
            opened(connection)
            connection.execute("PRAGMA query_only = ON")
            for (text,) in connection.execute(f"PRAGMA quick_check({_FINDINGS})"):
                found.append(" ".join(text.split()))
    except sqlite3.Error as error:
        if is_interrupted(error) or is_busy(error):
            return ""
        found.append(str(error))
    return "" if found == ["ok"] else "; ".join(found)


def told(path: Path, found: str) -> str:
    """What an operator is told of damage."""
    return f"the database '{path}' is damaged: {found}. Stop the server, keep a copy of the file, and restore a backup"
