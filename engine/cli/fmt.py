"""`stackwright fmt`."""

from __future__ import annotations

import argparse
import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.errors import Problem, Problems, SetupError, Span, Text
from engine.formatting.canonical import canonical
from engine.http.serve import Settings, existing
from engine.program import LIBRARY
from engine.reformat import altered
from engine.session import Session
from engine.source import load
from engine.stack_files import stack_files, workspace_root
from engine.testing import fixtures


def run(options: argparse.Namespace) -> int:
    assert LIBRARY, "the steps are registered, whose arguments have an order"
    paths = options.paths or [existing(Settings.from_environment().workspace)]
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    changes, problems = _changes(files)
    _say(problems)
    writes = not (options.check or options.diff)
    for change in changes:
        sys.stdout.write(
            change.diff() if options.diff else f"{'formatted' if writes else 'would format'} {change.path}\n"
        )
        if writes:
            change.path.write_text(change.form, encoding="utf-8", newline="")
    sys.stderr.write(
        f"{_counted(len(changes))} {'formatted' if writes else 'to format'}, {len(files) - len(changes)} left\n"
    )
    return 1 if problems or (changes and not writes) else 0


def _files(path: Path) -> list[Path]:
    """The file, or those in the folder. Raises SetupError where there is neither."""
    if path.is_file():
        return [path]
    if path.is_dir():
        return stack_files(path)
    raise SetupError(f"there is no file or folder '{path}'")


@dataclass(frozen=True, slots=True)
class Change:
    """A file that isn't in its canonical `form` yet."""

    path: Path
    text: Text
    form: str

    def diff(self) -> str:
        """The change as a unified diff."""
        before, after = (text.splitlines(keepends=True) for text in (self.text.content, self.form))
        shown = difflib.unified_diff(before, after, str(self.path), str(self.path))
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in shown)


def _changes(files: list[Path]) -> tuple[list[Change], list[Problem]]:
    """What is to change, and what is wrong with the files that stay as they are."""
    changes: list[Change] = []
    problems: list[Problem] = []
    for path in files:
        try:
            text = load(path, str(path))
            form = canonical(text)
        except Problems as broken:
            problems += broken.problems
        else:
            changes += [Change(path, text, form)] if form != text.content else []
    refused = _refused(changes)
    problems += [_refusal(each.text) for each in changes if each.path.absolute() in refused]
    return [each for each in changes if each.path.absolute() not in refused], problems


def _refused(changes: list[Change]) -> set[Path]:
    """The files of whose canonical form a check of their workspace would say something else."""
    by_root: dict[Path, dict[Path, str]] = {}
    for change in changes:
        by_root.setdefault(workspace_root(change.path), {})[change.path.absolute()] = change.form
    sessions = ((Session(root, judge=fixtures.file_problems), forms) for root, forms in by_root.items())
    return {path for session, forms in sessions for path in altered(session, forms)}


def _refusal(text: Text) -> Problem:
    span = Span(text, 1, 1, 1, 1)
    hint = "a comment may count for its line: give it the line that it is for"
    return Problem("SW071", "a check would say something else of this file's canonical form", span, hint)


def _say(problems: list[Problem]) -> None:
    sys.stderr.write("".join(problem.render() + "\n\n" for problem in problems))


def _counted(number: int) -> str:
    return f"{number} file" + ("" if number == 1 else "s")
