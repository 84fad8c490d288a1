"""Steps that read and write records. Each runs once at load and gives the operation that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compile import Load
from engine.edits import Written
from engine.errors import Fault
from engine.registry import Changes, Data, Edits, Match, Rejection, TableName, Where, step
from engine.values import Record

Operation = Callable[..., Any]


@step(reads=True)
def get_record(load: Load, table: TableName, where: Where) -> Record | None:
    """The record that a condition matches, the first by id; null where none does.

    - get_record: user
      where: {email: $input.email}
      as: user
    """
    operation: Operation = load.storage.get(table, where, load.secrets(table))
    return operation  # type: ignore[return-value]


@step(reads=True)
def has_record(load: Load, table: TableName, where: Where) -> bool:
    """Whether a condition matches any record.

    - has_record: user
      where: {email: $input.email}
      as: is_taken
    """
    operation: bool = load.storage.has(table, where)
    return operation


@step(writes=True, single=True, faults=("conflict",))
def add_record(load: Load, table: TableName, data: Data, on_duplicate: Rejection = None) -> Record:
    """Adds a record and gives it as stored; `on_duplicate` answers a broken unique constraint in your words.

    - add_record: user
      data: {name: $input.name, email: $input.email, password: $input.password}
      on_duplicate: {error: access_denied, message: This account is already in use.}
      as: user
    """
    operation = load.storage.add(table, data, load.secrets(table))
    return rejecting(operation, on_duplicate)  # type: ignore[return-value]


@step(writes=True, single=True, faults=("not_found", "conflict"))
def edit_record(load: Load, table: TableName, where: Where, data: Edits, on_duplicate: Rejection = None) -> Record:
    """Changes the record that a condition matches, the first by id, and gives it as stored.

    Where none matches the run ends with `not_found`. An expression over columns in `data` is computed by the database,
    of the record as it was: `data: {likes: likes + 1}`, or in a column of texts `data: {name: "${name ~ '!'}"}`.

    - edit_record: user
      where: {id: $auth.id}
      data: {name: $input.name, nickname: "${name | to_lower}"}
      as: user
    """
    return rejecting(_finding(_edited(load, table, where, data)), on_duplicate)  # type: ignore[return-value]


@step(writes=True, faults=("not_found", "conflict"))
def patch_record(load: Load, table: TableName, where: Where, data: Changes, on_duplicate: Rejection = None) -> Record:
    """As `edit_record`, or with any object for `data`: only the columns that it has are changed, null among them.

    An optional input that was left out is null: `filter_null` takes it out. What isn't a column of the table is
    refused as an input error, so take out what else an input holds.

    - patch_record: user
      where: {id: $auth.id}
      data: $input | pick(["name", "nickname"]) | filter_null
      as: user
    """
    if isinstance(data, Written):
        operation = _edited(load, table, where, data)
    else:
        operation = load.storage.patch(table, where, load.secrets(table))
    return rejecting(_finding(operation), on_duplicate)  # type: ignore[return-value]


@step(writes=True, faults=("conflict",))
def add_or_edit_record(
    load: Load, table: TableName, where: Match, data: Edits, on_duplicate: Rejection = None
) -> Record:
    """Changes the record whose columns are as `where` says, or adds one with these columns and `data`.

    A column that an expression in `data` names is, for a record that is added, what `where` says, else its default.

    - add_or_edit_record: user
      where: {email: $input.email}
      data: {name: $input.name, password: $input.password}
      as: user
    """
    condition, keys = where
    operation = load.storage.add_or_edit(table, condition, keys, data.columns, load.secrets(table), data.computed)
    return rejecting(operation, on_duplicate)  # type: ignore[return-value]


@step(writes=True, single=True, faults=("not_found", "conflict"))
def delete_record(load: Load, table: TableName, where: Where) -> None:
    """Deletes the record that a condition matches, the first by id; `not_found` where none does.

    - delete_record: user
      where: {id: $input.user_id}
    """
    find = _finding(load.storage.delete(table, where))

    async def delete(run: Any, *values: Any) -> None:
        await find(run, *values)

    return delete  # type: ignore[return-value]


def _edited(load: Load, table: Any, where: Any, data: Written) -> Operation:
    operation: Operation = load.storage.edit(table, where, data.columns, load.secrets(table), data.computed)
    return operation


def _finding(operation: Operation) -> Operation:
    """`operation`, for which there must be a record."""

    async def finding(run: Any, *values: Any) -> Any:
        record = await operation(run, *values)
        if not record:
            raise Fault("not_found", "Not Found.")
        return record

    return finding


def rejecting(operation: Operation, error: str | None) -> Operation:
    """`operation`, whose broken unique constraint is answered by `error` and the last two values: message, payload."""
    if error is None:
        return operation

    async def answering(run: Any, *values: Any) -> Any:
        *given, message, payload = values
        try:
            return await operation(run, *given)
        except Fault as fault:
            if not fault.reason.startswith("unique"):
                raise
            raise Fault(error, message, payload, reason=fault.reason) from fault

    return answering
