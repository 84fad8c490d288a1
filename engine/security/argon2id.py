"""Argon2id (RFC 9106), computed in blocks of memory that are kept from one hash to the next.

A hash fills megabytes. Where the library takes them from the system each time, the system clears them page by page
first, which costs up to half as much as the hash; where malloc keeps them, it does so for ever. Here a block waits for
the next hash, and is given back once there was none for a while.

The library wipes a block before it lets go of it, so no hash finds what another left.
"""

from __future__ import annotations

import mmap
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from argon2.low_level import Type, core, error_to_str, ffi

KEEP_SECONDS = 5.0  # that a block waits for the next hash
VERSION = 0x13
_DONE = 0  # what the library returns where nothing went wrong


class Blocks:
    """Blocks of `size` bytes that wait for the next hash. Safe for use from several threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.idle: list[Any] = []
        self._lock = threading.Lock()
        self._used = 0.0
        self._timer: threading.Timer | None = None

    @contextmanager
    def lent(self, size: int) -> Iterator[Any]:
        """A block of at least `size` bytes, all zero; one of another size than ours is not kept."""
        if size > self.size:
            yield _mapped(size)
            return
        with self._lock:
            block = self.idle.pop() if self.idle else None
        if block is None:
            block = _mapped(self.size)
        yield block  # one that something went wrong with isn't taken back
        with self._lock:
            self.idle.append(block)
            self._used = time.monotonic()
            if self._timer is None:
                self._look_in(KEEP_SECONDS)

    def _look_in(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            rest = self._used + KEEP_SECONDS - time.monotonic()
            if rest > 0:
                self._look_in(rest)
            else:
                self.idle.clear()
                self._timer = None


def _mapped(size: int) -> Any:
    """Fresh memory that is ours alone, given back to the system with the last reference to it."""
    memory = mmap.mmap(-1, size) if sys.platform == "win32" else mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANON)
    return ffi.from_buffer("uint8_t[]", memory)


# What the library calls for memory, in the thread that hashes.
_lent = threading.local()


def _allocate(pointer: Any, size: int) -> int:
    block = _lent.block
    pointer[0] = block if size <= len(block) else ffi.NULL  # the library reports that as an error
    return 0


def _release(pointer: Any, size: int) -> None:
    """The block is taken back when the hash is there."""


try:
    _ALLOCATE = ffi.callback("int(uint8_t **, size_t)", _allocate)
    _RELEASE = ffi.callback("void(uint8_t *, size_t)", _release)
except (MemoryError, SystemError):  # where no memory may be both written and run, the library asks the system
    _ALLOCATE = _RELEASE = ffi.NULL


def digest(
    blocks: Blocks,
    secret: bytes,
    salt: bytes,
    *,
    memory_kib: int,
    passes: int,
    lanes: int,
    size: int,
    version: int = VERSION,
) -> bytes:
    """The tag of `size` bytes for a secret and a salt. Raises ValueError where RFC 9106 §3.1 rules the numbers out."""
    out, salted = ffi.new("uint8_t[]", size), ffi.new("uint8_t[]", salt)
    context = ffi.new("argon2_context *")
    context.out, context.outlen = out, size
    context.salt, context.saltlen = salted, len(salt)
    context.t_cost, context.m_cost = passes, memory_kib
    context.lanes = context.threads = lanes
    context.version = version
    context.allocate_cbk, context.free_cbk = _ALLOCATE, _RELEASE
    with blocks.lent(memory_kib * 1024) as _lent.block, copied(secret) as given:
        context.pwd, context.pwdlen = given, len(secret)
        code = core(context, Type.ID.value)
    del _lent.block
    if code != _DONE:
        raise ValueError(error_to_str(code))
    return bytes(ffi.buffer(out))


@contextmanager
def copied(secret: bytes) -> Iterator[Any]:
    """A copy for the library, wiped in the end; a text of Python's can't be."""
    copy = ffi.new("uint8_t[]", secret)
    try:
        yield copy
    finally:
        ffi.memmove(copy, bytes(len(secret)), len(secret))
