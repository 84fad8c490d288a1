"""What our own server can do past ASGI's messages: begin a request without a Task, give a body that is all there, take
an answer in one call."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]


class Direct:
    """A server's end of one request."""

    def arrived(self) -> bytes | None:
        """The request's body, where all of it is there already and nobody took it."""
        raise NotImplementedError

    def answer(self, status: int, headers: Headers, id: str, body: bytes) -> bool:
        """Whether the answer could be written at once, with the request's `id` and its length beside `headers`.

        The lines of `headers` are kept for the next answers: they are those of an endpoint, not of a caller.
        """
        raise NotImplementedError


class Prompt:
    """An ASGI application most of whose requests are answered without ever waiting."""

    def prompt(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None] | None:
        """What answers a request that needs no Task until it waits; None for one that needs its own from the start.

        Until it first waits, `asyncio.current_task()` is None for it: see `engine.tasks.own_task`.
        """
        raise NotImplementedError


def direct(channel: Callable[..., Any]) -> Direct | None:
    """The end of a request behind its `receive` or `send`; None where the server is another, or something between."""
    owner = getattr(channel, "__self__", None)
    return owner if isinstance(owner, Direct) else None
