"""What examples can't show of filters: bounds, copies, the kinds that rules promise, and laws true of any value."""

from __future__ import annotations

import ast
import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.filters
import engine.functions
from engine import registry
from engine.bounds import MAX_DEPTH, MAX_ITEMS, MAX_TEXT
from engine.builders import at, function, function_of, returned
from engine.compare import same
from engine.compile import origin_of
from engine.errors import Fault
from engine.filters import encoding, kinds, lists, numbers, objects, patterns, secrecy, text, time
from engine.infer import Inference
from engine.lower import ExpressionLowering, Names
from engine.parser import parse_expression
from engine.registry import Definition, Misfit
from engine.scope import Scope
from engine.values import (
    ANY,
    DECIMAL,
    INT,
    INT_MAX,
    INT_MIN,
    NULL,
    OBJECT,
    TEXT,
    Kind,
    Record,
    Secret,
    join,
    kind_of,
    list_of,
    object_of,
)
from tests.support import conforms

LOADED = (engine.filters, engine.functions)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(INT_MIN, INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
FEW = st.lists(st.sampled_from([0, 1, 1.0, True, False, None, "1", "", [], {}, [1], [1.0], {"a": 1}, {"a": True}]))


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def doubled(times: int) -> list[object]:
    """A small graph that stands for a tree of 2 ** times leaves."""
    value: list[object] = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


HUGE = "x" * MAX_TEXT
MANY: list[object] = [0] * MAX_ITEMS


@pytest.mark.parametrize(
    "call",
    [
        lambda: text.replace(HUGE, "x", "xy"),
        lambda: text.concat(HUGE, "x"),
        lambda: text.join([HUGE, ""], ","),
        lambda: text.join([HUGE] * 1000, ""),
        lambda: text.truncate(HUGE + "y", MAX_TEXT),
        lambda: text.to_upper("ß" * (MAX_TEXT // 2 + 1)),
        lambda: text.split(HUGE, "x"),
        lambda: text.split(HUGE, ""),
        lambda: patterns.regex_replace("x" * 10_000, "x", "y" * 10_000),
        lambda: patterns.regex_matches("x", "x" * 1001),
        lambda: lists.push(MANY, 1),
        lambda: lists.flatten([MANY, MANY]),
        lambda: lists.flatten(doubled(60)),
        lambda: lists.flatten(nested(MAX_DEPTH + 1)),
        lambda: lists.unique([doubled(60)]),
        lambda: lists.unique([MANY] * 1000),
        lambda: text.contains([nested(5000)], nested(5000)),
        lambda: objects.merge(MANY, [1]),
        lambda: objects.set_(MANY, MAX_ITEMS, 1),
        lambda: objects.get({}, "a." * 64),
        lambda: encoding.json_encode(doubled(60)),
        lambda: encoding.json_encode([HUGE, "x"]),
        lambda: encoding.json_encode(["\n" * (MAX_TEXT // 2 + 1)]),
        lambda: encoding.json_decode("[" * 500 + "]" * 500),
        lambda: encoding.json_decode(str(INT_MAX + 1)),
        lambda: encoding.base64_encode(HUGE),
        lambda: encoding.url_encode("é" * (MAX_TEXT // 3)),
        lambda: numbers.abs_(INT_MIN),
        lambda: numbers.sum_([INT_MAX, 1]),
        lambda: numbers.sum_([1.7e308, 1.7e308]),
        lambda: numbers.pow_(3, 10**18),
        lambda: numbers.pow_(1e200, 2),
        lambda: numbers.floor(9.3e18),
        lambda: kinds.to_int("9" * 5000),
        lambda: kinds.to_int("9223372036854775808"),
        lambda: time.add_secs_to_timestamp(INT_MAX, 1),
        lambda: time.format_timestamp(INT_MAX),
        lambda: time.format_timestamp(253_402_300_799_000, "c", "Asia/Tokyo"),
        lambda: time.format_timestamp(0, "c" * 201),
        lambda: time.parse_timestamp("1", "Y" * 201),
    ],
)
def test_results_are_bounded(call: Callable[[], object]) -> None:
    with pytest.raises(Fault) as caught:
        call()
    assert (caught.value.name, caught.value.reason) == ("fatal", "range")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (numbers.pow_(1, INT_MAX), 1),
        (numbers.pow_(-1, INT_MAX), -1),
        (numbers.pow_(-2, 63), INT_MIN),
        (numbers.round_(INT_MAX, 5), INT_MAX),
        (numbers.round_(0.5, 308), 0.5),
        (numbers.round_(1.005, 2), 1.01),
        (numbers.avg([INT_MAX, INT_MAX]), float(INT_MAX)),
        (numbers.sum_([0.1] * 10), 1.0),
        (lists.flatten(nested(MAX_DEPTH)), []),
        (kinds.to_int("-9223372036854775808"), INT_MIN),
        (encoding.json_decode(str(INT_MIN)), INT_MIN),
        (encoding.json_decode('{"a": 1, "a": 2}'), {"a": 2}),
        (patterns.regex_replace("aé€😀b", "€|😀", "<$0>"), "aé<€><😀>b"),
        (patterns.regex_replace("ab", "(a)|(b)", "[$1$2]$$1"), "[a]$1[b]$1"),
    ],
)
def test_results_just_within_bounds(given: object, wanted: object) -> None:
    assert same(given, wanted)


@pytest.mark.parametrize("given", [kinds.to_decimal("-0"), numbers.round_(-0.01, 1), encoding.json_decode("-0.0")])
def test_no_negative_zero(given: object) -> None:
    assert str(given) == "0.0"


def test_regular_expressions_end() -> None:
    assert patterns.regex_matches("a" * 100_000, "(a+)+$")
    assert not patterns.regex_matches("a" * 100_000 + "b", "^(a|aa)+$")


@pytest.mark.parametrize(
    ("format", "wanted"),
    [
        ("d j D l N w S z", "05 5 Thu Thursday 4 4 th 4"),
        ("W o F M m n t L", "01 2023 January Jan 01 1 31 0"),
        ("Y y a A g h G H i s v u", "2023 23 pm PM 3 03 15 15 04 05 006 006000"),
        ("e T I O P p Z U", "Europe/Vienna CET 0 +0100 +01:00 +01:00 3600 1672927445"),
        ("c", "2023-01-05T15:04:05+01:00"),
        ("r", "Thu, 05 Jan 2023 15:04:05 +0100"),
        (r"\Y\\ \e!", r"Y\ e!"),
        ("", ""),
    ],
)
def test_date_letters(format: str, wanted: str) -> None:
    assert time.format_timestamp(1_672_927_445_006, format, "Europe/Vienna") == wanted


@pytest.mark.parametrize(
    ("given", "format", "wanted"),
    [
        ("12:05 am", "g:i a", 300_000),
        ("12:00 PM", "h:i A", 43_200_000),
        ("69-1-2", "y-n-j", 3_124_310_400_000),
        ("70", "y", 0),
        ("Thu, 05 Jan 2023 15:04:05 +0100", "r", 1_672_927_445_000),
        ("2023-01-05T14:04:05.006Z", r"Y-m-d\TH:i:s.vp", 1_672_927_445_006),
        ("1672927445", "U", 1_672_927_445_000),
        ("5 january 2023", "j F Y", 1_672_876_800_000),
    ],
)
def test_dates_are_read(given: str, format: str, wanted: int) -> None:
    assert time.parse_timestamp(given, format) == wanted


@pytest.mark.parametrize(
    "call",
    [
        lambda: time.parse_timestamp("13:00 pm", "h:i a"),
        lambda: time.parse_timestamp("3", "g"),
        lambda: time.parse_timestamp("24", "H"),
        lambda: time.parse_timestamp("2023 2023", "Y Y"),
        lambda: time.parse_timestamp("th", "S"),
        lambda: time.parse_timestamp("٢٠٢٣", "Y"),
        lambda: time.to_timestamp("2023-10-31T25:00"),
        lambda: time.to_timestamp("20231031"),
        lambda: time.format_timestamp(0, "c", "../../etc/passwd"),
        lambda: time.format_timestamp(0, "c", "America"),
        lambda: time.format_timestamp(0, "c", ""),
        lambda: kinds.to_int("٣"),
        lambda: kinds.to_int(" 1"),
        lambda: kinds.to_decimal("nan"),
        lambda: encoding.json_decode("NaN"),
        lambda: encoding.json_decode('"\\ud800"'),
    ],
)
def test_wrong_content_is_a_fault_of_value(call: Callable[[], object]) -> None:
    with pytest.raises(Fault) as caught:
        call()
    assert (caught.value.name, caught.value.reason) == ("fatal", "value")


@pytest.mark.parametrize(
    "call",
    [
        lambda: encoding.json_encode({"a": Secret("x")}),
        lambda: objects.has({"True": 1}, True),
    ],
)
def test_a_wrong_kind_is_a_fault_of_kind(call: Callable[[], object]) -> None:
    with pytest.raises(Fault) as caught:
        call()
    assert (caught.value.name, caught.value.reason) == ("fatal", "kind")


@pytest.mark.parametrize(
    "call",
    [
        lambda: kinds.to_int("hunter2"),
        lambda: kinds.to_bool("hunter2"),
        lambda: encoding.json_decode("hunter2"),
        lambda: encoding.base64_decode("hunter2"),
        lambda: time.parse_timestamp("hunter2", "Y"),
        lambda: time.to_timestamp("hunter2"),
        lambda: registry.filters()["min"].call("hunter2"),
        lambda: lists.index_by([{"a": ["hunter2"]}], "a"),
    ],
)
def test_a_piped_value_never_stands_in_a_message(call: Callable[[], object]) -> None:
    with pytest.raises(Fault) as caught:
        call()
    assert "hunter2" not in caught.value.message


BASE = {"a": 1, "b": {"c": [1, {"d": 2}]}, "l": [3, 1, 2]}


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda value: objects.set_(value, "b.c.1.d", 9), {"a": 1, "b": {"c": [1, {"d": 9}]}, "l": [3, 1, 2]}),
        (lambda value: objects.set_(value, "b.c.2", 9), {"a": 1, "b": {"c": [1, {"d": 2}, 9]}, "l": [3, 1, 2]}),
        (lambda value: objects.unset(value, "b.c.0"), {"a": 1, "b": {"c": [{"d": 2}]}, "l": [3, 1, 2]}),
        (lambda value: objects.unset(value, "b.c.1.d"), {"a": 1, "b": {"c": [1, {}]}, "l": [3, 1, 2]}),
        (lambda value: objects.merge(value, {"b": 0}), {"a": 1, "b": 0, "l": [3, 1, 2]}),
        (lambda value: lists.sort(value["l"]), [1, 2, 3]),
        (lambda value: lists.reverse(value["l"]), [2, 1, 3]),
        (lambda value: lists.push(value["l"], 0), [3, 1, 2, 0]),
        (lambda value: lists.pop(value["l"]), 2),
    ],
)
def test_nothing_is_changed_in_place(call: Callable[[dict[str, object]], object], wanted: object) -> None:
    value = copy.deepcopy(BASE)
    assert call(value) == wanted
    assert value == BASE


def test_copies_of_a_record_are_plain_and_hold_no_secret() -> None:
    record = Record({"id": 1, "name": "Ada"}, {"password": Secret("hash")})
    kind = Kind("object", fields={"id": INT, "name": TEXT, "password": TEXT.masked()}, table="user")
    for copied in (objects.set_(record, "id", 2), objects.merge(record, {}), objects.unpick(record, ["id"])):
        assert type(copied) is dict
    assert objects.get(record, "password") is None
    assert objects.keys(record) == ["id", "name"]
    for name in ("merge", "unpick", "pick", "values", "entries", "set"):
        rule = registry.filters()[name].result
        assert rule is not None
        result = rule([kind, object_of({}), NULL], [..., ..., ...])
        assert not result.is_record
        assert not result.secret
        assert "password" not in (result.fields or {})


def test_lists_keep_their_records() -> None:
    record = Record({"id": 1}, {"password": Secret("hash")})
    assert lists.first(lists.sort([record], "id")) is record
    assert lists.unique([record, record], "id")[0] is record


TREE = {"a": 1, "b": {"c": "x"}, "l": [{"n": 1}, {"n": None}], "z": None}


@pytest.mark.parametrize("known", [True, False], ids=["literal", "open"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get", [TREE, "a"]),
        ("get", [TREE, "b.c"]),
        ("get", [TREE, "b.x", 7]),
        ("get", [TREE, "l.0.n", "none"]),
        ("get", [TREE, "l.9.n"]),
        ("get", [TREE, "z.y", 5]),
        ("get", [[1, 2], 1]),
        ("get", [None, "a", 1]),
        ("set", [TREE, "a", "text"]),
        ("set", [TREE, "b.c", 2]),
        ("set", [TREE, "b.d.e", 2]),
        ("set", [TREE, "z.y", 2]),
        ("set", [TREE, "l.1.n", "x"]),
        ("set", [TREE, "l.2.m", "x"]),
        ("set", [[1], 0, "x"]),
        ("unset", [TREE, "a"]),
        ("unset", [TREE, "b.c"]),
        ("unset", [[1, 2], 0]),
        ("pick", [TREE, ["a", "x"]]),
        ("pick", [[TREE, {"a": "t"}], ["a", "b"]]),
        ("unpick", [TREE, ["a", "x"]]),
        ("unpick", [[TREE, {"a": "t"}], ["a"]]),
        ("merge", [TREE, {"a": "t", "n": 1}]),
        ("merge", [[1], ["a"]]),
        ("values", [TREE]),
        ("entries", [TREE]),
        ("entries", [{}]),
        ("flatten", [[1, ["a", [None]]]]),
        ("flatten", [[[1], [2]]]),
        ("round", [2.5]),
        ("round", [2.5, 1]),
        ("round", [2, 1]),
        ("round", [25, -1]),
        ("pow", [2, 3]),
        ("pow", [2, -3]),
        ("pow", [2.5, 2]),
        ("min", [[1, 2.5]]),
        ("min", [[]]),
        ("max", [1, 2.5]),
    ],
)
def test_a_rule_tells_the_kind_of_the_result(name: str, arguments: list[object], known: bool) -> None:
    definition = registry.filters()[name]
    assert definition.result is not None
    literals = arguments if known else [...] * len(arguments)
    kind = definition.result([kind_of(argument) for argument in arguments], literals)
    assert conforms(definition.call(*arguments), kind), kind


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("get", [TREE, "a"], INT),
        ("get", [TREE, "b.c", 1], TEXT),
        ("get", [TREE, "missing", "x"], TEXT),
        ("get", [[1], 0, 2], INT),
        ("pick", [TREE, ["a"]], object_of({"a": INT})),
        ("unpick", [TREE, ["b", "l", "z"]], object_of({"a": INT})),
        ("unset", [{"a": 1, "b": 2}, "b"], object_of({"a": INT})),
        ("set", [{"a": 1}, "b.c", "x"], object_of({"a": INT, "b": object_of({"c": TEXT})})),
        ("merge", [{"a": "x", "b": 1}, {"a": 1}], object_of({"a": INT, "b": INT})),
        ("values", [{"a": 1, "b": 2}], list_of(INT)),
        ("flatten", [[[[1]], [[2]]]], list_of(INT)),
        ("round", [2.5], INT),
        ("pow", [2, 3], INT),
        ("min", [1, 2], INT),
    ],
)
def test_a_rule_tells_all_it_can(name: str, arguments: list[object], wanted: Kind) -> None:
    rule = registry.filters()[name].result
    assert rule is not None
    assert rule([kind_of(argument) for argument in arguments], arguments) == wanted


def test_an_optional_field_may_come_from_either_side() -> None:
    rule = registry.filters()["merge"].result
    assert rule is not None
    left, right = object_of({"a": INT}), object_of({"a": TEXT, "b": TEXT}, {"a", "b"})
    merged = rule([left, right], [..., ...])
    assert merged == object_of({"a": join(INT, TEXT), "b": TEXT}, {"b"})


@pytest.mark.parametrize(
    "definition", [each for each in registry.all_definitions() if each.result], ids=lambda each: each.name
)
@pytest.mark.parametrize("literal", [..., "a", "0", -1, 1.5, True, None, [1], {}, "a." * 99], ids=repr)
@pytest.mark.parametrize(
    "given", [ANY, NULL, TEXT, INT.maybe(), OBJECT, object_of({"a": INT}).maybe(), list_of(ANY)], ids=str
)
def test_a_rule_takes_any_arguments(definition: Definition, literal: object, given: Kind) -> None:
    assert definition.result is not None
    for count in range(1, len(definition.parameters) + 1):
        try:
            assert isinstance(definition.result([given] * count, [literal] * count), Kind)
        except Misfit as misfit:
            assert 0 <= misfit.place < count


@given(FEW, FEW)
def test_same_is_equality_strict_by_kind(left: list[object], right: list[object]) -> None:
    assert same(left, copy.deepcopy(left))
    assert same(left, right) == same(right, left)
    assert same(left, right) == (
        len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    )


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        (1, 1.0, True),
        (True, 1, False),
        ("1", 1, False),
        (None, False, False),
        ([1], [1.0], True),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": None}, {}, False),
        (2**53 + 1, float(2**53), False),
        (1e300, 1e300, True),
        ([1e300], [1e300], True),
        ("['x']", ["x"], False),
        ([], {}, False),
    ],
)
def test_same(left: object, right: object, wanted: bool) -> None:
    assert same(left, right) is wanted


@given(FEW)
def test_unique_keeps_the_first_of_each(items: list[object]) -> None:
    kept = lists.unique(items)
    expected: list[object] = []
    for item in items:
        if not any(same(item, other) for other in expected):
            expected.append(item)
    assert [id(item) for item in kept] == [id(item) for item in expected]


@given(st.lists(st.integers(-3, 3)), st.sampled_from(["asc", "desc"]))
def test_sort_is_stable(numbers: list[int], order: str) -> None:
    items = [{"n": number, "place": place} for place, number in enumerate(numbers)]
    ordered = lists.sort(items, "n", order)  # type: ignore[arg-type]
    sign = 1 if order == "asc" else -1
    keys = [(sign * item["n"], item["place"]) for item in ordered]
    assert keys == sorted(keys)
    assert len(ordered) == len(items)
    assert lists.sort(ordered, "n", order) == ordered  # type: ignore[arg-type]


@given(st.lists(st.none() | st.text(max_size=3)))
def test_sort_puts_null_first(items: list[str | None]) -> None:
    ordered = lists.sort(items)
    nulls = items.count(None)
    assert ordered[:nulls] == [None] * nulls
    assert ordered[nulls:] == sorted(item for item in items if item is not None)


@given(VALUES)
def test_json_round_trip(value: object) -> None:
    written = encoding.json_encode(value)
    assert same(encoding.json_decode(written), value)
    assert same(json.loads(written), value)


@given(st.text())
def test_encodings_round_trip(value: str) -> None:
    assert encoding.base64_decode(encoding.base64_encode(value)) == value
    assert encoding.url_decode(encoding.url_encode(value)) == value


@given(
    st.integers(INT_MIN, INT_MAX) | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
)
def test_numbers_and_texts_round_trip(number: float) -> None:
    read = kinds.to_int if isinstance(number, int) else kinds.to_decimal
    assert read(kinds.to_text(number)) == number


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_timestamps_round_trip(moment: int) -> None:
    for format in ("Y-m-d H:i:s.v", r"Y-m-d\TH:i:s.vP", "j. F Y g:i:s A v"):
        assert time.parse_timestamp(time.format_timestamp(moment, format), format) == moment
    assert time.to_timestamp(time.format_timestamp(moment, r"Y-m-d\TH:i:s.vp")) == moment


@given(st.lists(st.integers()), st.integers(-5, 5), st.none() | st.integers(-5, 5))
def test_stretches_of_lists_and_texts_agree(items: list[int], offset: int, length: int | None) -> None:
    letters = "".join(chr(97 + item % 26) for item in items)
    taken = lists.slice_(list(letters), offset, length)
    assert "".join(taken) == text.substr(letters, offset, length)
    if length is not None and length >= 0:
        assert len(taken) <= length


@given(st.text(), st.text(min_size=1))
def test_split_and_join_are_inverse(value: str, separator: str) -> None:
    assert text.join(text.split(value, separator), separator) == value


def test_lambdas_stop_early() -> None:
    seen: list[int] = []

    def third(item: int) -> bool:
        seen.append(item)
        return item == 3

    assert lists.find([1, 2, 3, 4], third) == 3
    assert lists.some([1, 2, 3, 4], third)
    assert seen == [1, 2, 3] * 2


def test_reveal_takes_a_secret_off() -> None:
    assert secrecy.reveal(Secret("x")) == "x"
    assert [each.name for each in registry.all_definitions() if each.declassifies and each.family == "filter"] == [
        "reveal"
    ]


def test_a_secret_key_signs_as_its_text() -> None:
    assert secrecy.hmac_sha256("m", Secret("k")) == secrecy.hmac_sha256("m", "k")


class HeldRun:
    """A run whose clock stands still and whose chance is known."""

    random = random.Random(7)

    def now(self) -> int:
        return 1_700_000_000_000

    def uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"


def test_clock_and_chance_come_from_the_run() -> None:
    run = HeldRun()
    calls = {name: each.call for name, each in registry.functions().items()}
    assert calls["now"](run) == 1_700_000_000_000
    assert calls["uuid"](run) == "00000000-0000-4000-8000-000000000000"
    assert {calls["random_int"](run, 1, 3) for _ in range(100)} == {1, 2, 3}


# What is written out

NEAR_HALVES = st.builds(
    lambda whole, digits, off: (whole + 0.5) / 10**digits + off,
    st.integers(-(10**10), 10**10), st.integers(0, 9), st.sampled_from([0.0, 1e-9, -1e-9, 1e-13, -1e-13]),
)  # fmt: skip
DECIMALS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1000, 1000),
    st.decimals(-(10**6), 10**6, places=3).map(float),
    NEAR_HALVES,
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0.0, -0.0, 0, 0.5, -0.5, 2.5, 1.005, 2.675, 9_999_999.995, 1e7, 1e9, -0.004]),
)


def written_out(text: str) -> Callable[[Any], Any]:
    """An expression of `$x`, which is known to be a decimal, as a function of it."""
    node, inference = parse_expression(text, origin_of(text)), Inference()
    inference.infer(node, Scope(kinds={"x": DECIMAL}))
    lowering = ExpressionLowering(inference.kinds, Names())
    tree = at(node.span, function("it", ["run", "v_x"], [returned(lowering.lower(node))], is_async=False))
    made = function_of(tree, "it.yaml", lowering.names.bound, "it")
    return lambda value: made(None, value)


def outcome(call: Callable[[], Any]) -> tuple[str, str]:
    """A value to the last bit with its type, or the reason of a fault."""
    try:
        value = call()
    except Fault as fault:
        return "fault", fault.reason
    return type(value).__name__, repr(value)


ROUNDED = {
    digits: (
        written_out("$x | round" if digits is None else f"$x | round({digits})"),
        [] if digits is None else [digits],
    )
    for digits in (None, 0, 1, 2, 3, 8, 9, -2)
}
WHOLES = {name: written_out(f"$x | {name}") for name in ("floor", "ceil")}


@given(DECIMALS)
def test_numbers_are_rounded_in_place_as_the_filters_round_them(number: float) -> None:
    by_filter = registry.filters()
    for rounded, digits in ROUNDED.values():
        assert outcome(lambda: rounded(number)) == outcome(lambda: by_filter["round"].call(number, *digits)), digits  # noqa: B023
    for name, whole in WHOLES.items():
        assert outcome(lambda: whole(number)) == outcome(lambda: by_filter[name].call(number)), name  # noqa: B023


def test_rounding_is_written_out() -> None:
    """The filter is called for what lies half way, and for nothing else."""
    node, inference = parse_expression("$x | round(2)", origin_of("$x | round(2)")), Inference()
    inference.infer(node, Scope(kinds={"x": DECIMAL}))
    lowering = ExpressionLowering(inference.kinds, Names())
    code = compile(ast.fix_missing_locations(ast.Expression(lowering.lower(node))), "it", "eval")
    called: list[float] = []
    names = {**lowering.names.bound, "round": lambda number, digits: called.append(number)}
    assert eval(code, {**names, "v_x": 2.671}) == 2.67 and called == []
    assert eval(code, {**names, "v_x": 2.675}) is None and called == [2.675]
