"""Libraries that are loaded when they are first used, and not while a server starts."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class Late:
    """A module of a library, to be used as if it had been imported: `jwe = Late("jwcrypto.jwe")`, then `jwe.JWE()`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(load(self), name)
        setattr(self, name, value)  # found without us from now on
        return value


def load(module: Late) -> Any:
    """The module itself, imported by now."""
    return importlib.import_module(module._name)


def put_off(package: str, module: str, names: tuple[str, ...]) -> None:
    """Imports a package without the module that it takes `names` from; who asks for one of these loads that (PEP 562).

    Where the package is there already, or takes something else from the module, nothing is put off.
    """
    if package in sys.modules:
        return
    stand_in = ModuleType(module)
    vars(stand_in).update(dict.fromkeys(names))
    sys.modules[module] = stand_in
    try:
        made = importlib.import_module(package)
    except ImportError:
        made = None
    finally:
        del sys.modules[module]
    if made is not None and all(name in vars(made) for name in names):
        _answer_late(made, module, names)


def _answer_late(package: ModuleType, module: str, names: tuple[str, ...]) -> None:
    for name in names:
        delattr(package, name)

    def missing(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")
        loaded = importlib.import_module(module)
        vars(package).update({each: getattr(loaded, each) for each in names})
        return getattr(package, name)

    vars(package)["__getattr__"] = missing
