"""The journal, the console and the process: what tests and benches use besides boto3."""

import asyncio
import itertools
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

import sandbox.aws
from sandbox.aws import CONSOLE_ADMIN, DEFAULT_ACCOUNT, AwsStandIn, Effect, connector_key
from sandbox.aws.iam import AwsError
from sandbox.aws.process import StandInProcess
from tests.support.aws import boto_client, refused
from tests.support.wait import wait_until

MARK = "idhub-aws/2.0.0 r/req-1 s/3 m/0123456789abcdef"
GOOD = "Correct-Horse-42"


def test_the_journal_has_every_call_from_when_to_when_by_whom_and_what_came_of_it(aws):
    with closing(boto_client(aws.url, user_agent_extra=MARK)) as iam:
        answer = iam.create_user(UserName="Alice")
        iam.add_user_to_group(UserName="ALICE", GroupName="admins")
        iam.add_user_to_group(UserName="alice", GroupName="admins")
        with refused("NoSuchEntity"):
            iam.get_user(UserName="bob")
    made, joined, again, missed = entries = aws.journal()
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert made.request_id == answer["ResponseMetadata"]["RequestId"]
    assert made.user_agent.endswith(MARK)
    assert (made.account, made.principal, made.access_key_id) == (DEFAULT_ACCOUNT, "idhub-connector", connector_key())
    assert (made.service, made.action, made.params) == ("iam", "CreateUser", {"UserName": "Alice"})
    assert {entry.user for entry in entries[:3]} == {"alice"}
    assert {entry.user_id for entry in entries[:3]} == {answer["User"]["UserId"]}
    assert [entry.outcome for entry in entries] == ["OK", "OK", "OK", "NoSuchEntity"]
    assert [entry.changed for entry in entries] == [True, True, False, False]
    assert all(entry.delivered and entry.told == entry.outcome for entry in entries)
    assert (missed.user, missed.user_id) == ("bob", "")
    for entry in entries:
        assert entry.started <= entry.done <= entry.ended
    for before, after in itertools.pairwise(entries):
        assert before.ended <= after.started
    assert [entry.seq for entry in aws.journal(since=2)] == [3, 4]
    assert joined.done > made.done
    assert again.done > joined.done


def test_the_journal_holds_no_password(aws, iam):
    iam.create_user(UserName="alice")
    with refused("PasswordPolicyViolation"):
        iam.create_login_profile(UserName="alice", Password="weak-secret")
    iam.create_login_profile(UserName="alice", Password=GOOD)
    aws.call("UpdateLoginProfile", {"UserName": "alice", "Password": GOOD + "!"})
    assert [entry.params.get("Password") for entry in aws.journal()] == [None, "***", "***", "***"]
    assert GOOD not in httpx2.get(f"{aws.url}/_sandbox/state").text


def test_a_call_without_a_user_name_is_about_the_caller(aws, iam):
    iam.list_access_keys()
    iam.list_users()
    with refused("NoSuchEntity"):
        iam.change_password(OldPassword=GOOD, NewPassword=GOOD)
    assert [entry.user for entry in aws.journal()] == ["idhub-connector", "", "idhub-connector"]
    assert set(aws.journal()[-1].params.values()) == {"***"}


def test_calls_that_are_refused_at_the_door_are_in_the_journal(aws):
    with closing(boto_client(aws.url, key="AKIAUNKNOWN123456789")) as nobody, refused("InvalidClientTokenId"):
        nobody.get_user(UserName="alice")
    [entry] = aws.journal()
    assert (entry.action, entry.outcome, entry.account) == ("GetUser", "InvalidClientTokenId", "")


def test_somebody_else_changes_things_at_the_console_past_all_faults(aws, iam):
    aws.fault("error")
    aws.knobs(latency=10, rates={"*": [0, 1]}, stale_mode="always", stale_lag_s=3600)
    made = aws.call("CreateUser", {"UserName": "Alice"})
    assert made["User"]["UserId"].startswith("AIDA")
    assert aws.call("GetUser", {"UserName": "alice"}, actor="idhub-connector")["User"]["UserName"] == "Alice"
    with pytest.raises(AwsError) as caught:
        aws.call("CreateUser", {"UserName": "ALICE"})
    assert (caught.value.code, caught.value.status) == ("EntityAlreadyExists", 409)
    first, second, third = aws.journal()
    assert (first.principal, first.user_agent, first.access_key_id) == (CONSOLE_ADMIN, "sandbox-console", "")
    assert (first.changed, first.user, first.user_id) == (True, "alice", made["User"]["UserId"])
    assert second.principal == "idhub-connector"
    assert (third.outcome, third.changed) == ("EntityAlreadyExists", False)


def test_the_state_tells_everything_but_secrets(aws):
    aws.call("CreateUser", {"UserName": "Alice", "Path": "/p/", "Tags": [{"Key": "k", "Value": "v"}]})
    aws.call("AddUserToGroup", {"UserName": "alice", "GroupName": "admins"})
    aws.call("CreateLoginProfile", {"UserName": "alice", "Password": GOOD})
    key = aws.call("CreateAccessKey", {"UserName": "alice"})["AccessKey"]
    device = aws.call("CreateVirtualMFADevice", {"VirtualMFADeviceName": "d"})["VirtualMFADevice"]["SerialNumber"]
    state = aws.state()
    alice = state["users"]["Alice"]
    assert alice["arn"] == f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/p/Alice"
    assert alice["tags"] == {"k": "v"}
    assert alice["groups"] == ["admins"]
    assert alice["access_keys"] == {key["AccessKeyId"]: "Active"}
    assert alice["login_profile"]["reset_required"] is False
    assert state["groups"]["admins"]["members"] == ["Alice", "break-glass"]
    assert state["virtual_mfa_devices"] == {device: None}
    assert state["password_policy"]["min_length"] == 14
    assert key["SecretAccessKey"] not in str(state)


def test_a_reset_makes_everything_as_at_the_beginning(aws, iam):
    first = aws.state()["users"]["idhub-connector"]["user_id"]
    aws.call("CreateUser", {"UserName": "alice"})
    aws.add_account("444455556666")
    aws.knobs(latency=1, quotas={"users": 1}, page_limit=1)
    aws.fault("error")
    aws.reset()
    assert aws.journal() == []
    assert aws.faults() == []
    assert list(aws.overview()["accounts"]) == [DEFAULT_ACCOUNT]
    knobs = aws.knobs()
    assert (knobs["latency"], knobs["quotas"]["users"], knobs["page_limit"]) == ([0, 0], 5000, None)
    assert "alice" not in aws.state()["users"]
    # Equal seed, equal ids.
    assert aws.state()["users"]["idhub-connector"]["user_id"] == first
    iam.get_user()


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"latencies": 1}, "No such knob: latencies. There are: credential_report_s, "),
        ({"latency": -1}, "seconds are 0 or more"),
        ({"latency": [2, 1]}, "the first is the smaller one"),
        ({"stale_mode": "sometimes"}, "stale_mode"),
        ({"stale_share": 2}, "between 0 and 1"),
        ({"rates": {"iam": 5}}, "rates"),
        ({"rates": {"iam": [5, 0]}}, "lets nothing through"),
        ({"quotas": {"dogs": 1}}, "there is no quota dogs"),
        ({"unmodifiable_users": "alice"}, "a list of names"),
        ({"verify_signatures": "yes"}, "not a boolean"),
    ],
)
def test_a_wrong_knob_is_named_and_nothing_is_turned(aws, knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        aws.knobs(page_limit=7, **knobs)
    assert aws.knobs()["page_limit"] is None


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"effect": "explode"}, "explode"),
        ({"effect": "delay"}, "delay needs seconds"),
        ({"effect": "error", "probability": 2}, "between 0 and 1"),
        ({"effect": "error", "chance": 1}, "A rule has no chance; it has "),
    ],
)
def test_a_wrong_rule_is_refused(aws, rule, sentence):
    with pytest.raises(ValueError, match=sentence):
        aws.fault(**rule)
    assert aws.faults() == []


def test_rules_tell_how_often_they_hit(aws, iam):
    aws.fault("error", actions="GetUser", nth=2)
    iam.get_user()
    with refused("ServiceFailure"):
        iam.get_user()
    iam.get_user()
    [rule] = aws.faults()
    assert (rule["seen"], rule["fired"]) == (3, 1)
    aws.clear_faults()
    assert aws.faults() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("GET", "knob", b"", "There is no GET /_sandbox/knob"),
        ("POST", "knobs", b"{", "Expecting"),
        ("POST", "call", b"{}", "The field 'action' is missing."),
        ("POST", "call", b'{"action":"GetUser","account":"1"}', "There is no account 1"),
        ("POST", "accounts", b'{"account_id":"12"}', "twelve digits"),
        ("POST", "accounts", b'{"account_id":"111122223333"}', "exists already"),
    ],
)
def test_a_wrong_request_to_the_control_endpoint_is_told_why(aws, method, path, body, sentence):
    answer = httpx2.request(method, f"{aws.url}/_sandbox/{path}", content=body)
    assert answer.status_code in (400, 404)
    assert sentence in answer.json()["error"]


# In the process


async def test_in_process_everything_is_at_hand():
    async with AwsStandIn() as standin:
        with closing(boto_client(standin.url)) as iam:
            await asyncio.to_thread(iam.create_user, UserName="alice")
            standin.knobs.set(latency=0.01)
            await asyncio.to_thread(iam.get_user, UserName="alice")
        assert [entry.action for entry in standin.journal.entries] == ["CreateUser", "GetUser"]
        assert standin.accounts[DEFAULT_ACCOUNT].find_user("ALICE").name == "alice"
        standin.control.call("DeleteUser", {"UserName": "alice"})
        assert standin.accounts[DEFAULT_ACCOUNT].find_user("alice") is None


async def test_it_comes_back_on_the_same_port_with_everything_it_had():
    standin = AwsStandIn()
    with pytest.raises(RuntimeError):
        _ = standin.url
    await standin.start()
    url = standin.url
    with closing(boto_client(url, connect_timeout=1)) as iam:
        await asyncio.to_thread(iam.create_user, UserName="alice")
        await standin.stop()
        with pytest.raises(Exception, match=r"(?i)connect"):
            await asyncio.to_thread(iam.get_user, UserName="alice")
        await standin.start()
        assert standin.url == url
        await asyncio.to_thread(iam.get_user, UserName="alice")
    await standin.stop()
    await standin.stop()


async def test_a_port_in_use_is_said():
    async with AwsStandIn() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await AwsStandIn(port).start()
        told = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sandbox.aws", "--port", str(port), stderr=asyncio.subprocess.PIPE
        )
        _, said = await told.communicate()
    assert told.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}".encode() in said
    assert b"Traceback" not in said


async def test_it_listens_on_the_loopback_address_only():
    async with AwsStandIn() as standin:
        assert {sock.getsockname()[0] for sock in standin._server.sockets} == {"127.0.0.1"}


# As a process of its own


def is_up(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_it_ends_when_its_parent_lets_go_of_the_pipe():
    process = StandInProcess(seed=5)
    process.start()
    url, pid = process.url, process.pid
    assert pid > 0
    assert is_up(url)
    process.stop()
    assert not is_up(url)
    assert process.pid == 0


def test_it_ends_when_its_parent_is_killed():
    script = (
        "import time; from sandbox.aws.process import StandInProcess\n"
        "p = StandInProcess(); p.start(); print(p.url, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    url = parent.stdout.readline().strip()
    assert is_up(url)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_up(url), "the stand-in to end")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_on_a_signal(signum):
    command = [sys.executable, "-m", "sandbox.aws", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line.startswith("AWS stand-in on http://127.0.0.1:")
        assert is_up(line.removeprefix("AWS stand-in on ").strip())
        process.send_signal(signum)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_the_readme_names_every_knob_effect_and_route(aws):
    text = (Path(sandbox.aws.__file__).parent / "README.md").read_text(encoding="utf-8")
    for name in (*aws.knobs(), *Effect):
        assert f"`{name}`" in text, name
    for path in (
        "knobs",
        "faults",
        "journal",
        "state",
        "call",
        "sign-in",
        "settle",
        "accounts",
        "reset",
        "feed",
        "adversary",
        "suspend",
    ):
        assert f"/_sandbox/{path}" in text, path
