"""The files of a workspace: where they lie, and what each one is by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import schema, source
from engine.errors import Problem, Problems, Span, Text, did_you_mean
from engine.source import Document

MAX_FILES = 20_000
# The first line of a file, as far as it can be told in one that is no YAML.
_DECLARATION = re.compile(
    rf"""(?m)^["']?({"|".join(schema.FILE_KINDS)})["']?[ ]*:[ ]*(?:[&!]\S*[ ]+)?["']?([A-Za-z_][\w/-]*)"""
)


@dataclass(frozen=True, slots=True, eq=False)
class StackFile:
    """A file of a workspace: its kind and its document, or the problems that make it of no use.

    `broken` holds the kinds and names that such a file declares, as far as its text shows; `document` is then None.
    `text` is None where not even that could be read.
    """

    text: Text | None
    kind: str = ""
    document: Document | None = None
    problems: tuple[Problem, ...] = ()
    broken: frozenset[tuple[str, str]] = frozenset()


def stack_files(root: Path) -> list[Path]:
    """The YAML files of a workspace in order, hidden folders left out."""
    found = (path for pattern in ("*.yaml", "*.yml") for path in root.rglob(pattern))
    return sorted(path for path in found if is_visible(path, root) and path.is_file())[:MAX_FILES]


def workspace_root(path: Path) -> Path:
    """The folder of the workspace that a file is in: the nearest above with a `workspace.yaml`, else its own."""
    folders = path.absolute().parents
    named = (folder for folder in folders if any((folder / f"workspace{end}").is_file() for end in (".yaml", ".yml")))
    return next(named, folders[0])


def is_visible(path: Path, root: Path) -> bool:
    """Whether no part of a path within `root` begins with a dot."""
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def is_test(path: Path) -> bool:
    """Whether the name is one by which test files are found."""
    return path.name.endswith((".test.yaml", ".test.yml"))


def shown_path(path: Path, root: Path, shown_as: str | None = None) -> str:
    """The path of a file as its author should see it; `shown_as` stands for the workspace's folder."""
    folder, within = str(root) if shown_as is None else shown_as, path.relative_to(root).as_posix()
    return f"{folder}/{within}" if folder else within


def read_stack_file(path: Path, shown: str, content: str | None = None, known: StackFile | None = None) -> StackFile:
    """The file at `path`, called `shown` in problems; `content` stands for its own.

    It is `known` itself where that had the same content.
    """
    try:
        text = source.load(path, shown) if content is None else Text(shown, content)
    except Problems as broken:
        return _broken(None, broken.problems)
    if known is not None and known.text is not None and known.text.content == text.content:
        return known
    return _understood(text, is_test(path))


def _understood(text: Text, is_test: bool) -> StackFile:
    try:
        document = source.read(text)
    except Problems as broken:
        return _broken(text, broken.problems)
    problems = list(_problems(document, is_test))
    return _broken(text, problems) if problems else StackFile(text, _first_key(document), document)


def _broken(text: Text | None, problems: list[Problem]) -> StackFile:
    declared = _DECLARATION.search(problems[0].span.text.content)
    names = {(declared[1], declared[2])} if declared else {(kind, "") for kind in schema.FILE_KINDS}
    return StackFile(text, problems=tuple(problems), broken=frozenset(names))


def _first_key(document: Document) -> str:
    return str(next(iter(document.value(()))))


def _problems(document: Document, is_test: bool) -> Iterator[Problem]:
    data = document.data
    if not isinstance(data, dict) or not data:
        hint = "begin with one of " + ", ".join(f"{kind}:" for kind in schema.FILE_KINDS)
        yield Problem("SW050", "the file says nothing: it must be a mapping", document.span(()), hint)
        return
    kind = _first_key(document)
    if kind not in schema.FILE_KINDS:
        later = next((kind for kind in schema.FILE_KINDS if kind in data), None)
        hint = f"put '{later}:' first" if later else did_you_mean(kind, schema.FILE_KINDS)
        yield Problem("SW050", f"a file can't begin with '{kind}'", document.key_span((kind,)), hint)
    elif (kind == "test") != is_test:
        yield _misnamed(kind, document.key_span((kind,)))
    else:
        yield from schema.problems(schema.file_check(kind), document, (), data)


def _misnamed(kind: str, span: Span) -> Problem:
    if kind == "test":
        return Problem("SW065", "tests are found by their file's name", span, "name the file '….test.yaml'")
    return Problem("SW065", f"'{kind}:' can't stand in a test file", span, "give the file a name without '.test'")
