"""The time that tests see: it stands still, and moves by what a test says and by what runs sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count

_PATIENCE = 0.1  # seconds that runs that don't sleep have before one that does goes on


class Clock:
    """`now` is in milliseconds since the epoch.

    Who sleeps waits for other runs, never for the time of day: once all sleep, the one whose time comes first goes on,
    and the clock is at that time. One that waits for what a sleeping run holds isn't waited for longer than a moment.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self._running = 0
        self._asleep: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()
        self._next: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """A run that others wait for while they sleep."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._look()

    async def pause(self, seconds: float) -> None:
        """Sleeps for so long by this clock."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._asleep, (self.now + int(seconds * 1000), next(self._number), woken))
        self._look()
        await woken

    def _look(self) -> None:
        """Lets the next one that sleeps go on as soon as it may."""
        if self._next is not None:
            self._next.cancel()
        if self._asleep:
            wait = 0 if len(self._asleep) >= self._running else _PATIENCE
            self._next = asyncio.get_running_loop().call_later(wait, self._wake)

    def _wake(self) -> None:
        time, _, woken = heappop(self._asleep)
        if not woken.done():  # its run may have been ended
            self.now = max(self.now, time)
            woken.set_result(None)
        self._look()
