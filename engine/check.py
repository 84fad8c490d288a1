"""The static checker: every stack of a workspace, its names, kinds, nulls and secrets, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import TypeVar

from engine import lints
from engine.errors import Problem, Span, did_you_mean
from engine.fields import Field, inputs_kind
from engine.ignores import heeded
from engine.lints.lookalikes import explained
from engine.lints.reading import Subject
from engine.signatures import auth_table_problems
from engine.stack import Word
from engine.stack_check import StackChecker
from engine.stack_walk import CheckedStack
from engine.tables import field_problems, table_problems
from engine.token_extras import Extras, Maker, put_in, reads_extras, token_extras
from engine.values import ANY, INT, NEVER, OBJECT, TEXT, TIMESTAMP, Kind, contains_secret, object_of, without_inputs
from engine.workspace import Endpoint, Function, Table, Workspace

K = TypeVar("K", bound=Hashable)

REQUEST = object_of(
    {
        "id": TEXT,
        "method": TEXT,
        "path": TEXT,
        "ip": TEXT.maybe(),
        "headers": Kind("object"),
        "time": TIMESTAMP,
        "data_source": TEXT,
    }
)
SecretReads = frozenset[tuple[str, str]]  # columns, each after its table
# What only follows from a step that could not be read.
_FOLLOWING = frozenset({"SW201", "SW202", "SW210", "SW240"})


@dataclass(frozen=True, eq=False)
class Checked:
    """A workspace whose stacks were checked, and every problem, in source order.

    `secret_reads`: the secret columns that any stack reads.
    """

    workspace: Workspace
    problems: list[Problem]
    endpoints: Mapping[Endpoint, CheckedStack] = field(default_factory=dict)
    functions: Mapping[str, CheckedStack] = field(default_factory=dict)
    secret_reads: SecretReads = frozenset()

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


class Later(Mapping[K, CheckedStack]):
    """Stacks that are checked when they are first asked for, one at a time for all who hold `turn`."""

    def __init__(self, keys: Mapping[K, K], check: Callable[[K], CheckedStack], turn: RLock) -> None:
        self._keys, self._check, self._turn = keys, check, turn
        self._found: dict[K, CheckedStack] = {}

    def __getitem__(self, key: K) -> CheckedStack:
        known = self._found.get(self._keys[key])
        if known is not None:
            return known
        with self._turn:  # a checker follows one call of functions at a time
            if key not in self._found:
                self._found[key] = self._check(key)
            return self._found[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class WorkspaceChecker:
    """Checks stacks one by one; a function when it is first needed, so that its result's kind is known."""

    walker: type[StackChecker] = StackChecker

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.problems: list[Problem] = []
        self._functions: dict[str, CheckedStack] = {}
        self._open: list[str] = []
        # What the environment holds is only known where the workspace's own file can be read.
        known = object_of({each.name: each.kind for each in workspace.env})
        self._env = OBJECT if workspace.is_broken("workspace") else known

    def checked(self, problems: Iterable[Problem] = ()) -> Checked:
        """The whole workspace; `problems` are those of reading it."""
        endpoints = {endpoint: self.endpoint(endpoint) for endpoint in self.workspace.endpoints}
        functions = {name: self.function(name) for name in self.workspace.functions}
        for table in self.workspace.tables.values():
            self.table(table)
        told = heeded(self.workspace.documents, [*problems, *self.problems])
        found = sorted(told, key=lambda problem: problem.place)
        every = [each.secret_reads for each in (*endpoints.values(), *functions.values())]
        return Checked(self.workspace, found, endpoints, functions, frozenset().union(*every))

    def later(self, secret_reads: SecretReads) -> Checked:
        """The workspace as one without any problem, whose stacks are checked when they are first asked for."""
        turn = RLock()
        endpoints = Later({endpoint: endpoint for endpoint in self.workspace.endpoints}, self.endpoint, turn)
        functions = Later({name: name for name in self.workspace.functions}, self.function, turn)
        return Checked(self.workspace, [], endpoints, functions, secret_reads)

    @property
    def errors(self) -> list[Problem]:
        """The problems that are more than warnings."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def table(self, table: Table) -> None:
        """Checks what a table declares."""
        self.problems += table_problems(table)

    def endpoint(self, endpoint: Endpoint) -> CheckedStack:
        self._endpoint_header(endpoint)
        checker = self._checker(endpoint, self._auth_kind(endpoint) if endpoint.auth else None)
        return self._finish(checker, checker.run(endpoint.stack, endpoint.response), endpoint)

    def _checker(self, owner: Endpoint | Function, auth: Kind | None) -> StackChecker:
        """Who checks the stack of `owner`, which is given `$auth` where that is known."""
        given = {"input": _inputs_kind(owner), "request": REQUEST, "env": self._env}
        if isinstance(owner, Function):
            return self.walker(self, given, "", owner.returns)
        checker = self.walker(self, given if auth is None else {**given, "auth": auth}, owner.method)
        checker.atomic = owner.atomic
        return checker

    def _auth_kind(self, endpoint: Endpoint) -> Kind:
        """The kind of `$auth`; what the token carries is only looked at where the stack does."""
        extras = self.carried(endpoint.auth) if reads_extras(endpoint) else OBJECT
        return auth_kind(self.workspace.tables.get(endpoint.auth), extras)

    def carried(self, table: str) -> Kind:
        """The kind of the extras in tokens of a table."""
        return self.extras.get(table, OBJECT)

    @cached_property
    def extras(self) -> Extras:
        """What is known of the extras in tokens, where every step that may put some in can be read."""
        if any(self.workspace.is_broken(kind) for kind in ("endpoint", "function", "stack")):
            return {}
        return token_extras(self.workspace, self._put_in)

    def _put_in(self, turn: int, maker: Maker, known: Extras) -> Extras:
        """What a stack puts into tokens, where that much is known of what it reads from them."""
        auth = maker.auth if isinstance(maker, Endpoint) else ""
        kind = auth_kind(self.workspace.tables.get(auth), known.get(auth, NEVER)) if auth else None
        checker = self._checker(maker, kind)
        checker.run(maker.stack, None)
        return put_in(maker, checker.kinds)

    def function(self, name: str, place: Span | None = None) -> CheckedStack:
        """The checked function; a call that leads back to itself is a problem at `place`."""
        if name in self._open:
            chain = " → ".join([*self._open[self._open.index(name) :], name])
            self.problems.append(
                Problem("SW130", f"the function '{name}' calls itself: {chain}", _known(place), "use a loop")
            )
            return CheckedStack({}, ANY, frozenset(), acts=True)
        if name not in self._functions:
            self._open.append(name)
            self._functions[name] = self._function(self.workspace.functions[name])
            self._open.pop()
        return self._functions[name]

    def _function(self, function: Function) -> CheckedStack:
        self.problems += field_problems(function.input)
        checker = self._checker(function, None)
        return self._finish(checker, checker.run(function.stack, None), function)

    def _finish(self, checker: StackChecker, result: Kind, owner: Endpoint | Function) -> CheckedStack:
        broken = self.workspace.is_broken("stack", owner.document.text.path)
        # Steps that could not be read leave holes: what follows from a hole is no news.
        found = [each for each in checker.problems if not (broken and each.code in _FOLLOWING)]
        # A variable that nobody seems to use may be the one whose name is misspelt.
        if any(each.code == "SW201" for each in found):
            found = [each for each in found if each.code != "SW240"]
        self.problems += explained(found)
        if not broken and not any(each.severity == "error" or each.code == "SW244" for each in found):
            self.problems += lints.findings(self._subject(checker, owner))
        return CheckedStack(
            checker.kinds,
            ANY if broken else without_inputs(result),
            frozenset(checker.secret_reads),
            checker.creates_token,
            checker.writes,
            checker.waits,
            checker.acts or broken,
            checker.hashes,
        )

    def _subject(self, checker: StackChecker, owner: Endpoint | Function) -> Subject:
        if isinstance(owner, Function):
            return Subject(owner.stack, None, checker.kinds, self.workspace.tables)
        tables = self.workspace.tables
        return Subject(owner.stack, owner.response, checker.kinds, tables, owner.method, owner.auth)

    def _endpoint_header(self, endpoint: Endpoint) -> None:
        workspace, span = self.workspace, endpoint.span
        if endpoint.auth:
            place = endpoint.document.span(("auth",))
            self.problems += auth_table_problems(workspace, Word(endpoint.auth, place))
        names = {each.name: each for each in endpoint.input}
        for name in endpoint.parameters:
            if name not in names:
                hint = did_you_mean(name, names) or f"add '{name}: int' under 'input:'"
                self.problems.append(
                    Problem("SW131", f"the path has '{{{name}}}', but there is no input '{name}'", span, hint)
                )
        self.problems += self._path_inputs(endpoint, names)
        self.problems += self._header_secrets(endpoint, names)
        self.problems += field_problems(endpoint.input)

    def _path_inputs(self, endpoint: Endpoint, names: Mapping[str, Field]) -> Iterator[Problem]:
        for name, each in names.items():
            if name in endpoint.parameters and (each.is_list or each.type in ("object", "json", "file")):
                message = f"'{name}' stands in the path, it can't be {each.kind.present()}"
                yield Problem("SW131", message, each.span, "take it as text, or in the query or the body")
            elif name in endpoint.parameters and (not each.required or each.nullable):
                message = f"'{name}' stands in the path, it can't be left out"
                yield Problem("SW131", message, each.span, f"write '{name}: {each.type}'")
            elif each.type == "file" and endpoint.method in ("GET", "HEAD"):
                message = f"'{name}' is a file, a {endpoint.method} has no body to bring it"
                yield Problem("SW134", message, each.span, "use POST, PUT or PATCH")
        for name in dict.fromkeys(endpoint.parameters):
            if endpoint.parameters.count(name) > 1:
                yield Problem("SW131", f"the path has '{{{name}}}' twice", endpoint.span, "give each a name of its own")

    def _header_secrets(self, endpoint: Endpoint, names: Mapping[str, Field]) -> Iterator[Problem]:
        """A secret in a URL ends up in logs, histories and referrers (OWASP ASVS 14.2.1)."""
        for name, each in names.items():
            in_url = name in endpoint.parameters or endpoint.method in ("GET", "HEAD")
            if contains_secret(each.kind) and in_url:
                message = f"'{name}' is secret, a {endpoint.method} would carry it in the URL"
                yield Problem("SW132", message, each.span, "use POST, and take it in the body")


def _inputs_kind(owner: Endpoint | Function) -> Kind:
    """The kind of `$input`; a part of the path that isn't declared has a problem of its own."""
    kind = inputs_kind(owner.input)
    undeclared = owner.parameters if isinstance(owner, Endpoint) else ()
    return replace(kind, fields={**dict.fromkeys(undeclared, ANY), **(kind.fields or {})})


def auth_kind(table: Table | None, extras: Kind) -> Kind:
    """The kind of `$auth` for tokens of a table that carry `extras`."""
    id_ = Kind(table.id.type, table=table.name) if table else INT
    return object_of({"id": id_, "table": TEXT, "extras": extras})


def _known(span: Span | None) -> Span:
    assert span is not None, "a function that is open was called from a place"
    return span
