"""What tests of stacks share: a workspace written in a folder, checked, compiled and run on a real SQLite file."""

from __future__ import annotations

import asyncio
import math
import random
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.check import Checked
from engine.errors import Problem
from engine.program import Program, build, check_folder, environment
from engine.run import Services, milliseconds, perform
from engine.security.keys import KeyRing
from engine.security.passwords import TEST_COST, Passwords
from engine.security.tokens import Tokens
from engine.values import ANY, PYTHON_TYPES, Kind, Secret
from tests.storages import storage

USER = """
    table: user
    auth: true
    columns:
      id: int
      created_at: {type: timestamp, default: now}
      name: text
      email: {type: email, unique: true, trim: true, lower: true}
      password: {type: password, min: 8}
      nickname?: text
      role: {type: enum, values: [member, admin], default: member}
"""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes dedented YAML files; a name without an ending gets `.yaml`."""
    for name, text in files.items():
        path = folder / (name if "." in name else f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def checked(folder: Path, files: Mapping[str, str]) -> Checked:
    """The files, checked, with paths shown as they are within the folder."""
    return check_folder(write(folder, files), "")


def messages(problems: list[Problem]) -> list[str]:
    """`line:column severity code message`, the order of the problems kept."""
    return [f"{each.span.line}:{each.span.column} {each.severity} {each.code} {each.message}" for each in problems]


OPENED: list[Any] = []  # closed at the end of each test


def opened(store: Any) -> Any:
    """The store, which is closed when the test is over."""
    OPENED.append(store)
    return store


def services(folder: Path, tables: Mapping[str, Any], **more: Any) -> Services:
    """Real services in a folder, with the cost of hashing lowered and chance held still."""
    return Services(
        store=opened(storage().open(folder, tables)),
        tokens=Tokens(KeyRing.open(folder / "keys"), "test", "test", milliseconds),
        passwords=Passwords(TEST_COST),
        chance=random.Random(1),
        **more,
    )


def program(folder: Path, files: Mapping[str, str], **more: Any) -> Program:
    """The files as a program, with services of its own."""
    found = checked(folder, files)
    assert not found.errors, "\n".join(problem.render() for problem in found.errors)
    return build(found, services(folder, found.workspace.tables, **{"env": environment(found.workspace), **more}))


def answer(program: Program, name: str, input: dict[str, Any] | None = None, claims: Any = None) -> Any:
    """What an endpoint answers; raises its fault."""
    compiled = next(each for each in program.endpoints if each.endpoint.name == name)

    async def run() -> Any:
        return await perform(compiled.plan, program.services.run(), compiled.shape.bind(dict(input or {})), claims)

    return asyncio.run(run())


def run_stack(folder: Path, stack: str, input: str = "{}", values: dict[str, Any] | None = None, **files: str) -> Any:
    """What a stack (the text under `stack:` and after) answers as `POST /it`, with its `input:` as one flow mapping."""
    body = textwrap.indent(textwrap.dedent(stack).strip("\n"), "")
    endpoint = f"endpoint: POST /it\ninput: {input}\nstack:\n{body}\n"
    made = program(folder, {"user": USER, "it": endpoint, **files})
    return answer(made, "POST /it", values)


def conforms(value: Any, kind: Kind) -> bool:
    """Whether a value is of a kind, whatever is inside it too: an object has the fields of its kind and no others.

    A secret is one in its kind too, and masked; what is secret on one way may be plain on another.
    """
    if isinstance(value, Secret):
        return kind.secret and conforms(value.reveal(), kind.plain())
    if kind.is_open or value is None:
        return kind.is_open or kind.may_be_null
    if kind.options:
        return any(conforms(value, each) for each in kind.options)
    if isinstance(value, bool) != (kind.name == "bool") or not isinstance(value, PYTHON_TYPES.get(kind.name, ())):
        return False
    match value:
        case list():
            return all(conforms(item, kind.item or ANY) for item in value)
        case dict() if kind.fields is not None:
            fields = {name: each for name, each in kind.fields.items() if not (kind.is_record and each.secret)}
            return fields.keys() - kind.optional <= value.keys() <= fields.keys() and all(
                conforms(value[name], fields[name]) for name in value
            )
        case dict() if kind.item is not None:
            return all(conforms(each, kind.item) for each in value.values())
        case float():
            return math.isfinite(value)
    return not kind.values or value in kind.values
