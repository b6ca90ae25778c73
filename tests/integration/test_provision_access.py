"""Disable, enable and reset on real sockets: what is called, what is answered, what is published."""

import pytest

from connector.model.iam import Facet
from connector.model.requests import DeleteAccount, DisableAccount, EnableAccount, ResetPassword
from connector.model.results import ChangeKind, ReplyStatus, StepOutcome
from connector.secrets import Sealer
from tests.support import credentials
from tests.support.domain import create, group
from tests.support.rig import CONNECTOR_KEY

KINDS = ["login profile", "access key", "service credential", "ssh key", "certificate", "virtual mfa", "group"]


def off(rig, **fields):
    outcome = rig.run(DisableAccount(), **{"request_id": "off", **fields})
    rig.settled()
    return outcome


def test_disable_takes_one_reading_of_each_facet_and_one_call_for_each_thing(rig):
    rig.make_user(kinds=KINDS)
    outcome = off(rig)
    assert rig.actions() == [
        "GetUser",
        "ListAccessKeys",
        "ListAttachedUserPolicies",
        "ListUserPolicies",
        "GetLoginProfile",
        "ListServiceSpecificCredentials",
        "ListSigningCertificates",
        "ListSSHPublicKeys",
        "PutUserPolicy",
        "TagUser",
        "DeleteLoginProfile",
        "UpdateAccessKey",
        "UpdateServiceSpecificCredential",
        "UpdateSSHPublicKey",
        "UpdateSigningCertificate",
    ]
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert outcome.reply.account.enabled is False
    rig.assert_audited(outcome)
    assert len(outcome.audits) == 7
    user = rig.user()
    # What is no way in stays: it is what ENABLE brings back.
    assert user["groups"] == ["ops"]
    assert len(user["mfa_devices"]) == 1
    assert outcome.change.kind is ChangeKind.DISCOVERED
    assert {item.status for item in outcome.account.items[Facet.ACCESS_KEYS]} == {"Inactive"}
    assert outcome.account.identity.tags == user["tags"]


def test_enable_takes_no_more_calls_than_it_needs(rig):
    rig.make_user(kinds=["login profile", "access key"])
    off(rig)
    outcome = rig.run(EnableAccount(), request_id="on")
    assert rig.actions("on") == [
        "GetUser",
        "ListAccessKeys",
        "ListAttachedUserPolicies",
        "ListUserPolicies",
        "GetLoginProfile",
        "GetAccountPasswordPolicy",
        "CreateLoginProfile",
        "UpdateAccessKey",
        "DeleteUserPolicy",
        "UntagUser",
    ]
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert outcome.reply.account.enabled is True
    assert rig.aws.sign_in("alice", rig.open(outcome.reply.credential)["password"])
    rig.assert_audited(outcome)
    assert outcome.account.identity.tags == {}


def test_the_setting_decides_whether_programmatic_access_comes_back(make_rig):
    rig = make_rig(IDHUB_AWS_ENABLE_PROGRAMMATIC_ACCESS="false")
    rig.make_user(kinds=["login profile", "access key"])
    off(rig)
    outcome = rig.run(EnableAccount(), request_id="on")
    assert set(rig.user()["access_keys"].values()) == {"Inactive"}
    assert rig.user()["login_profile"] is not None
    assert any("IDHUB_AWS_ENABLE_PROGRAMMATIC_ACCESS" in note for note in outcome.reply.notes)


def test_a_password_of_the_request_and_its_change_at_the_next_sign_in(make_rig):
    rig = make_rig(IDHUB_AWS_CHANGE_PASSWORD_NEXT_SIGN_IN="true")
    rig.make_user(kinds=["login profile"])
    sealed = Sealer(CONNECTOR_KEY).seal({"password": "Another-horse-8-battery"})
    assert rig.run(ResetPassword(sealed)).reply.status is ReplyStatus.SUCCEEDED
    assert rig.actions() == ["GetUser", "GetLoginProfile", "UpdateLoginProfile"]
    assert rig.aws.sign_in("alice", "Another-horse-8-battery")["PasswordResetRequired"] is True
    off(rig)
    assert rig.run(EnableAccount(sealed), request_id="on").reply.status is ReplyStatus.SUCCEEDED
    assert rig.aws.sign_in("alice", "Another-horse-8-battery")["PasswordResetRequired"] is True


def test_there_is_nothing_to_reset_for_a_disabled_user(rig):
    rig.make_user(kinds=["login profile"])
    off(rig)
    outcome = rig.run(ResetPassword())
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_LOGIN_PROFILE")
    assert rig.mutations("req-1") == []


def test_right_after_a_disable_a_reset_waits_until_the_readings_are_sure(rig):
    rig.make_user(kinds=["login profile"])
    rig.run(DisableAccount(), request_id="off")
    outcome = rig.run(ResetPassword())
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_LOGIN_PROFILE")
    assert set(rig.driver.waited_for()) == {"propagating"}
    assert rig.user()["login_profile"] is None


@pytest.mark.parametrize("body", [DisableAccount(), EnableAccount(), ResetPassword()])
def test_an_absent_account(rig, body):
    outcome = rig.run(body)
    if isinstance(body, DisableAccount):
        assert outcome.reply.status is ReplyStatus.UNCHANGED
    else:
        assert outcome.reply.error.code == "NO_SUCH_ACCOUNT"
    assert rig.actions() == ["GetUser"]


def test_what_cannot_be_switched_off_leaves_the_user_shut_out_and_the_rest_done(rig):
    rig.make_user(kinds=["login profile", "access key", "ssh key"])
    rig.aws.fault("error", actions=["UpdateAccessKey", "TagUser"], code="AccessDenied", status=403, message="no")
    outcome = off(rig)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.PARTIAL, "ACCESS_DENIED")
    told = {step.action: step.outcome for step in outcome.reply.steps}
    assert told["UpdateSSHPublicKey"] is told["DeleteLoginProfile"] is told["PutUserPolicy"] is StepOutcome.DONE
    assert told["TagUser"] is StepOutcome.FAILED
    assert outcome.reply.account.enabled is False


def test_what_cannot_be_switched_on_leaves_the_deny(rig):
    rig.make_user(kinds=["login profile", "access key"])
    off(rig)
    rig.aws.fault("error", actions=["UpdateAccessKey"], code="AccessDenied", status=403, message="no")
    outcome = rig.run(EnableAccount(), request_id="on")
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert {step.action for step in outcome.reply.steps if step.outcome is StepOutcome.NOT_TRIED} == {
        "DeleteUserPolicy",
        "UntagUser",
    }
    assert "idhub-deny-all" in rig.user()["inline_policies"]
    rig.aws.clear_faults()
    rig.settled()
    assert rig.run(EnableAccount(), request_id="on-2").reply.status is ReplyStatus.SUCCEEDED
    assert set(rig.user()["access_keys"].values()) == {"Active"}


def test_a_user_with_the_quota_of_tags_used_up_is_disabled_all_the_same(rig):
    rig.make_user(kinds=["login profile", "access key"])
    rig.console("TagUser", UserName="alice", Tags=[{"Key": f"t{n}", "Value": "x"} for n in range(50)])
    rig.aws.settle()
    outcome = off(rig)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.PARTIAL, "LimitExceeded")
    assert set(rig.user()["access_keys"].values()) == {"Inactive"}


def test_a_full_inline_quota_is_got_around_and_back(rig):
    rig.make_user(kinds=["full inline quota", "access key"])
    assert off(rig).reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["attached_policies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert off(rig, request_id="off-2").reply.status is ReplyStatus.UNCHANGED
    assert rig.run(EnableAccount(), request_id="on").reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["attached_policies"] == []


def test_a_disabled_user_can_be_deleted_and_a_new_one_disabled_at_once(rig):
    rig.make_user(kinds=KINDS)
    rig.run(DisableAccount(), request_id="off")
    assert rig.run(DeleteAccount(), request_id="gone").reply.status is ReplyStatus.SUCCEEDED
    assert rig.run(create(group("developers")), request_id="new").reply.status is ReplyStatus.SUCCEEDED
    credentials.equip(rig.console, "alice", ["access key"])
    outcome = rig.run(DisableAccount(), request_id="off-2")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert set(rig.user()["access_keys"].values()) == {"Inactive"}
    assert rig.user()["login_profile"] is None
