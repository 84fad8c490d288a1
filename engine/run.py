"""One run of a stack: its services, its session with the database, its clock, chance, budget and trace."""

from __future__ import annotations

import asyncio
import os
import random
import time
import traceback
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

from engine import budget, pace
from engine.blame import answerable
from engine.budget import FILTERS, YAML, Budget, Shares, budget_fault
from engine.compile import Plan, compile_expression
from engine.errors import Fault, kind_fault
from engine.pace import Turns
from engine.stack import Step
from engine.workspace import ANSWER_LIMIT, LIVE, MEMORY_LIMIT, TIME_LIMIT


class Trace(Protocol):
    """Told of each step as it begins and ends, where the stack was compiled traced."""

    def enter(self, step: Step) -> None: ...
    def leave(self, step: Step, value: object) -> None: ...
    def again(self) -> None:
        """The run begins again: nothing that it did counts."""


Request = Mapping[str, Any]  # what a run knows of the request it answers: ASGI's scope


def milliseconds() -> int:
    """The time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def no_log(entry: dict[str, object]) -> None:
    """A log that keeps nothing."""


@dataclass(slots=True)
class Services:
    """What all runs share. `clock` gives milliseconds since the epoch; `chance` is a source of randomness.

    `pause` waits so many seconds. `store` holds the records of `data_source`, `stores` those of the data sources beside
    `LIVE`, by name.
    """

    store: Any = None
    stores: dict[str, Any] = field(default_factory=dict)
    data_source: str = LIVE
    tokens: Any = None
    passwords: Any = None
    clock: Callable[[], int] = milliseconds
    chance: random.Random = field(default_factory=random.SystemRandom)
    log: Callable[[dict[str, object]], None] = no_log
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    env: Mapping[str, object] = field(default_factory=dict)
    time_limit: float = TIME_LIMIT
    memory_limit: int = MEMORY_LIMIT
    answer_limit: int = ANSWER_LIMIT
    turns: Turns = field(default_factory=Turns)
    shares: Shares = field(default_factory=Shares)
    trace: Callable[[], Trace] | None = None
    _prefix: str = field(default_factory=lambda: os.urandom(6).hex())
    _count: Iterator[int] = field(default_factory=count)

    @property
    def every_store(self) -> tuple[Any, ...]:
        return (self.store, *self.stores.values())

    def at(self, data_source: str) -> Services:
        """These services over one of `stores`, with its own tokens, and its name in the log; all else is shared."""
        log = self.log
        return replace(
            self,
            store=self.stores[data_source],
            data_source=data_source,
            tokens=self.tokens.of(data_source),
            log=lambda entry: log({**entry, "data_source": data_source}),
        )

    def run(self, request: Request | None = None) -> Run:
        """A new run, with a correlation id of its own, always of the same length."""
        return Run(self, f"{self._prefix}{next(self._count) & 0xFFFFFFFF:08x}", request)


class Run(Budget):
    """What steps, filters and operations are given. Times are milliseconds since the epoch."""

    __slots__ = ("_outcomes", "_trace", "db", "id", "may_begin_again", "request", "services")

    def __init__(self, services: Services, id: str, request: Request | None) -> None:
        super().__init__(services)
        self.services, self.id, self.request = services, id, request
        self.db: Any = services.store.session(services.time_limit) if services.store is not None else None
        self.may_begin_again = False
        self._outcomes: Outcomes | None = None  # of what is done once, however often the run begins again
        self._trace: Trace | None = None

    def now(self) -> int:
        return self.services.clock()

    def uuid(self) -> str:
        """A random UUID (RFC 9562 §5.4) from the run's source of chance."""
        return str(uuid.UUID(int=self.services.chance.getrandbits(128), version=4))

    @property
    def time_limit(self) -> float:
        """The seconds that it may take."""
        return self.services.time_limit

    @property
    def random(self) -> random.Random:
        return self.services.chance

    @property
    def passwords(self) -> Any:
        return self.services.passwords

    def hash(self, password: str) -> Awaitable[str]:
        """The hash of a password. Raises Fault as `Passwords.hash` does."""
        hash = self.services.passwords.hash
        return self._apart(hash, password) if self.may_begin_again else hash(password)

    def verify(self, stored: str | None, password: str) -> Awaitable[bool]:
        """Whether a hash is a password's. Raises Fault as `Passwords.verify` does."""
        verify = self.services.passwords.verify
        return self._apart(verify, stored, password) if self.may_begin_again else verify(stored, password)

    async def _apart(self, work: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        """What `work` gives, which takes long. A run that others wait for lets go of that, and begins again with it."""
        if self._outcomes is None:
            self._outcomes = Outcomes()
        outcomes, place = self._outcomes.of((work.__name__, *given))
        if place == len(outcomes):
            lets_go = self.is_waited_for and self.db.is_repeatable
            if lets_go:
                self.db.rollback()
            outcomes.append(await _outcome(work(*given)))
            if lets_go:
                raise self.db.overtaken()
        outcome = outcomes[place]
        if isinstance(outcome, Fault):
            raise outcome
        return outcome

    @property
    def is_waited_for(self) -> bool:
        return self.db is not None and bool(self.db.is_waited_for)

    @property
    def goes_on(self) -> bool:
        """False where it is left only to begin again."""
        return self.db is None or not self.db.is_overtaken

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """Around what no rollback undoes: the run must not be done twice for what others write."""
        if self.db is not None:
            await self.db.before_acting()
        failed: Exception | None = None
        try:
            yield
        except Exception as error:  # where it is cancelled it goes nowhere
            failed = error
        if self.db is not None and self.goes_on:
            await self.db.after_acting()
        if failed is not None:
            raise failed

    @property
    def tokens(self) -> Any:
        return self.services.tokens

    @property
    def env(self) -> Mapping[str, object]:
        return self.services.env

    @property
    def trace(self) -> Trace:
        if self._trace is None:
            assert self.services.trace is not None, "a traced stack runs with a trace"
            self._trace = self.services.trace()
        return self._trace

    def again(self) -> None:
        """Told that it begins again: what it computed counts for nothing. Its time goes on."""
        self.begin_anew()
        if self._outcomes is not None:
            self._outcomes.again()
        if self._trace is not None:
            self._trace.again()

    @property
    def request_values(self) -> dict[str, object]:
        """`$request`."""
        request = self.request
        given = {"id": self.id, "time": self.now(), "data_source": self.services.data_source}
        if request is None:
            return {**given, "method": "", "path": "", "ip": None, "headers": {}}
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request["headers"]}
        # Credentials are the server's business; a stack that saw them could hand them on.
        plain = {name: value for name, value in headers.items() if name not in _CREDENTIALS}
        client = request.get("client")
        return {
            **given,
            "method": request["method"],
            "path": request["path"],
            "ip": client[0] if client else None,
            "headers": plain,
        }

    async def sleep(self, seconds: float) -> None:
        """Lets others go on for so long. Faults at once where that is past the time limit."""
        if seconds > self.services.time_limit:
            raise budget_fault(f"it would sleep longer than {self.services.time_limit:g} seconds")
        await self.services.pause(seconds)

    def caught(self, error: Exception) -> dict[str, object]:
        """`$error` in a catch block; what no stack may catch goes on."""
        fault = as_fault(error)
        if fault is None or fault.reason in FINAL:
            raise error
        message = fault.message if fault.name != "fatal" else "Something went wrong."
        return {"code": fault.code, "message": message, "payload": fault.payload, "step": place_of(error)}


class Outcomes:
    """What came out of work, by what it was given: each time that a run asks anew, in the order in which it asks."""

    def __init__(self) -> None:
        self._known: dict[object, list[Any]] = {}
        self._asked: Counter[object] = Counter()

    def of(self, given: object) -> tuple[list[Any], int]:
        """All outcomes there are, and the place among them, or behind them, of the one that is asked for now."""
        place = self._asked[given]
        self._asked[given] += 1
        return self._known.setdefault(given, []), place

    def again(self) -> None:
        self._asked.clear()


async def _outcome(work: Awaitable[Any]) -> Any:
    """What `work` gives, or its Fault."""
    try:
        return await work
    except Fault as fault:
        return fault


_CREDENTIALS = frozenset({"authorization", "x-xano-authorization", "cookie", "proxy-authorization"})
_CALLERS = frozenset({budget.__file__, pace.__file__})  # of filters, for a stack
# Catching these would let a stack outlive its limits.
FINAL = frozenset({"budget", "busy", "closed", "repeatable"})
ATTEMPTS = 20  # at a run that others were in the way of


def as_fault(error: BaseException) -> Fault | None:
    """The fault that an exception of compiled code stands for; None where it is a bug or a cancellation.

    It is the client's where what is at fault came from its input.
    """
    fault = _meant(error)
    return None if fault is None else answerable(fault, error)


def _meant(error: BaseException) -> Fault | None:
    """Python's own operators raise these where a value of open kind is not what the author took it for."""
    match error:
        case Fault():
            return error
        case ZeroDivisionError():
            return Fault("fatal", "a number was divided by zero", reason="division")
        case OverflowError():
            return Fault("fatal", "a number is too large", reason="range")
        case RecursionError():
            return budget_fault("its values are nested too deep")
        case LookupError() | TypeError() | AttributeError() | ValueError() | ArithmeticError() if _in_stack(error):
            return kind_fault("a value is not of the kind that this step needs")
    return None


def _in_stack(error: BaseException) -> bool:
    """Whether compiled YAML raised, or a filter it called: then a value is not what the author took it for."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    count = len(files)
    while files and FILTERS in files[-1]:  # a filter's helpers raise for it
        files.pop()
    return bool(files) and (files[-1].endswith(YAML) or (len(files) < count and files[-1] in _CALLERS))


def place_of(error: BaseException) -> str:
    """`path:line` of the YAML step that raised, empty where none did."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.endswith(YAML)
    ]
    return places[-1] if places else ""


def identity(value: object) -> Any:
    return value


def perform(
    plan: Plan,
    run: Run,
    input: dict[str, Any],
    claims: Any,
    encode: Callable[[object], Any] = identity,
) -> Coroutine[Any, Any, Any]:
    """Runs a plan and answers `encode` of its result; what it wrote is committed once that is ready.

    Raises `Fault`; whatever else is raised is a bug. Either way nothing that the run wrote is kept. Where others
    were in the way of a run that has done nothing but read and write the database, it begins again.
    """
    how = _held_together if plan.writes or plan.is_isolated else _once
    return how(plan, run, input, claims, encode)


async def _once(plan: Plan, run: Run, input: dict[str, Any], claims: Any, encode: Callable[[object], Any]) -> Any:
    try:
        result = plan.function(run, input, claims)
        if plan.is_async:
            result = await result
        return encode(result)
    except Exception as error:
        fault = as_fault(error)
        if fault is None or fault is error:
            raise
        raise fault from error
    finally:
        run.give_back()


async def _held_together(
    plan: Plan, run: Run, input: dict[str, Any], claims: Any, encode: Callable[[object], Any]
) -> Any:
    """Runs a plan whose reads and writes belong together, until nobody was in its way."""
    run.db.is_alone, run.may_begin_again = plan.is_alone, True
    for attempt in range(ATTEMPTS):
        if attempt == ATTEMPTS - 1:
            run.db.is_repeatable = False
        try:
            if plan.is_isolated and not run.db.is_writing:
                await run.db.isolate(writes=plan.writes, several=plan.reads > 1)
            result = plan.function(run, input, claims)
            if plan.is_async:
                result = await result
            answer = encode(result)
            await run.db.commit()
            return answer
        except BaseException as error:
            if not await _begins_again(run, error):
                raise
        finally:
            run.give_back()
        run.again()
        pause = run.db.retreat(attempt)
        if pause:
            await asyncio.sleep(pause)
    raise AssertionError("the last attempt is not repeatable")


async def _begins_again(run: Run, error: BaseException) -> bool:
    """Whether a run that `error` has ended was only overtaken; else nothing that it wrote is kept.

    Raises Fault where `error` stands for one, or where what the run has seen does not last.
    """
    fault = as_fault(error)
    if fault is None:
        run.db.rollback()
        return False
    if fault.reason != "repeatable":
        try:
            await run.db.retract()
        except Fault as other:
            fault = other
    if fault is error or fault.reason == "repeatable":
        return fault.reason == "repeatable"
    raise fault from error


def evaluate(text: str, **variables: object) -> object:
    """The value of a bare expression. Raises `Problems` for what the checker finds, `Fault` for what fails."""
    function = compile_expression(text, list(variables))
    try:
        return function(Services().run(), *variables.values())
    except Exception as error:
        fault = as_fault(error)
        raise (fault if fault is not None else error) from None
