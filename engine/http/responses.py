"""Answers: JSON bodies, the error envelope, and the headers that go with them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from engine.bounds import MAX_TEXT, survey
from engine.errors import Fault
from engine.extent import extent, too_long
from engine.http.direct import Header, Headers, direct
from engine.values import Secret

Send = Callable[[Any], Awaitable[None]]
Answer = tuple[int, Headers, bytes]

NO_STORE: Header = (b"cache-control", b"no-store")
CLOSE: Header = (b"connection", b"close")
BASE: Headers = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"x-content-type-options", b"nosniff"),
)
# Anything but language values is a bug of ours: better a 500 than the inside of an object on the wire.
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

NOT_FOUND = "Unable to locate request."


def dumps(value: object, most: int = sys.maxsize) -> bytes:
    """`value` as JSON, secrets masked.

    Raises TypeError for what is no language value or past 64 bits, Fault for what has too many levels or takes more
    than `most` bytes.
    """
    try:
        text = orjson.dumps(value, default=_mask, option=_PLAIN)
    except orjson.JSONEncodeError:
        survey(value)  # how deep a value lies is the stack's doing, all else that can't be written a bug
        raise
    if len(text) > most:
        raise too_long(most)
    return text


def _mask(value: object) -> str:
    if isinstance(value, Secret):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


def refusal(fault: Fault, id: str) -> Answer:
    """The status, headers and envelope of a fault; `id` is what a client can quote of a fatal one."""
    if fault.name == "fatal":
        return fatal(id)
    try:
        extent(fault.payload, MAX_TEXT)
        body = _envelope(fault.code, fault.message, fault.payload)
    except (TypeError, Fault):
        return fatal(id)
    headers = [*BASE, NO_STORE, *((name.lower().encode(), value.encode()) for name, value in fault.headers)]
    if fault.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))  # RFC 9110 §15.5.2
    return fault.status, tuple(headers), body


def fatal(id: str) -> Answer:
    """The answer to what nobody foresaw: it says nothing of the cause."""
    message = f"Something went wrong. The log has the cause under {id}."
    return 500, (*BASE, NO_STORE), _envelope("ERROR_FATAL", message, "")


def _envelope(code: str, message: str, payload: object) -> bytes:
    envelope: Mapping[str, object] = {"code": code, "message": message, "payload": payload}
    return dumps(envelope)


async def write(send: Send, answer: Answer, more: Headers, id: str, *, head: bool = False) -> None:
    """Send an answer with `more` headers; to a HEAD request without its body."""
    status, headers, body = answer
    end = direct(send)
    has_body = status not in (204, 304)
    if end is not None and has_body and not head and end.answer(status, headers + more, id, body):
        return
    sent = [*headers, *more, (b"x-request-id", id.encode())]
    if has_body:
        sent.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": b"" if head else body})
