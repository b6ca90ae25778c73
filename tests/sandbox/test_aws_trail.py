"""CloudTrail: records in their real shape, LookupEvents, and events on their way to a queue."""

import json
import re
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.aws import CONNECTOR, CONSOLE_ADMIN, DEFAULT_ACCOUNT, connector_key
from sandbox.aws.samples import ssh_public_key
from tests.support.aws import as_session, boto_client, refused

GOOD = "Correct-Horse-42"
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
OTHER = "444455556666"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
READABLE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M")


@pytest.fixture
def clients(aws):
    aws.knobs(lookup_rate=[1000, 1000])
    with ExitStack() as stack:
        yield lambda service, **more: stack.enter_context(closing(boto_client(aws.url, service, **more)))


@pytest.fixture
def trail(clients):
    return clients("cloudtrail")


def records(trail, **more):
    """Newest first."""
    return [json.loads(event["CloudTrailEvent"]) for event in trail.lookup_events(**more)["Events"]]


# Records


def test_a_record_has_the_members_of_a_real_one(iam, trail):
    answer = iam.create_user(UserName="Alice", Tags=[{"Key": "Team", "Value": "x"}])
    [record] = records(trail)
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": iam.get_user()["User"]["UserId"],
        "arn": f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/service/{CONNECTOR}",
        "accountId": DEFAULT_ACCOUNT,
        "accessKeyId": connector_key(),
        "userName": CONNECTOR,
    }
    assert record["requestParameters"] == {"userName": "Alice", "tags": [{"key": "Team", "value": "x"}]}
    user = record["responseElements"]["user"]
    assert (user["userName"], user["userId"]) == ("Alice", answer["User"]["UserId"])
    assert READABLE.fullmatch(user["createDate"])
    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert UUID.fullmatch(record["eventID"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["eventTime"])
    assert "Boto3" in record["userAgent"]
    assert {name: record[name] for name in record if name.startswith(("event", "aws", "read", "man", "rec"))} == {
        "eventVersion": "1.09",
        "eventTime": record["eventTime"],
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "eventID": record["eventID"],
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "awsRegion": "us-east-1",
        "readOnly": False,
        "managementEvent": True,
        "recipientAccountId": DEFAULT_ACCOUNT,
    }
    assert "errorCode" not in record


def test_no_secret_is_in_any_record(iam, trail):
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password=GOOD, PasswordResetRequired=True)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    made = iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    password = made["ServiceSpecificCredential"]["ServicePassword"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]
    told = records(trail)
    text = json.dumps(told)
    for secret in (GOOD, key["SecretAccessKey"], password, device["Base32StringSeed"].decode()):
        assert secret not in text
    mfa, credential, access_key, login, _ = told
    assert mfa["responseElements"] == {"virtualMFADevice": {"serialNumber": device["SerialNumber"]}}
    assert "serviceUserName" in credential["responseElements"]["serviceSpecificCredential"]
    shown = access_key["responseElements"]["accessKey"]
    assert (shown["accessKeyId"], shown["status"], shown["userName"]) == (key["AccessKeyId"], "Active", "alice")
    # A boolean, though it went over the wire as text.
    assert login["requestParameters"] == {"userName": "alice", "passwordResetRequired": True}
    assert login["responseElements"]["loginProfile"]["passwordResetRequired"] is True


def test_first_letters_are_lowered_and_most_answers_are_null(iam, trail):
    iam.create_user(UserName="alice")
    key = iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody=ssh_public_key("a"))["SSHPublicKey"]
    iam.update_ssh_public_key(UserName="alice", SSHPublicKeyId=key["SSHPublicKeyId"], Status="Inactive")
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=DENY)
    put, attach, update, upload, _ = records(trail)
    assert put["requestParameters"] == {"userName": "alice", "policyName": "p", "policyDocument": DENY}
    assert [one["responseElements"] for one in (put, attach, update)] == [None, None, None]
    assert update["requestParameters"]["sSHPublicKeyId"] == key["SSHPublicKeyId"]
    assert upload["responseElements"]["sSHPublicKey"]["sSHPublicKeyId"] == key["SSHPublicKeyId"]
    assert upload["requestParameters"]["sSHPublicKeyBody"].startswith("ssh-rsa ")


def test_refusals_are_recorded_by_the_name_of_their_shape(aws, iam, trail):
    with refused("NoSuchEntity"):
        iam.delete_user(UserName="nobody")
    aws.knobs(enforce_policies=True)
    with refused("AccessDenied"):
        iam.delete_user(UserName="nobody")
    aws.knobs(enforce_policies=False)
    denied, missing = records(trail)
    assert missing["errorCode"] == "NoSuchEntityException"
    assert missing["errorMessage"] == "The user with name nobody cannot be found."
    assert (missing["requestParameters"], missing["responseElements"]) == ({"userName": "nobody"}, None)
    assert denied["errorCode"] == "AccessDenied"
    assert denied["errorMessage"].startswith("User: arn:aws:iam::")
    assert (denied["requestParameters"], denied["responseElements"]) == (None, None)


def test_changing_ones_own_password_tells_nothing(aws, trail, clients):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.call("CreateLoginProfile", {"UserName": "alice", "Password": GOOD})
    key = aws.call("CreateAccessKey", {"UserName": "alice"})["AccessKey"]
    hers = clients("iam", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    hers.change_password(OldPassword=GOOD, NewPassword=GOOD + "!")
    record = records(trail)[0]
    assert (record["eventName"], record["requestParameters"], record["responseElements"]) == (
        "ChangePassword",
        None,
        None,
    )
    assert record["userIdentity"]["userName"] == "alice"


def test_somebody_at_the_console_is_told_from_a_key(aws, trail):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.call("CreateGroup", {"GroupName": "g"}, actor="somebody-unknown")
    root, console = records(trail)
    identity = console["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", CONSOLE_ADMIN)
    assert identity["accessKeyId"].startswith("ASIA")
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert console["sessionCredentialFromConsole"] == "true"
    assert root["userIdentity"]["type"] == "Root"
    assert root["userIdentity"]["arn"] == f"arn:aws:iam::{DEFAULT_ACCOUNT}:root"


def test_signing_in_is_a_console_login_good_or_not(aws, trail):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.call("CreateLoginProfile", {"UserName": "alice", "Password": GOOD})
    aws.sign_in("alice", GOOD)
    for name in ("alice", "nobody-or-a-password"):
        with pytest.raises(Exception, match="AccessDenied"):
            aws.sign_in(name, "wrong")
    unknown, failed, good = records(trail)[:3]
    assert (good["eventName"], good["eventSource"]) == ("ConsoleLogin", "signin.amazonaws.com")
    assert good["eventType"] == "AwsConsoleSignIn"
    assert (good["requestParameters"], good["responseElements"]) == (None, {"ConsoleLogin": "Success"})
    assert good["additionalEventData"]["MFAUsed"] == "No"
    assert good["userIdentity"]["userName"] == "alice"
    assert failed["responseElements"] == {"ConsoleLogin": "Failure"}
    assert failed["errorMessage"] == "Failed authentication"
    assert unknown["userIdentity"]["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "nobody-or-a-password" not in json.dumps(unknown)


def test_a_session_names_its_role_and_both_accounts_hear_of_it(aws, trail, clients):
    aws.add_account(OTHER)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": DEFAULT_ACCOUNT},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            }
        ],
    }
    aws.call("CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps(trust)}, account=OTHER)
    aws.knobs(record_reads=True)
    made = clients("sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/r", RoleSessionName="idhub-7", SourceIdentity="alice"
    )["Credentials"]
    with closing(as_session(aws.url, made)) as there:
        there.create_user(UserName="bob")
    with closing(as_session(aws.url, made, "cloudtrail")) as their_trail:
        events = their_trail.lookup_events()["Events"]
    created = json.loads(events[0]["CloudTrailEvent"])
    assert events[0]["Username"] == "idhub-7"
    identity = created["userIdentity"]
    assert (identity["type"], identity["accessKeyId"]) == ("AssumedRole", made["AccessKeyId"])
    assert identity["principalId"].endswith(":idhub-7")
    assert "userName" not in identity
    context = identity["sessionContext"]
    assert context["sessionIssuer"]["arn"] == f"arn:aws:iam::{OTHER}:role/r"
    assert context["sessionIssuer"]["userName"] == "r"
    assert context["sourceIdentity"] == "alice"
    ours = next(one for one in records(trail) if one["eventName"] == "AssumeRole")
    theirs = json.loads(events[1]["CloudTrailEvent"])
    assert ours["readOnly"] is True
    assert ours["sharedEventID"] == theirs["sharedEventID"]
    assert ours["eventID"] != theirs["eventID"]
    assert ours["resources"][0]["ARN"] == f"arn:aws:iam::{OTHER}:role/r"
    assert theirs["userIdentity"]["type"] == "AWSAccount"
    assert "secretAccessKey" not in json.dumps(ours)
    expires = ours["responseElements"]["credentials"]["expiration"]
    assert re.fullmatch(r"[A-Z][a-z]{2} \d+, \d{4}, \d+:\d\d:\d\d [AP]M", expires)  # STS has one comma more than IAM


# LookupEvents


def test_pages_hold_fifty_at_most_newest_first(aws, trail):
    for number in range(120):
        aws.call("CreateGroup", {"GroupName": f"g{number:03}"})
    first = trail.lookup_events()
    assert len(first["Events"]) == 50
    # What is written meanwhile neither repeats nor hides anything.
    aws.call("CreateGroup", {"GroupName": "late"})
    second = trail.lookup_events(NextToken=first["NextToken"])
    third = trail.lookup_events(NextToken=second["NextToken"])
    assert "NextToken" not in third
    names = [event["Resources"][0]["ResourceName"] for page in (first, second, third) for event in page["Events"]]
    assert names == [f"g{number:03}" for number in reversed(range(120))]
    with refused("InvalidNextTokenException"):
        trail.lookup_events(NextToken="x")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("EventName", "CreateUser", 2),
        ("Username", CONNECTOR, 1),
        ("Username", CONSOLE_ADMIN, 2),
        ("Username", "alice", 0),
        ("ResourceName", "alice", 2),
        ("ResourceType", "AWS::IAM::Group", 1),
        ("EventSource", "iam.amazonaws.com", 3),
        ("EventSource", "ec2.amazonaws.com", 0),
        ("AccessKeyId", connector_key(), 1),
        ("ReadOnly", "true", 0),
        ("ReadOnly", "false", 3),
    ],
)
def test_one_attribute_picks_events(aws, iam, trail, key, value, found):
    aws.call("CreateUser", {"UserName": "alice"})
    aws.call("CreateUser", {"UserName": "bob"})
    iam.add_user_to_group(UserName="alice", GroupName="admins")
    attributes = [{"AttributeKey": key, "AttributeValue": value}]
    assert len(trail.lookup_events(LookupAttributes=attributes)["Events"]) == found
    with refused("InvalidLookupAttributesException"):
        trail.lookup_events(LookupAttributes=attributes * 2)


def test_an_event_is_found_by_its_id_and_its_time(aws, trail):
    aws.call("CreateUser", {"UserName": "alice"})
    [event] = trail.lookup_events()["Events"]
    wanted = [{"AttributeKey": "EventId", "AttributeValue": event["EventId"]}]
    assert trail.lookup_events(LookupAttributes=wanted)["Events"] == [event]
    assert event["EventId"] == json.loads(event["CloudTrailEvent"])["eventID"]
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert trail.lookup_events(StartTime=now - hour, EndTime=now + hour)["Events"] == [event]
    assert trail.lookup_events(EndTime=now - hour)["Events"] == []
    assert trail.lookup_events(StartTime=now + hour)["Events"] == []
    with refused("InvalidTimeRangeException"):
        trail.lookup_events(StartTime=now, EndTime=now - hour)
    with refused("InvalidMaxResultsException"):
        trail.lookup_events(MaxResults=51)


def test_only_the_home_region_has_iams_events_and_reads_only_if_told(aws, iam, trail, clients):
    iam.create_user(UserName="alice")
    iam.get_user(UserName="alice")
    assert clients("cloudtrail", region="eu-central-1").lookup_events()["Events"] == []
    assert [one["eventName"] for one in records(trail)] == ["CreateUser"]
    aws.knobs(record_reads=True)
    iam.get_user(UserName="alice")
    read = next(one for one in records(trail) if one["eventName"] == "GetUser")
    assert (read["readOnly"], read["requestParameters"], read["responseElements"]) == (
        True,
        {"userName": "alice"},
        None,
    )


def test_iams_events_are_in_the_home_region_of_the_partition_whatever_region_was_signed(aws, clients):
    aws.add_account(OTHER, "aws-us-gov")
    clients("iam", key=connector_key(OTHER)).create_user(UserName="alice")
    assert clients("cloudtrail", key=connector_key(OTHER)).lookup_events()["Events"] == []
    home = clients("cloudtrail", key=connector_key(OTHER), region="us-gov-west-1")
    assert [one["EventName"] for one in home.lookup_events()["Events"]] == ["CreateUser"]


def test_two_calls_a_second_for_each_account_and_region(aws, clients):
    aws.knobs(lookup_rate=[0, 2])
    here, there = clients("cloudtrail"), clients("cloudtrail", region="eu-west-1")
    for client in (here, there):
        client.lookup_events()
        client.lookup_events()
        with refused("ThrottlingException") as answer:
            client.lookup_events()
        assert (answer.status, answer.message) == (400, "Rate exceeded")


def test_what_cloudtrail_does_not_know_is_refused_and_counted(aws, trail):
    with refused("UnknownOperationException") as answer:
        trail.list_trails()
    assert answer.status == 400
    assert aws.overview()["unknown_actions"] == {"cloudtrail:ListTrails": 1}
