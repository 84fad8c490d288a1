"""Imports point down one list of modules, stand at the top of their file, and never go in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A package is one layer. A module may import what stands before it, and the other modules of its own package.
LAYERS = [
    "late",
    "errors",
    "pace",
    "codes",
    "tasks",
    "memo",
    "values",
    "footprint",
    "texts",
    "origin",
    "yaml_errors",
    "yaml_reader",
    "source",
    "ignores",
    "fields",
    "syntax",
    "lexer",
    "cursor",
    "parser",
    "unparse",
    "sql",
    "registry",
    "written_kinds",
    "closed",
    "schema",
    "shapes",
    "clauses",
    "stack",
    "openings",
    "workspace",
    "stack_files",
    "workspace_reader",
    "formatting",
    "scope",
    "bounds",
    "extent",
    "budget",
    "compare",
    "mismatch",
    "wording",
    "narrow",
    "judge",
    "operations",
    "applications",
    "lints",
    "infer",
    "relations",
    "queries",
    "edits",
    "stack_walk",
    "columns",
    "signatures",
    "statements",
    "query_check",
    "assignments",
    "control",
    "calls",
    "stack_check",
    "token_extras",
    "tables",
    "check",
    "builders",
    "operators",
    "intrinsics",
    "blame",
    "lower",
    "compile",
    "run",
    "filters",
    "functions",
    "steps",
    "security",
    "store",
    "askable",
    "recheck",
    "session",
    "known",
    "reformat",
    "program",
    "openapi",
    "http",
    "testing",
    "reference",
    "lsp",
    "shipped",
    "cli",
    "__main__",
    "server",
]

# They choose a module by what was asked for, so that a server's start doesn't wait for what it won't use.
LOADERS = {
    "engine.__main__",
    "engine.cli.lsp",
    "engine.cli.serve",
    "engine.http.contract",
    "engine.late",
    "engine.store.drivers",
    "engine.testing.pytest_plugin",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    name_of(path): ast.parse(path.read_text("utf-8")) for path in [*ROOT.glob("engine/**/*.py"), ROOT / "server.py"]
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Our own modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{each.name}" for each in node.names]
            yield from (name if name in MODULES else str(node.module) for name in inner)


def layer(module: str) -> str:
    return module.removeprefix("engine.").split(".")[0]


IMPORTS = {
    module: sorted({name for name in imported(tree) if name in MODULES} - {module, "engine"})
    for module, tree in MODULES.items()
}


def test_every_module_has_its_place() -> None:
    assert sorted({layer(module) for module in MODULES} - {"engine"}) == sorted(LAYERS)


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_imports_point_down(module: str) -> None:
    for name in IMPORTS[module]:
        is_inside = layer(name) == layer(module)
        assert is_inside or LAYERS.index(layer(name)) < LAYERS.index(layer(module)), f"{module} imports {name}"


def test_no_circle() -> None:
    list(TopologicalSorter(IMPORTS).static_order())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_stand_at_the_top(module: str) -> None:
    functions = (node for node in ast.walk(MODULES[module]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    hidden = [
        node.lineno for each in functions for node in ast.walk(each) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not hidden, f"imports inside a function, in lines {hidden}"
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert "TYPE_CHECKING" not in names
    assert "import_module" not in names or module in LOADERS
