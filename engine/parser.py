"""Expression text → tree: a Pratt parser, one small method a construct."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from engine.cursor import DEEP, LAMBDA_HINT, NESTING_LIMIT, OPERAND_WORDS, SPLIT, Cursor, short
from engine.errors import Problems, nearest
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
    has_column,
)

LENGTH_LIMIT = 10_000

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
_LAMBDA = re.compile(r"\s*(?:\$?\w+|\([\s\w$,]*\))\s*=>")
_PART = re.compile(r"\$\$\{|\$\{")
_AFTER_EXPRESSION = "write an operator before it, or put a text into quotes"
_AFTER_VALUE = "a text that begins with a variable is written with ${ }, as in ${$name} Smith"


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


def parse_value(text: str, origin: Origin, *, bare: bool = False) -> Node:
    """The tree of a value: an expression where it starts with `$`, else a text in which `${ … }` is filled in.

    A text that is one `${ … }` and nothing else is what is inside. `$$` at the start is a literal `$`, `$${`
    anywhere a literal `${`. With `bare`, names without a `$` become `Column`s. Raises `Problems`.
    """
    if text.startswith("$") and not text.startswith(("$$", "${")):
        _refuse_long(text, origin)
        return Parser(text, origin, bare=bare).whole()
    parts = list(_parts(text, origin, bare))
    if len(parts) == 1:
        return parts[0]
    return Template(parts, origin.span(0, len(text))) if parts else Literal("", origin.span(0, 0))


def parse_words(text: str, origin: Origin) -> Node | None:
    """What a text says as an expression over columns; None where it is none, or has no column in it."""
    if len(text) > LENGTH_LIMIT or "$" in text[:1]:
        return None
    try:
        node = parse_expression(text, origin)
    except Problems:
        return None
    return node if has_column(node) else None


def _parts(text: str, origin: Origin, bare: bool) -> Iterator[Node]:
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
        node, at = Parser(text, origin, at=at, bare=bare).interpolation(match.start())
        yield node
        start, written = at, ""
    if written + text[at:]:
        yield Literal(written + text[at:], origin.span(start, len(text)))


def _refuse_long(text: str, origin: Origin) -> None:
    if len(text) > LENGTH_LIMIT:
        message = f"an expression of {len(text):,} characters is longer than {LENGTH_LIMIT:,}"
        Lexer(text, origin).fail("SW021", message, 0, len(text), SPLIT)


class Parser(Cursor):
    """Parses one expression, one method a construct."""

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
            self.fail("SW021", f"an expression is longer than {LENGTH_LIMIT:,} characters", opener, SPLIT)
        self.refuse_tall(node)
        if self.token.text != "}":
            self.close(opener)
        return node, self.token.end

    def expression(self, binding: int = CONDITIONAL) -> Node:
        """An operand, and the operators after it that bind at least as tightly as `binding`."""
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            self.fail("SW022", DEEP, self.token, SPLIT)
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
        if token.text in OPERAND_WORDS:
            self.fail("SW027", f"'{token.text}' isn't part of an expression", token, OPERAND_WORDS[token.text])
        if not self.bare:
            constant = nearest(token.text, _CONSTANTS)
            meant = f"`{constant}`" if constant else f"${token.text} for the variable"
            hint = f"write {meant}, or put a text into quotes"
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
        """Whether a comparison or filter has its `?`, which drops it where the right side is null."""
        token = self.token
        if token.text != "?" or token.start != self.end:
            return False
        if not self.columns:
            hint = "it drops a condition of a query whose right side is null; elsewhere write `$x == null or …`"
            self.fail("SW036", "'?' after a comparison is only for queries", token, hint)
        self.take()
        return True

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
            shown = f"'{short(self.token)}'" if self.token.kind != "end" else "the end"
            self.fail("SW029", f"a filter's name is missing before {shown}", self.token, "write it, as in $x | trim")
        name = self.take()
        if self.token.text == ":":
            hint = f"write them in parentheses: {name.text}(…)"
            self.fail("SW027", "':' doesn't begin a filter's arguments", self.token, hint)
        optional = self.dropped()
        arguments = self.sequence(self.argument) if self.token.text == "(" else []
        return Filter(of, name.text, arguments, optional, self.span_of(name), self.span(start))

    def attribute(self, of: Node, start: int) -> Node:
        token = self.take()
        optional = token.text == "?."
        if optional and self.token.text == "[":
            return self.index(of, start, optional=True)
        if self.token.kind != "name":
            self.refuse_name(token)
        name = self.take()
        return Attribute(of, name.text, optional, self.span_of(name), self.span(start))

    def index(self, of: Node, start: int, *, optional: bool = False) -> Node:
        opener = self.take()
        index = self.expression()
        self.close(opener)
        return Index(of, index, optional, self.span(start))

    # Arguments, and lambdas among them.

    def argument(self) -> Node:
        return self.function() if _LAMBDA.match(self.lexer.text, self.token.start) else self.expression()

    def function(self) -> Node:
        """`$a => …` or `($a, $b) => …`."""
        start = self.token.start
        tokens = self.sequence(self.parameter) if self.token.text == "(" else [self.parameter()]
        names = [token.text[1:] for token in tokens]
        if not names:
            self.lexer.fail("SW033", "this lambda has no parameter", start, self.end, LAMBDA_HINT)
        for at, token in enumerate(tokens):
            if token.text[1:] in names[:at]:
                self.fail("SW035", f"'{token.text}' is already a parameter", token, "choose another name")
        if self.token.text != "=>":
            self.unexpected(LAMBDA_HINT)
        self.take()
        body = self.expression()
        return Lambda(names, body, [self.span_of(token) for token in tokens], self.span(start))

    def parameter(self) -> Token:
        token = self.token
        if token.kind != "variable":
            hint = f"write ${token.text}" if token.kind == "name" else LAMBDA_HINT
            self.fail("SW033", f"a lambda's parameter is a variable, '{short(token)}' isn't", token, hint)
        return self.take()


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
