"""Records of a file put into a table of a SQLite database: all of them, or none and what is wrong with any.

They are checked, hashed and laid ready in a temporary table first, which SQLite keeps on the disk; only then are they
copied, in one statement, so that a server that runs waits for that alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from engine.errors import Fault, SetupError, did_you_mean
from engine.security.passwords import HASH_PATTERN
from engine.store.base import Run, quoted
from engine.store.rows import Draft, moment
from engine.store.rules import Rules
from engine.store.schema import refers
from engine.store.sources import Given
from engine.store.statement import broken
from engine.workspace import Table

BATCH = 1000  # records that are laid ready at once
SETS = 256  # sets of columns that the records of one file may have
SHOWN = 20  # mistakes that are told one by one

# No author's name has a dot.
_STAGED = 'temp."staged."'
_PLACE, _LINE, _SET = '"place."', '"line."', '"set."'


@dataclass
class Mistakes:
    """What is wrong with a file, by line: the first ones, and how many there are."""

    count: int = 0
    shown: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append((line, message))

    def add_fault(self, line: int, fault: Fault) -> None:
        payload: Any = fault.payload
        entries = payload.get("errors", ()) if isinstance(payload, dict) else ()
        for entry in entries:
            self.add(line, f"{entry['param']}: {entry['message']}")
        if not entries:
            self.add(line, fault.message)

    def said(self, name: str) -> str:
        lines = [f"{name}:{line}: {message}" for line, message in sorted(self.shown, key=itemgetter(0))]
        more = [f"… and {self.count - len(lines)} more"] if self.count > len(lines) else []
        return "\n".join([*lines, *more, "nothing was imported"])


@dataclass(frozen=True, slots=True, eq=False)
class _Staging:
    """How records with one set of columns are laid ready; the set has a number."""

    number: int
    draft: Draft
    sql: str

    @classmethod
    def of(cls, table: Table, number: int, columns: tuple[str, ...]) -> _Staging:
        draft = Draft(table, columns, new=True)
        names = ", ".join([_LINE, _SET, *map(quoted, draft.columns)])
        marks = ", ".join("?" * (len(draft.columns) + 2))
        return cls(number, draft, f"INSERT INTO {_STAGED} ({names}) VALUES ({marks})")


Checked = tuple[int, dict[str, Any]]  # a line and its record


class Importer:
    """Puts records into `table` through a `connection` that nobody else uses; it needs the database only to `store`.

    `spoilt` is the run once there are mistakes: nothing will be kept, so that no hash is worth its time.
    With `update`, the name of a unique column, records that have one of its values already are changed instead. With
    `hashed`, passwords come as the hashes that they were exported as.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: Table,
        run: Run,
        spoilt: Run,
        *,
        update: str = "",
        hashed: bool = False,
    ) -> None:
        if update and (update,) not in table.unique:
            single = [columns[0] for columns in table.unique if len(columns) == 1]
            raise SetupError(f"'{update}' is no unique column of '{table.name}': {did_you_mean(update, single)}")
        self.mistakes = Mistakes()
        self._connection, self._table, self._update = connection, table, update
        self._run, self._spoilt = run, spoilt
        self._checked = _taking_hashes(table) if hashed else table
        self._hashes = any(column.type == "password" for column in self._checked.columns.values())
        self._rules = Rules(table) if table.rules else None
        self._sets: dict[tuple[str, ...], _Staging] = {}
        names = ", ".join([f"{_PLACE} INTEGER PRIMARY KEY", _LINE, _SET, *map(quoted, table.columns)])
        connection.execute(f"CREATE TABLE {_STAGED} ({names})")

    async def stage(self, records: Iterable[Given], progress: Callable[[], None]) -> None:
        """Lay records ready, calling `progress` after each batch of them."""
        batch: list[Checked] = []
        staging: _Staging | None = None
        for line, record in records:
            if isinstance(record, str):
                self.mistakes.add(line, record)
                continue
            columns = tuple(record)
            wanted = self._sets.get(columns) or self._staging(line, columns)
            if batch and (wanted is not staging or len(batch) >= BATCH):
                await self._lay(staging, batch)
                progress()
                batch = []
            staging = wanted
            try:
                batch.append((line, wanted.draft.checked(tuple(record.values()))))
            except Fault as fault:
                self.mistakes.add_fault(line, fault)
        await self._lay(staging, batch)
        progress()

    def store(self) -> tuple[int, int]:
        """Copy all that lies ready in one transaction; how many records were added, and how many changed.

        Leaves everything as it was where there are `mistakes`, among them those that show only now.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute("PRAGMA defer_foreign_keys = ON")  # a record may refer to one after it
            before = self._count(quoted(self._table.name))
            for columns, staging in self._sets.items():
                self._copy(columns, staging.number)
            self._check_changed()
            self._find_dangling()
            added = self._count(quoted(self._table.name)) - before
            self._connection.execute("ROLLBACK" if self.mistakes.count else "COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return added, self._count(_STAGED) - added

    def _staging(self, line: int, columns: tuple[str, ...]) -> _Staging:
        if len(self._sets) >= SETS:
            raise SetupError(
                f"line {line}: the records name more than {SETS} different sets of columns, in their order"
            )
        made = self._sets[columns] = _Staging.of(self._checked, len(self._sets), columns)
        return made

    async def _lay(self, staging: _Staging | None, batch: list[Checked]) -> None:
        if staging is None:
            return
        ready = (self._ready(staging, line, data) for line, data in batch)
        rows = await asyncio.gather(*ready) if self._hashes else [await each for each in ready]
        self._connection.executemany(staging.sql, filter(None, rows))

    async def _ready(self, staging: _Staging, line: int, data: dict[str, Any]) -> tuple[object, ...] | None:
        """The row to lay ready; None where it breaks a rule of the table."""
        try:
            values = await staging.draft.stored(self._spoilt if self.mistakes.count else self._run, data)
            if self._rules is not None and not self._update:
                known = dict(zip(staging.draft.columns, values, strict=True))
                self._rules.check(self._run, [known[column.name] for column in self._rules.columns])
            return line, staging.number, *values
        except Fault as fault:
            self.mistakes.add_fault(line, fault)
            return None

    def _copy(self, columns: tuple[str, ...], number: int) -> None:
        names = ", ".join(map(quoted, self._table.columns))
        sql = f"INSERT INTO {quoted(self._table.name)} ({names}) SELECT {names} FROM {_STAGED}"
        changes, moments = self._changes(columns)
        try:
            self._connection.execute(f"{sql} WHERE {_SET} = ? ORDER BY {_PLACE} {changes}", (number, *moments))
        except sqlite3.IntegrityError:
            self._copy_each(f"{sql} WHERE {_PLACE} = ? {changes}", number, moments)

    def _changes(self, columns: Iterable[str]) -> tuple[str, list[object]]:
        """What becomes of a record that is there already, and the values to bind in it."""
        if not self._update:
            return "", []
        changes = [f"{quoted(name)} = excluded.{quoted(name)}" for name in columns]
        timed = [column for name, column in self._table.columns.items() if column.on_update and name not in columns]
        changes += [f"{quoted(column.name)} = ?" for column in timed]
        sql = f"ON CONFLICT ({quoted(self._update)}) DO UPDATE SET {', '.join(changes)}"
        return sql, [moment(column)(self._run) for column in timed]

    def _copy_each(self, sql: str, number: int, moments: list[object]) -> None:
        """Copy what can be, and name the rest."""
        staged = f"SELECT * FROM {_STAGED} WHERE {_SET} = ? ORDER BY {_PLACE}"
        for place, line, _, *values in self._connection.execute(staged, (number,)):
            try:
                self._connection.execute(sql, (place, *moments))
            except sqlite3.IntegrityError as error:
                written = zip(self._table.columns, values, strict=True)
                self.mistakes.add_fault(line, broken(self._connection, self._table, error, written))

    def _check_changed(self) -> None:
        """Hold the rules against the records as they became: a file may change a part of them."""
        if self._rules is None or not self._update:
            return
        key, names = quoted(self._update), ", ".join(f"t.{quoted(column.name)}" for column in self._rules.columns)
        joined = f"{_STAGED} AS s JOIN {quoted(self._table.name)} AS t ON t.{key} = s.{key}"
        for line, *row in self._connection.execute(f"SELECT s.{_LINE}, {names} FROM {joined} ORDER BY s.{_PLACE}"):
            try:
                self._rules.check(self._run, row)
            except Fault as fault:
                self.mistakes.add_fault(line, fault)

    def _find_dangling(self) -> None:
        for name, column in self._table.columns.items():
            if refers(column):
                there = f'SELECT 1 FROM {quoted(column.table)} AS o WHERE o."id" = s.{quoted(name)}'
                where = f"s.{quoted(name)} IS NOT NULL AND NOT EXISTS ({there})"
                for (line,) in self._connection.execute(f"SELECT {_LINE} FROM {_STAGED} AS s WHERE {where}"):
                    self.mistakes.add(line, f"{name}: Input names no record of '{column.table}'.")

    def _count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _taking_hashes(table: Table) -> Table:
    """The table, but that its passwords are hashes already."""
    columns = {
        name: replace(column, type="text", sensitive=True, rules={"pattern": HASH_PATTERN})
        if column.type == "password"
        else column
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns)
