"""Password hashes: argon2id, the same work for everybody, bounded threads and a bounded queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from engine.errors import Fault
from engine.security.passwords import DEFAULT_COST, TEST_COST, Cost, Passwords

SLOW = Cost(memory_kib=32_768, time=2)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    quick = Passwords(TEST_COST, threads=2, queue=4)
    yield quick
    quick.close()


def seconds(work: Callable[[], object], runs: int = 9) -> float:
    """The least processor time of this thread that `work` took."""

    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(runs))


def changed(stored: str, index: int) -> str:
    """`stored` with the `index`-th character of its digest replaced."""
    head, _, digest = stored.rpartition("$")
    letters = list(digest)
    letters[index] = "A" if letters[index] != "A" else "Q"
    return f"{head}${''.join(letters)}"


def test_p_1_a_stored_hash_is_argon2id_at_owasp_s_minimum() -> None:
    stored = Passwords(threads=1).hash_now("correct horse")
    found = extract_parameters(stored)
    assert (found.type, found.version, found.memory_cost, found.time_cost, found.parallelism) == (
        Type.ID,
        19,
        19456,
        2,
        1,
    )
    assert DEFAULT_COST.strong


@pytest.mark.parametrize(
    ("cost", "strong"),
    [
        (Cost(47104, 1), True),
        (Cost(12288, 3), True),
        (Cost(9216, 4), True),
        (Cost(7168, 5), True),
        (Cost(65536, 3, 4), True),
        (Cost(19455, 2), False),
        (Cost(19456, 1), False),
        (Cost(7167, 16), False),
        (TEST_COST, False),
    ],
)
def test_p_1_a_cost_knows_whether_it_is_on_owasp_s_list(cost: Cost, strong: bool) -> None:
    assert cost.strong == strong


@pytest.mark.parametrize("numbers", [(7, 1, 1), (8, 0, 1), (8, 1, 0), (15, 1, 2), (262_145, 1, 1), (8, 17, 1)])
def test_a_cost_that_cannot_be_run_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="argon2 can't run"):
        Cost(*numbers)


def test_p_2_the_same_password_is_stored_differently_with_128_bits_of_salt(passwords: Passwords) -> None:
    stored = [passwords.hash_now("correct horse") for _ in range(50)]
    assert len({text.split("$")[4] for text in stored}) == 50
    assert {extract_parameters(text).salt_len for text in stored} == {16}
    assert all(passwords.verify_now(text, "correct horse") for text in stored)


def test_p_3_every_character_of_a_long_password_counts(passwords: Passwords) -> None:
    long = "\N{GRINNING FACE}" * 64
    stored = passwords.hash_now(long)
    assert passwords.verify_now(stored, long)
    assert not passwords.verify_now(stored, long[:-1] + "\N{GRINNING FACE WITH SMILING EYES}")
    assert not passwords.verify_now(stored, long[:-1])


@pytest.mark.parametrize(
    ("stored", "tried", "same"),
    [
        ("caf\u00e9", "cafe\u0301", True),
        ("\u212b", "\u00c5", True),
        ("\ufb01nd", "find", True),
        ("Secret", "secret", False),
        ("secret", " secret", False),
        ("secret", "secret ", False),
        ("secret", "secret\n", False),
        ("secret\0one", "secret\0two", False),
        ("secret", "secret\0", False),
        ("", "", True),
        ("", " ", False),
    ],
)
def test_p_4_normalised_once_by_nfkc_and_nothing_else(
    passwords: Passwords, stored: str, tried: str, same: bool
) -> None:
    assert passwords.verify_now(passwords.hash_now(stored), tried) == same
    assert passwords.verify_now(passwords.hash_now(tried), stored) == same


def test_p_9_a_hash_of_older_parameters_verifies_and_asks_for_a_new_one(passwords: Passwords) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=2, salt_len=8, hash_len=16).hash("correct horse")
    assert passwords.verify_now(old, "correct horse")
    assert not passwords.verify_now(old, "wrong horse")
    assert passwords.needs_rehash(old)
    assert not passwords.needs_rehash(passwords.hash_now("correct horse"))


@pytest.mark.parametrize(
    "hasher",
    [
        PasswordHasher(time_cost=1, memory_cost=16, parallelism=1),
        PasswordHasher(time_cost=2, memory_cost=8, parallelism=1),
        PasswordHasher(time_cost=1, memory_cost=16, parallelism=2),
        PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, salt_len=8),
        PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16),
        PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.I),
    ],
)
def test_p_9_any_other_parameter_asks_for_a_new_hash(passwords: Passwords, hasher: PasswordHasher) -> None:
    assert passwords.needs_rehash(hasher.hash("correct horse"))


@pytest.mark.parametrize("password", ["a" * 4097, "\u00e9" * 2049, "a" * 10_000_000, "half \ud800"])
def test_p_10_what_is_too_long_or_no_text_is_refused_before_hashing(password: str) -> None:
    costly = Passwords(Cost(memory_kib=262_144, time=16), threads=1)
    for attempt in (
        lambda: costly.hash_now(password),
        lambda: costly.verify_now(None, password),
        lambda: asyncio.run(costly.hash(password)),
        lambda: asyncio.run(costly.verify(None, password)),
    ):
        start = time.thread_time()
        with pytest.raises(Fault) as caught:
            attempt()
        assert time.thread_time() - start < 0.5  # hashing would take ten times that
        assert caught.value.name == "input_error"
        assert password[:20] not in caught.value.message


def test_p_10_the_limit_itself_is_accepted(passwords: Passwords) -> None:
    for password in ("a" * 4096, "\u00e9" * 2048, "\ufdfa" * 1365):
        assert passwords.verify_now(passwords.hash_now(password), password)


BROKEN = [
    "",
    "plain text",
    "$2b$12$abcdefghijklmnopqrstuv",
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$",
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAB",
    "$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2id$v=19$m=8,t=99,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2id$v=19$m=8,t=1,p=99$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2d$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA\n",
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA\0",
    "\u00e9" * 100,
]


@pytest.mark.parametrize("stored", [None, *BROKEN])
def test_no_hash_or_a_broken_one_is_nobody_s_password(passwords: Passwords, stored: str | None) -> None:
    assert passwords.verify_now(stored, "correct horse") is False
    assert passwords.verify_now(stored, "") is False
    assert stored is None or passwords.needs_rehash(stored)


@pytest.mark.parametrize("cost", [Cost(2048, 2), Cost(4096, 1)])
@pytest.mark.parametrize("stored", [None, *BROKEN])
def test_l_1_no_hash_takes_as_much_work_as_a_wrong_password(cost: Cost, stored: str | None) -> None:
    live = Passwords(cost, threads=1)
    hash = live.hash_now("correct horse")
    wrong = seconds(lambda: live.verify_now(hash, "wrong horse"))
    assert 0.5 < seconds(lambda: live.verify_now(stored, "wrong horse")) / wrong < 2


def test_l_2_the_dummy_work_grows_with_the_live_cost() -> None:
    small, large = (Passwords(Cost(memory, 2), threads=1) for memory in (1024, 8192))
    ratio = seconds(lambda: large.verify_now(None, "guess")) / seconds(lambda: small.verify_now(None, "guess"))
    assert ratio > 4


@pytest.mark.parametrize("old", [Cost(8, 1), Cost(1024, 2), Cost(4096, 1), Cost(2048, 3)])
def test_l_3_a_hash_of_older_parameters_takes_as_much_work_too(old: Cost) -> None:
    live = Passwords(Cost(4096, 2), threads=1)
    hash = Passwords(old, threads=1).hash_now("correct horse")
    nobody = seconds(lambda: live.verify_now(None, "wrong horse"))
    assert 0.5 < seconds(lambda: live.verify_now(hash, "wrong horse")) / nobody < 2


@pytest.mark.parametrize("index", range(42))
def test_t_18_a_digest_that_differs_anywhere_is_refused(passwords: Passwords, index: int) -> None:
    """What compares takes as long wherever they differ: `hmac.compare_digest`."""
    assert not passwords.verify_now(changed(passwords.hash_now("correct horse"), index), "correct horse")


def test_several_event_loops_one_after_another(passwords: Passwords) -> None:
    async def round_trip() -> bool:
        return await passwords.verify(await passwords.hash("correct horse"), "correct horse")

    assert all(asyncio.run(round_trip()) for _ in range(20))


def test_the_event_loop_runs_on_while_a_password_is_hashed() -> None:
    slow = Passwords(SLOW, threads=1)

    async def turns() -> int:
        hashing = asyncio.create_task(slow.hash("correct horse"))
        count = 0
        while not hashing.done():
            await asyncio.sleep(0)
            count += 1
        return count

    assert asyncio.run(turns()) > 100


def test_b_9_past_the_queue_the_answer_is_unavailable_at_once_and_the_rest_are_served() -> None:
    slow = Passwords(SLOW, threads=1, queue=3)

    async def burst() -> list[str | BaseException]:
        return await asyncio.gather(*(slow.hash("correct horse") for _ in range(20)), return_exceptions=True)

    answers = asyncio.run(burst())
    refused = [answer for answer in answers if isinstance(answer, Fault)]
    assert len(refused) == 16
    assert {(fault.name, fault.status, fault.headers) for fault in refused} == {
        ("unavailable", 503, (("Retry-After", "1"),))
    }
    assert len([answer for answer in asyncio.run(burst()) if isinstance(answer, str)]) == 4


def test_cancelled_requests_give_their_places_back() -> None:
    slow = Passwords(SLOW, threads=1, queue=3)

    async def cancel_all() -> None:
        for _ in range(10):
            tasks = [asyncio.create_task(slow.hash("correct horse")) for _ in range(4)]
            await asyncio.sleep(0.001)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def four() -> list[str]:
        return await asyncio.gather(*(slow.hash("correct horse") for _ in range(4)))

    asyncio.run(cancel_all())
    asyncio.run(slow.hash("correct horse"))  # by now the only thread has ended whatever it had begun
    assert len(asyncio.run(four())) == 4


def test_work_that_was_begun_keeps_its_place_though_its_request_is_gone() -> None:
    slow = Passwords(Cost(memory_kib=65_536, time=6), threads=1, queue=0)

    async def abandon_then_ask() -> str:
        begun = asyncio.create_task(slow.hash("correct horse"))
        await asyncio.sleep(0.01)
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        with pytest.raises(Fault, match="unavailable"):
            await slow.hash("another")
        while True:
            try:
                return await slow.hash("another")
            except Fault:
                await asyncio.sleep(0.01)

    assert asyncio.run(abandon_then_ask()).startswith("$argon2id$")


def test_a_closed_pool_is_unavailable_and_stays_so(passwords: Passwords) -> None:
    passwords.close()
    for _ in range(10):
        with pytest.raises(Fault) as caught:
            asyncio.run(passwords.verify(None, "guess"))
        assert caught.value.name == "unavailable"
