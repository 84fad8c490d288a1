"""What goes over the wire: framing, bounds and waits of connections, over real sockets.

`python tests/test_wire.py PORT PROTOCOL FOLDER` serves the endpoints below.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from engine.http.app import Server
from engine.http.bodies import Patience
from engine.http.logs import Log
from engine.http.protocol import MAX_HEAD, MAX_HEADERS, Protocol
from tests.test_http import echo, gives, program

CONNECTIONS = 20

OURS = pytest.mark.parametrize("process", ["ours"], indirect=True)


MARK: ContextVar[str] = ContextVar("MARK", default="clean")


async def mark(run: Any, data: Any, claims: Any) -> Any:
    before, token = MARK.get(), MARK.set("marked")
    await asyncio.sleep(0.001)
    during = MARK.get()
    MARK.reset(token)
    after = MARK.get()
    MARK.set("left behind")
    return [before, during, after]


def seen(run: Any, data: Any, claims: Any) -> Any:
    return run.request_values


def main() -> None:
    port, kind, root = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])

    async def sleeps(run: Any, data: Any, claims: Any) -> Any:
        await asyncio.sleep(data["seconds"])
        return "slow"

    async def computes(run: Any, data: Any, claims: Any) -> Any:
        end = time.perf_counter() + 1.5
        while time.perf_counter() < end:
            turn = time.perf_counter() + 0.2
            while time.perf_counter() < turn:
                pass
            await asyncio.sleep(0)
        return "done"

    async def page(request: Request) -> Response:
        async def parts() -> Any:
            for part in ("one", "two"):
                yield part
                await asyncio.sleep(0.01)

        return StreamingResponse(parts(), media_type="text/plain")

    async def torn(request: Request) -> Response:
        return Response("x", headers={"x-mine": "a\r\nx-yours: b", "content-length": "1"})

    async def bye() -> None:
        log.flush()

    log = Log(sys.stdout.buffer.write)
    plans = {
        "GET /hello": gives({"hello": "world"}),
        "POST /echo {input: {t: text}}": echo,
        "POST /slow {input: {seconds: decimal}}": sleeps,
        "GET /big": gives("x" * 300_000),
        "POST /seen": seen,
        "GET /mark": mark,
        "GET /computes": computes,
        "GET /seen": seen,
    }
    made = program(root, plans, log, "body_limit: 100000\n")
    server = Server(
        made,
        routes=[Route("/stream", page), Route("/torn", torn)],
        shutdown=[bye],
        patience=Patience(seconds=1, most_held=200_000),
    )
    http: Any = "httptools" if kind == "uvicorn" else Protocol
    Protocol.head_seconds = Protocol.stall_seconds = 1.0
    config = uvicorn.Config(
        server,
        http=http,
        access_log=False,
        proxy_headers=False,
        log_level="error",
        loop="engine.http.accepting:new_loop",
        limit_concurrency=CONNECTIONS,
    )
    listening = socket.create_server(("127.0.0.1", port))
    uvicorn.Server(config).run(sockets=[listening])
    sys.stdout.flush()


@dataclass
class Process:
    port: int
    popen: subprocess.Popen[bytes]
    folder: Path

    @property
    def said(self) -> str:
        """What it complained of."""
        return (self.folder / "err").read_text()

    def ended(self) -> list[dict[str, Any]]:
        """The entries of its log, once it has ended."""
        self.popen.wait(timeout=10)
        return [json.loads(line) for line in (self.folder / "out").read_text().splitlines()]

    @property
    def resident(self) -> int:
        """Bytes of memory that it has."""
        return int(Path(f"/proc/{self.popen.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def exchange(self, *pieces: bytes) -> bytes:
        """All that comes back until the server closes, to pieces sent a moment apart."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(65536):
        found += chunk
    return found


@contextmanager
def served(kind: str, folder: Path) -> Iterator[Process]:
    """A server on uvicorn's own protocol, or on ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, str(port), kind, str(folder / "stacks")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        (folder / "out").open("wb") as out,
        (folder / "err").open("wb") as errors,
        subprocess.Popen(command, env=environment, stdout=out, stderr=errors) as popen,
    ):
        try:
            _await_port(port, popen)
            yield Process(port, popen, folder)
        finally:
            popen.kill()


@pytest.fixture(params=["uvicorn", "ours"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Process]:
    with served(request.param, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One server on our protocol for all cases that leave nothing behind."""
    with served("ours", tmp_path_factory.mktemp("wire")) as made:
        yield made
        assert made.said == ""


def _await_port(port: int, popen: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        assert popen.poll() is None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


HELLO = b"GET /api:main/hello HTTP/1.1\r\nhost: it\r\n\r\n"
LAST = b"GET /api:main/hello HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n"


def test_a_connection_is_kept_and_pipelined(process: Process) -> None:
    text = process.exchange(HELLO + HELLO, HELLO[:20], HELLO[20:] + LAST)
    assert text.count(b"HTTP/1.1 200 OK\r\n") == text.count(b'\r\n\r\n{"hello":"world"}') == 4
    assert text.count(b"connection: close\r\n") == 1


def test_bodies_of_every_framing(process: Process) -> None:
    head = b"POST /api:main/echo HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\n"
    text = process.exchange(
        head + b'content-length: 9\r\n\r\n{"t":"a"}',
        head + b"transfer-encoding: chunked\r\n\r\n4\r\n",
        b'{"t"\r\n',
        b'5\r\n:"b"}\r\n0\r\n\r\n',
        head + b"expect: 100-continue\r\ncontent-length: 9\r\n\r\n",
        b'{"t":"c"}',
        b"HEAD /api:main/hello HTTP/1.1\r\nhost: it\r\n\r\n",
        b"OPTIONS /api:main/hello HTTP/1.1\r\nhost: it\r\n\r\n",
        LAST,
    )
    assert [part in text for part in (b'{"t":"a"}', b'{"t":"b"}', b"HTTP/1.1 100 Continue\r\n\r\n", b'{"t":"c"}')] == [
        True
    ] * 4
    assert text.count(b"HTTP/1.1 200 OK") == 5
    assert text.count(b"HTTP/1.1 204 No Content") == 1
    assert text.count(b'{"hello":"world"}') == 1


def test_answers_that_come_in_parts_and_large_ones(process: Process) -> None:
    text = process.exchange(
        b"GET /stream HTTP/1.1\r\nhost: it\r\n\r\n", b"GET /api:main/big HTTP/1.1\r\nhost: it\r\n\r\n", LAST
    )
    assert b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" in text
    assert b'"' + b"x" * 300_000 + b'"' in text
    assert text.endswith(b'{"hello":"world"}')


def test_a_line_end_in_a_header_begins_no_other(process: Process) -> None:
    text = process.exchange(b"GET /torn HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n")
    assert text.startswith(b"HTTP/1.1 500 ") or text == b""
    assert b"x-yours" not in text


def test_a_body_too_large_or_too_slow_ends_the_connection(process: Process) -> None:
    head = b"POST /api:main/echo HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\n"
    text = process.exchange(head + b"expect: 100-continue\r\ncontent-length: 100001\r\n\r\n")
    assert text.startswith(b"HTTP/1.1 413 ")
    assert text.count(b"connection: close\r\n") == 1
    text = process.exchange(head + b"content-length: 9\r\n\r\n{")
    assert text.startswith(b"HTTP/1.1 400 ")
    assert b"The body did not arrive within 1 seconds." in text


def test_sigterm_lets_running_requests_finish(process: Process) -> None:
    body = b'{"seconds":0.7}'
    request = (
        b"POST /api:main/slow HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    )
    with process.connect() as idle, process.connect() as busy:
        idle.sendall(HELLO)
        busy.sendall(request % (len(body), body))
        time.sleep(0.3)
        process.popen.send_signal(signal.SIGTERM)
        text = received(busy)
        received(idle)
    assert text.startswith(b"HTTP/1.1 200 OK")
    assert text.endswith(b'"slow"')
    assert [(entry["path"], entry["status"]) for entry in process.ended()] == [
        ("/api:main/hello", 200),
        ("/api:main/slow", 200),
    ]


@OURS
def test_a_head_too_large_is_refused(process: Process) -> None:
    pieces = [
        b"GET /api:main/hello HTTP/1.1\r\nhost: it\r\n",
        *[b"x: " + b"y" * 8000 + b"\r\n"] * (MAX_HEAD // 8000 + 1),
    ]
    text = process.exchange(*pieces)
    assert text.startswith(b"HTTP/1.1 431 ")
    assert json.loads(text.partition(b"\r\n\r\n")[2])["code"] == "ERROR_CODE_BAD_REQUEST"


@OURS
@pytest.mark.parametrize("pieces", [[], [HELLO[:20]], [HELLO + HELLO[:20]], [HELLO[:5], HELLO[5:20]]])
def test_a_head_too_slow_ends_the_connection(process: Process, pieces: list[bytes]) -> None:
    assert process.exchange(*pieces).count(b"HTTP/1.1") == (HELLO in b"".join(pieces))


@OURS
def test_an_answer_that_nobody_reads_ends_the_connection(process: Process) -> None:
    with process.connect() as connection:
        connection.sendall(b"GET /api:main/big HTTP/1.1\r\nhost: it\r\n\r\n" * 60)
        time.sleep(4)
        assert len(received(connection)) < 60 * 300_000
    with process.connect() as connection:
        connection.sendall(b"GET /api:main/big HTTP/1.1\r\nhost: it\r\n\r\n" * 20 + LAST)
        found = 0
        while chunk := connection.recv(300_000):
            found += len(chunk)
            time.sleep(0.05)  # slow, but it reads
    assert found > 20 * 300_000


@OURS
def test_an_answer_that_is_sipped_ends_the_connection(process: Process) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", process.port))
        connection.sendall(b"GET /api:main/big HTTP/1.1\r\nhost: it\r\n\r\n" * 60)
        found, end = 0, time.monotonic() + 5
        while time.monotonic() < end:
            found += len(connection.recv(500))
            time.sleep(0.02)
        assert found + len(received(connection)) < 60 * 300_000


@OURS
def test_a_connection_too_many_gets_the_envelope(process: Process) -> None:
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(process.connect())
        head, _, body = process.exchange(LAST).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head.lower()
    assert json.loads(body)["code"] == "ERROR_CODE_UNAVAILABLE"


# Requests that wait, that come together, and that are given up

SECONDS = b'{"seconds":%b}'


def slow(seconds: bytes, *headers: bytes) -> bytes:
    body = SECONDS % seconds
    lines = b"".join(each + b"\r\n" for each in (b"content-length: %d" % len(body), *headers))
    start = b"POST /api:main/slow HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\n"
    return start + lines + b"\r\n" + body


def test_answers_keep_the_order_of_their_requests(wire: Process) -> None:
    text = wire.exchange(slow(b"0.3") + HELLO * 500 + slow(b"0.1") + b"nonsense\r\n\r\n")
    assert statuses(text) == [200] * 502 + [400]
    assert text.index(b'"slow"') < text.index(b'{"hello"') < text.rindex(b'"slow"')


def test_a_flood_behind_a_slow_request_takes_no_memory(wire: Process) -> None:
    before, flood = wire.resident, HELLO * 200_000
    with wire.connect() as connection:
        connection.sendall(slow(b"1"))
        connection.settimeout(0.5)
        sent = 0
        try:
            while sent < len(flood):
                sent += connection.send(flood[sent : sent + 65536])
        except TimeoutError:
            pass
        assert wire.resident - before < 20_000_000
    assert wire.exchange(LAST).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_ends_its_half_is_answered(wire: Process) -> None:
    with wire.connect() as connection:
        connection.sendall(slow(b"0.3") + HELLO)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(received(connection)) == [200, 200]


@pytest.mark.parametrize("request_", [HELLO[:20], b"", HELLO + HELLO[:20], slow(b"0.1")[:-1]], ids=repr)
def test_a_client_that_ends_its_half_too_early_is_let_go(wire: Process, request_: bytes) -> None:
    began = time.monotonic()
    with wire.connect() as connection:
        connection.sendall(request_)
        time.sleep(0.05)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(received(connection)) == [200] * (HELLO in request_)
    assert time.monotonic() - began < 0.9


@OURS
def test_a_client_that_goes_leaves_nothing_behind(process: Process) -> None:
    for seconds in (b"0.05", b"0.3"):
        with process.connect() as connection:
            connection.sendall(slow(seconds) + HELLO)
    with process.connect() as connection:
        connection.sendall(slow(b"0.1")[:-1])
    with process.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(slow(b"0.1"))
    time.sleep(0.5)
    assert process.exchange(LAST).startswith(b"HTTP/1.1 200 ")
    assert process.said == ""
    process.popen.send_signal(signal.SIGTERM)
    assert {entry["status"] for entry in process.ended()} <= {200, 499}


def test_an_answer_before_the_body_reaches_who_still_sends(wire: Process) -> None:
    head = (
        b"POST /api:main/echo HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n\r\n"
    )
    with wire.connect() as connection:
        connection.sendall(head + b" " * 1_000_000)
        time.sleep(0.1)
        connection.sendall(b" " * 100_000)
        text = received(connection)
    assert statuses(text) == [413]
    assert json.loads(text.partition(b"\r\n\r\n")[2])["message"] == "The body is larger than 100000 bytes."


def test_bodies_on_their_way_are_bounded_together(wire: Process) -> None:
    head = (
        b"POST /api:main/echo HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n"
    )
    with ExitStack() as held:
        connections = [held.enter_context(wire.connect()) for _ in range(3)]
        for connection in connections:
            connection.sendall(head + b" " * 90_000)
            time.sleep(0.1)
        assert received(connections[-1]).startswith(b"HTTP/1.1 503 ")
        assert wire.exchange(POST + b'content-length: 9\r\n\r\n{"t":"a"}' + LAST).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.1)
    with wire.connect() as connection:
        connection.sendall(head + b" " * 90_000)
        time.sleep(0.1)
        connection.sendall(b" " * (99_999 - 90_000 - 9) + b'{"t":"a"}')
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_nobody_reads_is_passed_over(wire: Process) -> None:
    get = b"GET /api:main/hello HTTP/1.1\r\nhost: it\r\n"
    text = wire.exchange(
        get + b"content-length: 300000\r\n\r\n" + b"x" * 300_000 + HELLO,
        get + b"transfer-encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 20_000 + b"0\r\n\r\n" + LAST,
    )
    assert statuses(text) == [200] * 4


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue"])
def test_who_waits_to_send_a_body_is_told_to_go_on(wire: Process, expect: bytes) -> None:
    request = slow(b"0", b"expect: " + expect)
    head, body = request[: -len(SECONDS % b"0")], SECONDS % b"0"
    assert wire.exchange(request + LAST).count(b"100 Continue") == 0  # it didn't wait
    with wire.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body + LAST)
        assert statuses(received(connection)) == [200, 200]


def test_a_request_leaves_no_context_to_the_next(wire: Process) -> None:
    request = b"GET /api:main/mark HTTP/1.1\r\nhost: it\r\n\r\n"
    assert wire.exchange(request * 3 + LAST).count(b'["clean","marked","clean"]') == 3


def test_head_has_the_headers_of_get_and_no_body(wire: Process) -> None:
    head = b"HEAD /api:main/big HTTP/1.1\r\nhost: it\r\n\r\n"
    page = b"HEAD /stream HTTP/1.1\r\nhost: it\r\n\r\n"
    text = wire.exchange(head + page + b"HEAD /healthz HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n")
    assert statuses(text) == [200, 200, 200]
    assert text.endswith(b"\r\n\r\n")
    assert b"content-length: 300002\r\n" in text
    assert b"xxx" not in text
    assert b"one" not in text


def test_http_1_0_ends_with_the_connection(wire: Process) -> None:
    text = wire.exchange(b"GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    assert text.endswith(b"\r\n\r\nonetwo")
    assert b"chunked" not in text
    assert b"connection: close\r\n" in text


def test_connections_are_accepted_together_beside_what_computes(wire: Process) -> None:
    with ExitStack() as held:
        busy = held.enter_context(wire.connect())
        busy.sendall(b"GET /api:main/computes HTTP/1.1\r\nhost: it\r\n\r\n")
        time.sleep(0.1)
        connections = [held.enter_context(wire.connect()) for _ in range(CONNECTIONS // 2)]
        for connection in connections:
            connection.sendall(LAST)
        for connection in connections:
            assert received(connection).startswith(b"HTTP/1.1 200 ")
        busy.setblocking(False)
        with pytest.raises(BlockingIOError):  # one a turn, they would have come after it
            busy.recv(1)


@OURS
def test_too_many_open_files_are_waited_out(process: Process) -> None:
    resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (24, 24))
    with ExitStack() as held:
        connections = [held.enter_context(process.connect()) for _ in range(20)]
        time.sleep(0.2)
        for connection in connections:
            connection.close()
        time.sleep(1)
    assert process.exchange(LAST).startswith(b"HTTP/1.1 200 ")


@OURS
def test_sigterm_answers_what_was_asked_before_it(process: Process) -> None:
    with process.connect() as connection:
        connection.sendall(slow(b"0.7") + HELLO + HELLO)
        time.sleep(0.2)
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.sendall(HELLO)
        text = received(connection)
    assert statuses(text) == [200, 200, 200]
    assert text.count(b"connection: close\r\n") == 1
    process.ended()


# What others on the way may read differently

HOST = b"host: it\r\n"
GET = b"GET /api:main/hello HTTP/1.1\r\n"
POST = b"POST /api:main/echo HTTP/1.1\r\n" + HOST + b"content-type: application/json\r\n"
SMUGGLED = b"GET /api:main/seen HTTP/1.1\r\nhost: it\r\n\r\n"


def statuses(text: bytes) -> list[int]:
    """The statuses of answers, one after the other, none of which has a status line in its body."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GET + b"\r\n", 400),
        (GET + HOST + HOST + b"\r\n", 400),
        (GET + b"host: a\r\nHOST: b\r\n\r\n", 400),
        (GET + b"host: a, b\r\n\r\n", 400),
        (GET + b"host: a/b\r\n\r\n", 400),
        (GET + b"host: a@b\r\n\r\n", 400),
        (b"GET /api:main/hello HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET /api:main/hello HTTP/0.9\r\n" + HOST + b"\r\n", 505),
        (b"GET /api:main/hello HTTP/1.2\r\n" + HOST + b"\r\n", 400),
        (b"GET /api:main/hello\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET it HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT it:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET ftp://it/api:main/hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /api:main/hello#x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /api:main/h\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (GET + HOST + b"x: a\0b\r\n\r\n", 400),
        (GET + HOST + b"x: a\rb\r\n\r\n", 400),
        (GET + HOST + b"x: a\r\n b\r\n\r\n", 400),
        (GET + HOST + b"x : a\r\n\r\n", 400),
        (GET + HOST + b" x: a\r\n\r\n", 400),
        (GET + HOST + b": a\r\n\r\n", 400),
        (GET + HOST + b"x\0: a\r\n\r\n", 400),
        (GET + HOST + b"no colon\r\n\r\n", 400),
        (b"GET /api:main/hello HTTP/1.1\nhost: it\n\n", 400),
        (POST + b"content-length: 9\r\ncontent-length: 9\r\n\r\n" + b'{"t":"a"}', 400),
        (POST + b"content-length: 9\r\ncontent-length: 10\r\n\r\n" + b'{"t":"a"}', 400),
        (POST + b"content-length: 9, 9\r\n\r\n" + b'{"t":"a"}', 400),
        (POST + b"content-length: +9\r\n\r\n" + b'{"t":"a"}', 400),
        (POST + b"content-length: 0x9\r\n\r\n" + b'{"t":"a"}', 400),
        (POST + b"content-length: -1\r\n\r\n", 400),
        (POST + b"content-length: 99999999999999999999999\r\n\r\n", 400),
        (POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400),
        (POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding: identity\r\n\r\n", 501),
        (POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (POST.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"transfer-encoding: chunked\r\n\r\nx\r\n", 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n-1\r\n", 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n0x9\r\n" + b'{"t":"a"}\r\n0\r\n\r\n', 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n9\n" + b'{"t":"a"}\n0\n\n', 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n2\r\n" + b'{"t":"a"}\r\n0\r\n\r\n', 400),
        (POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    wire: Process, request_: bytes, status: int
) -> None:
    text = wire.exchange(request_ + SMUGGLED)
    assert statuses(text) == [status] or (status == 501 and statuses(text) == [400]), text
    head, _, body = text.partition(b"\r\n\r\n")
    assert json.loads(body)["code"].startswith("ERROR_CODE_")
    assert b"connection: close" in head
    assert b"x-request-id: " in head


@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://other/api:main/hello? HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /api:main/hello HTTP/1.0\r\n\r\n",
        b"\r\n\r\n" + GET + HOST + b"\r\n",
        GET + b"host:\r\n\r\n",
        GET + b"host: [::1]:80\r\n\r\n",
        GET + HOST + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n",
        GET + HOST + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
        GET + HOST + b"content-length: 3\r\n\r\nabc",
        GET + HOST + b"x: \xe9\r\n\r\n",
        POST + b'content-length: 9\r\n\r\n{"t":"a"}',
        POST + b'transfer-encoding: Chunked\r\n\r\n9;x=y\r\n{"t":"a"}\r\n0\r\n\r\n',
        POST + b'content-length: 9\r\nexpect: 100-continue\r\n\r\n{"t":"a"}',
    ],
)
def test_what_has_one_meaning_is_answered(wire: Process, request_: bytes) -> None:
    text = wire.exchange(request_ if b"1.0" in request_ else request_ + LAST)
    assert statuses(text) == ([200] if b"1.0" in request_ else [200, 200]), text


@pytest.mark.parametrize("place", ["one segment", "byte by byte"])
def test_trailers_are_dropped_however_they_arrive(wire: Process, place: str) -> None:
    request = (
        b"POST /api:main/seen HTTP/1.1\r\nhost: it\r\nx-mine: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        b"0\r\nauthorization: Bearer x\r\nx-mine: 2\r\nx-more: 3\r\nx-forwarded-for: 9\r\n\r\n"
    )
    pieces = [request] if place == "one segment" else [request[at : at + 1] for at in range(len(request))]
    with wire.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        connection.sendall(LAST)
        text = received(connection)
    assert statuses(text) == [200, 200]
    headers = json.loads(text.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0])["headers"]
    assert headers == {"host": "it", "x-mine": "1", "transfer-encoding": "chunked"}


FILLER = b"x: " + b"y" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    ("start", "filler"),
    [
        (GET + HOST, b"x: " + b"y" * 120_000),
        (GET + HOST, b"x: y\r\n" * (MAX_HEADERS + 1)),
        (GET + HOST, FILLER * 120),
        (b"GET /api:main/hello?", b"x" * 120_000 + b" HTTP/1.1\r\n" + HOST),
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", FILLER * 120),
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: " + b"y" * 120_000),
        (POST + b"transfer-encoding: chunked\r\n\r\n1;", b"x" * 120_000 + b"\r\n{\r\n0\r\n"),
        (
            POST + b"transfer-encoding: chunked\r\n\r\n",
            b"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n" * 6000 + b"0\r\n",
        ),
        (b"", b"\r\n" * 60_000 + GET + HOST),
    ],
)
@pytest.mark.parametrize("pieces", [1, 30])
def test_heads_and_trailers_are_bounded_in_one_segment_and_in_many(
    wire: Process, start: bytes, filler: bytes, pieces: int
) -> None:
    request = start + filler + b"\r\n\r\n" + SMUGGLED
    step = len(request) // pieces + 1
    with wire.connect() as connection:
        for at in range(0, len(request), step):
            try:
                connection.sendall(request[at : at + step])
            except OSError:  # it was refused already
                break
        text = received(connection)
    assert statuses(text) == [431], text[:300]


def test_endless_trailers_take_no_memory(wire: Process) -> None:
    before = wire.resident
    with wire.connect() as connection:
        connection.sendall(POST + b"transfer-encoding: chunked\r\n\r\n0\r\n")
        end = time.monotonic() + 1
        while time.monotonic() < end:
            try:
                connection.sendall(FILLER * 1000)
            except OSError:
                break
    assert wire.resident - before < 20_000_000
    assert wire.exchange(LAST).startswith(b"HTTP/1.1 200 ")


if __name__ == "__main__":
    main()
