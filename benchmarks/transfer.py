"""`python -m benchmarks.transfer`: an import beside `sqlite-utils insert` of the same file, and the memory it takes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
TABLE = """
table: person
columns:
  id: int
  name: {type: text, max: 100, trim: true}
  email: {type: email, unique: true, lower: true}
  age: {type: int, min: 0, max: 150}
  score?: decimal
  active: {type: bool, default: true}
  joined: date
"""


def write_people(path: Path) -> None:
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        file.write("name,email,age,score,active,joined\r\n")
        for number in range(ROWS):
            day = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}"
            score = round(chance.random() * 100, 3)
            file.write(
                f"Person {number},p{number}@example.com,{number % 90},{score},{number % 2 == 0},{day}\r\n".lower()
            )


def measured(folder: Path, *command: str) -> tuple[float, int]:
    """The seconds that a command took, and the most memory it had, in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def main() -> None:
    bin_ = Path(sys.executable).parent
    ours, theirs = str(bin_ / "stackwright"), str(bin_ / "sqlite-utils")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stacks").mkdir()
        (folder / "stacks" / "person.yaml").write_text(TABLE)
        write_people(folder / "people.csv")
        runs = {
            "sqlite-utils insert --csv": (theirs, "insert", "other.db", "person", "people.csv", "--csv"),
            "the same, all text": (theirs, "insert", "text.db", "person", "people.csv", "--csv", "--no-detect-types"),
            "stackwright import": (ours, "import", "people.csv", "person"),
            "stackwright export (csv)": (ours, "export", "person", "-o", "out.csv"),
            "stackwright export (jsonl)": (ours, "export", "person", "-o", "out.jsonl"),
            "stackwright import (jsonl, --update)": (ours, "import", "out.jsonl", "person", "--update", "id"),
            "stackwright backup": (ours, "backup", "it.zip"),
            "stackwright restore": (ours, "restore", "it.zip"),
        }
        took: dict[str, float] = {}
        for label, command in runs.items():
            took[label], memory = measured(folder, *command)
            print(f"{label:38} {took[label]:7.2f} s  {memory / 1e6:6.0f} MB", flush=True)
        base, import_ = took["sqlite-utils insert --csv"], took["stackwright import"]
        print(f"{ROWS} rows; import / sqlite-utils insert: {import_ / base:.2f}")


if __name__ == "__main__":
    main()
