"""What `set` does to variables, and to parts of them."""

from __future__ import annotations

from engine.scope import Scope
from engine.stack import Assignment, Step, Word
from engine.stack_walk import RESERVED, StackWalk
from engine.values import ANY, NULL, OBJECT, Kind, contains_secret, fits, join, join_all, list_of, mapping_of, object_of


class Assignments(StackWalk):
    """The rules for `set`."""

    def _set(self, step: Step, scope: Scope) -> Scope:
        assignments: tuple[Assignment, ...] = step.arguments["variables"]
        for each in assignments:
            kind = self.infer(each.value, scope)
            word = Word(each.name, each.span)
            scope = self._set_path(word, each, kind, scope) if each.path else self._set_variable(word, kind, scope)
        return scope

    def _set_variable(self, word: Word, kind: Kind, scope: Scope) -> Scope:
        return self.assign(word, kind, scope, "leave it out")

    def _set_path(self, word: Word, each: Assignment, kind: Kind, scope: Scope) -> Scope:
        owner = scope.narrowed.get(each.name, scope.kinds.get(each.name))
        if owner is None:
            code, what = ("SW202", "may not be set") if each.name in scope.maybe else ("SW201", "is not set")
            self.report(
                code, f"the variable '{each.name}' {what} here, so no part of it can be", word.span, "set it first"
            )
            return scope.assign(each.name, ANY)
        if each.name in RESERVED:
            return self.assign(word, kind, scope)
        if owner.may_be_null:
            self.report("SW210", f"'${each.name}' may be null here, no part of it can be set", word.span)
        self.kinds[each.owner] = owner
        if not self._holds(each, owner.present()):
            return scope.assign(each.name, ANY)
        return self.assigned_as(each.name, _with_path(owner.present(), each.path, kind), scope)

    def _holds(self, each: Assignment, kind: Kind) -> bool:
        """Whether a path leads through objects and lists only; what is null on the way is made an object."""
        shown = each.name
        for step in each.path:
            is_place = isinstance(step, int)
            if is_place and kind.may_be_null:
                self.report("SW210", f"'{shown}' may be null here, no item of it can be set", each.span)
                return False
            kind = kind.present()
            if kind.name == "file" or not fits(kind, list_of(ANY) if is_place else OBJECT):
                what = f"there is no item {step} in it to set" if is_place else f"no '{step}' can be set in it"
                self.report("SW206", f"'{shown}' is {kind}, {what}", each.span)
                return False
            kind = _part(kind, step)
            shown += f"[{step}]" if is_place else f".{step}"
        return True


def _part(owner: Kind, step: str | int) -> Kind:
    """The kind of what lies one step inside of an object or a list."""
    if isinstance(step, int):
        return owner.item or ANY
    if owner.fields is None:
        return owner.item.maybe() if owner.item is not None else ANY
    kind = owner.fields.get(step, NULL)
    return kind.maybe() if step in owner.optional else kind


def _with_path(owner: Kind, path: tuple[str | int, ...], value: Kind) -> Kind:
    """The kind of `owner` after the part at `path` became `value`."""
    first, *rest = path
    if owner.may_be_null:  # an object is made in its place
        made = _with_path(object_of({}), path, value)
        return made if owner.name == "null" else join(_with_path(owner.present(), path, value), made)
    if isinstance(first, int):
        item = owner.item or ANY
        # Right behind the last item one is made.
        new = [_with_path(each, tuple(rest), value) for each in (item, object_of({}))] if rest else [value]
        return list_of(join_all([item, *new])).tainted_by(owner)
    if owner.is_record:  # a copy of a record has no secrets beside it
        owner = object_of(owner.visible or {}, owner.optional)
    if owner.name != "object":
        return owner.masked(value) if contains_secret(value) else owner
    if owner.fields is None:
        made = mapping_of(ANY if rest else join(owner.item or ANY, value))
        return made.masked(owner, value) if owner.secret or contains_secret(value) else made
    inner = _with_path(_part(owner, first), tuple(rest), value) if rest else value
    return object_of({**owner.fields, first: inner}, owner.optional - {first}).tainted_by(owner)
