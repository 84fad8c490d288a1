"""`python -m benchmarks.writes`: inserts of runs against the plain statement with a commit of its own, in process.

Runs at once that all change one record are held against the same with the turn from their first step on.

Both sides write the same row into a file with `synchronous=FULL`, ours on the event loop that the server has. The
disk decides the absolute figures; the ratios are what the writer is answerable for.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from textwrap import indent

import uvloop

from engine.program import Compiled, Program, build, check_folder
from engine.run import Services, perform
from engine.store.sqlite import SqliteStore

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
LONE, MANY, AT_ONCE = 300, 6400, 64
INCREMENTS, INCREMENTING = 4000, 40
INCREMENT = """- get_record: counter
  where: {id: 1}
  as: counter
- precondition: $counter != null
- edit_record: counter
  where: {id: 1}
  data: {n: $counter.n + 1}
"""
FILES = {
    "note.yaml": "table: note\ncolumns: {id: int, made: {type: timestamp, default: now}, text: text}\n",
    "add.yaml": (
        "endpoint: POST /note\ninput: {text: text}\n"
        "stack:\n- add_record: note\n  data: {text: $input.text}\n  as: note\nresponse: $note\n"
    ),
    "counter.yaml": "table: counter\ncolumns: {id: int, n: {type: int, default: 0}}\nseed: [{n: 0}]\n",
    "increment.yaml": f"endpoint: POST /increment\nstack:\n{INCREMENT}response: null\n",
    "held.yaml": f"endpoint: POST /held\nstack:\n- transaction:\n{indent(INCREMENT, '  ')}response: null\n",
}
TEXT = "a note of some length, as people write them"


def served(folder: Path) -> Program:
    stacks = folder / "stacks"
    stacks.mkdir()
    for name, text in FILES.items():
        (stacks / name).write_text(text)
    checked = check_folder(stacks)
    return build(checked, Services(store=SqliteStore.open(folder / "ours.sqlite3", checked.workspace.tables)))


async def insert(program: Program, endpoint: Compiled) -> None:
    await perform(endpoint.plan, program.services.run(), endpoint.shape.bind({"text": TEXT}), None)


async def increments(program: Program, endpoint: Compiled) -> float:
    """Seconds a run, of `INCREMENTING` at a time that change one record."""

    async def one_after_the_other() -> None:
        for _ in range(INCREMENTS // INCREMENTING):
            await perform(endpoint.plan, program.services.run(), {}, None)

    started = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(INCREMENTING)))
    return (time.perf_counter() - started) / INCREMENTS


async def lone(program: Program, endpoint: Compiled) -> float:
    """Seconds of one insert after the other."""
    started = time.perf_counter()
    for _ in range(LONE):
        await insert(program, endpoint)
    return (time.perf_counter() - started) / LONE


async def together(program: Program, endpoint: Compiled) -> float:
    """Seconds an insert, of `AT_ONCE` runs at a time."""

    async def one_after_the_other() -> None:
        for _ in range(MANY // AT_ONCE):
            await insert(program, endpoint)

    started = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return (time.perf_counter() - started) / MANY


def plain(connection: sqlite3.Connection) -> float:
    """Seconds of a plain insert with a commit of its own."""
    started = time.perf_counter()
    for _ in range(LONE):
        connection.execute("INSERT INTO note (text, made) VALUES (?, ?) RETURNING id", (TEXT, 1)).fetchall()
    return (time.perf_counter() - started) / LONE


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER, text TEXT NOT NULL)")
    return connection


async def measure(folder: Path) -> None:
    program, connection = served(folder), opened(folder / "plain.sqlite3")
    endpoints = {each.endpoint.path: each for each in program.endpoints}
    endpoint, increment, held = (endpoints[path] for path in ("/note", "/increment", "/held"))
    await insert(program, endpoint)
    rounds = [
        (plain(connection), await lone(program, endpoint), await together(program, endpoint)) for _ in range(ROUNDS)
    ]
    paired = [(await increments(program, held), await increments(program, increment)) for _ in range(ROUNDS)]
    records = await program.services.store.dump("counter")
    assert records == [{"id": 1, "n": 2 * ROUNDS * INCREMENTS}], records
    await program.services.store.close()
    connection.close()
    commit, one, each = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"plain insert and commit    {commit * 1e6:8.0f} µs")
    print(f"a lone run that inserts    {one * 1e6:8.0f} µs  {one / commit:5.2f} of it (to reach: at most 1.7)")
    turn, own = (statistics.median(column) for column in zip(*paired, strict=True))
    print(f"64 runs at once, each      {each * 1e6:8.0f} µs  {commit / each:5.2f} times as fast (to reach: 5)")
    print(f"40 of one record, in turn  {turn * 1e6:8.0f} µs")
    print(f"40 of one record, at once  {own * 1e6:8.0f} µs  {turn / own:5.2f} times as fast (to reach: 0.5)")


def main() -> None:
    # Beside this file and not in a folder of temporary files, which may be memory, whose commits cost nothing.
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as name:
        uvloop.run(measure(Path(name)))


if __name__ == "__main__":
    main()
