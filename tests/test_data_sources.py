"""Data sources: isolated copies of one workspace's tables, chosen by a request, in process and by whole servers."""

from __future__ import annotations

import asyncio
import json
import shutil
import zipfile
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.errors import SetupError
from engine.http.serve import Settings, close, create_app
from engine.program import check_folder
from engine.security.passwords import TEST_COST, Passwords
from engine.store import pg_backup, reader, sqlite_backup
from engine.store.storage import update
from engine.testing import fixtures
from engine.testing.replay import Harness
from engine.values import Secret
from tests.commands import ADA, LOGIN, ME, ROOT, SIGNUP, Process, called, contents, serve, stackwright
from tests.live import Answer, Site, copied
from tests.storages import on_postgres, on_sqlite, settled, storage
from tests.store_setup import FakeRun, where
from tests.support import checked, messages, write

pytestmark = pytest.mark.usefixtures("storage")

ON = {"workspace": "workspace: accounts\ndata_sources: [test, demo]\n"}
OFF = {"workspace": "workspace: accounts\n"}
WHERE = {
    "where": "endpoint: GET /where\ninput: {n?: int}\nstack: []\nresponse: {at: $request.data_source, n: $input.n}\n"
}
TEST = [(b"x-data-source", b"test")]
AT = "/api:main/where"


def settings(folder: Path, workspace: Path) -> Settings:
    return Settings(workspace=workspace, data=folder / "data", database=storage().database(folder))


def asked(folder: Path, files: Mapping[str, str], ask: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    """Serves the shipped stacks and `files` in this process, as a server would, and asks."""

    async def run() -> None:
        server = create_app(settings(folder, copied(folder, {**WHERE, **files})))
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
        assert answer["vary"] == "x-data-source"
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
        assert "vary" not in dict(answer.headers)
        in_query = await at(site, f"{AT}?x-data-source=test")
        assert (in_query.status, in_query.json["payload"]["param"]) == (400, "x-data-source")

    asked(tmp_path, OFF, ask)
    assert [path.name for path in tmp_path.glob("*.db")] in (["data.db"], [])


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


@on_sqlite
def test_a_file_for_each_that_nobody_else_reads(tmp_path: Path) -> None:
    async def ask(_: Site) -> None: ...

    asked(tmp_path, ON, ask)
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("*.db")}
    assert files == {"data.db": 0o600, "data.test.db": 0o600, "data.demo.db": 0o600}


def test_a_token_is_good_in_its_own_source(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        sources = ("live", "test", "demo")
        tokens = {source: (await posted(site, SIGNUP, ADA, source)).json["authToken"] for source in sources}
        for _ in range(2):  # the second time from what was verified before
            statuses = {made: [(await me(site, tokens[made], source)).status for source in sources] for made in sources}
            assert statuses == {"live": [200, 401, 401], "test": [401, 200, 401], "demo": [401, 401, 200]}

    asked(tmp_path, ON, ask)


def test_an_outdated_hash_is_replaced_where_it_was_read(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        stores = site.services.every_store
        for store in stores:
            run = FakeRun(store.session(), Passwords(TEST_COST))  # whose hashes are too cheap for a server
            await store.load(run, "user", [{**ADA, "password": Secret(ADA["password"])}])
            await run.db.commit()
            run.passwords.close()
        before = [await store.snapshot() for store in stores]
        login = {"email": ADA["email"], "password": ADA["password"]}
        assert (await posted(site, LOGIN, login, "test")).status == 200
        assert [await store.snapshot() == was for store, was in zip(stores, before, strict=True)] == [True, False, True]

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


@on_sqlite
def test_a_long_read_goes_on_beside_the_connection_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(site: Site) -> None:
        live, test = site.services.store, site.services.stores["test"]
        for store, name in ((live, "Ada"), (test, "Eve")):
            run = FakeRun(store.session())
            await store.load(run, "note", [{"text": text} for text in ["x"] * 999 + [name]])
            await run.db.commit()
        find = live.get(live.tables["note"], where(live, "note", "text != 'x'"))
        monkeypatch.setattr(reader, "INLINE_SECONDS", -1.0)
        inline: list[str] = []
        test.reader.set_trace_callback(inline.append)
        for store, name in ((test, "Eve"), (live, "Ada"), (test, "Eve")):
            run = FakeRun(store.session())
            assert (await settled(find(run, "x")))["text"] == name
        assert len(inline) == 1  # the first time; then it was known to be long

    asked(tmp_path, ON | {"note": "table: note\ncolumns: {id: int, text: text}\n"}, ask)


# What a workspace can name


NAMES = {
    "live": ("[test, live]", ["2:22 error SW069 the data source 'live' is there already"]),
    "twice": ("[test, test]", ["2:22 error SW069 the data source 'test' is there already"]),
    "upper case": ("[Test]", ["2:16 error SW055 'Test' is not a name that can stand here"]),
    "a path": ("[../x]", ["2:16 error SW055 '../x' is not a name that can stand here"]),
    "a line break": (r'["test\n"]', ["2:16 error SW055 'test\n' is not a name that can stand here"]),
    "too long": (f"[{'x' * 41}]", [f"2:16 error SW055 '{'x' * 41}' is not a name that can stand here"]),
    "too many": (
        f"[{', '.join(f's{n}' for n in range(17))}]",
        ["2:15 error SW057 these are 17 entries, write 16 at most"],
    ),
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


def served(shop: Path, *flags: str) -> AbstractContextManager[Process]:
    return serve(shop, *flags, STACKWRIGHT_DATABASE_URL=storage().url(shop))


def source(name: str, token: str = "") -> dict[str, str]:
    return {"X-Data-Source": name} | ({"Authorization": f"Bearer {token}"} if token else {})


def signed_up(client: httpx.Client, name: str) -> str:
    answer = client.post(SIGNUP, json=ADA, headers=source(name))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["authToken"])


def test_workers_share_the_sources(shop: Path) -> None:
    with served(shop, "--workers", "2") as server:
        with server.client() as client:
            token = signed_up(client, "test")
        for _ in range(8):
            with server.client() as client:  # a connection of its own: either worker may take it
                assert client.get(ME, headers=source("test", token)).json()["email"] == ADA["email"]
                assert client.get(ME, headers=source("live", token)).status_code == 401
                assert client.get(AT, headers=source("tset")).status_code == 400


def test_tokens_from_before_are_those_of_live(shop: Path) -> None:
    write(shop / "stacks", OFF)
    with served(shop) as server, server.client() as client:
        token = signed_up(client, "test")  # which chooses nothing
    write(shop / "stacks", ON)
    with served(shop) as server, server.client() as client:
        assert [client.get(ME, headers=source(name, token)).status_code for name in ("live", "test")] == [200, 401]


def test_sources_come_and_go_while_files_are_saved(shop: Path) -> None:
    write(shop / "stacks", OFF)
    user = shop / "stacks" / "tables" / "user.yaml"
    with served(shop, "--reload") as server, server.client() as client:

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
    its = settings(shop, shop / "stacks").merged(data_source="test").storage
    old = checked(shop / "stacks", {"note": "table: note\ncolumns: {id: int, text: text}\n"})
    update(its, old.workspace.tables)
    write(shop / "stacks", {"note": "table: note\ncolumns: {id: int, body: {type: text, was: text}}\n"})
    with pytest.raises(SetupError, match=r"^the data source 'test': the database") as caught:
        create_app(settings(shop, shop / "stacks"))
    assert "--data-source test --apply" in str(caught.value)


def test_the_command_makes_tokens_of_one_source(shop: Path) -> None:
    url = storage().url(shop)
    with served(shop) as server, server.client() as client:
        signed_up(client, "test")
        for words, noted, statuses in ((("--data-source", "test"), "", [401, 200]), ((), "yet\n", [200, 401])):
            ended = stackwright(shop, "token", "user", "1", *words, STACKWRIGHT_DATABASE_URL=url)
            assert (ended.status, ended.err.endswith(noted), bool(ended.err)) == (0, True, bool(noted))
            if noted:
                signed_up(client, "live")
            token = ended.out.strip()
            assert [client.get(ME, headers=source(name, token)).status_code for name in ("live", "test")] == statuses


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


def test_a_backup_holds_every_source(shop: Path) -> None:
    (shop / "users.csv").write_text("name,email,password\nAda,ada@example.com,correct horse\n")
    (shop / "more.csv").write_text("name,email,password\nEve,eve@example.com,correct horse\n")
    named = ("--data-source", "test")

    def names(*words: str) -> str:
        return called(shop, "export", "user", "--format", "jsonl", *words).out

    assert called(shop, "import", "users.csv", "user").status == 0
    assert called(shop, "import", "users.csv", "user", *named).status == 0
    token = called(shop, "token", "user", "1", *named).out.strip()
    before = names(), names(*named)
    assert called(shop, "backup", "it.zip").status == 0
    parts = zipfile.ZipFile(shop / "it.zip").namelist()
    kept = {sqlite_backup.source_of(name) or pg_backup.source_of(name) for name in parts}
    assert (parts[0], parts[-1], kept) == ("backup.json", "keys/1.json", {"live", "test", None})
    for words in ((), named, ("--data-source", "demo")):
        assert called(shop, "import", "more.csv", "user", *words).status == 0
    restored = called(shop, "restore", "it.zip")
    assert (restored.status, restored.err) == (0, "")
    assert restored.out.startswith("restored the databases of 'live', 'test' and the keys of 2")
    assert (names(), names(*named)) == before
    assert '"name":"Eve"' in names("--data-source", "demo")  # which wasn't there yet
    with serve(shop) as server, server.client() as client:
        assert client.get(ME, headers=source("test", token)).json()["name"] == "Ada"
        ended = called(shop, "restore", "it.zip")
        assert ended.err.startswith("a server or a command uses '")
        assert "': stop it first" in ended.err


@on_postgres
def test_a_restore_is_of_every_source_or_of_none(shop: Path) -> None:
    (shop / "users.csv").write_text("name,email,password\nAda,ada@example.com,correct horse\n")
    named = ("--data-source", "test")
    for words in ((), named):
        assert called(shop, "import", "users.csv", "user", *words).status == 0
    assert called(shop, "token", "user", "1").status == 0
    assert called(shop, "backup", "it.zip").status == 0
    (shop / "users.csv").write_text("name,email,password\nEve,eve@example.com,correct horse\n")
    for words in ((), named):
        assert called(shop, "import", "users.csv", "user", *words).status == 0
    assert called(shop, "keys", "rotate").status == 0
    schema = storage().rows(shop, "SELECT current_schema()")[0][0]
    storage().rows(shop, f'CREATE VIEW "{schema}.test".names AS SELECT name FROM "{schema}.test"."user"')
    before = contents(shop / "data"), storage().dump(shop)
    ended = called(shop, "restore", "it.zip")
    assert (ended.status, ended.out) == (1, "")
    assert "nothing was changed: cannot drop" in ended.err
    assert (contents(shop / "data"), storage().dump(shop)) == before
    storage().rows(shop, f'DROP VIEW "{schema}.test".names')
    assert called(shop, "restore", "it.zip").status == 0
    for words in ((), named):
        assert called(shop, "export", "user", *words).out.count("example.com") == 1


def test_a_backup_with_a_source_that_nobody_names_is_refused(shop: Path) -> None:
    for words in ((), ("--data-source", "test")):
        assert called(shop, "migrate", *words, "--apply").status == 0
    assert called(shop, "backup", "it.zip").status == 0
    write(shop / "stacks", OFF)
    ended = called(shop, "restore", "it.zip")
    said = "'it.zip' holds the data source 'test': name it under 'data_sources:' of the workspace first\n"
    assert (ended.status, ended.err) == (1, said)


def test_a_restored_source_that_is_behind_is_named(shop: Path) -> None:
    for words in ((), ("--data-source", "test")):
        assert called(shop, "migrate", *words, "--apply").status == 0
    assert called(shop, "backup", "it.zip").status == 0
    write(shop / "stacks", {"note": "table: note\ncolumns: {id: int, text: text}\n"})
    assert called(shop, "restore", "it.zip").err.splitlines() == [
        "note: the tables' files say something else, see `stackwright migrate`",
        "note: the tables' files say something else, see `stackwright migrate --data-source test`",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("migrate",),
        ("export", "user"),
        ("import", "users.csv", "user"),
        ("token", "user", "1"),
        ("copy", "sqlite:///data/database.sqlite3", "postgresql://db/it"),
    ],
    ids=lambda words: words[0],
)
@on_sqlite
def test_a_command_names_an_unknown_source(shop: Path, words: tuple[str, ...]) -> None:
    ended = called(shop, *words, "--data-source", "tset")
    assert (ended.status, ended.err) == (1, "there is no data source 'tset': did you mean 'test'?\n")
    assert not (shop / "data").exists()


def test_the_files_lie_beside_the_one_of_the_url(tmp_path: Path) -> None:
    settings = Settings(database=tmp_path / "shop.db", data_source="test")
    assert settings.storage == tmp_path / "shop.test.db"


# Tests of stacks


def replayed(folder: Path, test: str) -> list[str]:
    """What is wrong with the cases of a test, beside the shipped stacks."""
    everything = check_folder(copied(folder, {**WHERE, **ON, "it.test.yaml": test}), "")
    suites, broken = fixtures.read_suites(everything.workspace)
    assert not [*everything.problems, *broken], [each.render() for each in (*everything.problems, *broken)]
    harness = Harness(everything, storage().open)
    try:
        failures = [harness.replay(suite, case) for suite in suites for case in suite.cases]
    finally:
        harness.close()
    return [finding.message for failure in failures if failure for finding in failure.findings]


TWO_SOURCES = """
    test: POST /auth/signup
    records: {user: [{id: 1, name: Ada, email: ada@example.com, password: correct horse}]}
    cases:
      - name: in test
        data_source: test
        input: {name: Eve, email: eve@example.com, password: battery staple}
        changed: {user: {added: 1}}
        then:
          - request: GET /where
            response: {at: test}
          - request: GET /auth/me
            token: $first.response.authToken
            response: {name: Eve}
          - request: GET /auth/me
            data_source: live
            token: $first.response.authToken
            status: 401
          - request: GET /auth/me
            auth: {table: user, id: 1}
            send: {X-Data-Source: live}
            status: 401
          - request: POST /auth/signup
            data_source: live
            input: {name: Ada, email: ada@example.com, password: correct horse}
            changed: {user: {added: 1}}
          - request: GET /auth/me
            data_source: live
            auth: {table: user, id: 1}
            response: {name: Ada}
      - name: in live, afterwards
        input: {name: Ada, email: ada@example.com, password: correct horse}
        status: 403
        changed: {}
        then:
          - request: POST /auth/signup
            data_source: test
            input: {name: Ada, email: ada@example.com, password: correct horse}
"""


def test_the_requests_of_a_case_name_their_sources(tmp_path: Path) -> None:
    assert replayed(tmp_path, TWO_SOURCES) == []


CHANGED = {
    "where nobody said": (
        "send: {X-Data-Source: test}",
        "{}",
        ["changed.test.user.added: expected 0, was 1: "],
    ),
    "elsewhere than said": (
        "send: {X-Data-Source: live}\n        data_source: test",
        "{user: {added: 1}}",
        ["changed.user.added: expected 1, was 0", "changed.live.user.added: expected 0, was 1: "],
    ),
}


@pytest.mark.parametrize(("sent", "changed", "said"), CHANGED.values(), ids=CHANGED)
def test_a_change_in_any_source_shows(tmp_path: Path, sent: str, changed: str, said: list[str]) -> None:
    found = replayed(
        tmp_path,
        f"""
    test: POST /auth/signup
    cases:
      - name: it
        {sent}
        input: {{name: Eve, email: eve@example.com, password: battery staple}}
        changed: {changed}
    """,
    )
    assert len(found) == len(said)
    assert all(message.startswith(start) for message, start in zip(found, said, strict=True)), found


@on_sqlite
def test_an_unknown_source_of_a_case_and_of_what_follows(tmp_path: Path) -> None:
    case = "test: GET /where\ncases:\n  - name: it\n    data_source: {}\n    then: [{request: GET /where, data_source: {}}]\n"
    files = {**WHERE, **ON, "where.test.yaml": case.replace("{}", "tset", 1).replace("{}", "none")}
    ended = called(write(tmp_path, files), "check", ".")
    assert ended.status == 1
    assert "where.test.yaml:4:18: error SW411: unknown data source 'tset'" in ended.out + ended.err
    assert "where.test.yaml:5:47: error SW411: unknown data source 'none'" in ended.out + ended.err
    assert "did you mean 'test'?" in ended.out + ended.err
