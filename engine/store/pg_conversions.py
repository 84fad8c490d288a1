"""Conversions between stored types in PostgreSQL's words; see `conversions`.

What can't be cast fails the whole statement, so each value is looked at before: a CASE is read from the left.
"""

from __future__ import annotations

from engine.store.conversions import LARGEST, Conversion

_SMALLEST = "4.95e-324"  # decimal that isn't zero
_LEAST, _MOST = "-9223372036854775808", "9223372036854775807"

# Every int that is smaller has its decimal; of the others, one whose decimal is no int past 64 bits can be compared.
_INEXACT = (
    "CASE WHEN {0} BETWEEN -9007199254740992 AND 9007199254740992 THEN FALSE"
    " WHEN {0}::float8 >= 9223372036854775808 THEN TRUE ELSE {0}::float8::bigint <> {0} END"
)
_INT_OF_DECIMAL = (
    "CASE WHEN {0} >= -9223372036854775808 AND {0} < 9223372036854775808 AND {0} = trunc({0}) THEN {0}::bigint END"
)
_INT_OF_TEXT = (
    "CASE WHEN {0} ~ '^(0|-?[1-9][0-9]{{0,18}})$' THEN"
    f" CASE WHEN {{0}}::numeric BETWEEN {_LEAST} AND {_MOST} THEN {{0}}::bigint END END"
)
# Its digits are as few as tell it from all others.
_TEXT_OF_DECIMAL = "CASE WHEN {0}::text ~ '^-?[0-9]+$' THEN {0}::text || '.0' ELSE {0}::text END"
# One of JSON's numbers, and a finite one.
_NUMBER = (
    "CASE WHEN length({0}) <= 400 AND {0} ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]{{1,3}})?$' THEN"
    f" CASE WHEN {{0}}::numeric = 0 OR abs({{0}}::numeric) BETWEEN {_SMALLEST} AND {LARGEST} THEN {{0}}::float8 END END"
)
_MONTH = "make_date(substr({0}, 1, 4)::int, substr({0}, 6, 2)::int, 1)"
_DATE = (
    "CASE WHEN {0} ~ '^(?!0000)[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' THEN"
    f" CASE WHEN {_MONTH} + substr({{0}}, 9, 2)::int <= {_MONTH} + interval '1 month' THEN {{0}} END END"
)
_HEX = "[0-9a-fA-F]"
_UUID = "-".join(f"{_HEX}{{{{{count}}}}}" for count in (8, 4, 4, 4, 12))
_DAY = "to_char(to_timestamp(floor({0} / 1000.0)) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"

# {0} is the old value.
CONVERSIONS = {
    ("int", "decimal"): Conversion("{0}::float8", _INEXACT),
    ("decimal", "int"): Conversion(_INT_OF_DECIMAL),
    ("int", "bool"): Conversion("CASE {0} WHEN 1 THEN TRUE WHEN 0 THEN FALSE END"),
    ("bool", "int"): Conversion("{0}::int::bigint"),
    ("int", "text"): Conversion("{0}::text"),
    ("decimal", "text"): Conversion(_TEXT_OF_DECIMAL),
    ("bool", "text"): Conversion("{0}::text"),
    ("text", "int"): Conversion(_INT_OF_TEXT),
    ("text", "decimal"): Conversion(_NUMBER),
    ("text", "bool"): Conversion("CASE {0} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"),
    ("text", "date"): Conversion(_DATE),
    ("text", "uuid"): Conversion(f"CASE WHEN {{0}} ~ '^{_UUID}$' THEN lower({{0}}) END"),
    ("date", "timestamp"): Conversion("(date_part('epoch', {0}::date::timestamp) * 1000)::bigint"),
    ("timestamp", "date"): Conversion(_DAY, "{0} % 86400000 <> 0"),
    ("text", "json"): Conversion("to_json({0})"),
    ("int", "json"): Conversion("to_json({0})"),
    ("decimal", "json"): Conversion(f"({_TEXT_OF_DECIMAL})::json"),
    ("bool", "json"): Conversion("to_json({0})"),
}
