"""Tables that remember: what a key held at any earlier moment, so that a read can be answered from the past.

IAM is eventually consistent, and a client has to live with answers that are some seconds old. A table keeps, for every
key that was written since `settle()`, each value with the moment from which it held. Nothing here knows IAM.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Generic, TypeVar

V = TypeVar("V")

_EVER = float("-inf")


class Writes:
    """The moment of the write that is going on, and how many there were; shared by an account's tables."""

    __slots__ = ("count", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        """Raised by each put that really changed something: what `changed` in the journal compares."""


class Table(Generic[V]):
    """Keys and frozen values, now and before."""

    __slots__ = ("_current", "_history", "_sorted", "_writes")

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._current: dict[str, V] = {}
        self._history: dict[str, list[tuple[float, V | None]]] = {}
        self._sorted: list[str] = []

    def get(self, key: str, at: float | None = None) -> V | None:
        """The value now, or as it was at `at` (seconds since the epoch)."""
        if at is None or key not in self._history:
            return self._current.get(key)
        for since, value in reversed(self._history[key]):
            if since <= at:
                return value
        return None

    def put(self, key: str, value: V) -> bool:
        """Writes; false, and nothing happened, when the key holds an equal value."""
        before = self._current.get(key)
        if before == value:
            return False
        if before is None:
            insort(self._sorted, key)
        self._remember(key, before, value)
        self._current[key] = value
        return True

    def remove(self, key: str) -> None:
        """Takes the key away, if it is there."""
        before = self._current.pop(key, None)
        if before is not None:
            del self._sorted[bisect_left(self._sorted, key)]
            self._remember(key, before, None)

    def ordered(self, at: float | None = None) -> Sequence[str]:
        """The keys, in order; not to be kept over a write."""
        if at is None:
            return self._sorted
        return sorted(key for key in self._history.keys() | self._current.keys() if self.get(key, at) is not None)

    def __len__(self) -> int:
        return len(self._current)

    def settle(self) -> None:
        """Forgets the past: what holds now has held for ever, for a read of any moment."""
        self._history.clear()

    def _remember(self, key: str, before: V | None, after: V | None) -> None:
        writes = self._writes
        writes.count += 1
        past = self._history.get(key)
        if past is None:
            self._history[key] = [(_EVER, before), (writes.now, after)]
        else:
            past.append((writes.now, after))
