"""Kinds: what the checker knows of a value, and the few run-time classes that plain Python lacks.

A value at run time is plain Python: `str int float bool None list dict`. A decimal is an `int` or a
`float`, a timestamp an `int` of milliseconds since the epoch, a date `YYYY-MM-DD` text, a uuid text.
Only a secret is wrapped, so that no path out of the process can carry it by accident.
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.errors import listed

NUMBERS = frozenset({"int", "decimal", "timestamp"})
TEXTS = frozenset({"text", "email", "password", "uuid", "date", "enum"})

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DECIMAL_MAX = sys.float_info.max


class Secret:
    """A password, a hash or another sensitive value: masked wherever it is shown, compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def reveal(self) -> object:
        """The value itself, for the few places that must have it."""
        return self._value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        left, right = self._value, reveal(other)
        if isinstance(left, str) and isinstance(right, str):
            return hmac.compare_digest(left.encode(), right.encode())
        return left == right

    # A secret is no key: looking it up would compare in variable time.
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> str:
        raise TypeError("a secret can't be pickled")


class Stored(Secret):
    """A secret as read from a column, which remembers where: table, column and the record's id."""

    __slots__ = ("column", "id", "table")

    def __init__(self, value: object, table: str, column: str, id: object) -> None:
        # Not by the base's own: this runs for each record that is read with its secrets.
        self._value = value
        self.table, self.column, self.id = table, column, id


def reveal(value: object) -> object:
    """What a `Secret` holds; any other value as it is."""
    return value._value if isinstance(value, Secret) else value


class Record(dict[str, object]):
    """A table's record whose secret columns lie beside the dictionary, so that no copy or answer carries them."""

    __slots__ = ("secrets",)

    def __init__(self, columns: Mapping[str, object], secrets: Mapping[str, Secret | None]) -> None:
        super().__init__(columns)
        self.secrets = secrets


class File(dict[str, object]):
    """An uploaded file: the dictionary is `{name, type, size}` (bytes), `content` lies beside it."""

    __slots__ = ("content",)

    def __init__(self, name: str, type_: str, content: bytes) -> None:
        super().__init__(name=name, type=type_, size=len(content))
        self.content = content


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a value before it exists.

    `item` is a list's, and what lies under each key of an object of any keys. `fields` are an object's (None: any
    keys), `optional` names fields that may be absent,
    `options` are those of a union, each of another family, which is all that is known where ways meet that leave an
    int here and a text there. `table` is the table whose record (an object) or id (an int) it is, `secret` taints what
    must not leave, `sealed` what nothing may reveal, being a password or made of one. `private` says of a column that
    it is secret only as a part of its record: read by its name it is plain. `inputs` are the client's inputs that it
    comes from or is made of, `checked` what their declarations rule about it, in the words of `REFUSALS`.
    """

    name: str
    nullable: bool = False
    item: Kind | None = None
    fields: Mapping[str, Kind] | None = None
    optional: frozenset[str] = field(default=frozenset())
    values: tuple[str, ...] = ()
    options: tuple[Kind, ...] = ()
    table: str = ""
    secret: bool = False
    sealed: bool = False
    private: bool = False
    inputs: tuple[str, ...] = ()
    checked: frozenset[str] = field(default=frozenset())

    @property
    def family(self) -> str:
        """`number`, `text`, or the kind's own name: kinds of different families are never equal."""
        if self.name in NUMBERS:
            return "number"
        return "text" if self.name in TEXTS else self.name

    @property
    def choices(self) -> tuple[Kind, ...]:
        """The kinds of which it is one, null left aside: a union's options, else itself alone."""
        return self.options or (self,)

    @property
    def is_open(self) -> bool:
        """Whether nothing is known before running."""
        return self.name == "any"

    @property
    def is_record(self) -> bool:
        return self.name == "object" and bool(self.table)

    @property
    def under_any_key(self) -> Kind:
        """What may lie under a key of an object that is known only when it runs; `never` where it has none."""
        fields = self.visible
        return self.item or ANY if fields is None else join_all(fields.values(), NEVER)

    @property
    def visible(self) -> Mapping[str, Kind] | None:
        """The fields that an object's dictionary holds: a record's secret columns lie beside it."""
        if self.fields is None or not self.is_record:
            return self.fields
        return {name: each for name, each in self.fields.items() if not each.secret}

    @property
    def may_be_null(self) -> bool:
        """Whether null is known to be among its values; of an open kind nothing is known."""
        return self.nullable or self.name == "null"

    def maybe(self) -> Kind:
        """This kind or null."""
        if self.name == "never":
            return NULL
        return self if self.may_be_null else replace(self, nullable=True)

    def present(self) -> Kind:
        """This kind with null ruled out."""
        if self.name == "null":
            return NEVER
        return replace(self, nullable=False) if self.nullable else self

    def masked(self, *origins: Kind) -> Kind:
        """This kind, tainted; sealed too where it is a password's, or one of its `origins` is or holds what is."""
        if self.name in ("bool", "null", "never"):
            return self
        sealed = self.sealed or self.name == "password" or any(map(contains_sealed, origins))
        return self if self.secret and self.sealed == sealed else replace(self, secret=True, sealed=sealed)

    def tainted_by(self, origin: Kind) -> Kind:
        """This kind of what is a part of a value, or was made of it: tainted where that is as a whole."""
        kind = self.inside(origin)
        return kind.masked(origin) if origin.secret else kind

    def inside(self, owner: Kind) -> Kind:
        """This kind of a part of a value: what isn't known of it comes from where all of that does."""
        return replace(self, inputs=owner.inputs) if owner.inputs and not self.inputs and _is_unknown(self) else self

    def made_of(self, *origins: Kind) -> Kind:
        """This kind of what was made of other values: it comes from all inputs that they come from."""
        inputs = tuple(dict.fromkeys(name for each in (self, *origins) for name in each.inputs))
        return self if inputs == self.inputs or self.name == "bool" else replace(self, inputs=inputs)

    def plain(self) -> Kind:
        """This kind with its own taint taken off."""
        return replace(self, secret=False, sealed=False, private=False) if self.secret else self

    def or_written(self, sent: Kind) -> Kind:
        """This kind of a value that is `sent`, or what an author wrote in its place, with which nothing is wrong."""
        return replace(self.made_of(sent), checked=sent.checked) if sent.inputs else self

    @property
    def label(self) -> str:
        """The author's name of it, as messages say it."""
        # Lists come last: 'a list of int or a text' would read as one list of both.
        names = [each._own_label for each in sorted(self.choices, key=lambda each: each.name == "list")]
        return listed([*names, *(["null"] if self.nullable else ())])

    @property
    def _own_label(self) -> str:
        if self.is_record:
            return f"a {self.table} record"
        if self.name == "list" and self.item is not None and not self.item.is_open:
            return self._list_label(self.item)
        return LABELS.get(self.name, self.name)

    @staticmethod
    def _list_label(item: Kind) -> str:
        if item.name == "never":
            return "an empty list"
        names = [*(each.name for each in item.choices), *(["null"] if item.nullable else ())]
        return f"a list of {listed(names)}"

    def __str__(self) -> str:
        return self.label


LABELS = {
    "any": "a value of any kind", "null": "null", "never": "nothing", "bool": "a bool", "int": "an int",
    "decimal": "a decimal", "text": "a text", "email": "an email", "password": "a password", "uuid": "a uuid",
    "timestamp": "a timestamp", "date": "a date", "enum": "an enum", "object": "an object", "list": "a list",
    "file": "a file", "lambda": "a lambda", "stream": "a stream",
}  # fmt: skip

ANY, NULL, NEVER = Kind("any"), Kind("null"), Kind("never")
BOOL, INT, DECIMAL, TEXT = Kind("bool"), Kind("int"), Kind("decimal"), Kind("text")
TIMESTAMP, DATE, UUID, EMAIL = Kind("timestamp"), Kind("date"), Kind("uuid"), Kind("email")
OBJECT = Kind("object")


def list_of(item: Kind) -> Kind:
    return Kind("list", item=item)


def object_of(fields: Mapping[str, Kind], optional: Iterable[str] = ()) -> Kind:
    return Kind("object", fields=fields, optional=frozenset(optional))


def mapping_of(item: Kind) -> Kind:
    """An object of any keys, with an `item` under each."""
    if item.is_open or item.name == "never":
        return OBJECT.tainted_by(item)
    return Kind("object", item=item)


# What may be wrong with a value of the right kind: a text's form, that it is too long or empty, a number's or a list's
# size, a zero.
REFUSALS = frozenset({"form", "length", "empty", "size", "zero"})

# The form in which Xano's API gives a point, in degrees.
POINT = object_of({"type": Kind("enum", values=("point",)), "data": object_of({"lng": DECIMAL, "lat": DECIMAL})})
# What is known of one that was sent; of one that came from elsewhere and was stored there may be more.
_MORE_OF_FILE = {"access": Kind("enum", values=("public", "private")), "path": TEXT, "mime": TEXT, "meta": OBJECT}
FILE = Kind(
    "file", fields={"name": TEXT, "type": TEXT, "size": INT, **_MORE_OF_FILE}, optional=frozenset(_MORE_OF_FILE)
)

PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,), "int": (int,), "timestamp": (int,), "decimal": (int, float),
    "list": (list,), "object": (dict,), "file": (dict,),
    **dict.fromkeys(TEXTS, (str,)),
}  # fmt: skip


def contains_secret(kind: Kind) -> bool:
    """Whether a value of this kind would carry a secret along; a record keeps its own beside it."""
    if kind.secret:
        return True
    if (kind.item is not None and contains_secret(kind.item)) or any(map(contains_secret, kind.options)):
        return True
    return not kind.is_record and any(contains_secret(each) for each in (kind.fields or {}).values())


def exposes(given: Kind, declared: Kind) -> bool:
    """Whether something secret in a value of the kind `given` would count as plain where it is known as `declared`,
    or a password as what can be revealed."""
    if declared.secret or not contains_secret(given):
        return contains_sealed(given) and not declared.sealed
    if given.secret:
        return True
    if given.options or declared.options:
        options = {each.family: each for each in declared.choices}
        return any(exposes(each, options.get(each.family, ANY)) for each in given.choices)
    if given.item is not None:
        return exposes(given.item, declared.item or ANY)
    fields, other = declared.fields or {}, declared.item or ANY
    return any(exposes(each, fields.get(name, other)) for name, each in (given.fields or {}).items())


def contains_sealed(kind: Kind) -> bool:
    """Whether a value of this kind is, or holds, a password or what is made of one."""
    return _any_within(kind, lambda each: each.sealed)


def may_hide(kind: Kind) -> bool:
    """Whether in a value of this kind, its own mask left aside, something may be masked."""
    return contains_secret(kind.plain()) or (kind.secret and _any_within(kind, _is_unknown))


def _is_unknown(kind: Kind) -> bool:
    return kind.is_open or (kind.name == "object" and kind.fields is None and kind.item is None)


def _any_within(kind: Kind, test: Callable[[Kind], bool]) -> bool:
    """Whether a test is true of a kind, or of one within it; what lies beside a record isn't in it."""
    parts = [kind.item] if kind.item is not None else kind.options or (kind.fields or {}).values()
    return test(kind) or (not kind.is_record and any(_any_within(part, test) for part in parts))


def bared(kind: Kind) -> Kind:
    """The kind of a value without a secret in it; what lies beside a record is left alone."""
    kind = kind.plain()
    if kind.item is not None:
        return replace(kind, item=bared(kind.item))
    if kind.options:
        return replace(kind, options=tuple(map(bared, kind.options)))
    if kind.fields is not None and not kind.is_record:
        return replace(kind, fields={name: bared(each) for name, each in kind.fields.items()})
    return kind


def _mapped(kind: Kind, change: Callable[[Kind], Kind]) -> Kind:
    """A kind changed with all that is within it."""
    kind = change(kind)
    if kind.item is not None:
        kind = replace(kind, item=_mapped(kind.item, change))
    if kind.options:
        kind = replace(kind, options=tuple(_mapped(each, change) for each in kind.options))
    if kind.fields is not None:
        kind = replace(kind, fields={name: _mapped(each, change) for name, each in kind.fields.items()})
    return kind


def made_of(kind: Kind, origins: Iterable[Kind]) -> Kind:
    """A kind of what was made of other values, with all that is within it."""
    origins = tuple(origins)
    return _mapped(kind, lambda each: each.made_of(*origins)) if any(each.inputs for each in origins) else kind


def sources(kind: Kind) -> tuple[str, ...]:
    """The inputs that a value of this kind, or an item of it, comes from."""
    parts = kind.options if kind.item is None or kind.name != "list" else (kind.item,)
    return tuple(dict.fromkeys([*kind.inputs, *(name for each in parts for name in sources(each))]))


def without_inputs(kind: Kind) -> Kind:
    """A kind as another stack knows it: which of this one's inputs it comes from is of no use there."""
    return _mapped(kind, lambda each: replace(each, inputs=(), checked=frozenset()) if each.inputs else each)


def kind_of(value: object) -> Kind:
    """The kind of a literal value."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return DECIMAL
        case str():
            return TEXT
        case list():
            return list_of(join_all((kind_of(item) for item in value), NEVER))
        case dict():
            return object_of({key: kind_of(item) for key, item in value.items()})
        case Secret():
            return TEXT.masked()
    return ANY


def join(left: Kind, right: Kind) -> Kind:
    """The narrowest kind that both are."""
    if left == right or right.name == "never":
        return left
    if left.name == "never":
        return right
    if left.name == "null":
        return right.maybe()
    if right.name == "null":
        return left.maybe()
    joined = _join_names(left, right)
    # It comes from inputs where it does either way: else it may be the other's, which no client sent.
    both = (left, right) if left.inputs and right.inputs else ()
    joined = replace(joined, inputs=(), checked=left.checked & right.checked).made_of(*both)
    joined = joined.maybe() if left.nullable or right.nullable else joined
    is_secret = left.secret or right.secret
    if joined.is_open and not is_secret:  # of what is known of neither, no part can tell that it is
        is_secret = contains_secret(left) or contains_secret(right)
    return joined.masked(left, right) if is_secret else joined


def _join_names(left: Kind, right: Kind) -> Kind:
    """The narrowest kind that both are, null and secrecy left aside."""
    if left.is_open or right.is_open:
        return ANY
    if left.options or right.options or left.family != right.family:
        return _union([*left.choices, *right.choices])
    if left.name == right.name == "list":
        return list_of(join(left.item or ANY, right.item or ANY))
    if left.name == right.name == "object":
        return _join_objects(left, right)
    if left.name == right.name == "enum":
        return Kind("enum", values=tuple(dict.fromkeys(left.values + right.values)))
    if left.name == right.name:
        table = left.table if left.table == right.table else ""
        return Kind(left.name, fields=left.fields, optional=left.optional, table=table)
    if left.family == "text":
        return TEXT
    return DECIMAL if "decimal" in (left.name, right.name) else INT


def _union(options: Iterable[Kind]) -> Kind:
    """One of several kinds, of each family the narrowest that all of it are, in the order of their appearance."""
    families: dict[str, Kind] = {}
    for each in options:
        each = replace(each, nullable=False, secret=False, sealed=False, private=False)
        known = families.get(each.family)
        families[each.family] = each if known is None else join(known, each)
    kinds = tuple(families.values())
    return kinds[0] if len(kinds) == 1 else Kind("union", options=kinds)


def _join_objects(left: Kind, right: Kind) -> Kind:
    table = left.table if left.table == right.table else ""
    mine, theirs = _shared_fields(left, right), _shared_fields(right, left)
    if mine is None or theirs is None:
        return mapping_of(join(left.under_any_key, right.under_any_key))
    fields = {name: join(mine.get(name, NEVER), theirs.get(name, NEVER)) for name in (*mine, *theirs)}
    optional = {name for name in fields if name not in mine or name not in theirs}
    optional |= (left.optional | right.optional) & fields.keys()
    return Kind("object", fields=fields, optional=frozenset(optional), table=table)


def laid_over(under: Kind, over: Kind) -> Kind:
    """An object with the fields of another laid over its own; a field that may be absent leaves what was there."""
    if over.name == "never":
        return under
    mine, theirs = under.visible, over.visible
    is_secret = under.secret or over.secret
    if mine is None or theirs is None:
        return OBJECT.masked(under, over) if contains_secret(under) or contains_secret(over) else OBJECT
    laid = {
        name: join(mine[name], kind) if name in over.optional and name in mine else kind
        for name, kind in theirs.items()
    }
    present = (mine.keys() - under.optional) | (theirs.keys() - over.optional)
    kind = object_of({**mine, **laid}, (under.optional | over.optional) - present)
    return kind.masked(under, over) if is_secret else kind


def _shared_fields(kind: Kind, other: Kind) -> Mapping[str, Kind] | None:
    """The fields of an object that may as well be the `other`: a record's secrets only where both hold them alike."""
    if kind.fields is None or not kind.is_record:
        return kind.fields
    alike = (other.fields or {}) if kind.table == other.table else {}
    return {name: field for name, field in kind.fields.items() if not field.secret or name in alike}


def join_all(kinds: Iterable[Kind], none: Kind = ANY) -> Kind:
    """The narrowest kind that all are; `none` where there are none. The items of `[]` are of the kind `never`."""
    joined = NEVER
    for kind in kinds:
        joined = join(joined, kind)
    return none if joined is NEVER else joined


def fits(given: Kind, wanted: Kind) -> bool:
    """Whether a value of kind `given`, null left aside, can stand where `wanted` is asked; an open kind can.

    What lies inside of lists and objects must fit null and all.
    """
    if given.is_open or wanted.is_open or given.name in ("null", "never"):
        return True
    if given.options or wanted.options:
        return all(any(fits(each, option) for option in wanted.choices) for each in given.choices)
    if wanted.name == "list" and given.name == "list":
        return _fits_inside(given.item or ANY, wanted.item or ANY)
    if wanted.name == "object" and given.name == "object":
        return _fits_fields(given, wanted)
    if wanted.name == given.name:
        return not (wanted.values and given.values) or bool(set(wanted.values) & set(given.values))
    if wanted.name == "object":
        return given.name == "file"
    if wanted.name == "int":
        return given.name == "timestamp"
    return (
        given.family == wanted.family
        and given.family in ("text", "number")
        and not (wanted.name == "timestamp" and given.name == "decimal")
    )


def _fits_inside(given: Kind, wanted: Kind) -> bool:
    return (wanted.may_be_null or wanted.is_open or not given.may_be_null) and fits(given, wanted)


def _fits_fields(given: Kind, wanted: Kind) -> bool:
    if given.fields is None or wanted.fields is None:
        return given.item is None or wanted.item is None or _fits_inside(given.item, wanted.item)
    return given.fields.keys() <= wanted.fields.keys() and all(
        _fits_field(given, name, kind, name in wanted.optional) for name, kind in wanted.fields.items()
    )


def _fits_field(owner: Kind, name: str, wanted: Kind, optional: bool) -> bool:
    given = (owner.fields or {}).get(name)
    may_lack = optional or wanted.nullable
    if given is None:
        return may_lack
    return (may_lack or name not in owner.optional) and _fits_inside(given, wanted)


def is_within(given: Kind, declared: Kind) -> bool:
    """Whether each value of the kind `given` is one of the kind `declared`, null and all that is inside included."""
    if declared.is_open or given.name == "never":
        return True
    if given.is_open or (given.may_be_null and not declared.may_be_null):
        return False
    if given.options or declared.options:
        return all(any(is_within(each, option.maybe()) for option in declared.choices) for each in given.choices)
    if given.name == "null":
        return True
    if given.name == declared.name == "list":
        return is_within(given.item or ANY, declared.item or ANY)
    if given.name == declared.name == "object":
        return _within_fields(given, declared)
    if declared.values:
        return bool(given.values) and set(given.values) <= set(declared.values)
    if given.name == "decimal":
        return declared.name == "decimal"
    return given.family == declared.family


def _within_fields(given: Kind, declared: Kind) -> bool:
    mine, wanted = given.visible, declared.fields
    if wanted is None:
        return is_within(given.under_any_key, declared.item or ANY)
    if mine is None or not mine.keys() <= wanted.keys() or not given.optional <= declared.optional:
        return False
    absent = wanted.keys() - mine.keys()
    return absent <= declared.optional and all(is_within(kind, wanted[name]) for name, kind in mine.items())


def comparable(left: Kind, right: Kind) -> bool:
    """Whether values of the two kinds can ever be equal."""
    if left.is_open or right.is_open or "never" in (left.name, right.name):
        return True
    if left.may_be_null and right.may_be_null:
        return True
    if "null" in (left.name, right.name):
        return False
    if left.options or right.options:
        return any(comparable(each.present(), other.present()) for each in left.choices for other in right.choices)
    if left.family != right.family:
        return False
    if left.name == right.name == "list":
        return comparable(left.item or ANY, right.item or ANY)
    return not (left.values and right.values) or bool(set(left.values) & set(right.values))


def common(known: Kind, other: Kind) -> Kind:
    """What is known of a value of the kind `known` that equals one of the kind `other`; `never` where none does."""
    if other.is_open or other.name == "never":
        return known
    kind = join_all((_common(mine, theirs) for mine in known.choices for theirs in other.choices), NEVER)
    kind = kind.tainted_by(known)
    return kind.maybe() if (known.is_open or known.may_be_null) and other.may_be_null else kind


def _common(known: Kind, other: Kind) -> Kind:
    known, other = known.present(), other.present()
    if "never" in (known.name, other.name):
        return NEVER
    if known.is_open:
        return _LOOSE.get(other.family, other.plain())
    if not comparable(known, other):
        return NEVER
    if known.name == "text" and other.values:
        return other.plain()
    values = tuple(each for each in known.values if not other.values or each in other.values)
    return replace(known, values=values)


# What equals a value may be of another kind than it: 1.0 is 1, and the items of equal lists are equal only like that.
_LOOSE: Mapping[str, Kind] = {"number": DECIMAL, "list": list_of(ANY), "object": OBJECT, "file": OBJECT}


def conversion(left: Kind, right: Kind) -> str:
    """The hint on how a value of one kind becomes one of the other; empty where there is no plain way."""
    if "timestamp" in (left.name, right.name) and "text" in (left.family, right.family):
        return "turn the text into a timestamp with | to_timestamp"
    if {left.family, right.family} == {"text", "number"}:
        return "turn one into the other's kind with | to_int, | to_decimal or | to_text"
    return ""
