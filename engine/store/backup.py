"""Backups: one zip file with the database as it was at one moment, the keys of tokens, and whose they are.

Without its keys a database is worth less: every token and everything encrypted with them dies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import zipfile
import zlib
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import SetupError
from engine.security.keys import KEY_FILE, MAX_FILE, KeyRing, key_files
from engine.store import sqlite_backup
from engine.store.sqlite import create_file
from engine.store.storage import Database, postgres

FORMAT = 1
MANIFEST, KEYS = "backup.json", "keys"

_MAX_MANIFEST = 10_000  # bytes
_QUICK = 1  # of zlib's levels: half the size at four times the speed of the usual one
# What zipfile raises for a file that isn't one, is damaged, encrypted, or packed in a way that it doesn't know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)


class Snapshots(Protocol):
    """What a storage keeps in a backup."""

    @property
    def ENTRIES(self) -> re.Pattern[str]:
        """The names of its files."""

    @property
    def KIND(self) -> str:
        """`a SQLite database`."""

    def pack(self, database: Any, packed: zipfile.ZipFile, folder: Path) -> None:
        """Put a database into a zip file as it is at one moment; `folder` is for what is needed meanwhile."""

    def restored(self, database: Any, packed: zipfile.ZipFile, folder: Path) -> AbstractContextManager[None]:
        """Within it, a database is what a zip file holds; at its end others may use it.

        Raises SetupError, and changes nothing, where the file is damaged or a server uses the database.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Whose database and keys are meant, and where they are."""

    workspace: str
    database: Database
    keys: Path

    @property
    def snapshots(self) -> Snapshots:
        return sqlite_backup if isinstance(self.database, Path) else postgres("pg_backup")


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
        place.snapshots.pack(place.database, packed, folder)
        for key in key_files(place.keys):
            with suppress(FileNotFoundError):  # retired meanwhile
                packed.writestr(f"{KEYS}/{key.name}", key.read_bytes())


def restore(place: Place, backup: Path) -> int:
    """Put a backup in the place of a database and its keys; when it was made (milliseconds since the epoch).

    The database is replaced in one transaction. Raises SetupError, and changes nothing, where the file is no backup of
    this workspace, is damaged, or a server uses the database.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=place.keys.parent) as temporary:
        folder = Path(temporary)
        try:
            with zipfile.ZipFile(backup) as packed:
                made = _made(packed, place, backup)
                _check_names(packed, place, backup)
                _unpack_keys(packed, folder)
                with place.snapshots.restored(place.database, packed, folder):
                    _replace(folder / KEYS, place.keys, folder / "before")
        except _UNREADABLE as error:
            raise SetupError(f"'{backup}' is no backup, or it is damaged: {error}") from None
    return made


def _made(packed: zipfile.ZipFile, place: Place, backup: Path) -> int:
    if MANIFEST not in packed.namelist() or packed.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
        raise SetupError(f"'{backup}' is no backup: it doesn't say whose it is")
    manifest = json.loads(packed.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise SetupError(f"'{backup}' was written by a newer version, which must restore it")
    if manifest["workspace"] != place.workspace:
        raise SetupError(f"'{backup}' is of the workspace '{manifest['workspace']}', not of '{place.workspace}'")
    return int(manifest["made"])


def _check_names(packed: zipfile.ZipFile, place: Place, backup: Path) -> None:
    """Raises SetupError for a file that none of ours is called, or that another storage keeps."""
    for name in packed.namelist():
        if name == MANIFEST or _is_key(name) or place.snapshots.ENTRIES.fullmatch(name):
            continue
        if sqlite_backup.ENTRIES.fullmatch(name):
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
