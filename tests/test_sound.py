"""What the checker accepts runs: random stacks that check never fault with a kind, a name or a null, and answer what
was inferred."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import is_valid
from orjson import loads
from test_fuzz import KINDS, Writer, family_of, is_known, values_of

from engine.check import Checked
from engine.errors import Span
from engine.http.responses import dumps
from engine.openapi.answers import own_outcomes
from engine.openapi.outcomes import Outcomes
from engine.openapi.schemas import kind_schema
from engine.program import build, check_folder
from engine.run import Services, as_fault, perform
from engine.stack_walk import CheckedStack
from engine.values import INT, TEXT, list_of, object_of
from tests.support import conforms, services, write

THING = """
    table: thing
    columns:
      id: int
      i: int
      j?: int
      t: text
      u?: {type: text, unique: true}
      pin?: {type: text, sensitive: true}
      kind: {type: enum, values: [a, b], default: a}
"""
TWICE = """
    function: twice
    input: {n: int, m?: int}
    stack:
      - if: $input.m == null
        then:
          - return: null
      - return: $input.n * 2
"""
INPUT = {
    "i": "int", "j?": "int", "d": "decimal", "t": "text", "s?": "text", "b": "bool", "xs": "int[]", "ts": "text[]",
    "ds": "decimal[]", "k": {"type": "enum", "values": ["a", "b"]},
    "o": {"type": "object", "properties": {"a": "int", "b": "text", "c?": "decimal"}},
    "p?": {"type": "object", "properties": {"a": "int", "b": "text", "c?": "decimal"}},
    "os": {"type": "object[]", "properties": {"a": "int", "b": "text", "c?": "decimal"}},
    "pin": {"type": "int", "sensitive": True}, "hush?": {"type": "text", "sensitive": True},
}  # fmt: skip
BEGIN = [
    {"set": {name.strip("?"): f"$input.{name.strip('?')}" for name in INPUT}},
    {"set": {"ys": "${[null, ...$xs]}", "zs": "${[$xs, [1, 2]]}", "bs": "${[true, $b]}"}},
    {"set": {"it": "${$i if $b else $t}", "us": "${[$j, $t, $b]}", "lo": "${$xs if $b else $o}"}},
    {"set": {"ps": "${[$pin, ...$xs]}", "ph": "${{a: $pin, b: $hush}}"}},
]
SECRET = {"pin": INT.masked(), "hush": TEXT.masked().maybe()}
GIVEN = {**KINDS, **SECRET, "k": KINDS["t"], "ps": list_of(INT.masked()), "ph": object_of(SECRET)}
FAMILIES = ("int", "decimal", "text", "bool", "list", "object")
Steps = list[Any]


@dataclass
class Grower:
    """Lets a stack grow by one step at a time, anywhere in it, for as long as the checker has no error."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    check: Callable[[Steps, Any], Checked]
    steps: Steps = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: [name for name, kind in GIVEN.items() if not kind.nullable])

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def expression(self, family: str, depth: int = 2) -> str:
        known = {name: family_of(GIVEN[name]) if name in GIVEN else self.one(*FAMILIES) for name in self.names}
        return Writer(self.draw, known).write(family, self.draw(st.integers(0, depth)))

    def grow(self) -> None:
        block = self.one(*blocks(self.steps))
        place = self.draw(st.integers(0, len(block)))
        block.insert(place, self.step())
        if self.check(self.steps, None).errors:
            del block[place]

    def name(self) -> str:
        name = str(self.one(*KINDS, "v", "w", "x", "y"))
        if name not in self.names:
            self.names.append(name)
        return name

    def step(self) -> Any:
        family = self.one(*FAMILIES)
        return getattr(self, f"_{self.one(*_STEPS)}")(family)

    def value(self, family: str) -> str:
        return f"${{{self.expression(family)}}}"

    # One method a step; blocks begin empty and grow.

    def _set(self, family: str) -> Any:
        return {"set": {self.name(): self.value(family)}}

    def _path(self, family: str) -> Any:
        return {"set": {f"{self.one('o', 'p', 'v')}.{self.one('a', 'b', 'new')}": self.value(family)}}

    def _if(self, family: str) -> Any:
        tests = (f"${self.one(*KINDS, 'v', 'w')} {self.one('==', '!=')} null", self.expression("bool"))
        step: dict[str, Any] = {"if": self.one(*tests), "then": []}
        if self.one(0, 1):
            step["else_if"] = [{"if": self.one(*tests), "then": []}]
        return step | ({"else": []} if self.one(0, 1) else {})

    def _switch(self, family: str) -> Any:
        return {"switch": "$k", "cases": {"a": [], **({"b": []} if self.one(0, 1) else {})}} | (
            {"default": []} if self.one(0, 1) else {}
        )

    def _for_each(self, family: str) -> Any:
        return {"for_each": self.value(self.one("list", "object")), "as": self.name(), "do": []}

    def _repeat(self, family: str) -> Any:
        return {"repeat": self.one(0, 1, 3), "as": self.name(), "do": []}

    def _try(self, family: str) -> Any:
        return {"try": [], "catch": []} | ({"finally": []} if self.one(0, 1) else {})

    def _group(self, family: str) -> Any:
        return {self.one("group", "transaction"): []}

    def _leave(self, family: str) -> Any:
        return self.one("break", "continue")

    def _return(self, family: str) -> Any:
        return {"return": self.value(family)}

    def _precondition(self, family: str) -> Any:
        return {"precondition": self.one(f"${self.one(*KINDS, 'v')} != null", self.expression("bool"))}

    def _throw(self, family: str) -> Any:
        return {"throw": self.one("conflict", "not_found"), "message": self.value("text")}

    def _get(self, family: str) -> Any:
        return {"get_record": "thing", "where": self.where(), "as": self.name()}

    def _has(self, family: str) -> Any:
        return {"has_record": "thing", "where": self.where(), "as": self.name()}

    def _query(self, family: str) -> Any:
        step = {"query_all_records": "thing", "where": self.where(), "as": self.name()}
        return step | {"return": self.one("list", "first", "count", "exists")}

    def _add(self, family: str) -> Any:
        data = {"i": self.value("int"), "t": self.value("text"), "j": self.value("int")}
        return {"add_record": "thing", "data": data, "as": self.name()}

    def _edit(self, family: str) -> Any:
        column = self.one("i", "j", "t", "u", "kind")
        value = self.value(self.one("int", "text")) if column != "kind" else self.one("$k", "a")
        return {"edit_record": "thing", "where": self.where(), "data": {column: value}, "as": self.name()}

    def _delete(self, family: str) -> Any:
        return {"delete_record": "thing", "where": self.where()}

    def _call(self, family: str) -> Any:
        return {"run_function": "twice", "with": {"n": self.value("int"), "m": "$j"}, "as": self.name()}

    def where(self) -> str:
        column, wanted = self.one(("i", "int"), ("j", "int"), ("t", "text"), ("id", "int"), ("kind", "text"))
        return f"{column} {self.one('==', '!=', '==?')} {self.expression(wanted, 1)}"


_STEPS = (
    "set", "set", "set", "path", "if", "if", "switch", "for_each", "repeat", "try", "group", "leave", "return",
    "precondition", "throw", "get", "get", "has", "query", "add", "edit", "delete", "call",
)  # fmt: skip


def blocks(steps: Steps) -> Iterator[Steps]:
    """A list of steps and all lists within, the first one at places after what is always set."""
    yield steps
    for step in steps:
        for part in step.values() if isinstance(step, dict) else ():
            inner = part.values() if isinstance(part, dict) else [part]
            for each in inner:
                if isinstance(each, list):
                    yield from blocks(each)


def written(steps: Steps, response: Any) -> str:
    """An endpoint's file; JSON is YAML."""
    data = {"endpoint": "POST /it", "input": INPUT, "stack": [*BEGIN, *steps], "response": response}
    return json.dumps(data, ensure_ascii=False)


@dataclass
class Bench:
    """A workspace whose one endpoint is written again and again, over one database."""

    folder: Path
    services: Services | None = None

    def check(self, steps: Steps, response: Any) -> Checked:
        (self.folder / "it.yaml").write_text(written(steps, response), encoding="utf-8")
        return check_folder(self.folder, "")

    def run(self, checked: Checked, values: dict[str, Any]) -> Any:
        if self.services is None:
            self.services = services(self.folder, checked.workspace.tables)
        compiled = build(checked, self.services).endpoints[0]
        found = self.services

        async def run() -> Any:
            await found.store.clear()
            first = found.run()
            await found.store.load(first, "thing", [{"i": 1, "t": "a"}, {"i": 2, "j": 7, "t": "Ada", "u": "b"}])
            await first.db.commit()
            return await perform(compiled.plan, found.run(), compiled.shape.bind(values), None)

        return asyncio.run(run())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(write(tmp_path, {"thing": THING, "twice": TWICE}))


INPUTS = st.fixed_dictionaries(
    {
        name.strip("?"): st.sampled_from(["a", "b"]) if name == "k"
        else st.sampled_from(["a", "Ada", "1", "é"]) if name == "t"
        else values_of(GIVEN[name.strip("?")].plain())
        for name in INPUT
    }
)  # fmt: skip


@settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_stack_that_checks_runs_as_it_was_checked(bench: Bench, data: st.DataObject) -> None:
    grower = Grower(data.draw, bench.check)
    for _ in range(data.draw(st.integers(3, 14))):
        grower.grow()
    response = {name: f"${name}" for name in grower.names}
    checked = bench.check(grower.steps, response)
    if checked.errors:  # some of the names may be unset there, or secret
        refused = {written_at(problem.span) for problem in checked.errors}
        response = {name: value for name, value in response.items() if value not in refused}
        checked = bench.check(grower.steps, response)
    assert not checked.errors, written(grower.steps, response)
    stack = next(iter(checked.endpoints.values()))
    for _ in range(3):
        _runs(bench, checked, stack, data.draw(INPUTS), written(grower.steps, response))


def written_at(span: Span) -> str:
    return span.text.line(span.line)[span.column - 1 : span.end_column - 1]


def accepted(value: Any) -> Any:
    """A value without the texts that inputs refuse."""
    match value:
        case dict():
            return {name: accepted(each) for name, each in value.items() if each is not None}
        case list():
            return [accepted(each) for each in value]
    return {"": "e", "\0": "n"}.get(value, value) if isinstance(value, str) else value


def _runs(bench: Bench, checked: Checked, stack: CheckedStack, values: dict[str, Any], text: str) -> None:
    values = accepted(values)
    try:
        value = bench.run(checked, values)
    except Exception as error:
        fault = as_fault(error)
        assert fault is not None, f"{text}\n{values}\n{error!r}"
        known = all(map(is_known, stack.kinds.values()))
        assert fault.reason != "kind" or not known, f"{text}\n{values}\n{fault.message}"
        assert fault.reason != "internal", f"{text}\n{values}\n{fault.message}"
        [endpoint] = checked.endpoints
        published = {each.error for each in (*Outcomes(checked).endpoint(endpoint), *own_outcomes(endpoint))}
        assert fault.name in published, f"{text}\n{values}\n{fault}"
    else:
        assert conforms(value, stack.result), f"{text}\n{values}\n{value!r}\n{stack.result!r}"
        published_schema = kind_schema(stack.result)
        assert is_valid(published_schema, loads(dumps(value))), f"{text}\n{values}\n{value!r}\n{published_schema}"
