"""Which of a client's inputs a fault comes from, so that what the client did wrong is told to the client.

Compiled code does nothing for it: each operation that is given what comes from inputs is noted at load under its
place in the YAML, and a traceback knows the places. A function's inputs are its caller's to answer for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from engine import registry
from engine.applications import paired
from engine.errors import Fault, Span
from engine.lints.reading import expressions
from engine.shapes import input_fault
from engine.stack import Assignment, Step
from engine.syntax import Binary, Call, Column, Entry, Filter, Node, ObjectOf, Spread, children, walk
from engine.values import Kind, sources

NOTES = "<notes>"  # the global of compiled code that holds its notes; no author can name it
Place = tuple[int | None, int | None, int | None, int | None]  # as `code.co_positions` gives it
Names = tuple[str, ...]  # of inputs

# What a client is told of a fault for one of these reasons where who raised it says nothing of its own.
_TOLD: Mapping[str, str] = {
    "kind": "Input does not have the required form.",
    "value": "Input does not have the required form.",
    "range": "Input is out of range, or leads there.",
    "division": "Input leads to a division by zero.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """The inputs that an operation's operands come from, by the reasons of its faults.

    `given`: where it runs a function, those that each of the function's inputs comes from.
    """

    inputs: Mapping[str, Names]
    given: Mapping[str, Names] = field(default_factory=dict)


class Notes(dict[Place, Note]):
    """The notes of one stack, by place."""

    def __init__(self, kind: Callable[[Node], Kind]) -> None:
        super().__init__()
        self._kind = kind

    def operation(self, node: Node) -> None:
        """Notes what the operation of an expression is given."""
        operands = [each.of if isinstance(each, Spread) else each for each in children(node)]
        divisors = operands[1:] if isinstance(node, Binary) else operands
        self._note(node.span, [node, *operands], _refused(node) or operands, operands, divisors)

    def assignment(self, each: Assignment) -> None:
        """Notes what a part is set in."""
        self._note(each.span, [each.owner], [each.owner], [each.owner], ())

    def step(self, step: Step) -> None:
        """Notes what a step is given, and what the function that it runs is."""
        nodes = [each for each in step.arguments.values() if isinstance(each, Node)]
        if step.name == "run_function":
            entries = [each for node in nodes if isinstance(node, ObjectOf) for each in node.entries]
            given = {each.key: self._from([each.value]) for each in entries if isinstance(each, Entry)}
            self[_place(step.span)] = Note({}, given)
        else:
            asked = list(_asked(step))
            self._note(step.span, nodes, [*nodes, *asked], [*nodes, *asked], ())

    def _note(
        self, span: Span, seen: Iterable[Node], refused: Iterable[Node], used: Iterable[Node], divisors: Iterable[Node]
    ) -> None:
        sent = [each for each in seen if sources(self._kind(each))]
        unsure = (each for each in sent if any(map(_is_unsure, self._kind(each).choices)))
        inputs = {
            "kind": self._from(unsure),
            "value": self._from(refused),
            "range": self._from(used),
            "division": self._from(divisors),
        }
        if any(inputs.values()):
            self[_place(span)] = Note(inputs)

    def _from(self, nodes: Iterable[Node]) -> Names:
        return tuple(dict.fromkeys(name for each in nodes for name in sources(self._kind(each))))


def _asked(step: Step) -> Iterator[Node]:
    """What a database computes with that a step gives it."""
    for each in (node for argument in expressions(list(step.arguments.values())) for node in walk(argument)):
        computes = isinstance(each, Filter) or (isinstance(each, Binary) and each.operator in "+-*/%~")
        if computes and any(isinstance(part, Column) for part in walk(each)):
            yield from children(each)


def _refused(node: Node) -> list[Node]:
    """The arguments of which a filter or function takes not every value of their kinds."""
    match node:
        case Filter(of, name, arguments) if name in registry.filters():
            definition, nodes = registry.filters()[name], [of, *arguments]
        case Call(name, nodes) if name in registry.functions():
            definition = registry.functions()[name]
        case _:
            return []
    return [each for parameter, each in paired(definition, nodes) if parameter.name in definition.refuses]


def _is_unsure(kind: Kind) -> bool:
    """Whether only a run knows the kind of a value, or of what is in it."""
    if kind.name == "list":
        return any(map(_is_unsure, kind.item.choices)) if kind.item is not None else True
    if kind.name == "object":
        return kind.fields is None or any(map(_is_unsure, kind.fields.values()))
    return kind.is_open


def _place(span: Span) -> Place:
    return span.line, span.end_line, span.column - 1, max(span.end_column - 1, 0)


def blaming(convert: Callable[[Any], object], inputs: Names) -> Callable[[Any], object]:
    """A conversion of a value that comes from `inputs`: its faults say so."""

    def converted(value: Any) -> object:
        try:
            return convert(value)
        except Fault as fault:
            fault.inputs = inputs
            raise

    return converted


def answerable(fault: Fault, error: BaseException) -> Fault:
    """The fault that a run ends with: the client's where what is at fault came from its input, else `fault` itself."""
    if fault.name != "fatal" or fault.reason not in _TOLD:
        return fault
    names = _inputs_at_fault(error, fault)
    if not names:
        return fault
    message = fault.told or _TOLD[fault.reason]
    told = input_fault([{"param": name, "message": message} for name in names])
    told.reason = fault.reason
    return told


def _inputs_at_fault(error: BaseException, fault: Fault) -> Names:
    """The inputs of the outermost stack from which the value came that the innermost one failed on."""
    names, inner = fault.inputs, None
    for notes, place in reversed(list(_places(error))):
        if notes is inner:  # what led to it in the same stack
            continue
        note = notes.get(place)
        if note is not None and inner is None:
            names = names or note.inputs.get(fault.reason, ())
        elif inner is not None:
            given = note.given if note is not None else {}
            names = tuple(dict.fromkeys(each for name in names for each in given.get(name, ())))
        if not names:
            return ()
        inner = notes
    return names if inner is not None else ()


def _places(error: BaseException) -> Iterator[tuple[Notes, Place]]:
    """Where compiled code stood in the frames of a traceback, from the outermost."""
    trace = error.__traceback__
    while trace is not None:
        notes = trace.tb_frame.f_globals.get(NOTES)
        if notes is not None:
            positions = trace.tb_frame.f_code.co_positions()
            yield notes, next(islice(positions, trace.tb_lasti // 2, None))
        trace = trace.tb_next
