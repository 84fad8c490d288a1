"""A cursor over the tokens of an expression, and the answers to what can't stand there: the spelling to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from engine.errors import Problem, Problems, Span
from engine.lexer import Lexer, Token
from engine.origin import Origin
from engine.syntax import Attribute, Node, Variable, children

T = TypeVar("T")

NESTING_LIMIT = 100

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
DEEP = f"an expression is nested deeper than {NESTING_LIMIT}"
SPLIT = "compute a part of it in a `set` step before"
LAMBDA_HINT = "a lambda is an argument of a filter or function, as in map($x => $x.name)"
TERNARY = "write `a if condition else b`"
_QUESTION = "write `== null` to ask for null, `?.` to read what may be absent, `??` for what to take instead of null"
# Words of other languages where an operand or an operator is expected → what to write.
OPERAND_WORDS = {
    **dict.fromkeys(("True", "TRUE"), "write `true`"),
    **dict.fromkeys(("False", "FALSE"), "write `false`"),
    **dict.fromkeys(("None", "NULL", "Null", "nil", "undefined"), "write `null`"),
    "NOT": "write `not`",
}
_OPERATOR_WORDS = {
    "AND": "write `and`",
    "OR": "write `or`",
    "IN": "write `in`",
    "NOT": "write `not in`",
    "is": "write `==`, as in `== null`",
    "IS": "write `==`, as in `== null`",
    "then": "write `a if condition else b`",
    "=>": LAMBDA_HINT,
    "else": "write `a if condition else b`",
    ":": "it stands only in an object, after the key: {a: 1}",
}


class Cursor:
    """Reads one expression from `at` on; `bare` says whether a bare name is a column."""

    def __init__(self, text: str, origin: Origin, *, at: int = 0, columns: bool = False, bare: bool = True) -> None:
        self.lexer = Lexer(text, origin)
        self.columns = columns
        self.bare = bare
        self.depth = 0
        self.end = at  # of the token taken last
        self.token = self.lexer.token(at)

    def take(self) -> Token:
        """The current token; the next one becomes current."""
        token = self.token
        self.end = token.end
        self.token = self.lexer.token(token.end)
        return token

    def span(self, start: int) -> Span:
        """From `start` to the end of the token taken last."""
        return self.lexer.origin.span(start, self.end)

    def span_of(self, token: Token) -> Span:
        return self.lexer.origin.span(token.start, token.end)

    def fail(self, code: str, message: str, token: Token, hint: str = "") -> NoReturn:
        self.lexer.fail(code, message, token.start, token.end, hint)

    def sequence(self, item: Callable[[], T]) -> list[T]:
        """What stands between brackets, with commas between and perhaps one at the end."""
        opener = self.take()
        items = []
        while self.token.text != _CLOSERS[opener.text]:
            items.append(item())
            if self.token.text != ",":
                break
            self.take()
        self.close(opener)
        return items

    def close(self, opener: Token) -> None:
        """Take the bracket that closes `opener`."""
        closer = _CLOSERS[opener.text[-1]]
        if self.token.text == closer:
            self.take()
        elif self.token.kind == "end":
            hint = self.lexer.cut_hint() or f"write '{closer}' where it ends"
            self.fail("SW028", f"'{opener.text}' is never closed", opener, hint)
        elif self.token.text in _CLOSERS.values():
            message = f"'{self.token.text}' doesn't close '{opener.text}'"
            self.fail("SW028", message, self.token, f"write '{closer}' before it")
        else:
            self.unexpected(f"write '{closer}' before it, or an operator")

    def unexpected(self, hint: str) -> NoReturn:
        """The current token can't follow what was read."""
        token = self.token
        if token.text in _CLOSERS.values():
            self.fail("SW028", f"'{token.text}' closes nothing", token, "take it out, or write the bracket it closes")
        if token.text == "?":
            hint = TERNARY if ":" in self.lexer.text[token.end :] else _QUESTION
        self.fail("SW029", f"'{short(token)}' can't follow here", token, _OPERATOR_WORDS.get(token.text, hint))

    def missing(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW029", "a value is missing at the end", token, self.lexer.cut_hint())
        hint = TERNARY if token.text == "?" else LAMBDA_HINT if token.text == "=>" else ""
        self.fail("SW029", f"a value is missing before '{token.text}'", token, hint)

    def refuse_tall(self, node: Node) -> None:
        """Bound the tree, so that whatever walks it later can recurse."""
        level = [node]
        for _ in range(NESTING_LIMIT):
            level = [child for parent in level for child in children(parent)]
            if not level:
                return
        raise Problems([Problem("SW022", DEEP, level[0].span, SPLIT)])

    def refuse_key(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW028", "'{' is never closed", token, self.lexer.cut_hint() or "write '}' where it ends")
        hint = 'a key is a name or a quoted text, as in {name: 1, "2": 3}'
        self.fail("SW029", f"'{short(token)}' can't be a key", token, hint)

    def refuse_shorthand(self, token: Token) -> NoReturn:
        hint = f"write {token.text}: and its value"
        if token.text == "return":
            hint = "what a lambda gives is one expression, without braces and `return`"
        self.fail("SW029", f"':' is missing after '{short(token)}'", token, hint)

    def refuse_chain(self, middle: int) -> NoReturn:
        between = self.lexer.text[middle : self.end]
        hint = f"write … and {between} {self.token.text} …" if len(between) <= 40 else "join two comparisons with `and`"
        self.fail("SW030", f"'{self.token.text}' can't follow another comparison", self.token, hint)

    def refuse_name(self, dot: Token) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW029", f"a name is missing after '{dot.text}'", dot, "write it, as in $user.name")
        mark = "?." if dot.text == "?." else ""
        first = token.text.partition(".")[0]
        hint = f"write {mark}[{first}]" if token.kind in {"number", "text", "variable"} else "write a name"
        self.fail("SW037", f"'{short(token)}' can't follow '{dot.text}'", token, hint)

    def refuse_call(self, of: Node, start: int) -> NoReturn:
        if isinstance(of, Attribute):
            message, hint = f"'{of.name}' can't be called", f"filters are written with '|': … | {of.name}(…)"
        elif isinstance(of, Variable):
            message, hint = f"'${of.name}' can't be called", f"a function is called without `$`: {of.name}(…)"
        else:
            message, hint = "'(' can't follow here", "write an operator before it"
        self.fail("SW034", message, self.token, hint)


def short(token: Token) -> str:
    return token.text if len(token.text) <= 30 else token.text[:29] + "…"
