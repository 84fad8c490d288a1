"""`stackwright copy`: from a SQLite file to PostgreSQL, for a database that has outgrown one machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import SetupError
from engine.http.serve import Settings, checked_workspace, database_of
from engine.store.drivers import postgres
from engine.store.storage import Database


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FROM", help="sqlite:///path/to/file; stop what serves it")
    parser.add_argument(
        "target",
        metavar="TO",
        nargs="?",
        help="postgresql://… (STACKWRIGHT_DATABASE_URL, which no list of processes shows)",
    )
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="the workspace's folder (stacks)")


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace)
    source = database_of(options.source)
    target: Database | None = database_of(options.target) if options.target else settings.database
    if not isinstance(source, Path) or target is None or isinstance(target, Path):
        raise SetupError("records are copied from sqlite:///path/to/file to postgresql://user:password@host/name")
    tables = checked_workspace(settings.workspace).workspace.tables
    postgres("pg_copy").copy(source, target, tables, _told)
    return 0


def _told(table: str, count: int) -> None:
    sys.stdout.write(f"{table}: {count}\n")
