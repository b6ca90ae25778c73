"""What a producer of ours does: publish a request under its canonical key, and wait for its reply.

The command `send`, the sandbox's story and the tests stand on it. It needs nothing of the connector but its contract.
"""

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from connector.settings import Settings

from .admin import answering, need_topics
from .clients import end
from .errors import BrokerAway
from .topics import TopicNames
from .wire import decode_record, encode_record
from .wire.codec import Codec
from .wire.errors import SchemaNotCached, WireError
from .wire.from_json import from_json
from .wire.keys import user_key
from .wire.requests import ACCOUNT_ID, hash_of
from .wire.requests import NAME as REQUEST
from .wire.results import REPLY

log = structlog.get_logger(__name__)

OPERATIONS = {
    "create": "CREATE_ACCOUNT",
    "update": "UPDATE_ACCOUNT",
    "delete": "DELETE_ACCOUNT",
    "disable": "DISABLE_ACCOUNT",
    "enable": "ENABLE_ACCOUNT",
    "reset": "RESET_PASSWORD",
    "grant": "GRANT_ENTITLEMENTS",
    "revoke": "REVOKE_ENTITLEMENTS",
    "set": "SET_ENTITLEMENTS",
}
"""The short words of the command line; any other operation is given by its full name."""

PUBLISH_S = 40.0
"""How long Kafka may take to acknowledge a request: it may be electing a leader."""

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
    """`-` is the standard input."""
    timeout_s: float = 60.0


BESIDE_FILE = {"file", "account", "request_id", "dry_run", "timeout_s"}
"""The options that complete what a file says; the others would contradict it."""


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
    return _from_flags(options) if options.file is None else _from_file(options, options.file)


def _from_file(options: SendOptions, file: Path) -> dict[str, Any]:
    contradicting = [f.name for f in fields(options) if f.name not in BESIDE_FILE and getattr(options, f.name)]
    if contradicting:
        raise ValueError(f"--file says everything; leave out: {', '.join(contradicting)}")
    try:
        given = json.loads(sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from None
    beside = {"awsAccountId": options.account, "requestId": options.request_id, "dryRun": options.dry_run or None}
    beside = {name: value for name, value in beside.items() if value is not None}
    made = new_request("", "", "")
    try:
        request = from_json(
            REQUEST, {"requestId": made["requestId"], **given, **beside} if isinstance(given, dict) else given
        )
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    request["awsAccountId"] = _account(request.get("awsAccountId"))
    return {name: made[name] for name in ("requestedAt", "requestedBy")} | request


def _from_flags(options: SendOptions) -> dict[str, Any]:
    if not options.operation or not options.user:
        raise ValueError("say what is to be done to whom: `idhub-aws send create USER`, or give --file")
    operation = OPERATIONS.get(options.operation.lower(), options.operation.upper())
    entitlements = [entitlement("GROUP", name) for name in options.groups]
    entitlements += [entitlement(_policy_type(name), name) for name in options.policies]
    stated: dict[str, Any] = {
        "attributes": {name: _one_or_all(values) for name, values in _pairs(options.attributes, "--attribute").items()},
        "tags": {"set": _tags(options.tags), "remove": []},
        "entitlements": entitlements,
        "expectedUserId": options.expected_user_id,
        "resumes": options.resumes,
        "dryRun": options.dry_run,
    }
    if options.request_id:
        stated["requestId"] = options.request_id
    return from_json(REQUEST, new_request(operation, _account(options.account), options.user, **stated))


def _account(account: str | None) -> str:
    if account is None:
        raise ValueError(
            "the AWS account is missing: give --account with its 12 digits; it is part of the record's key"
        )
    if not ACCOUNT_ID.fullmatch(account):
        raise ValueError(f"{account} is no AWS account: it has 12 digits, leading zeros included")
    return account


def _policy_type(name: str) -> str:
    """An ARN tells whose policy it is; a bare name is one of AWS's own."""
    return "CUSTOMER_MANAGED_POLICY" if name.startswith("arn:") and ":iam::aws:" not in name else "AWS_MANAGED_POLICY"


def _pairs(given: Sequence[str], option: str) -> dict[str, list[str]]:
    """All values of each name, in order."""
    pairs: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} {text!r}: write name=value")
        pairs.setdefault(name, []).append(value)
    return pairs


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _tags(given: Sequence[str]) -> dict[str, str]:
    tags = _pairs(given, "--tag")
    twice = [name for name, values in tags.items() if len(values) > 1]
    if twice:
        raise ValueError(f"--tag {', '.join(twice)}: given twice, and a tag has one value")
    return {name: values[0] for name, values in tags.items()}


@dataclass(slots=True)
class Published:
    """Where a request was put."""

    topic: str
    partition: int
    offset: int


class RequestClient:
    """Publishes requests and collects the replies that come after it was opened.

    async with RequestClient(settings) as client:
        reply = await client.ask(fields, timeout_s=30)
    """

    def __init__(self, settings: Settings) -> None:
        self.replies: dict[str, list[dict[str, Any]]] = {}
        """Every reply seen, decoded, by request id; `_bytes`, `_key` and `_headers` beside the record's fields."""
        self._settings = settings
        self._topics = TopicNames(settings.topic_prefix)
        self._producer: Any = None
        self._consumer: Any = None
        self._codec = Codec(None, self._topics)
        self._follower: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._broken: Exception | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerAway: Kafka cannot be reached.
            StreamsError: the topics are not there, Kafka refuses, or the schema registry does not answer.
        """
        await need_topics(self._settings, (self._topics.requests, self._topics.replies))
        servers = self._settings.bootstrap_servers
        self._codec = Codec(self._settings.schema_registry_url, self._topics)
        try:
            await self._codec.open(self._topics.requests, self._topics.replies)
            async with answering(self._settings):
                self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
                await self._producer.start()
                self._consumer = AIOKafkaConsumer(
                    self._topics.replies,
                    bootstrap_servers=servers,
                    isolation_level="read_committed",
                    auto_offset_reset="latest",
                )
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
        for client in (self._consumer, self._producer):
            if client is not None:
                await end(client)
        await self._codec.close()

    async def _follow(self) -> None:
        try:
            async for record in self._consumer:
                await self._codec.prepare(record.value)
                entry = _decode(self._codec, record)
                if entry is not None:
                    async with self._news:
                        self.replies.setdefault(entry["requestId"], []).append(entry)
                        self._news.notify_all()
        except Exception as error:  # noqa: BLE001 - whoever waits for a reply is told
            async with self._news:
                self._broken = error
                self._news.notify_all()

    async def publish(
        self,
        fields: Mapping[str, Any],
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Published:
        """Publish a request under its canonical key (or, to see what happens, under another)."""
        right = user_key(fields.get("awsAccountId") or "", fields["userName"]).encode()
        value = self._codec.encode(self._topics.requests, REQUEST, dict(fields))
        return await self.publish_bytes(value, key=right if key is None else key, partition=partition, headers=headers)

    async def publish_bytes(
        self, value: bytes | None, *, key: bytes | None, partition: int | None = None, headers: Headers = ()
    ) -> Published:
        """Publish these bytes as they are.

        Raises:
            BrokerAway: Kafka did not acknowledge them in time; they may be published all the same.
            StreamsError: Kafka refuses them.
        """
        async with answering(self._settings, PUBLISH_S):
            told = await self._producer.send_and_wait(
                self._topics.requests, value, key=key, partition=partition, headers=list(headers)
            )
        return Published(told.topic, told.partition, told.offset)

    async def reply(self, request_id: str, *, timeout_s: float, count: int = 1) -> dict[str, Any]:
        """The `count`th reply to this request.

        Raises:
            TimeoutError: none came in time; the request may still run.
            KafkaError: replies cannot be read any more.
        """
        return await self._wait(request_id, timeout_s, count, lambda _: True)

    async def ask(self, fields: Mapping[str, Any], *, timeout_s: float = 60.0, headers: Headers = ()) -> dict[str, Any]:
        """Publish and wait for the reply to this content; raises as `publish_bytes` and `reply` do."""
        request_id = fields["requestId"]
        mine = hash_of(decode_record(encode_record(REQUEST, dict(fields)))[1])

        def answers(reply: Mapping[str, Any]) -> bool:
            return bool(reply["requestHash"] == mine)

        count = sum(map(answers, self.replies.get(request_id, ()))) + 1
        try:
            await self.publish(fields, headers=headers)
        except BrokerAway as error:
            raise BrokerAway(
                f"{error} It is not known whether the request was published; sent again with --request-id {request_id} "
                "it is done once"
            ) from error
        return await self._wait(request_id, timeout_s, count, answers)

    async def _wait(
        self, request_id: str, timeout_s: float, count: int, wanted: Callable[[Mapping[str, Any]], bool]
    ) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [reply for reply in self.replies.get(request_id, ()) if wanted(reply)]

        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: len(found()) >= count or self._broken is not None)
        except TimeoutError:
            raise TimeoutError(
                f"no reply to {request_id} within {timeout_s:g} s; the request may still run: "
                f"`idhub-aws watch --request {request_id} --since 1h` shows it; sent again with "
                f"--request-id {request_id} it gets its reply"
            ) from None
        if len(found()) < count and self._broken is not None:
            raise self._broken
        return found()[count - 1]


def _decode(codec: Codec, record: Any) -> dict[str, Any] | None:
    """A reply; None for what is none, which is nobody's answer."""
    if record.value is None:
        return None
    try:
        _, reply = codec.decode(record.value, REPLY)
    except (WireError, SchemaNotCached) as error:
        log.warning("reply.unreadable", partition=record.partition, offset=record.offset, error=str(error))
        return None
    return {**reply, "_bytes": record.value, "_key": record.key, "_headers": dict(record.headers)}


async def send_request(settings: Settings, options: SendOptions) -> dict[str, Any]:
    """What the command `send` does.

    Raises:
        ValueError: the options describe no request.
        TimeoutError: no reply in time.
        StreamsError: Kafka cannot be reached, or refuses.
    """
    request = to_fields(options)
    async with RequestClient(settings) as client:
        reply = await client.ask(request, timeout_s=options.timeout_s)
    return {name: value for name, value in reply.items() if not name.startswith("_")}
