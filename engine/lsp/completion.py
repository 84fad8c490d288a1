"""What can stand at the cursor: steps, arguments, variables with their kinds, columns, filters, tables …"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Literal as Choice

from engine import registry
from engine.applications import paired
from engine.edits import is_textless
from engine.errors import FAULTS, Text
from engine.fields import TYPES
from engine.formatting.texts import parsed
from engine.lsp.marked import MARK, Marked, marked
from engine.lsp.probe import Probe, declared, probe, seen, test_kinds
from engine.lsp.schemas import choices_of, schema_of
from engine.origin import Origin
from engine.reference import described, taken
from engine.registry import Definition, substitute
from engine.scope import Scope
from engine.source import Document, Path
from engine.stack_walk import RESERVED
from engine.syntax import (
    Attribute,
    Binary,
    Call,
    Column,
    Entry,
    Filter,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Variable,
    children,
    walk,
)
from engine.values import ANY, Kind, fits
from engine.wording import usage
from engine.workspace import Table, Workspace
from engine.written_kinds import KIND_NAMES

Sort = Choice["step", "key", "variable", "column", "field", "filter", "function", "table", "word"]


_WORD = re.compile(r"\w*\Z")
_EXPRESSION = re.compile(r"\$[^$]*\Z")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that can stand at the cursor; it goes in the place of the characters `start` to `end`.

    `rank` sorts: what fits comes first. `detail` is a few words, `doc` is Markdown.
    """

    label: str
    sort: Sort
    detail: str = ""
    doc: str = ""
    rank: int = 0
    insert: str = ""
    start: int = 0
    end: int = 0


def suggestions(text: Text, offset: int, workspace: Workspace, known: Document | None = None) -> list[Suggestion]:
    """What can stand in `text` at `offset`; `known` is what it was when it could be read last."""
    place = marked(text, offset)
    if place is None:
        return list(_guessed(text, offset, probe(known, workspace) if known is not None else None))
    found = _Completion(place, workspace).run()
    # A whole value or key is replaced, as names of functions have slashes in them; of an expression only the word is.
    start = place.start - len(place.prefix) if place.node is None else place.start
    ending = "" if text.content[place.end : place.end + 1] == ":" else ": "
    return [
        replace(each, start=start, end=place.end, insert=each.label + (ending if each.insert == ":" else ""))
        for each in found
    ]


def _guessed(text: Text, offset: int, stack: Probe | None) -> Iterator[Suggestion]:
    """What can stand in a text that can't be read: it is taken for an expression that begins at the last `$`."""
    line = text.content[:offset].rpartition("\n")[2]
    start, expression = offset - len(_WORD.findall(line)[0]), _EXPRESSION.search(line)
    if stack is None or expression is None:
        return
    written = expression[0][: len(expression[0]) - (offset - start)] + MARK
    node = parsed(written, "expression", Origin(Text("", written), 0, len(written), 1, 1, "", written))
    if node is not None:
        found = _fitting(node, *seen(node, stack.anywhere))
        yield from (replace(each, insert=each.label, start=start, end=offset) for each in found)


class _Completion:
    def __init__(self, place: Marked, workspace: Workspace) -> None:
        self.place, self.workspace = place, workspace
        self.path, self.parent = place.path, place.path[:-1]
        self.step = self._step_path()

    def run(self) -> list[Suggestion]:
        node = self.place.node
        if node is not None:
            return list(self._in_expression(node))
        return list(self._keys() if self.place.is_key else chain(self._values(), self._in_words()))

    def _step_path(self) -> Path | None:
        """The path of the innermost step around the mark."""
        lengths = range(len(self.path), 0, -1)
        return next((self.path[:n] for n in lengths if self.place.form(self.path[: n - 1]).is_steps), None)

    def _definition(self) -> Definition | None:
        written = self.place.value(self.step) if self.step is not None else None
        return registry.steps().get(next(iter(written), "")) if isinstance(written, dict) else None

    # Keys.

    def _keys(self) -> Iterator[Suggestion]:
        parent = self.place.value(self.parent)
        given = set(parent) if isinstance(parent, dict) else set()
        if self.parent == self.step and isinstance(parent, dict) and next(iter(parent)) == self.path[-1]:
            yield from _steps()
            return
        properties = schema_of(self.place.document, self.parent).get("properties", {})
        for rank, name in enumerate(self.place.form(self.parent).order):
            if name not in given and name in properties:
                yield Suggestion(name, "key", self._taken(name), properties[name].get("description", ""), rank, ":")
        yield from self._clause_keys(given)

    def _taken(self, key: str) -> str:
        """What an argument of the step takes."""
        definition = self._definition() if self.parent == self.step else None
        parameter = definition.parameter(key) if definition is not None else None
        return taken(parameter) if parameter is not None else ""

    def _clause_keys(self, given: set[str]) -> Iterator[Suggestion]:
        """The keys of what isn't fixed: columns, inputs of a function, tables of records."""
        within = self.path[len(self.step) :] if self.step is not None else ()
        syntax = self._syntax(within[0]) if within else ""
        levels = {**dict.fromkeys(("where", "match", "data", "edits", "changes", "sort"), 2), "rows": 3}
        if len(within) == levels.get(syntax):
            yield from _columns(self._table(), given)
        elif syntax == "arguments":
            yield from self._inputs(given)
        elif self.place.kind == "test" and "records" in self.parent[-1:]:
            yield from _tables(self.workspace.tables.values(), ":")
        elif self.place.kind == "test" and self.parent[-3:-2] == ("records",):
            yield from _columns(self.workspace.tables.get(str(self.parent[-2])), given)

    def _syntax(self, key: str | int) -> str:
        """How the argument `key` of the step is written."""
        definition = self._definition()
        if definition is None:
            return ""
        parameter = definition.main if key == definition.name else definition.parameter(str(key))
        return parameter.syntax if parameter is not None else ""

    def _table(self) -> Table | None:
        """The table that the step is about."""
        written, definition = self.place.value(self.step or ()), self._definition()
        name = written.get(definition.name) if isinstance(written, dict) and definition is not None else None
        return self.workspace.tables.get(name) if isinstance(name, str) else None

    def _inputs(self, given: set[str]) -> Iterator[Suggestion]:
        written = self.place.value((*(self.step or ()), "run_function"))
        function = self.workspace.functions.get(written) if isinstance(written, str) else None
        for each in function.input if function is not None else ():
            if each.name not in given:
                yield Suggestion(each.name, "field", str(each.kind), each.description, not each.required, ":")

    # Values.

    def _values(self) -> Iterator[Suggestion]:
        key, form = self.path[-1], self.place.form(self.parent)
        if form.is_steps:
            yield from _steps()
        elif key in ("test", "request") and self.place.kind == "test":
            yield from self._targets(key == "test")
        elif form.each in ("field", "column") or key in ("returns", "type"):
            yield from _words(TYPES)
        elif key == "table":
            yield from _tables(self._tables_meant())
        elif key == "auth" and self.place.kind == "endpoint":
            yield from _tables(each for each in self.workspace.tables.values() if each.auth)
        elif key == "group" and self.place.kind == "endpoint":
            yield from (Suggestion(name, "word", "a group") for name in self.workspace.groups)
        else:
            yield from self._argument()

    def _tables_meant(self) -> Iterable[Table]:
        needs_auth = self.parent[-1:] == ("auth",)
        return [each for each in self.workspace.tables.values() if each.auth or not needs_auth]

    def _argument(self) -> Iterator[Suggestion]:
        within = self.path[len(self.step) :] if self.step is not None else ()
        match self._syntax(within[0]) if within else "":
            case "table":
                yield from _tables(self.workspace.tables.values())
            case "auth_table":
                yield from _tables(each for each in self.workspace.tables.values() if each.auth)
            case "function":
                for each in self.workspace.functions.values():
                    yield Suggestion(
                        each.name, "function", str(each.returns.kind) if each.returns else "", each.description
                    )
            case "fault":
                yield from (Suggestion(name, "word", str(status)) for name, (status, _) in FAULTS.items())
            case "columns" | "openings" | "sortable" | "group":
                yield from _columns(self._table(), set(), "")
            case "where" | "match" | "data" | "edits" | "changes" | "rows" if (table := self._table()) is not None:
                column = table.columns.get(str(within[-1]))
                yield from _words(column.values if column is not None else ())
            case _:
                yield from _words(choices_of(self.place.document, self.path))

    def _targets(self, is_test: bool) -> Iterator[Suggestion]:
        for endpoint in self.workspace.endpoints:
            yield Suggestion(endpoint.name, "word", "an endpoint", endpoint.description)
        for function in self.workspace.functions.values() if is_test else ():
            yield Suggestion(function.name, "word", "a function", function.description)

    # Expressions.

    def _in_expression(self, node: Node) -> Iterator[Suggestion]:
        """What can stand in an expression, by what its stack knows there."""
        stack = probe(self.place.document, self.workspace)
        for root in stack.nodes() if stack is not None else ():
            if stack is not None and _marked(root) is not None:
                return _fitting(root, stack.kinds, stack.scopes)
        return _fitting(node, *seen(node, self._scope(stack)))

    def _in_words(self) -> Iterator[Suggestion]:
        """What can stand in a text that is an expression over columns, where its column holds no text."""
        node, table = self.place.words, self._table()
        column = table.columns.get(str(self.path[-1])) if table is not None else None
        if node is None or table is None or column is None or not is_textless(column):
            return
        scope = self._scope(probe(self.place.document, self.workspace)).with_columns(table.shown)
        yield from _fitting(node, *seen(node, scope))

    def _scope(self, stack: Probe | None) -> Scope:
        """What is known where no stack says it: in a test, a table, or a step of which not even the name is known."""
        if stack is not None:
            return stack.anywhere
        if self.place.kind == "test":
            return Scope(kinds=test_kinds(str(self.place.value(("test",))), self.workspace))
        columns = declared(self.place.document, "columns", self.workspace)
        return Scope().with_columns({each.name: each.kind for each in columns})


def _fitting(root: Node, kinds: Mapping[Node, Kind], scopes: Mapping[Node, Scope]) -> Iterator[Suggestion]:
    """What can stand in the place of the marked node, by the kinds of the nodes around it and what is known at it."""
    match target := _marked(root):
        case Variable():
            yield from _variables(scopes.get(target, Scope()))
        case Column():
            yield from _bare(scopes.get(target, Scope()))
        case Attribute(of):
            yield from _members(kinds.get(of, ANY))
        case Filter(of):
            yield from _filters(kinds.get(of, ANY))
        case Call():
            yield from _functions()
        case Literal():
            yield from _texts(_around(root, target), kinds)


def _marked(root: Node) -> Node | None:
    return next(filter(_is_marked, walk(root)), None)


def _is_marked(node: Node) -> bool:
    return MARK in str(node.value) if isinstance(node, Literal) else getattr(node, "name", None) == MARK


def _around(root: Node, target: Node) -> list[Node]:
    """A node and the nodes that it is in, from the inside."""
    if root is target:
        return [root]
    found = next((path for child in children(root) if (path := _around(child, target))), [])
    return [*found, root] if found else []


def _texts(around: list[Node], kinds: Mapping[Node, Kind]) -> Iterator[Suggestion]:
    """What a text in quotes can be: a kind that is written out, a value that it is compared with, a choice."""
    for inner, node in pairwise(around):
        match node:
            case Binary("==" | "!=" | "in" | "not in", left, right):
                return (yield from _values(kinds.get(left if inner is right else right, ANY)))
            case Filter(of, name, arguments) if inner is not of and name in registry.filters():
                return (yield from _taken(registry.filters()[name], [of, *arguments], inner))
            case Call(name, arguments) if name in registry.functions():
                return (yield from _taken(registry.functions()[name], arguments, inner))
            case ListOf() | ObjectOf() | Entry():
                continue
        return


def _taken(definition: Definition, arguments: list[Node], argument: Node) -> Iterator[Suggestion]:
    """The texts that a filter or a function knows for an argument."""
    parameter = next((each for each, given in paired(definition, arguments) if given is argument), None)
    if parameter is not None and parameter.syntax == "kind":
        yield from _words(KIND_NAMES)
    elif parameter is not None:
        yield from _values(substitute(parameter.kind, {}))


def _values(kind: Kind) -> Iterator[Suggestion]:
    """The texts that a value of a kind can be, where these are few."""
    return (each for option in kind.choices for each in _words(option.values))


def _words(words: Iterable[str]) -> Iterator[Suggestion]:
    return (Suggestion(word, "word", rank=rank) for rank, word in enumerate(words))


def _steps() -> Iterator[Suggestion]:
    for name, definition in registry.steps().items():
        detail = ", ".join(each.name for each in definition.parameters if each.required)
        ending = ":" if definition.parameters else ""
        yield Suggestion(name, "step", detail, _doc(definition), insert=ending)


def _tables(tables: Iterable[Table], insert: str = "") -> Iterator[Suggestion]:
    return (Suggestion(each.name, "table", "a table", each.description, insert=insert) for each in tables)


def _columns(table: Table | None, given: set[str], insert: str = ":") -> Iterator[Suggestion]:
    for each in table.columns.values() if table is not None else ():
        if each.name not in given:
            yield Suggestion(each.name, "column", str(each.kind), each.description, insert=insert)


def _variables(scope: Scope) -> Iterator[Suggestion]:
    for name, kind in scope.maybe.items():
        yield Suggestion(name, "variable", f"{kind}, not set on every path", rank=1)
    for name in scope.kinds:
        if name != MARK:
            yield Suggestion(name, "variable", str(scope.proved(name)), rank=name in RESERVED)


def _bare(scope: Scope) -> Iterator[Suggestion]:
    """What can stand where the mark is a bare name: columns where there are some, variables else, and functions."""
    for name, kind in (scope.columns or {}).items():
        yield Suggestion(name, "column", str(kind))
    for each in _variables(scope):
        yield replace(each, label=f"${each.label}", rank=each.rank + 1)
    yield from _functions()


def _functions() -> Iterator[Suggestion]:
    for name, definition in registry.functions().items():
        yield Suggestion(name, "function", usage(definition), _doc(definition), 3)


def _members(owner: Kind) -> Iterator[Suggestion]:
    """The fields of an object, or of each that a value of several kinds may be."""
    for option in owner.choices:
        for name, kind in (option.fields or {}).items():
            if name != MARK:
                kind = kind.maybe() if name in option.optional else kind
                yield Suggestion(name, "column" if option.is_record else "field", str(kind))


def _filters(piped: Kind) -> Iterator[Suggestion]:
    """The filters that take what is piped."""
    for name, definition in registry.filters().items():
        first = definition.parameters[0]
        wanted = substitute(first.kind, {})
        if fits(piped.present(), wanted):
            yield Suggestion(name, "filter", usage(definition), _doc(definition), wanted.is_open)


def _doc(definition: Definition) -> str:
    return "\n".join(described(definition))
