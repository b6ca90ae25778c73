"""Requests in bulk, published before anybody works on them, and how to see that they are finished."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connector.settings import Settings
from sandbox.aws import DEFAULT_ACCOUNT
from sandbox.aws.client import StandInClient
from streams.send import entitlement, new_request
from streams.topics import TopicNames
from streams.wire import encode_record
from streams.wire.keys import user_key

from .world import WAIT_S, WorkerProcess

GROUP, POLICY = "developers", "ReadOnlyAccess"

Fields = dict[str, Any]


def grant(user: str, *groups: str, policies: Sequence[str] = ()) -> Fields:
    """Grant these groups (without any: the usual one) and AWS's own policies."""
    return _request("GRANT_ENTITLEMENTS", user, groups or (GROUP,), policies)


def revoke(user: str, *groups: str, policies: Sequence[str] = ()) -> Fields:
    """Take these away."""
    return _request("REVOKE_ENTITLEMENTS", user, groups or (GROUP,), policies)


def create(user: str) -> Fields:
    """A new user with a password, a group and a policy."""
    return {**_request("CREATE_ACCOUNT", user, (GROUP,), (POLICY,)), "attributes": {}}


def delete(user: str) -> Fields:
    return _request("DELETE_ACCOUNT", user, (), ())


def _request(operation: str, user: str, groups: Iterable[str], policies: Iterable[str]) -> Fields:
    entitlements = [entitlement("GROUP", name) for name in groups]
    entitlements += [entitlement("AWS_MANAGED_POLICY", name) for name in policies]
    return new_request(operation, DEFAULT_ACCOUNT, user, entitlements=entitlements)


def plant_users(console: StandInClient, names: Iterable[str], group: str | None = None) -> None:
    """Make users at the stand-in's console, long known everywhere."""
    for name in names:
        console.call("CreateUser", {"UserName": name})
        if group is not None:
            console.call("AddUserToGroup", {"UserName": name, "GroupName": group})
    console.settle()


async def publish(settings: Settings, requests: Sequence[Fields]) -> None:
    """All of them, acknowledged."""
    topic = TopicNames(settings.topic_prefix).requests
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, acks="all", linger_ms=20, max_batch_size=262_144
    )
    await producer.start()
    try:
        sends = []
        for fields in requests:
            key = user_key(fields["awsAccountId"], fields["userName"]).encode()
            sends.append(await producer.send(topic, encode_record("ProvisioningRequest", fields), key=key))
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


class Backlog:
    """What of the requests is not committed yet: cheap to ask, so that asking takes nothing from the run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = TopicNames(settings.topic_prefix).requests
        self._admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
        self._consumer: Any = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._settings.bootstrap_servers)
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def left(self) -> int:
        described = await self._admin.describe_topics([self._topic])
        tps = [TopicPartition(self._topic, row["partition"]) for row in described[0]["partitions"]]
        ends = await self._consumer.end_offsets(tps)
        told = await self._admin.list_consumer_group_offsets(self._settings.group, partitions=tps)
        return sum(end - max(told[tp].offset, 0) for tp, end in ends.items())

    async def wait_until_empty(self, worker: WorkerProcess, poll_s: float = 0.25) -> None:
        """Every request published so far is finished and its offset committed."""
        async with asyncio.timeout(WAIT_S):
            while await self.left():
                worker.require_alive()
                await asyncio.sleep(poll_s)
