"""Xano's own client against a real server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live import serving
from tests.npm import installed

HERE = Path(__file__).parent / "xano_client"
FILES = {
    "params": "endpoint: GET /params\ninput: {ids: 'int[]', yes: bool, 'none?': text, text: text, o: {type: object, properties: {k: text}}}\nstack: []\nresponse: $input\n",
    "delete": "endpoint: DELETE /params\ninput: {ids: 'int[]', text: text}\nstack: []\nresponse: $input\n",
    "nothing": "endpoint: POST /nothing\nstack: []\nresponse: done\n",
    "upload": "endpoint: POST /upload\ninput: {file: file, count: int, tags: 'text[]', note: {type: text, nullable: true}}\nstack: []\nresponse: $input\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Path:
    """The folder in which the client is installed."""
    return installed(HERE, "xano-js-sdk-3.0.1")


def test_xanos_own_client(client: Path, tmp_path: Path) -> None:
    with serving(tmp_path, FILES) as live:
        command = ["node", str(HERE / "check.mjs"), f"{live.url}/api:main"]
        run = subprocess.run(command, cwd=client, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    seen: dict[str, Any] = json.loads(run.stdout)
    statuses = {name: each["status"] for name, each in seen.items()}
    assert statuses == {
        "signup": 200, "signup again": 403, "login": 200, "wrong password": 403, "me without a token": 401, "me": 200,
        "me with a stale token": 401, "login with a stale token": 200, "params": 200, "nothing": 200, "delete": 200, "upload": 200,
    }, seen  # fmt: skip
    assert seen["me"]["body"].keys() == {"id", "created_at", "name", "email", "role"}
    assert seen["params"]["body"] == {"ids": [1, 2], "yes": True, "none": None, "text": "a b&c", "o": {"k": "v"}}
    assert seen["nothing"]["body"] == "done"
    assert seen["delete"]["body"] == {"ids": [3], "text": "x"}
    upload = seen["upload"]["body"]
    assert upload == {
        "file": {"name": "a.txt", "type": "text/plain", "size": 5},
        "count": 3,
        "tags": ["a", "b"],
        "note": None,
    }
    denied = {"code": "ERROR_CODE_ACCESS_DENIED", "message": "Invalid Credentials.", "payload": ""}
    assert seen["wrong password"]["body"] == denied
