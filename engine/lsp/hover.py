"""What is said of the word under the pointer: the reference, and the kind of what it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from engine import registry
from engine.errors import Span
from engine.lsp.names import Names, covers
from engine.lsp.schemas import schema_of
from engine.reference import described, taken
from engine.registry import Definition
from engine.source import Path
from engine.syntax import Call, Filter, Lambda, Node
from engine.unparse import unparse
from engine.values import ANY, Kind
from engine.wording import usage
from engine.workspace import Function, Table


@dataclass(frozen=True, slots=True)
class Hover:
    """Markdown about a place."""

    text: str
    span: Span


def hover(names: Names, line: int, column: int) -> Hover | None:
    """What there is to say of a place."""
    node = names.node(line, column)
    said = _of_node(names, node, line, column) if node is not None else None
    return said or _of_variable(names, line, column) or _of_word(names, line, column)


def _of_node(names: Names, node: Node, line: int, column: int) -> Hover | None:
    match node:
        case Filter() if covers(node.name_span, line, column):
            return _defined(registry.filters().get(node.name), node.name_span)
        case Call() if covers(node.name_span, line, column):
            return _defined(registry.functions().get(node.name), node.name_span)
        case Lambda():
            return None
    if node not in (names.stack.kinds if names.stack is not None else ()):
        return None
    return Hover(_typed(unparse(node), names.kind(node)), node.span)


def _defined(definition: Definition | None, span: Span) -> Hover | None:
    if definition is None:
        return None
    return Hover("\n".join([f"```\n{usage(definition)}\n```", *described(definition)]), span)


def _typed(written: str, kind: Kind) -> str:
    """An expression and its kind; of an object or a record its fields too."""
    shown = written if len(written) <= 80 else written[:79] + "…"
    return "\n".join([f"`{shown}`: {kind}", "", *_fields(kind)])


def _fields(kind: Kind) -> Iterator[str]:
    owner = kind.item if kind.name == "list" and kind.item is not None else kind
    for option in owner.choices:
        for name, each in (option.fields or {}).items():
            yield f"- `{name}`: {each.maybe() if name in option.optional else each}{', secret' if each.secret else ''}"


def _of_variable(names: Names, line: int, column: int) -> Hover | None:
    variable = names.variable(line, column)
    if variable is None or names.stack is None:
        return None
    kind = variable.kind or names.stack.variables.get(variable.name, ANY)
    return Hover(_typed(f"${variable.name}", kind), variable.span)


def _of_word(names: Names, line: int, column: int) -> Hover | None:
    found = names.document.path_at(line, column)
    if found is None:
        return None
    path, is_key = found
    span = names.document.key_span(path) if is_key else names.document.span(path)
    text = _of_key(names, path) if is_key else _of_value(names, path)
    return Hover(text, span) if text else None


def _of_key(names: Names, path: Path) -> str:
    """A step's name, an argument, or any other key that the schema of its file describes."""
    step = _step(names, path[:-1])
    if step is not None and path[-1] == step.name:
        return "\n".join([f"**{step.name}**", "", *described(step)])
    parameter = step.parameter(str(path[-1])) if step is not None else None
    described_as = schema_of(names.document, path).get("description", "")
    said = taken(parameter) if parameter is not None else ""
    return f"`{path[-1]}`" + (f": {said}" if said else "") + (f"\n\n{described_as}" if described_as else "")


def _step(names: Names, path: Path) -> Definition | None:
    """The definition of the step at `path`, where there is one."""
    value = names.document.value(path)
    name = next(iter(value), "") if isinstance(value, dict) else value
    is_step = bool(path) and isinstance(path[-1], int)
    return registry.steps().get(name) if is_step and isinstance(name, str) else None


def _of_value(names: Names, path: Path) -> str:
    value, step = names.document.value(path), _step(names, path)
    if not isinstance(value, str):
        return ""
    if step is not None:
        return "\n".join([f"**{step.name}**", "", *described(step)])
    spans = names.definitions(names.document.span(path).line, names.document.span(path).column)
    tables = (_table(each) for each in names.workspace.tables.values() if each.span in spans)
    functions = (_function(each) for each in names.workspace.functions.values() if each.span in spans)
    return next(chain(tables, functions), "")


def _table(table: Table) -> str:
    lines = [f"**{table.name}**", "", *([table.description, ""] if table.description else [])]
    return "\n".join([*lines, *(f"- `{each.name}`: {each.kind}" for each in table.columns.values())])


def _function(function: Function) -> str:
    lines = [f"**{function.name}**", "", *([function.description, ""] if function.description else [])]
    inputs = [f"- `{each.name}`: {each.kind}" for each in function.input]
    returns = ["", f"It returns {function.returns.kind}."] if function.returns is not None else []
    return "\n".join([*lines, *inputs, *returns])
