"""A walk through the steps of a stack: what is known from step to step, what is set, used and never reached."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.errors import Span
from engine.fields import Field
from engine.infer import Inference
from engine.scope import Scope
from engine.stack import Block, Step, Word
from engine.syntax import Entry, ListOf, Node, ObjectOf
from engine.values import ANY, NEVER, NULL, TEXT, Kind, contains_secret, fits, join, join_all
from engine.workspace import Workspace

RESERVED = frozenset({"input", "auth", "env", "request", "response", "error", "index", "steps", "status", "headers"})
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


@dataclass(frozen=True, slots=True, eq=False)
class CheckedStack:
    """What checking a stack found out: the kind of each node, of the result, and the secrets it reads.

    `writes`: it may change the database. `acts`: it does something beside computing its result.
    `hashes`: it may compute the hash of a password.
    """

    kinds: Mapping[Node, Kind]
    result: Kind
    secret_reads: frozenset[tuple[str, str]]
    creates_token: bool = False
    writes: bool = False
    waits: bool = False  # for something outside of the database
    acts: bool = False
    hashes: bool = False


class Functions(Protocol):
    """Who knows the workspace, and checks its functions when they are needed."""

    workspace: Workspace

    def function(self, name: str, place: Span | None = None) -> CheckedStack:
        """The checked function; a call that leads back to itself is a problem at `place`."""
        ...


@dataclass(frozen=True, slots=True)
class Exits:
    """What is known where the rounds of a loop are left by `break` and by `continue`."""

    breaks: list[Scope] = field(default_factory=list)
    continues: list[Scope] = field(default_factory=list)


class StackWalk(Inference):
    """Walks through one stack. `exits` holds what is known where the loops around are left before their end."""

    def __init__(self, owner: Functions, given: dict[str, Kind], method: str, returns: Field | None = None) -> None:
        super().__init__()
        self.owner, self.workspace, self.method, self.returns = owner, owner.workspace, method, returns
        self.given = Scope(kinds=given)
        self.results: list[Kind] = []
        self.exits: list[Exits] = []
        self.assigned: dict[str, Kind] = {}
        self.declared: dict[str, tuple[Span, str]] = {}
        self.creates_token = self.writes = self.waits = self.acts = self.hashes = False
        self.atomic = True
        self.in_finally = 0

    def run(self, stack: Block, response: Node | None) -> Kind:
        """Checks the steps, then the response; the kind of what the stack answers."""
        scope = self.block(stack, self.given)
        if response is not None:
            if scope.dead:
                self.report(
                    "SW141", "the response is never reached", response.span, "every path returns or throws", "warning"
                )
            kind = self.infer(response, scope)
            self.leaving(response, kind, "the response")
            self.results.append(kind)
        elif not scope.dead:
            self._check_end(stack)
            self.results.append(NULL)
        self._unused()
        return join_all(self.results) if self.results else NULL

    def _check_end(self, stack: Block) -> None:
        """Reports that a run may come to an end without an answer, where one is declared or others give one."""
        way = f"a run that gets past '{stack[-1].name}'" if stack else "this"
        if self.returns is not None:
            self.needs_result(way, stack[-1].span if stack else self.returns.span)
        elif stack and any(kind != NULL for kind in self.results):
            hint = "add 'response:', or end with 'return:'" if self.method else "end with 'return:'"
            self.report("SW247", f"{way} answers nothing, others do", stack[-1].span, hint, "warning")

    def needs_result(self, way: str, span: Span) -> None:
        """Reports `way`, by which a run ends without a result, where one is declared."""
        if self.returns is not None and not self.returns.kind.nullable:
            message = f"'returns:' says {self.returns.kind}, {way} returns nothing"
            self.report("SW148", message, span, "return a value, or declare 'nullable: true'")

    def _unused(self) -> None:
        for name, (span, mend) in self.declared.items():
            if name in self.reads or name.startswith("_"):
                continue
            if name in self.words:
                self.lookalike(self.words[name], f"${name}")
            else:
                self.report("SW240", f"the variable '{name}' is never used", span, f"{mend}, or use it", "warning")

    def block(self, steps: Block, scope: Scope) -> Scope:
        """After a list of steps."""
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
        """After one step."""
        if step.result is not None and (step.name in _WITHOUT_RESULT or step.definition.returns == NULL):
            self.report("SW106", f"'{step.name}' has no result to name", step.result.span, "leave 'as:' out")
            # Whoever reads the name makes no second mistake.
            return self.apply(replace(step, result=None), scope).assign(step.result.text, ANY)
        after = self.apply(step, scope)
        return self.held(step, after, writes=step.writes, waits=step.definition.outside, before=scope)

    def held(self, step: Step, after: Scope, *, writes: bool, waits: bool, before: Scope) -> Scope:
        """After a step that may write, or wait for something outside while others wait for what the run wrote."""
        self.writes, self.waits = self.writes or writes, self.waits or waits
        if waits and before.held:
            message = f"what '{before.held}' wrote keeps others from writing while '{step.name}' waits"
            hint = "put it before the first step that writes, or set 'atomic: false' on the endpoint"
            self.report("SW188", message, step.span, hint, "warning")
        return replace(after, held=after.held or step.name) if writes and self.atomic else after

    @abstractmethod
    def apply(self, step: Step, scope: Scope) -> Scope:
        """Checks a step by the rule for its sort."""

    def assign(self, word: Word, kind: Kind, scope: Scope, mend: str = "leave 'as:' out") -> Scope:
        """After a result took the name `word`; `mend` is what to do where nobody reads it."""
        if word.text in RESERVED:
            self.report(
                "SW142", f"'{word.text}' is a given name, a result can't take it", word.span, "choose another name"
            )
            return scope
        self.declared.setdefault(word.text, (word.span, mend))
        return self.assigned_as(word.text, kind, scope)

    def assigned_as(self, name: str, kind: Kind, scope: Scope) -> Scope:
        """After a variable was set, be it a given one."""
        known = self.assigned.get(name, NEVER)
        self.assigned[name] = join(known, kind)
        return scope.assign(name, kind)

    def result(self, step: Step, kind: Kind, scope: Scope) -> Scope:
        """After a step with a result of `kind`."""
        return self.assign(step.result, kind, scope) if step.result else scope

    def written(self, name: str, span: Span) -> None:
        """After a step or function that may change the database: a GET is repeated and fetched ahead at will."""
        self.writes = True
        if self.method in ("GET", "HEAD"):
            hint = "use POST, PUT, PATCH or DELETE"
            self.report("SW143", f"'{name}' writes, a {self.method} must not", span, hint, "warning")

    def leaving(self, node: Node, kind: Kind, where: str) -> None:
        """Reports a secret that would leave through `where`."""
        if contains_secret(kind):
            hint = "leave it out; a sensitive value that must leave says so with '| reveal'"
            for secret in self._secrets(node):
                self.report("SW230", f"a secret would leave in {where}", secret.span, hint)

    def _secrets(self, node: Node) -> Iterator[Node]:
        """What is secret in `node`: of a list or object that is written out, each part that is."""
        match node:
            case ListOf(items):
                parts = items
            case ObjectOf(entries):
                parts = [each.value for each in entries if isinstance(each, Entry)]
            case _:
                parts = []
        parts = [each for each in parts if contains_secret(self.kinds.get(each, ANY))]
        for part in parts:
            yield from self._secrets(part)
        if not parts:
            yield self.secret_in(node)

    def client_text(self, node: Node, what: str, scope: Scope) -> None:
        """Checks a part of the error that a client gets."""
        is_message = what == "message"
        kind = self.value(node, scope, "a message must be a text") if is_message else self.infer(node, scope)
        self.leaving(node, kind, f"the error's {what}")
        if is_message and not fits(kind, TEXT):
            self.report("SW218", f"a message must be a text, this is {kind}", node.span, 'write it as text: "… ${$x}"')
