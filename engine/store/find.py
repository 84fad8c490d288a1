"""The operation of a query, one class for each form of answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.clauses import Query, SortKey
from engine.shapes import input_fault
from engine.store.addons import Loaded, addons_of, load_addons
from engine.store.asked import (
    LIST_LIMIT,
    MAX_VARIANTS,
    Ask,
    Asked,
    Reads,
    Record,
    Values,
    Variants,
    refuse_many,
    same,
)
from engine.store.base import Prepared, ReadingRun
from engine.store.constraints import busy
from engine.store.paging import per_page_of, position_of, whole, written
from engine.store.rows import Row
from engine.store.select import Selection, Selector, after
from engine.values import INT, INT_MAX

STREAM_BATCH = 500  # records that a stream reads at once
ATTEMPTS = 5  # to read a page that was behind the last one, while others add records

_GIVEN = ("page", "per_page", "offset", "after", "asked_sort")  # what the run says of the answer, in this order


def prepare(reads: Reads, query: Query, selector: Selector) -> Prepared:
    """The operation of a query. Raises `Problems` for what can't be asked."""
    table, counts = selector.tables[query.table.text], query.totals and query.metadata
    has_total = counts and _form(query) == "page"

    def asked_by(query: Query) -> Asked:
        def select(dropped: Collection[int] | None) -> Selection:
            selection = selector.selection(query, dropped)
            return selection.totalled() if has_total else selection

        return Asked(reads, table, select, 0)

    asked = asked_by(query)
    nodes = [node for name in _GIVEN if (node := getattr(query, name)) is not None]
    addons, more = addons_of(reads, query.addon, table, selector, asked.end + len(nodes))
    finder = _FINDERS[_form(query)](asked, addons, query)

    def sorted_by(sort: tuple[SortKey, ...]) -> Finder:
        other = replace(query, sort=sort)
        return _FINDERS[_form(query)](asked_by(other), addons, other)

    find = _Sorted(finder, sorted_by).find if query.sortable else finder.find

    async def locked(run: ReadingRun, *values: Any) -> Any:
        await run.db.begin()
        return await find(run, *values)

    parameters = (*asked.selection.parameters, *nodes, *more)
    several = bool(addons) or query.returns == "stream" or (counts and not has_total)
    return Prepared(locked if query.lock else find, parameters, writes=query.lock, several=several)


def _form(query: Query) -> str:
    if query.returns == "aggregate":
        return "page" if query.is_paged else "list" if query.group else "one"
    if query.returns != "list" or not query.is_paged:
        return query.returns
    return "keyset" if query.after is not None else "page"


class Finder:
    """One form of answer; its statements are made at load."""

    def __init__(self, asked: Asked, addons: tuple[Loaded, ...], query: Query) -> None:
        self.asked, self.addons, self.query = asked, addons, query
        given = [name for name in _GIVEN if getattr(query, name) is not None]
        self._places = {name: asked.end + number for number, name in enumerate(given)}
        self.next_parameter = len(asked.selection.parameters) + 1
        self.prepare()

    def prepare(self) -> None:
        """Make the statements."""

    async def find(self, run: ReadingRun, *values: Any) -> Any:
        raise NotImplementedError

    def number(self, place: int) -> str:
        """The parameter of a number that is bound after the values of the conditions."""
        return self.asked.reads.dialect.parameter(self.next_parameter + place, INT, INT)

    def given(self, values: Values, name: str) -> Any:
        place = self._places.get(name)
        return None if place is None else values[place]

    async def records(self, run: ReadingRun, ask: Ask, bound: Values, values: Values) -> list[Record]:
        """The records of a statement, with their addons."""
        rows, records = await ask(run, bound, self.both)
        await self.loaded(run, rows, records, values)
        return records

    async def page(
        self, run: ReadingRun, ask: Ask, bound: Values, size: int, values: Values
    ) -> tuple[list[Row], list[Record]]:
        """The rows of a statement that reads one more than a page, and the records of the page with their addons."""
        rows = await ask(run, bound, same)
        shown = rows[:size]
        records = self.asked.records(shown)
        await self.loaded(run, shown, records, values)
        return rows, records

    async def loaded(self, run: ReadingRun, rows: list[Row], records: list[Record], values: Values) -> None:
        run.charged(records)
        if self.addons:
            await load_addons(self.addons, run, self.asked, rows, records, values)

    def both(self, rows: list[Row]) -> tuple[list[Row], list[Record]]:
        return rows, self.asked.records(rows)

    def counting(self) -> Variants[Ask]:
        return self.asked.statements(lambda selection: selection.counted())

    async def counted(self, run: ReadingRun, ask: Ask, bound: Values) -> int:
        rows = await ask(run, bound, same)
        return int(rows[0][0])


class _List(Finder):
    def prepare(self) -> None:
        self.statements = self.asked.statements(lambda selection: selection.listed(f"LIMIT {LIST_LIMIT + 1}"))

    async def find(self, run: ReadingRun, *values: Any) -> list[Record]:
        bound = self.asked.bound(values)
        records = await self.records(run, self.statements.of(bound), bound, values)
        refuse_many(records, self.asked.table)
        return records


class _First(Finder):
    def prepare(self) -> None:
        self.statements = self.asked.statements(lambda selection: selection.listed("LIMIT 1"))

    async def find(self, run: ReadingRun, *values: Any) -> Record | None:
        bound = self.asked.bound(values)
        records = await self.records(run, self.statements.of(bound), bound, values)
        return records[0] if records else None


class _One(_First):
    """An aggregate over everything, which is always there."""


class _Count(Finder):
    def prepare(self) -> None:
        self.statements = self.counting()

    async def find(self, run: ReadingRun, *values: Any) -> int:
        bound = self.asked.bound(values)
        return await self.counted(run, self.statements.of(bound), bound)


class _Exists(Finder):
    def prepare(self) -> None:
        self.statements = self.asked.statements(lambda selection: selection.found())

    async def find(self, run: ReadingRun, *values: Any) -> bool:
        bound = self.asked.bound(values)
        return bool(await self.statements.of(bound)(run, bound, same))


class _Paged(Finder):
    def prepare(self) -> None:
        self.counts = self.counting() if self.query.totals and self.query.metadata else None

    def totals(self, total: int, skipped: int, per_page: int) -> Record:
        """What an envelope says of all pages, where the query wants it."""
        return {"itemsTotal": total, "pageTotal": -(-max(total - skipped, 0) // per_page)} if self.counts else {}


class _Page(_Paged):
    """A page by its number, in Xano's envelope. Its rows end with how many there are in all, where that is asked."""

    def prepare(self) -> None:
        super().prepare()
        window = f"LIMIT {self.number(0)} OFFSET {self.number(1)}"
        self.statements = self.asked.statements(lambda selection: selection.listed(window), 2)

    async def find(self, run: ReadingRun, *values: Any) -> Any:
        page = whole(self.given(values, "page"), "page", 1, least=1)
        per_page = per_page_of(self.given(values, "per_page"))
        skipped = whole(self.given(values, "offset"), "offset", 0, least=0)
        offset = min(skipped + (page - 1) * per_page, INT_MAX)
        bound = self.asked.bound(values)
        # One more than a page says whether there is another.
        window = (*bound, per_page + 1, offset)
        for _ in range(ATTEMPTS):
            rows, records = await self.page(run, self.statements.of(bound), window, per_page, values)
            if not self.query.metadata:
                return records
            total = await self.total(run, rows, bound, offset)
            if rows or total <= offset:
                break
        else:
            raise busy()
        envelope = {
            "itemsReceived": len(records),
            "curPage": page,
            "nextPage": page + 1 if len(rows) > per_page else None,
            "prevPage": page - 1 if page > 1 else None,
            "offset": offset,
            "perPage": per_page,
        }
        return {**envelope, **self.totals(total, skipped, per_page), "items": records}

    async def total(self, run: ReadingRun, rows: list[Row], bound: Values, offset: int) -> int:
        """How many there are in all, which no row of a page behind the last one says.

        Where these are no more than are skipped, the page has none at the same moment.
        """
        if self.counts is None:
            return 0
        if rows or offset == 0:
            return int(rows[0][-1]) if rows else 0
        return await self.counted(run, self.counts.of(bound), bound)


class _Keyset(_Paged):
    """A page by the position of the last record before it."""

    def prepare(self) -> None:
        super().prepare()
        keys, first, dialect = self.asked.selection.keys, self.next_parameter, self.asked.reads.dialect
        start, window = (f"LIMIT {self.number(place)}" for place in (0, len(keys)))
        self.starts = self.asked.statements(lambda selection: selection.listed(start), 1)
        self.following = self.asked.statements(
            lambda selection: selection.listed(window, after(selection.keys, dialect, first)), len(keys) + 1
        )

    async def find(self, run: ReadingRun, *values: Any) -> Any:
        per_page = per_page_of(self.given(values, "per_page"))
        given = self.given(values, "after")
        position = None if given is None else position_of(given, self.asked.selection.keys)
        rows, records = await self.next(run, position, per_page, values)
        if not self.query.metadata:
            return records
        following = written(self.values(rows[per_page - 1])) if len(rows) > per_page else None
        envelope = {"itemsReceived": len(records), "perPage": per_page, "nextAfter": following}
        bound = self.asked.bound(values)
        total = await self.counted(run, self.counts.of(bound), bound) if self.counts else 0
        return {**envelope, **self.totals(total, 0, per_page), "items": records}

    async def next(
        self, run: ReadingRun, position: Sequence[object] | None, size: int, values: Values
    ) -> tuple[list[Row], list[Record]]:
        """The rows after a position, one more than `size` where there are more, and `size` records."""
        bound = self.asked.bound(values)
        statements = self.starts if position is None else self.following
        window = (*bound, *(position or ()), size + 1)
        return await self.page(run, statements.of(bound), window, size, values)

    def values(self, row: Row) -> Row:
        """The position of a row: what it is sorted by."""
        return row[-len(self.asked.selection.keys) :]


class _Stream(_Keyset):
    """Records that a loop takes as they come, some at a time."""

    async def find(self, run: ReadingRun, *values: Any) -> Stream:
        return Stream(self, run, values)


class Stream:
    """The records of a query for one `for_each`. What changes while it is walked may be seen or not."""

    def __init__(self, finder: _Stream, run: ReadingRun, values: Values) -> None:
        self._finder, self._run, self._values = finder, run, values
        self._count = 0
        self._position: Row | None = None
        self._is_last = False

    def batches(self) -> Stream:
        """The records some at a time, with the place of the first, counted from 0."""
        return self

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> tuple[int, list[Record]]:
        if self._is_last:
            raise StopAsyncIteration
        rows, records = await self._finder.next(self._run, self._position, STREAM_BATCH, self._values)
        self._is_last = len(rows) <= STREAM_BATCH
        if not self._is_last:
            self._position = self._finder.values(rows[STREAM_BATCH - 1])
        start, self._count = self._count, self._count + len(records)
        return start, records


class _Sorted:
    """A query that the request may sort."""

    def __init__(self, default: Finder, make: Callable[[tuple[SortKey, ...]], Finder]) -> None:
        self._default, self._make = default, make
        assert default.query.sortable is not None
        self._columns = {word.text: word for word in default.query.sortable.columns}
        self._made: dict[str, Finder] = {}

    async def find(self, run: ReadingRun, *values: Any) -> Any:
        text = self._default.given(values, "asked_sort")
        finder = self._default if text is None else self._made.get(text) or self._sorted(text)
        return await finder.find(run, *values)

    def _sorted(self, text: str) -> Finder:
        made = self._make(tuple(map(self._key, text.split(","))))
        if len(self._made) < MAX_VARIANTS:
            self._made[text] = made
        return made

    def _key(self, written: str) -> SortKey:
        word = self._columns.get(written.removeprefix("-"))
        if word is None:
            raise input_fault([{"param": "sort", "message": f"Input names no column to sort by: '{written}'"}])
        return SortKey(word, written.startswith("-"))


_FINDERS: Mapping[str, Callable[..., Finder]] = {
    "count": _Count,
    "exists": _Exists,
    "first": _First,
    "keyset": _Keyset,
    "list": _List,
    "one": _One,
    "page": _Page,
    "stream": _Stream,
}
