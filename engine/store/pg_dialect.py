"""PostgreSQL's dialect. Its parameters have types, which are settled at load; text is compared by code point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.filters.measures import EARTH_RADIUS
from engine.store import pg_search
from engine.store.bind import SCALARS, after
from engine.store.dialect import Dialect, Function, Place, Step
from engine.store.pg_pattern import MATCHES, translated
from engine.store.pg_text import folded, lower, upper
from engine.store.terms import INTS
from engine.values import INT_MAX, INT_MIN, Kind

_SPACE = "".join(filter(str.isspace, map(chr, range(0x3001))))  # what `trim` takes away


def type_of(given: Kind, target: Kind) -> str:
    """The type of a value of a kind that meets a target."""
    family = target.family if target.family in SCALARS else given.family
    if family == "number":
        return "bigint" if given.name in INTS or (given.name == "null" and target.name in INTS) else "double precision"
    return {"text": "text", "bool": "boolean"}.get(family, "jsonb")


def _parameter(number: int, given: Kind, target: Kind) -> str:
    type_ = type_of(given, target)
    return f"${number}::{type_}" + (' COLLATE "C"' if type_ == "text" else "")


def _list_parameter(number: int, target: Kind) -> str:
    return f"${number}::{type_of(target, target)}[]"


def _list(values: list[object], target: Kind) -> object:
    """The values of a list that its type can hold; what it can't hold equals none of them."""
    if target.family != "number":
        return values
    read = _int if target.name in INTS else _decimal
    return [item for item in map(read, values) if item is not ...]


def _int(value: Any) -> Any:
    if value is None:
        return None
    return int(value) if value % 1 == 0 and INT_MIN <= value <= INT_MAX else ...


def _decimal(value: Any) -> Any:
    try:
        return value if value is None or float(value) == value else ...
    except OverflowError:
        return ...


def _place(sql: str, steps: Sequence[Step]) -> Place:
    """What lies at the end of a path. PostgreSQL takes a key of digits for a place in a list, and the reverse."""
    for step in steps:
        inside = f"{sql} -> {_literal(step) if isinstance(step, str) else step}"
        if isinstance(step, str) and not step.lstrip("-").isdigit():
            sql = f"({inside})"
        else:
            type_ = "object" if isinstance(step, str) else "array"
            sql = f"(CASE json_typeof({sql}) WHEN '{type_}' THEN {inside} END)"
    return sql, ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Filters of values.


def _typed(sql: str, result: Kind) -> str:
    return f"({sql})::{'bigint' if result.name in INTS else 'double precision'}"


def _exact(sql: str) -> str:
    """A number as it is written; a cast of a double would keep 15 digits."""
    return f"({sql})::text::numeric"


def _round(arguments: Sequence[str], result: Kind) -> str:
    digits = f", ({arguments[1]})::int" if len(arguments) > 1 else ""
    return _typed(f"round({_exact(arguments[0])}{digits})", result)


def _whole(name: str) -> Function:
    return lambda arguments, result: f"{name}({_exact(arguments[0])})::bigint"


def _trimmed(name: str) -> Function:
    def trim(arguments: Sequence[str], result: Kind) -> str:
        mask = _literal(_SPACE)
        if len(arguments) > 1:
            mask = f"CASE WHEN {arguments[1]} = '' THEN {mask} ELSE {arguments[1]} END"
        return f"{name}({arguments[0]}, {mask})"

    return trim


def _substr(arguments: Sequence[str], result: Kind) -> str:
    text, start, *length = arguments
    whole = f"length({text})"
    first = f"(CASE WHEN {start} < 0 THEN greatest({whole} + {start}, 0) ELSE least({start}, {whole}) END)"
    if not length:
        return f"(CASE WHEN {start} IS NOT NULL THEN substr({text}, {first}::int + 1) END)"
    until = f"(CASE WHEN {length[0]} < 0 THEN {whole} + {length[0]} ELSE {first} + least({length[0]}, {whole}) END)"
    known = f"{start} IS NOT NULL AND {length[0]} IS NOT NULL"
    return f"(CASE WHEN {known} THEN substr({text}, {first}::int + 1, greatest({until} - {first}, 0)::int) END)"


def _part(field: str) -> Function:
    """A part of a timestamp in a time zone, by default UTC."""

    def extract(arguments: Sequence[str], result: Kind) -> str:
        zone = arguments[1] if len(arguments) > 1 else "'UTC'"
        moment = f"(timestamp 'epoch' + {arguments[0]} * interval '1 millisecond')"
        return f"extract({field} FROM {moment} AT TIME ZONE 'UTC' AT TIME ZONE {zone})::bigint"

    return extract


def _since(milliseconds: int) -> Function:
    return lambda arguments, result: f"floor({arguments[0]} / {milliseconds}.0)::bigint"


def _called(name: str) -> Function:
    return lambda arguments, result: f"{name}({', '.join(arguments)})"


FUNCTIONS: dict[str, Function] = {
    "abs": _called("abs"),
    "ceil": _whole("ceil"),
    "floor": _whole("floor"),
    "ltrim": _trimmed("ltrim"),
    "replace": _called("replace"),
    "round": _round,
    "rtrim": _trimmed("rtrim"),
    "strlen": _called("length"),
    "substr": _substr,
    "timestamp_day_of_month": _part("day"),
    "timestamp_day_of_week": _part("dow"),
    "timestamp_day_of_year": _part("doy"),
    "timestamp_epoch_day": _since(86_400_000),
    "timestamp_epoch_hour": _since(3_600_000),
    "timestamp_epoch_minute": _since(60_000),
    "timestamp_epoch_sec": _since(1000),
    "timestamp_hour": _part("hour"),
    "timestamp_minute": _part("minute"),
    "timestamp_month": _part("month"),
    "timestamp_week": _part("week"),
    "timestamp_year": _part("year"),
    "to_lower": lambda arguments, result: lower(arguments[0]),
    "to_upper": lambda arguments, result: upper(arguments[0]),
    "trim": _trimmed("btrim"),
}

# A backslash at the end of a pattern stands for itself, where PostgreSQL misses what it escapes.
_LIKE = r"regexp_replace({1}, '(^|[^\\])((\\\\)*)\\$', '\1\2\\\\')"


# Measures of vectors and points, which are JSON.


def _numbers(sum_: str) -> str:
    """A sum over the pairs of two vectors' numbers, `a` and `b`."""
    lists = ", ".join(f"json_array_elements_text(({{{place}}})::json)" for place in (0, 1))
    numbers = "SELECT x::double precision AS a, y::double precision AS b"
    return f"(SELECT {sum_} FROM ({numbers} FROM ROWS FROM ({lists}) AS texts(x, y)) AS pairs)"


_LENGTHS = "nullif(sqrt(sum(a * a)) * sqrt(sum(b * b)), 0)"
_COSINE = f"CASE WHEN {_LENGTHS} IS NOT NULL THEN greatest(-1, least(1, sum(a * b) / {_LENGTHS})) END"


def _distance() -> str:
    """The haversine formula, as the filter has it."""
    degrees = ", ".join(
        f"radians((({{{place}}})::json #>> '{{{{data,{name}}}}}')::double precision) AS {name}{place}"
        for place in (0, 1)
        for name in ("lng", "lat")
    )
    part = "sin((lat1 - lat0) / 2) ^ 2 + cos(lat0) * cos(lat1) * sin((lng1 - lng0) / 2) ^ 2"
    metres = f"CASE WHEN lat0 + lat1 IS NOT NULL THEN {2 * EARTH_RADIUS} * asin(sqrt(least(1, {part}))) END"
    return f"(SELECT {metres} FROM (SELECT {degrees}) AS points)"


MEASURES = {
    "cosine_distance": _numbers(f"1 - ({_COSINE})"),
    "cosine_similarity": _numbers(_COSINE),
    "distance": _distance(),
    "inner_product": _numbers("sum(a * b)"),
    "l1_distance_manhattan": _numbers("sum(abs(a - b))"),
    "l2_distance_euclidean": _numbers("sqrt(sum((a - b) ^ 2))"),
    "negative_inner_product": _numbers("- sum(a * b)"),
}


def _sum(sql: str, kind: Kind) -> str:
    return f"coalesce({_typed(f'sum({sql})', kind)}, 0)"


def _average(sql: str, kind: Kind) -> str:
    return f"avg({sql})::double precision"


def _extreme(name: str) -> Callable[[str, Kind], str]:
    return lambda sql, kind: f"{name}({sql})"


def _same_item(item: str, other: str) -> str:
    return f"{item}::jsonb = coalesce(to_jsonb({other}), 'null')"


DIALECT = Dialect(
    parameter=_parameter,
    list_parameter=_list_parameter,
    true="TRUE",
    false="FALSE",
    is_true="{0} IS TRUE",
    # An index answers this one, and not IS NOT DISTINCT FROM.
    same="{0} = {1} OR ({0} IS NULL AND {1} IS NULL)",
    differs="{0} IS DISTINCT FROM {1}",
    member="{0} = ANY({1})",
    has_null="array_position({0}, NULL) IS NOT NULL",
    nulls=(" NULLS FIRST", " NULLS LAST"),
    distinct="({0})::text",
    functions=FUNCTIONS,
    tests={
        "starts_with": "starts_with({0}, {1})",
        "ends_with": "right({0}, length({1})) = {1}",
        "contains": "strpos({0}, {1}) > 0",
        "icontains": f"strpos({folded('{0}')}, {folded('{1}')}) > 0",
        "like": f"{{0}} LIKE {_LIKE}",
        "regex_matches": MATCHES,
        "ilike": f"{lower('{0}')} LIKE {lower(_LIKE)}",
    },
    prefix="{0} >= {1} AND ({2} IS NULL OR {0} < {2})",
    quotient="({0}::double precision / nullif({1}::double precision, 0))",
    divided="({0}::double precision / {1}::double precision)",
    rest="({0} % {1})",
    bounded=lambda sql, kind: sql,  # the server refuses it
    aggregates={"avg": _average, "max": _extreme("max"), "min": _extreme("min"), "sum": _sum},
    place=_place,
    pick={
        "int": "CASE json_typeof({0}) WHEN 'number' THEN ({0} #>> '{{}}')::bigint END",
        "number": "CASE json_typeof({0}) WHEN 'number' THEN ({0} #>> '{{}}')::double precision END",
        "text": "(CASE json_typeof({0}) WHEN 'string' THEN ({0} #>> '{{}}') END COLLATE \"C\")",
        "bool": "CASE json_typeof({0}) WHEN 'boolean' THEN ({0} #>> '{{}}')::boolean END",
    },
    json="{0}",
    is_absent="coalesce(json_typeof({0}), 'null') = 'null'",
    is_list="coalesce(json_typeof({0}) = 'array', FALSE)",
    length="CASE json_typeof({0}) WHEN 'array' THEN json_array_length({0}) END",
    element=dict.fromkeys(SCALARS, "coalesce({0}::jsonb @> to_jsonb({2}), FALSE)"),
    overlap="EXISTS (SELECT 1 FROM json_array_elements({0}) AS a(v) JOIN unnest({2}) AS b(w)"
    f" ON {_same_item('a.v', 'b.w')})",
    measures=MEASURES,
    search=pg_search.condition,
    bind_list=_list,
    bind_after=after,
    bind_words=pg_search.words,
    bind_pattern=translated,
    nothing=None,
)
