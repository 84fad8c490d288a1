"""The constructs that choose, repeat, leave and rescue: what is known on each way through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.errors import did_you_mean
from engine.judge import ROUNDS, contains_secret
from engine.scope import Scope, merge, merge_all
from engine.stack import Branch, Case, Step
from engine.stack_walk import Exits, StackWalk
from engine.syntax import Literal, Node
from engine.values import ANY, BOOL, INT, NEVER, NULL, TEXT, Kind, comparable, fits, join, join_all, list_of, object_of

ERROR = object_of({"code": TEXT, "message": TEXT, "payload": ANY, "step": TEXT})


class Control(StackWalk):
    """The rules for the flow of a stack."""

    def _if(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        ends = [self.block(step.arguments["then"], true)]
        branches: tuple[Branch, ...] = step.arguments.get("else_if", ())
        for branch in branches:
            true, false = self.condition(branch.condition, false)
            ends.append(self.block(branch.block, true))
        ends.append(self.block(step.arguments.get("else", ()), false))
        return merge_all(ends)

    def _switch(self, step: Step, scope: Scope) -> Scope:
        subject: Node = step.arguments["subject"]
        kind = self.value(subject, scope, "a switch needs a value")
        cases: tuple[Case, ...] = step.arguments["cases"]
        ends = [self._case(each, subject, kind, scope) for each in cases]
        covered = bool(kind.values) and set(kind.values) <= {each.value.text for each in cases}
        if "default" in step.arguments or not covered:
            ends.append(self.block(step.arguments.get("default", ()), scope))
        return merge_all(ends)

    def _case(self, case: Case, subject: Node, kind: Kind, scope: Scope) -> Scope:
        value = case_value(case.value.text, kind)
        given = Kind("enum", values=(value,)) if isinstance(value, str) and kind.values else _literal_kind(value)
        if not comparable(kind, given):
            hint = did_you_mean(case.value.text, kind.values) if kind.values else ""
            self.report("SW216", f"'{case.value.text}' can never be the value of {kind}", case.value.span, hint)
        return self.block(case.block, scope)

    def _loop(self, scope: Scope, body: Callable[[Scope], Scope], *, endless: bool = False) -> Scope:
        """Runs `body` until what it assigns settles; then once more, aloud."""
        entry = scope
        self.silent += 1
        for _ in range(ROUNDS):
            ends, _ = self._round(entry, body)
            again = merge_all([entry, *ends])
            settled = again == entry
            entry = again
            if settled:
                break
        self.silent -= 1
        ends, breaks = self._round(entry, body)
        return merge_all(breaks if endless else [merge(scope, entry), *ends, *breaks])

    def _round(self, entry: Scope, body: Callable[[Scope], Scope]) -> tuple[list[Scope], list[Scope]]:
        """What is known where a round leads to the next, and where it breaks out of the loop."""
        self.exits.append(Exits())
        end = body(entry)
        exits = self.exits.pop()
        return [end, *exits.continues], exits.breaks

    def _for_each(self, step: Step, scope: Scope) -> Scope:
        items: Node = step.arguments["items"]
        kind = self.value(items, scope, "a loop needs a list")
        if kind.name == "object":
            values = join_all((kind.fields or {}).values()) if kind.fields else ANY
            item = object_of({"key": TEXT, "value": values.masked() if contains_secret(kind) else values})
        elif fits(kind, list_of(ANY)) or kind.name == "stream":
            item = kind.item or ANY
            item = item.masked() if kind.secret else item
        else:
            self.report("SW144", f"for_each needs a list or an object, this is {kind}", items.span)
            item = ANY

        def body(entry: Scope) -> Scope:
            inner = self.assigned_as("index", INT, entry)
            if step.result:
                inner = self.assign(step.result, item, inner, f"name it '_{step.result.text}'")
            return self.block(step.arguments["do"], inner)

        if step.result is None:
            self.report("SW145", "a for_each needs 'as:', the name of the item", step.span, "add 'as: item'")
        return self._outside(self._loop(scope, body), scope)

    def _outside(self, after: Scope, before: Scope) -> Scope:
        """After a loop its `$index` is what it was before."""
        kinds = {name: kind for name, kind in after.kinds.items() if name != "index"}
        maybe = {name: kind for name, kind in after.maybe.items() if name != "index"}
        if "index" in before.kinds:
            kinds["index"] = before.kinds["index"]
        return replace(after, kinds=kinds, maybe=maybe)

    def _repeat(self, step: Step, scope: Scope) -> Scope:
        count: Node = step.arguments["times"]
        kind = self.value(count, scope, "repeat needs an int")
        if not fits(kind, INT):
            self.report("SW144", f"repeat needs an int, this is {kind}", count.span)

        def body(entry: Scope) -> Scope:
            inner = self.assign(step.result, INT, entry) if step.result else entry
            return self.block(step.arguments["do"], inner)

        return self._loop(scope, body)

    def _while(self, step: Step, scope: Scope) -> Scope:
        condition: Node = step.arguments["condition"]

        def body(entry: Scope) -> Scope:
            true, _ = self.condition(condition, entry)
            return self.block(step.arguments["do"], true)

        endless = isinstance(condition, Literal) and condition.value is True
        return self._loop(scope, body, endless=endless)

    def _leave(self, step: Step, scope: Scope) -> Scope:
        if not self.exits:
            self.report("SW146", f"'{step.name}' stands in no loop", step.span)
        elif self.in_finally:
            self.report("SW147", f"'{step.name}' can't leave a finally block", step.span)
        else:
            exits = self.exits[-1]
            (exits.breaks if step.name == "break" else exits.continues).append(scope)
        return scope.ended()

    def _return(self, step: Step, scope: Scope) -> Scope:
        node = step.node("value")
        kind = NULL if node is None else self.infer(node, scope)
        if node is not None:
            self._returned(node, kind)
        if self.in_finally:
            self.report("SW147", "'return' can't leave a finally block", step.span)
        self.results.append(kind)
        return scope.ended()

    def _returned(self, node: Node, kind: Kind) -> None:
        if self.method:
            self.leaving(node, kind, "the response")
        declared = self.returns.kind if self.returns else None
        if declared is not None:
            if kind.may_be_null and not declared.nullable:
                self.null(node, "'returns:' says it never is")
            elif not fits(kind.present(), declared.present()):
                self.report("SW148", f"'returns:' says {declared}, this is {kind}", node.span)

    def _throw(self, step: Step, scope: Scope) -> Scope:
        self._error_parts(step, scope)
        return scope.ended()

    def _precondition(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        self._error_parts(step, false)
        condition = step.arguments["condition"]
        if isinstance(condition, Literal) and condition.value is False:
            return true.ended()
        return true

    def _error_parts(self, step: Step, scope: Scope) -> None:
        for what in ("message", "payload"):
            node = step.node(what)
            if node is not None:
                self.client_text(node, what, scope)

    def _group(self, step: Step, scope: Scope) -> Scope:
        return self.block(step.arguments["steps"], scope)

    def _try(self, step: Step, scope: Scope) -> Scope:
        outer, self.assigned = self.assigned, {}
        end = self.block(step.arguments["steps"], scope)
        inside, self.assigned = self.assigned, outer
        for name, kind in inside.items():
            self.assigned[name] = join(self.assigned.get(name, NEVER), kind)
        # The catch may begin after any of the assignments, or before all of them.
        failed = replace(scope, narrowed={}, dead=False)
        for name, kind in inside.items():
            failed = merge(failed, failed.assign(name, kind))
        if "catch" in step.arguments:
            caught = self.block(step.arguments["catch"], failed.assign("error", ERROR))
            end = merge(end, _without(caught, "error", scope))
        if "finally" in step.arguments:
            self.in_finally += 1
            self.block(step.arguments["finally"], merge(failed, end))
            self.in_finally -= 1
            if not end.dead:
                end = self.block(step.arguments["finally"], end)
        return end


def _without(scope: Scope, name: str, before: Scope) -> Scope:
    kinds = {key: kind for key, kind in scope.kinds.items() if key != name or key in before.kinds}
    return replace(scope, kinds=kinds)


def case_value(text: str, kind: Kind) -> object:
    """The value a `switch` case spells, read by the kind of what is switched on."""
    if kind.family == "number":
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    if kind.name == "bool" and text in ("true", "false"):
        return text == "true"
    return text


def _literal_kind(value: object) -> Kind:
    if isinstance(value, bool):
        return BOOL
    return INT if isinstance(value, int | float) else TEXT
