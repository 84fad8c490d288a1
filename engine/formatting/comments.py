"""Comments and empty lines: where they are in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.formatting.items import Item
from engine.source import Document

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\r\n]*", re.MULTILINE)
_HEADER = re.compile(r"[|>][0-9+-]*[ \t]+(#[^\r\n]*)")
_ALONE = re.compile(r"[ \t]*(?:-[ \t]+)*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; `is_alone`: at most dashes stand before it on its line."""

    text: str
    start: int
    column: int
    is_alone: bool


class Comments:
    """The comments of a file, and its `signs`: the file with all comments and texts blanked out."""

    def __init__(self, document: Document) -> None:
        self._content = document.text.content
        self.found: list[Comment] = []
        signs, at = [], 0
        for start, stop in [*document.stretches(), (len(self._content), len(self._content))]:
            signs += [self._signs(at, start), " " * (stop - start)]
            header = _HEADER.match(self._content, start, stop)
            if header is not None:
                self._note(header.start(1), header[1])
            at = stop
        self.signs = "".join(signs)

    def _signs(self, start: int, stop: int) -> str:
        """The stretch of a file between two texts; the comments in it are noted and blanked out."""
        kept, at = "", start
        for match in _COMMENT.finditer(self._content, start, stop):
            self._note(match.start(), match[0])
            kept += self._content[at : match.start()] + " " * len(match[0])
            at = match.end()
        return kept + self._content[at:stop]

    def _note(self, start: int, text: str) -> None:
        column = self.column(start)
        is_alone = _ALONE.fullmatch(self._content, start - column, start) is not None
        self.found.append(Comment(text.rstrip(), start, column, is_alone))

    def column(self, at: int) -> int:
        """How many characters stand before a place on its line."""
        return at - self._content.rfind("\n", 0, at) - 1

    def gap(self, at: int) -> list[str]:
        """An empty line, where the line above that of a place is empty."""
        line = self._content.rfind("\n", 0, at)
        return [""] if line > 0 and not self._content[self._content.rfind("\n", 0, line) + 1 : line].strip() else []

    def start_of(self, item: Item) -> int:
        """Where an item starts, with its key or its dash."""
        place = item.document.place(item.path)
        if place.key is not None:
            return place.key[0].index
        at = max(self.signs.rfind(sign, 0, place.start.index) for sign in "-,[")
        return at if self.signs[at] == "-" else place.start.index

    def within(self, item: Item) -> bool:
        """Whether a comment stands inside of an item's braces or brackets."""
        place = item.document.place(item.path)
        return any(place.start.index < each.start < place.end.index for each in self.found)
