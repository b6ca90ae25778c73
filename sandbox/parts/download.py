"""Fetches pinned files from a Maven repository into the cache. The sandbox's only reach into the internet.

A file gets its name only after its hash was found right, so an interrupted or forged download leaves nothing
that a later start could take for the real one, and two starts at once do not disturb each other.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx2

from .artifacts import Artifact
from .errors import SandboxError
from .product import Product

URL_VARIABLE = "IDHUB_AWS_MAVEN_URL"
MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
AT_ONCE = 6
ATTEMPTS = 3
TIMEOUT = httpx2.Timeout(30.0, connect=10.0)


class _TryAgain(Exception):
    """A passing fault: the connection broke, or the repository was busy."""


def download(artifacts: tuple[Artifact, ...], directory: Path, product: Product, say: Callable[[str], None]) -> None:
    """Fetches all of them, a few at a time; the first that cannot be had stops the rest.

    Proxies and private CAs come from the environment (HTTPS_PROXY, SSL_CERT_FILE), as everywhere.

    Raises:
        SandboxError: no network, no such file, or a hash other than the pinned one.
        OSError: the cache cannot be written.
    """
    base = (os.environ.get(URL_VARIABLE) or MAVEN_CENTRAL).rstrip("/")
    megabytes = sum(artifact.size for artifact in artifacts) / 1e6
    files = f"{len(artifacts)} files of " if len(artifacts) > 1 else ""
    say(f"Fetching {files}{product} ({megabytes:.0f} MB, once) into {directory}")
    try:
        client = httpx2.Client(timeout=TIMEOUT, follow_redirects=True)
    except OSError as error:
        raise SandboxError(
            f"Cannot set up TLS to fetch {product}: {error}. Look at SSL_CERT_FILE and SSL_CERT_DIR. {product.way_out}"
        ) from error
    with client, ThreadPoolExecutor(AT_ONCE) as pool:
        pending = [pool.submit(_fetch, client, f"{base}/{item.path}", item, directory, product) for item in artifacts]
        try:
            for done in as_completed(pending):
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(client: httpx2.Client, url: str, artifact: Artifact, directory: Path, product: Product) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _fetch_once(client, url, artifact, directory, product)
        except _TryAgain as error:
            if attempt == ATTEMPTS:
                raise SandboxError(
                    f"Cannot fetch {artifact.coordinate} from {url}: {error}. {product} comes from there once; "
                    f"{URL_VARIABLE} names another Maven repository. {product.way_out}"
                ) from error
    return None


def _fetch_once(client: httpx2.Client, url: str, artifact: Artifact, directory: Path, product: Product) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{artifact.name}.", suffix=".part", dir=directory)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            size, sha256 = _stream(client, url, artifact, product, file.write)
        if (size, sha256) != (artifact.size, artifact.sha256):
            raise SandboxError(
                f"Refused {artifact.coordinate} from {url}: {size} bytes with SHA-256 {sha256}, but {artifact.size} bytes "
                f"with {artifact.sha256} are pinned. Nothing was kept. Something between here and there changes "
                f"files: look at {URL_VARIABLE} and your proxy. {product.way_out}"
            )
        part.replace(directory / artifact.name)
    finally:
        part.unlink(missing_ok=True)


def _stream(
    client: httpx2.Client, url: str, artifact: Artifact, product: Product, write: Callable[[bytes], object]
) -> tuple[int, str]:
    """Copies the body out, no further than one chunk past the pinned size, and returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with client.stream("GET", url) as response:
            if response.status_code >= 500 or response.status_code == 429:
                raise _TryAgain(f"the repository answered {response.status_code}")
            if response.status_code != 200:
                raise SandboxError(
                    f"Cannot fetch {artifact.coordinate}: {url} answered {response.status_code}. "
                    f"{URL_VARIABLE} names another Maven repository. {product.way_out}"
                )
            for chunk in response.iter_bytes(1 << 16):
                write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if size > artifact.size:
                    break
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _TryAgain(str(error).rstrip(".") or type(error).__name__) from error
    return size, digest.hexdigest()
