"""`stackwright test`."""

from __future__ import annotations

import argparse
import sys

from engine.http.serve import Settings, existing
from engine.testing import replay


def run(options: argparse.Namespace) -> int:
    folder = existing(Settings.from_environment().merged(workspace=options.workspace).workspace)
    return 0 if replay.run_folder(folder, str(folder), options.select, sys.stdout.write) else 1
