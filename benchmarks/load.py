"""`python -m benchmarks.load`: requests from a process of their own, so that no server shares a core's time with them.

A probe is an open loop: requests go out at a steady pace, whether or not those before were answered, and each is timed
from when it was due. So what a server holds up counts for every request that came meanwhile, as its users feel it.
A flood is many clients, each of whom asks again as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

STATUS = slice(9, 12)  # of an answer's first line


@dataclass(frozen=True)
class Load:
    """What is asked of whom: `clients` at once for so many seconds, or, with a `rate`, so many requests a second."""

    port: int
    path: str
    body: str = ""
    token: str = ""
    clients: int = 1
    rate: float = 0
    seconds: float = 2

    @property
    def request(self) -> bytes:
        """The bytes of one request."""
        method = "POST" if self.body else "GET"
        token = f"authorization: Bearer {self.token}\r\n" if self.token else ""
        about = f"content-type: application/json\r\ncontent-length: {len(self.body.encode())}\r\n" if self.body else ""
        return f"{method} {self.path} HTTP/1.1\r\nhost: it\r\n{token}{about}\r\n{self.body}".encode()


@dataclass(frozen=True)
class Latencies:
    """The milliseconds that answers of each status took, in order."""

    by_status: dict[str, list[float]]

    @property
    def all(self) -> list[float]:
        return sorted(each for times in self.by_status.values() for each in times)

    def p(self, percent: float, status: str | None = None) -> float:
        """A percentile, of all answers or of those with a status; 0 where there are none."""
        times = self.all if status is None else sorted(self.by_status.get(status, []))
        return times[min(len(times) - 1, int(len(times) * percent / 100))] if times else 0.0


class Connection:
    """A connection that is kept: one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> str:
        """The status of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        if b"connection: close" in head:
            writer.close()
            self._streams = None
        return head[STATUS].decode()


Note = Callable[[str, float], None]


async def flood(load: Load, note: Note) -> None:
    """Asks with all clients until the time is over."""
    end = time.perf_counter() + load.seconds
    request = load.request

    async def client() -> None:
        connection = Connection(load.port)
        while (started := time.perf_counter()) < end:
            note(await connection.ask(request), started)

    await asyncio.gather(*(client() for _ in range(load.clients)))


async def probe(load: Load, note: Note) -> None:
    """Asks at the load's rate; a request that finds no idle connection opens one."""
    idle: list[Connection] = []
    request = load.request

    async def one(due: float) -> None:
        connection = idle.pop() if idle else Connection(load.port)
        note(await connection.ask(request), due)
        idle.append(connection)

    tasks, begun = [], time.perf_counter()
    for number in range(int(load.rate * load.seconds)):
        due = begun + number / load.rate
        await asyncio.sleep(due - time.perf_counter())
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)


async def run(load: Load) -> dict[str, list[float]]:
    """The milliseconds that each answer took, by its status."""
    found: dict[str, list[float]] = {}

    def note(status: str, since: float) -> None:
        found.setdefault(status, []).append((time.perf_counter() - since) * 1000)

    asked: Callable[[Load, Note], Awaitable[None]] = probe if load.rate else flood
    await asked(load, note)
    return found


def started(load: Load) -> subprocess.Popen[str]:
    """The load, begun in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(load))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> Latencies:
    """What a load that was begun found."""
    out, _ = process.communicate(timeout=120)
    if process.returncode:
        raise SystemExit("a load could not be put on the server")
    found: dict[str, Any] = json.loads(out)
    return Latencies(found)


def measured(load: Load) -> Latencies:
    """What a load finds."""
    return finished(started(load))


@contextmanager
def beside(load: Load, lead: float = 0.5) -> Iterator[list[Latencies]]:
    """Puts a load on the server while the block runs and for `lead` seconds before; its latencies come at the end."""
    process = started(load)
    found: list[Latencies] = []
    time.sleep(lead)
    try:
        yield found
        found.append(finished(process))
    finally:
        process.kill()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Load(**json.loads(sys.argv[1]))))))
