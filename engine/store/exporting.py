"""The records of a table as lines of a file, by id, one at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

import orjson

from engine.fields import Field
from engine.store.base import quoted
from engine.store.catalog import Catalog
from engine.store.rows import Row, names_of, row_maker
from engine.workspace import Table

Rows = Iterable[Row]

_BATCH = 1000  # records that are written at once


def columns_of(table: Table, *, secrets: bool) -> list[Field]:
    """The columns to export: without `secrets` neither passwords nor sensitive and internal ones."""
    return [column for column in table.columns.values() if secrets or not column.is_masked]


def rows(catalog: Catalog, table: Table, columns: Iterable[Field]) -> Iterator[Row]:
    """All rows as they were when the first one is read."""
    return catalog.rows(f'SELECT {names_of(columns)} FROM {quoted(table.name)} ORDER BY "id"')


def as_csv(columns: Sequence[Field], rows: Rows) -> Iterator[str]:
    """RFC 4180: null is an empty cell, a bool `true` or `false`, a list or an object JSON."""
    yield _csv_lines([[column.name for column in columns]])
    bools = [place for place, column in enumerate(columns) if column.type == "bool" and not column.is_list]
    for batch in _batches(_spelt(row, bools) for row in rows):
        yield _csv_lines(batch)


def _spelt(row: Row, bools: Iterable[int]) -> Sequence[object]:
    cells = list(row)
    for place in bools:
        if cells[place] is not None:
            cells[place] = "true" if cells[place] else "false"
    return cells


def _csv_lines(rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def as_jsonl(columns: Sequence[Field], rows: Rows) -> Iterator[str]:
    """An object a line."""
    for batch in _batches(map(row_maker(columns), rows)):
        yield "".join(orjson.dumps(record).decode() + "\n" for record in batch)


def as_json(columns: Sequence[Field], rows: Rows) -> Iterator[str]:
    """A list with an object a line."""
    separator = "[\n"
    for line in map(row_maker(columns), rows):
        yield separator + orjson.dumps(line).decode()
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


FORMATS: Mapping[str, Callable[[Sequence[Field], Rows], Iterator[str]]] = {
    "csv": as_csv,
    "json": as_json,
    "jsonl": as_jsonl,
}
