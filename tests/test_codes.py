"""Every code that is raised has its page, whose wrong example has exactly that problem and whose right one has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.explain import pages
from engine.codes import TABLES, Code, codes
from engine.errors import Problem
from engine.testing import fixtures
from tests.commands import ROOT
from tests.support import checked

PAGES = codes().values()
SHOWN = [code for code in PAGES if code.wrong]
# Mistakes of files and expressions that are too long to be shown, or that no file of text shows.
NOT_SHOWN = {"SW001", "SW004", "SW021", "SW022", "SW071", "SW305"}


def problems_of(folder: Path, example: str) -> list[Problem]:
    """What is found in an example, beside the tables that all of them know."""
    found = checked(folder, files_of(example))
    return [*found.problems, *fixtures.problems(found.workspace)]


def files_of(example: str) -> dict[str, str]:
    """The files of an example by name."""
    if example.startswith("- "):
        steps = "".join(f"  {line}\n" for line in example.splitlines())
        return {**TABLES, "it": "endpoint: POST /it\ninput: {email: email, password: password}\nstack:\n" + steps}
    named = re.findall(r"(?ms)^# (\S+\.yaml)\n(.*?)(?=^---\n# |\Z)", example)
    return {**TABLES, **(dict(named) or {"it": example})}


def test_what_cannot_be_shown() -> None:
    assert {code.name for code in PAGES if not code.wrong} == NOT_SHOWN


@pytest.mark.parametrize("code", SHOWN, ids=[code.name for code in SHOWN])
def test_the_wrong_example_has_exactly_its_problem(tmp_path: Path, code: Code) -> None:
    found = problems_of(tmp_path, code.wrong)
    assert {(each.code, each.severity) for each in found} == {(code.name, code.severity)}, found
    assert len({each.span for each in found}) == len(found)


@pytest.mark.parametrize("code", SHOWN, ids=[code.name for code in SHOWN])
def test_the_right_example_has_none(tmp_path: Path, code: Code) -> None:
    assert [problem.render() for problem in problems_of(tmp_path, code.right)] == []


def raised() -> Iterator[tuple[str, bool]]:
    """Each code that stands in the engine's Python, and whether the call that it stands in speaks of a warning."""
    for path in ROOT.glob("engine/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                constants = [each.value for each in node.args if isinstance(each, ast.Constant)]
                yield from ((each, "warning" in constants) for each in constants if is_code(each))
            elif isinstance(node, ast.Tuple | ast.arguments):
                parts = node.elts if isinstance(node, ast.Tuple) else node.defaults
                yield from (
                    (each.value, False) for each in parts if isinstance(each, ast.Constant) and is_code(each.value)
                )


def is_code(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"SW\d{3}", value) is not None


def test_every_code_that_is_raised_has_its_page_and_no_other_has() -> None:
    assert {name for name, _ in raised()} == set(codes())


def test_warnings_are_raised_as_warnings() -> None:
    assert {name for name, is_warning in raised() if is_warning} == {
        code.name for code in PAGES if code.severity == "warning"
    }


def test_pages_are_in_order_and_said_in_one_breath() -> None:
    assert list(codes()) == sorted(codes())
    for code in PAGES:
        assert re.fullmatch(r"[a-z][^.]*", code.title), code.name
        assert code.why.strip().endswith("."), code.name
        assert max(map(len, code.why.splitlines())) <= 120, code.name


def test_the_page_of_all_codes_is_fresh() -> None:
    assert (ROOT / "docs" / "codes.md").read_text("utf-8") == pages(), "run 'make docs'"
