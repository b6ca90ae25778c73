"""What goes wrong on the way to AWS, as told: lost answers, resets, delays, stale reads, throttling; seen in the journal."""

import itertools
import threading
from contextlib import closing

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from sandbox.aws import AwsStandIn, Effect, Rule, overlaps
from tests.support.aws import boto_client, refused
from tests.support.wait import wait_until

LOST = (ConnectionClosedError, EndpointConnectionError, HTTPClientError)


@pytest.fixture
def impatient(aws):
    """A client that gives up waiting for an answer after half a second."""
    with closing(boto_client(aws.url, read_timeout=0.5)) as client:
        yield client


@pytest.fixture(autouse=True)
def _alice(aws):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.settle()


def last(aws):
    return aws.journal()[-1]


def in_group(aws):
    return "developers" in aws.state()["users"]["alice"]["groups"]


def join(client):
    client.add_user_to_group(UserName="alice", GroupName="developers")


def test_an_error_instead_of_the_deed(aws, iam):
    aws.fault("error", actions="AddUserToGroup", code="ConcurrentModification", message="Wait.", status=409, count=1)
    with refused("ConcurrentModification") as answer:
        join(iam)
    assert (answer.message, answer.status) == ("Wait.", 409)
    assert not in_group(aws)
    entry = last(aws)
    assert (entry.outcome, entry.told, entry.changed, entry.delivered) == (
        "NotDone",
        "ConcurrentModification",
        False,
        True,
    )
    join(iam)
    assert in_group(aws)


def test_an_error_after_the_deed(aws, iam):
    aws.fault("error_after", actions="writes", count=1)
    with refused("ServiceFailure") as answer:
        join(iam)
    assert answer.status == 500
    assert in_group(aws)
    entry = last(aws)
    assert (entry.outcome, entry.told, entry.changed, entry.fault) == ("OK", "ServiceFailure", True, "error_after")


@pytest.mark.parametrize(("effect", "done"), [("reset_before", False), ("reset_after", True)])
def test_a_connection_reset_before_and_after_the_deed(aws, iam, effect, done):
    aws.fault(effect, actions="writes", count=1)
    with pytest.raises(LOST):
        join(iam)
    assert in_group(aws) is done
    entry = last(aws)
    assert (entry.changed, entry.delivered, entry.told) == (done, False, None)
    assert entry.ended is not None
    iam.get_user(UserName="alice")


@pytest.mark.parametrize(("effect", "done"), [("lose_request", False), ("lose_answer", True)])
def test_a_request_or_an_answer_that_gets_lost(aws, impatient, effect, done):
    aws.fault(effect, actions="AddUserToGroup", count=1)
    with pytest.raises(ReadTimeoutError):
        join(impatient)
    assert in_group(aws) is done
    entry = last(aws)
    assert (entry.changed, entry.delivered, entry.outcome) == (done, False, "OK" if done else "NotDone")
    join(impatient)
    assert last(aws).changed is not done


def test_a_tenth_of_the_writes_lose_their_answer(aws):
    """The one rule of the quality goals, in process: chance comes from the seed."""
    rules = []
    for _ in range(2):
        standin = AwsStandIn(seed=3)
        rule = standin.faults.add(Rule(Effect.LOSE_ANSWER, actions="writes", probability=0.1))
        hits = [standin.faults.match("AddUserToGroup", True, "u", "a") is rule for _ in range(1000)]
        assert standin.faults.match("GetUser", False, "u", "a") is None
        assert 70 < rule.fired < 130
        rules.append(hits)
    assert rules[0] == rules[1]


def test_a_rule_fits_by_action_user_account_number_and_count():
    faults = AwsStandIn().faults
    rule = faults.add(Rule(Effect.ERROR, actions=["GetUser", "writes"], user="Alice", account="1", nth=2, count=2))
    assert [faults.match("GetUser", False, "alice", "1") is rule for _ in range(5)] == [False, True, True, False, False]
    rule = faults.add(Rule(Effect.ERROR, actions="writes", nth=3))
    assert [faults.match("TagUser", True, "bob", "1") is rule for _ in range(5)] == [False, False, True, False, False]
    assert faults.match("GetUser", False, "bob", "1") is None


def test_a_delayed_request_is_done_though_the_client_has_given_up(aws, impatient):
    aws.fault("delay", actions="AddUserToGroup", seconds=1.0, count=1)
    with pytest.raises(ReadTimeoutError):
        join(impatient)
    assert not in_group(aws)
    assert aws.overview()["in_flight"] == 1
    wait_until(lambda: in_group(aws), "the deed")
    entry = wait_until(lambda: next((e for e in aws.journal() if e.fault == "delay" and e.ended), None), "the end")
    assert (entry.changed, entry.delivered, entry.told) == (True, False, None)
    assert entry.done - entry.started >= 1.0


def test_a_delayed_answer(aws, iam):
    aws.fault("delay_answer", actions="AddUserToGroup", seconds=0.3, count=1)
    join(iam)
    entry = last(aws)
    assert entry.ended - entry.done >= 0.3
    assert entry.delivered


def test_an_answer_that_trickles_outlives_the_read_timeout(aws, impatient):
    aws.fault("trickle", actions="GetUser", seconds=0.002, count=1)
    assert impatient.get_user(UserName="alice")["User"]["UserName"] == "alice"
    entry = last(aws)
    assert entry.ended - entry.done > 0.5
    assert entry.delivered


def test_an_answer_that_nobody_waits_for_is_not_delivered(aws):
    aws.fault("trickle", actions="GetUser", seconds=0.05, count=1)
    with closing(boto_client(aws.url, read_timeout=0.02)) as hasty, pytest.raises(ReadTimeoutError):
        hasty.get_user(UserName="alice")
    wait_until(lambda: last(aws).ended, "the end")
    assert (last(aws).outcome, last(aws).delivered, last(aws).told) == ("OK", False, None)


def test_latency_is_fixed_or_drawn_between_two(aws, iam):
    aws.knobs(latency=0.1)
    iam.get_user(UserName="alice")
    entry = last(aws)
    assert entry.done - entry.started >= 0.05
    assert entry.ended - entry.started >= 0.1
    assert aws.knobs(latency=[0.01, 0.02])["latency"] == [0.01, 0.02]
    iam.get_user(UserName="alice")
    assert last(aws).ended - last(aws).started >= 0.01


def test_calls_that_overlap_on_a_user_are_seen_in_the_journal(aws):
    aws.fault("delay", actions="AddUserToGroup", seconds=1.0, count=1)
    with closing(boto_client(aws.url)) as first, closing(boto_client(aws.url)) as second:
        slow = threading.Thread(target=join, args=(first,))
        slow.start()
        wait_until(lambda: aws.overview()["in_flight"] == 1, "the slow call")
        second.get_user(UserName="ALICE")
        slow.join()
        second.get_user(UserName="alice")
    [(one, other)] = overlaps(aws.journal())
    assert (one.action, other.action, other.params) == ("AddUserToGroup", "GetUser", {"UserName": "ALICE"})


# Stale reads


def joined(client):
    return [group["GroupName"] for group in client.list_groups_for_user(UserName="alice")["Groups"]]


def test_within_the_lag_a_read_shows_what_was(aws, iam):
    aws.knobs(stale_mode="always", stale_lag_s=3600)
    join(iam)
    assert joined(iam) == []
    iam.create_user(UserName="bob")
    with refused("NoSuchEntity"):
        iam.get_user(UserName="bob")
    aws.settle()
    assert joined(iam) == ["developers"]
    iam.get_user(UserName="bob")


def test_a_lag_passes_by_itself(aws, iam):
    aws.knobs(stale_mode="always", stale_lag_s=1.0)
    join(iam)
    assert joined(iam) == []
    wait_until(lambda: joined(iam) == ["developers"], "the write to arrive")


def test_reads_can_be_held_until_they_are_let_go(aws, iam):
    aws.knobs(stale_hold=True)
    join(iam)
    assert joined(iam) == []
    assert in_group(aws)
    aws.knobs(stale_hold=False)
    assert joined(iam) == ["developers"]


def test_random_staleness_flaps(aws, iam):
    aws.knobs(stale_mode="random", stale_lag_s=3600, stale_share=0.5)
    join(iam)
    seen = [tuple(joined(iam)) for _ in range(40)]
    changes = sum(one != two for one, two in itertools.pairwise(seen))
    assert set(seen) == {(), ("developers",)}
    assert changes > 5


def test_deleted_things_are_still_shown(aws, iam):
    aws.knobs(stale_mode="always", stale_lag_s=3600)
    iam.delete_user(UserName="alice")
    assert iam.get_user(UserName="alice")["User"]["UserName"] == "alice"
    with refused("NoSuchEntity"):
        iam.delete_user(UserName="alice")


def test_writes_may_be_stale_too(aws, iam):
    aws.knobs(stale_mode="always", stale_lag_s=3600, stale_writes=True)
    iam.create_user(UserName="bob")
    with refused("NoSuchEntity") as answer:
        iam.add_user_to_group(UserName="bob", GroupName="developers")
    assert answer.message == "The user with name bob cannot be found."
    aws.knobs(stale_writes=False)
    iam.add_user_to_group(UserName="bob", GroupName="developers")


def test_one_read_can_be_stale(aws, iam):
    aws.fault("stale", actions="ListGroupsForUser", user="alice", seconds=3600, count=1)
    join(iam)
    assert joined(iam) == []
    assert joined(iam) == ["developers"]


# Throttling


def test_over_the_rate_a_call_is_throttled_and_does_nothing(aws, iam):
    aws.knobs(rates={"iam-write": [0, 2]})
    iam.tag_user(UserName="alice", Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_user(UserName="alice", Tags=[{"Key": "a", "Value": "2"}])
    with refused("Throttling") as answer:
        join(iam)
    assert (answer.message, answer.status) == ("Rate exceeded", 400)
    assert not in_group(aws)
    entry = last(aws)
    assert (entry.outcome, entry.changed) == ("Throttling", False)
    iam.get_user(UserName="alice")
    aws.call("TagUser", {"UserName": "alice", "Tags": []})
    aws.knobs(rates={})
    join(iam)


def test_each_account_has_buckets_of_its_own(aws, iam):
    made = aws.add_account("444455556666")["connector"]
    aws.knobs(rates={"444455556666/iam": [0, 1]})
    with closing(boto_client(aws.url, key=made["access_key_id"], secret=made["secret_access_key"])) as other:
        other.list_users()
        with refused("Throttling"):
            other.list_users()
    for _ in range(5):
        iam.list_users()


def test_a_bucket_fills_up_again(aws, iam):
    aws.knobs(rates={"GetUser": [20, 1]})
    iam.get_user(UserName="alice")

    def goes_through():
        try:
            return iam.get_user(UserName="alice")
        except iam.exceptions.ClientError:
            return None

    wait_until(goes_through, "a token")
    assert {entry.outcome for entry in aws.journal() if entry.action == "GetUser"} <= {"OK", "Throttling"}
