"""What a filter's result may measure: every result passes through here, so that no expression outgrows its run."""

from __future__ import annotations

import math

from engine.errors import Fault, kind_fault
from engine.pace import paced
from engine.values import INT_MAX, INT_MIN, kind_of, reveal

MAX_TEXT = 16 * 1024 * 1024  # characters
MAX_ITEMS = 1_000_000
MAX_DEPTH = 200  # levels of lists and objects


def range_fault(message: str, told: str = "") -> Fault:
    """The fault of a result that leaves its bounds."""
    return Fault("fatal", message, reason="range", told=told)


def out_of_range(*, is_int: bool) -> Fault:
    """The fault of arithmetic that leaves the bounds of its kind."""
    return range_fault("the result is no int of 64 bits" if is_int else "the result is too large for a decimal")


def unfit(name: str, wanted: str, value: object) -> Fault:
    """The fault of a value that a union annotation let in; says its kind, never the value, which may be secret."""
    given = "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else kind_of(value).label
    return kind_fault(f"'{name}' takes {wanted}, not {given}")


def integer(value: int) -> int:
    """`value`, which must fit in 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise out_of_range(is_int=True)


def decimal(value: float) -> float:
    """`value`, which must be finite; a negative zero becomes zero."""
    if math.isfinite(value):
        return value + 0.0
    raise out_of_range(is_int=False)


def room_for_text(length: int) -> None:
    """Faults when a text of `length` characters may not be built."""
    if length > MAX_TEXT:
        raise range_fault(f"the text would be longer than {MAX_TEXT} characters")


def room_for_items(count: int) -> None:
    """Faults when a list of `count` items may not be built."""
    if count > MAX_ITEMS:
        raise range_fault(f"the list would have more than {MAX_ITEMS} items")


def bounded_text(text: str) -> str:
    """`text`, which must be within the bounds of a text."""
    room_for_text(len(text))
    return text


def stretch(size: int, offset: int, length: int | None) -> tuple[int, int]:
    """Start and end of a stretch of `size` places; what is negative counts from the end, a null length is the rest."""
    start = min(offset, size) if offset >= 0 else max(0, size + offset)
    if length is None:
        return start, size
    end = start + length if length >= 0 else size + length
    return start, max(start, min(end, size))


def survey(value: object) -> int:
    """How many values `value` has within it. Faults when, written out as a tree, it has too many of them, of
    characters or of levels.

    Lists and objects may share parts, so a small graph can stand for an endless tree: whatever walks a
    value to its leaves surveys it first.
    """
    count, length, level = 1, 0, [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[object] = []
        for each in map(reveal, paced(level)):
            children = _children(each)
            count += len(children)
            length += _length(each)
            if count > MAX_ITEMS or length > MAX_TEXT:
                raise range_fault(f"the value has more than {MAX_ITEMS} items or {MAX_TEXT} characters")
            below.extend(children)
        if not below:
            return count
        level = below
    raise range_fault(f"the value has more than {MAX_DEPTH} levels")


def bare(value: object) -> object:
    """`value` with all that is secret within it unmasked. What lies beside records stays there."""
    survey(value)
    return _bare(value)


def _bare(value: object) -> object:
    value = reveal(value)
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return {key: _bare(item) for key, item in value.items()} if type(value) is dict else value


def _children(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(len, value)) if isinstance(value, dict) else 0
