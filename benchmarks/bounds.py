"""The bounds that we promise: each figure is printed beside its own, and a benchmark fails where one is far off."""

from __future__ import annotations

import sys

SLACK = 1.2  # a figure of a busy machine is a fifth worse than it should be now and then


class Bounds:
    """Figures as they are measured, and the names of those that miss their bound by more than a fifth."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_most(self, what: str, value: float, bound: float, unit: str = "ms") -> None:
        """A figure that is to be small."""
        self._keep(what, value, f"at most {bound:g}", unit, is_missed=value > bound * SLACK)

    def at_least(self, what: str, value: float, bound: float, unit: str = "") -> None:
        """A figure that is to be large."""
        self._keep(what, value, f"at least {bound:g}", unit, is_missed=value < bound / SLACK)

    def _keep(self, what: str, value: float, wanted: str, unit: str, *, is_missed: bool) -> None:
        shown = f"{value:.2f} {unit}".strip()
        print(f"{what:<58}{shown:>14}  ({wanted})", flush=True)
        if is_missed:
            self.missed.append(f"missed by more than a fifth: {what} is {shown}, promised is {wanted}")

    def end(self) -> None:
        """Ends the process with status 1, naming each bound that was missed."""
        for line in self.missed:
            print(line, file=sys.stderr)
        if self.missed:
            sys.exit(1)
