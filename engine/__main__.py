"""`stackwright` on the command line, the same as `python -m engine`."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from engine.errors import Problems, SetupError, did_you_mean

# Each command is imported when it is called: a server must not wait for what only tests need.
COMMANDS = {
    "serve": "serve a workspace",
    "check": "check a workspace and name every mistake",
    "test": "replay a workspace's tests",
    "lsp": "answer an editor, in the language server protocol",
    "fmt": "bring files into their canonical form",
    "show": "print the Python that a stack becomes",
    "new": "make a folder with a workspace to begin with",
    "add": "add prebuilt stacks to a workspace",
    "migrate": "bring the database up to the tables' files",
    "import": "add the records of a CSV, JSON or JSON lines file to a table",
    "export": "write the records of a table as CSV, JSON or JSON lines",
    "backup": "write the database and the keys to one file, while the server goes on",
    "restore": "put a backup in the place of the database and the keys",
    "token": "make a token for a record",
    "copy": "copy all records from a SQLite file to PostgreSQL",
    "keys": "list, rotate or retire the keys of tokens",
    "openapi": "print or write the OpenAPI document of a workspace",
    "schema": "print or write the JSON Schemas of all kinds of file",
    "explain": "say what a code of the checker means, with the mend",
    "docs": "print or write the reference of steps, filters and functions",
}


_CHOICE = re.compile(r"invalid choice: '(?P<word>.*)' \(choose from (?P<choices>.*)\)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit status: 0, 1 where something failed, 2 where the words were off."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    listed = "\n".join(f"  {name:8} {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="stackwright",
        description="Backends as YAML function stacks.",
        epilog=f"commands:\n{listed}\n\n'stackwright COMMAND --help' says more of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND")
    command = parser.parse_args(given[:1]).command
    if command not in COMMANDS:
        parser.error(f"there is no command '{command}': {did_you_mean(command, COMMANDS, listed=len(COMMANDS))}")
    module = importlib.import_module(f"engine.cli.{command}")
    summary = COMMANDS[command]
    words = Words(prog=f"stackwright {command}", description=f"{summary[:1].upper()}{summary[1:]}.")
    module.declare(words)
    return run(module.run, words.parse_args(given[1:]))


class Words(argparse.ArgumentParser):
    """A command's words, refused in the same language as everything else."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        found = _CHOICE.search(message)
        if found is not None:
            choices = [each.strip("' ") for each in found["choices"].split(",")]
            message = f"'{found['word']}' can't stand here; {did_you_mean(found['word'], choices)}"
        super().error(message)


def run(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs a command's function; what the user must mend becomes one message."""
    try:
        status = command(options)
        sys.stdout.flush()
        return status
    except (Problems, SetupError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"'{error.filename}': {error.strerror}\n" if error.filename else f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
