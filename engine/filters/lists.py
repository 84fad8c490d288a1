"""Filters of lists. None changes the list it is given; lambdas are called once an item, in order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Literal, TypeVar

from engine import registry
from engine.bounds import room_for_items, stretch, survey, unfit
from engine.compare import identities, ordered
from engine.errors import did_you_mean, value_fault
from engine.filters.kinds import written
from engine.filters.paths import follow_kind, literal_steps, lookup, parts
from engine.pace import paced, stepwise
from engine.registry import Misfit
from engine.values import ANY, NEVER, NULL, Kind, join_all, kind_of, list_of, mapping_of

ORDERS = ("asc", "desc")
T = TypeVar("T")
U = TypeVar("U")


@registry.filter
def count(value: list[object] | dict[str, object]) -> int:
    """How many items a list has, or keys an object.

    [1, null, 3] | count  => 3
    {a: 1, b: 2} | count  => 2
    [] | count            => 0
    "abc" | count         => fault kind
    """
    if isinstance(value, (list, dict)):
        return len(value)
    raise unfit("count", "a list or an object (`strlen` counts characters)", value)


@registry.filter
def first(items: list[T]) -> T | None:
    """The first item of a list, null of an empty one.

    ["five", "six"] | first  => "five"
    [] | first               => null
    """
    return items[0] if items else None


@registry.filter
def last(items: list[T]) -> T | None:
    """The last item of a list, null of an empty one.

    ["five", "six"] | last  => "six"
    [] | last               => null
    """
    return items[-1] if items else None


@registry.filter
def pop(items: list[T]) -> T | None:
    """The last item of a list, null of an empty one. The list stays as it is, as in Xano.

    [1, 2, 3] | pop  => 3
    [] | pop         => null
    """
    return items[-1] if items else None


@registry.filter(charges=True, aliases=("array_push",))
def push(items: list[T], value: T) -> list[T]:
    """A list with one more item at its end.

    [1, 2] | push(3)    => [1, 2, 3]
    [] | push(null)     => [null]
    [[1]] | push([2])   => [[1], [2]]
    """
    room_for_items(len(items) + 1)
    return [*items, value]


@registry.filter(charges=True)
def reverse(items: list[T]) -> list[T]:
    """A list from its last item to its first.

    [1, 2, 3] | reverse  => [3, 2, 1]
    [] | reverse         => []
    "abc" | reverse      => fault kind
    """
    return items[::-1]


@registry.filter(charges=True, aliases=("array_slice",))
def slice_(items: list[T], offset: int = 0, length: int | None = None) -> list[T]:
    """The `length` items from `offset`, counted from 0; the rest where no length is given.

    A negative offset counts from the end, a negative length leaves out as many at the end. (Xano says that
    -1 is the rest, and uses it to drop the last item: here it always drops.)

    [1, 2, 3, 4, 5] | slice(2, 2)  => [3, 4]
    [1, 2, 3] | slice(0, -1)       => [1, 2]
    [1, 2, 3] | slice(-2)          => [2, 3]
    [1, 2] | slice(5)              => []
    """
    start, end = stretch(len(items), offset, length)
    return items[start:end]


def _flat_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return list_of(_flat(kinds[0].item or ANY))


def _flat(kind: Kind) -> Kind:
    """The kind of the leaves of something that may be a list of lists."""
    leaves = join_all((_flat(each.item or ANY) if each.name == "list" else each for each in kind.choices), NEVER)
    leaves = leaves.tainted_by(kind)
    return leaves.maybe() if kind.nullable else leaves


@registry.filter(result=_flat_kind, charges=True)
def flatten(items: list[object]) -> list[object]:
    """The items of a list and of all lists inside it, however deep, as one list.

    [1, [2, 3], [[4, 5]]] | flatten  => [1, 2, 3, 4, 5]
    [[], [[]]] | flatten             => []
    [{a: [1]}, null] | flatten       => [{a: [1]}, null]
    """
    survey(items)
    return list(stepwise(_leaves(items)))


def _leaves(items: list[object]) -> Iterator[object]:
    waiting: list[Iterator[object]] = [iter(items)]
    while waiting:
        for item in waiting[-1]:
            if isinstance(item, list):
                waiting.append(iter(item))
                break
            yield item
        else:
            waiting.pop()


def _at_path(kinds: list[Kind], literals: list[object]) -> Kind:
    """The kind of what lies at a path in the items of a list, null where it may not be there."""
    steps, item = literal_steps(literals, ""), kinds[0].item or ANY
    if steps is None or item.name == "never":
        return ANY
    if follow_kind(item, steps, NEVER).name == "never":
        hint = did_you_mean(steps[0], item.visible or ())
        if steps[0] in ORDERS:
            hint = f'the order comes second: sort("", "{steps[0]}")'
        raise Misfit(f"nothing lies at '{literals[1]}' in the items of the list", 1, hint)
    return follow_kind(item, steps, NULL)


def _is_plain(kind: Kind) -> bool:
    return kind.name in ("any", "bool", "null") or kind.family in ("text", "number")


def _index_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    kind = _at_path(kinds, literals)
    if kind.may_be_null and not kind.is_open:
        raise Misfit("a key can't be null, what lies there may be", 1, "leave such items out before, with | filter(…)")
    if not all(map(_is_plain, kind.choices)):
        raise Misfit(f"a key must be a text, a number or a bool, what lies there is {kind}", 1)
    return mapping_of(kinds[0] if kinds[0].name == "list" else list_of(ANY))


@registry.filter(result=_index_kind, charges=True)
def index_by(items: list[object], path: str) -> dict[str, object]:
    """An object of lists: the items grouped by what lies at `path`, in the order of their first appearance.

    Every group is a list, even of one item, as in Xano's catalogue. The value must be there, and be a text,
    number or bool; it becomes the key's text.

    [{id: 1, g: "x"}, {id: 2, g: "y"}, {id: 3, g: "x"}] | index_by("g") | keys  => ["x", "y"]
    [{id: 7}] | index_by("id")    => {"7": [{id: 7}]}
    [{id: null}] | index_by("id") => fault kind
    """
    steps = parts(path)
    groups: dict[str, list[object]] = {}
    for item in paced(items):
        groups.setdefault(written("index_by", lookup(item, steps)), []).append(item)
    return dict(groups)


def _unique_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    _at_path(kinds, literals)
    return kinds[0]


@registry.filter(result=_unique_kind, charges=True)
def unique(items: list[T], path: str = "") -> list[T]:
    """A list without repetitions: the first of the items that are the same, or the same at `path`.

    [12, 13, 13, 12, 11] | unique      => [12, 13, 11]
    [1, 1.0, "1", true] | unique       => [1, "1", true]
    [{id: 1}, {id: 1}] | unique("id")  => [{id: 1}]
    [] | unique                        => []
    """
    steps = parts(path)
    firsts: dict[Hashable, T] = {}
    for key, item in zip(identities([lookup(item, steps) for item in paced(items)]), items, strict=True):
        firsts.setdefault(key, item)
    return list(firsts.values())


def _sort_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    kind = _at_path(kinds, literals)
    if len(literals) == 1 and isinstance(literals[0], list):
        _check_order(literals[0])
    if not _is_plain(kind):
        named, place = ("what lies there", 1) if len(kinds) > 1 else ("an item", 0)
        hint = 'name a path in the items: … | sort("…")'
        if all(map(_is_plain, kind.choices)):
            families = " and ".join(f"{each.family}s" for each in kind.choices)
            raise Misfit(f"{families} have no common order", place)
        raise Misfit(f"only numbers, texts and bools have an order, {named} is {kind}", place, hint)
    return kinds[0]


def _check_order(items: list[object]) -> None:
    """Refuses items of more than one family, at the first that differs from those before."""
    families = [(place, kind_of(item).family) for place, item in enumerate(items) if item is not None]
    for place, family in families:
        if family != families[0][1]:
            raise Misfit(f"{families[0][1]}s and {family}s have no common order", path=(place,))


@registry.filter(result=_sort_kind, charges=True)
def sort(items: list[T], path: str = "", order: Literal["asc", "desc"] = "asc") -> list[T]:
    """A list in ascending or descending order, by the items or by what lies at `path` in them.

    Numbers are ordered among numbers, texts among texts by code point (`Z` before `a`), bools among bools;
    null comes first (last where `desc`); what is equal keeps its order. Mixed kinds are a fault, where Xano
    would ask for a `type`.

    [3, 1, 2] | sort                          => [1, 2, 3]
    ["b", "a", "B", null] | sort              => [null, "B", "a", "b"]
    [{n: 1}, {n: 2}] | sort("n", "desc")      => [{n: 2}, {n: 1}]
    [1, "a"] | sort                           => fault kind
    [2, 1] | sort("", "up")                   => fault kind
    [{n: 1}] | sort                           => fault kind
    """
    if order not in ORDERS:
        raise value_fault("'sort' takes an order that is asc or desc")
    steps = parts(path)
    keys = [lookup(item, steps) for item in paced(items)] if steps else items
    return [items[place] for place in ordered(keys, descending=order == "desc")]


@registry.filter(charges=True, keeps=True)
def filter_(items: list[T], condition: Callable[[T], bool]) -> list[T]:
    """The items for which `condition` is true.

    [1, 2, 3, 4] | filter($n => $n % 2 == 0)  => [2, 4]
    [] | filter($n => true)                   => []
    [1] | filter($n => $n)                    => fault kind
    """
    return [item for item in items if condition(item)]


@registry.filter(charges=True)
def map_(items: list[T], change: Callable[[T], U]) -> list[U]:
    """What `change` makes of each item.

    [{v: 2}, {v: 5}] | map($item => $item.v * 2)  => [4, 10]
    [] | map($item => $item)                      => []
    """
    changed: list[U] = []  # in a variable, so that it is counted among what the run holds
    for item in items:
        changed.append(change(item))  # noqa: PERF401
    return changed


@registry.filter(charges=True, keeps=True)
def find(items: list[T], condition: Callable[[T], bool]) -> T | None:
    """The first item for which `condition` is true, or null.

    [{id: 1}, {id: 2}] | find($item => $item.id == 2)  => {id: 2}
    [1, 2] | find($n => $n > 2)                        => null
    """
    return next((item for item in items if condition(item)), None)


@registry.filter(charges=True, aliases=("findIndex",))
def find_index(items: list[T], condition: Callable[[T], bool]) -> int | None:
    """The place, counted from 0, of the first item for which `condition` is true, or null.

    [1, 2, 3] | find_index($n => $n > 1)  => 1
    [1] | find_index($n => $n > 1)        => null
    """
    return next((index for index, item in enumerate(items) if condition(item)), None)


@registry.filter(charges=True)
def some(items: list[T], condition: Callable[[T], bool]) -> bool:
    """Whether `condition` is true for at least one item.

    [1, 2, 3] | some($n => $n > 2)  => true
    [] | some($n => true)           => false
    """
    return any(condition(item) for item in items)


@registry.filter(charges=True)
def every(items: list[T], condition: Callable[[T], bool]) -> bool:
    """Whether `condition` is true for all items, as it is for none.

    [2, 4] | every($n => $n % 2 == 0)  => true
    [2, 3] | every($n => $n % 2 == 0)  => false
    [] | every($n => false)            => true
    """
    return all(condition(item) for item in items)


@registry.filter(charges=True)
def reduce(items: list[T], step: Callable[[U, T], U], initial: U) -> U:
    """The result of `step` applied to the result so far and each item, from `initial` on.

    [1, 2, 3, 4, 5] | reduce(($sum, $n) => $sum + $n, 10)  => 25
    [] | reduce(($sum, $n) => $sum + $n, 0)                => 0
    """
    result = initial
    for item in items:
        result = step(result, item)
    return result
