"""The server: an ASGI application that serves a program's endpoints, and pages beside them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from engine.errors import FAULTS, Fault
from engine.http.bodies import Patience
from engine.http.contract import Contract
from engine.http.data_sources import endpoints_of
from engine.http.direct import Prompt
from engine.http.logs import Report
from engine.http.proxies import Proxies
from engine.http.responses import BASE, NOT_FOUND, Answer, dumps, fatal, refusal
from engine.program import Program

Callback = Callable[[], Awaitable[object]]

_NAMES = {status: name for name, (status, _) in FAULTS.items()} | {400: "bad_request"}


class Server(Starlette, Prompt):
    """Serves `/api:…` from a program that can be swapped, its contract, `/healthz`, and the pages in `routes`.

    A request under `/api:` passes no middleware and no list of routes.
    """

    def __init__(
        self,
        program: Program,
        *,
        routes: Iterable[BaseRoute] = (),
        startup: Iterable[Callback] = (),
        shutdown: Iterable[Callback] = (),
        patience: Patience | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """`startup` and `shutdown` are awaited in order, before the first request and after the last."""
        self._contract = Contract()
        super().__init__(
            routes=[Route("/healthz", self._health), *self._contract.routes, *routes],
            exception_handlers={HTTPException: _refuse, Exception: _fail},
            lifespan=_lifespan,
        )
        self.stopping = False
        self.callbacks = list(startup), list(shutdown)
        self._patience = patience or Patience()
        self._proxies = proxies
        self.swap(program)

    def swap(self, program: Program) -> None:
        """Serve `program` from the next request on; those that run keep the one they began with."""
        report = Report(program.services.log, program.services.clock)
        endpoints = endpoints_of(program, self._patience, report)
        self._contract.swap(program, report)
        stores = program.services.every_store
        self._is_prompt = all(store is None or store.is_embedded for store in stores)
        self.program, self._endpoints, self._report = program, endpoints, report

    def prompt(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None] | None:
        if self._is_prompt and scope["path"][:5] == "/api:":
            if self._proxies is not None:
                self._proxies.apply(scope)
            return self._endpoints(scope, receive, send)
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._proxies is not None:
                self._proxies.apply(scope)
            if scope["path"][:5] == "/api:":
                return await self._endpoints(scope, receive, send)
            prefix = scope.get("root_path", "")
            if prefix and scope["path"].startswith(f"{prefix}/api:"):
                return await self._endpoints(_without(scope, prefix), receive, send)
        return await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["request_id"] = id = self.program.services.run(None).id
        started = time.perf_counter_ns()
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:  # it is answered; the server's own log would print its message
            if scope["type"] != "http":
                raise
            self._report(scope, id, "", 500, 0, started, error=error)

    async def _health(self, request: Request) -> Response:
        status = "stopping" if self.stopping else "ok"
        return _response((503 if self.stopping else 200, BASE, dumps({"status": status})), request.scope["request_id"])


@asynccontextmanager
async def _lifespan(server: Starlette) -> AsyncIterator[None]:
    assert isinstance(server, Server)
    startup, shutdown = server.callbacks
    async with AsyncExitStack() as stack:  # each callback runs, whatever becomes of the others
        for callback in reversed(shutdown):
            stack.push_async_callback(callback)
        for callback in startup:
            await callback()
        yield
        server.stopping = True


def _without(scope: Scope, prefix: str) -> Scope:
    raw: bytes = scope.get("raw_path") or b""
    return {**scope, "path": scope["path"][len(prefix) :], "raw_path": raw[len(prefix.encode()) :]}


async def _refuse(request: Request, error: Exception) -> Response:
    """The envelope for what Starlette refuses."""
    assert isinstance(error, HTTPException)
    message = NOT_FOUND if error.status_code == 404 else error.detail
    fault = Fault(_NAMES.get(error.status_code, "bad_request"), message, headers=tuple((error.headers or {}).items()))
    return _response(refusal(fault, request.scope["request_id"]), request.scope["request_id"])


async def _fail(request: Request, _: Exception) -> Response:
    return _response(fatal(request.scope["request_id"]), request.scope["request_id"])


def _response(answer: Answer, id: str) -> Response:
    status, headers, body = answer
    response = Response(body, status)
    response.raw_headers = [*headers, (b"x-request-id", id.encode()), (b"content-length", b"%d" % len(body))]
    return response
