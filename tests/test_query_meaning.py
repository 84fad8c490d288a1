"""An expression over columns means the same in Python and in the database: random ones, over random records."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_setup import FakeRun, open_store, parsed

import engine.filters
import engine.functions
from engine.clauses import Query, SortKey, Word
from engine.compile import compile_expression, compile_node
from engine.errors import Fault
from engine.filters import lists
from engine.infer import Inference
from engine.run import Services, as_fault
from engine.scope import Scope
from engine.store import find
from engine.store.asked import Ask
from engine.store.select import Selector
from engine.syntax import Literal, Node
from tests.storages import rows

LIBRARY = (engine.filters, engine.functions)
THING = """
table: thing
columns:
  id: int
  i: int
  j: int
  n?: int
  d: decimal
  t: text
  s?: text
  b: bool
  ts: text[]
  xs: int[]
  o: {type: object, properties: {k: int, w: text, f: bool}}
  m: json
"""
TEXTS = ["a", "A", "ab", "é", "É", "a%b", "_", "ß", " x ", "😀", "b\\"]
NUMBERS = [0, 1, -1, 2, 3, 7, -8, 255]
DECIMALS = [0.5, 1.5, -2.25, 3.0, 0.1, 100.0]
ints, decimals, texts = st.sampled_from(NUMBERS), st.sampled_from(DECIMALS), st.sampled_from(TEXTS)
scalars = ints | decimals | texts | st.booleans()
RECORDS = st.fixed_dictionaries(
    {
        "i": ints, "j": ints, "n": st.none() | ints, "d": decimals, "t": texts, "s": st.none() | texts,
        "b": st.booleans(), "ts": st.lists(texts, max_size=3), "xs": st.lists(ints, max_size=3),
        "o": st.fixed_dictionaries({"k": ints, "w": texts, "f": st.booleans()}),
        "m": st.fixed_dictionaries({"v": st.none() | scalars, "l": st.lists(scalars, max_size=3)}),
    }
)  # fmt: skip


@dataclass
class Writer:
    """Writes random expressions of a family. A column is `⟦name⟧`, which each side spells its own way."""

    draw: Callable[[st.SearchStrategy[Any]], Any]

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def write(self, family: str, depth: int) -> str:
        leaves, larger = _LEAVES[family], _LARGER[family]
        rule = self.one(*leaves, *larger, *larger) if depth > 0 else self.one(*leaves)
        return re.sub(r"\{(\w+)\}", lambda part: self.part(part[1], depth - 1), rule)

    def part(self, name: str, depth: int) -> str:
        if name in _LEAVES:
            return f"({self.write(name, depth)})"
        values = {"int_": ints, "decimal_": decimals, "text_": texts, "place": st.sampled_from([0, 1, 2, -1])}
        value = self.draw(values[name])
        return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LEAVES: Mapping[str, list[str]] = {
    "int": ["⟦i⟧", "⟦j⟧", "{int_}", "⟦n⟧ ?? {int_}", "⟦o⟧.k", "⟦xs⟧ | count"],
    "decimal": ["⟦d⟧", "{decimal_}", "⟦i⟧ / 2"],
    "text": ["⟦t⟧", "{text_}", "⟦s⟧ ?? {text_}", "⟦o⟧.w"],
    "bool": ["⟦b⟧", "⟦o⟧.f", "⟦n⟧ == null", "⟦s⟧ != {text_}", "⟦m⟧.v == {int_}", "⟦m⟧.v != {text_}", "⟦m⟧.v == true"],
}
_LARGER: Mapping[str, list[str]] = {
    "int": [
        "{int} + {int}", "{int} - {int}", "{int} * {int_}", "{int} % 7", "-{int}", "{int} | abs", "{decimal} | floor",
        "{decimal} | ceil", "{decimal} | round", "{text} | strlen", "{int} if {bool} else {int}",
    ],
    "decimal": ["{decimal} + {int}", "{int} / 4", "{decimal} | round(1)", "{decimal} | abs", "{decimal} * {decimal_}"],
    "text": [
        "{text} ~ {text}", "{text} | to_lower", "{text} | to_upper", "{text} | trim", "{text} | ltrim(' ')",
        "{text} | substr({place})", "{text} | substr({place}, {place})", "{text} | replace('a', {text_})",
        "{text} if {bool} else {text}",
    ],
    "bool": [
        "{bool} and {bool}", "{bool} or {bool}", "not {bool}", "{int} == {int}", "{int} != {decimal}", "{int} < {int}",
        "{decimal} >= {int}", "{text} == {text}", "{text} < {text}", "{text} >= {text_}", "{bool} == {bool}",
        "⟦n⟧ == {int}", "⟦s⟧ != {text}", "⟦n⟧ != null and ⟦n⟧ > {int_}", "⟦s⟧ == null or ⟦s⟧ < {text_}",
        "{int} in [1, {int_}, 7]", "{text} not in [{text_}, 'a']", "{int} in []", "{text_} in ⟦ts⟧",
        "⟦xs⟧ | contains({int_})", "⟦ts⟧ | contains({text_})", "⟦ts⟧ | overlaps([{text_}, {text_}])",
        "⟦xs⟧ | overlaps([{int_}])", "{text} | contains({text_})", "{text} | starts_with({text_})",
        "⟦t⟧ | starts_with({text_})", "{text} | ends_with({text_})", "{text} | icontains({text_})",
        "{text} | like({text_} ~ '%')", "{text} | ilike('_' ~ {text_})", "{int} | between({int_}, {int_})",
        "{text} | between({text_}, 'b')", "{text} | regex_matches('^[a-z]')", "⟦ts⟧ | is_empty", "{text} | is_empty",
        "⟦m⟧.l | contains({int_})", "⟦m⟧.l | contains({text_})", "{decimal_} in ⟦m⟧.l",
    ],
}  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn) -> str:
    return Writer(draw).write("bool", 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[Any]:
    opened = open_store(tmp_path_factory.mktemp("meaning"), THING)
    yield opened
    asyncio.run(opened.close())


async def fill(store: Any, records: list[dict[str, Any]]) -> None:
    await store.clear()
    run = FakeRun(store.session())
    await store.load(run, "thing", records)
    await run.db.commit()


def in_python(text: str, records: list[dict[str, Any]]) -> list[Any]:
    holds = compile_expression(re.sub("⟦(.*?)⟧", r"$record.\1", text), ["record"])
    run = Services().run()
    return [record["id"] for record in records if holds(run, record)]


def in_the_database(store: Any, text: str) -> list[Any]:
    node = parsed(re.sub("⟦(.*?)⟧", r"\1", text))
    table = store.tables["thing"]
    inference = Inference()
    inference.condition(node, Scope(columns=table.asked))
    assert not [problem for problem in inference.errors if problem.code != "SW216"], text
    condition = store.where(node, table, inference.kinds)
    values = condition.bound(tuple(_value(each) for each in condition.parameters))
    sql = f'SELECT "id" FROM "thing" WHERE {condition.sql} ORDER BY "id"'
    return [row[0] for row in rows(store, sql, values)]


def _value(node: Node) -> Any:
    """The value of a parameter: what has no column is the same anywhere."""
    return compile_node(node, [])(Services().run())


@settings(
    max_examples=300, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(text=conditions(), records=st.lists(RECORDS, min_size=1, max_size=4))
def test_the_database_finds_what_the_expression_holds_for(store: Any, text: str, records: list[dict[str, Any]]) -> None:
    asyncio.run(fill(store, records))
    stored = asyncio.run(store.dump("thing"))
    try:
        expected = in_python(text, stored)
    except Exception as error:
        fault = error if isinstance(error, Fault) else as_fault(error)
        assert fault is not None, text
        return
    assert in_the_database(store, text) == expected, text


WRITTEN = {"int": "i", "decimal": "d", "text": "s", "bool": "b"}  # a column of each family that takes any value of it


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str]:
    family = draw(st.sampled_from([*WRITTEN]))
    text = Writer(draw).write(family, 3)
    return WRITTEN[family], text if "⟦" in text else f"({text}) ?? ⟦{WRITTEN[family]}⟧"


def computed_in_python(text: str, record: dict[str, Any]) -> Any:
    try:
        return compile_expression(re.sub("⟦(.*?)⟧", r"$record.\1", text), ["record"])(Services().run(), record)
    except Exception as error:
        return _said(error, text)


def computed_in_the_database(store: Any, column: str, text: str, id: int) -> Any:
    table, node = store.tables["thing"], parsed(re.sub("⟦(.*?)⟧", r"\1", text))
    inference = Inference()
    inference.infer(node, Scope(columns=table.shown))
    assert not [problem for problem in inference.errors if problem.code != "SW216"], text
    by_id = store.where(parsed(f"id == {id}"), table, inference.kinds)
    computed = {column: store.computed(node, table, table.columns[column], inference.kinds)}
    edit = store.edit(table, by_id, (), (), computed)
    values = [_value(each) for each in (*by_id.parameters, *computed[column].parameters)]

    async def run() -> Any:
        one = FakeRun(store.session())
        try:
            record = await edit(one, *values)
        except Fault as fault:
            one.db.rollback()
            return _said(fault, text)
        await one.db.commit()
        return record[column]

    return asyncio.run(run())


def _said(error: Exception, text: str) -> tuple[str, str]:
    fault = error if isinstance(error, Fault) else as_fault(error)
    assert fault is not None, text
    return fault.name, fault.message


@settings(
    max_examples=300, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(edit=edits(), record=RECORDS)
def test_the_database_computes_what_the_expression_gives(
    store: Any, edit: tuple[str, str], record: dict[str, Any]
) -> None:
    column, text = edit
    asyncio.run(fill(store, [record]))
    (stored,) = asyncio.run(store.dump("thing"))
    expected = computed_in_python(text, stored)
    found = computed_in_the_database(store, column, text, stored["id"])
    assert found == expected and isinstance(found, bool) == isinstance(expected, bool), (column, text)


@settings(
    max_examples=150, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    records=st.lists(RECORDS, max_size=7),
    sort=st.lists(
        st.tuples(st.sampled_from(["i", "n", "d", "t", "s", "b"]), st.booleans()),
        max_size=3,
        unique_by=lambda key: key[0],
    ),
    least=ints,
    per_page=st.integers(1, 4),
)
def test_pages_and_positions_are_cut_from_the_sorted_list(
    store: Any, records: list[dict[str, Any]], sort: list[tuple[str, bool]], least: int, per_page: int
) -> None:
    asyncio.run(fill(store, records))
    expected = [record for record in asyncio.run(store.dump("thing")) if record["i"] >= least]
    last = sort[-1][1] if sort else False
    for name, descending in reversed([*sort, ("id", last)]):
        expected = lists.sort(expected, name, "desc" if descending else "asc")
    found = asyncio.run(paged(store, sort, least, per_page))
    assert found == (expected, expected, expected, len(expected))


async def paged(store: Any, sort: list[tuple[str, bool]], least: int, per_page: int) -> tuple[Any, ...]:
    """All records as a list, gathered from pages and from positions, and their count."""
    listed = await ask(store, sort, least)
    pages, page = [], 1
    while page is not None:
        answer = await ask(store, sort, least, page=page, per_page=per_page)
        pages += answer["items"]
        page = answer["nextPage"]
    behind: list[Any] = []
    position, is_first = None, True
    while position is not None or is_first:
        answer = await ask(store, sort, least, after=position, per_page=per_page)
        behind += answer["items"]
        position, is_first = answer["nextAfter"], False
    return listed, pages, behind, await ask(store, [], least, returns="count")


async def ask(store: Any, sort: list[tuple[str, bool]], least: int, **options: Any) -> Any:
    prepared = store.query(query(sort, least, **options), {}, lambda table: ())
    return await prepared.call(FakeRun(store.session()), *map(_value, prepared.parameters))


def query(sort: list[tuple[str, bool]], least: int, totals: bool = False, **options: Any) -> Query:
    where = parsed(f"i >= {least}")
    nodes = {name: Literal(value, where.span) for name, value in options.items() if name != "returns"}
    keys = tuple(SortKey(Word(name, where.span), descending) for name, descending in sort)
    return Query(
        Word("thing", where.span), where, keys, nodes.get("page"), nodes.get("per_page"), None, nodes.get("after"),
        totals, True, None, (), (), (), False, (), False, (), None, options.get("returns", "list"),
    )  # fmt: skip


class Meanwhile:
    """Reads of a store, after the first of which `work` is done."""

    def __init__(self, reads: Any, work: Callable[[], Awaitable[None]]) -> None:
        self.reads, self.dialect, self.work, self.asked = reads, reads.dialect, work, 0

    def prepared(self, *given: Any) -> Ask:
        read = self.reads.prepared(*given)

        async def ask(*values: Any) -> Any:
            found = await read(*values)
            self.asked += 1
            if self.asked == 1:
                await self.work()
            return found

        return ask


ROW = {"i": 1, "j": 1, "d": 0.5, "t": "a", "b": True, "ts": [], "xs": [], "o": {"k": 1, "w": "a", "f": True}, "m": 1}


async def page_while(store: Any, added: int) -> tuple[Any, int]:
    """The fourth page of three records, where more are added when it was read, and how often it was asked."""
    await store.clear()

    async def add(count: int) -> None:
        run = FakeRun(store.session())
        await store.load(run, "thing", [ROW] * count)
        await run.db.commit()

    await add(3)
    reads = Meanwhile(store.reads, lambda: add(added))
    selector = Selector(store.tables, {}, store.reads.dialect, lambda table: ())
    prepared = find.prepare(reads, query([], 0, totals=True, page=4, per_page=1), selector)
    found = await prepared.call(FakeRun(store.session()), *map(_value, prepared.parameters))
    return (found["itemsReceived"], found["itemsTotal"], found["pageTotal"], found["nextPage"]), reads.asked


@pytest.mark.parametrize(("added", "said", "asked"), [(0, (0, 3, 3, None), 2), (1, (1, 4, 4, None), 3)])
def test_a_page_and_its_total_are_of_one_moment(store: Any, added: int, said: tuple[Any, ...], asked: int) -> None:
    assert asyncio.run(page_while(store, added)) == (said, asked)
