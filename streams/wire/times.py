"""Avro's timestamp-millis."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    """Milliseconds since the epoch, counted in whole numbers: floats are off by one now and then."""
    return (at - EPOCH) // timedelta(milliseconds=1)
