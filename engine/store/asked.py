"""What one statement of a query asks: its texts for each set of conditions that null drops, and what rows become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

from engine.errors import Fault
from engine.store.base import Condition, Equal, ReadingRun
from engine.store.dialect import Dialect
from engine.store.rows import Row, rows_maker
from engine.store.select import Selection
from engine.workspace import Table

LIST_LIMIT = 10_000  # records of a list that isn't paged
MAX_VARIANTS = 64  # statements that are kept of one query, for what null drops or a request sorts by

T = TypeVar("T")
Record = dict[str, Any]
Values = tuple[Any, ...]


class Ask(Protocol):
    """A statement that reads: what `finish` makes of its rows. Raises Fault budget past the run's time."""

    def __call__(self, run: ReadingRun, values: Values, finish: Callable[[list[Row]], T], /) -> Awaitable[T]: ...


class Reads(Protocol):
    """A storage's way of reading what may take long."""

    @property
    def dialect(self) -> Dialect: ...

    def prepared(self, table: Table, sql: str, names: tuple[str, ...], equal: Equal = ()) -> Ask:
        """A statement about a table, whose values are for the columns `names`; `equal` is as in `Condition`."""


class Variants(Generic[T]):
    """What `make` makes of a statement, for each set of its conditions that null drops; made when first needed.

    Past `MAX_VARIANTS` it is the general statement, which asks for null itself.
    """

    def __init__(self, optionals: Collection[int], make: Callable[[Collection[int] | None], T]) -> None:
        self._optionals, self._make = tuple(optionals), make
        self._made: dict[tuple[int, ...], T] = {}
        self.general = make(None)

    def of(self, bound: Sequence[object]) -> T:
        if not self._optionals:
            return self.general
        dropped = tuple(place for place in self._optionals if bound[place] is None)
        made = self._made.get(dropped)
        if made is None:
            if len(self._made) >= MAX_VARIANTS:
                return self.general
            made = self._made[dropped] = self._make(dropped)
        return made


class Asked:
    """One read of records: its SELECT, what makes records of rows, and where its values are among the run's."""

    def __init__(
        self, reads: Reads, table: Table, select: Callable[[Collection[int] | None], Selection], place: int
    ) -> None:
        self.reads, self.table, self.select = reads, table, select
        self.selection = selection = select(None)
        self.records = rows_maker(selection.fields, selection.secrets, table.name, len(selection.extras))
        self.width = len(selection.fields) + len(selection.secrets)
        self.end = place + len(selection.parameters)
        self._place, self._converts = place, selection.converts if any(selection.converts) else ()

    def statements(self, text: Callable[[Selection], str], more: int = 0) -> Variants[Ask]:
        """The statements with a text, which binds so many values `more` after those of the conditions."""
        names = (*self.selection.names, *[""] * more)

        def make(dropped: Collection[int] | None) -> Ask:
            return self.reads.prepared(self.table, text(self.select(dropped)), names, self.selection.equal)

        return Variants(self.selection.optionals, make)

    def bound(self, values: Values) -> Values:
        """What its conditions bind, of the values that the run gives."""
        given = values[self._place : self.end]
        if not self._converts:
            return given
        pairs = zip(self._converts, given, strict=True)
        return tuple(value if convert is None else convert(value) for convert, value in pairs)


def same(rows: list[Row]) -> list[Row]:
    return rows


def lookup(
    reads: Reads, table: Table, condition: Condition, sql: str, finish: Callable[[list[Row]], T]
) -> Callable[..., Awaitable[T]]:
    """`(run, *values)`: what `finish` makes of the rows of a statement, in which `{}` is the condition."""

    def make(dropped: Collection[int] | None) -> Ask:
        asked = condition.sql if dropped is None else condition.variant(dropped)
        return reads.prepared(table, sql.replace("{}", asked), condition.names, condition.equal)

    statements = Variants(condition.optionals, make)

    async def look(run: ReadingRun, *values: Any) -> T:
        bound = condition.bound(values)
        return await statements.of(bound)(run, bound, finish)

    return look


def refuse_many(rows: Sequence[object], table: Table) -> None:
    if len(rows) > LIST_LIMIT:
        message = f"a query found more than {LIST_LIMIT} records of '{table.name}': page it, or limit it"
        raise Fault("fatal", message, reason="limit")
