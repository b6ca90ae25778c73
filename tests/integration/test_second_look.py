"""A minute after a user was shut out, whatever an adversary put back goes again."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from connector.model.iam import Facet
from connector.model.requests import DeleteAccount, DisableAccount, EnableAccount
from connector.model.results import ChangeKind, ReplyStatus
from sandbox.aws import DEFAULT_ACCOUNT
from tests.support import credentials
from tests.support.rig import CrashAt, mark_of


def due(rig):
    """The request of the look that is due by what was last known."""
    return rig.driver.provisioning.second_look(rig.driver.accounts.get("alice"))


def later(rig):
    rig.clock.advance(60)
    rig.aws.settle()
    return due(rig)


def sent(rig, request):
    return rig.mutations(quote(request.request_id, safe=""))


def disabled(rig, kinds=("login profile", "access key")):
    rig.make_user(kinds=list(kinds))
    outcome = rig.run(DisableAccount(), request_id="off")
    assert (outcome.account.look_again_at - outcome.reply.finished_at).total_seconds() == 60
    return outcome


def test_what_was_put_back_goes_again_and_is_audited(rig):
    disabled(rig)
    recorded = rig.user()["tags"]
    credentials.equip(rig.console, "alice", ["login profile", "access key", "ssh key"])
    outcome = rig.driver.run(later(rig))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    user = rig.user()
    assert user["login_profile"] is None
    assert set(user["access_keys"].values()) == set(user["ssh_public_keys"].values()) == {"Inactive"}
    assert {"DeleteLoginProfile", "UpdateAccessKey", "UpdateSSHPublicKey"} <= {one.action for one in outcome.audits}
    assert {one.requested_by.system for one in outcome.audits} == {"idhub-aws"}
    # What ENABLE brings back is what was active before, not what the adversary made.
    assert user["tags"] == recorded
    # Who was there once may come again.
    assert outcome.account.look_again_at is not None


def test_a_deny_that_was_taken_away_is_put_again(rig):
    disabled(rig)
    rig.console("DeleteUserPolicy", UserName="alice", PolicyName="idhub-deny-all")
    rig.driver.run(later(rig))
    assert "idhub-deny-all" in rig.user()["inline_policies"]


def test_looks_end_when_nothing_is_found(rig):
    disabled(rig)
    looks = 0
    while (request := later(rig)) is not None:
        rig.driver.run(request)
        looks += 1
        assert looks < 5
    # Within two minutes a reading proves nothing, so the first look sends every removal once more.
    assert 1 <= looks <= 4
    assert rig.driver.accounts["alice"].look_again_at is None


def test_a_user_that_was_enabled_meanwhile_is_left_alone(rig):
    disabled(rig)
    request = later(rig)
    rig.run(EnableAccount(), request_id="on")
    assert due(rig) is None
    outcome = rig.driver.run(request)
    assert outcome.reply.status is ReplyStatus.UNCHANGED
    assert sent(rig, request) == []
    assert rig.user()["login_profile"] is not None


def test_a_look_that_was_begun_is_resumed(rig):
    disabled(rig)
    credentials.equip(rig.console, "alice", ["access key"])
    request = later(rig)
    calls = len(rig.calls())
    outcome = rig.driver.run(request, may_call=CrashAt(10))
    assert rig.driver.lives == 3
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert len(rig.calls()) > calls
    assert set(rig.user()["access_keys"].values()) == {"Inactive"}
    effects = {int(mark_of(entry)["step"]) for entry in sent(rig, request) if entry.changed}
    assert effects == {one.step for one in outcome.audits if one.step in effects}


def test_another_user_of_the_name_is_not_touched(rig):
    disabled(rig, ())
    request = later(rig)
    rig.console("DeleteUserPolicy", UserName="alice", PolicyName="idhub-deny-all")
    rig.console("DeleteUser", UserName="alice")
    rig.make_user(kinds=["access key"])
    outcome = rig.driver.run(request)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "OTHER_IDENTITY")
    assert set(rig.user()["access_keys"].values()) == {"Active"}
    assert outcome.change.kind is ChangeKind.CREATED


def test_a_delete_that_was_not_finished_is_looked_at_too(rig):
    rig.make_user(kinds=["access key", "ssh key"])
    rig.aws.fault("error", actions=["DeleteSSHPublicKey"], code="AccessDenied", status=403, message="no")
    outcome = rig.run(DeleteAccount(), request_id="gone")
    assert outcome.reply.status is ReplyStatus.PARTIAL
    rig.driver.run(later(rig))
    assert set(rig.user()["ssh_public_keys"].values()) == {"Inactive"}


@pytest.mark.parametrize("again", [False, True])
def test_a_deleted_user_is_looked_at_once_and_a_new_one_reported(rig, again):
    rig.make_user(kinds=["access key"])
    last = rig.run(DeleteAccount(), request_id="gone").account
    assert last.deleted
    assert last.look_again_at is not None
    assert due(rig) is None
    # IAM tells creations apart by the second, and this test takes less.
    last = replace(last, identity=replace(last.identity, created_at=last.identity.created_at - timedelta(hours=1)))
    rig.clock.advance(61)
    if again:
        rig.make_user(kinds=["access key"])
    found = rig.connector.refreshing.refresh(
        DEFAULT_ACCOUNT, "alice", tuple(Facet), last, reason="LOOK_AGAIN", may_call=lambda: True
    )
    if again:
        assert (found.change.kind, found.change.origin) == (ChangeKind.CREATED, "FOREIGN")
        assert set(rig.user()["access_keys"].values()) == {"Active"}
    else:
        assert (found.account, found.change) == (replace(last, look_again_at=None), None)
