"""The transactional writer of one partition: fenced, and many outcomes in one transaction.

Every send's future is awaited before a commit (aiokafka commits the rest of a transaction in which one send
failed). A transaction with a refused record is aborted and its batches are written again in two halves, down to the
one that is refused alone, so that it takes no other with it. Whatever leaves a transaction's end unknown kills the
writer: the partition is opened again and its views tell what was committed.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from .away import describe
from .clients import end

REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""What Kafka says about a record, not about the transaction: the batch is refused, the writer lives on."""

SPACING_S = 0.01
"""Transactions begin at least this far apart: aiokafka sleeps 20 ms when the broker is still ending the last one."""

MAX_BATCHES = 500
"""Outcomes in one transaction."""

MAX_BYTES = 8_000_000
"""Outcomes that come to more than this are spread over several transactions."""

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One record to publish. `partition` None: Kafka's default partitioner (murmur2) chooses by the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes of what the record holds; Kafka adds some tens."""
        headers = sum(len(name.encode()) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


class WriteRefused(Exception):
    """Kafka refused this batch even alone; `message` is the record it refused, where that is known."""

    def __init__(self, cause: BaseException, message: Message | None = None) -> None:
        super().__init__(describe(cause))
        self.cause = cause
        self.message = message


class WriterLost(Exception):
    """Fenced, or the end of a transaction is unknown: nothing more can be published by this writer."""


@dataclass(slots=True, eq=False)
class _Batch:
    messages: Sequence[Message]
    size: int
    written: "asyncio.Future[list[int]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class PartitionWriter:
    """Publishes batches, each all or nothing, in the order in which they were given.

    Args:
        bootstrap_servers: Kafka's address.
        transactional_id: whoever starts with the same one fences this writer.
        transaction_timeout_s: how long the broker lets a transaction stay open that nobody ends.
        patience_s: a transaction that takes longer, or a start, loses the writer; as long as the former by default.
        max_record_bytes: a larger record is refused without asking Kafka; at most what the topics take.
        client: more arguments for aiokafka: security, client id.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        transactional_id: str,
        transaction_timeout_s: float,
        patience_s: float | None = None,
        max_record_bytes: int = 1_000_000,
        client: dict[str, Any] | None = None,
    ) -> None:
        self._max_record_bytes = max_record_bytes
        self._patience_s = transaction_timeout_s if patience_s is None else patience_s
        self._arguments = {
            "bootstrap_servers": bootstrap_servers,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(transaction_timeout_s * 1000),
            "max_request_size": max_record_bytes + 50_000,
            **(client or {}),
        }
        self._producer: Any = None
        self._queue: deque[_Batch] = deque()
        self._look_ups: dict[str, asyncio.Task[KafkaError | None]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost: str | None = "the writer was not started"

    async def start(self) -> None:
        """Fence every earlier writer of this transactional id; their open transactions are aborted. Once.

        Raises:
            KafkaError: Kafka cannot be reached or refuses.
            TimeoutError: Kafka did not answer within the transaction timeout.
        """
        self._producer = AIOKafkaProducer(**self._arguments)
        # Bounded: a start that hangs through an outage could fence a successor at its end.
        async with asyncio.timeout(self._patience_s):
            await self._producer.start()
        self._lost = None
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Publish nothing more, within seconds. What was queued and not committed is told `WriterLost`."""
        tasks = [task for task in (self._task, *self._look_ups.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._lose("the writer was stopped")
        if self._producer is not None:
            await end(self._producer)  # a transaction left open is aborted by the successor's start, or by the broker

    async def write(self, messages: Sequence[Message]) -> list[int]:
        """Publish all of these messages or none; returns their offsets once the transaction is committed.

        Raises:
            WriteRefused: Kafka refuses one of them (too large, no such topic); nothing was published.
            WriterLost: fenced, or unknown whether it was published.
        """
        if not messages:
            return []
        self._check_alive()
        size = 0
        for message in messages:
            size += (of_message := message.size)
            if of_message > self._max_record_bytes:
                raise WriteRefused(MessageSizeTooLargeError(f"{of_message} bytes for {message.topic}"), message)
            await self._check_topic(message)
        self._check_alive()  # it may have been lost during the look-up
        batch = _Batch(messages, size)
        self._queue.append(batch)
        self._wake.set()
        return await batch.written

    def _check_alive(self) -> None:
        if self._lost is not None:
            raise WriterLost(self._lost)

    async def _check_topic(self, message: Message) -> None:
        """Look an unknown topic up: `send` would wait a whole request timeout for it, and everybody's outcomes with it."""
        client, topic = self._producer.client, message.topic
        if client.cluster.partitions_for_topic(topic) is None:
            if topic not in self._look_ups:
                self._look_ups[topic] = asyncio.create_task(self._look_up(topic))
            error = await asyncio.shield(self._look_ups[topic])  # whoever waits goes on in the order of coming
            self._look_ups.pop(topic, None)
            if error is not None:
                raise WriteRefused(error, message)
        partitions = client.cluster.partitions_for_topic(topic)
        if partitions and message.partition is not None and message.partition not in partitions:
            raise WriteRefused(UnknownTopicOrPartitionError(f"{topic}-{message.partition}"), message)

    async def _look_up(self, topic: str) -> KafkaError | None:
        """Why nothing can be written to this topic. What does not exist is not kept in mind: names come from outside."""
        client = self._producer.client
        try:
            request = MetadataRequest([topic], allow_auto_topic_creation=False)
            answer = await client.send(client.get_random_node(), request)
        except KafkaError:
            return None  # Kafka is away, which is no answer about the topic
        error = for_code(answer.topics[0][0])
        if issubclass(error, REFUSALS):
            return error(topic)
        await client.add_topic(topic)
        return None

    async def _run(self) -> None:
        last = 0.0
        batches: list[_Batch] = []
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(last + SPACING_S - time.monotonic())  # meanwhile more outcomes gather
                batches = self._take()
                last = time.monotonic()
                await self._write_group(batches)
        except Exception as error:  # noqa: BLE001 - whatever it was, the end of the transaction is unknown
            self._lose(describe(error), batches)
        except asyncio.CancelledError:
            self._lose("the writer was stopped", batches)
            raise

    def _take(self) -> list[_Batch]:
        batches: list[_Batch] = []
        size = 0
        while self._queue and len(batches) < MAX_BATCHES and size < MAX_BYTES:
            batch = self._queue.popleft()
            if not batch.written.done():  # nobody waits for it any more
                batches.append(batch)
                size += batch.size
        if not self._queue:
            self._wake.clear()
        return batches

    async def _write_group(self, batches: Sequence[_Batch]) -> None:
        """One transaction for all; when a record is refused, one for each half."""
        if not batches:
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await self._transaction(batches)
        except WriteRefused as refusal:
            if len(batches) > 1:
                middle = len(batches) // 2
                await self._write_group(batches[:middle])
                await self._write_group(batches[middle:])
            elif not batches[0].written.done():
                batches[0].written.set_exception(refusal)

    async def _transaction(self, batches: Sequence[_Batch]) -> None:
        producer = self._producer
        await producer.begin_transaction()
        sequences = dict(producer._txn_manager._sequence_numbers)  # noqa: SLF001 - see _restore_sequences
        messages = [message for batch in batches for message in batch.messages]
        sends: list[asyncio.Future[Any]] = []
        try:
            for m in messages:
                send = await producer.send(m.topic, m.value, m.key, m.partition, headers=list(m.headers))
                sends.append(send)
            for send in sends:
                if not send.done():  # most end together, a batch of Kafka's at a time
                    await asyncio.wait((send,))
        except BaseException:
            for send in sends:
                send.add_done_callback(_retrieve)
            raise
        for send in sends:
            _retrieve(send)  # of a fenced writer's many failures only the first is raised
        if refusal := _refusal(messages, sends):
            self._restore_sequences(sequences, sends)
            await producer.abort_transaction()
            raise refusal
        await producer.commit_transaction()
        offsets = (send.result().offset for send in sends)
        for batch in batches:
            mine = [next(offsets) for _ in batch.messages]
            if not batch.written.done():
                batch.written.set_result(mine)

    def _restore_sequences(self, before: dict[Any, int], sends: "Sequence[asyncio.Future[Any]]") -> None:
        """Count only what the broker took.

        aiokafka 0.14 counts a batch when it sends it; after one that was refused every later record of that partition
        would be out of order, for as long as the producer lives (tried on Kafka 4.3.1).
        """
        manager = self._producer._txn_manager  # noqa: SLF001 - there is no other way to tell it
        taken = Counter(send.result().topic_partition for send in sends if not send.exception())
        for tp in tuple(manager._sequence_numbers):  # noqa: SLF001 - the same
            manager._sequence_numbers[tp] = before.get(tp, 0) + taken[tp]  # noqa: SLF001 - the same

    def _lose(self, why: str, batches: Sequence[_Batch] = ()) -> None:
        if self._lost is None:
            self._lost = why
        for batch in (*batches, *self._queue):
            if not batch.written.done():
                batch.written.set_exception(WriterLost(why))
                batch.written.exception()  # nobody may be waiting any more
        self._queue.clear()


def _refusal(messages: Sequence[Message], sends: "Sequence[asyncio.Future[Any]]") -> WriteRefused | None:
    """What was refused; any other failure is raised.

    Small records travel together and are refused together: the largest is named.
    """
    refused: list[tuple[int, KafkaError, Message]] = []
    for message, send in zip(messages, sends, strict=True):
        error = send.exception()
        if isinstance(error, REFUSALS):
            refused.append((message.size, error, message))
        # What follows a refused record in its partition is out of order, which is no news.
        elif error is not None and not (refused and isinstance(error, OutOfOrderSequenceNumber)):
            raise error
    if not refused:
        return None
    _, error, message = max(refused, key=lambda found: found[0])
    return WriteRefused(error, message)


def _retrieve(send: "asyncio.Future[Any]") -> None:
    """Or asyncio warns that nobody did, where a transaction was given up."""
    if not send.cancelled():
        send.exception()
