"""What the documentation shows is a workspace that checks without a finding, and its tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.testing import replay
from tests.commands import ROOT
from tests.support import checked, write

DOCS = {
    path.name: path.read_text("utf-8")
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.name not in ("reference.md", "codes.md")
}
PAGES = [name for name, text in DOCS.items() if "```yaml" in text]
TESTED = [name for name in PAGES if "\ntest: " in DOCS[name]]


def files_of(page: str) -> dict[str, str]:
    """The files on a page by name, as a comment in the first line says or by their number."""
    shown = re.findall(r"^```yaml\n(.*?)^```", DOCS[page], re.MULTILINE | re.DOTALL)
    names = (re.match(r"# stacks/(\S+)\n", text) for text in shown)
    return {
        name[1] if name else f"shown_{place}": text for place, (name, text) in enumerate(zip(names, shown, strict=True))
    }


@pytest.mark.parametrize("page", PAGES)
def test_the_files_of_a_page_check(tmp_path: Path, page: str) -> None:
    files = files_of(page)
    assert files
    assert [problem.render() for problem in checked(tmp_path, files).problems] == []


@pytest.mark.parametrize("page", TESTED)
def test_the_tests_of_a_page_pass(tmp_path: Path, page: str) -> None:
    written: list[str] = []
    assert replay.run_folder(write(tmp_path, files_of(page)), "stacks", None, written.append), "".join(written)
