"""The writer of a partition on a real Kafka: many outcomes in one transaction, all or nothing, fenced."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)

from streams.publish import Message, PartitionWriter, WriteRefused, WriterLost
from tests.support.kafka import make_topic, read_topic
from tests.support.wait import eventually

QUICKLY_S = 10.0
"""Far less than the timeouts that would otherwise be waited for."""


@pytest.fixture
async def make_writer(new_name):
    writers = []

    async def make(bootstrap, *, name=None, timeout_s=30.0, start=True, **arguments):
        writer = PartitionWriter(
            bootstrap_servers=bootstrap,
            transactional_id=name or new_name("writer"),
            transaction_timeout_s=timeout_s,
            **arguments,
        )
        writers.append(writer)
        if start:
            await writer.start()
        return writer

    yield make
    for writer in writers:
        await writer.stop()


@pytest.fixture
async def topic(kafka, new_name):
    return await make_topic(kafka.bootstrap, new_name("written"), 2)


async def assert_readable(bootstrap, topic, *expected):
    """A moment after the commit, when the transaction's marker is written, readers see this and nothing else."""
    seen = []

    async def readable():
        seen[:] = [record.value for record in await read_topic(bootstrap, topic)]
        return len(seen) >= len(expected)

    await eventually(readable, f"{len(expected)} records in {topic}")
    assert seen == list(expected)


async def queued(writer):
    while not writer._queue:
        await asyncio.sleep(0)


async def test_a_batch_is_readable_when_write_returns_and_its_offsets_are_told(kafka, topic, make_writer):
    writer = await make_writer(kafka.bootstrap)
    messages = [
        Message(topic, b"k", b"one", (("h", b"1"),), partition=0),
        Message(topic, b"k", None, partition=1),
        Message(topic, b"k", b"two", partition=0),
    ]
    offsets = await writer.write(messages)

    async def readable():
        return len(await read_topic(kafka.bootstrap, topic)) == 3

    await eventually(readable, "the three records")
    records = await read_topic(kafka.bootstrap, topic)
    assert [(r.partition, r.offset, r.value) for r in records] == [
        (0, offsets[0], b"one"),
        (0, offsets[2], b"two"),
        (1, offsets[1], None),
    ]
    assert records[0].headers == (("h", b"1"),)
    assert await writer.write([]) == []


async def test_many_outcomes_share_few_transactions_and_keep_their_order(kafka, topic, make_writer):
    writer = await make_writer(kafka.bootstrap)
    await asyncio.gather(*(writer.write([Message(topic, b"k", b"%d" % n, partition=0)]) for n in range(1_000)))
    await assert_readable(kafka.bootstrap, topic, *(b"%d" % n for n in range(1_000)))
    records = await read_topic(kafka.bootstrap, topic)
    markers = records[-1].offset + 1 - len(records)  # every transaction but the last left its marker in between
    assert markers < 50


async def test_a_refused_record_takes_nothing_with_it_and_the_writer_lives_on(kafka, topic, new_name, make_writer):
    small = await make_topic(kafka.bootstrap, new_name("small"), 1, {"max.message.bytes": "1000"})
    writer = await make_writer(kafka.bootstrap)
    too_large = Message(small, b"k", b"x" * 2_000)

    def outcome(n):
        good = [Message(topic, b"k", b"%d" % n, partition=0), Message(small, b"k", b"%d" % n)]
        return [*good, too_large] if n in (0, 37, 38, 99) else good

    results = await asyncio.gather(*(writer.write(outcome(n)) for n in range(100)), return_exceptions=True)
    refused = {n: result for n, result in enumerate(results) if isinstance(result, BaseException)}
    assert set(refused) == {0, 37, 38, 99}
    for refusal in refused.values():
        assert isinstance(refusal, WriteRefused)
        assert isinstance(refusal.cause, MessageSizeTooLargeError)
        assert refusal.message == too_large
    # The sequence of the partition that refused goes on too.
    await writer.write([Message(small, b"k", b"after"), Message(topic, b"k", b"after", partition=0)])
    expected = [b"%d" % n for n in range(100) if n not in refused] + [b"after"]
    for name in (topic, small):
        await assert_readable(kafka.bootstrap, name, *expected)


async def test_what_is_refused_without_asking_kafka(kafka, topic, new_name, make_writer):
    writer = await make_writer(kafka.bootstrap, max_record_bytes=1_000)
    for message, cause in (
        (Message(topic, b"k", b"x" * 1_000, partition=0), MessageSizeTooLargeError),
        (Message(topic, b"k", b"", (("h", b"x" * 1_000),), partition=0), MessageSizeTooLargeError),
        (Message(topic, b"k", b"v", partition=7), UnknownTopicOrPartitionError),
        (Message(new_name("nobody-made-this"), b"k", b"v"), UnknownTopicOrPartitionError),
    ):
        with pytest.raises(WriteRefused) as refusal:
            await asyncio.wait_for(writer.write([Message(topic, b"k", b"v", partition=0), message]), QUICKLY_S)
        assert isinstance(refusal.value.cause, cause)
        assert refusal.value.message == message
    await writer.write([Message(topic, b"k", b"good", partition=0)])
    await assert_readable(kafka.bootstrap, topic, b"good")


async def test_an_unknown_topic_holds_up_nobody_and_is_not_kept_in_mind(kafka, topic, new_name, make_writer):
    writer = await make_writer(kafka.bootstrap)
    unknown = [new_name("unknown") for _ in range(20)]
    results = await asyncio.wait_for(
        asyncio.gather(
            *(writer.write([Message(name, b"k", b"v")]) for name in unknown),
            *(writer.write([Message(topic, b"k", b"v", partition=0)]) for _ in unknown),
            return_exceptions=True,
        ),
        QUICKLY_S,
    )
    assert [type(result) for result in results] == [WriteRefused] * 20 + [list] * 20
    assert not set(unknown) & set(writer._producer.client._topics)
    late = await make_topic(kafka.bootstrap, unknown[0])
    assert await writer.write([Message(late, b"k", b"v")]) == [0]


async def test_a_fenced_writer_is_lost_and_nobody_sees_its_records(kafka, topic, new_name, make_writer):
    name = new_name("shared")
    first = await make_writer(kafka.bootstrap, name=name)
    await first.write([Message(topic, b"k", b"first", partition=0)])
    second = await make_writer(kafka.bootstrap, name=name)
    results = await asyncio.gather(
        *(first.write([Message(topic, b"k", b"fenced", partition=0)]) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [WriterLost] * 3
    with pytest.raises(WriterLost, match="ProducerFenced"):
        await first.write([Message(topic, b"k", b"fenced", partition=0)])
    await second.write([Message(topic, b"k", b"second", partition=0)])
    await assert_readable(kafka.bootstrap, topic, b"first", b"second")


async def test_a_successor_aborts_what_its_predecessor_left_open(kafka, topic, new_name, make_writer):
    name = new_name("left-open")
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name) as left:
        await left.begin_transaction()
        await left.send_and_wait(topic, b"open", key=b"k", partition=0)
        successor = await make_writer(kafka.bootstrap, name=name)
        await successor.write([Message(topic, b"k", b"v", partition=0)])
        await assert_readable(kafka.bootstrap, topic, b"v")


async def test_before_the_start_and_after_the_stop_nothing_is_written(kafka, topic, make_writer):
    writer = await make_writer(kafka.bootstrap, start=False)
    with pytest.raises(WriterLost, match="not started"):
        await writer.write([Message(topic, b"k", b"v", partition=0)])
    await writer.start()
    writing = [asyncio.create_task(writer.write([Message(topic, b"k", b"v", partition=0)])) for _ in range(5)]
    await asyncio.gather(writing[0])
    late = asyncio.create_task(writer.write([Message(topic, b"k", b"late", partition=0)]))
    await queued(writer)
    await writer.stop()
    with pytest.raises(WriterLost, match="stopped"):
        await late
    with pytest.raises(WriterLost, match="stopped"):
        await writer.write([Message(topic, b"k", b"v", partition=0)])
    await assert_readable(kafka.bootstrap, topic, *[b"v"] * 5)


async def test_nobody_waits_for_a_batch_whose_writer_was_cancelled(kafka, topic, make_writer):
    writer = await make_writer(kafka.bootstrap)
    await writer.write([Message(topic, b"k", b"first", partition=0)])
    given_up = asyncio.create_task(writer.write([Message(topic, b"k", b"given up", partition=0)]))
    await queued(writer)
    given_up.cancel()
    await writer.write([Message(topic, b"k", b"next", partition=0)])
    await assert_readable(kafka.bootstrap, topic, b"first", b"next")


async def test_a_topic_that_is_deleted_under_it_loses_the_writer_within_the_timeout(kafka, topic, make_writer):
    writer = await make_writer(kafka.bootstrap, timeout_s=2.0)
    await writer.write([Message(topic, b"k", b"v", partition=0)])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()

    async def write_until_it_is_gone():
        while True:
            await writer.write([Message(topic, b"k", b"v", partition=0)])

    with pytest.raises((WriterLost, WriteRefused)):
        await asyncio.wait_for(write_until_it_is_gone(), QUICKLY_S)


async def test_a_frozen_broker_loses_the_writer_and_leaves_no_task_behind(kafka_to_break, new_name, make_writer):
    topic = await make_topic(kafka_to_break.bootstrap, new_name("written"))
    name = new_name("frozen")
    before = asyncio.all_tasks()
    writer = await make_writer(kafka_to_break.bootstrap, name=name, timeout_s=2.0)
    await writer.write([Message(topic, b"k", b"v")])
    kafka_to_break.freeze()
    with pytest.raises(WriterLost, match="TimeoutError"):
        await asyncio.wait_for(writer.write([Message(topic, b"k", b"lost")]), QUICKLY_S)
    await asyncio.wait_for(writer.stop(), QUICKLY_S)
    assert asyncio.all_tasks() == before
    with pytest.raises((KafkaConnectionError, TimeoutError)):
        await asyncio.wait_for(make_writer(kafka_to_break.bootstrap, name=name, timeout_s=1.0), QUICKLY_S)
    kafka_to_break.thaw()
    successor = await make_writer(kafka_to_break.bootstrap, name=name)
    await successor.write([Message(topic, b"k", b"after")])
    await assert_readable(kafka_to_break.bootstrap, topic, b"v", b"after")


async def test_a_broker_that_is_killed_and_comes_back_is_waited_for(kafka_to_break, new_name, make_writer):
    topic = await make_topic(kafka_to_break.bootstrap, new_name("written"))
    writer = await make_writer(kafka_to_break.bootstrap)
    await writer.write([Message(topic, b"k", b"before")])
    await asyncio.to_thread(kafka_to_break.kill)
    writing = asyncio.create_task(writer.write([Message(topic, b"k", b"during")]))
    await asyncio.to_thread(kafka_to_break.start)
    await writing
    await assert_readable(kafka_to_break.bootstrap, topic, b"before", b"during")
