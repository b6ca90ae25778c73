"""The consumer of the lanes: assignments, polling, commits with their lease, pausing, draining.

aiokafka sends no heartbeats while its assignment callback runs and swallows what it raises, so that callback only
opens new epochs; a task per partition does the rest. `pause()` is forgotten at every reassignment.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from .api import Delivery, WorkFactory
from .epoch import Epoch
from .partition import PartitionRun

log = structlog.get_logger(__name__)

POLL_MS = 250
MAX_POLL_RECORDS = 500
AWAY_RETRY_S = 2.0
"""Seconds between attempts while Kafka cannot be reached."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What the lanes need to know; seconds unless the name says otherwise."""

    bootstrap_servers: str
    group: str
    topics: tuple[str, ...]
    """Co-partitioned topics: partition n of all of them goes to one member (range assignment)."""
    session_timeout_s: float
    rebalance_timeout_s: float
    call_timeout_s: float
    tick_s: float = 1.0
    drain_s: float = 25.0
    run_ahead: int = 2_000
    in_flight: int = 512
    client: dict[str, Any] = field(default_factory=dict)
    """More arguments for aiokafka: security, client id."""

    @property
    def lease_s(self) -> float:
        return self.session_timeout_s - self.call_timeout_s


class LaneConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Consumes co-partitioned topics in lanes. `run` works until `stop` is called."""

    def __init__(self, settings: LaneSettings, factory: WorkFactory) -> None:
        self.settings = settings
        self._factory = factory
        self._consumer: Any = None
        self._runs: dict[int, PartitionRun] = {}
        self._ready: deque[tuple[PartitionRun, Delivery]] = deque()
        self._active = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._commit_lock = asyncio.Lock()
        self._kafka_away = False
        self.subscribed = asyncio.Event()
        """Set once the first assignment has been received."""

    # -- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Consume until `stop`; returns when the running work has drained and the group was left."""
        await self._connect()
        if self._stopping.is_set():
            return
        ticker = asyncio.create_task(self._tick())
        try:
            await self._poll()
        finally:
            await self._drain()  # the ticker goes on: running requests need their lease to end well
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            await self._consumer.stop()

    def stop(self) -> None:
        """Begin to drain: nothing new is started, what runs may end within the drain time."""
        self._stopping.set()

    async def _connect(self) -> None:
        """Subscribe; while Kafka is away say so once and try again."""
        s = self.settings
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=s.bootstrap_servers,
                group_id=s.group,
                enable_auto_commit=False,
                # Safe, and "latest" is not: a lost offset must not skip requests; the ledger skips what is finished.
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                partition_assignment_strategy=(RangePartitionAssignor,),
                session_timeout_ms=int(s.session_timeout_s * 1000),
                heartbeat_interval_ms=max(int(s.session_timeout_s * 1000 / 6), 100),
                rebalance_timeout_ms=int(s.rebalance_timeout_s * 1000),
                # Handlers never block the poll loop, so this only has to outlast the callbacks.
                max_poll_interval_ms=max(int(s.rebalance_timeout_s * 1000), 300_000),
                **s.client,
            )
            consumer.subscribe(topics=list(s.topics), listener=self)
            self._consumer = consumer  # the assignment callback may come before start() returns
            try:
                await consumer.start()
            except (KafkaError, OSError) as error:
                self._say_away(error)
                await consumer.stop()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), AWAY_RETRY_S)
                if self._stopping.is_set():
                    return
                continue
            self._say_back()
            return

    async def _poll(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                fetch = asyncio.create_task(self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_POLL_RECORDS))
                await asyncio.wait((fetch, stopping), return_when=asyncio.FIRST_COMPLETED)
                if not fetch.done():
                    # What it had already taken is lost to this process only: nothing of it is committed.
                    fetch.cancel()
                    with contextlib.suppress(asyncio.CancelledError, KafkaError):
                        await fetch
                    return
                try:
                    fetched = fetch.result()
                except KafkaError as error:
                    self._say_away(error)
                    await asyncio.sleep(AWAY_RETRY_S)
                    continue
                await self._deliver(fetched)
        finally:
            stopping.cancel()

    async def _deliver(self, fetched: dict[Any, list[Any]]) -> None:
        for tp, records in fetched.items():
            run = self._runs.get(tp.partition)
            if run is None or not run.gate_open or run.epoch.is_over():
                continue  # fetched for an epoch that is over; the position of the next one starts before it
            run.deliver(tp, records)
        for run in self._runs.values():
            if run.gate_open and not run.epoch.is_over():
                for tp, tracker in run.trackers.items():
                    with contextlib.suppress(IllegalStateError):
                        # Everything up to here was delivered above, in this very turn of the loop: nothing
                        # else calls getmany, so markers and gaps may be passed.
                        tracker.advance(await self._consumer.position(tp))
                self._regulate(run)

    # -- what runs ----------------------------------------------------------------------------------------

    def _start(self, run: PartitionRun, delivery: Delivery) -> None:
        self._ready.append((run, delivery))
        self._pump()

    def _pump(self) -> None:
        while self._ready and self._active < self.settings.in_flight and not self._stopping.is_set():
            run, delivery = self._ready.popleft()
            if run.epoch.is_over():
                continue
            self._active += 1
            run.spawn(delivery, self._ended)

    def _ended(self) -> None:
        self._active -= 1
        self._pump()

    def _regulate(self, run: PartitionRun) -> None:
        """Hold fetching back where work has run too far ahead of what may be committed."""
        cap = self.settings.run_ahead
        for tp, tracker in run.trackers.items():
            if tp not in run.paused and tracker.run_ahead >= cap:
                run.paused.add(tp)
                with contextlib.suppress(IllegalStateError):
                    self._consumer.pause(tp)
            elif tp in run.paused and tracker.run_ahead <= cap // 2:
                run.paused.discard(tp)
                with contextlib.suppress(IllegalStateError):
                    self._consumer.resume(tp)

    # -- assignment ---------------------------------------------------------------------------------------

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Open new epochs and return at once: no heartbeat is sent in here."""
        by_number: dict[int, list[Any]] = {}
        for tp in assigned:
            by_number.setdefault(tp.partition, []).append(tp)
            self._consumer.pause(tp)
        for number, tps in sorted(by_number.items()):
            if len(tps) != len(self.settings.topics):
                # Unequal partition counts break the order per user; nothing of this partition is read.
                log.error("partition.not_co_partitioned", partition=number, topics=[tp.topic for tp in tps])
                continue
            self._open(Epoch(number, self.settings.lease_s), tps)
        self.subscribed.set()
        log.info("partitions.assigned", partitions=sorted(by_number))

    def _open(self, epoch: Epoch, tps: Iterable[Any]) -> None:
        run = PartitionRun(
            epoch,
            self._factory(epoch),
            start=self._start,
            regulate=self._regulate,
            reopen=lambda run, why: self._spawn(self._reopen(run, why)),
        )
        self._runs[epoch.partition] = run
        self._spawn(self._gate(run, tuple(tps)))

    async def _gate(self, run: PartitionRun, tps: tuple[Any, ...]) -> None:
        """Fence, read the views, take the lease, and only then let records in."""
        try:
            positions = {tp: await self._consumer.position(tp) for tp in tps}
        except IllegalStateError:
            return  # revoked meanwhile
        if not await run.open_work(positions):
            return
        run.begin(positions)
        await self._commit((run,))
        if run.epoch.is_over():
            return
        with contextlib.suppress(IllegalStateError):
            self._consumer.resume(*tps)
        log.info("partition.open", partition=run.epoch.partition, epoch=run.epoch.number)

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """No call begins any more; the running ones are waited out, then what finished is committed."""
        numbers = {tp.partition for tp in revoked}
        runs = [self._runs.pop(number) for number in sorted(numbers) if number in self._runs]
        await self._end(runs, self.settings.call_timeout_s)
        if runs:
            log.info("partitions.revoked", partitions=[run.epoch.partition for run in runs])

    async def _end(self, runs: list[PartitionRun], deadline_s: float) -> None:
        for run in runs:
            run.epoch.revoke()
        await asyncio.gather(*(run.settle(deadline_s) for run in runs))
        await self._commit(runs)
        await asyncio.gather(*(run.abandon() for run in runs))

    async def _reopen(self, run: PartitionRun, why: str) -> None:
        """The work of a partition that is still ours cannot go on: back to the lowest unfinished offset."""
        number = run.epoch.partition
        if run.epoch.is_over() or self._runs.get(number) is not run:
            return
        log.warning("partition.reopened", partition=number, epoch=run.epoch.number, reason=why)
        run.epoch.revoke()
        with contextlib.suppress(IllegalStateError):
            self._consumer.pause(*run.trackers)
        await run.settle(self.settings.call_timeout_s)
        await run.abandon()
        if self._runs.get(number) is not run:
            return  # a rebalance came in between; its assignment starts a new epoch
        positions = run.committable()
        try:
            for tp, position in positions.items():
                self._consumer.seek(tp, position)
        except IllegalStateError:
            return
        self._open(Epoch(number, self.settings.lease_s), positions)

    # -- commits and the lease ----------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Commit every tick, also unchanged: an accepted commit is what renews the lease."""
        while True:
            await asyncio.sleep(self.settings.tick_s)
            await self._commit(tuple(self._runs.values()))

    async def _commit(self, runs: Iterable[PartitionRun]) -> None:
        runs = [run for run in runs if run.gate_open and run.trackers]
        if not runs:
            return
        async with self._commit_lock:
            offsets = {tp: offset for run in runs for tp, offset in run.committable().items()}
            sent_at = time.monotonic()
            try:
                # Unbounded it would wait for a broker that is away and renew nothing meanwhile.
                await asyncio.wait_for(self._consumer.commit(offsets), self.settings.session_timeout_s)
            except (KafkaError, TimeoutError) as error:
                if isinstance(error, TimeoutError) or getattr(error, "retriable", False):
                    self._say_away(error)
                else:
                    log.info("commit.refused", error=type(error).__name__)
                return
            self._say_back()
            for run in runs:
                run.epoch.renew(sent_at)

    # -- the end ------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        runs = list(self._runs.values())
        deadline = time.monotonic() + self.settings.drain_s
        # Still ours: running requests may call on and finish; nothing new is started.
        settled = await asyncio.gather(*(run.settle(max(deadline - time.monotonic(), 0.0)) for run in runs))
        unfinished = sum(run.unfinished for run in runs)
        self._runs.clear()
        await self._end(runs, self.settings.call_timeout_s if not all(settled) else 0.0)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("lanes.drained", in_time=all(settled), left_for_the_next_owner=unfinished)

    # -- small things -------------------------------------------------------------------------------------

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("partition.task_broke", exc_info=task.exception())

    def _say_away(self, error: BaseException) -> None:
        if not self._kafka_away:
            self._kafka_away = True
            log.warning(
                "kafka.away",
                bootstrap_servers=self.settings.bootstrap_servers,
                error=f"{type(error).__name__}: {error}",
                what_now="trying again; nothing is lost",
            )

    def _say_back(self) -> None:
        if self._kafka_away:
            self._kafka_away = False
            log.info("kafka.back", bootstrap_servers=self.settings.bootstrap_servers)

    def status(self) -> list[dict[str, Any]]:
        """One row per partition held: for the log, tests and a status page."""
        return [
            {
                "partition": number,
                "epoch": run.epoch.number,
                "open": run.gate_open,
                "may_call": run.epoch.may_call(),
                "lanes": run.lanes,
                "unfinished": run.unfinished,
            }
            for number, run in sorted(self._runs.items())
        ]


def topic_partition(topic: str, partition: int) -> Any:
    """Make aiokafka's TopicPartition, so that callers need not import it."""
    return TopicPartition(topic, partition)
