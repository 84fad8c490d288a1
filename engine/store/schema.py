"""Tables as SQLite's DDL: types, definitions of columns, and the names of indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.errors import SetupError
from engine.fields import Field
from engine.store.base import quoted
from engine.store.rows import is_json
from engine.workspace import Table

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
        for column in table.columns.values():
            if column.type == "file":
                raise SetupError(f"{column.span}: the column '{column.name}' can't be a file: keep its address as text")


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
    parts += [f"REFERENCES {quoted(column.table)} ({quoted('id')})"] if refers(column) else []
    return " ".join(parts)


def type_of(column: Field) -> str:
    """The storage class, which decides SQLite's affinity, and the author's type after it, which tells them apart."""
    if is_json(column):
        return "TEXT JSON"
    plain = _STORAGE.get(column.type, "TEXT")
    return plain if _WORDS.get(column.type) == plain else f"{plain} {column.type.upper()}"


def declared(type_: str) -> str:
    """The author's type of a declared one."""
    return {word: name for name, word in _WORDS.items()}.get(type_.upper(), type_.lower().rpartition(" ")[2])


def refers(column: Field) -> bool:
    return bool(column.table) and not column.is_list


def indexes_of(table: Table) -> dict[str, tuple[tuple[str, ...], bool]]:
    """All indexes by name: the declared ones, and one for each reference, or deleting would scan the table."""
    found: list[tuple[tuple[str, ...], bool]] = [
        ((name,), True) for name, column in table.columns.items() if column.unique and name != "id"
    ]
    found += [(index.columns, index.unique) for index in table.indexes]
    leading = {columns[0] for columns, _ in found}
    found += [((name,), False) for name, column in table.columns.items() if refers(column) and name not in leading]
    return {
        ".".join([table.name, *columns, "unique" if unique else "index"]): (columns, unique)
        for columns, unique in found
    }
