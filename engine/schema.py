"""JSON Schemas of every kind of file, made from the registry, and the problems they find in the author's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache, cached_property
from typing import Any

import jsonschema_rs

from engine import registry
from engine.errors import FAULTS, Problem, did_you_mean, nearest
from engine.fields import declaration_schema, fields_declaration_schema
from engine.late import Late
from engine.registry import Definition, Parameter
from engine.source import Document, Path
from engine.texts import bool_hint

Schema = dict[str, Any]
# What explains a mistake, so only needed where there is one.
jsonschema, validators = Late("jsonschema"), Late("jsonschema.validators")
ValidationError = Any

FILE_KINDS = ("workspace", "group", "table", "endpoint", "function", "test")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PART = r"([A-Za-z0-9_.~-]|\{[A-Za-z_][A-Za-z0-9_]*\})+"
_METHOD, _PATH = f"({'|'.join(METHODS)})", f"({_PART}(/{_PART})*)?"
ENDPOINT_PATTERN = f"^{_METHOD} /{_PATH}$"
# What a test calls: an endpoint's name, or its whole address where two groups have one of that name.
TEST_PATTERN = f"^{_METHOD} /(api:[A-Za-z0-9_-]+/)?{_PATH}$"
NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"
STATUS_PATTERN = "^[1-5][0-9][0-9]$"
SOURCE_PATTERN = "^[a-z][a-z0-9_-]{0,39}$"  # it is part of a file's name
PATH_PATTERN = "^[A-Za-z_][A-Za-z0-9_/-]*$"
ENV_PATTERN = r"^\$env\.[A-Za-z_][A-Za-z0-9_]*$"
# Every step takes these beside its own arguments.
STEP_KEYS: Mapping[str, Schema] = {
    "as": {"type": "string", "pattern": NAME_PATTERN, "description": "The variable that holds the result."},
    "note": {"type": "string", "description": "A comment, shown in traces and docs."},
    "disabled": {"type": "boolean", "description": "Leave the step out."},
}

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_STEPS: Schema = {"$ref": "#/$defs/steps"}
_FIELDS: Schema = {"$ref": "#/$defs/fields"}
_CONDITION: Schema = {"type": ["string", "boolean"]}
_REJECTION: Schema = {
    "type": "object",
    "properties": {"error": {"enum": list(FAULTS)}, "message": _TEXT, "payload": {}},
    "required": ["error"],
    "additionalProperties": False,
}
_BRANCHES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"if": _CONDITION, "then": _STEPS, "note": _TEXT},
        "required": ["if", "then"],
        "additionalProperties": False,
    },
}
_NAME: Schema = {"type": "string", "pattern": NAME_PATTERN}
_WHERE: Schema = {"type": ["object", "string"], "minProperties": 1}
_COLUMNS: Schema = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_SORT: Schema = {"type": "object", "additionalProperties": {"enum": ["asc", "desc"]}, "minProperties": 1}
_EVALS: Schema = {"type": "object", "propertyNames": _NAME, "minProperties": 1}
_JOINS: Schema = {
    "type": "object",
    "propertyNames": _NAME,
    "additionalProperties": {
        "type": "object",
        "properties": {"table": _TEXT, "where": _TEXT, "type": {"enum": ["inner", "left"]}},
        "required": ["table"],
        "additionalProperties": False,
    },
}
_ADDON_OPTIONS: Schema = {
    "table": _TEXT,
    "by": _NAME,
    "on": {"type": "object", "additionalProperties": _NAME, "minProperties": 1, "maxProperties": 1},
    "where": _WHERE,
    "sort": _SORT,
    "output": _COLUMNS,
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "return": {"enum": ["list", "first", "count", "exists"]},
}
MAX_ADDON_LEVELS = 3  # each level is one query more
MAX_AT_ONCE = 1000  # requests that a test sends at the same time


def _addons(levels: int) -> Schema:
    nested = {"addon": _addons(levels - 1)} if levels > 1 else {}
    addon = {"type": "object", "properties": {**_ADDON_OPTIONS, **nested}, "additionalProperties": False}
    written = {"type": ["string", "object"], "if": {"type": "object"}, "then": addon}
    return {"type": "object", "propertyNames": _NAME, "additionalProperties": written}


BY_SYNTAX: Mapping[str, Schema] = {
    "value": {},
    "expression": {},
    "lambda": {},
    "block": _STEPS,
    "branches": _BRANCHES,
    "cases": {"type": "object", "additionalProperties": _STEPS},
    "condition": _CONDITION,
    "assignments": {"type": "object", "minProperties": 1},
    "table": {"type": "string"},
    "auth_table": {"type": "string"},
    "where": _WHERE,
    "match": {"type": "object", "minProperties": 1},
    "sort": _SORT,
    "columns": _COLUMNS,
    "openings": _COLUMNS,
    "sortable": _COLUMNS,
    "joins": _JOINS,
    "group": {"type": ["array", "object"], "items": _NAME, "propertyNames": _NAME},
    "evals": _EVALS,
    "addons": _addons(MAX_ADDON_LEVELS),
    "choice": {},
    "data": {"type": ["object", "string"]},
    "edits": {"type": ["object", "string"]},
    "changes": {"type": ["object", "string"]},
    "rows": {"type": ["array", "string"]},
    "sql": _TEXT,
    "flag": _FLAG,
    "function": {"type": "string"},
    "arguments": {"type": "object"},
    "fault": {"enum": list(FAULTS)},
    "rejection": _REJECTION,
    "duration": {"type": ["integer", "string"]},
}


def step_schema(definition: Definition, *, nested: bool = True) -> Schema:
    """The JSON Schema of a step; `nested` False takes blocks as plain lists, for checking one step at a time."""
    properties = {
        (definition.name if place == 0 else parameter.name): _parameter_schema(parameter, nested)
        for place, parameter in enumerate(definition.parameters)
    }
    required = [
        definition.name if place == 0 else parameter.name
        for place, parameter in enumerate(definition.parameters)
        if parameter.required
    ]
    if not definition.parameters:
        properties[definition.name] = {"type": "null"}
    return {
        "type": "object",
        "description": definition.summary,
        "properties": {**properties, **STEP_KEYS},
        "required": required,
        "additionalProperties": False,
    }


def _parameter_schema(parameter: Parameter, nested: bool) -> Schema:
    schema = dict(BY_SYNTAX[parameter.syntax])
    if not nested:
        schema = _flattened(schema)
    if parameter.syntax == "table" and not parameter.required:
        schema["type"] = ["string", "null"]
    if parameter.syntax == "choice":
        schema["enum"] = list(parameter.kind.values)
    if parameter.syntax == "value" and parameter.kind.values:
        schema["examples"] = list(parameter.kind.values)
    return schema


def _flattened(schema: Any) -> Any:
    if schema == _STEPS:
        return {"type": "array"}
    if isinstance(schema, dict):
        return {name: _flattened(part) for name, part in schema.items()}
    return schema


def file_schema(kind: str, *, nested: bool = True) -> Schema:
    """The JSON Schema of a kind of file."""
    properties, required = _FILES[kind]()
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stackwright {kind}",
        "type": "object",
        "properties": {kind: properties.pop(kind), **properties},
        "required": [kind, *required],
        "additionalProperties": False,
    }
    definitions: Schema = {"field": declaration_schema(), "fields": fields_declaration_schema()}
    if kind == "table":
        definitions |= {
            "column": declaration_schema(column=True),
            "columns": fields_declaration_schema("column"),
        }
    if nested:
        definitions |= _step_definitions()
    else:
        schema = _flattened(schema)
    return {**schema, "$defs": definitions}


def _step_definitions() -> Schema:
    definitions = registry.steps()
    bare = [
        name for name, definition in definitions.items() if not any(each.required for each in definition.parameters)
    ]
    # One branch is chosen by the key that is there, so that an editor's message names the argument.
    choices = [
        {"if": {"type": "object", "required": [name]}, "then": {"$ref": f"#/$defs/step_{name}"}} for name in definitions
    ]
    step = {"type": ["object", "string"], "allOf": choices, "if": {"type": "string"}, "then": {"enum": bare}}
    return {
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "step": step,
        **{f"step_{name}": step_schema(definition) for name, definition in definitions.items()},
    }


def _workspace() -> tuple[Schema, list[str]]:
    return {
        "workspace": {**_TEXT, "pattern": PATH_PATTERN},
        "description": _TEXT,
        "canonical": {**_TEXT, "pattern": "^[A-Za-z0-9_-]+$"},
        "unknown_input": {"enum": ["refuse", "ignore"]},
        "version": {**_TEXT, "description": "The version that the OpenAPI documents name."},
        "openapi": _OPENAPI,
        "env": _FIELDS,
        "cors": _CORS,
        "body_limit": {"type": "integer", "minimum": 1, "description": "Bytes of a request's body (1048576)."},
        "value_limit": {"type": "integer", "minimum": 1, "description": "Values in JSON of a body (200000)."},
        "time_limit": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds a run may take."},
        "memory_limit": {
            "type": "integer",
            "minimum": 1 << 20,
            "description": "Bytes that a run may make of texts, lists and objects.",
        },
        "answer_limit": {"type": "integer", "minimum": 1024, "description": "Bytes of an answer's body."},
        "data_sources": {
            "type": "array",
            "items": {**_TEXT, "pattern": SOURCE_PATTERN},
            "maxItems": 16,
            "description": "Databases beside `live` that a request may choose with X-Data-Source.",
        },
    }, []


_OPENAPI: Schema = {
    "type": ["string", "object"],
    "if": {"type": "string"},
    "then": {"enum": ["public", "off"]},
    "else": {
        "properties": {
            "token": {**_TEXT, "pattern": ENV_PATTERN, "description": "The environment variable that holds the token."}
        },
        "required": ["token"],
        "additionalProperties": False,
    },
    "description": "Who may read the OpenAPI document: anyone, nobody, or who brings a token.",
}
_CORS: Schema = {
    "type": "object",
    "properties": {
        "origins": {"type": "array", "items": _TEXT},
        "credentials": _FLAG,
        "headers": {"type": "array", "items": _TEXT},
        "max_age": {"type": "integer", "minimum": 0},
        "enabled": _FLAG,
    },
    "additionalProperties": False,
}


def _group() -> tuple[Schema, list[str]]:
    return {
        "group": {**_TEXT, "pattern": PATH_PATTERN},
        "description": _TEXT,
        "canonical": {**_TEXT, "pattern": "^[A-Za-z0-9_-]+$"},
        "openapi": _OPENAPI,
        "cors": _CORS,
    }, []


_INDEXED: Schema = {
    "type": ["string", "object"],
    "additionalProperties": {"enum": ["asc", "desc"]},
    "minProperties": 1,
    "maxProperties": 1,
}


def _table() -> tuple[Schema, list[str]]:
    index = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": _INDEXED, "minItems": 1},
            "unique": _FLAG,
            "where": {**_TEXT, "description": "Only the records that meet it are in the index."},
            "type": {"enum": ["search"]},
        },
        "required": ["columns"],
        "additionalProperties": False,
    }
    rule = {
        "type": ["string", "object"],
        "properties": {"check": _TEXT, "message": _TEXT},
        "required": ["check"],
        "additionalProperties": False,
    }
    return {
        "table": {**_TEXT, "pattern": NAME_PATTERN, "maxLength": 60},
        "was": {**_TEXT, "description": "The name that the table had before."},
        "description": _TEXT,
        "auth": _FLAG,
        "columns": {"$ref": "#/$defs/columns"},
        "indexes": {"type": "array", "items": index},
        "checks": {"type": "array", "items": rule, "description": "What must be true of every record."},
        "seed": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The records that are there when the table is made.",
        },
    }, ["columns"]


def _endpoint() -> tuple[Schema, list[str]]:
    return {
        "endpoint": {**_TEXT, "pattern": ENDPOINT_PATTERN},
        "description": _TEXT,
        "tags": {"type": "array", "items": _TEXT},
        "group": _TEXT,
        "auth": _TEXT,
        "atomic": _FLAG,
        "input": _FIELDS,
        "stack": _STEPS,
        "response": {},
    }, ["stack"]


def _function() -> tuple[Schema, list[str]]:
    return {
        "function": {**_TEXT, "pattern": PATH_PATTERN},
        "description": _TEXT,
        "input": _FIELDS,
        "returns": {"$ref": "#/$defs/field"},
        "stack": _STEPS,
    }, ["stack"]


def _test() -> tuple[Schema, list[str]]:
    request: Schema = {
        "data_source": {
            **_TEXT,
            "description": "Where it is sent; a case's records are there, and what follows goes there.",
        },
        "auth": _SUBJECT,
        "token": {**_TEXT, "description": "The token sent: a text, or an expression as $response.authToken."},
        "send": {**_HEADERS, "description": "Request headers."},
        "input": {"description": "What is sent: a JSON body, or the path's parameters and the query."},
        "at_once": {
            "type": "integer",
            "minimum": 2,
            "maximum": MAX_AT_ONCE,
            "description": "How many times it is sent at the same time.",
        },
    }
    then = {
        "type": "object",
        "properties": {
            "request": {**_TEXT, "pattern": TEST_PATTERN},
            "after": {"type": ["string", "integer"], "description": "Time that passes before, as in 25h."},
            **request,
            **_EXPECTED,
        },
        "required": ["request"],
        "additionalProperties": False,
    }
    case = {
        "type": "object",
        "properties": {
            "name": {**_TEXT, "minLength": 1},
            "records": _RECORDS,
            **request,
            "each": {"type": "array", "minItems": 1, "description": "Inputs, each of them a case of its own."},
            **_EXPECTED,
            "then": {"type": "array", "items": then, "description": "Requests that follow, on the same records."},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    return {
        "test": _TEXT,
        "description": _TEXT,
        "clock": {"type": ["string", "integer"], "description": "The time that every case sees."},
        "env": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "description": "What `$env` holds, before what the real environment says.",
        },
        "records": _RECORDS,
        "cases": {"type": "array", "items": case, "minItems": 1},
    }, ["cases"]


_HEADERS: Schema = {"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean"]}}
_RECORDS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "object"}},
    "description": "What the tables hold before each case.",
}
_SUBJECT: Schema = {
    "type": "object",
    "properties": {"table": _TEXT, "id": {"type": ["integer", "string"]}, "extras": {"type": ["object", "string"]}},
    "required": ["table", "id"],
    "additionalProperties": False,
    "description": "The record that a token is made for.",
}
_ROWS: Schema = {"type": ["integer", "array"], "minimum": 0, "items": {"type": "object"}}
_EXPECTED: Schema = {
    "status": {"type": "integer", "minimum": 100, "maximum": 599},
    "statuses": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": STATUS_PATTERN},
        "additionalProperties": {"type": "integer", "minimum": 1},
        "description": "Of those sent at once, how many are answered with each status, as in {200: 1, 409: 19}.",
    },
    "response": {"description": "What the response must have; it may have more."},
    "headers": {
        "type": "object",
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
        "description": "Response headers; null for one that must not be there.",
    },
    "check": {"type": "array", "items": _TEXT, "description": "Expressions that must be true."},
    "changed": {
        "type": "object",
        "additionalProperties": {
            "type": ["integer", "object"],
            "minimum": 0,
            "properties": {"added": _ROWS, "changed": _ROWS, "removed": _ROWS},
            "additionalProperties": False,
        },
        "description": "How many records of a table changed, or which; those of the others must not.",
    },
}


_FILES = {
    "workspace": _workspace,
    "group": _group,
    "table": _table,
    "endpoint": _endpoint,
    "function": _function,
    "test": _test,
}


def _pattern(_: Any, pattern: str, value: object, __: Schema) -> Iterator[ValidationError]:
    """As ECMA 262 has it, whose `$` is the end of the text; Python's is before a last line break too."""
    ended = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(value, str) and not re.search(ended, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


@cache
def _validator() -> Any:
    """The class that explains."""
    return validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


class SchemaCheck:
    """A JSON Schema and two ways to check with it: one that is fast, and one that explains what isn't as it says."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._fast = jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())

    @cached_property
    def _thorough(self) -> Any:
        return _validator()(self.schema)

    def errors(self, value: object) -> Iterator[ValidationError]:
        """Where a value isn't as the schema says."""
        return iter(()) if self.is_valid(value) else self._thorough.iter_errors(value)

    def is_valid(self, value: object) -> bool:
        """Whether a value is as the schema says; false too of what only the thorough check can tell."""
        try:
            return self._fast.is_valid(value)
        except ValueError:  # it is nested deeper than this one looks, or holds a number that JSON can't say
            return False


@cache
def file_check(kind: str) -> SchemaCheck:
    """What files of a kind are checked with; their steps are checked one at a time, by `step_check`."""
    return SchemaCheck(file_schema(kind, nested=False))


@cache
def step_check(name: str) -> SchemaCheck:
    """What a step of this name is checked with."""
    return SchemaCheck(step_schema(registry.steps()[name], nested=False))


def problems(check: SchemaCheck, document: Document, path: Path, value: object) -> Iterator[Problem]:
    """The problems of the value at `path`, each with its place and its mend."""
    for error in check.errors(value):
        if error.validator != "required" or not _is_under_another_name(error):
            yield from _explain(error, document, (*path, *error.absolute_path))


def _is_under_another_name(error: ValidationError) -> bool:
    """Whether what is missing may be there under a name that isn't known, which is a problem of its own."""
    schema: Any = error.schema
    given: Any = error.instance
    required: Any = error.validator_value
    known = schema.get("properties", {})
    missing = [name for name in required if name not in given]
    unknown = [name for name in given if name not in known] if schema.get("additionalProperties") is False else []
    return any(nearest(name, known) in (None, *missing) for name in unknown)


def _unknown_names(error: ValidationError, document: Document, path: Path) -> Iterator[Problem]:
    """Names that nothing has: a step that lacks its dash, a misspelt one, or one that stands for what is missing."""
    schema: Any = error.schema
    given: Any = error.instance
    known = list(schema.get("properties", {}))
    missing = [name for name in schema.get("required", ()) if name not in given]
    meant: set[str | None] = set()
    for name in (each for each in given if each not in known):
        message, place = f"'{name}' is not known here", document.key_span((*path, name))
        if next(iter(given)) in registry.steps() and name in registry.steps():
            yield Problem("SW051", message, place, f"it is a step of its own: write '- {name}:'")
            return  # with all that follows it
        if (other := _OTHER_KEYS.get(name)) in known and other not in given:
            if other not in meant:  # once, though several words may stand for it
                yield Problem("SW051", message, place, f"write '{other}:'")
            meant.add(other)
            continue
        if hint := _elsewhere(name, path):
            yield Problem("SW051", message, place, hint)
            continue
        if missing and nearest(name, known) is None:
            yield Problem("SW051", message, place, f"'{missing[0]}:' is missing")
            return
        yield Problem("SW051", message, place, did_you_mean(name, known))


def _elsewhere(name: str, path: Path) -> str:
    """The mend of a name that is known in another place; empty for others."""
    if not path and name in registry.steps():
        return f"it is a step: write '- {name}:' in the stack"
    return _OTHER_PLACES.get(name, "")


def _explain(error: ValidationError, document: Document, path: Path) -> Iterator[Problem]:
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "additionalProperties":
            yield from _unknown_names(error, document, path)
        case "required":
            missing = [name for name in wanted if name not in given]
            first = next(name for name in missing if f"'{name}'" in error.message)
            owner = _owner(document, path, given)
            yield Problem("SW052", f"'{first}' is missing{owner}", document.key_span(path), f"add '{first}:'")
        case "enum":
            known = [str(choice) for choice in wanted]
            shown = f"'{_shown(given)}'" if isinstance(given, str | int) else _described(given)
            hint = did_you_mean(str(given), known, listed=16)
            if (other := _other_type(str(given), known)) is not None:
                hint = f"write '{other}'"
            if str(given).endswith("?") and str(given)[:-1] in known:
                hint = "the '?' goes behind the name, as in 'age?: int'"
            yield Problem("SW053", f"{shown} is not known here", document.span(path), hint)
        case "type":
            hint = "begin each entry with '- '" if wanted == "array" and isinstance(error.instance, dict) else ""
            hint = bool_hint(given) if "boolean" in _listed(wanted) else hint
            if "integer" in _listed(wanted):
                hint = _int_hint(path, given)
            wanted = " or ".join(_AUTHOR_TYPES.get(name, name) for name in _listed(wanted))
            message = f"this must be {wanted}, it is {_described(error.instance)}"
            yield Problem("SW054", message, document.span(path), hint)
        case "pattern":
            message = f"'{_shown(error.instance)}' is not a name that can stand here"
            place = (
                document.key_span((*path, given)) if _is_key(document, path, error.instance) else document.span(path)
            )
            yield Problem("SW055", message, place, _PATTERN_HINTS.get(wanted, "use letters, digits and _"))
        case "minProperties" | "minItems":
            yield Problem("SW056", "this is empty, write at least one entry", document.span(path))
        case "maxItems":
            yield Problem("SW057", f"these are {len(given)} entries, write {wanted} at most", document.span(path))
        case _:
            yield Problem("SW057", f"'{_shown(error.instance)}' can't stand here: {error.message}", document.span(path))


def _int_hint(path: Path, given: object) -> str:
    """The mend where something else stands for an int; empty where none is meant."""
    if isinstance(given, str) and given.isascii() and given.isdigit():
        return f"write {given} without quotes"
    if isinstance(given, str) and (size := re.fullmatch(r"(\d{1,6}) ?([kmg])i?b?", given, re.ASCII | re.IGNORECASE)):
        return f"write {int(size[1]) << 10 * (1 + 'kmg'.index(size[2].lower()))}, in bytes"
    return "write 'statuses:' for answers that differ" if path[-1:] == ("status",) and isinstance(given, dict) else ""


# What authors of other tools call a key.
_OTHER_KEYS = {
    **dict.fromkeys(("args", "arguments", "params", "parameters"), "with"),
    **dict.fromkeys(("field_name", "field_value", "filter", "condition"), "where"),
    **dict.fromkeys(("limit", "page_size"), "per_page"),
    **dict.fromkeys(("return_as", "result"), "as"),
    **dict.fromkeys(("fields", "schema"), "columns"),
    **dict.fromkeys(("references", "reference", "foreign_key"), "table"),
    **dict.fromkeys(("expect", "expected"), "response"),
    **dict.fromkeys(("parallel", "concurrent", "concurrency", "simultaneous"), "at_once"),
    "body": "input",
}
# Where stands what is easily written elsewhere.
_OTHER_PLACES = {
    **dict.fromkeys(
        ("time_limit", "memory_limit", "answer_limit", "body_limit", "value_limit"),
        "it stands in the workspace's file, for all endpoints",
    ),
    **dict.fromkeys(("at_once", "statuses"), "it stands in a case of a test"),
    "atomic": "it stands in the endpoint's file, for all that the endpoint runs",
    "lock": "query_all_records takes it; other steps need none, as what they read is still so when the run writes",
}
# What other languages call a type.
_OTHER_TYPES = {
    **dict.fromkeys(("string", "str", "varchar", "char"), "text"),
    **dict.fromkeys(("integer", "bigint", "smallint"), "int"),
    **dict.fromkeys(("float", "double", "number", "numeric", "real"), "decimal"),
    **dict.fromkeys(("datetime", "timestamptz", "time"), "timestamp"),
    **dict.fromkeys(("jsonb", "any"), "json"),
    "boolean": "bool",
    "array": "text[]",
    "list": "text[]",
    "map": "object",
    "dict": "object",
}


def _other_type(given: str, known: Collection[str]) -> str | None:
    """How a type of another language, or one with a mark where none stands, is written here."""
    if given.startswith("[]") and given[2:] in known:
        return f"{given[2:]}[]"
    return other if (other := _OTHER_TYPES.get(given.lower())) in known else None


_AUTHOR_TYPES = {
    "string": "a text", "integer": "an int", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "left empty",
}  # fmt: skip
_PATTERN_HINTS = {
    ENDPOINT_PATTERN: "write a verb and a path, as in 'POST /auth/login' or 'GET /notes/{id}'",
    TEST_PATTERN: "write a verb and a path, as in 'POST /auth/login'",
    ENV_PATTERN: "name a variable that 'env:' of the workspace declares, as in $env.DOCS_TOKEN",
    STATUS_PATTERN: "write the number of an HTTP status, as in {200: 1, 409: 19}",
    NAME_PATTERN: "start with a letter and use letters, digits and _",
    SOURCE_PATTERN: "start with a lower-case letter and use these, digits, - and _, 40 at most",
}


def _is_key(document: Document, path: Path, name: object) -> bool:
    value = document.value(path)
    return isinstance(value, dict) and name in value


def _owner(document: Document, path: Path, value: object) -> str:
    return f" from '{next(iter(value))}'" if isinstance(value, dict) and value and path else ""


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _described(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text '{_shown(value)}'"
        case list():
            return "a list"
    return "a mapping"
