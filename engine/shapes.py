"""Shapes: fields made ready to check and normalise values, for requests and for table writes alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any

import jsonschema_rs

from engine.errors import Fault
from engine.fields import FILE_SCHEMA, TIMESTAMP_MAX, TIMESTAMP_MIN, Field, fields_schema
from engine.values import Secret

Convert = Callable[[Any], Any]
MAX_ITEMS_SHOWN = 1000  # items of a list that are looked at one by one for a refusal
MAX_ERRORS = 100  # failing fields that a refusal lists: a client can send any number
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Shape:
    """An object's fields: `bind` checks a mapping against their published schema and makes it what stacks see.

    Where it isn't `closed`, what the fields don't declare is dropped, in objects within objects too; with
    `null_is_absent` also null for what may be left out, as stacks hand it on.
    """

    def __init__(self, fields: Iterable[Field], *, closed: bool = True, null_is_absent: bool = False) -> None:
        self.fields = tuple(fields)
        self.closed = closed
        self.names = frozenset(each.name for each in self.fields)
        self._prune = None if closed else _pruner(self.fields, null_is_absent)
        self.schema = fields_schema(self.fields)
        self._validator = jsonschema_rs.Draft202012Validator(
            self.schema, validate_formats=False, pattern_options=jsonschema_rs.RegexOptions()
        )
        self._before = _steps(self.fields, _before)
        self._after = _steps(self.fields, _after)
        hidden = (each for each in self.fields if each.is_masked or each.holds_secret)
        self._secrets: Mapping[str | int, Field] = {each.name: each for each in hidden}
        self._absent = _absent(self.fields)

    def bind(self, data: dict[str, Any]) -> dict[str, Any]:
        """`data` with its texts transformed, checked, its absent fields filled in and its secrets wrapped.

        `data` is changed in place. Raises a `Fault` named `input_error` that lists every failing field.
        """
        if self._prune is not None:
            data = self._prune(data)
        for name, convert in self._before:
            if name in data:
                data[name] = convert(data[name])
        try:
            if not self._validator.is_valid(data):
                raise self.refusal(data)
        except UnicodeEncodeError:  # the validator takes UTF-8, which can't say half a surrogate pair
            raise input_fault([_halved(name) for name in data if _is_halved({name: data[name]})]) from None
        for name, default in self._absent:
            if name not in data:
                data[name] = default
        errors = []
        for name, convert in self._after:
            if data[name] is not None:
                try:
                    data[name] = convert(data[name])
                except ValueError as error:
                    errors.append({"param": name, "message": str(error)})
        if errors:
            raise input_fault(errors)
        return data

    def refusal(self, data: dict[str, Any]) -> Fault:
        """The fault that names every field of `data` that fails, in the order of declaration."""
        order = {each.name: place for place, each in enumerate(self.fields)}
        found: dict[str, dict[str, str]] = {}
        # The validator gathers every error before it gives the first: what it is shown is cut.
        for error in islice(self._validator.iter_errors(_cut(data)), MAX_ERRORS):
            secret = self._secrets.get(next(iter(error.instance_path), ""))
            entries = _entries(error, data) if secret is None else [_discreet_entry(error, data, secret)]
            for entry in islice(entries, MAX_ERRORS):
                found.setdefault(entry["param"], entry)
        errors = list(found.values())[:MAX_ERRORS] or [self._failing_past_the_cut(data)]
        errors.sort(key=lambda entry: order.get(entry["param"].split(".")[0].split("[")[0], len(order)))
        return input_fault(errors)

    def _failing_past_the_cut(self, data: dict[str, Any]) -> dict[str, str]:
        for each in self.fields:
            if each.name in data and not jsonschema_rs.is_valid(each.schema(), data[each.name]):
                return {"param": each.name, "message": MISSHAPEN}
        return {"param": "", "message": "The input does not have the required form."}


def unknown_param(name: str) -> dict[str, str]:
    """What is said of a name that isn't known; what UTF-8 can't say is shown as '?'."""
    shown = name.encode("utf-8", "replace").decode()
    return {"param": shown, "message": f"Unknown param: {shown}"}


def _halved(name: str) -> dict[str, str]:
    return unknown_param(name) | {"message": "Input holds half a surrogate pair."}


def _is_halved(value: Any) -> bool:
    """Whether a text in `value` holds half a surrogate pair."""
    if isinstance(value, dict):
        return any(map(_is_halved, [*value, *value.values()]))
    if isinstance(value, list):
        return any(map(_is_halved, value))
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)


def _cut(value: Any) -> Any:
    """`value` with its long lists cut short."""
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return [_cut(item) for item in value[:MAX_ITEMS_SHOWN]] if isinstance(value, list) else value


def input_fault(errors: list[dict[str, str]]) -> Fault:
    """The fault of failing fields, each `{param, message}`, the first one in Xano's form."""
    first = errors[0]
    return Fault("input_error", first["message"], {"param": first["param"], "errors": errors})


def _steps(fields: Iterable[Field], choose: Callable[[Field], Convert | None]) -> tuple[tuple[str, Convert], ...]:
    return tuple((each.name, convert) for each in fields if (convert := choose(each)) is not None)


def _each(convert: Convert) -> Convert:
    return lambda value: [convert(item) for item in value] if isinstance(value, list) else value


def _pruner(fields: Iterable[Field], null_is_absent: bool) -> Convert:
    """What makes of an object one with nothing but what the fields declare; see `Shape`."""
    fields = tuple(fields)
    names = frozenset(each.name for each in fields)
    omissible = frozenset(each.name for each in fields if null_is_absent and not each.required and not each.nullable)

    def inside(field: Field) -> Convert | None:
        convert = _pruner(field.properties, null_is_absent) if field.properties else None
        return _each(convert) if convert is not None and field.is_list else convert

    inner = _steps(fields, inside)

    def prune(value: Any) -> Any:
        if not isinstance(value, dict):
            return value  # the validator says so
        kept = {
            name: part for name, part in value.items() if name in names and not (part is None and name in omissible)
        }
        for name, convert in inner:
            if name in kept:
                kept[name] = convert(kept[name])
        return kept

    return prune


def _before(field: Field) -> Convert | None:
    """What happens to a field's value before it is checked."""
    convert = _transforms(field)
    return _each(convert) if convert is not None and field.is_list else convert


def _absent(fields: Iterable[Field]) -> tuple[tuple[str, Any], ...]:
    """What the fields that may be left out are then: their defaults, their texts transformed as if they were given."""
    omissible = [(each, _before(each)) for each in fields if not each.required]
    return tuple((each.name, each.default if convert is None else convert(each.default)) for each, convert in omissible)


def _transforms(field: Field) -> Convert | None:
    if field.type == "object" and field.properties:
        steps = _steps(field.properties, _before)
        return (lambda value: _convert_object(value, steps)) if steps else None
    transforms: list[Callable[[str], str]] = []
    if field.type == "email":
        transforms.append(_normalise)
    if field.rules.get("trim"):
        transforms.append(str.strip)
    if field.rules.get("lower"):
        transforms.append(str.lower)
    if field.rules.get("upper"):
        transforms.append(str.upper)
    return (lambda value: _transform(value, transforms)) if transforms else None


def _transform(value: Any, transforms: list[Callable[[str], str]]) -> Any:
    if isinstance(value, str):
        for transform in transforms:
            value = transform(value)
    return value


def _normalise(text: str) -> str:
    # One address in two Unicode forms is one address: RFC 6532 §3.1 recommends NFKC.
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _convert_object(value: Any, steps: tuple[tuple[str, Convert], ...]) -> Any:
    if isinstance(value, dict):
        value = dict(value)
        for name, convert in steps:
            if name in value:
                value[name] = convert(value[name])
    return value


def _after(field: Field) -> Convert | None:
    """What makes a checked value the one stacks see."""
    convert = _typed(field)
    if convert is not None and field.is_list:
        ints = _ints_alone(field)
        convert = _each_with_float(ints, convert) if ints else _each(convert)
    is_bool = field.type == "bool" and not field.is_list  # which says too little to be masked
    return _hider(convert) if field.is_secret and not is_bool else convert


def _hider(convert: Convert | None) -> Convert:
    return Secret if convert is None else (lambda value: Secret(convert(value)))


def _ints_alone(field: Field) -> tuple[str, ...]:
    """The properties of an object that are ints, where nothing else in it is ever converted or filled in."""
    plain = all(
        each.required and each.type in _PLAIN and not (each.is_list or each.is_secret) for each in field.properties
    )
    return tuple(each.name for each in field.properties if each.type == "int") if plain else ()


_PLAIN = frozenset({"int", "decimal", "text", "email", "bool", "enum"})


def _each_with_float(names: tuple[str, ...], convert: Convert) -> Convert:
    """Converts a list of objects unless all `names` in them are ints already: a look at their types costs little."""
    getters = [itemgetter(name) for name in names]

    def every(value: list[dict[str, Any]]) -> list[Any]:
        if any(float in map(type, map(getter, value)) for getter in getters):
            return [convert(item) for item in value]
        return value

    return every


def _typed(field: Field) -> Convert | None:
    if field.type == "int":
        return _whole
    if field.type == "timestamp":
        return to_milliseconds if field.is_list else _bounded_moment(field.rules)
    if field.type == "date":
        return _real_date
    if field.type == "uuid":
        return str.lower
    if field.type == "object" and field.properties:
        return _object_filler(field.properties)
    return _with_whole_size if field.json_schema is FILE_SCHEMA else None


def _whole(value: int | float) -> int:
    """JSON Schema counts 1.0 as an integer; a stack must not."""
    return value if type(value) is int else int(value)


def _with_whole_size(file: dict[str, Any]) -> dict[str, Any]:
    return file if type(file["size"]) is int else {**file, "size": int(file["size"])}


def _object_filler(properties: tuple[Field, ...]) -> Convert:
    absent = _absent(properties)
    steps = _steps(properties, _after)

    def fill(value: dict[str, Any]) -> dict[str, Any]:
        filled = value
        if absent:
            filled = {**value, **{name: default for name, default in absent if name not in value}}
        for name, convert in steps:
            given = filled[name]
            made = None if given is None else convert(given)
            if made is not given:
                filled = dict(value) if filled is value else filled
                filled[name] = made
        return filled

    return fill


def _real_date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("Input is not a date of the calendar.") from None


def _bounded_moment(rules: Mapping[str, Any]) -> Convert:
    """Reads a timestamp within the bounds of its rules: the schema can compare numbers, and no text."""
    low, high = rules.get("min"), rules.get("max")
    if low is None and high is None:
        return to_milliseconds

    def read(value: int | float | str) -> int:
        moment = to_milliseconds(value)
        if low is not None and moment < low:
            raise ValueError(f"Value is less than the minimum value of {low}")
        if high is not None and moment > high:
            raise ValueError(f"Value is greater than the maximum value of {high}")
        return moment

    return read


def to_milliseconds(value: int | float | str) -> int:
    """Milliseconds since the epoch of an int, or of ISO 8601 text with a zone (RFC 3339 §5.6).

    Raises ValueError where the text is no such time or leaves the years 1 to 9999.
    """
    if not isinstance(value, str):
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("Input is not a timestamp: milliseconds, or ISO 8601 with a zone.") from None
    if moment.tzinfo is None:
        raise ValueError("Input is a timestamp without a zone: end it with Z or an offset.")
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    if not TIMESTAMP_MIN <= milliseconds <= TIMESTAMP_MAX:
        raise ValueError("Input is a timestamp out of range.")
    return milliseconds


_TYPE_NAMES = {
    "integer": "an int", "number": "a decimal", "string": "a text", "boolean": "a bool",
    "array": "a list", "object": "an object", "null": "null",
}  # fmt: skip
_UNLISTED = "Input is not one of the allowable values."
MISSHAPEN = "Input does not have the required form."


def _entries(error: Any, data: object) -> Iterable[dict[str, str]]:
    """The failing fields of one error of the validator, as `{param, message}`."""
    path = list(error.instance_path)
    detail = error.kind
    match detail.name:
        case "required":
            name = str(detail.property).strip('"')
            yield {"param": _param([*path, name]), "message": f"Missing param: {_param([*path, name])}"}
        case "additionalProperties":
            for name in detail.unexpected:
                yield {"param": _param([*path, name]), "message": f"Unknown param: {_param([*path, name])}"}
        case name:
            yield {"param": _param(path), "message": _message(name, error.schema_path[-1], detail, _value(data, path))}


def _discreet_entry(error: Any, data: object, field: Field) -> dict[str, str]:
    """The failing field of an error within one that holds secrets: neither a value nor a key that was given is said."""
    path = list(error.instance_path)
    param, detail = _declared(path, field), error.kind
    if detail.name == "enum":
        return {"param": param, "message": _UNLISTED}
    if detail.name == "additionalProperties" or param != _param(path):
        return {"param": param, "message": MISSHAPEN}
    [entry] = _entries(error, data)
    return entry


def _declared(path: list[str | int], field: Field) -> str:
    """The path as far as it leads through what `field` declares."""
    known: list[str | int] = [field.name]
    for key in path[1:]:
        if isinstance(key, str):
            within = next((each for each in field.properties if each.name == key), None)
            if within is None:
                break
            field = within
        known.append(key)
    return _param(known)


def _message(name: str, keyword: object, detail: Any, value: object) -> str:
    limit = getattr(detail, "limit", None)
    match name:
        case "type":
            wanted = " or ".join(_TYPE_NAMES.get(type_, type_) for type_ in detail.types)
            return f"Input must be {wanted}, not {_said(value)}."
        case "enum":
            return f'Input "{value}" is not one of the allowable values.' if isinstance(value, str) else _UNLISTED
        case "minLength" if limit == 1:
            return "Input must not be empty."
        case "minLength":
            return f"Input does not meet minimum length requirement of {limit} characters"
        case "maxLength":
            return f"Input exceeds the maximum length of {limit} characters"
        case "minimum":
            return f"Value is less than the minimum value of {limit}"
        case "maximum":
            return f"Value is greater than the maximum value of {limit}"
        case "minItems":
            return f"Input must have at least {limit} items"
        case "maxItems":
            return f"Input must have at most {limit} items"
    return MISSHAPEN


def _said(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a bool"
        case int():
            return "an int"
        case float() if value - value != 0:
            return "a number that JSON can't say"
        case float():
            return "a decimal"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


def _param(path: Iterable[str | int]) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def _value(data: Any, path: Iterable[str | int]) -> object:
    for key in path:
        data = data[key]
    return data
