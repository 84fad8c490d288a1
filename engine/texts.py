"""Texts read as values, where a place knows nothing but text: paths, queries, forms, and the cells of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MAX_NUMBER = 64  # characters

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLS = {"true": True, "false": False}


def read_int(text: str) -> object:
    return int(text) if _INT.fullmatch(text) else text


def read_decimal(text: str) -> object:
    if _INT.fullmatch(text):
        return int(text)
    if len(text) > MAX_NUMBER or not _DECIMAL.fullmatch(text):
        return text
    number = float(text)
    return text if number in (float("inf"), float("-inf")) else number


def read_bool(text: str) -> object:
    return _BOOLS.get(text, text)


# How others spell what is written true and false: YAML 1.1 §10.2.1.2 among them, where `yes` is a bool.
_SPELLINGS = {
    **dict.fromkeys(("true", "yes", "on", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "n"), "false"),
}


def bool_hint(value: object) -> str:
    """The mend where a text stands for a bool; empty where it spells none."""
    meant = _SPELLINGS.get(value.lower()) if isinstance(value, str) else None
    return f"write {meant}" + (" without quotes" if value == meant else "") if meant else ""


# A text that isn't of the type stays a text, for the schema to refuse in its own words.
READERS: Mapping[str, Callable[[str], object]] = {
    "int": read_int,
    "timestamp": read_int,
    "decimal": read_decimal,
    "bool": read_bool,
}
