"""`stackwright add auth`: the prebuilt table, login, signup and me, with their tests, for any workspace."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from engine.errors import SetupError
from engine.http.serve import Settings, existing
from engine.shipped import copy_files, shipped

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


def run(options: argparse.Namespace) -> int:
    root = existing(Settings.from_environment().merged(workspace=options.workspace).workspace)
    if not _NAME.fullmatch(options.table):
        raise SetupError(f"'{options.table}' is no table's name: use letters, digits and _")
    files = auth_files(root, options.table)
    copy_files(files)
    for path in files:
        sys.stdout.write(f"wrote {path}\n")
    return 0


def auth_files(root: Path, table: str) -> dict[Path, str]:
    """The prebuilt files for `table`; every table but `user` has its paths under its own name."""
    stacks = shipped("stacks")
    folder = "auth" if table == "user" else f"{table}/auth"
    files = {root / "tables" / f"{table}.yaml": _for_table((stacks / "tables" / "user.yaml").read_text("utf-8"), table)}
    for path in sorted((stacks / "auth").glob("*.yaml")):
        text = _for_table(path.read_text("utf-8"), table)
        files[root / folder / path.name] = text.replace("../../schemas", "../" * folder.count("/") + "../../schemas")
    return files


def _for_table(text: str, table: str) -> str:
    """A shipped file with another table in the places that name one; variables keep their names."""
    if table == "user":
        return text
    text = re.sub(r"^(table: |auth: )user$", rf"\g<1>{table}", text, flags=re.MULTILINE)
    text = re.sub(r"((?:get|add|edit|delete|has)_record: |create_token: |table: )user\b", rf"\g<1>{table}", text)
    text = re.sub(r"^(\s+)user:", rf"\g<1>{table}:", text, flags=re.MULTILINE)
    text = re.sub(r"(changed: \{)user:", rf"\g<1>{table}:", text)
    return text.replace("/auth/", f"/{table}/auth/")
