"""Request bodies: their bytes within bounds of size and time, and the JSON or the form fields in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from engine.errors import Fault
from engine.http.direct import direct

MAX_FIELDS = 1000
MAX_DEPTH = 64
MAX_REWRITTEN = 65_536  # bytes: indented, a deep body can be a hundred times as long
READ_SECONDS = 30.0

Receive = Callable[[], Awaitable[Any]]

_CLOSE = (("connection", "close"),)


class Gone(Exception):
    """The client went away before its request was complete."""


class Patience:
    """Bounds the time that requests take to arrive, with one timer for all of them.

    A timer each costs more than everything else that reading a small body does.
    """

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        self._seconds = seconds
        self._waits: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

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
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        if self._loop is not loop:
            self._start(loop)
        self._waits[task] = loop.time() + self._seconds
        try:
            return await _read(receive, limit)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            message = f"The body did not arrive within {self._seconds:g} seconds."
            raise Fault("bad_request", message, reason="late", headers=_CLOSE) from None
        finally:
            del self._waits[task]
            self._late.discard(task)

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


async def _read(receive: Receive, limit: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body") and len(body) <= limit:
        return body
    parts, size = [body], len(body)
    while True:
        if message["type"] != "http.request":
            raise Gone
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])


def too_large(limit: int) -> Fault:
    """The fault of a body over `limit` bytes; the rest of it is never read."""
    return Fault("payload_too_large", f"The body is larger than {limit} bytes.", headers=_CLOSE)


# JSON


def read_json(body: bytes) -> object:
    """The value of a JSON text (RFC 8259).

    Raises Fault bad_request for what is none, and for duplicate names, NUL characters, lone surrogates and more
    than `MAX_DEPTH` levels: what others on the way may read differently.
    """
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from None
    if b"\\u0000" in body and _has_nul(value):
        raise _bad("The body has a NUL character in a text.")
    # Brackets and colons within texts only make these counts too high: then the exact test decides.
    colons = body.count(b":")
    if isinstance(value, dict) and len(value) == colons and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return value
    if len(body) <= MAX_REWRITTEN and b"\\u" not in body and _is_rewritten(value, colons):
        return value
    if _names_within_depth(value) != colons:
        _refuse_duplicates(body)
    return value


_DEEP = b"\n" + b"  " * MAX_DEPTH


def _is_rewritten(value: object, colons: int) -> bool:
    """Whether `value` written out again has as many colons as its text, so no name was given twice, and is not deep.

    A text may hold a colon by a `\\u` escape, that is written as it is: then this tells nothing.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # far too deep
        return False
    return _DEEP not in text and text.count(b":") == colons


def _names_within_depth(value: object) -> int:
    """How many names all the objects in `value` have. Raises Fault bad_request past `MAX_DEPTH` levels."""
    names, level = 0, [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        names += sum([len(each) for each in level if type(each) is dict])
        level = [inner for each in level for inner in _items(each) if type(inner) is dict or type(inner) is list]
        if not level:
            return names
    raise _bad(f"The body nests deeper than {MAX_DEPTH} levels.")


def _items(value: Any) -> Iterable[object]:
    items: Iterable[object] = value.values() if type(value) is dict else value
    return items


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict) and any("\0" in name for name in value):
        return True
    return isinstance(value, dict | list) and any(map(_has_nul, _items(value)))


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
