"""What leaves a lane: the messages of an intent, an outcome, a repeat, a refusal, a refresh, a dead letter.

PURE but for the wire encoding: values in, messages out. Who writes them, and when, is `streams.users`' business.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from connector import VERSION
from connector.errors import RequestRefused
from connector.model.iam import AccountRecord, Facet
from connector.model.refreshes import Refresh, RefreshReason
from connector.model.requests import Request
from connector.model.results import (
    AccountChange,
    AuditRecord,
    Intent,
    Outcome,
    Reply,
    ReplyError,
    ReplyStatus,
)

from .accounts import look_again_header
from .lanes import DeadLetter
from .ledger import FINISHED, STARTED, index_header
from .publish import Message
from .topics import TopicNames
from .wire import accounts, headers, keys, ledger, refreshes, requests, results
from .wire.codec import Codec
from .wire.times import milliseconds

MAX_REASON = 500
"""Characters of a dead letter's message."""

MAX_CUT_KEY_BYTES = 4096
"""A longer key goes with the value when a dead letter is cut."""

MAX_DEAD_LETTER_BYTES = 950_000
"""What one record of the writer holds, with room for our headers. A record can be larger (it came compressed)."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it stands in its partition."""

    request: Request
    topic: str
    partition: int
    offset: int
    key: bytes
    carried: tuple[headers.Header, ...]
    """Headers that go on to everything that comes of it."""
    reply_topic: str | None
    """As the producer asked; None: the default one."""
    refusal: RequestRefused | None
    """Why it cannot be taken at all."""
    answered: bool = True
    """Somebody waits for a reply; not so for a request of the connector's own."""

    @property
    def ledger_key(self) -> bytes:
        return keys.ledger_key(self.key, self.request.request_id)

    @property
    def refusal_key(self) -> bytes:
        """Of its entry when it was refused before the entry under its id was its own; the hash covers the id."""
        return self.key[: keys.MARKED_KEY_BYTES] + b"|#" + self.request.content_hash.encode()


class Outbox:
    """Makes messages under one topic prefix."""

    def __init__(
        self,
        topics: TopicNames,
        *,
        codec: Codec | None = None,
        reply_topics: Sequence[str] = (),
        max_request_bytes: int,
    ) -> None:
        self._topics = topics
        self._codec = codec or Codec(None, topics, reply_topics)
        self._reply_topics = frozenset((*reply_topics, topics.replies))
        self._max_request_bytes = max_request_bytes

    # -- in -----------------------------------------------------------------------------------------------

    def incoming(self, record: Any, partitions: int, own_account: str | None) -> Incoming:
        """Decode a request record and say whether it can be taken.

        `own_account`: the connector's, for requests that name none.

        Raises:
            WireError: the bytes cannot be read.
            SchemaNotCached: the registry has to be asked first, as everywhere here where something is decoded.
        """
        _, fields = self._codec.decode(record.value, requests.NAME)
        request = requests.to_request(fields, traceparent=headers.header_value(record.headers, headers.TRACEPARENT))
        reply_topic = headers.header_value(record.headers, headers.REPLY_TOPIC)
        refusal = (
            requests.refusal_of(request)
            or self._refuse_size(record)
            or self._refuse_key(record, request, partitions, own_account)
            or self._refuse_reply_topic(reply_topic)
        )
        return Incoming(
            request=request,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key or b"",
            carried=headers.carried(record.headers),
            reply_topic=reply_topic if reply_topic in self._reply_topics else None,
            refusal=refusal,
        )

    def _refuse_size(self, record: Any) -> RequestRefused | None:
        size = len(record.value)
        if size <= self._max_request_bytes:
            return None
        return RequestRefused(
            "TOO_LARGE", f"{size} bytes, and at most {self._max_request_bytes} are taken: split the request"
        )

    @staticmethod
    def _refuse_key(record: Any, request: Request, partitions: int, own_account: str | None) -> RequestRefused | None:
        """A request under another key or in another partition is not moved: its order is already lost."""
        account = request.aws_account_id or own_account
        right = keys.user_key(account or "", request.user_name)
        if record.key != right.encode():
            return RequestRefused("KEY_MISMATCH", f"the record's key must be {right}: publish it again under that key")
        where = keys.partition_for(record.key, partitions)
        if record.partition != where:
            return RequestRefused(
                "KEY_MISMATCH",
                f"the key {right} belongs in partition {where} and came in {record.partition}: use Kafka's default "
                "partitioner (librdkafka: partitioner=murmur2_random) and publish it again",
            )
        return None

    def _refuse_reply_topic(self, reply_topic: str | None) -> RequestRefused | None:
        if reply_topic is None or reply_topic in self._reply_topics:
            return None
        return bad_reply_topic(reply_topic, "is not one that the settings allow: add it to IDHUB_AWS_REPLY_TOPICS")

    def ledger_entry(self, value: bytes) -> ledger.LedgerEntry:
        """A ledger value, decoded."""
        return ledger.to_entry(self._codec.decode(value, ledger.NAME)[1])

    def refresh(self, record: Any) -> Refresh:
        """Decode a refresh record.

        Raises:
            WireError: the bytes cannot be read.
            RequestRefused: it came under the key of another user, whose state it would overwrite.
        """
        refresh = refreshes.to_refresh(self._codec.decode(record.value, refreshes.NAME)[1])
        right = keys.user_key(refresh.aws_account_id, refresh.user_name)
        if record.key != right.encode():
            raise RequestRefused("KEY_MISMATCH", f"the record's key must be {right}")
        return refresh

    @staticmethod
    def looking(record: Any, request: Request) -> Incoming:
        """The connector's own request for a second look, at the place of its refresh: it has no offset to finish."""
        return Incoming(request, record.topic, record.partition, -1, record.key, (), None, None, answered=False)

    # -- a request's life ---------------------------------------------------------------------------------

    def intent(self, incoming: Incoming, intent: Intent) -> list[Message]:
        """The STARTED entry."""
        return [
            self._entry(incoming, incoming.ledger_key, STARTED, ledger.started(incoming.topic, incoming.offset, intent))
        ]

    def outcome_attempts(
        self, incoming: Incoming, outcome: Outcome, now: datetime, *, refused: bool
    ) -> Iterator[list[Message]]:
        """The outcome in ever smaller forms: whole; a shortened reply on the default topic; that without its change's states.

        `refused`: the request must not touch the entry under its id (it was refused before that was its own).
        """
        yield self._outcome(incoming, outcome, now, refused=refused)
        short = replace(
            outcome,
            reply=replace(
                outcome.reply,
                steps=(),
                notes=(),
                error=ReplyError(
                    "REPLY_TOO_LARGE",
                    f"Kafka refused the whole reply ({outcome.reply.status.value}); the steps are in the audit topic",
                ),
            ),
        )
        without_topic = replace(incoming, reply_topic=None)
        yield self._outcome(without_topic, short, now, refused=refused)
        yield self._outcome(without_topic, short, now, refused=refused, whole_change=False)

    def _outcome(
        self, incoming: Incoming, outcome: Outcome, now: datetime, *, refused: bool, whole_change: bool = True
    ) -> list[Message]:
        to = incoming.reply_topic or self._topics.replies
        reply = self._codec.encode(to, results.REPLY, results.from_reply(outcome.reply))
        key = incoming.refusal_key if refused else incoming.ledger_key
        entry = ledger.finished(
            incoming.topic,
            incoming.offset,
            request_id=None if refused else outcome.reply.request_id,  # it can be as large as a record
            request_hash=outcome.reply.request_hash,
            reply=reply,
            note="refused" if refused else "",
        )
        messages = [self._entry(incoming, key, FINISHED, entry)]
        if incoming.answered:
            messages.append(self._reply(incoming, reply, outcome.reply.finished_at or now, refused=refused))
        messages += (self._audit(incoming, audit) for audit in outcome.audits)
        if outcome.account is not None:
            messages.append(self._account(incoming.key, outcome.account, incoming.partition, incoming.carried))
        if outcome.change is not None:
            messages.append(self._change(incoming.key, outcome.change, incoming.carried, whole=whole_change))
        messages += (self._refresh(refresh) for refresh in outcome.refreshes)
        return messages

    def repeat(
        self, incoming: Incoming, entry: ledger.LedgerEntry, now: datetime, *, refused: bool = False
    ) -> list[Message]:
        """The stored reply once more, byte for byte, wherever this delivery wants it."""
        return [self._reply(incoming, entry.reply or b"", now, refused=refused)]

    @staticmethod
    def refused(incoming: Incoming, refusal: RequestRefused, now: datetime) -> Outcome:
        """REJECTED before anything was looked at."""
        request = incoming.request
        reply = Reply(
            request_id=request.request_id,
            operation=request.operation,
            status=ReplyStatus.REJECTED,
            request_hash=request.content_hash,
            aws_account_id=request.aws_account_id,
            user_name=request.user_name,
            error=ReplyError(refusal.code, refusal.message),
            started_at=now,
            finished_at=now,
            connector_version=VERSION,
        )
        return Outcome(reply)

    # -- refreshes and dead letters -----------------------------------------------------------------------

    def refreshed(
        self, key: bytes, account: AccountRecord, change: AccountChange | None, partition: int
    ) -> list[Message]:
        """What a refresh found."""
        messages = [self._account(key, account, partition, ())]
        if change is not None:
            messages.append(self._change(key, change, ()))
        return messages

    def look_again(self, due: Sequence[tuple[bytes, AccountRecord]], now: datetime, partition: int) -> list[Message]:
        """Refreshes for the users whose second look is due."""
        return [
            Message(
                self._topics.refreshes,
                key,
                self._codec.encode(
                    self._topics.refreshes,
                    refreshes.NAME,
                    refreshes.from_refresh(
                        Refresh(
                            account.aws_account_id,
                            account.user_name,
                            tuple(facet for facet in Facet if account.deleted or facet in account.items),
                            RefreshReason.LOOK_AGAIN,
                            occurred_at=now,
                        )
                    ),
                ),
                partition=partition,
            )
            for key, account in due
        ]

    def dead_letter(self, record: Any, reason: DeadLetter) -> list[Message]:
        """The original bytes with their coordinates and the reason; a request leaves a mark in the ledger too."""
        why = headers.dead_letter(
            stage=reason.stage,
            error_class=reason.error_class,
            message=reason.message[:MAX_REASON],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            replays=headers.replay_count(record.headers),
        )
        # A record of nothing at all, which other producers can send, cannot be sent on as it was.
        value = record.value if record.key is not None or record.value is not None else b""
        letter = Message(self._topics.dead_letters, record.key, value, (*headers.original(record.headers), *why))
        messages = [letter if letter.size <= MAX_DEAD_LETTER_BYTES else _cut(letter, why)]
        if record.topic == self._topics.requests:
            mark = ledger.finished(
                record.topic, record.offset, request_id=None, request_hash="", reply=None, note="dead letter"
            )
            messages.append(
                Message(
                    self._topics.ledger,
                    keys.mark_key(record.key, record.topic, record.offset),
                    self._codec.encode(self._topics.ledger, ledger.NAME, mark),
                    (index_header(record.offset, FINISHED),),
                    record.partition,
                )
            )
        return messages

    # -- single messages ----------------------------------------------------------------------------------

    def _entry(self, incoming: Incoming, key: bytes, state: int, fields: Mapping[str, Any]) -> Message:
        return Message(
            self._topics.ledger,
            key,
            self._codec.encode(self._topics.ledger, ledger.NAME, dict(fields)),
            (index_header(incoming.offset, state),),
            incoming.partition,
        )

    def _reply(self, incoming: Incoming, reply: bytes, time: datetime, *, refused: bool = False) -> Message:
        """A repeat is the same event. A refusal is one of its own: the same request may be taken where it belongs."""
        request = incoming.request
        which = "/refused" if refused else ""
        event = headers.cloud_event(
            event_id=f"{request.request_id}/{request.content_hash[:16]}{which}",
            event_type="reply",
            subject=incoming.key.decode("utf-8", "replace"),
            time=time,
        )
        return Message(incoming.reply_topic or self._topics.replies, incoming.key, reply, (*incoming.carried, *event))

    def _audit(self, incoming: Incoming, audit: AuditRecord) -> Message:
        event = headers.cloud_event(
            event_id=audit.audit_id,
            event_type="audit",
            subject=incoming.key.decode("utf-8", "replace"),
            time=audit.occurred_at,
        )
        value = self._codec.encode(self._topics.audit, results.AUDIT, results.from_audit(audit))
        return Message(self._topics.audit, incoming.key, value, (*incoming.carried, *event))

    def _account(
        self, key: bytes, account: AccountRecord, partition: int, carried: tuple[headers.Header, ...]
    ) -> Message:
        value = self._codec.encode(self._topics.accounts, accounts.NAME, accounts.from_record(account))
        subject = key.decode("utf-8", "replace")
        event = headers.cloud_event(
            event_id=f"{subject}/{sha256(value).hexdigest()[:16]}",
            event_type="account",
            subject=subject,
            time=max(
                (*account.observed_at.values(), *filter(None, (account.deleted_at, account.absent_since))), default=None
            ),
        )
        look = (look_again_header(account.look_again_at),) if account.look_again_at is not None else ()
        return Message(self._topics.accounts, key, value, (*look, *carried, *event), partition)

    def _refresh(self, refresh: Refresh) -> Message:
        """For the lane of another user, wherever it is."""
        key = keys.user_key(refresh.aws_account_id, refresh.user_name).encode()
        fields = refreshes.from_refresh(refresh)
        return Message(self._topics.refreshes, key, self._codec.encode(self._topics.refreshes, refreshes.NAME, fields))

    def _change(
        self, key: bytes, change: AccountChange, carried: tuple[headers.Header, ...], *, whole: bool = True
    ) -> Message:
        source = change.request_id or (change.event_ids[0] if change.event_ids else "reading")
        subject = key.decode("utf-8", "replace")
        event = headers.cloud_event(
            event_id=f"{subject}/{source}/{change.kind.value}/{milliseconds(change.occurred_at)}",
            event_type="change",
            subject=subject,
            time=change.occurred_at,
        )
        value = self._codec.encode(self._topics.changes, results.CHANGE, results.from_change(change, whole=whole))
        return Message(self._topics.changes, key, value, (*carried, *event))


def _cut(letter: Message, why: tuple[headers.Header, ...]) -> Message:
    """A record too large to be buried whole: it stands, as long as its topic keeps it, where the headers say."""
    told = (headers.OMITTED, f"{letter.size} bytes: read them at the original coordinates".encode())
    key = letter.key if letter.key is not None and len(letter.key) <= MAX_CUT_KEY_BYTES else None
    return replace(letter, key=key, value=None if key is not None else b"", headers=(*why, told))


def bad_reply_topic(topic: str, why: str) -> RequestRefused:
    """The reply is then given on the default topic."""
    return RequestRefused("BAD_REPLY_TOPIC", f"the reply-topic {topic} {why}")
