"""`make bench`: this server and the hand-written ones side by side, driven by wrk, and plans against functions."""

from __future__ import annotations

import asyncio
import json
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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import handwritten
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
CPUS = os.cpu_count() or 1


def workspace(folder: Path) -> Path:
    """The shipped stacks and those of the benchmark in one folder."""
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    shutil.copytree(ROOT / "benchmarks" / "stacks", folder / "stacks" / "bench")
    return folder / "stacks"


def pinned(core: int, command: list[str]) -> list[str]:
    """`command` on one core, where the machine can do that."""
    return ["taskset", "-c", str(core % CPUS), *command] if shutil.which("taskset") else command


@contextmanager
def serving(command: list[str], port: int, environment: dict[str, str], core: int | None = 0) -> Iterator[float]:
    """A server process; yields the seconds from its start to its first answer."""
    command = command if core is None else pinned(core, command)
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
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
        yield time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def post(port: int, path: str, body: object) -> Any:
    data, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wrk(
    port: int, path: str, *, token: str = "", body: object = None, connections: int = 16
) -> tuple[float, float, float]:
    """Requests a second, median and 99th percentile in milliseconds."""
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
    match = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert match is not None
    return float(match[1]), half, most


def median(rows: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    first, second, third = (statistics.median(column) for column in zip(*rows, strict=True))
    return first, second, third


def row(name: str, figures: tuple[float, float, float], base: float | None) -> None:
    ratio = f"{figures[0] / base:6.2f}" if base else "      "
    print(f"{name:<34}{figures[0]:>10,.0f} /s{figures[1]:>9.2f} ms{figures[2]:>9.2f} ms  {ratio}")


def served() -> None:
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
            "stackwright": (8301, [python, "-m", "engine", "serve", str(stacks)], ours),
            "starlette": (8302, [*uvicorn, "--port", "8302", "benchmarks.handwritten:starlette"], theirs),
            "asgi": (8303, [*uvicorn, "--port", "8303", "benchmarks.handwritten:asgi"], theirs),
        }
        with (
            serving(servers["stackwright"][1], 8301, ours) as start,
            serving(servers["starlette"][1], 8302, theirs),
            serving(servers["asgi"][1], 8303, theirs),
        ):
            print(f"start to first answer: {start * 1000:.0f} ms\n")
            tokens = {"stackwright": post(8301, "/api:main/auth/signup", USER)["authToken"]}
            tokens["starlette"] = tokens["asgi"] = post(8302, "/api:main/auth/signup", USER)["authToken"]
            loads: dict[str, dict[str, Any]] = {
                "/api:main/auth/me": {},
                "/api:main/bench/logic": {"body": LOGIC},
                "/api:main/bench/loop": {"body": LOOP},
            }
            print(f"{'':<34}{'requests':>13}{'p50':>12}{'p99':>12}  ratio to starlette")
            for path, load in loads.items():
                compare(path, load, servers, tokens)


def compare(path: str, load: dict[str, Any], servers: dict[str, Any], tokens: dict[str, str]) -> None:
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, (port, _, _) in servers.items():
            token = tokens[name] if path.endswith("/me") else ""
            measured[name].append(wrk(port, path, token=token, **load))
    base = median(measured["starlette"])[0]
    for name in servers:
        row(f"{path.removeprefix('/api:main')} {name}", median(measured[name]), base)


def logins() -> None:
    """Logins a second against what argon2 alone allows, and a cheap endpoint meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"STACKWRIGHT_DATA": str(folder / "data"), "PORT": "8304"}
        command = [sys.executable, "-m", "engine", "serve", str(workspace(folder))]
        with serving(command, 8304, environment, core=None):
            token = post(8304, "/api:main/auth/signup", USER)["authToken"]
            body = {"email": USER["email"], "password": USER["password"]}
            alone = argon2_alone()
            rate = statistics.median(
                wrk(8304, "/api:main/auth/login", body=body, connections=CPUS * 2)[0] for _ in range(ROUNDS)
            )
            print(f"\nlogin: {rate:.0f} /s, argon2 alone {alone:.0f} /s, ratio {rate / alone:.2f} (to reach: 0.95)")
            idle = wrk(8304, "/api:main/auth/me", token=token, connections=1)[2]
            busy = busy_p99(token, body)
            print(f"p99 of me: {idle:.2f} ms idle, {busy:.2f} ms beside logins, ratio {busy / idle:.1f} (to reach: 3)")


def argon2_alone() -> float:
    stored = handwritten.HASHER.hash("correct horse")
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        jobs = [handwritten.POOL.submit(handwritten.HASHER.verify, stored, "correct horse") for _ in range(CPUS * 4)]
        count += sum(job.result() for job in jobs)
    return count / (time.perf_counter() - started)


def busy_p99(token: str, body: object) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method="POST"\nwrk.body={json.dumps(json.dumps(body))}\n')
        script.write('wrk.headers["content-type"]="application/json"\n')
        script.flush()
        url = "http://127.0.0.1:8304/api:main/auth/login"
        load = ["wrk", "-t1", "-c8", f"-d{SECONDS + 1}s", "-s", script.name, url]
        process = subprocess.Popen(load, stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        busy = wrk(8304, "/api:main/auth/me", token=token, connections=1)[2]
        process.wait()
    return busy


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
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk): the servers are not measured")
    else:
        served()
        logins()
    plans()
    checking()


if __name__ == "__main__":
    main()
