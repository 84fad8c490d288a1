"""What one statement of a query asks: its texts for each set of conditions that null drops, and what rows become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

from engine.errors import Fault
from engine.store.base import Condition, ReadingRun
from engine.store.reader import Pace, Reader
from engine.store.rows import rows_maker
from engine.store.select import Selection
from engine.store.statement import Row, Statement
from engine.workspace import Table

LIST_LIMIT = 10_000  # records of a list that isn't paged
MAX_VARIANTS = 64  # statements that are kept of one query, for what null drops or a request sorts by

T = TypeVar("T")
Record = dict[str, Any]
Values = tuple[Any, ...]


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
        self, reader: Reader, table: Table, select: Callable[[Collection[int] | None], Selection], place: int
    ) -> None:
        self.reader, self.table, self.select = reader, table, select
        self.selection = selection = select(None)
        self.records = rows_maker(selection.fields, selection.secrets, table.name, len(selection.extras))
        self.width = len(selection.fields) + len(selection.secrets)
        self.end = place + len(selection.parameters)
        self._place, self._converts = place, selection.converts if any(selection.converts) else ()
        self._pace = Pace()

    def statements(self, text: Callable[[Selection], str], more: int = 0) -> Variants[Statement]:
        """The statements with a text, which binds so many values `more` after those of the conditions."""
        names = (*self.selection.names, *[""] * more)

        def make(dropped: Collection[int] | None) -> Statement:
            return Statement(self.table, text(self.select(dropped)), names)

        return Variants(self.selection.optionals, make)

    def bound(self, values: Values) -> Values:
        """What its conditions bind, of the values that the run gives."""
        given = values[self._place : self.end]
        if not self._converts:
            return given
        pairs = zip(self._converts, given, strict=True)
        return tuple(value if convert is None else convert(value) for convert, value in pairs)

    async def read(self, run: ReadingRun, statement: Statement, values: Values, finish: Callable[[list[Row]], T]) -> T:
        """What `finish` makes of the rows of a statement."""
        return await self.reader.read(
            run.db.watched, lambda connection: finish(statement.rows(connection, values)), self._pace, run.time_limit
        )


def same(rows: list[Row]) -> list[Row]:
    return rows


def lookup(
    reader: Reader, table: Table, condition: Condition, sql: str, finish: Callable[[list[Row]], T]
) -> Callable[..., Awaitable[T]]:
    """`(run, *values)`: what `finish` makes of the rows of a statement, in which `{}` is the condition."""

    def make(dropped: Collection[int] | None) -> Statement:
        asked = condition.sql if dropped is None else condition.variant(dropped)
        return Statement(table, sql.replace("{}", asked), condition.names)

    statements, pace = Variants(condition.optionals, make), Pace()

    async def look(run: ReadingRun, *values: Any) -> T:
        bound = condition.bound(values)
        statement = statements.of(bound)
        return await reader.read(
            run.db.watched, lambda connection: finish(statement.rows(connection, bound)), pace, run.time_limit
        )

    return look


def refuse_many(rows: Sequence[object], table: Table) -> None:
    if len(rows) > LIST_LIMIT:
        message = f"a query found more than {LIST_LIMIT} records of '{table.name}': page it, or limit it"
        raise Fault("fatal", message, reason="limit")
