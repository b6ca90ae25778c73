"""Kafka headers: CloudEvents in binary mode, correlation, traces, and the reasons of dead letters."""

import re
from collections.abc import Iterable
from datetime import datetime

Header = tuple[str, bytes]

REPLY_TOPIC, CORRELATION_ID, TRACEPARENT = "reply-topic", "correlation-id", "traceparent"
REPLAY_COUNT = "replay-count"
OMITTED = "value-omitted"
"""On a dead letter that could not hold the original bytes: how many they are."""
CONTENT_TYPE = "application/avro"
SOURCE = "idhub-aws"
DEAD_LETTER = (
    "error-stage",
    "error-class",
    "error-message",
    "original-topic",
    "original-partition",
    "original-offset",
    "original-timestamp",
    REPLAY_COUNT,
    OMITTED,
)
"""What a dead letter's headers are called, in addition to the original ones."""

_COUNT = re.compile("[0-9]{1,9}")


def header_value(headers: Iterable[Header], name: str) -> str | None:
    """The last value of a header as text; None where it is missing. Bytes that are no UTF-8 are replaced."""
    found = [value for header, value in headers if header == name and value is not None]
    return found[-1].decode("utf-8", "replace") if found else None


def carried(headers: Iterable[Header]) -> tuple[Header, ...]:
    """What goes from a request to everything that comes of it."""
    return tuple(
        (name, value) for name, value in headers if name in {CORRELATION_ID, TRACEPARENT} and value is not None
    )


def original(headers: Iterable[Header]) -> tuple[Header, ...]:
    """All of a record's own headers, so that a dead letter can be published again as it was.

    Those that an earlier burial added are left out: they are about to be said anew.
    """
    return tuple((name, value or b"") for name, value in headers if name not in DEAD_LETTER)


def replay_count(headers: Iterable[Header]) -> int:
    """How often a dead letter was published again; 0 where that is not said, or not in digits."""
    told = header_value(headers, REPLAY_COUNT)
    return int(told) if told is not None and _COUNT.fullmatch(told) else 0


def cloud_event(*, event_id: str, event_type: str, subject: str, time: datetime | None) -> tuple[Header, ...]:
    """The attributes of a CloudEvent (CloudEvents 1.0, Kafka protocol binding, binary content mode).

    `event_id` is the same for the same event, and no other event of ours has it.
    """
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", f"com.sath.idhub.aws.{event_type}".encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_subject", subject.encode()),
        *((("ce_time", time.isoformat().encode()),) if time is not None else ()),
        ("content-type", CONTENT_TYPE.encode()),
    )


def dead_letter(
    *, stage: str, error_class: str, message: str, topic: str, partition: int, offset: int, timestamp: int, replays: int
) -> tuple[Header, ...]:
    """Why a record was buried, and where it stood. `timestamp`: milliseconds since the epoch."""
    return (
        ("error-stage", stage.encode()),
        ("error-class", error_class.encode()),
        ("error-message", message.encode()),
        ("original-topic", topic.encode()),
        ("original-partition", str(partition).encode()),
        ("original-offset", str(offset).encode()),
        ("original-timestamp", str(timestamp).encode()),
        (REPLAY_COUNT, str(replays).encode()),
    )
