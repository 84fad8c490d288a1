"""The contract of the shipped stacks in the hands of others: linters, generators, a tester, a page's readers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import ADA, ROOT, SIGNUP, called
from tests.live import serving
from tests.npm import installed

HERE = Path(__file__).parent / "contract_tools"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
SECONDS = int(os.environ.get("STACKWRIGHT_TEST_SECONDS", "25"))  # that are spent on requests nobody would think of
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
DOCS_TOKEN = "a-token-of-the-docs"
WORKSPACE = "workspace: accounts\ncanonical: main\nenv: {DOCS: text}\nopenapi: {token: $env.DOCS}\n"


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder in which they are installed."""
    return installed(HERE, "contract-tools-1")


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract")
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    assert called(folder, "openapi", "-o", "openapi.json").status == 0
    return folder / "openapi.json"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command that has to end well."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=120 + SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_redocly_finds_no_error(tools: Path, contract: Path) -> None:
    found = run(tools, str(tools / "node_modules/.bin/redocly"), "lint", str(contract), "--format=json")
    totals = json.loads(found.stdout)["totals"]
    assert totals["errors"] == 0, found.stdout


def test_its_types_compile(tools: Path, contract: Path, tmp_path: Path) -> None:
    binaries = tools / "node_modules" / ".bin"
    run(tools, str(binaries / "openapi-typescript"), str(contract), "-o", str(tmp_path / "contract.ts"))
    shutil.copy(HERE / "use.ts", tmp_path)
    strict = ("--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess")
    run(tmp_path, str(binaries / "tsc"), *strict, "--noEmit", "use.ts")


@pytest.mark.parametrize("locked", [False, True], ids=["public", "protected"])
def test_the_page(tools: Path, tmp_path: Path, locked: bool) -> None:
    files = {"workspace": WORKSPACE} if locked else {}
    with serving(tmp_path, files, DOCS=DOCS_TOKEN) as live:
        seen: dict[str, Any] = json.loads(run(tools, "node", str(HERE / "page.mjs"), live.url, DOCS_TOKEN).stdout)
    assert (seen["errors"], seen["violations"]) == ([], [])
    assert seen["locked"] is locked
    assert seen.get("notice", "Invalid token.") == "Invalid token."
    ids = ["postAuthLogin", "getAuthMe", "postAuthSignup"]
    assert (seen["title"], seen["operations"], seen["links"]) == ("accounts", ids, [f"#{each}" for each in ids])
    assert "password text required 8 to 1024 characters" in seen["signup"]
    assert "This account is already in use." in seen["signup"]
    assert (seen["made"]["status"], seen["me"]["status"], seen["refused"]["status"]) == ("200", "200", "403")
    assert seen["me"]["body"]["email"] == "ada@example.com"
    assert seen["me"]["command"].endswith('/api:main/auth/me\' -H "Authorization: Bearer $TOKEN"')
    assert """"it'\\''s a horse"}'""" in seen["made"]["command"]
    assert seen["filtered"] == ["#getAuthMe"]
    assert set(seen["asked"]) == {"/openapi.json", SIGNUP, "/api:main/auth/me", "/api:main/auth/login"}


TRIED = {
    "gone": "endpoint: DELETE /thing/{x}\ninput: {x: int}\nstack: []\nresponse: $input",
    "show": "endpoint: GET /thing/{y}\ninput: {y: int, x?: text}\nstack: []\nresponse: $input",
    "keep": """
        endpoint: POST /keep
        input: {doc?: file, pages?: "file[]", meta?: {type: object, properties: {n: int}}, tags?: "text[]", note: text}
        stack: []
        response: {doc: $input.doc != null, pages: "${($input.pages ?? []) | count}", meta: $input.meta, note: $input.note}
    """,
}


def test_the_page_sends_what_is_filled_in(tools: Path, tmp_path: Path) -> None:
    told = [
        ("getThingByY", {"parameter-path-x": "7", "parameter-query-x": "seven"}),
        ("postKeep", {"field-note": "n", "field-meta": '{"n": 1}'}),
        ("postKeep", {"field-doc": ["a.txt"], "field-pages": ["1.png", "2.png"]}),
    ]
    with serving(tmp_path, TRIED) as live:
        given = ("node", str(HERE / "trial.mjs"), live.url, json.dumps(told))
        seen: dict[str, Any] = json.loads(run(tools, *given).stdout)
    assert (seen["errors"], seen["twice"]) == ([], [])
    assert seen["fields"][1] == ["field-doc", "field-pages", "field-meta", "field-tags", "field-note"]
    assert seen["answers"] == [
        {"x": "seven", "y": 7},
        {"doc": False, "pages": 0, "meta": {"n": 1}, "note": "n"},
        {"doc": True, "pages": 2, "meta": {"n": 1}, "note": "n"},
    ]


def test_no_request_finds_a_difference(tmp_path: Path) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip("schemathesis is not installed")
    with serving(tmp_path) as live:
        token = httpx.post(live.url + SIGNUP, json=ADA, trust_env=False).json()["authToken"]
        bounds = ("--checks", "all", "--max-time", str(SECONDS), "--seed", "1", "--warnings", "off")
        header = ("-H", f"Authorization: Bearer {token}")
        found = run(tmp_path, str(SCHEMATHESIS), "run", f"{live.url}/openapi.json", *bounds, *header)
    assert "No issues found" in found.stdout
