"""Records that come from files: every rule of their columns, every mistake by its line, and all of them or none."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.security.passwords import DEFAULT_COST, Passwords
from engine.store.importing import SHOWN
from tests.commands import ENGINE, called, contents, environment, serve, stackwright
from tests.support import write

PERSON = """
    table: person
    columns:
      id: int
      made: {type: timestamp, default: now}
      name: {type: text, max: 10}
      email: {type: email, unique: true, trim: true, lower: true}
      age?: {type: int, min: 0}
      score?: decimal
      active: {type: bool, default: true}
      born?: date
      role: {type: enum, values: [member, admin], default: member}
      tags?: "text[]"
      more?: json
      boss?: {table: person}
      note?: {type: text, sensitive: true}
"""
ACCOUNT = """
    table: account
    columns: {id: uuid, email: {type: email, unique: true}, password: {type: password, min: 8}}
"""
PET = """
    table: pet
    columns: {id: int, of: {table: person}, name: {type: text, nullable: true, default: x}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path / "stacks", {"person": PERSON, "account": ACCOUNT, "pet": PET})
    return tmp_path


def rows(shop: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop / "data" / "database.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def held(shop: Path, table: str = "person") -> list[dict[str, Any]]:
    return [json.loads(line) for line in called(shop, "export", table, "--format", "jsonl").out.splitlines()]


def given(shop: Path, content: str | bytes, name: str = "in.csv") -> str:
    (shop / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


# What is read


def test_cells_are_read_by_the_columns_types(shop: Path) -> None:
    text = (
        "name,email,age,score,active,born,role,tags,more,boss\r\n"
        'Ada, ADA@Example.com ,36,1.5,true,1815-12-10,admin,"[""a"", ""b""]","{""x"": 1}",\r\n'
        '"Bob\nB.",bob@example.com,,,,,,,,1\r\n'
        '"say ""hi""",c@example.com,0,-1e3,false,2024-02-29,member,[],null,2\r\n'
    )
    ended = stackwright(shop, "import", given(shop, text), "person")
    assert (ended.status, ended.out, ended.err) == (0, "imported 3 records into 'person'\n", "")
    found = held(shop)
    assert len({each.pop("made") for each in found}) == 1
    empty = {"age": None, "score": None, "born": None, "tags": None, "more": None}
    assert found == [
        {"id": 1, "name": "Ada", "email": "ada@example.com", "age": 36, "score": 1.5, "active": True, "born": "1815-12-10", "role": "admin", "tags": ["a", "b"], "more": {"x": 1}, "boss": None},
        {"id": 2, "name": "Bob\nB.", "email": "bob@example.com", **empty, "active": True, "role": "member", "boss": 1},
        {"id": 3, "name": 'say "hi"', "email": "c@example.com", "age": 0, "score": -1000.0, "active": False, "born": "2024-02-29", "role": "member", "tags": [], "more": None, "boss": 2},
    ]  # fmt: skip


JSON = '{"name": "Ada", "email": "a@b.io", "tags": ["ü"]}', '{"email": "b@b.io", "name": "B", "age": 7, "more": [1.5]}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("in.json", f"[{JSON[0]},\n {JSON[1]} ]\n"),
        ("in.json", f"\ufeff[\n{JSON[0]}\n,{JSON[1]}]"),
        ("in.jsonl", f"{JSON[0]}\n\n{JSON[1]}"),
        ("in.ndjson", f"\ufeff{JSON[0]}\r\n{JSON[1]}\r\n"),
        ("in.csv", "name,email,age,tags,more\nAda,a@b.io,,\"[\"\"ü\"\"]\",\nB,b@b.io,7,,[1.5]\n\n"),
        ("in.csv", "\ufeffname,email,age,tags,more\nAda,a@b.io,,\"[\"\"ü\"\"]\",\nB,b@b.io,7,,[1.5]"),
    ],
)  # fmt: skip
def test_every_format_says_the_same(shop: Path, name: str, text: str) -> None:
    assert called(shop, "import", given(shop, text, name), "person").out == "imported 2 records into 'person'\n"
    said = [(each["name"], each["email"], each["age"], each["tags"], each["more"]) for each in held(shop)]
    assert said == [("Ada", "a@b.io", None, ["ü"], None), ("B", "b@b.io", 7, None, [1.5])]


@pytest.mark.parametrize(("text", "count"), [("[]", 0), ("[ ]\n", 0), ("", None), ("[{}]", None)])
def test_a_json_list_may_be_empty(shop: Path, text: str, count: int | None) -> None:
    ended = called(shop, "import", given(shop, text, "in.json"), "person")
    assert (ended.status == 0) is (count is not None)
    assert count is None or ended.out == f"imported {count} records into 'person'\n"


def test_a_long_list_on_one_line_is_read_in_pieces(shop: Path) -> None:
    records = [{"name": f"n{number}", "email": f"n{number}@b.io", "more": "ü" * 3000} for number in range(300)]
    text = json.dumps(records, ensure_ascii=False)
    assert called(shop, "import", given(shop, text, "in.json"), "person").status == 0
    assert [each["more"] for each in held(shop)] == ["ü" * 3000] * 300


def test_what_is_piped_in(shop: Path) -> None:
    command = [*ENGINE, "import", "-", "person", "--format", "csv"]
    done = subprocess.run(
        command, cwd=shop, env=environment(), input=b"name,email\nAda,a@b.io\n", capture_output=True, check=True
    )
    assert done.stdout == b"imported 1 record into 'person'\n"


def test_null_and_left_out_are_told_apart_where_a_column_takes_both(shop: Path) -> None:
    assert called(shop, "import", given(shop, "name,email\nAda,a@b.io\n"), "person").status == 0
    text = '{"of": 1, "name": null}\n{"of": 1}\n'
    assert called(shop, "import", given(shop, text, "in.jsonl"), "pet").status == 0
    assert [each["name"] for each in held(shop, "pet")] == [None, "x"]


def test_a_record_may_refer_to_one_after_it(shop: Path) -> None:
    text = "id,name,email,boss\n5,A,a@b.io,9\n9,B,b@b.io,5\n"
    assert called(shop, "import", given(shop, text), "person").status == 0
    assert [(each["id"], each["boss"]) for each in held(shop)] == [(5, 9), (9, 5)]
    assert called(shop, "import", given(shop, "name,email\nC,c@b.io\n"), "person").status == 0
    assert held(shop)[2]["id"] == 10


def test_a_table_may_be_called_as_what_we_use_ourselves(shop: Path) -> None:
    write(
        shop / "stacks",
        {"staged": "table: staged\ncolumns: {id: int, line: {type: int, unique: true}, set: int, rowid: int}\n"},
    )
    twice = called(shop, "import", given(shop, "line,set,rowid\n5,6,7\n5,6,7\n"), "staged")
    assert twice.err == "in.csv:3: 'line' must be unique.\nnothing was imported\n"
    for line in (1, 2):
        assert called(shop, "import", given(shop, f"line,set,rowid\n{line},6,7\n"), "staged").status == 0
    assert held(shop, "staged") == [{"id": line, "line": line, "set": 6, "rowid": 7} for line in (1, 2)]


def test_passwords_are_hashed(shop: Path) -> None:
    text = "email,password\na@b.io,correct horse\nb@b.io,battery staple\n"
    assert called(shop, "import", given(shop, text), "account").status == 0
    [first, second] = rows(shop, "SELECT id, password FROM account ORDER BY email")
    passwords = Passwords(DEFAULT_COST, threads=1)
    assert passwords.verify_now(first[1], "correct horse")
    assert passwords.verify_now(second[1], "battery staple")
    passwords.close()
    assert len(first[0]) == 36


def test_records_are_changed_by_a_unique_column(shop: Path) -> None:
    text = "name,email,age\nAda,a@b.io,1\nBob,b@b.io,2\n"
    assert called(shop, "import", given(shop, text), "person").status == 0
    text = "name,email\nADA,A@B.io\nCy,c@b.io\n"
    ended = called(shop, "import", given(shop, text), "person", "--update", "email")
    assert ended.out == "imported 1 record into 'person', changed 1\n"
    assert [(each["name"], each["age"]) for each in held(shop)] == [("ADA", 1), ("Bob", 2), ("Cy", None)]
    ended = called(
        shop, "import", given(shop, '{"id": 2, "name": "B", "email": "z@b.io"}', "in.jsonl"), "person", "--update", "id"
    )
    assert ended.out == "imported 0 records into 'person', changed 1\n"
    assert held(shop)[1]["email"] == "z@b.io"


STAY = """
    table: stay
    columns:
      id: int
      name: {type: text, unique: true}
      from: int
      to: {type: int, default: 9}
      at?: {type: timestamp, on_update: now}
      place?: geo_point
      hidden?: {type: text, visibility: internal}
      own?: {type: text, visibility: private}
    checks: [{check: from < to, message: It must end later.}]
"""


def test_what_is_imported_is_searched_and_a_rule_may_walk_a_list(shop: Path) -> None:
    text = """
    table: page
    columns: {id: int, title: {type: text, unique: true}}
    checks: ["(title | split(' ') | filter($word => $word != '') | count) < 4"]
    seed: [{title: Seeded here}]
    indexes: [{columns: [title], type: search}]
    """
    write(shop / "stacks", {"page": text})
    assert called(shop, "import", given(shop, "title\nAda L.\nBob\n"), "page").status == 0
    found = 'SELECT rowid FROM "page.search" WHERE "page.search" MATCH \'%s\''
    assert [rows(shop, found % word) for word in ("seeded", "ada", "bob")] == [[(1,)], [(2,)], [(3,)]]


def test_the_rules_of_a_table_count_and_changes_are_timed(shop: Path) -> None:
    write(shop / "stacks", {"stay": STAY})
    ended = called(shop, "import", given(shop, "name,from\na,1\nb,9\n"), "stay")
    assert ended.err == "in.csv:3: from: It must end later.\nnothing was imported\n"
    text = 'name,from,place,hidden,own\na,1,"{""type"": ""point"", ""data"": {""lng"": 1, ""lat"": 2}}",h,o\n'
    assert called(shop, "import", given(shop, text), "stay").status == 0
    [before] = held(shop, "stay")
    place = {"type": "point", "data": {"lng": 1, "lat": 2}}
    assert before == {"id": 1, "name": "a", "from": 1, "to": 9, "at": None, "place": place, "own": "o"}
    late = called(shop, "import", given(shop, "name,from\na,10\n"), "stay", "--update", "name")
    assert late.err == "in.csv:2: from: It must end later.\nnothing was imported\n"
    assert called(shop, "import", given(shop, "name,from,to\na,10,11\n"), "stay", "--update", "name").status == 0
    assert called(shop, "import", given(shop, "name,from\na,9\n"), "stay", "--update", "name").status == 0
    [after] = held(shop, "stay")
    assert (after["from"], after["to"], after["own"]) == (9, 11, "o")
    assert after["at"] > 1_700_000_000_000


# What is refused


OFF: list[tuple[str, str | bytes, list[str]]] = [
    # Headers
    ("in.csv", "", ["in.csv:1: the first row must name the columns"]),
    ("in.csv", "nme,email\n", ["in.csv:1: there is no column 'nme' in 'person': did you mean 'name'?", "the column 'name' is required"]),
    ("in.csv", "name;email\n", ["cells are separated by ','"]),
    ("in.csv", "name,email,email\n", ["in.csv:1: the column 'email' is named twice"]),
    ("in.csv", "name\nAda\n", ["in.csv:1: the column 'email' is required and not in the file"]),
    # Rows
    ("in.csv", "name,email\nAda\nB,b@b.io,x\n", ["in.csv:2: the row has 1 cells, the header has 2", "in.csv:3: the row has 3"]),
    ("in.csv", 'name,email\n"Ada,a@b.io\n', ["this is no CSV (RFC 4180)"]),
    ("in.csv", 'name,email\n"A"da,a@b.io\n', ["in.csv:2: this is no CSV (RFC 4180)"]),
    # Values
    ("in.csv", "name,email,age\n,a@b.io,\nAda,a,x\nMuchTooLong,b@b.io,-1\n", ["in.csv:2: name: Input must not be empty.", "in.csv:3: email: ", "in.csv:3: age: Input must be null or an int, not a text.", "in.csv:4: name: Input exceeds the maximum length of 10 characters", "in.csv:4: age: Value is less than the minimum value of 0"]),
    ("in.csv", "name,email,age\nAda,a@b.io,9223372036854775808\nB,b@b.io,99999999999999999999999\n", ["in.csv:2: age: Value is greater than the maximum", "in.csv:3: age: Input must be null or an int"]),
    ("in.csv", "name,email,score\nAda,a@b.io,NaN\nB,b@b.io,1e999\n", ["in.csv:2: score: ", "in.csv:3: score: "]),
    ("in.csv", "name,email,active\nAda,a@b.io,yes\n", ["in.csv:2: active: Input must be null or a bool, not a text."]),
    ("in.csv", "name,email,born,role\nAda,a@b.io,2024-02-30,boss\n", ["in.csv:2: role: "]),
    ("in.csv", "name,email,more\nAda,a@b.io,hello\nB,b@b.io,[NaN]\n", ["in.csv:2: more: this is no JSON: expecting value", "in.csv:3: more: JSON has no number 'NaN'"]),
    ("in.csv", "name,email\nA\0,a@b.io\n", ["in.csv:2: name: Input holds a NUL character."]),
    ("in.csv", 'name,email\n"A\nb",a@b.io\nB,x\n', ["in.csv:4: email: "]),
    # References and unique columns
    ("in.csv", "name,email,boss\nA,a@b.io,7\nB,b@b.io,\n", ["in.csv:2: boss: Input names no record of 'person'."]),
    ("in.csv", "name,email,age\nA,a@b.io,\nB,A@b.io,\nC,c@b.io,x\n", ["in.csv:3: 'email' must be unique.", "in.csv:4: age: "]),
    ("in.csv", "name,email\nA,a@b.io\nB,A@b.io\nC,c@b.io\nD,c@b.io\n", ["in.csv:3: 'email' must be unique.", "in.csv:5: 'email' must be unique."]),
    # JSON
    ("in.json", "{}", ["in.json:1: a JSON file must be a list of objects"]),
    ("in.json", "[\n{},\n{\n]", ["in.json:3: this record is no JSON"]),
    ("in.json", '[\n{"name": "A", "email": "a@b.io"}\n', ["in.json:3: the list has no end"]),
    ("in.json", '[{"name": "A", "email": "a@b.io"}\n{}]', ["in.json:2: ',' or ']' must follow a record"]),
    ("in.json", '[{"name": "A", "email": "a@b.io"},]', ["in.json:1: a record must follow the ','"]),
    ("in.json", "[]\n[]", ["in.json:2: nothing may follow the list"]),
    ("in.json", '[1,\n{"nme": 1, "score": NaN},\n{"nme": 1}]', ["in.json:1: a record must be an object", "in.json:2: JSON has no number 'NaN'", "in.json:3: there is no column 'nme' in 'person': did you mean 'name'?"]),
    ("in.jsonl", '{"name": "A", "name": "B", "email": "a@b.io"}\n{} {}\n[' + "[" * 100_000, ["in.jsonl:1: an object says a name twice", "in.jsonl:2: this is more than one JSON value", "in.jsonl:3: this is no JSON: it nests too deep"]),
    ("in.jsonl", '{"name": "\\ud800", "email": "a@b.io"}\n', ["in.jsonl:1: name: Input holds half a surrogate pair."]),
    ("in.jsonl", '{"name": "A", "email": "a@b.io", "score": 1' + "0" * 5000 + '}\n{"name": "A", "email": "a@b.io", "score": 1' + "0" * 350 + "}\n", ["in.jsonl:1: a number has more than 400 digits", "in.jsonl:2: score: Input is out of the range of a decimal."]),
    ("in.jsonl", '{"name": "A", "email": "a@b.io", "age": 18446744073709551616}\n{"name": 1, "email": "a@b.io", "age": "1"}', ["in.jsonl:1: age: Value is greater", "in.jsonl:2: name: Input must be a text, not an int.", "in.jsonl:2: age: Input must be null or an int, not a text."]),
    ("in.jsonl", '{"email": "a@b.io"}', ["in.jsonl:1: name: Missing param: name"]),
    # Encodings
    ("in.csv", "name,email\nÄda,a@b.io\n".encode("utf-16"), ["in.csv is UTF-16: convert it with 'iconv -f UTF-16 -t utf-8'"]),
    ("in.csv", "name,email\nÄda,a@b.io\n".encode("latin-1"), ["in.csv:2: the byte 0xc4 is not UTF-8", "iconv -f latin1 -t utf-8"]),
    ("in.json", '[{"name": "A"},\n{"name": "Ä"}]'.encode("latin-1"), ["in.json:2: the byte 0xc4 is not UTF-8"]),
    ("in.json", b'[{"name": "A\xc3', ["in.json:1: the file ends within a character"]),
    ("in.jsonl", '{"name": "A"}'.encode("utf-16-le"), ["in.jsonl:1: this is no JSON"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), OFF, ids=range(len(OFF)))
def test_every_mistake_is_named_by_its_line_and_nothing_is_imported(
    shop: Path, name: str, content: str | bytes, said: list[str]
) -> None:
    assert called(shop, "migrate", "--apply").status == 0
    ended = called(shop, "import", given(shop, content, name), "person")
    assert (ended.status, ended.out) == (1, "")
    assert [part for part in said if part not in ended.err] == []
    assert "Traceback" not in ended.err
    assert rows(shop, "SELECT count(*) FROM person") == [(0,)]


def test_only_the_first_mistakes_are_told_one_by_one(shop: Path) -> None:
    text = "name,email\n" + "".join(f"A,{number}\n" for number in range(5000)) + "A,a@b.io\n"
    lines = called(shop, "import", given(shop, text), "person").err.splitlines()
    assert [line.split(": ")[0] for line in lines[:SHOWN]] == [f"in.csv:{number + 2}" for number in range(SHOWN)]
    assert lines[SHOWN:] == [f"… and {5000 - SHOWN} more", "nothing was imported"]


WORDS = [
    ("import nowhere.csv person", "'nowhere.csv': No such file or directory"),
    ("import in.csv persn", "there is no table 'persn': did you mean 'person'?"),
    ("import in.txt person", "the name 'in.txt' doesn't say what the file is: add --format csv, json or jsonl"),
    ("import in.csv person --update nme", "'nme' is no unique column of 'person'"),
    ("import in.csv person --update name", "'name' is no unique column of 'person': known here: email, id"),
    ("import in.csv account --with-secrets", "in.csv:1: there is no column 'name' in 'account'"),
    ("export persn", "there is no table 'persn': did you mean 'person'?"),
    ("export person", "there is no database 'data/database.sqlite3' yet"),
    ("export person -o out.txt", "the name 'out.txt' doesn't say what the file is"),
]


@pytest.mark.parametrize(("words", "said"), WORDS)
def test_a_mistake_in_the_words(shop: Path, words: str, said: str) -> None:
    given(shop, "name,email\n")
    ended = called(shop, *words.split())
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert sorted(path.name for path in shop.iterdir()) == ["in.csv", "stacks"]


def test_where_there_are_mistakes_not_even_a_database_is_made(shop: Path) -> None:
    before = contents(shop / "stacks")
    for text in ("nme\n", "name,email\nA,a\n"):
        assert called(shop, "import", given(shop, text), "person").status == 1
    assert sorted(path.name for path in shop.iterdir()) == ["in.csv", "stacks"]
    assert contents(shop / "stacks") == before


def test_a_file_for_older_tables_waits_for_the_migration(shop: Path) -> None:
    called(shop, "migrate", "--apply")
    write(shop / "stacks", {"person": PERSON.replace("age?: {type: int, min: 0}", "years?: {type: int, was: age}")})
    ended = called(shop, "import", given(shop, "name,email\nA,a@b.io\n"), "person")
    assert "rename the column 'age'" in ended.err
    assert "run `stackwright migrate --apply` to change it" in ended.err


def test_a_hash_is_taken_for_one_only_on_demand(shop: Path) -> None:
    stored = Passwords(DEFAULT_COST, threads=1).hash_now("correct horse")
    text = f'email,password\na@b.io,"{stored}"\n'
    assert called(shop, "import", given(shop, text), "account", "--with-secrets").status == 0
    assert rows(shop, "SELECT password FROM account") == [(stored,)]
    ended = called(shop, "import", given(shop, "email,password\nb@b.io,correct horse\n"), "account", "--with-secrets")
    assert "in.csv:2: password: Input does not have the required form." in ended.err


# There and back


@pytest.mark.parametrize("format_", ["csv", "json", "jsonl"])
def test_what_is_exported_can_be_imported(shop: Path, format_: str) -> None:
    text = (
        '{"name": "Ä \\"q\\", x", "email": "a@b.io", "age": 1, "score": 0.1, "tags": ["a,b"], "more": "text", "boss": 2}\n'
        '{"name": "=1+1\\nb", "email": "b@b.io", "active": false, "more": {"k": [null]}, "note": "hidden"}\n'
    )
    assert called(shop, "import", given(shop, text, "in.jsonl"), "person").status == 0
    name = f"out.{format_}"
    ended = stackwright(shop, "export", "person", "-o", name, "--with-secrets")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert (shop / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in shop.iterdir()) == ["data", "in.jsonl", name, "stacks"]
    before = rows(shop, "SELECT * FROM person")
    (shop / "data" / "database.sqlite3").unlink()
    assert called(shop, "import", name, "person", "--with-secrets").status == 0
    assert rows(shop, "SELECT * FROM person") == before


@pytest.mark.parametrize("format_", ["csv", "json", "jsonl"])
def test_secrets_stay_unless_asked_for(shop: Path, format_: str) -> None:
    text = "email,password\na@b.io,correct horse\n"
    assert called(shop, "import", given(shop, text), "account").status == 0
    assert "password" not in called(shop, "export", "account", "--format", format_).out
    assert "argon2id" in called(shop, "export", "account", "--format", format_, "--with-secrets").out


def test_an_export_is_there_when_it_is_whole(shop: Path) -> None:
    called(shop, "migrate", "--apply")
    (shop / "out.csv").write_text("before")
    write(shop / "stacks", {"person": PERSON.replace("age?: {type: int, min: 0}", "years?: int")})
    ended = called(shop, "export", "person", "-o", "out.csv")
    assert (ended.status, ended.err) == (
        1,
        "'person' isn't what its file says yet: run `stackwright migrate --apply --allow-destructive`\n",
    )
    assert (shop / "out.csv").read_text() == "before"


# Processes


def test_a_server_goes_on_meanwhile(shop: Path) -> None:
    write(
        shop / "stacks",
        {"add": "endpoint: POST /add\nstack:\n  - add_record: person\n    data: {name: A, email: a@b.io}\n"},
    )
    with serve(shop) as server, server.client() as client:
        assert called(shop, "import", given(shop, "name,email\nB,b@b.io\n"), "person").status == 0
        assert client.post("/api:main/add").status_code == 200
    assert [each["email"] for each in held(shop)] == ["b@b.io", "a@b.io"]


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.3])
def test_a_killed_import_left_nothing(shop: Path, seconds: float) -> None:
    assert called(shop, "migrate", "--apply").status == 0
    lines = "".join(f"n{number},n{number}@example.com\n" for number in range(60_000))
    name = given(shop, f"name,email\n{lines}")
    process = subprocess.Popen([*ENGINE, "import", name, "person"], cwd=shop, env=environment(), stdout=subprocess.PIPE)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    done = process.communicate()[0] != b""
    # A kill may come between the commit and what says so.
    assert rows(shop, "SELECT count(*) FROM person") in ([(60_000,)], *[[(0,)]] * (not done))
    assert rows(shop, "PRAGMA integrity_check") == [("ok",)]
    assert called(shop, "import", given(shop, "name,email\nB,b@b.io\n", "b.csv"), "person").status == 0


def test_a_bar_is_shown_on_a_terminal_alone(shop: Path) -> None:
    name = given(shop, "name,email\n" + "".join(f"n{number},n{number}@b.io\n" for number in range(3000)))
    ours, theirs = pty.openpty()
    command = [*ENGINE, "import", name, "person"]
    done = subprocess.run(command, cwd=shop, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    assert done.stdout == b"imported 3000 records into 'person'\n"
    assert b"100%" in os.read(ours, 10_000)
    os.close(ours)
