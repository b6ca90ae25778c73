"""The sandbox's schema registry is a real one, and the connector's client understands it."""

import asyncio
import copy
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.kafka import SandboxError
from sandbox.parts.ports import HOST
from sandbox.parts.probe import answers_http
from sandbox.registry.server import API, REGISTRY
from streams.errors import RegistryAway, SchemaRefused
from streams.wire import schemas
from streams.wire.registry import RegistryClient
from streams.wire.subjects import FULL_TRANSITIVE, Subject, check, id_of, register
from tests.support.servers import LOOPBACK, exists, listening, registry_server
from tests.support.wait import wait_until

__all__ = ["registry_server"]

pytestmark = pytest.mark.big

REFRESH = schemas.current("Refresh")

PARENT = """
import sys, time
from sandbox.registry import RegistryServer
server = RegistryServer()
server.start()
print(server.pid, server.home, flush=True)
time.sleep(600)
"""


@pytest.fixture
async def client(registry_server):
    made = RegistryClient(registry_server.url)
    yield made
    await made.close()


@pytest.fixture
def subject(new_name):
    return Subject(new_name("topic"), REFRESH)


async def test_what_is_not_there_is_told_from_what_went_wrong(client, subject):
    assert await client.schema(2_000_000_000) is None
    assert await client.find(subject.name, REFRESH) is None
    assert await client.versions(subject.name) == ()
    assert await client.version(subject.name, 1) is None
    assert await client.compatibility(subject.name) is None
    assert await client.takes(subject.name, REFRESH)


async def test_the_first_creation_is_full_transitive(client, subject):
    assert [finding.problem for finding in await check(client, subject)] == [""]
    number = await id_of(client, subject)
    assert await client.compatibility(subject.name) == FULL_TRANSITIVE
    assert await client.schema(number) is REFRESH
    assert await client.find(subject.name, REFRESH) == number == await id_of(client, subject)
    assert list(await client.versions(subject.name)) == [1]
    assert [finding.note for finding in await check(client, subject)] == ["registered, 1 version"]


async def test_workers_that_start_together_agree(registry_server, new_name):
    """On the first creation, when nothing is there: each sees the others' half-done work."""
    clients = [RegistryClient(registry_server.url) for _ in range(8)]
    for _ in range(5):
        subject = Subject(new_name("together"), REFRESH)

        async def patient(client, subject=subject):
            while True:
                try:
                    return await id_of(client, subject)
                except RegistryAway:  # what a worker does with it
                    continue

        assert len(set(await asyncio.gather(*map(patient, clients)))) == 1
        assert await clients[0].compatibility(subject.name) == FULL_TRANSITIVE
        assert list(await clients[0].versions(subject.name)) == [1]
    for client in clients:
        await client.close()


async def test_one_schema_has_one_id_in_every_subject(client, subject, new_name):
    """A reply goes to the topic that was asked for under the id that the ledger's copy has."""
    assert await id_of(client, subject) == await id_of(client, Subject(new_name("other"), REFRESH))


async def test_its_refusal_is_explained_by_our_fields(client, subject):
    await id_of(client, subject)
    text = copy.deepcopy(REFRESH.text)
    text["fields"].append({"name": "ticket", "type": "string"})
    newer = Subject(subject.topic, schemas.parse("Refresh", text))
    says = f"{subject.name}: ticket is new and has no default: records of version 1 cannot be read; give it a default"
    assert list(map(str, await check(client, newer))) == [says]
    for how in (id_of, register):
        with pytest.raises(SchemaRefused) as refused:
            await how(client, newer)
        assert str(refused.value) == says


async def test_what_we_call_compatible_it_takes(client, subject):
    """A new field with a default, a new symbol of an enum that has one, a field with a default gone."""
    await register(client, subject)
    text = copy.deepcopy(REFRESH.text)
    text["fields"].append({"name": "ticket", "type": ["null", "string"], "default": None})
    fields = {field["name"]: field for field in text["fields"]}
    fields["facets"]["type"]["items"]["symbols"].append("NEW")
    text["fields"].remove(fields["observedState"])
    newer = Subject(subject.topic, schemas.parse("Refresh", text))
    assert [finding.note for finding in await check(client, newer)] == [
        "compatible with 1 version; `idhub-aws schemas register` adds it"
    ]
    assert await id_of(client, newer) != await id_of(client, subject)


async def test_a_lower_level_is_seen_and_set_by_register(client, subject):
    await id_of(client, subject)
    await client.set_compatibility(subject.name, "BACKWARD")
    (finding,) = await check(client, subject)
    assert finding.problem == "its compatibility is BACKWARD and not FULL_TRANSITIVE"
    await register(client, subject)
    assert [finding.problem for finding in await check(client, subject)] == [""]


async def test_it_comes_back_from_a_kill_with_its_schemas(registry_server, client, subject):
    number, url = await id_of(client, subject), registry_server.url
    await asyncio.to_thread(registry_server.kill)
    with pytest.raises(RegistryAway, match="does not answer"):
        await client.schema(number)
    await asyncio.to_thread(registry_server.start)
    assert registry_server.url == url
    assert await client.schema(number) is REFRESH


async def test_frozen_it_is_away_after_the_timeout(registry_server):
    impatient = RegistryClient(registry_server.url, timeout_s=0.5)
    registry_server.freeze()
    try:
        with pytest.raises(RegistryAway, match=r"does not answer within 0.5 s"):
            await impatient.versions("any")
    finally:
        registry_server.thaw()
    await impatient.close()
    assert answers_http(registry_server.ports[0], f"{API}/subjects", timeout_s=10)


def test_it_listens_on_the_loopback_address_only(registry_server):
    found = listening(registry_server.pid)
    assert set(found) >= set(registry_server.ports)
    assert set(found.values()) <= LOOPBACK, found


def test_it_ends_with_its_parent_even_when_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        pid, home = parent.stdout.readline().split(maxsplit=1)
        assert exists(int(pid))
        parent.kill()
    wait_until(lambda: not exists(int(pid)), "the registry is gone")
    wait_until(lambda: not Path(home.strip()).exists(), "its temporary directory is gone")


def test_a_port_in_use_is_named(registry_server):
    port = registry_server.ports[0]
    with pytest.raises(SandboxError, match=f"Port {port} on {HOST} is in use"):
        type(registry_server)(port=port).start()
    assert "SCHEMA_REGISTRY_URL" in REGISTRY.way_out
