"""Connections to a PostgreSQL server: few, kept open, bounded; the one given back last is the one taken first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import asyncpg

from engine.store.base import BUSY_SECONDS, unavailable
from engine.store.constraints import busy

QUEUE_LIMIT = 1000  # runs that may wait for a connection
STATEMENTS = 2048  # prepared statements kept a connection


class Connection:
    """A connection, and the statements that are `known` to it: asyncpg's prepared ones, by their SQL.

    `is_serial`: a statement that is a transaction by itself is serializable.
    """

    __slots__ = ("is_closed", "is_serial", "known", "raw")

    def __init__(self, raw: asyncpg.Connection) -> None:
        self.raw = raw
        self.is_closed: Callable[[], bool] = raw.is_closed
        self.known: dict[str, Any] = {}
        self.is_serial = False

    async def isolate(self, *, serial: bool) -> None:
        """Have it be `is_serial` or not."""
        level = "SERIALIZABLE" if serial else "READ COMMITTED"
        await self.raw.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
        self.is_serial = serial

    async def prepared(self, sql: str) -> Any:
        """A statement that becomes known."""
        if len(self.known) >= STATEMENTS:
            self.known.clear()
        self.known[sql] = await self.raw.prepare(sql)
        return self.known[sql]


# What asyncpg raises: the server refused something, it can't be reached, or it doesn't answer in time.
FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

_Waiter = asyncio.Future["Connection | None"]


class Pool:
    """At most `limit` connections that `connect` opens. Nothing is reset in between: who takes one leaves it clean.

    They belong to one event loop and are closed when it ends; another may take over then.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], limit: int) -> None:
        self._connect, self._limit = connect, limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: AsyncGenerator[None, None] | None = None
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._count = 0  # places that are taken: by a connection, or by one that is being opened
        self._idle: list[Connection] = []
        self._taken: set[Connection] = set()
        self._waiting: deque[_Waiter] = deque()
        self._ending: set[asyncio.Task[None]] = set()

    async def take(self, serial: bool = False) -> Connection:
        """A connection for the caller alone, one that is `serial` or not where there is a choice.

        `give`, `end` or `drop` must follow. Raises Fault unavailable.
        """
        if self._closed:
            raise unavailable("The server is shutting down.", "closed")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            await self._move_to(loop)
        ready = self.ready(serial)
        if ready is not None:
            return ready
        if self._count < self._limit:
            self._count += 1
            return await self._open()
        return await self._wait(loop) or await self._open()

    def ready(self, serial: bool = False) -> Connection | None:
        """As `take`, where there is one that nobody uses."""
        if self._closed or asyncio.get_running_loop() is not self._loop:
            return None
        while self._idle:
            connection = self._idle.pop(self._place(serial))
            if not connection.is_closed():
                self._taken.add(connection)
                return connection
            self._count -= 1
        return None

    def _place(self, serial: bool) -> int:
        """Where among the idle ones the last is that is `serial` or not; else the last of all."""
        places = range(len(self._idle) - 1, -1, -1)
        return next((place for place in places if self._idle[place].is_serial == serial), -1)

    def give(self, connection: Connection) -> None:
        """Take back a connection that is clean: in no transaction, and with nothing under way."""
        if connection.is_closed():
            self.drop(connection)
        elif connection in self._taken and not self._wake(connection):
            self._taken.discard(connection)
            self._idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """Let go of a connection in whatever state it is; the server undoes what wasn't committed."""
        if connection in self._taken:
            self._taken.discard(connection)
            connection.raw.terminate()
            self._leave()

    def forget_statements(self) -> None:
        """Has all statements prepared anew."""
        for connection in (*self._idle, *self._taken):
            connection.known.clear()

    def end(self, connection: Connection, how: str) -> None:
        """End a connection's transaction by COMMIT or ROLLBACK and take it back, without the caller having to wait."""
        task = asyncio.get_running_loop().create_task(self._end(connection, how))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Refuse what comes, wait for what runs, and close every connection."""
        self._closed = True
        end = monotonic() + BUSY_SECONDS
        while self._loop is asyncio.get_running_loop() and self._taken and monotonic() < end:
            await asyncio.sleep(0.001)
        if self._guard is not None:
            await self._guard.aclose()

    async def _end(self, connection: Connection, how: str) -> None:
        try:
            await connection.raw.execute(how, timeout=BUSY_SECONDS)
        except BaseException as error:
            self.drop(connection)
            if not isinstance(error, Exception):
                raise
        else:
            self.give(connection)

    # Places.

    async def _open(self) -> Connection:
        """A new connection in a place that is ours."""
        try:
            connection = Connection(await self._connect())
        except BaseException as error:
            self._leave()
            if isinstance(error, FAILURES):
                raise unavailable("The database can't be reached. Try again later.", "connect") from error
            raise
        self._taken.add(connection)
        return connection

    def _leave(self) -> None:
        """Give our place away."""
        if not self._wake(None):
            self._count -= 1

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """A connection that another run has done with, or None where its place is ours."""
        if len(self._waiting) >= QUEUE_LIMIT:
            raise busy()
        waiter: _Waiter = loop.create_future()
        self._waiting.append(waiter)
        timer = loop.call_later(BUSY_SECONDS, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(waiter)
            if not waiter.cancelled() and waiter.exception() is None:  # it came together with the cancelling
                got = waiter.result()
                self.give(got) if got is not None else self._leave()
            raise
        finally:
            timer.cancel()

    def _expire(self, waiter: _Waiter) -> None:
        if not waiter.done():
            self._waiting.remove(waiter)
            waiter.set_exception(busy())

    def _wake(self, got: Connection | None) -> bool:
        """Hand a connection, or a place, to the run that waits longest; False where none does."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(got)
                return True
        return False

    # Event loops.

    async def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._guard is not None and self._loop is not None and not self._loop.is_closed():
            raise RuntimeError("another event loop uses the database")
        self._loop = loop
        self._forget()
        self._guard = self._until_the_end()
        await anext(self._guard)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        """Its last part runs when the event loop ends, which closes every generator that is still open."""
        try:
            yield
        finally:
            idle, taken = self._idle, self._taken
            self._guard = self._loop = None
            self._forget()
            for connection in taken:
                connection.raw.terminate()
            await asyncio.gather(*(each.raw.close(timeout=1) for each in idle), return_exceptions=True)
