"""What a run did, step by step."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from engine.compile import LOOPS
from engine.stack import Step

KEPT = 50  # steps remembered, the last ones


@dataclass(slots=True, eq=False)
class Entry:
    """One step that ran; `seconds` is None where it never ended."""

    step: Step
    started: float
    value: object = None
    seconds: float | None = None


class Recorder:
    """A trace that remembers the last steps, and in `results` what those of the first stack named with `as:`."""

    def __init__(self) -> None:
        self.again()

    def again(self) -> None:
        """See `engine.run.Trace`."""
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.count = 0
        self.results: dict[str, object] = {}
        self._open: list[Entry] = []
        self._path = ""

    def enter(self, step: Step) -> None:
        """See `engine.run.Trace`."""
        self._path = self._path or step.span.path
        entry = Entry(step, time.perf_counter())
        if step.name in ("break", "continue"):
            self._leave_round()
        self.entries.append(entry)
        self._open.append(entry)
        self.count += 1

    def leave(self, step: Step, value: object) -> None:
        """See `engine.run.Trace`."""
        entry = self._open.pop()
        while entry.step is not step:  # what a caught error or a jump left behind
            entry = self._open.pop()
        entry.value, entry.seconds = value, time.perf_counter() - entry.started
        if step.result is not None and step.name not in LOOPS and step.span.path == self._path:
            self.results[step.result.text] = value

    def _leave_round(self) -> None:
        while self._open and self._open[-1].step.name not in LOOPS:
            self._open.pop()

    @property
    def decided(self) -> Entry | None:
        """The step that the run never came out of: what it ended with, where it ended before its last step."""
        return self._open[-1] if self._open else None
