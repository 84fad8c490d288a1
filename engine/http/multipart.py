"""`multipart/form-data` bodies (RFC 7578)."""

from __future__ import annotations

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from engine.errors import Fault
from engine.http.bodies import MAX_FIELDS
from engine.values import File

MAX_FILE_NAME = 255  # characters

Pairs = list[tuple[str, "str | File"]]


def read_multipart(body: bytes, content_type: bytes) -> Pairs:
    """The names, texts and files of a body, in order.

    Raises Fault bad_request for what is not multipart/form-data in UTF-8, has a NUL in a text or more than
    `MAX_FIELDS` parts.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _bad("its Content-Type has no boundary")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # it knows them by name
        parser.write(body)
    except FormParserError:
        raise _bad("its parts can't be told apart") from None
    if not parts.is_complete:
        raise _bad("its end is missing")
    try:
        pairs = [_pair(headers, content) for headers, content in parts.found]
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8") from None
    # A browser sends a file input that was left empty as a file without a name.
    return [
        (name, value)
        for name, value in pairs
        if not (isinstance(value, File) and not value["name"] and not value["size"])
    ]


class _Parts:
    """Gathers what the parser calls back with."""

    def __init__(self) -> None:
        self.found: list[tuple[dict[bytes, bytes], bytes]] = []
        self.is_complete = False
        self._headers: dict[bytes, bytes] = {}
        self._content: list[bytes] = []
        self._name = self._value = b""

    def callbacks(self) -> dict[str, object]:
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "end")
        return {f"on_{name}": getattr(self, name) for name in names}

    def part_begin(self) -> None:
        if len(self.found) == MAX_FIELDS:
            raise _bad(f"it has more than {MAX_FIELDS} fields")
        self._headers, self._content = {}, []

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def part_end(self) -> None:
        self.found.append((self._headers, b"".join(self._content)))

    def end(self) -> None:
        self.is_complete = True


def _pair(headers: dict[bytes, bytes], content: bytes) -> tuple[str, str | File]:
    disposition, options = parse_options_header(headers.get(b"content-disposition"))
    if disposition != b"form-data" or b"name" not in options:
        raise _bad("a part has no name")
    name = options[b"name"].decode()
    if b"filename" in options:
        type_ = headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        return name, File(_base_name(options[b"filename"].decode()), type_, content)
    text = content.decode()
    if "\0" in name or "\0" in text:
        raise _bad("it has a NUL character in a text")
    return name, text


def _base_name(name: str) -> str:
    """A file's name without folders and without what can't be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())[:MAX_FILE_NAME]


def _bad(reason: str) -> Fault:
    return Fault("bad_request", f"The body is not multipart/form-data: {reason}.")
