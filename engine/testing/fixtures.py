"""Fixtures: what a `*.test.yaml` says, read into cases, with its mistakes named like those of stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine import registry
from engine.compile import compile_expression, compile_node
from engine.errors import Problem, Problems, Span, did_you_mean
from engine.registry import filter
from engine.run import Run
from engine.source import Document, Path
from engine.stack import StackReader, seconds_of
from engine.workspace import Endpoint, Function, TestFile, Workspace

VARIABLES = ("response", "status", "headers", "steps")
DEFAULT_CLOCK = 1_735_689_600_000  # 2025-01-01T00:00:00Z, in milliseconds since the epoch

Evaluate = Callable[..., Any]  # (run, response, status, headers, steps)


@filter
def token_claims(run: Run, token: str) -> dict[str, object]:
    """What a token of this server says; only tests have this filter.

    - $response.authToken | token_claims | get("id") == 1
    """
    claims = run.tokens.open(token)
    return {
        "table": claims.table,
        "id": claims.id,
        "extras": claims.extras,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """An expression that must be true of an answer."""

    text: str
    span: Span
    evaluate: Evaluate


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One request and what is expected of its answer; values may speak of the answer before."""

    target: Endpoint | Function
    input: Evaluate | None
    token: Evaluate | None
    auth: Mapping[str, Any] | None
    send: Mapping[str, Any]
    after: int
    status: int
    response: Evaluate | None
    headers: Mapping[str, Any]
    checks: tuple[Check, ...]
    changed: Mapping[str, Any] | None
    document: Document
    path: Path

    def place(self, *keys: str | int) -> str:
        """`file:line` of an expectation, for reports."""
        span = self.document.span((*self.path, *keys))
        return f"{span.path}:{span.line}"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One case: its records, its request, and those that follow."""

    name: str
    records: Mapping[str, list[dict[str, Any]]]
    first: Exchange
    then: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """The cases of one file; `clock` is the time they see, in milliseconds since the epoch."""

    path: str
    clock: int
    cases: tuple[Case, ...]


def problems(workspace: Workspace) -> list[Problem]:
    """What is wrong with the test files of a workspace."""
    return read_suites(workspace)[1]


def read_suites(workspace: Workspace) -> tuple[list[Suite], list[Problem]]:
    """The suites of a workspace that can be read, and what is wrong with the others."""
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
    def __init__(self, file: TestFile, workspace: Workspace) -> None:
        self.file, self.document, self.workspace = file, file.document, workspace
        self.problems: list[Problem] = []
        self.stack_reader = StackReader(self.document)

    def suite(self) -> Suite:
        data: Any = self.document.data
        target = self._target(self.file.target, ("test",))
        records = self._records(("records",), data.get("records", {}))
        cases = [case for place in range(len(data["cases"])) for case in self._cases(place, target, records)]
        return Suite(self.document.text.path, self._clock(data), tuple(cases))

    def _report(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.problems.append(Problem(code, message, span, hint))

    def _clock(self, data: Mapping[str, Any]) -> int:
        written = data.get("clock", DEFAULT_CLOCK)
        if isinstance(written, int):
            return written
        try:
            moment: int = registry.filters()["to_timestamp"].call(written)
            return moment
        except Exception:
            self._report(
                "SW401", f"'{written}' is no time", self.document.span(("clock",)), "write ISO 8601 with a zone"
            )
            return DEFAULT_CLOCK

    def _target(self, name: str, path: Path) -> Endpoint | Function | None:
        endpoints = {each.name: each for each in self.workspace.endpoints}
        found = endpoints.get(name) or self.workspace.functions.get(name)
        if found is None and not self.workspace.broken:
            known = [*endpoints, *self.workspace.functions]
            self._report(
                "SW402", f"unknown endpoint or function '{name}'", self.document.span(path), did_you_mean(name, known)
            )
        return found

    def _records(self, path: Path, records: Mapping[str, Any]) -> dict[str, Any]:
        for name, rows in records.items():
            table = self.workspace.tables.get(name)
            if table is None:
                hint = did_you_mean(name, self.workspace.tables)
                self._report("SW403", f"unknown table '{name}'", self.document.key_span((*path, name)), hint)
                continue
            for place, row in enumerate(rows):
                for column in row:
                    if column not in table.columns:
                        span = self.document.key_span((*path, name, place, column))
                        self._report(
                            "SW404", f"unknown column '{column}' of '{name}'", span, did_you_mean(column, table.columns)
                        )
        return dict(records)

    def _cases(self, place: int, target: Endpoint | Function | None, records: Mapping[str, Any]) -> Iterator[Case]:
        path: Path = ("cases", place)
        data = self.document.value(path)
        own = {**records, **self._records((*path, "records"), data.get("records", {}))}
        inputs: list[Path] = [(*path, "each", number) for number in range(len(data.get("each", ())))] or [
            (*path, "input")
        ]
        if "each" in data and "input" in data:
            self._report("SW405", "a case has either 'input' or 'each'", self.document.key_span((*path, "each")))
        then = [self._then((*path, "then", number)) for number in range(len(data.get("then", ())))]
        for number, input_path in enumerate(inputs):
            first = self._exchange(path, data, target, input_path)
            if first is not None and None not in then:
                name = data["name"] if "each" not in data else f"{data['name']} [{number}]"
                yield Case(name, own, first, tuple(each for each in then if each is not None))

    def _then(self, path: Path) -> Exchange | None:
        data = self.document.value(path)
        return self._exchange(path, data, self._target(data["request"], (*path, "request")), (*path, "input"))

    def _exchange(
        self, path: Path, data: Mapping[str, Any], target: Endpoint | Function | None, input_path: Path
    ) -> Exchange | None:
        changed = data.get("changed")
        self._changed((*path, "changed"), changed or {})
        exchange_checks = tuple(self._checks((*path, "check"), data.get("check", ())))
        parts = {key: self._value((*path, key)) for key in ("token", "response") if key in data}
        input_ = self._value(input_path) if self._has(input_path) else None
        if target is None:
            return None
        return Exchange(
            target=target,
            input=input_,
            token=parts.get("token"),
            auth=data.get("auth"),
            send=data.get("send", {}),
            after=self._after((*path, "after"), data.get("after", 0)),
            status=data.get("status", 200),
            response=parts.get("response"),
            headers=data.get("headers", {}),
            checks=exchange_checks,
            changed=changed,
            document=self.document,
            path=path,
        )

    def _after(self, path: Path, written: object) -> int:
        seconds = written if isinstance(written, int) else seconds_of(str(written))
        if seconds is None:
            self._report("SW406", f"'{written}' is no duration", self.document.span(path), "write 30m, 25h, 7d …")
        return seconds or 0

    def _changed(self, path: Path, changed: Mapping[str, Any]) -> None:
        for name, count in changed.items():
            if name not in self.workspace.tables:
                span = self.document.key_span((*path, name))
                self._report("SW403", f"unknown table '{name}'", span, did_you_mean(name, self.workspace.tables))
            elif not isinstance(count, int) and not (
                isinstance(count, dict) and set(count) <= {"added", "changed", "removed"}
            ):
                hint = f"write '{name}: 1', or '{name}: {{added: 1, changed: 0, removed: 0}}'"
                self._report(
                    "SW407", f"what changed in '{name}' is a number of records", self.document.span((*path, name)), hint
                )

    def _checks(self, path: Path, texts: Iterable[str]) -> Iterator[Check]:
        for place, text in enumerate(texts):
            origin = self.document.origin((*path, place))
            try:
                evaluate = compile_expression(text, VARIABLES, origin=origin)
            except Problems as broken:
                self.problems += broken.problems
            else:
                yield Check(text, self.document.span((*path, place)), evaluate)

    def _value(self, path: Path) -> Evaluate | None:
        try:
            return compile_node(self.stack_reader.value(path), VARIABLES)
        except Problems as broken:
            self.problems += broken.problems
            return None

    def _has(self, path: Path) -> bool:
        try:
            self.document.value(path)
        except (KeyError, IndexError):
            return False
        return True
