"""Which jars make a broker, and where they are kept: pinned in `jars.lock`, cached outside the checkout.

Every jar is hashed again at every start (45 MB, under 0.1 s): what runs is what was pinned, or nothing runs.
Must not talk to the network itself; `download.py` does, and is imported only when something is missing.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from .errors import unusable_path
from .lock import KAFKA_VERSION, LOCK, Jar, read_lock


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
