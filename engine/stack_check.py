"""The rules for all steps, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.assignments import Assignments
from engine.calls import Calls
from engine.control import Control
from engine.query_check import Queries
from engine.scope import Scope
from engine.stack import Step


class StackChecker(Queries, Assignments, Control, Calls):
    """Checks one stack, each step by its rule."""

    def apply(self, step: Step, scope: Scope) -> Scope:
        return _RULES.get(step.name, StackChecker._generic)(self, step, scope)


_RULES: Mapping[str, Callable[[StackChecker, Step, Scope], Scope]] = {
    "set": StackChecker._set,
    "if": StackChecker._if,
    "switch": StackChecker._switch,
    "for_each": StackChecker._for_each,
    "repeat": StackChecker._repeat,
    "while": StackChecker._while,
    "break": StackChecker._leave,
    "continue": StackChecker._leave,
    "return": StackChecker._return,
    "throw": StackChecker._throw,
    "precondition": StackChecker._precondition,
    "group": StackChecker._group,
    "transaction": StackChecker._group,
    "try": StackChecker._try,
    "run_function": StackChecker._run_function,
    "query_all_records": StackChecker._query,
}
