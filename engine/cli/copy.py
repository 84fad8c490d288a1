"""`stackwright copy`: from a SQLite file to PostgreSQL, for a database that has outgrown one machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.cli.data_sources import require_data_source
from engine.errors import SetupError
from engine.http.serve import Settings, checked_workspace, database_of
from engine.store.drivers import postgres


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace, data_source=options.data_source)
    source, target = database_of(options.source), database_of(options.target) if options.target else settings.database
    if not isinstance(source, Path) or target is None or isinstance(target, Path):
        raise SetupError("records are copied from sqlite:///path/to/file to postgresql://user:password@host/name")
    workspace = checked_workspace(settings.workspace).workspace
    require_data_source(settings, workspace)
    file, url = (settings.merged(database=each).storage for each in (source, target))
    postgres("pg_copy").copy(file, url, workspace.tables, _told)
    return 0


def _told(table: str, count: int) -> None:
    sys.stdout.write(f"{table}: {count}\n")
