"""A process that runs a workspace's endpoint in children which kill themselves at each of its steps in turn.

`python kill_driver.py FOLDER` prints JSON: what others see at each event of an undisturbed run, and what the file
holds after a child was killed at that event. An event is a step's begin or its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.check import Checked
from engine.program import build, check_folder
from engine.run import Services, perform
from engine.security.passwords import TEST_COST, Passwords
from engine.stack import Step
from engine.store.sqlite import SqliteStore

State = list[list[Any]]


class Watch:
    """A trace that calls `at` with the number of each event."""

    def __init__(self, at: Callable[[int], None]) -> None:
        self.at, self.count = at, 0

    def enter(self, step: Step) -> None:
        self.at(self.count)
        self.count += 1

    def leave(self, step: Step, value: object) -> None:
        self.enter(step)


def state(database: Path) -> State:
    """All records, as another process sees them."""
    connection = sqlite3.connect(database)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            [name, *row]
            for name in sorted(tables)
            if not name.startswith(("sqlite_", "stackwright."))
            for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY id')
        ]
    finally:
        connection.close()


def run(checked: Checked, database: Path, at: Callable[[int], None]) -> int:
    """Runs the endpoint `POST /it` to its end; the number of its events."""
    watch = Watch(at)

    async def main() -> None:
        store = SqliteStore.open(database, checked.workspace.tables)
        services = Services(store=store, passwords=Passwords(TEST_COST), trace=lambda: watch)
        program = build(checked, services, traced=True)
        compiled = next(each for each in program.endpoints if each.endpoint.name == "POST /it")
        await perform(compiled.plan, services.run(), {}, None)
        await store.close()

    asyncio.run(main())
    return watch.count


def killed(checked: Checked, database: Path, event: int) -> State:
    """What the file holds after a child that ran the endpoint was killed at an event."""

    def die(number: int) -> None:
        if number == event:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        run(checked, database, die)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child lived past event {event}"
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return state(database)


def main(folder: Path) -> None:
    checked = check_folder(folder)
    assert not checked.errors, checked.errors
    databases = (folder / f"{number}.sqlite3" for number in range(10_000))
    seen: list[State] = []
    whole = next(databases)
    # In a child as well: what was forked must have no threads.
    read, write = os.pipe()
    if os.fork() == 0:
        count = run(checked, whole, lambda _: seen.append(state(whole)))
        with os.fdopen(write, "w") as out:
            json.dump({"seen": seen, "count": count, "after": state(whole)}, out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as given:
        report = json.load(given)
    os.wait()
    report["left"] = [killed(checked, next(databases), event) for event in range(report["count"])]
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
