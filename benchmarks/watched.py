"""`python -m benchmarks.watched`: the server of the environment's settings, with a path that tells what it costs.

`GET /watched` answers for how many milliseconds the event loop was held at most since it was asked before, and the
seconds of processor time that the process took so far.
"""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.http.serve import Settings, create_app, listen, serve

TICK = 0.001  # seconds


class Watch:
    """Looks at the clock of the event loop again and again: how late it is, the loop was held."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._due = 0.0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + TICK
        loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._worst = max(self._worst, now - self._due)
        self._due = now + TICK
        loop.call_at(self._due, self._look, loop)

    async def answer(self, _: Request) -> Response:
        worst, self._worst = self._worst, 0.0
        return JSONResponse({"held_ms": worst * 1000, "cpu_seconds": time.process_time()})


def main() -> None:
    settings = Settings.from_environment()
    app, watch = create_app(settings), Watch()
    app.callbacks[0].append(watch.start)
    app.router.routes.append(Route("/watched", watch.answer))
    with listen(settings) as listening:
        serve(app, listening)


if __name__ == "__main__":
    main()
