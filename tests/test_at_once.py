"""Requests that a test sends at once: that they are, what is expected of them, and what a report says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Problems
from engine.program import check_folder
from engine.testing import fixtures
from engine.testing.replay import Harness
from engine.testing.report import Failure
from tests.storages import storage as current
from tests.support import messages, write

NAMES = {
    "workspace": "workspace: w\n",
    "name": "table: name\ncolumns: {id: int, name: {type: text, unique: true}, by: int}",
    "mark": "table: mark\ncolumns: {id: int, what: text, at: int}",
    "add": """
        endpoint: POST /name
        input: {name: text, by?: int}
        stack:
          - add_record: name
            data: {name: $input.name, by: $input.by ?? 0}
            as: name
          - debug_log: $name.name
            label: added
        response: {id: $name.id, name: $name.name}
    """,
    "doze": """
        endpoint: POST /doze
        input: {seconds?: {type: int, min: 0}}
        atomic: false
        stack:
          - add_record: mark
            data: {what: begins, at: "${now()}"}
          - set: {seconds: "${$input.seconds ?? random_int(1, 25)}"}
          - sleep: $seconds
          - add_record: mark
            data: {what: ends, at: "${now()}"}
        response: {seconds: $seconds, at: "${now()}"}
    """,
    "add_all": """
        function: add_all
        input: {name: text}
        stack:
          - add_record: name
            data: {name: $input.name, by: 0}
    """,
}  # fmt: skip
START = 1_735_689_600_000


def replayed(folder: Path, test: str, *, of: str = "POST /name") -> list[Failure | None]:
    """What came of the cases of a test, each on the storage of now."""
    write(folder, {**NAMES, "it.test.yaml": f"test: {of}\ncases:\n{test}"})
    checked = check_folder(folder, "w")
    suites, broken = fixtures.read_suites(checked.workspace)
    if checked.errors or broken:
        raise Problems([*checked.errors, *broken])
    harness = Harness(checked, current().open)
    try:
        return [harness.replay(suite, case) for suite in suites for case in suite.cases]
    finally:
        harness.close()


PASSING = {
    "one wins": "- {name: n, input: {name: ada}, at_once: 20, statuses: {200: 1, 409: 19}, response: {name: ada}, changed: {name: {added: [{name: ada}]}}}",
    "a status of all": "- {name: n, records: {name: [{id: 1, name: ada, by: 0}]}, input: {name: ada}, at_once: 20, status: 409, response: {code: ERROR_CODE_CONFLICT}, changed: {}}",
    "statuses of which none succeeds": "- {name: n, records: {name: [{id: 1, name: ada, by: 0}]}, input: {name: ada}, at_once: 2, statuses: {409: 2}, response: {code: ERROR_CODE_CONFLICT}}",
    "an input for each": "- {name: n, input: {name: '${uuid()}'}, at_once: 20, check: [$response.name == $input.name], changed: {name: 20}}",
    "what follows goes on from one that succeeded": "- {name: n, input: {name: ada}, at_once: 3, statuses: {200: 1, 409: 2}, then: [{request: POST /name, input: {name: $response.name}, status: 409}, {request: POST /name, input: {name: 'x${$first.response.name}'}, at_once: 2, statuses: {200: 1, 409: 1}}]}",
    "several inputs": "- {name: n, each: [{name: ada}, {name: eve}], at_once: 5, statuses: {200: 1, 409: 4}, changed: {name: 1}}",
    "as many as may be": "- {name: n, input: {name: ada}, at_once: 1000, statuses: {200: 1, 409: 999}}",
}  # fmt: skip


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("test", PASSING.values(), ids=PASSING)
def test_a_case_passes(tmp_path: Path, test: str) -> None:
    failures = replayed(tmp_path, test)
    assert not any(failures), [failure.render() for failure in failures if failure]


def test_a_function_is_called_at_once(storage: str, tmp_path: Path) -> None:
    test = "- {name: n, input: {name: ada}, at_once: 20, statuses: {200: 1, 409: 19}, changed: {name: 1}}"
    assert replayed(tmp_path, test, of="add_all") == [None]


def test_runs_begin_before_others_end(storage: str, tmp_path: Path) -> None:
    """Were they one after the other, each would find what the one before has left, at a later time."""
    test = f"""
- name: n
  input: {{seconds: 5}}
  at_once: 3
  response: {{at: {START + 5000}}}
  changed: {{mark: {{added: [{{what: begins}}, {{what: begins}}, {{what: begins}}, {{what: ends}}, {{what: ends}}, {{what: ends}}]}}}}
"""
    assert [failure and failure.render() for failure in replayed(tmp_path, test, of="POST /doze")] == [None]


def test_who_sleeps_shortest_goes_on_first(tmp_path: Path) -> None:
    ends = "{what: ends, at: $first.response.at}"
    test = f"""
- name: n
  at_once: 4
  check: [$response.at == {START} + $response.seconds * 1000]
  changed: {{mark: 8}}
- name: the last to begin ends first
  input: {{seconds: 9}}
  then:
    - request: POST /doze
      input: {{seconds: 1}}
      changed: {{mark: {{added: [{{what: begins}}, {ends.replace("$first.response.at", str(START + 10_000))}]}}}}
"""
    assert [failure and failure.render() for failure in replayed(tmp_path, test, of="POST /doze")] == [None, None]


ANSWERED = '{"code": "ERROR_CODE_CONFLICT", "message": "\'name\' must be unique.", "payload": {"param": "name"}}'
FAILING = {
    "a status of all": (
        "- {name: n, input: {name: ada}, at_once: 20}",
        ["of 20 runs 1 answered 200, the case says 20", "of 20 runs 19 answered 409, the case says none", f"run 2 of 20 answered 409: {ANSWERED}"],
    ),
    "statuses": (
        "- {name: n, input: {name: ada}, at_once: 20, statuses: {200: 3, 409: 15, 404: 2}}",
        ["of 20 runs 1 answered 200, the case says 3", "of 20 runs 19 answered 409, the case says 15", "of 20 runs none answered 404, the case says 2", f"run 2 of 20 answered 409: {ANSWERED}"],
    ),
    "a response": (
        "- {name: n, input: {name: ada}, at_once: 20, statuses: {200: 1, 409: 19}, response: {name: eve}}",
        ["run 1 of 20: response.name: expected 'eve', was 'ada'"],
    ),
    "a response of one": (
        "- {name: n, input: {name: '${uuid()}'}, at_once: 3, check: [$response.id < 3]}",
        ["run 3 of 3: '$response.id < 3' is not true: it compares 3 with 3"],
    ),
    "what changed": (
        "- {name: n, input: {name: ada}, at_once: 3, statuses: {200: 1, 409: 2}, changed: {name: 3}}",
        ["changed.name: expected 3, was 1 added"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("test", "expected"), FAILING.values(), ids=FAILING)
def test_a_case_fails(tmp_path: Path, test: str, expected: list[str]) -> None:
    (failure,) = replayed(tmp_path, test)
    assert failure is not None
    assert [finding.message for finding in failure.findings] == expected


def test_a_report_has_the_steps_and_the_log_of_one_run(tmp_path: Path) -> None:
    test = "- {name: n, input: {name: '${uuid()}'}, at_once: 5, check: [$response.id != 4]}"
    (failure,) = replayed(tmp_path, test)
    assert failure is not None
    assert failure.target == "POST /name, run 4 of 5"
    assert [entry.step.name for entry in failure.trace.entries] == ["add_record", "debug_log"]
    (name,) = [entry["value"] for entry in failure.log if entry.get("label") == "added"]
    assert failure.trace.results["name"] == {"id": 4, "name": name, "by": 0}


def test_what_can_not_be_sent_ends_before_the_next_case(tmp_path: Path) -> None:
    test = "- {name: n, input: {name: '${[] | first}'}, at_once: 5, token: '${1 / 0}'}\n- {name: m, input: {name: a}, changed: {name: 1}}"
    first, second = replayed(tmp_path, test)
    assert first is not None
    assert "can't be evaluated" in first.render()
    assert second is None


MISTAKES = {
    "once": ("{name: n, at_once: 1}", "3:22 error SW057 '1' can't stand here: 1 is less than the minimum of 2"),
    "too many": ("{name: n, at_once: 1001}", "3:22 error SW057 '1001' can't stand here: 1001 is greater than the maximum of 1000"),
    "no number": ("{name: n, at_once: many}", "3:22 error SW054 this must be an int, it is the text 'many'"),
    "a text": ('{name: n, at_once: "20"}', "3:22 error SW054 this must be an int, it is the text '20'"),
    "too few": ("{name: n, at_once: 20, statuses: {200: 1}}", "3:26 error SW412 'statuses' counts 1, and 20 are sent at once"),
    "of none": ("{name: n, statuses: {200: 1}}", "3:13 error SW412 'statuses' counts requests that are sent at once, and this one is sent once"),
    "beside a status": ("{name: n, at_once: 2, status: 200, statuses: {200: 2}}", "3:38 error SW405 a request expects either 'status' or 'statuses'"),
    "a name": ("{name: n, at_once: 2, statuses: {ok: 2}}", "3:36 error SW055 'ok' is not a name that can stand here"),
    "what follows": ("{name: n, then: [{request: POST /name, at_once: 2, statuses: {200: 1}}]}", "3:54 error SW412 'statuses' counts 1, and 2 are sent at once"),
}  # fmt: skip


MENDS = {
    "a text": ('{name: n, at_once: "20"}', "write 20 without quotes"),
    "counted by 'status'": ("{name: n, at_once: 20, status: {200: 1, 409: 19}}", "write 'statuses:' for answers that differ"),
    "both": ("{name: n, at_once: 2, status: 200, statuses: {200: 2}}", "leave 'status' out"),
    "another word": ("{name: n, parallel: 20}", "write 'at_once:'"),
}  # fmt: skip


@pytest.mark.parametrize(("case", "mend"), MENDS.values(), ids=MENDS)
def test_a_mistake_has_a_mend(tmp_path: Path, case: str, mend: str) -> None:
    with pytest.raises(Problems) as caught:
        replayed(tmp_path, f"- {case}")
    assert [each.hint for each in caught.value.problems] == [mend]


@pytest.mark.parametrize(("case", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_before(tmp_path: Path, case: str, message: str) -> None:
    with pytest.raises(Problems) as caught:
        replayed(tmp_path, f"- {case}")
    assert messages(caught.value.problems) == [message]


def test_a_mistake_has_a_mend_that_is_right(tmp_path: Path) -> None:
    for statuses, hint in {"{200: 1, 409: 19}": "add 'at_once: 20'", "{409: 1}": "write 'status: 409'"}.items():
        with pytest.raises(Problems) as caught:
            replayed(tmp_path, f"- {{name: n, statuses: {statuses}}}")
        assert [problem.hint for problem in caught.value.problems] == [hint]
