"""What stands where in a file: the order of keys, and which texts are expressions; from schemas and registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from engine import registry
from engine.fields import declaration_schema
from engine.schema import BY_SYNTAX, FILE_KINDS, STEP_KEYS, file_schema

# `value`: an expression where it starts with `$`; `columns`: an expression in which bare names are columns; `edit`: as
# `value`, with bare names for columns.
Texts = Literal["plain", "value", "edit", "expression", "columns"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written: what its texts are, the order of its keys, and the forms of what it holds, by name.

    What neither `of` nor `each` names has the form of the whole, its order aside. `is_steps`: a list of steps.
    """

    texts: Texts = "plain"
    order: tuple[str, ...] = ()
    of: Mapping[str, str] = field(default_factory=dict)
    each: str = ""
    is_steps: bool = False

    def inner(self, key: str | int, value: Any) -> Form:
        """The form of what lies at `key`."""
        name = self.of.get(str(key), self.each)
        if name == "step":
            return _step(next(iter(value), "")) if isinstance(value, dict) else Form()
        return FORMS[name] if name else Form(self.texts)


_BLOCKS = {"block": "steps", "branches": "branches", "cases": "cases"}
FORM_BY_SYNTAX = {
    **dict.fromkeys(("value", "expression", "data", "rows"), "value"),
    **dict.fromkeys(("edits", "changes"), "edit"),
    **dict.fromkeys(("match", "arguments", "assignments", "duration"), "value"),
    "condition": "expression",
    **dict.fromkeys(("evals", "group"), "computed"),
    **{name: name for name in ("where", "joins", "addons", "rejection")},
    **_BLOCKS,
}


@cache
def _step(name: str) -> Form:
    """A step's name, its arguments, what every step takes, and its blocks."""
    definition = registry.steps().get(name)
    if definition is None:
        return Form()
    keys = {(name if place == 0 else each.name): each.syntax for place, each in enumerate(definition.parameters)}
    blocks = [key for key, syntax in keys.items() if syntax in _BLOCKS and key != name]
    order = (*(key for key in keys if key not in blocks), *STEP_KEYS, *blocks)
    return Form(order=(name, *order), of={key: FORM_BY_SYNTAX.get(syntax, "plain") for key, syntax in keys.items()})


def _keys(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(schema["properties"])


def _part(syntax: str) -> Mapping[str, Any]:
    """The schema of one entry of a clause."""
    part: Mapping[str, Any] = BY_SYNTAX[syntax]["additionalProperties"]
    return part


def _file(kind: str, **of: str) -> Form:
    return Form(order=_keys(file_schema(kind)), of=of)


def _forms() -> dict[str, Form]:
    table, test = file_schema("table")["properties"], file_schema("test")["properties"]
    case = test["cases"]["items"]
    following = case["properties"]["then"]["items"]
    told = dict.fromkeys(("input", "each", "send", "auth", "token", "response", "headers", "changed"), "value")
    cors = file_schema("workspace")["properties"]["cors"]
    return {
        "plain": Form(),
        "value": Form("value"),
        "edit": Form("edit"),
        "expression": Form("expression"),
        "columns": Form("columns"),
        "where": Form("columns", each="value"),
        "computed": Form(each="columns"),
        "joins": Form(each="join"),
        "join": Form(order=_keys(_part("joins")), of={"where": "where"}),
        "addons": Form(each="addon"),
        "addon": Form(order=_keys(_part("addons")["then"]), of={"where": "where", "addon": "addons"}),
        "workspace": _file("workspace", cors="cors", env="fields"),
        "group": _file("group", cors="cors"),
        "cors": Form(order=_keys(cors)),
        "table": _file("table", columns="fields", indexes="indexes", checks="rules"),
        "indexes": Form(each="index"),
        "index": Form(order=_keys(table["indexes"]["items"]), of={"where": "columns"}),
        "rules": Form("columns", each="rule"),
        "rule": Form("columns", order=_keys(table["checks"]["items"]), of={"message": "plain"}),
        "endpoint": _file("endpoint", input="fields", stack="steps", response="value"),
        "function": _file("function", input="fields", returns="field", stack="steps"),
        "fields": Form(each="field"),
        "field": Form(order=_keys(declaration_schema(column=True)["else"]), of={"properties": "fields"}),
        "steps": Form(each="step", is_steps=True),
        "branches": Form(each="branch"),
        "branch": Form(order=("if", "note", "then"), of={"if": "expression", "then": "steps"}),
        "cases": Form(each="steps"),
        "rejection": Form(order=("error", "message", "payload"), of={"message": "value", "payload": "value"}),
        "test": _file("test", records="value", cases="tests"),
        "tests": Form(each="case"),
        "case": Form(order=_keys(case), of={**told, "records": "value", "check": "expression", "then": "followings"}),
        "followings": Form(each="following"),
        "following": Form(order=_keys(following), of={**told, "check": "expression"}),
    }


FORMS = _forms()


def form_of(kind: str) -> Form:
    """The form of a whole file."""
    return FORMS[kind] if kind in FILE_KINDS else Form()
