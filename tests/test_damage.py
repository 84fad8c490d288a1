"""A database whose pages are spoilt: who serves it is told, nobody's request waits, and `check --data` says it too."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.damage import damage
from engine.store.sqlite import connect
from tests.commands import ROOT, called, serve
from tests.storages import on_sqlite

PAGE = 4096
SAID = "the database 'data/database.sqlite3' is damaged: "


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the shipped stacks."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    return tmp_path


def _filled(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE spoilt (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO spoilt (text) VALUES (?)", [("x" * 1000,)] * 500)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _spoil(path: Path) -> None:
    """Overwrites a page in the middle of the table's."""
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.seek((file.tell() // PAGE - 20) * PAGE)
        file.write(b"\xa5" * PAGE)


def test_damage_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    _filled(path)
    assert damage(path) == ""
    _spoil(path)
    before = path.read_bytes()
    assert any(word in damage(path) for word in ("malformed", "page"))  # as the version of SQLite says it
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all " * 1000)
    assert damage(path) == "file is not a database"


def test_a_look_that_is_ended_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    _filled(path)
    _spoil(path)
    assert damage(path, lambda connection: connection.set_progress_handler(lambda: 1, 1)) == ""


@on_sqlite
def test_a_server_tells_the_log_of_damage_and_serves_on(shop: Path) -> None:
    with serve(shop):
        pass
    path = shop / "data" / "database.sqlite3"
    _filled(path)
    _spoil(path)
    with serve(shop) as server, server.client() as client:
        end = time.monotonic() + 30
        while SAID not in server.said and time.monotonic() < end:
            assert client.get("/healthz").status_code == 200
            time.sleep(0.05)
        (entry,) = [json.loads(line) for line in server.said.splitlines() if SAID in line]
        assert entry["level"] == "error"
        assert entry["message"].endswith("Stop the server, keep a copy of the file, and restore a backup")
        assert client.get("/healthz").status_code == 200


@on_sqlite
def test_check_looks_at_the_data_where_it_is_asked(shop: Path) -> None:
    missing = called(shop, "check", "--data")
    assert (missing.status, missing.err.partition(":")[0]) == (1, "there is no database 'data/database.sqlite3' yet")
    with serve(shop):
        pass
    path = shop / "data" / "database.sqlite3"
    _filled(path)
    for words in (("check", "--data"), ("check", "stacks", "--data", "data", "--format", "json")):
        assert called(shop, *words).status == 0
    _spoil(path)
    assert called(shop, "check").status == 0
    ended = called(shop, "check", "--data", "--format", "json")
    assert (ended.status, json.loads(ended.out)) == (1, [])
    assert ended.err.startswith(SAID)
