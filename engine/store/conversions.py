"""How stored values of one type are read as another's: what a column that changes its type becomes.

A value that can't be read becomes null; nothing is rounded, cut or guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Types whose stored values can be read as the other's as they are, by what the file says now.
_READABLE = {
    "text": frozenset({"email", "enum", "uuid", "date"}),
    "email": frozenset({"text", "enum"}),
    "enum": frozenset({"text", "email"}),
    "int": frozenset({"timestamp"}),
    "timestamp": frozenset({"int"}),
}
_TEXTS = frozenset({"text", "email", "enum", "uuid", "date"})

LARGEST = "1.7976931348623157e308"  # decimal


@dataclass(frozen=True, slots=True)
class Conversion:
    """`sql` makes the new value of the column `{0}`; `loses` holds where it says less than the old one."""

    sql: str
    loses: str = "FALSE"


UNCHANGED = Conversion("{0}")


def is_readable(was: str, now: str) -> bool:
    """Whether values stored as `was` need no conversion to be read as `now`."""
    return was == now or was in _READABLE.get(now, ())


def conversion(was: str, now: str, known: Mapping[tuple[str, str], Conversion]) -> Conversion | None:
    """What makes values of `now` of those stored as `was`; None where there is nothing that does."""
    return known.get((was, now)) or known.get((_plain(was), _plain(now)))


def _plain(type_: str) -> str:
    return "text" if type_ in _TEXTS - {"uuid", "date"} else "int" if type_ == "timestamp" else type_
