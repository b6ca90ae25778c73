"""The pinned jars: `jars.lock` as values. Knows no cache and no network."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

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
