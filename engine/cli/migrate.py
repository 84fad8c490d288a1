"""`stackwright migrate`: what would make the database hold what the tables' files say, and making it so."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from engine.cli.data_sources import chosen
from engine.cli.words import PENDING
from engine.errors import SetupError
from engine.http.serve import make_private
from engine.store import migrate
from engine.store.changes import Change, Risk
from engine.store.plan import leftovers, plan
from engine.store.storage import open_catalog

_MARKS = {Risk.DESTRUCTIVE: "! ", Risk.BLOCKED: "x "}


def run(options: argparse.Namespace) -> int:
    if options.allow_destructive and not options.apply:
        raise SetupError("--allow-destructive goes with --apply")
    settings, workspace = chosen(options)
    tables = workspace.tables
    allowed = Risk.DESTRUCTIVE if options.allow_destructive else Risk.DELIBERATE
    if options.apply and isinstance(settings.storage, Path):
        make_private(settings.data)
    with open_catalog(settings.storage, change=options.apply) as catalog:
        if options.history:
            return _print_history(migrate.history(catalog))
        if not options.apply:
            return _print_plan(plan(catalog, tables), leftovers(catalog, tables), settings.command("migrate"))
        changes = migrate.apply(catalog, tables, allowed, settings.command("migrate"))
    sys.stdout.writelines(_lines(changes))
    sys.stdout.write(f"made {_changes(changes)}\n" if changes else "nothing to change\n")
    return 0


def _print_plan(changes: list[Change], unused: list[Change], command: str) -> int:
    sys.stdout.writelines(_lines([*changes, *unused]))
    if unused:
        sys.stdout.write(f"'{command} --apply --allow-destructive' drops what is in no file; else it is left alone\n")
    if not changes:
        sys.stdout.write("nothing to change\n")
        return 0
    if any(change.risk is Risk.BLOCKED for change in changes):
        sys.stderr.write("nothing can be changed before what is marked 'x' is mended\n")
        return 1
    sys.stdout.write(f"{_changes(changes)} to make: run '{command}{migrate.flags(changes)}'\n")
    return PENDING


def _lines(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        yield f"{_MARKS.get(change.risk, '- ')}{change.said}\n"
        yield from (f"    {statement};\n" for statement in change.statements)


def _changes(changes: list[Change]) -> str:
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}"


def _print_history(entries: Iterable[migrate.Entry]) -> int:
    for entry in entries:
        moment = datetime.fromtimestamp(entry.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        sys.stdout.write(f"{moment} UTC  {entry.by}  {entry.change}\n")
        sys.stdout.writelines(f"    {line}\n" for line in entry.sql.splitlines())
    return 0
