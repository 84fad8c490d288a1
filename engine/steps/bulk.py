"""Steps that write many records at once: at most 10,000 a step, all of them or none."""

from __future__ import annotations

from typing import Any

from engine.compile import Load
from engine.registry import Edits, Flag, Rejection, Rows, TableName, Where, step
from engine.steps.records import Operation, rejecting
from engine.values import Record


@step(writes=True, faults=("conflict",))
def bulk_add_records(
    load: Load, table: TableName, items: Rows, allow_id_field: Flag = False, on_duplicate: Rejection = None
) -> list[Record]:
    """Adds a record for each object of a list of at most 10,000, and gives them as stored, in the same order.

    Where any can't be added none is, and the answer lists what is wrong with each, by its place: `items[3].email`.
    An object may hold an `id` only with `allow_id_field: true`.

    - bulk_add_records: user
      items: $input.users | map($user => {name: $user.name, email: $user.email, password: "correct horse"})
      as: users
    """
    operation = load.storage.add_all(table, load.secrets(table), with_id=allow_id_field)
    return rejecting(operation, on_duplicate)  # type: ignore[return-value]


@step(writes=True, faults=("conflict",))
def bulk_edit_records(
    load: Load,
    table: TableName,
    data: Edits,
    where: Where = None,
    all: Flag = False,
    limit: int | None = None,
    on_duplicate: Rejection = None,
) -> int:
    """Changes all records that a condition matches in the same way, and gives how many they were.

    Only the columns in `data` are changed. `all: true` in place of `where` changes every record. With a `limit` the
    first by id are changed; without one, more than 10,000 matching records are refused, and none is changed.
    An expression over columns in `data` is computed for each record, as `edit_record` has it.

    - bulk_edit_records: user
      where: {role: member}
      data: {role: admin}
      as: count
    """
    operation = load.storage.edit_all(table, where, data.columns, data.computed)
    return rejecting(_limited(operation, limit), on_duplicate)  # type: ignore[return-value]


@step(writes=True, faults=("not_found", "conflict"))
def bulk_patch_records(load: Load, table: TableName, items: Rows, on_duplicate: Rejection = None) -> list[Record]:
    """Changes the records whose `id` the objects of a list name, each in the columns that its object has.

    At most 10,000; where any can't be changed none is, and the answer lists what is wrong with each, by its place.

    - bulk_patch_records: user
      items:
        - {id: 1, name: Ada}
        - {id: 2, role: admin}
      as: users
    """
    return rejecting(load.storage.patch_all(table, load.secrets(table)), on_duplicate)  # type: ignore[return-value]


@step(writes=True, faults=("conflict",))
def bulk_delete_records(
    load: Load, table: TableName, where: Where = None, all: Flag = False, limit: int | None = None
) -> int:
    """Deletes all records that a condition matches, and gives how many they were.

    `all: true` in place of `where` deletes every record. With a `limit` the first by id are deleted; without one, more
    than 10,000 matching records are refused, and none is deleted.

    - bulk_delete_records: user
      where: created_at < $input.before
      limit: 1000
      as: count
    """
    return _limited(load.storage.delete_all(table, where), limit)  # type: ignore[return-value]


def _limited(operation: Operation, limit: object) -> Operation:
    """`operation`, whose last value is its limit: null where none was written."""
    if limit is not None:
        return operation

    async def unlimited(run: Any, *values: Any) -> Any:
        return await operation(run, *values, None)

    return unlimited
