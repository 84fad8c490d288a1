"""A session answers after any edits what a check from the beginning does, and checks again only what a change touches."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from engine.program import check_folder
from engine.session import Session
from engine.testing import fixtures
from tests.support import write

FILES = {
    "workspace.yaml": """
        workspace: shop
        canonical: main
        env: {LIMIT: {type: int, sensitive: false}}
    """,
    "group.yaml": """
        group: admin
        canonical: adm
    """,
    "user.yaml": """
        table: user
        auth: true
        columns: {id: int, name: text, email: {type: email, unique: true}, password: password}
    """,
    "order.yaml": """
        table: order
        columns:
          id: int
          buyer: {table: user}
          price: decimal
          note?: text
        checks: [price > 0]
        indexes: [{columns: [buyer], where: price > 1}]
    """,
    "tax.yaml": """
        function: tax
        input: {price: decimal}
        returns: decimal
        stack:
          - return: $input.price * 0.2
    """,
    "total.yaml": """
        function: total
        input: {items: "decimal[]", buyer?: {table: user}}
        stack:
          - run_function: tax
            with: {price: $input.items | sum}
            as: tax
          - return: $tax
    """,
    "pay.yaml": """
        endpoint: POST /pay
        group: admin
        auth: user
        input: {items: "decimal[]", buyer: {table: user}}
        stack:
          - run_function: total
            with: {items: $input.items, buyer: $input.buyer}
            as: total
          - add_record: order
            data: {buyer: $input.buyer, price: $total}
            as: order
        response: {price: $order.price, limit: $env.LIMIT}
    """,
    "orders.yaml": """
        endpoint: GET /orders
        input: {price: decimal}
        stack:
          - get_record: order
            where: price > $input.price and note != null
            as: order
        response: $order
    """,
    "login.yaml": """
        endpoint: POST /login
        input: {name: text}
        stack:
          - get_record: user
            where: {name: $input.name}
            as: found
          - precondition: $found != null
          - create_token: user
            id: $found.id
            extras: {name: $found.name, level: 1}
            as: token
        response: $token
    """,
    "me.yaml": """
        endpoint: GET /me
        auth: user
        stack:
          - get_record: user
            where: {id: $auth.id}
            as: me
          - precondition: $auth.extras.level != null
            payload: $auth.extras.name
        response: $me
    """,
    "me.test.yaml": """
        test: GET /me
        records: {user: [{id: 1, name: Ada, email: ada@example.com}]}
        cases:
          - name: hers
            auth: {table: user, id: 1}
            response: {name: Ada}
    """,
}
WORDS = [
    "user", "order", "tax", "total", "admin", "price", "buyer", "note", "name", "email", "id", "int", "text", "decimal",
    "uuid", "items", "me", "table", "function", "endpoint", "run_function", "get_record", "return", "null", "sum", "auth",
    "true", "false", "LIMIT", "group", "GET", "POST", "columns", "stack", "input", "$order", "1", "where", "pay", "",
]  # fmt: skip
SNIPPETS = [
    " ",
    "\n",
    "{",
    "}",
    "[",
    ":",
    "#",
    "$",
    "  ",
    "?",
    "'",
    "- run_function: total\n",
    "- run_function: tax\n",
    " | is_empty",
]


def edited(text: str, chance: random.Random) -> str:
    """The text with a word for another one, something put in or taken out."""
    match chance.randrange(4):
        case 0 | 1:
            words = list(re.finditer(r"\$?\w+", text))
            if words:
                word = chance.choice(words)
                return text[: word.start()] + chance.choice(WORDS) + text[word.end() :]
        case 2:
            lines = text.splitlines(keepends=True)
            at = chance.randrange(len(lines) + 1)
            indent = chance.choice(["", "  ", "    "])
            return "".join([*lines[:at], indent + chance.choice(SNIPPETS) + "\n", *lines[at + 1 :]])
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(SNIPPETS) + text[at + chance.randrange(3) :]


def change(session: Session, folder: Path, original: dict[Path, str], chance: random.Random) -> Path:
    """One edit, in the session and in the folder of those who begin from the start."""
    path = chance.choice(sorted(original))
    known = path.read_text("utf-8") if path.exists() else original[path]
    text = chance.choice([original[path], edited(known, chance), edited(known, chance), edited(known, chance)])
    editor = session.root / path.relative_to(folder)
    match chance.randrange(8):
        case 0:
            path.unlink(missing_ok=True)
            session.put(editor, None)
            editor.unlink(missing_ok=True)
            session.refresh()
        case 1:
            path.write_text(text, "utf-8")
            session.put(editor, None)
            editor.write_text(text, "utf-8")
            session.refresh()
        case _:
            path.write_text(text, "utf-8")
            session.put(editor, text)
    return editor


@pytest.mark.parametrize("seed", range(16))
def test_any_edits_leave_what_a_check_from_the_beginning_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cold = write(tmp_path / "cold", FILES)
    session = Session(write(tmp_path / "warm", FILES), "", judge=fixtures.file_problems)
    original = {path: path.read_text("utf-8") for path in cold.iterdir()}
    for _ in range(40):
        editor = change(session, cold, original, chance)
        expected = check_folder(cold, "")
        judged = fixtures.problems(expected.workspace)
        if chance.random() < 0.5:
            own = [each.render() for each in session.problems(editor)]
            wanted = [each.render() for each in (*expected.problems, *judged) if each.span.path == editor.name]
            # A circle of calls is told of where it closes, which depends on where it was entered.
            assert "SW130" in "".join(each.code for each in expected.problems) or sorted(own) == sorted(wanted)
        if chance.random() < 0.3:
            for _ in zip(range(chance.randrange(5)), session.settle(), strict=False):
                pass
        found = session.checked()
        assert [each.render() for each in found.problems] == [each.render() for each in expected.problems]
        assert [each.render() for each in session.judged()] == [each.render() for each in judged]
        results = {name: each.result for name, each in expected.functions.items()}
        assert {name: each.result for name, each in found.functions.items()} == results
        assert [*found.workspace.tables] == [*expected.workspace.tables]


def test_a_test_file_is_judged_again_when_the_data_sources_change(tmp_path: Path) -> None:
    folder = write(tmp_path, {"workspace.yaml": "workspace: shop\ndata_sources: [demo]\n"})
    write(folder, {"it.yaml": "endpoint: GET /it\nstack: []\nresponse: 1\n"})
    write(folder, {"it.test.yaml": "test: GET /it\ncases: [{name: one, data_source: demo, response: 1}]\n"})
    session = Session(folder, "", judge=fixtures.file_problems)
    assert session.judged() == []
    session.put(folder / "workspace.yaml", "workspace: shop\ndata_sources: [test]\n")
    assert [(each.code, each.message) for each in session.judged()] == [("SW411", "unknown data source 'demo'")]
    session.put(folder / "workspace.yaml", "workspace: shop\ndata_sources: [test, demo]\n")
    assert session.judged() == []


# What is edited, what becomes of it, and the stacks that are checked again.
AGAIN = {
    "a stack's own steps": ("me.yaml", "as: me", "as: me\n    note: x", {"GET /me"}),
    "a comment of a table": ("user.yaml", "table: user", "table: user # x", set[str]()),
    "a column of a table": ("order.yaml", "note?: text", "note?: int", {"POST /pay", "GET /orders"}),
    "a table that another refers to": (
        "user.yaml",
        "email: {",
        "mail: {",
        {"POST /pay", "GET /me", "GET /orders", "POST /login"},
    ),
    "the steps of a function": ("tax.yaml", "* 0.2", "* 0.3", {"tax"}),
    "what a function takes": ("tax.yaml", "{price: decimal}", "{price: int}", {"tax", "total"}),
    "what a function returns": ("total.yaml", "return: $tax", "return: 1", {"total", "POST /pay"}),
    "a group's name for clients": ("group.yaml", "canonical: adm", "canonical: a", {"POST /pay"}),
    "what a token carries": ("login.yaml", "level: 1", "level: a", {"POST /login", "GET /me"}),
    "a file that breaks": ("me.yaml", "auth: user", "auth: [", set[str]()),
}


@pytest.mark.parametrize(("name", "before", "after", "again"), AGAIN.values(), ids=AGAIN)
def test_only_what_a_change_touches_is_checked_again(
    tmp_path: Path, name: str, before: str, after: str, again: set[str]
) -> None:
    session = Session(write(tmp_path, FILES), "")
    earlier = session.checked()
    known = {id(each) for each in (*earlier.endpoints.values(), *earlier.functions.values())}
    text = (tmp_path / name).read_text("utf-8")
    assert before in text
    session.put(tmp_path / name, text.replace(before, after))
    later = session.checked()
    stacks = {**{each.name: stack for each, stack in later.endpoints.items()}, **later.functions}
    assert {name for name, stack in stacks.items() if id(stack) not in known} == again


def test_files_outside_and_hidden_ones_are_no_part_of_it(tmp_path: Path) -> None:
    session = Session(write(tmp_path / "stacks", FILES), "")
    for path in (tmp_path / "a.yaml", tmp_path / "stacks/.git/a.yaml", tmp_path / "stacks/a.txt"):
        session.put(path, "table: {")
    assert not session.checked().problems
