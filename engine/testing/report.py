"""A failure as a builder reads it: what was expected, what was there, and the steps that ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.testing.match import Finding, shown
from engine.testing.trace import Entry, Recorder

FINDINGS, STEPS, LOGGED = 6, 12, 3  # of each are shown at most


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Why a case failed at one of its requests; `log` is what the server wrote meanwhile."""

    target: str
    findings: tuple[Finding, ...]
    trace: Recorder
    log: tuple[Mapping[str, object], ...]

    def render(self) -> str:
        """The text a builder reads: one line each, no secret among them."""
        lines = [f"  {each.span.path}:{each.span.line}: {each.message}" for each in self.findings[:FINDINGS]]
        if len(self.findings) > FINDINGS:
            lines.append(f"  … and {len(self.findings) - FINDINGS} more")
        lines += [f"  {line}" for line in islice(_logged(self.log), LOGGED)]
        if self.trace.entries:
            lines.append(f"  steps of {self.target}:")
            lines += [f"  {line}" for line in _steps(self.trace)]
        return "\n".join(lines)


def _logged(log: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the log says that the client isn't told: the cause of a 500, what `debug_log` wrote, and notes."""
    for entry in log:
        if entry.get("level") == "note":
            yield f"note: {entry['message']}"
        if entry.get("level") == "debug":
            yield f"debug_log {entry['label']}: {shown(entry['value'])}"
        error = entry.get("error")
        if error:
            place = next((frame for frame in reversed(error["frames"]) if ".yaml:" in frame or ".yml:" in frame), "")
            yield f"cause: {error.get('message', error.get('type'))} {place.partition(' ')[0]}".rstrip()


def _steps(trace: Recorder) -> Iterator[str]:
    shown_entries = list(trace.entries)[-STEPS:]
    if trace.count > len(shown_entries):
        yield f"  … {trace.count - len(shown_entries)} steps before"
    for entry in shown_entries:
        yield f"{'→' if entry is trace.decided else ' '} {_step(entry)}"


def _step(entry: Entry) -> str:
    step = entry.step
    parts = [f"{step.span.path}:{step.span.line} {step.name}"]
    if step.result is not None and entry.seconds is not None:
        parts.append(f"{step.result.text} = {shown(entry.value)}")
    if entry.seconds is not None:
        parts.append(f"{entry.seconds * 1000:.1f} ms")
    return "  ".join(parts)
