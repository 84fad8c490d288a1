"""Renaming a variable: all its places in the stack, and where tests look at it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Span
from engine.formatting.items import tree
from engine.lsp.names import NAME, Names, Occurrence
from engine.source import Document, Path
from engine.stack_walk import RESERVED
from engine.syntax import Attribute, Variable, walk
from engine.workspace import Endpoint, TestFile


class Refused(Exception):
    """Raised with what is in a new name's way."""


def renamable(names: Names, line: int, column: int) -> Occurrence | None:
    """The variable at a place, where it is one that can have another name."""
    variable = names.variable(line, column)
    return variable if variable is not None and variable.name not in RESERVED else None


def renamed(names: Names, variable: Occurrence, new: str) -> list[Span]:
    """The places that take the new name. Raises Refused."""
    new = new.removeprefix("$")
    if not NAME.fullmatch(new):
        raise Refused(f"'{new}' is no name: letters, digits and _, a letter first")
    if new in RESERVED:
        raise Refused(f"'{new}' is a given name")
    if any(each.name == new for each in names.all()):
        raise Refused(f"there is a variable '{new}' already")
    own = [each.span for each in names.places(variable)]
    return own if variable.by is not None else [*own, *_in_tests(names, variable.name)]


def _in_tests(names: Names, name: str) -> Iterator[Span]:
    """Where tests of the stack speak of `$steps.name`."""
    if names.stack is None:
        return
    owner = names.stack.owner
    called = {owner.name, *({owner.address} if isinstance(owner, Endpoint) else ())}
    for file in names.workspace.tests:
        yield from (span for path, span in _looked_at(file.document, name) if _target(file, path) in called)


def _looked_at(document: Document, name: str) -> Iterator[tuple[Path, Span]]:
    """The places of `name` in `$steps.name` in a test file, each with the path of the text that it is in."""
    for item in tree(document).walk():
        for node in walk(item.node) if item.node is not None else ():
            match node:
                case Attribute(Variable("steps"), found) if found == name:
                    yield item.path, node.name_span


def _target(file: TestFile, path: Path) -> str:
    """What is called where a text of a test file stands: its own target, or that of a request that follows."""
    if "then" in path:
        return str(file.document.value((*path[: path.index("then") + 2], "request")))
    return file.target
