"""Filters that ask about a value, spelt as the conditions of a query are: there a database answers them."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import re2

from engine import registry
from engine.bounds import range_fault
from engine.compare import identities
from engine.filters.patterns import KEPT, matches, program
from engine.operators import less_or_equal
from engine.pace import stepwise
from engine.registry import Misfit
from engine.values import BOOL, Kind, conversion

MAX_PATTERN = 1000  # characters of what `like` compares with
MAX_WORDS = 32  # words of a search
_LIKE = re.compile(r"\\(.)|([%_])|([^\\%_]+)|\\", re.DOTALL)
_WORD = re.compile(r"[^\W_]+\*?")


def _between_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    for place, bound in enumerate(kinds[1:], start=1):
        families = {each.family for kind in (kinds[0], bound) for each in kind.choices}
        if {"number", "text"} <= families:
            raise Misfit(f"{kinds[0]} and {bound} have no order", place, conversion(kinds[0], bound))
    return BOOL


@registry.filter(result=_between_kind)
def between(value: float | str, least: float | str, greatest: float | str) -> bool:
    """Whether a number or text lies between two others, both included; texts by code point, so dates by day.

    In a query `between?` leaves out the bound that is null.

    5 | between(1, 5)                              => true
    5.5 | between(1, 5)                            => false
    "2026-03-01" | between("2026-01-01", "2026-12-31")  => true
    5 | between("1", "9")                          => fault kind
    """
    is_low_enough = less_or_equal(value, greatest)  # first, so that every argument's kind is looked at
    return less_or_equal(least, value) and is_low_enough


@registry.filter(refuses={"pattern": "length"}, charges=True)
def like(text: str, pattern: str) -> bool:
    """Whether a whole text is as a pattern says: `%` stands for any characters, `_` for one.

    A backslash takes the next character as it is. Upper and lower case differ; `ilike` is the same without that.

    "Epic Battle" | like("Epic%")    => true
    "Epic Battle" | like("epic%")    => false
    "Epic" | like("_pic")            => true
    "100%" | like("100\\\\%")          => true
    """
    return _is_like(text, _pattern(pattern, "(?s)"))


@registry.filter(refuses={"pattern": "length"}, charges=True)
def ilike(text: str, pattern: str) -> bool:
    """Whether a whole text is as a pattern says, upper and lower case being the same: `%` any characters, `_` one.

    "Epic Battle" | ilike("epic%")  => true
    "ÄRA" | ilike("ä_a")            => true
    "Epic" | ilike("pic")           => false
    """
    return _is_like(text, _pattern(pattern, "(?si)"))


def _is_like(text: str, pattern: Any) -> bool:
    return matches(pattern.fullmatch, pattern, text)


def wildcards(pattern: str) -> str:
    """A pattern of `like`. Raises Fault range where it is too long."""
    if len(pattern) > MAX_PATTERN:
        raise range_fault(
            f"a pattern has at most {MAX_PATTERN} characters", f"Input is longer than {MAX_PATTERN} characters."
        )
    return pattern


@functools.lru_cache(maxsize=KEPT)
def _pattern(pattern: str, flags: str) -> Any:
    return program(flags + "".join(_parts(wildcards(pattern))))


def _parts(pattern: str) -> Iterator[str]:
    """The parts of a regular expression; a `\\\\` at the end stands for itself."""
    for match in _LIKE.finditer(pattern):
        escaped, wild, plain = match.groups()
        if wild:
            yield ".*" if wild == "%" else "."
        else:
            yield re2.escape(escaped or plain or "\\")


@registry.filter(charges=True)
def overlaps(items: list[object], others: list[object]) -> bool:
    """Whether two lists have an item in common.

    [1, 2] | overlaps([2, 3])  => true
    [1] | overlaps(["1"])      => false
    [] | overlaps([])          => false
    """
    keys = identities([*items, *others])
    return not set(keys[: len(items)]).isdisjoint(keys[len(items) :])


@registry.filter(refuses={"words": "length"}, charges=True)
def search(text: str | list[str | None], words: str) -> bool:
    """Whether a text, or several together, hold all words that are looked for; case and accents don't count.

    A word with a `*` after it is the beginning of one. In a query it asks the table's search index.

    "The Epic Battle" | search("battle epic")          => true
    "The Epic Battle" | search("bat")                  => false
    "The Epic Battle" | search("bat*")                 => true
    ["Études", "for piano"] | search("etudes piano")   => true
    "Epic" | search("")                                => false
    """
    texts = text if isinstance(text, list) else [text]
    held = {folded(word.rstrip("*")) for part in texts for word in stepwise(words_of(part or ""))}
    wanted = wanted_words(words)
    return bool(wanted) and all(_holds(held, folded(word)) for word in wanted)


def words_of(text: str) -> list[str]:
    """The words of a text as they are written; a `*` stays at the end of a word."""
    return [match[0] for match in stepwise(_WORD.finditer(unicodedata.normalize("NFC", text)))]


def wanted_words(text: str) -> list[str]:
    """The words that are looked for. Raises Fault range for more than `MAX_WORDS`."""
    words = words_of(text)
    if len(words) > MAX_WORDS:
        raise range_fault(f"a search has at most {MAX_WORDS} words", f"Input has more than {MAX_WORDS} words.")
    return words


def folded(word: str) -> str:
    """A word without case and accents, as words are compared."""
    parts = unicodedata.normalize("NFD", word.lower())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _holds(held: set[str], word: str) -> bool:
    if word.endswith("*"):
        return any(each.startswith(word[:-1]) for each in stepwise(held))
    return word in held
