"""Fetches pinned jars from a Maven repository into the cache. The sandbox's only reach into the internet.

A file gets its name only after its hash was found right, so an interrupted or forged download leaves nothing
that a later start could take for a jar, and two starts at once do not disturb each other.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx2

from .errors import WAY_OUT, SandboxError
from .lock import KAFKA_VERSION, Jar

URL_VARIABLE = "IDHUB_AWS_MAVEN_URL"
MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
AT_ONCE = 6
ATTEMPTS = 3
TIMEOUT = httpx2.Timeout(30.0, connect=10.0)


class _TryAgain(Exception):
    """A passing fault: the connection broke, or the repository was busy."""


def download(jars: tuple[Jar, ...], directory: Path, say: Callable[[str], None]) -> None:
    """Fetches all of `jars`, a few at a time; the first that cannot be had stops the rest.

    Proxies and private CAs come from the environment (HTTPS_PROXY, SSL_CERT_FILE), as everywhere.

    Raises:
        SandboxError: no network, no such jar, or a hash other than the pinned one.
        OSError: the cache cannot be written.
    """
    base = (os.environ.get(URL_VARIABLE) or MAVEN_CENTRAL).rstrip("/")
    megabytes = sum(jar.size for jar in jars) / 1e6
    say(f"Fetching {len(jars)} jars of Apache Kafka {KAFKA_VERSION} ({megabytes:.0f} MB, once) into {directory}")
    try:
        client = httpx2.Client(timeout=TIMEOUT, follow_redirects=True)
    except OSError as error:
        raise SandboxError(
            f"Cannot set up TLS to fetch Kafka's jars: {error}. Look at SSL_CERT_FILE and SSL_CERT_DIR. {WAY_OUT}"
        ) from error
    with client, ThreadPoolExecutor(AT_ONCE) as pool:
        pending = [pool.submit(_fetch, client, f"{base}/{jar.path}", jar, directory) for jar in jars]
        try:
            for done in as_completed(pending):
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(client: httpx2.Client, url: str, jar: Jar, directory: Path) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _fetch_once(client, url, jar, directory)
        except _TryAgain as error:
            if attempt == ATTEMPTS:
                raise SandboxError(
                    f"Cannot fetch {jar.coordinate} from {url}: {error}. Kafka's jars come from there once; "
                    f"{URL_VARIABLE} names another Maven repository. {WAY_OUT}"
                ) from error
    return None


def _fetch_once(client: httpx2.Client, url: str, jar: Jar, directory: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{jar.name}.", suffix=".part", dir=directory)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            size, sha256 = _stream(client, url, jar, file.write)
        if (size, sha256) != (jar.size, jar.sha256):
            raise SandboxError(
                f"Refused {jar.coordinate} from {url}: {size} bytes with SHA-256 {sha256}, but {jar.size} bytes "
                f"with {jar.sha256} are pinned. Nothing was kept. Something between here and there changes "
                f"files: look at {URL_VARIABLE} and your proxy. {WAY_OUT}"
            )
        part.replace(directory / jar.name)
    finally:
        part.unlink(missing_ok=True)


def _stream(client: httpx2.Client, url: str, jar: Jar, write: Callable[[bytes], object]) -> tuple[int, str]:
    """Copies the body out, no further than one chunk past the pinned size, and returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with client.stream("GET", url) as response:
            if response.status_code >= 500 or response.status_code == 429:
                raise _TryAgain(f"the repository answered {response.status_code}")
            if response.status_code != 200:
                raise SandboxError(
                    f"Cannot fetch {jar.coordinate}: {url} answered {response.status_code}. "
                    f"{URL_VARIABLE} names another Maven repository. {WAY_OUT}"
                )
            for chunk in response.iter_bytes(1 << 16):
                write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if size > jar.size:
                    break
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _TryAgain(str(error).rstrip(".") or type(error).__name__) from error
    return size, digest.hexdigest()
