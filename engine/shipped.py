"""The workspace that travels with the package: prebuilt stacks, their tests, and the schemas for editors."""

from __future__ import annotations

from pathlib import Path

from engine.errors import SetupError

# In a wheel they lie inside the package, in a checkout beside it.
_PLACES = (Path(__file__).parent / "_shipped", Path(__file__).parent.parent)


def shipped(name: str) -> Path:
    """The folder `stacks` or `schemas` as shipped. Raises SetupError where the installation lacks it."""
    for place in _PLACES:
        if (place / name).is_dir():
            return place / name
    raise SetupError(f"this installation lacks its '{name}': install stackwright again")


def copy_files(files: dict[Path, str]) -> None:
    """Writes all files or none. Raises SetupError where one is there already or can't be written."""
    there = [path for path in files if path.exists()]
    if there:
        raise SetupError(f"'{there[0]}' is there already, nothing was written")
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise SetupError(f"'{error.filename}' can't be written: {error.strerror}") from None
