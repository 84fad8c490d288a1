"""Queries as stacks ask them: what is found, in which order, on which page, and with what beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engine.errors import Fault
from engine.filters import measures
from engine.http.bodies import Patience
from engine.http.inputs import Inputs
from engine.program import Program
from engine.run import perform
from engine.store import addons, asked, find, reader
from engine.store.pg_session import PostgresSession
from engine.store.sqlite import SqliteStore
from engine.testing import replay
from engine.values import ANY, INT_MAX, INT_MIN, Kind
from tests.storages import on_sqlite
from tests.support import answer, checked, conforms, program, write

USER = """
    table: user
    columns:
      id: int
      name: text
      email: {type: email, unique: true}
      password?: {type: password, min: 8}
"""
POST = """
    table: post
    columns:
      id: int
      user_id: {table: user}
      editor_id?: {table: user}
      title: text
      status: {type: enum, values: [draft, open, closed], default: open}
      price: decimal
      count: int
      rank?: int
      tags: text[]
      meta?: json
    indexes:
      - {columns: [status]}
      - {columns: [title], type: search}
"""
COMMENT = """
    table: comment
    columns:
      id: int
      post_id: {table: post}
      text: text
      likes: int
"""
USERS = [
    {"name": "Ada", "email": "ada@example.com", "password": "correct horse"},
    {"name": "Bob", "email": "bob@example.com"},
]
POSTS = [
    {"user_id": 1, "title": "Pears", "price": 2.5, "count": 4, "tags": ["a"], "meta": {"size": 1}},
    {"user_id": 1, "title": "Apples", "price": 1, "count": 10, "rank": 2, "tags": ["a", "b"], "editor_id": 2},
    {"user_id": 2, "title": "Plums", "price": 4, "count": 1, "rank": 1, "tags": [], "status": "draft"},
    {"user_id": 2, "title": "Figs", "price": 8, "count": 0, "rank": 2, "tags": ["c"], "status": "closed"},
]
COMMENTS = [
    {"post_id": 1, "text": "good", "likes": 3},
    {"post_id": 1, "text": "fine", "likes": 5},
    {"post_id": 3, "text": "sour", "likes": 0},
    {"post_id": 1, "text": "ripe", "likes": 5},
]
TABLES = {"user": USER, "post": POST, "comment": COMMENT}


@pytest.fixture(autouse=True)
def _all(storage: str) -> None: ...


def watch(made: Program, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gather the statements that are sent to the database."""
    store = made.services.store
    if isinstance(store, SqliteStore):
        connect = store.moments._connect

        def watched() -> sqlite3.Connection:
            connection = connect()
            connection.set_trace_callback(lambda text: texts.append(text) if text.startswith("SELECT") else None)
            return connection

        monkeypatch.setattr(store.moments, "_connect", watched)
        store.reader.set_trace_callback(texts.append)
        return
    for how in ("_alone", "_within"):
        send = getattr(PostgresSession, how)

        async def sent(self: Any, *given: Any, send: Any = send, **more: Any) -> Any:
            texts.append(next(each for each in given if isinstance(each, str) and " " in each))
            return await send(self, *given, **more)

        monkeypatch.setattr(PostgresSession, how, sent)


RECORDS = {"user": USERS, "post": POSTS, "comment": COMMENTS}


async def fill(made: Program, records: dict[str, list[dict[str, Any]]]) -> None:
    run = made.services.run()
    for table, rows in records.items():
        await made.services.store.load(run, table, rows)
    await run.db.commit()


def folder_program(
    folder: Path,
    query: str,
    input: str = "{}",
    rest: str = "response: $found",
    table: str = "post",
    method: str = "POST",
) -> Program:
    """A program with the records; `query` is what stands under `query_all_records: post` in its endpoint."""
    lines = "".join(f"\n    {line}" for line in query.strip().splitlines())
    stack = (
        f"endpoint: POST /it\ninput: {input}\nstack:\n  - query_all_records: {table}{lines}\n    as: found\n{rest}\n"
    )
    made = program(folder, {**TABLES, "it": stack})
    asyncio.run(fill(made, RECORDS))
    return made


def ask(folder: Path, query: str, input: str = "{}", values: dict[str, Any] | None = None) -> Any:
    """What a query of posts answers."""
    return answer(folder_program(folder, query, input), "POST /it", values)


def ids(found: Any) -> list[Any]:
    return [each["id"] for each in (found["items"] if isinstance(found, dict) else found)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("where: status == 'open'", [1, 2]),
        ("where: {status: draft, user_id: 2}", [3]),
        ("where: price * count > 9", [1, 2]),
        ("where: title | search('apples')", [2]),
        ("where: meta.size == 1", [1]),
        ("sort: {title: asc}", [2, 4, 1, 3]),
        ("sort: {price: desc}", [4, 3, 1, 2]),
        ("sort: {rank: asc}", [1, 3, 2, 4]),
        ("sort: {rank: desc}", [4, 2, 3, 1]),
        ("sort: {rank: asc, price: desc}", [1, 3, 4, 2]),
        ("eval: {total: price * count}\nsort: {total: desc, id: asc}", [1, 2, 3, 4]),
        ("join:\n  author: {table: user, where: author.id == user_id}\nwhere: author.name == 'Bob'", [3, 4]),
        ("join: {comment: {table: comment}}\nwhere: comment.likes > 1", [1, 1, 1]),
        ("join: {comment: {table: comment, type: left}}\nwhere: comment.id == null", [2, 4]),
        ("join: {editor: {table: user, where: editor.id == editor_id}}", [2]),
        (
            "join: {author: {table: user, where: author.id == user_id}}\nwhere: title | search('plums') and author.name == 'Bob'",
            [3],
        ),
        ("page: 1\nper_page: 3", [1, 2, 3]),
        ("page: 2\nper_page: 3", [4]),
        ("page: 3\nper_page: 3", []),
        ("per_page: 2\noffset: 1", [2, 3]),
        ("per_page: 2\nsort: {price: desc}", [4, 3]),
        ("per_page: 2\nmetadata: false", [1, 2]),
        ("output: [id]\ndistinct: true", [1, 2, 3, 4]),
    ],
)
def test_records_are_found_in_order(tmp_path: Path, query: str, expected: list[int]) -> None:
    assert ids(ask(tmp_path, query)) == expected


ANSWERS: list[tuple[str, Any]] = [
        ("return: count", 4),
        ("return: count\nwhere: price > 100", 0),
        ("return: count\ndistinct: true\noutput: [status]", 3),
        ("return: exists\nwhere: price > 100", False),
        ("return: exists\nwhere: price > 1", True),
        ("return: first\nwhere: price > 100", None),
        ("return: first\nsort: {price: desc}\noutput: [title]", {"title": "Figs"}),
        ("output: [status]\ndistinct: true\nsort: {status: asc}", [{"status": "closed"}, {"status": "draft"}, {"status": "open"}]),
        ("output: [id]\neval: {dear: price > 3, half: count / 2, size: meta.size, all: tags}\nwhere: id in [1, 3]",
         [{"id": 1, "dear": False, "half": 2.0, "size": 1, "all": ["a"]}, {"id": 3, "dear": True, "half": 0.5, "size": None, "all": []}]),
        ("output: [id]\njoin: {author: {table: user, where: author.id == user_id}}\neval: {by: author.name}\nper_page: 1\nmetadata: false",
         [{"id": 1, "by": "Ada"}]),
        ("return: aggregate\neval: {n: id | count, total: price | sum, mean: count | avg, least: price | min, most: rank | max, states: status | unique | count}",
         {"n": 4, "total": 15.5, "mean": 3.75, "least": 1.0, "most": 2, "states": 3}),
        ("return: aggregate\nwhere: id == 0\neval: {n: id | count, total: price | sum, mean: count | avg, least: price | min}",
         {"n": 0, "total": 0, "mean": None, "least": None}),
        ("return: aggregate\ngroup: [status]\neval: {n: id | count, worth: (price * count) | sum}",
         [{"status": "closed", "n": 1, "worth": 0.0}, {"status": "draft", "n": 1, "worth": 4.0}, {"status": "open", "n": 2, "worth": 20.0}]),
        ("return: aggregate\ngroup: {dear: price > 3}\neval: {mean: (price | sum) / (id | count)}\nsort: {mean: desc}",
         [{"dear": True, "mean": 6.0}, {"dear": False, "mean": 1.75}]),
        ("return: aggregate\ngroup: [rank]\neval: {n: rank | count}", [{"rank": None, "n": 0}, {"rank": 1, "n": 1}, {"rank": 2, "n": 2}]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), ANSWERS)
def test_a_query_answers(tmp_path: Path, query: str, expected: Any) -> None:
    assert ask(tmp_path, query) == expected


def test_a_page_is_xanos_envelope(tmp_path: Path) -> None:
    found = ask(tmp_path, "page: 2\nper_page: 1\noffset: 1\ntotals: true\noutput: [id]")
    assert found == {
        "itemsReceived": 1, "curPage": 2, "nextPage": 3, "prevPage": 1, "offset": 2, "perPage": 1,
        "itemsTotal": 4, "pageTotal": 3, "items": [{"id": 3}],
    }  # fmt: skip
    assert list(found)[:6] == ["itemsReceived", "curPage", "nextPage", "prevPage", "offset", "perPage"]


@pytest.mark.parametrize(
    ("query", "skip", "total"),
    [
        ("page: 1\neval: {big: count > 3}", 1, 4),
        ("page: 1\neval: {big: count > $input.n}", 1, 4),
        ("page: 1\nwhere: id !=? $input.skip\neval: {big: count > $input.n, more: price + 1}", 1, 3),
        ("page: 1\nwhere: id !=? $input.skip\neval: {big: count > $input.n, more: price + 1}", None, 4),
        ("page: 1\neval: {big: count > 3}\nsort: {big: asc}", 1, 4),
        ("page: 1\ndistinct: true\noutput: [status]\neval: {big: count > 3}", 1, 3),
        (
            "page: 1\njoin: {u: {table: user, where: u.id == user_id and u.name == 'Ada'}}\neval: {by: u.name ~ '!'}",
            1,
            2,
        ),
        ("after: null\neval: {big: count > $input.n}\nsort: {big: asc}", 1, 4),
    ],
)
def test_the_total_is_the_same_whatever_is_computed(tmp_path: Path, query: str, skip: int | None, total: int) -> None:
    values = {"n": 3, "skip": skip} if skip else {"n": 3}
    found = ask(tmp_path, f"{query}\nper_page: 1\ntotals: true", "{n: int, skip?: int}", values)
    assert (found["itemsReceived"], found["itemsTotal"], found["pageTotal"]) == (1, total, total)


@pytest.mark.parametrize(
    ("query", "values", "param", "message"),
    [
        ("page: $input.n", {"n": 0}, "page", "Value is less than the minimum value of 1"),
        ("per_page: $input.n", {"n": 0}, "per_page", "Value is less than the minimum value of 1"),
        ("per_page: $input.n", {"n": 1001}, "per_page", "Value is greater than the maximum value of 1000"),
        ("per_page: 5\noffset: $input.n", {"n": -1}, "offset", "Value is less than the minimum value of 0"),
    ],
)
def test_a_page_stays_within_bounds(
    tmp_path: Path, query: str, values: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(Fault) as caught:
        ask(tmp_path / "value", query, "{n?: int}", values)
    assert caught.value.payload == {"param": param, "errors": [{"param": param, "message": message}]}
    assert ids(ask(tmp_path / "null", query, "{n?: int}", {})) == [1, 2, 3, 4]


SORTS = ["", "sort: {price: desc}", "sort: {rank: asc}", "sort: {rank: desc, price: asc}", "sort: {status: asc, id: desc}",
         "eval: {dear: price > 3}\nsort: {dear: desc}"]  # fmt: skip


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 3])
def test_positions_lead_through_all_records_once(tmp_path: Path, sort: str, size: int) -> None:
    query = f"{sort}\nper_page: {size}\nafter: $input.after"
    everything = ids(ask(tmp_path / "all", sort))
    made = folder_program(tmp_path / "pages", query, "{after?: text}")
    seen: list[Any] = []
    position: str | None = None
    for _ in range(6):
        page = answer(made, "POST /it", {"after": position} if position else {})
        seen += ids(page)
        position = page["nextAfter"]
        if position is None:
            break
    assert seen == everything


@pytest.mark.parametrize(
    "position", ["", "x", "bnVsbA", "WzFd", "WyJhIiwxXQ", "WzEuNSwiMSJd", "WzEuNSwxZTk5OV0", "a" * 9000, "é"]
)
def test_a_made_up_position_is_an_input_error(tmp_path: Path, position: str) -> None:
    with pytest.raises(Fault) as caught:
        ask(tmp_path, "sort: {price: asc}\nafter: $input.after", "{after?: text}", {"after": position})
    assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "after")  # type: ignore[index]


ADDONS: list[tuple[str, Any]] = [
    ("output: [id]\naddon: {author: user_id}\nwhere: id == 1",
     [{"id": 1, "author": {"id": 1, "name": "Ada", "email": "ada@example.com"}}]),
    ("output: [id]\naddon: {editor: {by: editor_id, output: [name]}}\nwhere: id <= 2",
     [{"id": 1, "editor": None}, {"id": 2, "editor": {"name": "Bob"}}]),
    ("output: [id]\naddon: {comments: comment.post_id}\nwhere: id in [1, 2]",
     [{"id": 1, "comments": [{"id": 1, "post_id": 1, "text": "good", "likes": 3}, {"id": 2, "post_id": 1, "text": "fine", "likes": 5},
       {"id": 4, "post_id": 1, "text": "ripe", "likes": 5}]}, {"id": 2, "comments": []}]),
    ("output: [id]\naddon: {comments: {table: comment, sort: {likes: desc}, limit: 2, output: [text]}}\nwhere: id in [1, 3]",
     [{"id": 1, "comments": [{"text": "ripe"}, {"text": "fine"}]}, {"id": 3, "comments": [{"text": "sour"}]}]),
    ("output: [id]\naddon: {best: {table: comment, sort: {likes: desc, id: asc}, return: first, output: [text]}}\nwhere: id in [1, 2]",
     [{"id": 1, "best": {"text": "fine"}}, {"id": 2, "best": None}]),
    ("output: [id]\naddon: {n: {table: comment, where: likes > 3, return: count}, loved: {table: comment, where: likes > 3, return: exists}}\nwhere: id in [1, 3]",
     [{"id": 1, "n": 2, "loved": True}, {"id": 3, "n": 0, "loved": False}]),
    ("output: [title]\naddon: {peers: {table: post, on: {user_id: user_id}, where: id != $input.skip, output: [title]}}\nwhere: id == $input.id",
     [{"title": "Pears", "peers": [{"title": "Apples"}]}]),
    ("output: [id]\nreturn: first\naddon: {comments: {table: comment, output: [id], addon: {post: {by: post_id, output: [title], addon: {author: {by: user_id, output: [name]}}}}, limit: 1}}",
     {"id": 1, "comments": [{"id": 1, "post": {"title": "Pears", "author": {"name": "Ada"}}}]}),
    ("output: [id]\nper_page: 1\naddon: {author: {by: user_id, output: [name]}}\nmetadata: false", [{"id": 1, "author": {"name": "Ada"}}]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), ADDONS)
def test_an_addon_is_beside_each_record(tmp_path: Path, query: str, expected: Any) -> None:
    assert ask(tmp_path, query, "{skip?: int, id?: int}", {"skip": 1, "id": 1}) == expected


def test_addons_take_one_query_a_level_however_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "addon: {author: user_id, comments: {table: comment, addon: {by: {table: user, on: {id: likes}}}}}"
    made = folder_program(tmp_path, query)
    texts: list[str] = []
    watch(made, texts, monkeypatch)
    answer(made, "POST /it")
    assert len(texts) == 4


def test_a_stream_is_walked_in_order_and_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "STREAM_BATCH", 3)
    query = "return: stream\nsort: {price: desc}\naddon: {author: user_id}"
    rest = """  - set: {names: [], places: []}
  - for_each: $found
    as: post
    do:
      - if: $post.title == 'Apples'
        then: [break]
      - set: {names: '$names | push($post.author?.name)', places: $places | push($index)}
response: {names: $names, places: $places}"""
    made = folder_program(tmp_path, query, rest=rest)
    assert answer(made, "POST /it") == {"names": ["Bob", "Bob", "Ada"], "places": [0, 1, 2]}


def limit_lists(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    for module in (asked, addons, find):
        monkeypatch.setattr(module, "LIST_LIMIT", limit)


def test_a_list_that_isnt_paged_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_lists(monkeypatch, 3)
    for folder, query in (
        ("list", ""),
        ("addon", "where: id == 1\naddon: {all: {table: comment, on: {post_id: id}}}\n"),
    ):
        if folder == "addon":
            limit_lists(monkeypatch, 2)
        with pytest.raises(Fault) as caught:
            ask(tmp_path / folder, query)
        assert (caught.value.name, caught.value.reason) == ("fatal", "limit")
        assert "page it" in caught.value.message


@on_sqlite
def test_a_long_read_goes_to_a_thread_and_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that could not end inline answers the same, on a connection of its own and on the writing one."""
    monkeypatch.setattr(reader, "INLINE_SECONDS", -1.0)
    monkeypatch.setattr(reader, "_STEPS", 1)
    assert ids(ask(tmp_path / "reading", "where: price > 1\naddon: {author: user_id}")) == [1, 3, 4]
    write = "  - add_record: user\n    data: {name: Eve, email: eve@example.com}\n"
    again = "  - query_all_records: user\n    as: all\nresponse: $all | count"
    made = folder_program(tmp_path / "writing", "", rest=write + again)
    assert answer(made, "POST /it") == 3


@on_sqlite
def test_a_read_that_never_ends_is_ended(tmp_path: Path) -> None:
    made = folder_program(tmp_path, "where: title | contains('x')")
    made.services.time_limit = -1.0
    store = made.services.store
    store.reading.inline.run = lambda work, seconds: (_ for _ in ()).throw(TimeoutError)  # as if it took long
    store.reading._idle.append(reader.Watched(store.reading._connect()))
    store.reading._idle[0].connection.set_progress_handler(lambda: True, 1)
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it")
    assert caught.value.reason == "budget"


def test_a_lock_keeps_others_from_writing(tmp_path: Path) -> None:
    """Two runs that read and then write what they read, one after the other."""
    rest = """  - precondition: $found != null
  - edit_record: post
    where: {id: 1}
    data: {count: $found.count + 1}
response: null"""
    made = folder_program(tmp_path, "where: {id: 1}\nreturn: first\nlock: true", rest=rest)
    compiled = made.endpoints[0]

    async def both() -> None:
        runs = [perform(compiled.plan, made.services.run(), {}, None) for _ in range(8)]
        await asyncio.gather(*runs)

    asyncio.run(both())
    assert asyncio.run(made.services.store.dump("post"))[0]["count"] == 12


def test_a_lock_that_wrote_nothing_is_given_back(tmp_path: Path) -> None:
    made = folder_program(tmp_path, "where: {id: 1}\nreturn: first\nlock: true")
    assert [answer(made, "POST /it")["id"] for _ in range(2)] == [1, 1]


SECRETS: list[tuple[str, str, Any]] = [
    ("return: first", "response: $found", {"id": 1, "name": "Ada", "email": "ada@example.com"}),
    ("return: first\noutput: [name, password]", "response: $found", {"name": "Ada"}),
    (
        "return: first\noutput: [name, password]",
        "  - validate_password: correct horse\n    against: $found?.password\n    as: right\nresponse: $right",
        True,
    ),
    (
        "where: id == 1",
        "  - validate_password: correct horse\n    against: $found[0].password\n    as: right\nresponse: $right",
        True,
    ),
]


@pytest.mark.parametrize(("query", "rest", "expected"), SECRETS)
def test_a_secret_is_read_only_where_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, rest: str, expected: Any
) -> None:
    made = folder_program(tmp_path, query, rest=rest, table="user")
    texts: list[str] = []
    watch(made, texts, monkeypatch)
    assert answer(made, "POST /it") == expected
    assert any('"password"' in sql for sql in texts) == ("validate" in rest)


@pytest.mark.parametrize(
    "query",
    [
        *(query for query, _ in ADDONS),
        *(query for query, _ in ANSWERS),
        "page: 1\ntotals: true\naddon: {author: user_id}",
        "after: null",
        "per_page: 2\nmetadata: false",
        "return: aggregate\ngroup: [rank]\neval: {n: id | count, most: price | max}\nper_page: 1\ntotals: true",
        "eval: {a: rank + 1, b: rank == 1, c: rank ?? 0, d: price / count, e: title ~ '!', f: 'tags[0]', g: meta.size, h: meta}",
        "eval: {a: title | strlen, b: price | round, c: rank if rank != null else 0, d: rank if count > 1 else 5, e: rank | abs}",
        "join: {editor: {table: user, type: left, where: editor.id == editor_id}}\neval: {by: editor.name, who: editor.id}",
    ],
)
def test_the_checker_knows_the_kind_of_the_answer(tmp_path: Path, query: str) -> None:
    made = folder_program(tmp_path, query, "{skip?: int, id?: int}")
    found = answer(made, "POST /it", {"skip": 1, "id": 1})
    kind = made.compiler.checked.endpoints[made.endpoints[0].endpoint].result
    assert conforms(found, kind), (found, kind)


@pytest.mark.parametrize(("status", "expected"), [("draft", 3), (None, 1), ("none", None)])
def test_a_record_is_got_by_what_isnt_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str | None, expected: int | None
) -> None:
    """Inline, and as a read that takes long."""
    stack = """  - get_record: post
    where: status ==? $input.status and price >? $input.price
    as: one
  - has_record: post
    where: status ==? $input.status and price >? $input.price
    as: is_there
response: {id: $one?.id, is_there: $is_there}"""
    made = folder_program(tmp_path, "", "{status?: text, price?: decimal}", stack)
    for seconds in (1.0, -1.0):
        monkeypatch.setattr(reader, "INLINE_SECONDS", seconds)
        found = answer(made, "POST /it", {"status": status} if status else {})
        assert found == {"id": expected, "is_there": expected is not None}


OPEN = "filterable: [status, price, user_id, title]\nsortable: [price, title]\noutput: [id]"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("filter[status]=draft", [3]),
        ("filter[status.in][]=draft&filter[status.in][]=closed", [3, 4]),
        ("filter[status.in]=draft", [3]),
        ("filter[price.gte]=2.5&filter[price.lt]=8", [1, 3]),
        ("filter[user_id]=2&sort=-price", [4, 3]),
        ("sort=title", [2, 4, 1, 3]),
        ("sort=-title,price", [3, 1, 4, 2]),
        ("filter[title]=Figs&filter[status]=draft", []),
    ],
)
def test_a_request_filters_and_sorts_what_is_open(tmp_path: Path, query: str, expected: list[int]) -> None:
    status, found = requested(tmp_path, OPEN, query)
    assert (status, ids(found)) == (200, expected)


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("filter[rank]=1", "filter.rank", "Unknown param: filter.rank"),
        ("filter[status]=lost", "filter.status", 'Input "lost" is not one of the allowable values.'),
        ("filter[price]=cheap", "filter.price", "Input must be a decimal, not a text."),
        ("filter[status.gte]=open", "filter.status.gte", "Unknown param: filter.status.gte"),
        ("sort=rank", "sort", "Input does not have the required form."),
        ("sort=title,title,title,title", "sort", "Input does not have the required form."),
        ("sort=title;drop", "sort", "Input does not have the required form."),
    ],
)
def test_a_request_asks_of_nothing_else(tmp_path: Path, query: str, param: str, message: str) -> None:
    status, found = requested(tmp_path, OPEN, query)
    assert status == 400
    assert found["payload"]["errors"] == [{"param": param, "message": message}]


def requested(folder: Path, query: str, asked: str) -> tuple[int, Any]:
    """The status and body that `GET /it?…` answers."""
    made = folder_program(folder, query, method="GET")
    endpoint = made.endpoints[0]
    inputs = Inputs(endpoint.shape, 1000, Patience())
    try:
        given = inputs.from_url({"query_string": quote(asked, safe="=&[]").encode()}, {})
        return 200, asyncio.run(perform(endpoint.plan, made.services.run(), given, None))
    except Fault as fault:
        return fault.status, {"payload": fault.payload}


REPLAYED = """
test: GET /it
records:
  user: [{id: 1, name: Ada, email: ada@example.com}]
  post:
    - {id: 1, user_id: 1, title: Pears, price: 3, count: 1, tags: []}
    - {id: 2, user_id: 1, title: Figs, price: 5, count: 1, tags: [], status: draft}
cases:
  - name: by one value, and sorted
    input: {filter: {user_id: 1}, sort: -price}
    response: [{id: 2}, {id: 1}]
  - name: by several values and a bound
    input: {filter: {status.in: [open, draft], price.gte: 4}}
    response: [{id: 2}]
  - name: by what isn't open
    input: {filter: {count: 1}}
    status: 400
"""


def test_a_test_asks_an_open_query_as_a_request_does(tmp_path: Path) -> None:
    stack = f"endpoint: GET /it\nstack:\n  - query_all_records: post\n    {OPEN.replace(chr(10), chr(10) + '    ')}\n    as: found\nresponse: $found\n"
    write(tmp_path, {**TABLES, "it": stack, "it.test.yaml": REPLAYED})
    report: list[str] = []
    assert replay.run_folder(tmp_path, "", None, report.append), "".join(report)


def test_what_is_joined_keeps_its_secrets(tmp_path: Path) -> None:
    stack = """
        endpoint: GET /it
        stack:
          - query_all_records: post
            join: {editor: {table: user, type: left, where: editor.id == editor_id}}
            where: editor.password == 'x'
            eval: {hash: editor.password}
            as: found
        response: $found
    """
    problems = checked(tmp_path, {**TABLES, "it": stack}).problems
    assert [(each.code, each.span.line) for each in problems] == [("SW216", 5), ("SW231", 6)]


PLACES = """
table: place
columns:
  id: int
  spot?: geo_point
  look: {type: vector, size: 2}
  other: {type: vector, size: 3, default: [0, 0, 0]}
"""
SPOTS = [(13.4, 52.5), (13.4, 52.6), None, (2.35, 48.85)]
LOOKS = [[1, 0], [0, 2], [0, 0], [3, 4]]
BERLIN = {"type": "point", "data": {"lng": 13.4, "lat": 52.5}}


def places(folder: Path, query: str, values: dict[str, Any] | None = None) -> Any:
    """What a query of places answers."""
    lines = query.replace("\n", "\n    ")
    kinds = {"v": "{type: vector, size: 2}", "w": '"decimal[]"', "p": "geo_point", "m": "decimal"}
    inputs = ", ".join(
        f"{name}{'?' * ('?(' in query)}: {kind}" for name, kind in kinds.items() if f"input.{name}" in query
    )
    stack = f"endpoint: POST /it\ninput: {{{inputs}}}\nstack:\n  - query_all_records: place\n    {lines}\n    as: found\nresponse: $found\n"
    made = program(folder, {"place": PLACES, "it": stack})
    spots = [
        None if each is None else {"type": "point", "data": dict(zip(("lng", "lat"), each, strict=True))}
        for each in SPOTS
    ]
    records = [{"spot": spot, "look": look} for spot, look in zip(spots, LOOKS, strict=True)]
    asyncio.run(fill(made, {"place": records}))
    return answer(made, "POST /it", values)


@pytest.mark.parametrize(
    ("query", "values", "expected"),
    [
        ("where: look | l2_distance([0, 0]) <= 2", {}, [1, 2, 3]),
        ("where: $input.v | inner_product(look) > 3", {"v": [1, 1]}, [4]),
        ("where: look | cosine_distance($input.v) < 0.5", {"v": [1, 0]}, [1, 4]),
        ("where: look | cosine_distance(look) < 0.5", {}, [1, 2, 4]),
        ("eval: {far: look | l1_distance($input.v)}\nsort: {far: desc}", {"v": [0, 0]}, [4, 2, 1, 3]),
        ("eval: {far: spot | distance($input.p)}\nsort: {far: asc}", {"p": BERLIN}, [3, 1, 2, 4]),
        ("where: spot | within($input.p, 20000)", {"p": BERLIN}, [1, 2]),
        ("where: not (spot | within($input.p, 20000))", {"p": BERLIN}, [3, 4]),
        ("where: spot | within?($input.p, $input.m)", {"p": BERLIN}, [1, 2, 3, 4]),
        ("where: spot | within?($input.p, $input.m)", {"m": 5}, [1, 2, 3, 4]),
        ("where: spot | within?($input.p, $input.m)", {"p": BERLIN, "m": 5}, [1]),
    ],
)
def test_vectors_and_points_are_measured(
    tmp_path: Path, query: str, values: dict[str, Any], expected: list[int]
) -> None:
    assert ids(places(tmp_path, query, values)) == expected


def test_what_is_measured_is_what_the_filter_says(tmp_path: Path) -> None:
    found = places(
        tmp_path, "eval: {near: 'look | cosine_similarity([3, 4])', far: spot | distance($input.p)}", {"p": BERLIN}
    )
    assert [each["near"] for each in found] == [0.6, 0.8, None, 1.0]
    metres = measures.distance(BERLIN, {"type": "point", "data": {"lng": 2.35, "lat": 48.85}})
    assert [each["far"] for each in found][2:] == [None, metres]


def test_a_vector_of_another_size_is_the_inputs_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        places(tmp_path, "where: look | l2_distance($input.w) < 1", {"w": [1, 2, 3]})
    assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "look")  # type: ignore[index]


def test_vectors_of_two_sizes_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'look' has 2 numbers and 'other' has 3 numbers"):
        places(tmp_path, "where: look | l2_distance(other) < 1")


THING = """
table: thing
columns:
  id: int
  n: int
  total: decimal
  status?: text
  when?: timestamp
"""


def things(folder: Path, query: str, records: list[dict[str, Any]]) -> tuple[Any, Kind]:
    """What a query of things answers, and the kind that the checker knows of it."""
    lines = query.replace("\n", "\n    ")
    stack = f"endpoint: POST /it\nstack:\n  - query_all_records: thing\n    {lines}\n    as: found\nresponse: $found\n"
    made = program(folder, {"thing": THING, "it": stack})
    asyncio.run(fill(made, {"thing": records}))
    kind = made.compiler.checked.endpoints[made.endpoints[0].endpoint].result
    return answer(made, "POST /it"), kind


LARGEST = {"n": INT_MAX, "total": 1e300}
AGGREGATE = "return: aggregate\neval: {{x: '{}'}}"
NO_INT, NO_DECIMAL = "the result is no int of 64 bits", "the result is too large for a decimal"


@pytest.mark.parametrize("record", [LARGEST, {"n": INT_MIN, "total": -1e300}])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("eval: {x: n + (1 if n > 0 else -1)}", NO_INT),
        ("eval: {x: n * 10}", NO_INT),
        ("eval: {x: (n * 10) % 7}", NO_INT),
        ("eval: {x: 'n * 10 | floor'}", NO_INT),
        ("eval: {x: n - (-1 if n > 0 else 1)}\nsort: {x: asc}\nreturn: first", NO_INT),
        ("eval: {x: 'n | round(-1)'}", NO_INT),
        ("eval: {x: total | floor}", NO_INT),
        ("where: n * 10 > 5 or n * 10 < 5", NO_INT),
        ("eval: {x: total * 1e300}", NO_DECIMAL),
        ("eval: {x: total * 1e300 * 0}", NO_DECIMAL),
        ("eval: {x: total / 1e-300}", NO_DECIMAL),
        ("eval: {x: n * 1e300 * total}", NO_DECIMAL),
        ("return: aggregate\ngroup: {x: n * 10}\neval: {y: id | count}", NO_INT),
        ("return: aggregate\ngroup: [status]\neval: {x: (n * 2) | sum}", NO_INT),
        ("return: aggregate\ngroup: [status]\neval: {x: (n | sum) + (n | sum)}", NO_INT),
        (AGGREGATE.format("(total | sum) * 1e300"), NO_DECIMAL),
        (AGGREGATE.format("(total * 1e300) | avg"), NO_DECIMAL),
    ],
)
def test_what_a_database_computes_stays_within_the_bounds_of_its_kind(
    tmp_path: Path, query: str, message: str, record: dict[str, Any]
) -> None:
    """Or it is the fault of an expression outside of a query."""
    with pytest.raises(Fault) as caught:
        things(tmp_path, query, [record])
    assert (caught.value.name, caught.value.reason, caught.value.message) == ("fatal", "range", message)


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        ("n | sum", {"n": INT_MAX, "total": 0}, NO_INT),
        ("total | sum", {"n": 0, "total": 1.5e308}, NO_DECIMAL),
        ("total | avg", {"n": 0, "total": 1.5e308}, NO_DECIMAL),
        ("n | abs | sum", {"n": INT_MIN, "total": 0}, NO_INT),
        ("(-n) | max", {"n": INT_MIN, "total": 0}, NO_INT),
    ],
)
def test_what_a_database_sums_up_stays_within_the_bounds_of_its_kind(
    tmp_path: Path, expression: str, value: dict[str, Any], message: str
) -> None:
    with pytest.raises(Fault) as caught:
        things(tmp_path, AGGREGATE.format(expression), [value, value])
    assert (caught.value.name, caught.value.reason, caught.value.message) == ("fatal", "range", message)


def test_what_a_database_computes_may_reach_its_bounds(tmp_path: Path) -> None:
    query = "output: [n]\neval: {a: n - 1 + 1, b: (n - 2) / 2, c: total * -1, d: -n, e: n + total}"
    found, kind = things(tmp_path, query, [{**LARGEST, "total": 0}])
    assert found == [{"n": INT_MAX, "a": INT_MAX, "b": 2.0**62, "c": 0.0, "d": -INT_MAX, "e": 2.0**63}]
    assert conforms(found, kind)


NULLS: list[tuple[str, str, Any]] = [
    ("", "(total | sum) / (id | count)", [{"x": None}]),
    ("", "(total | sum) / 0", [{"x": None}]),
    ("", "(n | sum) % 0", [{"x": None}]),
    ("", "(n | sum) % 5 + (total | sum) / 2", [{"x": 0.0}]),
    ("", "(total | avg) | round", [{"x": None}]),
    ("", "((total | avg) | round) ?? 0", [{"x": 0}]),
    ("", "-(n | max)", [{"x": None}]),
    ("", "5", [{"x": 5}]),
    ("", "(id | count) == 0", [{"x": True}]),
    ("status", 'status ~ "x"', [{"status": None, "x": None}, {"status": "a", "x": "ax"}]),
    ("status", "(n | sum) if status == null else 0", [{"status": None, "x": 1}, {"status": "a", "x": 0}]),
    ("when", "when + 1", [{"when": None, "x": None}, {"when": 5, "x": 6}]),
    ("when", "when | timestamp_year", [{"when": None, "x": None}, {"when": 5, "x": 1970}]),
    ("n", "n / 2 + n % 2", [{"n": 1, "x": 1.5}, {"n": 2, "x": 1.0}]),
    ("n", "5", [{"n": 1, "x": 5}, {"n": 2, "x": 5}]),
]


@pytest.mark.parametrize(("group", "expression", "expected"), NULLS)
def test_the_kind_of_an_aggregate_says_whether_it_may_be_null(
    tmp_path: Path, group: str, expression: str, expected: list[Any]
) -> None:
    query = f"return: aggregate\n{f'group: [{group}]' if group else 'where: id == 0'}\neval:\n  x: {expression}"
    records = [{"n": 1, "total": 1}, {"n": 2, "total": 1, "status": "a", "when": 5}]
    found, kind = things(tmp_path, query, records)
    rows = found if group else [found]
    row = (kind.item if group else kind) or ANY
    assert rows == expected
    assert all(conforms(each, row) for each in rows), kind
    assert (row.fields or {})["x"].nullable == any(each["x"] is None for each in rows)


HIDDEN = """
table: thing
columns:
  id: int
  name: text
  owner?: {table: thing}
  phone?: {type: text, visibility: private}
  note?: {type: text, visibility: internal}
"""


def test_what_lies_beside_its_record_is_asked_and_stays(tmp_path: Path) -> None:
    stack = """
        endpoint: GET /it
        stack:
          - query_all_records: thing
            where: note | contains("x")
            eval: {dial: phone}
            addon: {owned: thing.owner}
            as: found
        response: $found
    """
    made = program(tmp_path, {"thing": HIDDEN, "it": stack})
    records = [{"name": "a", "phone": "1", "note": "x"}, {"name": "b", "owner": 1, "phone": "2", "note": "y"}]
    asyncio.run(fill(made, {"thing": records}))
    owned = {"id": 2, "name": "b", "owner": 1}
    assert answer(made, "GET /it") == [{"id": 1, "name": "a", "owner": None, "dial": "1", "owned": [owned]}]


@pytest.mark.parametrize(
    "clause",
    [
        "eval: {x: note}",
        "eval: {x: owned.note}",
        "return: aggregate\ngroup: {x: note}\neval: {n: id | count}",
        "return: aggregate\neval: {x: note | unique | count}",
        "sort: {note: asc}",
        "sort: {phone: asc}",
        "filterable: [phone]",
        "sortable: [note]",
    ],
)
def test_what_lies_beside_its_record_is_neither_computed_nor_open(tmp_path: Path, clause: str) -> None:
    join = "join: {owned: {table: thing, where: owned.owner == id}}\n"
    lines = (join + clause).replace("\n", "\n    ")
    stack = f"endpoint: GET /it\nstack:\n  - query_all_records: thing\n    {lines}\n    as: found\nresponse: $found\n"
    assert {each.code for each in checked(tmp_path, {"thing": HIDDEN, "it": stack}).errors} == {"SW231"}


UNSHOWN: list[tuple[str, str, Any]] = [
    ("", "$r | count", 2),
    ("", "$r", [{}, {}]),
    ("sort: {name: desc}\npage: 2\nper_page: 1", "$r.items", [{}]),
    ("per_page: 1\ntotals: true", "$r.itemsTotal", 2),
    ("after: null\nper_page: 1", "$r.items", [{}]),
    ("return: first", "$r", {}),
    ("return: first\nwhere: id == 0", "$r", None),
    ("distinct: true", "$r", [{}]),
    ("distinct: true\nreturn: count", "$r", 1),
    ("distinct: true\npage: 1\ntotals: true", "$r.itemsTotal", 1),
    ("addon: {owned: {table: thing, on: {owner: id}, return: count}}", "$r", [{"owned": 1}, {"owned": 0}]),
    ("return: first\naddon: {owned: {table: thing, on: {owner: id}, output: [phone]}}", "$r", {"owned": [{}]}),
]


@pytest.mark.parametrize("column", ["phone", "note"])
@pytest.mark.parametrize(("clauses", "response", "expected"), UNSHOWN)
def test_a_record_may_show_nothing(tmp_path: Path, clauses: str, response: str, expected: Any, column: str) -> None:
    """All that is asked of it lies beside it, and is never read."""
    lines = f"output: [{column}]\n{clauses}".replace("\n", "\n    ")
    stack = f"endpoint: GET /it\nstack:\n  - query_all_records: thing\n    {lines}\n    as: r\nresponse: {response}\n"
    made = program(tmp_path, {"thing": HIDDEN, "it": stack})
    asyncio.run(fill(made, {"thing": [{"name": "a", "phone": "1"}, {"name": "b", "owner": 1}]}))
    assert answer(made, "GET /it") == expected


def test_distinct_records_are_told_apart_by_what_they_show(tmp_path: Path) -> None:
    stack = """
        endpoint: GET /it
        stack:
          - query_all_records: user
            output: [name, password]
            distinct: true
            as: found
          - validate_password: x
            against: $found[0].password
            as: right
        response: $right
    """
    (problem,) = checked(tmp_path, {**TABLES, "it": stack}).problems
    assert problem.message == "unknown column 'password' of a user record"
