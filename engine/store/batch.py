"""The rows of a bulk write, one by one: all that is wrong with any of them is said at once, by its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from engine.bounds import range_fault
from engine.errors import Fault
from engine.shapes import input_fault
from engine.store.base import Run
from engine.store.rows import Draft
from engine.values import reveal

MAX_ROWS = 10_000  # records that one step writes
MAX_ERRORS = 1000  # failing columns that a refusal lists
CHECKED = 16  # rows between two looks at the run's limits: a row may take half a millisecond, or a password's hash
_GATHERED = ("input_error", "conflict", "not_found")

T = TypeVar("T")
R = TypeVar("R")


def rows_of(value: object) -> list[Any]:
    """The list that a bulk step was given. Raises Fault input_error where it is none, or too long."""
    rows = reveal(value)
    if not isinstance(rows, list):
        raise _refused("Input must be a list of objects.")
    if len(rows) > MAX_ROWS:
        raise _refused(f"Input has more than {MAX_ROWS} items, write them in several steps.")
    return rows


def limit_of(value: int | None) -> int:
    """How many records a step may write; one more than it may where the author set no limit, which then shows."""
    if value is None:
        return MAX_ROWS + 1
    if not 1 <= value <= MAX_ROWS:
        raise input_fault([{"param": "limit", "message": f"Input must be from 1 to {MAX_ROWS}."}])
    return value


def bounded(count: int) -> int:
    """The number of records a step wrote. Raises Fault past the bound, for what is written to be undone."""
    if count > MAX_ROWS:
        raise range_fault(f"more than {MAX_ROWS} records match: set a 'limit' and repeat, or narrow the 'where'")
    return count


@dataclass(frozen=True, slots=True)
class Pending(Generic[R]):
    """A row that was checked: its draft, the columns it gives, and what writes it as stored."""

    draft: Draft
    data: Mapping[str, Any]
    write: Callable[[Run, Sequence[object]], Awaitable[R]]


async def write_all(run: Run, rows: object, check: Callable[[Any], Awaitable[Pending[R]]]) -> list[R]:
    """What writing each row answers, all of them or none. Raises one Fault that says what is wrong with every row."""

    async def finish(row: Pending[R]) -> tuple[Pending[R], list[object]]:
        return row, await row.draft.stored(run, row.data)

    async def write(ready: tuple[Pending[R], list[object]]) -> R:
        row, stored = ready
        return await row.write(run, stored)

    batch = Batch(run)
    ready = await batch.each(await batch.each(enumerate(rows_of(rows)), check), finish)
    async with run.db.savepoint():
        written = await batch.each(ready, write)
        batch.settle()
    return [answer for _, answer in written]


class Batch:
    """Rows on their way into a table: what fails is left out and remembered, until all of it is said at once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._faults: dict[int, Fault] = {}

    async def each(self, rows: Iterable[tuple[int, T]], work: Callable[[T], Awaitable[R]]) -> list[tuple[int, R]]:
        """What `work` makes of each row, with its place; others run meanwhile."""
        made: list[tuple[int, R]] = []
        for place, row in rows:
            if place % CHECKED == 0 and self._run.is_due():
                await self._run.breathe()
            try:
                made.append((place, await work(row)))
            except Fault as fault:
                if fault.name not in _GATHERED:
                    raise
                self._faults[place] = fault
        return made

    def settle(self) -> None:
        """Raises one Fault for all rows that failed: of the most basic sort there is among them."""
        if not self._faults:
            return
        faults = sorted(self._faults.items())
        leading = min(self._faults.values(), key=lambda fault: _GATHERED.index(fault.name))
        errors = list(islice((entry for place, fault in faults for entry in _entries(place, fault)), MAX_ERRORS))
        payload = {"param": errors[0]["param"], "errors": errors}
        raise Fault(leading.name, errors[0]["message"], payload, reason=leading.reason)


def _entries(place: int, fault: Fault) -> Iterator[dict[str, str]]:
    payload: Any = fault.payload if isinstance(fault.payload, dict) else {}
    for entry in payload.get("errors", ()):
        yield {"param": _param(place, entry["param"]), "message": entry["message"]}
    if "errors" not in payload:
        for name in payload.get("params", [payload.get("param", "")]):
            yield {"param": _param(place, name), "message": fault.message}


def _param(place: int, name: str) -> str:
    return f"items[{place}].{name}" if name else f"items[{place}]"


def _refused(message: str) -> Fault:
    return input_fault([{"param": "items", "message": message}])
