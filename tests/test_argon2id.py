"""Argon2id in blocks that are kept: the library's own digests, wiped memory, and none of it at rest."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from argon2.low_level import Type, ffi, hash_secret_raw

from engine.security import argon2id
from engine.security.argon2id import Blocks, digest
from tests.commands import ROOT

SECRET, SALT = b"correct horse \0 battery", bytes(range(16))
COST = {"memory_kib": 1024, "passes": 2, "lanes": 1, "size": 32}


def content(block: Any) -> bytes:
    return bytes(ffi.buffer(block))


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("version", [16, 19])
@pytest.mark.parametrize(("memory_kib", "passes", "size"), [(64, 1, 16), (1000, 3, 32), (4096, 2, 64)])
def test_the_digest_is_the_library_s_own(memory_kib: int, passes: int, size: int, version: int, lanes: int) -> None:
    blocks = Blocks(1024 * 1024)
    own = hash_secret_raw(SECRET, SALT, passes, memory_kib, lanes, size, Type.ID, version)
    numbers = {"memory_kib": memory_kib, "passes": passes, "lanes": lanes, "size": size, "version": version}
    for _ in range(3):  # in a fresh block, and in one that was used
        assert digest(blocks, SECRET, SALT, **numbers) == own


def test_rfc_9106_section_5_3_s_block_is_filled_as_it_says() -> None:
    """Its vector has a secret and associated data, which no password has; this one is of the reference code's tests."""
    made = digest(Blocks(65536 * 1024), b"password", b"somesalt", memory_kib=65536, passes=2, lanes=1, size=32)
    assert made.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_a_block_is_kept_and_handed_out_wiped() -> None:
    blocks = Blocks(1024 * 1024)
    digest(blocks, SECRET, SALT, **COST)
    [block] = blocks.idle
    assert not any(content(block))
    digest(blocks, SECRET, SALT, **COST)
    assert blocks.idle == [block]
    assert not any(content(block))


def test_our_copy_of_a_password_is_wiped_whatever_comes_of_it() -> None:
    with pytest.raises(ValueError, match="it failed"), argon2id.copied(SECRET) as copy:
        assert content(copy)[: len(SECRET)] == SECRET
        raise ValueError("it failed")
    assert not any(content(copy))


def test_threads_that_hash_at_once_have_a_block_each_and_no_more() -> None:
    blocks, right = Blocks(1024 * 1024), hash_secret_raw(SECRET, SALT, 2, 1024, 1, 32, Type.ID)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: digest(blocks, SECRET, SALT, **COST), range(200)))
    assert made == [right] * 200
    assert 1 <= len(blocks.idle) <= 4


def test_blocks_are_given_back_once_nobody_hashed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argon2id, "KEEP_SECONDS", 0.2)
    blocks = Blocks(1024 * 1024)
    digest(blocks, SECRET, SALT, **COST)
    assert len(blocks.idle) == 1
    end = time.monotonic() + 30
    while blocks.idle:
        assert time.monotonic() < end
        time.sleep(0.01)
    digest(blocks, SECRET, SALT, **COST)
    assert len(blocks.idle) == 1


def test_a_hash_of_more_memory_than_ours_leaves_nothing_behind() -> None:
    blocks = Blocks(64 * 1024)
    digest(blocks, SECRET, SALT, **COST)
    assert blocks.idle == []


@pytest.mark.parametrize("numbers", [{"passes": 0}, {"lanes": 0}, {"memory_kib": 7}, {"size": 3}])
def test_numbers_that_the_rfc_rules_out_are_an_error_and_the_next_hash_is_right(numbers: dict[str, int]) -> None:
    blocks = Blocks(1024 * 1024)
    with pytest.raises(ValueError, match=r"."):
        digest(blocks, SECRET, SALT, **{**COST, **numbers})
    assert digest(blocks, SECRET, SALT, **COST) == hash_secret_raw(SECRET, SALT, 2, 1024, 1, 32, Type.ID)


def test_where_no_callback_can_be_made_the_library_asks_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argon2id, "_ALLOCATE", ffi.NULL)
    monkeypatch.setattr(argon2id, "_RELEASE", ffi.NULL)
    own = hash_secret_raw(SECRET, SALT, 2, 1024, 1, 32, Type.ID)
    assert digest(Blocks(1024 * 1024), SECRET, SALT, **COST) == own


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read in /proc")
def test_memory_at_rest_is_what_it_was_before_the_hashes() -> None:
    """In a process of its own, whose memory nothing else changes."""
    program = """
import asyncio, re, time
from engine.security import argon2id
from engine.security.passwords import Passwords
argon2id.KEEP_SECONDS = 0.2
resident = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
passwords = Passwords(threads=4)
asyncio.run(passwords.hash("a"))
time.sleep(1)
before = resident()
async def many(): await asyncio.gather(*(passwords.hash("a") for _ in range(16)))
asyncio.run(many())
time.sleep(1)
print(resident() - before)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 4096  # KiB; a block has 19,456
