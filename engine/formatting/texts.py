"""Texts in YAML: plain where our reader reads them as they are, else quoted; expressions in one spelling."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.errors import Problems, Text
from engine.formatting.forms import Texts
from engine.origin import Origin
from engine.parser import parse_expression, parse_value
from engine.source import read
from engine.syntax import Literal, Node, Template
from engine.unparse import unparse

# What is plain for sure, in braces too; for all else the reader is asked.
_PLAIN = re.compile(r"(?!(?:true|false|null)\Z)[A-Za-z_$/](?:[\w$./@|=<>]| (?=[\w$./@|=<>]))*")
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_ESCAPED = re.compile(r'["\\]|' + _UNPRINTABLE.pattern)
_VALUES = ("value", "edit")  # texts that are expressions where they say so
_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", '"': r"\"", "\\": r"\\"}


@lru_cache(4096)
def text_of(value: str, *, flow: bool, key: bool = False) -> str:
    """How a text is written; `flow`: inside of braces or brackets, `key`: before a colon."""
    is_printable = not _UNPRINTABLE.search(value)
    if _PLAIN.fullmatch(value) or (is_printable and _reads(value, flow, key)):
        return value
    if not is_printable or not ('"' in value or "\\" in value):
        return '"' + _ESCAPED.sub(_escape, value) + '"'
    return "'" + value.replace("'", "''") + "'"


def _reads(value: str, flow: bool, key: bool) -> bool:
    """Whether the text is read as itself where it is written plain."""
    if not value.strip():
        return False
    written = f"{value}: 1" if key else f"a: {value}"
    try:
        data = read(Text("", "{" + written + ", b: 1}" if flow else written + "\nb: 1")).data
    except Problems:
        return False
    return repr(data) == repr({value: 1, "b": 1} if key else {"a": value, "b": 1})


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _ESCAPES.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")


def parsed(value: str, texts: Texts, origin: Origin) -> Node | None:
    """The tree of a text that is an expression or has some in it; None for all others, the unreadable ones too."""
    if texts == "plain":
        return None
    try:
        node = (
            parse_value(value, origin, bare=texts == "edit")
            if texts in _VALUES
            else parse_expression(value, origin, columns=texts == "columns")
        )
    except Problems:
        return None
    is_text = texts in _VALUES and isinstance(node, Literal) and isinstance(node.value, str)
    return None if is_text and not value.startswith("${") else node


def canonical(node: Node, texts: Texts) -> str:
    """The text of a tree where texts are such."""
    written = unparse(node)
    if texts in _VALUES and not isinstance(node, Template) and not written.startswith("$"):
        return f"${{{written}}}"
    return written
