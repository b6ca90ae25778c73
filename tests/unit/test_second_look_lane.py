"""A second look in its user's lane: an intent, an outcome in one transaction, no reply, no offset of a request."""

import struct
from datetime import timedelta
from types import SimpleNamespace

from connector.model.refreshes import RefreshReason
from connector.model.requests import DisableAccount, EnableAccount
from streams.lanes import Delivery, Done
from streams.ledger import INDEX_HEADER
from streams.outbox import Outbox
from streams.topics import TopicNames
from streams.users import UsersWork
from tests.support.credentials import equip
from tests.support.domain import ACCOUNT, request
from tests.support.standin import World

TOPICS = TopicNames("t")
KEY = f"{ACCOUNT}/alice".encode()


class Topics:
    """What was written, and what the views would tell of it."""

    def __init__(self, world):
        self.world = world
        self.transactions = []
        self.ledger = {}

    async def write(self, messages):
        self.transactions.append([message.topic for message in messages])
        for message in messages:
            if message.topic == TOPICS.ledger:
                self.ledger[message.key] = message
        return list(range(len(messages)))

    async def find(self, key, _reader):
        found = self.ledger.get(key)
        return found.value if found is not None else None

    def record_of(self, _key):
        return self.world.driver.accounts.get("alice")

    def wrote(self, *_):
        pass


def work_of(world):
    topics = Topics(world)
    outbox = Outbox(TOPICS, max_request_bytes=1000)
    connector = SimpleNamespace(provisioning=world.driver.provisioning, refreshing=world.refreshing)
    shared = SimpleNamespace(
        outbox=outbox,
        topics=TOPICS,
        new_writer=lambda _partition: topics,
        views_of=lambda _partition: (topics, topics),
        connector=connector,
        threads=None,
        clock=world.clock,
        point_reader=None,
        on_step=lambda *_: None,
        waiting=lambda _wait: None,
        settings=SimpleNamespace(call_timeout_s=0.0),
    )
    epoch = SimpleNamespace(partition=3, may_call=lambda: True, is_over=lambda: False, assigned_at=0.0)
    return UsersWork(epoch, shared), topics, outbox


def delivery_of(outbox, world):
    account = world.driver.accounts["alice"]
    (message,) = outbox.look_again([(KEY, account)], world.clock.now(), 3)
    record = SimpleNamespace(
        topic=message.topic, partition=3, offset=77, key=message.key, value=message.value, headers=message.headers
    )
    return Delivery(record)


def disabled():
    world = World()
    world.refreshing = None
    world.console("CreateUser", UserName="alice")
    equip(world.console, "alice", ["access key"])
    world.settled()
    world.run(request(DisableAccount(), request_id="off"))
    return world


async def test_it_has_an_intent_and_an_outcome_and_nobody_to_answer():
    world = disabled()
    equip(world.console, "alice", ["ssh key"])
    world.clock.advance(61)
    work, topics, outbox = work_of(world)
    delivery = delivery_of(outbox, world)
    assert outbox.refresh(delivery.record).reason is RefreshReason.LOOK_AGAIN
    assert isinstance(await work.handle(delivery), Done)
    assert set(world.user()["ssh_public_keys"].values()) == {"Inactive"}
    intent, outcome = topics.transactions
    assert intent == [TOPICS.ledger]
    assert outcome[0] == TOPICS.ledger
    assert {TOPICS.audit, TOPICS.accounts, TOPICS.changes} <= set(outcome)
    assert TOPICS.replies not in outcome
    # The entry finishes no offset of the requests' topic.
    (entry,) = topics.ledger.values()
    assert struct.unpack(">qB", dict(entry.headers)[INDEX_HEADER])[0] == -1


async def test_after_an_enable_it_is_a_reading_and_nothing_else():
    world = disabled()
    world.clock.advance(61)
    work, topics, outbox = work_of(world)
    delivery = delivery_of(outbox, world)
    world.run(request(EnableAccount(), request_id="on"))
    asked = []

    def refresh(*_, **told):
        asked.append(told["reason"])
        return SimpleNamespace(account=None, change=None, problem=None)

    work._shared.connector.refreshing = SimpleNamespace(refresh=refresh)
    assert isinstance(await work.handle(delivery), Done)
    assert (asked, topics.transactions) == (["LOOK_AGAIN"], [])


def test_a_look_still_to_come_survives_what_happens_in_between():
    world = disabled()
    due = world.driver.accounts["alice"].look_again_at
    world.clock.advance(10)
    world.run(request(DisableAccount(), request_id="again"))
    after = world.driver.accounts["alice"].look_again_at
    assert due <= after <= due + timedelta(seconds=60)
