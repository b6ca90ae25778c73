"""`topics create` and `topics check` on a real Kafka: what is missing is made, what is wrong is named with its mend."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from connector.settings import load_settings
from streams import admin
from streams.admin import check_topics, create_topics, need_topics, partition_count
from streams.errors import BrokerAway, StreamsError
from streams.topics import PRESENT, TopicNames
from tests.support.kafka import make_topic, produce, read_topic
from tests.support.wait import eventually


@pytest.fixture
def settings_for(tmp_path):
    def make(bootstrap, prefix, **given):
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "IDHUB_AWS_TOPIC_PREFIX": prefix,
            "IDHUB_AWS_PARTITIONS": "4",
            "IDHUB_AWS_REPLICATION_FACTOR": "1",
            **{f"IDHUB_AWS_{name}": value for name, value in given.items()},
        }
        return load_settings(environ, tmp_path / "none.env")

    return make


@pytest.fixture
def settings(kafka, new_name, settings_for):
    return settings_for(kafka.bootstrap, new_name("admin"))


@asynccontextmanager
async def kafkas_admin(bootstrap):
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def alter(settings, short, **config):
    """What an operator changes; everything else of the topic goes back to Kafka's default."""
    name = TopicNames(settings.topic_prefix).of(short)
    wanted = {key.replace("_", "."): value for key, value in config.items()}
    async with kafkas_admin(settings.bootstrap_servers) as client:
        kept = next(topic for topic in PRESENT if topic.name == short).config
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {**kept, **wanted})])


async def counts_of(settings):
    async with kafkas_admin(settings.bootstrap_servers) as client:
        told = await client.describe_topics([TopicNames(settings.topic_prefix).of(topic.name) for topic in PRESENT])
    return {topic["topic"].rpartition(".")[2]: len(topic["partitions"]) for topic in told}


async def only_problem(settings, containing=""):
    """The one problem that there is, once every part of Kafka knows what was changed."""

    async def found():
        problems = await check_topics(settings)
        return len(problems) == 1 and containing in str(problems[0]) and problems[0]

    return await eventually(found, f"one problem: {containing}")


async def all_is_well(settings):
    async def nothing_wrong():
        return not await check_topics(settings)

    return await eventually(nothing_wrong, "no problem")


# -- create --------------------------------------------------------------------------------------------------------


async def test_what_is_missing_is_created_and_then_all_is_well(settings):
    created = await create_topics(settings)
    assert set(created) == {TopicNames(settings.topic_prefix).of(topic.name) for topic in PRESENT}
    assert await check_topics(settings) == []
    assert await partition_count(settings) == 4


async def test_creating_again_creates_nothing_and_changes_nothing(settings):
    await create_topics(settings)
    await alter(settings, "audit", retention_ms="-1")
    assert await create_topics(settings) == []
    assert await all_is_well(settings)


async def test_all_topics_are_made_in_one_request(settings, monkeypatch):
    """One each would take as many round trips and leave half a set behind when one fails."""
    asked = []
    whole = AIOKafkaAdminClient.create_topics

    async def counting(self, topics, *args, **kwargs):
        asked.append(len(topics))
        return await whole(self, topics, *args, **kwargs)

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", counting)
    await create_topics(settings)
    assert asked == [len(PRESENT)]


async def test_two_who_create_at_once_both_succeed(settings):
    told = await asyncio.gather(create_topics(settings), create_topics(settings))
    assert sorted(name for created in told for name in created) == sorted(
        TopicNames(settings.topic_prefix).of(topic.name) for topic in PRESENT
    )
    assert await check_topics(settings) == []


async def test_a_missing_topic_gets_as_many_partitions_as_its_siblings(settings):
    """Whatever the settings say by now: a user's partition follows from the count."""
    await make_topic(settings.bootstrap_servers, f"{settings.topic_prefix}.requests", 3)

    async def seen():
        return not [p for p in await check_topics(settings) if p.topic.endswith(".requests") and "missing" in p.problem]

    await eventually(seen, "the topic is visible")
    await create_topics(settings)
    counts = await counts_of(settings)
    assert {counts[name] for name in ("requests", "refreshes", "accounts", "ledger")} == {3}


async def test_what_is_created_can_be_written_and_read_at_once(settings):
    await create_topics(settings)
    name = TopicNames(settings.topic_prefix).requests
    await produce(settings.bootstrap_servers, name, b"x")
    (record,) = await read_topic(settings.bootstrap_servers, name)
    assert record.timestamp_type == 1  # LogAppendTime


async def test_a_refusal_says_why_and_how_to_mend_it(kafka, new_name, settings_for):
    with pytest.raises(
        StreamsError, match=r"Kafka refuses to create .*replica(.|\n)*IDHUB_AWS_REPLICATION_FACTOR"
    ) as error:
        await create_topics(settings_for(kafka.bootstrap, new_name("admin"), REPLICATION_FACTOR="3"))
    assert len(str(error.value).splitlines()) == 2  # one reason, said once for all topics


# -- check ---------------------------------------------------------------------------------------------------------


async def test_every_topic_that_is_missing_is_named(settings):
    problems = await check_topics(settings)
    assert {problem.topic.rpartition(".")[2] for problem in problems} == {topic.name for topic in PRESENT}
    assert all("is missing; run `idhub-aws topics create`" in str(problem) for problem in problems)


async def test_partitions_that_were_added_are_found(settings):
    await create_topics(settings)
    name = TopicNames(settings.topic_prefix).ledger
    async with kafkas_admin(settings.bootstrap_servers) as client:
        await client.create_partitions({name: NewPartitions(6)})
    problem = await only_problem(settings)
    assert str(problem).startswith(f"{name}: has 6 partitions where {settings.topic_prefix}.requests has 4; drain all")


async def test_partitions_that_were_added_to_all_are_found(settings):
    """All agree with each other; only the settings remember that a user's records went elsewhere."""
    await create_topics(settings)
    names = TopicNames(settings.topic_prefix)
    async with kafkas_admin(settings.bootstrap_servers) as client:
        await client.create_partitions(
            {names.of(topic.name): NewPartitions(6) for topic in PRESENT if topic.co_partitioned}
        )
    problem = await only_problem(settings, "IDHUB_AWS_PARTITIONS is 4")
    assert str(problem).startswith(f"{names.requests}: has 6 partitions and IDHUB_AWS_PARTITIONS is 4; ")
    assert "set IDHUB_AWS_PARTITIONS=6" in problem.mend
    assert await check_topics(settings.model_copy(update={"partitions": 6})) == []


WRONG = [
    ("accounts", "cleanup.policy", "delete", "compact"),
    ("ledger", "cleanup.policy", "delete", "compact,delete"),
    ("audit", "retention.ms", "1000", "34560000000"),
    ("requests", "retention.bytes", "1000000", "-1"),
    ("dead-letters", "max.message.bytes", "1000", "2097152"),
    ("requests", "message.timestamp.type", "CreateTime", "LogAppendTime"),
]


@pytest.mark.parametrize(("topic", "key", "have", "wanted"), WRONG)
async def test_each_wrong_setting_is_named_with_the_command_that_mends_it(settings, topic, key, have, wanted):
    await create_topics(settings)
    await alter(settings, topic, **{key: have})
    told = await only_problem(settings)
    assert told.topic.endswith(f".{topic}")
    assert told.problem == f"{key} is {have} and not {wanted}"
    given = f"[{wanted}]" if "," in wanted else wanted  # as kafka-configs.sh wants a list
    assert told.mend == (
        f"run `kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {told.topic} --add-config '{key}={given}'`"
    )


async def test_a_ledger_that_does_not_outlive_the_requests_is_named(settings):
    await create_topics(settings)
    await alter(settings, "requests", retention_ms=str(30 * 24 * 3600 * 1000))
    told = await only_problem(settings)
    assert told.topic.endswith(".ledger")
    assert "not longer than the requests (2592000000 ms)" in told.problem
    assert "retention.ms=5184000000" in told.mend


async def test_two_mends_of_one_topic_do_not_undo_each_other(settings):
    await create_topics(settings)
    await alter(settings, "requests", retention_ms="1000")
    await alter(settings, "ledger", retention_ms="1000")

    async def three():
        problems = await check_topics(settings)
        return len(problems) == 3 and problems

    mends = {p.mend for p in await eventually(three, "both are known") if p.topic.endswith(".ledger")}
    assert len(mends) == 1


async def test_requests_that_are_kept_for_ever_need_a_ledger_that_is(settings):
    await create_topics(settings)
    await alter(settings, "requests", retention_ms="-1")
    await only_problem(settings, "not longer than the requests (for ever)")
    await alter(settings, "ledger", retention_ms="-1")
    assert await all_is_well(settings)


@pytest.mark.parametrize("config", [{"retention_ms": "-1"}, {"max_message_bytes": "5000000"}])
async def test_keeping_longer_and_taking_more_is_no_problem(settings, config):
    await create_topics(settings)
    await alter(settings, "audit", **config)
    await alter(settings, "replies", retention_ms="1000")  # when this is seen, so is the one before
    await only_problem(settings, "retention.ms is 1000")


async def test_asking_for_a_topic_does_not_make_it(settings):
    """A broker that creates topics on sight would make them with one partition and Kafka's defaults."""
    with pytest.raises(StreamsError, match=r"no topic .*\.replies, .*\.requests at .*topics create"):
        await need_topics(settings, [f"{settings.topic_prefix}.requests", f"{settings.topic_prefix}.replies"])
    assert len(await check_topics(settings)) == len(PRESENT)


# -- Kafka away ----------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_port():
    """Where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture
def silent_port():
    """Where somebody accepts and never answers, as a frozen broker does."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("ask", [create_topics, check_topics, partition_count])
async def test_a_kafka_that_is_not_there_is_one_clear_line(closed_port, settings_for, ask):
    with pytest.raises(BrokerAway) as error:
        await ask(settings_for(closed_port, "x"))
    assert str(error.value) == (
        f"Kafka at {closed_port} does not answer (KafkaConnectionError): is it running, and is KAFKA_BOOTSTRAP_SERVERS right?"
    )


async def test_a_kafka_that_is_frozen_is_given_up_in_time(silent_port, settings_for, monkeypatch):
    monkeypatch.setattr(admin, "ANSWER_S", 0.3)
    began = time.monotonic()
    with pytest.raises(BrokerAway, match="does not answer"):
        await check_topics(settings_for(silent_port, "x"))
    assert time.monotonic() - began < 10  # not the 40 s that aiokafka would take


async def test_a_broker_that_is_away_and_comes_back_is_asked_anew(kafka_to_break, new_name, settings_for):
    settings = settings_for(kafka_to_break.bootstrap, new_name("admin"))
    kafka_to_break.kill()
    with pytest.raises(BrokerAway):
        await create_topics(settings)
    kafka_to_break.restart()
    assert len(await create_topics(settings)) == len(PRESENT)
