"""The wheel, not the tree: it holds what it should, installs into an empty environment, and runs there."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What must have come along besides the modules: each is opened by the code that needs it.
RUN_THERE = """
import sys
import connector, sandbox, streams
for package in (connector, sandbox, streams):
    assert package.__file__.startswith(sys.prefix), package.__file__
from streams.wire import schemas
schemas.load_all()
from sandbox.kafka import KafkaBroker
from sandbox.kafka.config import LOG_CONFIG
from sandbox.kafka.lock import read_lock
assert len(read_lock()) == 46
assert LOG_CONFIG.read_text()
"""


def clean_environment() -> dict[str, str]:
    """This process's environment without what would let the tree, or this venv, leak in."""
    leaks = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}
    return {name: value for name, value in os.environ.items() if name not in leaks}


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=environment.pop("cwd", ROOT),
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def must(*command: object, **environment: str) -> str:
    ran = run(*command, **environment)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def uv():
    """Runs uv: out of its cache where that is enough, else over the network."""
    found = [path for path in (shutil.which("uv"), ROOT / ".uv" / "bin" / "uv") if path]
    program = next((path for path in found if Path(path).exists() and run(path, "--version").returncode == 0), None)
    assert program, "uv is neither on PATH nor in .uv: `make test` puts it there"

    def call(*arguments: object, **environment: str) -> None:
        if run(program, *arguments, "--offline", **environment).returncode != 0:
            must(program, *arguments, **environment)

    return call


@pytest.fixture(scope="module")
def wheel(uv, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--out-dir", out, ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(uv, wheel, tmp_path_factory) -> Path:
    """An environment that holds the locked dependencies and the wheel; returns its `bin`."""
    home = tmp_path_factory.mktemp("env") / "venv"
    uv("venv", home)
    uv("sync", "--project", ROOT, "--locked", "--no-install-project", UV_PROJECT_ENVIRONMENT=str(home))
    uv("pip", "install", "--no-deps", "--python", home / "bin" / "python", wheel)
    return home / "bin"


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    (dist_info,) = (name for name in top if name.endswith(".dist-info"))
    assert top == {"streams", "connector", "sandbox", dist_info}
    assert f"{dist_info}/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_holds_every_schema(wheel):
    inside = {
        name.rpartition("/")[2] for name in zipfile.ZipFile(wheel).namelist() if name.startswith("streams/_avro/")
    }
    assert inside >= {path.name for path in (ROOT / "avro").glob("*.avsc")}
    assert any(name.endswith(".avsc") for name in inside)


def test_the_wheel_runs_where_nothing_else_is(uv, installed, tmp_path):
    elsewhere = {"cwd": str(tmp_path)}
    assert "sandbox" in must(installed / "idhub-aws", "--help", **elsewhere)
    must(installed / "python", "-I", "-c", RUN_THERE, **elsewhere)
    uv("pip", "check", "--python", installed / "python")
