"""Conditions as SQL: each means what the expression means, for known and for open kinds, and nulls included."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from store_setup import FakeRun, asked, open_store, parsed, where

from engine.errors import Fault, Problems
from engine.store.base import Store
from engine.values import INT, TEXT, Kind, Secret, list_of
from tests.storages import rows

THING = """
table: thing
columns:
  id: int
  name: text
  nick?: text
  age?: int
  price: decimal
  active: bool
  day?: date
  day_at?: timestamp
  tags?: text[]
  sizes: int[]
  meta?: json
  secret?: {type: text, sensitive: true}
  place?: {type: object, properties: {city: text, flats?: "int[]"}}
indexes:
  - {columns: [name, day], type: search}
"""
ROWS: list[dict[str, Any]] = [
    {"name": "Ada", "nick": "a_%", "age": 36, "price": 1.5, "active": True, "day": "2024-01-31",
     "day_at": 1706659200000, "tags": ["x", "y"], "sizes": [1], "place": {"city": "Rome", "flats": [7, 9]}},
    {"name": "ada", "nick": None, "age": None, "price": 2, "active": False, "tags": [], "sizes": [],
     "meta": {"a": 1, "b": {"c": True, "d": "1", "e": ["u", 2, None], "f": None}}, "place": {"city": "Köln", "flats": []}},
    {"name": "Zoë 🎈", "nick": "Zoë", "age": 5, "price": 5, "active": True, "day": "2023-12-01", "day_at": 1701388800000, "sizes": [1, 5]},
    {"name": "5", "nick": "5", "age": -1, "price": 0, "active": False, "tags": ["5"], "sizes": [0]},
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("sql"), THING)
    asyncio.run(_fill(opened))
    yield opened
    asyncio.run(opened.close())


async def _fill(store: Store) -> None:
    run = FakeRun(store.session())
    await store.load(run, "thing", ROWS)
    await run.db.commit()


CASES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("name == $x", {"x": "Ada"}, [1]),
    ("$x == name", {"x": "ada"}, [2]),
    ("name == 'Zoë 🎈'", {}, [3]),
    ("name != $x", {"x": "Ada"}, [2, 3, 4]),
    ("nick == $x", {"x": None}, [2]),
    ("nick == $x", {"x": "Zoë"}, [3]),
    ("nick != $x", {"x": None}, [1, 3, 4]),
    ("nick != $x", {"x": "Zoë"}, [1, 2, 4]),
    ("nick == null", {}, [2]),
    ("null != nick", {}, [1, 3, 4]),
    ("name == nick", {}, [4]),
    ("name != nick", {}, [1, 2, 3]),
    ("not (nick == $x)", {"x": "Zoë"}, [1, 2, 4]),
    ("not (name == nick)", {}, [1, 2, 3]),
    ("age < $x", {"x": 6}, [3, 4]),
    ("age < $x", {"x": 35.5}, [3, 4]),
    ("not (age < $x)", {"x": 6}, [1, 2]),
    ("not (age < $x or name == 'Ada')", {"x": 6}, [2]),
    ("not (age >= 0 and age <= 10)", {}, [1, 2, 4]),
    ("not not (age < 6)", {}, [3, 4]),
    ("age == 36.0", {}, [1]),
    ("price == $x", {"x": 2}, [2]),
    ("price > $x", {"x": 1}, [1, 2, 3]),
    ("name < $x", {"x": "Z"}, [1, 4]),
    ("day >= '2024-01-01'", {}, [1]),
    ("active", {}, [1, 3]),
    ("not active", {}, [2, 4]),
    ("active == $x", {"x": False}, [2, 4]),
    ("active == true and age != null", {}, [1, 3]),
    ("true", {}, [1, 2, 3, 4]),
    ("false or age == 5", {}, [3]),
    ("$all or age == 5", {"all": True}, [1, 2, 3, 4]),
    ("$all or age == 5", {"all": False}, [3]),
    ("not $all and age == 5", {"all": False}, [3]),
    # Dropped where the right side is null.
    ("age ==? $x", {"x": None}, [1, 2, 3, 4]),
    ("age ==? $x", {"x": 5}, [3]),
    ("age !=? $x", {"x": 5}, [1, 2, 4]),
    ("not (age >? $x)", {"x": 5}, [2, 3, 4]),
    ("not (age >? $x)", {"x": None}, []),
    ("name ==? $x and active ==? $y", {"x": None, "y": True}, [1, 3]),
    ("name ==? nick", {}, [2, 4]),
    ("name in? $x", {"x": None}, [1, 2, 3, 4]),
    ("name in? $x", {"x": ["ada"]}, [2]),
    ("$x ==? $y and active", {"x": 1, "y": None}, [1, 3]),
    ("$x ==? $y and active", {"x": 1, "y": 2}, []),
    # Lists.
    ("name in $x", {"x": ["ada", "5", "?"]}, [2, 4]),
    ("name in ['Ada', $x]", {"x": "5"}, [1, 4]),
    ("name in []", {}, []),
    ("name not in []", {}, [1, 2, 3, 4]),
    ("name in $x", {"x": []}, []),
    ("nick in $x", {"x": ["5", None]}, [2, 4]),
    ("nick not in $x", {"x": ["5"]}, [1, 2, 3]),
    ("nick not in $x", {"x": ["5", None]}, [1, 3]),
    ("name not in $x", {"x": ["5", None]}, [1, 2, 3]),
    ("not (nick in $x)", {"x": [None]}, [1, 3, 4]),
    ("age in $x", {"x": [5, 36.0]}, [1, 3]),
    ("active in $x", {"x": [True]}, [1, 3]),
    ("name in $x", {"x": ["a\0b", "Ada"]}, [1]),
    ("age in $x", {"x": [float("nan"), 5]}, [3]),
    ("$x in [name, nick]", {"x": "5"}, [4]),
    ("name not in [nick, 'Ada']", {}, [2, 3]),
    ("$x in tags", {"x": "x"}, [1]),
    ("$x not in tags", {"x": "x"}, [2, 3, 4]),
    ("tags | contains('5')", {}, [4]),
    ("$x in sizes", {"x": 1}, [1, 3]),
    ("tags == null", {}, [3]),
    ("meta != null", {}, [2]),
    # Values computed of columns.
    ("age + 1 == $x", {"x": 6}, [3]),
    ("price * $x >= 10", {"x": 2}, [3]),
    ("-age > 0", {}, [4]),
    ("age - price == 0", {}, [3]),
    ("(age ?? 100) > $x", {"x": 50}, [2]),
    ("(nick ?? name) == $x", {"x": "ada"}, [2]),
    ("name ~ '!' == $x", {"x": "Ada!"}, [1]),
    ("(name | strlen) == 5", {}, [3]),
    # Text tests are case-sensitive, and no letter of them is a pattern.
    ("name | starts_with('A')", {}, [1]),
    ("name | starts_with($x)", {"x": ""}, [1, 2, 3, 4]),
    ("name | ends_with('da')", {}, [1, 2]),
    ("name | ends_with($x)", {"x": ""}, [1, 2, 3, 4]),
    ("name | ends_with('x ada')", {}, []),
    ("name | ends_with('🎈')", {}, [3]),
    ("nick | contains('_%')", {}, [1]),
    ("not (nick | contains($x))", {"x": "o"}, [1, 2, 4]),
    ("name | contains('oë')", {}, [3]),
    ("name | icontains('AD')", {}, [1, 2]),
    ("name | like('_da')", {}, [1, 2]),
    ("name | like($x)", {"x": "a%"}, [2]),
    ("name | ilike($x)", {"x": "a%"}, [1, 2]),
    ("name | ilike('ZOË %')", {}, [3]),
    ("not (nick | like('%'))", {}, [2]),
    ("name | regex_matches('^[A-Z]')", {}, [1, 3]),
    # Dropped where the argument is null.
    ("name | contains?($x)", {"x": None}, [1, 2, 3, 4]),
    ("name | contains?($x)", {"x": "d"}, [1, 2]),
    ("not (name | starts_with?($x))", {"x": None}, []),
    ("name | starts_with?($x) and active", {"x": None}, [1, 3]),
    ("name | starts_with?($x) and active", {"x": "Z"}, [3]),
    ("tags | contains?($x)", {"x": None}, [1, 2, 3, 4]),
    ("tags | overlaps?($x)", {"x": None}, [1, 2, 3, 4]),
    ("name | search?($x)", {"x": None}, [1, 2, 3, 4]),
    ("age | between?($x, $y)", {"x": None, "y": 5}, [3, 4]),
    ("age | between?($x, $y)", {"x": 0, "y": None}, [1, 3]),
    ("age | between?($x, $y)", {"x": None, "y": None}, [1, 2, 3, 4]),
    ("age | between($x, $y)", {"x": -1, "y": 5}, [3, 4]),
    ("not (age | between($x, $y))", {"x": -1, "y": 5}, [1, 2]),
    ("day | between('2023-12-01', '2024-01-31')", {}, [1, 3]),
    # Lists.
    ("tags | overlaps($x)", {"x": ["y", "5"]}, [1, 4]),
    ("tags | overlaps($x)", {"x": []}, []),
    ("sizes | overlaps($x)", {"x": [5, "1"]}, [3]),
    ("(tags | count) == 2", {}, [1]),
    ("tags | is_empty", {}, [2, 3]),
    ("nick | is_empty", {}, [2]),
    ("nick | is_null", {}, [2]),
    ("tags[0] == 'x'", {}, [1]),
    ("tags[-1] == 'y'", {}, [1]),
    ("sizes[1] == $x", {"x": 5}, [3]),
    ("not (sizes[1] == 5)", {}, [1, 2, 4]),
    # What lies in an object, and in JSON of any kind.
    ("place.city == $x", {"x": "Rome"}, [1]),
    ("(place.city | to_lower) == 'köln'", {}, [2]),
    ("place.city == null", {}, [3, 4]),
    ("place.flats | contains(7)", {}, [1]),
    ("place.flats[0] > 5", {}, [1]),
    ("meta.a == 1", {}, [2]),
    ("meta.a == '1'", {}, []),
    ("meta.a == true", {}, []),
    ("meta.a != 1", {}, [1, 3, 4]),
    ("meta.b.c", {}, [2]),
    ("not meta.b.c", {}, [1, 3, 4]),
    ("meta.b.c == true", {}, [2]),
    ("meta.b.d == '1'", {}, [2]),
    ("meta['b']['d'] == '1'", {}, [2]),
    ("meta.b.d | starts_with('1')", {}, [2]),
    ("meta.b.f == null and meta.b != null", {}, [2]),
    ("meta.b.e | contains('u')", {}, [2]),
    ("meta.b.e | contains(2)", {}, [2]),
    ("meta.b.d | contains('1')", {}, [2]),
    ("2 in meta.b.e", {}, [2]),
    ("1 in meta.a", {}, []),
    ("meta.a in [1, 5]", {}, [2]),
    ("meta.a + 1 == 2", {}, [2]),
    # Computed.
    ("price * (age ?? 0) >= 25", {}, [1, 3]),
    ("age / 2 == 2.5", {}, [3]),
    ("age / 0 == 1", {}, []),
    ("not (age / 0 == 1)", {}, [1, 2, 3, 4]),
    ("age % 7 == -1", {}, [4]),
    ("(age | abs) == 1", {}, [4]),
    ("(price | round) == 2", {}, [1, 2]),
    ("(price | floor) == 1", {}, [1]),
    ("(name | to_upper) == 'ZOË 🎈'", {}, [3]),
    ("(name | substr(1, 1)) == 'd'", {}, [1, 2]),
    ("(name | replace('a', 'o')) == 'Ado'", {}, [1]),
    ("(nick if active else name) == $x", {"x": "5"}, [4]),
    ("(name if age == null else 'x') == 'ada'", {}, [2]),
    ("(day_at | timestamp_year) == 2023", {}, [3]),
    ("(day_at | timestamp_hour($x)) == 1", {"x": "Europe/Vienna"}, [1, 3]),
    ("day_at | timestamp_epoch_day > 19700", {}, [1]),
    # Words, by the search index.
    ("name | search($x)", {"x": "ADA"}, [1, 2]),
    ("name | search('zoe')", {}, [3]),
    ("name | search('ad*')", {}, [1, 2]),
    ("name | search('')", {}, []),
    ("[name, day] | search('ada 31')", {}, [1]),
    ('name | search("\\" OR 5 NEAR( -")', {}, []),
    ("not (name | search('ada'))", {}, [3, 4]),
]


@pytest.mark.parametrize("known", [True, False], ids=["known", "open"])
@pytest.mark.parametrize(("text", "values", "ids"), CASES)
def test_a_condition_means_what_the_expression_means(
    store: Store, text: str, values: dict[str, Any], ids: list[int], known: bool
) -> None:
    assert asked(store, "thing", text, values, known=known) == ids
    assert asked(store, "thing", text, values, known=known, variant=True) == ids


@pytest.mark.parametrize(
    ("text", "value", "ids"),
    [
        ("name == $x", 5, []),
        ("name != $x", 5, [1, 2, 3, 4]),
        ("nick == $x", 5, []),
        ("age == $x", "5", []),
        ("age == $x", True, []),
        ("age != $x", "5", [1, 2, 3, 4]),
        ("active == $x", 1, []),
        ("name in $x", [5, "Ada"], [1]),
        ("age in $x", ["5", True, 36], [1]),
        ("active in $x", [1, False], [2, 4]),
        ("$x in tags", 5, []),
        ("$x in sizes", "1", []),
        ("$x in sizes", True, []),
        ("age == $x", [5], []),
    ],
)
def test_a_value_of_another_kind_equals_nothing(store: Store, text: str, value: object, ids: list[int]) -> None:
    assert asked(store, "thing", text, {"x": value}, known=False) == ids


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("age < $x", "5"),
        ("name < $x", 5),
        ("age + $x == 3", "1"),
        ("name ~ $x == 'a'", 1),
        ("name | starts_with($x)", 5),
        ("name in $x", "Ada"),
        ("name in $x", None),
        ("$x or active", 1),
    ],
)
def test_a_value_of_another_kind_has_no_order(store: Store, text: str, value: object) -> None:
    with pytest.raises(Fault) as caught:
        asked(store, "thing", text, {"x": value}, known=False)
    assert caught.value.reason == "kind"


def test_what_a_column_cant_hold_is_an_input_error(store: Store) -> None:
    with pytest.raises(Fault) as caught:
        asked(store, "thing", "price == $x", {"x": float("nan")}, known=True)
    assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "price")  # type: ignore[index]


def test_a_secret_is_bound_by_what_it_holds(store: Store) -> None:
    assert asked(store, "thing", "name == $x", {"x": Secret("Ada")}, known=True) == [1]
    assert asked(store, "thing", "name in $x", {"x": [Secret("Ada")]}, known=False) == [1]


def test_a_known_value_is_bound_without_a_detour(store: Store) -> None:
    condition = where(store, "thing", "name == $x and age ==? $y", x=TEXT, y=INT.maybe())
    assert condition.converts == (None, None)
    assert condition.names == ("name", "age")
    assert [getattr(node, "name") for node in condition.parameters] == ["x", "y"]  # noqa: B009


EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgres": "EXPLAIN (COSTS OFF)"}
INDEXED = {"sqlite": "SEARCH thing USING INTEGER PRIMARY KEY", "postgres": "Index Cond: (id = "}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("id == $x", INT),
        ("id == $x and active", INT),
        ("id == $x", INT.maybe()),
        ("id in $x", list_of(INT)),
        ("id in [1, 2]", INT),
    ],
)
def test_conditions_use_indexes(store: Store, storage: str, text: str, kind: Kind) -> None:
    condition = where(store, "thing", text, x=kind)
    one: Any = [1] if " in " in text else 1
    bound = condition.bound((one,) * len(condition.parameters))
    plan = " ".join(map(str, rows(store, f'{EXPLAIN[storage]} SELECT * FROM "thing" WHERE {condition.sql}', bound)))
    assert INDEXED[storage] in plan


@pytest.mark.parametrize("text", ["id ==? $x", "id ==? $x and name ==? $y", "id ==? $x and (age | between?($y, $z))"])
def test_a_condition_that_stays_uses_an_index_where_others_may_drop(store: Store, storage: str, text: str) -> None:
    condition = where(store, "thing", text, x=INT)
    bound = condition.bound((1,) + (None,) * (len(condition.parameters) - 1))
    sql = f'{EXPLAIN[storage]} SELECT * FROM "thing" WHERE {condition.variant(condition.optionals[1:])}'
    assert INDEXED[storage] in " ".join(map(str, rows(store, sql, bound)))


PROBLEMS = [
    ("nmae == $x", "SW300", "'thing' has no column 'nmae'", "did you mean 'name'?"),
    ("secret == $x", "SW301", "the secret column 'secret' can't be in a where", "validate_password"),
    ("secret == null", "SW301", "the secret column 'secret' can't be in a where", "validate_password"),
    ("price % 2 == 1", "SW302", "'%' of decimals can't be asked of a database", "`set` step"),
    ("(name | md5) == $x", "SW302", "'| md5' of a column can't be asked of a database", "`set` step"),
    ("meta.a == $x", "SW304", "'meta' is a value of any kind, which can't be compared", "`== null`"),
    ("name.a == 'x'", "SW302", "'.a' of a column can't be asked of a database", "`set` step"),
    ("tags[age] == 'x'", "SW302", "'[…]' of a column can't be asked of a database", "`set` step"),
    ("(name | trim).a == 1", "SW302", "a part of what is computed can't be asked of a database", "`set` step"),
    ("min(age, 5) == 1", "SW302", "'min(…)' of a column can't be asked of a database", "`set` step"),
    ("tags | overlaps(sizes)", "SW302", "'| overlaps' of a list of text can't be asked of a database", "`set` step"),
    ("$x in meta", "SW302", "this, of a list of any kind, can't be asked of a database", "`set` step"),
    ("age | between('a', 'b')", "SW304", "'>=' can't compare an int with a text in a where", "of its own kind"),
    (
        "nick | search('x')",
        "SW306",
        "'thing' has no search index over 'nick'",
        "indexes: [{columns: [nick], type: search}]",
    ),
    ("'a' | search(name)", "SW302", "a search over what is no column can't be asked", "`set` step"),
    ("name | strlen", "SW305", "name is an int, a condition is a bool", "compare it with something"),
    ("'a' in name", "SW302", "'in' over a text can't be asked", "`set` step"),
    ("meta == $x", "SW304", "'meta' is a value of any kind, which can't be compared in a where", "`== null`"),
    ("tags == $x", "SW304", "'tags' is a list of text, which can't be compared in a where", "`$value in column`"),
    ("name == 5", "SW304", "'==' can't compare a text with an int in a where", "of its own kind"),
    ("active < true", "SW304", "'<' can't compare a bool with a bool in a where", "of its own kind"),
    ("name + 1 == 2", "SW304", "name is a text, a decimal is needed", ""),
    ("name in 5", "SW304", "'in' needs a list, not an int", ""),
    ("name", "SW305", "name is a text, a condition is a bool", "compare it with something"),
]


@pytest.mark.parametrize(("text", "code", "message", "hint"), PROBLEMS)
def test_what_a_database_cant_be_asked_is_a_problem(
    store: Store, text: str, code: str, message: str, hint: str
) -> None:
    with pytest.raises(Problems) as caught:
        where(store, "thing", text)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


def test_every_problem_is_reported_at_its_place(store: Store) -> None:
    with pytest.raises(Problems) as caught:
        where(store, "thing", "nope == 1 and (secret == $x or min(age, 1) == 2)")
    assert [(each.code, each.span.column) for each in caught.value.problems] == [
        ("SW300", 1),
        ("SW301", 16),
        ("SW302", 32),
    ]


def test_no_text_of_an_author_is_in_the_sql(store: Store, storage: str) -> None:
    condition = store.where(parsed('name == "\'; DROP TABLE thing; --" and age == 7'), store.tables["thing"], {})
    expected = {
        "sqlite": '(("name" = ?1) AND ("age" = ?2))',
        "postgres": '(("name" = $1::text COLLATE "C") AND ("age" = $2::bigint))',
    }
    assert condition.sql == expected[storage]


@pytest.mark.parametrize(
    ("text", "is_single"),
    [
        ("id == $x", True),
        ("$x == id and name == 'Ada'", True),
        ("id ==? $x", False),
        ("id == age", False),
        ("id == 1 or id == 2", False),
        ("name == $x", False),
        ("id in [1]", False),
    ],
)
def test_a_condition_knows_whether_it_holds_for_one_record_at_most(store: Store, text: str, is_single: bool) -> None:
    assert where(store, "thing", text).is_single is is_single
