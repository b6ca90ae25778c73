"""The same operations when AWS is slow, stale, ambiguous, unwilling or away, and when the worker dies."""

import itertools

import pytest
from structlog.testing import capture_logs

from connector.errors import CallForbidden
from connector.factory import build
from connector.model.iam import Facet
from connector.model.requests import DeleteAccount, DisableAccount, EnableAccount, ResetPassword
from connector.model.results import ReplyStatus, StepOutcome, Wait
from connector.settings import Settings
from sandbox.aws import CONNECTOR, connector_key
from tests.support import credentials
from tests.support.credentials import DOCUMENT
from tests.support.domain import aws_policy, boundary, create, grant, group, inline, revoke, set_to, update
from tests.support.rig import CrashAt, mark_of

SOME_OF_EACH = [
    "login profile",
    "access key",
    "bedrock key",
    "ssh key",
    "virtual mfa",
    "group",
    "policy",
    "inline policy",
]

# name → (what hangs on alice before, or None, and the request)
OPERATIONS = {
    "create": (None, create(group("developers"), aws_policy("ReadOnlyAccess"), attributes={"city": "Oslo"})),
    "grant": ((), grant(group("developers"), aws_policy("ReadOnlyAccess"))),
    "revoke": (("group", "policy"), revoke(group("ops"), aws_policy("SecurityAudit"))),
    "delete": (tuple(SOME_OF_EACH), DeleteAccount()),
    "update": (("access key",), update({"city": "Oslo", "mail": None, "path": "/staff/"}, remove=["old"])),
    "rename": (("access key",), update({"city": "Oslo"}, name="bob")),
    "set": (
        ("group", "policy", "inline policy"),
        set_to(group("developers"), aws_policy("ReadOnlyAccess"), inline("mine", DOCUMENT), boundary("team-base")),
    ),
    "disable": (tuple(SOME_OF_EACH), DisableAccount()),
    "enable": ((*SOME_OF_EACH, "disabled"), EnableAccount()),
    "reset": (("login profile",), ResetPassword()),
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TAGGED = {"update": ("mail", "old", "new"), "rename": ("mail",)}
EVERY = pytest.mark.parametrize("name", sorted(OPERATIONS))


def prepare(rig, name):
    kinds, body = OPERATIONS[name]
    if kinds is not None:
        rig.make_user(kinds=[kind for kind in kinds if kind != "disabled"])
    if name in TAGGED:
        rig.console("TagUser", UserName="alice", Tags=[{"Key": key, "Value": "x"} for key in TAGGED[name]])
        rig.aws.settle()
    if kinds is not None and "disabled" in kinds:
        assert rig.run(DisableAccount(), request_id="req-0").reply.status is ReplyStatus.SUCCEEDED
        rig.settled()
        rig.forget()
    return body


def again(rig, name):
    """Everything as at the beginning, time included."""
    rig.aws.reset()
    rig.driver.__init__(rig.driver.provisioning, rig.clock)
    rig.clock.advance(1000)
    return prepare(rig, name)


def assert_right(rig, name, outcome):
    """The account is as asked, and so says the reply; every effect is audited once."""
    assert outcome.reply.status is ReplyStatus.SUCCEEDED, outcome.reply
    rig.assert_audited(outcome)
    user = rig.user()
    match name:
        case "update":
            assert (user["path"], user["tags"]) == ("/staff/", {"city": "Oslo", "new": "x"})
            assert outcome.account.identity.tags == user["tags"]
        case "rename":
            assert user is None
            user = rig.user("bob")
            assert user["tags"]["city"] == "Oslo"
            assert outcome.account.renamed_to == "bob"
            assert [refresh.user_name for refresh in outcome.refreshes] == ["bob"]
            assert outcome.account.identity.user_id == user["user_id"]
        case "create":
            assert (user["groups"], len(user["attached_policies"])) == (["developers"], 1)
            assert rig.aws.sign_in("alice", rig.open(outcome.reply.credential)["password"])
        case "grant":
            assert (user["groups"], len(user["attached_policies"])) == (["developers"], 1)
        case "revoke":
            assert (user["groups"], user["attached_policies"]) == ([], [])
        case "delete":
            assert user is None
            assert rig.aws.state()["virtual_mfa_devices"] == {}
        case "set":
            assert (user["groups"], user["attached_policies"]) == (["developers"], [READ_ONLY])
            assert list(user["inline_policies"]) == ["mine"]
            assert user["boundary"].endswith(":policy/team-base")
        case "disable":
            assert "idhub-deny-all" in user["inline_policies"]
            assert user["login_profile"] is None
            assert statuses(user) == {"Inactive"}
            words = user["tags"]["idhub:active"].split()
            assert words[0] == "1"
            assert [word.partition(":")[0] for word in words[1:]] == ["key", "service-credential", "ssh-key"]
        case "enable":
            assert "idhub-deny-all" not in user["inline_policies"]
            assert statuses(user) == {"Active"}
            assert not any(key.startswith("idhub:active") for key in user["tags"])
            assert rig.aws.sign_in("alice", rig.open(outcome.reply.credential)["password"])
        case "reset":
            assert rig.aws.sign_in("alice", rig.open(outcome.reply.credential)["password"])


def statuses(user):
    """Of everything that can be switched off."""
    return {
        *user["access_keys"].values(),
        *(one["status"] for one in user["service_credentials"].values()),
        *user["ssh_public_keys"].values(),
        *user["signing_certificates"].values(),
    }


def count_of(rig, name):
    """How many calls and how many mutations the operation takes when nothing goes wrong."""
    body = prepare(rig, name)
    assert_right(rig, name, rig.run(body))
    return len(rig.calls()), len(rig.mutations())


# -- lost answers --------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "error_after"])
def test_the_answer_to_each_mutation_may_be_lost_before_or_after_the_deed(rig, name, effect):
    _, mutations = count_of(rig, name)
    for number in range(1, mutations + 1):
        body = again(rig, name)
        rig.aws.fault(effect, actions=["writes"], nth=number)
        outcome = rig.run(body)
        assert_right(rig, name, outcome)
        assert "ambiguous" in rig.driver.waited_for(), f"mutation {number}"
        assert {step.outcome for step in outcome.reply.steps} == {StepOutcome.DONE}
        assert rig.driver.lives == 1


@EVERY
def test_an_answer_that_never_comes_is_waited_for_as_long_as_a_call_may_take(make_rig, name):
    rig = make_rig(IDHUB_AWS_CALL_TIMEOUT_S="0.4", IDHUB_AWS_CONNECT_TIMEOUT_S="0.2")
    body = prepare(rig, name)
    rig.aws.fault("lose_answer", actions=["writes"], nth=1)
    assert_right(rig, name, rig.run(body))
    (wait,) = [wait for wait in rig.driver.waits if wait.reason == "ambiguous"]
    # The driver's clock stood still during the call, so that its whole time is still to be waited out.
    assert wait.seconds == pytest.approx(0.4)


def test_a_trickled_answer_ends_with_the_calls_time(make_rig):
    rig = make_rig(IDHUB_AWS_CALL_TIMEOUT_S="0.4", IDHUB_AWS_CONNECT_TIMEOUT_S="0.2")
    body = prepare(rig, "grant")
    rig.aws.fault("trickle", actions=["AddUserToGroup"], seconds=0.1, count=1)
    outcome = rig.run(body)
    assert_right(rig, "grant", outcome)
    assert [step.attempts for step in outcome.reply.steps] == [2, 1]


def test_an_api_that_loses_every_answer_is_given_up_and_audited(rig):
    body = prepare(rig, "grant")
    rig.aws.fault("reset_after", actions=["AddUserToGroup"])
    outcome = rig.run(body)
    assert outcome.reply.status is ReplyStatus.PARTIAL
    assert (outcome.reply.error.code, outcome.reply.error.retryable) == ("AWS_AMBIGUOUS", True)
    # It had its effect, as the audit says, though nobody was ever told.
    rig.assert_audited(outcome)
    assert outcome.account.look_again_at is not None


def test_a_lost_reading_is_simply_repeated(rig):
    body = prepare(rig, "delete")
    rig.aws.fault("reset_before", actions=["reads"], probability=0.4, count=12)
    outcome = rig.run(body)
    assert_right(rig, "delete", outcome)
    assert {step.attempts for step in outcome.reply.steps} == {1}


def test_ten_percent_of_all_answers_are_lost(rig):
    rig.aws.fault("reset_after", probability=0.1)
    rig.aws.fault("reset_before", probability=0.1)
    for number in range(15):
        name = f"user{number}"
        created = rig.run(
            create(group("developers"), aws_policy("ReadOnlyAccess")), user_name=name, request_id=f"c{number}"
        )
        changed = rig.run(grant(group("auditors")), user_name=name, request_id=f"g{number}")
        revoked = rig.run(revoke(group("developers")), user_name=name, request_id=f"r{number}")
        for outcome in (created, changed, revoked):
            assert outcome.reply.status is ReplyStatus.SUCCEEDED
            rig.assert_audited(outcome)
        assert rig.user(name)["groups"] == ["auditors"]
        if number % 3 == 0:
            deleted = rig.run(DeleteAccount(), user_name=name, request_id=f"d{number}")
            assert deleted.reply.status is ReplyStatus.SUCCEEDED
            assert rig.user(name) is None


# -- the worker dies -----------------------------------------------------------------------------------------------


@EVERY
def test_the_worker_may_die_right_before_each_call(rig, name):
    calls, _ = count_of(rig, name)
    for number in range(calls):
        body = again(rig, name)
        crash = CrashAt(number)
        outcome = rig.driver.run(rig.request(body), may_call=crash)
        assert crash.fired
        assert_right(rig, name, outcome)
        assert {step.outcome for step in outcome.reply.steps} == {StepOutcome.DONE}


@EVERY
def test_the_worker_may_die_after_each_advance(rig, name):
    """Also right after the intent was written, and with everything done and nothing published."""
    body = prepare(rig, name)
    rig.run(body)
    advances = 2 + len(rig.driver.waits)
    for number in range(1, advances + 1):
        body = again(rig, name)
        outcome = rig.driver.run(rig.request(body), crash_after={number})
        assert rig.driver.lives == 2
        assert_right(rig, name, outcome)
        assert {step.outcome for step in outcome.reply.steps} == {StepOutcome.DONE}


def test_the_worker_may_die_again_and_again(rig):
    body = prepare(rig, "delete")
    for _ in range(5):
        # The readings of a delete take ten calls.
        advance_until_crash(rig, rig.driver.begin(rig.request(body)), CrashAt(15))
    outcome = rig.run(body)
    assert_right(rig, "delete", outcome)
    assert rig.driver.intents["req-1"].lives == 6


def advance_until_crash(rig, life, may_call):
    """One life that ends at a call; its intent is kept, as the ledger would."""
    with pytest.raises(BaseException, match=r"^$") as ended:  # noqa: PT012 - a life is advanced until it ends
        for _ in range(100):
            following = life.advance(may_call)
            if isinstance(following, Wait):
                rig.clock.advance(following.seconds)
            else:
                rig.driver.intents["req-1"] = following.intent
    assert ended.type.__name__ == "Crash"


def test_step_numbers_are_the_same_in_every_life(rig):
    body = prepare(rig, "create")
    first = rig.driver.begin(rig.request(body))
    intent = first.advance(lambda: True).intent
    rig.driver.intents["req-1"] = intent
    outcome = rig.run(body)
    assert {step.number: step.action for step in intent.steps} == {
        step.number: step.action for step in outcome.reply.steps
    }
    second = rig.driver.intents["req-1"]
    assert (intent.lives, second.lives) == (1, 2)
    assert second.started_at == intent.started_at


def test_a_resumed_grant_is_sent_again_though_a_reading_shows_it(rig):
    """The first life's call may have been the last thing before the crash: a reading so soon proves nothing."""
    body = prepare(rig, "grant")
    advance_until_crash(rig, rig.driver.begin(rig.request(body)), CrashAt(5))
    assert rig.user()["groups"] == ["developers"]
    outcome = rig.run(body)
    assert_right(rig, "grant", outcome)
    assert [entry.action for entry in rig.mutations()].count("AddUserToGroup") == 2
    assert [step.outcome for step in outcome.reply.steps] == [StepOutcome.DONE] * 2


def test_a_user_made_anew_under_the_name_is_not_deleted_by_a_resumed_request(rig):
    body = prepare(rig, "delete")
    rig.run(body)
    calls = len(rig.calls())
    body = again(rig, "delete")
    # The first life dies reading back; before the second one somebody makes a user of that name.
    advance_until_crash(rig, rig.driver.begin(rig.request(body)), CrashAt(calls - 1))
    assert rig.user() is None
    rig.make_user(kinds=["access key", "virtual mfa"])
    outcome = rig.run(body)
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    user = rig.user()
    assert len(user["access_keys"]) == len(user["mfa_devices"]) == 1
    assert any(user["user_id"] in note for note in outcome.reply.notes)
    rig.assert_audited(outcome)


# -- stale readings ------------------------------------------------------------------------------------------------


@EVERY
def test_readings_may_show_what_was_before(rig, name):
    """From the first mutation on every reading is old, until the driver has waited long enough for any of IAM's."""
    body = prepare(rig, name)
    rig.aws.knobs(stale_hold=True)
    rig.aws.fault("reset_after", actions=["writes"], nth=2)
    rig.driver.on_wait = lambda _wait: release_after(rig, seconds=60)
    assert_right(rig, name, rig.run(body))


def release_after(rig, seconds):
    if sum(wait.seconds for wait in rig.driver.waits) > seconds:
        rig.aws.knobs(stale_hold=False)


def test_a_user_that_was_made_just_now_is_waited_for(rig):
    """Neither a reading nor a write of IAM has heard of it yet."""
    rig.aws.knobs(stale_hold=True, stale_writes=True)
    rig.driver.on_wait = lambda _wait: release_after(rig, seconds=20)
    created = rig.run(create(group("developers")))
    assert created.reply.status is ReplyStatus.SUCCEEDED
    assert "propagating" in rig.driver.waited_for()
    rig.driver.waits.clear()
    rig.aws.knobs(stale_hold=False)
    rig.aws.fault("stale", actions=["reads"], seconds=3600, count=3)
    granted = rig.run(grant(group("auditors")), request_id="req-2")
    assert granted.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["groups"] == ["auditors", "developers"]


def test_a_login_profile_that_no_reading_shows_yet_is_updated(rig):
    rig.aws.fault("reset_after", actions=["CreateLoginProfile"], count=1)
    rig.aws.fault("stale", actions=["GetLoginProfile"], seconds=3600)
    assert_right(rig, "create", rig.run(prepare(rig, "create")))
    assert [entry.action for entry in rig.mutations()].count("UpdateLoginProfile") == 1
    assert rig.driver.waited_for() == ["ambiguous"]


def test_a_grant_right_after_a_revocation_believes_no_reading(rig):
    rig.make_user(kinds=["group"])
    rig.aws.knobs(stale_hold=True)  # readings go on showing the group
    assert rig.run(revoke(group("ops"))).reply.status is ReplyStatus.SUCCEEDED
    outcome = rig.run(grant(group("ops")), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["groups"] == ["ops"]
    # The reading was older than our own write: the rest of it is looked at once more.
    assert outcome.account.look_again_at is not None
    outcome = rig.run(revoke(group("ops")), request_id="req-3")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["groups"] == []
    assert outcome.account.items[Facet.GROUPS] == ()


def test_a_deleted_user_that_a_reading_still_shows_is_not_deleted_twice(rig):
    rig.make_user()
    rig.aws.knobs(stale_hold=True)
    rig.driver.on_wait = lambda _wait: release_after(rig, seconds=30)
    assert rig.run(DeleteAccount()).reply.status is ReplyStatus.SUCCEEDED
    assert set(rig.driver.waited_for()) == {"propagating"}
    rig.aws.fault("stale", actions=["GetUser"], seconds=3600, count=1)
    outcome = rig.run(DeleteAccount(), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert rig.mutations("req-2") == []


def test_a_name_that_is_free_again_can_be_used_at_once(rig):
    rig.make_user()
    rig.run(DeleteAccount())
    rig.aws.fault("stale", actions=["reads"], seconds=3600, count=4)
    outcome = rig.run(create(group("developers")), request_id="req-2")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["groups"] == ["developers"]
    assert rig.driver.accounts["alice"].identity.user_id == rig.user()["user_id"]


def test_what_is_missing_from_the_window_on_is_missing(rig):
    """A user that nobody ever heard of is not waited for."""
    outcome = rig.run(grant(group("admins")))
    assert outcome.reply.status is ReplyStatus.FAILED
    assert rig.driver.waits == []


def test_a_user_that_somebody_else_deleted_is_told_after_the_window(rig):
    rig.run(create())
    rig.console("DeleteLoginProfile", UserName="alice")
    rig.console("DeleteUser", UserName="alice")
    outcome = rig.run(grant(group("admins")), request_id="req-2")
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_SUCH_ACCOUNT")
    assert sum(wait.seconds for wait in rig.driver.waits) >= 120
    assert set(rig.driver.waited_for()) == {"propagating"}
    assert outcome.account.absent_since is not None
    assert not outcome.account.deleted


# -- unwilling -----------------------------------------------------------------------------------------------------


@EVERY
def test_throttling_costs_time_and_no_attempt(rig, name):
    body = prepare(rig, name)
    rig.aws.fault("error", code="Throttling", status=400, message="Rate exceeded", probability=0.5, count=40)
    outcome = rig.run(body)
    assert_right(rig, name, outcome)
    assert {step.attempts for step in outcome.reply.steps} == {1}
    waits = [wait for wait in rig.driver.waits if wait.reason == "throttled"]
    assert waits
    assert all(0.1 <= wait.seconds <= 20 for wait in waits)
    # Going on where it stopped: no reading is made anew for a throttled call.
    reads = [entry for entry in rig.calls() if entry.told == "OK" and mark_of(entry)["step"] == "0"]
    assert len({(entry.action) for entry in reads}) >= len(reads) - 2


@EVERY
@pytest.mark.parametrize("code", ["ConcurrentModification", "EntityTemporarilyUnmodifiable"])
def test_contention_is_waited_out_in_minutes(rig, name, code):
    body = prepare(rig, name)
    rig.aws.fault("error", actions=["writes"], code=code, status=409, message="wait", count=3)
    outcome = rig.run(body)
    assert_right(rig, name, outcome)
    waits = [wait.seconds for wait in rig.driver.waits if wait.reason == "contended"]
    assert len(waits) == 3
    assert 2.5 <= waits[0] <= 5
    assert waits == sorted(waits)


def test_a_login_profile_that_cannot_be_touched_yet_is_waited_for(rig):
    """A second life sets a password of its own, while IAM is still busy with the first one's."""
    rig.aws.knobs(login_profile_window_s=1.0)
    body = prepare(rig, "create")
    rig.aws.fault("reset_after", actions=["CreateLoginProfile"], nth=1)
    rig.driver.on_wait = lambda wait: rig.aws.knobs(login_profile_window_s=0) if wait.reason == "contended" else None
    assert_right(rig, "create", rig.run(body))
    assert "contended" in rig.driver.waited_for()


def test_children_that_appear_meanwhile_are_looked_for_again(rig):
    calls, _ = count_of(rig, "delete")
    body = again(rig, "delete")
    adversary = itertools.chain(["access key", "ssh key"])
    counter = itertools.count(1)

    def may_call():
        if next(counter) in (calls - 2, calls + 15):  # right before a DeleteUser
            kind = next(adversary, None)
            if kind is not None and rig.user() is not None:
                credentials.equip(rig.console, "alice", [kind])
        return True

    outcome = rig.driver.run(rig.request(body), may_call=may_call)
    assert_right(rig, "delete", outcome)
    told = [entry.told for entry in rig.mutations() if entry.action == "DeleteUser"]
    assert told[0] == "DeleteConflict"
    assert told[-1] == "OK"
    # The deny was put once more before the new children were taken away.
    assert [entry.action for entry in rig.mutations()].count("PutUserPolicy") >= 2


def test_a_conflict_that_does_not_end_is_given_up(rig):
    rig.make_user()
    rig.aws.fault("error", actions=["DeleteUser"], code="DeleteConflict", status=409, message="must delete x first.")
    outcome = rig.run(DeleteAccount())
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.PARTIAL, "DELETE_CONFLICT")
    assert [entry.action for entry in rig.mutations()].count("DeleteUser") == 6
    # Longer than any reading may be stale.
    assert sum(wait.seconds for wait in rig.driver.waits) > 120


@pytest.mark.parametrize("action", ["GetUser", "ListGroupsForUser"])
def test_a_reading_that_is_refused_fails_the_request_and_is_named(rig, action):
    body = prepare(rig, "grant")
    rig.aws.fault("error", actions=[action], code="AccessDenied", status=403, message="is not authorized")
    outcome = rig.run(body)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "ACCESS_DENIED")
    assert f"iam:{action}" in outcome.reply.error.message


def test_a_password_policy_that_may_not_be_read_is_guessed(rig):
    body = prepare(rig, "create")
    rig.aws.fault("error", actions=["GetAccountPasswordPolicy"], code="AccessDenied", status=403, message="no")
    assert_right(rig, "create", rig.run(body))


# -- our own credentials -------------------------------------------------------------------------------------------


def test_bad_credentials_fail_nobodys_request_and_are_said_once(rig):
    body = prepare(rig, "grant")
    set_key(rig, "Inactive")
    rig.driver.on_wait = lambda _wait: set_key(rig, "Active") if len(rig.driver.waits) == 4 else None
    with capture_logs() as logs:
        outcome = rig.run(body)
    assert_right(rig, "grant", outcome)
    assert rig.driver.waited_for() == ["credentials"] * 4
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
    assert logs[0]["code"] == "InvalidClientTokenId"


def test_credentials_that_go_bad_in_the_middle_are_waited_for_too(rig):
    body = prepare(rig, "grant")
    rig.aws.fault("error", actions=["AttachUserPolicy"], code="ExpiredToken", status=403, message="expired", count=1)
    with capture_logs() as logs:
        outcome = rig.run(body)
    assert_right(rig, "grant", outcome)
    assert rig.driver.waited_for() == ["credentials"]
    assert {step.attempts for step in outcome.reply.steps} == {1}
    assert [entry["log_level"] for entry in logs] == ["error", "info"]


def test_a_wrong_secret_is_one_of_our_own_troubles(make_rig):
    rig = make_rig(IDHUB_AWS_SECRET_ACCESS_KEY="wrong")
    body = prepare(rig, "grant")
    rig.aws.knobs(verify_signatures=True)
    with capture_logs() as logs:
        waits = [rig.driver.begin(rig.request(body)).advance(lambda: True) for _ in range(20)]
    assert {(type(wait), wait.reason) for wait in waits} == {(Wait, "credentials")}
    assert [entry["code"] for entry in logs] == ["SignatureDoesNotMatch"]
    # One probe for all of them, while it is too early for another.
    assert [entry.action for entry in rig.aws.journal()].count("GetCallerIdentity") == 1


def test_the_signatures_of_our_calls_are_right(rig):
    rig.aws.knobs(verify_signatures=True)
    body = prepare(rig, "create")
    assert_right(rig, "create", rig.run(body))


def set_key(rig, status):
    rig.console("UpdateAccessKey", UserName=CONNECTOR, AccessKeyId=connector_key(), Status=status)


# -- permission ----------------------------------------------------------------------------------------------------


@EVERY
def test_without_permission_nothing_reaches_aws(rig, name):
    body = prepare(rig, name)
    life = rig.driver.begin(rig.request(body))
    with pytest.raises(CallForbidden):
        life.advance(lambda: False)
    assert rig.calls() == []


@EVERY
def test_permission_may_be_refused_before_each_call_and_given_again(rig, name):
    """The same life goes on where it was stopped, and no attempt is counted."""
    body = prepare(rig, name)
    toggle = itertools.cycle([False, True])
    outcome = rig.driver.run(rig.request(body), may_call=lambda: next(toggle))
    assert_right(rig, name, outcome)
    assert {step.attempts for step in outcome.reply.steps} == {1}
    assert rig.driver.lives == 1


def test_aws_away_is_waited_for(rig, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = build(Settings(AWS_ACCESS_KEY=connector_key(), secret_access_key="x"), clock=rig.clock)
    try:
        following = away.provisioning.begin(rig.request(grant(group("admins"))), None, None).advance(lambda: True)
    finally:
        away.close()
    assert isinstance(following, Wait)
    assert following.reason == "unreachable"
