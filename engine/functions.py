"""Functions of expressions, called as `name(…)`. Clock and chance come from the run, so a test can hold them still."""

from __future__ import annotations

from typing import Annotated, TypeVar

from engine import registry
from engine.bounds import range_fault
from engine.filters.measures import point_of
from engine.registry import Timestamp
from engine.run import Run
from engine.values import POINT, UUID

N = TypeVar("N", bound=float)


@registry.function
def now(run: Run) -> Timestamp:
    """The present time, in milliseconds since the epoch.

    now() > 1700000000000  => true
    now() | is_int         => true
    """
    return run.now()


@registry.function
def uuid(run: Run) -> Annotated[str, UUID]:
    """A new random UUID (RFC 9562, version 4).

    uuid() | strlen           => 36
    uuid() | substr(14, 1)    => "4"
    """
    return run.uuid()


@registry.function(refuses={"min": "size", "max": "size"})
def random_int(run: Run, min: int, max: int) -> int:
    """A random int, `min` and `max` included.

    random_int(3, 3)                 => 3
    random_int(1, 6) in 1..6         => true
    random_int(6, 1)                 => fault range
    """
    if min > max:
        raise range_fault("'random_int' takes the lesser bound first")
    return run.random.randint(min, max)


@registry.function
def min_(number: N, *others: N) -> N:
    """The least of some numbers.

    min(3, 1.5, 2)  => 1.5
    min(7)          => 7
    min("a")        => fault kind
    """
    return min(number, *others) if others else number


@registry.function
def max_(number: N, *others: N) -> N:
    """The greatest of some numbers.

    max(3, 1.5, 2)  => 3
    max(7)          => 7
    max("a")        => fault kind
    """
    return max(number, *others) if others else number


@registry.function(refuses={"lng": "size", "lat": "size"})
def point(lng: float, lat: float) -> Annotated[dict[str, object], POINT]:
    """A point on the earth by its degrees of longitude and latitude, in the form that a `geo_point` has.

    point(13.4, 52.5).data.lat                   => 52.5
    point(0, 0) | distance(point(0, 1)) | round  => 111195
    point(0, 91)                                 => fault range
    """
    return point_of(lng, lat)
