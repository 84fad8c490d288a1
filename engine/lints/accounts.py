"""Logins that tell whether there is an account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Problem, Span
from engine.lints.reading import Subject, reads
from engine.stack import Block, Step
from engine.syntax import Node
from engine.unparse import unparse

Answer = tuple[str, str, str]  # an error's name, its message and its payload


@dataclass(frozen=True, slots=True, eq=False)
class _Rejection:
    """A way for a run to end: what it depends on, and what is answered then."""

    asks: frozenset[str]
    answer: Answer
    span: Span


def told_apart(subject: Subject) -> Iterator[Problem]:
    """Warns of a login that answers an unknown account otherwise, or sooner, than a wrong password (ASVS 6.3.8)."""
    steps = list(subject.steps)
    if subject.auth:  # the caller has an account
        return
    found = [step for step in steps if step.name == "get_record" and subject.is_account(step.arguments["table"].text)]
    accounts = {step.result.text for step in found if step.result}
    place = next((at for at, step in enumerate(steps) if step.name == "validate_password" and step.result), None)
    if place is None or not reads(steps[place].arguments["against"]) & accounts:
        return
    right = {step.result.text for step in steps if step.name == "validate_password" and step.result}
    before, after = list(_rejections(steps[:place])), list(_rejections(steps[place:]))
    wrong = next((each for each in after if each.asks & right), None)
    if wrong is not None:
        yield from _compared(before, after[: after.index(wrong)], wrong, accounts, steps[place])


def _compared(
    before: list[_Rejection], after: list[_Rejection], wrong: _Rejection, accounts: set[str], check: Step
) -> Iterator[Problem]:
    """The first ending that depends on the account and isn't that of a `wrong` password."""
    for each in (*before, *after):
        if not each.asks & accounts:
            continue
        if each.answer != wrong.answer:
            message = "an unknown account is answered otherwise than a wrong password"
            hint = "answer both alike: the same error, message and payload"
            yield Problem("SW251", message, each.span, hint, "warning")
            return
        if each in before:
            message = "an unknown account is answered sooner than a wrong password"
            account = min(each.asks & accounts)
            hint = f"check the password first, against '${account}?.…': against null it takes as long"
            yield Problem("SW252", message, each.span, hint, "warning")
            return


def _rejections(steps: list[Step]) -> Iterator[_Rejection]:
    for step in steps:
        if step.name == "precondition":
            yield _Rejection(_asked(step), _answer(step, "bad_request"), step.span)
        elif step.name == "if":
            ending = _ending(step.arguments["then"])
            if ending is not None:
                yield _Rejection(_asked(step), _answer(ending, "return"), step.span)


def _asked(step: Step) -> frozenset[str]:
    return reads(step.arguments["condition"])


def _ending(block: Block) -> Step | None:
    """The step that ends the run at the end of a block."""
    last = block[-1] if block else None
    return last if last is not None and last.name in ("throw", "return") else None


def _answer(step: Step, name: str) -> Answer:
    error, given = step.arguments.get("error"), step.node("payload") or step.node("value")
    return (error.text if error else name, _written(step.node("message")), _written(given))


def _written(node: Node | None) -> str:
    return "" if node is None else unparse(node)
