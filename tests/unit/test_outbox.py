"""What leaves a lane: which messages, under which keys, with which headers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import RequestRefused
from connector.model.iam import AccountRecord, Facet, Item
from connector.model.refreshes import Refresh, RefreshReason
from connector.model.requests import Operation
from connector.model.results import (
    AccountChange,
    AuditRecord,
    ChangeKind,
    Intent,
    IntentStep,
    Outcome,
    Reply,
    ReplyStatus,
    StepOutcome,
    StepResult,
)
from streams.accounts import LOOK_AGAIN_HEADER
from streams.lanes import DeadLetter
from streams.ledger import INDEX_HEADER, Ledger
from streams.outbox import MAX_DEAD_LETTER_BYTES, MAX_REASON, Outbox, bad_reply_topic
from streams.send import new_request
from streams.topics import TopicNames
from streams.wire import accounts, decode_record, encode_record, refreshes
from streams.wire.errors import WireError
from streams.wire.headers import header_value
from streams.wire.keys import partition_for
from tests.support.domain import ACCOUNT, NOW, identity, record
from tests.support.records import consumed

PARTITIONS = 6
KEY = f"{ACCOUNT}/alice".encode()
HOME = partition_for(KEY, PARTITIONS)
NAMES = TopicNames("idhub.aws")
CARRIED = (("correlation-id", b"c-1"), ("traceparent", b"00-1-2-01"))
WHY = DeadLetter("DECODE", "Undecodable", "no record")

outbox = Outbox(NAMES, reply_topics=("hr.replies",), max_request_bytes=2_000)


def delivered(key=KEY, partition=HOME, headers=(), **fields):
    made = new_request("GRANT_ENTITLEMENTS", ACCOUNT, "Alice", **{"requestId": "r-1", **fields})
    value = encode_record("ProvisioningRequest", made)
    return consumed(value, topic=NAMES.requests, key=key, partition=partition, headers=headers)


def taken(own_account=None, **given):
    return outbox.incoming(delivered(**given), PARTITIONS, own_account)


def code(incoming):
    return incoming.refusal.code if incoming.refusal else None


def read(message):
    return decode_record(message.value)[1]


def by_topic(messages):
    told = {}
    for message in messages:
        told.setdefault(message.topic.removeprefix("idhub.aws."), []).append(message)
    return told


def to_outcome(incoming, **fields):
    request = incoming.request
    reply = Reply(
        request.request_id, request.operation, ReplyStatus.SUCCEEDED, request.content_hash, ACCOUNT, "Alice",
        steps=(StepResult(1, "AddUserToGroup", "admins", StepOutcome.DONE),), notes=("n",), finished_at=NOW,
    )  # fmt: skip
    return Outcome(reply, **fields)


def whole(incoming, outcome, *, refused=False):
    return next(outbox.outcome_attempts(incoming, outcome, NOW, refused=refused))


ALICE = record(identity("Alice"), {Facet.GROUPS: (Item("admins"),)}, observed_at={Facet.GROUPS: NOW})
AUDIT = AuditRecord(
    "audit-1", NOW, ACCOUNT, "Alice", "AIDAALICE", "AddUserToGroup", "admins", 1, "r-1",
    Operation.GRANT_ENTITLEMENTS, None, None, "aws-1", 1,
)  # fmt: skip
CHANGE = AccountChange(
    ChangeKind.UPDATED, ACCOUNT, "Alice", "AIDAALICE", (), "IDHUB", "arn", "r-1", (), NOW, None, ALICE
)


# -- what comes in -------------------------------------------------------------------------------------------------


def test_a_good_request_is_taken():
    incoming = taken(headers=CARRIED)
    assert incoming.refusal is None
    assert incoming.reply_topic is None
    assert incoming.carried == CARRIED
    assert incoming.request.traceparent == "00-1-2-01"


@pytest.mark.parametrize("key", [b"", None, b"somebody", f"{ACCOUNT}/Alice".encode(), b"\xff"])
def test_a_request_under_another_key_is_refused_and_told_the_right_one(key):
    incoming = taken(key=key)
    assert code(incoming) == "KEY_MISMATCH"
    assert KEY.decode() in incoming.refusal.message


def test_a_request_in_another_partition_is_refused_and_told_the_partitioner():
    incoming = taken(partition=(HOME + 1) % PARTITIONS)
    assert code(incoming) == "KEY_MISMATCH"
    assert "murmur2_random" in incoming.refusal.message


def test_a_request_that_names_no_account_belongs_under_the_connectors_own():
    assert code(taken(awsAccountId=None, own_account=ACCOUNT)) is None
    assert code(taken(awsAccountId=None, own_account="210987654321")) == "KEY_MISMATCH"


def test_a_request_that_is_too_large_is_refused():
    assert code(taken(attributes={"a": "x" * 2_000})) == "TOO_LARGE"


def test_an_id_that_cannot_be_used_is_refused_first():
    assert code(taken(requestId="no spaces", key=b"other")) == "BAD_REQUEST_ID"


@pytest.mark.parametrize(("topic", "refused"), [(b"hr.replies", False), (b"idhub.aws.replies", False), (b"evil", True)])
def test_a_reply_goes_only_where_the_settings_allow(topic, refused):
    incoming = taken(headers=(("reply-topic", topic),))
    assert (code(incoming) == "BAD_REPLY_TOPIC") is refused
    assert incoming.reply_topic == (None if refused else topic.decode())


def test_why_a_reply_topic_is_refused_names_it():
    assert "evil is no good" in bad_reply_topic("evil", "is no good").message


def test_a_refresh_comes_back():
    refresh = Refresh(ACCOUNT, "Alice", (Facet.GROUPS,), RefreshReason.OPERATOR)
    value = encode_record(refreshes.NAME, refreshes.from_refresh(refresh))
    assert outbox.refresh(consumed(value, topic=NAMES.refreshes, key=KEY)) == refresh


def test_a_refresh_under_the_key_of_another_user_is_refused():
    """It would publish Alice's state as Bob's."""
    value = encode_record(refreshes.NAME, refreshes.from_refresh(Refresh(ACCOUNT, "Alice", (), RefreshReason.OPERATOR)))
    with pytest.raises(RequestRefused, match=f"must be {ACCOUNT}/alice"):
        outbox.refresh(consumed(value, topic=NAMES.refreshes, key=f"{ACCOUNT}/bob".encode()))


@pytest.mark.parametrize("read_it", [outbox.refresh, lambda one: outbox.incoming(one, PARTITIONS, None)])
def test_garbage_is_told_apart_from_what_is_refused(read_it):
    with pytest.raises(WireError):
        read_it(consumed(b"garbage"))


# -- a request's life ----------------------------------------------------------------------------------------------


def test_an_intent_is_a_started_entry_in_the_partition_of_its_request():
    intent = Intent("r-1", "h", Operation.GRANT_ENTITLEMENTS, "AIDA1", (IntentStep(1, "k", "AddUserToGroup", "x"),))
    (message,) = outbox.intent(taken(), intent)
    assert (message.topic, message.key, message.partition) == (NAMES.ledger, KEY + b"|r-1", HOME)
    entry = outbox.ledger_entry(message.value)
    assert (entry.finished, entry.intent) == (False, intent)


def test_an_outcome_is_one_batch_of_everything():
    incoming = taken(headers=CARRIED)
    told = by_topic(whole(incoming, to_outcome(incoming, audits=(AUDIT,), account=ALICE, change=CHANGE)))
    assert {topic: len(messages) for topic, messages in told.items()} == dict.fromkeys(
        ("ledger", "replies", "audit", "accounts", "changes"), 1
    )
    assert all(message.key == KEY for topic in ("replies", "audit", "accounts", "changes") for message in told[topic])
    assert {message.partition for topic in ("ledger", "accounts") for message in told[topic]} == {HOME}


def test_the_ledger_keeps_the_reply_byte_for_byte():
    incoming = taken()
    told = by_topic(whole(incoming, to_outcome(incoming)))
    entry = outbox.ledger_entry(told["ledger"][0].value)
    assert entry.finished
    assert entry.reply == told["replies"][0].value
    assert entry.request_hash == incoming.request.content_hash


def test_everything_that_comes_of_a_request_carries_its_trace_and_is_an_event():
    incoming = taken(headers=CARRIED)
    told = by_topic(whole(incoming, to_outcome(incoming, audits=(AUDIT,), account=ALICE, change=CHANGE)))
    for topic, kind in (("replies", "reply"), ("audit", "audit"), ("accounts", "account"), ("changes", "change")):
        headers = dict(told[topic][0].headers)
        assert (headers["correlation-id"], headers["traceparent"]) == (b"c-1", b"00-1-2-01")
        assert headers["ce_type"] == f"com.sath.idhub.aws.{kind}".encode()
        assert headers["ce_subject"] == KEY


def test_a_reply_goes_to_the_topic_that_was_asked_for():
    incoming = taken(headers=(("reply-topic", b"hr.replies"),))
    assert [m.topic for m in whole(incoming, to_outcome(incoming))] == [NAMES.ledger, "hr.replies"]


def test_an_outcome_that_is_refused_is_tried_shorter_and_on_the_default_topic():
    incoming = taken(headers=(("reply-topic", b"hr.replies"),))
    outcome = to_outcome(incoming, audits=(AUDIT,), account=ALICE, change=CHANGE)
    first, second, third = map(by_topic, outbox.outcome_attempts(incoming, outcome, NOW, refused=False))
    assert "hr.replies" in first
    for shorter in (second, third):
        reply = read(shorter["replies"][0])
        assert (reply["status"], reply["steps"], reply["notes"]) == ("SUCCEEDED", [], [])
        assert reply["error"]["code"] == "REPLY_TOO_LARGE"
        assert len(shorter["audit"]) == 1
    assert read(second["changes"][0])["after"] is not None
    assert read(third["changes"][0])["after"] is None


def test_a_repeat_is_the_stored_reply_and_the_same_event():
    incoming = taken()
    told = by_topic(whole(incoming, to_outcome(incoming)))
    again = outbox.repeat(replace(incoming, offset=99), outbox.ledger_entry(told["ledger"][0].value), NOW)
    (message,) = again
    assert message.value == told["replies"][0].value
    assert header_value(message.headers, "ce_id") == header_value(told["replies"][0].headers, "ce_id")


def test_a_refusal_never_touches_the_entry_of_the_request_that_has_the_id():
    incoming = taken()
    refusal = RequestRefused("CONFLICT", "another content")
    told = by_topic(whole(incoming, outbox.refused(incoming, refusal, NOW), refused=True))
    assert told["ledger"][0].key != incoming.ledger_key
    reply = read(told["replies"][0])
    assert (reply["status"], reply["error"]["code"], reply["requestHash"]) == (
        "REJECTED",
        "CONFLICT",
        incoming.request.content_hash,
    )


def test_a_refusal_is_another_event_than_the_answer_that_the_same_request_gets_where_it_belongs():
    """Whoever drops doubled events by their id must not drop the answer."""
    astray, home = taken(partition=(HOME + 1) % PARTITIONS), taken()
    refused = by_topic(whole(astray, outbox.refused(astray, astray.refusal, NOW), refused=True))["replies"][0]
    answered = by_topic(whole(home, to_outcome(home)))["replies"][0]
    assert header_value(refused.headers, "ce_id") != header_value(answered.headers, "ce_id")


# -- refreshes and second looks ------------------------------------------------------------------------------------


def test_a_refresh_that_found_nothing_new_publishes_the_state_alone():
    assert [m.topic for m in outbox.refreshed(KEY, ALICE, None, HOME)] == [NAMES.accounts]


def test_two_readings_of_two_users_at_one_moment_are_two_events():
    foreign = replace(CHANGE, request_id=None, origin="FOREIGN")
    ids = {
        header_value(m.headers, "ce_id")
        for key in (KEY, f"{ACCOUNT}/bob".encode())
        for m in outbox.refreshed(key, ALICE, foreign, HOME)
    }
    assert len(ids) == 4


def test_an_account_says_in_a_header_when_it_is_due_for_a_second_look():
    due = NOW + timedelta(minutes=2)
    (message,) = outbox.refreshed(KEY, replace(ALICE, look_again_at=due), None, HOME)
    assert header_value(message.headers, LOOK_AGAIN_HEADER) == str(int(due.timestamp() * 1000))
    assert header_value(outbox.refreshed(KEY, ALICE, None, HOME)[0].headers, LOOK_AGAIN_HEADER) is None


def test_an_account_of_which_nobody_knows_when_it_was_seen_is_published_all_the_same():
    (message,) = outbox.refreshed(KEY, AccountRecord(ACCOUNT, "Alice", None), None, HOME)
    assert header_value(message.headers, "ce_time") is None


def test_a_second_look_is_a_refresh_of_what_is_known_in_the_users_partition():
    (message,) = outbox.look_again([(KEY, ALICE)], NOW, HOME)
    assert (message.topic, message.key, message.partition) == (NAMES.refreshes, KEY, HOME)
    refresh = outbox.refresh(consumed(message.value, topic=NAMES.refreshes, key=message.key))
    assert (refresh.facets, refresh.reason, refresh.occurred_at) == ((Facet.GROUPS,), RefreshReason.LOOK_AGAIN, NOW)


# -- dead letters --------------------------------------------------------------------------------------------------


def test_a_dead_letter_has_the_original_bytes_and_headers_and_the_reason():
    bad = consumed(b"garbage", topic=NAMES.requests, headers=(("reply-topic", b"hr"), ("correlation-id", b"c")))
    letter, _ = outbox.dead_letter(bad, WHY)
    assert (letter.topic, letter.key, letter.value) == (NAMES.dead_letters, bad.key, b"garbage")
    told = dict(letter.headers)
    assert (told["reply-topic"], told["correlation-id"]) == (b"hr", b"c")
    assert (told["error-stage"], told["error-class"], told["error-message"]) == (
        b"DECODE",
        b"Undecodable",
        b"no record",
    )
    assert (told["original-topic"], told["original-partition"], told["original-offset"]) == (
        b"idhub.aws.requests",
        b"0",
        b"7",
    )
    assert told["replay-count"] == b"0"


def test_a_request_that_was_buried_is_finished_in_the_ledger():
    _, mark = outbox.dead_letter(consumed(b"garbage", topic=NAMES.requests), WHY)
    assert (mark.topic, mark.partition) == (NAMES.ledger, 0)
    assert INDEX_HEADER in dict(mark.headers)
    ledger = Ledger(NAMES.ledger, 0)
    ledger._seen(mark)
    assert ledger.is_finished(7)
    assert not ledger.is_finished(8)


def test_a_refresh_that_was_buried_leaves_no_mark():
    assert len(outbox.dead_letter(consumed(b"garbage", topic=NAMES.refreshes), WHY)) == 1


def test_a_dead_letter_that_is_buried_again_says_so():
    letter, _ = outbox.dead_letter(consumed(b"x", topic=NAMES.requests, headers=(("replay-count", b"2"),)), WHY)
    assert [value for name, value in letter.headers if name == "replay-count"] == [b"2"]


def test_a_long_reason_is_cut():
    letter, _ = outbox.dead_letter(consumed(b"x", topic=NAMES.requests), replace(WHY, message="m" * 10_000))
    assert len(header_value(letter.headers, "error-message")) == MAX_REASON


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (KEY, b"x" * 1_200_000, ()),
        (b"k" * 1_200_000, b"x", ()),
        (KEY, b"x", (("big", b"h" * 1_200_000),)),
        (None, b"x" * 3_000_000, ()),
    ],
    ids=["value", "key", "headers", "no key"],
)
def test_a_record_too_large_to_be_buried_whole_is_buried_by_its_coordinates(key, value, headers):
    """It came compressed; refused again and again it would hold its partition up for ever."""
    letter, mark = outbox.dead_letter(consumed(value, topic=NAMES.requests, key=key, headers=headers), WHY)
    assert letter.size < MAX_DEAD_LETTER_BYTES
    assert mark.size < MAX_DEAD_LETTER_BYTES
    assert not letter.value
    assert (letter.key, letter.value) != (None, None)  # which aiokafka does not send
    told = dict(letter.headers)
    assert told["value-omitted"].endswith(b"read them at the original coordinates")
    assert told["original-offset"] == b"7"


def test_a_record_without_a_key_is_buried_too():
    letter, mark = outbox.dead_letter(consumed(None, topic=NAMES.requests, key=None), WHY)
    assert (letter.key, letter.value) == (None, b"")  # aiokafka does not send nothing at all
    assert mark.key.endswith(b"#idhub.aws.requests:7")


def test_two_unreadable_records_under_one_key_have_two_marks():
    """Under one key the second would take the place of the first."""
    marks = [outbox.dead_letter(consumed(b"x", topic=NAMES.requests, offset=offset), WHY)[1].key for offset in (7, 8)]
    assert len(set(marks)) == 2


def test_an_account_comes_back_out_of_what_was_published():
    (message,) = outbox.refreshed(KEY, ALICE, None, HOME)
    assert accounts.to_record(read(message)) == ALICE


def test_times_are_told_in_utc():
    (message,) = outbox.refreshed(KEY, ALICE, None, HOME)
    assert datetime.fromisoformat(header_value(message.headers, "ce_time")).astimezone(UTC) == NOW
