"""How long a value is as JSON, known before it is written: what shares its parts can be endless written out."""

from __future__ import annotations

from engine.bounds import MAX_DEPTH, range_fault
from engine.errors import Fault
from engine.pace import pace
from engine.values import reveal

_PACE = 1024  # values between two looks at the run's limits


def extent(value: object, most: int) -> int:
    """At least how many bytes `value` takes as JSON, each part looked at once however often it is there.

    Raises Fault budget past `most`, and Fault range for more levels than JSON may have here.
    """
    return _extent(value, most, {}, 0)


def _extent(value: object, most: int, known: dict[int, int], level: int) -> int:
    value = reveal(value)
    if value.__class__ is str:
        return len(value) + 2
    if not isinstance(value, list | dict):
        return 1
    size = known.get(id(value))
    if size is None:
        if level > MAX_DEPTH:
            raise range_fault(f"the value has more than {MAX_DEPTH} levels")
        size = known[id(value)] = _extent_of_parts(value, most, known, level + 1)
        if size > most:
            raise too_long(most)
    return size


def _extent_of_parts(value: list[object] | dict[str, object], most: int, known: dict[int, int], level: int) -> int:
    parts = value if isinstance(value, list) else value.values()
    size = 2 + max(0, len(value) - 1)  # brackets and commas
    if isinstance(value, dict):
        size += sum(map(len, value)) + 3 * len(value)
    for place, part in enumerate(parts, 1):
        size += 1 if part.__class__ in _SMALL else _extent(part, most, known, level)
        if place % _PACE == 0:
            pace(_PACE)
            if size > most:
                raise too_long(most)
    return size


_SMALL = frozenset({int, float, bool, type(None)})


def too_long(most: int) -> Fault:
    return Fault("fatal", f"the run was ended: it made a value of more than {most} bytes of JSON", reason="budget")
