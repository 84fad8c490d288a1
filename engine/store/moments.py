"""Connections for runs that read more than once: each holds the database as it was when it first read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable

from engine.store.base import BUSY_SECONDS
from engine.store.constraints import busy
from engine.store.reader import Watched
from engine.tasks import own_task

LIMIT = 100  # connections that are open at once
IDLE = 8  # that are kept open for later
QUEUE_LIMIT = 1000  # runs that may wait for one


class Moments:
    """At most `LIMIT` connections made by `connect`, of which the one given back last is taken first."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._count = 0
        self._idle: list[Watched] = []
        self._waiting: deque[asyncio.Future[Watched]] = deque()

    async def take(self) -> Watched:
        """A connection in a transaction, which shows nothing that is committed after its first read.

        `give` must follow. Raises Fault unavailable.
        """
        watched = self._idle.pop() if self._idle else await self._made()
        try:
            watched.connection.execute("BEGIN")
        except BaseException:
            self.give(watched)
            raise
        return watched

    def give(self, watched: Watched) -> None:
        """Take a connection back; whatever moment it holds ends."""
        if watched.connection.in_transaction:
            watched.connection.execute("ROLLBACK")
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(watched)
                return
        if len(self._idle) < IDLE:
            self._idle.append(watched)
        else:
            self._count -= 1
            watched.connection.close()

    def close(self) -> None:
        for watched in self._idle:
            watched.connection.close()
        self._idle.clear()

    async def _made(self) -> Watched:
        if self._count >= LIMIT:
            await own_task()  # a turn, in which one may come back
            if self._idle:
                return self._idle.pop()
        if self._count >= LIMIT:
            return await self._wait()
        self._count += 1
        try:
            return Watched(self._connect())
        except BaseException:
            self._count -= 1
            raise

    async def _wait(self) -> Watched:
        self._waiting = deque(waiter for waiter in self._waiting if not waiter.done())
        if len(self._waiting) >= QUEUE_LIMIT:
            raise busy()
        waiter: asyncio.Future[Watched] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                return await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            if not waiter.cancelled():  # it came together with the end of the waiting
                self.give(waiter.result())
            if isinstance(error, TimeoutError):
                raise busy() from None
            raise
