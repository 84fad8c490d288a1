"""The clauses of a query as authors write them: what to sort by, to join, to compute, to load beside each record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import Problems, Span
from engine.source import Document, Path
from engine.syntax import Attribute, Binary, Column, Index, Literal, Node, Variable


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A name that an author wrote: of a table, a function, an error, a variable."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SortKey:
    """One entry of `sort`."""

    column: Word
    descending: bool


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """One entry of `eval` or `group`: a name, and the expression over columns that it stands for."""

    name: Word
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """One entry of `join`; without a `where` the reference between the two tables says which records belong."""

    name: Word
    table: Word
    where: Node | None
    is_left: bool


@dataclass(frozen=True, slots=True, eq=False)
class Addon:
    """One entry of `addon`: records of another table, loaded for all records at once.

    `theirs` is a column of that table and `ours` one of the queried table, whose values are the same; what is not
    written is found by the reference between the tables. `limit` counts for each record. `returns` is empty where
    the reference decides between a record and a list.
    """

    name: Word
    table: Word | None
    theirs: Word | None
    ours: Word | None
    where: Node | None = None
    sort: tuple[SortKey, ...] = ()
    output: tuple[Word, ...] | None = None
    addons: tuple[Addon, ...] = ()
    limit: int | None = None
    returns: str = ""


# What a request may ask of a column that is open to it, and how a condition spells it.
OPERATORS: Mapping[str, str] = {"": "==", "in": "in", "gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """A column that the request may filter by, and the condition for each way of asking, dropped where it doesn't."""

    column: Word
    conditions: Mapping[str, Node]


@dataclass(frozen=True, slots=True, eq=False)
class Sortable:
    """The columns that the request may sort by, and where it says by which."""

    columns: tuple[Word, ...]
    asked: Node


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """The arguments of `query_all_records`, in the order of its signature."""

    table: Word
    where: Node | None
    sort: tuple[SortKey, ...]
    page: Node | None
    per_page: Node | None
    offset: Node | None
    after: Node | None
    totals: bool
    metadata: bool
    output: tuple[Word, ...] | None
    join: tuple[Join, ...]
    group: tuple[Computed, ...]
    eval: tuple[Computed, ...]
    distinct: bool
    addon: tuple[Addon, ...]
    lock: bool
    filterable: tuple[Opening, ...]
    sortable: Sortable | None
    returns: str

    @property
    def asked_sort(self) -> Node | None:
        """What the request sorts by, where it may."""
        return self.sortable.asked if self.sortable else None

    @property
    def is_paged(self) -> bool:
        """Whether a page of what is found is asked for, by number or by position."""
        return any(each is not None for each in (self.page, self.per_page, self.offset, self.after))


class _Reader(Protocol):
    """What reading a clause asks of the reader of stacks."""

    document: Document

    def expression(self, path: Path, *, columns: bool = False) -> Node: ...
    def condition_of(self, path: Path) -> Node: ...


def read_choice(reader: _Reader, path: Path) -> str:
    return str(reader.document.value(path))


def read_sort(reader: _Reader, path: Path) -> tuple[SortKey, ...]:
    entries = _mapping(reader, path)
    return tuple(SortKey(_key(reader, (*path, name)), order == "desc") for name, order in entries.items())


def read_columns(reader: _Reader, path: Path) -> tuple[Word, ...]:
    names = reader.document.value(path)
    listed = names if isinstance(names, list) else []
    return tuple(Word(str(name), reader.document.span((*path, place))) for place, name in enumerate(listed))


def read_openings(reader: _Reader, path: Path) -> tuple[Opening, ...]:
    return tuple(
        Opening(word, {name: _asked(word, name, operator) for name, operator in OPERATORS.items()})
        for word in read_columns(reader, path)
    )


def read_sortable(reader: _Reader, path: Path) -> Sortable:
    span = reader.document.span(path)
    return Sortable(read_columns(reader, path), Attribute(Variable("input", span), "sort", False, span, span))


def _asked(word: Word, name: str, operator: str) -> Node:
    """`created_at >=? $input.filter?.["created_at.gte"]`."""
    span = word.span
    given = Attribute(Variable("input", span), "filter", False, span, span)
    key = Literal(filter_name(word.text, name), span)
    return Binary(operator, Column(word.text, span), Index(given, key, True, span), True, span, span)


def filter_name(column: str, name: str) -> str:
    """How a request says what it asks of a column: `created_at`, or `created_at.gte`."""
    return f"{column}.{name}" if name else column


def read_evals(reader: _Reader, path: Path) -> tuple[Computed, ...]:
    return tuple(
        Computed(_key(reader, (*path, name)), reader.expression((*path, name), columns=True))
        for name in _mapping(reader, path)
    )


def read_group(reader: _Reader, path: Path) -> tuple[Computed, ...]:
    """A list of columns, or a mapping of expressions over them."""
    if isinstance(reader.document.value(path), dict):
        return read_evals(reader, path)
    return tuple(Computed(word, Column(word.text, word.span)) for word in read_columns(reader, path))


def read_joins(reader: _Reader, path: Path) -> tuple[Join, ...]:
    return tuple(_join(reader, (*path, name)) for name in _mapping(reader, path))


def _join(reader: _Reader, path: Path) -> Join:
    data = _mapping(reader, path, "table")
    where = reader.expression((*path, "where"), columns=True) if "where" in data else None
    return Join(_key(reader, path), _value(reader, (*path, "table")), where, data.get("type") == "left")


def read_addons(reader: _Reader, path: Path) -> tuple[Addon, ...]:
    return tuple(_addon(reader, (*path, name)) for name in _mapping(reader, path))


def _addon(reader: _Reader, path: Path) -> Addon:
    name, data = _key(reader, path), reader.document.value(path)
    if isinstance(data, str):
        return _short_addon(name, _value(reader, path))
    data = _mapping(reader, path)
    theirs, ours = _pair(reader, (*path, "on")) if "on" in data else (None, None)
    return Addon(
        name,
        _value(reader, (*path, "table")) if "table" in data else None,
        theirs,
        _value(reader, (*path, "by")) if "by" in data else ours,
        where=reader.condition_of((*path, "where")) if "where" in data else None,
        sort=read_sort(reader, (*path, "sort")) if "sort" in data else (),
        output=read_columns(reader, (*path, "output")) if "output" in data else None,
        addons=read_addons(reader, (*path, "addon")) if "addon" in data else (),
        limit=data.get("limit"),
        returns=data.get("return", ""),
    )


def _short_addon(name: Word, written: Word) -> Addon:
    """`user_id`, a reference of ours, or `comment.post_id`, a reference to us."""
    table, dot, column = written.text.partition(".")
    if not dot:
        return Addon(name, None, None, Word(table, written.span))
    return Addon(name, Word(table, written.span), Word(column, written.span), None)


def _pair(reader: _Reader, path: Path) -> tuple[Word, Word]:
    theirs = next(iter(_mapping(reader, path)), "")
    _mapping(reader, path, theirs)
    return _key(reader, (*path, theirs)), _value(reader, (*path, theirs))


def _key(reader: _Reader, path: Path) -> Word:
    return Word(str(path[-1]), reader.document.key_span(path))


def _value(reader: _Reader, path: Path) -> Word:
    return Word(str(reader.document.value(path)), reader.document.span(path))


def _mapping(reader: _Reader, path: Path, *needed: str) -> Mapping[str, Any]:
    data = reader.document.value(path)
    if not isinstance(data, dict) or not set(needed) <= set(data):
        raise Problems([])  # the step's schema has said so
    return data
