"""The static checker: every stack of a workspace, its names, kinds, nulls and secrets, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import Fault, Problem, Span, did_you_mean, nearest
from engine.fields import Field, fields_kind
from engine.infer import Inference, contains_secret
from engine.registry import Parameter, substitute, unify
from engine.scope import Scope, merge, merge_all
from engine.shapes import Shape
from engine.stack import Assignment, Block, Branch, Case, Rejection, Step, Word, matched
from engine.syntax import Entry, ListOf, Literal, Node, ObjectOf, Spread, walk
from engine.tables import field_problems, table_problems
from engine.values import (
    ANY,
    BOOL,
    INT,
    NEVER,
    NULL,
    OBJECT,
    TEXT,
    TIMESTAMP,
    Kind,
    comparable,
    fits,
    join,
    join_all,
    list_of,
    object_of,
)
from engine.workspace import Endpoint, Function, Table, Workspace

RESERVED = frozenset({"input", "auth", "env", "request", "response", "error", "index", "steps", "status", "headers"})
REQUEST = object_of(
    {"id": TEXT, "method": TEXT, "path": TEXT, "ip": TEXT.maybe(), "headers": Kind("object"), "time": TIMESTAMP}
)
ERROR = object_of({"code": TEXT, "message": TEXT, "payload": ANY, "step": TEXT})
ROUNDS = 4  # a loop's kinds settle after two or three; past this they are taken as they are


@dataclass(frozen=True, slots=True, eq=False)
class CheckedStack:
    """What checking a stack found out: the kind of each node, of the result, and the secrets it reads."""

    kinds: Mapping[Node, Kind]
    result: Kind
    secret_reads: frozenset[tuple[str, str]]
    creates_token: bool = False


@dataclass(frozen=True, eq=False)
class Checked:
    """A workspace whose stacks were checked, and every problem, in source order."""

    workspace: Workspace
    problems: list[Problem]
    endpoints: Mapping[Endpoint, CheckedStack] = field(default_factory=dict)
    functions: Mapping[str, CheckedStack] = field(default_factory=dict)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


def check(workspace: Workspace, problems: Iterable[Problem] = ()) -> Checked:
    """Checks every stack of `workspace`; `problems` are those of reading it."""
    checker = WorkspaceChecker(workspace)
    endpoints = {endpoint: checker.endpoint(endpoint) for endpoint in workspace.endpoints}
    functions = {name: checker.function(name) for name in workspace.functions}
    checker.tables()
    found = sorted([*problems, *checker.problems], key=lambda problem: problem.place)
    return Checked(workspace, found, endpoints, functions)


class WorkspaceChecker:
    """Checks stacks one by one; a function when it is first needed, so that its result's kind is known."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.problems: list[Problem] = []
        self._functions: dict[str, CheckedStack] = {}
        self._open: list[str] = []
        self._env = object_of({each.name: each.kind for each in workspace.env})

    def tables(self) -> None:
        """Checks what tables declare."""
        for table in self.workspace.tables.values():
            self._defaults(table.columns.values())
            self.problems += table_problems(table)

    def endpoint(self, endpoint: Endpoint) -> CheckedStack:
        self._endpoint_header(endpoint)
        given = {"input": fields_kind(endpoint.input), "request": REQUEST, "env": self._env}
        if endpoint.auth:
            given["auth"] = auth_kind(self.workspace.tables.get(endpoint.auth))
        checker = StackChecker(self, given, endpoint.method)
        return self._finish(checker, checker.run(endpoint.stack, endpoint.response), endpoint)

    def function(self, name: str, place: Span | None = None) -> CheckedStack:
        """The checked function; a call that leads back to itself is a problem at `place`."""
        if name in self._open:
            chain = " → ".join([*self._open[self._open.index(name) :], name])
            self.problems.append(
                Problem("SW130", f"the function '{name}' calls itself: {chain}", _known(place), "use a loop")
            )
            return CheckedStack({}, ANY, frozenset())
        if name not in self._functions:
            self._open.append(name)
            self._functions[name] = self._function(self.workspace.functions[name])
            self._open.pop()
        return self._functions[name]

    def _function(self, function: Function) -> CheckedStack:
        self._defaults(function.input)
        self.problems += field_problems(function.input)
        given = {"input": fields_kind(function.input), "request": REQUEST, "env": self._env}
        checker = StackChecker(self, given, "", function.returns)
        return self._finish(checker, checker.run(function.stack, None), function)

    def _finish(self, checker: StackChecker, result: Kind, owner: Endpoint | Function) -> CheckedStack:
        broken = ("stack", owner.document.text.path) in self.workspace.broken
        # Steps that could not be read leave holes: what follows from a hole is no news.
        found = [each for each in checker.problems if not (broken and each.code in _FOLLOWING)]
        self.problems += found
        return CheckedStack(checker.kinds, result, frozenset(checker.secret_reads), checker.creates_token)

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
        self.problems += list(self._header_secrets(endpoint, names))
        self._defaults(endpoint.input)
        self.problems += field_problems(endpoint.input)

    def _header_secrets(self, endpoint: Endpoint, names: Mapping[str, Field]) -> Iterator[Problem]:
        """A secret in a URL ends up in logs, histories and referrers (OWASP ASVS 14.2.1)."""
        for name, each in names.items():
            in_url = name in endpoint.parameters or endpoint.method in ("GET", "HEAD")
            if contains_secret(each.kind) and in_url:
                message = f"'{name}' is secret, a {endpoint.method} would carry it in the URL"
                yield Problem("SW132", message, each.span, "use POST, and take it in the body")

    def _defaults(self, fields: Iterable[Field]) -> None:
        for each in fields:
            self._defaults(each.properties)
            if each.has_default and each.default is not None and not _default_fits(each):
                message = f"the default of '{each.name}' is no {each.type}"
                self.problems.append(Problem("SW133", message, each.span))


def _default_fits(each: Field) -> bool:
    value: Any = each.default
    if (each.type, value) in (("timestamp", "now"), ("uuid", "uuid")):
        return True
    values = value if each.is_list and isinstance(value, list) else [value]
    if each.is_list and not isinstance(value, list):
        return False
    match each.type:
        case "int" | "timestamp":
            return all(isinstance(item, int) and not isinstance(item, bool) for item in values)
        case "decimal":
            return all(isinstance(item, int | float) and not isinstance(item, bool) for item in values)
        case "bool":
            return all(isinstance(item, bool) for item in values)
        case "enum":
            return all(item in each.values for item in values)
        case "json" | "vector" | "geo_point" | "file":
            return _binds(each)
        case "object":
            return all(isinstance(item, dict) for item in values)
    return all(isinstance(item, str) for item in values) and each.type != "password"


def _binds(each: Field) -> bool:
    try:
        Shape([each.stored()]).bind({each.name: deepcopy(each.default)})
    except Fault:
        return False
    return True


def auth_kind(table: Table | None) -> Kind:
    """The kind of `$auth` for tokens of `table`."""
    id_ = Kind(table.id.type, table=table.name) if table else INT
    return object_of({"id": id_, "table": TEXT, "extras": OBJECT})


def auth_table_problems(workspace: Workspace, word: Word) -> Iterator[Problem]:
    """Whether `word` names a table that tokens can be made for."""
    if word.text in workspace.tables:
        if not workspace.tables[word.text].auth:
            hint = f"add 'auth: true' to the table '{word.text}'"
            yield Problem("SW121", f"the table '{word.text}' has no 'auth: true'", word.span, hint)
    elif ("table", word.text) not in workspace.broken:
        yield Problem("SW120", f"unknown table '{word.text}'", word.span, did_you_mean(word.text, workspace.tables))


# What only follows from a step that could not be read.
_FOLLOWING = frozenset({"SW201", "SW202", "SW240"})


class StackChecker(Inference):
    """Checks one stack. `tries` and `loops` hold the scopes that leave a block by another way than its end."""

    def __init__(
        self, owner: WorkspaceChecker, given: dict[str, Kind], method: str, returns: Field | None = None
    ) -> None:
        super().__init__()
        self.owner, self.workspace, self.method, self.returns = owner, owner.workspace, method, returns
        self.given = Scope(kinds=given)
        self.results: list[Kind] = []
        self.exits: list[list[Scope]] = []
        self.assigned: dict[str, Kind] = {}
        self.declared: dict[str, Span] = {}
        self.creates_token = False
        self.in_finally = 0

    def run(self, stack: Block, response: Node | None) -> Kind:
        """Checks the steps, then the response; the kind of what the stack answers."""
        scope = self.block(stack, self.given)
        if response is not None:
            kind = self.infer(response, scope)
            self.leaving(response, kind, "the response")
            self.results.append(kind)
        elif not scope.dead:
            self.results.append(NULL)
        self._unused()
        return join_all(self.results) if self.results else NULL

    def _unused(self) -> None:
        for name, span in self.declared.items():
            if name not in self.reads and not name.startswith("_"):
                self.report(
                    "SW240", f"the variable '{name}' is never used", span, "leave 'as:' out, or use it", "warning"
                )

    def block(self, steps: Block, scope: Scope) -> Scope:
        for number, step in enumerate(steps):
            if scope.dead:
                self.report(
                    "SW141",
                    f"'{step.name}' is never reached",
                    step.span,
                    f"'{steps[number - 1].name}' ends the block before it",
                    "warning",
                )
                scope = replace(scope, dead=False)
                return self.block(steps[number:], scope).ended()
            scope = self.step(step, scope)
        return scope

    def step(self, step: Step, scope: Scope) -> Scope:
        rule = _RULES.get(step.name, StackChecker._generic)
        if step.result is not None and (step.name in _WITHOUT_RESULT or step.definition.returns == NULL):
            self.report("SW106", f"'{step.name}' has no result to name", step.result.span, "leave 'as:' out")
            step = replace(step, result=None)
        return rule(self, step, scope)

    def assign(self, word: Word, kind: Kind, scope: Scope) -> Scope:
        """After a result took the name `word`."""
        if word.text in RESERVED:
            self.report(
                "SW142", f"'{word.text}' is a given name, a result can't take it", word.span, "choose another name"
            )
            return scope
        self.declared.setdefault(word.text, word.span)
        return self._assigned(word.text, kind, scope)

    def _assigned(self, name: str, kind: Kind, scope: Scope) -> Scope:
        known = self.assigned.get(name, NEVER)
        self.assigned[name] = join(known, kind)
        return scope.assign(name, kind)

    def result(self, step: Step, kind: Kind, scope: Scope) -> Scope:
        return self.assign(step.result, kind, scope) if step.result else scope

    def leaving(self, node: Node, kind: Kind, where: str) -> None:
        """Reports a secret that would leave through `where`."""
        if contains_secret(kind):
            secret = next((each for each in walk(node) if self.kinds.get(each, ANY).secret), node)
            hint = "leave it out; a sensitive value that must leave says so with '| reveal'"
            self.report("SW230", f"a secret would leave in {where}", secret.span, hint)

    # Steps that are typed functions: everything follows from their signature.

    def _generic(self, step: Step, scope: Scope) -> Scope:
        bindings: dict[str, Kind] = {}
        table = self._table_of(step)
        if table is not None:
            bindings["record"] = table.kind
        for parameter in step.definition.parameters:
            if parameter.name in step.arguments:
                self._step_argument(step, parameter, table, bindings, scope)
        if step.name == "create_token":
            self.creates_token = True
        if self.method in ("GET", "HEAD") and step.definition.writes:
            hint = "use POST, PUT, PATCH or DELETE"
            self.report("SW143", f"'{step.name}' writes, a {self.method} must not", step.span, hint, "warning")
        self._check_breadth(step)
        return self.result(step, substitute(step.definition.returns, bindings), scope)

    def _check_breadth(self, step: Step) -> None:
        """A step that may write every record of a table must say so."""
        if step.definition.parameter("all") is None or ("where" in step.arguments) != step.arguments.get("all", False):
            return
        if "where" in step.arguments:
            self.report("SW149", "'all: true' contradicts 'where'", step.spans["all"], "leave one of them out")
        else:
            message, hint = f"'{step.name}' without a 'where' would write every record", "add 'where:', or 'all: true'"
            self.report("SW149", message, step.span, hint)

    def _table_of(self, step: Step) -> Table | None:
        parameter = next((each for each in step.definition.parameters if each.syntax in ("table", "auth_table")), None)
        word = step.arguments.get(parameter.name) if parameter else None
        if word is None or parameter is None:
            return None
        if parameter.syntax == "auth_table":
            self.problems += [] if self.silent else auth_table_problems(self.workspace, word)
        elif word.text not in self.workspace.tables and ("table", word.text) not in self.workspace.broken:
            self.report(
                "SW120", f"unknown table '{word.text}'", word.span, did_you_mean(word.text, self.workspace.tables)
            )
        return self.workspace.tables.get(word.text)

    def _step_argument(
        self, step: Step, parameter: Parameter, table: Table | None, bindings: dict[str, Kind], scope: Scope
    ) -> None:
        argument = step.arguments[parameter.name]
        match parameter.syntax:
            case "value" | "duration" | "expression":
                self._value_argument(step, parameter, argument, bindings, scope)
            case "where":
                self.where(argument, table, scope)
            case "match":
                self.where(argument, table, scope)
            case "data" | "changes":
                self.data(step, argument, table, scope, is_open=parameter.syntax == "changes")
            case "rows":
                self.rows(step, argument, table, scope)
            case "rejection":
                self.rejection(argument, scope)
            case "condition":
                self.condition(argument, scope)

    def _value_argument(
        self, step: Step, parameter: Parameter, node: Node, bindings: dict[str, Kind], scope: Scope
    ) -> None:
        kind = self.infer(node, scope)
        if parameter.syntax == "duration":
            parameter = replace(parameter, kind=INT)
        if parameter.name == "id" and step.name == "create_token":
            self._token_id(step, kind, node)
        self.check_argument(step.definition, parameter, kind, node)
        if not parameter.secret:
            self.leaving(node, kind, f"'{parameter.name}' of {step.name}")
        unify(parameter.kind, kind, bindings)

    def _token_id(self, step: Step, kind: Kind, node: Node) -> None:
        table = self.workspace.tables.get(step.arguments["table"].text)
        if table is not None and not fits(kind.present(), Kind(table.id.type)):
            self.report("SW218", f"the id of a {table.name} is {table.id.type}, this is {kind}", node.span)

    def where(self, node: Node, table: Table | None, scope: Scope) -> None:
        """Checks a condition over the columns of `table`."""
        columns = None if table is None else table.asked
        if columns is None:
            for each in walk(node):
                self.kinds.setdefault(each, ANY)
            return
        before = len(self.problems)
        # All values are taken before the database is asked: no part of the condition guards another.
        self.eager = True
        self.condition(node, scope.with_columns(columns))
        self.eager = False
        for each in walk(node):
            if self.kinds.get(each, ANY).secret and len(self.problems) == before:
                hint = "a password is checked with validate_password"
                self.report("SW231", "a secret can't be part of a query", each.span, hint)
                return

    def data(self, step: Step, node: Node, table: Table | None, scope: Scope, *, is_open: bool = False) -> None:
        """Checks what is written into the columns of `table`; `is_open`: these may show only when it runs."""
        kind = self.infer(node, scope)
        if table is not None:
            self._record(step, table, kind, node, "'data'", is_open)

    def rows(self, step: Step, node: Node, table: Table | None, scope: Scope) -> None:
        """Checks a list of what is written into records of `table`."""
        kind = self.infer(node, scope)
        if table is None:
            return
        if not fits(kind.present(), list_of(OBJECT)):
            self.report("SW122", f"'items' must be a list of objects, it is {kind}", node.span)
        elif isinstance(node, ListOf) and not any(isinstance(item, Spread) for item in node.items):
            for item in node.items:
                self._record(step, table, self.kinds.get(item, ANY), item, "an item", is_open=True)
        else:
            item_kind = kind.item or ANY
            self._record(step, table, item_kind.masked() if kind.secret else item_kind, node, "an item", is_open=True)

    def _record(self, step: Step, table: Table, kind: Kind, node: Node, what: str, is_open: bool) -> None:
        given = kind.fields
        if given is None and is_open and not kind.secret and fits(kind, OBJECT):
            return
        if not fits(kind, OBJECT) or given is None:
            hint = "write a mapping of columns"
            self.report("SW122", f"{what} must be an object with known columns, it is {kind}", node.span, hint)
            return
        spans, values = _entry_spans(node), _entry_values(node)
        for name, value in given.items():
            self._column_value(table, name, value, spans.get(name, node.span), values.get(name))
        if step.name in _ADDS:
            keys = matched(step.arguments["where"]) if "where" in step.arguments else {}
            self._missing_columns(step, table, {**given, **dict.fromkeys(keys, ANY)})
        if step.name == "bulk_patch_records" and "id" not in given:
            self.report("SW125", f"{what} for '{table.name}' lacks 'id'", node.span, "it says which record is meant")
        if "id" in given and step.name not in _TAKE_ID and not step.arguments.get("allow_id_field"):
            hint = "add 'allow_id_field: true'" if step.name in _ADDS else "an id never changes"
            self.report("SW151", f"'{step.name}' can't set the id", spans.get("id", node.span), hint)

    def _column_value(self, table: Table, name: str, kind: Kind, span: Span, value: Node | None) -> None:
        column = table.columns.get(name)
        if column is None:
            self.report("SW123", f"unknown column '{name}' of '{table.name}'", span, did_you_mean(name, table.columns))
            return
        if contains_secret(kind) and not column.is_masked:
            self.report(
                "SW230",
                f"a secret would be stored in the clear in '{name}'",
                span,
                "make the column 'password' or 'sensitive: true'",
            )
        if (kind.nullable or kind.name == "null") and not column.may_be_null and not column.has_default:
            if value is not None:
                self.null(value, f"the column '{name}' needs a value")
            else:
                self.report("SW210", f"'{name}' may be null here, the column needs a value", span)
        elif not fits(kind.present(), column.kind.present()):
            allowed = (
                did_you_mean(str(value.value), column.values) if isinstance(value, Literal) and column.values else ""
            )
            self.report("SW124", f"the column '{name}' is {column.kind.present()}, this is {kind}", span, allowed)
        elif (
            column.values
            and isinstance(value, Literal)
            and value.value is not None
            and value.value not in column.values
        ):
            self.report(
                "SW124",
                f"'{value.value}' is none of the values of '{name}'",
                value.span,
                did_you_mean(str(value.value), column.values),
            )

    def _missing_columns(self, step: Step, table: Table, given: Mapping[str, Kind]) -> None:
        needed = [
            name for name, column in table.columns.items()
            if column.required and not column.nullable and name not in given and name != "id"
        ]  # fmt: skip
        misspelt = {nearest(name, table.columns) for name in given if name not in table.columns}
        needed = [name for name in needed if name not in misspelt]
        if needed:
            listed = ", ".join(f"'{name}'" for name in needed)
            self.report(
                "SW125",
                f"the data for '{table.name}' lacks {listed}",
                step.spans.get("data", step.span),
                "give it, or give the column a default",
            )

    def rejection(self, rejection: Rejection, scope: Scope) -> None:
        """Checks how a run would end."""
        for node, what in ((rejection.message, "message"), (rejection.payload, "payload")):
            if node is not None:
                self._client_text(node, what, scope)

    def _client_text(self, node: Node, what: str, scope: Scope) -> None:
        kind = self.infer(node, scope)
        self.leaving(node, kind, f"the error's {what}")
        if what == "message" and not fits(kind.present(), TEXT):
            self.report("SW218", f"a message must be a text, this is {kind}", node.span, 'write it as text: "… ${$x}"')

    # The constructs.

    def _set(self, step: Step, scope: Scope) -> Scope:
        assignments: tuple[Assignment, ...] = step.arguments["variables"]
        for each in assignments:
            kind = self.infer(each.value, scope)
            word = Word(each.name, each.span)
            scope = self._set_path(word, each, kind, scope) if each.path else self.assign(word, kind, scope)
        return scope

    def _set_path(self, word: Word, each: Assignment, kind: Kind, scope: Scope) -> Scope:
        owner = scope.narrowed.get(each.name, scope.kinds.get(each.name))
        if owner is None:
            code, what = ("SW202", "may not be set") if each.name in scope.maybe else ("SW201", "is not set")
            self.report(
                code, f"the variable '{each.name}' {what} here, so no part of it can be", word.span, "set it first"
            )
            return scope
        if each.name in RESERVED:
            return self.assign(word, kind, scope)
        if owner.nullable or owner.name == "null":
            self.report("SW210", f"'${each.name}' may be null here, no part of it can be set", word.span)
        return self._assigned(each.name, _with_path(owner.present(), each.path, kind), scope)

    def _if(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        ends = [self.block(step.arguments["then"], true)]
        branches: tuple[Branch, ...] = step.arguments.get("else_if", ())
        for branch in branches:
            true, false = self.condition(branch.condition, false)
            ends.append(self.block(branch.block, true))
        ends.append(self.block(step.arguments.get("else", ()), false))
        return merge_all(ends)

    def _switch(self, step: Step, scope: Scope) -> Scope:
        subject: Node = step.arguments["subject"]
        kind = self.value(subject, scope, "a switch needs a value")
        cases: tuple[Case, ...] = step.arguments["cases"]
        ends = [self._case(each, subject, kind, scope) for each in cases]
        covered = bool(kind.values) and set(kind.values) <= {each.value.text for each in cases}
        if "default" in step.arguments or not covered:
            ends.append(self.block(step.arguments.get("default", ()), scope))
        return merge_all(ends)

    def _case(self, case: Case, subject: Node, kind: Kind, scope: Scope) -> Scope:
        value = case_value(case.value.text, kind)
        given = Kind("enum", values=(value,)) if isinstance(value, str) and kind.values else _literal_kind(value)
        if not comparable(kind, given):
            hint = did_you_mean(case.value.text, kind.values) if kind.values else ""
            self.report("SW216", f"'{case.value.text}' can never be the value of {kind}", case.value.span, hint)
        return self.block(case.block, scope)

    def _loop(self, step: Step, scope: Scope, body: Callable[[Scope], Scope]) -> Scope:
        """Runs `body` until what it assigns settles; then once more, aloud."""
        entry = scope
        self.silent += 1
        for _ in range(ROUNDS):
            self.exits.append([])
            again = merge_all([entry, body(entry), *self.exits.pop()])
            settled = again == entry
            entry = again
            if settled:
                break
        self.silent -= 1
        self.exits.append([])
        end = body(entry)
        return merge_all([merge(scope, entry), end, *self.exits.pop()])

    def _for_each(self, step: Step, scope: Scope) -> Scope:
        items: Node = step.arguments["items"]
        kind = self.value(items, scope, "a loop needs a list")
        if kind.name == "object":
            values = join_all((kind.fields or {}).values()) if kind.fields else ANY
            item = object_of({"key": TEXT, "value": values.masked() if contains_secret(kind) else values})
        elif fits(kind, list_of(ANY)):
            item = kind.item or ANY
            item = item.masked() if kind.secret else item
        else:
            self.report("SW144", f"for_each needs a list or an object, this is {kind}", items.span)
            item = ANY

        def body(entry: Scope) -> Scope:
            inner = self._assigned("index", INT, entry)
            inner = self.assign(step.result, item, inner) if step.result else inner
            return self.block(step.arguments["do"], inner)

        if step.result is None:
            self.report("SW145", "a for_each needs 'as:', the name of the item", step.span, "add 'as: item'")
        return self._outside(self._loop(step, scope, body), scope)

    def _outside(self, after: Scope, before: Scope) -> Scope:
        """After a loop its `$index` is what it was before."""
        kinds = {name: kind for name, kind in after.kinds.items() if name != "index"}
        maybe = {name: kind for name, kind in after.maybe.items() if name != "index"}
        if "index" in before.kinds:
            kinds["index"] = before.kinds["index"]
        return replace(after, kinds=kinds, maybe=maybe)

    def _repeat(self, step: Step, scope: Scope) -> Scope:
        count: Node = step.arguments["times"]
        kind = self.value(count, scope, "repeat needs an int")
        if not fits(kind, INT):
            self.report("SW144", f"repeat needs an int, this is {kind}", count.span)

        def body(entry: Scope) -> Scope:
            inner = self.assign(step.result, INT, entry) if step.result else entry
            return self.block(step.arguments["do"], inner)

        return self._loop(step, scope, body)

    def _while(self, step: Step, scope: Scope) -> Scope:
        condition: Node = step.arguments["condition"]

        def body(entry: Scope) -> Scope:
            true, _ = self.condition(condition, entry)
            return self.block(step.arguments["do"], true)

        after = self._loop(step, scope, body)
        if isinstance(condition, Literal) and condition.value is True and not _breaks(step.arguments["do"]):
            return after.ended()
        return after

    def _leave(self, step: Step, scope: Scope) -> Scope:
        if not self.exits:
            self.report("SW146", f"'{step.name}' stands in no loop", step.span)
        elif self.in_finally:
            self.report("SW147", f"'{step.name}' can't leave a finally block", step.span)
        else:
            self.exits[-1].append(scope)
        return scope.ended()

    def _return(self, step: Step, scope: Scope) -> Scope:
        node = step.node("value")
        kind = NULL if node is None else self.infer(node, scope)
        if node is not None:
            self._returned(node, kind)
        if self.in_finally:
            self.report("SW147", "'return' can't leave a finally block", step.span)
        self.results.append(kind)
        return scope.ended()

    def _returned(self, node: Node, kind: Kind) -> None:
        if self.method:
            self.leaving(node, kind, "the response")
        declared = self.returns.kind if self.returns else None
        if declared is not None:
            if (kind.nullable or kind.name == "null") and not declared.nullable:
                self.null(node, "'returns:' says it never is")
            elif not fits(kind.present(), declared.present()):
                self.report("SW148", f"'returns:' says {declared}, this is {kind}", node.span)

    def _throw(self, step: Step, scope: Scope) -> Scope:
        self._error_parts(step, scope)
        return scope.ended()

    def _precondition(self, step: Step, scope: Scope) -> Scope:
        true, false = self.condition(step.arguments["condition"], scope)
        self._error_parts(step, false)
        condition = step.arguments["condition"]
        if isinstance(condition, Literal) and condition.value is False:
            return true.ended()
        return true

    def _error_parts(self, step: Step, scope: Scope) -> None:
        for what in ("message", "payload"):
            node = step.node(what)
            if node is not None:
                self._client_text(node, what, scope)

    def _group(self, step: Step, scope: Scope) -> Scope:
        return self.block(step.arguments["steps"], scope)

    def _try(self, step: Step, scope: Scope) -> Scope:
        outer, self.assigned = self.assigned, {}
        end = self.block(step.arguments["steps"], scope)
        inside, self.assigned = self.assigned, outer
        for name, kind in inside.items():
            self.assigned[name] = join(self.assigned.get(name, NEVER), kind)
        # The catch may begin after any of the assignments, or before all of them.
        failed = replace(scope, narrowed={}, dead=False)
        for name, kind in inside.items():
            failed = merge(failed, failed.assign(name, kind))
        if "catch" in step.arguments:
            caught = self.block(step.arguments["catch"], failed.assign("error", ERROR))
            end = merge(end, _without(caught, "error", scope))
        if "finally" in step.arguments:
            self.in_finally += 1
            self.block(step.arguments["finally"], merge(failed, end))
            self.in_finally -= 1
            if not end.dead:
                end = self.block(step.arguments["finally"], end)
        return end

    def _run_function(self, step: Step, scope: Scope) -> Scope:
        word: Word = step.arguments["function"]
        given: Node | None = step.arguments.get("with")
        kind = self.infer(given, scope) if given is not None else object_of({})
        function = self.workspace.functions.get(word.text)
        if function is None:
            if ("function", word.text) not in self.workspace.broken:
                hint = did_you_mean(word.text, self.workspace.functions)
                self.report("SW126", f"unknown function '{word.text}'", word.span, hint)
            return self.result(step, ANY, scope)
        self._function_inputs(step, function, kind, given)
        checked = self.owner.function(word.text, word.span)
        self.creates_token = self.creates_token or checked.creates_token
        returned = function.returns.kind if function.returns else checked.result
        return self.result(step, returned, scope)

    def _function_inputs(self, step: Step, function: Function, given: Kind, node: Node | None) -> None:
        spans = {} if node is None else _entry_spans(node)
        inputs = {each.name: each for each in function.input}
        for name, kind in (given.fields or {}).items():
            span = spans.get(name, step.span)
            if name not in inputs:
                self.report("SW127", f"'{function.name}' has no input '{name}'", span, did_you_mean(name, inputs))
                continue
            wanted = inputs[name].kind
            if contains_secret(kind) and not contains_secret(wanted) and not wanted.is_open:
                self.report(
                    "SW230",
                    f"a secret would lose its mask in '{name}' of '{function.name}'",
                    span,
                    "declare the input 'sensitive: true'",
                )
            if (kind.nullable or kind.name == "null") and not wanted.nullable:
                value = _entry_values(node).get(name) if node is not None else None
                if value is not None:
                    self.null(value, f"'{name}' of '{function.name}' needs a value")
            elif not fits(kind.present(), wanted.present()):
                self.report("SW128", f"'{name}' of '{function.name}' is {wanted}, this is {kind}", span)
        missing = [name for name, each in inputs.items() if each.required and name not in (given.fields or {})]
        if missing:
            listed = ", ".join(f"'{name}'" for name in missing)
            self.report("SW129", f"'{function.name}' needs {listed}", step.span, "give it under 'with:'")


def _without(scope: Scope, name: str, before: Scope) -> Scope:
    kinds = {key: kind for key, kind in scope.kinds.items() if key != name or key in before.kinds}
    return replace(scope, kinds=kinds)


def _entry_spans(node: Node) -> dict[str, Span]:
    entries = node.entries if isinstance(node, ObjectOf) else []
    return {entry.key: entry.key_span for entry in entries if isinstance(entry, Entry)}


def _entry_values(node: Node) -> dict[str, Node]:
    entries = node.entries if isinstance(node, ObjectOf) else []
    return {entry.key: entry.value for entry in entries if not isinstance(entry, Spread)}


def _with_path(owner: Kind, path: tuple[str | int, ...], value: Kind) -> Kind:
    """The kind of `owner` after the part at `path` became `value`."""
    first, *rest = path
    if isinstance(first, int):
        item = owner.item or ANY
        return list_of(join(item, _with_path(item, tuple(rest), value) if rest else value))
    if owner.is_record:  # a copy of a record has no secrets beside it
        owner = object_of(
            {name: kind for name, kind in (owner.fields or {}).items() if not kind.secret}, owner.optional
        )
    if owner.name != "object" or owner.fields is None:
        return owner if owner.name != "object" or not contains_secret(value) else owner.masked()
    inner = _with_path(owner.fields.get(first, object_of({})), tuple(rest), value) if rest else value
    return object_of({**owner.fields, first: inner}, owner.optional - {first})


def case_value(text: str, kind: Kind) -> object:
    """The value a `switch` case spells, read by the kind of what is switched on."""
    if kind.family == "number":
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    if kind.name == "bool" and text in ("true", "false"):
        return text == "true"
    return text


def _literal_kind(value: object) -> Kind:
    if isinstance(value, bool):
        return BOOL
    return INT if isinstance(value, int | float) else TEXT


def _breaks(block: Block) -> bool:
    """Whether a `break` of this very loop is among the steps."""
    return any(
        step.name == "break" or (step.name not in ("for_each", "while", "repeat") and any(map(_breaks, _blocks(step))))
        for step in block
    )


def _blocks(step: Step) -> Iterator[Block]:
    for value in step.arguments.values():
        if isinstance(value, tuple) and all(isinstance(each, Step) for each in value):
            yield value
        elif isinstance(value, tuple):
            yield from (each.block for each in value if isinstance(each, Branch | Case))


def _known(span: Span | None) -> Span:
    assert span is not None, "a function that is open was called from a place"
    return span


_ADDS = frozenset({"add_record", "add_or_edit_record", "bulk_add_records"})
_TAKE_ID = frozenset({"add_record", "add_or_edit_record", "bulk_patch_records"})
# Constructs that yield nothing; a loop's `as:` names what it hands to each round.
_WITHOUT_RESULT = frozenset(
    {
        "set",
        "if",
        "switch",
        "while",
        "break",
        "continue",
        "return",
        "throw",
        "precondition",
        "group",
        "transaction",
        "try",
    }
)

_RULES: Mapping[str, Callable[[StackChecker, Step, Scope], Scope]] = {
    "set": StackChecker._set,
    "if": StackChecker._if,
    "switch": StackChecker._switch,
    "for_each": StackChecker._for_each,
    "repeat": StackChecker._repeat,
    "while": StackChecker._while,
    "break": StackChecker._leave,
    "continue": StackChecker._leave,
    "return": StackChecker._return,
    "throw": StackChecker._throw,
    "precondition": StackChecker._precondition,
    "group": StackChecker._group,
    "transaction": StackChecker._group,
    "try": StackChecker._try,
    "run_function": StackChecker._run_function,
}
