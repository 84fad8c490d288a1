"""`python -m benchmarks.database`: steps that read, against the statements that a good programmer would write."""

from __future__ import annotations

import asyncio
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.compile import Compiler
from engine.program import check_folder
from engine.run import Services
from engine.store import reader
from engine.store.sqlite import SqliteStore

RECORDS = 100_000
FILES = {
    "user": """
table: user
columns: {id: int, name: text, email: {type: email, unique: true}}
""",
    "post": """
table: post
columns:
  id: int
  user_id: {table: user}
  created_at: timestamp
  status: {type: enum, values: [draft, open, closed]}
  title: text
indexes:
  - {columns: [created_at]}
  - {columns: [status, created_at]}
""",
    "one": """
endpoint: GET /one
input: {email: email}
stack:
  - get_record: user
    where: {email: $input.email}
    as: user
response: $user
""",
    "page": """
endpoint: GET /page
stack:
  - query_all_records: post
    sort: {created_at: desc}
    page: 1
    per_page: 20
    as: posts
response: $posts
""",
    "after": """
endpoint: GET /after
input: {after: text}
stack:
  - query_all_records: post
    sort: {created_at: desc}
    after: $input.after
    per_page: 20
    as: posts
response: $posts
""",
    "optional": """
endpoint: GET /optional
input: {status?: text, "user_id?": int}
stack:
  - query_all_records: post
    where: status ==? $input.status and user_id ==? $input.user_id
    sort: {created_at: desc}
    per_page: 20
    as: posts
response: $posts
""",
    "addon": """
endpoint: GET /addon
stack:
  - query_all_records: post
    per_page: 100
    addon: {author: user_id}
    metadata: false
    as: posts
response: $posts
""",
    "scan": """
endpoint: GET /scan
stack:
  - query_all_records: post
    where: title | icontains("nowhere")
    return: count
    as: n
response: $n
""",
}
POST = "id, user_id, created_at, status, title"


def drive(coroutine: Any) -> Any:
    """Runs a coroutine that waits for nothing to its end."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited")


def row(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], wanted: float | None = None) -> None:
    """The least times of both, measured in turns, so that a busy machine slows both."""
    count = max(1, int(0.01 / timeit.timeit(theirs, number=1)))
    pairs = [(timeit.timeit(ours, number=count), timeit.timeit(theirs, number=count)) for _ in range(40)]
    mine, other = (min(column) / count * 1e6 for column in zip(*pairs, strict=True))
    goal = f" (to reach: {wanted})" if wanted else ""
    print(f"{name:<44}{mine:>10.2f} µs{other:>10.2f} µs  {mine / other:5.2f}{goal}")


def fill(store: SqliteStore) -> None:
    connection = store.writer.connection
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO user (id, name, email) VALUES (?1, 'user ' || ?1, 'user' || ?1 || '@example.com')",
        [(place,) for place in range(1, 1001)],
    )
    states = ("draft", "open", "closed")
    connection.executemany(
        "INSERT INTO post (user_id, created_at, status, title) VALUES (?, ?, ?, ?)",
        [
            (place % 1000 + 1, 1_700_000_000_000 + place * 7919 % RECORDS, states[place % 3], f"post {place}")
            for place in range(RECORDS)
        ],
    )
    connection.execute("COMMIT")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in FILES.items():
            (folder / f"{file}.yaml").write_text(text)
        checked = check_folder(folder)
        assert not checked.errors, checked.errors
        store = SqliteStore.open(folder / "data.sqlite3", checked.workspace.tables, "OFF")
        fill(store)
        compiler = Compiler(checked, store)
        plans = {each.path: compiler.endpoint(each) for each in checked.workspace.endpoints}
        compare(store, plans)
        asyncio.run(store.close())


def compare(store: SqliteStore, plans: dict[str, Any]) -> None:
    run = Services(store=store).run()
    execute = store.reader.execute

    def ours(path: str, **given: Any) -> Any:
        made = plans[path].function(run, given, None)
        return drive(made) if plans[path].is_async else made

    def posts(sql: str, *values: object) -> list[dict[str, object]]:
        return [
            {"id": a, "user_id": b, "created_at": c, "status": d, "title": e} for a, b, c, d, e in execute(sql, values)
        ]

    def one() -> Any:
        found = execute("SELECT id, name, email FROM user WHERE email = ?", ("user500@example.com",)).fetchone()
        return None if found is None else {"id": found[0], "name": found[1], "email": found[2]}

    def page() -> Any:
        items = posts(f"SELECT {POST} FROM post ORDER BY created_at DESC, id DESC LIMIT 21 OFFSET 0")
        return {"items": items[:20], "curPage": 1, "nextPage": 2 if len(items) > 20 else None}

    def deep() -> Any:
        return posts(f"SELECT {POST} FROM post ORDER BY created_at DESC, id DESC LIMIT 21 OFFSET 90000")

    def by_status() -> Any:
        return posts(f"SELECT {POST} FROM post WHERE status = ? ORDER BY created_at DESC, id DESC LIMIT 21", "open")

    def with_authors() -> Any:
        items = posts(f"SELECT {POST} FROM post ORDER BY id LIMIT 101")[:100]
        ids = list({item["user_id"] for item in items})
        marks = ", ".join("?" * len(ids))
        found = {a: {"id": a, "name": b, "email": c} for a, b, c in execute(
            f"SELECT id, name, email FROM user WHERE id IN ({marks})", ids)}  # fmt: skip
        for item in items:
            item["author"] = found.get(item["user_id"])
        return items

    assert ours("/one", email="user500@example.com") == one()
    assert ours("/page")["items"] == page()["items"]
    assert ours("/addon") == with_authors()
    inline, reader.INLINE_SECONDS = reader.INLINE_SECONDS, 1.0  # a pause of a busy machine is no long read
    position = ours("/after", after=None)["nextAfter"]
    print(f"{'':<44}{'ours':>13}{'by hand':>13}  ratio, over {RECORDS:,} records")
    row("get by a unique column", lambda: ours("/one", email="user500@example.com"), one, 1.3)
    row("page of 20 by an indexed sort", lambda: ours("/page"), page, 1.3)
    row("page of 20 by position, against OFFSET 90000", lambda: ours("/after", after=position), deep)
    row("20 of a status, the other ==? dropped", lambda: ours("/optional", status="open", user_id=None), by_status, 1.3)
    row("addon on 100 records", lambda: ours("/addon"), with_authors, 1.3)
    print(f"queries of the addon on 100 records: {queries(store, lambda: ours('/addon'))} (to reach: 2)")
    reader.INLINE_SECONDS = inline
    asyncio.run(beside(store, plans))


def queries(store: SqliteStore, call: Callable[[], Any]) -> int:
    asked: list[str] = []
    store.reader.set_trace_callback(asked.append)
    call()
    store.reader.set_trace_callback(None)
    return len(asked)


async def beside(store: SqliteStore, plans: dict[str, Any]) -> None:
    """How long the event loop is held while whole tables are read."""
    services, loop = Services(store=store), asyncio.get_running_loop()
    scans = [asyncio.create_task(plans["/scan"].function(services.run(), {}, None)) for _ in range(8)]
    longest, started = 0.0, loop.time()
    while not all(scan.done() for scan in scans):
        before = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - before)
    took = (loop.time() - started) / len(scans) * 1000
    print(f"a scan of all takes {took:.0f} ms; the event loop was held for at most {longest * 1000:.1f} ms meanwhile")


if __name__ == "__main__":
    main()
