"""The transactional writer of one partition: fenced, and many outcomes in one transaction.

Every send's future is awaited before a commit (aiokafka commits the rest of a transaction in which one send
failed). A transaction that fails is aborted and each of its batches is written again alone, so that one record
that Kafka refuses takes no other with it. Whatever leaves a transaction's end unknown kills the writer: the
partition is opened again and its views tell what was committed.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

REFUSALS = (
    MessageSizeTooLargeError,
    RecordTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""What Kafka says about a record, not about the transaction: the batch is refused, the writer lives on."""

SPACING_S = 0.01
"""Transactions begin at least this far apart: aiokafka sleeps 20 ms when the broker is still ending the last one."""

MAX_BATCHES = 500
"""Outcomes in one transaction."""

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One record to publish. `partition` None: Kafka's default partitioner (murmur2) chooses by the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    partition: int | None = None


class WriteRefused(Exception):
    """Kafka refused this batch even alone; `message` is the record it refused, where that is known."""

    def __init__(self, cause: BaseException, message: Message | None = None) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.cause = cause
        self.message = message


class WriterLost(Exception):
    """Fenced, or the end of a transaction is unknown: nothing more can be published by this writer."""


@dataclass(slots=True, eq=False)
class _Batch:
    messages: Sequence[Message]
    written: "asyncio.Future[list[int]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class PartitionWriter:
    """Publishes batches, each all or nothing, in the order in which they were given."""

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        transactional_id: str,
        transaction_timeout_s: float,
        max_record_bytes: int = 1_000_000,
        client: dict[str, Any] | None = None,
    ) -> None:
        self._max_record_bytes = max_record_bytes
        self._arguments = {
            "bootstrap_servers": bootstrap_servers,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(transaction_timeout_s * 1000),
            "max_request_size": max_record_bytes + 50_000,
            "request_timeout_ms": max(int(transaction_timeout_s * 1000), 5_000),
            **(client or {}),
        }
        self._producer: Any = None
        self._queue: deque[_Batch] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost: BaseException | None = None

    async def start(self) -> None:
        """Fence every earlier writer of this transactional id; their open transactions are aborted.

        Raises:
            KafkaError: Kafka cannot be reached or refuses.
        """
        self._producer = AIOKafkaProducer(**self._arguments)
        await self._producer.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Publish nothing more. What was queued and not committed is told `WriterLost`."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._lose(WriterLost("the writer was stopped"))
        if self._producer is not None:
            with contextlib.suppress(KafkaError, OSError, AssertionError, asyncio.TimeoutError):
                # A producer in an open transaction waits for it; the successor's init aborts it anyway.
                await asyncio.wait_for(self._producer.stop(), 5.0)

    async def write(self, messages: Sequence[Message]) -> list[int]:
        """Publish all of these messages or none; returns their offsets once the transaction is committed.

        Raises:
            WriteRefused: Kafka refuses one of them (too large, no such topic); nothing was published.
            WriterLost: fenced, or unknown whether it was published.
        """
        for message in messages:
            size = len(message.key or b"") + len(message.value or b"")
            if size > self._max_record_bytes:
                raise WriteRefused(MessageSizeTooLargeError(f"{size} bytes for {message.topic}"), message)
        if self._lost is not None:
            raise WriterLost(str(self._lost))
        batch = _Batch(messages)
        self._queue.append(batch)
        self._wake.set()
        return await batch.written

    async def _run(self) -> None:
        last = 0.0
        while True:
            await self._wake.wait()
            pause = last + SPACING_S - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)  # meanwhile more outcomes gather
            batches = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCHES))]
            if not self._queue:
                self._wake.clear()
            last = time.monotonic()
            try:
                await self._write_group(batches)
            except Exception as error:  # noqa: BLE001 - whatever it was, the end of the transaction is unknown
                self._lose(error, batches)
                return
            except asyncio.CancelledError:
                self._lose(WriterLost("the writer was stopped"), batches)
                raise

    async def _write_group(self, batches: list[_Batch]) -> None:
        """One transaction for all; when a record was refused, one for each."""
        batches = [batch for batch in batches if not batch.written.done()]
        try:
            await self._transaction(batches)
        except REFUSALS as error:
            if len(batches) == 1:
                batches[0].written.set_exception(WriteRefused(error))
                return
            for batch in batches:
                await self._write_group([batch])

    async def _transaction(self, batches: list[_Batch]) -> None:
        producer = self._producer
        await producer.begin_transaction()
        sends: list[asyncio.Future[Any]] = []
        try:
            for m in (message for batch in batches for message in batch.messages):
                sends.append(  # noqa: PERF401 - what was sent before a failure has to be known
                    await producer.send(m.topic, m.value, m.key, m.partition, headers=list(m.headers))
                )
            results = [await send for send in sends]
        except BaseException as error:
            if sends:
                await asyncio.wait(sends)
                for send in sends:
                    if not send.cancelled():
                        send.exception()  # retrieved, or asyncio warns that nobody did
            if isinstance(error, REFUSALS):
                await producer.abort_transaction()
            raise
        await producer.commit_transaction()
        offsets = iter(result.offset for result in results)
        for batch in batches:
            mine = [next(offsets) for _ in batch.messages]
            if not batch.written.done():
                batch.written.set_result(mine)

    def _lose(self, error: BaseException, batches: Sequence[_Batch] = ()) -> None:
        if self._lost is None:
            self._lost = error
        for batch in (*batches, *self._queue):
            if not batch.written.done():
                batch.written.set_exception(WriterLost(f"{type(error).__name__}: {error}"))
                batch.written.exception()  # nobody may be waiting any more
        self._queue.clear()
