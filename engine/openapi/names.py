"""Names that code generators make code of: of operations, of components and of examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from engine.workspace import Endpoint

PARAMETER = re.compile(r"\{(\w+)\}")
MAX_SLUG = 40  # characters


def operation_ids(endpoints: Iterable[Endpoint]) -> Mapping[Endpoint, str]:
    """A name for each endpoint: `postAuthLogin`, `getOrdersByOrderId`.

    Endpoints of two groups that would share one carry their group's name, but for the default group's; a number tells
    apart what is still the same, in the order of the files.
    """
    endpoints = list(endpoints)
    plain = {each: camel(f"{each.method} {_spoken(each.path)}") for each in endpoints}
    shared = Counter(plain.values())
    taken: set[str] = set()
    ids: dict[Endpoint, str] = {}
    for each in sorted(endpoints, key=lambda each: bool(each.group.name)):  # the default group's keep theirs
        name = plain[each]
        if shared[name] > 1 and each.group.name:
            name = camel(f"{each.method} {each.group.name} {_spoken(each.path)}")
        ids[each] = unique(name, taken)
    return ids


def _spoken(path: str) -> str:
    return PARAMETER.sub(r" by \1 ", path)


def unique(name: str, taken: set[str]) -> str:
    """`name`, with a number where it is taken; it is taken from now on."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}{number}"
    taken.add(chosen)
    return chosen


def camel(text: str) -> str:
    """`post /auth/sign-up` as `postAuthSignUp`."""
    name = pascal(text)
    return name[:1].lower() + name[1:]


def pascal(text: str) -> str:
    """`order_item` as `OrderItem`; words that begin with capitals keep those within."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word.capitalize() if word.isupper() else word[:1].upper() + word[1:] for word in words)


def slug(text: str, taken: set[str]) -> str:
    """A key for an example: `a-wrong-password`."""
    key = ""
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        if len(key) + len(word) >= MAX_SLUG:
            break
        key += f"-{word}" if key else word
    return unique(key or "example", taken)
