"""The one connection that writes: runs take turns on it, and their commits share one trip to the disk.

A batch is `BEGIN IMMEDIATE … COMMIT`; each run of it has a savepoint, so that it can fail alone. A run that is
done waits for its batch's commit, which happens in a thread; the runs that arrive meanwhile are the next batch.
What may take long happens in that thread, too.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic

from engine.errors import Fault
from engine.store.base import BUSY_SECONDS, unavailable
from engine.store.constraints import busy, refused
from engine.store.history import History, Key

QUEUE_LIMIT = 1000  # runs that may wait for a turn
BATCH_LIMIT = 64  # runs that share a commit
BATCH_SECONDS = 0.002  # how long a batch takes in more of those that wait
_PAUSES = (0.0005, 0.005)  # seconds between two tries while another process writes

_Waiter = asyncio.Future[None]


class Writer:
    """Turns on `connection`, which is in autocommit mode and never waits itself (busy timeout 0).

    It belongs to one event loop at a time; another may take over once nothing runs, or the first is closed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.history = History()
        self._version = data_version(connection)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taken = False
        self._closed = False
        self._turns: deque[tuple[float, _Waiter]] = deque()  # by when, in the loop's time; the longest waits first
        self._expiry: asyncio.TimerHandle | None = None
        self._batch: list[_Waiter] = []
        self._number = 0  # of the last write in the batch
        self._kept: _Waiter | None = None  # the run that keeps its turn while the batch before it is committed
        self._opened = 0.0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._commit: Future[sqlite3.Cursor] | None = None

    async def enter(self) -> None:
        """Wait for the turn and open a savepoint; `leave` or `undo` must follow. Raises Fault unavailable."""
        await self._turn()
        try:
            if not self.connection.in_transaction:
                await self._begin()
            self.connection.execute("SAVEPOINT run")
        except sqlite3.Error as error:
            self._pass_on()
            raise refused() from error
        except BaseException:
            self._pass_on()
            raise

    async def leave(self, writes: set[Key]) -> None:
        """Keep what the run wrote, give the turn away, and return when it is durable. Raises Fault unavailable."""
        try:
            self.connection.execute("RELEASE run")
        except sqlite3.Error as error:
            self._lose_batch()
            raise refused() from error
        self._number = self.history.add(writes)
        done = asyncio.get_running_loop().create_future()
        self._batch.append(done)
        self._pass_on()
        await done

    async def alone(self) -> bool:
        """Have the batch before the run committed, so that none of it goes where a statement of the run is ended.

        The run has written nothing yet. False where another process wrote in between. Raises Fault unavailable where
        the batch can't be kept.
        """
        if not self._batch:
            return True
        self._kept = kept = asyncio.get_running_loop().create_future()
        self._start_commit()
        cancelled = await _waited(kept)
        version = self._version
        await self._begin()
        self.connection.execute("SAVEPOINT run")
        if cancelled is not None:
            raise cancelled
        kept.result()
        return self._version == version

    def settled(self) -> _Waiter | None:
        """What tells when all is durable that others wrote before the run whose turn it is; None where it is."""
        if not self._batch:
            return None
        done: _Waiter = asyncio.get_running_loop().create_future()
        self._batch.append(done)
        return done

    def undo(self) -> None:
        """Take back what the run wrote and give the turn away."""
        try:
            self.connection.execute("ROLLBACK TO run")
            self.connection.execute("RELEASE run")
        except sqlite3.Error:
            self._lose_batch()
        else:
            self._pass_on()

    async def close(self) -> None:
        """Refuse what comes, wait for what runs, and close the connection."""
        self._closed = True
        end = monotonic() + BUSY_SECONDS
        while self._taken and not self._is_orphaned and monotonic() < end:
            await asyncio.sleep(0.001)
        self.thread.shutdown()
        self.connection.close()

    async def _turn(self) -> None:
        if self._closed:
            raise unavailable("The server is shutting down.", "closed")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        if not self._taken:
            self._taken = True
        elif len(self._turns) >= QUEUE_LIMIT:
            raise busy()
        else:
            await self._wait(loop)

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = loop.create_future()
        waiting = (loop.time() + BUSY_SECONDS, turn)
        self._turns.append(waiting)
        if self._expiry is None:
            self._expiry = loop.call_at(waiting[0], self._expire, loop)
        try:
            await turn
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._turns.remove(waiting)
            if not turn.cancelled() and turn.exception() is None:  # the turn came together with the cancelling
                self._pass_on()
            raise

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Turn away who waited too long; one timer does for all, since who waits longest is the first."""
        if loop is not self._loop:
            return
        while self._turns and self._turns[0][0] <= loop.time():
            _answer(self._turns.popleft()[1], busy())
        self._expiry = loop.call_at(self._turns[0][0], self._expire, loop) if self._turns else None

    @property
    def _is_orphaned(self) -> bool:
        return self._loop is not None and self._loop.is_closed()

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._taken:
            if not self._is_orphaned:
                raise RuntimeError("another event loop is writing")
            self._clean_up()
        self._loop, self._expiry = loop, None

    def _clean_up(self) -> None:
        """Finish what a closed event loop left behind: a commit is waited for, what wasn't committed is undone."""
        if self._commit is not None:
            self._commit.exception()
        self._turns.clear()
        self._batch.clear()
        self._kept = None
        self._forget()
        self._taken = False

    async def _begin(self) -> None:
        """Open a batch, however often another process is before us."""
        end = monotonic() + BUSY_SECONDS
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                if monotonic() > end:
                    raise busy() from None
            else:
                self._opened = monotonic()
                self._look()
                return
            await asyncio.sleep(random.uniform(*_PAUSES))

    def _look(self) -> None:
        """Note where another process has written since the last batch."""
        version = data_version(self.connection)
        if version != self._version:
            self._version = version
            self.history.add_foreign()

    def _pass_on(self) -> None:
        """Give the turn to the next run, or to the commit where the batch is full, old, or nobody waits."""
        while self._turns and not self._is_full:
            if _answer(self._turns.popleft()[1]):
                return
        if self._batch:
            self._start_commit()
        else:
            self._forget()
            self._taken = False

    @property
    def _is_full(self) -> bool:
        old = monotonic() - self._opened > BATCH_SECONDS
        return bool(self._batch) and (old or len(self._batch) >= BATCH_LIMIT)

    def _start_commit(self) -> None:
        batch, self._batch = self._batch, []
        loop, number = batch[0].get_loop(), self._number

        def finish(commit: Future[sqlite3.Cursor]) -> None:
            with suppress(RuntimeError):  # the loop is closed: the next one cleans up
                loop.call_soon_threadsafe(self._committed, batch, number, commit.exception())

        self._commit = self.thread.submit(self.connection.execute, "COMMIT")
        self._commit.add_done_callback(finish)

    def _committed(self, batch: list[_Waiter], number: int, error: BaseException | None) -> None:
        self._commit = None
        self._forget()
        if error is None:
            self.history.visible = number
        kept, self._kept = self._kept, None
        for done in (*batch, *([kept] if kept else [])):
            _answer(done, refused(error) if error else None)
        if kept is None:
            self._pass_on()

    def _lose_batch(self) -> None:
        """The database took back the whole batch (a full disk does that): nobody's writes are there."""
        batch, self._batch = self._batch, []
        self._forget()
        for done in batch:
            _answer(done, refused())
        self._pass_on()

    def _forget(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed, which this one can see."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


async def _waited(waiter: _Waiter) -> BaseException | None:
    """Waits, whatever happens; answers what cancelled the wait."""
    cancelled: BaseException | None = None
    while not waiter.done():
        try:
            await asyncio.wait((waiter,))
        except asyncio.CancelledError as error:
            cancelled = error
    waiter.exception()  # it was looked at
    return cancelled


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds what was asked for."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk has no room for what was to be written."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _answer(waiter: _Waiter, fault: Fault | None = None) -> bool:
    """Wake who waits; False where nobody does any more."""
    if waiter.done():
        return False
    if fault is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(fault)
    return True
