"""What a statement that writes gives back: the records as stored, once the table's rules have been asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Protocol

from engine.errors import Fault
from engine.fields import Field
from engine.store.base import NONE_COMPUTED, Computations, Run
from engine.store.constraints import dangling
from engine.store.rows import row_maker
from engine.store.rules import ColumnRules, Rules
from engine.store.schema import refers
from engine.workspace import Table

Row = tuple[Any, ...]
Record = dict[str, object]
Secrets = tuple[str, ...]  # the columns beside a record that the stack reads


class Writing(Protocol):
    """A prepared statement: it answers the rows that it returns."""

    async def write(self, session: Any, values: Sequence[object]) -> list[Row]: ...


class Spelling(Protocol):
    """What a storage spells its own way."""

    def statement(
        self,
        table: Table,
        sql: str,
        asked: tuple[str, ...],
        written: tuple[str, ...],
        computed: Iterable[str] = (),
        *,
        scans: bool = False,
    ) -> Writing:
        """A prepared statement; the first values are for the columns `asked`, the others for those `written`.

        It writes those that are `computed` besides. `scans`: it may take long.
        """

    def parameter(self, number: int) -> str:
        """A placeholder, counted from 1."""

    def returned(self, column: Field) -> str:
        """A column as it must be returned."""

    def restart(self, table: Table) -> str:
        """The statement that lets a table's ids begin anew."""


class Returned:
    """What a statement returns of the records that it wrote, which the rules are asked about.

    They are the table's, and those of the columns that it `computed`, where nothing proves that they are kept.
    """

    def __init__(
        self, table: Table, secrets: Secrets, spelling: Spelling, computed: Computations = NONE_COMPUTED
    ) -> None:
        plain = [column for column in table.columns.values() if not column.is_beside]
        beside = [table.columns[name] for name in secrets]
        asked = [table.columns[name] for name, each in computed.items() if not each.is_proven]
        rules: list[ColumnRules | Rules] = [ColumnRules(asked)] if asked else []
        rules += [Rules(table)] if table.rules else []
        self._count = len(plain) + len(beside)
        ends = [*accumulate((len(each.columns) for each in rules), initial=self._count)]
        self._rules = [(each, slice(*part)) for each, part in zip(rules, pairwise(ends), strict=True)]
        self._table, self._references = table, [name for name in computed if refers(table.columns[name])]
        self._make = row_maker(plain, beside, table.name)
        listed = [*plain, *beside, *(column for each in rules for column in each.columns)]
        self.sql = ", ".join(map(spelling.returned, listed))

    async def records(self, run: Run, statement: Writing, values: Sequence[object]) -> list[Record]:
        """The records that a statement wrote. Raises Fault input_error, nothing written, where one breaks a rule."""
        if not self._rules and not self._references:
            return list(map(self._make, await statement.write(run.db, values)))
        async with run.db.savepoint():
            rows = await self._written(run, statement, values)
            for row in rows:
                for rules, part in self._rules:
                    rules.check(run, row[part])
        return [self._make(row[: self._count]) for row in rows]

    async def _written(self, run: Run, statement: Writing, values: Sequence[object]) -> list[Row]:
        try:
            return await statement.write(run.db, values)
        except Fault as fault:
            if fault.reason != "reference" or not self._references:
                raise
            raise dangling(self._table, self._references) from fault  # where none that was given is to blame
