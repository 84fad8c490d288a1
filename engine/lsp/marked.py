"""A text that is being written, with a mark where the cursor is, made readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Problems, Text
from engine.formatting.forms import Form, form_of
from engine.formatting.texts import parsed
from engine.parser import parse_words
from engine.source import Document, Path, read
from engine.syntax import Node

MARK = "here__"  # a name that nobody has
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A readable text with `MARK` in the place of the word at the cursor, whose place is `start` to `end`.

    `path` leads to the value with the mark, or to the value of the key with it where `is_key`. `prefix` is what that
    value or key has before the mark.
    """

    document: Document
    path: Path
    is_key: bool
    prefix: str
    start: int
    end: int

    @property
    def kind(self) -> str:
        """The file's kind."""
        return str(next(iter(self.document.value(())), ""))

    def form(self, path: Path) -> Form:
        """The form of what lies at `path`."""
        form, value = form_of(self.kind), self.document.data
        for step in path:
            value = value[step]  # type: ignore[index]
            form = form.inner(step, value)
        return form

    def value(self, path: Path) -> object:
        """What lies at `path`; None where there is nothing."""
        try:
            found: object = self.document.value(path)
        except (LookupError, TypeError):
            return None
        return found

    @property
    def node(self) -> Node | None:
        """The tree of the text with the mark, where it is an expression or has one in it."""
        text = self.document.value(self.path)
        if self.is_key or not isinstance(text, str):
            return None
        return parsed(text, self.form(self.path).texts, self.document.origin(self.path))

    @property
    def words(self) -> Node | None:
        """The tree of the text with the mark, where it may be an expression over columns without saying so."""
        text = self.document.value(self.path)
        if self.is_key or not isinstance(text, str) or self.form(self.path).texts != "edit":
            return None
        return parse_words(text, self.document.origin(self.path))


def marked(text: Text, offset: int) -> Marked | None:
    """The text with a mark at `offset`; None where no way of ending what was begun makes it readable."""
    content = text.content
    start = offset - len(re.findall(r"\w*\Z", content[:offset])[0])
    end = offset + len(re.findall(r"\A\w*", content[offset:])[0])
    for attempt in _attempts(content, start, end):
        found = _read(Text(text.path, attempt), start, end)
        if found is not None:
            return found
    return None


def _attempts(content: str, start: int, end: int) -> Iterator[str]:
    """What may have been meant, likelier ways first: a key, what is there, what is there with all brackets closed."""
    line_start = content.rfind("\n", 0, start) + 1
    line_end = content.find("\n", end) if "\n" in content[end:] else len(content)
    before, line, rest = content[:start], content[line_start:start], content[end:line_end]
    closed = _closed(line)
    after = content[line_end:]
    for later in (after, ""):
        if not line.strip(" ") and not rest.strip():
            yield f"{before}{MARK}: {later}"
        yield before + MARK + rest + later
        yield from (before + MARK + closed[:length] + rest + later for length in range(1, len(closed) + 1))
        yield before + MARK + rest + closed + later
        yield before + MARK + closed + later
        yield f"{before}{MARK}: 1{closed}{later}"
        yield f"{before} {MARK}{closed}{later}"


def _closed(line: str) -> str:
    """What closes the brackets and quotes that a line opens."""
    waiting: list[str] = []
    for place, char in enumerate(line):
        if waiting[-1:] == [char]:
            waiting.pop()
        elif char in _CLOSERS:
            waiting.append(_CLOSERS[char])
        elif char in "\"'" and not line[place - 1 : place].isalnum():  # an apostrophe opens nothing
            waiting.append(char)
    return "".join(reversed(waiting))


def _read(text: Text, start: int, end: int) -> Marked | None:
    try:
        document = read(text)
    except Problems:
        return None
    found = _find(document)
    if found is None or not isinstance(document.data, dict):
        return None
    path, is_key = found
    written = str(path[-1]) if is_key else document.value(path)
    result = Marked(document, path, is_key, written.partition(MARK)[0], start, end)
    return result if is_key or _is_meant(result) else None


def _is_meant(found: Marked) -> bool:
    """Whether the value can be read where it is an expression."""
    texts = found.form(found.path).texts
    is_expression = texts in ("expression", "columns") or (texts == "value" and "$" in found.prefix)
    return not is_expression or found.node is not None


def _find(document: Document) -> tuple[Path, bool] | None:
    """The path to the mark, and whether it is in a key."""
    waiting: list[tuple[Path, object]] = [((), document.data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and MARK in value:
            return path, False
        if isinstance(value, dict):
            key = next((key for key in value if MARK in key), None)
            if key is not None:
                return (*path, key), True
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*path, step), inner) for step, inner in entries]
    return None
