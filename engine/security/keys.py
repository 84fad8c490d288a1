"""The token keys of a workspace: made on first start, rotated and retired while servers run.

A key folder holds one file a key, `1.json`, `2.json` …; the highest number is the current key. A file is published
by a hard link of a finished one and removed by unlinking, so processes need no lock and never read half a key.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import SetupError
from engine.late import Late

Clock = Callable[[], int]  # milliseconds since the epoch
Stamp = tuple[int, int, int]  # what tells one content of a file from another: inode, mtime in ns, size

KEY_BYTES = 32
LOOK_EVERY = 1000  # milliseconds
MAX_FILE = 4096  # bytes
MIN_DISTINCT = 16  # of 32 random bytes fewer than 16 differ once in about 10^14 keys

logger = logging.getLogger(__name__)
jwk = Late("jwcrypto.jwk")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A key management algorithm and a content encryption algorithm (RFC 7518 §4.1 and §5.1)."""

    alg: str
    enc: str


# All there is: AEAD only, symmetric only. Both take a key of 256 bits.
ALGORITHMS: Mapping[str, Algorithm] = {
    "default": Algorithm("dir", "A256GCM"),
    "xano": Algorithm("A256KW", "A256CBC-HS512"),
}


@dataclass(frozen=True)
class Key:
    """One key and the one algorithm it may be used with; `created_at` in milliseconds since the epoch.

    `secret` is base64url without padding.
    """

    kid: str
    algorithm: Algorithm
    created_at: int
    secret: str = field(repr=False, compare=False)

    @cached_property
    def jwk(self) -> Any:
        return jwk.JWK(kty="oct", kid=self.kid, k=self.secret)


Stamps = dict[str, Stamp]
Files = dict[str, tuple[Stamp, Key]]
Complain = Callable[[SetupError], None]

KEY_FILE = re.compile(r"[1-9][0-9]{0,8}\.json")
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def now() -> int:
    """The time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class KeyRing:
    """The keys of one folder, kept up to date with it.

    Every reading looks at the folder first, at most once a second by `clock`; an unknown `kid` looks at once. So a
    rotation or retirement by another process is seen within a second. `version` grows whenever the keys change.
    While serving, a file that can't be read is left out and logged. Not for use by several threads at once.
    """

    def __init__(self, folder: Path, files: Files, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._looked = clock()
        self._version = 0
        self._stamps: Stamps = {}
        self._files: Files = {}
        self._keys: dict[str, Key] = {}
        self._take({name: stamp for name, (stamp, _) in files.items()}, _without_doubles(files, _raise))

    @classmethod
    def open(cls, folder: Path | str, clock: Clock = now) -> KeyRing:
        """The ring of `folder`, which is made (mode 0700) with a first key where it holds none.

        Raises SetupError where others may read it, or a file holds no proper key, or a first key can't be written.
        """
        place = Path(folder)
        _prepare(place)
        try:
            if not _scan(place):
                _publish(place, 1, _new_key(ALGORITHMS["default"], clock()))  # or another process did
            files = _read_all(place, _scan(place), {}, _raise)
        except OSError as error:
            raise SetupError(f"the key folder {place} can't be read: {error.strerror}") from None
        return cls(place, files, clock)

    @property
    def version(self) -> int:
        """A counter that grows whenever the set of keys changes: what is kept from an older one is stale."""
        self._look()
        return self._version

    @property
    def current(self) -> Key:
        """The key that new tokens use. Raises SetupError where the folder was emptied since the start."""
        self._look()
        if not self._files:
            raise SetupError(f"no key is left in {self._folder}: restart to make one, or put one back")
        return self._files[max(self._files, key=_number)][1]

    def get(self, kid: str) -> Key | None:
        """The key named `kid`, which is only ever looked up among the known names."""
        self._look()
        if kid not in self._keys:
            self.refresh()
        return self._keys.get(kid)

    def list(self) -> tuple[Key, ...]:
        """Every key whose tokens are accepted, oldest first."""
        self._look()
        return tuple(self._files[name][1] for name in sorted(self._files, key=_number))

    def rotate(self, algorithm: str = "default") -> Key:
        """Make a new key and return it: it becomes the current one; tokens of the others stay good.

        `algorithm` is a name of `ALGORITHMS`. Raises SetupError for another, or where the folder can't be written.
        """
        if algorithm not in ALGORITHMS:
            raise SetupError(f"there is no algorithm '{algorithm}' for a key: use {' or '.join(ALGORITHMS)}")
        key = _new_key(ALGORITHMS[algorithm], self._clock())
        self.refresh()
        while not _publish(self._folder, _next_number(self._stamps), key):
            self.refresh()  # another process took that number: take the next
        self.refresh()
        return key

    def retire(self, kid: str) -> None:
        """Remove the key `kid` for good: its tokens are refused from now on.

        Raises SetupError for the current key, an unknown one, or where the folder can't be written.
        """
        self.refresh()
        name = next((name for name, (_, key) in self._files.items() if key.kid == kid), None)
        if name is None:
            raise SetupError(f"there is no key '{kid}' in {self._folder}")
        if self.current.kid == kid:
            raise SetupError(f"'{kid}' is the current key: rotate first, then retire it")
        _remove(self._folder, name)
        self.refresh()

    def refresh(self) -> None:
        """Look at the folder now."""
        self._looked = self._clock()
        try:
            stamps = _scan(self._folder)
            if stamps != self._stamps:
                files = _read_all(self._folder, stamps, self._files, _log)
                self._take(stamps, _without_doubles(files, _log))
        except OSError as error:  # say, no file descriptor is left: that must not sign everybody out
            logger.warning("the key folder can't be looked at, keeping the keys known: %s", error)

    def _look(self) -> None:
        if not 0 <= self._clock() - self._looked < LOOK_EVERY:
            self.refresh()

    def _take(self, stamps: Stamps, files: Files) -> None:
        self._stamps = stamps
        if files != self._files:
            self._files = files
            self._keys = {key.kid: key for _, key in files.values()}
            self._version += 1


def _raise(error: SetupError) -> None:
    raise error


def _log(error: SetupError) -> None:
    logger.warning("a key is left out: %s", error)


def _number(name: str) -> int:
    return int(name.partition(".")[0])


def _next_number(names: Iterable[str]) -> int:
    return 1 + max((_number(name) for name in names if KEY_FILE.fullmatch(name)), default=0)


# The folder


def _prepare(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise SetupError(f"the key folder {folder} can't be made: {error.strerror}") from None
    _keep_private(folder, mode, "700")


def _keep_private(path: Path, mode: int, wanted: str) -> None:
    if os.name == "posix" and mode & 0o077:
        raise SetupError(f"{path} may be read or written by others than its owner: run chmod {wanted} {path}")


def _scan(folder: Path) -> Stamps:
    """What the folder holds but dot files; nothing where it is gone."""
    try:
        with os.scandir(folder) as entries:
            stamps = [(entry.name, _stamp(entry)) for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return {}
    return {name: stamp for name, stamp in stamps if stamp}


def key_files(folder: Path) -> list[Path]:
    """The files of a key folder that hold a key each; none where there is no folder."""
    return [folder / name for name in sorted(_scan(folder)) if KEY_FILE.fullmatch(name)]


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    try:
        status = entry.stat()
    except FileNotFoundError:  # removed since it was listed
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _publish(folder: Path, number: int, key: Key) -> bool:
    """Write `key` as file `number`, whole or not at all; False where that number is taken."""
    try:
        handle, unfinished = tempfile.mkstemp(dir=folder, prefix=".")  # mode 0600
        try:
            with open(handle, "wb") as file:
                file.write(_written(key))
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, folder / f"{number}.json")
        finally:
            os.unlink(unfinished)
        _sync(folder)
    except FileExistsError:
        return False
    except OSError as error:
        raise SetupError(f"no key can be written to {folder}: {error.strerror}") from None
    return True


def _remove(folder: Path, name: str) -> None:
    try:
        (folder / name).unlink(missing_ok=True)
        _sync(folder)
    except OSError as error:
        raise SetupError(f"{folder / name} can't be removed: {error.strerror}") from None


def _sync(folder: Path) -> None:
    """Make a new or removed name outlast a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_all(folder: Path, stamps: Stamps, known: Files, complain: Complain) -> Files:
    """The keys of the files in `stamps`; a file that hasn't changed since it was `known` isn't read again.

    Raises OSError for what may pass (no descriptor left, a failing disk); all else is told to `complain`.
    """
    files: Files = {}
    for name, stamp in stamps.items():
        if name in known and known[name][0] == stamp:
            files[name] = known[name]
            continue
        try:
            files[name] = stamp, _read(folder / name)
        except FileNotFoundError:  # retired since the folder was scanned
            continue
        except SetupError as error:
            complain(error)
    return files


def _without_doubles(files: Files, complain: Complain) -> Files:
    """One key, one name, one algorithm: of two files that share a kid or a secret, the older one counts."""
    kept: Files = {}
    seen: dict[tuple[str, str], str] = {}
    for name in sorted(files, key=_number):
        key = files[name][1]
        marks = (("kid", key.kid), ("secret", key.secret))
        double = next((seen[mark] for mark in marks if mark in seen), None)
        if double:
            complain(SetupError(f"'{name}' and '{double}' hold the same kid or the same key: remove one"))
            continue
        kept[name] = files[name]
        seen.update(dict.fromkeys(marks, name))
    return kept


# A file


def _new_key(algorithm: Algorithm, created_at: int) -> Key:
    kid = secrets.token_hex(6)
    return _key(kid, algorithm, created_at, secrets.token_bytes(KEY_BYTES))


def _key(kid: str, algorithm: Algorithm, created_at: int, secret: bytes) -> Key:
    text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    return Key(kid, algorithm, created_at, text)


def _written(key: Key) -> bytes:
    """A JSON Web Key (RFC 7517 §4, RFC 7518 §6.4) with our `enc` and `created_at` beside the standard's members."""
    content = {
        "kty": "oct",
        "kid": key.kid,
        "alg": key.algorithm.alg,
        "enc": key.algorithm.enc,
        "created_at": key.created_at,
        "k": key.secret,
    }
    return json.dumps(content, indent=2).encode() + b"\n"


def _read(path: Path) -> Key:
    if not KEY_FILE.fullmatch(path.name):
        raise SetupError(f"{path} isn't a key's name: call it 1.json, 2.json … (the highest number is the current key)")
    members = _members(path, _content(path))
    problem = _misfit(members)
    if problem:
        raise SetupError(f"{path} holds no proper key: {problem}")
    secret = _decoded(members["k"])
    return _key(members["kid"], Algorithm(members["alg"], members["enc"]), members["created_at"], secret)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            _keep_private(path, os.fstat(file.fileno()).st_mode, "600")
            return file.read(MAX_FILE + 1)
    except (PermissionError, IsADirectoryError) as error:
        raise SetupError(f"{path} can't be read: {error.strerror}") from None


def _members(path: Path, content: bytes) -> dict[str, Any]:
    try:
        members = json.loads(content) if len(content) <= MAX_FILE else None
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise SetupError(f"{path} holds no key: it should be one JSON Web Key of at most {MAX_FILE} bytes")
    return members


def _misfit(members: Mapping[str, Any]) -> str:
    """What keeps a file's members from being a key; empty where nothing does. Never quotes the secret."""
    if members.get("kty") != "oct":
        return "'kty' should be 'oct'"
    if not (isinstance(members.get("kid"), str) and _KID.fullmatch(members["kid"])):
        return "'kid' should be 1 to 64 letters, digits, '-' or '_'"
    if not any((known.alg, known.enc) == (members.get("alg"), members.get("enc")) for known in ALGORITHMS.values()):
        return "'alg' and 'enc' should be " + _known_algorithms(ALGORITHMS.values())
    if type(members.get("created_at")) is not int or members["created_at"] < 0:
        return "'created_at' should be milliseconds since the epoch"
    return _weakness(members.get("k"))


def _known_algorithms(algorithms: Iterable[Algorithm]) -> str:
    return " or ".join(f"'{known.alg}' and '{known.enc}'" for known in algorithms)


def _weakness(text: object) -> str:
    """Why `k` can't be 256 bits from a generator; empty where it may be.

    What people type is told by its letters: random base64url of 43 characters without an upper or a lower case
    letter comes up once in 10^9, 32 random bytes that are all printable once in 10^14.
    """
    secret = _decoded(text)
    if len(secret) != KEY_BYTES:
        return f"'k' should be exactly 256 bits in base64url, not {len(secret) * 8}: make a key with 'keys rotate'"
    typed = str(text).islower() or str(text).isupper() or all(32 <= byte < 127 for byte in secret)
    if typed or len(set(secret)) < MIN_DISTINCT:
        return "'k' looks like a password, not like random bytes: make a key with 'keys rotate'"
    return ""


def _decoded(text: object) -> bytes:
    """The bytes of base64url without padding (RFC 7515 §2); none where it isn't that."""
    if not (isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text)):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
