"""The reference of steps, filters and functions, in Markdown, made from the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine import registry
from engine.registry import Definition, Parameter

# What is wrong with the values that a filter or function can't take, by the words of `REFUSALS`.
_REFUSED: Mapping[str, str] = {
    "form": "; not every text",
    "length": "; not of any length",
    "empty": "; not empty",
    "size": "; within bounds",
}


def reference() -> str:
    """The page. Every example on it is run by the tests."""
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
        yield from described(definition)


def described(definition: Definition) -> Iterator[str]:
    """The lines of what a step, filter or function does and takes."""
    if definition.aliases:
        yield from ("Also: " + ", ".join(f"`{alias}`" for alias in definition.aliases), "")
    yield from _text(definition.doc)
    for place, parameter in enumerate(definition.parameters):
        is_step = definition.family in ("step", "construct")
        refused = _REFUSED.get(definition.refuses.get(parameter.name, ""), "")
        yield f"- `{definition.name if place == 0 and is_step else parameter.name}`: {taken(parameter)}{refused}"
    if definition.parameters:
        yield ""


def taken(parameter: Parameter) -> str:
    """What a parameter takes, and that it may be left out."""
    kind = str(parameter.kind) if parameter.syntax == "value" else parameter.syntax.replace("_", " ")
    kind = " | ".join(parameter.kind.values) if parameter.syntax == "choice" else kind
    return kind + ("" if parameter.required else ", optional")


def _text(doc: str) -> Iterator[str]:
    """The docstring; its examples as code."""
    prose: list[str] = []
    code: list[str] = []
    for line in doc.splitlines():
        (code if code or line.startswith("- ") or " => " in line else prose).append(line)
    yield from ("\n".join(prose).strip(), "")
    if code:
        yield from ("```yaml" if code[0].startswith("- ") else "```", *code, "```", "")
