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
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
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
    """What a storage keeps in a backup, for each data source."""

    @property
    def KIND(self) -> str:
        """`a SQLite database`."""

    def source_of(self, name: str) -> str | None:
        """The data source whose file is called `name`; None for what no file of this storage is called."""

    def pack(self, database: Any, packed: zipfile.ZipFile, folder: Path, data_source: str) -> None:
        """Put a database into a zip file as it is at one moment; `folder` is for what is needed meanwhile.

        One that isn't there yet is left out.
        """

    def opened(
        self, database: Any, packed: zipfile.ZipFile, folder: Path, data_source: str
    ) -> AbstractContextManager[Callable[[], None]]:
        """What makes a database the one that a zip file holds, in one transaction.

        Both raise SetupError and change nothing where the file is damaged or a server uses the database.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Whose databases and keys are meant, and where they are; the databases by their data source."""

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
        for data_source, database in place.databases.items():
            place.snapshots.pack(database, packed, folder, data_source)
        for key in key_files(place.keys):
            with suppress(FileNotFoundError):  # retired meanwhile
                packed.writestr(f"{KEYS}/{key.name}", key.read_bytes())


def restore(place: Place, backup: Path) -> tuple[int, list[str]]:
    """Put a backup in the place of databases and their keys; when it was made, and the data sources that it held.

    The time is in milliseconds since the epoch. A data source that it doesn't hold is left as it is. Raises SetupError,
    and changes nothing, where the file is no backup of this workspace, is damaged, or a server uses a database.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=place.keys.parent) as temporary:
        folder = Path(temporary)
        try:
            with zipfile.ZipFile(backup) as packed:
                made = _made(packed, place, backup)
                held = _held(packed, place, backup)
                _unpack_keys(packed, folder)
                with ExitStack() as opened:
                    puts = [opened.enter_context(_opened(place, packed, folder, each)) for each in held]
                    for put in puts:
                        put()
                    _replace(folder / KEYS, place.keys, folder / "before")
        except _UNREADABLE as error:
            raise SetupError(f"'{backup}' is no backup, or it is damaged: {error}") from None
    return made, held


def _opened(
    place: Place, packed: zipfile.ZipFile, folder: Path, data_source: str
) -> AbstractContextManager[Callable[[], None]]:
    return place.snapshots.opened(place.databases[data_source], packed, folder, data_source)


def _made(packed: zipfile.ZipFile, place: Place, backup: Path) -> int:
    if MANIFEST not in packed.namelist() or packed.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
        raise SetupError(f"'{backup}' is no backup: it doesn't say whose it is")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise SetupError(f"'{backup}' was written by a newer version, which must restore it")
    if manifest["workspace"] != place.workspace:
        raise SetupError(f"'{backup}' is of the workspace '{manifest['workspace']}', not of '{place.workspace}'")
    return int(manifest["made"])


def _held(packed: zipfile.ZipFile, place: Place, backup: Path) -> list[str]:
    """The data sources that a backup holds. Raises SetupError for a file that none of ours is called."""
    held = {_source_of(name, place, backup) for name in packed.namelist() if name != MANIFEST and not _is_key(name)}
    if LIVE not in held:
        raise KeyError(f"it holds no database of '{LIVE}'")
    return [name for name in place.databases if name in held]


def _source_of(name: str, place: Place, backup: Path) -> str:
    """The data source that a file belongs to. Raises SetupError where it is none of this place."""
    data_source = place.snapshots.source_of(name)
    if data_source in place.databases:
        return str(data_source)
    if data_source is not None:
        raise SetupError(
            f"'{backup}' holds the data source '{data_source}': name it under 'data_sources:' of the workspace first"
        )
    if sqlite_backup.source_of(name) is not None:
        raise SetupError(
            f"'{backup}' holds {sqlite_backup.KIND}: restore it without STACKWRIGHT_DATABASE_URL, then run"
            " `stackwright copy`"
        )
    raise SetupError(f"'{backup}' is no backup of {place.snapshots.KIND}: it holds '{name[:100]}'")


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


def _replace(new: Path, folder: Path, old: Path) -> None:
    """Put a folder in the place of another, which is moved away; without a new one all stays as it is."""
    if new.exists():
        with suppress(FileNotFoundError):
            folder.rename(old)
        new.rename(folder)
