"""`stackwright keys`: list, rotate and retire the keys of tokens; running servers see it without a restart."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from engine.errors import SetupError
from engine.http.serve import Settings
from engine.security.keys import Key, KeyRing


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(data=options.data)
    if not settings.keys.is_dir():
        raise SetupError(f"there are no keys in '{settings.keys}' yet: the first start of the server makes one")
    ring = KeyRing.open(settings.keys)
    if options.action == "rotate":
        ring.rotate(options.algorithm)
    elif options.action == "retire":
        ring.retire(options.kid)
    for key in ring.list():
        sys.stdout.write(_line(key, key.kid == ring.current.kid))
    return 0


def _line(key: Key, is_current: bool) -> str:
    made = datetime.fromtimestamp(key.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{key.kid}  {made} UTC  {key.algorithm.alg}+{key.algorithm.enc}{'  current' if is_current else ''}\n"
