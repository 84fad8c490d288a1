"""The search index of a table in PostgreSQL: words without case and accents, as the filter `search` takes them.

Its own text search takes words apart by other rules, and knows case by the database's collation. So the words are made
here: each stands in one `tsvector` with its column's name before it, and a query names the columns it looks into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.filters.conditions import folded, wanted_words
from engine.store.pg_text import LETTERS
from engine.workspace import Table

LONGEST = 255  # letters of a word that count: a `tsvector` takes 2,046 bytes
_MARKS = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"


def condition(table: Table, column: Callable[[str], str], words: str) -> str:
    """Whether the words are in a record's columns; `column` makes SQL of a name."""
    return f"{vector(table, column)} @@ ({words})::tsquery"


def vector(table: Table, column: Callable[[str], str]) -> str:
    """What the index is over."""
    assert table.search is not None
    return f"({' || '.join(_words_of(name, column(name)) for name in table.search.columns)})"


def _words_of(name: str, sql: str) -> str:
    plain = f"regexp_replace(normalize(lower(coalesce({sql}, '') {LETTERS}), NFD), '{_MARKS}', '', 'g')"
    parted = f"regexp_replace({plain}, '[^[:alnum:]]+', ' ', 'g')"
    named = f"regexp_replace({parted}, '([[:alnum:]]{{1,{LONGEST}}})[[:alnum:]]*', '{name}.\\1', 'g')"
    return f"({named})::tsvector"


def words(text: str, columns: Sequence[str]) -> str:
    """A `tsquery`: all words, in any of the columns; a text of none finds nothing."""
    return " & ".join(_anywhere(folded(word), columns) for word in wanted_words(text))


def _anywhere(word: str, columns: Sequence[str]) -> str:
    start, ending = word.rstrip("*")[:LONGEST], ":*" if word.endswith("*") else ""
    return "(" + " | ".join(f"'{name}.{start}'{ending}" for name in columns) + ")"
