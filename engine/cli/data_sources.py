"""What commands on one data source share."""

from __future__ import annotations

import argparse

from engine.errors import SetupError, did_you_mean
from engine.http.serve import Settings
from engine.workspace import Workspace


def declare_data_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-source", metavar="NAME", help="one of the workspace's 'data_sources:' (live)")


def require_data_source(settings: Settings, workspace: Workspace) -> None:
    """Raises SetupError where the settings' data source isn't one that the workspace can have."""
    known = [each.data_source for each in settings.sources(workspace)]
    if settings.data_source not in known:
        raise SetupError(
            f"there is no data source '{settings.data_source}': {did_you_mean(settings.data_source, known)}"
        )
