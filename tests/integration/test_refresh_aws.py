"""A refresh: what somebody else did becomes an account and a change, and a stale reading becomes neither."""

import pytest

from connector.errors import CallForbidden
from connector.model.iam import Facet
from connector.model.requests import DeleteAccount
from connector.model.results import ChangeKind, FieldChange, Wait
from connector.refresh import Refreshed
from sandbox.aws import DEFAULT_ACCOUNT, connector_key
from tests.support.domain import create, grant, group
from tests.support.rig import CONNECTOR, mark_of

GROUPS = (Facet.GROUPS,)


def refresh(rig, facets=GROUPS, name="alice", account=DEFAULT_ACCOUNT, **fields):
    fields.setdefault("may_call", lambda: True)
    known = rig.driver.accounts.get(name.casefold())
    told = rig.connector.refreshing.refresh(account, name, facets, known, reason="test", **fields)
    if isinstance(told, Refreshed) and told.account is not None:
        rig.driver.accounts[name.casefold()] = told.account
    return told


def test_a_stranger_is_discovered_by_the_facets_that_were_asked_for(rig):
    rig.make_user(kinds=["group", "access key"])
    told = refresh(rig)
    assert rig.actions() == ["GetUser", "ListGroupsForUser"]
    assert told.change.kind is ChangeKind.DISCOVERED
    assert told.account.items.keys() == {Facet.GROUPS}
    assert told.change.origin == "FOREIGN"


def test_an_equal_reading_publishes_nothing(rig):
    rig.make_user(kinds=["group"])
    refresh(rig)
    rig.clock.advance(60)
    assert refresh(rig) == Refreshed()


def test_what_somebody_else_did_is_a_change_with_its_events(rig):
    rig.make_user()
    refresh(rig)
    rig.console("AddUserToGroup", UserName="alice", GroupName="admins")
    told = refresh(rig, event_ids=("e-1",), actor="arn:aws:iam::1:user/mallory")
    assert told.change.kind is ChangeKind.UPDATED
    assert told.change.fields == (FieldChange("groups", None, "admins"),)
    assert (told.change.event_ids, told.change.actor) == (("e-1",), "arn:aws:iam::1:user/mallory")
    assert (told.change.before, told.change.after) != (None, None)


def test_every_facet_can_be_read(rig):
    rig.make_user(
        kinds=["login profile", "access key", "bedrock key", "ssh key", "certificate", "virtual mfa", "inline policy"]
    )
    told = refresh(rig, facets=tuple(Facet))
    assert told.account.items.keys() == set(Facet) - {Facet.IDENTITY}
    sizes = {facet: len(items) for facet, items in told.account.items.items()}
    assert sizes == {facet: 0 if facet in {Facet.GROUPS, Facet.ATTACHED_POLICIES} else 1 for facet in sizes}
    assert told.account.items[Facet.ACCESS_KEYS][0].status == "Active"
    assert told.account.items[Facet.SERVICE_CREDENTIALS][0].detail == "bedrock.amazonaws.com"


def test_our_own_writes_are_not_taken_back_by_a_stale_reading(rig):
    rig.make_user()
    rig.aws.knobs(stale_hold=True)
    rig.run(grant(group("admins")))
    told = refresh(rig)
    assert told.change is None
    assert [item.id for item in rig.driver.accounts["alice"].items[Facet.GROUPS]] == ["admins"]
    # What the old reading says of the rest is not believed for long.
    assert rig.driver.accounts["alice"].look_again_at is not None


def test_a_leaver_is_not_brought_back_by_a_stale_reading(rig):
    rig.make_user()
    rig.run(DeleteAccount())
    rig.aws.fault("stale", actions=["reads"], seconds=3600, count=2)
    assert refresh(rig) == Refreshed()
    assert rig.driver.accounts["alice"].deleted


def test_gone_takes_two_readings_two_minutes_apart(rig):
    rig.make_user(kinds=["group"])
    refresh(rig)
    rig.console("RemoveUserFromGroup", UserName="alice", GroupName="ops")
    rig.console("DeleteUser", UserName="alice")
    once = refresh(rig)
    assert once.change is None
    assert not once.account.deleted
    assert once.account.look_again_at is not None
    rig.clock.advance(60)
    assert refresh(rig) == Refreshed()
    rig.clock.advance(60)
    gone = refresh(rig)
    assert gone.account.deleted
    assert gone.change.kind is ChangeKind.DELETED
    assert FieldChange("groups", "ops", None) in gone.change.fields
    assert refresh(rig) == Refreshed()


def test_an_absence_that_was_none_is_forgotten(rig):
    rig.run(create())
    rig.aws.fault("stale", actions=["GetUser"], seconds=3600, count=1)
    assert refresh(rig).account.absent_since is not None
    rig.clock.advance(130)
    told = refresh(rig)
    assert (told.account.absent_since, told.change) == (None, None)


def test_somebody_nobody_knows_and_nobody_finds_is_nothing(rig):
    assert refresh(rig, name="nobody") == Refreshed()


def test_a_user_created_anew_is_another_user(rig):
    rig.make_user(kinds=["group"])
    refresh(rig)
    rig.console("RemoveUserFromGroup", UserName="alice", GroupName="ops")
    rig.console("DeleteUser", UserName="alice")
    rig.make_user()
    told = refresh(rig, facets=())
    assert told.change.kind is ChangeKind.CREATED
    assert {"userId"} <= {change.field for change in told.change.fields}
    assert told.account.items == {}


def test_the_calls_are_marked_and_no_step(rig):
    rig.make_user()
    refresh(rig)
    assert {(mark_of(entry)["request"], mark_of(entry)["step"]) for entry in rig.calls() if entry.service == "iam"} == {
        ("test", "0")
    }


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"effect": "error", "code": "Throttling", "status": 400}, "throttled"),
        ({"effect": "error", "code": "ServiceFailure", "status": 500}, "ambiguous"),
        ({"effect": "reset_before"}, "ambiguous"),
    ],
)
def test_trouble_is_waited_for_longer_each_time(rig, fault, reason):
    rig.make_user()
    rig.aws.fault(**fault, actions=["GetUser"])
    waits = [refresh(rig, attempt=attempt) for attempt in (1, 4, 8)]
    assert {wait.reason for wait in waits} == {reason}
    assert [wait.seconds for wait in waits] == sorted(wait.seconds for wait in waits)


def test_what_cannot_be_read_at_all_is_a_problem_and_no_wait(rig):
    rig.make_user()
    rig.aws.fault("error", actions=["GetUser"], code="AccessDenied", status=403, message="is not authorized")
    told = refresh(rig)
    assert "AccessDenied" in told.problem
    assert (told.account, told.change) == (None, None)
    assert refresh(rig, account="999999999999").problem
    assert refresh(rig, name="no blanks").problem


def test_bad_credentials_are_waited_for(rig):
    rig.make_user()
    rig.console("UpdateAccessKey", UserName=CONNECTOR, AccessKeyId=connector_key(), Status="Inactive")
    told = refresh(rig)
    assert isinstance(told, Wait)
    assert told.reason == "credentials"


def test_without_permission_nothing_is_read(rig):
    with pytest.raises(CallForbidden):
        refresh(rig, may_call=lambda: False)
    assert rig.calls() == []
