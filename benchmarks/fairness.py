"""`python -m benchmarks.fairness`: how long a cheap request takes beside what would hold up everybody else.

A probe asks `me` at a steady pace from a process of its own, while the server hashes passwords, computes, or edits
many records. Beside the probe's latencies stands how long the event loop was held at most.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.__main__ import USER, post, serving, workspace
from benchmarks.bounds import Bounds
from benchmarks.load import Latencies, Load, beside, measured
from engine.http.serve import DATABASE

PORT = 8305
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
RATE = 150  # requests a second of the probe
RECORDS, SENSORS = 600_000, 60
LOGIN, COMPUTE = "/api:main/auth/login", "/api:main/bench/compute"
RECALIBRATE = "/api:main/bench/recalibrate"
SERVER = [sys.executable, "-m", "benchmarks.watched"]


def fill(database: Path) -> None:
    """Adds the records that are edited: 10,000 of each sensor."""
    count = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            f"INSERT INTO reading (sensor, value, text) {count} SELECT i % ?, i, 'as it was measured' FROM n",
            (RECORDS, SENSORS),
        )


def held() -> float:
    """For how many milliseconds the event loop was held at most since this was asked before."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/watched", timeout=60) as answer:
        told: dict[str, float] = json.load(answer)
    return told["held_ms"]


def row(what: str, found: Latencies) -> Latencies:
    """Prints what the probe found."""
    lost = {status: len(times) for status, times in found.by_status.items() if status != "200"}
    print(
        f"{what:<42}{found.p(50):>9.2f}{found.p(99):>9.2f}{found.p(100):>9.2f}{held():>9.1f}"
        + (f"  answered otherwise: {lost}" if lost else "")
    )
    return found


def probed(what: str, probe: Load, load: Load | None = None) -> tuple[Latencies, Latencies]:
    """The latencies of a probe, and those of the load beside it: of several rounds, those of the middle one."""
    rounds = sorted((_probed(what, probe, load) for _ in range(ROUNDS)), key=lambda found: found[0].p(99))
    return rounds[len(rounds) // 2]


def _probed(what: str, probe: Load, load: Load | None) -> tuple[Latencies, Latencies]:
    held()
    if load is None:
        return row(what, measured(probe)), Latencies({})
    with beside(load) as loads:
        found = row(what, measured(probe))
    return found, loads[0]


def measure(bounds: Bounds, token: str) -> None:
    probe = Load(PORT, "/api:main/auth/me", token=token, rate=RATE, seconds=SECONDS)
    lasting = SECONDS + 1.5
    login = json.dumps({"email": USER["email"], "password": USER["password"]})

    def load(path: str, clients: int, body: Any = "") -> Load:
        return Load(PORT, path, body=body, clients=clients, seconds=lasting)

    measured(probe)  # what is compiled, loaded and kept the first time
    print(f"{'milliseconds of a probe':<42}{'p50':>9}{'p99':>9}{'worst':>9}{'loop':>9}")
    idle, _ = probed("alone", probe)
    few, _ = probed("beside 16 clients that log in", probe, load(LOGIN, 16, login))
    many, logins = probed("beside 250 clients that log in", probe, load(LOGIN, 250, login))
    computing, _ = probed("beside four computing stacks", probe, load(COMPUTE, 4))
    edit = json.dumps({"sensor": 7, "value": 1})
    edited, edits = probed(f"beside an edit that reads {RECORDS:,} records", probe, load(RECALIBRATE, 1, edit))
    assert edits.by_status.keys() == {"200"}, edits.by_status.keys()
    print()
    bounds.at_most("p99 of the probe beside 16 logins, against idle", few.p(99) / idle.p(99), 3, "times")
    bounds.at_most("p99 of the probe beside 250 logins", many.p(99), 20)
    bounds.at_most("p99 of a login that is refused, of 250 at once", logins.p(99, "503"), 100)
    bounds.at_most("p99 of the probe beside four computing stacks", computing.p(99), 20)
    bounds.at_most(f"p99 of the probe beside an edit of {RECORDS:,} records", edited.p(99), 20)


def main() -> None:
    bounds = Bounds()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "STACKWRIGHT_WORKSPACE": str(workspace(folder)),
            "STACKWRIGHT_DATA": str(folder / "data"),
            "PORT": str(PORT),
        }
        with serving(SERVER, PORT, settings, core=None):
            token = post(PORT, "/api:main/auth/signup", USER)["authToken"]
        fill(folder / "data" / DATABASE)
        with serving(SERVER, PORT, settings, core=None):
            measure(bounds, token)
    bounds.end()


if __name__ == "__main__":
    main()
