"""Reloading: a saved file is checked at once, and served from the next request on if all is right."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import replace

from watchfiles import awatch

from engine.errors import Fault, Problems, SetupError
from engine.http.app import Server
from engine.http.serve import Settings, checked_workspace
from engine.program import Program, build
from engine.store.sqlite import SqliteStore


class Reloader:
    """Watches a workspace for `server`; a broken file is named, and the last good version goes on serving."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self._server, self._settings = server, settings
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        self._stop.set()
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        async for _ in awatch(self._settings.workspace, stop_event=self._stop, debounce=100, step=20):
            await self.reload()

    async def reload(self) -> bool:
        """Serves the workspace as it is now; False where it is broken."""
        try:
            self._server.swap(self._program())
        except (Problems, SetupError, Fault) as error:
            sys.stderr.write(f"{error}\nstill serving the last good version\n")
            return False
        sys.stderr.write("reloaded\n")
        return True

    def _program(self) -> Program:
        checked = checked_workspace(self._settings.workspace)
        for problem in checked.problems:
            sys.stderr.write(problem.render() + "\n")
        services = self._server.program.services
        # New tables and columns are made; what could lose data is refused, and nothing is served of it.
        store = services.store
        SqliteStore.update(self._settings.database_path, checked.workspace.tables)
        store.tables = checked.workspace.tables
        return build(checked, replace(services))
