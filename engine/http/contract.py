"""The contract: `/openapi.json`, `/apispec:{canonical}`, and `/docs`, the page that shows them.

Each is made when it is first asked for, and kept for as long as the program is served.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import orjson
from starlette.routing import BaseRoute, Route

from engine.errors import Fault
from engine.http.auth import bearer
from engine.http.bodies import Receive
from engine.http.cors import Policy
from engine.http.inputs import Scope
from engine.http.logs import Report
from engine.http.pages import page
from engine.http.resources import KEPT, Resource, preflight, refuse_method, send_answer
from engine.http.responses import BASE, NO_STORE, NOT_FOUND, Answer, Send, refusal
from engine.program import Program
from engine.security.tokens import BAD_TOKEN
from engine.values import reveal
from engine.workspace import Group
from engine.workspace_reader import read_tests

_PATHS = ("/openapi.json", "/apispec:{canonical}", "/docs", "/docs/{file}")
_JSON = BASE[0]


class Contract:
    """Answers requests for the contract of the program that is served at the time."""

    def __init__(self) -> None:
        # One object for all paths: Starlette wraps what is a function, and an answer would be made twice.
        self.routes: list[BaseRoute] = [Route(path, self) for path in _PATHS]
        self._served: _Served

    def swap(self, program: Program, report: Report) -> None:
        self._served = _Served(program, report)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._served.answer(scope, send)


class _Served:
    """The contract of one program."""

    def __init__(self, program: Program, report: Report) -> None:
        self._program, self._report = program, report
        workspace = program.workspace
        in_use = [each.group for each in program.workspace.endpoints] or [workspace.group]
        # Groups may share a canonical, and so one document: who reads it must be let in by all of them.
        self._groups: dict[str, list[Group]] = {}
        for group in dict.fromkeys(in_use):
            self._groups.setdefault(group.canonical, []).append(group)
        self._made: dict[tuple[str, frozenset[str] | str], Resource] = {}
        self._turn = asyncio.Lock()

    async def answer(self, scope: Scope, send: Send) -> None:
        started, id = time.perf_counter_ns(), scope["request_id"]
        canonical = scope["path_params"].get("canonical")
        group = self._groups[canonical][0] if canonical in self._groups else self._program.workspace.group
        policy, error = Policy(group.cors), None
        try:
            refuse_method(scope)
            is_question = scope["method"] == "OPTIONS"
            answer: Answer = preflight(scope, policy) if is_question else await self._found(scope, canonical)
        except Fault as fault:
            answer, error = refusal(fault, id), fault
        await send_answer(send, scope, answer, policy, id)
        self._report(scope, id, "", answer[0], len(answer[2]), started, None, error)

    async def _found(self, scope: Scope, canonical: str | None) -> Answer:
        if canonical is not None:
            return await self._document(scope, canonical, [canonical] if canonical in self._groups else [])
        if scope["path"].endswith("/openapi.json"):
            return await self._document(scope, None, list(self._groups))
        if not any(self._is_shown(each) for each in self._groups):
            raise Fault("not_found", NOT_FOUND)
        return page(scope["path_params"].get("file", "")).answer(scope)

    async def _document(self, scope: Scope, canonical: str | None, wanted: Iterable[str]) -> Answer:
        """One group's document, or one of all that the request may see.

        Raises Fault unauthorized where a token would show more than nothing, not_found where none would.
        """
        shown = [each for each in wanted if self._is_shown(each)]
        if not shown:
            raise Fault("not_found", NOT_FOUND)
        opened = frozenset(each for each in shown if self._is_open(each, scope))
        if not opened:
            bearer(scope["headers"])  # which says that there is none
            raise Fault("unauthorized", BAD_TOKEN, reason="token")
        resource = await self._resource(scope.get("root_path", ""), canonical or opened)
        return resource.answer(scope)

    def _is_shown(self, canonical: str) -> bool:
        """Whether anybody may read the group's document."""
        return all(each.openapi.is_public or each.openapi.variable for each in self._groups[canonical])

    def _is_open(self, canonical: str, scope: Scope) -> bool:
        """Whether this request may."""
        variables = {each.openapi.variable for each in self._groups[canonical] if not each.openapi.is_public}
        return all(self._brings(variable, scope) for variable in variables)

    def _brings(self, variable: str, scope: Scope) -> bool:
        """Whether a request brings the token in an environment variable."""
        try:
            given = bearer(scope["headers"])
        except Fault:
            return False
        wanted = str(reveal(self._program.services.env[variable]))
        return hmac.compare_digest(given.encode("latin-1"), wanted.encode())

    async def _resource(self, prefix: str, wanted: frozenset[str] | str) -> Resource:
        async with self._turn:
            if (prefix, wanted) not in self._made:
                # In a thread: requests are answered meanwhile.
                self._made[prefix, wanted] = await asyncio.to_thread(self._make, prefix, wanted)
            return self._made[prefix, wanted]

    def _make(self, prefix: str, wanted: frozenset[str] | str) -> Resource:
        one: Callable[..., Any] = self._documents.of_group
        every: Callable[..., Any] = self._documents.whole
        server = prefix or "/"
        made = one(wanted, server) if isinstance(wanted, str) else every(wanted, server)
        canonicals = [wanted] if isinstance(wanted, str) else wanted
        is_public = all(each.openapi.is_public for canonical in canonicals for each in self._groups[canonical])
        return Resource.of(orjson.dumps(made), _JSON, caching=KEPT if is_public else (NO_STORE,))

    @cached_property
    def _documents(self) -> Any:
        # Imported when it is asked for: most servers are, by those who build on them, and none by its users.
        module = importlib.import_module("engine.openapi.document")
        return module.Documents(self._program.compiler.checked, read_tests(self._program.workspace.root))
