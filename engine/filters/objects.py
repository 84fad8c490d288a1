"""Filters of objects, and of paths into objects and lists. Each answers a copy; a record's copy is a plain object.

A path is text with dots, `items.0.name`, where a number is a list's place (negative ones count from the end); a
plain number is the path of its digits. Unlike Xano's, a path doesn't spread over the items of a list: `map` does.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from engine import registry
from engine.bounds import room_for_items, unfit
from engine.errors import did_you_mean, value_fault
from engine.filters.paths import MISSING, follow, follow_kind, is_place, literal_steps, parts, place
from engine.filters.rules import kind_at, literal_at, of_each
from engine.operators import secret
from engine.pace import paced, stepwise
from engine.registry import Misfit
from engine.values import ANY, NEVER, NULL, OBJECT, TEXT, Kind, Secret, join, join_all, laid_over, list_of, object_of


def _get_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    steps, default = literal_steps(literals), kind_at(kinds, 2, NULL)
    if len(kinds) == 2 and steps and kinds[0].name != "null" and follow_kind(kinds[0], steps, NEVER).name == "never":
        hint = did_you_mean(steps[0], kinds[0].visible or ())
        raise Misfit(f"nothing lies at '{literals[1]}' in {kinds[0]}", 1, hint)
    return join(ANY, default) if steps is None else follow_kind(kinds[0], steps, default)


@registry.filter(result=_get_kind)
def get(value: object | None, path: str | int, default: object | None = None) -> object | None:
    """What lies at a path, or `default` where the path leads nowhere. A null at its end is a null.

    {fizz: "buzz"} | get("fizz")                     => "buzz"
    {} | get("n", "x")                               => "x"
    [10, 20] | get(0)                                => 10
    [10, 20] | get(-1)                               => 20
    {items: [{name: "a"}]} | get("items.0.name")     => "a"
    {n: null} | get("n", 1)                          => null
    null | get("a.b")                                => null
    """
    found = follow(value, parts(path))
    return default if found is MISSING else found


@registry.filter
def has(value: object | None, path: str | int) -> bool:
    """Whether a path leads somewhere, be it to a null.

    {a: 1} | has("b")            => false
    {a: {b: null}} | has("a.b")  => true
    [1] | has(1)                 => false
    null | has("a")              => false
    """
    return follow(value, parts(path)) is not MISSING


def _set_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    steps = literal_steps(literals)
    return _put_kind(kinds[0], steps, kind_at(kinds, 2)) if steps else of_each(kinds[0], _blurred)


def _blurred(kind: Kind) -> Kind:
    """The kind of a copy in which any place may have changed."""
    return {"object": OBJECT, "list": list_of(ANY)}.get(kind.name, ANY)


def _put_kind(kind: Kind, steps: list[str], value: Kind) -> Kind:
    if not steps:
        return value
    if kind.secret:
        return _put_kind(kind.plain(), steps, value).masked(kind)
    if kind.options:
        return of_each(kind, lambda each: _put_kind(each, steps, value))
    head, *rest = steps
    if kind.name == "list":
        item = kind.item or ANY
        return list_of(join_all([item, _put_kind(item.present(), rest, value), _put_kind(NULL, rest, value)]))
    if kind.name not in ("object", "null"):
        return ANY
    fields = kind.visible if kind.name == "object" else {}
    if fields is None:
        return OBJECT
    field = fields.get(head, NULL)
    field = field.maybe() if head in kind.optional else field
    return object_of({**fields, head: _changed_kind(field, rest, value)}, kind.optional - {head})


def _changed_kind(field: Kind, rest: list[str], value: Kind) -> Kind:
    """The kind of a field set at `rest`: changed where it is there, made anew where it is null."""
    made = _put_kind(NULL, rest, value)
    if field.name == "null":
        return made
    changed = _put_kind(field.present(), rest, value)
    return join(changed, made) if field.nullable else changed


@registry.filter(result=_set_kind, charges=True, refuses={"path": "form"})
def set_(base: dict[str, object] | list[object], path: str | int, value: object | None) -> object:
    """A copy with another value at a path; objects on the way are made where there is nothing or null.

    In a list, the place must be there, or be the one after the last.

    {fizz: "buzz"} | set("foo", "bar")  => {fizz: "buzz", foo: "bar"}
    {} | set("a.b", 1)                  => {a: {b: 1}}
    {a: [1, 2]} | set("a.0", null)      => {a: [null, 2]}
    [1] | set(1, 2)                     => [1, 2]
    [1] | set(5, 2)                     => fault value
    {a: 1} | set("a.b", 2)              => fault value
    """
    steps = parts(path)
    if not steps or not isinstance(base, (dict, list)):
        raise unfit("set", "an object or a list, and a path that isn't empty", base)
    return _put(base, steps, value)


def _put(base: object, steps: list[str], value: object) -> object:
    if not steps:
        return value
    head, *rest = steps
    if isinstance(base, Secret):
        return secret(_put(base.reveal(), steps, value))
    if isinstance(base, list):
        return _put_item(base, head, rest, value)
    if isinstance(base, dict):
        return {**base, head: _put(base.get(head), rest, value)}
    if base is None and not is_place(head):
        return {head: _put(None, rest, value)}
    raise value_fault(f"'set' finds {'no list' if is_place(head) else 'no object'} in which to set '{head}'")


def _put_item(items: list[object], head: str, rest: list[str], value: object) -> object:
    if head == str(len(items)):
        room_for_items(len(items) + 1)
        return [*items, _put(None, rest, value)]
    index = place(head, len(items))
    if index is None:
        raise value_fault(f"'set' finds no place '{head}' in a list of {len(items)}")
    return [*items[:index], _put(items[index], rest, value), *items[index + 1 :]]


def _unset_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return of_each(kinds[0], lambda kind: _cut_kind(kind, literal_steps(literals)))


def _cut_kind(kind: Kind, steps: list[str] | None) -> Kind:
    fields = kind.visible
    if steps is None or len(steps) != 1 or kind.name != "object" or fields is None:
        return _blurred(kind)
    return _without(fields, kind.optional, steps)


def _without(fields: Mapping[str, Kind], optional: frozenset[str], names: Container[str]) -> Kind:
    return object_of({name: kind for name, kind in fields.items() if name not in names}, optional)


@registry.filter(result=_unset_kind, charges=True)
def unset(base: dict[str, object] | list[object], path: str | int) -> object:
    """A copy without what lies at a path; the same again where the path leads nowhere.

    {a: 1, b: 2} | unset("b")       => {a: 1}
    {a: {b: 1}} | unset("a.b")      => {a: {}}
    [1, 2, 3] | unset(0)            => [2, 3]
    {a: 1} | unset("x.y")           => {a: 1}
    "a" | unset("x")                => fault kind
    """
    if not isinstance(base, (dict, list)):
        raise unfit("unset", "an object or a list", base)
    return _cut(base, parts(path))


def _cut(base: object, steps: list[str]) -> object:
    if not steps or follow(base, steps) is MISSING:
        return base
    head, *rest = steps
    if isinstance(base, Secret):
        return secret(_cut(base.reveal(), steps))
    if isinstance(base, list):
        index = place(head, len(base)) or 0
        return [*base[:index], *([_cut(base[index], rest)] if rest else []), *base[index + 1 :]]
    if isinstance(base, dict) and rest:
        return {**base, head: _cut(base[head], rest)}
    return {name: value for name, value in base.items() if name != head} if isinstance(base, dict) else base


@registry.filter(charges=True)
def keys(value: dict[str, object]) -> list[str]:
    """The keys of an object, in their order.

    {a: 1, b: 2} | keys  => ["a", "b"]
    {} | keys            => []
    [1] | keys           => fault kind
    """
    return list(value)


def _values_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return list_of(kinds[0].under_any_key)


@registry.filter(result=_values_kind, charges=True)
def values(value: dict[str, object]) -> list[object]:
    """The values of an object, in the order of its keys.

    {a: 1, b: null} | values  => [1, null]
    {} | values               => []
    """
    return list(value.values())


def _entries_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return list_of(object_of({"key": TEXT, "value": kinds[0].under_any_key}))


@registry.filter(result=_entries_kind, charges=True)
def entries(value: dict[str, object]) -> list[object]:
    """The keys and values of an object as a list of `{key, value}`.

    {a: 1} | entries  => [{key: "a", value: 1}]
    {} | entries      => []
    """
    return [{"key": key, "value": each} for key, each in stepwise(value.items())]


def _names(literals: list[object]) -> list[str] | None:
    """The keys that the author wrote, null where they are known only when running."""
    names = literal_at(literals, 1)
    return [str(name) for name in names] if isinstance(names, list) else None


def _pick_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return _of_objects(kinds[0], lambda kind: _picked(kind, _names(literals)))


def _of_objects(kind: Kind, rule: Callable[[Kind], Kind]) -> Kind:
    """The rule's answer for an object, or for the items of a list."""
    if kind.options:
        return of_each(kind, lambda each: _of_objects(each, rule))
    if kind.name == "list":
        return list_of(rule(kind.item or ANY))
    return rule(kind) if kind.name == "object" else ANY


def _picked(kind: Kind, names: list[str] | None) -> Kind:
    fields = kind.visible
    if fields is None:
        return OBJECT if names is None else object_of(dict.fromkeys(names, ANY), names)
    if names is None:
        return object_of(fields, fields)
    return object_of({name: fields[name] for name in names if name in fields}, kind.optional & set(names))


@registry.filter(result=_pick_kind, charges=True)
def pick(value: dict[str, object] | list[dict[str, object]], keys: list[str]) -> object:
    """An object, or each object of a list, with the named keys only; those it lacks stay absent.

    {a: 1, b: 2, c: 3} | pick(["c", "a", "x"])  => {a: 1, c: 3}
    [{a: 1, b: 2}, {b: 3}] | pick(["a"])        => [{a: 1}, {}]
    7 | pick(["a"])                             => fault kind
    """
    return _each("pick", value, lambda each: {key: each[key] for key in keys if key in each})


def _each(name: str, value: object, change: Callable[[dict[str, object]], object]) -> object:
    """What `change` makes of an object, or of each object of a list."""
    if isinstance(value, list):
        return [_change(name, each, change) for each in paced(value)]
    return _change(name, value, change)


def _change(name: str, value: object, change: Callable[[dict[str, object]], object]) -> object:
    if isinstance(value, dict):
        return change(value)
    raise unfit(name, "an object or a list of objects", value)


def _unpick_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return _of_objects(kinds[0], lambda kind: _unpicked(kind, _names(literals)))


def _unpicked(kind: Kind, names: list[str] | None) -> Kind:
    fields = kind.visible
    if fields is None:
        return OBJECT
    return object_of(fields, fields) if names is None else _without(fields, kind.optional, names)


@registry.filter(result=_unpick_kind, charges=True)
def unpick(value: dict[str, object] | list[dict[str, object]], keys: list[str]) -> object:
    """An object, or each object of a list, without the named keys.

    {a: 1, b: 2, c: 3} | unpick(["a", "c"])  => {b: 2}
    [{a: 1}, {b: 2}] | unpick(["a"])         => [{}, {b: 2}]
    {a: 1} | unpick([])                      => {a: 1}
    """
    dropped = frozenset(keys)
    return _each("unpick", value, lambda each: {key: each[key] for key in each if key not in dropped})


def _merge_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    left, right = kinds[0], kind_at(kinds, 1)
    if left.name == right.name == "list":
        return join(left, right)
    if {"list", "object"} <= {each.name for each in (*left.choices, *right.choices)}:
        raise Misfit(f"{left} can't be merged with {right}, but two objects or two lists can", 1)
    if left.name != "object" or right.name != "object":
        return ANY
    return laid_over(left, right)


@registry.filter(result=_merge_kind, charges=True, aliases=("array_merge",))
def merge(
    value: dict[str, object] | list[object], other: dict[str, object] | list[object]
) -> dict[str, object] | list[object]:
    """Two objects as one, the second's keys laid over the first's, one level deep; or two lists, one after the other.

    {a: 1, b: 1} | merge({b: 2})    => {a: 1, b: 2}
    {a: {x: 1}} | merge({a: {}})    => {a: {}}
    [1, 2] | merge([3])             => [1, 2, 3]
    {a: 1} | merge([1])             => fault kind
    """
    if isinstance(value, list) and isinstance(other, list):
        room_for_items(len(value) + len(other))
        return [*value, *other]
    if isinstance(value, dict) and isinstance(other, dict):
        room_for_items(len(value) + len(other))
        return {**value, **other}
    raise unfit("merge", "two objects or two lists", other)


def _filter_null_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return of_each(kinds[0], _without_nulls)


def _without_nulls(value: Kind) -> Kind:
    if value.name == "list":
        return list_of((value.item or ANY).present())
    fields = value.visible
    if value.name != "object" or fields is None:
        return value
    missing = {name for name, kind in fields.items() if kind.nullable or kind.name in ("null", "any")}
    known = {name: kind.present() for name, kind in fields.items() if kind.name != "null"}
    return object_of(known, (value.optional | missing) & known.keys())


@registry.filter(result=_filter_null_kind, charges=True)
def filter_null(value: dict[str, object | None] | list[object | None]) -> object:
    """An object without the fields that are null, or a list without the items that are.

    {name: "Ada", nickname: null} | filter_null  => {name: "Ada"}
    [1, null, 0, ""] | filter_null               => [1, 0, ""]
    {a: {b: null}} | filter_null                 => {a: {b: null}}
    """
    if isinstance(value, list):
        return [item for item in value if item is not None]
    return {name: item for name, item in value.items() if item is not None}
