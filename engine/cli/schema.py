"""`stackwright schema`: the JSON Schemas of all kinds of file, for editors and other tools."""

from __future__ import annotations

import argparse
import json
import sys

from engine.program import LIBRARY
from engine.schema import FILE_KINDS, file_schema


def run(options: argparse.Namespace) -> int:
    if options.write is None:
        sys.stdout.write(as_json({kind: file_schema(kind) for kind in FILE_KINDS}))
        return 0
    options.write.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (options.write / name).write_text(text, encoding="utf-8")
    return 0


def schemas() -> dict[str, str]:
    """The schemas' files by name."""
    assert LIBRARY, "the steps are registered"
    return {f"{kind}.json": as_json(file_schema(kind)) for kind in FILE_KINDS}


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
