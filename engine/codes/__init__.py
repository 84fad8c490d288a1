"""Every code of a `Problem`: what it is about, why it matters, and how the mend looks.

The pages stand in the YAML files beside, one a family of codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from engine.errors import Severity

FAMILIES = ("yaml", "expressions", "files", "steps", "kinds", "habits", "database", "tests")
# What the examples of all pages know beside their own files.
TABLES = {
    "user": """\
table: user
auth: true
columns:
  id: int
  name: text
  email: {type: email, unique: true}
  password: {type: password, min: 8}
  nickname?: text
  role: {type: enum, values: [member, admin], default: member}
""",
    "note": """\
table: note
columns:
  id: int
  text: text
""",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `severity` is that of each of its problems: only warnings can be ignored.

    `wrong` and `right` are files, or the steps of an endpoint; empty where a mistake can't be shown.
    """

    name: str
    title: str
    severity: Severity
    why: str
    wrong: str = ""
    right: str = ""


@cache
def codes() -> Mapping[str, Code]:
    """All codes by name, in order."""
    return {each.name: each for family in FAMILIES for each in _family(family)}


def _family(name: str) -> Iterator[Code]:
    text = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    pages: Mapping[str, dict[str, Any]] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for code, page in pages.items():
        severity = page.get("severity", "error")
        yield Code(code, page["title"], severity, page["why"], page.get("wrong", ""), page.get("right", ""))
