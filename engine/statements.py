"""Steps that run an author's own SQL: what is bound to it, and what it answers."""

from __future__ import annotations

from dataclasses import replace

from engine.errors import did_you_mean
from engine.mismatch import entry_spans
from engine.scope import Scope
from engine.signatures import Signatures
from engine.sql import Sql
from engine.stack import Step
from engine.syntax import Attribute, ListOf, Literal, Node, ObjectOf, Spread, Variable
from engine.values import ANY, OBJECT, list_of


class Statements(Signatures):
    """The rules for `direct_database_query` and `external_database_query`."""

    def _direct_query(self, step: Step, scope: Scope) -> Scope:
        sql: Sql = step.arguments["sql"]
        after = self._generic(replace(step, result=None), scope)
        if self.method in ("GET", "HEAD") and sql.writes and step.definition.outside:
            hint = "use POST, PUT, PATCH or DELETE"
            self.report("SW143", f"'{step.name}' writes, a {self.method} must not", step.span, hint, "warning")
        self._bound(step, sql, step.node("args"))
        if step.result is None and not sql.writes:
            hint = "add 'as:' and use the result, or take the step out"
            self.report("SW149", f"'{step.name}' does nothing without 'as:'", step.span, hint, "warning")
        is_single = step.arguments.get("return") == "single"
        return self.result(step, OBJECT.maybe() if is_single else list_of(OBJECT), after)

    def _external_query(self, step: Step, scope: Scope) -> Scope:
        node = step.node("connection")
        is_env = isinstance(node, Attribute) and isinstance(node.of, Variable) and node.of.name == "env"
        if node is not None and not is_env:
            hint = "name one of the workspace's 'env:', as in 'connection: $env.SHOP_DATABASE'"
            self.report("SW187", "the connection isn't a value of the environment", node.span, hint)
            step = replace(step, arguments={**step.arguments, "connection": Literal("", node.span)})
        return self._direct_query(step, scope)

    def _bound(self, step: Step, sql: Sql, node: Node | None) -> None:
        """Whether the values that are given, where they are written out, are those that the SQL has a place for."""
        family = "any" if node is None else self.kinds.get(node, ANY).name
        if node is None:
            if sql.parameters:
                message = f"the SQL has {_counted(sql)}, and no values are given"
                self.report("SW183", message, sql.place(sql.placeholders[0]), "give them under 'args:'")
        elif not sql.parameters:
            self.report("SW183", "the SQL has no placeholder for a value", node.span, "write ? where each belongs")
        elif (family == "list") if sql.is_named else (family == "object"):
            hint = "write a mapping of names" if sql.is_named else "write a list, or :name in the SQL"
            self.report("SW183", f"the SQL has {_counted(sql)}, this is {self.kinds[node]}", node.span, hint)
        elif isinstance(node, ListOf):
            self._counts(sql, node)
        elif isinstance(node, ObjectOf):
            self._names(sql, node)

    def _counts(self, sql: Sql, node: ListOf) -> None:
        given = len(node.items)
        if given != len(sql.parameters) and not any(isinstance(each, Spread) for each in node.items):
            values = "1 value is" if given == 1 else f"{given} values are"
            self.report("SW183", f"the SQL has {_counted(sql)}, {values} given", node.span, "write one for each ?")

    def _names(self, sql: Sql, node: ObjectOf) -> None:
        given = entry_spans(node)
        for name, span in given.items():
            if name not in sql.parameters:
                self.report("SW183", f"the SQL has no ':{name}'", span, did_you_mean(name, sql.parameters))
        missing = [each for each in sql.parameters if each not in given]
        if missing and not any(isinstance(each, Spread) for each in node.entries):
            listed = ", ".join(f"':{each}'" for each in missing)
            self.report("SW183", f"no value is given for {listed}", node.span, "give it under 'args:'")


def _counted(sql: Sql) -> str:
    """`2 placeholders`."""
    count = len(sql.parameters)
    return "1 placeholder" if count == 1 else f"{count} placeholders"
