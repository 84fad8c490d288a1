"""A query as SELECT statements: texts that are settled at load, for each set of conditions that null may drop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.clauses import Addon, Computed, Query, SortKey, Word
from engine.errors import Problem, Problems
from engine.fields import Field
from engine.queries import aggregated, canonical, is_distinct, opened
from engine.relations import Relation, join_condition, relation
from engine.store.base import Convert, Equal, Kinds, quoted
from engine.store.bind import SCALARS
from engine.store.dialect import Dialect
from engine.store.rows import NO_COLUMN, is_json
from engine.store.sql import Where, given_columns
from engine.store.terms import Joined, Source, Term
from engine.syntax import Filter, Node
from engine.values import DECIMAL, INT, Kind
from engine.workspace import Table

Secrets = Callable[[Table], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Key:
    """What records are sorted by; `field` says how its values are read back, `order` is it as SQL."""

    sql: str
    descending: bool
    field: Field
    order: str

    @property
    def nullable(self) -> bool:
        return self.field.may_be_null


@dataclass(frozen=True)
class Selection:
    """One SELECT: what is bound first, what is read into each record, and the clauses around them.

    `fields` and `secrets` are read in this order, then `extras`, which no record shows: the keys of addons and of
    positions, and a total. `source` is everything from FROM to the condition, and binds the first `asked` parameters;
    what is read binds the rest. `equal` is as in `Condition`.
    """

    parameters: tuple[Node, ...]
    converts: tuple[Convert | None, ...]
    names: tuple[str, ...]
    optionals: tuple[int, ...]
    fields: tuple[Field, ...]
    secrets: tuple[Field, ...]
    values: tuple[str, ...]
    extras: tuple[str, ...]
    source: str
    keys: tuple[Key, ...]
    grouped: str = ""
    distinct: bool = False
    asked: int = 0
    equal: Equal = ()

    @property
    def columns(self) -> str:
        return ", ".join([*self.values, *self.extras]) or NO_COLUMN

    @property
    def order(self) -> str:
        return ", ".join(key.order for key in self.keys)

    def listed(self, window: str, after: str = "") -> str:
        """The records, sorted; `window` is the LIMIT, `after` one condition more."""
        distinct = "DISTINCT " if self.distinct else ""
        more = f" AND {after}" if after else ""
        order = f" ORDER BY {self.order}" if self.keys else ""
        return f"SELECT {distinct}{self.columns} {self.source}{more}{self.grouped}{order} {window}"

    def counted(self) -> str:
        """How many there are."""
        # What is read is left out, but where it decides what is counted, or binds what every statement is given.
        is_read = self.distinct or self.grouped or len(self.parameters) > self.asked
        if not is_read:
            return f"SELECT count(*) {self.source}"
        distinct = "DISTINCT " if self.distinct else ""
        values = ", ".join(self.values) or NO_COLUMN
        return f"SELECT count(*) FROM (SELECT {distinct}{values} {self.source}{self.grouped}) AS found"

    def totalled(self) -> Selection:
        """With how many there are as the last extra: one statement says both, as they are at one moment."""
        return replace(self, extras=(*self.extras, f"({self.counted()})"))

    def found(self) -> str:
        """A row where there is any."""
        return f"SELECT 1 {self.source} LIMIT 1"


class Selector:
    """Compiles queries over `tables`; `secrets` names the secret columns that the stack reads of a table."""

    def __init__(self, tables: Mapping[str, Table], kinds: Kinds, dialect: Dialect, secrets: Secrets) -> None:
        self.tables, self.kinds, self.dialect, self.secrets = tables, kinds, dialect, secrets

    def check(self, query: Query) -> None:
        """Raises `Problems` for what can't be asked of a database."""
        self.selection(query)
        self.check_addons(query.addon, self.tables[query.table.text])

    def check_addons(self, addons: Iterable[Addon], table: Table) -> None:
        for addon in addons:
            related, _ = self.addon(addon, table)
            self.check_addons(addon.addons, related.table)

    def selection(self, query: Query, dropped: Collection[int] | None = None) -> Selection:
        """The statement of a query. Raises `Problems` for what can't be asked of a database."""
        table = self.tables[query.table.text]
        source = Source(table, {each.name.text: self.joined(each.table, each.is_left) for each in query.join})
        where = Where(source, self.kinds, self.dialect, dropped)
        asked = [*([query.where] if query.where is not None else ()), *opened(query, table)]
        condition = " AND ".join(where.condition(each, exact=False) for each in asked) or self.dialect.true
        clauses = f"FROM {quoted(table.name)}{self.joins(query, table, where)} WHERE {condition}"
        bound = len(where.parameters)
        made = self.aggregate(query, where) if query.returns == "aggregate" else self.records(query, where)
        if where.problems:
            raise Problems(where.problems)
        # What is joined are other records, though they may be of the same table.
        given = () if query.where is None or query.join else given_columns(query.where, table, where.known)
        return replace(made, source=clauses, asked=bound, equal=where.places(given))

    def joined(self, word: Word, is_left: bool) -> Joined:
        return Joined(self.tables[word.text], is_left)

    def joins(self, query: Query, table: Table, where: Where) -> str:
        parts = []
        for join in query.join:
            condition = join_condition(join, table, self.tables[join.table.text])
            assert not isinstance(condition, Problem), "the checker has looked"
            kind = "LEFT JOIN" if join.is_left else "JOIN"
            on = where.condition(condition, exact=False)
            parts.append(f" {kind} {quoted(join.table.text)} AS {quoted(join.name.text)} ON {on}")
        return "".join(parts)

    # Records.

    def records(self, query: Query, where: Where) -> Selection:
        table = where.table
        evals = {each.name.text: where.term(each.node, any_kind=True) for each in query.eval}
        fields, secrets = self.fields(table, query.output)
        secrets = () if query.distinct else secrets
        computed = tuple(field_of(name, term.kind, table) for name, term in evals.items())
        shown = self.comparable if query.distinct else _same
        evals = {each.name: replace(evals[each.name], sql=shown(evals[each.name].sql, each)) for each in computed}
        plain = [shown(where.source.column(each.name), each) for each in fields]
        hidden = [where.source.column(each.name) for each in secrets]
        keys = self.keys(query.sort, where, evals, (*fields, *computed) if query.distinct else None)
        by_position = query.after is not None or query.returns == "stream"
        positions = tuple(key.sql for key in keys) if by_position else ()
        return self.made(
            where,
            fields=(*fields, *computed),
            secrets=secrets,
            values=(*plain, *(term.sql for term in evals.values()), *hidden),
            extras=(*self.addon_keys(query.addon, where.source), *positions),
            keys=keys,
            distinct=query.distinct,
        )

    def made(self, where: Where, **parts: object) -> Selection:
        given: dict[str, object] = {"secrets": (), "extras": (), "source": "", **parts}
        bound = (tuple(where.parameters), tuple(where.converts), tuple(where.names), tuple(where.optionals))
        return Selection(*bound, **given)  # type: ignore[arg-type]

    def fields(self, table: Table, output: tuple[Word, ...] | None) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
        """The columns that a record shows, and the secret ones beside it: those that the stack reads."""
        names = list(table.columns) if output is None else [word.text for word in output]
        read = [name for name in self.secrets(table) if name in names]
        shown = dict.fromkeys(name for name in names if name not in table.secrets)
        return tuple(table.columns[name] for name in shown), tuple(table.columns[name] for name in read)

    def keys(
        self, sort: Sequence[SortKey], where: Where, evals: Mapping[str, Term], shown: tuple[Field, ...] | None
    ) -> tuple[Key, ...]:
        """What is sorted by; in the end what makes the order certain: the id, or of distinct rows all that is shown."""
        keys = [self.key(each, where, evals) for each in sort]
        last = keys[-1].descending if keys else False
        known = {key.field.name for key in keys}
        plain = [where.table.columns["id"]] if shown is None else shown
        rest = [each for each in plain if each.name not in evals]
        return (
            *keys,
            *(self.sorted_by(where.source.column(each.name), last, each) for each in rest if each.name not in known),
        )

    def key(self, key: SortKey, where: Where, evals: Mapping[str, Term]) -> Key:
        name = key.column.text
        if name in evals:
            return self.sorted_by(evals[name].sql, key.descending, field_of(name, evals[name].kind, where.table))
        return self.sorted_by(where.source.column(name), key.descending, where.table.columns[name])

    def sorted_by(self, sql: str, descending: bool, field: Field) -> Key:
        nulls = self.dialect.nulls[descending] if field.may_be_null else ""
        return Key(sql, descending, field, f"{sql} {'DESC' if descending else 'ASC'}{nulls}")

    def comparable(self, sql: str, field: Field) -> str:
        """A value that distinct records are told apart by."""
        return self.dialect.distinct.format(sql) if is_json(field) else sql

    def addon_keys(self, addons: Iterable[Addon], source: Source) -> tuple[str, ...]:
        return tuple(source.column(self.relation(each, source.table).ours) for each in addons)

    def relation(self, addon: Addon, table: Table) -> Relation:
        related = relation(addon, table, self.tables)
        assert isinstance(related, Relation), "the checker has looked"
        return related

    # Addons.

    def addon(self, addon: Addon, table: Table, dropped: Collection[int] | None = None) -> tuple[Relation, Selection]:
        """How an addon's records belong to those of `table`, and the statement that finds them for many at once.

        The keys are bound as one list after its other parameters; the last extra is the key of each record.
        """
        related = self.relation(addon, table)
        source = Source(related.table)
        where = Where(source, self.kinds, self.dialect, dropped)
        condition = where.condition(addon.where, exact=False) if addon.where is not None else self.dialect.true
        fields, secrets = self.fields(related.table, addon.output)
        made = self.made(
            where,
            fields=fields,
            secrets=secrets,
            values=tuple(quoted(each.name) for each in (*fields, *secrets)),
            extras=(*self.addon_keys(addon.addons, source), quoted(related.theirs)),
            keys=self.keys(addon.sort, where, {}, None),
        )
        if where.problems:
            raise Problems(where.problems)
        keys = self.dialect.list_parameter(len(where.parameters) + 1, related.table.columns[related.theirs].kind)
        member = self.dialect.member.format(quoted(related.theirs), keys)
        return related, replace(made, source=f"FROM {quoted(related.table.name)} WHERE {member} AND {condition}")

    # Aggregates.

    def aggregate(self, query: Query, where: Where) -> Selection:
        groups = {each.name.text: where.term(each.node, any_kind=True) for each in query.group}
        evals = {each.name.text: _Group(where, groups).term(each) for each in query.eval}
        known = {**groups, **evals}
        sort = query.sort or tuple(SortKey(each.name, False) for each in query.group)
        listed = ", ".join(term.sql for term in groups.values())
        # What aggregates nothing would be read of each record; over everything there is one answer, and always.
        is_plain = not groups and not any(aggregated(each.node) for each in query.eval)
        return self.made(
            where,
            fields=tuple(field_of(name, term.kind, where.table) for name, term in known.items()),
            values=tuple(term.sql for term in known.values()),
            extras=("count(*)",) if is_plain else (),
            keys=tuple(self.key(each, where, known) for each in _settled(sort, query.group)),
            grouped=f" GROUP BY {listed}" if groups else "",
        )


def _same(sql: str, field: Field) -> str:
    return sql


def _settled(sort: Sequence[SortKey], group: Sequence[Computed]) -> list[SortKey]:
    """What groups are sorted by, then what they are grouped by, so that their order is certain."""
    names = {key.column.text for key in sort}
    return [*sort, *(SortKey(each.name, False) for each in group if each.name.text not in names)]


class _Group:
    """Expressions over a group: aggregates, what is grouped by, and arithmetic on them."""

    def __init__(self, where: Where, groups: Mapping[str, Term]) -> None:
        self.where, self.groups, self.dialect = where, groups, where.dialect

    def term(self, computed: Computed) -> Term:
        found = {id(each): self.aggregate(each) for each in aggregated(computed.node)}
        self.where.known_terms.update(found)
        return self.where.term(computed.node, any_kind=True)

    def aggregate(self, node: Filter) -> Term:
        name, of = canonical(node), node.of
        distinct = is_distinct(of)
        if distinct and isinstance(of, Filter):
            of = of.of
        term = self.where.term(of, any_kind=True) if name == "count" else self.where.number(of, node)
        shown = term.sql
        if distinct:
            shown = f"DISTINCT {shown if term.kind.family in SCALARS else self.dialect.distinct.format(shown)}"
        if name == "count":
            return Term(f"count({shown})", INT)
        kinds = {"sum": term.kind.present(), "avg": DECIMAL.maybe()}
        return Term(self.dialect.aggregates[name](shown, term.kind), kinds.get(name, term.kind.maybe()))


def field_of(name: str, kind: Kind, table: Table) -> Field:
    """How a computed value is read back: what isn't a scalar is JSON."""
    scalar = kind.family in ("number", "text", "bool")
    type_ = kind.name if scalar and kind.name != "enum" else "text" if scalar else "json"
    return Field(name, type_, table.span, required=not kind.nullable)


def after(keys: Sequence[Key], dialect: Dialect, first: int) -> str:
    """The condition of what comes after a position, whose values are bound from the parameter `first` on."""
    kinds = [key.field.kind.present() for key in keys]
    marks = [dialect.parameter(first + place, kind, kind) for place, kind in enumerate(kinds)]
    if len({key.descending for key in keys}) == 1 and not any(key.nullable for key in keys):
        names = ", ".join(key.sql for key in keys)
        return f"({names}) {'<' if keys[0].descending else '>'} ({', '.join(marks)})"
    condition = ""
    for key, mark in reversed(list(zip(keys, marks, strict=True))):
        beyond = _beyond(key, mark)
        equal = (dialect.same if key.nullable else "{0} = {1}").format(key.sql, mark)
        condition = f"({beyond} OR (({equal}) AND {condition}))" if condition else f"({beyond})"
    return condition


def _beyond(key: Key, mark: str) -> str:
    """What a key sorts after a value; null comes first, or last where it descends."""
    if key.descending:
        return f"{key.sql} < {mark}" + (f" OR ({key.sql} IS NULL AND {mark} IS NOT NULL)" if key.nullable else "")
    return f"{key.sql} > {mark}" + (f" OR ({key.sql} IS NOT NULL AND {mark} IS NULL)" if key.nullable else "")
