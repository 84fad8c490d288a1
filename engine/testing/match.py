"""What was expected against what is there: partial for objects, strict by kind for everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.compare import same
from engine.errors import Span

LENGTH = 100  # characters of a value that are shown

Spans = Callable[..., Span]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that isn't as expected, and the place of the expectation."""

    message: str
    span: Span


def mismatches(
    expected: object, actual: object, where: str, span: Spans, path: tuple[str | int, ...] = ()
) -> Iterator[Finding]:
    """What of `expected` isn't so in `actual`; `span(*keys)` is the place of an expected part.

    An object needs the expected keys and may have more; a list is as long as expected.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _objects(expected, actual, where, span, path)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _lists(expected, actual, where, span, path)
    elif not same(expected, actual):
        yield differs(where, shown(expected), shown(actual), span(*path))


def _objects(
    expected: Mapping[str, object], actual: Mapping[str, object], where: str, span: Spans, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    for key, wanted in expected.items():
        if key in actual:
            yield from mismatches(wanted, actual[key], f"{where}.{key}", span, (*path, key))
        else:
            there = ", ".join(actual) or "nothing"
            message = f"{where}.{key}: expected {shown(wanted)}, it isn't there; there is: {cut(there)}"
            yield Finding(message, span(*path, key))


def _lists(
    expected: Sequence[object], actual: Sequence[object], where: str, span: Spans, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    if len(expected) != len(actual):
        yield differs(where, counted(len(expected)), f"{counted(len(actual))}: {shown(actual)}", span(*path))
        return
    for place, wanted in enumerate(expected):
        yield from mismatches(wanted, actual[place], f"{where}[{place}]", span, (*path, place))


def differs(where: str, expected: str, actual: str, span: Span) -> Finding:
    return Finding(f"{where}: expected {expected}, was {actual}", span)


def counted(number: int) -> str:
    return f"{number} item" if number == 1 else f"{number} items"


def shown(value: object) -> str:
    """A value as reports write it: texts in quotes, the rest as JSON, secrets masked, cut where it is long."""
    if isinstance(value, str) and value.isprintable():
        return f"'{cut(value)}'"
    return cut(json.dumps(value, ensure_ascii=isinstance(value, str), default=str))


def cut(text: str) -> str:
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"
