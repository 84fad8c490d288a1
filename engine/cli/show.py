"""`stackwright show`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from engine.compile import Compiler, Plan
from engine.errors import SetupError, did_you_mean
from engine.http.serve import Settings, checked_workspace
from engine.store.storage import unopened


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace)
    checked = checked_workspace(settings.workspace)
    store = unopened(settings.storage, checked.workspace.tables)
    try:
        sys.stdout.write(plan_of(Compiler(checked, store), options.name).source() + "\n")
    finally:
        asyncio.run(store.close())
    return 0


def plan_of(compiler: Compiler, name: str) -> Plan:
    """The plan of an endpoint or a function. Raises SetupError where there is none of the name."""
    workspace = compiler.workspace
    if name in workspace.functions:
        return compiler.function(name)
    endpoint = workspace.endpoint(name)
    if endpoint is None:
        known = [*workspace.functions, *(each.name for each in workspace.endpoints)]
        raise SetupError(f"there is no endpoint or function '{name}': {_hint(name, known)}")
    return compiler.endpoint(endpoint)


def _hint(name: str, known: list[str]) -> str:
    """The verbs of a path that has several, or what is near."""
    verbs = [each for each in known if each.endswith(" /" + name.strip("/"))]
    return "say which, " + " or ".join(f"'{each}'" for each in verbs) if verbs else did_you_mean(name, known, listed=20)
