"""The language server, asked by a scripted editor over its standard input and output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Problem, Span, Text
from engine.lsp.fixes import mend
from tests.commands import ENGINE, PATIENCE, ROOT, environment
from tests.editor import CURSOR, Editor, applied, editor, named
from tests.support import USER, write

FILES = {
    "stacks/workspace": "workspace: shop\nenv: {LIMIT: int}\n",
    "stacks/user": USER,
    "stacks/order": """
        table: order
        description: What was bought.
        columns:
          id: int
          buyer: {table: user}
          price: {type: decimal, description: In euros.}
    """,
    "stacks/total": """
        function: shop/total
        description: What it costs.
        input: {items: "decimal[]", rebate?: decimal}
        returns: decimal
        stack:
          - return: $input.items | sum
    """,
    "stacks/pay": """
        endpoint: POST /pay
        stack: []
        response: null
    """,
}
HEAD = """\
endpoint: POST /pay
auth: user
input:
  email: email
  items: decimal[]
stack:
  - get_record: user
    where: {id: $auth.id}
    as: user
  - set: {sum: 0}
"""
RECORD = ["id", "created_at", "name", "email", "password", "nickname", "role"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with editor(write(tmp_path_factory.mktemp("shop"), FILES)) as opened:
        opened.start()
        opened.open("stacks/pay.yaml", HEAD)
        yield opened
        assert opened.stop() == 0


# Completion: what follows the head of a stack, and the first suggestions.
SUGGESTED = {
    "steps": ("  - get¦\n", ["set", "if"]),
    "steps within a step": ("  - if: true\n    then:\n      - ¦\n", ["set", "if"]),
    "a step's name before its arguments": ("  - ge¦\n    where: {id: 1}\n", ["set", "if"]),
    "arguments": ("  - create_token: user\n    ¦\n", ["id", "extras", "expires_in", "as", "note", "disabled"]),
    "arguments that aren't there yet": ("  - create_token: user\n    id: 1\n    e¦\n    as: x\n", ["extras", "expires_in"]),
    "tables": ("  - get_record: ¦\n", ["order", "user"]),
    "tables with accounts": ("  - create_token: ¦\n", ["user"]),
    "functions": ("  - run_function: ¦\n", ["shop/total"]),
    "inputs of a function": ("  - run_function: shop/total\n    with: {¦\n", ["items", "rebate"]),
    "errors": ("  - throw: not_¦\n", ["input_error", "bad_request"]),
    "flags": ("  - get_record: user\n    disabled: ¦\n", ["true", "false"]),
    "words of a choice": ("  - query_all_records: user\n    return: ¦\n", ["list", "first"]),
    "variables": ("  - return: $¦\n", ["user", "sum", "input", "request", "env", "auth"]),
    "variables in a condition": ("  - precondition: $us¦ == 1\n", ["user", "sum", "input"]),
    "variables in a text": ('  - return: "Hi ${$¦"\n', ["user", "sum", "input"]),
    "variables in an open bracket": ("  - return: '$sum | pow($¦'\n", ["user", "sum", "input"]),
    "variables of a loop": ("  - for_each: $input.items\n    as: item\n    do:\n      - return: $¦\n", ["user", "sum", "item"]),
    "variables in a step that misses the rest": ("  - create_token: user\n    id: $¦\n", ["user", "sum", "input"]),
    "parameters of a lambda": ("  - return: '$input.items | map($each => $¦)'\n", ["user", "sum", "each"]),
    "fields": ("  - return: $input.¦\n", ["email", "items"]),
    "columns of a record": ("  - return: $user?.¦\n", RECORD),
    "columns as keys": ("  - get_record: user\n    where: {¦\n", RECORD),
    "columns that aren't there yet": ("  - add_record: order\n    data: {id: 1, ¦}\n", ["buyer", "price"]),
    "columns in a condition": ("  - get_record: order\n    where: pri¦ > 1\n", ["id", "buyer", "price", "$user"]),
    "columns of a list": ("  - query_all_records: order\n    output: [¦]\n", ["id", "buyer", "price"]),
    "how to sort": ("  - query_all_records: order\n    sort: {price: ¦}\n", ["asc", "desc"]),
    "what a query sorts by": ("  - query_all_records: order\n    sort: {¦: desc}\n", ["id", "buyer", "price"]),
    "a kind that is written out": ('  - return: \'${"1" | json_decode | as_kind("¦")}\'\n', ["int", "decimal", "text"]),
    "a kind of a field": ("  - return: '$input.email | json_decode | as_kind({a: \"te¦\"})'\n", ["int", "decimal", "text"]),
    "another kind": ("  - return: '$input.email | json_decode | as_kind(\"int or ¦\")'\n", ["int", "decimal", "text"]),
    "a value that is compared": ("  - precondition: $user?.role == 'a¦'\n", ["member", "admin"]),
    "one of some values": ("  - precondition: $user?.role in ['member', '¦']\n", ["member", "admin"]),
    "a choice of a filter": ("  - return: '$input.items | sort(\"\", \"¦\")'\n", ["asc", "desc"]),
    "the value of a column": ("  - edit_record: user\n    where: {id: 1}\n    data: {role: ¦}\n", ["member", "admin"]),
    "columns to compute with": ("  - edit_record: order\n    where: {id: 1}\n    data: {price: pri¦ + 1}\n", ["id", "buyer", "price"]),
    "columns to compute a text with": (
        "  - edit_record: user\n    where: {id: 1}\n    data: {name: '${ni¦ ?? name}'}\n", ["id", "created_at", "name"]
    ),
    "the value that is asked for": ("  - get_record: user\n    where: {role: a¦}\n", ["member", "admin"]),
    "fields of what may be a list too": ("  - set: {x: '${$user if $sum > 1 else [1]}'}\n  - return: $x.¦\n", RECORD),
    "the response": ("response: {a: $user?.¦}\n", RECORD),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SUGGESTED.values(), ids=SUGGESTED)
def test_what_can_stand_in_a_stack(shop: Editor, text: str, expected: list[str]) -> None:
    assert list(shop.labels("stacks/pay.yaml", HEAD + text))[: len(expected)] == expected


# In other places, and what must not be suggested.
ELSEWHERE = {
    "keys of a file": ("endpoint: GET /a\n¦\nstack: []\n", ["description", "tags", "group", "auth", "atomic", "input"], ["stack"]),
    "who may call": ("endpoint: GET /a\nauth: ¦\nstack: []\n", ["user"], ["order"]),
    "types": ("endpoint: GET /a\ninput:\n  a: ¦\nstack: []\n", ["int", "decimal", "text"], []),
    "options of a field": ("endpoint: GET /a\ninput:\n  a: {type: int, ¦}\nstack: []\n", ["table", "values"], ["type", "unique"]),
    "options of a column": ("table: a\ncolumns:\n  id: {¦\n", ["type", "table"], ["id"]),
    "the table of a reference": ("table: a\ncolumns:\n  b: {table: ¦}\n", ["order", "user"], ["int"]),
    "columns in a rule": ("table: a\ncolumns: {id: int, price?: decimal}\nchecks:\n  - pri¦ > 0\n", ["id", "price"], []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "never"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_can_stand_elsewhere(shop: Editor, text: str, expected: list[str], never: list[str]) -> None:
    found = list(shop.labels("stacks/new.yaml", text))
    shop.close("stacks/new.yaml")
    assert found[: len(expected)] == expected
    assert not {*found} & {*never}


TESTED = {
    "what is tested": ("test: ¦\ncases: []\n", ["POST /pay", "shop/total"]),
    "tables of records": ("test: POST /pay\nrecords:\n  ¦\ncases: []\n", ["order", "user"]),
    "columns of records": ("test: POST /pay\nrecords:\n  order: [{¦}]\ncases: []\n", ["id", "buyer", "price"]),
    "what is sent at once": ("test: POST /pay\ncases:\n  - name: a\n    ¦\n", ["at_once", "statuses"]),
    "what a test speaks of": ("test: POST /pay\ncases: [{name: a, check: ['$¦']}]\n", ["response", "steps"]),
    "the variables of the stack": (
        "test: POST /pay\ncases:\n  - name: a\n    check:\n      - $steps.¦\n",
        ["user", "sum"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), TESTED.values(), ids=TESTED)
def test_what_can_stand_in_a_test(shop: Editor, text: str, expected: list[str]) -> None:
    shop.change("stacks/pay.yaml", HEAD)
    found = list(shop.labels("stacks/pay.test.yaml", text))
    assert [each for each in found if each in expected] == expected
    shop.close("stacks/pay.test.yaml")


def test_suggestions_say_the_kind_and_take_the_word_s_place(shop: Editor) -> None:
    name = "stacks/pay.yaml"
    assert shop.labels(name, f"{HEAD}  - return: $us{CURSOR}")["user"] == "a user record or null"
    proved = f"{HEAD}  - precondition: $user != null\n  - return: $us{CURSOR}"
    assert shop.labels(name, proved)["user"] == "a user record"
    assert shop.labels(name, f"{HEAD}  - return: $user?.{CURSOR}")["nickname"] == "a text or null"
    assert shop.completed(name, f"{HEAD}  - return: $us{CURSOR}er\n", "sum") == f"{HEAD}  - return: $sum\n"
    assert shop.completed(name, f"{HEAD}  - ge{CURSOR}\n", "get_record") == f"{HEAD}  - get_record: \n"
    assert shop.completed(name, f"{HEAD}  - br{CURSOR}\n", "break") == f"{HEAD}  - break\n"
    assert (
        shop.completed(name, f"{HEAD}  - run_function: shop/to{CURSOR}\n", "shop/total")
        == f"{HEAD}  - run_function: shop/total\n"
    )
    assert (
        shop.completed(name, f"{HEAD}  - return: '😀${{$input.em{CURSOR}}}'\n", "email")
        == f"{HEAD}  - return: '😀${{$input.email}}'\n"
    )


def test_what_can_not_be_read_keeps_its_last_meaning(shop: Editor) -> None:
    name, broken = "stacks/pay.yaml", HEAD.replace("input:", "input: ]")
    shop.change(name, HEAD)
    assert list(shop.labels(name, f"{broken}  - return: $us{CURSOR}"))[:2] == ["user", "sum"]
    assert list(shop.labels(name, f"{broken}  - return: $user?.{CURSOR}"))[:2] == ["id", "created_at"]
    assert "trim" in shop.labels(name, f"{broken}  - return: $input.email | {CURSOR}")
    assert shop.completed(name, f"{broken}  - return: $us{CURSOR}", "sum") == f"{broken}  - return: $sum"
    order = (shop.folder / "stacks/order.yaml").read_text("utf-8")
    shop.change("stacks/order.yaml", order.replace("columns:", "columns: ["))
    assert "price" in shop.labels(name, f"{HEAD}  - get_record: order\n    where: {{{CURSOR}")
    shop.close("stacks/order.yaml")


def test_filters_are_those_that_take_what_is_piped(shop: Editor) -> None:
    texts = shop.labels("stacks/pay.yaml", f"{HEAD}  - return: $input.email | t{CURSOR}\n")
    lists = shop.labels("stacks/pay.yaml", f"{HEAD}  - return: $input.items | {CURSOR}\n")
    assert "trim" in texts and "trim" not in lists
    assert "sum" in lists and "sum" not in texts
    assert texts["truncate"] == "… | truncate(length, ending?)"


def test_nothing_is_suggested_in_plain_text_and_in_what_can_not_be_read(shop: Editor) -> None:
    assert shop.labels("stacks/pay.yaml", HEAD.replace("auth:", f"description: to{CURSOR}\nauth:")) == {}
    assert shop.labels("stacks/pay.yaml", f"a: [\nb: }}\nc: {CURSOR}\n") == {}


# What is under the pointer, and what is said of it.
HOVERED = {
    "a step": ("- get¦_record", "get_record\n\nThe record that a condition matches"),
    "an argument": ("wh¦ere:", "where: where"),
    "a key of a file": ("au¦th: user", "auth"),
    "a variable that is set": ("as: us¦er", "$user: a user record or null"),
    "a variable": ("$us¦er.name", "$user: a user record\n\n- id: an int"),
    "a part of one": ("$user.na¦me", "$user.name: a text"),
    "a filter": ("| tr¦im", "\n… | trim"),
    "a function of expressions": ("no¦w()", "\nnow()"),
    "a table": ("get_record: us¦er", "user\n\n- id: an int"),
    "a function": ("shop/to¦tal", "shop/total\n\nWhat it costs."),
    "a column": ("{na¦me: $input", "name: a text"),
}
POINTED = (
    HEAD.replace("{id: $auth.id}", "{name: $input.email}")
    + """\
  - precondition: $user != null
  - run_function: shop/total
    with: {items: $input.items}
    as: total
response: {a: $user.name | trim, b: $total, c: "${now()}", d: $sum}
"""
)


@pytest.mark.parametrize(("place", "expected"), HOVERED.values(), ids=HOVERED)
def test_what_is_said_of_a_word(shop: Editor, place: str, expected: str) -> None:
    assert place.replace(CURSOR, "") in POINTED
    answer = shop.at("stacks/pay.yaml", POINTED.replace(place.replace(CURSOR, ""), place, 1), "hover")
    assert answer is not None and named(answer).startswith(expected)


def test_a_variable_that_is_set_twice_is_what_it_is_there(shop: Editor) -> None:
    stack = "  - set: {one: 1}\n  - if: $sum > 1\n    then: [set: {one: $user}]\n  - set: {two: $one}\n"
    said = {
        "set: {on¦e: 1}": "$one: an int",
        "set: {on¦e: $user}": "$one: a user record or null\n\n- id: an int",
        "{two: $on¦e}": "$one: a user record, an int or null\n\n- id: an int",
        "{tw¦o: $one}": "$two: a user record, an int or null\n\n- id: an int",
    }
    for place, expected in said.items():
        answer = shop.at("stacks/pay.yaml", HEAD + stack.replace(place.replace(CURSOR, ""), place), "hover")
        assert answer is not None and named(answer).startswith(expected)


# What is asked for, and the file and the text of the line where it is declared.
DEFINED = {
    "a variable": ("$us¦er.name", "pay.yaml", "    as: user"),
    "a set variable": ("d: $s¦um", "pay.yaml", "  - set: {sum: 0}"),
    "an input": ("$input.it¦ems", "pay.yaml", "  items: decimal[]"),
    "a table": ("get_record: us¦er", "user.yaml", "table: user"),
    "whose token it is": ("auth: us¦er", "user.yaml", "table: user"),
    "a function": ("shop/to¦tal", "total.yaml", "function: shop/total"),
    "an input of a function": ("{ite¦ms: $input", "total.yaml", 'input: {items: "decimal[]", rebate?: decimal}'),
    "a column of a record": ("$user.na¦me", "user.yaml", "  name: text"),
    "a column in a where": ("{na¦me: $input", "user.yaml", "  name: text"),
}


@pytest.mark.parametrize(("place", "name", "line"), DEFINED.values(), ids=DEFINED)
def test_where_a_word_is_declared(shop: Editor, place: str, name: str, line: str) -> None:
    assert place.replace(CURSOR, "") in POINTED
    text = POINTED.replace(place.replace(CURSOR, ""), place, 1)
    (answer,) = shop.at("stacks/pay.yaml", text, "definition")
    path = Path(answer["uri"].removeprefix("file://"))
    lines = (POINTED if path.name == "pay.yaml" else path.read_text()).splitlines()
    assert (path.name, lines[answer["range"]["start"]["line"]]) == (name, line)


def test_a_variable_is_renamed_wherever_it_is(shop: Editor) -> None:
    test = "test: POST /pay\ncases:\n  - name: a\n    check: [$steps.user != null, $steps.sum == 0]\n"
    shop.open("stacks/pay.test.yaml", test)
    text = POINTED.replace("as: user", f"as: us{CURSOR}er")
    assert shop.at("stacks/pay.yaml", text, "prepareRename")["placeholder"] == "user"
    changes = shop.at("stacks/pay.yaml", text, "rename", newName="$account")["changes"]
    edits = {Path(uri).name: each for uri, each in changes.items()}
    expected = POINTED.replace("as: user", "as: account").replace("$user", "$account")
    assert applied(POINTED, edits["pay.yaml"]) == expected
    assert applied(test, edits["pay.test.yaml"]) == test.replace("$steps.user", "$steps.account")
    shop.close("stacks/pay.test.yaml")


EDITING = (
    HEAD
    + """\
  - edit_record: order
    where: {id: 1}
    data: {price: price + $sum}
  - edit_record: user
    where: {id: 1}
    data: {name: "${email ~ name}", nickname: name - $sum}
"""
)


def test_what_is_computed_of_columns_is_read_as_it_is_checked(shop: Editor) -> None:
    said = {"price: pri¦ce +": "price: a decimal", "{em¦ail ~": "email: an email", "+ $su¦m}": "$sum: an int"}
    for place, expected in said.items():
        text = EDITING.replace(place.replace(CURSOR, ""), place)
        assert named(shop.at("stacks/pay.yaml", text, "hover")).strip() == expected
    (answer,) = shop.at("stacks/pay.yaml", EDITING.replace("price + ", f"pri{CURSOR}ce + "), "definition")
    path = Path(answer["uri"].removeprefix("file://"))
    assert path.read_text().splitlines()[answer["range"]["start"]["line"]].strip().startswith("price:")
    renamed = shop.at("stacks/pay.yaml", EDITING.replace("+ $sum", f"+ $su{CURSOR}m"), "rename", newName="all")
    (edits,) = renamed["changes"].values()
    assert applied(EDITING, edits) == EDITING.replace("sum: 0", "all: 0").replace("+ $sum", "+ $all")


def test_a_parameter_of_a_lambda_is_renamed_within_it(shop: Editor) -> None:
    text = HEAD + "response: '$input.items | map($a => $a + 1) | map($a => $a¦ * 2)'\n"
    changes = shop.at("stacks/pay.yaml", text, "rename", newName="b")["changes"]
    (edits,) = changes.values()
    assert applied(text.replace(CURSOR, ""), edits).endswith("map($a => $a + 1) | map($b => $b * 2)'\n")


@pytest.mark.parametrize(
    ("new", "message"),
    [("sum", "there is a variable 'sum' already"), ("input", "'input' is a given name"), ("1", "'1' is no name: letters, digits and _, a letter first")],
)  # fmt: skip
def test_a_name_that_can_not_be_taken_is_refused(shop: Editor, new: str, message: str) -> None:
    text = POINTED.replace("as: user", f"as: us{CURSOR}er")
    assert shop.at("stacks/pay.yaml", text, "rename", newName=new)["message"] == message
    given = POINTED.replace("$input.items", f"$inp{CURSOR}ut.items")
    assert shop.at("stacks/pay.yaml", given, "prepareRename") is None


def test_problems_are_told_with_their_place_and_mend(shop: Editor) -> None:
    name, wrong = "stacks/pay.yaml", POINTED.replace("d: $sum", "d: '😀', e: $summ")
    assert shop.change(name, POINTED) == []
    assert shop.change(name, wrong) == ["unknown variable '$summ'"]
    (problem,) = shop.told["stacks/pay.yaml"]
    assert (problem["code"], problem["severity"], problem["source"]) == ("SW201", 1, "stackwright")
    assert problem["message"] == "unknown variable '$summ'\ndid you mean '$sum'?"
    start = problem["range"]["start"]["character"]
    assert (start, problem["range"]["end"]["character"]) == (start, start + 5)
    line = wrong.splitlines()[problem["range"]["start"]["line"]]
    assert line.encode("utf-16-le")[2 * start : 2 * start + 10].decode("utf-16-le") == "$summ"
    (action,) = shop.actions("stacks/pay.yaml")
    assert action["title"] == "write $sum" and action["kind"] == "quickfix"
    ((edit,),) = action["edit"]["changes"].values()
    assert edit["newText"] == "$sum"


def test_a_change_is_told_in_the_files_that_it_breaks(shop: Editor) -> None:
    shop.change("stacks/pay.yaml", POINTED)
    total = Path(shop.folder / "stacks/total.yaml").read_text()
    shop.open("stacks/total.yaml", total.replace("rebate?: decimal", "rebate: decimal"))
    shop.wait("stacks/pay.yaml", "'shop/total' needs 'rebate'")
    shop.close("stacks/total.yaml")
    shop.wait("stacks/pay.yaml", "")


def test_what_others_change_is_read(shop: Editor) -> None:
    path = shop.folder / "stacks/order.yaml"
    known = path.read_text("utf-8")
    change = {"changes": [{"uri": path.as_uri(), "type": 2}]}
    path.write_text(known.replace("price", "id"), "utf-8")
    shop.notify("workspace/didChangeWatchedFiles", change)
    shop.wait("stacks/order.yaml", "'id' is already given on line 4")
    path.write_text(known, "utf-8")
    shop.notify("workspace/didChangeWatchedFiles", change)
    shop.wait("stacks/order.yaml", "")


def test_formatting(shop: Editor) -> None:
    ugly = POINTED.replace("{sum: 0}", "{sum:   0}  # é😀").replace("as: total\n", "as:   total\n")
    shop.change("stacks/pay.yaml", ugly)
    assert applied(ugly, shop.formatted("stacks/pay.yaml")) == POINTED.replace("{sum: 0}", "{sum: 0}    # é😀")
    shop.change("stacks/pay.yaml", POINTED)
    assert shop.formatted("stacks/pay.yaml") == []
    shop.change("stacks/pay.yaml", "endpoint: [")
    assert shop.formatted("stacks/pay.yaml") == []


def test_files_of_no_workspace_are_left_alone(shop: Editor, tmp_path: Path) -> None:
    count = shop.published
    document = {
        "uri": (shop.folder / "compose.yaml").as_uri(),
        "languageId": "yaml",
        "version": 1,
        "text": "services: {",
    }
    shop.notify("textDocument/didOpen", {"textDocument": document})
    place = {"textDocument": {"uri": document["uri"]}, "position": {"line": 0, "character": 3}}
    assert shop.ask("textDocument/hover", place) is None
    assert shop.ask("textDocument/completion", place) == []
    assert shop.published == count


def test_the_extension_starts_the_server() -> None:
    folder = ROOT / "docs/editors/vscode"
    declared = json.loads((folder / "package.json").read_text("utf-8"))
    code = (folder / declared["main"]).read_text("utf-8")
    wanted = {name.partition("/")[0] for name in re.findall(r'require\("([^"]+)"\)', code)}
    assert wanted - {"fs", "path", "vscode"} == set(declared["dependencies"])
    assert 'args: ["lsp"]' in code and set(re.findall(r'get\("(\w+)"\)', code)) == {"command"}
    assert list(declared["contributes"]["configuration"]["properties"]) == ["stackwright.command"]


def test_the_server_ends_with_its_editor(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*ENGINE, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env=environment()
    )
    process.communicate(b"", timeout=PATIENCE)
    assert process.returncode == 0


def test_without_pygls_the_command_says_what_to_install(tmp_path: Path) -> None:
    script = "import sys; sys.modules['pygls'] = None; from engine.__main__ import main; sys.exit(main(['lsp']))"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "the language server needs another package: pip install 'stackwright[lsp]'\n"


MENDS = [
    ("a: emial", 3, "unknown column 'emial'", "did you mean 'email'?", "SW204", "email"),
    ("a: 'emial'", 3, "unknown column 'emial'", "did you mean 'email'?", "SW204", "'email'"),
    ("a: $x && $y", 6, "'&&' isn't part of an expression", "write `and`", "SW027", "and"),
    ("a: $x // 2", 6, "'//' isn't part of an expression", "write `| floor` after a division in parentheses", "SW999", None),
    ("a: emial", 3, "unknown column 'other'", "did you mean 'email'?", "SW204", None),
    ("a: emial", 3, "unknown column 'emial'", "known here: a, b", "SW204", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "start", "message", "hint", "code", "expected"), MENDS)
def test_the_mend_is_a_word_for_a_word(
    line: str, start: int, message: str, hint: str, code: str, expected: Any
) -> None:
    end = len(line) if code == "SW204" else start + 2
    span = Span(Text("a.yaml", line), 1, start + 1, 1, end + 1)
    assert mend(Problem(code, message, span, hint)) == expected
