"""What the lanes and the work of a partition say to each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .epoch import Epoch


@dataclass(slots=True, eq=False)
class Delivery:
    """One record on its way through its lane."""

    record: Any
    """aiokafka's ConsumerRecord: topic, partition, offset, timestamp, key, value, headers."""
    memo: Any = None
    """The handler's own: what it wants to find again when the lane wakes up after a Park."""
    failures: int = 0
    """How often the handler broke on it (an exception nobody foresaw)."""

    @property
    def key(self) -> bytes:
        """The lane's key; records without one share a lane."""
        return self.record.key or b""


@dataclass(frozen=True, slots=True)
class Done:
    """The record is finished: its offset may be committed once everything before it is finished too."""


@dataclass(frozen=True, slots=True)
class Park:
    """Not now: hand the same delivery out again after `seconds`. Its lane waits, the others go on."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The record cannot be worked on: bury it with its reason and go on."""

    stage: str
    error_class: str
    message: str
    """For a person; never holds the payload."""


@dataclass(frozen=True, slots=True)
class Leave:
    """This worker may not go on with the record: the epoch is over. It stays unfinished; the next owner has it."""


Answer = Done | Park | DeadLetter | Leave


class Reopen(Exception):
    """The work cannot publish any more (fenced, or a transaction ended unknown): open the partition again.

    Raised by `Work.handle` or `bury`. The lanes drop what was in flight, go back to the lowest
    unfinished offset and start a new epoch, whose views tell what was in fact finished.
    """


class Work(Protocol):
    """What the owner of a partition does with its records; made anew for each epoch."""

    async def open(self, positions: Mapping[str, int]) -> None:
        """Fence the predecessor and read the views to their end. Nothing is delivered before this returned.

        `positions` says for each topic from which offset on records will be delivered. Called once: after a failure
        this work is closed, and a new one is made and opened; a failure never opens the gate.
        """

    def is_finished(self, record: Any) -> bool:
        """Whether an earlier life finished this record (its offset was not committed yet)."""

    async def handle(self, delivery: Delivery) -> Answer:
        """Work on one record. Records of the same key never overlap.

        Raises:
            Reopen: what was published is unknown, or this worker is fenced.
        """

    async def bury(self, delivery: Delivery, reason: DeadLetter) -> None:
        """Publish the dead letter; the lane goes on when this returned."""

    async def close(self) -> None:
        """Let go of what `open` took, within 5 s. Called once, also after a failed or cancelled `open`."""


WorkFactory = Callable[[Epoch], Work]
"""Makes the work of an epoch; taking nothing yet, because a gate that fails to open makes another."""
