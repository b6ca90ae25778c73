"""Pinned downloads as values. Knows no cache and no network."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository, pinned."""

    coordinate: str
    """`group:artifact:version`, then `:classifier` and `@extension` where they are not none and `jar` (as Gradle writes it)."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the cache and in a Maven repository."""
        coordinate, _, extension = self.coordinate.partition("@")
        _, *stem = coordinate.split(":")
        return f"{'-'.join(stem)}.{extension or 'jar'}"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's address."""
        group, artifact, version, *_ = self.coordinate.partition("@")[0].split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.name}"

    def matches(self, file: Path) -> bool:
        """Whether the file is this one, byte for byte."""
        try:
            if file.stat().st_size != self.size:
                return False
            return file_sha256(file) == self.sha256
        except FileNotFoundError:
            return False


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_lock(lock: Path) -> tuple[Artifact, ...]:
    """The artifacts of a lock file, in its order."""
    rows = (line.split() for line in lock.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return tuple(Artifact(coordinate, int(size), sha256) for coordinate, size, sha256 in rows)
