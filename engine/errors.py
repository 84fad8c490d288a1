"""The two sorts of error: a `Problem` an author reads, and a `Fault` a client receives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A file's path, as the author should see it, and its content."""

    path: str
    content: str

    def line(self, number: int) -> str:
        """Line `number`, counted from 1, without its line end; empty past the last line."""
        lines = self.content.split("\n", number)
        return lines[number - 1].rstrip("\r") if number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file: lines and columns count characters from 1, the end is exclusive."""

    text: Text
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def path(self) -> str:
        return self.text.path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, where, and the mend.

    `code` is stable (SW101 …), `message` starts in lower case and quotes the author's own word,
    `hint` says what to do.
    """

    code: str
    message: str
    span: Span
    hint: str = ""
    severity: Severity = "error"

    def render(self) -> str:
        """`path:line:column: severity code: message`, the line, a caret under the place, and the mend."""
        span = self.span
        head = f"{span}: {self.severity} {self.code}: {self.message}"
        excerpt = span.text.line(span.line)
        if not excerpt.strip():
            return head + (f"\n  hint: {self.hint}" if self.hint else "")
        visible = excerpt.replace("\t", " ")
        length = span.end_column - span.column if span.end_line == span.line else len(visible) - span.column + 1
        caret = " " * (span.column - 1) + "^" * max(1, length)
        lines = [head, f"  | {visible}", f"  | {caret}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    @property
    def place(self) -> tuple[str, int, int]:
        """What problems are sorted by: path, line, column."""
        return (self.span.path, self.span.line, self.span.column)


class Problems(Exception):
    """Raised where work can't go on; carries every problem found so far."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.place)
        super().__init__("\n".join(problem.render() for problem in self.problems))


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The one of `choices` that `word` is probably a misspelling of."""
    near = difflib.get_close_matches(word, sorted(set(choices)), n=1, cutoff=0.6)
    return near[0] if near else None


def listed(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def did_you_mean(word: str, choices: Iterable[str], listed: int = 8) -> str:
    """A hint with the nearest of `choices`, or the choices themselves where at most `listed`, or nothing."""
    known = sorted(set(choices))
    near = nearest(word, known)
    if near is not None:
        return f"did you mean '{near}'?"
    if 0 < len(known) <= listed:
        return "known here: " + ", ".join(known)
    return ""


# The name in YAML → the status and the code of the envelope.
FAULTS: Mapping[str, tuple[int, str]] = {
    "input_error": (400, "ERROR_CODE_INPUT_ERROR"),
    "bad_request": (400, "ERROR_CODE_BAD_REQUEST"),
    "unauthorized": (401, "ERROR_CODE_UNAUTHORIZED"),
    "access_denied": (403, "ERROR_CODE_ACCESS_DENIED"),
    "not_found": (404, "ERROR_CODE_NOT_FOUND"),
    "method_not_allowed": (405, "ERROR_CODE_METHOD_NOT_ALLOWED"),
    "conflict": (409, "ERROR_CODE_CONFLICT"),
    "payload_too_large": (413, "ERROR_CODE_PAYLOAD_TOO_LARGE"),
    "unsupported_media_type": (415, "ERROR_CODE_UNSUPPORTED_MEDIA_TYPE"),
    "too_many_requests": (429, "ERROR_CODE_TOO_MANY_REQUESTS"),
    "fatal": (500, "ERROR_FATAL"),
    "unavailable": (503, "ERROR_CODE_UNAVAILABLE"),
}


@dataclass(slots=True, eq=False)
class Fault(Exception):
    """A run that ends with an answer: the envelope's `message` and `payload` under a name of `FAULTS`.

    `reason` sorts faults for tests and logs (`kind`, `value`, `division`, `budget`, `column` …) and never
    leaves. A `fatal` fault's message is for the log only: its client gets a generic text, or is told `told` where the
    value that is at fault comes from its input. `inputs` are the names of that, where who raised knows them.
    """

    name: str
    message: str = ""
    payload: object = ""
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=())
    told: str = ""
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Exception.__init__(self, self.name, self.message)

    @property
    def status(self) -> int:
        return FAULTS[self.name][0]

    @property
    def code(self) -> str:
        return FAULTS[self.name][1]

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def kind_fault(message: str) -> Fault:
    """The fault of a value whose kind only showed at run time to be wrong."""
    return Fault("fatal", message, reason="kind")


def value_fault(message: str, told: str = "") -> Fault:
    """The fault of a value of the right kind whose content is of no use, as a text that spells no number."""
    return Fault("fatal", message, reason="value", told=told)


class SetupError(Exception):
    """What an operator must mend before the server or a command can go on: one clear message."""
