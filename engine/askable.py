"""Conditions that are right but that no storage can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.clauses import Query
from engine.columns import EDITS
from engine.edits import chosen, computed
from engine.errors import Problem, Problems
from engine.openings import steps_in
from engine.sql import Sql
from engine.stack import Block, Step
from engine.store import schema
from engine.store.computing import compile_computed
from engine.store.select import Selector
from engine.store.sql import compile_where
from engine.store.sqlite_dialect import DIALECT
from engine.syntax import Node
from engine.values import Kind
from engine.workspace import Table


def unaskable_indexes(table: Table) -> Iterator[Problem]:
    """What is wrong with the conditions of a table's partial indexes."""
    for index in table.indexes:
        try:
            schema.settled(index.where, table)
        except Problems as problems:
            yield from problems.problems


def unaskable_steps(stack: Block, kinds: Mapping[Node, Kind], tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What is wrong with the queries of a stack that was checked and has no errors."""
    for step in steps_in(stack):
        try:
            _ask(step, tables, kinds)
        except Problems as problems:
            yield from problems.problems


def statements(stack: Block) -> list[Sql]:
    """An author's own SQL in a stack, as far as it is for our own database."""
    given = [step.arguments.get("sql") for step in steps_in(stack) if not step.definition.outside]
    return [each for each in given if isinstance(each, Sql)]


def _ask(step: Step, tables: Mapping[str, Table], kinds: Mapping[Node, Kind]) -> None:
    """Raises `Problems` where a step asks what no storage can be asked."""
    if step.definition.composes:
        Selector(tables, kinds, DIALECT, lambda table: ()).check(Query(*step.filled))
    elif "table" in step.arguments:
        table = tables[step.arguments["table"].text]
        if "where" in step.arguments:
            compile_where(step.arguments["where"], table, kinds, DIALECT)
        if step.name in EDITS and "data" in step.arguments:
            for name, value in computed(chosen(step.arguments["data"], kinds)).items():
                compile_computed(value, table, table.columns[name], kinds, DIALECT)
