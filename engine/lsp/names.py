"""Names in a stack: where a variable is set and used, and what every other name stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Span
from engine.fields import Field
from engine.lsp.probe import Probe, parts, probe
from engine.source import Document, Path
from engine.stack import Word
from engine.stack_walk import RESERVED
from engine.syntax import Attribute, Column, Lambda, Node, Variable, children, walk
from engine.values import ANY, Kind
from engine.workspace import Endpoint, Table, Workspace

NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place of a variable's name, without `$`; `by` is the lambda whose parameter it is, if it is one.

    `kind` is what it becomes there.
    """

    name: str
    span: Span
    is_set: bool
    by: Lambda | None = None
    kind: Kind | None = None


def occurrences(stack: Probe) -> Iterator[Occurrence]:
    """All places of variables in a stack."""
    for step in stack.steps():
        if step.result is not None:
            yield _set(stack, step.result.text, step.result.span)
        for each in step.arguments.get("variables", ()) if step.name == "set" else ():
            yield _set(stack, each.name, each.span)
    for root in stack.nodes():
        yield from _used(root, {})


def _set(stack: Probe, name: str, span: Span) -> Occurrence:
    return Occurrence(name, _bare(span, name), True, kind=stack.results.get((span.line, span.column)))


def _used(node: Node, around: dict[str, Lambda]) -> Iterator[Occurrence]:
    if isinstance(node, Variable):
        yield Occurrence(node.name, _bare(node.span, node.name), False, around.get(node.name))
    if isinstance(node, Lambda):
        around = {**around, **dict.fromkeys(node.parameters, node)}
        for name, span in zip(node.parameters, node.parameter_spans, strict=True):
            yield Occurrence(name, _bare(span, name), True, node)
    for child in children(node):
        yield from _used(child, around)


def _bare(span: Span, name: str) -> Span:
    """The place of the name within a place that may begin with a quote or a `$`, and may have a path behind."""
    line = span.text.line(span.line)
    column = span.column - 1 + (line[span.column - 1 :].find(name))
    return Span(span.text, span.line, column + 1, span.line, column + 1 + len(name))


def covers(span: Span, line: int, column: int) -> bool:
    """Whether a cursor before the character at `column` is in or right behind a place."""
    return (span.line, span.column) <= (line, column) <= (span.end_line, span.end_column)


class Names:
    """What the names of one document stand for."""

    def __init__(self, document: Document, workspace: Workspace) -> None:
        self.document, self.workspace = document, workspace
        self.stack = probe(document, workspace)

    def all(self) -> list[Occurrence]:
        """All places of variables."""
        return list(occurrences(self.stack)) if self.stack is not None else []

    def variable(self, line: int, column: int) -> Occurrence | None:
        """The variable at a place."""
        return next((each for each in self.all() if covers(each.span, line, column)), None)

    def places(self, of: Occurrence) -> list[Occurrence]:
        """All places of the same variable."""
        return [each for each in self.all() if (each.name, each.by) == (of.name, of.by)]

    def node(self, line: int, column: int) -> Node | None:
        """The innermost node at a place."""
        found = [each for root in (self.stack.nodes() if self.stack else ()) for each in walk(root)]
        return next((each for each in reversed(found) if covers(each.span, line, column)), None)

    def kind(self, node: Node) -> Kind:
        """What is known of a node."""
        return self.stack.kinds.get(node, ANY) if self.stack is not None else ANY

    def definitions(self, line: int, column: int) -> list[Span]:
        """Where what is named at a place is declared."""
        variable = self.variable(line, column)
        if variable is not None and variable.name not in RESERVED:
            return [each.span for each in self.places(variable) if each.is_set]
        return list(dict.fromkeys(span for span in self._declared(line, column) if span is not None))

    def _declared(self, line: int, column: int) -> Iterator[Span | None]:
        node = self.node(line, column)
        match node:
            case Variable(name="auth") if isinstance(self._owner, Endpoint):
                yield self._table_span(self._owner.auth)
            case Attribute() if covers(node.name_span, line, column):
                yield self._member(node)
            case Column():
                yield from self._column(node)
        yield from self._words(line, column)

    @property
    def _owner(self) -> object:
        return self.stack.owner if self.stack is not None else None

    def _member(self, node: Attribute) -> Span | None:
        owner = self.kind(node.of)
        if owner.is_record:
            return self._column_span(owner.table, node.name)
        given = node.of.name if isinstance(node.of, Variable) else ""
        fields: tuple[Field, ...] = {"env": self.workspace.env}.get(given, ())
        if given == "input" and self.stack is not None:
            fields = self.stack.owner.input
        return next((each.span for each in fields if each.name == node.name), None)

    def _column(self, node: Column) -> Iterator[Span | None]:
        """The column's place, in the table of the step that it is in."""
        for step in self.stack.steps() if self.stack is not None else ():
            if any(each is node for root in parts(step.arguments) if isinstance(root, Node) for each in walk(root)):
                word = step.arguments.get("table")
                yield self._column_span(word.text, node.name) if isinstance(word, Word) else None

    def _words(self, line: int, column: int) -> Iterator[Span | None]:
        """What keys and plain values name: tables, functions, endpoints, groups and columns."""
        found = self.document.path_at(line, column)
        if found is None:
            return
        path, is_key = found
        text = str(path[-1]) if is_key else self.document.value(path)
        if not isinstance(text, str) or not path:
            return
        if is_key:
            yield from self._keyed(path, text)
            return
        kind, key = str(next(iter(self.document.value(())))), path[-1]
        if kind == "test" and key in ("test", "request"):
            yield from (each.span for each in self.workspace.addressed(text))
        if (kind == "test" and key == "test") or key == "run_function":
            yield self.workspace.functions[text].span if text in self.workspace.functions else None
        elif key in ("table", "auth") or self._names_table(path):
            yield self._table_span(text)

    def _names_table(self, path: Path) -> bool:
        words = self.stack.names() if self.stack is not None else ()
        span = self.document.span(path)
        return any(name == "table" and word.span == span for _, name, word in words)

    def _keyed(self, path: Path, text: str) -> Iterator[Span | None]:
        """A key that is a column or a table."""
        if path[-2:-1] == ("records",):
            yield self._table_span(text)
        elif path[-4:-3] == ("records",):
            yield self._column_span(str(path[-3]), text)
        for length in range(len(path) - 2, 0, -1):
            step = self.document.value(path[:length])
            main = (
                next(iter(step.values()), None)
                if isinstance(step, dict) and isinstance(path[length - 1], int)
                else None
            )
            if isinstance(main, str):
                function = self.workspace.functions.get(main)
                inputs = function.input if function is not None else ()
                yield self._column_span(main, text)
                yield from (each.span for each in inputs if each.name == text)
                return

    def _table_span(self, name: str) -> Span | None:
        table = self.workspace.tables.get(name)
        return table.span if table is not None else None

    def _column_span(self, table: str, name: str) -> Span | None:
        known: Table | None = self.workspace.tables.get(table)
        return known.columns[name].span if known is not None and name in known.columns else None
