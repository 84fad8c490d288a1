"""Examples for a contract, taken from what the workspace's tests send and expect; secrets are replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.applications import literal_of
from engine.errors import Problems
from engine.fields import Field
from engine.source import Document, Path
from engine.stack import StackReader
from engine.values import ANY, Kind
from engine.workspace import Endpoint, TestFile, Workspace

MASK = "•"
MAX_EXAMPLES = 3  # of a sort, for each endpoint
# What stands where a test leaves a part of an answer open.
_STANDING: Mapping[str, object] = {
    "bool": True, "int": 1, "decimal": 1.5, "timestamp": 1735689600000, "text": "text", "email": "ada@example.com",
    "uuid": "7f9c24e8-3b12-4fef-91e0-2c3d4e5f6a7b", "date": "2025-01-01",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One case of a test: what it sends, the status and the answer that it expects; Ellipsis is what isn't plain."""

    name: str
    input: Any
    status: int
    response: Any


def samples(workspace: Workspace, tests: Iterable[TestFile]) -> Mapping[Endpoint, list[Sample]]:
    """The cases of each endpoint, in the order of the files. A file that can't be read gives none."""
    found: dict[Endpoint, list[Sample]] = {}
    for file in tests:
        targets = workspace.addressed(file.target)
        if len(targets) == 1:
            found.setdefault(targets[0], []).extend(_cases(file.document))
    return found


def _cases(document: Document) -> Iterator[Sample]:
    cases: Any = document.value(("cases",))
    for place, case in enumerate(cases):
        path: Path = ("cases", place)
        response = _plain(document, (*path, "response")) if "response" in case else ...
        inputs = [(*path, "each", number) for number in range(len(case.get("each", ())))]
        for each in inputs or [(*path, "input")]:
            given = _plain(document, each) if inputs or "input" in case else {}
            yield Sample(case["name"], given, case.get("status", 200), response)


def _plain(document: Document, path: Path) -> Any:
    """The value at `path`, Ellipsis where an expression is a part of it."""
    try:
        return literal_of(StackReader(document).value(path))
    except Problems:
        return ...


def masked(fields: Iterable[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """An input with what stands for its secrets; what isn't declared is kept."""
    known = {each.name: each for each in fields}
    return {name: _masked(known[name], value) if name in known else value for name, value in given.items()}


def _masked(field: Field, value: Any) -> Any:
    if field.is_list and isinstance(value, list):
        return [_masked_item(field, item) for item in value]
    return _masked_item(field, value)


def _masked_item(field: Field, value: Any) -> Any:
    if field.is_secret and value is not None:
        return MASK * max(8, field.rules.get("min") or 0)
    return masked(field.properties, value) if field.properties and isinstance(value, dict) else value


def completed(kind: Kind, given: Any = ...) -> Any:
    """A whole value of a kind: `given` as far as it goes, then what may stand there."""
    known = next((each for each in kind.choices if each.fields is not None), None)
    if isinstance(given, dict) and known is not None:
        parts = {name: completed((known.fields or {}).get(name, ANY), value) for name, value in given.items()}
        return {**_standing_fields(known), **parts}
    if isinstance(given, list):
        item = next((each.item for each in kind.choices if each.item is not None), ANY)
        return [completed(item, each) for each in given]
    return _standing(kind) if given is ... else given


def _standing(kind: Kind) -> Any:
    kind = kind if kind.nullable else kind.choices[0]
    if kind.may_be_null or kind.is_open:
        return None
    if kind.fields is not None:
        return _standing_fields(kind)
    if kind.values:
        return kind.values[0]
    return {"list": [], "object": {}}.get(kind.name, _STANDING.get(kind.name, "text"))


def _standing_fields(kind: Kind) -> dict[str, Any]:
    fields = kind.fields or {}
    shown = (name for name, each in fields.items() if not each.secret and name not in kind.optional)
    return {name: _standing(fields[name]) for name in shown}
