"""The path from a request on a real Kafka to a changed IAM, a reply and everything else that is published of it.

One worker as in production, a process of its own, serves all tests here; each has users of its own.
"""

import asyncio
from datetime import UTC, datetime

import pytest

from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT
from sandbox.leaver import plant_leaver
from streams.send import entitlement
from streams.wire import decode_record, encode_record
from streams.wire.headers import header_value
from streams.wire.keys import user_key
from tests.support.kafka import produce, read_topic
from tests.support.wait import eventually
from tests.torture.checks import gather as gather_all
from tests.torture.checks import no_secret_anywhere, quiet_logs, request_of
from tests.torture.load import ask
from tests.torture.world import PLAIN, open_credential, world

WINDOW_S = 1.0
REPLY_S = 30.0


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    with world(kafka.bootstrap, tmp_path_factory.mktemp("path"), PROPAGATION_WINDOW_S=WINDOW_S) as one:
        asyncio.run(one.make_topics())
        one.worker(argv=PLAIN)
        yield one


@pytest.fixture
async def client(here):
    async with here.client() as one:
        yield one


def groups(*names):
    return [entitlement("GROUP", name) for name in names]


async def published(here, topic, user):
    """Every record of a topic on one user: (record, fields), in order."""
    key = user_key(DEFAULT_ACCOUNT, user).encode()
    records = await read_topic(here.bootstrap, here.topics.of(topic))
    return [(record, decode_record(record.value)[1]) for record in records if record.key == key]


async def told(here, topic, user):
    return [fields for _, fields in await published(here, topic, user)]


def calls_of(here, request_id):
    return [entry for entry in here.aws.journal() if request_of(entry)[0] == request_id]


async def test_a_creation_is_answered_audited_and_published(here, client):
    request = ask(
        "path-create",
        "CREATE_ACCOUNT",
        "Anna",
        attributes={"department": "Finance"},
        entitlements=[*groups("developers"), entitlement("AWS_MANAGED_POLICY", "ReadOnlyAccess")],
        approval={"ticket": "REQ-1", "approver": "boss"},
    )
    reply = await client.ask(request, timeout_s=REPLY_S)

    assert reply["status"] == "SUCCEEDED"
    assert reply["error"] is None
    assert [(step["action"], step["outcome"]) for step in reply["steps"]] == [
        ("CreateUser", "DONE"),
        ("CreateLoginProfile", "DONE"),
        ("AddUserToGroup", "DONE"),
        ("AttachUserPolicy", "DONE"),
    ]
    user = here.aws.state()["users"]["Anna"]
    assert user["groups"] == ["developers"]
    assert user["attached_policies"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    assert user["tags"] == {"department": "Finance", "idhub:request-id": "path-create"}
    assert reply["account"]["userId"] == user["user_id"]
    here.aws.sign_in("Anna", open_credential(reply["credential"]))

    audits = await told(here, "audit", "Anna")
    assert [(audit["step"], audit["action"], audit["target"]) for audit in audits] == [
        (step["number"], step["action"], step["target"]) for step in reply["steps"]
    ]
    assert {audit["awsRequestId"] for audit in audits} == {
        entry.request_id for entry in calls_of(here, "path-create") if entry.changed
    }
    assert all(audit["requestedBy"] == {"system": "IDHub", "user": "jerome"} for audit in audits)
    assert all(audit["approval"] == {"ticket": "REQ-1", "approver": "boss"} for audit in audits)
    assert all(audit["userId"] == user["user_id"] for audit in audits)

    [account] = await told(here, "accounts", "Anna")
    assert (account["userId"], account["deleted"]) == (user["user_id"], False)
    assert [item["id"] for item in account["groups"]] == ["developers"]
    [change] = await told(here, "changes", "Anna")
    assert (change["kind"], change["origin"], change["requestId"]) == ("CREATED", "IDHUB", "path-create")
    assert change["before"] is None
    assert change["after"]["userId"] == user["user_id"]


async def test_everything_of_a_request_carries_its_headers(here, client):
    request = ask("path-headers", "CREATE_ACCOUNT", "Ben", entitlements=groups("readonly"))
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = [("correlation-id", b"corr-7"), ("traceparent", trace), ("x-other", b"stays here")]
    await client.ask(request, timeout_s=REPLY_S, headers=headers)

    for topic, kind in (("replies", "reply"), ("audit", "audit"), ("changes", "change")):
        for record, _ in await published(here, topic, "Ben"):
            told_ = dict(record.headers)
            assert (told_["correlation-id"], told_["traceparent"]) == (b"corr-7", trace)
            assert "x-other" not in told_
            assert told_["ce_type"].decode().endswith(f".{kind}")
            assert told_["ce_subject"].decode() == user_key(DEFAULT_ACCOUNT, "Ben")
            datetime.fromisoformat(told_["ce_time"].decode())
    ids = [header_value(record.headers, "ce_id") for record, _ in await published(here, "audit", "Ben")]
    assert len(set(ids)) == len(ids)


async def test_a_repeated_request_is_answered_with_the_same_bytes_and_no_call(here, client):
    request = ask("path-repeat", "CREATE_ACCOUNT", "Cora", entitlements=groups("readonly"))
    first = await client.ask(request, timeout_s=REPLY_S)
    calls = len(calls_of(here, "path-repeat"))
    again = await client.ask(request, timeout_s=REPLY_S)
    assert again["_bytes"] == first["_bytes"]
    assert len(calls_of(here, "path-repeat")) == calls
    assert len(await told(here, "audit", "Cora")) == 3


async def test_a_life_from_joining_to_leaving(here, client):
    plant_leaver(here.aws, "Dora")
    grant = ask("path-grant", "GRANT_ENTITLEMENTS", "dora", entitlements=groups("auditors", "developers"))
    granted = await client.ask(grant, timeout_s=REPLY_S)
    assert granted["status"] == "SUCCEEDED"
    assert {step["target"]: step["outcome"] for step in granted["steps"]} == {
        "auditors": "DONE",
        "developers": "ALREADY_SO",
    }
    revoke = ask("path-revoke", "REVOKE_ENTITLEMENTS", "DORA", entitlements=groups("Developers"))
    assert (await client.ask(revoke, timeout_s=REPLY_S))["status"] == "SUCCEEDED"
    assert here.aws.state()["users"]["Dora"]["groups"] == ["auditors"]

    planned = await client.ask(ask("path-look", "DELETE_ACCOUNT", "Dora", dryRun=True), timeout_s=REPLY_S)
    assert planned["status"] == "PLANNED"
    assert "Dora" in here.aws.state()["users"]

    deleted = await client.ask(ask("path-delete", "DELETE_ACCOUNT", "Dora"), timeout_s=REPLY_S)
    assert deleted["status"] == "SUCCEEDED"
    state = here.aws.state()
    assert "Dora" not in state["users"]
    assert not [serial for serial in state["virtual_mfa_devices"] if serial.endswith("/Dora")]

    assert [change["kind"] for change in await told(here, "changes", "Dora")] == ["DISCOVERED", "UPDATED", "DELETED"]
    accounts = await told(here, "accounts", "Dora")
    assert (accounts[-1]["deleted"], accounts[-1]["userId"]) == (True, accounts[0]["userId"])
    again = await client.ask(ask("path-delete-again", "DELETE_ACCOUNT", "Dora"), timeout_s=REPLY_S)
    assert again["status"] == "UNCHANGED"


async def refresh(here, user, *facets, **fields):
    """Ask for a second look at a user, as the trail and reconciliation do."""
    value = encode_record(
        "Refresh",
        {
            "awsAccountId": DEFAULT_ACCOUNT,
            "userName": user,
            "facets": list(facets),
            "reason": "TRAIL",
            "eventIds": [],
            "actor": None,
            "occurredAt": None,
            "observedAt": None,
            "observedState": None,
            **fields,
        },
    )
    key = user_key(DEFAULT_ACCOUNT, user).encode()
    await produce(here.bootstrap, here.topics.refreshes, value, key=key)


def by_console(here, action, **params):
    return here.aws.call(action, params)


async def test_what_somebody_else_changed_is_published_after_a_refresh(here, client):
    by_console(here, "CreateUser", UserName="Eve")
    await refresh(here, "Eve", "GROUPS")
    await eventually(lambda: told(here, "accounts", "Eve"), "the account is published")
    [seen] = await told(here, "changes", "Eve")
    assert (seen["kind"], seen["origin"], seen["requestId"]) == ("DISCOVERED", "FOREIGN", None)

    by_console(here, "AddUserToGroup", UserName="Eve", GroupName="admins")
    when = datetime.now(UTC).replace(microsecond=0)
    await refresh(here, "EVE", "GROUPS", eventIds=["event-1"], actor="arn:aws:iam::1:user/mallory", occurredAt=when)

    async def two_changes():
        return len(await told(here, "changes", "Eve")) == 2

    await eventually(two_changes, "the change is published")
    change = (await told(here, "changes", "Eve"))[-1]
    assert (change["kind"], change["origin"], change["actor"]) == ("UPDATED", "FOREIGN", "arn:aws:iam::1:user/mallory")
    assert change["eventIds"] == ["event-1"]
    assert change["occurredAt"] == when
    assert [(one["field"], one["before"], one["after"]) for one in change["fields"]] == [("groups", None, "admins")]
    accounts = await told(here, "accounts", "Eve")
    assert [item["id"] for item in accounts[-1]["groups"]] == ["admins"]


async def test_a_refresh_that_finds_nothing_new_publishes_nothing(here, client):
    by_console(here, "CreateUser", UserName="Finn")
    await refresh(here, "Finn", "GROUPS", "LOGIN")
    await eventually(lambda: told(here, "accounts", "Finn"), "the account is published")
    looked = [entry.seq for entry in here.aws.journal() if entry.user == "finn"]

    await refresh(here, "Finn", "GROUPS", "LOGIN")
    await eventually(
        lambda: [entry for entry in here.aws.journal(looked[-1]) if entry.action == "GetLoginProfile"],
        "the user was read again",
    )
    # The lane is one after the other: when this one is answered, the refresh is done with.
    absent = ask("path-after-refresh", "REVOKE_ENTITLEMENTS", "Finn", entitlements=groups("admins"))
    assert (await client.ask(absent, timeout_s=REPLY_S))["status"] == "UNCHANGED"
    assert len(await told(here, "accounts", "Finn")) == 1
    assert len(await told(here, "changes", "Finn")) == 1


async def test_a_user_whom_somebody_else_deleted_is_gone_after_a_second_look(here):
    by_console(here, "CreateUser", UserName="Gus")
    await refresh(here, "Gus", "GROUPS")
    await eventually(lambda: told(here, "accounts", "Gus"), "the account is published")
    by_console(here, "DeleteUser", UserName="Gus")
    await refresh(here, "Gus", "GROUPS")

    async def gone():
        return (await told(here, "accounts", "Gus"))[-1]["deleted"]

    await eventually(gone, "the second look agrees that the user is gone")
    assert [account["deleted"] for account in await told(here, "accounts", "Gus")] == [False, False, True]
    assert [change["kind"] for change in await told(here, "changes", "Gus")] == ["DISCOVERED", "DELETED"]


async def test_a_refresh_under_the_key_of_another_user_is_a_dead_letter(here):
    value = encode_record(
        "Refresh",
        {
            "awsAccountId": DEFAULT_ACCOUNT,
            "userName": "somebody",
            "facets": ["GROUPS"],
            "reason": "OPERATOR",
            "eventIds": [],
            "actor": None,
            "occurredAt": None,
            "observedAt": None,
            "observedState": None,
        },
    )
    await produce(here.bootstrap, here.topics.refreshes, value, key=b"somebody-else")

    async def buried():
        records = await read_topic(here.bootstrap, here.topics.dead_letters)
        return [record for record in records if record.key == b"somebody-else"]

    [letter] = await eventually(buried, "the dead letter")
    assert letter.value == value
    assert header_value(letter.headers, "original-topic") == here.topics.refreshes


async def test_nothing_secret_was_published_or_logged(here, client):
    """After everything above: every password that was delivered is looked for everywhere, in every usual form."""
    await client.ask(ask("path-last", "CREATE_ACCOUNT", "Zoe"), timeout_s=REPLY_S)
    evidence = await gather_all(here, [], here.aws.state(), cut_short=False)
    replies = [reply for _, reply in evidence.decoded("replies") if reply["credential"] is not None]
    assert len(replies) >= 3
    evidence.secrets |= {open_credential(reply["credential"]) for reply in replies}
    no_secret_anywhere(evidence)
    quiet_logs(evidence)
    assert all(entry.principal == CONNECTOR for entry in evidence.journal)
