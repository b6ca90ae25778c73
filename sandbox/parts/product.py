"""What all parts need to know of a server: what it is called, which Java runs it, and what to do without it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Product:
    """One of the sandbox's real servers."""

    name: str
    """As people call it: Apache Kafka."""
    version: str
    oldest_java: int
    """The major version of the oldest Java that runs it."""
    way_out: str
    """Ends every refusal: what to do where this server cannot be had."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def cache_dir(self, short: str) -> Path:
        """The one place that outlives the sandbox: `$XDG_CACHE_HOME` or `~/.cache`, then `idhub-aws/<short>-<version>`."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "idhub-aws" / f"{short}-{self.version}"
