"""Keys and partitions: Kafka's own vectors, and entries that never meet."""

import pytest
from aiokafka.partitioner import murmur2

from streams.wire.keys import MARKED_KEY_BYTES, ledger_key, mark_key, partition_for, user_key
from streams.wire.requests import REQUEST_ID

# Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "number"), VECTORS.items())
def test_murmur2_is_that_of_kafka(key, number):
    told = murmur2(key.encode())
    assert told - (1 << 32 if told >= 1 << 31 else 0) == number


@pytest.mark.parametrize(("key", "number"), VECTORS.items())
@pytest.mark.parametrize("partitions", [1, 6, 12, 1000])
def test_the_partition_is_the_positive_hash_modulo_the_count(key, number, partitions):
    """Utils.toPositive takes the sign bit away; it is not the absolute value."""
    assert partition_for(key.encode(), partitions) == (number & 0x7FFFFFFF) % partitions


def test_a_users_key_ignores_the_case_of_its_name():
    assert user_key("012345678901", "Alice.Miller") == user_key("012345678901", "ALICE.miller")
    assert user_key("012345678901", "Alice") == "012345678901/alice"


def test_the_entry_of_a_request_is_under_its_record_key_and_id():
    assert ledger_key(b"012345678901/alice", "req-1") == b"012345678901/alice|req-1"


@pytest.mark.parametrize("request_id", ["@idhub.aws.requests:7", "a|#idhub.aws.requests:7", "#idhub.aws.requests:7"])
def test_no_request_id_names_the_entry_of_a_mark(request_id):
    """A producer who could choose such an id would overwrite what is known of another record."""
    mark = mark_key(b"012345678901/alice", "idhub.aws.requests", 7)
    assert ledger_key(b"012345678901/alice", request_id) != mark or not REQUEST_ID.fullmatch(request_id)


def test_a_mark_of_a_huge_key_is_small_and_still_one_of_a_kind():
    huge = b"x" * 900_000
    marks = {mark_key(huge, "idhub.aws.requests", offset) for offset in range(3)}
    assert len(marks) == 3
    assert max(map(len, marks)) < MARKED_KEY_BYTES + 100


def test_a_mark_needs_no_key():
    assert mark_key(None, "idhub.aws.requests", 7) == b"|#idhub.aws.requests:7"
