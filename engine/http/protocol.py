"""uvicorn's HTTP protocol with a bounded request head, and with answers written in one piece.

It leans on the inside of uvicorn, of the versions in `FITS`. `protocol()` gives uvicorn's own where it doesn't fit.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

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
    """Closes connections whose request head is too large or too slow; uvicorn itself waits for ever."""

    head_seconds = 15.0  # for a head to arrive

    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self.parser is not None and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
            elif self._head_timer is None:
                self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_size = 0
        if self._head_timer is not None:
            self._stop_timer()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle  # it has no other state: only how it sends differs
        super()._start_asgi_task(cycle, app)


class Cycle(RequestResponseCycle):
    """Sends an answer of known length with one write where uvicorn takes two, which is two system calls."""

    _start: Any = None

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

    def _may_hold(self, message: Any) -> bool:
        return not (self.flow.write_paused or self.access_log) and message["headers"][-1][0] == b"content-length"

    def _send_whole(self, start: Any, body: bytes) -> None:
        headers = start["headers"]
        lines = [STATUS_LINE[start["status"]]]
        for name, value in (*self.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"connection" and value == b"close":
                self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        # A line end within a value would begin a header of the sender's own.
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
            raise RuntimeError("a header has a line end")
        is_head = self.scope["method"] == "HEAD"
        if not is_head and int(headers[-1][1]) != len(body):
            raise RuntimeError("an answer differs from its Content-Length")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(head + b"\r\n" if is_head else b"%b\r\n%b" % (head, body))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
