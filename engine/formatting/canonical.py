"""A file's text → its canonical form."""

from __future__ import annotations

from engine.errors import Problem, Problems, Text
from engine.formatting.layout import lines_of
from engine.formatting.meaning import meaning
from engine.schema import FILE_KINDS
from engine.source import Document, read


def canonical(text: Text) -> str:
    """The canonical form of a workspace's file, with the line ends that it has.

    Raises `Problems` where the file can't be read, or is of no kind that is known.
    """
    document = read(text)
    data = document.data
    if not isinstance(data, dict) or next(iter(data), None) not in FILE_KINDS:
        hint = "begin with one of " + ", ".join(f"{kind}:" for kind in FILE_KINDS)
        raise Problems([Problem("SW050", "this is no file of a workspace", document.span(()), hint)])
    written = "\n".join(lines_of(document)) + "\n"
    _refuse_change(document, written)
    return written.replace("\n", "\r\n") if "\r\n" in text.content else written


def _refuse_change(document: Document, written: str) -> None:
    """A file whose form would say something else stays as it is."""
    try:
        same = meaning(read(Text(document.text.path, written))) == meaning(document)
    except Problems:
        same = False
    if not same:
        hint = "it stays as it is; please report the file as a mistake of the formatter"
        raise Problems(
            [Problem("SW070", "the canonical form of this file would mean something else", document.span(()), hint)]
        )
