"""The operations that write: their SQL is composed at load; what a storage spells its own way comes from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.errors import Fault
from engine.shapes import input_fault, unknown_param
from engine.sql import Sql
from engine.store.base import NONE_COMPUTED, Computations, Condition, Convert, Run, Write, converted, quoted
from engine.store.batch import Pending, bounded, limit_of, write_all
from engine.store.external import external
from engine.store.returned import Record, Returned, Secrets, Spelling
from engine.store.rows import Draft, fill_of
from engine.syntax import Column, walk
from engine.workspace import Table

DRAFTS = 64  # sets of columns kept ready for a step whose columns only show when it runs


class Writes:
    """Prepares the operations that write; see `base.Operations`."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def add(self, table: Table, columns: tuple[str, ...], secrets: Secrets = ()) -> Write:
        draft = Draft(table, columns, new=True)
        insert = self._insert(table, draft, secrets)

        async def add(run: Run, *values: Any) -> Record:
            return await insert(run, await draft.values(run, values))

        return add

    def edit(
        self,
        table: Table,
        condition: Condition,
        columns: tuple[str, ...],
        secrets: Secrets = (),
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        draft = Draft(table, columns, new=False, computed=computed)
        update = self._update(table, condition, draft, secrets, computed)
        first, last = len(condition.parameters), len(condition.parameters) + len(columns)
        converts = _converts(computed)

        async def edit(run: Run, *values: Any) -> Record | None:
            wanted = (*condition.bound(values[:first]), *converted(converts, values[last:]))
            return await update(run, wanted, await draft.values(run, values[first:last]))

        return edit

    def patch(self, table: Table, condition: Condition, secrets: Secrets = ()) -> Write:
        prepared = self._patches(table, condition, secrets)

        async def patch(run: Run, *values: Any) -> Record | None:
            *asked, changes = values
            wanted = condition.bound(tuple(asked))
            draft, update = prepared(_columns(table, changes, "data"))
            return await update(run, wanted, await draft.values(run, [changes[name] for name in draft.given]))

        return patch

    def add_or_edit(
        self,
        table: Table,
        condition: Condition,
        keys: Mapping[str, int | None],
        columns: tuple[str, ...],
        secrets: Secrets = (),
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        changed = Draft(table, columns, new=False, computed=computed)
        new = [name for name in keys if name not in columns and name not in computed]
        added = Draft(table, (*new, *columns), new=True, computed=computed)
        update = self._update(table, condition, changed, secrets, computed)
        unwritten = Unwritten(table, keys, computed)
        insert = self._insert(table, added, secrets, unwritten)
        first, last = len(condition.parameters), len(condition.parameters) + len(columns)
        converts = _converts(computed)

        async def add_or_edit(run: Run, *values: Any) -> Record:
            asked, given, extra = values[:first], values[first:last], converted(converts, values[last:])
            stored = await changed.values(run, given)
            record = await update(run, [*condition.bound(asked), *extra], stored)
            if record is not None:
                return record
            found = {name: None if place is None else asked[place] for name, place in keys.items()}
            data = added.checked([*map(found.get, new), *given])
            filled = await added.stored(run, data, dict(zip(changed.columns, stored, strict=True)))
            return await insert(run, [*extra, *unwritten.values(run, found), *filled])

        return add_or_edit

    def delete(self, table: Table, condition: Condition) -> Write:
        sql = f'DELETE FROM {quoted(table.name)} {_first(table, condition)} RETURNING "id"'
        statement = self._spelling.statement(table, sql, condition.names, (), scans=not condition.is_single)

        async def delete(run: Run, *values: Any) -> bool:
            return bool(await statement.write(run.db, condition.bound(values)))

        return delete

    def external(self, sql: Sql, *, single: bool) -> Write:
        return external(sql, single=single)

    def set_secret(self, table: Table, column: str) -> Write:
        name, (id_, old, new) = quoted(column), map(self._spelling.parameter, (1, 2, 3))
        sql = f'UPDATE {quoted(table.name)} SET {name} = {new} WHERE "id" = {id_} AND {name} = {old} RETURNING "id"'
        statement = self._spelling.statement(table, sql, ("id", column), (column,))

        async def set_secret(run: Run, id: int | str, old: str, new: str) -> bool:
            return bool(await statement.write(run.db, (id, old, new)))

        return set_secret

    # Many records at once.

    def add_all(self, table: Table, secrets: Secrets = (), *, with_id: bool) -> Write:
        @lru_cache(DRAFTS)
        def prepared(columns: tuple[str, ...]) -> tuple[Draft, Insert]:
            draft = Draft(table, columns, new=True)
            return draft, self._insert(table, draft, secrets)

        async def check(row: Any) -> Pending[Record]:
            draft, insert = prepared(_columns(table, row, "", with_id=with_id))
            return Pending(draft, draft.checked([row[name] for name in draft.given]), insert)

        async def add_all(run: Run, rows: Any) -> list[Record]:
            return await write_all(run, rows, check)

        return add_all

    def patch_all(self, table: Table, secrets: Secrets = ()) -> Write:
        by_id = _asked(f'"id" = {self._spelling.parameter(1)}', "id")
        prepared = self._patches(table, by_id, secrets)
        key = Draft(table, ("id",), new=False)

        async def check(row: Any) -> Pending[Record]:
            changes = _columns(table, row, "", with_id=True)
            id_ = key.checked([row.get("id")])["id"]
            draft, update = prepared(tuple(name for name in changes if name != "id"))

            async def patch(run: Run, stored: Sequence[object]) -> Record:
                record = await update(run, (id_,), stored)
                if record is None:
                    raise Fault("not_found", "Not Found.", {"param": "id"})
                return record

            return Pending(draft, draft.checked([row[name] for name in draft.given]), patch)

        async def patch_all(run: Run, rows: Any) -> list[Record]:
            return await write_all(run, rows, check)

        return patch_all

    def edit_all(
        self,
        table: Table,
        condition: Condition | None,
        columns: tuple[str, ...],
        computed: Computations = NONE_COMPUTED,
    ) -> Write:
        draft, condition = Draft(table, columns, new=False, computed=computed), condition or _EVERY
        first, last, converts = len(columns), len(columns) + len(_names(computed)), _converts(computed)
        names = (*condition.names, "limit")
        changes = self._changes(draft.columns, computed, len(names))
        returned = Returned(table, (), self._spelling, computed)
        sql = f"UPDATE {quoted(table.name)} SET {changes} {self._some(table, condition)} RETURNING {returned.sql}"
        statement = self._spelling.statement(
            table, sql, (*names, *_names(computed)), draft.columns, computed, scans=True
        )

        async def edit_all(run: Run, *values: Any) -> int:
            *given, limit = values
            extra = converted(converts, tuple(given[first:last]))
            wanted = [*condition.bound(tuple(given[last:])), limit_of(limit), *extra]
            stored = await draft.values(run, given[:first])
            async with run.db.savepoint(scans=True):
                return bounded(len(await returned.records(run, statement, [*wanted, *stored])))

        return edit_all

    def delete_all(self, table: Table, condition: Condition | None) -> Write:
        condition = condition or _EVERY
        sql = f'DELETE FROM {quoted(table.name)} {self._some(table, condition)} RETURNING "id"'
        statement = self._spelling.statement(table, sql, (*condition.names, "limit"), (), scans=True)

        async def delete_all(run: Run, *values: Any) -> int:
            *given, limit = values
            wanted = [*condition.bound(tuple(given)), limit_of(limit)]
            async with run.db.savepoint(scans=True):
                return bounded(len(await statement.write(run.db, wanted)))

        return delete_all

    def truncate(self, table: Table, *, reset: bool) -> Write:
        texts = [f"DELETE FROM {quoted(table.name)}", *([self._spelling.restart(table)] if reset else [])]
        statements = [self._spelling.statement(table, text, (), (), scans=True) for text in texts]

        async def truncate(run: Run) -> None:
            for statement in statements:
                await statement.write(run.db, ())

        return truncate

    # What they share.

    def _insert(self, table: Table, draft: Draft, secrets: Secrets, unwritten: Unwritten | None = None) -> Insert:
        """An insert; what is computed of the record as it would be `unwritten` is bound first."""
        unwritten = unwritten or Unwritten(table, {}, NONE_COMPUTED)
        returned = Returned(table, secrets, self._spelling, unwritten.computed)
        before = len(unwritten.names)
        names = ", ".join(map(quoted, [*draft.columns, *unwritten.computed]))
        marks = map(self._spelling.parameter, range(before + 1, before + len(draft.columns) + 1))
        values = ", ".join([*marks, *unwritten.sql(self._spelling.parameter)])
        filled = f"({names}) VALUES ({values})" if names else "DEFAULT VALUES"
        sql = f"INSERT INTO {quoted(table.name)} {filled} RETURNING {returned.sql}"
        statement = self._spelling.statement(table, sql, unwritten.names, draft.columns, unwritten.computed)

        async def insert(run: Run, stored: Sequence[object]) -> Record:
            return (await returned.records(run, statement, stored))[0]

        return insert

    def _update(
        self,
        table: Table,
        condition: Condition,
        draft: Draft,
        secrets: Secrets,
        computed: Computations = NONE_COMPUTED,
    ) -> Update:
        """An update; the values of what is computed follow those of the condition."""
        returned = Returned(table, secrets, self._spelling, computed)
        changes = self._changes(draft.columns, computed, len(condition.names))
        sql = f"UPDATE {quoted(table.name)} SET {changes} {_first(table, condition)} RETURNING {returned.sql}"
        names = (*condition.names, *_names(computed))
        scans = not condition.is_single
        statement = self._spelling.statement(table, sql, names, draft.columns, computed, scans=scans)

        async def update(run: Run, wanted: Sequence[object], stored: Sequence[object]) -> Record | None:
            records = await returned.records(run, statement, [*wanted, *stored])
            return records[0] if records else None

        return update

    def _patches(
        self, table: Table, condition: Condition, secrets: Secrets
    ) -> Callable[[tuple[str, ...]], tuple[Draft, Update]]:
        @lru_cache(DRAFTS)
        def prepared(columns: tuple[str, ...]) -> tuple[Draft, Update]:
            draft = Draft(table, columns, new=False)
            return draft, self._update(table, condition, draft, secrets)

        return prepared

    def _changes(self, columns: Iterable[str], computed: Computations, before: int) -> str:
        """What follows SET, the values coming after `before` others, first those of what is computed."""
        made = list(_made(computed, before))
        numbered = enumerate(columns, before + len(_names(computed)) + 1)
        given = [(name, self._spelling.parameter(place)) for place, name in numbered]
        return ", ".join(f"{quoted(name)} = {sql}" for name, sql in (*given, *made)) or '"id" = "id"'

    def _some(self, table: Table, condition: Condition) -> str:
        """The records that a condition matches, no more than the value after the condition's says."""
        limit = self._spelling.parameter(len(condition.parameters) + 1)
        matching = f'SELECT "id" FROM {quoted(table.name)} WHERE {condition.sql} ORDER BY "id" LIMIT {limit}'
        return f'WHERE "id" IN ({matching})'


class Unwritten:
    """A record that isn't there yet, of which something is computed for one that is added.

    Its columns are what a condition's `keys` say, and else what they are where they are left out. `names` are the
    columns of all that is bound: for what is `computed`, then for the record itself.
    """

    def __init__(self, table: Table, keys: Mapping[str, int | None], computed: Computations) -> None:
        self.table, self.computed = table, computed
        named = {each.name for item in computed.values() for each in walk(item.node) if isinstance(each, Column)}
        self._columns = [name for name in table.columns if name in named]
        self._keys = Draft(table, [name for name in self._columns if name in keys], new=False, computed=table.columns)
        self._fills = {name: fill_of(table, table.columns[name]) or _nothing for name in self._columns}
        self.names = (*_names(computed), *self._columns)

    def values(self, run: Run, found: Mapping[str, object]) -> list[object]:
        """What to bind for the record itself, where `found` are the values of the keys."""
        keys = self._keys.checked([found[name] for name in self._keys.given])
        return [keys[name] if name in keys else self._fills[name](run) for name in self._columns]

    def sql(self, parameter: Callable[[int], str]) -> Iterator[str]:
        """What each column is computed as."""
        table, names = quoted(self.table.name), ", ".join(map(quoted, self._columns))
        first = len(_names(self.computed)) + 1
        marks = ", ".join(parameter(first + place) for place in range(len(self._columns)))
        # The table itself lends its columns' types.
        record = f"(SELECT {names} FROM {table} WHERE 1 = 0 UNION ALL SELECT {marks}) AS unwritten"
        yield from (f"(SELECT {sql} FROM {record})" for _, sql in _made(self.computed, 0))


def _nothing(run: Run) -> object:
    """What is no key and has no default, which the checker refuses."""
    return None


def _names(computed: Computations) -> tuple[str, ...]:
    """The columns that the parameters of what is computed are for."""
    return tuple(name for each in computed.values() for name in each.names)


def _made(computed: Computations, before: int) -> Iterator[tuple[str, str]]:
    """What is computed, each with its SQL, after `before` other parameters."""
    for name, each in computed.items():
        yield name, each.text(before)
        before += len(each.parameters)


def _converts(computed: Computations) -> tuple[Convert | None, ...]:
    """What makes the values that are bound for what is computed."""
    return tuple(convert for each in computed.values() for convert in each.converts)


Insert = Callable[[Run, Sequence[object]], Awaitable[Record]]
Update = Callable[[Run, Sequence[object], Sequence[object]], Awaitable[Record | None]]


def _asked(sql: str, *names: str) -> Condition:
    """A condition that is asked whatever is null, whose values the operation itself binds."""
    return Condition(sql, (), (), names, (), lambda dropped: sql, is_single=names == ("id",))


_EVERY = _asked("1 = 1")  # all records of a table


def _first(table: Table, condition: Condition) -> str:
    return f'WHERE "id" = (SELECT "id" FROM {quoted(table.name)} WHERE {condition.sql} ORDER BY "id" LIMIT 1)'


def _columns(table: Table, row: object, name: str, *, with_id: bool = False) -> tuple[str, ...]:
    """The columns that an object names, in the table's order.

    Raises Fault input_error where it is none, or names what can't be written.
    """
    if not isinstance(row, dict):
        raise input_fault([{"param": name, "message": "Input must be an object."}])
    errors = [unknown_param(key) for key in row if key not in table.columns]
    if "id" in row and not with_id:
        errors.append({"param": "id", "message": "Input can't set the id."})
    if errors:
        raise input_fault(errors)
    return tuple(name for name in table.columns if name in row)
