"""What YAML's syntax errors mean to an author, and the mend."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from engine.errors import Problem, Span, Text
from engine.origin import Mark

DEPTH_LIMIT = 64
TOO_DEEP = f"lists and maps are nested deeper than {DEPTH_LIMIT}"


class _Error(NamedTuple):
    """`mark` is where reading stopped, `begun` where what was being read began; `line` is the text of the first."""

    text: Text
    mark: Mark
    begun: Mark
    line: str

    @property
    def before(self) -> str:
        return self.line[: self.mark.column]

    @property
    def char(self) -> str:
        return self.text.content[self.mark.index : self.mark.index + 1]

    def at(self, message: str, hint: str, mark: Mark | None = None) -> Problem:
        place = mark or self.mark
        return self.on_line(place.line + 1, place.column + 1, message, hint)

    def on_line(self, line: int, column: int, message: str, hint: str, code: str = "SW013") -> Problem:
        return Problem(code, message, Span(self.text, line, column, line, column + 1), hint)


_QUOTE = 'put the whole text into quotes: "…"'
_NO_BLANK = re.compile(r"""\s*(?:- +)*(?:[\w.?]+|"[^"]*"|'[^']*')(:)[^\s:/]""")
_KEY = re.compile(r"\s*(?:- +)*[^\s#][^:]*:\s")


def explain(text: Text, problem: str, mark: Mark, begun: Mark | None) -> Problem:
    """The problem of a YAML error: PyYAML's words, where reading stopped and what it was in began."""
    error = _Error(text, mark, begun or mark, text.line(mark.line + 1))
    if "\t" in re.match(r"\s*", error.line)[0]:  # type: ignore[index]  # it matches everywhere
        return error.on_line(
            mark.line + 1, error.line.index("\t") + 1, "a tab can't indent a line", "indent it with blanks"
        )
    for words, mend in _MENDS.items():
        if words in problem:
            return mend(error)
    return error.at(f"YAML can't be read here: {problem}", _QUOTE)


def _colon(error: _Error) -> Problem:
    if _KEY.match(error.before) or "{" in error.before:
        hint = "write `a if condition else b`" if " ? " in error.before else _QUOTE
        return error.at("': ' can't stand inside a text without quotes", hint)
    above = error.text.line(error.mark.line)
    if _NO_BLANK.match(above):
        return _blank_missing(error, error.mark.line, above)
    hint = "indent it like the line above, or take the value there out"
    return error.at("this line is a map's, but the line above already has a value", hint, error.begun)


def _blank_missing(error: _Error, number: int, line: str) -> Problem:
    match = _NO_BLANK.match(line)
    column = match.end(1) if match else 1
    return error.on_line(number, column, "a blank is missing after ':'", "write `key: value`")


def _no_colon(error: _Error) -> Problem:
    number = error.begun.line + 1
    line = error.text.line(number)
    if _NO_BLANK.match(line):
        return _blank_missing(error, number, line)
    shown = line[error.begun.column :].strip()
    return error.at(f"'{_short(shown)}' has no ':'", "a line of a map is `key: value`", error.begun)


def _strange_start(error: _Error) -> Problem:
    return error.at(f"a text can't begin with '{error.char}'", _QUOTE)


def _already_ended(error: _Error) -> Problem:
    if error.char in {"]", "}"}:
        return error.at(f"'{error.char}' closes nothing", _QUOTE)
    if error.char == ":":
        return error.at("a key is missing before ':'", "a line of a map is `key: value`")
    if not error.before.strip(" -"):
        return error.at("this line fits no line above", "indent it exactly like the lines it belongs to")
    return _ended(error, error.mark)


def _ended(error: _Error, mark: Mark) -> Problem:
    hint = "put the whole text into quotes, of the other sort where it holds some: '\"a\" ~ $b'"
    rest = error.text.line(mark.line + 1)[mark.column :].strip()
    return error.at(f"the value has already ended before '{_short(rest)}'", hint, mark)


def _no_dash(error: _Error) -> Problem:
    return error.at("this line is in a list but doesn't begin with '-'", "begin it with '- ', or indent it otherwise")


def _unclosed(error: _Error) -> Problem:
    opener = error.text.content[error.begun.index : error.begun.index + 1]
    closer = {"[": "]", "{": "}"}.get(opener, "the bracket")
    if not error.char.strip():
        return error.at(f"'{opener}' is never closed", f"write '{closer}' where it ends", error.begun)
    hint = "a text that holds one of { } [ ] , is put into quotes there"
    return error.at(f"',' or '{closer}' is missing before '{error.char}'", hint)


def _unended(error: _Error) -> Problem:
    quote = error.text.content[error.begun.index : error.begun.index + 1]
    return error.at(f"the text that starts with {quote} never ends", f"write {quote} where it ends", error.begun)


def _escape(error: _Error) -> Problem:
    hint = r"write \\ for a backslash, or put the text into single quotes"
    return error.at("this escape isn't one of YAML's", hint)


def _dash(error: _Error) -> Problem:
    return error.at("a list can't begin in this line", "begin a new line for its first '-', or write [a, b]")


def _block_header(error: _Error) -> Problem:
    if error.line[: error.begun.column].rstrip().endswith(("'", '"', "]", "}")):
        return _ended(error, error.begun)
    return error.at("the text of a '|' or '>' begins on the next line", "begin a new line after it, and indent it")


def _name(error: _Error) -> Problem:
    start = error.text.content[error.begun.index : error.begun.index + 1]
    return error.at(f"a text can't begin with '{start}'", _QUOTE, error.begun)


def _too_deep(error: _Error) -> Problem:
    """libyaml's own limit, met where it reads a line ahead of what it has told."""
    return error.on_line(error.mark.line + 1, error.mark.column + 1, TOO_DEEP, "", "SW003")


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


_MENDS: dict[str, Callable[[_Error], Problem]] = {
    "mapping values are not allowed": _colon,
    "could not find expected ':'": _no_colon,
    "cannot start any token": _strange_start,
    "expected node content": _strange_start,
    "did not find expected key": _already_ended,
    "expected <block end>": _already_ended,
    "expected <document start>": _already_ended,
    "did not find expected <document start>": _already_ended,
    "'-' indicator": _no_dash,
    "expected ','": _unclosed,
    "found unexpected end of stream": _unended,
    "found unexpected document": _unended,
    "escape": _escape,
    "hexdecimal": _escape,
    "hexadecimal": _escape,
    "block sequence entries": _dash,
    "expected a comment or a line break": _block_header,
    "expected comment or line break": _block_header,
    "alphabetic or numeric": _name,
    "while scanning a directive": _strange_start,
    "maximum nesting depth": _too_deep,
}
