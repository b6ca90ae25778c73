"""A small world for the lanes on a real Kafka: two co-partitioned topics in, a ledger and outcomes out.

The handler does what a record's value says: `hold` waits until the test lets go, `park`, `dead` and `break` are the
other answers, everything else is done at once. Every outcome is one transaction of a ledger entry and an outcome.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from streams.lanes import Answer, DeadLetter, Delivery, Done, Epoch, LaneConsumer, LaneSettings, Leave, Park, Reopen
from streams.publish import Message, PartitionWriter, WriterLost
from streams.views import KeyedView, PartitionReader
from tests.support.kafka import make_topic, read_topic
from tests.support.wait import eventually

SETTINGS = LaneSettings(
    bootstrap_servers="",
    group="",
    topics=(),
    session_timeout_s=2.0,
    rebalance_timeout_s=4.0,
    call_timeout_s=0.5,
    tick_s=0.1,
    drain_s=2.0,
)


class LaneWorld:
    """Topics of its own, the workers on them, and what they did."""

    def __init__(self, bootstrap: str, name: str, partitions: int) -> None:
        self.bootstrap, self.partitions = bootstrap, partitions
        self.requests, self.refreshes = f"{name}-requests", f"{name}-refreshes"
        self.ledger, self.outcomes = f"{name}-ledger", f"{name}-outcomes"
        self.settings = replace(
            SETTINGS, bootstrap_servers=bootstrap, group=name, topics=(self.requests, self.refreshes)
        )
        self.let_go = asyncio.Event()
        self.began: list[tuple[str, Any]] = []
        self.ended: list[tuple[str, Any]] = []
        self.works: list[LedgerWork] = []
        self.gate_failures = 0
        self.workers: dict[LaneConsumer, asyncio.Task[None]] = {}
        self.names: dict[LaneConsumer, str] = {}

    async def make_topics(self) -> None:
        for topic in (self.requests, self.refreshes, self.outcomes):
            await make_topic(self.bootstrap, topic, self.partitions)
        await make_topic(self.bootstrap, self.ledger, self.partitions, {"cleanup.policy": "compact"})

    # -- workers ------------------------------------------------------------------------------------------

    def start(self, name: str = "worker", **changes: Any) -> LaneConsumer:
        lanes = LaneConsumer(replace(self.settings, **changes), lambda epoch: LedgerWork(self, name, epoch))
        self.workers[lanes] = asyncio.create_task(lanes.run())
        self.names[lanes] = name
        return lanes

    async def started(self, name: str = "worker", **changes: Any) -> LaneConsumer:
        """A worker with all of its gates open."""
        lanes = self.start(name, **changes)
        await eventually(lambda: lanes.status() and all(row["open"] for row in lanes.status()), f"{name} is open")
        return lanes

    async def stopped(self, lanes: LaneConsumer) -> None:
        lanes.stop()
        await self.workers.pop(lanes)

    async def end(self) -> None:
        for lanes in self.workers:
            lanes.stop()
        for task in self.workers.values():
            await task

    def partitions_of(self, lanes: LaneConsumer) -> set[int]:
        return {row["partition"] for row in lanes.status() if row["open"]}

    # -- records ------------------------------------------------------------------------------------------

    async def send(self, topic: str, *records: tuple[int, str, str]) -> None:
        """Partition, key, value; acknowledged, in order."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True) as producer:
            for partition, key, value in records:
                await producer.send(topic, value.encode(), key=key.encode(), partition=partition)

    def handled(self, value: str | None = None) -> list[Any]:
        """Records whose handler began, in order; all, or those with this value."""
        return [record for _, record in self.began if value is None or record.value == value.encode()]

    async def outcome_values(self) -> list[str]:
        """What readers of the outcomes see: topic, partition and offset of the record of each."""
        return [record.value.decode() for record in await read_topic(self.bootstrap, self.outcomes)]

    async def finished(self, count: int, within_s: float = 30.0) -> list[str]:
        """The outcomes, when there are at least so many."""

        async def enough() -> list[str] | None:
            values = await self.outcome_values()
            return values if len(values) >= count else None

        values: list[str] = await eventually(enough, f"{count} outcomes", within_s)
        return values

    async def committed(self, lanes: LaneConsumer) -> dict[tuple[str, int], int | None]:
        """What the group has committed, by topic and partition."""
        return {
            (topic, n): await lanes._consumer.committed(TopicPartition(topic, n))
            for topic in self.settings.topics
            for n in range(self.partitions)
        }


class LedgerWork:
    """One epoch of one partition."""

    def __init__(self, world: LaneWorld, worker: str, epoch: Epoch) -> None:
        self.world, self.worker, self.epoch = world, worker, epoch
        self.may_call_when_opened: bool | None = None
        self.opened = self.closed = False
        self.view = KeyedView(world.ledger, epoch.partition)
        self.writer = PartitionWriter(
            bootstrap_servers=world.bootstrap,
            transactional_id=f"{world.settings.group}-{epoch.partition}",
            transaction_timeout_s=60.0,
            patience_s=world.settings.session_timeout_s,
        )
        world.works.append(self)

    async def open(self, positions: Mapping[str, int]) -> None:
        assert set(positions) == set(self.world.settings.topics)
        await self.writer.start()
        if self.world.gate_failures:
            self.world.gate_failures -= 1
            raise OSError("the views cannot be read")
        reader = PartitionReader(bootstrap_servers=self.world.bootstrap)
        await reader.start()
        try:
            await self.view.catch_up(reader)
        finally:
            await reader.stop()
        self.opened = True

    def is_finished(self, record: Any) -> bool:
        return self.view.get(self._ledger_key(record)) is not None

    @staticmethod
    def _ledger_key(record: Any) -> bytes:
        return f"{record.topic}|{record.offset}".encode()

    async def handle(self, delivery: Delivery) -> Answer:
        record = delivery.record
        self.world.began.append((self.worker, record))
        match record.value:
            case b"hold":
                await self.world.let_go.wait()
            case b"park" if delivery.memo is None:
                delivery.memo = "parked"
                return Park(0.05, "asked to")
            case b"dead":
                return DeadLetter("DECODE", "Nonsense", "not readable")
            case b"break":
                raise ValueError("a bug")
        return await self._finish(record)

    async def bury(self, delivery: Delivery, reason: DeadLetter) -> None:
        await self._write(delivery.record, f"dead {reason.error_class}")

    async def _finish(self, record: Any) -> Answer:
        try:
            await self._write(record, "done")
        except WriterLost as error:
            if self.epoch.is_over():
                return Leave()
            raise Reopen(str(error)) from error
        self.world.ended.append((self.worker, record))
        return Done()

    async def _write(self, record: Any, how: str) -> None:
        n = self.epoch.partition
        text = f"{how} {record.topic.rpartition('-')[2]} {n} {record.offset}".encode()
        await self.writer.write(
            [
                Message(self.world.ledger, self._ledger_key(record), text, partition=n),
                Message(self.world.outcomes, record.key, text, partition=n),
            ]
        )

    async def close(self) -> None:
        assert not self.closed
        self.closed = True
        await self.writer.stop()


def in_order(values: Iterable[str]) -> list[tuple[str, int, int]]:
    """Outcomes as (topic, partition, offset)."""
    return [(topic, int(n), int(offset)) for *_, topic, n, offset in (value.split() for value in values)]
