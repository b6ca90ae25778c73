"""The table of topics, and what is made of it."""

import shlex

import pytest

from streams.topics import (
    BY_NAME,
    PRESENT,
    ROLES,
    TOPICS,
    WORKER,
    TopicNames,
    acl_commands,
    roles_table,
    slug,
    table,
)
from streams.wire import schemas

NAMES = TopicNames("idhub.aws")


def acls(**given):
    return acl_commands(NAMES, **{"bootstrap_servers": "k:9092", "group": "idhub-aws", **given})


def grants_of(role, **given):
    """(operation, kind, resource, prefixed) of one role's commands."""
    grants = set()
    for line in acls(roles=[role], **given):
        words = shlex.split(line, comments=True)
        operations = [words[i + 1] for i, word in enumerate(words) if word == "--operation"]
        kinds = ("--topic", "--group", "--transactional-id")
        resources = [(word[2:], words[i + 1]) for i, word in enumerate(words) if word in kinds]
        grants |= {(op, *resource, "prefixed" in words) for op in operations for resource in resources}
    return grants


# -- the rows ------------------------------------------------------------------------------------------------------


def test_a_full_name_is_the_prefix_and_the_row():
    assert NAMES.requests == "idhub.aws.requests"
    assert TopicNames("my.own").of("dead-letters") == "my.own.dead-letters"


def test_there_is_no_name_without_a_row():
    with pytest.raises(KeyError):
        NAMES.of("nonsense")


def test_no_name_is_taken_twice():
    assert len(BY_NAME) == len(TOPICS)


def test_the_ledger_outlives_the_requests():
    assert BY_NAME["ledger"].retention_days > BY_NAME["requests"].retention_days


def test_what_one_owner_holds_is_partitioned_alike():
    alike = {topic.name for topic in TOPICS if topic.co_partitioned}
    assert alike == {"requests", "refreshes", "accounts", "entitlements", "ledger", "parked"}


@pytest.mark.parametrize("name", ["accounts", "ledger"])
def test_no_workers_clock_decides_over_what_is_asked_for_by_time_or_kept_by_age(name):
    """Accounts are served by the time of their append; a ledger entry must not go before its request."""
    assert BY_NAME[name].config["message.timestamp.type"] == "LogAppendTime"


def test_requests_are_kept_by_the_brokers_clock():
    assert BY_NAME["requests"].config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", PRESENT, ids=lambda topic: topic.name)
def test_nothing_is_deleted_but_by_its_age(topic):
    deletes = "delete" in topic.cleanup
    assert ("retention.ms" in topic.config) is deletes
    assert topic.config.get("retention.bytes") == ("-1" if deletes else None)


@pytest.mark.parametrize("topic", PRESENT, ids=lambda topic: topic.name)
def test_what_is_there_has_a_schema_or_the_original_bytes(topic):
    assert topic.schema in schemas.NAMES or topic.name == "dead-letters"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_somebody_who_writes_and_somebody_who_reads(topic):
    assert topic.writers
    assert topic.readers
    assert {*topic.writers, *topic.readers} <= set(ROLES)


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.schema], ids=lambda topic: topic.name)
def test_personal_data_is_what_the_schema_marks(topic):
    assert topic.personal == ", ".join(schemas.personal_fields(topic.schema))


def test_a_dead_letter_has_room_for_what_it_buries():
    assert BY_NAME["dead-letters"].max_message_bytes > max(
        t.max_message_bytes for t in TOPICS if t.name != "dead-letters"
    )


# -- the tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [table(), roles_table()], ids=["topics", "roles"])
def test_every_row_of_a_table_has_as_many_cells_as_its_head(text):
    rows = [row.replace("\\|", "") for row in text.splitlines()]
    assert len({row.count("|") for row in rows}) == 1


def test_the_table_has_every_topic():
    assert [row.split("|")[1].strip() for row in table().splitlines()[2:]] == [f"`…{topic.name}`" for topic in TOPICS]


# -- access --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_and_writes_what_its_rows_say_and_no_more(role):
    grants = grants_of(role)
    for operation, whose in (("Write", "writers"), ("Read", "readers")):
        told = {
            resource for op, kind, resource, prefixed in grants if (op, kind, prefixed) == (operation, "topic", False)
        }
        assert told == {NAMES.of(topic.name) for topic in PRESENT if role in getattr(topic, whose)}


def test_only_who_asks_writes_requests():
    assert [role for role in ROLES if ("Write", "topic", "idhub.aws.requests", False) in grants_of(role)] == [
        "IDHub",
        "gateway",
    ]


def test_the_worker_holds_its_group_and_its_transactional_ids():
    grants = grants_of(WORKER, group="blue")
    assert ("Read", "group", "blue", False) in grants
    assert {("Write", "transactional-id", "blue-", True), ("Describe", "transactional-id", "blue-", True)} <= grants
    assert {r for op, kind, r, _ in grants if op == "DescribeConfigs"} == {NAMES.of(topic.name) for topic in PRESENT}


def test_nobody_else_joins_the_workers_group():
    for role in set(ROLES) - {WORKER}:
        assert ("Read", "group", "idhub-aws", False) not in grants_of(role)
        assert not any(kind == "group" and prefixed for _, kind, _, prefixed in grants_of(role))


def test_a_reply_topic_of_ones_own_is_written_by_the_worker_and_read_by_idhub():
    assert ("Write", "topic", "hr.replies", False) in grants_of(WORKER, reply_topics=["hr.replies"])
    assert ("Read", "topic", "hr.replies", False) in grants_of("IDHub", reply_topics=["hr.replies"])


def test_principals_are_named_as_told():
    (line, *_) = [line for line in acls(principals={WORKER: "User:CN=worker 1"}) if "User:CN=worker 1" in line]
    assert shlex.split(line)[shlex.split(line).index("--allow-principal") + 1] == "User:CN=worker 1"
    assert slug("security teams") == "security-teams"
