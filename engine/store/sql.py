"""A `where` as SQL: text that is settled at load, with every value bound, meaning what the expression means.

Truth is two-valued in our language and three-valued in SQL. A condition that is unknown counts as false where it
is asked, so only what stands under a `not` must be made exact; indexes go on being used elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from engine.errors import Problem, Problems, Span, did_you_mean
from engine.store import bind
from engine.store.base import Condition, Convert, Kinds, quoted
from engine.syntax import (
    Binary,
    Column,
    Filter,
    ListOf,
    Literal,
    Node,
    Spread,
    Unary,
    walk,
)
from engine.values import ANY, BOOL, DECIMAL, INT, TEXT, Kind, kind_of
from engine.workspace import Table

EQUALITIES = ("==", "!=")
ORDERS = ("<", "<=", ">", ">=")
ARITHMETIC = ("+", "-", "*")
_AHEAD = "compute it in a `set` step before, or compare a column with it"


@dataclass(frozen=True)
class Dialect:
    """How a storage spells what standard SQL can't: templates with `{0}` and `{1}`.

    `parameter` is the numbered placeholder of a value of a kind that meets a target, `list_parameter` that of a list.
    `same` is an equality that takes null for a value, `member` whether a value is in a bound list, `has_null` whether
    that list holds null, `element` whether a list column holds a value. `nothing` is a value that no column is equal
    to; where there is none, a value whose kind only shows when it runs is bound as a list of one or none.
    """

    parameter: Callable[[int, Kind, Kind], str]
    list_parameter: Callable[[int, Kind], str]
    true: str
    false: str
    is_true: str
    same: str
    differs: str
    member: str
    has_null: str
    element: str
    tests: Mapping[str, str]
    length: str
    bind_list: Callable[[list[object], Kind], object]
    nothing: object | None


@dataclass(frozen=True)
class Term:
    """A value as SQL, and what is known of it; `is_listed` where it is a list of that value or of none."""

    sql: str
    kind: Kind
    is_listed: bool = False

    @property
    def nullable(self) -> bool:
        return self.kind.nullable or self.kind.name in ("any", "null")


_LOST = Term("NULL", ANY)  # stands where a problem was found


def compile_where(node: Node, table: Table, kinds: Kinds, dialect: Dialect) -> Condition:
    """The condition that an expression over a table's columns is.

    `kinds` says what is known of the parts without columns, which become parameters. Raises `Problems` (SW300 to
    SW306) with everything that can't be asked of a database.
    """
    where = _Where(table, kinds.get if isinstance(kinds, Mapping) else kinds, dialect)
    sql = where.condition(node, exact=False)
    if where.problems:
        raise Problems(where.problems)
    single = _is_single(node, table, where.known)
    return Condition(sql, tuple(where.parameters), tuple(where.converts), tuple(where.names), single)


class _Where:
    def __init__(self, table: Table, kinds: Callable[[Node], Kind | None], dialect: Dialect) -> None:
        self.table, self.kinds, self.dialect = table, kinds, dialect
        self.problems: list[Problem] = []
        self.parameters: list[Node] = []
        self.converts: list[Convert | None] = []
        self.names: list[str] = []

    # Conditions. `exact` ones are true or false; others may be unknown in place of false.

    def condition(self, node: Node, exact: bool) -> str:
        if isinstance(node, Literal) and isinstance(node.value, bool):
            return self.dialect.true if node.value else self.dialect.false
        if _is_given(node):
            return self.truth(self.parameter(node, BOOL, ordered=True), exact=True)
        match node:
            case Binary(operator="and" | "or"):
                left, right = self.condition(node.left, exact), self.condition(node.right, exact)
                return f"({left} {node.operator.upper()} {right})"
            case Unary(operator="not"):
                return f"(NOT {self.condition(node.operand, exact=True)})"
            case Binary(operator="in" | "not in"):
                return self.membership(node, exact)
            case Binary(operator=operator) if operator in (*EQUALITIES, *ORDERS):
                return self.comparison(node, exact)
            case Filter(name=name) if name in self.dialect.tests:
                return self.test(node, exact)
        return self.truth(self.term(node), exact, node)

    def truth(self, term: Term, exact: bool, node: Node | None = None) -> str:
        if term.kind.name not in ("bool", "any") and node is not None:
            message = f"{self.label(node)} is {term.kind}, a condition is a bool"
            self.problem("SW305", message, node.span, "compare it with something, as in `… == $input.value`")
        return self.dialect.is_true.format(term.sql) if exact else f"{term.sql} = {self.dialect.true}"

    def comparison(self, node: Binary, exact: bool) -> str:
        null = next(
            (side for side in (node.right, node.left) if isinstance(side, Literal) and side.value is None), None
        )
        if null is not None and not node.optional and node.operator in EQUALITIES:
            return self.null_test(node.left if null is node.right else node.right, node.operator)
        left, right = self.sides(node)
        if not self.comparable(node, left, right):
            return self.dialect.false
        compared = replace(right, kind=right.kind.present()) if node.optional else right
        return self.optional(node, right, self.compared(node.operator, left, compared, exact))

    def null_test(self, node: Node, operator: str) -> str:
        term = self.term(node, any_kind=True)
        return f"({term.sql} IS {'NOT ' if operator == '!=' else ''}NULL)"

    def compared(self, operator: str, left: Term, right: Term, exact: bool) -> str:
        if left.is_listed or right.is_listed:
            value, given = (left, right) if right.is_listed else (right, left)
            sql = self.listed(value, given, given.kind, exact or operator == "!=")
            return f"(NOT {sql})" if operator == "!=" else sql
        nulls = left.nullable + right.nullable
        if operator == "!=":
            return f"({(self.dialect.differs if nulls else '{0} <> {1}').format(left.sql, right.sql)})"
        if operator == "==" and nulls == 2:
            return self.exactly(f"({self.dialect.same.format(left.sql, right.sql)})", exact)
        return self.exactly(f"({left.sql} {'=' if operator == '==' else operator} {right.sql})", nulls > 0 and exact)

    def exactly(self, sql: str, unknown: bool) -> str:
        return f"({self.dialect.is_true.format(sql)})" if unknown else sql

    def optional(self, node: Binary, right: Term, sql: str) -> str:
        """A comparison, dropped where it is optional and its right side null."""
        return f"({right.sql} IS NULL OR {sql})" if node.optional else sql

    def sides(self, node: Binary) -> tuple[Term, Term]:
        """Both sides of a comparison; a side that is given is bound as what the other side is."""
        ordered = node.operator in ORDERS
        if _has_column(node.left):
            left = self.term(node.left)
            return left, self.counterpart(node.right, left.kind, self.label(node.left), node)
        if _has_column(node.right):
            right = self.term(node.right)
            return self.counterpart(node.left, right.kind, self.label(node.right), node), right
        kind = self.known(node.left)
        kind = self.known(node.right) if kind.is_open else kind
        return self.operand(node.left, kind, ordered), self.operand(node.right, kind, ordered)

    def counterpart(self, node: Node, target: Kind, label: str, of: Binary) -> Term:
        """What a side with a column is compared with in `of`."""
        if _has_column(node) or of.operator in ORDERS or self.dialect.nothing is not None:
            return self.operand(node, target, of.operator in ORDERS, label)
        kind = self.known(node)
        if bind.scalar(kind, target, label, False, None) is None:
            return self.parameter(node, target, label)
        convert = bind.alone(kind, target, label, of.optional, self.dialect.bind_list)
        return self.bind(node, kind, convert, label, target, is_listed=True)

    def comparable(self, node: Binary, left: Term, right: Term) -> bool:
        families = {term.kind.family for term in (left, right)} - {"any", "null", "never"}
        odd = families - ({"number", "text"} if node.operator in ORDERS else set(bind.SCALARS))
        if not odd and len(families) < 2:
            return True
        message = f"'{node.operator}' can't compare {left.kind.present()} with {right.kind.present()} in a where"
        if not self.problems:
            self.problem(
                "SW304", message, node.operator_span, "a column is compared with a value of its own kind, or with null"
            )
        return False

    def membership(self, node: Binary, exact: bool) -> str:
        negated = node.operator == "not in"
        sql, right = self.member(node, exact or negated)
        return self.optional(node, right, f"(NOT {sql})" if negated else sql)

    def member(self, node: Binary, exact: bool) -> tuple[str, Term]:
        if isinstance(node.right, ListOf) and _has_column(node.right):
            return self.member_of_written(node, node.right, exact), _LOST
        left = self.term(node.left) if _has_column(node.left) else None
        if left is not None and _is_given(node.right):
            return self.member_of_given(node, left, exact)
        if left is None and isinstance(node.right, Column):
            return self.element(node, node.right, exact)
        self.refuse(node, f"'{node.operator}' over these columns")
        return self.dialect.false, _LOST

    def member_of_given(self, node: Binary, left: Term, exact: bool) -> tuple[str, Term]:
        right = self.list_parameter(node.right, left.kind, self.label(node.left), node.optional)
        return self.listed(left, right, right.kind.item or ANY, exact), right

    def listed(self, left: Term, right: Term, item: Kind, exact: bool) -> str:
        """Whether a value is in a list of items of a kind."""
        nulls = item.nullable or item.name in ("any", "null")
        sql = self.exactly(f"({self.dialect.member.format(left.sql, right.sql)})", exact and (left.nullable or nulls))
        if left.nullable and nulls:
            sql = f"({sql} OR ({left.sql} IS NULL AND {self.dialect.has_null.format(right.sql)}))"
        return sql

    def member_of_written(self, node: Binary, right: ListOf, exact: bool) -> str:
        """`x in [a, $b]` is `x == a or x == $b`."""
        if node.optional or any(isinstance(item, Spread) for item in right.items):
            self.refuse(node, f"'{node.operator}' over these columns")
            return self.dialect.false
        equal = [Binary("==", node.left, item, False, node.operator_span, node.span) for item in right.items]
        return f"({' OR '.join(self.comparison(each, exact) for each in equal)})"

    def element(self, node: Binary, column: Column, exact: bool) -> tuple[str, Term]:
        """`$x in tags`, for a column that is a list."""
        term = self.term(column, any_kind=True)
        item = term.kind.item or ANY
        if term.kind.name != "list" or item.family not in bind.SCALARS:
            self.refuse(node, f"'{node.operator}' over {term.kind}")
            return self.dialect.false, term
        value = self.operand(node.left, item, ordered=False, label=self.label(column))
        return f"({self.dialect.element.format(term.sql, value.sql)})", term

    def test(self, node: Filter, exact: bool) -> str:
        """`name | starts_with($x)` and its like, case-sensitive as the filters are."""
        if node.name == "contains" and isinstance(node.of, Column) and self.column(node.of).kind.name == "list":
            inside = Binary("in", node.arguments[0], node.of, False, node.name_span, node.span)
            return self.element(inside, node.of, exact)[0]
        of, argument = (self.text(part, node) for part in (node.of, *node.arguments[:1]))
        sql = f"({self.dialect.tests[node.name].format(of.sql, argument.sql)})"
        return self.exactly(sql, exact and (of.nullable or argument.nullable))

    # Values.

    def term(self, node: Node, *, any_kind: bool = False) -> Term:
        """A value with a column in it; `any_kind` also takes lists and objects, for null tests."""
        match node:
            case Column():
                term = self.column(node)
                if not any_kind and term is not _LOST and term.kind.family not in bind.SCALARS:
                    self.refuse_kind(node, term)
                return term
            case Binary(operator=operator) if operator in ARITHMETIC:
                return self.arithmetic(node)
            case Binary(operator="~"):
                return self.joined(node)
            case Binary(operator="??"):
                return self.coalesced(node)
            case Unary(operator="-"):
                operand = self.number(node.operand, node)
                return Term(f"(- {operand.sql})", operand.kind)
            case Filter(name="strlen"):
                of = self.text(node.of, node)
                return Term(self.dialect.length.format(of.sql), replace(INT, nullable=of.nullable))
            case _ if _is_given(node):
                return self.parameter(node, ANY)
        self.refuse(node, _SAID.get(type(node).__name__, "this").format(node=node))
        return _LOST

    def column(self, node: Column) -> Term:
        column = self.table.columns.get(node.name)
        if column is None:
            known = [name for name in self.table.columns if name not in self.table.secrets]
            message = f"'{self.table.name}' has no column '{node.name}'"
            return self.problem("SW300", message, node.span, did_you_mean(node.name, known))
        if column.is_secret:
            hint = "get the record by another column, then check with `validate_password` or a precondition"
            return self.problem("SW301", f"the secret column '{node.name}' can't be in a where", node.span, hint)
        return Term(quoted(node.name), column.kind)

    def arithmetic(self, node: Binary) -> Term:
        left, right = self.number(node.left, node), self.number(node.right, node)
        kind = DECIMAL if "decimal" in (left.kind.name, right.kind.name) else INT
        return Term(
            f"({left.sql} {node.operator} {right.sql})", replace(kind, nullable=left.nullable or right.nullable)
        )

    def joined(self, node: Binary) -> Term:
        left, right = self.text(node.left, node), self.text(node.right, node)
        return Term(f"({left.sql} || {right.sql})", replace(TEXT, nullable=left.nullable or right.nullable))

    def coalesced(self, node: Binary) -> Term:
        left = self.term(node.left)
        right = self.operand(node.right, left.kind, ordered=True, label=self.label(node.left))
        kind = left.kind if right.nullable else left.kind.present()
        return Term(f"coalesce({left.sql}, {right.sql})", kind)

    def number(self, node: Node, of: Node) -> Term:
        return self.only(node, DECIMAL, of)

    def text(self, node: Node, of: Node) -> Term:
        return self.only(node, TEXT, of)

    def only(self, node: Node, kind: Kind, of: Node) -> Term:
        """A part of `of`, which must be of the family of `kind`."""
        term = self.operand(node, kind, ordered=True, label=self.label(of))
        if term.kind.family not in (kind.family, "any") and term is not _LOST:
            self.problem("SW304", f"{self.label(node)} is {term.kind.present()}, {kind.label} is needed", node.span)
        return term

    def operand(self, node: Node, target: Kind, ordered: bool, label: str = "") -> Term:
        return self.term(node) if _has_column(node) else self.parameter(node, target, label, ordered=ordered)

    # Parameters.

    def parameter(self, node: Node, target: Kind, label: str = "", *, ordered: bool = False) -> Term:
        kind = self.known(node)
        return self.bind(node, kind, bind.scalar(kind, target, label, ordered, self.dialect.nothing), label, target)

    def list_parameter(self, node: Node, target: Kind, label: str, optional: bool) -> Term:
        kind = self.known(node)
        if kind.name not in ("list", "any", "null"):
            self.problem("SW304", f"'in' needs a list, not {kind.present()}", node.span)
        convert = bind.listing(target, label, optional, self.dialect.bind_list)
        return self.bind(node, kind, convert, label, target, is_listed=True)

    def bind(
        self, node: Node, kind: Kind, convert: Convert | None, label: str, target: Kind, *, is_listed: bool = False
    ) -> Term:
        self.parameters.append(node)
        self.converts.append(convert)
        self.names.append(label)
        number = len(self.parameters)
        dialect = self.dialect
        sql = dialect.list_parameter(number, target) if is_listed else dialect.parameter(number, kind, target)
        return Term(sql, kind, is_listed)

    def known(self, node: Node) -> Kind:
        if isinstance(node, Literal):
            return kind_of(node.value)
        return self.kinds(node) or ANY

    # Problems.

    def label(self, node: Node) -> str:
        column = next((each for each in walk(node) if isinstance(each, Column)), None)
        return column.name if column is not None else ""

    def problem(self, code: str, message: str, span: Span, hint: str = "") -> Term:
        self.problems.append(Problem(code, message, span, hint))
        return _LOST

    def refuse(self, node: Node, what: str) -> None:
        self.problem("SW302", f"{what} can't be asked of a database", node.span, _AHEAD)

    def refuse_kind(self, node: Column, term: Term) -> None:
        hint = "`== null`, `!= null` and, for a list, `$value in column` can be asked"
        self.problem(
            "SW304", f"'{node.name}' is {term.kind.present()}, which can't be compared in a where", node.span, hint
        )


_SAID = {
    "Attribute": "'.{node.name}' of a column",
    "Index": "'[…]' of a column",
    "Binary": "'{node.operator}' with a column",
    "Unary": "'{node.operator}' of a column, as a value,",
    "Conditional": "'if … else' over a column",
    "Filter": "'| {node.name}' of a column",
    "Call": "'{node.name}(…)' of a column",
    "ListOf": "a list with a column in it",
    "ObjectOf": "an object",
}


def _is_single(node: Node, table: Table, known: Callable[[Node], Kind]) -> bool:
    """Whether a condition asks for one value, which isn't null, of a column that is unique."""
    match node:
        case Binary(operator="and"):
            return _is_single(node.left, table, known) or _is_single(node.right, table, known)
        case (
            Binary(operator="==", left=Column() as left, right=right)
            | Binary(operator="==", left=right, right=Column() as left)
        ):
            column = table.columns[left.name]
            nulls = column.may_be_null and (known(right).nullable or known(right).name in ("any", "null"))
            return not node.optional and _is_given(right) and (column.name == "id" or (column.unique and not nulls))
    return False


def _has_column(node: Node) -> bool:
    return any(isinstance(each, Column) for each in walk(node))


def _is_given(node: Node) -> bool:
    """Whether the run knows it before it asks: no column, and nothing that only a query drops."""
    return not any(isinstance(each, Column) or (isinstance(each, Binary) and each.optional) for each in walk(node))
