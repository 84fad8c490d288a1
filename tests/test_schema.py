"""What is generated from the code and committed is as the code would write it now, and true of the shipped files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.cli.schema import schemas
from engine.reference import reference
from engine.registry import all_definitions
from engine.schema import FILE_KINDS, file_schema
from engine.source import load, read
from engine.workspace_reader import stack_files

ROOT = Path(__file__).parent.parent


def test_committed_schemas_are_fresh() -> None:
    committed = {path.name: path.read_text("utf-8") for path in (ROOT / "schemas").iterdir()}
    assert committed == schemas(), "run 'make schema' and commit what it writes"


def test_the_committed_reference_is_fresh() -> None:
    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == reference(), (
        "run 'make docs' and commit what it writes"
    )


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_a_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(file_schema(kind))


@pytest.mark.parametrize("path", stack_files(ROOT / "stacks"), ids=lambda path: path.name)
def test_a_shipped_file_fits_the_schema_it_names(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    if first.startswith("# yaml-language-server: "):
        named = (path.parent / first.partition("$schema=")[2]).resolve()
    else:
        named = ROOT / "schemas" / "test.json"
    data = read(load(path, path.name)).data
    assert isinstance(data, dict)
    assert named == ROOT / "schemas" / f"{next(iter(data))}.json"
    Draft202012Validator(json.loads(named.read_text("utf-8"))).validate(data)


def test_the_reference_has_every_definition() -> None:
    page = reference().splitlines()
    served = (each for each in all_definitions() if not each.call.__module__.startswith("engine.testing"))
    missing = [each.name for each in served if f"### {each.name}" not in page and each.doc]
    assert not missing
