"""Which jars make a broker, and where they are kept: pinned in `jars.lock`, cached outside the checkout.

Every jar is hashed again at every start (45 MB, under 0.1 s): what runs is what was pinned, or nothing runs.
Must not talk to the network itself; `download.py` does, and is imported only when something is missing.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import unusable_path

KAFKA_VERSION = "4.3.1"
LOCK = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file."""

    coordinate: str
    """`group:artifact:version`, as Maven writes it."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the cache and in a Maven repository."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's address."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.name}"

    def matches(self, file: Path) -> bool:
        """Whether the file is this jar, byte for byte."""
        try:
            if file.stat().st_size != self.size:
                return False
            with file.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """The pinned jars, in the lock file's order, which is the order of the class path."""
    rows = (line.split() for line in lock.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows)


def cache_dir() -> Path:
    """The one place that outlives the sandbox: `$XDG_CACHE_HOME` or `~/.cache`, then `idhub-aws/kafka-4.3.1`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "idhub-aws" / f"kafka-{KAFKA_VERSION}"


def ensure_jars(say: Callable[[str], None], *, lock: Path = LOCK, directory: Path | None = None) -> tuple[Path, ...]:
    """The class path, fetched first where the cache lacks it.

    Raises:
        SandboxError: a jar cannot be had, or what came is not what was pinned.
    """
    jars = read_lock(lock)
    directory = directory or cache_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        missing = [jar for jar in jars if not jar.matches(directory / jar.name)]
        if missing:
            _download(missing, directory, say)
    except OSError as error:
        raise unusable_path(f"Keeping Kafka's jars in {directory}", error) from error
    return tuple(directory / jar.name for jar in jars)


def _download(missing: Iterable[Jar], directory: Path, say: Callable[[str], None]) -> None:
    from .download import download  # noqa: PLC0415 - httpx2 costs 120 ms, and is needed once per machine

    download(tuple(missing), directory, say)
