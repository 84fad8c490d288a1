"""What makes a value of an expression the one that a condition binds, strict by kind as the language is.

SQL compares `'5'` with `5` as equal where a column's affinity says so; a value of another kind than the column's
is therefore replaced by one that equals nothing, or is a fault where an order was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from engine.bounds import decimal
from engine.errors import kind_fault
from engine.filters.measures import checked_point
from engine.shapes import input_fault
from engine.store.base import Convert
from engine.values import INT_MAX, INT_MIN, Kind, kind_of, reveal

LAST = "\U0010ffff"
SCALARS = ("number", "text", "bool")
_TYPES = {"number": (int, float), "text": (str,), "bool": (bool,)}
# Known to be these, a value is bound as it is; a decimal might be NaN.
_PLAIN = frozenset({"int", "timestamp", "bool", "text", "email", "uuid", "date", "enum", "null"})


def scalar(given: Kind, target: Kind, label: str, ordered: bool, nothing: object) -> Convert | None:
    """The conversion of a single value that meets a `target`; None where `given` needs none."""
    fits = target.family == given.family or target.is_open or given.name == "null"
    if given.name in _PLAIN and not given.secret and fits:
        return None
    types = _types(target)

    def convert(value: Any) -> object:
        value = reveal(value)
        if value is None:
            return None
        if not _is_one_of(value, types):
            if ordered:
                raise kind_fault(f"{kind_of(value)} can't be compared with '{label}', which is {target.present()}")
            return nothing
        if isinstance(value, float) and value != value:
            raise input_fault([{"param": label, "message": "Input is not a number."}])
        return value

    return convert


def checking(convert: Convert | None, check: Callable[[Any], object]) -> Convert:
    """A conversion that has what isn't null looked at by what faults for some."""

    def checked(value: Any) -> object:
        converted = reveal(value) if convert is None else convert(value)
        if converted is not None:
            check(converted)
        return converted

    return checked


def whole(value: object) -> None:
    """Raises Fault kind for what is no int."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise kind_fault(f"an int is needed, not {kind_of(value)}")


BindList = Callable[[list[object], Kind], object]
_NOTHING = object()


def alone(given: Kind, target: Kind, label: str, optional: bool, bind: BindList) -> Convert:
    """The conversion of a single value to a list of it, of none where it can't equal a `target`."""
    convert = scalar(given, target, label, False, _NOTHING) or reveal

    def listed(value: Any) -> object:
        value = convert(value)
        if value is None and optional:
            return None
        if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
            raise input_fault([{"param": label, "message": "Input is an int past 64 bits."}])
        return bind([] if value is _NOTHING else [value], target)

    return listed


def listing(target: Kind, label: str, optional: bool, bind: BindList) -> Convert:
    """The conversion of a list whose items meet a `target`: those that can equal it, and null, are kept."""
    types = _types(target)

    def convert(value: Any) -> object:
        value = reveal(value)
        if value is None and optional:
            return None
        if not isinstance(value, list):
            raise kind_fault(f"'in' needs a list, not {kind_of(value)}")
        items = [reveal(item) for item in value]
        try:
            return bind([item for item in items if item is None or _is_storable(item, types)], target)
        except ValueError as error:
            raise input_fault([{"param": label, "message": str(error)}]) from None

    return convert


def vector(label: str, size: int) -> Convert:
    """The conversion of a list that is measured against a vector of so many numbers."""

    def convert(value: Any) -> object:
        value = reveal(value)
        if value is None:
            return None
        items: list[Any] = [reveal(item) for item in value] if isinstance(value, list) else [None]
        if not all(_is_storable(item, (int, float)) for item in items):
            raise kind_fault(f"a vector is a list of numbers, '{label}' is measured against {kind_of(value)}")
        if len(items) != size:
            raise input_fault([{"param": label, "message": f"Input must have {size} items, it has {len(items)}."}])
        return orjson.dumps([decimal(float(item)) for item in items]).decode()

    return convert


def point(value: Any) -> object:
    """The conversion of a point that is measured. Raises Fault where it is none."""
    value = reveal(value)
    return None if value is None else orjson.dumps(checked_point(value)).decode()


def after(prefix: str) -> str | None:
    """The least text that is greater than all that start with `prefix`, by code points; None where there is none."""
    kept = prefix.rstrip(LAST)
    if not kept:
        return None
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)


def _types(target: Kind) -> tuple[type, ...]:
    return _TYPES.get(target.family, (int, float, str, bool))


def _is_one_of(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _is_storable(value: Any, types: tuple[type, ...]) -> bool:
    """Whether a column could hold it: NaN, the infinities and NUL are in none."""
    if isinstance(value, float) and value - value != 0:
        return False
    return _is_one_of(value, types) and not (isinstance(value, str) and "\0" in value)
