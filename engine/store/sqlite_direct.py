"""An author's own SQL on SQLite: a statement is given the run's time, in a thread where it takes long."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from engine.errors import Fault
from engine.sql import Sql
from engine.store.base import ReadingRun
from engine.store.constraints import busy, not_unique, refused
from engine.store.direct import Ask, Rows, failed
from engine.store.effects import Effects
from engine.store.reader import Pace, is_interrupted
from engine.store.writer import is_busy, is_full


def prepare(sql: Sql, limit: int, effects: Effects) -> Ask:
    """What fetches at most `limit` rows."""
    text, pace, reading = sql.numbered("?"), Pace(), effects.read_by(sql)
    written = effects.written_by(sql)

    def fetch(connection: sqlite3.Connection, values: Sequence[object]) -> Rows:
        try:
            cursor = connection.execute(text, values)
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(limit)
            cursor.close()
        except sqlite3.Error as error:
            if is_interrupted(error):
                raise
            raise faulted(error) from None  # its text is SQL's
        return names, rows

    async def ask(run: ReadingRun, values: Sequence[object]) -> Rows:
        def work(connection: sqlite3.Connection) -> Rows:
            return fetch(connection, values)

        if sql.writes:
            await run.db.begin()
            run.db.has_written, run.db.writes = True, run.db.writes | written
            rows: Rows = await run.db.scan(work)
            return rows
        run.db.saw(reading, ())
        found: Rows = await run.db.read(work, pace, run.time_limit)
        return found

    return ask


def faulted(error: sqlite3.Error) -> Fault:
    """What the client is told of a statement that failed, and the sort of failure for the log."""
    if isinstance(error, sqlite3.OperationalError) and is_busy(error):
        return busy()
    if is_full(error):
        return refused()
    kind, _, columns = str(error).partition(" constraint failed: ")
    if isinstance(error, sqlite3.IntegrityError) and kind == "UNIQUE":
        return not_unique([column.rpartition(".")[2] for column in columns.split(", ")])
    return failed(getattr(error, "sqlite_errorname", type(error).__name__))
