"""The mend of a problem, where it is nothing but another word."""

from __future__ import annotations

import re

from engine.errors import Problem

_MEANT = re.compile(r"did you mean '(?P<word>[^']+)'\?")
_SPELLED = re.compile(r"write `(?P<word>[^`…]+)`")


def mend(problem: Problem) -> str | None:
    """What to write in the place of what a problem is about; None where there is more to it."""
    span = problem.span
    written = span.text.line(span.line)[span.column - 1 : span.end_column - 1]
    # Only a problem of exactly the word that stands there is mended by another word.
    bare = written.strip("\"'")
    if span.line != span.end_line or not bare or f"'{bare}'" not in problem.message:
        return None
    found = _MEANT.match(problem.hint) or (_SPELLED.match(problem.hint) if problem.code == "SW027" else None)
    return written.replace(bare, found["word"]) if found is not None else None
