"""`stackwright export`: the records of a table, by id; what is secret only when asked for."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from engine.cli.progress import bar
from engine.cli.tables import database_failure, format_of, table_of
from engine.errors import SetupError
from engine.http.serve import Settings, checked_workspace
from engine.store import exporting
from engine.store.migrate import flags
from engine.store.plan import plan
from engine.store.sqlite import connect
from engine.store.sqlite_catalog import SqliteCatalog


def declare(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the records of a table, by id, as CSV (RFC 4180), a JSON list or JSON lines. Passwords and sensitive"
        " columns are left out. Texts are written as they are, also those that a spreadsheet takes for a formula."
    )
    parser.add_argument("table")
    parser.add_argument("--format", choices=sorted(exporting.FORMATS), help="how (as the file's name says, else csv)")
    parser.add_argument("-o", "--output", metavar="FILE", help="a file to write, which others can't read (the output)")
    parser.add_argument("--with-secrets", action="store_true", help="password hashes and sensitive columns too")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="the workspace's folder (stacks)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the database and the keys (data)")


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment().merged(workspace=options.workspace, data=options.data)
    workspace = checked_workspace(settings.workspace).workspace
    table = table_of(workspace, options.table)
    format_ = exporting.FORMATS[format_of(options.format, options.output or "it.csv")]
    if not settings.database_path.is_file():
        raise SetupError(
            f"there is no database '{settings.database_path}' yet: the first start of the server makes one"
        )
    columns = exporting.columns_of(table, secrets=options.with_secrets)
    try:
        with closing(connect(settings.database_path)) as connection:
            connection.execute("PRAGMA query_only = ON")
            found = plan(SqliteCatalog(connection), workspace.tables)
            changes = [change for change in found if change.table == table.name]
            if changes:
                command = settings.command("migrate") + flags(changes)
                raise SetupError(f"'{table.name}' isn't what its file says yet: run `{command}`")
            count = exporting.count(connection, table)
            with _written(options.output) as file, bar(count if options.output else 0, "writing") as reach:
                file.writelines(format_(columns, _counted(exporting.rows(connection, table, columns), reach)))
    except sqlite3.Error as error:
        raise database_failure(settings.database_path, error) from error
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
