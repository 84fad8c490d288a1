"""What operators do where a value's kind is only known at run time, and what compiled stacks call for the rest.

Where the checker has proved the kinds, stacks use Python's own operators instead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from engine.bounds import decimal, integer, range_fault, room_for_items, room_for_text, unfit
from engine.budget import LONG, SHORT, WALK, Budget
from engine.compare import same, same_secret
from engine.errors import Fault, kind_fault
from engine.footprint import ITEM, PLAIN
from engine.pace import pace, paced
from engine.values import Record, Secret, kind_of

_NOWHERE = "Input leads to nothing that is there."


def number(value: object, operator: str) -> Any:
    """`value`, which must be a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise unfit(operator, "numbers", value)


def bounded(value: Any) -> Any:
    """The result of arithmetic, which must fit in 64 bits or be finite."""
    return integer(value) if isinstance(value, int) else decimal(value)


def add(left: object, right: object) -> Any:
    return bounded(number(left, "+") + number(right, "+"))


def subtract(left: object, right: object) -> Any:
    return bounded(number(left, "-") - number(right, "-"))


def multiply(left: object, right: object) -> Any:
    return bounded(number(left, "*") * number(right, "*"))


def divide(left: object, right: object) -> Any:
    """The quotient, always a decimal; a zero divisor is a fault."""
    dividend, divisor = number(left, "/"), number(right, "/")
    if divisor == 0:
        raise division_fault()
    try:
        return decimal(dividend / divisor)
    except OverflowError:
        raise Fault("fatal", "the result is too large for a decimal", reason="range") from None


def remainder(left: object, right: object) -> Any:
    """What division leaves, with the sign of what is divided, as SQL, C and Xano have it."""
    dividend, divisor = number(left, "%"), number(right, "%")
    if divisor == 0:
        raise division_fault()
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


def negate(value: object) -> Any:
    return bounded(-number(value, "-"))


def division_fault() -> Fault:
    return Fault("fatal", "a number was divided by zero", reason="division")


def equal(left: object, right: object) -> bool:
    """Whether two values of unknown kinds are equal: strict by kind, secrets in constant time."""
    if isinstance(left, Secret) or isinstance(right, Secret):
        return same_secret(left, right)
    return same(left, right)


def less(left: object, right: object) -> bool:
    _ordered(left, right)
    return left < right  # type: ignore[operator,no-any-return]


def less_or_equal(left: object, right: object) -> bool:
    _ordered(left, right)
    return left <= right  # type: ignore[operator,no-any-return]


def _ordered(left: object, right: object) -> None:
    for value in (left, right):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise unfit("<", "numbers or texts", value)
    if isinstance(left, str) != isinstance(right, str):
        raise kind_fault("a text and a number have no order")


def member(value: object, items: object) -> bool:
    """Whether a list holds a value, strict by kind."""
    if not isinstance(items, list):
        raise unfit("in", "a list on its right", items)
    if isinstance(value, list | dict | Secret):
        return any(equal(value, item) for item in paced(items))
    return any(_holds(items[start : start + LONG], value) for start in range(0, len(items), LONG))


def _holds(items: list[object], value: object) -> bool:
    """Whether one of the items is a plain value. Python finds it fast, but takes true for 1."""
    pace(len(items) // WALK)
    place = -1
    with suppress(ValueError):  # there is none any more
        while True:
            place = items.index(value, place + 1)
            if isinstance(items[place], bool) == isinstance(value, bool):
                return True
    return False


FEW = 32  # items of a list that is searched faster than a set is made of it


def sought(run: Budget, value: object, *names: str) -> object:
    """The set of the items of the list at a path, to be searched often; a list of few, or whatever else, as it is."""
    for each in names:
        value = value.get(each) if isinstance(value, dict) else None
    if not isinstance(value, list) or len(value) <= FEW:
        return value
    run.spend(len(value), 64 * len(value))
    found: set[object] = set()
    for start in range(0, len(value), LONG):
        pace(0)
        found.update(value[start : start + LONG])
    return found


def attribute(owner: object, name: str) -> Any:
    """`owner.name` where the owner's kind is open."""
    if isinstance(owner, dict):
        if name in owner:
            return owner[name]
        raise kind_fault(f"the object has no '{name}': write '?.{name}' where it may be absent")
    raise unfit(f".{name}", "an object", owner)


def optional_attribute(owner: object, name: str) -> Any:
    """`owner?.name`: null where the owner is null or has no such field."""
    if owner is None:
        return None
    if isinstance(owner, dict):
        return owner.get(name)
    raise unfit(f"?.{name}", "an object or null", owner)


def secret_attribute(owner: Record, name: str) -> Any:
    """A record's secret column, which lies beside its dictionary."""
    return owner.secrets[name]


def optional_secret_attribute(owner: Record | None, name: str) -> Any:
    return None if owner is None else owner.secrets[name]


def element(owner: object, index: object) -> Any:
    """`owner[index]`: an item of a list, counted from 0 or back from -1, or a field of an object."""
    if isinstance(owner, list):
        if not isinstance(index, int) or isinstance(index, bool):
            raise unfit("[…]", "an int as the index of a list", index)
        if -len(owner) <= index < len(owner):
            return owner[index]
        raise range_fault(f"the list has {len(owner)} items, there is none at {index}", _NOWHERE)
    if isinstance(owner, dict) and isinstance(index, str):
        if index in owner:
            return owner[index]
        raise range_fault("the object has no such field: write '?.[…]' where it may be absent", _NOWHERE)
    raise unfit("[…]", "a list or an object", owner)


def optional_element(owner: object, index: object) -> Any:
    """`owner?.[index]`: null where there is no such item or field."""
    if owner is None:
        return None
    if isinstance(owner, list) and isinstance(index, int) and not isinstance(index, bool):
        return owner[index] if -len(owner) <= index < len(owner) else None
    if isinstance(owner, dict) and isinstance(index, str):
        return owner.get(index)
    raise unfit("?.[…]", "a list or an object", owner)


def truth(value: object) -> bool:
    """`value`, which must be a bool: nothing else is true or false."""
    if value is True or value is False:
        return value
    raise unfit("a condition", "a bool", value)


def text_of(value: object) -> str:
    """A text, number or bool as part of a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise unfit("a text", "texts, numbers and bools as its parts", value)


def joined(run: Budget, *parts: str) -> str:
    """The parts as one text, which must stay within the bounds of a text."""
    length = sum(map(len, parts))
    if length <= SHORT:
        return "".join(parts)
    room_for_text(length)
    return run.bounded("".join(parts))


def spread_list(run: Budget, value: object) -> list[Any]:
    """What `...` puts into a list."""
    if isinstance(value, list):
        room_for_items(len(value))
        return run.scanned(value)
    raise unfit("...", "a list", value)


def spread_object(value: object) -> dict[str, Any]:
    """What `...` puts into an object."""
    if isinstance(value, dict):
        return value
    raise unfit("...", "an object", value)


def int_range(run: Budget, start: object, stop: object) -> list[int]:
    """`start..stop`, both included; empty where the start is past the stop."""
    span = int_span(start, stop)
    run.spend(len(span) // WALK, (ITEM + PLAIN) * len(span))
    if len(span) <= LONG:
        return list(span)
    made: list[int] = []
    for first in range(0, len(span), LONG):
        pace(0)
        made += span[first : first + LONG]
    return made


def int_span(start: object, stop: object) -> range:
    """As `int_range`, for a loop that takes one after the other: none of them is kept."""
    for end in (start, stop):
        if not isinstance(end, int) or isinstance(end, bool):
            raise unfit("..", "ints", end)
    assert isinstance(start, int) and isinstance(stop, int)
    room_for_items(max(0, stop - start + 1))
    return range(start, max(start, stop + 1))


def as_kind(value: object, types: tuple[type, ...], nullable: bool, what: str) -> Any:
    """`value`, which must be of one of `types`, or null where `nullable`; `what` names who asks."""
    if isinstance(value, types) and (bool in types or not isinstance(value, bool)):
        return value
    if value is None and nullable:
        return None
    given = "a secret" if isinstance(value, Secret) else kind_of(value).label
    raise kind_fault(f"{what}, not {given}")


def entries(value: object) -> list[Any]:
    """What `for_each` walks: a list's items, or an object's entries as `{key, value}`."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [{"key": key, "value": item} for key, item in value.items()]
    raise unfit("for_each", "a list or an object", value)


def times(value: object) -> int:
    """How often `repeat` runs."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise unfit("repeat", "an int", value)


def with_path(owner: object, path: tuple[str | int, ...], value: object) -> Any:
    """A copy of `owner` in which the part at `path` is `value`; objects on the way are made."""
    first, rest = path[0], path[1:]
    if isinstance(owner, Secret):
        return secret(with_path(owner.reveal(), path, value))
    if isinstance(first, int):
        if not isinstance(owner, list):
            raise unfit(f"[{first}]", "a list", owner)
        changed = list(owner)
        if first > len(changed):
            raise Fault("fatal", f"the list has {len(changed)} items, there is none at {first}", reason="range")
        if first == len(changed) and rest and isinstance(rest[0], int):
            raise Fault("fatal", f"the list has {first} items, so there is no list at {first}", reason="range")
        inner = with_path(changed[first] if first < len(changed) else {}, rest, value) if rest else value
        changed[first : first + 1] = [inner]
        return changed
    if owner is not None and not isinstance(owner, dict):
        raise unfit(f".{first}", "an object", owner)
    fields: dict[str, Any] = dict(owner or {})
    fields[first] = with_path(fields.get(first), rest, value) if rest else value
    return fields


def discreet(name: str, function: Callable[..., object], *arguments: object) -> Any:
    """What a function makes of arguments of which some are secret: its faults are logged, so they must quote none."""
    try:
        return function(*arguments)
    except Fault as fault:
        if fault.reason not in _QUOTING:
            raise
        raise Fault(fault.name, f"'{name}' can't take what it is given, which is secret", reason=fault.reason) from None


_QUOTING = frozenset({"kind", "range", "value"})


def secret(value: object) -> Secret | bool | None:
    """`value` under a mask; null stays null, and a bool, which says too little to be masked, a bool."""
    return value if value is None or isinstance(value, Secret | bool) else Secret(value)
