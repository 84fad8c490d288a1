"""What tokens carry: the kind of `$auth.extras` for each table, by what the steps of a workspace put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.closed import left_out
from engine.errors import listed
from engine.judge import ROUNDS
from engine.lints.reading import expressions
from engine.openings import steps_in
from engine.stack import Step
from engine.syntax import Attribute, Node, Variable, children
from engine.values import (
    ANY,
    NEVER,
    OBJECT,
    PYTHON_TYPES,
    Kind,
    join,
    join_all,
    list_of,
    mapping_of,
    object_of,
    without_inputs,
)
from engine.workspace import Endpoint, Function, Workspace

Extras = Mapping[str, Kind]  # by the table of the tokens
Maker = Endpoint | Function
# What a stack puts into tokens where that much is known of what others put in; the round says how often it was asked.
Ask = Callable[[int, Maker, Extras], Extras]


def token_extras(workspace: Workspace, ask: Ask) -> Extras:
    """The kinds of the extras that tokens of each table carry; a table is left out where they can't be known.

    A stack may put in again what it read from `$auth.extras`: it is asked until nothing new comes of it. A token may
    be older than the stacks, so each of the extras may be absent.
    """
    every: list[Maker] = [*workspace.endpoints, *workspace.functions.values()]
    makers = [each for each in every if any(_creations(each))]
    known: Extras = {}
    for turn in range(ROUNDS):
        found = _joined(ask(turn, each, known) for each in makers)
        if found == known or not any(map(reads_extras, makers)):
            return found
        known = found
    return {}


def put_in(maker: Maker, kinds: Mapping[Node, Kind]) -> Extras:
    """What the steps of a stack put into tokens, with the kinds of its nodes."""
    return _joined({step.arguments["table"].text: _put(step.node("extras"), kinds)} for step in _creations(maker))


def _put(extras: Node | None, kinds: Mapping[Node, Kind]) -> Kind:
    kind = object_of({}) if extras is None else kinds.get(extras, NEVER).present()
    return carried(without_inputs(kind)) if kind.name != "never" else object_of({})


def _creations(maker: Maker) -> Iterator[Step]:
    return (step for step in steps_in(maker.stack) if step.name == "create_token")


def reads_extras(owner: Endpoint | Function) -> bool:
    """Whether a stack reads what the token of its caller carries: `$auth.extras`, or `$auth` as a whole."""
    response = owner.response if isinstance(owner, Endpoint) else None
    every = [response, *(list(step.arguments.values()) for step in steps_in(owner.stack))]
    return any(map(_reads_extras, expressions(every)))


def _reads_extras(node: Node) -> bool:
    match node:
        case Attribute(of=Variable(name="auth"), name=name):
            return name == "extras"
        case Variable(name="auth"):
            return True
    return any(map(_reads_extras, children(node)))


def unknown_extras(extras: Mapping[str, object], table: str, known: Kind) -> str:
    """What to tell who makes a token for a table by hand with extras that stacks won't be shown; empty where none."""
    names = [f"'{name}'" for name in left_out(extras, known)]
    why = f"no create_token puts that into the extras of a '{table}'"
    return f"'$auth.extras' won't hold {listed(names)}: {why}" if names else ""


def _joined(parts: Iterable[Extras]) -> Extras:
    """What is known where tokens come from several places: each of the extras may be absent."""
    found: dict[str, Kind] = {}
    for part in parts:
        for table, kind in part.items():
            kind = join(found.get(table, NEVER), kind)
            known = kind.fields if kind.name == "object" else None
            found[table] = OBJECT if known is None else object_of(known, known)
    return found


def carried(kind: Kind) -> Kind:
    """What is known of a value of the kind `kind` after it went through JSON: a record has lost what lay beside it."""
    if kind.options:
        made = join_all(map(carried, kind.options))
    elif kind.name == "object" and kind.item is not None:
        made = mapping_of(carried(kind.item))
    elif kind.name == "list":
        made = list_of(carried(kind.item or ANY))
    elif (fields := kind.visible) is not None:
        made = object_of({name: carried(each) for name, each in fields.items()}, kind.optional & fields.keys())
    else:
        made = kind.present() if kind.name in PYTHON_TYPES or kind.name in ("null", "never") else ANY
    return made.maybe() if kind.nullable else made
