"""A workspace under pytest: checked once, its cases found by file and replayed one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import Problems
from engine.program import check_folder
from engine.testing import fixtures
from engine.testing.fixtures import Case, Suite
from engine.testing.replay import Harness
from engine.testing.report import Failure


class Session:
    """The workspace in the folder `root`; paths in messages are shown from `base` where they can be."""

    def __init__(self, root: Path, base: Path) -> None:
        self._shown = root.relative_to(base).as_posix() if root.is_relative_to(base) else str(root)
        self._root = root
        self._checked = check_folder(root, self._shown)
        if self._checked.errors:
            raise Problems(self._checked.errors)
        self._harness: Harness | None = None

    def cases(self, path: Path) -> Iterator[tuple[Suite, Case]]:
        """The cases in the file at `path`. Raises `Problems`."""
        shown = f"{self._shown}/{path.relative_to(self._root).as_posix()}"
        for file in self._checked.workspace.tests:
            if file.document.text.path == shown:
                suite = fixtures.read_suite(file, self._checked.workspace)
                yield from ((suite, case) for case in suite.cases)

    def replay(self, suite: Suite, case: Case) -> Failure | None:
        if self._harness is None:
            self._harness = Harness(self._checked)
        return self._harness.replay(suite, case)

    def close(self) -> None:
        if self._harness is not None:
            self._harness.close()
