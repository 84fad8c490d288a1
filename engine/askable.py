"""Conditions that are right but that no storage can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import Problem, Problems
from engine.stack import Block, Step
from engine.store.schema import settled
from engine.store.sql import compile_where
from engine.store.sqlite_dialect import DIALECT
from engine.syntax import Node
from engine.values import Kind
from engine.workspace import Table


def unaskable_indexes(table: Table) -> Iterator[Problem]:
    """What is wrong with the conditions of a table's partial indexes."""
    for index in table.indexes:
        try:
            settled(index.where, table)
        except Problems as problems:
            yield from problems.problems


def unaskable_steps(stack: Block, kinds: Mapping[Node, Kind], tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What is wrong with the conditions of a stack that was checked and has no errors."""
    for step in _steps(stack):
        if "where" in step.arguments:
            table = tables.get(step.arguments["table"].text)
            try:
                if table is not None:
                    compile_where(step.arguments["where"], table, kinds, DIALECT)
            except Problems as problems:
                yield from problems.problems


def _steps(value: object) -> list[Step]:
    """All steps in a block, those of inner blocks included."""
    if isinstance(value, Step):
        return [value, *(step for argument in value.arguments.values() for step in _steps(argument))]
    if isinstance(value, tuple):
        return [step for each in value for step in _steps(each)]
    block = getattr(value, "block", None)
    return _steps(block) if isinstance(block, tuple) else []
