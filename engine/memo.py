"""Results that are kept with what was looked at to make them, and made again only where that has changed."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

Key = tuple[str, str]
# A source's name and what it was asked: a key, or None for all keys.
Question = tuple[str, Hashable]
Look = tuple[Question, object]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    subject: object
    result: Any
    looks: tuple[Look, ...]


class Memo:
    """One result a key, which is its sort and the path of a file.

    It holds as long as its subject is the same object and every look gives an equal answer.
    Whatever makes a result looks at `sources` only through `look` or a `Watched`; a question about another result of
    the memo is a look too, whose answer may be less than the result: who asks is made again only where that changes.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Callable[[Any], object]] = {}
        self._entries: dict[Key, _Entry] = {}
        self._open: list[dict[Question, object]] = []

    def recall(self, key: Key, subject: object, make: Callable[[], T]) -> T:
        """The result kept under `key`, or a new one."""
        entry = self._entries.get(key)
        if entry is None or entry.subject is not subject or not self._holds(entry):
            entry = self._entries[key] = self._made(subject, make)
        result: T = entry.result
        return result

    def look(self, source: str, key: Hashable, answer: object) -> None:
        """Notes what the result that is being made was told."""
        if self._open:
            self._open[-1].setdefault((source, key), answer)

    def aside(self, make: Callable[[], T]) -> T:
        """What `make` makes; what it looks at is noted for nobody."""
        self._open.append({})
        try:
            return make()
        finally:
            self._open.pop()

    def forget(self, paths: Container[str]) -> None:
        """Drops the results of files that are gone."""
        self._entries = {key: entry for key, entry in self._entries.items() if key[1] not in paths}

    def _holds(self, entry: _Entry) -> bool:
        return self.aside(lambda: all(self.sources[source](key) == answer for (source, key), answer in entry.looks))

    def _made(self, subject: object, make: Callable[[], Any]) -> _Entry:
        self._open.append({})
        try:
            result = make()
        finally:
            looks = self._open.pop()
        return _Entry(subject, result, tuple(looks.items()))


class Watched(Mapping[str, T]):
    """A mapping that is a source of `memo`; what counts of a value is its `trait`, by default the value itself."""

    def __init__(
        self, memo: Memo, source: str, data: Mapping[str, T], trait: Callable[[T], object] = lambda value: value
    ) -> None:
        self._memo, self._source, self._data, self._trait = memo, source, data, trait
        memo.sources[source] = self._answer

    def _answer(self, key: str | None) -> object:
        if key is None:
            return tuple(self._data)
        return self._trait(self._data[key]) if key in self._data else None

    def __getitem__(self, key: str) -> T:
        self._memo.look(self._source, key, self._answer(key))
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        self._memo.look(self._source, None, self._answer(None))
        return iter(self._data)

    def __len__(self) -> int:
        self._memo.look(self._source, None, self._answer(None))
        return len(self._data)
