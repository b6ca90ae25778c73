"""Create the topics and check that they are as the connector needs them. Existing topics are never changed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from connector.settings import Settings

from .errors import BrokerAway, StreamsError
from .topics import DEFAULT_PARTITIONS, TOPICS, Topic, TopicNames

ANSWER_S = 15.0
"""How long Kafka may take to answer before it counts as away."""


SEEN_S = 0.05
"""Between looks whether new topics are visible."""


@dataclass(frozen=True, slots=True)
class TopicProblem:
    """What is wrong with a topic, and the command that mends it."""

    topic: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.problem}; {self.mend}"


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=int(ANSWER_S * 1000))
    try:
        async with asyncio.timeout(ANSWER_S):
            await admin.start()
            yield admin
    except (TimeoutError, KafkaError, OSError) as error:
        raise BrokerAway(
            f"Kafka at {settings.bootstrap_servers} does not answer ({type(error).__name__}): "
            "is it running, and is KAFKA_BOOTSTRAP_SERVERS right?"
        ) from error
    finally:
        await admin.close()


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions a topic is created with."""
    return settings.partitions if topic.co_partitioned else min(DEFAULT_PARTITIONS, settings.partitions)


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing; returns the names of what was created.

    Raises:
        BrokerAway: Kafka cannot be reached.
        StreamsError: Kafka refuses to create a topic.
    """
    names = TopicNames(settings.topic_prefix)
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        wanted = [
            NewTopic(
                names.of(topic.name),
                partitions_of(topic, settings),
                settings.replication_factor,
                topic_configs=dict(topic.config),
            )
            for topic in TOPICS
            if topic.present and names.of(topic.name) not in existing
        ]
        if not wanted:
            return []
        for name, code, message in (await admin.create_topics(wanted)).topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise StreamsError(f"Kafka refuses to create {name}: {message or for_code(code).__name__}")
        created = [new.name for new in wanted]
        while not set(created) <= set(await admin.list_topics()):  # noqa: ASYNC110 - Kafka tells nobody; it has to be asked
            await asyncio.sleep(SEEN_S)  # acknowledged by the controller, not yet known to every broker
    return created


async def check_topics(settings: Settings) -> list[TopicProblem]:
    """What is wrong with the topics; empty where all is well.

    Raises:
        BrokerAway: Kafka cannot be reached.
    """
    names = TopicNames(settings.topic_prefix)
    present = [topic for topic in TOPICS if topic.present]
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        here = [topic for topic in present if names.of(topic.name) in existing]
        problems = [
            TopicProblem(names.of(topic.name), "is missing", "run `idhub-aws topics create`")
            for topic in present
            if topic not in here
        ]
        if here:
            counts = await _counts(admin, [names.of(topic.name) for topic in here])
            configs = await _configs(admin, [names.of(topic.name) for topic in here])
            problems += _count_problems(here, names, counts)
            for topic in here:
                problems += _config_problems(names.of(topic.name), topic, configs[names.of(topic.name)])
            problems += _ledger_problem(names, configs)
    return problems


async def _counts(admin: Any, names: list[str]) -> dict[str, int]:
    return {told["topic"]: len(told["partitions"]) for told in await admin.describe_topics(names)}


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for resource in answer.resources:
            configs[resource[3]] = {entry[0]: entry[1] for entry in resource[4]}
    return configs


def _count_problems(here: list[Topic], names: TopicNames, counts: Mapping[str, int]) -> list[TopicProblem]:
    """Co-partitioned topics with unequal counts break the order per user."""
    wanted = counts.get(names.requests)
    if wanted is None:
        return []
    return [
        TopicProblem(
            names.of(topic.name),
            f"has {counts[names.of(topic.name)]} partitions where {names.requests} has {wanted}",
            "drain all workers, delete this topic if it may be lost, and run `idhub-aws topics create` with "
            f"IDHUB_AWS_PARTITIONS={wanted}",
        )
        for topic in here
        if topic.co_partitioned and counts[names.of(topic.name)] != wanted
    ]


def _config_problems(name: str, topic: Topic, found: Mapping[str, str]) -> list[TopicProblem]:
    problems = []
    for key, wanted in topic.config.items():
        have = found.get(key, "")
        if not _enough(key, have, wanted):
            problems.append(
                TopicProblem(
                    name,
                    f"{key} is {have} and not {wanted}",
                    f"kafka-configs.sh --alter --topic {name} --add-config '{key}=[{wanted}]'",
                )
            )
    return problems


def _enough(key: str, have: str, wanted: str) -> bool:
    """Keeping longer or letting larger records in does no harm."""
    if key == "cleanup.policy":
        return set(have.split(",")) == set(wanted.split(","))
    if key in {"retention.ms", "max.message.bytes"}:
        return have == "-1" or int(have or 0) >= int(wanted)
    return have == wanted


def _ledger_problem(names: TopicNames, configs: Mapping[str, Mapping[str, str]]) -> list[TopicProblem]:
    """The ledger must outlive the requests: a restart finds there what was finished."""

    def kept(name: str) -> float:
        value = int(configs.get(name, {}).get("retention.ms", "0"))
        return float("inf") if value < 0 else value

    if names.ledger in configs and names.requests in configs and kept(names.ledger) <= kept(names.requests):
        return [
            TopicProblem(
                names.ledger,
                f"is kept {kept(names.ledger):.0f} ms, not longer than the requests ({kept(names.requests):.0f} ms)",
                f"raise retention.ms of {names.ledger} above that of {names.requests}",
            )
        ]
    return []


async def partition_count(settings: Settings) -> int:
    """How many partitions the requests topic has.

    Raises:
        BrokerAway: Kafka cannot be reached.
    """
    name = TopicNames(settings.topic_prefix).requests
    async with _admin(settings) as admin:
        return (await _counts(admin, [name]))[name]
