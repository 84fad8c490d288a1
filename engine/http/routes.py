"""Routes: which endpoints a path may mean, literal text before `{parameters}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import re2

from engine.errors import Fault

MAX_PATH = 4096  # bytes
# Xano's names for the branch that is served; others are unknown until there are branches.
BRANCHES = ("live", "v1")

H = TypeVar("H")
Parameters = dict[str, str]
Found = tuple[dict[str, H], Parameters]

_NO_PARAMETERS: Parameters = {}
_PARAMETER = re.compile(r"\{(\w+)\}")


class Routes(Generic[H]):
    """Handlers by `/api:{canonical}/{path}` and verb.

    `literal` finds a path that is spelt plainly in one look-up; `find` knows every spelling.
    """

    def __init__(self) -> None:
        self.literal: dict[str, dict[str, H]] = {}
        self._groups: dict[str, _Node[H]] = {}

    def add(self, canonical: str, path: str, method: str, handler: H) -> None:
        """Serve `path` (`/post-{slug}/edit`) of a group under all its names.

        GET answers HEAD where nothing else does.
        """
        node = self._groups.setdefault(canonical, _Node())
        for segment in _segments(path):
            node = node.child(segment)
        node.methods[method] = handler
        if method == "GET":
            node.methods.setdefault("HEAD", handler)
        if "{" not in path:
            for name in (canonical, *(f"{canonical}:{branch}" for branch in BRANCHES)):
                self.literal[f"/api:{name}{path}"] = node.methods

    def find(self, raw_path: str) -> list[Found[H]]:
        """What a path as sent, percent-encoded, may mean: methods and parameters, most literal first.

        Each segment is decoded once, after the path is split: an encoded slash is part of a value. One slash
        at the end changes nothing. Raises Fault bad_request for a path that is too long or no UTF-8.
        """
        if len(raw_path) > MAX_PATH:
            raise Fault("bad_request", f"The path is longer than {MAX_PATH} bytes.")
        try:
            group, *segments = [unquote(each, errors="strict") for each in raw_path.removesuffix("/")[1:].split("/")]
        except UnicodeDecodeError:
            raise Fault("bad_request", "The path is not UTF-8.") from None
        name, _, branch = group.removeprefix("api:").partition(":")
        root = self._groups.get(name)
        if root is None or (branch and branch not in BRANCHES) or group.endswith(":"):
            return []
        return list(root.find(segments, _NO_PARAMETERS))


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/") if path != "/" else []


class _Node(Generic[H]):
    """One segment's place in the tree: what can follow it, and the methods of a path that ends here."""

    __slots__ = ("literals", "methods", "patterns")

    def __init__(self) -> None:
        self.methods: dict[str, H] = {}
        self.literals: dict[str, _Node[H]] = {}
        self.patterns: list[tuple[_Pattern, _Node[H]]] = []

    def child(self, segment: str) -> _Node[H]:
        """The node of a declared segment, made on first use."""
        if "{" not in segment:
            return self.literals.setdefault(segment, _Node())
        for pattern, node in self.patterns:
            if pattern.text == segment:
                return node
        made: _Node[H] = _Node()
        self.patterns.append((_Pattern(segment), made))
        self.patterns.sort(key=lambda entry: -entry[0].literals)
        return made

    def find(self, segments: list[str], parameters: Parameters) -> Iterator[Found[H]]:
        if not segments:
            if self.methods:
                yield self.methods, parameters
            return
        first, *rest = segments
        if first in self.literals:
            yield from self.literals[first].find(rest, parameters)
        for pattern, node in self.patterns:
            values = pattern.match(first)
            if values is not None:
                yield from node.find(rest, parameters | values)


class _Pattern:
    """A segment with parameters, such as `post-{slug}`; each takes one character or more."""

    __slots__ = ("_regex", "literals", "text")

    def __init__(self, text: str) -> None:
        parts = _PARAMETER.split(text)  # literal, name, literal, name, …, literal
        self.text = text
        self.literals = sum(len(part) for part in parts[::2])
        written = (re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts))
        # A linear engine: with several parameters in a segment, `re` takes time in powers of its length.
        self._regex: Any = re2.compile("(?s)" + "".join(written))

    def match(self, segment: str) -> Parameters | None:
        found = self._regex.fullmatch(segment)
        return found.groupdict() if found else None
