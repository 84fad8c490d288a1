"""The words of every command, apart from what the commands do: `--help` and a wrong word load nothing else."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from engine.errors import did_you_mean

PENDING = 3  # the exit status of 'migrate' where there is something to change
# What stands elsewhere too, in modules that are only loaded for what they do.
FINDINGS = ("github", "json", "sarif", "text")
FORMATS = ("csv", "json", "jsonl")
ALGORITHMS = ("default", "xano")

_CHOICE = re.compile(r"invalid choice: '(?P<word>.*)' \(choose from (?P<choices>.*)\)", re.DOTALL)


class Words(argparse.ArgumentParser):
    """A command's words, refused in the same language as everything else."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        found = _CHOICE.search(message)
        if found is not None:
            choices = [each.strip("' ") for each in found["choices"].split(",")]
            message = f"'{found['word']}' can't stand here; {did_you_mean(found['word'], choices)}"
        super().error(message)


def words_of(command: str) -> Words:
    """What reads the words after a command's name."""
    summary, declare = COMMANDS[command]
    words = Words(prog=f"stackwright {command}", description=f"{summary[:1].upper()}{summary[1:]}.")
    declare(words)
    return words


def _whole(least: int, most: int, what: str = "") -> Callable[[str], int]:
    """What reads a whole number."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{what}'{text}' is no number from {least} to {most}")

    return read


def _workspace(parser: argparse.ArgumentParser, name: str = "workspace") -> None:
    many = None if name.startswith("-") else "?"
    parser.add_argument(name, nargs=many, type=Path, metavar="DIR", help="the workspace's folder (stacks)")


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the database and the keys (data)")


def _data_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-source", metavar="NAME", help="one of the workspace's 'data_sources:' (live)")


def _serve(parser: argparse.ArgumentParser) -> None:
    _workspace(parser)
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument(
        "--port", type=_whole(0, 65535, "the port "), help="the port to listen on, 0 for any that is free (8000)"
    )
    _data(parser)
    parser.add_argument("--workers", type=_whole(1, 256), default=1, metavar="N", help="how many processes serve (1)")
    parser.add_argument("--reload", action="store_true", help="serve what is saved, as long as it checks")


def _check(parser: argparse.ArgumentParser) -> None:
    _workspace(parser)
    parser.add_argument(
        "--data",
        nargs="?",
        type=Path,
        const=False,
        metavar="DIR",
        help="look for damage in the databases too, those in a folder or the usual ones",
    )
    parser.add_argument("--format", choices=FINDINGS, default="text", help="how problems are written")


def _test(parser: argparse.ArgumentParser) -> None:
    _workspace(parser)
    parser.add_argument("-k", dest="select", metavar="WORD", help="only the cases whose name has the word")


def _lsp(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output, as always")


def _fmt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files and folders (default: the workspace)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a file would change")
    parser.add_argument("--diff", action="store_true", help="write nothing, print what would change")


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="an endpoint (auth/login, 'POST /auth/login') or a function")
    _workspace(parser)


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the folder to make")


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["auth"], help="what to add")
    parser.add_argument("--table", default="user", help="the table whose records may log in (default: user)")
    _workspace(parser, "--workspace")


def _migrate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print what would make the database hold what the tables' files say, SQL included. The exit status is 0 where"
        f" there is nothing to change, {PENDING} where there is, 1 where something must be mended first."
    )
    _workspace(parser)
    _data(parser)
    _data_source(parser)
    parser.add_argument("--apply", action="store_true", help="make the changes: all of them, or none")
    parser.add_argument("--allow-destructive", action="store_true", help="those that lose something too, marked '!'")
    parser.add_argument("--history", action="store_true", help="print the changes that were made before")


def _import(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Add the records of a CSV, JSON or JSON lines file to a table: all of them, or none and what is wrong by line."
        " Values are read by the columns' declared types and must follow their rules; passwords are hashed."
    )
    parser.add_argument(
        "file", help="a file in UTF-8, or - for what is piped in; the first row of CSV names the columns"
    )
    parser.add_argument("table")
    parser.add_argument("--format", choices=FORMATS, help="what the file is, if its name doesn't say")
    parser.add_argument("--update", metavar="COLUMN", help="change the records that have the same in a unique column")
    parser.add_argument("--with-secrets", action="store_true", help="passwords are hashes, as 'export' wrote them")
    _workspace(parser, "--workspace")
    _data(parser)
    _data_source(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the records of a table, by id, as CSV (RFC 4180), a JSON list or JSON lines. Passwords and sensitive"
        " columns are left out. Texts are written as they are, also those that a spreadsheet takes for a formula."
    )
    parser.add_argument("table")
    parser.add_argument("--format", choices=FORMATS, help="how (as the file's name says, else csv)")
    parser.add_argument("-o", "--output", metavar="FILE", help="a file to write, which others can't read (the output)")
    parser.add_argument("--with-secrets", action="store_true", help="password hashes and sensitive columns too")
    _workspace(parser, "--workspace")
    _data(parser)
    _data_source(parser)


def _backup(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the database as it is now, that of every data source, and the keys of tokens to one zip file, while the"
        " server goes on. It holds every secret there is and is made for your user alone: keep it as you keep the data"
        " folder."
    )
    parser.add_argument("file", type=Path, help="a file that isn't there yet")
    _workspace(parser, "--workspace")
    _data(parser)


def _restore(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Put what 'backup' wrote in the place of the database, that of every data source, and the keys of tokens. The"
        " server must be stopped; where anything is amiss, nothing is changed."
    )
    parser.add_argument("file", type=Path, help="what 'stackwright backup' wrote")
    _workspace(parser, "--workspace")
    _data(parser)


def _token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="a table with auth: true")
    parser.add_argument("id", help="the record's id")
    parser.add_argument("--extras", default="{}", help="a JSON object that travels in the token")
    parser.add_argument("--expires-in", default="24h", help="how long it is good, as in 30m or 7d (24h)")
    _workspace(parser, "--workspace")
    _data(parser)
    _data_source(parser)


def _copy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FROM", help="sqlite:///path/to/file; stop what serves it")
    parser.add_argument(
        "target",
        metavar="TO",
        nargs="?",
        help="postgresql://… (STACKWRIGHT_DATABASE_URL, which no list of processes shows)",
    )
    _workspace(parser, "--workspace")
    _data_source(parser)


def _keys(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    commands = parser.add_subparsers(dest="action", required=True)
    commands.add_parser("list", help="the keys, oldest first")
    rotate = commands.add_parser("rotate", help="make a new key current; tokens of the others go on being read")
    rotate.add_argument("--algorithm", choices=ALGORITHMS, default="default")
    retire = commands.add_parser("retire", help="remove a key; its tokens are no longer read")
    retire.add_argument("kid")


def _openapi(parser: argparse.ArgumentParser) -> None:
    _workspace(parser)
    parser.add_argument("--group", metavar="NAME", help="one group alone, by its canonical or its name")
    parser.add_argument(
        "--server", default="/", metavar="URL", help="where it is served, as https://api.example.com (/)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write into a file")


def _schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write a file a kind into a folder")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", nargs="*", help="codes as messages have them, SW104; without any, all are listed")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write all pages into a file of Markdown")


def _docs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page into a file")


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "serve": ("serve a workspace", _serve),
    "check": ("check a workspace and name every mistake", _check),
    "test": ("replay a workspace's tests", _test),
    "lsp": ("answer an editor, in the language server protocol", _lsp),
    "fmt": ("bring files into their canonical form", _fmt),
    "show": ("print the Python that a stack becomes", _show),
    "new": ("make a folder with a workspace to begin with", _new),
    "add": ("add prebuilt stacks to a workspace", _add),
    "migrate": ("bring the database up to the tables' files", _migrate),
    "import": ("add the records of a CSV, JSON or JSON lines file to a table", _import),
    "export": ("write the records of a table as CSV, JSON or JSON lines", _export),
    "backup": ("write the database and the keys to one file, while the server goes on", _backup),
    "restore": ("put a backup in the place of the database and the keys", _restore),
    "token": ("make a token for a record", _token),
    "copy": ("copy all records from a SQLite file to PostgreSQL", _copy),
    "keys": ("list, rotate or retire the keys of tokens", _keys),
    "openapi": ("print or write the OpenAPI document of a workspace", _openapi),
    "schema": ("print or write the JSON Schemas of all kinds of file", _schema),
    "explain": ("say what a code of the checker means, with the mend", _explain),
    "docs": ("print or write the reference of steps, filters and functions", _docs),
}
