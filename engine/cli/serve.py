"""`stackwright serve`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import uvicorn

from engine.http.reload import Reloader
from engine.http.serve import Settings, checked_workspace, configure, create_app, listen, make_private


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder (default: stacks)")
    parser.add_argument("--workspace", dest="workspace_flag", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--host", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: 8000)")
    parser.add_argument("--data", type=Path, help="the folder of the database and the keys (default: data)")
    parser.add_argument("--reload", action="store_true", help="check again on every save and serve what is right")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve (default: 1)")


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(
        workspace=options.workspace or options.workspace_flag, host=options.host, port=options.port, data=options.data
    )
    checked = checked_workspace(settings.workspace)
    for problem in checked.problems:
        sys.stderr.write(problem.render() + "\n")
    sock = listen(settings)
    if options.workers > 1:
        return serve_with_workers(settings, options.workers, sock.fileno())
    app = create_app(settings, checked)
    server = uvicorn.Server(configure(app, settings))
    host, port = sock.getsockname()[:2]
    sys.stderr.write(f"serving {settings.workspace} on http://{host}:{port}/api:{checked.workspace.group.canonical}/\n")
    if options.reload:
        reloader = Reloader(app, settings)
        app.callbacks[0].append(reloader.start)
        app.callbacks[1].insert(0, reloader.stop)
    try:
        server.run(sockets=[sock])
    except KeyboardInterrupt:
        pass
    return 0 if server.started else 1


def serve_with_workers(settings: Settings, workers: int, descriptor: int) -> int:
    """Serves with several processes on one socket; uvicorn's supervisor looks after them."""
    make_private(settings.data)
    environment = {
        **os.environ,
        "STACKWRIGHT_WORKSPACE": str(settings.workspace.resolve()),
        "STACKWRIGHT_DATA": str(settings.data.resolve()),
    }
    command = [
        sys.executable, "-m", "uvicorn", "server:app", "--fd", str(descriptor), "--workers", str(workers),
        "--no-access-log", "--no-server-header", "--log-level", "error", "--loop", "uvloop", "--http", "engine.http.protocol:Protocol",
    ]  # fmt: skip
    return subprocess.call(command, env=environment, pass_fds=[descriptor])


