"""Serving a workspace: settings, the services in a data folder, and uvicorn set up for them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import uvicorn

from engine.check import Checked
from engine.errors import Problems, SetupError
from engine.http.app import Server
from engine.http.logs import Log
from engine.http.protocol import protocol
from engine.program import build, check_folder
from engine.run import Services, milliseconds
from engine.security.keys import KeyRing
from engine.security.passwords import DEFAULT_COST, Passwords
from engine.security.tokens import Tokens
from engine.store.sqlite import SqliteStore
from engine.workspace import Workspace

GRACE_SECONDS = 30  # that running requests get to end when the server stops
DATABASE = "database.sqlite3"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment, and flags before it, say: see the README's table."""

    workspace: Path = Path("stacks")
    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    database: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings of `STACKWRIGHT_WORKSPACE`, `STACKWRIGHT_DATA`, `STACKWRIGHT_DATABASE_URL`, `HOST` and `PORT`."""
        given = environment.get
        url = given("STACKWRIGHT_DATABASE_URL", "")
        return cls(
            workspace=Path(given("STACKWRIGHT_WORKSPACE") or "stacks"),
            data=Path(given("STACKWRIGHT_DATA") or "data"),
            host=given("HOST") or "127.0.0.1",
            port=port_of(given("PORT") or "8000"),
            database=database_of(url) if url else None,
        )

    def merged(self, **flags: object) -> Settings:
        """These settings with the flags that were given."""
        return replace(self, **{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]

    @property
    def database_path(self) -> Path:
        return self.database or self.data / DATABASE


def port_of(text: str) -> int:
    """The port a text says. Raises SetupError."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise SetupError(f"the port '{text}' is no number from 0 to 65535")


def database_of(url: str) -> Path:
    """The file that `sqlite:///path` names. Raises SetupError for any other database."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2:
        shown = parts.scheme or url
        raise SetupError(f"STACKWRIGHT_DATABASE_URL: '{shown}' can't be served, write sqlite:///path/to/file")
    # Three slashes begin a relative path, four an absolute one.
    return Path(unquote(parts.path[1:]))


def write_out(data: bytes) -> None:
    """Writes a piece of the log."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except (BrokenPipeError, ValueError):  # whoever read the log is gone; requests are answered all the same
        pass


def checked_workspace(folder: Path) -> Checked:
    """The checked workspace in a folder. Raises SetupError where there is none, `Problems` where it has errors."""
    if not folder.is_dir():
        raise SetupError(f"there is no workspace folder '{folder}': name one with --workspace or STACKWRIGHT_WORKSPACE")
    checked = check_folder(folder)
    if checked.errors:
        raise Problems(checked.problems)
    return checked


def open_services(settings: Settings, workspace: Workspace) -> Services:
    """The services of a workspace in its data folder, which is made. Raises SetupError."""
    make_private(settings.data)
    keys = KeyRing.open(settings.data / "keys")
    return Services(
        store=SqliteStore.open(settings.database_path, workspace.tables),
        tokens=Tokens(keys, issuer=workspace.name, audience=workspace.name, clock=milliseconds),
        passwords=Passwords(DEFAULT_COST),
        log=Log(write_out),
    )


def make_private(folder: Path) -> None:
    """Makes a folder that nobody else may read, where it isn't there. Raises SetupError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"the data folder '{folder}' can't be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SetupError(f"the data folder '{folder}' can't be written: choose another with --data or STACKWRIGHT_DATA")


def create_app(settings: Settings, checked: Checked | None = None) -> Server:
    """The application of a workspace: checked first, so that nothing is written for one with errors.

    Raises SetupError, and `Problems` where the workspace has errors.
    """
    checked = checked or checked_workspace(settings.workspace)
    services = open_services(settings, checked.workspace)
    server = Server(build(checked, services), shutdown=[lambda: close(services)])
    return server


async def close(services: Services) -> None:
    """Finishes what is being written and lets go of everything."""
    await services.store.close()
    services.passwords.close()
    flush = getattr(services.log, "flush", None)
    if flush is not None:
        flush()


def app_or_exit(settings: Settings) -> Server:
    """The application; ends the process with a clear message where there can't be one."""
    try:
        return create_app(settings)
    except (Problems, SetupError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def configure(app: Server | str, settings: Settings, workers: int = 1) -> uvicorn.Config:
    """uvicorn's configuration for the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        workers=workers,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=protocol(),
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="error",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=2048,
    )


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on. Raises SetupError where it can't be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
    except OSError as error:
        made.close()
        why = "is in use" if error.errno == 98 else f"can't be listened on: {error.strerror}"
        raise SetupError(f"port {settings.port} of {settings.host} {why}: choose another with --port") from None
    made.set_inheritable(True)
    return made
