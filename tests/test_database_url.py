"""Where the records are, as an operator says it: what is understood, what is refused, and that no password shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from engine.errors import SetupError
from engine.http.serve import Settings, database_of
from engine.store.url import CONNECTIONS, DatabaseUrl

SECRET = "s3cr%65t%2F1"  # as text it is s3cret/1


@pytest.mark.parametrize(
    ("url", "shown", "revealed", "connections"),
    [
        (f"postgresql://me:{SECRET}@db/app", "postgresql://me@db/app", None, CONNECTIONS),
        (f"postgres://me:{SECRET}@[::1]:5433/app", "postgres://me@[::1]:5433/app", None, CONNECTIONS),
        ("postgresql:///app?host=/run/postgresql", "postgresql:///app", None, CONNECTIONS),
        ("postgresql://db/app?connections=3", "postgresql://db/app", "postgresql://db/app", 3),
        ("postgresql://db/a?connections=3&sslmode=require", "postgresql://db/a", "postgresql://db/a?sslmode=require", 3),
        (f"postgresql://db/app?user=me&password={SECRET}", "postgresql://db/app", None, CONNECTIONS),
    ],
)  # fmt: skip
def test_a_url_is_read_and_shown_without_its_password(
    url: str, shown: str, revealed: str | None, connections: int
) -> None:
    found = database_of(url)
    assert isinstance(found, DatabaseUrl)
    assert (str(found), found.reveal(), found.connections) == (shown, revealed or url, connections)
    settings = Settings.from_environment({"STACKWRIGHT_DATABASE_URL": url})
    told = f"{found!r} {settings!r} {found.redacted('password s3cret/1 or ' + SECRET) if SECRET in url else ''}"
    assert "s3cr" not in told


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:secret@db/x", "'mysql' can't be served, write sqlite:///path/to/file or postgresql://user"),
        ("postgresql://me:secret@db:x/app", "its port is no number from 0 to 65535"),
        ("postgresql://me:secret@db/app?connections=0", "connections=0 is no number from 1 to 1000"),
        ("postgresql://me:secret@db/app?connections=many", "connections=many is no number"),
    ],
)
def test_what_is_no_database_is_refused(url: str, said: str) -> None:
    with pytest.raises(SetupError) as caught:
        database_of(url)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("postgresql://me:s3cr%65t@db/app", '"public.test"'),
        ("postgresql://me:s3cr%65t@db/app?search_path=shop", '"shop.test"'),
        ("postgresql://me:s3cr%65t@db/app?search_path=%22The%20Shop%22,more&connections=3", '"The Shop.test"'),
    ],
)
def test_a_data_source_sees_a_schema_of_its_own_alone(url: str, path: str) -> None:
    found = DatabaseUrl.parse(url).at("test")
    assert (str(found), found.schema) == (f"postgresql://me@db/app?search_path={path}", path.strip('"'))
    assert found.reveal() == f"postgresql://me:s3cr%65t@db/app?search_path={quote(path)}"
    assert found.connections == DatabaseUrl.parse(url).connections
    assert "s3cr" not in f"{found!r} {found}"


def test_a_schema_whose_name_the_server_would_cut_is_refused() -> None:
    url = DatabaseUrl.parse(f"postgresql://db/app?search_path={'s' * 58}")
    assert len(url.at("test").schema) == 63
    with pytest.raises(
        SetupError, match=r"^the schema 's{58}\.tests' has a name of more than 63 bytes: shorten a part of it$"
    ):
        url.at("tests")


def python(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_asyncpg_is_imported_by_those_alone_who_use_it() -> None:
    assert python("import sys, engine.http.serve; print('asyncpg' in sys.modules)") == "False\n"


def test_a_missing_asyncpg_is_said_with_the_mend() -> None:
    code = """
import sys
sys.modules["asyncpg"] = None
from engine.errors import SetupError
from engine.store.storage import open_store
from engine.store.url import DatabaseUrl
try:
    open_store(DatabaseUrl.parse("postgresql://db/x"), {})
except SetupError as error:
    print(error)
"""
    assert python(code) == "PostgreSQL needs another package: pip install 'stackwright[postgres]'\n"
