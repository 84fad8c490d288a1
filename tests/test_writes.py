"""The steps that write: what they answer, what they refuse, and what is in the table afterwards."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import USER, answer, checked, conforms, messages, program, run_stack

from engine.errors import Fault
from engine.program import check_folder
from engine.store.batch import MAX_ROWS

pytestmark = pytest.mark.usefixtures("storage")

TEAM = """
    table: team
    columns:
      id: int
      name: {type: text, unique: true, max: 20}
      size: {type: int, default: 1, min: 0}
      motto?: {type: text, nullable: true}
      lead?: {table: user}
"""
TEAMS = [{"id": 1, "name": "red", "size": 1}, {"id": 2, "name": "blue", "size": 2}, {"id": 3, "name": "green"}]
RED = {"id": 1, "name": "red", "size": 1, "motto": None, "lead": None}
BLUE = {**RED, "id": 2, "name": "blue", "size": 2}
GREEN = {**RED, "id": 3, "name": "green"}


def run(folder: Path, stack: str, input: str = "{}", values: Mapping[str, Any] | None = None) -> tuple[Any, list[Any]]:
    """What a stack answers, or the fault it ends with, and what the table `team` holds then."""
    lines = "\n".join(f"      {line}" for line in stack.strip().splitlines())
    text = f"\n    endpoint: POST /it\n    input: {input}\n    stack:\n{lines}\n"
    made = program(folder, {"user": USER, "team": TEAM, "it": text})

    async def load() -> None:
        start = made.services.run()
        await made.services.store.load(start, "team", TEAMS)
        await start.db.commit()

    asyncio.run(load())
    try:
        result = answer(made, "POST /it", dict(values or {}))
    except Fault as fault:
        result = fault
    return result, asyncio.run(made.services.store.dump("team"))


DONE = [
    # stack, input, values, answer, the table afterwards (None: unchanged)
    (
        "- patch_record: team\n  where: {id: 2}\n  data: {size: 5}\n  as: t\n- return: $t",
        {}, {**BLUE, "size": 5}, [RED, {**BLUE, "size": 5}, GREEN],
    ),
    (
        "- patch_record: team\n  where: {id: 2}\n  data: $input.data\n  as: t\n- return: $t.motto",
        {"data": {"motto": "up", "size": 0}}, "up", [RED, {**BLUE, "size": 0, "motto": "up"}, GREEN],
    ),
    ("- patch_record: team\n  where: {id: 2}\n  data: $input.data\n  as: t\n- return: $t", {"data": {}}, BLUE, None),
    (
        "- edit_record: team\n  where: {name: red, size: 1}\n  data: {motto: on}\n  as: t\n- return: $t.id",
        {}, 1, [{**RED, "motto": "on"}, BLUE, GREEN],
    ),
    (
        "- add_or_edit_record: team\n  where: {name: blue}\n  data: {size: 9}\n  as: t\n- return: $t",
        {}, {**BLUE, "size": 9}, [RED, {**BLUE, "size": 9}, GREEN],
    ),
    (
        "- add_or_edit_record: team\n  where: {name: $input.name, motto: null}\n  data: {size: 9}\n  as: t\n- return: $t",
        {"name": "grey"}, {**RED, "id": 4, "name": "grey", "size": 9},
        [RED, BLUE, GREEN, {**RED, "id": 4, "name": "grey", "size": 9}],
    ),
    (
        "- bulk_add_records: team\n  items:\n    - {name: a}\n    - {name: b, size: 3, motto: on}\n  as: t\n- return: $t",
        {}, [{**RED, "id": 4, "name": "a"}, {**RED, "id": 5, "name": "b", "size": 3, "motto": "on"}],
        [RED, BLUE, GREEN, {**RED, "id": 4, "name": "a"}, {**RED, "id": 5, "name": "b", "size": 3, "motto": "on"}],
    ),
    ("- bulk_add_records: team\n  items: $input.data\n  as: t\n- return: $t", {"data": []}, [], None),
    (
        "- bulk_add_records: team\n  items: $input.data\n  allow_id_field: true\n  as: t\n- return: $t | map($x => $x.id)",
        {"data": [{"id": 9, "name": "a"}, {"name": "b"}]}, [9, 10],
        [RED, BLUE, GREEN, {**RED, "id": 9, "name": "a"}, {**RED, "id": 10, "name": "b"}],
    ),
    (
        "- bulk_edit_records: team\n  where: size < 2\n  data: {motto: up}\n  as: n\n- return: $n",
        {}, 2, [{**RED, "motto": "up"}, BLUE, {**GREEN, "motto": "up"}],
    ),
    (
        "- bulk_edit_records: team\n  where: size < 2\n  limit: 1\n  data: {motto: up}\n  as: n\n- return: $n",
        {}, 1, [{**RED, "motto": "up"}, BLUE, GREEN],
    ),
    (
        "- bulk_edit_records: team\n  all: true\n  data: {size: 0}\n  as: n\n- return: $n",
        {}, 3, [{**RED, "size": 0}, {**BLUE, "size": 0}, {**GREEN, "size": 0}],
    ),
    (
        "- bulk_patch_records: team\n  items: $input.data\n  as: t\n- return: $t",
        {"data": [{"id": 3, "size": 8}, {"motto": None, "id": 1}]}, [{**GREEN, "size": 8}, RED],
        [RED, BLUE, {**GREEN, "size": 8}],
    ),
    ("- bulk_delete_records: team\n  where: size == 1\n  as: n\n- return: $n", {}, 2, [BLUE]),
    ("- bulk_delete_records: team\n  where: size == 1\n  limit: 1\n  as: n\n- return: $n", {}, 1, [BLUE, GREEN]),
    ("- bulk_delete_records: team\n  all: true\n  as: n\n- return: $n", {}, 3, []),
    ("- truncate_table: team\n- add_record: team\n  data: {name: x}\n  as: t\n- return: $t.id", {}, 4,
     [{**RED, "id": 4, "name": "x"}]),
    ("- truncate_table: team\n  reset: true\n- add_record: team\n  data: {name: x}\n  as: t\n- return: $t.id", {}, 1,
     [{**RED, "id": 1, "name": "x"}]),
]  # fmt: skip
INPUT = "{data?: json, name?: {type: text, default: x}}"


@pytest.mark.parametrize(("stack", "values", "answered", "after"), DONE)
def test_what_a_step_does(tmp_path: Path, stack: str, values: dict[str, Any], answered: Any, after: Any) -> None:
    assert run(tmp_path, stack, INPUT, values) == (answered, [RED, BLUE, GREEN] if after is None else after)


ADD = "- bulk_add_records: team\n  items: $input.data\n"
PATCH = "- bulk_patch_records: team\n  items: $input.data\n"
ONE = "- patch_record: team\n  where: {id: 1}\n  data: $input.data\n"
LONG = "Input exceeds the maximum length of 20 characters"
REFUSED = [
    # stack, what `$input.data` is, the fault, its failing columns and their messages
    (ONE, {"size": -1, "name": "x" * 21}, "input_error",
     {"name": LONG, "size": "Value is less than the minimum value of 0"}),
    (ONE, {"sise": 1}, "input_error", {"sise": "Unknown param: sise"}),
    (ONE, {"id": 7}, "input_error", {"id": "Input can't set the id."}),
    (ONE, [], "input_error", {"data": "Input must be an object."}),
    (ONE, {"name": "blue"}, "conflict", {"name": "'name' must be unique."}),
    (ONE, {"lead": 77}, "input_error", {"lead": "Input names no record of 'user'."}),
    (ONE.replace("id: 1", "id: 99"), {"size": 1}, "not_found", {}),
    ("- edit_record: team\n  where: {id: 99}\n  data: {size: 1}", None, "not_found", {}),
    ("- delete_record: team\n  where: {id: 99}", None, "not_found", {}),
    (ADD, [{"name": "ok"}, {"name": "x" * 21, "size": "1"}, 7, {"size": 1}], "input_error",
     {"items[1].name": LONG, "items[1].size": "Input must be null or an int, not a text.",
      "items[2]": "Input must be an object.", "items[3].name": "Missing param: name"}),
    (ADD, [{"name": "ok"}, {"name": "red"}, {"name": "ok"}], "conflict",
     {"items[1].name": "'name' must be unique.", "items[2].name": "'name' must be unique."}),
    (ADD, [{"name": "red"}, {"name": "ok", "size": -1}, {"name": "ok", "lead": 9}], "input_error",
     {"items[0].name": "'name' must be unique.", "items[1].size": "Value is less than the minimum value of 0",
      "items[2].lead": "Input names no record of 'user'."}),
    (ADD, [{"name": "ok", "id": 4}], "input_error", {"items[0].id": "Input can't set the id."}),
    (ADD, [{"name": "a", "lead": 7}, {"name": "red"}], "input_error",
     {"items[0].lead": "Input names no record of 'user'.", "items[1].name": "'name' must be unique."}),
    (ADD, "text", "input_error", {"items": "Input must be a list of objects."}),
    (ADD, [{"name": "x"}] * (MAX_ROWS + 1), "input_error",
     {"items": "Input has more than 10000 items, write them in several steps."}),
    (PATCH, [{"id": 1, "size": 4}, {"size": 3}, {"id": "x"}, {"id": 2, "nme": 1}], "input_error",
     {"items[1].id": "Input must be an int, not null.", "items[2].id": "Input must be an int, not a text.",
      "items[3].nme": "Unknown param: nme"}),
    (PATCH, [{"id": 1, "size": 4}, {"id": 44, "size": 3}], "not_found", {"items[1].id": "Not Found."}),
    (PATCH, [{"id": 2, "name": "a"}, {"id": 1, "name": "a"}], "conflict", {"items[1].name": "'name' must be unique."}),
    ("- bulk_edit_records: team\n  all: true\n  data: {name: same}", None, "conflict", {"name": "'name' must be unique."}),
    ("- bulk_delete_records: team\n  all: true\n  limit: 0", None, "input_error", {"limit": "Input must be from 1 to 10000."}),
    ("- bulk_edit_records: team\n  all: true\n  data: {size: 4}\n  limit: 10001", None, "input_error",
     {"limit": "Input must be from 1 to 10000."}),
    ("- bulk_add_records: user\n  items: [{name: a, email: a@x.io, password: long enough},"
     " {name: b, email: b@x.io, password: '${ (1..3000) | map($x => \"ä\") | join(\"\") }'}]", None, "input_error",
     {"items[1].password": "Input exceeds the maximum length of 1024 characters"}),
    (ADD, [{"name": "a\0b", "motto": "\ud800"}], "input_error",
     {"items[0].name": "Input holds a NUL character.", "items[0].motto": "Input holds half a surrogate pair."}),
    (ADD, [{"name": "a", "size": 2**63}], "input_error",
     {"items[0].size": "Value is greater than the maximum value of 9223372036854775807"}),
    (ONE, {"motto": "a\0b"}, "input_error", {"motto": "Input holds a NUL character."}),
    (ONE, {"motto": "\udfff"}, "input_error", {"motto": "Input holds half a surrogate pair."}),
    (ADD, [{"name": "a", "\ud800": 1}], "input_error", {"items[0].?": "Unknown param: ?"}),
]  # fmt: skip


def failing(fault: Fault) -> dict[str, str]:
    payload: Any = fault.payload
    if not payload:
        return {}
    entries = payload.get("errors", [{"param": payload["param"], "message": fault.message}])
    return {entry["param"]: entry["message"] for entry in entries}


@pytest.mark.parametrize(("stack", "data", "name", "errors"), REFUSED)
def test_what_is_refused_leaves_nothing_and_names_every_column(
    tmp_path: Path, stack: str, data: Any, name: str, errors: dict[str, str]
) -> None:
    fault, after = run(tmp_path, stack, INPUT, {"data": data})
    assert isinstance(fault, Fault)
    assert (fault.name, failing(fault)) == (name, errors)
    assert after == [RED, BLUE, GREEN]


@pytest.mark.parametrize("data", [[{"name": "a"}, {"name": "red"}], [{"name": "a"}, {"name": "x" * 21}]])
def test_a_bulk_step_that_fails_within_a_try_leaves_nothing_of_itself(tmp_path: Path, data: Any) -> None:
    stack = f"- add_record: team\n  data: {{name: before}}\n- try:\n    {ADD.strip().replace(chr(10), chr(10) + '    ')}\n  catch: []\n- return: 1"
    result, after = run(tmp_path, stack, INPUT, {"data": data})
    assert result == 1
    assert [each["name"] for each in after] == ["red", "blue", "green", "before"]


ON_DUPLICATE = "on_duplicate: {error: access_denied, message: taken}"


@pytest.mark.parametrize(
    "stack",
    [
        f"- patch_record: team\n  where: {{id: 1}}\n  data: {{name: blue}}\n  {ON_DUPLICATE}",
        f"- add_or_edit_record: team\n  where: {{id: 1}}\n  data: {{name: blue}}\n  {ON_DUPLICATE}",
        f"- bulk_add_records: team\n  items: [{{name: blue}}]\n  {ON_DUPLICATE}",
        f"- bulk_patch_records: team\n  items: [{{id: 1, name: blue}}]\n  {ON_DUPLICATE}",
        f"- bulk_edit_records: team\n  where: {{id: 1}}\n  data: {{name: blue}}\n  {ON_DUPLICATE}",
    ],
)
def test_a_duplicate_is_answered_in_the_authors_words(tmp_path: Path, stack: str) -> None:
    fault, after = run(tmp_path, stack)
    assert (fault.name, fault.message) == ("access_denied", "taken")
    assert after == [RED, BLUE, GREEN]


def test_more_records_than_the_bound_are_refused_and_a_limit_repeats(tmp_path: Path) -> None:
    stack = """
- repeat: 3
  do:
    - bulk_add_records: team
      items: "${ (1..4000) | map($n => {name: uuid() | substr(0, 20)}) }"
- try:
    - bulk_delete_records: team
      all: true
  catch:
    - set: {refused: true}
- set: {deleted: 1, total: 0}
- while: $deleted > 0
  do:
    - bulk_delete_records: team
      where: size == 1
      limit: 5000
      as: deleted
    - set: {total: $total + $deleted}
- return: $total
"""
    assert run(tmp_path, stack) == (12_002, [BLUE])


WRITTEN = [
    "- add_record: user\n  data: {name: n, email: a@x.io, password: $input.word}",
    "- add_or_edit_record: user\n  where: {email: a@x.io}\n  data: {name: n, password: $input.word}",
    "- bulk_add_records: user\n  items: [{name: n, email: a@x.io, password: $input.word}]",
    "{add}\n- edit_record: user\n  where: {email: a@x.io}\n  data: {password: $input.word}",
    "{add}\n- patch_record: user\n  where: {email: a@x.io}\n  data: {password: $input.word}",
    "{add}\n- add_or_edit_record: user\n  where: {email: a@x.io}\n  data: {name: n, password: $input.word}",
    "{add}\n- bulk_edit_records: user\n  where: {email: a@x.io}\n  data: {password: $input.word}",
    "{add}\n- bulk_patch_records: user\n  items: [{id: $added.id, password: $input.word}]",
]


@pytest.mark.parametrize("stack", WRITTEN)
def test_a_password_is_hashed_on_every_way_in(tmp_path: Path, stack: str) -> None:
    add = "- add_record: user\n  data: {name: n, email: a@x.io, password: something else}\n  as: added"
    stack = f"""{stack.replace("{add}", add)}
- get_record: user
  where: {{email: a@x.io}}
  as: user
- precondition: $user != null
- validate_password: $input.word
  against: $user.password
  as: right
- return: $right"""
    assert run(tmp_path, stack, "{word: password}", {"word": "correct horse"})[0] is True


CHECKED = [
    ("- bulk_delete_records: team", "5:3 error SW165 'bulk_delete_records' without a 'where' would write every record"),
    ("- bulk_edit_records: team\n  data: {size: 1}",
     "5:3 error SW165 'bulk_edit_records' without a 'where' would write every record"),
    ("- bulk_delete_records: team\n  where: size > 1\n  all: true", "7:8 error SW165 'all: true' contradicts 'where'"),
    ("- bulk_delete_records: team\n  all: yes", "6:8 error SW054 this must be true or false, it is the text 'yes'"),
    ("- patch_record: team\n  where: {id: 1}\n  data: {id: 2}", "7:10 error SW164 'patch_record' can't set the id"),
    ("- bulk_add_records: team\n  items: [{id: 2, name: a}]",
     "6:12 error SW164 'bulk_add_records' can't set the id"),
    ("- bulk_add_records: team\n  items: [{size: 2}]", "5:3 error SW125 the data for 'team' lacks 'name'"),
    ("- bulk_add_records: team\n  items: [{name: a, sise: 2}]", "6:21 error SW123 unknown column 'sise' of 'team'"),
    ("- bulk_add_records: team\n  items: '$input.data | map($x => {name: 1})'",
     "6:11 error SW124 the column 'name' is a text, this is an int"),
    ("- bulk_patch_records: team\n  items: [{size: 2}]", "6:11 error SW125 an item for 'team' lacks 'id'"),
    ("- bulk_patch_records: team\n  items: nothing", "6:10 error SW122 'items' must be a list of objects, it is a text"),
    ("- add_or_edit_record: team\n  where: size > 1\n  data: {name: x}",
     "6:10 error SW054 this must be a mapping, it is the text 'size > 1'"),
    ("- add_or_edit_record: team\n  where: {size: 1}\n  data: {motto: x}",
     "7:9 error SW125 the data for 'team' lacks 'name'"),
    ("- transaction:\n    - add_record: team\n      data: {}", "7:13 error SW125 the data for 'team' lacks 'name'"),
    ("- patch_record: user\n  where: {id: 1}\n  data: {name: $input.word}",
     "7:10 error SW230 a password would be stored as it is in 'name', not hashed"),
]  # fmt: skip


@pytest.mark.parametrize(("stack", "problem"), CHECKED)
def test_what_a_check_finds(tmp_path: Path, stack: str, problem: str) -> None:
    text = "endpoint: POST /it\ninput:\n  {data?: {type: json, default: []}, word?: password}\nstack:\n" + stack + "\n"
    found = checked(tmp_path, {"user": USER, "team": TEAM, "it": text}).problems
    assert problem in messages(found)


def test_the_schema_of_tables(tmp_path: Path) -> None:
    stack = """
- get_database_schema: team
  as: team
- get_database_schema: user
  path: role
  as: role
- get_database_schema:
  as: every
- get_database_schema: team
  path: $input.path
  as: some
- return: {team: $team, role: $role, every: $every, some: $some}
"""
    found, _ = run(tmp_path, stack, "{path?: text}", {"path": "lead"})
    team, role, every, some = found.values()
    [known] = check_folder(tmp_path).endpoints.values()
    assert conforms(found, known.result)
    assert not conforms({**found, "team": role}, known.result)
    assert [column["name"] for column in team["columns"]] == ["id", "name", "size", "motto", "lead"]
    assert team["columns"][2] == {
        "name": "size", "type": "int", "required": False, "nullable": False, "unique": False, "sensitive": False,
        "visibility": "public", "default": 1, "rules": {"min": 0},
    }  # fmt: skip
    assert role["values"] == ["member", "admin"]
    assert some["table"] == "user"
    assert [table["table"] for table in every] == ["team", "user"]


HIDDEN = """
    table: hidden
    columns:
      id: int
      key: {type: text, sensitive: true, default: swordfish}
      pin: {type: text, visibility: internal, default: swordfish}
      o: {type: object, sensitive: true, default: {a: swordfish}, properties: {a: {type: text, default: swordfish}}}
      phone: {type: text, visibility: private, default: none}
"""


def test_the_schema_of_a_masked_column_lacks_its_default(tmp_path: Path) -> None:
    stack = """
- get_database_schema: hidden
  as: hidden
- get_database_schema: hidden
  path: o.a
  as: within
- return: {hidden: $hidden, within: $within}
"""
    found = run_stack(tmp_path, stack, hidden=HIDDEN)
    assert "swordfish" not in repr(found)
    assert found["hidden"]["columns"][-1]["default"] == "none"


VAULT = """
    table: vault
    columns:
      id: int
      tier?: {type: enum, values: [a, b], sensitive: true}
      grade?: {type: enum, values: [a, b], visibility: internal}
      box?: {type: object, sensitive: true, properties: {n?: int}}
"""
PIN = "function: pin\ninput: {tier: {type: enum, values: [a, b], sensitive: true}}\nstack: []\n"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("add_record: vault\n  data: {tier: $input.pin}", "Input is not one of the allowable values."),
        ("add_record: vault\n  data: {grade: $input.pin}", "Input is not one of the allowable values."),
        ("add_record: vault\n  data: {box: $input.box}", "Input does not have the required form."),
        ("run_function: pin\n  with: {tier: $input.pin}", "Input is not one of the allowable values."),
    ],
)
def test_s_1_what_is_refused_of_a_secret_is_not_quoted(tmp_path: Path, step: str, message: str) -> None:
    given = {"pin": "hunter2", "box": {"hunter2": 1}}
    with pytest.raises(Fault) as caught:
        run_stack(
            tmp_path,
            f"- {step}\n  as: it",
            "{pin: {type: text, sensitive: true}, box: json}",
            given,
            vault=VAULT,
            pin=PIN,
        )
    assert caught.value.message == message
    assert "hunter2" not in repr(caught.value.payload)


ODD = """
    table: odd
    columns: {id: int, i?: int, d?: decimal, t?: text, e?: email, j?: json, l?: "int[]", v?: {type: vector, size: 1}}
"""
BIG, NAN, HALF = 2**63, float("nan"), "a\ud800"
ODD_VALUES = [
    # column, value, what is said of it
    ("i", BIG, "Value is greater than the maximum value of 9223372036854775807"),
    ("i", -BIG - 1, "Value is less than the minimum value of -9223372036854775808"),
    ("l", [BIG], "Value is greater than the maximum value of 9223372036854775807"),
    ("j", {"x": [BIG]}, "Input holds an int past 64 bits."),
    ("j", {"x": [-BIG - 1]}, "Input holds an int past 64 bits."),
    ("j", [10**400], "Input holds an int past 64 bits."),
    ("d", NAN, "Input must be null or a decimal, not a number that JSON can't say."),
    ("d", -math.inf, "Input must be null or a decimal, not a number that JSON can't say."),
    ("d", 10**400, "Input is out of the range of a decimal."),
    ("v", [NAN], "Input must be a decimal, not a number that JSON can't say."),
    ("j", {"x": NAN}, "Input holds a number that JSON can't say."),
    ("t", HALF, "Input holds half a surrogate pair."),
    ("e", HALF + "@x.io", "Input holds half a surrogate pair."),
    ("j", {HALF: 1}, "Input holds half a surrogate pair."),
    ("j", [HALF], "Input holds half a surrogate pair."),
    ("t", "a\0b", "Input holds a NUL character."),
    ("j", {"a\0b": 1}, "Input holds a NUL character."),
]
WAYS = [
    # how the record is written, and what comes before its column in the fault
    ("add_record: odd\ndata: {%s: $input.x}", ""),
    ("edit_record: odd\nwhere: {id: 1}\ndata: {%s: $input.x}", ""),
    ("patch_record: odd\nwhere: {id: 1}\ndata: {%s: $input.x}", ""),
    ("add_or_edit_record: odd\nwhere: {id: 1}\ndata: {%s: $input.x}", ""),
    ("add_or_edit_record: odd\nwhere: {id: 7}\ndata: {%s: $input.x}", ""),
    ("bulk_add_records: odd\nitems: [{%s: $input.x}]", "items[0]."),
    ("bulk_edit_records: odd\nall: true\ndata: {%s: $input.x}", ""),
    ("bulk_patch_records: odd\nitems: [{id: 1, %s: $input.x}]", "items[0]."),
]


@pytest.mark.parametrize(("way", "before"), WAYS)
def test_what_no_storage_holds_is_refused_by_name_on_every_way_in(tmp_path: Path, way: str, before: str) -> None:
    endpoints = {
        column: f"endpoint: POST /{column}\ninput: {{x: {{type: json, default: null}}}}\nstack:\n- "
        + (way % column).replace("\n", "\n  ")
        + "\n"
        for column in {column for column, _, _ in ODD_VALUES}
    }
    endpoints["new"] = "endpoint: POST /new\nstack:\n- add_record: odd\n  data: {t: before}\n"
    made = program(tmp_path, {"odd": ODD, **endpoints})
    answer(made, "POST /new")
    for column, value, message in ODD_VALUES:
        with pytest.raises(Fault) as caught:
            answer(made, f"POST /{column}", {"x": value})
        (param, said), *more = failing(caught.value).items()
        assert (caught.value.name, said, more) == ("input_error", message, []), (column, value)
        assert param.partition("[0]")[0] == (before + column).partition("[0]")[0]
    assert [each["t"] for each in asyncio.run(made.services.store.dump("odd"))] == ["before"]


@pytest.mark.parametrize(("column", "value"), [("i", BIG), ("d", NAN), ("t", HALF), ("e", HALF)])
def test_what_no_storage_holds_is_refused_by_name_in_a_where(tmp_path: Path, column: str, value: object) -> None:
    text = f"endpoint: POST /it\ninput: {{x: json}}\nstack:\n- has_record: odd\n  where: {{{column}: $input.x}}\n"
    made = program(tmp_path, {"odd": ODD, "it": text})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it", {"x": value})
    assert (caught.value.name, list(failing(caught.value))) == ("input_error", [column])
