"""An author's own SQL on PostgreSQL: a statement is given the run's time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from engine.errors import Fault, value_fault
from engine.sql import Sql
from engine.store.base import ReadingRun
from engine.store.constraints import not_unique, refused
from engine.store.direct import Ask, Rows, failed
from engine.store.pg_statement import key_of
from engine.store.pool import FAILURES


def prepare(sql: Sql, limit: int) -> Ask:
    """What fetches at most `limit` rows of a statement that reads, and all of one that writes."""
    bounded = limited(sql, limit)

    async def ask(run: ReadingRun, values: Sequence[object]) -> Rows:
        fetch = run.db.write if sql.writes else run.db.rows
        try:
            async with asyncio.timeout(run.time_limit) as time:
                rows: list[Any] = await fetch(bounded, values)
        except FAILURES as error:
            if time.expired():
                raise Fault("fatal", f"a query took longer than {run.time_limit:g} seconds", reason="budget") from None
            if isinstance(error, asyncpg.UniqueViolationError):
                run.db.doubt(error)
            raise faulted(error) from None  # its text may have values in it, which no log is for
        return list(rows[0].keys()) if rows else [], rows

    return ask


def limited(sql: Sql, limit: int) -> str:
    """A statement as PostgreSQL takes it; one that reads gives no more than `limit` rows."""
    text = sql.numbered("$")
    return text if sql.writes else f"SELECT * FROM ({text}\n) AS answer LIMIT {limit}"


def faulted(error: Exception) -> Fault:
    """What the client is told of a statement that failed, and the sort of failure for the log."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return not_unique(key_of(error) or ["id"])
    if isinstance(error, asyncpg.DiskFullError):
        return refused()
    if isinstance(error, asyncpg.DataError):  # of a value that it was given, most likely
        return value_fault(failed(type(error).__name__).message)
    return failed(type(error).__name__)
