"""`stackwright serve`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
import socket
import sys

from engine.check import Checked
from engine.errors import SetupError
from engine.http.serve import (
    Settings,
    address,
    checked_for,
    close,
    create_app,
    listen,
    open_services,
    serve,
)


def run(options: argparse.Namespace) -> int:
    """Checks first, then takes the port: where either fails, no database or key was made."""
    if options.reload and options.workers > 1:
        raise SetupError("--reload serves with one process: leave out --workers")
    settings = Settings.from_environment().merged(
        workspace=options.workspace, host=options.host, port=options.port, data=options.data
    )
    gc.disable()  # until it serves: what is made meanwhile stays
    try:
        checked = checked_for(settings)
        for problem in checked.problems:
            sys.stderr.write(problem.render() + "\n")
        with listen(settings) as listening:
            if options.workers > 1:
                return _serve_with(options.workers, settings, checked, listening)
            return _serve(settings, checked, listening, reload=options.reload)
    finally:
        gc.enable()


def _serve(settings: Settings, checked: Checked, listening: socket.socket, *, reload: bool) -> int:
    app = create_app(settings, checked)
    if reload:  # only then is there anything to watch with
        importlib.import_module("engine.http.reload").attach(app, settings)
    _announce(settings, checked, listening)
    serve(app, listening)
    return 0


def _serve_with(workers: int, settings: Settings, checked: Checked, listening: socket.socket) -> int:
    asyncio.run(close(open_services(settings, checked.workspace)))  # made once, and told of once where it can't be
    os.environ["STACKWRIGHT_WORKSPACE"], os.environ["STACKWRIGHT_DATA"] = str(settings.workspace), str(settings.data)
    supervisor = importlib.import_module("engine.http.workers").supervisor(workers, listening)
    _announce(settings, checked, listening)
    gc.enable()
    supervisor.run()
    return 0


def _announce(settings: Settings, checked: Checked, listening: socket.socket) -> None:
    workspace = checked.workspace
    canonicals = sorted({each.group.canonical for each in workspace.endpoints}) or [workspace.group.canonical]
    urls = ", ".join(f"{address(listening)}/api:{canonical}" for canonical in canonicals)
    sys.stderr.write(f"serving {settings.workspace} on {urls}\n")
