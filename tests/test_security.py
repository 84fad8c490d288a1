"""The security properties, end to end: named as in the list of properties they come from."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sqlite3
import time
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import argon2
import httpx
import pytest
from jwcrypto.jwe import JWE

from engine.errors import Problems
from engine.http import gate
from engine.program import check_folder
from engine.run import evaluate, milliseconds
from engine.security import passwords as hashing
from engine.security.keys import KeyRing
from engine.security.passwords import Cost, Passwords
from engine.security.tokens import Tokens
from tests.live import LOGIN, ME, SIGNUP, Live, Site, copied, hosted, serving
from tests.support import run_stack

PASSWORD = "correct horse battery"
ADA = {"name": "Ada", "email": "ada@x.io", "password": PASSWORD}
TAKEN = {"code": "ERROR_CODE_ACCESS_DENIED", "message": "This account is already in use.", "payload": ""}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Any:
    with serving(tmp_path_factory.mktemp("live")) as made:
        yield made


def login(client: httpx.Client, email: str, password: str) -> int:
    return client.post(LOGIN, json={"email": email, "password": password}).status_code


def stored(live: Live, email: str) -> str:
    return str(live.rows('SELECT password FROM "user" WHERE email = ?', email)[0][0])


# Passwords


def test_p_1_p_2_what_is_stored(live: Live) -> None:
    with live.client() as client:
        for name in ("p1a@x.io", "p1b@x.io"):
            assert client.post(SIGNUP, json={**ADA, "email": name}).status_code == 200
    hashes = [stored(live, name) for name in ("p1a@x.io", "p1b@x.io")]
    found = [argon2.extract_parameters(each) for each in hashes]
    assert all((each.type, each.version) == (argon2.Type.ID, 19) for each in found)
    assert all(each.memory_cost >= 19456 and each.time_cost >= 2 and each.parallelism == 1 for each in found)
    assert all(each.salt_len >= 16 for each in found)
    assert len({each.split("$")[4] for each in hashes}) == len({each.split("$")[5] for each in hashes}) == 2


def test_p_3_the_last_of_64_wide_characters_counts(live: Live) -> None:
    word = "😀" * 63 + "🎉"
    with live.client() as client:
        assert client.post(SIGNUP, json={**ADA, "email": "p3@x.io", "password": word}).status_code == 200
        assert login(client, "p3@x.io", word) == 200
        assert login(client, "p3@x.io", "😀" * 64) == 403
        assert login(client, "p3@x.io", word[:-1]) == 403


def test_p_4_a_password_is_taken_as_it_is_but_for_its_form(live: Live) -> None:
    word = " Pässwörd ﬁn "
    with live.client() as client:
        assert client.post(SIGNUP, json={**ADA, "email": "p4@x.io", "password": word}).status_code == 200
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert login(client, "p4@x.io", unicodedata.normalize(form, word)) == 200  # type: ignore[arg-type]
        for other in (word.strip(), word.lower(), word.swapcase(), word + " ", word[:-1]):
            assert login(client, "p4@x.io", other) == 403


def test_p_9_an_outdated_hash_is_replaced_once(live: Live) -> None:
    old = argon2.PasswordHasher(time_cost=3, memory_cost=12288, parallelism=1).hash(PASSWORD)
    with live.client() as client:
        assert client.post(SIGNUP, json={**ADA, "email": "p9@x.io"}).status_code == 200
        live.rows("UPDATE \"user\" SET password = ? WHERE email = 'p9@x.io'", old)
        assert login(client, "p9@x.io", "wrong") == 403
        assert stored(live, "p9@x.io") == old
        body = {"email": "p9@x.io", "password": PASSWORD}
        answers = live.together(lambda client: [client.post(LOGIN, json=body) for _ in range(20)])
        assert [each.status_code for each in answers] == [200] * 20
        fresh = stored(live, "p9@x.io")
        assert "$m=19456,t=2,p=1$" in fresh
        assert login(client, "p9@x.io", PASSWORD) == 200
        assert stored(live, "p9@x.io") == fresh


class Filling(Passwords):
    """Passwords whose pool is full once one was checked."""

    async def verify(self, stored: str | None, password: str) -> bool:
        matches = await super().verify(stored, password)
        while self._slots.acquire(blocking=False):
            pass
        return matches


def test_p_9_a_hash_that_cannot_be_replaced_now_waits_for_a_later_login(tmp_path: Path) -> None:
    async def run() -> tuple[int, str, str]:
        async with hosted(tmp_path, passwords=Filling(Cost(64, 3))) as site:
            old = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
            assert (await site.post(SIGNUP, ADA)).status == 200
            with closing(sqlite3.connect(tmp_path / "data.db", isolation_level=None)) as database:
                database.execute("UPDATE user SET password = ?", (old,))
                answer = await site.post(LOGIN, {"email": ADA["email"], "password": PASSWORD})
                (kept,) = database.execute("SELECT password FROM user").fetchone()
            return answer.status, kept, old

    status, kept, old = asyncio.run(run())
    assert status == 200
    assert kept == old


def test_p_10_a_long_password_is_refused_before_hashing(live: Live) -> None:
    with live.client() as client:
        for path in (LOGIN, SIGNUP):
            for word in ("x" * 4097, "😀" * 1025, "x" * 900_000):
                answer = client.post(path, json={**(ADA if path == SIGNUP else {"email": "a@x.io"}), "password": word})
                assert answer.status_code == 400
                assert word[:50] not in answer.text


# Login and sign-up


@pytest.mark.parametrize("cost", [Cost(64, 3), Cost(256, 2)])
def test_l_1_l_2_every_failed_login_does_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: Cost
) -> None:
    work: list[int] = []
    digest = hashing.digest

    def hashed(*given: Any, memory_kib: int, passes: int, **rest: Any) -> bytes:
        work.append(passes * memory_kib)
        return digest(*given, memory_kib=memory_kib, passes=passes, **rest)

    monkeypatch.setattr(hashing, "digest", hashed)

    async def run() -> None:
        async with hosted(tmp_path, passwords=Passwords(cost)) as site:
            await site.post(SIGNUP, ADA)
            old = argon2.PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash("other")
            site.services.store.writer.connection.execute(
                "INSERT INTO user (created_at, name, email, password, role) VALUES (1, 'o', 'old@x.io', ?, 'member')",
                (old,),
            )
            for email in ("ada@x.io", "nobody@x.io", "old@x.io"):
                work.clear()
                answer = await site.post(LOGIN, {"email": email, "password": "wrong"})
                assert answer.status == 403
                assert abs(sum(work) - cost.work) <= cost.time, email

    asyncio.run(run())


def test_l_4_failed_logins_are_alike_to_the_byte(live: Live) -> None:
    with live.client() as client:
        client.post(SIGNUP, json={**ADA, "email": "l4@x.io"})
        failures = [("l4@x.io", "wrong"), ("l4-nobody@x.io", "wrong"), ("l4@x.io", ""), ("l4@x.io", PASSWORD.upper())]
        answers = [client.post(LOGIN, json={"email": email, "password": word or "x"}) for email, word in failures]
    first = answers[0]
    for answer in answers:
        assert (answer.status_code, answer.content) == (403, first.content)
        assert [name for name, _ in answer.headers.raw] == [name for name, _ in first.headers.raw]
        assert [len(value) for _, value in answer.headers.raw] == [len(value) for _, value in first.headers.raw]


SPELLINGS = [
    "l7@x.io",
    "L7@x.io",
    "L7@X.IO",
    " l7@x.io",
    "l7@x.io\t",
    "ｌ7@x.io",
    "Ｌ７@ｘ.ｉｏ",
    "l7＠x.io",
    "l⁷@x.io",
    "ℓ7@x.io",
]


def test_l_7_one_of_many_signups_at_once(live: Live) -> None:
    spellings = [SPELLINGS[place % len(SPELLINGS)] for place in range(50)]
    answers = live.together(
        lambda client: [client.post(SIGNUP, json={**ADA, "email": spelling}) for spelling in spellings]
    )
    assert sorted(each.status_code for each in answers) == [200] + [403] * 49
    assert all(each.json() == TAKEN for each in answers if each.status_code == 403)
    assert live.rows("SELECT email FROM \"user\" WHERE email LIKE '%7@x.io'") == [("l7@x.io",)]


BARE_SIGNUP = """
    endpoint: POST /bare
    input: {name: text, email: {type: email, trim: true}, password: password}
    stack:
      - add_record: user
        data: {name: $input.name, email: $input.email, password: $input.password}
        ON_DUPLICATE
        as: user
    response: {id: $user.id}
"""


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [("", 409, "ERROR_CODE_CONFLICT"), ("on_duplicate: {error: access_denied}", 403, "ERROR_CODE_ACCESS_DENIED")],
)
def test_l_8_the_database_keeps_an_address_unique(tmp_path: Path, rule: str, status: int, code: str) -> None:
    with serving(tmp_path, {"bare": BARE_SIGNUP.replace("ON_DUPLICATE", rule)}) as live:
        answers = live.together(
            lambda client: [client.post("/api:main/bare", json={**ADA, "email": each}) for each in SPELLINGS * 4]
        )
        assert sorted(each.status_code for each in answers) == [200] + [status] * (4 * len(SPELLINGS) - 1)
        assert {each.json()["code"] for each in answers if each.status_code == status} == {code}
        assert live.rows('SELECT email FROM "user"') == [("l7@x.io",)]


@pytest.mark.parametrize("more", [{"role": "admin"}, {"id": 7}, {"created_at": 1}, {"ROLE": "admin"}, {"user": {"role": "admin"}}, {"__proto__": {"role": "admin"}}])  # fmt: skip
@pytest.mark.parametrize("as_form", [False, True])
def test_l_10_signup_takes_declared_fields_only(live: Live, more: dict[str, Any], as_form: bool) -> None:
    before = live.rows('SELECT count(*) FROM "user"')
    body = {**ADA, "email": "l10@x.io", **more}
    with live.client() as client:
        answer = client.post(SIGNUP, **({"data": body} if as_form else {"json": body}))  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["message"]) == (400, f"Unknown param: {next(iter(more))}")
    assert live.rows('SELECT count(*) FROM "user"') == before


# Exhaustion


def test_b_9_a_full_queue_sheds_logins_and_serves_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "HOLD_SECONDS", 0)

    async def run() -> None:
        slow = Passwords(Cost(19456, 8), threads=1, queue=4)
        async with hosted(tmp_path, {"ping": "endpoint: GET /ping\nstack: []\nresponse: pong\n"}, slow) as site:
            logins = [
                asyncio.ensure_future(site.post(LOGIN, {"email": f"{n}@x.io", "password": "x"})) for n in range(60)
            ]
            await asyncio.sleep(0.02)
            shed = [await each for each in logins if each.done()]
            assert len(shed) == 55
            assert all((each.status, each["retry-after"]) == (503, "1") for each in shed)
            assert all(each.json["code"] == "ERROR_CODE_UNAVAILABLE" for each in shed)
            assert (await site.ask("GET", b"/api:main/ping")).body == b'"pong"'
            assert sum(not each.done() for each in logins) == 5, "what takes no hash doesn't wait for those that do"
            assert [(await each).status for each in logins].count(403) == 5

    asyncio.run(run())


BOMBS = {
    "anchors": "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)),
    "merge": "a: &a {x: 1}\nendpoint: POST /x\n<<: *a\nstack: []\n",
    "depth of lists": "[" * 100_000,
    "depth of objects": "{a: " * 100_000,
    "depth of blocks": "".join(f"{' ' * n}a:\n" for n in range(1500)),
    "a million keys": "endpoint: POST /x\n" + "".join(f"k{n}: 1\n" for n in range(300_000)),
    "a huge int": "endpoint: POST /x\nstack: [{set: {a: " + "9" * 200_000 + "}}]\n",
    "a huge expression": "endpoint: POST /x\nstack: [{set: {a: '$b" + " + 1" * 100_000 + "'}}]\n",
    "deep brackets": "endpoint: POST /x\nstack: [{set: {a: '${" + "(" * 50_000 + "'}}]\n",
    "many nots": "endpoint: POST /x\nstack: [{precondition: '" + "not " * 50_000 + "true'}]\n",
    "many minuses": "endpoint: POST /x\nstack: [{set: {a: '${" + "-" * 50_000 + "1}'}}]\n",
    "duplicate keys": "endpoint: POST /x\nstack: []\nstack: []\n",
    "a tag": "endpoint: !!python/object/apply:os.system [id]\n",
    "base 60": "endpoint: POST /x\nstack: [{set: {a: 1:2:3:4:5:6:7:8:9}}, {return: $a + 1}]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_b_11_a_bomb_is_refused_at_load(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    found = check_folder(copied(tmp_path, {"bomb": text}), "")
    assert found.errors
    assert all("bomb.yaml" in each.span.path for each in found.errors)
    assert sum(len(each.render()) for each in found.errors) < 2_000_000
    assert time.monotonic() - started < 20


# What must not leave

SECRETS = """
    workspace: accounts
    canonical: main
    env: {CANARY_ENV: text}
"""
LEAKS = {
    "stacks/log": "endpoint: POST /log\ninput: {email: text, password: password}\nstack:\n  - get_record: user\n    where: {email: $input.email}\n    as: u\n"
    "  - debug_log: $u\n  - validate_password: $input.password\n    against: $u?.password\n    as: ok\n  - debug_log: $ok\nresponse: $u\n",
    "stacks/divide": "endpoint: POST /divide\ninput: {password: password, z: int}\nstack:\n  - set: {p: $input.password}\n  - set: {x: '${$input.z / ([] | count)}'}\nresponse: $x\n",
    "stacks/open": "endpoint: POST /open\ninput: {password: password, any: json}\nstack:\n  - set: {x: '${$input.any.a.b}', y: $input.password}\nresponse: $x\n",
    "stacks/throws": "endpoint: POST /throws\ninput: {password: password, any: json}\nstack:\n  - set: {p: $input.password, e: $env.CANARY_ENV}\n  - throw: conflict\n    message: No.\n    payload: $input.any\n",
}  # fmt: skip


def spellings(secret: str) -> set[bytes]:
    """A secret as it is, in base64 (wherever it begins in a text), in hex and as in a URL."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * pad + raw)[4 if pad else 0 : -4] for pad in range(3)}
    return {raw, raw.hex().encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), *shifted}


def test_s_1_no_secret_leaves(tmp_path: Path) -> None:
    word, env = "Canary pässword/7f3a91+q", "canary-environment-5be2c0"
    files = {"workspace": SECRETS, **{name.removeprefix("stacks/"): text for name, text in LEAKS.items()}}
    with serving(tmp_path, files, CANARY_ENV=env) as live, live.client() as client:
        seen: list[bytes] = []

        def ask(method: str, path: str, **options: Any) -> httpx.Response:
            answer = client.request(method, path, **options)
            seen.append(answer.content + repr(answer.headers.raw).encode())
            return answer

        body = {"name": "C", "email": "c@x.io", "password": word}
        token = client.post(SIGNUP, json=body).json()["authToken"]
        client.post(LOGIN, json={"email": "c@x.io", "password": word})
        mine = {"Authorization": f"Bearer {token}"}
        assert ask("GET", ME, headers=mine).json()["email"] == "c@x.io"
        assert ask("POST", SIGNUP, json=body, headers=mine).status_code == 403
        assert ask("POST", LOGIN, json={"email": "c@x.io", "password": word + "!"}).status_code == 403
        assert ask("POST", LOGIN, json={"email": "c@x.io", "password": word * 400}).status_code == 400
        assert ask("POST", LOGIN, json={"email": word, "password": word}).status_code == 400
        assert ask("POST", LOGIN, json={"email": "c@x.io", "password": [word]}).status_code == 400
        assert ask("POST", LOGIN, json={"email": "c@x.io", "password": word, "x": word}).status_code == 400
        assert ask("POST", SIGNUP, json={**body, "password": word[:7]}).status_code == 400
        assert ask("POST", f"{LOGIN}?password={quote(word)}&email=c@x.io").status_code == 400
        assert (
            ask(
                "POST", LOGIN, content=f'{{"password": "{word}",', headers={"Content-Type": "application/json"}
            ).status_code
            == 400
        )
        assert ask("POST", LOGIN, data={"email": "c@x.io", "password": word + "?"}).status_code == 403
        assert ask("POST", LOGIN, files={"password": word.encode()}).status_code == 400
        assert ask("GET", ME, headers={"Authorization": f"Bearer {token[:-3]}"}).status_code == 401
        assert ask("GET", ME, headers={"Authorization": f"Basic {token}"}).status_code == 401
        assert ask("GET", f"{ME}?authtoken={token}").status_code == 401
        assert ask("PUT", LOGIN, json=body, headers=mine).status_code == 405
        assert ask("POST", "/api:main/none", json=body, headers=mine).status_code == 404
        assert ask("POST", "/api:main/log", json={"email": "c@x.io", "password": word}, headers=mine).status_code == 200
        assert ask("POST", "/api:main/divide", json={"password": word, "z": 0}, headers=mine).status_code == 500
        assert ask("POST", "/api:main/open", json={"password": word, "any": {"a": 1}}, headers=mine).status_code == 400
        assert ask("POST", "/api:main/throws", json={"password": word, "any": 1}, headers=mine).status_code == 409
        hash_ = stored(live, "c@x.io")
        material = keys_in(tmp_path / "data" / "keys")
        time.sleep(0.3)
        everything = b"\n".join(seen) + live.output
    everything += live.output
    assert material
    for secret in (word, env, token, hash_, hash_.rsplit("$", 1)[1], *material):
        for spelling in spellings(secret):
            # What a caller sends as something that isn't secret may be quoted to them; a password is not.
            assert spelling not in everything, (secret, spelling)


def keys_in(place: Path) -> list[str]:
    """The long texts in the files of keys."""
    files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
    texts = [text for each in files for text in re.findall(r"[A-Za-z0-9_\-+/]{40,}", each.read_text())]
    return [text for text in texts if text]


@pytest.mark.parametrize("leak", ["$input", "$input.password", "$env.CANARY_ENV", "$env", "$u?.password", "${[$input.password]}", "${$input.password ~ 'x'}", "${$input.password | to_upper}"])  # fmt: skip
@pytest.mark.parametrize("way", ["- debug_log: {}", "- return: {}", "- return:\n      a: {}", "- throw: conflict\n    payload: {}", "- create_token: user\n    id: 1\n    extras:\n      a: {}\n    as: t"])  # fmt: skip
def test_s_2_the_checker_keeps_secrets_in(tmp_path: Path, leak: str, way: str) -> None:
    head = "endpoint: POST /out\ninput: {email: text, password: password}\nstack:\n"
    read = "  - get_record: user\n    where: {email: $input.email}\n    as: u\n"
    stack = f"{head}{read}  {way.format(leak)}\n"
    found = check_folder(copied(tmp_path, {"workspace": SECRETS, "out": stack}), "")
    assert any("a secret would" in each.message for each in found.errors), [each.render() for each in found.problems]


def test_s_4_a_500_is_generic(tmp_path: Path) -> None:
    with serving(tmp_path, {"divide": LEAKS["stacks/divide"]}) as live, live.client() as client:
        answer = client.post("/api:main/divide", json={"password": "x", "z": 0})
        id = answer.headers["x-request-id"]
        message = f"Something went wrong. The log has the cause under {id}."
        assert answer.json() == {"code": "ERROR_FATAL", "message": message, "payload": ""}
    entry = next(json.loads(line) for line in live.output.splitlines() if line.startswith(b"{") and id.encode() in line)
    assert (entry["status"], entry["reason"], entry["error"]["message"]) == (
        500, "division", "fatal: a number was divided by zero",
    )  # fmt: skip
    assert any("divide.yaml:5" in frame for frame in entry["error"]["frames"])


@pytest.mark.parametrize(
    "query", [f"password={quote(PASSWORD)}&email=s6@x.io", f"password={quote(PASSWORD)}", "password[]=x"]
)
def test_s_6_credentials_in_a_url_are_refused(live: Live, query: str) -> None:
    with live.client() as client:
        client.post(SIGNUP, json={**ADA, "email": "s6@x.io"})
        answer = client.post(f"{LOGIN}?{query}", json={} if "email" in query else {"email": "s6@x.io"})
        assert answer.status_code == 400
        assert client.get(f"{LOGIN}?{query}").status_code == 405


@pytest.mark.parametrize(
    "declared",
    ["GET /in\ninput: {email: email, password: password}", "POST /in/{password}\ninput: {password: password}", "GET /in\ninput: {o: {type: object, properties: {password: password}}}", "GET /in\ninput: {code: {type: text, sensitive: true}}"],
)  # fmt: skip
def test_s_6_the_checker_refuses_a_login_by_get(tmp_path: Path, declared: str) -> None:
    found = check_folder(copied(tmp_path, {"in": f"endpoint: {declared}\nstack: []\nresponse: 1\n"}), "")
    assert ["secret" in each.message for each in found.errors] == [True]


def test_s_7_headers_of_tokens_and_profiles(live: Live) -> None:
    with live.client() as client:
        signup = client.post(SIGNUP, json={**ADA, "email": "s7@x.io"})
        mine = {"Authorization": f"Bearer {signup.json()['authToken']}"}
        answers = [signup, client.post(LOGIN, json={"email": "s7@x.io", "password": PASSWORD}), client.get(ME, headers=mine), client.get(ME)]  # fmt: skip
        answers.append(client.post(LOGIN, json={"email": "s7@x.io", "password": "wrong"}))
    assert [each.status_code for each in answers] == [200, 200, 200, 401, 403]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert "server" not in answer.headers


class Forger(Tokens):
    """Makes a token for whatever a key holder puts in its `sub`."""

    def forged(self, subject: str) -> str:
        now = milliseconds() // 1000
        payload = {"sub": subject, "iat": now, "nbf": now, "exp": now + 60, "jti": "x"}
        key = self._ring.current
        header = {"alg": key.algorithm.alg, "enc": key.algorithm.enc, "kid": key.kid, "typ": "access+jwt"}
        text = json.dumps({**payload, "iss": self._issuer, "aud": self._audience, "extras": {}})
        jwe = JWE(text, json.dumps(header, separators=(",", ":")), algs=list(header.values())[:2], recipient=key.jwk)
        token: str = jwe.serialize(compact=True)
        return token


MEMBER = """\
table: member
auth: true
columns: {id: uuid, name: text}
"""
READS = """\
endpoint: GET /reads/TABLE
auth: TABLE
stack:
  - get_record: TABLE
    where: {id: $auth.id}
    as: it
  - precondition: $it != null
    error: not_found
response: $it.id
"""


def test_t_9_a_token_is_for_an_id_that_its_table_may_have(storage: str, tmp_path: Path) -> None:
    files = {"member": MEMBER, "a": READS.replace("TABLE", "member"), "b": READS.replace("TABLE", "user")}
    id = "0f1d3d3e-0000-4000-8000-000000000001"
    with serving(tmp_path, files) as live, live.client() as client:
        tokens = Forger(KeyRing.open(tmp_path / "data" / "keys"), "accounts", "accounts", milliseconds)
        asked = {
            "user/7": ("user", 404), "user/9223372036854775807": ("user", 404), "user/9223372036854775808": ("user", 401),
            'user/"7"': ("user", 401), f'user/"{id}"': ("user", 401), "user/" + "[" * 3000: ("user", 401),
            f'member/"{id}"': ("member", 404), 'member/"seven"': ("member", 404), 'member/"\\u0000"': ("member", 401),
            "member/7": ("member", 401), 'member/"\\ud800"': ("member", 401),
        }  # fmt: skip
        answers = {}
        for subject, (table, _) in asked.items():
            mine = {"Authorization": f"Bearer {tokens.forged(subject)}"}
            answers[subject] = (table, client.get(f"/api:main/reads/{table}", headers=mine).status_code)
        assert answers == asked


# The interpreter and the data

PAYLOADS = [
    "$auth.id", "${1+1}", "${$env.PATH}", "{{7*7}}", "$$x", "$", "#{7*7}", "<%= 7 %>", "$input.name | to_upper", "__class__",
    "'; DROP TABLE user; --", "' OR '1'='1", '" OR ""="', "Robert'); DELETE FROM user;--", "\\'; SELECT 1", "?1", ":name", "%s%n{0}",
    "a\nb\r\nX-Evil: 1", "é\u202e😀", "x' UNION SELECT password FROM user --", "null", "true", "../../etc/passwd", "{\"$ne\": null}",
]  # fmt: skip
ECHO = "endpoint: POST /echo\ninput: {any: json}\nstack:\n  - set: {x: $input.any, y: 'got ${$input.any.text}'}\nresponse: {x: $x, y: $y}\n"


def test_i_1_what_is_sent_is_never_evaluated(tmp_path: Path) -> None:
    with serving(tmp_path, {"echo": ECHO}) as live, live.client() as client:
        for payload in PAYLOADS:
            sent = {"text": payload, "deep": [{payload: payload}]}
            assert client.post("/api:main/echo", json={"any": sent}).json() == {"x": sent, "y": f"got {payload}"}


ESCAPES = [
    "$x.__class__", "$x?.__class__", '$x["__class__"]', '$x?.["__class__"]', "$x | format", "$x.format", "$x.keys", "$x.append", "$x.secrets",
    '$x | get("__class__")', '$x | get("__class__.__mro__")', '$x | get("secrets")', "$x | __class__", "$x.__init__.__globals__", "__import__", "run",
    '__import__("os")', "$run", "$v_x", "k.__class__", "$x | map($u => $u.__class__)", "open", "eval(1)", "$x()", "$x.__class__()",
]  # fmt: skip


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("value", ["text", {"a": 1}, ["a"], 7, None, 1.5], ids=repr)
def test_i_2_expressions_reach_no_attribute_of_the_host(text: str, value: object) -> None:
    try:
        found = evaluate(text, x=value)
    except Exception as error:
        assert type(error).__name__ in ("Fault", "Problems", "TypeError"), repr(error)
        assert not isinstance(error, TypeError) or "x.__class__" not in str(error)
    else:
        assert found is None or found == [], found


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("kind", ["text", "json", "int", "'text[]'", "{type: object, properties: {a: int}}"])
def test_i_2_nor_do_stacks(tmp_path: Path, text: str, kind: str) -> None:
    values = {"text": "a", "json": {"a": 1}, "int": 1, "'text[]'": ["a"]}.get(kind, {"a": 1})
    expression = json.dumps(text.replace("$x", "$input.x") if text.startswith("$") else "${" + text + "}")
    try:
        found = run_stack(tmp_path, f"- return: {expression}", f"{{x: {kind}}}", {"x": values})
    except AssertionError as error:
        assert ": error SW" in str(error)
    except Exception as error:
        assert type(error).__name__ in ("Fault", "Problems"), repr(error)
    else:
        assert found is None or found == [], found


def test_i_3_injections_are_stored_as_they_are(live: Live) -> None:
    tables = live.structure()
    with live.client() as client:
        for place, payload in enumerate(PAYLOADS):
            answer = client.post(SIGNUP, json={**ADA, "name": payload, "email": f"i3-{place}@x.io"})
            assert answer.status_code == 200, payload
            mine = {"Authorization": f"Bearer {answer.json()['authToken']}"}
            assert client.get(ME, headers=mine).json()["name"] == payload
            assert live.rows('SELECT name FROM "user" WHERE email = ?', f"i3-{place}@x.io") == [(payload,)]
            assert client.post(LOGIN, json={"email": payload, "password": payload}).status_code in (400, 403)
            assert client.post(SIGNUP, json={**ADA, "email": payload}).status_code == 400
            assert client.post(LOGIN, json={"email": f"i3-{place}@x.io", "password": payload}).status_code == 403
        for local in ("'or'1'='1", "a'--", "`x`", "x%s", "$auth", "${1}", "*", "_", "%"):
            address = f"{local}@x.io"
            assert client.post(LOGIN, json={"email": address, "password": "x"}).status_code in (400, 403)
            if client.post(SIGNUP, json={**ADA, "email": address}).status_code == 200:
                assert login(client, address, PASSWORD) == 200
    assert live.structure() == tables


NOTE = "table: note\ncolumns: {id: int, text: text}\n"
STEPS = "endpoint: POST /steps\ninput: {fail: int}\nstack:\n" + "".join(
    f"  - precondition: $input.fail != {k}\n    error: conflict\n  - add_record: note\n    data: {{text: part {k}}}\n  - debug_log: {k}\n"
    for k in range(6)
) + "response: ok\n"  # fmt: skip


@pytest.mark.usefixtures("storage")
def test_i_5_i_6_a_failed_step_has_no_effect_before_or_after(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path, {"note": NOTE, "steps": STEPS}) as site:
            for k in range(6):
                site.entries.clear()
                assert (await site.post("/api:main/steps", {"fail": k})).status == 409
                assert [each["value"] for each in site.entries if "value" in each] == list(range(k))
                assert (await site.services.store.counts())["note"] == 0
            assert (await site.post("/api:main/steps", {"fail": 9})).status == 200
            assert (await site.services.store.counts())["note"] == 6
            for smuggled in ({"fail": 0, "skip": 1}, {"fail": None}, {"fail": "9"}, {"fail": [9]}, {"fail": 0.5}, {}):
                assert (await site.post("/api:main/steps", smuggled)).status == 400
            assert (await site.services.store.counts())["note"] == 6

    asyncio.run(run())


TYPED = "endpoint: POST /typed\ninput: {'n?': int, 't?': text, 'b?': bool, 'd?': decimal, 'any?': json, 'xs?': 'int[]'}\nstack: []\nresponse: $input\n"
BODIES: dict[str, bytes] = {
    "an unknown field": b'{"z":1}', "a text for an int": b'{"n":"1"}', "a list for a text": b'{"t":["a"]}', "an object for a text": b'{"t":{"a":1}}',
    "an int for a bool": b'{"b":1}', "a bool for an int": b'{"n":true}', "a fraction for an int": b'{"n":1.5}', "a text for a list": b'{"xs":"1"}',
    "NaN": b'{"d":NaN}', "Infinity": b'{"d":Infinity}', "-Infinity": b'{"d":-Infinity}', "past the finite": b'{"d":1e999}', "a huge int": b'{"n":' + b"9" * 100_000 + b"}",
    "past 64 bits": b'{"n":9223372036854775808}', "a huge int in json": b'{"any":' + b"9" * 100_000 + b"}", "twice": b'{"n":1,"n":2}', "twice, deep": b'{"any":{"a":[{"b":1,"b":1}]}}',
    "twice, escaped": b'{"n":1,"\\u006e":2}', "half a pair": b'{"t":"\\ud800"}', "a NUL": b'{"t":"\\u0000"}', "not UTF-8": b'{"t":"\xff"}', "deep": b'{"any":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"any":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "65 levels": b'{"any":' + b"[" * 65 + b"]" * 65 + b"}",
    "a list": b"[]", "a text": b'"x"', "null": b"null", "two": b"{}{}", "a comment": b'{"n":1/**/}', "a BOM": b"\xef\xbb\xbf{}", "a trailing comma": b'{"n":1,}', "single quotes": b"{'n':1}",
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(60_000)) + b"}",
    "many deep keys, one twice": b'{"any":{' + b",".join(b'"k%d":1' % n for n in range(60_000)) + b',"k1":2}}',
    "a million keys": b"{" + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}",
}  # fmt: skip


def test_i_7_odd_bodies_are_refused_in_bounded_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path, {"typed": TYPED}) as site:
            for name, body in BODIES.items():
                started = time.monotonic()
                answer = await site.post("/api:main/typed", body)
                assert 400 <= answer.status < 500, (name, answer)
                assert len(answer.body) < 20_000, name
                assert time.monotonic() - started < 2, name
            for query in (b"n=1&n=2", b"n=1&n[]=2", b"t[a]=1", b"n=01", b"n=+1", b"n=1.0", b"b=1", b"d=NaN", b"d=inf", b"d=1e999", b"z=1", b"n=%FF", b"t=%00", b"n=" + b"9" * 5000):  # fmt: skip
                answer = await site.ask("POST", b"/api:main/typed?" + query)
                assert answer.status == 400, (query, answer)
            assert (await both(site)).status == 400

    asyncio.run(run())


async def both(site: Site) -> Any:
    headers = [(b"content-type", b"application/json")]
    return await site.ask("POST", b"/api:main/typed?n=1", b'{"n":1}', headers)


def test_i_8_comparisons_are_strict() -> None:
    for text in ("null == 0", '"a" < 1', '1 == "1"', "true == 1", '"" == false', "[] == 0"):
        with pytest.raises(Problems):
            evaluate(text)
