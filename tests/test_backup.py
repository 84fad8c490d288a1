"""Backups: consistent while a server writes, whole or not there at all; and restoring them, all or nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import ENGINE, called, contents, environment, serve, stackwright
from tests.storages import on_postgres, on_sqlite, storage
from tests.support import write

pytestmark = pytest.mark.usefixtures("storage")

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


def rows(shop: Path, sql: str = 'SELECT name FROM "user"') -> list[tuple[Any, ...]]:
    return storage().rows(shop, sql)


def data(shop: Path) -> list[Any]:
    """Everything in the database and the data folder, but for what SQLite keeps beside a database that is open."""
    kept = {name: each for name, each in contents(shop / "data").items() if not name.endswith(("-wal", "-shm"))}
    return [kept, storage().dump(shop)]


def me(client: httpx.Client, shop: Path) -> httpx.Response:
    return client.get("/api:main/me", headers={"Authorization": f"Bearer {(shop / 'token').read_text()}"})


PACKED = {"sqlite": ["database.sqlite3"], "postgres": ["tables.json", "tables/0", "tables/1", "tables/2"]}


def test_a_backup_brings_back_the_records_and_the_tokens(shop: Path, storage: str) -> None:
    ended = stackwright(shop, "backup", "it.zip")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == f"wrote it.zip, {(shop / 'it.zip').stat().st_size} bytes\n"
    assert (shop / "it.zip").stat().st_mode & 0o777 == 0o600
    assert zipfile.ZipFile(shop / "it.zip").namelist() == ["backup.json", *PACKED[storage], "keys/1.json"]
    (shop / "users.csv").write_text("name\nEve\n")
    assert called(shop, "import", "users.csv", "user").status == 0
    assert called(shop, "keys", "rotate").status == 0
    kid = called(shop, "keys", "list").out.split()[0]
    assert called(shop, "keys", "retire", kid).status == 0
    restored = stackwright(shop, "restore", "it.zip")
    assert (restored.status, restored.err) == (0, "")
    assert restored.out.startswith("restored the database and the keys of 2")
    assert rows(shop) == [("Ada",)]
    assert {path.name for path in (shop / "data").iterdir()} - {"database.sqlite3"} == {"keys"}
    (shop / "users.csv").write_text("name\nEve\n")
    assert called(shop, "import", "users.csv", "user").status == 0
    assert rows(shop, 'SELECT id FROM "user" ORDER BY id') == [(1,), (2,)]
    assert called(shop, "migrate").out == "nothing to change\n"
    assert "create the table 'user'" in called(shop, "migrate", "--history").out
    with serve(shop) as server, server.client() as client:
        assert me(client, shop).json() == {"id": 1, "name": "Ada"}


def test_a_backup_brings_up_another_machine(shop: Path) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    storage().drop(shop)
    restored = stackwright(shop, "restore", "it.zip", "--data", "fresh")
    assert restored.status == 0
    assert (shop / "fresh").stat().st_mode & 0o777 == 0o700
    made = [path for path in (shop / "fresh").rglob("*") if path.is_file()]
    assert {path.name for path in made} >= {"1.json"}
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
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
    assert called(shop, "restore", name).status == 0
    parts = [count for (count,) in rows(shop, "SELECT count(*) FROM pair GROUP BY of")]
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
        assert me(client, shop).status_code == 200
        before = data(shop)
        ended = called(shop, "restore", "it.zip")
        assert (ended.status, ended.out) == (1, "")
        said = r"a server or a command uses '.+': stop it first, nothing was changed\n"
        assert re.fullmatch(said, ended.err)
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
    ({"../x": b"x"}, "it holds '../x'"),
    ({"keys/../../x": b"x"}, "it holds 'keys/../../x'"),
    ({"keys/1.json": b"{}"}, "1.json holds no proper key"),
    ({"keys/1.json": b"x" * 5000}, "'keys/1.json' is too long for a key"),
]


DAMAGED_FILE: list[tuple[dict[str, bytes | None], str]] = [
    ({"database.sqlite3": None}, "'it.zip' is no backup, or it is damaged"),
    ({"database.sqlite3": b"x" * 5000}, "the database in 'it.zip' is damaged: file is not a database"),
    ({"database.sqlite3": b""}, "'it.zip' is no backup, or it is damaged: 'database.sqlite3' is empty"),
    ({"database.sqlite3": None, "tables.json": b"[]"}, "no backup of a SQLite database: it holds 'tables.json'"),
]


@on_sqlite
@pytest.mark.parametrize(("changed", "said"), DAMAGED_FILE)
def test_a_damaged_file_changes_nothing(shop: Path, changed: dict[str, bytes | None], said: str) -> None:
    test_what_is_no_backup_of_this_workspace_changes_nothing(shop, changed, said)


def told(**changed: object) -> bytes:
    """The tables of a backup, the only one being made of what has changed."""
    column = {"name": "id", "type": "bigint", "collation": "", "required": True, "note": "", "counts": True}
    table = {"name": "pair", "columns": [column], "references": [], "indexes": [], "last": 0}
    return json.dumps([table | changed]).encode()


EVIL = {
    "name": "id",
    "type": "bigint); DROP TABLE pair; --",
    "collation": "",
    "required": True,
    "note": "",
    "counts": True,
}
DAMAGED_TABLES: list[tuple[dict[str, bytes | None], str]] = [
    ({"tables.json": None}, "'it.zip' is no backup, or it is damaged"),
    ({"tables.json": b"{"}, "'it.zip' is no backup, or it is damaged"),
    ({"tables.json": b"[1]"}, "'tables.json' isn't what was written"),
    ({"tables.json": told(columns=[{}])}, "'tables.json' isn't what was written"),
    ({"tables.json": told(columns=[EVIL])}, "'bigint); DROP TABLE pair; --' is no type of a column"),
    ({"tables.json": told(indexes=["DROP TABLE x"]), "tables/0": b""}, "'DROP TABLE x' makes no index"),
    ({"tables.json": told(indexes=["CREATE INDEX x ON pair (id); DROP TABLE pair"]), "tables/0": b""}, "failed, nothing was changed: cannot insert multiple commands"),
    ({"tables.json": told(references=[{"column": "id", "table": "x", "on_delete": "x", "deferrable": True}]), "tables/0": b""}, "is damaged"),
    ({"tables.json": told(), "tables/0": b"x\n"}, "failed, nothing was changed"),
    ({"tables/1": None}, "'it.zip' is no backup, or it is damaged"),
    ({"tables.json": None, "database.sqlite3": b"x"}, "'it.zip' holds a SQLite database: restore it without STACKWRIGHT_DATABASE_URL"),
]  # fmt: skip


@on_postgres
@pytest.mark.parametrize(("changed", "said"), DAMAGED_TABLES)
def test_damaged_tables_change_nothing(shop: Path, changed: dict[str, bytes | None], said: str) -> None:
    test_what_is_no_backup_of_this_workspace_changes_nothing(shop, changed, said)


@on_postgres
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TRIGGER it BEFORE UPDATE ON pair FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()", "the trigger it of the table 'pair'"),
        ("ALTER TABLE pair ADD CONSTRAINT long CHECK (of <> '')", "the constraint long of the table 'pair'"),
        ("ALTER TABLE pair ADD COLUMN made timestamptz", "the type timestamp with time zone of the column 'made' of the table 'pair'"),
        ("ALTER TABLE pair ALTER COLUMN of SET DEFAULT 'x'", "the default of the column 'of' of the table 'pair'"),
        ("ALTER TABLE pair ENABLE ROW LEVEL SECURITY", "row level security of the table 'pair'"),
    ],
)  # fmt: skip
def test_what_a_backup_cant_hold_is_refused(shop: Path, sql: str, said: str) -> None:
    assert called(shop, "backup", "it.zip").status == 0
    storage().rows(shop, sql)
    for words in (("backup", "other.zip"), ("restore", "it.zip")):
        ended = called(shop, *words)
        assert (ended.status, ended.err) == (
            1,
            f"a backup doesn't hold {said}: use pg_dump and pg_restore, or drop it first\n",
        )
    assert not (shop / "other.zip").exists()


@on_postgres
def test_what_isnt_ours_is_in_no_backup_and_keeps_what_it_needs(shop: Path) -> None:
    storage().rows(shop, "CREATE TABLE elsewhere (x int)")
    storage().rows(shop, "CREATE INDEX by_hand ON pair (lower(of)) WHERE id > 1")
    assert called(shop, "backup", "it.zip").status == 0
    storage().rows(shop, "INSERT INTO elsewhere VALUES (1)")
    before = storage().structure(shop)
    assert called(shop, "restore", "it.zip").status == 0
    assert storage().structure(shop) == before
    assert rows(shop, "SELECT x FROM elsewhere") == [(1,)]
    storage().rows(shop, "CREATE VIEW pairs AS SELECT * FROM pair")
    ended = called(shop, "restore", "it.zip")
    assert "nothing was changed: cannot drop" in ended.err
    assert "view pairs depends on table pair" in ended.err


@on_postgres
def test_every_kind_of_column_and_reference_comes_back(shop: Path) -> None:
    files = {
        "b": """
            table: book
            columns:
              id: int
              next?: {table: book, on_delete: set_null}
              of?: {table: user, on_delete: cascade}
              i?: int
              d?: decimal
              t?: text
              b?: bool
              j?: json
              day?: date
              key: {type: text, unique: true}
            indexes: [{columns: [t], type: search}, {columns: [i, {d: desc}], where: b}]
        """
    }
    write(shop / "stacks", files)
    text = (
        '{"key": "a", "i": 9223372036854775807, "d": 0.1, "t": "tab\\t, \\\\N \\n \\\\. ü 🎈", "b": false, "j": {"b": [1], "a": null}, "of": 1}\n'
        '{"key": "b", "day": "2024-02-29", "t": ""}\n{"key": "c"}\n'
    )
    (shop / "in.jsonl").write_text(text)
    assert called(shop, "import", "in.jsonl", "book").status == 0
    assert called(shop, "backup", "it.zip").status == 0
    before = data(shop)[1]
    storage().drop(shop)
    assert called(shop, "restore", "it.zip").status == 0
    assert data(shop)[1] == before
    assert called(shop, "migrate").out == "nothing to change\n"


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
    content[zipfile.ZipFile(shop / "it.zip").infolist()[1].header_offset + 100] ^= 1
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
    ("backup nowhere/it.zip", "No such file or directory"),
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


@on_sqlite
def test_what_is_no_database_is_neither_kept_nor_restored(shop: Path) -> None:
    said = "'data/database.sqlite3' is no backup, or it is damaged"
    assert said in called(shop, "restore", "data/database.sqlite3").err
    said = "there is no database 'nowhere/database.sqlite3' yet"
    assert said in called(shop, "backup", "it.zip", "--data", "nowhere").err


@on_sqlite
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
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    rows(shop, f"{numbers} INSERT INTO pair (of) SELECT CAST(i AS text) FROM n")
    assert called(shop, "backup", "it.zip").status == 0
    rows(shop, "DELETE FROM pair WHERE id > 10")
    settings = environment(**storage().settings(shop))
    process = subprocess.Popen([*ENGINE, "restore", "it.zip"], cwd=shop, env=settings, stdout=subprocess.PIPE)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert rows(shop, "SELECT count(*) FROM pair") in ([(10,)], [(300000,)])
    assert storage().is_sound(shop)
    assert called(shop, "restore", "it.zip").status == 0
    assert rows(shop, "SELECT count(*) FROM pair") == [(300000,)]
