"""The data source of a request: endpoints once for each, so that all that a run shares is of its own source."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote_to_bytes

from engine.errors import Fault
from engine.http.bodies import Patience, Receive
from engine.http.endpoints import Endpoints
from engine.http.inputs import Scope
from engine.http.logs import Report
from engine.http.responses import Send
from engine.program import Program
from engine.workspace import LIVE

NAME = b"x-data-source"  # of the header, and of the parameter in the query
_SHOWN = 40  # characters of an unknown name that the answer repeats


class DataSources:
    """A program's endpoints over the data source that `X-Data-Source` or `x-data-source` in the query names.

    Where neither is given it is `live`. The parameter in the query is no input: no stack sees it.
    """

    def __init__(self, program: Program, patience: Patience, report: Report) -> None:
        self._live = Endpoints(program, patience, report)
        others = {name: _other(program.at(name), patience) for name in program.workspace.data_sources}
        self._endpoints = {LIVE: self._live, **others}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["method"] == "OPTIONS":  # a browser's question, which is about no records
            return self._live(scope, receive, send)
        rest, in_query = _taken(scope["query_string"])
        named = {*in_query, *(value.strip() for name, value in scope["headers"] if name == NAME)}
        try:
            endpoints = self._chosen(named)
        except Fault as fault:
            return self._live.refuse(scope, send, fault)
        return endpoints({**scope, "query_string": rest} if in_query else scope, receive, send)

    def _chosen(self, named: set[bytes]) -> Endpoints:
        """The endpoints of the one source in `named`. Raises Fault bad_request."""
        if len(named) > 1:
            raise Fault("bad_request", "Two data sources are named.", reason="data_source")
        name = next((each.decode("latin-1") for each in named), LIVE)
        if name not in self._endpoints:
            raise Fault("bad_request", f"Unknown data source: '{name[:_SHOWN]}'.", reason="data_source")
        return self._endpoints[name]


def endpoints_of(program: Program, patience: Patience, report: Report) -> Endpoints | DataSources:
    """The program as one ASGI application; requests can choose their data source where it has several."""
    return (DataSources if program.workspace.data_sources else Endpoints)(program, patience, report)


def _other(program: Program, patience: Patience) -> Endpoints:
    """The endpoints over a data source beside `live`, whose requests the log tells apart."""
    return Endpoints(program, patience, Report(program.services.log, program.services.clock))


def _taken(query: bytes) -> tuple[bytes, list[bytes]]:
    """A query without our parameter, and the values that it had."""
    kept: list[bytes] = []
    values: list[bytes] = []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name).lower() == NAME:
            values.append(unquote_to_bytes(value))
        else:
            kept.append(part)
    return b"&".join(kept), values
