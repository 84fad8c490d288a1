"""uvicorn's HTTP protocol with a bounded request head, and with answers written in one piece.

It leans on the inside of uvicorn, of the versions in `FITS`. `protocol()` gives uvicorn's own where it doesn't fit.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import lru_cache
from math import inf
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from engine.errors import Fault
from engine.http.direct import Direct, Header, Headers
from engine.http.responses import CLOSE, refusal, write

FITS = ("0.54.",)
MAX_HEAD = 65_536  # bytes of a request's line and headers
_BODY = b'{"code":"ERROR_CODE_BAD_REQUEST","message":"The headers are too large.","payload":""}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


def protocol() -> type[asyncio.Protocol]:
    """What to give uvicorn as `http`."""
    return Protocol if uvicorn.__version__.startswith(FITS) else HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """Closes connections whose request head is too large or too slow, or whose answers nobody reads.

    For these uvicorn waits for ever.

    One timer a connection looks at a deadline now and then; uvicorn's own, one a request, costs 5 % of a small one.
    """

    head_seconds = 15.0  # for a head to arrive
    stall_seconds = 30.0  # that a client may read nothing of an answer

    _deadline = _stalled = 0.0  # by the loop's clock
    _unsent = 0  # bytes of answers when it was last looked at
    _head_size = 0
    _in_head = True
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.head_seconds
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self.parser is not None and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._deadline = self.loop.time() + self.head_seconds

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_size = 0
        self._deadline = inf  # how long a body may take is the application's to say
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """uvicorn's, but for the timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._in_head:
            self._deadline = self.loop.time() + self.timeout_keep_alive

    def _look_again(self) -> None:
        self._watch = self.loop.call_later(min(1.0, self.head_seconds), self._look)

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # it has become a WebSocket's
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._stalled = unsent, now + self.stall_seconds
        if unsent and now >= self._stalled:
            self.transport.abort()
        elif not unsent and now >= self._deadline:
            self.transport.close()
        else:
            self._look_again()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle  # it has no other state: only how it sends differs
        chosen: Any = _shed if app is service_unavailable else app
        super()._start_asgi_task(cycle, chosen)


class Cycle(RequestResponseCycle, Direct):
    """Sends an answer of known length with one write where uvicorn takes two, which is two system calls."""

    _start: Any = None

    def arrived(self) -> bytes | None:
        is_there = self.message_event.is_set() and not self.more_body
        if not is_there or self.disconnected or self.response_complete:
            return None
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return body

    def answer(self, status: int, headers: Headers, id: str, body: bytes) -> bool:
        if self.response_started or self._start is not None or not self._may_write():
            return False
        lines = _lasting((*self.default_headers, *headers)) if self.keep_alive else None
        if lines is None:
            return False
        self._complete(_WHOLE % (STATUS_LINE[status], lines, id.encode(), len(body), body))
        return True

    async def send(self, message: Any) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            if message["type"] == "http.response.body" and not (message.get("more_body") or self.disconnected):
                return self._send_whole(start, message.get("body", b""))
            if message["type"] != "http.response.start":
                await super().send(start)
        elif message["type"] == "http.response.start" and not self.response_started and self._may_hold(message):
            self._start = message
            return None
        return await super().send(message)

    def _may_write(self) -> bool:
        return not (self.flow.write_paused or self.access_log or self.disconnected)

    def _may_hold(self, message: Any) -> bool:
        headers = message.get("headers")
        return self._may_write() and isinstance(headers, list) and bool(headers) and headers[-1][0] == b"content-length"

    def _send_whole(self, start: Any, body: bytes) -> None:
        headers = start["headers"]
        if not self.keep_alive or CLOSE in headers:
            self.keep_alive = False
            headers = [*(header for header in headers if header != CLOSE), CLOSE]
        head = _head(STATUS_LINE[start["status"]], [*self.default_headers, *headers])
        is_head = self.scope["method"] == "HEAD"
        if not is_head and int(start["headers"][-1][1]) != len(body):
            raise RuntimeError("an answer differs from its Content-Length")
        self._complete(head if is_head else head + body)

    def _complete(self, data: bytes) -> None:
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(data)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


async def _shed(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers for a server that holds as many connections as it may."""
    id = os.urandom(8).hex()
    fault = Fault("unavailable", "Too many requests. Try again in a second.", headers=(("Retry-After", "1"),))
    await write(send, refusal(fault, id), (CLOSE,), id)


_WHOLE = b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"


@lru_cache(maxsize=64)
def _lasting(headers: Headers) -> bytes | None:
    """The lines of headers that an endpoint sends again and again; None where they end the connection."""
    return None if CLOSE in headers else _lines(headers)


def _head(status: bytes, headers: list[Header]) -> bytes:
    return b"%b%b\r\n" % (status, _lines(headers))


def _lines(headers: Iterable[Header]) -> bytes:
    each = [b"%b: %b\r\n" % header for header in headers]
    lines = b"".join(each)
    # A line end within a value would begin a header of the sender's own.
    if lines.count(b"\n") != len(each) or lines.count(b"\r") != len(each) or b"\0" in lines:
        raise RuntimeError("a header has a line end")
    return lines
