"""A table of a SQLite database beside what its file says: the changes that would make it that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from sqlite_utils import Database
from sqlite_utils.db import Column as Found
from sqlite_utils.db import Table as Existing

from engine.fields import Field
from engine.store import search
from engine.store.base import quoted
from engine.store.changes import Change, Risk, add_index, add_search, counted, create_table, drop_search, said
from engine.store.conversions import UNCHANGED, Conversion, conversion, is_readable
from engine.store.rows import default
from engine.store.schema import declared, definition, index_where, indexes_of, refers, type_of
from engine.workspace import Table


@dataclass(frozen=True, slots=True)
class State:
    """The records as they are, the tables as they are once all is renamed, and the tables that are wanted.

    `sources` has what each table is called as yet.
    """

    records: sqlite3.Connection
    structure: Database
    wanted: Database
    sources: Mapping[str, str]

    def count(self, sql: str) -> int:
        """The number that a query without parameters counts."""
        return int(self.records.execute(sql).fetchone()[0])


class TableChanges:
    """A table that is there beside what its file says."""

    def __init__(self, state: State, table: Table) -> None:
        self.state, self.table, self.source = state, table, state.sources[table.name]
        existing = state.structure[table.name]
        assert isinstance(existing, Existing)
        self.existing = existing
        self.found = {column.name: column for column in existing.columns}
        self.stored = dict(zip(self.found, self._stored(), strict=True))
        self.kept = [column for name, column in table.columns.items() if name in self.found]
        self.named = f"the table '{table.name}'"

    def _stored(self) -> list[str]:
        """What the columns are called as yet."""
        return [row[1] for row in self.state.records.execute(f"PRAGMA table_info({quoted(self.source)})")]

    def changes(self) -> Iterator[Change]:
        yield from self.unindexed()
        yield from self.alterations
        if self.is_rebuilt:
            yield self.change(f"make {self.named} anew with its records", tuple(self.rebuilt()))
        for name, column in self.table.columns.items():
            if name not in self.found:
                yield self.added(column)
        yield from self.indexed()
        if self.table.search and (self.is_searched_anew or not self.searched):
            yield add_search(self.table)

    @cached_property
    def alterations(self) -> tuple[Change, ...]:
        """What becomes of the columns that are there."""
        altered = [change for column in self.kept for change in self.altered(column)]
        gone = [self.gone(found) for name, found in self.found.items() if name not in self.table.columns]
        return (*altered, *gone)

    @property
    def is_rebuilt(self) -> bool:
        return any(change.risk < Risk.BLOCKED for change in self.alterations)

    def change(
        self, description: str, statements: tuple[str, ...] = (), risk: Risk = Risk.SAFE, mend: str = ""
    ) -> Change:
        return Change(self.table.name, description, statements, risk, mend)

    def count(self, condition: str) -> int:
        """How many records, as they are, a condition holds for."""
        return self.state.count(f"SELECT count(*) FROM {quoted(self.source)} WHERE {condition}")

    # Columns that are there.

    def altered(self, column: Field) -> Iterator[Change]:
        found, name = self.found[column.name], f"'{column.name}' of {self.named}"
        was, now = declared(found.type), declared(type_of(column))
        converted = self.conversion(column)
        if converted is None:
            mend = "add a column with another name, copy what you need, and drop the old one"
            yield self.change(f"turn the {was} {name} into {now}", (), Risk.BLOCKED, mend)
            return
        if not is_readable(was, now):
            yield self.converted(column, f"turn the {was} {name} into {now}", converted)
        if column.name != "id":
            yield from self.nullability(column, name, bool(found.notnull), converted)
        was_for, now_for = (self.reference(each, column) for each in (self.state.structure, self.state.wanted))
        if was_for[0] != now_for[0]:
            yield self.referring(column, name)
        elif was_for != now_for:
            yield self.change(f"make it '{now_for[1]}' when the record goes that {name} refers to")

    def conversion(self, column: Field) -> Conversion | None:
        """How a column's values become what its file says; None where nobody can say."""
        was, now = declared(self.found[column.name].type), declared(type_of(column))
        if is_readable(was, now):
            return UNCHANGED
        return None if column.name == "id" else conversion(was, now)

    def old(self, column: Field) -> str:
        """A column as it is called as yet."""
        return quoted(self.stored[column.name])

    def expression(self, column: Field, source: str) -> str:
        """What a column becomes, of the one called `source`."""
        found = self.conversion(column)
        assert found is not None
        value = found.sql.format(source)
        filler = "" if column.may_be_null or column.name == "id" else self.filler(column, "")
        return f"coalesce({value}, {filler})" if filler else value

    def converted(self, column: Field, description: str, converted: Conversion) -> Change:
        old = self.old(column)
        lost = self.count(f"({converted.sql} IS NULL OR {converted.loses}) AND {{0}} IS NOT NULL".format(old))
        if not lost:
            return self.change(description, (), Risk.DELIBERATE)
        return self.change(f"{description}, where {counted(lost, 'hold')} what can't be kept", (), Risk.DESTRUCTIVE)

    def nullability(self, column: Field, name: str, notnull: bool, converted: Conversion) -> Iterator[Change]:
        if column.may_be_null:
            if notnull:
                yield self.change(f"let {name} be null")
            return
        if notnull and converted == UNCHANGED:
            return  # the records needn't be counted
        empty = self.count(f"{converted.sql} IS NULL".format(self.old(column)))
        if empty and self.filler(column, ""):
            yield self.change(f"give {counted(empty)} the default of {name}", (), Risk.DESTRUCTIVE)
        elif empty:
            mend = f"fill them first, give it a default, or write '{column.name}?'"
            yield self.change(f"require {name}, where {counted(empty, 'would have')} none", (), Risk.BLOCKED, mend)
        elif not notnull:
            yield self.change(f"require {name}", (), Risk.DELIBERATE)

    def reference(self, database: Database, column: Field) -> tuple[str, str]:
        """The table that a column refers to, and what becomes of it when the record there goes."""
        table = database[self.table.name]
        assert isinstance(table, Existing)
        found = [(each.other_table, each.on_delete) for each in table.foreign_keys if each.column == column.name]
        return found[0] if found else ("", "")

    def referring(self, column: Field, name: str) -> Change:
        if not refers(column):
            return self.change(f"let {name} refer to no table any more")
        is_there = column.table in self.state.structure.table_names()
        others = f'SELECT "id" FROM {quoted(self.state.sources[column.table])}'
        there = f"NOT IN ({others})" if is_there else "IS NOT NULL"
        dangling = self.count(f"{self.expression(column, self.old(column))} {there}")
        if dangling:
            mend = "change them first, or add a column with another name"
            description = f"let {name} refer to '{column.table}', where {counted(dangling, 'refer')} to none"
            return self.change(description, (), Risk.BLOCKED, mend)
        return self.change(f"let {name} refer to '{column.table}'", (), Risk.DELIBERATE)

    def gone(self, found: Found) -> Change:
        held = self.count(f"{quoted(self.stored[found.name])} IS NOT NULL")
        description = f"drop the column '{found.name}' of {self.named}, where {counted(held, 'hold')} a value"
        return self.change(description, (), Risk.DESTRUCTIVE, self.guessed(found))

    def guessed(self, found: Found) -> str:
        """What to do where a new column of the same type looks like the old one's new name."""
        added = [column for name, column in self.table.columns.items() if name not in self.found]
        new = [column.name for column in added if type_of(column) == found.type]
        return f"if '{new[0]}' is its new name, say so there with 'was: {found.name}'" if len(new) == 1 else ""

    def rebuilt(self) -> Iterator[str]:
        """The table made anew with the same rows, next id and indexes (sqlite.org/lang_altertable.html §7)."""
        new, old = quoted(f"{self.table.name}.new"), quoted(self.table.name)
        columns = [column for column in self.kept if self.conversion(column) is not None]
        names = ", ".join(quoted(column.name) for column in columns)
        values = ", ".join(self.expression(column, quoted(column.name)) for column in columns)
        yield create_table(f"{self.table.name}.new", columns)
        yield f"INSERT INTO {new} ({names}) SELECT {values} FROM {old}"
        if self.table.id.type == "int":
            new_name, name = _literal(f"{self.table.name}.new"), _literal(self.table.name)
            yield f"DELETE FROM sqlite_sequence WHERE name = {new_name}"
            yield (
                "INSERT INTO sqlite_sequence (name, seq)"
                f" SELECT {new_name}, seq FROM sqlite_sequence WHERE name = {name}"
            )
        yield f"DROP TABLE {old}"
        yield f"ALTER TABLE {new} RENAME TO {old}"
        yield from self.beside()

    def beside(self) -> Iterator[str]:
        """The indexes that stay, those made by hand included, and the triggers but those of a search index."""
        gone = self.unwanted()
        for index in self.existing.indexes:
            if index.name not in gone and self.table.columns.keys() >= set(index.columns):
                yield from self.sql_of("index", index.name)
        for name in self.names_of("trigger"):
            if name not in search.triggers_of(self.table.name):
                yield from self.sql_of("trigger", name)

    def names_of(self, type_: str) -> list[str]:
        """What is there of the table, its indexes or triggers."""
        sql = "SELECT name FROM sqlite_master WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL"
        return [row[0] for row in self.state.structure.execute(sql, [self.table.name, type_]).fetchall()]

    def sql_of(self, type_: str, name: str) -> Iterator[str]:
        sql = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL AND name = ?"
        values = [self.table.name, type_, name]
        yield from (row[0] for row in self.state.structure.execute(sql, values).fetchall())

    # Columns that aren't.

    def added(self, column: Field) -> Change:
        description = f"add the column '{column.name}' to {self.named}"
        filler = self.filler(column)
        if filler is None:
            mend = f"give it a default, or write '{column.name}?'"
            has_none = f"which is required, where {counted(self.count('1'), 'have')} none"
            return self.change(f"{description}, {has_none}", (), Risk.BLOCKED, mend)
        add = f"ALTER TABLE {quoted(self.table.name)} ADD COLUMN {definition(column, filler)}"
        fill = f"UPDATE {quoted(self.table.name)} SET {quoted(column.name)} = {_UUID}"
        return self.change(description, (add, fill) if is_made(column, "uuid") else (add,))

    def filler(self, column: Field, nothing: str | None = None) -> str | None:
        """What records already there get, as SQL: empty for null; `nothing` where there is nothing to give them."""
        if is_made(column, "now"):
            moment = int(time.time() * 1000)
            return str(moment) if column.type == "timestamp" else _literal(_day(moment))
        if is_made(column, "uuid"):
            return "''" if nothing is None else f"({_UUID})"
        value = default(self.table, column)
        if value is not None:
            return _literal(value)
        if column.may_be_null or nothing is not None:
            return ""
        return ("''" if type_of(column).startswith("TEXT") else "0") if not self.count("1") else None

    # Indexes.

    @cached_property
    def searched(self) -> str:
        """The search index that is there, as SQL."""
        return search.found(self.state.records, self.source)

    @property
    def is_searched_anew(self) -> bool:
        """Whether the search index that is there, if any, can't stay: it knows names, and the records as they were."""
        is_renamed = any(name != stored for name, stored in self.stored.items())
        return self.searched != search.definition(self.table) or is_renamed or self.is_rebuilt

    def unsearched(self) -> Iterator[Change]:
        """What comes before all else, renames included."""
        if self.searched and self.is_searched_anew:
            yield drop_search(self.table, self.source)

    def unwanted(self) -> set[str]:
        """The indexes of ours that no file asks for any more; a table that was renamed has none that is."""
        ours = {name for index in self.existing.indexes if (name := index.name).endswith((".unique", ".index"))}
        managed = {name for name in ours if name.startswith((f"{self.table.name}.", f"{self.source}."))}
        return managed - indexes_of(self.table).keys()

    def unindexed(self) -> Iterator[Change]:
        for name in sorted(self.unwanted()):
            yield self.change(f"drop the index '{name}'", (f"DROP INDEX {quoted(name)}",))

    def indexed(self) -> Iterator[Change]:
        found = {index.name for index in self.existing.indexes}
        for name, (columns, unique) in indexes_of(self.table).items():
            if name not in found:
                repeated = self.repeated(columns, index_where(self.table, name)) if unique else 0
                yield self.repeats(columns, repeated) if repeated else add_index(self.table, name, columns, unique)

    def repeats(self, columns: tuple[str, ...], repeated: int) -> Change:
        return self.change(
            f"make {said(columns)} of {self.named} unique, where {counted(repeated, 'have')} what others have",
            (),
            Risk.BLOCKED,
            "change or delete them first, or take 'unique' out of the file",
        )

    def repeated(self, columns: tuple[str, ...], where: str) -> int:
        """How many records that meet `where` would share their values with others, none of them null."""
        new = [self.table.columns[name] for name in columns if name not in self.found]
        if any(is_made(column, "uuid") or not self.filler(column) for column in new):
            return 0
        kept = [self.table.columns[name] for name in columns if name in self.found]
        if any(self.conversion(column) is None for column in kept):
            return 0  # refused already
        if where and any(self.stored.get(name) != name for name in self.table.columns):
            return 0  # it may speak of a column that isn't there yet: the database itself will say
        values = [self.expression(column, self.old(column)) for column in kept]
        present = " AND ".join([*([where] if where else []), *(f"{value} IS NOT NULL" for value in values)]) or "1"
        groups = (
            f"SELECT count(*) AS n FROM {quoted(self.source)} WHERE {present} GROUP BY {', '.join(values) or '1 + 0'}"
        )
        return self.state.count(f"SELECT coalesce(sum(n), 0) FROM ({groups}) WHERE n > 1")


# A random uuid (RFC 9562 §5.4), anew for each row.
_UUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'"
    " || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


def is_made(column: Field, how: str) -> bool:
    """Whether the column's default is made when a record is: `now` or `uuid`."""
    types = {"now": ("timestamp", "date"), "uuid": ("uuid",)}
    return column.has_default and column.default == how and column.type in types[how]


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _literal(value: object) -> str:
    """A stored value as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value) if isinstance(value, float) else str(int(value))  # type: ignore[call-overload]
