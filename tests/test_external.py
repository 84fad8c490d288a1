"""Another database's SQL: what it answers and keeps, what ends it, and what the checker says of waiting while writing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.errors import Fault
from engine.testing import replay
from tests.storages import POSTGRES
from tests.storages import storage as current
from tests.support import USER, answer, checked, messages, program, write

WORKSPACE = "workspace: it\nenv: {SHOP: text, OPEN: {type: text, sensitive: false, default: x}}\n"
MADE = "CREATE TABLE article (sku text PRIMARY KEY, price double precision, count integer)"
ROWS = "INSERT INTO article VALUES ('a', 1.5, 2), ('b', 2.0, 0)"
SCHEMA = "external_shop"


def shop_file(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute(MADE)
        connection.execute(ROWS)
        connection.commit()
    return f"sqlite:///{folder / 'shop.db'}"


def shop_server(folder: Path) -> str:
    async def make() -> None:
        connection = await asyncpg.connect(POSTGRES)
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        await connection.execute(f"SET search_path = {SCHEMA}; {MADE}; {ROWS}")
        await connection.close()

    asyncio.run(make())
    return f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}search_path={SCHEMA}&connections=2"


@pytest.fixture(params=[shop_file, *([shop_server] if POSTGRES else [])], ids=lambda make: make.__name__)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    make: Callable[[Path], str] = request.param
    return make(tmp_path)


def ask(folder: Path, url: str, *steps: str, values: dict[str, Any] | None = None) -> Any:
    lines = "\n".join(f"      {line}" for step in steps for line in step.splitlines())
    text = f"endpoint: POST /it\ninput: {{v?: json}}\nstack:\n{lines}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP", url)
        made = program(folder, {"workspace": WORKSPACE, "user": USER, "it": text})
    try:
        return answer(made, "POST /it", values)
    except Fault as fault:
        return fault


def query(sql: str, more: str = "") -> str:
    more = "".join(f"\n  {line}" for line in more.splitlines())
    return f"- external_database_query: {sql}\n  connection: $env.SHOP\n  as: r{more}"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((query("SELECT sku, price, count FROM article ORDER BY sku"),), [
            {"sku": "a", "price": 1.5, "count": 2}, {"sku": "b", "price": 2.0, "count": 0}]),
        ((query("SELECT sku FROM article WHERE price > ?", "args: [1.8]"),), [{"sku": "b"}]),
        ((query("'SELECT sku FROM article WHERE sku = :s'", "args: {s: b}\nreturn: single"),), {"sku": "b"}),
        ((query("SELECT sku FROM article WHERE sku = 'z'", "return: single"),), None),
        ((query("INSERT INTO article VALUES (?, 9, 9) RETURNING sku", "args: [\"c'; DROP TABLE article; --\"]"),),
         [{"sku": "c'; DROP TABLE article; --"}]),
        ((query("UPDATE article SET count = 5"), query("SELECT sum(count) AS n FROM article")), [{"n": 10}]),
    ],
)  # fmt: skip
def test_what_another_database_answers(tmp_path: Path, shop: str, steps: tuple[str, ...], expected: Any) -> None:
    assert ask(tmp_path, shop, *steps, "- return: $r") == expected


def test_what_is_written_there_stays_whatever_becomes_of_the_stack(tmp_path: Path, shop: str) -> None:
    ended = ask(tmp_path, shop, query("DELETE FROM article WHERE sku = 'a'"), "- throw: conflict")
    assert ended.name == "conflict"
    assert ask(tmp_path, shop, query("SELECT sku FROM article"), "- return: $r") == [{"sku": "b"}]


def test_what_is_unique_there_is_a_conflict(tmp_path: Path, shop: str) -> None:
    ended = ask(tmp_path, shop, query("INSERT INTO article (sku) VALUES ('a')"), "- return: $r")
    assert (ended.name, ended.reason) == ("conflict", "unique:sku")


@pytest.mark.parametrize(
    ("sql", "more", "name", "reason"),
    [
        ("SELECT nothing FROM article", "", "fatal", "database"),
        ("SELECT sku FROM article WHERE sku = ?", "args: $input.v", "input_error", "value"),
        ("SELECT sku FROM article", "timeout: 61", "fatal", "value"),
        ("SELECT sku FROM article", "timeout: 0", "fatal", "value"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n", "timeout: 0.1", "fatal", "timeout"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n", "", "fatal", "limit"),
    ],
)  # fmt: skip
def test_what_fails_tells_nothing_of_it(tmp_path: Path, shop: str, sql: str, more: str, name: str, reason: str) -> None:
    ended = ask(tmp_path, shop, query(sql, more), "- return: $r", values={"v": []})
    assert (ended.name, ended.reason) == (name, reason)
    assert "article" not in ended.message
    assert "shop" not in ended.message


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/shop.db", "postgresql://postgres:hunter2@127.0.0.1:1/postgres"],
)
def test_what_cant_be_reached_can_be_caught(tmp_path: Path, url: str) -> None:
    caught = "- try:\n" + "".join(f"    {line}\n" for line in query("SELECT 1 AS a").splitlines())
    assert ask(tmp_path, url, caught + "  catch:\n    - return: $error.code", "- return: $r") == (
        "ERROR_CODE_UNAVAILABLE"
    )
    ended = ask(tmp_path, url, query("SELECT 1 AS a"), "- return: $r")
    assert (ended.name, ended.reason) == ("unavailable", "connect")
    assert "hunter2" not in str(ended)
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize("url", ["x", "mysql://a:b@c/d", "sqlite://host/x.db", "shop.db", "postgresql://a:b@c:99999/d"])
def test_what_is_no_url_is_refused_without_a_word_of_it(tmp_path: Path, url: str) -> None:
    ended = ask(tmp_path, url, query("SELECT 1 AS a"), "- return: $r")
    assert (ended.name, ended.reason) == ("fatal", "value")
    assert url == "x" or url not in ended.message


WAITS = [
    ("- sleep: 1\n- add_record: user\n  data: {name: a, email: a@b.c, password: correct horse}", []),
    ("- add_record: user\n  data: {name: a, email: a@b.c, password: correct horse}\n- sleep: 1", ["6:7"]),
    (
        "- add_record: user\n  data: {name: a, email: a@b.c, password: correct horse}\n" + query("SELECT 1 AS a"),
        ["6:7"],
    ),
    ("- if: now() > 5\n  then:\n    - delete_record: user\n      where: {id: 1}\n  else:\n    - sleep: 1", []),
    ("- if: now() > 5\n  then:\n    - delete_record: user\n      where: {id: 1}\n- sleep: 1", ["8:7"]),
    ("- repeat: 3\n  do:\n    - sleep: 1\n    - delete_record: user\n      where: {id: 1}", ["6:11"]),
    ("- run_function: drop\n- run_function: wait", ["5:7"]),
    ("- run_function: wait\n- run_function: drop", []),
    ("- transaction:\n    - run_function: drop\n- sleep: 1", ["6:7"]),
    ("- direct_database_query: DELETE FROM user\n- sleep: 1", ["5:7"]),
    ("- direct_database_query: SELECT 1 AS a\n  as: _a\n- sleep: 1", []),
]
FUNCTIONS = {
    "wait": "function: wait\nstack:\n  - sleep: 1\n",
    "drop": "function: drop\nstack:\n  - delete_record: user\n    where: {id: 1}\n",
}


@pytest.mark.parametrize(("steps", "places"), WAITS)
@pytest.mark.parametrize("atomic", [True, False])
def test_waiting_while_others_wait_for_what_was_written(
    tmp_path: Path, steps: str, places: list[str], atomic: bool
) -> None:
    lines = steps.replace("\n", "\n    ").replace("$r", "$_r").replace("as: r", "as: _r")
    text = f"endpoint: POST /it\natomic: {str(atomic).lower()}\nstack:\n    {lines}\nresponse: null\n"
    found = checked(tmp_path, {"workspace": WORKSPACE, "user": USER, "it": text, **FUNCTIONS}).problems
    assert [each.code for each in found] == ["SW188"] * len(found)
    shifted = [f"{each.span.line}:{each.span.column}" for each in found]
    assert shifted == (places if atomic else []), messages(found)


def test_sleep_moves_a_tests_clock_and_ends_at_the_time_limit(tmp_path: Path) -> None:
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)

    text = "endpoint: POST /it\ninput: {v: decimal}\nstack:\n  - sleep: $input.v\nresponse: null\n"
    made = program(tmp_path, {"it": text, "workspace": "workspace: it\ntime_limit: 2\n"}, pause=pause)
    answer(made, "POST /it", {"v": 1.5})
    assert slept == [1.5]
    for seconds, reason in ((-1, "range"), (2.5, "budget")):
        with pytest.raises(Fault) as caught:
            answer(made, "POST /it", {"v": seconds})
        assert caught.value.reason == reason
    assert slept == [1.5]


def test_a_fixture_sleeps_without_waiting(tmp_path: Path) -> None:
    stack = 'endpoint: POST /it\nstack:\n  - set: {a: "${now()}"}\n  - sleep: 20\nresponse: ${now() - $a}\n'
    test = "test: POST /it\ncases:\n  - name: it\n    response: 20000\n"
    written: list[str] = []
    assert replay.run_folder(write(tmp_path, {"it": stack, "it.test.yaml": test}), "", None, written.append), written


@pytest.mark.parametrize("secret", ["password", "*"])
def test_the_workspace_s_own_database_is_none_of_others(tmp_path: Path, storage: str, secret: str) -> None:
    """No check of the SQL would keep its secrets."""
    url = current().url(tmp_path)
    ended = ask(tmp_path, url, query(f"'SELECT {secret} FROM \"user\"'"), "- return: $r")
    assert (ended.name, ended.reason) == ("fatal", "value")
    assert "own database" in ended.message
