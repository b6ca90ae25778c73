"""The whole path with a real schema registry: a worker, Kafka, the AWS stand-in, and a registry that is treated badly.

Replies are read, and requests written, by Apache Avro's own implementation too: what we agree on with ourselves proves nothing.
"""

import asyncio
import copy
import io
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass

import avro.io
import avro.schema
import httpx2
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from connector.settings import load_settings
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from streams.admin import create_topics
from streams.cli import app
from streams.errors import SchemaRefused
from streams.send import RequestClient, new_request
from streams.topics import PRESENT, TopicNames
from streams.wire import decode_record, encode_record, schemas
from streams.wire.keys import partition_for, user_key
from streams.wire.subjects import subjects
from streams.worker import Worker
from tests.support.kafka import read_topic
from tests.support.servers import registry_server
from tests.support.wait import eventually

__all__ = ["registry_server"]

pytestmark = pytest.mark.big

REQUEST = "ProvisioningRequest"
PARTITIONS = 2


@dataclass
class World:
    """One prefix's worth of topics, and the registry."""

    registry: object
    environ: dict
    folder: object
    working: asyncio.Task | None = None

    def settings(self, **changes):
        given = {**self.environ, "SCHEMA_REGISTRY_URL": self.registry.url, **changes}
        return load_settings(
            {name: value for name, value in given.items() if value is not None}, self.folder / "no.env"
        )

    @property
    def topics(self):
        return TopicNames(self.environ["IDHUB_AWS_TOPIC_PREFIX"])

    @asynccontextmanager
    async def worker(self, **changes):
        """A worker in this loop; not waited for."""
        worker = Worker(self.settings(**changes))
        self.working = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await self.working

    @asynccontextmanager
    async def serving(self, **changes):
        """A worker that has partitions, and a client that hears the replies."""
        async with self.worker(**changes) as worker:
            await self.ready(worker)
            async with RequestClient(self.settings(**changes)) as client:
                yield client

    async def ready(self, worker):
        """Until it has partitions; raises what ended it instead."""
        await eventually(lambda: worker.ready.is_set() or self.working.done(), "the worker is ready")
        if self.working.done():
            self.working.result()

    def rest(self, method, path, **body):
        answer = httpx2.request(method, f"{self.registry.url}{path}", json=body or None, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def register(self, topic, text):
        return self.rest("POST", f"/subjects/{topic}-value/versions", schema=json.dumps(text))["id"]

    async def dead_letters(self):
        return await read_topic(self.environ["KAFKA_BOOTSTRAP_SERVERS"], self.topics.dead_letters)


@pytest.fixture
async def world(kafka, stand_in, registry_server, new_name, tmp_path, monkeypatch):
    stand_in.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", stand_in.url)
    prefix = new_name("registry")
    made = World(
        registry_server,
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "IDHUB_AWS_TOPIC_PREFIX": prefix,
            "IDHUB_AWS_GROUP": prefix,
            "IDHUB_AWS_PARTITIONS": str(PARTITIONS),
            "IDHUB_AWS_REPLICATION_FACTOR": "1",
            "IDHUB_AWS_ACCESS_KEY_ID": connector_key(),
            "IDHUB_AWS_SECRET_ACCESS_KEY": secret_of(connector_key()),
            "IDHUB_AWS_USER_NAME": CONNECTOR,
            "IDHUB_AWS_SESSION_TIMEOUT_S": "6",
            "IDHUB_AWS_CALL_TIMEOUT_S": "3",
            "IDHUB_AWS_CALL_THREADS": "4",
        },
        tmp_path,
    )
    await create_topics(made.settings())
    return made


@pytest.fixture
def said():
    with capture_logs() as lines:
        yield lines


def events(said, *names):
    return [line["event"] for line in said if line["event"] in names]


def absent(user):
    """A request that one read answers: a user who is not there needs no deletion."""
    return new_request("DELETE_ACCOUNT", DEFAULT_ACCOUNT, user, requestId=f"{user}-{uuid.uuid4().hex[:8]}")


def older():
    """A schema that another producer might have: compatible with ours, and new to the registry each time."""
    text = copy.deepcopy(schemas.current(REQUEST).text)
    text["fields"] = [field for field in text["fields"] if field["name"] != "planHash"]
    text["fields"].append({"name": f"x{uuid.uuid4().hex}", "type": ["null", "string"], "default": None})
    return text


def record_of_its_own():
    """A schema that the registry has never seen (it tells them apart by what a reader sees, not by their docs)."""
    field = {"name": f"f{uuid.uuid4().hex}", "type": "int"}
    return {"type": "record", "name": "Invoice", "namespace": "erp", "fields": [field]}


def by_avro(text, number, fields):
    """Confluent's wire format, written by Apache Avro."""
    schema = avro.schema.parse(json.dumps(text))
    whole = decode_record(encode_record(REQUEST, fields))[1]
    body = io.BytesIO()
    avro.io.DatumWriter(schema).write(
        {field.name: whole.get(field.name) for field in schema.fields}, avro.io.BinaryEncoder(body)
    )
    return b"\0" + number.to_bytes(4, "big") + body.getvalue()


def read_by_avro(world, value):
    """A record in Confluent's wire format, read by Apache Avro with what the registry says."""
    assert value[0] == 0
    schema = avro.schema.parse(world.rest("GET", f"/schemas/ids/{int.from_bytes(value[1:5], 'big')}")["schema"])
    body = io.BytesIO(value[5:])
    record = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(body))
    assert not body.read()
    return schema.name, record


async def send_bytes(client, fields, value):
    key = user_key(DEFAULT_ACCOUNT, fields["userName"]).encode()
    return await client.publish_bytes(value, key=key, partition=partition_for(key, PARTITIONS))


async def test_both_framings_are_answered_and_strangers_can_read_what_is_written(world, said):
    create = new_request("CREATE_ACCOUNT", DEFAULT_ACCOUNT, "alice", requestId="create")
    plain, stranger, text = absent("bob"), absent("carol"), older()
    async with world.serving() as client:
        reply = await client.ask(create, timeout_s=30)  # written by us, for the registry
        assert reply["status"] == "SUCCEEDED", reply
        await send_bytes(client, plain, encode_record(REQUEST, plain))
        await send_bytes(client, stranger, by_avro(text, world.register(world.topics.requests, text), stranger))
        for fields in (plain, stranger):
            assert (await client.reply(fields["requestId"], timeout_s=30))["status"] == "UNCHANGED"
        again = await client.ask(create, timeout_s=30)
        assert again["_bytes"] == reply["_bytes"]  # the ledger keeps the reply as it was framed
    for topic in PRESENT:
        records = await read_topic(world.environ["KAFKA_BOOTSTRAP_SERVERS"], world.topics.of(topic.name))
        if topic.name in {"replies", "audit", "accounts", "changes", "ledger"}:
            assert records, topic.name
            found = [read_by_avro(world, record.value) for record in records]
            assert {name for name, _ in found} == {topic.schema}
            assert [fields for _, fields in found] == [read_by_us(world, record.value) for record in records]
    assert await world.dead_letters() == []
    assert events(said, "registry.away", "schema.unknown", "handler.broken") == []


def read_by_us(world, value):
    """The same record by our own reader, told the schema by hand."""
    text = json.loads(world.rest("GET", f"/schemas/ids/{int.from_bytes(value[1:5], 'big')}")["schema"])
    schema = schemas.parse(text["name"], text)
    return decode_record(value, schema_by_id=lambda _: schema)[1]


async def test_the_next_worker_reads_on_and_one_without_the_registry_waits(world, said):
    create = new_request("CREATE_ACCOUNT", DEFAULT_ACCOUNT, "dora", requestId="create")
    async with world.serving() as client:
        first = await client.ask(create, timeout_s=30)
    delete = new_request("DELETE_ACCOUNT", DEFAULT_ACCOUNT, "dora", requestId="delete")
    async with (
        world.worker(SCHEMA_REGISTRY_URL=None),
        RequestClient(world.settings(SCHEMA_REGISTRY_URL=None)) as client,
    ):
        await client.publish(delete)
        await eventually(lambda: events(said, "state.unreadable"), "it says that it cannot read its own accounts")
        other = await client.ask(absent("erik"), timeout_s=30)  # nobody else waits
        assert other["status"] == "UNCHANGED"
    assert await world.dead_letters() == []
    async with world.serving() as client:
        assert (await client.reply("delete", timeout_s=30))["status"] == "SUCCEEDED"
        assert (await client.ask(create, timeout_s=30))["_bytes"] == first["_bytes"]
    assert events(said, "state.unreadable", "handler.broken") == ["state.unreadable"]


async def test_a_worker_waits_for_a_registry_that_is_away_at_its_start(world, said):
    await asyncio.to_thread(world.registry.kill)
    try:
        async with world.worker() as worker:
            await eventually(lambda: events(said, "registry.away"), "it says that the registry is away")
            assert not worker.ready.is_set()
            await asyncio.to_thread(world.registry.start)
            await world.ready(worker)
            async with RequestClient(world.settings()) as client:
                assert (await client.ask(absent("alice"), timeout_s=30))["status"] == "UNCHANGED"
    finally:
        if not world.registry.alive:
            await asyncio.to_thread(world.registry.start)
    assert events(said, "registry.away", "registry.back") == ["registry.away", "registry.back"]
    assert await world.dead_letters() == []


async def test_what_needs_an_absent_registry_waits_and_everybody_else_goes_on(world, said):
    """First it hangs, then it is gone; it comes back with what it knew."""
    waits, meanwhile, later, text = absent("alice"), absent("bob"), absent("carol"), older()
    async with world.serving() as client:
        number = world.register(world.topics.requests, text)
        world.registry.freeze()
        try:
            await send_bytes(client, waits, by_avro(text, number, waits))
            await eventually(lambda: events(said, "registry.away"), "it says that the registry is away")
            assert (await client.ask(meanwhile, timeout_s=30))["status"] == "UNCHANGED"
            await asyncio.to_thread(world.registry.kill)
            assert (await client.ask(later, timeout_s=30))["status"] == "UNCHANGED"
            assert waits["requestId"] not in client.replies
        finally:
            await asyncio.to_thread(world.registry.kill)
            await asyncio.to_thread(world.registry.start)
        assert (await client.reply(waits["requestId"], timeout_s=30))["status"] == "UNCHANGED"
    assert events(said, "registry.away", "registry.back") == ["registry.away", "registry.back"]
    assert await world.dead_letters() == []


async def test_an_id_that_is_not_known_yet_is_a_wait(world, said):
    waits, goes_on = absent("alice"), absent("bob")
    async with world.serving() as client:
        text = older()
        coming = world.register(f"probe-{uuid.uuid4().hex}", record_of_its_own()) + 1  # Apicurio counts
        await send_bytes(client, waits, by_avro(text, coming, waits))
        await eventually(lambda: events(said, "schema.unknown"), "it says that it does not know the id")
        assert (await client.ask(goes_on, timeout_s=30))["status"] == "UNCHANGED"
        assert waits["requestId"] not in client.replies
        assert world.register(world.topics.requests, text) == coming
        assert (await client.reply(waits["requestId"], timeout_s=30))["status"] == "UNCHANGED"
    assert events(said, "schema.unknown", "schema.known", "registry.away") == ["schema.unknown", "schema.known"]
    assert await world.dead_letters() == []


async def test_a_schema_of_something_else_is_a_dead_letter_with_its_reason(world):
    async with world.serving() as client:
        number = world.register(f"erp-{uuid.uuid4().hex}", record_of_its_own())
        await send_bytes(client, absent("alice"), b"\0" + number.to_bytes(4, "big") + b"\x02")
        await eventually(world.dead_letters, "it is buried")
        assert (await client.ask(absent("alice"), timeout_s=30))["status"] == "UNCHANGED"
    (letter,) = await world.dead_letters()
    assert b"not one of ours (Invoice)" in dict(letter.headers)["error-message"]


async def test_an_incompatible_schema_is_refused_with_our_explanation(world, monkeypatch):
    text = copy.deepcopy(schemas.current(REQUEST).text)
    text["fields"].append({"name": "costCentre", "type": "string"})
    world.register(world.topics.requests, text)
    world.rest("PUT", f"/config/{world.topics.requests}-value", compatibility="FULL_TRANSITIVE")
    says = f"{world.topics.requests}-value: costCentre is gone, and readers of version 1 need it; keep it"

    with pytest.raises(SchemaRefused) as refused:
        await Worker(world.settings()).run()
    assert str(refused.value) == says

    for name, value in {**world.environ, "SCHEMA_REGISTRY_URL": world.registry.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.folder)
    for command in ("check", "register"):
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["schemas", command])
        assert ran.exit_code == 1
        assert says in ran.stderr
    others = [subject.name for subject in subjects(world.topics) if subject.topic != world.topics.requests]
    assert not set(others) & set(world.rest("GET", "/subjects"))  # all or none


async def test_the_commands_register_everything_once(world, monkeypatch):
    for name, value in {**world.environ, "SCHEMA_REGISTRY_URL": world.registry.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.folder)
    wanted = [subject.name for subject in subjects(world.topics)]

    async def run(command):
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["schemas", command])
        assert (ran.exit_code, ran.stderr) == (0, "")
        return ran.stdout.splitlines()

    assert await run("check") == [f"{name}: new; `idhub-aws schemas register` creates it" for name in wanted]
    registered = await run("register")
    assert [line.partition(": id ")[0] for line in registered] == wanted
    assert await run("check") == [f"{name}: registered, 1 version" for name in wanted]
    assert await run("register") == registered
    assert {world.rest("GET", f"/config/{name}")["compatibilityLevel"] for name in wanted} == {"FULL_TRANSITIVE"}
    async with world.worker() as worker:
        await world.ready(worker)
    assert await run("check") == [f"{name}: registered, 1 version" for name in wanted]


async def test_the_commands_say_that_the_registry_is_away(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1/")
    ran = await asyncio.to_thread(CliRunner().invoke, app, ["schemas", "check"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("idhub-aws: the schema registry at http://127.0.0.1:1 does not answer")
    assert ran.stderr.count("\n") == 1
