"""Expressions as Python: Python's own operators where the checker proved the kinds, careful helpers elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from engine import bounds, operators, registry
from engine.applications import literal_of, paired
from engine.blame import NOTES, Notes
from engine.budget import SHORT
from engine.builders import (
    at,
    binary,
    call,
    chosen,
    compared,
    const,
    dictionary,
    is_null,
    item,
    listed,
    member,
    method,
    name,
    negated,
    not_null,
    signature,
    walrus,
)
from engine.footprint import ENTRY, ITEM, LIST, OBJECT, TEXT
from engine.intrinsics import MOST_DIGITS, WHOLE, between, inlined, is_near
from engine.registry import Definition, Parameter, substitute
from engine.syntax import (
    Attribute,
    Binary,
    Call,
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
    children,
)
from engine.values import ANY, BOOL, DECIMAL_MAX, PYTHON_TYPES, Kind, contains_secret, may_hide, reveal
from engine.written_kinds import read_kind

_ARITHMETIC: Mapping[str, tuple[type[ast.operator], Callable[..., object]]] = {
    "+": (ast.Add, operators.add),
    "-": (ast.Sub, operators.subtract),
    "*": (ast.Mult, operators.multiply),
    "/": (ast.Div, operators.divide),
    "%": (ast.Mod, operators.remainder),
}
_ORDERS: Mapping[str, tuple[type[ast.cmpop], Callable[..., object], bool]] = {
    "<": (ast.Lt, operators.less, False),
    ">": (ast.Gt, operators.less, True),
    "<=": (ast.LtE, operators.less_or_equal, False),
    ">=": (ast.GtE, operators.less_or_equal, True),
}
COMPACT = 2**30 - 1  # Python compares ints up to here far faster than larger ones
ENDLESS = 16  # places of one value in another, past which it is counted before it is written
_MOST_GROWTH = 8
# Kinds of texts whose length nobody bounds.
_LONG_TEXTS = frozenset({"text", "any", "password"})
# Families that Python itself compares as the language does.
_NATIVE = frozenset({"number", "text", "bool", "null"})


class Names:
    """The globals of compiled code: every constant that isn't Python's own literal is bound, never printed."""

    def __init__(self) -> None:
        self.bound: dict[str, object] = {}
        self._known: dict[int, str] = {}

    def bind(self, value: object, hint: str = "k") -> ast.expr:
        """A name for `value`, the same one each time."""
        known = self._known.get(id(value))
        if known is None:
            label = "".join(letter if letter.isalnum() else "_" for letter in hint)
            known = label if label not in self.bound and not label.startswith("v_") else f"{label}_{len(self.bound)}"
            self.bound[known] = value
            self._known[id(value)] = known
        return name(known)


class ExpressionLowering:
    """Lowers expressions of one stack, whose nodes have the kinds in `kinds`."""

    def __init__(self, kinds: Mapping[Node, Kind], names: Names) -> None:
        self.kinds, self.names = kinds, names
        self.notes = names.bound[NOTES] = Notes(self.kind)
        self.repeats = 0  # the loops and lambdas around what is being lowered
        self.walks = False  # whether it may compute for long, so that others must be let go on
        self._growth = 1  # how much longer than what the stack was given a text may be
        self.sharing = 1  # how often a value can be within another, as far as literals put it there
        self._closures: list[Closure] = []  # the lambdas around it
        self._temporaries = 0

    def kind(self, node: Node) -> Kind:
        return self.kinds.get(node, ANY)

    def temporary(self) -> str:
        self._temporaries += 1
        return f"t_{self._temporaries}"

    def helper(self, function: Callable[..., object], *arguments: ast.expr) -> ast.expr:
        """A call of a helper by its own name."""
        return call(self.names.bind(function, function.__name__.rstrip("_")), *arguments)

    def lower(self, node: Node) -> ast.expr:
        """The Python of `node`; where its kind is secret, what it gives is a `Secret`."""
        rule: Callable[[Any], ast.expr] = getattr(self, _RULES[type(node)])
        self.notes.operation(node)
        return at(node.span, rule(node))

    def revealed(self, node: Node) -> ast.expr:
        """The Python of `node`, unmasked where it is masked: what is secret on one way may be plain on others."""
        lowered = self.lower(node)
        return at(node.span, self._reveal(lowered)) if self.kind(node).secret else lowered

    def bared(self, node: Node) -> ast.expr:
        """The Python of `node`, unmasked with all that is in it."""
        lowered = self.revealed(node)
        return at(node.span, self.helper(bounds.bare, lowered)) if may_hide(self.kind(node)) else lowered

    def _reveal(self, value: ast.expr) -> ast.expr:
        return self.helper(reveal, value)

    def masked(self, kind: Kind, value: ast.expr) -> ast.expr:
        """`value` under a mask where `kind` says it is secret."""
        return self.helper(operators.secret, value) if kind.secret else value

    def condition(self, node: Node) -> ast.expr:
        """The Python of a condition: true or false, never anything else."""
        lowered = self.revealed(node)
        return lowered if self.kind(node).name == "bool" else at(node.span, self.helper(operators.truth, lowered))

    def _literal(self, node: Literal) -> ast.expr:
        return const(node.value)

    def _template(self, node: Template) -> ast.expr:
        return self.masked(self.kind(node), self._joined(node.parts))

    def _joined(self, nodes: Sequence[Node]) -> ast.expr:
        """The parts as one text. What is joined again and again could double each time: there it is bounded."""
        if self.repeats:
            self.walks = True
            return self.helper(operators.joined, name("run"), *map(self._text, nodes))
        texts = (self.revealed(node) if self._is_number(node) else self._text(node) for node in nodes)
        return self._bounded_text(ast.JoinedStr([_part(each) for each in texts]), nodes)

    def _bounded_text(self, text: ast.expr, parts: Sequence[Node]) -> ast.expr:
        """A text made of others. Some such steps, one after the other, can double it far: then it is looked at."""
        count = sum(self.kind(each).name in _LONG_TEXTS and not isinstance(each, Literal) for each in parts)
        self._growth *= max(count, 1)
        if count < 2 or self._growth <= _MOST_GROWTH:
            return text
        held = self.temporary()
        is_short = compared(call("len", walrus(held, text)), ast.LtE(), const(SHORT))
        return chosen(is_short, name(held), method(name("run"), "bounded", name(held)))

    def _text(self, node: Node) -> ast.expr:
        lowered = self.revealed(node)
        return lowered if self.kind(node).family == "text" else self.helper(operators.text_of, lowered)

    def _variable(self, node: Variable) -> ast.expr:
        return name(f"v_{node.name}")

    def _attribute(self, node: Attribute) -> ast.expr:
        owner, kind = self.kind(node.of), self.kind(node)
        lowered = self.revealed(node.of)
        if owner.is_record and self._is_beside(owner, node.name):
            helper = operators.optional_secret_attribute if node.optional else operators.secret_attribute
            value = self.helper(helper, lowered, const(node.name))
            return value if kind.secret else self._reveal(value)
        if node.optional:
            return self.masked(kind, self.helper(operators.optional_attribute, lowered, const(node.name)))
        known = owner.fields is not None and node.name in owner.fields and node.name not in owner.optional
        if known and not owner.secret:
            return item(lowered, const(node.name))
        if owner.fields is not None and node.name in owner.optional:
            return method(lowered, "get", const(node.name))
        value = self.helper(operators.attribute, lowered, const(node.name))
        return self.masked(kind, value) if owner.secret else value

    def _is_beside(self, record: Kind, name: object) -> bool:
        return isinstance(name, str) and (record.fields or {}).get(name, ANY).secret

    def _index(self, node: Index) -> ast.expr:
        owner, kind = self.kind(node.of), self.kind(node)
        if owner.is_record and isinstance(node.index, Literal) and self._is_beside(owner, node.index.value):
            beside = operators.optional_secret_attribute if node.optional else operators.secret_attribute
            value = self.helper(beside, self.revealed(node.of), self.lower(node.index))
            return value if kind.secret else self._reveal(value)
        may_lack = isinstance(node.index, Literal) and node.index.value in owner.optional
        helper = operators.optional_element if node.optional or may_lack else operators.element
        function, given = self.names.bind(helper, helper.__name__), [self.revealed(node.of), self.revealed(node.index)]
        return self.masked(kind, self._discreet("[…]", function, given, [node.index]))

    def may_share(self, nodes: Iterable[Node]) -> None:
        """Notes that several values are put into one: the same, it may be, which do so again doubles it."""
        self.shared(sum(may_hold(self.kind(each)) for each in nodes))

    def shared(self, count: int) -> None:
        if count > 1:
            self.sharing = ENDLESS if self.repeats else min(ENDLESS, self.sharing * count)

    def _list(self, node: ListOf) -> ast.expr:
        self.may_share(node.items)
        return listed(self._list_item(each) for each in node.items)

    def _list_item(self, node: Node) -> ast.expr:
        if isinstance(node, Spread):
            self.walks = True
            return ast.Starred(self.helper(operators.spread_list, name("run"), self.revealed(node.of)), ast.Load())
        return self.lower(node)

    def _object(self, node: ObjectOf) -> ast.expr:
        self.may_share(each.value if isinstance(each, Entry) else each for each in node.entries)
        return self.masked(self.kind(node), dictionary(map(self._entry, node.entries)))

    def _entry(self, entry: Entry | Spread) -> tuple[ast.expr | None, ast.expr]:
        if isinstance(entry, Spread):
            known = self.kind(entry.of)
            lowered = self.revealed(entry.of)
            proven = known.name == "object" and not known.nullable
            spread = lowered if proven else self.helper(operators.spread_object, lowered)
            return None, self.budget("paid", spread) if self.repeats else spread
        return const(entry.key), self.lower(entry.value)

    def _unary(self, node: Unary) -> ast.expr:
        if node.operator == "not":
            return negated(self.condition(node.operand))
        operand = self.revealed(node.operand)
        if self._is_number(node.operand):
            turned = ast.UnaryOp(ast.USub(), operand)
            if self.kind(node).name == "int" and not isinstance(node.operand, Literal):  # the least int has no other
                return self.masked(self.kind(node), self._where(partial(between, COMPACT), turned, bounds.integer))
            return self.masked(self.kind(node), turned)
        return self.masked(self.kind(node), self.helper(operators.negate, operand))

    def _is_number(self, *nodes: Node) -> bool:
        return all(self.kind(node).family == "number" and not self.kind(node).nullable for node in nodes)

    def _binary(self, node: Binary) -> ast.expr:
        match node.operator:
            case "and" | "or":
                joiner = ast.And() if node.operator == "and" else ast.Or()
                return ast.BoolOp(joiner, [self.condition(node.left), self.condition(node.right)])
            case "??":
                return self._default(node)
            case "~":
                return self.masked(self.kind(node), self._joined([node.left, node.right]))
            case "in" | "not in":
                return self._membership(node)
            case "==" | "!=":
                return self._equality(node)
            case "<" | "<=" | ">" | ">=":
                return self._order(node)
        return self.masked(self.kind(node), self._arithmetic(node))

    def _default(self, node: Binary) -> ast.expr:
        left = self.lower(node.left)
        if isinstance(left, ast.Name):
            return chosen(not_null(left), left, self.lower(node.right))
        held = self.temporary()
        return chosen(not_null(walrus(held, left)), name(held), self.lower(node.right))

    def _membership(self, node: Binary) -> ast.expr:
        found = self._found(node.left, node.right)
        return found if node.operator == "in" else negated(found)

    def _found(self, value: Node, items: Node) -> ast.expr:
        """Whether a list holds a value."""
        left = self.revealed(value)
        if self._is_native(value, items):
            return compared(left, ast.In(), self._searched(items))
        self.walks = True
        return self.helper(operators.member, left, self.revealed(items))

    def _is_native(self, value: Node, items: Node) -> bool:
        """Whether Python finds a value in a list as the language does."""
        known = self.kind(items)
        item = known.item or ANY
        native = self.kind(value).family == item.family and item.family in ("text", "number")
        return native and known.name == "list" and not known.secret and not contains_secret(item)

    def _searched(self, items: Node) -> ast.expr:
        """A list to look for something in: within a lambda that doesn't change it, it is made a set once."""
        if not self.repeats or isinstance(items, ListOf):
            return self.revealed(items)
        variable, names = _path(items)
        bound = [variable in closure.parameters for closure in self._closures]
        outermost = len(bound) - bound[::-1].index(True) if True in bound else 0
        if not variable or variable == "auth" or outermost == len(bound):
            return self.budget("scanned", self.revealed(items))
        return self._closures[outermost].kept(self, [name(f"v_{variable}"), *map(const, names)])

    def budget(self, action: str, *arguments: ast.expr) -> ast.expr:
        """A call of what the run's budget can do."""
        self.walks = True
        return method(name("run"), action, *arguments)

    def _equality(self, node: Binary) -> ast.expr:
        equal = node.operator == "=="
        for subject, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, Literal) and other.value is None:
                return is_null(self.lower(subject)) if equal else not_null(self.lower(subject))
        left, right = self.kind(node.left), self.kind(node.right)
        if left.secret or right.secret or not {left.family, right.family} <= _NATIVE:
            self.walks = self.walks or not {left.family, right.family} & _NATIVE
            result = self.helper(operators.equal, self.lower(node.left), self.lower(node.right))
            return result if equal else negated(result)
        operator: ast.cmpop = ast.Eq() if equal else ast.NotEq()
        return compared(self.lower(node.left), operator, self.lower(node.right))

    def _order(self, node: Binary) -> ast.expr:
        operator, helper, turned = _ORDERS[node.operator]
        left, right = self.revealed(node.left), self.revealed(node.right)
        kinds = {self.kind(node.left).family, self.kind(node.right).family}
        if len(kinds) == 1 and kinds <= {"number", "text"}:
            return compared(left, operator(), right)
        return self.helper(helper, right, left) if turned else self.helper(helper, left, right)

    def _arithmetic(self, node: Binary) -> ast.expr:
        if self._is_sum(node):
            return self._bounded(node, self._sum(node))
        operator, helper = _ARITHMETIC[node.operator]
        left, right = self.revealed(node.left), self.revealed(node.right)
        if not self._is_number(node.left, node.right):
            return self.helper(helper, left, right)
        divisor = literal_of(node.right)
        match node.operator:
            case "/" if isinstance(divisor, int | float) and abs(divisor) >= 1:
                return binary(left, operator(), right)
            case "%" if isinstance(divisor, int) and divisor > 0:
                held = self.temporary()
                positive = compared(walrus(held, left), ast.GtE(), const(0))
                rest = binary(name(held), operator(), right)
                return chosen(positive, rest, self.helper(helper, name(held), right))
        return self.helper(helper, left, right)

    def _is_sum(self, node: Node) -> bool:
        """Whether it adds, subtracts or multiplies what is known to be numbers."""
        return isinstance(node, Binary) and node.operator in "+-*" and self._is_number(node.left, node.right)

    def _sum(self, node: Binary) -> ast.expr:
        operator, _ = _ARITHMETIC[node.operator]
        return binary(self._term(node.left), operator(), self._term(node.right))

    def _term(self, node: Node) -> ast.expr:
        """A part of a sum. Decimals within it need no bound of their own: what isn't finite makes nothing that is."""
        if isinstance(node, Binary) and self._is_unbounded(node):
            return at(node.span, self._sum(node))
        return self.revealed(node)

    def _is_unbounded(self, node: Node) -> bool:
        return self._is_sum(node) and self.kind(node).name == "decimal" and not self.kind(node).secret

    def _bounded(self, node: Binary, result: ast.expr) -> ast.expr:
        """Ints stay within 64 bits and decimals finite: JSON and storages know nothing else."""
        is_decimal = self.kind(node).name == "decimal"
        if is_decimal and not self._may_overflow(node):
            return result
        if is_decimal:
            return self._where(partial(between, DECIMAL_MAX), result, operators.bounded)
        return self._where(partial(_compact, node), result, bounds.integer)

    def _where(
        self, test: Callable[[ast.expr], ast.expr], value: ast.expr, otherwise: Callable[..., object]
    ) -> ast.expr:
        """`value` where a test of it holds, else what a helper makes of it."""
        held = self.temporary()
        return chosen(test(walrus(held, value)), name(held), self.helper(otherwise, name(held)))

    def _may_overflow(self, node: Binary) -> bool:
        """Whether a decimal result can leave the finite: a product can't by a factor of at most one."""
        if node.operator != "*" or self._is_unbounded(node.left) or self._is_unbounded(node.right):
            return True
        factors = (literal_of(node.left), literal_of(node.right))
        return not any(isinstance(factor, int | float) and abs(factor) <= 1 for factor in factors)

    def _conditional(self, node: Conditional) -> ast.expr:
        return chosen(self.condition(node.test), self.lower(node.then), self.lower(node.otherwise))

    def span(self, node: Range) -> ast.expr:
        """What a loop over a range walks."""
        return self.helper(operators.int_span, self.revealed(node.start), self.revealed(node.stop))

    def _range(self, node: Range) -> ast.expr:
        self.walks = True
        return self.helper(operators.int_range, name("run"), self.revealed(node.start), self.revealed(node.stop))

    def _filter(self, node: Filter) -> ast.expr:
        return self._applied(registry.filters()[node.name], [node.of, *node.arguments], node)

    def _call(self, node: Call) -> ast.expr:
        return self._applied(registry.functions()[node.name], node.arguments, node)

    def _applied(self, definition: Definition, nodes: list[Node], node: Node) -> ast.expr:
        inline = inlined(definition.name, [self.kind(each) for each in nodes])
        if inline is not None and definition.family == "filter":
            subject, *rest = map(self.lower, nodes)
            if not self.repeats or self.kind(nodes[0]).family != "text":
                return inline(subject, *rest)
            made = inline(self.budget("paid", subject), *rest)
            return self.budget("weighed", made) if self.kind(node).family == "text" else made
        if definition.name == "contains" and self._is_native(nodes[1], nodes[0]):
            return self._found(nodes[1], nodes[0])
        if definition.name in WHOLE and definition.family == "filter" and self._is_number(*nodes):
            whole = self.helper(WHOLE[definition.name], self.revealed(nodes[0]))
            return self.masked(self.kind(node), self._where(partial(between, COMPACT), whole, bounds.integer))
        if definition.name == "round" and definition.family == "filter" and self._is_rounded_apart(nodes):
            return self._rounded(definition, *nodes)
        self.may_share(each.body if isinstance(each, Lambda) else each for each in nodes)
        looks_into = self.kind(node).secret or self.kind(node).name == "bool"
        arguments = [
            self._argument(definition, parameter, each, looks_into) for parameter, each in paired(definition, nodes)
        ]
        function: ast.expr = self.names.bind(definition.call, definition.name)
        if any(isinstance(each, Lambda) for each in nodes):
            arguments[0] = self.budget("walked", arguments[0], const(sum(map(_bytes, nodes))))
        elif definition.charges:
            self.walks = True
            function, arguments = member(name("run"), "applied"), [function, *arguments]
        elif definition.takes_run:
            arguments = [name("run"), *arguments]
        return self.masked(self.kind(node), self._discreet(definition.name, function, arguments, nodes))

    def _is_rounded_apart(self, nodes: Sequence[Node]) -> bool:
        """Whether a plain decimal is rounded to a few digits that are written out."""
        digits = literal_of(nodes[1]) if len(nodes) > 1 else 0
        number = self.kind(nodes[0])
        is_plain = number.name == "decimal" and not (number.nullable or number.secret)
        return is_plain and isinstance(digits, int) and 0 <= digits <= MOST_DIGITS

    def _rounded(self, definition: Definition, number: Node, digits: Node | None = None) -> ast.expr:
        """What Python rounds to, unless it is half way or too large."""
        value, near = self.lower(number), self.temporary()
        held = value.id if isinstance(value, ast.Name) else self.temporary()
        value = name(held) if isinstance(value, ast.Name) else walrus(held, value)
        count = literal_of(digits) if digits is not None else 0
        given = [name(held), *([const(count)] if count else [])]
        rounded = walrus(near, call(self.names.bind(round, "nearest"), *given))
        test = is_near(value, binary(name(held), ast.Sub(), rounded), count)
        by_filter = call(self.names.bind(definition.call, definition.name), *given)
        # Adding 0 makes a negative zero one, and leaves an int an int.
        return chosen(test, binary(name(near), ast.Add(), const(0)), by_filter)

    def _discreet(
        self, name: str, function: ast.expr, arguments: Sequence[ast.expr], nodes: Sequence[Node]
    ) -> ast.expr:
        """A call of what may quote its arguments where it faults."""
        if any(contains_secret(self.kind(each)) for each in nodes):
            return self.helper(operators.discreet, const(name), function, *arguments)
        return call(function, *arguments)

    def _argument(self, definition: Definition, parameter: Parameter, node: Node, looks_into: bool) -> ast.expr:
        """An argument, unmasked; also within, where the result is secret as a whole or only a bool."""
        if isinstance(node, Lambda):
            return at(node.span, self._lambda(parameter, node))
        if parameter.syntax == "kind":
            return self.names.bind(read_kind(literal_of(node)), "kind")
        lowered = self.lower(node) if parameter.secret else self.bared(node) if looks_into else self.revealed(node)
        return at(node.span, self.proven(parameter, node, lowered, f"'{definition.name}' needs its {parameter.name}"))

    def proven(self, parameter: Parameter, node: Node, lowered: ast.expr, what: str) -> ast.expr:
        """`lowered`, tested at run time where the checker could not prove that the parameter takes it."""
        wanted, given = substitute(parameter.kind, {}), self.kind(node)
        types = PYTHON_TYPES.get(wanted.name)
        if types is None or not (given.is_open or given.name == "never") or parameter.secret:
            return lowered
        bound = self.names.bind(types, f"types_{wanted.name}")
        return self.helper(operators.as_kind, lowered, bound, const(wanted.nullable), const(f"{what}, {wanted}"))

    def _lambda(self, parameter: Parameter, node: Lambda) -> ast.expr:
        returns_bool = parameter.callback is not None and parameter.callback[1] == BOOL
        self.repeats += 1
        self._closures.append(closure := Closure(node.parameters))
        body = self.condition(node.body) if returns_bool else self.lower(node.body)
        self._closures.pop()
        self.repeats -= 1
        parameters = [*(f"v_{each}" for each in node.parameters), *closure.sets]
        return ast.Lambda(signature(parameters, list(closure.sets.values())), body)


class Closure:
    """A lambda that is being lowered: its parameters, and the sets that are made of lists once, when it is made."""

    def __init__(self, parameters: Sequence[str]) -> None:
        self.parameters = parameters
        self.sets: dict[str, ast.expr] = {}

    def kept(self, lowering: ExpressionLowering, path: Sequence[ast.expr]) -> ast.expr:
        """The set of what is in the list at a path."""
        made = lowering.helper(operators.sought, name("run"), *path)
        text = ast.dump(made)
        held = next((each for each, other in self.sets.items() if ast.dump(other) == text), None)
        if held is None:
            held = lowering.temporary()
            self.sets[held] = made
        return name(held)


def may_hold(kind: Kind) -> bool:
    """Whether values of a kind may hold others."""
    return any(each.name in ("list", "object", "any") for each in kind.choices)


def may_be_long(kind: Kind) -> bool:
    """Whether values of a kind may hold any number of others."""
    if kind.fields is None or kind.name in ("list", "any") or kind.options:
        return may_hold(kind)
    return any(map(may_be_long, kind.fields.values()))


def _path(node: Node) -> tuple[str, list[str]]:
    """The variable and the names of fields that lead to a value; no variable where something else does."""
    names: list[str] = []
    while isinstance(node, Attribute):
        names.insert(0, node.name)
        node = node.of
    return (node.name if isinstance(node, Variable) else ""), names


def _bytes(node: Node) -> int:
    """About how many bytes each call of a lambda makes of what is written in it, those of lambdas in it aside."""
    inner = sum(_bytes(each) for each in children(node) if not isinstance(each, Lambda))
    match node:
        case ListOf(items):
            return inner + LIST + ITEM * len(items)
        case ObjectOf(entries):
            return inner + OBJECT + ENTRY * max(0, len(entries) - 5)
        case Template():
            return inner + TEXT
    return inner


def _compact(node: Binary, value: ast.expr) -> ast.expr:
    """Whether an int is surely within its bounds. One that a literal was added to can leave them on one side only."""
    step = literal_of(node.right)
    if not isinstance(step, int) or node.operator == "*":
        return between(COMPACT, value)
    grows = (step > 0) == (node.operator == "+")
    return compared(value, ast.LtE(), const(COMPACT)) if grows else compared(value, ast.GtE(), const(-COMPACT))


def _part(value: ast.expr) -> ast.expr:
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return value if is_text else ast.FormattedValue(value, -1)


# By name, so that a lowering of whole stacks can refine a rule.
_RULES: Mapping[type[Node], str] = {
    Literal: "_literal",
    Template: "_template",
    Variable: "_variable",
    Attribute: "_attribute",
    Index: "_index",
    ListOf: "_list",
    ObjectOf: "_object",
    Unary: "_unary",
    Binary: "_binary",
    Conditional: "_conditional",
    Range: "_range",
    Filter: "_filter",
    Call: "_call",
}
