"""`stackwright test`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.http.serve import Settings, existing
from engine.testing import replay


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder (default: stacks)")
    parser.add_argument("-k", dest="select", metavar="WORD", help="only the cases whose name has the word")


def run(options: argparse.Namespace) -> int:
    folder = existing(Settings.from_environment().merged(workspace=options.workspace).workspace)
    return 0 if replay.run_folder(folder, str(folder), options.select, sys.stdout.write) else 1
