"""Filters that take a part of a timestamp, as a query groups and asks by them; days are those of a time zone."""

from __future__ import annotations

from engine import registry
from engine.filters.time import format_timestamp
from engine.registry import Timestamp

_REFUSED = {"value": "size", "timezone": "form"}
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000  # milliseconds


@registry.filter(refuses=_REFUSED)
def timestamp_year(value: Timestamp, timezone: str = "UTC") -> int:
    """The year of a timestamp.

    1692132330000 | timestamp_year                 => 2023
    0 | timestamp_year("America/New_York")         => 1969
    """
    return int(format_timestamp(value, "Y", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_month(value: Timestamp, timezone: str = "UTC") -> int:
    """The month of a timestamp, from 1.

    1692132330000 | timestamp_month                => 8
    0 | timestamp_month("America/New_York")        => 12
    """
    return int(format_timestamp(value, "n", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_week(value: Timestamp, timezone: str = "UTC") -> int:
    """The week of a timestamp, 1 to 53, which begins on a Monday (ISO 8601).

    1692132330000 | timestamp_week                 => 33
    0 | timestamp_week                             => 1
    """
    return int(format_timestamp(value, "W", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_day_of_month(value: Timestamp, timezone: str = "UTC") -> int:
    """The day of the month of a timestamp, from 1.

    1692132330000 | timestamp_day_of_month         => 15
    0 | timestamp_day_of_month("America/New_York") => 31
    """
    return int(format_timestamp(value, "j", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_day_of_week(value: Timestamp, timezone: str = "UTC") -> int:
    """The day of the week of a timestamp, 0 for Sunday to 6 for Saturday.

    1692132330000 | timestamp_day_of_week          => 2
    0 | timestamp_day_of_week                      => 4
    """
    return int(format_timestamp(value, "w", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_day_of_year(value: Timestamp, timezone: str = "UTC") -> int:
    """The day of the year of a timestamp, from 1.

    0 | timestamp_day_of_year                      => 1
    (-1) | timestamp_day_of_year                   => 365
    """
    return int(format_timestamp(value, "z", timezone)) + 1


@registry.filter(refuses=_REFUSED)
def timestamp_hour(value: Timestamp, timezone: str = "UTC") -> int:
    """The hour of a timestamp, 0 to 23.

    1692132330000 | timestamp_hour                      => 20
    1692132330000 | timestamp_hour("America/New_York")  => 16
    """
    return int(format_timestamp(value, "G", timezone))


@registry.filter(refuses=_REFUSED)
def timestamp_minute(value: Timestamp, timezone: str = "UTC") -> int:
    """The minute of a timestamp, 0 to 59.

    1692132330000 | timestamp_minute               => 45
    0 | timestamp_minute("Asia/Kolkata")           => 30
    """
    return int(format_timestamp(value, "i", timezone))


@registry.filter
def timestamp_epoch_day(value: Timestamp) -> int:
    """The days from the epoch to a timestamp (UTC).

    1692132330000 | timestamp_epoch_day            => 19584
    (-1) | timestamp_epoch_day                     => -1
    """
    return value // _DAY


@registry.filter
def timestamp_epoch_hour(value: Timestamp) -> int:
    """The hours from the epoch to a timestamp.

    1692132330000 | timestamp_epoch_hour           => 470036
    (-1) | timestamp_epoch_hour                    => -1
    """
    return value // _HOUR


@registry.filter
def timestamp_epoch_minute(value: Timestamp) -> int:
    """The minutes from the epoch to a timestamp.

    1692132330000 | timestamp_epoch_minute         => 28202205
    (-1) | timestamp_epoch_minute                  => -1
    """
    return value // _MINUTE


@registry.filter
def timestamp_epoch_sec(value: Timestamp) -> int:
    """The seconds from the epoch to a timestamp.

    1692132330999 | timestamp_epoch_sec            => 1692132330
    (-1) | timestamp_epoch_sec                     => -1
    """
    return value // _SECOND
