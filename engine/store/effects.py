"""What statements read and write, as far as others must know: worked out when they are prepared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.sql import Sql
from engine.store.base import Equal, quoted
from engine.store.history import Reading, WriteSet
from engine.store.rows import is_json
from engine.workspace import Table

Row = tuple[Any, ...]
_NAMED = re.compile(r'"([^".]+)')  # in SQL of our own: a table, or what belongs to one


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement writes in a table.

    Its rows end with the values of the `known` columns, as they are now or were before they went. `changed` are those
    of them that it may have made of others; `reached` the tables where other records may change with those that go.
    Where nothing is `known`, it is the whole table.
    """

    table: str
    known: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reached: frozenset[str] = frozenset()

    def noted(self, writes: WriteSet, rows: list[Row]) -> list[Row]:
        """Adds what was written to `writes`; what the rows have beside it."""
        if not self.known:
            writes.add_tables((self.table, *self.reached))
            return rows
        if not rows:
            return rows
        width, table = len(self.known), self.table
        if self.reached:
            writes.add_tables(self.reached)
        if self.changed:
            writes.columns.update((table, column) for column in self.changed)
        for place, column in enumerate(self.known, -width):
            writes.add_values([(table, column, row[place]) for row in rows])
        return [row[:-width] for row in rows]


class Effects:
    """Works them out for the statements of a workspace's tables."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._known = {name: _known(table) for name, table in tables.items()}
        self._going = {name: tuple(_going(name, tables.values())) for name in tables}

    def reading(self, table: Table, sql: str, equal: Equal = ()) -> Reading:
        """What SQL about a table reads, of the records for which what is `equal` holds."""
        named = {table.name, *_NAMED.findall(sql)} & self._tables.keys()
        return Reading(named, next((each for each in equal if each[0] in self._known[table.name]), None))

    def writing(self, table: Table, sql: str, written: Iterable[str]) -> tuple[str, Effect]:
        """SQL that writes these columns of a table, with what it must return besides, and its effect."""
        reached = self._reached([table.name]) if sql.startswith("DELETE") else frozenset[str]()
        if " RETURNING " not in sql:
            return sql, Effect(table.name, reached=reached)
        known = self._known[table.name]
        changed = tuple(set(known).intersection(written)) if sql.startswith("UPDATE") else ()
        return f"{sql}, {', '.join(map(quoted, known))}", Effect(table.name, known, changed, reached)

    def read_by(self, sql: Sql) -> Reading:
        """What an author's SQL reads."""
        return Reading(self._named(sql))

    def written_by(self, sql: Sql) -> frozenset[str]:
        """The tables that an author's SQL may write."""
        named = self._named(sql)
        return named | self._reached(named)

    def _named(self, sql: Sql) -> frozenset[str]:
        said = {token.said for token in sql.tokens}
        return frozenset(name for name in self._tables if name.lower() in said)

    def _reached(self, tables: Iterable[str]) -> frozenset[str]:
        """The tables whose records may go or change with those of others."""
        found: set[str] = set()
        waiting = list(tables)
        while waiting:
            new = set(self._going[waiting.pop()]) - found
            found |= new
            waiting += new
        return frozenset(found)


def _known(table: Table) -> tuple[str, ...]:
    """The columns by whose values records are told apart: those of indexes."""
    indexed = {name for index in table.indexes if index.type != "search" for name in index.columns}
    unique = {name for names in table.unique for name in names}
    return tuple(
        name
        for name, column in table.columns.items()
        if name in indexed | unique and not is_json(column) and column.type != "password"
    )


def _going(name: str, tables: Iterable[Table]) -> Iterable[str]:
    """The tables that have something done to them where a record of `name` goes."""
    for table in tables:
        referring = (each for each in table.columns.values() if each.table == name and not each.is_list)
        if any(each.on_delete != "restrict" for each in referring):
            yield table.name
