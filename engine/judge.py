"""What is asked of every value: a kind, and that it may be null only where it may."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from engine.errors import Problem, Severity, Span
from engine.narrow import narrowed, narrowed_null
from engine.scope import Scope
from engine.syntax import Column, Literal, Node, children, walk
from engine.values import ANY, BOOL, Kind, contains_sealed, contains_secret, fits
from engine.wording import comparison, named, null_mend, shown, which

ROUNDS = 4  # what is taken from itself settles after two or three; what doesn't by then may be anything
MOST_ROUNDS = 100


class Judge(ABC):
    """What the rules for all nodes share: kinds go into `kinds`, a node at a time, mistakes into `problems`.

    `reads` gathers the variables read, `secret_reads` the secret columns taken from records; `parameters` are those of
    the lambdas around. Nothing is reported while `silent`. `droppable` are the sides of a query's comparisons whose
    null drops them. `walked` is what a loop walks, `closing` the last test of a chain, which may ask for what the
    others left. `words` are texts that are a variable's name and nothing else. `widest` are the kinds of nodes before
    tests ruled some of their values out.
    """

    def __init__(self) -> None:
        self.kinds: dict[Node, Kind] = {}
        self.problems: list[Problem] = []
        self.reads: set[str] = set()
        self.secret_reads: set[tuple[str, str]] = set()
        self.parameters: tuple[str, ...] = ()
        self.silent = 0
        self.droppable: set[Node] = set()
        self.walked: Node | None = None
        self.closing: Node | None = None
        self.words: dict[str, Span] = {}
        self.widest: dict[Node, Kind] = {}

    def with_values(self, node: Node) -> Kind:
        """The kind of a node that was inferred, with the values that it could have if no test had ruled some out."""
        kind, widest = self.kinds[node], self.widest.get(node)
        return kind if widest is None else replace(widest, nullable=kind.may_be_null)

    @abstractmethod
    def infer(self, node: Node, scope: Scope) -> Kind:
        """The kind of `node` where `scope` is known."""

    @property
    def errors(self) -> list[Problem]:
        """The problems that are more than warnings."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def report(self, code: str, message: str, span: Span, hint: str = "", severity: Severity = "error") -> None:
        """Gathers a problem, unless what is inferred now is inferred once more, aloud."""
        if not self.silent:
            self.problems.append(Problem(code, message, span, hint, severity))

    def no_secret(self, node: Node, before: int) -> None:
        """Reports a secret in what the database is asked, unless there are more errors than `before`."""
        secret = self._asked_secret(node)
        if secret is not None and len(self.errors) == before:
            is_password = contains_sealed(self.kinds.get(secret, ANY))
            hint = "a password is checked with validate_password"
            if not is_password:
                hint = "a value that the database may see says so with '| reveal', as a digest of it"
            self.report("SW231", "a secret can't be part of a query", secret.span, hint)

    def secret_in(self, node: Node) -> Node:
        """The first part of `node` that is secret as a whole; itself where none is."""
        return next((each for each in walk(node) if self.kinds.get(each, ANY).secret), node)

    def _asked_secret(self, node: Node) -> Node | None:
        """The first secret that an expression over columns takes; what is secret within a plain value is none."""
        kind = self.kinds.get(node, ANY)
        if not any(isinstance(each, Column) for each in walk(node)):
            return self.secret_in(node) if contains_secret(kind) else None
        if kind.secret:
            return node
        return next((found for child in children(node) if (found := self._asked_secret(child))), None)

    def shadowed(self, name: str, span: Span) -> None:
        """Reports a name that hides a variable's."""
        self.report("SW245", f"'{name}' hides the variable of that name", span, "choose another name", "warning")

    def lookalike(self, span: Span, expression: str) -> None:
        """Reports a text that was probably meant to be an expression."""
        self.report("SW244", "this text looks like an expression", span, f"write {expression}", "warning")

    def value(self, node: Node, scope: Scope, what: str) -> Kind:
        """The kind of an operand that can't be null."""
        kind = self.known(node, self.infer(node, scope))
        if kind.may_be_null:
            self.null(node, what)
            return ANY.tainted_by(kind)  # one message a mistake
        return kind

    def known(self, node: Node, kind: Kind) -> Kind:
        """The `kind` of a node, with null ruled out where it is no mistake."""
        if not kind.may_be_null or not self.takes_null(node):
            return kind
        return ANY if kind.name == "null" else kind.present()

    def takes_null(self, node: Node) -> bool:
        """Whether null is no mistake: in a query it makes a condition on a column false, or drops it."""
        return node in self.droppable or any(isinstance(each, Column) for each in walk(node))

    def null(self, node: Node, what: str) -> None:
        """Reports that `node` may be null where `what` says why it must not be, unless it may in a query."""
        if self.takes_null(node):
            return
        if self.kinds.get(node, ANY).name == "null" and not isinstance(node, Literal):
            self.report("SW210", f"{named(node)} is always null here, {what}", node.span)
        else:
            self.report("SW210", f"{named(node)} may be null here, {what}", node.span, null_mend(node, self.parameters))

    def condition(self, node: Node, scope: Scope) -> tuple[Scope, Scope]:
        """Checks that `node` is a bool; what is known where it is true, and where it is false."""
        kind = self.infer(node, scope)
        if not fits(kind.present(), BOOL):
            asked = f"{shown(node)} != null" if kind.may_be_null else comparison(node, kind)
            hint = which(node, kind, BOOL) or f"compare it, as in {asked}"
            self.report("SW211", f"a condition must be a bool, {named(node)} is {kind}", node.span, hint)
        elif kind.may_be_null:
            self.null(node, "a condition must be a bool")
        true, false = (narrowed(node, scope, truth, self.kinds) for truth in (True, False))
        # What it was to ask is plain all the same: one message a mistake.
        return narrowed_null(node, true, False, self.kinds) if kind.may_be_null else true, false
