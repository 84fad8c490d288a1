"""One request and its answer, at the end of the server that reads and writes the bytes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Coroutine
from contextvars import Context
from typing import Any, Protocol

from engine.http.direct import Direct, Header, Headers, Prompt
from engine.http.heads import STATUS_LINES, Heads, lines
from engine.http.responses import CLOSE, Answer, fatal
from engine.tasks import resumed

HIGH_WATER = 65_536  # bytes of a body that nobody took yet, past which no more are read
_WHOLE = b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = (204, 304)


class Connection(Protocol):
    """What a cycle asks of its connection."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    tasks: set[asyncio.Task[None]]
    context: Context
    heads: Heads
    is_full: bool

    @property
    def date(self) -> list[Header]:
        """What every answer has."""

    async def drained(self) -> None:
        """Returns once what was written is on its way, as far as it need be."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def over(self, cycle: Cycle) -> None:
        """The answer was written whole."""


class Cycle(Direct):
    """Answers one request by an ASGI application; in a Task from where it first waits, as most never do."""

    __slots__ = (
        "_connection",
        "_context",
        "_event",
        "_is_chunked",
        "_left",
        "_news",
        "_parts",
        "_size",
        "_start",
        "app",
        "expects",
        "is_gone",
        "is_over",
        "is_started",
        "keep_alive",
        "more_body",
        "scope",
    )

    def __init__(
        self, connection: Connection, app: Any, scope: Any, *, keep_alive: bool, expects: bool = False
    ) -> None:
        """`expects`: the client waits for `100 Continue` before it sends the body."""
        self._connection, self.app = connection, app
        self.scope, self.keep_alive, self.expects = scope, keep_alive, expects
        self.more_body = True
        self._parts: list[bytes] = []
        self._size = 0
        self._news = False  # of the body, for who receives
        self._event: asyncio.Event | None = None
        self._start: Any = None  # kept until its body is there: one write is one system call
        self._left: int | None = 0  # bytes that the answer's Content-Length still promises
        self._is_chunked = False
        self.is_started = self.is_over = self.is_gone = False

    # The run

    def start(self) -> None:
        """Have it answered in the next turn of the loop."""
        self._context = self._connection.context.copy()  # what one sets, the next doesn't see
        self._connection.loop.call_soon(self._begin, context=self._context)

    def _begin(self) -> None:
        app = self.app
        try:
            begun = app.prompt(self.scope, self.receive, self.send) if isinstance(app, Prompt) else None
            if begun is None:
                return self._go_on(app(self.scope, self.receive, self.send))
            waited = begun.send(None)
        except StopIteration:
            return self._ended(None)
        except Exception as error:
            return self._ended(error)
        return self._go_on(resumed(begun, waited))

    def _go_on(self, answering: Any) -> None:
        tasks = self._connection.tasks
        task = self._connection.loop.create_task(self._finish(answering), context=self._context)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _finish(self, answering: Awaitable[None]) -> None:
        try:
            await answering
        except Exception as error:
            self._ended(error)
        except BaseException:
            self._ended(None)
            raise
        else:
            self._ended(None)

    def _ended(self, error: Exception | None) -> None:
        """Answers for an application that didn't."""
        if error is not None:
            logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
        if self.is_gone and not self.is_over:
            self.keep_alive = False
            self._complete()
        elif not self.is_over:
            self.break_off(fatal(os.urandom(8).hex()))

    def break_off(self, answer: Answer) -> None:
        """Ends the connection, with `answer` where there is none yet."""
        self.keep_alive = False
        if not self.is_started:
            status, headers, body = answer
            sent = (*headers, (b"content-length", b"%d" % len(body)))
            self._write(self._head(status, sent) + (b"" if self.scope["method"] == "HEAD" else body))
        self._complete()

    # The body

    def take(self, body: bytes) -> None:
        """A piece of the body arrived."""
        self._parts.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER:
            self._connection.pause_reading()
        self._tell()

    def end_of_body(self) -> None:
        """All of it arrived."""
        self.more_body = False
        self._tell()

    def lose(self) -> None:
        """The client is gone."""
        self.is_gone = True
        self._wake()

    def _tell(self) -> None:
        self._news = True
        self._wake()

    def _wake(self) -> None:
        if self._event is not None:
            self._event.set()

    def _taken(self) -> bytes:
        self._news, self._size = False, 0
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        return body

    def arrived(self) -> bytes | None:
        if self.more_body or not self._news or self.is_gone or self.is_over:
            return None
        return self._taken()

    async def receive(self) -> Any:
        """ASGI's `receive`."""
        if self.expects and self.more_body and not (self._parts or self.is_started):
            self._write(_CONTINUE)
        self.expects = False
        while not (self._news or self.is_gone or self.is_over):
            self._connection.resume_reading()
            await self._wait()
        if self.is_gone or self.is_over:
            return {"type": "http.disconnect"}
        body = self._taken()
        self._connection.resume_reading()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        if self._event is None:
            self._event = asyncio.Event()
        self._event.clear()
        await self._event.wait()

    # The answer

    def answer(self, status: int, headers: Headers, id: str, body: bytes) -> bool:
        connection = self._connection
        if not self.keep_alive or self.is_started or self._start is not None or connection.is_full or self.is_gone:
            return False
        head = connection.heads.of(connection.date, status, headers)
        if head is None:
            return False
        connection.transport.write(_WHOLE % (head, id.encode(), len(body), body))
        self.is_started = True
        self._complete()
        return True

    async def send(self, message: Any) -> None:
        """ASGI's `send`."""
        if self._connection.is_full:
            await self._connection.drained()
        if self.is_gone or self.is_over:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.is_started and self._start is None:
            self._start = message
            if not any(name == b"content-length" for name, _ in message["headers"]):
                self._write(self._held_head())
        elif kind == "http.response.body" and self._start is not None:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"'{kind}' is not what an answer goes on with")

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD" or self._start["status"] in _BODILESS:
            body, self._left, self._is_chunked = b"", None, False
        head = b"" if self.is_started else self._held_head()
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("an answer differs from its Content-Length")
        if self._is_chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        if head or body:
            self._write(head + body)
        if not more:
            self._complete()

    def _held_head(self) -> bytes:
        status, headers = self._start["status"], self._start["headers"]
        has_body = self.scope["method"] != "HEAD" and status not in _BODILESS
        lengths = [int(value) for name, value in headers if name == b"content-length"]
        self._left = lengths[0] if lengths and has_body else None
        self._is_chunked = has_body and not lengths and self.scope["http_version"] == "1.1"
        if has_body and not lengths and not self._is_chunked:
            self.keep_alive = False  # its end is the connection's
        return self._head(status, headers)

    def _head(self, status: int, headers: Any) -> bytes:
        if CLOSE in headers:
            self.keep_alive = False
        kept = [header for header in headers if header[0] not in (b"connection", b"transfer-encoding")]
        kept += [] if self.keep_alive else [CLOSE]
        kept += [(b"transfer-encoding", b"chunked")] if self._is_chunked else []
        return b"%b%b\r\n" % (STATUS_LINES[status], lines([*self._connection.date, *kept]))

    def _write(self, data: bytes) -> None:
        self.is_started = self.is_started or data is not _CONTINUE
        self._connection.transport.write(data)

    def _complete(self) -> None:
        self.is_over = True
        self._wake()
        self._connection.over(self)


class Refusing(Prompt):
    """An application that has the same answer for every request."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def prompt(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        return self._refuse(send)

    async def _refuse(self, send: Any) -> None:
        end: Any = getattr(send, "__self__", None)
        end.break_off(self._answer)
