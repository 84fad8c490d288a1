"""`stackwright token`: the quick token generator, for trying endpoints out."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import sys
from pathlib import Path

from engine.check import WorkspaceChecker
from engine.cli.data_sources import chosen
from engine.errors import Fault, SetupError, did_you_mean
from engine.http.serve import make_private
from engine.run import Services, milliseconds
from engine.security.keys import KeyRing
from engine.security.tokens import Tokens
from engine.stack import seconds_of
from engine.store.base import Store
from engine.store.storage import Database, open_store
from engine.syntax import Binary, Column, Literal
from engine.token_extras import unknown_extras
from engine.workspace import LIVE, Table


def run(options: argparse.Namespace) -> int:
    settings, workspace = chosen(options)
    table = workspace.tables.get(options.table)
    if table is None or not table.auth:
        hint = did_you_mean(options.table, workspace.tables_with_auth())
        raise SetupError(f"'{options.table}' is no table with auth: true. {hint}")
    id, extras = _id(options.id, table.id.type), _extras(options.extras)
    seconds = seconds_of(options.expires_in)
    if seconds is None:
        raise SetupError(f"'{options.expires_in}' is no duration: write seconds, or a number with s, m, h, d or w")
    make_private(settings.data)
    tokens = Tokens(KeyRing.open(settings.keys), workspace.name, workspace.name, milliseconds)
    if settings.data_source != LIVE:
        tokens = tokens.of(settings.data_source)
    try:
        token = tokens.create(table.name, id, extras, seconds)
    except Fault as fault:
        raise SetupError(fault.message) from None
    if not _is_there(settings.storage, table, id):
        sys.stderr.write(f"note: there is no record {id} in '{table.name}' yet\n")
    if extras and (note := unknown_extras(extras, table.name, WorkspaceChecker(workspace).carried(table.name))):
        sys.stderr.write(f"note: {note}\n")
    sys.stdout.write(token + "\n")
    return 0


def _is_there(database: Database, table: Table, id: int | str) -> bool:
    if isinstance(database, Path) and not database.is_file():
        return False
    return asyncio.run(_has(open_store(database, {table.name: table}, change=False), table, id))


async def _has(store: Store, table: Table, id: int | str) -> bool:
    span = table.span
    has = store.has(
        table, store.where(Binary("==", Column("id", span), Literal(id, span), False, span, span), table, {})
    )
    try:
        found = has(Services(store=store).run(), id)
        return bool(await found if inspect.isawaitable(found) else found)
    except Fault:  # the table is not made yet
        return False
    finally:
        await store.close()


def _id(text: str, type_: str) -> int | str:
    if type_ == "uuid":
        return text
    try:
        return int(text)
    except ValueError:
        raise SetupError(f"the id '{text}' is no int") from None


def _extras(text: str) -> dict[str, object]:
    try:
        extras = json.loads(text)
    except json.JSONDecodeError as error:
        raise SetupError(f"--extras is no JSON: {error}") from None
    if not isinstance(extras, dict):
        raise SetupError("--extras must be a JSON object")
    return extras
