"""SQL of an author's own: what is bound to it, and what its rows become; the same on every storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import orjson

from engine.bounds import MAX_TEXT, integer, range_fault
from engine.errors import Fault, kind_fault, value_fault
from engine.extent import extent
from engine.sql import Sql
from engine.store.base import ReadingRun, Write
from engine.store.constraints import unbindable
from engine.values import reveal

ROW_LIMIT = 10_000  # rows that a statement answers

Rows = tuple[Sequence[str], Sequence[Sequence[object]]]  # the columns' names, and the rows
Ask = Callable[[ReadingRun, Sequence[object]], Awaitable[Rows]]


def direct(sql: Sql, ask: Ask, *, single: bool) -> Write:
    """The operation of a statement whose rows `ask` fetches, one more than there may be; what it wrote goes then."""

    async def read(run: ReadingRun, args: object = None) -> Any:
        return run.charged(answered(*await ask(run, bound(sql, args)), single))

    async def write(run: ReadingRun, args: object = None) -> Any:
        async with run.db.savepoint(scans=True):
            return await read(run, args)

    return write if sql.writes else read


def failed(why: str) -> Fault:
    """The fault of what should never happen; `why` is for the log alone."""
    return Fault("fatal", f"the database failed on the SQL of a step: {why}", reason="database")


def answered(names: Sequence[str], rows: Sequence[Sequence[object]], single: bool) -> Any:
    """What a step gives of the rows. Raises Fault for more than `ROW_LIMIT`, and for what is no value."""
    if len(set(names)) < len(names):
        raise Fault("fatal", "the SQL gives two columns of one name: name them apart with AS", reason="column")
    if single:
        return dict(zip(names, map(_plain, rows[0]), strict=True)) if rows else None
    if len(rows) > ROW_LIMIT:
        raise Fault("fatal", f"the SQL gives more than {ROW_LIMIT} rows: add a LIMIT", reason="limit")
    return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Any) -> object:
    """A value of the language, of what a database answers."""
    match value:
        case None | str() | int():
            return value
        case float() if value - value == 0:
            return value
        case Decimal() if value.is_finite():
            return integer(int(value)) if value == value.to_integral_value() else float(value)
        case float() | Decimal():
            raise range_fault("the SQL gives a number that is none or without end")
        case date() | time():
            return value.isoformat()
    raise kind_fault("the SQL gives a value that is no text, number or bool: cast it")


def bound(sql: Sql, args: object) -> list[object]:
    """What to bind, in the order of the statement's parameters. Raises Fault where `args` are others."""
    given = _listed(sql, reveal(args))
    values = [_encoded(reveal(value)) for value in given]
    labels = sql.parameters if sql.is_named else [f"args[{place}]" for place in range(len(values))]
    fault = unbindable(labels, values)
    if fault is not None:
        raise fault
    return values


def _listed(sql: Sql, args: object) -> Iterable[object]:
    wanted = sql.parameters
    if args is None:
        args = []
    if not isinstance(args, dict if sql.is_named else list):
        raise kind_fault(f"'args' must be {'an object' if sql.is_named else 'a list'}, as the SQL's placeholders are")
    if len(args) != len(wanted) or (isinstance(args, dict) and args.keys() != set(wanted)):
        raise value_fault(f"'args' must hold a value for each of the SQL's {len(wanted)} placeholders, and no other")
    return [args[name] for name in wanted] if isinstance(args, dict) else args


def _encoded(value: object) -> object:
    if not isinstance(value, list | dict):
        return value
    extent(value, MAX_TEXT)
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise kind_fault("'args' hold a list or an object that JSON can't say") from None
