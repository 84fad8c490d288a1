"""A workspace that changes: its files are read and checked again only where a change can be seen."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from engine.check import Checked, SecretReads, WorkspaceChecker
from engine.errors import Problem
from engine.ignores import heeded
from engine.memo import Memo
from engine.recheck import Owner, Rechecker, WatchedWorkspace, path_of, watched
from engine.stack_files import StackFile, is_test, is_visible, read_stack_file, shown_path, stack_files
from engine.workspace import Endpoint, Function, Table, TestFile, Workspace
from engine.workspace_reader import WorkspaceReader

# What is wrong with a test file.
Judge = Callable[[TestFile, Workspace], list[Problem]]


class Session:
    """The workspace in a folder, with an editor's texts in the place of its files.

    It answers what a check of everything from the beginning would, but keeps what a change can't be seen from.
    `shown_as` replaces the folder's name in messages. Without `tests` the `*.test.yaml` are left aside; a `judge` says
    what is wrong with them.
    """

    def __init__(
        self, root: Path, shown_as: str | None = None, *, tests: bool = True, judge: Judge | None = None
    ) -> None:
        self.root, self._shown_as, self._tests, self._judge = root, shown_as, tests, judge
        self._files: dict[Path, StackFile] = {}
        self._texts: dict[Path, str] = {}
        self._read, self._checks = Memo(), Memo()
        self._view: _View | None = None
        self.refresh()

    def refresh(self) -> None:
        """Reads what changed in the folder."""
        with _without_collecting():
            found = {*stack_files(self.root), *self._texts}
            self._take({path: self._file(path) for path in sorted(found) if self._tests or not is_test(path)})

    def put(self, path: Path, text: str | None) -> None:
        """Takes `text` for the content of the file at `path`, be it there or not; None for the file's own again."""
        if not self.holds(path):
            return
        if text is not None:
            self._texts[path] = text
        else:
            self._texts.pop(path, None)
        files = {**self._files, path: self._file(path)}
        if text is None and not path.is_file():
            del files[path]
        self._take(files if path in self._files else dict(sorted(files.items())))

    def holds(self, path: Path) -> bool:
        """Whether a file at `path` would be one of the workspace."""
        is_inside = path.is_relative_to(self.root) and is_visible(path, self.root)
        return is_inside and path.suffix in (".yaml", ".yml") and (self._tests or not is_test(path))

    def shown(self, path: Path) -> str:
        """What problems call the file at `path`."""
        return shown_path(path, self.root, self._shown_as)

    def text(self, path: Path) -> str | None:
        """What stands for the content of the file at `path`; None for the file's own."""
        return self._texts.get(path)

    @property
    def files(self) -> dict[Path, StackFile]:
        """The files, in order."""
        return self._files

    @property
    def workspace(self) -> Workspace:
        """What the files declare."""
        return self._current.workspace

    def checked(self) -> Checked:
        """The whole workspace, checked. What is wrong with test files is `judged` apart."""
        with _without_collecting():
            view = self._current
            checked = Rechecker(view.watched, self._checks).checked(view.problems)
        return replace(checked, workspace=view.workspace)

    def checked_before(self, secret_reads: SecretReads) -> Checked:
        """The workspace, known to be without any problem: a stack is checked when it is first asked for."""
        with _without_collecting():
            view = self._current
        return self.checked() if view.problems else WorkspaceChecker(view.workspace).later(secret_reads)

    def judged(self) -> list[Problem]:
        """What is wrong with the test files."""
        found = [problem for file in self.workspace.tests for problem in self._judged(file)]
        return sorted(found, key=lambda problem: problem.place)

    def problems(self, path: Path) -> list[Problem]:
        """What is wrong with the file at `path`, checking no more than that takes."""
        view, shown = self._current, self.shown(path)
        checker = Rechecker(view.watched, self._checks)
        for owner in view.owners.get(shown, ()):
            self._check(checker, owner)
        found = [each for each in (*view.problems, *checker.problems) if each.span.path == shown]
        documents = [each for each in view.workspace.documents if each.text.path == shown]
        return sorted(heeded(documents, found), key=lambda problem: problem.place)

    def settle(self) -> Iterator[None]:
        """Checks what a change has left open, a file at a time; to be dropped after the next change."""
        view = self._current
        checker = Rechecker(view.watched, self._checks)
        for owners in view.owners.values():
            for owner in owners:
                self._check(checker, owner)
            yield

    def _check(self, checker: Rechecker, owner: Owner) -> None:
        match owner:
            case Endpoint():
                checker.endpoint(owner)
            case Function():
                checker.function(owner.name)
            case Table():
                checker.table(owner)
            case TestFile():
                checker.problems += self._judged(owner)

    def _judged(self, file: TestFile) -> list[Problem]:
        if self._judge is None:
            return []
        watched = self._current.watched
        return self._checks.recall(("test", path_of(file)), file, partial(self._judgement, self._judge, file, watched))

    def _judgement(self, judge: Judge, file: TestFile, workspace: WatchedWorkspace) -> list[Problem]:
        self._checks.look("settings", None, workspace.settings)
        return judge(file, workspace)

    def _file(self, path: Path) -> StackFile:
        return read_stack_file(path, self.shown(path), self._texts.get(path), self._files.get(path))

    def _take(self, files: dict[Path, StackFile]) -> None:
        if list(files.items()) != list(self._files.items()):
            gone = {self.shown(path) for path in self._files.keys() - files.keys()}
            for memo in (self._read, self._checks) if gone else ():
                memo.forget(gone)
            self._files, self._view = files, None

    @property
    def _current(self) -> _View:
        if self._view is None:
            reader = WorkspaceReader(self.root, self._files.values(), self._read)
            self._view = _View(reader.workspace(), reader.problems, self._checks)
        return self._view


@dataclass(frozen=True, eq=False)
class _View:
    """The workspace as its files are at one time."""

    workspace: Workspace
    problems: list[Problem]
    memo: Memo

    @cached_property
    def watched(self) -> WatchedWorkspace:
        """The workspace for those whose results `memo` keeps."""
        return watched(self.workspace, self.memo)

    @cached_property
    def owners(self) -> dict[str, list[Owner]]:
        """What is checked of each file, by its shown path."""
        workspace = self.workspace
        tables, functions = workspace.tables.values(), workspace.functions.values()
        owners: list[Owner] = [*workspace.endpoints, *functions, *tables, *workspace.tests]
        found: dict[str, list[Owner]] = {}
        for owner in owners:
            found.setdefault(path_of(owner), []).append(owner)
        return found


@contextmanager
def _without_collecting() -> Iterator[None]:
    """What is read and checked is kept: to look for garbage among it again and again takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
