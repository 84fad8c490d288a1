"""A `where` as SQL: text that is settled at load, with every value bound, meaning what the expression means.

Truth is two-valued in our language and three-valued in SQL. A condition that is unknown counts as false where it
is asked, so only what stands under a `not` must be made exact; indexes go on being used elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from engine import registry
from engine.errors import Fault, Problems, kind_fault
from engine.queries import canonical
from engine.store import bind
from engine.store.base import Condition, Equal, Kinds
from engine.store.dialect import Dialect
from engine.store.terms import LOST, Source, Term, Terms, is_given
from engine.syntax import Attribute, Binary, Column, Filter, Index, ListOf, Literal, Node, Spread, Unary, has_column
from engine.values import ANY, BOOL, TEXT, Kind, kind_of, reveal
from engine.workspace import Table

EQUALITIES = ("==", "!=")
ORDERS = ("<", "<=", ">", ">=")
_CONNECTIVES = frozenset({"and", "or", "in", "not in", *EQUALITIES, *ORDERS})


def compile_where(node: Node, table: Table, kinds: Kinds, dialect: Dialect) -> Condition:
    """The condition that an expression over a table's columns is.

    `kinds` says what is known of the parts without columns, which become parameters. Raises `Problems` (SW300 to
    SW306) with everything that can't be asked of a database.
    """
    source = Source(table)
    where = Where(source, kinds, dialect)
    sql = where.condition(node, exact=False)
    if where.problems:
        raise Problems(where.problems)

    def variant(dropped: Collection[int]) -> str:
        return Where(source, kinds, dialect, dropped).condition(node, exact=False)

    given = list(given_columns(node, table, where.known))
    known = {name for name, _ in given}
    return Condition(
        sql,
        tuple(where.parameters),
        tuple(where.converts),
        tuple(where.names),
        tuple(where.optionals),
        variant,
        is_single=any(known.issuperset(key) for key in table.unique),
        equal=where.places(given),
    )


def given_columns(node: Node, table: Table, known: Callable[[Node], Kind]) -> Iterator[tuple[str, Node]]:
    """The columns whose values a condition gives: any number of records may hold null, though they are unique."""
    match node:
        case Binary(operator="and", left=left, right=right):
            yield from given_columns(left, table, known)
            yield from given_columns(right, table, known)
        case (
            Binary(operator="==", left=Column(name=name), right=value, optional=False)
            | Binary(operator="==", left=value, right=Column(name=name), optional=False)
        ) if is_given(value):
            kind = known(value)
            if not (table.columns[name].may_be_null and (kind.nullable or kind.name in ("any", "null"))):
                yield name, value


class Where(Terms):
    """Makes conditions. `exact` ones are true or false; others may be unknown in place of false.

    `optionals` are the parameters whose null drops a comparison. Where `dropped` says which of them are null, the
    comparisons are written without asking again, so that an index can answer those that stay.
    """

    def __init__(self, source: Source, kinds: Kinds, dialect: Dialect, dropped: Collection[int] | None = None) -> None:
        super().__init__(source, kinds, dialect)
        self.dropped = dropped
        self.optionals: list[int] = []

    def places(self, given: Iterable[tuple[str, Node]]) -> Equal:
        """Columns with where the values are bound that a condition gives them."""
        places = {id(node): place for place, node in enumerate(self.parameters)}
        return tuple((name, places[id(node)]) for name, node in given if id(node) in places)

    def condition(self, node: Node, exact: bool) -> str:
        if isinstance(node, Literal) and isinstance(node.value, bool):
            return self.dialect.true if node.value else self.dialect.false
        if is_given(node):
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
            case Filter() if self.is_condition(node):
                return _TESTS.get(canonical(node), Where.text_test)(self, node, exact)
        term = self.term(node, any_kind=True)
        return self.truth(self.picked(term, "bool") if term.kind.is_open else term, exact, node)

    def is_condition(self, node: Node) -> bool:
        match node:
            case Binary(operator=operator):
                return operator in _CONNECTIVES
            case Unary(operator=operator):
                return operator == "not"
            case Filter():
                return canonical(node) in _TESTS or canonical(node) in self.dialect.tests
        return False

    def truth(self, term: Term, exact: bool, node: Node | None = None) -> str:
        if term.kind.name not in ("bool", "any") and node is not None:
            message = f"{self.label(node)} is {term.kind}, a condition is a bool"
            self.problem("SW305", message, node.span, "compare it with something, as in `… == $input.value`")
        return self.dialect.is_true.format(term.sql) if exact else f"{term.sql} = {self.dialect.true}"

    # Comparisons.

    def comparison(self, node: Binary, exact: bool) -> str:
        null = next(
            (side for side in (node.right, node.left) if isinstance(side, Literal) and side.value is None), None
        )
        if null is not None and not node.optional and node.operator in EQUALITIES:
            return self.null_test(node.left if null is node.right else node.right, node.operator == "!=")
        left, right = self.sides(node)
        if not self.comparable(node, left, right):
            return self.dialect.false
        compared = replace(right, kind=right.kind.present()) if node.optional else right
        return self.optional(node.optional, right, self.compared(node.operator, left, compared, exact))

    def null_test(self, node: Node, negated: bool) -> str:
        term = self.term(node, any_kind=True)
        if term.place is not None and term.kind.name != "list":
            return f"({'NOT ' if negated else ''}{self.dialect.is_absent.format(*term.place)})"
        return f"({term.sql} IS {'NOT ' if negated else ''}NULL)"

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

    def optional(self, is_optional: bool, right: Term, sql: str) -> str:
        """A condition, dropped where it is optional and its right side null."""
        if not is_optional:
            return sql
        if right.parameter is not None:  # else a column decides, record by record
            self.optionals.append(right.parameter)
            if self.dropped is not None and right.parameter not in self.dropped:
                return sql
            if self.dropped is not None:
                # What is dropped still names its parameters, whose number stays the same.
                named = [placeholder for placeholder in self.placeholders if placeholder in sql]
                return f"({' OR '.join(f'{each} IS NULL' for each in dict.fromkeys((right.sql, *named)))})"
        return f"({right.sql} IS NULL OR {sql})"

    def sides(self, node: Binary) -> tuple[Term, Term]:
        """Both sides of a comparison; a side that is given is bound as what the other side is."""
        ordered = node.operator in ORDERS
        if has_column(node.left) and has_column(node.right):
            left, right = self.term(node.left, any_kind=True), self.term(node.right, any_kind=True)
            left, right = self.picked(left, right.kind.family), self.picked(right, left.kind.family)
            return self.scalar(node.left, left), self.scalar(node.right, right)
        if has_column(node.left):
            left = self.against(node.left, node.right)
            return left, self.counterpart(node.right, left.kind, self.label(node.left), node)
        if has_column(node.right):
            right = self.against(node.right, node.left)
            return self.counterpart(node.left, right.kind, self.label(node.right), node), right
        kind = self.known(node.left)
        kind = self.known(node.right) if kind.is_open else kind
        return self.operand(node.left, kind, ordered), self.operand(node.right, kind, ordered)

    def against(self, node: Node, other: Node) -> Term:
        """A side with a column, of which what lies in JSON is read as what the other side is."""
        term = self.term(node, any_kind=True)
        return self.scalar(node, self.picked(term, self.known(other).family) if term.kind.is_open else term)

    def scalar(self, node: Node, term: Term) -> Term:
        if term is not LOST and term.kind.family not in bind.SCALARS:
            self.refuse_kind(node, term)
            return LOST
        return term

    def counterpart(self, node: Node, target: Kind, label: str, of: Binary) -> Term:
        """What a side with a column is compared with in `of`."""
        if of.operator in ORDERS or self.dialect.nothing is not None:
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

    # Lists.

    def membership(self, node: Binary, exact: bool) -> str:
        negated = node.operator == "not in"
        sql, right = self.member(node, exact or negated)
        return self.optional(node.optional, right, f"(NOT {sql})" if negated else sql)

    def member(self, node: Binary, exact: bool) -> tuple[str, Term]:
        if isinstance(node.right, ListOf) and has_column(node.right):
            return self.member_of_written(node, node.right, exact), LOST
        if has_column(node.left) and is_given(node.right):
            return self.member_of_given(node, exact)
        if not has_column(node.left) and isinstance(node.right, Column | Attribute | Index):
            return self.element(node, node.left, node.right, exact)
        self.refuse(node, f"'{node.operator}' over these columns")
        return self.dialect.false, LOST

    def member_of_given(self, node: Binary, exact: bool) -> tuple[str, Term]:
        left = self.term(node.left, any_kind=True)
        if left.kind.is_open:
            left = self.picked(left, (self.known(node.right).item or ANY).family)
        left = self.scalar(node.left, left)
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

    def element(self, node: Node, value: Node, column: Node, exact: bool) -> tuple[str, Term]:
        """`$x in tags`, for a column that is a list, or a list within JSON."""
        term = self.term(column, any_kind=True)
        item = (term.kind.item or ANY) if term.kind.name == "list" else ANY
        wanted = item if term.kind.name == "list" else self.known(value)
        if term.place is None or wanted.family not in bind.SCALARS:
            self.refuse(node, f"'in' over {term.kind}" if term.place is None else "this, of a list of any kind,")
            return self.dialect.false, term
        found = self.operand(value, wanted, ordered=False, label=self.label(column))
        sql = f"({self.dialect.element[wanted.family].format(*term.place, found.sql)})"
        if term.kind.is_open:
            sql = f"({self.dialect.is_list.format(*term.place)} AND {sql})"
        return self.exactly(sql, exact and term.nullable), found

    def overlaps(self, node: Filter, exact: bool) -> str:
        """`tags | overlaps($wanted)`."""
        term = self.term(node.of, any_kind=True)
        item = term.kind.item or ANY
        if term.kind.name != "list" or term.place is None or has_column(node.arguments[0]):
            self.refuse(node, f"'| {node.name}' of {term.kind.present()}")
            return self.dialect.false
        given = self.list_parameter(node.arguments[0], item, self.label(node.of), node.optional)
        sql = f"({self.dialect.overlap.format(*term.place, given.sql)})"
        return self.optional(node.optional, given, sql)

    # Tests: filters that are conditions.

    def text_test(self, node: Filter, exact: bool) -> str:
        """`name | starts_with($x)` and its like."""
        wanted = replace(registry.filters()[node.name].parameters[1], kind=TEXT)
        of, argument = self.text(node.of, node), self.argument(node.arguments[0], wanted, node)
        sql = f"({self.dialect.tests[canonical(node)].format(of.sql, argument.sql)})"
        return self.optional(node.optional, argument, self.exactly(sql, exact and (of.nullable or argument.nullable)))

    def contains(self, node: Filter, exact: bool) -> str:
        """Of a list, whether it holds a value; of a text, whether it holds a text; of JSON, whichever it is."""
        of = self.term(node.of, any_kind=True) if isinstance(node.of, Column | Attribute | Index) else None
        if of is None or of.place is None:
            return self.text_test(node, exact)
        sql, argument = self.element(node, node.arguments[0], node.of, exact)
        if of.kind.is_open and argument.kind.family == "text":
            text = self.dialect.tests["contains"].format(self.picked(of, "text").sql, argument.sql)
            sql = f"({sql} OR {self.exactly(f'({text})', unknown=True)})"
        return self.optional(node.optional, argument, sql)

    def starts_with(self, node: Filter, exact: bool) -> str:
        """As a range where an index may have it: of a column, with a beginning that is given."""
        argument = node.arguments[0]
        kind = self.known(argument)
        if not isinstance(node.of, Column) or has_column(argument) or kind.family != "text":
            return self.text_test(node, exact)
        of, least = self.text(node.of, node), self.text(argument, node)
        after = self.bind(argument, kind, self.after, self.label(node), TEXT)
        sql = self.exactly(f"({self.dialect.prefix.format(of.sql, least.sql, after.sql)})", exact)
        return self.optional(node.optional, least, sql)

    def matches(self, node: Filter, exact: bool) -> str:
        """`name | regex_matches($pattern)`, whose pattern a storage may spell otherwise."""
        spell, pattern = self.dialect.bind_pattern, node.arguments[0]
        if spell is None:
            return self.text_test(node, exact)
        if has_column(pattern):
            self.refuse(node, "a pattern of a column")
            return self.dialect.false
        if isinstance(pattern, Literal) and isinstance(pattern.value, str):
            try:
                spell(pattern.value)
            except Fault as fault:
                self.problem("SW302", fault.message, pattern.span, self.ahead)
                return self.dialect.false

        def convert(value: object) -> object:
            text = reveal(value)
            if text is not None and not isinstance(text, str):
                raise kind_fault(f"a pattern is a text, not {kind_of(text)}")
            return None if text is None else spell(text)

        of = self.text(node.of, node)
        given = self.bind(pattern, self.known(pattern), convert, self.label(node), TEXT)
        sql = f"({self.dialect.tests['regex_matches'].format(of.sql, given.sql)})"
        return self.optional(node.optional, given, self.exactly(sql, exact and (of.nullable or given.nullable)))

    def after(self, value: object) -> object:
        text = reveal(value)
        return self.dialect.bind_after(text) if isinstance(text, str) else None

    def between(self, node: Filter, exact: bool) -> str:
        """Two comparisons; with a `?` each is dropped where its bound is null."""
        bounds = zip((">=", "<="), node.arguments, strict=True)
        parts = [
            self.comparison(Binary(operator, node.of, bound, node.optional, node.name_span, node.span), exact)
            for operator, bound in bounds
        ]
        return f"({' AND '.join(parts)})"

    def within(self, node: Filter, exact: bool) -> str:
        """`spot | within($centre, 500)`: no further than so many metres."""
        if "distance" not in self.dialect.measures:
            self.refuse(node, "'| within' of a column")
            return self.dialect.false
        (point, centre), metres = self.measurable(node, "geo_point"), self.number(node.arguments[1], node)
        measured = self.dialect.measures["distance"].format(point.sql, centre.sql)
        is_unknown = any(term.nullable for term in (point, centre, metres))
        sql = self.exactly(f"({measured} <= {metres.sql})", exact and is_unknown)
        return self.optional(node.optional, metres, self.optional(node.optional, centre, sql))

    def search(self, node: Filter, exact: bool) -> str:
        """`title | search($q)`, or `[title, body] | search($q)`: by the table's search index over these columns."""
        columns = node.of.items if isinstance(node.of, ListOf) else [node.of]
        names = [each.name for each in columns if isinstance(each, Column)]
        if len(names) < len(columns) or any(self.column(each) is LOST for each in columns if isinstance(each, Column)):
            self.refuse(node, "a search over what is no column")
            return self.dialect.false
        index = self.table.search
        if index is None or not set(names) <= set(index.columns):
            hint = f"declare it in the table: indexes: [{{columns: [{', '.join(names)}], type: search}}]"
            message = f"'{self.table.name}' has no search index over {' and '.join(repr(name) for name in names)}"
            self.problem("SW306", message, node.span, hint)
            return self.dialect.false
        given = self.bind(node.arguments[0], self.known(node.arguments[0]), self.words(names), names[0], TEXT)
        sql = f"({self.dialect.search(self.table, self.source.column, given.sql)})"
        return self.optional(node.optional, given, sql)

    def words(self, names: list[str]) -> Callable[[object], object]:
        def convert(value: object) -> object:
            text = reveal(value)
            return None if text is None else self.dialect.bind_words(str(text), names)

        return convert

    def is_null(self, node: Filter, exact: bool) -> str:
        return self.null_test(node.of, negated=False)

    def is_empty(self, node: Filter, exact: bool) -> str:
        term = self.term(node.of, any_kind=True)
        if term.kind.name == "list" and term.place is not None:
            return f"(coalesce({self.dialect.length.format(*term.place)}, 0) = 0)"
        return f"(coalesce({self.fitting(term, TEXT, node.of).sql}, '') = '')"


Test = Callable[[Where, Filter, bool], str]
_TESTS: dict[str, Test] = {
    "between": Where.between,
    "contains": Where.contains,
    "is_empty": Where.is_empty,
    "is_null": Where.is_null,
    "overlaps": Where.overlaps,
    "regex_matches": Where.matches,
    "search": Where.search,
    "starts_with": Where.starts_with,
    "within": Where.within,
}
