"""Runs at once: their answers and what they leave are those of the same runs one after the other, in some order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from textwrap import indent
from typing import Any

import httpx
import pytest
from support import program

from engine.errors import Fault
from engine.run import perform
from tests.live import serving

pytestmark = pytest.mark.usefixtures("storage")

Answer = tuple[int, Any]
Call = Callable[[str, int], Awaitable[Answer]]  # a stack's name and how many milliseconds its pauses take

PARENT = """
    table: parent
    columns:
      id: int
      k: {type: text, unique: true}
      g: int
      n: int
      note: {type: text, default: red}
    indexes:
      - {columns: [g]}
      - {columns: [note], type: search}
"""
CHILD = """
    table: child
    columns:
      id: int
      parent_id: {table: parent, on_delete: cascade}
      friend_id?: {table: parent, on_delete: set_null}
      n: int
"""
BUMP = """
    function: bump
    input: {k: text, by: int}
    returns: int
    stack:
      - get_record: parent
        where: {k: $input.k}
        as: found
      - if: $found == null
        then: [{return: 0}]
      - edit_record: parent
        where: {k: $input.k}
        data: {n: "${($found.n + $input.by) % 40}"}
      - return: $found.n
"""
RESET = """
    endpoint: POST /reset
    stack:
      - truncate_table: child
        reset: true
      - truncate_table: parent
        reset: true
      - bulk_add_records: parent
        items:
          - {k: a, g: 1, n: 1}
          - {k: b, g: 1, n: 2}
          - {k: c, g: 2, n: 3, note: blue}
          - {k: d, g: 2, n: 4}
      - bulk_add_records: child
        items:
          - {parent_id: 1, friend_id: 2, n: 1}
          - {parent_id: 2, n: 2}
          - {parent_id: 2, friend_id: 1, n: 3}
    response: null
"""
DUMP = """
    endpoint: GET /dump
    stack:
      - query_all_records: parent
        output: [k, g, n, note]
        sort: {k: asc}
        as: parents
      - query_all_records: child
        output: [n]
        addon: {parent: {by: parent_id, output: [k]}, friend: {by: friend_id, output: [k]}}
        as: children
    response: {parents: $parents, children: "${$children}"}
"""


# Random stacks


READS = (
    ("get_record: parent\nwhere: {{k: {k}}}\nas: {as_}", "${as_}?.n ?? 0"),
    ("get_record: parent\nwhere: {{id: {id}}}\nas: {as_}", "${as_}?.n ?? 0"),
    ("query_all_records: parent\nwhere: n >= {n}\nreturn: count\nas: {as_}", "${as_}"),
    ("query_all_records: parent\nwhere: {{g: {g}}}\nreturn: aggregate\neval: {{s: n | sum}}\nas: {as_}", "${as_}.s ?? 0"),
    (
        "query_all_records: parent\nwhere: {{g: {g}}}\naddon: {{children: child.parent_id}}\nas: {as_}",
        "${as_} | map($p => $p.children | count) | sum",
    ),
    ('query_all_records: parent\nwhere: note | search("red")\nreturn: count\nas: {as_}', "${as_}"),
    ("has_record: child\nwhere: {{parent_id: {id}}}\nas: {as_}", "1 if ${as_} else 0"),
    ("query_all_records: child\nwhere: friend_id == {id}\nreturn: count\nas: {as_}", "${as_}"),
    (
        "direct_database_query: SELECT count(*) AS n FROM child WHERE n > {n}\nreturn: single\nas: {as_}",
        '(${as_} | get("n") ?? 0) | to_int',
    ),
)  # fmt: skip
WRITES = (
    "add_record: parent\ndata: {{k: {k}, g: {g}, n: {sum}}}",
    "edit_record: parent\nwhere: {{k: {k}}}\ndata: {{n: {sum}}}",
    "edit_record: parent\nwhere: {{k: {k}}}\ndata: {{k: {other}}}",
    "edit_record: parent\nwhere: {{id: {id}}}\ndata: {{g: {g}}}",
    "delete_record: parent\nwhere: {{k: {k}}}",
    "add_record: child\ndata: {{parent_id: {id}, n: {sum}}}",
    "bulk_edit_records: parent\nwhere: {{g: {g}}}\ndata: {{n: {sum}}}",
    "bulk_delete_records: child\nwhere: n > {n}",
    "add_or_edit_record: parent\nwhere: {{k: {k}}}\ndata: {{g: {g}, n: {sum}}}",
    "direct_database_query: UPDATE parent SET n = (n + ?) % 40 WHERE g = {g}\nargs: [{sum}]",
    "run_function: bump\nwith: {{k: {k}, by: {sum}}}",
)
PAUSE = "sleep: $input.pause / 1000"


@dataclass
class Draw:
    """A random stack in the making: its steps, and the values that it has read."""

    chance: random.Random
    values: int = 0

    def fill(self, text: str, **more: str) -> str:
        chance, total = self.chance, " + ".join(["1", *(f"$v{place}" for place in range(self.values))])
        return text.format(
            k=chance.choice("abcdef"), other=chance.choice("abcdef"), id=chance.randint(1, 4), g=chance.randint(1, 3),
            n=chance.randint(1, 4), sum=f'"${{({total}) % 40}}"', **more,
        )  # fmt: skip

    def read(self) -> list[str]:
        text, value = self.chance.choice(READS)
        name, place = f"r{self.values}", self.values
        step = self.fill(text, as_=name)
        self.values += 1
        return [step, f"set: {{v{place}: '${{{value.format(as_=name)}}}'}}"]

    def write(self) -> list[str]:
        step = self.fill(self.chance.choice(WRITES))
        match self.chance.randint(0, 7):
            case 0:
                return [f"try:\n{listed([step])}\ncatch: []"]
            case 1:
                return [f"transaction:\n{listed([step])}"]
        return [step]

    def stack(self, name: str) -> str:
        chance, steps = self.chance, list[str]()
        for _ in range(chance.randint(0, 3)):
            steps += [PAUSE] * chance.randint(0, 1) + self.read()
        if chance.random() < 0.3:
            steps.append(self.fill("precondition: {sum} < 12\nerror: conflict").replace('"${', "").replace('}"', ""))
        for _ in range(chance.choice((0, 1, 1, 2)) if self.values else 1):
            steps += [PAUSE] * chance.randint(0, 1) + self.write()
        if chance.random() < 0.3:
            steps += self.read()
        values = ", ".join(f"$v{place}" for place in range(self.values))
        answer = f'"${{[{values}]}}"' if values else "null"
        head = f"endpoint: POST /{name}\ninput: {{pause: {{type: int, default: 0}}}}\nstack:\n"
        return f"{head}{listed(steps)}\nresponse: {answer}\n"


def listed(steps: Iterable[str]) -> str:
    return "\n".join("  - " + indent(step, "    ")[4:] for step in steps)


NAMES = [f"s{number}" for number in range(60)]
FILES = {
    "parent": PARENT,
    "child": CHILD,
    "bump": BUMP,
    "reset": RESET,
    "dump": DUMP,
    **{name: Draw(random.Random(number)).stack(name) for number, name in enumerate(NAMES)},
}


# The places where they run


@asynccontextmanager
async def in_this_process(folder: Path) -> AsyncIterator[Sequence[Call]]:
    made = program(folder, FILES)
    endpoints = {each.endpoint.path[1:]: each for each in made.endpoints}

    async def call(name: str, pause: int) -> Answer:
        compiled = endpoints[name]
        given = compiled.shape.bind({"pause": pause} if name in NAMES else {})
        try:
            return 200, await perform(compiled.plan, made.services.run(), given, None)
        except Fault as fault:
            return fault.status, fault.name

    yield [call]


@asynccontextmanager
async def in_three_processes(folder: Path) -> AsyncIterator[Sequence[Call]]:
    async with AsyncExitStack() as clients:
        with ExitStack() as servers:
            running = [servers.enter_context(serving(folder, FILES)) for _ in range(3)]
            made = [httpx.AsyncClient(base_url=each.url, timeout=30, trust_env=False) for each in running]
            yield [caller(await clients.enter_async_context(client)) for client in made]


def caller(client: httpx.AsyncClient) -> Call:
    async def call(name: str, pause: int) -> Answer:
        path = f"/api:main/{name}"
        answer = await (
            client.get(path) if name == "dump" else client.post(path, json={"pause": pause} if pause else {})
        )
        body = answer.json()
        return answer.status_code, body if answer.status_code == 200 else body["code"]

    return call


# What is proved


async def ready(call: Call) -> None:
    assert await call("reset", 0) == (200, None)


async def left(call: Call) -> Any:
    """What is in the database, but for ids."""
    status, found = await call("dump", 0)
    assert status == 200
    return {**found, "children": sorted(found["children"], key=repr)}


async def order_of(call: Call, names: Sequence[str], answers: Sequence[Answer], after: Any) -> Sequence[int] | None:
    """An order in which these stacks, one after the other, answer and leave the same; None where there is none."""
    for order in permutations(range(len(names))):
        await ready(call)
        for place in order:
            if await call(names[place], 0) != answers[place]:
                break
        else:
            if await left(call) == after:
                return order
    return None


async def prove(calls: Sequence[Call], chance: random.Random, times: int) -> None:
    conflicts = 0
    for _ in range(times):
        await ready(calls[0])
        # A few stacks of which some come several times: what gets in each other's way does so often.
        names = [chance.choice(NAMES)] * chance.randint(1, 3) + chance.sample(NAMES, chance.randint(1, 2))
        ways = [calls[place % len(calls)](name, chance.randint(0, 3)) for place, name in enumerate(names)]
        answers = await asyncio.gather(*ways)
        assert not [answer for answer in answers if answer[0] in (500, 503)], (names, answers)
        after = await left(calls[0])
        order = await order_of(calls[0], names, answers, after)
        assert order is not None, "\n".join([*(FILES[name] for name in dict.fromkeys(names)), str(answers), str(after)])
        conflicts += order != tuple(range(len(names)))
    assert conflicts, "no runs were ever in each other's way"


@pytest.mark.parametrize(("place", "times"), [(in_this_process, 120), (in_three_processes, 25)])
def test_runs_at_once_are_as_some_order_of_them(tmp_path: Path, place: Any, times: int) -> None:
    async def run() -> None:
        async with place(tmp_path) as calls:
            await prove(calls, random.Random(1), times)

    asyncio.run(run())
