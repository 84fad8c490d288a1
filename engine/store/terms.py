"""Values of a query as SQL: columns, what is computed of them, and the parameters that a run will bind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine import registry
from engine.applications import literal_of
from engine.blame import blaming
from engine.errors import Problem, Span, did_you_mean
from engine.fields import Field
from engine.filters.conditions import wildcards
from engine.filters.time import known_zone
from engine.queries import canonical
from engine.registry import Parameter
from engine.store import bind
from engine.store.base import Convert, Kinds, quoted
from engine.store.dialect import Dialect, Place, Step
from engine.syntax import (
    Attribute,
    Binary,
    Column,
    Conditional,
    Filter,
    Index,
    Literal,
    Node,
    Unary,
    has_column,
    walk,
)
from engine.values import ANY, BOOL, DECIMAL, INT, TEXT, Kind, join, kind_of
from engine.workspace import Table

ARITHMETIC = ("+", "-", "*")
INTS = ("int", "timestamp")


@dataclass(frozen=True)
class Source:
    """What bare names mean: the columns of a table, and the tables that are joined to it by their names.

    `alias` stands before the table's own columns where something is joined.
    """

    table: Table
    joined: Mapping[str, Joined] = field(default_factory=dict)

    def column(self, name: str) -> str:
        return f"{quoted(self.table.name)}.{quoted(name)}" if self.joined else quoted(name)


@dataclass(frozen=True)
class Joined:
    """A joined table; `optional` where a record may have none."""

    table: Table
    optional: bool = False


@dataclass(frozen=True)
class Term:
    """A value as SQL, and what is known of it.

    `place` is where it lies in JSON. `parameter` is which parameter it is; `is_listed` where it is a list of that
    value or of none.
    """

    sql: str
    kind: Kind
    place: Place | None = None
    parameter: int | None = None
    is_listed: bool = False

    @property
    def nullable(self) -> bool:
        return self.kind.nullable or self.kind.name in ("any", "null")


# What may be wrong with an argument of a filter, by its parameter's name: storages would say so each in its way.
_CHECKS: Mapping[str, Callable[[Any], object]] = {"timezone": known_zone, "pattern": wildcards}
LOST = Term("NULL", ANY)  # stands where a problem was found


class Terms:
    """Makes terms; `problems` gathers what a database can't be asked, `parameters` what is bound, in order.

    `before` parameters are bound before these; `ahead` is the mend of what can't be asked.
    """

    before = 0
    ahead = "compute it in a `set` step before, or compare a column with it"

    def __init__(self, source: Source, kinds: Kinds, dialect: Dialect) -> None:
        self.source, self.table, self.dialect = source, source.table, dialect
        self.kinds: Callable[[Node], Kind | None] = kinds.get if isinstance(kinds, Mapping) else kinds
        self.problems: list[Problem] = []
        self.parameters: list[Node] = []
        self.converts: list[Convert | None] = []
        self.names: list[str] = []
        self.placeholders: list[str] = []
        self.known_terms: dict[int, Term] = {}  # by the node's identity: what was made before

    def condition(self, node: Node, exact: bool) -> str:
        """A condition; see `Where`."""
        raise NotImplementedError

    def is_condition(self, node: Node) -> bool:
        """Whether a node is a bool by what it is; see `Where`."""
        raise NotImplementedError

    def term(self, node: Node, *, any_kind: bool = False) -> Term:
        """A value with a column in it; `any_kind` also takes lists, objects and JSON of any kind."""
        if id(node) in self.known_terms:
            return self.known_terms[id(node)]
        match node:
            case Column() | Attribute() | Index() if has_column(node):
                term = self.path(node)
                if not any_kind and term is not LOST and term.kind.family not in bind.SCALARS:
                    self.refuse_kind(node, term)
                return term
            case Binary(operator=operator) if operator in ARITHMETIC:
                return self.arithmetic(node)
            case Binary(operator="/"):
                return self.quotient(node)
            case Binary(operator="%"):
                return self.remainder(node)
            case Binary(operator="~"):
                return self.joined(node)
            case Binary(operator="??"):
                return self.coalesced(node)
            case Unary(operator="-"):
                operand = self.number(node.operand, node)
                return Term(self.bounded(f"(- {operand.sql})", operand), operand.kind)
            case Conditional():
                return self.chosen(node)
            case _ if self.is_condition(node):
                return Term(f"({self.condition(node, exact=True)})", BOOL)
            case Filter():
                return self.filtered(node)
            case _ if is_given(node):
                return self.parameter(node, ANY)
        self.refuse(node, _SAID.get(type(node).__name__, "this").format(node=node))
        return LOST

    # Columns, and what lies in them.

    def path(self, node: Node) -> Term:
        """A column, a joined table's column, or what lies in one that holds JSON."""
        steps: list[Attribute | Index] = []
        while isinstance(node, Attribute | Index):
            steps.insert(0, node)
            node = node.of
        if not isinstance(node, Column):
            self.refuse(node, "a part of what is computed")
            return LOST
        term = self.joined_column(node, steps) if node.name in self.source.joined else self.column(node)
        return self.inside(term, steps) if steps and term is not LOST else term

    def column(self, node: Column) -> Term:
        column = self.table.columns.get(node.name)
        if column is None:
            known = [name for name in self.table.columns if name not in self.table.secrets]
            message = f"'{self.table.name}' has no column '{node.name}'"
            return self.problem("SW300", message, node.span, did_you_mean(node.name, [*known, *self.source.joined]))
        return self.known_column(self.table, node.name, self.source.column(node.name), node.span)

    def known_column(self, table: Table, name: str, sql: str, span: Span) -> Term:
        column = table.columns[name]
        if column.is_secret:
            hint = "get the record by another column, then check with `validate_password` or a precondition"
            return self.problem("SW301", f"the secret column '{name}' can't be in a where", span, hint)
        # What is declared as JSON is looked into as its root.
        place = self.dialect.place(sql, []) if column.kind.is_open or column.is_list else None
        return Term(sql, column.kind, place)

    def joined_column(self, node: Column, steps: list[Attribute | Index]) -> Term:
        joined = self.source.joined[node.name]
        first = steps.pop(0) if steps else None
        if not isinstance(first, Attribute):
            return self.problem("SW302", f"'{node.name}' is a joined table", node.span, f"write '{node.name}.id'")
        if first.name not in joined.table.columns:
            message = f"'{joined.table.name}' has no column '{first.name}'"
            return self.problem("SW300", message, first.name_span, did_you_mean(first.name, joined.table.columns))
        sql = f"{quoted(node.name)}.{quoted(first.name)}"
        term = self.known_column(joined.table, first.name, sql, first.name_span)
        return replace(term, kind=term.kind.maybe()) if joined.optional and term is not LOST else term

    def inside(self, term: Term, steps: Sequence[Attribute | Index]) -> Term:
        """What lies at the end of a path into a column that holds JSON; null where nothing does."""
        kind, path = term.kind, list[Step]()
        for step in steps:
            key = step_of(step)
            if key is None or (kind.family in bind.SCALARS and not kind.is_open):
                self.refuse(step, _SAID[type(step).__name__].format(node=step))
                return LOST
            path.append(key)
            kind = _member(kind, key)
        place = self.dialect.place(term.sql, path)
        return self.picked(Term(self.dialect.json.format(*place), kind.maybe(), place), kind.family)

    def picked(self, term: Term, family: str) -> Term:
        """What lies in JSON, as a value of a family, null where it is of another; other terms as they are."""
        if term.place is None or family not in bind.SCALARS or term.kind.name == "list":
            return term
        kind = term.kind if term.kind.family == family else {"number": DECIMAL, "text": TEXT, "bool": BOOL}[family]
        how = "int" if kind.name in INTS else family
        return Term(self.dialect.pick[how].format(*term.place), kind.maybe())

    # What is computed.

    def arithmetic(self, node: Binary) -> Term:
        left, right = self.number(node.left, node), self.number(node.right, node)
        kind = DECIMAL if "decimal" in (left.kind.name, right.kind.name) else INT
        sql = self.bounded(f"({left.sql} {node.operator} {right.sql})", left, right)
        return Term(sql, maybe(kind, left, right))

    def bounded(self, sql: str, *operands: Term) -> str:
        """A result, which must be an int of 64 bits where all that it is computed of are ints, else be finite."""
        return self.dialect.bounded(sql, INT if all(each.kind.name in INTS for each in operands) else DECIMAL)

    def quotient(self, node: Binary) -> Term:
        """A division; null by zero, which no comparison holds for."""
        left, right = self.number(node.left, node), self.number(node.right, node)
        sql = self.dialect.bounded(self.dialect.quotient.format(left.sql, right.sql), DECIMAL)
        return Term(sql, DECIMAL.maybe())

    def remainder(self, node: Binary) -> Term:
        left, right = self.ints(node)
        return Term(f"({left.sql} % nullif({right.sql}, 0))", INT.maybe())

    def ints(self, node: Binary) -> tuple[Term, Term]:
        """Both sides of a remainder."""
        left, right = self.whole(node.left, node), self.whole(node.right, node)
        if "decimal" in (left.kind.name, right.kind.name):
            self.refuse(node, "'%' of decimals")
        return left, right

    def joined(self, node: Binary) -> Term:
        left, right = self.text(node.left, node), self.text(node.right, node)
        return Term(f"({left.sql} || {right.sql})", maybe(TEXT, left, right))

    def coalesced(self, node: Binary) -> Term:
        left = self.term(node.left)
        right = self.operand(node.right, left.kind, ordered=True, label=self.label(node.left))
        return Term(f"coalesce({left.sql}, {right.sql})", left.kind if right.nullable else left.kind.present())

    def chosen(self, node: Conditional) -> Term:
        test = self.condition(node.test, exact=False)
        kind = self.known(node.otherwise if has_column(node.then) else node.then)
        then, otherwise = (self.operand(each, kind, ordered=True) for each in (node.then, node.otherwise))
        sql = f"CASE WHEN {test} THEN {then.sql} ELSE {otherwise.sql} END"
        return Term(f"({sql})", join(then.kind, otherwise.kind))

    def filtered(self, node: Filter) -> Term:
        """A filter that the storage knows as a function of scalars, or the length of a list."""
        name = canonical(node)
        if name == "count":
            of = self.term(node.of, any_kind=True)
            if of.kind.name != "list" or of.place is None:
                self.refuse(node, f"'| {node.name}' of {of.kind}")
                return LOST
            return Term(self.dialect.length.format(*of.place), maybe(INT, of))
        if name in self.dialect.measures:
            return self.measured(node, name)
        if name not in self.dialect.functions:
            self.refuse(node, _SAID["Filter"].format(node=node))
            return LOST
        parameters = registry.filters()[name].parameters
        operands = [node.of, *node.arguments]
        terms = [self.argument(each, wanted, node) for each, wanted in zip(operands, parameters, strict=False)]
        result = self.result_of(node, terms)
        return Term(self.dialect.functions[name]([term.sql for term in terms], result), maybe(result, *terms))

    def measured(self, node: Filter, name: str) -> Term:
        """How far two vectors or points are from each other."""
        terms = self.measurable(node, "geo_point" if name == "distance" else "vector")
        sql = self.dialect.measures[name].format(*(term.sql for term in terms))
        return Term(sql, maybe(DECIMAL, *terms) if name == "distance" else DECIMAL.maybe())

    def measurable(self, node: Filter, type_: str) -> tuple[Term, Term]:
        """Both sides of a measure: columns of a type, or one column and what is given."""
        sides = (node.of, node.arguments[0])
        fields = [self.field(each) for each in sides]
        columns = [field for field in fields if field is not None and field.type == type_ and not field.is_list]
        if len(columns) != sum(map(has_column, sides)):
            self.refuse(node, _SAID["Filter"].format(node=node))
            return LOST, LOST
        if len({column.size for column in columns}) > 1:
            message = " and ".join(f"'{column.name}' has {column.size} numbers" for column in columns)
            self.problem("SW304", message, node.span, "vectors of one size can be measured")
        label = columns[0].name
        convert = bind.vector(label, columns[0].size) if type_ == "vector" else bind.point

        def side(node: Node) -> Term:
            if has_column(node):
                return self.term(node, any_kind=True)
            return self.bind(node, self.known(node), convert, label, TEXT)

        return side(sides[0]), side(sides[1])

    def field(self, node: Node) -> Field | None:
        """The column, of the table or of a joined one, that a node is."""
        match node:
            case Column(name=name) if name not in self.source.joined:
                return self.table.columns.get(name)
            case Attribute(of=Column(name=owner), name=name) if owner in self.source.joined:
                return self.source.joined[owner].table.columns.get(name)
        return None

    def result_of(self, node: Filter, terms: Sequence[Term]) -> Kind:
        definition = registry.filters()[node.name]
        if definition.result is None:
            known = registry.substitute(definition.returns, {})
            return terms[0].kind.present() if definition.returns.name == "variable" else known
        literals = [... if has_column(each) else getattr(each, "value", ...) for each in (node.of, *node.arguments)]
        return definition.result([term.kind.present() for term in terms], literals)

    def number(self, node: Node, of: Node) -> Term:
        return self.only(node, DECIMAL, of)

    def text(self, node: Node, of: Node) -> Term:
        return self.only(node, TEXT, of)

    def only(self, node: Node, kind: Kind, of: Node) -> Term:
        """A part of `of`, which must be of the family of `kind`."""
        kind = registry.substitute(kind, {})
        return self.fitting(self.operand(node, kind, ordered=True, label=self.label(of), any_kind=True), kind, node)

    def argument(self, node: Node, wanted: Parameter, of: Node) -> Term:
        """An argument of a filter; what can't be any text is looked at before a database is asked."""
        if wanted.kind.name == "int":
            return self.whole(node, of)
        check = None if isinstance(node, Literal) else _CHECKS.get(wanted.name)  # what is written was tried at load
        return self.checked(self.only(node, wanted.kind, of), check)

    def whole(self, node: Node, of: Node) -> Term:
        """A number that must be an int; of what is known only when it runs, that is looked at then."""
        kind = self.known(node)
        if has_column(node) or not kind.is_open:
            return self.only(node, INT, of)
        known = replace(INT, nullable=True, secret=kind.secret, inputs=kind.inputs)
        return self.bind(node, known, bind.checking(None, bind.whole), self.label(of), INT)

    def checked(self, term: Term, check: Callable[[Any], object] | None) -> Term:
        """A term whose value, where it is given, is looked at by what faults for some."""
        if check is not None and term.parameter is not None:
            convert = bind.checking(self.converts[term.parameter], check)
            self.converts[term.parameter] = blaming(convert, term.kind.inputs) if term.kind.inputs else convert
        return term

    def fitting(self, term: Term, kind: Kind, node: Node) -> Term:
        """A term, which must be of the family of `kind`."""
        term = self.picked(term, kind.family)
        if term.kind.family not in (kind.family, "any", "null", "never") and term is not LOST:
            self.problem("SW304", f"{self.label(node)} is {term.kind.present()}, {kind.label} is needed", node.span)
        return term

    def operand(self, node: Node, target: Kind, ordered: bool, label: str = "", *, any_kind: bool = False) -> Term:
        if has_column(node):
            return self.term(node, any_kind=any_kind)
        return self.parameter(node, target, label, ordered=ordered)

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
        self.converts.append(blaming(convert, kind.inputs) if convert is not None and kind.inputs else convert)
        self.names.append(label)
        place = len(self.parameters)
        number, dialect = self.before + place, self.dialect
        sql = dialect.list_parameter(number, target) if is_listed else dialect.parameter(number, kind, target)
        self.placeholders.append(sql)
        return Term(sql, kind, parameter=place - 1, is_listed=is_listed)

    def known(self, node: Node) -> Kind:
        """The kind of what is given; what is of one of several kinds is looked at when it is."""
        value = literal_of(node)
        kind = (self.kinds(node) or ANY) if value is ... else kind_of(value)
        return replace(ANY, nullable=kind.nullable, secret=kind.secret, inputs=kind.inputs) if kind.options else kind

    # Problems.

    def label(self, node: Node) -> str:
        column = next((each for each in walk(node) if isinstance(each, Column)), None)
        return column.name if column is not None else ""

    def problem(self, code: str, message: str, span: Span, hint: str = "") -> Term:
        self.problems.append(Problem(code, message, span, hint))
        return LOST

    def refuse(self, node: Node, what: str) -> None:
        self.problem("SW302", f"{what} can't be asked of a database", node.span, self.ahead)

    def refuse_kind(self, node: Node, term: Term) -> None:
        hint = "`== null`, `!= null` and, for a list, `$value in column` can be asked"
        message = f"'{self.label(node)}' is {term.kind.present()}, which can't be compared in a where"
        self.problem("SW304", message, node.span, hint)


_SAID = {
    "Attribute": "'.{node.name}' of a column",
    "Index": "'[…]' of a column",
    "Binary": "'{node.operator}' with a column",
    "Unary": "'{node.operator}' of a column, as a value,",
    "Filter": "'| {node.name}' of a column",
    "Call": "'{node.name}(…)' of a column",
    "ListOf": "a list with a column in it",
    "ObjectOf": "an object",
}


def maybe(kind: Kind, *terms: Term) -> Kind:
    return kind.maybe() if any(term.nullable for term in terms) else kind


def _member(kind: Kind, key: Step) -> Kind:
    """The kind of what lies at a key of an object, or at a place of a list."""
    if kind.fields is not None and isinstance(key, str):
        return kind.fields.get(key, ANY)
    return (kind.item or ANY) if kind.name == "list" and isinstance(key, int) else ANY


def step_of(node: Attribute | Index) -> Step | None:
    """A name, or a text or int that the author wrote; None where only the run knows."""
    if isinstance(node, Attribute):
        return node.name
    value = node.index.value if isinstance(node.index, Literal) else None
    if isinstance(value, str):
        return None if any(mark in value for mark in ('"', "\\", "\0")) else value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_given(node: Node) -> bool:
    """Whether the run knows it before it asks: no column, and nothing that only a query drops."""
    return not any(
        isinstance(each, Column) or (isinstance(each, Binary | Filter) and each.optional) for each in walk(node)
    )
