"""What a client sent that a stack can't take: the client is told which input, and a server's own mistake stays one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

from engine import registry
from engine.errors import Fault
from engine.openapi.answers import component, error_schemas
from engine.values import REFUSALS
from tests.live import Live, serving
from tests.storages import on_postgres
from tests.support import answer, program, run_stack

NOTE = """\
table: note
columns: {id: int, title: text, size: {type: int, default: 0}, at: {type: timestamp, default: now}, tags: {type: "text[]", default: []}}
indexes: [{columns: [title], type: search}]
"""
PARSED = """\
function: parsed
input: {text: text, other?: text}
stack:
  - return: $input.text | to_int
"""
OTHER = """\
function: other
input: {text: text}
stack:
  - run_function: parsed
    with: {text: "${$input.text ~ ''}"}
    as: number
  - return: $number
"""


@dataclass(frozen=True)
class Sent:
    """A stack, what is declared, what a client sends, and the inputs that it is told of."""

    stack: str
    input: str
    body: dict[str, Any]
    params: tuple[str, ...] = ("a",)
    message: str = ""


def value(expression: str, body: dict[str, Any], input: str = "a: text", message: str = "", *params: str) -> Sent:
    """An expression that a stack answers with."""
    stack = f"- return: {orjson.dumps('${' + expression + '}').decode()}"
    return Sent(stack, f"{{{input}}}", body, params or ("a",), message)


def query(where: str, body: dict[str, Any], input: str = "a: text", message: str = "") -> Sent:
    stack = f"{ADDED}- query_all_records: note\n  where: {where} and id == $note.id\n  as: notes\n- return: $notes"
    return Sent(stack, f"{{{input}}}", body, message=message)


ADDED = "- add_record: note\n  data: {title: x, size: 2}\n  as: note\n"
WORDS = " ".join(["word"] * 33)
SENT: dict[str, Sent] = {
    "a number": value("$input.a | to_int", {"a": "12x"}, message="Input is no number."),
    "a number past 64 bits": value("$input.a | to_int", {"a": "9" * 30}),
    "a number past all": value("$input.a | to_int", {"a": "9" * 500}, message="Input is no number."),
    "a decimal": value("$input.a | to_decimal", {"a": "1e999"}),
    "a bool": value("$input.a | to_bool", {"a": "yes"}, message="Input is neither true nor false."),
    "JSON": value("$input.a | json_decode", {"a": "{a: 1}"}, message="Input is no JSON."),
    "base64": value("$input.a | base64_decode", {"a": "aGVsbG8"}, message="Input is no base64."),
    "percents": value("$input.a | url_decode", {"a": "100%"}, message="Input is no percent-encoded text."),
    "a time": value("$input.a | to_timestamp", {"a": "soon"}, message="Input is no date or time of the calendar."),
    "a day that isn't": value("$input.a | to_timestamp", {"a": "2026-02-30"}),
    "a zone of a time": value('"2026-01-01" | to_timestamp($input.a)', {"a": "Mars/Base"}, message="Input is no time zone."),
    "a zone": value("now() | format_timestamp(\"Y\", $input.a)", {"a": "../etc/passwd"}, message="Input is no time zone."),
    "a zone of a day": value("now() | timestamp_hour($input.a)", {"a": "x"}, message="Input is no time zone."),
    "a format": value("now() | format_timestamp($input.a)", {"a": "Q"}, message="Input is no format of dates."),
    "a time by a format": value('$input.a | parse_timestamp("d.m.Y")', {"a": "1.1.26"}),
    "a moment past the calendar": value("$input.a | format_timestamp", {"a": 2**62}, "a: int"),
    "a pattern": value('"x" | regex_matches($input.a)', {"a": "("}, message="Input is no pattern."),
    "a long pattern": value('"x" | regex_matches($input.a)', {"a": "x" * 1001}, message="Input is longer than 1000 characters."),
    "a replacement": value('"x" | regex_replace("x", $input.a)', {"a": "$1"}),
    "a wildcard": value('"x" | like($input.a)', {"a": "x" * 1001}),
    "words": value('"x" | search($input.a)', {"a": WORDS}, message="Input has more than 32 words."),
    "an empty search": value('"x" | replace($input.a, "y")', {"a": ""}, "a?: {type: text, default: ''}", "Input is empty."),
    "a place in a list": value("[1, 2][$input.a]", {"a": 2}, "a: int", "Input leads to nothing that is there."),
    "a list that is too short": value("$input.a[3]", {"a": [1, 2]}, "a: 'int[]'"),
    "a key": value("{b: 1}[$input.a] + 1", {"a": "c"}),
    "a divisor": value("10 / $input.a", {"a": 0}, "a: int", "Input leads to a division by zero."),
    "a divisor of a rest": value("10 % $input.a", {"a": 0}, "a: int", "Input leads to a division by zero."),
    "a product": value("$input.a * 3", {"a": 2**62}, "a: int"),
    "a sum of three": value("$input.a + $input.a + 1", {"a": 2**62}, "a: int"),
    "a negation": value("-$input.a", {"a": -(2**63)}, "a: int"),
    "a decimal product": value("$input.a * 1e10", {"a": 1e300}, "a: decimal"),
    "a sum of a list": value("$input.a | sum", {"a": [2**62, 2**62]}, "a: 'int[]'"),
    "a root": value("$input.a | sqrt", {"a": -1}, "a: decimal"),
    "a power": value("$input.a | pow(-1)", {"a": 0}, "a: int"),
    "an exponent": value("2 | pow($input.a)", {"a": 64}, "a: int"),
    "a longitude": value("point($input.a, 1)", {"a": 181}, "a: decimal"),
    "a range": value("(1..$input.a) | count", {"a": 10**12}, "a: int"),
    "a length": value('"x" | truncate($input.a)', {"a": -1}, "a: int"),
    "a bound of chance": value("random_int(5, $input.a)", {"a": 1}, "a: int"),
    "a path": value("{b: 1} | set($input.a, 1)", {"a": "b.c"}),
    "two": value("$input.a * $input.b", {"a": 2**62, "b": 8}, "a: int, b: int", "", "a", "b"),
    "what was trimmed": value("$input.a | trim | to_int", {"a": "x"}),
    "what was joined": value('("1" ~ $input.a) | to_int', {"a": "x"}),
    "what has a default": value('($input.a ?? "0") | to_int', {"a": "x"}, "a?: text"),
    "what may be another": value('($input.a if $input.b else "0") | to_int', {"a": "x", "b": True}, "a: text, b: bool"),
    "a part of an object": value("$input.a.b | to_int", {"a": {"b": "x"}}, "a: {type: object, properties: {b: text}}"),
    "an item of a list": value("$input.a | map($x => $x | to_int)", {"a": ["1", "x"]}, "a: 'text[]'"),
    "a part of an item": value(
        "$input.a | map($x => $x.b | to_int) | sum", {"a": [{"b": "x"}]},
        "a: {type: 'object[]', properties: {b: text}}",
    ),
    "an item that was split": value('$input.a | split(",") | map($x => $x | to_int)', {"a": "1,x"}),
    "a field that JSON lacks": value("$input.a.b.c", {"a": {"b": {}}}, "a: json", "Input does not have the required form."),
    "JSON that is no text": value("$input.a | to_upper", {"a": 7}, "a: json"),
    "JSON that is no number": value("$input.a.n + 1", {"a": {"n": "x"}}, "a: json"),
    "JSON that is no list": value("$input.a.b | map($x => $x.c)", {"a": {"b": 1}}, "a: json"),
    "items of JSON": value("$input.a | map($x => $x.c | to_lower)", {"a": [{"c": 1}]}, "a: json"),
    "JSON that is no bool": value("1 if $input.a.on else 2", {"a": {"on": 1}}, "a: json"),
    "JSON that isn't as was said": value('$input.a | as_kind({n: "int"})', {"a": {"n": "x"}}, "a: json"),
    "JSON that was asked for its kind": value("($input.a | to_int) if ($input.a | is_text) else 0", {"a": "x"}, "a: json"),
    "a sensitive text": value("($input.a | to_int) > 1", {"a": "x"}, "a: {type: text, sensitive: true}"),
    "a variable": Sent("- set: {n: $input.a}\n- set: {m: $n | to_int}\n- return: $m", "{a: text}", {"a": "x"}),
    "a loop": Sent(
        "- set: {sum: 0}\n- for_each: $input.a\n  as: x\n  do:\n    - set: {sum: $sum + ($x | to_int)}\n- return: $sum",
        "{a: 'text[]'}", {"a": ["1", "x"]},
    ),
    "JSON that is walked": Sent(
        "- for_each: $input.a\n  as: x\n  do: [{debug_log: $x}]\n- return: 1", "{a: json}", {"a": 7}
    ),
    "a function's input": Sent(
        "- run_function: parsed\n  with: {text: $input.a, other: $input.b}\n  as: n\n- return: $n",
        "{a: text, b: text}", {"a": "x", "b": "y"}, message="Input is no number.",
    ),
    "a function's function's": Sent(
        "- run_function: other\n  with: {text: $input.a}\n  as: n\n- return: $n", "{a: text}", {"a": "x"}
    ),
    "words of a query": query("title | search($input.a)", {"a": WORDS}, message="Input has more than 32 words."),
    "words of a function's query": Sent(
        "- run_function: found\n  with: {words: $input.a}\n  as: notes\n- return: $notes", "{a: text}", {"a": WORDS}
    ),
    "a pattern of a query": query("title | regex_matches($input.a)", {"a": "("}, message="Input is no pattern."),
    "a long wildcard of a query": query("title | like($input.a)", {"a": "%" * 1001}),
    "a zone of a query": query("(at | timestamp_hour($input.a)) == 1", {"a": "x"}, message="Input is no time zone."),
    "JSON that is no int in a query": query('(title | substr($input.a)) == "x"', {"a": 1.5}, "a: json"),
    "JSON that is no int in a rest": query("size % $input.a == 1", {"a": 1e300}, "a: json"),
    "a part of JSON that is no object": Sent(
        "- set: {o: $input.a}\n- set: {o.x.y: 1}\n- return: $o", "{a: json}", {"a": {"x": "text"}}
    ),
    "a place in JSON that is no list": Sent(
        "- set: {o: $input.a}\n- set: {'o[0]': 1}\n- return: $o", "{a: json}", {"a": {}}
    ),
    "JSON that is no object": value("{...$input.a}", {"a": [1]}, "a: json"),
    "JSON that is no list of items": value("[...$input.a]", {"a": 1}, "a: json"),
    "what a query computes": query("size * $input.a > 1", {"a": 2**62}, "a: int"),
    "JSON in an order of a query": query("size > $input.a", {"a": "x"}, "a: json"),
    "JSON as a list of a query": query("size in $input.a", {"a": "x"}, "a: json"),
}  # fmt: skip
CONTRACT = error_schemas()[component("input_error")]  # of the API's description
FOUND = """\
function: found
input: {words: text}
stack:
  - query_all_records: note
    where: title | search($input.words)
    as: notes
  - return: $notes
"""
OWN: dict[str, Sent] = {
    "a record's text": Sent(ADDED + "- return: $note.title | to_int", "{a: text}", {"a": "x"}),
    "a record's zero": Sent(ADDED + "- return: $input.a / ($note.size - 2)", "{a: int}", {"a": 1}),
    "what may be a record's": Sent(
        ADDED + "- if: $input.b\n  then: [{set: {it: $input.a}}]\n  else: [{set: {it: $note.title}}]\n- return: $it | to_int",
        "{a: text, b: bool}", {"a": "1", "b": False},
    ),
    "a default that is a record's": Sent(
        ADDED + "- return: \"${($input.a ?? $note.title) | to_int}\"", "{a?: text}", {}
    ),
    "an item that was added": Sent(
        ADDED + "- set: {all: $input.a | push($note.title)}\n- return: $all | map($x => $x | to_int)",
        "{a: 'text[]'}", {"a": ["1"]},
    ),
    "a function's input that is a record's": Sent(
        ADDED + "- run_function: parsed\n  with: {text: $note.title, other: $input.a}\n  as: n\n- return: $n",
        "{a: text}", {"a": "x"},
    ),
    "what a function makes": Sent(
        "- run_function: made\n  with: {a: $input.a}\n  as: made\n- return: $made | to_int", "{a: text}", {"a": "x"}
    ),
}  # fmt: skip
MADE = "function: made\ninput: {a: text}\nstack:\n  - debug_log: $input.a\n  - return: nothing\n"
FILES = {"note": NOTE, "parsed": PARSED, "other": OTHER, "found": FOUND, "made": MADE}


def endpoint(number: int, sent: Sent) -> str:
    stack = sent.stack.replace("\n", "\n  ")
    return f"endpoint: POST /sent/{number}\ninput: {sent.input}\nstack:\n  {stack}\n"


EVERY = {**SENT, **{f"own: {name}": each for name, each in OWN.items()}}


@pytest.fixture(scope="module")
def live(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    endpoints = {f"sent{number}": endpoint(number, each) for number, each in enumerate(EVERY.values())}
    with serving(tmp_path_factory.mktemp("blame"), {**FILES, **endpoints}) as running:
        yield running


def post(live: Live, name: str) -> httpx.Response:
    with live.client() as client:
        return client.post(f"/api:main/sent/{list(EVERY).index(name)}", json=EVERY[name].body)


@pytest.mark.parametrize("name", SENT)
def test_what_a_client_sent_is_named_and_no_error_of_the_server(live: Live, name: str) -> None:
    response, sent = post(live, name), SENT[name]
    assert response.status_code == 400, response.text
    body = response.json()
    assert jsonschema_rs.is_valid(CONTRACT, body)
    assert body["payload"]["param"] == sent.params[0]
    assert tuple(each["param"] for each in body["payload"]["errors"]) == sent.params
    assert {each["message"] for each in body["payload"]["errors"]} == {body["message"]}
    assert body["message"].startswith("Input ") and (not sent.message or body["message"] == sent.message)


@pytest.mark.parametrize("name", OWN)
def test_what_no_client_sent_is_an_error_of_the_server(live: Live, name: str) -> None:
    response = post(live, f"own: {name}")
    assert response.status_code == 500, response.text


def test_the_log_says_whose_mistake_it_was(live: Live) -> None:
    for name in ("a number", "own: a record's text"):
        id = post(live, name).headers["x-request-id"]
        entry = logged(live, id)
        assert (entry["level"], "error" in entry) == (("error", True) if name.startswith("own") else ("info", False))
        assert entry["reason"] == "value"


def logged(live: Live, id: str) -> dict[str, Any]:
    """The entry of a request, once it is written."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for line in live.output.splitlines():
            if line.startswith(b"{") and id.encode() in line:
                entry: dict[str, Any] = orjson.loads(line)
                return entry
        time.sleep(0.02)
    raise AssertionError(f"no entry of {id}")


@on_postgres
def test_a_pattern_that_only_one_storage_knows_is_the_clients(tmp_path: Path) -> None:
    made = program(tmp_path, {**FILES, "it": endpoint(0, query("title | regex_matches($input.a)", {}))})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /sent/0", {"a": r"\pL"})
    assert (caught.value.name, caught.value.payload["param"]) == ("input_error", "a")  # type: ignore[index]


DIRECT = """\
- direct_database_query: "SELECT id FROM note WHERE size = ?"
  args: [$input.a]
  as: found
- return: $found"""


@on_postgres
def test_a_value_that_no_column_takes_leaves_the_connection_as_it_was(tmp_path: Path) -> None:
    """The next who begins a transaction on it may be anybody."""
    asked = Sent(DIRECT, "{a: json}", {})
    files = {**FILES, "asks": endpoint(0, asked), "adds": endpoint(1, Sent(f"{ADDED}- return: $note.size", "{}", {}))}
    with serving(tmp_path, files) as live, live.client() as client:
        for sent in ("x", [1], {"b": 1}, "2026-01-01"):
            refused = client.post("/api:main/sent/0", json={"a": sent})
            assert (refused.status_code, refused.json()["payload"]["param"]) == (400, "a")
            assert client.post("/api:main/sent/1", json={}).status_code == 200


def test_a_rest_by_json_is_that_of_an_int(storage: str, tmp_path: Path) -> None:
    assert (
        answer(
            program(tmp_path, {**FILES, "it": endpoint(0, query("size % $input.a == 2", {}, "a: json"))}),
            "POST /sent/0",
            {"a": 2**62},
        )[0]["size"]
        == 2
    )


def test_a_stack_may_catch_it(tmp_path: Path) -> None:
    stack = "- try:\n    - set: {n: $input.a | to_int}\n  catch:\n    - return: $error\n- return: $n"
    caught = run_stack(tmp_path, stack, "{a: text}", {"a": "x"})
    assert (caught["code"], caught["message"]) == ("ERROR_CODE_INPUT_ERROR", "Input is no number.")
    assert caught["payload"]["param"] == "a"


def test_a_function_that_catches_it_is_told_of_its_own_input(tmp_path: Path) -> None:
    caught = "function: caught\ninput: {b: text}\nstack:\n  - try:\n      - return: $input.b | to_int\n    catch:\n      - return: $error.payload\n"
    stack = "- run_function: caught\n  with: {b: $input.a}\n  as: it\n- return: $it"
    assert run_stack(tmp_path, stack, "{a: text}", {"a": "x"}, caught=caught)["param"] == "b"


def test_filters_that_refuse_values_say_which() -> None:
    """Whatever filter or function has an example of such a fault declares the parameters that it is about."""
    for definition in {**registry.filters(), **registry.functions()}.values():
        assert set(definition.refuses.values()) <= REFUSALS
        assert set(definition.refuses) <= {each.name for each in definition.parameters}
        if "=> fault value" in definition.doc or "=> fault division" in definition.doc:
            assert definition.refuses or definition.name == "as_kind", definition.name
