"""Inputs that meet what can't take all that a client may send: the request ends there, at whatever has been done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine import registry
from engine.applications import paired
from engine.errors import Problem, listed
from engine.lints.reading import Subject, expressions
from engine.registry import Definition
from engine.stack import Block, Branch, Case, Step
from engine.syntax import Binary, Call, Column, Conditional, Filter, Index, Literal, Node, children, walk
from engine.values import ANY, Kind

# Kinds of which a value may be wrong by each of these.
_MAY_BE_WRONG: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("form", "length", "empty"), frozenset({"text", "any"})),
    **dict.fromkeys(("size", "zero"), frozenset({"int", "decimal", "list", "any"})),
}
_TYPES: Mapping[str, str] = {
    "to_int": "int", "to_decimal": "decimal", "to_bool": "bool", "to_timestamp": "timestamp", "json_decode": "json",
}  # fmt: skip
_MENDS: Mapping[str, str] = {
    "form": "declare its 'values:' or a 'pattern:'",
    "length": "declare a 'max:' of characters",
    "empty": "declare 'min: 1'",
    "size": "declare 'min:' and 'max:'",
    "zero": "declare 'min: 1'",
}
_OTHERWISE = "or ask what it is before, or catch it with 'try'"


def unguarded(subject: Subject) -> Iterator[Problem]:
    """What inputs of an endpoint meet that neither their declarations nor conditions before make sure of."""
    if subject.method:
        walk_ = _Walk(subject.kinds)
        yield from walk_.block(subject.stack)
        if subject.response is not None:
            yield from walk_.expression(subject.response)


class _Walk:
    """Goes through a stack in the order of its file; `tested` are the inputs that a condition asked about."""

    def __init__(self, kinds: Mapping[Node, Kind]) -> None:
        self._kinds = kinds
        self._tested: set[str] = set()

    def block(self, steps: Block) -> Iterator[Problem]:
        for step in steps:
            for each in expressions(list(step.arguments.values())):
                yield from self.expression(each)
            for condition in _conditions(step):
                self._test(condition)
            is_caught = step.name == "try" and "catch" in step.arguments
            for name, argument in step.arguments.items():
                if not (is_caught and name == "steps"):
                    yield from self._blocks(argument)

    def _blocks(self, argument: object) -> Iterator[Problem]:
        for each in argument if isinstance(argument, tuple) else ():
            if isinstance(each, Step):
                yield from self.block((each,))
            elif isinstance(each, Branch | Case):
                yield from self.block(each.block)

    def expression(self, node: Node) -> Iterator[Problem]:
        yield from self._operation(node)
        for each in _in_order(node):
            yield from self.expression(each)
            if each is _asked(node):
                self._test(each)

    def _test(self, node: Node) -> None:
        """Remembers what a condition asks about; whether something is null says nothing of what it is."""
        match node:
            case Binary("==" | "!=", _, Literal(None)) | Binary("==" | "!=", Literal(None), _) | Filter(_, "is_null"):
                return
        self._tested |= set(self._kind(node).inputs)
        for each in children(node):
            self._test(each)

    def _kind(self, node: Node) -> Kind:
        return self._kinds.get(node, ANY)

    def _operation(self, node: Node) -> Iterator[Problem]:
        match node:
            case Filter(of, name, arguments):
                yield from self._application(registry.filters()[name], [of, *arguments])
            case Call(name, arguments):
                yield from self._application(registry.functions()[name], arguments)
            case Binary("/" | "%", _, right) if not any(isinstance(each, Column) for each in walk(node)):
                yield from self._refusal(f"'{node.operator}'", right, "zero", _MENDS["zero"])
            case Index(of, index, False):
                yield from self._place(of, index)

    def _application(self, definition: Definition, nodes: list[Node]) -> Iterator[Problem]:
        for parameter, node in paired(definition, nodes):
            word = definition.refuses.get(parameter.name)
            if word is not None:
                type_ = _TYPES.get(definition.name) if parameter is definition.main else None
                mend = f"declare it as '{type_}'" if type_ else _MENDS[word]
                yield from self._refusal(f"'{definition.name}'", node, word, mend)

    def _place(self, of: Node, index: Node) -> Iterator[Problem]:
        mend = "write '?.[…]', which is null where there is nothing"
        if self._kind(index).inputs:
            yield from self._refusal("'[…]'", index, "place", mend)
        elif self._kind(of).name == "list" and isinstance(index, Literal):
            yield from self._refusal("'[…]'", of, "size", mend)

    def _refusal(self, who: str, node: Node, word: str, mend: str) -> Iterator[Problem]:
        kind = self._kind(node)
        may_be_wrong = word not in _MAY_BE_WRONG or any(each.name in _MAY_BE_WRONG[word] for each in kind.choices)
        if kind.inputs and may_be_wrong and word not in kind.checked and not self._tested.issuperset(kind.inputs):
            names = listed([f"'{name}'" for name in kind.inputs])
            message = f"{who} can't take all that a client may send as {names}"
            yield Problem("SW253", message, node.span, f"{mend}, {_OTHERWISE}", "warning")


def _in_order(node: Node) -> Iterator[Node]:
    """The nodes right below one, in the order in which a run comes to them."""
    return iter((node.test, node.then, node.otherwise)) if isinstance(node, Conditional) else children(node)


def _asked(node: Node) -> Node | None:
    """The part of an expression that decides whether the others are looked at."""
    match node:
        case Conditional(test):
            return test
        case Binary("and" | "or", left):
            return left
    return None


def _conditions(step: Step) -> Iterator[Node]:
    """What a step asks before it goes on."""
    for parameter in step.definition.parameters:
        argument = step.arguments.get(parameter.name)
        if isinstance(argument, Node) and (parameter.syntax == "condition" or parameter.name == "subject"):
            yield argument
        elif parameter.syntax == "branches":
            yield from (each.condition for each in argument or ())
