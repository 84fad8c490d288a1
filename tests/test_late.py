"""Modules that are loaded when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.late import Late, load, put_off

NAMES = ("run", "main")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose first lines import its command line."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    (folder / "__init__.py").write_text("from somewhere.main import main, run\nversion = 1\n")
    (folder / "main.py").write_text("def run(): return 'run'\ndef main(): return 'main'\ndef more(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "somewhere"]:
        del sys.modules[name]


def test_a_late_module_is_imported_when_something_in_it_is_asked_for(package: Path) -> None:
    late = Late("somewhere.main")
    assert "somewhere" not in sys.modules
    assert late.run() == "run"
    assert load(late) is sys.modules["somewhere.main"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = late.nothing


def test_what_is_put_off_is_loaded_for_who_asks(package: Path) -> None:
    put_off("somewhere", "somewhere.main", NAMES)
    made = sys.modules["somewhere"]
    assert (made.version, "somewhere.main" in sys.modules) == (1, False)
    assert not hasattr(made, "nothing")
    assert "somewhere.main" not in sys.modules
    assert (made.run(), made.main()) == ("run", "main")
    assert "somewhere.main" in sys.modules


@pytest.mark.parametrize(
    "first",
    [
        "from somewhere.main import main, more, run\n",
        "from somewhere.main import more\n",
        "def run(): return 'its own'\n",
    ],
    ids=["it takes more", "it takes something else", "it takes nothing"],
)
def test_a_package_that_is_made_otherwise_is_left_as_it_is(package: Path, first: str) -> None:
    (package / "__init__.py").write_text(first)
    put_off("somewhere", "somewhere.main", NAMES)
    made = importlib.import_module("somewhere")
    assert "__getattr__" not in vars(made)
    assert not hasattr(made, "run") or made.run() in ("run", "its own")


def test_a_package_that_is_there_is_left_as_it_is(package: Path) -> None:
    made = importlib.import_module("somewhere")
    put_off("somewhere", "somewhere.main", NAMES)
    assert made.run() == "run"
    assert "__getattr__" not in vars(made)
