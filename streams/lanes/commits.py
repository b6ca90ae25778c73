"""Offset commits, one at a time and bounded, and the leases that they renew."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from streams.away import Away
from streams.clients import abandon_commit

from .partition import PartitionRun

log = structlog.get_logger(__name__)


class Commits:
    """Commits what the runs have finished. An accepted commit is what renews a lease."""

    def __init__(
        self, is_current: Callable[[PartitionRun], bool], limit_s: float, away: Away, monotonic: Callable[[], float]
    ) -> None:
        self._is_current = is_current
        self._limit_s = limit_s
        self._away = away
        self._monotonic = monotonic
        self._lock = asyncio.Lock()

    async def commit(self, consumer: Any, runs: Iterable[PartitionRun]) -> bool:
        """Whether the group coordinator accepted it, within the limit.

        aiokafka repeats a commit until it is answered, under whatever generation it has by then: an old epoch's would
        take back what the next owner committed. So none outlives the revocation, which waits for the lock, and what
        is committed is looked up only when the lock is held.
        """
        try:
            # Unbounded it would wait for a broker that is away, and renew nothing meanwhile.
            async with asyncio.timeout(self._limit_s), self._lock:
                current = [run for run in runs if run.trackers and self._is_current(run)]
                offsets = {tp: offset for run in current for tp, offset in run.committable().items()}
                if not offsets:
                    return False
                sent_at = self._monotonic()
                await self._send(consumer, offsets)
        except TimeoutError:
            self._away.say(f"no answer to an offset commit within {self._limit_s:g} s")
            return False
        except (KafkaError, OSError) as error:
            # The group has rebalanced; the coordinator says the rest through the listener.
            log.info("commit.refused", error=type(error).__name__)
            return False
        self._away.back()
        for run in current:
            run.epoch.renew(sent_at)
        return True

    @staticmethod
    async def _send(consumer: Any, offsets: dict[Any, int]) -> None:
        try:
            await consumer.commit(offsets)
        except asyncio.CancelledError:  # a timeout is one, too
            abandon_commit(consumer)
            raise

    async def tick(self, consumer: Any, runs: Callable[[], Iterable[PartitionRun]], every_s: float) -> None:
        """Commit every tick, also what has not changed, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.commit(consumer, runs())
