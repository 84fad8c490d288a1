"""`stackwright explain`: what a code of the checker means, and how its mend looks."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from textwrap import indent

from engine.codes import TABLES, Code, codes
from engine.errors import SetupError, did_you_mean

_INTRODUCTION = """\
# Every code of the checker

Made by `stackwright explain` from the code. Every example is checked by the tests: the wrong one has the problem, the
right one has none. `stackwright explain SW104` shows one page. A warning that is meant [can be ignored](checking.md),
an error can't.

An example is the steps of an endpoint with the inputs `email` and `password`, or the files that it names. All know
these tables:
"""


def run(options: argparse.Namespace) -> int:
    if options.write is not None:
        options.write.write_text(pages(), encoding="utf-8")
    elif options.code:
        sys.stdout.write("\n".join(page(_known(word)) for word in options.code))
    else:
        sys.stdout.write("".join(f"{code.name}  {code.severity:8} {code.title}\n" for code in codes().values()))
    return 0


def _known(word: str) -> Code:
    code = codes().get(word.upper())
    if code is None:
        raise SetupError(
            f"there is no code '{word}': {did_you_mean(word.upper(), codes()) or 'see stackwright explain'}"
        )
    return code


def page(code: Code) -> str:
    """The page of a code, for a terminal."""
    parts = [f"{code.name}, {code.severity}: {code.title}", code.why.strip()]
    for title, example in (("wrong:", code.wrong), ("right:", code.right)):
        parts += [title, indent(_visible(example).rstrip(), "    ")] if example else []
    return "\n\n".join(parts) + "\n"


def pages() -> str:
    """The pages of all codes, as one of Markdown."""
    tables = [f"```yaml\n{table}```" for table in TABLES.values()]
    chapters = [section(code) for code in codes().values()]
    return "\n\n".join([_INTRODUCTION.rstrip(), *tables, *chapters]) + "\n"


def section(code: Code) -> str:
    """The page of a code, in Markdown."""
    return "\n\n".join(_paragraphs(code))


def _paragraphs(code: Code) -> Iterator[str]:
    yield f"## {code.name}: {code.title}"
    yield ("A warning. " if code.severity == "warning" else "") + code.why.strip()
    for title, example in (("Wrong:", code.wrong), ("Right:", code.right)):
        if example:
            yield title
            yield f"```yaml\n{_visible(example)}```"


def _visible(example: str) -> str:
    """An example with a sign in the place of each control character."""
    return re.sub(r"[\0-\x08\x0b-\x1f]", lambda match: chr(0x2400 + ord(match[0])), example)
