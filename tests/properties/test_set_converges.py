"""The exact set: whatever a user had before and whatever happens on the way, it ends with what was asked for."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model.requests import DisableAccount, EntitlementType
from connector.model.results import ReplyStatus
from tests.support.credentials import DOCUMENT, KINDS, equip
from tests.support.domain import aws_policy, boundary, create, grant, group, inline, request, revoke, set_to
from tests.support.standin import FATES, FINE, World

SETTINGS = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
SATISFIED = {ReplyStatus.SUCCEEDED, ReplyStatus.UNCHANGED}
OTHER = DOCUMENT.replace("GetObject", "ListBucket")
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

POOL = [
    group("admins"),
    group("OPS"),
    aws_policy("ReadOnlyAccess"),
    aws_policy("SecurityAudit"),
    inline("one", DOCUMENT),
    inline("two", OTHER),
    boundary(BOUNDARY),
]
some = st.lists(st.sampled_from(POOL), max_size=5, unique=True).map(tuple)
equipment = st.lists(st.sampled_from(sorted(set(KINDS) - {"full inline quota"})), max_size=5, unique=True)
fates = st.lists(st.sampled_from((*FATES, FINE, FINE)), max_size=40)


def asked(entitlements, *types):
    return sorted(one.name.casefold() for one in entitlements if one.type in types)


def holds(user):
    return (
        sorted(name.casefold() for name in user["groups"]),
        sorted(arn.rpartition("/")[2].casefold() for arn in user["attached_policies"] if "AWSDenyAll" not in arn),
        {name: json.loads(text) for name, text in user["inline_policies"].items() if name != "idhub-deny-all"},
    )


def wanted(entitlements):
    return (
        asked(entitlements, EntitlementType.GROUP),
        asked(entitlements, EntitlementType.AWS_MANAGED_POLICY),
        {one.name: json.loads(one.document) for one in entitlements if one.type is EntitlementType.INLINE_POLICY},
    )


def world_with(alice, fates=()):
    world = World()
    world.console("CreateUser", UserName="alice")
    equip(world.console, "alice", alice)
    world.settled()
    world.api.fates.extend(fates)
    return world


@SETTINGS
@given(equipment, some, some, fates)
def test_a_set_is_exact_and_set_again_is_nothing(alice, first, second, fates):
    world = world_with(alice, fates)
    for number, entitlements in enumerate((first, second)):
        outcome = world.run(request(set_to(*entitlements), request_id=f"set-{number}"))
        assert outcome.reply.status in SATISFIED
        assert world.effects(f"set-{number}") <= world.audited(outcome)
        assert holds(world.user()) == wanted(entitlements)
        # A limit is not taken away for not being named.
        limits = [one for one in (*first, *entitlements) if one.type is EntitlementType.PERMISSIONS_BOUNDARY]
        assert world.user()["boundary"] == (BOUNDARY if limits else None)
    world.settled()
    world.api.fates.clear()
    world.api.journal.clear()
    again = world.run(request(set_to(*second), request_id="again"))
    assert again.reply.status is ReplyStatus.UNCHANGED
    assert (world.api.mutations(), again.audits) == ([], ())


@SETTINGS
@given(some, fates)
def test_the_connectors_deny_is_no_entitlement(entitlements, fates):
    world = world_with(["access key", "group", "inline policy"], fates)
    world.run(request(DisableAccount(), request_id="off"))
    world.run(request(set_to(*entitlements), request_id="set"))
    assert "idhub-deny-all" in world.user()["inline_policies"]
    assert holds(world.user()) == wanted(entitlements)


@SETTINGS
@given(some, fates)
def test_what_was_granted_and_revoked_leaves_nothing(entitlements, fates):
    world = world_with([], fates)
    before = world.user()
    assert world.run(request(grant(*entitlements), request_id="on")).reply.status in SATISFIED
    assert holds(world.user()) == wanted(entitlements)
    assert world.run(request(revoke(*entitlements), request_id="off")).reply.status in SATISFIED
    assert world.user() == before


@SETTINGS
@given(some, fates)
def test_a_user_is_made_with_its_policies_and_its_limit(entitlements, fates):
    world = World(fates)
    outcome = world.run(request(create(*entitlements)))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    user = world.user()
    assert holds(user) == wanted(entitlements)
    assert (user["boundary"] is not None) is any(
        one.type is EntitlementType.PERMISSIONS_BOUNDARY for one in entitlements
    )
    assert world.effects("req-1") <= world.audited(outcome)
