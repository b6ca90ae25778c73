"""Servers that come as one archive: fetched, unpacked once into the cache, and verified file by file at every start.

Pinned are the archive and what it unpacks to, so the archive need not be kept: what runs is what was pinned, or nothing.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .artifacts import Artifact, file_sha256
from .cache import ensure
from .errors import SandboxError, unusable_path
from .product import Product


@dataclass(frozen=True, slots=True)
class Tree:
    """An archive, pinned together with its contents."""

    archive: Artifact
    sha256: str
    """`tree_sha256` of what it unpacks to."""


def tree_sha256(root: Path) -> str:
    """One hash over the names and contents of all files below `root` (170 MB take half a second)."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(f"{file_sha256(path)}  {path.relative_to(root).as_posix()}\n".encode())
    return digest.hexdigest()


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """One process at a time prepares what is in a directory; the others wait and then find it prepared.

    The system frees the lock when its holder ends, however it ends.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_tree(tree: Tree, cache: Path, product: Product, say: Callable[[str], None]) -> Path:
    """The unpacked files, fetched first where the cache lacks them or holds something else.

    Raises:
        SandboxError: the archive cannot be had, or is not what was pinned.
    """
    home = cache / "files"
    try:
        with alone(cache):
            if home.is_dir() and tree_sha256(home) == tree.sha256:
                return home
            (archive,) = ensure((tree.archive,), cache, product, say)
            if (found := _unpack(archive, home, tree.sha256)) != tree.sha256:
                raise SandboxError(
                    f"Refused {tree.archive.coordinate}: it unpacks to {found}, and {tree.sha256} is pinned. "
                    f"Nothing of that was kept. {product.way_out}"
                )
            archive.unlink()
    except OSError as error:
        raise unusable_path(f"Keeping {product} in {cache}", error) from error
    return home


def _unpack(archive: Path, home: Path, wanted: str) -> str:
    """Unpack, and put it in its place if it is right; returns its hash. An interrupted one is never taken for whole."""
    with tempfile.TemporaryDirectory(prefix=".unpack.", dir=home.parent) as name:
        scratch = Path(name) / "files"
        shutil.unpack_archive(archive, scratch, filter=None if archive.suffix == ".zip" else "data")
        found = tree_sha256(scratch)
        if found == wanted:
            if home.is_dir():
                shutil.rmtree(home)
            scratch.rename(home)
        return found
