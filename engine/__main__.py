"""`stackwright` on the command line, the same as `python -m engine`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from engine.errors import Problems, SetupError

# Each command is imported when it is called: a server must not wait for what only tests need.
COMMANDS = {
    "serve": "serve a workspace",
    "check": "check a workspace and name every mistake",
    "test": "replay the workspace's tests",
    "show": "print the Python that a stack becomes",
    "new": "make a folder with a workspace to begin with",
    "add": "add prebuilt stacks to a workspace",
    "token": "make a token for a record",
    "keys": "list, rotate or retire the keys of tokens",
    "schema": "write the JSON Schemas of all kinds of file",
    "docs": "write the reference of steps, filters and functions",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit status: 0, 1 where something failed, 2 where the words were off."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="stackwright", description="Backends as YAML function stacks.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    command = parser.parse_args(given[:1]).command
    module = importlib.import_module(f"engine.cli.{command}")
    words = argparse.ArgumentParser(prog=f"stackwright {command}", description=COMMANDS[command].capitalize() + ".")
    module.declare(words)
    return run(module.run, words.parse_args(given[1:]))


def run(command: object, options: argparse.Namespace) -> int:
    """Runs a command's function; what the user must mend becomes one message."""
    assert callable(command)
    try:
        status = command(options)
        return int(status or 0)
    except (Problems, SetupError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
