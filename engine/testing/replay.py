"""Replay: each case on an empty database of its own, through the real application, with clock and chance held still."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from engine.check import Checked
from engine.compare import same
from engine.errors import FAULTS, Fault, Problems
from engine.http.app import Server
from engine.program import Program, build, check_folder
from engine.run import Services, as_fault, perform
from engine.security.keys import KeyRing
from engine.security.passwords import TEST_COST, Passwords
from engine.security.tokens import Tokens
from engine.stack import Step
from engine.store.sqlite import SqliteStore
from engine.testing import fixtures
from engine.testing.fixtures import Case, Exchange, Suite
from engine.workspace import Endpoint

SHOWN = 100  # characters of a value in a report


@dataclass(slots=True)
class Entry:
    """One step as it ran: how long it took (milliseconds), and whether it came to its end."""

    step: Step
    value: object = None
    started: float = 0.0
    took: float = 0.0
    ended: bool = False


class StepTrace:
    """The steps of one run in order, and the results they named."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._open: list[Entry] = []
        self.steps: dict[str, object] = {}

    def enter(self, step: Step) -> None:
        entry = Entry(step, started=perf_counter())
        self.entries.append(entry)
        self._open.append(entry)

    def leave(self, step: Step, value: object) -> None:
        while self._open:  # a step that jumped out of its block left its own end out
            entry = self._open.pop()
            if entry.step is step:
                entry.value, entry.ended = value, True
                entry.took = (perf_counter() - entry.started) * 1000
                break
        if step.result is not None:
            self.steps[step.result.text] = value


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body read as JSON, header names in lower case."""

    status: int
    headers: dict[str, str]
    response: Any
    trace: StepTrace


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a case failed: each expectation with its place, and the steps that ran."""

    wrong: tuple[str, ...]
    trace: StepTrace

    def render(self) -> str:
        """The text a builder reads."""
        lines = [f"  {each}" for each in self.wrong]
        if self.trace.entries:
            lines += ["  steps:", *(f"  {line}" for line in trace_lines(self.trace))]
        return "\n".join(lines)


def trace_lines(trace: StepTrace) -> Iterator[str]:
    """The steps of a run, the one that decided marked with an arrow."""
    last = next((entry for entry in reversed(trace.entries) if not entry.ended), None)
    for entry in trace.entries:
        mark = "→" if entry is last else " "
        result = f"  {entry.step.result.text} = {shown(entry.value)}" if entry.step.result and entry.ended else ""
        took = f"  {entry.took:.1f} ms" if entry.ended and entry.took >= 1 else ""
        yield f"{mark} {entry.step.span.path}:{entry.step.span.line} {entry.step.name}{result}{took}"


def shown(value: object) -> str:
    """A value as reports show it: JSON, cut to a length; a secret is masked."""
    text = orjson.dumps(value, default=repr).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


@dataclass(slots=True)
class _Held:
    """Clock and chance of the tests."""

    now: int = fixtures.DEFAULT_CLOCK
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    trace: StepTrace = field(default_factory=StepTrace)


class Harness:
    """A workspace with the services of tests, for replaying one case after the other. Close it in the end."""

    def __init__(self, checked: Checked) -> None:
        """Raises `Problems` where the workspace has errors."""
        self._folder = tempfile.TemporaryDirectory(prefix="stackwright-")
        self._runner = asyncio.Runner()
        self._held = _Held()
        folder, workspace = Path(self._folder.name), checked.workspace
        self._store = SqliteStore.open(folder / "test.sqlite3", workspace.tables, synchronous="OFF")
        services = Services(
            store=self._store,
            tokens=Tokens(KeyRing.open(folder / "keys"), workspace.name, workspace.name, self._clock),
            passwords=Passwords(TEST_COST, threads=1),
            clock=self._clock,
            chance=self._held.chance,
            trace=lambda: self._held.trace,
        )
        self.program: Program = build(checked, services, traced=True)
        self._server = Server(self.program)

    def _clock(self) -> int:
        return self._held.now

    def close(self) -> None:
        """Removes everything that was made."""
        self._runner.run(self._store.close())
        self.program.services.passwords.close()
        self._runner.close()
        self._folder.cleanup()

    def replay(self, suite: Suite, case: Case) -> Failure | None:
        """Replays a case; None where all is as expected."""
        return self._runner.run(self._replay(suite, case))

    async def _replay(self, suite: Suite, case: Case) -> Failure | None:
        self._held.now = suite.clock
        self._held.chance.seed(0)
        await self._store.clear()
        await self._load(case.records)
        before: Answer | None = None
        for exchange in (case.first, *case.then):
            self._held.now += exchange.after * 1000
            rows = self._store.snapshot()
            answer = await self._send(exchange, before)
            wrong = tuple(self._differences(exchange, before, answer, rows))
            if wrong:
                return Failure(wrong, answer.trace)
            before = answer
        return None

    async def _load(self, records: Mapping[str, Any]) -> None:
        run = self.program.services.run()
        for table, rows in records.items():
            await self._store.load(run, table, rows)
        await run.db.commit()

    def _evaluate(self, function: Callable[..., Any], answer: Answer | None) -> Any:
        values: tuple[Any, ...] = (None, None, {}, {})
        if answer is not None:
            values = (answer.response, answer.status, answer.headers, answer.trace.steps)
        return function(self.program.services.run(), *values)

    async def _send(self, exchange: Exchange, before: Answer | None) -> Answer:
        self._held.trace = StepTrace()
        given = self._evaluate(exchange.input, before) if exchange.input is not None else None
        if isinstance(exchange.target, Endpoint):
            headers = {str(name): _header(value) for name, value in exchange.send.items()}
            token = self._token(exchange, before)
            if token is not None:
                headers["authorization"] = f"Bearer {token}"
            return await self._request(exchange.target, given, headers)
        return await self._call(exchange.target.name, given)

    def _token(self, exchange: Exchange, before: Answer | None) -> str | None:
        if exchange.auth is not None:
            auth = exchange.auth
            token: str = self.program.services.tokens.create(auth["table"], auth["id"], auth.get("extras"))
            return token
        return str(self._evaluate(exchange.token, before)) if exchange.token is not None else None

    async def _call(self, name: str, given: Any) -> Answer:
        """Runs a function; a fault shows as the answer that a client would get."""
        trace = self._held.trace
        bind = self.program.shape_of(name).bind
        try:
            value = await perform(self.program.function(name), self.program.services.run(), bind(given or {}), None)
        except Exception as error:
            fault = as_fault(error)
            if fault is None:
                raise
            body = {"code": fault.code, "message": fault.message, "payload": fault.payload}
            return Answer(fault.status, {}, body, trace)
        return Answer(200, {}, value, trace)

    async def _request(self, endpoint: Endpoint, given: Any, headers: Mapping[str, str]) -> Answer:
        path, query, body = _placed(endpoint, given)
        sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if body is not None:
            sent += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "method": endpoint.method,
            "path": path, "raw_path": quote(path).encode(), "query_string": query.encode(), "root_path": "",
            "headers": sent, "client": ("127.0.0.1", 1), "server": ("test", 80),
        }  # fmt: skip
        return await self._exchange(scope, body or b"")

    async def _exchange(self, scope: dict[str, Any], body: bytes) -> Answer:
        messages: list[Any] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        trace = self._held.trace
        await self._server(scope, receive, send)
        start, *rest = messages
        content = b"".join(message.get("body", b"") for message in rest)
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, _read(content), trace)

    def _differences(
        self, exchange: Exchange, before: Answer | None, answer: Answer, rows: dict[str, list[dict[str, Any]]]
    ) -> Iterator[str]:
        if answer.status != exchange.status:
            was = f"{answer.status}: {shown(answer.response)}"
            yield f"{exchange.place('status')}: expected status {exchange.status}, was {was}"
        elif exchange.response is not None:
            expected = self._evaluate(exchange.response, before)
            for path, wanted, there in differences(expected, answer.response, "response"):
                yield f"{exchange.place('response')}: {path}: expected {wanted}, was {there}"
        for name, value in exchange.headers.items():
            sent = answer.headers.get(str(name).lower())
            if sent != _header(value):
                yield f"{exchange.place('headers')}: header {name}: expected {value}, was {sent}"
        yield from self._failed_checks(exchange, answer)
        if exchange.changed is not None:
            yield from _changes(exchange, rows, self._store.snapshot())

    def _failed_checks(self, exchange: Exchange, answer: Answer) -> Iterator[str]:
        for check in exchange.checks:
            place = f"{check.span.path}:{check.span.line}"
            try:
                result = self._evaluate(check.evaluate, answer)
            except Exception as error:
                fault = as_fault(error)
                if fault is None:
                    raise
                yield f"{place}: '{check.text}' failed: {fault.message}"
            else:
                if result is not True:
                    yield f"{place}: '{check.text}' is {shown(result)}, not true"


def _header(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _read(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")


def _placed(endpoint: Endpoint, given: Any) -> tuple[str, str, bytes | None]:
    """Path, query and body that carry an input to an endpoint."""
    path, rest = f"/api:{endpoint.group.canonical}{endpoint.path}", given
    if isinstance(given, dict):
        rest = {name: value for name, value in given.items() if name not in endpoint.parameters}
        for name in endpoint.parameters:
            path = path.replace(f"{{{name}}}", quote(_header(given.get(name, "")), safe=""))
    if rest is None:
        return path, "", None
    if endpoint.method in ("GET", "HEAD", "DELETE") and isinstance(rest, dict):
        return path, urlencode(list(_query(rest))), None
    return path, "", orjson.dumps(rest)


def _query(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, list):
            yield from ((f"{name}[]", _header(item)) for item in value)
        elif isinstance(value, dict):
            yield from ((f"{name}[{key}]", _header(item)) for key, item in value.items())
        elif value is not None:
            yield name, _header(value)


def differences(expected: Any, there: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Where an answer differs from what is expected: objects may have more keys, all else is the same."""
    if isinstance(expected, dict) and isinstance(there, dict):
        for name, value in expected.items():
            if name in there:
                yield from differences(value, there[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}", shown(value), "absent"
    elif isinstance(expected, list) and isinstance(there, list) and len(expected) == len(there):
        for place, value in enumerate(expected):
            yield from differences(value, there[place], f"{path}[{place}]")
    elif not same(expected, there):
        yield path, shown(expected), shown(there)


def _changes(
    exchange: Exchange, before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
) -> Iterator[str]:
    assert exchange.changed is not None
    for table in before:
        counts = _counts({row["id"]: row for row in before[table]}, {row["id"]: row for row in after[table]})
        expected = exchange.changed.get(table, 0)
        wanted = expected if isinstance(expected, dict) else None
        wrong = (
            any(counts[key] != value for key, value in wanted.items()) if wanted else sum(counts.values()) != expected
        )
        if wrong:
            there = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no change"
            yield f"{exchange.place('changed')}: table {table}: expected {shown(expected)} changed, was {there}"


def _counts(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[str, int]:
    return {
        "added": len(after.keys() - before.keys()),
        "changed": sum(before[key] != after[key] for key in before.keys() & after.keys()),
        "removed": len(before.keys() - after.keys()),
    }


def run_folder(root: Path, shown_as: str, select: str | None, write: Callable[[str], object]) -> bool:
    """Replays the tests of a workspace and writes what happened; whether all passed. Raises `Problems`."""
    checked = check_folder(root, shown_as)
    suites, broken = fixtures.read_suites(checked.workspace)
    if checked.errors or broken:
        raise Problems([*checked.errors, *broken])
    harness = Harness(checked)
    passed = failed = 0
    try:
        for suite in suites:
            for case in suite.cases:
                if select is not None and select.lower() not in f"{suite.path} {case.name}".lower():
                    continue
                failure = _guarded(harness, suite, case)
                passed, failed = (passed + 1, failed) if failure is None else (passed, failed + 1)
                write(f"{'ok  ' if failure is None else 'FAIL'} {suite.path}: {case.name}\n")
                write("" if failure is None else failure.render() + "\n")
    finally:
        harness.close()
    write(f"{passed} passed, {failed} failed\n")
    return failed == 0


def _guarded(harness: Harness, suite: Suite, case: Case) -> Failure | None:
    """A case that can't be sent fails with the reason."""
    try:
        return harness.replay(suite, case)
    except Fault as fault:
        status, code = FAULTS[fault.name]
        reason = f"{case.first.place()}: the case can't be run: {status} {code}: {fault.message} {shown(fault.payload)}"
        return Failure((reason,), StepTrace())
