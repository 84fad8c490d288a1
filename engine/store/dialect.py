"""How a storage spells what standard SQL can't: templates whose `{0}`, `{1}` … are SQL already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Step = str | int  # of a path into JSON: a key, or a list's place


@dataclass(frozen=True)
class Dialect:
    """One storage's SQL.

    `parameter` is a numbered placeholder, `same` an equality that takes null for a value, `member` whether a value
    is in a bound list, `has_null` whether that list holds null, `nothing` a value that no column is equal to.

    `functions` are the filters of values and `tests` those that are conditions; `prefix` is a `starts_with` that an
    index can answer, its last part what `bind_after` makes of the beginning. `path` makes a path into JSON text;
    `pick` reads what lies there by the family that is asked for, `json` as JSON; `is_absent` is true of null, too.
    `element` is whether a list holds a value of a family, `overlap` whether it shares one with a bound list.
    `measures` are the filters of two vectors or points, which are JSON; what can't be measured is null.
    `search` is whether the words of a `bind_words` are in columns of a search index.
    """

    parameter: str
    true: str
    false: str
    is_true: str
    same: str
    differs: str
    member: str
    has_null: str
    functions: Mapping[str, str]
    tests: Mapping[str, str]
    prefix: str
    quotient: str
    path: Callable[[Sequence[Step]], str]
    pick: Mapping[str, str]
    json: str
    is_absent: str
    is_list: str
    length: str
    element: Mapping[str, str]
    overlap: str
    search: str
    bind_list: Callable[[list[object]], object]
    bind_after: Callable[[str], object]
    bind_words: Callable[[str, Sequence[str]], str]
    nothing: object
    measures: Mapping[str, str] = field(default_factory=dict)
