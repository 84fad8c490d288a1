"""The operations that write: their SQL is composed at load; what a storage spells its own way comes from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.errors import Fault
from engine.shapes import input_fault, unknown_param
from engine.sql import Sql
from engine.store.base import Condition, Run, Write, quoted
from engine.store.batch import Pending, bounded, limit_of, write_all
from engine.store.external import external
from engine.store.returned import Record, Returned, Secrets, Spelling
from engine.store.rows import Draft
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

    def edit(self, table: Table, condition: Condition, columns: tuple[str, ...], secrets: Secrets = ()) -> Write:
        draft = Draft(table, columns, new=False)
        update = self._update(table, condition, draft, secrets)
        count = len(condition.parameters)

        async def edit(run: Run, *values: Any) -> Record | None:
            wanted = condition.bound(values[:count])
            return await update(run, wanted, await draft.values(run, values[count:]))

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
    ) -> Write:
        changed, new = Draft(table, columns, new=False), [name for name in keys if name not in columns]
        added = Draft(table, (*new, *columns), new=True)
        update, insert = self._update(table, condition, changed, secrets), self._insert(table, added, secrets)
        count, places = len(condition.parameters), [keys[name] for name in new]

        async def add_or_edit(run: Run, *values: Any) -> Record:
            asked, given = values[:count], values[count:]
            stored = await changed.values(run, given)
            record = await update(run, condition.bound(asked), stored)
            if record is not None:
                return record
            found = [None if place is None else asked[place] for place in places]
            data = added.checked([*found, *given])
            return await insert(run, await added.stored(run, data, dict(zip(changed.columns, stored, strict=True))))

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

    def edit_all(self, table: Table, condition: Condition | None, columns: tuple[str, ...]) -> Write:
        draft, count, condition = Draft(table, columns, new=False), len(columns), condition or _EVERY
        names = (*condition.names, "limit")
        changes = self._changes(draft.columns, len(names))
        returned = Returned(table, (), self._spelling)
        sql = f"UPDATE {quoted(table.name)} SET {changes} {self._some(table, condition)} RETURNING {returned.sql}"
        statement = self._spelling.statement(table, sql, names, draft.columns, scans=True)

        async def edit_all(run: Run, *values: Any) -> int:
            *given, limit = values
            wanted = [*condition.bound(tuple(given[count:])), limit_of(limit)]
            stored = await draft.values(run, given[:count])
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

    def _insert(self, table: Table, draft: Draft, secrets: Secrets) -> Insert:
        returned = Returned(table, secrets, self._spelling)
        names = ", ".join(map(quoted, draft.columns))
        marks = ", ".join(map(self._spelling.parameter, range(1, len(draft.columns) + 1)))
        filled = f"({names}) VALUES ({marks})" if names else "DEFAULT VALUES"
        sql = f"INSERT INTO {quoted(table.name)} {filled} RETURNING {returned.sql}"
        statement = self._spelling.statement(table, sql, (), draft.columns)

        async def insert(run: Run, stored: Sequence[object]) -> Record:
            return (await returned.records(run, statement, stored))[0]

        return insert

    def _update(self, table: Table, condition: Condition, draft: Draft, secrets: Secrets) -> Update:
        returned = Returned(table, secrets, self._spelling)
        changes = self._changes(draft.columns, len(condition.names))
        sql = f"UPDATE {quoted(table.name)} SET {changes} {_first(table, condition)} RETURNING {returned.sql}"
        scans = not condition.is_single
        statement = self._spelling.statement(table, sql, condition.names, draft.columns, scans=scans)

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

    def _changes(self, columns: Iterable[str], before: int) -> str:
        """What follows SET, the values coming after `before` others."""
        pairs = (
            f"{quoted(name)} = {self._spelling.parameter(place)}" for place, name in enumerate(columns, before + 1)
        )
        return ", ".join(pairs) or '"id" = "id"'

    def _some(self, table: Table, condition: Condition) -> str:
        """The records that a condition matches, no more than the value after the condition's says."""
        limit = self._spelling.parameter(len(condition.parameters) + 1)
        matching = f'SELECT "id" FROM {quoted(table.name)} WHERE {condition.sql} ORDER BY "id" LIMIT {limit}'
        return f'WHERE "id" IN ({matching})'


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
