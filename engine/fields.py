"""Fields: the inputs of an endpoint and the columns of a table, declared in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from engine.errors import Span
from engine.source import Document, Path
from engine.values import ANY, DECIMAL, FILE, INT_MAX, INT_MIN, POINT, Kind, list_of, object_of

TYPES = (
    "int",
    "decimal",
    "text",
    "bool",
    "email",
    "password",
    "uuid",
    "timestamp",
    "date",
    "enum",
    "json",
    "object",
    "file",
    "vector",
    "geo_point",
)
VISIBILITIES = ("public", "private", "internal")
ON_DELETE = ("restrict", "cascade", "set_null")
MAX_VECTOR = 16_000  # what pgvector's `vector` holds
PASSWORD_RULES: Mapping[str, str] = {
    "min_letters": r"\p{L}",
    "min_lower": r"\p{Ll}",
    "min_upper": r"\p{Lu}",
    "min_digits": r"\p{Nd}",
    "min_symbols": r"[^\p{L}\p{Nd}\s]",
}
TRANSFORMS = ("trim", "lower", "upper")
RULES = ("min", "max", "pattern", "starts_with", *TRANSFORMS, *PASSWORD_RULES)

# Longer passwords are refused before any hashing: hashing is what an attacker would have us do. However many bytes a
# character takes, these fit into what is hashed, so that a schema can say all of it.
PASSWORD_MAX_CHARACTERS = 1024
# RFC 5321 §4.5.3.1.3 bounds a path to 256 octets, the address within to 254.
EMAIL_MAX_CHARACTERS = 254


def email_pattern(excluded: str = "") -> str:
    """A practical subset of RFC 5321 §4.1.2 with the letters of RFC 6531: no quoted local parts, no address literals.

    Written with negated classes, since classes of all letters take forty times as long to compile; `excluded` is what
    these shall negate besides.
    """
    letter = rf'\s@()<>,:;\\"\[\]\x00-\x1f\x7f-\x9f{excluded}'
    word = f"[^{letter}.-]+"
    return rf"^[^{letter}]+@{word}((\.|-+){word})*$"


EMAIL_PATTERN = email_pattern()
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"  # 0001 to 9999
DATE_PATTERN = rf"^{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_POINT_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["point"]},
        "data": {
            "type": "object",
            "properties": {
                "lng": {"type": "number", "minimum": -180, "maximum": 180},
                "lat": {"type": "number", "minimum": -90, "maximum": 90},
            },
            "required": ["lng", "lat"],
            "additionalProperties": False,
        },
    },
    "required": ["type", "data"],
    "additionalProperties": False,
}
# What is known of a file; where it lies is the business of whatever stored it.
FILE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "size": {"type": "integer", "minimum": 0},
        "access": {"type": "string", "enum": ["public", "private"]},
        "path": {"type": "string"},
        "mime": {"type": "string"},
        "meta": {"type": "object", "additionalProperties": True},
    },
    "required": ["name", "type", "size"],
    "additionalProperties": False,
}
# The years 1 to 9999: what calendars, ISO 8601 text and both storages can say, in milliseconds since the epoch.
TIMESTAMP_MIN, TIMESTAMP_MAX = -62135596800000, 253402300799999


@dataclass(frozen=True, eq=False)
class Field:
    """One declared input or column.

    `required`: must be given (inputs). `nullable`: an explicit null is taken. `default` counts where
    `has_default`; a column's `now` and `uuid` are made at run time. `table` is the table whose id it holds;
    `on_delete` says what becomes of the record when that one goes. `on_update`: set to the time of every change.
    `visibility`: a `private` column is no part of its record as a whole, an `internal` one is masked as well.
    `json_schema` is what a `json` must be, `size` how many numbers a vector has, `was` the name that a column had
    before.
    """

    name: str
    type: str
    span: Span
    is_list: bool = False
    required: bool = True
    nullable: bool = False
    has_default: bool = False
    default: object = None
    unique: bool = False
    sensitive: bool = False
    table: str = ""
    was: str = ""
    values: tuple[str, ...] = ()
    properties: tuple[Field, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    on_delete: str = "restrict"
    on_update: bool = False
    visibility: str = "public"
    json_schema: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0

    @property
    def is_secret(self) -> bool:
        return self.type == "password" or self.sensitive

    @property
    def holds_secret(self) -> bool:
        """Whether it, or a property within it, is secret."""
        return self.is_secret or any(each.holds_secret for each in self.properties)

    @property
    def is_masked(self) -> bool:
        """Whether what a record gives of it is masked."""
        return self.is_secret or self.visibility == "internal"

    @property
    def is_beside(self) -> bool:
        """Whether it lies beside its record, which as a whole leaves without it."""
        return self.is_masked or self.visibility == "private"

    @property
    def column_kind(self) -> Kind:
        """What the checker knows of it as a part of a record. A bool says too little to be masked when it is named."""
        is_private = not self.is_masked or (self.type == "bool" and not self.is_list)
        return replace(self.kind, secret=True, private=is_private) if self.is_beside else self.kind

    @property
    def may_be_null(self) -> bool:
        """Whether null can be its value: taken as such, or left out without a default."""
        return self.nullable or not (self.required or self.has_default) or (self.has_default and self.default is None)

    @cached_property
    def kind(self) -> Kind:
        """What the checker knows of its value."""
        kind = self._item_kind
        if self.is_list:
            kind = list_of(kind)
        kind = kind.masked() if self.is_secret else kind
        return kind.maybe() if self.may_be_null else kind

    @cached_property
    def taken(self) -> Kind:
        """What a stack may give for it: null counts as left out."""
        item = taken_kind(self.properties) if self.type == "object" and self.properties else self._item_kind
        kind = list_of(item) if self.is_list else item
        return kind.maybe() if self.nullable or not self.required else kind

    @property
    def _item_kind(self) -> Kind:
        if self.type == "json":
            return ANY
        if self.type == "file":
            return FILE
        if self.type == "object":
            return fields_kind(self.properties) if self.properties else Kind("object")
        if self.type == "vector":
            return list_of(DECIMAL)
        if self.type == "geo_point":
            return POINT
        return Kind(self.type, values=self.values, table=self.table)

    def resolved(self, id_types: Mapping[str, str]) -> Field:
        """This field with a reference's type filled in from `id_types` (table → type of its id)."""
        properties = tuple(each.resolved(id_types) for each in self.properties)
        type_ = id_types.get(self.table, "int") if self.type == "reference" else self.type
        return replace(self, type=type_, properties=properties)

    def stored(self, *, falls_back: bool = False) -> Field:
        """The column as a write is checked: null is what an optional value left out is, and what `falls_back`."""
        nullable = self.may_be_null or falls_back
        if self.type == "file":
            return replace(self, nullable=nullable, type="json", json_schema=FILE_SCHEMA)
        return replace(self, nullable=nullable, properties=tuple(each.stored() for each in self.properties))

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema (draft 2020-12): what is published and what requests are validated with."""
        schema = self.item_schema()
        if self.is_list:
            schema = {"type": "array", "items": schema} | bounds(self.rules, "minItems", "maxItems")
        if self.nullable:
            schema = (
                {"type": ["null", *_as_list(schema["type"])], **_without_type(schema)} if "type" in schema else schema
            )
        if self.nullable and schema and "type" not in schema:
            schema = {"anyOf": [{"type": "null"}, schema]}
        if "enum" in schema and self.nullable:
            schema["enum"] = [*schema["enum"], None]
        if self.description:
            schema["description"] = self.description
        return schema

    def item_schema(self) -> dict[str, Any]:
        """The JSON Schema of its value, of each value where it is a list; null is left aside."""
        # How many there are is said of the list, all else of each of its items.
        of_list = ("min", "max") if self.is_list else ()
        rules = {name: rule for name, rule in self.rules.items() if name not in of_list}
        match self.type:
            case "int":
                return {"type": "integer", "minimum": INT_MIN, "maximum": INT_MAX} | bounds(rules, "minimum", "maximum")
            case "decimal":
                return {"type": "number"} | bounds(rules, "minimum", "maximum")
            case "timestamp":
                return {
                    "type": ["integer", "string"],
                    "format": "date-time",
                    "minimum": TIMESTAMP_MIN,
                    "maximum": TIMESTAMP_MAX,
                } | bounds(rules, "minimum", "maximum")
            case "bool":
                return {"type": "boolean"}
            case "enum":
                return {"type": "string", "enum": list(self.values)}
            case "object":
                return fields_schema(self.properties) if self.properties else {"type": "object"}
            case "file":
                return {"type": "string", "format": "binary"}
            case "json":
                return dict(self.json_schema)
            case "vector":
                return {"type": "array", "items": {"type": "number"}, "minItems": self.size, "maxItems": self.size}
            case "geo_point":
                return _POINT_SCHEMA
        return self._text_schema(rules)

    def _text_schema(self, rules: Mapping[str, Any]) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        if self.type == "email":
            schema |= {"format": "email", "pattern": EMAIL_PATTERN, "maxLength": EMAIL_MAX_CHARACTERS}
        elif self.type == "uuid":
            schema |= {"format": "uuid", "pattern": UUID_PATTERN}
        elif self.type == "date":
            schema |= {"format": "date", "pattern": DATE_PATTERN}
        elif self.type == "password":
            schema |= {"format": "password", "maxLength": PASSWORD_MAX_CHARACTERS}
        if self.required and not self.is_list and self.type in ("text", "password"):
            schema["minLength"] = 1
        schema |= bounds(rules, "minLength", "maxLength")
        patterns = list(patterns_of(rules))
        if patterns:
            schema["allOf"] = [{"pattern": pattern} for pattern in patterns]
        return schema


def patterns_of(rules: Mapping[str, Any], letters: Mapping[str, str] = PASSWORD_RULES) -> Iterator[str]:
    """The patterns that a text must match by its rules; `letters` are what each rule of passwords counts."""
    if "pattern" in rules:
        yield str(rules["pattern"])
    if "starts_with" in rules:
        yield "^" + re.sub(r"[\^$.*+?()\[\]{}|/\\]", r"\\\g<0>", rules["starts_with"])
    for rule, letter in letters.items():
        if rules.get(rule):
            yield f"^([\\s\\S]*?{letter}){{{rules[rule]}}}"


def bounds(rules: Mapping[str, Any], low: str, high: str) -> dict[str, Any]:
    """The rules `min` and `max` under the names that a JSON Schema has for them."""
    found = {low: rules.get("min"), high: rules.get("max")}
    return {name: value for name, value in found.items() if value is not None}


def _as_list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _without_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "type"}


def fields_schema(fields: Iterable[Field], *, closed: bool = True) -> dict[str, Any]:
    """The JSON Schema of an object with these fields."""
    fields = tuple(fields)
    return {
        "type": "object",
        "properties": {each.name: each.schema() for each in fields},
        "required": [each.name for each in fields if each.required],
        "additionalProperties": not closed,
    }


def fields_kind(fields: Iterable[Field]) -> Kind:
    """The kind of an object with these fields, all of them present once bound."""
    return object_of({each.name: each.kind for each in fields})


def inputs_kind(fields: Iterable[Field]) -> Kind:
    """The kind of `$input` with these fields: of each value the name it is sent by, and what was ruled about it."""
    return object_of({each.name: _sent(each, each.kind, each.name) for each in fields})


def _sent(field: Field, kind: Kind, name: str) -> Kind:
    """The `kind` of a field, or of a value of its list, within the input `name`."""
    properties = {each.name: each for each in field.properties}
    if kind.item is not None:
        rules = {rule: value for rule, value in field.rules.items() if rule not in ("min", "max")}  # the list's own
        kind = replace(kind, item=_sent(replace(field, is_list=False, rules=rules), kind.item, name))
    elif kind.fields is not None:
        inner = {key: _sent(properties.get(key, field), each, name) for key, each in kind.fields.items()}
        kind = replace(kind, fields=inner)
    return replace(kind, inputs=(name,), checked=_ruled(field, kind))


def _ruled(field: Field, kind: Kind) -> frozenset[str]:
    """What a field's type and rules say about its values, in the words of `REFUSALS`."""
    low, high = field.rules.get("min"), field.rules.get("max")
    is_bounded = low is not None or high is not None
    found = {"size": is_bounded, "length": high is not None, "empty": bool(low) or field.required}
    if kind.family == "number":
        found["zero"] = (low is not None and low > 0) or (high is not None and high < 0)
        found["size"] = is_bounded or field.type in ("timestamp", "geo_point")
    elif kind.name == "list":
        found["size"] = bool(low) or field.type == "vector"
    else:
        found["form"] = kind.name in ("email", "uuid", "date", "enum") or "pattern" in field.rules
    return frozenset(word for word, is_ruled in found.items() if is_ruled)


def taken_kind(fields: Iterable[Field]) -> Kind:
    """The kind of what may be given for these fields, before defaults are filled in."""
    fields = tuple(fields)
    return object_of({each.name: each.taken for each in fields}, [each.name for each in fields if not each.required])


def read_fields(document: Document, path: Path) -> tuple[Field, ...]:
    """The fields declared in the mapping at `path`, which its file's schema has accepted."""
    declared = document.value(path)
    return tuple(read_field(document, (*path, name)) for name in declared or {})


def read_field(document: Document, path: Path) -> Field:
    """The field declared at `path`, named by its key."""
    written, declared = str(path[-1]), document.value(path)
    options: dict[str, Any] = {"type": declared} if isinstance(declared, str) else dict(declared)
    type_ = options.get("type") or ("reference" if "table" in options else "enum" if "values" in options else "text")
    type_, is_list = type_.removesuffix("[]"), type_.endswith("[]")
    return Field(
        name=written.removesuffix("?"),
        type="reference" if "table" in options and type_ in ("int", "uuid") and "type" not in options else type_,
        span=document.key_span(path),
        is_list=is_list,
        required=not written.endswith("?") and "default" not in options,
        nullable=bool(options.get("nullable")),
        has_default="default" in options,
        default=options.get("default"),
        unique=bool(options.get("unique")),
        sensitive=bool(options.get("sensitive")),
        table=options.get("table", ""),
        was=options.get("was", ""),
        values=tuple(options.get("values", ())),
        properties=read_fields(document, (*path, "properties")) if "properties" in options else (),
        rules={rule: options[rule] for rule in RULES if options.get(rule) is not None and options[rule] is not False},
        description=options.get("description", ""),
        on_delete=options.get("on_delete", "restrict"),
        on_update="on_update" in options,
        visibility=options.get("visibility", "public"),
        json_schema=options.get("schema", {}),
        size=options.get("size", 0),
    )


def declaration_schema(*, column: bool = False) -> dict[str, Any]:
    """The JSON Schema of the declaration of an input, or of a column of a table, its keys in their canonical order."""
    number, flag, text = {"type": "number"}, {"type": "boolean"}, {"type": "string"}
    of_columns = {
        "on_update": {"enum": ["now"], "description": "The time of every change."},
        "was": {**text, "description": "The name that the column had before."},
        "unique": flag,
        "on_delete": {"enum": list(ON_DELETE), "description": "What becomes of the record when the one it names goes."},
        "visibility": {"enum": list(VISIBILITIES)},
    }
    types = [*TYPES, *(f"{name}[]" for name in TYPES)]
    return {
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": types},
        "else": {
            "properties": {
                "type": {"enum": types},
                "table": text,
                "values": {"type": "array", "items": text, "minItems": 1, "uniqueItems": True},
                "size": {"type": "integer", "minimum": 1, "maximum": MAX_VECTOR},
                "nullable": flag,
                "default": {},
                **(of_columns if column else {}),
                "sensitive": flag,
                "min": number,
                "max": number,
                "pattern": text,
                "starts_with": text,
                **dict.fromkeys(TRANSFORMS, flag),
                **{name: {"type": "integer", "minimum": 0} for name in PASSWORD_RULES},
                "description": text,
                "properties": {"$ref": "#/$defs/fields"},
                "schema": {"type": "object", "description": "The JSON Schema that a json must meet."},
            },
            "additionalProperties": False,
        },
    }


def fields_declaration_schema(definition: str = "field") -> dict[str, Any]:
    """The JSON Schema of a mapping of declarations: `name`, or `name?` for what may be left out."""
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*[?]?$", "maxLength": 64},
        "additionalProperties": {"$ref": f"#/$defs/{definition}"},
    }
