"""Only the pinned bytes become a class path; everything else is refused, named, and not kept."""

import errno
import hashlib
import tempfile

import pytest

from sandbox.kafka import SandboxError
from sandbox.kafka.lock import KAFKA, LOCK, read_lock
from sandbox.parts.artifacts import read_lock as read
from sandbox.parts.cache import ensure
from sandbox.parts.ports import HOST, free_ports
from tests.support.maven import serving

ONE, TWO = "org.example:one:1.0", "org.example.deep:two:2.0"
JARS = {
    ONE: b"one" * 1000,
    TWO: b"two" * 50_000,
    "org.example:three:3.0": b"three" * 10,
}


def path_of(coordinate):
    group, artifact, version = coordinate.split(":")
    return f"/maven2/{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"


@pytest.fixture
def repository(monkeypatch):
    with serving({path_of(coordinate): body for coordinate, body in JARS.items()}, monkeypatch) as server:
        yield server


@pytest.fixture
def fetch(tmp_path):
    """Ensures the three jars of a small lock file; remembers what was said."""
    lock = tmp_path / "small.lock"
    lines = (f"{c} {len(b)} {hashlib.sha256(b).hexdigest()}" for c, b in JARS.items())
    lock.write_text("# a comment\n" + "\n".join(lines) + "\n")

    def run():
        run.said.clear()
        return ensure(read(lock), run.directory, KAFKA, run.said.append)

    run.said, run.directory = [], tmp_path / "cache" / "deep"
    return run


def kept(fetch):
    return sorted(path.name for path in fetch.directory.iterdir())


def test_the_lock_names_kafka_and_all_it_needs_once():
    jars = read_lock()
    assert "org.apache.kafka:kafka_2.13:4.3.1" in {jar.coordinate for jar in jars}
    assert any(jar.coordinate.startswith("org.apache.logging.log4j:log4j-slf4j-impl:") for jar in jars)
    assert len({jar.name for jar in jars}) == len(jars) == 46
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars), LOCK


def test_jars_are_fetched_once_and_in_the_locks_order(repository, fetch):
    paths = fetch()
    assert [path.name for path in paths] == ["one-1.0.jar", "two-2.0.jar", "three-3.0.jar"]
    assert [path.read_bytes() for path in paths] == list(JARS.values())
    assert len(fetch.said) == 1
    assert str(fetch.directory) in fetch.said[0]
    assert fetch() == paths
    assert set(repository.asked.values()) == {1}
    assert fetch.said == []


@pytest.mark.parametrize("forged", [b"TWO" * 50_000, b"two", b"two" * 90_000], ids=["changed", "short", "long"])
def test_a_wrong_jar_is_refused_by_name_and_not_kept(repository, fetch, forged):
    repository.files[path_of(TWO)] = forged
    with pytest.raises(SandboxError, match=r"Refused org.example.deep:two:2.0 from http") as refused:
        fetch()
    assert hashlib.sha256(JARS[TWO]).hexdigest() in str(refused.value)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(refused.value)
    assert not [name for name in kept(fetch) if "two" in name]


def test_a_jar_that_rots_in_the_cache_is_fetched_again(repository, fetch):
    _, two, _ = fetch()
    two.write_bytes(b"TWO" * 50_000)
    fetch()
    assert two.read_bytes() == JARS[TWO]
    assert repository.asked[path_of(TWO)] == 2
    assert repository.asked[path_of(ONE)] == 1


@pytest.mark.parametrize("fault", ["busy_times", "cut_times"])
def test_a_passing_fault_is_tried_again(repository, fetch, fault):
    setattr(repository, fault, 2)
    assert [path.read_bytes() for path in fetch()] == list(JARS.values())
    assert set(repository.asked.values()) == {3}


def test_a_jar_that_is_not_there_is_named(repository, fetch):
    del repository.files[path_of(ONE)]
    with pytest.raises(SandboxError, match=r"Cannot fetch org.example:one:1.0: http.* answered 404"):
        fetch()
    assert repository.asked[path_of(ONE)] == 1


def test_without_a_network_the_way_out_is_said(repository, fetch, monkeypatch):
    monkeypatch.setenv("IDHUB_AWS_MAVEN_URL", f"http://{HOST}:{free_ports(1)[0]}")
    with pytest.raises(SandboxError) as refused:
        fetch()
    message = str(refused.value)
    assert "\n" not in message
    for said in (
        "Cannot fetch org.example",
        "refused",
        "IDHUB_AWS_MAVEN_URL",
        "KAFKA_BOOTSTRAP_SERVERS",
        "docker compose",
    ):
        assert said in message
    assert kept(fetch) == []


def test_a_missing_private_ca_is_said(repository, fetch, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(SandboxError, match=r"Cannot set up TLS .* Look at SSL_CERT_FILE"):
        fetch()


def test_a_full_disk_is_said(repository, fetch, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(fetch.directory))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(SandboxError, match=r"The disk is full.*XDG_CACHE_HOME"):
        fetch()


def test_a_cache_that_cannot_be_made_is_said(fetch):
    fetch.directory.parent.parent.joinpath("cache").write_text("a file where a directory should be")
    with pytest.raises(SandboxError, match=r"Keeping Apache Kafka 4.3.1 in .* failed"):
        fetch()
