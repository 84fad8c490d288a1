"""What `make` installs: versions as pyproject.toml asks, and a hash for each file."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from tests.commands import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ASKED = [Requirement(each) for each in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])]
TEXTS = [(ROOT / name).read_text("utf-8") for name in ("requirements.lock", "requirements-build.lock")]


def entries(text: str) -> list[str]:
    """The requirements; each goes on while its lines end in a backslash."""
    return [entry for entry in re.sub(r"\\\n\s*", "", text).splitlines() if not entry.lstrip().startswith("#")]


ENTRIES = entries(TEXTS[0])
LOCKED = {each.name: each for each in (Requirement(entry.partition(" --hash")[0]) for entry in ENTRIES)}


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_holds_a_version_of_each_dependency_that_fits(asked: Requirement) -> None:
    locked = LOCKED.get(asked.name)
    assert locked is not None, "run 'make lock' and commit what it writes"
    [pin] = locked.specifier
    assert pin.operator == "=="
    assert asked.specifier.contains(pin.version), "run 'make lock' and commit what it writes"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_installs_what_is_asked_for_on_every_python(asked: Requirement, version: str) -> None:
    place = {"python_version": version, "python_full_version": f"{version}.1", "sys_platform": "linux"}
    wanted, locked = (each.marker or Marker("sys_platform != ''") for each in (asked, LOCKED[asked.name]))
    assert locked.evaluate(place) or not wanted.evaluate(place)


@pytest.mark.parametrize("text", TEXTS, ids=["all", "what builds"])
def test_every_file_has_a_hash(text: str) -> None:
    for entry in entries(text):
        assert re.fullmatch(r"[^ ]+==[^ ]+( ; [^\\]+?)?( --hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize("text", TEXTS, ids=["all", "what builds"])
def test_it_names_no_host(text: str) -> None:
    assert "://" not in text
    assert not [line for line in text.splitlines() if re.match(r"\s*-(i|f|-index|-extra|-find|-trusted)", line)]
