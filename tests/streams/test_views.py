"""Views of compacted partitions on a real Kafka: to the end and no further, point reads, catching up."""

import asyncio
from hashlib import blake2b

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.publish import Message, PartitionWriter
from streams.views import POINT_FETCH_BYTES, IndexView, KeyedView, PartitionReader
from tests.support.kafka import make_topic, read_topic
from tests.support.wait import eventually

# Every record rolls a segment, and the cleaner looks at it at once.
COMPACTED_AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "1",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "1",
    "delete.retention.ms": "0",
}


def digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()


@pytest.fixture
async def topic(kafka, new_name):
    return await make_topic(kafka.bootstrap, new_name("viewed"), 2, {"cleanup.policy": "compact,delete"})


@pytest.fixture
async def reader(kafka):
    reader = PartitionReader(bootstrap_servers=kafka.bootstrap)
    await reader.start()
    yield reader
    await reader.stop()


@pytest.fixture
async def writer(kafka, new_name):
    writer = PartitionWriter(
        bootstrap_servers=kafka.bootstrap, transactional_id=new_name("views"), transaction_timeout_s=30.0
    )
    await writer.start()
    yield writer
    await writer.stop()


def message(topic, key, value, partition=0):
    return Message(topic, key.encode(), value.encode() if value is not None else None, partition=partition)


async def abort(kafka, new_name, topic, *values):
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=new_name("aborts")) as producer:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, key=b"aborted", partition=0)
        await producer.abort_transaction()


async def test_a_keyed_view_holds_the_newest_values_and_reads_on_from_where_it_stood(kafka, topic, reader, writer):
    view = KeyedView(topic, 0)
    await view.catch_up(reader)
    assert (len(view), view.next_offset) == (0, 0)
    await writer.write([message(topic, "a", "1"), message(topic, "b", "1"), message(topic, "other", "1", partition=1)])
    await writer.write([message(topic, "a", "2"), message(topic, "b", None)])
    await eventually_at(kafka, topic, 6)
    await view.catch_up(reader)
    assert dict(view.items()) == {b"a": b"2"}
    assert view.next_offset == 6  # four records, two markers
    await writer.write([message(topic, "c", "1")])
    await eventually_at(kafka, topic, 8)
    applied = []
    assert await reader.read_to_end(topic, 0, view.next_offset, applied.extend) == 8
    assert [record.key for record in applied] == [b"c"]
    view.apply(b"c", b"1")
    view.apply(b"a", None)
    await view.catch_up(reader)  # reads what it applied itself once more
    assert dict(view.items()) == {b"c": b"1"}


async def eventually_at(kafka, topic, offset):
    """Until the markers of committed transactions are written, which happens a moment later."""
    reader = PartitionReader(bootstrap_servers=kafka.bootstrap)
    await reader.start()

    async def there():
        return await reader.read_to_end(topic, 0, 0, lambda _: None) == offset

    try:
        await eventually(there, f"{topic} ends at {offset}")
    finally:
        await reader.stop()


async def test_the_end_is_behind_markers_and_aborted_records(kafka, topic, reader, writer, new_name):
    await writer.write([message(topic, "a", "1")])
    await abort(kafka, new_name, topic, b"x", b"y")
    await eventually_at(kafka, topic, 5)
    view = KeyedView(topic, 0)
    await view.catch_up(reader)
    assert dict(view.items()) == {b"a": b"1"}
    assert view.next_offset == 5
    await view.catch_up(reader)
    assert view.next_offset == 5


async def test_an_open_transaction_is_not_waited_for(kafka, topic, reader, writer, new_name):
    await writer.write([message(topic, "a", "1")])
    await eventually_at(kafka, topic, 2)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=new_name("open")) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", key=b"k", partition=0)
        view = KeyedView(topic, 0)
        await asyncio.wait_for(view.catch_up(reader), 10)
        assert (dict(view.items()), view.next_offset) == ({b"a": b"1"}, 2)
        with pytest.raises(TimeoutError):
            await reader.read_at(topic, 0, 2, deadline_s=0.3)
        await producer.abort_transaction()


async def test_a_view_of_a_compacted_topic_is_right_after_compaction(kafka, reader, writer, new_name):
    topic = await make_topic(kafka.bootstrap, new_name("compacted"), 1, COMPACTED_AT_ONCE)
    offsets = {}
    for n in range(12):
        (offsets[n],) = await writer.write([message(topic, f"key {n % 4}", f"value {n}")])
    await writer.write([message(topic, "key 0", None)])
    index = IndexView(topic, 0, digest)
    await index.catch_up(reader, lambda _: None)

    async def compacted():
        await writer.write([message(topic, "rolls the segment", "x")])
        return len(await read_topic(kafka.bootstrap, topic)) < 10

    await eventually(compacted, "the cleaner has been here", 60)
    view, fresh, seen = KeyedView(topic, 0), IndexView(topic, 0, digest), []
    await view.catch_up(reader)
    await fresh.catch_up(reader, seen.append)
    expected = {b"key 1": b"value 9", b"key 2": b"value 10", b"key 3": b"value 11"}
    assert dict(view.items()) == expected | {b"rolls the segment": b"x"}
    assert len(seen) < 14
    for key, value in expected.items():
        assert fresh.offset_of(key) == index.offset_of(key) == offsets[int(value[6:])]
        assert await fresh.read(key, reader) == value
    assert await fresh.read(b"key 0", reader) is None
    record = await reader.read_at(topic, 0, offsets[0])  # compacted away: the first one behind it
    assert record.offset > offsets[0]


async def test_fifty_readers_at_once_get_what_they_asked_for(kafka, topic, writer):
    (offsets,) = await asyncio.gather(writer.write([message(topic, f"key {n}", f"value {n}") for n in range(300)]))
    index = IndexView(topic, 0, digest)
    for n, offset in enumerate(offsets):
        index.apply(b"key %d" % n, offset)
    reader = PartitionReader(bootstrap_servers=kafka.bootstrap, fetch_bytes=POINT_FETCH_BYTES)
    await reader.start()
    wanted = [(n * 7) % 300 for n in range(500)]

    async def read_some(these):
        return [(n, await index.read(b"key %d" % n, reader)) for n in these]

    found = await asyncio.gather(*(read_some(wanted[start::50]) for start in range(50)))
    await reader.stop()
    assert len([pair for part in found for pair in part]) == 500
    assert all(value == b"value %d" % n for part in found for n, value in part)
    assert await index.read(b"never written", reader) is None


async def test_what_was_just_committed_can_be_read_at_once(topic, reader, writer):
    """The end of a transaction is acknowledged before its marker is written: a reader must not take that for nothing."""
    index = IndexView(topic, 0, digest)
    for n in range(60):
        (offset,) = await writer.write([message(topic, "key", f"value {n}")])
        index.apply(b"key", offset)
        assert await index.read(b"key", reader) == b"value %d" % n


async def test_a_record_that_is_not_there(kafka, topic, reader, writer):
    offsets = await writer.write([message(topic, f"key {n}", "v") for n in range(5)])
    await eventually_at(kafka, topic, 6)
    assert await reader.read_at(topic, 0, 5) is None  # the marker; nothing behind it
    with pytest.raises(LookupError, match="ends at 6, before 50"):
        await reader.read_at(topic, 0, 50)
    with pytest.raises(LookupError, match="ends at 6, before 50"):
        await reader.read_to_end(topic, 0, 50, print)
    assert (await reader.read_at(topic, 0, offsets[3])).key == b"key 3"  # and the reader is as good as new
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=3)})
    await admin.close()
    assert (await reader.read_at(topic, 0, 0)).offset == 3
    view = KeyedView(topic, 0)
    await view.catch_up(reader)
    assert set(dict(view.items())) == {b"key 3", b"key 4"}


async def test_a_key_with_the_same_hash_is_told_apart(topic, reader, writer):
    (offset,) = await writer.write([message(topic, "one", "v")])
    index = IndexView(topic, 0, lambda _key: b"all the same")
    index.apply(b"one", offset)
    assert await index.read(b"another", reader) is None
    assert await index.read(b"one", reader) == b"v"


def test_an_index_never_goes_back():
    index = IndexView("t", 0, digest)
    index.apply(b"k", 7)
    index.apply(b"k", 5)  # its own older write, read again
    assert index.offset_of(b"k") == 7
    index.apply(b"k", None)
    assert index.offset_of(b"k") is None
    assert len(index) == 0


async def test_a_reader_between_topics_and_readers_waits_for_nobody(kafka, topic, reader, writer, new_name):
    """Two hundred changes of partition: each would cost up to half a second behind an idle fetch."""
    other = await make_topic(kafka.bootstrap, new_name("other"))
    await writer.write([message(topic, "k", "0"), message(topic, "k", "1", partition=1), message(other, "k", "2")])

    async def go_round():
        for _ in range(70):
            for n, (name, partition) in enumerate(((topic, 0), (topic, 1), (other, 0))):
                records = []
                await reader.read_to_end(name, partition, 0, records.extend)
                assert [record.value for record in records] == [b"%d" % n]

    await eventually_at(kafka, other, 2)
    await asyncio.wait_for(go_round(), 30)


async def test_a_broker_that_comes_back_is_read_on(kafka_to_break, new_name):
    topic = await make_topic(kafka_to_break.bootstrap, new_name("viewed"))
    async with AIOKafkaProducer(bootstrap_servers=kafka_to_break.bootstrap) as producer:
        await producer.send_and_wait(topic, b"v", key=b"k")
    reader = PartitionReader(bootstrap_servers=kafka_to_break.bootstrap)
    await reader.start()
    view = KeyedView(topic, 0)
    await view.catch_up(reader)
    await asyncio.to_thread(kafka_to_break.kill)
    catching_up = asyncio.create_task(view.catch_up(reader))
    await asyncio.to_thread(kafka_to_break.start)
    await catching_up
    assert (await reader.read_at(topic, 0, 0)).value == b"v"
    await reader.stop()
    await asyncio.to_thread(kafka_to_break.kill)
    before = asyncio.all_tasks()
    with pytest.raises(Exception, match="bootstrap"):
        await reader.start()
    await reader.stop()
    assert asyncio.all_tasks() == before
