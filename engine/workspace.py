"""A workspace: tables, groups, endpoints, functions and tests, as the files of a folder declare them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import Span
from engine.fields import Field
from engine.source import Document
from engine.stack import Block
from engine.syntax import Node
from engine.values import Kind, object_of

DEFAULT_BODY_LIMIT = 1 << 20
DEFAULT_VALUE_LIMIT = 200_000
TIME_LIMIT = 30.0
MEMORY_LIMIT = 256 << 20
ANSWER_LIMIT = 16 << 20
DEFAULT_VERSION = "1.0.0"
LIVE = "live"  # the data source that is always there


# Origins that any page can have: one in a frame without rights of its own sends `null`.
EVERY_SITE = frozenset({"*", "null"})


@dataclass(frozen=True, slots=True)
class Cors:
    """Who may call from a browser: origins (`*` is anyone), extra headers, seconds a preflight is kept."""

    enabled: bool = True
    origins: tuple[str, ...] = ("*",)
    credentials: bool = False
    headers: tuple[str, ...] = ()
    max_age: int = 86400


@dataclass(frozen=True, slots=True)
class Publication:
    """Who may read a group's OpenAPI document: anyone where it `is_public`, else whoever brings the token that an
    environment variable holds, else nobody."""

    is_public: bool = True
    variable: str = ""


@dataclass(frozen=True, eq=False)
class Group:
    """Endpoints under one `/api:{canonical}`."""

    name: str
    canonical: str
    cors: Cors
    description: str = ""
    openapi: Publication = Publication()


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index of a table over one or several columns, of the records that meet `where`; `descending` names columns.

    One of the type `search` is for words in texts.
    """

    columns: tuple[str, ...]
    unique: bool
    span: Span
    descending: frozenset[str] = frozenset()
    where: Node | None = None
    type: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What must be true of every record that is written: an expression in which the `columns` are variables."""

    condition: Node
    columns: tuple[str, ...]
    message: str
    span: Span


@dataclass(frozen=True, eq=False)
class Table:
    """A table: its columns by name, in the order of the file, its indexes and rules, and its first records.

    `was` is its name before this one.
    """

    name: str
    auth: bool
    columns: Mapping[str, Field]
    indexes: tuple[Index, ...]
    span: Span
    description: str = ""
    was: str = ""
    rules: tuple[Rule, ...] = ()
    seed: tuple[Mapping[str, Any], ...] = ()
    document: Document | None = None

    @property
    def id(self) -> Field:
        """The primary key."""
        return self.columns["id"]

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The columns that lie beside a record's dictionary: passwords, sensitive, internal and private ones."""
        return tuple(name for name, column in self.columns.items() if column.is_beside)

    @cached_property
    def passwords(self) -> tuple[str, ...]:
        """The columns whose values are hashed as they are stored."""
        return tuple(name for name, column in self.columns.items() if column.type == "password")

    @cached_property
    def kind(self) -> Kind:
        """The kind of its records, secret columns tainted."""
        return replace(object_of({name: each.column_kind for name, each in self.columns.items()}), table=self.name)

    @cached_property
    def asked(self) -> Mapping[str, Kind]:
        """The kinds of its columns in a `where`; secret ones are tainted."""
        return {name: each.kind for name, each in self.columns.items()}

    @cached_property
    def trait(self) -> object:
        """What is equal for two readings of it that differ in nothing but places and comments."""
        return repr(self.document and self.document.data), _types(self.columns.values())

    @cached_property
    def shown(self) -> Mapping[str, Kind]:
        """The kinds of its columns as a query computes what it shows: private ones are plain, as they are named."""
        return {name: kind.plain() if kind.private else kind for name, kind in (self.kind.fields or {}).items()}

    @cached_property
    def search(self) -> Index | None:
        """Its search index."""
        return next((index for index in self.indexes if index.type == "search"), None)

    @cached_property
    def unique(self) -> tuple[tuple[str, ...], ...]:
        """The column sets that are unique."""
        single = tuple((name,) for name, column in self.columns.items() if column.unique)
        return (("id",), *single, *(each.columns for each in self.indexes if each.unique and each.where is None))


@dataclass(frozen=True, eq=False)
class Endpoint:
    """One verb and path: who may call it, what it takes, its steps and its response."""

    method: str
    path: str
    group: Group
    auth: str
    input: tuple[Field, ...]
    stack: Block
    response: Node | None
    span: Span
    document: Document
    atomic: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`POST /auth/login`, as tests and logs name it."""
        return f"{self.method} {self.path}"

    @cached_property
    def address(self) -> str:
        """`POST /api:main/auth/login`, which no other group's endpoint has."""
        return f"{self.method} /api:{self.group.canonical}{self.path}"

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces of its path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @cached_property
    def has_body(self) -> bool:
        """Whether clients send its input in a body.

        That of a DELETE goes into the URL, unless a part of it is secret, which no URL may carry, or a file.
        """
        if self.method == "DELETE":
            return any(each.holds_secret or each.type == "file" for each in self.input)
        return self.method not in ("GET", "HEAD")

    @cached_property
    def route(self) -> str:
        """Its path with the parameters' names left out: what may be there only once."""
        return re.sub(r"\{\w+\}", "{}", self.path)


@dataclass(frozen=True, eq=False)
class Function:
    """A stack that other stacks run."""

    name: str
    input: tuple[Field, ...]
    returns: Field | None
    stack: Block
    span: Span
    document: Document
    description: str = ""

    @cached_property
    def trait(self) -> object:
        """What is equal for two readings of it that differ in nothing that its callers could see."""
        data = self.document.value(())
        declared = repr({key: data[key] for key in data if key not in ("description", "stack")})
        return declared, _types(self.input), self.returns and _types([self.returns])


def _types(fields: Iterable[Field]) -> tuple[object, ...]:
    """The types of fields, those of references filled in."""
    return tuple((each.type, _types(each.properties)) for each in fields)


@dataclass(frozen=True, eq=False)
class TestFile:
    """A `*.test.yaml`: an endpoint's or a function's cases, read further by the tests' own code."""

    __test__ = False  # not for pytest to collect

    target: str
    document: Document


def is_broken(broken: Iterable[tuple[str, str]], kind: str, name: str | None) -> bool:
    """Whether `name`, or any where none is given, is among the kinds and names that unreadable files declare."""
    return any(each == kind and (name is None or known in (name, "")) for each, known in broken)


@dataclass(frozen=True, eq=False)
class Workspace:
    """Everything a folder says, as far as it could be read.

    `data_sources` are those beside `LIVE`; where there are none, a request can't choose. `documents` are the files that
    could be read. `broken` holds the kinds and names that unreadable files declare, so that no use of them is reported
    too. A name is empty where even that can't be told: it may be any.
    """

    name: str
    group: Group
    version: str = DEFAULT_VERSION
    unknown_input: str = "refuse"
    body_limit: int = DEFAULT_BODY_LIMIT
    value_limit: int = DEFAULT_VALUE_LIMIT
    time_limit: float = TIME_LIMIT
    memory_limit: int = MEMORY_LIMIT
    answer_limit: int = ANSWER_LIMIT
    data_sources: tuple[str, ...] = ()
    env: tuple[Field, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    functions: Mapping[str, Function] = field(default_factory=dict)
    tests: tuple[TestFile, ...] = ()
    documents: tuple[Document, ...] = ()
    broken: frozenset[tuple[str, str]] = frozenset()
    root: Path = Path()

    @property
    def every_group(self) -> list[Group]:
        """The default group and those that have a file."""
        return [self.group, *self.groups.values()]

    def is_broken(self, kind: str, name: str | None = None) -> bool:
        """Whether a file that can't be read declares, or may declare, a thing of this kind and name."""
        return is_broken(self.broken, kind, name)

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint named `POST /auth/login`, or `login` by the path alone where one verb has it."""
        wanted = name if " " in name else "/" + name.strip("/")
        found = [each for each in self.endpoints if wanted in (each.name, each.path)]
        return found[0] if len(found) == 1 else None

    def addressed(self, name: str) -> list[Endpoint]:
        """The endpoints whose name or whole address this is; several where groups have one of the name."""
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[str, list[Endpoint]]:
        named: dict[str, list[Endpoint]] = {}
        for each in self.endpoints:
            for name in (each.name, each.address):
                named.setdefault(name, []).append(each)
        return named

    def endpoint_names(self) -> list[str]:
        """The names of all endpoints."""
        return [each.name for each in self.endpoints]

    def tables_with_auth(self) -> list[str]:
        return [table.name for table in self.tables.values() if table.auth]
