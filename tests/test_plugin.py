"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support import USER, write

PING = {"ping": "endpoint: POST /ping\nstack:\n  - set: {x: 1}\n    note: only step\nresponse: {answer: $x}"}
TEST = """
    test: POST /ping
    cases:
      - name: it answers
        each: [{}, {}]
        response: {answer: 1}
      - name: it lies
        response: {answer: 2}
"""


def pytest_in(folder: Path, *words: str) -> tuple[int, str]:
    """The exit status and output of pytest in a folder."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_case_is_an_item(tmp_path: Path) -> None:
    write(
        tmp_path, {"app/workspace": "workspace: w\n", "app/user": USER, **_in("app", PING), "app/ping.test.yaml": TEST}
    )
    status, output = pytest_in(tmp_path, "-v")
    assert status == 1, output
    found = re.findall(r"^app/ping.test.yaml::(.*?) (PASSED|FAILED)", output, re.MULTILINE)
    assert found == [("it answers [0]", "PASSED"), ("it answers [1]", "PASSED"), ("it lies", "FAILED")]
    assert "  app/ping.test.yaml:7: response.answer: expected 2, was 1\n  steps of POST /ping:\n" in output
    assert "Traceback" not in output


def test_a_workspace_without_settings_is_found_under_stacks(tmp_path: Path) -> None:
    write(tmp_path, {**_in("stacks", PING), "stacks/deep/down/ping.test.yaml": TEST, "pytest.ini": "[pytest]\n"})
    status, output = pytest_in(tmp_path, "-k", "answers")
    assert status == 0, output
    assert "2 passed, 1 deselected" in output


def test_a_mistake_is_an_error_of_its_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "workspace": "workspace: w\n",
            **PING,
            "ping.test.yaml": TEST,
            "bad.test.yaml": TEST.replace("/ping", "/pong"),
        },
    )
    status, output = pytest_in(tmp_path, "--continue-on-collection-errors")
    assert status == 1, output
    assert "bad.test.yaml:1:7: error SW402: unknown endpoint or function 'POST /pong'" in output
    assert "did you mean 'POST /ping'?" in output
    assert "2 passed, 1 error" in output.replace("1 failed, ", "")
    assert "Traceback" not in output


def test_a_workspace_with_mistakes_is_not_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "workspace": "workspace: w\n",
            "ping": "endpoint: POST /ping\nstack: [{sett: {x: 1}}]",
            "ping.test.yaml": TEST,
        },
    )
    status, output = pytest_in(tmp_path)
    assert status == 2, output
    assert "ping.yaml:2:10: error SW102: unknown step 'sett'" in output


def test_an_environment_that_lacks_something_is_said(tmp_path: Path) -> None:
    write(tmp_path, {"workspace": "workspace: w\nenv: {NOWHERE_TO_BE_SEEN: text}\n", **PING, "ping.test.yaml": TEST})
    status, output = pytest_in(tmp_path, "-k", "lies")
    assert status == 1, output
    assert "the environment lacks what 'env:' of the workspace declares: NOWHERE_TO_BE_SEEN" in output
    assert "Traceback" not in output


def test_a_session_without_test_files_loads_no_engine(tmp_path: Path) -> None:
    write(
        tmp_path, {"test_it.py": "import sys\ndef test_it() -> None:\n    assert 'engine.program' not in sys.modules\n"}
    )
    status, output = pytest_in(tmp_path)
    assert status == 0, output


def _in(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}
