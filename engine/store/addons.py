"""Addons: what belongs to many records, loaded with one query a level however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.clauses import Addon
from engine.relations import Relation
from engine.store.asked import LIST_LIMIT, Asked, Reads, Record, Values, refuse_many, same
from engine.store.base import ReadingRun
from engine.store.rows import Row
from engine.store.select import Selection, Selector
from engine.syntax import Node
from engine.workspace import Table


class Loaded:
    """An addon ready to run: what it asks, how it belongs, and its own addons."""

    def __init__(self, addon: Addon, asked: Asked, related: Relation, addons: tuple[Loaded, ...]) -> None:
        self.name, self.asked, self.related, self.addons = addon.name.text, asked, related, addons
        self._limit = addon.limit
        self._listed, self._kind = asked.reads.dialect.bind_list, related.table.columns[related.theirs].kind
        self._statements = asked.statements(self._text, 1)
        self._key = asked.width + len(addons)  # where in a row it says whose it is

    def _text(self, selection: Selection) -> str:
        theirs = selection.extras[-1]
        match self.related.returns:
            case "count":
                return f"SELECT {theirs}, count(*) {selection.source} GROUP BY {theirs}"
            case "exists":
                return f"SELECT DISTINCT {theirs} {selection.source}"
        single = (self.related.theirs,) in self.related.table.unique
        limit = None if single else 1 if self.related.returns == "first" else self._limit
        return _limited(selection, theirs, limit)

    async def add(self, run: ReadingRun, records: Sequence[Record], keys: Sequence[object], values: Values) -> None:
        """Put what belongs to each of `records`, whose `keys` these are, under the addon's name."""
        wanted = [key for key in dict.fromkeys(keys) if key is not None]
        found = await self._found(run, wanted, values) if wanted else {}
        name, get, nothing = self.name, found.get, _NOTHING[self.related.returns]()
        for record, key in zip(records, keys, strict=True):
            record[name] = get(key, nothing)

    async def _found(self, run: ReadingRun, keys: list[object], values: Values) -> Mapping[object, object]:
        bound = self.asked.bound(values)
        rows = await self._statements.of(bound)(run, (*bound, self._listed(keys, self._kind)), same)
        if self.related.returns == "count":
            return dict(rows)
        if self.related.returns == "exists":
            return {row[0]: True for row in rows}
        refuse_many(rows, self.asked.table)
        records = self.asked.records(rows)
        run.charged(records)
        await load_addons(self.addons, run, self.asked, rows, records, values)
        return self._grouped(rows, records)

    def _grouped(self, rows: Sequence[Row], records: Sequence[Record]) -> Mapping[object, object]:
        key, pairs = self._key, zip(rows, records, strict=True)
        if self.related.returns == "first":
            return {row[key]: record for row, record in pairs}
        groups: dict[object, list[Record]] = {}
        for row, record in pairs:
            groups.setdefault(row[key], []).append(record)
        return groups


_NOTHING: Mapping[str, Callable[[], object]] = {"first": lambda: None, "list": list, "count": int, "exists": bool}


def _limited(selection: Selection, theirs: str, limit: int | None) -> str:
    """The records for all keys; with a limit no more than so many for each."""
    window = f"LIMIT {LIST_LIMIT + 1}"
    if limit is None:
        return selection.listed(window)
    numbered = f"row_number() OVER (PARTITION BY {theirs} ORDER BY {selection.order}) AS n"
    named = [f"{sql} AS c{place}" for place, sql in enumerate((*selection.values, *selection.extras))]
    columns = ", ".join(f"c{place}" for place in range(len(named)))
    inner = f"SELECT {', '.join(named)}, {numbered} {selection.source}"
    return f"SELECT {columns} FROM ({inner}) AS found WHERE n <= {limit} ORDER BY n {window}"


def addons_of(
    reads: Reads, addons: Iterable[Addon], table: Table, selector: Selector, place: int
) -> tuple[tuple[Loaded, ...], tuple[Node, ...]]:
    """The addons of a query or of an addon, and the nodes whose values they bind, from `place` on."""
    loaded: list[Loaded] = []
    nodes: tuple[Node, ...] = ()
    for addon in addons:
        asked, related = _asked_addon(reads, addon, table, selector, place + len(nodes))
        nodes = (*nodes, *asked.selection.parameters)
        inner, more = addons_of(reads, addon.addons, related.table, selector, place + len(nodes))
        nodes = (*nodes, *more)
        loaded.append(Loaded(addon, asked, related, inner))
    return tuple(loaded), nodes


def _asked_addon(reads: Reads, addon: Addon, table: Table, selector: Selector, place: int) -> tuple[Asked, Relation]:
    related = selector.relation(addon, table)
    return Asked(reads, related.table, lambda dropped: selector.addon(addon, table, dropped)[1], place), related


async def load_addons(
    addons: Sequence[Loaded],
    run: ReadingRun,
    asked: Asked,
    rows: Sequence[Row],
    records: Sequence[Record],
    values: Values,
) -> None:
    """Load the addons of `records`, which were made of `rows`: one query each, however many records."""
    for place, addon in enumerate(addons, asked.width):
        await addon.add(run, records, [row[place] for row in rows], values)
