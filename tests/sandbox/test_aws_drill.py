"""The fault drill: every knob is turned, and its effect is seen, in the journal wherever it is one of a call's.

`test_no_knob_is_left_out` holds the drill to the list of knobs.
"""

import json
import time
from contextlib import ExitStack, closing
from random import Random

import pytest

from sandbox.aws.channels import Channel, Unreliability
from tests.support.aws import boto_client, refused
from tests.support.wait import wait_until

GOOD = "Correct-Horse-42"
DRILL = {}


def drill(*knobs):
    def remember(test):
        DRILL.update(dict.fromkeys(knobs, test))
        return test

    return remember


@pytest.fixture
def clients(aws):
    with ExitStack() as stack:
        yield lambda service, **more: stack.enter_context(closing(boto_client(aws.url, service, **more)))


@pytest.fixture
def alice(aws):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.settle()
    return "alice"


def last(aws):
    return aws.journal()[-1]


def test_no_knob_is_left_out(aws):
    assert set(DRILL) == set(aws.knobs())


@drill("latency")
def test_latency(aws, iam):
    aws.knobs(latency=0.2)
    iam.list_users()
    entry = last(aws)
    assert entry.done - entry.started >= 0.1
    assert entry.ended - entry.done >= 0.1


@drill("stale_mode", "stale_lag_s", "stale_share", "stale_hold", "stale_writes")
def test_staleness(aws, iam, alice):
    aws.knobs(stale_mode="always", stale_lag_s=3600)
    aws.call("AddUserToGroup", {"UserName": alice, "GroupName": "admins"})
    assert iam.list_groups_for_user(UserName=alice)["Groups"] == []
    aws.knobs(stale_mode="random", stale_share=0)
    assert len(iam.list_groups_for_user(UserName=alice)["Groups"]) == 1
    aws.settle()
    aws.knobs(stale_mode="off", stale_hold=True, stale_writes=True)
    aws.call("CreateUser", {"UserName": "bob"})
    with refused("NoSuchEntity"):
        iam.delete_user(UserName="bob")
    assert (last(aws).outcome, last(aws).changed) == ("NoSuchEntity", False)


@drill("rates")
def test_rates_hold_for_each_account_and_api(aws, iam, alice, clients):
    aws.knobs(rates={"111122223333/sqs": [0, 1], "iam-read": [0, 2]})
    iam.get_user()
    iam.get_user()
    with refused("Throttling") as answer:
        iam.get_user()
    assert answer.status == 400
    assert (last(aws).outcome, last(aws).changed) == ("Throttling", False)
    iam.add_user_to_group(UserName=alice, GroupName="admins")
    clients("sqs").list_queues()
    with refused("RequestThrottled"):
        clients("sqs").list_queues()


@drill("verify_signatures")
def test_signatures(aws, clients):
    with refused("SignatureDoesNotMatch"):
        clients("iam", secret="wrong").list_users()
    assert last(aws).outcome == "SignatureDoesNotMatch"
    aws.knobs(verify_signatures=False)
    clients("iam", secret="wrong").list_users()
    assert last(aws).outcome == "OK"


@drill("enforce_policies")
def test_rights(aws, iam):
    aws.knobs(enforce_policies=True)
    with refused("AccessDenied"):
        iam.list_users()
    assert last(aws).outcome == "AccessDenied"


@drill("session_s")
def test_sessions_expire(aws, clients):
    aws.knobs(session_s=0)
    made = clients("sts").get_session_token()["Credentials"]
    key, secret, token = made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    with refused("ExpiredToken"):
        clients("sts", key=key, secret=secret, token=token).get_caller_identity()
    assert last(aws).outcome == "ExpiredToken"


@drill("login_profile_window_s", "unmodifiable_users")
def test_what_is_temporarily_unmodifiable(aws, iam, alice):
    aws.knobs(login_profile_window_s=3600)
    iam.create_login_profile(UserName=alice, Password=GOOD)
    with refused("EntityTemporarilyUnmodifiable"):
        iam.delete_login_profile(UserName=alice)
    assert last(aws).outcome == "EntityTemporarilyUnmodifiable"
    aws.knobs(login_profile_window_s=0, unmodifiable_users=["ALICE"])
    with refused("EntityTemporarilyUnmodifiable"):
        iam.update_user(UserName=alice, NewPath="/x/")
    aws.knobs(unmodifiable_users=[])
    iam.delete_login_profile(UserName=alice)


@drill("page_limit", "non_member_error", "quotas", "credential_report_s")
def test_moods_of_iam(aws, iam, alice):
    aws.knobs(page_limit=1, non_member_error=True, quotas={"groups_per_user": 0}, credential_report_s=3600)
    assert iam.list_users()["IsTruncated"]
    with refused("NoSuchEntity"):
        iam.remove_user_from_group(UserName=alice, GroupName="admins")
    with refused("LimitExceeded"):
        iam.add_user_to_group(UserName=alice, GroupName="admins")
    iam.generate_credential_report()
    with refused("ReportInProgress"):
        iam.get_credential_report()
    outcomes = [entry.outcome for entry in aws.journal()][-5:]
    assert outcomes == ["OK", "NoSuchEntity", "LimitExceeded", "OK", "ReportInProgress"]


@drill("record_reads", "lookup_rate")
def test_reads_in_the_trail_and_its_rate(aws, iam, clients):
    aws.knobs(record_reads=True, lookup_rate=[0, 1])
    iam.list_users()
    assert [one["EventName"] for one in clients("cloudtrail").lookup_events()["Events"]] == ["ListUsers"]
    with refused("ThrottlingException"):
        clients("cloudtrail").lookup_events()
    assert last(aws).outcome == "ThrottlingException"


@drill("lookup_channel")
def test_lookups_lose_double_and_delay(aws, clients):
    trail = clients("cloudtrail")
    aws.knobs(lookup_rate=[1000, 1000])

    def found():
        return [one["Resources"][0]["ResourceName"] for one in trail.lookup_events()["Events"]]

    aws.knobs(lookup_channel={"loss": 1})
    aws.call("CreateGroup", {"GroupName": "lost"})
    aws.knobs(lookup_channel={"duplicates": 1})
    aws.call("CreateGroup", {"GroupName": "twice"})
    aws.knobs(lookup_channel={"delay": 3600})
    aws.call("CreateGroup", {"GroupName": "late"})
    assert found() == ["twice", "twice"]
    assert {entry.params.get("GroupName") for entry in aws.journal()} >= {"lost", "twice", "late"}
    aws.knobs(lookup_channel={"delay": 0.3})
    aws.call("CreateGroup", {"GroupName": "soon"})
    wait_until(lambda: "soon" in found(), "the late event")


@drill("event_channel")
def test_events_are_lost_doubled_disordered_and_late(aws, clients):
    sqs = clients("sqs", read_timeout=60)
    aws.feed("events")
    url = sqs.get_queue_url(QueueName="events")["QueueUrl"]

    def take(**more):
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more).get("Messages", [])
        details = [json.loads(one["Body"])["detail"] for one in got]
        return [(one["requestParameters"]["groupName"], one["eventID"]) for one in details]

    aws.knobs(event_channel={"loss": 1})
    aws.call("CreateGroup", {"GroupName": "lost"})
    aws.knobs(event_channel={"duplicates": 1})
    aws.call("CreateGroup", {"GroupName": "twice"})
    (first, event_id), (second, same) = take()
    assert (first, second, event_id) == ("twice", "twice", same)
    aws.knobs(event_channel={"disorder": 1})
    aws.call("CreateGroup", {"GroupName": "a"})
    aws.call("CreateGroup", {"GroupName": "b"})
    assert [name for name, _ in take()] == ["b", "a"]
    aws.knobs(event_channel={"delay": 0.3})
    aws.call("CreateGroup", {"GroupName": "late"})
    assert take() == []
    assert [name for name, _ in take(WaitTimeSeconds=20)] == ["late"]


@drill("file_channel")
def test_files_are_lost_and_doubled(aws, clients):
    s3 = clients("s3")
    aws.feed(bucket="trail")
    aws.knobs(file_channel={"loss": 1})
    aws.call("CreateGroup", {"GroupName": "lost"})
    assert s3.list_objects_v2(Bucket="trail")["KeyCount"] == 0
    aws.knobs(file_channel={"delay": 3600})
    aws.call("CreateGroup", {"GroupName": "late"})
    assert s3.list_objects_v2(Bucket="trail")["KeyCount"] == 0
    aws.knobs(file_channel={"duplicates": 1})
    aws.call("CreateGroup", {"GroupName": "twice"})
    assert s3.list_objects_v2(Bucket="trail")["KeyCount"] == 1


# Channels by themselves


def deliver(how, count=200, seed=1):
    came = []
    channel = Channel(lambda: how, Random(seed), came.extend)
    for number in range(count):
        channel.push(number, float(number))
        channel.pump(float(number))
    channel.pump(1e9)
    assert channel.next_due is None
    return came


def test_a_good_channel_changes_nothing():
    assert deliver(Unreliability()) == list(range(200))


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_channel_keeps_to_its_shares(seed):
    lossy = deliver(Unreliability(loss=0.3), seed=seed)
    assert 100 < len(lossy) < 180
    assert lossy == sorted(lossy)
    doubled = deliver(Unreliability(duplicates=0.3), seed=seed)
    assert set(doubled) == set(range(200))
    assert 220 < len(doubled) < 300
    mixed = deliver(Unreliability(disorder=0.3), seed=seed)
    assert sorted(mixed) == list(range(200))
    assert mixed != sorted(mixed)
    late = deliver(Unreliability(delay=(0.0, 50.0)), seed=seed)
    assert sorted(late) == list(range(200))
    assert late != sorted(late)


@pytest.mark.parametrize("told", [{"lost": 1}, {"loss": 2}, {"delay": -1}, {"delay": [2, 1]}, {"loss": "x"}, 5])
def test_a_senseless_channel_is_refused(aws, told):
    with pytest.raises(ValueError, match="event_channel"):
        aws.knobs(event_channel=told)


# The adversary


def test_an_adversary_makes_again_what_is_deleted(aws, iam, alice):
    iam.create_login_profile(UserName=alice, Password=GOOD)
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    aws.adversary(["ALICE"], makes=["access_key", "login_profile"], times=2)
    iam.delete_access_key(UserName=alice, AccessKeyId=key)
    [again] = iam.list_access_keys(UserName=alice)["AccessKeyMetadata"]
    assert again["AccessKeyId"] != key
    iam.delete_login_profile(UserName=alice)
    iam.get_login_profile(UserName=alice)
    # Two times, no more.
    iam.delete_login_profile(UserName=alice)
    with refused("NoSuchEntity"):
        iam.get_login_profile(UserName=alice)
    [plan] = aws.adversaries()
    assert (plan["made"], plan["refused"]) == (2, 0)
    made = [entry for entry in aws.journal() if entry.user_agent == "sandbox-console"][-2:]
    assert [(entry.action, entry.principal) for entry in made] == [
        ("CreateAccessKey", "console-admin"),
        ("CreateLoginProfile", "console-admin"),
    ]


def test_an_adversary_undoes_what_disables(aws, iam, alice):
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    iam.add_user_to_group(UserName=alice, GroupName="admins")
    aws.adversary([alice], makes=["active_key", "membership"], delay_s=0.05)
    iam.update_access_key(UserName=alice, AccessKeyId=key, Status="Inactive")
    iam.remove_user_from_group(UserName=alice, GroupName="admins")
    wait_until(lambda: aws.state()["users"]["alice"]["access_keys"] == {key: "Active"}, "the key to be active again")
    wait_until(lambda: aws.state()["users"]["alice"]["groups"] == ["admins"], "the membership to be there again")
    assert last(aws).principal == "console-admin"


def test_an_adversary_works_by_the_clock_and_stops_when_told(aws, iam, alice):
    aws.adversary([alice, "nobody"], every_s=0.05, makes=["access_key"])
    wait_until(lambda: len(aws.state()["users"]["alice"]["access_keys"]) == 2, "two keys")
    wait_until(lambda: aws.adversaries()[0]["refused"] > 2, "refusals")
    aws.clear_adversaries()
    assert aws.adversaries() == []
    for key in aws.state()["users"]["alice"]["access_keys"]:
        iam.delete_access_key(UserName=alice, AccessKeyId=key)
    before, deadline = len(aws.journal()), time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert len(aws.journal()) == before


def test_an_adversary_stands_in_cloudtrail_as_the_actor(aws, iam, alice, clients):
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    aws.adversary([alice], actor="break-glass")
    iam.delete_access_key(UserName=alice, AccessKeyId=key)
    event = clients("cloudtrail").lookup_events()["Events"][0]
    assert (event["EventName"], event["Username"]) == ("CreateAccessKey", "break-glass")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"users": []}, "list of names"),
        ({"users": ["a"], "makes": ["dogs"]}, "makes is a list of"),
        ({"users": ["a"], "often": 1}, "A plan has no often"),
        ({"users": ["a"], "every_s": 0}, "more than 0"),
    ],
)
def test_a_senseless_plan_is_refused(aws, plan, sentence):
    with pytest.raises(ValueError, match=sentence):
        aws.adversary(**plan)
    assert aws.adversaries() == []
