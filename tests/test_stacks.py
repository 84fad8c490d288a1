"""What stacks do when they run: every construct and step, on a real database."""

from __future__ import annotations

import asyncio
import gc
import textwrap
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Fault
from engine.program import check_folder
from tests.support import USER, answer, checked, conforms, program, run_stack

pytestmark = pytest.mark.usefixtures("storage")

CASES: dict[str, tuple[str, Any]] = {
    "set": ("- set: {a: 1, b: two}\n- return: {a: $a, b: $b}", {"a": 1, "b": "two"}),
    "set a path": ("- set: {u: {name: Ada}}\n- set: {u.age: 36, u.name: Grace}\n- return: $u", {"name": "Grace", "age": 36}),
    "set an item": ("- set: {xs: [1, 2]}\n- set: {'xs[0]': 9}\n- return: $xs", [9, 2]),
    "set makes a path": ("- set: {u: {}}\n- set: {u.a.b: 1}\n- return: $u", {"a": {"b": 1}}),
    "if then": ("- set: {x: 7}\n- if: $x > 5\n  then: [{set: {y: big}}]\n  else: [{set: {y: small}}]\n- return: $y", "big"),
    "else if": (
        "- set: {x: 3}\n- if: $x > 5\n  then: [{set: {y: a}}]\n  else_if:\n    - if: $x > 2\n      then: [{set: {y: b}}]\n"
        "    - if: $x > 1\n      then: [{set: {y: c}}]\n  else: [{set: {y: d}}]\n- return: $y",
        "b",
    ),
    "switch": ("- set: {s: b}\n- switch: $s\n  cases:\n    a: [{return: 1}]\n    b: [{set: {x: 2}}]\n    c: [{return: 3}]\n- return: 4", 4),
    "switch on an int": ("- set: {s: 2}\n- switch: $s\n  cases:\n    1: [{return: one}]\n    2: [{return: two}]\n", "two"),
    "switch default": ("- set: {s: 5}\n- switch: $s\n  cases:\n    1: [{return: one}]\n  default: [{return: other}]", "other"),
    "for_each": ("- set: {t: 0}\n- for_each: [1, 2, 3]\n  as: n\n  do: [{set: {t: $t + $n * $index}}]\n- return: $t", 8),
    "for_each of an object": (
        "- set: {o: {a: 1, b: 2}, t: ''}\n- for_each: $o\n  as: e\n  do: [{set: {t: '${$t}${$e.key}${$e.value}'}}]\n- return: $t",
        "a1b2",
    ),
    "nested loops keep their index": (
        "- set: {t: []}\n- for_each: [5, 6]\n  as: a\n  do:\n    - for_each: [7, 8]\n      as: b\n"
        "      do: [{set: {c: $index}}]\n    - set: {t: '${[...$t, $index]}'}\n- return: $t",
        [0, 1],
    ),
    "continue and break": (
        "- set: {t: []}\n- for_each: ${1..9}\n  as: n\n  do:\n    - if: $n % 2 == 0\n      then: [continue]\n"
        "    - if: $n > 6\n      then: [break]\n    - set: {t: '${[...$t, $n]}'}\n- return: $t",
        [1, 3, 5],
    ),
    "a loop past its first stride": (
        "- set: {t: 0, last: 0}\n- for_each: ${0..999}\n  as: n\n  do:\n    - precondition: $n == $index\n    - if: $n % 2 == 0\n      then: [continue]\n"
        "    - if: $n > 600\n      then: [break]\n    - set: {t: $t + 1, last: $n}\n- return: {t: $t, last: $last}",
        {"t": 300, "last": 599},
    ),
    "a break leaves one loop": (
        "- set: {t: 0}\n- for_each: [1, 2]\n  as: a\n  do:\n    - repeat: 600\n      as: n\n      do:\n        - if: $n == 400\n"
        "          then: [break]\n    - while: true\n      do:\n        - break\n    - set: {t: $t + $a}\n- return: $t",
        3,
    ),
    "a repeat in between keeps the index": (
        "- set: {t: []}\n- for_each: [5, 6]\n  as: a\n  do:\n    - repeat: 3\n      do:\n        - for_each: [7, 8]\n          as: b\n"
        "          do: [{set: {c: $index}}]\n        - set: {t: '${[...$t, $index]}'}\n- return: $t",
        [0, 0, 0, 1, 1, 1],
    ),
    "a repeat without end can be left": ("- set: {t: 0}\n- repeat: 9223372036854775807\n  as: n\n  do: [{set: {t: $n}}, {if: $n == 300, then: [break]}]\n- return: $t", 300),
    "a repeat's count is the loop's own": ("- set: {t: 0}\n- repeat: 3\n  as: n\n  do: [{set: {n: $n * 10, t: $t + $n}}]\n- return: $t", 30),
    "sums of more than 30 bits": ("- set: {a: 9223372036854775806, b: 1073741823}\n- return: ${[$a + 1, $b + 1, -$b - 2]}", [2**63 - 1, 2**30, -(2**30) - 1]),
    "ints moved by a literal": (
        "- set: {a: 9223372036854775806, b: -9223372036854775807}\n- return: ${[$a + 1, $b - 1, $a + -1, $b - -1, $a - 5 + 0, $b + 5 - 0]}",
        [2**63 - 1, -(2**63), 2**63 - 3, -(2**63) + 2, 2**63 - 7, -(2**63) + 6],
    ),
    "repeat less than never": ("- set: {t: 0}\n- repeat: -3\n  do: [{set: {t: 1}}]\n- return: $t", 0),
    "repeat": ("- set: {t: 0}\n- repeat: 4\n  as: n\n  do: [{set: {t: $t + $n}}]\n- return: $t", 6),
    "while": ("- set: {t: 1}\n- while: $t < 100\n  do: [{set: {t: $t * 2}}]\n- return: $t", 128),
    "group": ("- group:\n    - set: {a: 1}\n- return: $a", 1),
    "note and disabled": ("- set: {a: 1}\n  note: first\n- throw: fatal\n  disabled: true\n- return: $a", 1),
    "try catches a throw": (
        "- try:\n    - throw: conflict\n      message: Taken.\n      payload: {a: 1}\n  catch:\n"
        "    - return: {c: $error.code, m: $error.message, p: $error.payload, s: $error.step}",
        {"c": "ERROR_CODE_CONFLICT", "m": "Taken.", "p": {"a": 1}, "s": "it.yaml:5"},
    ),
    "try catches division": ("- set: {z: 0}\n- try: [{set: {x: '${1 / $z}'}}]\n  catch: [{set: {x: -1}}]\n- return: $x", -1),
    "finally": ("- try: [{set: {a: 1}}]\n  finally: [{set: {b: 2}}]\n- return: {a: $a, b: $b}", {"a": 1, "b": 2}),
    "templates": ("- set: {n: Ada, i: 3}\n- return: Hi ${$n}, ${$i + 1} of ${1.5} ${true}", "Hi Ada, 4 of 1.5 true"),
    "a whole template keeps its kind": ("- set: {n: 3}\n- return: ${$n}", 3),
    "a literal dollar": ("- return: $$5", "$5"),
    "nothing is null": ("- set: {_a: 1}", None),
    "remainder has the sign of what is divided": ("- set: {a: -8, b: 3}\n- return: {x: $a % 3, y: $a % $b, z: '${8 % 3}'}", {"x": -2, "y": -2, "z": 2}),
    "conditional": ("- set: {a: 3}\n- return: ${'yes' if $a == 3 else 'no'}", "yes"),
    "default": ("- set: {a: null}\n- return: $a ?? 'none'", "none"),
    "spread": ("- set: {a: {x: 1}, l: [1]}\n- return: {o: '${{...$a, y: 2}}', l: '${[0, ...$l]}'}", {"o": {"x": 1, "y": 2}, "l": [0, 1]}),
    "lambdas": ("- return: ${(1..5) | filter($n => $n % 2 == 1) | map($n => $n * 10) | sum}", 90),
    "a record has no password": (
        "- add_record: user\n  data: {name: Ada, email: A@x.io, password: long enough}\n  as: u\n- return: $u | keys",
        ["id", "created_at", "name", "email", "nickname", "role"],
    ),
    "edit and read back": (
        "- add_record: user\n  data: {name: Ada, email: a@x.io, password: long enough}\n  as: u\n"
        "- edit_record: user\n  where: {id: $u.id}\n  data: {name: Grace}\n- get_record: user\n  where: email == 'a@x.io'\n  as: r\n"
        "- return: $r?.name",
        "Grace",
    ),
    "delete": (
        "- add_record: user\n  data: {name: Ada, email: a@x.io, password: long enough}\n  as: u\n"
        "- delete_record: user\n  where: {id: $u.id}\n- has_record: user\n  where: {id: $u.id}\n  as: there\n- return: $there",
        False,
    ),
    "a password validates": (
        "- add_record: user\n  data: {name: Ada, email: a@x.io, password: long enough}\n  as: u\n"
        "- get_record: user\n  where: {id: $u.id}\n  as: r\n- validate_password: long enough\n  against: $r?.password\n  as: ok\n- return: $ok",
        True,
    ),
    "against null nothing validates": ("- validate_password: anything\n  against: null\n  as: ok\n- return: $ok", False),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "expected"), CASES.values(), ids=CASES)
def test_a_stack_answers(tmp_path: Path, stack: str, expected: Any) -> None:
    assert run_stack(tmp_path, stack) == expected


ONE_OF_TWO = "{b: bool, k: {type: enum, values: [a, b]}, pin?: {type: text, sensitive: true}}"
WAYS: dict[str, tuple[str, Any, Any]] = {
    "what may be absent, by its key": ("- set: {x: '${{a: 1, b: 2} if $input.b else {a: 1}}'}\n- return: $x['b']", 2, None),
    "what may be absent, laid over": (
        "- set: {x: '${{a: 1} if $input.b else {b: 1}}'}\n- return: '${{a: \"before\", ...$x}}'",
        {"a": 1},
        {"a": "before", "b": 1},
    ),
    "a switch on an int or one of some texts": (
        "- set: {x: '${1 if $input.b else $input.k}'}\n- switch: $x\n  cases:\n    1: [return: one]\n    a: [return: $x]\n- return: x",
        "one",
        "a",
    ),
    "a chain of tests that takes all values": (
        "- if: $input.k == 'b'\n  then: [set: {x: 1}]\n  else_if:\n    - if: $input.k == 'a'\n"
        "      then: [set: {x: '${2 if $input.b else 3}'}]\n- return: $x",
        2,
        3,
    ),
    "a chain of tests that takes all values and null": (
        "- set: {k: '${$input.k if $input.b else null}'}\n"
        "- if: $k == 'a'\n  then: [set: {x: 1}]\n  else_if:\n    - if: $k == 'b'\n      then: [set: {x: 2}]\n"
        "    - if: $k == null\n      then: [set: {x: 3}]\n- return: $x",
        1,
        3,
    ),
    "a chain of tests that takes all kinds and null": (
        "- set: {x: '${(1 if $input.k == \"a\" else \"b\") if $input.b else null}'}\n"
        "- if: $x | is_text\n  then: [return: $x | to_upper]\n  else_if:\n    - if: $x | is_int\n      then: [return: $x + 1]\n"
        "    - if: $x == null\n      then: [return: none]",
        2,
        "none",
    ),
    "a chain of a null and a value": (
        "- set: {x: '${1 if $input.b else null}'}\n"
        "- if: $x == null\n  then: [set: {y: 0}]\n  else_if:\n    - if: $x != null\n      then: [set: {y: $x}]\n- return: $y",
        1,
        0,
    ),
    "parts that are set where they are null": (
        "- set: {p: '${{c: 1 if $input.b else null, d: {e: null if $input.b else 2}}}'}\n"
        "- if: $p.c == null\n  then: [{set: {p.c: 5}}]\n- if: $p.d.e == null\n  then: [{set: {p.d.e: 10}}]\n"
        "- return: $p.c + $p.d.e",
        11,
        7,
    ),
    "an int, or else a secret": (
        "- set: {x: '${1 if $input.b else $input.pin}', is_two: false}\n- if: $x | is_int\n  then:\n"
        "    - set: {is_two: '${$x + 1 == 2}'}\n- return: $is_two",
        True,
        False,
    ),
    "an object with a secret put into one that isn't known": (
        "- set: {o: '${\"{}\" | json_decode | as_kind(\"object\")}'}\n- set: {o.pin: $input.pin}\n"
        "- set: {p: '${{...$o, b: $input.b}}'}\n- return: '${$p.pin == \"hush\" and $p.b == true}'",
        True,
        False,
    ),
    "a record, or else an object like it": (
        "- add_record: card\n  data: {pin: $input.pin}\n  as: card\n- set: {x: '${$card if $input.b else {id: 0, pin: \"shown\"}}'}\n"
        "- return: {x: $x?.pin, all: $x}",
        {"x": None, "all": {"id": 1}},
        {"x": "shown", "all": {"id": 0, "pin": "shown"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "one", "other"), WAYS.values(), ids=WAYS)
def test_a_value_that_is_one_of_two(tmp_path: Path, stack: str, one: Any, other: Any) -> None:
    card = "table: card\ncolumns:\n  id: int\n  pin?: {type: text, sensitive: true}\n"
    for is_one, expected in ((True, one), (False, other)):
        folder = tmp_path / str(is_one)
        folder.mkdir()
        assert run_stack(folder, stack, ONE_OF_TWO, {"b": is_one, "k": "a", "pin": "hush"}, card=card) == expected


# What a function declares to return, what it returns of `$input.x.v`, what that is, and what comes of it.
RETURNED: dict[str, tuple[str, str, Any, Any]] = {
    "one of the values": ("{type: enum, values: [a, b]}", "$input.x.v", "a", "a"),
    "none of the values": ("{type: enum, values: [a, b]}", "$input.x.v", "zzz", "what is returned must be an enum, not a text"),
    "an int": ("int", "$input.x.v", 5, 5),
    "a text for an int": ("int", "$input.x.v", "5", "what is returned must be an int, not a text"),
    "null for an int": ("int", "$input.x.v", None, "what is returned must be an int, not null"),
    "null where it may be": ("{type: int, nullable: true}", "$input.x.v", None, None),
    "an object": ("{type: object, properties: {a: int, b?: text}}", "$input.x.v", {"a": 1, "c": 2}, {"a": 1, "b": None}),
    "an object that lacks something": ("{type: object, properties: {a: int}}", "$input.x.v", {}, "what is returned.a must be an int, not null"),
    "what may be left out": ("{type: object, properties: {a: int, b?: text}}", "{a: 1}", None, {"a": 1, "b": None}),
    "a list": ("int[]", "$input.x.v", [1, "2"], "what is returned[1] must be an int, not a text"),
}  # fmt: skip


@pytest.mark.parametrize(("declared", "returned", "value", "expected"), RETURNED.values(), ids=RETURNED)
def test_what_is_returned_is_what_was_declared(
    tmp_path: Path, declared: str, returned: str, value: Any, expected: Any
) -> None:
    made = f"function: made\ninput: {{x: json}}\nreturns: {declared}\nstack:\n  - return: {returned}\n"
    stack = "- run_function: made\n  with: {x: $input.x}\n  as: it\n- return: $it"
    try:
        result = run_stack(tmp_path, stack, "{x: json}", {"x": {"v": value}}, made=made)
    except Fault as fault:
        assert (fault.name, fault.reason) == ("input_error", "value")  # the client sent it
        assert isinstance(fault.__cause__, Fault) and fault.__cause__.message == expected
    else:
        assert result == expected


# What is never settled, or set on a way that leaves.
UNSETTLED: dict[str, tuple[str, str]] = {
    "a chain of variables": (
        "- set: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1}\n- repeat: 9\n  do:\n    - set: {a: $b}\n    - set: {b: $c}\n"
        "    - set: {c: $d}\n    - set: {d: $e}\n    - set: {e: $f}\n    - set: {f: $g}\n    - set: {g: boom}\n- return: $a",
        "a value of any kind",
    ),
    "what goes into itself": (
        "- set: {x: null}\n- repeat: 9\n  do: [set: {x: {a: $x}}]\n- return: $x",
        "a value of any kind or null",
    ),
    "a chain of fields": (
        '- return: \'${[1, 2, 3, 4, 5, 6, 7, 8, 9] | reduce(($o, $n) => {a: $o.b, b: $o.c, c: $o.d, d: $o.e, e: $o.f, f: "boom"}, '
        '{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1}) | get("a")}\'',
        "a value of any kind or null",
    ),
    "finally behind a break": (
        "- set: {x: 1}\n- for_each: [1, 2]\n  as: _n\n  do:\n    - try:\n        - break\n      finally:\n        - set: {x: boom}\n"
        "- return: $x",
        "an int or a text",
    ),
    "finally behind a continue": (
        "- set: {x: 1, y: 1}\n- for_each: [1, 2]\n  as: _n\n  do:\n    - set: {y: $x}\n    - try:\n        - continue\n"
        "      finally:\n        - set: {x: boom}\n- return: $y",
        "an int or a text",
    ),
    "an item made right behind the last": (
        "- set: {xs: '${[{a: 1, b: 2}] | slice(0, 0)}'}\n- set: {'xs[0].a': 1}\n- return: $xs[0]",
        "an object",
    ),
    "what a catch set": (
        "- set: {x: 1, y: 1}\n- try:\n    - throw: conflict\n  catch:\n    - set: {x: boom}\n  finally:\n    - set: {y: $x}\n- return: $y",
        "a text",
    ),
}


@pytest.mark.parametrize(("stack", "kind"), UNSETTLED.values(), ids=UNSETTLED)
def test_what_is_not_settled_conforms(tmp_path: Path, stack: str, kind: str) -> None:
    text = "endpoint: POST /it\nstack:\n" + textwrap.indent(stack, "  ")
    [known] = checked(tmp_path, {"it": text}).endpoints.values()
    assert str(known.result) == kind
    assert conforms(run_stack(tmp_path, stack), known.result)


def test_what_a_catch_that_returns_set_is_known_at_last(tmp_path: Path) -> None:
    stack = "  - set: {x: 1}\n  - try:\n      - throw: conflict\n    catch:\n      - set: {x: boom}\n      - return: $x\n    finally:\n      - debug_log: $x + 1"
    found = checked(tmp_path, {"it": "endpoint: POST /it\nstack:\n" + stack}).problems
    assert [each.code for each in found] == ["SW214"]


# What faults of a secret of "hunter2(".
QUOTING = [
    'now() | format_timestamp("Y", $input.pin) | is_empty',
    "({a: 1})[$input.pin] == 1",
    "[1] | set($input.pin, 1) | is_empty",
    '"a" | regex_matches($input.pin)',
    '"a" | regex_replace("a", $input.pin ~ "$97") | is_empty',
    "$input.pin | to_int | is_null",
    "[$input.pin] | map($x => $x | to_int) | is_empty",
    "$input.pin | json_decode | is_null",
    '{a: $input.pin} | as_kind({a: "int"}) | is_null',
]


@pytest.mark.parametrize("expression", QUOTING)
def test_no_fault_quotes_a_secret(tmp_path: Path, expression: str) -> None:
    with pytest.raises(Fault) as caught:
        run_stack(
            tmp_path, f"- return: '${{{expression}}}'", "{pin: {type: text, sensitive: true}}", {"pin": "hunter2("}
        )
    error: BaseException | None = caught.value
    while error is not None:
        assert isinstance(error, Fault) and "hunter2" not in f"{error} {error.payload} {error.told}"
        error = error.__cause__


def test_no_item_is_made_within_one_that_is_not_there(tmp_path: Path) -> None:
    stack = "- set: {xs: '${[[1]] | slice(0, 0)}'}\n- set: {'xs[0][0]': 1}\n- return: $xs"
    with pytest.raises(Fault) as caught:
        run_stack(tmp_path, stack)
    assert caught.value.reason == "range"


def test_the_least_int_has_no_other(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        run_stack(tmp_path, "- return: ${-$input.n}", "{n: int}", {"n": -(2**63)})
    assert caught.value.reason == "range"


# What is given of secrets, and what is declared of it.
SECRETS = {
    "pin": ("{type: int, sensitive: true}", 7),
    "password": ("{type: password, min: 1}", "p w"),
    "no": ("{type: bool, sensitive: true}", False),
    "noes": ("{type: 'bool[]', sensitive: true}", [False, True]),
    "words": ("{type: 'text[]', sensitive: true}", ["a", "b"]),
    "parts": ("{type: 'object[]', properties: {a: {type: text, sensitive: true}, b: int}}", [{"a": "x", "b": 1}]),
    "wholes": ("{type: 'object[]', sensitive: true, properties: {a: text, b: int}}", [{"a": "x", "b": 1}]),
    "json": ("{type: json, sensitive: true}", {"a": 1, "no": False}),
    "k": ("{type: enum, values: [a, b], sensitive: true}", "a"),
}
OF_SECRETS: dict[str, Any] = {
    "[1, $input.pin] | sum | reveal": 8,
    "[1, $input.pin] | filter($x => $x > 1) | map($x => $x + 1) | sum | reveal": 8,
    "[$input.pin, 3] | sort | reveal": [3, 7],
    "{a: [$input.pin]} | json_encode | reveal": '{"a":[7]}',
    "{a: [$input.pin], b: 1} | reveal": {"a": [7], "b": 1},
    "[[$input.pin]] | contains([7])": True,
    "[1, $input.pin] == [1, 7]": True,
    "{a: $input.pin} == {a: true}": False,
    "$input.pin in [1, 7]": True,
    "$input.pin == 7.0": True,
    "$input.password | sha256 | substr(0, 5) | reveal": "98913",
    '$input.words | join(",") | reveal': "a,b",
    "$input.words[0] | reveal": "a",
    '$input.words | map($x => $x ~ "1") | reveal': ["a1", "b1"],
    '$input.words == ["a", "b"]': True,
    '$input.parts | map($x => $x.a ~ "1") | reveal': ["x1"],
    "$input.parts | map($x => $x.b)": [1],
    "$input.parts | reveal": [{"a": "x", "b": 1}],
    "$input.wholes[0].a | reveal": "x",
    '[$input.wholes] | get("0.0") | reveal': {"a": "x", "b": 1},
    "[$input.pin, 1] | push(2) | reverse | first | reveal": 2,
    "$input.wholes | map($x => $x.b + 1) | reveal": [2],
    '"yes" if $input.no else "no"': "no",
    "$input.no": False,
    "$input.noes | every($x => $x)": False,
    '"yes" if $input.noes[0] else "no"': "no",
    '"yes" if $input.json.no else "no"': "no",
    "$input.json.a + 1 == 2": True,
    '"no" if ([$input.pin, false] | last) == false else "yes"': "no",
}
STACKS_OF_SECRETS = {
    "a loop": ("- for_each: $input.noes\n  as: it\n  do:\n    - if: $it\n      then: [return: $index]", 1),
    "a switch": ("- switch: $input.k\n  cases:\n    b: [return: 1]\n    a: [return: 2]", 2),
    "a part of a whole that is set": (
        "- set: {x: '$input.wholes[0]'}\n- set: {x.b: 5}\n- return: ${$x | reveal}",
        {"a": "x", "b": 5},
    ),
    "an item of a whole that is set": ("- set: {x: $input.words}\n- set: {'x[0]': z}\n- return: ${$x | reveal}", ["z", "b"]),
    "a part of a whole that is set by a filter": ("- return: '${{x: $input.wholes} | set(\"x.0.b\", 5) | reveal}'", {"x": [{"a": "x", "b": 5}]}),
    "a part of a whole that is cut": ("- return: '${{x: $input.wholes} | unset(\"x.0.b\") | reveal}'", {"x": [{"a": "x"}]}),
    "what is secret in something that isn't known": (
        "- set: {o: '${\"{}\" | json_decode}'}\n- set: {x: '${$o if $input.k == \"b\" else {pin: $input.words[0]}}'}\n"
        "- return: {is: '${$x.pin | is_text}', text: '${($x.pin ~ \"!\") | reveal}', json: '${$x | json_encode | reveal}', "
        "up: '${$x.pin | to_upper | reveal}'}",
        {"is": True, "text": "a!", "json": '{"pin":"a"}', "up": "A"},
    ),
    "an item that is set": ("- set: {x: [1]}\n- set: {'x[0]': $input.pin}\n- return: ${[...$x, 1] | sum | reveal}", 8),
    "a function of a text": (
        "- run_function: echo\n  with: {word: '$input.words[0]'}\n  as: x\n- return: $x.word | reveal",
        "a",
    ),
    "a function of a list": (
        "- run_function: echo\n  with: {words: ['c', '$input.words[0]']}\n  as: x\n- return: $x.words | join(\",\") | reveal",
        "c,a",
    ),
    "a function of a part": ("- run_function: echo\n  with: {part: {a: '$input.words[0]', b: 1}}\n  as: x\n- return: $x.part.b", 1),
    "a function of anything": (
        "- run_function: echo\n  with: {any: '${{a: [$input.pin]}}'}\n  as: x\n- return: $x.any | reveal",
        {"a": [7]},
    ),
    "columns": (
        "- add_record: card\n  data: {words: [c, '$input.words[0]'], any: {a: [$input.pin]}, part: {a: '$input.words[1]'}}\n  as: x\n"
        "- return: {w: $x.words | reveal, a: $x.any | reveal, p: $x.part | reveal, x: $x}",
        {"w": ["c", "a"], "a": {"a": [7]}, "p": {"a": "b"}, "x": {"id": 1}},
    ),
    "columns of an object": (
        "- set: {d: {words: $input.words, any: [$input.pin]}}\n- add_record: card\n  data: $d\n  as: x\n"
        "- return: {w: $x.words | reveal, a: $x.any | reveal}",
        {"w": ["a", "b"], "a": [7]},
    ),
    "columns of rows": (
        "- bulk_add_records: card\n  items: [{any: [$input.pin]}]\n- query_all_records: card\n  as: x\n- return: $x[0].any | reveal",
        [7],
    ),
}  # fmt: skip


def _of_secrets(folder: Path, stack: str) -> Any:
    card = """
        table: card
        columns:
          id: int
          words?: {type: "text[]", sensitive: true}
          any?: {type: json, sensitive: true}
          part?: {type: object, sensitive: true, properties: {a: text}}
    """
    echo = """
        function: echo
        input:
          word?: {type: text, sensitive: true}
          words?: {type: "text[]", sensitive: true}
          part?: {type: object, properties: {a: {type: text, sensitive: true}, b: int}}
          any?: {type: json, sensitive: true}
        returns:
          type: object
          properties:
            word?: {type: text, sensitive: true}
            words: {type: "text[]", sensitive: true}
            part: {type: object, properties: {a: {type: text, sensitive: true}, b: int}}
            any?: {type: json, sensitive: true}
        stack:
          - return: '${{word: $input.word, words: $input.words ?? [], part: $input.part ?? {a: "", b: 0}, any: $input.any}}'
    """
    inputs = "{" + ", ".join(f"{name}: {declared}" for name, (declared, _) in SECRETS.items()) + "}"
    return run_stack(folder, stack, inputs, {name: value for name, (_, value) in SECRETS.items()}, card=card, echo=echo)


@pytest.mark.parametrize(("expression", "expected"), OF_SECRETS.items())
def test_what_is_made_of_secrets(tmp_path: Path, expression: str, expected: Any) -> None:
    assert _of_secrets(tmp_path, f"- return: '${{{expression}}}'") == expected


@pytest.mark.parametrize(("stack", "expected"), STACKS_OF_SECRETS.values(), ids=STACKS_OF_SECRETS)
def test_what_stacks_do_with_secrets(tmp_path: Path, stack: str, expected: Any) -> None:
    assert _of_secrets(tmp_path, stack) == expected


FAULTS: dict[str, tuple[str, str, str]] = {
    "precondition": ("- precondition: 1 > 2", "bad_request", "Precondition failed."),
    "named": ("- precondition: 1 > 2\n  error: not_found\n  message: No ${1 + 1}.", "not_found", "No 2."),
    "throw": ("- throw: too_many_requests\n  message: Slow down.", "too_many_requests", "Slow down."),
    "division": ("- set: {z: 0}\n- return: ${1 / $z}", "fatal", "a number was divided by zero"),
    "edit nothing": ("- edit_record: user\n  where: {id: 5}\n  data: {name: X}", "not_found", "Not Found."),
    "delete nothing": ("- delete_record: user\n  where: {id: 5}", "not_found", "Not Found."),
    "growth": ("- set: {a: 3}\n- while: true\n  do: [{set: {a: $a * $a}}]", "fatal", "the result is no int of 64 bits"),
    "growing text": ("- set: {a: xx}\n- while: true\n  do: [{set: {a: $a ~ $a}}]", "fatal", "the text would be longer than 16777216 characters"),
    "a sum past the finite": ("- set: {a: 1.0e+308}\n- return: ${$a + $a}", "fatal", "the result is too large for a decimal"),
    "a sum within a sum past the finite": (
        "- set: {a: 1.0e+308}\n- return: ${0.5 * ($a + $a)}",
        "fatal",
        "the result is too large for a decimal",
    ),
    "a sum that comes back from the infinite": (
        "- set: {a: 1.0e+308}\n- return: ${$a + $a - $a - $a}",
        "fatal",
        "the result is too large for a decimal",
    ),
    "a difference below 64 bits": ("- set: {a: -9223372036854775807}\n- return: ${$a - 2}", "fatal", "the result is no int of 64 bits"),
    "an int that grows": ("- set: {a: 9223372036854775807}\n- return: ${$a + 1}", "fatal", "the result is no int of 64 bits"),
    "an int that grows by less": ("- set: {a: 9223372036854775807}\n- return: ${$a - -1}", "fatal", "the result is no int of 64 bits"),
    "an int that shrinks by more": ("- set: {a: -9223372036854775807}\n- return: ${$a + -2}", "fatal", "the result is no int of 64 bits"),
    "a sum of ints that would come back": (
        "- set: {a: 9223372036854775807}\n- return: ${$a + 1 - 1}",
        "fatal",
        "the result is no int of 64 bits",
    ),
    "a sum past 64 bits": ("- set: {a: 9223372036854775807}\n- return: ${$a + $a}", "fatal", "the result is no int of 64 bits"),
    "a filter's helper": ("- set: {keys: \"${'[[1]]' | json_decode}\"}\n- return: \"${{a: 1} | pick($keys)}\"", "fatal", "a value is not of the kind that this step needs"),
    "index": ("- set: {a: [1]}\n- return: '$a[3]'", "fatal", "the list has 1 items, there is none at 3"),
}  # fmt: skip


@pytest.mark.parametrize(("stack", "name", "message"), FAULTS.values(), ids=FAULTS)
def test_a_stack_faults(tmp_path: Path, stack: str, name: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        run_stack(tmp_path, stack)
    assert (caught.value.name, caught.value.message) == (name, message)


@pytest.mark.parametrize("loop", ["while: true", "repeat: 9223372036854775807", "for_each: ${1..1000000}\n    as: n"])
def test_a_loop_without_end_ends(tmp_path: Path, loop: str) -> None:
    endless = f"endpoint: POST /it\nstack:\n  - {loop}\n    do:\n      - repeat: 100000\n        do: []\n"
    made = program(tmp_path, {"w": "workspace: w\ntime_limit: 0.2", "it": endless})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it")
    assert caught.value.reason == "budget"


@pytest.mark.parametrize("stack", ["[]", "[{set: {a: $b}}]", "["])
@pytest.mark.parametrize("collects", [True, False])
def test_checking_leaves_garbage_collection_as_it_was(tmp_path: Path, stack: str, collects: bool) -> None:
    (tmp_path / "it.yaml").write_text(f"endpoint: POST /it\nstack: {stack}\n")
    try:
        (gc.enable if collects else gc.disable)()
        check_folder(tmp_path)
        assert gc.isenabled() == collects
    finally:
        gc.enable()


DEEP = {"for_each: [1]\n  as: a\n  do": 10, "repeat: 1\n  do": 10, "while: true\n  do": 10, "try: [throw: fatal]\n  finally: []\n  catch": 6, "try": 10, "try: []\n  finally": 6}  # fmt: skip


@pytest.mark.parametrize(("step", "levels"), DEEP.items())
def test_loops_and_tries_nest_as_deep_as_python_lets_them(tmp_path: Path, step: str, levels: int) -> None:
    def stack(levels: int) -> str:
        tail = "\n  catch: []" if step == "try" else ""
        inner = "- return: 1"
        for _ in range(levels):
            inner = f"- {step}:\n{textwrap.indent(inner, ' ' * 4)}{tail}"
        return inner if "finally" not in step[-8:] else inner.replace("return: 1", "set: {a: 1}")

    run_stack(tmp_path, stack(levels))
    (tmp_path / "it.yaml").unlink()
    found = checked(tmp_path, {"it": f"endpoint: POST /it\nstack:\n{textwrap.indent(stack(levels + 1), '  ')}\n"})
    assert [(each.code, each.message) for each in found.errors] == [("SW107", "loops and tries are nested too deep")]


def test_a_catch_does_not_outlive_the_budget(tmp_path: Path) -> None:
    stack = "stack:\n  - while: true\n    do:\n      - try:\n          - while: true\n            do: []\n        catch: []\n"
    made = program(tmp_path, {"w": "workspace: w\ntime_limit: 0.2", "it": f"endpoint: POST /it\n{stack}"})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it")
    assert caught.value.reason == "budget"


FUNCTION = """
    function: billing/total
    input:
      items: {type: "object[]", properties: {price: decimal, count: int}}
    returns: decimal
    stack:
      - return: $input.items | map($item => $item.price * $item.count) | sum
"""


def test_a_function_sees_what_it_declares(tmp_path: Path) -> None:
    total = (
        "function: total\ninput: {items: {type: 'object[]', properties: {n: int}}}\nstack:\n  - return: $input.items"
    )
    stack = (
        "- run_function: total\n  with: {items: $input.items}\n  as: seen\n- return: {seen: $seen, given: $input.items}"
    )
    items = [{"n": 1, "sku": "a"}]
    found = run_stack(
        tmp_path, stack, "{items: {type: 'object[]', properties: {n: int, sku: text}}}", {"items": items}, total=total
    )
    assert found == {"seen": [{"n": 1}], "given": [{"n": 1, "sku": "a"}]}


def test_null_is_an_input_of_a_function_left_out(tmp_path: Path) -> None:
    seen = "function: seen\ninput: {n: {type: int, default: 7}, o?: {type: object, properties: {s?: text, d: {type: int, default: 8}}}}\nstack:\n  - return: $input"
    stack = "- run_function: seen\n  with: {n: $input.n, o: $input.o}\n  as: seen\n- return: $seen"
    declared = "{n?: int, o?: {type: object, properties: {s?: text, d?: int}}}"
    assert run_stack(tmp_path, stack, declared, {}, seen=seen) == {"n": 7, "o": None}
    assert run_stack(tmp_path, stack, declared, {"n": 1, "o": {}}, seen=seen) == {"n": 1, "o": {"s": None, "d": 8}}


def test_what_is_not_declared_can_be_dropped(tmp_path: Path) -> None:
    echo = "endpoint: POST /it\ninput: {o: {type: object, properties: {a: int, in?: {type: 'object[]', properties: {b: int}}}}}\nstack: []\nresponse: $input"
    made = program(tmp_path, {"workspace": "workspace: w\nunknown_input: ignore\n", "it": echo})
    given = {"x": 1, "o": {"a": 1, "y": 2, "in": [{"b": 3, "z": 4}]}}
    assert answer(made, "POST /it", given) == {"o": {"a": 1, "in": [{"b": 3}]}}
    with pytest.raises(Fault, match="Input must be an object"):
        answer(made, "POST /it", {"o": 1})


def test_a_function_hands_on_what_its_caller_reads_of_a_record(tmp_path: Path) -> None:
    stack = (
        "- add_record: user\n  data: {name: Ada, email: a@x.io, password: long enough}\n"
        "- run_function: found\n  with: {email: a@x.io}\n  as: user\n- precondition: $user != null\n"
        "- validate_password: long enough\n  against: $user.password\n  as: ok\n- return: $ok"
    )
    found = """
        function: found
        input: {email: text}
        stack:
          - get_record: user
            where: {email: $input.email}
            as: user
          - return: $user
    """
    assert run_stack(tmp_path, stack, found=found) is True


def test_a_function(tmp_path: Path) -> None:
    stack = "- run_function: billing/total\n  with: {items: $input.items}\n  as: bill\n- return: $bill"
    items = '{items: {type: "object[]", properties: {price: decimal, count: int}}}'
    values = {"items": [{"price": 1.5, "count": 2}, {"price": 2, "count": 1}]}
    assert run_stack(tmp_path, stack, items, values, total=FUNCTION) == 5.0


def test_i_6_a_stack_that_fails_leaves_nothing(tmp_path: Path) -> None:
    stack = (
        "stack:\n  - add_record: user\n    data: {name: A, email: a@x.io, password: long enough}\n  - throw: conflict\n"
    )
    made = program(tmp_path, {"user": USER, "it": f"endpoint: POST /it\n{stack}"})
    with pytest.raises(Fault):
        answer(made, "POST /it")
    assert asyncio.run(made.services.store.counts()) == {"user": 0}


def test_atomic_false_keeps_what_was_written(tmp_path: Path) -> None:
    stack = (
        "atomic: false\nstack:\n  - add_record: user\n    data: {name: A, email: a@x.io, password: long enough}\n"
        "  - throw: conflict\n"
    )
    made = program(tmp_path, {"user": USER, "it": f"endpoint: POST /it\n{stack}"})
    with pytest.raises(Fault):
        answer(made, "POST /it")
    assert asyncio.run(made.services.store.counts()) == {"user": 1}


def test_what_cannot_be_answered_is_not_kept(tmp_path: Path) -> None:
    """The commit comes after the answer is ready."""
    stack = (
        "stack:\n  - add_record: user\n    data: {name: A, email: a@x.io, password: long enough}\n"
        "    as: u\n  - set: {n: $u.id}\n  - repeat: 64\n    do: [{set: {n: $n + $n}}]\n  - return: $n\n"
    )
    made = program(tmp_path, {"user": USER, "it": f"endpoint: POST /it\n{stack}"})
    import orjson

    from engine.run import perform

    compiled = made.endpoints[0]

    async def run() -> Any:
        return await perform(compiled.plan, made.services.run(), {}, None, orjson.dumps)

    with pytest.raises((TypeError, Fault)):
        asyncio.run(run())
    assert asyncio.run(made.services.store.counts()) == {"user": 0}


def test_on_duplicate_answers_in_the_authors_words(tmp_path: Path) -> None:
    stack = (
        "input: {n: text}\nstack:\n  - add_record: user\n    data: {name: $input.n, email: a@x.io, password: long enough}\n"
        "    on_duplicate: {error: access_denied, message: 'No, ${$input.n}.'}\n"
    )
    made = program(tmp_path, {"user": USER, "it": f"endpoint: POST /it\n{stack}"})
    answer(made, "POST /it", {"n": "A"})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it", {"n": "B"})
    assert (caught.value.name, caught.value.message) == ("access_denied", "No, B.")


def test_a_fault_points_into_the_yaml(tmp_path: Path) -> None:
    import traceback

    with pytest.raises(Fault) as caught:
        run_stack(tmp_path, "- set: {z: 0}\n- set:\n    b: ${1 / $z}")
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(caught.value.__traceback__)]
    assert ("it.yaml", 6) in frames


CARRIERS = {
    "login": """
        endpoint: POST /login
        input: {id: int}
        stack:
          - get_record: user
            where: {id: $input.id}  # stackwright: ignore[SW250] whoever asks may be anybody here
            as: user
          - precondition: $user != null
          - create_token: user
            id: $user.id
            extras: {role: $user.role, level: 1, tags: [a], user: $user}
            as: token
        response: $token
    """,
    "again": """
        endpoint: POST /again
        auth: user
        stack:
          - create_token: user
            id: $auth.id
            extras: "${{...$auth.extras, level: ($auth.extras.level ?? 0) + 1}}"
            as: token
        response: $token
    """,
    "me": "endpoint: GET /me\nauth: user\nstack: []\nresponse: {extras: $auth.extras, whole: $auth, level: '${$auth.extras.level ?? 0}'}",
}
CARRIED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "all": ({"role": "admin", "level": 3, "tags": ["a", "b"]}, {"role": "admin", "level": 3, "tags": ["a", "b"]}),
    "none": ({}, {}),
    "what nobody puts in": ({"level": 2, "more": True}, {"level": 2}),
    "another kind than today's": ({"level": "2", "tags": ["a", 1]}, {}),
    "none of today's values": ({"role": "owner"}, {}),
    "a bool for a number": ({"level": True}, {}),
    "null": ({"level": None}, {}),
    "a record that has changed": ({"user": {"id": 1}}, {}),
}


@pytest.mark.parametrize(("carried", "wanted"), CARRIED.values(), ids=CARRIED)
def test_a_token_may_be_older_than_the_stacks(tmp_path: Path, carried: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = program(tmp_path, {"user": USER, **CARRIERS})
    tokens = made.services.tokens
    claims = tokens.open(tokens.create("user", 1, carried), "user")
    level = wanted.get("level", 0)
    expected = {"extras": wanted, "whole": {"id": 1, "table": "user", "extras": wanted}, "level": level}
    assert answer(made, "GET /me", claims=claims) == expected
    again = tokens.open(answer(made, "POST /again", claims=claims), "user")
    assert again.extras == {**wanted, "level": level + 1}


def test_a_token_carries_a_record_without_its_secrets(tmp_path: Path) -> None:
    made = program(tmp_path, {"user": USER, **CARRIERS})
    ada = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}

    async def signed_up() -> None:
        run = made.services.run()
        await made.services.store.load(run, "user", [ada])
        await run.db.commit()

    asyncio.run(signed_up())
    claims = made.services.tokens.open(answer(made, "POST /login", {"id": 1}), "user")
    carried = answer(made, "GET /me", claims=claims)["extras"]
    assert carried == claims.extras
    assert carried["role"] == "member"
    assert carried["user"]["name"] == "Ada"
    assert "password" not in carried["user"]
