"""Keys and partitions: who is meant, and where Kafka's default partitioner puts it."""

from aiokafka.partitioner import murmur2


def user_key(aws_account_id: str, user_name: str) -> str:
    """The lane of a user: IAM's names ignore case, so the key does too."""
    return f"{aws_account_id}/{user_name.casefold()}"


def ledger_key(record_key: bytes, request_id: str) -> bytes:
    """The entry of a request."""
    return record_key + b"|" + request_id.encode()


def mark_key(record_key: bytes | None, topic: str, offset: int) -> bytes:
    """The entry of a record that must not touch a request's: a dead letter, a refusal."""
    return (record_key or b"") + f"|@{topic}:{offset}".encode()


def partition_for(key: bytes, partitions: int) -> int:
    """Kafka's default partitioner: murmur2 of the key, made positive, modulo the count."""
    number: int = murmur2(key)
    return (number & 0x7FFFFFFF) % partitions
