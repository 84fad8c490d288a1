"""Backups: one zip file with the database as it was at one moment, the keys of tokens, and whose they are.

Without its keys a database is worth less: every token and everything encrypted with them dies. Where there are several
data sources, the databases of all of them are in it, for they share the keys.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import SetupError
from engine.security.keys import KEY_FILE, MAX_FILE, KeyRing, key_files
from engine.store import sqlite_backup
from engine.store.drivers import postgres
from engine.store.sqlite import create_file
from engine.store.storage import Database
from engine.workspace import LIVE

FORMAT = 1
MANIFEST, KEYS = "backup.json", "keys"

_MAX_MANIFEST = 10_000  # bytes
_QUICK = 1  # of zlib's levels: half the size at four times the speed of the usual one
# What zipfile raises for a file that isn't one, is damaged, encrypted, or packed in a way that it doesn't know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)


class Snapshots(Protocol):
    """What a storage keeps in a backup: the databases of data sources."""

    @property
    def KIND(self) -> str:
        """`a SQLite database`."""

    def source_of(self, name: str) -> str | None:
        """The data source that a file of a backup is of; None for one that this storage has nothing to do with."""

    def pack(self, databases: Any, packed: zipfile.ZipFile, folder: Path) -> None:
        """Put databases, by data source, into a zip file; `folder` is for what is needed meanwhile.

        A data source that nobody served yet is left out.
        """

    def restored(self, databases: Any, packed: zipfile.ZipFile, folder: Path) -> AbstractContextManager[None]:
        """Within it, databases are what a zip file holds of them; at its end others may use them.

        Raises SetupError, and changes nothing, where the file is damaged or a server uses a database.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Whose databases and keys are meant, and where they are; the databases, all of one storage, by data source."""

    workspace: str
    databases: Mapping[str, Database]
    keys: Path

    @property
    def snapshots(self) -> Snapshots:
        return sqlite_backup if isinstance(self.databases[LIVE], Path) else postgres("pg_backup")


def write(place: Place, target: Path) -> None:
    """Write a backup to `target`, for our user alone, while servers go on. Raises SetupError where it is there."""
    if target.exists():  # before all the work; what counts is whether it is there at the end
        raise SetupError(f"'{target}' is there already, nothing was written")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        whole = Path(folder, "backup.zip")
        create_file(whole)
        with whole.open("r+b") as file:
            _pack(file, Path(folder), place)
            os.fsync(file.fileno())
        _take(target)
        whole.replace(target)


def _take(target: Path) -> None:
    """Make a file of that name: nobody else can have it then, also where a disk knows no hard links."""
    try:
        target.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise SetupError(f"'{target}' is there already, nothing was written") from None


def _pack(file: Any, folder: Path, place: Place) -> None:
    manifest = {"format": FORMAT, "workspace": place.workspace, "made": time.time_ns() // 1_000_000}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK) as packed:
        packed.writestr(MANIFEST, json.dumps(manifest))
        place.snapshots.pack(place.databases, packed, folder)
        for key in key_files(place.keys):
            with suppress(FileNotFoundError):  # retired meanwhile
                packed.writestr(f"{KEYS}/{key.name}", key.read_bytes())


def restore(place: Place, backup: Path) -> tuple[int, list[str]]:
    """Put a backup in the place of databases and their keys; when it was made, and the data sources that it held.

    The time is in milliseconds since the epoch. A data source that it doesn't hold is left as it is. Each database is
    replaced in one transaction. Raises SetupError, and changes nothing, where the file is no backup of this workspace,
    is damaged, or a server uses a database.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=place.keys.parent) as temporary:
        folder = Path(temporary)
        try:
            with zipfile.ZipFile(backup) as packed:
                made = _made(packed, place, backup)
                held = _held(packed, place, backup)
                _unpack_keys(packed, folder)
                with ExitStack() as opened:
                    opened.enter_context(place.snapshots.restored(held, packed, folder))
                    with _replaced(folder / KEYS, place.keys, folder / "before"):
                        opened.close()
        except _UNREADABLE as error:
            raise SetupError(f"'{backup}' is no backup, or it is damaged: {error}") from None
    return made, list(held)


def _made(packed: zipfile.ZipFile, place: Place, backup: Path) -> int:
    if MANIFEST not in packed.namelist() or packed.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
        raise SetupError(f"'{backup}' is no backup: it doesn't say whose it is")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise SetupError(f"'{backup}' was written by a newer version, which must restore it")
    if manifest["workspace"] != place.workspace:
        raise SetupError(f"'{backup}' is of the workspace '{manifest['workspace']}', not of '{place.workspace}'")
    return int(manifest["made"])


def _held(packed: zipfile.ZipFile, place: Place, backup: Path) -> dict[str, Database]:
    """The databases that a backup holds. Raises SetupError for a file that none of ours is called."""
    found = set()
    for name in packed.namelist():
        data_source = place.snapshots.source_of(name)
        if data_source is None and name != MANIFEST and not _is_key(name):
            raise SetupError(_unknown(name, place, backup))
        found.add(data_source)
    if unnamed := found - {None, *place.databases}:
        said = ", ".join(sorted(f"'{name}'" for name in unnamed))
        raise SetupError(
            f"'{backup}' holds the data source {said}: name it under 'data_sources:' of the workspace first"
        )
    if LIVE not in found:
        raise ValueError("it holds no database")
    return {name: database for name, database in place.databases.items() if name in found}


def _unknown(name: str, place: Place, backup: Path) -> str:
    if sqlite_backup.source_of(name):
        more = "restore it without STACKWRIGHT_DATABASE_URL, then run `stackwright copy`"
        return f"'{backup}' holds {sqlite_backup.KIND}: {more}"
    return f"'{backup}' is no backup of {place.snapshots.KIND}: it holds '{name[:100]}'"


def _is_key(name: str) -> bool:
    return name.startswith(f"{KEYS}/") and KEY_FILE.fullmatch(name[len(KEYS) + 1 :]) is not None


def _unpack_keys(packed: zipfile.ZipFile, folder: Path) -> None:
    for name in filter(_is_key, packed.namelist()):
        if packed.getinfo(name).file_size > MAX_FILE:
            raise ValueError(f"'{name}' is too long for a key")
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        create_file(path)
        with packed.open(name) as source, path.open("r+b") as target:
            shutil.copyfileobj(source, target)
    if (folder / KEYS).exists():
        KeyRing.open(folder / KEYS)  # refuses what is no key


@contextmanager
def _replaced(new: Path, folder: Path, old: Path) -> Iterator[None]:
    """Put a folder in the place of another, and that back where something is raised; without a new one all stays."""
    if not new.exists():
        yield
        return
    with suppress(FileNotFoundError):
        folder.rename(old)
    new.rename(folder)
    try:
        yield
    except BaseException:
        folder.rename(new)
        with suppress(FileNotFoundError):
            old.rename(folder)
        raise
