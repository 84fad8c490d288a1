"""What `import` and `export` share: the table and the format that were asked for."""

from __future__ import annotations

from pathlib import Path

from engine.errors import SetupError, did_you_mean
from engine.http.serve import Settings
from engine.store.changes import Risk
from engine.store.migrate import refuse
from engine.store.plan import plan
from engine.store.sources import FORMATS
from engine.store.storage import open_catalog
from engine.workspace import Table, Workspace


def table_of(workspace: Workspace, name: str) -> Table:
    """The table of that name. Raises SetupError."""
    if name not in workspace.tables:
        raise SetupError(f"there is no table '{name}': {did_you_mean(name, workspace.tables)}")
    return workspace.tables[name]


def format_of(given: str | None, file: str) -> str:
    """The format that was named, or that a file's name ends in. Raises SetupError."""
    named = given or Path(file).suffix.lower().removeprefix(".").replace("ndjson", "jsonl")
    if named not in FORMATS:
        raise SetupError(f"the name '{file}' doesn't say what the file is: add --format csv, json or jsonl")
    return named


def is_up_to_date(settings: Settings, workspace: Workspace) -> bool:
    """Whether the database is there and what the tables' files say.

    Raises SetupError where it takes more than the start of a server to make it so.
    """
    with open_catalog(settings.storage, change=False) as catalog:
        changes = plan(catalog, workspace.tables)
    refuse(changes, Risk.SAFE, settings.command("migrate"))
    return not changes


def require_database(settings: Settings) -> None:
    """Raises SetupError where there is no file yet."""
    if isinstance(settings.storage, Path) and not settings.storage.is_file():
        raise SetupError(f"there is no database '{settings.storage}' yet: the first start of the server makes one")
