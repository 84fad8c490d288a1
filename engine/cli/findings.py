"""Findings as a reader, a program and GitHub's annotations take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine.errors import Problem, Span


def as_text(problems: Sequence[Problem]) -> str:
    """The problems as an author reads them, and their count."""
    errors = sum(problem.severity == "error" for problem in problems)
    rendered = [problem.render() + "\n\n" for problem in problems]
    return "".join(rendered) + f"{_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}\n"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def as_json(problems: Sequence[Problem]) -> str:
    """The problems as a JSON list; lines and columns count characters from 1, the end is exclusive."""
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
    """The problems as GitHub's annotations: workflow commands, a line each."""
    return "".join(_annotation(problem) for problem in problems)


def _annotation(problem: Problem) -> str:
    span = problem.span
    place: dict[str, object] = {"file": path_here(span).as_posix(), "line": span.line, "endLine": span.end_line}
    if span.line == span.end_line:  # GitHub takes columns within one line alone
        place |= {"col": span.column, "endColumn": span.end_column}
    properties = ",".join(f"{name}={_property(value)}" for name, value in {**place, "title": problem.code}.items())
    return f"::{problem.severity} {properties}::{_data(said(problem))}\n"


def path_here(span: Span) -> Path:
    """A file's path from where the checker runs, where it lies below: the same on every machine."""
    path, here = Path(span.path), Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path


def said(problem: Problem) -> str:
    """A problem and its mend in one line."""
    return problem.message + (f" ({problem.hint})" if problem.hint else "")


def _data(text: str) -> str:
    """A command's message; these three are what its parser takes for its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")
