"""Paths into values: text with dots, `items.0.name`, or a number for a list's place, negative from the end."""

from __future__ import annotations

import re
from typing import Final

from engine.bounds import range_fault, unfit
from engine.errors import Fault
from engine.filters.rules import literal_at
from engine.values import ANY, Kind, join, join_all

MAX_STEPS = 64
_PLACE = re.compile(r"-?[0-9]{1,7}")


class Missing:
    """What stands where a path leads nowhere, since null may be a value."""


MISSING: Final = Missing()


def parts(path: object) -> list[str]:
    """The steps of a path; none of the empty path, which is the value itself. Faults for what is no path."""
    if not isinstance(path, (str, int)) or isinstance(path, bool):
        raise unfit("a path", "a text or an int", path)
    if path == "":
        return []
    steps = str(path).split(".", MAX_STEPS)
    if len(steps) > MAX_STEPS:
        raise range_fault(f"a path has at most {MAX_STEPS} steps")
    return steps


def literal_steps(literals: list[object], default: object = ...) -> list[str] | None:
    """The steps of the path that the author wrote as the first argument, null where it is known only when running."""
    path = literal_at(literals, 1, default)
    try:
        return None if path is ... else parts(path)
    except Fault:
        return None


def is_place(step: str) -> bool:
    """Whether a step can mean a list's place."""
    return _PLACE.fullmatch(step) is not None


def place(step: str, size: int) -> int | None:
    """The index that `step` means in a list of `size` items, or null where it means none."""
    if not is_place(step):
        return None
    index = int(step) + size if step.startswith("-") else int(step)
    return index if 0 <= index < size else None


def follow(value: object, steps: list[str]) -> object:
    """What lies at the end of a path, or `MISSING`."""
    for step in steps:
        value = _enter(value, step)
    return value


def _enter(value: object, step: str) -> object:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list):
        index = place(step, len(value))
        return MISSING if index is None else value[index]
    return MISSING


def lookup(value: object, steps: list[str]) -> object:
    """What lies at the end of a path, or null."""
    found = follow(value, steps)
    return None if found is MISSING else found


def follow_kind(kind: Kind, steps: list[str], default: Kind) -> Kind:
    """The kind of what lies at the end of a path; joined with `default`'s where it may lead nowhere."""
    certain = True
    for step in steps:
        inside, there = _enter_kind(kind, step)
        if inside is None:
            return default
        certain = certain and there and not kind.nullable
        kind = inside.tainted_by(kind)
    return kind if certain else join(kind, default)


def _enter_kind(kind: Kind, step: str) -> tuple[Kind | None, bool]:
    """The kind found one step inside, none where nothing can be; and whether it is always there."""
    if kind.is_open:
        return ANY, False
    if kind.options:
        entered = [_enter_kind(each, step) for each in kind.options]
        found = [inside for inside, _ in entered if inside is not None]
        certain = len(found) == len(entered) and all(there for _, there in entered)
        return join_all(found) if found else None, certain
    if kind.name == "list":
        return (kind.item or ANY) if is_place(step) else None, False
    if kind.name not in ("object", "file"):
        return None, False
    fields = kind.visible
    return (kind.item or ANY, False) if fields is None else (fields.get(step), step not in kind.optional)
