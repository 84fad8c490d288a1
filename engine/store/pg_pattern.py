"""Regular expressions of the language (RE2's) as PostgreSQL's advanced ones, which spell some parts otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.errors import Fault, value_fault
from engine.filters.patterns import compiled
from engine.store.pg_text import LETTERS

MATCHES = f"({{0}} {LETTERS}) ~ ({{1}} {LETTERS})"
MOST_REPEATS = 255  # of PostgreSQL

_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")
_TOKEN = re.compile(
    r"""
      \\x\{(?P<long>[0-9a-fA-F]+)\} | \\x(?P<short>[0-9a-fA-F]{2})
    | \\(?P<escape>.)
    | (?P<group>\(\?(?::|P?<[A-Za-z_]\w*>)) | (?P<odd>\(\?)
    | (?P<bracket>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])
    | (?P<repeat>\{(?P<least>\d+)(?:,(?P<most>\d*))?\}) | (?P<brace>[{}])
    | (?P<dot>\.) | (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(
    r"\\x\{(?P<long>[0-9a-fA-F]+)\}|\\x(?P<short>[0-9a-fA-F]{2})|\\(?P<escape>.)"
    r"|\[:(?P<named>\^?\w+):\]|(?P<range>-)|(?P<plain>.)",
    re.DOTALL,
)
_SETS = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_NAMED = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "space": "\t-\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f", "blank": "\t ",
}  # fmt: skip
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_TIES = {"b": r"\y", "B": r"\Y", "A": r"\A", "z": r"\Z"}


def translated(pattern: str) -> str:
    """The same pattern for `MATCHES`. Raises Fault value for what is none, and for what PostgreSQL has nothing for."""
    compiled(pattern)
    begun = _FLAGS.match(pattern)
    flags = set(begun[1]) if begun else set()
    if flags - set("ims"):
        raise _refused(f"(?{begun[1] if begun else ''})")
    rest = pattern[begun.end() :] if begun else pattern
    options = "".join(sorted("w" if flag == "m" else flag for flag in flags - {"s"}))
    return (f"(?{options})" if options else "") + "".join(_parts(rest, "." if "s" in flags else "[^\n]"))


def _parts(pattern: str, dot: str) -> Iterator[str]:
    for token in _TOKEN.finditer(pattern):
        match token.lastgroup:
            case "long" | "short":
                yield _literal(chr(int(token[token.lastgroup], 16)))
            case "escape":
                yield _escape(token["escape"])
            case "group":
                yield "(?:" if token["group"] == "(?:" else "("
            case "bracket":
                yield _bracket(token["bracket"])
            case "most" | "least" | "repeat":
                if max(int(token["least"]), int(token["most"] or 0)) > MOST_REPEATS:
                    raise _refused(token[0])
                yield token[0]
            case "brace":
                yield "\\" + token[0]
            case "dot":
                yield dot
            case "odd":
                raise _refused(token[0])
            case _:
                yield token[0]


def _escape(letter: str) -> str:
    if letter in _TIES:
        return _TIES[letter]
    if letter.lower() in _SETS:
        return f"[{'^' * letter.isupper()}{_SETS[letter.lower()]}]"
    if letter in _CONTROLS:
        return _CONTROLS[letter]
    if letter.isalnum():
        raise _refused("\\" + letter)
    return "\\" + letter


def _bracket(text: str) -> str:
    negated = text.startswith("[^")
    inner = text[2:-1] if negated else text[1:-1]
    return f"[{'^' * negated}{''.join(map(_member, _INSIDE.finditer(inner)))}]"


def _member(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "long" | "short":
            return _literal(chr(int(token[token.lastgroup], 16)))
        case "named" if token["named"] in _NAMED:
            return _NAMED[token["named"]]
        case "escape" if token["escape"] in _SETS:
            return _SETS[token["escape"]]
        case "escape" if token["escape"] in _CONTROLS:
            return _CONTROLS[token["escape"]]
        case "escape" if not token["escape"].isalnum():
            return "\\" + token["escape"]
        case "plain":
            return _literal(token[0])
        case "range":
            return "-"
    raise _refused(token[0])


def _literal(letter: str) -> str:
    return letter if letter.isalnum() or letter.isspace() else "\\" + letter


def _refused(part: str) -> Fault:
    return value_fault(f"PostgreSQL has nothing for '{part}' of a pattern")
