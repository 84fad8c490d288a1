"""The steps that write beside a model of a table: the same answers, the same faults, the same records afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from textwrap import indent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import program

from engine.errors import Fault
from engine.program import Program
from engine.run import perform

pytestmark = pytest.mark.usefixtures("storage")

ROW = """
    table: row
    columns:
      id: int
      k: {type: text, unique: true}
      n: {type: int, default: 1, min: 0}
    checks: [n != 3]
"""
STEPS = {
    "add": "add_record: row\ndata: {k: $input.k, n: $input.n}\nas: made",
    "edit": "edit_record: row\nwhere: {id: $input.id}\ndata: {n: $input.n}\nas: made",
    "patch": "patch_record: row\nwhere: {id: $input.id}\ndata: $input.data\nas: made",
    "put": "add_or_edit_record: row\nwhere: {k: $input.k}\ndata: {n: $input.n}\nas: made",
    "drop": "delete_record: row\nwhere: {id: $input.id}",
    "add_all": "bulk_add_records: row\nitems: $input.items\nas: made",
    "edit_all": "bulk_edit_records: row\nwhere: n == $input.from\ndata: {n: $input.n}\nas: made",
    "patch_all": "bulk_patch_records: row\nitems: $input.items\nas: made",
    "drop_all": "bulk_delete_records: row\nwhere: n == $input.n\nas: made",
    "empty": "truncate_table: row",
}

ENDPOINT = """\
endpoint: POST /{}
input:
  id: {{type: int, default: 1}}
  k: {{type: text, default: a}}
  n: {{type: int, default: 1}}
  from: {{type: int, default: 1}}
  data: {{type: json, default: {{}}}}
  items: {{type: json, default: []}}
stack:
- {}
response: {}
"""
MADE = {True: "$made", False: "null"}

Row = dict[str, Any]
KEYS, NUMBERS, IDS = st.sampled_from("abcde"), st.integers(-1, 4), st.integers(1, 6)
CHANGES = st.fixed_dictionaries({}, optional={"k": KEYS, "n": NUMBERS})
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.fixed_dictionaries({"k": KEYS, "n": NUMBERS})),
    st.tuples(st.just("edit"), st.fixed_dictionaries({"id": IDS, "n": NUMBERS})),
    st.tuples(st.just("patch"), st.fixed_dictionaries({"id": IDS, "data": CHANGES})),
    st.tuples(st.just("put"), st.fixed_dictionaries({"k": KEYS, "n": NUMBERS})),
    st.tuples(st.just("drop"), st.fixed_dictionaries({"id": IDS})),
    st.tuples(
        st.just("add_all"),
        st.fixed_dictionaries(
            {"items": st.lists(st.fixed_dictionaries({"k": KEYS}, optional={"n": NUMBERS}), max_size=3)}
        ),
    ),
    st.tuples(st.just("edit_all"), st.fixed_dictionaries({"from": NUMBERS, "n": NUMBERS})),
    st.tuples(
        st.just("patch_all"),
        st.fixed_dictionaries(
            {"items": st.lists(st.builds(lambda id_, data: {"id": id_, **data}, IDS, CHANGES), max_size=3)}
        ),
    ),
    st.tuples(st.just("drop_all"), st.fixed_dictionaries({"n": NUMBERS})),
    st.tuples(st.just("empty"), st.just({})),
)


class Refusal(Exception):
    """What the model refuses, under the name of the fault."""


class Model:
    """A table as a dictionary by id; `last` is the greatest id that was ever kept."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.last = 0

    def apply(self, name: str, given: Row) -> Any:
        before = ({key: dict(row) for key, row in self.rows.items()}, self.last)
        try:
            return getattr(self, name)(**given)
        except Refusal:
            self.rows, self.last = before
            raise

    def kept(self, row: Row) -> Row:
        """`row`, put into its place; the rules of a column come first, then the unique constraint, then the table's."""
        if row["n"] < 0:
            raise Refusal("input_error")
        if any(other["k"] == row["k"] and key != row["id"] for key, other in self.rows.items()):
            raise Refusal("conflict")
        if row["n"] == 3:
            raise Refusal("input_error")
        self.rows[row["id"]] = row
        self.last = max(self.last, row["id"])
        return dict(row)

    def add(self, k: str, n: int = 1) -> Row:
        return self.kept({"id": self.last + 1, "k": k, "n": n})

    def patch(self, id: int, data: Row) -> Row:
        if data.get("n", 0) < 0:
            raise Refusal("input_error")
        if id not in self.rows:
            raise Refusal("not_found")
        return self.kept({**self.rows[id], **data})

    def edit(self, id: int, n: int) -> Row:
        return self.patch(id, {"n": n})

    def put(self, k: str, n: int) -> Row:
        found = next((key for key, row in sorted(self.rows.items()) if row["k"] == k), None)
        return self.add(k, n) if found is None else self.patch(found, {"n": n})

    def drop(self, id: int) -> None:
        if self.rows.pop(id, None) is None:
            raise Refusal("not_found")

    def add_all(self, items: list[Row]) -> list[Row]:
        return self.every(lambda item: self.add(**item), items)

    def patch_all(self, items: list[Row]) -> list[Row]:
        return self.every(
            lambda item: self.patch(item["id"], {name: item[name] for name in item if name != "id"}), items
        )

    def every(self, work: Any, items: list[Row]) -> list[Row]:
        """All of them or none; of several faults the most basic one counts."""
        made, refused = [], []
        # Columns are looked at before anything is written.
        bad = [item for item in items if item.get("n", 0) < 0]
        for item in items:
            try:
                made += [] if item in bad else [work(item)]
            except Refusal as refusal:
                refused.append(str(refusal))
        refused += ["input_error"] * len(bad)
        for name in ("input_error", "conflict", "not_found"):
            if name in refused:
                raise Refusal(name)
        return made

    def edit_all(self, n: int, **other: int) -> int:
        if n < 0:
            raise Refusal("input_error")
        return len([self.patch(key, {"n": n}) for key, row in list(self.rows.items()) if row["n"] == other["from"]])

    def drop_all(self, n: int) -> int:
        gone = [key for key, row in self.rows.items() if row["n"] == n]
        for key in gone:
            del self.rows[key]
        return len(gone)

    def empty(self) -> None:
        self.rows.clear()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    files = {
        name: ENDPOINT.format(name, indent(step, "  ")[2:], MADE["as: made" in step]) for name, step in STEPS.items()
    }
    made = program(tmp_path_factory.mktemp("model"), {"row": ROW, **files})
    yield made
    asyncio.run(made.services.store.close())


@settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(OPERATIONS, max_size=12))
def test_the_steps_do_what_the_model_does(running: Program, operations: list[tuple[str, Row]]) -> None:
    model, store = Model(), running.services.store
    endpoints = {each.endpoint.path[1:]: each for each in running.endpoints}

    async def run() -> None:
        await store.clear()
        for name, values in operations:
            compiled = endpoints[name]
            try:
                wanted: Any = model.apply(name, values)
            except Refusal as refusal:
                wanted = refusal
            try:
                given: Any = await perform(
                    compiled.plan, running.services.run(), compiled.shape.bind(dict(values)), None
                )
            except Fault as fault:
                assert isinstance(wanted, Refusal) and fault.name == str(wanted), (name, values, fault, wanted)
            else:
                assert given == wanted, (name, values, wanted)
            assert (await store.dump("row")) == [model.rows[key] for key in sorted(model.rows)]

    asyncio.run(run())
