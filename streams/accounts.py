"""What is last known of the users of one partition, as its owner sees it: the accounts topic, and who is due a look.

Values stay the bytes that were read; they are decoded when their user comes up. A header carries the time of the
second look, so that reading the view back decodes nothing.
"""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connector.model.iam import AccountRecord

from .publish import Message
from .views import KeyedView

LOOK_AGAIN_HEADER = "idhub-look-again"


def look_again_header(at: datetime) -> tuple[str, bytes]:
    """When the owner of the partition has to look at this account again (milliseconds since the epoch)."""
    return LOOK_AGAIN_HEADER, str(int(at.timestamp() * 1000)).encode()


def _look_again_of(headers: Iterable[tuple[str, bytes]]) -> float | None:
    return next((int(value) / 1000 for name, value in headers if name == LOOK_AGAIN_HEADER), None)


class AccountsView(KeyedView):
    """The newest AccountState per user key of one partition."""

    def __init__(self, topic: str, partition: int, decode: Callable[[bytes], AccountRecord]) -> None:
        super().__init__(topic, partition)
        self._decode = decode
        self._due_at: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []

    def record_of(self, key: bytes) -> AccountRecord | None:
        """What was last known of this user; None: never seen, or forgotten after its tombstone."""
        value = self.get(key)
        return self._decode(value) if value is not None else None

    def _apply_all(self, records: Iterable[Any]) -> None:
        for record in records:
            self.apply(record.key, record.value)
            self._schedule(record.key, _look_again_of(record.headers))

    def wrote(self, message: Message) -> None:
        """Our own write was committed."""
        if message.key is not None:
            self.apply(message.key, message.value)
            self._schedule(message.key, _look_again_of(message.headers))

    def _schedule(self, key: bytes, at: float | None) -> None:
        if at is None:
            self._due_at.pop(key, None)
        else:
            self._due_at[key] = at
            heapq.heappush(self._heap, (at, key))

    def put_back(self, keys: Iterable[bytes], at: datetime) -> None:
        """These looks were taken and could not be asked for: they are due again."""
        for key in keys:
            self._schedule(key, at.timestamp())

    def take_due(self, now: datetime) -> list[bytes]:
        """The users whose second look is due; each is given once until a newer state asks again."""
        due = []
        while self._heap and self._heap[0][0] <= now.timestamp():
            at, key = heapq.heappop(self._heap)
            if self._due_at.get(key) == at:
                del self._due_at[key]
                due.append(key)
        return due
