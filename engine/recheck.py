"""A check that keeps what it found of each file, and what of the workspace it looked at to find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import TypeVar

from engine.askable import statements, unaskable_indexes, unaskable_steps
from engine.check import WorkspaceChecker
from engine.errors import Problem, Span
from engine.memo import Memo, Watched
from engine.stack_walk import CheckedStack
from engine.store.direct_check import Examiner
from engine.token_extras import Extras, Maker
from engine.values import Kind
from engine.workspace import Endpoint, Function, Table, TestFile, Workspace, is_broken

T = TypeVar("T")
Owner = Endpoint | Function | Table | TestFile


def watched(workspace: Workspace, memo: Memo) -> WatchedWorkspace:
    """The workspace for those whose results `memo` keeps."""
    named = {each.name: getattr(workspace, each.name) for each in fields(Workspace)}
    named["tables"] = Watched(memo, "tables", workspace.tables, lambda table: table.trait)
    named["functions"] = Watched(memo, "functions", workspace.functions, lambda function: function.trait)
    return WatchedWorkspace(**named, memo=memo)


@dataclass(frozen=True, eq=False)
class WatchedWorkspace(Workspace):
    """A workspace that tells `memo` what is asked of it."""

    memo: Memo = field(default_factory=Memo)

    def __post_init__(self) -> None:
        self.memo.sources["broken"] = lambda asked: is_broken(self.broken, *asked)
        self.memo.sources["addressed"] = lambda name: _targets(super(WatchedWorkspace, self).addressed(name))
        self.memo.sources["names"] = lambda _: super(WatchedWorkspace, self).endpoint_names()
        self.memo.sources["settings"] = lambda _: self.settings

    @cached_property
    def settings(self) -> object:
        """What the workspace's own file says and checks can see."""
        env = [(each.name, each.kind) for each in self.env]
        return is_broken(self.broken, "workspace", None), env, self.data_sources

    def is_broken(self, kind: str, name: str | None = None) -> bool:
        answer = super().is_broken(kind, name)
        self.memo.look("broken", (kind, name), answer)
        return answer

    def addressed(self, name: str) -> list[Endpoint]:
        found = super().addressed(name)
        self.memo.look("addressed", name, _targets(found))
        return found

    def endpoint_names(self) -> list[str]:
        names = super().endpoint_names()
        self.memo.look("names", None, names)
        return names


def path_of(owner: Owner) -> str:
    place = owner.document.text if isinstance(owner, TestFile) else owner.span
    return place.path


def _targets(endpoints: list[Endpoint]) -> object:
    """What a test file sees of the endpoints that it calls."""
    return [(each.name, each.address) for each in endpoints]


class Rechecker(WorkspaceChecker):
    """Checks a workspace, and keeps in `memo` what each file's check found."""

    def __init__(self, workspace: WatchedWorkspace, memo: Memo) -> None:
        super().__init__(workspace)
        self._memo, self._settings = memo, workspace.settings
        self._all, self._told = self.problems, set[object]()
        self._examining: Examiner | None = None
        self._turns: dict[int, Extras] = {}  # what tokens were known to carry, each time that stacks were asked

    def endpoint(self, endpoint: Endpoint) -> CheckedStack:
        return self._kept("endpoint", endpoint, partial(self._asked, endpoint, partial(super().endpoint, endpoint)))

    def _function(self, function: Function) -> CheckedStack:
        return self._kept("function", function, partial(self._asked, function, partial(super()._function, function)))

    def table(self, table: Table) -> None:
        self._kept("table", table, partial(self._indexed, table, partial(super().table, table)))

    def function(self, name: str, place: Span | None = None) -> CheckedStack:
        chain = self._chain(name)
        checked = super().function(name, place)
        self._memo.look("checked", name, chain or _seen(checked))
        return checked

    def carried(self, table: str) -> Kind:
        kind = self._memo.aside(partial(super().carried, table))
        self._memo.look("carried", table, kind)
        return kind

    def _put_in(self, turn: int, maker: Maker, known: Extras) -> Extras:
        self._memo.sources["turn"] = self._turns.get
        self._turns[turn] = known
        key, make = (f"extras {turn}", path_of(maker)), partial(super()._put_in, turn, maker, known)
        return self._memo.recall(key, maker, partial(self._noted, turn, make))

    def _noted(self, turn: int, make: Callable[[], Extras]) -> Extras:
        """What a stack puts into tokens, by what was known in this turn and is set in the workspace."""
        self._memo.look("turn", turn, self._turns[turn])
        self._memo.look("settings", None, self._settings)
        return make()

    def _answer(self, name: str) -> object:
        """What a caller of the function `name` sees of it, or the chain of calls that it would close."""
        if name not in self.workspace.functions:
            return None
        return self._chain(name) or _seen(super().function(name))

    def _chain(self, name: str) -> tuple[str, ...]:
        return tuple(self._open[self._open.index(name) :]) if name in self._open else ()

    def _asked(self, owner: Endpoint | Function, check: Callable[[], CheckedStack]) -> CheckedStack:
        """A stack's check, and what of it no storage can be asked."""
        checked = check()
        if not self.errors:
            self._ask(owner, checked)
        return checked

    def _ask(self, owner: Endpoint | Function, checked: CheckedStack) -> None:
        try:
            self.problems += unaskable_steps(owner.stack, checked.kinds, self.workspace.tables)
        except KeyError:  # a table of the query is in a file that can't be read: there is nothing to ask
            if not self.workspace.is_broken("table"):
                raise
        written = statements(owner.stack)
        if written:
            examiner = self._examiner(dict(self.workspace.tables))
            refused = [problem for sql in written for problem in examiner.problems(sql)]
            if refused and not self.workspace.is_broken("table"):
                self.problems += refused

    def _examiner(self, tables: Mapping[str, Table]) -> Examiner:
        """Who reads authors' SQL against all tables, which are the same in one pass."""
        self._examining = self._examining or Examiner(tables)
        return self._examining

    def _indexed(self, table: Table, check: Callable[[], None]) -> None:
        check()
        if not self.errors:
            self.problems += unaskable_indexes(table)

    def _kept(self, what: str, owner: Endpoint | Function | Table, make: Callable[[], T]) -> T:
        """What `make` makes; what it reports is told once, however often it is asked."""
        key = (what, path_of(owner))
        self._memo.sources["checked"], self._memo.sources["carried"] = self._answer, super().carried
        result, problems = self._memo.recall(key, owner, partial(self._apart, make))
        if key not in self._told:
            self._told.add(key)
            self._all += problems
        return result

    def _apart(self, make: Callable[[], T]) -> tuple[T, list[Problem]]:
        outer, self.problems = self.problems, []
        self._memo.look("settings", None, self._settings)
        try:
            return make(), self.problems
        finally:
            self.problems = outer


def _seen(checked: CheckedStack) -> object:
    """What callers can see of a function: all but the kinds of its nodes."""
    return [getattr(checked, each.name) for each in fields(CheckedStack) if each.name != "kinds"]
