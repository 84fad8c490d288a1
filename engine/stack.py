"""Steps: what a file's `stack:` says, read into definitions with their arguments parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine import clauses, registry, schema
from engine.clauses import Word as Word
from engine.errors import Problem, Problems, Span, did_you_mean
from engine.parser import parse_expression, parse_value, parse_words
from engine.registry import Definition, Parameter
from engine.source import Document, Path
from engine.sql import Sql, read_sql
from engine.syntax import Binary, Column, Entry, ListOf, Literal, Node, ObjectOf, Variable, Worded


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One `{if, then}` of `else_if`."""

    condition: Node
    block: Block
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One value of a `switch` and its steps."""

    value: Word
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One entry of `set`: a variable, the path within it, and what it becomes. `owner` is the variable as it was."""

    name: str
    path: tuple[str | int, ...]
    value: Node
    span: Span
    owner: Variable


@dataclass(frozen=True, slots=True, eq=False)
class Rejection:
    """`{error, message, payload}`: how a run ends."""

    error: Word
    message: Node | None
    payload: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step: its definition, its arguments by parameter, and the variable that takes its result."""

    definition: Definition
    arguments: Mapping[str, Any]
    spans: Mapping[str, Span]
    result: Word | None
    note: str
    span: Span

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def writes(self) -> bool:
        """Whether it may change the database: always, or by the SQL that it is given."""
        sql = self.arguments.get("sql")
        return self.definition.writes or (isinstance(sql, Sql) and sql.writes and not self.definition.outside)

    @property
    def filled(self) -> list[Any]:
        """The arguments in the order of the signature, defaults where none is given."""
        return [self.arguments.get(each.name, each.default) for each in self.definition.parameters]

    def node(self, name: str) -> Node | None:
        """The expression given for a parameter, if any was."""
        argument: Node | None = self.arguments.get(name)
        return argument


Block = tuple[Step, ...]

# Python nests the loops and tries of one function so far; ours take this much of it around their blocks. What stands
# in a `finally` it compiles twice, at every level.
MAX_FRAMES = 20
_FRAMES: Mapping[str | int, int] = {"do": 2, "try": 2, "catch": 3, "finally": 3}

_DURATION = re.compile(r"(\d{1,9})\s*(ms|s|m|h|d|w)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*|\[\d+\])*")
_TARGET_PART = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


# What other languages call a step.
_ELSEWHERE = {
    **dict.fromkeys(("var", "let", "const", "assign", "create_variable", "update_variable"), "set: {name: value}"),
    **dict.fromkeys(("conditional", "when", "unless"), "if:"),
    **dict.fromkeys(("foreach", "for", "each", "loop"), "for_each:"),
    **dict.fromkeys(("call", "function", "invoke"), "run_function:"),
    **dict.fromkeys(("raise", "error", "fail", "abort", "stop"), "throw:"),
    **dict.fromkeys(("assert", "require", "ensure"), "precondition:"),
    **dict.fromkeys(("insert", "create", "create_record"), "add_record:"),
    **dict.fromkeys(("update", "update_record"), "edit_record:"),
    **dict.fromkeys(("delete", "remove", "remove_record"), "delete_record:"),
    **dict.fromkeys(("find", "fetch", "select"), "get_record:"),
    **dict.fromkeys(("log", "print", "echo"), "debug_log:"),
}


def seconds_of(text: str) -> int | None:
    """The seconds that `24h`, `30m`, `7d`, `90s`, `2w` or `3600` say; None where the text is no duration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match[2] == "ms":
        return None
    return int(match[1]) * _SECONDS[match[2] or "s"]


class StackReader:
    """Reads the steps of one document; `problems` collects what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def block(self, path: Path) -> Block:
        """The steps listed at `path`, disabled ones left out."""
        steps = _at(self.document.data, path) or []
        if steps and sum(_FRAMES.get(key, 0) for key in path) > MAX_FRAMES:
            self._report("SW107", "loops and tries are nested too deep", path, "move some steps into a function")
            return ()
        return tuple(step for place in range(len(steps)) if (step := self.step((*path, place))) is not None)

    def step(self, path: Path) -> Step | None:
        """The step at `path`; None where it is disabled or too broken to read."""
        written = _at(self.document.data, path)
        if isinstance(written, str):
            written = {written: None}
            place, key_path = self.document.span(path), path
        elif isinstance(written, dict) and written:
            key_path = (*path, next(iter(written)))
            place = self.document.key_span(key_path)
        else:
            self._report("SW101", "a step is a mapping that begins with its name, or the name alone", path)
            return None
        name = next(iter(written))
        definition = registry.steps().get(name)
        if definition is None:
            self._unknown_step(name, written, place)
            return None
        return self._bound(definition, written, path, place)

    def _unknown_step(self, name: str, written: Mapping[str, Any], place: Span) -> None:
        known = registry.steps()
        other = next((key for key in written if key in known), None)
        owner = next((each.name for each in known.values() if each.parameter(name)), None)
        hint = f"write '{other}:' first, the step's name leads" if other else did_you_mean(name, known)
        if name.partition(":")[0] in known:
            hint = "write a blank after ':'"
        if name in _ELSEWHERE and not other:
            hint = f"write '{_ELSEWHERE[name]}'"
        if owner and not other:
            hint = f"'{name}:' stands under a step, as under '{owner}', and doesn't begin one"
        self.problems.append(Problem("SW102", f"unknown step '{name}'", place, hint))

    def _bound(self, definition: Definition, written: dict[str, Any], path: Path, place: Span) -> Step | None:
        bare = isinstance(_at(self.document.data, path), str)
        found = list(self._mistakes(definition, written, path, bare))
        if found:
            self.problems += found
        if written.get("disabled") is True:
            return None
        arguments, spans = {}, {}
        for number, parameter in enumerate(definition.parameters):
            key = definition.name if number == 0 else parameter.name
            if key in written and not (written[key] is None and (bare or parameter.syntax == "table")):
                spans[parameter.name] = self.document.span((*path, key))
                arguments[parameter.name] = self._argument(parameter, (*path, key))
        result = Word(written["as"], self.document.span((*path, "as"))) if "as" in written else None
        readable = {name: value for name, value in arguments.items() if value is not _BROKEN}
        step = Step(definition, readable, spans, result, written.get("note", ""), place)
        return self.spoilt(step) if found or len(readable) < len(arguments) else step

    def spoilt(self, step: Step) -> Step | None:
        """What stands for a step with mistakes, of which only what can be read is there: nothing."""
        return None

    def _mistakes(self, definition: Definition, written: dict[str, Any], path: Path, bare: bool) -> Iterator[Problem]:
        if bare and any(parameter.required for parameter in definition.parameters):
            first = definition.parameters[0].name
            hint = f"write '{definition.name}: …'"
            yield Problem("SW103", f"'{definition.name}' needs its {first}", self.document.span(path), hint)
        elif not bare:
            yield from schema.problems(schema.step_check(definition.name), self.document, path, written)

    def _argument(self, parameter: Parameter, path: Path) -> Any:
        try:
            reader = getattr(self, f"_read_{parameter.syntax}")
            return reader(path)
        except Problems as broken:
            self.problems += broken.problems
        except _Unreadable:
            pass
        return _BROKEN

    def value(self, path: Path, *, bare: bool = False) -> Node:
        """The value at `path`: texts by the language's rule for `$`, lists and mappings all the way down.

        With `bare`, names without a `$` are columns where an expression is.
        """
        data, span = _at(self.document.data, path), self.document.span(path)
        if isinstance(data, str):
            return parse_value(data, self.document.origin(path), bare=bare)
        if isinstance(data, list):
            return ListOf([self.value((*path, place), bare=bare) for place in range(len(data))], span)
        if isinstance(data, dict):
            return ObjectOf([self._entry((*path, key), self.value((*path, key), bare=bare)) for key in data], span)
        return Literal(data, span)

    def expression(self, path: Path, *, columns: bool = False) -> Node:
        """The bare expression at `path`."""
        data = _at(self.document.data, path)
        if isinstance(data, str):
            return parse_expression(data, self.document.origin(path), columns=columns)
        return Literal(data, self.document.span(path))

    def _entry(self, path: Path, value: Node) -> Entry:
        return Entry(str(path[-1]), value, self.document.key_span(path), self.document.span(path))

    def _word(self, path: Path) -> Word:
        data = _at(self.document.data, path)
        if not isinstance(data, str):
            raise _Unreadable
        return Word(data, self.document.span(path))

    def _read_condition(self, path: Path) -> Node:
        return self.expression(path)

    def _read_block(self, path: Path) -> Block:
        return self.block(path) if isinstance(_at(self.document.data, path), list) else ()

    def _read_branches(self, path: Path) -> tuple[Branch, ...]:
        return tuple(
            Branch(
                self.expression((*path, place, "if")),
                self._read_block((*path, place, "then")),
                self.document.span((*path, place)),
            )
            for place in range(len(self._shaped(path, list)))
        )

    def _read_cases(self, path: Path) -> tuple[Case, ...]:
        return tuple(
            Case(Word(key, self.document.key_span((*path, key))), self._read_block((*path, key)))
            for key in self._shaped(path, dict)
        )

    def _read_assignments(self, path: Path) -> tuple[Assignment, ...]:
        return tuple(self._assignment((*path, key)) for key in self._shaped(path, dict))

    def _assignment(self, path: Path) -> Assignment:
        key, span = str(path[-1]), self.document.key_span(path)
        if not _TARGET.fullmatch(key):
            mend = (
                f"write '{key.lstrip('$')}', without the $"
                if key.startswith("$")
                else "write a name, or a path as in user.name or items[0].price"
            )
            raise Problems([Problem("SW104", f"'{key}' is no variable to set", span, mend)])
        (first, _), *rest = _TARGET_PART.findall(key)
        parts = tuple(name or int(index) for name, index in rest)
        return Assignment(first, parts, self.value(path), span, Variable(first, span))

    def _read_where(self, path: Path) -> Node:
        data = _at(self.document.data, path)
        if not isinstance(data, dict):
            return self.expression(path, columns=True)
        conditions = [self._column_equals((*path, key)) for key in data]
        if not conditions:
            raise _Unreadable
        joined = conditions[0]
        for condition in conditions[1:]:
            joined = Binary("and", joined, condition, False, condition.span, joined.span)
        return joined

    def _column_equals(self, path: Path) -> Node:
        key_span = self.document.key_span(path)
        value = self.value(path)
        return Binary("==", Column(str(path[-1]), key_span), value, False, value.span, key_span)

    def _read_match(self, path: Path) -> Node:
        self._shaped(path, dict)
        return self._read_where(path)

    def _read_data(self, path: Path) -> Node:
        return self.value(path, bare=True)

    def _read_edits(self, path: Path) -> Node:
        data = _at(self.document.data, path)
        if not isinstance(data, dict):
            return self.value(path, bare=True)
        entries = [self._entry((*path, key), self._worded((*path, key))) for key in data]
        return ObjectOf([*entries], self.document.span(path))

    def _worded(self, path: Path) -> Node:
        """A value of a column, which may be a text, or an expression over columns without a mark."""
        data, node = _at(self.document.data, path), self.value(path, bare=True)
        is_text = isinstance(data, str) and isinstance(node, Literal)
        words = parse_words(data, self.document.origin(path)) if is_text else None
        return node if words is None else Worded(node, words, node.span)

    def _read_flag(self, path: Path) -> bool:
        return _at(self.document.data, path) is True

    def _read_sql(self, path: Path) -> Sql:
        return read_sql(self._shaped(path, str), self.document.origin(path))

    def _read_rejection(self, path: Path) -> Rejection:
        data = self._shaped(path, dict)
        parts = {key: self.value((*path, key)) for key in ("message", "payload") if key in data}
        return Rejection(self._word((*path, "error")), parts.get("message"), parts.get("payload"))

    def _read_arguments(self, path: Path) -> Node:
        self._shaped(path, dict)
        return self.value(path)

    def _read_duration(self, path: Path) -> Node:
        data, span = _at(self.document.data, path), self.document.span(path)
        if isinstance(data, int) and data < 0:
            raise Problems([Problem("SW105", f"'{data}' is no duration", span, "write seconds, 0 for one without end")])
        if not isinstance(data, str) or data.startswith("$"):
            return self.value(path)
        seconds = seconds_of(data)
        if seconds is None:
            mend = "write seconds, or a number with s, m, h, d or w, as in 24h"
            raise Problems([Problem("SW105", f"'{data}' is no duration", span, mend)])
        return Literal(seconds, span)

    def _shaped(self, path: Path, wanted: type) -> Any:
        data = _at(self.document.data, path)
        if not isinstance(data, wanted):
            raise _Unreadable  # the step's schema has said so
        return data

    def _report(self, code: str, message: str, path: Path, hint: str = "") -> None:
        self.problems.append(Problem(code, message, self.document.span(path), hint))

    condition_of = _read_where
    _read_choice = clauses.read_choice
    _read_sort, _read_columns, _read_joins = clauses.read_sort, clauses.read_columns, clauses.read_joins
    _read_openings, _read_sortable = clauses.read_openings, clauses.read_sortable
    _read_evals, _read_group, _read_addons = clauses.read_evals, clauses.read_group, clauses.read_addons
    _read_value = _read_expression = value
    _read_rows, _read_changes = _read_data, _read_edits
    _read_table = _read_auth_table = _read_function = _read_fault = _word


def matched(condition: Node) -> dict[str, Node]:
    """The columns and values of a `where` that was written as a mapping."""
    match condition:
        case Binary(operator="and"):
            return {**matched(condition.left), **matched(condition.right)}
        case Binary(operator="==", left=Column(name=name)):
            return {name: condition.right}
    return {}


class _Unreadable(Exception):
    """The schema's problem already says what is wrong."""


_BROKEN = object()


def _at(data: Any, path: Path) -> Any:
    for key in path:
        if isinstance(data, str):
            return None  # a step written as plain text has no arguments
        try:
            data = data[key]
        except (KeyError, TypeError):
            raise _Unreadable from None  # the schema says what is missing
    return data
