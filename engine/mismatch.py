"""Where a value isn't of the kind that is asked for: the innermost places of the lists and objects in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.errors import Span
from engine.syntax import Entry, ListOf, Node, ObjectOf, Spread
from engine.values import ANY, Kind, fits, list_of


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is `given` at the `path` of a value, where `wanted` was asked; None for what is missing or unknown there."""

    span: Span
    path: str
    given: Kind | None
    wanted: Kind | None
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a kind at a place; `node` is what spells it, None inside of a variable."""

    span: Span
    kind: Kind
    node: Node | None = None


def mismatches(value: Value, wanted: Kind, path: str, kinds: Mapping[Node, Kind]) -> Iterable[Mismatch]:
    """The innermost mismatches of a value, the first at each place; `kinds` knows the kind of every node in it."""
    found = list(_mismatches(value, wanted, path, kinds))
    return {each.span: each for each in reversed(found)}.values()


def _mismatches(value: Value, wanted: Kind, path: str, kinds: Mapping[Node, Kind]) -> Iterator[Mismatch]:
    kind = value.kind
    if kind.name == wanted.name == "list" and not kind.nullable:
        for place, item in _items(value, kinds):
            yield from _mismatches(item, wanted.item or ANY, f"{path}{place}", kinds)
    elif kind.name == wanted.name == "object" and not kind.nullable and kind.fields is not None:
        yield from _of_fields(value, wanted, path, kinds)
    elif not fits(list_of(kind), list_of(wanted)):
        yield Mismatch(value.span, path, kind, wanted, value.node)


def _items(value: Value, kinds: Mapping[Node, Kind]) -> Iterator[tuple[str, Value]]:
    if isinstance(value.node, ListOf) and not any(isinstance(item, Spread) for item in value.node.items):
        for place, item in enumerate(value.node.items):
            yield f"[{place}]", Value(item.span, kinds[item], item)
    else:
        yield "[]", Value(value.span, value.kind.item or ANY)


def _of_fields(value: Value, wanted: Kind, path: str, kinds: Mapping[Node, Kind]) -> Iterator[Mismatch]:
    if wanted.fields is None:
        return
    fields = value.kind.fields or {}
    places = {each.key: each for each in _entries(value.node)}
    for name, kind in fields.items():
        entry, inner = places.get(name), f"{path}.{name}" if path else name
        if name not in wanted.fields:
            span, node = (entry.key_span, entry.value) if entry else (value.span, None)
            yield Mismatch(span, inner, kind, None, node)
        else:
            field = Value(entry.value.span, kind, entry.value) if entry else Value(value.span, kind)
            yield from _mismatches(field, wanted.fields[name], inner, kinds)
    for name, kind in wanted.fields.items():
        if name not in fields.keys() - value.kind.optional and name not in wanted.optional and not kind.nullable:
            yield Mismatch(value.span, f"{path}.{name}" if path else name, None, kind)


def _entries(node: Node | None) -> list[Entry]:
    entries = node.entries if isinstance(node, ObjectOf) else []
    return [entry for entry in entries if isinstance(entry, Entry)]


def entry_spans(node: Node) -> dict[str, Span]:
    """The places of the keys of an object that is written out."""
    return {entry.key: entry.key_span for entry in _entries(node)}


def entry_values(node: Node) -> dict[str, Node]:
    """The values of an object that is written out."""
    return {entry.key: entry.value for entry in _entries(node)}
