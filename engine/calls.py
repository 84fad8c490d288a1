"""Calls of the functions of a workspace."""

from __future__ import annotations

from engine.errors import did_you_mean, nearest
from engine.fields import Field
from engine.mismatch import Value, entry_spans, entry_values, mismatches
from engine.scope import Scope
from engine.stack import Step, Word
from engine.stack_walk import StackWalk
from engine.syntax import Node
from engine.values import ANY, Kind, exposes, object_of
from engine.wording import lost_mask, mend
from engine.workspace import Function


class Calls(StackWalk):
    """The rules for `run_function`."""

    def _run_function(self, step: Step, scope: Scope) -> Scope:
        word: Word = step.arguments["function"]
        given: Node | None = step.arguments.get("with")
        kind = self.infer(given, scope) if given is not None else object_of({})
        function = self.workspace.functions.get(word.text)
        if function is None:
            if not self.workspace.is_broken("function", word.text):
                hint = did_you_mean(word.text, self.workspace.functions)
                self.report("SW126", f"unknown function '{word.text}'", word.span, hint)
            return self.result(step, ANY, scope)
        self._function_inputs(step, function, kind, given)
        checked = self.owner.function(word.text, word.span)
        self.creates_token = self.creates_token or checked.creates_token
        self.acts = self.acts or checked.acts
        self.hashes = self.hashes or checked.hashes
        if checked.writes:
            self.written(function.name, word.span)
        if step.result is None and not checked.acts:
            hint = "add 'as:' and use the result, or take the step out"
            self.report("SW149", f"'{function.name}' does nothing without 'as:'", word.span, hint, "warning")
        returned = function.returns.kind if function.returns else checked.result
        after = self.result(step, returned, scope)
        return self.held(step, after, writes=checked.writes, waits=checked.waits, before=scope)

    def _function_inputs(self, step: Step, function: Function, given: Kind, node: Node | None) -> None:
        spans = {} if node is None else entry_spans(node)
        inputs = {each.name: each for each in function.input}
        values = {} if node is None else entry_values(node)
        for name, kind in (given.fields or {}).items():
            span = spans.get(name, step.span)
            if name not in inputs:
                self.report("SW127", f"'{function.name}' has no input '{name}'", span, did_you_mean(name, inputs))
                continue
            self._function_input(function, inputs[name], Value(span, kind, values.get(name)))
        misspelt = {nearest(name, inputs) for name in given.fields or {} if name not in inputs}
        known = {*misspelt, *(given.fields or {})}
        missing = [name for name, each in inputs.items() if each.required and name not in known]
        if missing:
            listed = ", ".join(f"'{name}'" for name in missing)
            self.report("SW129", f"'{function.name}' needs {listed}", step.span, "give it under 'with:'")

    def _function_input(self, function: Function, wanted: Field, given: Value) -> None:
        if exposes(given.kind, wanted.kind):
            what, hint = lost_mask(given.kind, wanted.kind)
            self.report(
                "SW230", f"{what} in '{wanted.name}' of '{function.name}'", given.span, f"declare the input {hint}"
            )
        for each in mismatches(given, wanted.taken, wanted.name, self.kinds):
            if each.wanted is None:
                if each.node is not None:  # what a variable has beside is dropped, but what is written is meant
                    self.report("SW127", f"'{function.name}' has no input '{each.path}'", each.span)
            elif each.given is None:
                self.report("SW129", f"'{function.name}' needs '{each.path}', {each.wanted}", each.span)
            elif each.given.may_be_null and each.node is not None:
                self.null(each.node, f"'{each.path}' of '{function.name}' needs a value")
            else:
                message = f"'{each.path}' of '{function.name}' is {each.wanted}, this is {each.given}"
                self.report("SW128", message, each.span, mend(each.node, each.given, each.wanted))
