"""Steps for whoever looks for a mistake."""

from __future__ import annotations

from engine.registry import step
from engine.run import Run


@step
def debug_log(run: Run, value: object | None, label: str = "") -> None:
    """Writes a value to the log, with the id of the request.

    - debug_log: $total
      label: so far
    """
    run.services.log({"level": "debug", "id": run.id, "label": label, "value": value})
