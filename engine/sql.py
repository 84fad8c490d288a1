"""SQL that an author wrote: one statement, read as far as it takes to know what is bound to it and what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from engine.errors import Problem, Problems, Span
from engine.origin import Origin

READS = frozenset({"select"})
WRITES = frozenset({"insert", "update", "delete"})
_JOINS = frozenset({"cross", "full", "inner", "left", "natural", "outer", "right"})  # before a JOIN, in any order
_VERBS = READS | WRITES | {"replace", "values"}  # what may follow WITH

# As SQLite and PostgreSQL read it, comments aside.
_TOKEN = re.compile(
    r"""(?:\s|--[^\n]*|/\*.*?(?:\*/|\Z))+
    | (?P<text>'(?:[^']|'')*'?)
    | (?P<name>"(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?)
    | (?P<placeholder>\?\d*|[:@#][A-Za-z_]\w*)
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<mark>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
# PostgreSQL's comments nest, SQLite's don't: what one of them skips the other runs.
_NESTED = re.compile(r"/\*(?:(?!\*/).)*/\*", re.DOTALL)
# What the language would put a value in for. A path of JSON (`'$.size'`, `'$[0]'`) is none.
_PASTED = re.compile(r"\$\{[^}]*\}?|\$[A-Za-z_]\w*(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is text, name (quoted), word, placeholder, number or mark; `depth` counts the parentheses around it."""

    kind: str
    text: str
    start: int
    depth: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """What it names, as databases compare names; empty where it names nothing."""
        if self.kind not in ("word", "name"):
            return ""
        return (self.text if self.kind == "word" else self.text[1:-1]).lower()

    @property
    def said(self) -> str:
        """As `name`, also of a text: SQLite takes one for a name where nothing else can stand."""
        return self.text[1:-1].lower() if self.kind == "text" else self.name


@dataclass(frozen=True, eq=False)
class Sql:
    """One statement, without the `;` that may end it."""

    text: str
    tokens: tuple[Token, ...]
    origin: Origin

    @cached_property
    def placeholders(self) -> tuple[Token, ...]:
        return tuple(each for each in self.tokens if each.kind == "placeholder")

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """What is bound, in order: names, each of them once, or a `?` for each value."""
        written = [each.text.lstrip(":") for each in self.placeholders]
        return tuple(dict.fromkeys(written) if self.is_named else written)

    @property
    def is_named(self) -> bool:
        return bool(self.placeholders) and self.placeholders[0].text != "?"

    def numbered(self, mark: str, *, strict: bool = False) -> str:
        """The text with `mark` and a number, from 1, for each placeholder.

        `strict`: a name in "…" is spelt as SQLite takes for a name alone. Else it is a text where nothing is called so,
        while PostgreSQL may find a whole record by it.
        """
        spelt = {
            each: f"{mark}{self.parameters.index(each.text[1:]) + 1 if self.is_named else place}"
            for place, each in enumerate(self.placeholders, 1)
        }
        if strict:
            quoted = (each for each in self.tokens if each.text.startswith('"'))
            spelt |= {each: "`" + each.text[1:-1].replace('""', '"').replace("`", "``") + "`" for each in quoted}
        parts, end = [], 0
        for token, text in sorted(spelt.items(), key=lambda each: each[0].start):
            parts += [self.text[end : token.start], text]
            end = token.end
        return "".join([*parts, self.text[end:]])

    @property
    def verb(self) -> str:
        """What it does: `select`, `insert`, `update`, `delete`; empty where a WITH leads to nothing."""
        first, *rest = self.tokens
        if first.name != "with":
            return first.name
        words = (each.name for each in rest if each.kind == "word" and not each.depth)
        return next((word for word in words if word in _VERBS), "")

    @property
    def writes(self) -> bool:
        return self.verb in WRITES

    @property
    def names(self) -> frozenset[str]:
        """All that its author named."""
        return frozenset(each.name for each in self.tokens)

    @property
    def inserted(self) -> tuple[str, ...] | None:
        """The columns that an INSERT names; None where it names none and therefore fills them all."""
        rest = iter(self.tokens)
        for token in rest:
            if token.name == "into" and not token.depth:
                break
        for token in rest:
            if token.name in ("values", "select", "with"):
                return None
            if token.name == "default" or (token.text == "(" and not token.depth):
                return tuple(each.name for each in _until_closed(rest) if each.name) if token.text == "(" else ()
        return ()

    @property
    def using(self) -> tuple[Token, ...]:
        """The columns in the `USING (…)` of its joins."""
        rest = iter(self.tokens)
        found: list[Token] = []
        for token in rest:
            if token.kind == "word" and token.name == "using":
                inside = takewhile(lambda each: each.text != ")", rest)
                found += (each for each in inside if each.said)
        return tuple(found)

    @property
    def natural(self) -> Token | None:
        """The first NATURAL of a join; elsewhere it is a name like any other."""
        before: dict[str, Token] = {}  # the words since the last that says nothing of a join
        for token in self.tokens:
            if token.kind == "word" and token.name == "join" and "natural" in before:
                return before["natural"]
            before = before | {token.name: token} if token.kind == "word" and token.name in _JOINS else {}
        return None

    def place(self, token: Token | None) -> Span:
        """Where a token stands in the file; where the whole does, for None."""
        return self.origin.whole if token is None else self.origin.span(token.start, token.end)

    def find(self, name: str) -> Token | None:
        """The first token that is, or names, what a database's message mentions."""
        wanted = name.rpartition(".")[2].lower()
        return next((each for each in self.tokens if wanted in (each.name, each.text.lower())), None)

    @property
    def star(self) -> Token | None:
        """The `*` that stands for all columns."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return next((each for before, each in pairs if each.text == "*" and _precedes_columns(before)), None)


def read_sql(text: str, origin: Origin) -> Sql:
    """The statement that `text` is. Raises `Problems` for what no database should be sent."""
    tokens = tuple(_tokens(text))
    end = next((place for place, each in enumerate(tokens) if each.text == ";"), len(tokens))
    sql = Sql(text[: tokens[end].start] if end < len(tokens) else text, tokens[:end], origin)
    problems = [*_pasted(text, origin), *_misplaced(sql, tokens[end + 1 :]), *_placeholders(sql)]
    if problems:
        raise Problems(problems)
    return sql


def _tokens(text: str) -> Iterator[Token]:
    depth = 0
    for found in _TOKEN.finditer(text):
        if found.lastgroup is not None:
            depth -= found[0] == ")"
            yield Token(found.lastgroup, found[0], found.start(), depth)
            depth += found[0] == "("


def _pasted(text: str, origin: Origin) -> Iterator[Problem]:
    for found in _PASTED.finditer(text):
        message = f"'{found[0]}' would be pasted into the SQL, where a value could end the text and add its own"
        yield Problem(
            "SW180", message, origin.span(*found.span()), "bind it: write ? in the SQL and give it under args:"
        )


def _misplaced(sql: Sql, more: tuple[Token, ...]) -> Iterator[Problem]:
    if not sql.tokens:
        yield Problem("SW181", "there is no SQL here", sql.origin.whole, "write a SELECT, INSERT, UPDATE or DELETE")
        return
    first = sql.tokens[0]
    hint = "only SELECT, INSERT, UPDATE and DELETE can, and WITH before them"
    if first.name not in (*READS, *WRITES, "with"):
        hint = "write 'INSERT OR REPLACE'" if first.name == "replace" else hint
        yield Problem("SW181", f"'{first.text}' can't begin the SQL of a step", sql.place(first), hint)
    elif sql.verb in ("replace", "values"):
        yield Problem("SW181", f"'{sql.verb}' can't follow a WITH in the SQL of a step", sql.origin.whole, hint)
    if found := _NESTED.search(sql.text):
        place = sql.origin.span(found.end() - 2, found.end())
        yield Problem("SW181", "a comment can't stand in a comment", place, "end the first one before it")
    if more:
        hint = "write a step for each; they are one transaction all the same"
        yield Problem("SW181", f"a second statement begins with '{more[0].text}'", sql.place(more[0]), hint)


def _placeholders(sql: Sql) -> Iterator[Problem]:
    for token in sql.placeholders:
        if token.text[0] not in "?:" or token.text[1:].isdigit():
            yield Problem("SW182", f"'{token.text}' is no placeholder here", sql.place(token), "write ?, or :name")
        elif token.text[0] != sql.placeholders[0].text[0]:
            message = f"'{token.text}' can't stand beside '{sql.placeholders[0].text}'"
            yield Problem("SW182", message, sql.place(token), "write ? for all values, or a :name for each")


def _until_closed(tokens: Iterator[Token]) -> Iterator[Token]:
    """The tokens of a parenthesis that stands in none."""
    for token in tokens:
        if not token.depth:
            return
        yield token


def _precedes_columns(token: Token) -> bool:
    return token.text in (",", ".") or token.name in ("select", "distinct", "all", "returning")
