"""The rule for a step that asks a query."""

from __future__ import annotations

from engine.clauses import Query
from engine.openings import is_open
from engine.queries import QueryChecker
from engine.scope import Scope
from engine.signatures import Signatures
from engine.stack import Step
from engine.values import ANY


class Queries(Signatures):
    """The rule for `query_all_records`."""

    def _query(self, step: Step, scope: Scope) -> Scope:
        """A query is checked as a whole: what it answers follows from all of its clauses."""
        table = self._table_of(step)
        for parameter in step.definition.parameters:
            if parameter.syntax == "value" and parameter.name in step.arguments:
                self._step_argument(step, parameter, table, {}, scope)
        self._check_use(step)
        if table is None:
            return self.result(step, ANY, scope)
        if is_open(step) and not self.method:
            hint = "move the query into the endpoint"
            self.report("SW178", "only an endpoint's query can be open to the request", step.span, hint)
            return self.result(step, ANY, scope)
        checker = QueryChecker(self, self.workspace.tables, scope, step.spans)
        return self.result(step, checker.check(Query(*step.filled), table), scope)
