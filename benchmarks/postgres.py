"""`python -m benchmarks.postgres URL`: reads by a unique column, a compiled step beside what is asked of asyncpg bare.

The URL is that of a PostgreSQL database to make a schema in, which is dropped again.
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
ROUNDS = 5
RECORDS = 1000
USER = "table: user\ncolumns: {id: int, name: text, email: {type: email, unique: true}, n: int}\n"
READ = (
    "endpoint: POST /read\ninput: {email: email}\nstack:\n"
    "  - get_record: user\n    where: {email: $input.email}\n    as: user\nresponse: $user\n"
)
BARE = 'SELECT "id", "name", "email", "n" FROM "user" WHERE "email" = $1'

Ask = Callable[[str], Awaitable[Any]]


def email(number: int) -> str:
    return f"user{number % RECORDS}@example.com"


async def rate(ask: Ask, at_once: int) -> float:
    """Reads a second, of so many tasks at once."""

    async def work(start: int) -> None:
        for number in range(start, READS, at_once):
            assert await ask(email(number)) is not None

    begun = time.perf_counter()
    await asyncio.gather(*map(work, range(at_once)))
    return READS / (time.perf_counter() - begun)


async def compare(url: DatabaseUrl, folder: Path, at_once: int) -> dict[str, float]:
    """The median rates by who asks; in turns, so that all have the same weather."""
    checked = check_folder(folder)
    services = Services(store=PostgresStore(checked.workspace.tables, url))
    endpoint = build(checked, services).endpoints[0]
    plan = endpoint.plan
    connections = [await asyncpg.connect(url.reveal()) for _ in range(at_once)]
    idle = [await each.prepare(BARE) for each in connections]

    async def step(address: str) -> Any:
        return await perform(plan, services.run(), {"email": address}, None)

    async def bare(address: str) -> Any:
        statement = idle.pop()
        row = await statement.fetchrow(address)
        idle.append(statement)
        return dict(row)

    found: dict[str, list[float]] = {"asyncpg": [], "get_record": []}
    for _ in range(ROUNDS):
        found["asyncpg"].append(await rate(bare, at_once))
        found["get_record"].append(await rate(step, at_once))
    await services.store.close()
    for each in connections:
        await each.close()
    return {name: statistics.median(rates) for name, rates in found.items()}


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
        uvloop.run(execute(base, f"CREATE SCHEMA {schema}"))
        try:
            PostgresStore.update(url, check_folder(folder).workspace.tables)
            uvloop.run(fill(url, folder))
            for at_once in (1, 8, 16):
                rates = uvloop.run(compare(url, folder, at_once))
                said = ", ".join(f"{who} {each:,.0f}/s" for who, each in rates.items())
                print(f"{at_once:>2} at once: {said} ({rates['get_record'] / rates['asyncpg']:.2f})")
        finally:
            uvloop.run(execute(base, f"DROP SCHEMA {schema} CASCADE"))


async def execute(base: str, sql: str) -> None:
    connection = await asyncpg.connect(base)
    await connection.execute(sql)
    await connection.close()


if __name__ == "__main__":
    main()
