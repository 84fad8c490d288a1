"""Looking for damage while a server serves, so that a failing disk is told of before a request meets it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from engine.store.damage import damage, told

AFTER = 0.5  # seconds that the first requests have to themselves
NICE = 19

Log = Callable[[dict[str, object]], object]


class Inspection:
    """Reads every page of the databases once, in a thread that stands back; the log is told of damage as an error."""

    def __init__(self, databases: Iterable[Path], log: Log) -> None:
        self._databases, self._log = list(databases), log
        self._stopping = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begins; nobody waits for its end."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._look, args=(loop,), name="inspection", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Ends it, however far it is."""
        self._stopping.set()
        while self._thread is not None and self._thread.is_alive():
            with suppress(sqlite3.ProgrammingError):  # it is closed already
                if self._connection is not None:
                    self._connection.interrupt()
            await asyncio.sleep(0.005)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        _stand_back()
        self._stopping.wait(AFTER)
        for path in self._databases:
            found = "" if self._stopping.is_set() else damage(path, self._opened)
            if found:
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(self._log, _entry(told(path, found)))

    def _opened(self, connection: sqlite3.Connection) -> None:
        self._connection = connection


def _entry(message: str) -> dict[str, object]:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": time, "level": "error", "message": message}


def _stand_back() -> None:
    if sys.platform == "linux":  # where a thread has a nice level of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
