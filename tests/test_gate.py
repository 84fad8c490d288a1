"""A burst of logins: turned away before a body is read or a token opened, and told of once a second."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.http import gate
from engine.security.passwords import Cost, Passwords
from tests.live import LOGIN, ME, SIGNUP, Live, Site, hosted, serving
from tests.support import USER, checked

SLOW = Cost(memory_kib=65_536, time=6)
ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
NOTE = "table: note\ncolumns: {id: int, text: text}\n"


# What the checker knows


@pytest.mark.parametrize(
    ("steps", "hashes"),
    [
        ("[{validate_password: $input.password, against: null, as: it}, {set: {a: $it}}]", True),
        ("[{if: $input.any, then: [{add_record: user, data: {name: a, email: a@b.co, password: $input.password}}]}]", True),
        ("[{edit_record: user, where: {id: 1}, data: {password: $input.password}}]", True),
        ("[{edit_record: user, where: {id: 1}, data: {name: Ada}}]", False),
        ("[{patch_record: user, where: {id: 1}, data: $input.data}]", True),
        ("[{patch_record: user, where: {id: 1}, data: {name: Ada}}]", False),
        ("[{bulk_add_records: user, items: [{name: a, email: a@b.co, password: $input.password}]}]", True),
        ("[{patch_record: note, where: {id: 1}, data: $input.data}]", False),
        ("[{run_function: hashing, with: {password: $input.password}, as: it}, {set: {a: $it}}]", True),
        ("[{get_record: user, where: {id: 1}, as: it}, {set: {a: $it}}]", False),
    ],
)  # fmt: skip
def test_the_checker_knows_which_stacks_may_hash(tmp_path: Path, steps: str, hashes: bool) -> None:
    function = "function: hashing\ninput: {password: password}\nstack:\n- validate_password: $input.password\n  against: null\n  as: it\n- return: $it\n"
    endpoint = (
        f"endpoint: POST /it\ninput: {{password: password, any: bool, data: object}}\nstack: {steps}\nresponse: null\n"
    )
    found = checked(tmp_path, {"user": USER, "note": NOTE, "hashing": function, "it": endpoint})
    [it] = found.workspace.endpoints
    assert found.endpoints[it].hashes is hashes, found.errors


# A gate that is shut


@dataclass
class Asked:
    """How a POST was answered, and whether its body was read."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    was_read: bool = False

    async def receive(self) -> Any:
        self.was_read = True
        return {"type": "http.request", "body": b"{}"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])


async def asked(site: Site, path: str) -> Asked:
    """What becomes of a POST of two bytes."""
    it, headers = Asked(), [(b"content-type", b"application/json"), (b"content-length", b"2")]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http"}
    await site.server(scope, it.receive, it.send)
    return it


@contextmanager
def slow() -> Iterator[Passwords]:
    passwords = Passwords(SLOW, threads=1, queue=0)
    yield passwords
    passwords.close()


def test_a_request_that_would_hash_is_refused_unread_while_the_queue_is_full(tmp_path: Path) -> None:
    async def run() -> None:
        with slow() as passwords:
            async with hosted(tmp_path, passwords=passwords) as site:
                hashing = asyncio.create_task(passwords.hash("correct horse"))
                await asyncio.sleep(0)
                for path in (LOGIN, SIGNUP):
                    it = await asked(site, path)
                    assert (it.status, it.headers[b"retry-after"], it.was_read) == (503, b"1", False)
                    assert it.headers[b"access-control-allow-origin"] == b"*"
                assert (await site.ask("GET", ME.encode())).status == 401  # others come through
                await hashing
                it = await asked(site, LOGIN)
                assert (it.status, it.was_read) == (400, True)

    asyncio.run(run())


def test_the_log_says_once_a_second_how_many_were_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOG_SECONDS", 0.2)

    async def run() -> list[dict[str, Any]]:
        with slow() as passwords:
            async with hosted(tmp_path, passwords=passwords) as site:
                hashing = asyncio.create_task(passwords.hash("correct horse"))
                await asyncio.sleep(0)
                await asyncio.gather(*(asked(site, LOGIN) for _ in range(20)))
                await asyncio.sleep(0.3)
                await hashing
                return site.entries

    [entry] = asyncio.run(run())
    assert entry.pop("time")
    assert entry == {
        "level": "warning",
        "path": LOGIN,
        "status": 503,
        "requests": 20,
        "code": "ERROR_CODE_UNAVAILABLE",
        "reason": "passwords",
    }


# A server


def sent(server: Live, body: bytes, length: int) -> socket.socket:
    """A connection on which a login was sent, of which `length` bytes were announced."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0), 30)
    head = f"POST {LOGIN} HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as file:
        head = b"".join(iter(file.readline, b"\r\n")).lower()
        file.read(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head


def test_250_logins_at_once_are_served_or_refused_without_waiting_for_a_body(tmp_path: Path) -> None:
    body = json.dumps({"email": ADA["email"], "password": "wrong horse"}).encode()
    with serving(tmp_path) as server, ExitStack() as open_ones:
        with server.client() as client:
            assert client.post(SIGNUP, json=ADA).status_code == 200
        logins = [open_ones.enter_context(sent(server, body, len(body))) for _ in range(250)]
        late = open_ones.enter_context(sent(server, b"", len(body)))  # its body never comes
        refused = answer(late)
        assert refused.startswith(b"http/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in refused
        statuses = [answer(each)[9:12] for each in logins]
        assert {b"403", b"503"} == set(statuses)
        assert statuses.count(b"403") >= 64
        # What was refused left the connection as it should be: the body is skipped, the next request is read.
        late.sendall(body + f"GET {ME} HTTP/1.1\r\nhost: it\r\n\r\n".encode())
        assert answer(late).startswith(b"http/1.1 401 ")
