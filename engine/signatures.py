"""Steps that are typed functions: everything follows from their signature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.applications import literal_of
from engine.columns import Columns
from engine.errors import Problem, did_you_mean
from engine.registry import Parameter, substitute, unify
from engine.scope import Scope
from engine.stack import Rejection, Step, Word
from engine.syntax import Node, walk
from engine.values import ANY, INT, NULL, Kind, fits
from engine.workspace import Table, Workspace

# Steps with a result and no effect.
ASKS = frozenset({"get_record", "has_record", "query_all_records", "validate_password", "create_token"})


def auth_table_problems(workspace: Workspace, word: Word) -> Iterator[Problem]:
    """Whether `word` names a table that tokens can be made for."""
    if word.text in workspace.tables:
        if not workspace.tables[word.text].auth:
            hint = f"add 'auth: true' to the table '{word.text}'"
            yield Problem("SW121", f"the table '{word.text}' has no 'auth: true'", word.span, hint)
    elif not workspace.is_broken("table", word.text):
        yield Problem("SW120", f"unknown table '{word.text}'", word.span, did_you_mean(word.text, workspace.tables))


class Signatures(Columns):
    """The rule for steps that are typed functions."""

    def _generic(self, step: Step, scope: Scope) -> Scope:
        bindings: dict[str, Kind] = {}
        table = self._table_of(step)
        if table is not None:
            bindings["record"] = table.kind
        for parameter in step.definition.parameters:
            if parameter.name in step.arguments:
                self._step_argument(step, parameter, table, bindings, scope)
        if step.name == "create_token":
            self.creates_token = True
        self.acts = self.acts or step.name not in ASKS
        self.hashes = self.hashes or step.definition.hashes
        if step.writes:
            self.written(step.name, step.span)
        self._check_breadth(step)
        self._check_use(step)
        return self.result(step, self._returned_kind(step, bindings), scope)

    def _returned_kind(self, step: Step, bindings: Mapping[str, Kind]) -> Kind:
        definition = step.definition
        if definition.result is None:
            return substitute(definition.returns, bindings)
        given = [step.arguments.get(each.name) for each in definition.parameters]
        kinds = [self.kinds[each] if isinstance(each, Node) else NULL if each is None else ANY for each in given]
        return definition.result(kinds, [literal_of(each) if isinstance(each, Node) else ... for each in given])

    def _check_use(self, step: Step) -> None:
        """A step that only asks must be asked for something; a lock is something."""
        if step.result is None and step.name in ASKS and not step.arguments.get("lock", False):
            hint = "add 'as:' and use the result, or take the step out"
            self.report("SW149", f"'{step.name}' does nothing without 'as:'", step.span, hint, "warning")

    def _check_breadth(self, step: Step) -> None:
        """A step that may write every record of a table must say so."""
        if step.definition.parameter("all") is None or ("where" in step.arguments) != step.arguments.get("all", False):
            return
        if "where" in step.arguments:
            self.report("SW165", "'all: true' contradicts 'where'", step.spans["all"], "leave one of them out")
        else:
            message, hint = f"'{step.name}' without a 'where' would write every record", "add 'where:', or 'all: true'"
            self.report("SW165", message, step.span, hint)

    def _table_of(self, step: Step) -> Table | None:
        parameter = next((each for each in step.definition.parameters if each.syntax in ("table", "auth_table")), None)
        word = step.arguments.get(parameter.name) if parameter else None
        if word is None or parameter is None:
            return None
        if parameter.syntax == "auth_table":
            self.problems += [] if self.silent else auth_table_problems(self.workspace, word)
        elif word.text not in self.workspace.tables and not self.workspace.is_broken("table", word.text):
            self.report(
                "SW120", f"unknown table '{word.text}'", word.span, did_you_mean(word.text, self.workspace.tables)
            )
        return self.workspace.tables.get(word.text)

    def _step_argument(
        self, step: Step, parameter: Parameter, table: Table | None, bindings: dict[str, Kind], scope: Scope
    ) -> None:
        argument = step.arguments[parameter.name]
        match parameter.syntax:
            case "value" | "duration" | "expression":
                self._value_argument(step, parameter, argument, bindings, scope)
            case "where" | "match":
                self.where(argument, table, scope)
            case "data":
                self.data(step, argument, table, scope)
            case "edits" | "changes":
                self.edits(step, argument, table, scope, is_open=parameter.syntax == "changes")
            case "rows":
                self.rows(step, argument, table, scope)
            case "rejection":
                self.rejection(argument, scope)
            case "condition":
                self.condition(argument, scope)

    def _value_argument(
        self, step: Step, parameter: Parameter, node: Node, bindings: dict[str, Kind], scope: Scope
    ) -> None:
        kind = self.infer(node, scope)
        if parameter.syntax == "duration":
            parameter = replace(parameter, kind=INT)
        if parameter.name == "id" and step.name == "create_token":
            self._token_id(step, kind, node)
        self.check_argument(step.definition, parameter, kind, node)
        if not parameter.secret:
            self.leaving(node, kind, f"'{parameter.name}' of {step.name}")
        unify(parameter.kind, kind, bindings)

    def _token_id(self, step: Step, kind: Kind, node: Node) -> None:
        table = self.workspace.tables.get(step.arguments["table"].text)
        if table is not None and not fits(kind.present(), Kind(table.id.type)):
            self.report("SW218", f"the id of a {table.name} is {table.id.type}, this is {kind}", node.span)

    def where(self, node: Node, table: Table | None, scope: Scope) -> None:
        """Checks a condition over the columns of `table`."""
        columns = None if table is None else table.asked
        if columns is None:
            for each in walk(node):
                self.kinds.setdefault(each, ANY)
            return
        before = len(self.errors)
        self.condition(node, scope.with_columns(columns))
        self.no_secret(node, before)

    def rejection(self, rejection: Rejection, scope: Scope) -> None:
        """Checks how a run would end."""
        for node, what in ((rejection.message, "message"), (rejection.payload, "payload")):
            if node is not None:
                self.client_text(node, what, scope)
