"""The page at `/docs`: files of ours, so that it works without a network, under a policy that lets nothing else run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from engine.errors import Fault
from engine.http.resources import Resource
from engine.http.responses import NOT_FOUND

_FOLDER = Path(__file__).parent / "docs"
_FILES: Mapping[str, tuple[str, bytes]] = {
    "": ("docs.html", b"text/html; charset=utf-8"),
    "docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
    "docs.css": ("docs.css", b"text/css; charset=utf-8"),
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(name: str) -> Resource:
    """The file that a name under `/docs/` stands for, the page itself for no name. Raises Fault not_found."""
    if name not in _FILES:
        raise Fault("not_found", NOT_FOUND)
    return _resource(name)


@cache
def _resource(name: str) -> Resource:
    file, type_ = _FILES[name]
    body = (_FOLDER / file).read_bytes()
    policies = ((b"content-security-policy", _POLICY), (b"referrer-policy", b"no-referrer"))
    return Resource.of(body, (b"content-type", type_), *policies)
