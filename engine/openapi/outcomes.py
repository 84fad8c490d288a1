"""The errors that a stack can end with, found by walking through its steps and those of the functions it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.applications import literal_of
from engine.check import Checked
from engine.columns import ADDS
from engine.compile import MESSAGES
from engine.fields import Field
from engine.stack import Block, Rejection, Step, matched
from engine.store.schema import refers
from engine.store.table_changes import is_made
from engine.syntax import Binary, Column, Literal, Node, Template, walk
from engine.values import ANY, TEXT, Kind, list_of, object_of
from engine.workspace import Endpoint, Table, Workspace

_ENTRIES = list_of(object_of({"param": TEXT, "message": TEXT}))
INPUT_PAYLOAD = object_of({"param": TEXT, "errors": _ENTRIES})
# Of one record it names what is taken, of many at once each of them.
_TAKEN = object_of({"param": TEXT, "params": list_of(TEXT), "errors": _ENTRIES}, ("param", "params", "errors"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """An error by its name in `FAULTS`: its message, empty where it only shows when it happens, and its payload.

    `payload` is the payload's kind, None where it is `""`; `example` is the payload, Ellipsis where it isn't known.
    """

    error: str
    message: str = ""
    payload: Kind | None = None
    example: object = ""


_UNKNOWN = {"param": "items[0].id", "message": MESSAGES["not_found"]}
# Of many at once it names those that aren't there.
_UNKNOWN_ITEM = Outcome(
    "not_found", MESSAGES["not_found"], INPUT_PAYLOAD, {"param": _UNKNOWN["param"], "errors": [_UNKNOWN]}
)


class Outcomes:
    """Finds them in the stacks of a checked workspace; those of a function once."""

    def __init__(self, checked: Checked) -> None:
        self._checked, self._workspace = checked, checked.workspace
        self._functions: dict[str, tuple[Outcome, ...]] = {}

    def endpoint(self, endpoint: Endpoint) -> tuple[Outcome, ...]:
        """What the stack of an endpoint can end with, in the order of its steps; the server's own are left aside.

        `fatal` is one of these: what its author says of it is for the log alone.
        """
        kinds = self._checked.endpoints[endpoint].kinds
        return _distinct(each for each in self._block(endpoint.stack, kinds) if each.error != "fatal")

    def _function(self, name: str) -> tuple[Outcome, ...]:
        if name not in self._functions:
            kinds, stack = self._checked.functions[name].kinds, self._workspace.functions[name].stack
            self._functions[name] = _distinct(self._block(stack, kinds))
        return self._functions[name]

    def _block(self, steps: Block, kinds: Mapping[Node, Kind]) -> Iterator[Outcome]:
        for step in steps:
            yield from self._step(step, kinds)

    def _step(self, step: Step, kinds: Mapping[Node, Kind]) -> Iterator[Outcome]:
        match step.name:
            case "throw":
                yield _said(step.arguments["error"].text, step.node("message"), step.node("payload"), kinds)
            case "precondition":
                error = step.arguments["error"].text if "error" in step.arguments else "bad_request"
                yield _said(error, step.node("message"), step.node("payload"), kinds)
            case "run_function":
                yield from self._function(step.arguments["function"].text)
            case "try" if "catch" in step.arguments:
                yield from self._blocks({**step.arguments, "steps": ()}, kinds)
            case _:
                yield from self._raised(step, kinds)
                yield from self._blocks(step.arguments, kinds)

    def _blocks(self, arguments: Mapping[str, Any], kinds: Mapping[Node, Kind]) -> Iterator[Outcome]:
        """Those of the blocks among a step's arguments."""
        for argument in arguments.values():
            for each in argument if isinstance(argument, tuple) else ():
                if isinstance(each, Step):
                    yield from self._step(each, kinds)
                elif isinstance(block := getattr(each, "block", None), tuple):
                    yield from self._block(block, kinds)

    def _raised(self, step: Step, kinds: Mapping[Node, Kind]) -> Iterator[Outcome]:
        """What the step itself can end the run with."""
        for error in step.definition.faults:
            if error == "conflict":
                yield from self._conflicts(step, kinds)
            elif error == "not_found":
                yield _UNKNOWN_ITEM if "items" in step.arguments else Outcome(error, MESSAGES[error])
            else:
                yield Outcome(error)

    def _conflicts(self, step: Step, kinds: Mapping[Node, Kind]) -> Iterator[Outcome]:
        """Those with values that other records have, and with records that others refer to."""
        rejection: Rejection | None = step.arguments.get("on_duplicate")
        if _may_be_taken(step, self._workspace, kinds):
            taken = Outcome("conflict", payload=_TAKEN, example=...)
            yield taken if rejection is None else _rejected(rejection, kinds)
        if _may_be_in_use(step, self._workspace):
            yield Outcome("conflict", f"This {step.arguments['table'].text} is still in use.")


def _distinct(found: Iterable[Outcome]) -> tuple[Outcome, ...]:
    kept: list[Outcome] = []
    for each in found:
        if each not in kept:
            kept.append(each)
    return tuple(kept)


def _said(error: str, message: Node | None, payload: Node | None, kinds: Mapping[Node, Kind]) -> Outcome:
    """The error of a step, with what its author says of it."""
    text = MESSAGES[error] if message is None else _text(message)
    if payload is None:
        return Outcome(error, text)
    return Outcome(error, text, kinds.get(payload, ANY), literal_of(payload))


def _rejected(rejection: Rejection, kinds: Mapping[Node, Kind]) -> Outcome:
    return _said(rejection.error.text, rejection.message, rejection.payload, kinds)


def _text(message: Node) -> str:
    """A message as far as it is known before it is said, with `…` for the rest."""
    if isinstance(message, Template):
        return "".join(str(part.value) if isinstance(part, Literal) else "…" for part in message.parts)
    return str(message.value) if isinstance(message, Literal) else ""


def _may_be_taken(step: Step, workspace: Workspace, kinds: Mapping[Node, Kind]) -> bool:
    """Whether a step writes, or by deleting changes, columns whose values no two records may share."""
    if "sql" in step.arguments:
        writes: bool = step.arguments["sql"].writes
        return writes
    table: Table = workspace.tables[step.arguments["table"].text]
    written = next((step.arguments[name] for name in ("data", "items") if name in step.arguments), None)
    if written is None:
        return _may_meet(table, workspace)
    kind = kinds.get(written, ANY)
    fields = (kind.item or ANY).fields if kind.name == "list" else kind.fields
    given = set(table.columns if fields is None else fields)
    keys = set(matched(step.arguments["where"])) if "where" in step.arguments else set()
    if step.name in ADDS and _may_add(table, given | keys):
        return True
    return (step.name not in ADDS or bool(keys)) and _may_change(table, given)


def _may_add(table: Table, given: set[str]) -> bool:
    """Whether a new record with these columns may be as another where none may be: null is like no other value."""
    filled = {
        name for name, column in table.columns.items()
        if column.has_default and column.default is not None and not is_made(column, "uuid")
    }  # fmt: skip
    return any(columns <= given | filled for columns, _ in _unique(table))


def _may_change(table: Table, given: set[str]) -> bool:
    """Whether a record that gets these columns may become as another where none may be."""
    timed = {name for name, column in table.columns.items() if column.on_update}
    changed = (given | timed) - {"id"}  # it says which record is meant, and never changes
    return any(changed & (columns | _asked(where)) for columns, where in _unique(table))


def _may_meet(table: Table, workspace: Workspace) -> bool:
    """Whether a record that refers to a deleted one may come into an index where another is like it.

    It is its condition that counts: where the reference is among an index's columns, null is like no other value.
    """
    return any(
        column.on_delete == "set_null"
        and column.name in _asked(where) - columns
        and not _refuses_null(where, column.name)
        for other, column in _references(_gone(table, workspace), workspace)
        for columns, where in _unique(other)
    )


def _may_be_in_use(step: Step, workspace: Workspace) -> bool:
    """Whether a step deletes records that others may refer to, or that take along such records."""
    if {"sql", "data", "items"} & step.arguments.keys():
        return False
    gone = _gone(workspace.tables[step.arguments["table"].text], workspace)
    return any(column.on_delete == "restrict" for _, column in _references(gone, workspace))


def _gone(table: Table, workspace: Workspace) -> set[str]:
    """The tables that lose records where one of `table` is deleted: itself, and those whose records cascade."""
    found: set[str] = set()
    waiting = {table.name}
    while waiting:
        found |= waiting
        cascading = (each for each in _references(waiting, workspace) if each[1].on_delete == "cascade")
        waiting = {other.name for other, _ in cascading} - found
    return found


def _references(names: set[str], workspace: Workspace) -> Iterator[tuple[Table, Field]]:
    """The columns that refer to records of these tables, each with its own table."""
    for table in workspace.tables.values():
        for column in table.columns.values():
            if refers(column) and column.table in names:
                yield table, column


def _unique(table: Table) -> Iterator[tuple[set[str], Node | None]]:
    """The columns that no two records may share, and the condition of those that it is so for."""
    yield from ((set(columns), None) for columns in table.unique)
    yield from ((set(each.columns), each.where) for each in table.indexes if each.unique and each.where is not None)


def _asked(where: Node | None) -> set[str]:
    """The columns that the condition of an index is about."""
    return {each.name for each in walk(where) if isinstance(each, Column)} if where is not None else set()


def _refuses_null(where: Node | None, name: str) -> bool:
    """Whether a condition says that a column is not null."""
    match where:
        case Binary("and", left, right):
            return _refuses_null(left, name) or _refuses_null(right, name)
        case Binary("!=", Column(column), Literal(None)):
            return column == name
    return False
