"""Filters so plain that Python has them: written out where the checker proved the kinds, called elsewhere."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence

from engine.builders import call, compared, const, method
from engine.values import Kind

Inline = Callable[..., ast.expr]


def _method(attribute: str) -> Inline:
    return lambda value, *arguments: method(value, attribute, *arguments)


def _function(builtin: str) -> Inline:
    return lambda value: call(builtin, value)


def _holds(value: ast.expr, part: ast.expr) -> ast.expr:
    return compared(part, ast.In(), value)


# The families of the arguments, and what is written.
INTRINSICS: Mapping[str, tuple[tuple[frozenset[str], ...], Inline]] = {
    "trim": ((frozenset({"text"}),), _method("strip")),
    "ltrim": ((frozenset({"text"}),), _method("lstrip")),
    "rtrim": ((frozenset({"text"}),), _method("rstrip")),
    "to_lower": ((frozenset({"text"}),), _method("lower")),
    "to_upper": ((frozenset({"text"}),), _method("upper")),
    "strlen": ((frozenset({"text"}),), _function("len")),
    "count": ((frozenset({"list", "object"}),), _function("len")),
    "starts_with": ((frozenset({"text"}), frozenset({"text"})), _method("startswith")),
    "ends_with": ((frozenset({"text"}), frozenset({"text"})), _method("endswith")),
    "contains": ((frozenset({"text"}), frozenset({"text"})), _holds),
}

# Filters that make an int of any number: what Python makes is bounded where it is made.
WHOLE: Mapping[str, Callable[[float], int]] = {"floor": math.floor, "ceil": math.ceil}

# Below EXACT, a decimal scaled to the digits that are kept is exact to far better than SURE is off half: so far from
# half way Python's rounding of the binary form and ours of what is written agree.
EXACT, SURE = 1e9, 0.5 - 1e-6
MOST_DIGITS = 8  # for which that is so


def is_near(value: ast.expr, error: ast.expr, digits: int) -> ast.expr:
    """Whether Python rounds a value to so many digits as `round` does; `error` is by how much it changes it."""
    scale = 10.0**digits
    return ast.BoolOp(ast.And(), [between(EXACT / scale, value), between(SURE / scale, error)])


def between(most: float, value: ast.expr) -> ast.expr:
    """Whether a number is no further from 0 than `most`."""
    return ast.Compare(const(-most), [ast.LtE(), ast.LtE()], [value, const(most)])


def inlined(filter_: str, kinds: Sequence[Kind]) -> Inline | None:
    """How a filter of arguments of these kinds is written out; None where it must be called."""
    families, inline = INTRINSICS.get(filter_, ((), None))
    if len(families) != len(kinds) or any(kind.nullable or kind.secret for kind in kinds):
        return None
    return inline if all(kind.family in family for kind, family in zip(kinds, families, strict=True)) else None
