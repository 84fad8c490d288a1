"""`stackwright restore`: a backup put in the place of the database and the keys of tokens."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import SetupError
from engine.http.serve import Settings, checked_workspace, make_private
from engine.store import backup
from engine.store.plan import plan
from engine.store.storage import open_catalog


def declare(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Put what 'backup' wrote in the place of the database and the keys of tokens. The server must be stopped; where"
        " anything is amiss, nothing is changed."
    )
    parser.add_argument("file", type=Path, help="what 'stackwright backup' wrote")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="the workspace's folder (stacks)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the database and the keys (data)")


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace, data=options.data)
    workspace = checked_workspace(settings.workspace).workspace
    if not options.file.is_file():
        raise SetupError(f"there is no file '{options.file}'")
    make_private(settings.data)
    place = backup.Place(workspace.name, settings.storage, settings.keys)
    try:
        made = backup.restore(place, options.file)
        with open_catalog(settings.storage, change=False) as catalog:
            is_behind = bool(plan(catalog, workspace.tables))
    except SetupError:
        with suppress(OSError):
            settings.data.rmdir()  # where it was made for this alone, it is empty
        raise
    moment = datetime.fromtimestamp(made / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    sys.stdout.write(f"restored the database and the keys of {moment} UTC\n")
    if is_behind:
        sys.stderr.write(f"note: the tables' files say something else, see `{settings.command('migrate')}`\n")
    return 0
