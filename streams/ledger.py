"""What is known of the requests of one partition: begun, finished, and at which offset.

In memory a hash and an offset per entry; values are read on demand. At an assignment the offsets that an earlier
life finished, but did not come to commit, are remembered until they have been delivered and skipped.

Each ledger record carries a header with its request's offset and state, so that reading a million entries back
decodes none of them.
"""

import struct
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from .views import IndexView, PartitionReader

INDEX_HEADER = "idhub-ledger"
_INDEX = struct.Struct(">qB")

STARTED, FINISHED = 1, 2


def index_header(request_offset: int, state: int) -> tuple[str, bytes]:
    """The header that tells the offset of the request and whether it is finished, without decoding the value."""
    return INDEX_HEADER, _INDEX.pack(request_offset, state)


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()


class Ledger:
    """The ledger of one partition, as its owner sees it. Kept over epochs: reading on is cheaper than anew."""

    def __init__(self, topic: str, partition: int) -> None:
        self._view = IndexView(topic, partition, _digest)
        self._finished: set[int] = set()
        self._from = 0

    async def catch_up(self, reader: PartitionReader, positions: Mapping[str, int], requests: str) -> None:
        """Read to the end; remember the finished offsets from the one where delivery will begin."""
        self._from = positions[requests]
        self._finished = {offset for offset in self._finished if offset >= self._from}
        await self._view.catch_up(reader, self._seen)

    def _seen(self, record: Any) -> None:
        for name, value in record.headers:
            if name == INDEX_HEADER:
                offset, state = _INDEX.unpack(value)
                if state == FINISHED and offset >= self._from:
                    self._finished.add(offset)

    def is_finished(self, request_offset: int) -> bool:
        """Whether an earlier life finished the request at this offset."""
        return request_offset in self._finished

    async def find(self, key: bytes, reader: PartitionReader) -> bytes | None:
        """The framed entry under this ledger key, or None."""
        return await self._view.read(key, reader)

    def wrote(self, key: bytes, ledger_offset: int) -> None:
        """Our own write was committed: known at once, never waited for."""
        self._view.apply(key, ledger_offset)

    def __len__(self) -> int:
        return len(self._view)
