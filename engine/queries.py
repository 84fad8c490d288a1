"""What the checker knows of a query: its clauses' names and kinds, and the exact kind of what it answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from engine.clauses import Addon, Computed, Join, Query, SortKey, Word
from engine.errors import Problem, Span, did_you_mean
from engine.infer import Inference
from engine.openings import conditions_of
from engine.registry import filters
from engine.relations import Relation, join_condition, relation
from engine.scope import Scope
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
    children,
    has_column,
    walk,
)
from engine.unparse import unparse
from engine.values import ANY, BOOL, INT, TEXT, Kind, list_of, object_of
from engine.workspace import Table

AGGREGATES = frozenset({"avg", "count", "max", "min", "sum"})
# How far vectors are from each other; null where that can't be said, as of a vector of zeros.
VECTOR_MEASURES = (
    "cosine_distance", "cosine_similarity", "inner_product", "l1_distance_manhattan", "l2_distance_euclidean",
    "negative_inner_product",
)  # fmt: skip
_CONDITIONS = frozenset({"and", "or", "in", "not in", "==", "!=", "<", "<=", ">", ">="})


def opened(query: Query, table: Table) -> Iterator[Node]:
    """The conditions that a request may set on the columns that are open to it."""
    for each in query.filterable:
        column = table.columns.get(each.column.text)
        if column is not None and not column.is_beside:
            yield from (each.conditions[name] for name in conditions_of(each, column))


def aggregated(node: Node) -> list[Filter]:
    """The outermost aggregates in an expression: `price | sum`, `id | count`, `name | unique | count`."""
    if isinstance(node, Filter) and canonical(node) in AGGREGATES and len(node.arguments) == 0:
        return [node]
    return [each for child in children(node) for each in aggregated(child)]


def canonical(node: Filter) -> str:
    """A filter's own name, whichever of its names is written."""
    definition = filters().get(node.name)
    return definition.name if definition else node.name


def is_distinct(node: Node) -> bool:
    """Whether what is aggregated is taken without repetitions: `status | unique`."""
    return isinstance(node, Filter) and canonical(node) == "unique" and not node.arguments


class QueryChecker:
    """Checks one query and gives the kind of its result."""

    def __init__(
        self, checker: Inference, tables: Mapping[str, Table], scope: Scope, spans: Mapping[str, Span]
    ) -> None:
        """`spans` are the places of the query's arguments."""
        self.checker, self.tables, self.scope, self.spans = checker, tables, scope, spans

    def check(self, query: Query, table: Table) -> Kind:
        """The kind of what `query` answers; what is wrong with it is reported."""
        self.combination(query)
        joined = self.joins(query.join, table)
        if query.where is not None:
            self.condition(query.where, {**table.asked, **joined})
        seen = {name: replace(kind, fields=self.tables[kind.table].shown) for name, kind in joined.items()}
        columns = {**table.shown, **seen}
        self.openings(query, table)
        if query.returns == "aggregate":
            return self.listed(query, self.aggregate(query, table, columns), bool(query.group))
        self.columns(query.output or (), table)
        evals = self.evals(query.eval, columns, table)
        self.sort(query.sort, table, evals)
        self.distinct(query, table)
        row = self.row(table, query.output, evals, self.addons(query.addon, table, [*evals]))
        if query.distinct:  # what tells records apart is what is shown
            row = replace(row, fields={name: kind for name, kind in (row.fields or {}).items() if not kind.secret})
        match query.returns:
            case "count":
                return INT
            case "exists":
                return BOOL
            case "first":
                return row.maybe()
            case "stream":
                return Kind("stream", item=row)
        return self.listed(query, row, True)

    def report(self, code: str, message: str, word: Word, hint: str = "") -> None:
        self.checker.report(code, message, word.span, hint)

    def refuse(self, problem: Problem) -> None:
        self.checker.report(problem.code, problem.message, problem.span, problem.hint)

    # What goes together.

    def combination(self, query: Query) -> None:
        for argument, wrong, message, hint in _contradictions(query):
            if wrong:
                span = self.spans.get(argument, query.table.span)
                self.checker.report("SW170", message, span, hint)

    # Names and expressions.

    def condition(self, node: Node, columns: Mapping[str, Kind]) -> None:
        before = len(self.checker.errors)
        self.checker.condition(node, self.scope.with_columns(columns))
        self.checker.no_secret(node, before)

    def computed(self, node: Node, columns: Mapping[str, Kind]) -> Kind:
        """The kind of an expression over columns; null where a column of it is."""
        before = len(self.checker.errors)
        kind = self.checker.infer(node, self.scope.with_columns(columns))
        self.checker.no_secret(node, before)
        kind = kind.plain()  # one message a mistake
        return kind.maybe() if self.may_be_null(node, columns) else kind

    def may_be_null(self, node: Node, columns: Mapping[str, Kind]) -> bool:
        if not has_column(node):
            given = self.checker.kinds.get(node, ANY)
            return given.may_be_null or given.is_open
        match node:
            case Column(name=name):
                return columns.get(name, ANY).nullable
            case Attribute(of=Column(name=name)) if columns.get(name, ANY).is_record:
                return columns[name].nullable or self.checker.kinds.get(node, ANY).nullable
            case Attribute() | Index():
                return True
            case Binary(operator="/" | "%", left=left, right=Literal(value=int() | float() as divisor)) if divisor:
                return self.may_be_null(left, columns)
            case Binary(operator="/" | "%"):
                return True
            case Filter() if canonical(node) in VECTOR_MEASURES:
                return True
            case Binary(operator="??", right=right):
                return self.may_be_null(right, columns)
            case Binary(operator=operator) if operator in _CONDITIONS:
                return False
            case Unary(operator="not"):
                return False
            case Conditional(then=then, otherwise=otherwise):
                return self.may_be_null(then, columns) or self.may_be_null(otherwise, columns)
        if self.checker.kinds.get(node, ANY).name == "bool" and isinstance(node, Filter):
            return False
        return any(self.may_be_null(each, columns) for each in children(node))

    def joins(self, joins: Iterable[Join], table: Table) -> dict[str, Kind]:
        """What the names of joined tables stand for."""
        known: dict[str, Kind] = {}
        for join in joins:
            other = self.tables.get(join.table.text)
            if other is None:
                hint = did_you_mean(join.table.text, self.tables)
                self.report("SW120", f"unknown table '{join.table.text}'", join.table, hint)
                continue
            self.free(join.name, {table.name, *table.columns, *known}, "a table or column of this query")
            joined = replace(other.kind, fields=other.asked)
            known[join.name.text] = joined.maybe() if join.is_left else joined
            condition = join_condition(join, table, other)
            if isinstance(condition, Problem):
                self.refuse(condition)
            else:
                seen = {**known, join.name.text: joined}
                self.condition(condition, {**table.asked, **seen})
        return known

    def free(self, word: Word, taken: Iterable[str], what: str) -> None:
        if word.text in taken:
            self.report("SW173", f"'{word.text}' is {what} already", word, "choose another name")

    def evals(self, evals: Iterable[Computed], columns: Mapping[str, Kind], table: Table) -> dict[str, Kind]:
        known: dict[str, Kind] = {}
        for each in evals:
            self.free(each.name, {**table.columns, **known}, "a column")
            known[each.name.text] = self.computed(each.node, columns)
        return known

    def columns(self, words: Iterable[Word], table: Table) -> None:
        for word in words:
            if word.text not in table.columns:
                self.report("SW204", f"unknown column '{word.text}'", word, did_you_mean(word.text, table.columns))

    def sort(self, keys: Iterable[SortKey], table: Table, more: Mapping[str, Kind]) -> None:
        for key in keys:
            word = key.column
            if word.text in more:
                self.ordered(word, more[word.text])
            elif word.text not in table.columns:
                known = [*(name for name in table.columns if name not in table.secrets), *more]
                self.report("SW204", f"unknown column '{word.text}'", word, did_you_mean(word.text, known))
            elif table.columns[word.text].is_beside:
                self.report("SW231", "a secret can't be part of a query", word, "its order would tell of it")
            else:
                self.ordered(word, table.columns[word.text].kind)

    def ordered(self, word: Word, kind: Kind) -> None:
        if kind.family not in ("number", "text", "bool", "any") or kind.is_open:
            message = f"'{word.text}' is {kind.present()}, which has no order"
            self.report("SW175", message, word, "take another column")

    def distinct(self, query: Query, table: Table) -> None:
        if not query.distinct:
            return
        shown = {*(word.text for word in query.output or ()), *(each.name.text for each in query.eval)}
        if query.output is None:
            shown |= set(table.columns)
        for key in query.sort:
            if key.column.text not in shown:
                message = f"'distinct' can't sort by '{key.column.text}', which isn't shown"
                self.report("SW170", message, key.column, f"add '{key.column.text}' to 'output'")
        for addon in query.addon:
            self.report("SW170", "'distinct' has no addons", addon.name, "leave one of them out")

    def openings(self, query: Query, table: Table) -> None:
        """Checks the columns that are open to the request, and what it may ask of them."""
        sortable = query.sortable.columns if query.sortable else ()
        for word in (*(each.column for each in query.filterable), *sortable):
            column = table.columns.get(word.text)
            if column is None:
                known = [name for name in table.columns if name not in table.secrets]
                self.report("SW204", f"unknown column '{word.text}'", word, did_you_mean(word.text, known))
            elif column.is_beside:
                self.report("SW231", "a secret can't be part of a query", word, "nobody may ask what it is")
            else:
                self.ordered(word, column.kind)
        for node in opened(query, table):
            self.condition(node, table.asked)
        if query.asked_sort is not None:
            self.checker.infer(query.asked_sort, self.scope)

    # Addons.

    def addons(self, addons: Iterable[Addon], table: Table, taken: Iterable[str]) -> dict[str, Kind]:
        known: dict[str, Kind] = {}
        for addon in addons:
            self.free(addon.name, {*table.columns, *taken, *known}, "a column")
            known[addon.name.text] = self.addon(addon, table)
        return known

    def addon(self, addon: Addon, table: Table) -> Kind:
        related = relation(addon, table, self.tables)
        if isinstance(related, Problem):
            self.refuse(related)
            return ANY
        other = related.table
        self.related(addon, related, table)
        if addon.where is not None:
            self.condition(addon.where, other.asked)
        if related.returns in ("count", "exists"):
            if addon.sort or addon.output or addon.addons or addon.limit:
                self.report("SW170", f"'{related.returns}' reads no records", addon.name, "leave the rest out")
            return INT if related.returns == "count" else BOOL
        self.columns(addon.output or (), other)
        self.sort(addon.sort, other, {})
        row = self.row(other, addon.output, {}, self.addons(addon.addons, other, ()))
        if related.returns != "first":
            return list_of(row)
        ours = table.columns[related.ours]
        is_there = ours.table == other.name and related.theirs == "id" and not ours.may_be_null and addon.where is None
        return row if is_there else row.maybe()

    def related(self, addon: Addon, related: Relation, table: Table) -> None:
        """Whether the two columns of a relation can hold the same."""
        theirs, ours = related.table.columns[related.theirs], table.columns[related.ours]
        if theirs.is_secret or ours.is_secret:
            self.report("SW231", "a secret can't be part of a query", addon.name, "relate the tables by other columns")
        elif theirs.kind.family != ours.kind.family or ours.kind.family not in ("number", "text"):
            message = f"'{related.theirs}' is {theirs.kind.present()}, '{related.ours}' is {ours.kind.present()}"
            self.report("SW174", message, addon.name, "relate the tables by columns that hold the same")

    # What is answered.

    def row(
        self, table: Table, output: tuple[Word, ...] | None, evals: Mapping[str, Kind], addons: Mapping[str, Kind]
    ) -> Kind:
        """The kind of a record: the columns that are asked for, and what is beside them."""
        fields = table.kind.fields or {}
        if output is not None:
            fields = {word.text: fields[word.text] for word in output if word.text in fields}
        return replace(table.kind, fields={**fields, **evals, **addons})

    def listed(self, query: Query, row: Kind, is_list: bool) -> Kind:
        if not is_list:
            return row
        if not query.is_paged or not query.metadata:
            return list_of(row)
        fields = {"itemsReceived": INT, "perPage": INT}
        if query.after is not None:
            fields |= {"nextAfter": TEXT.maybe()}
        else:
            fields |= {"curPage": INT, "nextPage": INT.maybe(), "prevPage": INT.maybe(), "offset": INT}
        fields |= {"itemsTotal": INT, "pageTotal": INT} if query.totals else {}
        return object_of({**fields, "items": list_of(row)})

    # Aggregates.

    def aggregate(self, query: Query, table: Table, columns: Mapping[str, Kind]) -> Kind:
        """The kind of one group: what it is grouped by, and what is computed of it."""
        groups: dict[str, Kind] = {}
        for each in query.group:
            self.free(each.name, groups, "in the group")
            groups[each.name.text] = self.computed(each.node, columns)
            self.ordered(each.name, groups[each.name.text])
        known = dict(groups)
        for each in query.eval:
            self.free(each.name, known, "in the group")
            known[each.name.text] = self.of_group(each.node, columns, groups)
        for key in query.sort:
            if key.column.text not in known:
                hint = did_you_mean(key.column.text, known)
                self.report("SW204", f"'{key.column.text}' is neither grouped nor computed", key.column, hint)
        return object_of(known)

    def of_group(self, node: Node, columns: Mapping[str, Kind], groups: Mapping[str, Kind]) -> Kind:
        """The kind of an expression over a group: an aggregate's column stands for the list of its values."""
        values: dict[Node, Kind] = {}
        for found in aggregated(node):
            of = found.of.of if is_distinct(found.of) and isinstance(found.of, Filter) else found.of
            values[found] = self.aggregated(found, of, columns)
        if self.ungrouped(node, {id(each) for each in values}, columns, groups):
            return ANY
        lists = {unparse(each): kind for each, kind in values.items()}
        names = {id(each): unparse(each) for each in values}
        return self.computed(_replaced(node, names), {**groups, **lists})

    def ungrouped(
        self, node: Node, inside: Collection[int], columns: Mapping[str, Kind], groups: Mapping[str, Kind]
    ) -> bool:
        """Whether a column stands for no one value of a group; reports it."""
        if id(node) in inside:
            return False
        if isinstance(node, Column) and node.name in columns and node.name not in groups:
            hint = f"aggregate it, as in {node.name} | count (sum, avg, min, max), or add it to 'group'"
            self.checker.report("SW176", f"'{node.name}' has many values in a group", node.span, hint)
            return True
        return any(self.ungrouped(each, inside, columns, groups) for each in children(node))

    def aggregated(self, found: Filter, of: Node, columns: Mapping[str, Kind]) -> Kind:
        """The kind of one aggregate: that of the filter on a list of the values that aren't null."""
        item = self.computed(of, columns).present().plain()
        column = Column(unparse(of), of.span)
        shown = replace(found, of=column)
        return self.checker.infer(shown, self.scope.with_columns({column.name: list_of(item)}))


def _contradictions(query: Query) -> Iterator[tuple[str, bool, str, str]]:
    """What doesn't go together: an argument, whether it is wrong, why, and the mend."""
    paged, returns, after = query.is_paged, query.returns, query.after is not None
    paging = next((name for name in ("page", "per_page", "offset", "after") if getattr(query, name) is not None), "")
    yield paging, paged and returns not in ("list", "aggregate"), f"'{returns}' has no pages", "leave it out"
    yield (
        "after",
        after and (query.page is not None or query.offset is not None),
        "'after' and 'page' are two ways of paging",
        "leave one of them out",
    )
    yield (
        "after",
        after and bool(query.join or query.distinct or query.group),
        "'after' can't page what is joined, grouped or distinct",
        "use 'page'",
    )
    yield "totals", query.totals and not paged, "'totals' counts over all pages, there are none", "add 'page:'"
    yield "metadata", not query.metadata and not paged, "'metadata' is about pages, there are none", "leave it out"
    is_aggregate = returns == "aggregate"
    yield "group", bool(query.group) and not is_aggregate, "a 'group' is aggregated", "add 'return: aggregate'"
    yield (
        "return",
        is_aggregate and not query.eval,
        "an aggregate needs 'eval'",
        "add it, as in 'eval: {n: id | count}'",
    )
    for name in ("addon", "output", "distinct", "after", "sortable"):
        yield name, is_aggregate and bool(getattr(query, name)), f"an aggregate has no '{name}'", "leave it out"
    for name in ("sort", paging):
        alone = is_aggregate and not query.group and bool(name and getattr(query, name))
        yield name, alone, "an aggregate of everything is one object", f"leave '{name}' out, or add 'group'"
    for name in ("sort", "sortable", "eval", "addon"):
        yield (
            name,
            returns in ("count", "exists") and bool(getattr(query, name)),
            f"'{returns}' has no '{name}'",
            ("leave it out"),
        )
    yield "sortable", bool(query.sortable) and query.distinct, "'distinct' is sorted by what it shows", "write 'sort'"
    yield "distinct", returns == "stream" and query.distinct, "a stream can't be distinct", "use pages"


def _replaced(node: Node, names: Mapping[int, str]) -> Node:
    """An expression whose aggregates are columns of these names; the parts without any are the same nodes."""
    if id(node) in names:
        return Column(names[id(node)], node.span)
    if not any(id(each) in names for each in walk(node)):
        return node
    slots: tuple[str, ...] = node.__slots__
    made = {name: getattr(node, name) for name in slots}
    for name, value in made.items():
        if isinstance(value, Node):
            made[name] = _replaced(value, names)
        elif isinstance(value, list):
            made[name] = [_replaced(item, names) if isinstance(item, Node) else item for item in value]
    return type(node)(**made)
