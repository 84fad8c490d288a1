"""Steps for whoever looks for a mistake."""

from __future__ import annotations

from engine.extent import extent
from engine.registry import step
from engine.run import Run

LONGEST = 1 << 16  # bytes of JSON


@step
def debug_log(run: Run, value: object | None, label: str = "") -> None:
    """Writes a value to the log, with the id of the request. One of more than 64 kB ends the run.

    - debug_log: $total
      label: so far
    """
    extent(value, LONGEST)
    run.services.log({"level": "debug", "id": run.id, "label": label, "value": value})
