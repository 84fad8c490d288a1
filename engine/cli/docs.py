"""`stackwright docs`: the reference of steps, filters and functions, made from the registry."""

from __future__ import annotations

import argparse
import sys

from engine.program import LIBRARY
from engine.reference import reference


def run(options: argparse.Namespace) -> int:
    assert LIBRARY, "the library is registered"
    if options.write is None:
        sys.stdout.write(reference())
    else:
        options.write.write_text(reference(), encoding="utf-8")
    return 0
