"""Whether SQLite's tables are to the letter as they would be made: then there is nothing to plan, and little to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from store_setup import POST, USER, tables_of

from engine.store import migrate
from engine.store.plan import plan
from engine.store.sqlite_catalog import SqliteCatalog

NOTE = """
table: note
columns:
  id: uuid
  text: text
  at?: timestamp
  parent?: {table: note}
  tags: {type: "text[]", default: []}
indexes: [{columns: [at]}, {columns: [text, at], unique: true}, {columns: [text], type: search}]
seed: [{text: first}]
"""
# What others than we do to a database, and whether the plan has something to mend.
CHANGES = [
    ('ALTER TABLE note ADD COLUMN "more" INTEGER', True),
    ('DROP INDEX "note.at.index"', True),
    ('CREATE INDEX "mine" ON note (id)', False),
    ('DROP TRIGGER "note.search.insert"', False),
    ('DROP TABLE "note.search"', True),
    ("CREATE TRIGGER mine AFTER INSERT ON note BEGIN SELECT 1; END", False),
    ("DROP TABLE note", True),
    ("ALTER TABLE note RENAME TO other", True),
    ("ALTER TABLE note RENAME COLUMN text TO words", True),
]


def catalog(folder: Path, connection: sqlite3.Connection, *texts: str) -> tuple[SqliteCatalog, dict]:  # type: ignore[type-arg]
    connection.execute("PRAGMA trusted_schema = ON")
    return SqliteCatalog(connection), dict(tables_of(folder, *texts))


@pytest.mark.parametrize("texts", [[NOTE.replace("uuid", "int")], [USER, POST]], ids=["note", "user and post"])
def test_what_was_made_is_as_made(tmp_path: Path, texts: list[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "it.sqlite3", isolation_level=None)) as connection:
        made, tables = catalog(tmp_path / "stacks", connection, *texts)
        assert not made.is_as_made(tables)
        assert migrate.apply(made, tables)
        assert made.is_as_made(tables)
        assert plan(made, tables) == []
        connection.execute("CREATE TABLE elsewhere (id INTEGER PRIMARY KEY)")  # nobody's business
        assert made.is_as_made(tables)


@pytest.mark.parametrize(("sql", "is_mended"), CHANGES, ids=[sql for sql, _ in CHANGES])
def test_whatever_else_was_done_to_it_is_looked_at(tmp_path: Path, sql: str, is_mended: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "it.sqlite3", isolation_level=None)) as connection:
        made, tables = catalog(tmp_path / "stacks", connection, NOTE.replace("uuid", "int"))
        migrate.apply(made, tables)
        connection.execute(sql)
        assert not made.is_as_made(tables)
        assert bool(plan(made, tables)) == is_mended


def test_tables_that_changed_are_not_as_made(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "it.sqlite3", isolation_level=None)) as connection:
        made, tables = catalog(tmp_path / "stacks", connection, USER, POST)
        migrate.apply(made, tables)
        changed = tables_of(tmp_path / "stacks", USER.replace("  name: text\n", "  name: text\n  more?: int\n"), POST)
        assert not made.is_as_made(changed)
        migrate.apply(made, changed)  # SQLite keeps a column that is added in its own words
        assert plan(made, changed) == []
