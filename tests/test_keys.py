"""The key folder: made once, private, strict about what it holds, and watched while serving."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.security.keys import ALGORITHMS, KeyRing, SetupError

RANDOM = "y8Pd3r0TzQ5x1bUq8mFhW2kJvN7aLcE4sGoRiX6tYp0"
OTHER = "q2Zr8Wc1Tn6Kx0Vb5Jm9Hd3Lf7Gs4Pa-Yu_EiOwQhX8"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


def jwk(**changes: object) -> dict[str, object]:
    members: dict[str, object] = {
        "kty": "oct",
        "kid": "one",
        "alg": "dir",
        "enc": "A256GCM",
        "created_at": 1_700_000_000_000,
        "k": RANDOM,
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


def write(folder: Path, name: str, content: object) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(0o600)
    return file


def encoded(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def kids(ring: KeyRing) -> list[str]:
    return [key.kid for key in ring.list()]


def test_first_start_makes_one_private_key_of_256_bits(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    ring = KeyRing.open(folder, Clock())
    assert [file.name for file in folder.iterdir()] == ["1.json"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "1.json").stat().st_mode & 0o777 == 0o600
    content = json.loads((folder / "1.json").read_text())
    assert len(base64.urlsafe_b64decode(content["k"] + "=")) == 32
    assert content | {"kid": "", "k": ""} == {
        "kty": "oct",
        "kid": "",
        "alg": "dir",
        "enc": "A256GCM",
        "created_at": 1_700_000_000_000,
        "k": "",
    }
    assert ring.current.kid == content["kid"]
    assert KeyRing.open(folder).list() == ring.list()


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    script = "import sys; from engine.security.keys import KeyRing; print(KeyRing.open(sys.argv[1]).current.kid)"
    command = [sys.executable, "-c", script, str(tmp_path / "keys")]
    root = Path(__file__).parent.parent
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) for _ in range(4)]
    answers = {start.communicate(timeout=60)[0] for start in starts}
    assert len(answers) == 1
    assert answers != {b""}
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["1.json"]


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    KeyRing.open(tmp_path / "keys")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: KeyRing.open(tmp_path / "keys").rotate().kid, range(16)))
    assert sorted(kids(KeyRing.open(tmp_path / "keys"))[1:]) == sorted(made)


def test_a_key_put_there_beforehand_is_used(tmp_path: Path) -> None:
    write(tmp_path / "keys", "1.json", jwk())
    ring = KeyRing.open(tmp_path / "keys")
    assert (ring.current.kid, ring.current.jwk["k"]) == ("one", RANDOM)


def test_the_highest_number_is_current_and_dot_files_are_nothing(tmp_path: Path) -> None:
    write(tmp_path / "keys", "9.json", jwk(kid="nine"))
    write(tmp_path / "keys", "10.json", jwk(kid="ten", k=OTHER))
    write(tmp_path / "keys", ".half", "{")
    ring = KeyRing.open(tmp_path / "keys")
    assert (kids(ring), ring.current.kid) == (["nine", "ten"], "ten")


@pytest.mark.parametrize(
    ("k", "word"),
    [
        ("c2hvcnQ", "256 bits"),
        (encoded(bytes(range(16))), "256 bits"),
        (encoded(bytes(range(7, 71))), "256 bits"),
        ("", "256 bits"),
        (None, "256 bits"),
        (7, "256 bits"),
        (RANDOM + "=", "256 bits"),
        ("not base64 at all, but a sentence of text..", "256 bits"),
        (encoded(b"correct horse battery staple 123"), "password"),
        (encoded(b"0123456789abcdef0123456789abcdef"), "password"),
        ("correct-horse-battery-staple-correct-horse1", "password"),
        ("CORRECT-HORSE-BATTERY-STAPLE-CORRECT-HORSE1", "password"),
        (encoded(bytes(32)), "password"),
        (encoded(bytes(range(8)) * 4), "password"),
    ],
)
def test_t_8_a_short_or_typed_key_is_refused(tmp_path: Path, k: object, word: str) -> None:
    file = write(tmp_path / "keys", "1.json", jwk(k=k))
    with pytest.raises(SetupError, match=word) as caught:
        KeyRing.open(tmp_path / "keys")
    assert str(file) in str(caught.value)
    assert not (isinstance(k, str) and k and k in str(caught.value))


def test_t_8_made_keys_are_never_refused_and_never_alike(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys")
    for _ in range(30):
        ring.rotate()
    assert len({key.jwk["k"] for key in KeyRing.open(tmp_path / "keys").list()}) == 31


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("1.json", "", "JSON Web Key"),
        ("1.json", "[" * 3000, "JSON Web Key"),
        ("1.json", [jwk()], "JSON Web Key"),
        ("1.json", json.dumps(jwk()) + " " * 5000, "4096 bytes"),
        ("1.json", jwk(kty="RSA"), "'kty'"),
        ("1.json", jwk(kid=None), "'kid'"),
        ("1.json", jwk(kid="../../etc/passwd"), "'kid'"),
        ("1.json", jwk(kid="k" * 65), "'kid'"),
        ("1.json", jwk(created_at=None), "'created_at'"),
        ("1.json", jwk(created_at=True), "'created_at'"),
        ("1.json", jwk(alg=None), "'alg' and 'enc'"),
        ("1.json", jwk(alg="none"), "'alg' and 'enc'"),
        ("1.json", jwk(alg="A256KW"), "'alg' and 'enc'"),
        ("1.json", jwk(enc="A256CBC-HS512"), "'alg' and 'enc'"),
        ("1.json", jwk(alg="RSA-OAEP"), "'alg' and 'enc'"),
        ("production.json", jwk(), "1.json, 2.json"),
        ("01.json", jwk(), "1.json, 2.json"),
    ],
)
def test_a_file_that_is_no_key_stops_the_start(tmp_path: Path, name: str, content: object, word: str) -> None:
    write(tmp_path / "keys", name, content)
    with pytest.raises(SetupError, match=word):
        KeyRing.open(tmp_path / "keys")
    assert [file.name for file in (tmp_path / "keys").iterdir()] == [name]


@pytest.mark.parametrize("second", [jwk(k=OTHER), jwk(kid="two"), jwk(kid="two", alg="A256KW", enc="A256CBC-HS512")])
def test_t_1_two_files_never_share_a_kid_or_a_secret(tmp_path: Path, second: dict[str, object]) -> None:
    write(tmp_path / "keys", "1.json", jwk())
    write(tmp_path / "keys", "2.json", second)
    with pytest.raises(SetupError, match=r"'2\.json' and '1\.json'"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("extra", [0o040, 0o004, 0o020, 0o010])
def test_what_others_may_read_stops_the_start(tmp_path: Path, extra: int) -> None:
    file = write(tmp_path / "keys", "1.json", jwk())
    file.chmod(0o600 | extra)
    with pytest.raises(SetupError, match=f"chmod 600 {file}"):
        KeyRing.open(tmp_path / "keys")
    file.chmod(0o600)
    file.parent.chmod(0o700 | extra)
    with pytest.raises(SetupError, match=f"chmod 700 {file.parent}"):
        KeyRing.open(tmp_path / "keys")


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SetupError, match="can't be made"):
        KeyRing.open(tmp_path / "data" / "keys")
    with pytest.raises(SetupError, match="can't be"):
        KeyRing.open(tmp_path / "data")


def test_rotate_makes_a_new_current_key_and_keeps_the_old(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", Clock())
    old, version = ring.current, ring.version
    new = ring.rotate(algorithm="xano")
    assert (new.algorithm, ring.current, ring.list()) == (ALGORITHMS["xano"], new, (old, new))
    assert (ring.get(old.kid), ring.get(new.kid)) == (old, new)
    assert ring.version > version
    assert (tmp_path / "keys" / "2.json").stat().st_mode & 0o777 == 0o600


def test_retire_removes_a_key_for_good_and_its_number_is_not_reused(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", Clock())
    first, second = ring.current, ring.rotate()
    version = ring.version
    ring.retire(first.kid)
    assert (ring.get(first.kid), ring.list()) == (None, (second,))
    assert ring.version > version
    ring.rotate()
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == ["2.json", "3.json"]


def test_the_current_key_an_unknown_one_and_an_unknown_algorithm_are_refused(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", Clock())
    with pytest.raises(SetupError, match="rotate first"):
        ring.retire(ring.current.kid)
    with pytest.raises(SetupError, match="'nobody'"):
        ring.retire("nobody")
    with pytest.raises(SetupError, match="'rot13' for a key: use default or xano"):
        ring.rotate(algorithm="rot13")
    assert len(ring.list()) == 1


def test_another_process_sees_a_rotation_within_a_second_and_an_unknown_kid_at_once(tmp_path: Path) -> None:
    clock = Clock()
    ours, theirs = (KeyRing.open(tmp_path / "keys", clock) for _ in range(2))
    version = theirs.version
    second = ours.rotate()
    clock.now += 999
    assert (theirs.current == second, theirs.version) == (False, version)
    clock.now += 1
    assert theirs.current == second
    assert theirs.version == version + 1
    third = ours.rotate()
    assert theirs.get(third.kid) == third


def test_another_process_sees_a_retirement_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    ours, theirs = (KeyRing.open(tmp_path / "keys", clock) for _ in range(2))
    first = ours.current
    ours.rotate()
    ours.retire(first.kid)
    clock.now += 1000
    assert theirs.get(first.kid) is None


def test_a_clock_set_back_does_not_stop_the_looking(tmp_path: Path) -> None:
    clock = Clock()
    ours, theirs = (KeyRing.open(tmp_path / "keys", clock) for _ in range(2))
    new = ours.rotate()
    clock.now -= 3_600_000
    assert theirs.current == new


def test_the_version_rests_while_nothing_changes(tmp_path: Path) -> None:
    clock = Clock()
    ring = KeyRing.open(tmp_path / "keys", clock)
    version = ring.version
    clock.now += 5000
    ring.refresh()
    assert ring.get("nobody") is None
    assert ring.version == version


@pytest.mark.parametrize(
    ("name", "content"), [("2.json", "{"), ("copy.json", jwk(kid="copy", k=OTHER)), ("2.json", jwk(k=OTHER))]
)
def test_a_broken_file_is_left_out_while_serving_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: object
) -> None:
    write(tmp_path / "keys", "1.json", jwk())
    clock = Clock()
    ring = KeyRing.open(tmp_path / "keys", clock)
    version = ring.version
    write(tmp_path / "keys", name, content)
    with caplog.at_level(logging.WARNING, "engine"):
        for _ in range(3):
            clock.now += 1000
            assert (kids(ring), ring.version) == (["one"], version)
    assert len(caplog.records) == 1
    assert OTHER not in caplog.text
    ring.rotate()
    assert len(ring.list()) == 2


def test_what_cannot_be_read_does_not_hide_a_retirement(tmp_path: Path) -> None:
    clock = Clock()
    ours, theirs = (KeyRing.open(tmp_path / "keys", clock) for _ in range(2))
    first, second = ours.current, ours.rotate()
    (tmp_path / "keys" / "3.json").mkdir()
    ours.retire(first.kid)
    clock.now += 1000
    assert theirs.list() == (second,)
    with pytest.raises(SetupError, match=r"3\.json can't be read"):
        KeyRing.open(tmp_path / "keys")


def test_a_key_whose_file_was_broken_or_replaced_is_no_longer_good(tmp_path: Path) -> None:
    clock = Clock()
    file = write(tmp_path / "keys", "1.json", jwk())
    ring = KeyRing.open(tmp_path / "keys", clock)
    ring.rotate()
    file.unlink()
    write(tmp_path / "keys", "1.json", jwk(kid="two", k=OTHER))
    clock.now += 1000
    assert kids(ring)[0] == "two"
    file.write_text("{")
    clock.now += 1000
    assert len(kids(ring)) == 1


def test_a_folder_that_is_gone_ends_all_keys(tmp_path: Path) -> None:
    clock = Clock()
    ring = KeyRing.open(tmp_path / "keys", clock)
    kid = ring.current.kid
    (tmp_path / "keys" / "1.json").unlink()
    (tmp_path / "keys").rmdir()
    clock.now += 1000
    assert ring.get(kid) is None
    with pytest.raises(SetupError, match="no key is left"):
        _ = ring.current
    with pytest.raises(SetupError, match="no key can be written"):
        ring.rotate()


def test_a_folder_that_cannot_be_looked_at_keeps_the_keys_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    folder = tmp_path / "keys"
    ring = KeyRing.open(folder, clock)
    kid = ring.current.kid
    folder.rename(tmp_path / "away")
    folder.write_text("a file where the folder was")
    clock.now += 1000
    assert ring.get(kid) is not None
    assert "keeping the keys known" in caplog.text


def test_a_key_never_shows_its_secret(tmp_path: Path) -> None:
    write(tmp_path / "keys", "1.json", jwk())
    ring = KeyRing.open(tmp_path / "keys")
    shown = f"{ring} {ring!r} {ring.current} {ring.list()!r}"
    assert RANDOM not in shown
    assert "one" in shown
