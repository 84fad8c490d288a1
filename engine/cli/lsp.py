"""`stackwright lsp`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from engine.errors import SetupError

_PACKAGES = ("pygls", "lsprotocol")


def run(options: argparse.Namespace) -> int:
    try:
        module = importlib.import_module("engine.lsp.server")
    except ModuleNotFoundError as missing:
        if str(missing.name).partition(".")[0] not in _PACKAGES:
            raise
        raise SetupError("the language server needs another package: pip install 'stackwright[lsp]'") from None
    # The server closes what it writes to; our own standard output outlives it.
    module.server.start_io(stdout=os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    return 0
