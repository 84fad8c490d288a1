"""Packages from npm, which some tests drive: installed once, in a folder that outlives the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stackwright-tests"


def installed(declared: Path, name: str) -> Path:
    """The folder with `node_modules` of what the `package.json` in `declared` asks for; skips where that can't be had.

    `name` is the folder's; another one where the packages are others.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("this needs node and npm")
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(declared / "package.json", folder)
    if not (folder / "node_modules").is_dir():
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        if subprocess.run(command, cwd=folder, timeout=300).returncode:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            pytest.skip("the packages can't be installed: is the registry there?")
    return folder
