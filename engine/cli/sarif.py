"""Findings in the Static Analysis Results Interchange Format, as code scanning takes them (OASIS SARIF 2.1.0)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from engine.cli.explain import page, section
from engine.cli.findings import path_here, said
from engine.codes import Code, codes
from engine.errors import Problem, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(problems: Sequence[Problem]) -> str:
    """The problems as one run of the checker; its rules are the codes that they have."""
    rules = sorted({problem.code for problem in problems})
    driver = {
        "name": "Stackwright",
        "version": version("stackwright"),
        "rules": [_rule(codes()[each]) for each in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, rules.index(problem.code)) for problem in problems],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.name,
        "shortDescription": {"text": _escaped(code.title)},
        "fullDescription": {"text": _escaped(code.why.strip())},
        "help": {"text": page(code), "markdown": section(code)},
        "defaultConfiguration": {"level": code.severity},
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": _escaped(said(problem))},
        "locations": [{"physicalLocation": {"artifactLocation": _file(problem.span), "region": _region(problem.span)}}],
    }


def _escaped(text: str) -> str:
    """A message without placeholders (§3.11.5)."""
    return text.replace("{", "{{").replace("}", "}}")


def _file(span: Span) -> dict[str, str]:
    path = path_here(span)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}


def _region(span: Span) -> dict[str, Any]:
    """A stretch of a file: from 1, its end column that after the last character, as in a `Span` (§3.30)."""
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
