"""`stackwright serve`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import socket
import sys
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from engine.check import Checked
from engine.errors import SetupError
from engine.http.serve import (
    Settings,
    address,
    checked_workspace,
    close,
    configure,
    create_app,
    listen,
    open_services,
    port_of,
)


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, metavar="DIR", help="the workspace's folder (stacks)")
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, help="the port to listen on, 0 for any that is free (8000)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the database and the keys (data)")
    parser.add_argument("--workers", type=_count, default=1, metavar="N", help="how many processes serve (1)")
    parser.add_argument("--reload", action="store_true", help="serve what is saved, as long as it checks")


def _port(text: str) -> int:
    try:
        return port_of(text)
    except SetupError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 256:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 to 256")


def run(options: argparse.Namespace) -> int:
    """Checks first, then takes the port: where either fails, nothing was written."""
    if options.reload and options.workers > 1:
        raise SetupError("--reload serves with one process: leave out --workers")
    settings = Settings.from_environment().merged(
        workspace=options.workspace, host=options.host, port=options.port, data=options.data
    )
    checked = checked_workspace(settings.workspace)
    for problem in checked.problems:
        sys.stderr.write(problem.render() + "\n")
    with listen(settings) as listening:
        if options.workers > 1:
            return _serve_with(options.workers, settings, checked, listening)
        return _serve(settings, checked, listening, reload=options.reload)


def _serve(settings: Settings, checked: Checked, listening: socket.socket, *, reload: bool) -> int:
    app = create_app(settings, checked)
    if reload:  # only then is there anything to watch with
        importlib.import_module("engine.http.reload").attach(app, settings)
    server = uvicorn.Server(configure(app))
    _announce(settings, checked, listening)
    server.run(sockets=[listening])
    return 0


def _serve_with(workers: int, settings: Settings, checked: Checked, listening: socket.socket) -> int:
    asyncio.run(close(open_services(settings, checked.workspace)))  # made once, and told of once where it can't be
    os.environ["STACKWRIGHT_WORKSPACE"], os.environ["STACKWRIGHT_DATA"] = str(settings.workspace), str(settings.data)
    config = configure("engine.http.serve:app_or_exit", workers=workers)
    _announce(settings, checked, listening)
    Supervisor(config, [listening]).run()
    return 0


class Supervisor(Multiprocess):
    """uvicorn's, but that nobody new is let in while the workers finish: it would wait for one that isn't there."""

    def terminate_all(self) -> None:
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def _announce(settings: Settings, checked: Checked, listening: socket.socket) -> None:
    workspace = checked.workspace
    canonicals = sorted({each.group.canonical for each in workspace.endpoints}) or [workspace.group.canonical]
    urls = ", ".join(f"{address(listening)}/api:{canonical}" for canonical in canonicals)
    sys.stderr.write(f"serving {settings.workspace} on {urls}\n")
