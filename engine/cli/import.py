"""`stackwright import`: the records of a file, by the columns' rules, all of them or none."""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from engine.cli.data_sources import chosen
from engine.cli.progress import bar
from engine.cli.tables import format_of, is_up_to_date, table_of
from engine.errors import SetupError
from engine.http.serve import make_private
from engine.run import milliseconds
from engine.security.passwords import DEFAULT_COST, Passwords
from engine.store.importing import BATCH, Importer
from engine.store.sources import FORMATS, Source
from engine.store.sqlite import connect
from engine.store.storage import open_target, update
from engine.workspace import Table


@dataclass(frozen=True, slots=True)
class Moment:
    """What filling in records asks of a run: all of them are made at the same time."""

    db: None
    hasher: Callable[[str], Awaitable[str]]
    at: int

    async def hash(self, password: str) -> str:
        return await self.hasher(password)

    def now(self) -> int:
        return self.at

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def charged(self, value: Any) -> Any:
        return value

    def is_due(self) -> bool:
        return False

    async def breathe(self) -> None: ...


async def unhashed(password: str) -> str:
    """Takes the place of `Passwords.hash` where nothing is kept."""
    return ""


def run(options: argparse.Namespace) -> int:
    """Reads and checks all of the file first: where it has mistakes, not even the database is made."""
    settings, workspace = chosen(options)
    table = table_of(workspace, options.table)
    format_ = format_of(options.format, options.file)
    is_current = is_up_to_date(settings, workspace)
    with _opened(options.file) as (file, size), closing(connect(Path(":memory:"))) as connection:
        importer = _staged(connection, table, options, Source(file, options.file), size, format_)
        if is_current or not importer.mistakes.count:
            if isinstance(settings.storage, Path):
                make_private(settings.data)
            update(settings.storage, workspace.tables, settings.command("migrate"))
            with open_target(settings.storage, connection) as target:
                added, changed = importer.store(target)
    if importer.mistakes.count:
        raise SetupError(importer.mistakes.said(options.file))
    sys.stdout.write(f"imported {added} record{'' if added == 1 else 's'} into '{table.name}'")
    sys.stdout.write(f", changed {changed}\n" if options.update else "\n")
    return 0


def _staged(
    connection: sqlite3.Connection, table: Table, options: argparse.Namespace, source: Source, size: int, format_: str
) -> Importer:
    """An importer that has read all of the file."""
    passwords = Passwords(DEFAULT_COST, queue=BATCH * len(table.columns))
    moment = Moment(None, passwords.hash, milliseconds())
    spoilt = replace(moment, hasher=unhashed)
    try:
        importer = Importer(connection, table, moment, spoilt, update=options.update or "", hashed=options.with_secrets)
        with bar(size, "reading") as reach:
            asyncio.run(importer.stage(FORMATS[format_](source, table), lambda: reach(source.position)))
    except sqlite3.Error as error:
        raise SetupError(f"the records can't be laid ready, nothing was imported: {error}") from error
    finally:
        passwords.close()
    return importer


@contextmanager
def _opened(name: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file, and its size in bytes; 0 where nobody can say."""
    if name == "-":
        yield sys.stdin.buffer, 0
    else:
        with open(name, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
