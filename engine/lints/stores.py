"""Values that a stack keeps and never reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from engine.errors import Problem, Span
from engine.lints.reading import Subject, read_by, reads
from engine.stack import Assignment, Block, Branch, Case, Step
from engine.syntax import ListOf, Literal, Node, ObjectOf, children

Live = frozenset[str]  # the variables whose values are read later
NONE: Live = frozenset()
MAX_ROUNDS = 10  # of a loop: what is live settles after one or two; past this it is taken as it is


def never_read(subject: Subject) -> Iterator[Problem]:
    """Warns of a value that is set again, or left, before any step reads it.

    A variable that is never read at all has a warning of its own.
    """
    answered = reads(subject.response)
    flow = _Flow()
    flow.before(subject.stack, answered, _Ways())
    read = answered.union(*map(read_by, subject.steps))
    begun: set[str] = set()
    for span, store in sorted(flow.stores.items(), key=lambda each: (each[0].line, each[0].column)):
        name = store.name
        is_start = store.may_begin and name not in begun
        begun.add(name)
        if not (store.is_live or is_start) and name in read and not name.startswith("_"):
            message = f"nothing reads this value of '{name}'"
            yield Problem("SW246", message, span, "take it out, or read it before it is set again", "warning")


@dataclass(frozen=True, slots=True)
class _Store:
    """A place where a variable is set, and whether that value is read later.

    `may_begin`: a plain value that only branches replace is what a variable begins with, and no mistake.
    """

    name: str
    is_live: bool
    may_begin: bool = False


@dataclass(frozen=True, slots=True)
class _Ways:
    """What is read after each way out of a block but its end; `always` is what a `finally` around reads on each."""

    breaks: Live = NONE
    continues: Live = NONE
    failed: Live = NONE
    always: Live = NONE


@dataclass(slots=True, eq=False)
class _Flow:
    """Goes through a stack from its end, and gathers the `stores`."""

    stores: dict[Span, _Store] = field(default_factory=dict)
    again: frozenset[str] = NONE  # what later steps of the same block set

    def before(self, block: Block, live: Live, ways: _Ways) -> Live:
        """What is read after the start of `block`, where `live` is after its end."""
        again = NONE
        for step in reversed(block):
            self.again = again
            live = _RULES.get(step.name, _Flow.plain)(self, step, live, ways)
            again |= set(_set_by(step))
        return live

    def store(self, name: str, span: Span, live: Live, may_begin: bool = False) -> None:
        """Notes a store; in a loop it is met more than once."""
        known = self.stores.get(span)
        is_live = name in live or (known is not None and known.is_live)
        self.stores[span] = _Store(name, is_live, may_begin)

    def plain(self, step: Step, live: Live, ways: _Ways) -> Live:
        """A step that reads its arguments, may fail, and then sets its result."""
        if step.result is not None:
            self.store(step.result.text, step.result.span, live)
            live -= {step.result.text}
        return live | read_by(step) | ways.failed

    def set(self, step: Step, live: Live, ways: _Ways) -> Live:
        assignments: tuple[Assignment, ...] = step.arguments["variables"]
        for each in reversed(assignments):
            self.store(each.name, each.span, live, _is_plain(each.value) and each.name not in self.again)
            live = (live if each.path else live - {each.name}) | reads(each.value)
        return live | ways.failed

    def if_(self, step: Step, live: Live, ways: _Ways) -> Live:
        branches: tuple[Branch, ...] = step.arguments.get("else_if", ())
        blocks = [step.arguments["then"], *(each.block for each in branches), step.arguments.get("else", ())]
        return self._any(step, blocks, live, ways)

    def switch(self, step: Step, live: Live, ways: _Ways) -> Live:
        cases: tuple[Case, ...] = step.arguments["cases"]
        return self._any(step, [*(each.block for each in cases), step.arguments.get("default", ())], live, ways)

    def _any(self, step: Step, blocks: Iterable[Block], live: Live, ways: _Ways) -> Live:
        """A step that takes one of several ways, after it has read what it asks."""
        taken = NONE.union(*(self.before(each, live, ways) for each in blocks))
        return taken | read_by(step) | ways.failed

    def loop(self, step: Step, live: Live, ways: _Ways) -> Live:
        """A loop ends after any round, or before the first; what it hands to a round is set by none before."""
        given = frozenset({step.result.text}) if step.result is not None else NONE
        return self._rounds(step, live, ways, live | read_by(step), given)

    def while_(self, step: Step, live: Live, ways: _Ways) -> Live:
        condition = step.arguments["condition"]
        if isinstance(condition, Literal) and condition.value is True:  # it is left by its breaks alone
            return self._rounds(step, live, ways, NONE)
        return self._rounds(step, live, ways, live | read_by(step))

    def _rounds(self, step: Step, live: Live, ways: _Ways, head: Live, given: Live = NONE) -> Live:
        """What is read after a round began; `head` is where the loop may end with it."""
        for _ in range(MAX_ROUNDS):
            inside = replace(ways, breaks=live, continues=head)
            again = head | (self.before(step.arguments["do"], head, inside) - given)
            if again == head:
                break
            head = again
        return head | ways.failed

    def leave(self, step: Step, live: Live, ways: _Ways) -> Live:
        return (ways.breaks if step.name == "break" else ways.continues) | ways.always

    def return_(self, step: Step, live: Live, ways: _Ways) -> Live:
        return read_by(step) | ways.always | ways.failed

    def throw(self, step: Step, live: Live, ways: _Ways) -> Live:
        return read_by(step) | ways.failed

    def group(self, step: Step, live: Live, ways: _Ways) -> Live:
        return self.before(step.arguments["steps"], live, ways) | ways.failed

    def try_(self, step: Step, live: Live, ways: _Ways) -> Live:
        finally_: Block = step.arguments.get("finally", ())
        after = self.before(finally_, live, ways)
        failed = self.before(finally_, ways.failed, ways)
        breaks, continues = (self.before(finally_, each, ways) for each in (ways.breaks, ways.continues))
        always = ways.always | (failed if finally_ else NONE)
        outside = _Ways(breaks, continues, failed, always)
        caught = self.before(step.arguments["catch"], after, outside) if "catch" in step.arguments else failed
        return self.before(step.arguments["steps"], after, replace(outside, failed=caught))


def _set_by(step: Step) -> Iterator[str]:
    """The variables that a step itself sets."""
    if step.name == "set":
        assignments: tuple[Assignment, ...] = step.arguments["variables"]
        yield from (each.name for each in assignments if not each.path)
    elif step.result is not None and step.name not in ("for_each", "repeat"):
        yield step.result.text


def _is_plain(node: Node) -> bool:
    """Whether a value is a constant, or an empty list or object."""
    return isinstance(node, Literal | ListOf | ObjectOf) and not list(children(node))


_RULES: Mapping[str, Callable[[_Flow, Step, Live, _Ways], Live]] = {
    "set": _Flow.set,
    "if": _Flow.if_,
    "switch": _Flow.switch,
    "for_each": _Flow.loop,
    "repeat": _Flow.loop,
    "while": _Flow.while_,
    "break": _Flow.leave,
    "continue": _Flow.leave,
    "return": _Flow.return_,
    "throw": _Flow.throw,
    "group": _Flow.group,
    "transaction": _Flow.group,
    "try": _Flow.try_,
}
