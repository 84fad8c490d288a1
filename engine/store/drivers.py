"""What needs a driver that may not be installed: imported only where it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from engine.errors import SetupError


def postgres(name: str) -> Any:
    """A module of `engine.store` that needs asyncpg. Raises SetupError where that isn't installed."""
    try:
        return importlib.import_module(f"engine.store.{name}")
    except ModuleNotFoundError as missing:
        if missing.name != "asyncpg":
            raise
        raise SetupError("PostgreSQL needs another package: pip install 'stackwright[postgres]'") from None
