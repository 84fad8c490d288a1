"""What the database computes of a record's columns, to be written into one of them: an expression as SQL."""

from __future__ import annotations

from engine.errors import Problems
from engine.fields import Field
from engine.store.base import Computed, Kinds
from engine.store.dialect import Dialect
from engine.store.sql import Where
from engine.store.terms import INTS, Source, Term, maybe
from engine.syntax import Binary, Node, Template, has_column
from engine.values import DECIMAL, INT, TEXT, Kind
from engine.workspace import Table

_PROVEN = {("int", "int"), ("decimal", "decimal"), ("decimal", "int"), ("bool", "bool")}  # of a column, and a value


def compile_computed(node: Node, table: Table, column: Field, kinds: Kinds, dialect: Dialect) -> Computed:
    """What `column` becomes by an expression over the columns of `table`.

    Raises `Problems` (SW300 to SW306) with everything that can't be asked of a database.
    """
    computing = Computing(table, column, kinds, dialect)
    term = computing.result(node)
    if computing.problems:
        raise Problems(computing.problems)
    names = (column.name,) * len(computing.parameters)
    is_proven = (column.type, term.kind.name) in _PROVEN and not column.rules

    def text(before: int) -> str:
        return Computing(table, column, kinds, dialect, before).result(node).sql

    return Computed(node, text, tuple(computing.parameters), tuple(computing.converts), names, is_proven)


class Computing(Where):
    """Makes a term of what a column becomes; `before` parameters are bound before its own."""

    def __init__(self, table: Table, column: Field, kinds: Kinds, dialect: Dialect, before: int = 0) -> None:
        super().__init__(Source(table), kinds, dialect)
        self.written, self.before = column, before
        self.ahead = "get the record before, and compute it of that"

    def result(self, node: Node) -> Term:
        """The value as it is stored."""
        column, term = self.written, self.term(node, any_kind=True)
        term = self.picked(term, column.kind.family) if term.kind.is_open else term
        if column.type in INTS and term.kind.name == "decimal":  # only json has what may be one
            self.refuse(node, "an int of what json holds")
        for name in _transforms(column):
            term = Term(self.dialect.functions[name]([term.sql], TEXT), term.kind)
        return term

    def term(self, node: Node, *, any_kind: bool = False) -> Term:
        return self.filled(node) if isinstance(node, Template) else super().term(node, any_kind=any_kind)

    def filled(self, node: Template) -> Term:
        """A text with columns in it: its parts joined, those that are given as texts."""
        parts = [part if has_column(part) else Template([part], part.span) for part in node.parts]
        terms = [self.text(part, node) for part in parts]
        return Term(f"({' || '.join(term.sql for term in terms)})", maybe(TEXT, *terms))

    def known(self, node: Node) -> Kind:
        return TEXT if isinstance(node, Template) else super().known(node)

    def quotient(self, node: Binary) -> Term:
        """A division, by zero a fault as anywhere but in a query."""
        left, right = self.number(node.left, node), self.number(node.right, node)
        sql = self.dialect.bounded(self.dialect.divided.format(left.sql, right.sql), DECIMAL)
        return Term(sql, maybe(DECIMAL, left, right))

    def remainder(self, node: Binary) -> Term:
        left, right = self.ints(node)
        return Term(self.dialect.rest.format(left.sql, right.sql), maybe(INT, left, right))

    def refuse_kind(self, node: Node, term: Term) -> None:
        self.refuse(node, f"'{self.label(node)}', which is {term.kind.present()},")


def _transforms(column: Field) -> list[str]:
    """The filters that do what a column does with every text that is given for it."""
    asked = (("trim", "trim"), ("lower", "to_lower"), ("upper", "to_upper"))
    return ["to_lower"] if column.type == "uuid" else [name for rule, name in asked if column.rules.get(rule)]
