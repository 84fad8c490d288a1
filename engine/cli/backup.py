"""`stackwright backup`: the database as it is now, and the keys of tokens, in one file."""

from __future__ import annotations

import argparse
import sys

from engine.cli.data_sources import place_of
from engine.cli.tables import require_database
from engine.errors import Problems, SetupError
from engine.http.serve import Settings
from engine.store import backup
from engine.workspace_reader import read_workspace


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace, data=options.data)
    if not settings.workspace.is_dir():
        raise SetupError(f"there is no workspace folder '{settings.workspace}': name yours with --workspace")
    workspace, problems = read_workspace(settings.workspace)  # a mistake in a stack must not be in a backup's way
    if workspace.is_broken("workspace"):  # whose it is and which data sources there are, nobody can tell
        raise Problems(problems)
    require_database(settings)
    backup.write(place_of(settings, workspace), options.file)
    sys.stdout.write(f"wrote {options.file}, {options.file.stat().st_size} bytes\n")
    return 0
