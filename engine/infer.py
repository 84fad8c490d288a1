"""The kind of every expression, and what a condition proves; mistakes become problems on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine import registry
from engine.errors import Problem, Severity, Span, did_you_mean, nearest
from engine.registry import Definition, Parameter, substitute, unify
from engine.scope import Scope, key_of
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
)
from engine.values import (
    ANY,
    BOOL,
    DECIMAL,
    INT,
    NEVER,
    NULL,
    OBJECT,
    TEXT,
    TIMESTAMP,
    Kind,
    comparable,
    fits,
    join,
    join_all,
    kind_of,
    list_of,
    object_of,
)

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


def contains_secret(kind: Kind) -> bool:
    """Whether a value of this kind would carry a secret along; a record keeps its own beside it."""
    if kind.secret:
        return True
    if kind.item is not None and contains_secret(kind.item):
        return True
    return not kind.is_record and any(contains_secret(each) for each in (kind.fields or {}).values())


class Inference:
    """Infers kinds into `kinds`, a node at a time, and gathers problems.

    `reads` gathers the variables read, `secret_reads` the secret columns taken from records. Nothing is reported
    while `silent`; where `eager`, both sides of an `and` or `or` are evaluated.
    """

    def __init__(self) -> None:
        self.kinds: dict[Node, Kind] = {}
        self.problems: list[Problem] = []
        self.reads: set[str] = set()
        self.secret_reads: set[tuple[str, str]] = set()
        self.silent = 0
        self.eager = False

    def report(self, code: str, message: str, span: Span, hint: str = "", severity: Severity = "error") -> None:
        if not self.silent:
            self.problems.append(Problem(code, message, span, hint, severity))

    def infer(self, node: Node, scope: Scope) -> Kind:
        """The kind of `node` where `scope` is known."""
        kind = self._narrowed(node, scope, _RULES[type(node)](self, node, scope))
        self.kinds[node] = kind
        return kind

    def _narrowed(self, node: Node, scope: Scope, kind: Kind) -> Kind:
        key = key_of(node)
        return scope.narrowed.get(key, kind) if key is not None else kind

    def value(self, node: Node, scope: Scope, what: str) -> Kind:
        """The kind of an operand that can't be null."""
        kind = self.infer(node, scope)
        if kind.nullable or kind.name == "null":
            self.null(node, what)
            return kind.present() if kind.name != "null" else ANY
        return kind

    def null(self, node: Node, what: str) -> None:
        shown = _shown(node)
        hint = f"rule null out before: '- precondition: {shown} != null', or give a default: '{shown} ?? …'"
        if isinstance(node, Literal):
            hint = "write a value"
        self.report("SW210", f"{_named(node)} may be null here, {what}", node.span, hint)

    def condition(self, node: Node, scope: Scope) -> tuple[Scope, Scope]:
        """Checks that `node` is a bool; what is known where it is true, and where it is false."""
        kind = self.value(node, scope, "a condition must be a bool")
        if not fits(kind, BOOL):
            hint = "compare it, as in " + _comparison(node, kind)
            self.report("SW211", f"a condition must be a bool, {_named(node)} is {kind}", node.span, hint)
        return self.narrow(node, scope, True), self.narrow(node, scope, False)

    def narrow(self, node: Node, scope: Scope, truth: bool) -> Scope:
        """What is known where the condition `node` was `truth`."""
        match node:
            case Unary("not", operand):
                return self.narrow(operand, scope, not truth)
            case Binary("and", left, right) if truth:
                return self.narrow(right, self.narrow(left, scope, True), True)
            case Binary("or", left, right) if not truth:
                return self.narrow(right, self.narrow(left, scope, False), False)
            case Binary("==" | "!=" as operator, left, right):
                return self._narrow_equal(left, right, scope, (operator == "==") is truth)
            case Filter(of, "is_null", []):
                return self._narrow_null(of, scope, truth)
            case Filter(of, name, []) if truth and name in _TESTS:
                return self._narrow_kind(of, scope, _TESTS[name])
        return scope

    def _narrow_equal(self, left: Node, right: Node, scope: Scope, equal: bool) -> Scope:
        for subject, other in ((left, right), (right, left)):
            if isinstance(other, Literal) and other.value is None:
                return self._narrow_null(subject, scope, equal)
        if equal:  # what equals a value that can't be null is not null
            for subject, other in ((left, right), (right, left)):
                kind = self.kinds.get(other, ANY)
                if not kind.nullable and kind.name not in ("any", "null"):
                    scope = self._narrow_null(subject, scope, False)
        return scope

    def _narrow_null(self, node: Node, scope: Scope, is_null: bool) -> Scope:
        key, kind = key_of(node), self.kinds.get(node, ANY)
        if key is None:
            return scope
        if is_null:
            return scope.narrow(key, NULL) if kind.nullable or kind.is_open else scope
        scope = scope.narrow(key, kind.present())
        return self._narrow_owner(node, scope)

    def _narrow_owner(self, node: Node, scope: Scope) -> Scope:
        """`$a?.b` that is not null proves that `$a` is none either."""
        if isinstance(node, Attribute) and node.optional:
            return self._narrow_null(node.of, scope, False)
        return scope

    def _narrow_kind(self, node: Node, scope: Scope, kind: Kind) -> Scope:
        key, known = key_of(node), self.kinds.get(node, ANY)
        if key is None:
            return scope
        return scope.narrow(key, replace(kind, secret=known.secret) if known.is_open else known.present())

    # One rule for each sort of node.

    def _literal(self, node: Literal, scope: Scope) -> Kind:
        return kind_of(node.value)

    def _template(self, node: Template, scope: Scope) -> Kind:
        kinds = [self._joined(part, scope) for part in node.parts]
        return TEXT.masked() if any(kind.secret for kind in kinds) else TEXT

    def _joined(self, node: Node, scope: Scope) -> Kind:
        """The kind of something that becomes a part of a text."""
        kind = self.value(node, scope, "it can't be part of a text")
        if kind.name in ("list", "object", "file", "lambda"):
            hint = f"write it out first: {_shown(node)} | json_encode"
            self.report("SW212", f"{_named(node)} is {kind}, it can't be part of a text", node.span, hint)
        return kind

    def _variable(self, node: Variable, scope: Scope) -> Kind:
        self.reads.add(node.name)
        if node.name in scope.kinds:
            return scope.kinds[node.name]
        if node.name in scope.maybe:
            hint = "set it before, or in every branch"
            self.report("SW202", f"'${node.name}' may not be set here: some paths don't set it", node.span, hint)
            return scope.maybe[node.name]
        known = [*scope.kinds, *scope.maybe]
        self.reads.add(nearest(node.name, known) or node.name)  # a misspelling is a use
        hint = _GIVEN_HINTS.get(node.name) or did_you_mean(node.name, known)
        if node.name in (scope.columns or {}):
            hint = f"the column is written '{node.name}' here, without the $"
        self.report("SW201", f"unknown variable '${node.name}'", node.span, hint)
        return ANY

    def _column(self, node: Column, scope: Scope) -> Kind:
        if scope.columns is None:
            hint = f'write ${node.name} for the variable, or "{node.name}" for the text'
            self.report("SW203", f"the bare name '{node.name}' means nothing here", node.span, hint)
            return ANY
        if node.name not in scope.columns:
            self.report("SW204", f"unknown column '{node.name}'", node.span, did_you_mean(node.name, scope.columns))
            return ANY
        return scope.columns[node.name]

    def _attribute(self, node: Attribute, scope: Scope) -> Kind:
        owner = self.infer(node.of, scope)
        if owner.nullable or owner.name == "null":
            if not node.optional:
                self.null(node.of, f"'.{node.name}' can't be read from null")
            owner = owner.present()
        kind = self._member(owner, node)
        kind = self._beside(owner, node.name, kind)
        # Only what may be absent becomes null under `?.`.
        if node.optional and (owner != self.kinds[node.of] or node.name in owner.optional or owner.fields is None):
            return kind.maybe()
        return kind

    def _beside(self, owner: Kind, name: str, kind: Kind) -> Kind:
        """The kind of a member as it is read. A column that lies beside its record is noted; a private one is plain."""
        if not (owner.is_record and kind.secret):
            return kind.masked() if owner.secret else kind
        self.secret_reads.add((owner.table, name))
        return kind.plain() if kind.private and not owner.secret else kind

    def _member(self, owner: Kind, node: Attribute) -> Kind:
        if owner.fields is not None:
            if node.name in owner.fields:
                kind = owner.fields[node.name]
                return kind.maybe() if node.name in owner.optional else kind
            self.report("SW205", _unknown_member(owner, node), node.name_span, did_you_mean(node.name, owner.fields))
        elif owner.name not in ("any", "object", "never"):
            self.report("SW206", f"{_named(node.of)} is {owner}, it has no '.{node.name}'", node.name_span)
        return ANY

    def _index(self, node: Index, scope: Scope) -> Kind:
        owner = self.infer(node.of, scope)
        if owner.nullable or owner.name == "null":
            if not node.optional:
                self.null(node.of, "'[…]' can't be read from null")
            owner = owner.present()
        index = self.value(node.index, scope, "an index can't be null")
        kind = self._element(owner, index, node)
        name = node.index.value if isinstance(node.index, Literal) else None
        kind = self._beside(owner, name, kind) if isinstance(name, str) else kind.masked() if owner.secret else kind
        return kind.maybe() if node.optional else kind

    def _element(self, owner: Kind, index: Kind, node: Index) -> Kind:
        if owner.name == "list":
            if not fits(index, INT):
                self.report("SW207", f"a list's index must be an int, this is {index}", node.index.span)
            return owner.item or ANY
        if owner.name == "object":
            if not fits(index, TEXT):
                self.report("SW207", f"an object's key must be a text, this is {index}", node.index.span)
            if isinstance(node.index, Literal) and isinstance(node.index.value, str) and owner.fields is not None:
                name = node.index.value
                return self._member(owner, Attribute(node.of, name, False, node.index.span, node.span))
            return join_all((owner.fields or {}).values()).masked() if contains_secret(owner) else ANY
        if not owner.is_open and owner.name != "never":
            self.report("SW206", f"{_named(node.of)} is {owner}, it has no '[…]'", node.span)
        return ANY

    def _list(self, node: ListOf, scope: Scope) -> Kind:
        return list_of(join_all((self._item(item, scope) for item in node.items), NEVER))

    def _item(self, node: Node, scope: Scope) -> Kind:
        if not isinstance(node, Spread):
            return self.infer(node, scope)
        kind = self.value(node.of, scope, "it can't be spread")
        if not fits(kind, list_of(ANY)):
            self.report("SW213", f"only a list can be spread into a list, {_named(node.of)} is {kind}", node.span)
        return (kind.item or ANY).masked() if kind.secret else kind.item or ANY

    def _object(self, node: ObjectOf, scope: Scope) -> Kind:
        fields: dict[str, Kind] = {}
        optional: set[str] = set()
        known = True
        for entry in node.entries:
            if isinstance(entry, Spread):
                spread = self._spread(entry, scope)
                known = known and spread.fields is not None
                fields |= {
                    name: kind for name, kind in (spread.fields or {}).items() if not (spread.is_record and kind.secret)
                }
                optional |= spread.optional
            else:
                fields[entry.key] = self.infer(entry.value, scope)
                optional.discard(entry.key)
        if known:
            return object_of(fields, optional)
        return OBJECT.masked() if any(contains_secret(kind) for kind in fields.values()) else OBJECT

    def _spread(self, node: Spread, scope: Scope) -> Kind:
        kind = self.value(node.of, scope, "it can't be spread")
        if not fits(kind, OBJECT):
            self.report("SW213", f"only an object can be spread into an object, {_named(node.of)} is {kind}", node.span)
            return OBJECT
        return kind

    def _unary(self, node: Unary, scope: Scope) -> Kind:
        if node.operator == "not":
            self.condition(node.operand, scope)
            return BOOL
        kind = self._number(node.operand, scope, "-")
        return INT if kind.name == "timestamp" else kind

    def _number(self, node: Node, scope: Scope, operator: str) -> Kind:
        kind = self.value(node, scope, f"'{operator}' needs a number")
        if not kind.is_open and kind.family != "number" and kind.name != "never":
            hint = "join texts with ~" if operator == "+" and kind.family == "text" else ""
            hint = hint or ("turn it into a number: … | to_int, or to_decimal" if kind.family == "text" else "")
            self.report("SW214", f"'{operator}' needs numbers, {_named(node)} is {kind}", node.span, hint)
            return ANY
        return kind

    def _binary(self, node: Binary, scope: Scope) -> Kind:
        match node.operator:
            case "and" | "or":
                true, false = self.condition(node.left, scope)
                known = true if node.operator == "and" else false
                self.condition(node.right, scope if self.eager else known)
                return BOOL
            case "??":
                return self._default(node, scope)
            case "~":
                kinds = [self._joined(node.left, scope), self._joined(node.right, scope)]
                return TEXT.masked() if any(kind.secret for kind in kinds) else TEXT
            case "in" | "not in":
                return self._membership(node, scope)
            case "==" | "!=":
                return self._equality(node, scope)
            case "<" | "<=" | ">" | ">=":
                return self._order(node, scope)
        return self._arithmetic(node, scope)

    def _default(self, node: Binary, scope: Scope) -> Kind:
        left = self.infer(node.left, scope)
        right = self.infer(node.right, self._narrow_null(node.left, scope, True))
        return right if left.name == "null" else join(left.present(), right)

    def _membership(self, node: Binary, scope: Scope) -> Kind:
        left = self.infer(node.left, scope)
        right = self.value(node.right, scope, f"'{node.operator}' needs a list")
        if not fits(right, list_of(ANY)):
            hint = 'for a part of a text, write … | contains("…")' if right.family == "text" else ""
            self.report(
                "SW215",
                f"'{node.operator}' needs a list on its right, {_named(node.right)} is {right}",
                node.right.span,
                hint,
            )
        elif right.item is not None and not comparable(left, right.item):
            self._never_equal(node, left, right.item)
        return BOOL

    def _equality(self, node: Binary, scope: Scope) -> Kind:
        left, right = self.infer(node.left, scope), self.infer(node.right, scope)
        if not comparable(left, right) or _is_no_value(left, node.right) or _is_no_value(right, node.left):
            self._never_equal(node, left, right)
        return BOOL

    def _never_equal(self, node: Binary, left: Kind, right: Kind) -> None:
        if "null" in (left.name, right.name):
            subject = node.left if right.name == "null" else node.right
            self.report(
                "SW216",
                f"{_named(subject)} can't be null here, so this is always the same",
                node.span,
                "leave the test out",
            )
            return
        for kind, literal in ((left, node.right), (right, node.left)):
            if kind.values and isinstance(literal, Literal):
                hint = did_you_mean(str(literal.value), kind.values)
                self.report("SW216", f"'{literal.value}' is none of the values it is compared with", literal.span, hint)
                return
        self.report("SW216", f"{left} and {right} can never be equal", node.span, _conversion(left, right))

    def _order(self, node: Binary, scope: Scope) -> Kind:
        left = self.value(node.left, scope, f"'{node.operator}' can't order null")
        right = self.value(node.right, scope, f"'{node.operator}' can't order null")
        families = {kind.family for kind in (left, right) if not kind.is_open and kind.name != "never"}
        if len(families) > 1:
            self.report("SW217", f"{left} and {right} have no order", node.span, _conversion(left, right))
        elif families - {"number", "text"}:
            self.report("SW217", f"'{node.operator}' orders numbers and texts, not {left}", node.span)
        return BOOL

    def _arithmetic(self, node: Binary, scope: Scope) -> Kind:
        before = len(self.problems)
        left = self._number(node.left, scope, node.operator)
        self.silent += (said := len(self.problems) > before)  # two texts with a + between are one mistake
        right = self._number(node.right, scope, node.operator)
        self.silent -= said
        kind = _arithmetic_kind(node.operator, left.name, right.name)
        return kind.masked() if left.secret or right.secret else kind

    def _conditional(self, node: Conditional, scope: Scope) -> Kind:
        true, false = self.condition(node.test, scope)
        return join(self.infer(node.then, true), self.infer(node.otherwise, false))

    def _range(self, node: Range, scope: Scope) -> Kind:
        for end in (node.start, node.stop):
            kind = self.value(end, scope, "'..' needs ints")
            if not fits(kind, INT):
                self.report("SW214", f"'..' needs ints, {_named(end)} is {kind}", end.span)
        return list_of(INT)

    def _filter(self, node: Filter, scope: Scope) -> Kind:
        definition = registry.filters().get(node.name)
        if definition is None:
            self._unknown("filter", node.name, node.name_span, registry.filters(), registry.functions())
            self._skip([node.of, *node.arguments], scope)
            return ANY
        return self._applied(definition, [node.of, *node.arguments], node, scope)

    def _call(self, node: Call, scope: Scope) -> Kind:
        definition = registry.functions().get(node.name)
        if definition is None:
            self._unknown("function", node.name, node.name_span, registry.functions(), registry.filters())
            self._skip(node.arguments, scope)
            return ANY
        return self._applied(definition, node.arguments, node, scope)

    def _unknown(self, sort: str, name: str, span: Span, known: Iterable[str], others: Iterable[str]) -> None:
        other = "write $x | " + name if sort == "function" else f"write {name}(…)"
        hint = other if name in set(others) else did_you_mean(name, known)
        self.report("SW208", f"unknown {sort} '{name}'", span, hint)

    def _skip(self, nodes: Iterable[Node], scope: Scope) -> None:
        for node in nodes:
            if not isinstance(node, Lambda):
                self.infer(node, scope)

    def _applied(self, definition: Definition, nodes: list[Node], node: Filter | Call, scope: Scope) -> Kind:
        pairs = list(paired(definition, nodes))
        self._check_count(definition, nodes, node)
        bindings: dict[str, Kind] = {}
        kinds: dict[int, Kind] = {}
        # Lambdas last: their parameters' kinds come from the other arguments.
        for place, (parameter, argument) in sorted(enumerate(pairs), key=lambda each: isinstance(each[1][1], Lambda)):
            kinds[place] = self._argument(definition, parameter, argument, bindings, scope)
        given = [kinds[place] for place in sorted(kinds)]
        kind = self._result(definition, given, [argument for _, argument in pairs], bindings)
        # The taint of any argument is the result's; a bool says too little to keep.
        tainted = any(contains_secret(each) for each in given) and not definition.declassifies
        if definition.declassifies:
            self._check_reveal(definition, given, node)
            return kind.plain()
        return kind.masked() if tainted and kind.fields is None else kind

    def _check_reveal(self, definition: Definition, given: list[Kind], node: Node) -> None:
        if definition.name == "reveal" and given and given[0].name == "password":
            self.report("SW220", "a password can't be revealed", node.span, "check it with validate_password")

    def _check_count(self, definition: Definition, nodes: list[Node], node: Filter | Call) -> None:
        wanted = definition.parameters
        piped = 1 if isinstance(node, Filter) else 0
        least = sum(parameter.required for parameter in wanted)
        most = None if any(parameter.many for parameter in wanted) else len(wanted)
        if len(nodes) < least:
            missing = wanted[len(nodes)].name
            self.report("SW209", f"'{definition.name}' needs its {missing}", node.name_span, _usage(definition))
        elif most is not None and len(nodes) > most:
            message = f"'{definition.name}' takes {_counted(most - piped)}, {len(nodes) - piped} are given"
            self.report("SW209", message, node.name_span, _usage(definition))

    def _argument(
        self, definition: Definition, parameter: Parameter, node: Node, bindings: dict[str, Kind], scope: Scope
    ) -> Kind:
        if isinstance(node, Lambda):
            return self._lambda(definition, parameter, node, bindings, scope)
        kind = self.infer(node, scope)
        self.check_argument(definition, parameter, kind, node)
        unify(parameter.kind, kind, bindings)
        return kind

    def check_argument(self, definition: Definition, parameter: Parameter, kind: Kind, node: Node) -> None:
        """Reports an argument that its parameter can't take."""
        wanted = parameter.kind
        if parameter.syntax == "lambda":
            self.report("SW218", f"'{definition.name}' needs a lambda here", node.span, "write $x => …")
            return
        takes_null = wanted.nullable if parameter.options else _takes_null(wanted)
        if (kind.nullable or kind.name == "null") and not takes_null:
            self.null(node, f"'{definition.name}' needs {_bound(wanted)}")
            return
        options = parameter.options or (wanted,)
        if not any(fits(kind.present(), _bound(option)) for option in options):
            role = "" if parameter is definition.main else f" as its {parameter.name}"
            asked = " or ".join(_bound(option).label for option in options)
            message = f"'{definition.name}' needs {asked}{role}, {_named(node)} is {kind}"
            self.report("SW218", message, node.span, _conversion(kind, _bound(wanted)))

    def _lambda(
        self, definition: Definition, parameter: Parameter, node: Lambda, bindings: dict[str, Kind], scope: Scope
    ) -> Kind:
        if parameter.callback is None:
            self.report("SW218", f"'{definition.name}' takes no lambda here", node.span)
            return Kind("lambda")
        given, returned = parameter.callback
        if len(node.parameters) != len(given):
            message = f"the lambda of '{definition.name}' takes {_counted(len(given))}, not {len(node.parameters)}"
            self.report("SW219", message, node.span)
        inner = scope
        for name, pattern in zip(node.parameters, [*given, *[ANY] * len(node.parameters)], strict=False):
            inner = inner.assign(name, substitute(pattern, bindings))
        if returned == BOOL:
            self.condition(node.body, inner)
        else:
            unify(returned, self.infer(node.body, inner), bindings)
        self.kinds[node] = Kind("lambda")
        return Kind("lambda", secret=contains_secret(self.kinds[node.body]) and returned != BOOL)

    def _result(
        self, definition: Definition, kinds: list[Kind], nodes: list[Node], bindings: Mapping[str, Kind]
    ) -> Kind:
        if definition.result is not None and kinds:
            return definition.result(kinds, [literal_of(node) for node in nodes])
        return substitute(definition.returns, bindings)

    def _misplaced(self, node: Node, scope: Scope) -> Kind:
        self.report("SW218", "a lambda can only be a filter's argument", node.span)
        return ANY


def _is_no_value(kind: Kind, node: Node) -> bool:
    """Whether `node` is a text that is none of the values of an enum."""
    return (
        bool(kind.values)
        and isinstance(node, Literal)
        and isinstance(node.value, str)
        and node.value not in kind.values
    )


def literal_of(node: Node) -> Any:
    """The value that a tree of literals spells; Ellipsis where it is more than literals."""
    match node:
        case Literal(value):
            return value
        case ListOf(items):
            values = [literal_of(item) for item in items]
            return ... if ... in values else values
        case ObjectOf(entries) if all(isinstance(entry, Entry) for entry in entries):
            pairs = {entry.key: literal_of(entry.value) for entry in entries if isinstance(entry, Entry)}
            return ... if ... in pairs.values() else pairs
    return ...


def paired(definition: Definition, nodes: list[Node]) -> Iterator[tuple[Parameter, Node]]:
    """Each argument with its parameter; the last parameter takes the rest where it takes many."""
    parameters = list(definition.parameters)
    for place, node in enumerate(nodes):
        if place < len(parameters):
            yield parameters[place], node
        elif parameters and parameters[-1].many:
            yield parameters[-1], node


def _bound(kind: Kind) -> Kind:
    """A kind with its type variables replaced by their bounds."""
    return substitute(kind, {})


def _takes_null(kind: Kind) -> bool:
    return kind.nullable or _bound(kind).name == "any"


def _arithmetic_kind(operator: str, left: str, right: str) -> Kind:
    if operator == "/":
        return DECIMAL
    if "decimal" in (left, right):
        return DECIMAL
    if "any" in (left, right) or "never" in (left, right):
        return ANY
    if operator in "+-" and "timestamp" in (left, right):
        return INT if left == right or (operator == "-" and right == "timestamp") else TIMESTAMP
    return INT


def _shown(node: Node) -> str:
    key = key_of(node)
    return f"${key}" if key else "…"


def _unknown_member(owner: Kind, node: Attribute) -> str:
    if isinstance(node.of, Variable) and node.of.name in ("input", "env"):
        return f"unknown {'input' if node.of.name == 'input' else 'environment variable'} '{node.name}'"
    return f"unknown {'column' if owner.is_record else 'field'} '{node.name}' of {owner}"


def _named(node: Node) -> str:
    key = key_of(node)
    return f"'${key}'" if key else "this"


def _comparison(node: Node, kind: Kind) -> str:
    match kind.family:
        case "number":
            return f"{_shown(node)} > 0"
        case "text":
            return f'{_shown(node)} != ""'
        case "list":
            return f"({_shown(node)} | count) > 0"
    return f"{_shown(node)} != null"


def _conversion(left: Kind, right: Kind) -> str:
    families = {left.family, right.family}
    if families == {"text", "number"}:
        return "turn one into the other's kind with | to_int, | to_decimal or | to_text"
    return ""


def _counted(number: int) -> str:
    return f"{number or 'no'} argument" + ("" if number == 1 else "s")


def _usage(definition: Definition) -> str:
    names = [parameter.name if parameter.required else f"{parameter.name}?" for parameter in definition.parameters]
    if definition.family == "filter":
        return f"… | {definition.name}" + (f"({', '.join(names[1:])})" if len(names) > 1 else "")
    return f"{definition.name}({', '.join(names)})"


_TESTS: Mapping[str, Kind] = {
    "is_text": TEXT, "is_int": INT, "is_decimal": DECIMAL,
    "is_bool": BOOL, "is_list": list_of(ANY), "is_object": OBJECT,
}  # fmt: skip
_GIVEN_HINTS = {
    "auth": "only an endpoint with 'auth:' has it",
    "index": "only a for_each gives it",
    "error": "only a catch block gives it",
    "input": "declare it under 'input:'",
}
_RULES: Mapping[type[Node], Callable[[Inference, Any, Scope], Kind]] = {
    Literal: Inference._literal,
    Template: Inference._template,
    Variable: Inference._variable,
    Column: Inference._column,
    Attribute: Inference._attribute,
    Index: Inference._index,
    ListOf: Inference._list,
    ObjectOf: Inference._object,
    Unary: Inference._unary,
    Binary: Inference._binary,
    Conditional: Inference._conditional,
    Range: Inference._range,
    Filter: Inference._filter,
    Call: Inference._call,
    Lambda: Inference._misplaced,
}
