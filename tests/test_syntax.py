"""Expressions: text → tree, text → what is said about it, tree → text."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import Problems, Span, Text
from engine.origin import Origin
from engine.parser import KEYWORDS, parse_expression, parse_value
from engine.source import read
from engine.syntax import (
    Attribute,
    Binary,
    Call,
    Column,
    Conditional,
    Entry,
    Filter,
    Index,
    Lambda,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Range,
    Spread,
    Template,
    Unary,
    Variable,
    children,
    walk,
)
from engine.unparse import unparse


def origin(text: str) -> Origin:
    return Origin(Text("a.yaml", text), 0, len(text), 1, 1, "", text)


def parse(text: str, *, columns: bool = True) -> Node:
    return parse_expression(text, origin(text), columns=columns)


def value(text: str) -> Node:
    return parse_value(text, origin(text))


def shape(node: object) -> object:
    """A tree without its places, as tuples; kinds of numbers and texts kept apart."""
    if isinstance(node, list):
        return [shape(item) for item in node]
    if not isinstance(node, Node):
        return node if isinstance(node, (bool, str)) or node is None else (type(node).__name__, repr(node))
    slots: tuple[str, ...] = node.__slots__
    fields = [name for name in slots if not name.endswith(("span", "spans"))]
    return (type(node).__name__, *(shape(getattr(node, name)) for name in fields))


def bracketed(node: Node) -> str:
    """A tree with every operator in parentheses."""
    match node:
        case Binary():
            return f"({bracketed(node.left)} {node.operator}{'?' * node.optional} {bracketed(node.right)})"
        case Unary():
            return f"({node.operator} {bracketed(node.operand)})"
        case Conditional():
            return f"({bracketed(node.then)} if {bracketed(node.test)} else {bracketed(node.otherwise)})"
        case Range():
            return f"({bracketed(node.start)} .. {bracketed(node.stop)})"
        case Filter():
            return (
                f"({bracketed(node.of)} | {node.name}{'?' * node.optional}{list(map(bracketed, node.arguments)) or ''})"
            )
        case Attribute():
            return f"({bracketed(node.of)}{'?.' if node.optional else '.'}{node.name})"
        case Index():
            return f"({bracketed(node.of)}{'?.' * node.optional}[{bracketed(node.index)}])"
        case Lambda():
            return f"({' '.join(node.parameters)} => {bracketed(node.body)})"
    return unparse(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a + $b | abs", "($a + ($b | abs))"),
        ("$a + $b * $c - $d", "(($a + ($b * $c)) - $d)"),
        ("$a - $b - $c", "(($a - $b) - $c)"),
        ("$a / $b % $c * $d", "((($a / $b) % $c) * $d)"),
        ("($a + $b) * $c", "(($a + $b) * $c)"),
        ("$a or $b and not $c == $d", "($a or ($b and (not ($c == $d))))"),
        ("not not $a and $b", "((not (not $a)) and $b)"),
        ("$a ?? $b ?? $c", "($a ?? ($b ?? $c))"),
        ("$a ?? 1..5", "($a ?? (1 .. 5))"),
        ("1..$n + 1", "(1 .. ($n + 1))"),
        ("$a ~ $b ~ $c + 1", "(($a ~ $b) ~ ($c + 1))"),
        ("$a == $b ?? $c", "($a == ($b ?? $c))"),
        ("$a in [1] and $b not in [2]", "(($a in [1]) and ($b not in [2]))"),
        ("$a if $b else $c if $d else $e", "($a if $b else ($c if $d else $e))"),
        ("$a or $b if $c and $d else $e", "(($a or $b) if ($c and $d) else $e)"),
        ("-$a | abs", "(- ($a | abs))"),
        ("-10 | abs", "(-10 | abs)"),
        ("- 10 | abs", "(- (10 | abs))"),
        ("$a -1", "($a - 1)"),
        ("$a--1", "($a - -1)"),
        ("- -$a", "(- (- $a))"),
        ("-$a * $b", "((- $a) * $b)"),
        ("$a.b?.c[0].in", "(((($a.b)?.c)[0]).in)"),
        ("$a?.[$i + 1]", "($a?.[($i + 1)])"),
        ("$x | trim | cut(8, '…')", "(($x | trim) | cut['8', '\"…\"'])"),
        ("$x|in([1])", "($x | in['[1]'])"),
        ("$x | map($u => $u.name) | first.id", None),
        ("($x | first).id", "(($x | first).id)"),
        ("$l | reduce(0, ($sum, $x) => $sum + $x)", "($l | reduce['0', '(sum x => ($sum + $x))'])"),
        ("$l | map($x => $x if $x else $y)", "($l | map['(x => ($x if $x else $y))'])"),
        ("email == $input.email and active", "((email == ($input.email)) and active)"),
        ("status ==? $s and id in? $ids or id not in? $n", None),
        ("name | contains?($q) and age == 1", "((name | contains?['$q']) and (age == 1))"),
        ("a\n  and\tb\r\n", "(a and b)"),
        ("now() - 1", "(now() - 1)"),
    ],
)
def test_precedence(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(AssertionError):
            assert bracketed(parse(text)) == ""
        return
    assert bracketed(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status ==? $s", "status ==? $s"),
        ("id in? $ids or id not in? $n", "id in? $ids or id not in? $n"),
        ("((1))", "1"),
        ("[1, 2,]", "[1, 2]"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("{a: 1, 'b c': [2], ...$d, if: null,}", '{a: 1, "b c": [2], ...$d, if: null}'),
        ("[...$a, ...1..3]", "[...$a, ...1..3]"),
        ("random_int(1, 6,)", "random_int(1, 6)"),
        ("$a | f()", "$a | f"),
        ("$a | f($x=>$x)", "$a | f($x => $x)"),
        ("f(($x) => $x)", "f($x => $x)"),
        ("'it\\'s \"\\u00e9\\ud83d\\ude00\\n'", '"it\'s \\"é😀\\n"'),
        ('"\\${x}"', '"\\${x}"'),
        ('"$x {y}"', '"$x {y}"'),
        ("1.50", "1.5"),
        ("1e3", "1000.0"),
        ("-0.5", "-0.5"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("true and false", "true and false"),
        ("$a + ($b - $c)", "$a + ($b - $c)"),
        ("(not $a) == $b", "(not $a) == $b"),
        ("($a == $b) == $c", "($a == $b) == $c"),
        ("($a ?? $b) ?? $c", "($a ?? $b) ?? $c"),
        ("-(10)", "- 10"),
        ("(-$a) | abs", "(-$a) | abs"),
        ("($a if $b else $c) if $d else $e", "($a if $b else $c) if $d else $e"),
        ("(1..2)..3", "(1..2)..3"),
        ("10.name", "10.name"),
    ],
)
def test_canonical_text(text: str, expected: str) -> None:
    assert unparse(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("Literal", "")),
        ("plain text", ("Literal", "plain text")),
        ("a $name and {braces}", ("Literal", "a $name and {braces}")),
        (" $x", ("Literal", " $x")),
        ("$x", ("Variable", "x")),
        ("$x == 1", ("Binary", "==", ("Variable", "x"), ("Literal", ("int", "1")), False)),
        ("${$x}", ("Variable", "x")),
        ("${ {a: 1} }", ("ObjectOf", [("Entry", "a", ("Literal", ("int", "1")))])),
        ('${"}"}', ("Literal", "}")),
        ("Hi ${$x}!", ("Template", [("Literal", "Hi "), ("Variable", "x"), ("Literal", "!")])),
        ("${$x}${$y}", ("Template", [("Variable", "x"), ("Variable", "y")])),
        ("${$x} ", ("Template", [("Variable", "x"), ("Literal", " ")])),
        ("$$5", ("Literal", "$5")),
        ("$$", ("Literal", "$")),
        ("$$$${$x}", ("Literal", "$$${$x}".replace("$$$", "$$", 1))),
        ("$$$x", ("Literal", "$$x")),
        ("$${x}", ("Literal", "${x}")),
        ("a $${x} ${$y}", ("Template", [("Literal", "a ${x} "), ("Variable", "y")])),
        ("$$5 for ${$x}", ("Template", [("Literal", "$5 for "), ("Variable", "x")])),
        ("$$${$x}", ("Template", [("Literal", "$"), ("Variable", "x")])),
    ],
)
def test_values(text: str, expected: object) -> None:
    node = value(text)
    assert shape(node) == expected
    if isinstance(node, Template):
        assert shape(value(unparse(node))) == expected


def problem(text: str, *, as_value: bool = False, columns: bool = False) -> str:
    with pytest.raises(Problems) as caught:
        if as_value:
            value(text)
        else:
            parse(text, columns=columns)
    (only,) = caught.value.problems
    assert only.message[0].islower() or not only.message[0].isalpha()
    assert "invalid" not in only.message
    return only.render()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml:1:1: error SW020: an expression is missing here\n  hint: write one, as in `$name != null`"),
        (
            "$user && $ok",
            "a.yaml:1:7: error SW027: '&&' isn't part of an expression\n"
            "  | $user && $ok\n"
            "  |       ^^\n"
            "  hint: write `and`",
        ),
        (
            "1 < $x < 3",
            "a.yaml:1:8: error SW030: '<' can't follow another comparison\n"
            "  | 1 < $x < 3\n"
            "  |        ^\n"
            "  hint: write … and $x < …",
        ),
        (
            "$x.0",
            "a.yaml:1:4: error SW037: '0' can't follow '.'\n  | $x.0\n  |    ^\n  hint: write [0]",
        ),
        (
            "f(1, [2)",
            "a.yaml:1:8: error SW028: ')' doesn't close '['\n  | f(1, [2)\n  |        ^\n  hint: write ']' before it",
        ),
        (
            "$a +",
            "a.yaml:1:5: error SW029: a value is missing at the end\n  | $a +\n  |     ^",
        ),
    ],
)
def test_whole_messages(text: str, message: str) -> None:
    assert problem(text) == message


@pytest.mark.parametrize(
    ("text", "head", "hint"),
    [
        ("$a || $b", "1:4: error SW027: '||' isn't part of an expression", "`or`"),
        ("!$a", "1:1: error SW027: '!' isn't part of an expression", "`not`"),
        ("$a = 1", "1:4: error SW027: '=' isn't part of an expression", "`==`"),
        ("$a === 1", "1:4: error SW027: '===' isn't part of an expression", "`==`"),
        ("$a !== 1", "1:4: error SW027: '!==' isn't part of an expression", "`!=`"),
        ("$a <> 1", "1:4: error SW027: '<>' isn't part of an expression", "`!=`"),
        ("$a ** 2", "1:4: error SW027: '**' isn't part of an expression", "pow"),
        ("$a ? 1 : 2", "1:4: error SW029: '?' can't follow here", "`a if condition else b`"),
        ("$a?", "1:3: error SW029: '?' can't follow here", "`== null`"),
        ("$a == null?", "1:11: error SW029: '?' can't follow here", "`== null`"),
        ("$x|round:2", "1:9: error SW027: ':' doesn't begin a filter's arguments", "round(…)"),
        ("$x | ", "1:6: error SW029: a filter's name is missing before the end", "| trim"),
        ("$x | $y", "1:6: error SW029: a filter's name is missing before '$y'", "| trim"),
        ("$x.trim()", "1:8: error SW034: 'trim' can't be called", "… | trim(…)"),
        ("$now()", "1:5: error SW034: '$now' can't be called", "without `$`: now(…)"),
        ("[1](2)", "1:4: error SW034: '(' can't follow here", "operator"),
        ("${$x}", "1:1: error SW027: '${' isn't part of an expression", "just `$name`"),
        ("$$x", "1:1: error SW027: '$$' isn't part of an expression", "one `$`"),
        ("$1", "1:1: error SW027: '$' isn't part of an expression", "`$$…`"),
        ("$x AND $y", "1:4: error SW029: 'AND' can't follow here", "`and`"),
        ("$x is null", "1:4: error SW029: 'is' can't follow here", "== null"),
        ("$x == None", "1:7: error SW027: 'None' isn't part of an expression", "`null`"),
        ("$x == TRUE", "1:7: error SW027: 'TRUE' isn't part of an expression", "`true`"),
        ("$x + not $y", "1:6: error SW029: 'not' can't follow an operator", "(not …)"),
        ("$x not $y", "1:4: error SW029: 'not' can't follow a value", "`not in`"),
        ("$x and", "1:7: error SW029: a value is missing at the end", None),
        ("and $x", "1:1: error SW029: a value is missing before 'and'", None),
        ("if $x then 1", "1:1: error SW029: a value is missing before 'if'", "`a if condition else b`"),
        ("1 if $x", "1:3: error SW029: 'if' has no 'else'", "`a if condition else b`"),
        ("* 2", "1:1: error SW029: a value is missing before '*'", None),
        ("(1", "1:1: error SW028: '(' is never closed", "')'"),
        ("[1, 2", "1:1: error SW028: '[' is never closed", "']'"),
        ("{a: 1", "1:1: error SW028: '{' is never closed", "'}'"),
        ("f(1", "1:2: error SW028: '(' is never closed", "')'"),
        ("1)", "1:2: error SW028: ')' closes nothing", "take it out"),
        ("[1 2]", "1:4: error SW029: '2' can't follow here", "']'"),
        ("$a $b", "1:4: error SW029: '$b' can't follow here", "operator"),
        ("{a}", "1:2: error SW029: ':' is missing after 'a'", "a: "),
        ("{1: 2}", "1:2: error SW029: '1' can't be a key", "quoted"),
        ("{$a: 2}", "1:2: error SW029: '$a' can't be a key", "quoted"),
        ("{a: 1, 'a': 2}", "1:8: error SW035: 'a' is already given in this object", "take one"),
        ("f(($a, $a) => 1)", "1:8: error SW035: '$a' is already a parameter", "another name"),
        ("$x => $x", "1:4: error SW029: '=>' can't follow here", "map($x => $x.name)"),
        ("f(x => x.name)", "1:3: error SW033: a lambda's parameter is a variable, 'x' isn't", "write $x"),
        ("f((a, b) => 1)", "1:4: error SW033: a lambda's parameter is a variable, 'a' isn't", "write $a"),
        ("f(() => 1)", "1:3: error SW033: this lambda has no parameter", "map($x => $x.name)"),
        ("f($x => { return $x })", "1:11: error SW029: ':' is missing after 'return'", "without braces"),
        ("f($x -> $x)", "1:6: error SW027: '->' isn't part of an expression", "`=>`"),
        ("1..2..3", "1:5: error SW029: '..' can't follow here", "1..5"),
        ("1_000", "1:1: error SW026: '1_000' isn't a number", "write 1000"),
        ("012", "1:1: error SW026: '012' isn't a number", "write 12"),
        ("0x1F", "1:1: error SW026: '0x1F' isn't a number", "digits"),
        ("5px", "1:1: error SW026: '5px' isn't a number", "digits"),
        ("9223372036854775808", "1:1: error SW026: '9223372036854775808' is past 64 bits", "text"),
        ("-9223372036854775809", "1:1: error SW026: '-9223372036854775809' is past 64 bits", "text"),
        ("1e999", "1:1: error SW026: '1e999' is past what a decimal holds", None),
        ('$a ~ "b', '1:6: error SW024: the text that starts with " never ends', 'write "'),
        ("'it\\'", "1:1: error SW024: the text that starts with ' never ends", "write '"),
        (r'"a\d"', r"1:3: error SW025: '\d' isn't an escape", "backslash"),
        (r'"\u12"', r"1:2: error SW025: '\u' isn't an escape", "four"),
        (r'"\ud800"', r"1:2: error SW025: '\ud800' isn't a character a text can hold", None),
        (r'"\u0041\udc00"', None, None),
        (r'"\u0000"', r"1:2: error SW025: '\u0000' isn't a character a text can hold", None),
        ('"Hi ${$x}"', "1:5: error SW032: '${' isn't filled in inside a quoted text", "`~`"),
        ("“x”", "1:1: error SW023: '“' can't stand here", "straight"),
        ("$größe", "1:4: error SW023: 'ö' can't stand here", "ASCII"),
        ("$a\u00a0+ 1", "1:3: error SW023: 'U+00A0' can't stand here", "blank"),
        ("$a.$b", "1:4: error SW037: '$b' can't follow '.'", "[$b]"),
        ("$a.", "1:3: error SW029: a name is missing after '.'", "$user.name"),
        ("a ==? 1", "1:5: error SW036: '?' after a comparison is only for queries", "null"),
        ("$a | contains?('b')", "1:14: error SW036: '?' after a comparison is only for queries", "null"),
        ("$a; $b", "1:3: error SW027: ';' isn't part of an expression", "one value"),
        ("$a # note", "1:4: error SW027: '#' isn't part of an expression", "comments"),
    ],
)
def test_messages(text: str, head: str | None, hint: str | None) -> None:
    lines = problem(text).splitlines()
    if head is not None:
        assert lines[0] == f"a.yaml:{head}"
    if hint is not None:
        assert hint in lines[-1]
        assert lines[-1].startswith("  hint: ")


@pytest.mark.parametrize(
    ("text", "head", "hint"),
    [
        ("$x + name", "1:6: error SW031: 'name' isn't a variable", "$name"),
        ("Hi ${name}", "1:6: error SW031: 'name' isn't a variable", "$name"),
        ("$first Smith", "1:8: error SW029: 'Smith' can't follow here", "${ }"),
        ("$5", "1:1: error SW027: '$' isn't part of an expression", "`$$…`"),
        ("Hi ${$x", "1:4: error SW028: '${' is never closed", "'}'"),
        ("Hi ${$x $y}", "1:9: error SW029: '$y' can't follow here", "'}'"),
        ("Hi ${ }", "1:4: error SW020: an expression is missing here", "${$name}"),
        ("Hi ${", "1:6: error SW029: a value is missing at the end", None),
        ("Hi ${$x]}", "1:8: error SW028: ']' doesn't close '${'", "'}'"),
    ],
)
def test_messages_of_values(text: str, head: str, hint: str | None) -> None:
    lines = problem(text, as_value=True).splitlines()
    assert lines[0] == f"a.yaml:{head}"
    assert hint is None or hint in lines[-1]


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        ("a: ['$x && $y']", "1:9", "`and`"),
        ('a: ["\\u0024x && $y"]', "1:14", "`and`"),
        ("a: [$x && $y]", "1:8", "`and`"),
        ("a:\n  - $x\n    && $y", "3:5", "`and`"),
        ("a:\n  - |\n    $x\n    && $y", "4:5", "`and`"),
        ("a:\n  - >\n    $x\n    && $y", "4:5", "`and`"),
        ("a: [$x | cut(1, 2)]", "1:13", "a comma ends the value"),
        ('a:\n  - $x | cut(" #")', "2:14", "a comment"),
    ],
)
def test_places_in_files(content: str, place: str, hint: str) -> None:
    document = read(Text("a.yaml", content))
    path = ("a", 0)
    text = document.data["a"][0]  # type: ignore[index]
    with pytest.raises(Problems) as caught:
        parse_value(text, document.origin(path))
    (only,) = caught.value.problems
    assert str(only.span) == f"a.yaml:{place}"
    assert hint in only.hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(" * 5000, "SW022"),
        ("[" * 5000, "SW022"),
        ("{a:" * 3000, "SW022"),
        ("f(" * 4000, "SW022"),
        ("$a|f(" * 1500, "SW022"),
        ("$a[" * 3000, "SW022"),
        ("-" * 9000 + "$a", "SW022"),
        ("not " * 2000 + "$a", "SW022"),
        ("$a ?? " * 1500 + "1", "SW022"),
        ("1 if 1 else " * 800 + "1", "SW022"),
        ("f($x => " * 1000, "SW022"),
        ("1" + "+1" * 4000, "SW022"),
        ("$a" + ".b" * 4000, "SW022"),
        ("$a" + "|b" * 4000, "SW022"),
        ("$a " + " " * 10_000, "SW021"),
        ("(" * 4999 + ")" * 5000, "SW022"),
        ('"' + "\\" * 9998, "SW024"),
        ("((((((($a,$b" * 800, "SW029"),
    ],
)
def test_bombs(text: str, code: str) -> None:
    for as_value in (False, True):
        head = problem("${" + text if as_value else text, as_value=as_value).split("\n")[0]
        assert code in head or (as_value and code == "SW021")


def test_a_template_may_be_long_its_expressions_not() -> None:
    assert isinstance(value("x" * 20_000 + "${$y}"), Template)
    assert "SW021" in problem("${[" + "1," * 6000 + "]}", as_value=True)


@pytest.mark.parametrize("text", ["1" + " + 1" * 98, "(" * 99 + "1" + ")" * 99, "[" * 99 + "1" + "]" * 99])
def test_the_deepest_that_is_read(text: str) -> None:
    assert unparse(parse(text))


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("$a + $b.cd | f(1)", Filter, "$b.cd | f(1)"),
        ("$a + $b.cd | f(1)", Attribute, "$b.cd"),
        ("($a + 1) * 2", Binary, "($a + 1) * 2"),
        ("f( $x => -$x )", Lambda, "$x => -$x"),
        ("f( $x => -$x )", Unary, "-$x"),
        ("[ ...$a ]", Spread, "...$a"),
        ("{ k : $b }", Entry, "k : $b"),
        ("{ k : $b } ", ObjectOf, "{ k : $b }"),
        (" [1] ", ListOf, "[1]"),
        ("1 if  $a else 2 ", Conditional, "1 if  $a else 2"),
        ("now( )", Call, "now( )"),
        ("$a [ 0 ]", Index, "$a [ 0 ]"),
        ("1 .. 2", Range, "1 .. 2"),
        ("email", Column, "email"),
    ],
)
def test_spans(text: str, kind: type[Node], place: str) -> None:
    node = next(node for node in walk(parse(text)) if isinstance(node, kind))
    assert shown(text, node.span) == place


def test_spans_of_words() -> None:
    text = "$a.bc not in? f($x => 1) | g"
    nodes = list(walk(parse(text)))
    words = [
        shown(text, span)
        for node in nodes
        for name in ("name_span", "operator_span", "key_span")
        if (span := getattr(node, name, None)) is not None
    ]
    assert words == ["not in?", "bc", "g", "f"]
    assert [shown(text, span) for node in nodes if isinstance(node, Lambda) for span in node.parameter_spans] == ["$x"]


def shown(text: str, span: Span) -> str:
    return text[span.column - 1 : span.end_column - 1]


def test_walk_is_in_order() -> None:
    nodes = list(walk(parse("f($a, [$b, {c: $d}]) | g($e)")))
    assert [node.name for node in nodes if isinstance(node, Variable)] == ["a", "b", "d", "e"]
    assert [type(node).__name__ for node in nodes[:3]] == ["Filter", "Call", "Variable"]


def test_nodes_are_keys() -> None:
    first, second = parse("$a"), parse("$a")
    assert len({first, second}) == 2
    assert first != second


# Random trees: whatever is written is read back.

PLACE = Span(Text("", ""), 1, 1, 1, 1)
NAMES = st.sampled_from(["a", "b_1", "Name", "items"])
KEYS = st.sampled_from(["a", "if", "two words", "", 'q"', "1"])
ANY_NAME = st.sampled_from(["a", "in", "not", "if", "true"])
CHARACTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
TEXTS = CHARACTERS | st.sampled_from(["${", "\\", '"', "'", "a\nb", "$", "\u007f"])
LITERALS = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    st.just(PLACE),
)
LEAVES = LITERALS | st.builds(Variable, NAMES, st.just(PLACE)) | st.builds(Column, NAMES, st.just(PLACE))
SIMPLE = ["+", "-", "*", "/", "%", "~", "??", "and", "or"]
COMPARING = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


def larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    at = st.just(PLACE)
    spreads = st.builds(Spread, nodes, at)
    lambdas = st.builds(
        lambda names, body: Lambda(names, body, [PLACE] * len(names), PLACE),
        st.lists(NAMES, min_size=1, max_size=2, unique=True),
        nodes,
    )
    arguments = st.lists(nodes | lambdas, max_size=2)
    entries = st.lists(
        st.builds(Entry, KEYS, nodes, at, at) | spreads,
        max_size=3,
        unique_by=lambda entry: entry.key if isinstance(entry, Entry) else id(entry),
    )
    return st.one_of(
        st.builds(Binary, st.sampled_from(SIMPLE), nodes, nodes, st.just(False), at, at),
        st.builds(Binary, st.sampled_from(COMPARING), nodes, nodes, st.booleans(), at, at),
        st.builds(Unary, st.sampled_from(["not", "-"]), nodes, at),
        st.builds(Conditional, nodes, nodes, nodes, at),
        st.builds(Range, nodes, nodes, at),
        st.builds(Attribute, nodes, ANY_NAME, st.booleans(), at, at),
        st.builds(Index, nodes, nodes, st.booleans(), at),
        st.builds(Filter, nodes, ANY_NAME, arguments, st.booleans(), at, at),
        st.builds(Call, NAMES, arguments, at, at),
        st.builds(ListOf, st.lists(nodes | spreads, max_size=3), at),
        st.builds(ObjectOf, entries, at),
    )


@st.composite
def leaf(draw: st.DrawFn) -> Node:
    return draw(LEAVES)


@st.composite
def tree_of(draw: st.DrawFn, height: int) -> Node:
    return draw(larger(tree_of(height - 1)) if height and draw(st.booleans()) else leaf())


TREES = tree_of(3)


@example(Range(Filter(Literal(None, PLACE), "a", [], True, PLACE, PLACE), Literal(1, PLACE), PLACE))
@settings(max_examples=100, deadline=None)
@given(TREES)
def test_what_is_written_is_read(tree: Node) -> None:
    text = unparse(tree)
    read_back = parse(text)
    assert shape(read_back) == shape(tree)
    assert unparse(read_back) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(TREES | leaf(), min_size=1, max_size=4))
def test_templates_are_read(trees: list[Node]) -> None:
    if any(
        isinstance(node, Column) or getattr(node, "optional", False) is True for tree in trees for node in walk(tree)
    ):
        return
    template = Template([Variable("x", PLACE), *trees, Variable("y", PLACE)], PLACE)
    assert shape(value(unparse(template))) == shape(template)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["$", "$$", "${", "{", "}", "a", "${$x}", '${"$"}', '${""}']), max_size=6))
def test_templates_are_written(scraps: list[str]) -> None:
    try:
        node = value("".join(scraps))
    except Problems:
        return
    if isinstance(node, Template):
        assert shape(value(unparse(node))) == shape(node)


MARKS = ["$x", "$", "${", "a", "1", "1.5", *"()[]{}|.?:,-+~!\"'\\é", "?.", "??", "..", "...", "=>", "=="]
SCRAPS = st.lists(
    st.sampled_from(sorted(KEYWORDS) + MARKS),
    max_size=14,
)


@settings(max_examples=300, deadline=None)
@given(SCRAPS, st.sampled_from(["", " "]))
def test_any_text_is_read_or_answered(scraps: list[str], between: str) -> None:
    text = between.join(scraps)
    for read_text in (parse, value):
        try:
            node = read_text(text)
        except Problems as error:
            assert all(problem.span.end_column <= len(text) + 1 for problem in error.problems)
        else:
            if not isinstance(node, (Template, Literal)):
                assert shape(parse(unparse(node))) == shape(node)


def test_children_are_the_next_level() -> None:
    node = parse("$a if $b else $c")
    assert [unparse(child) for child in children(node)] == ["$b", "$a", "$c"]
