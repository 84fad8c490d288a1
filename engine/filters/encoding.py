"""Filters that write values as text for the wire, and read them back."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote, unquote

import orjson

from engine import registry
from engine.bounds import bounded_text, decimal, integer, room_for_text, survey
from engine.errors import kind_fault, value_fault
from engine.pace import paced, stepwise

_PIECE = 16  # characters that take as long as one item of a list
_NOT_ENCODED = "Input is no percent-encoded text."
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@registry.filter(charges=True)
def json_encode(value: object | None) -> str:
    """A value as JSON text, without white space; keys keep their order.

    {a: 1, b: [true, null]} | json_encode  => "{\\"a\\":1,\\"b\\":[true,null]}"
    "é" | json_encode                      => "\\"é\\""
    null | json_encode                     => "null"
    """
    survey(value)
    try:
        return bounded_text(orjson.dumps(value).decode())
    except orjson.JSONEncodeError as error:
        raise kind_fault("'json_encode' can't write a secret") from error


@registry.filter(refuses={"text": "form"}, charges=True)
def json_decode(text: str) -> object:
    """The value that a JSON text (RFC 8259) spells; of a key that is there twice, the last one counts.

    "{\\"a\\": [1, 2.5]}" | json_decode  => {a: [1, 2.5]}
    " null " | json_decode             => null
    "{a: 1}" | json_decode             => fault value
    "" | json_decode                   => fault value
    """
    room_for_text(len(text))
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise value_fault("'json_decode' takes JSON text; this one isn't", "Input is no JSON.") from error
    survey(value)
    return _settled(value)


def _settled(value: object) -> object:
    """A parsed value without negative zeros, every int within 64 bits."""
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, int):
        return value if isinstance(value, bool) else integer(value)
    if isinstance(value, list):
        return [_settled(item) for item in paced(value)]
    return {key: _settled(item) for key, item in stepwise(value.items())} if isinstance(value, dict) else value


@registry.filter(charges=True)
def base64_encode(text: str) -> str:
    """The UTF-8 bytes of a text in base64 (RFC 4648 §4), padded.

    "hello" | base64_encode  => "aGVsbG8="
    "é" | base64_encode      => "w6k="
    "" | base64_encode       => ""
    """
    return bounded_text(base64.b64encode(text.encode()).decode())


@registry.filter(refuses={"text": "form"}, charges=True)
def base64_decode(text: str) -> str:
    """The text whose UTF-8 bytes are given in base64 (RFC 4648 §4); padding must be there.

    "aGVsbG8=" | base64_decode  => "hello"
    "aGVsbG8" | base64_decode   => fault value
    "_w==" | base64_decode      => fault value
    "/w==" | base64_decode      => fault value
    """
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        message = "'base64_decode' takes padded base64 of UTF-8 text; this one isn't"
        raise value_fault(message, "Input is no base64.") from error


@registry.filter(charges=True)
def url_encode(text: str) -> str:
    """A text percent-encoded (RFC 3986 §2.1) for any part of an address: a space is `%20`, as Xano's catalogue has it.

    "a&b c/é" | url_encode  => "a%26b%20c%2F%C3%A9"
    "" | url_encode         => ""
    """
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return bounded_text("".join(quote(piece, safe="") for piece in stepwise(pieces)))


@registry.filter(refuses={"text": "form"}, charges=True)
def url_decode(text: str) -> str:
    """The text that is percent-encoded (RFC 3986 §2.1). A `+` stays a `+`, unlike in Xano.

    "a%26b%20c" | url_decode  => "a&b c"
    "1+1" | url_decode        => "1+1"
    "100%" | url_decode       => fault value
    "%FF" | url_decode        => fault value
    """
    if _BARE_PERCENT.search(text):
        message = "'url_decode' takes percent-encoded text; this one has a '%' without two hexadecimal digits"
        raise value_fault(message, _NOT_ENCODED)
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise value_fault("'url_decode' takes percent-encoded UTF-8; these bytes aren't", _NOT_ENCODED) from error
