"""`stackwright` on the command line, the same as `python -m engine`."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from engine.cli.words import COMMANDS, words_of
from engine.errors import Problems, SetupError, did_you_mean


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit status: 0, 1 where something failed, 2 where the words were off."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    listed = "\n".join(f"  {name:8} {summary}" for name, (summary, _) in COMMANDS.items())
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
    options = words_of(command).parse_args(given[1:])
    return run(_loaded(command).run, options)


def _loaded(command: str) -> Any:
    """The module of a command, loaded when it is called: a server must not wait for what only tests need."""
    gc.disable()  # a module is no garbage: to look for some again and again takes a tenth of the time
    try:
        return importlib.import_module(f"engine.cli.{command}")
    finally:
        gc.enable()


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
