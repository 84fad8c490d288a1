"""How tables belong together: by what an author says, or by the one reference between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.clauses import Addon, Join, Word
from engine.errors import Problem, did_you_mean
from engine.syntax import Attribute, Binary, Column, Node
from engine.workspace import Table


@dataclass(frozen=True, slots=True)
class Relation:
    """How an addon's records belong to ours: `theirs` and `ours` are columns whose values are the same.

    `returns` is what the addon gives: `first`, `list`, `count` or `exists`.
    """

    table: Table
    theirs: str
    ours: str
    returns: str


def relation(addon: Addon, table: Table, tables: Mapping[str, Table]) -> Relation | Problem:
    """How the records of an addon belong to those of `table`, or why they don't."""
    other = _addon_table(addon, table, tables)
    if isinstance(other, Problem):
        return other
    ours, theirs = addon.ours, addon.theirs
    if ours is not None and theirs is None:
        return _related(addon, other, "id", ours.text)
    if ours is not None and theirs is not None:
        for word, owner in ((theirs, other), (ours, table)):
            if word.text not in owner.columns:
                return _unknown(word, owner)
        return _related(addon, other, theirs.text, ours.text)
    if theirs is not None:
        column = other.columns.get(theirs.text)
        if column is None:
            return _unknown(theirs, other)
        return _related(addon, other, theirs.text, "id") if column.table == table.name else _unrelated(addon, other)
    pairs = [*(("id", each) for each in references(table, other)), *((each, "id") for each in references(other, table))]
    return _related(addon, other, *pairs[0]) if len(pairs) == 1 else _unrelated(addon, other, len(pairs))


def references(table: Table, other: Table) -> list[str]:
    """The columns of a table that hold the id of another."""
    return [name for name, column in table.columns.items() if column.table == other.name and not column.is_list]


def _addon_table(addon: Addon, table: Table, tables: Mapping[str, Table]) -> Table | Problem:
    if addon.table is None and addon.ours is not None:
        column = table.columns.get(addon.ours.text)
        if column is None:
            return _unknown(addon.ours, table)
        if not column.table or column.is_list or column.table not in tables:
            message = f"the column '{addon.ours.text}' of '{table.name}' refers to no record"
            return Problem("SW174", message, addon.ours.span, "name a column that is declared with 'table:'")
        return tables[column.table]
    if addon.table is None:
        message = f"the addon '{addon.name.text}' names no table"
        return Problem("SW174", message, addon.name.span, "add 'table:', or 'by:' with a column that refers to one")
    if addon.table.text not in tables:
        message = f"unknown table '{addon.table.text}'"
        return Problem("SW120", message, addon.table.span, did_you_mean(addon.table.text, tables))
    return tables[addon.table.text]


def _related(addon: Addon, other: Table, theirs: str, ours: str) -> Relation:
    single = (theirs,) in other.unique
    return Relation(other, theirs, ours, addon.returns or ("first" if single else "list"))


def _unrelated(addon: Addon, other: Table, found: int = 0) -> Problem:
    how = "in several ways" if found else "by no reference"
    message = f"'{addon.name.text}' belongs to '{other.name}' {how}"
    hint = "say which columns are the same, as in 'on: {post_id: id}' (theirs: ours)"
    return Problem("SW174", message, addon.name.span, hint)


def _unknown(word: Word, table: Table) -> Problem:
    known = [name for name in table.columns if name not in table.secrets]
    return Problem("SW204", f"unknown column '{word.text}'", word.span, did_you_mean(word.text, known))


def join_condition(join: Join, table: Table, other: Table) -> Node | Problem:
    """What joins two tables: the author's condition, or the reference between them."""
    if join.where is not None:
        return join.where
    span = join.name.span
    pairs = [*((each, "id") for each in references(table, other)), *(("id", each) for each in references(other, table))]
    if len(pairs) != 1:
        how = "in several ways" if pairs else "by no reference"
        hint = f"add 'where: {join.name.text}.… == …'"
        return Problem("SW174", f"'{join.name.text}' belongs to '{table.name}' {how}", span, hint)
    ours, theirs = pairs[0]
    right = Attribute(Column(join.name.text, span), theirs, False, span, span)
    return Binary("==", Column(ours, span), right, False, span, span)
