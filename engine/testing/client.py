"""Requests to an ASGI application in the same process, with the bytes that a client would send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from starlette.types import ASGIApp, Message

from engine.workspace import Endpoint

_JSON = "application/json"
_CLIENT = ("127.0.0.1", 50000)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `path` is percent-encoded, header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case, a JSON body as plain data, any other as text, none as null."""

    status: int
    headers: Mapping[str, str]
    body: Any


def call_of(endpoint: Endpoint, input: Any, headers: Mapping[str, str]) -> Call:
    """The request that gives an endpoint `input`; None sends nothing.

    Parameters of the path go there, the rest of an object into the query of a GET, HEAD or DELETE, or else into a
    body of JSON. A DELETE whose input is secret has a body too, since no URL may carry it.
    Raises KeyError for a parameter of the path that isn't given.
    """
    given = dict(input) if isinstance(input, dict) else {}
    path = f"/api:{endpoint.group.canonical}{endpoint.path}"
    for name in endpoint.parameters:
        path = path.replace(f"{{{name}}}", quote(written(given.pop(name)), safe=""))
    if not endpoint.has_body:
        return Call(endpoint.method, path, _query(given), headers, None)
    if input is None or (isinstance(input, dict) and not given):
        return Call(endpoint.method, path, "", headers, None)
    body = orjson.dumps(given if isinstance(input, dict) else input)
    return Call(endpoint.method, path, "", {"content-type": _JSON, **headers}, body)


def _query(values: Mapping[str, Any]) -> str:
    pairs = [(f"{name}[]", item) for name, value in values.items() if isinstance(value, list) for item in value]
    pairs += [(name, value) for name, value in values.items() if value is not None and not isinstance(value, list)]
    return urlencode([(name, written(value)) for name, value in pairs])


def written(value: Any) -> str:
    """A value as one text of a header, path or query: a text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


async def send(app: ASGIApp, call: Call) -> Answer:
    """The application's answer. Raises what the application raises."""
    sent: list[Message] = []
    body = call.body or b""
    headers = {"host": "test", **call.headers}
    if call.body is not None:
        headers["content-length"] = str(len(body))

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": unquote(call.path),
        "raw_path": call.path.encode(),
        "query_string": call.query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": _CLIENT,
        "server": ("test", 80),
    }
    await app(scope, receive, keep)
    return _answer(sent)


def _answer(sent: list[Message]) -> Answer:
    headers: dict[str, str] = {}
    for name, value in sent[0]["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], headers, _read(body, headers.get("content-type", "")))


def _read(body: bytes, type_: str) -> Any:
    if not body:
        return None
    return orjson.loads(body) if type_.startswith(_JSON) else body.decode(errors="replace")
