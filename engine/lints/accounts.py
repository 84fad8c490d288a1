"""Logins that tell whether there is an account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Problem, Span
from engine.lints.reading import Subject, reads
from engine.openings import steps_in
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
    found = [step for step in steps if step.name == "get_record" and subject.is_account(step.arguments["table"].text)]
    accounts = {step.result.text for step in found if step.result}
    place = next((at for at, step in enumerate(steps) if _is_check(step)), None)
    if subject.auth or place is None or not reads(steps[place].arguments["against"]) & accounts:
        return  # a caller who is logged in has an account
    right = {step.result.text for step in steps if _is_check(step) and step.result}
    before, after = list(_rejections(steps[:place])), list(_rejections(steps[place:]))
    wrong = next((at for at, each in enumerate(after) if each.asks & right), None)
    if wrong is None:
        return
    telling = next((each for each in (*before, *after[:wrong]) if each.asks & accounts), None)
    guard = next((step for step in steps[:place] if _holds_check(step) and _asked(step) & accounts), None)
    sooner = telling if telling in before else guard
    if telling is not None and telling.answer != after[wrong].answer:
        message, hint = "otherwise than a wrong password", "answer both alike: the same error, message and payload"
        yield Problem("SW251", f"an unknown account is answered {message}", telling.span, hint, "warning")
    elif sooner is not None:
        message = "an unknown account is answered sooner than a wrong password"
        yield Problem("SW252", message, sooner.span, _hash_first(steps[place]), "warning")


def _hash_first(check: Step) -> str:
    against = unparse(check.arguments["against"]).replace("?.", ".").replace(".", "?.", 1)
    return f"check the password first, against '{against}': against null it takes as long"


def _is_check(step: Step) -> bool:
    return step.name == "validate_password" and step.result is not None


def _holds_check(step: Step) -> bool:
    """Whether a password is checked only where an `if` says so."""
    return step.name == "if" and any(map(_is_check, steps_in(step.arguments["then"])))


def _rejections(steps: list[Step]) -> Iterator[_Rejection]:
    """The ways for a run to end that some steps have, with what they depend on."""
    for step in steps:
        if step.name == "precondition":
            yield _Rejection(_asked(step), _answer(step, "bad_request"), step.span)
        elif step.name == "if":
            for block in (step.arguments["then"], step.arguments.get("else", ())):
                ending = None if any(map(_is_check, steps_in(block))) else _ending(block)
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
