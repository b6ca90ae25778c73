"""Kafka headers: CloudEvents in binary mode, correlation, traces, and the reasons of dead letters."""

from collections.abc import Iterable
from datetime import datetime

Header = tuple[str, bytes]

REPLY_TOPIC, CORRELATION_ID, TRACEPARENT = "reply-topic", "correlation-id", "traceparent"
REPLAY_COUNT = "replay-count"
CONTENT_TYPE = "application/avro"
SOURCE = "idhub-aws"


def header_value(headers: Iterable[Header], name: str) -> str | None:
    """The last value of a header as text; None where it is missing. Bytes that are no UTF-8 are replaced."""
    found = [value for header, value in headers if header == name and value is not None]
    return found[-1].decode("utf-8", "replace") if found else None


def carried(headers: Iterable[Header]) -> tuple[Header, ...]:
    """What goes from a request to everything that comes of it."""
    return tuple(
        (name, value) for name, value in headers if name in {CORRELATION_ID, TRACEPARENT} and value is not None
    )


def cloud_event(*, event_id: str, event_type: str, subject: str, time: datetime) -> tuple[Header, ...]:
    """The attributes of a CloudEvent (CloudEvents 1.0, Kafka protocol binding, binary content mode)."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", f"com.sath.idhub.aws.{event_type}".encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.isoformat().encode()),
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
