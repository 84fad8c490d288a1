"""Reloading: a saved file is checked at once, and served from the next request on if all is right."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from watchfiles import awatch

from engine.check import Checked
from engine.errors import Problems, SetupError
from engine.http.app import Server
from engine.http.serve import Settings, existing, update_all, without_errors
from engine.program import build, environment
from engine.session import Session
from engine.store.storage import open_store
from engine.workspace import LIVE


def attach(server: Server, settings: Settings) -> None:
    """Has `server` follow its workspace's folder while it serves."""
    reloader = Reloader(server, settings)
    startup, shutdown = server.callbacks
    startup.append(reloader.start)
    shutdown.insert(0, reloader.stop)


class Reloader:
    """Watches a workspace for `server`; a broken file is named, and the last good version goes on being served."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self._server, self._settings = server, settings
        self._session: Session | None = None  # of the first change on, what follows is checked as in an editor
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _watch(self) -> None:
        try:
            async for _ in awatch(self._settings.workspace, stop_event=self._stopping, debounce=200, step=20):
                await self.reload()
        except Exception as error:  # say, the folder is gone or there are too many watchers: the server is still fine
            say(f"saved files are no longer noticed: {error}")

    async def reload(self) -> bool:
        """Serves the workspace as it is now; False where it is broken."""
        try:
            # In a thread: requests are answered meanwhile.
            checked = await asyncio.to_thread(self._checked)
            await self._take(checked)
        except (Problems, SetupError) as error:
            say(f"{error}\nnot reloaded: the last good version is still served")
            return False
        say("\n".join([*(problem.render() for problem in checked.problems), "reloaded"]))
        return True

    def _checked(self) -> Checked:
        folder = existing(self._settings.workspace)
        if self._session is None:
            self._session = Session(folder, tests=False)
        else:
            self._session.refresh()
        return without_errors(self._session.checked())

    async def _take(self, checked: Checked) -> None:
        """Has the database brought up to date first: what could lose something is refused, and nothing has changed."""
        workspace = checked.workspace
        services = replace(self._server.program.services, env=environment(workspace))
        program = build(checked, services)
        # It waits for the runs that write at the moment, so they must be able to go on.
        sources = self._settings.sources(workspace)
        await asyncio.to_thread(update_all, sources, workspace.tables)
        for each in sources:
            if each.data_source not in (LIVE, *services.stores):
                services.stores[each.data_source] = open_store(each.storage, workspace.tables, change=False)
        for store in services.every_store:
            store.tables = workspace.tables
        self._server.swap(program)


def say(text: str) -> None:
    """Tells whoever started the server."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
