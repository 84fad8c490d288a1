"""The filters of expressions: one function each, grouped by topic; importing this package registers them all."""

from __future__ import annotations

from engine.filters import (
    conditions,
    encoding,
    kinds,
    lists,
    measures,
    moments,
    numbers,
    objects,
    patterns,
    secrecy,
    text,
    time,
)

__all__ = [
    "conditions",
    "encoding",
    "kinds",
    "lists",
    "measures",
    "moments",
    "numbers",
    "objects",
    "patterns",
    "secrecy",
    "text",
    "time",
]
