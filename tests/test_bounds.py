"""What bounds a run: seconds, items, bytes, and the length of what it answers. Each test is named after what it prevents."""

from __future__ import annotations

import asyncio
import gc
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import pace
from engine.compare import ordered
from engine.errors import Fault
from engine.extent import extent
from engine.filters.patterns import compiled, regex_replace
from engine.http.responses import refusal
from engine.run import evaluate, perform
from tests.live import Live, serving
from tests.support import answer, program, run_stack

SECONDS = 1  # that a run of the server may take
DOUBLED = "\n  - set: {w: [$w, $w]}" * 40
NUMBERS = [*range(150_000)]
LETTERS = "".join(random.Random(1).choices("ab", k=900_000))


def stack(input: str, steps: str, response: str = "{ok: true}") -> str:
    return f"input: {input}\nstack:\n  {steps.strip()}\nresponse: {response}\n"


def kept(input: str, expression: str) -> str:
    return stack(input, f"- set: {{r: '${{{expression}}}'}}", "{r: $r}")


# Requests within the limit of a body, with what each is answered; 500 is the fault `budget`.
HEAVY: dict[str, tuple[str, Any, int]] = {
    "in": (kept('{n: "int[]"}', "$input.n | filter($x => $x in $input.n) | count"), {"n": NUMBERS}, 200),
    "in of open kinds": (kept("{n: json}", "$input.n | filter($x => $x in $input.n)"), {"n": NUMBERS}, 500),
    "contains": (kept("{n: json}", "$input.n | map($x => $input.n | contains([$x]))"), {"n": NUMBERS[:4000]}, 500),
    "spread": (kept('{n: "int[]"}', "$input.n | reduce(($a, $x) => [...$a, $x], [])"), {"n": NUMBERS}, 500),
    "equality": (kept("{n: json}", "(1..1000) | filter($x => $input.n == $input.n)"), {"n": [[1]] * 90_000}, 500),
    "empty matches": (
        kept("{t: text}", '(1..9) | map($x => $input.t | regex_replace("", "-"))'),
        {"t": "ab " * 300_000},
        500,
    ),
    "matches far away": (kept("{t: text}", '$input.t | regex_replace("x*?y|x", "-")'), {"t": "x" * 900_000}, 500),
    "large patterns": (
        kept('{t: text, p: "text[]"}', "$input.p | map($p => $input.t | regex_matches($p))"),
        {"t": LETTERS, "p": [f"[ab]*a[ab]{{{length}}}c" for length in range(400, 450)]},
        500,
    ),
    "texts": (
        kept('{t: text, n: "int[]"}', "$input.n | map($x => $input.t ~ $x)"),
        {"t": "x" * 740_000, "n": NUMBERS[:9000]},
        500,
    ),
    "ranges": (kept("{a: int, b: int}", "(1..$input.a) | map($x => 1..$input.b)"), {"a": 1000, "b": 200_000}, 500),
    "objects": (kept("{n: int}", "(1..$input.n) | map($x => {a: $x, b: [$x]})"), {"n": 1_000_000}, 500),
    "copies": (
        kept("{t: text}", '(1..1000) | map($x => "aaaaaaaaaa" | replace("a", $input.t))'),
        {"t": "x" * 800_000},
        500,
    ),
    "parts shared by a map": (
        stack(
            "{n: int}",
            "- set: {a: '${(1..$input.n) | map($x => $x)}'}\n  - set: {b: '${$a | map($x => $a)}'}\n"
            "  - set: {c: '${$b | map($x => $b)}'}",
            "{c: $c}",
        ),
        {"n": 900},
        500,
    ),
    "parts shared": (stack("{w: text}", f"- set: {{w: ['${{$input.w}}']}}{DOUBLED}", "{w: $w}"), {"w": "hi"}, 500),
    "a log of shared parts": (
        stack("{w: text}", f"- set: {{w: ['${{$input.w}}']}}{DOUBLED}\n  - debug_log: $w"),
        {"w": "hi"},
        500,
    ),
    "a record of shared parts": (
        stack(
            "{w: text}",
            f"- set: {{w: ['${{$input.w}}']}}{DOUBLED}\n  - add_record: kept\n    data: {{w: $w}}\n    as: it",
        ),
        {"w": "hi"},
        500,
    ),
    "inputs of shared parts": (
        stack(
            "{w: text}",
            f"- set: {{w: ['${{$input.w}}']}}{DOUBLED}\n  - run_function: same\n    with: {{w: $w}}\n    as: it",
        ),
        {"w": "hi"},
        500,
    ),
    "a text doubled": (
        stack("{w: text}", "- set: {w: $input.w}" + "\n  - set: {w: '${$w}${$w}'}" * 24, "{w: $w}"),
        {"w": "hi" * 400_000},
        400,
    ),
    "a long answer": (kept("{t: text}", "[1, 2, 3] | map($x => [$input.t, $input.t])"), {"t": "é" * 400_000}, 200),
    "sorting": (kept("{n: int}", "(1..$input.n) | map($x => $x * 7919 % 1000003) | sort | count"), {"n": 300_000}, 200),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    files = {f"{place}.yaml": f"endpoint: POST /{place}\n{text}" for place, (text, *_) in enumerate(HEAVY.values())}
    files["workspace.yaml"] = f"workspace: accounts\ncanonical: main\ntime_limit: {SECONDS}\n"
    files["kept.yaml"] = "table: kept\ncolumns: {id: int, w: json}\n"
    files["same.yaml"] = "function: same\ninput: {w: json}\nreturns: json\nstack:\n  - return: $input.w\n"
    with serving(tmp_path_factory.mktemp("bounds"), files) as made:
        yield made


@pytest.mark.parametrize("name", HEAVY)
def test_no_request_holds_or_fills_the_server(live: Live, name: str) -> None:
    _, body, status = HEAVY[name]
    found, beside, seconds = asyncio.run(_beside(live, f"/api:main/{list(HEAVY).index(name)}", body))
    assert found.status_code == status
    assert set(beside) <= {200}
    assert len(beside) >= 10 * int(found.elapsed.total_seconds())
    assert seconds < 20 * SECONDS
    if status == 500:
        [entry] = [line for line in live.output.decode().splitlines() if found.headers["x-request-id"] in line]
        assert '"reason":"budget"' in entry or '"reason":"range"' in entry
    assert _most_memory(live) < 900 * 1024


async def _beside(live: Live, path: str, body: Any) -> tuple[httpx.Response, list[int], float]:
    """What a request is answered, the statuses of the cheap ones that were answered meanwhile, and its seconds."""
    loop, beside = asyncio.get_running_loop(), []
    async with httpx.AsyncClient(base_url=live.url, timeout=60, trust_env=False) as client:
        started = loop.time()
        heavy = asyncio.create_task(client.post(path, json=body))
        while not heavy.done():
            beside.append((await client.get("/healthz")).status_code)
        return await heavy, beside, loop.time() - started


def _most_memory(live: Live) -> int:
    """The most kB that the server has held, 0 where the system doesn't say."""
    status = Path(f"/proc/{live.process.pid}/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) if found else 0


# Bytes of a run


LITTLE = "workspace: w\nmemory_limit: 2097152\nanswer_limit: 1024\n"


def _of_little(folder: Path, text: str, **values: Any) -> Any:
    return answer(program(folder, {"w": LITTLE, "it": f"endpoint: POST /it\n{text}"}), "POST /it", values)


def test_what_a_run_no_longer_holds_is_not_charged(tmp_path: Path) -> None:
    steps = "- set: {t: ''}\n  - repeat: 500\n    as: i\n    do:\n      - set: {t: '${$input.t}${$i}'}"
    text = stack("{t: text}", steps, "{n: '${$t | strlen}'}")
    assert _of_little(tmp_path, text, t="x" * 100_000) == {"n": 100_003}


@pytest.mark.parametrize(
    "steps",
    [
        "- set: {r: '${(1..500) | map($i => $input.t ~ $i)}'}",
        "- set: {r: []}\n  - repeat: 500\n    as: i\n    do:\n      - set: {r: '${$r | push($input.t ~ $i)}'}",
        "- set: {r: {a: 0}}\n  - repeat: 500\n    as: i\n    do:\n      - set: {r.a: [$r.a, '${$input.t ~ $i}']}",
        "- set: {r: '${(1..500) | map($i => {t: $input.t | to_upper})}'}",
        "- set: {r: '${1..500000}'}",
    ],
)
def test_what_a_run_holds_is_bounded(tmp_path: Path, steps: str) -> None:
    with pytest.raises(Fault) as caught:
        _of_little(tmp_path, stack("{t: text}", steps), t="x" * 100_000)
    assert caught.value.reason == "budget"


def test_a_run_that_was_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(Fault):
            _of_little(tmp_path, kept("{t: text}", "(1..500) | map($i => [$input.t ~ $i])"), t="y" * 100_000)
        lists = [each for each in gc.get_objects() if isinstance(each, list) and each]
        assert not [each for each in lists if isinstance(each[0], str) and each[0].startswith("yyy")]
    finally:
        gc.enable()


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_what_all_runs_hold_together_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    monkeypatch.setattr(pace, "SLICE", 0.0)
    limit = 32 << 20
    steps = "- set: {r: '${(1..120) | map($i => $input.t ~ $i)}'}\n  - set: {n: '${(1..20000) | map($x => $x + 1) | count}'}"
    it = "endpoint: POST /it\n" + stack("{t: text}", steps, "{n: $n, m: '${$r | count}'}")
    made = program(tmp_path, {"w": f"workspace: w\nmemory_limit: {limit}\n", "it": it})
    services, plan = made.services, made.endpoints[0].plan

    async def ask(size: int = 100_000) -> str:
        try:
            await perform(plan, services.run(), {"t": "x" * size}, None)
        except Fault as fault:
            assert fault.reason == "budget"
            return fault.name
        return "done"

    async def run() -> Counter[str]:
        tasks = [asyncio.ensure_future(ask()) for _ in range(40)]
        most = 0
        while not (all(task.done() for task in tasks) or (is_cancelled and most)):
            await asyncio.sleep(0)
            most = max(most, services.shares.taken)
        assert await ask(1000) == "done"
        assert 0 < most <= 4 * limit
        for task in tasks:
            task.cancel()
        return Counter(str(each) for each in await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(run())
    assert is_cancelled or outcomes["unavailable"]
    assert services.shares.taken == 0
    assert asyncio.run(ask()) == "done"


def test_the_garbage_collector_works_again_after_a_long_run(tmp_path: Path) -> None:
    assert gc.isenabled()
    assert run_stack(tmp_path, "- return: '${(1..5000) | map($x => {x: $x}) | count}'") == 5000
    assert gc.isenabled()


# The length of an answer


def test_an_answer_past_its_limit_is_a_fault(tmp_path: Path) -> None:
    text = kept("{n: int}", "(1..$input.n) | map($x => [1, 2, 3])")
    assert len(_of_little(tmp_path, text, n=10)["r"]) == 10
    with pytest.raises(Fault) as caught:
        _of_little(tmp_path, text, n=1000)
    assert caught.value.reason == "budget"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(VALUES)
def test_no_value_is_refused_that_is_short_enough(value: object) -> None:
    try:
        length = len(orjson.dumps(value))
    except TypeError:  # an int past 64 bits
        return
    assert extent(value, length) <= length


def test_the_payload_of_a_fault_is_bounded() -> None:
    payload: list[Any] = []
    for _ in range(60):
        payload = [payload, payload]
    assert refusal(Fault("conflict", "no", payload), "id")[0] == 500


# What is fast means the same


@pytest.mark.parametrize(
    ("expression", "values", "found"),
    [
        ("$n | filter($x => $x in $m)", {"n": [1, 2.0, True, "1", None], "m": [1, 2]}, [1, 2.0]),
        ("$n | filter($x => $x in $m)", {"n": [1, True], "m": [True]}, [True]),
        ("$n | filter($x => $x in $m)", {"n": [1, [1], {"a": 1}], "m": [[1.0], {"a": 1}]}, [[1], {"a": 1}]),
        ("$n | filter($x => $m | contains($x))", {"n": [0, False, None], "m": [None, False]}, [False, None]),
        ("5 in $m", {"m": [*range(5000)]}, True),
        ("true in $m", {"m": [*range(5000)]}, False),
    ],
)
def test_a_value_is_found_by_its_kind_too(expression: str, values: dict[str, Any], found: object) -> None:
    assert repr(evaluate(expression, **values)) == repr(found)


LISTS = '{n: "int[]", m: "int[]", o?: {type: object, properties: {m: "int[]"}}, s: "int[]"}'
MANY = [*range(100)]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("$input.n | filter($x => $x in $input.m)", [0, 99]),
        ("$input.n | filter($x => $x not in $input.m)", [100, -1]),
        ("$input.n | filter($x => $input.m | contains($x))", [0, 99]),
        ("$input.n | map($x => $input.n | filter($y => $y in $input.m))", [[0, 99]] * 4),
        ("[[1], [2]] | map($m => $input.n | filter($x => $x in $m))", [[], []]),
        ("$input.n | filter($x => $input.o != null and $x in $input.o.m)", []),
        ("$input.n | filter($x => $x in $input.s)", [0]),
    ],
)
def test_a_list_that_a_lambda_searches_is_made_a_set_once(tmp_path: Path, expression: str, found: object) -> None:
    given = {"n": [0, 99, 100, -1], "m": MANY, "s": [0]}
    assert run_stack(tmp_path, f"- return: ${{{expression}}}", LISTS, given) == found


def test_an_empty_match_is_replaced_once() -> None:
    assert regex_replace("hello world", r"\b", "|") == "|hello| |world|"


def test_a_part_of_a_character_is_not_replaced() -> None:
    with pytest.raises(Fault, match="parts of characters"):
        regex_replace("é", r"\C", "x")


PATTERNS = ["", "x*", "a", ".", r"\b", "(é)|(b)", "^", "$", "(?m)^", "[^a]", r"\s+", "(a|ab)(c|bcd)?", "é*?", "(?s).*"]


@given(st.text("abcdé😀 \nx"), st.sampled_from(PATTERNS), st.sampled_from(["-", "", "$0$0", "$$", "é$0"]))
def test_replacing_in_bytes_is_replacing_in_characters(text: str, pattern: str, replacement: str) -> None:
    made, end = "", 0
    matches = {match.span(): match for match in compiled(pattern).finditer(text)}  # the wrapper finds some twice
    for match in matches.values():
        made += text[end : match.start()] + replacement.replace("$0", match.group()).replace("$$", "$")
        end = match.end()
    assert regex_replace(text, pattern, replacement) == made + text[end:]


@given(st.lists(st.none() | st.integers(0, 9)), st.booleans(), st.integers(1, 1500))
def test_sorting_in_parts_is_sorting(values: list[int | None], descending: bool, times: int) -> None:
    values = values * (times if len(values) < 20 else 1)
    by = sorted(range(len(values)), key=lambda place: (values[place] is not None, values[place]), reverse=descending)
    assert ordered(values, descending=descending) == by
