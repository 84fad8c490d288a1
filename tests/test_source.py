"""Files of YAML: what is read, where it stands, and what is said about what can't be read."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Problems, Span, Text
from engine.source import Document, load, read


def reading(content: str) -> Document:
    return read(Text("a.yaml", content))


def rendered(content: str) -> str:
    with pytest.raises(Problems) as caught:
        reading(content)
    return str(caught.value)


def shown(span: Span) -> str:
    """What stands at a span, line breaks and all."""
    lines = span.text.content.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    return "\n".join([lines[0][span.column - 1 :], *lines[1:]])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-0", 0),
        ("-12", -12),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.50", 1.5),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("yes", "yes"),
        ("off", "off"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("1:30", "1:30"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("+1", "+1"),
        (".5", ".5"),
        ("1.", "1."),
        (".nan", ".nan"),
        ("-.inf", "-.inf"),
        ("2024-01-01", "2024-01-01"),
        ("١", "١"),
        ("=", "="),
        ("'1'", "1"),
        ('"true"', "true"),
        ('""', ""),
        ("|\n  1\n", "1\n"),
        (">-\n  null\n", "null"),
        ("[1, a, [b]]", [1, "a", ["b"]]),
        ("{a: 1, b: {c: ~}}", {"a": 1, "b": {"c": None}}),
        ('{"a":1}', {"a": 1}),
        ("{a: , b: 1}", {"a": None, "b": 1}),
        ("$input.email | trim(1)", "$input.email | trim(1)"),
    ],
)
def test_scalars(written: str, value: object) -> None:
    data = reading(f"key: {written}").data
    assert data == {"key": value}
    assert isinstance(data, dict)
    assert type(data["key"]) is type(value)


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("\ufeffa: é😀\n", {"a": "é😀"}),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": 1, "b": "x\ny\n"}),
        ("1: a\ntrue: b\n~: c\n1.0: d\n", {"1": "a", "true": "b", "~": "c", "1.0": "d"}),
        ("'<<': 1\n'': 2\n", {"<<": 1, "": 2}),
        ("- a\n-\n- - b\n", ["a", None, ["b"]]),
        ("a: x\\ud83d\\ude00\n", {"a": "x\\ud83d\\ude00"}),
    ],
)
def test_documents(content: str, data: object) -> None:
    assert reading(content).data == data


SMALL = """\
# a comment
endpoint: POST /login
input:
  email: {type: email, trim: true}
  "pass word":  'x'   # why

stack:
  - get_record: user
    where:
      email: $input.email

  - return: |
      one
      two

# the end
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("endpoint",), "POST /login", "endpoint"),
        (("input", "email", "trim"), "true", "trim"),
        (("input", "email"), "{type: email, trim: true}", "email"),
        (("input", "pass word"), "'x'", '"pass word"'),
        (("input",), "email: {type: email, trim: true}\n  \"pass word\":  'x'", "input"),
        (("stack", 0), "get_record: user\n    where:\n      email: $input.email", None),
        (("stack", 0, "where", "email"), "$input.email", "email"),
        (("stack", 1, "return"), "|\n      one\n      two", "return"),
        (("stack", 1, "return", "deeper", 7), "|\n      one\n      two", "return"),
        (("stack", 1), "return: |\n      one\n      two", None),
        ((), SMALL.split("\n", 1)[1].rstrip().removesuffix("\n\n# the end"), None),
        (("nowhere", 3), SMALL.split("\n", 1)[1].rstrip().removesuffix("\n\n# the end"), None),
    ],
)
def test_spans(path: tuple[str | int, ...], value: str, key: str | None) -> None:
    document = reading(SMALL)
    assert shown(document.span(path)) == value
    assert shown(document.key_span(path)) == (value if key is None else key)


@pytest.mark.parametrize(
    ("content", "word", "expected"),
    [
        ("a: one two", "two", [(1, 8)]),
        ("é: ü😀 two", "two", [(1, 7)]),
        ("a: one\n  two\n\n  three", "three", [(4, 3)]),
        ("a: one\n  two", "two", [(2, 3)]),
        ("a: 'it''s two'", "two", [(1, 11)]),
        ('a: "\\u00e9\\x41\\"\\\\ two"', "two", [(1, 20)]),
        ('a: "one \\\n  \\  two\n  three"', "three", [(3, 3)]),
        ("a: |\n    one\n      two\n\n   \n    three\n", "three", [(6, 5)]),
        ("a: |2\n    one\n   two\n", "two", [(3, 4)]),
        ("a: >\n  one\n  two\n\n\n  three\n   four\n\n  five\n", "five", [(9, 3)]),
        ("a: >\n  one\n  two\n\n\n  three\n   four\n\n  five\n", "four", [(7, 4)]),
        ("a: >-\r\n  one\r\n  two\r\n", "two", [(3, 3)]),
        ("- [x, 'two']", "x", []),
    ],
)
def test_places_in_scalars(content: str, word: str, expected: list[tuple[int, int]]) -> None:
    document = reading(content)
    if not expected:
        with pytest.raises(LookupError):
            document.origin((0,))
        return
    value = document.data["a" if "a:" in content else "é"]  # type: ignore[index]
    start = value.index(word)
    span = document.origin(("a" if "a:" in content else "é",)).span(start, start + len(word))
    assert [(span.line, span.column)] == expected
    assert shown(span) == word


def test_the_place_of_a_folded_break_is_the_break() -> None:
    origin = reading("a: one  \n    two").origin(("a",))
    assert shown(origin.span(0, 3)) == "one"
    assert shown(origin.span(3, 4)) == "  \n    "
    assert shown(origin.span(7, 7)) == ""
    assert shown(origin.whole) == "one  \n    two"


def test_the_place_of_an_escape_is_all_of_it() -> None:
    origin = reading('a: "x\\u00e9y"').origin(("a",))
    assert shown(origin.span(1, 2)) == "\\u00e9"
    assert shown(origin.whole) == '"x\\u00e9y"'


def test_places_in_keys() -> None:
    document = reading("- {user.name: 1, 'it''s x': 2}")
    assert shown(document.key_origin((0, "user.name")).span(5, 9)) == "name"
    assert shown(document.key_origin((0, "it's x")).span(5, 6)) == "x"


TEXTS = st.text(st.sampled_from("ab $:#'\"\\-|>[]{},.\n\t é😀"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, style=st.sampled_from([None, "'", '"', "|", ">"]), width=st.integers(4, 30), unicode=st.booleans())
def test_every_character_is_found(text: str, style: str | None, width: int, unicode: bool) -> None:
    content = yaml.safe_dump({"key": [text]}, default_style=style, width=width, allow_unicode=unicode)
    document = reading(content)
    assert document.data in ({"key": [text]}, {"key": [None]}, {"key": [document.data["key"][0]]})  # type: ignore[index]
    if not isinstance(document.data["key"][0], str):
        return
    origin = document.origin(("key", 0))
    whole = shown(origin.whole)
    for at, char in enumerate(text):
        place = shown(origin.span(at, at + 1))
        assert place == char or place.startswith("\\") or place == "''" or char in " \n"
        assert place in whole or char == "\n"


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(st.text(st.sampled_from("ab \t"), max_size=6), max_size=8),
    header=st.sampled_from([">", ">-", ">+", "|", "|-", "|+", ">2", "|2"]),
)
def test_every_character_of_a_block_is_found(lines: list[str], header: str) -> None:
    content = f"key: {header}\n" + "".join(f"  {line}\n" for line in lines)
    try:
        document = reading(content)
    except Problems:
        return
    value = document.data["key"]  # type: ignore[index]
    origin = document.origin(("key",))
    last = (0, 0)
    for at, char in enumerate(value):
        span = origin.span(at, at + 1)
        assert char in " \n" or shown(span) == char
        assert (span.line, span.column) > last
        last = (span.line, span.column)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a: 1\nb:\n  c: 2\nb: 3\na: 4\n",
            "a.yaml:4:1: error SW005: 'b' is already given on line 2\n"
            "  | b: 3\n"
            "  | ^\n"
            "  hint: take one of the two out\n"
            "a.yaml:5:1: error SW005: 'a' is already given on line 1\n"
            "  | a: 4\n"
            "  | ^\n"
            "  hint: take one of the two out",
        ),
        (
            "a: &x 1\nb: *x\n",
            "a.yaml:1:4: error SW007: the anchor '&x' isn't read\n"
            "  | a: &x 1\n"
            "  |    ^^\n"
            "  hint: write the value itself where it is used; a text that begins with & is put into quotes\n"
            "a.yaml:2:4: error SW007: the alias '*x' isn't read\n"
            "  | b: *x\n"
            "  |    ^^\n"
            '  hint: write the value itself; a text that begins with * is put into quotes: "*x"',
        ),
        (
            "if: !$done\n",
            "a.yaml:1:5: error SW007: the tag '!$done' isn't read\n"
            "  | if: !$done\n"
            "  |     ^^^^^^\n"
            "  hint: write `not` for the opposite",
        ),
        (
            "<<: {a: 1}\n",
            "a.yaml:1:1: error SW008: the merge key '<<' isn't read\n"
            "  | <<: {a: 1}\n"
            "  | ^^\n"
            "  hint: write the keys themselves",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "a.yaml:2:1: error SW009: a second document starts here\n"
            "  | ---\n"
            "  | ^^^\n"
            "  hint: one file holds one thing: split it",
        ),
        (
            "data: {n: $x | cut(8, 9)}\n",
            "a.yaml:1:23: error SW011: '9)' has no value\n"
            "  | data: {n: $x | cut(8, 9)}\n"
            "  |                       ^^\n"
            "  hint: inside { } a comma ends a value: put a text with a comma into quotes",
        ),
        (
            "a: {b:1}\n",
            "a.yaml:1:5: error SW011: 'b:1' has no value\n  | a: {b:1}\n  |     ^^^\n  hint: write a blank after ':'",
        ),
        (
            "a: 9223372036854775808\n",
            "a.yaml:1:4: error SW012: '9223372036854775808' is past 64 bits\n"
            "  | a: 9223372036854775808\n"
            "  |    ^^^^^^^^^^^^^^^^^^^\n"
            "  hint: put it into quotes if it is a text",
        ),
        (
            "stack:\n\t- a\n",
            "a.yaml:2:1: error SW013: a tab can't indent a line\n  |  - a\n  | ^\n  hint: indent it with blanks",
        ),
    ],
)
def test_whole_messages(content: str, message: str) -> None:
    assert rendered(content) == message


@pytest.mark.parametrize(
    ("content", "head", "hint"),
    [
        ("a: b: c\n", "1:5: error SW013: ': ' can't stand inside a text without quotes", "quotes"),
        (
            "a: $x ? 1 : 2\n",
            "1:11: error SW013: ': ' can't stand inside a text without quotes",
            "a if condition else b",
        ),
        ("a: 1\n  b: 2\n", "2:4: error SW013: this line is a map's, but the line above already has a value", "indent"),
        ("name:text\nb: 1\n", "1:5: error SW013: a blank is missing after ':'", "`key: value`"),
        ("a: 1\nname:text\nb: 1\n", "2:5: error SW013: a blank is missing after ':'", "`key: value`"),
        ("a: 1\nfoo\nb: 1\n", "2:1: error SW013: 'foo' has no ':'", "`key: value`"),
        (": x\n", "1:1: error SW013: a key is missing before ':'", "`key: value`"),
        ("a: @x\n", "1:4: error SW013: a text can't begin with '@'", "quotes"),
        ("a: `x`\n", "1:4: error SW013: a text can't begin with '`'", "quotes"),
        ("a: %x\n", "1:4: error SW013: a text can't begin with '%'", "quotes"),
        ("a: **b**\n", "1:4: error SW013: a text can't begin with '*'", "quotes"),
        ("a: ]\n", "1:4: error SW013: a text can't begin with ']'", "quotes"),
        ("{a: 1}}\n", "1:7: error SW013: '}' closes nothing", "quotes"),
        ("a: [1, 2\n", "1:4: error SW013: '[' is never closed", "write ']'"),
        ("a: {b\n", "1:4: error SW013: '{' is never closed", "write '}'"),
        ("a: {b: Hi ${$n}}\n", "1:12: error SW013: ',' or '}' is missing before '{'", "quotes"),
        ("a: 'x\n", "1:4: error SW013: the text that starts with ' never ends", "write '"),
        ('a: "\\q"\n', "1:5: error SW013: this escape isn't one of YAML's", "\\\\"),
        ('a: "\\ud800"\n', "1:7: error SW013: this escape isn't one of YAML's", "\\\\"),
        ('a: "x" | trim\n', "1:8: error SW013: the value has already ended before '| trim'", "quotes"),
        ("a: [1, 2] | sum\n", "1:11: error SW013: the value has already ended before '| sum'", "quotes"),
        ("a: 'b'c\n", "1:7: error SW013: the value has already ended before 'c'", "quotes"),
        ("a: | foo\n", "1:6: error SW013: the text of a '|' or '>' begins on the next line", "new line"),
        ("a: - b\n", "1:4: error SW013: a list can't begin in this line", "new line"),
        ("a:\n  - x\n  y: 1\n", "3:3: error SW013: this line is in a list but doesn't begin with '-'", "begin it"),
        ("a:\n   b: 1\n  c: 2\n", "3:3: error SW013: this line fits no line above", "indent it exactly"),
        ("[a]: 1\n", "1:1: error SW006: a key can't be a list or a map", "a key is a text"),
        ("%YAML 1.2\n---\na: 1\n", "1:1: error SW010: a line that begins with '%' isn't read", "take it out"),
        ("a: 1e999\n", "1:4: error SW012: '1e999' is past what a decimal holds", "quotes"),
        ("a: x\0\n", "1:5: error SW002: the character U+0000 can't stand in a file", "take it out"),
        ("a: \ud800\n", "1:4: error SW002: the character U+D800 can't stand in a file", "take it out"),
        ("a: x\u2028\n", "1:5: error SW002: the character U+2028 can't stand in a file", "\\u2028"),
        ("a: x\rb", "1:5: error SW002: the character U+000D can't stand in a file", "LF"),
        ('a: "\\0"\n', "1:4: error SW002: a text can't hold U+0000", "take it out"),
        ('"\\0": 1\n', "1:1: error SW002: a text can't hold U+0000", "take it out"),
    ],
)
def test_messages(content: str, head: str, hint: str) -> None:
    lines = rendered(content).splitlines()
    assert lines[0] == f"a.yaml:{head}"
    assert hint in lines[-1]
    assert lines[-1].startswith("  hint: ")


@pytest.mark.parametrize(
    ("content", "head"),
    [
        ("[ " * 100_000, "1:129: error SW003: lists and maps are nested deeper than 64"),
        ("{a: " * 100_000, "1:257: error SW003: lists and maps are nested deeper than 64"),
        ("- " * 100_000 + "x", "1:129: error SW003: lists and maps are nested deeper than 64"),
        ("a: " + "x" * 1024 * 1024, "1:1: error SW003: the file is larger than 1,048,576 bytes"),
        ("a: " + "é" * 600_000, "1:1: error SW003: the file is larger than 1,048,576 bytes"),
        ("[" + "1," * 200_000 + "]", "1:200000: error SW004: the file holds more than 100,000 values"),
        ("a: " + "9" * 500_000, f"1:4: error SW012: '{'9' * 29}…' is past 64 bits"),
        ("a: " + " " * 500_000 + "'x", "1:500004: error SW013: the text that starts with ' never ends"),
    ],
)
def test_bombs(content: str, head: str) -> None:
    assert rendered(content).split("\n")[0] == f"a.yaml:{head}"


@pytest.mark.parametrize("content", ["[" * 100_000, "{a: " * 30 + "[" * 2_000])
def test_depth_that_the_yaml_library_refuses_by_itself(content: str) -> None:
    """Some of its versions read a whole line of brackets, up to a limit of their own, before they tell of the first."""
    head = rendered(content).split("\n")[0]
    assert head.endswith("error SW003: lists and maps are nested deeper than 64")
    assert head.startswith("a.yaml:1:")


def test_a_hundred_problems_are_enough() -> None:
    with pytest.raises(Problems) as caught:
        reading("".join("a: 1\n" for _ in range(1000)))
    assert len(caught.value.problems) == 100


def test_the_deepest_that_is_read() -> None:
    data = reading("[" * 64 + "]" * 64).data
    for _ in range(63):
        assert isinstance(data, list)
        data = data[0]
    assert data == []


def test_aligning_a_long_text_ends() -> None:
    blanks = " " * 200_000
    origin = reading(f"a: 'x{blanks}''y'").origin(("a",))
    assert shown(origin.span(200_002, 200_003)) == "y"


def test_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xa9 x\n")
    document = read(load(tmp_path / "a.yaml", "stacks/a.yaml"))
    assert document.data == {"a": "é x"}
    assert str(document.origin(("a",)).span(2, 3)) == "stacks/a.yaml:1:6"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"a: 1\nb: \xc3\xa9 \xe9\n",
            "x.yaml:2:6: error SW001: the byte E9 isn't UTF-8\n"
            "  | b: é \ufffd\n"
            "  |      ^\n"
            "  hint: save the file as UTF-8",
        ),
        (b"a" * 1024 * 1025, "x.yaml:1:1: error SW003: the file is larger than 1,048,576 bytes\n  hint: split it"),
        (None, "x.yaml:1:1: error SW001: 'x.yaml' can't be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: pathlib.Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Problems) as caught:
        read(load(path, "x.yaml"))
    assert str(caught.value) == message
