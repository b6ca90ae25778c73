"""The account object by itself: names, tags, quotas, and what counts as a change."""

import pytest

from sandbox.aws.iam import Account, AwsError, Quotas
from tests.support.account import DENY, GOOD, READ_ONLY, Iam, iam_with_alice


@pytest.fixture
def iam():
    return iam_with_alice()


# Names


def test_names_are_found_in_any_case_and_keep_the_one_they_were_given(iam):
    assert iam("GetUser", UserName="aLICE")["User"]["UserName"] == "Alice"
    iam("AddUserToGroup", UserName="ALICE", GroupName="admins")
    assert [group["GroupName"] for group in iam("ListGroupsForUser", UserName="alice")["Groups"]] == ["Admins"]
    assert iam.code("CreateUser", UserName="ALICE") == "EntityAlreadyExists"
    assert iam.code("CreateGroup", GroupName="ADMINS") == "EntityAlreadyExists"
    iam("CreatePolicy", PolicyName="Base", PolicyDocument=DENY)
    assert iam.code("CreatePolicy", PolicyName="BASE", PolicyDocument=DENY) == "EntityAlreadyExists"


def test_a_rename_keeps_the_user_id_and_everything_that_hangs_on_it(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    before = iam("GetUser", UserName="alice")["User"]
    iam("UpdateUser", UserName="alice", NewUserName="Alicia", NewPath="/people/")
    after = iam("GetUser", UserName="alicia")["User"]
    assert after["UserId"] == before["UserId"]
    assert after["Arn"] == "arn:aws:iam::123456789012:user/people/Alicia"
    assert iam.code("GetUser", UserName="alice") == "NoSuchEntity"
    assert [user["UserName"] for user in iam("GetGroup", GroupName="admins")["Users"]] == ["Alicia"]
    iam("UpdateUser", UserName="alicia", NewUserName="ALICIA")
    assert iam("GetUser", UserName="alicia")["User"]["UserName"] == "ALICIA"


def test_a_user_cannot_be_renamed_to_one_that_exists(iam):
    iam("CreateUser", UserName="bob")
    assert iam.code("UpdateUser", UserName="bob", NewUserName="ALICE") == "EntityAlreadyExists"


def test_a_group_keeps_its_members_when_it_is_renamed(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    iam("UpdateGroup", GroupName="admins", NewGroupName="Operators")
    assert [group["GroupName"] for group in iam("ListGroupsForUser", UserName="alice")["Groups"]] == ["Operators"]
    assert iam.code("GetGroup", GroupName="admins") == "NoSuchEntity"


def test_a_user_that_is_created_again_is_somebody_else(iam):
    first = iam("GetUser", UserName="alice")["User"]["UserId"]
    iam("DeleteUser", UserName="alice")
    second = iam("CreateUser", UserName="alice")["User"]["UserId"]
    assert first != second
    assert first.startswith("AIDA")
    assert len(first) == 21


def test_equal_seeds_give_equal_accounts():
    first, second, other = (Account("1" * 12, seed=seed) for seed in (7, 7, 8))
    ids = [
        one.call("CreateUser", {"UserName": "a"}, actor="x", now=0)["User"]["UserId"] for one in (first, second, other)
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "x" * 65])
def test_a_name_that_iam_refuses_is_a_validation_error(iam, name):
    assert iam.code("CreateUser", UserName=name) == "ValidationError"


def test_iam_says_what_is_wrong_with_a_name(iam):
    with pytest.raises(AwsError, match="The specified value for userName is invalid"):
        iam("CreateUser", UserName="a b")
    with pytest.raises(AwsError, match="'userName' failed to satisfy constraint: Member must have length less than or"):
        iam("CreateUser", UserName="x" * 65)
    with pytest.raises(AwsError, match="null at 'groupName' failed to satisfy constraint: Member must not be null"):
        iam("AddUserToGroup", UserName="alice")


@pytest.mark.parametrize("path", ["x", "/x", "x/", "/a b/", "/" + "x" * 511 + "/"])
def test_a_path_that_iam_refuses_is_a_validation_error(iam, path):
    assert iam.code("CreateUser", UserName="bob", Path=path) == "ValidationError"


def test_a_refused_password_is_not_repeated(iam):
    with pytest.raises(AwsError) as caught:
        iam("CreateLoginProfile", UserName="alice", Password="€" + GOOD)
    assert caught.value.code == "ValidationError"
    assert GOOD not in str(caught.value)


def test_an_unknown_action_and_an_unknown_parameter_are_refused(iam):
    assert iam.code("CreateSAMLProvider", Name="x") == "InvalidAction"
    assert iam.code("GetUser", Username="alice") == "ValidationError"


def test_without_a_user_name_a_call_is_about_the_caller(iam):
    assert iam("GetUser", actor="alice")["User"]["UserName"] == "Alice"
    iam("CreateAccessKey", actor="alice")
    assert len(iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"]) == 1
    with pytest.raises(AwsError, match="Must specify userName when calling with non-User credentials"):
        iam("GetUser", actor="a-role")


# Tags and boundaries


def test_tag_keys_that_differ_in_case_only_replace_each_other(iam):
    iam("TagUser", UserName="alice", Tags=[{"Key": "Department", "Value": "Sales"}])
    iam("TagUser", UserName="alice", Tags=[{"Key": "dePartment", "Value": "IT"}])
    assert iam("ListUserTags", UserName="alice")["Tags"] == [{"Key": "dePartment", "Value": "IT"}]
    iam("UntagUser", UserName="alice", TagKeys=["DEPARTMENT", "never there"])
    assert iam("ListUserTags", UserName="alice")["Tags"] == []
    assert "Tags" not in iam("GetUser", UserName="alice")["User"]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}], "InvalidInput"),
        ([{"Key": "aws:x", "Value": ""}], "InvalidInput"),
        ([{"Key": "a;b", "Value": ""}], "ValidationError"),
        ([{"Key": "a", "Value": "x" * 257}], "ValidationError"),
        ([{"Key": "", "Value": "x"}], "ValidationError"),
        ([{"Key": "a"}], "ValidationError"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "ValidationError"),
    ],
)
def test_tags_that_iam_refuses(iam, tags, code):
    assert iam.code("TagUser", UserName="alice", Tags=tags) == code
    assert iam.code("CreateUser", UserName="bob", Tags=tags) == code
    assert iam.code("GetUser", UserName="bob") == "NoSuchEntity"


def test_a_user_has_fifty_tags_at_most(iam):
    iam("TagUser", UserName="alice", Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    iam("TagUser", UserName="alice", Tags=[{"Key": "K1", "Value": "replaces"}])
    assert iam.code("TagUser", UserName="alice", Tags=[{"Key": "one-more", "Value": ""}]) == "LimitExceeded"


def test_a_boundary_is_told_by_get_user_and_not_by_lists(iam):
    iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=READ_ONLY)
    assert iam("GetUser", UserName="alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    assert "PermissionsBoundary" not in iam("ListUsers")["Users"][0]
    assert iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    iam("DeleteUserPermissionsBoundary", UserName="alice")
    assert iam.code("DeleteUserPermissionsBoundary", UserName="alice") == "NoSuchEntity"
    assert iam.code("CreateUser", UserName="b", PermissionsBoundary=READ_ONLY + "x") == "NoSuchEntity"


def test_a_boundary_does_not_stand_in_the_way_of_a_deletion(iam):
    iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=READ_ONLY)
    iam("DeleteUser", UserName="alice")
    assert iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 0


# Quotas


def test_quotas_are_refusals_and_can_be_changed():
    iam = Iam(quotas=Quotas(users=2, groups=1, groups_per_user=0, attached_policies_per_user=0, policies=0))
    iam("CreateUser", UserName="a")
    iam("CreateUser", UserName="b")
    iam("CreateGroup", GroupName="g")
    assert iam.code("CreateUser", UserName="c") == "LimitExceeded"
    assert iam.code("CreateGroup", GroupName="h") == "LimitExceeded"
    assert iam.code("AddUserToGroup", UserName="a", GroupName="g") == "LimitExceeded"
    assert iam.code("AttachUserPolicy", UserName="a", PolicyArn=READ_ONLY) == "LimitExceeded"
    assert iam.code("CreatePolicy", PolicyName="p", PolicyDocument=DENY) == "LimitExceeded"
    iam.settings.quotas.users = 3
    iam("CreateUser", UserName="c")


# What changed


def test_only_what_alters_something_counts_as_a_change(iam):
    group = {"UserName": "alice", "GroupName": "admins"}
    policy = {"UserName": "alice", "PolicyArn": READ_ONLY}
    inline = {"UserName": "alice", "PolicyName": "p", "PolicyDocument": DENY}
    tags = {"UserName": "alice", "Tags": [{"Key": "a", "Value": "b"}]}
    for action, params in (
        ("AddUserToGroup", group),
        ("AttachUserPolicy", policy),
        ("PutUserPolicy", inline),
        ("TagUser", tags),
    ):
        assert iam.changes(action, **params), action
        assert not iam.changes(action, **params), action
    iam("CreateLoginProfile", UserName="alice", Password=GOOD)
    assert not iam.changes("UpdateLoginProfile", UserName="alice", Password=GOOD)
    assert iam.changes("UpdateLoginProfile", UserName="alice", Password=GOOD + "1")
    assert not iam.changes("GetUser", UserName="alice")
