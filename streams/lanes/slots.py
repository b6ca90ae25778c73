"""How many deliveries are worked on at once, over all partitions of a worker: first ready, first begun."""

from collections import deque
from collections.abc import Callable

Begin = Callable[[Callable[[], None]], bool]
"""Begins the work, unless it is no longer wanted (False). It calls what it is given when its slot is free again."""


class Slots:
    """A fixed number of slots and a queue for them. A parked delivery holds none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ready: deque[Begin] = deque()
        self._taken = 0
        self._closed = False

    def put(self, begin: Begin) -> None:
        """Begin this as soon as a slot is free."""
        if not self._closed:
            self._ready.append(begin)
            self._fill()

    def close(self) -> None:
        """Nothing begins any more; what has begun goes on."""
        self._closed = True
        self._ready.clear()

    def _fill(self) -> None:
        while self._ready and self._taken < self._limit:
            if self._ready.popleft()(self._free):
                self._taken += 1

    def _free(self) -> None:
        self._taken -= 1
        self._fill()
