"""Roles assumed over accounts, session credentials, and rights where they are enforced."""

import json
from contextlib import ExitStack, closing

import pytest

from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, console_key
from tests.support.aws import as_session, boto_client, refused

OTHER = "444455556666"
ROLE = f"arn:aws:iam::{OTHER}:role/idhub/provisioner"
SESSION = "idhub-run-1"
EXTERNAL_ID = "tenant/42"


def trust(principal=f"arn:aws:iam::{DEFAULT_ACCOUNT}:root", external_id=EXTERNAL_ID, actions=("sts:AssumeRole",)):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions)}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def statement(effect, action, resource="*"):
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}
    )


@pytest.fixture
def clients(aws):
    with ExitStack() as stack:
        yield lambda client: stack.enter_context(closing(client))


@pytest.fixture
def sts(aws, clients):
    return clients(boto_client(aws.url, "sts"))


@pytest.fixture
def other(aws):
    """A second account with a role that the first may assume."""
    aws.add_account(OTHER)
    role = {"RoleName": "provisioner", "Path": "/idhub/", "AssumeRolePolicyDocument": trust()}
    aws.call("CreateRole", role, account=OTHER)
    return OTHER


def assume(sts, **more):
    told = {"RoleArn": ROLE, "RoleSessionName": SESSION, "ExternalId": EXTERNAL_ID, **more}
    return sts.assume_role(**{key: value for key, value in told.items() if value is not None})


def test_a_role_of_another_account_is_assumed_and_acts_there(aws, sts, other, clients):
    made = assume(sts)
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/provisioner/{SESSION}"
    assert made["Credentials"]["AccessKeyId"].startswith("ASIA")
    identity = clients(as_session(aws.url, made["Credentials"], "sts")).get_caller_identity()
    assert identity["Arn"] == made["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == made["AssumedRoleUser"]["AssumedRoleId"]
    assert identity["Account"] == OTHER
    there = clients(as_session(aws.url, made["Credentials"]))
    there.create_user(UserName="alice")
    assert "alice" in aws.state(OTHER)["users"]
    assert "alice" not in aws.state()["users"]
    # Who is no user cannot leave the name out.
    with refused("ValidationError") as answer:
        there.get_user()
    assert "non-User credentials" in answer.message
    entry = next(entry for entry in aws.journal() if entry.action == "CreateUser")
    assert (entry.account, entry.principal) == (OTHER, f"provisioner/{SESSION}")


@pytest.mark.parametrize(
    "change",
    [
        {"ExternalId": None},
        {"ExternalId": "tenant/43"},
        {"RoleArn": f"arn:aws:iam::{OTHER}:role/provisioner"},
        {"RoleArn": "arn:aws:iam::999999999999:role/idhub/provisioner"},
        {"SourceIdentity": "alice"},
    ],
    ids=[
        "no external id",
        "wrong external id",
        "no such path",
        "no such account",
        "a source identity not provided for",
    ],
)
def test_who_is_not_trusted_is_denied(sts, other, change):
    with refused("AccessDenied") as answer:
        assume(sts, **change)
    assert answer.status == 403
    arn = change.get("RoleArn", ROLE)
    who = f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/service/{CONNECTOR}"
    assert answer.message == f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DurationSeconds": 3601}, "exceeds the MaxSessionDuration set for this role"),
        ({"RoleSessionName": "a b"}, "roleSessionName"),
        ({"ExternalId": "a b"}, "externalId"),
    ],
)
def test_a_senseless_request_is_no_denial(sts, other, change, sentence):
    with refused("ValidationError") as answer:
        assume(sts, **change)
    assert sentence in answer.message


def test_a_trust_policy_names_a_user_and_denies_win(aws, sts, other):
    def set_trust(document):
        aws.call("UpdateAssumeRolePolicy", {"RoleName": "provisioner", "PolicyDocument": document}, account=OTHER)

    set_trust(trust(f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/service/{CONNECTOR}", external_id=""))
    assume(sts, ExternalId=None)
    set_trust(trust(f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/console-admin", external_id=""))
    with refused("AccessDenied"):
        assume(sts)
    both = json.loads(trust(external_id=""))["Statement"]
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    set_trust(json.dumps({"Version": "2012-10-17", "Statement": [*both, deny]}))
    with refused("AccessDenied"):
        assume(sts)


def test_a_source_identity_stays_with_the_session_and_chains_last_an_hour(aws, sts, other, clients):
    document = trust(actions=("sts:AssumeRole", "sts:SetSourceIdentity"))
    aws.call("UpdateAssumeRolePolicy", {"RoleName": "provisioner", "PolicyDocument": document}, account=OTHER)
    aws.call("UpdateRole", {"RoleName": "provisioner", "MaxSessionDuration": 43200}, account=OTHER)
    made = assume(sts, SourceIdentity="alice", DurationSeconds=43200)
    assert made["SourceIdentity"] == "alice"
    chained = trust(f"arn:aws:iam::{OTHER}:role/idhub/provisioner", external_id="")
    aws.call(
        "CreateRole",
        {"RoleName": "second", "AssumeRolePolicyDocument": chained, "MaxSessionDuration": 43200},
        account=OTHER,
    )
    session = clients(as_session(aws.url, made["Credentials"], "sts"))
    again = {"RoleArn": f"arn:aws:iam::{OTHER}:role/second", "RoleSessionName": "chained"}
    with refused("ValidationError") as answer:
        session.assume_role(**again, DurationSeconds=3601)
    assert "role chaining" in answer.message
    assert session.assume_role(**again)["SourceIdentity"] == "alice"


def test_a_session_needs_its_token_its_role_and_its_time(aws, sts, other, clients):
    made = assume(sts)["Credentials"]
    for token in (None, "x" * 64):
        stolen = boto_client(aws.url, "iam", made["AccessKeyId"], made["SecretAccessKey"], token)
        with refused("InvalidClientTokenId"):
            clients(stolen).list_users()
    aws.knobs(session_s=0)
    short = assume(sts)["Credentials"]
    with refused("ExpiredToken") as answer:
        clients(as_session(aws.url, short)).list_users()
    assert answer.status == 403
    with refused("ExpiredTokenException"):
        clients(as_session(aws.url, short, "cloudtrail")).lookup_events()
    with refused("ExpiredToken"):
        clients(as_session(aws.url, short, "s3")).list_buckets()
    client = clients(as_session(aws.url, made))
    client.list_users()
    aws.call("DeleteRole", {"RoleName": "provisioner"}, account=OTHER)
    with refused("InvalidClientTokenId"):
        client.list_users()


def test_a_session_token_is_the_user_but_cannot_call_iam_without_mfa(aws, sts, clients):
    made = sts.get_session_token()["Credentials"]
    session = clients(as_session(aws.url, made, "sts"))
    assert session.get_caller_identity()["Arn"].endswith(f"/{CONNECTOR}")
    with refused("AccessDenied"):
        session.get_session_token()
    with refused("InvalidClientTokenId"):
        clients(as_session(aws.url, made)).get_user()
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    aws.call("EnableMFADevice", {"UserName": CONNECTOR, "SerialNumber": "GAHT12345678", **codes})
    made = sts.get_session_token(SerialNumber="GAHT12345678", TokenCode="123456")["Credentials"]
    assert clients(as_session(aws.url, made)).get_user()["User"]["UserName"] == CONNECTOR


# Rights


def may(aws, document, name="rights"):
    aws.call("PutUserPolicy", {"UserName": CONNECTOR, "PolicyName": name, "PolicyDocument": document})


def test_rights_are_enforced_when_asked_for(aws, iam):
    iam.list_users()
    aws.knobs(enforce_policies=True)
    me = f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/service/{CONNECTOR}"
    with refused("AccessDenied") as answer:
        iam.create_user(UserName="alice")
    assert answer.status == 403
    assert answer.message == (
        f"User: {me} is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/alice because no identity-based policy allows the iam:CreateUser action"
    )
    may(aws, statement("Allow", ["iam:Create*"], f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/a*"))
    iam.create_user(UserName="alice")
    with refused("AccessDenied"):
        iam.create_user(UserName="bob")
    assert aws.journal()[-1].outcome == "AccessDenied"
    may(aws, statement("Deny", "*"), "no")
    with refused("AccessDenied") as answer:
        iam.create_user(UserName="anna")
    assert answer.message.endswith("with an explicit deny in an identity-based policy")


def test_a_user_that_is_denied_everything_is_locked_out_with_all_its_keys(aws, clients):
    aws.call("CreateUser", {"UserName": "alice"})
    key = aws.call("CreateAccessKey", {"UserName": "alice"})["AccessKey"]
    aws.call("AddUserToGroup", {"UserName": "alice", "GroupName": "admins"})
    aws.knobs(enforce_policies=True)
    hers = {service: clients(boto_client(aws.url, service, key["AccessKeyId"], key["SecretAccessKey"]))
            for service in ("iam", "sts", "sqs", "secretsmanager", "s3")}  # fmt: skip
    hers["iam"].list_users()
    hers["sqs"].list_queues()
    aws.call("AttachUserPolicy", {"UserName": "alice", "PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"})
    with refused("AccessDenied"):
        hers["iam"].list_users()
    with refused("AccessDenied"):
        hers["sqs"].list_queues()
    with refused("AccessDeniedException"):
        hers["secretsmanager"].list_secrets()
    with refused("AccessDenied"):
        hers["s3"].list_buckets()
    # Nobody can be denied this one.
    assert hers["sts"].get_caller_identity()["Arn"].endswith("/alice")


def test_a_boundary_and_an_scp_bind_administrators(aws, clients):
    aws.add_account(OTHER)
    for user, key in (("console-admin", console_key(OTHER)),):
        admin = clients(boto_client(aws.url, "iam", key))
        aws.call(
            "AttachUserPolicy",
            {"UserName": user, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            account=OTHER,
        )
    aws.knobs(enforce_policies=True)
    admin.create_user(UserName="alice")
    boundary = {"UserName": "console-admin", "PermissionsBoundary": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}
    aws.call("PutUserPermissionsBoundary", boundary, account=OTHER)
    admin.list_users()
    with refused("AccessDenied") as answer:
        admin.create_user(UserName="bob")
    assert answer.message.endswith("because no permissions boundary allows the iam:CreateUser action")
    aws.knobs(enforce_policies=False)
    organizations = clients(boto_client(aws.url, "organizations"))
    made = organizations.create_policy(
        Name="no-iam", Description="", Type="SERVICE_CONTROL_POLICY", Content=statement("Deny", "iam:List*")
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=made, TargetId=OTHER)
    aws.knobs(enforce_policies=True)
    with refused("AccessDenied") as answer:
        admin.list_users()
    assert answer.message.endswith("with an explicit deny in a service control policy")


def test_assuming_a_role_of_another_account_needs_a_right_in_ones_own(aws, sts, other):
    aws.knobs(enforce_policies=True)
    with refused("AccessDenied"):
        assume(sts)
    may(aws, statement("Allow", "sts:AssumeRole", ROLE))
    assume(sts)
