"""The pytest plugin: `*.test.yaml` files are collected, one item a case.

pytest loads this module at its start, in every project where Stackwright is installed, so the rest is imported
only when there is a file to collect.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Problems, SetupError

_HARNESSES = pytest.StashKey[dict[Path, Any]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name.endswith((".test.yaml", ".test.yml")):
        return StackFile.from_parent(parent, path=file_path)
    return None


def pytest_unconfigure(config: pytest.Config) -> None:
    for workspace in config.stash.get(_HARNESSES, {}).values():
        workspace.close()


class StackFile(pytest.File):
    """A test file of a workspace: that of the nearest folder above with a `workspace.yaml`, else `stacks`."""

    def collect(self) -> Iterator[pytest.Item]:
        known = self.config.stash.setdefault(_HARNESSES, {})
        root = self._root()
        try:
            if root not in known:
                session = importlib.import_module("engine.testing.session")
                known[root] = session.Session(root, self.config.invocation_params.dir)
            found = list(known[root].cases(self.path))
        except (Problems, SetupError) as mistake:
            raise self.CollectError(str(mistake)) from None
        for suite, case in found:
            yield StackItem.from_parent(self, name=case.name, suite=suite, case=case, workspace=known[root])

    def _root(self) -> Path:
        stacks = self.config.rootpath / "stacks"
        fallback = stacks if self.path.is_relative_to(stacks) else self.path.parent
        return next((folder for folder in self.path.parents if _is_workspace(folder)), fallback)


def _is_workspace(folder: Path) -> bool:
    return any((folder / f"workspace{ending}").is_file() for ending in (".yaml", ".yml"))


class StackItem(pytest.Item):
    """One case."""

    def __init__(self, *, suite: Any, case: Any, workspace: Any, **more: Any) -> None:
        super().__init__(**more)
        self.suite, self.case, self.workspace = suite, case, workspace

    def runtest(self) -> None:
        failure = self.workspace.replay(self.suite, self.case)
        if failure is not None:
            raise CaseFailed(failure.render())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailed | SetupError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.first.span.line - 1, self.name


class CaseFailed(Exception):
    """What was expected, what was there, and the steps that ran."""
