"""PURE: which offset of a topic-partition may be committed while records finish out of order."""

from collections import OrderedDict


class OffsetTracker:
    """The delivered, unfinished offsets of one topic-partition, and how far delivery has come.

    Offsets come in rising order, with gaps (compaction, transaction markers). The committable offset is the lowest
    delivered one that is unfinished; when nothing is unfinished it is the consumer's position, because behind the
    last record there may be a transaction marker that "last record + 1" would never pass.
    """

    __slots__ = ("_unfinished", "position")

    def __init__(self, position: int) -> None:
        # An OrderedDict gives its first key in constant time, also after many first keys were removed; a dict does not.
        self._unfinished: OrderedDict[int, None] = OrderedDict()
        self.position = position
        """The next offset to be delivered, or one before it where a gap lies between."""

    def deliver(self, offset: int) -> None:
        """A record was taken from the consumer.

        Raises:
            ValueError: the offset was delivered before, or one behind it was.
        """
        if offset < self.position:
            raise ValueError(f"offset {offset} came after position {self.position}")
        self._unfinished[offset] = None
        self.position = offset + 1

    def finish(self, offset: int) -> None:
        """A delivered record needs no more work.

        Raises:
            KeyError: it was not delivered, or is finished already.
        """
        del self._unfinished[offset]

    def advance(self, position: int) -> None:
        """The consumer's position after everything it returned was delivered: passes markers and gaps."""
        self.position = max(self.position, position)

    @property
    def committable(self) -> int:
        return next(iter(self._unfinished), self.position)

    @property
    def unfinished(self) -> int:
        return len(self._unfinished)

    @property
    def run_ahead(self) -> int:
        """How far delivery is ahead of the committable offset, in offsets."""
        return self.position - self.committable
