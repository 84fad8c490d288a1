"""The files that the documentation shows are files that check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import checked

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md") if path.name != "reference.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_files_of_a_page_make_a_workspace(tmp_path: Path, page: str) -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = checked(tmp_path, {f"shown_{number}": text for number, text in enumerate(shown)}).problems
    assert not found, "\n".join(problem.render() for problem in found)
    assert shown
