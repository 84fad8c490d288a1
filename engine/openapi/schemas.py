"""Kinds as JSON Schemas (draft 2020-12): what a value of a kind looks like to whoever reads an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.fields import FILE_SCHEMA
from engine.values import ANY, Kind

Schema = dict[str, Any]
Reference = Callable[[Kind], Schema | None]

_BY_NAME: Mapping[str, Schema] = {
    "any": {},
    "never": {},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64"},
    "decimal": {"type": "number"},
    "timestamp": {"type": "integer", "format": "int64", "description": "Milliseconds since the epoch."},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    # Of one that is stored more is known than of one that was just sent.
    "file": {name: part for name, part in FILE_SCHEMA.items() if name != "additionalProperties"},
}
_TEXT: Schema = {"type": "string"}


def unnamed(_: Kind) -> None:
    """Writes every kind out."""


def kind_schema(kind: Kind, reference: Reference = unnamed) -> Schema:
    """The JSON Schema that every value of a kind meets.

    `reference` gives a schema that stands for a kind as a whole, as a component's `$ref`, or None. An object may get
    more fields in time, so none is refused.
    """
    if kind.name == "null":
        return {"type": "null"}
    present = kind.present()
    schema = reference(present) or _written_out(present, reference)
    return nullable(schema) if kind.nullable else schema


def _written_out(kind: Kind, reference: Reference) -> Schema:
    if kind.options:
        return {"anyOf": [kind_schema(each, reference) for each in kind.options]}
    if kind.name == "list":
        return _list(kind.item or ANY, reference)
    if kind.fields is not None and kind.name == "object":
        return _object(kind, reference)
    if kind.name == "object":
        within = True if kind.item is None else kind_schema(kind.item, reference)
        return {"type": "object", "additionalProperties": within}
    if kind.values:
        return {"type": "string", "enum": list(kind.values)}
    return dict(_BY_NAME.get(kind.name, _TEXT))


def _list(item: Kind, reference: Reference) -> Schema:
    if item.name == "never":
        return {"type": "array", "items": {}, "maxItems": 0}
    return {"type": "array", "items": kind_schema(item, reference)}


def _object(kind: Kind, reference: Reference) -> Schema:
    # What is secret lies beside its record and stays behind when that leaves.
    fields = {name: each for name, each in (kind.fields or {}).items() if not each.secret}
    required = [name for name in fields if name not in kind.optional]
    schema: Schema = {"type": "object", "properties": {name: kind_schema(fields[name], reference) for name in fields}}
    return {**schema, "required": required} if required else schema


def nullable(schema: Schema) -> Schema:
    """A schema that takes null too."""
    if not schema:
        return schema
    type_ = schema.get("type")
    if type_ is None or "const" in schema:
        choices = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
        return {"anyOf": [*choices, {"type": "null"}]}
    types = [*(type_ if isinstance(type_, list) else [type_]), "null"]
    wider = {**schema, "type": list(dict.fromkeys(types))}
    return {**wider, "enum": [*schema["enum"], None]} if "enum" in schema else wider
