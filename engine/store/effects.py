"""What statements read and write, as far as others must know: worked out when they are prepared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from engine.sql import Sql
from engine.store.base import Equal, quoted
from engine.store.history import Key, Reading
from engine.store.rows import is_json
from engine.workspace import Table

Row = tuple[Any, ...]
# In SQL of our own: a table, or what belongs to one. What stands between two names is found, too, and is none.
_NAMED = re.compile(r'"([^".]+)')


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement writes in a table.

    `known` are the columns of which its rows have the values as they are now, or were before they went, each with its
    place. `keys` is what it writes besides, where it writes any: columns that become of other values, and tables where
    other records go with its own. Where nothing is `known`, it writes the whole table. `width` is how much of its rows
    others asked for, where that isn't all.
    """

    table: str
    known: tuple[tuple[str, int], ...]
    keys: frozenset[Key]
    width: int | None = None

    def noted(self, writes: set[Key], watched: Set[str], rows: list[Row]) -> list[Row]:
        """Adds to `writes` what a statement has written that returned these rows; answers what was asked for.

        Of a table that isn't `watched` nobody asks for single records.
        """
        if self.keys and (rows or not self.known):
            writes |= self.keys
        if self.table in watched:
            table, add = self.table, writes.add
            for row in rows:
                for column, place in self.known:
                    add((table, column, hash(row[place])))
        return rows if self.width is None else [row[: self.width] for row in rows]


class Effects:
    """Works them out for statements about the tables that `tables` gives, which may be others after a reload."""

    def __init__(self, tables: Callable[[], Mapping[str, Table]]) -> None:
        self._tables = tables

    def reading(self, table: Table, sql: str, equal: Equal = ()) -> Reading:
        """What SQL about a table reads, of the records for which what is `equal` holds."""
        named = {table.name, *_NAMED.findall(sql)} & self._tables().keys()
        known = _known(table)
        return Reading(named, next((each for each in equal if each[0] in known), None))

    def writing(self, table: Table, sql: str, written: Iterable[str]) -> tuple[str, Effect]:
        """SQL that writes these columns of a table, with what it must return besides, and its effect."""
        going = self._reached([table.name]) if sql.startswith("DELETE") else frozenset[str]()
        whole: set[Key] = {(name,) for name in going}
        head, _, returned = sql.rpartition(" RETURNING ")  # which a path into json may have in it, too
        if not head:
            return sql, Effect(table.name, (), frozenset({*whole, (table.name,)}))
        known = _known(table)
        changed = {(table.name, name) for name in known if name in written and head.startswith("UPDATE")}
        names = returned.split(", ")
        more = [quoted(name) for name in known if quoted(name) not in names]
        places = tuple((name, [*names, *more].index(quoted(name))) for name in known)
        width = len(names) if more else None
        return ", ".join([sql, *more]), Effect(table.name, places, frozenset(whole | changed), width)

    def read_by(self, sql: Sql) -> Reading:
        """What an author's SQL reads."""
        return Reading(self._named(sql))

    def written_by(self, sql: Sql) -> frozenset[Key]:
        """What an author's SQL may write."""
        named = self._named(sql)
        return frozenset((name,) for name in named | self._reached(named))

    def _named(self, sql: Sql) -> frozenset[str]:
        said = {token.said for token in sql.tokens}
        return frozenset(name for name in self._tables() if name.lower() in said)

    def _reached(self, tables: Iterable[str]) -> frozenset[str]:
        """The tables whose records may go or change with those of others."""
        found: set[str] = set()
        waiting = list(tables)
        while waiting:
            new = set(_going(waiting.pop(), self._tables().values())) - found
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
