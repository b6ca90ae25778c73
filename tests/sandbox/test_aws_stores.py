"""Secrets Manager and Organizations."""

import json
from contextlib import ExitStack, closing

import pytest

from sandbox.aws import DEFAULT_ACCOUNT, connector_key
from tests.support.aws import boto_client, refused

OTHER = "444455556666"
SCP = "SERVICE_CONTROL_POLICY"
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}'


@pytest.fixture
def clients(aws):
    with ExitStack() as stack:
        yield lambda service, **more: stack.enter_context(closing(boto_client(aws.url, service, **more)))


@pytest.fixture
def secrets(clients):
    return clients("secretsmanager")


def test_a_secret_has_versions_and_the_current_one_is_told(aws, secrets):
    made = secrets.create_secret(Name="idhub/sink", SecretString="one", Description="d")
    assert made["ARN"].startswith(f"arn:aws:secretsmanager:us-east-1:{DEFAULT_ACCOUNT}:secret:idhub/sink-")
    second = secrets.put_secret_value(SecretId="idhub/sink", SecretString="two")
    assert second["VersionStages"] == ["AWSCURRENT"]
    for name in ("idhub/sink", made["ARN"], made["ARN"][:-7]):
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "two"
    before = secrets.get_secret_value(SecretId="idhub/sink", VersionStage="AWSPREVIOUS")
    assert (before["SecretString"], before["VersionId"]) == ("one", made["VersionId"])
    assert secrets.get_secret_value(SecretId="idhub/sink", VersionId=made["VersionId"])["SecretString"] == "one"
    told = secrets.describe_secret(SecretId="idhub/sink")
    assert told["VersionIdsToStages"] == {made["VersionId"]: ["AWSPREVIOUS"], second["VersionId"]: ["AWSCURRENT"]}
    assert [one["Name"] for one in secrets.list_secrets()["SecretList"]] == ["idhub/sink"]
    secrets.create_secret(Name="bytes", SecretBinary=b"\x00\x01")
    assert secrets.get_secret_value(SecretId="bytes")["SecretBinary"] == b"\x00\x01"
    assert {entry.params.get("SecretString", "***") for entry in aws.journal()} == {"***"}


def test_what_is_not_there_or_is_there_already_or_was_deleted(secrets, clients):
    with refused("ResourceNotFoundException") as answer:
        secrets.get_secret_value(SecretId="x")
    assert (answer.status, answer.message) == (400, "Secrets Manager can't find the specified secret.")
    secrets.create_secret(Name="x")
    with refused("ResourceNotFoundException") as answer:
        secrets.get_secret_value(SecretId="x")
    assert "staging label: AWSCURRENT" in answer.message
    with refused("ResourceExistsException"):
        secrets.create_secret(Name="x")
    secrets.put_secret_value(SecretId="x", SecretString="v")
    secrets.delete_secret(SecretId="x", RecoveryWindowInDays=7)
    for ask in (lambda: secrets.get_secret_value(SecretId="x"), lambda: secrets.create_secret(Name="x")):
        with refused("InvalidRequestException"):
            ask()
    assert "DeletedDate" in secrets.describe_secret(SecretId="x")
    secrets.restore_secret(SecretId="x")
    assert secrets.get_secret_value(SecretId="x")["SecretString"] == "v"
    secrets.delete_secret(SecretId="x", ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name="x")
    with refused("ResourceNotFoundException"):
        clients("secretsmanager", region="eu-west-1").describe_secret(SecretId="x")
    with refused("UnknownOperationException"):
        secrets.get_random_password()


def test_the_record_of_a_secret_does_not_tell_it(aws, secrets, clients):
    secrets.create_secret(Name="x", SecretString="hush-hush")
    [event] = clients("cloudtrail").lookup_events()["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (record["eventSource"], record["eventName"]) == ("secretsmanager.amazonaws.com", "CreateSecret")
    assert record["requestParameters"]["name"] == "x"
    assert "hush-hush" not in event["CloudTrailEvent"]


@pytest.fixture
def organizations(aws, clients):
    aws.add_account(OTHER)
    return clients("organizations")


def test_accounts_are_told_with_their_status(aws, organizations):
    assert [one["Id"] for one in organizations.list_accounts()["Accounts"]] == [DEFAULT_ACCOUNT, OTHER]
    assert organizations.describe_account(AccountId=OTHER)["Account"]["Status"] == "ACTIVE"
    aws.suspend(OTHER)
    assert organizations.describe_account(AccountId=OTHER)["Account"]["Status"] == "SUSPENDED"
    with refused("AccountNotFoundException"):
        organizations.describe_account(AccountId="999999999999")
    assert organizations.describe_organization()["Organization"]["MasterAccountId"] == DEFAULT_ACCOUNT


def test_accounts_come_in_pages(aws, organizations):
    for number in range(25):
        aws.add_account(f"{number:012}")
    first = organizations.list_accounts()
    assert len(first["Accounts"]) == 20
    assert len(organizations.list_accounts(NextToken=first["NextToken"])["Accounts"]) == 7


def test_policies_for_a_target(organizations):
    def names():
        policies = organizations.list_policies_for_target(TargetId=OTHER, Filter=SCP)["Policies"]
        return [one["Name"] for one in policies]

    assert names() == ["FullAWSAccess"]
    made = organizations.create_policy(Name="no-iam", Description="", Type=SCP, Content=DENY)["Policy"]
    policy = made["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=OTHER)
    assert names() == ["FullAWSAccess", "no-iam"]
    assert organizations.describe_policy(PolicyId=policy)["Policy"]["Content"] == DENY
    with refused("DuplicatePolicyAttachmentException"):
        organizations.attach_policy(PolicyId=policy, TargetId=OTHER)
    organizations.detach_policy(PolicyId=policy, TargetId=OTHER)
    assert names() == ["FullAWSAccess"]
    with refused("TargetNotFoundException"):
        organizations.list_policies_for_target(TargetId="999999999999", Filter=SCP)


def test_only_the_management_account_may_ask(organizations, clients):
    member = clients("organizations", key=connector_key(OTHER))
    with refused("AccessDeniedException"):
        member.list_accounts()
    assert member.describe_organization()["Organization"]["Id"].startswith("o-")
