"""`stackwright check`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import Problem
from engine.http.serve import Settings, existing
from engine.program import check_folder
from engine.testing import fixtures


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder (default: stacks)")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="how problems are written")


def run(options: argparse.Namespace) -> int:
    folder = existing(Settings.from_environment().merged(workspace=options.workspace).workspace)
    checked = check_folder(folder)
    problems = [*checked.problems, *fixtures.problems(checked.workspace)]
    sys.stdout.write(FORMATS[options.format](problems))
    return 1 if any(problem.severity == "error" for problem in problems) else 0


def as_text(problems: Sequence[Problem]) -> str:
    """The problems as an author reads them, and their count."""
    errors = sum(problem.severity == "error" for problem in problems)
    rendered = [problem.render() + "\n\n" for problem in problems]
    return "".join(rendered) + f"{_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}\n"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def as_json(problems: Sequence[Problem]) -> str:
    """The problems as a JSON list."""
    return json.dumps([_entry(problem) for problem in problems], indent=2, ensure_ascii=False) + "\n"


def _entry(problem: Problem) -> dict[str, object]:
    span = problem.span
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "path": span.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def as_github(problems: Sequence[Problem]) -> str:
    """The problems as GitHub's annotations."""
    return "".join(_annotation(problem) for problem in problems)


def _annotation(problem: Problem) -> str:
    span = problem.span
    text = problem.message + (f" ({problem.hint})" if problem.hint else "")
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    place = f"file={span.path},line={span.line},col={span.column},endLine={span.end_line},endColumn={span.end_column}"
    return f"::{problem.severity} {place},title={problem.code}::{escaped}\n"


FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {"text": as_text, "json": as_json, "github": as_github}
