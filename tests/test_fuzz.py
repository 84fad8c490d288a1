"""Chance against the server and the language: random requests are answered in the envelope, and an expression that
checks runs without a fault of kind, to a value of the kind that was inferred."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.filters
import engine.functions
from engine import registry
from engine.builders import at, function, returned
from engine.compare import same
from engine.compile import function_of
from engine.errors import Text
from engine.infer import Inference
from engine.lower import ExpressionLowering, Names
from engine.operators import secret
from engine.origin import Origin
from engine.parser import parse_expression
from engine.registry import Parameter, substitute
from engine.run import Services, as_fault
from engine.scope import Scope
from engine.values import (
    ANY,
    BOOL,
    DECIMAL,
    INT,
    TEXT,
    Kind,
    common,
    comparable,
    fits,
    join,
    join_all,
    kind_of,
    list_of,
    object_of,
)
from tests.live import Site, hosted
from tests.support import conforms

LIBRARY = (engine.filters, engine.functions)
QUICK = settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

# Expressions

ITEM = object_of({"a": INT, "b": TEXT, "c": DECIMAL.maybe()}, optional={"c"})
KINDS: Mapping[str, Kind] = {
    "i": INT, "j": INT.maybe(), "d": DECIMAL, "t": TEXT, "s": TEXT.maybe(), "b": BOOL, "xs": list_of(INT),
    "ts": list_of(TEXT), "ys": list_of(INT.maybe()), "ds": list_of(DECIMAL), "o": ITEM, "p": ITEM.maybe(), "os": list_of(ITEM),
    "zs": list_of(list_of(INT)), "bs": list_of(BOOL), "it": join(INT, TEXT), "us": list_of(join_all([INT.maybe(), TEXT, BOOL])),
    "lo": join(list_of(INT), ITEM),
}  # fmt: skip
# The same, with secrets among them: whole values, items of lists and fields of objects.
SECRETS = KINDS | {
    "i": INT.masked(), "s": TEXT.masked().maybe(), "it": join(INT, TEXT).masked(), "xs": list_of(INT.masked()),
    "ts": list_of(join(TEXT, TEXT.masked())), "o": replace(ITEM, fields={**(ITEM.fields or {}), "b": TEXT.masked()}),
    "zs": list_of(list_of(INT.masked())), "ds": list_of(DECIMAL).masked(), "bs": list_of(BOOL).masked(),
    "us": list_of(join_all([INT.maybe(), TEXT, BOOL]).masked()),
    "lo": join(list_of(INT.masked()), ITEM),
}  # fmt: skip
_INTS = st.sampled_from([0, 1, -1, 2, 3, 7, -8, 255, 10**12, 2**63 - 1, -(2**63)])
_DECIMALS = st.sampled_from([0.0, 1.5, -2.25, 3, 1e308, -1e308, 5e-324, 1e16, 0.1])
_TEXTS = st.sampled_from(
    ["", "a", "Ada", " b ", "1", "-2.5", "é", "2026-01-31", "a,b", "[1]", "{}", "\x00", "😀", "true"]
)


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Values of a kind, null and absent fields where it has them."""
    match kind.name:
        case "int":
            made: st.SearchStrategy[Any] = _INTS
        case "decimal":
            made = _DECIMALS
        case "text":
            made = _TEXTS
        case "bool":
            made = st.booleans()
        case "list":
            made = st.lists(values_of(kind.item or ANY), max_size=4)
        case "union":
            made = st.one_of(*map(values_of, kind.options))
        case _:
            fields = {name: values_of(each) for name, each in (kind.fields or {}).items()}
            made = st.fixed_dictionaries(
                {name: each for name, each in fields.items() if name not in kind.optional},
                optional={name: each for name, each in fields.items() if name in kind.optional},
            )
    made = made | made.map(secret) if kind.secret else made
    return st.none() | made if kind.nullable else made


@dataclass
class Writer:
    """Writes random expressions of wanted families; now and then of another, for the checker to refuse."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    known: dict[str, str]  # variable → family

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def write(self, family: str, depth: int) -> str:
        if self.draw(st.integers(0, 24)) == 0:
            family = self.one("int", "decimal", "text", "bool", "list", "object", "null")
        if family in ("any", "variable"):
            family = self.one("int", "decimal", "text", "bool", "list", "object", "union")
        ways = {
            "int": self.int, "decimal": self.decimal, "text": self.text, "bool": self.bool, "list": self.list, "object": self.object,
        }  # fmt: skip
        if family not in ways:
            return "null" if family == "null" else self.leaf(family if family == "union" else "text")
        if depth <= 0:
            return self.leaf(family)
        if self.one(0, 1, 2) == 0:
            return self.filtered(family, depth) or self.leaf(family)
        return str(ways[family](depth - 1))

    def leaf(self, family: str) -> str:
        names = [f"${name}" for name, known in self.known.items() if known == family]
        literals = {
            "int": ["0", "1", "2", "-3", "9"], "decimal": ["0.5", "2.0", "1e3"], "text": ['"a"', '""', '"%Y"', '"1"', '"b"'],
            "bool": ["true", "false"], "list": ["[]", "[1, 2]", '["a"]', "[null]"], "object": ["{}", "{a: 1}"],
            "union": ["$it", "$lo", "$us[0]"],
        }  # fmt: skip
        return str(self.one(*names, *names, *literals[family]))

    def int(self, depth: int) -> str:
        match self.one(*range(10)):
            case 8:
                return self.tested("int", self.one("is_int", "is_text"), "$it", depth)
            case 0 | 1:
                return f"({self.write('int', depth)} {self.one('+', '-', '*', '%')} {self.write('int', depth)})"
            case 2:
                return f"(-{self.write('int', depth)})"
            case 3:
                return f"({self.write('list', depth)})[{self.write('int', 0)}]"
            case 4:
                return f"({self.one('$j', '$o.a', '$p?.a')} ?? {self.write('int', depth)})"
            case 5:
                return f"({self.one('$o', '$p', '$os[0]')}{self.one('.', '?.')}{self.one('a', 'c')})"
            case 6:
                return self.chosen("int", depth)
            case 7:
                return f"($j if $j != null else {self.write('int', depth)})"
        return self.leaf("int")

    def decimal(self, depth: int) -> str:
        number = self.one("int", "decimal")
        match self.one(*range(5)):
            case 0 | 1:
                return (
                    f"({self.write(number, depth)} {self.one('+', '-', '*', '/', '%')} {self.write('decimal', depth)})"
                )
            case 2:
                return f"(({self.one('$o', '$p', '$os[0]')}?.c) ?? {self.write('decimal', depth)})"
            case 3:
                return self.chosen("decimal", depth)
        return self.leaf("decimal")

    def text(self, depth: int) -> str:
        match self.one(*range(7)):
            case 5:
                return self.tested("text", self.one("is_text", "is_number", "is_int"), "$it", depth)
            case 0 | 1:
                return (
                    f"({self.write('text', depth)} ~ {self.write(self.one('text', 'int', 'decimal', 'bool'), depth)})"
                )
            case 2:
                return f"({self.one('$s', '$p?.b', '$o.b')} ?? {self.write('text', depth)})"
            case 3:
                return self.chosen("text", depth)
            case 4:
                return f"({self.one('$o', '$p', '$os[0]')}{self.one('.', '?.')}b)"
        return self.leaf("text")

    def bool(self, depth: int) -> str:
        family = self.one("int", "decimal", "text", "bool", "list", "object", "union")
        match self.one(*range(8)):
            case 6:
                test = self.one("is_int", "is_text", "is_bool", "is_list", "is_object", "is_null")
                return f"({self.leaf('union')} | {test})"
            case 0:
                return f"({self.write('bool', depth)} {self.one('and', 'or')} {self.write('bool', depth)})"
            case 1:
                return f"(not {self.write('bool', depth)})"
            case 2:
                return f"({self.write(family, depth)} {self.one('==', '!=')} {self.write(family, depth)})"
            case 3:
                ordered = self.one("int", "text", "decimal")
                return f"({self.write(ordered, depth)} {self.one('<', '<=', '>', '>=')} {self.write(ordered, depth)})"
            case 4:
                return f"({self.write(family, depth)} {self.one('in', 'not in')} {self.write('list', depth)})"
            case 5:
                return f"({self.one('$j', '$s', '$p', '$p?.c', '$o?.c')} {self.one('==', '!=')} null)"
        return self.leaf("bool")

    def list(self, depth: int) -> str:
        match self.one(*range(7)):
            case 4:
                return self.tested("list", self.one("is_list", "is_object"), "$lo", depth)
            case 5:
                kept = self.one("$u | is_int", "$u == 1", '$u in ["a", "b"]', "$u != null", "not ($u | is_text)")
                return f"($us | filter($u => {kept} {self.one('and', 'or')} {self.write('bool', depth)}))"
            case 0:
                family = self.one("int", "text", "decimal", "bool", "list", "object", "union")
                return "[" + ", ".join(self.write(family, depth) for _ in range(self.one(0, 1, 2))) + "]"
            case 1:
                return f"[...{self.write('list', depth)}, {self.write(self.one('int', 'text'), depth)}]"
            case 2:
                return f"(({self.write('int', 0)})..({self.write('int', 0)}))"
            case 3:
                return self.chosen("list", depth)
        return self.leaf("list")

    def object(self, depth: int) -> str:
        match self.one(*range(5)):
            case 3:
                return self.tested("object", self.one("is_list", "is_object"), "$lo", depth)
            case 0:
                return f"{{a: {self.write('any', depth)}, c: {self.write('any', depth)}}}"
            case 1:
                return f"{{...{self.write('object', depth)}, b: {self.write('any', depth)}}}"
            case 2:
                return self.chosen("object", depth)
        return self.leaf("object")

    def chosen(self, family: str, depth: int) -> str:
        return f"({self.write(family, depth)} if {self.write('bool', depth)} else {self.write(family, depth)})"

    def tested(self, family: str, test: str, union: str, depth: int) -> str:
        """A union where a test of it says one thing, and something of the family where it doesn't."""
        condition = f"{union} | {test}"
        if self.one(0, 1, 2) == 0:
            condition = f"({condition} {self.one('and', 'or')} {self.write('bool', depth)})"
        ways = [union, self.write(family, depth)]
        then, otherwise = ways if self.one(0, 1) else reversed(ways)
        return f"({then} if {condition} else {otherwise})"

    def filtered(self, family: str, depth: int) -> str:
        """A filter or function that gives, as far as its signature says, the family."""
        every = [*registry.filters().values(), *registry.functions().values()]
        every = [each for each in every if not each.call.__module__.startswith("engine.testing")]
        chosen = self.one(*(each for each in every if family_of(each.returns) in (family, "any")))
        wanted = [each for each in chosen.parameters if each.required or self.one(0, 1)]
        wanted += [each for each in chosen.parameters if each.many and self.one(0, 1)]
        arguments = [self.argument(each, depth - 1) for each in wanted]
        if chosen.family == "function":
            return f"{chosen.name}({', '.join(arguments)})"
        piped, *rest = arguments
        return f"(({piped}) | {chosen.name}" + (f"({', '.join(rest)})" if rest else "") + ")"

    def argument(self, parameter: Parameter, depth: int) -> str:
        if parameter.callback is None:
            return self.write(family_of(parameter.kind), depth)
        given, wanted = parameter.callback
        names = [self.one("q", "r") + str(place) + str(len(self.known)) for place, _ in enumerate(given)]
        item = self.one("int", "int", "text", "object", "list")  # what it holds is only known once it is checked
        inner = Writer(self.draw, self.known | dict.fromkeys(names, item))
        heads = [f"${name}" for name in names]
        head = heads[0] if len(heads) == 1 else f"({', '.join(heads)})"
        return f"{head} => {inner.write(family_of(wanted), depth)}"


def family_of(kind: Kind) -> str:
    bound = substitute(kind, {})
    if bound.family == "number":
        return "decimal" if bound.name == "decimal" else "int"
    return "any" if bound.options else bound.family


@st.composite
def expressions(draw: Any) -> str:
    writer = Writer(draw, {name: family_of(kind) for name, kind in KINDS.items() if not kind.nullable})
    return writer.write(
        draw(st.sampled_from(["int", "decimal", "text", "bool", "list", "object"])), draw(st.integers(1, 4))
    )


def is_known(kind: Kind) -> bool:
    """Whether all of a kind is known."""
    if kind.name == "lambda":
        return True
    inner = [kind.item] if kind.item else [] if kind.name == "list" else [*(kind.fields or {}).values()]
    open_ = (
        kind.is_open or (kind.name == "object" and kind.fields is None) or (kind.name == "list" and kind.item is None)
    )
    return not open_ and all(map(is_known, [*inner, *kind.options]))


def compiled(text: str, kinds: Mapping[str, Kind]) -> tuple[Callable[..., Any], Inference, Kind] | None:
    """The function of an expression over variables of `kinds`, as a stack would have it; None where it is refused."""
    origin = Origin(Text("it.yaml", text), 0, len(text), 1, 1, "", text)
    node = parse_expression(text, origin)
    inference = Inference()
    kind = inference.infer(node, Scope(kinds=kinds))
    if inference.problems:
        return None
    lowering = ExpressionLowering(inference.kinds, Names())
    parameters = ["run", *(f"v_{each}" for each in kinds)]
    tree = at(node.span, function("expression", parameters, [returned(lowering.lower(node))], is_async=False))
    return function_of(tree, "it.yaml", lowering.names.bound, "expression"), inference, kind


def given_of(kinds: Mapping[str, Kind]) -> st.SearchStrategy[dict[str, Any]]:
    """Values of variables of `kinds`."""
    return st.fixed_dictionaries({name: values_of(kind) for name, kind in kinds.items()})


@settings(QUICK, max_examples=1500)
@given(text=expressions(), values=given_of(KINDS))
def test_an_expression_that_checks_runs_as_it_was_checked(text: str, values: dict[str, Any]) -> None:
    _runs(text, KINDS, values)


@settings(QUICK, max_examples=1500)
@given(text=expressions(), values=given_of(SECRETS))
def test_an_expression_of_secrets_masks_what_its_kind_says(text: str, values: dict[str, Any]) -> None:
    _runs(text, SECRETS, values)


def _runs(text: str, kinds: Mapping[str, Kind], values: dict[str, Any]) -> None:
    made = compiled(text, kinds)
    if made is None:
        return
    run, inference, kind = made
    try:
        value = run(Services().run(), *(values[name] for name in kinds))
    except Exception as error:
        fault = as_fault(error)
        assert fault is not None, f"{text}: {error!r}"
        assert fault.reason, text
        known = all(map(is_known, inference.kinds.values()))
        assert fault.reason != "kind" or not known, f"{text}: {fault.message}"
    else:
        assert conforms(value, kind), f"{text} is {value!r}, inferred as {kind!r}"


VALUES = st.one_of(*map(values_of, KINDS.values()))


@settings(QUICK, max_examples=1000)
@given(one=VALUES, other=VALUES, third=VALUES)
def test_what_is_known_of_two_values_holds_of_both(one: Any, other: Any, third: Any) -> None:
    both = join(kind_of(one), kind_of(other))
    assert conforms(one, both)
    assert conforms(other, both)
    assert fits(kind_of(one), both)
    assert fits(both, join(both, kind_of(third)))
    assert comparable(both, kind_of(one))
    for known in (both, join(both, kind_of(third)), ANY):
        if same(one, other):
            assert conforms(one, common(known, kind_of(other)))
        assert conforms(one, common(known, both))


# Requests

TYPES = [
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/plain",
    b"",
    b"\xff",
]
ECHO = """
    endpoint: POST /echo/{n}
    input:
      n: int
      d?: decimal
      t?: {type: text, trim: true, max: 20, pattern: "^[a-z ]*$"}
      at?: timestamp
      day?: date
      u?: uuid
      mails?: "email[]"
      kind?: {type: enum, values: [a, b]}
      o?: {type: object, properties: {x: int, "y?": {type: text, nullable: true}, deep?: {type: "object[]", properties: {z: bool}}}}
      any?: json
      secret?: {type: text, sensitive: true}
    stack: []
    response: {n: $input.n, d: $input.d, t: $input.t, at: $input.at, day: $input.day, u: $input.u, mails: $input.mails, kind: $input.kind, o: $input.o, any: $input.any}
"""
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a published schema takes, by and large, and some that it does not."""
    types = schema.get("type", "any")
    types = [types] if isinstance(types, str) else types
    return st.one_of(*(_of_type(type_, schema) for type_ in types), _JSON)


def _of_type(type_: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    match type_:
        case "integer":
            return st.integers(-(2**63), 2**63) | st.integers(-5, 5)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)
        case "string" if "enum" in schema:
            return st.sampled_from([each for each in schema["enum"] if each is not None])
        case "string":
            shaped = ["a@b.co", "2026-02-30", "2026-02-28", "2026-02-28T10:00:00Z", "0001-01-01T00:00:00+23:59", "long enough",
                      "00000000-0000-4000-8000-00000000000A", "9999-12-31T23:59:59-23:59", "2026-W01-1T00Z", "2026-01-01T24:00:00Z"]  # fmt: skip
            return st.sampled_from(shaped) | st.text(max_size=30)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema.get("items", {})), max_size=3)
        case "object" if "properties" in schema:
            return st.fixed_dictionaries(
                {}, optional={name: fitting(each) for name, each in schema["properties"].items()}
            )
        case "null":
            return st.none()
    return _JSON


def checked_answer(site: Site, method: str, target: bytes, content: bytes, type_: bytes, token: str = "") -> None:
    """Asks, and asserts that the answer is JSON, no server error, and the envelope where it is an error."""
    headers = [(b"content-type", type_)] * bool(type_) + [(b"authorization", b"Bearer " + token.encode())] * bool(token)
    answer = SITE.run(site.ask(method, target, content, headers))
    shown = (
        f"{method} {target!r} {type_!r} {content[:300]!r} → {answer.status} {answer.body[:200]!r} {site.entries[-1:]}"
    )
    assert answer.status < 500, shown
    if method != "HEAD" and answer.status != 204:
        said = orjson.loads(answer.body)
        assert answer.status == 200 or said.keys() == {"code", "message", "payload"}, shown


SITE: asyncio.Runner


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The shipped stacks beside `ECHO`, on one event loop for all requests."""
    global SITE
    with asyncio.Runner() as SITE:
        manager = hosted(tmp_path_factory.mktemp("fuzz"), {"echo": ECHO})
        yield SITE.run(manager.__aenter__())
        SITE.run(manager.__aexit__(None, None, None))


@settings(QUICK, max_examples=500)
@given(
    data=st.data(),
    type_=st.sampled_from(TYPES[:1] * 4 + TYPES),
    method=st.sampled_from(["POST"] * 3 + ["GET", "DELETE"]),
)
def test_requests_after_the_published_schema(site: Site, data: st.DataObject, type_: bytes, method: str) -> None:
    compiled = data.draw(st.sampled_from(site.server.program.endpoints))
    properties = compiled.shape.schema.get("properties", {})
    body = data.draw(st.fixed_dictionaries({}, optional={name: fitting(each) for name, each in properties.items()}))
    body |= data.draw(st.just({}) | st.dictionaries(st.text(max_size=4), _JSON, max_size=1))
    path = compiled.endpoint.path.replace("{n}", str(data.draw(st.integers(-3, 3))))
    body.pop("n", None)
    try:
        content = orjson.dumps(body)
    except TypeError:
        content = str(body).encode(errors="replace")
    verb = method if data.draw(st.integers(0, 9)) == 0 else compiled.endpoint.method
    token = data.draw(st.sampled_from(["", "x", site.services.tokens.create("user", 1)]))
    checked_answer(site, verb, f"/api:main{path}".encode(), content, type_, token)


@settings(QUICK, max_examples=500)
@given(
    path=st.sampled_from([b"/api:main/auth/login", b"/api:main/auth/signup", b"/api:main/auth/me", b"/api:main/echo/1"]),
    query=st.binary(max_size=30) | st.sampled_from([b"email=a&email=b", b"o[x]=1&o[deep][0][z]=true", b"mails[]=a@b.co", b"any[][]=1", b"o[x=1"]),
    content=st.binary(max_size=200),
    type_=st.sampled_from(TYPES),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW"]),
)  # fmt: skip
def test_random_bytes(site: Site, path: bytes, query: bytes, content: bytes, type_: bytes, method: str) -> None:
    checked_answer(site, method, path + b"?" + query, content, type_)


@settings(QUICK, max_examples=300)
@given(
    rest=st.binary(max_size=40),
    prefix=st.sampled_from([b"/", b"/api:", b"/api:main", b"/api:main/", b"/api:main:v1/auth/", b"/api:main/echo/"]),
)
def test_random_paths(site: Site, rest: bytes, prefix: bytes) -> None:
    if b"?" not in rest:
        checked_answer(site, "POST", prefix + rest, b"{}", TYPES[0])
