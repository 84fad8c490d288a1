"""A database as whoever changes its tables, or moves many records at once, sees it: each call waits for its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from engine.store.ddl import Ddl
from engine.store.found import FoundTable, Renaming
from engine.store.rows import Row
from engine.workspace import Table


class Catalog(Protocol):
    @property
    def ddl(self) -> Ddl: ...

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What a statement raises that the database doesn't do."""

    def said(self, error: Exception) -> str:
        """What a refusal says, without values of records."""

    def execute(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        """All rows of a statement."""

    def rows(self, sql: str) -> Iterator[Row]:
        """The rows of a query as they were when the first one is read, in bounded memory."""

    def tables(self) -> set[str]:
        """The names of all tables."""

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, none where it isn't there."""

    def is_as_made(self, tables: Mapping[str, Table]) -> bool:
        """Whether `tables` are there to the letter as they would be made anew; False where no glance can tell."""

    def structure(self, renaming: Renaming) -> Mapping[str, FoundTable]:
        """The tables of `renaming` that are there, by the names that they get, as they are once it is done.

        Nothing is changed.
        """

    def alone(self, tables: Callable[[], Iterable[str]]) -> AbstractContextManager[None]:
        """A transaction that nobody else changes tables in, or records of `tables`, asked for then; others wait.

        It is committed at its end, and undone where something is raised.
        """

    def plant(self, table: Table, sql: str, values: Sequence[object]) -> Row:
        """The row that an insert of a first record returns. What it refers to may come later."""

    def check_planted(self, tables: Sequence[Table]) -> None:
        """Raises SetupError where a first record of one of these tables refers to one that isn't there."""

    def check_references(self) -> None:
        """Raises SetupError where a record refers to what is no longer there."""


def count(catalog: Catalog, table: str, condition: str = "TRUE") -> int:
    """How many rows of a table, its name as SQL, a condition holds for."""
    return int(catalog.execute(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0])
