"""Statements on a PostgreSQL server that isn't the workspace's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.sql import Sql
from engine.store.direct import Rows
from engine.store.pg_direct import faulted, limited
from engine.store.pg_session import PostgresSession
from engine.store.pool import FAILURES, Pool
from engine.store.postgres import STATEMENT_SECONDS, connect
from engine.store.url import DatabaseUrl


class Server:
    """A server's connections."""

    def __init__(self, url: DatabaseUrl) -> None:
        self._pool = Pool(lambda: connect(url, STATEMENT_SECONDS), url.connections)

    async def rows(self, sql: Sql, values: Sequence[object], limit: int) -> Rows:
        """At most `limit` rows of a statement that reads, all of one that writes, which is kept."""
        session = PostgresSession(self._pool)
        try:
            if not sql.writes:
                return _named(await session.rows(limited(sql, limit), values))
            async with session.transaction():
                return _named(await session.write(limited(sql, limit), values))
        except FAILURES as error:
            if isinstance(error, TimeoutError):
                raise
            raise faulted(error) from None  # its text may have values in it, which no log is for


def _named(rows: list[Any]) -> Rows:
    return list(rows[0].keys()) if rows else [], rows
