"""Disabling and enabling: whatever happens on the way, the user ends shut out, or exactly as it was before.

Against the stand-in's account object; its snapshot is the oracle.
"""

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from joserfc import jwe

from connector.model.requests import DisableAccount, EnableAccount, ResetPassword
from connector.model.results import ReplyStatus
from connector.plan.rules import Rules
from connector.secrets import ALGORITHMS
from tests.support.credentials import KINDS, equip
from tests.support.domain import request
from tests.support.standin import CRASH_AFTER, FATES, FINE, IDHUB_KEY, LOST_AFTER, STALE, World

SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
SATISFIED = {ReplyStatus.SUCCEEDED, ReplyStatus.UNCHANGED}

equipment = st.lists(st.sampled_from(sorted(KINDS)), max_size=7, unique=True)
fates = st.lists(st.sampled_from((*FATES, FINE, FINE)), max_size=40)
CREDENTIALS = ("access_keys", "ssh_public_keys", "signing_certificates")


def world_with(alice, fates=(), *, programmatic=True):
    world = World(rules=Rules(programmatic_access=programmatic))
    world.console("CreateUser", UserName="alice", Tags=[{"Key": "city", "Value": "Oslo"}])
    equip(world.console, "alice", alice)
    if "access key" in alice:
        # One more that was inactive all along.
        key = world.console("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
        world.console("UpdateAccessKey", UserName="alice", AccessKeyId=key, Status="Inactive")
    world.settled()
    world.api.fates.extend(fates)
    return world


def statuses(user):
    told = {key: status for kind in CREDENTIALS for key, status in user[kind].items()}
    return told | {key: one["status"] for key, one in user["service_credentials"].items()}


def is_shut_out(user):
    denied = "idhub-deny-all" in user["inline_policies"] or any(
        "AWSDenyAll" in arn for arn in user["attached_policies"]
    )
    return denied and user["login_profile"] is None and set(statuses(user).values()) <= {"Inactive"}


def assert_enabled(world, outcome, before):
    """As it was before it was disabled, but for the password, which is a new one."""
    user = world.user()
    assert statuses(user) == statuses(before)
    assert user["tags"] == before["tags"]
    for what in ("groups", "attached_policies", "inline_policies"):
        assert user[what] == before[what]
    opened = jwe.decrypt_compact(outcome.reply.credential, IDHUB_KEY, algorithms=ALGORITHMS).plaintext
    world.account.sign_in("alice", json.loads(opened)["password"], world.clock.now().timestamp())


def assert_audited(world, outcome):
    assert world.effects(outcome.reply.request_id) <= world.audited(outcome)
    assert len(world.audited(outcome)) == len(outcome.audits)


@SETTINGS
@given(equipment, fates, st.sampled_from([0.0, 20.0, 1000.0]))
@example(["access key", "deny all", "full inline quota"], [], 0.0)
@example(["access key", "full inline quota"], [FINE] * 9 + [CRASH_AFTER], 0.0)
def test_what_was_disabled_is_enabled_as_it_was(alice, fates, pause):
    world = world_with(alice, fates)
    before = world.user()
    disabled = world.run(request(DisableAccount(), request_id="off"))
    assert disabled.reply.status is ReplyStatus.SUCCEEDED
    assert is_shut_out(world.user())
    assert disabled.reply.account.enabled is False
    assert_audited(world, disabled)
    world.clock.advance(pause)
    enabled = world.run(request(EnableAccount(), request_id="on"))
    assert enabled.reply.status is ReplyStatus.SUCCEEDED
    assert_enabled(world, enabled, before)
    assert_audited(world, enabled)
    # A deny that somebody else attached is not the connector's to lift, and the reply says so.
    assert any("AWSDenyAll" in note for note in enabled.reply.notes) is ("deny all" in alice)


@SETTINGS
@given(
    equipment,
    st.lists(st.tuples(st.sampled_from([DisableAccount, EnableAccount]), st.floats(0, 150)), min_size=1, max_size=5),
    st.lists(st.sampled_from((FINE, FINE, STALE, LOST_AFTER, CRASH_AFTER, *FATES)), max_size=80),
)
def test_any_sequence_ends_as_its_last_request_says_and_the_record_survives(alice, stream, fates):
    world = world_with([*alice, "login profile"] if "login profile" not in alice else alice, fates)
    before = world.user()
    for number, (body, pause) in enumerate(stream):
        outcome = world.run(request(body(), request_id=f"req-{number}"))
        assert outcome.reply.status in SATISFIED
        assert_audited(world, outcome)
        world.clock.advance(pause)
    if stream[-1][0] is DisableAccount:
        assert is_shut_out(world.user())
        world.api.fates.clear()
        outcome = world.run(request(EnableAccount(), request_id="last"))
        assert_enabled(world, outcome, before)
    else:
        assert statuses(world.user()) == statuses(before)
        assert world.user()["tags"] == before["tags"]
        assert world.user()["login_profile"] is not None


@SETTINGS
@given(equipment)
def test_what_was_done_is_not_done_again(alice):
    world = world_with(alice)
    for body in (DisableAccount(), EnableAccount()):
        first = world.run(request(body, request_id=f"first {type(body).__name__}"))
        assert first.reply.status is ReplyStatus.SUCCEEDED
        world.settled()
        before = world.account.snapshot()
        world.api.journal.clear()
        again = world.run(request(body, request_id=f"again {type(body).__name__}"))
        assert again.reply.status is ReplyStatus.UNCHANGED
        assert (world.api.mutations(), again.audits, world.account.snapshot()) == ([], (), before)


@SETTINGS
@given(equipment, fates)
def test_console_only_leaves_the_credentials_inactive(alice, fates):
    world = world_with(alice, fates, programmatic=False)
    world.run(request(DisableAccount(), request_id="off"))
    outcome = world.run(request(EnableAccount(), request_id="on"))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    user = world.user()
    assert user["login_profile"] is not None
    assert set(statuses(user).values()) <= {"Inactive"}
    assert "idhub-deny-all" not in user["inline_policies"]
    assert user["tags"] == {"city": "Oslo"}


@SETTINGS
@given(fates)
def test_a_reset_password_opens_the_door(fates):
    world = world_with(["login profile", "access key"], fates)
    before = world.user()
    outcome = world.run(request(ResetPassword()))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert_enabled(world, outcome, before)
    assert_audited(world, outcome)
