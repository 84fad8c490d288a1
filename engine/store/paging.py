"""Numbers and positions of pages, as requests give them and as answers say them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import orjson

from engine.shapes import input_fault
from engine.store.select import Key
from engine.values import INT_MAX, INT_MIN, PYTHON_TYPES

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 1000
MAX_POSITION = 8192  # characters of what `after` takes


def per_page_of(value: object) -> int:
    """The records of a page, by default `DEFAULT_PER_PAGE`. Raises Fault input_error out of its bounds."""
    return whole(value, "per_page", DEFAULT_PER_PAGE, least=1, most=MAX_PER_PAGE)


def whole(value: object, name: str, default: int, *, least: int, most: int = INT_MAX) -> int:
    """A number of paging, `default` for null. Raises Fault input_error out of its bounds."""
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise input_fault([{"param": name, "message": "Input must be an int."}])
    if value < least:
        raise input_fault([{"param": name, "message": f"Value is less than the minimum value of {least}"}])
    if value > most:
        raise input_fault([{"param": name, "message": f"Value is greater than the maximum value of {most}"}])
    return value


def written(values: Sequence[object]) -> str:
    """A position as text for a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


def position_of(given: object, keys: Sequence[Key]) -> list[object]:
    """The position that a text says. Raises Fault input_error where it says none of this query's."""
    try:
        text = given if isinstance(given, str) and len(given) <= MAX_POSITION else ""
        values = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != len(keys) or not all(map(_fits, values, keys)):
        raise input_fault([{"param": "after", "message": "Input is no position in this list."}])
    return [_read(value, key) for value, key in zip(values, keys, strict=True)]


def _read(value: object, key: Key) -> object:
    """A bool may be one of 0 and 1: so SQLite gives it."""
    return bool(value) if key.field.type == "bool" and value is not None else value


def _fits(value: object, key: Key) -> bool:
    """Whether a database could have given a value for a key."""
    if value is None:
        return key.nullable
    if key.field.type == "bool":
        return value in (0, 1)
    if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        return False
    return isinstance(value, PYTHON_TYPES.get(key.field.type, ())) and not isinstance(value, bool)
