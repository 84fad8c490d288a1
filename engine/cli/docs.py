"""`stackwright docs`: the reference of steps, filters and functions, made from the registry."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import registry
from engine.program import LIBRARY
from engine.registry import Definition


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page into a file")


def run(options: argparse.Namespace) -> int:
    if options.write is None:
        sys.stdout.write(reference())
    else:
        options.write.write_text(reference(), encoding="utf-8")
    return 0


def reference() -> str:
    """The page, in Markdown. Every example on it is run by the tests."""
    assert LIBRARY, "the library is registered"
    parts = {
        "Steps": registry.steps().values(),
        "Filters": registry.filters().values(),
        "Functions": registry.functions().values(),
    }
    chapters = [line for title, definitions in parts.items() for line in _chapter(title, definitions)]
    return "\n".join(["# Reference", "", "Made by `stackwright docs` from the code.", "", *chapters]) + "\n"


def _chapter(title: str, definitions: Iterable[Definition]) -> Iterator[str]:
    yield from (f"## {title}", "")
    served = (each for each in dict.fromkeys(definitions) if not each.call.__module__.startswith("engine.testing"))
    for definition in sorted(served, key=lambda each: each.name):
        yield from (f"### {definition.name}", "")
        if definition.aliases:
            yield from ("Also: " + ", ".join(f"`{alias}`" for alias in definition.aliases), "")
        yield from _text(definition.doc)
        yield from _parameters(definition)


def _text(doc: str) -> Iterator[str]:
    """The docstring; its examples as code."""
    prose: list[str] = []
    code: list[str] = []
    for line in doc.splitlines():
        (code if code or line.startswith("- ") or " => " in line else prose).append(line)
    yield from ("\n".join(prose).strip(), "")
    if code:
        yield from ("```yaml" if code[0].startswith("- ") else "```", *code, "```", "")


def _parameters(definition: Definition) -> Iterator[str]:
    for place, parameter in enumerate(definition.parameters):
        written = definition.name if place == 0 and definition.family in ("step", "construct") else parameter.name
        kind = str(parameter.kind) if parameter.syntax == "value" else parameter.syntax.replace("_", " ")
        kind = " | ".join(parameter.kind.values) if parameter.syntax == "choice" else kind
        optional = "" if parameter.required else ", optional"
        yield f"- `{written}`: {kind}{optional}"
    if definition.parameters:
        yield ""
