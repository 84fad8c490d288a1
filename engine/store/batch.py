"""The rows of a bulk write, one by one: all that is wrong with any of them is said at once, by its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from engine.bounds import range_fault
from engine.errors import Fault
from engine.shapes import input_fault
from engine.store.base import Run
from engine.values import reveal

MAX_ROWS = 10_000  # records that one step writes
MAX_ERRORS = 1000  # failing columns that a refusal lists
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
        raise range_fault(f"'limit' must be from 1 to {MAX_ROWS}, it is {value}")
    return value


def bounded(count: int) -> int:
    """The number of records a step wrote. Raises Fault past the bound, for what is written to be undone."""
    if count > MAX_ROWS:
        raise range_fault(f"more than {MAX_ROWS} records match: set a 'limit' and repeat, or narrow the 'where'")
    return count


async def each_row(run: Run, rows: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """What `work` makes of each row. Raises one Fault for all rows that failed, others running meanwhile."""
    made: list[R] = []
    faults: list[tuple[int, Fault]] = []
    for place, row in enumerate(rows):
        if place % 256 == 0 and run.is_due():
            await run.breathe()
        try:
            made.append(await work(row))
        except Fault as fault:
            if fault.name not in _GATHERED:
                raise
            faults.append((place, fault))
            if len(faults) >= MAX_ERRORS:
                break
    if faults:
        raise _together(faults)
    return made


def _together(faults: Sequence[tuple[int, Fault]]) -> Fault:
    """One fault of the most basic sort there is, listing what is wrong with every row."""
    leading = min((fault for _, fault in faults), key=lambda fault: _GATHERED.index(fault.name))
    errors = [entry for place, fault in faults for entry in _entries(place, fault)][:MAX_ERRORS]
    payload = {"param": errors[0]["param"], "errors": errors}
    return Fault(leading.name, errors[0]["message"], payload, reason=leading.reason)


def _entries(place: int, fault: Fault) -> Iterator[dict[str, str]]:
    payload: Any = fault.payload if isinstance(fault.payload, dict) else {}
    for entry in payload.get("errors", ()):
        yield {"param": f"items[{place}]{'.' * bool(entry['param'])}{entry['param']}", "message": entry["message"]}
    if "errors" not in payload:
        for name in payload.get("params", [payload.get("param", "id")]):
            yield {"param": f"items[{place}].{name}", "message": fault.message}


def _refused(message: str) -> Fault:
    return input_fault([{"param": "items", "message": message}])
