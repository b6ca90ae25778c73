"""The plans of DISABLE, ENABLE and RESET, and the record of what was active."""

import pytest

from connector.model.iam import Facet, Item
from connector.model.requests import DisableAccount, EnableAccount, Operation, ResetPassword
from connector.model.results import Intent, IntentStep, StepOutcome
from connector.plan.disable import plan_disable
from connector.plan.enable import plan_enable
from connector.plan.reset import plan_reset
from connector.plan.rules import Rules
from connector.plan.switches import Record, to_record, to_tags
from tests.support.domain import context, identity, items, request, seen

ALL = {
    "login": items("password"),
    "access_keys": (Item("AKIA1", "Active"), Item("AKIA2", "Inactive")),
    "service_credentials": (Item("ACCA1", "Active"), Item("ACCA2", "Expired")),
    "ssh_keys": (Item("APKA1", "Active"),),
    "signing_certificates": (Item("CERT1", "Active"),),
    "inline_policies": (),
    "attached_policies": (),
}
OFF = {"idhub:active": "1 key:AKIA1"}
DENIED = {
    **dict.fromkeys(ALL, ()),
    "access_keys": (Item("AKIA1", "Inactive"),),
    "inline_policies": items("idhub-deny-all"),
}
NOBODY = seen(None)
ON = Rules(programmatic_access=True)


def sent(plan):
    return [step.key for step in plan.steps if step.sends]


def found(plan):
    return {step.key: step.found for step in plan.steps if not step.sends}


def tags_of(plan):
    (step,) = [step for step in plan.steps if step.key == "record"]
    return {tag["Key"]: tag["Value"] for tag in step.call.params["Tags"]}


def intent(*keys, was_active=(), operation=Operation.DISABLE_ACCOUNT):
    steps = tuple(IntentStep(number, key, "?", "") for number, key in enumerate(keys, 1))
    return Intent("req-1", "hash", operation, "AIDAALICE", steps, tuple(was_active))


# -- disable -------------------------------------------------------------------------------------------------------


def test_the_deny_comes_first_then_the_record_then_the_rest():
    plan = plan_disable(request(DisableAccount()), seen(identity(), **ALL), context())
    assert sent(plan) == [
        "deny",
        "record",
        "login",
        "key:AKIA1",
        "service-credential:ACCA1",
        "ssh-key:APKA1",
        "certificate:CERT1",
    ]
    assert tags_of(plan) == {"idhub:active": "1 key:AKIA1 service-credential:ACCA1 ssh-key:APKA1 certificate:CERT1"}
    assert {item.id for item in plan.was_active} == {"AKIA1", "ACCA1", "APKA1", "CERT1"}
    assert "sessions" in plan.notes[0].casefold()
    # Nothing waits for the success of another step: a user is shut out as far as that is possible.
    assert all(step.needs == () for step in plan.steps)


def test_the_record_is_left_alone_while_the_deny_stands():
    """The second request finds everything inactive; written down, that would be all that ENABLE ever brings back."""
    where = seen(identity(tags=OFF), **DENIED)
    plan = plan_disable(request(DisableAccount()), where, context())
    assert sent(plan) == []
    assert set(found(plan).values()) == {StepOutcome.ALREADY_SO}
    plan = plan_disable(request(DisableAccount()), where, context(window_open=True))
    assert "record" not in sent(plan)
    assert [item.id for item in plan.was_active] == ["AKIA1"]


def test_a_record_that_no_deny_belongs_to_is_written_anew():
    plan = plan_disable(request(DisableAccount()), seen(identity(tags=OFF), **{**ALL, "access_keys": ()}), context())
    assert tags_of(plan) == {"idhub:active": "1 service-credential:ACCA1 ssh-key:APKA1 certificate:CERT1"}


def test_what_appears_under_the_deny_is_switched_off_and_not_recorded():
    where = seen(identity(tags=OFF), **{**DENIED, "access_keys": (Item("AKIA1", "Inactive"), Item("AKIA9", "Active"))})
    plan = plan_disable(request(DisableAccount()), where, context())
    assert sent(plan) == ["key:AKIA9"]


def test_a_resumed_disable_records_what_the_first_life_found():
    before = intent("deny", "record", "key:AKIA1", was_active=[Item("AKIA1", "Active", Facet.ACCESS_KEYS.value)])
    keys = frozenset(step.key for step in before.steps)
    now = {**ALL, "access_keys": (Item("AKIA1", "Inactive"),), "inline_policies": items("idhub-deny-all")}
    plan = plan_disable(request(DisableAccount()), seen(identity(), **now), context(intent=before, attempted=keys))
    assert tags_of(plan) == {"idhub:active": "1 key:AKIA1"}
    # Sent again though it shows Inactive: the first life's call may not be done.
    assert "key:AKIA1" in sent(plan)


def test_an_absent_user_is_disabled_already():
    assert found(plan_disable(request(DisableAccount()), NOBODY, context())) == {"deny": StepOutcome.ALREADY_SO}
    before = intent("deny", "login")
    plan = plan_disable(request(DisableAccount()), NOBODY, context(intent=before, attempted=frozenset({"deny"})))
    assert found(plan) == {"deny": StepOutcome.DONE, "login": StepOutcome.ALREADY_SO}


def test_a_second_look_touches_only_who_is_known_to_be_disabled():
    body = DisableAccount(second_look=True)
    assert plan_disable(request(body), seen(identity(), **ALL), context()).steps == ()
    plan = plan_disable(request(body), seen(identity(), **ALL), context(known_disabled=True))
    assert sent(plan)[:2] == ["deny", "login"]
    assert "record" not in sent(plan)


# -- the record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 9, 40])
def test_a_record_is_read_as_it_was_written_however_many_tags_it_takes(count):
    kinds = (Facet.ACCESS_KEYS, Facet.SERVICE_CREDENTIALS, Facet.SSH_KEYS, Facet.SIGNING_CERTIFICATES)
    record = Record(tuple(Item(f"ID{n:030}", "Active", kinds[n % 4].value) for n in range(count)), count % 2 == 0)
    tags = to_tags(record)
    assert all(len(value) <= 256 for value in tags.values())
    assert to_record(tags) == record
    # Left-overs of a longer record are no part of it; a record with a hole is none.
    assert to_record({**tags, "idhub:active-99": "key:AKIAOLD"}) == record
    assert (to_record({k: v for k, v in tags.items() if k != "idhub:active-2"}) == record) is (len(tags) == 1)


@pytest.mark.parametrize("tags", [{}, {"idhub:active": ""}, {"idhub:active": "x y"}, {"idhub:active": "² key:A"}])
def test_what_is_no_record(tags):
    assert to_record(tags) is None


# -- enable --------------------------------------------------------------------------------------------------------


def test_the_deny_is_lifted_last_and_the_record_goes_after_it():
    where = seen(identity(tags=OFF), **DENIED)
    plan = plan_enable(request(EnableAccount()), where, context(password=True, rules=ON))
    assert sent(plan) == ["login", "key:AKIA1", "deny-lift", "record-clear"]
    lift, clear = plan.steps[-2:]
    assert lift.needs == ("login", "key:AKIA1")
    assert clear.needs == ("login", "key:AKIA1", "deny-lift")


def test_console_only_says_what_stays_off():
    plan = plan_enable(request(EnableAccount()), seen(identity(tags=OFF), **DENIED), context(password=True))
    assert sent(plan) == ["login", "deny-lift", "record-clear"]
    assert any("1 credentials" in note for note in plan.notes)


def test_a_recorded_key_that_is_gone_is_no_obstacle():
    where = seen(identity(tags=OFF), **{**DENIED, "access_keys": ()})
    plan = plan_enable(request(EnableAccount()), where, context(password=True, rules=ON))
    assert sent(plan) == ["login", "deny-lift", "record-clear"]
    assert any("AKIA1" in note for note in plan.notes)


def test_a_user_that_was_not_disabled_keeps_its_password():
    plan = plan_enable(request(EnableAccount()), seen(identity(), **ALL), context(password=True))
    assert found(plan) == {"login": StepOutcome.ALREADY_SO, "deny-lift": StepOutcome.ALREADY_SO}


def test_the_deny_of_somebody_else_is_not_lifted():
    attached = items("arn:aws:iam::aws:policy/AWSDenyAll")
    where = seen(identity(), **{**ALL, "attached_policies": attached})
    plan = plan_enable(request(EnableAccount()), where, context(password=True))
    assert sent(plan) == []
    assert any("AWSDenyAll" in note for note in plan.notes)
    # Attached by a DISABLE that found no room for an inline one, it is ours.
    ours = seen(identity(tags=OFF), **{**DENIED, "inline_policies": (), "attached_policies": attached})
    plan = plan_enable(request(EnableAccount()), ours, context(password=True))
    assert plan.steps[-2].call.otherwise[0][1].action == "DetachUserPolicy"


def test_without_a_key_the_deny_is_lifted_and_the_missing_password_noted():
    plan = plan_enable(request(EnableAccount()), seen(identity(tags=OFF), **DENIED), context())
    assert sent(plan) == ["deny-lift", "record-clear"]
    assert any("IDHUB_AWS_IDHUB_KEY" in note for note in plan.notes)


@pytest.mark.parametrize(("plan_it", "body"), [(plan_enable, EnableAccount()), (plan_reset, ResetPassword())])
def test_nobody_can_be_enabled_or_given_a_password(plan_it, body):
    assert plan_it(request(body), NOBODY, context(password=True)).error.code == "NO_SUCH_ACCOUNT"
    other = plan_it(request(body), seen(identity(user_id="AIDANEW"), **ALL), context(password=True, intent=intent()))
    assert other.error.code == "NO_SUCH_ACCOUNT"
    assert "AIDANEW" in other.error.message


# -- reset ---------------------------------------------------------------------------------------------------------


def test_a_reset_needs_a_login_profile_and_says_the_way_out():
    assert sent(plan_reset(request(ResetPassword()), seen(identity(), **ALL), context(password=True))) == ["login"]
    plan = plan_reset(request(ResetPassword()), seen(identity(), login=()), context(password=True))
    assert plan.error.code == "NO_LOGIN_PROFILE"
    assert "ENABLE_ACCOUNT" in plan.error.message
    # So soon after a change a reading that shows none proves nothing.
    plan = plan_reset(request(ResetPassword()), seen(identity(), login=()), context(password=True, window_open=True))
    assert sent(plan) == ["login"]
    assert plan.steps[0].missing.code == "NO_LOGIN_PROFILE"


def test_a_reset_without_any_way_to_deliver_a_password_is_refused():
    plan = plan_reset(request(ResetPassword()), seen(identity(), **ALL), context())
    assert plan.error.code == "NO_PASSWORD_KEY"
