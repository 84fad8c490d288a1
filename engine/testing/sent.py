"""A request as it was sent, and what is left of it for comparing and for a report."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.run import Run
from engine.testing.client import Answer
from engine.testing.expressions import Variables
from engine.testing.trace import Recorder


@dataclass(slots=True)
class Heard:
    """What is heard of one run: its steps, and what it logged."""

    trace: Recorder = field(default_factory=Recorder)
    log: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A request that was answered; `variables` are what expectations of it may speak of.

    `label` tells it from others that were sent at once, and is empty for one alone.
    """

    run: Run
    answer: Answer
    variables: Variables
    heard: Heard
    label: str
