"""`stackwright openapi`: the contract of a workspace, for generators of clients and for other tools."""

from __future__ import annotations

import argparse
import sys

from engine.cli.schema import as_json
from engine.errors import Problems, SetupError, did_you_mean
from engine.http.serve import Settings, existing
from engine.openapi.document import Documents
from engine.openapi.schemas import Schema
from engine.program import check_folder
from engine.workspace import Workspace


def run(options: argparse.Namespace) -> int:
    text = as_json(_document(options))
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text, encoding="utf-8")
    return 0


def _document(options: argparse.Namespace) -> Schema:
    """All groups or the one that was asked for, whoever may read them on a server: this is their author."""
    checked = check_folder(existing(Settings.from_environment().merged(workspace=options.workspace).workspace))
    if checked.errors:
        raise Problems(checked.problems)
    documents, workspace = Documents(checked, checked.workspace.tests), checked.workspace
    if options.group is None:
        return documents.whole({each.canonical for each in workspace.every_group}, options.server)
    return documents.of_group(_canonical(workspace, options.group), options.server)


def _canonical(workspace: Workspace, name: str) -> str:
    groups = {key: each.canonical for each in workspace.every_group for key in (each.name, each.canonical) if key}
    if name not in groups:
        raise SetupError(f"there is no group '{name}': {did_you_mean(name, groups)}")
    return groups[name]
