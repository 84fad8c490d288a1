"""The token in a request's headers."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import Fault
from engine.security.tokens import BAD_TOKEN, NO_TOKEN


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token that counts: of `Authorization: Bearer …` (RFC 6750 §2.1), or, beside
    `X-Xano-Authorization-Only: true`, of `X-Xano-Authorization` with or without `Bearer`.

    No other place is read, least of all the URL. Raises Fault unauthorized where there is no token, or two.
    """
    own: list[bytes] = []
    xano: list[bytes] = []
    only = False
    for name, value in headers:
        if name == b"authorization":
            own.append(value)
        elif name == b"x-xano-authorization":
            xano.append(value)
        elif name == b"x-xano-authorization-only":
            only = value.strip().lower() == b"true"
    given = xano if only else own
    if len(given) > 1:
        raise Fault("unauthorized", BAD_TOKEN, reason="token")
    token = _token(given[0], bare=only) if given else b""
    if not token:
        raise Fault("unauthorized", NO_TOKEN, reason="no_token")
    return token.decode("latin-1")


def _token(value: bytes, *, bare: bool) -> bytes:
    scheme, space, token = value.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    return scheme if bare and not space else b""
