"""What the connector needs from outside and of which there is more than one real implementation."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

MayCall = Callable[[], bool]
"""Whether this worker may still call AWS for this partition. Asked right before the socket is written."""


class Clock(Protocol):
    """Time as an argument: wall time for records, monotonic seconds for waits."""

    def now(self) -> datetime:
        """The wall clock, UTC, timezone-aware."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
