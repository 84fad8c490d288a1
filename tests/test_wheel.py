"""The wheel, in an environment that holds nothing else: the commands work, and what they made is served."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.commands import ADA, ROOT, SIGNUP, environment, free_port, stackwright, started

BUILD_SECONDS = 300


def done(folder: Path, *command: str) -> str:
    """What a command printed; it has to end well."""
    settings = environment(PYTHONPATH="", PIP_DISABLE_PIP_VERSION_CHECK="1")
    ended = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that no left-over of a build gets into it or stays in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("engine", "stacks", "schemas"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "server.py"):
        shutil.copy(ROOT / name, source)
    done(folder, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "built", "./source")
    [built] = (folder / "built").iterdir()
    return built


def test_the_wheel_carries_what_new_copies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert {name.split("/")[0] for name in names} == {
            "engine",
            "server.py",
            wheel.name.split("-py3")[0] + ".dist-info",
        }
        assert {f"engine/http/docs/docs.{ending}" for ending in ("html", "js", "css")} <= names
        for part in ("stacks", "schemas"):
            for path in (ROOT / part).rglob("*.*"):
                carried = archive.read(f"engine/_shipped/{part}/{path.relative_to(ROOT / part).as_posix()}")
                assert carried == path.read_bytes()


def test_the_wheel_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    bin = tmp_path / "env" / "bin"
    done(tmp_path, str(bin / "pip"), "install", "--quiet", str(wheel))
    command = (str(bin / "stackwright"),)
    assert stackwright(tmp_path, "new", "shop", program=command, PYTHONPATH="").status == 0
    shop = tmp_path / "shop"
    assert stackwright(shop, "check", program=command, PYTHONPATH="").out == "0 errors, 0 warnings\n"
    tested = stackwright(shop, "test", program=command, PYTHONPATH="")
    assert tested.status == 0, tested.out
    assert tested.out.endswith(" passed, 0 failed\n")
    port = free_port()
    with (
        started(shop, *command, "serve", "--port", str(port), port=port, PYTHONPATH="") as server,
        server.client() as client,
    ):
        assert client.post(SIGNUP, json=ADA).status_code == 200
        assert client.get("/docs").status_code == 200
        assert "User" in client.get("/openapi.json").json()["components"]["schemas"]
