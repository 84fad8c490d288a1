"""The guide's files are a workspace that checks without a finding and whose tests pass."""

from __future__ import annotations

import re
from pathlib import Path

from engine.testing import replay
from tests.commands import ROOT
from tests.support import checked

FILES = dict(
    re.findall(r"```yaml\n# stacks/(\S+)\n(.*?)```", (ROOT / "docs" / "language.md").read_text("utf-8"), re.DOTALL)
)


def test_the_guides_files_check(tmp_path: Path) -> None:
    assert len(FILES) > 8
    assert [problem.render() for problem in checked(tmp_path, FILES).problems] == []


def test_the_guides_tests_pass(tmp_path: Path) -> None:
    checked(tmp_path, FILES)
    written: list[str] = []
    assert replay.run_folder(tmp_path, "stacks", None, written.append), "".join(written)
    assert written[-1] == "3 passed, 0 failed\n"
