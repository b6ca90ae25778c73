"""What all partitions of one worker share: threads, readers, views, the connector, the hook of the steps."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import Any

import structlog

from connector.clock import SystemClock
from connector.factory import Connector
from connector.model.results import Wait
from connector.settings import Settings

from .accounts import AccountsView
from .lanes import Delivery
from .ledger import Ledger
from .outbox import Outbox
from .publish import PartitionWriter
from .topics import TopicNames
from .views import POINT_FETCH_BYTES, PartitionReader
from .wire import accounts
from .wire.codec import Codec
from .wire.errors import SchemaNotCached, UnknownSchema

log = structlog.get_logger(__name__)

UNREADABLE_S = 10.0
"""Between looks at a state that this configuration cannot read: a person has to mend it."""


class Step(IntEnum):
    """The numbered steps of a request's life, as `streams.users` describes them; 4 and 5 are pure and within 3."""

    DECODE = 1
    LEDGER = 2
    READ = 3
    INTENT = 6
    EXECUTE = 7
    OUTCOME = 8
    FINISH = 9


StepHook = Callable[[Step, Delivery, Mapping[str, Any]], None]
"""Called as each step begins: the sandbox shows them, the torture tests kill the worker there."""


def log_step(step: Step, delivery: Delivery, facts: Mapping[str, Any]) -> None:
    """The default hook: finished requests at info, the rest at debug."""
    say, level = log.bind(), logging.INFO if step is Step.FINISH else logging.DEBUG
    if not say.is_enabled_for(level):
        return  # seven times a request
    record = delivery.record
    request_id = delivery.memo.request.request_id if delivery.memo is not None else None
    say.log(
        level,
        f"request.{step.name.lower()}",
        request_id=request_id,
        key=(record.key or b"").decode("utf-8", "replace"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        **facts,
    )


class Shared:
    """Made once per worker, handed to the work of every epoch."""

    def __init__(self, settings: Settings, connector: Connector, on_step: StepHook = log_step) -> None:
        self.settings = settings
        self.connector = connector
        self.on_step = on_step
        self.clock = SystemClock()
        self.topics = TopicNames(settings.topic_prefix)
        self.codec = Codec(settings.schema_registry_url, self.topics, settings.reply_topics)
        self.outbox = Outbox(
            self.topics,
            codec=self.codec,
            reply_topics=settings.reply_topics,
            max_request_bytes=settings.max_request_bytes,
        )
        self.threads = ThreadPoolExecutor(settings.call_threads, thread_name_prefix="aws")
        self.bulk_reader = PartitionReader(bootstrap_servers=settings.bootstrap_servers)
        self.point_reader = PartitionReader(bootstrap_servers=settings.bootstrap_servers, fetch_bytes=POINT_FETCH_BYTES)
        self.partitions = 0
        """Of the requests topic; set before the lanes run."""
        self.own_account: str | None = None
        """The account of the connector's own credentials, once it was asked for."""
        self.waits: Counter[str] = Counter()
        """How often requests waited, by reason."""
        self._views: dict[int, tuple[Ledger, AccountsView]] = {}
        self._said_unreadable = False
        self._known_topics: set[str] = {self.topics.replies}

    async def start(self) -> None:
        """Connect the readers, begin the threads; may be called again after a failure."""
        await self.bulk_reader.start()
        await self.point_reader.start()
        # Now, while nothing runs: under load each thread's beginning would hold the event loop up for many milliseconds.
        all_there = threading.Barrier(self.settings.call_threads)
        for _ in range(self.settings.call_threads):
            self.threads.submit(all_there.wait)

    async def stop(self) -> None:
        await self.bulk_reader.stop()
        await self.point_reader.stop()
        await self.codec.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.connector.close)

    def new_writer(self, partition: int) -> PartitionWriter:
        """The writer of a partition; its transactional id is the same in every worker of the group, so it fences."""
        s = self.settings
        return PartitionWriter(
            bootstrap_servers=s.bootstrap_servers,
            transactional_id=f"{s.group}-{partition}",
            transaction_timeout_s=s.session_timeout_s,
            patience_s=s.session_timeout_s,
            client={"client_id": f"{s.group}-writer-{partition}"},
        )

    def views_of(self, partition: int) -> tuple[Ledger, AccountsView]:
        """The views of a partition, kept over epochs: a rebalance then reads on where they stood."""
        if partition not in self._views:
            self._views[partition] = (
                Ledger(self.topics.ledger, partition),
                AccountsView(self.topics.accounts, partition, self._decode_account),
            )
        return self._views[partition]

    def _decode_account(self, value: bytes) -> Any:
        return accounts.to_record(self.codec.decode(value, accounts.NAME)[1])

    async def schema(self, missing: SchemaNotCached) -> Wait | None:
        """Ask the registry for a writer's schema; None: it is here, decode again. Its silence is never a conclusion."""
        seconds = await self.codec.resolve(missing)
        return None if seconds is None else Wait(seconds, "schema", {"schema_id": str(missing.number)})

    def unreadable(self, error: UnknownSchema) -> Wait:
        """The ledger or the accounts hold what this configuration cannot read: nothing is done for a user until it can."""
        if not self._said_unreadable:
            self._said_unreadable = True
            log.error(
                "state.unreadable",
                error=str(error),
                what_now="its users wait; set SCHEMA_REGISTRY_URL as it was when that was written, or update the connector",
            )
        return Wait(UNREADABLE_S, "unreadable")

    async def topic_exists(self, topic: str) -> bool:
        """Looked up in the metadata: a send to a topic that does not exist would block for the request timeout."""
        if topic not in self._known_topics and await self.bulk_reader.has_topic(topic):
            self._known_topics.add(topic)
        return topic in self._known_topics

    def waiting(self, wait: Wait) -> None:
        """A request waits: counted here, shown by whoever asks."""
        self.waits[wait.reason] += 1
        log.debug("request.waits", reason=wait.reason, seconds=round(wait.seconds, 3), **wait.details)
