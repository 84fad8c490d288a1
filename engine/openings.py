"""Queries open to the request: `?filter[status]=open&sort=-created_at`, over exactly the columns that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from engine.clauses import Opening, Word, filter_name
from engine.fields import Field
from engine.stack import Block, Branch, Case, Step

MAX_SORT_KEYS = 3  # columns that a request may sort by
_ORDERED = frozenset({"int", "decimal", "timestamp", "date"})
_SET = frozenset({"text", "email", "uuid", "enum", *_ORDERED})


class _Table(Protocol):
    @property
    def columns(self) -> Mapping[str, Field]: ...


def is_open(step: Step) -> bool:
    """Whether a step lets the request filter or sort."""
    return bool(step.arguments.get("filterable") or step.arguments.get("sortable"))


def conditions_of(opening: Opening, column: Field) -> list[str]:
    """What a request may ask of a column: whether it is a value or one of several, and how it is ordered."""
    if column.type in _ORDERED:
        return list(opening.conditions)
    return ["", "in"] if column.type in _SET else [""]


def open_steps(stack: Block) -> Iterator[Step]:
    """The steps of a stack that are open to the request."""
    return filter(is_open, steps_in(stack))


def inputs(stack: Block, tables: Mapping[str, _Table]) -> Iterator[Field]:
    """The inputs `filter` and `sort` of an endpoint whose stack has an open query."""
    steps = [step for step in open_steps(stack) if step.arguments["table"].text in tables]
    filtered = next((step for step in steps if step.arguments.get("filterable")), None)
    if filtered is not None:
        columns = tables[filtered.arguments["table"].text].columns
        openings: tuple[Opening, ...] = filtered.arguments["filterable"]
        known = [each for each in openings if each.column.text in columns]
        fields = [field for each in known for field in _filters(each, columns[each.column.text])]
        yield Field("filter", "object", filtered.span, required=False, properties=tuple(fields))
    sorted_ = next((step for step in steps if step.arguments.get("sortable")), None)
    if sorted_ is not None:
        pattern = _sort_pattern(sorted_.arguments["sortable"].columns)
        yield Field("sort", "text", sorted_.span, required=False, rules={"pattern": pattern})


def _filters(opening: Opening, column: Field) -> Iterator[Field]:
    for name in conditions_of(opening, column):
        yield Field(
            filter_name(column.name, name),
            column.type,
            column.span,
            is_list=name == "in",
            required=False,
            values=column.values,
            table=column.table,
        )


def _sort_pattern(sortable: tuple[Word, ...]) -> str:
    one = f"-?({'|'.join(re.escape(word.text) for word in sortable)})"
    return f"^{one}(,{one}){{0,{MAX_SORT_KEYS - 1}}}$"


def steps_in(value: object) -> Iterator[Step]:
    """All steps in a block, those of inner blocks included."""
    if isinstance(value, Step):
        yield value
        for argument in value.arguments.values():
            yield from steps_in(argument)
    elif isinstance(value, tuple):
        for each in value:
            yield from steps_in(each)
    elif isinstance(value, Branch | Case):
        yield from steps_in(value.block)
