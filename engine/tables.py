"""What fields and tables declare beyond the form of their files, and whether it fits together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import jsonschema_rs

from engine.errors import Fault, Problem, Span, did_you_mean, nearest
from engine.fields import Field
from engine.infer import Inference
from engine.scope import Scope
from engine.shapes import Shape
from engine.syntax import Binary, Call, Filter, Node, Variable, walk
from engine.texts import bool_hint
from engine.workspace import Index, Rule, Table

# How a stack makes what a column's default of this name is.
_MADE: Mapping[tuple[str, str], str] = {
    ("timestamp", "now"): "now()",
    ("date", "now"): "(now() | format_timestamp('Y-m-d'))",
    ("uuid", "uuid"): "uuid()",
}


def field_problems(fields: Iterable[Field], *, are_columns: bool = False) -> Iterator[Problem]:
    """What doesn't go together in declared inputs, columns and their properties."""
    for each in fields:
        found = [*field_problems(each.properties), *_problems("SW160", each, _misfits(each))]
        # A default is filled in and looked at by all the rest, which must be right for that.
        yield from found or _problems("SW133", each, _default_misfits(each, are_columns))


def _problems(code: str, field: Field, found: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    return (Problem(code, message, field.span, hint) for message, hint in found)


def _default_misfits(field: Field, is_column: bool) -> Iterator[tuple[str, str]]:
    name, default = field.name, field.default
    if not field.has_default or default is None:
        return
    made = _MADE.get((field.type, default)) if isinstance(default, str) and not field.is_list else None
    if made is not None:
        if not is_column:
            hint = f"declare it as '{name}?:', and read it as '… ?? {made}'"
            yield f"the default of '{name}' can't be '{default}', which is made for columns only", hint
    elif _is_typed(field):
        yield from _default_refusals(field)
    else:
        yield f"the default of '{name}' is no {field.type}", bool_hint(default) if field.type == "bool" else ""


def _is_typed(field: Field) -> bool:
    """Whether a default is of its field's type; what is within an object is left aside."""
    value: Any = field.default
    if field.is_list and not isinstance(value, list):
        return False
    values = value if field.is_list else [value]
    match field.type:
        case "int" | "timestamp":
            return all(isinstance(item, int) and not isinstance(item, bool) for item in values)
        case "decimal":
            return all(isinstance(item, int | float) and not isinstance(item, bool) for item in values)
        case "bool":
            return all(isinstance(item, bool) for item in values)
        case "enum":
            return all(item in field.values for item in values)
        case "json" | "vector" | "geo_point" | "file":
            return not _refused(field)
        case "object":
            return all(isinstance(item, dict) for item in values)
    return all(isinstance(item, str) for item in values) and field.type != "password"


def _default_refusals(field: Field) -> Iterator[tuple[str, str]]:
    """What a default of the right type would be refused for if it were given."""
    said = f"the default of '{field.name}'"
    for entry in _refused(field):
        message, place = entry["message"], entry["param"].removeprefix(f"{field.name}.")
        name = place.rpartition(".")[2]
        if message.startswith("Missing param:"):
            yield f"{said} lacks '{place}'", f"give it, or declare it as '{name}?:'"
        elif message.startswith("Unknown param:"):
            yield (
                f"{said} has '{place}', which isn't declared",
                did_you_mean(name, _names_beside(field, entry["param"])),
            )
        elif place == field.name:
            yield f"{said} breaks its own rules: {message}", ""
        else:
            yield f"{said} breaks the rules of '{place}': {message}", ""


def _refused(field: Field) -> list[dict[str, str]]:
    """What is said of the default of a field where it is given as a value."""
    try:
        Shape([field.stored()]).bind({field.name: deepcopy(field.default)})
    except Fault as fault:
        payload: Any = fault.payload
        return list(payload["errors"])
    return []


def _names_beside(field: Field, path: str) -> list[str]:
    """The names that are declared in the object where `path` ends."""
    properties = field.properties
    for step in path.split(".")[1:-1]:
        name = step.partition("[")[0]
        properties = next((each.properties for each in properties if each.name == name), ())
    return [each.name for each in properties]


_UNMEASURED = frozenset({"bool", "enum", "file", "geo_point", "json", "object", "vector"})


def _misfits(field: Field) -> Iterator[tuple[str, str]]:
    name, said = field.name, f"'{field.name}' is {field.type}"
    if field.type == "enum" and not field.values:
        yield f"the enum '{name}' has no values", "add 'values: [open, done]'"
    low, high = field.rules.get("min"), field.rules.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield f"nothing is at least {low} and at most {high}, as '{name}' must be", "change 'min' or 'max'"
    if field.type in _UNMEASURED and not field.is_list and (low is not None or high is not None):
        yield f"'{'min' if low is not None else 'max'}' is of numbers, texts and lists, {said}", "take it out"
    if field.type == "vector" and not field.size:
        yield f"the vector '{name}' has no size", "say how many numbers it has, as in 'size: 1536'"
    if field.size and field.type != "vector":
        yield f"'size' is of vectors, {said}", "take it out, or write 'max:'"
    if field.json_schema and field.type != "json":
        yield f"'schema' is of json, {said}", "write 'type: json', or 'properties:' of an object"
    elif field.json_schema:
        yield from _schema_misfits(field)
    elif field.rules and (said := _unreadable(field.schema())):
        hint = "a pattern is a regular expression, without look-around; lengths are whole numbers from 0"
        yield f"a rule of '{name}' can't be kept: {said}", hint
    if field.on_delete != "restrict" and not field.table:
        yield f"'on_delete' is of references, '{name}' names no table", "add 'table:'"
    if field.on_delete == "set_null" and field.table and not field.may_be_null:
        yield f"'{name}' can't be set to null, it is required", f"write '{name}?:', or 'on_delete: cascade'"
    if field.on_update and (field.type not in ("timestamp", "date") or field.is_list):
        yield f"'on_update: now' is of timestamps and dates, {said}", "take it out"
    if field.visibility == "internal" and field.type == "bool" and not field.is_list:
        yield f"the bool '{name}' can't be internal: a bool isn't masked", "write 'visibility: private'"
    if field.visibility != "public" and name == "id":
        yield "the id of a record is always public", "take 'visibility' out"


def _schema_misfits(field: Field) -> Iterator[tuple[str, str]]:
    refused = next((key for key in _keys(field.json_schema) if key.startswith("$") and key != "$comment"), None)
    if refused is not None:
        yield f"'{refused}' can't be in the schema of '{field.name}'", "write out what it refers to"
        return
    said = _unreadable(field.json_schema)
    if said:
        yield f"the schema of '{field.name}' is no JSON Schema: {said}", "see json-schema.org, draft 2020-12"


def _unreadable(schema: Mapping[str, Any]) -> str:
    """Why no value can be held against a JSON Schema; empty where one can."""
    try:
        jsonschema_rs.Draft202012Validator(dict(schema), pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, jsonschema_rs.ValidationError) as error:
        return str(error).partition("\n")[0]
    return ""


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _keys(each)


def table_problems(table: Table) -> Iterator[Problem]:
    """What is wrong with a table's columns, rules, partial indexes and first records."""
    wrong = list(field_problems(table.columns.values(), are_columns=True))
    yield from wrong
    for column in table.columns.values():
        yield from (Problem("SW160", message, column.span, hint) for message, hint in _unkeepable(column))
    for rule in table.rules:
        yield from _rule_problems(table, rule)
    for index in table.indexes:
        if index.where is not None:
            yield from _index_problems(table, index, index.where)
    for place, row in enumerate(table.seed if not wrong else ()):  # else there are no rules to hold them against
        yield from _seed_problems(table, place, row)


def _unkeepable(column: Field) -> Iterator[tuple[str, str]]:
    """What of a column no storage keeps secret: it masks, and hashes, columns as a whole."""
    name = column.name
    if column.type == "password" and column.is_list:
        yield f"the passwords of the list '{name}' can't be hashed", "keep each in a record of its own"
    for each in column.properties:
        if each.holds_secret:
            hint = f"take it out there, and make all of '{name}' 'sensitive: true'"
            yield f"'{each.name}' within the column '{name}' can't be secret by itself", hint


def _rule_problems(table: Table, rule: Rule) -> Iterator[Problem]:
    unknown = [name for name in rule.columns if name not in table.columns]
    for name in unknown:
        message = f"'{table.name}' has no column '{name}'"
        yield Problem("SW300", message, _place(rule.condition, name), did_you_mean(name, table.columns))
    if not rule.columns:
        yield Problem("SW161", "a rule must speak of a column", rule.span, "write a column's name, without a $")
    elif not unknown:
        inference = Inference()
        inference.condition(rule.condition, Scope(kinds=table.asked))
        yield from inference.problems
        for name in rule.columns:
            if table.columns[name].is_secret:
                message = f"the secret column '{name}' can't be in a rule"
                yield Problem("SW231", message, _place(rule.condition, name), "check it before it is written")


def _place(node: Node, name: str) -> Span:
    return next(each.span for each in walk(node) if isinstance(each, Variable) and each.name == name)


def _index_problems(table: Table, index: Index, where: Node) -> Iterator[Problem]:
    hint = "compare columns with constants"
    for each in walk(where):
        if isinstance(each, Filter | Call):
            yield Problem("SW162", f"'{each.name}' can't be asked in an index", each.name_span, hint)
        elif isinstance(each, Binary) and each.operator in ("in", "not in"):
            message = f"'{each.operator}' can't be asked in an index"
            yield Problem("SW162", message, each.operator_span, "write equalities joined by 'or'")
        elif isinstance(each, Variable):
            yield Problem("SW162", f"'${each.name}' isn't known where an index is made", each.span, hint)
    inference = Inference()
    inference.condition(where, Scope().with_columns(table.asked))
    yield from (problem for problem in inference.problems if problem.code != "SW201")


def _seed_problems(table: Table, place: int, row: Mapping[str, Any]) -> Iterator[Problem]:
    assert table.document is not None
    document = table.document
    for name in row:
        if name not in table.columns:
            span = document.key_span(("seed", place, name))
            yield Problem(
                "SW123", f"unknown column '{name}' of '{table.name}'", span, did_you_mean(name, table.columns)
            )
    given = [column for name, column in table.columns.items() if name in row]
    known = {"id", *row, *(nearest(name, table.columns) for name in row if name not in table.columns)}
    missing = [name for name, column in table.columns.items() if column.required and name not in known]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        yield Problem("SW125", f"the seed record of '{table.name}' lacks {listed}", document.span(("seed", place)))
    try:
        shape = Shape(column.stored(falls_back=column.has_default) for column in given)
        shape.bind({column.name: deepcopy(row[column.name]) for column in given})
    except Fault as fault:
        payload: Any = fault.payload
        for entry in payload["errors"]:
            name = entry["param"].partition(".")[0].partition("[")[0]
            span = document.span(("seed", place, name))
            yield Problem("SW163", f"'{name}' can't be this: {entry['message']}", span)
