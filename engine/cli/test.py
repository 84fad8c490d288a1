"""`stackwright test`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import SetupError
from engine.http.serve import Settings
from engine.testing import replay


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder (default: stacks)")
    parser.add_argument("-k", dest="select", metavar="WORD", help="only the cases whose name has the word")


def run(options: argparse.Namespace) -> int:
    folder = Settings.from_environment().merged(workspace=options.workspace).workspace
    if not folder.is_dir():
        raise SetupError(f"there is no workspace folder '{folder}'")
    return 0 if replay.run_folder(folder, str(folder), options.select, sys.stdout.write) else 1
