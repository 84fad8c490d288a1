"""A checked stack becomes one Python function, placed line by line in its YAML file.

Constructs, the language itself, are registered here: each is one small lowering whose signature gives its schema.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any

from engine import operators
from engine.bounds import MAX_TEXT
from engine.builders import (
    assign,
    at,
    awaited,
    binary,
    branch,
    call,
    compared,
    const,
    dictionary,
    do,
    function,
    function_of,
    item,
    member,
    method,
    name,
    negated,
    raised,
    returned,
    target,
    within,
)
from engine.check import Checked
from engine.closed import closed, those_closed
from engine.control import case_value
from engine.edits import Written, chosen, computed, spelt_out
from engine.errors import Fault, Problems, Span, Text
from engine.extent import extent
from engine.infer import Inference
from engine.lower import ENDLESS, ExpressionLowering, Names, may_be_long, may_hold
from engine.origin import Origin
from engine.pace import STRIDE, driven, in_fiber
from engine.parser import parse_expression
from engine.registry import (
    Arguments,
    Assignments,
    Block,
    Branches,
    Cases,
    Condition,
    Definition,
    Expression,
    FaultName,
    FunctionName,
    Parameter,
    construct,
)
from engine.scope import Scope
from engine.shapes import Shape
from engine.stack import Assignment, Branch, Case, Step, Word, matched
from engine.stack_walk import CheckedStack
from engine.syntax import Attribute, Entry, ListOf, Literal, Node, ObjectOf, Range, Spread, Variable
from engine.values import ANY, OBJECT, Kind, is_within, may_hide
from engine.workspace import Endpoint, Function, Table

# What a client reads where the author wrote no message.
MESSAGES: Mapping[str, str] = {
    "input_error": "The input is not as it should be.",
    "bad_request": "Precondition failed.",
    "unauthorized": "Unauthorized.",
    "access_denied": "Access denied.",
    "not_found": "Not Found.",
    "method_not_allowed": "Method not allowed.",
    "conflict": "Conflict.",
    "payload_too_large": "Payload too large.",
    "unsupported_media_type": "Unsupported media type.",
    "too_many_requests": "Too many requests.",
    "fatal": "",
    "unavailable": "Try again later.",
}


@dataclass(frozen=True, eq=False)
class Plan:
    """A stack ready to run: `function(run, input, claims)`, a coroutine function where `is_async`.

    `writes`: whether it may change the database, and `atomic`: whether all of that is kept together. `reads`: how often
    it asks the database for records, 2 or more where it may be more than once. `is_alone`: all that it does to the
    database is one statement that writes, behind which nothing can fail. `walks`: whether it may compute for long where
    no coroutine waits. `sharing`: how often a value may be within what it returns. `tree` is the Python it was compiled
    from.
    """

    function: Callable[..., Any]
    is_async: bool
    writes: bool
    atomic: bool = True
    reads: int = 0
    is_alone: bool = False
    walks: bool = False
    sharing: int = 1
    tree: ast.stmt = field(default_factory=ast.Pass, repr=False)

    @cached_property
    def is_isolated(self) -> bool:
        """Whether what a run reads must be held together: with what it writes, or with what else it reads."""
        if self.writes:
            return self.atomic and self.reads > 0
        return self.reads > 1

    @property
    def shared(self) -> Plan:
        """This plan, in the course of which others go on wherever it computes for long."""
        return replace(self, function=_sharing(self.function, self.is_async), is_async=True) if self.walks else self

    def source(self) -> str:
        """The generated Python as text, for reading."""
        return ast.unparse(ast.fix_missing_locations(self.tree))


def _sharing(function: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
    if is_async:
        return lambda run, input, claims: in_fiber(run, driven, function(run, input, claims))
    return lambda run, input, claims: in_fiber(run, function, run, input, claims)


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What a prepared step is given: the storage it prepares its operation with, and what is known of its stack."""

    storage: Any
    secret_reads: frozenset[tuple[str, str]]
    kinds: Mapping[Node, Kind]

    def secrets(self, table: Table) -> tuple[str, ...]:
        """The secret columns of `table` that the stack, or who is given its records, reads."""
        return tuple(name for name in table.secrets if (table.name, name) in self.secret_reads)


class Compiler:
    """Compiles the stacks of a checked workspace for a storage; a function when it is first called."""

    def __init__(self, checked: Checked, storage: Any, *, traced: bool = False) -> None:
        self.checked, self.workspace = checked, checked.workspace
        self.storage, self.traced = storage, traced
        self._functions: dict[str, Plan] = {}

    def endpoint(self, endpoint: Endpoint) -> Plan:
        checked = self.checked.endpoints[endpoint]
        lowering = StackLowering(self, checked, checked.secret_reads, atomic=endpoint.atomic)
        lowering.is_answering = True
        return lowering.plan(endpoint.name, endpoint.stack, endpoint.response, endpoint.span).shared

    def function(self, name: str) -> Plan:
        if name not in self._functions:
            declared: Function = self.workspace.functions[name]
            returns = declared.returns.kind if declared.returns else ANY
            # Of a function's records, callers may read the secrets.
            secret_reads = self.checked.secret_reads
            lowering = StackLowering(self, self.checked.functions[name], secret_reads, returns=returns)
            lowering.repeats = 1  # a loop may call it
            self._functions[name] = lowering.plan(name, declared.stack, None, declared.span)
        return self._functions[name]


@dataclass(slots=True)
class Loop:
    """A loop around the step being lowered: the variable behind its `$index`, and whether a `break` leaves it."""

    counter: str
    is_left: bool = False


class StackLowering(ExpressionLowering):
    """Lowers one stack. `loops` are those around the step being lowered."""

    def __init__(
        self,
        compiler: Compiler,
        checked: CheckedStack,
        secret_reads: frozenset[tuple[str, str]],
        *,
        atomic: bool = True,
        returns: Kind = ANY,
    ) -> None:
        super().__init__(checked.kinds, Names())
        self.compiler, self.atomic, self.returns = compiler, atomic, returns
        self.load = Load(compiler.storage, secret_reads, checked.kinds)
        self.used = {node.name for node in checked.kinds if isinstance(node, Variable)}
        self.is_async = self.writes = False
        self.reads = self.effects = 0
        self.is_answering = False  # whether what it returns is written as JSON
        self._answers: list[ast.Constant] = []
        self.loops: list[Loop] = []
        self.step: Step

    def plan(self, title: str, stack: Sequence[Step], response: Node | None, span: Span) -> Plan:
        body = [*self._given(), *self.block(stack)]
        if response is not None:
            body.append(at(response.span, returned(self.answer(response))))
        for each in self._answers:
            each.value = self.sharing >= ENDLESS
        label = "".join(letter if letter.isalnum() else "_" for letter in title)
        tree = at(span, function(label, ["run", "v_input", "auth"], body, is_async=self.is_async))
        made = function_of(tree, span.path, self.names.bound, label)
        is_alone = self.atomic and not self.reads and self.effects == 1 and self._ends_with_it(stack[-1], response)
        return Plan(made, self.is_async, self.writes, self.atomic, self.reads, is_alone, self.walks, self.sharing, tree)

    def _ends_with_it(self, last: Step, response: Node | None) -> bool:
        """Whether the last step is the one that writes, and its answer is sure to be one that can be given."""
        if not last.definition.single:
            return False
        leaves = [] if response is None else list(leaves_of(response))
        if not all(is_part_of(each, last.result) for each in leaves):
            return False
        workspace, data = self.compiler.workspace, last.arguments.get("data")
        is_given = last.name == "add_record" and data is not None and all(is_plain(each) for each in leaves_of(data))
        # What was sent fits into a body, and takes six times as much in JSON at the most.
        is_bounded = is_given and 8 * workspace.body_limit <= workspace.answer_limit
        return is_bounded or all(self.kind(each).name in _SMALL for each in leaves)

    def _given(self) -> list[ast.stmt]:
        given = {"request": "request_values", "env": "env"}
        return [
            assign(f"v_{key}", member(name("run"), attribute)) for key, attribute in given.items() if key in self.used
        ]

    def _variable(self, node: Variable) -> ast.expr:
        if node.name != "auth":
            return super()._variable(node)
        return self.helper(auth_values, name("auth"), self.names.bind(_extras_of(self.kind(node)), "extras"))

    def _attribute(self, node: Attribute) -> ast.expr:
        if isinstance(node.of, Variable) and node.of.name == "auth" and not node.optional:
            extras = self.kind(node)
            if node.name == "extras" and extras.fields is not None:
                return self.helper(known_extras, name("auth"), self.names.bind(extras, "extras"))
            return member(name("auth"), node.name)  # a token's claims are attributes
        return super()._attribute(node)

    def block(self, steps: Sequence[Step]) -> list[ast.stmt]:
        return [statement for step in steps for statement in self.lowered(step)]

    def lowered(self, step: Step) -> list[ast.stmt]:
        """The statements of a step, with its trace where the stack is traced."""
        outer, self.step = getattr(self, "step", step), step
        definition = step.definition
        self.notes.step(step)
        if definition.family == "construct":
            statements: list[ast.stmt] = definition.call(self, *step.filled)
        else:
            statements = self._call_step(step, definition)
        self.step = outer
        if self.compiler.traced:
            statements = self._traced(step, statements)
        return [at(step.span, statement) for statement in statements]

    def _traced(self, step: Step, statements: list[ast.stmt]) -> list[ast.stmt]:
        bound, trace = self.names.bind(step, f"step_{step.name}"), member(name("run"), "trace")
        value = name(f"v_{step.result.text}") if step.result and step.name not in LOOPS else const(None)
        return [do(method(trace, "enter", bound)), *statements, do(method(trace, "leave", bound, value))]

    # Steps that are functions.

    def _call_step(self, step: Step, definition: Definition) -> list[ast.stmt]:
        if definition.composes:
            return self._call_composed(step, definition)
        if definition.is_prepared:
            return self._call_prepared(step, definition)
        parameters = definition.parameters
        named = {each.name: self._step_argument(step, each) for each in parameters if each.name in step.arguments}
        leading = [name("run")] if definition.takes_run else []
        positional = [named.pop(each.name) for each in takewhile(lambda each: each.name in named, parameters)]
        made = call(self.names.bind(definition.call, definition.name), *leading, *positional, **named)
        return self._kept(step, awaited(made) if definition.is_async else made, definition.is_async)

    def _step_argument(self, step: Step, parameter: Parameter) -> ast.expr:
        argument = step.arguments[parameter.name]
        if isinstance(argument, Word):
            return const(argument.text)
        lowered = self.lower(argument) if parameter.secret else self.revealed(argument)
        return self.proven(parameter, argument, lowered, f"'{step.name}' needs its {parameter.name}")

    def _call_prepared(self, step: Step, definition: Definition) -> list[ast.stmt]:
        table = self.compiler.workspace.tables[step.arguments["table"].text] if "table" in step.arguments else None
        before: list[ast.stmt] = []
        given: dict[str, Any] = {}
        values: list[ast.expr] = []
        left_out: list[ast.expr] = []  # before a value that is given
        for parameter in definition.parameters:
            if parameter.name in step.arguments:
                prepared, wanted = self._prepared(step.arguments[parameter.name], parameter, table, before)
                given[parameter.name] = prepared
                if parameter.syntax == "value":
                    values, left_out = [*values, *left_out], []
                values += wanted
            elif parameter.syntax == "value":
                left_out.append(self.names.bind(parameter.default, parameter.name))
        named = [given.get(each.name, each.default) for each in definition.parameters]  # not by `return`, a keyword
        operation = definition.call(self.load, *named)
        is_async = inspect.iscoroutinefunction(operation)
        made = call(self.names.bind(operation, step.name), name("run"), *values)
        statements = [*before, *self._kept(step, awaited(made) if is_async else made, is_async)]
        if definition.reads and not step.writes:
            self.counts()
        return self.written(statements, definition.single) if step.writes else statements

    def _call_composed(self, step: Step, definition: Definition) -> list[ast.stmt]:
        """A step whose operation says which nodes' values it is called with."""
        operation = definition.call(self.load, *step.filled)
        values = [self.revealed(node) for node in operation.parameters]
        made = call(self.names.bind(operation.call, step.name), name("run"), *values)
        self.writes = self.writes or operation.writes
        self.effects += operation.writes
        self.counts(2 if operation.several else 1)
        return self._kept(step, awaited(made), is_async=True)

    def _prepared(
        self, argument: Any, parameter: Parameter, table: Table | None, before: list[ast.stmt]
    ) -> tuple[Any, list[ast.expr]]:
        """What a prepared step is given for a parameter at load, and the values that will move at run time."""
        match syntax := parameter.syntax:
            case "table":
                return table, []
            case "where":
                condition = self.load.storage.where(argument, table, self.kinds)
                return condition, [self.revealed(node) for node in condition.parameters]
            case "match":
                condition = self.load.storage.where(argument, table, self.kinds)
                places = {id(node): place for place, node in enumerate(condition.parameters)}
                keys = {column: places.get(id(value)) for column, value in matched(argument).items()}
                return (condition, keys), [self.revealed(node) for node in condition.parameters]
            case "flag" | "choice" | "sql":
                return argument, []
            case "data":
                columns = self._columns(argument, before)
                return tuple(columns), list(columns.values())
            case "edits" | "changes" if table is not None and (syntax == "edits" or spelt_out(argument) is not None):
                return self._edits(chosen(argument, self.kinds), table, before)
            case "rejection":
                return argument.error.text, self.said(argument.error.text, argument.message, argument.payload)
        return ..., [self.bared(argument)]

    def _columns(self, node: Node, before: list[ast.stmt]) -> dict[str, ast.expr]:
        """The written columns and their values; an object that isn't spelt out is made once, before."""
        if isinstance(node, ObjectOf) and not any(isinstance(entry, Spread) for entry in node.entries):
            return {entry.key: self._stored(entry.value) for entry in node.entries if isinstance(entry, Entry)}
        held = self.temporary()
        before.append(assign(held, self.bared(node)))
        return {column: item(name(held), const(column)) for column in self.kind(node).fields or {}}

    def _edits(self, data: Node, table: Table, before: list[ast.stmt]) -> tuple[Written, list[ast.expr]]:
        """What is written into a record, and the values: of the columns that are given, then for those computed."""
        nodes = computed(data)
        given = (
            self._columns(data, before)
            if not nodes
            else {name: self._stored(value) for name, value in (spelt_out(data) or {}).items() if name not in nodes}
        )
        made = {
            name: self.load.storage.computed(value, table, table.columns[name], self.kinds)
            for name, value in nodes.items()
        }
        wanted = [self.revealed(node) for each in made.values() for node in each.parameters]
        return Written(tuple(given), made), [*given.values(), *wanted]

    def _stored(self, node: Node) -> ast.expr:
        """What a column is given: storages unmask what is secret as a whole, but don't look into lists and objects."""
        return self.bared(node) if may_hide(self.kind(node)) else self.lower(node)

    def answer(self, node: Node) -> ast.expr:
        """What a stack answers: looked at when it runs where the checker can't prove that it is what is declared."""
        if self.is_answering:
            return self._measured(node)
        if is_within(self.kind(node), self.returns):
            return self.lower(node)
        declared, place = self.names.bind(self.returns, "returns"), const("what is returned")
        return at(node.span, self.masked(self.returns, self.helper(closed, self.bared(node), declared, place)))

    def _measured(self, node: Node) -> ast.expr:
        """What a request is answered, whose length is known before it is written where it may be long."""
        lowered = self.lower(node)
        if not may_be_long(self.kind(node)):
            return lowered
        may_share = ast.Constant(False)  # known once all steps are lowered
        self._answers.append(may_share)
        return at(node.span, method(name("run"), "answered", lowered, may_share))

    def _kept(self, step: Step, value: ast.expr, is_async: bool) -> list[ast.stmt]:
        self.is_async = self.is_async or is_async
        return [assign(f"v_{step.result.text}", value) if step.result else do(value)]

    def written(self, statements: list[ast.stmt], is_single: bool = False) -> list[ast.stmt]:
        """Statements that write: a transaction of their own where the stack isn't one as a whole."""
        self.writes = True
        self.effects += 1 if is_single and not self.loops else 2
        return statements if self.atomic else [within(self.session("transaction"), statements)]

    def counts(self, reads: int = 1) -> None:
        """Notes that the stack asks the database so often, more than once where a loop stands around it."""
        self.reads += 2 * reads if self.loops else reads

    # What constructs share.

    def result_or_temporary(self) -> str:
        """The variable that the step's `as:` names, or one that nothing else knows."""
        return f"v_{self.step.result.text}" if self.step.result else self.temporary()

    def session(self, action: str) -> ast.expr:
        """A call of what the run's session can do."""
        return method(member(name("run"), "db"), action)

    def fault(self, error: str, message: Node | None, payload: Node | None) -> ast.stmt:
        """Raises the fault of a failed precondition or a throw."""
        return raised(call(self.names.bind(Fault, "Fault"), const(error), *self.said(error, message, payload)))

    def said(self, error: str, message: Node | None, payload: Node | None) -> list[ast.expr]:
        """What a client is told with an error: the author's message and payload, or what stands for them."""
        text = const(MESSAGES[error]) if message is None else self.revealed(message)
        return [text, const("") if payload is None else self.lower(payload)]

    def body(self, steps: Sequence[Step], counter: str = "") -> tuple[list[ast.stmt], bool]:
        """The statements of a loop's body, and whether a `break` leaves the loop."""
        self.is_async = True
        self.loops.append(Loop(counter))
        self.repeats += 1
        statements = self.block(steps)
        self.repeats -= 1
        return statements, self.loops.pop().is_left

    def by_strides(
        self, items: ast.expr, variable: str, do: Sequence[Step], before: Sequence[ast.stmt] = (), counter: str = ""
    ) -> list[ast.stmt]:
        """Runs steps for each of a list or a range: by strides, which costs less than to count every round."""
        held, start = self.temporary(), self.temporary()
        stride: ast.expr = item(name(held), ast.Slice(name(start), binary(name(start), ast.Add(), const(STRIDE))))
        rounds = self.rounds(stride, start, variable, do, before, counter)
        starts = call("range", const(0), call("len", name(held)), const(STRIDE))
        return [assign(held, items), ast.For(target(start), starts, rounds, [])]

    def by_batches(
        self, stream: ast.expr, variable: str, do: Sequence[Step], before: Sequence[ast.stmt], counter: str
    ) -> list[ast.stmt]:
        """Runs steps for each record of a stream, which comes in batches, each with the place of its first."""
        held, start = self.temporary(), self.temporary()
        rounds = self.rounds(name(held), start, variable, do, before, counter)
        batch = ast.Tuple([target(start), target(held)], ast.Store())
        return [ast.AsyncFor(batch, method(stream, "batches"), rounds, [])]

    def rounds(
        self, stride: ast.expr, start: str, variable: str, do: Sequence[Step], before: Sequence[ast.stmt], counter: str
    ) -> list[ast.stmt]:
        """Runs steps for each of a stride, the first of which is counted from `start`."""
        body, is_left = self.body(do, counter)
        each: ast.expr = target(variable)
        if counter:
            stride, each = call("enumerate", stride, name(start)), ast.Tuple([target(counter), each], ast.Store())
        walk = ast.For(each, stride, [*before, *body] or [ast.Pass()], [ast.Continue()] if is_left else [])
        return [self.pause(is_due()), walk, *([ast.Break()] if is_left else [])]

    def pause(self, test: ast.expr) -> ast.stmt:
        """Lets other runs go on where it is time to."""
        return branch(test, [do(awaited(method(name("run"), "breathe")))])


# Kinds whose values are small, however they came about.
_SMALL = frozenset({"int", "decimal", "bool", "timestamp", "date", "uuid", "enum", "null"})


def leaves_of(node: Node) -> Iterator[Node]:
    """What an object or a list is made of that is written out; else the expression itself."""
    match node:
        case ObjectOf(entries=entries):
            for entry in entries:
                yield from leaves_of(entry.value) if isinstance(entry, Entry) else [entry]
        case ListOf(items=items):
            for each in items:
                yield from leaves_of(each)
        case _:
            yield node


def is_part_of(node: Node, result: Word | None) -> bool:
    """Whether an expression is a literal, or what a step gave or a column of it."""
    of = node.of if isinstance(node, Attribute) else node
    is_result = isinstance(of, Variable) and result is not None and of.name == result.text
    return isinstance(node, Literal) or is_result


def is_plain(node: Node) -> bool:
    """Whether an expression is a literal or something that was sent, as it is."""
    while isinstance(node, Attribute):
        node = node.of
    return isinstance(node, Literal) or (isinstance(node, Variable) and node.name in ("input", "auth"))


def is_due() -> ast.expr:
    return method(name("run"), "is_due")


def auth_values(claims: Any, extras: Kind) -> dict[str, object]:
    """`$auth` as a whole: what a token's claims say."""
    return {"id": claims.id, "table": claims.table, "extras": known_extras(claims, extras)}


def known_extras(claims: Any, extras: Kind) -> dict[str, Any]:
    """Those of a token's extras that are what the stacks put in today: it may be older than they are."""
    found: dict[str, Any] = claims.extras
    return found if extras.fields is None else those_closed(found, extras)


def _extras_of(auth: Kind) -> Kind:
    return (auth.fields or {}).get("extras", OBJECT)


LOOPS = frozenset({"for_each", "repeat", "while"})


@construct
def set_(lowering: StackLowering, variables: Assignments) -> list[ast.stmt]:
    """Create or update variables, or parts of them by a path.

    - set: {total: 0, greeting: "Hello ${$input.name}"}
    """
    return [_assigned(lowering, each) for each in variables]


def _assigned(lowering: StackLowering, each: Assignment) -> ast.stmt:
    variable, value = f"v_{each.name}", lowering.lower(each.value)
    if each.path:
        lowering.notes.assignment(each)
        lowering.may_share([each.value, each.value])  # the owner may be the same
        owner: ast.expr = name(variable)
        owner = lowering.budget("paid", owner) if lowering.repeats else owner
        value = lowering.helper(operators.with_path, owner, lowering.names.bind(each.path, "path"), value)
    return at(each.span, assign(variable, value))


@construct
def if_(
    lowering: StackLowering, condition: Condition, then: Block, else_if: Branches = (), else_: Block = ()
) -> list[ast.stmt]:
    """Run `then` where a condition is true, else the first `else_if` that is, else `else`.

    - if: $total > 10
      then:
        - set: {size: big}
      else:
        - set: {size: small}
    """
    otherwise = lowering.block(else_)
    branches: Sequence[Branch] = else_if
    for each in reversed(branches):
        test = lowering.condition(each.condition)
        otherwise = [at(each.span, branch(test, lowering.block(each.block), otherwise))]
    return [branch(lowering.condition(condition), lowering.block(then), otherwise)]


@construct
def switch(lowering: StackLowering, subject: Expression, cases: Cases, default: Block = ()) -> list[ast.stmt]:
    """Run the steps of the case that equals a value, else `default`; no case falls through to the next.

    - switch: $size
      cases:
        big:
          - throw: conflict
            message: Too big.
        small: []
    """
    held = lowering.temporary()
    otherwise = lowering.block(default)
    kind = lowering.kind(subject)
    every: Sequence[Case] = cases
    for each in reversed(every):
        value = const(_constant(case_value(each.value.text, kind)))
        native = kind.family in ("text", "number", "bool") and not kind.secret
        test = compared(name(held), ast.Eq(), value) if native else lowering.helper(operators.equal, name(held), value)
        otherwise = [at(each.value.span, branch(test, lowering.block(each.block), otherwise))]
    return [assign(held, lowering.lower(subject)), *otherwise]


def _constant(value: object) -> str | int | float | bool:
    assert isinstance(value, str | int | float)
    return value


@construct
def for_each(lowering: StackLowering, items: Expression, do: Block) -> list[ast.stmt]:
    """Run steps for each item of a list, or each `{key, value}` of an object; `$index` counts from 0.

    - for_each: $input.items
      as: item
      do:
        - set: {total: $total + $item.price}
    """
    variable = lowering.result_or_temporary()
    walked = lowering.span(items) if isinstance(items, Range) else lowering.revealed(items)
    is_stream = lowering.kind(items).name == "stream"
    if not is_stream and lowering.kind(items).name != "list":
        walked = lowering.helper(operators.entries, walked)
    counter = lowering.temporary() if "index" in lowering.used else ""
    before = [assign("v_index", name(counter))] if counter else []
    if lowering.kind(items).secret:
        before.append(assign(variable, lowering.helper(operators.secret, name(variable))))
    if is_stream:
        loop = lowering.by_batches(walked, variable, do, before, counter)
    else:
        paid = walked if isinstance(items, Range) else method(name("run"), "charged", walked)
        loop = lowering.by_strides(paid, variable, do, before, counter)
    outer = [each.counter for each in lowering.loops if each.counter]
    return [*loop, assign("v_index", name(outer[-1]))] if outer else loop


@construct
def repeat(lowering: StackLowering, times: Expression, do: Block) -> list[ast.stmt]:
    """Run steps a number of times; `as:` counts from 0.

    - repeat: 3
      as: n
      do:
        - debug_log: $n
    """
    count = lowering.helper(operators.times, lowering.revealed(times))
    return lowering.by_strides(call("range", count), lowering.result_or_temporary(), do)


@construct
def while_(lowering: StackLowering, condition: Condition, do: Block) -> list[ast.stmt]:
    """Run steps as long as a condition is true.

    - while: $total < 100
      do:
        - set: {total: $total * 2}
    """
    counter = lowering.temporary()
    counted = ast.AugAssign(target(counter), ast.Add(), const(1))
    body, _ = lowering.body(do)
    lowering.repeats += 1
    test = lowering.condition(condition)
    lowering.repeats -= 1
    # The test comes first in the body, so that what the condition says is charged as well.
    stride_ends = negated(binary(name(counter), ast.Mod(), const(STRIDE)))
    pause = lowering.pause(ast.BoolOp(ast.And(), [stride_ends, is_due()]))
    return [assign(counter, const(0)), ast.While(test, [pause, counted, *body], [])]


@construct
def break_(lowering: StackLowering) -> list[ast.stmt]:
    """Leave the loop around it.

    - break
    """
    lowering.loops[-1].is_left = True
    return [ast.Break()]


@construct
def continue_(lowering: StackLowering) -> list[ast.stmt]:
    """Go on with the next round of the loop around it.

    - continue
    """
    return [ast.Continue()]


@construct
def return_(lowering: StackLowering, value: Expression = None) -> list[ast.stmt]:
    """End the stack with a value, null where none is given.

    - return: {size: $size}
    """
    return [returned(const(None) if value is None else lowering.answer(value))]


@construct
def throw(lowering: StackLowering, error: FaultName, message: str = "", payload: object = "") -> list[ast.stmt]:
    """End the run with an error: nothing it wrote is kept.

    - throw: conflict
      message: Too big.
    """
    return [lowering.fault(error.text, message or None, payload or None)]  # type: ignore[arg-type]


@construct
def precondition(
    lowering: StackLowering, condition: Condition, error: FaultName = None, message: str = "", payload: object = ""
) -> list[ast.stmt]:
    """Go on only where a condition is true, else end the run with an error.

    - precondition: $user != null
      error: access_denied
      message: Invalid Credentials.
    """
    name = error.text if error else "bad_request"
    fault = lowering.fault(name, message or None, payload or None)  # type: ignore[arg-type]
    return [branch(negated(lowering.condition(condition)), [fault])]


@construct
def try_(lowering: StackLowering, steps: Block, catch: Block = (), finally_: Block = ()) -> list[ast.stmt]:
    """Run steps; where one fails run `catch`, then in any case `finally`.

    `catch` has `$error` with `code`, `message`, `payload` and `step`, the place of what failed.

    - try:
        - run_function: billing/total
          with: {items: $input.items}
          as: total
      catch:
        - set: {total: 0}
    """
    caught = lowering.temporary()
    handler = [assign("v_error", method(name("run"), "caught", name(caught))), *lowering.block(catch)]
    handlers = [ast.ExceptHandler(name("Exception"), caught, handler)]
    if lowering.step.arguments.get("catch") is None:
        handlers = []
    body, last = lowering.block(steps) or [ast.Pass()], lowering.block(finally_)
    if last:  # a run that begins again has not ended
        last = [branch(member(name("run"), "goes_on"), last)]
    return [ast.Try(body, handlers, [], last or ([] if handlers else [ast.Pass()]))]


@construct
def group(lowering: StackLowering, steps: Block) -> list[ast.stmt]:
    """Steps that belong together, for the reader's sake.

    - group:
        - set: {a: 1}
    """
    return lowering.block(steps) or [ast.Pass()]


@construct
def transaction(lowering: StackLowering, steps: Block) -> list[ast.stmt]:
    """Steps whose writes are kept together or not at all: where one fails, nothing that they wrote stays.

    A `try` around it can then go on with what the stack wrote before. With `atomic: false` on the endpoint it is
    committed at its end; else with the rest of the stack. Nobody else writes from its first step to its end, so what
    it reads is still so when it writes: in an atomic stack that holds without it, and with it no run begins again for
    what others wrote.

    - transaction:
        - add_record: user
          data: {name: Ada, email: ada@example.com, password: correct horse}
    """
    outer, lowering.atomic = lowering.atomic, True
    body = lowering.block(steps)
    lowering.atomic = outer
    lowering.is_async = lowering.writes = True
    lowering.effects += 2
    manager = lowering.session("savepoint" if outer else "transaction")
    return [within(manager, [do(awaited(lowering.session("begin"))), *body])]


@construct
def run_function(lowering: StackLowering, function: FunctionName, with_: Arguments = None) -> list[ast.stmt]:
    """Run a function of the workspace; `as:` names what it returns.

    - run_function: billing/total
      with: {items: $input.items}
      as: bill
    """
    declared = lowering.compiler.workspace.functions[function.text]
    plan = lowering.compiler.function(function.text)
    given: ast.expr = dictionary(_inputs(lowering, with_))
    if with_ is not None and may_hold(lowering.kind(with_)) and (lowering.repeats or lowering.sharing > 1):
        given = lowering.helper(plain, given)
    shape = lowering.names.bind(
        Shape(declared.input, closed=False, null_is_absent=True).bind, f"input_of_{declared.name}"
    )
    made = call(lowering.names.bind(plan.function, declared.name), name("run"), call(shape, given), const(None))
    lowering.walks = lowering.walks or plan.walks
    lowering.shared(plan.sharing)
    statements = lowering._kept(lowering.step, awaited(made) if plan.is_async else made, plan.is_async)
    lowering.counts(plan.reads)
    if plan.writes and plan.reads and not lowering.atomic:  # what it reads belongs to what it writes
        statements = [do(awaited(lowering.session("begin"))), *statements]
    return lowering.written(statements) if plan.writes else statements


def plain(given: dict[str, Any]) -> dict[str, Any]:
    """What a function is given, which is copied and checked as a whole: within the bounds of a value."""
    extent(given, MAX_TEXT)
    return given


def _inputs(lowering: StackLowering, node: ObjectOf | None) -> list[tuple[ast.expr | None, ast.expr]]:
    entries = node.entries if node is not None else []
    lowering.may_share(each.value for each in entries if isinstance(each, Entry))
    return [(const(each.key), lowering.bared(each.value)) for each in entries if isinstance(each, Entry)]


def compile_expression(text: str, variables: Sequence[str], *, origin: Origin | None = None) -> Callable[..., Any]:
    """A bare expression as `function(run, *values of the variables)`; nothing is known of the variables' kinds.

    Raises `Problems` for what the checker finds.
    """
    return compile_node(parse_expression(text, origin or origin_of(text)), variables)


def compile_node(node: Node, variables: Sequence[str]) -> Callable[..., Any]:
    """As `compile_expression`, of an expression that was read already."""
    inference = Inference()
    inference.infer(node, Scope(kinds=dict.fromkeys(variables, ANY)))
    if inference.errors:
        raise Problems(inference.errors)
    lowering = ExpressionLowering(inference.kinds, Names())
    body = [returned(lowering.lower(node))]
    parameters = ["run", *(f"v_{each}" for each in variables)]
    tree = at(node.span, function("expression", parameters, body, is_async=False))
    return function_of(tree, node.span.path, lowering.names.bound, "expression")


def origin_of(text: str) -> Origin:
    """The places of an expression that stands in no file."""
    return Origin(Text("<expression>", text), 0, len(text), 1, 1, "", text)
