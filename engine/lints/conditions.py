"""Conditions that are the same whatever comes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.applications import literal_of
from engine.errors import Problem
from engine.lints.reading import Subject, expressions
from engine.narrow import settled
from engine.scope import key_of
from engine.stack import Step
from engine.syntax import Binary, Call, Column, Conditional, Filter, Literal, Node, Unary, walk
from engine.unparse import unparse
from engine.values import Kind

_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# `0 < x` is `x > 0`.
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OF_COUNTS = {">=": True, "<": False}  # what never less than 0 is, compared with 0


def always_the_same(subject: Subject) -> Iterator[Problem]:
    """Warns of a condition, or a part of one, that is always true or always false."""
    for step in subject.steps:
        for condition in _conditions(step):
            if _completes(step, condition):
                continue
            for part, value in _settled_parts(condition, subject.kinds):
                message = f"this is always {'true' if value else 'false'}"
                yield Problem("SW242", message, part.span, _mend(step, condition, part, value), "warning")


def _completes(step: Step, condition: Node) -> bool:
    """Whether a condition, the last of a chain without `else`, may ask for what the others left: to name it is fine."""
    branches = step.arguments.get("else_if", ())
    is_last = bool(branches) and condition is branches[-1].condition and "else" not in step.arguments
    return is_last and _settled(condition, {}) is None


def _conditions(step: Step) -> Iterator[Node]:
    """What a step asks: its own conditions, and the tests within its expressions."""
    for name, argument in step.arguments.items():
        parameter = step.definition.parameter(name)
        syntax = parameter.syntax if parameter else ""
        if syntax in ("condition", "where") and not _is_endless_loop(step, argument):
            yield argument
        elif syntax == "branches":
            yield from (branch.condition for branch in argument)
        for node in expressions(argument):
            yield from (each.test for each in walk(node) if isinstance(each, Conditional))


def _is_endless_loop(step: Step, condition: Node) -> bool:
    """`while: true` is the way to write a loop that is left from within."""
    return step.name == "while" and isinstance(condition, Literal) and condition.value is True


def _settled_parts(node: Node, kinds: Mapping[Node, Kind]) -> Iterator[tuple[Node, bool]]:
    """The largest parts of a condition that are always the same, with what they are."""
    value = _settled(node, kinds)
    if value is not None:
        yield node, value
    elif isinstance(node, Unary):
        yield from _settled_parts(node.operand, kinds)
    elif isinstance(node, Binary) and node.operator in ("and", "or"):
        yield from _settled_parts(node.left, kinds)
        yield from _settled_parts(node.right, kinds)


def _settled(node: Node, kinds: Mapping[Node, Kind]) -> bool | None:
    """What a condition always is; None where that depends."""
    match node:
        case Literal(bool() as value):
            return value
        case Unary("not", operand):
            inner = _settled(operand, kinds)
            return None if inner is None else not inner
        case Binary("and" | "or", left, right):
            return _joined(node, _settled(left, kinds), _settled(right, kinds))
        case Binary(optional=False):
            return _compared(node, kinds)
        case Filter(of, name, [], optional=False) if of in kinds:
            return settled(kinds[of], name)
    return None


def _joined(node: Binary, left: bool | None, right: bool | None) -> bool | None:
    """What an `and` or `or` of two conditions always is."""
    decisive = node.operator == "or"  # the value that one side alone decides by
    if decisive in (left, right):
        return decisive
    if left is not None and right is not None:
        return left
    return decisive if _exclude_each_other(node) else None


def _exclude_each_other(node: Binary) -> bool:
    """`x == "a" and x == "b"` is never true, `x != "a" or x != "b"` always is."""
    asked = "==" if node.operator == "and" else "!="
    first, second = _asked_of_one(node.left, asked), _asked_of_one(node.right, asked)
    return None not in (first, second) and first[0] == second[0] and first[1] != second[1]  # type: ignore[index]


def _asked_of_one(node: Node, asked: str) -> tuple[str, object] | None:
    """The path and the literal that a condition compares."""
    match node:
        case Binary(operator, left, Literal(value)) if operator == asked:
            key = key_of(left)
        case Binary(operator, Literal(value), right) if operator == asked:
            key = key_of(right)
        case _:
            return None
    return None if key is None or value is None else (key, value)


def _compared(node: Binary, kinds: Mapping[Node, Kind]) -> bool | None:
    """What a comparison always is."""
    if node.operator in ("in", "not in"):
        return _contained(node, kinds)
    compare = _COMPARED.get(node.operator)
    if compare is None:
        return None
    left, right = literal_of(node.left), literal_of(node.right)
    if ... not in (left, right):
        return None if None in (left, right) else compare(left, right)
    for side, other in ((node.left, right), (node.right, left)):
        if isinstance(other, str) and (settled := _among_values(node.operator, kinds.get(side), other)) is not None:
            return settled
    if unparse(node.left) == unparse(node.right):
        return None if any(isinstance(each, Call) for each in walk(node)) else compare(0, 0)
    if right == 0 and _is_count(node.left):
        return _OF_COUNTS.get(node.operator)
    return _OF_COUNTS.get(_MIRRORED[node.operator]) if left == 0 and _is_count(node.right) else None


def _among_values(operator: str, kind: Kind | None, text: str) -> bool | None:
    """What is always said of a value that is one of few and is compared with a text."""
    if operator not in ("==", "!=") or kind is None or not kind.values or kind.may_be_null:
        return None
    if text not in kind.values:
        return operator == "!="
    return operator == "==" if kind.values == (text,) else None


def _is_count(node: Node) -> bool:
    return isinstance(node, Filter) and node.name in ("count", "strlen")


def _contained(node: Binary, kinds: Mapping[Node, Kind]) -> bool | None:
    """Whether one of few values is among all of them."""
    kind, among = kinds.get(node.left), literal_of(node.right)
    if kind is None or not kind.values or kind.may_be_null or not isinstance(among, list):
        return None
    return node.operator == "in" if set(kind.values) <= {each for each in among if isinstance(each, str)} else None


def _mend(step: Step, condition: Node, part: Node, value: bool) -> str:
    match part:
        case Binary(_, Column(name), Column()):
            return f"the variable is written '${name}'"
        case _ if value and any(part is branch.condition for branch in step.arguments.get("else_if", ())):
            return "it takes all that is left: make it the 'else:'"
        case _ if part is condition and step.name == "precondition" and not value:
            return "write 'throw:' if it is to end here"
        case _ if part is condition and step.name == "if" and not value:
            return "a step that is not to run is 'disabled: true'"
    return "take it out, or ask what was meant"
