"""Filters of numbers. An int stays within 64 bits, a decimal is finite: what leaves these bounds is a fault."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TypeVar

from engine import registry
from engine.bounds import decimal, integer, range_fault, unfit
from engine.errors import Fault
from engine.filters.rules import int_at, kind_at, number_kind
from engine.intrinsics import EXACT, MOST_DIGITS, SURE
from engine.registry import Misfit
from engine.values import DECIMAL, INT, NULL, Kind, join

N = TypeVar("N", bound=float)

MAX_PRECISION = 308  # no decimal has a digit further away that matters
_SCALES = {precision: 10.0**precision for precision in range(1, MOST_DIGITS + 1)}
_DIGITS = Context(prec=2 * MAX_PRECISION + 4, rounding=ROUND_HALF_UP)


def _round_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    precision = int_at(literals, 1, 0)
    return INT if kinds[0].name in ("int", "timestamp") or (precision is not None and precision <= 0) else DECIMAL


@registry.filter(result=_round_kind)
def round_(number: float, precision: int = 0) -> float:
    """A number rounded to `precision` digits after the point, half away from zero; an int where that is 0 or less.

    What counts is the number as it is written: -3.55 lies half way, although its binary form doesn't.

    2.5 | round            => 3
    (-2.5) | round         => -3
    (-3.55) | round(1)     => -3.6
    3.14159 | round(2)     => 3.14
    1250 | round(-2)       => 1300
    0.5 | round(400)       => fault range
    """
    scale = _SCALES.get(precision)
    if scale is not None and isinstance(number, float) and abs(number) * scale < EXACT:
        near = round(number, precision)
        if abs(number - near) * scale < SURE:  # far from half way both ways of rounding agree
            return near + 0.0
    if abs(precision) > MAX_PRECISION:
        raise range_fault(f"a precision is at most {MAX_PRECISION} digits")
    if isinstance(number, int) and precision >= 0:
        return number
    rounded = Decimal(repr(number)).quantize(Decimal(1).scaleb(-precision), context=_DIGITS)
    return decimal(float(rounded)) if precision > 0 else integer(int(rounded))


@registry.filter
def floor(number: float) -> int:
    """The greatest int that is no greater than a number.

    (-2.3) | floor  => -3
    2.7 | floor     => 2
    5 | floor       => 5
    1e300 | floor   => fault range
    """
    return integer(math.floor(number))


@registry.filter
def ceil(number: float) -> int:
    """The least int that is no less than a number.

    2.5 | ceil     => 3
    (-2.3) | ceil  => -2
    1e300 | ceil   => fault range
    """
    return integer(math.ceil(number))


@registry.filter
def abs_(number: N) -> N:
    """A number without its sign.

    (-10) | abs   => 10
    2.5 | abs     => 2.5
    "-10" | abs   => fault kind
    """
    return integer(abs(number)) if isinstance(number, int) else abs(number)  # type: ignore[return-value]  # same kind


def _pow_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    exponent = int_at(literals, 1)
    return INT if kinds[0].name == "int" and exponent is not None and exponent >= 0 else DECIMAL


@registry.filter(result=_pow_kind, refuses={"base": "size", "exponent": "size"})
def pow_(base: float, exponent: float) -> float:
    """`base` to the power of `exponent`: an int of ints where the exponent isn't negative, else a decimal.

    10 | pow(2)       => 100
    4 | pow(0.5)      => 2
    2 | pow(-1)       => 0.5
    2 | pow(63)       => fault range
    0 | pow(-1)       => fault division
    (-8) | pow(0.5)   => fault range
    """
    if base == 0 and exponent < 0:
        raise Fault("fatal", "zero has no negative power", reason="division")
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        return _int_power(base, exponent)
    try:
        return decimal(math.pow(base, exponent))
    except (OverflowError, ValueError) as error:
        raise range_fault("the power is too large, or no real number") from error


def _int_power(base: int, exponent: int) -> int:
    """Looks before it multiplies: a large exponent would build a number of millions of digits."""
    if abs(base) > 1 and exponent >= 64:
        raise range_fault("the power is no int of 64 bits")
    return integer(base**exponent)


@registry.filter(refuses={"number": "size"})
def sqrt(number: float) -> float:
    """The square root of a number.

    9 | sqrt     => 3
    2.25 | sqrt  => 1.5
    (-1) | sqrt  => fault range
    """
    if number < 0:
        raise range_fault("a negative number has no square root")
    return math.sqrt(number)


def _least_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    value, other = kinds[0], kind_at(kinds, 1, NULL)
    families = {each.family for each in value.choices}
    if "number" in families and other.may_be_null:
        hint = "give the other as the argument" if len(kinds) == 1 else "rule null out, or give a default with ??"
        raise Misfit("one number alone has no least or greatest", len(kinds) - 1, hint)
    if "list" in families and other.name != "null":
        raise Misfit("a list of numbers is taken alone", 1, "leave the argument out")
    if len(kinds) > 1:
        return join(value, other)
    return number_kind(value.item).maybe() if value.name == "list" else DECIMAL.maybe()


def _numbers(name: str, value: object, other: float | None) -> list[float]:
    """The numbers among which `min` and `max` choose."""
    if isinstance(value, list) and other is None:
        return [_number(name, item) for item in value]
    if other is None:
        raise unfit(name, "a list of numbers, or two numbers", value)
    return [_number(name, value), other]


def _number(name: str, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise unfit(name, "numbers", value)


@registry.filter(result=_least_kind, charges=True, aliases=("array_min",))
def min_(value: float | list[float], other: float | None = None) -> float | None:
    """The least number of a list, null of an empty one; or the lesser of two numbers.

    [3, 1.5, 2] | min  => 1.5
    1 | min(0)         => 0
    [] | min           => null
    ["a"] | min        => fault kind
    1 | min            => fault kind
    """
    return min(_numbers("min", value, other), default=None)


@registry.filter(result=_least_kind, charges=True, aliases=("array_max",))
def max_(value: float | list[float], other: float | None = None) -> float | None:
    """The greatest number of a list, null of an empty one; or the greater of two numbers.

    [1, 5, 3] | max  => 5
    5 | max(20)      => 20
    [] | max         => null
    [true] | max     => fault kind
    """
    return max(_numbers("max", value, other), default=None)


def _total(name: str, numbers: Sequence[float]) -> float:
    """The sum of numbers, rounded once where a decimal is among them."""
    types = set(map(type, numbers))
    if types <= {int}:
        return sum(numbers)
    if not types <= {int, float}:
        raise unfit(name, "numbers", next(each for each in numbers if type(each) not in (int, float)))
    try:
        return decimal(math.fsum(numbers))
    except OverflowError as error:
        raise range_fault("the sum is too large for a decimal") from error


def _sum_kind(kinds: list[Kind], literals: list[object]) -> Kind:
    return number_kind(kinds[0].item)


@registry.filter(result=_sum_kind, charges=True)
def sum_(numbers: list[float]) -> float:
    """The sum of a list of numbers, 0 of an empty one; an int of ints, else a decimal that is rounded only once.

    [1, 2, 3, 4] | sum     => 10
    [0.1, 0.2, 0.3] | sum  => 0.6
    [] | sum               => 0
    ["1"] | sum            => fault kind
    [true, 2] | sum        => fault kind
    """
    total = _total("sum", numbers)
    return integer(total) if isinstance(total, int) else total


@registry.filter(charges=True)
def avg(numbers: list[float]) -> float | None:
    """The mean of a list of numbers, a decimal; null of an empty one.

    [1, 2, 3, 4] | avg  => 2.5
    [2, 4] | avg        => 3.0
    [] | avg            => null
    """
    return _total("avg", numbers) / len(numbers) if numbers else None
