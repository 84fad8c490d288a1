"""Password hashes: argon2id on a bounded pool, with the same work whether or not there is a hash to compare."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import secrets
import sys
import threading
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from engine.errors import Fault
from engine.security.argon2id import VERSION, Blocks, digest

NICE = 10  # of the threads that hash
T = TypeVar("T")

MAX_PASSWORD = 4096  # bytes of UTF-8
SALT_BYTES = 16
DIGEST_BYTES = 32

# The heaviest stored hash that is still computed: what a table holds must not decide how much memory we use.
MAX_MEMORY_KIB = 256 * 1024
MAX_TIME = 16
MAX_PARALLELISM = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: memory in KiB, passes over it, and lanes. The default is OWASP's minimum."""

    memory_kib: int = 19456
    time: int = 2
    parallelism: int = 1

    def __post_init__(self) -> None:
        lanes_fit = self.memory_kib >= 8 * self.parallelism  # RFC 9106 §3.1
        if not (lanes_fit and self.time >= 1 and self.parallelism >= 1 and self.bearable):
            raise ValueError(f"argon2 can't run with {self}: see RFC 9106, section 3.1, and the limits of this module")

    @property
    def bearable(self) -> bool:
        """Whether it stays within this module's limits."""
        return self.memory_kib <= MAX_MEMORY_KIB and self.time <= MAX_TIME and self.parallelism <= MAX_PARALLELISM

    @property
    def strong(self) -> bool:
        """Whether it is at least one line of OWASP's list (Password Storage Cheat Sheet, argon2id)."""
        return any(self.memory_kib >= memory and self.time >= time for memory, time in OWASP)

    @property
    def work(self) -> int:
        """What the running time grows with: KiB filled over all passes."""
        return self.memory_kib * self.time


OWASP = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))  # KiB, passes; one lane each
DEFAULT_COST = Cost()
TEST_COST = Cost(memory_kib=8, time=1)  # for tests alone: a guess a microsecond

_STORED = re.compile(
    r"\$argon2id\$v=(16|19)\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9][0-9]?)"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)
HASH_PATTERN = f"^{_STORED.pattern}$"  # of a stored hash, for a JSON Schema


@dataclass(frozen=True, slots=True)
class Stored:
    """A hash as it is stored, and all that computing it again takes."""

    version: int
    cost: Cost
    salt: bytes
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Stored | None:
        """What a text in PHC string format says; None where it is no argon2id hash or is beyond all bounds."""
        match = _STORED.fullmatch(text)
        if not match:
            return None
        version, memory, time, parallelism, salt, digest = match.groups()
        try:
            return cls(int(version), Cost(int(memory), int(time), int(parallelism)), _decoded(salt), _decoded(digest))
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """It in PHC string format."""
        cost = f"m={self.cost.memory_kib},t={self.cost.time},p={self.cost.parallelism}"
        return f"$argon2id$v={self.version}${cost}${_base64(self.salt)}${_base64(self.digest)}"

    @property
    def parameters(self) -> object:
        """All but salt and digest themselves."""
        return self.version, self.cost, len(self.salt), len(self.digest)


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    """What `_base64` made a text of. Raises ValueError where it can't have."""
    content = b64decode(text + "=" * (-len(text) % 4), validate=True)
    if _base64(content) != text:
        raise ValueError("there are bits past the last byte")
    return content


class Passwords:
    """Hashes and checks passwords at one cost, on `threads` threads, with at most `queue` calls waiting for one.

    A password is normalised once by NFKC (NIST SP 800-63B-4 §3.1.1.2), so that it is the same from every keyboard;
    apart from that it is taken as it is: no trimming, no case folding, no cutting. OWASP's ASVS 6.2.8 wants it
    unmodified altogether; a person whose phone composes 'é' otherwise than their computer decides that here.

    Argon2 runs without the interpreter's lock, so other requests go on. Safe for use from several event loops.
    """

    def __init__(self, cost: Cost = DEFAULT_COST, threads: int | None = None, queue: int = 64) -> None:
        workers = threads or os.cpu_count() or 1
        self._cost = cost
        self._dummy = _dummy(cost)
        self._blocks = Blocks(cost.memory_kib * 1024)
        self._slots = threading.BoundedSemaphore(workers + queue)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="password", initializer=_stand_back)

    async def hash(self, password: str) -> str:
        """The text to store for `password`: argon2id in PHC string format, with a fresh salt.

        Raises Fault input_error past 4,096 bytes of UTF-8, Fault unavailable at once when too many calls wait.
        """
        _check_size(password)
        return await self._run(self.hash_now, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one that `stored` was made from.

        None, or a text that isn't a hash, takes as long as a wrong password and yields False; so does a hash with
        cheaper parameters. Raises as `hash` does.
        """
        _check_size(password)
        return await self._run(self.verify_now, stored, password)

    @property
    def is_full(self) -> bool:
        """Whether so many calls wait that another would be refused."""
        if self._slots.acquire(blocking=False):
            self._slots.release()
            return False
        return True

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` isn't what `hash` would give now, apart from salt and digest."""
        found, wanted = Stored.parse(stored), self._dummy
        return found is None or found.parameters != wanted.parameters

    def hash_now(self, password: str) -> str:
        """`hash`, in this thread."""
        made = Stored(VERSION, self._cost, secrets.token_bytes(SALT_BYTES), b"")
        return replace(made, digest=self._digest(made, DIGEST_BYTES, _normalised(password))).text

    def verify_now(self, stored: str | None, password: str) -> bool:
        """`verify`, in this thread."""
        secret = _normalised(password)
        found = Stored.parse(stored or "")
        if found is None:
            self._matches(self._dummy, secret)
            return False
        right = self._matches(found, secret)
        self._even_out(found.cost, secret)
        return right

    def close(self) -> None:
        """End the threads; calls that still wait are cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, stored: Stored, secret: bytes) -> bool:
        return hmac.compare_digest(self._digest(stored, len(stored.digest), secret), stored.digest)

    def _digest(self, stored: Stored, size: int, secret: bytes) -> bytes:
        cost, salt, version = stored.cost, stored.salt, stored.version
        numbers = {"memory_kib": cost.memory_kib, "passes": cost.time, "lanes": cost.parallelism}
        return digest(self._blocks, secret, salt, **numbers, size=size, version=version)

    def _even_out(self, spent: Cost, secret: bytes) -> None:
        """Spend what a hash of older, cheaper parameters saved, or its account would answer sooner than others."""
        cost = self._cost
        memory = (cost.work - spent.work) // cost.time
        if memory >= 8 * cost.parallelism:
            rest = replace(cost, memory_kib=memory)
            self._digest(Stored(VERSION, rest, bytes(SALT_BYTES), b""), DIGEST_BYTES, secret)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        if not self._slots.acquire(blocking=False):
            raise busy()
        try:
            future = self._pool.submit(work, *arguments)
        except RuntimeError:  # closed
            self._slots.release()
            raise busy() from None
        # Called once in every case: done, failed, or cancelled while waiting. Work that has begun can't be
        # cancelled and keeps its slot until it ends, whether or not anyone still awaits it.
        future.add_done_callback(lambda _: self._slots.release())
        return await asyncio.wrap_future(future)


def _stand_back() -> None:
    """Lets the event loop go before a thread that hashes: a cheap request must not wait for a core."""
    if sys.platform == "linux":  # where a thread has a nice level of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def busy() -> Fault:
    """What is answered where too many calls wait already."""
    message = "Too many passwords are being checked. Try again in a second."
    return Fault("unavailable", message, reason="passwords", headers=(("Retry-After", "1"),))


def _check_size(password: str) -> bytes:
    """The password's UTF-8. Raises Fault input_error where it is too long or isn't Unicode text."""
    if len(password) <= MAX_PASSWORD:  # a character takes one byte at least
        try:
            encoded = password.encode()
        except UnicodeEncodeError:
            raise Fault("input_error", "The password holds half a surrogate pair.", reason="password") from None
        if len(encoded) <= MAX_PASSWORD:
            return encoded
    raise Fault("input_error", f"The password is longer than {MAX_PASSWORD} bytes.", reason="password")


def _normalised(password: str) -> bytes:
    _check_size(password)
    return unicodedata.normalize("NFKC", password).encode()


def _dummy(cost: Cost) -> Stored:
    """A hash of nobody's password at `cost`: comparing with it is the whole work, making it is none."""
    return Stored(VERSION, cost, *(secrets.token_bytes(size) for size in (SALT_BYTES, DIGEST_BYTES)))
