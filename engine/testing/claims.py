"""The filter `token_claims`, which only expressions of test files may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from engine import registry
from engine.registry import Definition, define
from engine.run import Run


def token_claims(run: Run, token: str) -> dict[str, object]:
    """What a token says: `{table, id, extras, issued_at, expires_at}`, times in milliseconds since the epoch.

    `expires_at` is null for a token that never expires. A token that isn't good (any more) is a fault.
    """
    claims = run.tokens.open(token)
    return {
        "table": claims.table,
        "id": claims.id,
        "extras": claims.extras,
        "issued_at": claims.issued_at * 1000,
        "expires_at": None if claims.expires_at is None else claims.expires_at * 1000,
    }


_DEFINITION = define("filter", token_claims)


@contextmanager
def known() -> Iterator[None]:
    """Within it, expressions that are compiled may use `token_claims`.

    Stacks never may: a filter that was there for tests alone would pass them and fail in the server.
    """
    filters = cast(dict[str, Definition], registry.filters())
    filters[_DEFINITION.name] = _DEFINITION
    try:
        yield
    finally:
        del filters[_DEFINITION.name]
