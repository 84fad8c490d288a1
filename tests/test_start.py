"""What a start loads: nothing that only some need, so that a server answers soon and takes little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import words
from engine.cli.check import FORMATS as FINDINGS
from engine.security.keys import ALGORITHMS
from engine.store import exporting, sources
from tests.commands import ROOT, environment

# All but Python's own. Whoever adds one says here that every server needs it before its first answer.
BEFORE_THE_FIRST_ANSWER = {
    "_argon2_cffi_bindings", "_cffi_backend", "_re2", "anyio", "argon2", "engine", "greenlet", "httptools", "jsonschema_rs",
    "orjson", "python_multipart", "re2", "sniffio", "starlette", "typing_extensions", "uvicorn", "uvloop", "yaml",
}  # fmt: skip
# What compilers of wheels and installers leave behind.
CREATED = ("_distutils", "__editable__", "_cython", "cython_runtime", "_sysconfigdata", "__mp_main__", "__main__")
FOR_HELP = {"engine", "engine.cli", "engine.cli.words", "engine.errors"}

SERVE = """
import asyncio, sys
from pathlib import Path
import httptools, uvloop
import engine.__main__
from engine.cli import serve
from engine.http.serve import Settings, checked_workspace, create_app

settings = Settings(workspace=Path({stacks!r}), data=Path({data!r}))
app = create_app(settings, checked_workspace(settings.workspace))

async def ask():
    async def receive(): return {{"type": "http.request", "body": b""}}
    async def send(message): pass
    scope = {{"type": "http", "method": "GET", "path": {path!r}, "raw_path": {path!r}.encode(), "headers": []}}
    scope |= {{"query_string": b"", "client": None, "http_version": "1.1", "scheme": "http", "root_path": ""}}
    await app(scope, receive, send)

asyncio.run(ask())
print(*sys.modules)
"""


def loaded(program: str) -> set[str]:
    """The modules that a process has loaded when it has run `program`."""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split())


def foreign(modules: set[str]) -> set[str]:
    """The packages that are not Python's own."""
    names = {name.partition(".")[0] for name in modules}
    return {name for name in names - sys.stdlib_module_names if not name.startswith(CREATED)}


@pytest.mark.parametrize("times", [1, 2], ids=["a new data folder", "a data folder that is there"])
def test_what_is_loaded_before_the_first_answer(tmp_path: Path, times: int) -> None:
    program = SERVE.format(stacks=str(ROOT / "stacks"), data=str(tmp_path / "data"), path="/api:main/nothing")
    modules: set[str] = set()
    for _ in range(times):
        modules = loaded(program)
    assert foreign(modules) - {"sitecustomize"} <= BEFORE_THE_FIRST_ANSWER
    late = {
        "asyncpg",
        "click",
        "cryptography",
        "jsonschema",
        "jwcrypto",
        "multiprocessing",
        "sqlite_utils",
        "watchfiles",
    }
    assert not foreign(modules) & late
    assert not modules & {"uvicorn.main", "uvicorn.supervisors", "engine.http.reload", "engine.http.workers"}
    assert not {name for name in modules if name.startswith(("engine.testing", "engine.openapi", "engine.lsp"))}


@pytest.mark.parametrize("command", words.COMMANDS)
def test_help_loads_the_words_and_nothing_else(command: str) -> None:
    program = f"""
import sys, io, contextlib
from engine.__main__ import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    try:
        main([{command!r}, "--help"])
    except SystemExit as end:
        assert end.code == 0
assert out.getvalue().startswith("usage: stackwright {command} ")
print(*sys.modules)
"""
    modules = loaded(program)
    assert {name for name in modules if name.partition(".")[0] == "engine"} == FOR_HELP | {"engine.__main__"}
    assert foreign(modules) - {"sitecustomize"} == {"engine"}


def test_what_words_say_stands_elsewhere_too() -> None:
    assert list(words.FINDINGS) == sorted(FINDINGS)
    assert list(words.FORMATS) == sorted(sources.FORMATS) == sorted(exporting.FORMATS)
    assert list(words.ALGORITHMS) == sorted(ALGORITHMS)


def test_uvicorn_s_command_line_is_there_for_who_asks_for_it() -> None:
    program = """
import engine.http.serve, sys, uvicorn
assert "uvicorn.main" not in sys.modules
from uvicorn import Config, Server, run
import uvicorn.server
assert Server is uvicorn.server.Server and callable(run) and callable(uvicorn.main)
try:
    uvicorn.nothing
except AttributeError as error:
    assert "nothing" in str(error)
print("well")
"""
    assert loaded(program) == {"well"}


def test_what_the_first_requests_need_is_loaded_soon_after_the_start(tmp_path: Path) -> None:
    program = f"""
import asyncio, gc, sys, time
from pathlib import Path
from engine.http.serve import Settings, create_app
app = create_app(Settings(workspace=Path({str(ROOT / "stacks")!r}), data=Path({str(tmp_path / "data")!r})))

async def serve():
    async with app.router.lifespan_context(app):
        assert "jwcrypto.jwe" not in sys.modules and gc.isenabled() and gc.get_freeze_count()
        end = time.monotonic() + 30
        while "jwcrypto.jwe" not in sys.modules:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

asyncio.run(serve())
print("well")
"""
    assert loaded(program) == {"well"}
