"""A program: a workspace that was read, checked and compiled, with the services its runs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import engine.filters
import engine.functions
import engine.steps
from engine.check import Checked
from engine.compile import Compiler, Plan
from engine.errors import Fault, Problems, SetupError
from engine.run import Services
from engine.session import Session
from engine.shapes import Shape
from engine.workspace import Endpoint, Workspace

LIBRARY = (engine.filters, engine.functions, engine.steps)  # importing them registered what stacks may use


@dataclass(eq=False)
class Compiled:
    """An endpoint ready to serve. Its plan is compiled when it is first asked for.

    `no_store`: what it answers belongs to one caller and is kept by no cache. `hashes`: it may hash a password.
    """

    endpoint: Endpoint
    compiler: Compiler = field(repr=False)
    closed: bool = True

    @cached_property
    def plan(self) -> Plan:
        return self.compiler.endpoint(self.endpoint)

    @cached_property
    def shape(self) -> Shape:
        return Shape(self.endpoint.input, closed=self.closed)

    @property
    def no_store(self) -> bool:
        return bool(self.endpoint.auth) or self.compiler.checked.endpoints[self.endpoint].creates_token

    @property
    def hashes(self) -> bool:
        return self.compiler.checked.endpoints[self.endpoint].hashes


@dataclass(frozen=True, eq=False)
class Program:
    """What a server serves and tests replay."""

    workspace: Workspace
    endpoints: tuple[Compiled, ...]
    services: Services
    compiler: Compiler = field(repr=False)

    def at(self, data_source: str) -> Program:
        """The same program over a data source beside `live`: a plan's operations work in the session of their run."""
        return replace(self, services=self.services.at(data_source))

    def function(self, name: str) -> Plan:
        """The plan of a function of the workspace."""
        return self.compiler.function(name)

    def shape_of(self, name: str) -> Shape:
        """The inputs of a function of the workspace."""
        return Shape(self.workspace.functions[name].input)


def check_folder(root: Path, shown_as: str | None = None, *, tests: bool = True) -> Checked:
    """Reads and checks the workspace in a folder; `problems` has everything found, the database's limits included.

    Without `tests` the test files are left aside.
    """
    return Session(root, shown_as, tests=tests).checked()


def load(root: Path, services: Services, *, traced: bool = False, shown_as: str | None = None) -> Program:
    """The program of the workspace in a folder. Raises `Problems` where it has errors."""
    return build(check_folder(root, shown_as), services, traced=traced)


def build(checked: Checked, services: Services, *, traced: bool = False) -> Program:
    """The program of a checked workspace. Raises `Problems` where it has errors."""
    if checked.errors:
        raise Problems(checked.problems)
    workspace = checked.workspace
    services.time_limit = workspace.time_limit
    services.memory_limit, services.answer_limit = workspace.memory_limit, workspace.answer_limit
    compiler = Compiler(checked, services.store, traced=traced)
    closed = workspace.unknown_input == "refuse"
    endpoints = tuple(Compiled(each, compiler, closed) for each in workspace.endpoints)
    return Program(workspace, endpoints, services, compiler)


def environment(workspace: Workspace, variables: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """`$env`: the declared environment variables by their kinds. Raises SetupError for one that is missing or wrong."""
    given: dict[str, Any] = {each.name: variables[each.name] for each in workspace.env if each.name in variables}
    readers: dict[str, Callable[[str], object]] = {
        "int": int,
        "decimal": float,
        "bool": {"true": True, "false": False}.__getitem__,
    }
    for each in workspace.env:
        if each.name in given and each.type in readers:
            try:
                given[each.name] = readers[each.type](given[each.name])
            except (ValueError, KeyError):
                raise SetupError(f"the environment variable {each.name} must be {each.type}") from None
    try:
        return Shape(workspace.env).bind(given)
    except Fault as fault:
        names = ", ".join(sorted({entry["param"] for entry in fault.payload["errors"]}))  # type: ignore[index]
        raise SetupError(f"the environment lacks what 'env:' of the workspace declares: {names}") from None
