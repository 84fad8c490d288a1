"""`stackwright export`: the records of a table, by id; what is secret only when asked for."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from engine.cli.data_sources import chosen
from engine.cli.progress import bar
from engine.cli.tables import format_of, require_database, table_of
from engine.errors import SetupError
from engine.store import exporting
from engine.store.base import quoted
from engine.store.catalog import count
from engine.store.migrate import flags
from engine.store.plan import plan
from engine.store.storage import open_catalog


def run(options: argparse.Namespace) -> int:
    settings, workspace = chosen(options)
    table = table_of(workspace, options.table)
    format_ = exporting.FORMATS[format_of(options.format, options.output or "it.csv")]
    require_database(settings)
    columns = exporting.columns_of(table, secrets=options.with_secrets)
    with open_catalog(settings.storage, change=False) as catalog:
        changes = [change for change in plan(catalog, workspace.tables) if change.table == table.name]
        if changes:
            command = settings.command("migrate") + flags(changes)
            raise SetupError(f"'{table.name}' isn't what its file says yet: run `{command}`")
        length = count(catalog, quoted(table.name)) if options.output else 0
        with _written(options.output) as file, bar(length, "writing") as reach:
            file.writelines(format_(columns, _counted(exporting.rows(catalog, table, columns), reach)))
    return 0


def _counted(rows: exporting.Rows, reach: Callable[[int], None]) -> exporting.Rows:
    for number, row in enumerate(rows, 1):
        if number % 1000 == 0:
            reach(number)
        yield row


@contextmanager
def _written(name: str | None) -> Iterator[IO[str]]:
    """A file that is there once it is whole; without a name the standard output."""
    if not name:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        yield sys.stdout
        return
    path = Path(name)
    # Made with mode 0600.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as file:
        try:
            yield file.file
            file.close()
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise
