"""Whatever is wrong with a request is said in a reply, or in a dead letter where it cannot even be read; and the worker
goes on, with nothing else delayed: after each of these a good request is answered as if nothing had been.
"""

import asyncio
import struct

import pytest

from sandbox.aws import BREAK_GLASS, CONNECTOR, DEFAULT_ACCOUNT
from streams.send import entitlement
from streams.wire import decode_record, encode_record
from streams.wire.headers import header_value
from streams.wire.keys import partition_for, user_key
from streams.wire.schemas import current
from tests.support.kafka import make_topic, read_topic
from tests.support.wait import eventually
from tests.torture.checks import BROKEN
from tests.torture.load import LONG_AGO, ask, hash_of
from tests.torture.world import PLAIN, world

REPLY_S = 30.0
REQUEST = "ProvisioningRequest"

MAX_REQUEST_BYTES = 100_000


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    with world(kafka.bootstrap, tmp_path_factory.mktemp("bad"), MAX_REQUEST_BYTES=MAX_REQUEST_BYTES) as one:
        mine = {name: f"{one.topics.replies}.{name}" for name in ("mine", "small", "missing")}
        one.environ["IDHUB_AWS_REPLY_TOPICS"] = ",".join(mine.values())

        async def make():
            await one.make_topics()
            await make_topic(one.bootstrap, mine["mine"])
            await make_topic(one.bootstrap, mine["small"], configs={"max.message.bytes": "700"})

        asyncio.run(make())
        one.worker(argv=PLAIN)
        yield one


@pytest.fixture
async def client(here):
    """After the test the worker still does what it is there for, and has not stumbled."""
    async with here.client() as one:
        yield one
        number = len(here.aws.state()["users"])
        good = ask(
            f"good-{number}", "CREATE_ACCOUNT", f"good-{number}", entitlements=[entitlement("GROUP", "readonly")]
        )
        assert (await one.ask(good, timeout_s=REPLY_S))["status"] == "SUCCEEDED"
    [worker] = here.workers
    assert worker.alive, worker.tail()
    assert not worker.events(*BROKEN), worker.events(*BROKEN)[0]
    assert "Traceback" not in worker.text()


async def dead_letter_of(here, place):
    """The dead letter of the record at this place."""

    async def find():
        for record in await read_topic(here.bootstrap, here.topics.dead_letters):
            told = [header_value(record.headers, f"original-{name}") for name in ("topic", "partition", "offset")]
            if told == [place.topic, str(place.partition), str(place.offset)]:
                return record
        return None

    return await eventually(find, f"the dead letter of {place}")


def error_of(reply):
    return reply["status"], reply["error"]["code"] if reply["error"] else None


# -- what cannot be read -----------------------------------------------------------------------------------------------

GOOD = encode_record(REQUEST, ask("never-runs", "CREATE_ACCOUNT", "nobody"))

UNREADABLE = {
    "no Avro": (b"this is not Avro", "Undecodable", "neither"),
    "nothing": (b"", "Undecodable", "0 bytes"),
    "null": (None, "NullValue", "without a value"),
    "a fingerprint that nobody knows": (b"\xc3\x01" + b"\x11" * 8 + GOOD[10:], "UnknownSchema", "1111111111111111"),
    "Confluent's framing without a registry": (b"\0" + struct.pack(">I", 4711) + GOOD[10:], "UnknownSchema", "4711"),
    "cut off": (GOOD[:-20], "Undecodable", REQUEST),
    "something behind it": (GOOD + b"\0", "Undecodable", "behind"),
    "another record": (
        b"\xc3\x01" + current("Refresh").fingerprint + GOOD[10:],
        "Undecodable",
        f"a Refresh where a {REQUEST} belongs",
    ),
}


@pytest.mark.parametrize(("value", "error_class", "why"), UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("key", [b"somebody", None], ids=["key", "no key"])
async def test_what_cannot_be_read_is_a_dead_letter(here, client, key, value, error_class, why):
    if value is None and key is None:
        return  # no producer sends such a record
    headers = [("correlation-id", b"corr-9"), ("x-own", b"kept")]
    place = await client.publish_bytes(value, key=key, headers=headers)
    letter = await dead_letter_of(here, place)
    assert (letter.key, letter.value) == (key, value)
    told = dict(letter.headers)
    assert told["error-stage"] == b"DECODE"
    assert told["error-class"].decode() == error_class
    assert why in told["error-message"].decode()
    assert told["replay-count"] == b"0"
    assert int(told["original-timestamp"]) > 0
    assert told["correlation-id"] == b"corr-9"


async def test_an_oversized_record_is_a_dead_letter_too(here, client):
    """As large as the topic takes: larger than what a transaction's record may be."""
    place = await client.publish_bytes(b"x" * 1_040_000, key=b"somebody")
    letter = await dead_letter_of(here, place)
    assert header_value(letter.headers, "error-class") == "Undecodable"
    assert letter.value is None or letter.value == b"x" * 1_040_000


async def test_the_reason_in_a_dead_letter_quotes_nothing_of_the_record(here, client):
    place = await client.publish_bytes(GOOD[:10] + b"\x02Secret-Text-1!" * 20, key=b"somebody")
    letter = await dead_letter_of(here, place)
    assert b"Secret-Text" not in b"".join(value for _, value in letter.headers)


# -- what can be read and not be done ----------------------------------------------------------------------------------

GROUP = entitlement("GROUP", "developers")

REFUSED = {
    "a user name that IAM refuses": (
        {"operation": "CREATE_ACCOUNT", "userName": "bad name!"},
        ("REJECTED", "BAD_USER_NAME", "letters, digits"),
    ),
    "an operation that nobody knows": ({"operation": "UNKNOWN"}, ("REJECTED", "UNKNOWN_OPERATION", "it runs")),
    "an account that is none": (
        {"operation": "CREATE_ACCOUNT", "awsAccountId": "12345"},
        ("REJECTED", "BAD_ACCOUNT_ID", "12 digits"),
    ),
    "another account": (
        {"operation": "CREATE_ACCOUNT", "awsAccountId": "999988887777"},
        ("REJECTED", "WRONG_ACCOUNT", DEFAULT_ACCOUNT),
    ),
    "an id with a sign that is no good": (
        {"operation": "CREATE_ACCOUNT", "requestId": "no|good"},
        ("REJECTED", "BAD_REQUEST_ID", "choose another id"),
    ),
    "too late": (
        {"operation": "CREATE_ACCOUNT", "notAfter": LONG_AGO},
        ("REJECTED", "TOO_LATE", "nothing was begun"),
    ),
    "the connector itself": (
        {"operation": "DELETE_ACCOUNT", "userName": CONNECTOR},
        ("REJECTED", "PROTECTED_PRINCIPAL", "own user"),
    ),
    "a protected user": (
        {"operation": "DELETE_ACCOUNT", "userName": BREAK_GLASS.upper()},
        ("REJECTED", "PROTECTED_PRINCIPAL", "protected"),
    ),
    "a tag of ours": (
        {"operation": "CREATE_ACCOUNT", "attributes": {"idhub:request-id": "x"}},
        ("REJECTED", "RESERVED_TAG", "idhub:"),
    ),
    "a credential that does not open": (
        {"operation": "CREATE_ACCOUNT", "credential": "not.a.jwe"},
        ("REJECTED", "BAD_CREDENTIAL", "credential"),
    ),
    "an attribute that no tag can hold": (
        {"operation": "CREATE_ACCOUNT", "attributes": {"note": "x" * 300}},
        ("FAILED", "INVALID_ATTRIBUTE", "at most 256"),
    ),
    "somebody who is not there": (
        {"operation": "GRANT_ENTITLEMENTS", "userName": "nobody", "entitlements": [GROUP]},
        ("FAILED", "NO_SUCH_ACCOUNT", "nobody"),
    ),
    "an entitlement that does not exist": (
        {"operation": "GRANT_ENTITLEMENTS", "userName": "somebody", "entitlements": [entitlement("GROUP", "no-group")]},
        ("FAILED", "NO_SUCH_ENTITLEMENT", "no-group"),
    ),
    "an entitlement that can be none": (
        {"operation": "GRANT_ENTITLEMENTS", "userName": "somebody", "entitlements": [entitlement("GROUP", "a b")]},
        ("FAILED", "INVALID_ENTITLEMENT", "no name of a group"),
    ),
    "an entitlement of an unknown kind": (
        {"operation": "GRANT_ENTITLEMENTS", "userName": "somebody", "entitlements": [entitlement("UNKNOWN", "x")]},
        ("FAILED", "INVALID_ENTITLEMENT", "UNKNOWN"),
    ),
    "more than is taken": (
        {"operation": "CREATE_ACCOUNT", "attributes": {"note": "x" * MAX_REQUEST_BYTES}},
        ("REJECTED", "TOO_LARGE", str(MAX_REQUEST_BYTES)),
    ),
}


@pytest.mark.parametrize(("fields", "expected"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_done_is_answered_with_the_reason(here, client, fields, expected):
    if "somebody" not in here.aws.state()["users"]:
        here.aws.call("CreateUser", {"UserName": "somebody"})
    status, code, why = expected
    users = here.aws.state()["users"]
    given = {"userName": "refused", **fields}
    operation, user = given.pop("operation"), given.pop("userName")
    request_id = given.pop("requestId", f"refused-{list(REFUSED.values()).index((fields, expected))}")
    request = {**ask(request_id, operation, user), **given}
    reply = await client.ask(request, timeout_s=REPLY_S)
    assert error_of(reply) == (status, code)
    assert why in reply["error"]["message"]
    assert reply["requestHash"] == hash_of(request)
    assert here.aws.state()["users"] == users

    again = await client.ask(request, timeout_s=REPLY_S)
    assert again["_bytes"] == reply["_bytes"]


async def test_a_good_entitlement_is_granted_beside_a_bad_one(here, client):
    here.aws.call("CreateUser", {"UserName": "partly"})
    both = [entitlement("GROUP", "no-such-group"), GROUP]
    reply = await client.ask(ask("partly-1", "GRANT_ENTITLEMENTS", "partly", entitlements=both), timeout_s=REPLY_S)
    assert error_of(reply) == ("PARTIAL", "NO_SUCH_ENTITLEMENT")
    assert [step["outcome"] for step in reply["steps"]] == ["FAILED", "DONE"]
    assert here.aws.state()["users"]["partly"]["groups"] == ["developers"]


async def test_the_same_id_with_another_content_is_a_conflict_however_often(here, client):
    first = ask("conflict-1", "CREATE_ACCOUNT", "conny")
    other = {**first, "attributes": {"department": "Sales"}}
    done = await client.ask(first, timeout_s=REPLY_S)
    refused = await client.ask(other, timeout_s=REPLY_S)
    assert error_of(refused) == ("REJECTED", "CONFLICT")
    assert "id of its own" in refused["error"]["message"]
    again = await client.ask(other, timeout_s=REPLY_S)
    assert again["_bytes"] == refused["_bytes"]
    # It has not touched the first one's answer.
    assert (await client.ask(first, timeout_s=REPLY_S))["_bytes"] == done["_bytes"]
    assert "department" not in here.aws.state()["users"]["conny"]["tags"]


async def test_a_wrong_key_is_refused_and_the_right_one_then_runs(here, client):
    request = ask("key-1", "CREATE_ACCOUNT", "kim")
    await client.publish(request, key=b"somebody-else")
    refused = await client.reply("key-1", timeout_s=REPLY_S)
    assert error_of(refused) == ("REJECTED", "KEY_MISMATCH")
    assert user_key(DEFAULT_ACCOUNT, "kim") in refused["error"]["message"]
    assert refused["_key"] == b"somebody-else"
    assert "kim" not in here.aws.state()["users"]
    done = await client.ask(request, timeout_s=REPLY_S)
    assert done["status"] == "SUCCEEDED"


async def test_a_wrong_partition_is_refused_and_the_right_one_then_runs(here, client):
    request = ask("partition-1", "CREATE_ACCOUNT", "lee")
    right = partition_for(user_key(DEFAULT_ACCOUNT, "lee").encode(), here.partitions)
    await client.publish(request, partition=(right + 1) % here.partitions)
    refused = await client.reply("partition-1", timeout_s=REPLY_S)
    assert error_of(refused) == ("REJECTED", "KEY_MISMATCH")
    assert "murmur2_random" in refused["error"]["message"]
    assert (await client.ask(request, timeout_s=REPLY_S))["status"] == "SUCCEEDED"


# -- reply topics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "why"),
    [("missing", "does not exist"), ("elsewhere", "IDHUB_AWS_REPLY_TOPICS")],
    ids=["missing", "not allowed"],
)
async def test_a_reply_topic_that_is_no_good_is_said_on_the_default_one(here, client, topic, why):
    request = ask(f"topic-{topic}", "CREATE_ACCOUNT", f"topic-{topic}")
    named = f"{here.topics.replies}.{topic}"
    reply = await client.ask(request, timeout_s=REPLY_S, headers=[("reply-topic", named.encode())])
    assert error_of(reply) == ("REJECTED", "BAD_REPLY_TOPIC")
    assert named in reply["error"]["message"]
    assert why in reply["error"]["message"]
    # The way out that the reply names: leave the header out.
    assert (await client.ask(request, timeout_s=REPLY_S))["status"] == "SUCCEEDED"


async def replies_in(here, topic, request_id):
    found = []
    for record in await read_topic(here.bootstrap, topic):
        _, reply = decode_record(record.value)
        if reply["requestId"] == request_id:
            found.append((record, reply))
    return found


async def test_an_allowed_reply_topic_gets_the_reply(here, client):
    request = ask("topic-mine", "CREATE_ACCOUNT", "topic-mine")
    mine = f"{here.topics.replies}.mine"
    headers = [("reply-topic", mine.encode()), ("correlation-id", b"c-1"), ("traceparent", b"00-" + b"1" * 32)]
    await client.publish(request, headers=headers)
    [(record, reply)] = await eventually(lambda: replies_in(here, mine, "topic-mine"), "the reply on the topic named")
    assert reply["status"] == "SUCCEEDED"
    told = dict(record.headers)
    assert (told["correlation-id"], told["traceparent"]) == (b"c-1", b"00-" + b"1" * 32)
    assert "topic-mine" not in client.replies
    # A repeat is answered where that delivery wants it.
    again = await client.ask(request, timeout_s=REPLY_S)
    assert again["_bytes"] == record.value


async def test_a_reply_that_its_topic_refuses_comes_shortened_on_the_default_one(here, client):
    request = ask("topic-small", "CREATE_ACCOUNT", "topic-small", entitlements=[GROUP])
    small = f"{here.topics.replies}.small"
    reply = await client.ask(request, timeout_s=REPLY_S, headers=[("reply-topic", small.encode())])
    assert reply["error"]["code"] == "REPLY_TOO_LARGE"
    assert "SUCCEEDED" in reply["error"]["message"]
    assert reply["status"] == "SUCCEEDED"
    assert here.aws.state()["users"]["topic-small"]["groups"] == ["developers"]
    assert not await replies_in(here, small, "topic-small")
    audits = [decode_record(record.value)[1] for record in await read_topic(here.bootstrap, here.topics.audit)]
    assert len([audit for audit in audits if audit["requestId"] == "topic-small"]) == 3
    assert (await client.ask(request, timeout_s=REPLY_S))["_bytes"] == reply["_bytes"]


async def test_a_reply_larger_than_any_record_is_shortened(here, client):
    here.aws.call("CreateUser", {"UserName": "many"})
    names = [entitlement("GROUP", f"a {number:x}") for number in range(11_000)]
    request = ask("reply-large", "GRANT_ENTITLEMENTS", "many", entitlements=names)
    reply = await client.ask(request, timeout_s=REPLY_S)
    assert error_of(reply) == ("FAILED", "REPLY_TOO_LARGE")
    assert reply["steps"] == []


@pytest.mark.parametrize("size", [900_000, 1_040_000])
@pytest.mark.parametrize("what", ["header", "key", "id"])
async def test_huge_headers_keys_and_ids_hold_up_nobody(here, client, what, size):
    """As large as the topic takes them: answered or buried, and what comes behind them for the same user is done."""
    huge, user = "x" * size, f"huge-{what}-{size}"
    request = ask(huge if what == "id" else f"request-{user}", "CREATE_ACCOUNT", user)
    place = await client.publish(
        request,
        key=huge.encode() if what == "key" else None,
        headers=[("correlation-id", huge.encode())] if what == "header" else [],
    )
    behind = ask(f"behind-{user}", "GRANT_ENTITLEMENTS", user, entitlements=[GROUP])
    assert error_of(await client.ask(behind, timeout_s=REPLY_S))[1] in {None, "NO_SUCH_ACCOUNT"}

    async def answered_or_buried():
        if request["requestId"] in client.replies:
            return True
        letters = await read_topic(here.bootstrap, here.topics.dead_letters)
        return any(header_value(one.headers, "original-offset") == str(place.offset) for one in letters)

    await eventually(answered_or_buried, f"what came of the request with a huge {what}")


async def test_a_huge_key_on_what_cannot_be_read(here, client):
    place = await client.publish_bytes(b"no Avro", key=b"x" * 1_040_000)
    letter = await dead_letter_of(here, place)
    assert header_value(letter.headers, "error-class") == "Undecodable"
