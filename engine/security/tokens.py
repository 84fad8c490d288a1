"""Auth tokens: JSON Web Encryption in compact form (RFC 7516 §7.1), made and opened by the keys of a ring."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import orjson

from engine.bounds import MAX_TEXT
from engine.errors import Fault
from engine.extent import extent
from engine.late import Late, load
from engine.security.keys import Key, KeyRing, jwk
from engine.values import INT_MAX, INT_MIN

MAX_TOKEN = 8192  # characters
MAX_EXTRAS = 4096  # bytes of JSON
MAX_ID = 256  # characters
MAX_CACHED = 1024  # tokens
LEEWAY = 5  # seconds that another server's clock may be ahead; none after the expiry
NEVER = 253_402_300_799  # seconds: the end of the year 9999, the `exp` of a token without one

# What a client is told, whatever is wrong with its token, and where it brings none.
BAD_TOKEN, NO_TOKEN = "Invalid token.", "Unauthorized - Authentication Required"

common, jwe = Late("jwcrypto.common"), Late("jwcrypto.jwe")

Purpose = Literal["access", "refresh", "reset", "mfa"]
_PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says: the record it was made for, and when.

    Times are seconds since the epoch; `expires_at` is None for a token that never expires. Shared between
    requests, so nothing in it can be changed.
    """

    table: str
    id: int | str
    issued_at: int
    expires_at: int | None
    token_id: str
    extras_json: bytes = field(default=b"{}", repr=False)

    @property
    def extras(self) -> dict[str, object]:
        """The extras given to `create`: a fresh copy each time."""
        extras: dict[str, object] = orjson.loads(self.extras_json)
        return extras


def load_libraries() -> None:
    """Loads what makes and opens tokens, so that no request waits for it."""
    for each in (common, jwe, jwk):
        load(each)


class Tokens:
    """Makes and opens the tokens of one issuer for one audience.

    A token is good only if its header is, character for character, one we write: that of a key of the ring, with
    its one algorithm, and of the purpose asked for (`typ`, RFC 8725 §3.11). So a `kid` only ever finds a key, no
    algorithm can be picked by the sender, and `zip`, `p2c`, `jku`, `x5u`, `jwk` and `crit` are never even parsed.

    Initialisation vectors are random, 96 bits for A256GCM and 128 for A256CBC-HS512 (which has a fresh random key
    in every token besides). NIST SP 800-38D §8.3 allows 2^32 random vectors of 96 bits a key: a hundred tokens a
    second for sixteen months; up to there two ever meet with a chance under 2^-32, over a million tokens with
    one under 2^-56. A counter would need all processes to agree and to outlast a restored backup; random bits
    need neither. Rotate keys once a year, sooner if you make more tokens.

    Verified claims, never a permission, are kept for `MAX_CACHED` tokens; times and table are looked at every
    time, and a change of the ring forgets them all. Not for use by several threads at once.
    """

    def __init__(self, ring: KeyRing, issuer: str, audience: str, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds since the epoch."""
        self._ring = ring
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._version = 0
        self._openers: dict[str, _Opener] = {}
        self._cache: dict[tuple[bytes, str], Claims] = {}

    def of(self, data_source: str) -> Tokens:
        """The tokens of a data source beside `live`, good there alone: it is in their audience (RFC 7519 §4.1.3)."""
        return Tokens(self._ring, self._issuer, f"{self._audience}/{data_source}", self._clock)

    def create(
        self,
        table: str,
        id: int | str,
        extras: Mapping[str, object] | None = None,
        expires_in: int = 86_400,
        purpose: Purpose = "access",
    ) -> str:
        """A token for record `id` of `table`, good for `expires_in` seconds; 0 is for ever.

        Raises Fault bad_request for extras that aren't plain JSON or take over 4,096 bytes, for a record id that
        is neither a number nor a text, and for a lifetime below 0 or past the year 9999.
        """
        now = self._clock() // 1000
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": _subject(table, id),
            "iat": now,
            "nbf": now,
            "exp": _expiry(now, expires_in),
            "jti": secrets.token_urlsafe(16),
            "extras": orjson.Fragment(_extras_json({} if extras is None else extras)),
        }
        key = self._ring.current
        # A new JWE for every token: a kept one would carry the last token's content key into the next.
        made = jwe.JWE(orjson.dumps(payload), _header(key, purpose), algs=_allowed(key), recipient=key.jwk)
        token: str = made.serialize(compact=True)
        if len(token) > MAX_TOKEN:
            raise _bad(f"the token would take {len(token)} characters; at most {MAX_TOKEN} are accepted")
        return token

    def open(
        self, token: str, table: str | None = None, purpose: Purpose = "access", id_type: type | None = None
    ) -> Claims:
        """The claims of `token`: of any table where `table` is None, else for a record whose id is of `id_type`.

        A table that came to have other ids makes its older tokens worthless.

        Raises Fault unauthorized, the same one whatever is wrong with the token.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            raise _refusal()
        self._keep_up()
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._cache.get((digest, purpose)) or self._verify(token, digest, purpose)
        now = self._clock()
        expired = claims.expires_at is not None and now >= claims.expires_at * 1000
        if expired or claims.issued_at * 1000 > now + LEEWAY * 1000 or (table is not None and table != claims.table):
            raise _refusal()
        if id_type is not None and type(claims.id) is not id_type:
            raise _refusal()
        return claims

    def _verify(self, token: str, digest: bytes, purpose: Purpose) -> Claims:
        plain = self._decrypt(token, purpose)
        claims = self._read(plain) if plain else None
        if claims is None:
            raise _refusal()
        if len(self._cache) >= MAX_CACHED:
            del self._cache[next(iter(self._cache))]  # the one that came first
        self._cache[digest, purpose] = claims
        return claims

    def _decrypt(self, token: str, purpose: Purpose) -> bytes | None:
        header = token.partition(".")[0]
        opener = self._openers.get(header)
        if opener is None:  # perhaps of a key that another process has just made
            self._ring.refresh()
            self._keep_up()
            opener = self._openers.get(header)
        return opener.open(token) if opener and opener.purpose == purpose else None

    def _keep_up(self) -> None:
        """Start afresh where the ring has changed."""
        version = self._ring.version
        if version == self._version:
            return
        openers = (_Opener(key, purpose) for key in self._ring.list() for purpose in _PURPOSES)
        self._openers = {opener.header: opener for opener in openers}
        self._cache = {}
        self._version = version

    def _read(self, plain: bytes) -> Claims | None:
        """The claims in a decrypted payload; None where one is missing, of a wrong kind or not for us."""
        try:
            payload = orjson.loads(plain)
        except orjson.JSONDecodeError:
            return None
        if not (isinstance(payload, dict) and self._is_ours(payload)):
            return None
        subject = _record(payload["sub"])
        if subject is None:
            return None
        expires_at = None if payload["exp"] == NEVER else payload["exp"]
        extras = orjson.dumps(payload["extras"])
        return Claims(*subject, payload["iat"], expires_at, payload["jti"], extras)

    def _is_ours(self, payload: dict[str, Any]) -> bool:
        """All of RFC 7519 §4.1 is required: who made it, for whom, about whom, when, until when, and its name."""
        if any(type(payload.get(name)) is not kind for name, kind in _CLAIMS.items()):
            return False
        in_force: bool = payload["nbf"] <= self._clock() // 1000 + LEEWAY
        return in_force and (payload["iss"], payload["aud"]) == (self._issuer, self._audience)


_CLAIMS = {"iss": str, "aud": str, "sub": str, "iat": int, "nbf": int, "exp": int, "jti": str, "extras": dict}


class _Opener:
    """Opens tokens with one header. Its one JWE object is kept, most of the cost being to make it."""

    def __init__(self, key: Key, purpose: Purpose) -> None:
        header = _header(key, purpose)
        self.purpose = purpose
        self.header = _base64url(header)
        self._key = key
        self._shape = re.compile(re.escape(self.header) + _SHAPES[key.algorithm.enc])

    @cached_property
    def _jwe(self) -> Any:
        return jwe.JWE(algs=_allowed(self._key))

    def open(self, token: str) -> bytes | None:
        """The payload of `token`; None unless it is ours to the last bit."""
        if not self._shape.fullmatch(token):
            return None
        try:
            self._jwe.deserialize(token)
            self._jwe.decrypt(self._key.jwk)
        except common.JWException:
            return None
        plain: bytes = self._jwe.plaintext
        return plain


def _refusal() -> Fault:
    return Fault("unauthorized", BAD_TOKEN, reason="token")


# The header and the parts


def _header(key: Key, purpose: Purpose) -> str:
    """The protected header of a key's tokens. Tokens in use depend on its every character."""
    members = {"alg": key.algorithm.alg, "enc": key.algorithm.enc, "kid": key.kid, "typ": f"{purpose}+jwt"}
    return json.dumps(members, separators=(",", ":"))


def _allowed(key: Key) -> list[str]:
    return [key.algorithm.alg, key.algorithm.enc]


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Base64url without padding (RFC 7515 §2), with the unused bits of a last character zero (RFC 4648 §3.5): so no
# other text stands for the same bytes.
_LAST_OF_TWO = "[AQgw]"
_LAST_OF_THREE = "[AEIMQUYcgkosw048]"
_ANY = "[A-Za-z0-9_-]"
_TEXT = f"(?:{_ANY}{{4}})*(?:{_ANY}{_LAST_OF_TWO}|{_ANY}{{2}}{_LAST_OF_THREE})?"

# What follows the header: encrypted key, initialisation vector, ciphertext, tag (RFC 7518 §5.2.5, §5.3).
_SHAPES = {
    "A256GCM": rf"\.\.{_ANY}{{16}}\.{_TEXT}\.{_ANY}{{21}}{_LAST_OF_TWO}",
    "A256CBC-HS512": rf"\.{_ANY}{{96}}\.{_ANY}{{21}}{_LAST_OF_TWO}\.{_TEXT}\.{_ANY}{{42}}{_LAST_OF_THREE}",
}


# The claims


def _subject(table: str, id: int | str) -> str:
    """`table/id`, the id as JSON: number 7 and text "7" are two records, and so are those of two tables."""
    if not _is_id(id):
        raise _bad(f"a token is made for a record's id, a number of 64 bits or a text of 1 to {MAX_ID} characters")
    return f"{table}/{json.dumps(id)}"


def _record(subject: str) -> tuple[str, int | str] | None:
    """The inverse of `_subject`."""
    table, _, id_json = subject.partition("/")
    try:
        id = json.loads(id_json)
    except (ValueError, RecursionError):
        return None
    return (table, id) if table and _is_id(id) else None


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _is_id(id: object) -> bool:
    """Whether a record may have this id: storages know neither larger ints nor what UTF-8 or C can't say."""
    if type(id) is int:
        return INT_MIN <= id <= INT_MAX
    return isinstance(id, str) and 0 < len(id) <= MAX_ID and _UNSTORABLE.search(id) is None


def _expiry(now: int, expires_in: int) -> int:
    if type(expires_in) is not int or not 0 <= expires_in < NEVER - now:
        raise _bad("a token's lifetime is a whole number of seconds, or 0 for one that never expires")
    return now + expires_in if expires_in else NEVER


def _extras_json(extras: Mapping[str, object]) -> bytes:
    """Extras as JSON. Raises Fault bad_request unless reading it back gives the very same."""
    try:
        extent(extras, MAX_TEXT)
        text = orjson.dumps(extras, option=_PLAIN)
    except (Fault, orjson.JSONEncodeError):
        raise _bad("a token's extras are an object of plain JSON values") from None
    if len(text) > MAX_EXTRAS:
        raise _bad(f"a token's extras take {len(text)} bytes; at most {MAX_EXTRAS} are allowed")
    if not isinstance(extras, dict) or orjson.loads(text) != extras:  # NaN became null, a UUID became text …
        raise _bad("a token's extras are an object of plain JSON values")
    return text


_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def _bad(message: str) -> Fault:
    return Fault("bad_request", message, reason="token")
