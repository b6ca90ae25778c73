"""Create the topics and check that they are as the connector needs them. Existing topics are never changed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import BrokerResponseError, KafkaError, NoError, TopicAlreadyExistsError, for_code

from connector.settings import Settings

from .away import describe
from .errors import BrokerAway, StreamsError
from .topics import BY_NAME, DEFAULT_PARTITIONS, PRESENT, Topic, TopicNames

ANSWER_S = 15.0
"""How long Kafka may take to answer before it counts as away."""

CLOSE_S = 1.0
"""How long a frozen broker may hold up the end of a connection."""

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
async def answering(settings: Settings, within_s: float = ANSWER_S) -> AsyncIterator[None]:
    """Bound what is asked of Kafka inside, and say in our words what went wrong.

    Raises:
        BrokerAway: no answer in time, or no connection.
        StreamsError: Kafka answered and refuses.
    """
    try:
        async with asyncio.timeout(within_s):
            yield
    except (TimeoutError, KafkaError, OSError) as error:
        if isinstance(error, BrokerResponseError) and not error.retriable:
            raise StreamsError(f"Kafka at {settings.bootstrap_servers} refuses: {describe(error)}") from error
        raise BrokerAway(
            f"Kafka at {settings.bootstrap_servers} does not answer ({type(error).__name__}): "
            "is it running, and is KAFKA_BOOTSTRAP_SERVERS right?"
        ) from error


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=int(ANSWER_S * 1000))
    try:
        async with answering(settings):
            await admin.start()
            yield admin
    finally:
        closing = asyncio.ensure_future(admin.close())
        await asyncio.wait({closing}, timeout=CLOSE_S)
        closing.cancel()


# -- create ---------------------------------------------------------------------------------------------------------


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing, in one request; returns the names of what was created, visible by then.

    Where some of the co-partitioned topics exist, the others get as many partitions as those have.

    Raises:
        BrokerAway: Kafka cannot be reached.
        StreamsError: Kafka refuses to create a topic; the others are created all the same.
    """
    names = TopicNames(settings.topic_prefix)
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in PRESENT if names.of(topic.name) not in existing]
        if not missing:
            return []
        siblings = [name for t in PRESENT if t.co_partitioned and (name := names.of(t.name)) in existing]
        counts = await _counts(admin, siblings)
        co_partitions = counts.get(names.requests) or max(counts.values(), default=settings.partitions)
        answer = await admin.create_topics([_new(topic, names, settings, co_partitions) for topic in missing])
        errors = {name: (for_code(code), message) for name, code, message in answer.topic_errors}
        created = [name for name, (error, _) in errors.items() if error is NoError]
        while not set(created) <= set(await admin.list_topics()):  # noqa: ASYNC110 - Kafka tells nobody; it has to be asked
            await asyncio.sleep(SEEN_S)  # acknowledged by the controller, not yet known to every broker
        _raise_refused({n: e for n, e in errors.items() if e[0] not in {NoError, TopicAlreadyExistsError}})
    return created


def _new(topic: Topic, names: TopicNames, settings: Settings, co_partitions: int) -> Any:
    """A topic to create. With three replicas, what is acknowledged is on two of them."""
    replicas = settings.replication_factor
    return NewTopic(
        names.of(topic.name),
        co_partitions if topic.co_partitioned else min(DEFAULT_PARTITIONS, co_partitions),
        replicas,
        topic_configs={**topic.config, "min.insync.replicas": str(max(1, replicas - 1))},
    )


def _raise_refused(refused: Mapping[str, tuple[Any, str | None]]) -> None:
    """One line for each reason, however many topics it hits."""
    by_reason = defaultdict(list)
    for name, (error, message) in refused.items():
        by_reason[message or error.__name__].append(name)
    if by_reason:
        told = "\n".join(f"Kafka refuses to create {', '.join(which)}: {why}" for why, which in by_reason.items())
        few = any("replic" in why for why in by_reason)
        raise StreamsError(told + ("\nOn fewer brokers set IDHUB_AWS_REPLICATION_FACTOR." if few else ""))


# -- check ----------------------------------------------------------------------------------------------------------


async def check_topics(settings: Settings) -> list[TopicProblem]:
    """What is wrong with the topics; empty where all is well.

    Raises:
        BrokerAway: Kafka cannot be reached.
        StreamsError: Kafka does not let us look.
    """
    names = TopicNames(settings.topic_prefix)
    async with _admin(settings) as admin:
        existing = set(await admin.list_topics())
        here = {names.of(topic.name): topic for topic in PRESENT if names.of(topic.name) in existing}
        problems = [
            TopicProblem(name, "is missing", "run `idhub-aws topics create`")
            for topic in PRESENT
            if (name := names.of(topic.name)) not in here
        ]
        if here:
            problems += _count_problems(here, names, await _counts(admin, list(here)), settings.partitions)
            configs = await _configs(admin, list(here))
            for name, topic in here.items():
                problems += _config_problems(name, topic, configs[name], settings.bootstrap_servers)
            problems += _ledger_problem(names, configs, settings.bootstrap_servers)
    return problems


async def need_topics(settings: Settings, wanted: Collection[str]) -> None:
    """See that these topics (full names) are there, without making Kafka create them by asking.

    Raises:
        BrokerAway: Kafka cannot be reached.
        StreamsError: one is not there, or may not be seen.
    """
    async with _admin(settings) as admin:
        missing = set(wanted) - set(await admin.list_topics())
    if missing:
        raise StreamsError(
            f"no topic {', '.join(sorted(missing))} at {settings.bootstrap_servers}, or none that you may see: "
            "run `idhub-aws topics create`, or set IDHUB_AWS_TOPIC_PREFIX"
        )


async def partition_count(settings: Settings) -> int:
    """How many partitions the requests topic has.

    Raises:
        BrokerAway: Kafka cannot be reached.
    """
    name = TopicNames(settings.topic_prefix).requests
    async with _admin(settings) as admin:
        return (await _counts(admin, [name]))[name]


async def _counts(admin: Any, names: Sequence[str]) -> dict[str, int]:
    told = await admin.describe_topics(list(names)) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in told}


async def _configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code:
                why = message or for_code(code).__name__
                raise StreamsError(f"Kafka does not tell how {name} is kept ({why}): allow DescribeConfigs on it")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _count_problems(
    here: Mapping[str, Topic], names: TopicNames, counts: Mapping[str, int], agreed: int
) -> list[TopicProblem]:
    """Co-partitioned topics with unequal counts break the order per user, and so does a count that has changed.

    Only the settings remember what it was: where partitions were added to all of them, users are elsewhere now, what is
    in flight is overtaken, and the ledger's entries are not found.
    """
    wanted = counts.get(names.requests)
    moved = TopicProblem(
        names.requests,
        f"has {wanted} partitions and IDHUB_AWS_PARTITIONS is {agreed}",
        f"if it was created with {wanted}, set IDHUB_AWS_PARTITIONS={wanted}; if partitions were added since, drain all "
        "producers and workers and begin anew under another IDHUB_AWS_TOPIC_PREFIX",
    )
    return ([moved] if wanted is not None and wanted != agreed else []) + [
        TopicProblem(
            name,
            f"has {counts[name]} partitions where {names.requests} has {wanted}",
            "drain all producers and workers, delete this topic if it may be lost, and run `idhub-aws topics create`",
        )
        for name, topic in here.items()
        if topic.co_partitioned and wanted is not None and counts[name] != wanted
    ]


def _config_problems(name: str, topic: Topic, found: Mapping[str, str], servers: str) -> list[TopicProblem]:
    return [
        TopicProblem(name, f"{key} is {found.get(key, '')} and not {wanted}", _alter(servers, name, key, wanted))
        for key, wanted in topic.config.items()
        if not _enough(key, found.get(key, ""), wanted)
    ]


def _alter(servers: str, name: str, key: str, value: str) -> str:
    given = f"[{value}]" if "," in value else value
    return (
        f"run `kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {name} "
        f"--add-config '{key}={given}'`"
    )


def _enough(key: str, have: str, wanted: str) -> bool:
    """Keeping longer or letting larger records in does no harm."""
    if key == "cleanup.policy":
        return set(have.split(",")) == set(wanted.split(","))
    if key == "retention.ms":
        return _kept(have) >= _kept(wanted)
    if key == "max.message.bytes":
        return int(have or 0) >= int(wanted)
    return have == wanted


def _kept(retention_ms: str | None) -> float:
    """Milliseconds; -1 is for ever."""
    value = int(retention_ms or 0)
    return float("inf") if value < 0 else value


def _ledger_problem(names: TopicNames, configs: Mapping[str, Mapping[str, str]], servers: str) -> list[TopicProblem]:
    """The ledger must outlive the requests: a restart finds there what was finished."""
    if names.ledger not in configs or names.requests not in configs:
        return []
    ledger, requests = (_kept(configs[name].get("retention.ms")) for name in (names.ledger, names.requests))
    if ledger > requests or ledger == float("inf"):
        return []
    enough = max(2 * requests, _kept(BY_NAME["ledger"].config["retention.ms"]))
    longer = "-1" if requests == float("inf") else f"{enough:.0f}"
    told = "for ever" if requests == float("inf") else f"{requests:.0f} ms"
    return [
        TopicProblem(
            names.ledger,
            f"is kept {ledger:.0f} ms, not longer than the requests ({told})",
            _alter(servers, names.ledger, "retention.ms", longer),
        )
    ]
