"""What runs wrote lately, in the order of their turns: it tells a run whether what it has read is still so.

This is optimistic concurrency control with backward validation (Kung and Robinson, "On Optimistic Methods for
Concurrency Control", 1981): a run remembers what it reads, and compares when it takes the turn to write.
"""

from __future__ import annotations

from collections.abc import Iterable

# `(table,)` is any record of a table, `(table, column, value)` are those that have a value in an indexed column.
Key = tuple[str] | tuple[str, str, object]

MOST_KEYS = 1000  # that one run remembers; past it, it is the whole tables
MOST_VALUES = 20_000  # whose last writes are remembered; past it, all of them count as written


class ReadSet:
    """What a run has read since the write numbered `since`."""

    __slots__ = ("keys", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.keys: set[Key] = set()

    def add(self, keys: Iterable[Key]) -> None:
        self.keys.update(keys)
        if len(self.keys) > MOST_KEYS:
            self.keys = {key[:1] for key in self.keys}


class WriteSet:
    """What a run has written: records by the values of their indexed columns, columns, or whole tables."""

    __slots__ = ("columns", "tables", "values")

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.columns: set[tuple[str, str]] = set()
        self.values: set[tuple[str, str, object]] = set()

    def add_tables(self, tables: Iterable[str]) -> None:
        self.tables.update(tables)

    def add_values(self, values: Iterable[tuple[str, str, object]]) -> None:
        self.values.update(values)
        if len(self.values) > MOST_KEYS:
            self.tables.update(table for table, _, _ in self.values)
            self.values.clear()


class History:
    """Numbers what is written. `visible` is the number of the last write that every reader sees."""

    def __init__(self) -> None:
        self.visible = 0
        self._last = 0
        self._any: dict[str, int] = {}  # by table, the last write of all
        self._tables: dict[str, int] = {}  # by table, the last write of which the records aren't known
        self._columns: dict[tuple[str, str], int] = {}
        self._values: dict[tuple[str, str, object], int] = {}
        self._forgotten = 0  # up to this write no values are known any more
        self._foreign = 0  # the write by which others were found to have written

    def add(self, writes: WriteSet | None) -> int:
        """The number of what a run wrote, whose turn is over."""
        self._last = number = self._last + 1
        if writes is None:
            return number
        if len(self._values) > MOST_VALUES:
            self._values.clear()
            self._forgotten = number
        for table in writes.tables:
            self._any[table] = self._tables[table] = number
        for column in writes.columns:
            self._any[column[0]] = self._columns[column] = number
        for value in writes.values:
            self._any[value[0]] = self._values[value] = number
        return number

    def add_foreign(self) -> None:
        """Another process has written, nobody knows what."""
        self._last += 1
        self._foreign = self._last

    @property
    def is_shared(self) -> bool:
        """Whether other processes write."""
        return self._foreign > 0

    def may_miss(self, reads: ReadSet) -> bool:
        """Whether other processes may have written since."""
        return self._foreign > reads.since

    def has_changed(self, reads: ReadSet) -> bool:
        """Whether a run of this process has written any of it since."""
        return any(self._is_later(key, reads.since) for key in reads.keys)

    def _is_later(self, key: Key, since: int) -> bool:
        if self._any.get(key[0], 0) <= since:
            return False
        if len(key) == 1:
            return True
        table, column, _ = key
        later = (self._tables.get(table, 0), self._columns.get((table, column), 0), self._values.get(key, 0))
        return max(*later, self._forgotten) > since


class Reading:
    """What a statement reads: all records of `tables`, or of a single one those with a value in an indexed column.

    `key` is that column, and the place of the value among those that are bound.
    """

    __slots__ = ("_column", "_place", "_table", "_whole")

    def __init__(self, tables: Iterable[str], key: tuple[str, int] | None = None) -> None:
        self._whole: tuple[Key, ...] = tuple((table,) for table in sorted(tables))
        self._table = self._whole[0][0] if len(self._whole) == 1 and key is not None else ""
        self._column, self._place = key or ("", 0)

    def keys(self, values: tuple[object, ...]) -> tuple[Key, ...]:
        """What it reads where these values are bound."""
        if not self._table:
            return self._whole
        value = values[self._place]
        # Null may drop the comparison; what is no scalar is a list of values.
        return ((self._table, self._column, value),) if isinstance(value, int | float | str) else self._whole
