"""Examples for a contract, taken from what the workspace's tests send and expect; secrets are replaced."""

from __future__ import annotations

import re
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
_HIDDEN = MASK * 8
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
            found.setdefault(targets[0], []).extend(_cases(file.document, targets[0]))
    return found


def _cases(document: Document, endpoint: Endpoint) -> Iterator[Sample]:
    cases: Any = document.value(("cases",))
    for place, case in enumerate(cases):
        path: Path = ("cases", place)
        response = _plain(document, (*path, "response")) if "response" in case else ...
        inputs = [(*path, "each", number) for number in range(len(case.get("each", ())))]
        for each in inputs or [(*path, "input")]:
            given = _plain(document, each) if inputs or "input" in case else {}
            told = _discreet(endpoint.input, given, response)
            yield Sample(case["name"], given, _status(case), told)


def _status(case: Mapping[str, Any]) -> int:
    """The status of the answer that a case is about: of several one that succeeds, where there is one."""
    return min(map(int, case["statuses"])) if "statuses" in case else case.get("status", 200)


def _plain(document: Document, path: Path) -> Any:
    """The value at `path`, Ellipsis where an expression is a part of it."""
    try:
        return literal_of(StackReader(document).value(path))
    except Problems:
        return ...


def _discreet(fields: Iterable[Field], given: Any, response: Any) -> Any:
    """An answer with what stands for the secrets that were sent, wherever they are in it, however they are cased.

    Ellipsis where it can't be told what they were, and where one is a key.
    """
    fields = tuple(fields)
    if not isinstance(given, dict):
        return ... if any(each.holds_secret for each in fields) else response
    secrets = {text for each in _secrets(fields, given) if (text := _spelt(each))}
    if not secrets or response is ...:
        return response
    # The longest first: one may begin as another does.
    words = sorted(secrets, key=len, reverse=True)
    return _without(re.compile("|".join(map(re.escape, words)), re.IGNORECASE), response)


def _secrets(fields: Iterable[Field], given: Mapping[str, Any]) -> Iterator[Any]:
    """The texts and numbers of an input that are secret, with those that are so by default."""
    for field in fields:
        value = given.get(field.name, field.default)
        if field.is_secret:
            yield from _leaves(value)
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _secrets(field.properties, item)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value


def _spelt(value: Any) -> str:
    """What a text or a number is within a text; nothing of what says too little to be secret."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or isinstance(value, bool) else str(value).removesuffix(".0")


def _without(secrets: re.Pattern[str], value: Any) -> Any:
    """A part of an answer with what stands for secrets in it; Ellipsis where one is in a key."""
    if isinstance(value, dict):
        parts = {name: _without(secrets, each) for name, each in value.items()}
        return ... if ... in parts.values() or any(map(secrets.search, parts)) else parts
    if isinstance(value, list):
        items = [_without(secrets, each) for each in value]
        return ... if ... in items else items
    if isinstance(value, str):
        return secrets.sub(_HIDDEN, value)
    return _HIDDEN if secrets.fullmatch(_spelt(value)) else value


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
        return MASK * max(len(_HIDDEN), field.rules.get("min") or 0)
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
