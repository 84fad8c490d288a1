"""What the database computes of a record's columns to write it into one of them: what it is, and what it may be."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from support import answer, checked, messages, program

from engine.errors import Fault
from engine.values import INT_MAX
from tests.live import serving

pytestmark = pytest.mark.usefixtures("storage")

POST = """
    table: post
    columns:
      id: int
      updated_at: {type: timestamp, default: 0, on_update: now}
      slug: {type: text, unique: true, max: 12, lower: true, trim: true}
      title?: text
      likes: {type: int, default: 0}
      rank: {type: int, default: 5, min: 0, max: 9}
      price: {type: decimal, default: 1.5}
      ends_at: {type: timestamp, default: 1000}
      is_open: {type: bool, default: true}
      state: {type: enum, values: [draft, done], default: draft}
      mail: {type: email, default: a@x.io}
      parent_id?: {table: post}
      other?: int
      ratio?: decimal
      tags: {type: "text[]", default: []}
      meta: {type: json, default: {n: 3, t: x}}
      inner: {type: object, properties: {n: int}, default: {n: 4}}
      note?: {type: text, visibility: private}
      hidden?: {type: text, visibility: internal}
      code?: {type: text, sensitive: true}
      pin?: password
    checks:
      - {check: likes <= 100, message: At most 100 likes.}
"""
POSTS = [{"id": 1, "slug": "one", "likes": 3, "title": "First", "other": 7}, {"id": 2, "slug": "two", "likes": 3}]


def made(folder: Path, stack: str, input: str = "{}") -> Any:
    lines = "\n".join(f"      {line}" for line in stack.strip().splitlines())
    text = f"\n    endpoint: POST /it\n    input: {input}\n    stack:\n{lines}\n"
    built = program(folder, {"post": POST, "it": text})

    async def load() -> None:
        start = built.services.run()
        await built.services.store.load(start, "post", POSTS)
        await start.db.commit()

    asyncio.run(load())
    return built


def edited(folder: Path, data: str, step: str = "edit_record", where: str = "where: {id: 1}", **more: Any) -> Any:
    """The first post after a step with `data`, or the fault that the step ends with."""
    built = made(folder, f"- {step}: post\n  {where}\n  data: {data}", **more)
    before = asyncio.run(built.services.store.dump("post"))
    try:
        answer(built, "POST /it")
    except Fault as fault:
        assert asyncio.run(built.services.store.dump("post")) == before
        return fault
    return asyncio.run(built.services.store.dump("post"))[0]


RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("{likes: likes + 1}", {"likes": 4}),
    ('{likes: "${likes + 1}"}', {"likes": 4}),
    ("{likes: likes * 2 - rank, rank: rank + 1}", {"likes": 1, "rank": 6}),
    ("{likes: rank, rank: likes}", {"likes": 5, "rank": 3}),
    ("{likes: other ?? 0}", {"likes": 7}),
    ("{likes: other if other != null else 0}", {"likes": 7}),
    ("{other: other % 4}", {"other": 3}),
    ("{price: price / 2 + likes}", {"price": 3.75}),
    ("{price: likes}", {"price": 3.0}),
    ('{title: "${meta[\\"a RETURNING b\\"]}"}', {"title": None}),
    ("{ends_at: ends_at + 500}", {"ends_at": 1500}),
    ("{is_open: not is_open}", {"is_open": False}),
    ("{is_open: likes > 3}", {"is_open": False}),
    ('{title: "${title ~ \\"!\\"}"}', {"title": "First!"}),
    ('{title: "${slug}: ${title} (${1 + 1})"}', {"title": "one: First (2)"}),
    ('{title: "${slug}"}', {"title": "one"}),
    ("{title: slug}", {"title": "slug"}),
    ('{slug: "${slug ~ \\" B \\"}"}', {"slug": "one b"}),
    ('{state: "${\\"done\\" if likes > 2 else state}"}', {"state": "done"}),
    ('{mail: "${mail | replace(\\"a\\", \\"b\\")}"}', {"mail": "b@x.io"}),
    ("{parent_id: id}", {"parent_id": 1}),
    ("{other: inner.n + 1}", {"other": 5}),
    ("{other: tags | count}", {"other": 0}),
    ('{title: "${meta.t}"}', {"title": "x"}),
    ("{ratio: meta.n}", {"ratio": 3.0}),
    ("{ratio: meta.t}", {"ratio": None}),
    ("{updated_at: updated_at + 5}", {"updated_at": 5}),
]


@pytest.mark.parametrize(("data", "expected"), RIGHT)
@pytest.mark.parametrize("step", ["edit_record", "patch_record", "bulk_edit_records"])
def test_what_is_computed_of_columns_is_stored(tmp_path: Path, step: str, data: str, expected: dict[str, Any]) -> None:
    record = edited(tmp_path, data, step)
    assert {name: record[name] for name in expected} == expected


BROKEN = [
    # data, the fault's name and reason, the columns it names with what it says
    ("{rank: rank + 5}", "input_error", {"rank": "Value is greater than the maximum value of 9"}),
    ("{rank: rank - 6}", "input_error", {"rank": "Value is less than the minimum value of 0"}),
    ("{rank: rank + 5, ends_at: 0 - ends_at * ends_at * ends_at * ends_at * ends_at}", "input_error", {
        "rank": "Value is greater than the maximum value of 9",
        "ends_at": "Value is less than the minimum value of -62135596800000",
    }),
    ('{slug: "${slug ~ slug ~ slug ~ slug ~ slug}"}', "input_error", {
        "slug": "Input exceeds the maximum length of 12 characters",
    }),
    ('{slug: "${slug | replace(\\"one\\", \\"\\")}"}', "input_error", {"slug": "Input must not be empty."}),
    ('{state: "${state ~ \\"s\\"}"}', "input_error", {"state": 'Input "drafts" is not one of the allowable values.'}),
    ('{mail: "${title ?? slug}"}', "input_error", {"mail": "Input does not have the required form."}),
    ("{parent_id: id + 40}", "input_error", {"parent_id": "Input names no record of 'post'."}),
    ("{likes: likes + 98}", "input_error", {"likes": "At most 100 likes."}),
    (f"{{likes: likes + {INT_MAX}}}", "fatal", "the result is no int of 64 bits"),
    ("{price: price * 1e308 * 1e10}", "fatal", "the result is too large for a decimal"),
    ("{price: price / (likes - 3)}", "fatal", "a number was divided by zero"),
    ("{other: other % (likes - 3)}", "fatal", "a number was divided by zero"),
    ('{slug: "${slug | replace(\\"one\\", \\"two\\")}"}', "conflict", "'slug' must be unique."),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "said"), BROKEN)
@pytest.mark.parametrize("step", ["edit_record", "patch_record", "bulk_edit_records"])
def test_the_rules_of_a_column_hold_for_what_is_computed(
    tmp_path: Path, step: str, data: str, name: str, said: Any
) -> None:
    fault = edited(tmp_path, data, step)
    assert isinstance(fault, Fault)
    payload: Any = fault.payload
    errors = {each["param"]: each["message"] for each in payload["errors"]} if isinstance(said, dict) else fault.message
    assert (fault.name, errors) == (name, said)


def test_what_breaks_a_rule_leaves_nothing_behind_a_catch(tmp_path: Path) -> None:
    stack = """
- edit_record: post
  where: {id: 2}
  data: {likes: likes + 1}
- try:
    - edit_record: post
      where: {id: 1}
      data: {rank: rank + 9, likes: likes + 1}
  catch: []
- edit_record: post
  where: {id: 1}
  data: {rank: rank + 1}
"""
    built = made(tmp_path, stack)
    answer(built, "POST /it")
    kept = [(each["likes"], each["rank"]) for each in asyncio.run(built.services.store.dump("post"))]
    assert kept == [(3, 6), (4, 5)]


def test_a_record_that_is_added_is_computed_of_its_keys_and_defaults(tmp_path: Path) -> None:
    stack = """
- set: {post: null}
- for_each: [1, 2, 3]
  as: n
  do:
    - add_or_edit_record: post
      where: {slug: new}
      data: {likes: likes + $n, rank: rank - 1, title: "${slug ~ (title ?? '')}", parent_id: parent_id}
      as: post
- return: $post
"""
    record = answer(made(tmp_path, stack), "POST /it")
    assert [record[name] for name in ("likes", "rank", "title", "slug")] == [6, 2, "newnewnew", "new"]


def test_a_record_that_is_added_is_computed_of_defaults_of_all_sorts(tmp_path: Path) -> None:
    stack = """
- add_or_edit_record: post
  where: {slug: $input.slug}
  data:
    other: inner.n + (tags | count)
    title: "${meta.t}"
    rank: 1 if slug < "m" else 2
    ends_at: updated_at + ends_at
    is_open: not is_open
    price: price / 2
    likes: $input.by
  as: post
- return: $post
"""
    record = answer(made(tmp_path, stack, "{slug: text, by: int}"), "POST /it", {"slug": "new", "by": 8})
    expected = {"other": 4, "title": "x", "rank": 2, "ends_at": 1000, "is_open": False, "price": 0.75, "likes": 8}
    assert {name: record[name] for name in expected} == expected


def test_a_record_that_is_added_keeps_the_rules(tmp_path: Path) -> None:
    fault = edited(tmp_path, "{rank: rank + 5}", "add_or_edit_record", "where: {slug: new}")
    assert isinstance(fault, Fault) and fault.message == "Value is greater than the maximum value of 9"


def test_a_bulk_edit_computes_each_of_its_own(tmp_path: Path) -> None:
    stack = "- bulk_edit_records: post\n  all: true\n  data: {likes: likes + id * $input.n, rank: $input.n}\n  as: n\n- return: $n"
    built = made(tmp_path, stack, "{n: int}")
    assert answer(built, "POST /it", {"n": 4}) == 2
    assert [(each["likes"], each["rank"]) for each in asyncio.run(built.services.store.dump("post"))] == [
        (7, 4),
        (11, 4),
    ]


def test_a_sensitive_column_tells_nothing_of_what_was_computed(tmp_path: Path) -> None:
    data = '{code: "${slug ~ slug}"}'
    built = made(tmp_path, f"- edit_record: post\n  where: {{id: 1}}\n  data: {data}\n  as: post\n- return: $post")
    assert "code" not in answer(built, "POST /it")
    assert "code" not in asyncio.run(built.services.store.dump("post"))[0]


REFUSED = [
    # data, what the check says, the mend
    ("{likes: like + 1}", "SW204 unknown column 'like'", "did you mean 'likes'?"),
    ("{likes: $likes + 1}", "SW201 unknown variable '$likes'", "the column is written 'likes' here, without the $"),
    ("{likes: likes++}", "SW124 the column 'likes' is an int, this is a text", "compute it as in 'likes: likes + 1'"),
    ("{likes: post.likes + 1}", "SW124 the column 'likes' is an int, this is a text", "compute it as in 'likes: likes + 1'"),
    ("{likes: {increment: 1}}", "SW124 the column 'likes' is an int, this is an object", "compute it as in 'likes: likes + 1'"),
    ('{likes: "+1"}', "SW124 the column 'likes' is an int, this is a text", "compute it as in 'likes: likes + 1'"),
    ("{title: $title}", "SW201 unknown variable '$title'", "the column is written 'title' here, without the $"),
    ("{likes: slug}", "SW124 the column 'likes' is an int, this is a text", "to_int"),
    ('{title: "${input.rank}"}', "SW204 unknown column 'input'", "write $input for the variable"),
    ("{likes: price + 1}", "SW124 the column 'likes' is an int, this is a decimal", ""),
    ("{likes: other + 1}", "SW210 'likes' may be null here, the column needs a value", "give a default: '(other + 1) ?? …'"),
    ("{tags: tags}", "SW124 the column 'tags' is a list of text, this is a text", "get the record before, and write $record.tags"),
    ('{tags: "${tags}"}', "SW307 'tags' is a list of text, which can't be computed in a database",
     "get the record before, and compute it of $record.tags"),
    ('{meta: "${meta.n}"}', "SW307 'meta' is a value of any kind, which can't be computed in a database",
     "get the record before, and compute it of $record.meta"),
    ('{pin: "${slug}"}', "SW307 the password 'pin' can't be computed: it is hashed before it is stored",
     "write what is to be hashed"),
    ('{title: "${code}"}', "SW231 a secret can't be part of a query", None),
    ('{title: "${hidden}"}', "SW231 a secret can't be part of a query", None),
    ('{title: "${pin}"}', "SW231 a secret can't be part of a query", None),
    ("{id: id + 1}", "SW164 'edit_record' can't set the id", None),
    ('{title: "${title | sha256}"}', "SW302 '| sha256' of a column can't be asked of a database",
     "get the record before, and compute it of that"),
    ("{other: meta.n}", "SW302 an int of what json holds can't be asked of a database", None),
    ('"${ {likes: likes + 1, ...$input} }"', "SW203 the column 'likes' means nothing here",
     "write out each column with its value, as in data: {likes: …}"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "said", "mend"), REFUSED)
def test_what_no_database_computes_is_a_mistake(tmp_path: Path, data: str, said: str, mend: str | None) -> None:
    text = f"\nendpoint: POST /it\ninput: {{rank: int}}\nstack:\n  - edit_record: post\n    where: {{id: 1}}\n    data: {data}\n"
    found = checked(tmp_path, {"post": POST, "it": text})
    assert said in [each.split(" error ")[-1] for each in messages(found.problems)], messages(found.problems)
    hint = next(each.hint for each in found.problems if each.message == said.partition(" ")[2])
    assert mend is None or mend in hint


OTHERWISE = [
    ("- add_record: post\n  data: {slug: x, likes: likes + 1}", "$record.likes"),
    ('- add_record: post\n  data: {slug: x, likes: "${likes + 1}"}', "$record.likes"),
    ("- add_record: post\n  data: {slug: x, likes: rank}", "$record.rank"),
    ("- bulk_add_records: post\n  items: [{slug: x, likes: likes + 1}]", "$record.likes"),
    ('- bulk_add_records: post\n  items: [{slug: x, likes: "${likes + 1}"}]', "$record.likes"),
    ("- bulk_patch_records: post\n  items: [{id: 1, likes: likes + 1}]", "bulk_edit_records"),
    (
        "- add_or_edit_record: post\n  where: {id: 5}\n  data: {likes: '${slug | strlen}', slug: x}",
        "name it in 'where'",
    ),
]


@pytest.mark.parametrize(("stack", "mend"), OTHERWISE)
def test_a_record_that_is_added_has_no_columns_to_compute_with(tmp_path: Path, stack: str, mend: str) -> None:
    lines = re.sub("^", "  ", stack, flags=re.MULTILINE)
    found = checked(tmp_path, {"post": POST, "it": f"\nendpoint: POST /it\nstack:\n{lines}\n"})
    assert [mend in each.hint for each in found.errors] == [True], [each.render() for each in found.errors]


def test_a_text_that_reads_as_an_expression_over_columns_is_told(tmp_path: Path) -> None:
    text = "\nendpoint: POST /it\nstack:\n  - edit_record: post\n    where: {id: 1}\n    data: {title: title ~ slug}\n"
    found = checked(tmp_path, {"post": POST, "it": text})
    assert [(each.code, each.hint) for each in found.problems] == [("SW244", "write ${title ~ slug}")]


@pytest.mark.parametrize("data", ["{likes: likes + 1}", '{likes: "${likes + $input.by}"}'])
def test_forty_increments_at_once_are_forty(tmp_path: Path, data: str) -> None:
    like = f"""
        endpoint: POST /like
        input: {{by: {{type: int, default: 1}}}}
        stack:
          - edit_record: post
            where: {{id: 1}}
            data: {data}
            as: post
        response: $post.likes
    """
    post = "table: post\ncolumns: {id: int, likes: {type: int, default: 0}}\nseed: [{id: 1}]\n"
    with serving(tmp_path, {"post": post, "like": like}) as live:
        answers = live.together(lambda client: [client.post("/api:main/like", json={}) for _ in range(40)])
        assert sorted(each.json() for each in answers) == list(range(1, 41))
        assert live.rows('SELECT "likes" FROM "post"') == [(40,)]
