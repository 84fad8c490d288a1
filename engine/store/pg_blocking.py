"""A connection with PostgreSQL for commands, which have nothing else to do while they wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from engine.store.rows import Row

T = TypeVar("T")

REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError)
_BATCH = 1000  # rows that are fetched at once


class Blocking:
    """What asyncpg offers, each call waiting for its answer. No event loop may run in the thread that uses it.

    Opening it raises what `connect` does, and all the rest but `close` REFUSALS.
    """

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, asyncpg.Connection]]) -> None:
        self._runner = asyncio.Runner()
        try:
            self.raw = self._runner.run(connect())
        except BaseException:
            self._runner.close()
            raise

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except OSError as error:  # told apart from those of files
            raise asyncpg.InterfaceError("the connection was lost") from error

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement."""
        rows: list[Row] = self.wait(self.raw.fetch(sql, *values))
        return rows

    def script(self, sql: str) -> None:
        """Statements without parameters, in one trip."""
        self.wait(self.raw.execute(sql))

    def rows(self, sql: str) -> Iterator[Row]:
        """The rows of a query within a transaction, in bounded memory."""
        cursor = self.wait(_opened(self.raw, sql))
        while batch := self.wait(cursor.fetch(_BATCH)):
            yield from batch

    def fill(self, table: str, schema: str | None, columns: Iterable[str], rows: Iterable[Row]) -> None:
        """Put rows into a table, in bounded memory."""
        names = list(columns)
        self.wait(self.raw.copy_records_to_table(table, schema_name=schema, records=rows, columns=names))

    def copy_out(self, table: str, columns: Sequence[str], write: Callable[[bytes], object]) -> None:
        """Write all rows of a table as PostgreSQL's COPY has them."""

        async def written(piece: bytes) -> None:
            write(piece)

        self.wait(self.raw.copy_from_table(table, columns=columns, output=written))

    def copy_in(self, table: str, columns: Sequence[str], pieces: Iterable[bytes]) -> None:
        """Put what `copy_out` wrote into a table."""

        async def read() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        self.wait(self.raw.copy_to_table(table, columns=columns, source=read()))

    @contextmanager
    def transaction(
        self, isolation: str = "read_committed", *, readonly: bool = False, keep: Callable[[], bool] = lambda: True
    ) -> Iterator[None]:
        """It is committed at its end if `keep` says so, and undone otherwise or where something is raised."""
        transaction = self.raw.transaction(isolation=isolation, readonly=readonly)
        self.wait(transaction.start())
        try:
            yield
        except BaseException:
            with suppress(*REFUSALS):  # a connection that is lost has undone it already
                self.wait(transaction.rollback())
            raise
        self.wait(transaction.commit() if keep() else transaction.rollback())

    def close(self, seconds: float) -> None:
        """Within so many seconds."""
        try:
            with suppress(*REFUSALS):
                self.wait(self.raw.close(timeout=seconds))
        finally:
            self._runner.close()


async def _opened(raw: asyncpg.Connection, sql: str) -> Any:
    return await raw.cursor(sql)
