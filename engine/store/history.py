"""What runs wrote lately, in the order of their turns: it tells a run whether what it has read is still so.

This is optimistic concurrency control with backward validation (Kung and Robinson, "On Optimistic Methods for
Concurrency Control", 1981): a run remembers what it reads, and compares when it takes the turn to write.
"""

from __future__ import annotations

from collections.abc import Iterable

# `(table,)` are all records of a table, `(table, column)` all values of an indexed column, `(table, column, hash)` the
# records that have one of them. Of a value only its hash is kept, which takes no room and gives nothing away: where two
# have the same, a run is overtaken for nothing.
Key = tuple[object, ...]

MOST_KEYS = 1000  # that one run remembers; past it, it is the whole tables
MOST_WRITTEN = 20_000  # keys whose last writes are remembered; past it, all of them count as written


class ReadSet:
    """What a run has read since the write numbered `since`."""

    __slots__ = ("keys", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.keys: set[Key] = set()

    def add(self, keys: Iterable[Key]) -> None:
        self.keys.update(keys)
        if len(self.keys) > MOST_KEYS:
            self.keys = tables_of(self.keys)


def tables_of(keys: Iterable[Key]) -> set[Key]:
    """The whole tables that keys are of."""
    return {key[:1] for key in keys}


class History:
    """Numbers what is written. `visible` is the number of the last write that every reader sees.

    Of tables that aren't `watched`, since no run that may write has read them, it need not be told.
    """

    def __init__(self) -> None:
        self.visible = 0
        self.watched: set[str] = set()
        self._last = 0
        self._tables: dict[object, int] = {}  # by table, the last write of anything in it
        self._keys: dict[Key, int] = {}
        self._forgotten = 0  # up to this write no keys are known any more
        self._foreign = 0  # the write by which others were found to have written

    def watch(self, tables: Iterable[str]) -> None:
        """From now on be told of all that is written in these tables; what was written until now isn't known."""
        for table in tables:
            if table in self.watched:
                continue
            self.watched.add(table)
            # Two more than the last: what a run is writing now, behind what another process did.
            self._tables[table] = self._keys[(table,)] = self._last + 2

    def add(self, writes: set[Key]) -> int:
        """The number of what a run wrote, whose turn is over."""
        self._last = number = self._last + 1
        if len(self._keys) > MOST_WRITTEN:
            self._keys.clear()
            self._forgotten = number
        tables, keys = self._tables, self._keys
        for key in writes if len(writes) <= MOST_KEYS else tables_of(writes):
            tables[key[0]] = keys[key] = number
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
        if self._tables.get(key[0], 0) <= since:
            return False
        if len(key) == 1 or self._forgotten > since:
            return True
        return any(self._keys.get(key[:length], 0) > since for length in range(1, len(key) + 1))


class Reading:
    """What a statement reads: all records of `tables`, or of a single one those with a value in an indexed column.

    `key` is that column, and the place of the value among those that are bound.
    """

    __slots__ = ("_column", "_place", "_table", "_whole", "tables")

    def __init__(self, tables: Iterable[str], key: tuple[str, int] | None = None) -> None:
        self.tables = tuple(sorted(tables))
        self._whole: tuple[Key, ...] = tuple((table,) for table in self.tables)
        self._table = self.tables[0] if len(self.tables) == 1 and key is not None else ""
        self._column, self._place = key or ("", 0)

    def keys(self, values: tuple[object, ...]) -> tuple[Key, ...]:
        """What it reads where these values are bound."""
        if not self._table:
            return self._whole
        value = values[self._place]
        # Null may drop the comparison; what is no scalar is a list of values.
        is_one = isinstance(value, int | float | str)
        return ((self._table, self._column, hash(value)),) if is_one else self._whole
