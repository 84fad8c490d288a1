"""Reads that may take long: they begin on the event loop, and go on in a thread where they don't end at once.

A read by index takes some µs, a trip to a thread 40 and more, so a read is tried where it is asked. SQLite asks back
every 1,000 of its steps; once the read's time is over it is interrupted, and done anew in a thread, on a connection
of its own. The next one of its sort goes there at once, until one was quick again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, TypeVar

from engine.errors import Fault
from engine.store.base import unavailable

INLINE_SECONDS = 0.005  # how long a read may hold the event loop
THREADS = 2
QUEUE_LIMIT = 64  # long reads that run or wait
_STEPS = 1000  # of SQLite's machine between two looks at the clock

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Watched:
    """A connection whose statements are interrupted past a time that `monotonic` tells, or when they are stopped.

    `threads` are its own, where what takes long on it goes.
    """

    def __init__(self, connection: sqlite3.Connection, threads: ThreadPoolExecutor | None = None) -> None:
        self.connection, self.threads = connection, threads
        self._until = inf
        self._is_stopped = False
        connection.set_progress_handler(self._is_over, _STEPS)

    def _is_over(self) -> bool:
        return self._is_stopped or monotonic() > self._until

    def run(self, work: Work[T], seconds: float) -> T:
        """What `work` gives. Raises TimeoutError where a statement of it took longer."""
        self._until = monotonic() + seconds
        try:
            return work(self.connection)
        except sqlite3.OperationalError as error:
            if not is_interrupted(error):
                raise
            raise TimeoutError from None
        finally:
            self._until = inf

    def stop(self) -> None:
        """Interrupt what runs in another thread, and what follows until `go_on`."""
        self._is_stopped = True

    def go_on(self) -> None:
        """Nothing runs in another thread any more."""
        self._is_stopped = False


def is_interrupted(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT


@dataclass(slots=True)
class Pace:
    """What is known of one sort of read: whether the last one was slow."""

    is_slow: bool = False


class Reader:
    """Runs reads on the event loop's connection, or in a few threads with connections made by `connect`."""

    def __init__(self, connection: sqlite3.Connection, connect: Callable[[], sqlite3.Connection]) -> None:
        self.inline = Watched(connection)
        self._connect = connect
        self._idle: list[Watched] = []
        self._busy: set[Watched] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="read")
        self._waiting = 0

    async def read(self, watched: Watched, work: Work[T], pace: Pace, seconds: float) -> T:
        """What `work` gives, at `watched` or in a thread. Raises Fault budget past `seconds`, unavailable where busy.

        `watched` is the event loop's connection, or one that is the run's alone meanwhile.
        """
        if not pace.is_slow:
            try:
                return watched.run(work, INLINE_SECONDS)
            except TimeoutError:
                pace.is_slow = True
        started = monotonic()
        result = await self._in_thread(watched, work, seconds)
        pace.is_slow = monotonic() - started > INLINE_SECONDS
        return result

    async def _in_thread(self, watched: Watched, work: Work[T], seconds: float) -> T:
        if self._waiting >= QUEUE_LIMIT:
            raise unavailable("The database is busy. Try again in a second.", "busy")
        self._waiting += 1
        own = None if watched is self.inline else watched
        job = (watched.threads or self._threads).submit(self._run, own, work, seconds)
        job.add_done_callback(self._done)
        done = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(done)
        except TimeoutError:
            raise Fault("fatal", f"a query took longer than {seconds:g} seconds", reason="budget") from None
        except asyncio.CancelledError:
            if own is not None and not job.cancel():
                await _stopped(own, done)
            raise

    def _run(self, own: Watched | None, work: Work[T], seconds: float) -> T:
        """In a thread: `work` on a connection that is free, or on the run's own."""
        if own is not None:
            return own.run(work, seconds)
        try:
            watched = self._idle.pop()
        except IndexError:
            watched = Watched(self._connect())
        self._busy.add(watched)
        try:
            return watched.run(work, seconds)
        finally:
            self._busy.discard(watched)
            self._idle.append(watched)

    def _done(self, job: Future[Any]) -> None:
        self._waiting -= 1

    def close(self) -> None:
        """Interrupt what runs, and close all connections."""
        for watched in tuple(self._busy):
            watched.stop()
        self._threads.shutdown(cancel_futures=True)
        for watched in (*self._idle, self.inline):
            watched.connection.close()
        self._idle.clear()


async def _stopped(own: Watched, done: asyncio.Future[Any]) -> None:
    """Wait until a thread let go of the connection that the run goes on with, to take back what it wrote."""
    own.stop()
    while not done.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((done,))
    own.go_on()
