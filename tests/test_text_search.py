"""Patterns and searches of a database: each finds what it finds in the language; what PostgreSQL has not is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from store_setup import FakeRun, open_store, where

from engine.errors import Fault
from engine.filters.conditions import search
from engine.filters.patterns import regex_matches
from engine.store.pg_pattern import translated
from tests.storages import rows

NOTE = """
table: note
columns: {id: int, text: text}
indexes: [{columns: [text], type: search}]
"""
TEXTS = [
    "a", "abc", "a\nb", "ABC", "a.c", "a-c", "é", "É", "ß", "x1", "x_1", "a b", "[", "]", "\\", "{2}", "aa", "aaa",
    "tab\there", "$", "^", "a^", "caf\u00e9", "cafe\u0301", "Straße", "Hello, World!", "naïve Zoë", "don't", "a*b",
    "0.title", "日本 語", "Σίσυφος", "ΣΊΣΥΦΟΣ", "e-mail me@example.com", "under_score", "x" * 400,
]  # fmt: skip
PATTERNS = [
    "a", "^a", "c$", "a.c", "(?s)a.b", "(?i)abc", "(?i)É", "a{2}", "a{2,}", "^a{1,2}$", "a{x}", r"\d", r"\w+\s\w+",
    r"\bb", r"\Bc", r"[^a]", "[a-c]{3}", r"[\d_]", r"[\]\[]", "[]]", "[^]a]", "[[:digit:]]", "[[:alpha:]]+", r"\\",
    r"\$", r"[\\^]", "a|b", "(a)(b)", "(?:ab)+c", "(?P<x>a)c*", "a*?b", r"\x61", r"\x{e9}", r"\t", "(?m)^b", r"\Ab",
    r"b\z", "é", "a\\.c", "[.]", "(?im)^B", r"\W", r"\D\S", "[ -~]+", "",
]  # fmt: skip
REFUSED = [r"\pL", r"\p{Greek}", "(?U)a", "(?i:a)b", r"[\D]", r"\Qa.b\E", "a{300}", r"[[:^digit:]]", r"\C"]
WORDS = ["a", "abc", "cafe", "café", "strasse", "straße", "HELLO", "hello wor*", "zoe", "don", "0", "title", "日本",
         "σισυφοσ", "Σίσυφος", "example mail", "score", "under*", "", "*", "x" * 400, "x*"]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[Any]:
    opened = open_store(tmp_path_factory.mktemp("patterns"), NOTE)

    async def fill() -> None:
        run = FakeRun(opened.session())
        await opened.load(run, "note", [{"text": text} for text in TEXTS])
        await run.db.commit()

    asyncio.run(fill())
    yield opened
    asyncio.run(opened.close())


def found(store: Any, text: str, value: str) -> list[str]:
    condition = where(store, "note", text)
    sql = f'SELECT "text" FROM "note" WHERE {condition.sql} ORDER BY "id"'
    return [row[0] for row in rows(store, sql, condition.bound((value,)))]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_finds_what_it_finds_in_the_language(store: Any, pattern: str) -> None:
    assert found(store, "text | regex_matches($x)", pattern) == [text for text in TEXTS if regex_matches(text, pattern)]


@pytest.mark.parametrize("words", WORDS)
def test_a_search_finds_what_the_filter_finds(store: Any, words: str) -> None:
    assert found(store, "text | search($x)", words) == [text for text in TEXTS if search(text, words)]


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_has_no_counterpart_is_refused(pattern: str) -> None:
    with pytest.raises(Fault, match="PostgreSQL has nothing for") as caught:
        translated(pattern)
    assert caught.value.reason == "value"
