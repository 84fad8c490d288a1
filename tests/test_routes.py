"""Routes: which endpoint a path means, and with which parameters."""

from __future__ import annotations

import time

import pytest

from engine.errors import Fault
from engine.http.routes import Routes

DECLARED = [
    "GET /",
    "POST /auth/login",
    "GET /users/me",
    "GET /users/{id}",
    "DELETE /users/{id}",
    "GET /users/{id}/posts/{post}",
    "GET /users/me/posts",
    "GET /blog/post-{slug}",
    "GET /blog/{anything}",
    "GET /blog/post-{slug}.json",
    "GET /files/{name}.{ending}",
    "HEAD /users/me",
]


def routes() -> Routes[str]:
    made: Routes[str] = Routes()
    for name in DECLARED:
        method, path = name.split(" ")
        made.add("main", path, method, name)
    made.add("other", "/auth/login", "POST", "other")
    return made


def first(path: str, method: str = "GET") -> object:
    """The handler and parameters that a request for `path` gets."""
    for methods, parameters in routes().find(path):
        if method in methods:
            return (methods[method], parameters)
    return None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api:main/users/me", ("GET /users/me", {})),
        ("/api:main/users/7", ("GET /users/{id}", {"id": "7"})),
        ("/api:main/users/me/posts", ("GET /users/me/posts", {})),
        ("/api:main/users/me/posts/3", ("GET /users/{id}/posts/{post}", {"id": "me", "post": "3"})),
        ("/api:main/blog/post-a-b", ("GET /blog/post-{slug}", {"slug": "a-b"})),
        ("/api:main/blog/post-a.json", ("GET /blog/post-{slug}.json", {"slug": "a"})),
        ("/api:main/blog/post-", ("GET /blog/{anything}", {"anything": "post-"})),
        ("/api:main/files/a.tar.gz", ("GET /files/{name}.{ending}", {"name": "a", "ending": "tar.gz"})),
        ("/api:main", ("GET /", {})),
        ("/api:main/", ("GET /", {})),
        ("/api:main/users/me/", ("GET /users/me", {})),
        ("/api%3Amain/users%2Fme", None),
        ("/api%3Amain/users/m%65", ("GET /users/me", {})),
        ("/api:main/users/a%2Fb", ("GET /users/{id}", {"id": "a/b"})),
        ("/api:main/users/%2561", ("GET /users/{id}", {"id": "%61"})),
        ("/api:main/users/%C3%A9", ("GET /users/{id}", {"id": "é"})),
        ("/api:main/users/a%0Ab", ("GET /users/{id}", {"id": "a\nb"})),
        ("/api:main/users//", None),
        ("/api:main//users/me", None),
        ("/api:main/users/../users/me", None),
        ("/api:main/Users/me", None),
        ("/api:main/users", None),
        ("/api:none/users/me", None),
        ("/api:/users/me", None),
        ("/api:main:live/users/me", ("GET /users/me", {})),
        ("/api:main:v1/users/7", ("GET /users/{id}", {"id": "7"})),
        ("/api:main:dev/users/me", None),
        ("/api:main:/users/me", None),
        ("/api:main:v1:v1/users/me", None),
    ],
)
def test_a_path_means_the_most_literal_endpoint(path: str, found: object) -> None:
    assert first(path) == found


def test_a_verb_that_the_literal_path_has_not_falls_to_the_parameter() -> None:
    assert first("/api:main/users/me", "DELETE") == ("DELETE /users/{id}", {"id": "me"})


def test_head_is_get_unless_declared() -> None:
    assert first("/api:main/users/me", "HEAD") == ("HEAD /users/me", {})
    assert first("/api:main/users/7", "HEAD") == ("GET /users/{id}", {"id": "7"})
    assert first("/api:main/auth/login", "HEAD") is None


@pytest.mark.parametrize("path", ["/api:main/auth/login", "/api:main:v1/auth/login", "/api:main:live/auth/login"])
def test_a_literal_path_is_one_look_up(path: str) -> None:
    assert routes().literal[path] == {"POST": "POST /auth/login"}


def test_groups_keep_apart() -> None:
    assert first("/api:other/auth/login", "POST") == ("other", {})
    assert first("/api:other/users/me") is None


@pytest.mark.parametrize("path", ["/api:main/users/%FF", "/api:main/%C3", "/api:main/" + "a" * 4096])
def test_a_path_that_is_no_text_or_too_long_is_refused(path: str) -> None:
    with pytest.raises(Fault) as fault:
        routes().find(path)
    assert fault.value.name == "bad_request"


def test_a_hostile_segment_ends_soon() -> None:
    made: Routes[str] = Routes()
    made.add("main", "/{a}-{b}-{c}-{d}x", "GET", "it")
    began = time.monotonic()
    assert made.find("/api:main/" + "-" * 4000) == []
    assert time.monotonic() - began < 5
