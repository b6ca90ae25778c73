"""Formats a broker's log directory: an identity of its own, and the feature levels that Kafka starts a cluster with.

Kafka's own StorageTool decides the feature levels (transaction.version 2, group.version 1 …: without them the broker
would run as an upgraded old one). It takes a JVM start of 0.7 s and writes the same bytes each time, so it runs once
per machine; its `bootstrap.checkpoint` is kept beside the jars.
"""

import base64
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from sandbox.parts.errors import SandboxError

from .config import jvm_flags, meta_properties, server_properties

_CHECKPOINT = "bootstrap.checkpoint"
_META = "meta.properties"
_HEAP_MB = 128
_TIMEOUT_S = 60


def format_once(java: Path, classpath: str, cache: Path, log_dir: Path) -> None:
    """Formats `log_dir` unless it is formatted already.

    Raises:
        SandboxError: Kafka's StorageTool failed.
        OSError: the cache or the directory cannot be written.
    """
    if (log_dir / _META).exists():
        return
    kept = cache / _CHECKPOINT
    if not kept.exists():
        _make_checkpoint(java, classpath, kept)
    log_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, log_dir / _CHECKPOINT)
    (log_dir / _META).write_text(meta_properties(_new_id(), _new_id()))


def _make_checkpoint(java: Path, classpath: str, kept: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".format.", dir=kept.parent) as name:
        scratch = Path(name)
        config = scratch / "server.properties"
        # The ports are only named, nothing listens: the outcome does not depend on them.
        config.write_text(server_properties(9092, 9093, scratch / "data", {}))
        tool = [str(java), *jvm_flags(scratch, _HEAP_MB), "-cp", classpath, "kafka.tools.StorageTool"]
        ran = subprocess.run(
            [*tool, "format", "--cluster-id", _new_id(), "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        made = scratch / "data" / _CHECKPOINT
        if ran.returncode != 0 or not made.exists():
            last = (ran.stdout + ran.stderr).strip().splitlines()[-5:]
            raise SandboxError("\n  ".join([f"Kafka's StorageTool failed (exit code {ran.returncode}):", *last]))
        made.replace(kept)


def _new_id() -> str:
    """A random UUID in URL-safe base64, Kafka's form; never with a leading dash, which would look like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
