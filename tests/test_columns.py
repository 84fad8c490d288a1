"""What a table's file can say of its columns, its rules, its indexes and its first records, and what it can't."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support import USER, answer, checked, conforms, messages, program

from engine.errors import Fault, SetupError
from engine.program import Program
from engine.run import perform
from engine.values import FILE, File
from tests.storages import storage

pytestmark = pytest.mark.usefixtures("storage")

POINT = {"type": "point", "data": {"lng": 13.4, "lat": 52.5}}
THING = """
    table: thing
    columns:
      id: int
      made: {type: timestamp, default: now}
      changed: {type: timestamp, default: now, on_update: now}
      day?: {type: date, on_update: now}
      title?: text
      phone?: {type: text, visibility: private}
      note?: {type: text, visibility: internal}
      spot?: geo_point
      vec?: {type: vector, size: 3}
      pic?: file
      pics?: "file[]"
      odd?: {type: json, schema: {type: object, required: [a], properties: {a: {type: integer, maximum: 9}}}}
      flag?: {type: bool, sensitive: true}
      places?: "geo_point[]"
      low?: {type: int, min: 0}
"""


def made(folder: Path, stack: str, **files: str) -> Program:
    text = f"endpoint: POST /it\ninput: {{data?: json}}\nstack:\n{stack.strip()}\n"
    return program(folder, {"thing": THING, "it": text, **files})


def clocked(folder: Path, stack: str, times: list[int]) -> Program:
    """A program whose clock gives `times` one after the other."""
    running = made(folder, stack)
    running.services.clock = lambda: times.pop(0) if len(times) > 1 else times[0]
    return running


ADD = "- add_record: thing\n  data: $input.data\n  as: made\n- return: $made".replace("add_record", "add_record")
PATCH = """
- add_record: thing
  data: {title: first}
  as: first
- patch_record: thing
  where: {id: $first.id}
  data: $input.data
  as: made
- return: $made
"""
KEPT = [
    {"spot": POINT},
    {"spot": None},
    {"vec": [1, 0.5, -2.25]},
    {"pic": {"name": "a.png", "type": "image/png", "size": 3}},
    {"pic": {"name": "a.png", "type": "image/png", "size": 3, "path": "/x", "access": "private", "meta": {"w": 1}}},
    {"pics": [{"name": "a.png", "type": "image/png", "size": 3, "mime": "image/png"}]},
    {"odd": {"a": 9, "b": [None]}},
    {"places": [POINT, POINT]},
]


@pytest.mark.parametrize("data", KEPT)
def test_values_are_kept_as_they_are(tmp_path: Path, data: dict[str, Any]) -> None:
    record = answer(made(tmp_path, PATCH), "POST /it", {"data": data})
    assert {name: record[name] for name in data} == data


REFUSED = [
    ({"spot": {"type": "point", "data": {"lng": 181, "lat": 0}}}, "spot.data.lng", "Value is greater than the maximum value of 180"),
    ({"spot": {"type": "line", "data": {"lng": 1, "lat": 0}}}, "spot.type", 'Input "line" is not one of the allowable values.'),
    ({"spot": {"type": "point", "data": {"lng": 1}}}, "spot.data.lat", "Missing param: spot.data.lat"),
    ({"spot": [1, 2]}, "spot", "Input must be null or an object, not a list."),
    ({"vec": [1, 2]}, "vec", "Input must have at least 3 items"),
    ({"vec": [1, 2, 3, 4]}, "vec", "Input must have at most 3 items"),
    ({"vec": [1, 2, "3"]}, "vec[2]", "Input must be a decimal, not a text."),
    ({"vec": [1, 2, float("nan")]}, "vec[2]", "Input must be a decimal, not a number that JSON can't say."),
    ({"pic": {"name": "a.png", "type": "image/png"}}, "pic.size", "Missing param: pic.size"),
    ({"pic": {"name": "a.png", "type": "x", "size": 1, "url": "x"}}, "pic.url", "Unknown param: pic.url"),
    ({"pic": "a.png"}, "pic", "Input must be null or an object, not a text."),
    ({"odd": {"a": 10}}, "odd.a", "Value is greater than the maximum value of 9"),
    ({"odd": {}}, "odd.a", "Missing param: odd.a"),
    ({"low": -1}, "low", "Value is less than the minimum value of 0"),
    ({"title": "a\0"}, "title", "Input holds a NUL character."),
    ({"odd": {"a": 1, "b": "\ud800"}}, "odd", "Input holds half a surrogate pair."),
]  # fmt: skip


@pytest.mark.parametrize(("data", "param", "message"), REFUSED)
def test_values_are_refused_by_name(tmp_path: Path, data: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        answer(made(tmp_path, PATCH), "POST /it", {"data": data})
    payload: Any = caught.value.payload
    assert (caught.value.name, payload["errors"]) == ("input_error", [{"param": param, "message": message}])


def test_the_size_of_a_file_is_an_int(tmp_path: Path) -> None:
    file = {"name": "a.png", "type": "image/png", "size": 3.0, "meta": {"w": 1}}
    record = answer(made(tmp_path, PATCH), "POST /it", {"data": {"pic": file, "pics": [file]}})
    for each in (record["pic"], *record["pics"]):
        assert type(each["size"]) is int
        assert conforms(each, FILE)


def test_what_is_known_of_an_upload_is_kept_and_its_content_is_not(tmp_path: Path) -> None:
    text = """
        endpoint: POST /upload
        input: {pic: file}
        stack:
          - add_record: thing
            data: {pic: $input.pic}
            as: thing
        response: $thing.pic
        """
    running = program(tmp_path, {"thing": THING, "upload": text})
    compiled = running.endpoints[0]
    upload = File("a.png", "image/png", b"content")
    made = asyncio.run(perform(compiled.plan, running.services.run(), {"pic": upload}, None))
    assert made == {"name": "a.png", "type": "image/png", "size": 7}
    assert asyncio.run(running.services.store.dump("thing"))[0]["pic"] == made


def test_vectors_and_points_are_measured(tmp_path: Path) -> None:
    stack = """
- bulk_add_records: thing
  items: $input.data
  as: things
- return: $things | map($t => [($t.vec ?? [0]) | cosine_distance([0, 1, 0]), ($t.spot ?? point(0, 0)) | distance(point(13.4, 52.5)) | round])
"""
    data = [{"vec": [0, 2, 0], "spot": POINT}, {"vec": [1, 0, 0]}]
    assert answer(made(tmp_path, stack), "POST /it", {"data": data}) == [[0.0, 0], [1.0, 5_969_790]]


def test_a_change_sets_the_time_unless_it_is_given(tmp_path: Path) -> None:
    stack = """
- add_record: thing
  data: {title: a}
  as: added
- edit_record: thing
  where: {id: 1}
  data: {title: b}
  as: edited
- bulk_edit_records: thing
  all: true
  data: {title: c}
- get_record: thing
  where: {id: 1}
  as: bulk
- patch_record: thing
  where: {id: 1}
  data: {changed: 5}
  as: given
- return: [$added.changed, $added.day, $edited.changed, $edited.day, $edited.made, $bulk?.changed, $given.changed]
"""
    day = 86_400_000
    times = [0, 0, day, day, 2 * day]
    assert answer(clocked(tmp_path, stack, times), "POST /it") == [0, None, day, "1970-01-02", 0, 2 * day, 5]


READ = """
- add_record: thing
  data: {title: a, phone: "1", note: "2", flag: true}
  as: added
- get_record: thing
  where: {phone: "1", note: "2"}
  as: thing
- precondition: $thing != null
"""


def test_a_private_column_leaves_by_its_name_alone(tmp_path: Path) -> None:
    stack = (
        READ
        + """
- set: {spread: "${ {...$thing} }", named: "$thing['phone']"}
- return: [$thing, $thing.phone, $added.phone, $named, $spread, $added]"""
    )
    whole, *phones, spread, added = answer(made(tmp_path, stack), "POST /it")
    assert phones == ["1", "1", "1"]
    for record in (whole, spread, added):
        assert {"title"} <= set(record) and not {"phone", "note", "flag"} & set(record)


def test_a_bool_beside_its_record_is_read_by_its_name(tmp_path: Path) -> None:
    stack = READ + "- if: $thing.flag ?? false\n  then:\n    - return: yes\n- return: no"
    assert answer(made(tmp_path, stack), "POST /it") == "yes"


@pytest.mark.parametrize("read", ["$thing.note", "$added.note", '$thing["note"]', '$thing.note ?? "x"'])
def test_an_internal_column_is_read_and_never_leaves(tmp_path: Path, read: str) -> None:
    text = f"endpoint: POST /it\nstack:\n{READ.strip()}\n- return: {read}\n"
    found = checked(tmp_path / "a", {"thing": THING, "it": text}).problems
    assert [problem.code for problem in found if problem.severity == "error"] == ["SW230"]
    stack = (
        READ
        + f'- if: ({read}) != "z"\n  then:\n    - set: {{seen: true}}\n  else:\n    - set: {{seen: false}}\n- return: $seen'
    )
    assert answer(made(tmp_path / "b", stack), "POST /it") == 1


def test_what_refers_to_a_deleted_record(tmp_path: Path) -> None:
    def child(name: str, column: str) -> str:
        return f"table: {name}\ncolumns: {{id: int, thing_id?: {{table: thing, {column}}}}}\n"

    children = {
        "strict": child("strict", "description: plain"),
        "gone": child("gone", "on_delete: cascade"),
        "freed": child("freed", "on_delete: set_null"),
    }
    stack = "\n".join(
        ["- add_record: thing\n  data: {title: a}", "- add_record: thing\n  data: {title: b}"]
        + [
            f"- add_record: {name}\n  data: {{thing_id: {id}}}"
            for name, id in (("gone", 1), ("freed", 1), ("strict", 2))
        ]
        + ["- delete_record: thing\n  where: {id: 1}"]
    )
    running = made(tmp_path / "a", stack, **children)
    answer(running, "POST /it")
    store = running.services.store
    assert (asyncio.run(store.dump("gone")), asyncio.run(store.dump("freed"))) == ([], [{"id": 1, "thing_id": None}])
    for step in (
        "delete_record: thing\n  where: {id: 2}",
        "bulk_delete_records: thing\n  all: true",
        "truncate_table: thing",
    ):
        running = made(tmp_path / step[:8], f"{stack}\n- {step}", **children)
        with pytest.raises(Fault) as caught:
            answer(running, "POST /it")
        assert (caught.value.name, caught.value.message) == ("conflict", "This thing is still in use.")


MEETING = """
    table: meeting
    columns:
      id: int
      starts_at: timestamp
      ends_at?: timestamp
      title: text
      secret?: {type: text, visibility: private}
    checks:
      - check: ends_at == null or ends_at > starts_at
        message: A meeting must end after it starts.
      - (title | trim) != ""
      - secret == null or secret != title
"""
RULED = [
    ("add_record: meeting\n  data: {starts_at: 2, ends_at: 1, title: x}", {"ends_at": "A meeting must end after it starts."}),
    ("add_record: meeting\n  data: {starts_at: 2, title: ' '}", {"title": 'The rule is not met: title | trim != ""'}),
    ("add_record: meeting\n  data: {starts_at: 2, ends_at: 1, title: ' '}",
     {"ends_at": "A meeting must end after it starts.", "title": 'The rule is not met: title | trim != ""'}),
    ("edit_record: meeting\n  where: {id: 1}\n  data: {starts_at: 9}", {"ends_at": "A meeting must end after it starts."}),
    ("patch_record: meeting\n  where: {id: 1}\n  data: {secret: plan}",
     {"secret": "The rule is not met: secret == null or secret != title"}),
    ("add_or_edit_record: meeting\n  where: {title: plan}\n  data: {starts_at: 7}",
     {"ends_at": "A meeting must end after it starts."}),
    ("bulk_add_records: meeting\n  items: [{starts_at: 1, title: a}, {starts_at: 2, ends_at: 1, title: x}]",
     {"items[1].ends_at": "A meeting must end after it starts."}),
    ("bulk_edit_records: meeting\n  all: true\n  data: {ends_at: 0}", {"ends_at": "A meeting must end after it starts."}),
    ("bulk_patch_records: meeting\n  items: [{id: 1, title: b}, {id: 1, ends_at: 0}]",
     {"items[1].ends_at": "A meeting must end after it starts."}),
]  # fmt: skip


@pytest.mark.parametrize(("step", "errors"), RULED)
def test_a_rule_holds_at_every_write_and_what_breaks_it_is_not_kept(
    tmp_path: Path, step: str, errors: dict[str, str]
) -> None:
    stack = f"""
- add_record: meeting
  data: {{starts_at: 1, ends_at: 5, title: plan}}
- try:
    - {step.replace(chr(10), chr(10) + "    ")}
  catch:
    - set: {{answer: $error.payload}}
- return: $answer ?? null
"""
    stack = stack.replace("- try:", "- set: {answer: {}}\n- try:")
    running = made(tmp_path, stack, meeting=MEETING)
    payload = answer(running, "POST /it")
    assert {entry["param"]: entry["message"] for entry in payload["errors"]} == errors
    assert asyncio.run(running.services.store.dump("meeting")) == [
        {"id": 1, "starts_at": 1, "ends_at": 5, "title": "plan", "secret": None}
    ]


TASK = """
    table: task
    columns: {id: int, owner: int, slug: text, done: {type: bool, default: false}, deleted_at?: timestamp}
    indexes:
      - {columns: [owner, slug], unique: true, where: "deleted_at == null and not done"}
      - {columns: [owner, {deleted_at: desc}]}
"""


def test_partial_and_descending_indexes(tmp_path: Path) -> None:
    stack = """
- add_record: task
  data: {owner: 1, slug: a}
- add_record: task
  data: {owner: 1, slug: a, deleted_at: 5}
- add_record: task
  data: {owner: 1, slug: a, done: true}
- add_record: task
  data: {owner: 1, slug: a}
"""
    running = made(tmp_path, stack, task=TASK)
    with pytest.raises(Fault) as caught:
        answer(running, "POST /it")
    assert (caught.value.name, caught.value.payload) == ("conflict", {"params": ["owner", "slug"]})
    found = [str(row[1]).replace('"', "") for row in storage().structure(tmp_path)]
    assert any("(owner, deleted_at DESC" in sql for sql in found)  # PostgreSQL says more of nulls
    assert any("deleted_at IS NULL" in sql and "UNIQUE" in sql for sql in found)


SEEDED = """
    table: account
    columns:
      id: int
      email: {type: email, lower: true, unique: true}
      password: {type: password, min: 8}
      role: {type: enum, values: [member, admin], default: member}
      boss?: {table: account}
    checks: [role != "admin" or boss == null]
    seed:
      - {id: 7, email: Ada@Example.com, password: correct horse, role: admin}
      - {email: bob@example.com, password: battery staple, boss: 7}
"""


def test_the_first_records_are_there_once_and_their_passwords_hashed(tmp_path: Path) -> None:
    stack = """
- get_record: account
  where: {email: bob@example.com}
  as: bob
- precondition: $bob != null
- validate_password: battery staple
  against: $bob.password
  as: right
- return: [$bob, $right]
"""
    for _ in range(2):  # a second start finds the table and adds nothing
        running = made(tmp_path, stack, account=SEEDED)
        assert answer(running, "POST /it") == [{"id": 8, "email": "bob@example.com", "role": "member", "boss": 7}, True]
        assert [each["id"] for each in asyncio.run(running.services.store.dump("account"))] == [7, 8]
        asyncio.run(running.services.store.close())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{email: c@x.io, password: long enough, boss: 99}", "names no record of 'account'"),
        ("{email: ada@example.com, password: long enough}", "the seed record 3 of 'account' can't be added"),
        ("{email: c@x.io, password: long enough, role: admin, boss: 7}", "The rule is not met"),
    ],
)
def test_first_records_that_break_a_rule_make_no_table(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(SetupError) as caught:
        made(tmp_path, "- debug_log: 1", account=f"{SEEDED.rstrip()}\n      - {row}\n")
    assert said in str(caught.value)
    assert storage().structure(tmp_path) == []


PROBLEMS = [
    ("  v: vector", "4:3 error SW160 the vector 'v' has no size"),
    ("  v: {type: int, size: 3}", "4:3 error SW160 'size' is of vectors, 'v' is int"),
    ("  v: {type: text, schema: {type: object}}", "4:3 error SW160 'schema' is of json, 'v' is text"),
    ("  v: {type: json, schema: {type: objekt}}", None),
    ("  v: {type: json, schema: {$ref: 'http://example.com/'}}", "4:3 error SW160 '$ref' can't be in the schema of 'v'"),
    ("  v: {type: text, pattern: '('}", """4:3 error SW160 a rule of 'v' can't be kept: "(" is not a "regex\""""),
    ("  v: {type: text, pattern: '('}\nseed: [{v: x}]", None),
    ("  v: {type: text, max: 1.5}", """4:3 error SW160 a rule of 'v' can't be kept: 1.5 is not of type "integer\""""),
    ("  v: {type: 'int[]', min: -1}", "4:3 error SW160 a rule of 'v' can't be kept: -1 is less than the minimum of 0"),
    ("  v: {type: text, on_delete: cascade}", "4:3 error SW160 'on_delete' is of references, 'v' names no table"),
    ("  v: {table: t, on_delete: set_null}", "4:3 error SW160 'v' can't be set to null, it is required"),
    ("  v: {table: t, on_delete: drop}", "4:28 error SW053 'drop' is not known here"),
    ("  v: {type: text, on_update: now}", "4:3 error SW160 'on_update: now' is of timestamps and dates, 'v' is text"),
    ("  v: {type: bool, visibility: internal}", "4:3 error SW160 the bool 'v' can't be internal: a bool isn't masked"),
    ("  v: {type: text, visibility: hidden}", "4:31 error SW053 'hidden' is not known here"),
    ("  v: {type: vector, size: 2, default: [1]}", "4:3 error SW133 the default of 'v' is no vector"),
    ("  v: int\nchecks: [vv > 1]", "5:10 error SW300 't' has no column 'vv'"),
    ("  v: int\nchecks: [v + 1]", "5:10 error SW211 a condition must be a bool, this is an int"),
    ("  v: int\nchecks: [v > $x]", "5:14 error SW161 a rule knows columns alone, '$x' is a variable"),
    ("  v: int\nchecks: [1 > 2]", "5:10 error SW161 a rule must speak of a column"),
    ("  v?: int\nchecks: [v > 1]", "5:10 error SW210 '$v' may be null here, '>' can't order null"),
    ("  v: password\nchecks: [v != null]", "5:10 error SW231 the secret column 'v' can't be in a rule"),
    ("  v: int\nchecks: [{check: v >, message: x}]", None),
    ("  v: int\nindexes: [{columns: [w]}]", "5:22 error SW061 unknown column 'w'"),
    ("  v: int\nindexes: [{columns: [{v: down}]}]", "5:26 error SW053 'down' is not known here"),
    ("  v: int\nindexes: [{columns: [v], where: w == 1}]", "5:33 error SW204 unknown column 'w'"),
    ("  v: text\nindexes: [{columns: [v], where: '(v | trim) == \"a\"'}]", "5:39 error SW162 'trim' can't be asked in an index"),
    ("  v: int\nindexes: [{columns: [v], where: 'v in [1, 2]'}]", "5:36 error SW162 'in' can't be asked in an index"),
    ("  v: int\nindexes: [{columns: [v], where: v > $x}]", "5:37 error SW162 '$x' isn't known where an index is made"),
    ("  v: int\nseed: [{v: x}]", "5:12 error SW163 'v' can't be this: Input must be an int, not a text."),
    ("  v: int\nseed: [{w: 1, v: 2}]", "5:9 error SW123 unknown column 'w' of 't'"),
    ("  v: int\nseed: [{id: 3}]", "5:8 error SW125 the seed record of 't' lacks 'v'"),
    ("  v: int\nseeds: []", "5:1 error SW051 'seeds' is not known here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_what_a_table_cannot_say(tmp_path: Path, text: str, problem: str | None) -> None:
    found = checked(tmp_path, {"t": f"table: t\ncolumns:\n  id: int\n{text}\n"}).problems
    assert found
    if problem is not None:
        assert problem in messages(found)


WITHIN = "{type: object, properties: {a: int, b?: {type: object, properties: {c: int}}}, default: %s}"
DEFAULTS = [
    (WITHIN % "{}", "the default of 'x' lacks 'a'", "give it, or declare it as 'a?:'"),
    (WITHIN % "{a: 1, b: {}}", "the default of 'x' lacks 'b.c'", "give it, or declare it as 'c?:'"),
    (WITHIN % "{a: 1, bb: 1}", "the default of 'x' has 'bb', which isn't declared", "did you mean 'b'?"),
    (WITHIN % "{a: 1, b: {c: 1, d: 1}}", "the default of 'x' has 'b.d', which isn't declared", "known here: c"),
    (WITHIN % "{a: x}", "the default of 'x' breaks the rules of 'a': Input must be an int, not a text.", ""),
    (WITHIN % "[]", "the default of 'x' is no object", ""),
    ("{type: 'object[]', properties: {a: int}, default: [{a: 1}, {}]}", "the default of 'x' lacks 'x[1].a'", "give it, or declare it as 'a?:'"),
    ("{type: object, sensitive: true, properties: {a?: int}, default: {hunter2: 1}}",
     "the default of 'x' breaks its own rules: Input does not have the required form.", ""),
    ("{type: int, min: 3, default: 1}", "the default of 'x' breaks its own rules: Value is less than the minimum value of 3", ""),
    ("{type: 'text[]', max: 1, default: [a, b]}", "the default of 'x' breaks its own rules: Input must have at most 1 items", ""),
    ("{type: timestamp, max: 5, default: 9}", "the default of 'x' breaks its own rules: Value is greater than the maximum value of 5", ""),
    ("{type: date, default: foo}", "the default of 'x' breaks its own rules: Input does not have the required form.", ""),
    ("{type: date, default: 2026-02-30}", "the default of 'x' breaks its own rules: Input is not a date of the calendar.", ""),
    ("{type: email, default: nomail}", "the default of 'x' breaks its own rules: Input does not have the required form.", ""),
    ("{type: 'timestamp[]', default: now}", "the default of 'x' is no timestamp", ""),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "message", "hint"), DEFAULTS)
@pytest.mark.parametrize(
    "text",
    [
        "table: t\ncolumns:\n  id: int\n  x: {}\n",
        "table: t\ncolumns:\n  id: int\n  o:\n    type: object\n    properties:\n      x: {}\n",
        "function: t\ninput:\n  x: {}\nstack: []\n",
        "endpoint: POST /t\ninput:\n  x: {}\nstack: []\n",
    ],
)
def test_a_default_that_could_not_be_given_is_found(
    tmp_path: Path, text: str, declared: str, message: str, hint: str
) -> None:
    found = checked(tmp_path, {"t": text.format(declared)}).problems
    [problem] = (each for each in found if each.code == "SW133")
    assert (problem.message, problem.hint) == (message, hint)
    assert text.splitlines()[problem.span.line - 1].strip() == "x: {}"


@pytest.mark.parametrize(
    ("type_", "default", "read"),
    [
        ("timestamp", "now", "now()"),
        ("date", "now", "(now() | format_timestamp('Y-m-d'))"),
        ("uuid", "uuid", "uuid()"),
    ],
)
def test_what_is_made_for_columns_is_no_default_of_inputs_and_properties(
    tmp_path: Path, type_: str, default: str, read: str
) -> None:
    declared = f"{{x: {{type: {type_}, default: {default}}}}}"
    texts = {
        "f": f"function: f\ninput: {declared}\nstack: []\n",
        "e": f"endpoint: POST /e\ninput: {declared}\nstack: []\n",
        "n": f"endpoint: POST /n\ninput: {{o: {{type: object, properties: {declared}}}}}\nstack: []\n",
        "t": f"table: t\ncolumns: {{id: int, o: {{type: object, properties: {declared}}}}}\n",
    }
    said = f"the default of 'x' can't be '{default}', which is made for columns only"
    hint = f"declare it as 'x?:', and read it as '… ?? {read}'"
    found = checked(tmp_path, texts).problems
    assert [(each.span.path, each.code, each.message, each.hint) for each in found] == [
        (f"{name}.yaml", "SW133", said, hint) for name in sorted(texts)
    ]
    mended = f"table: t\ncolumns: {{id: int, x: {{type: {type_}, default: {default}}}}}\n"
    stack = f"- add_record: t\n  data: {{x: $input.x ?? {read}}}\n  as: it\n- return: $it.id"
    text = f"endpoint: POST /it\ninput: {{x?: {type_}}}\nstack:\n{stack}\n"
    folder = tmp_path / "mended"
    assert answer(program(folder, {"t": mended, "it": text}), "POST /it") == 1


def test_a_default_of_an_object_is_filled_in(tmp_path: Path) -> None:
    account = "table: account\ncolumns: {id: int, o: {type: object, properties: {a?: int, b: {type: int, default: 2}}, default: {}}}\n"
    found = answer(
        made(tmp_path, "- add_record: account\n  data: {}\n  as: it\n- return: $it.o", account=account), "POST /it"
    )
    assert found == {"a": None, "b": 2}


@pytest.mark.parametrize("option", ["unique: true", "on_delete: cascade", "visibility: private", "on_update: now"])
def test_an_input_has_no_options_of_columns(tmp_path: Path, option: str) -> None:
    text = f"endpoint: POST /it\ninput: {{x: {{type: text, {option}}}}}\nstack: []\n"
    assert [each.code for each in checked(tmp_path, {"user": USER, "it": text}).problems] == ["SW051"]
