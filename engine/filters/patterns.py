"""Filters of regular expressions, on an engine whose time is linear in the text (RE2).

That engine knows neither look-around nor back-references.

The text is piped and the pattern is the argument, as for every other filter of texts. (Xano pipes the pattern, with
delimiters: `"/^a/" | regex_matches:$text` is `$text | regex_matches("^a")` here; flags go inside, `(?i)`.)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import re2

from engine import registry
from engine.bounds import bounded_text, range_fault, room_for_text
from engine.budget import budget_fault
from engine.errors import value_fault
from engine.filters.rules import content_checked, literal_at
from engine.pace import STRIDE, aside, pace
from engine.values import BOOL, TEXT, Kind

MAX_PATTERN = 1000  # characters
_MEMORY = 1 << 20  # bytes for one compiled pattern, which takes some milliseconds at most to compile
KEPT = 64  # compiled patterns, which a client may have sent
_MOST_STEPS = 10_000_000_000  # some half a minute
_FEW_STEPS = 500_000  # some two milliseconds
_PACE = 64  # matches between two looks at the run's limits
_WIDEST = 4  # bytes of a character
_REFERENCE = re.compile(r"\$(\$|[0-9]{1,2})")
T = TypeVar("T")


@functools.lru_cache(maxsize=KEPT)
def compiled(pattern: str) -> Any:
    """What RE2 makes of a pattern. Raises Fault value where it is none, range where it is too long."""
    if len(pattern) > MAX_PATTERN:
        raise range_fault(
            f"a pattern has at most {MAX_PATTERN} characters", f"Input is longer than {MAX_PATTERN} characters."
        )
    try:
        return program(pattern)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        raise value_fault(f"the pattern isn't a regular expression: {reason}", "Input is no pattern.") from error


def program(pattern: str) -> Any:
    """What RE2 makes of a pattern, within bounds of time and memory. Raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    pace(STRIDE)
    try:
        return re2.compile(pattern, options)
    finally:
        re2.purge()  # it would keep more of them than we do


@registry.filter(
    result=content_checked(BOOL, (1, compiled)), refuses={"pattern": "form"}, charges=True, aliases=("regex_test",)
)
def regex_matches(text: str, pattern: str) -> bool:
    """Whether a pattern matches anywhere in a text; `^` and `$` tie it to its ends.

    Xano pipes the pattern; here the text is piped.

    "abbbbc" | regex_matches("^a.*c$")  => true
    "xabc" | regex_matches("^a")        => false
    "ÄB" | regex_matches("(?i)äb")      => true
    "a" | regex_matches("(")            => fault kind
    "a" | regex_matches("(?=a)")        => fault kind
    """
    return matches(compiled(pattern).search, compiled(pattern), text)


def matches(look: Callable[[str], object], program: Any, text: str) -> bool:
    """Whether a program of RE2 finds what it looks for in a text."""
    return measured(program, text, lambda: look(text) is not None)


def measured(program: Any, text: str, work: Callable[[], T]) -> T:
    """What `work` makes of a text by a program, at worst in as many steps as the one has characters times the other
    instructions; in a thread where that may take long. Raises Fault budget where it would take longer than any run."""
    steps = len(text) * program.programsize
    if steps > _MOST_STEPS:
        raise budget_fault(f"the pattern has {program.programsize} steps, too many for {len(text)} characters")
    return aside(work) if steps > _FEW_STEPS else work()


def _replace_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    content_checked(TEXT, (1, compiled))(kinds, literals)
    pattern = literal_at(literals, 1)
    if not isinstance(pattern, str):
        return TEXT
    return content_checked(TEXT, (2, lambda text: _template(text, compiled(pattern).groups)))(kinds, literals)


@registry.filter(result=_replace_kind, refuses={"pattern": "form", "replacement": "form"}, charges=True)
def regex_replace(text: str, pattern: str, replacement: str) -> str:
    """Text with every match of a pattern replaced; `$1` is the first group, `$0` the match, `$$` a dollar sign.

    Xano pipes the pattern; here the text is piped.

    "Hello   World" | regex_replace("\\\\s+", "-")           => "Hello-World"
    "a@b" | regex_replace("(\\\\w)@(\\\\w)", "$2 at $1")       => "b at a"
    "abc" | regex_replace("x*", "-")                       => "-a-b-c-"
    "a" | regex_replace("a", "$1")                         => fault kind
    """
    program = compiled(pattern)
    template = _template(replacement, program.groups)
    return measured(program, text, lambda: _replaced(text, program, template))


def _template(replacement: str, groups: int) -> list[str | int]:
    """The texts of a replacement and, between them, the numbers of the groups it names."""
    template = [_part(part) if place % 2 else part for place, part in enumerate(_REFERENCE.split(replacement))]
    unknown = next((part for part in template if isinstance(part, int) and part > groups), None)
    if unknown is not None:
        raise value_fault(f"the replacement names '${unknown}', but the pattern has {groups} groups")
    return template


def _part(reference: str) -> str | int:
    return reference if reference == "$" else int(reference)


def _replaced(text: str, program: Any, template: list[str | int]) -> str:
    """In bytes, of which RE2 makes no copy for each match."""
    given, made, end = text.encode(), bytearray(), 0
    parts = [part.encode() if isinstance(part, str) else part for part in template]
    for match in _found(program, given):
        made += given[end : match.start()]
        for part in parts:
            made += part if isinstance(part, bytes) else match.group(part) or b""
        room_for_text(len(made) // _WIDEST)
        end = match.end()
    made += given[end:]
    try:
        return bounded_text(made.decode())
    except UnicodeDecodeError as error:
        raise value_fault("the pattern replaces parts of characters: leave out its '\\C'") from error


def _found(program: Any, given: bytes) -> Iterator[Any]:
    """The matches in UTF-8. RE2's wrapper also finds what is empty within a character, or the same twice."""
    last = None
    for place, match in enumerate(program.finditer(given)):
        if place % _PACE == 0:
            pace(_PACE)
        span = start, _ = match.span()
        if span != last and not (start < len(given) and given[start] & 0xC0 == 0x80):
            yield match
        last = span
