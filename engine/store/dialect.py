"""How a storage spells what standard SQL can't: templates whose `{0}`, `{1}` … are SQL already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.values import Kind
from engine.workspace import Table

Step = str | int  # of a path into JSON: a key, or a list's place
Place = tuple[str, str]  # what a template of JSON is filled with first
Function = Callable[[Sequence[str], Kind], str]


@dataclass(frozen=True)
class Dialect:
    """One storage's SQL.

    `parameter` is the numbered placeholder of a value of a kind that meets a target, `list_parameter` that of a list.
    `same` is an equality that takes null for a value, `member` whether a value is in a bound list, `has_null` whether
    that list holds null. `nothing` is a value that no column is equal to; where there is none, a value whose kind only
    shows when it runs is bound as a list of one or none. `nulls` is what a sort that may meet null says besides,
    where it ascends and where it descends: null comes before all else. `distinct` makes JSON comparable with itself.

    `functions` are the filters of values, made of their arguments and the kind of what they give, and `tests` those
    that are conditions; `prefix` is a `starts_with` that an index can answer, its last part what `bind_after` makes of
    the beginning. `divided` and `rest` are a quotient and a remainder that fail by zero; `bounded` is a result of
    arithmetic, which fails where it leaves the bounds of its kind. `aggregates` are the filters of a group. `place`
    leads from JSON along a path: `pick` reads what lies there by the family that is asked for, `json` as JSON;
    `is_absent` is true of null, too. `element` is whether a list holds a value of a family, `overlap` whether it shares
    one with a bound list. `measures` are the filters of two vectors or points, which are JSON; what can't be measured
    is null. `search` is whether the words that `bind_words` makes are in columns of a table's search index, with what
    makes SQL of a column's name; `bind_pattern` spells a regular expression, where the storage has others than the
    language.
    """

    parameter: Callable[[int, Kind, Kind], str]
    list_parameter: Callable[[int, Kind], str]
    true: str
    false: str
    is_true: str
    same: str
    differs: str
    member: str
    has_null: str
    nulls: tuple[str, str]
    distinct: str
    functions: Mapping[str, Function]
    tests: Mapping[str, str]
    prefix: str
    quotient: str
    divided: str
    rest: str
    bounded: Callable[[str, Kind], str]
    aggregates: Mapping[str, Callable[[str, Kind], str]]
    place: Callable[[str, Sequence[Step]], Place]
    pick: Mapping[str, str]
    json: str
    is_absent: str
    is_list: str
    length: str
    element: Mapping[str, str]
    overlap: str
    measures: Mapping[str, str]
    search: Callable[[Table, Callable[[str], str], str], str]
    bind_list: Callable[[list[object], Kind], object]
    bind_after: Callable[[str], object]
    bind_words: Callable[[str, Sequence[str]], str]
    bind_pattern: Callable[[str], str] | None
    nothing: object | None
