"""Test files: what makes a case pass or fail, what its report says, and the mistakes that are found before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import Problems
from engine.program import check_folder
from engine.testing import fixtures, replay
from tests.support import USER, messages, write

NOTES = {
    "workspace": "workspace: notes\n",
    "user": USER,
    "note": "table: note\ncolumns: {id: int, user_id: {table: user}, text: text}",
    "add": """
        endpoint: POST /note
        auth: user
        input: {text: text}
        stack:
          - add_record: note
            data: {user_id: $auth.id, text: $input.text}
            as: note
          - precondition: $note.text != "refused"
            error: conflict
            message: Refused.
        response: {note: $note, tags: [a, b], at: $note.id}
    """,
    "show": """
        endpoint: GET /note/{id}
        input: {id: int, mark?: text, only?: "int[]"}
        stack:
          - get_record: note
            where: {id: $input.id}
            as: note
          - precondition: $note != null
            error: not_found
        response: {text: $note.text, mark: $input.mark, only: $input.only}
    """,
    "named": "endpoint: GET /named/{name}\ninput: {name: text}\nstack: []\nresponse: {name: $input.name}",
    "token": """
        endpoint: POST /token
        stack:
          - create_token: user
            id: 1
            expires_in: 1h
            as: token
        response: {token: $token, now: "${now()}", chance: "${random_int(1, 1000000)}"}
    """,
    "forget": """
        endpoint: DELETE /account
        input: {password: password}
        stack:
          - get_record: user
            where: {id: 1}
            as: user
          - validate_password: $input.password
            against: $user?.password
            as: is_right
          - precondition: $is_right
          - delete_record: user
            where: {id: 1}
    """,
    "rename": """
        endpoint: PATCH /account/{id}
        input: {id: int, name: text}
        stack:
          - edit_record: user
            where: {id: $input.id}
            data: {name: $input.name}
    """,
    "boom": "endpoint: POST /boom\nstack:\n  - set: {z: 0}\n  - set: {x: '${1 / $z}'}\nresponse: $x",
    "total": """
        function: total
        input: {prices: "int[]"}
        stack:
          - set: {sum: 0}
          - for_each: $input.prices
            as: price
            do:
              - if: $price == 0
                then: [continue]
              - precondition: $price > 0
                error: conflict
                message: No ${$price}.
              - set: {sum: $sum + $price}
          - return: $sum
    """,
}  # fmt: skip
RECORDS = """
records:
  note: [{id: 7, user_id: 1, text: old}]
  user: [{id: 1, name: Ada, email: ada@example.com, password: correct horse}]
cases:
"""


def run(folder: Path, test: str, select: str | None = None, *, records: str = RECORDS) -> tuple[bool, str]:
    """Whether a test file passes, and what is written; its text is the target and one case a block."""
    write(folder, NOTES)
    return run_in(folder, test, records, select)


def run_in(folder: Path, test: str, records: str, select: str | None = None) -> tuple[bool, str]:
    """The same in the workspace that is there."""
    target, _, cases = test.strip("\n").partition("\n")
    write(folder, {"it.test.yaml": f"test: {target}{records}{cases}"})
    written: list[str] = []
    passed = replay.run_folder(folder, "w", select, written.append)
    return passed, "".join(written)


PASSING = {
    "a partial response": "POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, response: {note: {text: hi}, tags: [a, b]}}",
    "an expression in what is expected": "POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, response: {note: {text: $input.text}, at: $steps.note.id}}",
    "a status": "POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: refused}, status: 409, response: {message: Refused.}, changed: {}}",
    "no token": "POST /note\n- {name: n, input: {text: hi}, status: 401}",
    "null": "GET /note/{id}\n- {name: n, input: {id: 7}, response: {text: old, mark: null}}",
    "a path, a query and a list": "GET /note/{id}\n- {name: n, input: {id: 7, mark: 'a&b', only: [1, 2]}, response: {mark: 'a&b', only: [1, 2]}}",
    "a path of any text": "GET /named/{name}\n- {name: n, input: {name: a b/ü%}, response: {name: a b/ü%}}",
    "a DELETE with a secret": "DELETE /account\n- {name: n, input: {password: correct horse}, records: {note: []}, changed: {user: {removed: 1}}}",
    "a header": "POST /note\n- {name: n, status: 401, headers: {Cache-Control: no-store, set-cookie: null}}",
    "headers sent": "POST /note\n- {name: n, send: {Content-Type: text/plain}, auth: {table: user, id: 1}, input: {text: hi}, status: 415}",
    "a header sent by an expression": "POST /token\n- name: n\n  then:\n    - {request: POST /note, send: {Authorization: 'Bearer ${$response.token}'}, input: {text: hi}}",
    "what was added": "POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, changed: {note: {added: [{text: hi, user_id: 1}]}}}",
    "how many were changed": "PATCH /account/{id}\n- {name: n, input: {id: 1, name: Eve}, changed: {user: 1}}",
    "what was changed": "PATCH /account/{id}\n- {name: n, input: {id: 1, name: Eve}, changed: {user: {changed: [{id: 1, name: Eve}]}}}",
    "a table named with nothing": "POST /token\n- {name: n, changed: {user: {}}}",
    "the clock stands still": "POST /token\n- {name: n, response: {now: 1735689600000}, check: [$response.now == now()]}",
    "token_claims": "POST /token\n- {name: n, check: ['($response.token | token_claims | get(\"expires_at\")) == now() + 3600000']}",
    "a chain": "POST /token\n- name: n\n  then:\n    - {request: POST /note, token: $response.token, input: {text: hi}}\n    - {request: 'GET /note/{id}', input: {id: $response.at}, response: {text: hi}}\n    - {request: POST /note, token: $first.response.token, after: 59m, input: {text: again}, check: [$first.status == 200]}\n    - {request: POST /note, token: $first.response.token, after: 1m, input: {text: late}, status: 401}",
    "records of a case": "GET /note/{id}\n- {name: n, records: {note: [{id: 9, user_id: 1, text: own}]}, input: {id: 9}, response: {text: own}, then: [{request: 'GET /note/{id}', input: {id: 7}, status: 404}]}",
    "records by an expression": "GET /note/{id}\n- {name: n, records: {note: [{id: 9, user_id: 1, text: '${1 + 1} $'}]}, input: {id: 9}, response: {text: 2 $}}",
    "a whole address": "POST /api:main/token\n- {name: n}",
    "a function": "total\n- {name: n, input: {prices: [1, 0, 2]}, response: 3}",
    "a function's fault": "total\n- {name: n, input: {prices: [1, -2]}, status: 409, response: {code: ERROR_CODE_CONFLICT, message: No -2.}}",
    "a function's input": "total\n- {name: n, input: {prices: 1}, status: 400, response: {code: ERROR_CODE_INPUT_ERROR}}",
}  # fmt: skip


@pytest.mark.parametrize("test", PASSING.values(), ids=PASSING)
def test_a_case_passes(tmp_path: Path, test: str) -> None:
    passed, written = run(tmp_path, test)
    assert passed, written
    assert written == "ok   w/it.test.yaml: n\n1 passed, 0 failed\n"


# What the report says first; cases begin in line 6 of the file.
FAILING = {
    "a status": ("POST /note\n- {name: n, input: {text: hi}}", "w/it.test.yaml:6: status: expected 200, was 401: "),
    "a kind": ("POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, response: {at: '8'}}", "w/it.test.yaml:6: response.at: expected '8', was 8"),
    "a bool is no number": ("POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, response: {at: true}}", "w/it.test.yaml:6: response.at: expected true, was 8"),
    "a length": ("POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, response: {tags: [a]}}", "w/it.test.yaml:6: response.tags: expected 1 item, was 2 items: [\"a\", \"b\"]"),
    "an item, where it stands": ("POST /note\n- name: n\n  auth: {table: user, id: 1}\n  input: {text: hi}\n  response:\n    tags:\n      - a\n      - c", "w/it.test.yaml:12: response.tags[1]: expected 'c', was 'b'"),
    "a missing key": ("POST /token\n- {name: n, response: {tokens: x}}", "w/it.test.yaml:6: response.tokens: expected 'x', it isn't there; there is: token, now, chance"),
    "null is no absence": ("POST /token\n- {name: n, response: {x: null}}", "w/it.test.yaml:6: response.x: expected null, it isn't there; there is: token, now, chance"),
    "a header": ("POST /token\n- {name: n, headers: {Content-Type: text/html}}", "w/it.test.yaml:6: headers.Content-Type: expected 'text/html', was 'application/json; charset=utf-8'"),
    "a header too many": ("POST /token\n- {name: n, headers: {content-type: null}}", "w/it.test.yaml:6: headers.content-type: expected none, was 'application/json; charset=utf-8'"),
    "a check": ("POST /token\n- name: n\n  check:\n    - $status == 200\n    - $status == 201", "w/it.test.yaml:9: '$status == 201' is not true: it compares 200 with 201"),
    "a check that fails": ("POST /token\n- {name: n, check: [$steps.user.id == 1]}", "w/it.test.yaml:6: '$steps.user.id == 1' can't be evaluated: the object has no 'user'"),
    "a check that is no bool": ("POST /token\n- {name: n, check: [$response.now]}", "w/it.test.yaml:6: '$response.now' is not true"),
    "a token that is none": ("POST /token\n- {name: n, check: ['(\"x\" | token_claims | get(\"id\")) == 1']}", "can't be evaluated: Invalid token."),
    "an unforeseen change": ("POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: hi}, changed: {}}", "w/it.test.yaml:6: changed.note.added: expected 0, was 1: [{\"id\": 8, \"user_id\": 1, \"text\": \"hi\"}]"),
    "a change not named": ("PATCH /account/{id}\n- {name: n, input: {id: 1, name: Eve}, changed: {user: {added: 0}}}", "w/it.test.yaml:6: changed.user.changed: expected 0, was 1: "),
    "too few changes": ("POST /token\n- {name: n, changed: {user: 1}}", "w/it.test.yaml:6: changed.user: expected 1, was none"),
    "another record": ("PATCH /account/{id}\n- {name: n, input: {id: 1, name: Eve}, changed: {user: {changed: [{name: Bob}]}}}", "w/it.test.yaml:6: changed.user.changed[0].name: expected 'Bob', was 'Eve'"),
    "a record that breaks a rule": ("POST /token\n- name: n\n  records:\n    user:\n      - {id: 1, name: Ada}", "w/it.test.yaml:9: the record is refused by the table 'user': Missing param: email"),
    "what follows": ("POST /token\n- name: n\n  then:\n    - {request: POST /token}\n    - {request: POST /note}", "w/it.test.yaml:9: status: expected 200, was 401: "),
    "a parameter of the path": ("POST /token\n- {name: n, then: [{request: 'GET /note/{id}', input: $response}]}", "w/it.test.yaml:6: the path of 'GET /note/{id}' needs 'id', and the input hasn't got it"),
    "a token for no id": ("POST /note\n- {name: n, auth: {table: user, id: ''}}", "w/it.test.yaml:6: a token is made for a record's id"),
    "a function": ("total\n- {name: n, input: {prices: [1]}, response: 2}", "w/it.test.yaml:6: response: expected 2, was 1"),
}  # fmt: skip


@pytest.mark.parametrize(("test", "first"), FAILING.values(), ids=FAILING)
def test_a_case_fails(tmp_path: Path, test: str, first: str) -> None:
    passed, written = run(tmp_path, test)
    assert not passed
    lines = written.splitlines()
    assert lines[0] == "FAIL w/it.test.yaml: n"
    assert first in lines[1]
    assert lines[-1] == "0 passed, 1 failed"
    assert len(lines) <= 12


def steps_of(written: str) -> list[str]:
    """The lines of a report's steps, their durations left out."""
    lines = written.splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith("  steps of"))
    return [line.rpartition("  ")[0] if line.endswith(" ms") else line for line in lines[begin:-1]]


def test_a_report_has_the_steps_and_marks_the_one_that_decided(tmp_path: Path) -> None:
    _, written = run(tmp_path, "POST /note\n- {name: n, auth: {table: user, id: 1}, input: {text: refused}}")
    assert steps_of(written) == [
        "  steps of POST /note:",
        '    w/add.yaml:5 add_record  note = {"id": 8, "user_id": 1, "text": "refused"}',
        "  → w/add.yaml:8 precondition",
    ]


def test_a_jump_decides_nothing(tmp_path: Path) -> None:
    _, written = run(tmp_path, "total\n- {name: n, input: {prices: [0, -1]}}")
    assert [line for line in steps_of(written) if "→" in line] == ["  → w/total.yaml:10 precondition"]


def test_a_caught_error_decides_nothing(tmp_path: Path) -> None:
    caught = "endpoint: POST /caught\nstack:\n  - try: [{throw: conflict}]\n    catch: [{set: {x: 1}}]\n  - set: {y: 2}\nresponse: $y"
    write(tmp_path, {"caught": caught})
    _, written = run(tmp_path, "POST /caught\n- {name: n, status: 201}")
    assert "→" not in written


def test_a_long_run_shows_its_last_steps(tmp_path: Path) -> None:
    prices = ", ".join(["1"] * 100)
    _, written = run(tmp_path, f"total\n- {{name: n, input: {{prices: [{prices}]}}, response: 1}}")
    assert "    … 291 steps before\n" in written
    assert written.count("\n") < 20


def test_a_report_says_why_the_server_failed(tmp_path: Path) -> None:
    _, written = run(tmp_path, "POST /boom\n- {name: n}")
    assert "  cause: fatal: a number was divided by zero w/boom.yaml:4\n" in written


def test_a_report_says_what_extras_no_stack_sees(tmp_path: Path) -> None:
    test = "POST /note\n- {name: n, auth: {table: user, id: 1, extras: {role: admin, x: 1}}, input: {text: hi}, status: 403}"
    _, written = run(tmp_path, test)
    note = "'$auth.extras' won't hold 'role' or 'x': no create_token puts that into the extras of a 'user'"
    assert f"  note: {note}\n" in written


def test_no_secret_is_reported(tmp_path: Path) -> None:
    _, written = run(
        tmp_path,
        "DELETE /account\n- {name: n, input: {password: correct horse}, records: {note: []}, status: 201, changed: {}}",
    )
    assert "user = " in written
    for secret in ("correct horse", "argon2", "sha256"):
        assert secret not in written


def test_each_input_is_a_case_with_records_of_its_own(tmp_path: Path) -> None:
    passed, written = run(
        tmp_path,
        "POST /note\n- {name: n, auth: {table: user, id: 1}, each: [{text: a}, {text: b}], response: {at: 8}, changed: {note: {added: 1}}}",
    )
    assert passed, written
    assert written == "ok   w/it.test.yaml: n [0]\nok   w/it.test.yaml: n [1]\n2 passed, 0 failed\n"


def test_a_refused_record_spoils_no_other_case(tmp_path: Path) -> None:
    _, written = run(tmp_path, "POST /token\n- {name: a, records: {user: [{id: 1, name: Ada}]}}\n- {name: b}")
    assert written.splitlines()[-2:] == ["ok   w/it.test.yaml: b", "1 passed, 1 failed"]


def test_chance_is_the_same_for_each_case(tmp_path: Path) -> None:
    _, written = run(tmp_path, "POST /token\n- {name: a, response: {chance: 0}}\n- {name: b, response: {chance: 0}}")
    assert len(set(re.findall(r"response.chance: expected 0, was (\d+)", written))) == 1


def test_a_clock_can_be_set(tmp_path: Path) -> None:
    clock = '\nclock: "2030-01-01T00:00:00Z"' + RECORDS
    passed, written = run(tmp_path, "POST /token\n- {name: n, response: {now: 1893456000000}}", records=clock)
    assert passed, written


def test_cases_are_selected_by_a_word(tmp_path: Path) -> None:
    cases = "POST /token\n- {name: One}\n- {name: two}"
    assert run(tmp_path, cases, "one") == (True, "ok   w/it.test.yaml: One\n1 passed, 0 failed\n")
    assert run(tmp_path, cases, "three") == (False, "no case has 'three' in its name\n0 passed, 0 failed\n")


MAIL = {
    "workspace": "workspace: w\nenv: {MAIL_KEY: text, RETRIES: {type: int, sensitive: false}}",
    "ask": "endpoint: GET /ask\nstack: []\nresponse: {retries: $env.RETRIES, has_key: '${$env.MAIL_KEY == \"k\"}'}",
}


def test_the_environment_of_a_file(tmp_path: Path) -> None:
    env = "\nenv: {MAIL_KEY: k, RETRIES: 3}\ncases:\n"
    write(tmp_path, MAIL)
    passed, written = run_in(tmp_path, "GET /ask\n- {name: n, response: {retries: 3, has_key: true}}", env)
    assert passed, written


def test_an_environment_that_lacks_something(tmp_path: Path) -> None:
    write(tmp_path, MAIL)
    passed, written = run_in(tmp_path, "GET /ask\n- {name: n}", "\nenv: {RETRIES: 3}\ncases:\n")
    assert not passed
    lacking = "the environment lacks what 'env:' of the workspace declares: MAIL_KEY; give it under 'env:' in this file"
    assert written.splitlines()[1] == f"  w/it.test.yaml:4: {lacking}"


def test_an_environment_variable_that_nobody_declared(tmp_path: Path) -> None:
    write(tmp_path, MAIL)
    with pytest.raises(Problems) as caught:
        run_in(tmp_path, "GET /ask\n- {name: n}", "\nenv: {MAIL_KEYS: k}\ncases:\n")
    assert messages(caught.value.problems) == ["2:7 error SW410 unknown environment variable 'MAIL_KEYS'"]
    assert caught.value.problems[0].hint == "did you mean 'MAIL_KEY'?"


MISTAKES = {
    "an endpoint": ("POST /tokens\n- {name: n}", "1:7 error SW402 unknown endpoint or function 'POST /tokens'"),
    "what follows": ("POST /token\n- {name: n, then: [{request: POST /tokens}]}", "6:30 error SW402 unknown endpoint 'POST /tokens'"),
    "a function can't follow": ("POST /token\n- {name: n, then: [{request: total}]}", "6:30 error SW055 'total' is not a name that can stand here"),
    "a table": ("POST /token\n- {name: n, records: {users: []}}", "6:23 error SW403 unknown table 'users'"),
    "a column": ("POST /token\n- {name: n, records: {note: [{txt: a}]}}", "6:31 error SW404 unknown column 'txt' of 'note'"),
    "a table that changed": ("POST /token\n- {name: n, changed: {users: 1}}", "6:23 error SW403 unknown table 'users'"),
    "a column that changed": ("POST /token\n- {name: n, changed: {note: {added: [{txt: 1}]}}}", "6:39 error SW404 unknown column 'txt' of 'note'"),
    "a word of changed": ("POST /token\n- {name: n, changed: {note: {edited: 1}}}", "6:30 error SW051 'edited' is not known here"),
    "two inputs": ("POST /token\n- {name: n, input: {}, each: [{}]}", "6:24 error SW405 a case has either 'input' or 'each'"),
    "two tokens": ("POST /token\n- {name: n, auth: {table: user, id: 1}, token: x}", "6:41 error SW405 a request has either 'auth' or 'token'"),
    "a duration": ("POST /token\n- {name: n, then: [{request: POST /token, after: soon}]}", "6:50 error SW406 'soon' is no duration"),
    "a name": ("POST /token\n- {name: n}\n- {name: n}", "7:10 error SW408 two cases are named 'n'"),
    "a parameter of the path": ("GET /note/{id}\n- {name: n}", "6:10 error SW409 the path of 'GET /note/{id}' needs 'id'"),
    "a table without tokens": ("POST /token\n- {name: n, auth: {table: note, id: 1}}", "6:27 error SW121 the table 'note' has no 'auth: true'"),
    "a check": ("POST /token\n- {name: n, check: [$status ==]}", "error SW0"),
    "a check of a number": ("POST /token\n- {name: n, check: [1 + 1]}", "6:21 error SW211 a condition must be a bool, this is an int"),
    "a variable": ("POST /token\n- {name: n, check: [$respons.x == 1]}", "6:21 error SW201 unknown variable '$respons'"),
    "$first of the first": ("POST /token\n- {name: n, token: $first.response.token}", "6:20 error SW201 unknown variable '$first'"),
    "a key": ("POST /token\n- {name: n, expect: 200}", "6:13 error SW051 'expect' is not known here"),
}  # fmt: skip


@pytest.mark.parametrize(("test", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_before(tmp_path: Path, test: str, message: str) -> None:
    with pytest.raises(Problems) as caught:
        run(tmp_path, test)
    (found,) = messages(caught.value.problems)
    assert message in found


def test_a_clock_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        run(tmp_path, "POST /token\n- {name: n}", records="\nclock: noon" + RECORDS)
    assert messages(caught.value.problems) == ["2:8 error SW401 'noon' is no time"]


def test_an_endpoint_of_two_groups_is_named_by_its_address(tmp_path: Path) -> None:
    group = {"shop": "group: shop", "other": "endpoint: POST /token\ngroup: shop\nstack: []\nresponse: 1"}
    write(tmp_path, group)
    with pytest.raises(Problems) as caught:
        run(tmp_path, "POST /token\n- {name: n}")
    (problem,) = caught.value.problems
    assert problem.message == "'POST /token' is in 2 groups"
    assert problem.hint == "write its whole address: POST /api:shop/token or POST /api:main/token"
    passed, written = run(tmp_path, "POST /api:shop/token\n- {name: n, response: 1}")
    assert passed, written


def test_stacks_never_see_token_claims(tmp_path: Path) -> None:
    write(tmp_path, {**NOTES, "bad": "endpoint: POST /bad\nstack: []\nresponse: ${'x' | token_claims}"})
    write(
        tmp_path,
        {
            "it.test.yaml": "test: POST /token\ncases: [{name: n, check: ['($response.token | token_claims | get(\"id\")) == 1']}]"
        },
    )
    checked = check_folder(tmp_path, "")
    assert fixtures.problems(checked.workspace) == []
    assert [problem.message for problem in checked.errors] == ["unknown filter 'token_claims'"]
