"""The kinds of applications: filters, functions and the lambdas given to them, checked by their signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from engine import registry
from engine.errors import Span, did_you_mean
from engine.judge import MOST_ROUNDS, ROUNDS, Judge
from engine.operations import is_no_value
from engine.registry import Definition, Misfit, Parameter, substitute, unify
from engine.scope import Scope
from engine.syntax import Call, Entry, Filter, Lambda, ListOf, Literal, Node, ObjectOf, Spread
from engine.values import ANY, BOOL, Kind, bared, contains_sealed, contains_secret, fits, join, list_of, made_of
from engine.wording import ELSEWHERE, asked, counted, mend, named, shown, usage

Kinds = tuple[Kind, ...]


class Applications(Judge):
    """The rules for filters and functions."""

    def _filter(self, node: Filter, scope: Scope) -> Kind:
        definition = registry.filters().get(node.name)
        if definition is None:
            self._unknown("filter", node.name, node.name_span, registry.filters(), registry.functions())
            self._skip([node.of, *node.arguments], scope)
            return ANY
        if node.optional:
            self.droppable.update(node.arguments)
        return self._applied(definition, [node.of, *node.arguments], node, scope)

    def _call(self, node: Call, scope: Scope) -> Kind:
        definition = registry.functions().get(node.name)
        if definition is None:
            self._unknown("function", node.name, node.name_span, registry.functions(), registry.filters())
            self._skip(node.arguments, scope)
            return ANY
        return self._applied(definition, node.arguments, node, scope)

    def _unknown(self, sort: str, name: str, span: Span, known: Iterable[str], others: Iterable[str]) -> None:
        hint = ELSEWHERE.get(name.lower()) or did_you_mean(name, known)
        if name in set(others):
            hint = "write $x | " + name if sort == "function" else f"write {name}(…)"
        self.report("SW208", f"unknown {sort} '{name}'", span, hint)

    def _skip(self, nodes: Iterable[Node], scope: Scope) -> None:
        for node in nodes:
            if not isinstance(node, Lambda):
                self.infer(node, scope)

    def _applied(self, definition: Definition, nodes: list[Node], node: Filter | Call, scope: Scope) -> Kind:
        pairs = list(paired(definition, nodes))
        before = len(self.errors)
        self._check_count(definition, nodes, node)
        self.silent += (said := len(self.errors) > before)  # arguments too many or too few make one mistake
        bindings: dict[str, Kind] = {}
        kinds: dict[int, Kind] = {}
        # Lambdas last: their parameters' kinds come from the other arguments.
        for place, (parameter, argument) in sorted(enumerate(pairs), key=lambda each: isinstance(each[1][1], Lambda)):
            kinds[place] = self._argument(definition, parameter, argument, bindings, scope)
        self.silent -= said
        given = [kinds[place] for place in sorted(kinds)]
        arguments = [argument for _, argument in pairs]
        kind = self._result(definition, given, arguments, bindings, is_new=len(self.errors) == before)
        if definition.result is not None:
            # What isn't known of a result was in what was piped: arguments choose among it.
            kind = kind.made_of(*(given[:1] if kind.is_open else given))
        elif not definition.is_parametric:
            kind = made_of(kind, given)
        return self._tainted(definition, kind, given, node) if any(map(contains_secret, given)) else kind

    def _tainted(self, definition: Definition, kind: Kind, given: list[Kind], node: Node) -> Kind:
        """The kind of a result made of secrets: what they taint is one too, but for a bool, which says too little."""
        if definition.declassifies:
            if any(map(contains_sealed, given)):
                self.report("SW220", "a password can't be revealed", node.span, "check it with validate_password")
            return bared(kind)
        # What is handed on as it is keeps its own secrets, fields and items by themselves.
        is_kept = kind.fields is not None or definition.is_parametric
        if is_kept and not any(each.secret for each in given):
            return kind
        return kind.masked() if definition.digests else kind.masked(*given)

    def _check_count(self, definition: Definition, nodes: list[Node], node: Filter | Call) -> None:
        wanted = definition.parameters
        piped = 1 if isinstance(node, Filter) else 0
        least = sum(parameter.required for parameter in wanted)
        most = None if any(parameter.many for parameter in wanted) else len(wanted)
        if len(nodes) < least:
            missing = wanted[len(nodes)].name
            self.report("SW209", f"'{definition.name}' needs its {missing}", node.name_span, usage(definition))
        elif most is not None and len(nodes) > most:
            message = f"'{definition.name}' takes {counted(most - piped)}, {len(nodes) - piped} are given"
            is_lambda = any(isinstance(each, Lambda) for each in nodes)
            hint = "a lambda of several is written ($a, $b) => …" if is_lambda else usage(definition)
            self.report("SW209", message, node.name_span, hint)

    def _argument(
        self, definition: Definition, parameter: Parameter, node: Node, bindings: dict[str, Kind], scope: Scope
    ) -> Kind:
        if isinstance(node, Lambda):
            return self._lambda(definition, parameter, node, bindings, scope)
        kind = self.infer(node, scope)
        self.check_argument(definition, parameter, kind, node)
        unify(parameter.kind, kind, bindings)
        return self.known(node, kind)

    def check_argument(self, definition: Definition, parameter: Parameter, kind: Kind, node: Node) -> None:
        """Reports an argument that its parameter can't take."""
        if parameter.syntax == "lambda":
            self.report("SW218", f"'{definition.name}' needs a lambda here", node.span, "write $x => …")
            return
        wanted = substitute(parameter.kind, {})
        needs = f"'{definition.name}' needs {asked(wanted)}"
        needs += "" if parameter is definition.main else f" as its {parameter.name}"
        for place, given, inner in islice(self._misfits(node, kind, wanted), 1):
            if given.may_be_null:
                self.null(place, needs)
            elif fits(_without_nulls(given), inner):
                hint = f"leave null out: {shown(place)} | filter($item => $item != null)"
                self.report("SW210", f"{named(place)} may hold null, {needs}", place.span, hint)
            else:
                self.report("SW218", f"{needs}, {named(place)} is {given}", place.span, mend(place, given, inner))
        if is_no_value(wanted, node):
            chosen = str(literal_of(node))
            hint = did_you_mean(chosen.lower(), wanted.values)
            self.report("SW218", f"'{definition.name}' knows no {parameter.name} '{chosen}'", node.span, hint)

    def _misfits(self, node: Node, kind: Kind, wanted: Kind) -> Iterator[tuple[Node, Kind, Kind]]:
        """What isn't of the kind `wanted` there, with both kinds: items of a list that is written out, or `node`."""
        kind = self.known(node, kind)
        items = next((each.item or ANY for each in wanted.choices if each.name == "list"), None)
        if isinstance(node, ListOf) and items is not None:
            for item in node.items:
                if isinstance(item, Spread):
                    yield from self._misfits(item.of, self.kinds[item.of].present(), wanted)
                else:
                    yield from self._misfits(item, self.kinds[item], items)
        elif not fits(list_of(kind), list_of(wanted)):
            yield node, kind, wanted

    def _lambda(
        self, definition: Definition, parameter: Parameter, node: Lambda, bindings: dict[str, Kind], scope: Scope
    ) -> Kind:
        if parameter.callback is None:
            self.report("SW218", f"'{definition.name}' takes no lambda here", node.span)
            return Kind("lambda")
        given, returned = parameter.callback
        self._check_shadows(node, scope)
        outer, self.parameters = self.parameters, (*self.parameters, *node.parameters)
        if len(node.parameters) != len(given):
            message = f"the lambda of '{definition.name}' takes {counted(len(given))}, not {len(node.parameters)}"
            self.report("SW219", message, node.span)
        if returned == BOOL:
            true, _ = self.condition(node.body, _entered(node, given, bindings, scope))
            if definition.keeps:
                bindings |= {each.table: true.proved(name) for name, each in _variables(node, given)}
        else:
            if returned in given:
                self._settle(node, given, returned, bindings, scope)
            unify(returned, self.infer(node.body, _entered(node, given, bindings, scope)), bindings)
        self.parameters = outer
        self.kinds[node] = Kind("lambda")
        body = self.kinds[node.body]
        return Kind("lambda").masked(body) if contains_secret(body) and returned != BOOL else Kind("lambda")

    def _check_shadows(self, node: Lambda, scope: Scope) -> None:
        for name, span in zip(node.parameters, node.parameter_spans, strict=True):
            if name in scope.kinds and name != "index":  # a loop gives it unasked
                self.shadowed(name, span)

    def _settle(self, node: Lambda, given: Kinds, returned: Kind, bindings: dict[str, Kind], scope: Scope) -> None:
        """Learns what a lambda is given that is given what it returned before."""
        self.silent += 1
        for turn in range(MOST_ROUNDS):
            known = dict(bindings)
            unify(returned, self.infer(node.body, _entered(node, given, bindings, scope)), bindings)
            if bindings == known:
                break
            if turn >= ROUNDS:
                bindings |= {name: join(ANY, kind) for name, kind in bindings.items() if known.get(name) != kind}
        self.silent -= 1

    def _result(
        self, definition: Definition, kinds: list[Kind], nodes: list[Node], bindings: Mapping[str, Kind], is_new: bool
    ) -> Kind:
        """The kind of the result; that arguments don't go together `is_new` where none of them is wrong by itself."""
        if definition.result is not None and kinds:
            try:
                return definition.result(kinds, [literal_of(node) for node in nodes])
            except Misfit as misfit:
                if is_new:
                    place = _part_of(nodes[misfit.place], misfit.path)
                    self.report("SW218", misfit.message, place.span, misfit.hint)
        return substitute(definition.returns, bindings)


def literal_of(node: Node) -> Any:
    """The value that a tree of literals spells; Ellipsis where it is more than literals."""
    match node:
        case Literal(value):
            return value
        case ListOf(items):
            values = [literal_of(item) for item in items]
            return ... if ... in values else values
        case ObjectOf(entries) if all(isinstance(entry, Entry) for entry in entries):
            pairs = {entry.key: literal_of(entry.value) for entry in entries if isinstance(entry, Entry)}
            return ... if ... in pairs.values() else pairs
    return ...


def _part_of(node: Node, path: tuple[str | int, ...]) -> Node:
    """What is written at the end of a path into a list or object that is written out."""
    for step in path:
        match node:
            case ListOf(items) if isinstance(step, int):
                node = items[step]
            case ObjectOf(entries):
                node = next(each.value for each in entries if isinstance(each, Entry) and each.key == step)
    return node


def paired(definition: Definition, nodes: list[Node]) -> Iterator[tuple[Parameter, Node]]:
    """Each argument with its parameter; the last parameter takes the rest where it takes many."""
    parameters = list(definition.parameters)
    for place, node in enumerate(nodes):
        if place < len(parameters):
            yield parameters[place], node
        elif parameters and parameters[-1].many:
            yield parameters[-1], node


def _entered(node: Lambda, given: Kinds, bindings: Mapping[str, Kind], scope: Scope) -> Scope:
    """What is known inside a lambda."""
    for name, pattern in zip(node.parameters, [*given, *[ANY] * len(node.parameters)], strict=False):
        scope = scope.assign(name, substitute(pattern, bindings))
    return scope


def _variables(node: Lambda, given: Kinds) -> Iterator[tuple[str, Kind]]:
    """The parameters of a lambda that stand for a type variable."""
    return ((name, kind) for name, kind in zip(node.parameters, given, strict=False) if kind.name == "variable")


def _without_nulls(kind: Kind) -> Kind:
    return replace(kind, item=kind.item.present()) if kind.item is not None else kind
