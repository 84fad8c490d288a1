"""Items → lines: what stands on lines of its own, and how each line is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import dropwhile

from engine.formatting.attach import attach
from engine.formatting.comments import Comments
from engine.formatting.items import Item, tree
from engine.formatting.texts import text_of
from engine.source import Document

WIDTH = 120
_EMPTY = "\0"  # an empty line within a text, which no text can hold
_HEADER = re.compile(r"[|>][^\r\n]*\r?\n?")


def lines_of(document: Document) -> list[str]:
    """The lines of a file in its canonical form."""
    root, comments = tree(document), Comments(document)
    _arrange(root, comments, 0, 0)
    attach(comments, [each for item in root.walk() if item.is_block for each in item.items])
    lines = [line for item in root.items for line in _entry(item, 0)]
    return [line.replace(_EMPTY, "") for line in _squeezed(lines)]


def _arrange(item: Item, comments: Comments, indent: int, taken: int, *, is_step: bool = False) -> None:
    """Settles what stands on lines of its own, in an item that begins after `taken` characters of its line.

    What its author wrote so does, what a comment is in, what is too long, and a step in a list on lines of its own.
    """
    if not item.items:
        return
    item.is_block = is_step or not item.path or not item.style or comments.within(item) or _is_long(item)
    item.is_block = item.is_block or taken + len(_flow(item)) > WIDTH
    if item.is_block:
        inner = indent + 2 if item.path else 0
        for each in item.items:
            _arrange(each, comments, inner, inner + len(_head(each)) + 1, is_step=item.form.is_steps)


def _is_long(item: Item) -> bool:
    """Whether it is a list of steps with more in it than one short step."""
    return item.form.is_steps and (len(item.items) > 1 or len(item.items[0].items) > 1)


def _entry(item: Item, indent: int) -> Iterator[str]:
    """The lines of an item that begins at `indent`, and of what belongs to it."""
    pad = " " * indent
    first, *rest = _body(item, indent)
    yield from (pad + line if line else "" for line in _leading(item))
    yield _with_remark(pad + _head(item) + (f" {first}" if first else ""), item)
    yield from rest
    yield from (pad + line if line else "" for line in item.remarks.after)


def _with_remark(line: str, item: Item) -> str:
    """A line and the comment behind it, two blanks away or where its author put it."""
    remarks = item.remarks
    if not remarks.behind or _inner(item) is not None:
        return line
    return line.ljust(max(len(line) + 2, remarks.column)) + remarks.behind


def _leading(item: Item) -> list[str]:
    """What stands before an item: with a dash also what stood between it and what is on its line."""
    inner, remarks = _inner(item), item.remarks
    if inner is None:
        return remarks.before
    return [*remarks.before, *([remarks.behind] if remarks.behind else []), *_leading(inner)]


def _inner(item: Item) -> Item | None:
    """What shares its line with an item's dash."""
    return item.items[0] if item.key is None and item.is_block else None


def _head(item: Item) -> str:
    return "-" if item.key is None else text_of(item.key, flow=False, key=True) + ":"


def _body(item: Item, indent: int) -> list[str]:
    """What stands behind an item's key or dash, and the lines under it."""
    if item.is_block:
        return _block(item, indent + 2)
    if item.items or isinstance(item.value, list | dict):
        return [_flow(item)]
    if not isinstance(item.value, str):
        return [_constant(item)]
    written = text_of(item.text, flow=False)
    fits = indent + len(_head(item)) + 1 + len(written) <= WIDTH
    if item.style in ("|", ">") and not (fits and item.node is not None and "\n" not in item.text):
        return _block_text(item, " " * (indent + 2)) or [written]
    if not fits and "\n" in item.raw.strip() and item.style not in ("|", ">"):
        return _folded(item.text, indent + 2) or [written]
    return [written]


def _block(item: Item, indent: int) -> list[str]:
    first, *rest = item.items
    has_dash = item.key is None
    lines = list(_entry(first, indent))
    lead = len(_leading(first))
    lines = [lines[lead].lstrip(" "), *lines[lead + 1 :]] if has_dash else ["", *_trimmed(lines)]
    return [*lines, *(line for each in rest for line in _entry(each, indent))]


def _trimmed(lines: list[str]) -> list[str]:
    return list(dropwhile(lambda line: not line, lines))


def _squeezed(lines: list[str]) -> Iterator[str]:
    """The lines, one empty line in the place of several."""
    before = ""  # none is at the beginning
    for line in lines:
        if line or before:
            yield line
        before = line


def _flow(item: Item) -> str:
    """An item on one line."""
    if isinstance(item.value, list):
        return "[" + ", ".join(_flow(each) for each in item.items) + "]"
    if isinstance(item.value, dict):
        return (
            "{"
            + ", ".join(f"{text_of(str(each.key), flow=True, key=True)}: {_flow(each)}" for each in item.items)
            + "}"
        )
    return text_of(item.text, flow=True) if isinstance(item.value, str) else _constant(item) or "null"


def _constant(item: Item) -> str:
    """A number, true or false as they are; null as `null`, or as nothing."""
    return "null" if item.value is None and item.raw.strip() else item.raw.strip()


def _block_text(item: Item, pad: str) -> list[str]:
    """A text of several lines as its author broke them; nothing where its end can't be kept so."""
    text = str(item.value)
    if not text.removesuffix("\n").rpartition("\n")[2].strip(" "):
        return []
    lines = [line.rstrip("\r\n") for line in _HEADER.sub("", item.raw, count=1).splitlines(keepends=True)]
    first = text.lstrip("\n")
    shift = _blanks(next(line for line in lines if line.strip(" "))) - _blanks(first)
    while not lines[-1][shift:]:
        lines.pop()
    header = item.style + ("2" if first.startswith(" ") else "") + ("" if text.endswith("\n") else "-")
    return [header, *(pad + line[shift:] if line[shift:] else _EMPTY for line in lines)]


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _folded(text: str, indent: int) -> list[str]:
    """A long text that was broken into lines, broken again; nothing where that would change it."""
    words = text.split(" ")
    if not all(words) or "\n" in text:
        return []
    lines = [words[0]]
    for word in words[1:]:
        if indent + len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return [">-", *(" " * indent + line for line in lines)]
