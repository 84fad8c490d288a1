"""Expression text → tokens, one at a time, and the words for what other languages spell otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from engine.errors import Problem, Problems
from engine.origin import Origin

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9](?:(?<=[eE])[+-](?=[0-9])|[0-9A-Za-z_]|\.(?=[0-9]))*)
    | (?P<text>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    | (?P<operator>
        \.\.\.|===|!==|==|!=|<=|>=|<>|=>|->|&&|\|\||\?\?|\?\.|\.\.|\*\*|//|\$\$|\$\{
        | [-+*/%~|.,:?()\[\]{}<>=!&^;\#@`$"']
      )
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "$": "$"}
INTEGER_LIMIT = 2**63

# What can never stand in an expression → what to write.
_SPELLINGS = {
    "===": "write `==`: kinds are never mixed",
    "!==": "write `!=`: kinds are never mixed",
    "<>": "write `!=`",
    "&&": "write `and`",
    "||": "write `or`, or `??` for what to take instead of null",
    "!": "write `not`",
    "=": "write `==` to compare; a variable is set by a `set` step",
    "->": "write `.` for a part, `=>` for a lambda",
    "**": "write `| pow(…)`",
    "//": "write `| floor` after a division in parentheses",
    "&": "write `and`",
    "^": "write `| pow(…)`",
    ";": "an expression is one value: take it out",
    "#": "take it out: an expression has no comments",
    "@": "take it out",
    "`": 'put a text into quotes: "…"',
    "$$": "a variable has one `$`",
    "${": "`${ … }` is for texts: here a variable is just `$name`",
    "$": "a variable is `$` and a name: letters, digits and `_`; a text that begins with `$` is written `$$…`",
}
_QUOTES = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"


class Token(NamedTuple):
    """`kind` is variable, name, number, text, operator or end; `text` is as written."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Lexer:
    """The tokens of `text`, whose places in the file `origin` knows."""

    text: str
    origin: Origin

    def token(self, at: int) -> Token:
        """The token that starts at `at` or after the blanks there."""
        match = _TOKEN.match(self.text, at)
        if match is None:
            self._strange(len(self.text) - len(self.text[at:].lstrip(" \t\r\n")))
        kind = str(match.lastgroup)
        token = Token(kind, match[kind], *match.span(kind))
        if token.kind == "operator":
            self._refuse_misspelled(token)
        return token

    def fail(self, code: str, message: str, start: int, end: int, hint: str = "") -> NoReturn:
        """Raise one problem at `start` to `end` of the text."""
        raise Problems([Problem(code, message, self.origin.span(start, end), hint)])

    def number(self, token: Token, sign: str = "") -> int | float:
        """The value of a number token, after a `-` or nothing."""
        match = _NUMBER.fullmatch(token.text)
        start = token.start - len(sign)
        if match is None:
            self.fail("SW026", f"'{token.text}' isn't a number", start, token.end, _number_hint(token.text))
        if match[1] is None and match[2] is None:
            # More digits than any 64-bit number are not worth converting.
            value = int(sign + token.text) if len(token.text) < 20 else INTEGER_LIMIT
            if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
                self.fail("SW026", f"'{sign}{token.text}' is past 64 bits", start, token.end, "write it as a text")
            return value
        decimal = float(sign + token.text)
        if decimal in {float("inf"), float("-inf")}:
            self.fail("SW026", f"'{sign}{token.text}' is past what a decimal holds", start, token.end)
        return decimal

    def literal(self, token: Token) -> str:
        """The value of a text token."""
        if "${" in token.text:
            self._refuse_interpolation(token)
        body = token.text[1:-1]
        if "\\" not in body:
            return body
        return _ESCAPE.sub(lambda escape: self._unescape(escape, token.start + 1), body)

    def _unescape(self, escape: re.Match[str], base: int) -> str:
        high, low, char = escape.groups()
        start, end = base + escape.start(), base + escape.end()
        if char is not None:
            if char not in _ESCAPES:
                self.fail("SW025", f"'{escape[0]}' isn't an escape", start, end, _escape_hint(char))
            return _ESCAPES[char]
        value = chr(int(high, 16))
        if low is not None and "\ud800" <= value <= "\udbff":
            return (value + chr(int(low, 16))).encode("utf-16", "surrogatepass").decode("utf-16")
        value += chr(int(low, 16)) if low is not None else ""
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            self.fail("SW025", f"'{escape[0]}' isn't a character a text can hold", start, end)
        return value

    def _refuse_interpolation(self, token: Token) -> None:
        for match in re.finditer(r"\\.|\$\{", token.text, re.DOTALL):
            if match[0] == "${":
                start = token.start + match.start()
                hint = 'join with `~`, as in "Hi " ~ $name; for the two characters themselves write `\\${`'
                self.fail("SW032", "'${' isn't filled in inside a quoted text", start, start + 2, hint)

    def _refuse_misspelled(self, token: Token) -> None:
        if token.text in _SPELLINGS:
            self.fail("SW027", f"'{token.text}' isn't part of an expression", *token[2:], _SPELLINGS[token.text])
        if token.text in {'"', "'"}:
            hint = self.cut_hint() or f"write {token.text} after the text's last character"
            self.fail("SW024", f"the text that starts with {token.text} never ends", token.start, len(self.text), hint)

    def cut_hint(self) -> str:
        """What to do where YAML, not the author, ended the text."""
        if self.origin.cut_by == ",":
            return "inside YAML's { } and [ ] a comma ends the value: put the whole expression into quotes"
        if self.origin.cut_by == "#":
            return "YAML reads ' #' as the start of a comment: put the whole expression into quotes"
        return ""

    def _strange(self, at: int) -> NoReturn:
        char = self.text[at]
        shown = char if char.isprintable() and not char.isspace() else f"U+{ord(char):04X}"
        hint = ""
        if char in _QUOTES:
            hint = "texts are put into straight quotes: \"…\" or '…'"
        elif char.isalpha():
            hint = 'names are ASCII letters, digits and `_`; read any other field with ["…"], put a text into quotes'
        elif char.isspace():
            hint = "write a plain blank"
        self.fail("SW023", f"'{shown}' can't stand here", at, at + 1, hint)


def _number_hint(text: str) -> str:
    if "_" in text:
        return f"write {text.replace('_', '')}"
    if re.fullmatch(r"0[0-9]+", text):
        return f"write {text.lstrip('0') or '0'}, or put it into quotes if it is a text"
    return "numbers are digits, as in 12, 0.5 or 1e6; put a text into quotes"


def _escape_hint(char: str) -> str:
    if char == "u":
        return r"write four hexadecimal digits after it, as in \u00e9"
    return r"""escapes are \n \t \r \\ \" \' \$ and \u with four digits; write \\ for a backslash"""
