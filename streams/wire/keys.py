"""Keys and partitions: who is meant, and where Kafka's default partitioner puts it."""

from aiokafka.partitioner import murmur2

from connector.plan.names import user_key

__all__ = ["ledger_key", "mark_key", "partition_for", "user_key"]

MARKED_KEY_BYTES = 512
"""How much of a record's key its mark repeats: the offset alone makes the mark unique, and keys can be huge."""


def ledger_key(record_key: bytes, request_id: str) -> bytes:
    """The entry of a request. An id holds no `|` (`requests.REQUEST_ID`), so the last one parts key and id."""
    return record_key + b"|" + request_id.encode()


def mark_key(record_key: bytes | None, topic: str, offset: int) -> bytes:
    """The entry of a record that must not touch a request's: a dead letter, a refusal. No request id holds a `#`."""
    return (record_key or b"")[:MARKED_KEY_BYTES] + f"|#{topic}:{offset}".encode()


def partition_for(key: bytes, partitions: int) -> int:
    """Kafka's default partitioner (`BuiltInPartitioner`): murmur2 of the key, made positive, modulo the count."""
    number: int = murmur2(key)
    return (number & 0x7FFFFFFF) % partitions
