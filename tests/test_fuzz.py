"""Chance against the server and the language: random requests are answered in the envelope, and an expression that
checks runs without a fault of kind, to a value of the kind that was inferred."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.filters
import engine.functions
from engine import registry
from engine.builders import at, function, returned
from engine.compile import function_of
from engine.errors import Text
from engine.infer import Inference
from engine.lower import ExpressionLowering, Names
from engine.origin import Origin
from engine.parser import parse_expression
from engine.registry import Parameter, substitute
from engine.run import Services, as_fault
from engine.scope import Scope
from engine.values import ANY, BOOL, DECIMAL, INT, TEXT, Kind, list_of, object_of

LIBRARY = (engine.filters, engine.functions)
QUICK = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))

# Expressions

ITEM = object_of({"a": INT, "b": TEXT, "c": DECIMAL.maybe()}, optional={"c"})
KINDS: Mapping[str, Kind] = {
    "i": INT, "j": INT.maybe(), "d": DECIMAL, "t": TEXT, "s": TEXT.maybe(), "b": BOOL, "xs": list_of(INT),
    "ts": list_of(TEXT), "ys": list_of(INT.maybe()), "ds": list_of(DECIMAL), "o": ITEM, "p": ITEM.maybe(), "os": list_of(ITEM),
    "zs": list_of(list_of(INT)), "bs": list_of(BOOL),
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
        case _:
            fields = {name: values_of(each) for name, each in (kind.fields or {}).items()}
            made = st.fixed_dictionaries(
                {name: each for name, each in fields.items() if name not in kind.optional},
                optional={name: each for name, each in fields.items() if name in kind.optional},
            )
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
            family = self.one("int", "decimal", "text", "bool", "list", "object")
        ways = {
            "int": self.int, "decimal": self.decimal, "text": self.text, "bool": self.bool, "list": self.list, "object": self.object,
        }  # fmt: skip
        if family not in ways:
            return "null" if family == "null" else self.leaf("text")
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
        }  # fmt: skip
        return str(self.one(*names, *names, *literals[family]))

    def int(self, depth: int) -> str:
        match self.one(*range(9)):
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
        match self.one(*range(6)):
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
        family = self.one("int", "decimal", "text", "bool", "list", "object")
        match self.one(*range(7)):
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
        match self.one(*range(5)):
            case 0:
                family = self.one("int", "text", "decimal", "bool", "list", "object")
                return "[" + ", ".join(self.write(family, depth) for _ in range(self.one(0, 1, 2))) + "]"
            case 1:
                return f"[...{self.write('list', depth)}, {self.write(self.one('int', 'text'), depth)}]"
            case 2:
                return f"(({self.write('int', 0)})..({self.write('int', 0)}))"
            case 3:
                return self.chosen("list", depth)
        return self.leaf("list")

    def object(self, depth: int) -> str:
        match self.one(*range(4)):
            case 0:
                return f"{{a: {self.write('any', depth)}, c: {self.write('any', depth)}}}"
            case 1:
                return f"{{...{self.write('object', depth)}, b: {self.write('any', depth)}}}"
            case 2:
                return self.chosen("object", depth)
        return self.leaf("object")

    def chosen(self, family: str, depth: int) -> str:
        return f"({self.write(family, depth)} if {self.write('bool', depth)} else {self.write(family, depth)})"

    def filtered(self, family: str, depth: int) -> str:
        """A filter or function that gives, as far as its signature says, the family."""
        every = [*registry.filters().values(), *registry.functions().values()]
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
        return f"{names[0] if len(names) == 1 else '(' + ', '.join(f'${n}' for n in names) + ')'} => {inner.write(family_of(wanted), depth)}".replace(
            names[0] + " =>", f"${names[0]} =>" if len(names) == 1 else names[0] + " =>", 1
        )


def family_of(kind: Kind) -> str:
    bound = substitute(kind, {})
    if bound.family == "number":
        return "decimal" if bound.name == "decimal" else "int"
    return bound.family


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
    return not open_ and all(map(is_known, inner))


def conforms(value: object, kind: Kind) -> bool:
    """Whether a value is of a kind."""
    if value is None:
        return kind.nullable or kind.name in ("null", "any")
    match kind.name:
        case "any":
            return True
        case "int" | "timestamp":
            return isinstance(value, int) and not isinstance(value, bool)
        case "decimal":
            return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        case "bool":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, list) and all(conforms(item, kind.item or ANY) for item in value)
        case "object":
            return isinstance(value, dict) and (kind.fields is None or _has_fields(value, kind))
        case "enum":
            return isinstance(value, str) and (not kind.values or value in kind.values)
    return isinstance(value, str) and kind.family == "text"


def _has_fields(value: Mapping[str, object], kind: Kind) -> bool:
    fields = kind.fields or {}
    return value.keys() <= fields.keys() and all(
        conforms(value[name], each) if name in value else name in kind.optional for name, each in fields.items()
    )


def compiled(text: str) -> tuple[Callable[..., Any], Inference, Kind] | None:
    """The function of an expression over `KINDS`, as a stack would have it; None where the checker refuses it."""
    origin = Origin(Text("it.yaml", text), 0, len(text), 1, 1, "", text)
    node = parse_expression(text, origin)
    inference = Inference()
    kind = inference.infer(node, Scope(kinds=KINDS))
    if inference.problems:
        return None
    lowering = ExpressionLowering(inference.kinds, Names())
    parameters = ["run", *(f"v_{each}" for each in KINDS)]
    tree = at(node.span, function("expression", parameters, [returned(lowering.lower(node))], is_async=False))
    return function_of(tree, "it.yaml", lowering.names.bound, "expression"), inference, kind


@settings(QUICK, max_examples=1500)
@given(text=expressions(), values=st.fixed_dictionaries({name: values_of(kind) for name, kind in KINDS.items()}))
def test_an_expression_that_checks_runs_as_it_was_checked(text: str, values: dict[str, Any]) -> None:
    made = compiled(text)
    if made is None:
        return
    run, inference, kind = made
    try:
        value = run(Services().run(), *(values[name] for name in KINDS))
    except Exception as error:
        fault = as_fault(error)
        assert fault is not None, f"{text}: {error!r}"
        assert fault.reason, text
        known = all(map(is_known, inference.kinds.values()))
        assert fault.reason != "kind" or not known, f"{text}: {fault.message}"
    else:
        assert conforms(value, kind), f"{text} is {value!r}, inferred as {kind!r}"
