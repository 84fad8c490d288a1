"""Loops that can't end by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from engine.lints.reading import reads
from engine.openings import steps_in
from engine.stack import Assignment, Branch, Case, Step
from engine.syntax import Call, Literal, Node, walk

_LOOPS = frozenset({"for_each", "repeat", "while"})
_ENDS = frozenset({"return", "throw", "precondition", "run_function"})  # a function may throw


def endless(step: Step) -> str:
    """Why a `while` never ends unless a step of it fails; empty where it may."""
    condition: Node = step.arguments["condition"]
    if _is_left(step):
        return ""
    if isinstance(condition, Literal):
        return "nothing leaves this loop" if condition.value is True else ""
    asked = reads(condition)
    is_chance = any(isinstance(each, Call) for each in walk(condition))  # `now()` is another each time
    if is_chance or not asked or asked & set(_assigned(step)):
        return ""
    names = " and ".join(f"'${name}'" for name in sorted(asked))
    return f"nothing in this loop changes {names}"


def _is_left(step: Step) -> bool:
    """Whether a step within leaves the loop, or the run."""
    return any(each.name in _ENDS for each in steps_in(step.arguments["do"])) or _breaks(step.arguments["do"])


def _breaks(value: object) -> bool:
    """Whether a `break` of this loop, and of none within, stands in its steps."""
    return any(
        each.name == "break" or (each.name not in _LOOPS and any(map(_breaks, _inner(each)))) for each in _own(value)
    )


def _own(value: object) -> Iterator[Step]:
    """The steps of a block, without those within them."""
    return (each for each in value if isinstance(each, Step)) if isinstance(value, tuple) else iter(())


def _inner(step: Step) -> Iterator[object]:
    """The blocks within a step."""
    for argument in step.arguments.values():
        if isinstance(argument, tuple):
            yield argument
            yield from (each.block for each in argument if isinstance(each, Branch | Case))


def _assigned(step: Step) -> Iterator[str]:
    """The variables that a loop's steps set."""
    for each in steps_in(step.arguments["do"]):
        if each.result is not None:
            yield each.result.text
        if each.name == "set":
            assignments: tuple[Assignment, ...] = each.arguments["variables"]
            yield from (assignment.name for assignment in assignments)
        elif each.name == "for_each":
            yield "index"
