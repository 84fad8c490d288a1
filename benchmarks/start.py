"""`python -m benchmarks.start`: how soon a server answers, how much memory it takes at rest, and `--help`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.__main__ import ENVIRONMENT, ROOT, USER, post, serving, workspace
from benchmarks.bounds import Bounds
from benchmarks.editor import written
from benchmarks.load import Load, measured
from engine.security.argon2id import KEEP_SECONDS

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
PORT = 8306


def command(stacks: Path) -> list[str]:
    return [sys.executable, "-m", "engine", "serve", str(stacks)]


def starts(stacks: Path, environment: dict[str, str]) -> float:
    """The median of the seconds to a first answer, once the data folder and the bytecode are there."""
    times = []
    for _ in range(ROUNDS + 1):
        with serving(command(stacks), PORT, environment, core=None) as server:
            times.append(server.start)
    return statistics.median(times[1:])


def at_rest(stacks: Path, environment: dict[str, str]) -> float:
    """The megabytes that are resident when many have logged in, and nobody does any more."""
    with serving(command(stacks), PORT, environment, core=None) as server:
        post(PORT, "/api:main/auth/signup", USER)
        login = f'{{"email": "{USER["email"]}", "password": "{USER["password"]}"}}'
        measured(Load(PORT, "/api:main/auth/login", body=login, clients=8, seconds=1))
        time.sleep(KEEP_SECONDS + 1.5)
        return server.memory()


def help_takes() -> float:
    """The median of the seconds that `serve --help` takes."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        words = [sys.executable, "-m", "engine", "serve", "--help"]
        subprocess.run(words, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    bounds = Bounds()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"STACKWRIGHT_DATA": str(folder / "data"), "PORT": str(PORT)}
        stacks = workspace(folder)
        bounds.at_most("start to the first answer, with bytecode", starts(stacks, environment) * 1000, 350)
        memory = at_rest(stacks, environment)
        bounds.at_most("memory at rest, after many logins", memory, 60, "MB")
        many = written(folder / "many")
        environment["STACKWRIGHT_DATA"] = str(folder / "data_of_many")
        print(f"{'start with 1,000 stacks':<58}{starts(many, environment):>12.2f} s")
    print(f"{'serve --help':<58}{help_takes() * 1000:>11.0f} ms")
    bounds.end()


if __name__ == "__main__":
    main()
