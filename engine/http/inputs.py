"""Inputs: what a request's path, query and body give an endpoint, merged, read by declared kind and bound."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

from engine.errors import Fault
from engine.fields import Field
from engine.http.bodies import MAX_FIELDS, MAX_VALUES, Patience, Receive, read_form, read_json, too_large
from engine.http.forms import Texts, read_text, read_texts
from engine.http.multipart import read_multipart
from engine.http.slices import ITEMS, LARGE, Slicer, read_in_slices, uncollected
from engine.shapes import Shape, input_fault
from engine.values import File, Secret

MAX_QUERY = 16_384  # bytes

Scope = MutableMapping[str, Any]
Data = dict[str, Any]

_JSON, _FORM, _MULTIPART = b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data"
_UNSUPPORTED = "Send the body as application/json, application/x-www-form-urlencoded or multipart/form-data."


class Inputs:
    """How one endpoint's input is read. A name counts once, wherever it is given; one that is ignored, not at all."""

    def __init__(self, shape: Shape, body_limit: int, patience: Patience, value_limit: int = MAX_VALUES) -> None:
        """`body_limit` in bytes; `value_limit` is how many values JSON in it may have."""
        self._shape = shape
        self._limit, self._value_limit = body_limit, value_limit
        self._patience = patience
        self._fields = {each.name: each for each in shape.fields}
        self._secrets = frozenset(each.name for each in shape.fields if each.holds_secret)
        self._files = tuple(each for each in shape.fields if each.type == "file")
        self._takes_nothing = not shape.fields
        self._slicer = Slicer(shape)

    def from_url(self, scope: Scope, parameters: Mapping[str, str]) -> Data:
        """The bound input of a request whose body doesn't count (GET, HEAD).

        Raises Fault input_error and bad_request.
        """
        query = scope["query_string"]
        if not (query or parameters):
            return {} if self._takes_nothing else self._bind({})
        return self._bind(self._merged({}, query, parameters))

    async def from_request(self, scope: Scope, receive: Receive, parameters: Mapping[str, str]) -> Data:
        """The bound input of a request that may have a body.

        Raises Fault input_error, bad_request, payload_too_large and unsupported_media_type, and Gone.
        """
        length, type_ = self._announced(scope)
        body = b"" if length == 0 else await self._patience.read(receive, self._limit)
        query = scope["query_string"]
        if len(body) > LARGE:
            async with self._patience.turn:
                return await self._large(body, type_, query, parameters)
        data = self._read(body, type_) if body else {}
        if query or parameters:
            data = self._merged(data, query, parameters)
        return self._bind(data)

    async def _large(self, body: bytes, type_: bytes, query: bytes, parameters: Mapping[str, str]) -> Data:
        """What `from_request` does, a slice at a time."""
        if _media(type_) == _JSON:
            data = _object(await read_in_slices(body, self._value_limit))
        else:
            data = self._read(body, type_)
        del body
        await asyncio.sleep(0)
        if query or parameters:
            data = self._merged(data, query, parameters)
        long = self._slicer.long(data)
        with uncollected():
            bound = self._bind({**data, **{name: items[:ITEMS] for name, items in long.items()}})
        for name, items in long.items():
            bound[name] = [*bound[name], *await self._slicer.rest(name, items)]
        return bound

    def _merged(self, data: Data, query: bytes, parameters: Mapping[str, str]) -> Data:
        if len(query) > MAX_QUERY:
            raise Fault("bad_request", f"The query is longer than {MAX_QUERY} bytes.")
        asked = self._texts(read_form(query, "query")) if query else {}
        for name, text in parameters.items():
            if "\0" in text:
                raise Fault("bad_request", "The path has a NUL character.")
            _put(asked, name, read_text(self._fields.get(name), text))
        secret = next((name for name in asked if name in self._secrets), None)
        if secret is not None:  # URLs end up in logs, histories and other sites' Referer
            raise _refused(secret, "Input is secret: send it in the body, never in a URL.")
        for name, value in asked.items():
            _put(data, name, value)
        return data

    def _read(self, body: bytes, type_: bytes) -> Data:
        media = _media(type_)
        if media == _JSON:
            return _object(read_json(body, self._value_limit))
        if media == _FORM:
            return self._texts(_form_fields(body))
        if media == _MULTIPART:
            return self._texts(read_multipart(body, type_), words=True)
        raise Fault("unsupported_media_type", _UNSUPPORTED)

    def _texts(self, pairs: Texts, *, words: bool = False) -> Data:
        return read_texts(self._fields, pairs, words=words, closed=self._shape.closed, limit=self._value_limit)

    def _announced(self, scope: Scope) -> tuple[int | None, bytes]:
        """The body's length (0: there is none, None: not known yet) and type, as the headers say."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length, type_ = headers.get(b"content-length"), headers.get(b"content-type", b"")
        if headers.get(b"content-encoding", b"").lower() not in (b"", b"identity"):
            raise Fault("unsupported_media_type", "Send the body without a Content-Encoding.")
        if not length:  # HTTP/2 and later need no header for a body
            is_open = b"transfer-encoding" in headers or scope["http_version"][:1] != "1"
            return (None if is_open else 0), type_
        if not length.isdigit():
            raise Fault("bad_request", "The Content-Length is no number.")
        if len(length) > 18 or int(length) > self._limit:
            raise too_large(self._limit)
        return int(length), type_

    def _bind(self, data: Data) -> Data:
        if not self._files:
            return self._shape.bind(data)
        files = {each.name: _files_of(each, data[each.name]) for each in self._files if data.get(each.name) is not None}
        # The schema publishes a file as text; its name stands in for it while the rest is checked.
        bound = self._shape.bind({**data, **{name: _names(value) for name, value in files.items()}})
        return bound | {
            each.name: Secret(files[each.name]) if each.is_secret else files[each.name]
            for each in self._files
            if each.name in files
        }


def _put(data: Data, name: str, value: object) -> None:
    if name in data:
        raise _refused(name, "Input is given in two places.")
    data[name] = value


def _media(type_: bytes) -> bytes:
    return type_.partition(b";")[0].strip().lower()


def _object(value: object) -> Data:
    if not isinstance(value, dict):
        raise Fault("bad_request", "The body must be a JSON object.")
    if len(value) > MAX_FIELDS:
        raise Fault("bad_request", f"The body has more than {MAX_FIELDS} fields.")
    return value


def _form_fields(body: bytes) -> Texts:
    if body.lstrip()[:1] == b"{":  # what `curl -d '{…}'` sends
        raise Fault("unsupported_media_type", "The body looks like JSON: send it with Content-Type: application/json.")
    return read_form(body)


def _files_of(field: Field, value: object) -> object:
    items = value if field.is_list and isinstance(value, list) else [value]
    if not all(isinstance(item, File) for item in items):
        raise _refused(field.name, "Input must be a file, sent as multipart/form-data.")
    return value


def _names(value: object) -> object:
    return [_names(item) for item in value] if isinstance(value, list) else "file"


def _refused(name: str, message: str) -> Fault:
    return input_fault([{"param": name, "message": message}])
