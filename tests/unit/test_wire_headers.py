"""Headers: what is carried on, what a CloudEvent has, and why a record was buried."""

from datetime import UTC, datetime

import pytest

from streams.wire.headers import (
    DEAD_LETTER,
    carried,
    cloud_event,
    dead_letter,
    header_value,
    original,
    replay_count,
)

WHY = {"stage": "DECODE", "error_class": "Undecodable", "message": "why", "topic": "t", "partition": 1, "offset": 2}


def test_the_last_value_of_a_header_counts():
    assert header_value([("a", b"1"), ("b", b"2"), ("a", b"3")], "a") == "3"


@pytest.mark.parametrize("headers", [[], [("a", None)], [("A", b"1")]])
def test_a_header_that_is_not_there_is_none(headers):
    assert header_value(headers, "a") is None


def test_bytes_that_are_no_text_break_nothing():
    assert header_value([("a", b"\xff\xfe")], "a") == "��"


def test_the_trace_and_the_correlation_are_carried_on_and_nothing_else():
    mine = [("reply-topic", b"x"), ("traceparent", b"00-a-b-01"), ("correlation-id", b"\xff"), ("correlation-id", None)]
    assert carried(mine) == (("traceparent", b"00-a-b-01"), ("correlation-id", b"\xff"))


def test_an_event_has_the_attributes_of_cloudevents_in_binary_mode():
    told = dict(cloud_event(event_id="r/1", event_type="reply", subject="k", time=datetime(2026, 3, 1, 12, tzinfo=UTC)))
    assert told == {
        "ce_specversion": b"1.0",
        "ce_id": b"r/1",
        "ce_type": b"com.sath.idhub.aws.reply",
        "ce_source": b"idhub-aws",
        "ce_subject": b"k",
        "ce_time": b"2026-03-01T12:00:00+00:00",
        "content-type": b"application/avro",
    }


def test_an_event_without_a_time_says_none():
    assert "ce_time" not in dict(cloud_event(event_id="r", event_type="account", subject="k", time=None))


def test_a_dead_letter_says_where_it_stood_and_why():
    told = dict(dead_letter(**WHY, timestamp=99, replays=3))
    assert told == {
        "error-stage": b"DECODE",
        "error-class": b"Undecodable",
        "error-message": b"why",
        "original-topic": b"t",
        "original-partition": b"1",
        "original-offset": b"2",
        "original-timestamp": b"99",
        "replay-count": b"3",
    }
    assert set(told) <= set(DEAD_LETTER)


def test_a_record_that_is_buried_again_says_its_newest_reason_once():
    first = (("reply-topic", b"r"), ("x", None), *dead_letter(**WHY, timestamp=99, replays=0))
    assert original(first) == (("reply-topic", b"r"), ("x", b""))


@pytest.mark.parametrize(
    ("told", "count"),
    [(b"3", 3), (None, 0), (b"", 0), (b"-1", 0), (b"x", 0), ("²".encode(), 0), ("٣".encode(), 0), (b"9" * 5000, 0)],
)
def test_a_replay_count_that_is_none_counts_as_none(told, count):
    assert replay_count([("replay-count", told)]) == count
