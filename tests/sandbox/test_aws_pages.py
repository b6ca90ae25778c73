"""boto3 against the stand-in: every list comes in pages, and IsTruncated is the only thing to trust."""

import pytest

from sandbox.aws import BREAK_GLASS, CONNECTOR, CONSOLE_ADMIN
from sandbox.aws.samples import certificate, ssh_public_key
from tests.support.account import DENY
from tests.support.aws import refused

CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}


@pytest.fixture
def alice(iam):
    iam.create_user(UserName="Alice")
    return "alice"


def fill(aws, count):
    for number in range(count):
        aws.call("CreateUser", {"UserName": f"user{number:03}", "Path": "/many/" if number % 2 else "/"})


def test_a_page_has_a_hundred_items_unless_asked_otherwise(aws, iam):
    fill(aws, 120)
    first = iam.list_users()
    assert len(first["Users"]) == 100
    assert first["IsTruncated"] is True
    second = iam.list_users(Marker=first["Marker"])
    assert len(second["Users"]) == 23
    assert second["IsTruncated"] is False
    assert "Marker" not in second
    assert len(iam.list_users(MaxItems=1000)["Users"]) == 123
    assert len(iam.list_users(PathPrefix="/many/")["Users"]) == 60


def test_pages_lose_and_repeat_nothing_while_others_write(aws, iam):
    fill(aws, 12)
    first = iam.list_users(MaxItems=5)
    aws.call("DeleteUser", {"UserName": first["Users"][-1]["UserName"]})
    aws.call("CreateUser", {"UserName": "aaa"})
    second = iam.list_users(MaxItems=100, Marker=first["Marker"])
    seen = [user["UserName"] for page in (first, second) for user in page["Users"]]
    assert len(seen) == len(set(seen)) == 15


def test_a_page_may_be_shorter_than_asked_for(aws, iam):
    fill(aws, 10)
    aws.knobs(page_limit=3)
    page = iam.get_account_authorization_details(MaxItems=1000, Filter=["User"])
    assert len(page["UserDetailList"]) == 3
    assert page["IsTruncated"] is True


def test_a_marker_that_no_page_gave_is_refused(iam):
    with refused("ValidationError"):
        iam.list_users(Marker="what?")
    with refused("ValidationError"):
        iam.list_users(MaxItems=1001)


def make_lists(iam):
    """Two items of all that is listed."""
    for number in (1, 2):
        iam.create_group(GroupName=f"g{number}")
        iam.add_user_to_group(UserName="alice", GroupName=f"g{number}")
        iam.create_access_key(UserName="alice")
        iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
        iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody=ssh_public_key(f"k{number}"))
        iam.upload_signing_certificate(UserName="alice", CertificateBody=certificate(f"c{number}"))
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"m{number}")["VirtualMFADevice"]
        iam.enable_mfa_device(UserName="alice", SerialNumber=made["SerialNumber"], **CODES)
        iam.put_user_policy(UserName="alice", PolicyName=f"p{number}", PolicyDocument=DENY)
        iam.put_group_policy(GroupName="g1", PolicyName=f"p{number}", PolicyDocument=DENY)
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=DENY)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="alice", PolicyArn=arn)
        iam.attach_group_policy(GroupName="g1", PolicyArn=arn)
        iam.create_user(UserName=f"u{number}", Tags=[{"Key": f"t{n}", "Value": ""} for n in (1, 2)])
        iam.add_user_to_group(UserName=f"u{number}", GroupName="g1")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=DENY)
    return arn


LISTS = {
    "list_users": "Users",
    "list_groups": "Groups",
    "list_groups_for_user": "Groups",
    "list_user_tags": "Tags",
    "get_group": "Users",
    "list_access_keys": "AccessKeyMetadata",
    "list_service_specific_credentials": "ServiceSpecificCredentials",
    "list_ssh_public_keys": "SSHPublicKeys",
    "list_signing_certificates": "Certificates",
    "list_mfa_devices": "MFADevices",
    "list_virtual_mfa_devices": "VirtualMFADevices",
    "list_user_policies": "PolicyNames",
    "list_attached_user_policies": "AttachedPolicies",
    "list_group_policies": "PolicyNames",
    "list_attached_group_policies": "AttachedPolicies",
    "list_policies": "Policies",
    "list_policy_versions": "Versions",
    "list_entities_for_policy": "PolicyUsers",
}


def test_every_list_comes_in_pages(iam, alice):
    arn = make_lists(iam)
    for name, member in LISTS.items():
        given = {"MaxItems": 1}
        if name == "list_user_tags":
            given["UserName"] = "u1"
        elif name.startswith(("get_group", "list_group_pol", "list_attached_group")):
            given["GroupName"] = "g1"
        elif name in ("list_policy_versions", "list_entities_for_policy"):
            given["PolicyArn"] = arn
        elif name not in ("list_users", "list_groups", "list_virtual_mfa_devices", "list_policies"):
            given["UserName"] = alice
        if name == "list_entities_for_policy":
            given["EntityFilter"] = "User"
        list_page = getattr(iam, name)
        page = list_page(**given)
        items = page[member]
        assert len(items) == 1, name
        if name != "list_entities_for_policy":
            assert page["IsTruncated"] is True, name
        while page["IsTruncated"]:
            page = list_page(**given, Marker=page["Marker"])
            assert len(page[member]) == 1, name
            items = [*items, *page[member]]
        whole = list_page(**{**given, "MaxItems": 1000})
        assert items == whole[member], name


def test_authorization_details_page_through_users_groups_and_policies(iam, alice):
    make_lists(iam)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    users = [user["UserName"] for page in pages for user in page["UserDetailList"]]
    groups = [group["GroupName"] for page in pages for group in page["GroupDetailList"]]
    policies = [policy["PolicyName"] for page in pages for policy in page["Policies"]]
    assert users == ["Alice", BREAK_GLASS, CONSOLE_ADMIN, CONNECTOR, "u1", "u2"]
    assert groups == ["admins", "auditors", "developers", "g1", "g2", "readonly"]
    assert {"p1", "p2", "team-base", "AdministratorAccess"} <= set(policies)
    # Of AWS's policies only those in use.
    assert "AWSDenyAll" not in policies
    local = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    assert {policy["PolicyName"] for policy in local["Policies"]} == {"p1", "p2", "team-base"}
    assert local["UserDetailList"] == []
    [alice_detail] = [user for page in pages for user in page["UserDetailList"] if user["UserName"] == "Alice"]
    assert alice_detail["GroupList"] == ["g1", "g2"]
    assert [one["PolicyName"] for one in alice_detail["AttachedManagedPolicies"]] == ["p1", "p2"]
