"""The account object by itself: groups, policies, and the grammar of their documents."""

import json

import pytest

from sandbox.aws.iam import AwsError
from tests.support.account import DENY, READ_ONLY, iam_with_alice


@pytest.fixture
def iam():
    return iam_with_alice()


def test_a_group_that_is_in_use_is_not_deleted(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("RemoveUserFromGroup", UserName="alice", GroupName="admins")
    iam("AttachGroupPolicy", GroupName="admins", PolicyArn=READ_ONLY)
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("DetachGroupPolicy", GroupName="admins", PolicyArn=READ_ONLY)
    iam("PutGroupPolicy", GroupName="admins", PolicyName="deny", PolicyDocument=DENY)
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("DeleteGroupPolicy", GroupName="admins", PolicyName="deny")
    iam("DeleteGroup", GroupName="admins")


def test_removing_somebody_who_is_no_member_says_nothing_unless_told_to(iam):
    assert not iam.changes("RemoveUserFromGroup", UserName="alice", GroupName="admins")
    iam.settings.non_member_error = True
    assert iam.code("RemoveUserFromGroup", UserName="alice", GroupName="admins") == "NoSuchEntity"


def test_policies_that_are_not_there_or_not_to_be_attached(iam):
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    with pytest.raises(AwsError, match=f"Policy {missing} does not exist or is not attachable."):
        iam("AttachUserPolicy", UserName="alice", PolicyArn=missing)
    service_role = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"
    assert iam.code("AttachUserPolicy", UserName="alice", PolicyArn=service_role) == "PolicyNotAttachable"
    assert iam.code("AttachUserPolicy", UserName="alice", PolicyArn="not an arn but long enough") == "InvalidInput"
    assert iam.code("DetachUserPolicy", UserName="alice", PolicyArn=READ_ONLY) == "NoSuchEntity"
    assert iam.code("DeletePolicy", PolicyArn=READ_ONLY) == "AccessDenied"


def test_versions_of_a_policy(iam):
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=DENY, Path="/x/")["Policy"]["Arn"]
    assert arn == "arn:aws:iam::123456789012:policy/x/p"
    for _ in range(4):
        iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY)
    assert iam.code("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY) == "LimitExceeded"
    iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v5")
    assert iam.code("DeletePolicyVersion", PolicyArn=arn, VersionId="v5") == "DeleteConflict"
    assert iam.code("DeletePolicy", PolicyArn=arn) == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        iam("DeletePolicyVersion", PolicyArn=arn, VersionId=version)
    assert (
        iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY, SetAsDefault=True)["PolicyVersion"]["VersionId"]
        == "v6"
    )
    iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v5")
    iam("AttachUserPolicy", UserName="alice", PolicyArn=arn)
    assert iam.code("DeletePolicy", PolicyArn=arn) == "DeleteConflict"
    told = iam("ListEntitiesForPolicy", PolicyArn=arn)
    assert [user["UserName"] for user in told["PolicyUsers"]] == ["Alice"]
    assert [one["Arn"] for one in iam("ListPolicies", Scope="Local", OnlyAttached=True)["Policies"]] == [arn]
    iam("DetachUserPolicy", UserName="alice", PolicyArn=arn)
    iam("DeletePolicy", PolicyArn=arn)
    assert iam.code("GetPolicy", PolicyArn=arn) == "NoSuchEntity"


def statement(**changed):
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | changed


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        '{"Version":"2012-10-17"}',
        {"Version": "2020-01-01", "Statement": [statement()]},
        {"Version": "2012-10-17", "Statement": []},
        {"Version": "2012-10-17", "Statement": [statement(Effect="Maybe")]},
        {"Version": "2012-10-17", "Statement": [statement(Action="GetObject")]},
        {"Version": "2012-10-17", "Statement": [statement(Action=[])]},
        {"Version": "2012-10-17", "Statement": [statement(Resource="bucket")]},
        {"Version": "2012-10-17", "Statement": [statement(NotResource="*")]},
        {"Version": "2012-10-17", "Statement": [statement(Principal="*")]},
        {"Version": "2012-10-17", "Statement": [statement(Sid="a-b")]},
        {"Version": "2012-10-17", "Statement": [statement(Sid="a"), statement(Sid="a")]},
        {"Version": "2012-10-17", "Statement": [statement(Colour="red")]},
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]},
    ],
)
def test_a_document_that_is_no_policy_is_refused(iam, document):
    text = document if isinstance(document, str) else json.dumps(document)
    assert iam.code("PutUserPolicy", UserName="alice", PolicyName="p", PolicyDocument=text) == "MalformedPolicyDocument"
    assert iam.code("CreatePolicy", PolicyName="p", PolicyDocument=text) == "MalformedPolicyDocument"


def test_inline_policies_of_a_user_share_their_size_which_leaves_out_white_space(iam):
    spaced = DENY.replace(",", ",\n" + " " * 3000)
    iam("PutUserPolicy", UserName="alice", PolicyName="a", PolicyDocument=spaced)
    big = json.dumps({"Version": "2012-10-17", "Statement": [statement(Resource="arn:aws:s3:::" + "x" * 1900)]})
    with pytest.raises(AwsError, match="Maximum policy size of 2048 bytes exceeded for user Alice"):
        iam("PutUserPolicy", UserName="alice", PolicyName="b", PolicyDocument=big)
    iam("PutGroupPolicy", GroupName="admins", PolicyName="b", PolicyDocument=big)
