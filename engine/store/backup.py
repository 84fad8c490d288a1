"""Backups: one zip file with the database as it was at one moment, the keys of tokens, and whose they are.

Without its keys a database is worth less: every token and everything encrypted with them dies.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import SetupError
from engine.security.keys import KEY_FILE, MAX_FILE, KeyRing, key_files
from engine.store.sqlite import create_file
from engine.store.writer import is_busy

FORMAT = 1
MANIFEST, DATABASE, KEYS = "backup.json", "database.sqlite3", "keys"

_MAX_MANIFEST = 10_000  # bytes
_QUICK = 1  # of zlib's levels: half the size at four times the speed of the usual one
# What zipfile raises for a file that isn't one, is damaged, encrypted, or packed in a way that it doesn't know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)
_UNUSABLE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose database and keys are meant, and where they are."""

    workspace: str
    database: Path
    keys: Path


def write(place: Place, target: Path) -> None:
    """Write a backup to `target`, for our user alone, while servers go on. Raises SetupError where it is there."""
    if not place.database.is_file():
        raise SetupError(f"there is no database '{place.database}' yet: the first start of the server makes one")
    if target.exists():  # before all the work; what counts is whether it is there at the end
        raise SetupError(f"'{target}' is there already, nothing was written")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        copy, whole = Path(folder, DATABASE), Path(folder, "backup.zip")
        create_file(copy)
        with closing(sqlite3.connect(place.database)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        create_file(whole)
        with whole.open("r+b") as file:
            _pack(file, copy, place)
            os.fsync(file.fileno())
        _take(target)
        whole.replace(target)


def _take(target: Path) -> None:
    """Make a file of that name: nobody else can have it then, also where a disk knows no hard links."""
    try:
        target.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise SetupError(f"'{target}' is there already, nothing was written") from None


def _pack(file: Any, database: Path, place: Place) -> None:
    manifest = {"format": FORMAT, "workspace": place.workspace, "made": time.time_ns() // 1_000_000}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK) as packed:
        packed.writestr(MANIFEST, json.dumps(manifest))
        packed.write(database, DATABASE)
        for key in key_files(place.keys):
            with suppress(FileNotFoundError):  # retired meanwhile
                packed.writestr(f"{KEYS}/{key.name}", key.read_bytes())


def restore(place: Place, backup: Path) -> int:
    """Put a backup in the place of a database and its keys; when it was made (milliseconds since the epoch).

    The database is replaced in one transaction: what was there before stays beside it, in SQLite's journal, until all
    of the new one is. Raises SetupError, and changes nothing, where the file is no backup of this workspace, is
    damaged, or a server uses the database.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=place.keys.parent) as folder:
        made = _unpack(backup, place, Path(folder))
        with _alone(place.database) as connection:
            with closing(sqlite3.connect(Path(folder, DATABASE))) as source:
                source.backup(connection)
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("PRAGMA journal_mode = WAL")
            _replace(Path(folder, KEYS), place.keys, Path(folder, "before"))
    return made


def _unpack(backup: Path, place: Place, folder: Path) -> int:
    try:
        with zipfile.ZipFile(backup) as packed:
            made = _made(packed, place, backup)
            for name in packed.namelist():
                if name == DATABASE or (name.startswith(f"{KEYS}/") and KEY_FILE.fullmatch(name[len(KEYS) + 1 :])):
                    _extract(packed, name, folder / name)
                elif name != MANIFEST:
                    raise SetupError(f"'{backup}' is no backup: it holds '{name[:100]}'")
    except _UNREADABLE as error:
        raise SetupError(f"'{backup}' is no backup, or it is damaged: {error}") from None
    _check_database(folder / DATABASE, backup)
    if (folder / KEYS).exists():
        KeyRing.open(folder / KEYS)  # refuses what is no key
    return made


def _made(packed: zipfile.ZipFile, place: Place, backup: Path) -> int:
    if not packed.getinfo(DATABASE).file_size:
        raise ValueError("its database is empty")
    if MANIFEST not in packed.namelist() or packed.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
        raise SetupError(f"'{backup}' is no backup: it doesn't say whose it is")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise SetupError(f"'{backup}' was written by a newer version, which must restore it")
    if manifest["workspace"] != place.workspace:
        raise SetupError(f"'{backup}' is of the workspace '{manifest['workspace']}', not of '{place.workspace}'")
    return int(manifest["made"])


def _extract(packed: zipfile.ZipFile, name: str, path: Path) -> None:
    if name != DATABASE and packed.getinfo(name).file_size > MAX_FILE:
        raise ValueError(f"'{name}' is too long for a key")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    create_file(path)
    with packed.open(name) as source, path.open("r+b") as target:
        shutil.copyfileobj(source, target)


def _check_database(path: Path, backup: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SetupError(f"the database in '{backup}' is damaged: {found}")


@contextmanager
def _alone(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that nobody else has beside it, with a database that is made where there is none.

    Whoever has a database open in WAL mode shares a lock on its file, so that its journal can't be changed.
    """
    create_file(database)
    connection = sqlite3.connect(database, isolation_level=None, timeout=1)
    try:
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
        yield connection
    finally:
        connection.close()


def _afresh(database: Path) -> sqlite3.Connection:
    """A connection with a new database; what was no database is kept beside it."""
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm")):
        with suppress(FileNotFoundError):
            path.rename(f"{path}.damaged")
    create_file(database)
    return sqlite3.connect(database, isolation_level=None)


def _replace(new: Path, folder: Path, old: Path) -> None:
    """Put a folder in the place of another, which is moved away; without a new one all stays as it is."""
    if new.exists():
        with suppress(FileNotFoundError):
            folder.rename(old)
        new.rename(folder)
