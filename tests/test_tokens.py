"""Auth tokens: only ours, to the last bit, for the purpose, table and time they were made for."""

from __future__ import annotations

import base64
import json
import string
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from jwcrypto.jwe import JWE  # type: ignore[import-untyped]
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]
from jwcrypto.jws import JWS  # type: ignore[import-untyped]

from engine.errors import Fault
from engine.security.keys import Key, KeyRing
from engine.security.tokens import MAX_CACHED, MAX_TOKEN, Purpose, Tokens

START = 1_700_000_000
ALGORITHMS = ("default", "xano")
LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


class Clock:
    def __init__(self) -> None:
        self.now = START * 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, clock: Clock) -> KeyRing:
    return KeyRing.open(tmp_path / "keys", clock)


@pytest.fixture
def tokens(ring: KeyRing, clock: Clock) -> Tokens:
    return Tokens(ring, "https://stack.example", "main", clock)


def refused(attempt: Callable[..., object], *arguments: object) -> bool:
    """Whether `attempt` ends in the one answer that every bad token gets."""
    try:
        attempt(*arguments)
    except Fault as fault:
        same = ("unauthorized", 401, "Invalid token.", "", ())
        assert (fault.name, fault.status, fault.message, fault.payload, fault.headers) == same
        assert fault.__cause__ is None
        return True
    return False


def header_of(key: Key, **changes: object) -> dict[str, object]:
    header = {"alg": key.algorithm.alg, "enc": key.algorithm.enc, "kid": key.kid, "typ": "access+jwt"}
    return {name: value for name, value in (header | changes).items() if value is not None}


def payload_of(**changes: object) -> dict[str, object]:
    payload: dict[str, object] = {
        "iss": "https://stack.example",
        "aud": "main",
        "sub": "user/7",
        "iat": START,
        "nbf": START,
        "exp": START + 60,
        "jti": "name",
        "extras": {},
    }
    return {name: value for name, value in (payload | changes).items() if value is not None}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def sealed(key: JWK, header: Mapping[str, Any], payload: object) -> str:
    """A token made with a real key, but otherwise as an attacker or another program would like it."""
    content = payload if isinstance(payload, bytes) else compact(payload).encode()
    jwe = JWE(content, compact(header), algs=[header["alg"], header["enc"]], recipient=key)
    token: str = jwe.serialize(compact=True)
    return token


def encoded(content: bytes | str) -> str:
    raw = content if isinstance(content, bytes) else content.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_header(token: str, header: str) -> str:
    return ".".join([encoded(header), *token.split(".")[1:]])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "id", [7, 0, -1, 2**63 - 1, -(2**63), "7", "a/b", 'a"b\\', "\u00e9\u4e2d\U0001f600", str(uuid.UUID(int=5))]
)
def test_what_was_created_opens(ring: KeyRing, tokens: Tokens, algorithm: str, id: int | str) -> None:
    ring.rotate(algorithm)
    extras = {"role": "admin", "list": [1, {"deep": None}], "text": "\u00e9"}
    token = tokens.create("user", id, extras, expires_in=60)
    for _ in ("fresh", "cached"):
        claims = tokens.open(token, "user")
        assert (claims.table, claims.id, type(claims.id)) == ("user", id, type(id))
        assert (claims.issued_at, claims.expires_at, claims.extras) == (START, START + 60, extras)
    assert len(claims.token_id) >= 22
    assert tokens.open(token, None) == claims


def test_crafted_tokens_open_where_nothing_is_wrong_with_them(ring: KeyRing, tokens: Tokens) -> None:
    for algorithm in ALGORITHMS:
        key = ring.rotate(algorithm)
        claims = tokens.open(sealed(key.jwk, header_of(key), payload_of()), "user")
        assert (claims.id, claims.token_id) == (7, "name")


def test_the_header_is_what_tokens_in_use_depend_on(ring: KeyRing, tokens: Tokens) -> None:
    kid = ring.current.kid
    header = decoded(tokens.create("user", 7).split(".")[0]).decode()
    assert header == f'{{"alg":"dir","enc":"A256GCM","kid":"{kid}","typ":"access+jwt"}}'
    kid = ring.rotate("xano").kid
    header = decoded(tokens.create("user", 7).split(".")[0]).decode()
    assert header == f'{{"alg":"A256KW","enc":"A256CBC-HS512","kid":"{kid}","typ":"access+jwt"}}'


@pytest.mark.parametrize(
    ("alg", "enc"),
    [
        ("none", "A256GCM"),
        ("None", "none"),
        ("NONE", "A256GCM"),
        ("DIR", "A256GCM"),
        ("dir", "a256gcm"),
        ("dir", "A128GCM"),
        ("dir", "A128CBC-HS256"),
        ("A256KW", "A256GCM"),
        ("A256KW", "A256CBC-HS512"),
        ("A256GCMKW", "A256GCM"),
        ("RSA-OAEP", "A256GCM"),
        ("HS256", "A256GCM"),
        ("PBES2-HS512+A256KW", "A256GCM"),
        (None, "A256GCM"),
        ("dir", None),
        (["dir"], "A256GCM"),
    ],
)
def test_t_1_no_other_algorithm_is_named(ring: KeyRing, tokens: Tokens, alg: object, enc: object) -> None:
    token = tokens.create("user", 7)
    assert refused(tokens.open, with_header(token, compact(header_of(ring.current, alg=alg, enc=enc))))


@pytest.mark.parametrize(
    ("alg", "enc"),
    [("A256KW", "A256GCM"), ("A256KW", "A256CBC-HS512"), ("A256GCMKW", "A256GCM"), ("dir", "A128CBC-HS256")],
)
def test_t_1_a_key_is_good_for_one_algorithm_only(ring: KeyRing, tokens: Tokens, alg: str, enc: str) -> None:
    key = ring.current
    assert refused(tokens.open, sealed(key.jwk, header_of(key, alg=alg, enc=enc), payload_of()))


def test_t_1_a_signed_or_unsecured_token_is_refused(ring: KeyRing, tokens: Tokens) -> None:
    key = ring.current
    jws = JWS(compact(payload_of()))
    jws.add_signature(key.jwk, "HS256", compact({"alg": "HS256", "kid": key.kid, "typ": "access+jwt"}))
    assert refused(tokens.open, jws.serialize(compact=True))
    unsecured = encoded(compact({"alg": "none"})) + "." + encoded(compact(payload_of())) + "."
    assert refused(tokens.open, unsecured)


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5c": ["AAAA"]},
        {"cty": "JWT"},
        {"crit": ["exp"]},
        {"zip": "DEF"},
        {"p2c": 1_000_000_000, "p2s": "AAAA"},
        {"unknown": 1},
    ],
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_2_t_4_no_header_member_is_added(
    ring: KeyRing, tokens: Tokens, algorithm: str, extra: dict[str, object]
) -> None:
    """Even where the token was made with the real key, and so is authentic."""
    key = ring.rotate(algorithm)
    assert refused(tokens.open, sealed(key.jwk, header_of(key, **extra), payload_of()))


@pytest.mark.parametrize(
    "kid", ["' OR 1=1 --", "../../../etc/passwd", "/dev/null", "", None, 1, ["a"], "other", "k" * 5000]
)
def test_t_2_a_kid_only_ever_finds_a_key(ring: KeyRing, tokens: Tokens, kid: object) -> None:
    key = ring.current
    assert refused(tokens.open, sealed(key.jwk, header_of(key, kid=kid), payload_of()))


def test_t_2_a_key_of_the_attackers_under_our_kid_is_refused(ring: KeyRing, tokens: Tokens) -> None:
    theirs = JWK(kty="oct", k=encoded(bytes(range(32))))
    assert refused(tokens.open, sealed(theirs, header_of(ring.current), payload_of()))


def test_t_2_members_are_neither_reordered_nor_doubled_nor_spaced(ring: KeyRing, tokens: Tokens) -> None:
    key, token = ring.current, tokens.create("user", 7)
    header = header_of(key)
    doubled = compact(header)[:-1] + ',"alg":"dir"}'
    for text in (compact(dict(reversed(header.items()))), json.dumps(header), doubled, compact(header) + "\n"):
        jwe = JWE(compact(payload_of()), text, algs=["dir", "A256GCM"], recipient=key.jwk)
        assert refused(tokens.open, jwe.serialize(compact=True))
        assert refused(tokens.open, with_header(token, text))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_3_only_the_compact_form_is_accepted(ring: KeyRing, tokens: Tokens, algorithm: str) -> None:
    key = ring.rotate(algorithm)
    jwe = JWE(compact(payload_of()), compact(header_of(key)), algs=[*header_of(key).values()], recipient=key.jwk)
    token = jwe.serialize(compact=True)
    assert tokens.open(token).id == 7
    assert refused(tokens.open, jwe.serialize(compact=False))
    parts = token.split(".")
    assert refused(tokens.open, ".".join(parts[:4]))
    assert refused(tokens.open, ".".join([*parts, ""]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("text", ["=", "==", " ", "\n", "\t", "+", "/", ".", "\0", "\u00e9", "\uff21", "\ud800"])
def test_t_3_nothing_is_put_before_between_or_after(ring: KeyRing, tokens: Tokens, algorithm: str, text: str) -> None:
    ring.rotate(algorithm)
    token = tokens.create("user", 7)
    assert tokens.open(token).id == 7
    places = [0, len(token), *(index for index, letter in enumerate(token) if letter == ".")]
    for place in (*places, *(place + 1 for place in places[2:])):
        assert refused(tokens.open, token[:place] + text + token[place:])


@pytest.mark.parametrize("token", ["", ".", "....", "a.b.c.d.e", "." * MAX_TOKEN, "null", "{}", "Bearer x", "\ud800"])
def test_t_3_text_that_is_no_token_is_refused(tokens: Tokens, token: str) -> None:
    assert refused(tokens.open, token)


def test_t_4_a_bomb_of_zeros_is_refused(ring: KeyRing, tokens: Tokens) -> None:
    key = ring.current
    bomb = sealed(key.jwk, header_of(key, zip="DEF"), b" " * 5_000_000)
    assert len(bomb) < MAX_TOKEN
    assert refused(tokens.open, bomb)


def test_t_4_deflated_bytes_under_a_plain_header_are_no_claims(ring: KeyRing, tokens: Tokens) -> None:
    key = ring.current
    deflated = zlib.compress(compact(payload_of()).encode())[2:-4]
    assert refused(tokens.open, sealed(key.jwk, header_of(key), deflated))


def test_t_4_a_token_over_8_kib_is_refused_though_it_is_ours(ring: KeyRing, tokens: Tokens) -> None:
    key = ring.current
    lengths = []
    for size in range(5500, 6500, 20):
        token = sealed(key.jwk, header_of(key), payload_of(extras={"text": "x" * size}))
        assert refused(tokens.open, token) == (len(token) > MAX_TOKEN)
        lengths.append(len(token))
    assert min(lengths) < MAX_TOKEN < max(lengths)
    assert refused(tokens.open, tokens.create("user", 7) + "A" * 10_000_000)


def test_t_5_a_token_encrypted_to_a_public_key_is_refused(ring: KeyRing, tokens: Tokens) -> None:
    public = JWK.generate(kty="RSA", size=2048)
    forged = sealed(public, header_of(ring.current, alg="RSA-OAEP"), payload_of())
    assert refused(tokens.open, forged)
    assert {key.jwk["kty"] for key in ring.list()} == {"oct"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_6_a_token_is_good_for_its_own_purpose_only(ring: KeyRing, tokens: Tokens, algorithm: str) -> None:
    ring.rotate(algorithm)
    purposes: tuple[Purpose, ...] = ("access", "refresh", "reset", "mfa")
    made = {purpose: tokens.create("user", 7, purpose=purpose) for purpose in purposes}
    for _ in ("fresh", "cached"):
        for is_for in purposes:
            for asked in purposes:
                assert refused(tokens.open, made[is_for], "user", asked) == (is_for != asked)


@pytest.mark.parametrize("typ", [None, "JWT", "ACCESS+JWT", "at+jwt", "application/access+jwt", ""])
def test_t_6_any_other_typ_is_refused(ring: KeyRing, tokens: Tokens, typ: object) -> None:
    key = ring.current
    assert refused(tokens.open, sealed(key.jwk, header_of(key, typ=typ), payload_of()))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "extras")),
        *({name: True} for name in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "extras")),
        {"iss": "https://stack.example/"},
        {"iss": "https://evil.example"},
        {"aud": "Main"},
        {"aud": ["main"]},
        {"aud": ""},
        {"sub": "user"},
        {"sub": "/7"},
        {"sub": "user/"},
        {"sub": "user/seven"},
        {"sub": "user/true"},
        {"sub": "user/1.5"},
        {"sub": "user/NaN"},
        {"sub": f"user/{2**63}"},
        {"sub": f"user/{-(2**63) - 1}"},
        {"sub": "user/" + "9" * 5000},
        {"sub": "user/" + "[" * 5000},
        {"sub": 'user/""'},
        {"sub": 'user/"\\u0000"'},
        {"sub": 'user/"\\ud800"'},
        {"sub": f'user/"{"i" * 257}"'},
        {"iat": str(START)},
        {"iat": START + 6},
        {"nbf": START + 6},
        {"exp": START},
        {"exp": START - 1},
        {"exp": START + 60.5},
        {"exp": str(START + 60)},
        {"extras": []},
    ],
)
def test_t_7_every_claim_is_required_and_checked(ring: KeyRing, tokens: Tokens, changes: dict[str, object]) -> None:
    key = ring.current
    token = sealed(key.jwk, header_of(key), payload_of(**changes))
    for _ in ("fresh", "again"):
        assert refused(tokens.open, token)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"7", b"{", b"\xff", b'{"iss":NaN}', b"[" * 3000])
def test_t_7_a_payload_that_is_no_object_is_refused(ring: KeyRing, tokens: Tokens, content: bytes) -> None:
    key = ring.current
    assert refused(tokens.open, sealed(key.jwk, header_of(key), content or b" "))


def test_t_7_the_leeway_is_five_seconds_for_the_start_and_none_for_the_end(
    ring: KeyRing, tokens: Tokens, clock: Clock
) -> None:
    key = ring.current
    assert tokens.open(sealed(key.jwk, header_of(key), payload_of(iat=START + 5, nbf=START + 5))).id == 7
    token = tokens.create("user", 7, expires_in=60)
    clock.now += 59_999
    assert tokens.open(token).id == 7
    clock.now += 1
    assert refused(tokens.open, token)


def test_t_7_other_issuers_audiences_and_tables_are_refused(ring: KeyRing, tokens: Tokens, clock: Clock) -> None:
    token = tokens.create("user", 7)
    for _ in ("fresh", "cached"):
        assert tokens.open(token, "user").table == "user"
        assert refused(tokens.open, token, "admin")
        assert refused(tokens.open, token, "")
        assert refused(tokens.open, token, "User")
        assert refused(Tokens(ring, "https://stack.example", "other", clock).open, token)
        assert refused(Tokens(ring, "https://other.example", "main", clock).open, token)


def test_t_7_a_token_without_an_end_has_one_in_the_year_9999(ring: KeyRing, tokens: Tokens, clock: Clock) -> None:
    token = tokens.create("user", 7, expires_in=0)
    clock.now += 1000 * 86_400 * 365 * 100
    assert tokens.open(token).expires_at is None
    key = ring.current
    jwe = JWE()
    jwe.deserialize(token, key.jwk)
    assert json.loads(jwe.payload)["exp"] == 253_402_300_799


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_9_any_changed_bit_of_any_part_is_one_and_the_same_refusal(
    ring: KeyRing, tokens: Tokens, algorithm: str
) -> None:
    ring.rotate(algorithm)
    token = tokens.create("user", 7)
    assert tokens.open(token).id == 7
    for index, letter in enumerate(token):
        if letter == ".":
            continue
        for bit in range(6):
            other = LETTERS[LETTERS.index(letter) ^ (1 << bit)]
            changed = token[:index] + other + token[index + 1 :]
            assert refused(tokens.open, changed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_9_parts_of_two_tokens_do_not_mix(ring: KeyRing, tokens: Tokens, algorithm: str) -> None:
    ring.rotate(algorithm)
    first, second = (tokens.create("user", id).split(".") for id in (7, 8))
    for index in range(1, 5):
        if first[index] != second[index]:
            mixed = ".".join([*first[:index], second[index], *first[index + 1 :]])
            assert refused(tokens.open, mixed)
    for index in range(1, 5):
        emptied = ".".join([*first[:index], "", *first[index + 1 :]])
        assert refused(tokens.open, emptied) == bool(first[index])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_10_old_tokens_live_on_after_a_rotation_and_die_with_their_key(
    tmp_path: Path, tokens: Tokens, clock: Clock, algorithm: str
) -> None:
    """The ring is changed by another process; this one needs no restart."""
    other = KeyRing.open(tmp_path / "keys", clock)
    old_key, old = other.current, tokens.create("user", 7, expires_in=60)
    assert tokens.open(old).id == 7
    theirs = Tokens(other, "https://stack.example", "main", clock)
    new_key = other.rotate(algorithm)
    assert tokens.open(theirs.create("user", 8)).id == 8
    assert json.loads(decoded(tokens.create("user", 9).split(".")[0]))["kid"] == new_key.kid
    assert tokens.open(old).id == 7
    assert tokens.open(old).id == 7
    other.retire(old_key.kid)
    clock.now += 1000
    assert refused(tokens.open, old)


def test_t_10_old_tokens_still_expire_after_a_rotation(ring: KeyRing, tokens: Tokens, clock: Clock) -> None:
    old = tokens.create("user", 7, expires_in=60)
    ring.rotate()
    clock.now += 60_000
    assert refused(tokens.open, old)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_11_no_vector_and_no_content_key_comes_twice(ring: KeyRing, clock: Clock, algorithm: str) -> None:
    """Two servers on one ring: what starts from the same state must not count from it."""
    ring.rotate(algorithm)
    servers = [Tokens(ring, "https://stack.example", "main", clock) for _ in range(2)]
    parts = [server.create("user", 7).split(".") for _ in range(2000) for server in servers]
    vectors = {decoded(part[2]) for part in parts}
    assert len(vectors) == 4000
    assert {len(vector) for vector in vectors} == {12 if algorithm == "default" else 16}
    assert len({part[1] for part in parts}) == (1 if algorithm == "default" else 4000)


def test_t_11_every_bit_of_a_vector_varies(tokens: Tokens) -> None:
    vectors = [int.from_bytes(decoded(tokens.create("user", 7).split(".")[2])) for _ in range(200)]
    for bit in range(96):
        assert 50 < sum(vector >> bit & 1 for vector in vectors) < 150


def test_every_token_has_its_own_name(tokens: Tokens) -> None:
    assert len({tokens.open(tokens.create("user", 7)).token_id for _ in range(200)}) == 200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_t_18_a_tag_that_is_nearly_right_is_as_wrong_as_any(ring: KeyRing, tokens: Tokens, algorithm: str) -> None:
    """Tags are compared by the cipher, in constant time; a kept token is found by its digest, never by its text."""
    ring.rotate(algorithm)
    token = tokens.create("user", 7)
    claims = tokens.open(token)
    head, _, tag = token.rpartition(".")
    for raw in (decoded(tag)[:-1] + b"\0", b"\0" + decoded(tag)[1:], bytes(len(decoded(tag)))):
        assert raw == decoded(tag) or refused(tokens.open, f"{head}.{encoded(raw)}")
    assert tokens.open(token) is claims
    assert token not in repr(vars(tokens))


def test_kept_claims_cannot_be_changed_by_a_stack(tokens: Tokens) -> None:
    token = tokens.create("user", 7, {"roles": ["reader"], "deep": {"a": 1}})
    mine: Any = tokens.open(token).extras
    mine["roles"].append("admin")
    mine["deep"]["a"] = 2
    assert tokens.open(token).extras == {"roles": ["reader"], "deep": {"a": 1}}
    claims: Any = tokens.open(token)
    with pytest.raises(AttributeError):
        claims.id = 8


def test_the_cache_is_bounded_and_keeps_no_bad_token(tokens: Tokens) -> None:
    made = [tokens.create("user", id) for id in range(MAX_CACHED + 10)]
    for token in made:
        tokens.open(token)
        refused(tokens.open, token[:-1])
    assert len(tokens._cache) == MAX_CACHED
    assert [tokens.open(token).id for token in made] == list(range(MAX_CACHED + 10))


def test_extras_of_one_token_go_into_the_next(tokens: Tokens) -> None:
    first = tokens.open(tokens.create("user", 7, {"role": "admin"}))
    assert tokens.open(tokens.create("user", 7, first.extras)).extras == {"role": "admin"}


def test_the_largest_extras_still_make_a_token_that_opens(ring: KeyRing, tokens: Tokens) -> None:
    for algorithm in ALGORITHMS:
        ring.rotate(algorithm)
        extras = {"text": "x" * (4096 - len('{"text":""}'))}
        assert tokens.open(tokens.create("user", "i" * 256, extras)).extras == extras


@pytest.mark.parametrize(
    "extras",
    [
        {"text": "x" * 4096},
        {"text": "\u00e9" * 2048},
        {"nan": float("nan")},
        {"infinite": float("inf")},
        {"large": 2**64},
        {"id": uuid.UUID(int=5)},
        {"bytes": b"x"},
        {"set": {1}},
        {"pair": (1, 2)},
        {1: "number"},
        {"half": "\ud800"},
        {"object": object()},
        [],
        "",
        7,
    ],
)
def test_extras_that_are_large_or_no_json_are_refused(tokens: Tokens, extras: Any) -> None:
    with pytest.raises(Fault) as caught:
        tokens.create("user", 7, extras)
    assert caught.value.name == "bad_request"
    assert "extras" in caught.value.message


def test_extras_that_hold_themselves_are_refused(tokens: Tokens) -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(Fault, match="bad_request"):
        tokens.create("user", 7, endless)


@pytest.mark.parametrize("id", [None, True, 1.5, "", "i" * 257, [7], {"id": 7}, 2**63, "\0", "\ud800"])
def test_a_token_is_for_a_number_or_a_text(tokens: Tokens, id: Any) -> None:
    with pytest.raises(Fault, match="a record's id"):
        tokens.create("user", id)


@pytest.mark.parametrize("expires_in", [-1, 1.5, True, None, "60", 10**12])
def test_a_lifetime_is_a_whole_number_of_seconds_up_to_the_year_9999(tokens: Tokens, expires_in: Any) -> None:
    with pytest.raises(Fault, match="lifetime"):
        tokens.create("user", 7, expires_in=expires_in)


def test_a_token_too_long_to_be_opened_is_not_made(ring: KeyRing, clock: Clock) -> None:
    chatty = Tokens(ring, "i" * 3000, "main", clock)
    with pytest.raises(Fault, match="8192"):
        chatty.create("user", 7, {"text": "x" * 4000})


def test_number_7_and_text_7_and_other_tables_are_other_subjects(ring: KeyRing, tokens: Tokens) -> None:
    def subject(token: str) -> object:
        jwe = JWE()
        jwe.deserialize(token, ring.current.jwk)
        return orjson.loads(jwe.payload)["sub"]

    made = [
        tokens.create("user", 7),
        tokens.create("user", "7"),
        tokens.create("admin", 7),
        tokens.create("user", "7/7"),
    ]
    assert len({subject(token) for token in made}) == 4


def test_a_token_is_for_an_id_of_the_tables_type(tokens: Tokens) -> None:
    number, text = tokens.create("user", 7), tokens.create("user", "7")
    for _ in ("fresh", "cached"):
        for token, type_ in ((number, int), (text, str)):
            assert tokens.open(token, "user", "access", type_).table == "user"
            assert refused(tokens.open, token, "user", "access", str if type_ is int else int)
