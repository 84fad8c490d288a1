"""A file as a tree of items: what is written there, in which form, and in which order it shall stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.formatting.forms import Form, form_of
from engine.formatting.texts import canonical, parsed
from engine.source import Document, Path
from engine.syntax import Node


@dataclass(slots=True, eq=False)
class Remarks:
    """What stands around an item: lines before it (empty ones too), behind its first line, and after all of it."""

    before: list[str] = field(default_factory=list)
    behind: str = ""
    column: int = 0  # of what is behind it, in the file
    after: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Item:
    """A value in a file; `key` is None in a list. `is_block`: what it holds stands on lines of its own."""

    document: Document
    path: Path
    key: str | None
    form: Form
    remarks: Remarks = field(default_factory=Remarks)
    is_block: bool = False

    @cached_property
    def value(self) -> object:
        return self.document.value(self.path)

    @cached_property
    def items(self) -> list[Item]:
        """What it holds, in the order in which it shall be written."""
        value = self.value
        if isinstance(value, list):
            return [self._inner(place, None) for place in range(len(value))]
        if not isinstance(value, dict):
            return []
        ranks = {key: rank for rank, key in enumerate(self.form.order)}
        return [self._inner(key, key) for key in sorted(value, key=lambda key: ranks.get(key, len(ranks)))]

    def _inner(self, step: str | int, key: str | None) -> Item:
        value = self.value[step]  # type: ignore[index]
        return Item(self.document, (*self.path, step), key, self.form.inner(step, value))

    @cached_property
    def node(self) -> Node | None:
        """Its tree, where it is a text with an expression in it."""
        if not isinstance(self.value, str):
            return None
        return parsed(self.value, self.form.texts, self.document.origin(self.path))

    @property
    def text(self) -> str:
        """What it says where it is a text: its expressions in their canonical spelling."""
        return canonical(self.node, self.form.texts) if self.node is not None else str(self.value)

    @property
    def raw(self) -> str:
        """The value as it is in the file."""
        place = self.document.place(self.path)
        return self.document.text.content[place.start.index : place.stop]

    @property
    def style(self) -> str:
        """How it is in the file: `"`, `'`, `|`, `>`, `[` or `{`; empty for what is plain or a block."""
        if isinstance(self.value, list | dict):
            return self.raw[:1] if self.raw[:1] in ("[", "{") else ""
        return self.document.place(self.path).style

    def walk(self) -> Iterator[Item]:
        """It and all within."""
        yield self
        for each in self.items:
            yield from each.walk()


def tree(document: Document) -> Item:
    """The whole file; its form is that of the kind that its first key names."""
    data = document.data
    kind = next(iter(data), "") if isinstance(data, dict) else ""
    return Item(document, (), None, form_of(kind), is_block=True)
