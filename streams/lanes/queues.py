"""PURE: deliveries by key, strictly one after the other within a key."""

from collections import deque

from .api import Delivery


class Lanes:
    """The lanes of one partition. A key is in the table exactly while it has unfinished deliveries."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[bytes, deque[Delivery]] = {}

    def add(self, delivery: Delivery) -> bool:
        """Put a delivery at the end of its lane. True: the lane was free and this delivery is its head."""
        queue = self._queues.get(delivery.key)
        if queue is None:
            self._queues[delivery.key] = deque((delivery,))
            return True
        queue.append(delivery)
        return False

    def finish(self, delivery: Delivery) -> Delivery | None:
        """The head of a lane is finished; gives the next one of that lane, now its head.

        Raises:
            ValueError: this delivery is not the head of its lane.
        """
        queue = self._queues[delivery.key]
        if queue[0] is not delivery:
            raise ValueError("only the head of a lane can finish")
        queue.popleft()
        if queue:
            return queue[0]
        del self._queues[delivery.key]
        return None

    def __len__(self) -> int:
        return len(self._queues)
