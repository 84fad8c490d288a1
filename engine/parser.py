"""Expression text → tree: a Pratt parser, one small method a construct."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from engine.errors import Problem, Problems, Span
from engine.lexer import Lexer, Token
from engine.origin import Origin
from engine.syntax import (
    Attribute,
    Binary,
    Call,
    Column,
    Conditional,
    Entry,
    Filter,
    Index,
    Lambda,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Range,
    Spread,
    Template,
    Unary,
    Variable,
    children,
)

T = TypeVar("T")

LENGTH_LIMIT = 10_000
NESTING_LIMIT = 100

# How tightly an operator binds what is left of it.
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
BINDING: dict[str, int] = {
    "if": 1,
    "or": 2,
    "and": 3,
    "not": 5,  # of `not in`; in front of an operand it is NOT
    **dict.fromkeys(COMPARISONS, 5),
    "??": 6,
    "..": 7,
    "~": 8,
    **dict.fromkeys(("+", "-"), 9),
    **dict.fromkeys(("*", "/", "%"), 10),
    "|": 12,
    **dict.fromkeys((".", "?.", "[", "("), 13),
}
CONDITIONAL, NOT, COMPARISON, NEGATION, POSTFIX = 1, 4, 5, 11, 13

_CONSTANTS = {"true": True, "false": False, "null": None}
KEYWORDS = frozenset({*_CONSTANTS, "and", "or", "not", "in", "if", "else"})
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_LAMBDA = re.compile(r"\s*(?:\$?\w+|\([\s\w$,]*\))\s*=>")
_PART = re.compile(r"\$\$\{|\$\{")
_DEEP = f"an expression is nested deeper than {NESTING_LIMIT}"
_SPLIT = "compute a part of it in a `set` step before"
_LAMBDA_HINT = "a lambda is an argument of a filter or function, as in map($x => $x.name)"
_TERNARY = "write `a if condition else b`"
_QUESTION = "write `== null` to ask for null, `?.` to read what may be absent, `??` for what to take instead of null"
_AFTER_EXPRESSION = "write an operator before it, or put a text into quotes"
_AFTER_VALUE = "a text that begins with a variable is written with ${ }, as in ${$name} Smith"
# Words of other languages where an operand or an operator is expected → what to write.
_OPERAND_WORDS = {
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
    "=>": _LAMBDA_HINT,
    "else": "write `a if condition else b`",
    ":": "it stands only in an object, after the key: {a: 1}",
}


def parse_expression(text: str, origin: Origin, *, columns: bool = False) -> Node:
    """The tree of a text that can only be an expression.

    Bare names become `Column`s. `columns` says that the place is about a table's columns: only there may
    comparisons be dropped with `?`. Raises `Problems`.
    """
    _refuse_long(text, origin)
    parser = Parser(text, origin, columns=columns)
    if parser.token.kind == "end":
        parser.fail("SW020", "an expression is missing here", parser.token, "write one, as in `$name != null`")
    return parser.whole()


def parse_value(text: str, origin: Origin) -> Node:
    """The tree of a value: an expression where it starts with `$`, else a text in which `${ … }` is filled in.

    A text that is one `${ … }` and nothing else is what is inside. `$$` at the start is a literal `$`, `$${`
    anywhere a literal `${`. Raises `Problems`.
    """
    if text.startswith("$") and not text.startswith(("$$", "${")):
        _refuse_long(text, origin)
        return Parser(text, origin, bare=False).whole()
    parts = list(_parts(text, origin))
    if len(parts) == 1:
        return parts[0]
    return Template(parts, origin.span(0, len(text))) if parts else Literal("", origin.span(0, 0))


def _parts(text: str, origin: Origin) -> Iterator[Node]:
    """The stretches of text and the expressions of a template."""
    start, at = 0, 2 if text.startswith("$$") else 0
    written = "$" if at else ""
    while match := _PART.search(text, at):
        written += text[at : match.start()]
        at = match.end()
        if match[0] == "$${":
            written += "${"
            continue
        if written:
            yield Literal(written, origin.span(start, match.start()))
        node, at = Parser(text, origin, at=at, bare=False).interpolation(match.start())
        yield node
        start, written = at, ""
    if written + text[at:]:
        yield Literal(written + text[at:], origin.span(start, len(text)))


def _refuse_long(text: str, origin: Origin) -> None:
    if len(text) > LENGTH_LIMIT:
        message = f"an expression of {len(text):,} characters is longer than {LENGTH_LIMIT:,}"
        Lexer(text, origin).fail("SW021", message, 0, len(text), _SPLIT)


class Parser:
    """Parses one expression from `at` on; `bare` says whether a bare name is a column."""

    def __init__(self, text: str, origin: Origin, *, at: int = 0, columns: bool = False, bare: bool = True) -> None:
        self.lexer = Lexer(text, origin)
        self.columns = columns
        self.bare = bare
        self.depth = 0
        self.end = at  # of the token taken last
        self.token = self.lexer.token(at)

    # The parts that every construct is made of.

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
            hint = _TERNARY if ":" in self.lexer.text[token.end :] else _QUESTION
        self.fail("SW029", f"'{_short(token)}' can't follow here", token, _OPERATOR_WORDS.get(token.text, hint))

    # The whole.

    def whole(self) -> Node:
        """The expression that the text is."""
        node = self.expression()
        if self.token.kind != "end":
            self.unexpected(_AFTER_EXPRESSION if self.bare else _AFTER_VALUE)
        self.refuse_tall(node)
        return node

    def interpolation(self, start: int) -> tuple[Node, int]:
        """The expression of the `${ … }` that starts at `start`, and where the text goes on."""
        opener = Token("operator", "${", start, start + 2)
        if self.token.text == "}":
            self.lexer.fail(
                "SW020", "an expression is missing here", start, self.token.end, "write one, as in ${$name}"
            )
        node = self.expression()
        if self.token.start - start > LENGTH_LIMIT:
            self.fail("SW021", f"an expression is longer than {LENGTH_LIMIT:,} characters", opener, _SPLIT)
        self.refuse_tall(node)
        if self.token.text != "}":
            self.close(opener)
        return node, self.token.end

    def refuse_tall(self, node: Node) -> None:
        """Bound the tree, so that whatever walks it later can recurse."""
        level = [node]
        for _ in range(NESTING_LIMIT):
            level = [child for parent in level for child in children(parent)]
            if not level:
                return
        raise Problems([Problem("SW022", _DEEP, level[0].span, _SPLIT)])

    def expression(self, binding: int = CONDITIONAL) -> Node:
        """An operand, and the operators after it that bind at least as tightly as `binding`."""
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            self.fail("SW022", _DEEP, self.token, _SPLIT)
        start = self.token.start
        left = self.operand(binding)
        while BINDING.get(self.token.text, 0) >= binding:
            left = _INFIX[self.token.text](self, left, start)
        self.depth -= 1
        return left

    # What an expression begins with.

    def operand(self, binding: int) -> Node:
        token = self.token
        if token.text == "not":
            return self.negation(binding)
        if token.kind == "name":
            return self.word()
        if token.kind == "operator" and token.text in _PREFIX:
            return _PREFIX[token.text](self)
        if token.kind == "end" or token.kind == "operator":
            self.missing()
        self.take()
        if token.kind == "variable":
            return Variable(token.text[1:], self.span(token.start))
        value = self.lexer.number(token) if token.kind == "number" else self.lexer.literal(token)
        return Literal(value, self.span(token.start))

    def missing(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW029", "a value is missing at the end", token, self.lexer.cut_hint())
        hint = _TERNARY if token.text == "?" else _LAMBDA_HINT if token.text == "=>" else ""
        self.fail("SW029", f"a value is missing before '{token.text}'", token, hint)

    def word(self) -> Node:
        """A constant, a function or a column."""
        token = self.take()
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text], self.span(token.start))
        if token.text in KEYWORDS:
            hint = "write `a if condition else b`" if token.text in {"if", "else"} else ""
            self.fail("SW029", f"a value is missing before '{token.text}'", token, hint)
        if self.token.text == "(":
            arguments = self.sequence(self.argument)
            return Call(token.text, arguments, self.span_of(token), self.span(token.start))
        if token.text in _OPERAND_WORDS:
            self.fail("SW027", f"'{token.text}' isn't part of an expression", token, _OPERAND_WORDS[token.text])
        if not self.bare:
            hint = f"write ${token.text} for the variable, or put a text into quotes"
            self.fail("SW031", f"'{token.text}' isn't a variable", token, hint)
        return Column(token.text, self.span(token.start))

    def negation(self, binding: int) -> Node:
        token = self.take()
        if binding > NOT:
            self.fail("SW029", "'not' can't follow an operator", token, "put it into parentheses: (not …)")
        return Unary("not", self.expression(NOT), self.span(token.start))

    def minus(self) -> Node:
        """A `-`; right before a number it is part of it."""
        token = self.take()
        if self.token.kind == "number" and self.token.start == token.end:
            return Literal(self.lexer.number(self.take(), "-"), self.span(token.start))
        return Unary("-", self.expression(NEGATION), self.span(token.start))

    def group(self) -> Node:
        opener = self.take()
        node = self.expression()
        self.close(opener)
        return node

    def list_of(self) -> Node:
        start = self.token.start
        items = self.sequence(self.item)
        return ListOf(items, self.span(start))

    def item(self) -> Node:
        return self.spread() if self.token.text == "..." else self.expression()

    def spread(self) -> Spread:
        token = self.take()
        return Spread(self.expression(), self.span(token.start))

    def object_of(self) -> Node:
        start = self.token.start
        seen: set[str] = set()
        entries = self.sequence(lambda: self.entry(seen))
        return ObjectOf(entries, self.span(start))

    def entry(self, seen: set[str]) -> Entry | Spread:
        if self.token.text == "...":
            return self.spread()
        token = self.take() if self.token.kind in {"name", "text"} else self.refuse_key()
        key = token.text if token.kind == "name" else self.lexer.literal(token)
        if self.token.text != ":":
            self.refuse_shorthand(token)
        if key in seen:
            self.fail("SW035", f"'{key}' is already given in this object", token, "take one of the two out")
        seen.add(key)
        self.take()
        value = self.expression()
        return Entry(key, value, self.span_of(token), self.span(token.start))

    def refuse_key(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW028", "'{' is never closed", token, self.lexer.cut_hint() or "write '}' where it ends")
        hint = 'a key is a name or a quoted text, as in {name: 1, "2": 3}'
        self.fail("SW029", f"'{_short(token)}' can't be a key", token, hint)

    def refuse_shorthand(self, token: Token) -> NoReturn:
        hint = f"write {token.text}: and its value"
        if token.text == "return":
            hint = "what a lambda gives is one expression, without braces and `return`"
        self.fail("SW029", f"':' is missing after '{_short(token)}'", token, hint)

    # What goes on after an operand.

    def binary(self, left: Node, start: int) -> Node:
        token = self.take()
        right = self.expression(BINDING[token.text] + 1)
        return Binary(token.text, left, right, False, self.span_of(token), self.span(start))

    def coalesce(self, left: Node, start: int) -> Node:
        token = self.take()
        right = self.expression(BINDING["??"])
        return Binary("??", left, right, False, self.span_of(token), self.span(start))

    def comparison(self, left: Node, start: int) -> Node:
        token = self.take()
        operator = token.text
        if operator == "not":
            if self.token.text != "in":
                self.fail("SW029", "'not' can't follow a value", token, "write `not in`, or an operator before it")
            self.take()
            operator = "not in"
        optional = self.dropped()
        operator_span = self.span(token.start)
        middle = self.token.start
        right = self.expression(COMPARISON + 1)
        if BINDING.get(self.token.text) == COMPARISON:
            self.refuse_chain(middle)
        return Binary(operator, left, right, optional, operator_span, self.span(start))

    def dropped(self) -> bool:
        """Whether the comparison has its `?`, which drops it where the right side is null."""
        token = self.token
        if token.text != "?" or token.start != self.end:
            return False
        if not self.columns:
            hint = "it drops a condition of a query whose right side is null; elsewhere write `$x == null or …`"
            self.fail("SW036", "'?' after a comparison is only for queries", token, hint)
        self.take()
        return True

    def refuse_chain(self, middle: int) -> NoReturn:
        between = self.lexer.text[middle : self.end]
        hint = f"write … and {between} {self.token.text} …" if len(between) <= 40 else "join two comparisons with `and`"
        self.fail("SW030", f"'{self.token.text}' can't follow another comparison", self.token, hint)

    def conditional(self, then: Node, start: int) -> Node:
        token = self.take()
        test = self.expression(CONDITIONAL + 1)
        if self.token.text != "else":
            if self.token.kind != "end":
                self.unexpected("write `a if condition else b`")
            self.fail("SW029", "'if' has no 'else'", token, "write `a if condition else b`")
        self.take()
        otherwise = self.expression(CONDITIONAL)
        return Conditional(test, then, otherwise, self.span(start))

    def range(self, left: Node, start: int) -> Node:
        self.take()
        stop = self.expression(BINDING[".."] + 1)
        if self.token.text == "..":
            self.unexpected("a range has two ends, as in 1..5")
        return Range(left, stop, self.span(start))

    def filter(self, of: Node, start: int) -> Node:
        self.take()
        if self.token.kind != "name":
            shown = f"'{_short(self.token)}'" if self.token.kind != "end" else "the end"
            self.fail("SW029", f"a filter's name is missing before {shown}", self.token, "write it, as in $x | trim")
        name = self.take()
        if self.token.text == ":":
            hint = f"write them in parentheses: {name.text}(…)"
            self.fail("SW027", "':' doesn't begin a filter's arguments", self.token, hint)
        arguments = self.sequence(self.argument) if self.token.text == "(" else []
        return Filter(of, name.text, arguments, self.span_of(name), self.span(start))

    def attribute(self, of: Node, start: int) -> Node:
        token = self.take()
        optional = token.text == "?."
        if optional and self.token.text == "[":
            return self.index(of, start, optional=True)
        if self.token.kind != "name":
            self.refuse_name(token)
        name = self.take()
        return Attribute(of, name.text, optional, self.span_of(name), self.span(start))

    def refuse_name(self, dot: Token) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("SW029", f"a name is missing after '{dot.text}'", dot, "write it, as in $user.name")
        mark = "?." if dot.text == "?." else ""
        first = token.text.partition(".")[0]
        hint = f"write {mark}[{first}]" if token.kind in {"number", "text", "variable"} else "write a name"
        self.fail("SW037", f"'{_short(token)}' can't follow '{dot.text}'", token, hint)

    def index(self, of: Node, start: int, *, optional: bool = False) -> Node:
        opener = self.take()
        index = self.expression()
        self.close(opener)
        return Index(of, index, optional, self.span(start))

    def refuse_call(self, of: Node, start: int) -> NoReturn:
        if isinstance(of, Attribute):
            message, hint = f"'{of.name}' can't be called", f"filters are written with '|': … | {of.name}(…)"
        elif isinstance(of, Variable):
            message, hint = f"'${of.name}' can't be called", f"a function is called without `$`: {of.name}(…)"
        else:
            message, hint = "'(' can't follow here", "write an operator before it"
        self.fail("SW034", message, self.token, hint)

    # Arguments, and lambdas among them.

    def argument(self) -> Node:
        return self.function() if _LAMBDA.match(self.lexer.text, self.token.start) else self.expression()

    def function(self) -> Node:
        """`$a => …` or `($a, $b) => …`."""
        start = self.token.start
        tokens = self.sequence(self.parameter) if self.token.text == "(" else [self.parameter()]
        names = [token.text[1:] for token in tokens]
        if not names:
            self.lexer.fail("SW033", "this lambda has no parameter", start, self.end, _LAMBDA_HINT)
        for at, token in enumerate(tokens):
            if token.text[1:] in names[:at]:
                self.fail("SW035", f"'{token.text}' is already a parameter", token, "choose another name")
        if self.token.text != "=>":
            self.unexpected(_LAMBDA_HINT)
        self.take()
        body = self.expression()
        return Lambda(names, body, [self.span_of(token) for token in tokens], self.span(start))

    def parameter(self) -> Token:
        token = self.token
        if token.kind != "variable":
            hint = f"write ${token.text}" if token.kind == "name" else _LAMBDA_HINT
            self.fail("SW033", f"a lambda's parameter is a variable, '{_short(token)}' isn't", token, hint)
        return self.take()


def _short(token: Token) -> str:
    return token.text if len(token.text) <= 30 else token.text[:29] + "…"


_PREFIX: dict[str, Callable[[Parser], Node]] = {
    "-": Parser.minus,
    "(": Parser.group,
    "[": Parser.list_of,
    "{": Parser.object_of,
}
_INFIX: dict[str, Callable[[Parser, Node, int], Node]] = {
    **dict.fromkeys(BINDING, Parser.binary),
    **dict.fromkeys((*COMPARISONS, "not"), Parser.comparison),
    "if": Parser.conditional,
    "??": Parser.coalesce,
    "..": Parser.range,
    "|": Parser.filter,
    ".": Parser.attribute,
    "?.": Parser.attribute,
    "[": Parser.index,
    "(": Parser.refuse_call,
}
