"""The credential report, simulations, roles, tags and aliases: the account object by itself, and a clock to turn."""

import csv
import io
import json

import pytest

from sandbox.aws.iam.rights import Decision, Layers, Source, evaluate
from tests.support.account import DENY, GOOD, READ_ONLY, iam_with_alice

HOUR = 3600
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}],
    }
)
ALICE = "arn:aws:iam::123456789012:user/Alice"


@pytest.fixture
def iam():
    return iam_with_alice()


def rows(iam):
    content = iam("GetCredentialReport")["Content"].decode()
    return {row["user"]: row for row in csv.DictReader(io.StringIO(content))}


def test_a_report_is_made_once_in_four_hours(iam):
    assert iam.code("GetCredentialReport") == "ReportNotPresent"
    assert iam("GenerateCredentialReport")["State"] == "STARTED"
    assert set(rows(iam)) == {"<root_account>", "Alice"}
    iam("CreateUser", UserName="bob")
    iam.now += 4 * HOUR - 1
    assert iam("GenerateCredentialReport") == {"State": "COMPLETE"}
    assert "bob" not in rows(iam)
    iam.now += 1
    assert iam.code("GetCredentialReport") == "ReportExpired"
    assert iam("GenerateCredentialReport")["State"] == "STARTED"
    assert "bob" in rows(iam)


def test_a_report_takes_its_time(iam):
    iam.settings.credential_report_s = 10
    iam("GenerateCredentialReport")
    assert iam("GenerateCredentialReport")["State"] == "INPROGRESS"
    assert iam.code("GetCredentialReport") == "ReportInProgress"
    iam.now += 10
    assert iam("GenerateCredentialReport")["State"] == "COMPLETE"
    assert "Alice" in rows(iam)


def test_the_rows_tell_passwords_keys_and_devices(iam):
    iam("UpdateAccountPasswordPolicy", MaxPasswordAge=30)
    iam("CreateLoginProfile", UserName="Alice", Password=GOOD)
    key = iam("CreateAccessKey", UserName="Alice")["AccessKey"]["AccessKeyId"]
    iam.account.note_use(key, iam.now, "iam", "us-east-1")
    iam.now += 60
    iam("UpdateAccessKey", UserName="Alice", AccessKeyId=key, Status="Inactive")
    iam("UpdateLoginProfile", UserName="Alice", Password=GOOD + "!")
    iam("GenerateCredentialReport")
    alice, root = rows(iam)["Alice"], rows(iam)["<root_account>"]
    assert len(alice) == 22
    assert alice["arn"] == ALICE
    assert alice["password_enabled"] == "true"
    assert (alice["password_last_used"], alice["password_last_changed"]) == (
        "no_information",
        "1970-01-12T13:47:40+00:00",
    )
    assert alice["password_next_rotation"] == "1970-02-11T13:47:40+00:00"
    assert (alice["access_key_1_active"], alice["access_key_1_last_rotated"]) == ("false", "1970-01-12T13:47:40+00:00")
    assert alice["access_key_1_last_used_date"] == "1970-01-12T13:46:40+00:00"
    assert (alice["access_key_1_last_used_region"], alice["access_key_1_last_used_service"]) == ("us-east-1", "iam")
    assert (alice["access_key_2_active"], alice["access_key_2_last_rotated"]) == ("false", "N/A")
    assert alice["mfa_active"] == "false"
    assert root["password_enabled"] == "not_supported"


def test_a_report_changes_nothing(iam):
    assert not iam.changes("GenerateCredentialReport")


# Simulations


def decisions(answer):
    return [(one["EvalActionName"], one["EvalDecision"]) for one in answer["EvaluationResults"]]


def test_a_preflight_is_told_what_would_be(iam):
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "iam:*User",
                    "Resource": "arn:aws:iam::123456789012:user/${aws:username}",
                },
                {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
            ],
        }
    )
    iam("PutUserPolicy", UserName="Alice", PolicyName="own", PolicyDocument=document)
    asked = {"PolicySourceArn": ALICE, "ActionNames": ["iam:GetUser", "iam:CreateGroup", "sqs:SendMessage"]}
    told = iam("SimulatePrincipalPolicy", **asked, ResourceArns=[ALICE])
    assert decisions(told) == [
        ("iam:GetUser", "allowed"),
        ("iam:CreateGroup", "implicitDeny"),
        ("sqs:SendMessage", "allowed"),
    ]
    assert told["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "user_Alice_own"
    # The group's policy counts, and an explicit deny wins.
    iam("AddUserToGroup", UserName="Alice", GroupName="Admins")
    iam("PutGroupPolicy", GroupName="Admins", PolicyName="no", PolicyDocument=DENY)
    assert {one for _, one in decisions(iam("SimulatePrincipalPolicy", **asked))} == {"explicitDeny"}
    iam("DeleteGroupPolicy", GroupName="Admins", PolicyName="no")
    iam("PutUserPermissionsBoundary", UserName="Alice", PermissionsBoundary=READ_ONLY)
    told = iam("SimulatePrincipalPolicy", **asked, ResourceArns=[ALICE])
    assert decisions(told)[2] == ("sqs:SendMessage", "implicitDeny")
    assert told["EvaluationResults"][2]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert iam.code("SimulatePrincipalPolicy", PolicySourceArn=ALICE + "x", ActionNames=["a:b"]) == "NoSuchEntity"
    assert iam.code("SimulatePrincipalPolicy", PolicySourceArn=ALICE, ActionNames=["GetUser"]) == "InvalidInput"


def test_documents_are_simulated_and_results_come_in_pages(iam):
    names = [f"iam:Get{n}" for n in range(5)]
    first = iam("SimulateCustomPolicy", PolicyInputList=[DENY], ActionNames=names, MaxItems=3)
    assert decisions(first) == [(name, "explicitDeny") for name in names[:3]]
    rest = iam("SimulateCustomPolicy", PolicyInputList=[DENY], ActionNames=names, Marker=first["Marker"])
    assert [name for name, _ in decisions(rest)] == names[3:]


@pytest.mark.parametrize(
    ("operator", "wanted", "has", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringNotEquals", "a", None, True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringLike", "a*", "abc", True),
        ("ArnLike", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", True),
        ("Bool", "true", "false", False),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("NumericLessThan", "5", "4", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", False),
        ("ForAnyValue:StringEquals", "a", ["b", "a"], True),
        ("ForAllValues:StringEquals", "a", ["b", "a"], False),
        ("ForAllValues:StringEquals", "a", None, True),
        ("NoSuchOperator", "a", "a", False),
    ],
)
def test_conditions(operator, wanted, has, holds):
    document = json.dumps(
        {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"x:Key": wanted}}}]}
    )
    keys = {} if has is None else {"x:key": has}
    verdict = evaluate(Layers([Source(document)]), "iam:GetUser", "*", keys)
    assert (verdict.decision is Decision.ALLOWED) == holds


def test_not_action_and_not_resource():
    document = json.dumps({"Statement": {"Effect": "Deny", "NotAction": "iam:Get*", "NotResource": "arn:x:*"}})

    def denied(action, resource):
        return evaluate(Layers([Source(document)]), action, resource, {}).decision is Decision.EXPLICIT_DENY

    assert denied("iam:CreateUser", "arn:y:1")
    assert not denied("iam:getuser", "arn:y:1")
    assert not denied("iam:CreateUser", "arn:x:1")


# Roles, tags, aliases


def test_a_role_lives_and_dies(iam):
    made = iam("CreateRole", RoleName="R", Path="/p/", AssumeRolePolicyDocument=TRUST, Description="d")["Role"]
    assert made["RoleId"].startswith("AROA")
    assert made["Arn"] == "arn:aws:iam::123456789012:role/p/R"
    assert iam.code("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST) == "EntityAlreadyExists"
    iam("AttachRolePolicy", RoleName="r", PolicyArn=READ_ONLY)
    iam("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=DENY)
    iam("TagRole", RoleName="r", Tags=[{"Key": "k", "Value": "v"}])
    role = iam("GetRole", RoleName="r")["Role"]
    assert (role["MaxSessionDuration"], role["Tags"]) == (3600, [{"Key": "k", "Value": "v"}])
    assert iam("GetRolePolicy", RoleName="r", PolicyName="p")["PolicyDocument"] == DENY
    [detail] = iam("GetAccountAuthorizationDetails", Filter=["Role"])["RoleDetailList"]
    assert detail["RolePolicyList"] == [{"PolicyName": "p", "PolicyDocument": DENY}]
    assert iam("ListEntitiesForPolicy", PolicyArn=READ_ONLY)["PolicyRoles"][0]["RoleName"] == "R"
    assert iam("GetAccountSummary")["SummaryMap"]["Roles"] == 1
    assert iam.code("DeleteRole", RoleName="r") == "DeleteConflict"
    iam("DetachRolePolicy", RoleName="r", PolicyArn=READ_ONLY)
    assert iam.code("DeleteRole", RoleName="r") == "DeleteConflict"
    iam("DeleteRolePolicy", RoleName="r", PolicyName="p")
    iam("DeleteRole", RoleName="r")
    assert iam.code("GetRole", RoleName="r") == "NoSuchEntity"
    assert iam("ListRoles")["Roles"] == []


@pytest.mark.parametrize("document", [DENY, '{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}', "{"])
def test_what_is_no_trust_policy_is_refused(iam, document):
    assert iam.code("CreateRole", RoleName="r", AssumeRolePolicyDocument=document) == "MalformedPolicyDocument"


def test_policies_and_devices_have_tags(iam):
    tags = [{"Key": "Team", "Value": "x"}]
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=DENY)["Policy"]["Arn"]
    serial = iam("CreateVirtualMFADevice", VirtualMFADeviceName="d")["VirtualMFADevice"]["SerialNumber"]
    for kind, who in (("Policy", {"PolicyArn": arn}), ("MFADevice", {"SerialNumber": serial})):
        iam(f"Tag{kind}", **who, Tags=tags)
        assert iam(f"List{kind}Tags", **who)["Tags"] == tags
        iam(f"Untag{kind}", **who, TagKeys=["team"])
        assert iam(f"List{kind}Tags", **who)["Tags"] == []
    assert iam.code("TagPolicy", PolicyArn=READ_ONLY, Tags=tags) == "AccessDenied"


def test_a_device_is_found_by_its_number_and_resynchronised(iam):
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam("EnableMFADevice", UserName="Alice", SerialNumber="GAHT12345678", **codes)
    assert iam("GetMFADevice", SerialNumber="GAHT12345678")["UserName"] == "Alice"
    iam("ResyncMFADevice", UserName="alice", SerialNumber="GAHT12345678", **codes)
    same = {"AuthenticationCode1": "123456", "AuthenticationCode2": "123456"}
    assert (
        iam.code("ResyncMFADevice", UserName="alice", SerialNumber="GAHT12345678", **same)
        == "InvalidAuthenticationCode"
    )
    assert iam.code("GetMFADevice", SerialNumber="GAHT99999999") == "NoSuchEntity"


def test_an_account_has_one_alias(iam):
    iam("CreateAccountAlias", AccountAlias="one")
    iam("CreateAccountAlias", AccountAlias="two")
    assert iam("ListAccountAliases")["AccountAliases"] == ["two"]
    iam("DeleteAccountAlias", AccountAlias="two")
    assert iam.code("DeleteAccountAlias", AccountAlias="two") == "NoSuchEntity"
