"""Serving the contract: who may read it, how it is kept, and the page that shows it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from engine.program import build, check_folder
from tests.live import Answer, Site, hosted
from tests.support import write

TOKEN = "a-token-of-the-docs"
OPEN = {
    "workspace": "workspace: shop\ncanonical: shop\ncors: {origins: ['https://shop.example']}\nenv: {DOCS: {type: text, default: a-token-of-the-docs}}\n",
    "back": "group: back\nopenapi: {token: $env.DOCS}\ncors: {origins: ['*']}\n",
    "hidden": "group: hidden\nopenapi: off\n",
    "a": "endpoint: GET /a\nstack: []\n",
    "b": "endpoint: GET /b\ngroup: back\nstack: []\n",
    "c": "endpoint: GET /c\ngroup: hidden\nstack: []\n",
}
CLOSED = {**OPEN, "workspace": OPEN["workspace"] + "openapi: {token: $env.DOCS}\n"}
OFF = {**OPEN, "workspace": OPEN["workspace"] + "openapi: off\n", "back": "group: back\n"}


def asked(folder: Path, files: Mapping[str, str], *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
    """The answers to requests: verb, path and headers each."""

    async def run() -> list[Answer]:
        async with hosted(folder, files) as site:
            return [await ask(site, *each) for each in requests]

    return asyncio.run(run())


async def ask(site: Site, method: str, path: str, headers: dict[str, str]) -> Answer:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return await site.ask(method, path.encode(), b"", raw)


def paths(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    document: dict[str, Any] = orjson.loads(answer.body)
    return sorted(document["paths"])


def headers(answer: Answer) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in answer.headers}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


SHOP = ["/api:shop/a", "/api:shop/auth/login", "/api:shop/auth/me", "/api:shop/auth/signup"]
BACK = ["/api:back/b"]


@pytest.mark.parametrize(
    ("files", "path", "token", "expected"),
    [
        (OPEN, "/openapi.json", "", SHOP),
        (OPEN, "/openapi.json", "stale", SHOP),
        (OPEN, "/openapi.json", TOKEN, BACK + SHOP),
        (OPEN, "/apispec:shop", "", ["/a", "/auth/login", "/auth/me", "/auth/signup"]),
        (OPEN, "/apispec:shop?type=json", "", ["/a", "/auth/login", "/auth/me", "/auth/signup"]),
        (OPEN, "/apispec:back", "", 401),
        (OPEN, "/apispec:back", "stale", 401),
        (OPEN, "/apispec:back", TOKEN, ["/b"]),
        (OPEN, "/apispec:back?token=" + TOKEN, "", 401),
        (OPEN, "/apispec:hidden", TOKEN, 404),
        (OPEN, "/apispec:nowhere", "", 404),
        (CLOSED, "/openapi.json", "", 401),
        (CLOSED, "/openapi.json", TOKEN + "x", 401),
        (CLOSED, "/openapi.json", TOKEN, BACK + SHOP),
        (CLOSED, "/docs", "", 200),
        (OFF, "/openapi.json", TOKEN, 404),
        (OFF, "/apispec:shop", TOKEN, 404),
        (OFF, "/docs", "", 404),
        (OFF, "/docs/docs.js", "", 404),
    ],
)
def test_who_may_read_it(tmp_path: Path, files: Mapping[str, str], path: str, token: str, expected: Any) -> None:
    [answer] = asked(tmp_path, files, ("GET", path, bearer(token) if token else {}))
    if isinstance(expected, list):
        assert paths(answer) == expected
    else:
        assert answer.status == expected
    if expected == 401:
        assert headers(answer)["www-authenticate"] == "Bearer"
        code, message, payload = orjson.loads(answer.body).values()
        said = "Invalid token." if token else "Unauthorized - Authentication Required"
        assert (code, message, payload) == ("ERROR_CODE_UNAUTHORIZED", said, "")


def test_it_is_kept_and_asked_for_again(tmp_path: Path) -> None:
    first, protected = asked(tmp_path, OPEN, ("GET", "/openapi.json", {}), ("GET", "/apispec:back", bearer(TOKEN)))
    assert headers(first)["cache-control"] == "no-cache"
    assert headers(protected)["cache-control"] == "no-store"
    etag = headers(first)["etag"]
    head, same, weak, other = asked(
        tmp_path / "again",
        OPEN,
        ("HEAD", "/openapi.json", {}),
        ("GET", "/openapi.json", {"If-None-Match": f'"x", {etag}'}),
        ("GET", "/openapi.json", {"If-None-Match": f"W/{etag}"}),
        ("GET", "/openapi.json", {"If-None-Match": '"x"'}),
    )
    assert (head.status, head.body, headers(head)["content-length"]) == (200, b"", str(len(first.body)))
    assert [(each.status, each.body) for each in (same, weak)] == [(304, b"")] * 2
    assert "content-length" not in headers(same)
    assert headers(same)["etag"] == etag
    assert other.body == first.body, "the document is the same wherever it is made"


@pytest.mark.parametrize("path", ["/openapi.json", "/apispec:shop", "/docs"])
def test_other_verbs_and_other_origins(tmp_path: Path, path: str) -> None:
    origin = {"Origin": "https://shop.example"}
    wrong, question, get, foreign = asked(
        tmp_path,
        OPEN,
        ("POST", path, {}),
        ("OPTIONS", path, {**origin, "Access-Control-Request-Method": "GET"}),
        ("GET", path, origin),
        ("GET", path, {"Origin": "https://elsewhere.example"}),
    )
    assert (wrong.status, headers(wrong)["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert orjson.loads(wrong.body)["code"] == "ERROR_CODE_METHOD_NOT_ALLOWED"
    assert (question.status, headers(question)["access-control-allow-methods"]) == (204, "GET, HEAD, OPTIONS")
    assert headers(get)["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in headers(foreign)


def test_a_group_has_its_own_cors(tmp_path: Path) -> None:
    [answer] = asked(tmp_path, OPEN, ("GET", "/apispec:back", bearer(TOKEN)))
    assert headers(answer)["access-control-allow-origin"] == "*"


def test_a_refusal_is_in_the_log_without_the_token(tmp_path: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        async with hosted(tmp_path, OPEN) as site:
            await ask(site, "GET", "/apispec:back", bearer("a-guess"))
            return site.entries

    [entry] = asyncio.run(run())
    assert (entry["status"], entry["path"], entry["code"]) == (401, "/apispec:back", "ERROR_CODE_UNAUTHORIZED")
    assert "guess" not in str(entry)


@pytest.mark.parametrize(("path", "server"), [("openapi.json", "/v1"), ("apispec:shop", "/v1/api:shop")])
def test_behind_a_prefix(tmp_path: Path, path: str, server: str) -> None:
    async def run() -> list[httpx.Response]:
        async with hosted(tmp_path, OPEN) as site:
            transport = httpx.ASGITransport(site.server, root_path="/v1")
            async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
                return [await client.get(f"/v1/{each}") for each in (path, "docs", "docs/docs.js")]

    document, *pages = asyncio.run(run())
    assert document.json()["servers"] == [{"url": server}]
    assert [page.status_code for page in pages] == [200, 200]


def test_a_new_program_has_a_new_contract(tmp_path: Path) -> None:
    async def run() -> tuple[Answer, Answer]:
        async with hosted(tmp_path, OPEN) as site:
            before = await ask(site, "GET", "/openapi.json", {})
            write(tmp_path / "stacks", {"d": "endpoint: GET /d\nstack: []\n"})
            site.server.swap(build(check_folder(tmp_path / "stacks", ""), site.services))
            return before, await ask(site, "GET", "/openapi.json", {})

    before, after = asyncio.run(run())
    assert set(paths(after)) - set(paths(before)) == {"/api:shop/d"}


def test_many_ask_at_once(tmp_path: Path) -> None:
    async def run() -> list[Answer]:
        async with hosted(tmp_path, OPEN) as site:
            return await asyncio.gather(*(ask(site, "GET", "/openapi.json", {}) for _ in range(20)))

    assert len({answer.body for answer in asyncio.run(run())}) == 1


def test_a_broken_test_leaves_no_hole(tmp_path: Path) -> None:
    broken = {
        "a.test.yaml": "test: GET /a\ncases:\n  - nam: [\n",
        "b.test.yaml": "test: GET /nowhere\ncases: [{name: x}]\n",
        "c.test.yaml": "test: GET /a\ncases: [{name: x, input: {n: $1 +}}]\n",
    }

    async def run() -> Answer:
        async with hosted(tmp_path, OPEN) as site:
            write(tmp_path / "stacks", broken)
            return await ask(site, "GET", "/openapi.json", {})

    assert paths(asyncio.run(run())) == SHOP


def test_groups_that_share_a_canonical_share_their_secrecy(tmp_path: Path) -> None:
    files = {
        **OPEN,
        "twin": "group: twin\ncanonical: back\nopenapi: public\n",
        "d": "endpoint: GET /d\ngroup: twin\nstack: []\n",
    }
    closed, opened = asked(tmp_path, files, ("GET", "/apispec:back", {}), ("GET", "/apispec:back", bearer(TOKEN)))
    assert closed.status == 401
    assert paths(opened) == ["/b", "/d"]


# The page


def test_the_page_and_its_files(tmp_path: Path) -> None:
    page, script, style, other, above = asked(
        tmp_path,
        OPEN,
        *(
            ("GET", path, {})
            for path in ("/docs", "/docs/docs.js", "/docs/docs.css", "/docs/docs.html", "/docs/..%2Fapp.py")
        ),
    )
    types = [headers(each)["content-type"].partition(";")[0] for each in (page, script, style)]
    assert types == ["text/html", "text/javascript", "text/css"]
    assert (other.status, above.status) == (404, 404)
    policy = headers(page)["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    html = page.body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|style=", html), "the policy forbids what is inline"
    for body in (html, script.body.decode(), style.body.decode()):
        assert not re.search(r"https?://|//\w+\.\w+/", body), "everything comes from us"
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', html):
        assert asked(tmp_path / name.replace("/", "-"), OPEN, ("GET", f"/{name}", {}))[0].status == 200
