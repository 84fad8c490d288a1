"""A database brought up to its tables' files: all of the changes that may be made, or none; and their history.

A server makes what is safe when it starts. What loses nothing but breaks servers of the older files that still run,
as a new name does, is made by a command only, and what loses something by a command that says so.
"""

from __future__ import annotations

import getpass
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.errors import SetupError
from engine.store.base import quoted
from engine.store.catalog import Catalog
from engine.store.changes import Change, Risk
from engine.store.plan import HISTORY, leftovers, plan, sources_of
from engine.store.seeds import plant
from engine.workspace import Table

COMMAND = "stackwright migrate"

_FLAGS = {Risk.DELIBERATE: " --apply", Risk.DESTRUCTIVE: " --apply --allow-destructive"}


def apply(
    catalog: Catalog,
    tables: Mapping[str, Table],
    allowed: Risk = Risk.SAFE,
    command: str = COMMAND,
) -> list[Change]:
    """Make every change, in one transaction; answers them.

    Raises SetupError, and changes nothing, where one takes more than is `allowed`. Several processes may do this at
    the same time: one makes the changes, the others wait and find none left. Tables that are in no file any more are
    dropped only where something destructive is allowed, else they are left alone.
    """
    if _is_current(catalog, tables, allowed):
        return []
    with catalog.alone(lambda: _touched(catalog, tables) if allowed > Risk.SAFE else ()):
        changes = _planned(catalog, tables, allowed)
        refuse(changes, allowed, command)
        for change in changes:
            _make(catalog, change)
        catalog.check_planted([change.seeded for change in changes if change.seeded is not None])
        if any(change.risk > Risk.SAFE for change in changes):
            catalog.check_references()
    return changes


def _is_current(catalog: Catalog, tables: Mapping[str, Table], allowed: Risk) -> bool:
    """Whether there is nothing to change, as far as can be seen while another process may be changing it."""
    try:
        is_as_made = allowed is Risk.SAFE and catalog.is_as_made(tables)
        return is_as_made or not _planned(catalog, tables, allowed)
    except catalog.refusals:
        return False


def _planned(catalog: Catalog, tables: Mapping[str, Table], allowed: Risk) -> list[Change]:
    return plan(catalog, tables) + (leftovers(catalog, tables) if allowed >= Risk.DESTRUCTIVE else [])


def _touched(catalog: Catalog, tables: Mapping[str, Table]) -> Iterable[str]:
    """The tables that are there, whose records count: how many can't be kept, for one."""
    there = catalog.tables()
    return sorted(there.intersection(sources_of(tables, there).values()))


def flags(changes: Iterable[Change]) -> str:
    """What to add to the command so that it makes the changes."""
    return _FLAGS.get(max((change.risk for change in changes), default=Risk.SAFE), " --apply")


def refuse(changes: Iterable[Change], allowed: Risk, command: str = COMMAND) -> None:
    """Raise SetupError with every change that takes more than is `allowed`, and what to do."""
    refused = [change for change in changes if change.risk > allowed]
    if not refused:
        return
    listed = "\n".join(f"- {change.said}" for change in refused)
    if any(change.risk is Risk.BLOCKED for change in refused):
        head, end = "the database can't be made what the tables' files say:", f"`{command}` shows all differences"
    else:
        head = "the database isn't what the tables' files say, and some of it is only changed on demand:"
        end = f"run `{command}{flags(refused)}` to change it; `{command}` shows what that does"
    raise SetupError(f"{head}\n{listed}\nnothing was changed; {end}")


def _make(catalog: Catalog, change: Change) -> None:
    try:
        for statement in change.statements:
            catalog.execute(statement)
        if change.seeded is not None:
            plant(catalog, change.seeded)
    except catalog.refusals as error:
        said = catalog.said(error)
        raise SetupError(f"can't {change.description}, nothing was changed: {said}") from error
    _remember(catalog, change)


# History.


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that was made: when (milliseconds since the epoch), by whom, what, and its SQL."""

    at: int
    by: str
    table: str
    change: str
    sql: str


def history(catalog: Catalog) -> list[Entry]:
    """All changes that were made, the first one first."""
    if HISTORY not in catalog.tables():
        return []
    rows = catalog.execute(f'SELECT at, "by", "table", change, sql FROM {quoted(HISTORY)} ORDER BY id')
    return [Entry(*row) for row in rows]


def _remember(catalog: Catalog, change: Change) -> None:
    catalog.execute(
        f"CREATE TABLE IF NOT EXISTS {quoted(HISTORY)} (id {catalog.ddl.counter} PRIMARY KEY, at BIGINT NOT NULL,"
        ' "by" TEXT NOT NULL, "table" TEXT NOT NULL, change TEXT NOT NULL, sql TEXT NOT NULL)'
    )
    sql = "".join(f"{statement};\n" for statement in change.statements)
    marks = ", ".join(map(catalog.ddl.parameter, range(1, 6)))
    catalog.execute(
        f'INSERT INTO {quoted(HISTORY)} (at, "by", "table", change, sql) VALUES ({marks})',
        (time.time_ns() // 1_000_000, _user(), change.table, change.description, sql),
    )


def _user() -> str:
    """`ada@host`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may know no name for its user
        name = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{name}@{platform.node()}"
