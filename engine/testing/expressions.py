"""Values and conditions of test files, compiled once where they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.compile import compile_node
from engine.errors import Problems, Span
from engine.infer import Inference
from engine.parser import parse_expression
from engine.run import Run, as_fault
from engine.scope import Scope
from engine.source import Document, Path
from engine.stack import StackReader
from engine.syntax import Node
from engine.testing import claims
from engine.values import ANY

Variables = Mapping[str, object]


class Unusable(Exception):
    """Something in a test file failed when it was used: an expression, a record, a token."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message, self.span = message, span


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value in a test file; texts in it may be expressions over the variables `names`."""

    document: Document
    path: Path
    node: Node
    names: tuple[str, ...]
    function: Callable[..., Any]

    def evaluate(self, run: Run, variables: Variables) -> Any:
        """The value as plain data. Raises Unusable."""
        try:
            return self.function(run, *(variables[name] for name in self.names))
        except Exception as error:
            fault = as_fault(error)
            if fault is None:
                raise
            raise Unusable(f"'{self.text}' can't be evaluated: {fault.message}", self.span()) from error

    def span(self, *keys: str | int) -> Span:
        """Its place, or that of the part at `keys`."""
        return self.document.span((*self.path, *keys))

    @property
    def text(self) -> str:
        """What is written there, cut where it is no text."""
        try:
            return self.document.origin(self.path).value
        except LookupError:
            return "a value in here"

    def part(self, node: Node) -> Value:
        """A part of its expression as a value of its own."""
        return _made(self.document, self.path, node, self.names)


def value(document: Document, path: Path, names: Sequence[str]) -> Value:
    """The value at `path`: a text that starts with `$` is an expression, `${ … }` in a text is filled in.

    Raises `Problems`.
    """
    return _made(document, path, StackReader(document).value(path), names)


def condition(document: Document, path: Path, names: Sequence[str]) -> Value:
    """The bare expression at `path`, which must be a bool. Raises `Problems`."""
    origin = document.origin(path)
    node = parse_expression(origin.value, origin)
    inference = Inference()
    with claims.known():
        inference.condition(node, Scope(kinds=dict.fromkeys(names, ANY)))
    if inference.errors:
        raise Problems(inference.errors)
    return _made(document, path, node, names)


def _made(document: Document, path: Path, node: Node, names: Sequence[str]) -> Value:
    with claims.known():
        return Value(document, path, node, tuple(names), compile_node(node, names))
