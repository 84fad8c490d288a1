"""Every command: what it prints, how it ends, and that a mistake leaves everything as it was."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from engine.cli.findings import as_github
from engine.cli.sarif import as_sarif
from engine.codes import codes
from engine.errors import Problem, Span, Text
from tests.commands import ENGINE, ROOT, called, contents, serve, stackwright
from tests.storages import on_sqlite
from tests.support import write

HELLO = "endpoint: GET /hello\nstack: []\nresponse: {hello: world}\n"
MISSPELT = """
    endpoint: GET /hello
    stack:
      - set: {greeting: hello}
    response: $greetin
"""
UNUSED = """
    endpoint: GET /hello
    stack:
      - get_record: user
        where: {id: 1}
        as: unused
    response: 1
"""
HELLO_TEST = """
    test: GET /hello
    cases:
      - name: it greets
        response: {hello: %s}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the shipped stacks."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    return tmp_path


# check


def test_check_counts_nothing_in_the_shipped_stacks(shop: Path) -> None:
    ended = stackwright(shop, "check")
    assert (ended.status, ended.out, ended.err) == (0, "0 errors, 0 warnings\n", "")


def test_check_names_the_place_and_the_mend(shop: Path) -> None:
    write(shop / "stacks", {"hello": MISSPELT})
    ended = stackwright(shop, "check")
    assert ended.status == 1
    lines = ended.out.splitlines()
    assert lines[0].startswith("stacks/hello.yaml:4:11: error SW")
    assert "greetin" in lines[0]
    assert "did you mean '$greeting'?" in ended.out
    assert lines[-1] == "1 error, 0 warnings"


def test_a_warning_is_no_failure(shop: Path) -> None:
    write(shop / "stacks", {"hello": UNUSED})
    ended = called(shop, "check")
    assert ended.status == 0
    assert ended.out.endswith("0 errors, 1 warning\n")


def test_check_for_programs(shop: Path) -> None:
    write(shop / "stacks", {"hello": MISSPELT})
    ended = stackwright(shop, "check", "--format", "json")
    [problem] = json.loads(ended.out)
    assert ended.status == 1
    assert (problem["path"], problem["line"], problem["column"]) == ("stacks/hello.yaml", 4, 11)
    assert (problem["severity"], problem["code"][:2]) == ("error", "SW")


def test_check_for_github(shop: Path) -> None:
    write(shop / "stacks", {"a, b": "endpoint: GET /b\nstack:\n  - precondition: 5 % 2 = 1\n"})
    ended = called(shop, "check", "--format", "github")
    place = "file=stacks/a%2C b.yaml,line=3,endLine=3,col=25,endColumn=26"
    assert (ended.status, ended.out) == (
        1,
        f"::error {place},title=SW027::'=' isn't part of an expression (write `==` to compare; a variable is set by a `set` step)\n",
    )


def test_githubs_annotations_are_escaped_and_have_columns_within_one_line_alone(tmp_path: Path) -> None:
    span = Span(Text(str(tmp_path / "50%: a, b.yaml"), ""), 3, 5, 4, 2)
    with chdir(tmp_path):
        written = as_github([Problem("SW999", "10% of 'a\nb'", span, severity="warning")])
    assert written == "::warning file=50%25%3A a%2C b.yaml,line=3,endLine=4,title=SW999::10%25 of 'a%0Ab'\n"


# What code scanning asks of a file (OASIS SARIF 2.1.0 §3.13 to §3.30), with nothing beside.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "text": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}, "markdown": {"type": "string"}}, "additionalProperties": False},
        "run": {
            "type": "object",
            "required": ["tool", "columnKind", "results"],
            "additionalProperties": False,
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "additionalProperties": False, "properties": {"driver": {"$ref": "#/$defs/driver"}}},
                "columnKind": {"const": "unicodeCodePoints"},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "driver": {
            "type": "object",
            "required": ["name", "version", "rules"],
            "additionalProperties": False,
            "properties": {
                "name": {"const": "Stackwright"},
                "version": {"type": "string"},
                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/rule"}},
            },
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "defaultConfiguration"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string", "pattern": "^SW[0-9]{3}$"},
                "shortDescription": {"$ref": "#/$defs/text"},
                "fullDescription": {"$ref": "#/$defs/text"},
                "help": {"$ref": "#/$defs/text"},
                "defaultConfiguration": {"type": "object", "required": ["level"], "properties": {"level": {"enum": ["error", "warning"]}}},
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["error", "warning"]},
                "message": {"$ref": "#/$defs/text"},
                "locations": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "object", "required": ["physicalLocation"], "properties": {"physicalLocation": {"$ref": "#/$defs/place"}}}},
            },
        },
        "place": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}}, "additionalProperties": False},
                "region": {"type": "object", "required": ["startLine", "startColumn", "endLine", "endColumn"], "additionalProperties": {"type": "integer", "minimum": 1}},
            },
        },
    },
}  # fmt: skip


def test_check_for_code_scanning(shop: Path) -> None:
    broken = "endpoint: GET /b\nstack:\n  - set: {x: $input}\n  - precondition: '{ 1'\n"
    write(shop / "stacks", {"a b": broken, "hello": MISSPELT, "unused": UNUSED.replace("/hello", "/unused")})
    ended = called(shop, "check", "--format", "sarif")
    log = json.loads(ended.out)
    jsonschema.validate(log, SARIF)
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert ended.status == 1
    assert [result["ruleId"] for result in run["results"]] == [
        rules[each["ruleIndex"]]["id"] for each in run["results"]
    ]
    found = {result["ruleId"]: result for result in run["results"]}
    assert (
        found["SW029"]["message"]["text"]
        == "'1' can't be a key (a key is a name or a quoted text, as in {{name: 1, \"2\": 3}})"
    )
    assert found["SW240"]["level"] == "warning"
    assert found["SW201"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "stacks/hello.yaml"
    assert found["SW029"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "stacks/a%20b.yaml"


def test_code_scanning_takes_braces_for_placeholders(tmp_path: Path) -> None:
    span = Span(Text(str(tmp_path / "x.yaml"), ""), 1, 1, 1, 2)
    log = json.loads(as_sarif([Problem("SW013", "'{' is never closed", span, "write '}' where it ends")]))
    [result] = log["runs"][0]["results"]
    assert result["message"]["text"] == "'{{' is never closed (write '}}' where it ends)"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (tmp_path / "x.yaml").as_uri()


def test_a_workspace_without_findings_for_code_scanning(shop: Path) -> None:
    ended = called(shop, "check", "--format", "sarif")
    log = json.loads(ended.out)
    jsonschema.validate(log, SARIF)
    assert (ended.status, log["runs"][0]["results"]) == (0, [])


def test_check_finds_mistakes_in_tests(shop: Path) -> None:
    write(shop / "stacks", {"hello": HELLO, "hello.test.yaml": "test: GET /hello\ncases:\n  - nam: x\n"})
    ended = stackwright(shop, "check")
    assert ended.status == 1
    assert "stacks/hello.test.yaml:3:" in ended.out
    assert "'nam' is not known here" in ended.out


# test


def test_the_shipped_tests_pass(shop: Path) -> None:
    ended = stackwright(shop, "test")
    *cases, count = ended.out.splitlines()
    assert (ended.status, ended.err) == (0, "")
    assert all(case.startswith("ok ") for case in cases)
    assert count == f"{len(cases)} passed, 0 failed"
    assert sorted(path.name for path in shop.iterdir()) == ["stacks"]


def test_a_case_that_fails_fails_the_command(shop: Path) -> None:
    write(shop / "stacks", {"hello": HELLO, "hello.test.yaml": HELLO_TEST % "moon"})
    ended = stackwright(shop, "test", "-k", "greets")
    assert ended.status == 1
    assert "moon" in ended.out and "world" in ended.out
    assert ended.out.endswith("0 passed, 1 failed\n")


def test_cases_are_chosen_by_a_word(shop: Path) -> None:
    write(shop / "stacks", {"hello": HELLO, "hello.test.yaml": HELLO_TEST % "world"})
    ended = called(shop, "test", "-k", "greets")
    assert ended.status == 0
    assert ended.out.splitlines() == ["ok   stacks/hello.test.yaml: it greets", "1 passed, 0 failed"]


# show


def test_show_prints_the_function_of_a_stack(shop: Path) -> None:
    by_path, by_name = stackwright(shop, "show", "auth/login"), called(shop, "show", "POST /auth/login")
    assert by_path.status == 0
    assert by_path.out == by_name.out
    compile(by_path.out, "shown", "exec")
    assert "Invalid Credentials." in by_path.out


# new and add


def test_a_new_folder_checks_and_passes(tmp_path: Path) -> None:
    made = stackwright(tmp_path, "new", "shop")
    assert (made.status, made.err) == (0, "")
    shop = tmp_path / "shop"
    assert called(shop, "check").out == "0 errors, 0 warnings\n"
    assert called(shop, "test").status == 0
    assert (shop / ".gitignore").read_text() == "data/\n"
    assert "workspace: shop\n" in (shop / "stacks" / "workspace.yaml").read_text()
    assert sorted(path.name for path in (shop / "schemas").iterdir()) == sorted(
        path.name for path in (ROOT / "schemas").iterdir()
    )


@pytest.mark.parametrize("table", ["user", "customer"])
def test_added_accounts_check_and_pass(tmp_path: Path, table: str) -> None:
    write(tmp_path / "stacks", {"workspace": "workspace: shop\ncanonical: main\n"})
    added = called(tmp_path, "add", "auth", "--table", table)
    folder = "auth" if table == "user" else f"{table}/auth"
    written = [line.removeprefix("wrote ") for line in added.out.splitlines()]
    assert (added.status, added.err) == (0, "")
    assert f"stacks/tables/{table}.yaml" in written
    assert f"stacks/{folder}/login.yaml" in written
    assert all((tmp_path / path).is_file() for path in written)
    assert called(tmp_path, "check").out == "0 errors, 0 warnings\n"
    tested = called(tmp_path, "test")
    assert tested.status == 0, tested.out
    assert f"ok   stacks/{folder}/login.test.yaml" in tested.out


# schema and docs


def test_schema_and_docs_write_what_is_committed(tmp_path: Path) -> None:
    assert stackwright(tmp_path, "schema", "--write", "schemas").status == 0
    assert called(tmp_path, "docs", "--write", "reference.md").status == 0
    written = {path.name: path.read_text() for path in (tmp_path / "schemas").iterdir()}
    assert written == {path.name: path.read_text() for path in (ROOT / "schemas").iterdir()}
    assert (tmp_path / "reference.md").read_text() == (ROOT / "docs" / "reference.md").read_text()


# token and keys


def test_token_and_keys(shop: Path) -> None:
    token = stackwright(shop, "token", "user", "1", "--extras", '{"role": "admin", "rloe": 1}', "--expires-in", "1h")
    notes = [
        "note: there is no record 1 in 'user' yet",
        "note: '$auth.extras' won't hold 'rloe': no create_token puts that into the extras of a 'user'",
    ]
    assert (token.status, token.err.splitlines()) == (0, notes)
    assert token.out.count(".") == 4  # RFC 7516 §3.1: five parts
    [first] = called(shop, "keys", "list").out.splitlines()
    assert first.endswith("dir+A256GCM  current")
    older, newer = called(shop, "keys", "rotate", "--algorithm", "xano").out.splitlines()
    assert older == first.removesuffix("  current")
    assert newer.endswith("A256KW+A256CBC-HS512  current")
    retired = stackwright(shop, "keys", "retire", older.split()[0])
    assert (retired.status, retired.out) == (0, newer + "\n")
    assert (shop / "data").stat().st_mode & 0o777 == 0o700


def test_the_current_key_stays(shop: Path) -> None:
    called(shop, "token", "user", "1")
    kid = called(shop, "keys", "list").out.split()[0]
    before = contents(shop)
    ended = called(shop, "keys", "retire", kid)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"'{kid}' is the current key: rotate first, then retire it\n"
    assert contents(shop) == before


# Mistakes


MISTAKES = [
    ("chekc", 2, "there is no command 'chekc': did you mean 'check'?"),
    ("", 2, "arguments are required: COMMAND"),
    ("check --fast", 2, "unrecognized arguments: --fast"),
    ("check nowhere", 1, "there is no workspace folder 'nowhere'"),
    ("check --format xml", 2, "'xml' can't stand here; known here: github, json, sarif, text"),
    ("test nowhere", 1, "there is no workspace folder 'nowhere'"),
    ("show auth/logn", 1, "'auth/logn': did you mean 'POST /auth/login'?"),
    ("new stacks", 1, "'stacks' is there already and not empty, nothing was written"),
    ("add auth", 1, "'stacks/tables/user.yaml' is there already, nothing was written"),
    ("add auth --table ../x", 1, "'../x' is no table's name"),
    ("add payments", 2, "'payments' can't stand here; known here: auth"),
    ("token usr 1", 1, "'usr' is no table with auth: true. did you mean 'user'?"),
    ("token user one", 1, "the id 'one' is no int"),
    ("token user 1 --expires-in soon", 1, "'soon' is no duration"),
    ("token user 1 --extras [1]", 1, "--extras must be a JSON object"),
    ("token user 1 --extras {", 1, "--extras is no JSON"),
    ("copy sqlite:///a.db sqlite:///b.db", 1, "copied from sqlite:///path/to/file to postgresql://user:password@host"),
    ("copy sqlite:///data/a.db", 1, "copied from sqlite:///path/to/file to postgresql://user:password@host/name"),
    (
        "copy a.db postgresql://db/x",
        1,
        "STACKWRIGHT_DATABASE_URL: 'a.db' can't be served, write sqlite:///path/to/file",
    ),
    ("copy sqlite:///nowhere.db postgresql://db/x", 1, "there is no database 'nowhere.db'"),
    ("keys list", 1, "there are no keys in 'data/keys' yet"),
    ("keys burn", 2, "'burn' can't stand here; known here: list, retire, rotate"),
    ("docs --write nowhere/page.md", 1, "'nowhere/page.md': No such file or directory"),
    ("schema --write stacks/workspace.yaml", 1, "'stacks/workspace.yaml': File exists"),
    ("migrate nowhere", 1, "there is no workspace folder 'nowhere'"),
    ("migrate --allow-destructive", 1, "--allow-destructive goes with --apply"),
    ("serve nowhere", 1, "there is no workspace folder 'nowhere'"),
    ("serve --port eighty", 2, "the port 'eighty' is no number from 0 to 65535"),
    ("serve --workers 0", 2, "'0' is no number from 1 to 256"),
    ("serve --reload --workers 2", 1, "--reload serves with one process: leave out --workers"),
]


@pytest.mark.parametrize(("words", "status", "message"), MISTAKES, ids=[words or "nothing" for words, _, _ in MISTAKES])
def test_a_mistake_is_one_message_and_changes_nothing(shop: Path, words: str, status: int, message: str) -> None:
    before = contents(shop)
    ended = called(shop, *words.split())
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert len([line for line in ended.err.splitlines() if not line.startswith(("usage: ", " "))]) == 1
    assert contents(shop) == before


SERVE = (*ENGINE, "serve")
SCRIPT = (sys.executable, str(ROOT / "server.py"))
UVICORN = (sys.executable, "-m", "uvicorn", "server:app", "--port", "0")
BROKEN = {"tables/user": "table: user\ncolumns:\n  name: [text\n"}
LACKING = {"workspace": "workspace: shop\nenv: {MAIL_KEY: text}\n"}
POSTGRES = {"STACKWRIGHT_DATABASE_URL": "mysql://me:secret@db/x"}
IN_A_FILE = {"STACKWRIGHT_DATA": "file"}
REFUSED: list[tuple[Sequence[str], dict[str, str], dict[str, str], str]] = [
    (SERVE, BROKEN, {}, "stacks/tables/user.yaml:"),
    (SERVE, {"hello": MISSPELT}, {}, "stacks/hello.yaml:4:11: error SW"),
    (SERVE, LACKING, {}, "the environment lacks what 'env:' of the workspace declares: MAIL_KEY"),
    (SERVE, {}, {"PORT": "eighty"}, "the port 'eighty' is no number"),
    (SERVE, {}, IN_A_FILE, "the data folder 'file' can't be made"),
    (SERVE, {}, POSTGRES, "STACKWRIGHT_DATABASE_URL: 'mysql' can't be served"),
    (SCRIPT, {"hello": MISSPELT}, {}, "stacks/hello.yaml:4:11: error SW"),
    (UVICORN, {"hello": MISSPELT}, {}, "stacks/hello.yaml:4:11: error SW"),
    (UVICORN, {}, IN_A_FILE, "the data folder 'file' can't be made"),
]


@pytest.mark.parametrize(("program", "files", "settings", "message"), REFUSED)
def test_what_cannot_be_served_is_refused(
    shop: Path, program: Sequence[str], files: dict[str, str], settings: dict[str, str], message: str
) -> None:
    write(shop / "stacks", files)
    (shop / "file").write_text("")
    before = contents(shop)
    ended = stackwright(shop, program=program, **{"PORT": "0", **settings})
    assert ended.status in (1, 3)
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert "secret" not in ended.err
    assert contents(shop) == before


def test_a_port_in_use(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = stackwright(shop, "serve", "--port", str(port))
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"port {port} is in use: stop what uses it, or choose another with --port or PORT\n"
    assert not (shop / "data").exists()


@pytest.mark.parametrize("command", ["serve --port 0", "serve --port 0 --workers 2", "keys rotate"])
def test_a_key_that_others_may_read(shop: Path, command: str) -> None:
    assert called(shop, "token", "user", "1").status == 0
    key = shop / "data" / "keys" / "1.json"
    key.chmod(0o644)
    before = contents(shop)
    ended = stackwright(shop, *command.split())
    assert (ended.status, ended.out) == (1, "")
    mend = "run chmod 600 data/keys/1.json"
    assert ended.err == f"data/keys/1.json may be read or written by others than its owner: {mend}\n"
    assert contents(shop) == before


EXPOSED = {
    "the folder": ({"data": 0o755}, "data", "chmod 700 data"),
    "the folder of a group": ({"data": 0o750}, "data", "chmod 700 data"),
    "the database": ({"data/database.sqlite3": 0o644}, "data/database.sqlite3", "chmod 600 data/database.sqlite3"),
    "its log": ({"data/database.sqlite3-wal": 0o640}, "data/database.sqlite3-wal", "chmod 600 data/database.sqlite3-wal"),
    "both": (
        {"data": 0o755, "data/database.sqlite3": 0o604},
        "data and data/database.sqlite3",
        "chmod 700 data && chmod 600 data/database.sqlite3",
    ),
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize(("modes", "said", "mend"), EXPOSED.values(), ids=EXPOSED)
def test_data_that_others_may_read(shop: Path, modes: dict[str, int], said: str, mend: str) -> None:
    assert called(shop, "token", "user", "1").status == 0
    for name in ("database.sqlite3", "database.sqlite3-wal"):
        (shop / "data" / name).touch(0o600)
    for name, mode in modes.items():
        (shop / name).chmod(mode)
    before = contents(shop)
    ended = stackwright(shop, "serve", "--port", "0")
    assert (ended.status, ended.out) == (1, "")
    hint = "(or set STACKWRIGHT_SHARED_DATA=yes, where they are to)"
    assert ended.err == f"{said} may be read or written by others than the owner: run {mend} {hint}\n"
    assert contents(shop) == before
    subprocess.run(mend, cwd=shop, shell=True, check=True)
    with serve(shop):  # it answers
        pass


def test_data_that_others_are_to_read(shop: Path) -> None:
    (shop / "data").mkdir(mode=0o755)
    with serve(shop, STACKWRIGHT_SHARED_DATA="yes"):  # it answers
        pass
    ended = stackwright(shop, "serve", "--port", "0", STACKWRIGHT_SHARED_DATA="1")
    assert (ended.status, ended.err) == (1, "STACKWRIGHT_SHARED_DATA: '1' is neither 'yes' nor 'no'\n")


# explain


def test_a_code_is_explained(shop: Path) -> None:
    ended = stackwright(shop, "explain", "sw104")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "SW104, error: what can't be set\n\n"
        "`set` takes names, without a `$`, and paths into variables: `user.name`, `items[0].price`.\n\n"
        "wrong:\n\n    - set: {$total: 1}\n    - return: 1\n\nright:\n\n    - set: {total: 1}\n    - return: $total\n"
    )


def test_several_codes_are_explained_in_turn(shop: Path) -> None:
    ended = called(shop, "explain", "SW001", "SW240")
    assert [line for line in ended.out.splitlines() if line.startswith("SW")] == [
        "SW001, error: a file that can't be read",
        "SW240, warning: a variable that is never used",
    ]


def test_all_codes_are_listed(shop: Path) -> None:
    lines = called(shop, "explain").out.splitlines()
    assert len(lines) == len(codes())
    assert lines[0] == "SW001  error    a file that can't be read"
    assert "SW240  warning  a variable that is never used" in lines


def test_a_code_that_nobody_knows(shop: Path) -> None:
    ended = called(shop, "explain", "SW1044")
    assert (ended.status, ended.out, ended.err) == (1, "", "there is no code 'SW1044': did you mean 'SW144'?\n")


def test_every_page_fits_a_code_scanners_rule(shop: Path) -> None:
    span = Span(Text("x.yaml", ""), 1, 1, 1, 2)
    log = json.loads(as_sarif([Problem(name, "x", span) for name in codes()]))
    jsonschema.validate(log, SARIF)
