"""CORS: which other sites' pages may call a group (Fetch standard, §3.2 "CORS protocol")."""

from __future__ import annotations

from collections.abc import Iterable

from engine.http.direct import Headers
from engine.workspace import Cors

# What the clients of such a server send: Xano's own, and `Content-Type` of JSON.
REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "x-data-source",
    "x-xano-authorization",
    "x-xano-authorization-only",
)
RESPONSE_HEADERS = b"x-request-id, retry-after"


class Policy:
    """A group's `Cors` as headers. `fixed` are the same for every origin; None where the origin decides."""

    def __init__(self, cors: Cors) -> None:
        self._anyone = "*" in cors.origins
        self._origins = frozenset(origin.encode() for origin in cors.origins)
        self._credentials = cors.credentials
        self._allowed_headers = ", ".join(_distinct(REQUEST_HEADERS, cors.headers)).encode()
        self._max_age = b"%d" % cors.max_age
        self._enabled = cors.enabled
        self.fixed: Headers | None = self._fixed()

    def _fixed(self) -> Headers | None:
        if not self._enabled:
            return ()
        if self._anyone:
            return ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", RESPONSE_HEADERS))
        return None

    def headers(self, request: Iterable[tuple[bytes, bytes]]) -> Headers:
        """What an answer to a request with these headers says to the browser."""
        if self.fixed is not None:
            return self.fixed
        # Caches must not give one origin's answer to another.
        vary = (b"vary", b"origin")
        origin = next((value for name, value in request if name == b"origin"), None)
        if origin is None or origin not in self._origins:
            return (vary,)
        allowed = (vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", RESPONSE_HEADERS))
        return (*allowed, (b"access-control-allow-credentials", b"true")) if self._credentials else allowed

    def preflight(self, request: Iterable[tuple[bytes, bytes]], methods: Iterable[str]) -> Headers:
        """The answer to an OPTIONS request for a path that knows `methods`."""
        headers = self.headers(request)
        if not any(name == b"access-control-allow-origin" for name, _ in headers):
            return headers
        return (
            *headers,
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", self._allowed_headers),
            (b"access-control-max-age", self._max_age),
        )


def _distinct(*lists: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(name.lower() for names in lists for name in names)
