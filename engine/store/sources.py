"""The records in a file, one by one with their lines, in bounded memory: CSV, a JSON list, or JSON lines.

A file is UTF-8, with or without a byte order mark. CSV is RFC 4180's, its first row names the columns, and an empty
cell is null where its column may be left out. JSON is RFC 8259's.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from engine.errors import SetupError, did_you_mean
from engine.fields import Field
from engine.store.json_text import BLANK, JsonReader
from engine.store.rows import is_json
from engine.texts import READERS
from engine.workspace import Table

MAX_RECORD = 16 << 20  # characters of a cell, bytes of a line
_CHUNK = 1 << 16  # bytes
_MARKS = {
    b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16",
}  # fmt: skip
_NOTBLANK = re.compile(r"[^ \t\r\n]")

# A record by its columns, or what is wrong with what stands there.
Given = tuple[int, dict[str, Any] | str]


class Source:
    """A file that is read line by line; `position` is how many bytes of it were."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name, self.position = name, 0
        self._file = file

    def lines(self) -> Iterator[str]:
        """The lines, with their ends. Raises SetupError for what isn't UTF-8 or is too long."""
        number = 0
        while raw := self._file.readline(MAX_RECORD + 1):
            number += 1
            self.position += len(raw)
            if number == 1:
                raw = self._unmarked(raw)
            if len(raw) > MAX_RECORD:
                raise self.failure(number, f"the line is longer than {MAX_RECORD} bytes")
            try:
                yield raw.decode()
            except UnicodeDecodeError as error:
                raise self._not_utf8(number, error) from None

    def chunks(self) -> Iterator[str]:
        """The whole text in pieces. Raises SetupError for what isn't UTF-8."""
        decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
        while raw := self._file.read(_CHUNK):
            piece = raw if self.position else self._unmarked(raw)
            self.position += len(raw)
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise self._not_utf8(line + piece.count(b"\n", 0, error.start), error) from None
            line += text.count("\n")
            yield text
        if decoder.getstate()[0]:
            raise self.failure(line, "the file ends within a character")

    def _not_utf8(self, line: int, error: UnicodeDecodeError) -> SetupError:
        message = f"the byte {error.object[error.start]:#04x} is not UTF-8: if the file is latin-1, convert it with"
        return self.failure(line, f"{message} 'iconv -f latin1 -t utf-8'")

    def _unmarked(self, raw: bytes) -> bytes:
        for mark, encoding in _MARKS.items():
            if raw.startswith(mark):
                raise SetupError(f"{self.name} is {encoding}: convert it with 'iconv -f {encoding} -t utf-8'")
        return raw.removeprefix(b"\xef\xbb\xbf")

    def failure(self, line: int, message: str) -> SetupError:
        """What ends the reading, with its line."""
        return SetupError(f"{self.name}:{line}: {message}")


def csv_records(source: Source, table: Table) -> Iterator[Given]:
    """The records of a CSV file. Raises SetupError where its header or its quotes don't fit."""
    csv.field_size_limit(MAX_RECORD)
    rows = csv.reader(source.lines(), strict=True)
    names = _header(source, _next(source, rows), table)
    cells = [(name, read) for name in names if (read := _cell_reader(table.columns[name])) is not None]
    line = rows.line_num + 1
    while (row := _next(source, rows)) is not None:
        if len(row) == len(names):
            yield line, _of_cells(dict(zip(names, row, strict=True)), cells)
        elif row:
            yield line, f"the row has {len(row)} cells, the header has {len(names)}"
        line = rows.line_num + 1


def _of_cells(record: dict[str, Any], cells: Iterable[tuple[str, Callable[[str], object]]]) -> dict[str, Any] | str:
    try:
        for name, read in cells:
            record[name] = read(record[name])
    except ValueError as error:
        return str(error)
    return record


def _next(source: Source, rows: Any) -> list[str] | None:
    try:
        return next(rows, None)
    except csv.Error as error:
        raise source.failure(rows.line_num, f"this is no CSV (RFC 4180): {error}") from None


def _header(source: Source, names: list[str] | None, table: Table) -> list[str]:
    """The columns that a header names. Raises SetupError for all that is wrong with it."""
    if not names:
        raise source.failure(1, "the first row must name the columns")
    wrong = [
        f"there is no column '{name}' in '{table.name}': {_hint(name, table)}"
        for name in names
        if name not in table.columns
    ]
    wrong += [f"the column '{name}' is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    wrong += [f"the column '{name}' is required and not in the file" for name in missing(table, names)]
    if wrong:
        raise source.failure(1, "; ".join(wrong))
    return names


def missing(table: Table, names: list[str]) -> list[str]:
    """The columns that a new record must have, and `names` has not."""
    return [name for name, column in table.columns.items() if column.required and name not in (*names, "id")]


def _hint(name: str, table: Table) -> str:
    if any(mark in name for mark in ";\t"):
        return "cells are separated by ','"
    return did_you_mean(name, table.columns, listed=20)


def _cell_reader(column: Field) -> Callable[[str], object] | None:
    """What makes a column's value of a cell; None where it is the text itself."""
    read = _json_cell(column.name) if is_json(column) else READERS.get(column.type)
    if column.required and not column.nullable:
        return read
    # A password, too, is left out rather than empty.
    if read is None:
        return lambda cell: cell or None
    return lambda cell: read(cell) if cell else None


def _json_cell(column: str) -> Callable[[str], object]:
    decoder = JsonReader()

    def read(cell: str) -> object:
        try:
            return decoder.only(cell)
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from None

    return read


# JSON


def jsonl_records(source: Source, table: Table) -> Iterator[Given]:
    """The records of a file with one JSON object a line."""
    decoder = JsonReader()
    for number, line in enumerate(source.lines(), 1):
        text = line.strip(BLANK)
        if text:
            yield number, _only(decoder, text, table)


def _only(decoder: JsonReader, text: str, table: Table) -> dict[str, Any] | str:
    try:
        return _record(decoder.only(text), table)
    except ValueError as error:
        return str(error)


def json_records(source: Source, table: Table) -> Iterator[Given]:
    """The records of a file that is one JSON list of objects. Raises SetupError where it is no such list."""
    text = _Buffer(source)
    if text.skip() != "[":
        raise source.failure(text.line, "a JSON file must be a list of objects, begin it with '['")
    text.take(1)
    while text.skip() != "]":
        line = text.line
        value, wrong = text.value()
        yield line, wrong or _record(value, table)
        following = text.skip()
        if following == ",":
            text.take(1)
            if text.skip() == "]":
                raise source.failure(text.line, "a record must follow the ','")
        elif following != "]":
            raise source.failure(text.line, "',' or ']' must follow a record" if following else "the list has no end")
    text.take(1)
    if text.skip():
        raise source.failure(text.line, "nothing may follow the list")


class _Buffer:
    """The part of a JSON text that is being read; `line` is where it begins."""

    def __init__(self, source: Source) -> None:
        self.line = 1
        self._source, self._chunks, self._text, self._place = source, source.chunks(), "", 0
        self._decoder = JsonReader()

    def skip(self) -> str:
        """The next character that isn't blank; empty at the end."""
        while True:
            found = _NOTBLANK.search(self._text, self._place)
            self.take((found.start() if found else len(self._text)) - self._place)
            if found:
                return found.group()
            if not self._more(1):
                return ""

    def take(self, count: int) -> None:
        """Go on by so many characters."""
        self.line += self._text.count("\n", self._place, self._place + count)
        self._place += count

    def value(self) -> tuple[object, str]:
        """The value that begins here, and what is wrong with it. Raises SetupError for what is no JSON."""
        while True:
            try:
                value, end, wrong = self._decoder.read(self._text, self._place)
            except ValueError as error:
                # It may only be cut short: twice as much is looked at, so that none of it is looked at often.
                wanted = 2 * (len(self._text) - self._place)
                if wanted > 2 * MAX_RECORD or not self._more(wanted):
                    raise self._source.failure(self.line, f"this record is no JSON: {error}") from None
            else:
                self.take(end - self._place)
                return value, wrong

    def _more(self, wanted: int) -> bool:
        """Take in so many characters, or all that are left; False where there are none."""
        parts = [self._text[self._place :]]
        size = len(parts[0])
        for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= wanted:
                break
        self._text, self._place = "".join(parts), 0
        return len(parts) > 1


def _record(value: object, table: Table) -> dict[str, Any] | str:
    if not isinstance(value, dict):
        return "a record must be an object"
    unknown = [name for name in value if name not in table.columns]
    if unknown:
        return "; ".join(f"there is no column '{name}' in '{table.name}': {_hint(name, table)}" for name in unknown[:8])
    return value


FORMATS: Mapping[str, Callable[[Source, Table], Iterator[Given]]] = {
    "csv": csv_records,
    "json": json_records,
    "jsonl": jsonl_records,
}
