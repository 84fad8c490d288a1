"""Steps that read and write records. Each runs once at load and gives the operation that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compile import Load
from engine.errors import Fault
from engine.registry import Data, Rejection, TableName, Where, step
from engine.values import Record

Operation = Callable[..., Any]


@step
def get_record(load: Load, table: TableName, where: Where) -> Record | None:
    """The record that a condition matches, the first by id; null where none does.

    - get_record: user
      where: {email: $input.email}
      as: user
    """
    operation: Operation = load.storage.get(table, where, load.secrets(table))
    return operation  # type: ignore[return-value]


@step
def has_record(load: Load, table: TableName, where: Where) -> bool:
    """Whether a condition matches any record.

    - has_record: user
      where: {email: $input.email}
      as: is_taken
    """
    operation: bool = load.storage.has(table, where)
    return operation


@step(writes=True)
def add_record(load: Load, table: TableName, data: Data, on_duplicate: Rejection = None) -> Record:
    """Adds a record and gives it as stored; `on_duplicate` answers a broken unique constraint in your words.

    - add_record: user
      data: {name: $input.name, email: $input.email, password: $input.password}
      on_duplicate: {error: access_denied, message: This account is already in use.}
      as: user
    """
    operation = load.storage.add(table, data)
    return _rejecting(operation, on_duplicate)  # type: ignore[return-value]


@step(writes=True)
def edit_record(load: Load, table: TableName, where: Where, data: Data, on_duplicate: Rejection = None) -> Record:
    """Changes the record that a condition matches, the first by id, and gives it as stored.

    Where none matches the run ends with `not_found`.

    - edit_record: user
      where: {id: $auth.id}
      data: {name: $input.name}
      as: user
    """
    change = load.storage.edit(table, where, data)

    async def edit(run: Any, *values: Any) -> Any:
        return _found(await change(run, *values))

    return _rejecting(edit, on_duplicate)  # type: ignore[return-value]


@step(writes=True)
def delete_record(load: Load, table: TableName, where: Where) -> None:
    """Deletes the record that a condition matches, the first by id; `not_found` where none does.

    - delete_record: user
      where: {id: $input.user_id}
    """
    remove = load.storage.delete(table, where)

    async def delete(run: Any, *values: Any) -> None:
        _found(await remove(run, *values) or None)

    return delete  # type: ignore[return-value]


def _found(record: Any) -> Any:
    if record is None:
        raise Fault("not_found", "Not Found.")
    return record


def _rejecting(operation: Operation, error: str | None) -> Operation:
    """`operation`, whose broken unique constraint is answered by `error` and the last two values: message, payload."""
    if error is None:
        return operation

    async def rejecting(run: Any, *values: Any) -> Any:
        *given, message, payload = values
        try:
            return await operation(run, *given)
        except Fault as fault:
            if not fault.reason.startswith("unique"):
                raise
            raise Fault(error, message, payload, reason=fault.reason) from fault

    return rejecting
