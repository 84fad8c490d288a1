"""What is written into the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping

from engine.edits import EditChecker, lacking, settled, spelt_out, uncomputed
from engine.errors import Span, did_you_mean, listed, nearest
from engine.fields import Field
from engine.lints.lookalikes import meant
from engine.mismatch import Mismatch, Value, entry_spans, entry_values, mismatches
from engine.scope import Scope
from engine.stack import Step, matched
from engine.stack_walk import StackWalk
from engine.syntax import Column, ListOf, Literal, Node, Spread, Variable, Worded, has_column, walk
from engine.texts import bool_hint
from engine.unparse import unparse
from engine.values import ANY, OBJECT, Kind, contains_sealed, contains_secret, conversion, fits, list_of, object_of
from engine.wording import mend
from engine.workspace import Table

ADDS = frozenset({"add_record", "add_or_edit_record", "bulk_add_records"})
EDITS = frozenset({"edit_record", "patch_record", "add_or_edit_record", "bulk_edit_records"})
_TAKE_ID = frozenset({"add_record", "add_or_edit_record", "bulk_patch_records"})


class Columns(StackWalk):
    """The rules for the data of a record."""

    def data(self, step: Step, node: Node, table: Table | None, scope: Scope) -> None:
        """Checks what is written into the columns of a new record of `table`."""
        kind = self._given(node, table, scope, _instead(step))
        if table is not None:
            self._record(step, table, kind, node, "'data'", is_open=False)

    def edits(self, step: Step, node: Node, table: Table | None, scope: Scope, *, is_open: bool) -> None:
        """Checks what is written into a record that is there; `is_open`: its columns may show only when it runs."""
        if table is None:
            self._given(node, table, scope, "")
            return
        data = settled(node, table)
        values = spelt_out(data)
        if values is None:
            kind = self._given(node, table, scope, "write out each column with its value, as in data: {{{0}: …}}")
            if has_column(node):
                return
        else:
            kind = object_of({name: self._edit(step, table, name, value, scope) for name, value in values.items()})
            self._readable_texts(node, data, table)
        self.kinds[node] = self.kinds[data] = kind
        self._record(step, table, kind, data, "'data'", is_open)

    def _edit(self, step: Step, table: Table, name: str, value: Node, scope: Scope) -> Kind:
        """The kind of what a column becomes, by a value that is given, or computed of the record's columns."""
        if not has_column(value) and not _is_marked(value, table, scope):
            return self.infer(value, scope)
        before = len(self.errors)
        kind = EditChecker(self, self.workspace.tables, scope, {}).computed(value, table.shown)
        message, hint = uncomputed(table.columns[name]) if name in table.columns else ("", "")
        if message:
            self.report("SW307", message, value.span, hint)
        if step.name in ADDS:
            for column in lacking([value], table, matched(step.arguments["where"])).values():
                message = f"a record that is added has no '{column.name}' to compute '{name}' of"
                self.report("SW125", message, column.span, "give the column a default, or name it in 'where'")
        return ANY if len(self.errors) > before else kind

    def _readable_texts(self, node: Node, data: Node, table: Table) -> None:
        """Warns of texts in columns of texts that are an expression over columns."""
        values = spelt_out(data) or {}
        for name, value in (spelt_out(node) or {}).items():
            match value:
                case Worded(text=Literal() as text, expression=expression) if text is values[name]:
                    if meant(str(text.value), table.shown) is not None:
                        self.lookalike(value.span, f"${{{unparse(expression)}}}")

    def _given(self, node: Node, table: Table | None, scope: Scope, hint: str) -> Kind:
        """The kind of what is given as a whole, in which no column of a record means anything."""
        columns = {} if table is None else table.columns
        bare = [each for each in walk(node) if isinstance(each, Column) and each.name in columns]
        for each in bare:
            said = hint.format(each.name)
            self.report("SW203", f"the column '{each.name}' means nothing here", each.span, said)
        self.silent += bool(bare)
        kind = self.infer(node, scope)
        self.silent -= bool(bare)
        return kind

    def rows(self, step: Step, node: Node, table: Table | None, scope: Scope) -> None:
        """Checks a list of what is written into records of `table`."""
        kind = self._given(node, table, scope, _instead(step))
        if table is None:
            return
        if not fits(kind.present(), list_of(OBJECT)):
            self.report("SW122", f"'items' must be a list of objects, it is {kind}", node.span)
        elif isinstance(node, ListOf) and not any(isinstance(item, Spread) for item in node.items):
            for item in node.items:
                self._record(step, table, self.kinds.get(item, ANY), item, "an item", is_open=True)
        else:
            row = (kind.item or ANY).tainted_by(kind)
            self._record(step, table, row, node, "an item", is_open=True)

    def _record(self, step: Step, table: Table, kind: Kind, node: Node, what: str, is_open: bool) -> None:
        given = kind.fields
        written = table.columns if given is None else given  # which may be any of them
        self.hashes = self.hashes or any(name in written for name in table.passwords)
        if given is None and is_open and not kind.secret and fits(kind, OBJECT):
            return
        if not fits(kind, OBJECT) or given is None:
            hint = "write a mapping of columns"
            self.report("SW122", f"{what} must be an object with known columns, it is {kind}", node.span, hint)
            return
        absent = [] if is_open else [name for name in given if name in kind.optional]
        if absent:
            names = listed([f"'{name}'" for name in absent])
            hint = "write it with patch_record" if step.name == "edit_record" else "let each be there, if only as null"
            self.report("SW122", f"{names} may not be there, and {step.name} writes what it names", node.span, hint)
            return
        spans, values = entry_spans(node), entry_values(node)
        for name, value in given.items():
            value = value.tainted_by(kind)
            self._column_value(step, table, name, value, spans.get(name, node.span), values.get(name))
        if step.name in ADDS:
            keys = matched(step.arguments["where"]) if "where" in step.arguments else {}
            self._missing_columns(step, table, {**given, **dict.fromkeys(keys, ANY)})
        if step.name == "bulk_patch_records" and "id" not in given:
            self.report("SW125", f"{what} for '{table.name}' lacks 'id'", node.span, "it says which record is meant")
        if "id" in given and step.name not in _TAKE_ID and not step.arguments.get("allow_id_field"):
            hint = "add 'allow_id_field: true'" if step.name in ADDS else "an id never changes"
            self.report("SW164", f"'{step.name}' can't set the id", spans.get("id", node.span), hint)

    def _column_value(self, step: Step, table: Table, name: str, kind: Kind, span: Span, value: Node | None) -> None:
        column = table.columns.get(name)
        if column is None:
            self.report("SW123", f"unknown column '{name}' of '{table.name}'", span, did_you_mean(name, table.columns))
            return
        if contains_sealed(kind) and column.type != "password":
            hint = "make the column 'password'"
            self.report("SW230", f"a password would be stored as it is in '{name}', not hashed", span, hint)
        elif contains_secret(kind) and not column.is_masked:
            self.report(
                "SW230",
                f"a secret would be stored in the clear in '{name}'",
                span,
                "make the column 'password' or 'sensitive: true'",
            )
        is_computed = value is not None and has_column(value)
        if kind.may_be_null and not column.may_be_null and (is_computed or not column.has_default):
            if value is not None and is_computed:
                hint = f"give a default: '({unparse(value)}) ?? …'"
                self.report("SW210", f"'{name}' may be null here, the column needs a value", value.span, hint)
            elif value is not None:
                self.null(value, f"the column '{name}' needs a value")
            else:
                self.report("SW210", f"'{name}' may be null here, the column needs a value", span)
        elif not fits(kind.present(), column.kind.present()):
            self._column_mismatch(step, table, column, Value(span, kind.present(), value))
        elif (
            column.values
            and isinstance(value, Literal)
            and value.value is not None
            and value.value not in column.values
        ):
            self.report(
                "SW124",
                f"'{value.value}' is none of the values of '{name}'",
                value.span,
                did_you_mean(str(value.value), column.values),
            )

    def _column_mismatch(self, step: Step, table: Table, column: Field, given: Value) -> None:
        for each in mismatches(given, column.kind.present(), column.name, self.kinds):
            if each.wanted is None:
                self.report("SW123", f"the column '{column.name}' has no '{each.path}'", each.span)
            elif each.given is None:
                self.report("SW125", f"the column '{column.name}' needs '{each.path}', {each.wanted}", each.span)
            elif each.given.may_be_null and each.node is not None:
                self.null(each.node, f"'{each.path}' needs a value")
            else:
                hint = _bare_mend(step, table, each.node) or _mend(each, column) or _sum_mend(step, column)
                named = f"the column '{column.name}'" if each.path == column.name else f"'{each.path}'"
                self.report("SW124", f"{named} is {each.wanted}, this is {each.given}", each.span, hint)

    def _missing_columns(self, step: Step, table: Table, given: Mapping[str, Kind]) -> None:
        needed = [
            name for name, column in table.columns.items()
            if column.required and not column.nullable and name not in given and name != "id"
        ]  # fmt: skip
        misspelt = {nearest(name, table.columns) for name in given if name not in table.columns}
        needed = [name for name in needed if name not in misspelt]
        if needed:
            names = ", ".join(f"'{name}'" for name in needed)
            self.report(
                "SW125",
                f"the data for '{table.name}' lacks {names}",
                step.spans.get("data", step.span),
                "give it, or give the column a default",
            )


def _instead(step: Step) -> str:
    """What to do where a column of a record, whose name is filled in, can't be computed with."""
    if step.name == "bulk_patch_records":
        return "write it with bulk_edit_records, or with edit_record in a for_each"
    if step.name in EDITS:
        return "get the record before, and write $record.{0}"
    return "a record that is added has no columns yet: get the one that is meant before, and write $record.{0}"


def _bare_mend(step: Step, table: Table, node: Node | None) -> str:
    """The mend of a text that is a column, or an expression over some, where none can be; empty for others."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        return ""
    found = Variable(node.value, node.span) if node.value in table.columns else meant(node.value, table.shown)
    names = [each.name for each in walk(found) if isinstance(each, Variable)] if found is not None else []
    return _instead(step).format(names[0]) if names else ""


def _is_marked(node: Node, table: Table, scope: Scope) -> bool:
    """Whether a column stands there with the $ of a variable, of which there is none of its name."""
    names = {each.name for each in walk(node) if isinstance(each, Variable)}
    return any(name in table.shown and name not in (*scope.kinds, *scope.maybe) for name in names)


def _sum_mend(step: Step, column: Field) -> str:
    """How a number is computed of the one that is there; empty where there is none, or no number."""
    is_number = column.kind.present().name in ("int", "decimal")
    return f"compute it as in '{column.name}: {column.name} + 1'" if step.name in EDITS and is_number else ""


def _mend(mismatch: Mismatch, column: Field) -> str:
    given, wanted = mismatch.given or ANY, mismatch.wanted or ANY
    if not isinstance(mismatch.node, Literal):
        return mend(mismatch.node, given, wanted)
    if wanted.name == "bool":
        return bool_hint(mismatch.node.value)
    if wanted.name == "timestamp":
        return "write ${now()}" if mismatch.node.value in ("now", "now()") else conversion(given, wanted)
    return did_you_mean(str(mismatch.node.value), column.values)
