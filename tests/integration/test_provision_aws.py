"""The four operations from a request to a changed IAM: what is called, what is answered, what is published."""

from collections import Counter

import pytest

from connector.model.iam import Facet
from connector.model.requests import DeleteAccount, Entitlement, EntitlementType, RequestedBy
from connector.model.results import ChangeKind, ReplyStatus, StepOutcome
from connector.secrets import CLASSES, Sealer
from sandbox.aws import BREAK_GLASS, CONNECTOR, DEFAULT_ACCOUNT
from tests.support import credentials
from tests.support.domain import aws_policy, create, customer_policy, grant, group, revoke
from tests.support.rig import CONNECTOR_KEY, is_proven, mark_of

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TEAM_BASE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:policy/team-base"
EVERYTHING = [kind for kind in credentials.KINDS if kind not in {"deny all", "full inline quota"}]


def outcomes(outcome):
    return {(step.action, step.target): step.outcome for step in outcome.reply.steps}


# -- create --------------------------------------------------------------------------------------------------------


def test_create_with_password_group_and_policy_takes_seven_calls_at_most(rig):
    body = create(
        group("developers"), aws_policy("ReadOnlyAccess"), attributes={"department": "Sales", "path": "/staff/"}
    )
    outcome = rig.run(body, requested_by=RequestedBy("idhub", "erika"))
    assert rig.actions() == [
        "GetUser",
        "CreateUser",
        "GetAccountPasswordPolicy",
        "CreateLoginProfile",
        "AddUserToGroup",
        "AttachUserPolicy",
    ]
    assert len(rig.calls()) <= 7
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    user = rig.user()
    assert user["path"] == "/staff/"
    assert user["tags"] == {"department": "Sales", "idhub:request-id": "req-1"}
    assert (user["groups"], user["attached_policies"]) == (["developers"], [READ_ONLY])
    rig.assert_audited(outcome)
    assert {audit.user_id for audit in outcome.audits} == {user["user_id"]}
    assert {audit.requested_by for audit in outcome.audits} == {RequestedBy("idhub", "erika")}
    assert len(outcome.audits) == 4


def test_what_create_publishes_of_the_account(rig):
    outcome = rig.run(create(group("developers")))
    assert outcome.change.kind is ChangeKind.CREATED
    assert (outcome.change.origin, outcome.change.request_id, outcome.change.before) == ("IDHUB", "req-1", None)
    assert outcome.change.after == outcome.account
    assert [item.id for item in outcome.account.items[Facet.GROUPS]] == ["developers"]
    assert outcome.account.items[Facet.ACCESS_KEYS] == ()
    assert outcome.account.identity.user_id == rig.user()["user_id"]
    summary = outcome.reply.account
    assert (summary.enabled, summary.groups, summary.user_id) == (True, ("developers",), rig.user()["user_id"])


def test_the_password_is_delivered_sealed_and_opens_the_console(rig):
    outcome = rig.run(create())
    content = rig.open(outcome.reply.credential)
    assert (content["userName"], content["requestId"]) == ("alice", "req-1")
    password = content["password"]
    assert len(password) >= 20
    assert all(set(password) & set(one) for one in CLASSES)
    assert rig.aws.sign_in("alice", password) == {"UserName": "alice", "PasswordResetRequired": False}
    assert password not in repr(outcome)
    assert all(password not in repr(entry) for entry in rig.calls())


def test_a_long_minimum_is_obeyed_and_the_policy_is_asked_once_for_many(rig):
    rig.console("UpdateAccountPasswordPolicy", MinimumPasswordLength=64, RequireSymbols=True)
    for name in ("alice", "bob"):
        outcome = rig.run(create(), user_name=name, request_id=name)
        assert len(rig.open(outcome.reply.credential)["password"]) == 64
    assert rig.actions().count("GetAccountPasswordPolicy") == 1


def test_a_policy_that_grew_meanwhile_is_read_again(rig):
    rig.run(create(), user_name="bob", request_id="bob")
    rig.console("UpdateAccountPasswordPolicy", MinimumPasswordLength=70)
    outcome = rig.run(create())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert len(rig.open(outcome.reply.credential)["password"]) == 70


def test_an_account_without_a_password_policy_is_no_trouble(rig):
    rig.console("DeleteAccountPasswordPolicy")
    assert rig.run(create()).reply.credential


def test_a_password_of_the_request_is_opened_and_set(rig):
    sealed = Sealer(CONNECTOR_KEY).seal({"password": "Correct-horse-7-battery"})
    outcome = rig.run(create(credential=sealed))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.aws.sign_in("alice", "Correct-horse-7-battery")
    assert "GetAccountPasswordPolicy" not in rig.actions()


def test_a_password_that_the_policy_refuses_leaves_the_rest_standing(rig):
    sealed = Sealer(CONNECTOR_KEY).seal({"password": "weak"})
    outcome = rig.run(create(group("developers"), credential=sealed))
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert outcome.reply.error.code == "PasswordPolicyViolation"
    assert outcome.reply.credential is None
    assert rig.user()["groups"] == ["developers"]


@pytest.mark.parametrize("credential", ["not a jwe", "a.b.c.d.e"])
def test_a_credential_that_does_not_open_is_rejected_before_aws(rig, credential):
    outcome = rig.run(create(credential=credential))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "BAD_CREDENTIAL")
    assert rig.calls() == []


def test_without_a_key_of_idhub_there_is_no_login_profile_and_a_note(make_rig):
    rig = make_rig(IDHUB_AWS_IDHUB_KEY=None)
    outcome = rig.run(create())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["login_profile"] is None
    assert outcome.reply.credential is None
    assert any("IDHUB_AWS_IDHUB_KEY" in note for note in outcome.reply.notes)


def test_a_password_may_have_to_be_changed_at_the_first_sign_in(make_rig):
    rig = make_rig(IDHUB_AWS_CHANGE_PASSWORD_NEXT_SIGN_IN="true")
    outcome = rig.run(create())
    password = rig.open(outcome.reply.credential)["password"]
    assert rig.aws.sign_in("alice", password)["PasswordResetRequired"] is True


def test_a_user_that_is_there_is_not_taken_over(rig):
    rig.make_user("Alice")
    outcome = rig.run(create(group("admins")))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "ACCOUNT_EXISTS")
    assert rig.mutations() == []
    assert outcome.change.kind is ChangeKind.DISCOVERED


def test_a_request_that_resumes_goes_on_with_the_user_of_the_other(rig):
    rig.run(create(group("nobody-has-this")), request_id="req-0")
    outcome = rig.run(create(group("developers")), resumes="req-0")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert outcomes(outcome)["CreateUser", ""] is StepOutcome.ALREADY_SO
    assert rig.user()["groups"] == ["developers"]
    assert rig.aws.sign_in("alice", rig.open(outcome.reply.credential)["password"])


def test_attributes_that_iam_cannot_hold_are_told_at_once_and_nothing_is_made(rig):
    outcome = rig.run(create(attributes={"mail": ("a", "b"), "jobTitle": "R&D", "path": "nowhere"}))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "INVALID_ATTRIBUTE")
    assert all(word in outcome.reply.error.message for word in ("mail", "jobTitle", "path"))
    assert rig.actions() == []


def test_an_entitlement_that_does_not_exist_makes_a_create_partial(rig):
    outcome = rig.run(create(group("nowhere"), aws_policy("Nothing"), group("developers")))
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert [step.error_code for step in outcome.reply.steps if step.outcome is StepOutcome.FAILED] == [
        "NO_SUCH_ENTITLEMENT"
    ] * 2
    assert rig.user()["groups"] == ["developers"]


# -- grant and revoke ----------------------------------------------------------------------------------------------


def test_a_grant_of_one_group_takes_three_calls(rig):
    rig.make_user()
    rig.run(grant(group("admins")))
    assert rig.actions() == ["GetUser", "ListGroupsForUser", "AddUserToGroup"]


def test_a_revocation_of_one_group_takes_three_calls(rig):
    rig.make_user(kinds=["group"])
    rig.run(revoke(group("ops")))
    assert rig.actions() == ["GetUser", "ListGroupsForUser", "RemoveUserFromGroup"]
    assert rig.user()["groups"] == []


def test_n_entitlements_of_k_kinds_take_n_and_one_and_k_calls(rig):
    rig.make_user()
    some = (group("admins"), group("developers"), aws_policy("ReadOnlyAccess"), customer_policy("team-base"))
    outcome = rig.run(grant(*some))
    assert len(rig.actions()) == 4 + 1 + 2
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["attached_policies"] == sorted([READ_ONLY, TEAM_BASE])
    rig.assert_audited(outcome)
    rig.settled()
    outcome = rig.run(revoke(*some), request_id="req-2")
    assert len(rig.actions("req-2")) == 4 + 1 + 2
    assert (rig.user()["groups"], rig.user()["attached_policies"]) == ([], [])


def test_what_is_so_already_is_read_and_left(rig):
    rig.make_user()
    rig.run(grant(group("admins")))
    rig.settled()
    outcome = rig.run(grant(group("ADMINS")), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert rig.mutations("req-2") == []
    outcome = rig.run(revoke(group("developers")), request_id="req-3")
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert rig.mutations("req-3") == []


def test_right_after_a_change_it_is_sent_all_the_same_and_audited(rig):
    rig.make_user()
    rig.run(grant(group("admins")))
    outcome = rig.run(grant(group("admins")), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert [entry.action for entry in rig.mutations("req-2")] == ["AddUserToGroup"]
    assert len(outcome.audits) == 1


def test_entitlements_are_independent(rig):
    rig.make_user()
    some = (
        group("nowhere"),
        group("two words"),
        Entitlement(EntitlementType.INLINE_POLICY, "x", "{}"),
        customer_policy("nothing"),
        group("admins"),
    )
    outcome = rig.run(grant(*some))
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert Counter(step.error_code for step in outcome.reply.steps) == {
        "NO_SUCH_ENTITLEMENT": 2,
        "INVALID_ENTITLEMENT": 2,
        None: 1,
    }
    assert "4 of 5" in outcome.reply.error.message
    assert rig.user()["groups"] == ["admins"]


def test_nothing_that_exists_is_a_failure(rig):
    rig.make_user()
    outcome = rig.run(grant(group("nowhere")))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_SUCH_ENTITLEMENT")
    assert outcome.audits == ()


def test_a_quota_is_said_and_not_waited_for(rig):
    rig.make_user()
    rig.aws.knobs(quotas={"groups_per_user": 1})
    outcome = rig.run(grant(group("admins"), group("developers")))
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert outcome.reply.error.code == "LimitExceeded"
    assert rig.driver.waits == []


def test_an_absent_account_cannot_be_granted_anything_and_needs_no_revocation(rig):
    outcome = rig.run(grant(group("admins")))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_SUCH_ACCOUNT")
    outcome = rig.run(revoke(group("admins")), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert rig.mutations() == []


def test_a_user_of_another_case_is_the_same_user(rig):
    rig.make_user("Alice")
    outcome = rig.run(grant(group("admins")), user_name="aLICE")
    assert outcome.reply.account.user_name == "Alice"
    assert rig.user("Alice")["groups"] == ["admins"]


# -- delete --------------------------------------------------------------------------------------------------------


def test_a_user_with_everything_is_deleted_deny_first(rig):
    rig.make_user(kinds=EVERYTHING)
    user_id = rig.user()["user_id"]
    outcome = rig.run(DeleteAccount())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user() is None
    assert rig.aws.state()["virtual_mfa_devices"] == {}
    sent = [entry.action for entry in rig.mutations()]
    assert sent[0] == "PutUserPolicy"
    assert sent[-2:] == ["DeleteUserPolicy", "DeleteUser"]
    assert rig.actions()[-1] == "GetUser"
    assert {step.outcome for step in outcome.reply.steps} == {StepOutcome.DONE}
    assert [step.number for step in outcome.reply.steps] == list(range(1, len(sent) + 1))
    assert any("sessions" in note.casefold() for note in outcome.reply.notes)
    rig.assert_audited(outcome)
    assert {audit.user_id for audit in outcome.audits} == {user_id}
    assert outcome.account.deleted
    assert outcome.account.identity.user_id == user_id
    assert outcome.change.kind is ChangeKind.DELETED


def test_hundreds_of_items_on_many_pages_are_all_found(rig):
    rig.aws.knobs(quotas={"groups_per_user": 200, "attached_policies_per_user": 200, "access_keys_per_user": 120})
    rig.make_user()
    for number in range(110):
        rig.console("CreateGroup", GroupName=f"g{number}")
        rig.console("AddUserToGroup", GroupName=f"g{number}", UserName="alice")
        rig.console("CreateAccessKey", UserName="alice")
    rig.aws.settle()
    rig.aws.knobs(page_limit=7)
    outcome = rig.run(DeleteAccount())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user() is None
    assert rig.actions().count("ListGroupsForUser") == 16
    assert len(outcome.audits) == 110 + 110 + 3


def test_deleting_what_is_not_there_changes_nothing(rig):
    outcome = rig.run(DeleteAccount())
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert rig.actions() == ["GetUser"]
    assert outcome.audits == ()


def test_a_full_inline_quota_is_got_around(rig):
    rig.make_user(kinds=["full inline quota", "access key"])
    outcome = rig.run(DeleteAccount())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    sent = [entry.action for entry in rig.mutations()]
    assert sent[:2] == ["PutUserPolicy", "AttachUserPolicy"]
    assert sent[-3:] == ["DeleteUserPolicy", "DetachUserPolicy", "DeleteUser"]
    assert rig.user() is None


def test_a_removal_that_is_refused_leaves_the_user_shut_out(rig):
    rig.make_user(kinds=["access key", "group", "ssh key"])
    rig.aws.fault("error", actions=["DeleteSSHPublicKey"], code="AccessDenied", status=403, message="not authorized")
    outcome = rig.run(DeleteAccount())
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.PARTIAL, "ACCESS_DENIED")
    assert "iam:DeleteSSHPublicKey" in outcome.reply.error.message
    tried = outcomes(outcome)
    assert tried["DeleteUser", ""] is StepOutcome.NOT_TRIED
    assert tried["DeleteUserPolicy", "idhub-deny-all"] is StepOutcome.NOT_TRIED
    user = rig.user()
    assert (user["access_keys"], user["groups"], list(user["inline_policies"])) == ({}, [], ["idhub-deny-all"])
    assert outcome.reply.account.enabled is False
    rig.aws.clear_faults()
    again = rig.run(DeleteAccount(), request_id="req-2")
    assert again.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user() is None


# -- conditions ----------------------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing_and_its_hash_can_be_executed(rig):
    rig.make_user()
    plan = rig.run(grant(group("admins")), request_id="dry", dry_run=True)
    assert plan.reply.status is ReplyStatus.PLANNED
    assert [step.outcome for step in plan.reply.steps] == [StepOutcome.PLANNED]
    assert (plan.account, plan.change, plan.audits) == (None, None, ())
    assert rig.mutations() == []
    done = rig.run(grant(group("admins")), plan_hash=plan.reply.plan_hash)
    assert done.reply.status is ReplyStatus.SUCCEEDED
    assert done.reply.plan_hash == plan.reply.plan_hash


def test_a_plan_of_a_user_that_moved_is_refused(rig):
    rig.make_user()
    plan = rig.run(grant(group("admins")), request_id="dry", dry_run=True)
    rig.console("AddUserToGroup", UserName="alice", GroupName="admins")
    rig.aws.settle()
    outcome = rig.run(grant(group("admins")), plan_hash=plan.reply.plan_hash)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "PLAN_CHANGED")
    assert rig.mutations() == []


def test_another_identity_than_expected_is_refused(rig):
    rig.make_user()
    outcome = rig.run(DeleteAccount(), expected_user_id="AIDAOTHER")
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "OTHER_IDENTITY")
    assert rig.user() is not None
    assert rig.run(DeleteAccount(), request_id="r2", expected_user_id=rig.user()["user_id"]).reply.status == "SUCCEEDED"


def test_the_wrong_account_is_refused_and_nothing_read(rig):
    outcome = rig.run(grant(group("admins")), aws_account_id="999999999999")
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "WRONG_ACCOUNT")
    assert rig.actions() == []


def test_no_account_means_the_connectors_own(rig):
    rig.make_user()
    outcome = rig.run(grant(group("admins")), aws_account_id=None)
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert outcome.reply.aws_account_id == DEFAULT_ACCOUNT


def test_the_connector_and_the_protected_are_left_alone(make_rig):
    rig = make_rig(IDHUB_AWS_PROTECTED_PRINCIPALS="break-*")
    for name in (CONNECTOR.upper(), BREAK_GLASS):
        outcome = rig.run(DeleteAccount(), user_name=name, request_id=name)
        assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "PROTECTED_PRINCIPAL")
    assert rig.actions() == []


# -- marks ---------------------------------------------------------------------------------------------------------


def test_every_call_carries_a_mark_that_proves_itself(rig):
    outcome = rig.run(create(group("admins")), request_id="req with blanks/and ü")
    steps = {}
    for entry in rig.calls():
        mark = mark_of(entry)
        if entry.action.startswith("Get"):
            assert mark["step"] == "0"
        else:
            steps[int(mark["step"])] = entry.action
    assert steps == {step.number: step.action for step in outcome.reply.steps}
    assert {mark_of(entry)["request"] for entry in rig.calls()} == {"req%20with%20blanks%2Fand%20%C3%BC"}


def test_a_mark_fits_no_other_call(rig):
    rig.run(create())
    entries = [entry for entry in rig.calls("req-1") if entry.service == "iam"]
    assert all(is_proven(entry, "alice") for entry in entries)
    assert not any(is_proven(entry, "bob") for entry in entries)


def test_audit_records_name_aws_own_request_ids(rig):
    outcome = rig.run(create(group("admins")))
    by_step = {int(mark_of(entry)["step"]): entry.request_id for entry in rig.mutations()}
    assert {audit.step: audit.aws_request_id for audit in outcome.audits} == by_step


def test_the_factory_says_who_we_are_without_a_secret(rig):
    assert rig.connector.describe()["arn"] == "not asked yet"
    rig.run(create())
    told = rig.connector.describe()
    assert told["arn"].endswith(f"user/service/{CONNECTOR}")
    assert "sandbox-secret" not in str(told)
