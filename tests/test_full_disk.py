"""A database that has no room left: who writes is told to come again, and the log says it as an error."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live import Live, hosted, serving
from tests.storages import on_sqlite

FILES = {
    "note": "table: note\ncolumns: {id: int, text: text}",
    "add": """
        endpoint: POST /note
        input: {text: text}
        stack:
          - add_record: note
            data: {text: $input.text}
            as: note
        response: {id: $note.id}
    """,
    "sql": """
        endpoint: POST /sql
        input: {text: text}
        stack:
          - direct_database_query: INSERT INTO note (text) VALUES (:text)
            args: {text: $input.text}
    """,
}  # fmt: skip
ANSWER = {
    "code": "ERROR_CODE_UNAVAILABLE",
    "message": "The database couldn't store this. Try again later.",
    "payload": "",
}


@on_sqlite
@pytest.mark.parametrize("path", ["note", "sql"])
def test_a_full_disk_while_a_statement_writes_is_an_error_in_the_log(tmp_path: Path, path: str) -> None:
    async def test() -> None:
        async with hosted(tmp_path, FILES) as site:
            writer = site.services.store.writer.connection
            pages = writer.execute("PRAGMA page_count").fetchone()[0]
            writer.execute(f"PRAGMA max_page_count = {pages + 2}")
            answer = await site.post(f"/api:main/{path}", {"text": "x" * 100_000})
            assert (answer.status, answer.json, answer["retry-after"]) == (503, ANSWER, "1")
            entry = site.entries[-1]
            assert (entry["level"], entry["status"], entry["reason"]) == ("error", 503, "commit")
            assert "x" * 100 not in json.dumps(site.entries)
            writer.execute(f"PRAGMA max_page_count = {pages + 1000}")
            assert (await site.post(f"/api:main/{path}", {"text": "x" * 100_000})).status == 200

    asyncio.run(test())


@on_sqlite
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process's files")
def test_a_full_disk_at_the_commit_is_an_error_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, FILES) as live, live.client() as client:
        assert _added(client).status_code == 200
        size = (live.folder / "data.db-wal").stat().st_size
        before = resource.prlimit(live.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        answer = _added(client)
        assert (answer.status_code, answer.json()) == (503, ANSWER)
        resource.prlimit(live.process.pid, resource.RLIMIT_FSIZE, before)
        assert _added(client).status_code == 200
        assert live.rows("SELECT id FROM note ORDER BY id") == [(1,), (2,)]
    entries = [entry for entry in _log(live) if entry.get("path") == "/api:main/note"]
    assert [(entry["status"], entry["level"]) for entry in entries] == [(200, "info"), (503, "error"), (200, "info")]
    assert entries[1]["error"]["cause"]["code"] == "SQLITE_IOERR_WRITE"


def _added(client: httpx.Client) -> httpx.Response:
    return client.post("/api:main/note", json={"text": "x" * 100_000})


def _log(live: Live) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (live.folder / "out").read_text().splitlines()]
