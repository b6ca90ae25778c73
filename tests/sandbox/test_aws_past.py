"""The account object remembers: any read can be answered from any moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.iam import AwsError
from tests.support.account import DENY, GOOD, READ_ONLY, Iam, iam_with_alice


@pytest.fixture
def iam():
    return iam_with_alice()


def test_a_read_of_the_past_shows_the_past(iam):
    iam.account.settle()
    iam.now += 10
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    iam("UpdateUser", UserName="alice", NewUserName="alicia")
    iam("CreateUser", UserName="bob")
    before, after = iam.now - 1, iam.now
    assert iam("GetUser", as_of=before, UserName="alice")["User"]["UserName"] == "Alice"
    assert iam("GetUser", as_of=after, UserName="alicia")["User"]["UserName"] == "alicia"
    with pytest.raises(AwsError, match="alicia cannot be found"):
        iam("GetUser", as_of=before, UserName="alicia")
    assert iam("GetGroup", as_of=before, GroupName="admins")["Users"] == []
    assert [user["UserName"] for user in iam("ListUsers", as_of=before)["Users"]] == ["Alice"]
    iam.account.settle()
    assert iam("GetUser", as_of=before, UserName="bob")["User"]["UserName"] == "bob"


def test_a_write_may_not_have_heard_of_what_it_names(iam):
    iam.account.settle()
    iam.now += 10
    iam("CreateUser", UserName="bob")
    iam("CreateGroup", GroupName="new")
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=DENY)["Policy"]["Arn"]
    early = iam.now - 1
    for action, params in (
        ("AddUserToGroup", {"UserName": "bob", "GroupName": "admins"}),
        ("AddUserToGroup", {"UserName": "alice", "GroupName": "new"}),
        ("AttachUserPolicy", {"UserName": "alice", "PolicyArn": arn}),
    ):
        with pytest.raises(AwsError) as caught:
            iam(action, as_of=early, **params)
        assert caught.value.code == "NoSuchEntity"
    iam("CreateUser", as_of=early, UserName="carol")
    iam("AddUserToGroup", as_of=iam.now, UserName="bob", GroupName="new")


NAMES = st.sampled_from(["ann", "Ann", "bob"])
GROUPS = st.sampled_from(["g1", "g2"])
ARNS = st.sampled_from([READ_ONLY, "arn:aws:iam::aws:policy/SecurityAudit"])
CALLS = st.one_of(
    st.tuples(
        st.sampled_from(["CreateUser", "DeleteUser", "DeleteLoginProfile"]), st.fixed_dictionaries({"UserName": NAMES})
    ),
    st.tuples(st.just("UpdateUser"), st.fixed_dictionaries({"UserName": NAMES, "NewUserName": NAMES})),
    st.tuples(st.sampled_from(["CreateGroup", "DeleteGroup"]), st.fixed_dictionaries({"GroupName": GROUPS})),
    st.tuples(
        st.sampled_from(["AddUserToGroup", "RemoveUserFromGroup"]),
        st.fixed_dictionaries({"UserName": NAMES, "GroupName": GROUPS}),
    ),
    st.tuples(
        st.sampled_from(["AttachUserPolicy", "DetachUserPolicy"]),
        st.fixed_dictionaries({"UserName": NAMES, "PolicyArn": ARNS}),
    ),
    st.tuples(
        st.just("TagUser"),
        st.fixed_dictionaries({"UserName": NAMES, "Tags": st.just([{"Key": "k", "Value": "v"}])}),
    ),
    st.tuples(st.just("CreateLoginProfile"), st.fixed_dictionaries({"UserName": NAMES, "Password": st.just(GOOD)})),
    st.tuples(
        st.just("PutUserPermissionsBoundary"), st.fixed_dictionaries({"UserName": NAMES, "PermissionsBoundary": ARNS})
    ),
)


def reading(iam, as_of=None):
    """All that reads tell, from the state now or at a moment."""
    told = [iam("GetAccountAuthorizationDetails", as_of=as_of), iam("ListPolicies", as_of=as_of, OnlyAttached=True)]
    told.extend(iam("GetGroup", as_of=as_of, GroupName=group["GroupName"]) for group in told[0]["GroupDetailList"])
    return told


@given(st.lists(CALLS, max_size=25))
def test_any_story_can_be_read_at_any_moment_and_counts_exactly_its_changes(story):
    iam = Iam()
    past = []
    for action, params in story:
        iam.now += 1
        before, count = iam.account.snapshot(), iam.account.changes
        try:
            iam(action, **params)
        except AwsError:
            assert iam.account.changes == count
        after = iam.account.snapshot()
        assert (iam.account.changes != count) == (after != before), (action, params)
        for user in after["users"].values():
            for group in user["groups"]:
                assert group in after["groups"]
        past.append((iam.now, reading(iam)))
    for moment, told in past:
        assert reading(iam, as_of=moment) == told
    assert iam.account.snapshot() == after if story else True
