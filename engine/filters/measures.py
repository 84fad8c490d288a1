"""Filters that measure: how far vectors and points on the earth are from each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import mul
from typing import Annotated, Any

from engine import registry
from engine.bounds import decimal, range_fault
from engine.errors import kind_fault
from engine.values import POINT

Vector = list[float]
Point = Annotated[dict[str, object], POINT]

EARTH_RADIUS = 6_371_008.8  # metres: the mean radius of the IUGG's GRS 80


_REFUSED = {"a": "size", "b": "size"}


def _together(a: Vector, b: Vector) -> None:
    if len(a) != len(b):
        raise range_fault(f"the vectors have {len(a)} and {len(b)} numbers")


def _inner(a: Vector, b: Vector) -> float:
    _together(a, b)
    return decimal(float(sum(map(mul, a, b))))


@registry.filter(charges=True, refuses=_REFUSED)
def inner_product(a: Vector, b: Vector) -> float:
    """The sum of the products of two vectors' numbers.

    [1, 2, 3] | inner_product([4, 5, 6])  => 32.0
    [1, 2] | inner_product([1])           => fault range
    """
    return _inner(a, b)


@registry.filter(charges=True, refuses=_REFUSED)
def negative_inner_product(a: Vector, b: Vector) -> float:
    """The inner product with its sign turned, so that the nearest comes first.

    [1, 2, 3] | negative_inner_product([4, 5, 6])  => -32.0
    [] | negative_inner_product([])                => 0.0
    """
    return -_inner(a, b) + 0.0


@registry.filter(charges=True, refuses=_REFUSED)
def cosine_similarity(a: Vector, b: Vector) -> float:
    """The cosine of the angle between two vectors: 1 where they point the same way, -1 where they are opposite.

    [1, 0] | cosine_similarity([2, 0])   => 1.0
    [1, 0] | cosine_similarity([0, 3])   => 0.0
    [1, 0] | cosine_similarity([-1, 0])  => -1.0
    [0, 0] | cosine_similarity([1, 0])   => fault range
    """
    lengths = math.hypot(*a), math.hypot(*b)
    if 0.0 in lengths:
        raise range_fault("a vector of zeros alone points nowhere")
    _together(a, b)
    # Scaled first, so that no product leaves the finite.
    cosine = sum((x / lengths[0]) * (y / lengths[1]) for x, y in zip(a, b, strict=True))
    return max(-1.0, min(1.0, cosine)) + 0.0


@registry.filter(charges=True, refuses=_REFUSED)
def cosine_distance(a: Vector, b: Vector) -> float:
    """One less the cosine of the angle between two vectors: from 0, the same way, to 2, opposite.

    [1, 0] | cosine_distance([5, 0])   => 0.0
    [1, 0] | cosine_distance([-1, 0])  => 2.0
    """
    return 1.0 - cosine_similarity(a, b)


@registry.filter(charges=True, refuses=_REFUSED, aliases=("l2_distance",))
def l2_distance_euclidean(a: Vector, b: Vector) -> float:
    """The straight distance between two vectors.

    [0, 0] | l2_distance_euclidean([3, 4])  => 5.0
    [1] | l2_distance([1])                  => 0.0
    """
    _together(a, b)
    return decimal(math.dist(a, b))


@registry.filter(charges=True, refuses=_REFUSED, aliases=("l1_distance",))
def l1_distance_manhattan(a: Vector, b: Vector) -> float:
    """The sum of the distances between two vectors' numbers.

    [0, 0] | l1_distance_manhattan([3, -4])  => 7.0
    [1] | l1_distance([1])                   => 0.0
    """
    _together(a, b)
    return decimal(float(sum(abs(x - y) for x, y in zip(a, b, strict=True))))


@registry.filter
def distance(point: Point, other: Point) -> float:
    """The metres between two points, over the surface of a round earth: up to 0.6 % from the true figure.

    point(0, 0) | distance(point(180, 0)) | round  => 20015114
    point(1, 2) | distance(point(1, 2))            => 0.0
    {type: "point", data: {lng: 1, lat: 99}} | distance(point(1, 2))  => fault range
    """
    (lng, lat), (other_lng, other_lat) = _radians(point), _radians(other)
    # The haversine formula, which stays exact for near points (R. W. Sinnott, 1984).
    part = math.sin((other_lat - lat) / 2) ** 2
    part += math.cos(lat) * math.cos(other_lat) * math.sin((other_lng - lng) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, part)))


@registry.filter
def within(point: Point, centre: Point, metres: float) -> bool:
    """Whether a point is no further than a number of metres from another.

    point(13.4, 52.5) | within(point(13.4, 52.6), 20000)  => true
    point(13.4, 52.5) | within(point(13.4, 52.6), 2000)   => false
    """
    return distance(point, centre) <= metres


def _radians(point: Mapping[str, Any]) -> tuple[float, float]:
    """Longitude and latitude; a point of open kind is looked at here."""
    data = point.get("data")
    degrees: Any = (data.get("lng"), data.get("lat")) if isinstance(data, dict) else (None, None)
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in degrees):
        raise kind_fault('a point is {type: "point", data: {lng, lat}}')
    lng, lat = degrees
    if not (-180 <= lng <= 180 and -90 <= lat <= 90):
        raise range_fault("a point's lng is from -180 to 180, its lat from -90 to 90")
    return math.radians(lng), math.radians(lat)


def point_of(lng: float, lat: float) -> dict[str, object]:
    """A point by its degrees. Raises Fault where there is none."""
    return checked_point({"type": "point", "data": {"lng": lng, "lat": lat}})


def checked_point(point: Any) -> dict[str, object]:
    """`point`, which is one. Raises Fault where it isn't."""
    if not isinstance(point, dict):
        raise kind_fault('a point is {type: "point", data: {lng, lat}}')
    _radians(point)
    return point
