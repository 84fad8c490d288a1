"""What every test leaves behind is put away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support import OPENED


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    """Closes the stores that a test opened: Python 3.13 tells of connections that nobody closed."""
    yield
    while OPENED:
        asyncio.run(OPENED.pop().close())
