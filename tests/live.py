"""What tests of whole servers share: the shipped stacks with files beside them, served by a process or in this one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import orjson

from engine.http.app import Server
from engine.program import build, check_folder, environment
from engine.run import Services, milliseconds
from engine.security.keys import KeyRing
from engine.security.passwords import TEST_COST, Passwords
from engine.security.tokens import Tokens
from tests.storages import storage
from tests.support import write

ROOT = Path(__file__).parent.parent
START_SECONDS = 30
SIGNUP, LOGIN, ME = "/api:main/auth/signup", "/api:main/auth/login", "/api:main/auth/me"


def copied(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """The shipped workspace in `folder/stacks`, with files added or put in the place of its own."""
    root = folder / "stacks"
    shutil.copytree(ROOT / "stacks", root, ignore=shutil.ignore_patterns("*.test.yaml"), dirs_exist_ok=True)
    return write(root, files or {})


# A process


@dataclass
class Live:
    """A running server: its process, its address, and the folder of what it stores and prints."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path

    @property
    def output(self) -> bytes:
        """All that it has printed."""
        return (self.folder / "out").read_bytes() + (self.folder / "err").read_bytes()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement of the database yields, its parameters written `?`."""
        return storage().rows(self.folder, sql, *values)

    def structure(self) -> list[tuple[Any, ...]]:
        """All tables and their columns."""
        return storage().structure(self.folder)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)

    def together(self, ask: Callable[[httpx.AsyncClient], Iterable[Coroutine[Any, Any, Any]]]) -> list[Any]:
        """The results of requests that are sent at once."""

        async def run() -> list[Any]:
            limits = httpx.Limits(max_connections=200)
            async with httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits, trust_env=False) as client:
                return await asyncio.gather(*ask(client), return_exceptions=True)

        return asyncio.run(run())


@contextmanager
def serving(folder: Path, files: Mapping[str, str] | None = None, **environment: str) -> Iterator[Live]:
    """`python -m engine serve` on a free port, with its data in `folder`; ended afterwards if it still runs."""
    root = copied(folder, files)
    settings = {"STACKWRIGHT_WORKSPACE": str(root), "STACKWRIGHT_DATA": str(folder / "data"), "PORT": "0"}
    settings["STACKWRIGHT_DATABASE_URL"] = storage().url(folder)
    with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
        said = err.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve"],
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            stdout=out,
            stderr=err,
        )
    try:
        yield Live(process, _address(process, folder / "err", said), folder)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _address(process: subprocess.Popen[bytes], log: Path, start: int) -> str:
    """Where the server says that it serves, once it answers there."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        said = log.read_bytes()[start:].decode()
        if " on http://" in said and said.endswith("\n"):
            url = "http://" + said.rpartition(" on http://")[2].partition("/api:")[0]
            try:
                if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                    return url
            except httpx.TransportError:
                pass
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text()}")


# In this process


@dataclass
class Answer:
    """What the application answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def __getitem__(self, name: str) -> str:
        return dict(self.headers)[name.encode()].decode()


@dataclass
class Site:
    """The application, and the entries of its log."""

    server: Server
    services: Services
    entries: list[dict[str, Any]] = field(default_factory=list)

    async def ask(
        self, method: str, target: bytes, content: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Answer:
        """The answer to a request of raw bytes."""
        path, _, query = target.partition(b"?")
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "root_path": "",
            "query_string": query,
            "headers": [*headers, *[(b"content-length", b"%d" % len(content))] * bool(content)],
            "client": ("127.0.0.1", 1),
            "server": ("it", 80),
            "scheme": "http",
        }
        await self.server(scope, receive, send)
        start, *rest = messages
        return Answer(start["status"], start["headers"], b"".join(part["body"] for part in rest))

    async def post(self, path: str, body: object, token: str = "") -> Answer:
        headers = [(b"content-type", b"application/json")]
        headers += [(b"authorization", f"Bearer {token}".encode())] * bool(token)
        return await self.ask("POST", path.encode(), body if isinstance(body, bytes) else orjson.dumps(body), headers)


@asynccontextmanager
async def hosted(folder: Path, files: Mapping[str, str] | None = None, passwords: Passwords | None = None) -> Any:
    """The shipped stacks and `files` in this process, with cheap hashes unless `passwords` are given."""
    checked = check_folder(copied(folder, files), "")
    entries: list[dict[str, Any]] = []
    services = Services(
        store=storage().open(folder, checked.workspace.tables),
        tokens=Tokens(KeyRing.open(folder / "keys"), "accounts", "accounts", milliseconds),
        passwords=passwords or Passwords(TEST_COST),
        log=entries.append,
        env=environment(checked.workspace),
    )
    try:
        yield Site(Server(build(checked, services)), services, entries)
    finally:
        await services.store.close()
        services.passwords.close()
