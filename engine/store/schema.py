"""Tables as SQLite's DDL: types, definitions of columns, and the names of indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from zlib import crc32

from engine.compile import compile_node
from engine.errors import SetupError
from engine.fields import Field
from engine.store.base import quoted
from engine.store.dialect import Dialect
from engine.store.sql import compile_where
from engine.store.sqlite_dialect import DIALECT
from engine.syntax import Node
from engine.values import kind_of
from engine.workspace import Index, Table

_STORAGE = {"int": "INTEGER", "bool": "INTEGER", "timestamp": "INTEGER", "decimal": "REAL"}
_WORDS = {"int": "INTEGER", "text": "TEXT", "decimal": "REAL"}


def check_names(tables: Mapping[str, Table]) -> None:
    """Refuse what SQLite can't tell apart or keeps for itself: it takes no notice of case."""
    _check_distinct("table", tables)
    for table in tables.values():
        if table.name.lower().startswith("sqlite_"):
            raise SetupError(
                f"{table.span}: the table '{table.name}' needs another name: SQLite keeps 'sqlite_…' for itself"
            )
        _check_distinct(f"table '{table.name}': column", table.columns)


def _check_distinct(what: str, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise SetupError(
                f"{what} '{name}' and '{other}' differ in case only, which SQLite can't tell apart: rename one"
            )


def definition(column: Field, filler: str = "") -> str:
    """A column as DDL; `filler` is the default that rows already there get."""
    if column.name == "id":
        key = "PRIMARY KEY AUTOINCREMENT" if column.type == "int" else "PRIMARY KEY NOT NULL"
        return f"{quoted('id')} {type_of(column)} {key}"
    parts = [quoted(column.name), type_of(column)]
    parts += [] if column.may_be_null else ["NOT NULL"]
    parts += [f"DEFAULT {filler}"] if filler else []
    parts += [f"REFERENCES {quoted(column.table)} ({quoted('id')}){on_delete_of(column)}"] if refers(column) else []
    return " ".join(parts)


def on_delete_of(column: Field) -> str:
    """What becomes of a record whose reference goes, as SQL; empty where the deletion is refused."""
    return "" if column.on_delete == "restrict" else " ON DELETE " + column.on_delete.replace("_", " ").upper()


def type_of(column: Field) -> str:
    """The storage class, which decides SQLite's affinity, and the author's type after it, which tells them apart."""
    if column.is_list or column.type in ("json", "object"):
        return "TEXT JSON"
    plain = _STORAGE.get(column.type, "TEXT")
    return plain if _WORDS.get(column.type) == plain else f"{plain} {column.type.upper()}"


def declared(type_: str) -> str:
    """The author's type of a declared one."""
    return {word: name for name, word in _WORDS.items()}.get(type_.upper(), type_.lower().rpartition(" ")[2])


def refers(column: Field) -> bool:
    return bool(column.table) and not column.is_list


def indexes_of(table: Table) -> dict[str, tuple[tuple[str, ...], bool]]:
    """All indexes by name: their columns, and whether they are unique."""
    return {name: (index.columns, index.unique) for name, index in declared_indexes(table).items()}


def index_sql(table: Table, name: str) -> str:
    """The statement that makes the index of this name."""
    index = declared_indexes(table)[name]
    columns = ", ".join(quoted(each) + " DESC" * (each in index.descending) for each in index.columns)
    where = " WHERE " + settled(index.where, table) if index.where else ""
    return f"CREATE {'UNIQUE ' * index.unique}INDEX {quoted(name)} ON {quoted(table.name)} ({columns}){where}"


def index_where(table: Table, name: str) -> str:
    """The condition of a partial index as SQL, empty where every record is in it."""
    return settled(declared_indexes(table)[name].where, table)


def declared_indexes(table: Table) -> dict[str, Index]:
    """The declared indexes, and one for each reference, or deleting what it names would scan the table."""
    found = [
        Index((name,), True, column.span) for name, column in table.columns.items() if column.unique and name != "id"
    ]
    found += [index for index in table.indexes if index.type != "search"]
    leading = {index.columns[0] for index in found if index.where is None}
    found += [
        Index((name,), False, column.span)
        for name, column in table.columns.items()
        if refers(column) and name not in leading
    ]
    return {_name(table, index): index for index in found}


def _name(table: Table, index: Index) -> str:
    """A name that says what the index is: another condition or order is another index."""
    columns = [name + "-desc" * (name in index.descending) for name in index.columns]
    where = [f"where-{crc32(settled(index.where, table).encode()):08x}"] if index.where else []
    return ".".join([table.name, *columns, *where, "unique" if index.unique else "index"])


def settled(node: Node | None, table: Table, dialect: Dialect = DIALECT) -> str:
    """A condition over columns and constants as SQL without parameters, empty where there is none.

    Raises `Problems` for what can't be asked.
    """
    if node is None:
        return ""
    marked = replace(
        dialect,
        parameter=lambda number, given, target: _marked(number, dialect.parameter(number, given, target)),
        list_parameter=lambda number, target: _marked(number, dialect.list_parameter(number, target)),
    )
    condition = compile_where(node, table, lambda each: kind_of(_constant(each)), marked)
    values = [_literal(value) for value in condition.bound(tuple(map(_constant, condition.parameters)))]
    return re.sub("[?$]\0([0-9]+)\0", lambda mark: values[int(mark[1]) - 1], condition.sql)


def _marked(number: int, parameter: str) -> str:
    """A parameter whose number can't be mistaken."""
    return parameter.replace(str(number), f"\0{number}\0", 1)


def _constant(node: Node) -> object:
    return compile_node(node, ())(None)


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(int(value))
        case int() | float():
            return repr(value)
        case list():
            return f"ARRAY[{', '.join(map(_literal, value))}]"
        case bytes():
            return f"X'{value.hex()}'"
    return "'" + str(value).replace("'", "''") + "'"
