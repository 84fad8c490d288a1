"""Data sources: isolated databases of one workspace, chosen by a request, in process and by whole servers."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.errors import SetupError
from engine.http.serve import Settings, close, create_app
from engine.security.passwords import TEST_COST, Passwords
from engine.testing import replay
from tests.commands import ADA, LOGIN, ME, ROOT, SIGNUP, called, serve
from tests.live import Answer, Site, copied
from tests.support import checked, messages, write

ON = {"workspace": "workspace: accounts\ndata_sources: [test, demo]\n"}
OFF = {"workspace": "workspace: accounts\n"}
WHERE = {
    "where": "endpoint: GET /where\ninput: {n?: int}\nstack: []\nresponse: {at: $request.data_source, n: $input.n}\n"
}
TEST = [(b"x-data-source", b"test")]
AT = "/api:main/where"


def asked(folder: Path, files: Mapping[str, str], ask: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    """Serves the shipped stacks and `files` in this process, as a server would, and asks."""

    async def run() -> None:
        server = create_app(Settings(workspace=copied(folder, {**WHERE, **files}), data=folder / "data"))
        services = server.program.services
        entries: list[dict[str, Any]] = []
        services.log = entries.append
        server.swap(server.program)
        try:
            await ask(Site(server, services, entries))
        finally:
            await close(services)

    asyncio.run(run())


async def at(site: Site, target: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    return await site.ask("GET", target.encode(), headers=headers)


async def posted(site: Site, path: str, body: object, source: str) -> Answer:
    headers = [(b"content-type", b"application/json"), (b"x-data-source", source.encode())]
    return await site.ask("POST", path.encode(), json.dumps(body).encode(), headers)


async def me(site: Site, token: str, source: str) -> Answer:
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"x-data-source", source.encode())]
    return await at(site, ME, headers)


CHOSEN = {
    "none": ("", [], "live"),
    "the header": ("", TEST, "test"),
    "the query": ("?x-data-source=test", [], "test"),
    "both": ("?x-data-source=test", TEST, "test"),
    "live by its name": ("", [(b"x-data-source", b"live")], "live"),
    "space around": ("", [(b"x-data-source", b" demo ")], "demo"),
    "encoded, in another case": ("?X%2DData-Source=t%65st", [], "test"),
    "among inputs": ("?n=1&x-data-source=test", [], "test"),
    "before inputs": ("?x-data-source=test&n=1", [], "test"),
    "said twice": ("?x-data-source=test&x-data-source=test", TEST, "test"),
}


@pytest.mark.parametrize(("query", "headers", "source"), CHOSEN.values(), ids=CHOSEN)
def test_a_request_chooses(tmp_path: Path, query: str, headers: list[tuple[bytes, bytes]], source: str) -> None:
    async def ask(site: Site) -> None:
        answer = await at(site, AT + query, headers)
        n = 1 if "n=1" in query else None
        assert (answer.status, answer.json) == (200, {"at": source, "n": n})
        assert site.entries[0].get("data_source", "live") == source

    asked(tmp_path, ON, ask)


REFUSED = {
    "unknown": ("", [(b"x-data-source", b"tset")], "Unknown data source: 'tset'."),
    "unknown in the query": ("?x-data-source=tset", [], "Unknown data source: 'tset'."),
    "empty": ("", [(b"x-data-source", b"")], "Unknown data source: ''."),
    "another case": ("", [(b"x-data-source", b"Test")], "Unknown data source: 'Test'."),
    "a path": ("?x-data-source=..%2Fx", [], "Unknown data source: '../x'."),
    "long": ("", [(b"x-data-source", b"x" * 1000)], f"Unknown data source: '{'x' * 40}'."),
    "no UTF-8": ("?x-data-source=%ff", [], "Unknown data source: 'ÿ'."),
    "two": ("?x-data-source=demo", TEST, "Two data sources are named."),
    "two headers": ("", [*TEST, (b"x-data-source", b"live")], "Two data sources are named."),
}


@pytest.mark.parametrize(("query", "headers", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_choice_is_refused(
    tmp_path: Path, query: str, headers: list[tuple[bytes, bytes]], message: str
) -> None:
    async def ask(site: Site) -> None:
        answer = await at(site, AT + query, headers)
        assert (answer.status, answer.json) == (
            400,
            {"code": "ERROR_CODE_BAD_REQUEST", "message": message, "payload": ""},
        )
        assert answer["access-control-allow-origin"] == "*"
        assert [(entry["status"], entry["reason"]) for entry in site.entries] == [(400, "data_source")]

    asked(tmp_path, ON, ask)


def test_a_refusal_can_be_read_by_the_pages_of_its_group(tmp_path: Path) -> None:
    files = {
        "group": "group: back\ncors: {origins: ['https://a.example']}\n",
        "it": "endpoint: GET /it\ngroup: back\nstack: []\nresponse: 1\n",
    }

    async def ask(site: Site) -> None:
        origin = (b"origin", b"https://a.example")
        answer = await at(site, "/api:back/it", [origin, (b"x-data-source", b"tset")])
        assert (answer.status, answer["access-control-allow-origin"]) == (400, "https://a.example")
        question = await site.ask("OPTIONS", b"/api:back/it?x-data-source=tset", headers=[origin])
        assert (question.status, "x-data-source" in question["access-control-allow-headers"]) == (204, True)

    asked(tmp_path, ON | files, ask)


def test_without_data_sources_nothing_chooses(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        answer = await at(site, AT, TEST)
        assert (answer.status, answer.json) == (200, {"at": "live", "n": None})
        assert "data_source" not in site.entries[0]
        in_query = await at(site, f"{AT}?x-data-source=test")
        assert (in_query.status, in_query.json["payload"]["param"]) == (400, "x-data-source")

    asked(tmp_path, OFF, ask)
    assert [path.name for path in (tmp_path / "data").glob("*.sqlite3")] == ["database.sqlite3"]


def test_records_and_what_is_unique_are_of_one_source(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        for source in ("live", "test"):
            assert (await posted(site, SIGNUP, ADA, source)).status == 200
            assert (await posted(site, SIGNUP, ADA, source)).status == 403
        assert (await posted(site, LOGIN, ADA | {"name": None}, "demo")).status == 400
        login = {"email": ADA["email"], "password": ADA["password"]}
        assert [(await posted(site, LOGIN, login, source)).status for source in ("live", "test", "demo")] == [
            200,
            200,
            403,
        ]
        assert [(await store.counts())["user"] for store in site.services.every_store] == [1, 1, 0]

    asked(tmp_path, ON, ask)
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").glob("*.sqlite3")} == {
        "database.sqlite3": 0o600,
        "database.test.sqlite3": 0o600,
        "database.demo.sqlite3": 0o600,
    }


def test_a_token_is_good_in_its_own_source(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        sources = ("live", "test", "demo")
        tokens = {source: (await posted(site, SIGNUP, ADA, source)).json["authToken"] for source in sources}
        for _ in range(2):  # the second time from what was verified before
            statuses = {made: [(await me(site, tokens[made], source)).status for source in sources] for made in sources}
            assert statuses == {"live": [200, 401, 401], "test": [401, 200, 401], "demo": [401, 401, 200]}

    asked(tmp_path, ON, ask)


def test_an_outdated_hash_is_replaced_where_it_was_read(tmp_path: Path) -> None:
    def stored(name: str) -> str:
        with closing(sqlite3.connect(tmp_path / "data" / name)) as connection:
            return str(connection.execute("SELECT password FROM user").fetchone()[0])

    async def ask(site: Site) -> None:
        passwords = Passwords(TEST_COST)
        cheap = await passwords.hash(ADA["password"])
        passwords.close()
        for store in site.services.every_store:
            run = site.services.run()
            run.db = store.session()
            await store.load(run, "user", [ADA])
            await run.db.commit()
            store.writer.connection.execute("UPDATE user SET password = ?", (cheap,))
        login = {"email": ADA["email"], "password": ADA["password"]}
        assert (await posted(site, LOGIN, login, "test")).status == 200
        names = ("database.sqlite3", "database.test.sqlite3", "database.demo.sqlite3")
        assert [stored(name) == cheap for name in names] == [True, False, True]

    asked(tmp_path, ON, ask)


def test_a_run_that_fails_leaves_nothing_in_its_source(tmp_path: Path) -> None:
    files = {
        "half": """
            endpoint: POST /half
            stack:
              - truncate_table: user
              - throw: conflict
        """
    }

    async def ask(site: Site) -> None:
        for source in ("live", "test"):
            await posted(site, SIGNUP, ADA, source)
        assert (await posted(site, "/api:main/half", {}, "test")).status == 409
        assert [(await store.counts())["user"] for store in site.services.every_store] == [1, 1, 0]

    asked(tmp_path, ON | files, ask)


# What a workspace can name


NAMES = {
    "live": ("[test, live]", ["2:22 error SW069 the data source 'live' is there already"]),
    "twice": ("[test, test]", ["2:22 error SW069 the data source 'test' is there already"]),
    "upper case": ("[Test]", ["2:16 error SW055 'Test' is not a name that can stand here"]),
    "a path": ("[../x]", ["2:16 error SW055 '../x' is not a name that can stand here"]),
    "no list": ("test", ["2:15 error SW054 this must be a list, it is the text 'test'"]),
    "none": ("[]", []),
}


@pytest.mark.parametrize(("written", "found"), NAMES.values(), ids=NAMES)
def test_names(tmp_path: Path, written: str, found: list[str]) -> None:
    problems = checked(tmp_path, {"workspace": f"workspace: it\ndata_sources: {written}\n"}).problems
    assert messages(problems) == found


# Whole servers and commands


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the shipped stacks, `GET /where`, and a data source beside `live`."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    write(tmp_path / "stacks", {**WHERE, **ON})
    return tmp_path


def source(name: str, token: str = "") -> dict[str, str]:
    return {"X-Data-Source": name} | ({"Authorization": f"Bearer {token}"} if token else {})


def signed_up(client: httpx.Client, name: str) -> str:
    answer = client.post(SIGNUP, json=ADA, headers=source(name))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["authToken"])


def test_workers_share_the_sources(shop: Path) -> None:
    with serve(shop, "--workers", "2") as server:
        with server.client() as client:
            token = signed_up(client, "test")
        for _ in range(8):
            with server.client() as client:  # a connection of its own: either worker may take it
                assert client.get(ME, headers=source("test", token)).json()["email"] == ADA["email"]
                assert client.get(ME, headers=source("live", token)).status_code == 401
                assert client.get(AT, headers=source("tset")).status_code == 400


def test_tokens_from_before_are_those_of_live(shop: Path) -> None:
    write(shop / "stacks", OFF)
    with serve(shop) as server, server.client() as client:
        token = signed_up(client, "test")  # which chooses nothing
    write(shop / "stacks", ON)
    with serve(shop) as server, server.client() as client:
        assert [client.get(ME, headers=source(name, token)).status_code for name in ("live", "test")] == [200, 401]


def test_sources_come_and_go_while_files_are_saved(shop: Path) -> None:
    write(shop / "stacks", OFF)
    user = shop / "stacks" / "tables" / "user.yaml"
    with serve(shop, "--reload") as server, server.client() as client:

        def save(path: Path, text: str) -> None:
            before = len(server.said)
            path.write_text(text)
            server.wait_for("reloaded\n", before)

        live = signed_up(client, "live")
        save(shop / "stacks" / "workspace.yaml", ON["workspace"])
        token = signed_up(client, "test")
        save(user, user.read_text("utf-8") + "  nickname?: text\n")
        assert client.get(ME, headers=source("test", token)).json()["nickname"] is None
        assert client.get(ME, headers=source("live", live)).json()["nickname"] is None
        save(shop / "stacks" / "workspace.yaml", OFF["workspace"])
        assert client.get(ME, headers=source("test", token)).status_code == 401  # it is live now
        save(user, user.read_text("utf-8") + "  motto?: text\n")
        save(shop / "stacks" / "workspace.yaml", ON["workspace"])
        assert client.get(ME, headers=source("test", token)).json()["motto"] is None
        assert "Traceback" not in server.said


def test_a_source_that_is_behind_stops_the_start_with_its_command(shop: Path) -> None:
    write(shop / "stacks", {"note": "table: note\ncolumns: {id: int, text: text}\n"})
    assert called(shop, "migrate", "--data-source", "test", "--apply").status == 0
    write(shop / "stacks", {"note": "table: note\ncolumns: {id: int, body: {type: text, was: text}}\n"})
    with pytest.raises(SetupError, match=r"migrate .*--data-source test --apply"):
        create_app(Settings(workspace=shop / "stacks", data=shop / "data"))


def test_commands_work_on_one_source(shop: Path) -> None:
    (shop / "users.csv").write_text("name,email,password\nAda,ada@example.com,correct horse\n")
    assert called(shop, "import", "users.csv", "user", "--data-source", "test").out == "imported 1 record into 'user'\n"
    token = called(shop, "token", "user", "1", "--data-source", "test")
    assert (token.status, token.err) == (0, "")
    assert called(shop, "token", "user", "1").err == "note: there is no record 1 in 'user' yet\n"
    with serve(shop) as server, server.client() as client:
        given = token.out.strip()
        assert client.get(ME, headers=source("test", given)).json()["name"] == "Ada"
        assert client.get(ME, headers=source("live", given)).status_code == 401
    assert '"name":"Ada"' in called(shop, "export", "user", "--format", "jsonl", "--data-source", "test").out
    assert called(shop, "export", "user", "--format", "jsonl").out == ""
    assert called(shop, "migrate", "--data-source", "test").out == "nothing to change\n"


@pytest.mark.parametrize(
    "words",
    [("migrate",), ("export", "user"), ("import", "users.csv", "user"), ("token", "user", "1")],
    ids=lambda words: words[0],
)
def test_a_command_names_an_unknown_source(shop: Path, words: tuple[str, ...]) -> None:
    ended = called(shop, *words, "--data-source", "tset")
    assert (ended.status, ended.err) == (1, "there is no data source 'tset': did you mean 'test'?\n")
    assert not (shop / "data").exists()


def test_the_files_lie_beside_the_one_of_the_url(tmp_path: Path) -> None:
    settings = Settings(database=tmp_path / "shop.db", data_source="test")
    assert settings.database_path == tmp_path / "shop.test.db"


# Tests of stacks


ADA_ROW = "{id: 1, name: Ada, email: ada@example.com, password: correct horse}"


def test_cases_of_another_source(shop: Path) -> None:
    write(
        shop / "stacks",
        {
            "source.test.yaml": f"""
                test: POST /auth/signup
                records: {{user: [{ADA_ROW}]}}
                cases:
                  - name: in test
                    data_source: test
                    input: {{name: Eve, email: eve@example.com, password: battery staple}}
                    changed: {{user: {{added: 1}}}}
                    then:
                      - request: GET /auth/me
                        token: $response.authToken
                        response: {{name: Eve}}
                      - request: GET /auth/me
                        auth: {{table: user, id: 1}}
                        send: {{X-Data-Source: live}}
                        status: 401
                  - name: in live, afterwards
                    input: {{name: Ada, email: ada@example.com, password: correct horse}}
                    status: 403
                    then:
                      - request: POST /auth/signup
                        input: {{name: Ada, email: ada@example.com, password: correct horse}}
                        send: {{X-Data-Source: test}}
            """
        },
    )
    written: list[str] = []
    assert replay.run_folder(shop / "stacks", "stacks", "source.test", written.append), "".join(written)


def test_an_unknown_source_of_a_case(tmp_path: Path) -> None:
    files = {
        **WHERE,
        **ON,
        "where.test.yaml": "test: GET /where\ncases:\n  - name: it\n    data_source: tset\n",
    }
    ended = called(write(tmp_path, files), "check", ".")
    assert ended.status == 1
    assert "where.test.yaml:4:18: error SW411: unknown data source 'tset'" in ended.out + ended.err
    assert "did you mean 'test'?" in ended.out + ended.err
