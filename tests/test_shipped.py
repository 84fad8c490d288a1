"""The shipped stacks' own tests, on every storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.program import check_folder
from engine.testing import fixtures
from engine.testing.fixtures import Case, Suite
from engine.testing.replay import Harness
from tests.storages import storage as current

CHECKED = check_folder(Path(__file__).parent.parent / "stacks", "stacks")
SUITES = [fixtures.read_suite(file, CHECKED.workspace) for file in CHECKED.workspace.tests]


@pytest.fixture(scope="module")
def harness(storage: str) -> Iterator[Harness]:
    made = Harness(CHECKED, current().open)
    yield made
    made.close()


@pytest.mark.parametrize(("suite", "case"), [(suite, case) for suite in SUITES for case in suite.cases])
def test_a_shipped_case_holds(harness: Harness, suite: Suite, case: Case) -> None:
    failure = harness.replay(suite, case)
    assert failure is None, failure.render()
