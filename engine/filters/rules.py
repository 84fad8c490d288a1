"""What rules of result kinds read: the arguments that are there, be they too few or of the wrong kind.

The checker asks for a result's kind after it has reported what is wrong with the arguments, so a rule never fails.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import Fault
from engine.registry import Misfit, ResultRule
from engine.values import ANY, DECIMAL, INT, Kind, join_all


def kind_at(kinds: list[Kind], place: int, default: Kind = ANY) -> Kind:
    """The kind of an argument, `default` where it is left out."""
    return kinds[place] if place < len(kinds) else default


def of_each(kind: Kind, rule: Callable[[Kind], Kind]) -> Kind:
    """The kind of what a rule makes of a value that is one of several kinds."""
    return join_all(map(rule, kind.choices))


def number_kind(item: Kind | None) -> Kind:
    """The kind of a number that is one of the items of a list, or made of them: an int of ints, and of none."""
    return DECIMAL if item is None or item.name in ("decimal", "any") else INT


def content_checked(kind: Kind, *checks: tuple[int, Callable[[str], object]]) -> ResultRule:
    """The rule of a result of `kind` that tries texts which the author wrote: each place with what takes its text."""

    def rule(kinds: list[Kind], literals: list[object]) -> Kind:
        for place, check in checks:
            text = literal_at(literals, place)
            if isinstance(text, str):
                try:
                    check(text)
                except Fault as fault:
                    raise Misfit(fault.message, place) from None
        return kind

    return rule


def literal_at(literals: list[object], place: int, default: object = ...) -> object:
    """The value of an argument that the author wrote, an ellipsis where it is known only when running."""
    return literals[place] if place < len(literals) else default


def int_at(literals: list[object], place: int, default: object = ...) -> int | None:
    """The int that the author wrote as an argument, or null."""
    value = literal_at(literals, place, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
