"""Equality and order of values, strict by kind: `1` is `1.0`, but neither `true` nor `"1"`."""

from __future__ import annotations

import hmac
import random
from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import Any

from engine.bounds import survey
from engine.errors import kind_fault
from engine.pace import pace, paced
from engine.values import kind_of, reveal

_MOST_AT_ONCE = 4096  # values that are sorted in one piece
_DENSITY = 16  # values of a sample for each part


def same(left: object, right: object) -> bool:
    """Whether two values are equal: numbers by value, texts by code points, lists and objects by what they hold."""
    left_key, right_key = identities([left, right])
    return left_key == right_key


def same_secret(left: object, right: object) -> bool:
    """As `same`, where one is secret or holds what is: in constant time, but for the length."""
    survey([left, right])
    return hmac.compare_digest(*(repr(_canonical(value)).encode() for value in (left, right)))


def identities(values: Sequence[object]) -> list[Hashable]:
    """For each value a key that two values share exactly when they are the same.

    Takes time in proportion to all that the values hold, which is bounded. A list or object becomes one text,
    whose hash is seeded: no chosen input can make keys collide.
    """
    trees: list[object] = [value for value in values if isinstance(value, (list, dict))]
    if trees:
        survey(trees)
    return [_identity(value) for value in paced(values)]


def _identity(value: object) -> Hashable:
    value = reveal(value)
    if value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return ("bool", value) if isinstance(value, bool) else value
    return ("tree", repr(_canonical(value)))


def _canonical(value: object) -> object:
    value = reveal(value)
    if isinstance(value, list):
        return [_canonical(item) for item in paced(value)]
    if isinstance(value, dict):
        return {key: _canonical(value[key]) for key in paced(sorted(value))}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def ordered(values: Sequence[Any], *, descending: bool = False) -> list[int]:
    """The places of numbers, texts or bools in their order, nulls first; faults when kinds mix or have no order.

    Texts are ordered by code point, as `<` does. What is equal keeps its order.
    """
    families = {_family(value) for value in set(map(type, paced(values)))}
    if len(families - {""}) > 1:
        raise kind_fault(f"{' and '.join(sorted(families - {''}))} have no common order")
    nulls = [place for place, value in enumerate(values) if value is None]
    others = [place for place, value in enumerate(values) if value is not None] if nulls else [*range(len(values))]
    in_order = _ordered(others, values, descending)
    return [*in_order, *nulls] if descending else [*nulls, *in_order]


def _ordered(places: list[int], values: Sequence[Any], descending: bool) -> list[int]:
    """Many are sorted in parts, between which others go on: each of what lies between two of a sample."""
    if len(places) <= _MOST_AT_ONCE:
        return sorted(places, key=values.__getitem__, reverse=descending)
    sample = random.sample(places, _DENSITY * len(places) // _MOST_AT_ONCE)
    ends = sorted({values[place] for place in sample})[:: _DENSITY // 2]
    parts: list[list[int]] = [[] for _ in range(len(ends) + 1)]
    for place in paced(places):
        parts[bisect_right(ends, values[place])].append(place)
    made: list[int] = []
    for part in reversed(parts) if descending else parts:
        pace(len(part))
        if len(part) < len(places):
            made += _ordered(part, values, descending)
        else:  # all are equal, which is no work
            made += sorted(part, key=values.__getitem__, reverse=descending)
    return made


def _family(kind: type) -> str:
    if kind is type(None):
        return ""
    if issubclass(kind, bool | int | float | str):
        return f"{kind_of(kind()).family}s"
    raise kind_fault("only numbers, texts and bools have an order: name the path of one")
