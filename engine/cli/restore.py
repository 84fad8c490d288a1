"""`stackwright restore`: a backup put in the place of the database and the keys of tokens."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from datetime import UTC, datetime

from engine.cli.data_sources import place_of
from engine.errors import SetupError
from engine.http.serve import Settings, checked_workspace, make_private
from engine.store import backup
from engine.store.plan import plan
from engine.store.storage import Database, open_catalog
from engine.workspace import LIVE, Workspace


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace, data=options.data)
    workspace = checked_workspace(settings.workspace).workspace
    if not options.file.is_file():
        raise SetupError(f"there is no file '{options.file}'")
    make_private(settings.data)
    place = place_of(settings, workspace)
    try:
        made, held = backup.restore(place, options.file)
        behind = [name for name in held if _is_behind(place.databases[name], workspace)]
    except SetupError:
        with suppress(OSError):
            settings.data.rmdir()  # where it was made for this alone, it is empty
        raise
    moment = datetime.fromtimestamp(made / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    sys.stdout.write(f"restored {_said(held)} and the keys of {moment} UTC\n")
    for name in behind:
        command = settings.merged(data_source=name).command("migrate")
        sys.stderr.write(f"note: the tables' files say something else, see `{command}`\n")
    return 0


def _is_behind(database: Database, workspace: Workspace) -> bool:
    with open_catalog(database, change=False) as catalog:
        return bool(plan(catalog, workspace.tables))


def _said(data_sources: list[str]) -> str:
    if data_sources == [LIVE]:
        return "the database"
    return "the databases of " + ", ".join(f"'{name}'" for name in data_sources)
