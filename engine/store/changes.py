"""A change of a database: what it does in words and in SQL, and what it takes to be made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from engine.fields import Field
from engine.store import search
from engine.store.base import quoted
from engine.store.schema import definition, index_sql
from engine.workspace import Table


class Risk(IntEnum):
    """What a change takes: nothing, a decision, a decision to lose something, or a mend by hand before."""

    SAFE = 0  # loses nothing, and servers of the older files go on
    DELIBERATE = 1  # loses nothing, but servers of the older files no longer work
    DESTRUCTIVE = 2
    BLOCKED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of a table: the statements that mend it, in order, and what to know or do before.

    Changes that one statement makes together have none of their own; the one after them has it. A table that is
    `seeded` gets its first records.
    """

    table: str
    description: str
    statements: tuple[str, ...] = ()
    risk: Risk = Risk.SAFE
    mend: str = ""
    seeded: Table | None = None

    @property
    def said(self) -> str:
        return f"{self.description}: {self.mend}" if self.mend else self.description


def create_table(name: str, columns: Iterable[Field]) -> str:
    return f"CREATE TABLE {quoted(name)} ({', '.join(map(definition, columns))})"


def add_index(table: Table, name: str, columns: tuple[str, ...], unique: bool) -> Change:
    kind = "a unique index" if unique else "an index"
    return Change(table.name, f"add {kind} over {said(columns)} to the table '{table.name}'", (index_sql(table, name),))


def add_search(table: Table) -> Change:
    return Change(table.name, f"add the search index of the table '{table.name}'", tuple(search.made(table)))


def drop_search(table: Table, name: str) -> Change:
    """Drop the search index of a table that is called `name` as yet."""
    return Change(table.name, f"drop the search index of the table '{name}'", tuple(search.dropped(name)))


def said(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def counted(number: int, verb: str = "") -> str:
    """`1 record`, `12 records`; with a verb in the plural, `1 record holds`."""
    if not verb:
        return f"{number} record{'' if number == 1 else 's'}"
    return f"1 record {_ONE[verb]}" if number == 1 else f"{number} records {verb}"


_ONE = {"hold": "holds", "have": "has", "refer": "refers", "would have": "would have"}
