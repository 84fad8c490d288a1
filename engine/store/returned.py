"""What a statement that writes gives back: the records as stored, once the table's rules have been asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from engine.fields import Field
from engine.store.base import Run
from engine.store.rows import row_maker
from engine.store.rules import Rules
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
        self, table: Table, sql: str, asked: tuple[str, ...], written: tuple[str, ...], *, scans: bool = False
    ) -> Writing:
        """A prepared statement; the first values are for the columns `asked`, the others for those `written`.

        `scans`: it may take long.
        """

    def parameter(self, number: int) -> str:
        """A placeholder, counted from 1."""

    def returned(self, column: Field) -> str:
        """A column as it must be returned."""

    def restart(self, table: Table) -> str:
        """The statement that lets a table's ids begin anew."""


class Returned:
    """What a statement returns of the records that it wrote, which the table's rules are asked about."""

    def __init__(self, table: Table, secrets: Secrets, spelling: Spelling) -> None:
        plain = [column for column in table.columns.values() if not column.is_beside]
        beside = [table.columns[name] for name in secrets]
        rules = Rules(table) if table.rules else None
        self._rules, self._count = rules, len(plain) + len(beside)
        self._make = row_maker(plain, beside, table.name)
        self.sql = ", ".join(map(spelling.returned, [*plain, *beside, *(rules.columns if rules else ())]))

    async def records(self, run: Run, statement: Writing, values: Sequence[object]) -> list[Record]:
        """The records that a statement wrote. Raises Fault input_error, nothing written, where one breaks a rule."""
        if self._rules is None:
            return list(map(self._make, await statement.write(run.db, values)))
        async with run.db.savepoint():
            rows = await statement.write(run.db, values)
            for row in rows:
                self._rules.check(run, row[self._count :])
        return [self._make(row[: self._count]) for row in rows]
