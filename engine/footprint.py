"""How many bytes the values of a run take while it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from inspect import CO_OPTIMIZED
from traceback import walk_tb
from types import FrameType

from engine.pace import pace
from engine.values import Record, Secret

ITEM = 8  # bytes of a place in a list
ENTRY = 64  # bytes of a field of an object
PLAIN = 32  # bytes of a number, or of the rest of a small text
LIST, OBJECT, TEXT = 88, 232, 112  # bytes of small ones, as expressions write them
_OURS = 2  # references to what nobody else has: a variable, and the argument of who asks
_AT_ONCE = 64  # values that are given back before others go on, as each may be long
_STRIDE = 4096  # values between two looks at the run's limits


def held(frame: FrameType | None, is_ours: Callable[[str], bool], *, callers: bool = True) -> Iterator[object]:
    """The variables of a frame and of those that called it, as far as their code stands in a file that `is_ours`."""
    while frame is not None:
        if is_ours(frame.f_code.co_filename) and frame.f_code.co_flags & CO_OPTIMIZED:
            variables = frame.f_locals
            yield from tuple(variables.values())
            if isinstance(variables, dict):  # a copy, which Python before 3.13 keeps with the frame
                variables.clear()
        frame = frame.f_back if callers else None


def let_go(error: BaseException, is_ours: Callable[[str], bool], rest: Callable[[], object]) -> None:
    """Gives back what the frames that an error went through held, not at once, which could take long: `rest` lets
    others go on. What somebody else still has is left as it is."""
    held_once: list[object] = []
    for frame, _ in walk_tb(error.__traceback__):
        if is_ours(frame.f_code.co_filename):
            held_once += held(frame, is_ours, callers=False)
            frame.clear()
    while held_once:
        value = held_once.pop()
        if isinstance(value, list | dict) and sys.getrefcount(value) <= _OURS:
            while value:
                held_once += _taken_out(value)
                rest()


def _taken_out(value: list[object] | dict[str, object]) -> list[object]:
    """Takes some of what a list or an object holds out of it. Answers those that hold others."""
    if isinstance(value, list):
        taken = value[-_AT_ONCE:]
        del value[-_AT_ONCE:]
    else:
        taken = [value.popitem()[1] for _ in range(min(_AT_ONCE, len(value)))]
    return [each for each in taken if isinstance(each, list | dict)]


def footprint(values: Iterator[object], most: int) -> int:
    """About how many bytes values take with all that is in them, what is shared counted once; stops past `most`."""
    waiting, seen = list(values), set[int]()
    total = walked = 0
    while waiting and total <= most:
        value = waiting.pop()
        if isinstance(value, str | list | dict | Secret) and id(value) not in seen:
            seen.add(id(value))
            total += sys.getsizeof(value)
            for part in _parts(value):
                if part.__class__ in _SMALL or (part.__class__ is str and len(part) < PLAIN):
                    total += PLAIN
                else:
                    waiting.append(part)
            walked += 1 + len(_parts(value))
            if walked > _STRIDE:
                pace(walked)
                walked = 0
    return total


_SMALL = frozenset({int, float, bool, type(None)})


def _parts(value: object) -> tuple[object, ...] | list[object]:
    if isinstance(value, list):
        return value
    if isinstance(value, Record):
        return [*value.values(), *value.secrets.values()]
    if isinstance(value, dict):
        return list(value.values())
    return [value.reveal()] if isinstance(value, Secret) else ()
