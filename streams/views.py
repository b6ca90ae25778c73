"""Read a compacted partition to its end, and single records of it on demand.

One reader is one consumer without a group behind a lock: concurrent seeks on one consumer return wrong records
(seen: 50 of 50). "To the end" means that the position reached the read-committed end: behind the last record may
stand a transaction marker. Between reads the partition is paused: an idle fetch holds the connection for as long as
it waits, and the next read behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from .clients import end

POINT_FETCH_BYTES = 65_536
"""For single records: three times as many per second as with aiokafka's default of 1 MiB."""

FETCH_WAIT_MS = 20
"""How long the broker may hold a fetch that finds nothing, and with it the connection."""

NOTHING_YET_MS = 100
"""After so long without a record the reader looks whether it is at the end: there may be only markers."""

READ_DEADLINE_S = 10.0
"""How long a single record may take."""


class PartitionReader:
    """Reads any partition of any topic, read committed, one at a time."""

    def __init__(
        self, *, bootstrap_servers: str, fetch_bytes: int | None = None, client: dict[str, Any] | None = None
    ) -> None:
        arguments = {"bootstrap_servers": bootstrap_servers, "fetch_max_wait_ms": FETCH_WAIT_MS, **(client or {})}
        if fetch_bytes is not None:
            arguments["max_partition_fetch_bytes"] = fetch_bytes
        self._arguments = arguments
        self._consumer: Any = None
        self._assigned: Any = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect; may be called again after a failure.

        Raises:
            KafkaError: Kafka cannot be reached.
        """
        async with self._lock:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    isolation_level="read_committed",
                    **self._arguments,
                )
                try:
                    await consumer.start()
                except BaseException:
                    await end(consumer)
                    raise
                self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect; what reads at that moment fails."""
        consumer, self._consumer, self._assigned = self._consumer, None, None
        if consumer is not None:
            await end(consumer)

    async def has_topic(self, topic: str) -> bool:
        """Whether the topic exists now; asks Kafka for its metadata."""
        async with self._lock:
            return topic in await self._consumer.topics()

    async def read_to_end(self, topic: str, partition: int, offset: int, apply: Callable[[Iterable[Any]], None]) -> int:
        """Hand every record from `offset` to the present end to `apply`; returns the offset behind the end.

        An offset below the beginning of the partition starts at the beginning.

        Raises:
            LookupError: the partition ends before `offset`.
            KafkaError: Kafka refuses, or did not say in time where the end is.
        """
        async with self._lock, self._at(topic, partition, offset) as tp:
            end_offset = await self._end(tp)
            if end_offset < offset:
                raise _too_far(topic, partition, offset, end_offset)
            while await self._consumer.position(tp) < end_offset:
                for records in (await self._consumer.getmany(tp, timeout_ms=NOTHING_YET_MS)).values():
                    apply(records)
            reached: int = await self._consumer.position(tp)
            return reached

    async def read_at(self, topic: str, partition: int, offset: int, deadline_s: float = READ_DEADLINE_S) -> Any:
        """The record at this offset, or the first one behind it if it was compacted away; None if there is none.

        Waits for a transaction that is committed but whose marker is not yet written: until then the end that readers
        see is in front of its records.

        Raises:
            LookupError: the partition ends before `offset`.
            TimeoutError: Kafka did not answer in time, or the record's transaction stays open.
            KafkaError: Kafka refuses.
        """
        async with self._lock, asyncio.timeout(deadline_s), self._at(topic, partition, offset) as tp:
            while True:
                fetched = await self._consumer.getmany(tp, timeout_ms=NOTHING_YET_MS, max_records=1)
                for records in fetched.values():
                    if records[0].offset < offset:  # out of range: aiokafka has begun at the beginning
                        raise _too_far(topic, partition, offset, await self._end(tp))
                    return records[0]
                if offset < await self._end(tp) <= await self._consumer.position(tp):
                    return None

    @asynccontextmanager
    async def _at(self, topic: str, partition: int, offset: int) -> AsyncIterator[Any]:
        """Fetching from this offset on; paused afterwards."""
        tp = TopicPartition(topic, partition)
        if tp != self._assigned:
            self._consumer.assign([tp])
            self._assigned = tp
        self._consumer.seek(tp, offset)
        self._consumer.resume(tp)
        try:
            yield tp
        finally:
            if self._consumer is not None:
                self._consumer.pause(tp)

    async def _end(self, tp: Any) -> int:
        end_offset: int = (await self._consumer.end_offsets([tp]))[tp]
        return end_offset


def _too_far(topic: str, partition: int, offset: int, end_offset: int) -> LookupError:
    return LookupError(
        f"{topic}-{partition} ends at {end_offset}, before {offset}: it was made again or has lost its end; "
        "restart the worker, which reads it anew"
    )


class KeyedView:
    """The newest value per key of one compacted partition, in memory as bytes.

    The owner applies its own writes when their transaction committed and never waits to read them back.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition
        self.next_offset = 0
        self._values: dict[bytes, bytes] = {}

    async def catch_up(self, reader: PartitionReader) -> None:
        """Read from where this view last stood to the present end."""
        self.next_offset = await reader.read_to_end(self.topic, self.partition, self.next_offset, self._apply_all)

    def _apply_all(self, records: Iterable[Any]) -> None:
        for record in records:
            self.apply(record.key, record.value)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """One record: a value replaces, None (a tombstone) removes."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return self._values.items()

    def __len__(self) -> int:
        return len(self._values)


class IndexView:
    """Where the newest record per key stands in one compacted partition: a hash and an offset per key.

    Values are read on demand. The 16-byte hash is of the key; the reader of a value compares the key itself.
    """

    def __init__(self, topic: str, partition: int, digest: Callable[[bytes], bytes]) -> None:
        self.topic, self.partition = topic, partition
        self.next_offset = 0
        self._digest = digest
        self._offsets: dict[bytes, int] = {}

    async def catch_up(self, reader: PartitionReader, seen: Callable[[Any], None]) -> None:
        """Read from where this view last stood; `seen` is called with every record, for what else it carries."""

        def apply(records: Iterable[Any]) -> None:
            for record in records:
                self.apply(record.key, record.offset if record.value is not None else None)
                seen(record)

        self.next_offset = await reader.read_to_end(self.topic, self.partition, self.next_offset, apply)

    def apply(self, key: bytes, offset: int | None) -> None:
        """The newest record of this key stands at `offset`; None: it was removed."""
        digest = self._digest(key)
        if offset is None:
            self._offsets.pop(digest, None)
        elif offset >= self._offsets.get(digest, -1):
            self._offsets[digest] = offset

    def offset_of(self, key: bytes) -> int | None:
        """Where the newest record of this key stands; None: it has none."""
        return self._offsets.get(self._digest(key))

    async def read(self, key: bytes, reader: PartitionReader) -> bytes | None:
        """The newest value of this key, or None.

        Raises:
            LookupError: the partition has lost what this view knows of.
            TimeoutError: Kafka did not answer in time.
            KafkaError: Kafka refuses.
        """
        offset = self.offset_of(key)
        if offset is None:
            return None
        record = await reader.read_at(self.topic, self.partition, offset)
        return record.value if record is not None and record.key == key else None

    def __len__(self) -> int:
        return len(self._offsets)
