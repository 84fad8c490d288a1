"""What is wrong with an author's own SQL: SQLite reads it against the tables' files, and says what it would touch."""

from __future__ import annotations

import re
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import Problem, did_you_mean
from engine.fields import Field
from engine.sql import Sql, Token
from engine.store.changes import said
from engine.store.sqlite_ddl import DDL
from engine.workspace import Table

_STEPS = 100_000  # of SQLite's machine that finding out the answer's columns may take
_TOUCHES = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_FUNCTIONS = frozenset({"json_each", "json_tree"})  # that stand where a table does
_ELSEWHERE = "a password is checked with validate_password, what else is secret is read with get_record"

_SYSTEM = ("sqlite_", "pragma_")

# SQLite's messages, and ours: the first group is the author's word.
_MESSAGES = {
    r'near "(.*)": syntax error': "'{}' isn't expected here",
    r'unrecognized token: "(.*)"': "'{}' can't be read",
    r"incomplete input": "the SQL ends too early",
    r"no such table: (.*)": "unknown table '{}'",
    r"no such column: (.*)": "unknown column '{}'",
    r"table .* has no column named (.*)": "unknown column '{}'",
    r"ambiguous column name: (.*)": "'{}' is a column of several tables",
    r"no such function: (.*)": "unknown function '{}'",
}


@dataclass(frozen=True, slots=True)
class Touch:
    """An action of SQLite's authorizer on a table, and a column of it where that is known."""

    action: int
    table: str
    column: str


class Examiner:
    """Reads statements against tables that are empty. Raises SetupError for tables that SQLite can't hold."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        DDL.check_names(tables)
        # An editor's server checks in one thread after the other.
        self.connection = connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)
        self.tables = {name.lower(): table for name, table in tables.items()}
        for table in tables.values():
            for statement in (
                *DDL.create_table(table),
                *(DDL.index_sql(table, name) for name in DDL.indexes_of(table)),
            ):
                connection.execute(statement)
        for name in _FUNCTIONS:  # SQLite declares such a table when it is first used
            connection.execute(f"SELECT * FROM {name}('1')")
        self._built_in = {name for (name,) in connection.execute("PRAGMA module_list")} - _FUNCTIONS

    def problems(self, sql: Sql) -> list[Problem]:
        """All that is wrong with a statement."""
        touched: dict[Touch, None] = {}

        def note(action: int, table: str | None, column: str | None, *_: object) -> int:
            if action in _TOUCHES:
                touched[Touch(action, (table or "").lower(), column or "")] = None
            return sqlite3.SQLITE_OK

        self.connection.set_authorizer(note)
        try:
            self.connection.execute(f"EXPLAIN {sql.numbered('?', strict=True)}", [None] * len(sql.parameters)).close()
        except sqlite3.Error as error:
            return [self._explained(sql, str(error))]
        finally:
            self.connection.set_authorizer(None)
        return [*self._judged(sql, touched)] or [*self._columns(sql)]

    def _explained(self, sql: Sql, error: str) -> Problem:
        for pattern, message in _MESSAGES.items():
            if found := re.fullmatch(pattern, error):
                word = found[1].removeprefix("main.") if found.groups() else ""
                place = sql.place(sql.find(word) if word else sql.tokens[-1])
                return Problem("SW184", message.format(word), place, self._hint(message, word))
        return Problem("SW184", f"SQLite can't take this: {error}", sql.origin.whole)

    def _hint(self, message: str, word: str) -> str:
        known = [table.name for table in self.tables.values()]
        if "column" in message and "unknown" in message:
            known = [name for table in self.tables.values() for name in table.columns]
        elif "several" in message:
            return "write the table's name before it"
        elif "expected" in message:
            return "what is wrong is this, or stands just before it"
        elif "table" not in message:
            return ""
        return did_you_mean(word.rpartition(".")[2], known)

    def _judged(self, sql: Sql, touched: Iterable[Touch]) -> Iterator[Problem]:
        yield from self._foreign(sql, touched)
        masked: dict[str, list[Field]] = {}
        private: dict[str, list[Field]] = {}
        for touch in touched:
            table = self.tables.get(touch.table)
            if table is None:
                continue
            column = table.columns.get(touch.column)
            if touch.action != sqlite3.SQLITE_READ:
                yield from _unhashed(sql, table, touch)
            elif column is not None and column.is_masked:
                masked.setdefault(table.name, []).append(column)
            elif column is not None and column.is_beside and column.name.lower() not in sql.names:
                private.setdefault(table.name, []).append(column)
        for name, columns in masked.items():
            yield _leaving(sql, f"a secret would leave the table '{name}'", columns)
        for name, columns in private.items():
            yield _leaving(sql, f"what is private would leave the table '{name}'", columns)
        yield from self._shared(sql, {*masked, *private})

    def _shared(self, sql: Sql, known: Collection[str]) -> Iterator[Problem]:
        """What joins compare without naming its table, of which SQLite tells nothing; tables that are `known` aside."""
        said = {token.said for token in sql.tokens}
        for name, table in self.tables.items():
            if name not in said or table.name in known:
                continue
            masked = {column.name.lower(): column for column in table.columns.values() if column.is_masked}
            token = next((each for each in sql.using if each.said in masked), None)
            if token is not None:
                yield _leaving(sql, f"a secret would leave the table '{table.name}'", [masked[token.said]], token)
            elif sql.natural is not None and table.secrets:
                columns = [table.columns[each] for each in table.secrets]
                message = f"NATURAL would take what is secret or private in the table '{table.name}'"
                hint = "name the columns that it takes: JOIN … USING (…)"
                yield _leaving(sql, message, columns, sql.natural, hint)

    def _foreign(self, sql: Sql, touched: Iterable[Touch]) -> Iterator[Problem]:
        """Tables of the database that are none of ours."""
        found = list(dict.fromkeys(touch.table for touch in touched if self._is_foreign(touch)))
        # What SQLite touches by itself meanwhile, its author didn't name.
        for name in [name for name in found if name in sql.names] or found[:1]:
            hint = did_you_mean(name, [table.name for table in self.tables.values()])
            yield Problem("SW184", f"unknown table '{name}'", sql.place(sql.find(name)), hint)

    def _is_foreign(self, touch: Touch) -> bool:
        """A name that no column is read of is either what a WITH gave, or a table of SQLite's own."""
        name, is_bare = touch.table, touch.action == sqlite3.SQLITE_READ and not touch.column
        if name in self.tables or name in _FUNCTIONS:
            return False
        return not is_bare or name in self._built_in or name.startswith(_SYSTEM)

    def _columns(self, sql: Sql) -> Iterator[Problem]:
        """Two columns of one name, of which an object could hold the last alone."""
        if sql.writes:
            return
        self.connection.set_progress_handler(lambda: 1, _STEPS)
        try:
            cursor = self.connection.execute(sql.numbered("?"), [None] * len(sql.parameters))
        except sqlite3.Error:
            return  # null isn't what it wants, or it takes long: it will show when it runs
        finally:
            self.connection.set_progress_handler(None, _STEPS)
        names = [column[0] for column in cursor.description]
        cursor.close()
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            place = sql.place(sql.find(name) or sql.star)
            yield Problem("SW186", f"two columns of the answer are '{name}'", place, "name them apart with AS")


def _unhashed(sql: Sql, table: Table, touch: Touch) -> Iterator[Problem]:
    """A password that would be stored as it is."""
    written: Iterable[str] = [touch.column.lower()]
    if touch.action == sqlite3.SQLITE_INSERT:
        named = sql.inserted
        written = [name.lower() for name in table.columns] if named is None else named
    for column in table.columns.values():
        if column.type == "password" and column.name.lower() in written:
            message = f"'{column.name}' of '{table.name}' would be stored as it is, not hashed"
            hint = "write it with add_record or edit_record"
            if column.name.lower() not in sql.names:
                hint = "name the columns that you fill in"
            yield Problem("SW185", message, sql.place(sql.find(column.name)), hint)


def _leaving(
    sql: Sql, message: str, columns: Sequence[Field], token: Token | None = None, hint: str = _ELSEWHERE
) -> Problem:
    token = token or next((found for each in columns if (found := sql.find(each.name))), None)
    if token is None:
        token, hint = sql.star, "name the columns you need"
    return Problem("SW230", f"{message}: {said(each.name for each in columns)}", sql.place(token), hint)
