"""Stacks that compute share the event loop: one slice of a turn for all of them together."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from engine import pace
from engine.pace import Turns, in_fiber, wait
from engine.run import perform
from tests.support import program

LOOP = "stack:\n  - set: {a: 0}\n  - repeat: 100000\n    do:\n      - set: {a: $a + 1}\nresponse: {a: $a}\n"
LAMBDA = "stack:\n  - set: {a: '${(1..100000) | map($x => $x * $x) | count}'}\nresponse: {a: $a}\n"
LATE = (
    "stack:\n  - set: {a: '${(1..9) | map($x => (1..9000) | filter($y => $y % 2 == 0) | count) | count}'}\n"
    "response: {a: $a}\n"
)


@pytest.mark.parametrize("stack", [LOOP, LAMBDA, LATE])
def test_stacks_that_compute_do_not_take_a_slice_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    made = program(tmp_path, {"it": f"endpoint: POST /it\n{stack}"})
    turns: Counter[int] = Counter()
    monkeypatch.setattr(pace, "SLICE", 0.0)

    async def run() -> list[object]:
        turn, begin = 0, Turns._begin

        def counted(line: Turns, now: float) -> None:
            turns[turn] += 1
            begin(line, now)

        monkeypatch.setattr(Turns, "_begin", counted)
        runs = [made.endpoints[0].plan for _ in range(8)]
        tasks = [asyncio.ensure_future(perform(plan, made.services.run(), {}, None)) for plan in runs]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turn += 1
        return [task.result() for task in tasks]

    assert len({str(each) for each in asyncio.run(run())}) == 1
    assert len(turns) > 100
    assert max(turns.values()) <= 2  # one goes on, and one may be new


@pytest.mark.usefixtures("storage")
def test_a_run_that_others_wait_for_computes_before_those_that_none_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = LOOP.replace("stack:\n", "stack:\n  - add_record: mark\n    data: {what: a}\n")
    mark = "table: mark\ncolumns: {id: int, what: text}\n"
    files = {"mark": mark, "free": f"endpoint: POST /free\n{LOOP}", "hold": f"endpoint: POST /hold\n{holds}"}
    made = program(tmp_path, files)
    plans = {each.endpoint.name: each.plan for each in made.endpoints}
    monkeypatch.setattr(pace, "SLICE", 0.0)
    done: list[str] = []

    async def ask(name: str) -> None:
        await perform(plans[name], made.services.run(), {}, None)
        done.append(name)

    async def run() -> None:
        await asyncio.gather(*(ask("POST /free") for _ in range(8)), ask("POST /hold"))

    asyncio.run(run())
    assert done == ["POST /hold"] + ["POST /free"] * 8


def test_those_that_none_waits_for_have_every_other_turn() -> None:
    turns, went_on = Turns(), []

    async def compute(name: str, is_waited_for: bool) -> None:
        for _ in range(5):
            await turns.for_one(is_waited_for=is_waited_for)
            went_on.append(name)

    async def run() -> None:
        await asyncio.gather(compute("free", False), compute("hold", True), compute("hold", True))

    asyncio.run(run())
    assert went_on[:10].count("free") == 5


def test_a_run_that_is_cancelled_leaves_the_line(tmp_path: Path) -> None:
    turns = Turns()

    async def run() -> str:
        def work() -> str:
            for _ in range(3):
                wait(turns.for_one())
            return "done"

        given_up, other = (asyncio.ensure_future(_in_fiber(work)) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        answer = await other
        assert given_up.cancelled()
        return answer

    for _ in range(3):  # on three event loops
        assert asyncio.run(run()) == "done"


async def _in_fiber(work: object) -> str:
    return await in_fiber(_Payer(), work)  # type: ignore[arg-type]


class _Payer:
    def spend(self, items: int) -> None: ...
    def failed(self, error: Exception) -> None: ...


def test_what_a_fiber_raises_reaches_who_awaits_it() -> None:
    def fail() -> str:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            asyncio.run(_in_fiber(fail))
