"""What a storage offers: sessions, and operations that are prepared at load and run with values alone.

An operation is called as `operation(run, *values)`. It is a coroutine function where the storage must wait;
`inspect.iscoroutinefunction` says which. Of `run` it uses what `Run` lists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from engine.clauses import Query
from engine.errors import Fault
from engine.fields import Field
from engine.sql import Sql
from engine.syntax import Node
from engine.values import Kind, Stored
from engine.workspace import TIME_LIMIT, Table

Convert = Callable[[Any], object]
# A read may answer at once or be awaited, as the storage does; a write is always awaited.
Read = Callable[..., Any]
Write = Callable[..., Awaitable[Any]]

# What the checker knows of the nodes of an expression.
Kinds = Mapping[Node, Kind] | Callable[[Node], Kind]

BUSY_SECONDS = 5.0  # how long a write waits for its turn

Equal = tuple[tuple[str, int], ...]  # columns, and where among what is bound the value is that they must have


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What a `where` became: text that never changes, and the expressions whose values are bound, in order.

    The next two have one entry a parameter: `converts` what makes a value the one that is bound (None: it is
    as it is), `names` the column it is for. `optionals` are the places of the parameters whose null drops a
    comparison; `variant` is the text where it is known which of them are null, for an index to be used. `is_single`:
    by a unique key it holds for one record at most. `equal`: it holds for no record whose columns aren't so.
    """

    sql: str
    parameters: tuple[Node, ...]
    converts: tuple[Convert | None, ...]
    names: tuple[str, ...]
    optionals: tuple[int, ...]
    variant: Callable[[Collection[int]], str]
    is_single: bool
    equal: Equal = ()

    def bound(self, values: tuple[Any, ...]) -> tuple[object, ...]:
        """The values to bind, made of the parameters' values."""
        return converted(self.converts, values)


def converted(converts: tuple[Convert | None, ...], values: tuple[Any, ...]) -> tuple[object, ...]:
    """The values to bind, made of the parameters' values."""
    if not any(converts):
        return values
    return tuple(value if convert is None else convert(value) for convert, value in zip(converts, values, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """What a column becomes by the expression `node` over columns; `text` is its SQL, after so many other parameters.

    The next three are as a condition's. `is_proven`: it keeps the column's rules whatever the values are; else they
    are asked about the record that was written.
    """

    node: Node
    text: Callable[[int], str]
    parameters: tuple[Node, ...]
    converts: tuple[Convert | None, ...]
    names: tuple[str, ...]
    is_proven: bool


Computations = Mapping[str, Computed]  # by column, in the order of their parameters
NONE_COMPUTED: Computations = {}


class Session(Protocol):
    """What one run reads and writes through. Nothing it wrote is seen by others before `commit` returns.

    After `commit` and `rollback` it is as new and can go on. Runs that are isolated behave as if they came one after
    the other: one that can't is overtaken, which is the Fault unavailable with the reason `repeatable`. It may begin
    again where it `is_repeatable`, until it has kept something. `is_writing`: others can't write what it reads now.
    """

    is_writing: bool
    is_alone: bool  # all that it does is one statement that writes, which may be kept as soon as it is done
    is_repeatable: bool
    is_overtaken: bool

    @property
    def is_waited_for(self) -> bool:
        """Whether it has what others may wait for, until the next `commit` or `rollback`."""

    async def isolate(self, *, writes: bool, several: bool) -> None:
        """Have all that is read until the next `commit` or `rollback` be so at one moment.

        `writes`: it must be so still when something is written. `several`: it is read by more than one statement.
        """

    async def begin(self) -> None:
        """Make ready to write; done by the first write itself. Raises Fault unavailable past `BUSY_SECONDS`."""

    async def commit(self) -> None:
        """Return once everything written is durable. Raises Fault unavailable where it could not be kept."""

    def rollback(self) -> None:
        """Undo everything written."""

    async def retract(self) -> None:
        """As `rollback`; returns once what was read is known to last. Raises Fault unavailable where it doesn't."""

    def overtaken(self) -> Fault:
        """The fault of a run that begins again."""

    def retreat(self, attempt: int) -> float:
        """Make ready to begin again, after so many times before; answers the seconds to wait first."""

    async def before_acting(self) -> None:
        """Before what no rollback undoes: from now on it can't begin again."""

    async def after_acting(self) -> None:
        """After that: have nobody write what is read from now on, where something may be written."""

    def savepoint(self, *, scans: bool = False) -> AbstractAsyncContextManager[None]:
        """What is written inside is undone where something is raised, and stays uncommitted where nothing is.

        `scans`: it may take long.
        """

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """What is written inside, and before, is undone where something is raised, and committed where nothing is."""


class Run(Protocol):
    """What operations ask of a run."""

    @property
    def db(self) -> Any:
        """Its session."""

    def hash(self, password: str) -> Awaitable[str]:
        """The text to store for a password."""

    def now(self) -> int:
        """Milliseconds since the epoch."""

    def uuid(self) -> str: ...

    def charged(self, value: Any) -> Any:
        """`value`, after the run paid for its length."""

    def is_due(self) -> bool:
        """Whether others should get a turn before the run goes on."""

    async def breathe(self) -> None:
        """Lets others go on. Raises Fault where the run's time is over."""


class ReadingRun(Run, Protocol):
    """What reads that may take long ask of a run besides."""

    def acting(self) -> AbstractAsyncContextManager[None]:
        """Around what no rollback undoes."""

    @property
    def time_limit(self) -> float:
        """Seconds."""

    @property
    def services(self) -> Any:
        """What all runs share, every storage among it."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An operation that composed its own parameters: it is called with the run and their values, in order.

    `writes`: it takes the turn to write, which the run's end gives back. `several`: it reads by more than one
    statement.
    """

    call: Callable[..., Any]
    parameters: tuple[Node, ...]
    writes: bool = False
    several: bool = False


class Operations(Protocol):
    """Prepares the operations of one step: text, parameter order and row shape are settled here."""

    def where(self, node: Node, table: Table, kinds: Kinds) -> Condition:
        """The condition that an expression over a table's columns is. Raises `Problems` for what can't be asked."""

    def get(
        self, table: Table, condition: Condition, secrets: tuple[str, ...] = (), columns: Iterable[str] | None = None
    ) -> Read:
        """`(run, *values) → dict | None`: the first record by id, with its plain columns or those named.

        With `secrets` it is a `Record` that has these columns beside it. Others are never read.
        """

    def has(self, table: Table, condition: Condition) -> Read:
        """`(run, *values) → bool`."""

    def query(self, query: Query, kinds: Kinds, secrets: Callable[[Table], tuple[str, ...]]) -> Prepared:
        """`(run, *values) →` what a query answers; `secrets` names the secret columns that are read of a table.

        Raises `Problems` for what can't be asked.
        """

    def add(self, table: Table, columns: tuple[str, ...], secrets: tuple[str, ...] = ()) -> Write:
        """`(run, *values) → dict`: the record as stored, and its `secrets` as `get` has them.

        Raises Fault input_error for a broken rule or reference, conflict for a broken unique constraint
        (reason `unique:email`).
        """

    def computed(self, node: Node, table: Table, column: Field, kinds: Kinds) -> Computed:
        """What a column becomes by an expression over columns. Raises `Problems` for what can't be asked."""

    def edit(
        self,
        table: Table,
        condition: Condition,
        columns: tuple[str, ...],
        secrets: tuple[str, ...] = (),
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        """`(run, *condition's values, *columns' values) → dict | None`: the first record by id, changed.

        Here and below the values of what is `computed` follow those of the columns.
        """

    def patch(self, table: Table, condition: Condition, secrets: tuple[str, ...] = ()) -> Write:
        """`(run, *condition's values, object) → dict | None`: as `edit`, of the columns that the object has."""

    def add_or_edit(
        self,
        table: Table,
        condition: Condition,
        keys: Mapping[str, int | None],
        columns: tuple[str, ...],
        secrets: tuple[str, ...] = (),
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        """`(run, *condition's values, *columns' values) → dict`: edits the first record by id, or adds one.

        One that is added has the `keys` too: columns by the place of their value in the condition's, None for null.
        What is computed is computed of these, and of what the other columns are where they are left out.
        """

    def add_all(self, table: Table, secrets: tuple[str, ...] = (), *, with_id: bool) -> Write:
        """`(run, list of objects) → list of dict`: all of them or none. Raises Fault with every row's faults."""

    def patch_all(self, table: Table, secrets: tuple[str, ...] = ()) -> Write:
        """`(run, list of objects with an id) → list of dict`: all of them or none, as `add_all`."""

    def edit_all(
        self,
        table: Table,
        condition: Condition | None,
        columns: tuple[str, ...],
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        """`(run, *columns' values, *condition's values, limit) → int`: how many records were changed.

        Without a condition it is every record; where `limit` is None, more than are allowed are a Fault.
        """

    def delete_all(self, table: Table, condition: Condition | None) -> Write:
        """`(run, *condition's values, limit) → int`: how many records were deleted, as `edit_all`."""

    def truncate(self, table: Table, *, reset: bool) -> Write:
        """`(run) → None`: deletes every record; with `reset`, ids start anew."""

    def delete(self, table: Table, condition: Condition) -> Write:
        """`(run, *values) → bool`: whether there was one; the first by id goes. Raises Fault conflict when in use."""

    def direct(self, sql: Sql, *, single: bool) -> Write:
        """`(run, args) → list of dict`, or `dict | None` where it is `single`: the rows of an author's own SQL.

        `args` is a list for `?`, an object for names, None where nothing is bound. Raises Fault conflict for a broken
        unique constraint, fatal (reason `limit`) for more than 10,000 rows.
        """

    def external(self, sql: Sql, *, single: bool) -> Write:
        """`(run, connection, args, seconds)`: as `direct`, on the database that a URL names, outside of the run's own.

        Raises Fault unavailable where nothing answers, fatal (reason `timeout`) past so many seconds.
        """

    def set_secret(self, table: Table, column: str) -> Write:
        """`(run, id, old, new) → bool`: stores `new` where the column still holds `old`, byte for byte."""


class Store(Operations, Protocol):
    """A storage. `load`, `snapshot`, `counts` and `clear` are for tests and fixtures."""

    tables: Mapping[str, Table]

    def session(self, seconds: float = TIME_LIMIT) -> Session:
        """A session, of which a statement may take so many seconds."""

    def holds(self, database: object) -> bool:
        """Whether its records are in a database: a file's path, or a URL."""

    async def close(self) -> None:
        """Finish what is being committed and let go of everything."""

    async def replace_secret(self, run: Run, secret: Stored, value: str) -> bool:
        """Store `value` where `secret` was read, if it is still there; whether it was."""

    async def load(self, run: Run, table: str, rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
        """Add rows by the columns' rules in `run`'s session, ids allowed; answers them as stored."""

    async def dump(self, table: str) -> list[dict[str, object]]:
        """All records by id, without secret columns."""

    async def snapshot(self) -> dict[str, list[dict[str, object]]]:
        """All records of all tables by id; a secret column shows as a digest, so that a change shows."""

    async def counts(self) -> dict[str, int]: ...

    async def clear(self) -> None:
        """Remove all records; ids start anew."""


def unavailable(message: str, reason: str) -> Fault:
    """The fault of a load that is shed."""
    return Fault("unavailable", message, reason=reason, headers=(("Retry-After", "1"),))


def quoted(name: str) -> str:
    """A table's or column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'
