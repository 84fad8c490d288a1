"""What one run reads and writes through in SQLite: reads on a connection that others share, writes in its turn."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Protocol, TypeVar

from engine.errors import Fault
from engine.store.constraints import busy, refused
from engine.store.history import Key, Reading, ReadSet
from engine.store.moments import Moments
from engine.store.reader import Pace, Reader, Watched, Work
from engine.store.writer import Writer, data_version

T = TypeVar("T")
HELD_SECONDS = 0.02  # a run that took longer than this is first tried again without the turn


class Connections(Protocol):
    """What the sessions of a storage share: the connection that reads, those of moments, and the one that writes."""

    reader: sqlite3.Connection
    reading: Reader
    moments: Moments
    writer: Writer
    written: Watched


class SqliteSession:
    """What one run reads and writes through; see `base.Session`.

    What a run reads before it has the turn to write is compared when it takes it.
    """

    # What few runs need is set where they do.
    _moment: Watched | None = None
    seen: ReadSet | None = None  # what it has read, where that may have to be so when it writes
    has_written: bool
    writes: set[Key]  # what it has written, for those who have read it
    _parts = 0  # savepoints that are open
    _since = _took = 0.0
    _version = 0  # of what was read, where other processes write; else it is none
    is_alone = is_overtaken = is_writing = False
    is_repeatable = True

    def __init__(self, store: Connections, seconds: float) -> None:
        self._store, self._seconds = store, seconds
        self.connection = store.reader

    @property
    def is_waited_for(self) -> bool:
        return self.is_writing

    @property
    def watched(self) -> Set[str]:
        """The tables of which others must know what it writes."""
        return self._store.writer.history.watched

    # What it reads.

    async def isolate(self, *, writes: bool, several: bool) -> None:
        if writes and not self.is_repeatable:
            await self.begin()
        elif several:
            self._moment = await self._store.moments.take()
            self.connection = self._moment.connection
        if writes and not self.is_writing:
            self.seen = ReadSet(self._store.writer.history.visible)
            self._since = monotonic()
            if self._store.writer.history.is_shared:
                self._version = data_version(self.connection)

    def saw(self, reading: Reading, values: tuple[object, ...]) -> None:
        """Remember what a statement reads, whose values these are, where it may have to be as it was."""
        if self.seen is not None:
            self._store.writer.history.watch(reading.tables)
            self.seen.add(reading.keys(values))

    async def read(self, work: Work[T], pace: Pace, seconds: float) -> T:
        """What `work` gives; see `Reader.read`."""
        watched = self._store.written if self.is_writing else self._moment or self._store.reading.inline
        return await self._store.reading.read(watched, work, pace, seconds)

    # What it writes.

    async def begin(self) -> None:
        if not self.is_writing:
            if self.seen is not None:
                self._took = monotonic() - self._since
            await self._store.writer.enter()
            self.is_writing, self.has_written, self.writes = True, False, set()
            was_on, self.connection = self.connection, self._store.writer.connection
            if self.seen is not None:
                self._compare(was_on)
        elif not self.connection.in_transaction:  # the database took everything back, as a full disk makes it do
            raise refused()

    async def scan(self, work: Work[T]) -> T:
        """What `work` gives that writes and may take long: in a thread, and where it is ended, for the run alone."""
        await self.begin()
        await self._alone()
        return await self._store.reading.read(self._store.written, work, Pace(is_slow=True), self._seconds)

    async def _alone(self) -> None:
        if not self._parts and not self.has_written and not await self._store.writer.alone():
            raise self.overtaken()

    async def commit(self) -> None:
        was_writing = self.is_writing
        self._reset()
        if was_writing:
            self.is_repeatable = False
            await self._store.writer.leave(self.writes)

    def rollback(self) -> None:
        was_writing = self.is_writing
        self._reset()
        if was_writing:
            self._store.writer.undo()

    async def retract(self) -> None:
        seen = self._store.writer.settled() if self.is_writing else None
        self.rollback()
        if seen is not None:
            await seen

    @asynccontextmanager
    async def savepoint(self, *, scans: bool = False) -> AsyncIterator[None]:
        await self.begin()
        if scans:
            await self._alone()
        self.connection.execute("SAVEPOINT part")
        self._parts += 1
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):  # the database took everything back itself, which `rollback` notices
                self.connection.execute("ROLLBACK TO part")
                self.connection.execute("RELEASE part")
            raise
        finally:
            self._parts -= 1
        self.connection.execute("RELEASE part")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        await self.commit()

    # Others in its way.

    def overtaken(self) -> Fault:
        self.is_overtaken = self.is_repeatable
        return replace(busy(), reason="repeatable") if self.is_repeatable else busy()

    def retreat(self, attempt: int) -> float:
        self.is_overtaken = False
        # The second time it keeps the turn however long it takes: else it might never get done.
        if not self.is_writing or (attempt == 0 and self._took > HELD_SECONDS):
            self.rollback()
        return 0.0

    async def before_acting(self) -> None:
        if self.seen is not None and self.seen.keys:
            await self.begin()
        self.is_repeatable = False

    async def after_acting(self) -> None:
        if self.seen is not None:
            await self.begin()

    def _compare(self, was_on: sqlite3.Connection) -> None:
        """Raises Fault where what the run has read on a connection is no longer so."""
        seen, self.seen = self.seen, None
        try:
            if self._moment is not None:
                was_on.execute("ROLLBACK")  # else it would not see that others have written
            is_late = seen is not None and bool(seen.keys) and self._is_late(seen, was_on)
        finally:
            self._end_moment()
        if is_late:
            raise self.overtaken()

    def _is_late(self, reads: ReadSet, was_on: sqlite3.Connection) -> bool:
        history = self._store.writer.history
        if history.may_miss(reads) and data_version(was_on) != self._version:
            return True
        return history.has_changed(reads)

    def _end_moment(self) -> None:
        moment, self._moment = self._moment, None
        if moment is not None:
            self._store.moments.give(moment)

    def _reset(self) -> None:
        if self._moment is not None:
            self._end_moment()
        self.connection = self._store.reader
        self.seen = None
        self._parts = 0
        self.is_writing = False
