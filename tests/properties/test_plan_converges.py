"""Plans converge: executed and made again they are empty, and no crash, lost answer or stale reading changes that.

Against the stand-in's account object, which refuses as IAM does; its changes are the oracle.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwe

from connector.model.iam import Facet
from connector.model.requests import CreateAccount, DeleteAccount, GrantEntitlements
from connector.model.results import ReplyStatus, StepOutcome
from connector.secrets import ALGORITHMS
from tests.support.credentials import KINDS, equip
from tests.support.domain import aws_policy, create, grant, group, request, revoke
from tests.support.standin import (
    CRASH_AFTER,
    CRASH_BEFORE,
    FATES,
    FINE,
    IDHUB_KEY,
    LOST_AFTER,
    LOST_BEFORE,
    STALE,
    THROTTLED,
    World,
)

SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

ENTITLEMENTS = [
    group("admins"),
    group("devs"),
    group("OPS"),
    aws_policy("ReadOnlyAccess"),
    aws_policy("PowerUserAccess"),
]
some_entitlements = st.lists(st.sampled_from(ENTITLEMENTS), max_size=4, unique=True).map(tuple)
bodies = st.one_of(
    some_entitlements.map(lambda some: create(*some, attributes={"department": "Sales"})),
    some_entitlements.map(lambda some: grant(*some)),
    some_entitlements.map(lambda some: revoke(*some)),
    st.just(DeleteAccount()),
)
equipment = st.lists(st.sampled_from(sorted(KINDS)), max_size=6, unique=True)
fates = st.lists(st.sampled_from((*FATES, FINE, FINE)), max_size=40)
SATISFIED = {ReplyStatus.SUCCEEDED, ReplyStatus.UNCHANGED}


def world_with(alice, fates=()):
    """`alice`: None, or what hangs on her."""
    world = World()
    if alice is not None:
        world.console("CreateUser", UserName="alice", Path="/staff/")
        equip(world.console, "alice", alice)
    world.settled()
    world.api.fates.extend(fates)
    return world


def holds(world, body):
    """Whether the account is as a request asked, by the stand-in's own snapshot."""
    user = world.user()
    if isinstance(body, DeleteAccount):
        return user is None and all(owner is None for owner in world.account.snapshot()["virtual_mfa_devices"].values())
    if user is None:
        return not isinstance(body, CreateAccount | GrantEntitlements)
    has = {name.casefold() for name in user["groups"]} | {
        arn.rpartition("/")[2].casefold() for arn in user["attached_policies"]
    }
    asked = {one.name.casefold() for one in body.entitlements}
    return has >= asked if isinstance(body, CreateAccount | GrantEntitlements) else not has & asked


@SETTINGS
@given(st.none() | equipment, bodies)
def test_a_plan_that_was_executed_plans_nothing_more(alice, body):
    world = world_with(alice)
    first = world.run(request(body, request_id="first"))
    possible = alice is None if isinstance(body, CreateAccount) else alice is not None
    assert (first.reply.status in SATISFIED) is (possible or not isinstance(body, CreateAccount | GrantEntitlements))
    if first.reply.status in SATISFIED:
        assert holds(world, body)
    world.settled()
    before = world.account.snapshot()
    world.api.journal.clear()
    again = world.run(request(body, request_id="again"))
    assert world.account.snapshot() == before
    if first.reply.status in SATISFIED and not isinstance(body, CreateAccount):
        assert again.reply.status is ReplyStatus.UNCHANGED
        assert world.api.mutations() == []
        assert again.audits == ()


@SETTINGS
@given(equipment, st.sampled_from([CRASH_BEFORE, CRASH_AFTER, LOST_BEFORE, LOST_AFTER]), st.data())
def test_any_prefix_of_a_delete_planned_again_finishes_it(alice, fate, data):
    calls = len(_calls_of_a_delete(alice))
    cut = data.draw(st.integers(0, calls - 1))
    world = world_with(alice, [FINE] * cut + [fate])
    outcome = world.run(request(DeleteAccount()))
    assert holds(world, DeleteAccount())
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert world.effects("req-1") <= world.audited(outcome)
    # A deny by attachment that a reading shows goes with the other policies: then there is none left to lift.
    undone = {step.target for step in outcome.reply.steps if step.outcome is not StepOutcome.DONE}
    assert undone <= ({"idhub-deny-all"} if "full inline quota" in alice else set())
    # No device is left behind to block the name.
    assert world.account.snapshot()["virtual_mfa_devices"] == {}


def _calls_of_a_delete(alice):
    world = world_with(alice)
    world.run(request(DeleteAccount()))
    return ["GetCallerIdentity", *world.api.journal]


@SETTINGS
@given(
    st.lists(st.tuples(st.sampled_from([grant, revoke]), some_entitlements, st.floats(0, 90)), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), max_size=4),
    st.lists(
        st.sampled_from((FINE, FINE, STALE, LOST_BEFORE, LOST_AFTER, THROTTLED, CRASH_BEFORE, CRASH_AFTER)), max_size=60
    ),
)
def test_doubled_and_reordered_streams_end_as_the_last_request_of_each_entitlement_says(stream, again, fates):
    """Duplicates come late, as new deliveries with ids of their own; in between the clock hardly moves."""
    world = world_with([], fates)
    stream = [*stream, *(stream[index] for index in again if index < len(stream))]
    wanted = {}
    for number, (verb, some, pause) in enumerate(stream):
        outcome = world.run(request(verb(*some), request_id=f"req-{number}"))
        assert outcome.reply.status in SATISFIED
        assert world.effects(f"req-{number}") <= world.audited(outcome)
        wanted.update(dict.fromkeys((one.name.casefold() for one in some), verb is grant))
        world.clock.advance(pause)
    user = world.user()
    has = {name.casefold() for name in user["groups"]} | {
        arn.rpartition("/")[2].casefold() for arn in user["attached_policies"]
    }
    assert has == {name for name, there in wanted.items() if there}
    _knows_the_truth(world)


def _knows_the_truth(world):
    """What would stand in the accounts topic is what the account holds, in the facets that were read."""
    known, user = world.driver.accounts.get("alice"), world.user()
    if known is None:
        return
    assert known.deleted is (user is None)
    for facet, name in ((Facet.GROUPS, "groups"), (Facet.ATTACHED_POLICIES, "attached_policies")):
        if user is not None and facet in known.items:
            assert sorted(item.id.casefold() for item in known.items[facet]) == sorted(
                one.casefold() for one in user[name]
            )


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.none() | equipment, bodies, fates, st.sampled_from([0.0, 15.0]))
def test_whatever_happens_on_the_way_every_effect_is_audited_once_and_the_end_is_right(
    alice, body, fates, login_window
):
    world = world_with(alice, fates)
    world.account.settings.login_profile_window_s = login_window
    outcome = world.run(request(body))
    status = outcome.reply.status
    assert world.effects("req-1") <= world.audited(outcome)
    assert len(world.audited(outcome)) == len(outcome.audits)
    if status in SATISFIED:
        assert holds(world, body)
    _knows_the_truth(world)
    if isinstance(body, DeleteAccount):
        assert status is (ReplyStatus.UNCHANGED if alice is None else ReplyStatus.SUCCEEDED)
    if isinstance(body, CreateAccount) and alice is None:
        assert status is ReplyStatus.SUCCEEDED
        _password_opens_the_door(world, outcome)
    if isinstance(body, CreateAccount) and alice is not None:
        assert (status, outcome.reply.error.code) == (ReplyStatus.FAILED, "ACCOUNT_EXISTS")
        assert world.api.mutations() == []


def _password_opens_the_door(world, outcome):
    """The one password that is delivered is the one that was set last."""
    opened = jwe.decrypt_compact(outcome.reply.credential, IDHUB_KEY, algorithms=ALGORITHMS).plaintext
    content = json.loads(opened)
    assert (content["userName"], content["requestId"]) == ("alice", "req-1")
    world.account.sign_in("alice", content["password"], world.clock.now().timestamp())


@SETTINGS
@given(
    equipment,
    fates,
    st.lists(st.sampled_from(["access key", "ssh key", "group", "inline policy"]), min_size=1, max_size=3),
)
def test_an_adversary_only_delays_a_delete(alice, fates, recreated):
    """Somebody puts credentials back as soon as the user is looked at for the last time."""
    world = world_with(alice, fates)
    pending = list(dict.fromkeys(recreated))
    send = world.api._call

    def call(action, params, mark, *, stale):
        if action == "DeleteUser" and pending and world.user() is not None:
            equip(world.console, "alice", [pending.pop()])
        return send(action, params, mark, stale=stale)

    world.api._call = call
    outcome = world.run(request(DeleteAccount()))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert holds(world, DeleteAccount())
    assert world.effects("req-1") <= world.audited(outcome)


@pytest.mark.parametrize("fate", [LOST_AFTER, CRASH_AFTER])
def test_a_user_created_anew_under_the_name_survives_the_old_ones_delete(fate):
    """The answer to DeleteUser is lost; before the next look somebody creates a user of the same name."""
    world = world_with(["access key"])
    send = world.api._call

    def call(action, params, mark, *, stale):
        answer = send(action, params, mark, stale=stale)
        if action == "DeleteUser":
            world.console("CreateUser", UserName="alice")
        return answer

    world.api._call = call
    calls = _calls_of_a_delete(["access key"])
    place = next(n for n, entry in enumerate(calls) if getattr(entry, "action", None) == "DeleteUser")
    world.api.fates = [FINE] * place + [fate]
    outcome = world.run(request(DeleteAccount()))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert world.user() is not None
    assert any("not touched" in note for note in outcome.reply.notes)
    assert world.effects("req-1") <= world.audited(outcome)
