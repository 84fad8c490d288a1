"""Text functions of PostgreSQL that know all letters: by ICU, whatever the database's own collation is."""

from __future__ import annotations

LETTERS = 'COLLATE "und-x-icu"'


def lower(sql: str) -> str:
    return f'(lower(({sql}) {LETTERS}) COLLATE "C")'


def upper(sql: str) -> str:
    return f'(upper(({sql}) {LETTERS}) COLLATE "C")'


def folded(sql: str) -> str:
    """A text that is the same for all that differ in case alone."""
    return f"translate({lower(upper(sql))}, 'ς', 'σ')"
