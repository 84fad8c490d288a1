"""The kind of every expression; mistakes become problems on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.applications import Applications
from engine.errors import Span, did_you_mean, nearest
from engine.lints.lookalikes import as_value, filled_in, meant
from engine.lints.reading import reads
from engine.operations import Operations, joined_kind
from engine.scope import Scope, key_of
from engine.syntax import (
    Attribute,
    Binary,
    Call,
    Column,
    Conditional,
    Filter,
    Index,
    Lambda,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Range,
    Spread,
    Template,
    Unary,
    Variable,
    Worded,
)
from engine.values import (
    ANY,
    INT,
    NEVER,
    OBJECT,
    TEXT,
    Kind,
    contains_secret,
    fits,
    join,
    join_all,
    kind_of,
    laid_over,
    list_of,
    object_of,
)
from engine.wording import ELSEWHERE, GIVEN_HINTS, named, unknown_member, which

_MENTION = re.compile(r"(?<![\w$\\])\$([A-Za-z_]\w*)")  # a variable


class Inference(Operations, Applications):
    """Infers the kind of any node; the rules for operators, filters and functions are those of its bases."""

    def infer(self, node: Node, scope: Scope) -> Kind:
        """The kind of `node` where `scope` is known."""
        kind = self._narrowed(node, scope, _RULES[type(node)](self, node, scope))
        self.kinds[node] = kind
        return kind

    def _narrowed(self, node: Node, scope: Scope, kind: Kind) -> Kind:
        known = scope.narrowed.get(key) if (key := key_of(node)) is not None else None
        if known is None:
            return kind
        self.widest.pop(node, None)
        if known.values != kind.values and kind.family == "text":
            self.widest[node] = kind
        # `$user?.name` may be null where `$user.name`, which is remembered under the same name, can't be.
        return known if kind.may_be_null or kind.is_open else known.present()

    def _literal(self, node: Literal, scope: Scope) -> Kind:
        if isinstance(node.value, str) and not node.span.text.line(node.span.line).startswith(
            "$$", node.span.column - 1
        ):
            self._check_text(node.value, node.span, scope)
        return kind_of(node.value)

    def _check_text(self, text: str, span: Span, scope: Scope) -> None:
        """Warns of a variable in a text that stays text."""
        name = next((name for name in _MENTION.findall(text) if name in scope.kinds), None)
        if name is not None:
            hint = f"write ${{${name}}} in a text; all of it is an expression where it begins with $"
            self.reads.add(name)
            self.report("SW241", f"'${name}' is nothing but text here", span, hint, "warning")
        elif not _is_quoted(span):
            self._check_likeness(text, span, scope)

    def _check_likeness(self, text: str, span: Span, scope: Scope) -> None:
        """Warns of a text that was probably meant to be an expression; a variable's name alone says too little."""
        if text in scope.kinds:
            self.words.setdefault(text, span)
        elif (node := meant(text, scope.kinds)) is not None:
            self.reads |= reads(node)
            self.lookalike(span, as_value(node))
        elif "{{" in text and (filled := filled_in(text, scope.kinds)):
            self.lookalike(span, filled)

    def _worded(self, node: Worded, scope: Scope) -> Kind:
        return self.infer(node.text, scope)

    def _template(self, node: Template, scope: Scope) -> Kind:
        return joined_kind([self._joined(part, scope) for part in node.parts])

    def _variable(self, node: Variable, scope: Scope) -> Kind:
        self.reads.add(node.name)
        if node.name in scope.kinds:
            return self._readable(node, scope.kinds[node.name])
        if node.name in scope.maybe:
            hint = "set it before, or in every branch"
            self.report("SW202", f"'${node.name}' may not be set here: some paths don't set it", node.span, hint)
            return scope.maybe[node.name]
        known = [*scope.kinds, *scope.maybe]
        self.reads.add(nearest(node.name, known) or node.name)  # a misspelling is a use
        hint = GIVEN_HINTS.get(node.name) or did_you_mean(f"${node.name}", (f"${name}" for name in known))
        if node.name in (scope.columns or {}):
            hint = f"the column is written '{node.name}' here, without the $"
        self.report("SW201", f"unknown variable '${node.name}'", node.span, hint)
        return ANY

    def _readable(self, node: Variable, kind: Kind) -> Kind:
        """The kind of a variable, unless it is a stream, which is read once, by the loop that walks it."""
        if node is self.walked or not any(each.name == "stream" for each in kind.choices):
            return kind
        hint = "let the query return a list"
        self.report("SW177", f"the stream '${node.name}' can only be walked, by for_each", node.span, hint)
        return ANY

    def _column(self, node: Column, scope: Scope) -> Kind:
        if scope.columns is None:
            hint = f'write ${node.name} for the variable, or "{node.name}" for the text'
            self.report("SW203", f"the bare name '{node.name}' means nothing here", node.span, hint)
            return ANY
        if node.name not in scope.columns:
            hint = f"write ${node.name} for the variable" if node.name in scope.kinds else ""
            hint = hint or did_you_mean(node.name, scope.columns)
            self.report("SW204", f"unknown column '{node.name}'", node.span, hint)
            return ANY
        return scope.columns[node.name]

    def _attribute(self, node: Attribute, scope: Scope) -> Kind:
        owner = self.infer(node.of, scope)
        if owner.may_be_null:
            if not node.optional:
                self.null(node.of, f"'.{node.name}' can't be read from null")
            owner = owner.present()
        kind = self._member(owner, node)
        kind = self._beside(owner, node.name, kind)
        if owner != self.kinds[node.of] and self.takes_null(node.of):  # in a query null goes on, as in SQL
            return kind.maybe()
        # Only what may be absent becomes null under `?.`.
        if node.optional and (owner != self.kinds[node.of] or node.name in owner.optional or owner.fields is None):
            return kind.maybe()
        return kind

    def _beside(self, owner: Kind, name: str, kind: Kind) -> Kind:
        """The kind of a member as it is read. A column that lies beside its record is noted; a private one is plain."""
        if not (owner.is_record and kind.secret):
            return kind.tainted_by(owner)
        self.secret_reads.add((owner.table, name))
        return kind.plain() if kind.private and not owner.secret else kind

    def _member(self, owner: Kind, node: Attribute) -> Kind:
        if owner.fields is not None:
            if node.name in owner.fields:
                kind = owner.fields[node.name]
                return kind.maybe() if node.name in owner.optional else kind
            self.report("SW205", unknown_member(owner, node), node.name_span, did_you_mean(node.name, owner.fields))
        elif owner.name not in ("any", "object", "never"):
            hint = which(node.of, owner, OBJECT) or ELSEWHERE.get(node.name.lower(), "")
            self.report("SW206", f"{named(node.of)} is {owner}, it has no '.{node.name}'", node.name_span, hint)
        return NEVER if owner.name == "never" else owner.item or ANY if owner.name == "object" else ANY

    def _index(self, node: Index, scope: Scope) -> Kind:
        owner = self.infer(node.of, scope)
        if owner.may_be_null:
            if not node.optional:
                self.null(node.of, "'[…]' can't be read from null")
            owner = owner.present()
        index = self.value(node.index, scope, "an index can't be null")
        kind = self._element(owner, index, node)
        name = node.index.value if isinstance(node.index, Literal) else None
        kind = self._beside(owner, name, kind) if isinstance(name, str) else kind.tainted_by(owner)
        return kind.maybe() if node.optional else kind

    def _element(self, owner: Kind, index: Kind, node: Index) -> Kind:
        if owner.name == "list":
            if not fits(index, INT):
                self.report("SW207", f"a list's index must be an int, this is {index}", node.index.span)
            return owner.item or ANY
        if owner.name == "object":
            if not fits(index, TEXT):
                self.report("SW207", f"an object's key must be a text, this is {index}", node.index.span)
            if isinstance(node.index, Literal) and isinstance(node.index.value, str) and owner.fields is not None:
                name = node.index.value
                return self._member(owner, Attribute(node.of, name, False, node.index.span, node.span))
            if contains_secret(owner):
                return join_all((owner.fields or {}).values()).masked(owner)
            return owner.item or ANY
        if not owner.is_open and owner.name != "never":
            hint = which(node.of, owner, list_of(ANY) if index.family == "number" else OBJECT)
            self.report("SW206", f"{named(node.of)} is {owner}, it has no '[…]'", node.span, hint)
        return ANY

    def _list(self, node: ListOf, scope: Scope) -> Kind:
        return list_of(join_all((self._item(item, scope) for item in node.items), NEVER))

    def _item(self, node: Node, scope: Scope) -> Kind:
        if not isinstance(node, Spread):
            return self.infer(node, scope)
        kind = self.value(node.of, scope, "it can't be spread")
        if not fits(kind, list_of(ANY)):
            self.report("SW213", f"only a list can be spread into a list, {named(node.of)} is {kind}", node.span)
        return (kind.item or ANY).tainted_by(kind)

    def _object(self, node: ObjectOf, scope: Scope) -> Kind:
        kind = object_of({})
        for entry in node.entries:
            if isinstance(entry, Spread):
                over = self._spread(entry, scope)
            else:
                over = object_of({entry.key: self.infer(entry.value, scope)})
            kind = laid_over(kind, over)
        return kind

    def _spread(self, node: Spread, scope: Scope) -> Kind:
        kind = self.value(node.of, scope, "it can't be spread")
        if not fits(kind, OBJECT):
            self.report("SW213", f"only an object can be spread into an object, {named(node.of)} is {kind}", node.span)
            return OBJECT
        return kind

    def _conditional(self, node: Conditional, scope: Scope) -> Kind:
        true, false = self.condition(node.test, scope)
        then, otherwise = self.infer(node.then, true), self.infer(node.otherwise, false)
        for each, kind in ((node.otherwise, then), (node.then, otherwise)):
            if isinstance(each, Literal):
                return join(then, otherwise).or_written(kind)
        return join(then, otherwise)

    def _misplaced(self, node: Node, scope: Scope) -> Kind:
        self.report("SW218", "a lambda can only be a filter's argument", node.span)
        return ANY


def _is_quoted(span: Span) -> bool:
    """Whether a text stands in the quotes of an expression."""
    return span.text.line(span.line)[span.column - 1 : span.column] in {'"', "'", "\\"}


_RULES: Mapping[type[Node], Callable[[Inference, Any, Scope], Kind]] = {
    Literal: Inference._literal,
    Template: Inference._template,
    Worded: Inference._worded,
    Variable: Inference._variable,
    Column: Inference._column,
    Attribute: Inference._attribute,
    Index: Inference._index,
    ListOf: Inference._list,
    ObjectOf: Inference._object,
    Unary: Inference._unary,
    Binary: Inference._binary,
    Conditional: Inference._conditional,
    Range: Inference._range,
    Filter: Inference._filter,
    Call: Inference._call,
    Lambda: Inference._misplaced,
}
