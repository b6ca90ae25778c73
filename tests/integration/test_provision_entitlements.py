"""The exact set, inline policies and permissions boundaries on real sockets."""

import json

from connector.model.results import ReplyStatus, StepOutcome
from sandbox.aws import DEFAULT_ACCOUNT
from tests.support.credentials import DOCUMENT
from tests.support.domain import aws_policy, boundary, create, customer_policy, grant, group, inline, revoke, set_to

TEAM_BASE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:policy/team-base"
OTHER = DOCUMENT.replace("GetObject", "ListBucket")


def test_a_set_takes_one_reading_of_each_kind_and_one_call_for_each_difference(rig):
    rig.make_user(kinds=["group", "policy", "inline policy"])
    outcome = rig.run(set_to(group("developers"), aws_policy("SecurityAudit")))
    assert rig.actions() == [
        "GetUser",
        "ListAttachedUserPolicies",
        "ListGroupsForUser",
        "ListUserPolicies",
        "RemoveUserFromGroup",
        "DeleteUserPolicy",
        "AddUserToGroup",
    ]
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert [step.outcome for step in outcome.reply.steps] == [StepOutcome.DONE] * 3 + [StepOutcome.ALREADY_SO]
    assert outcome.reply.account.groups == ("developers",)
    rig.assert_audited(outcome)


def test_an_empty_set_takes_everything_away(rig):
    rig.make_user(kinds=["group", "policy", "inline policy"])
    rig.run(set_to())
    user = rig.user()
    assert (user["groups"], user["attached_policies"], user["inline_policies"]) == ([], [], {})


def test_nothing_is_taken_away_for_a_name_that_was_not_understood(rig):
    rig.make_user(kinds=["group"])
    outcome = rig.run(set_to(group("two words"), inline("x", "{}")))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "INVALID_ENTITLEMENT")
    assert all(word in outcome.reply.error.message for word in ("two words", "no policy"))
    assert rig.user()["groups"] == ["ops"]


def test_a_group_that_does_not_exist_makes_it_partial(rig):
    rig.make_user(kinds=["group"])
    outcome = rig.run(set_to(group("nowhere"), group("developers")))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.PARTIAL, "NO_SUCH_ENTITLEMENT")
    assert rig.user()["groups"] == ["developers"]


def test_an_inline_policy_is_compared_by_its_document(rig):
    rig.make_user()
    rig.run(grant(inline("s3", DOCUMENT)), request_id="one")
    assert json.loads(rig.user()["inline_policies"]["s3"]) == json.loads(DOCUMENT)
    rig.settled()
    same = rig.run(grant(inline("s3", json.dumps(json.loads(DOCUMENT), indent=2))), request_id="two")
    assert (same.reply.status, rig.mutations("two")) == (ReplyStatus.UNCHANGED, [])
    assert rig.actions("two") == ["GetUser", "ListUserPolicies", "GetUserPolicy"]
    other = rig.run(grant(inline("s3", OTHER)), request_id="three")
    assert other.reply.status is ReplyStatus.SUCCEEDED
    assert json.loads(rig.user()["inline_policies"]["s3"]) == json.loads(OTHER)
    assert [one.field for one in other.change.fields] == ["inlinePolicies/s3"]
    assert rig.run(revoke(inline("s3")), request_id="four").reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["inline_policies"] == {}


def test_what_is_no_inline_policy_is_told(rig):
    rig.make_user()
    outcome = rig.run(grant(inline("a"), inline("b", "no json"), inline("idhub-deny-all", DOCUMENT)))
    assert outcome.reply.status is ReplyStatus.FAILED
    assert {step.error_code for step in outcome.reply.steps} == {"INVALID_ENTITLEMENT"}
    assert rig.mutations() == []


def test_a_boundary_is_put_and_only_the_one_that_is_named_is_taken_away(rig):
    rig.make_user()
    outcome = rig.run(grant(boundary("team-base")))
    assert rig.actions() == ["GetUser", "PutUserPermissionsBoundary"]
    assert (rig.user()["boundary"], outcome.account.identity.boundary) == (TEAM_BASE, TEAM_BASE)
    rig.settled()
    assert (
        rig.run(revoke(boundary("arn:aws:iam::aws:policy/ReadOnlyAccess")), request_id="r2").reply.status == "UNCHANGED"
    )
    assert rig.user()["boundary"] == TEAM_BASE
    assert rig.run(revoke(boundary(TEAM_BASE)), request_id="r3").reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["boundary"] is None


def test_two_boundaries_cannot_be(rig):
    rig.make_user()
    outcome = rig.run(grant(boundary("team-base"), boundary("other")))
    assert outcome.reply.error.code == "INVALID_ENTITLEMENT"


def test_nobody_is_made_without_the_boundary_that_was_asked_for(rig):
    outcome = rig.run(create(group("developers"), boundary("team-base"), inline("s3", DOCUMENT)))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["boundary"] == TEAM_BASE
    assert "PutUserPermissionsBoundary" not in rig.actions()
    for number, name in enumerate(("nowhere", "two words")):
        outcome = rig.run(create(boundary(name)), user_name="bob", request_id=f"bob-{number}")
        assert outcome.reply.status is ReplyStatus.FAILED
        assert rig.user("bob") is None


def test_a_set_touches_no_boundary_that_it_does_not_name(rig):
    rig.run(create(boundary("team-base"), customer_policy("team-base")))
    rig.settled()
    rig.run(set_to(), request_id="set")
    assert (rig.user()["boundary"], rig.user()["attached_policies"]) == (TEAM_BASE, [])
