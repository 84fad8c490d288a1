"""An author's own SQL: what it answers and writes, what is bound to it, and what no database is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import USER, answer, checked, messages, program

from engine.errors import Fault
from engine.program import Program
from engine.run import perform
from engine.store.direct import ROW_LIMIT

NOTE = """
    table: note
    columns:
      id: int
      user_id?: {table: user, on_delete: cascade}
      text: text
      size: {type: int, default: 1}
      meta?: json
      rate?: decimal
      mail?: {type: text, visibility: private}
      pin?: {type: text, sensitive: true}
    indexes: [{columns: [text, size], unique: true}]
"""
NOTES = [
    {"id": 1, "text": "one", "size": 1, "meta": {"a": [1, 2]}, "rate": 0.5, "mail": "a@b", "pin": "1234"},
    {"id": 2, "text": "two", "size": 2},
    {"id": 3, "text": "it's", "size": 2},
]


def made(folder: Path, stack: str, input: str = "{v?: json}", **more: Any) -> Program:
    lines = "\n".join(f"      {line}" for line in stack.strip().splitlines())
    text = f"\n    endpoint: POST /it\n    input: {input}\n    stack:\n{lines}\n"
    found = program(folder, {"user": USER, "note": NOTE, "it": text, **more})

    async def load() -> None:
        start = found.services.run()
        await found.services.store.load(start, "note", NOTES)
        await start.db.commit()

    asyncio.run(load())
    return found


def run(folder: Path, stack: str, values: Mapping[str, Any] | None = None) -> Any:
    """What a stack answers, or the fault it ends with."""
    try:
        return answer(made(folder, stack), "POST /it", dict(values or {}))
    except Fault as fault:
        return fault


def query(sql: str, more: str = "") -> str:
    """A stack that answers what some SQL does."""
    return f"- direct_database_query: {sql}\n  as: r\n{more}\n- return: $r"


ANSWERS = {
    "a list": (query("SELECT id, text FROM note WHERE size = 2 ORDER BY id"), [{"id": 2, "text": "two"}, {"id": 3, "text": "it's"}]),
    "nothing": (query("SELECT id FROM note WHERE size = 9"), []),
    "the first": (query("SELECT id FROM note ORDER BY id DESC", "  return: single"), {"id": 3}),
    "no first": (query("SELECT id FROM note WHERE size = 9", "  return: single"), None),
    "values": (query("SELECT id FROM note WHERE text = ? AND size = ?", "  args: [two, 2]"), [{"id": 2}]),
    "named values": (
        query("'SELECT id, :b AS b FROM note WHERE size = :a AND id > :a'", "  args: {b: x, a: 2}"),
        [{"id": 3, "b": "x"}],
    ),
    "values of an expression": ("- set: {xs: [two]}\n" + query("SELECT id FROM note WHERE text = ?", "  args: $xs"), [{"id": 2}]),
    "a mapping of an expression": ("- set: {xs: {t: two}}\n" + query("'SELECT id FROM note WHERE text = :t'", "  args: $xs"), [{"id": 2}]),
    "a list as JSON": (
        query("SELECT id FROM note WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", "  args: [[1, 3]]"),
        [{"id": 1}, {"id": 3}],
    ),
    "null": (query("SELECT ? IS NULL AS is_null", "  args: [null]"), [{"is_null": 1}]),
    "no placeholders": (query("\"SELECT '?', ':a' AS a, 1 AS [?b] -- ? :c\\n/* ? */ FROM note WHERE id = 1;\""), [{"'?'": "?", "a": ":a", "?b": 1}]),
    "a path of JSON": (query("SELECT json_extract(meta, '$.a[1]') AS x, meta FROM note WHERE id = 1"), [{"x": 2, "meta": '{"a":[1,2]}'}]),
    "with": (query("WITH big AS (SELECT id FROM note WHERE size > 1) SELECT count(*) AS n FROM big"), [{"n": 2}]),
    "a private column by its name": (query("SELECT mail FROM note WHERE id = 1"), [{"mail": "a@b"}]),
    "decimals": (query("SELECT rate, 1.0 AS one FROM note WHERE id = 1"), [{"rate": 0.5, "one": 1.0}]),
    "an insert": (
        "- direct_database_query: INSERT INTO note (text, size) VALUES (?, 7), ('b', 8) RETURNING id, text\n  args: [\"a'; DROP TABLE note; --\"]\n  as: r\n- return: $r",
        [{"id": 4, "text": "a'; DROP TABLE note; --"}, {"id": 5, "text": "b"}],
    ),
    "a write without returning": (query("UPDATE note SET size = 5"), []),
    "its own writes are seen": (
        "- direct_database_query: DELETE FROM note WHERE id = ?\n  args: [1]\n" + query("SELECT count(*) AS n FROM note", "  return: single"),
        {"n": 2},
    ),
    "what other steps wrote is seen": (
        "- add_record: note\n  data: {text: new, size: 9}\n" + query("SELECT text FROM note WHERE size = 9"),
        [{"text": "new"}],
    ),
    "an upsert": (
        query("\"INSERT INTO note (text, size) VALUES ('two', 2) ON CONFLICT (text, size) DO UPDATE SET rate = 2 RETURNING id, rate\""),
        [{"id": 2, "rate": 2.0}],
    ),
    "with before a write": (
        query("WITH old AS (SELECT id FROM note WHERE size = 2) DELETE FROM note WHERE id IN (SELECT id FROM old) RETURNING id"),
        [{"id": 2}, {"id": 3}],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "answered"), ANSWERS.values(), ids=ANSWERS)
def test_what_sql_answers(tmp_path: Path, stack: str, answered: Any) -> None:
    assert run(tmp_path, stack) == answered


def test_what_is_written_is_kept_with_the_rest_or_not_at_all(tmp_path: Path) -> None:
    stack = "- direct_database_query: UPDATE note SET size = size + 10\n- precondition: $input.v == 1"
    found = made(tmp_path, stack)
    with pytest.raises(Fault):
        answer(found, "POST /it", {"v": 2})
    assert [row["size"] for row in asyncio.run(found.services.store.dump("note"))] == [1, 2, 2]
    answer(found, "POST /it", {"v": 1})
    assert [row["size"] for row in asyncio.run(found.services.store.dump("note"))] == [11, 12, 12]


FAULTS = {
    "a value too many": ("SELECT ? AS a", [1, 2], "input_error", "value", "Input "),
    "a value too few": ("SELECT ? AS a", [], "input_error", "value", "Input "),
    "an object for a list": ("SELECT ? AS a", {"a": 1}, "input_error", "kind", "Input "),
    "a list for names": ("'SELECT :a AS a'", [1], "input_error", "kind", "Input "),
    "a name that isn't there": ("'SELECT :a AS a'", {"b": 1}, "input_error", "value", "Input "),
    "an int past 64 bits": ("SELECT ? AS a", [2**63], "input_error", "", "Input is an int past 64 bits."),
    "half a surrogate pair": ("'SELECT :a AS a'", {"a": "\ud800"}, "input_error", "", "Input holds half a surrogate pair."),
    "what is unique": (
        "INSERT INTO note (text, size) VALUES (?, 2)", ["two"], "conflict", "unique:text,size",
        "'text' and 'size' must be unique together.",
    ),
    "what must be there": ("INSERT INTO note (size) VALUES (?)", [1], "fatal", "database", ""),
    "a reference to nothing": ("INSERT INTO note (text, size, user_id) VALUES (?, 1, 99)", ["x"], "fatal", "database", ""),
    "a failing function": ("SELECT json(?) AS a", ["{"], "fatal", "database", ""),
    "a blob": ("SELECT CAST(? AS BLOB) AS a", ["x"], "input_error", "kind", "Input "),
    "no number": ("SELECT ? * 9e999 AS a", [1], "input_error", "range", "Input "),
    "too many rows": (
        f"WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n LIMIT {ROW_LIMIT + 1}) SELECT i FROM n", [1],
        "fatal", "limit", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "args", "name", "reason", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault(tmp_path: Path, sql: str, args: Any, name: str, reason: str, message: str) -> None:
    fault = run(tmp_path, query(sql, "  args: $input.v"), {"v": args})
    assert isinstance(fault, Fault)
    assert (fault.name, fault.reason) == (name, reason)
    assert message in fault.message
    assert not any(word in fault.message for word in ("SELECT", "INSERT", "json(", "CHECK"))


def test_as_many_rows_as_may_be(tmp_path: Path) -> None:
    sql = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {ROW_LIMIT}) SELECT i FROM n"
    assert len(run(tmp_path, query(sql))) == ROW_LIMIT


def test_a_write_that_answers_too_much_leaves_nothing(tmp_path: Path) -> None:
    rows = f"WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT {ROW_LIMIT + 1})"
    stack = f"""
- try:
    - direct_database_query: "{rows} INSERT INTO note (text, size) SELECT 'n', i FROM n RETURNING id"
  catch: []
- direct_database_query: SELECT count(*) AS n FROM note
  return: single
  as: r
- return: $r
"""
    assert run(tmp_path, stack) == {"n": 3}


FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize("written", ["", "- direct_database_query: UPDATE note SET size = 0\n"])
@pytest.mark.parametrize(
    "sql", [f"{FOREVER} SELECT max(i) AS m FROM n", f"{FOREVER} UPDATE note SET size = (SELECT max(i) FROM n)"]
)
def test_what_never_ends_is_ended_and_others_go_on(tmp_path: Path, sql: str, written: str) -> None:
    found = made(tmp_path, written + query(sql), workspace="workspace: w\ntime_limit: 0.2\n")
    assert found.workspace.time_limit == 0.2
    plan = found.endpoints[0].plan
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    async def both() -> None:
        beside = asyncio.create_task(other())
        with pytest.raises(Fault) as raised:
            await perform(plan, found.services.run(), {"v": None}, None)
        beside.cancel()
        assert raised.value.reason == "budget"

    asyncio.run(both())
    assert turns > 2
    assert [row["size"] for row in asyncio.run(found.services.store.dump("note"))] == [1, 2, 2]


def test_a_write_goes_on_after_one_that_was_ended(tmp_path: Path) -> None:
    stack = f"""
- if: $input.v == 1
  then:
    - direct_database_query: {FOREVER} UPDATE note SET size = (SELECT max(i) FROM n)
- direct_database_query: UPDATE note SET size = 7
"""
    found = made(tmp_path, stack, workspace="workspace: w\ntime_limit: 0.1\n")
    with pytest.raises(Fault):
        answer(found, "POST /it", {"v": 1})
    answer(found, "POST /it", {"v": 2})
    assert [row["size"] for row in asyncio.run(found.services.store.dump("note"))] == [7, 7, 7]


REFUSED = {
    "a variable": ("SELECT id FROM note WHERE text = '${$input.v}'", ["SW180"]),
    "a variable by itself": ("SELECT id FROM note WHERE text = $input.v", ["SW180"]),
    "no SQL": ("-- nothing", ["SW181"]),
    "a second statement": ("SELECT 1 AS a; DROP TABLE note", ["SW181"]),
    "a pragma": ("PRAGMA query_only = OFF", ["SW181"]),
    "a new table": ("CREATE TABLE x (a)", ["SW181"]),
    "another file": ("ATTACH 'x.db' AS x", ["SW181"]),
    "a transaction": ("COMMIT", ["SW181"]),
    "an explanation": ("EXPLAIN SELECT 1", ["SW181"]),
    "a replace": ("REPLACE INTO note (text) VALUES ('a')", ["SW181"]),
    "a replace after with": ("WITH a AS (SELECT 1) REPLACE INTO note (text) SELECT * FROM a", ["SW181"]),
    "numbers of values": ("SELECT ?1 AS a", ["SW182"]),
    "another sign": ("SELECT @a AS a", ["SW182"]),
    "both sorts": ("'SELECT ? AS a, :b AS b'", ["SW182"]),
    "no values": ("SELECT ? AS a", ["SW183"]),
    "unknown table": ("SELECT id FROM nte", ["SW184"]),
    "unknown column": ("SELECT idd FROM note", ["SW184"]),
    "unknown column to write": ("INSERT INTO note (txt) VALUES ('a')", ["SW184"]),
    "unknown function": ("SELECT foo(id) AS a FROM note", ["SW184"]),
    "a column of two": ("SELECT id FROM note, user", ["SW184"]),
    "a misspelt word": ("SELECT id FORM note", ["SW184"]),
    "an end too soon": ("SELECT id FROM", ["SW184"]),
    "a text without end": ("SELECT id FROM note WHERE text = 'a", ["SW184"]),
    "too few values for columns": ("INSERT INTO note (text, size) VALUES ('a')", ["SW184"]),
    "the schema": ("SELECT sql FROM sqlite_master", ["SW184"]),
    "how many tables": ("SELECT count(*) AS n FROM sqlite_schema", ["SW184"]),
    "a pragma in disguise": ("SELECT name FROM pragma_table_info('user')", ["SW184"]),
    "a pragma in disguise, counted": ("SELECT count(*) AS n FROM pragma_table_info('user')", ["SW184"]),
    "pages": ("SELECT count(*) AS n FROM dbstat", ["SW184"]),
    "ids of a table": ("UPDATE sqlite_sequence SET seq = 1", ["SW184"]),
    "the history": ('SELECT * FROM "stackwright.history"', ["SW184"]),
    "a password by its name": ("SELECT password FROM user", ["SW230"]),
    "a password under another name": ("SELECT u.password AS x FROM user u", ["SW230"]),
    "a whole record by its name": ('SELECT CAST("u" AS text) AS t FROM "user" AS u', ["SW184"]),
    "a whole record returned": ('DELETE FROM "user" AS u RETURNING CAST("u" AS text) AS t', ["SW184"]),
    "a text in the quotes of a name": ('SELECT id FROM note WHERE text = "one"', ["SW184"]),
    "a comment in a comment": ("SELECT id /* /* */ , size -- */ , text\\nFROM note", ["SW181"]),
    "a password in all": ("SELECT * FROM user", ["SW230"]),
    "a password within": ("WITH x AS (SELECT * FROM user) SELECT name FROM x", ["SW230"]),
    "a password asked for": ("SELECT id FROM user WHERE password > 'a'", ["SW230"]),
    "a password returned": ("DELETE FROM user RETURNING *", ["SW230"]),
    "a password copied": ("UPDATE user SET nickname = password", ["SW230"]),
    "a sensitive column": ("SELECT pin FROM note", ["SW230"]),
    "all of one with secrets and private": ("SELECT * FROM note", ["SW230", "SW230"]),
    "a password added": ("INSERT INTO user (name, password) VALUES ('a', 'b')", ["SW185"]),
    "a password added in quotes": ('INSERT INTO user ([name], "Password") VALUES (1, 2)', ["SW185"]),
    "a password added unnamed": ("INSERT INTO user VALUES (1, 2, 'a', 'b', 'c', 'd', 'member')", ["SW185"]),
    "a password changed": ("UPDATE user SET password = 'x'", ["SW185"]),
    "a password in an upsert": (
        "INSERT INTO user (name, email) VALUES ('a', 'b') ON CONFLICT (email) DO UPDATE SET password = 'x'", ["SW185"],
    ),
    "a secret that a join compares": (
        "WITH RECURSIVE g(n, pin) AS (SELECT 1233, '1233' UNION ALL SELECT n + 1, printf('%04d', n + 1) FROM g WHERE n < 1240)"
        " SELECT note.id, g.n AS found FROM note JOIN g USING (pin)", ["SW230"],
    ),
    "a secret in USING": ("SELECT n.id FROM note n JOIN (SELECT '1' AS pin) g USING (pin)", ["SW230"]),
    "a secret in USING, quoted": ("SELECT g.x FROM 'note' n LEFT JOIN (SELECT 1 AS x, '1' AS pin) g USING ('Pin')", ["SW230"]),
    "a secret in USING, beside itself": ('SELECT a.id FROM note a JOIN note b USING (id, "pin")', ["SW230"]),
    "a secret in USING, within": ("SELECT id FROM note WHERE id IN (SELECT id FROM user JOIN (SELECT 1 AS password) USING (password))", ["SW230"]),
    "what is private by NATURAL": ("SELECT g.x FROM note NATURAL JOIN (SELECT 'a@b' AS mail, 1 AS x) g", ["SW230"]),
    "a secret by NATURAL": ("SELECT g.x FROM (SELECT 'h' AS password, 1 AS x) g LEFT OUTER NATURAL JOIN user", ["SW230"]),
    "two columns of one name": ("SELECT a.id, b.id FROM note a JOIN note b ON a.id = b.id", ["SW186"]),
}  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT text FROM note JOIN (SELECT 2 AS id) USING (id)",
        "SELECT text FROM note a JOIN note b USING (id, text) WHERE id = 2",
        "SELECT text FROM note JOIN (SELECT 2 AS id, 'a@b' AS mail) g USING (id) WHERE text <> 'pin'",
        "SELECT g.text FROM (SELECT 'two' AS text) g JOIN (SELECT 1 AS a) b ON true WHERE g.text NOT IN (SELECT name FROM user)",
        "SELECT text, 1 AS natural FROM note JOIN (SELECT 2 AS id) g USING (id)",
        "WITH g AS (SELECT 2 AS id, 'two' AS text), h AS (SELECT 2 AS id) SELECT text FROM g NATURAL JOIN h",
    ],
)
def test_a_join_that_asks_for_nothing_secret(tmp_path: Path, sql: str) -> None:
    assert [row["text"] for row in run(tmp_path, query(f'"{sql}"'))] == ["two"]


@pytest.mark.parametrize(("sql", "codes"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_before_it_runs(tmp_path: Path, sql: str, codes: list[str]) -> None:
    written = sql if sql.startswith("'") else f'"{sql}"' if '"' not in sql else f"'{sql}'"
    stack = f"endpoint: POST /it\ninput: {{v: text}}\nstack:\n  - direct_database_query: {written}\n    as: r\n  - return: $r\n"
    problems = checked(tmp_path, {"user": USER, "note": NOTE, "it": stack}).problems
    assert [each.code for each in problems if each.code != "SW240"] == codes, messages(problems)
    assert all(each.span.line == 4 for each in problems if each.code != "SW240")


@pytest.mark.parametrize(
    ("join", "told"),
    [
        ("JOIN g USING (size, pin)", "5:47 error SW230 a secret would leave the table 'note': 'pin'"),
        ("NATURAL JOIN g", "5:27 error SW230 NATURAL would take what is secret or private in the table 'note': 'mail', 'pin'"),
    ],
)  # fmt: skip
def test_what_a_join_asks_for_is_told_where_it_stands(tmp_path: Path, join: str, told: str) -> None:
    sql = "WITH g AS (SELECT 1 AS size, '1' AS pin)\n      SELECT id FROM note"
    stack = f"function: f\nstack:\n  - direct_database_query: |\n      {sql} {join}\n    as: r\n  - return: $r\n"
    assert messages(checked(tmp_path, {"note": NOTE, "user": USER, "f": stack}).errors) == [told]


def test_a_statement_in_a_function_is_checked_too(tmp_path: Path) -> None:
    function = "function: f\nstack:\n  - if: now() > 5\n    then:\n      - direct_database_query: DELETE FROM nte\n"
    assert messages(checked(tmp_path, {"note": NOTE, "user": USER, "f": function}).problems) == [
        "5:44 error SW184 unknown table 'nte'"
    ]


def test_a_get_that_writes_is_told(tmp_path: Path) -> None:
    text = "endpoint: GET /{}\nstack:\n  - direct_database_query: {}\n    as: r\n  - return: $r\n"
    files = {"a": text.format("a", "DELETE FROM note"), "b": text.format("b", "SELECT id FROM note")}
    problems = checked(tmp_path, {"note": NOTE, "user": USER, **files}).problems
    assert messages(problems) == ["3:5 warning SW143 'direct_database_query' writes, a GET must not"]


def test_only_what_writes_takes_the_turn(tmp_path: Path) -> None:
    assert not made(tmp_path, query("SELECT id FROM note")).endpoints[0].plan.writes
