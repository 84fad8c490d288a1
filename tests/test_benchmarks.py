"""What the benchmarks measure with: bounds that fail when they should, and loads that put on a server what they say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from benchmarks.bounds import Bounds
from benchmarks.load import Latencies, Load, beside, measured
from tests.commands import ADA, LOGIN, free_port, started
from tests.live import ME, copied, serving


@pytest.mark.parametrize(
    ("keep", "is_missed"),
    [
        (lambda bounds: bounds.at_most("it", 12.0, 10), False),
        (lambda bounds: bounds.at_most("it", 12.1, 10), True),
        (lambda bounds: bounds.at_least("it", 0.8, 0.95), False),
        (lambda bounds: bounds.at_least("it", 0.79, 0.95), True),
    ],
)
def test_a_bound_that_is_missed_by_more_than_a_fifth_fails_by_name(
    keep: Callable[[Bounds], None], is_missed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = Bounds()
    keep(bounds)
    if not is_missed:
        return bounds.end()
    with pytest.raises(SystemExit) as end:
        bounds.end()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("missed by more than a fifth: it is ")
    return None


def test_percentiles_are_of_a_status_or_of_all() -> None:
    found = Latencies({"200": [float(n) for n in range(100, 0, -1)], "503": [500.0]})
    assert (found.p(50, "200"), found.p(99, "200"), found.p(100, "200")) == (51.0, 100.0, 100.0)
    assert (found.p(100), found.p(99, "404")) == (500.0, 0.0)


def test_a_probe_keeps_its_pace_and_a_flood_asks_again_and_again(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = httpx.URL(server.url).port or 0
        body = json.dumps({"email": ADA["email"], "password": "wrong horse"})
        with beside(Load(port, LOGIN, body=body, clients=4, seconds=1.5), lead=0.2) as floods:
            probe = measured(Load(port, ME, rate=50, seconds=1))
    assert {status: len(times) for status, times in probe.by_status.items()} == {"401": 50}
    assert floods[0].by_status.keys() == {"403"}
    assert len(floods[0].all) > 4


def test_a_watched_server_tells_how_long_its_loop_was_held(tmp_path: Path) -> None:
    port = free_port()
    root, data = copied(tmp_path), tmp_path / "data"
    settings = {"STACKWRIGHT_WORKSPACE": str(root), "STACKWRIGHT_DATA": str(data), "PORT": str(port)}
    watched = started(tmp_path, sys.executable, "-m", "benchmarks.watched", port=port, **settings)
    with watched as server, server.client() as client:
        told = client.get("/watched").json()
        assert client.get(ME).status_code == 401
    assert told["held_ms"] >= 0
    assert told["cpu_seconds"] > 0
