"""Conversions between stored types in SQLite's words; see `conversions`."""

from __future__ import annotations

from engine.store.conversions import LARGEST, Conversion

_TEXT_OF_BOOL = "CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
# Fifteen digits where they are the number, else seventeen, which always are.
_TEXT_OF_DECIMAL = (
    "CASE WHEN CAST(CAST({0} AS TEXT) AS REAL) <> {0} THEN printf('%!.17g', {0}) ELSE CAST({0} AS TEXT) END"
)
# One of JSON's numbers, and a finite one. CASE, unlike AND, is read from the left.
_NUMBER = (
    "CASE WHEN NOT json_valid({0}) THEN NULL WHEN json_type({0}) NOT IN ('integer', 'real') THEN NULL "
    f"WHEN abs(CAST({{0}} AS REAL)) <= {LARGEST} THEN CAST({{0}} AS REAL) END"
)
_HEX = "[0-9a-fA-F]"
_UUID = "-".join(_HEX * count for count in (8, 4, 4, 4, 12))

# {0} is the old value.
CONVERSIONS = {
    ("int", "decimal"): Conversion("CAST({0} AS REAL)", "CAST({0} AS REAL) <> {0}"),
    ("decimal", "int"): Conversion("CASE WHEN {0} = CAST({0} AS INTEGER) THEN CAST({0} AS INTEGER) END"),
    ("int", "bool"): Conversion("CASE WHEN {0} IN (0, 1) THEN {0} END"),
    ("bool", "int"): Conversion("{0}"),
    ("int", "text"): Conversion("CAST({0} AS TEXT)"),
    ("decimal", "text"): Conversion(_TEXT_OF_DECIMAL),
    ("bool", "text"): Conversion(_TEXT_OF_BOOL),
    ("text", "int"): Conversion("CASE WHEN CAST(CAST({0} AS INTEGER) AS TEXT) = {0} THEN CAST({0} AS INTEGER) END"),
    ("text", "decimal"): Conversion(_NUMBER),
    ("text", "bool"): Conversion("CASE {0} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"),
    ("text", "date"): Conversion("CASE WHEN date({0}, '+0 days') = {0} THEN {0} END"),
    ("text", "uuid"): Conversion(f"CASE WHEN {{0}} GLOB '{_UUID}' THEN lower({{0}}) END"),
    ("date", "timestamp"): Conversion("CAST(strftime('%s', {0}) AS INTEGER) * 1000"),
    ("timestamp", "date"): Conversion("date({0} / 1000.0, 'unixepoch')", "{0} % 86400000 <> 0"),
    ("text", "json"): Conversion("json_quote({0})"),
    ("int", "json"): Conversion("CAST({0} AS TEXT)"),
    ("decimal", "json"): Conversion(_TEXT_OF_DECIMAL),
    ("bool", "json"): Conversion(_TEXT_OF_BOOL),
}
