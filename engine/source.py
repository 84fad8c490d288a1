"""Files of YAML → plain data, and a span for every path in it.

A small YAML: one document a file, no anchors, tags or merge keys; keys are texts; the only plain scalars that
aren't text are true, false, null, whole numbers and decimals.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from engine.errors import Problem, Problems, Span, Text
from engine.origin import Mark, Origin, span_between
from engine.yaml_reader import PROBLEM_LIMIT, Path, Place, compose

__all__ = ["SIZE_LIMIT", "Document", "Path", "load", "read"]

SIZE_LIMIT = 1024 * 1024  # bytes of a file

# What YAML calls a line break and we don't, and what no text may hold.
_REFUSED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file's data (dicts, lists, str, int, float, bool, None) and the places of all of it.

    A path is the keys and indexes that lead to a value: `("stack", 0, "as")`.
    """

    text: Text
    data: object
    _places: dict[Path, Place] = field(repr=False)

    def span(self, path: Path) -> Span:
        """The place of the value at `path`, or of the nearest one above that is there."""
        place = self._places[self._nearest(path)]
        return span_between(self.text, place.start, place.end)

    def key_span(self, path: Path) -> Span:
        """The place of the key at the end of `path`; of the value itself for an item of a list."""
        place = self._places[self._nearest(path)]
        return span_between(self.text, *(place.key or (place.start, place.end)))

    def place(self, path: Path) -> Place:
        """Where and how the value at `path` is written. Raises LookupError where there is none."""
        return self._places[path]

    def stretches(self) -> list[tuple[int, int]]:
        """Start and end of every key and of every value that is no list or mapping, in the order of the file."""
        found = [(key[0].index, key[1].index) for _, _, _, _, key in self._places.values() if key is not None]
        for path, place in self._places.items():
            if not isinstance(self.value(path), list | dict):
                found.append((place.start.index, place.stop))
        return sorted(found)

    def path_at(self, line: int, column: int) -> tuple[Path, bool] | None:
        """The path of the key or the value, no list or mapping, at a place, and whether it is a key's."""
        here = (line - 1, column - 1)
        for path, place in self._places.items():
            if place.key is not None and _covers(*place.key, here):
                return path, True
            if not isinstance(self.value(path), list | dict) and _covers(place.start, place.end, here):
                return path, False
        return None

    def origin(self, path: Path) -> Origin:
        """The origin of the text at `path`. Raises LookupError where there is none."""
        place, value = self._places[path], self.value(path)
        if not isinstance(value, str):
            raise LookupError(path)
        return _origin(self.text, place.start, place.stop, place.style, value)

    def key_origin(self, path: Path) -> Origin:
        """The origin of the key at the end of `path`. Raises LookupError where there is none."""
        key = self._places[path].key
        if key is None:
            raise LookupError(path)
        quote = self.text.content[key[0].index]
        return _origin(self.text, key[0], key[1].index, quote if quote in "\"'" else "", str(path[-1]))

    def scalars(self) -> Iterator[Span]:
        """The places of all keys, and of all values that are no lists or mappings."""
        for path, place in self._places.items():
            if place.key is not None:
                yield span_between(self.text, *place.key)
            if not isinstance(self.value(path), dict | list):
                yield span_between(self.text, place.start, place.end)

    def _nearest(self, path: Path) -> Path:
        while path not in self._places:
            path = path[:-1]
        return path

    def value(self, path: Path) -> Any:
        """The data at `path`. Raises LookupError where there is none."""
        value: Any = self.data
        for step in path:
            value = value[step]
        return value


def load(path: pathlib.Path, shown_as: str) -> Text:
    """The text of the UTF-8 file at `path`, called `shown_as` in problems. Raises `Problems`."""
    nowhere = Text(shown_as, "")
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        message = f"'{shown_as}' can't be read: {error.strerror}"
        raise Problems([Problem("SW001", message, _at(nowhere, 0))]) from error
    if len(content) > SIZE_LIMIT:
        raise Problems([_too_large(nowhere)])
    return _decoded(content, shown_as)


def read(text: Text) -> Document:
    """The document that `text` is. Raises `Problems`, with as many as can be found at once."""
    if len(text.content) > SIZE_LIMIT or len(text.content.encode("utf-8", "surrogatepass")) > SIZE_LIMIT:
        raise Problems([_too_large(text)])
    text = Text(text.path, text.content[1:]) if text.content.startswith("\ufeff") else text
    found = list(islice(_REFUSED.finditer(text.content), PROBLEM_LIMIT))
    if found:
        raise Problems(_refused(text, match) for match in found)
    return Document(text, *compose(text))


def _covers(start: Mark, end: Mark, here: tuple[int, int]) -> bool:
    return (start.line, start.column) <= here <= (end.line, end.column)


def _origin(text: Text, start: Mark, stop: int, style: str, value: str) -> Origin:
    return Origin(text, start.index, stop, start.line + 1, start.column + 1, style, value)


def _at(text: Text, index: int) -> Span:
    """The place of one character."""
    line = text.content.count("\n", 0, index) + 1
    column = index - text.content.rfind("\n", 0, index)
    return Span(text, line, column, line, column + 1)


def _too_large(text: Text) -> Problem:
    return Problem("SW003", f"the file is larger than {SIZE_LIMIT:,} bytes", _at(text, 0), "split it")


def _refused(text: Text, match: re.Match[str]) -> Problem:
    code = ord(match[0])
    hint = f'take it out, or write it as "\\u{code:04x}" in double quotes' if 0 < code < 0xD800 else "take it out"
    if match[0] == "\r":
        hint = "end lines with a line feed (LF or CRLF)"
    return Problem("SW002", f"the character U+{code:04X} can't stand in a file", _at(text, match.start()), hint)


def _decoded(content: bytes, shown_as: str) -> Text:
    try:
        return Text(shown_as, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        text = Text(shown_as, content.decode("utf-8-sig", "replace"))
        index = len(content[: error.start].decode("utf-8-sig"))
        message = f"the byte {content[error.start]:02X} isn't UTF-8"
        raise Problems([Problem("SW001", message, _at(text, index), "save the file as UTF-8")]) from error
