"""Steps about whole tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.compile import Load
from engine.errors import Fault
from engine.fields import Field
from engine.filters.rules import kind_at
from engine.registry import Flag, TableName, step
from engine.values import ANY, BOOL, INT, NULL, OBJECT, TEXT, Kind, join, list_of, object_of
from engine.workspace import Index, Table


@step(writes=True, faults=("conflict",))
def truncate_table(load: Load, table: TableName, reset: Flag = False) -> None:
    """Deletes all records of a table, however many; with `reset: true` its ids begin at 1 again.

    Records that others refer to are treated as by `delete_record`.

    - truncate_table: user
      reset: true
    """
    operation: None = load.storage.truncate(table, reset=reset)
    return operation


_ALWAYS = {
    **dict.fromkeys(("name", "type", "visibility"), TEXT),
    **dict.fromkeys(("required", "nullable", "unique", "sensitive"), BOOL),
}
_AT_TIMES = {
    **dict.fromkeys(("table", "on_delete", "on_update", "description"), TEXT),
    **dict.fromkeys(("rules", "schema"), OBJECT),
    "default": ANY,
    "values": list_of(TEXT),
    "properties": list_of(OBJECT),
    "size": INT,
}
_COLUMN = object_of({**_ALWAYS, **_AT_TIMES}, optional=_AT_TIMES)
_INDEX = object_of({"columns": list_of(TEXT), "descending": list_of(TEXT), "unique": BOOL, "partial": BOOL})
_TABLE = object_of(
    {
        "table": TEXT,
        "description": TEXT,
        "auth": BOOL,
        "columns": list_of(_COLUMN),
        "indexes": list_of(_INDEX),
        "checks": list_of(TEXT),
    }
)


def _schema_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    table, path = kind_at(kinds, 0, NULL), kind_at(kinds, 1, NULL)
    whole = list_of(_TABLE) if table.name == "null" else _TABLE
    if path.is_open or path.nullable:
        return join(whole, _COLUMN)
    return whole if path.name == "null" else _COLUMN


@step(result=_schema_kind, faults=("not_found",))
def get_database_schema(load: Load, table: TableName = None, path: str | None = None) -> object:
    """What a table's file declares: its columns, indexes and references; of all tables where none is named.

    With a `path` only that column, or a property within it, is given. What a masked column is by default is left out.

    - get_database_schema: user
      path: email
      as: column
    """
    tables: Iterable[Table] = load.storage.tables.values()
    whole = [described(each) for each in tables] if table is None else described(table)
    fields = () if table is None else tuple(table.columns.values())

    def get_schema(run: Any, path: str | None = None) -> object:
        return whole if path is None else _at(fields, path)

    return get_schema


def described(table: Table) -> dict[str, object]:
    """A table as plain data."""
    return {
        "table": table.name,
        "description": table.description,
        "auth": table.auth,
        "columns": [_field(column) for column in table.columns.values()],
        "indexes": [_index(index) for index in table.indexes],
        "checks": [rule.message for rule in table.rules],
    }


def _index(index: Index) -> dict[str, object]:
    return {
        "columns": list(index.columns),
        "descending": sorted(index.descending),
        "unique": index.unique,
        "partial": index.where is not None,
    }


def _field(field: Field, *, masked: bool = False) -> dict[str, object]:
    """A column, or a property within it, as plain data; what `masked` ones are by default is as secret as they are."""
    masked = masked or field.is_masked
    extras: dict[str, object] = {
        "values": list(field.values),
        "table": field.table,
        "properties": [_field(each, masked=masked) for each in field.properties],
        "rules": dict(field.rules),
        "schema": dict(field.json_schema),
        "size": field.size,
        "on_delete": field.on_delete if field.table else "",
        "on_update": "now" if field.on_update else "",
        "description": field.description,
    }
    return {
        "name": field.name,
        "type": field.type + "[]" * field.is_list,
        "required": field.required,
        "nullable": field.may_be_null,
        "unique": field.unique,
        "sensitive": field.is_secret,
        "visibility": field.visibility,
        **({"default": field.default} if field.has_default and not masked else {}),
        **{name: value for name, value in extras.items() if value},
    }


def _at(fields: Iterable[Field], path: str, *, masked: bool = False) -> dict[str, object]:
    first, _, rest = path.partition(".")
    found = next((each for each in fields if each.name == first), None)
    if found is None:
        raise Fault("not_found", "Not Found.")
    masked = masked or found.is_masked
    return _at(found.properties, rest, masked=masked) if rest else _field(found, masked=masked)
