"""What an editor has open: the workspace of each file, kept checked, with the texts that aren't saved yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.errors import Problem, Problems, Text
from engine.formatting.canonical import canonical
from engine.lsp.completion import Suggestion, suggestions
from engine.lsp.names import Names
from engine.program import LIBRARY
from engine.reformat import altered
from engine.session import Session
from engine.source import Document, read
from engine.stack_files import workspace_root
from engine.testing import fixtures
from engine.workspace import Workspace

assert LIBRARY, "what stacks may use is registered"


class Desk:
    """The open texts and the workspaces that they belong to; `folders` are those that the editor was opened with."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self.folders = list(folders)
        self.sessions: dict[Path, Session] = {}
        self._texts: dict[Path, str] = {}
        self._documents: dict[Path, Document] = {}
        self._meanings: dict[Path, Workspace] = {}

    def put(self, path: Path, text: str | None) -> Session | None:
        """Takes the text of an open file, None where it is closed; the workspace that it is in, if it is in one."""
        if text is None:
            self._texts.pop(path, None)
            self._documents.pop(path, None)
        else:
            self._texts[path] = text
        session = self.session(path)
        if session is not None:
            session.put(path, text)
            self._remember(path)
        return session

    def _remember(self, path: Path) -> None:
        document = self.document(path) if path in self._texts else None
        if document is not None:
            self._documents[path] = document

    def session(self, path: Path) -> Session | None:
        """The workspace of a file; None for a YAML file of something else."""
        root = self._root(path)
        if root is None or path.suffix not in (".yaml", ".yml"):
            return None
        if root not in self.sessions:
            session = self.sessions[root] = Session(root, judge=fixtures.file_problems)
            for open_path, text in self._texts.items():
                session.put(open_path, text)
        return self.sessions[root]

    def _root(self, path: Path) -> Path | None:
        """The nearest folder above with a `workspace.yaml`, else a folder `stacks` that the editor was opened with."""
        root = workspace_root(path)
        if any((root / f"workspace{ending}").is_file() for ending in (".yaml", ".yml")):
            return root
        known = [stacks for folder in self.folders for stacks in (folder / "stacks", folder) if stacks.name == "stacks"]
        return next((stacks for stacks in known if path.is_relative_to(stacks)), None)

    def text(self, path: Path) -> Text:
        """The text of an open file, or of one that is saved."""
        session = self.session(path)
        file = session.files.get(path) if session is not None else None
        known = file.text.content if file is not None and file.text is not None else ""
        return Text(str(path), self._texts.get(path, known))

    def document(self, path: Path) -> Document | None:
        """What a file holds; None where it is no YAML at the moment."""
        try:
            return read(self.text(path))
        except Problems:
            return None

    def names(self, path: Path) -> Names | None:
        """What the names in a file stand for."""
        meaning, document = self.meaning(path), self.document(path)
        return Names(document, meaning) if meaning is not None and document is not None else None

    def meaning(self, path: Path) -> Workspace | None:
        """What the workspace of a file declares; what a file declared that is broken now still counts."""
        session = self.session(path)
        if session is None:
            return None
        now = session.workspace
        before = self._meanings.get(session.root, now)
        broken = {session.shown(path) for path, file in session.files.items() if file.document is None}
        tables = {name: each for name, each in before.tables.items() if each.span.path in broken}
        functions = {name: each for name, each in before.functions.items() if each.span.path in broken}
        meaning = replace(now, tables={**tables, **now.tables}, functions={**functions, **now.functions})
        self._meanings[session.root] = meaning
        return meaning

    def suggestions(self, path: Path, offset: int) -> list[Suggestion]:
        """What can stand in a file at an offset."""
        meaning = self.meaning(path)
        return [] if meaning is None else suggestions(self.text(path), offset, meaning, self._documents.get(path))

    def problems(self, path: Path) -> list[Problem]:
        """What is wrong with one file."""
        session = self.session(path)
        return session.problems(path) if session is not None else []

    def formatted(self, path: Path) -> str | None:
        """The canonical form of a file; None where it has none, or where a check would say something else of it."""
        session, text = self.session(path), self.text(path)
        try:
            form = canonical(text)
        except Problems:
            return None
        return form if session is not None and not altered(session, {path: form}) else None
