"""An author's own SQL on a database that isn't the workspace's: SQLite or PostgreSQL, by the URL of the environment.

What it writes there is no part of the stack's transaction: it is kept when the step ends.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.errors import Fault, SetupError, value_fault
from engine.sql import Sql
from engine.store.base import ReadingRun, Write, unavailable
from engine.store.direct import ROW_LIMIT, Rows, answered, bound
from engine.store.drivers import postgres
from engine.store.reader import is_interrupted
from engine.store.sqlite_direct import faulted
from engine.store.url import SCHEMES, DatabaseUrl
from engine.tasks import own_task
from engine.values import reveal

MOST_SECONDS = 60.0  # that a statement may take
MOST_DATABASES = 32  # whose connections are kept
THREADS = 4  # statements that run on files at once
_STEPS = 1000  # of SQLite's machine between two looks at the clock


def external(sql: Sql, *, single: bool) -> Write:
    """`(run, connection, args, seconds) → list of dict`, or `dict | None` where it is `single`.

    `connection` is a URL, `args` as for `direct`. Raises Fault unavailable where nothing answers, conflict for a broken
    unique constraint, fatal (reason `timeout`) past so many seconds.
    """
    limit = 1 if single else ROW_LIMIT + 1

    async def ask(run: ReadingRun, connection: object, args: object = None, seconds: float = 10.0) -> Any:
        if not 0 < seconds <= MOST_SECONDS:
            raise value_fault(f"a statement may take up to {MOST_SECONDS:g} seconds")
        values = bound(sql, args)
        database = _opened(connection)
        if any(store.holds(database) for store in run.services.every_store):  # whose secrets no check would keep
            raise value_fault("the connection leads to the workspace's own database: use direct_database_query")
        await own_task()
        try:
            async with run.acting() if sql.writes else nullcontext(), asyncio.timeout(seconds):
                rows = await _rows(sql, database, values, limit, seconds)
        except TimeoutError:
            message = f"the external database took longer than {seconds:g} seconds"
            raise Fault("fatal", message, reason="timeout") from None
        return run.charged(answered(*rows, single))

    return ask


def _opened(connection: object) -> Path | DatabaseUrl:
    """The database that a connection names. Raises Fault value, which shows nothing of it."""
    revealed = reveal(connection)
    text = revealed if isinstance(revealed, str) else ""
    parts = urlsplit(text)
    if parts.scheme in SCHEMES:
        try:
            return DatabaseUrl.parse(text)
        except SetupError:
            raise value_fault("the connection is no URL of a database") from None
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("/"):
        return Path(unquote(parts.path[1:]))  # sqlite:///relative.db, sqlite:////absolute.db
    raise value_fault("the connection is no URL of a database: write sqlite:///… or postgresql://…")


async def _rows(sql: Sql, database: Path | DatabaseUrl, values: Sequence[object], limit: int, seconds: float) -> Rows:
    if isinstance(database, DatabaseUrl):
        rows: Rows = await _server(database).rows(sql, values, limit)
        return rows
    work = partial(_of_file, database, sql, values, limit, monotonic() + seconds)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


_THREADS = ThreadPoolExecutor(THREADS, thread_name_prefix="external")


def _of_file(path: Path, sql: Sql, values: Sequence[object], limit: int, end: float) -> Rows:
    """In a thread: the rows of a statement, on a connection of its own that is never the cause of a new file."""
    mode = "rw" if sql.writes else "ro"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=1.0)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(lambda: monotonic() > end, _STEPS)
            cursor = connection.execute(sql.numbered("?"), values)
            names, rows = [column[0] for column in cursor.description or ()], cursor.fetchmany(limit)
            cursor.close()
            connection.commit()
            return names, rows
    except sqlite3.Error as error:
        if is_interrupted(error):
            raise TimeoutError from None
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise unavailable("An external database can't be reached. Try again later.", "connect") from None
        raise faulted(error) from None


_SERVERS: dict[str, Any] = {}


def _server(url: DatabaseUrl) -> Any:
    """The connections to a server, which are kept and belong to the event loop that runs."""
    key = url.reveal()
    if key not in _SERVERS:
        if len(_SERVERS) >= MOST_DATABASES:
            raise Fault("fatal", f"there are more than {MOST_DATABASES} external databases", reason="limit")
        _SERVERS[key] = postgres("pg_external").Server(url)
    return _SERVERS[key]
