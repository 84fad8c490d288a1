"""A workspace with anything in it is checked to its end: what isn't understood is a problem, never a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.errors import Problem
from engine.program import check_folder
from engine.schema import FILE_KINDS, SchemaCheck, file_schema
from tests.commands import ROOT
from tests.test_docs import PAGES, files_of

ODD: list[Any] = [
    None, True, 5, -1, 2.5, 10**30, "", "x", "$x", "${$x", "$input.x", "a == 1", [], [1], ["x"], [[]], [None], {}, {"a": 1},
    {"": ""}, {"if": True}, {"set": {"a": 1}}, [{"set": {"a": 1}}], {"type": "text"}, "text", "user", {"a": {"b": [1]}}, "break",
]  # fmt: skip


def files() -> dict[str, Any]:
    """The data of every file that we ship or show."""
    shipped = {
        path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "stacks").rglob("*.yaml"))
    }
    shown = {
        f"{page}/{name if '.' in name else f'{name}.yaml'}": text
        for page in PAGES
        for name, text in files_of(page).items()
    }
    return {name: yaml.safe_load(text) for name, text in (shipped | shown).items()}


FILES = files()


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is in some data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in entries for place in places(value, (*path, key)))]


def mutated(data: Any, draw: Any) -> Any:
    """The data with one thing in it replaced, renamed or left out."""
    data = json.loads(json.dumps(data, default=str))
    *inner, last = draw(st.sampled_from([place for place in places(data) if place]))
    owner = data
    for key in inner:
        owner = owner[key]
    match draw(st.sampled_from(["replace", "replace", "rename", "remove", "wrap"])):
        case "replace":
            owner[last] = draw(st.sampled_from(ODD))
        case "rename" if isinstance(owner, dict):
            owner[draw(st.sampled_from(["x", "if", "where", "type", "as", "do", "$a", "a?", *owner]))] = owner.pop(last)
        case "wrap":
            owner[last] = draw(st.sampled_from([lambda value: [value], lambda value: {"x": value}]))(owner[last])
        case _:
            del owner[last]
    return data


CHECKS = {kind: SchemaCheck(file_schema(kind)) for kind in FILE_KINDS}


@settings(max_examples=600, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_found_valid_fast_is_valid(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    check, content = CHECKS[next(iter(FILES[name]))], mutated(FILES[name], data.draw)
    assert check.is_valid(content) == Draft202012Validator(check.schema).is_valid(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_file_says_the_check_ends_with_problems(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = FILES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        content = mutated(content, data.draw)
        if not isinstance(content, dict) or len(places(content)) < 2:
            break
    for old in folder.rglob("*.yaml"):
        old.unlink()
    group = name.split("/")[0] + "/"
    for other, text in FILES.items():
        if other == name or other.startswith(group) == name.startswith(group):
            path = folder / other
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content if other == name else text, default=str), encoding="utf-8")
    problems: list[Problem] = check_folder(folder, "").problems
    for problem in problems:
        assert problem.render()
        assert problem.span.line >= 1
