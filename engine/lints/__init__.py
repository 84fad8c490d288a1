"""Habits that are worth a warning: what runs, and is probably not meant.

Each is a small function over a stack that was checked without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.errors import Problem
from engine.lints.accounts import told_apart
from engine.lints.conditions import always_the_same
from engine.lints.ownership import unowned
from engine.lints.reading import Subject
from engine.lints.refusals import unguarded
from engine.lints.stores import never_read

_LINTS: tuple[Callable[[Subject], Iterator[Problem]], ...] = (
    always_the_same,
    never_read,
    unowned,
    told_apart,
    unguarded,
)


def findings(subject: Subject) -> Iterator[Problem]:
    """What all lints say of a stack."""
    for lint in _LINTS:
        yield from lint(subject)
