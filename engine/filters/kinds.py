"""Filters that ask for a value's kind, or turn it into another. A text is a number as a whole, or it is none."""

from __future__ import annotations

import re

from engine import registry
from engine.bounds import decimal, integer, range_fault, unfit
from engine.closed import closed
from engine.errors import value_fault
from engine.registry import Misfit, WrittenKind
from engine.values import ANY, Kind, common, contains_secret
from engine.written_kinds import read_kind

_INT = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
MAX_DIGITS = 400  # characters of a text that may be a number
_NO_NUMBER = "Input is no number."


@registry.filter
def is_null(value: object | None) -> bool:
    """Whether a value is null.

    null | is_null  => true
    "" | is_null    => false
    """
    return value is None


@registry.filter
def is_empty(value: object | None) -> bool:
    """Whether a value is null, or a text, list or object that holds nothing.

    Unlike in Xano, `0`, `"0"` and `false` are not empty.

    "" | is_empty    => true
    [] | is_empty    => true
    {} | is_empty    => true
    null | is_empty  => true
    "0" | is_empty   => false
    0 | is_empty     => false
    """
    return value is None or (isinstance(value, (str, list, dict)) and not value)


@registry.filter
def is_text(value: object | None) -> bool:
    """Whether a value is a text.

    "213" | is_text  => true
    213 | is_text    => false
    """
    return isinstance(value, str)


@registry.filter
def is_int(value: object | None) -> bool:
    """Whether a value is a number written without a point.

    5 | is_int    => true
    5.0 | is_int  => false
    "5" | is_int  => false
    true | is_int => false
    """
    return isinstance(value, int) and not isinstance(value, bool)


@registry.filter
def is_decimal(value: object | None) -> bool:
    """Whether a value is a number written with a point.

    5.5 | is_decimal  => true
    5 | is_decimal    => false
    """
    return isinstance(value, float)


@registry.filter
def is_number(value: object | None) -> bool:
    """Whether a value is a number, written with a point or without.

    5 | is_number     => true
    5.5 | is_number   => true
    "5" | is_number   => false
    true | is_number  => false
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@registry.filter
def is_bool(value: object | None) -> bool:
    """Whether a value is true or false.

    false | is_bool  => true
    1 | is_bool      => false
    """
    return isinstance(value, bool)


@registry.filter(aliases=("is_array",))
def is_list(value: object | None) -> bool:
    """Whether a value is a list.

    [] | is_list      => true
    {a: 1} | is_list  => false
    """
    return isinstance(value, list)


@registry.filter
def is_object(value: object | None) -> bool:
    """Whether a value is an object.

    {} | is_object    => true
    [1] | is_object   => false
    null | is_object  => false
    """
    return isinstance(value, dict)


def _as_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    if len(literals) < 2:
        return ANY
    kind = read_kind(literals[1])
    if common(kinds[0], kind).name == "never":
        raise Misfit(f"this is {kinds[0]}, which is never {kind}")
    return kind.masked(kinds[0]) if contains_secret(kinds[0]) else kind


@registry.filter(result=_as_kind, charges=True)
def as_kind(value: object | None, kind: WrittenKind) -> object | None:
    """A value from outside, once it has shown to be of a kind; a fault where it is of another. Nothing is converted.

    The kind is written out: `int decimal text bool object json null`, with `[]` for a list, `or` between several, an
    object with a kind for each of its fields, and a list of such a kind. Of an object, the fields that are named are
    kept; one whose name ends in `?` may be left out, and is null then.

    "7" | json_decode | as_kind("int")                                    => 7
    "[1, null]" | json_decode | as_kind("int[]")                          => fault value
    "null" | json_decode | as_kind("int or null")                         => null
    {id: 7, name: "Ada", more: 1} | as_kind({id: "int", "age?": "int"})   => {id: 7, age: null}
    {tags: ["a"]} | as_kind({tags: "text[]"})                             => {tags: ["a"]}
    [{sku: "a", n: 1}] | as_kind([{sku: "text"}])                         => [{sku: "a"}]
    "{\\"id\\": \\"7\\"}" | json_decode | as_kind({id: "int"})              => fault value
    "7" | as_kind("int")                                                  => fault kind
    """
    return closed(value, kind)


@registry.filter(refuses={"value": "form"})
def to_int(value: str | float | bool) -> int:
    """An int of a text, a decimal (what is after the point is dropped) or a bool (1 or 0).

    A text must be an int and nothing else: Xano reads "133.45 kg" as 133, here it is a fault.

    "-42" | to_int        => -42
    3.9 | to_int          => 3
    (-3.9) | to_int       => -3
    true | to_int         => 1
    "133.45 kg" | to_int  => fault value
    "" | to_int           => fault value
    1e300 | to_int        => fault range
    """
    if isinstance(value, str):
        return integer(int(_numeral(value, _INT, "to_int")))
    if isinstance(value, (int, float)):
        return integer(int(value))
    raise unfit("to_int", "a text, a number or a bool", value)


def _numeral(text: str, pattern: re.Pattern[str], name: str) -> str:
    if len(text) > MAX_DIGITS:
        raise range_fault(f"'{name}' reads texts of at most {MAX_DIGITS} characters", _NO_NUMBER)
    if not pattern.fullmatch(text):
        message = f"'{name}' takes a text that is a number as a whole; this one holds something else"
        raise value_fault(message, _NO_NUMBER)
    return text


@registry.filter(refuses={"value": "form"})
def to_decimal(value: str | float | bool) -> float:
    """A decimal of a text, an int or a bool (1 or 0); the text must be a number and nothing else, unlike in Xano.

    "133.45" | to_decimal     => 133.45
    "1e3" | to_decimal        => 1000
    2 | to_decimal            => 2.0
    "133.45 kg" | to_decimal  => fault value
    "1e999" | to_decimal      => fault range
    """
    if isinstance(value, str):
        return decimal(float(_numeral(value, _DECIMAL, "to_decimal")))
    if isinstance(value, (int, float)):
        return decimal(float(value))
    raise unfit("to_decimal", "a text, a number or a bool", value)


@registry.filter
def to_text(value: str | float | bool) -> str:
    """The text of a number or a bool, as JSON writes it. Null, lists and objects have none: see `json_encode`.

    1.344 | to_text   => "1.344"
    (-7) | to_text    => "-7"
    true | to_text    => "true"
    "a" | to_text     => "a"
    null | to_text    => fault kind
    [1] | to_text     => fault kind
    """
    return written("to_text", value)


def written(name: str, value: object) -> str:
    """A text, number or bool as text; a fault in the name of the filter that asks, where it is something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise unfit(name, "a text, a number or a bool", value)


_BOOLS: dict[object, bool] = {"true": True, "1": True, 1: True, "false": False, "0": False, 0: False}


@registry.filter(refuses={"value": "form"})
def to_bool(value: str | float | bool) -> bool:
    """True of `true`, `1`, `"true"` and `"1"`, false of `false`, `0`, `"false"` and `"0"`; all else is a fault.

    "false" | to_bool  => false
    1 | to_bool        => true
    "yes" | to_bool    => fault value
    2 | to_bool        => fault value
    """
    if isinstance(value, (str, int, float)) and value in _BOOLS:
        return _BOOLS[value]
    raise value_fault(
        "'to_bool' takes true, false, 1 or 0, as they are or as texts", "Input is neither true nor false."
    )
