"""Answers against what a test expects of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.compare import same
from engine.errors import Fault
from engine.run import Run
from engine.syntax import Binary
from engine.testing.client import Answer, written
from engine.testing.expressions import Unusable, Value, Variables
from engine.testing.fixtures import Expected
from engine.testing.match import Finding, differs, mismatches, shown
from engine.testing.sent import Sent
from engine.values import Secret
from engine.workspace import Table

Rows = list[dict[str, object]]
# By table, then by `added`, `changed` and `removed`, the records by id; a changed one as it is now.
Changes = dict[str, dict[str, Rows]]

Compare = Callable[[Value, Any, Answer], Iterator[Finding]]

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


def findings(expected: Expected, sent: Sequence[Sent], changed: Changes) -> tuple[Sent, list[Finding]]:
    """What isn't as expected, and the request that shows it: else the first of those that are compared.

    Where a status is another one, what follows from it is left out.
    """
    compared = [each for each in sent if each.answer.status in expected.compared]
    shows, found = _statuses(expected, sent) or _first_answer(expected, compared) or ((compared or sent)[0], [])
    if expected.changed is not None:
        found += _changed(expected.changed, changed, shows.variables, shows.run)
    return shows, found


def _statuses(expected: Expected, sent: Sequence[Sent]) -> tuple[Sent, list[Finding]] | None:
    """The statuses that come more or less often than they should, and the first request that has one too often."""
    counts = Counter(each.answer.status for each in sent)
    if counts == expected.statuses:
        return None
    shows = next(each for each in sent if counts[each.answer.status] > expected.statuses.get(each.answer.status, 0))
    return shows, list(_status_findings(expected, counts, shows))


def _status_findings(expected: Expected, counts: Counter[int], shows: Sent) -> Iterator[Finding]:
    answer, span = shows.answer, expected.status_span
    was = f"{answer.status}: {shown(answer.body)}"
    if not shows.label:
        yield differs("status", str(*expected.statuses), was, span)
        return
    for status in {**expected.statuses, **counts}:
        count, wanted = counts[status], expected.statuses.get(status, 0)
        if count != wanted:
            message = f"of {counts.total()} runs {count or 'none'} answered {status}, the case says {wanted or 'none'}"
            yield Finding(message, span)
    yield Finding(f"{shows.label} answered {was}", span)


def _first_answer(expected: Expected, compared: Sequence[Sent]) -> tuple[Sent, list[Finding]] | None:
    """The first request whose answer isn't as expected, and why it isn't."""
    for each in compared:
        if found := list(_answer(expected, each)):
            return each, [
                replace(part, message=f"{each.label}: {part.message}") for part in found
            ] if each.label else found
    return None


def _answer(expected: Expected, sent: Sent) -> Iterator[Finding]:
    answer, variables, run = sent.answer, sent.variables, sent.run
    yield from _guarded(_response, expected.response, answer, variables, run)
    yield from _guarded(_headers, expected.headers, answer, variables, run)
    for check in expected.checks:
        yield from _check(check, variables, run)


def _guarded(
    compare: Compare, value: Value | None, answer: Answer, variables: Variables, run: Run
) -> Iterator[Finding]:
    if value is None:
        return
    try:
        yield from compare(value, value.evaluate(run, variables), answer)
    except Unusable as broken:
        yield Finding(broken.message, broken.span)
    except Fault as fault:  # a secret in a list can't be compared
        yield Finding(fault.message, value.span())


def _response(value: Value, wanted: object, answer: Answer) -> Iterator[Finding]:
    return mismatches(wanted, answer.body, "response", value.span)


def _headers(value: Value, wanted: Mapping[str, object], answer: Answer) -> Iterator[Finding]:
    for name, text in wanted.items():
        there, needed = answer.headers.get(name.lower()), None if text is None else written(text)
        if there != needed:
            yield differs(f"headers.{name}", _header(needed), _header(there), value.span(name))


def _header(text: str | None) -> str:
    return "none" if text is None else shown(text)


def _check(check: Value, variables: Variables, run: Run) -> Iterator[Finding]:
    try:
        if check.evaluate(run, variables) is not True:
            yield Finding(f"'{check.text}' is not true{_sides(check, variables, run)}", check.span())
    except Unusable as broken:
        yield Finding(broken.message, broken.span)


def _sides(check: Value, variables: Variables, run: Run) -> str:
    """What stands on both sides of a comparison."""
    node = check.node
    if not (isinstance(node, Binary) and node.operator in _COMPARISONS):
        return ""
    left, right = (check.part(side).evaluate(run, variables) for side in (node.left, node.right))
    return f": it compares {shown(left)} with {shown(right)}"


def changes(before: Mapping[str, Rows], after: Mapping[str, Rows], tables: Mapping[str, Table]) -> Changes:
    """What changed between two snapshots of `tables`, secret columns masked."""
    return {
        name: {word: [_masked(row, tables[name]) for row in rows] for word, rows in _compared(old, after[name]).items()}
        for name, old in before.items()
    }


def _masked(row: dict[str, object], table: Table) -> dict[str, object]:
    return {
        name: str(Secret(value)) if name in table.secrets and value is not None else value
        for name, value in row.items()
    }


def _compared(before: Rows, after: Rows) -> dict[str, Rows]:
    old, new = ({row["id"]: row for row in rows} for rows in (before, after))
    return {
        "added": [row for id, row in new.items() if id not in old],
        "changed": [row for id, row in new.items() if id in old and not same(row, old[id])],
        "removed": [row for id, row in old.items() if id not in new],
    }


def _changed(value: Value, changed: Changes, variables: Variables, run: Run) -> Iterator[Finding]:
    try:
        expected = value.evaluate(run, variables)
    except Unusable as broken:
        yield Finding(broken.message, broken.span)
        return
    for table, there in changed.items():
        wanted = expected.get(table, {})
        if isinstance(wanted, int):
            yield from _counted(value, table, wanted, there)
            continue
        for word, rows in there.items():
            yield from _rows(value, (table, word), wanted.get(word, 0), rows)


def _counted(value: Value, table: str, wanted: int, there: Mapping[str, Rows]) -> Iterator[Finding]:
    counts = {word: len(rows) for word, rows in there.items() if rows}
    if sum(counts.values()) != wanted:
        was = ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"
        yield differs(f"changed.{table}", str(wanted), was, value.span(table))


def _rows(value: Value, path: tuple[str, str], wanted: int | Rows, rows: Rows) -> Iterator[Finding]:
    where = f"changed.{'.'.join(path)}"
    if isinstance(wanted, list):
        yield from mismatches(wanted, rows, where, value.span, path)
    elif wanted != len(rows):
        was = f"{len(rows)}: {shown(rows)}" if rows else "0"
        yield differs(where, str(wanted), was, value.span(*path))
