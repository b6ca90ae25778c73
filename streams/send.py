"""What a producer of ours does: publish a request under its canonical key, and wait for its reply.

The command `send`, the sandbox's story and the tests stand on it. It needs nothing of the connector but its contract.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from connector.settings import Settings

from .clients import end
from .topics import TopicNames
from .wire import decode_record, encode_record
from .wire.headers import header_value
from .wire.keys import user_key

OPERATIONS = {
    "create": "CREATE_ACCOUNT",
    "delete": "DELETE_ACCOUNT",
    "grant": "GRANT_ENTITLEMENTS",
    "revoke": "REVOKE_ENTITLEMENTS",
}
"""The short words of the command line; any other operation is given by its full name."""

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What the command line was given."""

    operation: str | None = None
    user: str | None = None
    account: str | None = None
    groups: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    request_id: str | None = None
    expected_user_id: str | None = None
    resumes: str | None = None
    dry_run: bool = False
    file: Path | None = None
    timeout_s: float = 60.0


def new_request(operation: str, account: str, user: str, **fields: Any) -> dict[str, Any]:
    """The fields of a ProvisioningRequest; what is not given is null or empty."""
    return {
        "requestId": str(uuid.uuid4()),
        "operation": operation,
        "awsAccountId": account,
        "userName": user,
        "requestedAt": datetime.now(UTC),
        "requestedBy": {"system": "idhub-aws-cli", "user": None},
        **fields,
    }


def entitlement(kind: str, name: str) -> dict[str, Any]:
    """One entitlement as the record carries it."""
    return {"type": kind, "name": name, "document": None}


def to_fields(options: SendOptions) -> dict[str, Any]:
    """The request that the options describe.

    Raises:
        ValueError: what is missing or wrong, in a sentence.
    """
    if options.file is not None:
        try:
            given = json.loads(options.file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{options.file}: {error}") from error
        if not isinstance(given, dict):
            raise ValueError(f"{options.file}: must hold one JSON object with the fields of a ProvisioningRequest")
        for name in ("operation", "userName"):
            if name not in given:
                raise ValueError(f"{options.file}: the field {name} is missing")
        account = given.get("awsAccountId") or options.account
        return {
            **new_request(given["operation"], _account(account), given["userName"]),
            **given,
            "awsAccountId": account,
        }
    if not options.operation or not options.user:
        raise ValueError("say what is to be done to whom: `idhub-aws send create USER`, or give --file")
    operation = OPERATIONS.get(options.operation.lower(), options.operation.upper())
    entitlements = [entitlement("GROUP", name) for name in options.groups]
    entitlements += [entitlement(_policy_type(name), name) for name in options.policies]
    fields: dict[str, Any] = {
        "attributes": _pairs(options.attributes, "--attribute"),
        "tags": {"set": _pairs(options.tags, "--tag"), "remove": []},
        "entitlements": entitlements,
        "expectedUserId": options.expected_user_id,
        "resumes": options.resumes,
        "dryRun": options.dry_run,
    }
    if options.request_id:
        fields["requestId"] = options.request_id
    return new_request(operation, _account(options.account), options.user, **fields)


def _account(account: str | None) -> str:
    if account is None or len(account) != 12 or not account.isdigit():
        raise ValueError("the AWS account is missing: give --account with its 12 digits")
    return account


def _policy_type(name: str) -> str:
    """An ARN tells whose policy it is; a bare name is one of AWS's own."""
    return "CUSTOMER_MANAGED_POLICY" if name.startswith("arn:") and ":iam::aws:" not in name else "AWS_MANAGED_POLICY"


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} {text!r}: write name=value")
        pairs[name] = value
    return pairs


@dataclass(slots=True)
class Published:
    """Where a request was put."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class RequestClient:
    """Publishes requests and collects the replies that come after it was opened.

    async with RequestClient(settings) as client:
        reply = await client.ask(fields, timeout_s=30)
    """

    settings: Settings
    replies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Every reply seen, decoded, by request id; `_bytes` and `_key` beside the record's fields."""
    _topics: Any = None
    _producer: Any = None
    _consumer: Any = None
    _follower: "asyncio.Task[None] | None" = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Self:
        self._topics = TopicNames(self.settings.topic_prefix)
        servers = self.settings.bootstrap_servers
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
        self._consumer = AIOKafkaConsumer(
            self._topics.replies,
            bootstrap_servers=servers,
            isolation_level="read_committed",
            auto_offset_reset="latest",
        )
        try:
            await self._producer.start()
            await self._consumer.start()
            for tp in self._consumer.assignment():
                await self._consumer.position(tp)  # fixed now: a reply to what is published next is not missed
        except BaseException:
            await self.__aexit__()
            raise
        self._follower = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        await end(self._consumer)
        await end(self._producer)

    async def _follow(self) -> None:
        async for record in self._consumer:
            _, reply = decode_record(record.value)
            entry = {**reply, "_bytes": record.value, "_key": record.key, "_headers": dict(record.headers)}
            async with self._news:
                self.replies.setdefault(reply["requestId"], []).append(entry)
                self._news.notify_all()

    async def publish(
        self, fields: dict[str, Any], *, key: bytes | None = None, partition: int | None = None, headers: Headers = ()
    ) -> Published:
        """Publish a request under its canonical key (or, to see what happens, under another)."""
        right = user_key(fields.get("awsAccountId") or "", fields["userName"]).encode()
        value = encode_record("ProvisioningRequest", fields)
        return await self.publish_bytes(value, key=right if key is None else key, partition=partition, headers=headers)

    async def publish_bytes(
        self, value: bytes | None, *, key: bytes | None, partition: int | None = None, headers: Headers = ()
    ) -> Published:
        """Publish these bytes as they are."""
        told = await self._producer.send_and_wait(
            self._topics.requests, value, key=key, partition=partition, headers=list(headers)
        )
        return Published(told.topic, told.partition, told.offset)

    async def reply(self, request_id: str, *, timeout_s: float, count: int = 1) -> dict[str, Any]:
        """The `count`th reply to this request.

        Raises:
            TimeoutError: none came in time; the request may still run.
        """
        async with self._news:
            try:
                await asyncio.wait_for(
                    self._news.wait_for(lambda: len(self.replies.get(request_id, ())) >= count), timeout_s
                )
            except TimeoutError:
                raise TimeoutError(
                    f"no reply to {request_id} within {timeout_s:g} s; the request may still run: "
                    f"`idhub-aws watch --request {request_id} --since 1h` shows it, sending it again gets its reply"
                ) from None
            return self.replies[request_id][count - 1]

    async def ask(self, fields: dict[str, Any], *, timeout_s: float = 60.0, headers: Headers = ()) -> dict[str, Any]:
        """Publish and wait for the reply; raises as `reply` does."""
        count = len(self.replies.get(fields["requestId"], ())) + 1
        await self.publish(fields, headers=headers)
        return await self.reply(fields["requestId"], timeout_s=timeout_s, count=count)


async def send_request(settings: Settings, options: SendOptions) -> dict[str, Any]:
    """What the command `send` does.

    Raises:
        ValueError: the options describe no request.
        TimeoutError: no reply in time.
        KafkaError: Kafka cannot be reached.
    """
    fields = to_fields(options)
    async with RequestClient(settings) as client:
        reply = await client.ask(fields, timeout_s=options.timeout_s)
    return {name: value for name, value in reply.items() if not name.startswith("_")}


__all__ = ["Published", "RequestClient", "SendOptions", "entitlement", "header_value", "new_request", "send_request"]
