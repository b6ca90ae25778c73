"""An update ends as it was asked for, whatever happens on the way; a renamed user is found again by its UserId."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model.results import ReplyStatus
from tests.support.domain import request, update
from tests.support.standin import FATES, FINE, World

SETTINGS = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
BEFORE = {"city": "Oslo", "mail": "a@b.c", "team": "blue"}

fates = st.lists(st.sampled_from((*FATES, FINE, FINE)), max_size=30)
attributes = st.dictionaries(st.sampled_from(["city", "mail", "path"]), st.none() | st.sampled_from(["/a/", "/b/"]))


@SETTINGS
@given(attributes, st.sampled_from([None, "bob", "ALICE"]), st.lists(st.just("team"), max_size=1), fates)
def test_an_update_is_done_once_and_planned_again_is_nothing(wanted, name, remove, fates):
    world = World(fates=())
    world.console("CreateUser", UserName="alice", Tags=[{"Key": k, "Value": v} for k, v in BEFORE.items()])
    world.settled()
    world.api.fates.extend(fates)
    body = update(wanted, remove=remove, name=name)
    outcome = world.run(request(body))
    assert outcome.reply.status in {ReplyStatus.SUCCEEDED, ReplyStatus.UNCHANGED}
    assert world.effects("req-1") <= world.audited(outcome)
    user = world.user(name or "alice")
    expected = {**BEFORE, **{k: v for k, v in wanted.items() if k != "path"}}
    assert user["tags"] == {k: v for k, v in expected.items() if v is not None and k not in remove}
    assert user["path"] == (wanted.get("path") or "/")
    assert [one.user_name for one in outcome.refreshes] == (["bob"] if name == "bob" else [])
    world.settled()
    world.api.fates.clear()
    world.api.journal.clear()
    again = world.run(request(body, request_id="again"))
    assert again.reply.status is ReplyStatus.UNCHANGED
    assert (world.api.mutations(), again.audits) == ([], ())
