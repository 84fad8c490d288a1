"""What a SQLite database differs in from its tables' files, as changes that mend it; nothing is changed here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing

from sqlite_utils import Database

from engine.store import search
from engine.store.base import quoted
from engine.store.changes import Change, Risk, add_index, add_search, counted, create_table
from engine.store.schema import check_names, indexes_of
from engine.store.table_changes import State, TableChanges
from engine.workspace import Table

HISTORY = "stackwright.history"  # a table's name has no dot: no author's table can be it


def plan(connection: sqlite3.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """What would make the database hold `tables`, in order. Other tables in it are left alone.

    Raises SetupError for tables that no SQLite database can hold.
    """
    check_names(tables)
    there = set(Database(connection, execute_plugins=False).table_names())
    sources = {name: table.was if table.was in there and name not in there else name for name, table in tables.items()}
    renames = [_renamed(old, new) for new, old in sources.items() if old != new]
    renames += [change for table in tables.values() for change in _renamed_columns(connection, table, sources)]
    with ExitStack() as opened:
        wanted = opened.enter_context(closing(_made(tables)))
        structure = opened.enter_context(closing(_after(connection, renames))) if renames else connection
        found, new = (Database(each, execute_plugins=False) for each in (structure, wanted))
        state = State(connection, found, new, sources)
        known = {name: TableChanges(state, table) for name, table in tables.items() if sources[name] in there}
        unsearched = [change for each in known.values() for change in each.unsearched()]
        changes = [
            change
            for name, table in tables.items()
            for change in (
                known[name].changes()
                if name in known
                else _created(table, HISTORY in there and _was_renamed(connection, name))
            )
        ]
    return [*unsearched, *renames, *changes]


def leftovers(connection: sqlite3.Connection, tables: Mapping[str, Table]) -> list[Change]:
    """What would drop the tables that we made and that are in no file any more."""
    there = set(Database(connection, execute_plugins=False).table_names())
    if HISTORY not in there:
        return []
    ours = {name for (name,) in connection.execute(f'SELECT DISTINCT "table" FROM {quoted(HISTORY)}')}
    wanted = {name for table in tables.values() for name in (table.name, table.was)}
    return [_dropped(connection, name) for name in sorted(ours & there - wanted)]


def _made(tables: Mapping[str, Table]) -> sqlite3.Connection:
    """A new database with the tables."""
    connection = sqlite3.connect(":memory:")
    for table in tables.values():
        connection.execute(create_table(table.name, table.columns.values()))
    return connection


def _after(connection: sqlite3.Connection, renames: Iterable[Change]) -> sqlite3.Connection:
    """The tables without their records and search indexes, with everything renamed: SQLite rewrites what names one."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    schema = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    found = connection.execute(f"{schema} AND type <> 'view' ORDER BY type <> 'table'").fetchall()
    kept_by_triggers = {trigger for name, _ in found for trigger in search.triggers_of(name)}
    for name, sql in found:
        if not sql.upper().startswith("CREATE VIRTUAL") and name not in kept_by_triggers:
            made.execute(sql)
    for change in renames:
        for statement in change.statements:
            made.execute(statement)
    return made


def _renamed(old: str, new: str) -> Change:
    return Change(new, f"rename the table '{old}' to '{new}'", (_rename(old) + quoted(new),), Risk.DELIBERATE)


def _renamed_columns(connection: sqlite3.Connection, table: Table, sources: Mapping[str, str]) -> Iterator[Change]:
    found = {row[1] for row in connection.execute(f"PRAGMA table_info({quoted(sources[table.name])})")}
    for name, column in table.columns.items():
        if column.was in found and name not in found:
            sql = f"ALTER TABLE {quoted(table.name)} RENAME COLUMN {quoted(column.was)} TO {quoted(name)}"
            description = f"rename the column '{column.was}' of the table '{table.name}' to '{name}'"
            yield Change(table.name, description, (sql,), Risk.DELIBERATE)


def _created(table: Table, was_renamed: bool) -> Iterator[Change]:
    """With `was_renamed`, these may be older files, whose server would go on with an empty table."""
    description = f"create the table '{table.name}'" + (", whose records have a newer name" if was_renamed else "")
    risk = Risk.DELIBERATE if was_renamed else Risk.SAFE
    yield Change(table.name, description, (create_table(table.name, table.columns.values()),), risk)
    for name, (columns, unique) in indexes_of(table).items():
        yield add_index(table, name, columns, unique)
    if table.seed:
        yield Change(table.name, f"add {counted(len(table.seed))} to the table '{table.name}'", seeded=table)
    if table.search:
        yield add_search(table)


def _was_renamed(connection: sqlite3.Connection, name: str) -> bool:
    sql = f"SELECT 1 FROM {quoted(HISTORY)} WHERE instr(sql, ?) = 1"
    return connection.execute(sql, (_rename(name),)).fetchone() is not None


def _rename(old: str) -> str:
    return f"ALTER TABLE {quoted(old)} RENAME TO "


def _dropped(connection: sqlite3.Connection, name: str) -> Change:
    count = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]
    description = f"drop the table '{name}', which is in no file, with {counted(count)}"
    searched = search.dropped(name) if search.found(connection, name) else ()
    return Change(name, description, (*searched, f"DROP TABLE {quoted(name)}"), Risk.DESTRUCTIVE)
