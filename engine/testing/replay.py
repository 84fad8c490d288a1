"""Replay: each case on an empty database of its own, through the real application, with clock and chance held still."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import orjson

from engine.check import Checked, WorkspaceChecker
from engine.errors import Fault, Problems, SetupError
from engine.http.app import Server
from engine.http.responses import dumps, refusal
from engine.program import build, check_folder, environment
from engine.run import Run, Services, as_fault, perform, place_of
from engine.security.keys import KeyRing
from engine.security.passwords import TEST_COST, Passwords
from engine.security.tokens import Tokens
from engine.store.base import Store
from engine.store.sqlite import SqliteStore
from engine.testing import client, fixtures
from engine.testing.client import Answer
from engine.testing.clock import Clock
from engine.testing.expect import Changes, Rows, changes, findings
from engine.testing.expressions import Unusable, Value, Variables
from engine.testing.fixtures import Case, Exchange, Suite
from engine.testing.match import Finding
from engine.testing.report import Failure
from engine.testing.sent import Heard, Sent
from engine.testing.trace import Recorder
from engine.token_extras import unknown_extras
from engine.workspace import LIVE, Function, Table

SEED = 0


@dataclass(slots=True)
class _Held:
    """What the services of tests are given anew for each case."""

    clock: Clock = field(default_factory=lambda: Clock(fixtures.DEFAULT_CLOCK))
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    env: dict[str, object] = field(default_factory=dict)


# What is heard of the run that the task is about.
_HEARD: ContextVar[Heard] = ContextVar("heard")

Opener = Callable[[Path, Mapping[str, Table]], Store]
Observer = Callable[[Exchange, Answer], object]


def in_file(folder: Path, tables: Mapping[str, Table]) -> Store:
    """A database that no crash must spare."""
    return SqliteStore.open(folder / "test.sqlite3", tables, synchronous="OFF")


class Harness:
    """A workspace with the services of tests, for replaying one case after the other. Close it in the end.

    `open_store` opens the storage of what is kept in a folder; `observe` is told of each request and its answer.
    """

    def __init__(
        self, checked: Checked, open_store: Opener = in_file, observe: Observer = lambda exchange, answer: None
    ) -> None:
        """Raises `Problems` where the workspace has errors."""
        self._open_store, self._observe = open_store, observe
        self._workspace = checked.workspace
        self._tables = checked.workspace.tables
        self._checker = WorkspaceChecker(checked.workspace)
        self._order = _referenced_first(self._tables)
        self._held = _Held()
        self._folder = tempfile.TemporaryDirectory(prefix="stackwright-")
        self._services = self._open(Path(self._folder.name), checked.workspace.name)
        self._runner = asyncio.Runner()
        try:
            self._program = build(checked, self._services, traced=True)
        except BaseException:
            self.close()
            raise
        self._sources = {LIVE: self._services} | {name: self._services.at(name) for name in self._services.stores}
        self._server = Server(self._program)

    def _open(self, folder: Path, name: str) -> Services:
        def clock() -> int:
            return self._held.clock.now

        names = (LIVE, *self._workspace.data_sources)
        stores = {source: self._open_store(folder / source, self._tables) for source in names}
        return Services(
            store=stores.pop(LIVE),
            stores=stores,
            tokens=Tokens(KeyRing.open(folder / "keys", clock), name, name, clock),
            passwords=Passwords(TEST_COST, threads=1),
            clock=clock,
            pause=self._held.clock.pause,
            chance=self._held.chance,
            log=lambda entry: _HEARD.get().log.append(entry),
            env=self._held.env,
            trace=lambda: _HEARD.get().trace,
        )

    def close(self) -> None:
        """Removes everything that was made."""
        for store in self._services.every_store:
            self._runner.run(store.close())
        self._services.passwords.close()
        self._runner.close()
        self._folder.cleanup()

    def replay(self, suite: Suite, case: Case) -> Failure | None:
        """Replays a case; None where all is as expected."""
        return self._runner.run(self._replay(suite, case))

    async def _replay(self, suite: Suite, case: Case) -> Failure | None:
        self._held.clock.now = suite.clock
        self._held.chance.seed(SEED)
        variables: dict[str, object] = {}
        try:
            self._held.env.clear()
            self._held.env.update(self._environment(suite, case))
            for store in self._services.every_store:
                await store.clear()
            await self._load(case)
            for exchange in (case.first, *case.then):
                failure = await self._exchange(exchange, variables)
                if failure is not None:
                    return failure
        except Unusable as broken:
            return Failure(case.first.target.name, (Finding(broken.message, broken.span),), Recorder(), ())
        return None

    def _environment(self, suite: Suite, case: Case) -> Mapping[str, object]:
        try:
            return environment(self._workspace, {**os.environ, **suite.env})
        except SetupError as lacking:
            raise Unusable(f"{lacking}; give it under 'env:' in this file", case.first.span) from None

    async def _load(self, case: Case) -> None:
        """Loads the records of a case, those that others refer to first. Raises Unusable for one that is refused."""
        services = self._sources[case.first.data_source]
        run = services.run()
        for table in (name for name in self._order if name in case.records):
            value = case.records[table]
            for place, row in enumerate(value.evaluate(run, {})):
                try:
                    await services.store.load(run, table, [row])
                except Fault as fault:
                    run.db.rollback()
                    message = f"the record is refused by the table '{table}': {fault.message}"
                    raise Unusable(message, value.span(place)) from fault
        await run.db.commit()

    async def _exchange(self, exchange: Exchange, variables: dict[str, object]) -> Failure | None:
        """Sends a request and compares what is answered; `variables` become those of the answer."""
        self._held.clock.now += exchange.after * 1000
        before = await self._snapshot(exchange)
        sent = await self._sent(exchange, variables)
        shows, found = findings(exchange.expected, sent, await self._changes(exchange, before))
        variables |= shows.variables
        variables.setdefault("first", dict(variables))
        if not found:
            return None
        target = ", ".join(filter(None, (exchange.target.name, shows.label)))
        return Failure(target, tuple(found), shows.heard.trace, tuple(shows.heard.log))

    async def _sent(self, exchange: Exchange, variables: Variables) -> list[Sent]:
        """The request sent as often as it says, none of them waiting for another's answer; all are answered."""
        count = exchange.at_once
        labels = [f"run {number} of {count}" for number in range(1, count + 1)] if count > 1 else [""]
        sending = (self._send(exchange, variables, label) for label in labels)
        sent = await asyncio.gather(*sending, return_exceptions=True)  # so that none goes on into the next case
        for each in sent:
            if isinstance(each, BaseException):
                raise each
        return [each for each in sent if isinstance(each, Sent)]

    async def _send(self, exchange: Exchange, variables: Variables, label: str) -> Sent:
        heard = Heard()
        _HEARD.set(heard)  # for this task alone
        run = self._sources[exchange.data_source].run()
        given = _evaluated(exchange.input, run, variables)
        with self._held.clock.running():
            answer = await self._answer(exchange, given, run, variables)
        self._observe(exchange, answer)
        told = {
            "input": given, "response": answer.body, "status": answer.status, "headers": answer.headers,
            "steps": heard.trace.results,
        }  # fmt: skip
        return Sent(run, answer, {**variables, **told}, heard, label)

    async def _snapshot(self, exchange: Exchange) -> Mapping[str, Mapping[str, Rows]]:
        """All records by data source and table, where somebody asks what changes."""
        watched = self._sources if exchange.expected.changed is not None else {}
        return {name: await services.store.snapshot() for name, services in watched.items()}

    async def _changes(self, exchange: Exchange, before: Mapping[str, Mapping[str, Rows]]) -> Changes:
        """What changed in the tables of the request's data source, and in `live.user` and the like of others."""
        after = await self._snapshot(exchange)
        found = {name: changes(tables, after[name], self._tables) for name, tables in before.items()}
        own = found.pop(exchange.data_source, {})
        return own | {f"{name}.{table}": rows for name, tables in found.items() for table, rows in tables.items()}

    async def _answer(self, exchange: Exchange, given: Any, run: Run, variables: Variables) -> Answer:
        if isinstance(exchange.target, Function):
            return await self._call(exchange.target, given, run.services)
        headers = self._headers(exchange, run, variables)
        try:
            call = client.call_of(exchange.target, given, headers)
        except KeyError as missing:
            message = f"the path of '{exchange.target.name}' needs {missing}, and the input hasn't got it"
            raise Unusable(message, exchange.span) from None
        return await client.send(self._server, call)

    def _headers(self, exchange: Exchange, run: Run, variables: Variables) -> dict[str, str]:
        sent: dict[str, object] = _evaluated(exchange.send, run, variables) or {}
        headers = {} if exchange.data_source == LIVE else {"x-data-source": exchange.data_source}
        headers |= {name.lower(): client.written(value) for name, value in sent.items()}
        token = _evaluated(exchange.token, run, variables)
        if exchange.auth is not None:
            token = self._token(exchange.auth, run, variables)
        return headers if token is None else {"authorization": f"Bearer {token}", **headers}

    def _token(self, auth: Value, run: Run, variables: Variables) -> str:
        subject = auth.evaluate(run, variables)
        table, extras = subject["table"], subject.get("extras")
        try:
            token: str = run.tokens.create(table, subject["id"], extras)
        except Fault as fault:
            raise Unusable(fault.message, auth.span()) from fault
        if extras and (note := unknown_extras(extras, table, self._checker.carried(table))):
            _HEARD.get().log.append({"level": "note", "message": note})
        return token

    async def _call(self, function: Function, given: Any, services: Services) -> Answer:
        """Runs a function; a fault becomes the answer that a client would get, a result has the status 200."""
        run = services.run()
        try:
            bound = self._program.shape_of(function.name).bind(dict(given or {}))
            body = await perform(self._program.function(function.name), run, bound, None, dumps)
        except Exception as error:
            fault = as_fault(error)
            if fault is None:
                raise
            if fault.name == "fatal":  # its client isn't told why
                told = {"message": str(fault), "frames": [place_of(error)]}
                _HEARD.get().log.append({"level": "error", "error": told})
            status, _, body = refusal(fault, run.id)
            return Answer(status, {}, orjson.loads(body))
        return Answer(200, {}, orjson.loads(body))


def _evaluated(value: Value | None, run: Run, variables: Variables) -> Any:
    return None if value is None else value.evaluate(run, variables)


def _referenced_first(tables: Mapping[str, Table]) -> list[str]:
    """The tables' names, those that others refer to first; as they come where they refer to each other in a ring."""
    references = {
        name: {column.table for column in table.columns.values() if column.table in tables and column.table != name}
        for name, table in tables.items()
    }
    try:
        return list(TopologicalSorter(references).static_order())
    except CycleError:
        return list(tables)


def run_folder(root: Path, shown_as: str, select: str | None, write: Callable[[str], object]) -> bool:
    """Replays the tests of a workspace and writes what happened; whether all passed. Raises `Problems`.

    `select` takes only the cases whose file or name has the word, in any case.
    """
    checked = check_folder(root, shown_as)
    suites, broken = fixtures.read_suites(checked.workspace)
    if checked.errors or broken:
        raise Problems([*checked.errors, *broken])
    chosen = [(suite, case) for suite in suites for case in suite.cases if _is_selected(suite, case, select)]
    if select is not None and not chosen:
        write(f"no case has '{select}' in its name\n")
    failed = sum(not passed for passed in _outcomes(checked, chosen, write))
    write(f"{len(chosen) - failed} passed, {failed} failed\n")
    return not failed and bool(chosen or select is None)


def _is_selected(suite: Suite, case: Case, select: str | None) -> bool:
    return select is None or select.lower() in f"{suite.path} {case.name}".lower()


def _outcomes(checked: Checked, chosen: list[tuple[Suite, Case]], write: Callable[[str], object]) -> Iterator[bool]:
    harness = Harness(checked)
    try:
        for suite, case in chosen:
            failure = harness.replay(suite, case)
            write(f"{'FAIL' if failure else 'ok  '} {suite.path}: {case.name}\n")
            if failure:
                write(failure.render() + "\n")
            yield failure is None
    finally:
        harness.close()
