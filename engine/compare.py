"""Equality and order of values, strict by kind: `1` is `1.0`, but neither `true` nor `"1"`."""

from __future__ import annotations

import hmac
from collections.abc import Hashable, Sequence
from typing import Any

from engine.bounds import survey
from engine.errors import kind_fault
from engine.pace import paced
from engine.values import kind_of, reveal


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


def sort_keys(values: Sequence[object]) -> list[tuple[bool, Any]]:
    """Sort keys, nulls first, for numbers or texts or bools; faults when kinds mix or have no order.

    Texts are ordered by code point, as `<` does.
    """
    families = {_family(value) for value in values if value is not None}
    if len(families) > 1:
        raise kind_fault(f"{' and '.join(sorted(families))} have no common order")
    return [(value is not None, value) for value in values]


def _family(value: object) -> str:
    if isinstance(value, (bool, int, float, str)):
        kind = kind_of(value)
        return f"{kind.family}s"
    raise kind_fault("only numbers, texts and bools have an order: name the path of one")
