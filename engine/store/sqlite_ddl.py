"""Tables and their changes as SQLite's DDL; see `ddl.Ddl`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.fields import Field
from engine.store import search
from engine.store.base import quoted
from engine.store.ddl import Statements
from engine.store.found import FoundColumn
from engine.store.schema import check_names, declared_indexes, definition, index_sql, index_where, literal, type_of
from engine.store.sqlite_conversions import CONVERSIONS
from engine.workspace import Index, Table

# RFC 9562 §5.4.
_UUID = (
    "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'"
    " || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))"
)


class SqliteDdl:
    """Of what is changed in a column that is there, SQLite knows its name alone: the table is made anew."""

    conversions = CONVERSIONS
    uuid = _UUID
    counter = "INTEGER"

    def check_names(self, tables: Mapping[str, Table]) -> None:
        check_names(tables)

    def parameter(self, number: int) -> str:
        return f"?{number}"

    def literal(self, value: object) -> str:
        return literal(value)

    def empty(self, column: Field) -> str:
        return "''" if type_of(column).startswith("TEXT") else "0"

    def create_table(self, table: Table) -> Statements:
        return (_create(table.name, table.columns.values()),)

    def references(self, table: Table) -> Mapping[str, Statements]:
        return {}

    def drop_table(self, name: str, referring: Mapping[str, Iterable[FoundColumn]]) -> Statements:
        return (f"DROP TABLE {quoted(name)}",)

    def indexes_of(self, table: Table) -> Mapping[str, Index]:
        return declared_indexes(table)

    def index_prefix(self, table: str) -> str:
        return f"{table}."

    def index_sql(self, table: Table, name: str) -> str:
        return index_sql(table, name)

    def index_where(self, table: Table, name: str) -> str:
        return index_where(table, name)

    def search_of(self, table: Table) -> str:
        return search.definition(table)

    def add_search(self, table: Table) -> Statements:
        return tuple(search.made(table))

    def drop_search(self, table: str) -> Statements:
        return tuple(search.dropped(table))

    def add_column(self, table: Table, column: Field, filler: str) -> Statements:
        constant = "''" if filler == _UUID else filler  # a default is the same for all rows
        add = f"ALTER TABLE {quoted(table.name)} ADD COLUMN {definition(column, constant)}"
        fill = f"UPDATE {quoted(table.name)} SET {quoted(column.name)} = {_UUID}"
        return (add, fill) if filler == _UUID else (add,)

    def drop_column(self, table: Table, column: FoundColumn) -> Statements:
        return ()

    def convert(self, table: Table, column: Field, found: FoundColumn, value: str) -> Statements:
        return ()

    def allow_null(self, table: Table, column: Field) -> Statements:
        return ()

    def require(self, table: Table, column: Field, filler: str) -> Statements:
        return ()

    def refer(self, table: Table, column: Field, found: FoundColumn) -> Statements:
        return ()

    def rebuild(self, table: Table, values: Mapping[str, str], beside: Iterable[str]) -> Statements:
        """With the same next id (sqlite.org/lang_altertable.html §7)."""
        return (*_rebuilt(table, values), *beside)


def _create(name: str, columns: Iterable[Field]) -> str:
    return f"CREATE TABLE {quoted(name)} ({', '.join(map(definition, columns))})"


def _rebuilt(table: Table, values: Mapping[str, str]) -> Iterator[str]:
    new, old = quoted(f"{table.name}.new"), quoted(table.name)
    yield _create(f"{table.name}.new", (table.columns[name] for name in values))
    yield f"INSERT INTO {new} ({', '.join(map(quoted, values))}) SELECT {', '.join(values.values())} FROM {old}"
    if table.id.type == "int":
        new_name, name = literal(f"{table.name}.new"), literal(table.name)
        yield f"DELETE FROM sqlite_sequence WHERE name = {new_name}"
        yield f"INSERT INTO sqlite_sequence (name, seq) SELECT {new_name}, seq FROM sqlite_sequence WHERE name = {name}"
    yield f"DROP TABLE {old}"
    yield f"ALTER TABLE {new} RENAME TO {old}"


DDL = SqliteDdl()
