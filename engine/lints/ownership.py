"""Records reached by an id that the client gives, with nothing that says whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Problem
from engine.lints.reading import Subject, expressions, read_by, reads
from engine.stack import Assignment, Step
from engine.syntax import Binary, Column, Literal, Node, Variable, children
from engine.workspace import Table

_REACHES = {
    "get_record": "get",
    "query_all_records": "get",
    "edit_record": "change",
    "patch_record": "change",
    "add_or_edit_record": "change",
    "bulk_edit_records": "change",
    "delete_record": "delete",
    "bulk_delete_records": "delete",
}
_TESTS = frozenset({"count", "exists"})  # what a query returns that shows no record
_CLIENT = frozenset({"input", "request"})
_CALLER = frozenset({"auth"})
_KEY = frozenset({"env"})  # what only some know: who gives it, or what was signed with it, is let in


def unowned(subject: Subject) -> Iterator[Problem]:
    """Warns of a record with an owner that any caller reaches by its id (OWASP ASVS 8.2.2).

    Whoever has the caller decide anything, in a `where`, a condition or a function that is given it, has thought of it.
    """
    steps = list(subject.steps)
    callers = _derived(steps, _CALLER)
    if not subject.method or _is_guarded(steps, callers | _derived(steps, _KEY)):
        return
    clients = _derived(steps, _CLIENT)
    read = _read_beyond_null(subject)
    for step in steps:
        verb = _REACHES.get(step.name)
        table = subject.tables.get(step.arguments["table"].text) if verb else None
        if table is None or not _has_owner(table, subject) or _is_a_test(step, read):
            continue
        where: Node | None = step.node("where")
        place = _by_id(where, table, clients, callers) if where is not None else None
        if place is not None:
            message = f"any caller can {verb} any '{table.name}' by its id"
            yield Problem("SW250", message, place.span, _mend(table, subject), "warning")


def _mend(table: Table, subject: Subject) -> str:
    owner = next((name for name, column in table.columns.items() if subject.is_account(column.table)), "id")
    first = "" if subject.auth else "add 'auth:', then "
    return f"{first}ask whose it is: '{owner} == $auth.id'; if it is for all, ignore this with the reason"


def _has_owner(table: Table, subject: Subject) -> bool:
    """Whether the records of a table are accounts, or belong to one."""
    return table.auth or any(subject.is_account(column.table) for column in table.columns.values())


def _derived(steps: list[Step], roots: frozenset[str]) -> frozenset[str]:
    """`roots`, and the variables that are set from them: by expressions, and by steps for what is the caller's."""
    known = roots
    while True:
        more = known | {name for step in steps for name, read in _stores(step, roots) if read & known}
        if more == known:
            return known
        known = more


def _stores(step: Step, roots: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What a step sets, and what it reads for that. A record that a client's id finds is the database's word."""
    if step.name == "set":
        assignments: tuple[Assignment, ...] = step.arguments["variables"]
        yield from ((each.name, reads(each.value)) for each in assignments)
    elif step.result is not None and (roots == _CALLER or step.name in ("for_each", "repeat")):
        yield step.result.text, read_by(step)


def _is_guarded(steps: list[Step], callers: frozenset[str]) -> bool:
    """Whether something beside a `where` depends on who calls, or a password is checked."""
    for step in steps:
        if step.name == "validate_password":
            return True
        if step.name in ("precondition", "if", "switch", "while") and read_by(step) & callers:
            return True
        if step.name == "run_function" and reads(step.arguments.get("with")) & callers:
            return True
    return False


def _by_id(where: Node, table: Table, clients: frozenset[str], callers: frozenset[str]) -> Node | None:
    """The client's id by which a condition finds a record, where nothing else in it says whose it is."""
    if reads(where) & callers:
        return None
    found: Node | None = None
    for column, value in _equalities(where):
        if column == "id" and reads(value) & clients:
            found = value
        elif column in table.columns and (table.columns[column].is_masked or table.columns[column].type == "uuid"):
            return None  # whoever knows this may
    return found


def _equalities(node: Node) -> Iterator[tuple[str, Node]]:
    """The columns that a condition asks for by value, each with the value."""
    match node:
        case Binary("and", left, right):
            yield from _equalities(left)
            yield from _equalities(right)
        case Binary("==", Column(name), value) | Binary("==", value, Column(name)) | Binary("in", Column(name), value):
            yield name, value


def _is_a_test(step: Step, read: frozenset[str]) -> bool:
    """Whether a record is only looked for: of what it holds nothing is read."""
    if step.name not in ("get_record", "query_all_records"):
        return False
    is_read = step.result is not None and step.result.text in read
    return not is_read or step.arguments.get("return") in _TESTS


def _read_beyond_null(subject: Subject) -> frozenset[str]:
    """The variables of which more is asked than whether they are null."""
    given = [subject.response, *(list(step.arguments.values()) for step in subject.steps)]
    return frozenset(name for node in expressions(given) for name in _beyond_null(node))


def _beyond_null(node: Node) -> Iterator[str]:
    match node:
        case Binary("==" | "!=", Variable(), Literal(None)) | Binary("==" | "!=", Literal(None), Variable()):
            return
        case Variable(name):
            yield name
    for child in children(node):
        yield from _beyond_null(child)
