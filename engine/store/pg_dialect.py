"""PostgreSQL's dialect. Its parameters have types, which are settled at load; text is compared by code point."""

from __future__ import annotations

from typing import Any

from engine.store.bind import SCALARS
from engine.store.sql import Dialect
from engine.values import INT_MAX, INT_MIN, Kind

_INTS = ("int", "timestamp")


def type_of(given: Kind, target: Kind) -> str:
    """The type of a value of a kind that meets a target."""
    family = target.family if target.family in SCALARS else given.family
    if family == "number":
        return (
            "bigint" if given.name in _INTS or (given.name == "null" and target.name in _INTS) else "double precision"
        )
    return {"text": "text", "bool": "boolean"}.get(family, "jsonb")


def _parameter(number: int, given: Kind, target: Kind) -> str:
    type_ = type_of(given, target)
    return f"${number}::{type_}" + (' COLLATE "C"' if type_ == "text" else "")


def _list_parameter(number: int, target: Kind) -> str:
    return f"${number}::{type_of(target, target)}[]"


def _list(values: list[object], target: Kind) -> object:
    """The values of a list that its type can hold; what it can't hold equals none of them."""
    if target.family != "number":
        return values
    read = _int if target.name in _INTS else _decimal
    return [item for item in map(read, values) if item is not ...]


def _int(value: Any) -> Any:
    if value is None:
        return None
    return int(value) if value % 1 == 0 and INT_MIN <= value <= INT_MAX else ...


def _decimal(value: Any) -> Any:
    try:
        return value if value is None or float(value) == value else ...
    except OverflowError:
        return ...


DIALECT = Dialect(
    parameter=_parameter,
    list_parameter=_list_parameter,
    true="TRUE",
    false="FALSE",
    is_true="{0} IS TRUE",
    # An index answers this one, and not IS NOT DISTINCT FROM.
    same="{0} = {1} OR ({0} IS NULL AND {1} IS NULL)",
    differs="{0} IS DISTINCT FROM {1}",
    member="{0} = ANY({1})",
    has_null="array_position({0}, NULL) IS NOT NULL",
    element="coalesce({0}::jsonb @> to_jsonb({1}), FALSE)",
    tests={
        "starts_with": "starts_with({0}, {1})",
        "ends_with": "right({0}, length({1})) = {1}",
        "contains": "strpos({0}, {1}) > 0",
    },
    length="length({0})",
    bind_list=_list,
    nothing=None,
)
