"""A table of a database beside what its file says: the changes that would make it that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from engine.fields import Field
from engine.store.base import quoted
from engine.store.catalog import Catalog, count
from engine.store.changes import Change, Risk, add_index, add_search, counted, drop_search, said
from engine.store.conversions import UNCHANGED, Conversion, conversion, is_readable
from engine.store.found import FoundColumn, FoundTable, reference_of
from engine.store.rows import default
from engine.store.schema import declared, refers
from engine.workspace import Table


@dataclass(frozen=True, slots=True)
class State:
    """The records as they are, the tables as they are once all is renamed, and what each table is called as yet."""

    records: Catalog
    structure: Mapping[str, FoundTable]
    sources: Mapping[str, str]


class TableChanges:
    """A table that is there beside what its file says."""

    def __init__(self, state: State, table: Table) -> None:
        self.state, self.table, self.source = state, table, state.sources[table.name]
        self.ddl = state.records.ddl
        self.existing = state.structure[table.name]
        self.found = self.existing.columns
        self.kept = [column for name, column in table.columns.items() if name in self.found]
        self.named = f"the table '{table.name}'"

    def changes(self) -> Iterator[Change]:
        yield from self.unindexed()
        yield from self.alterations
        if self.is_rebuilt and (statements := self.rebuilt()):
            yield self.change(f"make {self.named} anew with its records", statements)
        for name, column in self.table.columns.items():
            if name not in self.found:
                yield self.added(column)
        yield from self.indexed()
        if self.ddl.search_of(self.table) and (self.is_searched_anew or not self.existing.search):
            yield add_search(self.ddl, self.table)

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
        return count(self.state.records, quoted(self.source), condition)

    # Columns that are there.

    def altered(self, column: Field) -> Iterator[Change]:
        found, name = self.found[column.name], f"'{column.name}' of {self.named}"
        was, now = found.type, declared(column)
        converted = self.conversion(column)
        if converted is None:
            mend = "add a column with another name, copy what you need, and drop the old one"
            yield self.change(f"turn the {was} {name} into {now}", (), Risk.BLOCKED, mend)
            return
        if column.name != "id" and column.may_be_null and found.required:
            yield self.change(f"let {name} be null", self.ddl.allow_null(self.table, column))
        if not is_readable(was, now):
            yield self.converted(column, f"turn the {was} {name} into {now}", converted)
        if column.name != "id" and not column.may_be_null:
            yield from self.required(column, name, converted)
        wanted = reference_of(column)
        if found.reference[0] != wanted[0]:
            yield self.referring(column, name)
        elif found.reference != wanted:
            description = f"make it '{wanted[1]}' when the record goes that {name} refers to"
            yield self.change(description, self.ddl.refer(self.table, column, found))

    def conversion(self, column: Field) -> Conversion | None:
        """How a column's values become what its file says; None where nobody can say."""
        was, now = self.found[column.name].type, declared(column)
        if is_readable(was, now):
            return UNCHANGED
        return None if column.name == "id" else conversion(was, now, self.ddl.conversions)

    def old(self, column: Field) -> str:
        """A column as it is called as yet."""
        return quoted(self.found[column.name].stored)

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
        if lost:
            description = f"{description}, where {counted(lost, 'hold')} what can't be kept"
        value = self.expression(column, quoted(column.name))
        statements = self.ddl.convert(self.table, column, self.found[column.name], value)
        return self.change(description, statements, Risk.DESTRUCTIVE if lost else Risk.DELIBERATE)

    def required(self, column: Field, name: str, converted: Conversion) -> Iterator[Change]:
        is_required = self.found[column.name].required
        if is_required and converted == UNCHANGED:
            return  # the records needn't be counted
        empty, filler = self.count(f"{converted.sql} IS NULL".format(self.old(column))), self.filler(column, "") or ""
        statements = self.ddl.require(self.table, column, filler if empty else "")
        if empty and filler:
            yield self.change(f"give {counted(empty)} the default of {name}", statements, Risk.DESTRUCTIVE)
        elif empty:
            mend = f"fill them first, give it a default, or write '{column.name}?'"
            yield self.change(f"require {name}, where {counted(empty, 'would have')} none", (), Risk.BLOCKED, mend)
        elif not is_required:
            yield self.change(f"require {name}", statements, Risk.DELIBERATE)

    def referring(self, column: Field, name: str) -> Change:
        statements = self.ddl.refer(self.table, column, self.found[column.name])
        if not refers(column):
            return self.change(f"let {name} refer to no table any more", statements)
        others = f'SELECT "id" FROM {quoted(self.state.sources[column.table])}'
        there = f"NOT IN ({others})" if column.table in self.state.structure else "IS NOT NULL"
        dangling = self.count(f"{self.expression(column, self.old(column))} {there}")
        if dangling:
            mend = "change them first, or add a column with another name"
            description = f"let {name} refer to '{column.table}', where {counted(dangling, 'refer')} to none"
            return self.change(description, (), Risk.BLOCKED, mend)
        return self.change(f"let {name} refer to '{column.table}'", statements, Risk.DELIBERATE)

    def gone(self, found: FoundColumn) -> Change:
        held = self.count(f"{quoted(found.stored)} IS NOT NULL")
        description = f"drop the column '{found.name}' of {self.named}, where {counted(held, 'hold')} a value"
        return self.change(description, self.ddl.drop_column(self.table, found), Risk.DESTRUCTIVE, self.guessed(found))

    def guessed(self, found: FoundColumn) -> str:
        """What to do where a new column of the same type looks like the old one's new name."""
        added = [column for name, column in self.table.columns.items() if name not in self.found]
        new = [column.name for column in added if declared(column) == found.type]
        return f"if '{new[0]}' is its new name, say so there with 'was: {found.name}'" if len(new) == 1 else ""

    def rebuilt(self) -> tuple[str, ...]:
        """What makes the table anew with the same rows, where the storage can't change it."""
        columns = [column for column in self.kept if self.conversion(column) is not None]
        values = {column.name: self.expression(column, quoted(column.name)) for column in columns}
        return self.ddl.rebuild(self.table, values, self.beside())

    def beside(self) -> Iterator[str]:
        """The indexes that stay, those made by hand included, and the triggers."""
        gone = self.unwanted()
        for name, index in self.existing.indexes.items():
            if index.sql and name not in gone and self.table.columns.keys() >= set(index.columns):
                yield index.sql
        yield from self.existing.triggers

    # Columns that aren't.

    def added(self, column: Field) -> Change:
        description = f"add the column '{column.name}' to {self.named}"
        filler = self.filler(column)
        if filler is None:
            mend = f"give it a default, or write '{column.name}?'"
            has_none = f"which is required, where {counted(self.count('TRUE'), 'have')} none"
            return self.change(f"{description}, {has_none}", (), Risk.BLOCKED, mend)
        return self.change(description, self.ddl.add_column(self.table, column, filler))

    def filler(self, column: Field, nothing: str | None = None) -> str | None:
        """What records already there get, as SQL: empty for null; `nothing` where there is nothing to give them."""
        if is_made(column, "now"):
            moment = int(time.time() * 1000)
            return self.ddl.literal(moment if column.type == "timestamp" else _day(moment))
        if is_made(column, "uuid"):
            return self.ddl.uuid
        value = default(self.table, column)
        if value is not None:
            return self.ddl.literal(value)
        if column.may_be_null or nothing is not None:
            return ""
        return self.ddl.empty(column) if not self.count("TRUE") else None

    # Indexes.

    @property
    def is_searched_anew(self) -> bool:
        """Whether the search index that is there, if any, can't stay: it knows names, and the records as they were."""
        is_renamed = any(found.name != found.stored for found in self.found.values())
        return self.existing.search != self.ddl.search_of(self.table) or is_renamed or self.is_rebuilt

    def unsearched(self) -> Iterator[Change]:
        """What comes before all else, renames included."""
        if self.existing.search and self.is_searched_anew:
            yield drop_search(self.ddl, self.table, self.source)

    def unwanted(self) -> set[str]:
        """The indexes of ours that no file asks for any more; a table that was renamed has none that is."""
        ours = {name for name in self.existing.indexes if name.endswith((".unique", ".index", ".search"))}
        managed = {name for name in ours if name.startswith(tuple(map(self.ddl.index_prefix, self.names)))}
        return managed - self.ddl.indexes_of(self.table).keys()

    @property
    def names(self) -> tuple[str, str]:
        """What the table is called, and as yet."""
        return (self.table.name, self.source)

    def unindexed(self) -> Iterator[Change]:
        for name in sorted(self.unwanted()):
            yield self.change(f"drop the index '{name}'", (f"DROP INDEX {quoted(name)}",))

    def indexed(self) -> Iterator[Change]:
        for name, index in self.ddl.indexes_of(self.table).items():
            if name not in self.existing.indexes:
                where = self.ddl.index_where(self.table, name)
                repeated = self.repeated(index.columns, where) if index.unique else 0
                yield (
                    self.repeats(index.columns, repeated) if repeated else add_index(self.ddl, self.table, name, index)
                )

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
        if where and any(self.is_new(column) for column in self.table.columns.values()):
            return 0  # it may speak of a column that isn't there yet: the database itself will say
        values = [self.expression(column, self.old(column)) for column in kept]
        present = " AND ".join([f"({where or 'TRUE'})", *(f"{value} IS NOT NULL" for value in values)])
        groups = f"FROM {quoted(self.source)} WHERE {present} GROUP BY {', '.join(values) or '1 + 0'}"
        sql = f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n {groups}) AS shared WHERE n > 1"
        return int(self.state.records.execute(sql)[0][0])

    def is_new(self, column: Field) -> bool:
        """Whether the column isn't there by its name with its type."""
        found = self.found.get(column.name)
        return found is None or found.stored != column.name or self.conversion(column) != UNCHANGED


def is_made(column: Field, how: str) -> bool:
    """Whether the column's default is made when a record is: `now` or `uuid`."""
    types = {"now": ("timestamp", "date"), "uuid": ("uuid",)}
    return column.has_default and column.default == how and column.type in types[how]


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
