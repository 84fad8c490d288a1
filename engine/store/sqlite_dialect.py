"""SQLite's dialect."""

from __future__ import annotations

import orjson

from engine.store.sql import Dialect
from engine.values import Kind


def _json_list(values: list[object], target: Kind) -> str:
    try:
        return orjson.dumps(values).decode()
    except TypeError:
        raise ValueError("Input holds a value that can't be looked for.") from None


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
    element="EXISTS (SELECT 1 FROM json_each({0}) WHERE value = {1})",
    tests={
        "starts_with": "substr({0}, 1, length({1})) = {1}",
        "ends_with": "substr({0}, length({0}) - length({1}) + 1) = {1}",
        "contains": "instr({0}, {1}) > 0",
    },
    length="length({0})",
    bind_list=_json_list,
    # A blob is equal to no text and no number, and the columns' affinity leaves it alone.
    nothing=b"",
)
