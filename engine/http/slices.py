"""Large bodies, read and bound a slice at a time: others are answered in between."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson

from engine.errors import Fault
from engine.fields import Field
from engine.http.bodies import MAX_DEPTH, counted, read_json, without_texts
from engine.shapes import Shape, input_fault

LARGE = 65_536  # bytes, from which on a body is read in turns
SLICE = 131_072  # bytes of a list that are read at once
ITEMS = 2000  # that are bound at once
TRIES = 8  # at finding the end of an item

_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# The first list in an object, where there are but plain values before it.
_LIST = re.compile(rb"(?s)\s*\{(?:\s*%b\s*:\s*(?:%b|[-+.\w]++)\s*,)*+\s*(%b)\s*:\s*\[" % (_TEXT, _TEXT, _TEXT))
_ENDS = {b"{": re.compile(rb"\}\s*+,"), b"[": re.compile(rb"\]\s*+,")}
_COMMA = re.compile(rb",")


@contextmanager
def uncollected() -> Iterator[None]:
    """Has the garbage collector wait: it would look at what is being made again and again, for most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def read_in_slices(body: bytes, limit: int) -> object:
    """What `read_json` makes of a body, and raises."""
    found = _LIST.match(body, 0, LARGE)
    items: list[object] = []
    start = place = found.end() if found else len(body)
    name = orjson.loads(found[1]) if found else ""
    left = limit
    while (end := _end_of_slice(body, place)) > place:
        with uncollected():
            text = b"[" + body[place:end] + b"]"
            items += _items(text, left, name, place)
            left -= counted(without_texts(text)) - 1
        place = end + 1
        await asyncio.sleep(0)
    with uncollected():  # without the items that were read, it is the same body
        value: Any = read_json(body[:start] + body[place:], left)
    if items:
        value[name] = items + value[name]
    return value


def _items(text: bytes, limit: int, name: str, place: int) -> list[object]:
    try:
        items = read_json(text, limit, levels=MAX_DEPTH - 1, name=name)
    except Fault as fault:
        if fault.reason != "syntax":
            raise
        raise Fault("bad_request", f"The body is not JSON, after byte {place}.", reason="syntax") from None
    assert isinstance(items, list)
    return items


def _end_of_slice(body: bytes, place: int) -> int:
    """The comma after the last whole item of a slice of a list from `place` on; `place` where there is none."""
    if place + SLICE >= len(body):
        return place
    comma = _ENDS.get(body[place : place + 64].lstrip()[:1], _COMMA)
    at = place + SLICE
    for _ in range(TRIES):
        found = comma.search(body, at, at + SLICE)
        if found is None:
            return place
        if _is_whole(body[place : found.end() - 1]):
            return found.end() - 1
        at = found.end()
    return place


def _is_whole(text: bytes) -> bool:
    """Whether a piece of a list that begins with an item ends with one too: within no text, list or object."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') % 2:
        return False
    bare = without_texts(text)
    return bare.count(b"[") + bare.count(b"{") == bare.count(b"]") + bare.count(b"}")


class Slicer:
    """Binds the long lists of a shape's fields in slices."""

    def __init__(self, shape: Shape) -> None:
        plain = (each for each in shape.fields if each.is_list and each.type != "file")
        self._lists = {each.name: each for each in plain if not (each.is_secret or each.holds_secret)}
        self._closed = shape.closed
        self._items: dict[str, Shape] = {}

    def long(self, data: Mapping[str, object]) -> dict[str, list[Any]]:
        """The lists in `data` that are bound in slices: those that their rules let be so long."""
        return {
            name: value
            for name, field in self._lists.items()
            if isinstance(value := data.get(name), list) and ITEMS < len(value) <= field.rules.get("max", len(value))
            if field.rules.get("min", 0) <= ITEMS
        }

    async def rest(self, name: str, items: list[Any]) -> list[Any]:
        """The items past the first `ITEMS`, bound. Raises Fault input_error that names the list."""
        bound: list[Any] = []
        shape = self._of_items(name)
        for place in range(ITEMS, len(items), ITEMS):
            await asyncio.sleep(0)
            with uncollected():
                try:
                    bound += shape.bind({name: items[place : place + ITEMS]})[name]
                except Fault:  # whose indices would be of the slice
                    message = f"Input has an item from [{place}] on that does not have the required form."
                    raise input_fault([{"param": name, "message": message}]) from None
        return bound

    def _of_items(self, name: str) -> Shape:
        if name not in self._items:
            self._items[name] = Shape([_without_count(self._lists[name])], closed=self._closed)
        return self._items[name]


def _without_count(field: Field) -> Field:
    return replace(field, rules={name: rule for name, rule in field.rules.items() if name not in ("min", "max")})
