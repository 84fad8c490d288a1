"""Servers as processes of their own: they answer, end without losing a request, follow edits, and share a data folder."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from engine.http.fit import REQUIREMENT, require_fitting_uvicorn
from engine.http.serve import DATABASE
from tests.commands import (
    ADA,
    ENGINE,
    LOGIN,
    ME,
    PATIENCE,
    ROOT,
    SIGNUP,
    Process,
    called,
    free_port,
    serve,
    stackwright,
    started,
)
from tests.support import write

NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="workers are found in /proc")
ADDRESS = {"email": ADA["email"], "password": ADA["password"]}
TABLE = (ROOT / "stacks" / "tables" / "user.yaml").read_text("utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the shipped stacks."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    return tmp_path


def token_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["authToken"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def eventually(holds: Callable[[], bool]) -> None:
    """Returns once `holds` is true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


# Answers


@pytest.mark.parametrize("program", [("-m", "engine", "serve"), (str(ROOT / "server.py"),)], ids=["serve", "server.py"])
def test_accounts(shop: Path, program: Sequence[str]) -> None:
    port = free_port()
    with started(shop, sys.executable, *program, port=port, PORT=str(port)) as server:
        with server.client() as client:
            token_of(client.post(SIGNUP, json=ADA))
            token = token_of(client.post(LOGIN, json=ADDRESS))
            me = client.get(ME, headers=bearer(token))
            assert (me.status_code, me.json()["name"], "password" in me.json()) == (200, "Ada", False)
            assert client.post(LOGIN, json={**ADDRESS, "password": "wrong horse"}).status_code == 403
        assert f"serving stacks on {server.url}/api:main\n" in server.said
        assert "correct horse" not in server.said
    assert (shop / "data").stat().st_mode & 0o777 == 0o700


def test_a_token_from_the_command_line(shop: Path) -> None:
    with serve(shop) as server, server.client() as client:
        token_of(client.post(SIGNUP, json=ADA))
        made = called(shop, "token", "user", "1", "--expires-in", "1h")
        assert (made.status, made.err) == (0, "")
        assert client.get(ME, headers=bearer(made.out.strip())).json()["email"] == ADA["email"]


def test_keys_change_while_it_serves(shop: Path) -> None:
    with serve(shop) as server, server.client() as client:
        old = token_of(client.post(SIGNUP, json=ADA))
        assert called(shop, "keys", "rotate").status == 0

        def is_rotated() -> bool:
            return kid(token_of(client.post(LOGIN, json=ADDRESS))) != kid(old)

        eventually(is_rotated)
        new = token_of(client.post(LOGIN, json=ADDRESS))
        assert client.get(ME, headers=bearer(old)).status_code == 200
        assert called(shop, "keys", "retire", kid(old)).status == 0
        eventually(lambda: client.get(ME, headers=bearer(old)).status_code == 401)
        assert client.get(ME, headers=bearer(new)).status_code == 200


def kid(token: str) -> str:
    """The key's name in a token's header (RFC 7516 §4.1.6)."""
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def test_a_proxy_and_https_are_settings(shop: Path) -> None:
    write(shop / "stacks", {"ip": "endpoint: GET /ip\nstack: []\nresponse: $request.ip\n"})
    forwarded = {"X-Forwarded-For": "9.9.9.9"}
    with serve(shop, STACKWRIGHT_PROXIES="127.0.0.1", STACKWRIGHT_HSTS="600") as server, server.client() as client:
        assert client.get("/api:main/ip", headers=forwarded).json() == "9.9.9.9"
        for path in ("/api:main/ip", "/healthz", "/none"):
            assert client.get(path).headers["strict-transport-security"] == "max-age=600"
    with serve(shop) as server, server.client() as client:
        answer = client.get("/api:main/ip", headers=forwarded)
        assert answer.json() == "127.0.0.1"
        assert "strict-transport-security" not in answer.headers
    assert (
        "STACKWRIGHT_HSTS: 'a year' is no number of seconds"
        in stackwright(shop, "serve", STACKWRIGHT_HSTS="a year").err
    )


# What it stands on


@pytest.mark.parametrize(
    ("version", "fits"), [("0.53.9", False), ("0.54.0", True), ("0.55.2", True), ("0.56.0", False), ("1.0.0", False)]
)
def test_a_uvicorn_that_does_not_fit_is_refused_with_the_mend(
    shop: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool
) -> None:
    monkeypatch.setattr(uvicorn, "__version__", version)
    if fits:
        require_fitting_uvicorn()
    else:
        made = called(shop, "serve", "--port", "0")
        assert made.status != 0
        message = (
            f"uvicorn {version} is installed, which the server doesn't fit: python -m pip install 'uvicorn>=0.54,<0.56'"
        )
        assert message in made.err


def test_the_pin_is_what_the_server_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert REQUIREMENT in project["dependencies"]


# The end


@pytest.mark.parametrize("count", ["1", pytest.param("2", marks=NEEDS_PROC)])
def test_a_request_that_runs_is_finished(shop: Path, count: str) -> None:
    with serve(shop, "--workers", count) as server:
        # Its other worker has nothing to do and goes at once.
        is_ending = is_closed if count == "1" else lambda server: len(workers(server)) == 1
        eventually(lambda: count == "1" or len(workers(server)) == 2)
        with half_sent(server, SIGNUP, ADA) as finish:
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: is_ending(server))
            assert server.process.poll() is None
            assert finish().startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(PATIENCE) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.said
    with closing(sqlite3.connect(shop / "data" / DATABASE)) as database:
        assert database.execute("SELECT email FROM user").fetchall() == [(ADA["email"],)]


@contextmanager
def half_sent(server: Process, path: str, body: object) -> Iterator[Callable[[], bytes]]:
    """A request whose last byte is missing; what it yields sends the byte and returns the answer."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), PATIENCE) as connection:
        connection.sendall(head.encode() + content[:-1])
        time.sleep(0.2)  # until it was read: nothing tells from outside

        def finish() -> bytes:
            connection.sendall(content[-1:])
            return b"".join(iter(lambda: connection.recv(65536), b""))

        yield finish


def is_closed(server: Process) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), 1):
            return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("flags", [(), ("--reload",)], ids=["one process", "reload"])
def test_ctrl_c_is_quiet(shop: Path, flags: Sequence[str]) -> None:
    with serve(shop, *flags) as server:
        before = len(server.said)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) in (0, 130, -signal.SIGINT)
        assert server.said[before:] == ""


def test_a_test_file_with_a_mistake_stops_no_server(shop: Path) -> None:
    write(shop / "stacks", {"draft.test.yaml": "test: GET /hello\ncases:\n  - nam: [\n"})
    with serve(shop) as server, server.client() as client:
        assert client.get(ME).status_code == 401


# Reloading


def test_what_is_saved_is_served_if_it_checks(shop: Path) -> None:
    hello = shop / "stacks" / "hello.yaml"
    write(shop / "stacks", {"hello": "endpoint: GET /hello\nstack: []\nresponse: one\n"})
    with serve(shop, "--reload") as server, server.client() as client:

        def save(response: str, said: str) -> None:
            before = len(server.said)
            hello.write_text(f"endpoint: GET /hello\nstack: []\nresponse: {response}\n")
            server.wait_for(said, before)

        assert client.get("/api:main/hello").json() == "one"
        save("two", "reloaded\n")
        assert client.get("/api:main/hello").json() == "two"
        save("$three", "not reloaded: the last good version is still served\n")
        assert "stacks/hello.yaml:3:11: error SW201: unknown variable '$three'" in server.said
        assert client.get("/api:main/hello").json() == "two"
        save("'three", "not reloaded: the last good version is still served\n")
        assert client.get("/api:main/hello").json() == "two"
        save("three", "reloaded\n")
        assert client.get("/api:main/hello").json() == "three"
        assert "Traceback" not in server.said


def test_who_calls_a_function_that_is_saved_is_checked_and_served_anew(shop: Path) -> None:
    caller = "endpoint: GET /it\nstack:\n  - run_function: it\n    as: it\nresponse: $it.a\n"
    function = "function: it\nstack:\n  - return: {result}\n"
    write(shop / "stacks", {"caller": caller, "it": function.format(result="{a: 1}")})
    with serve(shop, "--reload") as server, server.client() as client:

        def save(result: str, said: str) -> None:
            before = len(server.said)
            (shop / "stacks" / "it.yaml").write_text(function.format(result=result))
            server.wait_for(said, before)

        save("{a: [2]}", "reloaded\n")
        assert client.get("/api:main/it").json() == [2]
        save("{b: 3}", "stacks/caller.yaml:5:15: error SW205: unknown field 'a' of an object")
        assert client.get("/api:main/it").json() == [2]
        save("{a: 4}", "reloaded\n")
        assert client.get("/api:main/it").json() == 4


def test_a_new_column_and_a_new_table_are_there_once_saved(shop: Path) -> None:
    with serve(shop, "--reload") as server, server.client() as client:
        token = token_of(client.post(SIGNUP, json=ADA))
        before = len(server.said)
        note = {
            "tables/note": "table: note\ncolumns: {id: int, text: text}\n",
            "note": """
                endpoint: POST /note
                input: {text: text}
                stack:
                  - add_record: note
                    data: {text: $input.text}
                    as: note
                response: $note
            """,
        }
        (shop / "stacks" / "tables" / "user.yaml").write_text(TABLE + "  nickname?: text\n")
        server.wait_for("reloaded\n", before)
        before = len(server.said)
        write(shop / "stacks", note)
        server.wait_for("reloaded\n", before)
        me = client.get(ME, headers=bearer(token))
        assert (me.status_code, me.json()["nickname"]) == (200, None)
        eventually(lambda: client.post("/api:main/note", json={"text": "hello"}).json() == {"id": 1, "text": "hello"})


# Workers


@NEEDS_PROC
@pytest.mark.parametrize("program", ["serve", "uvicorn"])
def test_workers_share_one_data_folder(shop: Path, program: str) -> None:
    port = str(free_port())
    commands = {
        "serve": (*ENGINE, "serve", "--workers", "2", "--port", port),
        "uvicorn": (sys.executable, "-m", "uvicorn", "server:app", "--workers", "2", "--port", port),
    }
    with started(shop, *commands[program], port=int(port)) as server:
        eventually(lambda: len(workers(server)) == 2)
        first, second = workers(server)
        token = token_of(only(server, first, lambda client: client.post(SIGNUP, json=ADA)))
        for worker in (first, second):
            assert token_of(only(server, worker, lambda client: client.post(LOGIN, json=ADDRESS)))
            me = only(server, worker, lambda client: client.get(ME, headers=bearer(token)))
            assert (me.status_code, me.json()["email"]) == (200, ADA["email"])
        assert only(server, second, lambda client: client.post(SIGNUP, json=ADA)).status_code == 403
        assert workers(server) == [first, second]


def workers(server: Process) -> list[int]:
    """The ids of the processes that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def only(server: Process, worker: int, ask: Callable[[httpx.Client], Any]) -> Any:
    """The answer of one worker: the others are held still, briefly enough for nobody to think that they died."""
    others = [each for each in workers(server) if each != worker]
    end = time.monotonic() + PATIENCE
    while True:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            with httpx.Client(base_url=server.url, timeout=2, trust_env=False) as client:
                client.get("/healthz")
                return ask(client)
        except httpx.TransportError:  # it has not started yet
            assert time.monotonic() < end
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
        time.sleep(0.2)
