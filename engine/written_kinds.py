"""Kinds as authors write them: `int`, `text[]`, `int or null`, and `{name: "text", "age?": "int"}` for an object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.errors import did_you_mean
from engine.registry import Misfit
from engine.values import ANY, BOOL, DECIMAL, INT, NULL, OBJECT, TEXT, Kind, join_all, list_of, object_of

KIND_NAMES: Mapping[str, Kind] = {
    "int": INT, "decimal": DECIMAL, "text": TEXT, "bool": BOOL, "object": OBJECT, "json": ANY, "null": NULL,
}  # fmt: skip
_OPTION = re.compile(r"([^\[\]]*)((?:\[\])*)")
HINT = 'write it as "int", "text[]", "int or null", {name: "text", "age?": "int"} or a list of one such'


def read_kind(written: object, path: tuple[str | int, ...] = ()) -> Kind:
    """The kind that a literal spells: a text, an object with a kind for each field, or a list with that of its items.

    Of a field whose name ends in `?`, which may be left out, the kind takes null too. `path` leads to what is written
    from the literal that it is a part of. Raises `Misfit`.
    """
    match written:
        case str():
            return join_all([_option(each, path) for each in written.split(" or ")])
        case [one]:
            return list_of(read_kind(one, (*path, 0)))
        case dict():
            return object_of({name.removesuffix("?"): _field(name, part, path) for name, part in written.items()})
    raise Misfit("a kind has to be written out here", 1, HINT, path)


def _field(name: str, written: object, path: tuple[str | int, ...]) -> Kind:
    kind = read_kind(written, (*path, name))
    return kind.maybe() if name.endswith("?") and not kind.is_open else kind


def _option(text: str, path: tuple[str | int, ...]) -> Kind:
    found = _OPTION.fullmatch(text)
    name, brackets = found.groups() if found else (text, "")
    if name not in KIND_NAMES:
        raise Misfit(f"there is no kind '{name}'", 1, did_you_mean(name, KIND_NAMES) if name else HINT, path)
    kind = KIND_NAMES[name]
    for _ in range(len(brackets) // 2):
        kind = list_of(kind)
    return kind
