"""Texts that look like expressions: a forgotten `$`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine import registry
from engine.errors import Problem, Problems, Span, Text
from engine.origin import Origin
from engine.parser import parse_expression
from engine.syntax import Attribute, Call, Column, Filter, Lambda, Node, Variable, walk, with_variables
from engine.unparse import unparse
from engine.values import Kind

_LIKENESSES = frozenset({"SW241", "SW244"})
MAX_LENGTH = 200  # characters: what is longer is prose
# It begins with a name, and what follows can't follow in a sentence.
_START = re.compile(r"([A-Za-z_]\w*)(?:\??\.[A-Za-z_]|\[|\(|\s*\|\s*[a-z]|\s+(?:[-+*/%~]|[=!<>]=|[<>]|\?\?)\s)")

_FILLED = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def meant(text: str, kinds: Mapping[str, Kind]) -> Node | None:
    """The expression that a text was probably meant to be, where `kinds` are the variables' there."""
    start = _START.match(text)
    if start is None or len(text) > MAX_LENGTH or not (start[1] in kinds or start[1] in registry.functions()):
        return None
    try:
        node = parse_expression(text, Origin(Text("", text), 0, len(text), 1, 1, "", text), columns=True)
    except Problems:
        return None
    made: Node = with_variables(node)
    return made if all(_is_known(each, kinds) for each in walk(node)) else None


def filled_in(text: str, kinds: Mapping[str, Kind]) -> str:
    """The text that another template's `{{ name }}` was meant for; empty where there is none of it."""
    for match in _FILLED.finditer(text[:MAX_LENGTH]):
        node = meant(match[1], kinds)
        if node is not None or match[1] in kinds:
            return f"${{{unparse(node) if node is not None else '$' + match[1]}}}"
    return ""


def as_value(node: Node) -> str:
    """An expression as the value of a key."""
    written = unparse(node)
    return written if written.startswith("$") else f"${{{written}}}"


def _is_known(node: Node, kinds: Mapping[str, Kind]) -> bool:
    """Whether a name in an expression means something."""
    match node:
        case Column(name):
            return name in kinds
        case Variable() | Lambda():
            return False
        case Attribute():
            return _kind_of(node, kinds) is not None
        case Call(name):
            return name in registry.functions()
        case Filter(_, name):
            return name in registry.filters()
    return True


def _kind_of(node: Node, kinds: Mapping[str, Kind]) -> Kind | None:
    """The kind of a path, where each part of it is known."""
    match node:
        case Column(name):
            return kinds.get(name)
        case Attribute(of, name):
            owner = _kind_of(of, kinds)
            return (owner.fields or {}).get(name) if owner is not None else None
    return None


def explained(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems; an error about such a text has its mend, since what it looks like is no second mistake."""
    problems = list(problems)
    likenesses = [each for each in problems if each.code in _LIKENESSES]
    mends = {
        error: likeness
        for likeness in likenesses
        for error in problems
        if error.severity == "error" and _is_about(error.span, likeness.span)
    }
    for each in problems:
        if each in mends:
            yield replace(each, hint=mends[each].hint)
        elif each not in mends.values():
            yield each


def _is_about(error: Span, text: Span) -> bool:
    """Whether an error stands at a text, or at the key whose value the text is."""
    if (error.path, error.line) != (text.path, text.line):
        return False
    between = text.text.line(text.line)[error.end_column - 1 : text.column - 1]
    return error.column == text.column or between.strip(" \"'") == ":"
