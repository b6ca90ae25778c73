"""Readings, our own writes, and the differences that are known for certain."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.drift.account import (
    FIELDS,
    Cause,
    diff_account,
    fill_unknown,
    is_gone,
    merge_reading,
    note_absence,
    overlay,
    says_more,
    to_change,
    to_deleted,
)
from connector.model.iam import Facet, Item, OwnWrite, UserState
from connector.model.results import ChangeKind, FieldChange
from tests.support.domain import ACCOUNT, NOW, identity, items, record, state

WINDOW = timedelta(seconds=120)
CAUSE = Cause("FOREIGN", NOW)


def wrote(name, *, present=True, ago=10, facet=Facet.GROUPS):
    return OwnWrite(facet, Item(name), present, NOW - timedelta(seconds=ago))


def ids(user_state, facet=Facet.GROUPS):
    return {item.id for item in user_state.items[facet]}


def merged(last, told, writes=()):
    return merge_reading(last, ACCOUNT, told, NOW, writes, window=WINDOW)


def test_a_stale_reading_is_overlaid_with_our_own_writes():
    told = state(identity(), groups=items("old", "taken"))
    done = overlay(told, [wrote("new"), wrote("TAKEN", present=False)], NOW, WINDOW)
    assert ids(done) == {"old", "new"}
    assert ids(told) == {"old", "taken"}


def test_writes_are_applied_in_their_order():
    told = state(identity(), groups=())
    assert ids(overlay(told, [wrote("a"), wrote("a", present=False)], NOW, WINDOW)) == set()
    assert ids(overlay(told, [wrote("a", present=False), wrote("a")], NOW, WINDOW)) == {"a"}


def test_old_writes_count_no_longer():
    told = state(identity(), groups=())
    assert overlay(told, [wrote("a", ago=120)], NOW, WINDOW) is told


def test_a_facet_that_was_not_read_stays_unread():
    assert Facet.GROUPS not in overlay(state(identity()), [wrote("a")], NOW, WINDOW).items


def test_what_was_not_read_is_carried_over():
    last = record(identity(), {Facet.GROUPS: items("a"), Facet.LOGIN: items("password")}, changed_at=NOW)
    after = merged(last, state(identity(), groups=items("b")))
    assert after.items == {Facet.GROUPS: items("b"), Facet.LOGIN: items("password")}
    assert after.observed_at[Facet.GROUPS] == NOW
    assert after.changed_at == NOW


def test_another_user_id_is_another_user():
    last = record(identity(), {Facet.GROUPS: items("admins")}, own_writes=(wrote("admins"),))
    after = merged(last, state(identity(user_id="AIDANEW"), login=()))
    assert after.items == {Facet.LOGIN: ()}
    assert after.own_writes == ()


def test_our_writes_are_in_the_record_and_kept_for_the_window():
    last = record(identity(), {Facet.GROUPS: items("a")}, own_writes=(wrote("x", ago=500), wrote("b", present=False)))
    after = merged(last, state(identity(), groups=items("a")), (wrote("b", ago=0),))
    assert ids(after) == {"a", "b"}
    assert [(write.item.id, write.present) for write in after.own_writes] == [("b", True)]
    assert after.changed_at == NOW


def test_a_reading_of_nobody_is_none():
    with pytest.raises(ValueError, match="absent"):
        merged(None, UserState(None))


def test_differences():
    last = record(identity(tags={"city": "Oslo", "team": "a"}), {Facet.GROUPS: items("a", "b")})
    now = record(
        identity(tags={"city": "Bergen", "mail": "x"}),
        {Facet.GROUPS: items("B", "c"), Facet.ACCESS_KEYS: items("AKIA1")},
    )
    assert set(diff_account(last, now)) == {
        FieldChange("tags/city", "Oslo", "Bergen"),
        FieldChange("tags/team", "a", None),
        FieldChange("tags/mail", None, "x"),
        FieldChange("groups", "a", None),
        FieldChange("groups", None, "c"),
    }


def test_a_facet_seen_for_the_first_time_is_no_change():
    last = record(identity())
    assert diff_account(last, record(identity(), {Facet.GROUPS: items("a")})) == ()


def test_a_status_that_changes_names_its_item():
    last = record(identity(), {Facet.ACCESS_KEYS: (Item("AKIA1", "Active"),)})
    now = record(identity(), {Facet.ACCESS_KEYS: (Item("AKIA1", "Inactive"),)})
    assert diff_account(last, now) == (FieldChange("accessKeys/AKIA1", "Active", "Inactive"),)


def test_when_a_password_was_last_used_is_no_change():
    last = record(identity())
    assert diff_account(last, record(identity(password_last_used=NOW))) == ()


def test_seeing_is_no_changing_but_our_own_write_is():
    last = record(identity())
    read = merged(last, state(identity(), groups=items("a")))
    after = merged(last, state(identity(), groups=items("a")), (wrote("b"),))
    assert diff_account(fill_unknown(last, read), after) == (FieldChange("groups", None, "b"),)


def test_a_deletion_takes_everything():
    last = record(identity(tags={"city": "Oslo"}), {Facet.GROUPS: items("a")})
    gone = to_deleted(last, NOW)
    changes = {(one.field, one.before, one.after) for one in diff_account(last, gone)}
    assert {("userId", "AIDAALICE", None), ("groups", "a", None), ("tags/city", "Oslo", None)} <= changes
    assert gone.deleted
    assert gone.identity == last.identity
    assert gone.items == {}


@pytest.mark.parametrize(
    ("last", "now", "kind"),
    [
        (None, record(identity()), ChangeKind.DISCOVERED),
        (record(identity()), record(identity(tags={"a": "b"})), ChangeKind.UPDATED),
        (record(identity()), record(identity()), None),
        (record(identity()), record(identity(user_id="AIDANEW")), ChangeKind.CREATED),
        (to_deleted(record(identity()), NOW), record(identity(user_id="AIDANEW")), ChangeKind.CREATED),
        (record(identity()), to_deleted(record(identity()), NOW), ChangeKind.DELETED),
        (to_deleted(record(identity()), NOW), to_deleted(record(identity()), NOW), None),
    ],
)
def test_what_kind_of_change(last, now, kind):
    change = to_change(last, now, diff_account(last, now), CAUSE)
    assert (change.kind if change else None) == kind


def test_our_own_creation_is_no_discovery():
    now = record(identity())
    change = to_change(None, now, diff_account(None, now), CAUSE, created=True)
    assert change is not None
    assert change.kind is ChangeKind.CREATED
    assert (change.before, change.after) == (None, now)


def test_gone_takes_two_readings_a_window_apart():
    last = record(identity(), {Facet.GROUPS: items("a")})
    once = note_absence(last, NOW, WINDOW)
    assert (once.deleted, once.absent_since, once.look_again_at) == (False, NOW, NOW + WINDOW)
    soon = note_absence(once, NOW + timedelta(seconds=119), WINDOW)
    assert soon == once
    late = note_absence(once, NOW + WINDOW, WINDOW)
    assert late.deleted
    assert note_absence(late, NOW + 2 * WINDOW, WINDOW) == late


def test_a_reading_forgets_an_absence():
    once = note_absence(record(identity()), NOW, WINDOW)
    after = merged(once, state(identity()))
    assert (after.absent_since, after.look_again_at) == (None, None)


def test_a_stale_reading_does_not_bring_a_leaver_back():
    gone = to_deleted(record(identity()), NOW)
    assert is_gone(gone, identity(), NOW + timedelta(seconds=60), WINDOW)
    assert not is_gone(gone, identity(user_id="AIDANEW"), NOW, WINDOW)
    assert not is_gone(gone, identity(), NOW + WINDOW, WINDOW)
    assert not is_gone(record(identity()), identity(), NOW, WINDOW)


def test_a_record_is_worth_publishing_when_more_than_its_time_differs():
    last = record(identity(), observed_at={Facet.IDENTITY: NOW})
    later = replace(last, observed_at={Facet.IDENTITY: NOW + WINDOW})
    assert not says_more(last, later)
    assert says_more(last, replace(later, changed_at=NOW))
    assert says_more(None, last)


def test_every_facet_has_a_name_in_changes():
    assert set(FIELDS) == set(Facet) - {Facet.IDENTITY}


def test_a_stale_reading_does_not_bring_a_former_user_of_the_name_back():
    before, now = NOW - timedelta(seconds=30), NOW - timedelta(seconds=10)
    known = record(identity(user_id="AIDANEW", created_at=now), changed_at=now)
    former = identity(user_id="AIDAOLD", created_at=before)
    assert is_gone(known, former, NOW, WINDOW)
    assert not is_gone(known, former, NOW + WINDOW, WINDOW)
    assert not is_gone(known, identity(user_id="AIDANEWER", created_at=NOW), NOW, WINDOW)
    assert is_gone(to_deleted(known, NOW), former, NOW, WINDOW)


def test_a_reading_that_contradicts_what_is_known_is_looked_at_again_while_the_window_is_open():
    known = record(identity(), {Facet.GROUPS: items("admins")}, changed_at=NOW - timedelta(seconds=10))
    assert merged(known, state(identity(), groups=items("admins", "former"))).look_again_at == NOW + WINDOW
    assert merged(known, state(identity(), groups=items("Admins"))).look_again_at is None
    assert merged(known, state(identity(), login=items("password"))).look_again_at is None
    quiet = replace(known, changed_at=NOW - WINDOW)
    assert merged(quiet, state(identity(), groups=items("admins", "former"))).look_again_at is None
