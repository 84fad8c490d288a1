"""The rules of a table, asked about every record that was written and before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.compile import compile_node
from engine.shapes import input_fault
from engine.store.base import Run
from engine.store.rows import row_maker
from engine.workspace import Rule, Table


class Rules:
    """`columns` are those that the rules speak of; rows for `check` hold them in this order."""

    def __init__(self, table: Table) -> None:
        names = dict.fromkeys(name for rule in table.rules for name in rule.columns)
        self.columns = [table.columns[name] for name in names]
        self._make = row_maker(self.columns)
        self._tests: list[tuple[Rule, Callable[..., Any]]] = [
            (rule, compile_node(rule.condition, rule.columns)) for rule in table.rules
        ]

    def check(self, run: Run, row: Sequence[Any]) -> None:
        """Raises Fault input_error that names every rule which the row breaks, by its first column."""
        values = self._make(tuple(row))
        broken = [rule for rule, test in self._tests if test(run, *map(values.get, rule.columns)) is not True]
        if broken:
            raise input_fault([{"param": rule.columns[0], "message": rule.message} for rule in broken])
