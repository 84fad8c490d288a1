"""`stackwright new`: a folder with a workspace to begin with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import SetupError
from engine.shipped import copy_files, shipped

README = """# {name}

A backend of YAML function stacks, made with Stackwright.

    stackwright serve --reload    # serve stacks/ on http://127.0.0.1:8000 and check on every save
    stackwright check             # name every mistake
    stackwright test              # replay every *.test.yaml
"""


def run(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"'{folder}' is there already and not empty, nothing was written")
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in folder.resolve().name)
    files = {folder / "README.md": README.format(name=folder.resolve().name), folder / ".gitignore": "data/\n"}
    for part in ("stacks", "schemas"):
        for path in sorted(shipped(part).rglob("*.*")):
            files[folder / part / path.relative_to(shipped(part))] = path.read_text(encoding="utf-8")
    settings = folder / "stacks" / "workspace.yaml"
    files[settings] = files[settings].replace("workspace: accounts", f"workspace: {_named(name)}")
    copy_files(files)
    sys.stdout.write(f"made {folder}: now 'cd {folder} && stackwright serve'\n")
    return 0


def _named(name: str) -> str:
    return name if name[:1].isalpha() else f"w_{name}"
