"""Every mistake in `tests/mistakes/` is found, with the whole message as authors read it; what is right passes in silence."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.errors import Problem
from tests.support import USER, checked

DATA = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))
MISTAKES = [mistake for path in DATA for mistake in yaml.safe_load(path.read_text(encoding="utf-8"))]
RIGHT = yaml.safe_load((Path(__file__).parent / "right.yaml").read_text(encoding="utf-8"))
HEAD = "endpoint: POST /it\ninput: {email: email, password: password}\n"
NOTE = "table: note\ncolumns:\n  id: int\n  text: text\n"


@pytest.mark.parametrize("mistake", MISTAKES, ids=[each["name"] for each in MISTAKES])
def test_a_mistake_is_named(tmp_path: Path, mistake: dict[str, Any]) -> None:
    found = [problem.render() for problem in problems_of(tmp_path, mistake)]
    assert found == [each.rstrip("\n") for each in mistake["problems"]]


def problems_of(folder: Path, mistake: dict[str, Any]) -> list[Problem]:
    """What is found in a workspace of two tables, the endpoint with the mistake, and the files it needs beside."""
    files = {"user": USER, "note": NOTE, **mistake.get("files", {})}
    if "stack" in mistake:
        stack = mistake["stack"] if isinstance(mistake["stack"], str) else "[]"
        files["it"] = mistake.get("head", HEAD) + "stack:\n" + textwrap.indent(stack, "  ")
    return checked(folder, files).problems


@pytest.mark.parametrize("right", RIGHT, ids=[each["name"] for each in RIGHT])
def test_nothing_is_found_in_what_is_right(tmp_path: Path, right: dict[str, Any]) -> None:
    assert [problem.render() for problem in problems_of(tmp_path, right)] == []


def test_every_mistake_has_one_message_that_can_be_read_at_a_glance() -> None:
    messages = [message for mistake in MISTAKES for message in mistake["problems"]]
    assert len(MISTAKES) >= 200
    assert all(len(set(mistake["problems"])) == len(mistake["problems"]) for mistake in MISTAKES)
    assert max(len(message.splitlines()) for message in messages) < 10


WORKSPACES: dict[str, tuple[dict[str, str], list[str]]] = {
    "an endpoint twice": (
        {"a": "endpoint: GET /x\nstack: []\n", "b": "endpoint: GET /x\nstack: []\n"},
        ["b.yaml:1:11: SW064 the endpoint 'GET /x' is declared twice"],
    ),
    "an endpoint twice but for its parameter": (
        {
            "a": "endpoint: GET /x/{a}\ninput: {a: int}\nstack: [return: $input.a]\n",
            "b": "endpoint: GET /x/{b}\ninput: {b: int}\nstack: [return: $input.b]\n",
        },
        ["b.yaml:1:11: SW064 the endpoint 'GET /x/{b}' is declared twice"],
    ),
    "a path parameter without an input": (
        {"a": "endpoint: GET /x/{note_id}\ninput: {noteid: int}\nstack: [return: $input.noteid]\n"},
        ["a.yaml:1:11: SW131 the path has '{note_id}', but there is no input 'note_id'"],
    ),
    "a table twice": (
        {"a": "table: t\ncolumns: {id: int}\n", "b": "table: t\ncolumns: {id: int}\n"},
        ["b.yaml:1:8: SW059 the table 't' is declared twice"],
    ),
    "a table without an id": ({"a": "table: t\ncolumns: {name: text}\n"}, ["a.yaml:1:8: SW062 a table needs a column 'id'"]),
    "a reference to nowhere": (
        {"a": "table: t\ncolumns: {id: int, owner: {table: usr}}\n", "u": "table: user\ncolumns: {id: int}\n"},
        ["a.yaml:2:20: SW060 unknown table 'usr'"],
    ),
    "an index on nothing": (
        {"a": "table: t\ncolumns: {id: int, name: text}\nindexes: [{columns: [nam]}]\n"},
        ["a.yaml:3:22: SW061 unknown column 'nam'"],
    ),
    "an unknown type": ({"a": "table: t\ncolumns: {id: int, name: string}\n"}, ["a.yaml:2:26: SW053 'string' is not known here"]),
    "an unknown key": ({"a": "table: t\ncolums: {id: int}\n"}, ["a.yaml:2:1: SW051 'colums' is not known here"]),
    "a contract for nobody": (
        {"w": "workspace: w\nopenapi: private\n", "g": "group: g\nopenapi: {token: DOCS}\n"},
        [
            "g.yaml:2:18: SW055 'DOCS' is not a name that can stand here",
            "w.yaml:2:10: SW053 'private' is not known here",
        ],
    ),
    "a contract's token from nowhere": (
        {"w": "workspace: w\nenv: {DOCS: text}\n", "g": "group: g\nopenapi: {token: $env.DOC}\n"},
        ["g.yaml:2:18: SW070 unknown environment variable 'DOC'"],
    ),
    "a contract's token that may lack": (
        {"w": "workspace: w\nenv: {DOCS?: text, PORT: int}\nopenapi: {token: $env.DOCS}\n", "g": "group: g\nopenapi: {token: $env.PORT}\n"},
        [
            "g.yaml:2:18: SW070 'PORT' can't be a token: it is an int",
            "w.yaml:3:18: SW070 'DOCS' can't be a token: it is a text or null",
        ],
    ),
    "credentials for every site": (
        {"w": "workspace: w\ncors: {origins: ['*'], credentials: true}\n", "g": "group: g\ncors: {credentials: true}\n", "h": "group: h\ncors: {origins: ['https://a.example', 'null'], credentials: true}\n", "i": "group: i\ncors: {origins: ['https://a.example'], credentials: true}\n"},
        [
            "g.yaml:2:8: SW072 'credentials: true' would let the pages of every site act as whoever visits them",
            "h.yaml:2:48: SW072 'credentials: true' would let the pages of every site act as whoever visits them",
            "w.yaml:2:24: SW072 'credentials: true' would let the pages of every site act as whoever visits them",
        ],
    ),
    "auth by a table without it": (
        {"t": "table: t\ncolumns: {id: int}\n", "a": "endpoint: GET /x\nauth: t\nstack: []\n"},
        ["a.yaml:2:7: SW121 the table 't' has no 'auth: true'"],
    ),
    "a password in a query": (
        {"a": "endpoint: GET /x\ninput: {password: password}\nstack: [precondition: $input.password == 'x']\n"},
        ["a.yaml:2:9: SW132 'password' is secret, a GET would carry it in the URL"],
    ),
    "a default of another kind": (
        {"a": "table: t\ncolumns: {id: int, n: {type: int, default: many}}\n"},
        ["a.yaml:2:20: SW133 the default of 'n' is no int"],
    ),
    "functions that call each other": (
        {
            "a": "function: a\nstack: [run_function: b]\n",
            "b": "function: b\nstack: [run_function: a]\n",
        },
        ["b.yaml:2:23: SW130 the function 'a' calls itself: a → b → a"],
    ),
    "a function's inputs": (
        {
            "f": "function: f\ninput: {n: int}\nstack: [return: $input.n]\n",
            "a": "endpoint: GET /x\nstack:\n  - run_function: f\n    with: {m: 1}\n    as: r\n  - return: $r\n",
        },
        ["a.yaml:3:5: SW129 'f' needs 'n'", "a.yaml:4:12: SW127 'f' has no input 'm'"],
    ),
    "a function's nested inputs": (
        {
            "f": "function: f\ninput:\n  items: {type: 'object[]', properties: {price: decimal, note?: text, count: {type: int, default: 1}}}\nstack: [return: '$input.items | count']\n",
            "a": "endpoint: POST /x\ninput: {p: {type: object, properties: {price: text}}}\nstack:\n  - run_function: f\n    with: {items: [{price: 1}, {price: '1'}, {note: null, x: 1}, $input.p]}\n    as: _r\n",
        },
        [
            "a.yaml:5:41: SW128 'items[1].price' of 'f' is a decimal, this is a text",
            "a.yaml:5:46: SW129 'f' needs 'items[2].price', a decimal",
            "a.yaml:5:59: SW127 'f' has no input 'items[2].x'",
            "a.yaml:5:66: SW128 'items[3].price' of 'f' is a decimal, this is a text",
        ],
    ),
    "null for an input that may be left out": (
        {
            "f": "function: f\ninput: {n?: int}\nstack: [return: '$input.n ?? 1']\n",
            "a": "endpoint: POST /x\ninput: {n?: int}\nstack:\n  - run_function: f\n    with: {n: $input.n}\n    as: _r\n",
        },
        [],
    ),
    "null for an input that takes it": (
        {
            "f": "function: f\ninput: {n: {type: int, nullable: true}}\nstack: [return: '$input.n ?? 1']\n",
            "a": "endpoint: POST /x\ninput: {n?: int}\nstack:\n  - run_function: f\n    with: {n: $input.n}\n    as: _r\n",
        },
        [],
    ),
    "a list in the path": (
        {"a": "endpoint: GET /x/{ids}\ninput: {ids: 'int[]'}\nstack: [return: $input.ids]\n"},
        ["a.yaml:2:9: SW131 'ids' stands in the path, it can't be a list of int"],
    ),
    "a path parameter twice": (
        {"a": "endpoint: GET /x/{id}/y/{id}\ninput: {id: int}\nstack: [return: $input.id]\n"},
        ["a.yaml:1:11: SW131 the path has '{id}' twice"],
    ),
    "a file in a GET": (
        {"a": "endpoint: GET /x\ninput: {f: file}\nstack: [return: $input.f.name]\n"},
        ["a.yaml:2:9: SW134 'f' is a file, a GET has no body to bring it"],
    ),
    "a response that is never reached": (
        {"a": "endpoint: GET /x\nstack: [return: 1]\nresponse: 2\n"},
        ["a.yaml:3:11: SW141 the response is never reached"],
    ),
    "two queries open to the request": (
        {
            "n": NOTE,
            "a": "endpoint: GET /x\nstack:\n  - query_all_records: note\n    filterable: [text]\n    as: a\n"
            "  - query_all_records: note\n    sortable: [text]\n    as: b\n  - return: [$a, $b]\n",
        },
        ["a.yaml:6:5: SW066 a second query is open to the request"],
    ),
    "an input that an open query takes": (
        {
            "n": NOTE,
            "a": "endpoint: GET /x\ninput: {sort?: text}\nstack:\n  - query_all_records: note\n    sortable: [text]\n"
            "    as: a\n  - return: $a\n",
        },
        ["a.yaml:2:9: SW066 the input 'sort' is what the open query takes"],
    ),
    "a function's open query": (
        {
            "n": NOTE,
            "a": "function: f\nstack:\n  - query_all_records: note\n    sortable: [text]\n    as: a\n  - return: $a\n",
        },
        ["a.yaml:3:5: SW178 only an endpoint's query can be open to the request"],
    ),
    "an object with more than its column has": (
        {
            "t": "table: t\ncolumns: {id: int, o: {type: 'object[]', properties: {a: int}}}\n",
            "a": "endpoint: POST /x\nstack:\n  - add_record: t\n    data: {o: [{a: 1, b: 2}]}\n",
        },
        ["a.yaml:4:23: SW123 the column 'o' has no 'o[0].b'"],
    ),
    "a file that says nothing": ({"a": "# nothing\n"}, ["a.yaml:1:1: SW050 the file says nothing: it must be a mapping"]),
    "a file of no kind": ({"a": "endpint: GET /x\nstack: []\n"}, ["a.yaml:1:1: SW050 a file can't begin with 'endpint'"]),
    "tests in a file of another name": (
        {"a": "test: GET /x\ncases: [{name: n}]\n"},
        ["a.yaml:1:1: SW065 tests are found by their file's name"],
    ),
    "an endpoint in a test file": (
        {"a.test.yaml": "endpoint: GET /x\nstack: []\n"},
        ["a.test.yaml:1:1: SW065 'endpoint:' can't stand in a test file"],
    ),
    "a table in a broken file brings no more news": (
        {"u": "table: user\ncolums: {id: int}\n", "a": "endpoint: GET /x\nstack:\n  - get_record: user\n    where: {id: 1}\n    as: u\n  - return: $u\n"},
        ["u.yaml:2:1: SW051 'colums' is not known here"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), WORKSPACES.values(), ids=WORKSPACES)
def test_a_workspaces_mistake_is_named(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    problems = checked(tmp_path, files).problems
    assert [f"{each.span}: {each.code} {each.message}" for each in problems] == expected


ELSEWHERE = {
    "a limit": ("endpoint: POST /x\ntime_limit: 4\nstack: []\n", "it stands in the workspace's file, for all endpoints"),
    "at_once": ("endpoint: POST /x\nat_once: 4\nstack: []\n", "it stands in a case of a test"),
    "a step": ("endpoint: POST /x\ntransaction: true\nstack: []\n", "it is a step: write '- transaction:' in the stack"),
    "atomic": ("function: x\natomic: false\nstack: []\n", "it stands in the endpoint's file, for all that the endpoint runs"),
    "lock": (
        "endpoint: POST /x\nstack:\n  - has_record: user\n    where: {id: 1}\n    lock: true\n",
        "query_all_records takes it; other steps need none, as what they read is still so when the run writes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "mend"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_name_of_another_place_is_told_its_own(tmp_path: Path, text: str, mend: str) -> None:
    (found,) = (each for each in checked(tmp_path, {"user": USER, "x": text}).problems if each.code == "SW051")
    assert found.hint == mend


@pytest.mark.parametrize(
    ("written", "mend"), [("64MB", "write 67108864, in bytes"), ("1 KiB", "write 1024, in bytes"), ("many", "")]
)
def test_a_size_in_other_words_is_told_in_bytes(tmp_path: Path, written: str, mend: str) -> None:
    (found,) = checked(tmp_path, {"workspace": f"workspace: it\nmemory_limit: {written}\n"}).problems
    assert (found.code, found.hint) == ("SW054", mend)


USES = """
    endpoint: GET /x
    group: g
    auth: user
    input: {who: {table: user}}
    stack:
      - get_record: user
        where: {id: $input.who}
        as: u
      - precondition: $u != null and $u.id == $auth.id
      - run_function: f
        with: {n: $env.N}
        as: r
      - return: {n: $u.name, r: "${$r + 1}"}
"""
USED = {
    "uses": USES,
    "user": USER,
    "note": "table: note\ncolumns: {id: int, user: {table: user}}\n",
    "f": "function: f\ninput: {n: int}\nstack: [return: $input.n]\n",
    "g": "group: g\ncanonical: g\n",
    "workspace": "workspace: w\nenv: {N: {type: int, sensitive: false}}\n",
}
BROKEN: dict[str, tuple[str, str, str]] = {
    "a table never closed": ("user", "table: user\nauth: true\ncolumns: {id: int, name: text\n", "user.yaml:3:10: SW013 '{' is never closed"),
    "a table with a key twice": ("user", "table: user\nauth: true\nauth: true\n", "user.yaml:3:1: SW005 'auth' is already given on line 2"),
    "a table's name never closed": ("user", "table: 'user\nauth: true\n", "user.yaml:1:8: SW013 the text that starts with ' never ends"),
    "a table with an anchor": ("user", "table: &a user\nauth: true\n", "user.yaml:1:8: SW007 the anchor '&a' isn't read"),
    "a table of another kind": ("user", "table: user\ncolumns: {id: integer}\n", "user.yaml:2:15: SW053 'integer' is not known here"),
    "a table without an id": ("user", "table: user\ncolumns: {name: text}\n", "user.yaml:1:8: SW062 a table needs a column 'id'"),
    "a table whose name is no text": ("user", "table: 5\ncolumns: {id: int}\n", "user.yaml:1:8: SW054 this must be a text, it is the number 5"),
    "a misspelt table": ("user", "tabel: user\ncolumns: {id: int}\n", "user.yaml:1:1: SW050 a file can't begin with 'tabel'"),
    "a function never closed": ("f", "function: f\ninput: {n: int\n", "f.yaml:2:8: SW013 '{' is never closed"),
    "a function's step": ("f", "function: f\ninput: {n: int}\nstack: [retrn: 1]\n", "f.yaml:3:9: SW102 unknown step 'retrn'"),
    "a group never closed": ("g", "group: g\ncanonical: 'g\n", "g.yaml:2:12: SW013 the text that starts with ' never ends"),
    "a workspace never closed": ("workspace", "workspace: w\nenv: {N: int\n", "workspace.yaml:2:6: SW013 '{' is never closed"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_brings_one_message(tmp_path: Path, name: str, text: str, expected: str) -> None:
    problems = checked(tmp_path, {**USED, name: text}).problems
    assert [f"{each.span}: {each.code} {each.message}" for each in problems] == [expected]


def test_what_the_broken_files_would_say_is_right(tmp_path: Path) -> None:
    assert checked(tmp_path, USED).problems == []


def test_another_name_than_a_broken_files_is_unknown_all_the_same(tmp_path: Path) -> None:
    stack = "endpoint: GET /y\nauth: usr\nstack: []\n"
    problems = checked(tmp_path, {"user": "table: user\ncolumns: {id: int\n", "y": stack}).problems
    assert [each.message for each in problems] == ["'{' is never closed", "unknown table 'usr'"]
