"""Filters of regular expressions, on an engine whose time is linear in the text (RE2).

That engine knows neither look-around nor back-references.

The text is piped and the pattern is the argument, as for every other filter of texts. (Xano pipes the pattern, with
delimiters: `"/^a/" | regex_matches:$text` is `$text | regex_matches("^a")` here; flags go inside, `(?i)`.)
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from typing import Any

import re2

from engine import registry
from engine.bounds import range_fault, room_for_text
from engine.errors import value_fault
from engine.filters.rules import content_checked, literal_at
from engine.values import BOOL, TEXT, Kind

MAX_PATTERN = 1000  # characters
_MEMORY = 8 * 1024 * 1024  # bytes for one compiled pattern
_REFERENCE = re.compile(r"\$(\$|[0-9]{1,2})")


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """What RE2 makes of a pattern. Raises Fault value where it is none, range where it is too long."""
    if len(pattern) > MAX_PATTERN:
        raise range_fault(f"a pattern has at most {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        raise value_fault(f"the pattern isn't a regular expression: {reason}") from error


@registry.filter(result=content_checked(BOOL, (1, compiled)), aliases=("regex_test",))
def regex_matches(text: str, pattern: str) -> bool:
    """Whether a pattern matches anywhere in a text; `^` and `$` tie it to its ends.

    Xano pipes the pattern; here the text is piped.

    "abbbbc" | regex_matches("^a.*c$")  => true
    "xabc" | regex_matches("^a")        => false
    "ÄB" | regex_matches("(?i)äb")      => true
    "a" | regex_matches("(")            => fault kind
    "a" | regex_matches("(?=a)")        => fault kind
    """
    return compiled(pattern).search(text) is not None


def _replace_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    content_checked(TEXT, (1, compiled))(kinds, literals)
    pattern = literal_at(literals, 1)
    if not isinstance(pattern, str):
        return TEXT
    return content_checked(TEXT, (2, lambda text: _template(text, compiled(pattern).groups)))(kinds, literals)


@registry.filter(result=_replace_kind)
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
    result, length = io.StringIO(), 0
    for piece in _pieces(text, program, template):
        length += len(piece)
        room_for_text(length)
        result.write(piece)
    return result.getvalue()


def _template(replacement: str, groups: int) -> list[str | int]:
    """The texts of a replacement and, between them, the numbers of the groups it names."""
    template = [_part(part) if place % 2 else part for place, part in enumerate(_REFERENCE.split(replacement))]
    unknown = next((part for part in template if isinstance(part, int) and part > groups), None)
    if unknown is not None:
        raise value_fault(f"the replacement names '${unknown}', but the pattern has {groups} groups")
    return template


def _part(reference: str) -> str | int:
    return reference if reference == "$" else int(reference)


def _pieces(text: str, program: Any, template: list[str | int]) -> Iterator[str]:
    end = 0
    for match in program.finditer(text):
        yield text[end : match.start()]
        yield from (part if isinstance(part, str) else match.group(part) or "" for part in template)
        end = match.end()
    yield text[end:]
