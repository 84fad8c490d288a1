"""Backups: one zip file with the database as it was at one moment, the keys of tokens, and whose they are.

Without its keys a database is worth less: every token and everything encrypted with them dies. Where there are several
data sources, the databases of all of them are in it, for they share the keys.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import SetupError
from engine.security.keys import KEY_FILE, MAX_FILE, KeyRing, key_files
from engine.store.sqlite import create_file
from engine.store.writer import is_busy
from engine.workspace import LIVE

FORMAT = 1
MANIFEST, KEYS = "backup.json", "keys"

_MAX_MANIFEST = 10_000  # bytes
_QUICK = 1  # of zlib's levels: half the size at four times the speed of the usual one
# What zipfile raises for a file that isn't one, is damaged, encrypted, or packed in a way that it doesn't know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)
_UNUSABLE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose databases and keys are meant, and where they are; the databases by their data source."""

    workspace: str
    databases: Mapping[str, Path]
    keys: Path


def write(place: Place, target: Path) -> None:
    """Write a backup to `target`, for our user alone, while servers go on. Raises SetupError where it is there."""
    live = place.databases[LIVE]
    if not live.is_file():
        raise SetupError(f"there is no database '{live}' yet: the first start of the server makes one")
    if target.exists():  # before all the work; what counts is whether it is there at the end
        raise SetupError(f"'{target}' is there already, nothing was written")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        whole = Path(folder, "backup.zip")
        create_file(whole)
        with whole.open("r+b") as file:
            _pack(file, _copied(place, Path(folder)), place)
            os.fsync(file.fileno())
        _take(target)
        whole.replace(target)


def _take(target: Path) -> None:
    """Make a file of that name: nobody else can have it then, also where a disk knows no hard links."""
    try:
        target.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise SetupError(f"'{target}' is there already, nothing was written") from None


def _copied(place: Place, folder: Path) -> Iterator[Path]:
    """A copy of each database that is there, one at a time; a data source that nobody served yet has none."""
    for data_source, database in place.databases.items():
        if database.is_file():
            copy = folder / _name(data_source)
            create_file(copy)
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("VACUUM INTO ?", (str(copy),))
            yield copy
            copy.unlink()


def _name(data_source: str) -> str:
    """What a database is called in a backup, wherever it is."""
    return "database.sqlite3" if data_source == LIVE else f"database.{data_source}.sqlite3"


def _pack(file: Any, databases: Iterable[Path], place: Place) -> None:
    manifest = {"format": FORMAT, "workspace": place.workspace, "made": time.time_ns() // 1_000_000}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK) as packed:
        packed.writestr(MANIFEST, json.dumps(manifest))
        for database in databases:
            packed.write(database, database.name)
        for key in key_files(place.keys):
            with suppress(FileNotFoundError):  # retired meanwhile
                packed.writestr(f"{KEYS}/{key.name}", key.read_bytes())


def restore(place: Place, backup: Path) -> tuple[int, list[str]]:
    """Put a backup in the place of databases and their keys; when it was made, and the data sources that it held.

    The time is in milliseconds since the epoch. A data source that it doesn't hold is left as it is. Each database is
    replaced in one transaction: what was there before stays beside it, in SQLite's journal, until all of the new one
    is. Raises SetupError, and changes nothing, where the file is no backup of this workspace, is damaged, or a server
    uses a database.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=place.keys.parent) as name, ExitStack() as opened:
        folder = Path(name)
        made = _unpack(backup, place, folder)
        held = [data_source for data_source in place.databases if (folder / _name(data_source)).exists()]
        targets = {each: opened.enter_context(_alone(place.databases[each])) for each in held}
        for data_source, target in targets.items():
            with closing(sqlite3.connect(folder / _name(data_source))) as source:
                source.backup(target)
        _replace(folder / KEYS, place.keys, folder / "before")
    return made, held


def _unpack(backup: Path, place: Place, folder: Path) -> int:
    databases = [_name(data_source) for data_source in place.databases]
    try:
        with zipfile.ZipFile(backup) as packed:
            made = _made(packed, place, backup)
            for name in packed.namelist():
                if name in databases or (name.startswith(f"{KEYS}/") and KEY_FILE.fullmatch(name[len(KEYS) + 1 :])):
                    _extract(packed, name, folder / name)
                elif name != MANIFEST:
                    raise SetupError(_unknown(name, backup))
    except _UNREADABLE as error:
        raise SetupError(f"'{backup}' is no backup, or it is damaged: {error}") from None
    for name in databases:
        if (folder / name).exists():
            _check_database(folder / name, backup)
    if (folder / KEYS).exists():
        KeyRing.open(folder / KEYS)  # refuses what is no key
    return made


def _unknown(name: str, backup: Path) -> str:
    named = re.fullmatch(r"database\.([a-z0-9_-]{1,40})\.sqlite3", name)
    if named:
        return f"'{backup}' holds the data source '{named[1]}': name it under 'data_sources:' of the workspace first"
    return f"'{backup}' is no backup: it holds '{name[:100]}'"


def _made(packed: zipfile.ZipFile, place: Place, backup: Path) -> int:
    packed.getinfo(_name(LIVE))
    if MANIFEST not in packed.namelist() or packed.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
        raise SetupError(f"'{backup}' is no backup: it doesn't say whose it is")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise SetupError(f"'{backup}' was written by a newer version, which must restore it")
    if manifest["workspace"] != place.workspace:
        raise SetupError(f"'{backup}' is of the workspace '{manifest['workspace']}', not of '{place.workspace}'")
    return int(manifest["made"])


def _extract(packed: zipfile.ZipFile, name: str, path: Path) -> None:
    size = packed.getinfo(name).file_size
    if not size:
        raise ValueError(f"'{name}' is empty")
    if name.startswith(f"{KEYS}/") and size > MAX_FILE:
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


def _replace(new: Path, folder: Path, old: Path) -> None:
    """Put a folder in the place of another, which is moved away; without a new one all stays as it is."""
    if new.exists():
        with suppress(FileNotFoundError):
            folder.rename(old)
        new.rename(folder)
