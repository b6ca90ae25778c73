"""Whether an account can be used: one answer, wherever it is asked."""

import pytest

from connector.drift.enabled import is_enabled
from connector.model.iam import Facet, Item
from connector.plan.names import DENY_MANAGED, DENY_POLICY, aws_policy_arn, customer_policy_arn
from streams.wire.accounts import from_record
from tests.support.domain import identity, record

INLINE, ATTACHED = Facet.INLINE_POLICIES, Facet.ATTACHED_POLICIES
CASES = {
    "nothing was read": ({}, None),
    "inline policies alone say nothing": ({INLINE: ()}, None),
    "attached policies alone say nothing": ({ATTACHED: ()}, None),
    "both were read and deny nothing": (
        {INLINE: (Item("mine"),), ATTACHED: (Item("arn:aws:iam::aws:policy/X"),)},
        True,
    ),
    "the inline deny": ({INLINE: (Item(DENY_POLICY),)}, False),
    "names ignore case": ({INLINE: (Item(DENY_POLICY.upper()),)}, False),
    "AWS's own deny": ({ATTACHED: (Item(aws_policy_arn("aws", DENY_MANAGED)),)}, False),
    "in another partition": ({ATTACHED: (Item(aws_policy_arn("aws-cn", DENY_MANAGED)),)}, False),
    "a customer's policy of that name denies nothing": (
        {INLINE: (), ATTACHED: (Item(customer_policy_arn("aws", "123456789012", DENY_MANAGED)),)},
        True,
    ),
}


@pytest.mark.parametrize(("items", "enabled"), CASES.values(), ids=CASES)
def test_a_user_is_enabled_when_nothing_denies_everything(items, enabled):
    assert is_enabled(items, deny_policy=DENY_POLICY, deny_managed=DENY_MANAGED) is enabled


@pytest.mark.parametrize(("items", "enabled"), CASES.values(), ids=CASES)
def test_the_accounts_topic_says_the_same(items, enabled):
    assert from_record(record(identity(), items))["enabled"] is enabled


def test_a_user_that_is_gone_is_not_enabled():
    assert from_record(record(identity(), {}, deleted=True))["enabled"] is False
