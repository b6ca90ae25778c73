"""A simulated Kafka for the lanes: logs with gaps, one consumer group with eager rebalances, sessions and outages.

It behaves as aiokafka does where that matters: a commit is repeated until it is answered, under whatever generation
its member has by then; revocation callbacks are awaited, assignment callbacks too; `pause` is forgotten at each
assignment; a partition that is not assigned raises IllegalStateError. A commit that is accepted is checked at once.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError


@dataclass(frozen=True, slots=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None = b""


@dataclass(slots=True)
class Log:
    """A topic-partition: visible records, and the end behind which nothing is readable yet."""

    records: list[Record] = field(default_factory=list)
    end: int = 0

    def read(self, position: int, at_most: int) -> tuple[list[Record], int]:
        """Records from a position on, and the position behind them, which passes gaps as Kafka does."""
        first = bisect_left(self.records, position, key=lambda record: record.offset)
        found = self.records[first : first + at_most]
        return found, found[-1].offset + 1 if len(found) == at_most else self.end


class SimKafka:
    """The broker: logs, committed offsets, and the members of one group."""

    def __init__(
        self,
        *,
        topics: tuple[str, ...],
        partitions: int,
        session_s: float,
        rebalance_s: float,
        heartbeat_s: float,
        random: Random,
        committing: Callable[[str, TopicPartition, int], None],
    ) -> None:
        self.topics, self.partitions = topics, partitions
        self.session_s, self.rebalance_s, self.heartbeat_s = session_s, rebalance_s, heartbeat_s
        self.random = random
        self.logs = {TopicPartition(topic, n): Log() for topic in topics for n in range(partitions)}
        self.committed: dict[TopicPartition, int] = {}
        self.members: list[SimConsumer] = []
        self.generation = 0
        self.appended = asyncio.Event()
        self.back = asyncio.Event()
        self.back.set()
        self._committing = committing
        self._needed = asyncio.Event()
        self.failures: list[BaseException | None] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.spawn(self._coordinate())

    def append(self, topic: str, partition: int, key: bytes, gap: int = 0) -> Record:
        """One record; `gap` offsets before it hold nothing that a consumer sees."""
        log = self.logs[TopicPartition(topic, partition)]
        record = Record(topic, partition, log.end + gap, key)
        log.records.append(record)
        log.end = record.offset + 1
        self._wake()
        return record

    def mark(self, topic: str, partition: int) -> None:
        """A transaction marker at the end."""
        self.logs[TopicPartition(topic, partition)].end += 1
        self._wake()

    def _wake(self) -> None:
        self.appended.set()
        self.appended = asyncio.Event()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failures.append(task.exception())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    # -- the group ----------------------------------------------------------------------------------------

    def join(self, member: "SimConsumer") -> None:
        self.members.append(member)
        self._needed.set()

    def leave(self, member: "SimConsumer") -> None:
        if member in self.members:
            self.members.remove(member)
            member.owned = set()
            self._needed.set()

    def rebalance(self) -> None:
        """For whatever reason: everybody joins again."""
        self._needed.set()

    async def _coordinate(self) -> None:
        while True:
            await self._needed.wait()
            await self._rejoin()
            self.generation += 1
            for position, member in enumerate(self.members):
                share = [n for n in range(self.partitions) if n % len(self.members) == position]
                member.owned = {TopicPartition(topic, n) for topic in self.topics for n in share}
                self.spawn(member.take(self.generation))

    async def _rejoin(self) -> None:
        """Until every member has given back what it had; who is late is put out."""
        deadline = asyncio.get_running_loop().time() + self.rebalance_s
        rejoining: dict[SimConsumer, asyncio.Task[None]] = {}
        while True:
            self._needed.clear()
            for member in self.members:
                if member not in rejoining:
                    rejoining[member] = self.spawn(member.give_back())
            waited_for = [task for member, task in rejoining.items() if member in self.members and not task.done()]
            if not waited_for:
                return
            if asyncio.get_running_loop().time() > deadline:
                for member, task in rejoining.items():
                    if not task.done():
                        self.leave(member)
            else:
                await asyncio.wait(waited_for, timeout=0.05)

    def commit(self, member: "SimConsumer", offsets: dict[TopicPartition, int]) -> None:
        if member not in self.members or member.generation != self.generation:
            raise CommitFailedError("not a member of this generation")
        for tp, offset in offsets.items():
            self._committing(member.host.name, tp, offset)
            self.committed[tp] = offset


class Host:
    """The machine that a worker runs on: it can be cut off for a while, or killed."""

    def __init__(self, kafka: SimKafka, name: str) -> None:
        self.kafka, self.name = kafka, name
        self.reachable = asyncio.Event()
        self.reachable.set()
        self.dead = False
        self.consumer: SimConsumer | None = None
        self._silences = 0

    def make_consumer(self) -> "SimConsumer":
        self.consumer = SimConsumer(self)
        return self.consumer

    def owns(self, partition: int) -> bool:
        """Whether the group still counts this worker as the partition's owner."""
        return self.consumer is not None and TopicPartition(self.kafka.topics[0], partition) in self.consumer.owned

    def cut(self, for_s: float) -> None:
        """It reaches nobody for a while, and does not know it."""
        if not self.dead:
            self._fall_silent()
            silence = self._silences
            asyncio.get_running_loop().call_later(for_s, lambda: self._silences == silence and self._mend())

    def kill(self) -> None:
        """SIGKILL: nothing that it still does reaches anybody."""
        self.dead = True
        self._fall_silent()

    def _fall_silent(self) -> None:
        self.reachable.clear()
        self._silences += 1
        self.kafka.spawn(self._session(self._silences))

    async def _session(self, silence: int) -> None:
        await asyncio.sleep(self.kafka.session_s)
        if not self.reachable.is_set() and self._silences == silence and self.consumer is not None:
            self.kafka.leave(self.consumer)

    def _mend(self) -> None:
        if not self.dead:
            self.reachable.set()
            if self.consumer is not None:
                self.kafka.spawn(self.consumer.join_again())


class SimConsumer:
    """As much of AIOKafkaConsumer as the lanes use."""

    _fetcher = _coordinator = None  # what `streams.clients.broken` looks at

    def __init__(self, host: Host) -> None:
        self.host, self.kafka = host, host.kafka
        self.owned: set[TopicPartition] = set()
        self.generation = -1
        self._started = self._stopped = False
        self._joins = 0
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._assigned = asyncio.Event()
        self._listener: Any = None
        self._revocation: asyncio.Task[None] | None = None

    # -- what the group does with it ----------------------------------------------------------------------

    async def join_again(self) -> None:
        """Back after its session was over: revoke, and join as new."""
        if self._started and not self._stopped and self not in self.kafka.members:
            await self.give_back()
            if not self._stopped and self not in self.kafka.members:
                self.kafka.join(self)

    async def give_back(self) -> None:
        """The heartbeat says that the group rebalances: revoke, and join again."""
        self._joins += 1
        if self._revocation is None:
            self._revocation = self.kafka.spawn(self._revoke())
        await asyncio.shield(self._revocation)

    async def _revoke(self) -> None:
        await asyncio.sleep(self.kafka.random.uniform(0, self.kafka.heartbeat_s))
        while not self.host.reachable.is_set():
            await self.host.reachable.wait()
            await asyncio.sleep(self.kafka.random.uniform(0, self.kafka.heartbeat_s))
        await self._listener.on_partitions_revoked(set(self._positions))

    async def take(self, generation: int) -> None:
        """The answer to its join: the assignment."""
        join = self._joins
        await asyncio.sleep(self.kafka.random.uniform(0, 0.01))
        await self.host.reachable.wait()
        if self._joins == join and self in self.kafka.members:
            self.generation = generation
            self._positions = {tp: self.kafka.committed.get(tp, 0) for tp in self.owned}
            self._paused = set()
            self._revocation = None
            self._assigned.set()
            await self._listener.on_partitions_assigned(set(self.owned))

    # -- what the lanes call ------------------------------------------------------------------------------

    def subscribe(self, *, topics: list[str], listener: Any) -> None:
        assert set(topics) == set(self.kafka.topics)
        self._listener = listener

    async def start(self) -> None:
        if not (self.kafka.back.is_set() and self.host.reachable.is_set()):
            raise KafkaConnectionError("away")
        self._started = True
        self.kafka.join(self)
        await self._assigned.wait()

    async def stop(self) -> None:
        self._stopped = True
        if self.host.reachable.is_set():
            self.kafka.leave(self)
        else:
            self.kafka.spawn(self._run_out())
        self._positions = {}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(self.kafka.random.uniform(0, 0.01))
        fetched: dict[TopicPartition, list[Record]] = {}
        if self.host.reachable.is_set() and self.kafka.back.is_set() and self._revocation is None:
            for tp in sorted(self._positions.keys() - self._paused):
                records, position = self.kafka.logs[tp].read(self._positions[tp], max_records)
                self._positions[tp] = position
                if records:
                    fetched[tp] = records
                    max_records -= len(records)
                    if not max_records:
                        break
        if not fetched:
            await _first_of(self.kafka.appended.wait(), timeout_ms / 1000)
        return fetched

    async def _run_out(self) -> None:
        await asyncio.sleep(self.kafka.session_s)
        self.kafka.leave(self)

    def _check(self, tps: Iterable[TopicPartition]) -> None:
        for tp in tps:
            if tp not in self._positions:
                raise IllegalStateError(f"{tp} is not assigned")

    async def position(self, tp: TopicPartition) -> int:
        self._check([tp])
        return self._positions[tp]

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._check([tp])
        self._positions[tp] = offset

    def pause(self, *tps: TopicPartition) -> None:
        self._check(tps)
        self._paused.update(tps)

    def resume(self, *tps: TopicPartition) -> None:
        self._check(tps)
        self._paused.difference_update(tps)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self._check(offsets)
        while True:
            await self.host.reachable.wait()
            await self.kafka.back.wait()
            await asyncio.sleep(self.kafka.random.uniform(0, 0.02))
            if self.host.reachable.is_set() and self.kafka.back.is_set():
                self.kafka.commit(self, offsets)
                return


async def _first_of(awaitable: Any, timeout: float) -> None:
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=timeout)
    finally:
        task.cancel()
