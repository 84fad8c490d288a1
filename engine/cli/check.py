"""`stackwright check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.cli.findings import as_github, as_json, as_text
from engine.cli.sarif import as_sarif
from engine.cli.tables import require_database
from engine.errors import Problem, SetupError
from engine.http.serve import Settings, existing
from engine.program import check_folder
from engine.store.damage import damage, told
from engine.testing import fixtures
from engine.workspace import Workspace

FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace)
    checked = check_folder(existing(settings.workspace))
    problems = [*checked.problems, *fixtures.problems(checked.workspace)]
    sys.stdout.write(FORMATS[options.format](problems))
    if options.data is not None:
        _inspect(settings.merged(data=options.data or None), checked.workspace)
    return 1 if any(problem.severity == "error" for problem in problems) else 0


def _inspect(settings: Settings, workspace: Workspace) -> None:
    """Raises SetupError where a database is damaged, or there is none to look at."""
    require_database(settings)
    for each in settings.sources(workspace):
        if not isinstance(each.storage, Path):
            raise SetupError("only files of SQLite can be looked at: of PostgreSQL ask 'pg_amcheck'")
        if each.storage.is_file() and (found := damage(each.storage)):
            raise SetupError(told(each.storage, found))
