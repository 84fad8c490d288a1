"""Answers that stay the same for a while: with an ETag (RFC 9110 §8.8.3), so that who has one already isn't sent it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from engine.errors import Fault
from engine.http.cors import Policy
from engine.http.direct import Headers
from engine.http.inputs import Scope
from engine.http.responses import Answer, Send, write

METHODS = ("GET", "HEAD", "OPTIONS")
# It may be kept, and is asked for again before it is used.
KEPT: Headers = ((b"cache-control", b"no-cache"),)


@dataclass(frozen=True, slots=True)
class Resource:
    """A body with the headers that say what it is."""

    body: bytes
    headers: Headers
    etag: bytes

    @classmethod
    def of(cls, body: bytes, *headers: tuple[bytes, bytes], caching: Headers = KEPT) -> Resource:
        etag = b'"' + sha256(body).hexdigest()[:32].encode() + b'"'
        nosniff = (b"x-content-type-options", b"nosniff")
        return cls(body, (*headers, *caching, nosniff, (b"etag", etag)), etag)

    def answer(self, scope: Scope) -> Answer:
        """The resource, or 304 for a request that names its ETag."""
        asked = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
        tags = [tag.strip().removeprefix(b"W/") for tag in asked.split(b",")]
        if self.etag in tags or tags == [b"*"]:
            return 304, tuple(each for each in self.headers if each[0] != b"content-type"), b""
        return 200, self.headers, self.body


def refuse_method(scope: Scope) -> None:
    """Raises Fault method_not_allowed for a verb that nothing here has."""
    if scope["method"] not in METHODS:
        allowed = ", ".join(METHODS)
        raise Fault("method_not_allowed", f"This path takes {allowed}.", headers=(("allow", allowed),))


def preflight(scope: Scope, policy: Policy) -> Answer:
    """The answer to OPTIONS."""
    return 204, ((b"allow", ", ".join(METHODS).encode()), *policy.preflight(scope["headers"], METHODS)), b""


async def send_answer(send: Send, scope: Scope, answer: Answer, policy: Policy, id: str) -> None:
    """Sends an answer with the CORS headers that `preflight` hasn't given it already."""
    more = () if answer[0] == 204 else policy.headers(scope["headers"])
    await write(send, answer, more, id, head=scope["method"] == "HEAD")
