"""`stackwright check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.cli.findings import as_github, as_json, as_text
from engine.cli.sarif import as_sarif
from engine.errors import Problem
from engine.http.serve import Settings, existing
from engine.program import check_folder
from engine.testing import fixtures

FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder (default: stacks)")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="how problems are written")


def run(options: argparse.Namespace) -> int:
    folder = existing(Settings.from_environment().merged(workspace=options.workspace).workspace)
    checked = check_folder(folder)
    problems = [*checked.problems, *fixtures.problems(checked.workspace)]
    sys.stdout.write(FORMATS[options.format](problems))
    return 1 if any(problem.severity == "error" for problem in problems) else 0
