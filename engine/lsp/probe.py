"""A stack checked once more for an editor: what is known at each place of it, however much is still missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from engine.check import WorkspaceChecker
from engine.columns import EDITS
from engine.edits import chosen
from engine.errors import Problems, Span
from engine.fields import Field, read_field
from engine.infer import Inference
from engine.scope import Scope
from engine.source import Document, Path
from engine.stack import Block, StackReader, Step, Word
from engine.stack_check import StackChecker
from engine.stack_walk import CheckedStack
from engine.syntax import Node
from engine.testing.fixtures import FOLLOWING
from engine.values import ANY, INT, Kind, object_of
from engine.workspace import Endpoint, Function, Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Sketch(Step):
    """A step with mistakes: of its arguments only those that can be read are there."""


class _Reader(StackReader):
    def spoilt(self, step: Step) -> Step | None:
        result = step.result if step.result is not None and isinstance(step.result.text, str) else None
        return Sketch(step.definition, step.arguments, step.spans, result, step.note, step.span)


class _Look(Inference):
    """Infers kinds, and remembers what was known at each node."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: dict[Node, Scope] = {}

    def infer(self, node: Node, scope: Scope) -> Kind:
        self.scopes[node] = scope
        return super().infer(node, scope)


def seen(node: Node, scope: Scope) -> tuple[Mapping[Node, Kind], Mapping[Node, Scope]]:
    """The kinds of all nodes of an expression where `scope` is known, and what is known at each."""
    look = _Look()
    look.infer(node, scope)
    return look.kinds, look.scopes


class _Walk(StackChecker):
    """Walks through a stack, and remembers what was known at each node and before each step, and what results were."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.scopes: dict[Node, Scope] = {}
        self.before: dict[tuple[int, int], Scope] = {}
        self.results_at: dict[tuple[int, int], Kind] = {}

    def assign(self, word: Word, kind: Kind, scope: Scope, mend: str = "leave 'as:' out") -> Scope:
        self.results_at[(word.span.line, word.span.column)] = kind
        return super().assign(word, kind, scope, mend)

    def infer(self, node: Node, scope: Scope) -> Kind:
        self.scopes[node] = scope
        return super().infer(node, scope)

    def step(self, step: Step, scope: Scope) -> Scope:
        self.before[(step.span.line, step.span.column)] = scope
        return super().step(step, scope)

    def apply(self, step: Step, scope: Scope) -> Scope:
        return self._sketched(step, scope) if isinstance(step, Sketch) else super().apply(step, scope)

    def _sketched(self, step: Step, scope: Scope) -> Scope:
        """After a step with mistakes: its expressions are looked at one by one, its result is of any kind."""
        word = step.arguments.get("table")
        table = self.workspace.tables.get(word.text) if isinstance(word, Word) else None
        for name, argument in step.arguments.items():
            asks = name in ("where", "join", "eval", "group", "addon") or (name == "data" and step.name in EDITS)
            within = scope.with_columns(table.asked) if asks and table is not None else scope
            for part in parts(argument):
                if isinstance(part, Node):
                    self.infer(part, within)
                elif isinstance(part, Step):
                    within = self.step(part, within)
        return self.result(step, ANY, scope)


class _Checker(WorkspaceChecker):
    walker = _Walk

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._walks: dict[Endpoint | Function, _Walk] = {}

    def walked(self, owner: Endpoint | Function) -> _Walk:
        """The walk through the stack of `owner`."""
        if isinstance(owner, Endpoint):
            self.endpoint(owner)
        else:
            self._function(owner)
        return self._walks[owner]

    def _finish(self, checker: StackChecker, result: Kind, owner: Endpoint | Function) -> CheckedStack:
        assert isinstance(checker, _Walk)
        self._walks[owner] = checker
        return super()._finish(checker, result, owner)


def parts(value: object) -> Iterator[Node | Step | Word]:
    """The expressions, steps and names that an argument holds, not what is within those."""
    if isinstance(value, Node | Step | Word):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from parts(each)
    elif isinstance(value, Mapping):
        yield from parts(list(value.values()))
    elif is_dataclass(value) and not isinstance(value, Span):
        yield from parts([getattr(value, each.name) for each in fields(value)])


@dataclass(frozen=True, eq=False)
class Probe:
    """What is known of a stack: the kind of each node, the scope at each node and before each step, every variable.

    `results` are the kinds of what variables become, by the places of their names, `given` is what is known at first.
    """

    owner: Endpoint | Function
    kinds: Mapping[Node, Kind]
    scopes: Mapping[Node, Scope]
    before: Mapping[tuple[int, int], Scope]
    results: Mapping[tuple[int, int], Kind]
    variables: Mapping[str, Kind]
    given: Scope

    @property
    def anywhere(self) -> Scope:
        """What may be known somewhere in it."""
        return Scope(kinds={**self.given.kinds, **self.variables})

    def steps(self) -> Iterator[Step]:
        """All steps, outer ones first."""
        waiting: list[object] = [*self.owner.stack]
        while waiting:
            step = waiting.pop(0)
            if isinstance(step, Step):
                yield step
                waiting[:0] = [part for part in parts(step.arguments) if isinstance(part, Step)]

    def nodes(self) -> Iterator[Node]:
        """The roots of all expressions."""
        for step in self.steps():
            yield from (chosen(part, self.kinds) for part in parts(step.arguments) if isinstance(part, Node))
        response = self.owner.response if isinstance(self.owner, Endpoint) else None
        yield from [response] if response is not None else []

    def names(self) -> Iterator[tuple[Step, str, Word]]:
        """The names that steps are given, each with its step and its parameter; `as` is the result's."""
        for step in self.steps():
            yield from [(step, "as", step.result)] if step.result is not None else []
            for name, argument in step.arguments.items():
                yield from ((step, name, part) for part in parts(argument) if isinstance(part, Word))


def probe(document: Document, workspace: Workspace) -> Probe | None:
    """What is known of the stack in a document; None where it is no stack's."""
    owner = _owner(document, workspace)
    if owner is None:
        return None
    walk = _Checker(workspace).walked(owner)
    return Probe(owner, walk.kinds, walk.scopes, walk.before, walk.results_at, walk.assigned, walk.given)


def test_kinds(target: str, workspace: Workspace) -> dict[str, Kind]:
    """The kinds of what the expressions of a test may speak of; `$steps` has the variables of the stack it is for."""
    found = next(iter(workspace.addressed(target)), None) or workspace.functions.get(target)
    stack = probe(found.document, workspace) if found is not None else None
    steps = object_of(stack.variables) if stack is not None else ANY
    return {**dict.fromkeys(FOLLOWING, ANY), "steps": steps, "status": INT}


def _owner(document: Document, workspace: Workspace) -> Endpoint | Function | None:
    """The endpoint or function that a document declares, as far as it can be read."""
    data: Any = document.data
    kind = next(iter(data), None) if isinstance(data, dict) else None
    name, span = data.get(kind) if kind else None, document.span((kind,) if kind else ())
    if kind not in ("endpoint", "function") or not isinstance(name, str):
        return None
    reader = _Reader(document)
    stack: Block = reader.block(("stack",)) if isinstance(data.get("stack"), list) else ()
    if kind == "function":
        return Function(name, declared(document, "input", workspace), _returns(document), stack, span, document)
    method, _, path = name.partition(" ")
    auth, inputs = data.get("auth"), declared(document, "input", workspace)
    auth = auth if isinstance(auth, str) else ""
    return Endpoint(method, path, workspace.group, auth, inputs, stack, _response(reader), span, document)


def _response(reader: StackReader) -> Node | None:
    try:
        return reader.value(("response",)) if "response" in reader.document.value(()) else None
    except Problems:
        return None


def declared(document: Document, key: str, workspace: Workspace) -> tuple[Field, ...]:
    """The fields under a key of a file, those that can be read."""
    types = {name: table.id.type for name, table in workspace.tables.items()}
    written: Any = document.value(()).get(key)
    read = (_field(document, (key, name)) for name in (written if isinstance(written, dict) else ()))
    return tuple(each.resolved(types) for each in read if each is not None)


def _returns(document: Document) -> Field | None:
    return _field(document, ("returns",)) if "returns" in document.value(()) else None


def _field(document: Document, path: Path) -> Field | None:
    try:
        return read_field(document, path)
    except (LookupError, TypeError, ValueError, AttributeError):  # it is half written
        return None
