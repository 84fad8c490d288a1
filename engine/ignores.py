"""Comments that silence a finding: `# stackwright: ignore[SW143] the reason`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from engine.codes import codes
from engine.errors import Problem, Span, Text, did_you_mean
from engine.source import Document

# A comment begins a line or follows a blank (YAML 1.1 §6.6); one that begins like this is for the checker.
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[ \t]*stackwright:[ \t]*(?P<said>.*?)[ \t\r]*$")
_IGNORE = re.compile(r"ignore[ \t]*\[(?P<codes>[^]]+)\](?P<reason>.*)")
_WORD = re.compile(r"[^\s,]+")
_MEND = "write '# stackwright: ignore[SW143] and the reason'"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One code that a comment names, and the lines of its file on which one finding of it is silenced."""

    code: str
    span: Span
    lines: range

    def silences(self, problem: Problem) -> bool:
        """Whether `problem` is what it speaks of."""
        is_here = problem.span.path == self.span.path and problem.span.line in self.lines
        return problem.code == self.code and problem.severity == "warning" and is_here


def heeded(documents: Iterable[Document], problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems that no comment silences, and what is wrong with the comments.

    Each code silences one problem. That it silences none is only said of a file without errors: they may hide what it
    speaks of.
    """
    left = sorted(problems, key=lambda problem: problem.place)
    unused: list[Ignore] = []
    for document in documents:
        for each in _read(document):
            found = each if isinstance(each, Problem) else next(filter(each.silences, left), None)
            if isinstance(each, Problem):
                left.append(each)
            elif found is None:
                unused.append(each)
            else:
                left.remove(found)
    yield from left
    mistaken = {problem.span.path for problem in left if problem.severity == "error"}
    yield from (_unused(each) for each in unused if each.span.path not in mistaken)


def _unused(ignore: Ignore) -> Problem:
    message = f"there is no {ignore.code} to ignore here"
    return Problem("SW084", message, ignore.span, "take it out, or put it on the finding's line", "warning")


def _read(document: Document) -> Iterator[Ignore | Problem]:
    """What the comments of a file say, and what is wrong with them."""
    if "stackwright:" in document.text.content:
        lines = _Lines(document)
        for number, line in enumerate(lines.written, 1):
            for match in _COMMENT.finditer(line):
                if not lines.is_text(number, match.start() + 1):
                    yield from _comment(lines, number, match)


@dataclass(slots=True, eq=False)
class _Lines:
    """A file's lines, those of them that say something, and the texts that stand on them; all counted from 1."""

    document: Document
    written: list[str] = field(init=False)
    saying: list[int] = field(init=False)
    texts: list[Span] = field(init=False)

    def __post_init__(self) -> None:
        self.written = self.document.text.content.split("\n")
        self.saying = [number for number, line in enumerate(self.written, 1) if line.strip() and not _is_comment(line)]
        self.texts = sorted(self.document.scalars(), key=_start)

    def is_text(self, line: int, column: int) -> bool:
        """Whether a place is inside of a text; what stands beside the `|` of one isn't."""
        before = bisect_right(self.texts, (line, column), key=_start) - 1
        if before < 0:
            return False
        text = self.texts[before]
        is_block = self.written[text.line - 1][text.column - 1 : text.column] in {"|", ">"}
        return not (is_block and line == text.line) and (line, column) < (text.end_line, text.end_column)

    def spoken_of(self, line: int, column: int) -> range:
        """The lines that a comment speaks of: its own, or the next that says something where none precedes it.

        A text that begins there is spoken of as a whole.
        """
        if not self.written[line - 1][: column - 1].strip():
            after = bisect_left(self.saying, line)
            line = self.saying[after] if after < len(self.saying) else line
        first = bisect_left(self.texts, (line, 0), key=_start)
        last = bisect_left(self.texts, (line + 1, 0), key=_start)
        return range(line, max((each.end_line for each in self.texts[first:last]), default=line) + 1)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _start(span: Span) -> tuple[int, int]:
    return span.line, span.column


def _comment(lines: _Lines, number: int, match: re.Match[str]) -> Iterator[Ignore | Problem]:
    text = lines.document.text
    span = _span(text, number, match.start(), match.end("said"))
    said = _IGNORE.match(match["said"])
    if said is None:
        message = f"'{match['said']}' says nothing to the checker" if match["said"] else "this says nothing"
        yield Problem("SW080", message, span, _MEND)
        return
    if not said["reason"].strip(" \t:-–—"):
        yield Problem("SW083", "an ignore needs a reason", span, "write it behind the bracket")
    spoken_of = lines.spoken_of(number, span.column)
    for word in _WORD.finditer(match["said"], *said.span("codes")):
        start = match.start("said") + word.start()
        yield _ignore(word[0], _span(text, number, start, start + len(word[0])), spoken_of)


def _ignore(code: str, span: Span, lines: range) -> Ignore | Problem:
    known = codes().get(code)
    if known is None:
        warnings = [each.name for each in codes().values() if each.severity == "warning"]
        return Problem("SW081", f"unknown code '{code}'", span, did_you_mean(code, warnings, listed=0))
    if known.severity == "error":
        message = f"'{code}' is an error, only warnings can be ignored"
        return Problem("SW082", message, span, f"mend it: see 'stackwright explain {code}'")
    return Ignore(code, span, lines)


def _span(text: Text, line: int, start: int, end: int) -> Span:
    """A stretch of a line, `start` and `end` counted from 0."""
    return Span(text, line, start + 1, line, end + 1)
