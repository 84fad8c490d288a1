"""The constructs that choose, repeat, leave and rescue: what is known on each way through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.errors import did_you_mean
from engine.judge import MOST_ROUNDS, ROUNDS
from engine.lints.loops import endless
from engine.narrow import narrowed_equal, narrowed_unequal
from engine.scope import Scope, blurred, merge, merge_all
from engine.stack import Block, Branch, Case, Step
from engine.stack_walk import RESERVED, Exits, StackWalk
from engine.syntax import Literal, Node
from engine.values import (
    ANY,
    INT,
    NEVER,
    NULL,
    OBJECT,
    TEXT,
    Kind,
    comparable,
    contains_secret,
    exposes,
    fits,
    join,
    join_all,
    kind_of,
    list_of,
    object_of,
)
from engine.wording import lost_mask, which

Turn = Callable[[Scope], Scope]

ERROR = object_of({"code": TEXT, "message": TEXT, "payload": ANY, "step": TEXT})


class Control(StackWalk):
    """The rules for the flow of a stack."""

    def _if(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        ends = [self.block(step.arguments["then"], true.alive())]
        branches: tuple[Branch, ...] = step.arguments.get("else_if", ())
        is_closed = bool(branches) and "else" not in step.arguments
        for branch in branches:
            self.closing = branch.condition if is_closed and branch is branches[-1] else None
            true, false = self.condition(branch.condition, false.alive())
            ends.append(self.block(branch.block, true.alive()))
        # Where the last test asks for what the others left, nothing is left past it.
        ends.append(self.block(step.arguments.get("else", ()), false if is_closed else false.alive()))
        return merge_all(ends)

    def _switch(self, step: Step, scope: Scope) -> Scope:
        subject: Node = step.arguments["subject"]
        kind = self.value(subject, scope, "a switch needs a value")
        possible, kind = kind.values, self.with_values(subject) if kind.values else kind
        cases: tuple[Case, ...] = step.arguments["cases"]
        ends = [self._case(each, subject, kind, scope) for each in cases]
        texts = {each.value.text for each in cases}
        if "default" in step.arguments or not (possible and set(possible) <= texts):
            other = narrowed_unequal(subject, texts, scope, self.kinds)
            ends.append(self.block(step.arguments.get("default", ()), other.alive()))
        return merge_all(ends)

    def _case(self, case: Case, subject: Node, kind: Kind, scope: Scope) -> Scope:
        value = case_value(case.value.text, kind)
        given = Kind("enum", values=(value,)) if isinstance(value, str) and kind.values else kind_of(value)
        if not comparable(kind, given):
            hint = did_you_mean(case.value.text, kind.values) if kind.values else ""
            self.report("SW216", f"'{case.value.text}' can never be the value of {kind}", case.value.span, hint)
        elif kind.options and not isinstance(value, str) and comparable(kind, Kind("enum", values=(case.value.text,))):
            message = f"'{case.value.text}' may be {given} or a text here"
            self.report("SW216", message, case.value.span, which(subject, kind, given))
        return self.block(case.block, narrowed_equal(subject, given, scope, self.kinds))

    def _loop(self, scope: Scope, body: Turn, *, past: Turn = lambda scope: scope, endless: bool = False) -> Scope:
        """Runs `body` until what it assigns settles; then once more, aloud. `past`: how it ends unless left."""
        entry = scope
        self.silent += 1
        for turn in range(MOST_ROUNDS):
            ends, _ = self._round(entry, body)
            again = merge_all([entry, *ends])
            if again == entry:
                break
            entry = again if turn < ROUNDS else blurred(entry, again)
        self.silent -= 1
        ends, breaks = self._round(entry, body)
        return merge_all(breaks if endless else [past(merge_all([scope, entry, *ends])), *breaks])

    def _round(self, entry: Scope, body: Callable[[Scope], Scope]) -> tuple[list[Scope], list[Scope]]:
        """What is known where a round leads to the next, and where it breaks out of the loop."""
        self.exits.append(Exits())
        end = body(entry)
        exits = self.exits.pop()
        return [end, *exits.continues], exits.breaks

    def _for_each(self, step: Step, scope: Scope) -> Scope:
        items: Node = step.arguments["items"]
        self.walked = items
        kind = self.value(items, scope, "a loop needs a list")
        self._check_shadow(step, scope)
        if kind.name == "stream" or fits(kind, _WALKED):
            item = join_all(map(_item_kind, kind.choices), NEVER)
            item = item.tainted_by(kind)
        else:
            hint = which(items, kind, _WALKED)
            self.report("SW144", f"for_each needs a list or an object, this is {kind}", items.span, hint)
            item = ANY

        def body(entry: Scope) -> Scope:
            inner = self.assigned_as("index", INT, entry)
            if step.result:
                inner = self.assign(step.result, item, inner, f"name it '_{step.result.text}'")
            return self.block(step.arguments["do"], inner)

        if step.result is None:
            self.report("SW145", "a for_each needs 'as:', the name of the item", step.span, "add 'as: item'")
        return self._outside(self._loop(scope, body), scope)

    def _check_shadow(self, step: Step, scope: Scope) -> None:
        """What a loop hands to each round takes the place of a variable that has its name."""
        if step.result is not None and step.result.text in scope.kinds and step.result.text not in RESERVED:
            self.shadowed(step.result.text, step.result.span)

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
        self._check_shadow(step, scope)
        if not fits(kind, INT):
            self.report("SW144", f"repeat needs an int, this is {kind}", count.span, which(count, kind, INT))

        def body(entry: Scope) -> Scope:
            inner = self.assign(step.result, INT, entry) if step.result else entry
            return self.block(step.arguments["do"], inner)

        return self._loop(scope, body)

    def _while(self, step: Step, scope: Scope) -> Scope:
        condition: Node = step.arguments["condition"]

        def body(entry: Scope) -> Scope:
            true, _ = self.condition(condition, entry)
            return self.block(step.arguments["do"], true.alive())

        def past(entry: Scope) -> Scope:
            self.silent += 1
            _, false = self.condition(condition, entry)
            self.silent -= 1
            return false.alive()

        why = endless(step)
        if why:
            hint = "change what it asks, or leave it: 'break' stands in an 'if'"
            self.report("SW243", f"{why}, so it never ends", condition.span, hint, "warning")
        is_open = isinstance(condition, Literal) and condition.value is True
        # Where a mistake makes it endless, that nothing follows is no second one.
        return self._loop(scope, body, past=past, endless=is_open and not why)

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
        else:
            self.needs_result("this", step.span)
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
                message = f"'returns:' says {declared}, this is {kind}"
                self.report("SW148", message, node.span, which(node, kind, declared))
            if exposes(kind, declared):
                what, hint = lost_mask(kind, declared)
                self.report("SW230", f"{what} in what is returned", node.span, f"declare it {hint} under 'returns:'")

    def _throw(self, step: Step, scope: Scope) -> Scope:
        self.acts = True
        self._error_parts(step, scope)
        return scope.ended()

    def _precondition(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        self.acts = True
        self._error_parts(step, false)
        condition = step.arguments["condition"]
        if isinstance(condition, Literal) and condition.value is False:
            return true.ended()
        return true.alive()

    def _error_parts(self, step: Step, scope: Scope) -> None:
        for what in ("message", "payload"):
            node = step.node(what)
            if node is not None:
                self.client_text(node, what, scope)

    def _group(self, step: Step, scope: Scope) -> Scope:
        return self.block(step.arguments["steps"], scope)

    def _transaction(self, step: Step, scope: Scope) -> Scope:
        """Its end lets others write again, where the stack isn't one transaction as a whole."""
        outer, self.atomic = self.atomic, True
        after = self.block(step.arguments["steps"], scope)
        self.atomic = outer
        return after if outer else replace(after, held=scope.held)

    def _try(self, step: Step, scope: Scope) -> Scope:
        exits = self.exits[-1] if self.exits else Exits()
        ways = [(left, len(left)) for left in (exits.breaks, exits.continues)]
        end, failed = self._tried(step.arguments["steps"], scope)
        if "catch" in step.arguments:
            caught, uncaught = self._tried(step.arguments["catch"], failed.assign("error", ERROR))
            end = merge(end, _without(caught, "error", scope))
            failed = merge(failed, _without(uncaught, "error", scope))
        if "finally" not in step.arguments:
            return end
        for left, before in ways:  # the loop is left behind it
            left[before:] = [self._finally(step, each) for each in left[before:]]
        after = self._finally(step, end)
        self.in_finally += 1
        self.block(step.arguments["finally"], merge(failed, end))
        self.in_finally -= 1
        return after

    def _tried(self, steps: Block, scope: Scope) -> tuple[Scope, Scope]:
        """What is known after a block, and wherever in it a step may fail or leave: behind any of the assignments."""
        outer, self.assigned = self.assigned, {}
        end = self.block(steps, scope)
        inside, self.assigned = self.assigned, outer
        failed = replace(scope, narrowed={}, dead=False)
        for name, kind in inside.items():
            self.assigned[name] = join(self.assigned.get(name, NEVER), kind)
            failed = merge(failed, failed.assign(name, kind))
        return end, failed

    def _finally(self, step: Step, scope: Scope) -> Scope:
        """What is known after the last block on a way that goes on, be it out of a loop."""
        self.in_finally += 1
        self.silent += 1
        after = scope if scope.dead else self.block(step.arguments["finally"], scope)
        self.silent -= 1
        self.in_finally -= 1
        return after


# What for_each walks beside streams.
_WALKED = join(OBJECT, list_of(ANY))


def _item_kind(kind: Kind) -> Kind:
    """The kind of what a loop over a value of `kind` is given: an item, or an entry of an object."""
    if kind.name not in ("object", "file"):
        return kind.item or ANY
    value = kind.under_any_key
    return object_of({"key": TEXT, "value": value.masked(kind) if contains_secret(kind) else value})


def _without(scope: Scope, name: str, before: Scope) -> Scope:
    kinds = {key: kind for key, kind in scope.kinds.items() if key != name or key in before.kinds}
    return replace(scope, kinds=kinds)


def case_value(text: str, kind: Kind) -> object:
    """The value a `switch` case spells, read by the kind of what is switched on."""
    families = {each.family for each in kind.choices}
    if "bool" in families and text in ("true", "false"):
        return text == "true"
    if "number" in families:
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    return text
