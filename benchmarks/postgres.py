"""`python -m benchmarks.postgres URL`: reads by a unique column, and pages with their totals.

Compiled steps are compared with what is asked of asyncpg bare. The URL is that of a PostgreSQL database to make a
schema in, which is dropped again.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from engine.program import build, check_folder
from engine.run import Services, perform
from engine.store.postgres import PostgresStore
from engine.store.url import DatabaseUrl

READS = 20_000
PAGES = 4_000
ROUNDS = 5
RECORDS = 1000
USER = "table: user\ncolumns: {id: int, name: text, email: {type: email, unique: true}, n: int}\n"
READ = (
    "endpoint: POST /read\ninput: {email: email}\nstack:\n"
    "  - get_record: user\n    where: {email: $input.email}\n    as: user\nresponse: $user\n"
)
PAGE = (
    "endpoint: POST /page\ninput: {email: email}\nstack:\n"
    "  - query_all_records: user\n    where: email >= $input.email\n    sort: {email: asc}\n    per_page: 20\n"
    "    totals: true\n    as: users\nresponse: $users\n"
)
BARE = 'SELECT "id", "name", "email", "n" FROM "user" WHERE "email" = $1'
BARE_PAGE = 'SELECT "id", "name", "email", "n" FROM "user" WHERE "email" >= $1 ORDER BY "email", "id" LIMIT 21 OFFSET 0'
BARE_TOTAL = 'SELECT count(*) FROM "user" WHERE "email" >= $1'

Ask = Callable[[str], Awaitable[Any]]


def email(number: int) -> str:
    return f"user{number % RECORDS:03}@example.com"


async def rate(ask: Ask, at_once: int, reads: int) -> float:
    """Reads a second, of so many tasks at once."""

    async def work(start: int) -> None:
        for number in range(start, reads, at_once):
            assert await ask(email(number)) is not None

    begun = time.perf_counter()
    await asyncio.gather(*map(work, range(at_once)))
    return reads / (time.perf_counter() - begun)


async def compare(url: DatabaseUrl, folder: Path, at_once: int) -> dict[str, dict[str, float]]:
    """The median rates by what is asked and who asks; in turns, so that all have the same weather."""
    checked = check_folder(folder)
    services = Services(store=PostgresStore(checked.workspace.tables, url))
    plans = {each.endpoint.path: each.plan for each in build(checked, services).endpoints}
    connections = [await asyncpg.connect(url.reveal()) for _ in range(at_once)]
    idle = [[await each.prepare(sql) for sql in (BARE, BARE_PAGE, BARE_TOTAL)] for each in connections]

    def stack(path: str) -> Ask:
        async def ask(address: str) -> Any:
            return await perform(plans[path], services.run(), {"email": address}, None)

        return ask

    async def read(address: str) -> Any:
        statements = idle.pop()
        row = await statements[0].fetchrow(address)
        idle.append(statements)
        return dict(row)

    async def page(address: str) -> Any:
        statements = idle.pop()
        rows, total = await statements[1].fetch(address), await statements[2].fetchval(address)
        idle.append(statements)
        items = [dict(row) for row in rows[:20]]
        return {"items": items, "itemsTotal": total, "nextPage": 2 if len(rows) > 20 else None}

    asked = {"read": (read, stack("/read"), READS), "page": (page, stack("/page"), PAGES)}
    found: dict[str, dict[str, list[float]]] = {name: {"asyncpg": [], "stack": []} for name in asked}
    for _ in range(ROUNDS):
        for name, (bare, compiled, reads) in asked.items():
            found[name]["asyncpg"].append(await rate(bare, at_once, reads))
            found[name]["stack"].append(await rate(compiled, at_once, reads))
    await services.store.close()
    for each in connections:
        await each.close()
    return {name: {who: statistics.median(rates) for who, rates in each.items()} for name, each in found.items()}


async def fill(url: DatabaseUrl, folder: Path) -> None:
    store = PostgresStore(check_folder(folder).workspace.tables, url)
    run = Services(store=store).run()
    await store.load(run, "user", [{"name": "Ada", "email": email(n), "n": n} for n in range(RECORDS)])
    await run.db.commit()
    await store.close()


def main() -> None:
    base = sys.argv[1]
    schema = f"bench_{time.time_ns()}"
    url = DatabaseUrl.parse(f"{base}{'&' if '?' in base else '?'}search_path={schema}&connections=16")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "user.yaml").write_text(USER)
        (folder / "read.yaml").write_text(READ)
        (folder / "page.yaml").write_text(PAGE)
        uvloop.run(execute(base, f"CREATE SCHEMA {schema}"))
        try:
            PostgresStore.update(url, check_folder(folder).workspace.tables)
            uvloop.run(fill(url, folder))
            for at_once in (1, 8, 16):
                for name, rates in uvloop.run(compare(url, folder, at_once)).items():
                    said = ", ".join(f"{who} {each:,.0f}/s" for who, each in rates.items())
                    print(f"{name}, {at_once:>2} at once: {said} ({rates['stack'] / rates['asyncpg']:.2f})")
        finally:
            uvloop.run(execute(base, f"DROP SCHEMA {schema} CASCADE"))


async def execute(base: str, sql: str) -> None:
    connection = await asyncpg.connect(base)
    await connection.execute(sql)
    await connection.close()


if __name__ == "__main__":
    main()
