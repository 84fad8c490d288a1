"""What a step writes into a record that is there: values that are given, and those that the database computes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import nearest
from engine.fields import Field
from engine.queries import QueryChecker
from engine.syntax import Binary, Column, Entry, Node, ObjectOf, Worded, children, has_column, walk
from engine.values import ANY, Kind
from engine.workspace import Table

_TEXTLESS = frozenset({"int", "decimal", "bool", "timestamp"})
_UNCOMPUTED = frozenset({"json", "object", "file", "vector", "geo_point"})


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a step writes: columns whose values are given, and those that the database computes, by name."""

    columns: tuple[str, ...]
    computed: Mapping[str, Any]


def settled(data: Node, table: Table) -> Node:
    """`data`, each text of it as the expression over columns that it says, where its column holds no text."""

    def says(entry: Entry, node: Node) -> bool:
        column = table.columns.get(entry.key)
        return column is not None and is_textless(column) and _speaks_of(node, table)

    return _read(data, says)


def chosen(data: Node, kinds: Mapping[Node, Kind]) -> Node:
    """`data` as it was checked: of each text that may be an expression, the one whose kind is known."""
    return _read(data, lambda entry, node: node in kinds)


def _read(data: Node, says: Callable[[Entry, Node], bool]) -> Node:
    """`data`, each text of it as an expression where it `says` that."""
    if not isinstance(data, ObjectOf) or not any(isinstance(each, Entry) and _worded(each) for each in data.entries):
        return data
    return ObjectOf([_settled(each, says) if isinstance(each, Entry) else each for each in data.entries], data.span)


def _worded(entry: Entry) -> bool:
    return isinstance(entry.value, Worded)


def _settled(entry: Entry, says: Callable[[Entry, Node], bool]) -> Entry:
    match entry.value:
        case Worded(text, expression):
            value = expression if says(entry, expression) else text
            return Entry(entry.key, value, entry.key_span, entry.span)
    return entry


def is_textless(column: Field) -> bool:
    """Whether it can't hold a text."""
    return column.type in _TEXTLESS and not column.is_list


def _speaks_of(node: Node, table: Table) -> bool:
    """Whether an expression names a column; in a longer one it may be misspelt."""
    if isinstance(node, Column):
        return node.name in table.columns
    names = [each.name for each in walk(node) if isinstance(each, Column)]
    return any(name in table.columns or nearest(name, table.columns) is not None for name in names)


def spelt_out(data: Node) -> dict[str, Node] | None:
    """The columns and values of what is written out; None where they only show as a whole."""
    if not isinstance(data, ObjectOf) or not all(isinstance(each, Entry) for each in data.entries):
        return None
    return {each.key: each.value for each in data.entries if isinstance(each, Entry)}


def computed(data: Node) -> dict[str, Node]:
    """The columns that the database computes, of what is settled."""
    return {name: value for name, value in (spelt_out(data) or {}).items() if has_column(value)}


def uncomputed(column: Field) -> tuple[str, str]:
    """Why no database computes a column, and the mend; empty where it does."""
    name = column.name
    if name == "id":
        return "an id can't be computed", "write the id that is meant"
    if column.type == "password":
        return (
            f"the password '{name}' can't be computed: it is hashed before it is stored",
            "write what is to be hashed",
        )
    if column.is_list or column.type in _UNCOMPUTED:
        hint = f"get the record before, and compute it of $record.{name}"
        return f"'{name}' is {column.kind.present()}, which can't be computed in a database", hint
    return "", ""


def lacking(values: Iterable[Node], table: Table, keys: Iterable[str]) -> dict[str, Column]:
    """The columns that expressions name and that a record which is added has not: neither a key nor a default."""
    named = {each.name: each for value in values for each in walk(value) if isinstance(each, Column)}
    known = {*keys, *(name for name, column in table.columns.items() if column.has_default or column.may_be_null)}
    return {name: each for name, each in named.items() if name in table.columns and name not in known}


class EditChecker(QueryChecker):
    """Checks what is computed of columns to be written: a division by zero is a fault there, and gives no null."""

    def may_be_null(self, node: Node, columns: Mapping[str, Kind]) -> bool:
        match node:
            case Binary(operator="/" | "%"):
                return any(self.may_be_null(each, columns) for each in children(node))
            case Column():  # a test around it may have ruled null out
                return super().may_be_null(node, columns) and self.checker.kinds.get(node, ANY).may_be_null
        return super().may_be_null(node, columns)
