"""The lane handler: the life of a request in numbered steps, and of a refresh.

The life of a request:

    1 DECODE   bytes → request; what cannot be read is a dead letter, what is readable but wrong is answered REJECTED
    2 LEDGER   finished → the stored reply again, nothing else; started → wait out the dead worker's last call, resume
    3 READ     the facets of the user that this operation needs ┐
    4 PLAN     pure                                             ├ `life.advance` in a thread (connector.provision)
    5 CHECK    refuse what is unsafe                            ┘
    6 INTENT   before the first mutation a STARTED entry in the ledger, acknowledged
    7 EXECUTE  call by call, in a thread, each call behind the lease
    8 OUTCOME  ledger entry, reply, audit records, account and change in one transaction
    9 FINISH   the offset is finished

This module moves values between Kafka and the connector and decides nothing about IAM.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from connector.errors import CallForbidden, RequestRefused
from connector.model.iam import AccountRecord
from connector.model.refreshes import Refresh, RefreshReason
from connector.model.requests import Request
from connector.model.results import Advance, Finished, Intent, Outcome, Wait, WriteIntent

from .lanes import Answer, DeadLetter, Delivery, Done, Epoch, Leave, Park, Reopen
from .outbox import Incoming, Outbox, bad_reply_topic
from .publish import Message, WriteRefused, WriterLost
from .shared import Shared, Step
from .wire.errors import SchemaNotCached, UnknownSchema, WireError
from .wire.ledger import LedgerEntry

log = structlog.get_logger(__name__)

LEASE_WAIT_S = 0.25
"""How soon a request asks again after the lease on its partition had run out without the partition being lost."""


@dataclass(slots=True)
class _Running:
    """A request between two turns of its lane."""

    request: Request
    incoming: Incoming
    life: Any
    intent_written: bool = False


class UsersWork:
    """The work of one epoch of one partition of users (the `Work` of `streams.lanes`)."""

    def __init__(self, epoch: Epoch, shared: Shared) -> None:
        self._epoch = epoch
        self._shared = shared
        self._outbox: Outbox = shared.outbox
        self._writer = shared.new_writer(epoch.partition)
        self._ledger, self._accounts = shared.views_of(epoch.partition)
        self._looks: asyncio.Task[None] | None = None
        self._handlers = {
            shared.topics.requests: self._handle_request,
            shared.topics.refreshes: self._handle_refresh,
        }

    # -- the work of a partition --------------------------------------------------------------------------

    async def open(self, positions: Mapping[str, int]) -> None:
        """Fence the predecessor, then read what it left: only after the fence is the end of the views the end."""
        await self._writer.start()
        await self._ledger.catch_up(self._shared.bulk_reader, positions, self._shared.topics.requests)
        await self._accounts.catch_up(self._shared.bulk_reader)
        self._looks = asyncio.create_task(self._look_again())

    def is_finished(self, record: Any) -> bool:
        """Finished by an earlier life, beyond the committed offset."""
        return record.topic == self._shared.topics.requests and self._ledger.is_finished(record.offset)

    async def handle(self, delivery: Delivery) -> Answer:
        try:
            return await self._handle(delivery)
        except WriterLost as error:
            if self._epoch.is_over():
                return Leave()
            raise Reopen(str(error)) from error

    async def _handle(self, delivery: Delivery) -> Answer:
        """What needs a schema that only the registry has begins again when that is here; nothing was done before."""
        while True:
            try:
                return await self._handlers[delivery.record.topic](delivery)
            except SchemaNotCached as missing:
                wait = await self._shared.schema(missing)
                if wait is not None:
                    return self._park(wait)
            except UnknownSchema as error:
                return self._park(self._shared.unreadable(error))

    async def bury(self, delivery: Delivery, reason: DeadLetter) -> None:
        """The original bytes, its coordinates and the reason; a request leaves a mark in the ledger too."""
        record = delivery.record
        log.warning(
            "dead_letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            stage=reason.stage,
            error=reason.error_class,
            message=reason.message,
        )
        try:
            await self._write(self._outbox.dead_letter(record, reason))
        except WriterLost as error:
            raise Reopen(str(error)) from error

    async def close(self) -> None:
        if self._looks is not None:
            self._looks.cancel()
        await self._writer.stop()

    # -- requests -----------------------------------------------------------------------------------------

    async def _handle_request(self, delivery: Delivery) -> Answer:
        running = delivery.memo
        if running is None:
            begun = await self._begin(delivery)
            if not isinstance(begun, _Running):
                return begun
            running = delivery.memo = begun
        return await self._live(delivery, running)

    async def _begin(self, delivery: Delivery) -> "_Running | Answer":
        """Steps 1 and 2."""
        record = delivery.record
        self._step(Step.DECODE, delivery)
        if record.value is None:
            return DeadLetter("DECODE", "NullValue", "a request without a value: requests are never tombstoned")
        try:
            incoming = await self._incoming(record)
        except WireError as error:
            return DeadLetter("DECODE", type(error).__name__, str(error))
        if isinstance(incoming, Wait):
            return self._park(incoming)
        if incoming.refusal is not None:
            return await self._refuse(delivery, incoming, incoming.refusal)
        request = incoming.request

        self._step(Step.LEDGER, delivery)
        entry = await self._find_entry(incoming.ledger_key)
        if entry is not None and entry.request_hash != request.content_hash:
            return await self._refuse(
                delivery,
                incoming,
                RequestRefused(
                    "CONFLICT",
                    f"the id {request.request_id} was used before with another content: give the new request an id of its own",
                ),
            )
        if entry is not None and entry.finished:
            return await self._repeat(delivery, incoming, entry)
        # A worker that died may have left one call on the wire: it lands within one call timeout, or never.
        if entry is not None and (left := self._left_of_an_earlier_life()) > 0:
            return Park(left, "the last call of an earlier life may still land")
        last_known = self._accounts.record_of(incoming.key)
        life = self._shared.connector.provisioning.begin(request, last_known, entry.intent if entry else None)
        self._step(Step.READ, delivery)
        return _Running(request, incoming, life)

    async def _incoming(self, record: Any) -> Incoming | Wait:
        """Decode; only a request that names no account needs to know whose the connector's credentials are."""
        shared = self._shared
        incoming = self._outbox.incoming(record, shared.partitions, shared.own_account)
        if incoming.request.aws_account_id is None and shared.own_account is None:
            told = await self._in_thread(shared.connector.own_account, self._epoch.may_call)
            if isinstance(told, Wait):
                return told
            shared.own_account = told
            incoming = self._outbox.incoming(record, shared.partitions, told)
        if incoming.reply_topic is not None and not await shared.topic_exists(incoming.reply_topic):
            refusal = bad_reply_topic(incoming.reply_topic, "does not exist: create it, or leave the header out")
            return replace(incoming, reply_topic=None, refusal=incoming.refusal or refusal)
        return incoming

    async def _find_entry(self, key: bytes) -> LedgerEntry | None:
        value = await self._ledger.find(key, self._shared.point_reader)
        return self._outbox.ledger_entry(value) if value is not None else None

    async def _live(self, delivery: Delivery, running: _Running) -> Answer:
        """Steps 3 to 9: advance until the request waits or is finished."""
        while True:
            if running.intent_written:
                self._step(Step.EXECUTE, delivery)
            try:
                advance: Advance = await self._in_thread(running.life.advance, self._epoch.may_call)
            except CallForbidden:
                # Over: the next owner resumes. Not over: commits are held up, the lease comes back with them.
                return Leave() if self._epoch.is_over() else Park(LEASE_WAIT_S, "lease")
            match advance:
                case Wait():
                    return self._park(advance)
                case WriteIntent(intent=intent):
                    await self._write_intent(delivery, running, intent)
                case Finished(outcome=outcome):
                    return await self._finish(delivery, running.incoming, outcome)

    async def _write_intent(self, delivery: Delivery, running: _Running, intent: Intent) -> None:
        self._step(Step.INTENT, delivery)
        await self._write(self._outbox.intent(running.incoming, intent))
        running.intent_written = True

    async def _refuse(self, delivery: Delivery, incoming: Incoming, refusal: RequestRefused) -> Answer:
        """REJECTED before anything was looked at. It never touches the entry of the request that has the id.

        A repeat gets the same reply again, as every request does.
        """
        entry = await self._find_entry(incoming.refusal_key)
        if entry is not None:
            return await self._repeat(delivery, incoming, entry, refused=True)
        outcome = self._outbox.refused(incoming, refusal, self._shared.clock.now())
        return await self._finish(delivery, incoming, outcome, refused=True)

    async def _repeat(
        self, delivery: Delivery, incoming: Incoming, entry: LedgerEntry, *, refused: bool = False
    ) -> Answer:
        await self._write(self._outbox.repeat(incoming, entry, self._shared.clock.now(), refused=refused))
        self._step(Step.FINISH, delivery, repeated=True)
        return Done()

    async def _finish(
        self, delivery: Delivery, incoming: Incoming, outcome: Outcome, *, refused: bool = False
    ) -> Answer:
        """Steps 8 and 9."""
        self._step(Step.OUTCOME, delivery, status=outcome.reply.status.value)
        for messages in self._outbox.outcome_attempts(incoming, outcome, self._shared.clock.now(), refused=refused):
            try:
                await self._write(messages)
                break
            except WriteRefused as error:
                log.warning(
                    "outcome.refused",
                    request_id=outcome.reply.request_id,
                    error=str(error),
                    what_now="a shortened reply",
                )
        else:
            return DeadLetter(
                "PUBLISH", "WriteRefused", "Kafka refuses the outcome even shortened; see the worker's log"
            )
        self._step(Step.FINISH, delivery, status=outcome.reply.status.value)
        return Done()

    # -- refreshes ----------------------------------------------------------------------------------------

    async def _handle_refresh(self, delivery: Delivery) -> Answer:
        """Read the named facets, compare with what was last known, publish what differs. Simply redone after a crash."""
        record = delivery.record
        if record.value is None:
            return DeadLetter("DECODE", "NullValue", "a refresh without a value")
        try:
            refresh: Refresh = self._outbox.refresh(record)
        except (WireError, RequestRefused) as error:
            return DeadLetter("DECODE", type(error).__name__, str(error))
        if isinstance(delivery.memo, _Running):
            return await self._live(delivery, delivery.memo)
        key, last_known = record.key, self._accounts.record_of(record.key)
        if refresh.reason is RefreshReason.LOOK_AGAIN:
            look = self._shared.connector.provisioning.second_look(last_known)
            if look is not None:
                return await self._look(delivery, self._outbox.looking(record, look), last_known)
        try:
            delivery.memo = (delivery.memo or 0) + 1
            read = partial(
                self._shared.connector.refreshing.refresh,
                refresh.aws_account_id,
                refresh.user_name,
                refresh.facets,
                last_known,
                reason=refresh.reason.value,
                may_call=self._epoch.may_call,
                event_ids=refresh.event_ids,
                actor=refresh.actor,
                occurred_at=refresh.occurred_at,
                attempt=delivery.memo,
            )
            result = await self._in_thread(read)
        except CallForbidden:
            return Leave() if self._epoch.is_over() else Park(LEASE_WAIT_S, "lease")
        if isinstance(result, Wait):
            return self._park(result)
        if result.problem is not None:
            log.warning("refresh.impossible", key=key.decode("utf-8", "replace"), problem=result.problem)
        if result.account is not None:
            await self._write(self._outbox.refreshed(key, result.account, result.change, self._epoch.partition))
        return Done()

    async def _look(self, delivery: Delivery, incoming: Incoming, last_known: AccountRecord | None) -> Answer:
        """A second look that may change something: lived as a request is, with an intent and an outcome, but no reply."""
        entry = await self._find_entry(incoming.ledger_key)
        if entry is not None and (left := self._left_of_an_earlier_life()) > 0:
            return Park(left, "the last call of an earlier life may still land")
        intent = entry.intent if entry is not None else None
        life = self._shared.connector.provisioning.begin(incoming.request, last_known, intent)
        running = delivery.memo = _Running(incoming.request, incoming, life)
        return await self._live(delivery, running)

    def _left_of_an_earlier_life(self) -> float:
        """Seconds in which a call of a worker that died may still land."""
        return self._epoch.assigned_at + self._shared.settings.call_timeout_s - time.monotonic()

    async def _look_again(self) -> None:
        """Ask for a refresh of every account whose second look is due. Nothing queues behind the wait for it."""
        while not self._epoch.is_over():
            now = self._shared.clock.now()
            due, missing = self._due(now)
            if due:
                try:
                    await self._writer.write(self._outbox.look_again(due, now, self._epoch.partition))
                except WriterLost:
                    self._accounts.put_back([key for key, _ in due], now)  # the next epoch asks
                    return
            for schema in missing:
                await self._shared.schema(schema)
            await asyncio.sleep(self._shared.settings.tick_s)

    def _due(self, now: datetime) -> tuple[list[tuple[bytes, AccountRecord]], list[SchemaNotCached]]:
        """Whose second look is due, and the schemas that are missing to read more; what cannot be read stays due."""
        due, missing = [], []
        for key in self._accounts.take_due(now):
            try:
                record = self._accounts.record_of(key)
            except SchemaNotCached as schema:
                missing.append(schema)
                self._accounts.put_back([key], now)
            except UnknownSchema as error:
                self._shared.unreadable(error)
                self._accounts.put_back([key], now)
            else:
                if record is not None:
                    due.append((key, record))
        return due, missing

    # -- small things -------------------------------------------------------------------------------------

    async def _write(self, messages: Sequence[Message]) -> None:
        """Publish in one transaction, then let the views know at once: nobody waits to read them back."""
        offsets = await self._writer.write(messages)
        for message, offset in zip(messages, offsets, strict=True):
            if message.topic == self._shared.topics.ledger and message.key is not None:
                self._ledger.wrote(message.key, offset)
            elif message.topic == self._shared.topics.accounts and message.key is not None:
                self._accounts.wrote(message)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._shared.threads, _call, function, arguments)

    def _park(self, wait: Wait) -> Park:
        self._shared.waiting(wait)
        return Park(wait.seconds, wait.reason)

    def _step(self, step: Step, delivery: Delivery, **facts: Any) -> None:
        self._shared.on_step(step, delivery, facts)


def _call(function: Any, arguments: tuple[Any, ...]) -> Any:
    """One name for whatever runs in a thread, so that a stack tells the threads apart."""
    return function(*arguments)
