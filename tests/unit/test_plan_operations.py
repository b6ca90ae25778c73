"""The plans of the four operations, the table that names them, and what is refused before any of it."""

import functools
from dataclasses import replace
from datetime import timedelta

import botocore.session
import pytest

from connector.errors import RequestRefused
from connector.model.iam import Facet, Item, UserState
from connector.model.requests import (
    DeleteAccount,
    DisableAccount,
    EnableAccount,
    Operation,
    ResetPassword,
    UnsupportedOperation,
)
from connector.model.results import Intent, IntentStep, StepOutcome
from connector.plan import create as create_module
from connector.plan import safety
from connector.plan.calls import Call, Seen, body_of, plan_hash
from connector.plan.create import plan_create
from connector.plan.delete import CLEAN_UPS, plan_delete
from connector.plan.entitlements import KINDS
from connector.plan.grant import plan_grant
from connector.plan.operations import OPERATIONS, permissions
from connector.plan.revoke import plan_revoke
from connector.plan.rules import NO_RULES, Rules
from tests.support.credentials import DOCUMENT
from tests.support.domain import (
    ACCOUNT,
    NOW,
    aws_policy,
    boundary,
    context,
    create,
    grant,
    group,
    identity,
    inline,
    items,
    request,
    revoke,
    seen,
    set_to,
    update,
)

OURS = {"idhub:request-id": "req-1"}
NOBODY = seen(None)


def sent(plan):
    return [(step.key, step.call.action) for step in plan.steps if step.sends]


def found(plan):
    return {step.key: step.found for step in plan.steps if not step.sends}


def named(*steps):
    return tuple(IntentStep(n, key, action, target) for n, (key, action, target) in enumerate(steps, 1))


def intent(*steps, user_id="AIDAALICE"):
    return Intent("req-1", "hash", Operation.DELETE_ACCOUNT, user_id, named(*steps))


# -- create --------------------------------------------------------------------------------------------------------


def test_create_makes_the_user_then_the_rest():
    body = create(group("admins"), aws_policy("ReadOnlyAccess"), attributes={"path": "/staff/", "city": "Oslo"})
    plan = plan_create(request(body), NOBODY, context(password=True))
    assert [action for _, action in sent(plan)] == [
        "CreateUser",
        "CreateLoginProfile",
        "AddUserToGroup",
        "AttachUserPolicy",
    ]
    user = plan.steps[0].call.params
    assert (user["Path"], user["UserName"]) == ("/staff/", "alice")
    assert {"Key": "idhub:request-id", "Value": "req-1"} in user["Tags"]
    assert all(step.needs == ("user",) for step in plan.steps[1:])


def test_without_a_key_there_is_no_password_and_a_note():
    plan = plan_create(request(create()), NOBODY, context(password=False))
    assert [key for key, _ in sent(plan)] == ["user"]
    assert "IDHUB_AWS_IDHUB_KEY" in plan.notes[0]


def test_a_user_of_somebody_else_is_left_alone():
    plan = plan_create(request(create()), seen(identity(tags={"idhub:request-id": "req-0"})), context())
    assert plan.steps == ()
    assert plan.error is not None
    assert plan.error.code == "ACCOUNT_EXISTS"


def test_a_user_that_no_reading_ever_shows_exists_all_the_same():
    plan = plan_create(request(create()), NOBODY, context(name_taken=True))
    assert plan.error is not None
    assert plan.error.code == "ACCOUNT_EXISTS"


def test_our_own_user_is_gone_on_from():
    where = seen(identity(tags=OURS), login=items("password"), groups=(), attached_policies=())
    plan = plan_create(request(create(group("admins"))), where, context(password=True))
    assert found(plan) == {"user": StepOutcome.DONE}
    assert sent(plan) == [("login", "UpdateLoginProfile"), ("group:admins", "AddUserToGroup")]


def test_a_resumed_requests_user_is_not_this_requests_deed():
    where = seen(identity(tags={"idhub:request-id": "req-0"}), login=())
    plan = plan_create(request(create(), resumes="req-0"), where, context(password=True))
    assert found(plan) == {"user": StepOutcome.ALREADY_SO}
    assert sent(plan) == [("login", "CreateLoginProfile")]


def test_attributes_are_checked_before_anything():
    error = create_module.check_create(request(create(attributes={"mail": ("a", "b"), "path": "x"})), NO_RULES)
    assert error is not None
    assert error.code == "INVALID_ATTRIBUTE"
    assert "mail" in error.message
    assert "path" in error.message


# -- delete --------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "login": items("password"),
    "access_keys": (Item("AKIA1", "Active"), Item("AKIA2", "Inactive")),
    "service_credentials": (Item("ACCA1", "Active"),),
    "ssh_keys": (Item("APKA1", "Active"),),
    "signing_certificates": (Item("CERT1", "Active"),),
    "mfa_devices": items(f"arn:aws:iam::{ACCOUNT}:mfa/alice", "GAHT12345678"),
    "groups": items("admins"),
    "attached_policies": items("arn:aws:iam::aws:policy/ReadOnlyAccess"),
    "inline_policies": items("mine"),
}


DISABLED = {"idhub:active": "1 key:AKIA1 service-credential:ACCA1 ssh-key:APKA1 certificate:CERT1"}
DENIED = {
    "inline_policies": items("idhub-deny-all"),
    "attached_policies": items("arn:aws:iam::aws:policy/AWSDenyAll"),
}


def test_delete_takes_away_everything_in_order():
    plan = plan_delete(request(DeleteAccount()), seen(identity(), **EVERYTHING), context())
    assert [action for _, action in sent(plan)] == [
        "PutUserPolicy",
        "DeleteLoginProfile",
        "DeleteAccessKey",
        "DeleteAccessKey",
        "DeleteServiceSpecificCredential",
        "DeleteSSHPublicKey",
        "DeleteSigningCertificate",
        "DeactivateMFADevice",
        "DeleteVirtualMFADevice",
        "DeactivateMFADevice",
        "RemoveUserFromGroup",
        "DetachUserPolicy",
        "DeleteUserPolicy",
        "DeleteUserPolicy",
        "DeleteUser",
    ]
    assert plan.steps[-2].key == "deny-lift"
    assert {item.id for item in plan.was_active} == {"AKIA1", "ACCA1", "APKA1", "CERT1"}
    assert "sessions" in plan.notes[0].casefold()


def test_nothing_is_lifted_or_deleted_before_every_removal_worked():
    plan = plan_delete(request(DeleteAccount()), seen(identity(), **EVERYTHING), context())
    removals = {step.key for step in plan.steps[1:-2]}
    assert set(plan.steps[-2].needs) == removals
    assert set(plan.steps[-1].needs) == removals | {"deny-lift"}
    assert "deny" not in plan.steps[-1].needs


def test_a_full_quota_is_got_around():
    plan = plan_delete(request(DeleteAccount()), seen(identity()), context())
    (code, other) = plan.steps[0].call.otherwise[0]
    assert (code, other.action, other.target) == (
        "LimitExceeded",
        "AttachUserPolicy",
        "arn:aws:iam::aws:policy/AWSDenyAll",
    )


def test_a_deny_that_is_there_already_goes_last():
    denies = items("arn:aws:iam::aws:policy/AWSDenyAll", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    where = seen(identity(), attached_policies=denies, inline_policies=items("idhub-deny-all", "mine"))
    plan = plan_delete(request(DeleteAccount()), where, context())
    assert [step.call.target for step in plan.steps] == [
        "idhub-deny-all",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "mine",
        "arn:aws:iam::aws:policy/AWSDenyAll",
        "idhub-deny-all",
        "",
    ]


def test_what_we_added_lately_is_taken_away_though_no_reading_shows_it():
    told, written = seen(identity(), groups=()).told, seen(identity(), groups=items("admins")).told
    plan = plan_delete(request(DeleteAccount()), Seen(told, written), context())
    assert ("group:admins", "RemoveUserFromGroup") in sent(plan)


def test_a_resumed_delete_sends_every_removal_of_the_intent_again():
    device = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
    before = intent(
        ("deny", "PutUserPolicy", "idhub-deny-all"),
        ("login", "DeleteLoginProfile", ""),
        (f"mfa:{device}", "DeactivateMFADevice", device),
        (f"mfa-device:{device}", "DeleteVirtualMFADevice", device),
        ("deny-lift", "DeleteUserPolicy", "idhub-deny-all"),
        ("user", "DeleteUser", ""),
    )
    keys = frozenset(step.key for step in before.steps)
    plan = plan_delete(request(DeleteAccount()), seen(identity()), context(intent=before, attempted=keys))
    assert [key for key, _ in sent(plan)] == [
        "deny",
        "login",
        f"mfa:{device}",
        f"mfa-device:{device}",
        "deny-lift",
        "user",
    ]


def test_an_absent_user_needs_nothing():
    plan = plan_delete(request(DeleteAccount()), NOBODY, context())
    assert found(plan) == {"user": StepOutcome.ALREADY_SO}
    assert plan.gone


def test_a_user_found_gone_after_a_crash_was_deleted_by_us():
    device = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
    before = intent(
        ("login", "DeleteLoginProfile", ""), ("d", "DeleteVirtualMFADevice", device), ("user", "DeleteUser", "")
    )
    keys = frozenset(step.key for step in before.steps)
    plan = plan_delete(request(DeleteAccount()), NOBODY, context(intent=before, attempted=keys))
    assert found(plan) == {"login": StepOutcome.DONE, "user": StepOutcome.DONE}
    # The device outlives the user, and would block the name for the next one.
    assert [action for _, action in sent(plan)] == ["DeleteVirtualMFADevice"]


def test_a_new_user_of_the_same_name_is_not_touched():
    device = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
    before = intent(("d", "DeleteVirtualMFADevice", device), ("user", "DeleteUser", ""))
    keys = frozenset(step.key for step in before.steps)
    where = seen(identity(user_id="AIDANEW"), **EVERYTHING)
    plan = plan_delete(request(DeleteAccount()), where, context(intent=before, attempted=keys))
    assert sent(plan) == []
    assert set(found(plan).values()) == {StepOutcome.DONE}
    assert any("AIDANEW" in note for note in plan.notes)


def test_after_a_lift_the_deny_is_put_once_more():
    plan = plan_delete(request(DeleteAccount()), seen(identity()), context(done=frozenset({"deny", "deny-lift"})))
    assert [(step.key, step.again) for step in plan.steps] == [("deny", True), ("deny-lift", True), ("user", True)]


def test_every_facet_but_the_identity_has_a_clean_up():
    assert {row.facet for row in CLEAN_UPS} == set(Facet) - {Facet.IDENTITY}


# -- grant and revoke ----------------------------------------------------------------------------------------------


def test_a_grant_needs_an_account():
    plan = plan_grant(request(grant(group("admins"))), NOBODY, context())
    assert plan.error is not None
    assert plan.error.code == "NO_SUCH_ACCOUNT"


def test_a_resumed_grant_does_not_touch_a_new_user():
    plan = plan_grant(request(grant(group("a"))), seen(identity(user_id="AIDANEW")), context(intent=intent()))
    assert plan.error is not None
    assert plan.error.code == "NO_SUCH_ACCOUNT"
    assert "AIDANEW" in plan.error.message


def test_an_absent_users_entitlements_are_revoked_already():
    plan = plan_revoke(request(revoke(group("admins"), group("b c"))), NOBODY, context(window_open=True))
    assert found(plan) == {"group:admins": StepOutcome.ALREADY_SO, "group:b c": StepOutcome.FAILED}
    assert sent(plan) == []


def test_calls_carry_iams_spelling_of_the_name():
    plan = plan_grant(request(grant(group("a")), user_name="ALICE"), seen(identity(), groups=()), context())
    assert plan.steps[0].call.params["UserName"] == "alice"


# -- the table -----------------------------------------------------------------------------------------------------


@functools.cache
def model():
    return botocore.session.Session().get_service_model("iam")


def test_every_permission_is_an_iam_action():
    actions = set(model().operation_names)
    for row in OPERATIONS.values():
        assert {one.removeprefix("iam:") for one in row.permissions} <= actions


def actions_in(value):
    if isinstance(value, Call):
        return {value.action} | {action for _, other in value.otherwise for action in actions_in(other)}
    return set()


def test_every_call_that_can_be_planned_is_permitted():
    readings = {
        "CREATE_ACCOUNT": (NOBODY, seen(identity(tags=OURS), login=items("password"))),
        "DELETE_ACCOUNT": (seen(identity(), **EVERYTHING),),
        "DISABLE_ACCOUNT": (seen(identity(), **EVERYTHING),),
        "SET_ENTITLEMENTS": (seen(identity(), **EVERYTHING),),
        "ENABLE_ACCOUNT": (seen(identity(tags=DISABLED), **{**EVERYTHING, **DENIED}),),
    }
    entitlements = (group("a"), aws_policy("b"), inline("c", DOCUMENT), boundary("d"))
    bodies = {
        Operation.CREATE_ACCOUNT: create(*entitlements),
        Operation.DELETE_ACCOUNT: DeleteAccount(),
        Operation.UPDATE_ACCOUNT: update({"city": None, "mail": "a@b"}, name="bob"),
        Operation.DISABLE_ACCOUNT: DisableAccount(),
        Operation.ENABLE_ACCOUNT: EnableAccount(),
        Operation.RESET_PASSWORD: ResetPassword(),
        Operation.GRANT_ENTITLEMENTS: grant(*entitlements),
        Operation.REVOKE_ENTITLEMENTS: revoke(*entitlements),
        Operation.SET_ENTITLEMENTS: set_to(*entitlements),
    }
    assert bodies.keys() == OPERATIONS.keys()
    for operation, row in OPERATIONS.items():
        for where in readings.get(operation, (seen(identity()),)):
            rules = Rules(programmatic_access=True)
            plan = row.plan(request(bodies[operation]), where, context(password=True, window_open=True, rules=rules))
            planned = {action for step in plan.steps for action in actions_in(step.call)}
            assert {f"iam:{action}" for action in planned} <= set(row.permissions)


def test_the_permissions_are_listed_once():
    assert list(permissions()) == sorted(set(permissions()))
    assert {"iam:GetUser", "iam:DeleteUser"} <= set(permissions())


def test_every_row_has_its_own_body():
    assert len({row.body for row in OPERATIONS.values()}) == len(OPERATIONS)


def test_a_body_of_another_operation_is_a_bug():
    with pytest.raises(TypeError):
        body_of(request(DeleteAccount()), type(grant()))


def test_entitlement_kinds_name_calls_of_iam():
    actions = set(model().operation_names)
    for kind in KINDS.values():
        assert {kind.grant, kind.revoke} <= actions
        assert kind.parameter in model().operation_model(kind.grant).input_shape.members


def test_clean_ups_name_calls_and_parameters_of_iam():
    for row in CLEAN_UPS:
        members = model().operation_model(row.action).input_shape.members
        assert row.parameter is None or row.parameter in members


# -- the hash ------------------------------------------------------------------------------------------------------


def hash_of(body, where, **fields):
    asked = request(body, **fields)
    plan = OPERATIONS[asked.operation].plan(asked, where, context(password=True))
    return plan_hash(asked, where.overlaid.identity.user_id if where.overlaid.identity else None, plan)


def test_a_dry_run_and_its_execution_have_one_hash():
    body = create(group("admins"))
    assert hash_of(body, NOBODY, request_id="dry") == hash_of(body, NOBODY, request_id="real")


def test_the_hash_moves_with_the_user():
    body = grant(group("admins"))
    hashes = {
        hash_of(body, seen(identity(), groups=())),
        hash_of(body, seen(identity(), groups=items("admins"))),
        hash_of(body, seen(identity(user_id="AIDANEW"), groups=())),
        hash_of(grant(group("others")), seen(identity(), groups=())),
    }
    assert len(hashes) == 4


def test_the_hash_does_not_move_with_the_window():
    asked = request(grant(group("admins")))
    where = seen(identity(), groups=items("admins"))
    plans = [plan_grant(asked, where, context(window_open=open_)) for open_ in (False, True)]
    assert plan_hash(asked, "AIDAALICE", plans[0]) == plan_hash(asked, "AIDAALICE", plans[1])


# -- refusals ------------------------------------------------------------------------------------------------------

CALLER = safety.Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/idhub", "aws", "idhub")


def refusal_of(asked, now=NOW, caller=CALLER, protected=()):
    def refuse():
        safety.refuse_unread(asked, OPERATIONS, now)
        safety.refuse_here(asked, caller, protected)

    with pytest.raises(RequestRefused) as refused:
        refuse()
    return refused.value.code


def test_what_is_refused_and_why():
    good = request(grant(group("a")))
    cases = {
        "UNKNOWN_OPERATION": request(UnsupportedOperation("FLY"), operation=Operation.UNKNOWN),
        "UNSUPPORTED_OPERATION": request(UnsupportedOperation("UPDATE_ACCOUNT"), operation=Operation.UPDATE_ACCOUNT),
        "BAD_USER_NAME": replace(good, user_name="no blanks"),
        "TOO_LATE": replace(good, not_after=NOW - timedelta(seconds=1)),
        "WRONG_ACCOUNT": replace(good, aws_account_id="999999999999"),
        "PROTECTED_PRINCIPAL": replace(good, user_name="IDHub"),
    }
    assert {code: refusal_of(asked) for code, asked in cases.items()} == {code: code for code in cases}


def test_protected_principals_may_be_patterns():
    assert (
        refusal_of(request(grant(), user_name="Break-Glass-1"), protected=("root", "break-glass-*"))
        == "PROTECTED_PRINCIPAL"
    )


def test_taking_away_is_never_too_late():
    late = NOW - timedelta(days=1)
    for body in (DeleteAccount(), revoke(group("a"))):
        safety.refuse_unread(request(body, not_after=late), OPERATIONS, NOW)


def test_a_role_protects_no_user_of_its_name():
    caller = safety.Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/idhub/x", "aws", None)
    safety.refuse_here(request(DeleteAccount(), user_name="idhub", aws_account_id=None), caller, ())


def test_another_identity_is_refused():
    asked = request(DeleteAccount(), expected_user_id="AIDAOLD")
    with pytest.raises(RequestRefused) as refused:
        safety.refuse_other_identity(asked, identity())
    assert refused.value.code == "OTHER_IDENTITY"
    safety.refuse_other_identity(asked, None)
    safety.refuse_other_identity(asked, identity(user_id="AIDAOLD"))


def test_a_plan_that_changed_is_refused():
    with pytest.raises(RequestRefused) as refused:
        safety.refuse_changed_plan(request(DeleteAccount(), plan_hash="a"), "b")
    assert refused.value.code == "PLAN_CHANGED"


def test_an_unread_facet_shows_nothing():
    assert not UserState(identity()).has(Facet.GROUPS, "admins")
