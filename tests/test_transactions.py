"""What a stack keeps of its writes: all or nothing, step by step, or by an inner transaction."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path

import pytest
from support import answer, program

from engine.errors import Fault

pytestmark = pytest.mark.usefixtures("storage")

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
    notes = asyncio.run(made.services.store.dump("note"))
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


WRITES = [
    "add_record: note\ndata: {text: a}\nas: a",
    "bulk_add_records: note\nitems: [{text: b}, {text: c}]\nas: many",
    "patch_record: note\nwhere: {id: $a.id}\ndata: {text: d}",
    "edit_record: note\nwhere: {text: d}\ndata: {text: e}",
    "add_or_edit_record: note\nwhere: {text: f}\ndata: {}",
    block("transaction:", SECOND),
    "bulk_patch_records: note\nitems: [{id: $a.id, text: g}]",
    "delete_record: note\nwhere: {text: b}",
    "bulk_edit_records: note\nwhere: {text: c}\ndata: {text: h}",
    "run_function: save_more",
    "bulk_delete_records: note\nwhere: {text: f}",
    "truncate_table: note",
    FIRST,
]


@pytest.mark.parametrize("place", range(len(WRITES) + 1))
def test_a_stack_that_throws_at_any_step_leaves_nothing(tmp_path: Path, place: int) -> None:
    stack = steps(*WRITES[:place], FAIL, *WRITES[place:])
    function = "function: save_more\nstack:\n- add_record: note\n  data: {text: more}\n"
    text = f"endpoint: POST /it\nstack:\n{stack}\nresponse: null\n"
    made = program(tmp_path, {"note": NOTE, "it": text, "more": function})
    with pytest.raises(Fault) as caught:
        answer(made, "POST /it")
    assert (caught.value.name, caught.value.message) == ("conflict", "Conflict.")
    assert asyncio.run(made.services.store.dump("note")) == []


def test_a_stack_reads_what_it_wrote(tmp_path: Path) -> None:
    stack = """
    endpoint: POST /it
    stack:
      - has_record: note
        where: {text: first}
        as: before
      - add_record: note
        data: {text: first}
      - get_record: note
        where: {text: first}
        as: added
      - edit_record: note
        where: {text: first}
        data: {text: second}
      - has_record: note
        where: {text: second}
        as: edited
      - delete_record: note
        where: {text: second}
      - has_record: note
        where: {text: second}
        as: after
    response: [$before, $added.text, $edited, $after]
    """
    text = stack.replace("$added.text", "$added?.text")
    assert answer(program(tmp_path, {"note": NOTE, "it": text}), "POST /it") == [False, "first", True, False]


@pytest.mark.parametrize(("stack", "atomic", "single"), SCENARIOS)
def test_what_a_stack_keeps(tmp_path: Path, stack: str, atomic: list[str], single: list[str]) -> None:
    assert kept(tmp_path / "atomic", stack, atomic=True) == atomic
    assert kept(tmp_path / "single", stack, atomic=False) == single
