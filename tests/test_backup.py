"""Backups: consistent while a server writes, whole or not there at all; and restoring them, all or nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import ENGINE, called, contents, environment, serve, stackwright
from tests.support import write

STACKS = {
    "workspace": "workspace: shop\n",
    "user": "table: user\nauth: true\ncolumns: {id: int, name: text}\n",
    "pair": "table: pair\ncolumns: {id: int, of: text}\n",
    "add": """
        endpoint: POST /add
        input: {of: text}
        stack:
          - add_record: pair
            data: {of: $input.of}
          - add_record: pair
            data: {of: $input.of}
    """,
    "me": """
        endpoint: GET /me
        auth: user
        stack:
          - get_record: user
            where: {id: $auth.id}
            as: user
        response: $user
    """,
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace with a user, and a key that tokens were made with."""
    write(tmp_path / "stacks", STACKS)
    (tmp_path / "users.csv").write_text("name\nAda\n")
    assert called(tmp_path, "import", "users.csv", "user").status == 0
    (tmp_path / "token").write_text(called(tmp_path, "token", "user", "1").out.strip())
    return tmp_path


def rows(shop: Path, sql: str = "SELECT name FROM user") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop / "data" / "database.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def data(shop: Path) -> dict[str, tuple[int, bytes]]:
    """The data folder, but for what SQLite keeps beside a database that is open."""
    return {name: each for name, each in contents(shop / "data").items() if not name.endswith(("-wal", "-shm"))}


def me(client: httpx.Client, shop: Path) -> httpx.Response:
    return client.get("/api:main/me", headers={"Authorization": f"Bearer {(shop / 'token').read_text()}"})


def test_a_backup_brings_back_the_records_and_the_tokens(shop: Path) -> None:
    ended = stackwright(shop, "backup", "it.zip")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == f"wrote it.zip, {(shop / 'it.zip').stat().st_size} bytes\n"
    assert (shop / "it.zip").stat().st_mode & 0o777 == 0o600
    assert zipfile.ZipFile(shop / "it.zip").namelist() == ["backup.json", "database.sqlite3", "keys/1.json"]
    (shop / "users.csv").write_text("name\nEve\n")
    assert called(shop, "import", "users.csv", "user").status == 0
    assert called(shop, "keys", "rotate").status == 0
    kid = called(shop, "keys", "list").out.split()[0]
    assert called(shop, "keys", "retire", kid).status == 0
    restored = stackwright(shop, "restore", "it.zip")
    assert (restored.status, restored.err) == (0, "")
    assert restored.out.startswith("restored the database and the keys of 2")
    assert rows(shop) == [("Ada",)]
    assert sorted(path.name for path in (shop / "data").iterdir()) == ["database.sqlite3", "keys"]
    with serve(shop) as server, server.client() as client:
        assert me(client, shop).json() == {"id": 1, "name": "Ada"}


def test_a_backup_brings_up_another_machine(shop: Path) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    restored = stackwright(shop, "restore", "it.zip", "--data", "fresh")
    assert restored.status == 0
    assert (shop / "fresh").stat().st_mode & 0o777 == 0o700
    assert (shop / "fresh" / "database.sqlite3").stat().st_mode & 0o777 == 0o600
    assert (shop / "fresh" / "keys" / "1.json").stat().st_mode & 0o777 == 0o600
    with serve(shop, "--data", "fresh") as server, server.client() as client:
        assert me(client, shop).json() == {"id": 1, "name": "Ada"}


def test_what_a_server_writes_is_in_it_whole_or_not_at_all(shop: Path) -> None:
    with serve(shop) as server, server.client() as client:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                assert client.post("/api:main/add", json={"of": str(time.monotonic_ns())}).status_code == 200

        thread = threading.Thread(target=work)
        thread.start()
        names = [f"{number}.zip" for number in range(4)]
        ended = [called(shop, "backup", name) for name in names]
        stop.set()
        thread.join()
    assert [each.status for each in ended] == [0] * 4
    counts = [pairs(shop, name) for name in names]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def pairs(shop: Path, name: str) -> int:
    """How many pairs a backup holds, each of them whole."""
    assert called(shop, "restore", name, "--data", name + ".data").status == 0
    with closing(sqlite3.connect(shop / (name + ".data") / "database.sqlite3")) as connection:
        parts = [count for (count,) in connection.execute("SELECT count(*) FROM pair GROUP BY of")]
    assert set(parts) <= {2}
    return len(parts)


def test_a_backup_replaces_nothing(shop: Path) -> None:
    (shop / "it.zip").write_text("mine")
    ended = called(shop, "backup", "it.zip")
    assert (ended.status, ended.err) == (1, "'it.zip' is there already, nothing was written\n")
    assert (shop / "it.zip").read_text() == "mine"


def test_a_broken_stack_is_in_no_backups_way(shop: Path) -> None:
    write(shop / "stacks", {"add": "endpoint: POST /add\nstack: [nonsense]\n"})
    assert called(shop, "backup", "it.zip").status == 0


def test_a_broken_workspace_file_is(shop: Path) -> None:
    write(shop / "stacks", {"workspace": "workspace: shop\ndata_sources: test\n"})
    ended = called(shop, "backup", "it.zip")
    assert ended.status == 1
    assert "stacks/workspace.yaml:2:15: error SW054: this must be a list" in ended.out + ended.err
    assert not (shop / "it.zip").exists()


@pytest.mark.parametrize("flags", [(), ("--workers", "2")])
def test_nothing_is_restored_under_a_server(shop: Path, flags: tuple[str, ...]) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    with serve(shop, *flags) as server, server.client() as client:
        before = data(shop)
        ended = called(shop, "restore", "it.zip")
        assert (ended.status, ended.out) == (1, "")
        said = "a server or a command uses 'data/database.sqlite3': stop it first, nothing was changed\n"
        assert ended.err == said
        assert data(shop) == before
        assert me(client, shop).status_code == 200
        assert client.post("/api:main/add", json={"of": "x"}).status_code == 200


def packed(shop: Path, **changed: bytes | None) -> None:
    """A backup with some of its files changed or left out."""
    assert called(shop, "backup", "whole.zip").status == 0
    with zipfile.ZipFile(shop / "whole.zip") as whole, zipfile.ZipFile(shop / "it.zip", "w") as made:
        parts: dict[str, bytes | None] = {name: whole.read(name) for name in whole.namelist()}
        for name, content in (parts | changed).items():
            if content is not None:
                made.writestr(name, content)


def manifest(**changed: object) -> bytes:
    return json.dumps({"format": 1, "workspace": "shop", "made": 1} | changed).encode()


DAMAGED: list[tuple[dict[str, bytes | None], str]] = [
    ({"backup.json": None}, "'it.zip' is no backup: it doesn't say whose it is"),
    ({"backup.json": b"{}"}, "'it.zip' is no backup, or it is damaged"),
    ({"backup.json": b"["}, "'it.zip' is no backup, or it is damaged"),
    ({"backup.json": manifest(format=2)}, "'it.zip' was written by a newer version"),
    ({"backup.json": manifest(workspace="other")}, "'it.zip' is of the workspace 'other', not of 'shop'"),
    ({"database.sqlite3": None}, "'it.zip' is no backup, or it is damaged"),
    ({"database.sqlite3": b"x" * 5000}, "the database in 'it.zip' is damaged: file is not a database"),
    ({"database.sqlite3": b""}, "'it.zip' is no backup, or it is damaged: 'database.sqlite3' is empty"),
    ({"../x": b"x"}, "'it.zip' is no backup: it holds '../x'"),
    ({"keys/../../x": b"x"}, "'it.zip' is no backup: it holds 'keys/../../x'"),
    ({"keys/1.json": b"{}"}, "1.json holds no proper key"),
    ({"keys/1.json": b"x" * 5000}, "'keys/1.json' is too long for a key"),
]


@pytest.mark.parametrize(("changed", "said"), DAMAGED)
def test_what_is_no_backup_of_this_workspace_changes_nothing(
    shop: Path, changed: dict[str, bytes | None], said: str
) -> None:
    packed(shop, **changed)
    before = data(shop)
    ended = called(shop, "restore", "it.zip")
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert data(shop) == before


def test_a_backup_with_a_flipped_bit_is_refused(shop: Path) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    content = bytearray((shop / "it.zip").read_bytes())
    content[zipfile.ZipFile(shop / "it.zip").getinfo("database.sqlite3").header_offset + 200] ^= 1
    (shop / "it.zip").write_bytes(content)
    before = data(shop)
    ended = called(shop, "restore", "it.zip")
    assert (ended.status, ended.out) == (1, "")
    assert "'it.zip' is no backup, or it is damaged" in ended.err
    assert data(shop) == before


WORDS = [
    ("restore nowhere.zip", "there is no file 'nowhere.zip'"),
    ("restore users.csv", "'users.csv' is no backup, or it is damaged"),
    ("restore users.csv --data fresh", "'users.csv' is no backup, or it is damaged"),
    ("restore data/database.sqlite3", "'data/database.sqlite3' is no backup, or it is damaged"),
    ("backup nowhere/it.zip", "No such file or directory"),
    ("backup it.zip --data nowhere", "there is no database 'nowhere/database.sqlite3' yet"),
    ("backup it.zip --workspace nowhere", "there is no workspace folder 'nowhere'"),
    ("restore users.csv --workspace nowhere", "there is no workspace folder 'nowhere'"),
]


@pytest.mark.parametrize(("words", "said"), WORDS)
def test_a_mistake_in_the_words(shop: Path, words: str, said: str) -> None:
    before = data(shop)
    ended = called(shop, *words.split())
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert data(shop) == before
    assert not (shop / "fresh").exists()


def test_a_damaged_database_is_kept_beside_the_restored_one(shop: Path) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    (shop / "data" / "database.sqlite3").write_bytes(b"damaged" * 1000)
    assert called(shop, "restore", "it.zip").status == 0
    assert rows(shop) == [("Ada",)]
    assert (shop / "data" / "database.sqlite3.damaged").read_bytes() == b"damaged" * 1000


def test_a_backup_of_older_files_says_so(shop: Path) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    write(shop / "stacks", {"user": STACKS["user"].replace("name: text", "name: text, age?: int")})
    ended = called(shop, "restore", "it.zip")
    assert (ended.status, ended.err) == (0, "note: the tables' files say something else, see `stackwright migrate`\n")


@pytest.mark.parametrize("seconds", [0.5, 0.8, 1.1])
def test_a_killed_restore_left_one_database_or_the_other(shop: Path, seconds: float) -> None:
    fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO pair (of) SELECT i FROM n"
    with closing(sqlite3.connect(shop / "data" / "database.sqlite3")) as connection, connection:
        connection.execute(fill)
    assert called(shop, "backup", "it.zip").status == 0
    with closing(sqlite3.connect(shop / "data" / "database.sqlite3")) as connection, connection:
        connection.execute("DELETE FROM pair WHERE id > 10")
    process = subprocess.Popen([*ENGINE, "restore", "it.zip"], cwd=shop, env=environment(), stdout=subprocess.PIPE)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert rows(shop, "SELECT count(*) FROM pair") in ([(10,)], [(300000,)])
    assert rows(shop, "PRAGMA integrity_check") == [("ok",)]
    assert called(shop, "restore", "it.zip").status == 0
    assert rows(shop, "SELECT count(*) FROM pair") == [(300000,)]
