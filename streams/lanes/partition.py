"""One epoch of one partition: its lanes, its offsets, its running work, from the gate to the revocation."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from .api import DeadLetter as DeadLetterAnswer
from .api import Delivery, Done, Leave, Park, Reopen, Work
from .epoch import Epoch
from .queues import Lanes
from .tracker import OffsetTracker

log = structlog.get_logger(__name__)

MAX_FAILURES = 5
"""How often a handler may break on one record (a bug, not an answer) before the record is buried."""

OPEN_RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to open the gate; the last one repeats."""


class PartitionRun:
    """Drives the `Work` of one epoch. Owned by the `LaneConsumer`, which tells it what was fetched."""

    def __init__(
        self,
        epoch: Epoch,
        work: Work,
        *,
        start: Callable[["PartitionRun", Delivery], None],
        regulate: Callable[["PartitionRun"], None],
        reopen: Callable[["PartitionRun", str], None],
    ) -> None:
        self.epoch = epoch
        self.work = work
        self.gate_open = False
        self.trackers: dict[Any, OffsetTracker] = {}
        self._by_topic: dict[str, OffsetTracker] = {}
        self.paused: set[Any] = set()
        self._lanes = Lanes()
        self._running: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._start, self._regulate, self._reopen = start, regulate, reopen

    async def open_work(self, positions: dict[Any, int]) -> bool:
        """Try until the work is open (True) or the epoch is over (False)."""
        attempt = 0
        while not self.epoch.is_over():
            try:
                await self.work.open({tp.topic: position for tp, position in positions.items()})
            except Exception as error:  # noqa: BLE001 - whatever it was, the gate stays shut and it is tried again
                wait = OPEN_RETRY_S[min(attempt, len(OPEN_RETRY_S) - 1)]
                attempt += 1
                log.warning(
                    "partition.not_open",
                    partition=self.epoch.partition,
                    error=f"{type(error).__name__}: {error}",
                    retry_in_s=wait,
                )
                await asyncio.sleep(wait)
            else:
                return not self.epoch.is_over()
        return False

    def begin(self, positions: dict[Any, int]) -> None:
        """Open the gate: records are delivered from these positions on."""
        self.trackers = {tp: OffsetTracker(position) for tp, position in positions.items()}
        self._by_topic = {tp.topic: tracker for tp, tracker in self.trackers.items()}
        self.gate_open = True

    def deliver(self, tp: Any, records: Iterable[Any]) -> None:
        """Take fetched records of one topic-partition, in order."""
        tracker = self.trackers[tp]
        for record in records:
            tracker.deliver(record.offset)
            if self.work.is_finished(record):
                tracker.finish(record.offset)
                continue
            delivery = Delivery(record)
            if self._lanes.add(delivery):
                self._start(self, delivery)

    def spawn(self, delivery: Delivery, ended: Callable[[], None]) -> None:
        """Run the handler on the head of a lane; `ended` is called when its slot is free again."""
        task = asyncio.get_running_loop().create_task(self._work_on(delivery))
        self._running.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            ended()

        task.add_done_callback(done)

    async def _work_on(self, delivery: Delivery) -> None:
        if self.epoch.is_over():
            return
        try:
            answer = await self.work.handle(delivery)
            if isinstance(answer, DeadLetterAnswer):
                await self.work.bury(delivery, answer)
                answer = Done()
        except Reopen as reason:
            self._reopen(self, str(reason))
            return
        except Exception as error:  # noqa: BLE001 - a bug in a handler must not stop its partition
            answer = await self._broken(delivery, error)
        if self.epoch.is_over() and not isinstance(answer, Done):
            return
        match answer:
            case Done():
                self._finish(delivery)
            case Park(seconds=seconds):
                self._wake_later(delivery, seconds)
            case Leave():
                pass

    async def _broken(self, delivery: Delivery, error: Exception) -> Done | Park | Leave:
        """The handler raised what nobody foresaw: try again with growing waits, then bury it with the reason."""
        record = delivery.record
        delivery.failures += 1
        log.error(
            "handler.broken",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            failures=delivery.failures,
            exc_info=error,
        )
        if delivery.failures < MAX_FAILURES:
            delivery.memo = None
            return Park(0.2 * 4 ** (delivery.failures - 1), "handler broken")
        try:
            # The error's text may hold anything, so only its class leaves the process.
            await self.work.bury(
                delivery, DeadLetterAnswer("HANDLE", type(error).__name__, "the handler broke; see the worker's log")
            )
        except Reopen as reason:
            self._reopen(self, str(reason))
            return Leave()
        except Exception:
            log.exception("dead_letter.not_written", offset=record.offset)
            return Park(5.0, "dead letter not written")
        return Done()

    def _finish(self, delivery: Delivery) -> None:
        self._by_topic[delivery.record.topic].finish(delivery.record.offset)
        if not self.epoch.is_over():
            following = self._lanes.finish(delivery)
            if following is not None:
                self._start(self, following)
            self._regulate(self)

    def _wake_later(self, delivery: Delivery, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        timers = self._timers

        def wake() -> None:
            timers.discard(handle)
            if not self.epoch.is_over():
                self._start(self, delivery)

        handle = loop.call_later(max(seconds, 0.0), wake)
        timers.add(handle)

    @property
    def lanes(self) -> int:
        """Keys with unfinished records."""
        return len(self._lanes)

    @property
    def unfinished(self) -> int:
        return sum(tracker.unfinished for tracker in self.trackers.values())

    def committable(self) -> dict[Any, int]:
        return {tp: tracker.committable for tp, tracker in self.trackers.items()}

    async def settle(self, deadline_s: float) -> bool:
        """Wait for what runs to end (parked deliveries stay unfinished). True: all ended in time."""
        for timer in tuple(self._timers):
            timer.cancel()
        self._timers.clear()
        running = {task for task in self._running if task is not asyncio.current_task()}
        if not running:
            return True
        _, pending = await asyncio.wait(running, timeout=deadline_s)
        return not pending

    async def abandon(self) -> None:
        """Cancel what still runs (its calls were waited out) and let go of the work."""
        for task in tuple(self._running):
            if task is not asyncio.current_task():
                task.cancel()
        try:
            await self.work.close()
        except Exception as error:  # noqa: BLE001 - closing is best effort, fencing protects the successor
            log.warning("partition.not_closed", partition=self.epoch.partition, error=str(error))
