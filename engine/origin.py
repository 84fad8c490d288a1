"""Where each character of a YAML scalar's text stands in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from engine.errors import Span, Text

# One step of a scalar's raw text; folds are tried first. A fold of one line break is a blank, of more
# all but the first (YAML 1.1 §5.4); an escape is always one character.
_FOLD = r"(?P<fold>[ \t]*(?:\r?\n[ \t]*)+)|(?P<plain>[ \t]+|[^ \t\r\n'\"\\]+|.)"
_STEPS = {
    "": re.compile(_FOLD, re.DOTALL),
    "'": re.compile(r"(?P<escape>'')|" + _FOLD, re.DOTALL),
    '"': re.compile(
        r"(?P<join>\\\r?\n[ \t]*(?:\r?\n[ \t]*)*)"
        r"|(?P<escape>\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.))|" + _FOLD,
        re.DOTALL,
    ),
}
_BLOCK_HEADER = re.compile(r"[|>][^\n]*\n?")


class Mark(Protocol):
    """A place in a text as PyYAML gives it: all counted from 0, in characters."""

    @property
    def index(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Point:
    """A `Mark` of our own."""

    index: int
    line: int
    column: int


def span_between(text: Text, start: Mark, end: Mark) -> Span:
    """From one mark to another."""
    return Span(text, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


# Start and end of what one decoded character was written as.
Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Origin:
    """A scalar in a file: `start` and `end` count its content's characters from 0, quotes included.

    `style` is `"`, `'`, `|`, `>` or empty for plain; `value` is the decoded text; `line` and `column`
    are where it starts, counted from 1.
    """

    text: Text
    start: int
    end: int
    line: int
    column: int
    style: str
    value: str

    def span(self, start: int, end: int) -> Span:
        """The place in the file of the characters `start` to `end` (exclusive) of the decoded text."""
        if self._inset is not None:
            column = self.column + self._inset
            return Span(self.text, self.line, column + start, self.line, column + end)
        places = self._places
        if not places:
            return self._between(self.start, self.end)
        first = places[start][0] if start < len(places) else places[-1][1]
        last = places[end - 1][1] if end > start else first
        return self._between(first, last)

    @property
    def whole(self) -> Span:
        """The place of the scalar itself, with its quotes."""
        return self._between(self.start, self.start + len(self._raw.rstrip()))

    @property
    def cut_by(self) -> str:
        """`,` or `#` where YAML ended a plain scalar at one, else empty."""
        after = self.text.content[self.end : self.end + 200].lstrip(" \t")[:1]
        return after if not self.style and after in {",", "#"} else ""

    @property
    def _raw(self) -> str:
        return self.text.content[self.start : self.end]

    @cached_property
    def _inset(self) -> int | None:
        """How far the text is from the scalar's start, where both are the same, character by character."""
        if self.style in {"|", ">"}:
            return None
        inset = 1 if self.style else 0
        length = self.end - self.start - 2 * inset
        same = length == len(self.value) and self.text.content.startswith(self.value, self.start + inset)
        return inset if same and "\n" not in self.value else None

    @cached_property
    def _places(self) -> list[Place]:
        """A place for each decoded character; empty where the two texts can't be aligned."""
        if self.style not in {"|", ">"}:
            places = list(_flow_places(self._raw, self.start, self.style))
        else:
            lines = _block_lines(self._raw, self.start)
            align = _literal_places if self.style == "|" else _folded_places
            # Line breaks at the end may be chomped off.
            places = align(lines, _block_indent(lines, self.value))[: len(self.value)]
        return places if len(places) == len(self.value) else []

    def _between(self, start: int, end: int) -> Span:
        line, column = self._line_column(start)
        end_line, end_column = self._line_column(end)
        return Span(self.text, line, column, end_line, end_column)

    def _line_column(self, index: int) -> tuple[int, int]:
        content = self.text.content
        breaks = content.count("\n", self.start, index)
        if not breaks:
            return self.line, self.column + index - self.start
        return self.line + breaks, index - content.rfind("\n", self.start, index)


def _flow_places(raw: str, start: int, style: str) -> Iterator[Place]:
    """The places of a plain or quoted scalar."""
    inset = 1 if style else 0
    for step in _STEPS[style].finditer(raw, inset, len(raw) - inset):
        first, last = start + step.start(), start + step.end()
        breaks = step[0].count("\n")
        if step.lastgroup == "plain":
            yield from ((index, index + 1) for index in range(first, last))
        elif step.lastgroup == "escape":
            yield first, last
        elif step.lastgroup == "join":
            yield from [(first, last)] * (breaks - 1)
        else:
            yield from [(first, last)] * max(1, breaks - 1)


def _block_lines(raw: str, start: int) -> list[tuple[str, int]]:
    """The lines under the `|` or `>`, with their line ends and the index where each starts."""
    header = _BLOCK_HEADER.match(raw)
    index = header.end() if header else 0
    lines = []
    for line in raw[index:].splitlines(keepends=True):
        lines.append((line, start + index))
        index += len(line)
    return lines


def _block_indent(lines: list[tuple[str, int]], value: str) -> int:
    """How far the text is indented: by what its first line that isn't empty has more than `value` has there."""
    first = value.lstrip("\n")
    if not first:
        return max((len(line.rstrip("\r\n")) for line, _ in lines), default=0)
    line = lines[len(value) - len(first)][0]
    return _leading_blanks(line) - _leading_blanks(first)


def _leading_blanks(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _literal_places(lines: list[tuple[str, int]], indent: int) -> list[Place]:
    """The places of a `|` block whose text is indented by `indent`."""
    places: list[Place] = []
    for line, start in lines:
        body = line.rstrip("\r\n")
        places.extend((start + at, start + at + 1) for at in range(indent, len(body)))
        places.append((start + len(body), start + len(line)))
    return places


def _folded_places(lines: list[tuple[str, int]], indent: int) -> list[Place]:
    """The places of a `>` block whose text is indented by `indent`.

    A break between two lines of text that start with no blank is a blank, or nothing when empty lines
    follow it; every other break stays (YAML 1.1 §9.3.3).
    """
    places: list[Place] = []
    pending: list[Place] = []
    after_text = after_blank = False
    for line, start in lines:
        body = line.rstrip("\r\n")
        ending = (start + len(body), start + len(line))
        if len(body) > indent:
            blank = body[indent] in " \t"
            folds = after_text and not after_blank and not blank and len(pending) > 1
            places.extend(pending[1:] if folds else pending)
            places.extend((start + at, start + at + 1) for at in range(indent, len(body)))
            pending, after_text, after_blank = [ending], True, blank
        else:
            pending.append(ending)
    return places + pending
