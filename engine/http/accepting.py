"""An event loop that accepts the connections that wait in batches, not one a turn: beside stacks that compute, a turn
takes milliseconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvloop

BATCH = 64  # connections a turn
PAUSE = 0.5  # seconds without accepting where there are no more descriptors

Factory = Callable[[], asyncio.BaseProtocol]


class Loop(uvloop.Loop):
    """uvloop's, but for servers on a socket that is given, without TLS."""

    async def create_server(self, factory: Any, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        listening = options.get("sock")
        if listening is None or options.get("ssl"):
            return await super().create_server(factory, *args, **options)
        return Accepting(self, factory, listening, options.get("backlog", 100))


class Accepting:
    """A server on a socket; what uvicorn needs of `asyncio.Server`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, listening: socket.socket, backlog: int
    ) -> None:
        self._loop, self._factory, self._listening = loop, factory, listening
        self.sockets: tuple[socket.socket, ...] = (listening,)
        self._connecting: set[asyncio.Task[Any]] = set()
        listening.setblocking(False)
        listening.listen(backlog)
        loop.add_reader(listening, self._accept)

    def _accept(self) -> None:
        try:
            for _ in range(BATCH):
                self._connect(self._listening.accept()[0])
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass  # no more wait, or one that waited is gone
        except OSError:  # say, there are too many open files
            self._pause()

    def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        task = self._loop.create_task(self._connected(accepted))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, accepted)
        except OSError:  # it is gone already
            accepted.close()

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        self._loop.call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if self.sockets:
            self._loop.add_reader(self._listening, self._accept)

    def close(self) -> None:
        if self.sockets:
            self.sockets = ()
            self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        """Returns at once: connections are waited for by who counts them."""


def new_loop() -> asyncio.AbstractEventLoop:
    return Loop()
