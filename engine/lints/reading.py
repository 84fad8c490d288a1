"""What the steps of a stack read and run, whatever their sort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from engine.clauses import Word
from engine.errors import Span
from engine.openings import steps_in
from engine.stack import Block, Branch, Case, Step
from engine.syntax import Lambda, Node, Variable, children
from engine.values import Kind
from engine.workspace import Table


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A stack that was checked without an error; `method` is empty for a function's, `auth` where
    anybody may call. `kinds` are those of its nodes."""

    stack: Block
    response: Node | None
    kinds: Mapping[Node, Kind]
    tables: Mapping[str, Table]
    method: str = ""
    auth: str = ""

    @property
    def steps(self) -> Iterator[Step]:
        """All steps in the order of the file."""
        return steps_in(self.stack)

    def is_account(self, table: str) -> bool:
        """Whether a table is one whose records can log in."""
        return table in self.tables and self.tables[table].auth


def expressions(value: object) -> Iterator[Node]:
    """The expressions in a step's arguments; those of inner steps are left out."""
    if isinstance(value, Node):
        yield value
    elif isinstance(value, Branch):
        yield value.condition
    elif isinstance(value, tuple | list):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, Mapping):
        yield from expressions(list(value.values()))
    elif is_dataclass(value) and not isinstance(value, Step | Case | Word | Span):
        for field in fields(value):
            yield from expressions(getattr(value, field.name))


def variables(node: Node, hidden: frozenset[str] = frozenset()) -> Iterator[Variable]:
    """The variables that an expression reads; the parameters of its lambdas, and those `hidden`, are none."""
    if isinstance(node, Variable):
        if node.name not in hidden:
            yield node
        return
    if isinstance(node, Lambda):
        hidden |= set(node.parameters)
    for child in children(node):
        yield from variables(child, hidden)


def reads(value: object) -> frozenset[str]:
    """The names of the variables that a step's argument, or several, read."""
    return frozenset(each.name for node in expressions(value) for each in variables(node))


def read_by(step: Step) -> frozenset[str]:
    """The names of the variables that a step itself reads, before it runs any step within."""
    return reads(list(step.arguments.values()))
