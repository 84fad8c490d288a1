"""Reading a workspace: the files of a folder, each by its kind, then what they say of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from engine import openings, schema, source
from engine.errors import Problem, Problems, Span, Text, did_you_mean
from engine.fields import Field, read_field, read_fields
from engine.parser import parse_expression
from engine.source import Document
from engine.source import Path as Keys
from engine.stack import Block, StackReader
from engine.syntax import Column, Lambda, Node, Variable, walk, with_variables
from engine.values import TEXT
from engine.workspace import (
    DEFAULT_BODY_LIMIT,
    DEFAULT_TIME_LIMIT,
    DEFAULT_VERSION,
    LIVE,
    Cors,
    Endpoint,
    Function,
    Group,
    Index,
    Publication,
    Rule,
    Table,
    TestFile,
    Workspace,
    is_broken,
)

MAX_FILES = 20_000
# The first line of a file, as far as it can be told in one that is no YAML.
_DECLARATION = re.compile(
    rf"""(?m)^["']?({"|".join(schema.FILE_KINDS)})["']?[ ]*:[ ]*(?:[&!]\S*[ ]+)?["']?([A-Za-z_][\w/-]*)"""
)
_TOKEN_HINT = "declare it as a text that is always there, and leave it sensitive"

T = TypeVar("T")


def read_workspace(root: Path, shown_as: str | None = None, *, tests: bool = True) -> tuple[Workspace, list[Problem]]:
    """The workspace in a folder, and every problem of reading it; `shown_as` replaces the folder's name in messages.

    Without `tests` the `*.test.yaml` are left aside.
    """
    reader = _Reader(root, str(root) if shown_as is None else shown_as)
    for path in stack_files(root):
        if tests or not is_test(path):
            reader.read(path)
    return reader.workspace(), reader.problems


def read_tests(root: Path) -> tuple[TestFile, ...]:
    """The test files of a workspace that can be read."""
    reader = _Reader(root, "")
    for path in filter(is_test, stack_files(root)):
        reader.read(path)
    return reader.tests()


def stack_files(root: Path) -> list[Path]:
    """The YAML files of a workspace in order, hidden folders left out."""
    found = (path for pattern in ("*.yaml", "*.yml") for path in root.rglob(pattern))
    visible = (path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))
    return sorted(path for path in visible if path.is_file())[:MAX_FILES]


def is_test(path: Path) -> bool:
    """Whether the name is one by which test files are found."""
    return path.name.endswith((".test.yaml", ".test.yml"))


class _Reader:
    """Gathers what each file declares; references between files are settled once all are read."""

    def __init__(self, root: Path, shown_as: str) -> None:
        self.root, self.shown_as = root, shown_as
        self.problems: list[Problem] = []
        self.broken: set[tuple[str, str]] = set()
        self.documents: dict[str, list[Document]] = {kind: [] for kind in schema.FILE_KINDS}

    def read(self, path: Path) -> None:
        shown = (
            f"{self.shown_as}/{path.relative_to(self.root).as_posix()}"
            if self.shown_as
            else path.relative_to(self.root).as_posix()
        )
        try:
            document = source.read_file(path, shown)
        except Problems as broken:
            self.problems += broken.problems
            self._note_broken(broken.problems[0].span.text)
            return
        kind = self._kind(document)
        if kind is not None and (kind == "test") != is_test(path):
            self._misnamed(kind, document)
            kind = None
        found = list(schema.problems(schema.file_validator(kind), document, (), document.data)) if kind else []
        self.problems += found
        if kind is None or found:
            self._note_broken(document.text)
        else:
            self.documents[kind].append(document)

    def _note_broken(self, text: Text) -> None:
        """Remembers what a file that can't be read declares, as far as its text shows."""
        declared = _DECLARATION.search(text.content)
        self.broken |= {(declared[1], declared[2])} if declared else {(kind, "") for kind in schema.FILE_KINDS}

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

    def _misnamed(self, kind: str, document: Document) -> None:
        span = document.key_span((kind,))
        if kind == "test":
            self._report("SW065", "tests are found by their file's name", span, "name the file '….test.yaml'")
        else:
            self._report("SW065", f"'{kind}:' can't stand in a test file", span, "give the file a name without '.test'")

    def _report(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.problems.append(Problem(code, message, span, hint))

    def workspace(self) -> Workspace:
        settings, env = self._settings(), self._env()
        default = self._default_group(settings, env)
        groups = self._named("group", lambda document: self._group(document, default, env))
        tables = self._resolved(self._named("table", self._table))
        id_types = {name: table.id.type for name, table in tables.items() if "id" in table.columns}
        functions = self._named("function", lambda document: self._function(document, id_types))
        endpoints = [self._endpoint(document, default, groups, id_types) for document in self.documents["endpoint"]]
        return Workspace(
            name=settings.get("workspace", self.root.resolve().name),
            group=default,
            version=settings.get("version", DEFAULT_VERSION),
            unknown_input=settings.get("unknown_input", "refuse"),
            body_limit=settings.get("body_limit", DEFAULT_BODY_LIMIT),
            time_limit=settings.get("time_limit", DEFAULT_TIME_LIMIT),
            data_sources=self._data_sources(),
            env=env,
            groups=groups,
            tables=tables,
            endpoints=tuple(self._opened(each, tables) for each in self._distinct(endpoints)),
            functions=functions,
            tests=self.tests(),
            documents=tuple(document for documents in self.documents.values() for document in documents),
            broken=frozenset(self.broken),
            root=self.root,
        )

    def tests(self) -> tuple[TestFile, ...]:
        return tuple(TestFile(_text(document, "test"), document) for document in self.documents["test"])

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

    def _data_sources(self) -> tuple[str, ...]:
        names = [LIVE]
        for document in self.documents["workspace"][:1]:
            for place, name in enumerate(_mapping(document).get("data_sources", ())):
                if name in names:
                    message = f"the data source '{name}' is there already"
                    self._report("SW069", message, document.span(("data_sources", place)), "take it out")
                else:
                    names.append(name)
        return tuple(names[1:])

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

    def _default_group(self, settings: Mapping[str, Any], env: Iterable[Field]) -> Group:
        return Group(
            "",
            settings.get("canonical", "main"),
            _cors(settings.get("cors", {})),
            settings.get("description", ""),
            self._publication(self.documents["workspace"][0], env) if "openapi" in settings else Publication(),
        )

    def _group(self, document: Document, default: Group, env: Iterable[Field]) -> Group:
        data = _mapping(document)
        name = data["group"]
        return Group(
            name,
            data.get("canonical", name.replace("/", "-")),
            _cors(data["cors"]) if "cors" in data else default.cors,
            data.get("description", ""),
            self._publication(document, env) if "openapi" in data else default.openapi,
        )

    def _publication(self, document: Document, env: Iterable[Field]) -> Publication:
        """Who may read a group's contract; a token is in an environment variable that is always there."""
        written = document.value(("openapi",))
        if isinstance(written, str):
            return Publication(is_public=written == "public")
        name = written["token"].removeprefix("$env.")
        known, span = {each.name: each for each in env}, document.span(("openapi", "token"))
        if name not in known:
            if not is_broken(self.broken, "workspace", None):
                hint = did_you_mean(name, known) or f"declare it: 'env: {{{name}: text}}' in the workspace's file"
                self._report("SW070", f"unknown environment variable '{name}'", span, hint)
        elif known[name].kind != TEXT.masked():
            self._report("SW070", f"'{name}' can't be a token: it is {known[name].kind}", span, _TOKEN_HINT)
        return Publication(is_public=False, variable=name)

    def _table(self, document: Document) -> Table:
        data = _mapping(document)
        columns = {each.name: each for each in read_fields(document, ("columns",))}
        span = document.span(("table",))
        self._check_id(columns.get("id"), span)
        indexes = tuple(self._index(document, place) for place in range(len(data.get("indexes", ()))))
        for place, index in enumerate(indexes):
            for number, name in enumerate(index.columns):
                where = document.span(("indexes", place, "columns", number))
                if name not in columns:
                    self._report("SW061", f"unknown column '{name}'", where, did_you_mean(name, columns))
                elif index.type == "search" and not _is_searchable(columns[name]):
                    self._report("SW067", f"'{name}' can't be searched: it holds no text that may be shown", where)
        self._check_searches([index for index in indexes if index.type == "search"], columns.get("id"))
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
        path: Keys = ("indexes", place)
        data = document.value(path)
        columns = [next(iter(each.items())) if isinstance(each, dict) else (each, "asc") for each in data["columns"]]
        return Index(
            columns=tuple(name for name, _ in columns),
            unique=bool(data.get("unique")),
            span=document.span(path),
            descending=frozenset(name for name, order in columns if order == "desc"),
            where=self._over_columns(document, (*path, "where")) if "where" in data else None,
            type=data.get("type", ""),
        )

    def _check_searches(self, indexes: list[Index], id_: Field | None) -> None:
        for index in indexes:
            if index.where is not None or index.unique or index.descending:
                hint = "leave 'unique', 'where' and the order out"
                self._report("SW067", "a search index knows columns alone", index.span, hint)
        for index in indexes[1:]:
            self._report("SW067", "a second search index", index.span, "list all columns in one")
        if indexes and id_ is not None and id_.type != "int":
            self._report("SW067", "a search index needs a table whose id is an int", indexes[0].span)

    def _rule(self, document: Document, place: int) -> Rule | None:
        path: Keys = ("checks", place)
        data = document.value(path)
        at: Keys = (*path, "check") if isinstance(data, dict) else path
        node = self._over_columns(document, at)
        if node is None:
            return None
        nodes = list(walk(node))
        has_lambda = any(isinstance(each, Lambda) for each in nodes)  # its parameters are variables
        for each in nodes:
            if isinstance(each, Variable) and not has_lambda:
                hint = f"write '{each.name}' where the column is meant"
                self._report("SW161", f"a rule knows columns alone, '${each.name}' is a variable", each.span, hint)
        columns = tuple(dict.fromkeys(each.name for each in walk(node) if isinstance(each, Column)))
        message = data.get("message", "") if isinstance(data, dict) else ""
        message = message or f"The rule is not met: {document.value(at)}"
        return Rule(with_variables(node), columns, message, document.span(at))

    def _over_columns(self, document: Document, path: Keys) -> Node | None:
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
        self.broken |= {("table", name) for name, table in tables.items() if "id" not in table.columns}
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
            if each.table and each.table not in tables and not is_broken(self.broken, "table", each.table):
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
        if not is_broken(self.broken, "group", name):
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

    def _opened(self, endpoint: Endpoint, tables: Mapping[str, Table]) -> Endpoint:
        """The endpoint with the inputs that a query of its stack opens."""
        for step in islice(openings.open_steps(endpoint.stack), 1, None):
            hint = "a request's filter and sort can only be meant for one"
            self._report("SW066", "a second query is open to the request", step.span, hint)
        opened = list(openings.inputs(endpoint.stack, tables))
        for each in endpoint.input:
            if each.name in {field.name for field in opened}:
                self._report("SW066", f"the input '{each.name}' is what the open query takes", each.span, "rename it")
        return replace(endpoint, input=(*endpoint.input, *opened)) if opened else endpoint

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


def _is_searchable(column: Field) -> bool:
    return column.kind.family == "text" and not column.is_masked


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
