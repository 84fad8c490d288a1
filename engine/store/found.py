"""What a database holds as yet: its tables, by the names that they get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.fields import Field
from engine.store.schema import refers

Reference = tuple[str, str]  # the table that a column refers to, and what becomes of it when the record there goes
NO_REFERENCE = ("", "")


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """`stored` is what it is called as yet, `type` the author's, `constraint` what the database calls its reference."""

    name: str
    stored: str
    type: str
    required: bool
    reference: Reference = NO_REFERENCE
    constraint: str = ""


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """`sql` makes it again; it is empty where nobody needs to."""

    name: str
    columns: tuple[str, ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class FoundTable:
    """`triggers` are the statements that make them again; see `Ddl.search_of` for `search`."""

    columns: dict[str, FoundColumn] = field(default_factory=dict)
    indexes: dict[str, FoundIndex] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()
    search: str = ""


@dataclass(frozen=True, slots=True)
class Renaming:
    """What gets another name: of each table, and by table of each of its columns, the one that it has as yet.

    `statements` are what renames.
    """

    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    statements: tuple[str, ...] = ()


def reference_of(column: Field) -> Reference:
    """What a column refers to by its file."""
    return (column.table, column.on_delete) if refers(column) else NO_REFERENCE
