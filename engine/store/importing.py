"""Records of a file put into a table of a database: all of them, or none and what is wrong with any.

They are checked, hashed and laid ready in a temporary table of SQLite's first, which it keeps on the disk; only then
are they copied, in one statement, so that a server that runs waits for that alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, Protocol

from engine.errors import Fault, SetupError, did_you_mean
from engine.security.passwords import HASH_PATTERN
from engine.store.base import Run, quoted
from engine.store.constraints import not_unique
from engine.store.rows import Draft, moment
from engine.store.rules import Rules
from engine.store.schema import refers
from engine.store.sources import Given
from engine.workspace import Table

BATCH = 1000  # records that are laid ready at once
SETS = 256  # sets of columns that the records of one file may have
SHOWN = 20  # mistakes that are told one by one

# No author's name has a dot.
STAGED = "staged."
PLACE, LINE, SET = "place.", "line.", "set."
_STAGED = f"temp.{quoted(STAGED)}"
_PLACE, _LINE, _SET = quoted(PLACE), quoted(LINE), quoted(SET)


@dataclass
class Mistakes:
    """What is wrong with a file, by line: the first ones, and how many there are."""

    count: int = 0
    shown: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        self.count += 1
        insort(self.shown, (line, message), key=itemgetter(0))
        del self.shown[SHOWN:]

    def add_fault(self, line: int, fault: Fault) -> None:
        payload: Any = fault.payload
        entries = payload.get("errors", ()) if isinstance(payload, dict) else ()
        for entry in entries:
            self.add(line, f"{entry['param']}: {entry['message']}")
        if not entries:
            self.add(line, fault.message)

    def said(self, name: str) -> str:
        lines = [f"{name}:{line}: {message}" for line, message in self.shown]
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


class Target(Protocol):
    """The database that records are copied into."""

    @property
    def staged(self) -> str:
        """Where the records lie ready that can be copied, as SQL."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What a copy raises that breaks a rule of the database."""

    def filling(self, table: Table, keep: Callable[[], bool]) -> AbstractContextManager[None]:
        """A transaction in which nobody else writes to a table; what it did is kept if `keep` says so at its end.

        References are looked at then: a record may refer to one after it.
        """

    def literal(self, value: object) -> str: ...

    def id_of(self, table: Table) -> str:
        """What makes the id of a record that lies ready, as SQL."""

    def copy(self, sql: str) -> None:
        """Do an insert, or nothing of it where it raises one of the `refusals`."""

    def rows(self, sql: str) -> Iterator[Sequence[Any]]: ...

    def fault(self, table: Table, refusal: Any, written: Iterable[tuple[str, object]]) -> Fault:
        """What a record breaks, its columns with their values being `written`."""


class Importer:
    """Puts records into `table`; they lie ready in the memory that `connection` has, which nobody else uses.

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

    def store(self, target: Target) -> tuple[int, int]:
        """Copy all that lies ready in one transaction; how many records were added, and how many changed.

        Leaves everything as it was where there are `mistakes`, among them those that show only now.
        """
        [(staged,)] = self._connection.execute(f"SELECT count(*) FROM {_STAGED}")
        with target.filling(self._table, keep=lambda: not self.mistakes.count):
            before = self._count(target)
            self._drop_repeated(target)
            for columns, staging in self._sets.items():
                self._copy(target, columns, staging.number)
            self._check_changed(target)
            self._find_dangling(target)
            added = self._count(target) - before
        return added, staged - added

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

    def _drop_repeated(self, target: Target) -> None:
        """Name the records that have what others have, those before them in the file included, and copy the rest.

        Asked of all at once: where a whole file is there already, it would take long to find out one by one.
        """
        for columns in () if self._update else self._table.unique:
            for (line,) in target.rows(self._repeated(target, columns)):
                self.mistakes.add_fault(line, not_unique(columns))

    def _repeated(self, target: Target, columns: Iterable[str]) -> str:
        """What drops the records that lie ready with values of unique columns which others have; it yields lines."""
        names = list(map(quoted, columns))
        same, present = (
            " AND ".join(how.format(name) for name in names) for how in ("o.{0} = s.{0}", "s.{0} IS NOT NULL")
        )
        taken = f"EXISTS (SELECT 1 FROM {quoted(self._table.name)} AS o WHERE {same})"
        number = f"row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {_PLACE})"
        found = f"SELECT {_PLACE}, {number} AS number, {taken} AS taken FROM {target.staged} AS s WHERE {present}"
        places = f"SELECT {_PLACE} FROM ({found}) AS f WHERE number > 1 OR taken"
        return f"DELETE FROM {target.staged} WHERE {_PLACE} IN ({places}) RETURNING {_LINE}"

    def _copy(self, target: Target, columns: tuple[str, ...], number: int) -> None:
        names = ", ".join(map(quoted, self._table.columns))
        values = ", ".join(target.id_of(self._table) if name == "id" else quoted(name) for name in self._table.columns)
        sql = f"INSERT INTO {quoted(self._table.name)} ({names}) SELECT {values} FROM {target.staged}"
        sql += f" WHERE {_SET} = {number} AND {_PLACE} BETWEEN {{}} AND {{}} ORDER BY {_PLACE} "
        ends = f"SELECT min({_PLACE}), max({_PLACE}) FROM {_STAGED} WHERE {_SET} = ?"
        first, last = self._connection.execute(ends, (number,)).fetchone()
        if first is not None:
            self._copy_part(target, sql + self._changes(target, columns), first, last)

    def _copy_part(self, target: Target, sql: str, first: int, last: int) -> None:
        """Copy what can be of the records from one place to another, and name the rest."""
        try:
            target.copy(sql.format(first, last))
        except target.refusals as refusal:
            if first < last:
                middle = (first + last) // 2
                self._copy_part(target, sql, first, middle)
                self._copy_part(target, sql, middle + 1, last)
            else:
                self._refuse(target, refusal, first)

    def _refuse(self, target: Target, refusal: Exception, place: int) -> None:
        names = ", ".join([_LINE, *map(quoted, self._table.columns)])
        staged = self._connection.execute(f"SELECT {names} FROM {_STAGED} WHERE {_PLACE} = ?", (place,))
        line, *values = staged.fetchone()
        written = zip(self._table.columns, values, strict=True)
        self.mistakes.add_fault(line, target.fault(self._table, refusal, written))

    def _changes(self, target: Target, columns: Iterable[str]) -> str:
        """What becomes of a record that is there already."""
        if not self._update:
            return ""
        changes = [f"{quoted(name)} = excluded.{quoted(name)}" for name in columns]
        timed = [column for name, column in self._table.columns.items() if column.on_update and name not in columns]
        changes += [f"{quoted(column.name)} = {target.literal(moment(column)(self._run))}" for column in timed]
        return f"ON CONFLICT ({quoted(self._update)}) DO UPDATE SET {', '.join(changes)}"

    def _check_changed(self, target: Target) -> None:
        """Hold the rules against the records as they became: a file may change a part of them."""
        if self._rules is None or not self._update:
            return
        key, names = quoted(self._update), ", ".join(f"t.{quoted(column.name)}" for column in self._rules.columns)
        joined = f"{target.staged} AS s JOIN {quoted(self._table.name)} AS t ON t.{key} = s.{key}"
        for line, *row in target.rows(f"SELECT s.{_LINE}, {names} FROM {joined} ORDER BY s.{_PLACE}"):
            try:
                self._rules.check(self._run, row)
            except Fault as fault:
                self.mistakes.add_fault(line, fault)

    def _find_dangling(self, target: Target) -> None:
        for name, column in self._table.columns.items():
            if refers(column):
                there = f'SELECT 1 FROM {quoted(column.table)} AS o WHERE o."id" = s.{quoted(name)}'
                where = f"s.{quoted(name)} IS NOT NULL AND NOT EXISTS ({there})"
                for (line,) in target.rows(f"SELECT {_LINE} FROM {target.staged} AS s WHERE {where}"):
                    self.mistakes.add(line, f"{name}: Input names no record of '{column.table}'.")

    def _count(self, target: Target) -> int:
        [(count,)] = target.rows(f"SELECT count(*) FROM {quoted(self._table.name)}")
        return int(count)


def _taking_hashes(table: Table) -> Table:
    """The table, but that its passwords are hashes already."""
    columns = {
        name: replace(column, type="text", sensitive=True, rules={"pattern": HASH_PATTERN})
        if column.type == "password"
        else column
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns)
