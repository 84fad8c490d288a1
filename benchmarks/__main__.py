"""`python -m benchmarks`: this server and those written by hand side by side, and plans against functions."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import handwritten
from benchmarks.bounds import Bounds
from engine.compile import Compiler
from engine.program import check_folder
from engine.run import Services
from engine.store.sqlite import SqliteStore

ROOT = Path(__file__).parent.parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "2"))
LOGIC = {"price": 19.5, "count": 7, "code": " spring ", "member": True}
LOOP = {"items": [{"price": 1.5 * place, "count": place % 5} for place in range(1000)]}
USER = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
PORTS = {"stackwright": 8301, "starlette": 8302, "asgi": 8303}
# Of what the bare server reaches, by processor time.
PROMISED = {"/api:main/auth/me": 0.95, "/api:main/bench/logic": 0.92}
CPUS = os.cpu_count() or 1
# Bytecode is written as it is on every machine that serves.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def workspace(folder: Path) -> Path:
    """The shipped stacks and those of the benchmark in one folder."""
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    shutil.copytree(ROOT / "benchmarks" / "stacks", folder / "stacks" / "bench")
    return folder / "stacks"


def pinned(core: int, command: list[str]) -> list[str]:
    """`command` on one core, where the machine can do that."""
    return ["taskset", "-c", str(core % CPUS), *command] if shutil.which("taskset") else command


@dataclass(frozen=True)
class Serving:
    """A server's process, and the seconds from its start to its first answer."""

    pid: int
    start: float

    def cpu(self) -> float:
        """The seconds of processor time that it took so far; not a number where no `/proc` tells."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return math.nan
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """The megabytes that are resident; not a number where no `/proc` tells."""
        status = Path(f"/proc/{self.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else math.nan


@contextmanager
def serving(command: list[str], port: int, environment: dict[str, str], core: int | None = 0) -> Iterator[Serving]:
    """A server process that answers."""
    command = command if core is None else pinned(core, command)
    started = time.perf_counter()
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env={**ENVIRONMENT, **environment}, **silent)  # type: ignore[call-overload]
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
                break
            except urllib.error.HTTPError:
                break  # an answer is an answer
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > 20:
                    raise SystemExit(f"the server did not start: {' '.join(command)}") from None
                time.sleep(0.005)
        yield Serving(process.pid, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


def post(port: int, path: str, body: object) -> Any:
    data, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


Figures = tuple[float, ...]


def wrk(port: int, path: str, *, token: str = "", body: object = None, connections: int = 16) -> Figures:
    """Requests a second, median and 99th percentile in milliseconds, and how many requests there were."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if body is not None:
            text = json.dumps(json.dumps(body))
            script.write(f'wrk.method="POST"\nwrk.body={text}\nwrk.headers["content-type"]="application/json"\n')
        script.write(f'wrk.headers["authorization"]="Bearer {token}"\n' if token else "")
        script.flush()
        out = subprocess.run(
            pinned(1, [*command, "-s", script.name, f"http://127.0.0.1:{port}{path}"]),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"{path} answered with errors:\n{out}")
    found = re.findall(r"(?:50|99)%\s+([\d.]+)(us|ms|s)", out)
    half, most = (float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit] for value, unit in found)
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"(\d+) requests in", out)
    assert rate is not None
    assert count is not None
    return float(rate[1]), half, most, float(count[1])


def median(rows: list[Figures]) -> Figures:
    return tuple(statistics.median(column) for column in zip(*rows, strict=True))


def row(name: str, figures: Figures, base: Figures) -> None:
    rate, half, most, cpu = figures
    ratios = f"{rate / base[0]:>8.2f}{base[3] / cpu:>8.2f}"
    print(f"{name:<28}{rate:>9,.0f} /s{cpu:>8.1f} µs{half:>8.2f} ms{most:>8.2f} ms{ratios}")


def served(bounds: Bounds) -> None:
    """Requests a second of `me`, logic and loop, ours between the two hand-written servers, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stacks = workspace(folder)
        python = sys.executable
        ours = {"STACKWRIGHT_DATA": str(folder / "data"), "PORT": "8301"}
        theirs = {"BENCH_DATABASE": str(folder / "hand.sqlite3")}
        uvicorn = [
            python,
            "-m",
            "uvicorn",
            "--no-access-log",
            "--log-level",
            "error",
            "--loop",
            "uvloop",
            "--http",
            "httptools",
        ]
        servers: dict[str, tuple[int, list[str], dict[str, str]]] = {
            "stackwright": (PORTS["stackwright"], [python, "-m", "engine", "serve", str(stacks)], ours),
            "starlette": (PORTS["starlette"], [*uvicorn, "--port", "8302", "benchmarks.handwritten:starlette"], theirs),
            "asgi": (PORTS["asgi"], [*uvicorn, "--port", "8303", "benchmarks.handwritten:asgi"], theirs),
        }
        with ExitStack() as stack:
            running = {
                name: stack.enter_context(serving(command, port, environment))
                for name, (port, command, environment) in servers.items()
            }
            tokens = {"stackwright": post(8301, "/api:main/auth/signup", USER)["authToken"]}
            tokens["starlette"] = tokens["asgi"] = post(8302, "/api:main/auth/signup", USER)["authToken"]
            loads: dict[str, dict[str, Any]] = {
                "/api:main/auth/me": {},
                "/api:main/bench/logic": {"body": LOGIC},
                "/api:main/bench/loop": {"body": LOOP},
            }
            print(f"{'':<28}{'requests':>12}{'CPU each':>11}{'p50':>11}{'p99':>11}   ratio to asgi: rate, CPU")
            for path, load in loads.items():
                ratio = compare(path, load, running, tokens)
                if path in PROMISED:
                    bounds.at_least(f"{path} against raw ASGI by hand", ratio, PROMISED[path])


def compare(path: str, load: dict[str, Any], running: dict[str, Serving], tokens: dict[str, str]) -> float:
    """Prints what each server reaches; requests for the same processor time, ours to the bare one's."""
    measured: dict[str, list[Figures]] = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, server in running.items():
            token = tokens[name] if path.endswith("/me") else ""
            before = server.cpu()
            *figures, count = wrk(PORTS[name], path, token=token, **load)
            measured[name].append((*figures, (server.cpu() - before) / count * 1e6))
    base = median(measured["asgi"])
    for name in running:
        row(f"{path.removeprefix('/api:main')} {name}", median(measured[name]), base)
    ours = median(measured["stackwright"])
    return ours[0] / base[0] if math.isnan(ours[3]) else base[3] / ours[3]


def logins(bounds: Bounds) -> None:
    """Logins a second against what argon2 alone allows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"STACKWRIGHT_DATA": str(folder / "data"), "PORT": "8304"}
        command = [sys.executable, "-m", "engine", "serve", str(workspace(folder))]
        with serving(command, 8304, environment, core=None):
            post(8304, "/api:main/auth/signup", USER)
            body = {"email": USER["email"], "password": USER["password"]}
            alone = argon2_alone()
            rate = statistics.median(
                wrk(8304, "/api:main/auth/login", body=body, connections=CPUS * 2)[0] for _ in range(ROUNDS)
            )
            print(f"\nlogin: {rate:.0f} /s, argon2 alone {alone:.0f} /s")
            bounds.at_least("logins a second against argon2 alone", rate / alone, 0.95)


def argon2_alone() -> float:
    stored = handwritten.HASHER.hash("correct horse")
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        jobs = [handwritten.POOL.submit(handwritten.HASHER.verify, stored, "correct horse") for _ in range(CPUS * 4)]
        count += sum(job.result() for job in jobs)
    return count / (time.perf_counter() - started)


class _Verifies:
    """Stands for hashing on both sides, so that only the plan is measured."""

    async def verify(self, stored: object, password: str) -> bool:
        return True

    def needs_rehash(self, stored: object) -> bool:
        return False


class _Seals:
    def create(self, table: str, id: object, extras: object, expires_in: int = 86400) -> str:
        return "token"


def plans() -> None:
    """A run of a plan against the function written by hand, in process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checked = check_folder(workspace(folder))
        store = SqliteStore.open(folder / "plans.sqlite3", checked.workspace.tables, "OFF")
        store.writer.connection.execute(
            "INSERT INTO user (created_at, name, email, password, role)"
            " VALUES (1, 'Ada', 'ada@example.com', 'x', 'member')"
        )
        compiler = Compiler(checked, store)
        made = {each.name: compiler.endpoint(each).function for each in checked.workspace.endpoints}
        run = Services(store=store, passwords=_Verifies(), tokens=_Seals()).run()
        login = {"email": "ada@example.com", "password": "x"}
        print("\nin process, a run against the function written by hand")
        ratio(
            "login plan",
            1.15,
            lambda: drive(made["POST /auth/login"](run, login, None)),
            lambda: drive(_login(store, login)),
        )
        ratio(
            "20-step plan", 1.2, lambda: made["POST /bench/logic"](run, LOGIC, None), lambda: handwritten.logic(LOGIC)
        )
        ratio(
            "1,000-item loop",
            1.6,
            lambda: drive(made["POST /bench/loop"](run, LOOP, None)),
            lambda: handwritten.loop(LOOP),
        )
        asyncio.run(store.close())


async def _login(store: SqliteStore, given: dict[str, Any]) -> dict[str, Any]:
    sql = 'SELECT id, created_at, name, email, role, password FROM user WHERE email = ?1 ORDER BY "id" LIMIT 1'
    row = store.reader.execute(sql, (given["email"],)).fetchone()
    user = {"id": row[0], "created_at": row[1], "name": row[2], "email": row[3], "role": row[4]} if row else None
    matches = await _Verifies().verify(row[5] if row else None, given["password"])
    if user is None or not matches:
        raise PermissionError("Invalid Credentials.")
    return {"authToken": _Seals().create("user", user["id"], {"role": user["role"]})}


def drive(coroutine: Any) -> Any:
    """Runs a coroutine to its end without an event loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value


def ratio(name: str, wanted: float, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    count = max(1, int(0.02 / timeit.timeit(theirs, number=1)))
    pairs = [(timeit.timeit(ours, number=count), timeit.timeit(theirs, number=count)) for _ in range(15)]
    mine, other = (min(column) / count * 1e6 for column in zip(*pairs, strict=True))
    print(f"{name:<20}{mine:>9.2f} µs{other:>9.2f} µs  {mine / other:5.2f} (to reach: {wanted})")


def checking() -> None:
    """Checks a workspace of 1,000 generated stacks."""
    with tempfile.TemporaryDirectory() as name:
        stacks = workspace(Path(name))
        text = (stacks / "bench" / "logic.yaml").read_text()
        for number in range(1000):
            (stacks / f"made_{number}.yaml").write_text(text.replace("/bench/logic", f"/made/{number}"))
        started = time.perf_counter()
        checked = check_folder(stacks)
        assert not checked.errors
        print(f"\ncheck of 1,000 stacks of 20 steps: {time.perf_counter() - started:.1f} s (to reach: 10)")


def main() -> None:
    bounds = Bounds()
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk): the servers are not measured")
    else:
        served(bounds)
        logins(bounds)
    plans()
    checking()
    bounds.end()


if __name__ == "__main__":
    main()
