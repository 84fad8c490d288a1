"""A PostgreSQL database brought up to its tables' files: what is safe is done, what could lose something is refused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from engine.errors import SetupError
from engine.fields import Field
from engine.store.base import quoted
from engine.store.changes import Change, Risk, said
from engine.store.conversions import is_readable
from engine.store.pg_dialect import DIALECT
from engine.store.pg_schema import (
    check_names,
    commented,
    declared,
    definition,
    index_sql,
    named_indexes,
    noted,
    sequence_sql,
)
from engine.store.rows import default
from engine.store.schema import on_delete_of, refers, settled
from engine.store.seeds import planted
from engine.store.table_changes import is_made
from engine.workspace import Index, Table

_LOCK = 0x57ACC_0001  # the advisory lock of whoever changes tables: a number of ours
_WAIT = "30s"  # for runs that use a table which is changed

_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum),
           (SELECT other.relname FROM pg_constraint f JOIN pg_class other ON other.oid = f.confrelid
            WHERE f.contype = 'f' AND f.conrelid = a.attrelid AND f.conkey = ARRAY[a.attnum] LIMIT 1)
    FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::oid
"""
_TABLES = """
    SELECT relname, oid::int8 FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A column that is there: its type by the author, and the table that it refers to."""

    name: str
    type: str
    required: bool
    reference: str


async def plan(connection: asyncpg.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """What would make the database hold `tables`; others in it are left alone. Nothing is changed.

    Raises SetupError for tables that no PostgreSQL database can hold.
    """
    check_names(tables)
    there = {row[0]: row[1] for row in await connection.fetch(_TABLES)}
    new = [table for table in tables.values() if table.name not in there]
    changes = [_created(table) for table in new]
    for table in tables.values():
        if table.name in there:
            changes += await _TableOf.read(connection, table, there[table.name])
    return changes + [change for table in new for change in _completed(table)]


async def apply(connection: asyncpg.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """Make every change that is safe, all at once; answers them.

    Raises SetupError, and changes nothing, where something isn't. Several processes may do this at the same time.
    """
    if not await plan(connection, tables):
        return []
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await connection.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
        changes = await plan(connection, tables)
        _refuse(changes)
        for statement in (statement for change in changes for statement in change.statements):
            await connection.execute(statement)
        await connection.execute("SET CONSTRAINTS ALL DEFERRED")  # first records may refer to later ones
        for table in (change.seeded for change in changes if change.seeded is not None):
            await _plant(connection, table)
        await _settle(connection, tables)
    return changes


def _refuse(changes: Sequence[Change]) -> None:
    """Raise SetupError with every change that is for a hand to make."""
    refused = [f"- {change.said}" for change in changes if change.risk > Risk.SAFE]
    if refused:
        head = "the database can't be made what the tables' files say:"
        raise SetupError(
            "\n".join([head, *refused, "nothing was changed; make these changes with psql, then start again"])
        )


async def _plant(connection: asyncpg.Connection, table: Table) -> None:
    """Add a table's first records. Raises SetupError where one can't be."""

    async def insert(sql: str, values: Sequence[object]) -> Any:
        stored = await connection.fetchrow(sql, *values)
        if table.id.type == "int":  # one may have been given an id, and the next one goes on after it
            await connection.execute(sequence_sql(table, f"(SELECT max(id) FROM {quoted(table.name)})"))
        return stored

    await planted(table, insert, "${}", asyncpg.IntegrityConstraintViolationError)


async def _settle(connection: asyncpg.Connection, tables: Mapping[str, Table]) -> None:
    """Look at all references. Raises SetupError where a first record names one that isn't there."""
    try:
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except asyncpg.ForeignKeyViolationError as error:
        table = tables[error.table_name]
        raise SetupError(
            f"{table.span}: a seed record of '{table.name}' names no record of {_named(error, table)}"
        ) from None


def _named(error: asyncpg.ForeignKeyViolationError, table: Table) -> str:
    column = (error.detail or "").partition("(")[2].partition(")")[0].strip('"')
    return f"'{table.columns[column].table}'" if column in table.columns else "another table"


# Tables that aren't there: made first, and completed when all are, for they may refer to each other in a ring.


def _created(table: Table) -> Change:
    columns = ", ".join(definition(column) for column in table.columns.values())
    notes = [commented(table, column) for column in table.columns.values()]
    statements = (f"CREATE TABLE {quoted(table.name)} ({columns})", *notes)
    return Change(table.name, f"create the table '{table.name}'", statements, seeded=table if table.seed else None)


def _completed(table: Table) -> Iterator[Change]:
    for column in table.columns.values():
        if refers(column):
            description = f"let '{column.name}' of the table '{table.name}' refer to '{column.table}'"
            yield Change(table.name, description, (_reference(table, column),))
    for name, index in named_indexes(table).items():
        yield _indexed(table, name, index)


def _indexed(table: Table, name: str, index: Index) -> Change:
    kind = {"search": "a search index"}.get(index.type, "a unique index" if index.unique else "an index")
    description = f"add {kind} over {said(index.columns)} to the table '{table.name}'"
    return Change(table.name, description, (index_sql(table, name, index),))


def _reference(table: Table, column: Field) -> str:
    """A reference, which is looked at with every statement; a copy looks at its end."""
    to = f"REFERENCES {quoted(column.table)} ({quoted('id')}){on_delete_of(column)} DEFERRABLE"
    return f"ALTER TABLE {quoted(table.name)} ADD FOREIGN KEY ({quoted(column.name)}) {to}"


class _TableOf:
    """A table that is there, beside what its file says."""

    def __init__(self, connection: asyncpg.Connection, table: Table, found: Mapping[str, Found]) -> None:
        self.connection, self.table, self.found = connection, table, found
        self.named = f"the table '{table.name}'"

    @classmethod
    async def read(cls, connection: asyncpg.Connection, table: Table, oid: int) -> list[Change]:
        """What would make the table that is there the one of its file."""
        rows = await connection.fetch(_COLUMNS, oid)
        found = {
            name: Found(name, noted(comment, type_), required, reference or "")
            for name, type_, required, comment, reference in rows
        }
        indexes = {name for (name,) in await connection.fetch(_INDEXES, oid)}
        it = cls(connection, table, found)
        changes = [change for name in found for change in it.differences(name)]
        for name, column in table.columns.items():
            if name not in found:
                changes.append(await it.added(column))
        return [*changes, *[change async for change in it.reindexed(indexes)]]

    # Columns that are there.

    def differences(self, name: str) -> Iterator[Change]:
        column, found = self.table.columns.get(name), self.found[name]
        if column is None:
            yield self.gone(found)
            return
        if not is_readable(found.type, declared(column)):
            yield self.refused(
                f"the column '{name}' of {self.named} holds {found.type}, its file says {declared(column)}",
                "add a column with another name, copy what you need, and drop the old one",
            )
        if name != "id" and not column.may_be_null and not found.required:
            yield self.refused(
                f"the column '{name}' of {self.named} may hold null, by its file it is required",
                f"write '{name}?' in the file, or give the table a new column with a default",
            )
        if found.reference != (column.table if refers(column) else ""):
            yield self.refused(
                f"the column '{name}' of {self.named} refers to another table than its file says",
                "add a column with another name, and copy what you need",
            )
        if name != "id" and found.required and column.may_be_null:
            sql = f"ALTER TABLE {quoted(self.table.name)} ALTER COLUMN {quoted(name)} DROP NOT NULL"
            yield Change(self.table.name, f"let '{name}' of {self.named} be null", (sql,))

    def gone(self, found: Found) -> Change:
        return self.refused(
            f"the column '{found.name}' of {self.named} is in the database but in no file",
            self.renamed(found) or "put it back into the file, or drop it by hand if its values may go",
        )

    def renamed(self, found: Found) -> str:
        """What to do where a new column of the same type looks like the old one's new name."""
        new = [
            name
            for name, column in self.table.columns.items()
            if name not in self.found and declared(column) == found.type
        ]
        if len(new) != 1:
            return ""
        sql = f"ALTER TABLE {quoted(self.table.name)} RENAME COLUMN {quoted(found.name)} TO {quoted(new[0])}"
        return f"if '{new[0]}' is its new name, run {sql}; else put it back into the file, or drop it by hand"

    def refused(self, description: str, mend: str) -> Change:
        return Change(self.table.name, description, (), Risk.BLOCKED, mend)

    # Columns that aren't.

    async def added(self, column: Field) -> Change:
        filler = self.filler(column)
        if filler is None and await self.holds("TRUE"):
            return self.refused(
                f"the new column '{column.name}' of {self.named} is required, its records have none",
                f"give it a default, or write '{column.name}?'",
            )
        table, name = quoted(self.table.name), quoted(column.name)
        add = [f"ALTER TABLE {table} ADD COLUMN {definition(column, filler or '')}", commented(self.table, column)]
        add += [f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"] if filler else []
        add += [_reference(self.table, column)] if refers(column) else []
        return Change(self.table.name, f"add the column '{column.name}' to {self.named}", tuple(add))

    def filler(self, column: Field) -> str | None:
        """What records already there get, as SQL: empty for null, None where there is nothing to give them."""
        if is_made(column, "now"):
            moment = int(time.time() * 1000)
            return str(moment) if column.type == "timestamp" else _literal(_day(moment))
        if is_made(column, "uuid"):
            return "gen_random_uuid()::text"  # anew for each record
        value = default(self.table, column)
        if value is not None:
            return _literal(value)
        return "" if column.may_be_null else None

    async def holds(self, condition: str) -> bool:
        sql = f"SELECT 1 FROM {quoted(self.table.name)} WHERE {condition} LIMIT 1"
        return await self.connection.fetchval(sql) is not None

    # Indexes.

    async def reindexed(self, found: set[str]) -> AsyncIterator[Change]:
        wanted = named_indexes(self.table)
        for name in sorted(found - wanted.keys()):
            if name.endswith((".unique", ".index", ".search")):
                yield Change(self.table.name, f"drop the index '{name}'", (f"DROP INDEX {quoted(name)}",))
        for name, index in wanted.items():
            if name not in found:
                repeated = index.unique and await self.repeats(index)
                yield self.repeated(index.columns) if repeated else _indexed(self.table, name, index)

    def repeated(self, columns: tuple[str, ...]) -> Change:
        return self.refused(
            f"{said(columns)} of {self.named} must be unique, and records in it share the same",
            "change them first, or take 'unique' out of the file",
        )

    async def repeats(self, index: Index) -> bool:
        """Whether records would share the same values, none of them null."""
        new = [self.table.columns[name] for name in index.columns if name not in self.found]
        if any(is_made(column, "uuid") or not self.filler(column) for column in new):
            return False
        names = [quoted(name) for name in index.columns if name in self.found]
        present = " AND ".join(f"{name} IS NOT NULL" for name in names) or "TRUE"
        if index.where is not None:
            present = f"({present}) AND ({settled(index.where, self.table, DIALECT)})"
        return await self.holds(f"{present} GROUP BY {', '.join(names) or '()'} HAVING count(*) > 1")


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
