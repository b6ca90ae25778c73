"""PURE: which offset of a topic-partition may be committed while records finish out of order."""

from collections import deque


class OffsetTracker:
    """The delivered offsets of one topic-partition and which of them are finished.

    Offsets come in rising order, with gaps (compaction, transaction markers). The committable offset is the lowest
    delivered one that is unfinished; when nothing is unfinished it is the consumer's position, because behind the
    last record there may be a transaction marker that "last record + 1" would never pass.
    """

    __slots__ = ("_done", "_order", "_position")

    def __init__(self, position: int) -> None:
        self._order: deque[int] = deque()
        self._done: set[int] = set()
        self._position = position

    def deliver(self, offset: int) -> None:
        """A record was taken from the consumer.

        Raises:
            ValueError: the offset was delivered before, or one after it was.
        """
        if offset < self._position:
            raise ValueError(f"offset {offset} came after position {self._position}")
        self._order.append(offset)
        self._position = offset + 1

    def finish(self, offset: int) -> None:
        """A delivered record needs no more work."""
        self._done.add(offset)
        while self._order and self._order[0] in self._done:
            self._done.discard(self._order.popleft())

    def advance(self, position: int) -> None:
        """The consumer's position after everything it returned was delivered: passes markers and gaps."""
        self._position = max(self._position, position)

    @property
    def committable(self) -> int:
        return self._order[0] if self._order else self._position

    @property
    def unfinished(self) -> int:
        return len(self._order) - len(self._done)

    @property
    def run_ahead(self) -> int:
        """How far delivery is ahead of the committable offset, in offsets."""
        return self._position - self.committable
