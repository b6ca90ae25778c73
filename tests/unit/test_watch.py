"""What `watch` was asked for, and what it makes of a record."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from streams.send import new_request
from streams.topics import TopicNames
from streams.watch import WATCHED, WatchOptions, _show, to_event
from streams.wire import encode_record
from streams.wire.headers import dead_letter
from tests.support.records import consumed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = TopicNames("idhub.aws")


def options(**given):
    asked = {"user": None, "request": None, "since": None, "topics": "replies", "until_end": False}
    return WatchOptions.parse(**{**asked, **given}, now=NOW)


# -- what is asked for ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T10:00:00+02:00", datetime(2026, 2, 1, 8, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_time_is_a_span_or_iso_8601(text, since):
    assert options(since=text).since == since


@pytest.mark.parametrize("text", ["", "yesterday", "10", "m", "-5m", "999999999999d", "99999d 1h", "٣m", "999999d"])
def test_a_time_that_is_none_says_how_to_write_it(text):
    with pytest.raises(ValueError, match="write 10m, 2h, 1d or a time in ISO 8601"):
        options(since=text)


@pytest.mark.parametrize("topics", ["nonsense", "", " , ", "replies,ledger"])
def test_a_topic_that_is_not_to_be_watched_is_refused_with_those_that_are(topics):
    with pytest.raises(ValueError, match="there are replies, audit"):
        options(topics=topics)


def test_topics_are_separated_by_commas_and_taken_once():
    assert options(topics="audit, replies,audit").topics == ("audit", "replies")


def test_everything_that_can_be_watched_is_a_topic():
    assert all(NAMES.of(name) for name in WATCHED)


@pytest.mark.parametrize(
    ("given", "fields", "wanted"),
    [
        ({}, {}, True),
        ({"user": "ALICE"}, {"userName": "Alice"}, True),
        ({"user": "alice"}, {"userName": "bob"}, False),
        ({"user": "alice"}, {"topic": "t"}, False),
        ({"request": "r-1"}, {"requestId": "r-1"}, True),
        ({"request": "r-1"}, {"requestId": "r-2"}, False),
        ({"request": "r-1"}, {"userName": "alice"}, False),
        ({"user": "alice", "request": "r-1"}, {"userName": "alice", "requestId": "r-2"}, False),
    ],
)
def test_filters(given, fields, wanted):
    assert options(**given).wants(fields) is wanted


# -- what is made of a record --------------------------------------------------------------------------------------

REQUEST = encode_record("ProvisioningRequest", new_request("DELETE_ACCOUNT", "012345678901", "Alice", requestId="r-1"))
BURIED = consumed(
    b"garbage",
    topic=NAMES.dead_letters,
    headers=dead_letter(
        stage="DECODE", error_class="Undecodable", message="why", topic="t", partition=1, offset=2, timestamp=3, replays=0
    ),
)  # fmt: skip


def lines(record, *, as_json=False, **given):
    said = []
    _show(record, options(**given), said.append, as_json=as_json)
    return [str(line) for line in said]


def test_a_record_is_a_line_with_its_time_in_utc():
    assert lines(consumed(REQUEST)) == [
        "1970-01-01 00:00:01Z request  DELETE_ACCOUNT Alice (request r-1) by idhub-aws-cli"
    ]


def test_a_record_is_an_object_with_its_coordinates():
    (line,) = lines(consumed(REQUEST), as_json=True)
    told = json.loads(line)
    assert (told["kind"], told["topic"], told["partition"], told["offset"]) == (
        "ProvisioningRequest",
        NAMES.requests,
        0,
        7,
    )
    assert told["timestamp"] == "1970-01-01T00:00:01+00:00"
    assert told["record"]["requestId"] == "r-1"


def test_bytes_inside_a_record_are_told_by_their_size():
    inner = {"awsAccountId": "1", "userName": "alice", "observedState": b"12345"}
    (line,) = lines(consumed(encode_record("Refresh", inner)), as_json=True)
    assert json.loads(line)["record"]["observedState"] == "5 bytes"


def test_a_dead_letter_is_told_by_its_reason_and_not_by_its_bytes():
    kind, fields = to_event(BURIED)
    assert (kind, fields["userName"], fields["error-message"], fields["original-offset"]) == (
        "DeadLetter",
        "alice",
        "why",
        "2",
    )
    assert "garbage" not in "".join(lines(BURIED) + lines(BURIED, as_json=True))
    assert lines(BURIED, user="alice")
    assert not lines(BURIED, user="bob")


def test_what_cannot_be_read_is_told_and_does_not_end_the_watch():
    (line,) = lines(consumed(b"garbage", topic=NAMES.replies))
    assert "broken   idhub.aws.replies, offset 7: neither" in line


def test_a_tombstone_says_nothing():
    assert lines(consumed(None, topic=NAMES.accounts)) == []
