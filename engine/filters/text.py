"""Filters of texts. Lengths and positions count characters (Unicode code points), never bytes."""

from __future__ import annotations

import re

from engine import registry
from engine.bounds import bounded_text, range_fault, room_for_items, room_for_text, stretch, unfit
from engine.compare import identities
from engine.errors import value_fault
from engine.filters.rules import kind_at
from engine.operators import member
from engine.pace import stepwise
from engine.registry import Misfit
from engine.values import ANY, BOOL, Kind, comparable, conversion

_PARTS = re.compile(r"\S+|\s+")


@registry.filter(charges=True)
def trim(text: str, mask: str = "") -> str:
    """Text without the characters of `mask` at both ends; without white space where no mask is given.

    A mask is a plain set of characters: `a..z` is no range, unlike Xano's.

    "  a b \\n" | trim        => "a b"
    "...test..." | trim(".")  => "test"
    "" | trim                 => ""
    """
    return text.strip(mask or None)


@registry.filter(charges=True)
def ltrim(text: str, mask: str = "") -> str:
    """Text without the characters of `mask` (white space where none is given) at its start.

    "000123" | ltrim("0")  => "123"
    "  a " | ltrim         => "a "
    """
    return text.lstrip(mask or None)


@registry.filter(charges=True)
def rtrim(text: str, mask: str = "") -> str:
    """Text without the characters of `mask` (white space where none is given) at its end.

    "1.500" | rtrim("0")  => "1.5"
    " a  " | rtrim        => " a"
    """
    return text.rstrip(mask or None)


@registry.filter(charges=True, aliases=("lower",))
def to_lower(text: str) -> str:
    """Text in lower case.

    "Epic ÄÖ" | to_lower  => "epic äö"
    "" | to_lower         => ""
    """
    return bounded_text(text.lower())


@registry.filter(charges=True, aliases=("upper",))
def to_upper(text: str) -> str:
    """Text in upper case; may be longer than it was.

    "Epic" | to_upper    => "EPIC"
    "straße" | to_upper  => "STRASSE"
    """
    return bounded_text(text.upper())


@registry.filter(charges=True)
def capitalize(text: str) -> str:
    """Text whose words start in upper case and go on in lower case; white space parts words.

    "THE QUICK fox" | capitalize  => "The Quick Fox"
    "élan vital" | capitalize     => "Élan Vital"
    "" | capitalize               => ""
    """
    return bounded_text("".join(stepwise(map(_capitalized, _PARTS.finditer(text)))))


def _capitalized(part: re.Match[str]) -> str:
    word = part[0]
    return word[0].upper() + word[1:].lower()


@registry.filter
def strlen(text: str) -> int:
    """The number of characters of a text.

    "Epic Battle" | strlen  => 11
    "aé€😀" | strlen         => 4
    [1, 2] | strlen         => fault kind
    """
    return len(text)


@registry.filter(charges=True)
def substr(text: str, start: int, length: int | None = None) -> str:
    """The `length` characters from `start`, counted from 0; the rest where no length is given.

    A negative start counts from the end, a negative length leaves out as many at the end.

    "Epic Battle" | substr(5, 6)  => "Battle"
    "abcdef" | substr(-4)         => "cdef"
    "abcdef" | substr(1, -1)      => "bcde"
    "abc" | substr(5)             => ""
    """
    first, end = stretch(len(text), start, length)
    return text[first:end]


@registry.filter(refuses={"length": "size"}, charges=True)
def truncate(text: str, length: int, ending: str = "…") -> str:
    """Text cut to `length` characters, with an `ending` where it was cut.

    "function stack" | truncate(8)  => "function…"
    "short" | truncate(8)           => "short"
    "long" | truncate(2, "")        => "lo"
    7 | truncate(1)                 => fault kind
    "long" | truncate(-1)           => fault range
    """
    if length < 0:
        raise range_fault("a text can't be cut to fewer than 0 characters")
    return text if len(text) <= length else bounded_text(text[:length] + ending)


def _contains_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    value, search = kinds[0], kind_at(kinds, 1)
    families = {each.family for each in value.choices}
    if "text" in families and (search.nullable or search.family not in ("text", "any")):
        raise Misfit(f"in a text only a text can be looked for, this is {search}", 1, conversion(value, search))
    item = next((each.item or ANY for each in value.choices if each.name == "list"), ANY)
    if not comparable(item, search):
        raise Misfit(f"{item} and {search} can never be equal", 1, conversion(item, search))
    return BOOL


@registry.filter(result=_contains_kind, charges=True)
def contains(value: str | list[object], search: object | None) -> bool:
    """Whether a text holds the text `search`, or a list holds the value `search`.

    Upper and lower case differ. Values are equal when their kinds are: a list of texts holds no number.

    "Epic Battle" | contains("Battle")  => true
    "Epic Battle" | contains("battle")  => false
    [1, 2, 3] | contains(2.0)           => true
    ["1", 1.5] | contains(1)            => false
    [{a: [1]}] | contains({a: [1]})     => true
    "1" | contains(1)                   => fault kind
    """
    if isinstance(value, list) and isinstance(search, list | dict):
        wanted, *held = identities([search, *value])
        return wanted in held
    if isinstance(value, list):
        return member(search, value)
    if isinstance(value, str) and isinstance(search, str):
        return search in value
    if isinstance(value, str):
        raise unfit("contains", "a text to look for in a text", search)
    raise unfit("contains", "a text or a list", value)


@registry.filter(charges=True)
def icontains(text: str, search: str) -> bool:
    """Whether a text holds `search`, upper and lower case being the same.

    "Epic Battle" | icontains("BATTLE")  => true
    "Straße" | icontains("STRASSE")      => true
    "abc" | icontains("x")               => false
    """
    return search.casefold() in text.casefold()


@registry.filter(charges=True)
def starts_with(text: str, search: str) -> bool:
    """Whether a text starts with `search`; upper and lower case differ.

    "Epic Battle" | starts_with("Epic")  => true
    "Epic Battle" | starts_with("epic")  => false
    "" | starts_with("")                 => true
    """
    return text.startswith(search)


@registry.filter(charges=True)
def ends_with(text: str, search: str) -> bool:
    """Whether a text ends with `search`; upper and lower case differ.

    "Epic Battle" | ends_with("Battle")  => true
    "Epic" | ends_with("Epic Battle")    => false
    """
    return text.endswith(search)


@registry.filter(charges=True)
def split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators; its characters where the separator is `""`.

    "a,b" | split(",")  => ["a", "b"]
    "té" | split("")    => ["t", "é"]
    "" | split(",")     => [""]
    ",a" | split(",")   => ["", "a"]
    """
    room_for_items(text.count(separator))
    return text.split(separator) if separator else list(text)


@registry.filter(charges=True)
def join(texts: list[str], separator: str) -> str:
    """The texts of a list as one text, a separator between them.

    Only texts are joined: Xano turns other kinds into text, here `map` and `to_text` say so.

    ["a", "b"] | join("-")  => "a-b"
    [] | join("-")          => ""
    [1, 2] | join("-")      => fault kind
    """
    room_for_text(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@registry.filter(refuses={"search": "empty"}, charges=True, aliases=("string_replace",))
def replace(text: str, search: str, replacement: str) -> str:
    """Text with every `search` in it replaced.

    "Hella World" | replace("o", "a")  => "Hella Warld"
    "a.b.c" | replace(".", "")         => "abc"
    "abc" | replace("x", "y")          => "abc"
    "abc" | replace("", "y")           => fault value
    """
    if not search:
        raise value_fault("'replace' can't search for an empty text", "Input is empty.")
    room_for_text(len(text) + text.count(search) * (len(replacement) - len(search)))
    return text.replace(search, replacement)


@registry.filter(charges=True)
def concat(text: str, other: str, separator: str = "") -> str:
    """Two texts as one, a separator between them.

    "Hello" | concat("World!", " - ")  => "Hello - World!"
    "" | concat("a")                   => "a"
    "a" | concat(1)                    => fault kind
    """
    room_for_text(len(text) + len(separator) + len(other))
    return f"{text}{separator}{other}"
