"""Request bodies: their bytes within bounds of size and time, and the JSON or the form fields in them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from engine.errors import Fault
from engine.http.direct import direct
from engine.shapes import input_fault
from engine.tasks import own_task
from engine.values import INT_MAX, INT_MIN
from engine.workspace import DEFAULT_VALUE_LIMIT

MAX_FIELDS = 1000
MAX_DEPTH = 64
MAX_VALUES = DEFAULT_VALUE_LIMIT  # texts, numbers, lists and the like in JSON
READ_SECONDS = 30.0
MOST_HELD = 256 << 20  # bytes

Receive = Callable[[], Awaitable[Any]]

_CLOSE = (("connection", "close"),)
_TOO_MANY = "Too many bodies are on their way. Try again in a second."


class Gone(Exception):
    """The client went away before its request was complete."""


class Patience:
    """Bounds the time that requests take to arrive, with one timer for all of them, and what they take up meanwhile.

    A timer each costs more than everything else that reading a small body does.
    """

    def __init__(self, seconds: float = READ_SECONDS, most_held: int = MOST_HELD) -> None:
        """`most_held` is how many bytes of bodies to keep that are not all there."""
        self._seconds, self._most_held = seconds, most_held
        self._held = 0
        self._waits: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.turn = asyncio.Lock()  # of those with large bodies, that all others are answered between

    async def read(self, receive: Receive, limit: int) -> bytes:
        """The body, of at most `limit` bytes. Raises Fault payload_too_large, bad_request when it is late, Gone."""
        end = direct(receive)
        body = end.arrived() if end is not None else None
        if body is None:
            return await self._wait(receive, limit)
        if len(body) > limit:
            raise too_large(limit)
        return body

    async def _wait(self, receive: Receive, limit: int) -> bytes:
        task, loop = await own_task(), asyncio.get_running_loop()
        if self._loop is not loop:
            self._start(loop)
        self._waits[task] = loop.time() + self._seconds
        try:
            return await self._read(receive, limit)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            message = f"The body did not arrive within {self._seconds:g} seconds."
            raise Fault("bad_request", message, reason="late", headers=_CLOSE) from None
        finally:
            del self._waits[task]
            self._late.discard(task)

    async def _read(self, receive: Receive, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                self._held += len(parts[-1])
                if size > limit:
                    raise too_large(limit)
                if not message.get("more_body"):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                if self._held > self._most_held:
                    raise Fault("unavailable", _TOO_MANY, reason="bodies", headers=(("Retry-After", "1"), *_CLOSE))
        finally:
            self._held -= size

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.call_later(min(1.0, self._seconds), self._look)

    def _look(self) -> None:
        loop, self._loop = self._loop, None
        assert loop is not None
        now = loop.time()
        for task, deadline in self._waits.items():
            if now >= deadline and task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._waits:
            self._start(loop)


def too_large(limit: int) -> Fault:
    """The fault of a body over `limit` bytes; the rest of it is never read."""
    return Fault("payload_too_large", f"The body is larger than {limit} bytes.", headers=_CLOSE)


# JSON


def read_json(body: bytes, limit: int = MAX_VALUES, *, levels: int = MAX_DEPTH, name: str = "") -> object:
    """The value of a JSON text (RFC 8259).

    Raises Fault bad_request for what is none, for more than `limit` values or so many levels, and for duplicate
    names, NUL characters and lone surrogates: what others on the way may read differently. Raises Fault input_error
    for a whole number past 64 bits, which would lose its last digits; `name` is the input that a list is of.
    """
    # Brackets and commas within texts only make these counts too high: then the exact test decides.
    opened = body.count(b"[") + body.count(b"{")
    if opened > levels or opened + body.count(b",") >= limit:
        _refuse_size(without_texts(body), limit, levels)
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise Fault("bad_request", message, reason="syntax") from None
    if b"\\u0000" in body and _NUL.search(body):
        raise _bad("The body has a NUL character in a text.")
    colons = body.count(b":")
    if not (isinstance(value, dict) and len(value) == colons) and _lost_names(value, body, colons):
        _refuse_duplicates(body)
    if _LONG in body.translate(_DIGITS):
        _refuse_long_numbers(body, name)
    return value


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_EMPTY = re.compile(rb"\[\s*\]|\{\s*\}")
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # digits that the first number past 64 bits has
_LONG_NUMBER = re.compile(rb"(?<![\d.eE+-])-?\d{19,}(?![\d.eE])")


def without_texts(body: bytes) -> bytes:
    """What of a JSON text is outside its texts; splitting takes a third of the time of a pattern."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _refuse_size(bare: bytes, limit: int, levels: int) -> None:
    """Raises Fault bad_request for a JSON text, given without its texts, of too many values or levels."""
    if counted(bare) > limit:
        raise _bad(f"The body has more than {limit} values.")
    brackets = bare.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    if b"[]" in brackets:
        raise _bad(f"The body nests deeper than {MAX_DEPTH} levels.")


def counted(bare: bytes) -> int:
    """How many values a JSON text has, given without its texts: itself, and what its lists and objects hold."""
    opened = bare.count(b"[") + bare.count(b"{")
    return 1 + bare.count(b",") + opened - len(_EMPTY.findall(bare))


def _refuse_long_numbers(body: bytes, name: str) -> None:
    """Raises Fault input_error for an int that leaves 64 bits, which others on the way would round."""
    if any(_is_long(number) for number in _LONG_NUMBER.findall(without_texts(body))):
        value = json.loads(body, parse_int=lambda text: _LONG if _is_long(text) else 0)
        names = [name for name, part in value.items() if _holds_long(part)] if isinstance(value, dict) else []
        raise input_fault([{"param": next(iter(names), name), "message": _PAST_64_BITS}])


_PAST_64_BITS = "Input holds a whole number past 64 bits: send it as a text."


def _is_long(number: bytes | str) -> bool:
    return len(number) > 20 or not INT_MIN <= int(number) <= INT_MAX


def _holds_long(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_long, value.values() if isinstance(value, dict) else value))
    return value is _LONG


def _lost_names(value: object, body: bytes, colons: int) -> bool:
    """Whether `value` written out again has fewer colons than its text: of a name given twice only one is left."""
    text = orjson.dumps(value)
    if b"\\u" not in body:
        return text.count(b":") != colons
    # A text may hold a colon by an escape, that is written as it is.
    return without_texts(text).count(b":") != without_texts(body).count(b":")


def _refuse_duplicates(body: bytes) -> None:
    # Numbers are left as text: making a thousand digits an int takes time, and orjson has read them already.
    json.loads(body, object_pairs_hook=_distinct, parse_int=str, parse_float=str)


def _distinct(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _bad(f"The body names '{name[:100]}' twice.")
        seen.add(name)


# Forms


def read_form(text: bytes, where: str = "body") -> list[tuple[str, str]]:
    """The names and texts of a query or an `application/x-www-form-urlencoded` body, in order (URL standard, §5.1).

    Raises Fault bad_request for what is no UTF-8, has a NUL or more than `MAX_FIELDS` fields.
    """
    parts = [part for part in text.split(b"&") if part]
    if len(parts) > MAX_FIELDS:
        raise _bad(f"The {where} has more than {MAX_FIELDS} fields.")
    try:
        pairs = [(_decode(name), _decode(value)) for name, _, value in (part.partition(b"=") for part in parts)]
    except UnicodeDecodeError:
        raise _bad(f"The {where} is not UTF-8.") from None
    if b"%00" in text or b"\0" in text:
        raise _bad(f"The {where} has a NUL character.")
    return pairs


def _decode(text: bytes) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    return (unquote_to_bytes(text) if b"%" in text else text).decode()


def _bad(message: str) -> Fault:
    return Fault("bad_request", message)
