"""The contract: what it says of kinds, inputs, answers and errors is so, and its documents are what OpenAPI asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from engine.check import Checked
from engine.errors import Fault, Text
from engine.fields import Field, read_field
from engine.openapi.document import Documents
from engine.openapi.inputs import field_schema
from engine.openapi.outcomes import Outcomes
from engine.openapi.schemas import kind_schema
from engine.program import check_folder
from engine.shapes import Shape
from engine.source import read
from engine.testing import fixtures
from engine.testing.client import Answer
from engine.testing.fixtures import Case, Exchange, Suite
from engine.testing.replay import Harness
from engine.values import (
    ANY,
    BOOL,
    DATE,
    DECIMAL,
    FILE,
    INT,
    NEVER,
    NULL,
    OBJECT,
    POINT,
    TEXT,
    TIMESTAMP,
    UUID,
    Kind,
    join,
    join_all,
    list_of,
    mapping_of,
    object_of,
)
from engine.workspace import Endpoint
from tests.commands import ROOT, called
from tests.support import USER, checked, write
from tests.test_docs import TESTED, files_of

INT64 = {"type": "integer", "format": "int64"}
MILLISECONDS = {**INT64, "description": "Milliseconds since the epoch."}


# Kinds


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (ANY, {}),
        (ANY.maybe(), {}),
        (NULL, {"type": "null"}),
        (BOOL, {"type": "boolean"}),
        (INT, INT64),
        (INT.maybe(), {**INT64, "type": ["integer", "null"]}),
        (DECIMAL, {"type": "number"}),
        (TEXT, {"type": "string"}),
        (TIMESTAMP, MILLISECONDS),
        (DATE, {"type": "string", "format": "date"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Kind("enum", values=("a", "b")), {"type": "string", "enum": ["a", "b"]}),
        (Kind("enum", values=("a",)).maybe(), {"type": ["string", "null"], "enum": ["a", None]}),
        (join(INT, TEXT), {"anyOf": [INT64, {"type": "string"}]}),
        (
            join_all([INT, NULL, list_of(BOOL)]),
            {"anyOf": [INT64, {"type": "array", "items": {"type": "boolean"}}, {"type": "null"}]},
        ),
        (OBJECT, {"type": "object", "additionalProperties": True}),
        (mapping_of(INT), {"type": "object", "additionalProperties": INT64}),
        (list_of(INT), {"type": "array", "items": INT64}),
        (list_of(TEXT.maybe()), {"type": "array", "items": {"type": ["string", "null"]}}),
        (list_of(NEVER), {"type": "array", "items": {}, "maxItems": 0}),
        (object_of({}), {"type": "object", "properties": {}}),
        (
            object_of({"a": INT, "b": TEXT}, ["b"]),
            {"type": "object", "properties": {"a": INT64, "b": {"type": "string"}}, "required": ["a"]},
        ),
        (
            object_of({"name": TEXT, "password": Kind("password").masked()}),
            {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        ),
    ],
)
def test_a_kind_as_a_schema(kind: Kind, schema: dict[str, Any]) -> None:
    assert kind_schema(kind) == schema


def test_a_point_is_a_schema_of_its_parts() -> None:
    jsonschema.validate({"type": "point", "data": {"lng": 1, "lat": 2.5}}, kind_schema(POINT))


def test_a_file_may_be_a_stored_one() -> None:
    schema = kind_schema(FILE)
    jsonschema.validate({"name": "a", "type": "text/plain", "size": 1}, closed(schema))
    jsonschema.validate({"name": "a", "type": "text/plain", "size": 1, "path": "/a", "meta": {}}, closed(schema))
    assert not jsonschema.Draft202012Validator(schema).is_valid({"name": "a"})


def test_a_record_stands_for_its_table(tmp_path: Path) -> None:
    workspace = checked(tmp_path, {"user": USER}).workspace
    kind = workspace.tables["user"].kind

    def reference(each: Kind) -> dict[str, Any] | None:
        return {"$ref": each.table} if each.is_record else None

    assert kind_schema(kind, reference) == {"$ref": "user"}
    assert kind_schema(kind.maybe(), reference) == {"anyOf": [{"$ref": "user"}, {"type": "null"}]}
    assert "password" not in kind_schema(kind)["properties"]


# Inputs: what a schema takes is what the server takes.

TEXTS = [
    "",
    " ",
    "a",
    " a ",
    "ab",
    "abcd",
    " abcd ",
    "abcdefgh",
    "a\nb",
    "a\0b",
    "\u3000x\u3000",
    "A",
    "a@b",
    " a@b.c ",
    "é",
]
ADDRESSES = [
    "a@b",
    "ada@example.com",
    " ada@example.com\n",
    "a b@c",
    "a@b..c",
    "a@-b",
    "@",
    "a@b@c",
    "é@ü.de",
    "a@b\u009f",
    "a" * 250 + "@bcde",
    " a@" + "b" * 252 + "  ",
]
NUMBERS = [0, 1, -1, 5, 6, 1.0, 1.5, -(2**63), 2**63 - 1, 2**63, True, None, "1"]
MOMENTS = [
    0,
    -1,
    253402300799999,
    253402300800000,
    "2025-01-01T00:00:00Z",
    "2025-01-01T00:00:00.5+02:00",
    "2025-01-01",
    "2025-13-01T00:00:00Z",
    1.5,
    None,
]
DATES = ["2025-01-01", "0001-01-01", "0000-01-01", "9999-12-31", "2025-1-1", "2025-13-01", "", 1]
SECRETS = ["", "a", "abcdefgh", "x" * 1024, "x" * 1025, "abC1!", "abC1!xyz", "пароль12", 12345678]
ACCEPTED: list[tuple[str, list[Any]]] = [
    ("text", TEXTS), ("{type: text, trim: true}", TEXTS), ("{type: text, min: 2}", TEXTS), ("{type: text, trim: true, min: 2, max: 4}", TEXTS),
    ("{type: text, trim: true, max: 1}", TEXTS), ("{type: text, trim: true, max: 2}", TEXTS), ("{type: text, pattern: '^a'}", TEXTS),
    ("{type: text, starts_with: 'a@'}", TEXTS), ("{type: text, nullable: true}", [None, *TEXTS]), ("{type: text, default: a}", [None, *TEXTS]),
    ("{type: text, trim: true, default: a}", TEXTS), ("{type: text, trim: true, default: a, max: 3}", TEXTS),
    ("email", ADDRESSES), ("{type: email, trim: true, lower: true}", ADDRESSES),
    ("int", NUMBERS), ("{type: int, min: 1, max: 5}", NUMBERS), ("{type: int, nullable: true}", NUMBERS), ("decimal", NUMBERS), ("{type: decimal, max: 1.2}", NUMBERS),
    ("bool", [True, False, 0, "true", None]), ("date", DATES), ("timestamp", MOMENTS), ("{type: timestamp, nullable: true}", MOMENTS),
    ("{type: timestamp, min: 0}", [-1, 0, 5, "1969-12-31T23:59:59Z"]),
    ("uuid", ["7f9c24e8-3b12-4fef-91e0-2c3d4e5f6a7b", "7F9C24E8-3B12-4FEF-91E0-2C3D4E5F6A7B", "7f9c24e83b124fef91e02c3d4e5f6a7b", "", 1]),
    ("{type: enum, values: [a, b]}", ["a", "b", "c", "", 1, None]), ("{type: enum, values: [a], nullable: true}", ["a", None, "b"]),
    ("json", [None, 1, "a", [], {}]), ("object", [{}, {"a": 1}, [], None]), ("vector", []),
    ("{type: 'int[]', min: 1, max: 2}", [[], [1], [1, 2, 3], ["1"], [None], 1]), ("{type: 'text[]', trim: true}", [[""], [" a "], ["a\0"], []]),
    ("{type: object, properties: {a: int, b?: text}}", [{"a": 1}, {"a": 1, "b": ""}, {"b": "x"}, {"a": 1, "c": 1}, {"a": 1, "b": None}, [], None]),
    ("{type: vector, size: 2}", [[1, 2.5], [1], [1, "2"], None]), ("geo_point", [{"type": "point", "data": {"lng": 1, "lat": 2}}, {"type": "point", "data": {"lng": 181, "lat": 2}}]),
    ("password", SECRETS), ("{type: password, min: 8}", SECRETS), ("{type: password, min_digits: 2, min_letters: 3}", SECRETS),
    ("{type: password, min_upper: 1, min_lower: 1, min_symbols: 1}", SECRETS),
]  # fmt: skip


def field_of(declaration: str) -> Field:
    document = read(Text("it.yaml", f"endpoint: POST /it\ninput:\n  it: {declaration}\n"))
    return read_field(document, ("input", "it"))


def is_taken(field: Field, value: Any) -> bool:
    """Whether a JSON body with the value is taken: a NUL is refused before anything else is looked at."""
    try:
        Shape([field]).bind(json.loads(json.dumps({"it": value})))
    except Fault:
        return False
    return "\\u0000" not in json.dumps(value)


def is_published(field: Field, value: Any) -> bool:
    schema = field_schema(field, closed=True)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker(["date"])).is_valid(value)


@pytest.mark.parametrize(
    ("declaration", "value"),
    [(declaration, value) for declaration, values in ACCEPTED for value in values],
    ids=lambda part: str(part)[:60].encode("unicode_escape").decode(),
)
def test_what_is_published_is_what_is_taken(declaration: str, value: Any) -> None:
    field = field_of(declaration)
    assert is_published(field, value) == is_taken(field, value)


TEXT_FIELDS = [field_of(each) for each, values in ACCEPTED if values in (TEXTS, ADDRESSES, SECRETS)]


@settings(max_examples=300)
@given(field=st.sampled_from(TEXT_FIELDS), value=st.text(max_size=12))
def test_what_is_published_of_texts_is_taken(field: Field, value: str) -> None:
    if is_published(field, value):
        assert is_taken(field, value)


@pytest.mark.parametrize("address", ["a{}b@c", "a@b{}c", "a@{}", "a@b.{}"])
def test_an_address_with_any_letter_that_is_published_is_taken(address: str) -> None:
    field, letters = field_of("email"), (chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000)
    pattern, shape = re.compile(field_schema(field, closed=True)["pattern"]), Shape([field])
    refused = []
    for value in filter(pattern.fullmatch, (address.format(letter) for letter in letters)):
        try:
            shape.bind({"it": value})
        except Fault:
            refused.append(value)
    assert not refused


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", "(?i)a", "(?P<a>b)", r"\Aa\z", "[[:alpha:]]", "a++"])
def test_a_pattern_in_a_dialect_of_its_own_is_left_out(pattern: str) -> None:
    schema = field_schema(field_of(f"{{type: text, pattern: '{pattern}'}}"), closed=True)
    assert "allOf" not in schema


@pytest.mark.parametrize(
    ("declaration", "is_shown"),
    [
        ("{type: text, default: HIDDEN}", True),
        ("{type: text, default: HIDDEN, sensitive: true}", False),
        ("{type: object, default: {k: HIDDEN}, properties: {k: text}}", True),
        ("{type: object, default: {k: HIDDEN, v: 1}, properties: {k: {type: text, sensitive: true}, v: int}}", False),
        ("{type: 'object[]', default: [{k: HIDDEN}], properties: {k: {type: text, sensitive: true}}}", False),
        ("{type: object, properties: {k: {type: text, sensitive: true, default: HIDDEN}}}", False),
        ("{type: object, sensitive: true, properties: {k: {type: text, default: HIDDEN}}}", False),
        ("{type: object, sensitive: true, properties: {o: {type: object, properties: {k: {type: text, default: HIDDEN}}}}}", False),
    ],
)  # fmt: skip
def test_the_default_of_what_holds_a_secret_is_left_out(declaration: str, is_shown: bool) -> None:
    assert ("HIDDEN" in json.dumps(field_schema(field_of(declaration), closed=True))) == is_shown


@pytest.mark.parametrize("default", ["now", "uuid"])
def test_a_default_is_published_whatever_its_text(default: str) -> None:
    for declaration in ("type: text", "type: enum, values: [now, uuid]"):
        assert field_schema(field_of(f"{{{declaration}, default: {default}}}"), closed=True)["default"] == default


# Outcomes

NOTE = "table: note\ncolumns: {id: int, user_id: {table: user}, slug: {type: text, unique: true}, text: text}\n"
HEAD = "endpoint: POST /it\ninput: {n: int, text: text}\nstack:\n"
STACKS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "nothing": ("  []", []),
    "a precondition": ("  - precondition: $input.n > 1", [("bad_request", "Precondition failed.")]),
    "a precondition with words": (
        "  - precondition: $input.n > 1\n    error: not_found\n    message: No ${$input.n}.",
        [("not_found", "No ….")],
    ),
    "a throw in a branch": (
        "  - if: $input.n > 1\n    then: []\n    else_if:\n      - {if: $input.n < 0, then: [{throw: conflict, message: Too small.}]}\n    else:\n      - throw: too_many_requests",
        [("conflict", "Too small."), ("too_many_requests", "Too many requests.")],
    ),
    "a throw in a case": (
        "  - switch: $input.text\n    cases: {a: [{throw: access_denied}]}\n    default: [{throw: unauthorized}]",
        [("access_denied", "Access denied."), ("unauthorized", "Unauthorized.")],
    ),
    "what is caught is none": (
        "  - try:\n      - throw: conflict\n    catch:\n      - throw: not_found\n    finally:\n      - precondition: $input.n > 1\n        message: In the end.",
        [("not_found", "Not Found."), ("bad_request", "In the end.")],
    ),
    "what nobody catches": ("  - try: [{throw: conflict}]\n    finally: []", [("conflict", "Conflict.")]),
    "a loop": ("  - repeat: 3\n    do: [{precondition: $input.n > 1, error: conflict}]", [("conflict", "Conflict.")]),
    "a function's": ("  - run_function: careful\n    with: {n: $input.n}", [("access_denied", "Never."), ("not_found", "Not Found.")]),
    "a record that must be there": (
        "  - edit_record: note\n    where: {id: $input.n}\n    data: {text: $input.text}",
        [("not_found", "Not Found.")],
    ),
    "a unique column": (
        "  - edit_record: note\n    where: {id: $input.n}\n    data: {slug: $input.text}",
        [("not_found", "Not Found."), ("conflict", "")],
    ),
    "a unique column in other words": (
        "  - add_record: note\n    data: {slug: a, text: b, user_id: $input.n}\n    on_duplicate: {error: access_denied, message: Taken.}",
        [("access_denied", "Taken.")],
    ),
    "a record by a unique column": (
        "  - add_or_edit_record: note\n    where: {slug: $input.text}\n    data: {text: b, user_id: $input.n}",
        [("conflict", "")],
    ),
    "records at once": ("  - bulk_add_records: note\n    items: [{slug: a, text: b, user_id: 1}]", [("conflict", "")]),
    "a record that others refer to": (
        "  - delete_record: user\n    where: {id: $input.n}",
        [("not_found", "Not Found."), ("conflict", "This user is still in use.")],
    ),
    "SQL that reads": ("  - direct_database_query: SELECT 1 AS n", []),
    "SQL that writes": ("  - direct_database_query: UPDATE note SET slug = 'a'", [("conflict", "")]),
    "SQL that reads elsewhere": ("  - external_database_query: SELECT 1 AS n\n    connection: $env.ERP", []),
    "SQL that writes elsewhere": (
        "  - external_database_query: DELETE FROM article\n    connection: $env.ERP",
        [("conflict", "")],
    ),
    "a record that none refers to": ("  - delete_record: note\n    where: {id: $input.n}", [("not_found", "Not Found.")]),
}  # fmt: skip
CAREFUL = "function: careful\ninput: {n: int}\nstack:\n  - precondition: $input.n > 1\n    error: access_denied\n    message: Never.\n  - delete_record: note\n    where: {id: $input.n}\n"
AROUND = {
    "workspace": "workspace: it\nenv: {ERP: {type: text, sensitive: true}}\n",
    "user": USER,
    "note": NOTE,
    "careful": CAREFUL,
}


@pytest.mark.parametrize("name", STACKS)
def test_the_errors_of_a_stack(tmp_path: Path, name: str) -> None:
    stack, expected = STACKS[name]
    found = checked(tmp_path, {**AROUND, "it": f"{HEAD}{stack}\n"})
    assert not found.errors, found.errors[0].render()
    outcomes = Outcomes(found).endpoint(found.workspace.endpoints[0])
    assert [(each.error, each.message) for each in outcomes] == expected


IN_USE = ("conflict", "This a is still in use.")
TAKEN = ("conflict", "")
REFERENCES: dict[str, tuple[dict[str, str], list[tuple[str, str]]]] = {
    "restricts": ({"b": "a_id: {table: a}"}, [IN_USE]),
    "cascades": ({"b": "a_id: {table: a, on_delete: cascade}"}, []),
    "a list's": ({"b": "a_ids: {table: a, type: 'int[]'}"}, []),
    "cascades into one that restricts": (
        {"b": "a_id: {table: a, on_delete: cascade}", "c": "b_id: {table: b}"},
        [IN_USE],
    ),
    "cascades through several": (
        {
            "b": "a_id: {table: a, on_delete: cascade}, 'd_id?': {table: d, on_delete: cascade}",
            "c": "b_id: {table: b, on_delete: cascade}",
            "d": "c_id: {table: c}",
        },
        [IN_USE],
    ),
    "cascades in a ring": (
        {"b": "a_id: {table: a, on_delete: cascade}, 'c_id?': {table: c, on_delete: cascade}", "c": "b_id: {table: b, on_delete: cascade}"},
        [],
    ),
    "is set to null before one that restricts": (
        {"b": "'a_id?': {table: a, on_delete: set_null}", "c": "b_id: {table: b}"},
        [],
    ),
    "is set to null in an index": (
        {"b": "'a_id?': {table: a, on_delete: set_null}, slug: text}\nindexes: [{columns: [slug], unique: true, where: a_id == null}]"},
        [TAKEN],
    ),
    "is set to null in an index, further on": (
        {
            "b": "a_id: {table: a, on_delete: cascade}",
            "c": "'b_id?': {table: b, on_delete: set_null}, slug: text}\nindexes: [{columns: [slug], unique: true, where: b_id == null}]",
        },
        [TAKEN],
    ),
    "is set to null out of an index": (
        {"b": "'a_id?': {table: a, on_delete: set_null}, slug: text}\nindexes: [{columns: [slug], unique: true, where: slug != \"\" and a_id != null}]"},
        [],
    ),
    "is unique, and set to null": ({"b": "'a_id?': {table: a, on_delete: set_null, unique: true}"}, []),
}  # fmt: skip
DELETIONS = [
    "delete_record: a\n    where: {id: $input.n}",
    "bulk_delete_records: a\n    where: {id: $input.n}",
    "truncate_table: a",
]


@pytest.mark.parametrize("step", DELETIONS)
@pytest.mark.parametrize("name", REFERENCES)
def test_the_conflicts_of_a_deletion(tmp_path: Path, name: str, step: str) -> None:
    tables, expected = REFERENCES[name]
    files = {"a": "table: a\ncolumns: {id: int}\n", "it": f"{HEAD}  - {step}\n"}
    files |= {each: f"table: {each}\ncolumns: {{id: int, {columns}" for each, columns in tables.items()}
    found = checked(
        tmp_path, {each: text if text.endswith(("\n", "]")) else text + "}" for each, text in files.items()}
    )
    assert conflicts(found) == expected


COLUMNS = {
    "plain": "code: {type: text, unique: true}",
    "with a default": "code: {type: text, unique: true, default: a}",
    "null by default": "code: {type: text, unique: true, default: null}",
    "optional": "'code?': {type: text, unique: true}",
    "of today": "code: {type: date, unique: true, default: now}",
    "an id of its own": "code: {type: uuid, unique: true, default: uuid}",
    "of two, one left out": "code: {type: text, default: a}, 'other?': text}\nindexes: [{columns: [code, other], unique: true}]",
    "of two, one given": "code: {type: text, default: a}}\nindexes: [{columns: [code, text], unique: true}]",
    "of the last change": "'code?': {type: date, unique: true, on_update: now}",
    "of some": "code: {type: text, default: a}}\nindexes: [{columns: [code], unique: true, where: text == \"b\"}]",
}  # fmt: skip
ADDED = "add_record: a\n    data: {text: b}"
ROWS = "bulk_add_records: a\n    items: [{text: b}]"
PUT = "add_or_edit_record: a\n    where: {note: $input.text}\n    data: {text: b}"
EDITED = "edit_record: a\n    where: {id: $input.n}\n    data: {text: b}"


@pytest.mark.parametrize(
    ("columns", "steps", "expected"),
    [
        ("with a default", (ADDED, ROWS, PUT), [TAKEN]),
        ("with a default", (EDITED,), []),
        ("null by default", (ADDED, ROWS, PUT, EDITED), []),
        ("optional", (ADDED, ROWS, PUT, EDITED), []),
        ("of today", (ADDED, ROWS, PUT), [TAKEN]),
        ("an id of its own", (ADDED, ROWS, PUT), []),
        ("of two, one left out", (ADDED, ROWS, PUT, EDITED), []),
        ("of two, one given", (ADDED, ROWS, PUT, EDITED), [TAKEN]),
        ("of the last change", (ADDED, ROWS), []),
        ("of the last change", (PUT, EDITED), [TAKEN]),
        ("of some", (ADDED, ROWS, PUT, EDITED), [TAKEN]),
    ],
)
def test_the_conflicts_of_what_is_not_named(
    tmp_path: Path, columns: str, steps: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    text = COLUMNS[columns]
    table = f"table: a\ncolumns: {{id: int, text: text, 'note?': text, {text}{'' if text.endswith(']') else '}'}\n"
    for place, step in enumerate(steps):
        found = checked(tmp_path / str(place), {"a": table, "it": f"{HEAD}  - {step}\n"})
        assert conflicts(found) == expected, step


def conflicts(found: Checked) -> list[tuple[str, str]]:
    assert not found.errors, found.errors[0].render()
    outcomes = Outcomes(found).endpoint(found.workspace.endpoints[0])
    return [(each.error, each.message) for each in outcomes if each.error == "conflict"]


def test_a_payload_has_its_schema(tmp_path: Path) -> None:
    stack = "  - throw: conflict\n    message: Full.\n    payload: {left: $input.n, why: full}\n"
    document = whole(checked(tmp_path, {"it": HEAD + stack}))
    response = document["paths"]["/api:main/it"]["post"]["responses"]["409"]
    media = response["content"]["application/json"]
    assert response["description"] == "Full."
    assert media["schema"]["properties"]["payload"] == {
        "type": "object",
        "properties": {"left": INT64, "why": {"type": "string"}},
        "required": ["left", "why"],
    }
    assert "examples" not in media


@pytest.mark.parametrize(
    "step",
    [
        "precondition: $input.n > 1\n    error: fatal\n    message: HIDDEN\n    payload: {host: HIDDEN}",
        "throw: fatal\n    message: HIDDEN ${$input.n}",
        "throw: fatal",
        "add_record: note\n    data: {slug: a, text: b, user_id: 1}\n    on_duplicate: {error: fatal, message: HIDDEN}",
    ],
)
def test_what_is_said_of_a_fatal_error_is_for_the_log(tmp_path: Path, step: str) -> None:
    test = "test: POST /it\ncases:\n  - {name: it, status: 500, response: {code: ERROR_FATAL, message: HIDDEN}}\n"
    document = whole(checked(tmp_path, {**AROUND, "it": f"{HEAD}  - {step}\n", "it.test.yaml": test}))
    responses = document["paths"]["/api:main/it"]["post"]["responses"]
    assert responses["500"] == {"$ref": "#/components/responses/Fatal"}
    assert "HIDDEN" not in json.dumps(document)


# Documents


def whole(found: Checked) -> dict[str, Any]:
    assert not found.errors, "\n".join(problem.render() for problem in found.errors)
    canonicals = {each.canonical for each in found.workspace.every_group}
    return Documents(found, found.workspace.tests).whole(canonicals)


KINDS = """
    endpoint: POST /kinds
    description: |
      Takes a value of every kind. And answers it.

      At length.
    input:
      int: {type: int, min: -5, max: 100, description: How many.}
      decimal: decimal
      text: {type: text, trim: true, min: 2, max: 5}
      bool: bool
      email: email
      uuid: uuid
      timestamp: timestamp
      date: date
      enum: {type: enum, values: [a, b]}
      json: json
      shaped: {type: json, schema: {type: array, items: {type: integer}}}
      object: {type: object, properties: {a: int, b?: text, c: {type: "int[]", nullable: true}}}
      open: object
      list: {type: "text[]", min: 1, max: 3}
      vector: {type: vector, size: 3}
      point: geo_point
      password: {type: password, min_digits: 2, min_letters: 1, starts_with: "(-@"}
      nothing?: text
      maybe: {type: int, nullable: true}
      counted: {type: int, default: 3}
      owner: {table: user}
    stack: []
    response: {int: $input.int, maybe: $input.maybe, point: $input.point, object: $input.object, list: $input.list}
"""
FILES = {
    "workspace": "workspace: shop\nversion: '2.1'\ndescription: All there is.\n",
    "back": "group: back/office\ndescription: For clerks.\n",
    "user": USER,
    "kinds": KINDS,
    "upload": "endpoint: POST /upload\ninput: {file: file, more?: 'file[]', o?: {type: object, properties: {a: int}}}\nstack: []\nresponse: $input.file\n",
    "get": "endpoint: GET /users/{user_id}\ngroup: back/office\nauth: user\ninput: {user_id: int, q: 'int[]', o: {type: object, properties: {a: int}}, j?: json}\nstack:\n  - get_record: user\n    where: {id: $input.user_id}\n    as: user\nresponse: $user\n",
    "list": "endpoint: GET /users\nstack:\n  - query_all_records: user\n    page: 1\n    totals: true\n    as: users\nresponse: $users\n",
    "head": "endpoint: HEAD /users\nauth: user\nstack: []\n",
    "drop": "endpoint: DELETE /users/{user_id}\ninput: {user_id: int, 'soft?': bool}\nstack:\n  - delete_record: user\n    where: {id: $input.user_id}\n",
    "close": "endpoint: DELETE /users\ninput: {password: password}\nstack: []\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return whole(checked(tmp_path_factory.mktemp("shop"), FILES))


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_operation_ids(shop: dict[str, Any]) -> None:
    assert {name: each["operationId"] for name, each in operations(shop)} == {
        "POST /api:main/kinds": "postKinds",
        "POST /api:main/upload": "postUpload",
        "GET /api:back-office/users/{user_id}": "getUsersByUserId",
        "GET /api:main/users": "getUsers",
        "HEAD /api:main/users": "headUsers",
        "DELETE /api:main/users/{user_id}": "deleteUsersByUserId",
        "DELETE /api:main/users": "deleteUsers",
    }


def test_operation_ids_are_told_apart(tmp_path: Path) -> None:
    def endpoint(path: str, group: str = "") -> str:
        return f"endpoint: GET {path}\n{group}stack: []\n"

    back, front = "group: back\n", "group: front\n"
    found = whole(
        checked(
            tmp_path,
            {
                "1": endpoint("/a/b", back), "2": endpoint("/a-b"), "3": endpoint("/a/b"), "4": endpoint("/a/b", front),
                "5": endpoint("/"), "6": endpoint("/c", back), "back": "group: back\n", "front": "group: front\n",
            },
        )
    )  # fmt: skip
    assert {name: each["operationId"] for name, each in operations(found)} == {
        "GET /api:back/a/b": "getBackAB",
        "GET /api:main/a-b": "getAB",
        "GET /api:main/a/b": "getAB2",
        "GET /api:front/a/b": "getFrontAB",
        "GET /api:main/": "get",
        "GET /api:back/c": "getC",
    }


def test_the_head_of_a_document(shop: dict[str, Any]) -> None:
    assert shop["openapi"] == "3.1.0"
    assert shop["info"] == {"title": "shop", "version": "2.1", "description": "All there is."}
    assert shop["servers"] == [{"url": "/"}]
    assert shop["tags"] == [
        {"name": "shop", "description": "All there is."},
        {"name": "back/office", "description": "For clerks."},
    ]
    kinds = shop["paths"]["/api:main/kinds"]["post"]
    assert kinds["summary"] == "Takes a value of every kind"
    assert kinds["description"].endswith("At length.\n")
    assert (kinds["tags"], kinds["security"]) == (["shop"], [])


def test_parameters_and_security(shop: dict[str, Any]) -> None:
    operation = shop["paths"]["/api:back-office/users/{user_id}"]["get"]
    assert operation["security"] == [{"user": []}]
    assert shop["components"]["securitySchemes"]["user"]["scheme"] == "bearer"
    by_name = {each["name"]: each for each in operation["parameters"]}
    assert [(each["name"], each["in"], each["required"]) for each in operation["parameters"]] == [
        ("user_id", "path", True),
        ("q", "query", True),
        ("o", "query", True),
        ("j", "query", False),
    ]
    assert by_name["q"]["schema"]["minItems"] == 1
    assert by_name["o"]["style"] == "deepObject"
    assert by_name["j"]["content"] == {"application/json": {"schema": {}}}
    assert "requestBody" not in operation


def test_bodies(shop: dict[str, Any]) -> None:
    def types(path: str, method: str) -> list[str]:
        return list(shop["paths"][path][method]["requestBody"]["content"])

    form, multipart = "application/x-www-form-urlencoded", "multipart/form-data"
    assert types("/api:main/kinds", "post") == ["application/json"]
    assert types("/api:main/upload", "post") == [multipart]
    assert types("/api:main/users", "delete") == ["application/json", form, multipart]
    upload = shop["paths"]["/api:main/upload"]["post"]["requestBody"]["content"][multipart]
    assert upload["encoding"] == {"o": {"contentType": "application/json"}}
    assert "requestBody" not in shop["paths"]["/api:main/users/{user_id}"]["delete"]
    fields = shop["components"]["schemas"]["PostKindsInput"]["properties"]
    assert fields["int"] == {**INT64, "minimum": -5, "maximum": 100, "description": "How many."}
    assert fields["owner"]["description"] == "The id of a record of 'user'."
    assert fields["counted"]["default"] == 3


def test_statuses(shop: dict[str, Any]) -> None:
    assert {name: sorted(each["responses"]) for name, each in operations(shop)} == {
        "POST /api:main/kinds": ["200", "400", "413", "415", "500", "503"],
        "POST /api:main/upload": ["200", "400", "413", "415", "500", "503"],
        "GET /api:back-office/users/{user_id}": ["200", "400", "401", "500", "503"],
        "GET /api:main/users": ["200", "400", "500", "503"],
        "HEAD /api:main/users": ["200", "400", "401", "500", "503"],
        "DELETE /api:main/users/{user_id}": ["200", "400", "404", "413", "415", "500", "503"],
        "DELETE /api:main/users": ["200", "400", "413", "415", "500", "503"],
    }
    head = shop["paths"]["/api:main/users"]["head"]["responses"]
    assert not any("content" in each or "$ref" in each for each in head.values())


def test_records_are_components(shop: dict[str, Any]) -> None:
    def answer(path: str) -> Any:
        return shop["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    user = {"$ref": "#/components/schemas/User"}
    assert answer("/api:back-office/users/{user_id}") == {"anyOf": [user, {"type": "null"}]}
    page = answer("/api:main/users")["properties"]
    assert page["items"] == {"type": "array", "items": user}
    assert page["itemsTotal"] == INT64
    assert list(shop["components"]["schemas"]["User"]["properties"]) == ["id", "created_at", "name", "email", "nickname", "role"]  # fmt: skip


def test_a_table_may_be_named_as_an_error(tmp_path: Path) -> None:
    files = {
        "a": "table: fatal_error\ncolumns: {id: int}\n",
        "it": "endpoint: GET /it\nstack:\n  - get_record: fatal_error\n    where: {id: 1}\n    as: it\nresponse: $it\n",
    }
    document = whole(checked(tmp_path, files))
    assert document["components"]["schemas"]["FatalError2"]["properties"] == {"id": INT64}
    OpenAPIV31SpecValidator(document).validate()


def test_only_what_is_shown_is_named(tmp_path: Path) -> None:
    files = {"user": USER, "note": NOTE, "it": "endpoint: GET /it\nstack: []\nresponse: 1\n"}
    components = whole(checked(tmp_path, files))["components"]
    assert not {"User", "Note", "ConflictError", "PayloadTooLargeError"} & components["schemas"].keys()
    assert "securitySchemes" not in components


def test_a_document_is_one_of_openapi(shop: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(shop).validate()


@pytest.mark.parametrize("page", TESTED)
def test_the_documents_of_a_page_are_some_of_openapi(tmp_path: Path, page: str) -> None:
    found = checked(tmp_path, files_of(page))
    documents = Documents(found, found.workspace.tests)
    OpenAPIV31SpecValidator(whole(found)).validate()
    for group in found.workspace.every_group:
        OpenAPIV31SpecValidator(documents.of_group(group.canonical)).validate()


def test_one_path_whatever_its_parameters_are_called(tmp_path: Path) -> None:
    files = {
        "a": "endpoint: GET /a/{id}/b/{n}\ninput: {id: int, n: int}\nstack: []\n",
        "b": "endpoint: DELETE /a/{a_id}/b/{id}\ninput: {id: text, a_id: int, n?: int}\nstack: []\n",
    }
    document = whole(checked(tmp_path, files))
    [item] = document["paths"].values()
    named = [(each["in"], each["name"], each["schema"]["type"]) for each in item["delete"]["parameters"]]
    assert named == [("path", "n", "string"), ("path", "id", "integer"), ("query", "n", "integer")]
    OpenAPIV31SpecValidator(document).validate()


def test_a_form_that_differs_has_a_name_of_its_own(tmp_path: Path) -> None:
    files = {"it": "endpoint: POST /it\ninput: {n: {type: int, nullable: true}, l: 'int[]'}\nstack: []\n"}
    document = whole(checked(tmp_path, files))
    content = document["paths"]["/api:main/it"]["post"]["requestBody"]["content"].values()
    names = [each["schema"]["$ref"].rpartition("/")[2] for each in content]
    assert names == ["PostItInput", "PostItForm", "PostItMultipart"]
    form, multipart = (document["components"]["schemas"][name]["properties"] for name in names[1:])
    assert (form["n"]["type"], form["l"]["minItems"]) == ("integer", 1)
    assert multipart["n"]["type"] == ["integer", "null"]


def test_unknown_input_may_be_ignored(tmp_path: Path) -> None:
    files = {
        "workspace": "workspace: w\nunknown_input: ignore\n",
        "it": "endpoint: POST /it\ninput: {a: int, o: {type: object, properties: {b: int}}}\nstack: []\n",
    }
    schema = whole(checked(tmp_path, files))["components"]["schemas"]["PostItInput"]
    assert "additionalProperties" not in schema
    assert "additionalProperties" not in schema["properties"]["o"]


# Examples


def test_examples_come_from_the_tests() -> None:
    document = whole(check_folder(ROOT / "stacks"))
    login = document["paths"]["/api:main/auth/login"]["post"]
    [sent] = login["requestBody"]["content"]["application/json"]["examples"].values()
    assert sent["value"] == {"email": "ada@example.com", "password": "••••••••"}
    assert sent["summary"] == "the right password yields a token that opens /auth/me"
    refused = login["responses"]["400"]["content"]["application/json"]["examples"]["what-is-missing-is-named"]["value"]
    missing = {"param": "password", "message": "Missing param: password"}
    assert refused == {
        "code": "ERROR_CODE_INPUT_ERROR",
        "message": "Missing param: password",
        "payload": {"param": "password", "errors": [missing]},
    }
    [shown] = document["paths"]["/api:main/auth/me"]["get"]["responses"]["200"]["content"]["application/json"]["examples"].values()  # fmt: skip
    assert shown["value"] == {"id": 1, "created_at": 1735689600000, "name": "Ada", "email": "ada@example.com", "role": "admin"}  # fmt: skip
    assert "correct horse" not in json.dumps(document)


def test_no_secret_is_an_example(tmp_path: Path) -> None:
    files = {
        "it": "endpoint: POST /it\ninput: {pin: {type: text, sensitive: true, min: 9}, o: {type: object, properties: {key: password}}, l: 'password[]'}\nstack: []\n",
        "it.test.yaml": "test: POST /it\ncases:\n  - {name: one, input: {pin: hidden-pin, o: {key: hidden-key}, l: [hidden-word]}}\n",
    }
    document = whole(checked(tmp_path, files))
    media = document["paths"]["/api:main/it"]["post"]["requestBody"]["content"]["application/json"]
    assert media["examples"]["one"]["value"] == {"pin": "•" * 9, "o": {"key": "•" * 8}, "l": ["•" * 8]}
    assert "hidden" not in json.dumps(document)


M = "•" * 8


@pytest.mark.parametrize(
    ("declaration", "given", "response", "example"),
    [
        ("text", "HIDDEN", "HIDDEN", "HIDDEN"),
        ("{type: text, sensitive: true}", "HIDDEN", "HIDDEN", M),
        ("{type: text, sensitive: true}", "HIDDEN", "a", "a"),
        ("{type: text, sensitive: true}", "HIDDEN", "{a: [{b: 'It is HIDDEN, a hidden word'}]}", {"a": [{"b": f"It is {M}, a {M} word"}]}),
        ("{type: text, sensitive: true, trim: true}", "' HIDDEN '", "HIDDEN", M),
        ("{type: text, sensitive: true}", "H.DDEN", "HIDDEN", "HIDDEN"),
        ("{type: text, sensitive: true}", "''", "a", "a"),
        ("{type: text, sensitive: true}", "HIDDEN", "{HIDDEN: 1}", None),
        ("{type: text, sensitive: true}", "$input", "HIDDEN", None),
        ("{type: int, sensitive: true}", "1234", "[1234, 12345, '1234!']", [M, 12345, f"{M}!"]),
        ("{type: decimal, sensitive: true}", "1234.0", "1234", M),
        ("{type: bool, sensitive: true}", "true", "{ok: true}", {"ok": True}),
        ("{type: 'text[]', sensitive: true}", "[HIDDEN, HIDDEN-AS-WELL]", "HIDDEN-AS-WELL", M),
        ("{type: json, sensitive: true}", "{a: [HIDDEN]}", "HIDDEN", M),
        ("{type: object, properties: {k: {type: text, sensitive: true}, v: text}}", "{k: HIDDEN, v: a}", "{k: HIDDEN, v: a}", {"k": M, "v": "a"}),
        ("{type: 'object[]', properties: {k: {type: text, sensitive: true}}}", "[{k: HIDDEN}]", "HIDDEN", M),
        ("{type: text, sensitive: true, default: HIDDEN}", "", "HIDDEN", M),
    ],
)  # fmt: skip
def test_no_secret_is_in_the_example_of_an_answer(
    tmp_path: Path, declaration: str, given: str, response: str, example: Any
) -> None:
    sent = f"{{k: {given}}}" if given else "{}"
    files = {
        "it": f"endpoint: POST /it\ninput: {{k: {declaration}, a: json}}\nstack: []\nresponse: $input.a\n",
        "it.test.yaml": f"test: POST /it\ncases:\n  - {{name: one, input: {sent}, response: {response}}}\n",
    }
    media = whole(checked(tmp_path, files))["paths"]["/api:main/it"]["post"]["responses"]["200"]["content"]
    examples = media["application/json"].get("examples", {})
    assert [each["value"] for each in examples.values()] == ([] if example is None else [example])


def test_no_secret_is_in_the_example_of_an_error(tmp_path: Path) -> None:
    files = {
        "it": "endpoint: POST /it\ninput: {k: {type: text, sensitive: true}}\nstack:\n  - precondition: $input.k == 'a'\n    message: No ${$input.k | reveal}\n",
        "it.test.yaml": "test: POST /it\ncases:\n  - {name: one, input: {k: HIDDEN}, status: 400, response: {code: ERROR_CODE_BAD_REQUEST, message: No HIDDEN}}\n",
    }
    document = whole(checked(tmp_path, files))
    media = document["paths"]["/api:main/it"]["post"]["responses"]["400"]["content"]["application/json"]
    assert media["examples"]["one"]["value"]["message"] == f"No {M}"
    assert "HIDDEN" not in json.dumps(document)


def test_what_stands_for_a_secret_is_no_example_of_another_type(tmp_path: Path) -> None:
    files = {
        "it": "endpoint: POST /it\ninput: {k: {type: uuid, sensitive: true}}\nstack: []\nresponse: {k: $input.k | reveal}\n",
        "it.test.yaml": "test: POST /it\ncases:\n  - {name: one, input: {k: 7f9c24e8-3b12-4fef-91e0-2c3d4e5f6a7b}, response: {k: 7f9c24e8-3b12-4fef-91e0-2c3d4e5f6a7b}}\n",
    }
    media = whole(checked(tmp_path, files))["paths"]["/api:main/it"]["post"]["responses"]["200"]["content"]
    assert "examples" not in media["application/json"]


def test_a_parameter_has_its_example(tmp_path: Path) -> None:
    files = {
        "it": "endpoint: GET /it/{n}\ninput: {n: int, 'q?': text}\nstack: []\n",
        "it.test.yaml": "test: GET /it/{n}\ncases:\n  - {name: one, input: {n: 7, q: x y}}\n  - {name: two, input: {n: $input.n}}\n",
    }
    parameters = whole(checked(tmp_path, files))["paths"]["/api:main/it/{n}"]["get"]["parameters"]
    assert [(each["name"], each["example"]) for each in parameters] == [("n", 7), ("q", "x y")]


@pytest.mark.parametrize(
    ("expected", "is_shown"),
    [
        ("message: Taken by Ada.", False),
        ("message: Taken by Ada., payload: {name: Ada}", True),
        ("message: Taken by Ada., payload: {}", False),
        ("message: Taken by Ada., payload: {name: 1}", False),
    ],
)
def test_an_example_of_an_error_has_the_schema_beside_it(tmp_path: Path, expected: str, is_shown: bool) -> None:
    files = {
        "it": "endpoint: POST /it\ninput: {name: text}\nstack:\n  - precondition: $input.name == \"\"\n    error: conflict\n    message: Taken by ${$input.name}.\n    payload: {name: $input.name}\n",
        "it.test.yaml": f"test: POST /it\ncases:\n  - {{name: taken, input: {{name: Ada}}, status: 409, response: {{code: ERROR_CODE_CONFLICT, {expected}}}}}\n",
    }  # fmt: skip
    response = whole(checked(tmp_path, files))["paths"]["/api:main/it"]["post"]["responses"]["409"]
    assert ("taken" in response["content"]["application/json"].get("examples", {})) == is_shown


def test_an_answer_of_those_sent_at_once_is_an_example_of_one_that_succeeds(tmp_path: Path) -> None:
    files = {
        "it": "endpoint: POST /it\ninput: {name: text}\nstack:\n  - precondition: $input.name != \"\"\n    error: conflict\nresponse: {name: $input.name}\n",
        "it.test.yaml": "test: POST /it\ncases:\n  - {name: one, input: {name: Ada}, at_once: 3, statuses: {409: 2, 200: 1}, response: {name: Ada}}\n",
    }  # fmt: skip
    response = whole(checked(tmp_path, files))["paths"]["/api:main/it"]["post"]["responses"]["200"]
    assert response["content"]["application/json"]["examples"]["one"]["value"] == {"name": "Ada"}


# Answers: every one that a test gets is as the contract says.


class Conformance:
    """Compares what is answered with the document; `seen` counts the answers."""

    def __init__(self, found: Checked) -> None:
        self.document = whole(found)
        self.seen = 0

    def __call__(self, exchange: Exchange, answer: Answer) -> None:
        if isinstance(exchange.target, Endpoint):
            self.seen += 1
            endpoint = exchange.target
            path = f"/api:{endpoint.group.canonical}{endpoint.path}"
            responses = self.document["paths"][path][endpoint.method.lower()]["responses"]
            assert str(answer.status) in responses, f"{endpoint.name} answered {answer.status}"
            response = self._resolved(responses[str(answer.status)])
            if endpoint.method != "HEAD":
                schema = response["content"]["application/json"]["schema"]
                jsonschema.Draft202012Validator({**closed(schema), **self._definitions()}).validate(answer.body)

    def _resolved(self, part: dict[str, Any]) -> Any:
        name = part.get("$ref", "").removeprefix("#/components/responses/")
        return self.document["components"]["responses"][name] if name else part

    def _definitions(self) -> dict[str, Any]:
        return {"components": {"schemas": closed(self.document["components"]["schemas"])}}


def closed(schema: Any) -> Any:
    """The schema with no field left open that it doesn't name: what we answer is no more than we say."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    is_object = isinstance(parts.get("properties"), dict) and "object" in parts.get("type", ())
    return parts | ({"additionalProperties": False} if is_object and "additionalProperties" not in parts else {})


def conforms(found: Checked, cases: list[tuple[Suite, Case]]) -> int:
    conformance = Conformance(found)
    harness = Harness(found, observe=conformance)
    try:
        for suite, case in cases:
            failure = harness.replay(suite, case)
            assert failure is None, failure.render()
    finally:
        harness.close()
    return conformance.seen


def conforms_whole(found: Checked) -> int:
    suites, broken = fixtures.read_suites(found.workspace)
    assert not broken
    return conforms(found, [(suite, case) for suite in suites for case in suite.cases])


def test_the_shipped_stacks_answer_as_they_say() -> None:
    assert conforms_whole(check_folder(ROOT / "stacks", "stacks")) > 25


@pytest.mark.parametrize("page", TESTED)
def test_the_stacks_of_a_page_answer_as_they_say(tmp_path: Path, page: str) -> None:
    assert conforms_whole(check_folder(write(tmp_path, files_of(page))))


PATCHES = {
    "note": "table: note\ncolumns: {id: int, text: text}\n",
    "it": "endpoint: POST /it\nstack:\n  - bulk_patch_records: note\n    items: [{id: 7, text: a}]\n    as: notes\nresponse: $notes\n",
    "it.test.yaml": "test: POST /it\ncases:\n  - {name: it, status: 404, response: {message: Not Found., payload: {param: 'items[0].id'}}}\n",
}  # fmt: skip


def test_records_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = checked(tmp_path, PATCHES)
    assert conforms_whole(found) == 1
    response = whole(found)["paths"]["/api:main/it"]["post"]["responses"]["404"]
    [example] = response["content"]["application/json"]["examples"].values()
    entry = {"param": "items[0].id", "message": "Not Found."}
    assert example["value"]["payload"] == {"param": "items[0].id", "errors": [entry]}


# The command


def test_the_command(tmp_path: Path) -> None:
    write(tmp_path / "stacks", {**FILES, "back": "group: back/office\nopenapi: off\n"})
    printed = called(tmp_path, "openapi")
    assert (printed.status, printed.err) == (0, "")
    document = json.loads(printed.out)
    assert "/api:back-office/users/{user_id}" in document["paths"], "the author sees what is hidden from others"
    assert called(tmp_path, "openapi", "-o", "openapi.json").out == ""
    assert json.loads((tmp_path / "openapi.json").read_text()) == document


@pytest.mark.parametrize("name", ["back-office", "back/office"])
def test_the_command_for_one_group(tmp_path: Path, name: str) -> None:
    write(tmp_path / "stacks", FILES)
    printed = called(tmp_path, "openapi", "--group", name, "--server", "https://api.example.com/")
    document = json.loads(printed.out)
    assert list(document["paths"]) == ["/users/{user_id}"]
    assert document["servers"] == [{"url": "https://api.example.com/api:back-office"}]
    assert document["info"]["title"] == "back/office"


def test_the_command_names_a_mistake(tmp_path: Path) -> None:
    write(tmp_path / "stacks", FILES)
    wrong = called(tmp_path, "openapi", "--group", "back-ofice")
    assert (wrong.status, wrong.err) == (1, "there is no group 'back-ofice': did you mean 'back-office'?\n")
    write(tmp_path / "stacks", {"broken": "endpoint: GET /broken\nstack: [return: $nobody]\n"})
    broken = called(tmp_path, "openapi")
    assert broken.status == 1
    assert re.search("unknown variable '.nobody'", broken.err)
