"""Update and rename on real sockets."""

import json

import pytest

from connector.errors import SettingsError
from connector.model.iam import Facet
from connector.model.refreshes import RefreshReason
from connector.model.requests import DeleteAccount
from connector.model.results import ChangeKind, ReplyStatus, StepOutcome, Wait
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT
from tests.support.domain import create, grant, group, update

TAGS = {"city": "Oslo", "mail": "a@b.c", "old": "x"}


def make(rig, name="alice", **tags):
    rig.console("CreateUser", UserName=name, Tags=[{"Key": k, "Value": v} for k, v in (tags or TAGS).items()])
    rig.aws.settle()


def refresh(rig, name="bob", **fields):
    return rig.connector.refreshing.refresh(DEFAULT_ACCOUNT, name, tuple(Facet), None, may_call=lambda: True, **fields)


def test_a_value_is_set_null_clears_and_what_is_missing_stays(rig):
    make(rig)
    outcome = rig.run(update({"city": "Bergen", "mail": None}, {"team": "blue"}, ["old"]))
    assert rig.actions() == ["GetUser", "UntagUser", "TagUser"]
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["tags"] == {"city": "Bergen", "team": "blue"}
    assert outcome.account.identity.tags == {"city": "Bergen", "team": "blue"}
    rig.assert_audited(outcome)
    rig.settled()
    again = rig.run(update({"city": "Bergen", "mail": None}, {"team": "blue"}, ["old"]), request_id="again")
    assert (again.reply.status, rig.actions("again")) == (ReplyStatus.UNCHANGED, ["GetUser"])


def test_the_change_tells_which_fields(rig):
    make(rig)
    rig.run(grant(group("developers")), request_id="seen")
    outcome = rig.run(update({"city": "Bergen", "mail": None, "path": "/staff/"}))
    fields = {(one.field, one.before, one.after) for one in outcome.change.fields}
    assert {("tags/city", "Oslo", "Bergen"), ("tags/mail", "a@b.c", None), ("path", "/", "/staff/")} <= fields
    assert outcome.change.kind is ChangeKind.UPDATED
    assert outcome.account.identity.arn == rig.user()["arn"]


def test_a_rename_ends_the_old_name_and_asks_for_the_new_one(rig):
    make(rig)
    outcome = rig.run(update({"path": "/staff/"}, name="bob"))
    assert rig.actions() == ["GetUser", "UpdateUser"]
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert (outcome.reply.account.user_name, outcome.reply.account.arn) == ("bob", rig.user("bob")["arn"])
    assert (outcome.account.deleted, outcome.account.renamed_to) == (True, "bob")
    assert (outcome.change.kind, outcome.change.origin) == (ChangeKind.RENAMED, "IDHUB")
    (asked,) = outcome.refreshes
    assert (asked.user_name, asked.reason, set(asked.facets)) == ("bob", RefreshReason.RENAME, set(Facet))
    found = refresh(rig, reason=asked.reason.value, occurred_at=asked.occurred_at)
    assert (found.change.kind, found.change.origin) == (ChangeKind.RENAMED, "IDHUB")
    assert found.account.changed_at == asked.occurred_at
    assert found.account.identity.user_id == outcome.account.identity.user_id


def test_the_new_name_is_waited_for_until_iam_tells_it(rig):
    now = rig.clock.now()
    assert isinstance(refresh(rig, reason="RENAME", occurred_at=now), Wait)
    rig.settled()
    assert refresh(rig, reason="RENAME", occurred_at=now).account is None


def test_a_rename_that_was_done_already_changes_nothing(rig):
    make(rig)
    rig.run(update(name="bob"))
    rig.settled()
    outcome = rig.run(update(name="bob"), request_id="again")
    assert (outcome.reply.status, outcome.refreshes, outcome.account) == (ReplyStatus.UNCHANGED, (), None)
    assert rig.mutations("again") == []


def test_another_user_of_the_new_name_is_not_taken_for_the_renamed_one(rig):
    make(rig, "bob")
    outcome = rig.run(update(name="bob"))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "NO_SUCH_ACCOUNT")
    make(rig)
    outcome = rig.run(update(name="bob"), request_id="taken")
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "EntityAlreadyExists")
    assert rig.user()["tags"] == TAGS


def test_only_the_case_of_a_name_is_no_other_name(rig):
    make(rig)
    outcome = rig.run(update(name="Alice"))
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert (outcome.account.deleted, outcome.refreshes) == (False, ())
    assert "Alice" in rig.aws.state()["users"]


def test_the_old_name_is_free_again(rig):
    make(rig)
    rig.run(update(name="bob"))
    outcome = rig.run(create(group("developers")), request_id="new")
    assert outcome.reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["user_id"] != rig.user("bob")["user_id"]


@pytest.mark.parametrize("name", [CONNECTOR, "break-glass"])
def test_nobody_becomes_a_protected_user(make_rig, name):
    rig = make_rig(IDHUB_AWS_PROTECTED_PRINCIPALS="break-*")
    outcome = rig.run(update(name=name))
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.REJECTED, "PROTECTED_PRINCIPAL")
    assert rig.actions() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (update(name="no blanks"), "newUserName"),
        (update({"team": "a"}, remove=["team"]), "removed"),
        (update({"path": "x"}), "path"),
        (update({"userName": "carol"}, name="bob"), "userName"),
    ],
)
def test_what_cannot_be_is_told_before_aws(rig, body, words):
    outcome = rig.run(body)
    assert (outcome.reply.status, outcome.reply.error.code) == (ReplyStatus.FAILED, "INVALID_ATTRIBUTE")
    assert words in outcome.reply.error.message
    assert rig.actions() == []


@pytest.mark.parametrize("body", [update(tags={"idhub:active": "1"}), update(remove=["idhub:active"])])
def test_the_connectors_tags_are_its_own(rig, body):
    assert rig.run(body).reply.error.code == "RESERVED_TAG"


def test_fifty_tags_are_the_limit(rig):
    make(rig, **{f"t{n}": "x" for n in range(49)})
    outcome = rig.run(update({"a": "1", "b": "2"}))
    assert (outcome.reply.error.code, rig.mutations()) == ("INVALID_ATTRIBUTE", [])
    assert rig.run(update({"a": "1", "b": "2"}, remove=["t0"]), request_id="r2").reply.status is ReplyStatus.SUCCEEDED


def test_an_absent_account(rig):
    assert rig.run(update({"city": "Oslo"})).reply.error.code == "NO_SUCH_ACCOUNT"


# -- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["name", "path", "json"])
def test_the_account_schema_is_kept_to(make_rig, tmp_path, how):
    mine = json.dumps({"attributes": [{"name": "displayName", "required": True, "mutability": "readOnly"}]})
    (tmp_path / "mine.json").write_text(mine, encoding="utf-8")
    given = {"name": "accountSchema", "path": str(tmp_path / "mine.json"), "json": mine}[how]
    rig = make_rig(ACCOUNT_SCHEMA=given)
    outcome = rig.run(create(attributes={"shoeSize": "44"}))
    assert outcome.reply.error.code == "INVALID_ATTRIBUTE"
    assert all(word in outcome.reply.error.message for word in ("shoeSize", "displayName"))
    assert rig.run(create(attributes={"displayName": "Alice A"}), request_id="r2").reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["tags"]["displayName"] == "Alice A"
    kept = rig.run(update({"displayName": "B"}), request_id="r3")
    assert kept.reply.status is ReplyStatus.UNCHANGED
    assert any("readOnly" in note for note in kept.reply.notes)


@pytest.mark.parametrize("given", ["nowhere.json", '{"attributes": [{"name": "a", "syncDirection": "up"}]}'])
def test_a_schema_that_cannot_be_used_is_told_at_start(make_rig, given):
    with pytest.raises(SettingsError) as refused:
        make_rig(IDHUB_AWS_ACCOUNT_SCHEMA=given)
    assert refused.value.problems[0].name == "ACCOUNT_SCHEMA"


def test_paths_outside_the_connectors_own_are_refused(make_rig):
    rig = make_rig(IDHUB_AWS_PATH_PREFIX="/idhub/")
    outcome = rig.run(create(attributes={"path": "/admins/"}))
    assert outcome.reply.error.code == "INVALID_ATTRIBUTE"
    assert "/idhub/" in outcome.reply.error.message
    assert rig.run(create(), request_id="r2").reply.status is ReplyStatus.SUCCEEDED
    assert rig.user()["path"] == "/idhub/"
    assert rig.run(update({"path": "/idhub/staff/"}), request_id="r3").reply.status is ReplyStatus.SUCCEEDED
    assert rig.run(DeleteAccount(), request_id="r4").reply.steps[-1].outcome is StepOutcome.DONE
