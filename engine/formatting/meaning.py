"""What a file means, whatever it looks like: what its canonical form must not change."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from engine.formatting.items import Item, tree
from engine.source import Document
from engine.syntax import Node


def meaning(document: Document) -> object:
    """Equal for two files that say the same: keys in their order where it counts, expressions as trees."""
    return _meaning(tree(document))


def _meaning(item: Item) -> object:
    if isinstance(item.value, dict):
        return {"keys": [(each.key, _meaning(each)) for each in item.items]}
    if isinstance(item.value, list):
        return [_meaning(each) for each in item.items]
    return repr(item.value) if item.node is None else _shape(item.node)


def _shape(value: Any) -> object:
    """A tree without its places."""
    if isinstance(value, list):
        return [_shape(each) for each in value]
    if not isinstance(value, Node):
        return repr(value)
    parts: Any = fields(value)  # type: ignore[arg-type]
    named = {part.name: getattr(value, part.name) for part in parts}
    return type(value).__name__, {
        key: _shape(each) for key, each in named.items() if not key.endswith(("span", "spans"))
    }
