"""A database brought up to its tables' files: what is safe is done, what could lose something is refused in words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlite_utils import Database
from sqlite_utils.db import Column as Found
from sqlite_utils.db import Table as Existing

from engine.errors import SetupError
from engine.fields import Field
from engine.store.base import quoted
from engine.store.rows import default
from engine.store.schema import check_names, declared, definition, index_sql, index_where, indexes_of, refers, type_of
from engine.store.seeds import check_references, plant
from engine.workspace import Table

COMMAND = "stackwright migrate"

# Types whose stored values can be read as the other, by what the file says now.
_READABLE = {
    "text": frozenset({"email", "enum", "uuid", "date"}),
    "email": frozenset({"text", "enum"}),
    "enum": frozenset({"text", "email"}),
    "int": frozenset({"timestamp"}),
    "timestamp": frozenset({"int"}),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a database and the files: the statements that mend it, in order.

    Where it isn't `safe`, `description` says what could be lost and `mend` what to do; `statements` may be empty.
    A table that is `seeded` gets its first records.
    """

    description: str
    statements: tuple[str, ...] = ()
    safe: bool = True
    mend: str = ""
    seeded: Table | None = None


def plan(connection: sqlite3.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """What would make the database hold `tables`; others in it are left alone. Nothing is changed.

    Raises SetupError for tables that no SQLite database can hold.
    """
    check_names(tables)
    database = Database(connection, execute_plugins=False)
    known = set(database.table_names())
    return [
        change
        for table in tables.values()
        for change in (_TableOf(database, table).changes() if table.name in known else _created(table))
    ]


def apply(connection: sqlite3.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """Make every change that is safe, all at once; answers them.

    Raises SetupError, and changes nothing, where something isn't. Several processes may do this at the same time.
    """
    _use_wal(connection)
    if not plan(connection, tables):
        return []
    connection.execute("PRAGMA foreign_keys = OFF")  # SQLite adds no required reference otherwise
    connection.execute("BEGIN EXCLUSIVE")
    try:
        changes = plan(connection, tables)
        refuse(changes)
        for change in changes:
            for statement in change.statements:
                connection.execute(statement)
            if change.seeded is not None:
                plant(connection, change.seeded)
        check_references(connection, [change.seeded for change in changes if change.seeded is not None])
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys = ON")
    return changes


def refuse(changes: Iterable[Change]) -> None:
    """Raise SetupError with every change that isn't safe."""
    unsafe = [change for change in changes if not change.safe]
    if unsafe:
        lines = [f"- {change.description}: {change.mend}" for change in unsafe]
        head = "the database isn't what the tables' files say, and changing it could lose something:"
        raise SetupError("\n".join([head, *lines, f"nothing was changed; `{COMMAND}` shows all differences"]))


def _use_wal(connection: sqlite3.Connection, seconds: float = 30) -> None:
    """Switch to a write-ahead log; SQLite doesn't wait by itself when another process does so too."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


# Tables that aren't there.


def _created(table: Table) -> Iterator[Change]:
    columns = ", ".join(definition(column) for column in table.columns.values())
    yield Change(f"create the table '{table.name}'", (f"CREATE TABLE {quoted(table.name)} ({columns})",))
    for name, (columns_of, unique) in indexes_of(table).items():
        yield _index(table, name, columns_of, unique)
    if table.seed:
        yield Change(f"add {_counted(len(table.seed))} to the table '{table.name}'", seeded=table)


def _index(table: Table, name: str, columns: Iterable[str], unique: bool) -> Change:
    kind = "a unique index" if unique else "an index"
    return Change(f"add {kind} over {_said(columns)} to the table '{table.name}'", (index_sql(table, name),))


def _counted(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def _said(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


class _TableOf:
    """A table that is there, beside what its file says."""

    def __init__(self, database: Database, table: Table) -> None:
        self.database, self.table = database, table
        existing = database[table.name]
        assert isinstance(existing, Existing)
        self.existing = existing
        self.found = {column.name: column for column in existing.columns}
        self.named = f"the table '{table.name}'"

    def changes(self) -> Iterator[Change]:
        for name, found in self.found.items():
            if name in self.table.columns:
                yield from self.differences(self.table.columns[name], found)
            else:
                yield self.gone(found)
        yield from self.relaxed()
        for name, column in self.table.columns.items():
            if name not in self.found:
                yield self.added(column)
        yield from self.reindexed()

    # Columns that are there.

    def differences(self, column: Field, found: Found) -> Iterator[Change]:
        was, now = declared(found.type), declared(type_of(column))
        if was != now and was not in _READABLE.get(now, ()):
            yield self.refused(
                f"the column '{column.name}' of {self.named} holds {was}, its file says {now}",
                "add a column with another name, copy what you need, and drop the old one",
            )
        if column.name != "id" and not column.may_be_null and not found.notnull:
            yield self.refused(
                f"the column '{column.name}' of {self.named} may hold null, by its file it is required",
                f"write '{column.name}?' in the file, or give the table a new column with a default",
            )
        if self.reference(column) != (column.table if refers(column) else ""):
            yield self.refused(
                f"the column '{column.name}' of {self.named} refers to another table than its file says",
                "add a column with another name, and copy what you need",
            )

    def reference(self, column: Field) -> str:
        """The table that a column refers to in the database."""
        return next((each.other_table for each in self.existing.foreign_keys if each.column == column.name), "")

    def gone(self, found: Found) -> Change:
        return Change(
            f"the column '{found.name}' of {self.named} is in the database but in no file",
            (f"ALTER TABLE {quoted(self.table.name)} DROP COLUMN {quoted(found.name)}",),
            safe=False,
            mend=self.renamed(found) or "put it back into the file, or drop it by hand if its values may go",
        )

    def renamed(self, found: Found) -> str:
        """What to do where a new column of the same type looks like the old one's new name."""
        new = [
            name
            for name, column in self.table.columns.items()
            if name not in self.found and type_of(column) == found.type
        ]
        if len(new) != 1:
            return ""
        sql = f"ALTER TABLE {quoted(self.table.name)} RENAME COLUMN {quoted(found.name)} TO {quoted(new[0])}"
        return f"if '{new[0]}' is its new name, run {sql}; else put it back into the file, or drop it by hand"

    def refused(self, description: str, mend: str) -> Change:
        return Change(description, safe=False, mend=mend)

    def relaxed(self) -> Iterator[Change]:
        """Columns that may be null now, or whose `on_delete` is another: SQLite makes the table anew."""
        kept = {name: column for name, column in self.table.columns.items() if name in self.found and name != "id"}
        names = [name for name, column in kept.items() if self.found[name].notnull and column.may_be_null]
        references = [column for column in kept.values() if refers(column)]
        turned = [column.name for column in references if self.on_delete(column) != column.on_delete]
        said = [f"let {_said(names)} of {self.named} be null"] if names else []
        said += [f"change 'on_delete' of {_said(turned)} of {self.named}"] if turned else []
        if said:
            yield Change(" and ".join(said), tuple(self.rebuilt()))

    def on_delete(self, column: Field) -> str:
        """What becomes of records in the database when the one that a column names goes."""
        keys = self.database.execute(f"PRAGMA foreign_key_list({quoted(self.table.name)})").fetchall()
        found = next((str(key[6]) for key in keys if key[3] == column.name), "")
        return found.lower().replace(" ", "_") if found in ("CASCADE", "SET NULL") else "restrict"

    def rebuilt(self) -> Iterator[str]:
        """The table made anew with the same rows, next id and indexes (sqlite.org/lang_altertable.html §7)."""
        kept = [column for name, column in self.table.columns.items() if name in self.found]
        new, old = quoted(f"{self.table.name}.new"), quoted(self.table.name)
        names = ", ".join(quoted(column.name) for column in kept)
        schema = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        beside = [sql for (sql,) in self.database.execute(schema, [self.table.name]).fetchall()]
        yield f"CREATE TABLE {new} ({', '.join(map(definition, kept))})"
        yield f"INSERT INTO {new} ({names}) SELECT {names} FROM {old}"
        if self.table.id.type == "int":
            row = f"FROM sqlite_sequence WHERE name = {_literal(self.database, self.table.name)}"
            new_name = _literal(self.database, f"{self.table.name}.new")
            yield f"DELETE FROM sqlite_sequence WHERE name = {new_name}"
            yield f"INSERT INTO sqlite_sequence (name, seq) SELECT {new_name}, seq {row}"
        yield f"DROP TABLE {old}"
        yield f"ALTER TABLE {new} RENAME TO {old}"
        yield from beside

    # Columns that aren't.

    def added(self, column: Field) -> Change:
        filler = self.filler(column)
        if filler is None:
            return self.refused(
                f"the new column '{column.name}' of {self.named} is required, its records have none",
                f"give it a default, or write '{column.name}?'",
            )
        add = f"ALTER TABLE {quoted(self.table.name)} ADD COLUMN {definition(column, filler)}"
        fill = f"UPDATE {quoted(self.table.name)} SET {quoted(column.name)} = {_UUID}"
        statements = (add, fill) if _is_made(column, "uuid") else (add,)
        return Change(f"add the column '{column.name}' to {self.named}", statements)

    def filler(self, column: Field) -> str | None:
        """What records already there get, as SQL: empty for null, None where there is nothing to give them."""
        if _is_made(column, "now"):
            moment = int(time.time() * 1000)
            return str(moment) if column.type == "timestamp" else _literal(self.database, _day(moment))
        if _is_made(column, "uuid"):
            return "''"
        value = default(self.table, column)
        if value is not None:
            return _literal(self.database, value)
        if column.may_be_null:
            return ""
        return ("''" if type_of(column).startswith("TEXT") else "0") if not self.count() else None

    def count(self) -> int:
        return int(self.existing.count)

    # Indexes.

    def reindexed(self) -> Iterator[Change]:
        wanted = indexes_of(self.table)
        found = {index.name for index in self.existing.indexes}
        for name in found - wanted.keys():
            if name.startswith(f"{self.table.name}.") and name.endswith((".unique", ".index")):
                yield Change(f"drop the index '{name}'", (f"DROP INDEX {quoted(name)}",))
        for name, (columns, unique) in wanted.items():
            if name not in found:
                yield (
                    self.repeated(columns)
                    if unique and self.repeats(columns, index_where(self.table, name))
                    else _index(self.table, name, columns, unique)
                )

    def repeated(self, columns: tuple[str, ...]) -> Change:
        return self.refused(
            f"{_said(columns)} of {self.named} must be unique, and records in it share the same",
            "change them first, or take 'unique' out of the file",
        )

    def repeats(self, columns: tuple[str, ...], where: str) -> bool:
        """Whether records that meet `where` would share the same values, none of them null."""
        new = [self.table.columns[name] for name in columns if name not in self.found]
        if any(_is_made(column, "uuid") or not self.filler(column) for column in new):
            return False
        names = [quoted(name) for name in columns if name in self.found]
        if where and set(self.table.columns) - self.found.keys():
            return False  # it may speak of a new column: the database itself will say
        present = " AND ".join([*([where] if where else []), *(f"{name} IS NOT NULL" for name in names)]) or "1"
        sql = f"SELECT 1 FROM {quoted(self.table.name)} WHERE {present} GROUP BY {', '.join(names) or '1 + 0'}"
        return self.database.execute(f"{sql} HAVING count(*) > 1 LIMIT 1").fetchone() is not None


# A random uuid (RFC 9562 §5.4), anew for each row.
_UUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'"
    " || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


def _is_made(column: Field, how: str) -> bool:
    """Whether the column's default is made when a record is: `now` or `uuid`."""
    types = {"now": ("timestamp", "date"), "uuid": ("uuid",)}
    return column.has_default and column.default == how and column.type in types[how]


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _literal(database: Database, value: object) -> str:
    return str(database.execute("SELECT quote(?)", [value]).fetchone()[0])
