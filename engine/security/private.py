"""Folders and files that only their owner may read: they hold password hashes, keys and all records."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from engine.errors import SetupError


def refuse_exposed(paths: Iterable[Path]) -> None:
    """Raises SetupError where others may read or write one of `paths`, with the command that mends it."""
    modes = {path: mode for path in paths if (mode := _mode(path)) & 0o077}
    if os.name == "posix" and modes:
        said = " and ".join(map(str, modes))
        mends = (f"chmod {700 if stat.S_ISDIR(mode) else 600} {shlex.quote(str(path))}" for path, mode in modes.items())
        raise SetupError(
            f"{said} may be read or written by others than the owner: run {' && '.join(mends)}"
            " (or set STACKWRIGHT_SHARED_DATA=yes, where they are to)"
        )


def _mode(path: Path) -> int:
    """The mode of a file; 0 where there is none."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
