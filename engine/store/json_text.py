"""JSON texts of files (RFC 8259): what its syntax lets pass and no column can hold is told apart from what is none."""

from __future__ import annotations

import json
from typing import Any

BLANK = " \t\r\n"
MAX_DIGITS = 400  # of an int: more than the largest decimal has


class JsonReader:
    """Reads JSON texts; what JSON's syntax lets pass and we don't is told."""

    def __init__(self) -> None:
        self._wrong = ""
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=self._int
        )

    def only(self, text: str) -> object:
        """The value that is all of a text. Raises ValueError, with a message, for what is none or can't be stored."""
        text = text.strip(BLANK)
        try:
            value, end, wrong = self.read(text)
        except ValueError as error:
            raise ValueError(f"this is no JSON: {error}") from None
        if wrong or end < len(text):
            raise ValueError(wrong or "this is more than one JSON value")
        return value

    def read(self, text: str, place: int = 0) -> tuple[object, int, str]:
        """The value at a place, where it ends, and what is wrong with it. Raises ValueError for what is no JSON."""
        self._wrong = ""
        try:
            value, end = self._decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise ValueError(f"{error.msg[0].lower()}{error.msg[1:]}, {error.pos - place + 1} characters on") from None
        except RecursionError:
            raise ValueError("it nests too deep") from None
        return value, end, self._wrong

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self._wrong = "an object says a name twice"
        return made

    def _constant(self, name: str) -> None:
        self._wrong = f"JSON has no number '{name}'"

    def _int(self, digits: str) -> int:
        if len(digits) <= MAX_DIGITS:
            return int(digits)
        self._wrong = f"a number has more than {MAX_DIGITS} digits"
        return 0
