"""What the storages' tests share: tables from YAML, conditions from text, and a run that holds still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import Fault, Text
from engine.origin import Origin
from engine.parser import parse_expression
from engine.security.passwords import TEST_COST, Passwords
from engine.store.base import Condition
from engine.syntax import ListOf, Literal, Node, Unary, Variable
from engine.values import ANY, Kind, kind_of
from engine.workspace import Table
from engine.workspace_reader import read_workspace
from tests.storages import rows, storage

NOW = 1_700_000_000_000
USER = """
table: user
columns:
  id: int
  created_at: {type: timestamp, default: now}
  name: text
  email: {type: email, unique: true, trim: true, lower: true}
  password?: {type: password, min: 8}
  role: {type: enum, values: [member, admin], default: member}
"""
POST = """
table: post
columns:
  id: int
  user_id: {table: user}
  title?: text
"""


@dataclass
class FakeRun:
    """A run whose clock stands still and whose uuids count."""

    db: Any
    passwords: Passwords = field(default_factory=lambda: Passwords(TEST_COST, threads=1))
    made: int = 0
    time_limit: float = 30.0

    async def hash(self, password: str) -> str:
        return await self.passwords.hash(password)

    def now(self) -> int:
        return NOW

    def charged(self, value: Any) -> Any:
        return value

    def uuid(self) -> str:
        self.made += 1
        return f"00000000-0000-4000-8000-{self.made:012}"

    def is_due(self) -> bool:
        return False

    async def breathe(self) -> None:
        raise AssertionError("it is never due")


async def repeated(run: FakeRun, work: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    """What `work(run, *values)` yields, begun again while others are in its way, as a server does."""
    while True:
        try:
            return await work(run, *values)
        except Fault as fault:
            run.db.retreat(0)
            if fault.reason != "repeatable":
                raise


def tables_of(folder: Path, *texts: str) -> Mapping[str, Table]:
    """The tables that YAML texts declare."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for place, text in enumerate(texts):
        (folder / f"{place}.yaml").write_text(text)
    workspace, problems = read_workspace(folder)
    assert not problems, problems
    return workspace.tables


def open_store(folder: Path, *texts: str) -> Any:
    return storage().open(folder, tables_of(folder / "stacks", *texts))


def parsed(text: str) -> Node:
    return parse_expression(text, Origin(Text("where", text), 0, len(text), 1, 1, "", text), columns=True)


def where(store: Any, table: str, text: str, **kinds: Kind) -> Condition:
    """The condition of `text`, whose variables are of the kinds given, else open."""
    return store.where(parsed(text), store.tables[table], lambda node: _kind(node, kinds))


def _kind(node: Node, kinds: Mapping[str, Kind]) -> Kind:
    return kinds.get(node.name, ANY) if isinstance(node, Variable) else ANY


def asked(
    store: Any, table: str, text: str, values: Mapping[str, Any], *, known: bool, variant: bool = False
) -> list[Any]:
    """The ids of the records that `text` holds for; `known` says whether the variables' kinds are.

    With `variant` what is dropped is left out before the database is asked.
    """
    kinds = {name: kind_of(value) for name, value in values.items()} if known else {}
    condition = where(store, table, text, **kinds)
    bound = condition.bound(tuple(_given(node, values) for node in condition.parameters))
    dropped = {place for place in condition.optionals if bound[place] is None}
    chosen = condition.variant(dropped) if variant else condition.sql
    sql = f'SELECT "id" FROM "{table}" WHERE {chosen} ORDER BY "id"'
    return [row[0] for row in rows(store, sql, bound)]


def _given(node: Node, values: Mapping[str, Any]) -> Any:
    """The value of a parameter, as far as these tests write them."""
    match node:
        case Variable():
            return values[node.name]
        case Literal():
            return node.value
        case ListOf():
            return [_given(item, values) for item in node.items]
        case Unary(operator="not"):
            return not _given(node.operand, values)
    raise AssertionError(node)
