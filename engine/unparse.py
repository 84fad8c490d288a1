"""Tree → expression text: the one canonical way to write it, with no parentheses that aren't needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.parser import BINDING, COMPARISON, CONDITIONAL, NEGATION, NOT, POSTFIX
from engine.syntax import (
    Attribute,
    Binary,
    Call,
    Column,
    Conditional,
    Entry,
    Filter,
    Index,
    Lambda,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Range,
    Spread,
    Template,
    Unary,
    Variable,
    Worded,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile(r'["\\\0-\x1f\x7f]|\$(?=\{)')
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r", "$": r"\$"}


def unparse(node: Node) -> str:
    """The text of `node`: for a `Template` what `parse_value` reads, else what `parse_expression` reads."""
    return _WRITERS[type(node)](node)


def quote(text: str) -> str:
    """`text` as a literal of an expression."""
    return '"' + _ESCAPED.sub(lambda match: _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", text) + '"'


def _binding(node: Node) -> int:
    """How tightly what `node` is written as holds together."""
    match node:
        case Conditional():
            return CONDITIONAL
        case Unary(operator="not"):
            return NOT
        case Unary():
            return NEGATION
        case Binary():
            return BINDING[node.operator]
        case Range():
            return BINDING[".."]
        case Filter():
            return BINDING["|"]
    return POSTFIX


def _inside(node: Node, binding: int) -> str:
    """`node` as the operand of something that binds at `binding`."""
    text = unparse(node)
    return text if _binding(node) >= binding else f"({text})"


def _list(nodes: list[Node]) -> str:
    return ", ".join(unparse(node) for node in nodes)


def _literal(node: Literal) -> str:
    if isinstance(node.value, str):
        return quote(node.value)
    if node.value is None or isinstance(node.value, bool):
        return {None: "null", True: "true", False: "false"}[node.value]
    return repr(node.value)


def _template(node: Template) -> str:
    written: list[str] = []
    after_text = False
    for at, part in enumerate(node.parts):
        # A text right after another, an empty one, or a `$` in front of `${` would be read otherwise.
        text = str(part.value) if isinstance(part, Literal) and isinstance(part.value, str) else ""
        after_text = bool(text) and not after_text and (at == len(node.parts) - 1 or not text.endswith("$"))
        written.append(_stretch(text, at) if after_text else f"${{{unparse(part)}}}")
    return "".join(written)


def _stretch(text: str, at: int) -> str:
    """A stretch of a template's text."""
    if at == 0 and text.startswith("$"):
        return "$$" + text[1:].replace("${", "$${")
    return text.replace("${", "$${")


def _attribute(node: Attribute) -> str:
    return f"{_inside(node.of, POSTFIX)}{'?.' if node.optional else '.'}{node.name}"


def _index(node: Index) -> str:
    return f"{_inside(node.of, POSTFIX)}{'?.' if node.optional else ''}[{unparse(node.index)}]"


def _object(node: ObjectOf) -> str:
    return "{" + ", ".join(unparse(entry) for entry in node.entries) + "}"


def _entry(node: Entry) -> str:
    key = node.key if _NAME.fullmatch(node.key) else quote(node.key)
    return f"{key}: {unparse(node.value)}"


def _unary(node: Unary) -> str:
    if node.operator == "not":
        return f"not {_inside(node.operand, NOT)}"
    operand = _inside(node.operand, NEGATION)
    # Right before a number a '-' would become part of it.
    return f"- {operand}" if operand[0].isdigit() else f"-{operand}"


def _binary(node: Binary) -> str:
    binding = BINDING[node.operator]
    left = binding + 1 if binding == COMPARISON or node.operator == "??" else binding
    right = binding if node.operator == "??" else binding + 1
    dropped = "?" if node.optional else ""
    return f"{_inside(node.left, left)} {node.operator}{dropped} {_inside(node.right, right)}"


def _conditional(node: Conditional) -> str:
    then, test = _inside(node.then, CONDITIONAL + 1), _inside(node.test, CONDITIONAL + 1)
    return f"{then} if {test} else {_inside(node.otherwise, CONDITIONAL)}"


def _range(node: Range) -> str:
    binding = BINDING[".."] + 1
    start = _inside(node.start, binding)
    start = f"({start})" if start.endswith("?") else start  # `| name?..` would begin with `?.`
    return f"{start}..{_inside(node.stop, binding)}"


def _filter(node: Filter) -> str:
    arguments = f"({_list(node.arguments)})" if node.arguments else ""
    return f"{_inside(node.of, BINDING['|'])} | {node.name}{'?' * node.optional}{arguments}"


def _lambda(node: Lambda) -> str:
    names = ", ".join(f"${name}" for name in node.parameters)
    return f"{names if len(node.parameters) == 1 else f'({names})'} => {unparse(node.body)}"


_WRITERS: dict[type[Node], Callable[[Any], str]] = {
    Literal: _literal,
    Template: _template,
    Worded: lambda node: unparse(node.text),
    Variable: lambda node: f"${node.name}",
    Column: lambda node: str(node.name),
    Attribute: _attribute,
    Index: _index,
    Spread: lambda node: f"...{unparse(node.of)}",
    ListOf: lambda node: f"[{_list(node.items)}]",
    Entry: _entry,
    ObjectOf: _object,
    Unary: _unary,
    Binary: _binary,
    Conditional: _conditional,
    Range: _range,
    Filter: _filter,
    Call: lambda node: f"{node.name}({_list(node.arguments)})",
    Lambda: _lambda,
}
