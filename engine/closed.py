"""Values of an open kind, once they have shown to be of a kind that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import Fault, value_fault
from engine.values import ANY, PYTHON_TYPES, Kind, Secret, kind_of


def closed(value: object, kind: Kind, place: str = "") -> object:
    """A value that is of a kind, with no fields but its; what may be left out and is null or isn't there, is null.

    Nothing is converted. Raises a `Fault` that names the `place` within the value that is of another kind.
    """
    if kind.is_open or (value is None and kind.may_be_null):
        return value
    for option in kind.choices:
        if isinstance(value, PYTHON_TYPES.get(option.name, ())) and isinstance(value, bool) == (option.name == "bool"):
            return _closed_within(value, option, place)
    raise _other(value, kind, place)


def _other(value: object, kind: Kind, place: str) -> Fault:
    given = "a secret" if isinstance(value, Secret) else kind_of(value)
    return value_fault(f"{place or 'the value'} must be {kind}, not {given}")


def _closed_within(value: object, kind: Kind, place: str) -> object:
    if isinstance(value, list):
        return [closed(each, kind.item or ANY, f"{place}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, dict) and kind.fields is not None:
        parts = {name: part for name, part in kind.fields.items() if name in value or name not in kind.optional}
        owner = f"{place}." if place else ""
        return {name: closed(value.get(name), part, owner + name) for name, part in parts.items()}
    if isinstance(value, dict) and kind.item is not None:
        return {name: closed(each, kind.item, f"{place}[{name}]") for name, each in value.items()}
    if kind.values and value not in kind.values:
        raise _other(value, kind, place)
    return value


def left_out(values: Mapping[str, object], kind: Kind) -> list[str]:
    """The names of those of an object's fields that aren't of a kind as a whole, or not in it."""
    return [] if kind.fields is None else [name for name in values if name not in those_closed(values, kind)]


def those_closed(values: Mapping[str, object], kind: Kind) -> dict[str, Any]:
    """Those of an object's fields that are of a kind as a whole; the others are left out."""
    found: dict[str, Any] = {}
    for name, part in (kind.fields or {}).items():
        if name in values:
            try:
                found[name] = closed(values[name], part)
            except Fault:
                continue
    return found
