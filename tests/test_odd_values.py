"""Every filter and function of odd values: what an open kind lets through ends in a value or a fault, never in an
exception of Python, and what may be null is taken or refused by the checker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import pytest

import engine.filters
import engine.functions
from engine import registry
from engine.compile import compile_expression
from engine.errors import Fault, Text
from engine.infer import Inference
from engine.origin import Origin
from engine.parser import parse_expression
from engine.registry import Definition, Parameter, substitute
from engine.run import Services, as_fault
from engine.scope import Scope
from engine.values import ANY, Kind

LIBRARY = (engine.filters, engine.functions)
MOST = 3  # arguments that vary at once
ODD: list[object] = [
    None, True, 0, -1, 2**63 - 1, 1.5, 1e308, "", "a", "1", "2026-01-31", [], [1, None], ["a", 1], [[1]], [{"a": 1}, {}], {}, {"a": {"b": [1]}},
]  # fmt: skip
SHAPE = '{a: {b: "int[]"}, "c?": "text or bool"}'
DEFINITIONS = {f"{each.family} {each.name}": each for known in (registry.filters(), registry.functions()) for each in known.values()}  # fmt: skip


def applied(definition: Definition, count: int) -> tuple[str, dict[str, Parameter]]:
    """The application to `count` arguments, and the parameter of each variable; lambdas give their first argument."""
    parameters = {f"x{place}": each for place, each in enumerate(definition.parameters[:count])}
    written = {name: identity(each) for name, each in parameters.items() if each.syntax == "lambda"}
    written |= {name: SHAPE for name, each in parameters.items() if each.syntax == "kind"}
    given = [written.get(name, f"${name}") for name in parameters]
    variables = {name: each for name, each in parameters.items() if name not in written}
    if definition.family == "function":
        return f"{definition.name}({', '.join(given)})", variables
    return f"{given[0]} | {definition.name}" + (f"({', '.join(given[1:])})" if count > 1 else ""), variables


def identity(parameter: Parameter) -> str:
    names = [f"$l{place}" for place, _ in enumerate(parameter.callback[0] if parameter.callback else ())]
    return f"{names[0]} => $l0" if len(names) == 1 else f"({', '.join(names)}) => $l0"


def origin(text: str) -> Origin:
    return Origin(Text("it.yaml", text), 0, len(text), 1, 1, "", text)


def faults(text: str, candidates: Mapping[str, Sequence[object]]) -> list[tuple[tuple[object, ...], Exception | Fault]]:
    """The values at which `text` ends in an exception, and the fault that it stands for."""
    function = compile_expression(text, list(candidates), origin=origin(text))
    found: list[tuple[tuple[object, ...], Exception | Fault]] = []
    for values in product(*candidates.values()):
        try:
            function(Services(time_limit=math.inf).run(), *values)
        except Exception as error:
            found.append((values, as_fault(error) or error))
    return found


def is_accepted(text: str, kinds: Mapping[str, Kind]) -> bool:
    inference = Inference()
    inference.infer(parse_expression(text, origin(text)), Scope(kinds=kinds))
    return not inference.problems


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_odd_values_end_in_a_value_or_a_fault(definition: Definition) -> None:
    least, most = sum(each.required for each in definition.parameters), len(definition.parameters)
    for count in range(least, min(most, MOST) + 1):
        text, variables = applied(definition, count)
        for values, ended in faults(text, dict.fromkeys(variables, ODD)):
            assert isinstance(ended, Fault) and ended.reason, f"{text} of {values}: {ended!r}"


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_what_may_be_null_is_taken_or_refused(definition: Definition) -> None:
    text, variables = applied(definition, sum(each.required for each in definition.parameters))
    for name, parameter in variables.items():
        kinds = substitute(parameter.kind, {}).choices
        if any(each.is_open for each in kinds):
            continue  # whether it takes null depends on the other arguments
        candidates = {each: [None] if each == name else ODD[1:] for each in variables}
        for kind in (each.maybe() for each in kinds):
            if is_accepted(text, {**dict.fromkeys(variables, ANY), name: kind}):
                for values, ended in faults(text, candidates):
                    assert not str(ended).endswith("not null"), f"{text} of {values}: {ended}"
