"""The kinds of operations: what operators take, what they give, and what can never be equal or ordered."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import did_you_mean, listed
from engine.judge import Judge
from engine.narrow import narrowed_null
from engine.scope import Scope, key_of
from engine.syntax import Attribute, Binary, Filter, Literal, Node, Range, Unary
from engine.texts import bool_hint
from engine.unparse import unparse
from engine.values import (
    ANY,
    BOOL,
    DECIMAL,
    INT,
    TEXT,
    TIMESTAMP,
    Kind,
    comparable,
    conversion,
    fits,
    join,
    join_all,
    list_of,
)
from engine.wording import named, shown, which


class Operations(Judge):
    """The rules for operators."""

    def _unary(self, node: Unary, scope: Scope) -> Kind:
        if node.operator == "not":
            self.condition(node.operand, scope)
            return BOOL
        kind = self._number(node.operand, scope, "-")
        return INT if kind.name == "timestamp" else kind

    def _number(self, node: Node, scope: Scope, operator: str) -> Kind:
        kind = self.value(node, scope, f"'{operator}' needs a number")
        if not fits(kind, DECIMAL):
            hint = "join texts with ~" if operator == "+" and kind.family == "text" else ""
            hint = hint or ("turn it into a number: … | to_int, or to_decimal" if kind.family == "text" else "")
            hint = hint or which(node, kind, DECIMAL)
            self.report("SW214", f"'{operator}' needs numbers, {named(node)} is {kind}", node.span, hint)
            return ANY
        return kind

    def _binary(self, node: Binary, scope: Scope) -> Kind:
        if node.optional:
            self.droppable.add(node.right)
        match node.operator:
            case "and" | "or":
                true, false = self.condition(node.left, scope)
                known = true if node.operator == "and" else false
                self.condition(node.right, scope.with_columns_of(known) if scope.columns is not None else known)
                return BOOL
            case "??":
                return self._default(node, scope)
            case "~":
                self._check_reach(node)
                return joined_kind([self._joined(node.left, scope), self._joined(node.right, scope)])
            case "in" | "not in":
                return self._membership(node, scope)
            case "==" | "!=":
                return self._equality(node, scope)
            case "<" | "<=" | ">" | ">=":
                return self._order(node, scope)
        return self._arithmetic(node, scope)

    def _joined(self, node: Node, scope: Scope) -> Kind:
        """The kind of something that becomes a part of a text."""
        kind = self.value(node, scope, "it can't be part of a text")
        if not fits(kind, _WRITTEN):
            hint = which(node, kind, _WRITTEN) or f"write it out first: {shown(node)} | json_encode"
            self.report("SW212", f"{named(node)} is {kind}, it can't be part of a text", node.span, hint)
        return kind

    def _default(self, node: Binary, scope: Scope) -> Kind:
        left = self.infer(node.left, scope)
        right = self.infer(node.right, narrowed_null(node.left, scope, True, self.kinds))
        kind = right if left.name == "null" else join(left.present(), right)
        return kind.or_written(left) if isinstance(node.right, Literal) else kind

    def _membership(self, node: Binary, scope: Scope) -> Kind:
        left = self.infer(node.left, scope)
        right = self.value(node.right, scope, f"'{node.operator}' needs a list")
        if not fits(right, list_of(ANY)):
            hint = 'for a part of a text, write … | contains("…")' if right.family == "text" else ""
            hint = hint or which(node.right, right, list_of(ANY))
            self.report(
                "SW215",
                f"'{node.operator}' needs a list on its right, {named(node.right)} is {right}",
                node.right.span,
                hint,
            )
        elif right.item is not None and not comparable(left := self.with_values(node.left), right.item):
            self._never_equal(node, left, right.item)
        return BOOL

    def _equality(self, node: Binary, scope: Scope) -> Kind:
        self.infer(node.left, scope), self.infer(node.right, scope)
        left, right = self.with_values(node.left), self.with_values(node.right)
        if self._is_hash(node.left) or self._is_hash(node.right):
            hint = "check it with validate_password"
            self.report("SW216", "a password's column holds a hash, which equals no text", node.span, hint)
        elif not comparable(left, right) or is_no_value(left, node.right) or is_no_value(right, node.left):
            self._never_equal(node, left, right)
        elif left.name == right.name == "null" and (key_of(node.left) or "") not in ("", *scope.narrowed):
            self._always_same(node, f"{named(node.left)} is always null here")
        return BOOL

    def _always_same(self, node: Binary, why: str) -> None:
        if node is not self.closing:
            self.report("SW216", f"{why}, so this is always the same", node.span, "leave the test out")

    def _is_hash(self, node: Node) -> bool:
        """Whether `node` is the password of a record."""
        return isinstance(node, Attribute) and self.kinds[node].name == "password" and self.kinds[node.of].is_record

    def _never_equal(self, node: Binary, left: Kind, right: Kind) -> None:
        if "null" in (left.name, right.name):
            subject = node.left if right.name == "null" else node.right
            self._always_same(node, f"{named(subject)} can't be null here")
            return
        for kind, literal in ((left, node.right), (right, node.left)):
            if kind.values and isinstance(literal, Literal):
                hint = did_you_mean(str(literal.value), kind.values)
                self.report("SW216", f"'{literal.value}' is none of the values it is compared with", literal.span, hint)
                return
            if kind.name == "bool" and isinstance(literal, Literal) and (hint := bool_hint(literal.value)):
                self.report("SW216", f"{left} and {right} can never be equal", literal.span, hint)
                return
        hint = conversion(left, right)
        if left.values and right.values:
            hint = f"one is {listed([*left.values])}, the other {listed([*right.values])}"
        self.report("SW216", f"{left} and {right} can never be equal", node.span, hint)

    def _order(self, node: Binary, scope: Scope) -> Kind:
        left = self.value(node.left, scope, f"'{node.operator}' can't order null")
        right = self.value(node.right, scope, f"'{node.operator}' can't order null")
        sides = [kind for kind in (left, right) if not kind.is_open and kind.name != "never"]
        families = {each.family for kind in sides for each in kind.choices}
        if len(families) > 1:
            self._no_order(node, left, right)
        elif families - {"number", "text"}:
            self.report("SW217", f"'{node.operator}' orders numbers and texts, not {left}", node.span)
        return BOOL

    def _no_order(self, node: Binary, left: Kind, right: Kind) -> None:
        for side, kind, other in ((node.left, left, right), (node.right, right, left)):
            if kind.options:
                message = f"'{node.operator}' orders numbers or texts, {named(side)} is {kind}"
                self.report("SW217", message, side.span, which(side, kind, other))
                return
        self.report("SW217", f"{left} and {right} have no order", node.span, conversion(left, right))

    def _check_reach(self, node: Binary) -> None:
        """Warns of a filter that reaches less far than it seems to: of `$a * 100 | round`, it takes the 100."""
        right = node.right
        if isinstance(right, Filter) and isinstance(right.of, Literal) and not _is_bracketed(right):
            taken = unparse(right.of)
            called = unparse(right).removeprefix(taken)
            hint = f"write (… {node.operator} {taken}){called} for all of it"
            message = f"'{right.name}' takes {taken} alone: filters bind tighter than '{node.operator}'"
            self.report("SW221", message, right.name_span, hint, "warning")

    def _arithmetic(self, node: Binary, scope: Scope) -> Kind:
        self._check_reach(node)
        before = len(self.errors)
        left = self._number(node.left, scope, node.operator)
        self.silent += (said := len(self.errors) > before)  # two texts with a + between are one mistake
        right = self._number(node.right, scope, node.operator)
        self.silent -= said
        kind = _arithmetic_kind(node.operator, left.name, right.name).made_of(left, right)
        return kind.masked(left, right) if left.secret or right.secret else kind

    def _range(self, node: Range, scope: Scope) -> Kind:
        ends = []
        for end in (node.start, node.stop):
            kind = self.value(end, scope, "'..' needs ints")
            ends.append(kind)
            if not fits(kind, INT):
                self.report("SW214", f"'..' needs ints, {named(end)} is {kind}", end.span)
        return list_of(INT).made_of(*ends)


def _is_bracketed(node: Node) -> bool:
    """Whether its author put brackets around a node."""
    return node.span.text.line(node.span.line)[: node.span.column - 1].rstrip().endswith("(")


def joined_kind(kinds: Sequence[Kind]) -> Kind:
    """The kind of a text that parts of these kinds make."""
    secrets, text = [each for each in kinds if each.secret], TEXT.made_of(*kinds)
    return text.masked(*secrets) if secrets else text


# What can be a part of a text.
_WRITTEN = join_all([TEXT, DECIMAL, BOOL])


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


def is_no_value(kind: Kind, node: Node) -> bool:
    """Whether `node` is a text that is none of the values of an enum."""
    return (
        bool(kind.values)
        and isinstance(node, Literal)
        and isinstance(node.value, str)
        and node.value not in kind.values
    )
