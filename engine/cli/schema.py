"""`stackwright schema`: the JSON Schemas of all kinds of file, for editors."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from engine.program import LIBRARY
from engine.schema import FILE_KINDS, file_schema


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write one file a kind into a folder")


def run(options: argparse.Namespace) -> int:
    texts = schemas()
    if options.write is None:
        sys.stdout.write("".join(texts.values()))
        return 0
    options.write.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (options.write / name).write_text(text, encoding="utf-8")
    return 0


def schemas() -> dict[str, str]:
    """The schemas' files by name."""
    assert LIBRARY, "the steps are registered"
    return {f"{kind}.json": json.dumps(file_schema(kind), indent=2, ensure_ascii=False) + "\n" for kind in FILE_KINDS}
