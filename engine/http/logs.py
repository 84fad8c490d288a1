"""The log: one line of JSON an entry, gathered for a moment before it is written."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson

from engine.errors import Fault
from engine.security.tokens import Claims

FLUSH_AFTER = 0.1  # seconds
FLUSH_AT = 65_536  # bytes
MAX_PATH = 200  # characters of a path that is no endpoint's
MAX_FRAMES = 50  # the innermost
# Reasons of faults that somebody must look after, though clients are only told to come again: a full disk, a database
# that is gone.
FAILURES = frozenset({"commit", "connect"})

Scope = MutableMapping[str, Any]


class Log:
    """Writes entries as lines of JSON, so that no value can start a line of its own.

    An entry whose `level` is `error` is written at once; others at the latest after `FLUSH_AFTER` seconds, with
    `FLUSH_AT` bytes, or at `flush`. Without a running event loop every entry is written at once.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        # One buffer, not a list of lines: small pieces that live for a moment make the allocator give memory
        # back and ask for it again, which costs ten times the encoding.
        self._lines = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, entry: Mapping[str, object]) -> None:
        """Log `entry`: plain JSON values, no secret among them."""
        self._lines += orjson.dumps(entry, default=str, option=orjson.OPT_APPEND_NEWLINE)
        if len(self._lines) >= FLUSH_AT or entry.get("level") == "error":
            self.flush()
        elif self._timer is None:
            self._flush_soon()

    def _flush_soon(self) -> None:
        try:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER, self.flush)
        except RuntimeError:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines = bytes(self._lines), bytearray()
            self._write(lines)


class Report:
    """Tells the log of each request: who, what, how it ended; no token, no input, no query."""

    def __init__(self, log: Callable[[dict[str, object]], None], clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds since the epoch."""
        self._log = log
        self._clock = clock
        self._second = -1
        self._text = ""

    def __call__(
        self,
        scope: Scope,
        id: str,
        route: str,
        status: int,
        size: int,
        started: int,
        claims: Claims | None = None,
        error: Exception | None = None,
    ) -> None:
        """Log a request that began at `started` (`time.perf_counter_ns`) and was answered with `size` bytes.

        `route` is the endpoint's path as declared, empty where there is none.
        """
        client = scope.get("client")
        is_failure = status == 500 or (isinstance(error, Fault) and error.reason in FAILURES)
        entry: dict[str, object] = {
            "time": self._time(),
            "level": "error" if is_failure else "info",
            "id": id,
            "method": scope["method"],
            "path": route or scope["path"][:MAX_PATH],
            "status": status,
            "ms": (time.perf_counter_ns() - started) // 1000 / 1000,
            "bytes": size,
            "client": client[0] if client else "",
        }
        if claims is not None:
            entry["table"], entry["sub"] = claims.table, claims.id
        if isinstance(error, Fault):
            entry["code"], entry["reason"] = error.code, error.reason
        if error is not None and is_failure:
            entry["error"] = story(error)
        self._log(entry)

    def turned_away(self, route: str, count: int, fault: Fault) -> None:
        """Log that so many requests of an endpoint were refused alike since the last such entry."""
        self._log(
            {
                "time": self._time(),
                "level": "warning",
                "path": route,
                "status": fault.status,
                "requests": count,
                "code": fault.code,
                "reason": fault.reason,
            }
        )

    def _time(self) -> str:
        """`2026-01-31T23:59:59.123Z`; the text of a second is made once."""
        second, rest = divmod(self._clock(), 1000)
        if second != self._second:
            self._second, self._text = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{rest:03d}Z"


def story(error: BaseException) -> dict[str, object]:
    """What the log keeps of an exception: its type and frames, and of those it came from.

    Messages are kept of our own faults only: those of others may quote what a client sent. What a database calls its
    error, `SQLITE_FULL` or an SQLSTATE, quotes nothing.
    """
    told: dict[str, object] = {"type": type(error).__qualname__, "frames": _frames(error)}
    if isinstance(error, Fault):
        told["message"] = str(error)
    called = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if called:
        told["code"] = called
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = story(cause)
    return told


def _frames(error: BaseException) -> list[str]:
    frames = deque(traceback.walk_tb(error.__traceback__), maxlen=MAX_FRAMES)
    return [f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}" for frame, line in frames]
