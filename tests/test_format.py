"""The canonical form: what becomes of a file, that it means the same and keeps its comments, and that it stays."""

from __future__ import annotations

import random
import re
import textwrap
from pathlib import Path

import pytest
import yaml

from engine.errors import Problems, Text
from engine.formatting.canonical import canonical
from engine.formatting.comments import Comments
from engine.formatting.forms import FORM_BY_SYNTAX
from engine.program import LIBRARY
from engine.reformat import altered
from engine.registry import steps
from engine.schema import BY_SYNTAX
from engine.session import Session
from engine.source import read
from engine.stack import StackReader
from tests.commands import called
from tests.support import write
from tests.test_session import FILES, edited

assert LIBRARY, "the steps are registered"
ROOT = Path(__file__).parent.parent


def form(text: str) -> str:
    return canonical(Text("a.yaml", text))


# What is written, and its canonical form.
FORMS = {
    "keys of a file, a step and a field": (
        """
        endpoint: GET /a
        response: $user
        stack:
        - get_record: user
          as: user
          where: {id: $input.id}
        input: {id: {description: whose, min: 1, type: int}}
        """,
        """
        endpoint: GET /a
        input: {id: {type: int, min: 1, description: whose}}
        stack:
          - get_record: user
            where: {id: $input.id}
            as: user
        response: $user
        """,
    ),
    "blocks come last": (
        """
        endpoint: GET /a
        stack:
        -   for_each: [1, 2]
            do:
            - if: true
              else: [continue]
              then: [break]
            as: n
            note: why
        """,
        """
        endpoint: GET /a
        stack:
          - for_each: [1, 2]
            as: n
            note: why
            do:
              - if: true
                then: [break]
                else: [continue]
        """,
    ),
    "data stays in its author's order": (
        """
        endpoint: GET /a
        stack:
          - set: {b: 1, a: 2}
        response: {b: $b,   a: $a}
        """,
        """
        endpoint: GET /a
        stack:
          - set: {b: 1, a: 2}
        response: {b: $b, a: $a}
        """,
    ),
    "expressions": (
        """
        endpoint: GET /a
        stack:
          - precondition: ($a>1)and not(  $b|has('x') )
          - set: {a: "${ $x*2 }", b: '${1+$x}', c: 'Hi ${  $x|trim }!', d: "$x|map($i=>{n:$i})"}
          - get_record: user
            where: "name=='it' and age==?  $x"
        """,
        """
        endpoint: GET /a
        stack:
          - precondition: $a > 1 and not $b | has("x")
          - set: {a: $x * 2, b: "${1 + $x}", c: "Hi ${$x | trim}!", d: "$x | map($i => {n: $i})"}
          - get_record: user
            where: name == "it" and age ==? $x
        """,
    ),
    "edits": (
        """
        endpoint: POST /a
        stack:
          - edit_record: post
            data: {likes: likes+1, rank: "${rank+1}", name: 'a ${ name|trim }', tags: ["${ $x+1 }"]}
            where: {id: 1}
          - add_record: post
            data: {likes: "${likes+1}", rank: "${1+$x}"}
        """,
        """
        endpoint: POST /a
        stack:
          - edit_record: post
            where: {id: 1}
            data: {likes: likes+1, rank: "${rank + 1}", name: "a ${name | trim}", tags: [$x + 1]}
          - add_record: post
            data: {likes: "${likes+1}", rank: "${1 + $x}"}
        """,
    ),
    "queries": (
        """
        endpoint: GET /a
        stack:
          - query_all_records: user
            as: users
            eval: {n: "name|count"}
            join: {b: {type: left, where: "b.id==user.id", table: boss}}
            addon: {c: {where: "id>1", table: boss}}
            where: "name|icontains?($input.q)"
        """,
        """
        endpoint: GET /a
        stack:
          - query_all_records: user
            where: name | icontains?($input.q)
            join: {b: {table: boss, where: b.id == user.id, type: left}}
            eval: {n: name | count}
            addon: {c: {table: boss, where: id > 1}}
            as: users
        """,
    ),
    "texts that look like expressions": (
        """
        endpoint: GET /a
        stack:
          - set: {a: 1+1}
          - return:  "1+1"
        """,
        """
        endpoint: GET /a
        stack:
          - set: {a: 1+1}
          - return: 1+1
        """,
    ),
    "an expression that can't be read stays": (
        """
        endpoint: GET /a
        stack: []
        response:  {a: $x && $y}
        """,
        """
        endpoint: GET /a
        stack: []
        response: {a: $x && $y}
        """,
    ),
    "quotes where they are needed": (
        """
        endpoint: 'GET /a'
        stack: []
        "response": {'a': "yes", b: "1", c: 'true', d: " x", e: "it's", f: 'a "b"', g: "a, b", h: '', i: "a\\tb", "k: l": 'null'}
        """,
        """
        endpoint: GET /a
        stack: []
        response: {a: yes, b: "1", c: "true", d: " x", e: it's, f: a "b", g: "a, b", h: "", i: "a\\tb", "k: l": "null"}
        """,
    ),
    "constants": (
        """
        endpoint: GET /a
        stack: []
        response:
            a: ~
            b:
            c: 1.50
            d: {e: ~}
        """,
        """
        endpoint: GET /a
        stack: []
        response:
          a: null
          b:
          c: 1.50
          d: {e: null}
        """,
    ),
    "what is too long for its line, and a list of several steps": (
        f"""
        endpoint: GET /a
        stack: [{{set: {{a: 1}}}}, return]
        response: {{a: {"x" * 60}, b: {{c: {"y" * 60}}}}}
        """,
        f"""
        endpoint: GET /a
        stack:
          - set: {{a: 1}}
          - return
        response:
          a: {"x" * 60}
          b: {{c: {"y" * 60}}}
        """,
    ),
    "texts of several lines": (
        f"""
        endpoint: GET /a
        description: >
              Some text
                that is indented.

              Done.
        stack: []
        response:
          a: one
             two
          b: |+
             kept

          c: {"x" * 70}
             {"y" * 70}
        """,
        f"""
        endpoint: GET /a
        description: >
          Some text
            that is indented.

          Done.
        stack: []
        response:
          a: one two
          b: "kept\\n\\n"

          c: >-
            {"x" * 70}
            {"y" * 70}
        """,
    ),
    "comments go with what they stand at": (
        """
        # the file

        # its name
        endpoint: GET /a # name

        # what it answers
        response: # the answer
           a: 1   # a
           # after a
        # all steps
        stack:
        - # the first
          get_record: user    # of users
          as: user
          # which
          where: {id: 1}
          # the first's end

        # the second
        - if: true
          then:
          - break
          # no more
          # really
        # the end of steps
        # the end
        """,
        """
        # the file

        # its name
        endpoint: GET /a  # name
        # all steps
        stack:
          # the first
          - get_record: user  # of users
            # which
            where: {id: 1}
            # the first's end
            as: user

          # the second
          - if: true
            then:
              - break
              # no more
              # really
          # the end of steps
          # the end

        # what it answers
        response:  # the answer
          a: 1    # a
          # after a
        """,
    ),
    "comments in braces": (
        """
        endpoint: GET /a
        input: { # all
          a: text, # one
          # two's
          b: text }
        stack: []
        """,
        """
        endpoint: GET /a
        input:   # all
          a: text  # one
          # two's
          b: text
        stack: []
        """,
    ),
    "a comment stays in its column": (
        """
        table: user   # a table
        auth:  true   # of users
        columns:
          id: int     # its key
        """,
        """
        table: user   # a table
        auth: true    # of users
        columns:
          id: int     # its key
        """,
    ),
    "empty lines": (
        """


        endpoint: GET /a



        stack:

          - break


          - continue
        """,
        """
        endpoint: GET /a

        stack:
          - break

          - continue
        """,
    ),
    "tests": (
        """
        test: GET /a
        cases:
          - name: a
            check: ['$response|count>1']
            status: 200
            input: {b: 1}
            auth: {table: user, id: 1}
        """,
        """
        test: GET /a
        cases:
          - name: a
            auth: {table: user, id: 1}
            input: {b: 1}
            status: 200
            check: [$response | count > 1]
        """,
    ),
    "tables": (
        """
        columns: {id: int, price: decimal}
        checks: [{message: no, check: price>0}]
        indexes:
          - {unique: true, columns: [price], where: price>1}
        table: order
        """,
        None,
    ),
}


@pytest.mark.parametrize(("text", "expected"), FORMS.values(), ids=FORMS)
def test_the_canonical_form(text: str, expected: str | None) -> None:
    text = textwrap.dedent(text).removeprefix("\n")
    if expected is None:
        with pytest.raises(Problems):
            form(text)
        return
    expected = textwrap.dedent(expected).lstrip("\n")
    assert form(text) == expected
    assert form(expected) == expected


def test_values_are_what_the_reader_of_stacks_reads_as_values() -> None:
    values = {syntax for syntax in BY_SYNTAX if getattr(StackReader, f"_read_{syntax}", None) is StackReader.value}
    assert values <= {syntax for syntax, form in FORM_BY_SYNTAX.items() if form == "value"}
    edits = {syntax for syntax in BY_SYNTAX if getattr(StackReader, f"_read_{syntax}", None) is StackReader._read_edits}
    assert edits == {syntax for syntax, form in FORM_BY_SYNTAX.items() if form == "edit"} == {"edits", "changes"}
    conditions = {each.syntax for step in steps().values() for each in step.parameters if each.syntax == "condition"}
    assert {FORM_BY_SYNTAX[syntax] for syntax in conditions} == {"expression"}


@pytest.mark.parametrize("path", sorted((ROOT / "stacks").rglob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_stacks_are_canonical(path: Path) -> None:
    text = path.read_text("utf-8")
    assert form(text) == text


def is_readable(text: str) -> bool:
    try:
        form(text)
    except Problems as refused:
        assert "SW070" not in str(refused), text
        return False
    return True


def blocks() -> list[str]:
    """The files on our pages and those of the tests of sessions, in whatever form."""
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    found = re.findall(r"```yaml\n(.*?)```", pages, re.DOTALL)
    steps = ["endpoint: GET /a\nstack:\n" + textwrap.indent(text, "  ") for text in found if text.startswith("- ")]
    files = [textwrap.dedent(text).lstrip("\n") for text in FILES.values()]
    return [text for text in (*found, *steps, *files) if is_readable(text)]


BLOCKS = blocks()


PIECES = [
    "# c\n", "  # d\n", "\n", "\n\n", "    # e\n", " # f\n", "|\n", "> \n", '"', "- # x\n", "x" * 130, " y z ", "~", "\t",
    " ${$a.b|trim} ", "'it''s'", " - - 1\n",
]  # fmt: skip


def disordered(text: str, chance: random.Random) -> str:
    """The text as another author might have it: with comments, in other styles, with something changed."""
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines) + 1)
    match chance.randrange(6):
        case 0:
            spot = chance.randrange(len(text) + 1)
            return text[:spot] + chance.choice(PIECES) + text[spot:]
        case 1:
            return "".join([*lines[:at], "  " * chance.randrange(4) + f"# {chance.random()}\n", *lines[at:]])
        case 2:
            return "".join(
                [*lines[:at], *(f"{line[:-1]}  # {chance.random()}\n" for line in lines[at : at + 1]), *lines[at + 1 :]]
            )
        case 3:
            style, flow = chance.choice([None, None, '"', "'", "|", ">"]), chance.choice([None, True, False])
            width = chance.choice([30, 80, 200])
            data = read(Text("", text)).data
            return str(yaml.safe_dump(data, sort_keys=False, width=width, default_style=style, default_flow_style=flow))
    return edited(text, chance)


def told(text: str) -> list[str]:
    return sorted(comment.text for comment in Comments(read(Text("", text))).found)


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_written_means_the_same_and_stays(seed: int) -> None:
    """That it means the same is what `canonical` itself looks at last: it would refuse."""
    chance = random.Random(seed)
    text = chance.choice(BLOCKS)
    for _ in range(chance.randrange(20)):
        changed = disordered(text, chance)
        text = changed if is_readable(changed) else text
    once = form(text)
    assert form(once) == once
    assert told(once) == told(text)


def test_line_ends_stay() -> None:
    assert form("table:   a\r\ncolumns: {id: int}\r\n") == "table: a\r\ncolumns: {id: int}\r\n"


def test_a_form_that_a_check_sees_otherwise_is_refused(tmp_path: Path) -> None:
    session = Session(write(tmp_path, FILES), "")
    before = [each.render() for each in session.checked().problems]
    text = (tmp_path / "me.yaml").read_text("utf-8")
    forms = {
        tmp_path / "me.yaml": text.replace("as: me", "as: you"),
        tmp_path / "user.yaml": "# x\n" + FILES["user.yaml"],
    }
    assert altered(session, forms) == {tmp_path / "me.yaml"}
    assert [each.render() for each in session.checked().problems] == before


# The command

UGLY, PRETTY = "table:   a\ncolumns: {id: int}\n", "table: a\ncolumns: {id: int}\n"


def test_fmt_writes_the_form(tmp_path: Path) -> None:
    write(tmp_path, {"stacks/a": UGLY, "stacks/b": "table: b\ncolumns: {id: int}\n"})
    ended = called(tmp_path, "fmt")
    assert (ended.status, ended.out, ended.err) == (0, "formatted stacks/a.yaml\n", "1 file formatted, 1 left\n")
    assert (tmp_path / "stacks/a.yaml").read_text() == PRETTY
    assert called(tmp_path, "fmt", "stacks/a.yaml").err == "0 files formatted, 1 left\n"


def test_fmt_leaves_what_it_can_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"stacks/a": UGLY, "stacks/b": "table: [\n", "stacks/c": "what: is this\n"})
    ended = called(tmp_path, "fmt", "stacks")
    assert (ended.status, ended.out) == (1, "formatted stacks/a.yaml\n")
    assert "stacks/b.yaml:2:1: error SW013" in ended.err and "stacks/c.yaml:1:1: error SW050" in ended.err
    assert (tmp_path / "stacks/b.yaml").read_text() == "table: [\n"


def test_fmt_can_say_what_it_would_do(tmp_path: Path) -> None:
    write(tmp_path, {"stacks/a": UGLY})
    assert called(tmp_path, "fmt", "--check").status == 1
    ended = called(tmp_path, "fmt", "--diff")
    assert (ended.status, ended.out) == (
        1,
        "--- stacks/a.yaml\n+++ stacks/a.yaml\n@@ -1,2 +1,2 @@\n-table:   a\n+table: a\n columns: {id: int}\n",
    )
    assert (tmp_path / "stacks/a.yaml").read_text() == UGLY
    (tmp_path / "stacks/a.yaml").write_text(PRETTY)
    assert called(tmp_path, "fmt", "--check").status == 0
    assert "there is no file or folder 'x'" in called(tmp_path, "fmt", "x").err
