"""The tests' Kafka: one real broker per run, or the one that KAFKA_BOOTSTRAP_SERVERS names; and a few words to use it.

Whoever wants to kill, freeze or restart a broker asks for `kafka_to_break`: the shared one belongs to everybody. Topics
are told apart by name (`new_name`), so that tests do not meet on a broker that outlives them.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from sandbox.kafka import KafkaBroker


@dataclass(frozen=True, slots=True)
class SharedKafka:
    """Where the run's broker is."""

    bootstrap: str


@pytest.fixture(scope="session")
def kafka() -> Iterator[SharedKafka]:
    """The run's broker. Not to be stopped: `kafka_to_break` is."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield SharedKafka(given)
        return
    with KafkaBroker() as broker:
        yield SharedKafka(broker.bootstrap)


@pytest.fixture
def kafka_to_break() -> Iterator[KafkaBroker]:
    """A started broker of this test's own, always from the sandbox."""
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture
def new_name() -> Callable[[str], str]:
    """Makes names of topics, groups and transactional ids that nobody else has."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:12]}"


async def make_topic(bootstrap: str, topic: str, partitions: int = 1, configs: Mapping[str, str] | None = None) -> str:
    """Creates a topic and returns its name; the broker's refusal is raised."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(configs or {}))])
        for _, code, message in answer.topic_errors:
            if code:
                raise for_code(code)(message)
    finally:
        await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, *values: bytes, key: bytes | None = None) -> None:
    """Appends the values in order, acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=key)


async def read_topic(bootstrap: str, topic: str, *, isolation_level: str = "read_committed") -> list[Any]:
    """Every record that the topic holds now, partition by partition, in offset order."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level=isolation_level, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        # With read_committed this end is the last stable offset, so an open transaction is not waited for.
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[Any] = []
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(batch)
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()
