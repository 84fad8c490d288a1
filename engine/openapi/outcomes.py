"""The errors that a stack can end with, found by walking through its steps and those of the functions it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.applications import literal_of
from engine.check import Checked
from engine.columns import ADDS
from engine.compile import MESSAGES
from engine.stack import Block, Rejection, Step, matched
from engine.syntax import Literal, Node, Template
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
        taken = Outcome("conflict", payload=_TAKEN, example=...)
        if "sql" in step.arguments:
            if step.arguments["sql"].writes:
                yield taken
            return
        rejection: Rejection | None = step.arguments.get("on_duplicate")
        if _may_be_taken(step, self._workspace, kinds):
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
    """Whether a step writes columns whose values no two records may share."""
    written = next((step.arguments[name] for name in ("data", "items") if name in step.arguments), None)
    if written is None:
        return False
    table: Table = workspace.tables[step.arguments["table"].text]
    kind = kinds.get(written, ANY)
    fields = (kind.item or ANY).fields if kind.name == "list" else kind.fields
    names = set(table.columns if fields is None else fields)
    if step.name in ADDS:
        names |= matched(step.arguments["where"]).keys() if "where" in step.arguments else set()
    else:
        names.discard("id")  # it says which record is meant, and never changes
    unique = [*table.unique, *(index.columns for index in table.indexes if index.unique)]
    return any(names.intersection(columns) for columns in unique)


def _may_be_in_use(step: Step, workspace: Workspace) -> bool:
    """Whether a step deletes records that others may refer to."""
    if "data" in step.arguments or "items" in step.arguments:
        return False
    name = step.arguments["table"].text
    columns = (column for table in workspace.tables.values() for column in table.columns.values())
    return any(column.table == name and column.on_delete == "restrict" for column in columns)
