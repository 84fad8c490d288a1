"""What computes for long lets others go on, a slice of each turn of the event loop for all of them together.

Expressions are synchronous code. Run in a fiber, they can wait in the middle of it, as if they were coroutines.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from traceback import clear_frames
from types import coroutine
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

SLICE = 0.002  # seconds of a turn of the loop in which runs may compute
STRIDE = 256  # items or rounds between two looks at a run's limits
IDLE = 64  # fibers that are kept for the runs to come
T = TypeVar("T")
_Place = asyncio.Future[None]


class Turns:
    """The lines of those who compute: whoever finds the slice of a turn used up waits, and one goes on a turn.

    Who has what others wait for, as the turn to write, stands in a line of its own, which has every other turn. Else
    all who write would wait for as long as all who compute.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: tuple[deque[_Place], deque[_Place]] = deque(), deque()  # the second of those who are waited for
        self._is_theirs = False  # whether the last turn was for the second line, where anybody stood in it
        self._until = 0.0  # the end of this turn's slice, 0 where none has begun
        self._is_counting = False

    def are_over(self, now: float) -> bool:
        """Whether who computes should wait `for_one`; the first who asks in a turn begins its slice."""
        if now <= self._until:
            return False
        if self._until:
            return True
        self._begin(now)
        return False

    async def for_one(self, *, is_waited_for: bool = False) -> None:
        """Waits in line for a slice."""
        loop = asyncio.get_running_loop()
        self._follow(loop)
        place = loop.create_future()
        self._lines[is_waited_for].append(place)
        self._count(loop)
        await place
        now = time.monotonic()
        _collector.look(now)
        self._begin(now)

    def _begin(self, now: float) -> None:
        loop = asyncio._get_running_loop()
        if loop is not None:  # else nobody else is there to go on
            self._follow(loop)
            self._until = now + SLICE
            self._count(loop)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forgets the line of a loop that has ended before this one."""
        if loop is not self._loop:
            self._loop, self._is_counting = loop, False
            for line in self._lines:
                line.clear()

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop has turned: it has looked for what is new, so that the next in line may go on."""
        self._until, self._is_counting = 0.0, False
        self._is_theirs = not self._is_theirs
        if not _went_on(self._lines[self._is_theirs]):
            _went_on(self._lines[not self._is_theirs])
        if any(self._lines):
            self._count(loop)


def _went_on(line: deque[_Place]) -> bool:
    """Whether somebody stands in a line, of whom the first goes on."""
    while line:
        place = line.popleft()
        if not place.done():
            place.set_result(None)
            return True
    return False


class Collector:
    """Python's search for garbage in cycles, which rests while runs compute.

    What they make has none, and there may be so much of it that each search would hold all others up.
    """

    def __init__(self) -> None:
        self._computing = 0
        self._since = 0.0
        self._rests = False

    def rest(self) -> None:
        """A run computes."""
        self._computing += 1
        if not self._rests and gc.isenabled():
            gc.disable()
            self._rests, self._since = True, time.monotonic()

    def go_on(self) -> None:
        """A run that computed is done."""
        self._computing -= 1
        if self._rests and not self._computing:
            gc.enable()
            self._rests = False

    def look(self, now: float) -> None:
        """What others leave behind isn't left for ever, though somebody always computes."""
        if self._rests and now - self._since > _LONGEST_REST:
            gc.collect()
            self._since = time.monotonic()


_LONGEST_REST = 10.0  # seconds
_collector = Collector()


class Payer(Protocol):
    """A run, which pays for the items that it walks."""

    def spend(self, items: int) -> None: ...
    def aside(self, function: Callable[..., T], *arguments: Any) -> T: ...
    def failed(self, error: Exception) -> None: ...


class Fiber(greenlet):
    """Code that can wait though it isn't a coroutine, and what pays for it."""

    payer: Payer
    computes = False
    outcome: Any

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        while True:
            try:
                self.outcome = function(*arguments), None
            except Exception as error:
                self.payer.failed(error)
                self.outcome = None, error
            del function, arguments
            function, arguments = _parent(self).switch(self)


class _Thread(threading.local):
    """The fibers of a thread that wait for work, as to make one costs as much as a small stack; and by when what it
    does must end."""

    def __init__(self) -> None:
        self.idle: list[Fiber] = []
        self.end = float("inf")


_thread = _Thread()


@coroutine
def in_fiber(payer: Payer, function: Callable[..., T], *arguments: Any) -> Generator[Any, Any, T]:
    """What `function` answers, in the course of which `wait` and `pace` let others go on."""
    idle = _thread.idle
    fiber = idle.pop() if idle else Fiber()
    fiber.payer = payer
    fiber.gr_context = getcurrent().gr_context
    try:
        yielded = fiber.switch(function, arguments)
        while yielded is not fiber:
            try:
                sent = yield yielded
            except BaseException as error:
                yielded = fiber.throw(error)
            else:
                yielded = fiber.switch(sent)
    finally:
        if fiber.computes:
            fiber.computes = False
            _collector.go_on()
    result: T
    (result, failed), fiber.outcome = fiber.outcome, None
    del fiber.payer
    if len(idle) < IDLE:
        idle.append(fiber)
    if failed is not None:
        clear_frames(failed.__traceback__)  # which may hold much until it is collected as garbage
        try:
            raise failed
        finally:
            del failed
    return result


def _parent(fiber: greenlet) -> greenlet:
    assert fiber.parent is not None, "this is called in a fiber"
    return fiber.parent


def driven(steps: Coroutine[Any, Any, T] | Generator[Any, Any, T]) -> T:
    """What a coroutine answers, in the fiber that calls this."""
    parent = _parent(getcurrent())
    step: Callable[[Any], Any] = steps.send
    value: Any = None
    while True:
        try:
            yielded = step(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
        try:
            value, step = parent.switch(yielded), steps.send
        except BaseException as thrown:
            value, step = thrown, steps.throw


def can_wait() -> bool:
    """Whether this code is in a fiber."""
    return isinstance(getcurrent(), Fiber)


def computes() -> None:
    """The run in this fiber computes for long."""
    fiber = getcurrent()
    if isinstance(fiber, Fiber) and not fiber.computes:
        fiber.computes = True
        _collector.rest()


def wait(awaitable: Awaitable[T]) -> T:
    """What an awaitable answers; others go on meanwhile. Only for code that `can_wait`."""
    return driven(awaitable.__await__())


def pace(items: int) -> None:
    """Called by whatever walks far, every few hundred items: the run is charged for them, others may go on.

    In a thread it raises `TimeoutError` once the run is over.
    """
    fiber = getcurrent()
    if isinstance(fiber, Fiber):
        fiber.payer.spend(items)
    elif time.monotonic() > _thread.end:
        raise TimeoutError


def ended(end: float, function: Callable[..., T], *arguments: Any) -> T:
    """What a function answers in this thread, which gives up at `end` wherever it calls `pace`."""
    _thread.end = end
    return function(*arguments)


def aside(function: Callable[..., T], *arguments: Any) -> T:
    """What a function answers that takes long and can't stop on its way: others go on meanwhile where they can."""
    fiber = getcurrent()
    return fiber.payer.aside(function, *arguments) if isinstance(fiber, Fiber) else function(*arguments)


def stepwise(items: Iterable[T]) -> Iterator[T]:
    """As `paced`, of what has no length."""
    for place, item in enumerate(items, 1):
        if place % STRIDE == 0:
            pace(STRIDE)
        yield item


def paced(items: Sequence[T]) -> Iterator[T]:
    """The items of a list that may be long, each to be looked at."""
    for start in range(0, len(items), STRIDE):
        if start:
            pace(STRIDE)
        yield from items[start : start + STRIDE]
