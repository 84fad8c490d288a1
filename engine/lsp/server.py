"""The server itself, by pygls: requests of the protocol, answered by what the modules beside this one know."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from engine.errors import Problem, Span
from engine.lsp.convert import Converter, path_of, uri_of
from engine.lsp.desk import Desk
from engine.lsp.fixes import mend
from engine.lsp.hover import hover
from engine.lsp.names import Names
from engine.lsp.rename import Refused, renamable, renamed
from engine.session import Session

PAUSE = 0.1  # seconds without a change until the other files are looked at
SLICE = 0.01  # seconds of checking between two looks at what the editor asks


class Server(LanguageServer):
    """Answers an editor. What one file says is told at once, what follows for others in slices behind it."""

    def __init__(self) -> None:
        full = types.TextDocumentSyncKind.Full
        super().__init__("stackwright", version("stackwright"), text_document_sync_kind=full)
        self.desk = Desk()
        self._told: dict[str, list[str]] = {}
        self._kept: set[Path] = set()
        self._settling: dict[Path, asyncio.Task[None]] = {}

    @property
    def convert(self) -> Converter:
        return Converter(self.workspace.position_codec)

    def opened(self) -> None:
        """Takes the folders that the editor was opened with."""
        known = [folder.uri for folder in self.workspace.folders.values()]
        known += [self.workspace.root_uri] if self.workspace.root_uri else []
        self.desk.folders = [path_of(uri) for uri in known]

    def changed(self, uri: str, text: str | None, version: int | None = None) -> None:
        """Tells what is wrong with a file whose text is another one now, then what follows for the others."""
        path = path_of(uri)
        session = self.desk.put(path, text)
        if session is None:
            return
        if text is not None:
            self._tell(session.shown(path), session.problems(path), version)
        self.settle(session)

    def refreshed(self) -> None:
        """Takes in what others than the editor changed."""
        for session in self.desk.sessions.values():
            session.refresh()
            self.settle(session)

    def settle(self, session: Session) -> None:
        """Begins to check what a change left open; what was begun before is dropped."""
        running = self._settling.get(session.root)
        if running is not None:
            running.cancel()
        self._settling[session.root] = asyncio.get_running_loop().create_task(self._settle(session))

    async def _settle(self, session: Session) -> None:
        await asyncio.sleep(PAUSE)
        until = time.monotonic() + SLICE
        for _ in session.settle():
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + SLICE
        found: dict[str, list[Problem]] = {session.shown(path): [] for path in session.files}
        for problem in (*session.checked().problems, *session.judged()):
            found.setdefault(problem.span.path, []).append(problem)
        gone = [path for path in self._told if path not in found and Path(path).is_relative_to(session.root)]
        for path, problems in (*found.items(), *((path, []) for path in gone)):
            if [each.render() for each in problems] != self._told.get(path, []):
                self._tell(path, problems)
        self._keep(session)

    def _keep(self, session: Session) -> None:
        """Has no garbage looked for in what a workspace was read to, once: that takes longer than to check a file."""
        if session.root not in self._kept:
            self._kept.add(session.root)
            gc.freeze()

    def _tell(self, path: str, problems: Iterable[Problem], version: int | None = None) -> None:
        problems = sorted(problems, key=lambda problem: problem.place)
        self._told[path] = [each.render() for each in problems]
        diagnostics = [self.convert.diagnostic(each) for each in problems]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri_of(path), diagnostics, version))

    def names(self, document: types.TextDocumentIdentifier, position: types.Position) -> tuple[Names, int, int] | None:
        """The names of a file, and the place that a request is about; None where the file can't be read."""
        names = self.desk.names(path_of(document.uri))
        return None if names is None else (names, *self.convert.place(names.document.text, position))

    def edit(self, spans: Iterable[Span], text: str) -> types.WorkspaceEdit:
        """The change that puts `text` in the place of all `spans`."""
        changes: dict[str, list[types.TextEdit]] = {}
        for span in spans:
            changes.setdefault(uri_of(span.path), []).append(types.TextEdit(self.convert.range(span), text))
        return types.WorkspaceEdit(changes=changes)


server = Server()
# That a name is refused is an answer, and no mistake of ours to tell of with a traceback.
logging.getLogger("pygls.protocol.json_rpc").addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], JsonRpcInvalidParams))
)


@server.feature(types.INITIALIZED)
def initialized(ls: Server, params: types.InitializedParams) -> None:
    ls.opened()
    of_workspace = ls.client_capabilities.workspace
    watched = of_workspace.did_change_watched_files if of_workspace else None
    if watched is not None and watched.dynamic_registration:
        watchers = [types.FileSystemWatcher(glob_pattern="**/*.{yaml,yml}")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        wish = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        ls.client_register_capability(types.RegistrationParams([wish]))


@server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
def folders(ls: Server, params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.opened()


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    document = params.text_document
    ls.changed(document.uri, document.text, document.version)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    document = params.text_document
    ls.changed(document.uri, ls.workspace.get_text_document(document.uri).source, document.version)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    ls.changed(params.text_document.uri, None)


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    ls.refreshed()


@server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=["$", ".", "|", "{", " "]))
def completion(ls: Server, params: types.CompletionParams) -> list[types.CompletionItem]:
    path = path_of(params.text_document.uri)
    text = ls.desk.text(path)
    found = ls.desk.suggestions(path, ls.convert.offset(text, params.position))
    return [ls.convert.item(text, each, place) for place, each in enumerate(found)]


@server.feature(types.TEXT_DOCUMENT_HOVER)
def on_hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
    place = ls.names(params.text_document, params.position)
    said = hover(*place) if place is not None else None
    if said is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, said.text), ls.convert.range(said.span))


@server.feature(types.TEXT_DOCUMENT_DEFINITION)
def definition(ls: Server, params: types.DefinitionParams) -> list[types.Location]:
    place = ls.names(params.text_document, params.position)
    if place is None:
        return []
    names, line, column = place
    return [ls.convert.location(span) for span in names.definitions(line, column)]


@server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
def prepare_rename(ls: Server, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
    place = ls.names(params.text_document, params.position)
    variable = renamable(*place) if place is not None else None
    return types.PrepareRenamePlaceholder(ls.convert.range(variable.span), variable.name) if variable else None


@server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
def rename(ls: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    place = ls.names(params.text_document, params.position)
    variable = renamable(*place) if place is not None else None
    if place is None or variable is None:
        return None
    try:
        return ls.edit(renamed(place[0], variable, params.new_name), params.new_name.removeprefix("$"))
    except Refused as refused:
        raise JsonRpcInvalidParams(str(refused)) from None


@server.feature(types.TEXT_DOCUMENT_FORMATTING)
def formatting(ls: Server, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    path = path_of(params.text_document.uri)
    text, form = ls.desk.text(path), ls.desk.formatted(path)
    if form is None or form == text.content:
        return []
    return [types.TextEdit(ls.convert.stretch(text, 0, len(text.content)), form)]


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
)
def code_action(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    problems = ls.desk.problems(path_of(params.text_document.uri))
    mends = ((each, mend(each)) for each in problems if _meet(ls.convert.range(each.span), params.range))
    return [_action(ls, problem, word) for problem, word in mends if word is not None]


def _action(ls: Server, problem: Problem, word: str) -> types.CodeAction:
    return types.CodeAction(
        title=f"write {word}",
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[ls.convert.diagnostic(problem)],
        edit=ls.edit([problem.span], word),
        is_preferred=True,
    )


def _meet(one: types.Range, other: types.Range) -> bool:
    """Whether two ranges touch."""
    starts, ends = (
        [(each.start.line, each.start.character) for each in (one, other)],
        [(each.end.line, each.end.character) for each in (one, other)],
    )
    return max(starts) <= min(ends)
