"""One epoch of one partition: its lanes, its offsets, its running work, from the gate to the revocation."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import structlog

from .api import Answer, DeadLetter, Delivery, Done, Leave, Park, Reopen, Work, WorkFactory
from .epoch import Epoch
from .queues import Lanes
from .slots import Slots
from .tracker import OffsetTracker

log = structlog.get_logger(__name__)

MAX_FAILURES = 5
"""How often a handler may break on one record (a bug, not an answer) before the record is buried."""

BURY_AGAIN_S = 5.0
"""How long a lane waits before it tries again to bury a record."""

LEFT_AGAIN_S = 0.25
"""How long a lane waits after a handler left although the epoch goes on."""

CLOSE_S = 5.0
"""How long the work of an epoch may take to close, and what was cancelled to end."""


class Owner(Protocol):
    """What a run tells its consumer."""

    def regulate(self, run: "PartitionRun") -> None:
        """Offsets were finished: fetching may go on."""

    def reopen(self, run: "PartitionRun", why: str) -> None:
        """The run cannot go on; its partition has to be opened again."""


class PartitionRun:
    """Drives the `Work` of one epoch. Owned by the `LaneConsumer`, which tells it what was fetched."""

    def __init__(
        self,
        epoch: Epoch,
        make_work: WorkFactory,
        slots: Slots,
        owner: Owner,
        before: "asyncio.Task[None] | None" = None,
    ) -> None:
        self.epoch = epoch
        self.before = before
        """The closing of the epoch before, which is waited for before anything is opened."""
        self.trackers: dict[Any, OffsetTracker] = {}
        """By topic-partition; empty until it is known where delivery begins."""
        self.gate: asyncio.Task[None] | None = None
        """The task that opens the gate; ends with the epoch."""
        self.gate_open = False
        self.paused: set[Any] = set()
        self._make_work, self._slots, self._owner = make_work, slots, owner
        self._work: Work
        self._by_topic: dict[str, OffsetTracker] = {}
        self._rewound: dict[Any, int] = {}
        self._lanes = Lanes()
        self._running: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._failed: asyncio.Task[None] | None = None
        """Closes the work that could not be opened."""
        self._closing: asyncio.Task[None] | None = None

    # -- the gate -----------------------------------------------------------------------------------------

    def place(self, positions: Mapping[Any, int]) -> None:
        """Where delivery will begin; from now on the run's offsets can be committed."""
        self.trackers = {tp: OffsetTracker(position) for tp, position in positions.items()}
        self._by_topic = {tp.topic: tracker for tp, tracker in self.trackers.items()}

    async def open(self) -> None:
        """Open the work once. Whatever it raises, the gate stays shut and what it took is let go of."""
        work = self._make_work(self.epoch)
        try:
            await work.open({topic: tracker.position for topic, tracker in self._by_topic.items()})
        except BaseException:
            # In a task of its own: the gate may be cancelled in the middle of it.
            self._failed = asyncio.get_running_loop().create_task(_close(work, self.epoch))
            await asyncio.shield(self._failed)
            raise
        self._work = work
        self.gate_open = True

    @property
    def delivers(self) -> bool:
        """Whether fetched records are taken."""
        return self.gate_open and not self.epoch.is_over()

    # -- deliveries ---------------------------------------------------------------------------------------

    def deliver(self, tp: Any, records: Iterable[Any]) -> None:
        """Take fetched records of one topic-partition, in order.

        Raises:
            ValueError: an offset came after one behind it.
        """
        tracker = self.trackers[tp]
        for record in records:
            tracker.deliver(record.offset)
            if self._work.is_finished(record):
                tracker.finish(record.offset)
                continue
            delivery = Delivery(record)
            if self._lanes.add(delivery):
                self._start(delivery)

    def rewind(self, tp: Any, offset: int) -> None:
        """The partition's offsets begin anew (it was made again): the next epoch starts there."""
        self._rewound[tp] = offset

    def _start(self, delivery: Delivery) -> None:
        self._slots.put(partial(self._begin, delivery))

    def _begin(self, delivery: Delivery, free: Callable[[], None]) -> bool:
        if self.epoch.is_over():
            return False
        task = asyncio.get_running_loop().create_task(self._work_on(delivery))
        self._running.add(task)
        task.add_done_callback(partial(self._ended, free))
        return True

    def _ended(self, free: Callable[[], None], task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        free()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("lane.broken", partition=self.epoch.partition, exc_info=error)

    async def _work_on(self, delivery: Delivery) -> None:
        try:
            answer = await self._answer(delivery)
        except Reopen as reason:
            self._owner.reopen(self, str(reason))
            return
        match answer:
            case Done():
                self._finish(delivery)
            case Park(seconds=seconds):
                self._wake_later(delivery, seconds)
            case Leave():
                self._wake_later(delivery, LEFT_AGAIN_S)

    async def _answer(self, delivery: Delivery) -> Done | Park | Leave:
        try:
            answer: Answer = await self._work.handle(delivery)
        except Reopen:
            raise
        except Exception as error:  # noqa: BLE001 - a bug in a handler must not stop its partition
            return await self._broken(delivery, error)
        if isinstance(answer, DeadLetter):
            return await self._bury(delivery, answer)
        return answer

    async def _broken(self, delivery: Delivery, error: Exception) -> Done | Park:
        """The handler raised what nobody foresaw: try again with growing waits, then bury it with the reason."""
        delivery.failures += 1
        log.error("handler.broken", **_where(delivery), failures=delivery.failures, exc_info=error)
        if delivery.failures < MAX_FAILURES:
            delivery.memo = None
            return Park(0.2 * 4 ** (delivery.failures - 1), "handler broken")
        # The error's text may hold anything, so only its class leaves the process.
        reason = DeadLetter("HANDLE", type(error).__name__, "the handler broke; see the worker's log")
        return await self._bury(delivery, reason)

    async def _bury(self, delivery: Delivery, reason: DeadLetter) -> Done | Park:
        try:
            await self._work.bury(delivery, reason)
        except Reopen:
            raise
        except Exception:
            # Nothing may be skipped, and nothing else may be held up.
            log.exception("dead_letter.not_written", **_where(delivery))
            return Park(BURY_AGAIN_S, "dead letter not written")
        return Done()

    def _finish(self, delivery: Delivery) -> None:
        self._by_topic[delivery.record.topic].finish(delivery.record.offset)
        following = self._lanes.finish(delivery)
        if not self.epoch.is_over():
            if following is not None:
                self._start(following)
            self._owner.regulate(self)

    def _wake_later(self, delivery: Delivery, seconds: float) -> None:
        if self.epoch.is_over():
            return

        def wake() -> None:
            self._timers.discard(handle)
            self._start(delivery)

        handle = asyncio.get_running_loop().call_later(max(seconds, 0.0), wake)
        self._timers.add(handle)

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def lanes(self) -> int:
        """Keys with unfinished records."""
        return len(self._lanes)

    @property
    def running(self) -> int:
        """Deliveries that a handler works on."""
        return len(self._running)

    @property
    def parked(self) -> int:
        """Deliveries that wait for their time."""
        return len(self._timers)

    @property
    def unfinished(self) -> int:
        return sum(tracker.unfinished for tracker in self.trackers.values())

    @property
    def run_ahead(self) -> int:
        """How far delivery is ahead of the committable offset, in the topic where it is furthest."""
        return max((tracker.run_ahead for tracker in self.trackers.values()), default=0)

    def committable(self) -> dict[Any, int]:
        return {tp: tracker.committable for tp, tracker in self.trackers.items()} | self._rewound

    # -- the end ------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        """The epoch is over: no call and no handler begins, nothing is opened any more."""
        self.epoch.revoke()
        if self.gate is not None:
            self.gate.cancel()

    async def settle(self, within_s: float) -> bool:
        """Wait for what runs to end; parked deliveries stay unfinished. True: all ended in time."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=within_s)
        return not self._running

    def close(self) -> "asyncio.Task[None]":
        """Cancel what still runs (its calls were waited out) and let go of the work, once."""
        if self._closing is None:
            for task in self._running:
                task.cancel()
            self._closing = asyncio.get_running_loop().create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        for tasks in ((self.before, self.gate, *self._running), (self._failed,)):
            if ending := [task for task in tasks if task is not None]:
                await asyncio.wait(ending, timeout=CLOSE_S)
        if self.gate_open:
            await _close(self._work, self.epoch)


async def _close(work: Work, epoch: Epoch) -> None:
    """Best effort: fencing protects the successor from what is left behind."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await work.close()
    except Exception as error:  # noqa: BLE001 - said, and nothing else can be done
        log.warning("partition.not_closed", partition=epoch.partition, error=f"{type(error).__name__}: {error}")


def _where(delivery: Delivery) -> dict[str, Any]:
    record = delivery.record
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
