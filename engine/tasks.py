"""Tasks of requests: one is made only when its request first waits, as most never do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any


async def own_task() -> asyncio.Task[Any]:
    """The Task that this runs in, made if need be: what `asyncio.timeout` and cancelling need."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    return task


@coroutine
def resumed(begun: Coroutine[Any, Any, Any], waited: object) -> Generator[Any, Any, Any]:
    """Goes on, in a Task, with a coroutine that was begun without one, and that waits for `waited`."""
    try:
        yield waited
    except BaseException as error:  # the Task was cancelled, or what it waited for failed
        try:
            waited = begun.throw(error)
        except StopIteration as end:
            return end.value
        return (yield from resumed(begun, waited))
    return (yield from begun)
