"""Entitlements: how they are named, granted and revoked, and when a call is sent or left out."""

import pytest

from connector.model.requests import Entitlement, EntitlementType
from connector.model.results import StepOutcome
from connector.plan.calls import Seen
from connector.plan.entitlements import grant_steps, resolve, revoke_steps
from tests.support.domain import (
    ACCOUNT,
    aws_policy,
    context,
    customer_policy,
    group,
    identity,
    items,
    seen,
    state,
)

GROUP_ARN = f"arn:aws:iam::{ACCOUNT}:group/team/admins"
READER = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def one(entitlement, partition="aws"):
    (found,) = resolve([entitlement], ACCOUNT, partition)
    return found


@pytest.mark.parametrize(
    ("entitlement", "key", "target"),
    [
        (group("Admins"), "group:admins", "Admins"),
        (group(GROUP_ARN), "group:admins", "admins"),
        (aws_policy("ReadOnlyAccess"), f"policy:{READER.casefold()}", READER),
        (aws_policy(READER), f"policy:{READER.casefold()}", READER),
        (
            customer_policy("team/Deploy"),
            f"policy:arn:aws:iam::{ACCOUNT}:policy/team/deploy",
            f"arn:aws:iam::{ACCOUNT}:policy/team/Deploy",
        ),
    ],
)
def test_names_and_arns(entitlement, key, target):
    found = one(entitlement)
    assert (found.key, found.target, found.problem) == (key, target, None)


def test_the_partition_is_that_of_the_account():
    assert one(aws_policy("ReadOnlyAccess"), "aws-cn").target == "arn:aws-cn:iam::aws:policy/ReadOnlyAccess"


@pytest.mark.parametrize(
    "entitlement",
    [
        group("two words"),
        group(""),
        group("arn:aws:iam::999999999999:group/admins"),
        group(READER),
        aws_policy(f"arn:aws:iam::{ACCOUNT}:policy/Deploy"),
        aws_policy("arn:aws-cn:iam::aws:policy/ReadOnlyAccess"),
        customer_policy(READER),
        customer_policy("arn:aws:iam::x"),
        Entitlement(EntitlementType.INLINE_POLICY, "mine", "{}"),
        Entitlement(EntitlementType.UNKNOWN, "x"),
    ],
)
def test_what_is_no_entitlement_fails_its_own_step_only(entitlement):
    steps = grant_steps([entitlement, group("good")], seen(identity(), groups=()), "alice", context())
    assert [step.found for step in steps] == [StepOutcome.FAILED, None]
    assert steps[0].problem is not None
    assert steps[0].problem.code == "INVALID_ENTITLEMENT"


def test_what_iam_takes_for_one_is_one():
    steps = grant_steps([group("Admins"), group(GROUP_ARN), group("ADMINS")], seen(identity()), "alice", context())
    assert [step.key for step in steps] == ["group:admins"]


@pytest.mark.parametrize(
    ("shown", "window_open", "attempted", "sends", "found"),
    [
        (False, False, False, True, None),
        (True, False, False, False, StepOutcome.ALREADY_SO),
        # A stale reading may show what was just taken away.
        (True, True, False, True, None),
        (True, True, True, True, None),
        # An earlier life's call is seen to have worked.
        (True, False, True, False, StepOutcome.DONE),
        (False, False, True, True, None),
    ],
)
def test_when_a_grant_is_sent(shown, window_open, attempted, sends, found):
    where = seen(identity(), groups=items("admins") if shown else ())
    known = frozenset({"group:admins"}) if attempted else frozenset()
    (step,) = grant_steps([group("admins")], where, "alice", context(window_open=window_open, attempted=known))
    assert (step.sends, step.found) == (sends, found)
    assert step.shown is shown


@pytest.mark.parametrize(
    ("shown", "window_open", "attempted", "sends"),
    [
        (True, False, False, True),
        (False, False, False, False),
        # Nothing is concluded from absence.
        (False, True, False, True),
        (False, False, True, True),
    ],
)
def test_when_a_removal_is_sent(shown, window_open, attempted, sends):
    where = seen(identity(), groups=items("ADMINS") if shown else ())
    known = frozenset({"group:admins"}) if attempted else frozenset()
    (step,) = revoke_steps([group("admins")], where, "alice", context(window_open=window_open, attempted=known))
    assert step.sends is sends
    assert step.removal
    assert sends or step.found is StepOutcome.ALREADY_SO


def test_a_removal_trusts_neither_our_own_writes_nor_the_reading_alone():
    """A reading that shows it is enough, and so is a write of ours that no reading shows yet."""
    shows, shows_not = state(identity(), groups=items("admins")), state(identity(), groups=())
    for where in (Seen(shows, shows_not), Seen(shows_not, shows)):
        (step,) = revoke_steps([group("admins")], where, "alice", context())
        assert step.sends
