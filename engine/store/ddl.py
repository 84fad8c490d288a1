"""How a storage spells the tables of files, and what changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from engine.fields import Field
from engine.store.conversions import Conversion
from engine.store.found import FoundColumn
from engine.workspace import Index, Table

Statements = tuple[str, ...]


class Ddl(Protocol):
    """Makes statements and parts of them; where a storage must make a table anew, single changes of it have none."""

    @property
    def conversions(self) -> Mapping[tuple[str, str], Conversion]:
        """What makes values of one type of those of another."""

    @property
    def uuid(self) -> str:
        """A random uuid, anew for each row."""

    @property
    def counter(self) -> str:
        """The type of a column that numbers its rows."""

    def check_names(self, tables: Mapping[str, Table]) -> None:
        """Raises SetupError for names that the storage can't keep."""

    def parameter(self, number: int) -> str:
        """A placeholder, counted from 1."""

    def literal(self, value: object) -> str:
        """A stored value."""

    def empty(self, column: Field) -> str:
        """The default of a required column that is added to a table without records; empty where it needs none."""

    def create_table(self, table: Table) -> Statements:
        """The table with what its columns refer to, or without where `references` makes that."""

    def references(self, table: Table) -> Mapping[str, Statements]:
        """By column, what lets a new table refer to others once all of them are there."""

    def drop_table(self, name: str, referring: Mapping[str, Iterable[FoundColumn]]) -> Statements:
        """`referring`, by table, are the columns that refer to it until then."""

    def indexes_of(self, table: Table) -> Mapping[str, Index]:
        """All indexes by name."""

    def index_prefix(self, table: str) -> str:
        """What the names of a table's indexes begin with."""

    def index_sql(self, table: Table, name: str) -> str: ...

    def index_where(self, table: Table, name: str) -> str:
        """The condition of a partial index, empty where every record is in it."""

    def search_of(self, table: Table) -> str:
        """What a search index is known by that is none of `indexes_of`; empty where there is none."""

    def add_search(self, table: Table) -> Statements: ...

    def drop_search(self, table: str) -> Statements: ...

    def add_column(self, table: Table, column: Field, filler: str) -> Statements:
        """`filler` is what rows that are there get, empty for null."""

    def drop_column(self, table: Table, column: FoundColumn) -> Statements: ...

    def convert(self, table: Table, column: Field, found: FoundColumn, value: str) -> Statements:
        """Gives a column its type by the file; `value` makes the new values."""

    def allow_null(self, table: Table, column: Field) -> Statements: ...

    def require(self, table: Table, column: Field, filler: str) -> Statements:
        """`filler` is what takes the place of null, if any."""

    def refer(self, table: Table, column: Field, found: FoundColumn) -> Statements:
        """Lets a column refer to what it does by its file, to nothing else."""

    def rebuild(self, table: Table, values: Mapping[str, str], beside: Iterable[str]) -> Statements:
        """Makes a table anew with the rows that `values` make, by column; `beside` makes what goes with it."""
