"""Fixtures: what a `*.test.yaml` says, read into cases, with its mistakes named like those of stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import Problem, Problems, Span, did_you_mean
from engine.shapes import to_milliseconds
from engine.signatures import auth_table_problems
from engine.source import Document, Path
from engine.stack import Word, seconds_of
from engine.testing import expressions
from engine.testing.client import written
from engine.testing.expressions import Value
from engine.workspace import LIVE, Endpoint, Function, TestFile, Workspace

DEFAULT_CLOCK = 1_735_689_600_000  # 2025-01-01T00:00:00Z, in milliseconds since the epoch
# What expressions about an answer may speak of.
ANSWER = ("input", "response", "status", "headers", "steps")
# Those of a request that follows speak of the answer before, and of the case's own, `$first.response`.
FOLLOWING = (*ANSWER, "first")

Target = Endpoint | Function
Make = Callable[[Document, Path, Sequence[str]], Value]


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What the answers must be; `statuses` is how many there are of each, asked for at `status_span`."""

    statuses: Mapping[int, int]
    status_span: Span
    response: Value | None
    headers: Value | None
    checks: tuple[Value, ...]
    changed: Value | None

    @property
    def compared(self) -> frozenset[int]:
        """The statuses of the answers that are looked at: where some succeed, what is said is said of these."""
        return frozenset(status for status in self.statuses if status < 400) or frozenset(self.statuses)


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One request and what is expected of its answer; `after` is how many seconds pass before it.

    It is sent `at_once` times, each time before any is answered, to a data source with a token of it. `changed` is
    expected there of all of them together, and nothing in the others.
    """

    target: Target
    data_source: str
    input: Value | None
    send: Value | None
    auth: Value | None
    token: Value | None
    after: int
    at_once: int
    expected: Expected
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One case: its records by table, in the data source of its request, and those that follow."""

    name: str
    records: Mapping[str, Value]
    first: Exchange
    then: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """The cases of one file; `clock` is the time they see, in milliseconds since the epoch, `env` their environment."""

    path: str
    clock: int
    env: Mapping[str, str]
    cases: tuple[Case, ...]


def problems(workspace: Workspace) -> list[Problem]:
    """What is wrong with the test files of a workspace, in source order."""
    return read_suites(workspace)[1]


def file_problems(file: TestFile, workspace: Workspace) -> list[Problem]:
    """What is wrong with one test file."""
    try:
        read_suite(file, workspace)
    except Problems as broken:
        return broken.problems
    return []


def read_suites(workspace: Workspace) -> tuple[list[Suite], list[Problem]]:
    """The suites of a workspace that can be read, and what is wrong with the others, in source order."""
    suites: list[Suite] = []
    found: list[Problem] = []
    for file in workspace.tests:
        try:
            suites.append(read_suite(file, workspace))
        except Problems as broken:
            found += broken.problems
    return suites, sorted(found, key=lambda problem: problem.place)


def read_suite(file: TestFile, workspace: Workspace) -> Suite:
    """The cases of a test file. Raises `Problems`."""
    reader = _Reader(file, workspace)
    suite = reader.suite()
    if reader.problems:
        raise Problems(reader.problems)
    return suite


class _Reader:
    """Reads one file; `problems` collects what is wrong with it."""

    def __init__(self, file: TestFile, workspace: Workspace) -> None:
        self.file, self.document, self.workspace = file, file.document, workspace
        self.problems: list[Problem] = []

    def suite(self) -> Suite:
        data: Any = self.document.data
        target = self._target(("test",))
        records = self._records(("records",))
        self._names(data["cases"])
        cases = [case for place in range(len(data["cases"])) for case in self._cases(("cases", place), target, records)]
        clock = self._clock(data.get("clock", DEFAULT_CLOCK))
        return Suite(self.document.text.path, clock, self._env(data.get("env", {})), tuple(cases))

    def _clock(self, written: int | str) -> int:
        try:
            return to_milliseconds(written)
        except ValueError:
            hint = "write milliseconds, or ISO 8601 with a zone, as in 2025-01-01T00:00:00Z"
            self._report("SW401", f"'{written}' is no time", self.document.span(("clock",)), hint)
            return DEFAULT_CLOCK

    def _env(self, given: Mapping[str, Any]) -> dict[str, str]:
        declared = {each.name for each in self.workspace.env}
        for name in given:
            if name not in declared:
                span, hint = self.document.key_span(("env", name)), did_you_mean(name, declared)
                hint = hint or "declare it under 'env:' in the workspace's file"
                self._report("SW410", f"unknown environment variable '{name}'", span, hint)
        return {name: written(value) for name, value in given.items()}

    def _names(self, cases: Sequence[Mapping[str, Any]]) -> None:
        seen: dict[str, Span] = {}
        for place, case in enumerate(cases):
            span = self.document.span(("cases", place, "name"))
            if case["name"] in seen:
                hint = f"the other one is at {seen[case['name']]}"
                self._report("SW408", f"two cases are named '{case['name']}'", span, hint)
            seen.setdefault(case["name"], span)

    def _cases(self, path: Path, target: Target | None, records: Mapping[str, Value]) -> Iterator[Case]:
        data = self.document.value(path)
        own = {**records, **self._records((*path, "records"))}
        source = self._data_source(path, LIVE)
        then = [self._following((*path, "then", place), source) for place in range(len(data.get("then", ())))]
        if "each" in data and "input" in data:
            self._report("SW405", "a case has either 'input' or 'each'", self.document.key_span((*path, "each")))
        for place in range(len(data.get("each", ("input",)))):
            input_path = (*path, "each", place) if "each" in data else (*path, "input")
            first = self._exchange(path, target, source, input_path, ())
            if first is not None and None not in then:
                name = f"{data['name']} [{place}]" if "each" in data else data["name"]
                yield Case(name, own, first, tuple(each for each in then if each is not None))

    def _data_source(self, path: Path, usual: str) -> str:
        """What the request at `path` names, else the `usual` one."""
        name: str = self.document.value(path).get("data_source", usual)
        known = (LIVE, *self.workspace.data_sources)
        if name not in known:
            span, hint = self.document.span((*path, "data_source")), did_you_mean(name, known)
            self._report("SW411", f"unknown data source '{name}'", span, hint)
        return name

    def _following(self, path: Path, usual: str) -> Exchange | None:
        target, source = self._target((*path, "request")), self._data_source(path, usual)
        return self._exchange(path, target, source, (*path, "input"), FOLLOWING)

    def _exchange(
        self, path: Path, target: Target | None, source: str, input_path: Path, names: tuple[str, ...]
    ) -> Exchange | None:
        """The request at `path`; `names` are the variables that what it sends may speak of."""
        given = self._optional(input_path, names)
        send, token = self._optional((*path, "send"), names), self._optional((*path, "token"), names)
        auth, after = self._auth(path, names), self._after((*path, "after"))
        at_once: int = self.document.value(path).get("at_once", 1)
        expected = self._expected(path, names or ANSWER, at_once)
        if target is None:
            return None
        self._path_parameters(target, self.document.value(input_path) if self._has(input_path) else {}, path)
        return Exchange(target, source, given, send, auth, token, after, at_once, expected, self._span(path))

    def _span(self, path: Path) -> Span:
        data = self.document.value(path)
        return self.document.span((*path, "request" if "request" in data else "name"))

    def _auth(self, path: Path, names: tuple[str, ...]) -> Value | None:
        data = self.document.value(path)
        if "auth" in data:
            word = Word(data["auth"]["table"], self.document.span((*path, "auth", "table")))
            self.problems += auth_table_problems(self.workspace, word)
            if "token" in data:
                message = "a request has either 'auth' or 'token'"
                self._report("SW405", message, self.document.key_span((*path, "token")))
        return self._optional((*path, "auth"), names)

    def _path_parameters(self, target: Target, given: object, path: Path) -> None:
        parameters = target.parameters if isinstance(target, Endpoint) else ()
        missing = [name for name in parameters if isinstance(given, dict) and name not in given]
        if missing:
            span, hint = self._span(path), f"add '{missing[0]}' to 'input:'"
            self._report("SW409", f"the path of '{target.name}' needs '{missing[0]}'", span, hint)

    def _expected(self, path: Path, names: tuple[str, ...], at_once: int) -> Expected:
        data = self.document.value(path)
        self._changed((*path, "changed"))
        asked = next((key for key in ("statuses", "status") if key in data), None)
        checks = [
            self._value((*path, "check", place), names, expressions.condition)
            for place in range(len(data.get("check", ())))
        ]
        return Expected(
            statuses=self._statuses(path, at_once) if asked == "statuses" else {data.get("status", 200): at_once},
            status_span=self.document.span((*path, asked)) if asked else self._span(path),
            response=self._optional((*path, "response"), names),
            headers=self._optional((*path, "headers"), names),
            checks=tuple(check for check in checks if check is not None),
            changed=self._optional((*path, "changed"), names),
        )

    def _statuses(self, path: Path, at_once: int) -> Mapping[int, int]:
        """How many answers of each status a request that is sent `at_once` times expects."""
        data, place = self.document.value(path), (*path, "statuses")
        counts: dict[int, int] = {int(status): count for status, count in data["statuses"].items()}
        total = sum(counts.values())
        if "status" in data:
            message = "a request expects either 'status' or 'statuses'"
            self._report("SW405", message, self.document.key_span(place), "leave 'status' out")
        if at_once == 1:
            hint = f"add 'at_once: {total}'" if total > 1 else f"write 'status: {next(iter(counts))}'"
            message = "'statuses' counts requests that are sent at once, and this one is sent once"
            self._report("SW412", message, self.document.key_span(place), hint)
        elif total != at_once:
            message, hint = f"'statuses' counts {total}, and {at_once} are sent at once", "let it add up to 'at_once'"
            self._report("SW412", message, self.document.key_span(place), hint)
        return counts

    def _after(self, path: Path) -> int:
        written = self.document.value(path) if self._has(path) else 0
        seconds = written if isinstance(written, int) and written >= 0 else seconds_of(str(written))
        if seconds is None:
            hint = "write seconds, or a number with s, m, h, d or w, as in 25h"
            self._report("SW406", f"'{written}' is no duration", self.document.span(path), hint)
        return seconds or 0

    def _target(self, path: Path) -> Target | None:
        name = self.document.value(path)
        function = self.workspace.functions.get(name) if path == ("test",) else None
        found = self.workspace.addressed(name)
        if len(found) > 1:
            hint = "write its whole address: " + " or ".join(each.address for each in found)
            self._report("SW402", f"'{name}' is in {len(found)} groups", self.document.span(path), hint)
            return None
        target = function or next(iter(found), None)
        if target is None and not any(self.workspace.is_broken(kind, name) for kind in ("endpoint", "function")):
            known = self.workspace.endpoint_names()
            known += self.workspace.functions if path == ("test",) else ()
            what = "endpoint or function" if path == ("test",) else "endpoint"
            self._report("SW402", f"unknown {what} '{name}'", self.document.span(path), did_you_mean(name, known))
        return target

    def _records(self, path: Path) -> dict[str, Value]:
        """The records at `path` by table, none where it isn't there."""
        made: dict[str, Value] = {}
        for table in self.document.value(path) if self._has(path) else ():
            self._table((*path, table), table)
            self._rows((*path, table), table)
            value = self._value((*path, table), (), expressions.value)
            if value is not None:
                made[table] = value
        return made

    def _changed(self, path: Path) -> None:
        for table, counts in self.document.value(path).items() if self._has(path) else ():
            self._table((*path, table), table)
            for word in counts if isinstance(counts, dict) else ():
                self._rows((*path, table, word), table)

    def _table(self, path: Path, name: str) -> None:
        if name not in self.workspace.tables and not self.workspace.is_broken("table", name):
            hint = did_you_mean(name, self.workspace.tables)
            self._report("SW403", f"unknown table '{name}'", self.document.key_span(path), hint)

    def _rows(self, path: Path, table: str) -> None:
        """Reports the columns that the list of records at `path` names and `table` hasn't."""
        rows = self.document.value(path)
        if not isinstance(rows, list) or table not in self.workspace.tables:
            return
        columns = self.workspace.tables[table].columns
        for place, name in ((place, name) for place, row in enumerate(rows) for name in row if name not in columns):
            span = self.document.key_span((*path, place, name))
            self._report("SW404", f"unknown column '{name}' of '{table}'", span, did_you_mean(name, columns))

    def _optional(self, path: Path, names: tuple[str, ...]) -> Value | None:
        return self._value(path, names, expressions.value) if self._has(path) else None

    def _value(self, path: Path, names: tuple[str, ...], make: Make) -> Value | None:
        try:
            return make(self.document, path, names)
        except Problems as broken:
            self.problems += broken.problems
            return None

    def _has(self, path: Path) -> bool:
        return path[-1] in self.document.value(path[:-1]) or isinstance(path[-1], int)

    def _report(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.problems.append(Problem(code, message, span, hint))
