"""What is known at one point of a stack: which variables are set, of what kind, and what null tests have ruled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.syntax import Attribute, Column, Node, Variable
from engine.values import ANY, Kind, join

COLUMN = ":"  # what tests proved of a column is remembered under its name behind this, which no variable's begins with


@dataclass(frozen=True, slots=True)
class Scope:
    """`kinds`: variables set on every path. `maybe`: those set on some. `narrowed`: what tests proved of `user.name`.

    `dead`: no run gets here. `columns`: what bare names stand for, inside a `where`. `held`: the step that may have
    begun to write, by which others wait until the run ends.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    maybe: Mapping[str, Kind] = field(default_factory=dict)
    narrowed: Mapping[str, Kind] = field(default_factory=dict)
    columns: Mapping[str, Kind] | None = None
    dead: bool = False
    held: str = ""

    def assign(self, name: str, kind: Kind) -> Scope:
        """After `name` was set: what was proved of its parts no longer holds."""
        maybe = {key: known for key, known in self.maybe.items() if key != name}
        return replace(self, kinds={**self.kinds, name: kind}, maybe=maybe, narrowed=self._forget(name))

    def _forget(self, name: str) -> dict[str, Kind]:
        return {key: kind for key, kind in self.narrowed.items() if key != name and not key.startswith(name + ".")}

    def narrow(self, key: str, kind: Kind) -> Scope:
        """After a test proved that `key` (`user`, `user.name`) is of `kind`."""
        if kind.name == "never":
            return self
        return replace(self, narrowed={**self.narrowed, key: kind})

    def proved(self, name: str) -> Kind:
        """The kind of a variable with all that tests proved of its parts."""
        kind = self.narrowed.get(name, self.kinds[name])
        for key, part in self.narrowed.items():
            if key.startswith(name + "."):
                kind = _with_part(kind, key.split(".")[1:], part)
        return kind

    def ended(self) -> Scope:
        """After a step that no run goes past."""
        return replace(self, dead=True)

    def alive(self) -> Scope:
        """Where a test lets no run get: that is the test's mistake, and what follows is checked all the same."""
        return replace(self, dead=False) if self.dead else self

    def with_columns_of(self, known: Scope) -> Scope:
        """Inside a `where`, behind what proved `known`: of columns only, since all values are taken before."""
        proved = {key: kind for key, kind in known.narrowed.items() if key.startswith(COLUMN)}
        return replace(self, narrowed={**self.narrowed, **proved})

    def with_columns(self, columns: Mapping[str, Kind] | None) -> Scope:
        """Inside a `where`."""
        return replace(self, columns=columns)


def _with_part(kind: Kind, path: list[str], part: Kind) -> Kind:
    if not path:
        return part
    name, *rest = path
    if name not in (kind.fields or {}):
        return kind
    fields = kind.fields or {}
    changed = _with_part(fields[name], rest, part)
    optional = kind.optional if changed.may_be_null else kind.optional - {name}
    return replace(kind, fields={**fields, name: changed}, optional=optional)


def merge(left: Scope, right: Scope) -> Scope:
    """What is known where two paths meet."""
    if left.dead:
        return right
    if right.dead:
        return left
    both = {name: _met(name, left, right) for name in left.kinds if name in right.kinds}
    every = {**left.maybe, **right.maybe, **left.kinds, **right.kinds}
    maybe = {name: kind for name, kind in every.items() if name not in both}
    narrowed = {key: join(kind, right.narrowed[key]) for key, kind in left.narrowed.items() if key in right.narrowed}
    return Scope(both, maybe, narrowed, left.columns, held=left.held or right.held)


def _met(name: str, left: Scope, right: Scope) -> Kind:
    """The kind of a variable that is set on both of two paths; where it differs, with what each proved of its parts."""
    mine, theirs = left.kinds[name], right.kinds[name]
    if mine == theirs:
        return mine
    return join(left.proved(name), right.proved(name))


def blurred(before: Scope, after: Scope) -> Scope:
    """What is known where it doesn't settle from round to round: what still changes may be anything."""
    kinds = {name: _blurred(before.kinds.get(name, kind), kind) for name, kind in after.kinds.items()}
    maybe = {name: _blurred(before.maybe.get(name, kind), kind) for name, kind in after.maybe.items()}
    narrowed = {key: kind for key, kind in after.narrowed.items() if before.narrowed.get(key) == kind}
    return replace(after, kinds=kinds, maybe=maybe, narrowed=narrowed)


def _blurred(before: Kind, after: Kind) -> Kind:
    return after if before == after else join(ANY, after)


def merge_all(scopes: Iterable[Scope]) -> Scope:
    """What is known where several paths meet; dead where none arrives."""
    merged = Scope(dead=True)
    for scope in scopes:
        merged = merge(merged, scope)
    return merged


def key_of(node: Node) -> str | None:
    """`user.name` for `$user.name`: the name under which tests are remembered; None for what isn't a plain path."""
    if isinstance(node, Variable):
        return node.name
    if isinstance(node, Column):
        return COLUMN + node.name
    if isinstance(node, Attribute):
        owner = key_of(node.of)
        return f"{owner}.{node.name}" if owner else None
    return None
