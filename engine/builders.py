"""Builders of Python's own tree, so that a lowering reads like the Python it makes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from engine.errors import Span

T = TypeVar("T", bound=ast.AST)


def at(span: Span, node: T) -> T:
    """`node` and all below it that have no place yet, placed at `span`: tracebacks then point into the YAML."""
    for each in _unplaced(node):
        each.lineno, each.col_offset = span.line, span.column - 1
        each.end_lineno, each.end_col_offset = span.end_line, max(span.end_column - 1, 0)
    return node


def _unplaced(node: ast.AST) -> Iterable[ast.expr | ast.stmt]:
    waiting: list[ast.AST] = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.expr | ast.stmt | ast.excepthandler | ast.arg | ast.keyword):
            if getattr(each, "lineno", None) is not None:
                continue  # a part that was placed more exactly before, with all below it
            yield each  # type: ignore[misc]
        waiting.extend(ast.iter_child_nodes(each))


def name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def target(text: str) -> ast.Name:
    return ast.Name(text, ast.Store())


def const(value: str | int | float | bool | None) -> ast.expr:
    return ast.Constant(value)


def call(function: str | ast.expr, *arguments: ast.expr, **keywords: ast.expr) -> ast.Call:
    called = name(function) if isinstance(function, str) else function
    return ast.Call(called, list(arguments), [ast.keyword(key, value) for key, value in keywords.items()])


def method(owner: ast.expr, attribute: str, *arguments: ast.expr) -> ast.Call:
    return call(member(owner, attribute), *arguments)


def member(owner: ast.expr, attribute: str) -> ast.Attribute:
    return ast.Attribute(owner, attribute, ast.Load())


def item(owner: ast.expr, index: ast.expr) -> ast.Subscript:
    return ast.Subscript(owner, index, ast.Load())


def assign(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([target(variable)], value)


def walrus(variable: str, value: ast.expr) -> ast.NamedExpr:
    return ast.NamedExpr(target(variable), value)


def awaited(value: ast.expr) -> ast.expr:
    return ast.Await(value)


def do(value: ast.expr) -> ast.stmt:
    return ast.Expr(value)


def returned(value: ast.expr) -> ast.stmt:
    return ast.Return(value)


def raised(value: ast.expr) -> ast.stmt:
    return ast.Raise(value, None)


def binary(left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.BinOp:
    return ast.BinOp(left, operator, right)


def compared(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.Compare:
    return ast.Compare(left, [operator], [right])


def is_null(value: ast.expr) -> ast.expr:
    return compared(value, ast.Is(), const(None))


def not_null(value: ast.expr) -> ast.expr:
    return compared(value, ast.IsNot(), const(None))


def negated(value: ast.expr) -> ast.expr:
    match value:
        case ast.Compare(left, [ast.Is()], [right]):
            return compared(left, ast.IsNot(), right)
        case ast.Compare(left, [ast.IsNot()], [right]):
            return compared(left, ast.Is(), right)
    return ast.UnaryOp(ast.Not(), value)


def chosen(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.IfExp:
    return ast.IfExp(test, then, otherwise)


def branch(test: ast.expr, then: Sequence[ast.stmt], otherwise: Sequence[ast.stmt] = ()) -> ast.stmt:
    return ast.If(test, list(then) or [ast.Pass()], list(otherwise))


def within(manager: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    """`async with manager: body`."""
    return ast.AsyncWith([ast.withitem(manager)], list(body) or [ast.Pass()])


def dictionary(pairs: Iterable[tuple[ast.expr | None, ast.expr]]) -> ast.Dict:
    """A dictionary; a pair without a key is spread."""
    pairs = list(pairs)
    return ast.Dict([key for key, _ in pairs], [value for _, value in pairs])


def listed(values: Iterable[ast.expr]) -> ast.List:
    return ast.List(list(values), ast.Load())


def function(text: str, parameters: Sequence[str], body: Sequence[ast.stmt], *, is_async: bool) -> ast.stmt:
    make = ast.AsyncFunctionDef if is_async else ast.FunctionDef
    made = make(name=text, args=signature(parameters), body=list(body) or [ast.Pass()], decorator_list=[])
    if "type_params" in made._fields:  # Python 3.12 and newer
        setattr(made, "type_params", [])  # noqa: B010 - the checkers of 3.11 don't know it
    return made


def signature(parameters: Sequence[str], defaults: Sequence[ast.expr] = ()) -> ast.arguments:
    """Parameters, the last of which have `defaults`."""
    arguments = [ast.arg(each) for each in parameters]
    return ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=list(defaults))


def function_of(tree: ast.stmt, filename: str, names: Mapping[str, object], wanted: str) -> Callable[..., Any]:
    """Runs the definition `tree`, with `names` as its globals, and gives what it defined as `wanted`."""
    module = ast.Module([tree], [])
    scope: dict[str, Any] = dict(names)
    exec(compile(ast.fix_missing_locations(module), filename, "exec"), scope)
    made: Callable[..., Any] = scope[wanted]
    return made
