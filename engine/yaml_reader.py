"""YAML events → plain data and the place of everything in it, without recursion and with every amount bounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Protocol

import yaml

from engine.errors import Problem, Problems, Text
from engine.origin import Mark, Point, span_between
from engine.yaml_errors import DEPTH_LIMIT, TOO_DEEP, explain

Path = tuple[str | int, ...]

NODE_LIMIT = 100_000
PROBLEM_LIMIT = 100
INTEGER_LIMIT = 2**63

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BLOCK = frozenset("|>")
_QUOTED = frozenset("\"'|>")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_UNHOLDABLE = re.compile("[\0\ud800-\udfff]")
_KEY_HINT = "a key is a text, as in `name: …`"
_FILLED_HINT = "an expression begins with $, or stands in a text as ${ … }"
_BLANK_HINT = "write a blank after ':'"
_NUMBER_HINT = "put it into quotes if it is a text"
_START = Point(0, 0, 0)

Marks = tuple[Mark, Mark]


class Place(NamedTuple):
    """Where a value and its key stand; `key` is None for a list's items and the whole.

    `stop` is the index where reading the value ended: past `end` by a block text's last line breaks.
    """

    start: Mark
    end: Mark
    stop: int
    style: str
    key: Marks | None


class _Event(Protocol):
    """What all of PyYAML's events have."""

    start_mark: Mark
    end_mark: Mark


class _Value(_Event, Protocol):
    anchor: str | None


class _Scalar(_Value, Protocol):
    value: str
    style: str | None


class _Collection(_Value, Protocol):
    flow_style: bool


class _Start(_Event, Protocol):
    version: object
    tags: object


def compose(text: Text) -> tuple[object, dict[Path, Place]]:
    """The data of the one YAML document in `text`, and the places of all paths in it. Raises `Problems`."""
    builder = _Builder(text)
    try:
        for event in yaml.parse(text.content, _LOADER):
            _HANDLERS[type(event)](builder, event)
    except yaml.MarkedYAMLError as error:
        # A map that was never closed seems to have keys without values.
        builder.problems = [problem for problem in builder.problems if problem.code != "SW011"]
        mark = error.problem_mark or _START
        builder.problems.append(explain(text, error.problem or "", mark, error.context_mark))
    if builder.problems:
        raise Problems(builder.problems)
    builder.places.setdefault((), Place(_START, _START, 0, "", None))
    return builder.root, builder.places


@dataclass(slots=True, eq=False)
class _Frame:
    """A list or map that is being read."""

    container: dict[str, object] | list[object]
    path: Path
    last: Mark  # the end of the last value in it
    is_flow: bool
    key: str | None = None  # of a map's value to come
    key_marks: Marks = (_START, _START)
    lines: dict[str, int] = field(default_factory=dict)  # key → the line where it is given first


class _Builder:
    """Takes the events of one file in turn; `root`, `places` and `problems` are what it found."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.root: object = None
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.frames: list[_Frame] = []
        self.documents = 0

    def report(self, code: str, message: str, start: Mark, end: Mark, hint: str = "") -> None:
        """Keep a problem for the end; raise where there are too many."""
        self.problems.append(Problem(code, message, span_between(self.text, start, end), hint))
        if len(self.problems) >= PROBLEM_LIMIT:
            raise Problems(self.problems)

    def stop(self, code: str, message: str, event: _Event, hint: str = "") -> NoReturn:
        """Raise, where going on makes no sense or is too costly."""
        self.report(code, message, event.start_mark, event.end_mark, hint)
        raise Problems(self.problems)

    # One method an event.

    def ignore(self, event: _Event) -> None:
        """An event that says nothing."""

    def document(self, event: _Start) -> None:
        self.documents += 1
        if event.version or event.tags:
            self.report("SW010", "a line that begins with '%' isn't read", _START, _START, "take it out")
        if self.documents > 1:
            self.stop("SW009", "a second document starts here", event, "one file holds one thing: split it")

    def alias(self, event: _Value) -> None:
        if self.key_frame is not None:
            self.stop("SW007", f"the alias '*{event.anchor}' isn't read", event, _KEY_HINT)
        hint = f'write the value itself; a text that begins with * is put into quotes: "*{event.anchor}"'
        self.report("SW007", f"the alias '*{event.anchor}' isn't read", event.start_mark, event.end_mark, hint)
        self.place("", event, "")

    def scalar(self, event: _Scalar) -> None:
        self.refuse_properties(event)
        self.refuse_characters(event)
        frame = self.key_frame
        if frame is not None:
            self.key(frame, event)
        elif event.style in _QUOTED:
            self.place(event.value, event, str(event.style))
        else:
            self.place(self.plain(event), event, "")

    def begin_map(self, event: _Collection) -> None:
        self.begin({}, event)

    def begin_list(self, event: _Collection) -> None:
        self.begin([], event)

    def begin(self, container: dict[str, object] | list[object], event: _Collection) -> None:
        self.refuse_properties(event)
        if self.key_frame is not None:
            is_doubled = self.text.content.startswith("{{", event.start_mark.index - 1)
            self.stop("SW006", "a key can't be a list or a map", event, _FILLED_HINT if is_doubled else _KEY_HINT)
        if len(self.frames) >= DEPTH_LIMIT:
            self.stop("SW003", TOO_DEEP, event)
        path = self.place(container, event, "")
        self.frames.append(_Frame(container, path, event.start_mark, event.flow_style))

    def end(self, event: _Event) -> None:
        """A list or map ends: in blocks where its last value does, libyaml only knows where the next thing starts."""
        frame = self.frames.pop()
        end = event.end_mark if frame.is_flow else frame.last
        self.places[frame.path] = self.places[frame.path]._replace(end=end, stop=end.index)
        if self.frames:
            self.frames[-1].last = end

    # Keys and values.

    @property
    def key_frame(self) -> _Frame | None:
        """The map whose next key is to come."""
        frame = self.frames[-1] if self.frames else None
        return frame if frame is not None and frame.key is None and isinstance(frame.container, dict) else None

    def key(self, frame: _Frame, event: _Scalar) -> None:
        key, start, end = event.value, event.start_mark, event.end_mark
        is_plain = event.style not in _QUOTED
        if is_plain and key == "<<":
            self.report("SW008", "the merge key '<<' isn't read", start, end, "write the keys themselves")
        elif is_plain and not key:
            self.report("SW006", "a key is missing before ':'", start, end, _KEY_HINT)
        elif key in frame.lines:
            message = f"'{_short(key)}' is already given on line {frame.lines[key]}"
            self.report("SW005", message, start, end, "take one of the two out")
        frame.lines.setdefault(key, start.line + 1)
        frame.key, frame.key_marks = key, (start, end)

    def place(self, value: object, event: _Event, style: str) -> Path:
        """Put a value where it belongs; its path."""
        if len(self.places) >= NODE_LIMIT:
            self.stop("SW004", f"the file holds more than {NODE_LIMIT:,} values", event)
        start, end = event.start_mark, event.end_mark
        shown_end = _trimmed(self.text, start, end) if style in _BLOCK else end
        path: Path = ()
        marks = None
        if not self.frames:
            self.root = value
        else:
            path, marks = self.put(self.frames[-1], value, event)
            self.frames[-1].last = shown_end
        self.places[path] = Place(start, shown_end, end.index, style, marks)
        return path

    def put(self, frame: _Frame, value: object, event: _Event) -> tuple[Path, Marks | None]:
        if isinstance(frame.container, list):
            frame.container.append(value)
            return (*frame.path, len(frame.container) - 1), None
        key, marks = str(frame.key), frame.key_marks
        if value is None and frame.is_flow:
            self.refuse_lone_key(key, marks, event)
        frame.container[key] = value
        frame.key = None
        return (*frame.path, key), marks

    def refuse_lone_key(self, key: str, marks: Marks, event: _Event) -> None:
        """`{a, b}` and `{a:1}`: YAML reads keys without values, which no author means."""
        start, end = marks
        if ":" in self.text.content[end.index : event.end_mark.index + 1]:
            return
        hint = "inside { } a comma ends a value: put a text with a comma into quotes"
        self.report("SW011", f"'{_short(key)}' has no value", start, end, _BLANK_HINT if ":" in key else hint)

    # Scalars.

    def plain(self, event: _Scalar) -> object:
        """What a plain scalar is, by our own small table."""
        value = event.value
        if value in _CONSTANTS:
            return _CONSTANTS[value]
        number = _NUMBER.fullmatch(value)
        if number is None:
            return value
        return self.whole(event) if number[1] is None and number[2] is None else self.decimal(event)

    def whole(self, event: _Scalar) -> int:
        # More digits than any 64-bit number has are not worth converting.
        value = int(event.value) if len(event.value) <= 20 else INTEGER_LIMIT
        if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            message = f"'{_short(event.value)}' is past 64 bits"
            self.report("SW012", message, event.start_mark, event.end_mark, _NUMBER_HINT)
        return value

    def decimal(self, event: _Scalar) -> float:
        value = float(event.value)
        if math.isinf(value):
            message = f"'{_short(event.value)}' is past what a decimal holds"
            self.report("SW012", message, event.start_mark, event.end_mark, _NUMBER_HINT)
        return value

    def refuse_properties(self, event: _Value) -> None:
        """Tags and anchors."""
        if event.anchor is not None:
            hint = "write the value itself where it is used; a text that begins with & is put into quotes"
            self.report("SW007", f"the anchor '&{event.anchor}' isn't read", *self.first_word(event), hint)
        if getattr(event, "tag", None) is not None:
            start, end = self.first_word(event)
            written = self.text.content[start.index : end.index]
            hint = "write `not` for the opposite" if written[1:2] == "$" else f'put a text into quotes: "{written} …"'
            self.report("SW007", f"the tag '{written}' isn't read", start, end, hint)

    def first_word(self, event: _Event) -> Marks:
        """The place of the anchor or tag that a value begins with."""
        start = event.start_mark
        length = len(self.text.content[start.index : start.index + 200].split(maxsplit=1)[0])
        return start, Point(start.index + length, start.line, start.column + length)

    def refuse_characters(self, event: _Scalar) -> None:
        """What escapes of a double-quoted text can make, and a text can't hold."""
        found = _UNHOLDABLE.search(event.value) if event.style == '"' else None
        if found is not None:
            message = f"a text can't hold U+{ord(found[0]):04X}"
            self.report("SW002", message, event.start_mark, event.end_mark, "take it out")


_HANDLERS: dict[type[yaml.Event], Callable[[_Builder, Any], None]] = {
    yaml.StreamStartEvent: _Builder.ignore,
    yaml.StreamEndEvent: _Builder.ignore,
    yaml.DocumentStartEvent: _Builder.document,
    yaml.DocumentEndEvent: _Builder.ignore,
    yaml.AliasEvent: _Builder.alias,
    yaml.ScalarEvent: _Builder.scalar,
    yaml.MappingStartEvent: _Builder.begin_map,
    yaml.MappingEndEvent: _Builder.end,
    yaml.SequenceStartEvent: _Builder.begin_list,
    yaml.SequenceEndEvent: _Builder.end,
}


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


def _trimmed(text: Text, start: Mark, end: Mark) -> Mark:
    """The end of a block's last line that isn't empty."""
    body = text.content[start.index : end.index].rstrip()
    index = start.index + len(body)
    breaks = body.count("\n")
    column = len(body) - body.rfind("\n") - 1 if breaks else start.column + len(body)
    return Point(index, start.line + breaks, column)
