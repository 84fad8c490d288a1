"""`# stackwright: ignore[SW143] the reason`: a comment silences one warning, no error, and never in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import USER, checked, messages

HEAD = "endpoint: GET /x\nstack:\n"
WRITES = "  - truncate_table: user"
FOUND = "4:5 warning SW143 'truncate_table' writes, a GET must not"

CASES: dict[str, tuple[str, list[str]]] = {
    "on its line": (f"{WRITES}  # stackwright: ignore[SW143] the client can only GET", []),
    "on the line before": (f"  # stackwright: ignore[SW143] the client can only GET\n{WRITES}", []),
    "before comments and blank lines": (
        f"  # stackwright: ignore[SW143] the client can only GET\n\n  # as of 2026\n{WRITES}",
        [],
    ),
    "one finding, not two": (
        f"  # stackwright: ignore[SW143] the first\n{WRITES}\n{WRITES}",
        ["5:5 warning SW143 'truncate_table' writes, a GET must not"],
    ),
    "one of two on a line": (
        "  - set: {a: 1, b: 2} # stackwright: ignore[SW240] a comes later",
        ["3:17 warning SW240 the variable 'b' is never used"],
    ),
    "both on a line": ("  - set: {a: 1, b: 2} # stackwright: ignore[SW240, SW240] both come later", []),
    "two codes": (
        "  - add_record: user # stackwright: ignore[SW143 SW240] it only looks like one\n"
        "    data: {name: A, email: a@example.com, password: long enough}\n"
        "  # stackwright: ignore[SW240] comes later\n"
        "    as: user",
        ["3:50 warning SW084 there is no SW240 to ignore here"],
    ),
    "within a long text": (
        "  # stackwright: ignore[SW241] the sign is meant\n  - return: |\n      Dear\n      $input\n",
        [],
    ),
    "beside a long text's bar": (
        "  - return: |  # stackwright: ignore[SW241] the sign is meant\n      Dear\n      $input\n",
        [],
    ),
    "inside a text": (
        "  - return: |\n      # stackwright: ignore[SW241] no comment\n      Dear $input\n",
        ["4:7 warning SW241 '$input' is nothing but text here"],
    ),
    "inside a quoted text": (f'  - debug_log: " # stackwright: ignore[SW143] x"\n{WRITES}', [FOUND]),
    "inside a plain text": (f"  - debug_log: a# stackwright:ignore[SW143]\n{WRITES}", [FOUND]),
    "on another line": (
        f"{WRITES}\n  # stackwright: ignore[SW143] too late",
        ["3:5 warning SW143 'truncate_table' writes, a GET must not", "4:25 warning SW084 there is no SW143 to ignore here"],
    ),
    "of another finding": (
        f"{WRITES} # stackwright: ignore[SW240] why not",
        ["3:5 warning SW143 'truncate_table' writes, a GET must not", "3:48 warning SW084 there is no SW240 to ignore here"],
    ),
    "without a reason": (f"{WRITES} # stackwright: ignore[SW143] -", ["3:26 error SW083 an ignore needs a reason"]),
    "an unknown code": (
        f"{WRITES} # stackwright: ignore[SW443] why not",
        ["3:5 warning SW143 'truncate_table' writes, a GET must not", "3:48 error SW081 unknown code 'SW443'"],
    ),
    "an error": (
        "  - return: $nothing # stackwright: ignore[SW201] why not",
        ["3:13 error SW201 unknown variable '$nothing'", "3:44 error SW082 'SW201' is an error, only warnings can be ignored"],
    ),
    "unused beside an error": (
        "  - return: $nothing # stackwright: ignore[SW143] may be there again",
        ["3:13 error SW201 unknown variable '$nothing'"],
    ),
    "no code": (f"{WRITES} # stackwright: ignore why not",
        ["3:5 warning SW143 'truncate_table' writes, a GET must not", "3:26 error SW080 'ignore why not' says nothing to the checker"],
    ),
    "nothing": ("  - break # stackwright:", ["3:5 error SW146 'break' stands in no loop", "3:11 error SW080 this says nothing"]),
    "at the very end": ("  - debug_log: x\n# stackwright: ignore[SW143] x", ["4:23 warning SW084 there is no SW143 to ignore here"]),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "expected"), CASES.values(), ids=CASES)
def test_an_ignore(tmp_path: Path, stack: str, expected: list[str]) -> None:
    assert messages(checked(tmp_path, {"user": USER, "x": HEAD + stack + "\n"}).problems) == expected


def test_the_mend_of_an_unknown_code(tmp_path: Path) -> None:
    stack = HEAD + f"{WRITES} # stackwright: ignore[SW144] why not\n"
    [_, problem] = checked(
        tmp_path, {"user": USER, "x": HEAD + stack.replace(HEAD, "").replace("144", "1434")}
    ).problems
    assert problem.hint == "did you mean 'SW143'?"


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    comment = "# stackwright: ignore[SW143] why\n"
    files = {
        "t.test": "test: GET /x\ncases: [{name: n}]\n",
        "g": "group: g\n",
        "w": "workspace: w\n",
        "t": "table: t\ncolumns: {id: int}\n",
        "f": "function: f\nstack: []\n",
        "x": "endpoint: GET /x\nstack: []\n",
    }
    written = {f"{name}.yaml": comment + text for name, text in files.items()}
    problems = checked(tmp_path, written).problems
    assert [f"{each.span}: {each.code}" for each in problems] == [f"{name}:1:23: SW084" for name in sorted(written)]
