"""Texts of paths, queries and forms, read by the declared kind of the field they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.errors import Fault
from engine.fields import Field
from engine.http.bodies import MAX_VALUES, read_json
from engine.shapes import input_fault
from engine.texts import READERS
from engine.values import File

MAX_NESTING = 8  # brackets in a name
_JSON_TYPES = ("object", "json", "vector", "geo_point")

Texts = Sequence[tuple[str, "str | File"]]
# One text of a field with the bracketed keys after its name: `o[a][b]=1` is (["a", "b"], "1").
Entry = tuple[list[str], "str | File"]


def read_texts(
    fields: Mapping[str, Field], pairs: Texts, *, words: bool = False, closed: bool = True, limit: int = MAX_VALUES
) -> dict[str, object]:
    """The values that named texts have as `fields`.

    A list is `ids[]=1&ids[]=2`, `ids=1&ids=2`, `ids[0]=1&ids[1]=2` or, where its items are no texts, JSON text, an
    object `o[key]=…` or JSON text. A text that isn't of the declared kind stays a text, for the schema to refuse in
    its own words. With `words`, `null` is null, `undefined` is left out and a list of texts may be JSON text, as
    Xano's client sends them in multipart bodies. What no field declares is left out where they aren't `closed`, in
    objects too, however often it is given. JSON text may have `limit` values.
    Raises Fault input_error for a name given twice that is no list's, and for names that don't fit together.
    """
    entries: dict[str, list[Entry]] = {}
    for written, value in pairs:
        name, keys = _split(written)
        if closed or name in fields:
            entries.setdefault(name, []).append((keys, value))
    if words:
        entries = {name: given for name, given in entries.items() if not _is_left_out(fields.get(name), given)}
    reader = _Reader(words, closed, limit)
    return {name: _read(reader, fields.get(name), name, given) for name, given in entries.items()}


def _read(reader: _Reader, field: Field | None, name: str, entries: list[Entry]) -> object:
    try:
        return reader.value(field, name, entries)
    except Fault as fault:
        if field is None or not field.holds_secret:
            raise
        raise _refused(name, fault.message) from None  # the keys within may be what is secret


def read_text(field: Field | None, text: str) -> object:
    """The value that one text, of a path, has as `field`."""
    return _Reader().scalar(field, field.name if field else "", text)


def _split(written: str) -> tuple[str, list[str]]:
    """`o[a][]` → `o`, [`a`, ``]; brackets that don't pair are part of the name."""
    name, bracket, rest = written.partition("[")
    if not (name and bracket and rest.endswith("]")):
        return written, []
    keys = rest[:-1].split("][")
    if len(keys) > MAX_NESTING:
        raise Fault("bad_request", f"A name nests deeper than {MAX_NESTING} levels.")
    return name, keys


def _is_left_out(field: Field | None, entries: list[Entry]) -> bool:
    # A required text may well be the word "undefined".
    may_be = field is not None and (not field.required or field.is_list or not _is_text(field))
    return may_be and entries == [([], "undefined")]


def _is_text(field: Field) -> bool:
    return field.type not in (*READERS, *_JSON_TYPES, "file")


class _Reader:
    def __init__(self, words: bool = False, closed: bool = True, limit: int = MAX_VALUES) -> None:
        self._words, self._closed, self._limit = words, closed, limit

    def value(self, field: Field | None, name: str, entries: list[Entry]) -> object:
        if field is not None and field.is_list:
            return self._list(field, name, entries)
        if len(entries) == 1 and not entries[0][0]:
            return self.scalar(field, name, entries[0][1])
        if any(not keys for keys, _ in entries):
            raise _refused(name, "Input is given more than once.")
        return self._object(field, name, entries)

    def _object(self, field: Field | None, name: str, entries: list[Entry]) -> object:
        groups = _grouped(entries)
        if field is None or field.type == "json":
            return self._open(name, groups)
        properties = {each.name: each for each in field.properties}
        if properties and not self._closed:
            groups = {key: group for key, group in groups.items() if key in properties}
        return {key: self.value(properties.get(key), f"{name}.{key}", group) for key, group in groups.items()}

    def _open(self, name: str, groups: dict[str, list[Entry]]) -> object:
        """What has no declared keys: a list where keys are empty or count from 0, else an object; texts within."""
        if set(groups) == {""}:
            return [self._only(name, entry) for entry in groups[""]]
        values = {key: self.value(None, f"{name}.{key}", group) for key, group in groups.items()}
        return _in_order(values) if _counts(values) else values

    def _only(self, name: str, entry: Entry) -> object:
        keys, value = entry
        if keys:
            raise _refused(name, "Input has keys after '[]': number its items, as in [0][key].")
        return self.scalar(None, name, value)

    def _list(self, field: Field, name: str, entries: list[Entry]) -> object:
        item = replace(field, is_list=False)
        if len(entries) == 1 and not entries[0][0] and self._is_whole(field, entries[0][1]):
            return _json(field, name, str(entries[0][1]), self._limit)
        if len(entries) == 1 and not entries[0][0] and self._is_null(field, entries[0][1]):
            return None
        if all(keys in ([], [""]) for keys, _ in entries):
            return [self.scalar(item, name, value) for _, value in entries]
        if any(not keys for keys, _ in entries):
            raise _refused(name, "Input is given in two forms.")
        groups = _grouped(entries)
        if not _counts(groups):
            raise _refused(name, "Input must be a list: name its items [] or [0], [1] and on.")
        return _in_order({key: self.value(item, f"{name}[{key}]", group) for key, group in groups.items()})

    def _is_whole(self, field: Field, value: str | File) -> bool:
        """Whether a text is a list as JSON, not one of its items, which begin as they like where they are texts.

        Xano's client writes lists so in multipart bodies, those of texts too.
        """
        if not isinstance(value, str) or not value.startswith("["):
            return False
        return not _is_text(field) or (self._words and _is_list_of_texts(value, self._limit))

    def scalar(self, field: Field | None, name: str, value: str | File) -> object:
        if isinstance(value, File):
            if field is not None and field.type not in ("file",):
                raise _refused(name, "Input must not be a file.")
            return value
        if field is None or self._is_null(field, value):
            return value if field is None else None
        if field.type in _JSON_TYPES:
            return _json(field, name, value, self._limit)
        read = READERS.get(field.type)
        return read(value) if read else value

    def _is_null(self, field: Field, value: str | File) -> bool:
        return self._words and value == "null" and (field.nullable or field.is_list or not _is_text(field))


def _grouped(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for (key, *keys), value in entries:
        groups.setdefault(key, []).append((keys, value))
    return groups


def _counts(keys: Iterable[str]) -> bool:
    """Whether the keys are 0, 1, 2 and on, in any order."""
    given = set(keys)
    return given == {str(place) for place in range(len(given))}


def _in_order(values: Mapping[str, object]) -> list[object]:
    return [values[str(place)] for place in range(len(values))]


def _is_list_of_texts(text: str, limit: int) -> bool:
    try:
        value = read_json(text.encode(), limit)
    except Fault:
        return False
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _json(field: Field, name: str, text: str, limit: int) -> object:
    try:
        return read_json(text.encode(), limit)
    except Fault as fault:
        if field.holds_secret:  # what is said may quote a key
            raise _refused(name, "Input does not have the required form.") from None
        raise _refused(name, fault.message.replace("The body", "Input", 1)) from None


def _refused(name: str, message: str) -> Fault:
    return input_fault([{"param": name, "message": message}])
