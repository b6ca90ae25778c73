"""The consumer of the lanes: assignments, polling, pausing, opening, draining.

aiokafka sends no heartbeats while its assignment callback runs and swallows what it raises, so that callback only
begins new epochs; a task per partition opens their gates. `pause()` is forgotten at every reassignment.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from streams.away import Away, describe
from streams.clients import broken, end

from .api import WorkFactory
from .commits import Commits
from .epoch import Epoch
from .group import LaneSettings, MakeConsumer, group_consumer
from .partition import PartitionRun
from .slots import Slots

log = structlog.get_logger(__name__)

POLL_MS = 250
MAX_POLL_RECORDS = 500

AWAY_RETRY_S = 2.0
"""Seconds between attempts while Kafka cannot be reached."""

AWAY_AFTER_S = 10.0
"""Joining the group may wait for other members; after this long it is said that there is no answer."""

OPEN_RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to open a gate; the last one repeats."""


class LaneConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Consumes co-partitioned topics in lanes. `run` works until `stop` is called."""

    def __init__(
        self,
        settings: LaneSettings,
        factory: WorkFactory,
        *,
        make_consumer: MakeConsumer = group_consumer,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.subscribed = asyncio.Event()
        """Set once the first assignment has been received."""
        self._factory, self._make_consumer, self._monotonic = factory, make_consumer, monotonic
        self._consumer: Any = None
        self._runs: dict[int, PartitionRun] = {}
        self._rebalancing = False
        self._closing: dict[int, asyncio.Task[None]] = {}
        self._slots = Slots(settings.in_flight)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._away = Away(settings.bootstrap_servers)
        self._commits = Commits(self._is_current, settings.session_timeout_s, self._away, monotonic)

    # -- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Consume until `stop`; returns when the running work has drained and the group was left."""
        while not self._stopping.is_set():
            self._consumer = self._make_consumer(self.settings)
            try:
                if await self._join():
                    await self._poll_until_stopped()
            finally:
                await self._leave()

    def stop(self) -> None:
        """Begin to drain: nothing new begins, what runs may end within the drain time."""
        self._slots.close()
        self._stopping.set()

    async def _join(self) -> bool:
        """Subscribe and wait for the first assignment. False: stopped, or Kafka is away and it is time to try again."""
        self._consumer.subscribe(topics=list(self.settings.topics), listener=self)
        starting = asyncio.create_task(self._consumer.start())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((starting, stopping), timeout=AWAY_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done() and not stopping.done():
                self._away.say(f"the group was not joined within {AWAY_AFTER_S:g} s")
                await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return False
            await starting
        except (KafkaError, OSError) as error:
            self._away.say(error)
            await asyncio.wait((stopping,), timeout=AWAY_RETRY_S)
            return False
        finally:
            await _cancel(starting, stopping)
        self._away.back()
        return True

    async def _poll_until_stopped(self) -> None:
        """Also returns when aiokafka's own tasks have ended: `run` then begins with a new consumer."""
        consumer = self._consumer
        tasks = (
            asyncio.create_task(self._poll()),
            asyncio.create_task(self._commits.tick(consumer, lambda: tuple(self._runs.values()), self.settings.tick_s)),
            asyncio.create_task(self._stopping.wait()),
        )
        poll, tick, _ = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await _cancel(poll)  # what it had already taken is lost to this process only: nothing of it is committed
            if self._stopping.is_set():
                await self._drain()  # the ticks go on: running requests need their lease to end well
        finally:
            await _cancel(*tasks)
        for task in (poll, tick):
            if not task.cancelled():
                await task  # raises what ended it

    async def _poll(self) -> None:
        consumer = self._consumer
        at_most = min(MAX_POLL_RECORDS, max(self.settings.run_ahead // 2, 1))
        while (error := broken(consumer)) is None:
            try:
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=at_most)
            except KafkaError as refusal:
                self._away.say(refusal)
                await asyncio.sleep(AWAY_RETRY_S)
            else:
                await self._deliver(fetched)
        log.error("consumer.broken", error=describe(error), what_now="joining again with a new one")

    async def _deliver(self, fetched: dict[Any, list[Any]]) -> None:
        for tp, records in fetched.items():
            run = self._runs.get(tp.partition)
            if run is None or not run.delivers:
                continue  # fetched for an epoch that is over; the position of the next one starts before it
            if records[0].offset < run.trackers[tp].position:
                log.error("offsets.began_anew", topic=tp.topic, partition=tp.partition, offset=records[0].offset)
                run.rewind(tp, records[0].offset)
                self.reopen(run, "the topic was made again, or has lost its end")
                continue
            run.deliver(tp, records)
        for run in tuple(self._runs.values()):
            if run.delivers:
                for tp, tracker in run.trackers.items():
                    with contextlib.suppress(IllegalStateError):
                        # Everything up to here was delivered above: nothing else calls getmany, so markers and
                        # gaps may be passed.
                        tracker.advance(await self._consumer.position(tp))
                self.regulate(run)

    def regulate(self, run: PartitionRun) -> None:
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

    # -- epochs -------------------------------------------------------------------------------------------

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Begin new epochs and return at once: no heartbeat is sent in here."""
        by_number: dict[int, list[Any]] = {}
        for tp in assigned:
            by_number.setdefault(tp.partition, []).append(tp)
            self._consumer.pause(tp)
        self._rebalancing = False
        self.subscribed.set()
        if self._stopping.is_set():
            return
        for number, tps in sorted(by_number.items()):
            if len(tps) == len(self.settings.topics):
                self._begin(number, tps)
            else:
                # Unequal partition counts break the order per user; nothing of this partition is read.
                log.error("partition.not_co_partitioned", partition=number, topics=[tp.topic for tp in tps])
        log.info("partitions.assigned", partitions=sorted(by_number))

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """No call begins any more; the running ones are waited out, then what finished is committed."""
        self._rebalancing = True
        numbers = {tp.partition for tp in revoked}
        runs = [run for number, run in sorted(self._runs.items()) if number in numbers]
        await self._end(runs, self.settings.call_timeout_s)
        if runs:
            log.info("partitions.revoked", partitions=[run.epoch.partition for run in runs])

    def _begin(self, number: int, tps: Iterable[Any]) -> None:
        epoch = Epoch(number, self.settings.lease_s, self._monotonic)
        run = PartitionRun(epoch, self._factory, self._slots, self, before=self._closing.pop(number, None))
        self._runs[number] = run
        run.gate = self._spawn(self._open_gate(run, tuple(tps)))

    async def _open_gate(self, run: PartitionRun, tps: tuple[Any, ...]) -> None:
        """Fence, read the views, and only then let records in. A failure is tried again; revocation cancels this."""
        if run.before is not None:
            await asyncio.wait((run.before,))
        said = ""
        for attempt in itertools.count():
            try:
                run.place({tp: await self._consumer.position(tp) for tp in tps})
                # Proof of membership: a worker that thaws after its session would otherwise fence its successor.
                if not await self._commits.commit(self._consumer, (run,)):
                    raise TimeoutError("no offset commit was accepted yet")
                await run.open()
                break
            except Exception as error:  # noqa: BLE001 - whatever it was, the gate stays shut and it is tried again
                if (now := describe(error)) != said:
                    log.warning("partition.not_open", partition=run.epoch.partition, error=now, what_now="trying again")
                    said = now
                await asyncio.sleep(OPEN_RETRY_S[min(attempt, len(OPEN_RETRY_S) - 1)])
        await self._alert_if_expired(run)
        with contextlib.suppress(IllegalStateError):
            self._consumer.resume(*tps)
        log.info("partition.open", partition=run.epoch.partition, epoch=run.epoch.number)

    async def _alert_if_expired(self, run: PartitionRun) -> None:
        with contextlib.suppress(KafkaError):
            begins = await self._consumer.beginning_offsets(list(run.trackers))
            for tp, tracker in run.trackers.items():
                if tracker.position < begins[tp]:
                    log.error(
                        "offsets.expired",
                        topic=tp.topic,
                        partition=tp.partition,
                        committed=tracker.position,
                        beginning=begins[tp],
                        meaning="records were deleted before they were worked on: the retention is too short",
                    )

    def reopen(self, run: PartitionRun, why: str) -> None:
        """The work of a partition that is still ours cannot go on: back to the lowest unfinished offset."""
        if not run.epoch.is_over():
            log.warning("partition.reopened", partition=run.epoch.partition, epoch=run.epoch.number, reason=why)
            run.revoke()
            _ = self._spawn(self._reopen(run))

    async def _reopen(self, run: PartitionRun) -> None:
        number = run.epoch.partition
        with contextlib.suppress(IllegalStateError):
            self._consumer.pause(*run.trackers)
        await run.settle(self.settings.call_timeout_s)
        self._closing[number] = run.close()
        if self._rebalancing or self._stopping.is_set() or not self._is_current(run):
            return  # the next assignment begins a new epoch
        for tp, position in run.committable().items():
            self._consumer.seek(tp, position)
        self._begin(number, run.trackers)

    async def _end(self, runs: Iterable[PartitionRun], within_s: float) -> None:
        runs = tuple(runs)
        for run in runs:
            run.revoke()
        await asyncio.gather(*(run.settle(within_s) for run in runs))
        await self._commits.commit(self._consumer, runs)
        for run in runs:
            self._closing[run.epoch.partition] = run.close()
            if self._is_current(run):
                del self._runs[run.epoch.partition]

    def _is_current(self, run: PartitionRun) -> bool:
        return self._runs.get(run.epoch.partition) is run

    # -- the end ------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """What runs may call on and finish; nothing new begins. The last call ends within the drain time."""
        runs = tuple(self._runs.values())
        last_call_s = max(self.settings.drain_s - self.settings.call_timeout_s, 0.0)
        settled = await asyncio.gather(*(run.settle(last_call_s) for run in runs))
        log.info(
            "lanes.drained",
            in_time=all(settled),
            left_for_the_next_owner=sum(run.unfinished for run in runs if self._is_current(run)),
        )

    async def _leave(self) -> None:
        """End the epochs that are left, commit, leave the group."""
        await self._end(self._runs.values(), min(self.settings.call_timeout_s, self.settings.drain_s))
        await end(self._consumer)
        if self._closing:
            await asyncio.wait(self._closing.values())
            self._closing.clear()
        await _cancel(*self._tasks)
        self._rebalancing = False

    # -- small things -------------------------------------------------------------------------------------

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("partition.task_broke", exc_info=error)

    def status(self) -> list[dict[str, Any]]:
        """One row per partition held: for the log, tests and a status page."""
        return [
            {
                "partition": number,
                "epoch": run.epoch.number,
                "open": run.delivers,
                "may_call": run.epoch.may_call(),
                "lanes": run.lanes,
                "running": run.running,
                "parked": run.parked,
                "unfinished": run.unfinished,
                "run_ahead": run.run_ahead,
            }
            for number, run in sorted(self._runs.items())
        ]


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
