"""The server: what requests are answered, in process. tests/test_wire.py has what goes over the wire."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.compile import Plan
from engine.errors import FAULTS, Fault, SetupError
from engine.http.app import Server
from engine.http.logs import Log
from engine.http.proxies import Proxies
from engine.program import Program, build, check_folder
from engine.run import Services
from engine.security.keys import KeyRing
from engine.security.tokens import Tokens
from engine.values import Record, Secret

Function = Callable[[Any, dict[str, Any], Any], Any]
Headers = Mapping[str, str] | Sequence[tuple[str, str]]
CANARY = "canary-7f3a91"


# A server around plans written in Python


@dataclass
class Site:
    """A server, what it logged, and its tokens."""

    server: Server
    entries: list[dict[str, Any]]
    tokens: Tokens


def now() -> int:
    return time.time_ns() // 1_000_000


def program(root: Path, plans: Mapping[str, Function], log: Callable[[Any], None], settings: str = "") -> Program:
    """A program whose endpoints, `POST /x` or `POST /x {auth: user, input: …}`, run Python functions."""
    root.mkdir(exist_ok=True)
    (root / "workspace.yaml").write_text("workspace: it\n" + settings)
    (root / "user.yaml").write_text("table: user\nauth: true\ncolumns: {id: int}\n")
    (root / "other.yaml").write_text("table: other\nauth: true\ncolumns: {id: int}\n")
    for number, declared in enumerate(plans):
        method, path, options = (*declared.split(" ", 2), "{}")[:3]
        lines = options[1:-1].replace("; ", "\n")
        (root / f"e{number}.yaml").write_text(f"endpoint: {method} {path}\n{lines}\nstack: []\nresponse: null\n")
    tokens = Tokens(KeyRing.open(root / ".keys"), "it", "it", now)
    made = build(check_folder(root), Services(tokens=tokens, log=log))
    functions = {" ".join(declared.split(" ")[:2]): function for declared, function in plans.items()}
    for each in made.endpoints:
        each.plan = plan(functions[each.endpoint.name])
    return made


def plan(function: Function) -> Plan:
    return Plan(function, is_async=inspect.iscoroutinefunction(function), writes=False)


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    def make(plans: Mapping[str, Function], settings: str = "", **options: Any) -> Site:
        entries: list[dict[str, Any]] = []
        made = program(tmp_path / "stacks", plans, entries.append, settings)
        return Site(Server(made, **options), entries, made.services.tokens)

    return make


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return dict(self.headers)[name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.headers]


def call(server: Server, request: str, body: object = None, headers: Headers = ()) -> Answer:
    return asyncio.run(ask(server, request, body, headers))


async def ask(
    server: Server, request: str, body: object = None, headers: Headers = (), peer: str = "127.0.0.1"
) -> Answer:
    """The answer to `GET /path?query`; a body other than bytes is sent as JSON."""
    method, target = request.split(" ")
    path, _, query = target.partition("?")
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = [(name.lower().encode(), value.encode()) for name, value in pairs(headers)]
    if content:
        sent += [(b"content-length", b"%d" % len(content))]
        sent += [(b"content-type", b"application/json")] * (b"content-type" not in dict(sent))
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": sent,
        "client": (peer, 1),
        "server": ("it", 80),
        "scheme": "http",
    }
    await server(scope, receive, send)
    start, *rest = messages
    found = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return Answer(start["status"], found, b"".join(part["body"] for part in rest))


def pairs(headers: Headers) -> Iterable[tuple[str, str]]:
    return headers.items() if isinstance(headers, Mapping) else headers


def echo(run: Any, data: Any, claims: Any) -> Any:
    return data


def who(run: Any, data: Any, claims: Any) -> Any:
    return None if claims is None else {"id": claims.id}


def fails(error: Exception) -> Function:
    def function(run: Any, data: Any, claims: Any) -> Any:
        raise error

    return function


def gives(value: object) -> Function:
    return lambda run, data, claims: value


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


# Answers


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, b"null"),
        (0, b"0"),
        ("", b'""'),
        ([], b"[]"),
        ({"b": 1, "a": "é"}, '{"b":1,"a":"é"}'.encode()),
        (Record({"id": 1}, {"password": Secret("hash")}), b'{"id":1}'),
        ({"password": Secret("hash")}, '{"password":"•••"}'.encode()),
        (2**63 - 1, b"9223372036854775807"),
    ],
)
def test_an_answer_is_the_value_as_json(site: Callable[..., Site], value: object, body: bytes) -> None:
    answer = call(site({"GET /x": gives(value)}).server, "GET /api:main/x")
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize(
    "value", [2**64, {1: 2}, {"x": {1, 2}}, b"bytes", "\ud800", object(), time.struct_time(range(9))]
)
def test_what_is_no_json_is_a_500(site: Callable[..., Site], value: object) -> None:
    made = site({"GET /x": gives(value)})
    assert call(made.server, "GET /api:main/x").json["code"] == "ERROR_FATAL"


@pytest.mark.parametrize("value", [nested(300), {"x": Secret(1), "y": nested(260)}])
def test_an_answer_of_too_many_levels_is_a_500_whose_cause_is_in_the_log(
    site: Callable[..., Site], value: object
) -> None:
    made = site({"GET /x": gives(value)})
    answer = call(made.server, "GET /api:main/x")
    assert (answer.status, answer.json["code"]) == (500, "ERROR_FATAL")
    entry = made.entries[-1]
    assert (entry["code"], entry["reason"]) == ("ERROR_FATAL", "range")
    assert entry["error"]["message"] == "fatal: the value has more than 200 levels"


def test_a_payload_of_too_many_levels_is_a_500(site: Callable[..., Site]) -> None:
    made = site({"GET /x": fails(Fault("conflict", "Said so.", nested(300)))})
    assert call(made.server, "GET /api:main/x").json["code"] == "ERROR_FATAL"


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "fatal"])
def test_a_fault_is_the_envelope(site: Callable[..., Site], name: str) -> None:
    made = site({"GET /x": fails(Fault(name, "Said so.", {"a": [1]}, reason="why", headers=(("Retry-After", "7"),)))})
    answer = call(made.server, "GET /api:main/x")
    status, code = FAULTS[name]
    assert answer.status == status
    assert answer.body == f'{{"code":"{code}","message":"Said so.","payload":{{"a":[1]}}}}'.encode()
    assert answer["retry-after"] == "7"
    assert answer["cache-control"] == "no-store"
    assert ("www-authenticate", "Bearer") in answer.headers or status != 401
    assert made.entries[-1]["reason"] == "why"


def test_a_payload_is_an_empty_text_when_unset(site: Callable[..., Site]) -> None:
    answer = call(site({"GET /x": fails(Fault("conflict"))}).server, "GET /api:main/x")
    assert answer.body == b'{"code":"ERROR_CODE_CONFLICT","message":"","payload":""}'


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"no such column: {CANARY} in SELECT"),
        KeyError(CANARY),
        Fault("fatal", f"kind of {CANARY}", {"sql": CANARY}, reason="kind"),
        OSError(CANARY),
        UnicodeEncodeError("utf-8", CANARY, 0, 1, "no"),
    ],
)
def test_s_4_a_bug_is_answered_generically_and_told_to_the_log(site: Callable[..., Site], error: Exception) -> None:
    made = site({"GET /x": fails(error)})
    answer = call(made.server, "GET /api:main/x")
    id = answer["x-request-id"]
    assert answer.status == 500
    message = f"Something went wrong. The log has the cause under {id}."
    assert answer.json == {"code": "ERROR_FATAL", "message": message, "payload": ""}
    entry = made.entries[-1]
    assert (entry["id"], entry["level"], entry["error"]["type"]) == (id, "error", type(error).__qualname__)
    assert any(frame.startswith(__file__) and frame.endswith(" function") for frame in entry["error"]["frames"])
    assert CANARY not in json.dumps(made.entries) or isinstance(error, Fault)


def test_i_12_a_bug_ends_one_request(site: Callable[..., Site]) -> None:
    made = site({"GET /x": fails(RuntimeError()), "GET /y": gives(1)})
    assert [call(made.server, f"GET /api:main/{path}").status for path in "xyxy"] == [500, 200, 500, 200]


def test_s_7_headers_of_every_answer(site: Callable[..., Site]) -> None:
    made = site({"GET /me {auth: user}": who, "GET /x": gives(1), "POST /x": fails(Fault("conflict"))})
    token = {"Authorization": f"Bearer {made.tokens.create('user', 7)}"}
    answers = [
        call(made.server, "GET /api:main/x"),
        call(made.server, "GET /api:main/me", headers=token),
        call(made.server, "GET /api:main/me"),
        call(made.server, "POST /api:main/x"),
        call(made.server, "GET /api:main/none"),
        call(made.server, "PUT /api:main/x"),
        call(made.server, "GET /none"),
        call(made.server, "POST /healthz"),
    ]
    for answer in answers:
        assert answer["content-type"] == "application/json; charset=utf-8"
        assert answer["x-content-type-options"] == "nosniff"
        assert answer["content-length"] == str(len(answer.body))
        assert len(answer["x-request-id"]) >= 16
    assert [answer.status for answer in answers] == [200, 200, 401, 409, 404, 405, 404, 405]
    assert all(answer["cache-control"] == "no-store" for answer in answers[1:])
    assert len({answer["x-request-id"] for answer in answers}) == len(answers)


def test_l_4_failed_logins_are_alike_to_the_byte(site: Callable[..., Site]) -> None:
    async def login(run: Any, data: Any, claims: Any) -> Any:
        if data["email"] == "busy":
            await asyncio.sleep(0)
        raise Fault("access_denied", "Invalid Credentials.", reason=data["email"])

    made = site({"POST /login {input: {email: text, password: password}}": login})
    bodies = [
        {"email": email, "password": password} for email, password in (("no", "x"), ("busy", "y" * 90), ("a", "é"))
    ]
    answers = [call(made.server, "POST /api:main/login", body) for body in bodies]
    first = answers[0]
    for answer in answers:
        assert (answer.status, answer.body, answer.names) == (403, first.body, first.names)
        assert [len(value) for _, value in answer.headers] == [len(value) for _, value in first.headers]


def test_head_is_answered_by_get_without_its_body(site: Callable[..., Site]) -> None:
    answer = call(site({"GET /x": gives({"a": 1})}).server, "HEAD /api:main/x")
    assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "7")


# Paths


def test_an_unknown_path_and_an_unknown_verb(site: Callable[..., Site]) -> None:
    made = site({"GET /x": gives(1), "POST /x": gives(1), "DELETE /{id} {input: {id: text}}": echo})
    answer = call(made.server, "GET /api:main/a/b")
    assert answer.json == {"code": "ERROR_CODE_NOT_FOUND", "message": "Unable to locate request.", "payload": ""}
    answer = call(made.server, "PUT /api:main/x")
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD, POST, DELETE, OPTIONS")
    assert answer.json["code"] == "ERROR_CODE_METHOD_NOT_ALLOWED"
    assert call(made.server, "DELETE /api:main/x").json == {"id": "x"}
    assert call(made.server, "GET /api:main/%FF").status == 400


def test_parameters_reach_the_input(site: Callable[..., Site]) -> None:
    made = site({"GET /posts/{id}/by-{name} {input: {id: int, name: text, page?: int}}": echo})
    answer = call(made.server, "GET /api:main:v1/posts/7/by-a%2Fb?page=2")
    assert answer.json == {"id": 7, "name": "a/b", "page": 2}
    assert call(made.server, "GET /api:main/posts/x/by-a").json["payload"]["param"] == "id"


def test_a_prefix_that_the_server_is_told_of_is_left_out(site: Callable[..., Site]) -> None:
    server = site({"GET /x": gives(1)}).server

    async def prefixed(scope: Any, receive: Any, send: Any) -> None:
        raw = b"/back" + scope["raw_path"]
        await server({**scope, "root_path": "/back", "path": "/back" + scope["path"], "raw_path": raw}, receive, send)

    assert call(prefixed, "GET /api:main/x").body == b"1"  # type: ignore[arg-type]
    assert call(prefixed, "GET /healthz").json == {"status": "ok"}  # type: ignore[arg-type]


# Tokens

NO_TOKEN, BAD_TOKEN = "Unauthorized - Authentication Required", "Invalid token."


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], NO_TOKEN),
        ([("Authorization", "")], NO_TOKEN),
        ([("Authorization", "Bearer ")], NO_TOKEN),
        ([("Authorization", "GOOD")], NO_TOKEN),
        ([("Authorization", "Basic GOOD")], NO_TOKEN),
        ([("Authorization", "Bearer GOOD")], ""),
        ([("Authorization", "bearer  GOOD")], ""),
        ([("Authorization", "Bearer GOOD"), ("Authorization", "Bearer GOOD")], BAD_TOKEN),
        ([("Authorization", "Bearer GOOD, Bearer GOOD")], BAD_TOKEN),
        ([("Authorization", "Bearer GOOD GOOD")], BAD_TOKEN),
        ([("Authorization", "Bearer STALE")], BAD_TOKEN),
        ([("Authorization", "Bearer OTHER")], BAD_TOKEN),
        ([("Authorization", "Bearer REFRESH")], BAD_TOKEN),
        ([("Authorization", "Bearer x.y.z")], BAD_TOKEN),
        ([("Authorization", "Bearer " + "x" * 9000)], BAD_TOKEN),
        ([("Authorization", "Bearer é")], BAD_TOKEN),
        ([("X-Xano-Authorization", "Bearer GOOD")], NO_TOKEN),
        ([("X-Xano-Authorization", "Bearer GOOD"), ("X-Xano-Authorization-Only", "true")], ""),
        ([("X-Xano-Authorization", "GOOD"), ("X-Xano-Authorization-Only", "True")], ""),
        ([("X-Xano-Authorization", "GOOD"), ("X-Xano-Authorization-Only", "false")], NO_TOKEN),
        ([("Authorization", "Bearer GOOD"), ("X-Xano-Authorization-Only", "true")], NO_TOKEN),
        ([("X-Xano-Authorization-Only", "true"), ("Authorization", "Basic x"), ("X-Xano-Authorization", "GOOD")], ""),
        ([("X-Xano-Authorization", "GOOD")] * 2 + [("X-Xano-Authorization-Only", "true")], BAD_TOKEN),
        ([("Authorization", "Bearer STALE"), ("X-Xano-Authorization", "Bearer GOOD")], BAD_TOKEN),
        ([("Cookie", "token=GOOD")], NO_TOKEN),
    ],
)
def test_who_calls(site: Callable[..., Site], headers: list[tuple[str, str]], message: str) -> None:
    made = site({"GET /me {auth: user}": who, "GET /all": who})
    words = {
        "GOOD": made.tokens.create("user", 7),
        "STALE": made.tokens.create("user", 7)[:-4] + "AAAA",
        "OTHER": made.tokens.create("other", 7),
        "REFRESH": made.tokens.create("user", 7, purpose="refresh"),
    }
    for word, token in words.items():
        headers = [(name, value.replace(word, token)) for name, value in headers]
    answer = call(made.server, "GET /api:main/me", headers=headers)
    if message:
        assert (answer.status, answer.json["message"]) == (401, message)
        assert (answer["cache-control"], answer["www-authenticate"]) == ("no-store", "Bearer")
    else:
        assert (answer.status, answer.json) == (200, {"id": 7})
    assert call(made.server, "GET /api:main/all", headers=headers).body == b"null"


def test_s_6_a_token_in_the_url_is_not_read(site: Callable[..., Site]) -> None:
    made = site({"GET /me {auth: user}": who})
    for name in ("authtoken", "token", "Authorization", "access_token"):
        assert call(made.server, f"GET /api:main/me?{name}={made.tokens.create('user', 7)}").json["message"] == NO_TOKEN


def test_the_token_comes_before_the_input(site: Callable[..., Site]) -> None:
    made = site({"POST /x {auth: user; input: {n: int}}": echo})
    assert call(made.server, "POST /api:main/x", b"{").status == 401
    token = {"Authorization": f"Bearer {made.tokens.create('user', 7)}"}
    assert call(made.server, "POST /api:main/x", b"{", token).status == 400
    assert call(made.server, "POST /api:main/x", {"n": 1}, token).json == {"n": 1}


# Input; tests/test_inputs.py has the rest


def test_an_input_fault_names_every_field(site: Callable[..., Site]) -> None:
    made = site({"POST /x {input: {email: email, n: int}}": echo})
    answer = call(made.server, "POST /api:main/x", {"n": "1"})
    errors = [
        {"param": "email", "message": "Missing param: email"},
        {"param": "n", "message": "Input must be an int, not a text."},
    ]
    assert answer.status == 400
    assert answer.json["payload"] == {"param": "email", "errors": errors}
    assert answer.json["message"] == "Missing param: email"


def test_a_body_of_get_means_nothing(site: Callable[..., Site]) -> None:
    made = site({"GET /x {input: {n?: int}}": echo, "DELETE /x {input: {n?: int}}": echo})
    assert call(made.server, "GET /api:main/x", {"n": 1}).json == {"n": None}
    assert call(made.server, "DELETE /api:main/x", {"n": 1}).json == {"n": 1}
    assert call(made.server, "DELETE /api:main/x?n=2").json == {"n": 2}


def test_the_workspace_bounds_bodies(site: Callable[..., Site]) -> None:
    made = site({"POST /x {input: {t: text}}": echo}, "body_limit: 20\n")
    assert call(made.server, "POST /api:main/x", {"t": "x"}).status == 200
    answer = call(made.server, "POST /api:main/x", {"t": "x" * 20})
    assert (answer.status, answer["connection"]) == (413, "close")


# CORS


CORS = ("access-control-allow-origin", "access-control-allow-credentials", "vary")


@pytest.mark.parametrize(
    ("settings", "origin", "expected"),
    [
        ("", "https://a.example", ("*", None, None)),
        ("", None, ("*", None, None)),
        ("cors: {enabled: false}", "https://a.example", (None, None, None)),
        ("cors: {origins: ['https://a.example']}", "https://a.example", ("https://a.example", None, "origin")),
        ("cors: {origins: ['https://a.example']}", "https://b.example", (None, None, "origin")),
        ("cors: {origins: ['https://a.example']}", "https://a.example.evil.com", (None, None, "origin")),
        ("cors: {origins: ['https://a.example']}", "null", (None, None, "origin")),
        ("cors: {origins: ['https://a.example']}", None, (None, None, "origin")),
        (
            "cors: {origins: ['https://a.example'], credentials: true}",
            "https://a.example",
            ("https://a.example", "true", "origin"),
        ),
        ("cors: {origins: ['https://a.example'], credentials: true}", "https://b.example", (None, None, "origin")),
    ],
)
def test_cors(site: Callable[..., Site], settings: str, origin: str | None, expected: tuple[str | None, ...]) -> None:
    made = site({"GET /x": gives(1), "GET /y": fails(RuntimeError())}, settings + "\n")
    headers = {"Origin": origin} if origin else {}
    for request in ("GET /api:main/x", "GET /api:main/y", "PUT /api:main/x", "OPTIONS /api:main/x"):
        answer = dict(call(made.server, request, headers=headers).headers)
        assert tuple(answer.get(name) for name in CORS) == expected


def test_a_preflight_tells_verbs_and_headers(site: Callable[..., Site]) -> None:
    made = site({"GET /x": gives(1), "PATCH /x": gives(1)}, "cors: {headers: [X-Mine, Content-Type], max_age: 60}\n")
    answer = call(made.server, "OPTIONS /api:main/x", headers={"Origin": "https://a.example"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-methods"] == answer["allow"] == "GET, HEAD, PATCH, OPTIONS"
    assert answer["access-control-max-age"] == "60"
    allowed = answer["access-control-allow-headers"].split(", ")
    assert allowed == [
        "authorization",
        "content-type",
        "x-data-source",
        "x-xano-authorization",
        "x-xano-authorization-only",
        "x-mine",
    ]


# Pages, life and logs


def test_health_and_unknown_pages(site: Callable[..., Site]) -> None:
    server = site({}).server
    answer = call(server, "GET /healthz")
    assert answer.json == {"status": "ok"}
    assert all(value for _, value in answer.headers)
    server.stopping = True
    answer = call(server, "GET /healthz")
    assert (answer.status, answer.json) == (503, {"status": "stopping"})
    assert call(server, "GET /none").json["message"] == "Unable to locate request."
    assert call(server, "POST /healthz").json["code"] == "ERROR_CODE_METHOD_NOT_ALLOWED"


PROXIES = "127.0.0.1, 10.0.0.0/8, 2001:db8::/32"


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "ip"),
    [
        ("", "127.0.0.1", ["9.9.9.9"], "127.0.0.1"),
        (PROXIES, "192.0.2.7", ["9.9.9.9"], "192.0.2.7"),
        (PROXIES, "127.0.0.1", [], "127.0.0.1"),
        (PROXIES, "127.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        (PROXIES, "127.0.0.1", ["1.1.1.1, 9.9.9.9"], "9.9.9.9"),
        (PROXIES, "127.0.0.1", ["1.1.1.1, 9.9.9.9, 10.1.2.3"], "9.9.9.9"),
        (PROXIES, "127.0.0.1", ["1.1.1.1", "9.9.9.9", "10.1.2.3"], "9.9.9.9"),
        (PROXIES, "127.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (PROXIES, "127.0.0.1", ["9.9.9.9, unknown, 10.1.2.3"], "10.1.2.3"),
        (PROXIES, "127.0.0.1", ["unknown"], "127.0.0.1"),
        (PROXIES, "127.0.0.1", ["1.1.1.1,"], "127.0.0.1"),
        (PROXIES, "127.0.0.1", ["9.9.9.9:4711"], "9.9.9.9"),
        (PROXIES, "2001:db8::1", ["[2001:beef::1]:80"], "2001:beef::1"),
        (PROXIES, "::ffff:10.0.0.1", ["2001:beef::1, 2001:db8::7"], "2001:beef::1"),
        (PROXIES, "127.0.0.1", [", ".join(["1.1.1.1", *["10.0.0.1"] * 100])], "10.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy(
    site: Callable[..., Site], proxies: str, peer: str, forwarded: list[str], ip: str
) -> None:
    made = site({"GET /x": lambda run, data, claims: run.request_values["ip"]}, proxies=Proxies.parse(proxies))
    headers = [("X-Forwarded-For", each) for each in forwarded]
    answer = asyncio.run(ask(made.server, "GET /api:main/x", headers=headers, peer=peer))
    assert answer.json == ip
    assert made.entries[-1]["client"] == ip


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "http, https", "https"),
        ("127.0.0.1", "x", "http"),
        ("1.1.1.1", "https", "http"),
    ],
)
def test_the_scheme_is_a_proxys_word(site: Callable[..., Site], peer: str, said: str, scheme: str) -> None:
    async def page(request: Request) -> Response:
        return Response(request.url.scheme)

    made = site({}, routes=[Route("/page", page)], proxies=Proxies.parse(PROXIES))
    answer = asyncio.run(ask(made.server, "GET /page", headers=[("X-Forwarded-Proto", said)], peer=peer))
    assert answer.body.decode() == scheme


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "1.2.3.4 5.6.7.8"])
def test_a_proxy_that_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(SetupError, match=f"STACKWRIGHT_PROXIES: '{text}' is no address"):
        Proxies.parse(f"127.0.0.1, {text}")


def test_a_page_that_fails_is_answered_generically(site: Callable[..., Site]) -> None:
    async def page(request: Request) -> Response:
        raise RuntimeError(CANARY)

    made = site({}, routes=[Route("/page", page)])
    answer = call(made.server, "GET /page")
    assert (answer.status, answer.json["code"]) == (500, "ERROR_FATAL")
    assert made.entries[-1]["id"] == answer["x-request-id"]
    assert CANARY not in json.dumps(made.entries) + answer.body.decode()


def test_callbacks_run_around_the_servers_life(site: Callable[..., Site]) -> None:
    told: list[str] = []

    def callback(word: str, error: Exception | None = None) -> Callable[[], Any]:
        async def run() -> None:
            told.append(word)
            if error:
                raise error

        return run

    ends = [callback("c", ValueError("c")), callback("d")]
    server = site({}, startup=[callback("a"), callback("b")], shutdown=ends).server

    async def live() -> None:
        async with server.router.lifespan_context(server):
            told.append("serving")

    with pytest.raises(ValueError, match="c"):
        asyncio.run(live())
    assert told == ["a", "b", "serving", "c", "d"]
    assert server.stopping


def test_i_11_a_request_keeps_the_program_it_began_with(site: Callable[..., Site], tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        gate = asyncio.Event()

        async def slow(run: Any, data: Any, claims: Any) -> Any:
            await gate.wait()
            return "old"

        made = site({"GET /x": slow})
        first = asyncio.create_task(ask(made.server, "GET /api:main/x"))
        await asyncio.sleep(0)
        made.server.swap(program(tmp_path / "new", {"GET /x": gives("new")}, made.entries.append))
        second = await ask(made.server, "GET /api:main/x")
        gate.set()
        return [second.body, (await first).body]

    assert asyncio.run(run()) == [b'"new"', b'"old"']


def test_a_request_is_one_entry_of_the_log(site: Callable[..., Site]) -> None:
    made = site({"POST /{id}/x {auth: user; input: {id: int, t?: text, password: password}}": echo})
    token = made.tokens.create("user", 7)
    body = {"password": CANARY, "t": f"{CANARY}-t"}
    answer = call(made.server, f"POST /api:main/3/x?u={CANARY}-q", body, {"Authorization": f"Bearer {token}"})
    (entry,) = made.entries
    assert (entry["method"], entry["path"], entry["status"], entry["level"]) == (
        "POST",
        "/api:main/{id}/x",
        400,
        "info",
    )
    assert (entry["table"], entry["sub"], entry["client"]) == ("user", 7, "127.0.0.1")
    assert (entry["id"], entry["bytes"]) == (answer["x-request-id"], len(answer.body))
    assert (entry["code"], entry["ms"] >= 0, entry["time"][-1]) == ("ERROR_CODE_INPUT_ERROR", True, "Z")
    assert CANARY not in json.dumps(entry)
    assert token not in json.dumps(entry)


@pytest.mark.parametrize("message", ["{password: 1}", "bug", "fatal"])
def test_s_1_a_password_is_in_no_answer_and_no_log(site: Callable[..., Site], message: str) -> None:
    def function(run: Any, data: Any, claims: Any) -> Any:
        secret = data["password"]
        if message == "bug":
            raise ValueError(secret.reveal())
        if message == "fatal":
            raise Fault("fatal", f"about {secret}", {"password": secret})
        return {"password": secret, "again": [secret]}

    made = site({"POST /x {input: {password: password, n?: int}}": function})
    answers = [
        call(made.server, "POST /api:main/x", {"password": CANARY, **more}) for more in ({}, {"n": "x"}, {"z": 1})
    ]
    answers.append(call(made.server, "POST /api:main/x", f'{{"password":"{CANARY}","password":"{CANARY}"}}'.encode()))
    answers.append(call(made.server, f"POST /api:main/x?password={CANARY}"))
    answers.append(call(made.server, "POST /api:main/x", {"password": [CANARY]}))
    for text in (*(answer.body.decode() for answer in answers), json.dumps(made.entries)):
        assert CANARY not in text


def test_s_5_a_log_entry_is_one_line(tmp_path: Path) -> None:
    written: list[bytes] = []
    log = Log(written.append)
    server = Server(program(tmp_path, {}, log))
    call(server, "GET /api:main/a%0A%0D%22%E2%80%A8b")
    log.flush()
    (line,) = b"".join(written).decode().split("\n")[:-1]
    assert json.loads(line)["path"] == '/api:main/a\n\r"\u2028b'


def test_the_log_gathers_entries_for_a_moment() -> None:
    written: list[bytes] = []

    async def run() -> None:
        log = Log(written.append)
        for number in range(3):
            log({"n": number, "level": "info"})
        assert written == []
        await asyncio.sleep(0.2)
        assert len(written) == 1
        log({"n": 3, "level": "info"})
        log({"n": 4, "level": "error"})
        assert len(written) == 2
        log({"n": 5, "text": "x" * 70_000})
        assert len(written) == 3

    asyncio.run(run())
    assert [json.loads(line)["n"] for line in b"".join(written).splitlines()] == [0, 1, 2, 3, 4, 5]
