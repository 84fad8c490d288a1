"""The faults of what a database refuses, in the columns' names and never in SQL's words: the same on every storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.errors import Fault
from engine.shapes import input_fault
from engine.store.base import unavailable
from engine.values import INT_MAX, INT_MIN
from engine.workspace import Table


def not_unique(names: Sequence[str]) -> Fault:
    """The conflict of values that other records have."""
    said = " and ".join(f"'{name}'" for name in names)
    payload: object = {"param": names[0]} if len(names) == 1 else {"params": list(names)}
    together = " together" if len(names) > 1 else ""
    return Fault("conflict", f"{said} must be unique{together}.", payload, reason="unique:" + ",".join(names))


def is_missing(name: str) -> Fault:
    return input_fault([{"param": name, "message": f"Missing param: {name}"}])


def dangling(table: Table, names: Iterable[str]) -> Fault:
    """The fault of references, the columns `names`, to records that aren't there."""
    entries = ((name, f"Input names no record of '{table.columns[name].table}'.") for name in names)
    return input_fault([{"param": name, "message": message} for name, message in entries])


def in_use(table: Table) -> Fault:
    """The conflict of a record that others refer to."""
    return Fault("conflict", f"This {table.name} is still in use.", reason="reference")


def busy() -> Fault:
    return unavailable("The database is busy. Try again in a second.", "busy")


def refused(cause: BaseException | None = None) -> Fault:
    """The fault of a run whose writes the database couldn't keep."""
    fault = unavailable("The database couldn't store this. Try again later.", "commit")
    fault.__cause__ = cause
    return fault


def failed(table: Table, why: str = "") -> Fault:
    """The fault of what should never happen; `why` is for the log alone."""
    message = f"the database failed on the table '{table.name}'"
    return Fault("fatal", f"{message}: {why}" if why else message, reason="database")


def unbindable(names: Iterable[str], values: Iterable[object]) -> Fault | None:
    """The fault of the first value that no database can be sent."""
    for name, value in zip(names, values, strict=True):
        if message := _unbindable(value):
            return input_fault([{"param": name, "message": message}])
    return None


def _unbindable(value: object) -> str:
    match value:
        case int() if not INT_MIN <= value <= INT_MAX:
            return "Input is an int past 64 bits."
        case str() if any("\ud800" <= character <= "\udfff" for character in value):
            return "Input holds half a surrogate pair."
        case str() if "\0" in value:
            return "Input holds a NUL character."
        case list() | dict():
            return "Input is a list or an object, which can't be compared here."
    return ""
