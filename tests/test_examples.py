"""Every example in the docstring of a filter or function is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import engine.filters
import engine.functions
from engine import registry
from engine.compare import same
from engine.errors import Fault, Problems
from engine.registry import Definition
from engine.run import evaluate

LOADED = (engine.filters, engine.functions)  # importing them registered what is tested here
DEFINITIONS = [
    each
    for each in registry.all_definitions()
    if each.family in ("filter", "function") and not each.call.__module__.startswith("engine.testing")
]


def examples(definition: Definition) -> Iterator[tuple[str, str]]:
    """A docstring's lines `expression => value` or `expression => fault reason`, as pairs."""
    for line in definition.doc.splitlines():
        expression, arrow, value = line.rpartition(" => ")
        if arrow:
            yield expression.strip(), value.strip()


def outcome(expression: str) -> object:
    """What an expression gives; of a fault, its reason. What the checker refuses counts as a fault of kind."""
    try:
        return evaluate(expression)
    except Fault as fault:
        return f"fault {fault.reason}"
    except Problems:
        return "fault kind"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param(*example, id=f"{definition.family} {definition.name}: {example[0]}")
        for definition in DEFINITIONS
        for example in examples(definition)
    ],
)
def test_example(expression: str, expected: str) -> None:
    given = outcome(expression)
    wanted = expected if expected.startswith("fault ") else evaluate(expected)
    assert same(given, wanted), f"{expression} gave {given!r}"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: f"{definition.family} {definition.name}")
def test_at_least_two_examples(definition: Definition) -> None:
    assert len(list(examples(definition))) >= 2
