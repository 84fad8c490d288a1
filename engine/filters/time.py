"""Filters of timestamps: milliseconds since the epoch, without a time zone; a zone matters only to read or write text.

Formats are PHP's date characters, as Xano's are; `\\` before a letter makes it a letter.
"""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from zoneinfo import ZoneInfo

from engine import registry
from engine.bounds import integer, range_fault
from engine.errors import value_fault
from engine.filters.rules import content_checked
from engine.registry import Timestamp
from engine.values import TEXT, TIMESTAMP

MAX_FORMAT = 200  # characters
MAX_ZONE = 64  # characters
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = "Input is no date or time of the calendar."

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKEN = re.compile(r"\\(.)|([A-Za-z])|(.)", re.DOTALL)
_WHOLE = {"c": r"Y-m-d\TH:i:sP", "r": "D, d M Y H:i:s O"}  # letters that stand for several


def _suffix(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _seconds_east(moment: datetime) -> int:
    return int((moment.utcoffset() or timedelta()).total_seconds())


def _offset(moment: datetime, colon: str) -> str:
    seconds = _seconds_east(moment)
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{colon}{minutes:02}"


def _zone_name(moment: datetime) -> str:
    return moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else moment.tzname() or ""


WRITTEN: Mapping[str, Callable[[datetime], str]] = {
    "d": lambda moment: f"{moment.day:02}",
    "j": lambda moment: str(moment.day),
    "D": lambda moment: DAYS[moment.weekday()][:3],
    "l": lambda moment: DAYS[moment.weekday()],
    "N": lambda moment: str(moment.isoweekday()),
    "w": lambda moment: str(moment.isoweekday() % 7),
    "S": lambda moment: _suffix(moment.day),
    "z": lambda moment: str(moment.timetuple().tm_yday - 1),
    "W": lambda moment: f"{moment.isocalendar().week:02}",
    "o": lambda moment: str(moment.isocalendar().year),
    "F": lambda moment: MONTHS[moment.month - 1],
    "M": lambda moment: MONTHS[moment.month - 1][:3],
    "m": lambda moment: f"{moment.month:02}",
    "n": lambda moment: str(moment.month),
    "t": lambda moment: str(calendar.monthrange(moment.year, moment.month)[1]),
    "L": lambda moment: str(int(calendar.isleap(moment.year))),
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment.year % 100:02}",
    "a": lambda moment: "am" if moment.hour < 12 else "pm",
    "A": lambda moment: "AM" if moment.hour < 12 else "PM",
    "g": lambda moment: str(moment.hour % 12 or 12),
    "h": lambda moment: f"{moment.hour % 12 or 12:02}",
    "G": lambda moment: str(moment.hour),
    "H": lambda moment: f"{moment.hour:02}",
    "i": lambda moment: f"{moment.minute:02}",
    "s": lambda moment: f"{moment.second:02}",
    "v": lambda moment: f"{moment.microsecond // 1000:03}",
    "u": lambda moment: f"{moment.microsecond:06}",
    "e": _zone_name,
    "T": lambda moment: moment.tzname() or "",
    "I": lambda moment: str(int(bool(moment.dst()))),
    "O": lambda moment: _offset(moment, ""),
    "P": lambda moment: _offset(moment, ":"),
    "p": lambda moment: _offset(moment, ":") if _seconds_east(moment) else "Z",
    "Z": lambda moment: str(_seconds_east(moment)),
    "U": lambda moment: str((moment - EPOCH) // timedelta(seconds=1)),
}

_CLOCK_OFFSET = r"Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]"
READ: Mapping[str, str] = {
    "d": "[0-9]{2}", "j": "[0-9]{1,2}", "m": "[0-9]{2}", "n": "[0-9]{1,2}", "Y": "[0-9]{4}", "y": "[0-9]{2}",
    "F": "|".join(MONTHS), "M": "|".join(month[:3] for month in MONTHS),
    "l": "|".join(DAYS), "D": "|".join(day[:3] for day in DAYS),
    "H": "[0-9]{2}", "G": "[0-9]{1,2}", "h": "[0-9]{2}", "g": "[0-9]{1,2}", "i": "[0-9]{2}", "s": "[0-9]{2}",
    "v": "[0-9]{3}", "u": "[0-9]{6}", "a": "am|pm", "A": "am|pm",
    "O": _CLOCK_OFFSET, "P": _CLOCK_OFFSET, "p": _CLOCK_OFFSET, "U": "-?[0-9]{1,12}",
}  # fmt: skip


def _writers(format: str) -> list[str | Callable[[datetime], str]]:
    """What writes the parts of a format."""
    return [literal or _writer(letter) for letter, literal in _tokens(format)]


def _writer(letter: str) -> Callable[[datetime], str]:
    if letter in WRITTEN:
        return WRITTEN[letter]
    message = f"'{letter}' means nothing in a date format: write '\\{letter}' for the letter itself"
    raise value_fault(message, "Input is no format of dates.")


def _tokens(format: str) -> Iterator[tuple[str, str]]:
    """The parts of a format: a letter with a meaning, or a literal character."""
    if len(format) > MAX_FORMAT:
        raise range_fault(f"a date format has at most {MAX_FORMAT} characters")
    for escaped, letter, other in _TOKEN.findall(format):
        if letter in _WHOLE:
            yield from _tokens(_WHOLE[letter])
        else:
            yield letter, escaped or other


def known_zone(name: str) -> tzinfo:
    """The time zone of a name in the IANA database. Raises Fault value where there is none."""
    try:
        return ZoneInfo(name[:MAX_ZONE])
    except (LookupError, ValueError, OSError) as error:
        message = f"'{name[:MAX_ZONE]}' is no time zone: write one like 'Europe/Vienna'"
        raise value_fault(message, "Input is no time zone.") from error


@registry.filter(
    result=content_checked(TEXT, (1, _writers), (2, known_zone)),
    refuses={"value": "size", "format": "form", "timezone": "form"},
)
def format_timestamp(value: Timestamp, format: str = "c", timezone: str = "UTC") -> str:
    """A timestamp as text in a time zone of the IANA database, in PHP's date characters; names are English.

    A letter that means nothing is a fault, where PHP would copy it: write `\\\\` before a letter to copy.

    1692132330000 | format_timestamp("Y-m-d H:i:s", "America/New_York")  => "2023-08-15 16:45:30"
    1698710400000 | format_timestamp("l, F j, Y")                        => "Tuesday, October 31, 2023"
    1698710400000 | format_timestamp                                     => "2023-10-31T00:00:00+00:00"
    (-1) | format_timestamp("Y-m-d H:i:s.v")                             => "1969-12-31 23:59:59.999"
    0 | format_timestamp("q")                                            => fault kind
    0 | format_timestamp("Y", "Europe/Nowhere")                          => fault kind
    """
    moment = _moment(value, known_zone(timezone))
    return "".join(part if isinstance(part, str) else part(moment) for part in _writers(format))


def _moment(value: int, zone: tzinfo) -> datetime:
    try:
        return (EPOCH + timedelta(milliseconds=value)).astimezone(zone)
    except OverflowError as error:
        raise range_fault("the timestamp lies outside the years 1 to 9999") from error


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@functools.lru_cache(maxsize=256)
def _reader(format: str) -> re.Pattern[str]:
    """The pattern that reads a format, one named group a letter."""
    parts = [re.escape(literal) if literal else _group(letter) for letter, literal in _tokens(format)]
    try:
        return re.compile("".join(parts), re.IGNORECASE | re.ASCII)
    except re.error as error:
        raise value_fault(f"the format '{format}' has a letter twice") from error


def _group(letter: str) -> str:
    if letter in READ:
        return f"(?P<{letter}>{READ[letter]})"
    raise value_fault(f"'{letter}' can't be read from a text: write '\\{letter}' for the letter itself")


@registry.filter(
    result=content_checked(TIMESTAMP, (1, _reader), (2, known_zone)),
    refuses={"text": "form", "format": "form", "timezone": "form"},
)
def parse_timestamp(text: str, format: str, timezone: str = "UTC") -> Timestamp:
    """The timestamp that a text spells in PHP's date characters; an offset in the text outweighs `timezone`.

    What the format leaves out is taken from 1970-01-01 00:00:00, where PHP takes it from the clock; a day that isn't
    in the calendar is a fault, where PHP counts on into the next month. Names are English.

    "October 31, 2023 2:30 PM" | parse_timestamp("F j, Y g:i A")                       => 1698762600000
    "2023-08-15 13:45:30" | parse_timestamp("Y-m-d H:i:s", "America/Los_Angeles")      => 1692132330000
    "2023-10-31T02:00:00+02:00" | parse_timestamp("c")                                 => 1698710400000
    "31.10.2023" | parse_timestamp("d.m.Y")                                            => 1698710400000
    "31.02.2023" | parse_timestamp("d.m.Y")                                            => fault value
    "soon" | parse_timestamp("Y")                                                      => fault value
    """
    match = _reader(format).fullmatch(text)
    if match is None:
        raise value_fault(f"the text isn't a time in the format '{format}'", _NO_TIME)
    fields: dict[str, str] = match.groupdict()
    if "U" in fields:
        return int(fields["U"]) * 1000
    try:
        return _milliseconds(_read(fields, known_zone(timezone)))
    except (ValueError, OverflowError) as error:
        raise value_fault("the text names a day or a time that doesn't exist", _NO_TIME) from error


def _read(fields: Mapping[str, str], zone: tzinfo) -> datetime:
    """The moment that the fields of a text name."""
    offset = _first(fields, "OPp")
    return datetime(
        _year(fields),
        _month(fields),
        int(_first(fields, "dj") or 1),
        _hour(fields),
        int(fields.get("i", 0)),
        int(fields.get("s", 0)),
        int(fields["u"]) if "u" in fields else 1000 * int(fields.get("v", 0)),
        _fixed(offset) if offset else zone,
    )


def _first(fields: Mapping[str, str], letters: str) -> str:
    """The text of the first of `letters` that the format has, or none."""
    return next((fields[letter] for letter in letters if letter in fields), "")


def _year(fields: Mapping[str, str]) -> int:
    if "Y" in fields:
        return int(fields["Y"])
    return (int(fields.get("y", 70)) - 70) % 100 + 1970


def _month(fields: Mapping[str, str]) -> int:
    name = _first(fields, "FM").capitalize()[:3]
    return [month[:3] for month in MONTHS].index(name) + 1 if name else int(_first(fields, "mn") or 1)


def _hour(fields: Mapping[str, str]) -> int:
    """The hour of the day; a hour of twelve needs its half."""
    half, twelfth = _first(fields, "aA").lower(), _first(fields, "hg")
    if not twelfth:
        return int(_first(fields, "HG") or 0)
    if not half or not 1 <= int(twelfth) <= 12:
        raise ValueError(twelfth)
    return int(twelfth) % 12 + (12 if half == "pm" else 0)


def _fixed(offset: str) -> tzinfo:
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "")
    east = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return fixed_zone(-east if offset[0] == "-" else east)


_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ](?:[01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


@registry.filter(result=content_checked(TIMESTAMP, (1, known_zone)), refuses={"text": "form", "timezone": "form"})
def to_timestamp(text: str, timezone: str = "UTC") -> Timestamp:
    """The timestamp of a date or a date and time in ISO 8601; `timezone` counts where the text has no offset.

    Only full dates are read: `next friday` and its like, which Xano takes, are a fault.

    "2023-10-31" | to_timestamp                            => 1698710400000
    "2023-10-31T02:00:00.5+02:00" | to_timestamp           => 1698710400500
    "2023-08-15 13:45:30" | to_timestamp("America/Los_Angeles")  => 1692132330000
    "next friday" | to_timestamp                           => fault value
    "2023-02-30" | to_timestamp                            => fault value
    """
    if not _ISO.fullmatch(text):
        raise value_fault("'to_timestamp' takes a date, or a date and time, like '2023-10-31T14:30:00Z'", _NO_TIME)
    try:
        moment = datetime.fromisoformat(text)
        return _milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=known_zone(timezone)))
    except (ValueError, OverflowError) as error:
        raise value_fault("the text names a day or a time that doesn't exist", _NO_TIME) from error


@registry.filter
def add_secs_to_timestamp(value: Timestamp, seconds: int) -> Timestamp:
    """A timestamp some seconds later; earlier where they are negative.

    1691527530000 | add_secs_to_timestamp(60)  => 1691527590000
    0 | add_secs_to_timestamp(-1)              => -1000
    0 | add_secs_to_timestamp("1")             => fault kind
    """
    return integer(value + 1000 * seconds)
