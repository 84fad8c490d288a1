"""Between language values and what a storage holds: rules and defaults on the way in, dictionaries on the way out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from engine.bounds import MAX_TEXT
from engine.errors import Fault, SetupError, kind_fault
from engine.extent import extent
from engine.fields import Field
from engine.shapes import Shape, input_fault
from engine.store.base import Convert, Run, quoted
from engine.values import INT_MAX, INT_MIN, Record, Secret, Stored, reveal
from engine.workspace import Table

Row = tuple[Any, ...]
Make = Callable[[Row], dict[str, object]]
MakeAll = Callable[[Iterable[Row]], list[dict[str, object]]]
Fill = Callable[[Run], object]

JSON_TYPES = frozenset({"json", "object", "file", "vector", "geo_point"})
NO_COLUMN = "1"  # what is selected where nothing is read of a record but that it is there
_BOOLS = {None: None, 0: False, 1: True}
_NONE: Mapping[str, object] = {}


def is_json(column: Field) -> bool:
    """Whether the column is kept as JSON text."""
    return column.is_list or column.type in JSON_TYPES


def plain_of(table: Table) -> list[Field]:
    """The columns that are in a record, not beside it."""
    return [column for column in table.columns.values() if not column.is_beside]


def masked_of(table: Table) -> list[Field]:
    """The columns whose values must never show."""
    return [column for column in table.columns.values() if column.is_masked]


def unmasked_of(table: Table) -> list[Field]:
    """The columns whose values may show."""
    return [column for column in table.columns.values() if not column.is_masked]


def names_of(columns: Iterable[Field]) -> str:
    """Columns as SQL; of none, what makes a row all the same."""
    return ", ".join(quoted(column.name) for column in columns) or NO_COLUMN


def digester(table: Table) -> Make:
    """A function that makes a record of a row of all columns, the masked ones last: these show as a digest."""
    make, hidden = row_maker(unmasked_of(table)), masked_of(table)

    def digested(row: Row) -> dict[str, object]:
        split = len(row) - len(hidden)
        secrets = zip(hidden, row[split:], strict=True)
        return make(row[:split]) | {column.name: _digest(value) for column, value in secrets}

    return digested


def _digest(value: object) -> object:
    return None if value is None else "sha256:" + sha256(str(value).encode()).hexdigest()


def row_maker(columns: Sequence[Field], secrets: Sequence[Field] = (), table: str = "") -> Make:
    """A function that makes a record of a row: as fast as a dictionary written out.

    With `secrets`, which follow the columns in the row, it makes a `Record`; each remembers where in `table` it is.
    """
    make: Make = _maker("def make(row):\n    {names}, = row\n    return {record}", columns, secrets, table)
    return make


def rows_maker(columns: Sequence[Field], secrets: Sequence[Field], table: str, extras: int) -> MakeAll:
    """As `row_maker`, for many rows at once; their last `extras` values are in no record."""
    source = "def make(rows):\n    return [{record} for {names}, in rows]"
    make: MakeAll = _maker(source, columns, secrets, table, extras)
    return make


def _maker(source: str, columns: Sequence[Field], secrets: Sequence[Field], table: str, extras: int = 0) -> Any:
    every = [*columns, *secrets]
    key = next((place for place, column in enumerate(columns) if column.name == "id"), None)
    entries = [f"'{place}': {_decoded(column, place)}" for place, column in enumerate(columns)]
    entries += [f"'{place}': {_hidden(column, place, key)}" for place, column in enumerate(secrets, len(columns))]
    plain, kept = (", ".join(some) for some in (entries[: len(columns)], entries[len(columns) :]))
    record = f"Record({{{plain}}}, {{{kept}}})" if secrets else f"{{{plain}}}"
    variables = [*(f"c{place}" for place in range(len(every))), *(f"x{place}" for place in range(extras))]
    names = ", ".join(variables or ["x0"])
    tree = _Named([column.name for column in every]).visit(ast.parse(source.format(names=names, record=record)))
    scope: dict[str, Any] = {
        "bools": _BOOLS, "loads": orjson.loads, "Secret": Secret, "Stored": Stored, "Record": Record, "table": table,
    }  # fmt: skip
    exec(compile(tree, "<row>", "exec"), scope)
    return scope["make"]


def _decoded(column: Field, place: int) -> str:
    """The Python that makes a column's value of the variable `c{place}`."""
    if is_json(column):
        return f"None if c{place} is None else loads(c{place})"
    return f"bools[c{place}]" if column.type == "bool" else f"c{place}"


def _hidden(column: Field, place: int, key: int | None) -> str:
    """The Python that makes a secret column's value; `key` is the place of the record's id."""
    value = _decoded(column, place)
    made = f"Secret({value})" if key is None else f"Stored({value}, table, '{place}', c{key})"
    return f"None if c{place} is None else {made}"


class _Named(ast.NodeTransformer):
    """Puts the columns' names where their numbers stand: as constants, so that no name is ever read as code."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str):
            node.value = self.names[int(node.value)]
        return node


class Draft:
    """The columns that a write gives, made ready: `values` checks, fills in, hashes and encodes.

    `given` names what comes in; `columns` what is written, in the order of `values`, but for what the database
    has `computed`. A `new` record gets its defaults, and misses what is required.
    """

    def __init__(self, table: Table, given: Iterable[str], *, new: bool, computed: Collection[str] = ()) -> None:
        self.given = tuple(given)
        absent = [column for column in table.columns.values() if column.name not in {*self.given, *computed}]
        omitted = absent if new else []
        filled = [(column, fill) for column in omitted if (fill := fill_of(table, column)) is not None]
        if not new:
            kept = [column for column in absent if column.on_update]
            filled = [(column, moment(column)) for column in kept]
        self.columns = (*self.given, *(column.name for column, _ in filled))
        self._fills = tuple(fill for _, fill in filled)
        missing = [column for column in omitted if column.required and column.name != "id"]
        fields = [table.columns[name] for name in self.given]
        # Null where a new record has a default is what was left out, as an input that wasn't sent.
        fallen = [column for column in fields if new and column.has_default and not column.may_be_null]
        self._fallbacks = {column.name: fill for column in fallen if (fill := fill_of(table, column)) is not None}
        checked = [column for column in table.columns.values() if column in fields or column in missing]
        self._shape = Shape(column.stored(falls_back=column.name in self._fallbacks) for column in checked)
        self._passwords = tuple(
            place for place, column in enumerate(fields) if column.type == "password" and not column.is_list
        )
        self._plain = frozenset(column.name for column in fields if not column.is_masked)
        self._encoders = tuple((column.name, encoder(column)) for column in fields)

    async def values(self, run: Run, given: Sequence[object]) -> list[object]:
        """What to bind. Raises Fault input_error that lists every column whose rules are broken."""
        return await self.stored(run, self.checked(given))

    def checked(self, given: Sequence[object]) -> dict[str, Any]:
        """The given columns as they are stored, passwords as they are. Raises Fault input_error as `values` does."""
        data = self._shape.bind(self._revealed(given))
        errors = []
        for name, encode in self._encoders:
            try:
                data[name] = _encoded(encode, data[name])
            except ValueError as error:
                errors.append({"param": name, "message": str(error)})
        if errors:
            raise input_fault(errors)
        return data

    async def stored(self, run: Run, data: Mapping[str, Any], known: Mapping[str, object] = _NONE) -> list[object]:
        """What to bind of what was `checked`: passwords hashed that aren't `known`, and what is left out filled in."""
        stored: list[Any] = [known[name] if name in known else data[name] for name in self.given]
        for place in self._passwords:
            if stored[place] is not None and self.given[place] not in known:
                stored[place] = await run.hash(stored[place])
        for place, name in enumerate(self.given):
            if stored[place] is None and name in self._fallbacks:
                stored[place] = self._fallbacks[name](run)
        return stored + [fill(run) for fill in self._fills]

    def _revealed(self, given: Sequence[object]) -> dict[str, Any]:
        data = dict(zip(self.given, given, strict=True))
        for name, value in data.items():
            if isinstance(value, Secret):
                if name in self._plain:
                    raise kind_fault(f"a secret can't be stored in '{name}': the column isn't sensitive")
                data[name] = value.reveal()
        return data


def fill_of(table: Table, column: Field) -> Fill | None:
    """What a column left out becomes; None where it can't be, or where the storage assigns it."""
    if column.name == "id":
        return (lambda run: run.uuid()) if column.type == "uuid" else None
    if column.required:
        return None
    if column.has_default and column.default == "now" and column.type in ("timestamp", "date"):
        return moment(column)
    if column.has_default and column.default == "uuid" and column.type == "uuid":
        return lambda run: run.uuid()
    value = default(table, column)
    return lambda run: value


def default(table: Table, column: Field) -> object:
    """The stored form of a column's literal default, null where it has none."""
    if not column.has_default or column.default is None:
        return None
    if column.type == "password":
        raise SetupError(f"table '{table.name}': the password '{column.name}' can't have a default, take it out")
    try:
        data = Shape([column.stored()]).bind({column.name: deepcopy(column.default)})
        return _encoded(encoder(column), data[column.name])
    except (Fault, ValueError) as error:
        said = error.message if isinstance(error, Fault) else str(error)
        message = f"table '{table.name}': the default of '{column.name}' breaks its own rules: {said}"
        raise SetupError(message) from None


def moment(column: Field) -> Fill:
    """The time of the run, as the column holds it."""
    return _today if column.type == "date" else (lambda run: run.now())


def _today(run: Run) -> str:
    return datetime.fromtimestamp(run.now() / 1000, UTC).date().isoformat()


def _encoded(encode: Convert | None, value: object) -> object:
    value = reveal(value)
    return value if encode is None or value is None else encode(value)


def encoder(column: Field) -> Convert | None:
    """What makes a checked value the stored one; it raises ValueError with a sentence for the client."""
    if is_json(column):
        return _json
    if column.type in ("text", "email", "enum"):
        return _text
    return _decimal if column.type == "decimal" else None


def _decimal(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("Input is out of the range of a decimal.") from None


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("Input holds a NUL character.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("Input holds half a surrogate pair.") from None
    return value


def _json(value: object) -> str:
    if isinstance(value, list | dict):
        extent(value, MAX_TEXT)
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        _refuse_unsaid(value)
        raise ValueError("Input holds a value that JSON can't say.") from None
    if _DOUBTFUL.search(text):
        _refuse_unsaid(value)
    return text


# What may stand for NUL, for NaN and the infinities, or for an int past 64 bits.
_DOUBTFUL = re.compile(r"\\u0000|null|[0-9]{19}")


def _refuse_unsaid(value: object) -> None:
    """What JSON text would change or other storages refuse: NUL, NaN and the infinities, ints past 64 bits."""
    match value:
        case int() if not INT_MIN <= value <= INT_MAX:
            raise ValueError("Input holds an int past 64 bits.")
        case str():
            _text(value)
        case float() if value - value != 0:
            raise ValueError("Input holds a number that JSON can't say.")
        case list():
            for item in value:
                _refuse_unsaid(item)
        case dict():
            for key, item in value.items():
                _text(key)
                _refuse_unsaid(item)
