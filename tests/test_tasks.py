"""Requests without a Task until they wait: nothing can tell, but by asking too early."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.tasks import own_task, resumed

ENGINE = Path(__file__).parent.parent / "engine"
# They run in Tasks of their own: storages at a URL have one from the start.
IN_TASKS = ("pg_", "postgres", "pool")


async def on(made: Any, waited: object) -> Any:
    return await resumed(made, waited)


async def sleeps() -> str:
    await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    return "slept"


async def fails_first() -> str:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, ValueError("first"))
    try:
        await future
    except ValueError as error:
        await asyncio.sleep(0.001)
        return f"caught {error}"
    return "no"


async def times_out() -> str:
    await own_task()
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        return "late"
    return "no"


@pytest.mark.parametrize(
    ("made", "result"),
    [(sleeps, "slept"), (fails_first, "caught first"), (times_out, "late")],
)
def test_what_begins_without_a_task_goes_on_in_one(made: Callable[[], Any], result: str) -> None:
    async def run() -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def begin() -> None:
            coroutine = made()
            assert asyncio.current_task() is None
            task = loop.create_task(on(coroutine, coroutine.send(None)))
            task.add_done_callback(lambda done: future.set_result(done.result()))

        loop.call_soon(begin)
        return await future

    assert asyncio.run(run()) == result


def test_what_waits_can_be_cancelled() -> None:
    told: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            told.append("cleaned up")
            raise

    async def run() -> None:
        made = waits()
        task = asyncio.get_running_loop().create_task(on(made, made.send(None)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert told == ["cleaned up"]


_NEED_ONE = {"timeout", "timeout_at", "wait_for", "current_task", "TaskGroup"}


def test_what_needs_a_task_asks_for_it_first() -> None:
    for path in ENGINE.glob("**/*.py"):
        if path.name.startswith(IN_TASKS) or path.parent.name in ("lsp", "cli"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "asyncio"
        }
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not used & _NEED_ONE or "own_task" in names or path.name == "tasks.py", path
