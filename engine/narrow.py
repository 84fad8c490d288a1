"""What a condition proves: of variables and columns, and of the parts of them that plain paths name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.scope import Scope, key_of
from engine.syntax import Attribute, Binary, Filter, Literal, Node, Unary
from engine.values import ANY, BOOL, DECIMAL, INT, NULL, OBJECT, TEXT, Kind, list_of

Kinds = Mapping[Node, Kind]  # of every node in the condition


def narrowed(node: Node, scope: Scope, truth: bool, kinds: Kinds) -> Scope:
    """What is known where the condition `node` was `truth`."""
    match node:
        case Binary(optional=True) | Filter(optional=True):  # what may be dropped proves nothing
            return scope
        case Unary("not", operand):
            return narrowed(operand, scope, not truth, kinds)
        case Binary("and", left, right) if truth:
            return narrowed(right, narrowed(left, scope, True, kinds), True, kinds)
        case Binary("or", left, right) if not truth:
            return narrowed(right, narrowed(left, scope, False, kinds), False, kinds)
        case Binary("==" | "!=" as operator, left, right):
            return _by_equality(left, right, scope, (operator == "==") is truth, kinds)
        case Binary("in" | "not in" as operator, left, right) if (operator == "in") is truth:
            return _by_equal(left, kinds.get(right, ANY).item or ANY, scope, kinds)
        case Filter(of, "is_null", []):
            return narrowed_null(of, scope, truth, kinds)
        case Filter(of, "is_empty", []) if not truth:
            return narrowed_null(of, scope, False, kinds)
        case Filter(of, name, []) if truth and name in _TESTS:
            return _by_kind(of, scope, _TESTS[name], kinds)
    return scope


def _by_equality(left: Node, right: Node, scope: Scope, equal: bool, kinds: Kinds) -> Scope:
    for subject, other in ((left, right), (right, left)):
        if isinstance(other, Literal) and other.value is None:
            return narrowed_null(subject, scope, equal, kinds)
    if equal:
        for subject, other in ((left, right), (right, left)):
            scope = _by_equal(subject, kinds.get(other, ANY), scope, kinds)
    return scope


def _by_equal(subject: Node, other: Kind, scope: Scope, kinds: Kinds) -> Scope:
    """What equals a value that can't be null is not null."""
    return scope if other.may_be_null or other.is_open else narrowed_null(subject, scope, False, kinds)


def narrowed_null(node: Node, scope: Scope, is_null: bool, kinds: Kinds) -> Scope:
    """What is known where `node` is null, or is not."""
    key, kind = key_of(node), kinds.get(node, ANY)
    if key is None:
        return scope
    if is_null:
        return scope.narrow(key, NULL) if kind.nullable or kind.is_open else scope
    return _narrowed_owner(node, scope.narrow(key, kind.present()), kinds)


def _narrowed_owner(node: Node, scope: Scope, kinds: Kinds) -> Scope:
    """`$a?.b` that is not null proves that `$a` is none either."""
    if isinstance(node, Attribute) and node.optional:
        return narrowed_null(node.of, scope, False, kinds)
    return scope


def _by_kind(node: Node, scope: Scope, kind: Kind, kinds: Kinds) -> Scope:
    key, known = key_of(node), kinds.get(node, ANY)
    if key is None:
        return scope
    return scope.narrow(key, replace(kind, secret=known.secret) if known.is_open else known.present())


_TESTS: Mapping[str, Kind] = {
    "is_text": TEXT, "is_int": INT, "is_decimal": DECIMAL,
    "is_bool": BOOL, "is_list": list_of(ANY), "is_object": OBJECT,
}  # fmt: skip
