"""What one run reads and writes through in PostgreSQL: single reads on any connection, a transaction on its own.

What a run that may write reads and writes is serializable, as it is where there is one writer: the server ends one of
two runs that couldn't have been one after the other, which may then begin again. Within the transaction every statement
has a savepoint of its own, so that one that fails leaves the others alone.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg

from engine.errors import Fault
from engine.store.base import unavailable
from engine.store.constraints import busy, refused
from engine.store.pool import FAILURES, Connection, Pool

_SERIAL = "BEGIN ISOLATION LEVEL SERIALIZABLE; SAVEPOINT statement"
# Only a moment that those who write could have left between two of them; the server has them begin again for it.
_MOMENT = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SAVEPOINT statement"
_NEXT = "RELEASE SAVEPOINT statement; SAVEPOINT statement"
_UNDO = "ROLLBACK TO SAVEPOINT statement"

_PAUSE = 0.002  # seconds before it begins again, twice as long after each attempt, up to `_LONGEST`
_LONGEST = 0.25

# It was prepared before a column became of another type.
_STALE = asyncpg.InvalidCachedStatementError
_CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, _STALE)
# Where values don't fit, asyncpg finds out in the middle of an exchange: the server goes on with it, a snapshot taken,
# until the next statement comes, which can't be one that begins a transaction then.
_UNSENT = (asyncpg.DataError, asyncpg.InterfaceError)
# The server has too much to do, or is one that only reads for now.
_FULL = (
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
)
# The connection ends, or is as good as ended.
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.AdminShutdownError,
    asyncpg.InternalClientError,  # asyncpg has lost track of what the server answers
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.PostgresConnectionError,
)


class PostgresSession:
    """See `base.Session`. `connection` is its own while it writes."""

    __slots__ = (
        "_begin",
        "_doubts",
        "_has_read",
        "_is_fresh",
        "_pause",
        "_pool",
        "_wrote",
        "connection",
        "is_alone",
        "is_overtaken",
        "is_repeatable",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.connection: Connection | None = None
        self._begin = ""  # how its transaction begins, with its first read
        self._is_fresh = True  # nothing was written since the last savepoint
        self._wrote = False
        self._has_read = False
        self._doubts = True
        self._pause = True  # before it begins again
        self.is_alone = self.is_overtaken = False
        self.is_repeatable = True

    @property
    def is_writing(self) -> bool:
        return self.connection is not None and self._begin != _MOMENT

    @property
    def is_waited_for(self) -> bool:
        return self.connection is not None

    async def isolate(self, *, writes: bool, several: bool) -> None:
        self._begin = _SERIAL if writes else _MOMENT

    async def begin(self) -> None:
        if self.connection is None:
            self.connection = await self._begun(self._begin or _SERIAL)
            self._is_fresh = True

    async def commit(self) -> None:
        is_moment = self._begin == _MOMENT
        connection, self.connection, self._begin = self.connection, None, ""
        if connection is None:
            return
        if is_moment:  # what it could read it may answer, and nobody has to wait
            self._pool.end(connection, "COMMIT")
            return
        try:
            done = await connection.raw.execute("COMMIT")
        except _CONFLICTS as error:
            self._pool.give(connection)
            raise self._conflict() from error
        except BaseException as error:
            self._pool.drop(connection)
            if isinstance(error, FAILURES):
                raise refused() from error
            raise
        self._pool.give(connection)
        if done != "COMMIT":
            raise refused()
        self.is_repeatable = False

    def rollback(self) -> None:
        connection, self.connection, self._begin, self._wrote = self.connection, None, "", False
        self._has_read = False
        if connection is not None:
            self._pool.end(connection, "ROLLBACK")

    async def retract(self) -> None:
        # The server says of a transaction that it was serializable when it commits, and remembers what it read.
        if not self._wrote:
            await self.commit()
        self.rollback()

    def overtaken(self) -> Fault:
        self._pause = False
        return self._conflict()

    def doubt(self, error: Exception) -> None:
        """Raises Fault where a record that `error` keeps out is so for one that the run can't see, which came later.

        Had it come earlier, the run would have read it. The server doesn't say: the second time it is believed.
        """
        if self._doubts and self._has_read and self.is_repeatable:
            self._doubts = self._pause = False
            raise self._conflict() from error

    def retreat(self, attempt: int) -> float:
        pause, self._pause = self._pause, True
        self.is_overtaken = False
        self.rollback()
        return random.uniform(0, min(_PAUSE * 2 ** (attempt + 1), _LONGEST)) if pause else 0.0

    async def before_acting(self) -> None:
        self.is_repeatable = False

    async def after_acting(self) -> None:
        """The server sees who gets in its way."""

    @asynccontextmanager
    async def savepoint(self, *, scans: bool = False) -> AsyncIterator[None]:
        await self.begin()
        connection = self.connection
        assert connection is not None
        await connection.raw.execute("SAVEPOINT part; SAVEPOINT statement")
        was_fresh, self._is_fresh = self._is_fresh, True
        try:
            yield
        except BaseException as error:
            if self.connection is connection and isinstance(error, Exception) and not _is_passing(error):
                await connection.raw.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
                self._is_fresh = was_fresh
            raise
        await connection.raw.execute("RELEASE SAVEPOINT part")
        self._is_fresh = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        await self.commit()

    async def first(self, sql: str, values: Sequence[object]) -> Any:
        """The first row of a statement that reads. Raises what asyncpg does, Fault unavailable for what passes."""
        if self._begin:
            await self.begin()
            self._has_read = True
        if self.connection is not None:
            return await self._within(self.connection, "fetchrow", sql, values)
        return await self._alone("fetchrow", sql, values)

    async def rows(self, sql: str, values: Sequence[object]) -> list[Any]:
        """All rows of a statement that reads; raises as `first`."""
        if self._begin:
            await self.begin()
            self._has_read = True
        how = self._alone if self.connection is None else partial(self._within, self.connection)
        found: list[Any] = await how("fetch", sql, values)
        return found

    async def write(self, sql: str, values: Sequence[object]) -> list[Any]:
        """All rows of a statement that writes; raises as `first`."""
        if self.is_alone and self.connection is None:
            done: list[Any] = await self._alone("fetch", sql, values, writes=True)
            self.is_repeatable = False
            return done
        await self.begin()
        assert self.connection is not None
        self._wrote = True
        rows: list[Any] = await self._within(self.connection, "fetch", sql, values)
        self._is_fresh = False
        return rows

    async def _alone(
        self, how: str, sql: str, values: Sequence[object], *, writes: bool = False, again: bool = True
    ) -> Any:
        """A statement that is a transaction by itself; once again where it couldn't work on this connection."""
        connection = self._pool.ready(writes) or await self._pool.take(writes)
        try:
            if connection.is_serial != writes:
                await connection.isolate(serial=writes)
            statement = connection.known.get(sql) or await connection.prepared(sql)
            found = await getattr(statement, how)(*values)
        except FAILURES as error:
            lost = _is_lost(connection, error)
            if lost:
                self._pool.drop(connection)
            elif isinstance(error, _UNSENT):
                self._pool.end(connection, "ROLLBACK")
            else:
                self._pool.give(connection)
            # Nobody knows whether a write was done over a connection that is lost.
            if again and (isinstance(error, _STALE) or (lost and not writes and not isinstance(error, TimeoutError))):
                self._pool.forget_statements()
                return await self._alone(how, sql, values, writes=writes, again=False)
            self._pass(error, lost)
            raise
        except BaseException:
            self._pool.drop(connection)
            raise
        self._pool.give(connection)
        return found

    async def _within(self, connection: Connection, how: str, sql: str, values: Sequence[object]) -> Any:
        """A statement of the run's transaction."""
        try:
            if not self._is_fresh:
                await connection.raw.execute(_NEXT)
                self._is_fresh = True
            statement = connection.known.get(sql) or await connection.prepared(sql)
            return await getattr(statement, how)(*values)
        except FAILURES as error:
            self._pass(error, _is_lost(connection, error))
            await connection.raw.execute(_UNDO)
            raise

    async def _begun(self, how: str, *, again: bool = True) -> Connection:
        """A connection with a transaction."""
        connection = await self._pool.take()
        try:
            await connection.raw.execute(how)
        except FAILURES as error:
            lost = _is_lost(connection, error)
            self._pool.drop(connection)
            if lost and again:
                return await self._begun(how, again=False)
            self._pass(error, lost)
            raise
        except BaseException:
            self._pool.drop(connection)
            raise
        return connection

    def _pass(self, error: BaseException, lost: bool) -> None:
        """Raise the fault of what has nothing to do with the statement and may be gone in a second."""
        if isinstance(error, _STALE):
            self._pool.forget_statements()
        if isinstance(error, _CONFLICTS) or (lost and self.connection is not None):
            raise self._conflict() from error
        if lost:
            raise unavailable("The database can't be reached. Try again later.", "connect") from error
        if isinstance(error, _FULL):
            raise busy() from error

    def _conflict(self) -> Fault:
        """A run that has kept nothing yet can begin again; another must not."""
        self.is_overtaken = self.is_repeatable
        return replace(busy(), reason="repeatable") if self.is_repeatable else busy()


def _is_passing(error: Exception) -> bool:
    """Whether the run ends by it, its whole transaction with it."""
    return isinstance(error, Fault) and error.reason in ("busy", "repeatable")


def _is_lost(connection: Connection, error: BaseException) -> bool:
    return connection.is_closed() or isinstance(error, _LOST)
