"""What a database differs in from its tables' files, as changes that mend it; nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.store.base import quoted
from engine.store.catalog import Catalog, count
from engine.store.changes import Change, Risk, add_index, add_search, counted
from engine.store.ddl import Ddl
from engine.store.found import FoundColumn, FoundTable, Renaming
from engine.store.table_changes import State, TableChanges
from engine.workspace import Table

HISTORY = "stackwright.history"  # a table's name has no dot: no author's table can be it


def plan(catalog: Catalog, tables: Mapping[str, Table]) -> list[Change]:
    """What would make the database hold `tables`, in order. Other tables in it are left alone.

    Raises SetupError for tables that the storage can't hold.
    """
    catalog.ddl.check_names(tables)
    there = catalog.tables()
    sources = sources_of(tables, there)
    columns = {name: _columns_renamed(catalog, table, sources[name]) for name, table in tables.items()}
    renames = [_renamed(old, new) for new, old in sources.items() if old != new]
    renames += [_renamed_column(table, old, new) for table in columns for new, old in columns[table].items()]
    statements = tuple(statement for change in renames for statement in change.statements)
    state = State(catalog, catalog.structure(Renaming(sources, columns, statements)), sources)
    new = [table for name, table in tables.items() if sources[name] not in there]
    created = [_created(catalog.ddl, table, HISTORY in there and _was_renamed(catalog, table.name)) for table in new]
    known = [TableChanges(state, table) for name, table in tables.items() if sources[name] in there]
    unsearched = [change for each in known for change in each.unsearched()]
    changed = [change for each in known for change in each.changes()]
    completed = [change for table in new for change in _completed(catalog.ddl, table)]
    filled = [change for table in new for change in _filled(catalog.ddl, table)]
    return [*unsearched, *renames, *created, *changed, *completed, *filled]


def sources_of(tables: Mapping[str, Table], there: Iterable[str]) -> dict[str, str]:
    """What each table is called as yet."""
    return {name: table.was if table.was in there and name not in there else name for name, table in tables.items()}


def leftovers(catalog: Catalog, tables: Mapping[str, Table]) -> list[Change]:
    """What would drop the tables that we made and that are in no file any more."""
    there = catalog.tables()
    if HISTORY not in there:
        return []
    ours = {name for (name,) in catalog.execute(f'SELECT DISTINCT "table" FROM {quoted(HISTORY)}')}
    wanted = {name for table in tables.values() for name in (table.name, table.was)}
    unused = sorted(ours & there - wanted)
    structure = catalog.structure(Renaming({name: name for name in unused})) if unused else {}
    # Those that are dropped before it refer to nothing any more.
    referring = {name: _referring(structure, name, unused[place:]) for place, name in enumerate(unused)}
    return [_dropped(catalog, name, structure[name], referring[name]) for name in unused]


def _columns_renamed(catalog: Catalog, table: Table, source: str) -> dict[str, str]:
    """What columns of a table are called as yet that get another name."""
    named = {name: column.was for name, column in table.columns.items() if column.was}
    there = catalog.columns(source) if named else ()
    return {new: old for new, old in named.items() if old in there and new not in there}


def _renamed(old: str, new: str) -> Change:
    return Change(new, f"rename the table '{old}' to '{new}'", (_rename(old) + quoted(new),), Risk.DELIBERATE)


def _renamed_column(table: str, old: str, new: str) -> Change:
    sql = f"ALTER TABLE {quoted(table)} RENAME COLUMN {quoted(old)} TO {quoted(new)}"
    return Change(table, f"rename the column '{old}' of the table '{table}' to '{new}'", (sql,), Risk.DELIBERATE)


def _created(ddl: Ddl, table: Table, was_renamed: bool) -> Change:
    """With `was_renamed`, these may be older files, whose server would go on with an empty table."""
    description = f"create the table '{table.name}'" + (", whose records have a newer name" if was_renamed else "")
    risk = Risk.DELIBERATE if was_renamed else Risk.SAFE
    return Change(table.name, description, ddl.create_table(table), risk)


def _completed(ddl: Ddl, table: Table) -> Iterator[Change]:
    """What a new table gets when all of them are there: they may refer to each other in a ring."""
    for name, statements in ddl.references(table).items():
        description = f"let '{name}' of the table '{table.name}' refer to '{table.columns[name].table}'"
        yield Change(table.name, description, statements)
    for name, index in ddl.indexes_of(table).items():
        yield add_index(ddl, table, name, index)


def _filled(ddl: Ddl, table: Table) -> Iterator[Change]:
    """What a new table gets when nothing of any table will be changed any more."""
    if table.seed:
        yield Change(table.name, f"add {counted(len(table.seed))} to the table '{table.name}'", seeded=table)
    if ddl.search_of(table):
        yield add_search(ddl, table)


def _was_renamed(catalog: Catalog, name: str) -> bool:
    rename = _rename(name)
    found = f"substr(sql, 1, {len(rename)}) = {catalog.ddl.literal(rename)}"
    return count(catalog, quoted(HISTORY), found) > 0


def _rename(old: str) -> str:
    return f"ALTER TABLE {quoted(old)} RENAME TO "


def _referring(structure: Mapping[str, FoundTable], name: str, tables: Iterable[str]) -> dict[str, list[FoundColumn]]:
    """The columns, by table, that refer to a table from others of `tables`."""
    return {
        table: [column for column in structure[table].columns.values() if column.reference[0] == name]
        for table in tables
        if table != name
    }


def _dropped(catalog: Catalog, name: str, found: FoundTable, referring: Mapping[str, list[FoundColumn]]) -> Change:
    held = counted(count(catalog, quoted(name)))
    description = f"drop the table '{name}', which is in no file, with {held}"
    searched = catalog.ddl.drop_search(name) if found.search else ()
    return Change(name, description, (*searched, *catalog.ddl.drop_table(name, referring)), Risk.DESTRUCTIVE)
