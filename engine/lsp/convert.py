"""Our places, problems and suggestions as the protocol has them, and its positions as ours."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

from engine.errors import Problem, Span, Text
from engine.lsp.completion import Sort, Suggestion

_SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
_SORTS: dict[Sort, types.CompletionItemKind] = {
    "step": types.CompletionItemKind.Method,
    "key": types.CompletionItemKind.Property,
    "variable": types.CompletionItemKind.Variable,
    "column": types.CompletionItemKind.Field,
    "field": types.CompletionItemKind.Field,
    "filter": types.CompletionItemKind.Function,
    "function": types.CompletionItemKind.Function,
    "table": types.CompletionItemKind.Class,
    "word": types.CompletionItemKind.EnumMember,
}


def path_of(uri: str) -> Path:
    """The file of a URI; a path that nothing is at for a URI of another scheme."""
    return Path(to_fs_path(uri) or "/-")


def uri_of(path: Path | str) -> str:
    return str(from_fs_path(str(path)))


class Converter:
    """Counts columns as the client does: in UTF-16 units unless it wishes otherwise."""

    def __init__(self, codec: PositionCodec) -> None:
        self._codec = codec

    def position(self, text: Text, line: int, column: int) -> types.Position:
        """A place of ours, which counts characters from 1."""
        return types.Position(line - 1, self._codec.client_num_units(text.line(line)[: column - 1]))

    def place(self, text: Text, position: types.Position) -> tuple[int, int]:
        """The line and the column, from 1, of a position of the client's."""
        line, units = text.line(position.line + 1), 0
        for column, char in enumerate(line, 1):
            if units >= position.character:
                return position.line + 1, column
            units += self._codec.client_num_units(char)
        return position.line + 1, len(line) + 1

    def offset(self, text: Text, position: types.Position) -> int:
        """How many characters of the text stand before a position of the client's."""
        line, column = self.place(text, position)
        lines = text.content.split("\n")
        return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1

    def range(self, span: Span) -> types.Range:
        text = span.text
        start, end = (span.line, span.column), (span.end_line, span.end_column)
        return types.Range(self.position(text, *start), self.position(text, *end))

    def stretch(self, text: Text, start: int, end: int) -> types.Range:
        """The range of the characters `start` to `end`."""
        return types.Range(self._at(text, start), self._at(text, end))

    def _at(self, text: Text, offset: int) -> types.Position:
        before = text.content[:offset]
        return self.position(text, before.count("\n") + 1, offset - before.rfind("\n"))

    def location(self, span: Span) -> types.Location:
        return types.Location(uri_of(span.path), self.range(span))

    def diagnostic(self, problem: Problem) -> types.Diagnostic:
        hint = f"\n{problem.hint}" if problem.hint else ""
        return types.Diagnostic(
            range=self.range(problem.span),
            message=problem.message + hint,
            severity=_SEVERITIES[problem.severity],
            code=problem.code,
            source="stackwright",
        )

    def item(self, text: Text, suggestion: Suggestion, place: int) -> types.CompletionItem:
        doc = types.MarkupContent(types.MarkupKind.Markdown, suggestion.doc) if suggestion.doc else None
        place_of = self.stretch(text, suggestion.start, suggestion.end)
        return types.CompletionItem(
            label=suggestion.label,
            kind=_SORTS[suggestion.sort],
            detail=suggestion.detail or None,
            documentation=doc,
            sort_text=f"{suggestion.rank:02}{place:04}",
            text_edit=types.TextEdit(place_of, suggestion.insert),
        )
