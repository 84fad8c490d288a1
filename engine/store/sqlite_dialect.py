"""SQLite's dialect. What its own functions say otherwise than the language is asked of the filter itself."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from engine import operators, registry
from engine.bounds import MAX_TEXT, decimal, out_of_range
from engine.errors import Fault
from engine.extent import extent
from engine.filters.conditions import wanted_words
from engine.queries import VECTOR_MEASURES
from engine.store.base import quoted
from engine.store.bind import after
from engine.store.dialect import Dialect, Function, Place, Step
from engine.store.search import name_of
from engine.store.terms import INTS
from engine.values import DECIMAL, Kind
from engine.workspace import Table

# Filters that are called as they are: SQLite's own would know the case of ASCII alone, and other white space.
CALLED = (
    "ceil", "floor", "icontains", "ilike", "like", "ltrim", "regex_matches", "replace", "round", "rtrim", "substr",
    "timestamp_day_of_month", "timestamp_day_of_week", "timestamp_day_of_year", "timestamp_epoch_day",
    "timestamp_epoch_hour", "timestamp_epoch_minute", "timestamp_epoch_sec", "timestamp_hour", "timestamp_minute",
    "timestamp_month", "timestamp_week", "timestamp_year", "to_lower", "to_upper", "trim",
)  # fmt: skip
MEASURES = (*VECTOR_MEASURES, "distance")
_raised = threading.local()  # SQLite says that a function of ours raised something, and drops what it was


def add_functions(connection: sqlite3.Connection) -> None:
    """Make `CALLED`, `MEASURES`, `bounded` and `divided` known to a connection; null in is null out."""
    for name, call in (("int", _int), ("decimal", _decimal)):
        connection.create_function(f"bounded_{name}", 1, _nullable(call), deterministic=True)
    for name, divide in (("divided", operators.divide), ("rest", operators.remainder)):
        connection.create_function(name, 2, _nullable(divide), deterministic=True)
    for name in CALLED:
        connection.create_function(f"filter_{name}", -1, _nullable(registry.filters()[name].call), deterministic=True)
    for name in MEASURES:
        connection.create_function(f"measure_{name}", 2, _measure(registry.filters()[name].call), deterministic=True)


def raised_fault(error: Exception) -> Fault | None:
    """The fault that a function raised in the statement that just failed in this thread, or SQLite's own like it."""
    if str(error) == "integer overflow":  # of a sum, or without its sign
        return out_of_range(is_int=True)
    fault, _raised.fault = getattr(_raised, "fault", None), None
    return fault if "user-defined function" in str(error) else None


def _nullable(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*values: Any) -> Any:
        if None in values:
            return None
        try:
            return call(*values)
        except Fault as fault:
            _raised.fault = fault
            raise

    return called


def _int(value: int | float) -> int:
    """What SQLite made of ints: a decimal where it has more than 64 bits."""
    if isinstance(value, float):
        raise out_of_range(is_int=True)
    return value


def _decimal(value: int | float) -> int | float:
    return value if isinstance(value, int) else decimal(value)


def _bounded(sql: str, kind: Kind) -> str:
    return f"bounded_{'int' if kind.name in INTS else 'decimal'}({sql})"


def _sum(sql: str, kind: Kind) -> str:
    total = f"coalesce(sum({sql}), 0)"
    return total if kind.name in INTS else _bounded(total, kind)


def _measure(call: Callable[..., float]) -> Callable[..., float | None]:
    def measure(one: str | None, other: str | None) -> float | None:
        if one is None or other is None:
            return None
        try:
            return call(_decoded(one), _decoded(other))
        except Fault:
            return None

    return measure


@lru_cache(4)  # one of the two is the same for all records
def _decoded(text: str) -> Any:
    return orjson.loads(text)


def _json_list(values: list[object], target: Kind) -> str:
    extent(values, MAX_TEXT)
    try:
        return orjson.dumps(values).decode()
    except TypeError:
        raise ValueError("Input holds a value that can't be looked for.") from None


def _after(prefix: str) -> object:
    """As `after`; a blob is greater than every text."""
    text = after(prefix)
    return b"" if text is None else text


def _place(sql: str, steps: Sequence[Step]) -> Place:
    """With a path as SQL text: `'$."address"[0]'`."""
    places = (f'."{step}"' if isinstance(step, str) else f"[#{step}]" if step < 0 else f"[{step}]" for step in steps)
    return sql, "'" + ("$" + "".join(places)).replace("'", "''") + "'"


def _called(name: str) -> Function:
    return lambda arguments, result: f"{name}({', '.join(arguments)})"


def _searched(table: Table, column: Callable[[str], str], words: str) -> str:
    index = quoted(name_of(table.name))
    return f"{column('id')} IN (SELECT rowid FROM {index} WHERE {index} MATCH {words})"


def _words(text: str, columns: Sequence[str]) -> str:
    """A query of FTS5 (sqlite.org/fts5.html §3): all words, in any of the columns; a text of none finds nothing."""
    words = [f'"{word.rstrip("*")}"' + "*" * word.endswith("*") for word in wanted_words(text)]
    return f"{{{' '.join(map(quoted, columns))}}} : ({' AND '.join(words) or quoted('')})"


_TYPES = {"number": "('integer', 'real')", "text": "('text')", "bool": "('true', 'false')"}

_NUMBER = f"CASE WHEN json_type({{0}}, {{1}}) IN {_TYPES['number']} THEN json_extract({{0}}, {{1}}) END"

DIALECT = Dialect(
    parameter=lambda number, given, target: f"?{number}",
    list_parameter=lambda number, target: f"?{number}",
    true="1",
    false="0",
    is_true="{0} IS TRUE",
    same="{0} IS {1}",
    differs="{0} IS NOT {1}",
    member="{0} IN (SELECT value FROM json_each({1}))",
    has_null="EXISTS (SELECT 1 FROM json_each({0}) WHERE type = 'null')",
    nulls=("", ""),
    distinct="{0}",
    functions={"strlen": _called("length"), "abs": _called("abs")}
    | {name: _called(f"filter_{name}") for name in CALLED},
    tests={
        "starts_with": "substr({0}, 1, length({1})) = {1}",
        "ends_with": "substr({0}, length({0}) - length({1}) + 1) = {1}",
        "contains": "instr({0}, {1}) > 0",
    }
    | {name: f"filter_{name}({{0}}, {{1}})" for name in ("icontains", "ilike", "like", "regex_matches")},
    prefix="{0} >= {1} AND {0} < {2}",
    quotient="(CAST({0} AS REAL) / {1})",
    divided="divided({0}, {1})",
    rest="rest({0}, {1})",
    bounded=_bounded,
    aggregates={
        "avg": lambda sql, kind: _bounded(f"avg({sql})", DECIMAL),
        "max": lambda sql, kind: f"max({sql})",
        "min": lambda sql, kind: f"min({sql})",
        "sum": _sum,
    },
    place=_place,
    pick={
        "int": _NUMBER,
        "number": _NUMBER,
        "text": f"CASE WHEN json_type({{0}}, {{1}}) IN {_TYPES['text']} THEN json_extract({{0}}, {{1}}) END",
        "bool": "CASE json_type({0}, {1}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    },
    json="({0} -> {1})",
    is_absent="coalesce(json_type({0}, {1}), 'null') = 'null'",
    is_list="json_type({0}, {1}) = 'array'",
    length="json_array_length({0}, {1})",
    element={
        family: f"EXISTS (SELECT 1 FROM json_each({{0}}, {{1}}) WHERE value = {{2}} AND type IN {types})"
        for family, types in _TYPES.items()
    },
    overlap="EXISTS (SELECT 1 FROM json_each({0}, {1}) a JOIN json_each({2}) b ON a.value IS b.value)",
    measures={name: f"measure_{name}({{0}}, {{1}})" for name in MEASURES},
    search=_searched,
    bind_list=_json_list,
    bind_after=_after,
    bind_words=_words,
    bind_pattern=None,
    # A blob is equal to no text and no number, and the columns' affinity leaves it alone.
    nothing=b"",
)
