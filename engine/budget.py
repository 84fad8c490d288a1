"""What a run may use up: items that it walks, bytes that it makes, seconds that it takes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from engine.bounds import bounded_text
from engine.errors import Fault
from engine.extent import extent
from engine.footprint import ENTRY, ITEM, TEXT, footprint, held, let_go
from engine.pace import STRIDE, Turns, can_wait, computes, ended, wait

ITEMS = 20_000_000  # items and rounds that a run may walk
LETTERS = 64  # characters of a text that are walked as fast as one item
WALK = 16  # items that Python itself walks as fast as a stack walks one
LONG = 2048  # items that Python itself walks in one piece
_APART = 32_768  # items past which a filter works in a thread
_FEW, _LITTLE = 1000, 1 << 16  # items walked and bytes made, with which no answer gets long
_FREE = 4 << 20  # bytes that each run may hold, whatever others do
_TOGETHER = 4  # times the bytes of one run are those of all together that hold more
SHORT = 64  # characters of a text that is too short to be counted
_SWITCH = 0.001  # seconds that others wait for what computes in a thread
_THREADS = ThreadPoolExecutor(2, "walk", initializer=sys.setswitchinterval, initargs=(_SWITCH,))

T = TypeVar("T")


class Shares:
    """The bytes that runs have of those that all of them together may hold."""

    taken = 0


class Limits(Protocol):
    """Seconds that a run may take, bytes that it may hold and answer; and what all runs share."""

    time_limit: float
    memory_limit: int
    answer_limit: int
    turns: Turns
    shares: Shares


class Unlimited:
    """The limits of what isn't a run: none."""

    time_limit = float("inf")
    memory_limit = answer_limit = sys.maxsize
    turns = Turns()
    shares = Shares()


class Budget:
    """What is left to a run. Its methods raise `Fault` with the reason `budget` once nothing is."""

    __slots__ = ("_limits", "_made", "_most", "_next_look", "_share", "_spent", "_started")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits = limits or Unlimited()
        self._spent = self._made = 0
        self._next_look = STRIDE
        self._most = limits.memory_limit if limits.memory_limit < _FREE else _FREE  # bytes before it asks for more
        self._share = 0  # of the bytes that all runs have together
        self._started = 0.0

    def begin_anew(self) -> None:
        """Gives back what was paid for, where the run begins again; its time goes on."""
        self._spent = self._made = 0
        self._next_look = STRIDE
        self._most = min(_FREE, self._limits.memory_limit)
        self.give_back()

    def give_back(self) -> None:
        """Leaves its share of the bytes to others: it is over, or begins again."""
        if self._share:
            self._limits.shares.taken -= self._share
            self._share = 0

    def charged(self, value: T) -> T:
        """`value`, after the run paid for its length, where it is a list or an object."""
        if isinstance(value, list):
            self._spent += len(value)
            self._made += ITEM * len(value)
        elif isinstance(value, dict):
            self._spent += len(value)
            self._made += ENTRY * len(value)
        if self._spent > ITEMS:
            raise _too_far()
        return value

    def paid(self, value: T) -> T:
        """As `charged`, of a text too; others may get a turn."""
        if isinstance(value, str):
            self._spent += len(value) // LETTERS
        else:
            self.charged(value)
        if self._spent > self._next_look:
            self.look()
        return value

    def answered(self, value: T, may_share: bool) -> T:
        """What the run answers, which must be within the limit of answers: counted where it may be long."""
        if may_share or self._spent > _FEW or self._made > _LITTLE:
            extent(value, self._limits.answer_limit)
        return value

    def scanned(self, items: list[T]) -> list[T]:
        """`items`, after the run paid for what Python itself walks or copies them in no time."""
        self.spend(len(items) // WALK, ITEM * len(items))
        return items

    def bounded(self, text: str) -> str:
        """A text that was made of others, within the bounds of a text, after the run paid for it."""
        self.spend(len(bounded_text(text)) // LETTERS, sys.getsizeof(text))
        return text

    def weighed(self, value: T) -> T:
        """`value`, after the run paid for its bytes, where it is a text or a list of some length."""
        if isinstance(value, str):
            if len(value) > SHORT:
                self.take(sys.getsizeof(value))
        elif isinstance(value, list) and value:
            self.take(len(value) * (ITEM + _likely_size(value[0])))
        return value

    def take(self, size: int) -> None:
        """Pays for bytes. Where they are used up, what the run still holds is counted: only that stays paid for."""
        self._made += size
        if self._made > self._most:
            self._get_more(size)

    def _get_more(self, size: int) -> None:
        """Takes twice its share of the bytes. Where it can't, the run must get by with half of what it has."""
        limit, shares = self._limits.memory_limit, self._limits.shares
        while self._most < self._made <= limit:
            more = min(self._most, limit - self._most)
            if shares.taken + more > _TOGETHER * limit:
                self._count(size, self._most // 2, _too_little())
                return
            shares.taken += more
            self._share += more
            self._most += more
        if self._made > limit:
            self._count(size, limit // 2, _too_large(limit))

    def _count(self, size: int, most: int, fault: Fault) -> None:
        self._made = 0  # while it is counted
        self._made = size + footprint(held(sys._getframe(1), _is_ours), most)
        if self._made > most:
            raise fault

    def walked(self, items: list[T], size: int = 0) -> list[T] | Iterator[T]:
        """The items of a list, each paid for as it is walked, with `size` bytes that are made of it."""
        if len(items) > STRIDE:
            return self._strides(items, size)
        self.spend(len(items), size * len(items))
        return items

    def _strides(self, items: list[T], size: int) -> Iterator[T]:
        for start in range(0, len(items), STRIDE):
            self.spend(STRIDE, size * STRIDE)
            yield from items[start : start + STRIDE]

    def spend(self, items: int, size: int = 0) -> None:
        """Pays for items and bytes; others may get a turn."""
        self._spent += items
        if size:
            self.take(size)
        if self._spent > self._next_look:
            self.look()

    def applied(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a filter makes of its arguments, paid for by their length; in a thread where that takes long."""
        items = 0
        for each in arguments:
            if isinstance(each, str):
                items += len(each) // LETTERS
            elif isinstance(each, list | dict):
                items += len(each)
                self._made += ITEM * len(each)
        self.spend(items)
        return self.weighed(function(*arguments) if items < _APART else self.aside(function, *arguments))

    def aside(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function that walks far answers. It runs in a thread where others can go on meanwhile."""
        return wait(self._aside(function, arguments)) if can_wait() else function(*arguments)

    async def _aside(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        now = self._checked()
        end = self._started + self._limits.time_limit
        future = asyncio.get_running_loop().run_in_executor(_THREADS, ended, end, function, *arguments)
        await asyncio.wait((future,), timeout=None if end == float("inf") else max(0, end - now))
        if not future.done():
            future.cancel()
            raise self._too_slow()
        try:
            return await future
        except TimeoutError:
            raise self._too_slow() from None

    def failed(self, error: Exception) -> None:
        """Gives back what a run held that was ended for its limits."""
        if isinstance(error, Fault) and error.reason == "budget":
            let_go(error, _is_ours, self._rest)

    def _rest(self) -> None:
        if self._limits.turns.are_over(time.monotonic()) and can_wait():
            wait(self.breathe())

    def look(self) -> None:
        """Faults past the run's limits. Lets others go on where it is time to and this code can wait."""
        if self._limits.turns.are_over(self._checked()) and can_wait():
            wait(self.breathe())

    def is_due(self) -> bool:
        """Charges `STRIDE` rounds of a loop; whether others should get a turn. Faults past the run's limits."""
        self._spent += STRIDE
        return self._limits.turns.are_over(self._checked())

    async def breathe(self) -> None:
        """Lets other runs go on."""
        await self._limits.turns.for_one(is_waited_for=self.is_waited_for)

    @property
    def is_waited_for(self) -> bool:
        """Whether it has what others may wait for."""
        return False

    def _checked(self) -> float:
        """The time, which isn't past the limit."""
        now = time.monotonic()
        self._next_look = self._spent + STRIDE
        if self._spent > ITEMS:
            raise _too_far()
        if self._made > self._most:
            self._get_more(0)
        if not self._started:
            self._started = now
            computes()
        if now - self._started > self._limits.time_limit:
            raise self._too_slow()
        return now

    def _too_slow(self) -> Fault:
        return budget_fault(f"it took longer than {self._limits.time_limit:g} seconds")


YAML = (".yaml", ".yml")
FILTERS = os.path.join("engine", "filters") + os.sep


def _is_ours(path: str) -> bool:
    """Whether what a file holds is a stack, or filters that it calls."""
    return path.endswith(YAML) or FILTERS in path


def _likely_size(first: object) -> int:
    """The bytes of each item of a list, judged by its first. Long texts were paid for where they were made."""
    size = sys.getsizeof(first)
    return size if isinstance(first, list | dict) else min(size, TEXT)


def _too_far() -> Fault:
    return budget_fault(f"it walked more than {ITEMS} items")


def _too_large(limit: int) -> Fault:
    return budget_fault(f"it made texts, lists and objects of {limit} bytes, and holds more than half of them")


def _too_little() -> Fault:
    """Where other runs hold what this one would need."""
    message = "The server has too much to do. Try again in a second."
    return Fault("unavailable", message, reason="budget", headers=(("Retry-After", "1"),))


def budget_fault(why: str) -> Fault:
    return Fault("fatal", f"the run was ended: {why}", reason="budget")
