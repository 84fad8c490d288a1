"""Steps that wait."""

from __future__ import annotations

from engine.bounds import range_fault
from engine.registry import step
from engine.run import Run


@step(outside=True)
async def sleep(run: Run, seconds: float) -> None:
    """Waits, while other requests go on; in a test it only moves the clock.

    A run that would wait past its `time_limit` ends at once. After a step that writes, others wait too: for their turn
    to write, which the run keeps to its end.

    - sleep: 0.5
    """
    if seconds < 0:
        raise range_fault("'sleep' takes the seconds to wait, not less than 0")
    await run.sleep(seconds)
