"""SQLite databases in a backup: each file as it was at one moment; see `backup.Snapshots`."""

from __future__ import annotations

import re
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from engine.errors import SetupError
from engine.store.sqlite import create_file, failure
from engine.store.writer import is_busy
from engine.workspace import LIVE

KIND = "a SQLite database"

_ENTRY = re.compile(r"database(?:\.(?P<source>[a-z0-9_-]{1,40}))?\.sqlite3")
_UNUSABLE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def source_of(name: str) -> str | None:
    """See `backup.Snapshots`."""
    entry = _ENTRY.fullmatch(name)
    return entry["source"] or LIVE if entry else None


def _name(data_source: str) -> str:
    """What a database is called in a backup, wherever it is."""
    return "database.sqlite3" if data_source == LIVE else f"database.{data_source}.sqlite3"


def pack(databases: Mapping[str, Path], packed: zipfile.ZipFile, folder: Path) -> None:
    if not databases[LIVE].is_file():
        raise SetupError(f"there is no database '{databases[LIVE]}' yet: the first start of the server makes one")
    for data_source, database in databases.items():
        if database.is_file():
            copy = folder / _name(data_source)
            create_file(copy)
            with _failing(database), closing(sqlite3.connect(database)) as connection:
                connection.execute("VACUUM INTO ?", (str(copy),))
            packed.write(copy, copy.name)
            copy.unlink()


@contextmanager
def restored(databases: Mapping[str, Path], packed: zipfile.ZipFile, folder: Path) -> Iterator[None]:
    """What was there before stays beside each, in SQLite's journal, until all of the new one is there."""
    copies = {data_source: _unpacked(packed, _name(data_source), folder) for data_source in databases}
    with ExitStack() as opened:
        targets = {each: opened.enter_context(_alone(database)) for each, database in databases.items()}
        for data_source, target in targets.items():
            with _failing(databases[data_source]), closing(sqlite3.connect(copies[data_source])) as new:
                new.backup(target)
        yield


def _unpacked(packed: zipfile.ZipFile, name: str, folder: Path) -> Path:
    if not packed.getinfo(name).file_size:
        raise ValueError(f"'{name}' is empty")
    copy = folder / name
    create_file(copy)
    with packed.open(name) as source, copy.open("r+b") as target:
        shutil.copyfileobj(source, target)
    _check(copy, packed)
    return copy


@contextmanager
def _failing(database: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise failure(database, error) from error


def _check(copy: Path, packed: zipfile.ZipFile) -> None:
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SetupError(f"the database in '{packed.filename}' is damaged: {found}")


@contextmanager
def _alone(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that nobody else has beside it, with a database that is made where there is none.

    Whoever has a database open in WAL mode shares a lock on its file, so that its journal can't be changed.
    """
    create_file(database)
    connection = sqlite3.connect(database, isolation_level=None, timeout=1)
    try:
        with _failing(database):
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                if is_busy(error):
                    raise SetupError(
                        f"a server or a command uses '{database}': stop it first, nothing was changed"
                    ) from None
                if error.sqlite_errorcode not in _UNUSABLE:
                    raise
                connection.close()
                connection = _afresh(database)
        try:
            yield connection
        finally:
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _afresh(database: Path) -> sqlite3.Connection:
    """A connection with a new database; what was no database is kept beside it."""
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm")):
        with suppress(FileNotFoundError):
            path.rename(f"{path}.damaged")
    create_file(database)
    return sqlite3.connect(database, isolation_level=None)
