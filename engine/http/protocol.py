"""HTTP/1.1 (RFC 9112) for uvicorn: every head, trailer, queue and wait of a connection is bounded.

Of uvicorn it uses what a protocol is made with, `config`, `server_state` and `_loop`, and gives it `shutdown`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import deque
from contextvars import copy_context
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import httptools

from engine.errors import Fault
from engine.http.cycle import Cycle, Refusing
from engine.http.direct import Header
from engine.http.heads import Heads
from engine.http.responses import Answer, refusal

MAX_HEAD = 65_536  # bytes of a request's line and headers, with what is no content of its body
MAX_HEADERS = 200
PIECE = 8192  # bytes that are parsed at a time: what a connection holds of requests to come
FRAMING = 16  # bytes that tell the size of a piece of a chunked body
PROGRESS = 65_536  # bytes that a client must read of a long answer within `stall_seconds`
LINGER_SECONDS = 2.0  # that a client may go on sending what nobody reads, so that it can read the answer

_VERSIONS = ("1.1", "1.0")
_WATCHED = frozenset({b"host", b"transfer-encoding", b"expect"})
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]*")


class _Refused(Exception):
    """A request that can't be taken: with its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def answer(self) -> Answer:
        _, headers, body = refusal(Fault("bad_request", str(self)), "")
        return self.status, (*headers, (b"x-request-id", os.urandom(8).hex().encode())), body


class Protocol(asyncio.Protocol):
    """One connection.

    A timer looks at a deadline now and then: one a request costs 5 % of a small one.
    """

    head_seconds = 15.0  # for a head to arrive
    stall_seconds = 30.0  # that a client may read next to nothing of an answer

    heads = Heads()

    _stalled = 0.0  # by the loop's clock
    _unsent = 0  # bytes of answers when it was last looked at
    _watch: asyncio.TimerHandle | None = None
    is_full = False  # of what nobody read yet
    _room: asyncio.Event | None = None
    _is_paused = False
    _is_deaf = False  # whatever else arrives means nothing
    _has_ended = False  # the client's half of the connection
    _in_head = True
    _size = _head_size = 0  # bytes of the request that are no content
    _rest = b""  # what follows a request that waits for its turn
    _current: Cycle | None = None  # that is being answered
    _arriving: Cycle | None = None  # whose body is on its way

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        """As uvicorn does it."""
        self.loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self._app, self._idle_seconds = config.loaded_app, config.timeout_keep_alive
        self._limit = config.limit_concurrency or sys.maxsize
        self._state, self._app_state = server_state, app_state
        self.tasks: set[asyncio.Task[None]] = server_state.tasks
        self.context = copy_context()
        self._queue: deque[Cycle] = deque()  # of those that wait until those before them are answered
        self._parser: Any = httptools.HttpRequestParser(self)

    @property
    def date(self) -> list[Header]:
        headers: list[Header] = self._state.default_headers
        return headers

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._state.connections.add(self)
        self.transport = transport
        self._client, self._server = _address(transport, "peername"), _address(transport, "sockname")
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._deadline = self.loop.time() + self.head_seconds
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        if self._watch is not None:
            self._watch.cancel()
        self._is_deaf = True
        for cycle in (self._current, *self._queue):
            if cycle is not None:
                cycle.lose()
        self._queue.clear()
        self.resume_writing()
        self._parser = self._arriving = None

    def eof_received(self) -> bool:
        """A client that ends its half of the connection still gets the answers to what it asked."""
        self._is_deaf = self._has_ended = True
        if self._arriving is not None:
            self._arriving.lose()
        if self._current is None:
            return False
        self._last.keep_alive = False
        return True

    def shutdown(self) -> None:
        """Close once what was asked is answered."""
        if self._current is None:
            self.transport.close()
        else:
            self._last.keep_alive = False
            self._is_deaf = self._is_deaf or self._arriving is None

    @property
    def _last(self) -> Cycle:
        last = self._queue[-1] if self._queue else self._current
        assert last is not None
        return last

    def _look_again(self) -> None:
        self._watch = self.loop.call_later(min(1.0, self.head_seconds), self._look)

    def _look(self) -> None:
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not self._unsent - PROGRESS < unsent <= self._unsent or not unsent:
            self._unsent, self._stalled = unsent, now + self.stall_seconds
        if unsent and now >= self._stalled:
            self.transport.abort()
        elif not unsent and self._current is None and now >= self._deadline:
            self.transport.close()
        else:
            self._look_again()

    def pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused and not self._queue:
            self._is_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self._room is not None:
            self._room.set()

    async def drained(self) -> None:
        if self._room is None:
            self._room = asyncio.Event()
        self._room.clear()
        await self._room.wait()

    # Requests

    def data_received(self, data: bytes) -> None:
        if self._queue:
            self._rest += data
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        place = 0
        while place < len(data) and not self._is_deaf:
            if self._queue:
                self._rest = data[place:]
                return
            place += self._parse(data[place : place + PIECE])

    def _parse(self, data: bytes) -> int:
        """How many bytes were parsed: all, but before what another protocol would say."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # which may be ignored: RFC 9110 §7.8
            return int(upgrade.args[0]) or len(data)
        except httptools.HttpParserError as error:
            if not self._is_deaf:
                cause = error.__context__
                self._refuse(cause if isinstance(cause, _Refused) else _Refused(400, "The request is not HTTP."))
        else:
            if self._size > MAX_HEAD and not self._is_deaf:
                self._refuse(_TOO_LARGE)
        return len(data)

    def _refuse(self, refused: _Refused) -> None:
        self._is_deaf = True
        if self._arriving is None:
            self._take(Cycle(self, Refusing(refused.answer), _NO_SCOPE, keep_alive=False))
        elif self._arriving.is_over:
            self.transport.close()
        elif self._arriving is self._current:
            self._arriving.break_off(refused.answer)
        else:
            self._arriving.app = Refusing(refused.answer)

    def _take(self, cycle: Cycle) -> None:
        if self._current is None:
            self._current = cycle
            cycle.start()
        else:
            self._queue.append(cycle)
            self.pause_reading()

    def over(self, cycle: Cycle) -> None:
        self._state.total_requests += 1
        if not cycle.keep_alive:
            self._end(cycle)
        elif self._queue:
            self._current = self._queue.popleft()
            self._current.start()
            self._go_on()
        else:
            self._current = None
            if not self._in_head:
                self._deadline = self.loop.time() + self._idle_seconds
            if self._is_paused:
                self.resume_reading()

    def _go_on(self) -> None:
        """Reads what follows the requests that have had their turn."""
        if not self._queue:
            rest, self._rest = self._rest, b""
            self._feed(rest)
            self.resume_reading()

    def _end(self, cycle: Cycle) -> None:
        """Closes; where the client still sends, after a moment in which it can read why nobody listens."""
        self._is_deaf, self._current, self._rest = True, None, b""
        self._queue.clear()
        is_sending = cycle.more_body and not self._has_ended and not self.transport.is_closing()
        if not is_sending or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self._deadline = self.loop.time() + LINGER_SECONDS
            self.transport.write_eof()
            self.resume_reading()

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._is_deaf:
            raise _CLOSED
        self._in_head = True
        self._size = 0
        self._deadline = self.loop.time() + self.head_seconds
        self._url = b""
        self._headers: list[Header] = []
        self._watched: list[Header] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nothing between a client and us need have looked at it
        name = name.lower()
        if name in _WATCHED:
            self._watched.append((name, value))
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        version = self._parser.get_http_version()
        if version not in _VERSIONS:
            raise _Refused(505, "The server speaks HTTP/1.1.")
        if self._size > MAX_HEAD or len(self._headers) > MAX_HEADERS:
            raise _TOO_LARGE
        expects = self._look_over(version)
        path, raw_path, query = _target(self._url)
        self._in_head, self._head_size = False, self._size
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "method": self._parser.get_method().decode(),
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
            "state": dict(self._app_state),
        }
        is_shed = len(self._state.connections) >= self._limit or len(self.tasks) >= self._limit
        app = Refusing(_shed()) if is_shed else self._app
        keep_alive = version == "1.1" and self._parser.should_keep_alive()
        self._arriving = cycle = Cycle(self, app, scope, keep_alive=keep_alive, expects=expects)
        self._take(cycle)

    def _look_over(self, version: str) -> bool:
        """Whether the client waits before it sends its body. Refuses what others on the way may read otherwise."""
        hosts, codings, expects = 0, 0, False
        for name, value in self._watched:
            if name == b"host":
                hosts += 1
                if not _is_host(value):
                    raise _Refused(400, "The Host is not a host.")
            elif name == b"expect":
                expects = version == "1.1" and value.lower() == b"100-continue"
            else:
                codings += 1
                if value.lower() != b"chunked" or codings > 1:
                    raise _Refused(501, "The only Transfer-Encoding is 'chunked'.")
        if hosts > 1 or (not hosts and version == "1.1"):
            raise _Refused(400, "The request must have one Host.")
        if codings and version == "1.0":
            raise _Refused(400, "HTTP/1.0 has no Transfer-Encoding.")
        return expects

    def on_body(self, body: bytes) -> None:
        self._size = max(self._size - len(body) - FRAMING, self._head_size)
        if self._arriving is not None and not self._arriving.is_over:
            self._arriving.take(body)

    def on_message_complete(self) -> None:
        cycle, self._arriving = self._arriving, None
        if cycle is not None:
            cycle.end_of_body()
            self._is_deaf = self._is_deaf or not cycle.keep_alive


_NO_SCOPE: dict[str, Any] = {"type": "http", "method": "", "http_version": "1.1", "headers": []}
_TOO_LARGE = _Refused(431, "The headers are too large.")
_CLOSED = _Refused(400, "The connection is closing.")


def _shed() -> Answer:
    """The answer of a server that holds as many connections as it may."""
    fault = Fault("unavailable", "Too many requests. Try again in a second.", headers=(("Retry-After", "1"),))
    status, headers, body = refusal(fault, "")
    return status, (*headers, (b"x-request-id", os.urandom(8).hex().encode())), body


def _target(url: bytes) -> tuple[str, bytes, bytes]:
    """The path, the path as sent and the query of a request's target (RFC 9112 §3.2). Raises _Refused."""
    if not url.startswith(b"/") and url != b"*":
        parts = urlsplit(url)
        if parts.scheme not in (b"http", b"https") or not parts.netloc:
            raise _Refused(400, "The request's target is no path.")
        url = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    raw_path, _, query = url.partition(b"?")
    if not url.isascii() or b"#" in url:
        raise _Refused(400, "The request's target is no path.")
    path = raw_path.decode("ascii")
    return unquote(path) if "%" in path else path, raw_path, query


@lru_cache(maxsize=64)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
