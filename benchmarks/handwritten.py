"""The benchmarked endpoints as a good programmer would write them: ordinary Starlette routes, and bare ASGI.

The same libraries, tuned: orjson, one jwcrypto object kept for opening tokens, inline SQLite, no thread hops but the
one that hashing needs.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KEY = JWK(kty="oct", k="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
POOL = ThreadPoolExecutor(os.cpu_count())
DB = sqlite3.connect(os.environ.get("BENCH_DATABASE", ":memory:"), isolation_level=None)
DB.execute("CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, created_at, name, email UNIQUE, password, role)")
_OPENER = JWE(algs=["dir", "A256GCM"])
_SELECT = "SELECT id, created_at, name, email, role FROM user WHERE id = ?"


def seal(id: int) -> str:
    claims = {"iss": "b", "aud": "b", "sub": f"user/{id}", "iat": int(time.time()), "exp": int(time.time()) + 86400}
    token = JWE(orjson.dumps(claims), protected='{"alg":"dir","enc":"A256GCM"}')
    token.add_recipient(KEY)
    return str(token.serialize(compact=True))


def open_token(token: str) -> dict[str, Any]:
    _OPENER.deserialize(token, KEY)
    claims: dict[str, Any] = orjson.loads(_OPENER.payload)
    if claims["exp"] < time.time() or claims["iss"] != "b" or claims["aud"] != "b":
        raise PermissionError
    return claims


_OPENED: dict[bytes, dict[str, Any]] = {}


def open_again(token: bytes) -> dict[str, Any]:
    """The claims of a token, kept as ours are: by its digest, its times looked at every time."""
    digest = hashlib.sha256(token).digest()
    claims = _OPENED.get(digest)
    if claims is None:
        claims = _OPENED[digest] = open_token(token.decode())
    if claims["exp"] < time.time():
        raise PermissionError
    return claims


def find(id: int) -> dict[str, Any] | None:
    row = DB.execute(_SELECT, (id,)).fetchone()
    if row is None:
        return None
    return {"id": row[0], "created_at": row[1], "name": row[2], "email": row[3], "role": row[4]}


def logic(given: dict[str, Any]) -> dict[str, Any]:
    """The twenty steps by hand; `round` is half away from zero on the decimal as written, as the filter is."""
    total_of = given["price"] * given["count"]
    discount = 0
    if given["member"]:
        discount = total_of * 0.1
    code = given["code"].strip().upper()
    if code == "SPRING":
        discount = discount + 5
    elif code == "SUMMER":
        discount = discount + 10
    net = total_of - discount
    if not net > 0:
        raise ValueError("Nothing to pay.")
    tax = net * 0.19
    gross = net + tax
    shipping = 0 if gross > 50 else 4.9
    total = gross + shipping
    if total > 1000:
        size = "big"
    elif total > 100:
        size = "middling"
    else:
        size = "small"
    label = f"{code}-{size}"
    tens = total * 0.1
    points = math.floor(tens)
    bonus = given["count"] % 7
    points = points + bonus
    even = points % 2 == 0
    rounded = round(total, 2)
    return {"total": rounded, "label": label, "points": points, "even": even, "tax": tax}


def loop(given: dict[str, Any]) -> dict[str, Any]:
    total: float = 0
    big = 0
    for item in given["items"]:
        if item["count"] == 0:
            continue
        line = item["price"] * item["count"]
        if line > 100:
            big = big + 1
        total = total + line
    return {"total": total, "big": big}


def is_logic(given: Any) -> bool:
    """The checks that a careful programmer writes for the input."""
    return (
        isinstance(given, dict)
        and given.keys() == {"price", "count", "code", "member"}
        and isinstance(given["price"], int | float)
        and isinstance(given["count"], int)
        and isinstance(given["code"], str)
        and isinstance(given["member"], bool)
    )


def is_loop(given: Any) -> bool:
    return (
        isinstance(given, dict)
        and given.keys() == {"items"}
        and isinstance(given["items"], list)
        and all(
            isinstance(item, dict)
            and item.keys() == {"price", "count"}
            and isinstance(item["price"], int | float)
            and isinstance(item["count"], int)
            for item in given["items"]
        )
    )


def json_response(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def me(request: Request) -> Response:
    header = request.headers.get("authorization", "")
    try:
        claims = open_token(header.removeprefix("Bearer "))
    except Exception:
        return json_response({"code": "ERROR_CODE_UNAUTHORIZED"}, 401)
    user = find(int(claims["sub"].split("/")[1]))
    return json_response(user) if user else json_response({"code": "ERROR_CODE_UNAUTHORIZED"}, 401)


async def logic_route(request: Request) -> Response:
    given = orjson.loads(await request.body())
    return json_response(logic(given)) if is_logic(given) else json_response({"code": "ERROR_CODE_INPUT_ERROR"}, 400)


async def loop_route(request: Request) -> Response:
    given = orjson.loads(await request.body())
    return json_response(loop(given)) if is_loop(given) else json_response({"code": "ERROR_CODE_INPUT_ERROR"}, 400)


def _matches(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except VerifyMismatchError:
        return False


async def login(request: Request) -> Response:
    given = orjson.loads(await request.body())
    row = DB.execute("SELECT id, password FROM user WHERE email = ?", (given["email"].strip().lower(),)).fetchone()
    if row is None:
        return json_response({"code": "ERROR_CODE_ACCESS_DENIED"}, 403)
    matches = await asyncio.get_running_loop().run_in_executor(POOL, _matches, row[1], given["password"])
    if not matches:
        return json_response({"code": "ERROR_CODE_ACCESS_DENIED"}, 403)
    return json_response({"authToken": seal(row[0])})


async def signup(request: Request) -> Response:
    given = orjson.loads(await request.body())
    hashed = await asyncio.get_running_loop().run_in_executor(POOL, HASHER.hash, given["password"])
    values = (int(time.time() * 1000), given["name"], given["email"], hashed, "member")
    sql = "INSERT INTO user (created_at, name, email, password, role) VALUES (?, ?, ?, ?, ?)"
    cursor = DB.execute(sql, values)
    return json_response({"authToken": seal(cursor.lastrowid or 0)})


routes = [
    Route("/api:main/auth/me", me),
    Route("/api:main/auth/login", login, methods=["POST"]),
    Route("/api:main/auth/signup", signup, methods=["POST"]),
    Route("/api:main/bench/logic", logic_route, methods=["POST"]),
    Route("/api:main/bench/loop", loop_route, methods=["POST"]),
]
starlette = Starlette(routes=routes)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """`me` and `logic` as bare ASGI; everything else is Starlette's."""
    path = scope.get("path")
    if path == "/api:main/auth/me":
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        await _answer(send, find(int(open_again(header[7:])["sub"].split("/")[1])))
    elif path == "/api:main/bench/logic":
        body = (await receive())["body"]
        given = orjson.loads(body)
        await _answer(send, logic(given) if is_logic(given) else None)
    else:
        await starlette(scope, receive, send)


async def _answer(send: Any, value: object) -> None:
    body = orjson.dumps(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
