"""A program's endpoints as one ASGI application."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote

from engine.errors import Fault
from engine.http.auth import bearer
from engine.http.bodies import Gone, Patience, Receive
from engine.http.cors import Policy
from engine.http.direct import Headers
from engine.http.gate import Gate
from engine.http.inputs import Inputs, Scope
from engine.http.logs import Report
from engine.http.responses import BASE, NO_STORE, NOT_FOUND, Answer, Send, dumps, fatal, refusal, write
from engine.http.routes import Found, Parameters, Routes
from engine.program import Compiled, Program
from engine.run import perform
from engine.security.tokens import Claims
from engine.values import PYTHON_TYPES

_NO_PARAMETERS: Parameters = {}
CLIENT_GONE = 499  # what the log calls a request whose sender didn't wait; nobody is answered


class Endpoints:
    """Finds a request's endpoint, in one look-up where its path is literal and plainly spelt, and has it serve."""

    def __init__(self, program: Program, patience: Patience, report: Report) -> None:
        self._services = program.services
        self._report = report
        self._fallback = Policy(program.workspace.group.cors)
        self._routes: Routes[Handler] = Routes()
        for compiled in program.endpoints:
            endpoint = compiled.endpoint
            handler = Handler(compiled, program, patience, report)
            self._routes.add(endpoint.group.canonical, endpoint.path, endpoint.method, handler)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        methods = self._routes.literal.get(scope["path"])
        if methods is not None and b"%" not in scope.get("raw_path", b"%"):
            handler = methods.get(scope["method"])
            if handler is not None:
                return handler.serve(scope, receive, send, _NO_PARAMETERS)
        return self._search(scope, receive, send)

    async def _search(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = self._routes.find(_raw_path(scope))
        except Fault as fault:
            return await self._refuse(scope, send, fault, self._fallback)
        method = scope["method"]
        for methods, parameters in found:
            if method in methods:
                return await methods[method].serve(scope, receive, send, parameters)
        if found:
            return await self._answer_for_path(scope, send, found)
        return await self._refuse(scope, send, Fault("not_found", NOT_FOUND), self._fallback)

    async def refuse(self, scope: Scope, send: Send, fault: Fault) -> None:
        """Answer a request with `fault`, so that the pages that may call its path can read it."""
        try:
            found = self._routes.find(_raw_path(scope))
        except Fault as worse:
            return await self._refuse(scope, send, worse, self._fallback)
        return await self._refuse(scope, send, fault, _policy(found) if found else self._fallback)

    async def _answer_for_path(self, scope: Scope, send: Send, found: list[Found[Handler]]) -> None:
        """The answer to a verb that no endpoint of the path has: OPTIONS is a browser's question, others are wrong."""
        methods = [*dict.fromkeys(method for known, _ in found for method in known), "OPTIONS"]
        allowed = ", ".join(methods)
        policy = _policy(found)
        if scope["method"] != "OPTIONS":
            fault = Fault("method_not_allowed", f"This path takes {allowed}.", headers=(("allow", allowed),))
            return await self._refuse(scope, send, fault, policy)
        headers = ((b"allow", allowed.encode()), *policy.preflight(scope["headers"], methods))
        return await write(send, (204, headers, b""), (), self._services.run(None).id)

    async def _refuse(self, scope: Scope, send: Send, fault: Fault, policy: Policy) -> None:
        id, started = self._services.run(None).id, time.perf_counter_ns()
        answer = refusal(fault, id)
        await write(send, answer, policy.headers(scope["headers"]), id, head=scope["method"] == "HEAD")
        self._report(scope, id, "", answer[0], len(answer[2]), started, error=fault)


def _policy(found: list[Found[Handler]]) -> Policy:
    return next(iter(found[0][0].values())).policy


def _raw_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(scope["path"])


class Handler:
    """Serves one endpoint: the token first, then the input, then the stack, then the answer."""

    def __init__(self, compiled: Compiled, program: Program, patience: Patience, report: Report) -> None:
        endpoint = compiled.endpoint
        self.policy = Policy(endpoint.group.cors)
        self._compiled, self._patience, self._report = compiled, patience, report
        self._services = program.services
        self._limits = program.workspace.body_limit, program.workspace.value_limit
        self._dumps = partial(dumps, most=program.workspace.answer_limit)
        self._auth = endpoint.auth
        self._id_type = PYTHON_TYPES[program.workspace.tables[endpoint.auth].id.type][0] if endpoint.auth else None
        self._has_body = endpoint.method not in ("GET", "HEAD")  # theirs means nothing: RFC 9110 §9.3.1
        self._route = f"/api:{endpoint.group.canonical}{endpoint.path}"
        self._is_one_of_several = bool(program.workspace.data_sources)

    # Like the plan, these are made for the first request: a server with many endpoints starts at once.

    @cached_property
    def _inputs(self) -> Inputs:
        body_limit, value_limit = self._limits
        return Inputs(self._compiled.shape, body_limit, self._patience, value_limit)

    @cached_property
    def _gate(self) -> Gate | None:
        return Gate(self._services.passwords, self._report, self._route) if self._compiled.hashes else None

    @cached_property
    def _headers(self) -> Headers:
        """Those of every answer: no cache gives it to another caller, or as another data source's."""
        if self._compiled.no_store:
            return (*BASE, NO_STORE)
        return (*BASE, (b"vary", b"x-data-source")) if self._is_one_of_several else BASE

    async def serve(self, scope: Scope, receive: Receive, send: Send, parameters: Parameters) -> None:
        if self._gate is not None and self._gate.is_shut:
            return await self._turn_away(self._gate, scope, send)
        started = time.perf_counter_ns()
        headers = scope["headers"]
        run = self._services.run(scope)
        claims: Claims | None = None
        error: Exception | None = None
        try:
            if self._auth:
                claims = self._services.tokens.open(bearer(headers), self._auth, id_type=self._id_type)
            if self._has_body:
                data = await self._inputs.from_request(scope, receive, parameters)
            else:
                data = self._inputs.from_url(scope, parameters)
            # What can't be said in JSON is not committed either.
            answer: Answer = 200, self._headers, await perform(self._compiled.plan, run, data, claims, self._dumps)
        except Fault as fault:
            answer, error = refusal(fault, run.id), fault
        except Gone as gone:
            return self._report(scope, run.id, self._route, CLIENT_GONE, 0, started, claims, gone)
        except Exception as bug:
            answer, error = fatal(run.id), bug
        cors = self.policy.fixed
        if cors is None:
            cors = self.policy.headers(headers)
        await write(send, answer, cors, run.id, head=scope["method"] == "HEAD")
        return self._report(scope, run.id, self._route, answer[0], len(answer[2]), started, claims, error)

    async def _turn_away(self, gate: Gate, scope: Scope, send: Send) -> None:
        answer, headers = await gate.turn_away(), self.policy.headers(scope["headers"])
        await write(send, answer, headers, self._services.run(None).id, head=scope["method"] == "HEAD")
