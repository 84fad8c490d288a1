"""Steps that run SQL of the author's own."""

from __future__ import annotations

from typing import Annotated, Literal

from engine.compile import Load
from engine.registry import Choice, Statement, step
from engine.values import Secret


@step(reads=True, faults=("conflict",))
def direct_database_query(
    load: Load,
    sql: Statement,
    args: list[object] | dict[str, object] | None = None,
    return_: Annotated[Literal["list", "single"], Choice] = "list",
) -> object:
    """Runs SQL on the workspace's own database, as a part of the stack's transaction, and gives the rows as objects.

    The SQL is one SELECT, INSERT, UPDATE or DELETE, or a WITH that leads to one, and is written out: values never
    stand in it, they are bound by `args`, a list for each `?` or a mapping for each `:name`. A list or an object is
    bound as its JSON text, which `json_each(?)` takes apart. `return: single` gives the first row, null where there is
    none; a list holds at most 10,000 rows. What writes gives the rows of its RETURNING.

    Values are as the database has them: on SQLite a bool is 0 or 1, everywhere an object its JSON text. What is
    written passes by the columns' rules, defaults and checks; where a step can write it, use that. No secret column
    can be read or asked for, and no password written. The SQL is checked by SQLite against the tables' files; on
    PostgreSQL keep to what both read.

    - direct_database_query: |
        SELECT role, count(*) AS members FROM user
        WHERE created_at > ? GROUP BY role ORDER BY role
      args: [$input.since]
      as: roles
    """
    operation: object = load.storage.direct(sql, single=return_ == "single")
    return operation


@step(outside=True, faults=("conflict",))
def external_database_query(
    load: Load,
    sql: Statement,
    connection: str | Secret,
    args: list[object] | dict[str, object] | None = None,
    timeout: float = 10.0,
    return_: Annotated[Literal["list", "single"], Choice] = "list",
) -> object:
    """Runs SQL on another database, and gives the rows as objects: as `direct_database_query` does, with its bounds.

    The connection is a value of the environment, `sqlite:///file.db` or `postgresql://user:password@host/name`, so that
    no password stands in a file. A file isn't made where there is none. The SQL is not checked against that database's
    tables. What it writes there is kept when the step ends, whatever becomes of the stack. It may take `timeout`
    seconds, at most 60; then, and where the database can't be reached, a `catch` can go on.

    - external_database_query: SELECT sku, price FROM article WHERE changed_at > ?
      connection: $env.ERP_DATABASE
      args: [$input.since]
      as: articles
    """
    operation: object = load.storage.external(sql, single=return_ == "single")
    return operation
