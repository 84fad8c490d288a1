"""What a condition proves: of variables and columns, and of the parts of them that plain paths name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from engine import registry
from engine.scope import Scope, key_of, merge
from engine.syntax import Attribute, Binary, Filter, ListOf, Literal, Node, Unary
from engine.values import (
    ANY,
    BOOL,
    DECIMAL,
    INT,
    NEVER,
    NULL,
    NUMBERS,
    OBJECT,
    TEXT,
    TEXTS,
    Kind,
    common,
    join_all,
    list_of,
)

Kinds = Mapping[Node, Kind]  # of every node in the condition


def narrowed(node: Node, scope: Scope, truth: bool, kinds: Kinds) -> Scope:
    """What is known where the condition `node` was `truth`."""
    match node:
        case Binary(optional=True) | Filter(optional=True):  # what may be dropped proves nothing
            return scope
        case Unary("not", operand):
            return narrowed(operand, scope, not truth, kinds)
        case Binary("and" | "or" as operator, left, right):
            return _by_two(left, right, scope, truth, (operator == "and") is truth, kinds)
        case Binary("==" | "!=" as operator, left, right):
            return _by_equality(left, right, scope, (operator == "==") is truth, kinds)
        case Binary("in" | "not in" as operator, left, right):
            return _by_membership(left, right, scope, (operator == "in") is truth, kinds)
        case Filter(of, "is_null", []):
            return narrowed_null(of, scope, truth, kinds)
        case Filter(of, "is_empty", []) if not truth:
            return narrowed_null(of, scope, False, kinds)
        case Filter(of, name, []) if name in registry.filters() and (test := _TESTS.get(registry.filters()[name].name)):
            return _by_kind(of, scope, test, truth, kinds)
    return scope


def _by_two(left: Node, right: Node, scope: Scope, truth: bool, both: bool, kinds: Kinds) -> Scope:
    """What is known where `both` conditions were `truth`; else where at least one was, the left or the right alone."""
    first = narrowed(left, scope, truth, kinds)
    if both:
        return narrowed(right, first, truth, kinds)
    second = narrowed(right, narrowed(left, scope, not truth, kinds), truth, kinds)
    either = merge(first, second)
    return replace(scope, narrowed=either.narrowed, dead=either.dead)


def _by_equality(left: Node, right: Node, scope: Scope, equal: bool, kinds: Kinds) -> Scope:
    for subject, other in ((left, right), (right, left)):
        if isinstance(other, Literal) and other.value is None:
            return narrowed_null(subject, scope, equal, kinds)
    for subject, other in ((left, right), (right, left)):
        if not equal:
            scope = narrowed_unequal(subject, _texts([other]), scope, kinds)
        elif kinds.get(subject, ANY).values:
            scope = narrowed_equal(subject, _spelt([other]) or kinds.get(other, ANY), scope, kinds)
        else:
            scope = narrowed_equal(subject, kinds.get(other, ANY), scope, kinds)
    return scope


def _by_membership(left: Node, right: Node, scope: Scope, is_in: bool, kinds: Kinds) -> Scope:
    items = right.items if isinstance(right, ListOf) else []
    if is_in:
        return narrowed_equal(left, _spelt(items) or kinds.get(right, ANY).item or ANY, scope, kinds)
    return narrowed_unequal(left, _texts(items), scope, kinds)


def _texts(nodes: Collection[Node]) -> tuple[str, ...]:
    """The texts among what is written out."""
    return tuple(each.value for each in nodes if isinstance(each, Literal) and isinstance(each.value, str))


def _spelt(nodes: Collection[Node]) -> Kind | None:
    """The kind of one of the texts that are written out; None where there is anything else."""
    texts = _texts(nodes)
    return Kind("enum", values=tuple(dict.fromkeys(texts))) if texts and len(texts) == len(nodes) else None


def narrowed_equal(node: Node, other: Kind, scope: Scope, kinds: Kinds) -> Scope:
    """What is known where `node` equals a value of the kind `other`."""
    key, known = key_of(node), kinds.get(node, ANY)
    if key is None or other.is_open:
        return scope
    kind = common(known, other)
    scope = scope.narrow(key, kind)
    return scope if kind.may_be_null else _narrowed_owner(node, scope, kinds)


def narrowed_unequal(node: Node, values: Collection[str], scope: Scope, kinds: Kinds) -> Scope:
    """What is known where `node` is none of the texts `values`; no run gets there where it can be no other."""
    key, known = key_of(node), kinds.get(node, ANY)
    if key is None or not known.values:
        return scope
    left = tuple(value for value in known.values if value not in values)
    if left:
        return scope.narrow(key, replace(known, values=left))
    return scope.narrow(key, NULL) if known.nullable else scope.ended()


def narrowed_null(node: Node, scope: Scope, is_null: bool, kinds: Kinds) -> Scope:
    """What is known where `node` is null, or is not; no run gets there where it can't be."""
    key, kind = key_of(node), kinds.get(node, ANY)
    if key is None:
        return scope
    if is_null:
        return scope.narrow(key, NULL) if kind.may_be_null or kind.is_open else scope.ended()
    if kind.name == "null":
        return scope.narrow(key, ANY).ended()
    return _narrowed_owner(node, scope.narrow(key, kind.present()), kinds)


def _narrowed_owner(node: Node, scope: Scope, kinds: Kinds) -> Scope:
    """`$a?.b` that is not null proves that `$a` is none either."""
    if isinstance(node, Attribute) and node.optional:
        return narrowed_null(node.of, scope, False, kinds)
    return scope


def _by_kind(node: Node, scope: Scope, test: _Test, truth: bool, kinds: Kinds) -> Scope:
    key, known = key_of(node), kinds.get(node, ANY)
    if key is None:
        return scope
    if truth:
        return _narrowed_owner(node, scope.narrow(key, _passed(known, test)), kinds)
    return scope.narrow(key, _failed(known, test))


def settled(of: Kind, name: str) -> bool | None:
    """What a filter that asks for a kind, or for null, always says of a value of a kind; None where that depends."""
    if of.is_open or of.name == "never":
        return None
    if name == "is_null":
        return None if of.nullable else of.name == "null"
    test = _TESTS.get(registry.filters()[name].name) if name in registry.filters() else None
    if test is None:
        return None
    if not any(each.name in test.possible for each in of.choices):
        return False
    return True if all(each.name in test.sure for each in of.choices) and not of.may_be_null else None


def _passed(known: Kind, test: _Test) -> Kind:
    """What is known of a value of the kind `known` that passed a test."""
    if known.is_open:
        return test.kind.made_of(known).tainted_by(known)
    passing = (each if each.name in test.sure else test.kind for each in known.choices if each.name in test.possible)
    kind = join_all(passing, known).present().made_of(known)
    return kind.tainted_by(known)


def _failed(known: Kind, test: _Test) -> Kind:
    """What is known of a value of the kind `known` that did not pass a test."""
    kind = join_all((each for each in known.choices if each.name not in test.sure), NEVER)
    kind = kind.tainted_by(known)
    return kind.maybe() if known.nullable else kind


@dataclass(frozen=True, slots=True)
class _Test:
    """A filter that asks for a kind: values of the kinds `sure` pass it, those of the others `possible` may, and then
    are of `kind`."""

    kind: Kind
    sure: frozenset[str]
    possible: frozenset[str]


def _exact(kind: Kind, sure: frozenset[str]) -> _Test:
    return _Test(kind, sure, sure)


_TESTS: Mapping[str, _Test] = {
    "is_text": _exact(TEXT, TEXTS),
    "is_int": _Test(INT, NUMBERS - {"decimal"}, NUMBERS),
    "is_decimal": _Test(DECIMAL, frozenset(), frozenset({"decimal"})),
    "is_number": _exact(DECIMAL, NUMBERS),
    "is_bool": _exact(BOOL, frozenset({"bool"})),
    "is_list": _exact(list_of(ANY), frozenset({"list"})),
    "is_object": _exact(OBJECT, frozenset({"object", "file"})),
}
