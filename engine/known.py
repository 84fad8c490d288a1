"""What was checked before: a note in the data folder that a workspace had no problem, so no start looks again.

A note is of one state of all that a check depends on: the path and text of every file, the engine's own code, and what
it asks: Python, SQLite and the libraries that read, match and validate. Where anything differs, or the note isn't
whole, everything is checked as if there were none. With one, a stack is checked when it is first asked for, since what
compiles it asks for the kinds of its values.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import jsonschema_rs
import re2
import yaml

from engine.check import Checked, SecretReads
from engine.session import Session
from engine.stack_files import StackFile

NOTE = "checked.json"
WORTHWHILE = 100  # files; fewer are checked sooner than all that a note depends on is read
ENGINE = Path(__file__).parent


def check(root: Path, data: Path) -> Checked:
    """The workspace in a folder, its tests left aside, checked now or as noted in the folder `data`."""
    session = Session(root, tests=False)
    if len(session.files) < WORTHWHILE:
        return session.checked()
    state, note = state_of(root, session.files), data / NOTE
    known = read(note, state)
    if known is not None:
        return session.checked_before(known)
    checked = session.checked()
    if not checked.problems:
        write(note, state, checked.secret_reads)
    return checked


def state_of(root: Path, files: Mapping[Path, StackFile]) -> str:
    """A digest of everything that a check of these files, as they were read, depends on."""
    digest = hashlib.blake2b(digest_size=32)
    parts = [sys.version, sqlite3.sqlite_version, *map(_stamp, (jsonschema_rs, re2, yaml)), str(root)]
    for part in parts:
        _add(digest, part.encode())
    ours = (path for path in sorted(ENGINE.rglob("*")) if path.suffix in (".py", ".yaml") and path.is_file())
    for path in ours:
        _add(digest, str(path).encode())
        _add(digest, path.read_bytes())
    for path, file in files.items():
        _add(digest, str(path).encode())
        _add(digest, (file.text.content if file.text else "").encode())
    return digest.hexdigest()


def _stamp(library: ModuleType) -> str:
    """What tells one version of a library from another, without reading all of it."""
    file = Path(str(library.__file__))
    found = file.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns} {getattr(library, '__version__', '')}"


def _add(digest: hashlib.blake2b, part: bytes) -> None:
    digest.update(b"%d:%b" % (len(part), part))  # no two lists of parts are one text


def read(note: Path, state: str) -> SecretReads | None:
    """The secret columns that the stacks read, as noted of `state`; None where that isn't noted, or not to the end."""
    try:
        noted = json.loads(note.read_bytes())
        pairs = [(str(table), str(column)) for table, column in noted["secret_reads"]]
        is_whole = noted == _noted(state, pairs)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return frozenset(pairs) if is_whole else None


def write(note: Path, state: str, secret_reads: SecretReads) -> None:
    """Notes that a check of `state` found nothing; not where there is no data folder yet, or it can't be written."""
    with suppress(OSError), tempfile.TemporaryDirectory(dir=note.parent, prefix=".noting-") as folder:
        made = Path(folder) / note.name
        made.touch(mode=0o600)
        made.write_text(json.dumps(_noted(state, sorted(secret_reads))), encoding="ascii")
        made.replace(note)  # others see all of it, or none


def _noted(state: str, secret_reads: Iterable[tuple[str, str]]) -> dict[str, object]:
    pairs = [list(pair) for pair in secret_reads]
    seal = hashlib.blake2b(json.dumps([state, pairs]).encode(), digest_size=32).hexdigest()
    return {"state": state, "secret_reads": pairs, "seal": seal}
