"""Tests that ask for a `storage` run on each that is to be had; what every test leaves behind is put away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.storages import POSTGRES, STORAGES, Postgres, using
from tests.support import OPENED

collect_ignore = [] if POSTGRES else ["test_postgres.py"]


@pytest.fixture(scope="module", params=list(STORAGES))
def storage(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the storage that everything is kept in."""
    with using(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def chosen_storage(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that asks for no storage has its records in a file."""
    with using(request.getfixturevalue("storage") if "storage" in request.fixturenames else "sqlite"):
        yield


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    """Closes the stores that a test opened: Python 3.13 tells of connections that nobody closed."""
    yield
    while OPENED:
        asyncio.run(OPENED.pop().close())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not POSTGRES:
        terminalreporter.write_line("PostgreSQL was not tested: STACKWRIGHT_TEST_POSTGRES names no server", yellow=True)


def pytest_unconfigure() -> None:
    for each in STORAGES.values():
        if isinstance(each, Postgres):
            each.clean()
