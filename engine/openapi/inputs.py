"""What an endpoint takes: its fields as parameters and as bodies, each schema exactly what the server accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.fields import EMAIL_MAX_CHARACTERS, Field, bounds, email_pattern, patterns_of
from engine.openapi.schemas import Schema, nullable
from engine.workspace import Endpoint

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"

# Any character but NUL, which no body may have; one that is no white space, which trimming would take.
_CHARACTER, _INNER = r"[^\u0000]", r"[^\s\u0000]"
# ISO 8601 with a zone, in the form of RFC 3339 §5.6; the schema's `format` says which days a month has.
_MOMENT = (
    r"^[1-8][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
# Addresses are normalised (NFKC) before they are looked at: these blocks have the letters that become one with a
# meaning of its own, as a wide '＠' or '．' does.
_COMPATIBLE = (
    r"\xa0-\xbf\u02d8-\u02dd\u037a-\u0385\u1fbd-\u1ffe\u2000-\u2bff\u309b\u309c\u3200-\u33ff"
    r"\ufc5e-\ufc63\ufdfa\ufdfb\ufe10-\ufe7f\ufeff-\uff64\uffe3"
)
_EMAIL = email_pattern(_COMPATIBLE)
# The rules of passwords count letters of every script. What can say so is not in every dialect, so these are the
# letters of the scripts that are written most.
_UPPER, _LOWER = (
    r"A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a1\u03a3-\u03a9\u0410-\u042f",
    r"a-z\u00df-\u00f6\u00f8-\u00ff\u03b1-\u03c9\u0430-\u044f",
)
_CASELESS = r"\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u0e01-\u0e30\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
_LETTERS: Mapping[str, str] = {
    "min_letters": f"[{_UPPER}{_LOWER}{_CASELESS}]",
    "min_lower": f"[{_LOWER}]",
    "min_upper": f"[{_UPPER}]",
    "min_digits": r"[0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19]",
    "min_symbols": r"[!-\/:-@\[-`\{-~\u00a1-\u00a7\u2010-\u2027\u20a0-\u20bf]",
}
# What is spelt or meant otherwise by some: groups with flags or names, classes of Unicode and POSIX, other anchors.
_DIALECT = re.compile(r"\(\?[^:=!]|\\[AzZQEpPhHRGK]|\[\[:|&&|[*+?}]\+")
_NESTED = ("object", "json", "vector", "geo_point")


def object_schema(fields: Iterable[Field], *, closed: bool, media: str = JSON) -> Schema:
    """The JSON Schema of what is given for fields in a body of a media type; that of a form counts for URLs as well.

    Where it isn't `closed` more fields may be sent, and are dropped.
    """
    fields = tuple(fields)
    schema: Schema = {
        "type": "object",
        "properties": {each.name: field_schema(each, closed=closed, media=media) for each in fields},
    }
    required = [each.name for each in fields if each.required]
    return schema | ({"required": required} if required else {}) | ({"additionalProperties": False} if closed else {})


def field_schema(field: Field, *, closed: bool, media: str = JSON) -> Schema:
    """The JSON Schema of what may be given for a field; see `object_schema`."""
    schema = _item_schema(field, closed)
    if field.is_list:
        schema = {"type": "array", "items": schema} | bounds(field.rules, "minItems", "maxItems")
        if media != JSON and field.required:  # an empty list can't be told from none
            schema["minItems"] = max(1, schema.get("minItems", 0))
    if field.nullable and media != FORM:
        schema = nullable(schema)
    return schema | _notes(field)


def _notes(field: Field) -> Schema:
    notes: Schema = {}
    if field.description or field.table:
        notes["description"] = field.description or f"The id of a record of '{field.table}'."
    if field.default is not None and not field.holds_secret:
        notes["default"] = field.default
    return notes


def _item_schema(field: Field, closed: bool) -> Schema:
    match field.type:
        case "object":
            return object_schema(_within(field), closed=closed) if field.properties else _any_object()
        case "int":
            return {**field.item_schema(), "format": "int64"}
        case "timestamp":
            return _timestamp(field)
        case "text" | "password" | "email":
            return _text(field)
    return field.item_schema()


def _within(field: Field) -> tuple[Field, ...]:
    """The properties of an object, those of a secret one as secret as it is."""
    return tuple(replace(each, sensitive=each.sensitive or field.is_secret) for each in field.properties)


def _any_object() -> Schema:
    return {"type": "object", "additionalProperties": True}


def _timestamp(field: Field) -> Schema:
    schema = field.item_schema()
    limits = {name: schema[name] for name in ("minimum", "maximum")}
    number = {"type": "integer", "format": "int64", **limits, "description": "Milliseconds since the epoch."}
    if not field.is_list and ("min" in field.rules or "max" in field.rules):
        return number  # of a text a schema can't say when it is
    return {"anyOf": [number, {"type": "string", "format": "date-time", "pattern": _MOMENT}]}


def _text(field: Field) -> Schema:
    schema, is_trimmed = field.item_schema(), bool(field.rules.get("trim"))
    patterns = [] if field.is_list else list(_patterns(field.rules))
    schema = {**schema, "allOf": patterns} if patterns else {key: schema[key] for key in schema if key != "allOf"}
    if field.type == "email":
        return _email(schema, is_trimmed)
    if not is_trimmed:
        return {**schema, "pattern": f"^{_CHARACTER}*$"}
    # The length that counts is that of the text between white space.
    low, high = schema.pop("minLength", 0), schema.pop("maxLength", None)
    return {**schema, "pattern": _trimmed(low, high)}


def _patterns(rules: Mapping[str, Any]) -> Iterator[Schema]:
    """The patterns of a text's rules, those that every dialect of regular expressions reads the same."""
    for pattern in patterns_of(rules, _LETTERS):
        if _is_portable(pattern):
            yield {"pattern": pattern}


def _is_portable(pattern: str) -> bool:
    try:
        return _DIALECT.search(pattern) is None and bool(re.compile(pattern))
    except re.error:
        return False


def _email(schema: Schema, is_trimmed: bool) -> Schema:
    # The format `email` is of ASCII alone and takes no white space around it: the pattern says what is so.
    kept = {name: value for name, value in schema.items() if name != "format"}
    if not is_trimmed:
        return kept | {"pattern": _EMAIL}
    # The length that counts is that of the address between white space.
    kept.pop("maxLength", None)
    return kept | {"pattern": rf"^\s*(?=\S{{1,{EMAIL_MAX_CHARACTERS}}}\s*$){_EMAIL[1:-1]}\s*$"}


def _trimmed(low: int, high: int | None) -> str:
    """The pattern of a text that has `low` to `high` characters when it is trimmed."""
    most = "" if high is None else max(0, high - 2)
    inner = f"{_CHARACTER}{{{max(0, low - 2)},{most}}}{_INNER}"
    core = _INNER if high == 1 else f"{_INNER}({inner})" if low > 1 else f"{_INNER}({inner})?"
    return rf"^\s*{core}\s*$" if low else rf"^\s*({core})?\s*$"


def parameters(endpoint: Endpoint, *, closed: bool) -> list[Schema]:
    """The parameters of an endpoint's path and, where it has no body, of its query."""
    taken = (each for each in endpoint.input if each.name in endpoint.parameters or not endpoint.has_body)
    return [_parameter(each, endpoint, closed) for each in taken]


def _parameter(field: Field, endpoint: Endpoint, closed: bool) -> Schema:
    in_path = field.name in endpoint.parameters
    schema = field_schema(field, closed=closed, media=FORM)
    if in_path and schema.get("type") == "string" and "enum" not in schema:
        schema["minLength"] = max(1, schema.get("minLength", 0))  # an empty segment is another path
    made: Schema = {"name": field.name, "in": "path" if in_path else "query", "required": in_path or field.required}
    description = schema.pop("description", "")
    made |= {"description": description} if description else {}
    if _is_json_text(field):
        return {**made, "content": {JSON: {"schema": schema}}}
    return {**made, **({"style": "deepObject", "explode": True} if field.type == "object" else {}), "schema": schema}


def _is_json_text(field: Field) -> bool:
    """Whether it is written as JSON in a URL: it has more levels than `a[b]=c` can say."""
    if field.type == "object" and field.properties and not field.is_list:
        return any(each.type in _NESTED for each in field.properties)
    return field.type in _NESTED


def body_fields(endpoint: Endpoint) -> tuple[Field, ...]:
    """The fields that a body gives."""
    return tuple(each for each in endpoint.input if endpoint.has_body and each.name not in endpoint.parameters)


def bodies(fields: Iterable[Field], *, closed: bool) -> dict[str, Schema]:
    """The schema of the body by its media type, those that can carry all that is required."""
    fields = tuple(fields)
    plain = tuple(each for each in fields if each.type != "file")
    is_nested = any(each.type in _NESTED for each in plain)
    found: dict[str, Schema] = {}
    if not any(each.type == "file" and each.required for each in fields):
        found[JSON] = object_schema(plain, closed=closed)
        # What nests is written as JSON: a form's way of saying it differs from client to client.
        found |= {} if is_nested else {FORM: object_schema(plain, closed=closed, media=FORM)}
    if len(plain) < len(fields) or not is_nested:
        found[MULTIPART] = object_schema(fields, closed=closed, media=MULTIPART)
    return found


def encodings(fields: Iterable[Field]) -> Schema:
    """How the nested fields of a form are written."""
    return {each.name: {"contentType": JSON} for each in fields if each.type in _NESTED}
