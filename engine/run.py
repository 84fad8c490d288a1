"""One run of a stack: its services, its session with the database, its clock, chance, budget and trace."""

from __future__ import annotations

import asyncio
import os
import random
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from engine.compile import STRIDE, Plan, compile_expression
from engine.errors import Fault, kind_fault
from engine.stack import Step

BUDGET = 20_000_000  # items and rounds a run may walk
SLICE = 0.005  # seconds a run computes before others get a turn


class Session(Protocol):
    """What a run reads and writes through; see `engine.store.base`."""

    wrote: bool

    async def commit(self) -> None: ...
    def rollback(self) -> None: ...


class Trace(Protocol):
    """Told of each step as it begins and ends, where the stack was compiled traced."""

    def enter(self, step: Step) -> None: ...
    def leave(self, step: Step, value: object) -> None: ...


Request = Mapping[str, Any]  # what a run knows of the request it answers: ASGI's scope


def milliseconds() -> int:
    """The time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def no_log(entry: dict[str, object]) -> None:
    """A log that keeps nothing."""


@dataclass(slots=True)
class Services:
    """What all runs share. `clock` gives milliseconds since the epoch; `chance` is a source of randomness."""

    store: Any = None
    tokens: Any = None
    passwords: Any = None
    clock: Callable[[], int] = milliseconds
    chance: random.Random = field(default_factory=random.SystemRandom)
    log: Callable[[dict[str, object]], None] = no_log
    env: Mapping[str, object] = field(default_factory=dict)
    time_limit: float = 30.0
    trace: Callable[[], Trace] | None = None
    _prefix: str = field(default_factory=lambda: os.urandom(6).hex())
    _count: Iterator[int] = field(default_factory=count)

    def run(self, request: Request | None = None) -> Run:
        """A new run, with a correlation id of its own, always of the same length."""
        return Run(self, f"{self._prefix}{next(self._count) & 0xFFFFFFFF:08x}", request)


class Run:
    """What steps, filters and operations are given. Times are milliseconds since the epoch.

    `has_effects`: a step has done what no rollback undoes, so that the run must not be done twice.
    """

    __slots__ = ("_next_breath", "_spent", "_started", "_trace", "db", "has_effects", "id", "request", "services")

    def __init__(self, services: Services, id: str, request: Request | None) -> None:
        self.services, self.id, self.request = services, id, request
        self.db: Any = services.store.session() if services.store is not None else None
        self.has_effects = False
        self._spent = 0
        self._started = 0.0
        self._next_breath = 0.0
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

    @property
    def request_values(self) -> dict[str, object]:
        """`$request`."""
        request = self.request
        if request is None:
            return {"id": self.id, "method": "", "path": "", "ip": None, "headers": {}, "time": self.now()}
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request["headers"]}
        # Credentials are the server's business; a stack that saw them could hand them on.
        plain = {name: value for name, value in headers.items() if name not in _CREDENTIALS}
        client = request.get("client")
        return {
            "id": self.id,
            "method": request["method"],
            "path": request["path"],
            "ip": client[0] if client else None,
            "headers": plain,
            "time": self.now(),
        }

    def charged(self, value: Any) -> Any:
        """`value`, after the run paid for its length, where it is a list or an object."""
        if isinstance(value, list | dict):
            self._spent += len(value)
            if self._spent > BUDGET:
                raise budget_fault(f"it walked more than {BUDGET} items")
        return value

    def is_due(self) -> bool:
        """Charges `STRIDE` rounds of a loop; whether others should get a turn. Faults past the time limit."""
        now = time.monotonic()
        self._spent += STRIDE
        if self._spent > BUDGET:
            raise budget_fault(f"it walked more than {BUDGET} items")
        if not self._started:
            self._started, self._next_breath = now, now + SLICE
        if now - self._started > self.services.time_limit:
            raise budget_fault(f"it took longer than {self.services.time_limit:g} seconds")
        return now > self._next_breath

    async def breathe(self) -> None:
        """Lets other runs go on."""
        await asyncio.sleep(0)
        self._next_breath = time.monotonic() + SLICE

    def caught(self, error: Exception) -> dict[str, object]:
        """`$error` in a catch block; what no stack may catch goes on."""
        fault = as_fault(error)
        if fault is None or fault.reason in FINAL:
            raise error
        message = fault.message if fault.name != "fatal" else "Something went wrong."
        return {"code": fault.code, "message": message, "payload": fault.payload, "step": place_of(error)}


_CREDENTIALS = frozenset({"authorization", "x-xano-authorization", "cookie", "proxy-authorization"})
# Catching these would let a stack outlive its limits.
FINAL = frozenset({"budget", "busy", "closed", "repeatable"})
ATTEMPTS = 20  # at a run that others were in the way of
_PAUSE = 0.002  # seconds, twice as long after each attempt, up to `_LONGEST`
_LONGEST = 0.25


_YAML = (".yaml", ".yml")
_FILTERS = os.path.join("engine", "filters") + os.sep


def budget_fault(why: str) -> Fault:
    return Fault("fatal", f"the run was ended: {why}", reason="budget")


def as_fault(error: BaseException) -> Fault | None:
    """The fault that an exception of compiled code stands for; None where it is a bug or a cancellation.

    Python's own operators raise these where a value of open kind is not what the author took it for.
    """
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
    while files and _FILTERS in files[-1]:  # a filter's helpers raise for it
        files.pop()
    return bool(files) and files[-1].endswith(_YAML)


def place_of(error: BaseException) -> str:
    """`path:line` of the YAML step that raised, empty where none did."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.endswith(_YAML)
    ]
    return places[-1] if places else ""


def identity(value: object) -> Any:
    return value


async def perform(
    plan: Plan,
    run: Run,
    input: dict[str, Any],
    claims: Any,
    encode: Callable[[object], Any] = identity,
    attempt: int = 1,
) -> Any:
    """Runs a plan and answers `encode` of its result; what it wrote is committed once that is ready.

    Raises `Fault`; whatever else is raised is a bug. Either way nothing that the run wrote is kept. Where others
    were in the way of a run that has done nothing but read and write the database, it begins again.
    """
    try:
        result = plan.function(run, input, claims)
        if plan.is_async:
            result = await result
        answer = encode(result)
        if plan.writes and run.db.wrote:
            await run.db.commit()
        return answer
    except BaseException as error:
        if plan.writes and run.db.wrote:
            run.db.rollback()
        fault = as_fault(error)
        if fault is None or (fault is error and not _may_repeat(run, fault, attempt)):
            raise
        if fault is not error:
            raise fault from error
    await asyncio.sleep(random.uniform(0, min(_PAUSE * 2**attempt, _LONGEST)))
    return await perform(plan, run, input, claims, encode, attempt + 1)


def _may_repeat(run: Run, fault: Fault, attempt: int) -> bool:
    return fault.reason == "repeatable" and not run.has_effects and attempt < ATTEMPTS


def evaluate(text: str, **variables: object) -> object:
    """The value of a bare expression. Raises `Problems` for what the checker finds, `Fault` for what fails."""
    function = compile_expression(text, list(variables))
    try:
        return function(Services().run(), *variables.values())
    except Exception as error:
        fault = as_fault(error)
        raise (fault if fault is not None else error) from None
