"""What commands on one data source, or on all of them, share."""

from __future__ import annotations

import argparse

from engine.errors import SetupError, did_you_mean
from engine.http.serve import Settings, checked_workspace
from engine.store.backup import Place
from engine.workspace import Workspace


def chosen(options: argparse.Namespace) -> tuple[Settings, Workspace]:
    """The settings by a command's flags, and its workspace. Raises SetupError, `Problems` where that has errors."""
    settings = Settings.from_environment().merged(
        workspace=options.workspace, data=options.data, data_source=options.data_source
    )
    workspace = checked_workspace(settings.workspace).workspace
    require_data_source(settings, workspace)
    return settings, workspace


def require_data_source(settings: Settings, workspace: Workspace) -> None:
    """Raises SetupError where the settings' data source isn't one that the workspace has."""
    known = [each.data_source for each in settings.sources(workspace)]
    if settings.data_source not in known:
        raise SetupError(
            f"there is no data source '{settings.data_source}': {did_you_mean(settings.data_source, known)}"
        )


def place_of(settings: Settings, workspace: Workspace) -> Place:
    """Where the databases and the keys of a workspace are."""
    databases = {each.data_source: each.storage for each in settings.sources(workspace)}
    return Place(workspace.name, databases, settings.keys)
