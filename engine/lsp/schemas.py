"""The part of a file's JSON Schema that stands for a value in it."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine.schema import FILE_KINDS, Schema, file_schema
from engine.source import Document, Path

_whole = cache(file_schema)


def schema_of(document: Document, path: Path) -> Schema:
    """What the value at `path` must meet; empty where nothing is said."""
    value: Any = document.data
    kind = next(iter(value), "") if isinstance(value, dict) else ""
    if kind not in FILE_KINDS:
        return {}
    schema = _whole(kind)
    for step in path:
        schema = _inner(_resolved(schema, value, kind), step)
        value = value[step] if step in value or isinstance(step, int) else None
    return _resolved(schema, value, kind)


def choices_of(document: Document, path: Path) -> list[str]:
    """The words that the value at `path` may be."""
    schema = schema_of(document, path)
    listed = [*schema.get("enum", ()), *schema.get("examples", ())]
    return [str(each) for each in listed] or (["true", "false"] if schema.get("type") == "boolean" else [])


def _inner(schema: Schema, step: str | int) -> Schema:
    if isinstance(step, int):
        return _mapping(schema.get("items"))
    named = schema.get("properties", {})
    return _mapping(named[step] if step in named else schema.get("additionalProperties"))


def _resolved(schema: Schema, value: Any, kind: str) -> Schema:
    """The schema with references followed, and the branch taken that is for a value like this."""
    definitions = _whole(kind)["$defs"]
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "allOf" in schema and isinstance(value, dict):
        return _mapping(next((definitions[f"step_{name}"] for name in value if f"step_{name}" in definitions), {}))
    if "if" in schema:
        is_met = isinstance(value, dict) == (schema["if"].get("type") == "object")
        return _mapping(schema.get("then" if is_met else "else"))
    return schema


def _mapping(schema: object) -> Schema:
    return schema if isinstance(schema, dict) else {}
