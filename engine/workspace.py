"""A workspace: the files of a folder as tables, groups, endpoints, functions and tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as Folder
from typing import Any, TypeVar

from engine import schema, source
from engine.errors import Problem, Problems, Span, did_you_mean
from engine.fields import Field, read_field, read_fields
from engine.parser import parse_expression
from engine.source import Document, Path
from engine.stack import Block, StackReader
from engine.syntax import Column, Lambda, Node, Variable, walk, with_variables
from engine.values import Kind, object_of

DEFAULT_BODY_LIMIT = 1 << 20
DEFAULT_TIME_LIMIT = 30.0
MAX_FILES = 20_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cors:
    """Who may call from a browser: origins (`*` is anyone), extra headers, seconds a preflight is kept."""

    enabled: bool = True
    origins: tuple[str, ...] = ("*",)
    credentials: bool = False
    headers: tuple[str, ...] = ()
    max_age: int = 86400


@dataclass(frozen=True, eq=False)
class Group:
    """Endpoints under one `/api:{canonical}`."""

    name: str
    canonical: str
    cors: Cors
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index of a table over one or several columns, of the records that meet `where`; `descending` names columns."""

    columns: tuple[str, ...]
    unique: bool
    span: Span
    descending: frozenset[str] = frozenset()
    where: Node | None = None


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
    def kind(self) -> Kind:
        """The kind of its records, secret columns tainted."""
        return replace(object_of({name: each.column_kind for name, each in self.columns.items()}), table=self.name)

    @cached_property
    def asked(self) -> Mapping[str, Kind]:
        """The kinds of its columns in a `where`; secret ones are tainted."""
        return {name: each.kind for name, each in self.columns.items()}

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
    def parameters(self) -> tuple[str, ...]:
        """The names in braces of its path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
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


@dataclass(frozen=True, eq=False)
class TestFile:
    """A `*.test.yaml`: an endpoint's or a function's cases, read further by the tests' own code."""

    __test__ = False  # not for pytest to collect

    target: str
    document: Document


@dataclass(frozen=True, eq=False)
class Workspace:
    """Everything a folder says, as far as it could be read.

    `broken` holds the names that unreadable files declare, so that no use of them is reported too.
    """

    name: str
    group: Group
    unknown_input: str = "refuse"
    body_limit: int = DEFAULT_BODY_LIMIT
    time_limit: float = DEFAULT_TIME_LIMIT
    env: tuple[Field, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    functions: Mapping[str, Function] = field(default_factory=dict)
    tests: tuple[TestFile, ...] = ()
    broken: frozenset[tuple[str, str]] = frozenset()
    root: Folder = Folder()

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint named `POST /auth/login`, or `login` by the path alone where one verb has it."""
        wanted = name if " " in name else "/" + name.strip("/")
        found = [each for each in self.endpoints if wanted in (each.name, each.path)]
        return found[0] if len(found) == 1 else None

    def tables_with_auth(self) -> list[str]:
        return [table.name for table in self.tables.values() if table.auth]


def read_workspace(root: Folder, shown_as: str | None = None) -> tuple[Workspace, list[Problem]]:
    """The workspace in a folder, and every problem of reading it; `shown_as` replaces the folder's name in messages."""
    reader = _Reader(root, str(root) if shown_as is None else shown_as)
    for path in stack_files(root):
        reader.read(path)
    return reader.workspace(), reader.problems


def stack_files(root: Folder) -> list[Folder]:
    """The YAML files of a workspace in order, hidden folders left out."""
    found = (path for pattern in ("*.yaml", "*.yml") for path in root.rglob(pattern))
    visible = (path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))
    return sorted(path for path in visible if path.is_file())[:MAX_FILES]


class _Reader:
    """Gathers what each file declares; references between files are settled once all are read."""

    def __init__(self, root: Folder, shown_as: str) -> None:
        self.root, self.shown_as = root, shown_as
        self.problems: list[Problem] = []
        self.broken: set[tuple[str, str]] = set()
        self.documents: dict[str, list[Document]] = {kind: [] for kind in schema.FILE_KINDS}

    def read(self, path: Folder) -> None:
        shown = (
            f"{self.shown_as}/{path.relative_to(self.root).as_posix()}"
            if self.shown_as
            else path.relative_to(self.root).as_posix()
        )
        try:
            document = source.read_file(path, shown)
        except Problems as broken:
            self.problems += broken.problems
            return
        kind = self._kind(document)
        if kind is None or not isinstance(document.data, dict):
            return
        found = list(schema.problems(schema.file_validator(kind), document, (), document.data))
        self.problems += found
        if found:
            self.broken.add((kind, str(document.data[kind])))
        else:
            self.documents[kind].append(document)

    def _kind(self, document: Document) -> str | None:
        data = document.data
        if not isinstance(data, dict) or not data:
            hint = "begin with one of " + ", ".join(f"{kind}:" for kind in schema.FILE_KINDS)
            self._report("SW050", "the file says nothing: it must be a mapping", document.span(()), hint)
            return None
        first = next(iter(data))
        if first in schema.FILE_KINDS:
            return str(first)
        later = next((kind for kind in schema.FILE_KINDS if kind in data), None)
        hint = f"put '{later}:' first" if later else did_you_mean(first, schema.FILE_KINDS)
        self._report("SW050", f"a file can't begin with '{first}'", document.key_span((first,)), hint)
        return None

    def _report(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.problems.append(Problem(code, message, span, hint))

    def workspace(self) -> Workspace:
        settings = self._settings()
        default = Group("", settings.get("canonical", "main"), _cors(settings.get("cors", {})))
        groups = self._named("group", lambda document: self._group(document, default.cors))
        tables = self._resolved(self._named("table", self._table))
        id_types = {name: table.id.type for name, table in tables.items() if "id" in table.columns}
        functions = self._named("function", lambda document: self._function(document, id_types))
        endpoints = [self._endpoint(document, default, groups, id_types) for document in self.documents["endpoint"]]
        return Workspace(
            name=settings.get("workspace", self.root.resolve().name),
            group=default,
            unknown_input=settings.get("unknown_input", "refuse"),
            body_limit=settings.get("body_limit", DEFAULT_BODY_LIMIT),
            time_limit=settings.get("time_limit", DEFAULT_TIME_LIMIT),
            env=self._env(),
            groups=groups,
            tables=tables,
            endpoints=tuple(self._distinct(endpoints)),
            functions=functions,
            tests=tuple(TestFile(_text(document, "test"), document) for document in self.documents["test"]),
            broken=frozenset(self.broken),
            root=self.root,
        )

    def _settings(self) -> dict[str, Any]:
        first, more = self.documents["workspace"][:1], self.documents["workspace"][1:]
        for document in more:
            self._report(
                "SW058",
                "a second workspace file",
                document.key_span(("workspace",)),
                "keep one, its settings count for all files",
            )
        return _mapping(first[0]) if first else {}

    def _env(self) -> tuple[Field, ...]:
        declared = [document for document in self.documents["workspace"][:1] if "env" in _mapping(document)]
        # An environment value is sensitive unless its declaration says otherwise.
        return tuple(
            replace(each, sensitive=_mapping(document)["env"][each.name].get("sensitive", True)
                    if isinstance(_mapping(document)["env"].get(each.name), dict) else True)
            for document in declared
            for each in read_fields(document, ("env",))
        )  # fmt: skip

    def _named(self, kind: str, make: Callable[[Document], T]) -> dict[str, T]:
        made: dict[str, T] = {}
        spans: dict[str, Span] = {}
        for document in self.documents[kind]:
            name, span = _text(document, kind), document.span((kind,))
            if name in made:
                self._report(
                    "SW059", f"the {kind} '{name}' is declared twice", span, f"it is declared at {spans[name]} already"
                )
            else:
                made[name], spans[name] = make(document), span
        return made

    def _group(self, document: Document, cors: Cors) -> Group:
        data = _mapping(document)
        name = data["group"]
        return Group(
            name,
            data.get("canonical", name.replace("/", "-")),
            _cors(data["cors"]) if "cors" in data else cors,
            data.get("description", ""),
        )

    def _table(self, document: Document) -> Table:
        data = _mapping(document)
        columns = {each.name: each for each in read_fields(document, ("columns",))}
        span = document.span(("table",))
        self._check_id(columns.get("id"), span)
        indexes = tuple(self._index(document, place) for place in range(len(data.get("indexes", ()))))
        for place, index in enumerate(indexes):
            for number, name in enumerate(index.columns):
                if name not in columns:
                    where = document.span(("indexes", place, "columns", number))
                    self._report("SW061", f"unknown column '{name}'", where, did_you_mean(name, columns))
        self._check_renames(columns.values())
        rules = [self._rule(document, place) for place in range(len(data.get("checks", ())))]
        return Table(
            name=data["table"],
            auth=bool(data.get("auth")),
            columns=columns,
            indexes=indexes,
            span=span,
            description=data.get("description", ""),
            was=data.get("was", ""),
            rules=tuple(rule for rule in rules if rule is not None),
            seed=tuple(data.get("seed", ())),
            document=document,
        )

    def _check_renames(self, declared: Iterable[Field | Table]) -> None:
        """A name that was given up is nobody's, and was given up once."""
        taken = {each.name for each in declared}
        for each in declared:
            if each.was in taken:
                message = f"'{each.was}' can't be what '{each.name}' was: it is declared as well"
                self._report("SW068", message, each.span, "take 'was' out, or rename one first and the other later")
            taken |= {each.was} - {""}

    def _index(self, document: Document, place: int) -> Index:
        path: Path = ("indexes", place)
        data = document.value(path)
        columns = [next(iter(each.items())) if isinstance(each, dict) else (each, "asc") for each in data["columns"]]
        return Index(
            columns=tuple(name for name, _ in columns),
            unique=bool(data.get("unique")),
            span=document.span(path),
            descending=frozenset(name for name, order in columns if order == "desc"),
            where=self._over_columns(document, (*path, "where")) if "where" in data else None,
        )

    def _rule(self, document: Document, place: int) -> Rule | None:
        path: Path = ("checks", place)
        data = document.value(path)
        at: Path = (*path, "check") if isinstance(data, dict) else path
        node = self._over_columns(document, at)
        if node is None:
            return None
        nodes = list(walk(node))
        has_lambda = any(isinstance(each, Lambda) for each in nodes)  # its parameters are variables
        for each in nodes:
            if isinstance(each, Variable) and not has_lambda:
                hint = f"write '{each.name}' where the column is meant"
                self._report("SW136", f"a rule knows columns alone, '${each.name}' is a variable", each.span, hint)
        columns = tuple(dict.fromkeys(each.name for each in walk(node) if isinstance(each, Column)))
        message = data.get("message", "") if isinstance(data, dict) else ""
        message = message or f"The rule is not met: {document.value(at)}"
        return Rule(with_variables(node), columns, message, document.span(at))

    def _over_columns(self, document: Document, path: Path) -> Node | None:
        """The expression at `path`, in which bare names are columns; None where it can't be read."""
        try:
            return parse_expression(document.value(path), document.origin(path), columns=True)
        except Problems as broken:
            self.problems += broken.problems
            return None

    def _check_id(self, column: Field | None, span: Span) -> None:
        if column is None:
            self._report("SW062", "a table needs a column 'id'", span, "add 'id: int' (or 'id: uuid') under 'columns:'")
        elif column.type not in ("int", "uuid") or column.is_list or column.may_be_null:
            self._report(
                "SW062", f"the column 'id' can't be '{column.type}'", column.span, "write 'id: int' or 'id: uuid'"
            )

    def _resolved(self, tables: dict[str, Table]) -> dict[str, Table]:
        tables = {name: table for name, table in tables.items() if "id" in table.columns}
        self._check_renames(tables.values())
        id_types = {name: table.id.type for name, table in tables.items()}
        for table in tables.values():
            self._check_references(table.columns.values(), tables)
        return {
            name: replace(table, columns={key: column.resolved(id_types) for key, column in table.columns.items()})
            for name, table in tables.items()
        }

    def _check_references(self, fields: Iterable[Field], tables: Iterable[str]) -> None:
        for each in fields:
            self._check_references(each.properties, tables)
            if each.table and each.table not in tables and ("table", each.table) not in self.broken:
                self._report("SW060", f"unknown table '{each.table}'", each.span, did_you_mean(each.table, tables))

    def _input(self, document: Document, id_types: Mapping[str, str]) -> tuple[Field, ...]:
        fields = read_fields(document, ("input",)) if _mapping(document).get("input") else ()
        self._check_references(fields, id_types)
        return tuple(each.resolved(id_types) for each in fields)

    def _stack(self, document: Document) -> tuple[Block, Node | None]:
        reader = StackReader(document)
        stack, response = reader.block(("stack",)), None
        if "response" in _mapping(document):
            try:
                response = reader.value(("response",))
            except Problems as broken:
                reader.problems += broken.problems
        self.problems += reader.problems
        if reader.problems:
            self.broken.add(("stack", document.text.path))
        return stack, response

    def _endpoint(
        self, document: Document, default: Group, groups: Mapping[str, Group], id_types: Mapping[str, str]
    ) -> Endpoint:
        data = _mapping(document)
        method, path = data["endpoint"].split(" ", 1)
        stack, response = self._stack(document)
        return Endpoint(
            method=method,
            path=path,
            group=self._group_of(document, default, groups),
            auth=data.get("auth", ""),
            input=self._input(document, id_types),
            stack=stack,
            response=response,
            span=document.span(("endpoint",)),
            document=document,
            atomic=data.get("atomic", True),
            description=data.get("description", ""),
            tags=tuple(data.get("tags", ())),
        )

    def _group_of(self, document: Document, default: Group, groups: Mapping[str, Group]) -> Group:
        name = _mapping(document).get("group")
        if name is None or name in groups:
            return groups[name] if name else default
        if ("group", name) not in self.broken:
            self._report("SW063", f"unknown group '{name}'", document.span(("group",)), did_you_mean(name, groups))
        return default

    def _function(self, document: Document, id_types: Mapping[str, str]) -> Function:
        data = _mapping(document)
        stack, _ = self._stack(document)
        returns = read_field(document, ("returns",)).resolved(id_types) if "returns" in data else None
        return Function(
            name=data["function"],
            input=self._input(document, id_types),
            returns=returns,
            stack=stack,
            span=document.span(("function",)),
            document=document,
            description=data.get("description", ""),
        )

    def _distinct(self, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
        seen: dict[tuple[str, str, str], Endpoint] = {}
        for endpoint in endpoints:
            key = (endpoint.group.canonical, endpoint.method, endpoint.route)
            if key in seen:
                message = f"the endpoint '{endpoint.name}' is declared twice"
                self._report("SW064", message, endpoint.span, f"'{seen[key].name}' is at {seen[key].span}")
            else:
                seen[key] = endpoint
                yield endpoint


def _cors(options: Mapping[str, Any]) -> Cors:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    return Cors(**given)


def _mapping(document: Document) -> dict[str, Any]:
    data: Any = document.data
    return dict(data)


def _text(document: Document, key: str) -> str:
    return str(_mapping(document)[key])
