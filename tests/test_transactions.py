"""What a stack keeps of its writes: all or nothing, step by step, or by an inner transaction."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support import answer, program

from engine.errors import Fault

NOTE = """
    table: note
    columns: {id: int, text: {type: text, unique: true}}
"""
FIRST = "add_record: note\ndata: {text: first}"
SECOND = "add_record: note\ndata: {text: second}"
FAIL = "throw: conflict"


def steps(*texts: str) -> str:
    """A block of steps, each written without its dash."""
    return "\n".join("- " + text.replace("\n", "\n  ") for text in texts)


def block(head: str, *texts: str) -> str:
    """A step with a block of steps in it."""
    return f"{head}\n{textwrap.indent(steps(*texts), '  ')}"


def kept(folder: Path, stack: str, *, atomic: bool) -> list[str]:
    """The notes that are there after a request, whether or not it failed."""
    functions = {
        "save": f"function: save\nstack:\n{steps(FIRST, SECOND)}\n",
        "fail": f"function: fail\nstack:\n{steps(FIRST, SECOND, FAIL)}\n",
    }
    text = f"endpoint: POST /it\natomic: {str(atomic).lower()}\nstack:\n{stack}\nresponse: null\n"
    made = program(folder, {"note": NOTE, "it": text, **functions})
    try:
        answer(made, "POST /it")
    except Fault as fault:
        assert fault.name == "conflict"
    notes = made.services.store.dump("note")
    return [note["text"] for note in notes]


BOTH, NONE = ["first", "second"], list[str]()
SCENARIOS = [
    # what the stack says, what stays of an atomic one, what stays with `atomic: false`
    (steps(FIRST, SECOND), BOTH, BOTH),
    (steps(FIRST, SECOND, FAIL), NONE, BOTH),
    (steps(FIRST, FAIL, SECOND), NONE, ["first"]),
    (steps(FIRST, FIRST), NONE, ["first"]),
    (steps(block("transaction:", FIRST, SECOND)), BOTH, BOTH),
    (steps(block("transaction:", FIRST, SECOND), FAIL), NONE, BOTH),
    (steps(block("transaction:", FIRST, SECOND, FAIL)), NONE, NONE),
    (steps(FIRST, block("transaction:", SECOND, FAIL)), NONE, ["first"]),
    (steps(FIRST, block("try:", block("transaction:", SECOND, FAIL)) + "\ncatch: []"), ["first"], ["first"]),
    (steps(block("try:", block("transaction:", FIRST, FAIL)) + "\ncatch: []", SECOND), ["second"], ["second"]),
    (steps(block("try:", FIRST, FAIL) + "\ncatch: []", SECOND), BOTH, BOTH),
    (
        steps(block("transaction:", FIRST, block("try:", block("transaction:", SECOND, FAIL)) + "\ncatch: []")),
        ["first"],
        ["first"],
    ),
    (steps(block("transaction:", FIRST, block("transaction:", SECOND), FAIL)), NONE, NONE),
    (steps(block("transaction:", FIRST, "return: null"), FAIL), ["first"], ["first"]),
    (
        steps("repeat: 2\nas: n\ndo:\n  - transaction:\n      - add_record: note\n        data: {text: \"n${$n}\"}\n"
              "      - break"),
        ["n0"],
        ["n0"],
    ),
    (steps("run_function: save"), BOTH, BOTH),
    (steps("run_function: save", FAIL), NONE, BOTH),
    (steps("run_function: fail"), NONE, NONE),
    (steps(block("try:", "run_function: fail") + "\ncatch: []"), BOTH, NONE),
    (steps(block("transaction:", "run_function: save", FAIL)), NONE, NONE),
]  # fmt: skip


@pytest.mark.parametrize(("stack", "atomic", "single"), SCENARIOS)
def test_what_a_stack_keeps(tmp_path: Path, stack: str, atomic: list[str], single: list[str]) -> None:
    assert kept(tmp_path / "atomic", stack, atomic=True) == atomic
    assert kept(tmp_path / "single", stack, atomic=False) == single
