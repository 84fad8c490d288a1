"""Steps, filters and functions by name: a decorated function's signature is its schema, docs and checks."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar, Union, overload

from engine.values import (
    ANY,
    BOOL,
    DECIMAL,
    FILE,
    INT,
    NULL,
    OBJECT,
    TEXT,
    File,
    Kind,
    Record,
    Secret,
    Stored,
    join,
    join_all,
    list_of,
)

Family = Literal["step", "construct", "filter", "function"]


@dataclass(frozen=True, slots=True)
class Syntax:
    """A parameter that is no value: how it is written (`block`, `condition`, `table`, `where` …)."""

    name: str


# What a construct or step may ask for besides values; each stands in an annotation.
Block = Annotated[Any, Syntax("block")]  # a list of steps
Branches = Annotated[Any, Syntax("branches")]  # a list of {if, then}
Cases = Annotated[Any, Syntax("cases")]  # value → list of steps
Condition = Annotated[Any, Syntax("condition")]  # a bare expression that is a bool
Expression = Annotated[Any, Syntax("expression")]  # any value
Assignments = Annotated[Any, Syntax("assignments")]  # variable path → value
TableName = Annotated[Any, Syntax("table")]  # a table of the workspace
AuthTable = Annotated[Any, Syntax("auth_table")]  # a table with auth: true
Where = Annotated[Any, Syntax("where")]  # {column: value}, or an expression over columns
Match = Annotated[Any, Syntax("match")]  # {column: value}: what a record is known by
Sort = Annotated[Any, Syntax("sort")]  # {column: asc | desc}
Columns = Annotated[Any, Syntax("columns")]  # a list of columns
Joins = Annotated[Any, Syntax("joins")]  # name → {table, where, type}
Group = Annotated[Any, Syntax("group")]  # a list of columns, or name → expression over columns
Evals = Annotated[Any, Syntax("evals")]  # name → expression over columns
Addons = Annotated[Any, Syntax("addons")]  # name → column, or {table, on, …}
Openings = Annotated[Any, Syntax("openings")]  # a list of columns that the request may ask of
Sortable = Annotated[Any, Syntax("sortable")]  # a list of columns that the request may sort by
Choice = Syntax("choice")  # one of the words of a Literal, written out
Flag = Annotated[Any, Syntax("flag")]  # true or false, written out
Data = Annotated[Any, Syntax("data")]  # {column: value}, or an object whose columns are known before it runs
Edits = Annotated[Any, Syntax("edits")]  # as data, or {column: expression over the record's columns}
Changes = Annotated[Any, Syntax("changes")]  # as edits, or any object
Rows = Annotated[Any, Syntax("rows")]  # a list of {column: value}
Statement = Annotated[Any, Syntax("sql")]  # one statement of SQL, its values bound apart
WrittenKind = Annotated[Kind, Syntax("kind")]  # a kind, written out
FunctionName = Annotated[Any, Syntax("function")]  # a function of the workspace
Arguments = Annotated[Any, Syntax("arguments")]  # input name → value
FaultName = Annotated[Any, Syntax("fault")]  # a name of the error table
Rejection = Annotated[Any, Syntax("rejection")]  # {error, message}
Duration = Annotated[Any, Syntax("duration")]  # seconds, or 24h, 30m, 7d
Timestamp = Annotated[int, Kind("timestamp")]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name as authors write it, what it takes, and whether it must be there.

    `kind` is a value's (with type variables as kinds named `variable`); `syntax` names the other sorts.
    `callback` holds the kinds a lambda is given and must return.
    """

    name: str
    kind: Kind
    syntax: str = "value"
    required: bool = True
    default: object = None
    many: bool = False
    callback: tuple[tuple[Kind, ...], Kind] | None = None
    secret: bool = False


ResultRule = Callable[..., Kind]


class Misfit(Exception):
    """Raised by a rule of a result's kind for arguments that may each stand where they do, but not together.

    `place` is the argument's, counted from 0; `path` leads into the list or object that is written there.
    """

    def __init__(self, message: str, place: int = 0, hint: str = "", path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.place, self.hint, self.path = message, place, hint, path


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A step, construct, filter or function: everything that schema, docs, checks and compiler ask of it.

    `result` computes the result's kind from the arguments' kinds where the signature can't say it, or raises `Misfit`;
    of a step it is given null for an argument that is left out, and an open kind for one that is no value.
    `declassifies`: the result of a secret argument is no secret. `digests`: what it makes of a password tells nothing
    of it. `reads`: it asks the database for records. `writes`: it may change the database, `single`: by one statement.
    `hashes`: it computes the hash of a password. `outside`: it waits for something outside of the database. `charges`:
    the run pays for the piped value's length. `keeps`: the result holds only items of which the filter's condition is
    true.
    `is_prepared`: `call` takes a `load` first, runs once at load, and returns the operation that runs. `composes`: it
    is given the arguments as they were read, and its operation says which nodes' values it is called with.
    `refuses`: the parameters of a filter or function of which it takes not every value of their kinds, each with what
    may be wrong with one, a word of `REFUSALS`.
    `faults`: the errors by which a step may end its run, beside those that end any: `input_error`, `bad_request`,
    `unavailable` and `fatal`.
    """

    name: str
    family: Family
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    returns: Kind
    summary: str
    doc: str
    is_async: bool = False
    takes_run: bool = False
    is_prepared: bool = False
    result: ResultRule | None = None
    declassifies: bool = False
    digests: bool = False
    reads: bool = False
    writes: bool = False
    single: bool = False
    hashes: bool = False
    outside: bool = False
    charges: bool = False
    keeps: bool = False
    composes: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def is_parametric(self) -> bool:
        """Whether its result is one of the values that it or its lambda was given, or a list of such."""
        item = self.returns.item if self.returns.name == "list" else None
        return self.result is None and "variable" in (self.returns.name, item.name if item else "")

    def parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    @property
    def main(self) -> Parameter | None:
        """The parameter written beside the step's name."""
        return self.parameters[0] if self.parameters else None


_REGISTRY: dict[Family, dict[str, Definition]] = {"step": {}, "construct": {}, "filter": {}, "function": {}}


def steps() -> Mapping[str, Definition]:
    """All steps and constructs by name."""
    return {**_REGISTRY["construct"], **_REGISTRY["step"]}


def filters() -> Mapping[str, Definition]:
    """All filters by name, aliases included."""
    return _REGISTRY["filter"]


def functions() -> Mapping[str, Definition]:
    """All functions of expressions by name."""
    return _REGISTRY["function"]


F = TypeVar("F", bound=Callable[..., Any])


def _register(family: Family, call: F, **options: Any) -> F:
    definition = define(family, call, **options)
    for name in (definition.name, *definition.aliases):
        if name in _REGISTRY[family]:
            raise ValueError(f"the {family} '{name}' is registered twice")
        _REGISTRY[family][name] = definition
    return call


@overload
def filter(call: F, /) -> F: ...
@overload
def filter(
    *,
    result: ResultRule | None = None,
    declassifies: bool = False,
    digests: bool = False,
    charges: bool = False,
    keeps: bool = False,
    refuses: Mapping[str, str] = ...,
    aliases: tuple[str, ...] = (),
) -> Callable[[F], F]: ...
def filter(call: Any = None, /, **options: Any) -> Any:
    """Registers a filter: the first parameter is the piped value. A trailing `_` is no part of the name."""
    return _register("filter", call, **options) if call else lambda call: _register("filter", call, **options)


@overload
def function(call: F, /) -> F: ...
@overload
def function(
    *, result: ResultRule | None = None, refuses: Mapping[str, str] = ..., aliases: tuple[str, ...] = ()
) -> Callable[[F], F]: ...
def function(call: Any = None, /, **options: Any) -> Any:
    """Registers a function of expressions, called as `name(…)`."""
    return _register("function", call, **options) if call else lambda call: _register("function", call, **options)


@overload
def step(call: F, /) -> F: ...
@overload
def step(
    *,
    result: ResultRule | None = None,
    declassifies: bool = False,
    reads: bool = False,
    writes: bool = False,
    single: bool = False,
    hashes: bool = False,
    outside: bool = False,
    composes: bool = False,
    faults: tuple[str, ...] = (),
) -> Callable[[F], F]: ...
def step(call: Any = None, /, **options: Any) -> Any:
    """Registers a step: the first parameter after `run` is written beside its name."""
    return _register("step", call, **options) if call else lambda call: _register("step", call, **options)


def construct(call: F) -> F:
    """Registers a part of the language itself; `call` lowers it, its first parameter is the compiler."""
    return _register("construct", call)


def define(family: Family, call: Callable[..., Any], **options: Any) -> Definition:
    """The definition that a function's signature and docstring spell."""
    hints = typing.get_type_hints(call, include_extras=True)
    signature = list(inspect.signature(call).parameters.values())
    leading = signature[0].name if signature else ""
    if leading in ("run", "load") or family == "construct":
        signature = signature[1:]
    parameters = tuple(_parameter(each, hints[each.name]) for each in signature)
    doc = inspect.getdoc(call) or ""
    return Definition(
        name=call.__name__.rstrip("_"),
        family=family,
        call=call,
        parameters=parameters,
        returns=_kind(hints.get("return", object)),
        summary=doc.split("\n\n", 1)[0].replace("\n", " "),
        doc=doc,
        is_async=inspect.iscoroutinefunction(call),
        takes_run=leading == "run",
        is_prepared=leading == "load",
        **options,
    )


def _parameter(given: inspect.Parameter, hint: Any) -> Parameter:
    required = given.default is inspect.Parameter.empty
    many = given.kind is inspect.Parameter.VAR_POSITIONAL
    parameter = Parameter(
        name=given.name.rstrip("_"),
        kind=ANY,
        required=required and not many,
        default=None if required else given.default,
        many=many,
    )
    syntax = next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Syntax)), None)
    if syntax is not None:
        kind = _kind(hint) if syntax is Choice else ANY
        return replace(parameter, syntax=syntax.name, kind=kind)
    if typing.get_origin(hint) is Callable or typing.get_origin(hint) is typing.get_origin(Callable[[], None]):
        arguments, returned = typing.get_args(hint)
        kinds = tuple(_kind(argument) for argument in arguments)
        return replace(parameter, kind=Kind("lambda"), syntax="lambda", callback=(kinds, _kind(returned)))
    return replace(parameter, kind=_kind(hint), secret=_mentions_secret(hint))


def _mentions_secret(hint: Any) -> bool:
    return hint is Secret or any(_mentions_secret(part) for part in typing.get_args(hint))


_PLAIN: Mapping[Any, Kind] = {
    str: TEXT, int: INT, float: DECIMAL, bool: BOOL, None: NULL, type(None): NULL, dict: OBJECT, list: list_of(ANY),
    object: ANY, Any: ANY, File: FILE, Secret: TEXT, Stored: TEXT,
    Record: Kind("variable", table="record", item=OBJECT),  # bound to the records of the step's table
}  # fmt: skip


def _kind(hint: Any) -> Kind:
    """The kind an annotation stands for."""
    if isinstance(hint, TypeVar):
        bound = _kind(hint.__bound__) if hint.__bound__ is not None else ANY
        return Kind("variable", table=hint.__name__, item=bound)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        noted = next((note for note in hint.__metadata__ if isinstance(note, Kind)), None)
        return noted or _kind(arguments[0])
    if origin is Literal:
        return Kind("enum", values=tuple(arguments))
    if origin in (Union, types.UnionType):
        return _union([_kind(part) for part in arguments])
    if origin is list:
        return list_of(_kind(arguments[0]))
    if origin is dict:
        return OBJECT
    return _PLAIN.get(hint, ANY)


def _union(kinds: list[Kind]) -> Kind:
    rest = [kind for kind in kinds if kind != NULL]
    joined = join_all(rest)
    return joined.maybe() if len(rest) < len(kinds) else joined


def unify(pattern: Kind, given: Kind, bindings: dict[str, Kind]) -> None:
    """Learns the type variables of `pattern` from what is `given`."""
    if pattern.name == "variable":
        known = bindings.get(pattern.table)
        given = given.present() if pattern.nullable else given
        bindings[pattern.table] = given if known is None else join(known, given)
    elif pattern.name == "list" and (given.name == "list" or given.is_open):
        unify(pattern.item or ANY, (given.item or ANY).inside(given), bindings)


def substitute(pattern: Kind, bindings: Mapping[str, Kind]) -> Kind:
    """`pattern` with its type variables replaced by what `unify` learned, by their bounds where that is open."""
    if pattern.name == "variable":
        bound = pattern.item or ANY
        kind = bindings.get(pattern.table, bound)
        kind = replace(bound, secret=kind.secret, inputs=kind.inputs) if kind.is_open and not bound.is_open else kind
        return kind.maybe() if pattern.nullable else kind
    if pattern.name == "list" and pattern.item is not None:
        return replace(pattern, item=substitute(pattern.item, bindings))
    if pattern.options:
        return replace(pattern, options=tuple(substitute(each, bindings) for each in pattern.options))
    return pattern


def all_definitions() -> Iterator[Definition]:
    """Every definition once, family by family, in the order of registration."""
    for family in _REGISTRY.values():
        yield from dict.fromkeys(family.values())
