"""Inputs: what requests give an endpoint, and what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Fault
from engine.http import slices
from engine.http.bodies import MAX_VALUES, Gone, Patience, read_json
from engine.http.inputs import Inputs
from engine.shapes import Shape
from engine.values import File, Secret
from engine.workspace_reader import read_workspace

LIMIT = 100_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"

Make = Callable[..., Inputs]


@pytest.fixture
def inputs(tmp_path: Path) -> Make:
    """Makes the inputs of an endpoint from its `input:` in YAML."""

    def make(
        declared: str, seconds: float = 30.0, closed: bool = True, values: int = MAX_VALUES, limit: int = LIMIT
    ) -> Inputs:
        (tmp_path / "it.yaml").write_text(f"endpoint: POST /it\ninput: {declared}\nstack: []\nresponse: null\n")
        workspace, problems = read_workspace(tmp_path)
        assert not problems, problems[0].render()
        return Inputs(Shape(workspace.endpoints[0].input, closed=closed), limit, Patience(seconds), values)

    return make


def scope(query: str = "", headers: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "http_version": "1.1", "query_string": query.encode(), "headers": pairs}


def send(made: Inputs, body: bytes, type_: str = JSON, query: str = "", path: dict[str, str] | None = None) -> Any:
    """What a request with this body binds, secrets revealed."""

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [("content-type", type_), ("content-length", str(len(body)))]
    return shown(asyncio.run(made.from_request(scope(query, headers), receive, path or {})))


def shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return shown(value.reveal())
    if isinstance(value, File):
        return (value["name"], value["type"], value.content)
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


def refusal(act: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as fault:
        act()
    return fault.value


def parts(*fields: tuple[str, str]) -> bytes:
    """A multipart body; a name may carry `; filename=…`."""
    return (
        b"".join(
            f'--XX\r\nContent-Disposition: form-data; name="{name}\r\n\r\n{text}\r\n'.encode() for name, text in fields
        )
        + b"--XX--\r\n"
    )


# Queries

ALL = "{n?: int, d?: decimal, b?: bool, t?: text, at?: timestamp, e?: {values: [x, y]}, j?: json, o?: {type: object, properties: {k?: int, l?: 'int[]'}}, ids?: 'int[]', tags?: 'text[]', os?: {type: 'object[]', properties: {k: int}}}"


@pytest.mark.parametrize(
    ("query", "bound"),
    [
        ("n=1", {"n": 1}),
        ("n=-9223372036854775808", {"n": -(2**63)}),
        ("d=1.5&b=true&t=true", {"d": 1.5, "b": True, "t": "true"}),
        ("d=2", {"d": 2}),
        ("d=1e3&b=false", {"d": 1000.0, "b": False}),
        ("t=a+b%2Bc%20d", {"t": "a b+c d"}),
        ("t=%C3%A9", {"t": "é"}),
        ("t=", {"t": ""}),
        ("t=null", {"t": "null"}),
        ("t=%24input.x", {"t": "$input.x"}),
        ("t=a%3Db=c", {"t": "a=b=c"}),
        ("&&n=1&", {"n": 1}),
        ("at=1700000000000", {"at": 1700000000000}),
        ("at=1970-01-01T00:00:01Z", {"at": 1000}),
        ("e=x", {"e": "x"}),
        ('j={"a":[1]}', {"j": {"a": [1]}}),
        ("j[a]=1&j[b][]=x&j[c][0]=y", {"j": {"a": "1", "b": ["x"], "c": ["y"]}}),
        ("o[k]=3&o[l][]=1&o[l][]=2", {"o": {"k": 3, "l": [1, 2]}}),
        ('o={"k":3}', {"o": {"k": 3, "l": None}}),
        ("ids[]=1&ids[]=2", {"ids": [1, 2]}),
        ("ids%5B%5D=1", {"ids": [1]}),
        ("ids=1&ids=2", {"ids": [1, 2]}),
        ("ids=5", {"ids": [5]}),
        ("ids=[5,6]", {"ids": [5, 6]}),
        ("ids[1]=2&ids[0]=1", {"ids": [1, 2]}),
        ("tags[]=[x]", {"tags": ["[x]"]}),
        ("tags=[x]", {"tags": ["[x]"]}),
        ('tags=["a"]', {"tags": ['["a"]']}),
        ("tags=[a&tags=[b]", {"tags": ["[a", "[b]"]}),
        ('os=[{"k":1}]', {"os": [{"k": 1}]}),
        ("os[0][k]=1&os[1][k]=2", {"os": [{"k": 1}, {"k": 2}]}),
    ],
)
def test_a_query_is_read_by_declared_kind(inputs: Make, query: str, bound: dict[str, object]) -> None:
    read = shown(inputs(ALL).from_url(scope(query), {}))
    assert {name: value for name, value in read.items() if value is not None} == bound


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("n=1.0", "n", "Input must be an int, not a text."),
        ("n=+1", "n", "Input must be an int, not a text."),
        ("n=%201", "n", "Input must be an int, not a text."),
        ("n=01", "n", "Input must be an int, not a text."),
        ("n=1_0", "n", "Input must be an int, not a text."),
        ("n=%D9%A1", "n", "Input must be an int, not a text."),
        ("n=", "n", "Input must be an int, not a text."),
        ("n=9223372036854775808", "n", "Value is greater than the maximum value of 9223372036854775807"),
        ("n=" + "9" * 5000, "n", "Input must be an int, not a text."),
        ("d=NaN", "d", "Input must be a decimal, not a text."),
        ("d=Infinity", "d", "Input must be a decimal, not a text."),
        ("d=1e999", "d", "Input must be a decimal, not a text."),
        ("d=.5", "d", "Input must be a decimal, not a text."),
        ("b=1", "b", "Input must be a bool, not a text."),
        ("b=True", "b", "Input must be a bool, not a text."),
        ("e=z", "e", 'Input "z" is not one of the allowable values.'),
        ("ids[]=x", "ids[0]", "Input must be an int, not a text."),
        ("ids=[x]", "ids", "Input is not JSON: unexpected character, expected a JSON value, line 1, column 2."),
        ("o[k]=x", "o.k", "Input must be an int, not a text."),
        ("o[z]=1", "o.z", "Unknown param: o.z"),
        ("o=x", "o", "Input is not JSON: unexpected character, expected a JSON value, line 1, column 1."),
        ("z=1", "z", "Unknown param: z"),
        ("n[]=1", "n", "Input must be an int, not an object."),
        ("ids[x]=1", "ids", "Input must be a list: name its items [] or [0], [1] and on."),
        ("ids[5]=1", "ids", "Input must be a list: name its items [] or [0], [1] and on."),
        ("ids=1&ids[0]=2", "ids", "Input is given in two forms."),
        ("__class__=1", "__class__", "Unknown param: __class__"),
    ],
)
def test_a_query_of_the_wrong_kind_is_refused_by_name(inputs: Make, query: str, param: str, message: str) -> None:
    made = inputs(ALL)
    fault = refusal(lambda: made.from_url(scope(query), {}))
    assert (fault.name, fault.payload["param"], fault.message) == ("input_error", param, message)  # type: ignore[index]


@pytest.mark.parametrize("query", ["n=1&n=2", "n=1&n=1", "t=a&t=b", "o=1&o[k]=2", "o[k]=1&o[k]=2", "z=1&z=2"])
def test_i_7_duplicate_query_names_are_refused(inputs: Make, query: str) -> None:
    made = inputs(ALL)
    assert refusal(lambda: made.from_url(scope(query), {})).message == "Input is given more than once."


@pytest.mark.parametrize(
    "query",
    ["t=%FF", "t=%00", "%00=1", "&".join(f"a{n}=" for n in range(1001)), "t=" + "x" * 17000, "j" + "[a]" * 9 + "=1"],
)
def test_i_7_a_malformed_query_is_refused(inputs: Make, query: str) -> None:
    made = inputs(ALL)
    assert refusal(lambda: made.from_url(scope(query), {})).name == "bad_request"


@pytest.mark.parametrize(
    ("declared", "query"),
    [
        ("{password: password}", "password=hunter2hunter2"),
        ("{pin: {type: int, sensitive: true}}", "pin=1234"),
        ("{o: {type: object, properties: {password: password}}}", "o[password]=hunter2hunter2"),
        ("{passwords: 'password[]'}", "passwords[]=hunter2hunter2"),
    ],
)
def test_s_6_a_secret_in_the_url_is_refused(inputs: Make, declared: str, query: str) -> None:
    made = inputs(declared)
    for act in (lambda: made.from_url(scope(query), {}), lambda: send(made, b"", query=query)):
        fault = refusal(act)
        assert fault.message == "Input is secret: send it in the body, never in a URL."
        assert "hunter2" not in str(fault.payload)


def test_a_path_parameter_is_read_by_declared_kind(inputs: Make) -> None:
    made = inputs("{id: int, name?: text}")
    assert made.from_url(scope("name=x"), {"id": "7"}) == {"id": 7, "name": "x"}
    assert refusal(lambda: made.from_url(scope(), {"id": "x"})).message == "Input must be an int, not a text."
    assert refusal(lambda: made.from_url(scope(), {"id": "7\0"})).name == "bad_request"


def test_a_name_counts_once_wherever_it_is_given(inputs: Make) -> None:
    made = inputs("{id: int}")
    for act in (
        lambda: made.from_url(scope("id=7"), {"id": "7"}),
        lambda: send(made, b'{"id":7}', path={"id": "7"}),
        lambda: send(made, b'{"id":7}', query="id=7"),
    ):
        assert refusal(act).message == "Input is given in two places."


def test_path_query_and_body_are_merged(inputs: Make) -> None:
    made = inputs("{a: int, b: int, c: int}")
    assert send(made, b'{"c":3}', query="b=2", path={"a": "1"}) == {"a": 1, "b": 2, "c": 3}


# JSON


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        (b'{"t":"x"}', "x"),
        (b' {"t":"a:b"}\n', "a:b"),
        (b'{"t":"\\u00e9"}', "é"),
        (b'{"t":"\\\\u0000"}', "\\u0000"),
        (b'{"t":"{{1|eval}} ${$env.KEY} $input.t"}', "{{1|eval}} ${$env.KEY} $input.t"),
        (b'{"t":"' + b"[" * 1000 + b'"}', "[" * 1000),
    ],
)
def test_a_json_body_is_bound(inputs: Make, body: bytes, bound: str) -> None:
    assert send(inputs("{t: text}"), body)["t"] == bound


@pytest.mark.parametrize(
    "body",
    [
        b'{"t":NaN}',
        b'{"t":Infinity}',
        b'{"t":1e999}',
        b'{"t":"\\ud800"}',
        b'{"t":"\xff"}',
        b'{"t":"\xed\xa0\x80"}',
        b'{"t":"\\u0000"}',
        b'{"\\u0000":1}',
        b"{'t':1}",
        b'{"t":1,}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b'"x"',
        b'{"t":1}{}',
        b"{",
        b" ",
    ],
)
def test_i_7_a_body_that_is_no_json_object_is_refused(inputs: Make, body: bytes) -> None:
    made = inputs("{t?: json}")
    assert refusal(lambda: send(made, body)).name == "bad_request"


@pytest.mark.parametrize(
    "body",
    [
        b'{"t":1,"t":2}',
        b'{"t":1,"\\u0074":1}',
        b'{"t":{"a":1,"a":2}}',
        b'{"t":[{"a":{"b":1,"b":2}}]}',
        b'{"t":"a:b","t":"c"}',
        b'{"t":[' + b"9" * 300 + b'],"t":1}',
        b'{"t":{"a":1,"a":2,"b":"\\u003a"}}',
        b'{"t":[{"a":1},{"a":1,"b":{},"b":{}}]}',
        b'{"t":[' + b"{}," * 30_000 + b'{"a":1,"a":1}]}',
    ],
)
def test_i_7_duplicate_names_in_json_are_refused(inputs: Make, body: bytes) -> None:
    made = inputs("{t?: json}")
    fault = refusal(lambda: send(made, body))
    assert fault.name == "bad_request"
    assert "twice" in fault.message


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


_NAMES = st.sampled_from(['"a"', '"b"', '"a:b"', '"\\u0061"', '"\\u003a"', '"\\\\u"', '"[{"', '"\\""'])
_TEXTS = st.recursive(
    _NAMES | st.sampled_from(["1", "null", "1.5", "[]", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(_NAMES, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{name} : {value}" for name, value in pairs) + "}"
        )
    ),
    max_leaves=80,
)


@given(_TEXTS)
def test_i_7_json_is_read_exactly_where_no_name_is_given_twice(text: str) -> None:
    try:
        expected = json.loads(text, object_pairs_hook=_distinct)
    except AssertionError:
        assert "twice" in refusal(lambda: read_json(text.encode())).message
    else:
        assert read_json(text.encode()) == expected


@pytest.mark.parametrize(("inner", "inner_levels"), [("1", 0), ("[]", 1), ("{}", 1), ('{"a":[1]}', 2)])
@pytest.mark.parametrize(("start", "end", "levels"), [("[", "]", 1), ('{"a":', "}", 1), ('[1,{"a":', "}]", 2)])
@pytest.mark.parametrize("padding", ["", " " * 70_000])
def test_i_7_json_has_at_most_64_levels(
    inner: str, inner_levels: int, start: str, end: str, levels: int, padding: str
) -> None:
    for times in (31, 32, 33, 62, 63, 64, 65, 300):
        text = start * times + inner + end * times + padding
        if times * levels + inner_levels <= 64:
            assert read_json(text.encode()) == json.loads(text)
        else:
            with pytest.raises(Fault, match="deeper than 64 levels"):
                read_json(text.encode())


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("1999", "Value is less than the minimum value of 2000"),
        ('"1970-01-01T00:00:01.999Z"', "Value is less than the minimum value of 2000"),
        ("3001", "Value is greater than the maximum value of 3000"),
        ('"1970-01-01T01:00:03.001+01:00"', "Value is greater than the maximum value of 3000"),
    ],
)
def test_a_timestamp_is_within_its_bounds_however_it_is_written(inputs: Make, written: str, message: str) -> None:
    bounded = inputs("{at: {type: timestamp, min: 2000, max: 3000}}")
    assert refusal(lambda: send(bounded, b'{"at":%b}' % written.encode())).message == message
    assert send(bounded, b'{"at":"1970-01-01T00:00:02Z"}') == {"at": 2000}


@pytest.mark.parametrize(
    ("declared", "body", "expected"),
    [
        ("{n: int}", b'{"n":2.0}', {"n": 2}),
        ("{n: 'int[]'}", b'{"n":[1,2.0]}', {"n": [1, 2]}),
        ("{o: {type: object, properties: {n: int}}}", b'{"o":{"n":2.0}}', {"o": {"n": 2}}),
        ("{o: {type: 'object[]', properties: {d: decimal, n: int}}}", b'{"o":[{"d":1,"n":1},{"d":1.5,"n":2.0}]}', {"o": [{"d": 1, "n": 1}, {"d": 1.5, "n": 2}]}),
        ("{o: {type: 'object[]', properties: {n: {type: int, nullable: true}}}}", b'{"o":[{"n":null},{"n":2.0}]}', {"o": [{"n": None}, {"n": 2}]}),
        ("{o: {type: 'object[]', properties: {n: int, 'd?': date}}}", b'{"o":[{"n":1}]}', {"o": [{"n": 1, "d": None}]}),
        ("{o: {type: 'object[]', properties: {n: int, u: uuid}}}", b'{"o":[{"n":1,"u":"018F4E8A-0000-7000-8000-00000000000A"}]}', {"o": [{"n": 1, "u": "018f4e8a-0000-7000-8000-00000000000a"}]}),
        ("{o: {type: 'object[]', properties: {n: int, s: {type: text, trim: true}}}}", b'{"o":[{"n":1,"s":" a "}]}', {"o": [{"n": 1, "s": "a"}]}),
        ("{o: {type: 'object[]', properties: {n: int, l: 'int[]'}}}", b'{"o":[{"n":1,"l":[3.0]}]}', {"o": [{"n": 1, "l": [3]}]}),
        ("{o: {type: 'object[]', properties: {n: int, p: {type: object, properties: {m: int}}}}}", b'{"o":[{"n":1,"p":{"m":3.0}}]}', {"o": [{"n": 1, "p": {"m": 3}}]}),
        ("{o: {type: 'object[]', sensitive: true, properties: {n: int}}}", b'{"o":[{"n":1}]}', {"o": [{"n": 1}]}),
        ("{o: {type: 'object[]', properties: {n: int}}}", b'{"o":[]}', {"o": []}),
    ],
)  # fmt: skip
def test_json_is_made_what_stacks_see(inputs: Make, declared: str, body: bytes, expected: object) -> None:
    assert repr(send(inputs(declared), body)) == repr(expected)  # 2.0 equals 2


@pytest.mark.parametrize(
    ("declared", "body", "message"),
    [
        ("{n: int}", b'{"n":"1"}', "Input must be an int, not a text."),
        ("{n: int}", b'{"n":1.5}', "Input must be an int, not a decimal."),
        ("{n: int}", b'{"n":true}', "Input must be an int, not a bool."),
        ("{t: text}", b'{"t":["x"]}', "Input must be a text, not a list."),
        ("{t: text}", b'{"t":{"$ne":null}}', "Input must be a text, not an object."),
        ("{t: text}", b'{"t":null}', "Input must be a text, not null."),
        ("{b: bool}", b'{"b":"true"}', "Input must be a bool, not a text."),
        ("{ids: 'int[]'}", b'{"ids":1}', "Input must be a list, not an int."),
        ("{t: text}", b'{"t":"x","role":"admin"}', "Unknown param: role"),
        ("{t: text}", b"{}", "Missing param: t"),
        ("{f: file}", b'{"f":"x"}', "Input must be a file, sent as multipart/form-data."),
        ("{f: file}", b'{"f":{"name":"x","type":"y","size":1}}', "Input must be a file, sent as multipart/form-data."),
    ],
)
def test_i_7_json_of_the_wrong_kind_is_refused_not_coerced(
    inputs: Make, declared: str, body: bytes, message: str
) -> None:
    made = inputs(declared)
    assert refusal(lambda: send(made, body)).message == message


PARTS = "properties: {a?: int, t: {type: text, trim: true, default: ' x '}, l?: {type: 'object[]', properties: {n: {type: int, default: 1}}}}"


@pytest.mark.parametrize(
    ("declared", "body", "bound"),
    [
        (f"{{o: {{type: object, {PARTS}, default: {{}}}}}}", b"{}", {"o": {"a": None, "t": "x", "l": None}}),
        (f"{{o: {{type: object, {PARTS}, default: {{a: 2}}}}}}", b"{}", {"o": {"a": 2, "t": "x", "l": None}}),
        (f"{{o: {{type: object, {PARTS}, default: {{l: [{{}}]}}}}}}", b"{}", {"o": {"a": None, "t": "x", "l": [{"n": 1}]}}),
        (f"{{o: {{type: 'object[]', {PARTS}, default: [{{t: ' y '}}]}}}}", b"{}", {"o": [{"a": None, "t": "y", "l": None}]}),
        (f"{{p: {{type: object, properties: {{o: {{type: object, {PARTS}, default: {{}}}}}}}}}}", b'{"p":{}}', {"p": {"o": {"a": None, "t": "x", "l": None}}}),
        ("{t: {type: text, lower: true, default: ABC}}", b"{}", {"t": "abc"}),
        ("{u: {type: uuid, default: 0198F6A0-0000-7000-8000-000000000000}}", b"{}", {"u": "0198f6a0-0000-7000-8000-000000000000"}),
    ],
)  # fmt: skip
def test_a_default_is_what_the_same_value_sent_is(inputs: Make, declared: str, body: bytes, bound: object) -> None:
    made = inputs(declared)
    assert (send(made, body), send(made, body)) == (bound, bound)


HOLDERS = """{
  pin?: {values: [a, b], sensitive: true}, pins?: {type: 'enum[]', values: [a, b], sensitive: true},
  k?: {type: object, sensitive: true, properties: {a?: {values: [x]}, l?: {type: 'object[]', properties: {n: int}}}},
  j?: {type: json, sensitive: true, schema: {additionalProperties: {type: object, required: [n], properties: {n: {enum: [x]}}}}},
  o?: {type: object, properties: {e?: {values: [x]}, password?: password}}}
""".replace("\n", " ").strip()
UNLISTED, MISSHAPEN = "Input is not one of the allowable values.", "Input does not have the required form."


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b'{"pin":"hunter2"}', "pin", UNLISTED),
        (b'{"pins":["a","hunter2"]}', "pins[1]", UNLISTED),
        (b'{"k":{"hunter2":1}}', "k", MISSHAPEN),
        (b'{"k":{"a":"hunter2"}}', "k.a", UNLISTED),
        (b'{"k":{"l":[{"n":1,"hunter2":1}]}}', "k.l[0]", MISSHAPEN),
        (b'{"k":{"l":[{}]}}', "k.l[0].n", "Missing param: k.l[0].n"),
        (b'{"k":{"l":[{"n":"hunter2"}]}}', "k.l[0].n", "Input must be an int, not a text."),
        (b'{"j":{"hunter2":1}}', "j", MISSHAPEN),
        (b'{"j":{"hunter2":{}}}', "j", MISSHAPEN),
        (b'{"j":{"hunter2":{"n":"hunter2"}}}', "j", UNLISTED),
        (b'{"o":{"hunter2":1}}', "o", MISSHAPEN),
        (b'{"o":{"e":"hunter2"}}', "o.e", UNLISTED),
        (b"k[hunter2][hunter2]=1&k[hunter2]=2", "k", "Input is given more than once."),
        (b'k={"hunter2":1,"hunter2":2}', "k", MISSHAPEN),
    ],
)
def test_s_1_no_refusal_quotes_what_was_given_for_a_secret(inputs: Make, body: bytes, param: str, message: str) -> None:
    fault = refusal(lambda: send(inputs(HOLDERS), body, JSON if body.startswith(b"{") else FORM))
    assert "hunter2" not in repr(fault.payload)
    assert (fault.payload["param"], fault.message) == (param, message)


NESTED = b'{"t":' * 5 + b"1" + b"}" * 5


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 90_000,
        b'{"t":' + b"[" * 40_000 + b"]" * 40_000 + b"}",
        b'{"t":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"t":' * 1000 + b"1" + b"}" * 1000,
        b"{" + b",".join(b'"k%d":1' % n for n in range(8000)) + b"}",
        b'{"n":' + b"9" * 90_000 + b"}",
    ],
)
def test_b_11_json_bombs_are_refused_at_once(inputs: Make, body: bytes) -> None:
    made = inputs("{t?: json, n?: int}")
    began = time.monotonic()
    assert refusal(lambda: send(made, body)).status == 400
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("levels", [65, 500, 5000, 40_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_b_11_levels_are_counted_before_anything_else(inputs: Make, levels: int, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    body = b'{"t":' + opening * levels + b'"\\u0000"' + closing * levels + b"}"
    assert "deeper than 64 levels" in refusal(lambda: send(inputs("{t?: json}"), body)).message or len(body) > LIMIT


@pytest.mark.parametrize(
    ("text", "has_nul"),
    [
        (r'"\u0000"', True),
        (r'"\\u0000"', False),
        (r'"\\\u0000"', True),
        (r'"\\\\u0000"', False),
        (r'"\n\u0000"', True),
        (r'{"\u0000": 1}', True),
        (r'["\\u0000", "a\u0000"]', True),
    ],
)
def test_a_nul_is_found_however_it_is_escaped(text: str, has_nul: bool) -> None:
    if has_nul:
        assert "NUL" in refusal(lambda: read_json(text.encode())).message
    else:
        assert read_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1", 1),
        ("[]", 1),
        ("[ ]", 1),
        ("[[],[],{ }]", 4),
        ("[1,2]", 3),
        ('{"a": {"b": [1, "[,,,{"]}}', 5),
        ('["\\",[", 1]', 3),
    ],
)
def test_values_are_counted_not_what_looks_like_them(text: str, values: int) -> None:
    assert read_json(text.encode(), values) == json.loads(text)
    if values > 1:
        assert f"more than {values - 1} values" in refusal(lambda: read_json(text.encode(), values - 1)).message


@pytest.mark.parametrize("filler", [b"[]", b"{}", b"1", b'""', b'{"a":1}'])
def test_b_11_a_body_of_too_many_values_is_refused_before_it_is_read(inputs: Make, filler: bytes) -> None:
    made = inputs("{t?: json}", values=1000)
    fine = b'{"t":[' + b",".join([filler] * 400) + b"]}"
    assert send(made, fine) == orjson.loads(fine)
    fault = refusal(lambda: send(made, b'{"t":[' + b",".join([filler] * 1000) + b"]}"))
    assert (fault.status, fault.message) == (400, "The body has more than 1000 values.")


@pytest.mark.parametrize(
    ("declared", "body", "param"),
    [
        ("{j: json}", b'{"j":18446744073709551616}', "j"),
        ("{j: json}", b'{"j":9223372036854775808}', "j"),
        ("{j: json}", b'{"j":-9223372036854775809}', "j"),
        ("{a: int, j: json}", b'{"a":1,"j":{"x":[1,{"y":123456789012345678901234567890}]}}', "j"),
        ("{d: decimal}", b'{"d":100000000000000000000}', "d"),
        ("{n: int}", b'{"n":%b}' % (b"9" * 300), "n"),
        ("{o: {type: object, properties: {n: decimal}}}", b'{"o":{"n":-18446744073709551616}}', "o"),
    ],
)
def test_an_int_past_64_bits_is_refused_by_name(inputs: Make, declared: str, body: bytes, param: str) -> None:
    fault = refusal(lambda: send(inputs(declared), body))
    assert (fault.status, fault.payload["param"]) == (400, param)
    assert fault.message == "Input holds a whole number past 64 bits: send it as a text."


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775807",
        "-9223372036854775808",
        "1.8446744073709551616",
        "18446744073709551616.5",
        "18446744073709551616e0",
        "1e-18446744073709551616",
        "0.12345678901234567890123",
        '"18446744073709551616"',
        '{"18446744073709551616": "a, 18446744073709551616"}',
    ],
)
def test_other_numbers_of_many_digits_are_read_as_ever(inputs: Make, text: str) -> None:
    assert repr(send(inputs("{j: json}"), b'{"j":%b}' % text.encode())) == repr({"j": json.loads(text)})


# Large bodies


_MEMBERS = st.lists(st.tuples(_NAMES, _TEXTS), max_size=3)
_LISTS = st.lists(_TEXTS, min_size=1, max_size=30).map(lambda items: "[" + " , ".join(items) + "]")


@given(
    _MEMBERS,
    st.lists(st.tuples(_NAMES, _LISTS), max_size=2),
    _MEMBERS,
    st.integers(0, 400),
    st.sampled_from(',]}[{:"\\0'),
)
def test_i_7_a_body_in_slices_is_what_it_is_as_a_whole(
    before: Any, lists: Any, after: Any, place: int, letter: str
) -> None:
    right = "{" + ",".join(f"{name}:{value}" for name, value in [*before, *lists, *after]) + "}"
    for text in (right, right[:place] + letter + right[place:]):
        for limit in (MAX_VALUES, 20):
            whole, sliced = outcome(read_json, text, limit), outcome(in_slices, text, limit)
            assert whole == sliced or (whole[0] == sliced[0] == "fault"), text


def outcome(read: Callable[[bytes, int], object], text: str, limit: int) -> tuple[str, object]:
    try:
        return "value", read(text.encode(), limit)
    except Fault as fault:
        return "fault", fault.name


def in_slices(body: bytes, limit: int) -> object:
    with patch.object(slices, "SLICE", 7):
        return asyncio.run(slices.read_in_slices(body, limit))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"t":[%b[[[1]]]]}', None),
        (b'{"t":[%b' + b"[" * 62 + b"]" * 62 + b"]}", None),
        (b'{"t":[%b' + b"[" * 63 + b"]" * 63 + b"]}", "The body nests deeper than 64 levels."),
        (b'{"t":[%b' + b"[" * 63 + b"]" * 63 + b",1,2,3,4,5]}", "The body nests deeper than 64 levels."),
        (b'{"t":[%b1],"t":2}', "The body names 't' twice."),
        (b'{"t":[%b{"a":1,"a":2},3,4,5,6,7]}', "The body names 'a' twice."),
        (b'{"t":[%b"\\u0000",3,4,5,6,7]}', "The body has a NUL character in a text."),
        (
            b'{"a":"x","t":[%b18446744073709551616,3,4,5,6,7]}',
            "Input holds a whole number past 64 bits: send it as a text.",
        ),
        (b'{"t":[%bnope,3,4,5,6,7,8,9]}', "The body is not JSON, after byte 206."),
    ],
)
def test_what_is_wrong_with_a_slice_is_told(body: bytes, message: str | None) -> None:
    text = body % (b"1," * 100)
    if message is None:
        assert in_slices(text, MAX_VALUES) == orjson.loads(text)
    else:
        fault = refusal(lambda: in_slices(text, MAX_VALUES))
        assert fault.message == message
        assert not fault.payload or fault.payload["param"] == "t"


ITEM = "{type: 'object[]', max: 20000, properties: {n: int, t?: {type: text, trim: true}, d: {type: int, default: 4}}}"


@pytest.mark.parametrize("count", [1999, 2000, 2001, 4000, 9000])
def test_a_long_list_is_bound_in_slices_as_ever(inputs: Make, count: int) -> None:
    items = [{"n": float(place), "t": f" {place} "} for place in range(count)]
    body = orjson.dumps({"a": "x" + " " * 70_000, "items": items})
    bound = send(inputs(f"{{a: {{type: text, trim: true}}, items: {ITEM}}}", limit=1 << 24), body)
    assert bound == {"a": "x", "items": [{"n": place, "t": str(place), "d": 4} for place in range(count)]}
    assert type(bound["items"][-1]["n"]) is int


@pytest.mark.parametrize(
    ("wrong", "count", "param", "message"),
    [
        (5, 9000, "items[5].n", "Input must be an int, not a text."),
        (8000, 9000, "items", "Input has an item from [8000] on that does not have the required form."),
        (None, 20_001, "items", "Input does not have the required form."),
    ],
)
def test_what_is_wrong_in_a_long_list_is_told(
    inputs: Make, wrong: int | None, count: int, param: str, message: str
) -> None:
    items: list[dict[str, object]] = [{"n": place, "t": "padding"} for place in range(count)]
    if wrong is not None:
        items[wrong]["n"] = "x"
    fault = refusal(lambda: send(inputs(f"{{items: {ITEM}}}", limit=1 << 24), orjson.dumps({"items": items})))
    assert (fault.payload["param"], fault.message) == (param, message)


def test_others_have_turns_while_a_large_body_is_read(inputs: Make) -> None:
    body = orjson.dumps({"items": [{"n": place, "t": "padding"} for place in range(19_000)]})
    made = inputs(f"{{items: {ITEM}}}", limit=1 << 24)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> None:
        task = asyncio.create_task(others())
        headers = [("content-type", JSON), ("content-length", str(len(body)))]

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        requests = [made.from_request(scope("", headers), receive, {}) for _ in range(3)]
        for bound in await asyncio.gather(*requests):
            assert len(bound["items"]) == 19_000
        task.cancel()

    asyncio.run(run())
    assert turns > 3 * (len(body) // slices.SLICE + 19_000 // slices.ITEMS - 2)


def test_json_may_nest_in_reason(inputs: Make) -> None:
    body = b'{"t":' + b"[" * 63 + b"]" * 63 + b"}"
    assert send(inputs("{t: json}"), body) == orjson.loads(body)


# Forms


@pytest.mark.parametrize("type_", [JSON, FORM, MULTIPART, "text/plain", ""])
def test_an_empty_body_of_any_type_is_no_input(inputs: Make, type_: str) -> None:
    assert send(inputs("{n?: int}"), b"", type_) == {"n": None}


def test_a_form_is_read_by_declared_kind(inputs: Make) -> None:
    made = inputs("{n: int, t: text, ids: 'int[]', password: password}")
    bound = send(made, b"n=3&t=a+b&ids[]=1&ids[]=2&password=x%26y", FORM + "; charset=utf-8")
    assert bound == {"n": 3, "t": "a b", "ids": [1, 2], "password": "x&y"}


def test_multipart_is_read_by_declared_kind_as_xanos_client_sends_it(inputs: Make) -> None:
    made = inputs(
        "{n: int, b: bool, t: text, o: {type: object, properties: {k: int}}, ids: 'int[]', j: json, "
        "none: {type: int, nullable: true}, left?: int, f: file}"
    )
    body = parts(
        ('n"', "3"),
        ('b"', "true"),
        ('t"', "null"),
        ('o"', '{"k":1}'),
        ('ids"', "[1,2]"),
        ('j"', '{"a":[null]}'),
        ('none"', "null"),
        ('left"', "undefined"),
        ('f"; filename="C:\\\\docs\\\\a.txt"\r\nContent-Type: text/plain', "hello\r\nworld"),
    )
    assert send(made, body, MULTIPART) == {
        "n": 3,
        "b": True,
        "t": "null",
        "o": {"k": 1},
        "ids": [1, 2],
        "j": {"a": [None]},
        "none": None,
        "left": None,
        "f": ("a.txt", "text/plain", b"hello\r\nworld"),
    }


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["a","b"]', ["a", "b"]),
        ("[]", []),
        ("[draft]", ["[draft]"]),
        ("[1]", ["[1]"]),
        ('["a"', ['["a"']),
    ],
)
def test_a_list_of_texts_in_multipart_may_be_json(inputs: Make, text: str, items: object) -> None:
    assert send(inputs("{tags?: 'text[]'}"), parts(('tags"', text)), MULTIPART) == {"tags": items}


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("{type: 'text[]'}", "[draft]"),
        ("{type: 'text[]'}", "["),
        ("{type: 'enum[]', values: ['[a]', b]}", "[a]"),
        ("{type: 'password[]'}", '["a"]'),
    ],
)
def test_a_text_that_begins_like_a_list_is_one_of_a_list(inputs: Make, declared: str, text: str) -> None:
    assert send(inputs(f"{{l: {declared}}}"), f"l={text}".encode(), FORM) == {"l": [text]}


def test_files_come_as_a_list_too(inputs: Make) -> None:
    made = inputs("{photos: 'file[]'}")
    body = parts(*((f'photos[]"; filename="{n}.png"\r\nContent-Type: image/png', f"p{n}") for n in range(2)))
    assert send(made, body, MULTIPART) == {"photos": [("0.png", "image/png", b"p0"), ("1.png", "image/png", b"p1")]}


def test_a_file_input_left_empty_is_left_out(inputs: Make) -> None:
    body = parts(('f"; filename=""\r\nContent-Type: application/octet-stream', ""))
    assert send(inputs("{f?: file}"), body, MULTIPART) == {"f": None}
    made = inputs("{f: file}")
    assert refusal(lambda: send(made, body, MULTIPART)).message == "Missing param: f"


@pytest.mark.parametrize(
    ("declared", "body", "type_", "name"),
    [
        ("{n: int}", b"n=x", FORM, "input_error"),
        ("{n: int}", b"n=1&n=1", FORM, "input_error"),
        ("{t: text}", b"t=%00", FORM, "bad_request"),
        ("{t: text}", b"t=%FF", FORM, "bad_request"),
        ("{t?: text}", b'{"t":"x"}', FORM, "unsupported_media_type"),
        ("{t?: text}", b'{"t":"x"}', "text/plain", "unsupported_media_type"),
        ("{t?: text}", b'{"t":"x"}', "", "unsupported_media_type"),
        ("{t?: text}", b'{"t":"x"}', "application/jsonp", "unsupported_media_type"),
        ("{t?: text}", parts(('t"', "x")), "multipart/form-data", "bad_request"),
        ("{t?: text}", b"garbage", MULTIPART, "bad_request"),
        ("{t?: text}", parts(('t"', "x\0")), MULTIPART, "bad_request"),
        ("{t?: text}", parts(('t"', "x"))[:-4], MULTIPART, "bad_request"),
        ("{t?: text}", parts(('t"', "x")).replace(b"x", b"\xe9"), MULTIPART, "bad_request"),
        ("{t?: text}", parts(('t"', "x")).replace(b"form-data", b"attachment"), MULTIPART, "bad_request"),
        ("{t?: text}", parts(('t"', "x")).replace(b"name", b"nom"), MULTIPART, "bad_request"),
        ("{t?: text}", parts(*(('t"', "x"),) * 1001), MULTIPART, "bad_request"),
        ("{t?: text}", parts(*(('t"', "x"),) * 2), MULTIPART, "input_error"),
        ("{t?: text}", parts(('t"; filename="a"', "x")), MULTIPART, "input_error"),
        ("{f?: file}", parts(('f"', "x")), MULTIPART, "input_error"),
        ("{f?: file}", parts(('g"; filename="a"', "x")), MULTIPART, "input_error"),
        ("{o: {type: object, properties: {k: int}}}", parts(('o"', '{"k":1,"k":1}')), MULTIPART, "input_error"),
        ("{o: object}", parts(('o"', "[object Object]")), MULTIPART, "input_error"),
    ],
)
def test_i_7_a_form_that_does_not_fit_is_refused(
    inputs: Make, declared: str, body: bytes, type_: str, name: str
) -> None:
    made = inputs(declared)
    assert refusal(lambda: send(made, body, type_)).name == name


OPEN = "{n?: int, j?: json, o?: {type: object, properties: {k: int}}, os?: {type: 'object[]', properties: {k: int}}}"


@pytest.mark.parametrize(
    ("query", "body", "type_", "bound"),
    [
        ("n=1&zz=1&zz=2", b"", FORM, {"n": 1}),
        ("zz[a]=1&zz=2&o[k]=2&o[zz]=1&o[zz]=2", b"", FORM, {"o": {"k": 2}}),
        ("", b"n=1&zz=1&zz=2", FORM, {"n": 1}),
        ("", b"os[0][k]=2&os[0][zz]=1&os[0][zz]=2", FORM, {"os": [{"k": 2}]}),
        ("", parts(('n"', "1"), ('zz"', "1"), ('zz"; filename="a"', "2")), MULTIPART, {"n": 1}),
        ("zz=1", b'{"n":1,"zz":2}', JSON, {"n": 1}),
        ("zz=1&zz=2", b"j[a]=2&zz=3", FORM, {"j": {"a": "2"}}),
    ],
)
def test_what_may_be_ignored_is_however_often_it_is_given(
    inputs: Make, query: str, body: bytes, type_: str, bound: dict[str, object]
) -> None:
    read = send(inputs(OPEN, closed=False), body, type_, query)
    assert {name: value for name, value in read.items() if value is not None} == bound
    assert refusal(lambda: send(inputs(OPEN), body, type_, query)).name == "input_error"


@pytest.mark.parametrize(("query", "body"), [("n=1&n=2", b""), ("n=1", b"n=2"), ("", b"n=1&n=1"), ("", b"j=1&j[zz]=1")])
def test_what_is_declared_counts_once_where_the_rest_is_ignored(inputs: Make, query: str, body: bytes) -> None:
    assert refusal(lambda: send(inputs(OPEN, closed=False), body, FORM, query)).name == "input_error"


# How the body arrives


def arrive(made: Inputs, messages: list[dict[str, Any]], *headers: tuple[str, str]) -> Any:
    """What a request binds whose body arrives in these pieces; after the last one nothing ever comes."""

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.Event().wait()

    return asyncio.run(made.from_request(scope("", [("content-type", JSON), *headers]), receive, {}))


def piece(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


CHUNKED = ("transfer-encoding", "chunked")


def test_a_body_may_come_in_pieces(inputs: Make) -> None:
    assert arrive(inputs("{t: text}"), [piece(b'{"t"'), piece(b':"x'), piece(b'"}', False)], CHUNKED) == {"t": "x"}


def test_without_length_or_chunks_there_is_no_body(inputs: Make) -> None:
    assert arrive(inputs("{t?: text}"), []) == {"t": None}


def test_a_body_announced_too_large_is_refused_unread(inputs: Make) -> None:
    messages = [piece(b"x")]
    fault = refusal(lambda: arrive(inputs("{t?: text}"), messages, ("content-length", str(LIMIT + 1))))
    assert (fault.status, len(messages)) == (413, 1)
    assert ("connection", "close") in fault.headers


def test_a_chunked_body_is_counted_while_it_comes(inputs: Make) -> None:
    messages = [piece(b" " * 30_000) for _ in range(100)]
    fault = refusal(lambda: arrive(inputs("{t?: text}"), messages, CHUNKED))
    assert (fault.status, len(messages)) == (413, 96)


def test_a_body_of_the_limit_is_read(inputs: Make) -> None:
    body = b'{"t":1}'.ljust(LIMIT)
    assert send(inputs("{t?: json}"), body) == {"t": 1}
    made = inputs("{t?: json}")
    assert refusal(lambda: send(made, body + b" ")).status == 413


@pytest.mark.parametrize("messages", [[], [piece(b"{")]])
def test_a_body_that_trickles_is_given_up(inputs: Make, messages: list[dict[str, Any]]) -> None:
    made = inputs("{t?: text}", seconds=0.05)
    fault = refusal(lambda: arrive(made, list(messages), CHUNKED))
    assert (fault.name, fault.reason) == ("bad_request", "late")
    assert fault.headers == (("connection", "close"),)


def test_a_cancelled_request_stays_cancelled(inputs: Make) -> None:
    made = inputs("{t?: text}")

    async def run() -> None:
        receive = asyncio.Event().wait
        task = asyncio.create_task(made.from_request(scope("", [CHUNKED]), receive, {}))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_a_client_that_goes_away_is_noticed(inputs: Make) -> None:
    with pytest.raises(Gone):
        arrive(inputs("{t?: text}"), [piece(b"{"), {"type": "http.disconnect"}], CHUNKED)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate"])
def test_a_compressed_body_is_refused(inputs: Make, coding: str) -> None:
    headers = (("content-encoding", coding), ("content-length", "3"))
    assert refusal(lambda: arrive(inputs("{t?: text}"), [piece(b"abc", False)], *headers)).status == 415


def test_rules_of_a_list_of_texts_are_for_each_but_for_how_many_there_are(tmp_path: Path) -> None:
    text = "endpoint: POST /it\ninput: {l: {type: 'text[]', min: 1, max: 2, pattern: '^a', starts_with: ab, lower: true}}\nstack: []\n"
    (tmp_path / "it.yaml").write_text(text)
    [endpoint] = read_workspace(tmp_path)[0].endpoints
    shape = Shape(endpoint.input)
    assert shape.bind({"l": ["ABcdef", "abx"]}) == {"l": ["abcdef", "abx"]}
    errors: Any = refusal(lambda: shape.bind({"l": ["abc", "xab"]})).payload
    assert [each["param"] for each in errors["errors"]] == ["l[1]"]
    assert "l" in str(refusal(lambda: shape.bind({"l": []})).payload)
