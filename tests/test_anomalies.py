"""The anomalies of runs at once, by their names: none of them is seen, on either storage, whatever a stack says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from support import program

from engine.errors import Fault
from engine.run import perform
from tests.live import serving

pytestmark = pytest.mark.usefixtures("storage")

Records = Mapping[str, list[dict[str, Any]]]

ROW = """
    table: row
    columns:
      id: int
      k?: {type: text, unique: true}
      code?: {type: text, unique: true, sensitive: true}
      name: {type: text, default: x}
      n: {type: int, default: 0}
"""
PERSON = """
    table: person
    columns: {id: int, boss_id?: {table: person, on_delete: set_null}, n: {type: int, default: 0}}
"""
PART = """
    table: part
    columns: {id: int, row_id: {table: row, on_delete: cascade}}
"""
SLOT = """
    table: slot
    columns: {id: int, room: int, start: int, end: int}
"""


def endpoint(name: str, stack: str, response: str = "null", head: str = "") -> str:
    return f"endpoint: POST /{name}\n{head}stack:\n{stack}\nresponse: {response}\n"


LIKE = endpoint(
    "like",
    """
  - get_record: row
    where: {id: 1}
    as: row
  - precondition: $row != null
  - edit_record: row
    where: {id: 1}
    data: {n: $row.n + 1}""",
)
ONLY = endpoint(
    "only",
    """
  - has_record: row
    where: {name: only}
    as: there
  - precondition: not $there
    error: conflict
  - add_record: row
    data: {name: only}""",
)
BOOK = endpoint(
    "book",
    """
  - query_all_records: slot
    where: room == 1 and start < 12 and end > 11
    return: exists
    as: taken
  - precondition: not $taken
    error: conflict
  - add_record: slot
    data: {room: 1, start: 11, end: 12}""",
)
LEAVE = endpoint(
    "leave/{id}",
    """
  - query_all_records: row
    where: name == "on call"
    return: count
    as: count
  - sleep: 0.002
  - precondition: $count > 1
    error: conflict
  - edit_record: row
    where: {id: $input.id}
    data: {name: off}""",
    head="input: {id: int}\n",
)
MOVE = endpoint(
    "move",
    """
  - get_record: row
    where: {id: 1}
    as: from
  - get_record: row
    where: {id: 2}
    as: to
  - precondition: $from != null and $to != null
  - edit_record: row
    where: {id: 1}
    data: {n: $from.n - 1}
  - edit_record: row
    where: {id: 2}
    data: {n: $to.n + 1}""",
)
LOOK = endpoint(
    "look",
    """
  - get_record: row
    where: {id: 1}
    as: from
  - sleep: 0.003
  - get_record: row
    where: {id: 2}
    as: to""",
    "'${($from?.n ?? 0) + ($to?.n ?? 0)}'",
)
COUNT = endpoint(
    "count",
    """
  - query_all_records: part
    where: {row_id: 1}
    return: count
    as: parts
  - sleep: 0.003
  - edit_record: row
    where: {id: 2}
    data: {n: $parts}
  - has_record: row
    where: {id: 1}
    as: there""",
    "{parts: $parts, there: $there}",
)
DROP = endpoint("drop", "  - delete_record: row\n    where: {id: 1}")
TAKE = endpoint(
    "take",
    """
  - get_record: row
    where: {k: a}
    as: owner
  - sleep: 0.002
  - precondition: $owner == null
    error: conflict
  - add_record: row
    data: {k: a, name: new}""",
)
FREE = endpoint("free", "  - edit_record: row\n    where: {k: a}\n    data: {k: b}", "1")
STEPWISE = endpoint(
    "stepwise",
    """
  - add_record: slot
    data: {room: 1, start: 1, end: 2}
  - transaction:
      - get_record: row
        where: {id: 1}
        as: row
      - precondition: $row != null
      - edit_record: row
        where: {id: 1}
        data: {n: $row.n + 1}""",
    head="atomic: false\n",
)
BOSS = endpoint(
    "boss",
    """
  - query_all_records: person
    where: id == 1
    join: {boss: {table: person, where: boss.id == boss_id}}
    eval: {m: boss.n}
    return: first
    as: person
  - sleep: 0.002
  - edit_record: person
    where: {id: 2}
    data: {n: "${($person?.m ?? 0) + 1}"}""",
)
READ_N = "function: n\nreturns: int\nstack:\n  - get_record: row\n    where: {id: 1}\n    as: row\n  - return: $row?.n ?? 0\n"
BUMP = """
    function: bump
    stack:
      - run_function: n
        as: n
      - edit_record: row
        where: {id: 1}
        data: {n: $n + 1}
"""
BY_FUNCTION = endpoint("by_function", "  - run_function: bump")
FUNCTION_STEPWISE = endpoint("function_stepwise", "  - run_function: bump", head="atomic: false\n")
SET_UP = endpoint(
    "set_up",
    """
  - bulk_add_records: row
    items:
      - {k: a, name: on call, n: 100}
      - {k: c, name: on call}
  - bulk_add_records: part
    items: [{row_id: 1}, {row_id: 1}]
  - bulk_add_records: person
    items: [{n: 0}, {n: 0}]
  - edit_record: person
    where: {id: 1}
    data: {boss_id: 2}""",
)
FILES = {
    "row": ROW, "person": PERSON, "part": PART, "slot": SLOT, "boss": BOSS, "n": READ_N, "bump": BUMP,
    "like": LIKE, "only": ONLY, "book": BOOK, "leave": LEAVE, "move": MOVE, "look": LOOK, "count": COUNT,
    "drop": DROP, "take": TAKE, "free": FREE, "stepwise": STEPWISE, "by_function": BY_FUNCTION,
    "function_stepwise": FUNCTION_STEPWISE, "set_up": SET_UP,
}  # fmt: skip


@dataclass
class Anomaly:
    """Runs at once, each a stack and its input, and what must hold of their answers and of the records afterwards."""

    runs: Sequence[tuple[str, Mapping[str, Any]]]
    holds: Callable[[list[Any], Records], bool]


def times(count: int, name: str, **given: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, given)] * count


def field(records: Records, id: int, name: str) -> Any:
    return next(row[name] for row in records["row"] if row["id"] == id)


def of_count(answer: Any, records: Records) -> bool:
    """Two parts of a row that is there, or none of one that isn't; a row that went before it was counted is no error."""
    return (
        answer in ({"parts": 2, "there": True}, {"parts": 0, "there": False})
        and field(records, 2, "n") == answer["parts"]
    )


ANOMALIES = {
    "lost update": Anomaly(times(40, "like"), lambda answers, left: field(left, 1, "n") == 140 and not any(answers)),
    "phantom": Anomaly(
        times(40, "only"),
        lambda answers, left: answers.count("conflict") == 39 and len([1 for r in left["row"] if r["name"] == "only"]) == 1,
    ),
    "phantom in a range": Anomaly(
        times(30, "book"), lambda answers, left: answers.count("conflict") == 29 and len(left["slot"]) == 1
    ),
    "write skew": Anomaly(
        [("leave/{id}", {"id": 1}), ("leave/{id}", {"id": 2})] * 3,
        lambda answers, left: len([1 for row in left["row"] if row["name"] == "on call"]) == 1,
    ),
    "read skew": Anomaly(
        [*times(20, "move"), *times(20, "look")], lambda answers, left: {a for a in answers if a is not None} == {100}
    ),
    "a cascade that is read": Anomaly(
        [*times(1, "count"), *times(1, "drop")], lambda answers, left: of_count(answers[0], left)
    ),
    "a unique value that is freed and taken": Anomaly(
        [*times(3, "take"), *times(1, "free"), *times(3, "take")],
        lambda answers, left: {row["k"] for row in left["row"]} in ({"b", "c"}, {"a", "b", "c"}),
    ),
    # On PostgreSQL a run that was committed in part can't begin again, and is told so.
    "a transaction with atomic: false": Anomaly(
        times(40, "stepwise"),
        lambda answers, left: field(left, 1, "n") == 100 + answers.count(None) and len(left["slot"]) == 40,
    ),
    "a record that is joined to another of its table": Anomaly(
        times(20, "boss"), lambda answers, left: left["person"][1]["n"] == 20
    ),
    "a lost update through functions": Anomaly(
        times(40, "by_function"), lambda answers, left: field(left, 1, "n") == 140
    ),
    "a function with atomic: false": Anomaly(
        times(40, "function_stepwise"), lambda answers, left: field(left, 1, "n") == 100 + answers.count(None)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANOMALIES)
def test_no_run_at_once_sees(tmp_path: Path, name: str, storage: str) -> None:
    made, anomaly = program(tmp_path, FILES), ANOMALIES[name]
    endpoints = {each.endpoint.path[1:]: each for each in made.endpoints}

    async def call(path: str, given: Mapping[str, Any]) -> Any:
        compiled = endpoints[path]
        try:
            return await perform(compiled.plan, made.services.run(), compiled.shape.bind(dict(given)), None)
        except Fault as fault:
            return fault.name

    async def run() -> None:
        for _ in range(3):  # what gets in each other's way differs
            await made.services.store.clear()
            await call("set_up", {})
            answers = list(await asyncio.gather(*(call(path, given) for path, given in anomaly.runs)))
            left = {table: await made.services.store.dump(table) for table in ("row", "person", "part", "slot")}
            assert anomaly.holds(answers, left), (answers, left)
            assert storage != "sqlite" or "unavailable" not in answers

    asyncio.run(run())


LEDGER = {
    "ledger": "table: ledger\ncolumns: {id: int, day: int}\n",
    "sale": "table: sale\ncolumns: {id: int, day: int}\n",
    "open": endpoint("open", "  - add_record: ledger\n    data: {day: 1}"),
    "sell": endpoint(
        "sell",
        """
  - get_record: ledger
    where: {id: 1}
    as: ledger
  - precondition: $ledger != null
  - sleep: 0.05
  - add_record: sale
    data: {day: $ledger.day}""",
    ),
    "close": endpoint(
        "close",
        """
  - get_record: ledger
    where: {id: 1}
    as: ledger
  - precondition: $ledger != null
  - edit_record: ledger
    where: {id: 1}
    data: {day: $ledger.day + 1}""",
    ),
    "report": endpoint(
        "report",
        """
  - get_record: ledger
    where: {id: 1}
    as: ledger
  - precondition: $ledger != null
  - query_all_records: sale
    where: day < $ledger.day
    return: count
    as: count""",
        "$count",
    ),
}


def test_a_report_of_a_day_that_is_closed_stays_true(tmp_path: Path) -> None:
    """The anomaly of a run that only reads: Fekete, O'Neil and O'Neil, SIGMOD Record 33(3), 2004."""
    made = program(tmp_path, LEDGER)
    endpoints = {each.endpoint.path[1:]: each for each in made.endpoints}

    async def call(path: str) -> Any:
        return await perform(endpoints[path].plan, made.services.run(), endpoints[path].shape.bind({}), None)

    async def run() -> None:
        await call("open")
        selling = asyncio.create_task(call("sell"))
        await asyncio.sleep(0.02)
        await call("close")
        reported = await call("report")
        await selling
        assert await call("report") == reported

    asyncio.run(run())


SERVED = {
    "like": ({200: 40}, "SELECT n FROM row WHERE id = 1", [(140,)]),
    "only": ({200: 1, 409: 39}, "SELECT count(*) FROM row WHERE name = 'only'", [(1,)]),
    "book": ({200: 1, 409: 39}, "SELECT count(*) FROM slot", [(1,)]),
}


def test_forty_requests_at_once_to_a_server(tmp_path: Path) -> None:
    with serving(tmp_path, FILES) as live:
        with live.client() as client:
            assert client.post("/api:main/set_up").status_code == 200
        for name, (wanted, sql, rows) in SERVED.items():
            path = f"/api:main/{name}"
            answers = live.together(lambda client, path=path: [client.post(path) for _ in range(40)])  # type: ignore[misc]
            found = [answer.status_code for answer in answers]
            assert {status: found.count(status) for status in set(found)} == wanted, orjson.dumps(found)
            assert live.rows(sql) == rows
