"""Heads of answers as bytes: status lines, header lines, and whole heads, kept while their Date is right."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from engine.http.direct import Header, Headers

MOST_KEPT = 64
_CLOSE: Header = (b"connection", b"close")


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status: _status_line(status) for status in range(100, 600)}


def lines(headers: Iterable[Header]) -> bytes:
    """Headers as lines. Raises RuntimeError where a line end within one would begin a header of the sender's own."""
    each = [b"%b: %b\r\n" % header for header in headers]
    text = b"".join(each)
    if text.count(b"\n") != len(each) or text.count(b"\r") != len(each) or b"\0" in text:
        raise RuntimeError("a header has a line end")
    return text


@lru_cache(maxsize=MOST_KEPT)
def _lasting(status: int, headers: Headers) -> bytes | None:
    return None if _CLOSE in headers else STATUS_LINES[status] + lines(headers)


class Heads:
    """Makes the heads of answers that an endpoint gives again and again."""

    def __init__(self) -> None:
        self._date: list[Header] = []
        self._kept: dict[tuple[int, Headers], bytes | None] = {}

    def of(self, date: list[Header], status: int, headers: Headers) -> bytes | None:
        """A head but for its last lines; None where its headers end the connection.

        `date` is what the server adds to every answer: as long as it is the same list, so is the head.
        """
        if date is not self._date or len(self._kept) >= MOST_KEPT:
            self._date = date
            self._kept.clear()
        try:
            return self._kept[status, headers]
        except KeyError:
            made = _lasting(status, headers)
            return self._kept.setdefault((status, headers), made and made + lines(date))
