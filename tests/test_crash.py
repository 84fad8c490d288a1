"""Processes that die: what was acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

import httpx
import pytest
from support import write

from tests.live import LOGIN, SIGNUP, Live, serving

CLIENTS = 20
NOTE = """
    table: note
    columns: {id: int, run: text, part: int}
"""
WRITE = """
    endpoint: POST /write
    input: {run: text}
    stack:
      - add_record: note
        data: {run: $input.run, part: 1}
      - validate_password: slow
        against: null
        as: a
      - add_record: note
        data: {run: $input.run, part: 2}
      - validate_password: slow
        against: null
        as: b
      - add_record: note
        data: {run: $input.run, part: 3}
    response: {a: $a, b: $b}
"""


def busily(live: Live, seconds: float, path: str, body_of: object) -> list[str]:
    """The names whose requests were answered 200 before the process was killed, `seconds` from now."""
    assert callable(body_of)
    done: list[str] = []

    def work(number: int) -> None:
        with live.client() as client:
            for count in range(10_000):
                name = f"c{number}-{count}-{time.monotonic_ns()}"
                try:
                    if client.post(path, json=body_of(name)).status_code == 200:
                        done.append(name)
                except httpx.TransportError:
                    return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    live.kill()
    for thread in threads:
        thread.join()
    return done


def test_every_acknowledged_signup_outlives_the_process(tmp_path: Path, storage: str) -> None:
    with serving(tmp_path) as live:
        names = busily(
            live, 1.5, SIGNUP, lambda name: {"name": name, "email": f"{name}@x.io", "password": f"pw {name}"}
        )
    assert names
    with serving(tmp_path) as live, live.client() as client:
        for name in names:
            answer = client.post(LOGIN, json={"email": f"{name}@x.io", "password": f"pw {name}"})
            assert answer.status_code == 200, (name, answer.text)
        if storage == "sqlite":
            assert live.rows("PRAGMA integrity_check") == [("ok",)]
        emails = [email for (email,) in live.rows('SELECT email FROM "user"')]
        assert len(set(emails)) == len(emails) >= len(names)


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("seconds", [0.05, 0.21, 0.37, 0.6])
def test_i_6_a_killed_run_left_all_its_rows_or_none(tmp_path: Path, seconds: float) -> None:
    with serving(tmp_path, {"note": NOTE, "write": WRITE}) as live:
        done = busily(live, seconds, "/api:main/write", lambda name: {"run": name})
    with serving(tmp_path, {"note": NOTE, "write": WRITE}) as live:
        parts = Counter(live.rows("SELECT run, part FROM note"))
    runs = {run for run, _ in parts}
    assert parts == Counter((run, part) for run in runs for part in (1, 2, 3))
    assert set(done) <= runs


TABLES = {
    "note": """
        table: note
        columns: {id: int, text: {type: text, unique: true}, part?: int}
        """,
    "log": """
        table: log
        columns: {id: int, note_id?: {table: note}, text: text}
        """,
    "noted": """
        function: noted
        input: {text: text}
        stack:
          - add_record: note
            data: {text: $input.text}
            as: note
          - add_record: log
            data: {note_id: $note.id, text: added}
        """,
}
WRITING = """
    endpoint: POST /it
    atomic: %s
    stack:
      - add_record: note
        data: {text: one}
        as: one
      - bulk_add_records: note
        items: [{text: two}, {text: three}]
      - repeat: 2
        as: n
        do:
          - run_function: noted
            with: {text: "n${$n}"}
      - edit_record: note
        where: {id: $one.id}
        data: {part: 1}
      - transaction:
          - patch_record: note
            where: {text: two}
            data: {part: 2}
          - bulk_patch_records: note
            items: [{id: $one.id, part: 3}]
          - try:
              - transaction:
                  - truncate_table: log
                  - throw: conflict
            catch: []
      - add_or_edit_record: note
        where: {text: four}
        data: {part: 4}
      - bulk_edit_records: note
        all: true
        data: {part: 5}
      - delete_record: note
        where: {text: three}
      - bulk_delete_records: log
        where: {text: added}
"""
# What others see one after the other when every step is kept by itself: the records of `note` and `log`.
KEPT = [(0, 0), (1, 0), (3, 0), (4, 1), (5, 2), (6, 2), (5, 2), (5, 0)]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_run_killed_at_any_step_leaves_what_was_committed_and_nothing_else(tmp_path: Path, atomic: bool) -> None:
    write(tmp_path, {**TABLES, "it": WRITING % str(atomic).lower()})
    driver = Path(__file__).parent / "kill_driver.py"
    done = subprocess.run([sys.executable, driver, tmp_path], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["count"] >= 40
    assert report["left"] == report["seen"]
    seen = [tuple(sum(row[0] == table for row in state) for table in ("note", "log")) for state in report["seen"]]
    assert [counts for counts, _ in groupby(seen)] == ([(0, 0)] if atomic else KEPT)
    assert len(report["after"]) == 5
