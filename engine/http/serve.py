"""Serving a workspace: settings, the services in a data folder, and uvicorn set up for them."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import shlex
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import uvicorn.server
from uvicorn.config import STARTUP_FAILURE

from engine import known
from engine.check import Checked
from engine.errors import Problems, SetupError
from engine.http.app import Server
from engine.http.fit import require_fitting_uvicorn
from engine.http.inspection import Inspection
from engine.http.logs import Log
from engine.http.protocol import Protocol
from engine.http.proxies import Proxies
from engine.program import build, check_folder, environment
from engine.run import Services, milliseconds
from engine.security.keys import KeyRing
from engine.security.passwords import DEFAULT_COST, Passwords
from engine.security.private import refuse_exposed
from engine.security.tokens import Tokens, load_libraries
from engine.store.storage import Database, open_store, update
from engine.store.url import SCHEMES, DatabaseUrl
from engine.workspace import LIVE, Table, Workspace

if sys.platform != "win32":
    import resource

GRACE_SECONDS = 30  # that running requests get to end when the server stops
BACKLOG = 2048  # connections that wait to be accepted
MAX_CONNECTIONS = 20_000
SPARE_FILES = 128  # descriptors kept from connections, for the database, keys and uploads
DATABASE = "database.sqlite3"
FILES = ("", "-wal", "-shm")  # of a database of SQLite, by the ends of their names
LOAD_AFTER = 0.1  # seconds: whoever waited for the start is answered first


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment, and flags before it, say: see the README's table."""

    workspace: Path = Path("stacks")
    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    database: Database | None = None
    data_source: str = LIVE
    shared: bool = False  # others of this machine may read the data folder and the database
    proxies: Proxies | None = None
    hsts: int = 0  # seconds that browsers are to come by HTTPS only

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings that `STACKWRIGHT_…`, `HOST` and `PORT` spell. Raises SetupError."""
        given = environment.get
        url = given("STACKWRIGHT_DATABASE_URL", "")
        return cls(
            workspace=Path(given("STACKWRIGHT_WORKSPACE") or "stacks"),
            data=Path(given("STACKWRIGHT_DATA") or "data"),
            host=given("HOST") or "127.0.0.1",
            port=port_of(given("PORT") or "8000"),
            database=database_of(url) if url else None,
            shared=_is_yes("STACKWRIGHT_SHARED_DATA", given("STACKWRIGHT_SHARED_DATA") or "no"),
            proxies=Proxies.parse(given("STACKWRIGHT_PROXIES", "")),
            hsts=seconds_of(given("STACKWRIGHT_HSTS") or "0"),
        )

    def merged(self, **flags: object) -> Settings:
        """These settings with the flags that were given."""
        return replace(self, **{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]

    def command(self, name: str) -> str:
        """How a command is spelt that is to work on the same workspace and data."""
        words, usual = ["stackwright", name], Settings()
        words += [str(self.workspace)] if self.workspace != usual.workspace else []
        words += ["--data", str(self.data)] if self.data != usual.data else []
        words += ["--data-source", self.data_source] if self.data_source != LIVE else []
        url = f"STACKWRIGHT_DATABASE_URL={shlex.quote(f'sqlite:///{self.database}')} "
        return (url if isinstance(self.database, Path) else "") + shlex.join(words)

    @property
    def storage(self) -> Database:
        """Where the records of the data source are: `database.test.sqlite3` lies beside `database.sqlite3`.

        In PostgreSQL it is a schema: see `DatabaseUrl.at`.
        """
        live = self.database or self.data / DATABASE
        if self.data_source == LIVE:
            return live
        if isinstance(live, Path):
            return live.with_name(f"{live.stem}.{self.data_source}{live.suffix}")
        return live.at(self.data_source)

    def sources(self, workspace: Workspace) -> list[Settings]:
        """The settings of each data source of the workspace, `live` first."""
        return [replace(self, data_source=name) for name in (LIVE, *workspace.data_sources)]

    @property
    def private(self) -> list[Path]:
        """The folder, and the files of the database, that nobody else may read."""
        files = [Path(f"{self.storage}{ending}") for ending in FILES] if isinstance(self.storage, Path) else []
        return [self.data, *files]

    @property
    def keys(self) -> Path:
        return self.data / "keys"


def _is_yes(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise SetupError(f"{name}: '{text}' is neither 'yes' nor 'no'")
    return text == "yes"


def port_of(text: str) -> int:
    """The port a text says. Raises SetupError."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise SetupError(f"the port '{text}' is no number from 0 to 65535")


def seconds_of(text: str) -> int:
    """The seconds that STACKWRIGHT_HSTS says. Raises SetupError."""
    if text.isascii() and text.isdigit() and len(text) < 12:
        return int(text)
    raise SetupError(f"STACKWRIGHT_HSTS: '{text}' is no number of seconds: write 31536000 for a year")


def database_of(url: str) -> Database:
    """The file that `sqlite:///path` names, or where PostgreSQL is. Raises SetupError for any other database."""
    parts = urlsplit(url)
    if parts.scheme in SCHEMES:
        return DatabaseUrl.parse(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2:
        shown = parts.scheme or url
        either = "sqlite:///path/to/file or postgresql://user:password@host/name"
        raise SetupError(f"STACKWRIGHT_DATABASE_URL: '{shown}' can't be served, write {either}")
    # Three slashes begin a relative path, four an absolute one.
    return Path(unquote(parts.path[1:]))


def write_out(data: bytes) -> None:
    """Writes a piece of the log."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except (BrokenPipeError, ValueError):  # whoever read the log is gone; requests are answered all the same
        pass


def existing(folder: Path) -> Path:
    """The workspace's folder. Raises SetupError where there is none."""
    if not folder.is_dir():
        raise SetupError(f"there is no workspace folder '{folder}': name yours, or make one with 'stackwright new'")
    return folder


def checked_workspace(folder: Path) -> Checked:
    """The checked workspace in a folder, its tests left aside.

    Raises SetupError where there is none, `Problems` where it has errors.
    """
    return without_errors(check_folder(existing(folder), tests=False))  # a test being written stops no server


def checked_for(settings: Settings) -> Checked:
    """The checked workspace of the settings, its tests left aside; what is noted in the data folder isn't done again.

    Raises SetupError where there is none, `Problems` where it has errors.
    """
    return without_errors(known.check(existing(settings.workspace), settings.data))


def without_errors(checked: Checked) -> Checked:
    """A checked workspace that can be served. Raises `Problems` where it has errors."""
    if checked.errors:
        raise Problems(checked.problems)
    return checked


def open_services(settings: Settings, workspace: Workspace) -> Services:
    """The services of a workspace in its data folder, which is made. Raises SetupError."""
    env, sources = environment(workspace), settings.sources(workspace)  # refused before anything is written
    make_private(settings.data)
    if not settings.shared:
        refuse_exposed(dict.fromkeys(path for each in sources for path in each.private))
    keys = KeyRing.open(settings.keys)
    update_all(sources, workspace.tables)
    stores = {each.data_source: open_store(each.storage, workspace.tables, change=False) for each in sources}
    return Services(
        store=stores.pop(LIVE),
        stores=stores,
        tokens=Tokens(keys, issuer=workspace.name, audience=workspace.name, clock=milliseconds),
        passwords=Passwords(DEFAULT_COST),
        log=Log(write_out),
        env=env,
    )


def update_all(sources: Iterable[Settings], tables: Mapping[str, Table]) -> None:
    """Makes the databases of data sources, and whatever of `tables` they lack. Raises SetupError."""
    for each in sources:
        try:
            update(each.storage, tables, each.command("migrate"))
        except SetupError as error:
            if each.data_source == LIVE:
                raise
            raise SetupError(f"the data source '{each.data_source}': {error}") from error


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
    checked = checked or checked_for(settings)
    services = open_services(settings, checked.workspace)
    files = [each.storage for each in settings.sources(checked.workspace) if isinstance(each.storage, Path)]
    inspection = Inspection(files, services.log)
    return Server(
        build(checked, services),
        startup=[settle, inspection.start],
        shutdown=[inspection.stop, lambda: close(services)],
        proxies=settings.proxies,
    )


async def settle() -> None:
    """Ends the start: from now on garbage is collected, and soon a thread loads what the first requests need."""
    gc.freeze()  # what is there stays, so that it looks at none of it again
    gc.enable()
    asyncio.get_running_loop().call_later(LOAD_AFTER, Thread(target=load_libraries, daemon=True).start)


async def close(services: Services) -> None:
    """Finishes what is being written and lets go of everything."""
    try:
        for store in services.every_store:
            await store.close()
    finally:
        services.passwords.close()
        if isinstance(services.log, Log):
            services.log.flush()


def app_or_exit() -> Server:
    """The application of the environment's settings; ends the process with a clear message where there can't be one."""
    try:
        return create_app(Settings.from_environment())
    except (Problems, SetupError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(STARTUP_FAILURE)  # by which uvicorn knows that a worker would fail again


def configure(app: Server | str, *, workers: int = 1) -> uvicorn.Config:
    """uvicorn's configuration for the application, or for the one that the function named `app` makes.

    The `Date` header stays: RFC 9110 §6.6.1 wants it, and its text is made once a second. Raises SetupError.
    """
    require_fitting_uvicorn()
    hsts = Settings.from_environment().hsts
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="auto" if sys.platform == "win32" else "engine.http.accepting:new_loop",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # `Proxies` reads them
        headers=[("strict-transport-security", f"max-age={hsts}")] if hsts else [],  # RFC 6797 §6.1
        log_level="error",
        server_header=False,
        limit_concurrency=connection_limit(),
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )


def serve(app: Server, listening: socket.socket) -> None:
    """Serves the application on a socket until it is told to stop."""
    uvicorn.server.Server(configure(app)).run(sockets=[listening])


def connection_limit() -> int:
    """How many connections to hold at once, after the limit of open files was raised as far as it may be."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(wanted, soft) - SPARE_FILES)


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on, listening. Raises SetupError where it can't be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
        made.listen(BACKLOG)
    except (OSError, UnicodeError) as error:  # the latter for what can't be a host's name
        made.close()
        raise SetupError(_unbound(settings, error)) from None
    return made


def _unbound(settings: Settings, error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return f"'{settings.host}' can't be a host's name: write an address or a name with --host or HOST"
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} is in use: stop what uses it, or choose another with --port or PORT"
    if error.errno == errno.EACCES:
        return f"port {settings.port} is not ours to use: choose one above 1023 with --port or PORT"
    return f"'{settings.host}' port {settings.port} can't be listened on: {error.strerror or error}"


def address(listening: socket.socket) -> str:
    """`http://127.0.0.1:8000`."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
