"""The rules of a table, asked about every record that was written and before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.bounds import room_for_text
from engine.budget import Budget
from engine.compile import compile_node
from engine.fields import Field
from engine.shapes import MISSHAPEN, Shape, input_fault
from engine.store.base import Run
from engine.store.rows import encoder, row_maker
from engine.values import reveal
from engine.workspace import Rule, Table


class ColumnRules:
    """The rules of `columns` whose values the database computed; rows for `check` hold them in this order."""

    def __init__(self, columns: Iterable[Field]) -> None:
        self.columns = list(columns)
        self._make = row_maker(self.columns)
        self._shape = Shape(column.stored() for column in self.columns)
        self._encoders = [(column.name, encode) for column in self.columns if (encode := encoder(column)) is not None]

    def check(self, run: Run, row: Sequence[Any]) -> None:
        """Raises Fault input_error that names every column whose rules are broken, as where its value is given."""
        values = self._make(tuple(row))
        bound = self._shape.bind(dict(values))
        errors = list(self._refusals(values))
        altered = [name for name, value in values.items() if reveal(bound[name]) != value]
        if errors or altered:
            raise input_fault(errors or [{"param": name, "message": MISSHAPEN} for name in altered])

    def _refusals(self, values: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        for name, encode in self._encoders:
            value = values[name]
            try:
                if isinstance(value, str):
                    room_for_text(len(value))
                if value is not None:
                    encode(value)
            except ValueError as error:
                yield {"param": name, "message": str(error)}


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
        values, budget = self._make(tuple(row)), run if isinstance(run, Budget) else Budget()
        broken = [rule for rule, test in self._tests if test(budget, *map(values.get, rule.columns)) is not True]
        if broken:
            raise input_fault([{"param": rule.columns[0], "message": rule.message} for rule in broken])
