"""The tree of an expression: what `parser` makes, and what checking and compiling read.

Nodes are compared and hashed by identity, so they can key dictionaries. `span` is always the last field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.errors import Span


class Node:
    """What every node of a tree is; `span` is its exact place in the file."""

    __slots__ = ()

    span: Span


@dataclass(slots=True, eq=False)
class Literal(Node):
    """A text, an int, a float, a bool or null."""

    value: str | int | float | bool | None
    span: Span


@dataclass(slots=True, eq=False)
class Template(Node):
    """`Hi ${$name}`: text literals and expressions, joined to one text. Only ever the whole value."""

    parts: list[Node]
    span: Span


@dataclass(slots=True, eq=False)
class Worded(Node):
    """A text in the data of a record that also reads as an expression over columns: which it is, its column says."""

    text: Node
    expression: Node
    span: Span


@dataclass(slots=True, eq=False)
class Variable(Node):
    """`$name`; `name` is without the `$`."""

    name: str
    span: Span


@dataclass(slots=True, eq=False)
class Column(Node):
    """A bare name; whether columns can be here is the checker's to say."""

    name: str
    span: Span


@dataclass(slots=True, eq=False)
class Attribute(Node):
    """`of.name`, or `of?.name` where `optional`."""

    of: Node
    name: str
    optional: bool
    name_span: Span
    span: Span


@dataclass(slots=True, eq=False)
class Index(Node):
    """`of[index]`, or `of?.[index]` where `optional`."""

    of: Node
    index: Node
    optional: bool
    span: Span


@dataclass(slots=True, eq=False)
class Spread(Node):
    """`...of`, only in a list or an object."""

    of: Node
    span: Span


@dataclass(slots=True, eq=False)
class ListOf(Node):
    """`[a, ...b]`; the items may be `Spread`s."""

    items: list[Node]
    span: Span


@dataclass(slots=True, eq=False)
class Entry(Node):
    """`key: value` of an object."""

    key: str
    value: Node
    key_span: Span
    span: Span


@dataclass(slots=True, eq=False)
class ObjectOf(Node):
    """`{a: 1, ...b}`."""

    entries: list[Entry | Spread]
    span: Span


@dataclass(slots=True, eq=False)
class Unary(Node):
    """`operator` is `not` or `-`."""

    operator: str
    operand: Node
    span: Span


@dataclass(slots=True, eq=False)
class Binary(Node):
    """`+ - * / % ~ ?? and or == != < <= > >= in`, and `not in` (one blank).

    `optional` is a comparison with a `?` after it: in a query it is dropped where the right side is null.
    """

    operator: str
    left: Node
    right: Node
    optional: bool
    operator_span: Span
    span: Span


@dataclass(slots=True, eq=False)
class Conditional(Node):
    """`then if test else otherwise`."""

    test: Node
    then: Node
    otherwise: Node
    span: Span


@dataclass(slots=True, eq=False)
class Range(Node):
    """`start..stop`."""

    start: Node
    stop: Node
    span: Span


@dataclass(slots=True, eq=False)
class Filter(Node):
    """`of | name(arguments)`; the arguments may be `Lambda`s.

    `optional` is a name with a `?` after it: in a query the condition is dropped where its argument is null.
    """

    of: Node
    name: str
    arguments: list[Node]
    optional: bool
    name_span: Span
    span: Span


@dataclass(slots=True, eq=False)
class Call(Node):
    """`name(arguments)`; the arguments may be `Lambda`s."""

    name: str
    arguments: list[Node]
    name_span: Span
    span: Span


@dataclass(slots=True, eq=False)
class Lambda(Node):
    """`$a => body` or `($a, $b) => body`; `parameters` are without the `$`, one span each."""

    parameters: list[str]
    body: Node
    parameter_spans: list[Span]
    span: Span


def children(node: Node) -> Iterator[Node]:
    """The nodes right below `node`, in the order of its fields."""
    for name in _PARTS[type(node)]:
        value = getattr(node, name)
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _parts(cls: Any) -> tuple[str, ...]:
    """The fields of a sort of node that hold nodes: trees are walked too often to look at the others."""
    return tuple(each.name for each in fields(cls) if re.search("Node|Entry", str(each.type)))


_PARTS: Mapping[type[Node], tuple[str, ...]] = {cls: _parts(cls) for cls in Node.__subclasses__()}


def with_variables(node: Any) -> Any:
    """`node`, with each bare name as the variable of that name: a rule of a table is then an expression as any."""
    if isinstance(node, Column):
        return Variable(node.name, node.span)
    if isinstance(node, list):
        return [with_variables(each) for each in node]
    if not isinstance(node, Node):
        return node
    parts: Any = {part.name: with_variables(getattr(node, part.name)) for part in fields(node)}  # type: ignore[arg-type]
    return replace(node, **parts)  # type: ignore[type-var]


def has_column(node: Node) -> bool:
    """Whether a bare name stands in it."""
    return any(isinstance(each, Column) for each in walk(node))


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it, parents first, siblings in the order of their fields."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(children(node))))
